import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as CertificateBuilder from "../../src/core/CertificateBuilder.ts"
import type { Conformance } from "../../src/core/CertificateRules.ts"
import type { CrlOptions } from "../../src/core/CertificateRevocationListBuilder.ts"
import * as CrlBuilder from "../../src/core/CertificateRevocationListBuilder.ts"
import { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import * as TrustStore from "../../src/core/TrustStore.ts"
import * as Verifier from "../../src/core/Verifier.ts"
import type { CertificateRevocationList } from "../../src/schema/CertificateRevocationList.ts"
import * as CertificateRevocationLists from "../../src/schema/CertificateRevocationList.ts"
import * as CertificateExtension from "../../src/schema/CertificateExtension.ts"
import * as Der from "../../src/schema/Der.ts"
import * as Limits from "../../src/schema/Limits.ts"
import { oids } from "../../src/schema/ObjectIdentifier.ts"
import * as SignatureScheme from "../../src/schema/SignatureScheme.ts"
import { crypto } from "../support/identities.ts"

const now = Date.UTC(2030, 0, 1)
const clock: Clock.Clock = { ...Clock.make(), currentTimeMillis: Effect.succeed(now) }
const run = <A, E>(effect: Effect.Effect<A, E, CryptoProvider>): A =>
  Effect.runSync(Effect.withClock(Effect.provideService(effect, CryptoProvider, crypto), clock))
const key = { _tag: "Ed25519" } as const

const ca = run(CertificateBuilder.authority({ subject: { CN: "Root" }, key }))
const leaf = run(CertificateBuilder.issue(ca, { names: ["leaf.example"], key }))
const crl = (options: CrlOptions = {}): CertificateRevocationList => run(CrlBuilder.make(ca.identity, options))
const revoking = { revoked: [{ certificate: leaf.certificate }] }

/** The builder numbers every CRL: this one has no extension but for its issuer's key identifier. */
const unnumbered = (): CertificateRevocationList =>
  run(
    Effect.gen(function* () {
      const list = crl()
      const elements = Either.getOrThrow(
        Der.decode("TBSCertList", (reader) => reader.sequenceOf((item) => item.element()))(list.tbs)
      )
      const identifier = CertificateExtension.encode(list.extension("AuthorityKeyIdentifier")!)
      const tbs = Der.sequence(...elements.slice(0, -1), Der.value(0xa0, Der.sequence(identifier)))
      const signature = yield* ca.identity.privateKey.sign({ _tag: "Ed25519" }, tbs)
      const { der } = list.signatureAlgorithm
      return yield* CertificateRevocationLists.decode(Der.sequence(tbs, der, Der.bitString(signature)))
    })
  )

/** `good`, or the error's code and what it says of the CRL. */
const verdict = (conformance: Conformance, ...crls: ReadonlyArray<CertificateRevocationList>): string => {
  const verifier = Verifier.webPki(TrustStore.fromCertificates([ca.certificate]), { conformance, revocation: { crls } })
  return run(
    Effect.match(
      verifier.verify({
        role: "server",
        certificates: [leaf.certificate],
        serverName: Option.none(),
        signatureSchemes: SignatureScheme.registry.map(({ code }) => code),
        limits: Limits.defaults
      }),
      { onFailure: ({ code, message }) => `${code}: ${message}`, onSuccess: () => "good" }
    )
  )
}

describe("CrlValidation's conformance", () => {
  it("accepts in practice and refuses by the profile what RFC 5280 §5.2 forbids without harm", () => {
    assert.strictEqual(verdict("rfc5280", crl()), "good")
    const refused = (extension: NonNullable<CrlOptions["extensions"]>[number], problem: string) => {
      const odd = crl({ extensions: [extension] })
      assert.strictEqual(verdict("practice", odd), "good")
      assert.strictEqual(verdict("algorithm", odd), "good")
      const strict = verdict("rfc5280", odd)
      assert.include(strict, "UNABLE_TO_GET_CRL: ")
      assert.include(strict, problem)
    }
    refused({ oid: oids.cRLNumber, critical: true, value: Der.integer(1) }, "its number is critical")
    refused(
      { oid: oids.authorityKeyIdentifier, critical: false, value: Der.sequence() },
      "it has no authority key identifier"
    )
    assert.strictEqual(verdict("practice", unnumbered()), "good")
    assert.include(verdict("rfc5280", unnumbered()), "it has no number")
    const users = Der.sequence(Der.value(0x81, Uint8Array.of(0xff)))
    refused(
      { oid: oids.issuingDistributionPoint, critical: false, value: users },
      "its issuing distribution point is not critical"
    )
  })

  it("leaves a delta aside that does not conform", () => {
    const base = crl({ number: 1n })
    assert.include(verdict("rfc5280", base, crl({ number: 3n, deltaOf: 1n, ...revoking })), "CERT_REVOKED")
    const lax = { oid: oids.deltaCRLIndicator, critical: false, value: Der.integer(1) }
    const delta = crl({ number: 3n, extensions: [lax], ...revoking })
    assert.include(verdict("practice", base, delta), "CERT_REVOKED")
    assert.strictEqual(verdict("rfc5280", base, delta), "good")
  })
})
