import { assert, describe, it } from "@effect/vitest"
import { assertNone, assertSome } from "@effect/vitest/utils"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { type Duplex, type Listener, Transport } from "../../src/core/Transport.ts"
import type { Endpoint } from "../../src/schema/Endpoint.ts"
import type { TransportError } from "../../src/schema/TlsError.ts"

export const text = (value: string): Uint8Array => new TextEncoder().encode(value)

/** Numbers below `bound`, the same for the same seed. */
export const random = (seed: number): ((bound: number) => number) => {
  let state = seed
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % bound
  }
}

/** A byte that depends on its position in a way that no misplaced chunk gets right. */
const byteAt = (position: number): number => (position * 31 + (position >>> 8) * 17 + (position >>> 16)) & 0xff

/** The bytes from `start` on of a stream that `verify` recognises. */
export const pattern = (start: number, length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = byteAt(start + i)
  return bytes
}

export const verify = (start: number, bytes: Uint8Array): void => {
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] !== byteAt(start + i)) assert.fail(`byte ${start + i} is wrong`)
  }
}

/** One turn of the real event loop, whatever the Effect Clock. */
export const turn: Effect.Effect<void> = Effect.async((resume) => {
  setImmediate(() => resume(Effect.void))
})

/** Waits until nothing has moved for many turns of the event loop; on loopback what can move does so in one or two. */
export const settled = (probe: () => unknown): Effect.Effect<void> =>
  Effect.gen(function* () {
    let last = probe()
    for (let quiet = 0; quiet < 100; quiet++) {
      yield* turn
      const now = probe()
      if (now !== last) quiet = 0
      last = now
    }
  })

export const until = (condition: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (condition() ? Effect.void : Effect.flatMap(turn, () => until(condition))))

export const concat = (chunks: Iterable<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat([...chunks]))

/** Everything up to the peer's end. */
export const pullAll = (duplex: Duplex): Effect.Effect<Uint8Array, TransportError> =>
  Effect.gen(function* () {
    const chunks: Array<Uint8Array> = []
    for (let chunk = yield* duplex.pull; Option.isSome(chunk); chunk = yield* duplex.pull) chunks.push(chunk.value)
    return concat(chunks)
  })

/** That many bytes, which must be what the chunks come to. */
export const pullExactly = (duplex: Duplex, length: number): Effect.Effect<Uint8Array, TransportError> =>
  Effect.gen(function* () {
    const chunks: Array<Uint8Array> = []
    let size = 0
    while (size < length) {
      const chunk = yield* duplex.pull
      if (Option.isNone(chunk)) return yield* Effect.dieMessage(`the peer ended after ${size} of ${length} bytes`)
      chunks.push(chunk.value)
      size += chunk.value.length
    }
    assert.strictEqual(size, length)
    return concat(chunks)
  })

export const fails = <A, R>(
  effect: Effect.Effect<A, TransportError, R>,
  expected: { readonly reason: TransportError["reason"]; readonly operation: TransportError["operation"] }
): Effect.Effect<TransportError, never, R> =>
  Effect.matchEffect(effect, {
    onSuccess: (value) => Effect.dieMessage(`succeeded with ${String(value)}`),
    onFailure: (error) =>
      Effect.sync(() => {
        assert.deepStrictEqual({ reason: error.reason, operation: error.operation }, expected, error.message)
        return error
      })
  })

/** A value that lives in a Scope which the test closes when it wants to. */
export interface Owned<A> {
  readonly value: A
  readonly close: Effect.Effect<void>
}

export const owned = <A, E, R>(
  effect: Effect.Effect<A, E, R | Scope.Scope>
): Effect.Effect<Owned<A>, E, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.acquireRelease(Scope.make(), (made, exit) => Scope.close(made, exit))
    const value = yield* Scope.extend(effect, scope)
    return { value, close: Scope.close(scope, Exit.void) }
  })

export interface Connected {
  readonly listener: Listener
  readonly client: Duplex
  readonly server: Duplex
  readonly closeClient: Effect.Effect<void>
  readonly closeServer: Effect.Effect<void>
}

/** Two ends of a connection at a listener of its own. */
export const connected = (
  at: Effect.Effect<Endpoint, never, Scope.Scope>
): Effect.Effect<Connected, TransportError, Transport | Scope.Scope> =>
  Effect.gen(function* () {
    const transport = yield* Transport
    const listener = yield* transport.listen(yield* at)
    const client = yield* owned(transport.connect(listener.address))
    const server = yield* owned(listener.accept)
    // One end's close waits for the other's, so both at once.
    yield* Effect.addFinalizer(() => Effect.all([client.close, server.close], { concurrency: 2 }))
    return {
      listener,
      client: client.value,
      server: server.value,
      closeClient: client.close,
      closeServer: server.close
    }
  })

export interface TransportUnderTest {
  readonly layer: Layer.Layer<Transport>
  /** Where to listen. */
  readonly endpoint: Effect.Effect<Endpoint, never, Scope.Scope>
  /** Whether it needs the real clock: memory runs under a TestClock that nobody moves. */
  readonly live: boolean
  /** The most bytes that are on their way in one direction while nobody pulls. */
  readonly inFlight: number
  /** Whether the peer of an abort sees a reset. */
  readonly resets: boolean
}

/** What every Transport does. */
export const transportSuite = (name: string, under: TransportUnderTest): void => {
  const test = (title: string, program: Effect.Effect<void, TransportError, Transport | Scope.Scope>) =>
    (under.live ? it.scopedLive : it.scoped)(title, () => Effect.provide(program, under.layer))
  const { endpoint } = under

  describe(`${name}: the contract`, () => {
    test(
      "echoes",
      Effect.gen(function* () {
        const { client, server } = yield* connected(endpoint)
        const echo = Effect.forever(
          Effect.flatMap(server.pull, (chunk) => (Option.isNone(chunk) ? Effect.interrupt : server.write(chunk.value)))
        )
        yield* Effect.forkScoped(echo)
        for (let i = 0; i < 20; i++) {
          yield* client.write(text(`message ${i};`))
          assert.deepStrictEqual(yield* pullExactly(client, `message ${i};`.length), text(`message ${i};`))
        }
      })
    )

    test(
      "keeps the order of each writer, and each write whole",
      Effect.gen(function* () {
        const { client, server } = yield* connected(endpoint)
        const next = random(1)
        const sizes = Array.from({ length: 4 }, () => Array.from({ length: 60 }, () => 1 + next(3000)))
        const writer = (id: number) =>
          Effect.forEach(
            sizes[id]!,
            (size, index) =>
              client.write(Uint8Array.of(id, index, size >> 8, size & 0xff, ...Array<number>(size).fill(id))),
            { discard: true }
          )
        const reading = yield* Effect.fork(pullAll(server))
        yield* Effect.all([0, 1, 2, 3].map(writer), { concurrency: "unbounded" })
        yield* client.end()
        const bytes = yield* Fiber.join(reading)
        const seen = [0, 0, 0, 0]
        for (let at = 0; at < bytes.length;) {
          const id = bytes[at]!
          const size = sizes[id]![seen[id]!]!
          assert.deepStrictEqual([...bytes.subarray(at + 1, at + 4)], [seen[id], size >> 8, size & 0xff])
          assert.isTrue(bytes.subarray(at + 4, at + 4 + size).every((byte) => byte === id))
          seen[id]!++
          at += 4 + size
        }
        assert.deepStrictEqual(seen, [60, 60, 60, 60])
      })
    )

    test(
      "holds a writer back while nobody pulls, and loses nothing of 10 MiB",
      Effect.gen(function* () {
        const { client, server } = yield* connected(endpoint)
        const size = 65536
        const total = under.inFlight + 10 * 1024 * 1024
        let written = 0
        const write: Effect.Effect<void, TransportError> = Effect.suspend(() => {
          if (written >= total) return client.end()
          const chunk = pattern(written, size)
          written += size
          return Effect.flatMap(client.write(chunk), () => write)
        })
        const writing = yield* Effect.fork(write)
        yield* settled(() => written)
        assert.isTrue(written > 0 && written <= under.inFlight, `${written} bytes written before the first pull`)
        let read = 0
        let most = 0
        while (true) {
          const chunk = yield* server.pull
          if (Option.isNone(chunk)) break
          verify(read, chunk.value)
          read += chunk.value.length
          most = Math.max(most, written - read)
        }
        yield* Fiber.join(writing)
        assert.strictEqual(read, written)
        assert.isTrue(most <= under.inFlight, `${most} bytes were on their way`)
      })
    )

    for (const who of ["client", "server"] as const) {
      test(
        `half-closes from the ${who}`,
        Effect.gen(function* () {
          const both = yield* connected(endpoint)
          const [first, second] = who === "client" ? [both.client, both.server] : [both.server, both.client]
          yield* first.write(text("one "))
          yield* first.end(text("two"))
          assert.deepStrictEqual(yield* pullAll(second), text("one two"))
          assertNone(yield* second.pull)
          assertNone(yield* second.pull)
          yield* fails(first.write(text("late")), { reason: "Closed", operation: "write" })
          yield* fails(first.end(text("late")), { reason: "Closed", operation: "write" })
          yield* first.end()
          // The other direction goes on, in both senses.
          const large = pattern(0, 300_000)
          const writing = yield* Effect.fork(Effect.zipRight(second.write(large), second.end(text("!"))))
          const back = yield* pullAll(first)
          yield* Fiber.join(writing)
          assert.strictEqual(back.length, large.length + 1)
          verify(0, back.subarray(0, large.length))
          assertNone(yield* first.pull)
          assertNone(yield* second.pull)
        })
      )
    }

    test(
      "writes nothing for no bytes",
      Effect.gen(function* () {
        const { client, server } = yield* connected(endpoint)
        yield* client.write(new Uint8Array(0))
        yield* client.end(new Uint8Array(0))
        assertNone(yield* server.pull)
      })
    )

    test(
      "ends while a writer waits for room, after what it wrote",
      Effect.gen(function* () {
        const { client, server } = yield* connected(endpoint)
        const large = pattern(0, under.inFlight + 1)
        const writing = yield* Effect.fork(client.write(large))
        yield* settled(() => writing.unsafePoll())
        assert.isNull(writing.unsafePoll())
        yield* client.end()
        yield* Fiber.join(writing)
        const bytes = yield* pullAll(server)
        assert.strictEqual(bytes.length, large.length)
        verify(0, bytes)
      })
    )

    test(
      "stops waiting when interrupted, in an uninterruptible region too",
      Effect.gen(function* () {
        const { client, listener, server } = yield* connected(endpoint)
        const interrupt = (waiting: Effect.Effect<unknown, TransportError>) =>
          Effect.gen(function* () {
            const fiber = yield* Effect.fork(Effect.uninterruptible(waiting))
            yield* settled(() => undefined)
            assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
          })
        yield* interrupt(server.pull)
        const large = pattern(0, under.inFlight + 1)
        yield* interrupt(client.write(large))
        yield* interrupt(Effect.scoped(listener.accept))
        yield* client.end()
        const bytes = yield* pullAll(server)
        assert.strictEqual(bytes.length, large.length)
        verify(0, bytes)
      })
    )

    for (const seed of [1, 2, 3]) {
      test(
        `loses nothing when pulls are interrupted, seed ${seed}`,
        Effect.gen(function* () {
          const { client, server } = yield* connected(endpoint)
          const next = random(seed)
          const wait = Effect.suspend(() => (next(2) === 0 ? turn : Effect.yieldNow()))
          const total = 400_000
          const writing = yield* Effect.fork(
            Effect.gen(function* () {
              for (let written = 0; written < total;) {
                const size = Math.min(total - written, 1 + next(2500))
                yield* client.write(pattern(written, size))
                written += size
                if (next(3) === 0) yield* wait
              }
              yield* client.end()
            })
          )
          let read = 0
          let ended = false
          let interrupted = 0
          // Taking and keeping are one: no interruption falls between them, but it ends the waiting.
          const keep = Effect.uninterruptible(
            Effect.map(server.pull, (chunk) => {
              if (Option.isNone(chunk)) ended = true
              else {
                verify(read, chunk.value)
                read += chunk.value.length
              }
            })
          )
          while (true) {
            const pulling = yield* Effect.fork(keep)
            for (let i = next(3); i > 0; i--) yield* wait
            const exit = yield* Fiber.interrupt(pulling)
            if (Exit.isInterrupted(exit)) interrupted++
            else assert.isTrue(Exit.isSuccess(exit))
            if (ended) break
          }
          yield* Fiber.join(writing)
          assert.strictEqual(read, total)
          assert.isTrue(interrupted > 0, "no pull was interrupted")
        })
      )

      test(
        `writes once and in order when writes are interrupted, seed ${seed}`,
        Effect.gen(function* () {
          const { client, server } = yield* connected(endpoint)
          const next = random(seed)
          const reading = yield* Effect.fork(
            Effect.gen(function* () {
              let read = 0
              while (true) {
                const chunk = yield* server.pull
                if (Option.isNone(chunk)) return read
                verify(read, chunk.value)
                read += chunk.value.length
                if (next(2) === 0) yield* turn
              }
            })
          )
          let written = 0
          let interrupted = 0
          for (let i = 0; i < 150; i++) {
            const chunk = pattern(written, 1 + next(200_000))
            written += chunk.length
            const writing = yield* Effect.fork(Effect.uninterruptible(client.write(chunk)))
            for (let j = next(3); j >= 0; j--) yield* Effect.yieldNow()
            if (Exit.isInterrupted(yield* Fiber.interrupt(writing))) interrupted++
          }
          yield* client.end()
          assert.strictEqual(yield* Fiber.join(reading), written)
          assert.isTrue(interrupted > 0, "no write was interrupted")
        })
      )
    }

    test(
      "gives two pulls at once different chunks",
      Effect.gen(function* () {
        const { client, server } = yield* connected(endpoint)
        const first = yield* Effect.fork(server.pull)
        const second = yield* Effect.fork(server.pull)
        yield* settled(() => undefined)
        yield* client.write(text("a"))
        yield* until(() => first.unsafePoll() !== null || second.unsafePoll() !== null)
        yield* client.write(text("b"))
        const both = yield* Effect.all([Fiber.join(first), Fiber.join(second)])
        assert.deepStrictEqual(both.map((chunk) => new TextDecoder().decode(Option.getOrThrow(chunk))).sort(), [
          "a",
          "b"
        ])
      })
    )

    test(
      "delivers what was written when the Scope closes, in spite of what was never pulled",
      Effect.gen(function* () {
        const { client, closeClient, closeServer, server } = yield* connected(endpoint)
        const large = pattern(0, 1_000_000)
        yield* client.write(pattern(0, 30_000))
        yield* settled(() => undefined)
        yield* Effect.fork(server.write(large))
        yield* settled(() => undefined)
        const closing = yield* Effect.fork(closeServer)
        const bytes = yield* pullAll(client)
        assert.strictEqual(bytes.length, large.length)
        verify(0, bytes)
        // The closing end still takes what was under way.
        yield* client.write(text("thanks"))
        yield* closeClient
        yield* Fiber.join(closing)
        yield* fails(server.pull, { reason: "Closed", operation: "read" })
      })
    )

    test(
      "is closed after its Scope: whoever waits and whoever comes fails",
      Effect.gen(function* () {
        const { client, closeClient, closeServer, server } = yield* connected(endpoint)
        const pulling = yield* Effect.fork(client.pull)
        const writing = yield* Effect.fork(client.write(pattern(0, under.inFlight + 1)))
        yield* settled(() => undefined)
        const closing = yield* Effect.fork(closeClient)
        yield* fails(Fiber.join(pulling), { reason: "Closed", operation: "read" })
        yield* fails(Fiber.join(writing), { reason: "Closed", operation: "write" })
        // They do not wait for the closing to be done, which in memory takes no time.
        if (under.live) assert.isNull(closing.unsafePoll())
        yield* Effect.fork(pullAll(server))
        yield* closeServer
        yield* Fiber.join(closing)
        yield* fails(client.pull, { reason: "Closed", operation: "read" })
        yield* fails(client.pull, { reason: "Closed", operation: "read" })
        yield* fails(client.write(text("x")), { reason: "Closed", operation: "write" })
        yield* fails(client.end(text("x")), { reason: "Closed", operation: "write" })
        yield* client.abort
      })
    )

    test(
      "aborts: whoever waits fails here, and the peer gets what arrived and then learns of it",
      Effect.gen(function* () {
        const { client, server } = yield* connected(endpoint)
        yield* client.write(text("before"))
        const pulling = yield* Effect.fork(client.pull)
        yield* settled(() => undefined)
        yield* client.abort
        yield* fails(Fiber.join(pulling), { reason: "Closed", operation: "read" })
        yield* fails(client.pull, { reason: "Closed", operation: "read" })
        yield* fails(client.write(text("x")), { reason: "Closed", operation: "write" })
        yield* fails(client.end(text("x")), { reason: "Closed", operation: "write" })
        yield* client.abort
        yield* settled(() => undefined)
        assert.deepStrictEqual(yield* pullExactly(server, 6), text("before"))
        for (let i = 0; i < 2; i++) {
          if (under.resets) {
            const error = yield* fails(server.pull, { reason: "ConnectionReset", operation: "read" })
            assert.strictEqual(error.phase, "connected")
          } else {
            assertNone(yield* server.pull)
          }
        }
        const write = server.write(pattern(0, 65536))
        yield* fails(Effect.forever(write), { reason: "ConnectionReset", operation: "write" })
        yield* fails(write, { reason: "ConnectionReset", operation: "write" })
      })
    )

    test(
      "aborts while the peer waits",
      Effect.gen(function* () {
        const { client, server } = yield* connected(endpoint)
        const pulling = yield* Effect.fork(server.pull)
        const writing = yield* Effect.fork(Effect.forever(server.write(pattern(0, 65536))))
        yield* settled(() => undefined)
        assert.isNull(pulling.unsafePoll())
        assert.isNull(writing.unsafePoll())
        yield* client.abort
        yield* fails(Fiber.join(pulling), { reason: "ConnectionReset", operation: "read" })
        yield* fails(Fiber.join(writing), { reason: "ConnectionReset", operation: "write" })
      })
    )

    test(
      "aborts a quiet connection with a reset where there are resets, not an end",
      Effect.gen(function* () {
        const { client, server } = yield* connected(endpoint)
        const pulling = yield* Effect.fork(server.pull)
        yield* settled(() => undefined)
        yield* client.abort
        if (under.resets) yield* fails(Fiber.join(pulling), { reason: "ConnectionReset", operation: "read" })
        else assertNone(yield* Fiber.join(pulling))
      })
    )

    test(
      "aborts while a writer waits",
      Effect.gen(function* () {
        const { client } = yield* connected(endpoint)
        const writing = yield* Effect.fork(client.write(pattern(0, under.inFlight + 1)))
        yield* settled(() => undefined)
        yield* client.abort
        yield* fails(Fiber.join(writing), { reason: "Closed", operation: "write" })
      })
    )

    test(
      "accepts concurrent connections, each once",
      Effect.gen(function* () {
        const transport = yield* Transport
        const listener = yield* transport.listen(yield* endpoint)
        const serve = Effect.scoped(
          Effect.gen(function* () {
            const duplex = yield* listener.accept
            const id = yield* pullAll(duplex)
            yield* duplex.end(id)
          })
        )
        const serving = yield* Effect.fork(
          Effect.all(
            Array.from({ length: 40 }, () => serve),
            { concurrency: 5 }
          )
        )
        const ask = (id: number) =>
          Effect.scoped(
            Effect.gen(function* () {
              const duplex = yield* transport.connect(listener.address)
              yield* duplex.end(text(`${id}`))
              assert.deepStrictEqual(yield* pullAll(duplex), text(`${id}`))
            })
          )
        yield* Effect.all(
          Array.from({ length: 40 }, (_, id) => ask(id)),
          { concurrency: "unbounded" }
        )
        yield* Fiber.join(serving)
      })
    )

    test(
      "accepts in the order of connecting, and loses no connection to interruption",
      Effect.gen(function* () {
        const transport = yield* Transport
        const listener = yield* transport.listen(yield* endpoint)
        const next = random(7)
        const accepted: Array<Duplex> = []
        let interrupted = 0
        const accept = Effect.uninterruptible(Effect.map(listener.accept, (duplex) => void accepted.push(duplex)))
        const clients = yield* Effect.fork(
          Effect.forEach(
            Array.from({ length: 30 }, (_, id) => id),
            (id) => Effect.flatMap(transport.connect(listener.address), (duplex) => duplex.end(Uint8Array.of(id)))
          )
        )
        while (accepted.length < 30) {
          const accepting = yield* Effect.forkIn(accept, yield* Effect.scope)
          for (let i = next(4); i > 0; i--) yield* next(2) === 0 ? turn : Effect.yieldNow()
          if (Exit.isInterrupted(yield* Fiber.interrupt(accepting))) interrupted++
        }
        yield* Fiber.join(clients)
        const ids = yield* Effect.forEach(accepted, pullAll)
        assert.deepStrictEqual(
          [...concat(ids)],
          Array.from({ length: 30 }, (_, id) => id)
        )
        assert.isTrue(interrupted > 0, "no accept was interrupted")
        yield* Effect.forEach(accepted, (duplex) => duplex.end())
      })
    )

    test(
      "refuses where nobody listens",
      Effect.gen(function* () {
        const transport = yield* Transport
        const { close, value } = yield* owned(Effect.flatMap(endpoint, transport.listen))
        yield* close
        const error = yield* fails(Effect.scoped(transport.connect(value.address)), {
          reason: "ConnectionRefused",
          operation: "connect"
        })
        assert.strictEqual(error.phase, "dial")
        assert.isTrue(error.isRetryable)
        assert.include(error.message, value.address.toString())
      })
    )

    test(
      "says that an address is in use, until its listener's Scope closes",
      Effect.gen(function* () {
        const transport = yield* Transport
        const { close, value } = yield* owned(Effect.flatMap(endpoint, transport.listen))
        const error = yield* fails(Effect.scoped(transport.listen(value.address)), {
          reason: "AddressInUse",
          operation: "listen"
        })
        assert.strictEqual(error.phase, "listen")
        assert.isFalse(error.isRetryable)
        assert.include(error.message, value.address.toString())
        yield* close
        const again = yield* transport.listen(value.address)
        assert.deepStrictEqual(again.address, value.address)
        const client = yield* transport.connect(value.address)
        const server = yield* again.accept
        yield* client.end(text("hello"))
        assert.deepStrictEqual(yield* pullAll(server), text("hello"))
        yield* server.end()
      })
    )

    test(
      "closes a listener: accept fails, connections that nobody accepted are dropped, others live on",
      Effect.gen(function* () {
        const transport = yield* Transport
        const { close, value: listener } = yield* owned(Effect.flatMap(endpoint, transport.listen))
        const living = yield* transport.connect(listener.address)
        const server = yield* listener.accept
        const unaccepted = yield* transport.connect(listener.address)
        yield* settled(() => undefined)
        yield* close
        yield* fails(Effect.scoped(listener.accept), { reason: "Closed", operation: "accept" })
        if (under.resets) yield* fails(unaccepted.pull, { reason: "ConnectionReset", operation: "read" })
        else assertNone(yield* unaccepted.pull)
        yield* living.end(text("still here"))
        assert.deepStrictEqual(yield* pullAll(server), text("still here"))
        yield* server.end()
      })
    )

    test(
      "fails an accept that waits when the listener closes",
      Effect.gen(function* () {
        const transport = yield* Transport
        const { close, value: listener } = yield* owned(Effect.flatMap(endpoint, transport.listen))
        const waiting = yield* Effect.fork(Effect.scoped(listener.accept))
        yield* settled(() => undefined)
        yield* close
        yield* fails(Fiber.join(waiting), { reason: "Closed", operation: "accept" })
      })
    )

    test(
      "knows the addresses",
      Effect.gen(function* () {
        const { client, listener, server } = yield* connected(endpoint)
        assertSome(client.remoteAddress, listener.address)
        assertSome(server.localAddress, listener.address)
        assert.strictEqual(Option.isSome(server.remoteAddress), Option.isSome(client.localAddress))
        assert.deepStrictEqual(server.remoteAddress, client.localAddress)
        assert.strictEqual(Option.isSome(client.localAddress), listener.address._tag === "TcpEndpoint")
      })
    )
  })
}
