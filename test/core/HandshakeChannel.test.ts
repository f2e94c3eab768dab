/** Handshakes through transports that cut where they like, and records that are wrong. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import type { SecureContext } from "../../src/core/SecureContext.ts"
import type { SecureContextOptions } from "../../src/core/SecureContextOptions.ts"
import * as TlsClient from "../../src/core/TlsClient.ts"
import * as TlsServer from "../../src/core/TlsServer.ts"
import type { Direction, MemoryTransportOptions } from "../../src/layers/MemoryTransport.ts"
import * as MemoryTransport from "../../src/layers/MemoryTransport.ts"
import { concat } from "../../src/schema/Bytes.ts"
import * as ContentType from "../../src/schema/ContentType.ts"
import * as HandshakeMessage from "../../src/schema/HandshakeMessage.ts"
import * as harness from "../support/harness.ts"
import * as identities from "../support/identities.ts"
import type { ScriptedPeer } from "../support/ScriptedPeer.ts"
import * as scripted from "../support/ScriptedPeer.ts"
import type { ClientScript, Frame, ServerScript } from "../support/scripts.ts"
import * as scripts from "../support/scripts.ts"
import { change } from "../support/edits.ts"

// Signatures of one length, so that every handshake has its bytes at the same places.
const ed25519 = { _tag: "Ed25519" } as const
const serverIdentity = identities.makeSync({ key: ed25519, names: ["localhost"] })
const clientIdentity = identities.makeSync({ key: ed25519, names: ["client"] })

const clientOptions: SecureContextOptions = {
  protocol: { groups: ["x25519"] },
  identity: clientIdentity.options
}
const serverOptions: SecureContextOptions = {
  protocol: { groups: ["x25519"] },
  identity: serverIdentity.options,
  trust: { clientAuthentication: "require" }
}

/** A client and a server of ours over a transport, to the end of both handshakes. */
const both = (
  contexts: { readonly client: SecureContext; readonly server: SecureContext },
  transport: MemoryTransportOptions
) =>
  Effect.gen(function* () {
    const [clientEnd, serverEnd] = yield* MemoryTransport.pair(transport)
    const client = yield* Effect.fork(TlsClient.over(clientEnd, { context: contexts.client }))
    const server = yield* Effect.fork(TlsServer.over(serverEnd, { context: contexts.server }))
    return { client: yield* harness.finish(client), server: yield* harness.finish(server) }
  }).pipe(Effect.scoped)

const contexts = Effect.all({
  client: harness.context(clientOptions),
  server: harness.serverContext(serverOptions)
})

/** Cuts the bytes of each direction in two at an offset. */
const cutAt = (at: number): MemoryTransportOptions => {
  const seen = { toServer: 0, toClient: 0 }
  return {
    transform: (direction, chunk) => {
      const before = at - seen[direction]
      seen[direction] += chunk.length
      return before > 0 && before < chunk.length ? [chunk.subarray(0, before), chunk.subarray(before)] : [chunk]
    }
  }
}

/** The bytes that go each way in a handshake, write by write. */
const recordings = (pair: { readonly client: SecureContext; readonly server: SecureContext }) =>
  Effect.gen(function* () {
    const written: { readonly [D in Direction]: Array<Uint8Array> } = { toServer: [], toClient: [] }
    yield* both(pair, {
      transform: (direction, chunk) => {
        written[direction].push(chunk)
        return [chunk]
      }
    })
    return written
  })

const lengthOf = (parts: ReadonlyArray<Uint8Array>): number => concat(parts).length

describe("a transport that cuts the bytes", () => {
  it.scoped("at each byte", () =>
    Effect.gen(function* () {
      const pair = yield* contexts
      const written = yield* recordings(pair)
      const longest = Math.max(lengthOf(written.toServer), lengthOf(written.toClient))
      for (let at = 1; at < longest; at++) {
        const { client, server } = yield* both(pair, cutAt(at))
        assert.deepStrictEqual([at, harness.labelOf(client), harness.labelOf(server)], [at, "connected", "connected"])
      }
    }).pipe(Effect.provide(harness.layer))
  )

  it.scoped("into pieces of one size, from one byte on", () =>
    Effect.gen(function* () {
      const pair = yield* contexts
      for (const maxChunk of [1, 2, 3, 4, 5, 6, 7, 64, 333]) {
        const { client, server } = yield* both(pair, { maxChunk, capacity: 64 })
        assert.deepStrictEqual([harness.labelOf(client), harness.labelOf(server)], ["connected", "connected"])
      }
    }).pipe(Effect.provide(harness.layer))
  )

  it.scoped("with empty pieces between", () =>
    Effect.gen(function* () {
      const { client, server } = yield* both(yield* contexts, {
        transform: (_, chunk) => [new Uint8Array(0), chunk.subarray(0, 9), new Uint8Array(0), chunk.subarray(9)]
      })
      assert.deepStrictEqual([harness.labelOf(client), harness.labelOf(server)], ["connected", "connected"])
    }).pipe(Effect.provide(harness.layer))
  )
})

describe("a transport that ends", () => {
  /** Where the phase changes: at the end of the ServerHello, at the end of the ClientHello. */
  const firstRecord = (bytes: Uint8Array) => 5 + ((bytes[3]! << 8) | bytes[4]!)

  it.scoped("after each byte of the server's: the client says that it was cut off, and in which phase", () =>
    Effect.gen(function* () {
      const pair = yield* contexts
      const [flight] = (yield* recordings(pair)).toClient
      const hello = firstRecord(flight!)
      for (let after = 0; after < flight!.length; after += 7) {
        const { client, server } = yield* both(pair, { cut: { direction: "toClient", after, as: "end" } })
        const phase = after < hello ? "negotiation" : "authentication"
        assert.deepStrictEqual(
          [after, harness.labelOf(client), harness.labelOf(server)],
          // The client hung up without a word: there is nobody to tell.
          [after, `TruncationError/MissingCloseNotify/${phase}`, "TruncationError/MissingCloseNotify/authentication"]
        )
      }
    }).pipe(Effect.provide(harness.layer))
  )

  it.scoped("after each byte of the client's: the server says so", () =>
    Effect.gen(function* () {
      const pair = yield* contexts
      const written = (yield* recordings(pair)).toServer
      const hello = written[0]!.length
      for (let after = 0; after < lengthOf(written.slice(0, 2)); after += 7) {
        const { client, server } = yield* both(pair, { cut: { direction: "toServer", after, as: "end" } })
        const phase = after < hello ? "negotiation" : "authentication"
        assert.deepStrictEqual([after, harness.labelOf(server)], [after, `TruncationError/MissingCloseNotify/${phase}`])
        // A client is through when its Finished is written, and learns of the end when it reads.
        assert.strictEqual(
          harness.labelOf(client),
          after < hello ? "TruncationError/MissingCloseNotify/negotiation" : "connected"
        )
      }
    }).pipe(Effect.provide(harness.layer))
  )

  it.scoped("with a reset, anywhere: that is the transport's error, in the phase it happened", () =>
    Effect.gen(function* () {
      const pair = yield* contexts
      const written = yield* recordings(pair)
      const flight = written.toClient[0]!
      for (let after = 0; after < flight.length; after += 17) {
        const { client } = yield* both(pair, { cut: { direction: "toClient", after, as: "reset" } })
        const phase = after < firstRecord(flight) ? "negotiation" : "authentication"
        assert.deepStrictEqual([after, harness.labelOf(client)], [after, `TransportError/ConnectionReset/${phase}`])
      }
      const hello = written.toServer[0]!.length
      for (let after = 0; after < lengthOf(written.toServer.slice(0, 2)); after += 17) {
        const { server } = yield* both(pair, { cut: { direction: "toServer", after, as: "reset" } })
        const phase = after < hello ? "negotiation" : "authentication"
        assert.deepStrictEqual([after, harness.labelOf(server)], [after, `TransportError/ConnectionReset/${phase}`])
      }
    }).pipe(Effect.provide(harness.layer))
  )
})

// ---------------------------------------------------------------------------------------------------------------------
// Records
// ---------------------------------------------------------------------------------------------------------------------

/** A real client and a scripted server, to the end of both. */
const againstServer = (secure: SecureContext, script: ServerScript) =>
  Effect.gen(function* () {
    const {
      client,
      peer,
      script: server
    } = yield* harness.clientAgainst(secure, (scriptedServer) =>
      scripts.playServer(scriptedServer, { identity: serverIdentity, ...script })
    )
    const exit = yield* harness.finish(client)
    const other = yield* harness.finish(server)
    const last = Exit.isFailure(exit) ? yield* peer.ending : "nothing"
    const alert = Exit.isFailure(other) || Exit.isSuccess(exit) ? harness.endingOf(other) : `alert ${last}`
    return { error: harness.labelOf(exit), alert }
  }).pipe(Effect.scoped)

const againstClient = (secure: SecureContext, script: ClientScript) =>
  Effect.gen(function* () {
    const {
      peer,
      script: client,
      server
    } = yield* harness.serverAgainst(secure, (scriptedClient) =>
      scripts.playClient(scriptedClient, { identity: clientIdentity, ...script })
    )
    const exit = yield* harness.finish(server)
    const other = yield* harness.finish(client)
    const last = Exit.isFailure(exit) ? yield* peer.ending : "nothing"
    const alert = Exit.isFailure(other) || Exit.isSuccess(exit) ? harness.endingOf(other) : `alert ${last}`
    return { error: harness.labelOf(exit), alert }
  }).pipe(Effect.scoped)

const connected = { error: "connected", alert: "done" }

/** Notes how many bytes the messages under one key have at most. */
const measured =
  (length: { longest: number }, frame: Frame): Frame =>
  (peer, messages) => {
    length.longest = Math.max(length.longest, lengthOf(messages))
    return frame(peer, messages)
  }

describe("handshake messages over records", () => {
  // One handshake cuts the messages under each key at the same byte.
  it.scoped("cut at each byte: the server's", () =>
    Effect.gen(function* () {
      const { client } = yield* contexts
      const length = { longest: 2 }
      for (let at = 1; at < length.longest; at++) {
        assert.deepStrictEqual(
          { at, ...(yield* againstServer(client, { frame: measured(length, scripts.cutAt(at)) })) },
          { at, ...connected }
        )
      }
    }).pipe(Effect.provide(harness.layer))
  )

  it.scoped("cut at each byte: the client's", () =>
    Effect.gen(function* () {
      const { server } = yield* contexts
      const length = { longest: 2 }
      for (let at = 1; at < length.longest; at++) {
        const frame = measured(length, scripts.cutAt(at))
        assert.deepStrictEqual(
          { at, ...(yield* againstClient(server, { helloFrame: frame, frame })) },
          { at, ...connected }
        )
      }
    }).pipe(Effect.provide(harness.layer))
  )

  const frames: Record<string, Frame> = { "all in one": scripts.coalesced, "a byte each": scripts.byteByByte }
  for (const [what, frame] of Object.entries(frames)) {
    it.scoped(what, () =>
      Effect.gen(function* () {
        const { client, server } = yield* contexts
        assert.deepStrictEqual(yield* againstServer(client, { request: true, frame }), connected)
        assert.deepStrictEqual(yield* againstServer(client, { retry: { cookie: Uint8Array.of(1) }, frame }), connected)
        assert.deepStrictEqual(yield* againstClient(server, { helloFrame: frame, frame }), connected)
      }).pipe(Effect.provide(harness.layer))
    )
  }
})

/** Bytes of the next message, before their time. */
const start = Uint8Array.of(8, 0, 0)

describe("records that are wrong", () => {
  interface Row {
    readonly name: string
    readonly of: "client" | "server"
    readonly script: ServerScript & ClientScript
    readonly error: string
    readonly alert: string
    readonly options?: SecureContextOptions
  }
  const unexpected = (phase: string) => ({
    error: `HandshakeError/UnexpectedMessage/${phase}`,
    alert: "alert unexpected_message"
  })
  /** In the server's flight, under the keys of the handshake. */
  const before = (name: string, part: (peer: ScriptedPeer) => Uint8Array, rest: Pick<Row, "error" | "alert">): Row => ({
    name: `the server's ${name}`,
    of: "client",
    script: { edit: change("Certificate", (message) => [part, message]) },
    ...rest
  })
  /** In the client's flight. */
  const amid = (name: string, part: (peer: ScriptedPeer) => Uint8Array, rest: Pick<Row, "error" | "alert">): Row => ({
    name: `the client's ${name}`,
    of: "server",
    script: { edit: change("CertificateVerify", (message) => [part, message]) },
    ...rest
  })
  const inFlight = (name: string, part: (peer: ScriptedPeer) => Uint8Array, rest: Pick<Row, "error" | "alert">) => [
    before(name, part, rest),
    amid(name, part, rest)
  ]
  const badRecord = { error: "HandshakeError/BadRecord/authentication", alert: "alert bad_record_mac" }
  const overflow = { error: "HandshakeError/RecordOverflow/authentication", alert: "alert record_overflow" }
  const flood = (count: number, record: Uint8Array) => () => concat(Array.from({ length: count }, () => record))

  const rows: ReadonlyArray<Row> = [
    // ChangeCipherSpec (RFC 9846 §5)
    {
      name: "a ChangeCipherSpec before the ClientHello",
      of: "server",
      script: { helloFrame: (peer, [m]) => [scripted.changeCipherSpec, peer.record(22, m!)] },
      ...unexpected("negotiation")
    },
    {
      name: "a ChangeCipherSpec within a ClientHello",
      of: "server",
      script: {
        helloFrame: (peer, [m]) => [
          peer.record(22, m!.subarray(0, 50)),
          scripted.changeCipherSpec,
          peer.record(22, m!.subarray(50))
        ]
      },
      ...unexpected("negotiation")
    },
    {
      name: "a third ChangeCipherSpec of the client's",
      of: "server",
      script: { beforeFlight: flood(2, scripted.changeCipherSpec) },
      error: "HandshakeError/TooManyMessages/authentication",
      alert: "alert unexpected_message"
    },
    {
      name: "more ChangeCipherSpecs than a limit of ours",
      of: "server",
      script: { beforeFlight: flood(1, scripted.changeCipherSpec) },
      options: { protocol: { limits: { changeCipherSpecs: 1 } } },
      error: "HandshakeError/TooManyMessages/authentication",
      alert: "alert unexpected_message"
    },
    {
      name: "a third ChangeCipherSpec of the server's",
      of: "client",
      script: { edit: change("Certificate", (m) => [flood(3, scripted.changeCipherSpec), m]) },
      error: "HandshakeError/TooManyMessages/authentication",
      alert: "alert unexpected_message"
    },
    {
      name: "a third ChangeCipherSpec of the server's, before its hello",
      of: "client",
      script: { edit: change("ServerHello", (m) => [flood(3, scripted.changeCipherSpec), m]) },
      error: "HandshakeError/TooManyMessages/negotiation",
      alert: "alert unexpected_message"
    },
    ...[Uint8Array.of(), Uint8Array.of(0), Uint8Array.of(2), Uint8Array.of(1, 1)].flatMap((content) =>
      inFlight(
        `ChangeCipherSpec of [${content.join(", ")}]`,
        () => scripted.plain(20, content),
        unexpected("authentication")
      )
    ),
    ...inFlight("ChangeCipherSpec under the keys", (p) => p.record(20, Uint8Array.of(1)), unexpected("authentication")),
    // Types and places
    ...inFlight("application data", (p) => p.data("early"), unexpected("authentication")),
    ...inFlight("empty application data", (p) => p.data(""), unexpected("authentication")),
    ...inFlight(
      "message without protection",
      () => scripted.plain(22, HandshakeMessage.encode({ _tag: "EncryptedExtensions", extensions: [] })),
      unexpected("authentication")
    ),
    ...inFlight("record of an unknown type", () => scripted.plain(24, Uint8Array.of(1)), unexpected("authentication")),
    ...inFlight("heartbeat under the keys", (p) => p.record(24, Uint8Array.of(1)), unexpected("authentication")),
    ...inFlight("protected record without a type", (p) => p.sealed(new Uint8Array(9)), unexpected("authentication")),
    ...inFlight("protected record of nothing", (p) => p.sealed(new Uint8Array(0)), unexpected("authentication")),
    ...inFlight("empty handshake record", (p) => p.sealed(Uint8Array.of(22)), unexpected("authentication")),
    ...inFlight(
      "empty handshake record with padding",
      (p) => p.sealed(Uint8Array.of(22, 0, 0, 0)),
      unexpected("authentication")
    ),
    ...inFlight("empty alert", (p) => p.sealed(Uint8Array.of(21)), unexpected("authentication")),
    ...inFlight("alert of one byte", (p) => p.record(21, Uint8Array.of(2)), {
      error: "HandshakeError/MalformedMessage/authentication",
      alert: "alert decode_error"
    }),
    ...inFlight("two alerts in a record", (p) => p.record(21, Uint8Array.of(1, 90, 1, 90)), {
      error: "HandshakeError/MalformedMessage/authentication",
      alert: "alert decode_error"
    }),
    {
      name: "an empty record before the ClientHello",
      of: "server",
      script: { helloFrame: (peer, [m]) => [scripted.plain(22, new Uint8Array(0)), peer.record(22, m!)] },
      ...unexpected("negotiation")
    },
    {
      name: "application data before the ClientHello",
      of: "server",
      script: { helloFrame: () => [scripted.plain(23, new Uint8Array(100))] },
      ...unexpected("negotiation")
    },
    {
      name: "application data before the ServerHello",
      of: "client",
      script: { edit: change("ServerHello", () => () => scripted.plain(23, new Uint8Array(100))) },
      ...unexpected("negotiation")
    },
    // Protection
    ...inFlight("record that nobody sealed", () => scripted.plain(23, new Uint8Array(100)), badRecord),
    ...inFlight("record shorter than a tag", () => scripted.plain(23, new Uint8Array(15)), badRecord),
    ...inFlight("record without a byte", () => scripted.plain(23, new Uint8Array(0)), badRecord),
    ...inFlight(
      "record with a bit flipped",
      (p) => {
        const record = p.record(21, scripted.alertBytes("user_canceled"))
        record[record.length - 1]! ^= 1
        return record
      },
      badRecord
    ),
    ...inFlight(
      "record whose length was changed",
      (p) => {
        const record = Uint8Array.of(...p.record(21, scripted.alertBytes("user_canceled")), 0)
        record[4]! += 1
        return record
      },
      badRecord
    ),
    ...inFlight(
      "record twice",
      (p) => {
        const record = p.record(21, scripted.alertBytes("user_canceled"))
        return concat([record, record])
      },
      badRecord
    ),
    // Lengths
    ...inFlight("record of 2^14 + 257 bytes", () => scripted.plain(23, new Uint8Array(16_384 + 257)), overflow),
    ...inFlight(
      "record of 2^14 + 2 bytes with its type",
      (p) => p.sealed(Uint8Array.of(22, ...new Uint8Array(16_385))),
      overflow
    ),
    {
      name: "a ClientHello in a record of 2^14 + 1 bytes",
      of: "server",
      script: { helloFrame: () => [scripted.plain(22, new Uint8Array(16_385))] },
      error: "HandshakeError/RecordOverflow/negotiation",
      alert: "alert record_overflow"
    },
    // Keys change between records (RFC 9846 §5.1)
    {
      name: "the beginning of a message behind the ServerHello in its record",
      of: "client",
      script: {
        edit: change("ServerHello", (m) => (peer) => peer.record(22, concat([peer.hashed(m), start])))
      },
      ...unexpected("negotiation")
    },
    {
      name: "a message behind the ServerHello in its record",
      of: "client",
      script: {
        edit: change("ServerHello", (m) => [m, { _tag: "EncryptedExtensions", extensions: [] }]),
        frame: scripts.coalesced
      },
      ...unexpected("negotiation")
    },
    {
      name: "the beginning of a message behind the server's Finished in its record",
      of: "client",
      script: { edit: change("Finished", (m) => (peer) => peer.record(22, concat([peer.hashed(m), start]))) },
      ...unexpected("authentication")
    },
    {
      name: "a ticket behind the server's Finished in its record",
      of: "client",
      script: {
        edit: change(
          "Finished",
          (m) => (peer) =>
            peer.record(22, concat([peer.hashed(m), HandshakeMessage.encode({ _tag: "KeyUpdate", request: 0 })]))
        )
      },
      ...unexpected("authentication")
    },
    {
      name: "the beginning of a message behind the ClientHello in its record",
      of: "server",
      script: { helloFrame: (peer, [m]) => [peer.record(22, concat([m!, start]))] },
      ...unexpected("negotiation")
    },
    {
      name: "a second ClientHello behind the first in its record",
      of: "server",
      script: { helloFrame: (peer, [m]) => [peer.record(22, concat([m!, m!]))] },
      ...unexpected("negotiation")
    },
    {
      name: "the beginning of a message behind the client's Finished in its record",
      of: "server",
      script: { edit: change("Finished", (m) => (peer) => peer.record(22, concat([peer.hashed(m), start]))) },
      ...unexpected("authentication")
    },
    // Not TLS
    ...(
      [
        ["HTTP", "GET / HTTP/1.1\r\n\r\n"],
        ["SSH", "SSH-2.0-OpenSSH_9.6\r\n"],
        ["SMTP", "EHLO localhost\r\n"],
        ["text", "hello\r\n"]
      ] as const
    ).map(([name, said]): Row => ({
      name: `a client that speaks ${name}`,
      of: "server",
      script: { helloFrame: () => [harness.bytes(said)] },
      error: "HandshakeError/PeerSpokePlaintext/negotiation",
      alert: "gone end"
    })),
    ...(
      [
        ["HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n"],
        ["SMTP", "220 mail.example ESMTP\r\n"],
        ["SSH", "SSH-2.0-OpenSSH_9.6\r\n"]
      ] as const
    ).map(([name, said]): Row => ({
      name: `a server that speaks ${name}`,
      of: "client",
      script: { edit: change("ServerHello", () => () => harness.bytes(said)) },
      error: "HandshakeError/PeerSpokePlaintext/negotiation",
      alert: "gone end"
    })),
    {
      name: "the hello of SSL 2",
      of: "server",
      script: { helloFrame: () => [Uint8Array.of(0x80, 0x2e, 1, 3, 1, 0, 0x15, 0, 0, 0, 0x10)] },
      ...unexpected("negotiation")
    },
    {
      name: "noise",
      of: "server",
      script: { helloFrame: () => [Uint8Array.of(22, 9, 9, 0, 5, 1, 2, 3, 4, 5)] },
      ...unexpected("negotiation")
    }
  ]
  for (const { alert, error, name, of, options, script } of rows) {
    it.scoped(name, () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(harness.now)
        const seen =
          of === "client"
            ? yield* againstServer(yield* harness.context({ ...clientOptions, ...options }), script)
            : yield* againstClient(yield* harness.serverContext({ ...serverOptions, ...options }), script)
        assert.deepStrictEqual(seen, { error, alert })
      }).pipe(Effect.provide(harness.layer))
    )
  }

  it.scoped("padding is not", () =>
    Effect.gen(function* () {
      const { client, server } = yield* contexts
      const padded = (message: HandshakeMessage.HandshakeMessage) => (peer: ScriptedPeer) =>
        peer.sealed(Uint8Array.of(...peer.hashed(message), ContentType.handshake, ...new Uint8Array(1000)))
      assert.deepStrictEqual(yield* againstServer(client, { edit: change("Certificate", padded) }), connected)
      assert.deepStrictEqual(yield* againstClient(server, { edit: change("Certificate", padded) }), connected)
    }).pipe(Effect.provide(harness.layer))
  )

  it.scoped("two ChangeCipherSpecs are not", () =>
    Effect.gen(function* () {
      const { client, server } = yield* contexts
      const twice = flood(2, scripted.changeCipherSpec)
      assert.deepStrictEqual(
        yield* againstServer(client, { edit: change("Certificate", (message) => [twice, message]) }),
        connected
      )
      assert.deepStrictEqual(
        yield* againstServer(client, { edit: change("ServerHello", (message) => [twice, message]) }),
        connected
      )
      assert.deepStrictEqual(
        yield* againstClient(server, { beforeFlight: flood(1, scripted.changeCipherSpec) }),
        connected
      )
    }).pipe(Effect.provide(harness.layer))
  )
})

describe("whoever is interrupted in a handshake", () => {
  for (const of of ["client", "server"] as const) {
    it.scoped(`tells its peer: the ${of}`, () =>
      Effect.gen(function* () {
        const { client, server } = yield* contexts
        const { fiber, peer } =
          of === "client"
            ? yield* Effect.map(
                harness.clientAgainst(client, () => Effect.void),
                (s) => ({ ...s, fiber: s.client })
              )
            : yield* Effect.map(
                harness.serverAgainst(server, () => Effect.void),
                (s) => ({ ...s, fiber: s.server })
              )
        yield* Effect.yieldNow()
        const exit = yield* Fiber.interrupt(fiber)
        assert.isTrue(Exit.isInterrupted(exit))
        yield* peer.ending
        assert.deepStrictEqual(peer.warnings, ["user_canceled", "close_notify"])
      }).pipe(Effect.provide(harness.layer))
    )
  }
})

describe("a peer that does not read", () => {
  it.scoped("keeps nobody past the deadline", () =>
    Effect.gen(function* () {
      const { client, server } = yield* contexts
      const [near] = yield* MemoryTransport.pair({ capacity: 10 })
      const connecting = yield* Effect.fork(TlsClient.over(near, { context: client }))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(harness.labelOf(yield* Fiber.await(connecting)), "TlsTimeoutError/Handshake/negotiation")
      const [mute, other] = yield* MemoryTransport.pair({ capacity: 500 })
      yield* Effect.fork(scripts.playClient(new scripted.ScriptedPeer("client", { ...mute, pull: Effect.never })))
      const stuck = yield* Effect.fork(TlsServer.over(other, { context: server }))
      yield* harness.settle(stuck)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(harness.labelOf(yield* Fiber.await(stuck)), "TlsTimeoutError/Handshake/authentication")
    }).pipe(Effect.provide(harness.layer))
  )
})

describe("whoever may not be interrupted", () => {
  it.scoped("has its deadline all the same", () =>
    Effect.gen(function* () {
      const { client } = yield* contexts
      const [near] = yield* MemoryTransport.pair()
      const fiber = yield* Effect.fork(Effect.uninterruptible(TlsClient.over(near, { context: client })))
      yield* TestClock.adjust("9999 millis")
      assert.isTrue(Option.isNone(yield* harness.settle(fiber, 3)))
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(harness.labelOf(yield* Fiber.await(fiber)), "TlsTimeoutError/Handshake/negotiation")
    }).pipe(Effect.provide(harness.layer))
  )
})
