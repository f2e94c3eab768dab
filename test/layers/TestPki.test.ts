import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, Layer, Stream, TestClock } from "effect"
import * as SecureContext from "../../src/core/SecureContext.ts"
import * as TlsClient from "../../src/core/TlsClient.ts"
import * as TlsServer from "../../src/core/TlsServer.ts"
import * as DeterministicCrypto from "../../src/layers/DeterministicCrypto.ts"
import * as MemoryTransport from "../../src/layers/MemoryTransport.ts"
import * as NobleCrypto from "../../src/layers/NobleCrypto.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import * as TestPki from "../../src/layers/TestPki.ts"
import * as Endpoint from "../../src/schema/Endpoint.ts"
import * as GeneralName from "../../src/schema/GeneralName.ts"
import * as PublicKey from "../../src/schema/PublicKey.ts"

/** What a client says to a server with this chain. */
const verdict = (pki: TestPki.TestPkiService, chain: TestPki.TestChain, crls = pki.crls) =>
  Effect.gen(function* () {
    const { address } = yield* TlsServer.serve({
      endpoint: Endpoint.tcp("127.0.0.1", 0),
      context: SecureContext.withIdentity(SecureContext.empty, chain.identity),
      handler: (connection) => Effect.ignore(Stream.run(connection.stream, connection.sink))
    })
    const context = yield* SecureContext.make({
      trust: { anchors: pki.trust, ...(crls.length === 0 ? {} : { revocation: { crls } }) }
    })
    const result = yield* Effect.either(TlsClient.connect(address, { context, serverName: "localhost" }))
    return Either.match(result, {
      onLeft: (error) => (error._tag === "CertificateError" ? error.reason : error.message),
      onRight: () => undefined
    })
  }).pipe(Effect.scoped)

for (const [name, crypto] of [
  ["node", NodeCrypto.layer],
  ["noble", NobleCrypto.layer],
  ["deterministic", DeterministicCrypto.layer("TestPki")]
] as const) {
  describe(`TestPki with ${name}`, () => {
    it.effect("has chains of which each is refused for its own reason, in 1970 and today", () =>
      Effect.gen(function* () {
        for (const time of [0, Date.UTC(2026, 10, 21)]) {
          yield* TestClock.setTime(time)
          const pki = yield* TestPki.make()
          for (const [what, chain] of Object.entries(pki.chains)) {
            assert.strictEqual(yield* verdict(pki, chain), chain.refusal, what)
          }
          // Without CRLs nobody knows.
          assert.isUndefined(yield* verdict(pki, pki.chains.revoked, []))
        }
      }).pipe(Effect.provide(Layer.merge(crypto, MemoryTransport.layer)))
    )
  })
}

describe("TestPki", () => {
  const bytes = Effect.map(TestPki.make(), ({ chains, crls, root }) => [
    root.certificate.der,
    ...crls.map(({ der }) => der),
    ...Object.values(chains).flatMap(({ identity }) => identity.certificateChain.map(({ der }) => der))
  ])

  it.effect("is the same to the byte with the same seed", () =>
    Effect.gen(function* () {
      const [first, second, other] = yield* Effect.all(
        ["a", "a", "b"].map((seed) => Effect.provide(bytes, DeterministicCrypto.layer(seed)))
      )
      assert.deepStrictEqual(first, second)
      for (const [i, der] of first!.entries()) assert.notDeepEqual(der, other![i])
    })
  )

  it.effect("does as told", () =>
    Effect.gen(function* () {
      const { chains, root } = yield* TestPki.TestPki
      const leaf = chains.good.identity.certificateChain[0]
      assert.deepStrictEqual(leaf.subjectAltNames.map(GeneralName.format), ["DNS:a.test"])
      assert.strictEqual(PublicKey.format(root.certificate.publicKey), "Ed25519")
      assert.strictEqual(PublicKey.format(chains.weakKey.identity.certificateChain[0].publicKey), "RSA 1024")
      const error = yield* Effect.flip(TestPki.make({ name: "a" } as TestPki.Options))
      assert.include(error.message, "name: is unexpected")
    }).pipe(
      Effect.provide(TestPki.layer({ names: ["a.test"], key: { _tag: "Ed25519" } })),
      Effect.provide(NodeCrypto.layer)
    )
  )
})
