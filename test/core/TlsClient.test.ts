/** Connecting: names, dialling, deadlines, and what is freed when. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import type { HandshakeTraceService, TraceEvent } from "../../src/core/HandshakeTrace.ts"
import { HandshakeTrace } from "../../src/core/HandshakeTrace.ts"
import { KeyLog } from "../../src/core/KeyLog.ts"
import * as SecureContext from "../../src/core/SecureContext.ts"
import type { ConnectOptions } from "../../src/core/TlsClient.ts"
import * as TlsClient from "../../src/core/TlsClient.ts"
import * as TlsServer from "../../src/core/TlsServer.ts"
import type { Duplex, TransportService } from "../../src/core/Transport.ts"
import { Transport } from "../../src/core/Transport.ts"
import * as MemoryTransport from "../../src/layers/MemoryTransport.ts"
import { concat } from "../../src/schema/Bytes.ts"
import * as Endpoint from "../../src/schema/Endpoint.ts"
import * as ServerName from "../../src/schema/ServerName.ts"
import * as harness from "../support/harness.ts"
import { crypto } from "../support/identities.ts"

const one = (name: string, body: () => Effect.Effect<unknown, unknown, CryptoProvider | Transport | Scope.Scope>) => {
  it.scoped(name, () => Effect.provide(body(), harness.layer))
}

/** A server for every host of the network, that says which name it was asked for. */
const serve = Effect.gen(function* () {
  return yield* TlsServer.serve({
    endpoint: Endpoint.tcp("0.0.0.0", 0),
    context: yield* harness.serverContext(),
    drainTimeout: 0,
    handler: (connection) =>
      connection.write(
        harness.bytes(Option.match(connection.info.serverName, { onNone: () => "none", onSome: String }))
      )
  })
})

const portOf = (endpoint: Endpoint.Endpoint): number => (endpoint as Endpoint.TcpEndpoint).port

describe("the server's name", () => {
  const asked = (endpoint: (port: number) => Endpoint.Endpoint, options: ConnectOptions = {}) =>
    Effect.gen(function* () {
      const server = yield* serve
      const expected: Array<string> = []
      const context = yield* harness.context(
        {},
        harness.verifier(({ certificates, serverName }) => {
          expected.push(Option.match(serverName, { onNone: () => "none", onSome: String }))
          return Effect.succeed({ path: certificates, vouchedBy: "test" })
        })
      )
      const connection = yield* TlsClient.connect(endpoint(portOf(server.address)), { context, ...options })
      assert.deepStrictEqual(
        Option.match(connection.info.serverName, { onNone: () => "none", onSome: String }),
        expected[0]
      )
      return { sent: harness.text(yield* Stream.runCollect(connection.stream)), expected: expected[0] }
    })

  const rows: ReadonlyArray<
    readonly [what: string, host: string, options: ConnectOptions, sent: string, expected: string]
  > = [
    ["is the endpoint's host", "www.example.org", {}, "www.example.org", "www.example.org"],
    ["is in lower case and without the last dot", "WWW.example.org.", {}, "www.example.org", "www.example.org"],
    ["is the one given", "192.0.2.1", { serverName: "Example.ORG" }, "example.org", "example.org"],
    [
      "may be a value",
      "192.0.2.1",
      { serverName: new ServerName.DnsName({ name: "example.org" }) },
      "example.org",
      "example.org"
    ],
    ["is not sent when it is an address", "192.0.2.1", {}, "none", "192.0.2.1"],
    ["is not sent when it is an IPv6 address", "2001:DB8::1", {}, "none", "2001:db8::1"]
  ]
  for (const [what, host, options, sent, expected] of rows) {
    one(what, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* asked((port) => Endpoint.tcp(host, port), options), { sent, expected })
      })
    )
  }

  one("is none on a Unix socket, unless it is given", () =>
    Effect.gen(function* () {
      const endpoint = Endpoint.unix("/run/server.sock")
      yield* TlsServer.serve({
        endpoint,
        context: yield* harness.serverContext(),
        drainTimeout: 0,
        handler: (connection) => connection.end
      })
      const context = yield* harness.context()
      const without = yield* TlsClient.connect(endpoint, { context })
      assert.deepStrictEqual(without.info.serverName, Option.none())
      const withName = yield* TlsClient.connect(endpoint, { context, serverName: "example.org" })
      assert.strictEqual(String(Option.getOrThrow(withName.info.serverName)), "example.org")
    })
  )

  one("must be there where the verifier is the default one", () =>
    Effect.gen(function* () {
      const [near] = yield* MemoryTransport.pair()
      const error = yield* Effect.flip(TlsClient.over(near))
      assert.strictEqual(harness.label(error), "TlsConfigError/InvalidOptions/configuration")
      assert.match(error.message, /^serverName: /)
    })
  )

  one("must be one, and that is said before anybody is dialled", () =>
    Effect.gen(function* () {
      const transport = yield* Transport
      const dialled: Array<string> = []
      const watched: TransportService = {
        ...transport,
        connect: (endpoint) => {
          dialled.push(String(endpoint))
          return transport.connect(endpoint)
        }
      }
      for (const [host, serverName] of [
        ["localhost", "not a name"],
        ["localhost", ""],
        ["localhost", "https://example.org/"],
        ["localhost", "example.org:443"],
        ["no host", undefined]
      ] as const) {
        const error = yield* Effect.flip(
          TlsClient.connect(Endpoint.tcp(host, 1), {
            context: yield* harness.context(),
            ...(serverName === undefined ? {} : { serverName })
          }).pipe(Effect.provideService(Transport, watched))
        )
        assert.deepStrictEqual(
          [host, serverName, harness.label(error)],
          [host, serverName, "TlsConfigError/InvalidOptions/configuration"]
        )
        assert.match(error.message, /^serverName: /)
      }
      assert.deepStrictEqual(dialled, [])
    })
  )
})

/** A transport whose connections say when they are freed. */
const watched = (transport: TransportService) => {
  const events: Array<string> = []
  const service: TransportService = {
    ...transport,
    connect: (endpoint) =>
      Effect.zipRight(
        Effect.acquireRelease(
          Effect.sync(() => void events.push("open")),
          () => Effect.sync(() => void events.push("closed"))
        ),
        transport.connect(endpoint)
      )
  }
  return { events, service }
}

describe("connecting", () => {
  one("where nobody listens is refused", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        TlsClient.connect(Endpoint.tcp("localhost", 1), { context: yield* harness.context() })
      )
      assert.strictEqual(harness.label(error), "TransportError/ConnectionRefused/dial")
      assert.isTrue(error.isRetryable)
    })
  )

  one("where nobody answers ends at the deadline, and what was opened for it is freed", () =>
    Effect.gen(function* () {
      const freed: Array<string> = []
      const slow: TransportService = {
        ...MemoryTransport.make(),
        connect: () =>
          Effect.zipRight(
            Effect.addFinalizer(() => Effect.sync(() => void freed.push("freed"))),
            Effect.never
          )
      }
      const context = yield* harness.context({ protocol: { handshakeTimeout: "2 seconds" } })
      const dialling = yield* Effect.fork(
        TlsClient.connect(Endpoint.tcp("localhost", 1), { context }).pipe(Effect.provideService(Transport, slow))
      )
      yield* TestClock.adjust("1999 millis")
      assert.isTrue(Option.isNone(yield* harness.settle(dialling, 3)))
      yield* TestClock.adjust("1 millis")
      const error = harness.errorOf(yield* Fiber.await(dialling))
      assert.strictEqual(harness.label(error), "TlsTimeoutError/Dial/dial")
      assert(error._tag === "TlsTimeoutError")
      assert.strictEqual(error.duration, 2000)
      assert.deepStrictEqual(freed, ["freed"])
    })
  )

  one("frees everything when the handshake fails, not when the Scope ends", () =>
    Effect.gen(function* () {
      const server = yield* serve
      const { events, service } = watched(yield* Transport)
      const context = yield* harness.context({ protocol: { cipherSuites: ["TLS_AES_128_CCM_SHA256"] } })
      const error = yield* Effect.flip(
        TlsClient.connect(server.address, { context }).pipe(Effect.provideService(Transport, service))
      )
      assert.strictEqual(harness.label(error), "AlertError/handshake_failure/negotiation")
      assert.deepStrictEqual(events, ["open", "closed"])
    })
  )

  one("frees everything when it is interrupted in the handshake", () =>
    Effect.gen(function* () {
      const transport = yield* Transport
      const listener = yield* transport.listen(Endpoint.tcp("localhost", 0))
      const { events, service } = watched(transport)
      const connecting = yield* Effect.fork(
        TlsClient.connect(listener.address, { context: yield* harness.context() }).pipe(
          Effect.provideService(Transport, service)
        )
      )
      const accepted = yield* listener.accept
      assert.isTrue(Option.isSome(yield* accepted.pull))
      yield* Fiber.interrupt(connecting)
      assert.deepStrictEqual(events, ["open", "closed"])
      // user_canceled, close_notify
      assert.deepStrictEqual(
        Option.getOrThrow(yield* accepted.pull),
        Uint8Array.of(21, 3, 3, 0, 2, 1, 90, 21, 3, 3, 0, 2, 1, 0)
      )
      assert.isTrue(Option.isNone(yield* accepted.pull))
    })
  )

  one("keeps the connection as long as the Scope, and ends it with close_notify", () =>
    Effect.gen(function* () {
      const ends: Array<string> = []
      const server = yield* TlsServer.serve({
        endpoint: Endpoint.tcp("localhost", 0),
        context: yield* harness.serverContext(),
        drainTimeout: 0,
        handler: (connection) =>
          Effect.matchEffect(Stream.runDrain(connection.stream), {
            onFailure: (error) => Effect.sync(() => void ends.push(harness.label(error))),
            onSuccess: () => Effect.sync(() => void ends.push("close_notify"))
          })
      })
      const { events, service } = watched(yield* Transport)
      const scope = yield* Scope.make()
      yield* Scope.extend(
        TlsClient.connect(server.address, { context: yield* harness.context() }).pipe(
          Effect.provideService(Transport, service)
        ),
        scope
      )
      assert.deepStrictEqual([events, ends], [["open"], []])
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(events, ["open", "closed"])
      yield* Effect.repeatN(Effect.yieldNow(), 20)
      assert.deepStrictEqual(ends, ["close_notify"])
    })
  )

  one("with a context that the provider cannot honour is an error of the configuration", () =>
    Effect.gen(function* () {
      const context = SecureContext.withProtocol(yield* harness.context(), { groups: ["x448"] })
      const poor = { ...crypto, capabilities: { ...crypto.capabilities, groups: new Set<never>() } }
      const error = yield* Effect.flip(
        TlsClient.connect(Endpoint.tcp("localhost", 1), { context }).pipe(Effect.provideService(CryptoProvider, poor))
      )
      assert.strictEqual(harness.label(error), "TlsConfigError/Unsupported/configuration")
    })
  )

  one("over a duplex of one's own leaves the duplex open", () =>
    Effect.gen(function* () {
      const [near, far] = yield* MemoryTransport.pair()
      const secure = yield* harness.context()
      const server = yield* Effect.fork(TlsServer.over(far, { context: yield* harness.serverContext() }))
      yield* Effect.scoped(TlsClient.over(near, { context: secure }))
      const accepted = yield* Fiber.join(server)
      assert.deepStrictEqual(Exit.isSuccess(yield* Effect.exit(Stream.runDrain(accepted.stream))), true)
      // Half-closed by us, and nothing more: the peer can still speak.
      yield* accepted.write(harness.bytes("still there"))
      assert.isTrue(Option.isSome(yield* near.pull))
    })
  )

  one("over TLS is possible, too", () =>
    Effect.gen(function* () {
      const { client, server } = yield* harness.connected()
      const asDuplex = (connection: typeof client): Duplex => ({
        pull: Effect.matchEffect(connection.pull, {
          onFailure: (error) =>
            Option.match(error, { onNone: () => Effect.succeedNone, onSome: (cause) => Effect.die(cause) }),
          onSuccess: (chunk) => Effect.succeedSome(concat(chunk))
        }),
        write: (bytes) => Effect.orDie(connection.write(bytes)),
        end: (last) =>
          Effect.orDie(Effect.zipRight(last === undefined ? Effect.void : connection.write(last), connection.end)),
        abort: Effect.void,
        localAddress: Option.none(),
        remoteAddress: Option.none()
      })
      const inner = yield* Effect.fork(TlsServer.over(asDuplex(server), { context: yield* harness.serverContext() }))
      const tunnel = yield* TlsClient.over(asDuplex(client), { context: yield* harness.context() })
      const accepted = yield* Fiber.join(inner)
      yield* tunnel.write(harness.bytes("hello"))
      assert.strictEqual(harness.text(yield* accepted.pull), "hello")
    })
  )
})

describe("observers", () => {
  one("see what happens, on each side", () =>
    Effect.gen(function* () {
      const events: { readonly [R in "client" | "server"]: Array<string> } = { client: [], server: [] }
      const describeEvent = (event: TraceEvent): string =>
        event._tag === "MessageSent" || event._tag === "MessageReceived"
          ? `${event._tag === "MessageSent" ? ">" : "<"} ${event.message._tag}`
          : event._tag === "KeysChanged"
            ? `${event.direction} ${event.stage}`
            : event._tag
      const trace: HandshakeTraceService = { record: (role, event) => void events[role].push(describeEvent(event)) }
      yield* harness
        .connected({ client: yield* harness.context({ protocol: { groups: ["x25519"] } }) })
        .pipe(Effect.provide(Layer.succeed(HandshakeTrace, trace)))
      assert.deepStrictEqual(events.client, [
        "> ClientHello",
        "< ServerHello",
        "read handshake",
        "ChangeCipherSpecSent",
        "write handshake",
        "ChangeCipherSpecReceived",
        "< EncryptedExtensions",
        "< Certificate",
        "< CertificateVerify",
        "< Finished",
        "read application",
        "> Finished",
        "write application"
      ])
      assert.deepStrictEqual(events.server, [
        "< ClientHello",
        "> ServerHello",
        "ChangeCipherSpecSent",
        "read handshake",
        "write handshake",
        "> EncryptedExtensions",
        "> Certificate",
        "> CertificateVerify",
        "> Finished",
        "write application",
        "ChangeCipherSpecReceived",
        "< Finished",
        "read application"
      ])
    })
  )

  one("log the same keys on both sides, in NSS's form", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      yield* harness
        .connected()
        .pipe(Effect.provide(Layer.succeed(KeyLog, { write: (line) => Effect.sync(() => void lines.push(line)) })))
      assert.lengthOf(lines, 10)
      assert.lengthOf(new Set(lines), 5)
      for (const line of lines) assert.match(line, /^[A-Z_0-9]+ [0-9a-f]{64} [0-9a-f]{64}$/)
      assert.sameMembers(
        [...new Set(lines)].map((line) => line.split(" ")[0]),
        [
          "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
          "SERVER_HANDSHAKE_TRAFFIC_SECRET",
          "CLIENT_TRAFFIC_SECRET_0",
          "SERVER_TRAFFIC_SECRET_0",
          "EXPORTER_SECRET"
        ]
      )
    })
  )

  one("see an interrupted handshake, and why it failed", () =>
    Effect.gen(function* () {
      const failures: Array<string> = []
      const trace: HandshakeTraceService = {
        record: (role, event) => {
          if (event._tag === "HandshakeFailed") failures.push(`${role} ${harness.label(event.error)}`)
        }
      }
      const [near] = yield* MemoryTransport.pair()
      const fiber = yield* Effect.fork(
        Effect.provide(
          TlsClient.over(near, { context: yield* harness.context() }),
          Layer.succeed(HandshakeTrace, trace)
        )
      )
      yield* Effect.repeatN(Effect.yieldNow(), 5)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(failures, ["client HandshakeError/Interrupted/negotiation"])
    })
  )
})
