/** What is counted and traced of handshakes, and that nothing is traced where nobody looks. */
import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { assertNone } from "@effect/vitest/utils"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as MetricLabel from "effect/MetricLabel"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import type { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import * as Identities from "../../src/core/Identity.ts"
import * as SecureContexts from "../../src/core/SecureContext.ts"
import * as TlsClient from "../../src/core/TlsClient.ts"
import * as TlsMetrics from "../../src/core/TlsMetrics.ts"
import * as TlsServer from "../../src/core/TlsServer.ts"
import type { Transport } from "../../src/core/Transport.ts"
import * as MemoryTransport from "../../src/layers/MemoryTransport.ts"
import * as NodeSecureContext from "../../src/layers/NodeSecureContext.ts"
import * as Endpoint from "../../src/schema/Endpoint.ts"
import { CertificateError } from "../../src/schema/TlsError.ts"
import * as harness from "../support/harness.ts"
import * as identities from "../support/identities.ts"

const scoped = (name: string, body: () => Effect.Effect<unknown, unknown, CryptoProvider | Scope.Scope | Transport>) =>
  it.scoped(name, () => body().pipe(Effect.provide(harness.layer)))

const refusing = harness.verifier(() =>
  Effect.fail(new CertificateError({ reason: "Expired", message: "expired", depth: 0, chain: [] }))
)

/** Counted under a label of the test's own, since metrics are the process's. */
const labelled = <A, E, R>(test: string, effect: Effect.Effect<A, E, R>) => Effect.tagMetrics(effect, "test", test)

const handshakes = (test: string, side: string, result: string, version: string) =>
  TlsMetrics.handshakes.pipe(
    Metric.tagged("side", side),
    Metric.tagged("result", result),
    Metric.tagged("version", version),
    Metric.tagged("test", test),
    Metric.value,
    Effect.map(({ count }) => count)
  )

describe("metrics", () => {
  scoped("count handshakes by side, result and version, with the fiber's labels", () =>
    Effect.gen(function* () {
      yield* labelled("count", harness.connected())
      yield* labelled("count", harness.connected())
      yield* Effect.flip(labelled("count", harness.connected({ client: yield* harness.context({}, refusing) })))
      assert.strictEqual(yield* handshakes("count", "client", "ok", "TLSv1.3"), 2)
      assert.strictEqual(yield* handshakes("count", "server", "ok", "TLSv1.3"), 2)
      assert.strictEqual(yield* handshakes("count", "client", "CertificateError", "none"), 1)
    })
  )

  scoped("know how many connections are open", () =>
    Effect.gen(function* () {
      const open = TlsMetrics.openConnections.pipe(
        Metric.tagged("side", "client"),
        Metric.tagged("test", "open"),
        Metric.value,
        Effect.map(({ value }) => value)
      )
      const scope = yield* Scope.make()
      yield* labelled("open", Scope.extend(harness.connected(), scope))
      yield* labelled("open", Scope.extend(harness.connected(), scope))
      assert.strictEqual(yield* open, 2)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* open, 0)
    })
  )

  it.live("have the duration of what succeeded, in seconds", () =>
    Effect.gen(function* () {
      yield* labelled("duration", harness.connected())
      const { count, max, min } = yield* TlsMetrics.handshakeDuration.pipe(
        Metric.tagged("side", "server"),
        Metric.tagged("test", "duration"),
        Metric.value
      )
      assert.strictEqual(count, 1)
      assert.strictEqual(min, max)
      assert.isAbove(min, 0.000_01)
      assert.isBelow(max, 10)
    }).pipe(Effect.scoped, Effect.provide(harness.layer))
  )

  const never = Date.UTC(9999, 11, 31, 23, 59, 59) / 1000
  const expiryOf = (subject: string, key = "P-256") =>
    TlsMetrics.certificateExpiry.pipe(
      Metric.tagged("subject", `CN=${subject}`),
      Metric.tagged("key", key),
      Metric.tagged("test", "expiry"),
      Metric.value,
      Effect.map(({ value }) => value)
    )
  const expiry = Date.UTC(2040, 0, 1) / 1000

  for (const [how, load] of [
    ["of a context", (options) => SecureContexts.make({ identity: options })],
    ["made by itself", Identities.make],
    [
      "of Node's options",
      (options) => NodeSecureContext.fromNode({ cert: options.certificateChain, key: options.privateKey })
    ]
  ] satisfies ReadonlyArray<
    readonly [
      string,
      (options: identities.Made["options"]) => Effect.Effect<unknown, unknown, CryptoProvider | Scope.Scope>
    ]
  >) {
    scoped(`have the expiry of each identity, as long as it is held: one ${how}`, () =>
      Effect.gen(function* () {
        const subject = `expiry ${how}`
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* labelled<unknown, unknown, CryptoProvider | Scope.Scope>(
              "expiry",
              load(identities.makeSync({ subject }).options)
            )
            assert.strictEqual(yield* expiryOf(subject), expiry)
          })
        )
        assert.strictEqual(yield* expiryOf(subject), never)
      })
    )
  }

  scoped("show the newest of those with one subject and kind of key", () =>
    Effect.gen(function* () {
      const subject = "renewed.test"
      const { certificate } = identities.makeSync({ subject })
      // The same names and key, for longer.
      const renewed = { ...certificate, notAfter: new Date(Date.UTC(2041, 0, 1)) } as typeof certificate
      const other = identities.makeSync({ subject, key: { _tag: "Ed25519" } }).certificate
      const [first, second] = [yield* Scope.make(), yield* Scope.make()]
      const load = (one: typeof certificate, scope: Scope.Scope) =>
        labelled("expiry", Scope.extend(TlsMetrics.identity(one), scope))
      yield* load(certificate, first)
      yield* load(renewed, second)
      yield* labelled("expiry", TlsMetrics.identity(other))
      assert.strictEqual(yield* expiryOf(subject), Date.UTC(2041, 0, 1) / 1000)
      // As when a reload fails after its load.
      yield* Scope.close(second, Exit.void)
      assert.strictEqual(yield* expiryOf(subject), expiry)
      yield* Scope.close(first, Exit.void)
      assert.strictEqual(yield* expiryOf(subject), never)
      assert.strictEqual(yield* expiryOf(subject, "Ed25519"), expiry)
    })
  )

  it("find what they count in once, not at every handshake", () => {
    const labels = () => [MetricLabel.make("test", "lookups"), MetricLabel.make("zone", "b")]
    const handshake = (own: ReadonlyArray<MetricLabel.MetricLabel>) => {
      TlsMetrics.unsafeEstablished("server", "TLSv1.3", 0.002, own)
      TlsMetrics.unsafeClosed("server", own)
    }
    handshake([])
    handshake(labels())
    const registry = Metric.globalMetricRegistry
    const get = registry.get.bind(registry)
    let lookups = 0
    registry.get = ((key: Parameters<typeof get>[0]) => {
      lookups++
      return get(key)
    }) as typeof get
    try {
      for (let i = 0; i < 10; i++) {
        handshake([])
        handshake(labels())
      }
      assert.strictEqual(lookups, 0)
      handshake([MetricLabel.make("test", "other lookups")])
      assert.strictEqual(lookups, 3)
    } finally {
      delete (registry as Partial<typeof registry>).get
    }
  })

  scoped("labels that look alike when they are put together are not the same", () =>
    Effect.gen(function* () {
      for (const [key, value] of [
        ["a", "1:b"],
        ["a1:", "b"],
        ["a", "1:b"]
      ] as const) {
        yield* Effect.tagMetrics(harness.connected(), { test: "alike", [key]: value })
      }
      const count = (key: string, value: string) =>
        TlsMetrics.openConnections.pipe(
          Metric.taggedWithLabels(
            [
              ["side", "client"],
              ["test", "alike"],
              [key, value]
            ].map(([k, v]) => MetricLabel.make(k!, v!))
          ),
          Metric.value,
          Effect.map((state) => state.value)
        )
      assert.deepStrictEqual([yield* count("a", "1:b"), yield* count("a1:", "b")], [2, 1])
    })
  )
})

interface SpanSeen {
  readonly name: string
  readonly parent: string | undefined
  readonly kind: Tracer.SpanKind
  readonly attributes: Map<string, unknown>
  readonly exit: Exit.Exit<unknown, unknown> | undefined
}

/** A tracer that keeps what it is told. */
const recorder = () => {
  const spans: Array<{ -readonly [K in keyof SpanSeen]: SpanSeen[K] }> = []
  const tracer = Tracer.make({
    span: (name, parent, context, links, startTime, kind) => {
      const seen: (typeof spans)[number] = {
        name,
        parent: Option.getOrUndefined(parent)?.spanId,
        kind,
        attributes: new Map<string, unknown>(),
        exit: undefined
      }
      spans.push(seen)
      return {
        _tag: "Span",
        name,
        spanId: `${name} ${kind}`,
        traceId: "trace",
        parent,
        context: Context.isContext(context) ? context : Context.empty(),
        status: { _tag: "Started", startTime },
        attributes: seen.attributes,
        links,
        sampled: true,
        kind,
        end: (_, exit) => {
          seen.exit = exit
        },
        attribute: (key, value) => void seen.attributes.set(key, value),
        event: () => {},
        addLinks: () => {}
      }
    },
    context: (f) => f()
  })
  return { spans, layer: Layer.setTracer(tracer), of: (name: string) => spans.filter((span) => span.name === name) }
}

describe("spans", () => {
  scoped("a handshake is one, with OpenTelemetry's names, and holds verification and signing", () =>
    Effect.gen(function* () {
      const { layer, of, spans } = recorder()
      const server = yield* harness.serverContext({ protocol: { alpn: ["h2"] } })
      const client = yield* harness.context({ protocol: { alpn: ["h2"], groups: ["x25519"] } })
      yield* Effect.provide(harness.connected({ client, server, serverName: "localhost" }), layer)
      const [clientSpan, serverSpan] = ["client", "server"].map((kind) =>
        of("tls.handshake").find((span) => span.kind === kind)
      )
      assert.deepInclude(Object.fromEntries(clientSpan!.attributes), {
        "tls.established": true,
        "tls.protocol.name": "tls",
        "tls.protocol.version": "1.3",
        "tls.cipher": "TLS_AES_128_GCM_SHA256",
        "tls.curve": "x25519",
        "tls.next_protocol": "h2",
        "tls.resumed": false,
        "server.address": "localhost",
        "tls.server.subject": "CN=localhost",
        "tls.server.issuer": "CN=localhost",
        "tls.server.not_before": "2020-01-01T00:00:00.000Z",
        "tls.server.not_after": "2040-01-01T00:00:00.000Z",
        "tls.server.hash.sha256": createHash("sha256")
          .update(identities.server.certificate.der)
          .digest("hex")
          .toUpperCase()
      })
      assert.isFalse(serverSpan!.attributes.has("tls.client.subject"))
      assert.deepStrictEqual(
        of("tls.verify").map(({ attributes, parent }) => [parent, attributes.get("tls.verifier")]),
        [["tls.handshake client", "test"]]
      )
      assert.deepStrictEqual(
        of("tls.sign").map(({ attributes, parent }) => [parent, attributes.get("tls.signature_scheme")]),
        [["tls.handshake server", "ecdsa_secp256r1_sha256"]]
      )
      assert.isTrue(spans.every(({ exit }) => exit !== undefined && Exit.isSuccess(exit)))
    })
  )

  scoped("one that fails ends with its error", () =>
    Effect.gen(function* () {
      const { layer, of } = recorder()
      const client = yield* harness.context({}, refusing)
      yield* Effect.flip(Effect.provide(harness.connected({ client, serverName: "localhost" }), layer))
      const span = of("tls.handshake").find(({ kind }) => kind === "client")!
      assert.deepStrictEqual(Object.fromEntries(span.attributes), {
        "server.address": "localhost",
        "tls.established": false,
        "error.type": "CertificateError.Expired",
        "tls.phase": "authentication"
      })
      assert.strictEqual((harness.errorOf(span.exit!) as CertificateError).reason, "Expired")
      assert.isTrue(Exit.isFailure(of("tls.verify")[0]!.exit!))
    })
  )

  scoped("one that is interrupted, dies or runs out of time says so", () =>
    Effect.gen(function* () {
      const { layer, of } = recorder()
      const dying = harness.verifier(() => Effect.die("a defect"))
      yield* Effect.flip(Effect.provide(harness.connected({ client: yield* harness.context({}, dying) }), layer))
      const [interrupted, late] = yield* Effect.all(
        [1, 2].map(() =>
          Effect.flatMap(MemoryTransport.pair(), ([ours]) =>
            Effect.flatMap(harness.context(), (context) => TlsClient.over(ours, { context }))
          ).pipe(Effect.provide(layer), Effect.fork)
        )
      )
      yield* harness.settle(late!, 3)
      yield* Fiber.interrupt(interrupted!)
      yield* harness.finish(late!)
      assert.deepStrictEqual(
        of("tls.handshake")
          .filter(({ kind }) => kind === "client")
          .map(({ attributes }) => attributes.get("error.type")),
        ["HandshakeError.HookFailed", "Interrupted", "TlsTimeoutError.Handshake"]
      )
    })
  )

  scoped("an address and its port are two things", () =>
    Effect.gen(function* () {
      const { layer, of } = recorder()
      const endpoint = Endpoint.tcp("localhost", 8443)
      const context = yield* harness.serverContext()
      yield* TlsServer.serve({ endpoint, context, handler: () => Effect.void })
      yield* Effect.provide(TlsClient.connect(endpoint, { context: yield* harness.context() }), layer)
      assert.deepInclude(Object.fromEntries(of("tls.handshake")[0]!.attributes), {
        "network.peer.address": "localhost",
        "network.peer.port": 8443
      })
    })
  )

  scoped("there are none where nobody looks", () =>
    Effect.gen(function* () {
      const seen: Array<Option.Option<Tracer.Span>> = []
      const watching = harness.verifier(({ certificates }) =>
        Effect.map(Effect.option(Effect.currentSpan), (span) => {
          seen.push(span)
          return { path: certificates, vouchedBy: "test" }
        })
      )
      yield* harness.connected({ client: yield* harness.context({}, watching) })
      assert.lengthOf(seen, 1)
      assertNone(seen[0]!)
    })
  )
})
