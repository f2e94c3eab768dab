import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, TestClock } from "effect"
import * as CertificateBuilder from "../../src/core/CertificateBuilder.ts"
import { make, revoke } from "../../src/core/CertificateRevocationListBuilder.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"

describe("CertificateRevocationListBuilder.revoke", () => {
  it.effect("makes the first CRL, and the next with all that was revoked before", () =>
    Effect.gen(function* () {
      const ca = yield* CertificateBuilder.authority({ subject: { CN: "CA" } })
      const [a, b, c] = yield* Effect.all(
        ["a", "b", "c"].map((name) => CertificateBuilder.issue(ca, { names: [name] }))
      )
      const first = yield* revoke(
        ca.identity,
        undefined,
        [
          { certificate: a!.certificate, reason: "superseded" },
          { certificate: b!.certificate, reason: "certificateHold" }
        ],
        { number: 7n, issuingDistributionPoint: { onlyContainsUserCerts: true } }
      )
      yield* TestClock.adjust(Duration.seconds(3))
      const next = yield* revoke(ca.identity, first, [
        { certificate: a!.certificate, reason: "keyCompromise" },
        { certificate: b!.certificate, reason: "keyCompromise" },
        { serial: c!.certificate.serial }
      ])
      assert.strictEqual(next.number, 8n)
      assert.strictEqual(next.extension("IssuingDistributionPoint")?.onlyContainsUserCerts, true)
      const found = [a, b, c].map((one) => next.find(one!.certificate.serial))
      assert.deepStrictEqual(
        found.map((entry) => [entry?.reason, entry?.revocationDate.getTime()]),
        [
          ["superseded", 0],
          ["keyCompromise", 3000],
          [undefined, 3000]
        ]
      )
      assert.strictEqual(next.size, 3)
      yield* TestClock.adjust(Duration.seconds(10))
      assert.strictEqual((yield* revoke(ca.identity, next, [])).number, 13n)
    }).pipe(Effect.provide(NodeCrypto.layer))
  )

  it.effect("refuses what is not the issuer's last complete CRL", () =>
    Effect.gen(function* () {
      const ca = yield* CertificateBuilder.authority({ subject: { CN: "CA" } })
      const namesake = yield* CertificateBuilder.authority({ subject: { CN: "CA" } })
      const other = yield* CertificateBuilder.authority({ subject: { CN: "Other" }, key: ca.identity.privateKey })
      const message = (...args: Parameters<typeof revoke>) =>
        Effect.map(Effect.flip(revoke(...args)), (error) => error.message)
      const first = yield* make(ca.identity, { number: 1n })
      assert.strictEqual(yield* message(namesake.identity, first, []), 'previous: "CN=CA" did not sign it')
      assert.strictEqual(yield* message(other.identity, first, []), 'previous: "CN=Other" did not sign it')
      const delta = yield* make(ca.identity, { number: 2n, deltaOf: 1n })
      assert.strictEqual(
        yield* message(ca.identity, delta, []),
        "previous: it is a delta CRL: a complete one is needed"
      )
      assert.strictEqual(
        yield* message(ca.identity, first, [{ reason: "superseded" }]),
        "revoked[0]: either `certificate` or `serial` says whose entry it is"
      )
      assert.include(yield* message(ca.identity, first, [{ serial: 1 } as never]), "[0].serial")
    }).pipe(Effect.provide(NodeCrypto.layer))
  )
})
