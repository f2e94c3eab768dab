/**
 * A bounded cursor over wire bytes. Reading past the end, or leaving bytes behind, is a `DecodeError` with the
 * position; nothing else can go wrong. Reads are views of the input: copy what outlives it.
 *
 * Inside a decoder the error is thrown, so that decoders read like the RFC's structs; `decode` is the only way in and
 * turns it into an `Either`, so it never leaves this module as an exception.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Either from "effect/Either"

/**
 * Bytes that are not what the syntax says. `at` is the offset in the input at which that was seen.
 *
 * @since 0.1.0
 * @category errors
 */
export class DecodeError extends Data.TaggedError("DecodeError")<{
  readonly what: string
  readonly at: number
  readonly problem: string
}> {
  override get message(): string {
    return `${this.what}: ${this.problem} (at byte ${this.at})`
  }
}

/**
 * @since 0.1.0
 * @category models
 */
export class ByteReader {
  /** The next byte to read. */
  position: number
  readonly bytes: Uint8Array
  readonly end: number
  readonly what: string

  constructor(bytes: Uint8Array, what: string, start = 0, end = bytes.length) {
    this.bytes = bytes
    this.position = start
    this.end = end
    this.what = what
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.end - this.position
  }

  /** Gives up: the bytes do not have the form they must have. */
  fail(problem: string, at = this.position): never {
    throw new DecodeError({ what: this.what, at, problem })
  }

  #take(length: number): number {
    const start = this.position
    if (length > this.end - start) {
      this.fail(`${length} byte(s) expected, ${this.end - start} left`)
    }
    this.position = start + length
    return start
  }

  uint8(): number {
    return this.bytes[this.#take(1)]!
  }

  uint16(): number {
    const at = this.#take(2)
    return (this.bytes[at]! << 8) | this.bytes[at + 1]!
  }

  uint24(): number {
    const at = this.#take(3)
    return (this.bytes[at]! << 16) | (this.bytes[at + 1]! << 8) | this.bytes[at + 2]!
  }

  uint32(): number {
    const at = this.#take(4)
    return (
      this.bytes[at]! * 0x1000000 + ((this.bytes[at + 1]! << 16) | (this.bytes[at + 2]! << 8) | this.bytes[at + 3]!)
    )
  }

  /** The next `length` bytes, as a view. */
  take(length: number): Uint8Array {
    const at = this.#take(length)
    return this.bytes.subarray(at, at + length)
  }

  /** All that is left, as a view. */
  rest(): Uint8Array {
    return this.take(this.remaining)
  }

  #vector(length: number, min: number, what: string): ByteReader {
    if (length < min) this.fail(`a vector of ${length} byte(s), at least ${min} expected`)
    const at = this.#take(length)
    return new ByteReader(this.bytes, what, at, at + length)
  }

  /** A reader over a vector with a one-byte length. */
  vector8(min = 0, what = this.what): ByteReader {
    return this.#vector(this.uint8(), min, what)
  }

  /** A reader over a vector with a two-byte length. */
  vector16(min = 0, what = this.what): ByteReader {
    return this.#vector(this.uint16(), min, what)
  }

  /** A reader over a vector with a three-byte length. */
  vector24(min = 0, what = this.what): ByteReader {
    return this.#vector(this.uint24(), min, what)
  }

  /** Reads items until the end. */
  many<A>(item: (reader: ByteReader) => A): Array<A> {
    const items: Array<A> = []
    while (this.position < this.end) {
      const before = this.position
      items.push(item(this))
      if (this.position === before) this.fail("an item of no bytes")
    }
    return items
  }

  /** Requires that everything was read. */
  finish(): void {
    if (this.remaining > 0) this.fail(`${this.remaining} byte(s) too many`)
  }
}

/**
 * Runs a decoder over the whole of `bytes`: it must consume them exactly.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decode =
  <A>(what: string, decoder: (reader: ByteReader) => A) =>
  (bytes: Uint8Array): Either.Either<A, DecodeError> => {
    const reader = new ByteReader(bytes, what)
    try {
      const value = decoder(reader)
      reader.finish()
      return Either.right(value)
    } catch (error) {
      if (error instanceof DecodeError) return Either.left(error)
      throw error
    }
  }
