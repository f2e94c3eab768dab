/** Contexts as layers and from Configs, and what holds for a whole fiber. */
import { assert, describe, it } from "@effect/vitest"
import { assertNone, assertSome } from "@effect/vitest/utils"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import * as CallContext from "../../src/core/CallContext.ts"
import * as ContextLayer from "../../src/core/ContextLayer.ts"
import * as SecureContexts from "../../src/core/SecureContext.ts"
import * as ServerNameSelection from "../../src/core/ServerNameSelection.ts"
import * as TlsClient from "../../src/core/TlsClient.ts"
import * as TlsServer from "../../src/core/TlsServer.ts"
import * as TrustStore from "../../src/core/TrustStore.ts"
import * as Verifier from "../../src/core/Verifier.ts"
import * as MemoryTransport from "../../src/layers/MemoryTransport.ts"
import { TlsConfigError } from "../../src/schema/TlsError.ts"
import * as harness from "../support/harness.ts"
import * as identities from "../support/identities.ts"

const { server: made } = identities

const environment = (entries: ReadonlyArray<readonly [string, string]>) =>
  Layer.setConfigProvider(ConfigProvider.fromMap(new Map(entries)))

describe("from Configs", () => {
  const anchors = TrustStore.fromCertificates([made.certificate])
  const selectAlpn = () => Effect.succeedNone
  const options = {
    identity: [
      { certificateChain: Config.nonEmptyString("TLS_CERTIFICATE"), privateKey: Config.redacted("TLS_KEY") },
      // Plain values: bytes, a signer, a function, a store, undefined-free structures.
      { certificateChain: [made.certificate.der], privateKey: made.privateKey }
    ],
    protocol: {
      alpn: Config.array(Config.nonEmptyString(), "TLS_ALPN"),
      maxFragment: 512,
      handshakeTimeout: Config.duration("TLS_TIMEOUT")
    },
    selectAlpn,
    trust: { anchors }
  }

  it.scoped("takes Configs and plain values side by side", () =>
    Effect.gen(function* () {
      const context = yield* ContextLayer.fromConfig(options)
      assert.lengthOf(context.identities, 2)
      assert.strictEqual(context.identities[1]!.privateKey, made.privateKey)
      assert.deepStrictEqual(context.protocol.alpn, ["h2", "http/1.1"])
      assert.strictEqual(context.protocol.maxFragment, 512)
      assert.strictEqual(context.selectAlpn, selectAlpn)
      assert.strictEqual(context.trust.anchors, anchors)
    }).pipe(
      Effect.provide(
        Layer.merge(
          harness.layer,
          environment([
            ["TLS_CERTIFICATE", made.certificatePem],
            ["TLS_KEY", made.keyPem],
            ["TLS_ALPN", "h2,http/1.1"],
            ["TLS_TIMEOUT", "3 seconds"]
          ])
        )
      )
    )
  )

  it.scoped("says everything that is missing at once, and no secret", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(ContextLayer.fromConfig(options))
      assert.notInstanceOf(error, TlsConfigError)
      const text = JSON.stringify(error)
      for (const missing of ["TLS_CERTIFICATE", "TLS_KEY", "TLS_TIMEOUT"]) assert.include(text, missing)
      assert.notInclude(text, made.keyPem.slice(60, 90))
    }).pipe(Effect.provide(Layer.merge(harness.layer, environment([["TLS_ALPN", "h2"]]))))
  )

  for (const [what, plain, message] of [
    ["nothing", undefined, /^expected options/],
    ["null", null, /^expected options/],
    ["text", "options", /^expected options/],
    ["a number in a field", { identity: 7 }, /identity/],
    [
      "a circle",
      (() => {
        const circle: Record<string, unknown> = {}
        circle["identity"] = circle
        return circle
      })(),
      /identity/
    ],
    [
      "a circle of which every part leads back to all",
      (() => {
        const circle: Record<string, unknown> = {}
        for (let i = 0; i < 12; i++) circle[`part${i}`] = circle
        return circle
      })(),
      /^part0: is unexpected/
    ],
    [
      "what throws when it is looked at",
      {
        get identity() {
          throw new Error("a secret")
        }
      },
      /^the options cannot be read: looking at them throws$/
    ],
    [
      "what cannot even be asked what it is",
      (() => {
        const { proxy, revoke } = Proxy.revocable({}, {})
        revoke()
        return proxy
      })(),
      /^the options cannot be read/
    ]
  ] as const) {
    it.scoped(`refuses ${what} like any wrong option`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(ContextLayer.fromConfig(plain as never))
        assert.instanceOf(error, TlsConfigError)
        assert.match(error.message, message)
      }).pipe(Effect.provide(harness.layer))
    )
  }

  it.scoped("finds Configs in a circle, and beside holes", () =>
    Effect.gen(function* () {
      const circle: Record<string, unknown> = {
        protocol: { alpn: Object.assign(Array<unknown>(2), { 1: Config.string("ALPN") }) }
      }
      circle["identity"] = circle
      const error = yield* Effect.flip(ContextLayer.fromConfig(circle as never))
      assert.notInstanceOf(error, TlsConfigError)
      assert.include(JSON.stringify(error), "ALPN")
      const told = Layer.merge(harness.layer, environment([["ALPN", "h2"]]))
      const wrong = yield* Effect.flip(Effect.provide(ContextLayer.fromConfig(circle as never), told))
      assert.instanceOf(wrong, TlsConfigError)
      assert.match(wrong.message, /^protocol\.alpn\[0\]: /m)
      assert.match(wrong.message, /^identity/m)
    }).pipe(Effect.provide(Layer.merge(harness.layer, environment([]))))
  )

  it.scoped("a whole context from one Config", () =>
    Effect.gen(function* () {
      const context = yield* ContextLayer.fromConfig(
        Config.map(Config.nonEmptyString("ALPN"), (alpn) => ({ protocol: { alpn: [alpn] } }))
      )
      assert.deepStrictEqual(context.protocol.alpn, ["h2"])
    }).pipe(Effect.provide(Layer.merge(harness.layer, environment([["ALPN", "h2"]]))))
  )
})

describe("what holds for a fiber", () => {
  it.scoped("is what calls beneath go by, where they say nothing else", () =>
    Effect.gen(function* () {
      const { client, server: accepted } = yield* harness.connected({
        server: SecureContexts.empty,
        client: yield* harness.context()
      })
      assertSome(client.info.alpn, "h2")
      assertSome(accepted.info.alpn, "h2")
      assert.strictEqual(client.info.cipherSuite, "TLS_AES_256_GCM_SHA384")
      // What a call says goes first.
      const { client: other } = yield* harness.connected({
        server: SecureContexts.empty,
        client: yield* harness.context({ protocol: { alpn: ["other", "h2"] } })
      })
      assertSome(other.info.alpn, "h2")
    }).pipe(
      Effect.provide(
        ContextLayer.layer({
          identity: made.options,
          protocol: { alpn: ["h2"], cipherSuites: ["TLS_AES_256_GCM_SHA384"] }
        })
      ),
      Effect.provide(harness.layer)
    )
  )

  it.scoped("ends with the fiber's part that it was said for", () =>
    Effect.gen(function* () {
      const server = yield* harness.serverContext({ protocol: { alpn: ["h2"] } })
      const connect = harness.connected({ server })
      const inside = yield* Effect.provideService(
        connect,
        CallContext.CurrentContext,
        SecureContexts.withAlpn(SecureContexts.empty, ["h2"])
      )
      const outside = yield* connect
      assertSome(inside.client.info.alpn, "h2")
      assertNone(outside.client.info.alpn)
    }).pipe(Effect.provide(harness.layer))
  )

  it.scoped(
    "a call's application protocols hold for every name, whatever the context says that is selected for it",
    () =>
      Effect.gen(function* () {
        const named = yield* harness.serverContext({ protocol: { alpn: ["http/1.1"] } })
        const others = yield* harness.serverContext()
        const atOnce = yield* ServerNameSelection.select(others, [["localhost", named]])
        const choosing = SecureContexts.withAlpnSelector(named, () => Effect.succeedNone)
        const later = SecureContexts.withContextSelector(others, () =>
          Effect.as(Effect.yieldNow(), Option.some(choosing))
        )
        const client = yield* harness.context({ protocol: { alpn: ["http/1.1", "h2"] } })
        for (const server of [atOnce, later]) {
          const [clientEnd, serverEnd] = yield* MemoryTransport.pair()
          const accepting = yield* Effect.fork(TlsServer.over(serverEnd, { context: server, alpn: ["h2"] }))
          yield* TlsClient.over(clientEnd, { context: client, serverName: "localhost" })
          assertSome((yield* Fiber.join(accepting)).info.alpn, "h2")
        }
      }).pipe(Effect.provide(harness.layer))
  )

  it.scoped("anchors that a call names go before a verifier of the fiber, which would not know of them", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(harness.now)
      const server = yield* harness.serverContext()
      const careless = SecureContexts.withVerifier(SecureContexts.empty, Verifier.dangerouslySkipVerification)
      const calls = [
        [made.certificate, "Verified"],
        [identities.client.certificate, "CertificateError"],
        [undefined, "Unverified"]
      ] as const
      for (const [anchors, expected] of calls) {
        const [clientEnd, serverEnd] = yield* MemoryTransport.pair()
        yield* Effect.fork(TlsServer.over(serverEnd, { context: server }))
        const outcome = yield* TlsClient.over(clientEnd, {
          context: yield* SecureContexts.make(anchors === undefined ? {} : { trust: { anchors } }),
          serverName: "localhost"
        }).pipe(
          Effect.provideService(CallContext.CurrentContext, careless),
          Effect.match({ onFailure: ({ _tag }) => _tag, onSuccess: ({ info }) => info.peer._tag })
        )
        assert.strictEqual(outcome, expected)
      }
    }).pipe(Effect.provide(harness.layer))
  )
})
