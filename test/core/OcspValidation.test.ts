import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { CertificateOptions, Issued } from "../../src/core/CertificateBuilder.ts"
import * as CertificateBuilder from "../../src/core/CertificateBuilder.ts"
import type { CryptoProviderService } from "../../src/core/CryptoProvider.ts"
import { CryptoError, CryptoProvider } from "../../src/core/CryptoProvider.ts"
import type { Identity } from "../../src/core/Identity.ts"
import * as CertificateId from "../../src/core/OcspCertificateId.ts"
import type { OcspOptions } from "../../src/core/OcspResponseBuilder.ts"
import * as OcspResponseBuilder from "../../src/core/OcspResponseBuilder.ts"
import type { VerifyOptions } from "../../src/core/OcspValidation.ts"
import * as OcspValidation from "../../src/core/OcspValidation.ts"
import * as AlgorithmIdentifier from "../../src/schema/AlgorithmIdentifier.ts"
import * as CertificateExtension from "../../src/schema/CertificateExtension.ts"
import * as Der from "../../src/schema/Der.ts"
import * as Limits from "../../src/schema/Limits.ts"
import * as ObjectIdentifier from "../../src/schema/ObjectIdentifier.ts"
import * as Ocsp from "../../src/schema/Ocsp.ts"
import type { OcspResponse } from "../../src/schema/OcspResponse.ts"
import * as OcspResponses from "../../src/schema/OcspResponse.ts"
import * as SignatureScheme from "../../src/schema/SignatureScheme.ts"
import * as identities from "../support/identities.ts"

const { oids } = ObjectIdentifier
const now = Date.UTC(2030, 0, 1)
const hour = 3_600_000
const day = 24 * hour
const ed: CertificateOptions["key"] = { _tag: "Ed25519" }
const always = { notBefore: new Date(now - 100 * day), notAfter: new Date(now + 100 * day) }
const at = (time: number): Clock.Clock => ({ ...Clock.make(), currentTimeMillis: Effect.succeed(time) })

const run = <A, E>(
  effect: Effect.Effect<A, E, CryptoProvider>,
  { crypto = identities.crypto, time = now }: { readonly crypto?: CryptoProviderService; readonly time?: number } = {}
): A => Effect.runSync(Effect.withClock(Effect.provideService(effect, CryptoProvider, crypto), at(time)))

const rootOf = (CN = "Root"): Issued => run(CertificateBuilder.authority({ subject: { CN }, key: ed, ...always }))
const leafOf = (ca: Issued, options: CertificateOptions = {}): Issued =>
  run(CertificateBuilder.issue(ca, { names: ["leaf.example"], key: ed, ...always, ...options }))

const ca = rootOf()
const leaf = leafOf(ca)
const good = { certificate: leaf.certificate } as const
const ocspSigning = CertificateExtension.encodeExtendedKeyUsage([oids.OCSPSigning])
const delegate = (issuer: Issued, options: CertificateOptions = {}): Issued =>
  leafOf(issuer, { names: [], subject: { CN: "Responder" }, extensions: [ocspSigning], ...options })

const make = (signer: Issued | Identity, options: Partial<OcspOptions> = {}): OcspResponse =>
  run(OcspResponseBuilder.make("identity" in signer ? signer.identity : signer, { statuses: [good], ...options }))

interface Asked extends Partial<VerifyOptions> {
  readonly time?: number
  readonly crypto?: CryptoProviderService
}

const check = (response: OcspResponse, { crypto, time, ...options }: Asked = {}) =>
  run(OcspValidation.verify(response, { certificate: leaf.certificate, issuer: ca.certificate, ...options }), {
    ...(crypto === undefined ? {} : { crypto }),
    ...(time === undefined ? {} : { time })
  })

/** `Good`, or the reason. */
const verdict = (response: OcspResponse, asked?: Asked): string => {
  const { status } = check(response, asked)
  return status._tag === "Good" ? status._tag : status.problem.reason
}
const detail = (response: OcspResponse, asked?: Asked): string => {
  const { status } = check(response, asked)
  return status._tag === "Good" ? "" : status.problem.detail
}

/** A response with the bytes of another's parts, signed by whoever has that key. */
const resigned = (signer: Issued, tbs: Uint8Array, ...rest: ReadonlyArray<Uint8Array>): OcspResponse => {
  const algorithm = { _tag: "Ed25519" } as const
  const signature = Effect.runSync(signer.identity.privateKey.sign(algorithm, tbs))
  const basic = Der.sequence(tbs, AlgorithmIdentifier.encode(algorithm), Der.bitString(signature), ...rest)
  return Either.getOrThrow(OcspResponses.decode(OcspResponses.encode({ basic })))
}

describe("OcspValidation", () => {
  it("says good, revoked with time and reason, and unknown", () => {
    const revoked = { ...good, status: "revoked", revocationDate: new Date(now - day) } as const
    assert.deepStrictEqual(check(make(ca)), { status: { _tag: "Good" }, until: now + day })
    assert.strictEqual(detail(make(ca, { statuses: [revoked] })), "it was revoked at 2029-12-31T00:00:00.000Z")
    assert.deepStrictEqual(check(make(ca, { statuses: [{ ...revoked, reason: "keyCompromise" }] })), {
      status: {
        _tag: "Revoked",
        problem: { reason: "Revoked", detail: "it was revoked at 2029-12-31T00:00:00.000Z (keyCompromise)" }
      },
      until: now + day
    })
    assert.strictEqual(
      detail(make(ca, { statuses: [{ ...revoked, reason: "certificateHold" }] })),
      "it is on hold since 2029-12-31T00:00:00.000Z"
    )
    assert.deepStrictEqual(check(make(ca, { statuses: [{ ...good, status: "unknown" }] })), {
      status: {
        _tag: "Unknown",
        problem: { reason: "OcspUnknown", detail: "the OCSP responder does not know it" }
      },
      until: undefined
    })
  })

  it("believes no answer that is none", () => {
    const response = Either.getOrThrow(OcspResponses.decode(OcspResponses.encode("tryLater")))
    assert.strictEqual(verdict(response), "OcspUnknown")
    assert.include(detail(response), "tryLater")
  })

  it.each(["SHA-1", "SHA-256", "SHA-384", "SHA-512"] as const)("knows certificates by %s", (hash) => {
    assert.strictEqual(verdict(make(ca, { hash })), "Good")
  })

  it("wants to hear about this certificate, of this issuer", () => {
    const other = leafOf(ca)
    assert.strictEqual(verdict(make(ca, { statuses: [{ certificate: other.certificate }] })), "OcspUnusable")
    assert.strictEqual(verdict(make(ca, { statuses: [{ certificate: other.certificate }, good] })), "Good")
    // One of the same name with another key, and one of the same key with another name.
    const namesake = rootOf()
    assert.strictEqual(verdict(make(namesake)), "OcspUnusable")
    const twin = run(CertificateBuilder.authority({ subject: { CN: "Twin" }, key: ca.identity.privateKey, ...always }))
    const serial = leaf.certificate.serial
    assert.strictEqual(verdict(make(twin, { statuses: [{ serial }] })), "OcspUnusable")
    assert.strictEqual(verdict(make(ca, { statuses: [{ serial }] })), "Good")
  })

  it("cannot tell by hashes that nobody has", () => {
    const { crypto } = identities
    const without: CryptoProviderService = {
      ...crypto,
      capabilities: { ...crypto.capabilities, hashes: new Set(["SHA-256"]) }
    }
    assert.strictEqual(verdict(make(ca), { crypto: without }), "OcspUnusable")
    assert.strictEqual(verdict(make(ca, { hash: "SHA-256" }), { crypto: without }), "Good")
    assert.strictEqual(
      verdict(make(ca, { hash: "SHA-256", responder: "key" }), { crypto: without }),
      "OcspBadSignature"
    )
  })

  it("holds from thisUpdate to nextUpdate, and five minutes on either side", () => {
    const response = make(ca, { thisUpdate: new Date(now), nextUpdate: new Date(now + hour) })
    const after = (ms: number) => verdict(response, { time: now + ms })
    assert.strictEqual(after(-300_000), "Good")
    assert.strictEqual(after(-300_001), "OcspNotYetValid")
    assert.strictEqual(after(hour + 300_000), "Good")
    assert.strictEqual(after(hour + 300_001), "OcspExpired")
    assert.strictEqual(verdict(response, { time: now + hour + 1, skew: 0 }), "OcspExpired")
    assert.strictEqual(verdict(response, { time: now - 1, skew: "0 seconds" }), "OcspNotYetValid")
    assert.include(detail(response, { time: now + day }), "2030-01-01T01:00:00.000Z")
  })

  it("holds for a day where nothing else is said", () => {
    const response = make(ca, { nextUpdate: "none" })
    assert.strictEqual(check(response).until, now + day)
    assert.strictEqual(verdict(response, { time: now + day + 300_000 }), "Good")
    assert.strictEqual(verdict(response, { time: now + day + 300_001 }), "OcspExpired")
  })

  it("does not take one whose end is before its beginning", () => {
    const single = OcspResponses.encodeSingle({
      certificateId: Ocsp.encodeCertificateId(CertificateId.make(identities.crypto, leaf.certificate, ca.certificate)),
      status: { _tag: "Good" },
      thisUpdate: now,
      nextUpdate: now - 1000
    })
    const name = OcspResponses.encodeResponder({ _tag: "ByName", name: ca.certificate.subject })
    const response = resigned(ca, Der.sequence(name, Ocsp.encodeTime(now), Der.sequence(single)))
    assert.strictEqual(verdict(response), "OcspUnusable")
  })

  it("goes by the newest word that is current, and by the worse of two of one age", () => {
    const dated = (before: number, status: "good" | "revoked", end = now + day) =>
      ({ ...good, status, thisUpdate: new Date(now - before), nextUpdate: new Date(end) }) as const
    assert.strictEqual(verdict(make(ca, { statuses: [dated(2, "good"), dated(hour, "revoked")] })), "Good")
    assert.strictEqual(verdict(make(ca, { statuses: [dated(hour, "revoked"), dated(2, "good")] })), "Good")
    assert.strictEqual(verdict(make(ca, { statuses: [dated(2, "good"), dated(2, "revoked")] })), "Revoked")
    const future = { ...dated(-day, "good", now + 2 * day) }
    assert.strictEqual(verdict(make(ca, { statuses: [future, dated(hour, "revoked")] })), "Revoked")
  })

  it("is not content with another's nonce", () => {
    const nonce = Uint8Array.of(1, 2, 3)
    assert.strictEqual(verdict(make(ca, { nonce }), { nonce }), "Good")
    assert.strictEqual(verdict(make(ca, { nonce }), { nonce: Uint8Array.of(1, 2, 4) }), "OcspUnusable")
    assert.strictEqual(verdict(make(ca, { nonce })), "Good")
    // Most responders answer with what they made ahead, without one (RFC 5019 §4).
    assert.strictEqual(verdict(make(ca), { nonce }), "Good")
  })

  it("does not take what is critical and not understood", () => {
    const strange = (critical: boolean) =>
      Der.sequence(
        CertificateExtension.encode({ oid: ObjectIdentifier.make("1.2.3"), critical, value: Uint8Array.of(5, 0) })
      )
    const id = Ocsp.encodeCertificateId(CertificateId.make(identities.crypto, leaf.certificate, ca.certificate))
    const name = OcspResponses.encodeResponder({ _tag: "ByName", name: ca.certificate.subject })
    const time = Ocsp.encodeTime(now)
    const single = (...rest: ReadonlyArray<Uint8Array>) =>
      Der.sequence(Der.sequence(id, Der.value(0x80), time, ...rest))
    const whole = (critical: boolean) =>
      resigned(ca, Der.sequence(name, time, single(), Der.value(0xa1, strange(critical))))
    const one = (critical: boolean) =>
      resigned(ca, Der.sequence(name, time, single(Der.value(0xa1, strange(critical)))))
    assert.deepStrictEqual(
      [whole, one].map((of) => verdict(of(false))),
      ["Good", "Good"]
    )
    assert.deepStrictEqual(
      [whole, one].map((of) => verdict(of(true))),
      ["OcspUnusable", "OcspUnusable"]
    )
  })
})

describe("OcspValidation, who signs", () => {
  it("believes the issuer by name or key, and nobody who only says so", () => {
    assert.strictEqual(verdict(make(ca, { responder: "key" })), "Good")
    const impostor: Identity = { certificateChain: ca.identity.certificateChain, privateKey: leaf.identity.privateKey }
    assert.strictEqual(verdict(make(impostor)), "OcspBadSignature")
    assert.strictEqual(verdict(make(impostor, { responder: "key" })), "OcspBadSignature")
  })

  it("does not believe one whose bytes were changed", () => {
    const { der } = make(ca)
    const damaged = (index: number) => {
      const bytes = Uint8Array.from(der)
      bytes[index]! ^= 1
      return Either.getOrThrow(OcspResponses.decode(bytes))
    }
    assert.strictEqual(verdict(damaged(der.length - 1)), "OcspBadSignature")
  })

  it("believes a responder that the issuer certified for it, and no other", () => {
    const of = (responder: Issued) => verdict(make(responder, { issuer: ca.certificate }))
    assert.strictEqual(of(delegate(ca)), "Good")
    assert.strictEqual(verdict(make(delegate(ca), { issuer: ca.certificate, responder: "key" })), "Good")
    assert.strictEqual(of(delegate(ca, { extensions: [ocspSigning, CertificateExtension.make({ _tag: "OcspNoCheck" })] })), "Good") // prettier-ignore
    assert.strictEqual(of(delegate(ca, { ...always, notAfter: new Date(now - day) })), "OcspBadSignature")
    assert.strictEqual(of(delegate(ca, { ...always, notBefore: new Date(now + day) })), "OcspBadSignature")
    assert.strictEqual(
      of(delegate(ca, { extensions: [ocspSigning, CertificateExtension.encodeKeyUsage(["keyEncipherment"])] })),
      "OcspBadSignature"
    )
    const critical = { oid: ObjectIdentifier.make("1.2.3"), critical: true, value: Uint8Array.of(5, 0) }
    assert.strictEqual(of(delegate(ca, { extensions: [ocspSigning, critical] })), "OcspBadSignature")
  })

  it("wants keys that are long enough", async () => {
    const { privateKey } = await identities.rsa()
    const responder = delegate(ca, { key: privateKey })
    const program = Effect.gen(function* () {
      const response = yield* OcspResponseBuilder.make(responder.identity, { statuses: [good], issuer: ca.certificate })
      const statusBy = (rsaModulusMin: number) =>
        OcspValidation.statusOf(
          {
            crypto: identities.crypto,
            signatureSchemes: [0x0807, 0x0401].map(SignatureScheme.make),
            sha1Responses: false,
            time: now,
            skew: 0,
            limits: { rsaModulusMin },
            effort: { signatures: 10 },
            nonce: undefined,
            checkResponder: () => Effect.succeed(undefined)
          },
          response,
          leaf.certificate,
          ca.certificate
        )
      return [(yield* statusBy(2048)).status._tag, (yield* statusBy(3072)).status._tag]
    })
    assert.deepStrictEqual(
      await Effect.runPromise(
        Effect.withClock(Effect.provideService(program, CryptoProvider, identities.crypto), at(now))
      ),
      ["Good", "Unknown"]
    )
  })

  it("wants the purpose said, and the issuer itself to have said it", () => {
    const signedBy = (responder: Issued) => {
      const { tbs } = make(delegate(ca), { issuer: ca.certificate }).basic!
      return resigned(responder, tbs, Der.value(0xa0, Der.sequence(responder.certificate.der)))
    }
    const named = { names: [], subject: { CN: "Responder" } }
    const purposes = (...all: ReadonlyArray<ObjectIdentifier.ObjectIdentifier>) => ({
      extensions: [CertificateExtension.encodeExtendedKeyUsage(all)]
    })
    assert.strictEqual(verdict(signedBy(delegate(ca))), "Good")
    const any = signedBy(leafOf(ca, { ...named, ...purposes(oids.anyExtendedKeyUsage) }))
    assert.strictEqual(verdict(any), "OcspBadSignature")
    assert.include(detail(any), "does not include OCSPSigning")
    assert.strictEqual(verdict(signedBy(leafOf(ca, named))), "OcspBadSignature")
    // By an authority below, and by one that only has the issuer's name.
    const sub = run(CertificateBuilder.issueAuthority(ca, { subject: { CN: "Sub" }, key: ed, ...always }))
    assert.include(detail(signedBy(delegate(sub))), "another authority issued its certificate")
    assert.include(detail(signedBy(delegate(rootOf()))), "its issuer did not sign it so")
    // Without its certificate nobody can tell.
    const { tbs } = make(delegate(ca), { issuer: ca.certificate }).basic!
    assert.include(detail(resigned(delegate(ca), tbs)), "brings no certificate")
  })

  it("asks whether the responder is revoked, where its certificate wants that", () => {
    const asked: Array<string> = []
    const statusOf = (responder: Issued, problem: "Revoked" | "BudgetExceeded" | undefined) =>
      run(
        OcspValidation.statusOf(
          {
            crypto: identities.crypto,
            signatureSchemes: [SignatureScheme.make(0x0807)],
            sha1Responses: false,
            time: now,
            skew: 0,
            limits: {},
            effort: { signatures: 10 },
            nonce: undefined,
            checkResponder: ({ label }) => {
              asked.push(label)
              return Effect.succeed(problem === undefined ? undefined : { reason: problem, detail: "why" })
            }
          },
          make(responder, { issuer: ca.certificate }),
          leaf.certificate,
          ca.certificate
        )
      ).status
    const unchecked = delegate(ca, { extensions: [ocspSigning, CertificateExtension.make({ _tag: "OcspNoCheck" })] })
    assert.strictEqual(statusOf(unchecked, "Revoked")._tag, "Good")
    assert.deepStrictEqual(asked, [])
    assert.strictEqual(statusOf(delegate(ca), undefined)._tag, "Good")
    assert.strictEqual(statusOf(delegate(ca), "Revoked")._tag, "Unknown")
    assert.strictEqual(statusOf(delegate(ca), "BudgetExceeded")._tag, "Exhausted")
    assert.deepStrictEqual(asked, ["CN=Responder", "CN=Responder", "CN=Responder"])
  })

  it("takes the signatures it is told to take, and as many as it may verify", () => {
    assert.strictEqual(verdict(make(ca), { signatureSchemes: [] }), "OcspBadSignature")
    assert.include(detail(make(ca), { signatureSchemes: [] }), "which is not accepted")
    const context = (signatures: number) => ({
      crypto: identities.crypto,
      signatureSchemes: [SignatureScheme.make(0x0807)],
      sha1Responses: false,
      time: now,
      skew: 0,
      limits: Limits.defaults,
      effort: { signatures },
      nonce: undefined,
      checkResponder: () => Effect.succeed(undefined)
    })
    const by = (signatures: number) =>
      run(
        OcspValidation.statusOf(
          context(signatures),
          make(delegate(ca), { issuer: ca.certificate }),
          leaf.certificate,
          ca.certificate
        )
      ).status._tag
    assert.deepStrictEqual([0, 1, 2].map(by), ["Exhausted", "Exhausted", "Good"])
  })

  it("takes SHA-1 in responses where that is allowed by name, and in certificates not even then", async () => {
    const { privateKey } = await identities.rsa()
    const sha1 = { _tag: "RsaPkcs1", hash: "SHA-1" } as const
    const program = Effect.gen(function* () {
      const old = yield* CertificateBuilder.authority({ subject: { CN: "Old" }, key: privateKey, ...always })
      const { certificate } = yield* CertificateBuilder.issue(old, { names: ["x.example"], key: ed, ...always })
      const named = { names: [], subject: { CN: "Responder" }, key: ed, extensions: [ocspSigning], ...always }
      const delegated = yield* CertificateBuilder.issue(old, { ...named, signatureAlgorithm: sha1 })
      const by = (signer: Issued, more: Partial<OcspOptions>) =>
        Effect.flatMap(
          OcspResponseBuilder.make(signer.identity, { statuses: [{ certificate }], ...more }),
          (response) =>
            Effect.forEach([false, true], (sha1Responses) =>
              Effect.map(
                OcspValidation.verify(response, { certificate, issuer: old.certificate, sha1Responses }),
                ({ status }) => status._tag
              )
            )
        )
      return {
        response: yield* by(old, { signatureAlgorithm: sha1 }),
        responder: yield* by(delegated, { issuer: old.certificate })
      }
    })
    assert.deepStrictEqual(
      await Effect.runPromise(
        Effect.withClock(Effect.provideService(program, CryptoProvider, identities.crypto), at(now))
      ),
      { response: ["Unknown", "Good"], responder: ["Unknown", "Unknown"] }
    )
  })

  it("refuses what the provider cannot verify, and dies when it breaks", () => {
    const { crypto } = identities
    const blind = { ...crypto, capabilities: { ...crypto.capabilities, verify: () => false } }
    assert.include(detail(make(ca), { crypto: blind }), "cannot verify")
    const failing = (reason: "Failed" | "InvalidKey"): CryptoProviderService => ({
      ...crypto,
      verify: () => Effect.fail(new CryptoError({ reason, operation: "verify", detail: "because" }))
    })
    assert.strictEqual(verdict(make(ca), { crypto: failing("InvalidKey") }), "OcspBadSignature")
    assert.throws(() => verdict(make(ca), { crypto: failing("Failed") }), /because/)
  })

  it("tells bad faith from bad luck", () => {
    const of = (reason: Parameters<typeof OcspValidation.isUnacceptable>[0]["reason"]) =>
      OcspValidation.isUnacceptable({ reason, detail: "" })
    assert.deepStrictEqual(
      (["OcspUnusable", "OcspBadSignature", "OcspExpired", "OcspNotYetValid", "OcspUnknown"] as const).map(of),
      [true, true, false, false, false]
    )
  })
})
