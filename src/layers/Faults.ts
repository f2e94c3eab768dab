/**
 * What can go wrong on the way, for `MemoryTransport`: small faults that compose, the same in every run, without timers.
 * A chunk is what one `write` of the connection gave (TLS connections of ours write whole records), a byte's offset
 * counts from the first of its direction.
 *
 * A fault is a value without state: each direction of each connection begins it anew, so one may be shared by a whole
 * network. A connection that is lost after so many bytes is the option `cut` of `MemoryTransport`.
 *
 * @since 0.1.0
 */
import type { Direction, Fault } from "./MemoryTransport.ts"

export type {
  /**
   * @since 0.1.0
   * @category models
   */
  Fault
} from "./MemoryTransport.ts"

/**
 * One chunk on its way: the how many-eth of its direction it is, counted from 0.
 *
 * @since 0.1.0
 * @category models
 */
export interface Chunk {
  readonly direction: Direction
  readonly index: number
  readonly bytes: Uint8Array
}

/**
 * Which chunks: one by its number, counted from 0 in each direction, or those of which a function says so.
 *
 * @since 0.1.0
 * @category models
 */
export type Which = number | ((chunk: Chunk) => boolean)

const nothing = (): ReadonlyArray<Uint8Array> => []

/** A fault that makes something else of some chunks, and holds none back. */
const change = (which: Which, to: (bytes: Uint8Array) => ReadonlyArray<Uint8Array>): Fault => ({
  begin: (direction) => {
    const selects = selector(which, direction)
    return { chunk: (bytes) => (selects(bytes) ? to(bytes) : [bytes]), end: nothing }
  }
})

/** Says for one chunk after the other whether it is meant. */
const selector = (which: Which, direction: Direction): ((bytes: Uint8Array) => boolean) => {
  let next = 0
  return (bytes) => {
    const index = next++
    return typeof which === "number" ? index === which : which({ direction, index, bytes })
  }
}

const requireInteger = (name: string, value: number, least: number): void => {
  if (!Number.isInteger(value) || value < least) {
    throw new RangeError(`Faults: ${name} is ${value}, an integer of at least ${least} expected`)
  }
}

/**
 * Nothing goes wrong.
 *
 * @since 0.1.0
 * @category constructors
 */
export const none: Fault = { begin: () => ({ chunk: (bytes) => [bytes], end: nothing }) }

/**
 * Every chunk in pieces: of at most so many bytes, or of these sizes in turn, begun anew with each chunk, and what is then
 * left in one. Other than `maxChunk` it also makes pieces that a later fault can lose.
 *
 * @example
 * ```ts
 * import { Faults, MemoryTransport } from "effect-tls/testing"
 *
 * // Record headers arrive alone.
 * const ends = MemoryTransport.pair({ faults: Faults.split([5]) })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const split = (sizes: number | ReadonlyArray<number>): Fault => {
  const all = typeof sizes === "number" ? [sizes] : [...sizes]
  for (const size of all) requireInteger("a size", size, 1)
  const rest = typeof sizes === "number" ? sizes : Infinity
  return change(
    () => true,
    (bytes) => {
      const pieces: Array<Uint8Array> = []
      for (let at = 0; at < bytes.length;) {
        const piece = bytes.subarray(at, at + (all[pieces.length] ?? rest))
        pieces.push(piece)
        at += piece.length
      }
      return pieces
    }
  )
}

/**
 * Those chunks never arrive.
 *
 * @example
 * ```ts
 * import { Faults, MemoryTransport } from "effect-tls/testing"
 *
 * // The server never sees the second thing that the client writes.
 * const ends = MemoryTransport.pair({ faults: Faults.only("toServer", Faults.drop(1)) })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const drop = (which: Which): Fault => change(which, nothing)

/**
 * Those chunks arrive twice, one right after the other.
 *
 * @example
 * ```ts
 * import { Faults, MemoryTransport } from "effect-tls/testing"
 *
 * const ends = MemoryTransport.pair({ faults: Faults.duplicate(({ bytes }) => bytes[0] === 23) })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const duplicate = (which: Which): Fault => change(which, (bytes) => [bytes, bytes.slice()])

/**
 * Those chunks are held back until so many later ones have passed; chunks that are held back as well do not count. What
 * is released together keeps its order. What is still held when the writer ends or closes arrives then, before the end;
 * after a reset or `abort` it never does. Bytes held back do not count towards `capacity`: nobody waits for them.
 *
 * @example
 * ```ts
 * import { Faults, MemoryTransport } from "effect-tls/testing"
 *
 * // Of 0 1 2 3 the server reads 1 2 0 3.
 * const ends = MemoryTransport.pair({ faults: Faults.delay(0, 2) })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const delay = (which: Which, chunks: number): Fault => {
  requireInteger("a number of chunks", chunks, 1)
  return {
    begin: (direction) => {
      const selects = selector(which, direction)
      const held: Array<{ readonly bytes: Uint8Array; readonly until: number }> = []
      let passed = 0
      return {
        chunk: (bytes) => {
          if (selects(bytes)) {
            held.push({ bytes, until: passed + chunks })
            return []
          }
          passed++
          const out = [bytes]
          while (held[0] !== undefined && held[0].until <= passed) out.push(held.shift()!.bytes)
          return out
        },
        end: () => held.splice(0).map(({ bytes }) => bytes)
      }
    }
  }
}

/**
 * Those chunks change places with the next: `delay` by one, and what holds of that about the end.
 *
 * @example
 * ```ts
 * import { Faults, MemoryTransport } from "effect-tls/testing"
 *
 * // Of 0 1 2 3 the server reads 0 2 1 3.
 * const ends = MemoryTransport.pair({ faults: Faults.reorder(1) })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const reorder = (which: Which): Fault => delay(which, 1)

/**
 * The bits of `mask` (1 by default) in one byte are the other way round. The bytes written stay as they are: it is a copy
 * that arrives.
 *
 * @example
 * ```ts
 * import { Faults, MemoryTransport } from "effect-tls/testing"
 *
 * // The type of the first record that the server sends.
 * const ends = MemoryTransport.pair({ faults: Faults.flip({ direction: "toClient", offset: 0, mask: 0xff }) })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const flip = (options: {
  readonly direction: Direction
  readonly offset: number
  readonly mask?: number
}): Fault => {
  const { direction, mask = 1, offset } = options
  requireInteger("an offset", offset, 0)
  return only(direction, {
    begin: () => {
      let start = 0
      return {
        chunk: (bytes) => {
          const at = offset - start
          start += bytes.length
          if (at < 0 || at >= bytes.length) return [bytes]
          const flipped = bytes.slice()
          flipped[at]! ^= mask
          return [flipped]
        },
        end: nothing
      }
    }
  })
}

/**
 * The fault in one direction, nothing in the other.
 *
 * @example
 * ```ts
 * import { Faults, MemoryTransport } from "effect-tls/testing"
 *
 * const ends = MemoryTransport.pair({ faults: Faults.only("toClient", Faults.split(1)) })
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const only = (direction: Direction, fault: Fault): Fault => ({
  begin: (actual) => (actual === direction ? fault : none).begin(actual)
})

/**
 * One fault after the other: each sees, numbers and counts what those before it let through, and what they release at the
 * end.
 *
 * @example
 * ```ts
 * import { Faults, MemoryTransport } from "effect-tls/testing"
 *
 * // Of "abcdef" in one chunk the server reads "abef".
 * const ends = MemoryTransport.pair({ faults: Faults.all(Faults.split(2), Faults.drop(1)) })
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const all = (...faults: ReadonlyArray<Fault>): Fault => ({
  begin: (direction) => {
    const stages = faults.map((fault) => fault.begin(direction))
    return {
      chunk: (bytes) =>
        stages.reduce<ReadonlyArray<Uint8Array>>((chunks, stage) => chunks.flatMap(stage.chunk), [bytes]),
      end: () =>
        stages.reduce<ReadonlyArray<Uint8Array>>(
          (chunks, stage) => [...chunks.flatMap((bytes) => stage.chunk(bytes)), ...stage.end()],
          []
        )
    }
  }
})
