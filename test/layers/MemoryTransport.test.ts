import { assert, describe, it } from "@effect/vitest"
import { assertNone } from "@effect/vitest/utils"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as MemoryTransport from "../../src/layers/MemoryTransport.ts"
import { tcp, unix } from "../../src/schema/Endpoint.ts"
import { concat, fails, pattern, pullAll, pullExactly, settled, text, transportSuite } from "./transportSuite.ts"

// One chunk of the suite's may cross the mark.
const inFlight = 65536 + 65536

transportSuite("MemoryTransport", {
  layer: MemoryTransport.layer,
  endpoint: Effect.succeed(tcp("127.0.0.1", 0)),
  live: false,
  inFlight,
  resets: true
})

describe("MemoryTransport", () => {
  it.scoped("passes chunks on without a copy, and none of them twice", () =>
    Effect.gen(function* () {
      const [client, server] = yield* MemoryTransport.pair()
      const chunk = text("the same")
      yield* client.write(chunk)
      assert.strictEqual(Option.getOrThrow(yield* server.pull), chunk)
      yield* client.end()
      assertNone(yield* server.pull)
    })
  )

  it.scoped("splits what is pulled", () =>
    Effect.gen(function* () {
      for (const maxChunk of [1, 3, 7]) {
        const [client, server] = yield* MemoryTransport.pair({ maxChunk })
        const bytes = pattern(0, 100)
        yield* client.write(bytes.subarray(0, 60))
        yield* client.end(bytes.subarray(60))
        const chunks: Array<Uint8Array> = []
        for (let chunk = yield* server.pull; Option.isSome(chunk); chunk = yield* server.pull) chunks.push(chunk.value)
        assert.isTrue(chunks.every((chunk) => chunk.length > 0 && chunk.length <= maxChunk))
        assert.deepStrictEqual(concat(chunks), bytes)
      }
    })
  )

  it.scoped("makes a writer wait from the capacity on, and wakes it when there is room", () =>
    Effect.gen(function* () {
      const [client, server] = yield* MemoryTransport.pair({ capacity: 10 })
      yield* client.write(pattern(0, 9))
      const writing = yield* Effect.fork(client.write(pattern(9, 10)))
      yield* settled(() => undefined)
      assert.isNull(writing.unsafePoll())
      yield* server.pull
      yield* settled(() => undefined)
      assert.isNull(writing.unsafePoll())
      yield* server.pull
      yield* Fiber.join(writing)
    })
  )

  it.scoped("takes a bounded amount from the peer of a closed end, then resets it", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Effect.scoped(MemoryTransport.pair())
      yield* fails(client.pull, { reason: "Closed", operation: "read" })
      yield* fails(server.write(text("x")), { reason: "Closed", operation: "write" })

      const transport = MemoryTransport.make()
      const listener = yield* transport.listen(tcp("localhost", 0))
      const left = yield* transport.connect(listener.address)
      const waiting = yield* Effect.fork(left.write(pattern(0, 100_000)))
      yield* settled(() => undefined)
      assert.isNull(waiting.unsafePoll())
      yield* Effect.scoped(listener.accept)
      yield* Fiber.join(waiting)
      assertNone(yield* left.pull)
      yield* left.write(text("nobody reads this"))
      yield* fails(Effect.forever(left.write(new Uint8Array(65536))), { reason: "ConnectionReset", operation: "write" })
      // The end came before the reset.
      assertNone(yield* left.pull)
    })
  )

  it.scoped("lets a transform say what arrives", () =>
    Effect.gen(function* () {
      const [client, server] = yield* MemoryTransport.pair({
        transform: (direction, chunk) =>
          direction === "toClient"
            ? [chunk]
            : chunk[0] === 0
              ? []
              : chunk[0] === 1
                ? [chunk, chunk]
                : [chunk.subarray(1), new Uint8Array(0), chunk.subarray(0, 1)]
      })
      yield* client.write(Uint8Array.of(0, 9))
      yield* client.write(Uint8Array.of(1, 9))
      yield* client.end(Uint8Array.of(2, 9))
      assert.deepStrictEqual(yield* pullAll(server), Uint8Array.of(1, 9, 1, 9, 9, 2))
      yield* server.end(Uint8Array.of(0, 1, 2))
      assert.deepStrictEqual(yield* pullAll(client), Uint8Array.of(0, 1, 2))
    })
  )

  for (const after of [0, 4, 5, 9]) {
    it.scoped(`cuts a direction after ${after} bytes with an end that the writer does not notice`, () =>
      Effect.gen(function* () {
        const [client, server] = yield* MemoryTransport.pair({ cut: { direction: "toServer", after, as: "end" } })
        for (let i = 0; i < 4; i++) yield* client.write(pattern(i * 5, 5))
        assert.deepStrictEqual(yield* pullAll(server), pattern(0, after))
        yield* server.end(text("answer"))
        assert.deepStrictEqual(yield* pullAll(client), text("answer"))
      })
    )
  }

  it.scoped("cuts with a reset that both sides notice", () =>
    Effect.gen(function* () {
      const [client, server] = yield* MemoryTransport.pair({ cut: { direction: "toClient", after: 7, as: "reset" } })
      yield* client.write(text("question"))
      const waiting = yield* Effect.fork(client.pull)
      yield* server.write(pattern(0, 5))
      yield* Fiber.join(waiting)
      yield* server.write(pattern(5, 5))
      assert.deepStrictEqual(yield* pullExactly(client, 2), pattern(5, 2))
      yield* fails(client.pull, { reason: "ConnectionReset", operation: "read" })
      yield* fails(client.write(text("x")), { reason: "ConnectionReset", operation: "write" })
      yield* fails(server.write(text("x")), { reason: "ConnectionReset", operation: "write" })
      assert.deepStrictEqual(yield* pullExactly(server, 8), text("question"))
      yield* fails(server.pull, { reason: "ConnectionReset", operation: "read" })
    })
  )

  it.scoped("does not turn an end into a reset", () =>
    Effect.gen(function* () {
      const [client, server] = yield* MemoryTransport.pair()
      yield* client.end(text("all of it"))
      yield* client.abort
      assert.deepStrictEqual(yield* pullAll(server), text("all of it"))
      yield* fails(server.write(text("x")), { reason: "ConnectionReset", operation: "write" })
    })
  )

  it.scoped("takes the names of the loopback address for one, and listens at every host", () =>
    Effect.gen(function* () {
      const transport = MemoryTransport.make()
      const local = yield* transport.listen(tcp("localhost", 443))
      yield* transport.connect(tcp("127.0.0.1", 443))
      yield* transport.connect(tcp("::1", 443))
      const everywhere = yield* transport.listen(tcp("::", 80))
      yield* transport.connect(tcp("example.org", 80))
      yield* fails(transport.connect(tcp("example.org", 443)), { reason: "ConnectionRefused", operation: "connect" })
      yield* fails(transport.connect(unix("localhost:443")), { reason: "ConnectionRefused", operation: "connect" })
      yield* Effect.all([local.accept, local.accept, everywhere.accept])
    })
  )

  it.scoped("connects by path", () =>
    Effect.gen(function* () {
      const transport = MemoryTransport.make()
      const listener = yield* transport.listen(unix("/run/service"))
      const client = yield* transport.connect(listener.address)
      const server = yield* listener.accept
      yield* client.end(text("hello"))
      assert.deepStrictEqual(yield* pullAll(server), text("hello"))
      assertNone(client.localAddress)
    })
  )

  it.scoped("refuses connections beyond 512 that nobody accepts", () =>
    Effect.gen(function* () {
      const transport = MemoryTransport.make()
      const listener = yield* transport.listen(tcp("localhost", 0))
      const connect = transport.connect(listener.address)
      for (let i = 0; i < 512; i++) yield* connect
      const error = yield* fails(connect, { reason: "ConnectionRefused", operation: "connect" })
      assert.include(error.message, "too many")
      yield* listener.accept
      yield* connect
    })
  )

  it.scoped("keeps networks apart, and gives free ports", () =>
    Effect.gen(function* () {
      const transport = MemoryTransport.make()
      const listeners = yield* Effect.all(Array.from({ length: 5 }, () => transport.listen(tcp("localhost", 0))))
      const addresses = new Set(listeners.map(({ address }) => address.toString()))
      assert.strictEqual(addresses.size, 5)
      yield* fails(MemoryTransport.make().connect(listeners[0]!.address), {
        reason: "ConnectionRefused",
        operation: "connect"
      })
    })
  )
})
