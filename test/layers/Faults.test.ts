import { assert, describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TlsClient from "../../src/core/TlsClient.ts"
import * as TlsServer from "../../src/core/TlsServer.ts"
import * as Faults from "../../src/layers/Faults.ts"
import * as MemoryTransport from "../../src/layers/MemoryTransport.ts"
import { tcp } from "../../src/schema/Endpoint.ts"
import * as harness from "../support/harness.ts"

type Options = MemoryTransport.MemoryTransportOptions

/** What the server pulls, chunk by chunk, when the client writes these words and ends. */
const carried = (options: Options, words: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const [client, server] = yield* MemoryTransport.pair(options)
    for (const word of words) yield* client.write(harness.bytes(word))
    yield* client.end()
    const pulled: Array<string> = []
    for (let chunk = yield* server.pull; Option.isSome(chunk); chunk = yield* server.pull) {
      pulled.push(harness.text([chunk.value]))
    }
    return pulled
  })

const words = ["ab", "cd", "ef", "gh"]

const raw: ReadonlyArray<readonly [name: string, options: Options, expected: ReadonlyArray<string>]> = [
  ["none", { faults: Faults.none }, words],
  ["split by one", { faults: Faults.split(1) }, [..."abcdefgh"]],
  ["split by more than there is", { faults: Faults.split(3) }, words],
  ["drop", { faults: Faults.drop(1) }, ["ab", "ef", "gh"]],
  ["drop by what is in it", { faults: Faults.drop(({ bytes }) => bytes[0]! > 0x62) }, ["ab"]],
  [
    "drop by number and direction",
    { faults: Faults.drop((c) => c.direction === "toServer" && c.index > 1) },
    ["ab", "cd"]
  ],
  ["duplicate", { faults: Faults.duplicate(2) }, ["ab", "cd", "ef", "ef", "gh"]],
  ["reorder", { faults: Faults.reorder(1) }, ["ab", "ef", "cd", "gh"]],
  ["reorder of the last, which comes with the end", { faults: Faults.reorder(3) }, words],
  ["reorder of two neighbours", { faults: Faults.reorder(({ index }) => index < 2) }, ["ef", "ab", "cd", "gh"]],
  ["delay", { faults: Faults.delay(0, 2) }, ["cd", "ef", "ab", "gh"]],
  ["delay beyond the end", { faults: Faults.delay(0, 9) }, ["cd", "ef", "gh", "ab"]],
  ["flip", { faults: Faults.flip({ direction: "toServer", offset: 3, mask: 0x20 }) }, ["ab", "cD", "ef", "gh"]],
  ["flip of the lowest bit", { faults: Faults.flip({ direction: "toServer", offset: 0 }) }, ["`b", "cd", "ef", "gh"]],
  ["flip beyond the end", { faults: Faults.flip({ direction: "toServer", offset: 8 }) }, words],
  ["flip the other way", { faults: Faults.flip({ direction: "toClient", offset: 3 }) }, words],
  ["only the other way", { faults: Faults.only("toClient", Faults.drop(1)) }, words],
  ["only this way", { faults: Faults.only("toServer", Faults.drop(1)) }, ["ab", "ef", "gh"]],
  ["all of none", { faults: Faults.all() }, words],
  [
    "all, in their order",
    { faults: Faults.all(Faults.split(1), Faults.drop(1), Faults.duplicate(1)) },
    [..."accdefgh"]
  ],
  [
    "all, with what is held to the end",
    { faults: Faults.all(Faults.reorder(3), Faults.delay(0, 9), Faults.split(1)) },
    [..."cdefghab"]
  ],
  [
    "faults after transform",
    { transform: (_, chunk) => [chunk, chunk], faults: Faults.drop(1) },
    ["ab", ...words.slice(1).flatMap((w) => [w, w])]
  ],
  ["faults before cut", { faults: Faults.drop(0), cut: { direction: "toServer", after: 3, as: "end" } }, ["cd", "e"]]
]

describe("Faults on bytes", () => {
  for (const [name, options, expected] of raw) {
    it.scoped(name, () => Effect.map(carried(options, words), (pulled) => assert.deepStrictEqual(pulled, expected)))
  }

  it.scoped("split by sizes, anew with each chunk", () =>
    Effect.map(carried({ faults: Faults.split([1, 3]) }, ["abcdefg", "hij"]), (pulled) =>
      assert.deepStrictEqual(pulled, ["a", "bcd", "efg", "h", "ij"])
    )
  )

  it.scoped("leave alone what was written", () =>
    Effect.gen(function* () {
      const [client, server] = yield* MemoryTransport.pair({
        faults: Faults.flip({ direction: "toServer", offset: 0, mask: 0xff })
      })
      const bytes = Uint8Array.of(1, 2)
      yield* client.write(bytes)
      assert.deepStrictEqual(Option.getOrThrow(yield* server.pull), Uint8Array.of(0xfe, 2))
      assert.deepStrictEqual(bytes, Uint8Array.of(1, 2))
    })
  )

  it.scoped("count anew in each direction and each connection of a network", () =>
    Effect.gen(function* () {
      const network = MemoryTransport.make({ faults: Faults.all(Faults.drop(0), Faults.reorder(0)) })
      const listener = yield* network.listen(tcp("localhost", 0))
      const connections = []
      for (let i = 0; i < 2; i++) {
        connections.push([yield* network.connect(listener.address), yield* listener.accept] as const)
      }
      for (const [client, server] of connections) {
        for (const [from, to] of [
          [client, server],
          [server, client]
        ] as const) {
          for (const word of words) yield* from.write(harness.bytes(word))
          const pulled = [yield* to.pull, yield* to.pull, yield* to.pull].map((chunk) =>
            harness.text(Option.toArray(chunk))
          )
          assert.deepStrictEqual(pulled, ["ef", "cd", "gh"])
        }
      }
    })
  )

  it.scoped("a close releases what is held, an abort does not", () =>
    Effect.gen(function* () {
      const network = MemoryTransport.make({ faults: Faults.reorder(0) })
      const listener = yield* network.listen(tcp("localhost", 0))
      const left = (how: "close" | "abort") =>
        Effect.gen(function* () {
          const client = yield* network.connect(listener.address)
          yield* client.write(harness.bytes("ab"))
          if (how === "abort") yield* client.abort
        }).pipe(Effect.scoped, Effect.zipRight(listener.accept))
      const closed = yield* left("close")
      assert.strictEqual(harness.text(Option.toArray(yield* closed.pull)), "ab")
      assert.isTrue(Option.isNone(yield* closed.pull))
      const aborted = yield* left("abort")
      assert.strictEqual((yield* Effect.flip(aborted.pull)).reason, "ConnectionReset")
    })
  )

  it("refuse sizes and numbers that make no sense", () => {
    for (const make of [
      () => Faults.split(0),
      () => Faults.split([1, -1]),
      () => Faults.split(1.5),
      () => Faults.delay(0, 0),
      () => Faults.flip({ direction: "toClient", offset: -1 })
    ]) {
      assert.throws(make, RangeError)
    }
  })
})

/** What a server of ours reads from a client of ours that writes three times and ends, and how its reading ends. */
const conversation = (options: Options) =>
  Effect.gen(function* () {
    const [clientEnd, serverEnd] = yield* MemoryTransport.pair(options)
    const accepting = yield* Effect.fork(TlsServer.over(serverEnd, { context: yield* harness.serverContext() }))
    const client = yield* TlsClient.over(clientEnd, { context: yield* harness.context() })
    const server = yield* Fiber.join(accepting)
    for (const word of ["one ", "two ", "three"]) yield* client.write(harness.bytes(word))
    yield* Effect.ignore(client.end)
    yield* Effect.ignore(clientEnd.end())
    const parts: Array<Uint8Array> = []
    for (;;) {
      const pulled = yield* Effect.either(server.pull)
      if (Either.isRight(pulled)) parts.push(...Chunk.toReadonlyArray(pulled.right))
      else {
        return {
          data: harness.text(parts),
          end: Option.match(pulled.left, { onNone: () => "close_notify", onSome: (e) => `${e._tag}/${e.reason}` })
        }
      }
    }
  })

describe("Faults on protected records", () => {
  const everything = { data: "one two three", end: "close_notify" }
  const bad = (data: string) => ({ data, end: "HandshakeError/BadRecord" })

  /** What the client writes before its data: as long in every run. */
  const before = Effect.gen(function* () {
    const written = { chunks: 0, bytes: 0 }
    yield* harness.connected({
      transport: {
        transform: (direction, chunk) => {
          if (direction === "toServer") {
            written.chunks++
            written.bytes += chunk.length
          }
          return [chunk]
        }
      }
    })
    return { ...written }
  }).pipe(Effect.scoped)

  const ends = (
    name: string,
    fault: (start: { readonly chunks: number; readonly bytes: number }) => MemoryTransport.Fault,
    expected: { readonly data: string; readonly end: string }
  ) =>
    it.scoped(name, () =>
      Effect.gen(function* () {
        const faults = Faults.only("toServer", fault(yield* before))
        assert.deepStrictEqual(yield* conversation({ faults }), expected)
      }).pipe(Effect.provide(harness.layer))
    )

  ends("none", () => Faults.none, everything)
  for (const size of [1, 2, 5, 100]) ends(`split by ${size} changes nothing`, () => Faults.split(size), everything)
  ends("split by sizes changes nothing", () => Faults.split([5, 1, 7]), everything)
  ends("drop of the first", ({ chunks }) => Faults.drop(chunks), bad(""))
  ends("drop of the second", ({ chunks }) => Faults.drop(chunks + 1), bad("one "))
  ends("drop of the close_notify", ({ chunks }) => Faults.drop(chunks + 3), {
    data: "one two three",
    end: "TruncationError/MissingCloseNotify"
  })
  ends("drop of all from the second on", ({ chunks }) => Faults.drop(({ index }) => index > chunks), {
    data: "one ",
    end: "TruncationError/MissingCloseNotify"
  })
  ends("duplicate", ({ chunks }) => Faults.duplicate(chunks + 1), bad("one two "))
  ends("reorder", ({ chunks }) => Faults.reorder(chunks + 1), bad("one "))
  ends("delay", ({ chunks }) => Faults.delay(chunks, 2), bad(""))
  ends("flip in the header's length", ({ bytes }) => Faults.flip({ direction: "toServer", offset: bytes + 4 }), bad(""))
  ends("flip in the ciphertext", ({ bytes }) => Faults.flip({ direction: "toServer", offset: bytes + 5 }), bad(""))
})
