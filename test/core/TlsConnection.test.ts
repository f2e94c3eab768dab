/** The open connection: against scripts that are right and wrong, and two of ours against each other. */
import { assert, describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import { RecordProtection } from "../../src/core/RecordProtection.ts"
import type { SecureContextOptions } from "../../src/core/SecureContextOptions.ts"
import * as TlsClient from "../../src/core/TlsClient.ts"
import type { TlsConnection } from "../../src/core/TlsConnection.ts"
import * as TlsServer from "../../src/core/TlsServer.ts"
import type { Transport } from "../../src/core/Transport.ts"
import type { MemoryTransportOptions } from "../../src/layers/MemoryTransport.ts"
import * as MemoryTransport from "../../src/layers/MemoryTransport.ts"
import { concat } from "../../src/schema/Bytes.ts"
import * as ContentType from "../../src/schema/ContentType.ts"
import type { HandshakeMessage } from "../../src/schema/HandshakeMessage.ts"
import { encode } from "../../src/schema/HandshakeMessage.ts"
import type { TlsError } from "../../src/schema/TlsError.ts"
import { strangers, unknown } from "../support/edits.ts"
import * as harness from "../support/harness.ts"
import { crypto } from "../support/identities.ts"
import { ScriptedPeer } from "../support/ScriptedPeer.ts"
import * as scripted from "../support/ScriptedPeer.ts"
import type { ClientScript, Finished, ServerScript } from "../support/scripts.ts"
import * as scripts from "../support/scripts.ts"

type Role = "client" | "server"

type Needs = CryptoProvider | Transport | Scope.Scope

/** A test of a connection in either role. */
const both = (name: string, body: (role: Role) => Effect.Effect<unknown, unknown, Needs>) => {
  for (const role of ["client", "server"] as const) {
    it.scoped(`${name} (${role})`, () => Effect.provide(body(role), harness.layer))
  }
}

const one = (name: string, body: () => Effect.Effect<unknown, unknown, Needs>) => {
  it.scoped(name, () => Effect.provide(body(), harness.layer))
}

interface Subject {
  /** The connection under test. */
  readonly connection: TlsConnection
  readonly peer: ScriptedPeer
  readonly secrets: Finished
  /** Closes the connection's Scope. */
  readonly close: Effect.Effect<void>
  /** How many finalizers its Scope has: a fiber forked in it adds one until it ends. */
  readonly finalizers: () => number
}

/** A connection of ours in that role whose peer is a script. */
const open = (
  role: Role,
  options: SecureContextOptions = {},
  transport: MemoryTransportOptions = {},
  script: ServerScript & ClientScript = {}
) =>
  Effect.gen(function* () {
    const [near, far] = yield* MemoryTransport.pair(transport)
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer((exit) => Scope.close(scope, exit))
    const peer = new ScriptedPeer(role === "client" ? "server" : "client", role === "client" ? far : near)
    const opening =
      role === "client"
        ? TlsClient.over(near, { context: yield* harness.context(options) })
        : TlsServer.over(far, { context: yield* harness.serverContext(options) })
    const fiber = yield* Effect.fork(Scope.extend(opening, scope))
    const play: Effect.Effect<Finished, scripted.Ending> =
      role === "client" ? scripts.playServer(peer, script) : scripts.playClient(peer, script)
    const secrets = yield* play
    const connection = yield* Fiber.join(fiber)
    const finalizers = () =>
      (scope as unknown as { readonly state: { readonly finalizers: ReadonlyMap<unknown, unknown> } }).state.finalizers
        .size
    return { connection, peer, secrets, close: Scope.close(scope, Exit.void), finalizers } satisfies Subject as Subject
  })

/** How reading ended: by close_notify, or with an error. */
const endOf = (error: Option.Option<TlsError>): string =>
  Option.match(error, { onNone: () => "close_notify", onSome: harness.label })

/** Reads to the end. */
const readAll = (connection: TlsConnection): Effect.Effect<{ readonly data: string; readonly end: string }> =>
  Effect.gen(function* () {
    const parts: Array<Uint8Array> = []
    for (;;) {
      const pulled = yield* Effect.either(connection.pull)
      if (Either.isLeft(pulled)) return { data: harness.text(parts), end: endOf(pulled.left) }
      // What is pulled is never nothing.
      assert(Chunk.isNonEmpty(pulled.right) && Chunk.every(pulled.right, (bytes) => bytes.length > 0))
      parts.push(...pulled.right)
    }
  })

/** Reads so many bytes, as text. */
const read = (connection: TlsConnection, length: number): Effect.Effect<string, unknown> =>
  Effect.gen(function* () {
    const parts: Array<Uint8Array> = []
    while (concat(parts).length < length) parts.push(...(yield* connection.pull))
    return harness.text(parts)
  })

const failureOf = <A>(effect: Effect.Effect<A, TlsError>): Effect.Effect<string> =>
  Effect.map(Effect.either(effect), (either) => (Either.isLeft(either) ? harness.label(either.left) : "success"))

const message = (content: HandshakeMessage) => (peer: ScriptedPeer) =>
  peer.record(ContentType.handshake, encode(content))
const keyUpdate = (request: number) => message({ _tag: "KeyUpdate", request })
const ticket: HandshakeMessage = {
  _tag: "NewSessionTicket",
  lifetime: 7200,
  ageAdd: 1,
  nonce: Uint8Array.of(0),
  ticket: new Uint8Array(100),
  extensions: [{ _tag: "EarlyDataLimit", maxEarlyDataSize: 1 }, unknown(0x5a5a)]
}

/** The peer changes the keys it writes with. */
const updated = ({ peer, secrets }: Subject, request: number, generation = 1): Uint8Array => {
  const record = keyUpdate(request)(peer)
  let secret = secrets.write
  for (let i = 0; i < generation; i++) secret = secrets.schedule.update(secret)
  peer.protectWrite(secrets.schedule, secret)
  return record
}

/** Reads a KeyUpdate of the connection's, and changes the keys the peer reads with. */
const expectUpdate = ({ peer, secrets }: Subject, generation = 1) =>
  Effect.gen(function* () {
    const { request } = yield* peer.expect("KeyUpdate")
    let secret = secrets.read
    for (let i = 0; i < generation; i++) secret = secrets.schedule.update(secret)
    peer.protectRead(secrets.schedule, secret)
    return request
  })

// ---------------------------------------------------------------------------------------------------------------------
// Data
// ---------------------------------------------------------------------------------------------------------------------

describe("data", () => {
  both("goes both ways", (role) =>
    Effect.gen(function* () {
      const { connection, peer } = yield* open(role)
      yield* connection.write(harness.bytes("hello"))
      assert.strictEqual(yield* peer.text, "hello")
      yield* peer.bytes(peer.data("wel"), peer.data("come"))
      assert.strictEqual(yield* read(connection, 7), "welcome")
    })
  )

  both("that comes with the peer's Finished is not lost", (role) =>
    Effect.gen(function* () {
      const { connection } = yield* open(role, {}, {}, { afterFlight: (peer) => peer.data("early bird") })
      assert.strictEqual(yield* read(connection, 10), "early bird")
    })
  )

  both("is one record for a small write, and none for an empty one", (role) =>
    Effect.gen(function* () {
      const { connection, peer } = yield* open(role)
      yield* connection.write(new Uint8Array(0))
      yield* connection.write(harness.bytes("a"))
      yield* connection.write(new Uint8Array(0))
      yield* connection.write(harness.bytes("b"))
      const records = [yield* peer.nextRecord, yield* peer.nextRecord]
      assert.deepStrictEqual(
        records.map(({ fragment }) => harness.text([fragment])),
        ["a", "b"]
      )
    })
  )

  both("is cut into records of maxFragment, also past the batches a write is made of", (role) =>
    Effect.gen(function* () {
      const { connection, peer } = yield* open(role, { protocol: { maxFragment: 1000 } }, { capacity: 1e7 })
      const data = Uint8Array.from({ length: 200_001 }, (_, i) => i * 31)
      yield* connection.write(data)
      const parts: Array<Uint8Array> = []
      while (concat(parts).length < data.length) {
        const record = yield* peer.nextRecord
        assert.strictEqual(record.type, ContentType.applicationData)
        parts.push(record.fragment)
      }
      assert.isAtMost(Math.max(...parts.map(({ length }) => length)), 1000)
      assert.isBelow(parts.length, 210)
      assert.deepStrictEqual(concat(parts), data)
    })
  )

  both("is padded as said", (role) =>
    Effect.gen(function* () {
      const { connection, peer } = yield* open(role, { protocol: { recordPadding: 256 } })
      const lengths: Array<number> = []
      for (const length of [1, 254, 255, 256, 16_384]) {
        yield* connection.write(new Uint8Array(length).fill(7))
        const record = Option.getOrThrow(yield* peer.duplex.pull)
        lengths.push(record.length - 5 - 16)
        peer.reader.push(record)
        assert.strictEqual((yield* peer.nextRecord).fragment.length, length)
      }
      assert.deepStrictEqual(lengths, [256, 256, 256, 512, 16_385])
    })
  )

  both("in empty records is none", (role) =>
    Effect.gen(function* () {
      const { connection, peer } = yield* open(role)
      yield* peer.bytes(peer.data(""), peer.data("a"), peer.data(""), peer.data(""), peer.data("b"))
      assert.strictEqual(yield* read(connection, 2), "ab")
    })
  )

  both("with padding is data without it", (role) =>
    Effect.gen(function* () {
      const { connection, peer } = yield* open(role)
      yield* peer.bytes(peer.sealed(Uint8Array.of(...harness.bytes("a"), 23, ...new Uint8Array(16_000))))
      yield* peer.bytes(peer.sealed(Uint8Array.of(23, ...new Uint8Array(16_384))))
      yield* peer.bytes(peer.sealed(Uint8Array.of(0, 23)))
      assert.strictEqual(yield* read(connection, 2), "a\0")
    })
  )

  both("arrives byte by byte, too", (role) =>
    Effect.gen(function* () {
      const { connection, peer } = yield* open(role, {}, { maxChunk: 1 })
      yield* peer.bytes(peer.data("hello"), peer.alert("close_notify"))
      assert.deepStrictEqual(yield* readAll(connection), { data: "hello", end: "close_notify" })
    })
  )

  one("as a Stream ends at close_notify, and a Sink writes it", () =>
    Effect.gen(function* () {
      const { client, server } = yield* harness.connected()
      const echo = yield* Effect.fork(Effect.zipRight(Stream.run(server.stream, server.sink), server.end))
      const parts = Array.from({ length: 50 }, (_, i) => harness.bytes(`part ${i}\n`))
      yield* Effect.zipRight(Stream.run(Stream.rechunk(Stream.fromIterable(parts), 7), client.sink), client.end)
      const echoed = yield* Stream.runCollect(client.stream)
      assert.strictEqual(harness.text(echoed), harness.text(parts))
      yield* Fiber.join(echo)
    })
  )

  one("as a Stream fails where the transport ends first", () =>
    Effect.gen(function* () {
      const { connection, peer } = yield* open("client")
      yield* peer.bytes(peer.data("partial"))
      yield* peer.duplex.end()
      const seen: Array<string> = []
      const exit = yield* Effect.exit(
        Stream.runForEach(connection.stream, (bytes) => Effect.sync(() => void seen.push(harness.text([bytes]))))
      )
      assert.deepStrictEqual(seen, ["partial"])
      assert.strictEqual(harness.labelOf(exit), "TruncationError/MissingCloseNotify/connected")
    })
  )
})

// ---------------------------------------------------------------------------------------------------------------------
// The end
// ---------------------------------------------------------------------------------------------------------------------

const closed = "TransportError/Closed/closing"

describe("close_notify", () => {
  both("of the peer's ends reading, for ever, and nothing else", (role) =>
    Effect.gen(function* () {
      const { connection, peer } = yield* open(role)
      yield* peer.bytes(
        peer.data("last"),
        peer.alert("close_notify"),
        peer.data("after"),
        scripted.plain(99, new Uint8Array(9))
      )
      assert.deepStrictEqual(yield* readAll(connection), { data: "last", end: "close_notify" })
      assert.deepStrictEqual(yield* readAll(connection), { data: "", end: "close_notify" })
      yield* connection.write(harness.bytes("still here"))
      assert.strictEqual(yield* peer.text, "still here")
      yield* connection.end
      assert.strictEqual((yield* Effect.flip(peer.text))._tag, "PeerAlert")
    })
  )

  both("of ours ends writing, once, and nothing else", (role) =>
    Effect.gen(function* () {
      const { close, connection, peer } = yield* open(role)
      yield* connection.end
      yield* connection.end
      assert.strictEqual(yield* failureOf(connection.write(harness.bytes("x"))), closed)
      assert.strictEqual(yield* failureOf(connection.updateKeys()), closed)
      yield* connection.write(new Uint8Array(0))
      yield* peer.bytes(peer.data("after"), peer.alert("close_notify"))
      assert.deepStrictEqual(yield* readAll(connection), { data: "after", end: "close_notify" })
      yield* close
      yield* peer.ending
      assert.deepStrictEqual(peer.warnings, ["close_notify"])
    })
  )

  both("is sent when the Scope closes, and the transport is half-closed", (role) =>
    Effect.gen(function* () {
      const { close, connection, peer } = yield* open(role)
      yield* connection.write(harness.bytes("bye"))
      yield* close
      assert.strictEqual(yield* peer.text, "bye")
      yield* peer.ending
      assert.deepStrictEqual(peer.warnings, ["close_notify"])
      assert.isTrue(Option.isNone(yield* peer.duplex.pull))
      assert.strictEqual(yield* failureOf(connection.write(harness.bytes("x"))), closed)
    })
  )

  both("with whatever level is close_notify", (role) =>
    Effect.gen(function* () {
      const { connection, peer } = yield* open(role)
      yield* peer.bytes(peer.alert("close_notify", 2))
      assert.deepStrictEqual(yield* readAll(connection), { data: "", end: "close_notify" })
    })
  )

  both("after user_canceled is close_notify", (role) =>
    Effect.gen(function* () {
      const { connection, peer } = yield* open(role)
      yield* peer.bytes(peer.alert("user_canceled"), peer.alert("close_notify"))
      assert.deepStrictEqual(yield* readAll(connection), { data: "", end: "close_notify" })
    })
  )
})

describe("a transport that ends without close_notify", () => {
  both("truncates, after the data before it", (role) =>
    Effect.gen(function* () {
      const { connection, peer } = yield* open(role)
      yield* peer.bytes(peer.data("partial "), peer.data("data"))
      yield* peer.duplex.end()
      const first = yield* readAll(connection)
      assert.deepStrictEqual(first, { data: "partial data", end: "TruncationError/MissingCloseNotify/connected" })
      const again = Either.flip(yield* Effect.either(connection.pull))
      const error = Option.getOrThrow(Either.getOrThrow(again))
      assert(error._tag === "TruncationError")
      assert.strictEqual(error.bytesReceived, 12)
      // It says nothing about the other direction.
      yield* connection.write(harness.bytes("still here"))
      assert.strictEqual(yield* peer.text, "still here")
    })
  )

  both("truncates within a record, and what is there of it is not given", (role) =>
    Effect.gen(function* () {
      const { connection, peer } = yield* open(role)
      const [whole, never] = [peer.data("whole"), peer.data("never")]
      yield* peer.bytes(whole, never.subarray(0, never.length - 1))
      yield* peer.duplex.end()
      assert.deepStrictEqual(yield* readAll(connection), {
        data: "whole",
        end: "TruncationError/MissingCloseNotify/connected"
      })
    })
  )

  both("by a reset is the transport's error, again and again", (role) =>
    Effect.gen(function* () {
      const { connection, peer } = yield* open(role)
      yield* peer.bytes(peer.data("whole"))
      yield* peer.duplex.abort
      const end = "TransportError/ConnectionReset/connected"
      assert.deepStrictEqual(yield* readAll(connection), { data: "whole", end })
      assert.deepStrictEqual(yield* readAll(connection), { data: "", end })
      assert.strictEqual(yield* failureOf(connection.write(harness.bytes("x"))), end)
    })
  )
})

describe("a fatal alert", () => {
  const alerts: ReadonlyArray<readonly [code: number, level: number, name: string]> = [
    [20, 2, "bad_record_mac"],
    [80, 2, "internal_error"],
    [116, 1, "certificate_required"],
    [99, 1, "alert 99"]
  ]
  for (const [code, level, name] of alerts) {
    both(`is the end of reading and writing: ${name}`, (role) =>
      Effect.gen(function* () {
        const { close, connection, peer } = yield* open(role)
        yield* peer.bytes(peer.data("before"), peer.record(21, Uint8Array.of(level, code)), peer.data("after"))
        const end = `AlertError/${name}/connected`
        assert.deepStrictEqual(yield* readAll(connection), { data: "before", end })
        assert.deepStrictEqual(yield* readAll(connection), { data: "", end })
        assert.strictEqual(yield* failureOf(connection.write(harness.bytes("x"))), end)
        assert.strictEqual(yield* failureOf(connection.end), end)
        assert.strictEqual(yield* failureOf(connection.updateKeys()), end)
        yield* close
        // Nobody answers an alert.
        assert.deepStrictEqual([yield* peer.ending, peer.warnings], ["end", []])
      })
    )
  }
})

// ---------------------------------------------------------------------------------------------------------------------
// What is not allowed
// ---------------------------------------------------------------------------------------------------------------------

describe("on an open connection", () => {
  interface Row {
    readonly name: string
    readonly roles?: ReadonlyArray<Role>
    readonly send: (subject: Subject) => ReadonlyArray<Uint8Array>
    readonly options?: SecureContextOptions
    readonly script?: ServerScript & ClientScript
    readonly reason: string
    readonly alert: string
  }
  const row = (name: string, reason: string, alert: string, send: (peer: ScriptedPeer) => Uint8Array): Row => ({
    name,
    reason,
    alert,
    send: ({ peer }) => [send(peer)]
  })
  const unexpected = (name: string, send: (peer: ScriptedPeer) => Uint8Array) =>
    row(name, "UnexpectedMessage", "unexpected_message", send)
  const times = (count: number, part: (peer: ScriptedPeer) => Uint8Array) => (peer: ScriptedPeer) =>
    concat(Array.from({ length: count }, () => part(peer)))
  const rows: ReadonlyArray<Row> = [
    unexpected("a ChangeCipherSpec", () => scripted.changeCipherSpec),
    unexpected("a protected ChangeCipherSpec", (peer) => peer.record(20, Uint8Array.of(1))),
    unexpected("an alert in the clear", () => scripted.plain(21, scripted.alertBytes("close_notify"))),
    unexpected("a message in the clear", () => scripted.plain(22, encode({ _tag: "KeyUpdate", request: 0 }))),
    unexpected("a record of an unknown type", () => scripted.plain(24, Uint8Array.of(1))),
    unexpected("a protected record of an unknown type", (peer) => peer.record(24, Uint8Array.of(1))),
    unexpected("a protected record without a type", (peer) => peer.sealed(new Uint8Array(20))),
    unexpected("an empty handshake record", (peer) => peer.sealed(Uint8Array.of(22))),
    unexpected("an empty alert", (peer) => peer.sealed(Uint8Array.of(21))),
    ...strangers
      .filter(({ _tag }) => _tag !== "KeyUpdate" && _tag !== "NewSessionTicket")
      .map((stranger) => unexpected(`a ${stranger._tag}`, message(stranger))),
    { ...unexpected("a ticket for a server", message(ticket)), roles: ["server"] },
    unexpected("data in the middle of a message", (peer) =>
      concat([peer.record(22, encode(ticket).subarray(0, 50)), peer.data("x")])
    ),
    unexpected("a message behind a KeyUpdate in its record", (peer) =>
      peer.record(22, concat([encode({ _tag: "KeyUpdate", request: 0 }), encode({ _tag: "KeyUpdate", request: 0 })]))
    ),
    unexpected("the beginning of a message behind a KeyUpdate in its record", (peer) =>
      peer.record(22, concat([encode({ _tag: "KeyUpdate", request: 0 }), Uint8Array.of(4)]))
    ),
    row("a KeyUpdate that asks for more than there is", "IllegalParameter", "illegal_parameter", keyUpdate(2)),
    row("an empty KeyUpdate", "MalformedMessage", "decode_error", (peer) =>
      peer.record(22, Uint8Array.of(24, 0, 0, 0))
    ),
    row("a long KeyUpdate", "MalformedMessage", "decode_error", (peer) =>
      peer.record(22, Uint8Array.of(24, 0, 0, 2, 0, 0))
    ),
    {
      ...row("a malformed ticket", "MalformedMessage", "decode_error", (peer) =>
        peer.record(22, Uint8Array.of(4, 0, 0, 1, 0))
      ),
      roles: ["client"]
    },
    {
      ...row(
        "a ticket with an extension twice",
        "IllegalParameter",
        "illegal_parameter",
        message({ ...ticket, extensions: [unknown(0x1a1a), unknown(0x1a1a)] })
      ),
      roles: ["client"]
    },
    {
      ...row(
        "a ticket with a key share",
        "IllegalParameter",
        "illegal_parameter",
        message({ ...ticket, extensions: [unknown(51)] })
      ),
      roles: ["client"]
    },
    row("a message that is too large", "MessageTooLarge", "illegal_parameter", (peer) =>
      peer.record(22, Uint8Array.of(4, 1, 0, 1))
    ),
    row("an alert of one byte", "MalformedMessage", "decode_error", (peer) => peer.record(21, Uint8Array.of(1))),
    row("two alerts in a record", "MalformedMessage", "decode_error", (peer) =>
      peer.record(21, Uint8Array.of(1, 0, 1, 0))
    ),
    row("a record that nobody sealed", "BadRecord", "bad_record_mac", () => scripted.plain(23, new Uint8Array(40))),
    row("an empty record", "BadRecord", "bad_record_mac", () => scripted.plain(23, new Uint8Array(0))),
    row("a record twice", "BadRecord", "bad_record_mac", (peer) => {
      const record = peer.data("")
      return concat([record, record])
    }),
    row("records in another order", "BadRecord", "bad_record_mac", (peer) => {
      const first = peer.data("")
      return concat([peer.data(""), first])
    }),
    row("a record too long", "RecordOverflow", "record_overflow", () => scripted.plain(23, new Uint8Array(16_641))),
    row("a record with too much in it", "RecordOverflow", "record_overflow", (peer) =>
      peer.sealed(Uint8Array.of(23, ...new Uint8Array(16_385)))
    ),
    {
      name: "data under the keys before a KeyUpdate",
      send: ({ peer }) => [keyUpdate(0)(peer), peer.data("x")],
      reason: "BadRecord",
      alert: "bad_record_mac"
    },
    {
      name: "33 KeyUpdates in a row",
      send: (subject) => Array.from({ length: 33 }, (_, i) => updated(subject, 0, i + 1)),
      reason: "TooManyMessages",
      alert: "unexpected_message"
    },
    {
      name: "33 KeyUpdates with nothing but empty records between",
      send: (subject) =>
        Array.from({ length: 33 }, (_, i) => concat([updated(subject, 0, i + 1), subject.peer.data("")])),
      reason: "TooManyMessages",
      alert: "unexpected_message"
    },
    {
      ...row("33 tickets in a row", "TooManyMessages", "unexpected_message", times(33, message(ticket))),
      roles: ["client"]
    },
    {
      ...row("more tickets than a limit of ours", "TooManyMessages", "unexpected_message", times(3, message(ticket))),
      roles: ["client"],
      options: { protocol: { limits: { consecutivePostHandshake: 2 } } }
    },
    row(
      "33 empty records in a row",
      "TooManyMessages",
      "unexpected_message",
      times(33, (peer) => peer.data(""))
    ),
    {
      ...row(
        "more empty records than a limit of ours",
        "TooManyMessages",
        "unexpected_message",
        times(2, (peer) => peer.data(""))
      ),
      options: { protocol: { limits: { consecutiveEmptyRecords: 1 } } }
    },
    row(
      "five warnings",
      "TooManyMessages",
      "unexpected_message",
      times(5, (peer) => peer.alert("user_canceled"))
    ),
    {
      ...row(
        "more warnings than a limit of ours",
        "TooManyMessages",
        "unexpected_message",
        times(2, (peer) => peer.alert("user_canceled"))
      ),
      options: { protocol: { limits: { warnings: 1 } } }
    },
    {
      ...row("a record past our record size limit", "RecordOverflow", "record_overflow", (peer) =>
        peer.sealed(Uint8Array.of(...new Uint8Array(100), 23))
      ),
      roles: ["server"],
      options: { protocol: { recordSizeLimit: 100 } },
      script: { extensions: [{ _tag: "RecordSizeLimit", limit: 1000 }] }
    },
    {
      ...row("a record past our record size limit", "RecordOverflow", "record_overflow", (peer) =>
        peer.sealed(Uint8Array.of(...new Uint8Array(64), 23))
      ),
      roles: ["client"],
      options: { protocol: { recordSizeLimit: 64 } },
      script: {
        encryptedExtensions: [{ _tag: "RecordSizeLimit", limit: 1000 }],
        frame: (peer, messages) =>
          // Every record of the handshake keeps the limit, too.
          messages.flatMap((bytes) =>
            Array.from({ length: Math.ceil(bytes.length / 63) }, (_, i) =>
              peer.record(22, bytes.subarray(63 * i, 63 * (i + 1)))
            )
          )
      }
    }
  ]
  for (const { alert, name, options, reason, roles = ["client", "server"] as const, script, send } of rows) {
    for (const role of roles) {
      one(`${name} is refused (${role})`, () =>
        Effect.gen(function* () {
          const subject = yield* open(role, options, { capacity: 1e6 }, script)
          const { close, connection, peer } = subject
          yield* peer.bytes(peer.data("before"), ...send(subject))
          const end = `HandshakeError/${reason}/connected`
          assert.deepStrictEqual(yield* readAll(connection), { data: "before", end })
          assert.deepStrictEqual(yield* readAll(connection), { data: "", end })
          assert.strictEqual(yield* failureOf(connection.write(harness.bytes("x"))), end)
          assert.strictEqual(yield* failureOf(connection.end), end)
          yield* peer.ending
          assert.deepStrictEqual(peer.warnings, [alert])
          assert.isTrue(peer.lastWasProtected)
          yield* close
          yield* peer.ending
          assert.deepStrictEqual(peer.warnings, [alert])
        })
      )
    }
  }

  both("what was refused is told to the peer even if nobody reads on", (role) =>
    Effect.gen(function* () {
      const { close, connection, peer } = yield* open(role)
      yield* peer.bytes(peer.data("before"), scripted.plain(24, Uint8Array.of(1)))
      assert.strictEqual(yield* read(connection, 6), "before")
      yield* close
      yield* peer.ending
      assert.deepStrictEqual(peer.warnings, ["unexpected_message"])
    })
  )

  both("up to the limits everything is allowed", (role) =>
    Effect.gen(function* () {
      const subject = yield* open(role, {}, { capacity: 1e6 })
      const { connection, peer } = subject
      const repeat = (count: number, part: (i: number) => Uint8Array) =>
        Array.from({ length: count }, (_, i) => part(i))
      let generation = 0
      for (let round = 0; round < 2; round++) {
        yield* peer.bytes(...repeat(32, () => updated(subject, 0, ++generation)), peer.data("a"))
        yield* peer.bytes(...repeat(32, () => peer.data("")), peer.data("b"))
        if (role === "client") yield* peer.bytes(...repeat(32, () => message(ticket)(peer)), peer.data("c"))
        yield* peer.bytes(...repeat(2, () => peer.alert("user_canceled")), peer.data("d"))
      }
      yield* peer.bytes(peer.alert("close_notify"))
      const once = role === "client" ? "abcd" : "abd"
      assert.deepStrictEqual(yield* readAll(connection), { data: once + once, end: "close_notify" })
    })
  )

  both("messages may be cut over records and share them", (role) =>
    Effect.gen(function* () {
      const { connection, peer, secrets } = yield* open(role)
      const bytes = encode({ _tag: "KeyUpdate", request: 0 })
      for (let generation = 1, secret = secrets.write; generation <= 4; generation++) {
        const parts = [bytes.subarray(0, generation), bytes.subarray(generation)]
        yield* peer.bytes(...parts.map((part) => peer.record(22, part)))
        secret = secrets.schedule.update(secret)
        peer.protectWrite(secrets.schedule, secret)
        yield* peer.bytes(peer.data(String(generation)))
      }
      if (role === "client") {
        const tickets = concat([encode(ticket), encode(ticket), encode(ticket)])
        yield* peer.bytes(peer.record(22, tickets.subarray(0, 200)), peer.record(22, tickets.subarray(200)))
      }
      yield* peer.bytes(peer.alert("close_notify"))
      assert.deepStrictEqual(yield* readAll(connection), { data: "1234", end: "close_notify" })
    })
  )
})

// ---------------------------------------------------------------------------------------------------------------------
// Keys
// ---------------------------------------------------------------------------------------------------------------------

describe("keys", () => {
  both("change when we want, and data goes on", (role) =>
    Effect.gen(function* () {
      const subject = yield* open(role)
      const { connection, peer } = subject
      for (let generation = 1; generation <= 3; generation++) {
        yield* connection.updateKeys()
        yield* connection.write(harness.bytes(`after ${generation}`))
        assert.strictEqual(yield* expectUpdate(subject, generation), 0)
        assert.strictEqual(yield* peer.text, `after ${generation}`)
      }
    })
  )

  both("the peer is asked to change its own, and not again before it did", (role) =>
    Effect.gen(function* () {
      const subject = yield* open(role)
      const { connection, peer } = subject
      yield* connection.updateKeys({ requestPeer: true })
      yield* connection.updateKeys({ requestPeer: true })
      assert.deepStrictEqual([yield* expectUpdate(subject, 1), yield* expectUpdate(subject, 2)], [1, 0])
      yield* peer.bytes(updated(subject, 0), peer.data("done"))
      assert.strictEqual(yield* read(connection, 4), "done")
      yield* connection.updateKeys({ requestPeer: true })
      assert.strictEqual(yield* expectUpdate(subject, 3), 1)
    })
  )

  both("change before our next data when the peer asks", (role) =>
    Effect.gen(function* () {
      const subject = yield* open(role)
      const { connection, peer } = subject
      yield* peer.bytes(updated(subject, 1), peer.data("x"))
      assert.strictEqual(yield* read(connection, 1), "x")
      yield* connection.write(harness.bytes("after"))
      assert.strictEqual(yield* expectUpdate(subject), 0)
      assert.strictEqual(yield* peer.text, "after")
    })
  )

  both("change when the peer asks although we have nothing to say", (role) =>
    Effect.gen(function* () {
      const subject = yield* open(role)
      const { connection, peer } = subject
      const reader = yield* Effect.fork(connection.pull)
      yield* peer.bytes(updated(subject, 1))
      assert.strictEqual(yield* expectUpdate(subject), 0)
      yield* peer.bytes(peer.data("x"))
      assert.strictEqual(harness.text(yield* Fiber.join(reader)), "x")
    })
  )

  both("change once when the peer asks several times while we say nothing", (role) =>
    Effect.gen(function* () {
      const subject = yield* open(role)
      const { connection, peer } = subject
      yield* peer.bytes(...Array.from({ length: 20 }, (_, i) => updated(subject, 1, i + 1)), peer.data("x"))
      assert.strictEqual(yield* read(connection, 1), "x")
      yield* connection.write(harness.bytes("after"))
      assert.strictEqual(yield* expectUpdate(subject), 0)
      assert.strictEqual(yield* peer.text, "after")
    })
  )

  one("asked for by both sides at once change on both", () =>
    Effect.gen(function* () {
      const { client, server } = yield* harness.connected()
      for (let i = 0; i < 5; i++) {
        yield* Effect.all([client.updateKeys({ requestPeer: true }), server.updateKeys({ requestPeer: true })], {
          concurrency: "unbounded"
        })
        yield* client.write(harness.bytes(`client ${i}`))
        yield* server.write(harness.bytes(`server ${i}`))
        assert.strictEqual(yield* read(server, 8), `client ${i}`)
        assert.strictEqual(yield* read(client, 8), `server ${i}`)
      }
    })
  )

  both("protect no more records than the limit says", (role) =>
    Effect.gen(function* () {
      const subject = yield* open(
        role,
        { protocol: { limits: { recordsPerKey: 5 }, maxFragment: 100 } },
        { capacity: 1e6 }
      )
      const { connection, peer, secrets } = subject
      const data = Uint8Array.from({ length: 5000 }, (_, i) => i)
      yield* connection.write(data.subarray(0, 3333))
      for (let at = 3333; at < 5000; at++) yield* connection.write(data.subarray(at, at + 1))
      yield* connection.end
      const parts: Array<Uint8Array> = []
      let underThisKey = 0
      let most = 0
      let secret = secrets.read
      for (;;) {
        const record = yield* peer.nextRecord
        most = Math.max(most, ++underThisKey)
        if (record.type === ContentType.applicationData) parts.push(record.fragment)
        else if (record.type === ContentType.alert) break
        else {
          assert.deepStrictEqual(record.fragment, encode({ _tag: "KeyUpdate", request: 0 }))
          secret = secrets.schedule.update(secret)
          peer.protectRead(secrets.schedule, secret)
          underThisKey = 0
        }
      }
      assert.deepStrictEqual(concat(parts), data)
      assert.isAtMost(most, 5)
    })
  )

  both("an answer that is due does not keep the reader waiting for a writer that is blocked", (role) =>
    Effect.gen(function* () {
      const subject = yield* open(role, {}, { capacity: 2000 })
      const { connection, peer } = subject
      const writer = yield* Effect.fork(connection.write(new Uint8Array(10_000).fill(120)))
      yield* Effect.yieldNow()
      let said = ""
      for (let i = 0; i < 50; i++) {
        yield* peer.duplex.write(concat([updated(subject, 1, i + 1), peer.data(`${i},`)]))
        said += `${i},`
        assert.strictEqual(yield* read(connection, `${i},`.length), `${i},`)
      }
      assert.isTrue(Option.isNone(yield* writer.poll))
      yield* Effect.fork(connection.write(harness.bytes("last")))
      let got = ""
      let updates = 0
      while (!got.endsWith("last")) {
        const record = yield* peer.nextRecord
        if (record.type === ContentType.applicationData) got += harness.text([record.fragment])
        else {
          updates++
          peer.protectRead(subject.secrets.schedule, subject.secrets.schedule.update(subject.secrets.read))
        }
      }
      yield* Fiber.join(writer)
      assert.deepStrictEqual([got.length, updates], [10_004, 1])
      assert.isAbove(said.length, 0)
    })
  )

  both("an answer that is due leaves one fiber waiting at most", (role) =>
    Effect.gen(function* () {
      const subject = yield* open(role, {}, { capacity: 2000 })
      const { connection, peer } = subject
      yield* Effect.fork(connection.write(new Uint8Array(10_000)))
      yield* Effect.yieldNow()
      const before = subject.finalizers()
      yield* peer.bytes(updated(subject, 1))
      for (let i = 0; i < 20; i++) {
        yield* peer.bytes(peer.data("x"))
        yield* connection.pull
      }
      assert.isAtMost(subject.finalizers() - before, 1)
    })
  )

  both("are the same for exporting on both sides", (role) =>
    Effect.gen(function* () {
      const { connection, secrets } = yield* open(role)
      const label = "EXPORTER-test"
      const context = Uint8Array.of(1, 2, 3)
      const theirs = (name: string, over: Uint8Array, length: number) =>
        secrets.schedule.exportKeyingMaterial(secrets.exporter, name, over, length)
      for (const length of [1, 32, 100, 8160]) {
        assert.deepStrictEqual(
          yield* connection.exportKeyingMaterial({ label, context, length }),
          theirs(label, context, length)
        )
      }
      const none = yield* connection.exportKeyingMaterial({ label, length: 32 })
      assert.deepStrictEqual(none, theirs(label, new Uint8Array(0), 32))
      assert.notDeepEqual(none, yield* connection.exportKeyingMaterial({ label: "EXPORTER-tesu", length: 32 }))
      // A KeyUpdate changes nothing about it.
      yield* connection.updateKeys()
      assert.deepStrictEqual(yield* connection.exportKeyingMaterial({ label, length: 32 }), none)
      for (const wrong of [-1, 1.5, Number.NaN, 8161, 70_000]) {
        const error = yield* Effect.flip(connection.exportKeyingMaterial({ label, length: wrong }))
        assert.deepStrictEqual([wrong, harness.label(error)], [wrong, "TlsConfigError/InvalidOptions/configuration"])
      }
      for (const wrong of ["x".repeat(250), "Ā", "日本"]) {
        const error = yield* Effect.flip(connection.exportKeyingMaterial({ label: wrong, length: 32 }))
        assert.deepStrictEqual([wrong, harness.label(error)], [wrong, "TlsConfigError/InvalidOptions/configuration"])
      }
    })
  )
})

// ---------------------------------------------------------------------------------------------------------------------
// Concurrency
// ---------------------------------------------------------------------------------------------------------------------

describe("several fibers", () => {
  both("that write do not mix their data", (role) =>
    Effect.gen(function* () {
      const { connection, peer } = yield* open(role, {}, { capacity: 5000 })
      const writes = Array.from({ length: 20 }, (_, i) => new Uint8Array(i % 2 === 0 ? 70_000 : 10).fill(i + 1))
      const writer = yield* Effect.fork(
        Effect.forEach(writes, (bytes) => connection.write(bytes), { concurrency: "unbounded" })
      )
      const total = concat(writes).length
      const seen: Array<number> = []
      for (let length = 0; length < total;) {
        const { fragment } = yield* peer.nextRecord
        length += fragment.length
        for (const byte of fragment) if (seen[seen.length - 1] !== byte) seen.push(byte)
      }
      yield* Fiber.join(writer)
      assert.deepStrictEqual(
        seen,
        writes.map((_, i) => i + 1)
      )
    })
  )

  both("that read share the data and lose nothing", (role) =>
    Effect.gen(function* () {
      const { connection, peer } = yield* open(role)
      const readers = yield* Effect.fork(
        Effect.forEach(Array.from({ length: 10 }), () => connection.pull, { concurrency: "unbounded" })
      )
      for (let i = 0; i < 10; i++) {
        yield* peer.bytes(peer.data(String(i)))
        yield* Effect.yieldNow()
        yield* Effect.yieldNow()
      }
      const got = (yield* Fiber.join(readers)).map((chunk) => harness.text(chunk)).join("")
      assert.strictEqual([...got].sort().join(""), "0123456789")
    })
  )

  both("writing waits for a peer that does not read, and the Scope closes all the same", (role) =>
    Effect.gen(function* () {
      const { close, connection, peer } = yield* open(role, {}, { capacity: 1000 })
      const writer = yield* Effect.fork(connection.write(new Uint8Array(200_000)))
      yield* harness.settle(writer, 2)
      assert.isTrue(Option.isNone(yield* writer.poll))
      const closing = yield* Effect.fork(close)
      assert.isTrue(Option.isSome(yield* harness.settle(closing, 2)))
      // The rest of the write is not sent behind close_notify.
      let received = 0
      const counted: Effect.Effect<void, scripted.Ending> = Effect.flatMap(peer.nextRecord, (record) => {
        if (record.type === ContentType.applicationData) received += record.fragment.length
        return record.type === ContentType.alert ? Effect.void : counted
      })
      yield* counted
      assert.strictEqual(yield* failureOf(Fiber.join(writer)), closed)
      assert.isBelow(received, 200_000)
      assert.strictEqual(yield* peer.ending, "end")
    })
  )
})

describe("whatever happens in whatever order", () => {
  /** A write that says which it is and how long, so that the reader can tell whether it is whole. */
  const numbered = (id: number, length: number): Uint8Array => {
    const bytes = new Uint8Array(8 + length).fill(id)
    new DataView(bytes.buffer).setUint32(0, id)
    new DataView(bytes.buffer).setUint32(4, length)
    return bytes
  }

  /** The numbers of the writes that arrived, each of which must be whole. */
  const arrived = (bytes: Uint8Array): ReadonlyArray<number> => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const ids: Array<number> = []
    for (let at = 0; at < bytes.length;) {
      const id = view.getUint32(at)
      const length = view.getUint32(at + 4)
      assert.deepStrictEqual(bytes.subarray(at, at + 8 + length), numbered(id, length))
      ids.push(id)
      at += 8 + length
    }
    return ids
  }

  const jitter = (below: (n: number) => number) => Effect.repeatN(Effect.yieldNow(), below(4))

  /** Writes, key updates and interruptions in a random order; the numbers of the writes that were not interrupted. */
  const write = (connection: TlsConnection, below: (n: number) => number) =>
    Effect.gen(function* () {
      const written: Array<number> = []
      for (let id = 1; id <= 12; id++) {
        yield* jitter(below)
        if (below(5) === 0) yield* connection.updateKeys({ requestPeer: below(2) === 0 })
        const fiber = yield* Effect.fork(connection.write(numbered(id, below(below(4) === 0 ? 60_000 : 50))))
        if (below(4) === 0) {
          yield* jitter(below)
          const exit = yield* Fiber.interrupt(fiber)
          if (Exit.isSuccess(exit)) written.push(id)
        } else {
          yield* Fiber.join(fiber)
          written.push(id)
        }
      }
      yield* connection.end
      return written
    })

  /** Pulls that are interrupted at random, to the end. */
  const pullAll = (connection: TlsConnection, below: (n: number) => number) =>
    Effect.gen(function* () {
      const parts: Array<Uint8Array> = []
      for (;;) {
        const fiber = yield* Effect.fork(connection.pull)
        if (below(3) > 0) {
          yield* jitter(below)
          yield* Fiber.interrupt(fiber)
        }
        const exit = yield* Fiber.await(fiber)
        if (Exit.isSuccess(exit)) parts.push(...exit.value)
        else if (!Exit.isInterrupted(exit)) {
          assert.strictEqual(endOf(harness.errorOf(exit)), "close_notify")
          return concat(parts)
        }
      }
    })

  for (let batch = 0; batch < 8; batch++) {
    one(`nothing is lost or reordered, ${batch}`, () =>
      Effect.gen(function* () {
        const clientContext = yield* harness.context({ protocol: { limits: { recordsPerKey: 7 } } })
        const serverContext = yield* harness.serverContext({ protocol: { limits: { recordsPerKey: 9 } } })
        for (let seed = batch * 40; seed < batch * 40 + 40; seed++) {
          const below = harness.random(seed)
          yield* Effect.scoped(
            Effect.gen(function* () {
              const { client, server } = yield* harness.connected({
                client: clientContext,
                server: serverContext,
                transport: { capacity: 1 + below(20_000), ...(below(3) === 0 ? {} : { maxChunk: 1 + below(5000) }) }
              })
              const [fromClient, fromServer, atClient, atServer] = yield* Effect.all(
                [
                  write(client, harness.random(seed + 1)),
                  write(server, harness.random(seed + 2)),
                  pullAll(client, harness.random(seed + 3)),
                  pullAll(server, harness.random(seed + 4))
                ],
                { concurrency: "unbounded" }
              )
              for (const [sent, got] of [
                [fromClient, arrived(atServer)],
                [fromServer, arrived(atClient)]
              ] as const) {
                // In order, and all but some of those that were interrupted.
                assert.deepStrictEqual(
                  [...got].sort((a, b) => a - b),
                  got,
                  `seed ${seed}`
                )
                assert.includeMembers([...got], [...sent], `seed ${seed}`)
              }
            })
          )
        }
      })
    )
  }

  both("a pull that is interrupted at any point loses nothing", (role) =>
    Effect.gen(function* () {
      const { connection, peer } = yield* open(role)
      let expected = ""
      let got = ""
      for (let i = 0; i < 200; i++) {
        const reader = yield* Effect.fork(connection.pull)
        for (let j = 0; j < i % 5; j++) yield* Effect.yieldNow()
        yield* peer.bytes(peer.data(`${i},`))
        expected += `${i},`
        for (let j = 0; j < (i / 5) % 5; j++) yield* Effect.yieldNow()
        const exit = yield* Fiber.interrupt(reader)
        if (Exit.isSuccess(exit)) got += harness.text(exit.value)
      }
      yield* peer.bytes(peer.alert("close_notify"))
      assert.strictEqual(got + (yield* readAll(connection)).data, expected)
    })
  )
})

describe("the peer's view", () => {
  both("everything after the handshake is under the keys of the application", (role) =>
    Effect.gen(function* () {
      const { close, connection, peer, secrets } = yield* open(role)
      yield* connection.write(harness.bytes("x"))
      yield* close
      const sent = Option.getOrThrow(yield* peer.duplex.pull)
      const protection = new RecordProtection(crypto, secrets.schedule.trafficKeys(secrets.read))
      const length = (sent[3]! << 8) | sent[4]!
      assert.deepStrictEqual(
        protection.open(sent.subarray(0, 5), sent.subarray(5, 5 + length)),
        Uint8Array.of(...harness.bytes("x"), ContentType.applicationData)
      )
    })
  )
})
