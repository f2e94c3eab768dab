import { assert, describe, it } from "@effect/vitest"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Equal from "effect/Equal"
import * as Option from "effect/Option"
import type { AuthorityOptions, CertificateOptions, Issued } from "../support/uncheckedBuilder.ts"
import * as CertificateBuilder from "../support/uncheckedBuilder.ts"
import type { CrlOptions, RevokedOptions } from "../../src/core/CertificateRevocationListBuilder.ts"
import * as CrlBuilder from "../../src/core/CertificateRevocationListBuilder.ts"
import type { CryptoProviderService } from "../../src/core/CryptoProvider.ts"
import { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import type { Identity } from "../../src/core/Identity.ts"
import type { PathLimits } from "../../src/core/PathValidation.ts"
import type { RevocationOptions } from "../../src/core/Revocation.ts"
import * as TrustStore from "../../src/core/TrustStore.ts"
import * as Verifier from "../../src/core/Verifier.ts"
import * as AlgorithmIdentifier from "../../src/schema/AlgorithmIdentifier.ts"
import * as Bytes from "../../src/schema/Bytes.ts"
import type { Certificate } from "../../src/schema/Certificate.ts"
import * as CertificateExtension from "../../src/schema/CertificateExtension.ts"
import type { CertificateRevocationList } from "../../src/schema/CertificateRevocationList.ts"
import * as CertificateRevocationLists from "../../src/schema/CertificateRevocationList.ts"
import * as CrlExtension from "../../src/schema/CrlExtension.ts"
import * as Der from "../../src/schema/Der.ts"
import * as DistinguishedName from "../../src/schema/DistinguishedName.ts"
import type { DistributionPoint, DistributionPointName, ReasonFlag } from "../../src/schema/DistributionPoint.ts"
import type { GeneralName } from "../../src/schema/GeneralName.ts"
import * as Limits from "../../src/schema/Limits.ts"
import * as ObjectIdentifier from "../../src/schema/ObjectIdentifier.ts"
import * as SignatureScheme from "../../src/schema/SignatureScheme.ts"
import type { CertificateError } from "../../src/schema/TlsError.ts"
import { mutate, random } from "../schema/arbitraries.ts"
import * as identities from "../support/identities.ts"

const { oids } = ObjectIdentifier

// All is valid at `now` unless a test says otherwise. Ed25519, because it is quick to make and to verify.
const now = Date.UTC(2030, 0, 1)
const day = 86_400_000
const ed: CertificateOptions["key"] = { _tag: "Ed25519" }
const always = { notBefore: new Date(now - 100 * day), notAfter: new Date(now + 100 * day) }
const fixed: Clock.Clock = { ...Clock.make(), currentTimeMillis: Effect.succeed(now) }

const run = <A, E>(effect: Effect.Effect<A, E, CryptoProvider>, crypto = identities.crypto): A =>
  Effect.runSync(Effect.withClock(Effect.provideService(effect, CryptoProvider, crypto), fixed))

const root = (name = "Root", options: AuthorityOptions = {}): Issued =>
  run(CertificateBuilder.authority({ subject: { CN: name }, key: ed, ...always, ...options }))
const intermediate = (ca: Issued, name = "Intermediate", options: AuthorityOptions = {}): Issued =>
  run(CertificateBuilder.issueAuthority(ca, { subject: { CN: name }, key: ed, ...always, ...options }))
const leaf = (ca: Issued, options: CertificateOptions = {}): Issued =>
  run(CertificateBuilder.issue(ca, { names: ["leaf.example"], key: ed, ...always, ...options }))

const dated = { thisUpdate: new Date(now - day), nextUpdate: new Date(now + day) }
const crl = (issuer: Issued | Identity, options: CrlOptions = {}): CertificateRevocationList =>
  run(CrlBuilder.make("identity" in issuer ? issuer.identity : issuer, { ...dated, ...options }))
/** As if another had the issuer's name. */
const signedBy = (issuer: Issued, signer: Issued): Identity => ({
  certificateChain: issuer.identity.certificateChain,
  privateKey: signer.identity.privateKey
})
const revoking = (...issued: ReadonlyArray<Issued>): { readonly revoked: ReadonlyArray<RevokedOptions> } => ({
  revoked: issued.map(({ certificate }) => ({ certificate }))
})

interface Asked {
  readonly limits?: Partial<PathLimits>
  readonly signatureSchemes?: ReadonlyArray<SignatureScheme.SignatureScheme>
  readonly crypto?: CryptoProviderService
  readonly partialChain?: boolean
  readonly maxPathLength?: number
  readonly purposes?: ReadonlyArray<ObjectIdentifier.ObjectIdentifier>
}

const check = (
  certificates: NonEmptyReadonlyArray<Issued | Certificate>,
  anchors: ReadonlyArray<Issued | Certificate>,
  revocation: RevocationOptions,
  asked: Asked = {}
): Either.Either<ReadonlyArray<string>, CertificateError> => {
  const certificateOf = (item: Issued | Certificate) => ("certificate" in item ? item.certificate : item)
  const [first, ...others] = certificates
  const verifier = Verifier.webPki(TrustStore.fromCertificates(anchors.map(certificateOf)), {
    revocation,
    ...(asked.partialChain === undefined ? {} : { partialChain: asked.partialChain }),
    ...(asked.maxPathLength === undefined ? {} : { maxPathLength: asked.maxPathLength }),
    ...(asked.purposes === undefined ? {} : { purposes: asked.purposes })
  })
  return run(
    Effect.either(
      verifier.verify({
        role: "server",
        certificates: [certificateOf(first), ...others.map(certificateOf)],
        serverName: Option.none(),
        signatureSchemes: asked.signatureSchemes ?? SignatureScheme.registry.map(({ code }) => code),
        limits: { ...Limits.defaults, ...asked.limits }
      })
    ),
    // What one provider found right is remembered of it: each check has its own, so that all cost the same.
    asked.crypto ?? { ...identities.crypto }
  ).pipe(Either.map(({ path }) => path.map(({ subject }) => subject.commonName ?? "-")))
}

/** The path, or the code of the error and the depth. */
const verdict = (...all: Parameters<typeof check>): string =>
  Either.match(check(...all), { onLeft: ({ code, depth }) => `${code} ${depth}`, onRight: (path) => path.join(" < ") })

const errorOf = (...all: Parameters<typeof check>): CertificateError => Either.getOrThrow(Either.flip(check(...all)))

const r = root()
const i = intermediate(r)
const l = leaf(i)
const good = "leaf.example < Intermediate < Root"
const rootCrl = crl(r)
const missing = "UNABLE_TO_GET_CRL 0"

/** What comes of a leaf when these are its issuer's CRLs. */
const of = (certificate: Issued, ...crls: ReadonlyArray<CertificateRevocationList>): string =>
  verdict([certificate, i], [r], { crls: [rootCrl, ...crls] })

describe("Revocation", () => {
  it("accepts what is not revoked and refuses what is, at every depth", () => {
    assert.strictEqual(verdict([l, i], [r], { crls: [rootCrl, crl(i)] }), good)
    assert.strictEqual(verdict([l, i], [r], { crls: [rootCrl, crl(i, revoking(l))] }), "CERT_REVOKED 0")
    assert.strictEqual(verdict([l, i], [r], { crls: [crl(r, revoking(i)), crl(i)] }), "CERT_REVOKED 1")
    assert.strictEqual(verdict([l, i], [r], { crls: [crl(r, revoking(leaf(r))), crl(i, revoking(leaf(i)))] }), good)
  })

  it("says when and why, which certificate it is, and sends the alert for it", () => {
    const revoked = [
      { certificate: l.certificate, reason: "keyCompromise", revocationDate: new Date(now - 5 * day) }
    ] as const
    const error = errorOf([l, i], [r], { crls: [rootCrl, crl(i, { revoked })] })
    assert.strictEqual(error.reason, "Revoked")
    assert.strictEqual(
      error.message,
      'certificate 0 "CN=leaf.example": it was revoked at 2029-12-27T00:00:00.000Z (keyCompromise)'
    )
    assert.strictEqual(error.alert, "certificate_revoked")
    assert.deepStrictEqual(
      error.chain.map(({ mark }) => mark),
      ["failed", "unchecked", "unchecked"]
    )
  })

  it("refuses what nobody speaks about by hard-fail, which is the default, and accepts it by soft-fail", () => {
    assert.strictEqual(verdict([l, i], [r], {}), "UNABLE_TO_GET_CRL 1")
    assert.strictEqual(verdict([l, i], [r], { mode: "hard-fail", crls: [rootCrl] }), "UNABLE_TO_GET_CRL 0")
    assert.strictEqual(verdict([l, i], [r], { mode: "hard-fail", crls: [crl(i)] }), "UNABLE_TO_GET_CRL 1")
    assert.strictEqual(verdict([l, i], [r], { mode: "soft-fail" }), good)
    assert.strictEqual(verdict([l, i], [r], { mode: "soft-fail", crls: [crl(i)] }), good)
    const error = errorOf([l, i], [r], { crls: [rootCrl] })
    assert.strictEqual(error.reason, "RevocationUnknown")
    assert.strictEqual(error.alert, "certificate_unknown")
    assert.include(error.message, 'there is no CRL that speaks about it, as one of its issuer "CN=Intermediate"')
    assert.include(error.hint, "soft-fail")
  })

  it("refuses what is revoked by soft-fail too, and looks at nothing when off", () => {
    assert.strictEqual(verdict([l, i], [r], { mode: "soft-fail", crls: [crl(i, revoking(l))] }), "CERT_REVOKED 0")
    assert.strictEqual(verdict([l, i], [r], { mode: "off", crls: [crl(i, revoking(l))] }), good)
  })

  it("looks at the leaf alone when told", () => {
    const only = (...crls: ReadonlyArray<CertificateRevocationList>) =>
      verdict([l, i], [r], { certificates: "leaf", crls })
    assert.strictEqual(only(crl(i)), good)
    assert.strictEqual(only(crl(i), crl(r, revoking(i))), good)
    assert.strictEqual(only(crl(i, revoking(l))), "CERT_REVOKED 0")
    assert.strictEqual(only(), "UNABLE_TO_GET_CRL 0")
  })

  it("does not ask about an anchor, be it the leaf", () => {
    assert.strictEqual(verdict([l], [l], {}), "leaf.example")
    assert.strictEqual(verdict([l], [l], { certificates: "leaf" }), "leaf.example")
    assert.strictEqual(verdict([l, i], [i], { crls: [crl(i)] }, { partialChain: true }), "leaf.example < Intermediate")
    assert.strictEqual(verdict([l, i], [i], { crls: [crl(i, revoking(l))] }, { partialChain: true }), "CERT_REVOKED 0")
  })

  it("is not confused by the same serial number of another issuer", () => {
    const serial = { revoked: [{ serial: l.certificate.serial }] }
    assert.strictEqual(verdict([l, i], [r], { crls: [crl(r, serial), crl(i)] }), good)
    assert.strictEqual(of(l, crl(intermediate(r, "Other"), serial)), missing)
    assert.strictEqual(of(l, crl(i, serial)), "CERT_REVOKED 0")
  })

  it("takes another path where there is one: a cross-signed authority is revoked by one of its issuers only", () => {
    const other = root("Other")
    const cross = intermediate(other, "Intermediate", { key: i.identity.privateKey })
    const crls = [crl(r, revoking(i)), crl(other), crl(i)]
    const through = "leaf.example < Intermediate < Other"
    assert.strictEqual(verdict([l, i, cross], [r, other], { crls }), through)
    assert.strictEqual(verdict([l, cross, i], [r, other], { crls }), through)
    assert.strictEqual(verdict([l, i, cross], [r, other], { crls, mode: "soft-fail" }), through)
    assert.strictEqual(
      verdict([l, i, cross], [r, other], { crls: [crl(r, revoking(i)), crl(other, revoking(cross)), crl(i)] }),
      "CERT_REVOKED 1"
    )
    // A whole path that is refused says more than another that leads nowhere.
    assert.strictEqual(verdict([l, i, cross], [r], { crls }), "CERT_REVOKED 1")
  })
})

describe("A CRL is believed", () => {
  /** One that the builder refuses to make. */
  const handMade = (thisUpdate: number, ...nextUpdate: ReadonlyArray<number>): CertificateRevocationList => {
    const identifier = AlgorithmIdentifier.encode({ _tag: "Ed25519" })
    const dates = [thisUpdate, ...nextUpdate].map(Der.time)
    const tbs = Der.sequence(Der.integer(1), identifier, i.certificate.subject.der, ...dates)
    const signature = run(i.identity.privateKey.sign({ _tag: "Ed25519" }, tbs))
    return Either.getOrThrow(CertificateRevocationLists.decode(Der.sequence(tbs, identifier, Der.bitString(signature))))
  }

  it("from its date to the next", () => {
    const at = (from: number, to: number) =>
      of(l, crl(i, { thisUpdate: new Date(now + from), nextUpdate: new Date(now + to) }))
    assert.strictEqual(at(0, 1000), good)
    assert.strictEqual(at(-1000, 0), good)
    assert.strictEqual(at(-day, -1000), "CRL_HAS_EXPIRED 0")
    assert.strictEqual(at(1000, day), "CRL_NOT_YET_VALID 0")
    assert.strictEqual(of(l, handMade(now - day, now + day)), good)
    assert.strictEqual(of(l, handMade(now - day)), "ERROR_IN_CRL_NEXT_UPDATE_FIELD 0")
    assert.strictEqual(of(l, handMade(now - day, now - 2 * day)), "ERROR_IN_CRL_NEXT_UPDATE_FIELD 0")
    const stale = { mode: "soft-fail", crls: [crl(i, { ...revoking(l), nextUpdate: new Date(now - 1000) })] } as const
    assert.strictEqual(verdict([l, i], [r], stale), good)
    assert.include(
      errorOf([l, i], [r], { crls: [rootCrl, handMade(now - 2 * day, now - day)] }).message,
      'the CRL of "CN=Intermediate" was to be followed by another by 2029-12-31T00:00:00.000Z'
    )
  })

  it("with its issuer's signature only, and by an algorithm that is accepted", () => {
    const forged = crl(signedBy(i, l))
    assert.strictEqual(of(l, forged), "CRL_SIGNATURE_FAILURE 0")
    assert.strictEqual(of(l, crl(signedBy(i, l), revoking(l))), "CRL_SIGNATURE_FAILURE 0")
    const ecdsa = root("Root", { key: { _tag: "Ec", curve: "P-256" } })
    const other = errorOf([l, i], [r], { crls: [crl(signedBy(r, ecdsa)), crl(i)] })
    assert.strictEqual(`${other.code} ${other.depth}`, "CRL_SIGNATURE_FAILURE 1")
    assert.include(other.message, "has a signature such as its issuer's key cannot make")
    // Asked for at three places, and verified once.
    const thrice = placed({ name: full(uri("http://a/")) }, { name: full(uri("http://b/")) })
    const budget = { limits: { pathSignatures: 4 } }
    assert.strictEqual(verdict([thrice, i], [r], { crls: [rootCrl, forged] }, budget), "CRL_SIGNATURE_FAILURE 0")
    const own = leaf(ecdsa, { signatureAlgorithm: { _tag: "Ecdsa", hash: "SHA-256" } })
    const list = crl(ecdsa, { signatureAlgorithm: { _tag: "Ecdsa", hash: "SHA-512" } })
    const codes = (...names: ReadonlyArray<SignatureScheme.SignatureSchemeName>) => ({
      signatureSchemes: names.map((name) => SignatureScheme.fromName(name)!.code)
    })
    assert.strictEqual(
      verdict([own], [ecdsa], { crls: [list] }, codes("ecdsa_secp256r1_sha256", "ecdsa_secp521r1_sha512")),
      "leaf.example < Root"
    )
    const unaccepted = errorOf([own], [ecdsa], { crls: [list] }, codes("ecdsa_secp256r1_sha256"))
    assert.strictEqual(unaccepted.code, "CRL_SIGNATURE_FAILURE")
    assert.include(unaccepted.message, "signed with Ecdsa over SHA-512, which is not accepted")
    const { capabilities } = identities.crypto
    const crypto: CryptoProviderService = {
      ...identities.crypto,
      capabilities: {
        ...capabilities,
        verify: (algorithm, key) =>
          !("hash" in algorithm && algorithm.hash === "SHA-512") && capabilities.verify(algorithm, key)
      }
    }
    const unable = errorOf([own], [ecdsa], { crls: [list] }, { crypto })
    assert.strictEqual(unable.code, "CRL_SIGNATURE_FAILURE")
    assert.include(unable.message, "cannot verify")
  })

  it("from an issuer whose key usage, where it has one, has cRLSign", () => {
    const mute = root("Root", {
      key: r.identity.privateKey,
      extensions: [CertificateExtension.encodeKeyUsage(["keyCertSign"])]
    })
    assert.strictEqual(verdict([leaf(r)], [r], { crls: [rootCrl] }), "leaf.example < Root")
    const error = errorOf([leaf(r)], [mute], { crls: [rootCrl] })
    assert.strictEqual(`${error.code} ${error.depth}`, "UNABLE_TO_GET_CRL 0")
    assert.include(error.message, "does not include signing CRLs (cRLSign)")
    const open = identities.makeSync({ ca: true, names: [], subject: "Open", key: { _tag: "Ed25519" } })
    const below = identities.makeSync({ issuer: open, key: { _tag: "Ed25519" }, subject: "below" })
    assert.isUndefined(open.certificate.keyUsage)
    assert.strictEqual(verdict([below.certificate], [open.certificate], { crls: [crl(open.identity)] }), "below < Open")
  })

  it("only when all that is critical in it is understood", () => {
    const strange = (critical: boolean) => ({
      oid: ObjectIdentifier.make("1.2.3.4"),
      critical,
      value: Uint8Array.of(5, 0)
    })
    const other = { serial: Uint8Array.of(1) }
    assert.strictEqual(of(l, crl(i, { extensions: [strange(false)] })), good)
    assert.strictEqual(of(l, crl(i, { extensions: [strange(true)] })), missing)
    assert.strictEqual(of(l, crl(i, { revoked: [{ ...other, extensions: [strange(false)] }] })), good)
    assert.strictEqual(of(l, crl(i, { revoked: [{ ...other, extensions: [strange(true)] }] })), missing)
    assert.include(
      errorOf([l, i], [r], { crls: [rootCrl, crl(i, { number: 7n, extensions: [strange(true)] })] }).message,
      'the CRL number 7 of "CN=Intermediate" cannot be used: its extension 1.2.3.4 is critical and not understood'
    )
  })

  it("before older ones: what was on hold may be released", () => {
    const held = { revoked: [{ certificate: l.certificate, reason: "certificateHold" as const }] }
    const older = { thisUpdate: new Date(now - 2 * day) }
    assert.strictEqual(of(l, crl(i), crl(i, { ...older, ...held })), good)
    assert.strictEqual(of(l, crl(i, { ...older, ...held }), crl(i)), good)
    assert.strictEqual(of(l, crl(i, older), crl(i, held)), "CERT_REVOKED 0")
    assert.strictEqual(of(l, crl(i, { number: 5n }), crl(i, { ...held, number: 4n })), good)
    assert.strictEqual(of(l, crl(i, { number: 5n }), crl(i, { ...held, number: 6n })), "CERT_REVOKED 0")
    assert.include(errorOf([l, i], [r], { crls: [rootCrl, crl(i, held)] }).message, "it is on hold since 2029-12-31")
    // The date says it before the number does.
    assert.strictEqual(of(l, crl(i, { number: 4n }), crl(i, { ...older, ...held, number: 5n })), good)
    assert.strictEqual(of(l, crl(i, { ...older, number: 5n }), crl(i, { ...held, number: 4n })), "CERT_REVOKED 0")
    // Of two of one date and number, each may be the newer.
    assert.strictEqual(of(l, crl(i), crl(i, held)), "CERT_REVOKED 0")
    assert.strictEqual(of(l, crl(i, held), crl(i)), "CERT_REVOKED 0")
    // One that cannot be used does not stand in the way of an older one that can.
    assert.strictEqual(of(l, crl(signedBy(i, l)), crl(i, older)), good)
  })

  it("as it was signed, to the last bit", () => {
    const whole = crl(i, { ...revoking(leaf(i)), issuingDistributionPoint: { onlyContainsUserCerts: true } })
    assert.strictEqual(of(l, whole), good)
    const next = random(5280)
    let tried = 0
    for (let n = 0; n < 3000; n++) {
      const mutant = CertificateRevocationLists.decode(mutate(whole.der, next))
      if (Either.isLeft(mutant) || Equal.equals(mutant.right, whole)) continue
      tried++
      assert.notStrictEqual(of(l, mutant.right), good, Bytes.toHex(mutant.right.der))
    }
    assert.isAbove(tried, 200)
  })

  it("once: its signature is not verified for every peer again", () => {
    let verifications = 0
    const crypto: CryptoProviderService = {
      ...identities.crypto,
      verify: (...all) => {
        verifications++
        return identities.crypto.verify(...all)
      }
    }
    const crls = [rootCrl, crl(i)]
    const verifier = Verifier.webPki(TrustStore.fromCertificates([r.certificate]), { revocation: { crls } })
    const verify = (end: Issued, issuer: Issued) => {
      verifications = 0
      const result = run(
        Effect.either(
          verifier.verify({
            role: "server",
            certificates: [end.certificate, issuer.certificate],
            serverName: Option.none(),
            signatureSchemes: SignatureScheme.registry.map(({ code }) => code),
            limits: Limits.defaults
          })
        ),
        crypto
      )
      return Either.isRight(result) ? verifications : result.left.code
    }
    assert.strictEqual(verify(l, i), 4)
    assert.strictEqual(verify(l, i), 0)
    // That it was right by one key says nothing of another under the same name.
    const namesake = intermediate(r)
    assert.strictEqual(verify(leaf(namesake), namesake), "CRL_SIGNATURE_FAILURE")
    assert.strictEqual(verify(l, i), 0)
  })
})

// ---------------------------------------------------------------------------------------------------------------------
// Scope
// ---------------------------------------------------------------------------------------------------------------------

describe("The effort", () => {
  it("of going through many CRLs is bounded", () => {
    const crls = [rootCrl, crl(i)]
    const comparing = (nameConstraintComparisons: number) => ({ limits: { nameConstraintComparisons } })
    assert.strictEqual(verdict([l, i], [r], { crls }, comparing(2)), good)
    assert.strictEqual(errorOf([l, i], [r], { crls, mode: "soft-fail" }, comparing(1)).reason, "BudgetExceeded")
    const strange = { oid: ObjectIdentifier.make("1.2.3.4"), critical: true, value: Uint8Array.of(5, 0) }
    const useless = Array.from({ length: 40 }, (_, n) => crl(i, { number: BigInt(n), extensions: [strange] }))
    const going = (count: number) =>
      errorOf([l, i], [r], { crls: [rootCrl, ...useless.slice(0, count)] }, { limits: { pathSignatures: 3 } }).reason
    // Ten for every signature: two links, one CRL of the root's, and each of these once.
    assert.strictEqual(going(27), "CrlUnusable")
    assert.strictEqual(going(28), "BudgetExceeded")
  })
})

const nameOf = (text: string) => DistinguishedName.fromAttributes([[oids.commonName, text]])
const uri = (value: string): GeneralName => ({ _tag: "Uri", value })
const directory = (name: DistinguishedName.DistinguishedName): GeneralName => ({ _tag: "DirectoryName", name })
const full = (...names: ReadonlyArray<GeneralName>): DistributionPointName => ({ _tag: "FullName", names })
const relative = (text: string): DistributionPointName => {
  const name = nameOf(text)
  return { _tag: "RelativeName", attributes: name.rdns[0]!, der: name.der.subarray(2) }
}
const place = (point: Partial<DistributionPoint>): DistributionPoint => ({
  name: undefined,
  reasons: undefined,
  crlIssuer: undefined,
  ...point
})
const reasons = (...flags: ReadonlyArray<ReasonFlag>) => new Set(flags)
/** A leaf that says where its CRLs are. */
const placed = (...points: ReadonlyArray<Partial<DistributionPoint>>): Issued =>
  leaf(i, {
    extensions: [CertificateExtension.make({ _tag: "CrlDistributionPoints", points: points.map(place) })]
  })

describe("A CRL speaks", () => {
  it("about the kind of certificates it is for", () => {
    const scoped = (
      which: "onlyContainsUserCerts" | "onlyContainsCaCerts" | "onlyContainsAttributeCerts",
      ...revoked: ReadonlyArray<Issued>
    ): CrlOptions => ({ issuingDistributionPoint: { [which]: true }, ...revoking(...revoked) })
    assert.strictEqual(of(l, crl(i, scoped("onlyContainsUserCerts"))), good)
    assert.strictEqual(of(l, crl(i, scoped("onlyContainsUserCerts", l))), "CERT_REVOKED 0")
    assert.strictEqual(of(l, crl(i, scoped("onlyContainsCaCerts"))), missing)
    assert.strictEqual(of(l, crl(i, scoped("onlyContainsCaCerts", l))), missing)
    assert.strictEqual(of(l, crl(i, scoped("onlyContainsAttributeCerts"))), missing)
    const ca = (options: CrlOptions) => verdict([l, i], [r], { crls: [crl(r, options), crl(i)] })
    assert.strictEqual(ca(scoped("onlyContainsCaCerts")), good)
    assert.strictEqual(ca(scoped("onlyContainsCaCerts", i)), "CERT_REVOKED 1")
    assert.strictEqual(ca(scoped("onlyContainsUserCerts")), "UNABLE_TO_GET_CRL 1")
  })

  it("about the certificates of its distribution point", () => {
    const here = uri("http://crl.example/1")
    const there = uri("http://crl.example/2")
    const at = (...names: ReadonlyArray<GeneralName>) => crl(i, { issuingDistributionPoint: { name: full(...names) } })
    const cert = placed({ name: full(here) })
    assert.strictEqual(of(cert, crl(i)), good)
    assert.strictEqual(of(cert, at(here)), good)
    assert.strictEqual(of(cert, at(there, here)), good)
    assert.strictEqual(of(cert, at(uri("HTTP://CRL.example/1"))), good)
    assert.strictEqual(of(cert, at(there)), missing)
    assert.strictEqual(of(cert, at(uri("http://crl.EXAMPLE/1?a"))), missing)
    assert.strictEqual(of(placed({ name: full(there, here) }), at(here)), good)
    assert.strictEqual(of(placed({ name: full(there) }, { name: full(here) }), at(here)), good)
    // A certificate that names no place is spoken about at its issuer's.
    assert.strictEqual(of(l, at(here)), missing)
    assert.strictEqual(of(l, at(directory(i.certificate.subject))), good)
    assert.strictEqual(of(cert, at(directory(i.certificate.subject))), good)
    const revoked = crl(i, { issuingDistributionPoint: { name: full(here) }, ...revoking(cert) })
    assert.strictEqual(of(cert, revoked), "CERT_REVOKED 0")
  })

  it("about a distribution point by its full name or what is behind the issuer's", () => {
    const whole = full(
      directory(
        DistinguishedName.fromAttributes([
          [oids.commonName, "Intermediate"],
          [oids.commonName, "place"]
        ])
      )
    )
    const at = (name: DistributionPointName) => crl(i, { issuingDistributionPoint: { name } })
    for (const cert of [placed({ name: whole }), placed({ name: relative("place") })]) {
      assert.strictEqual(of(cert, at(whole)), good)
      assert.strictEqual(of(cert, at(relative("place"))), good)
      assert.strictEqual(of(cert, at(relative("elsewhere"))), missing)
      assert.strictEqual(of(cert, at(full(directory(nameOf("place"))))), missing)
    }
  })

  it("for its reasons, which all have to be covered", () => {
    const keys = reasons("keyCompromise", "cACompromise")
    const rest = reasons(
      "affiliationChanged",
      "superseded",
      "cessationOfOperation",
      "certificateHold",
      "privilegeWithdrawn",
      "aACompromise"
    )
    const some = (onlySomeReasons: ReadonlySet<ReasonFlag>, ...revoked: ReadonlyArray<Issued>) =>
      crl(i, { issuingDistributionPoint: { onlySomeReasons }, ...revoking(...revoked) })
    assert.strictEqual(of(l, some(keys)), missing)
    assert.strictEqual(of(l, some(rest)), missing)
    assert.strictEqual(of(l, some(keys), some(rest)), good)
    assert.strictEqual(of(l, some(keys), some(rest, l)), "CERT_REVOKED 0")
    assert.strictEqual(of(l, some(keys, l), some(rest)), "CERT_REVOKED 0")
    assert.strictEqual(of(l, some(keys, l)), "CERT_REVOKED 0")
    assert.strictEqual(of(l, some(reasons("unused", ...keys)), some(rest)), good)
    assert.include(errorOf([l, i], [r], { crls: [rootCrl, some(keys)] }).message, "but not for all reasons")
    const all = reasons("unused", ...keys, ...rest)
    assert.strictEqual(of(placed({ name: relative("place"), reasons: all }), crl(i)), good)
    // A certificate may send us to one place for some reasons, to another for the rest.
    const [here, there] = [full(uri("http://crl.example/1")), full(uri("http://crl.example/2"))]
    const cert = placed({ name: here, reasons: keys }, { name: there, reasons: rest })
    const at = (name: DistributionPointName, ...revoked: ReadonlyArray<Issued>) =>
      crl(i, { issuingDistributionPoint: { name }, ...revoking(...revoked) })
    assert.strictEqual(of(cert, at(here)), missing)
    assert.strictEqual(of(cert, at(there)), missing)
    assert.strictEqual(of(cert, at(here), at(there)), good)
    assert.strictEqual(of(cert, at(here), at(there, cert)), "CERT_REVOKED 0")
  })
})

describe("An indirect CRL speaks about certificates of others", () => {
  const service = intermediate(r, "CRL Service")
  const indirect = { indirectCrl: true } as const
  const cert = placed({ crlIssuer: [directory(service.certificate.subject)] })
  const from = (options: CrlOptions) =>
    verdict([cert, i], [r], {
      crls: [rootCrl, crl(service, options)],
      crlIssuers: [service.certificate]
    })

  it("that name its issuer", () => {
    assert.strictEqual(from({ issuingDistributionPoint: indirect }), good)
    assert.strictEqual(from({ issuingDistributionPoint: indirect, ...revoking(cert) }), "CERT_REVOKED 0")
    assert.strictEqual(from({ issuingDistributionPoint: indirect, ...revoking(leaf(service), cert) }), "CERT_REVOKED 0")
    // The issuer that an entry names holds for those after it.
    const serial = { serial: cert.certificate.serial }
    assert.strictEqual(from({ issuingDistributionPoint: indirect, revoked: [serial] }), good)
    assert.strictEqual(
      from({
        issuingDistributionPoint: indirect,
        revoked: [{ certificate: leaf(i).certificate }, { ...serial, issuer: i.certificate.subject }]
      }),
      "CERT_REVOKED 0"
    )
    // One that is not indirect speaks about its own issuer's only, and nobody else's indirect CRL is asked.
    assert.strictEqual(from({}), missing)
    assert.strictEqual(
      verdict([l, i], [r], {
        crls: [rootCrl, crl(service, { issuingDistributionPoint: indirect })],
        crlIssuers: [service.certificate]
      }),
      missing
    )
  })

  it("at its distribution point", () => {
    const name = full(uri("http://crl.example/1"))
    assert.strictEqual(from({ issuingDistributionPoint: { ...indirect, name } }), missing)
    // Without a name of its own, the certificate means the issuer's.
    const own = full(directory(service.certificate.subject))
    assert.strictEqual(from({ issuingDistributionPoint: { ...indirect, name: own } }), good)
    const behind = placed({ name: relative("place"), crlIssuer: [directory(service.certificate.subject)] })
    const list = crl(service, { issuingDistributionPoint: { ...indirect, name: relative("place") } })
    assert.strictEqual(verdict([behind, i], [r], { crls: [rootCrl, list], crlIssuers: [service.certificate] }), good)
  })

  it("and of its own issuer", () => {
    assert.strictEqual(of(l, crl(i, { issuingDistributionPoint: indirect })), good)
    const other = leaf(service)
    assert.strictEqual(of(l, crl(i, { issuingDistributionPoint: indirect, ...revoking(l, other) })), "CERT_REVOKED 0")
    assert.strictEqual(
      of(l, crl(i, { issuingDistributionPoint: indirect, revoked: [{ certificate: other.certificate }, { serial: l.certificate.serial, issuer: service.certificate.subject }] })), // prettier-ignore
      good
    )
  })
})

describe("A delta CRL", () => {
  const base = { number: 10n } as const
  const delta = (options: CrlOptions = {}) => crl(i, { number: 12n, deltaOf: 10n, ...options })
  const removal = { revoked: [{ certificate: l.certificate, reason: "removeFromCRL" }] } as const

  it("adds to its base, and takes away from it", () => {
    assert.strictEqual(of(l, crl(i, base), delta()), good)
    assert.strictEqual(of(l, crl(i, base), delta(revoking(l))), "CERT_REVOKED 0")
    assert.strictEqual(of(l, crl(i, { ...base, ...revoking(l) }), delta()), "CERT_REVOKED 0")
    assert.strictEqual(of(l, crl(i, { ...base, ...revoking(l) }), delta(removal)), good)
    // Of several the newest holds.
    assert.strictEqual(of(l, crl(i, base), delta(revoking(l)), delta({ number: 13n, ...removal })), good)
  })

  it("is nothing without a complete one", () => {
    assert.strictEqual(of(l, delta()), missing)
    assert.strictEqual(of(l, delta(revoking(l))), missing)
  })

  it("adds to no CRL that is older than its base or newer than itself", () => {
    assert.strictEqual(of(l, crl(i, { number: 11n }), delta(revoking(l))), "CERT_REVOKED 0")
    assert.strictEqual(of(l, crl(i, { number: 9n }), delta(revoking(l))), good)
    assert.strictEqual(of(l, crl(i, { number: 12n }), delta(revoking(l))), good)
    const unnumbered = crl(i, { extensions: [CrlExtension.encodeCrlNumber(10n)] })
    assert.strictEqual(of(l, unnumbered, delta(revoking(l))), "CERT_REVOKED 0")
  })

  it("has to be current, signed and understood", () => {
    const held = crl(i, { ...base, ...revoking(l) })
    const released = (options: CrlOptions) => of(l, held, delta({ ...removal, ...options }))
    assert.strictEqual(released({}), good)
    assert.strictEqual(released({ nextUpdate: new Date(now - 1000) }), "CERT_REVOKED 0")
    assert.strictEqual(released({ thisUpdate: new Date(now + 1000) }), "CERT_REVOKED 0")
    const strange = { oid: ObjectIdentifier.make("1.2.3.4"), critical: true, value: Uint8Array.of(5, 0) }
    assert.strictEqual(released({ extensions: [strange] }), "CERT_REVOKED 0")
    const forged = crl(signedBy(i, r), { number: 12n, deltaOf: 10n, ...removal })
    assert.strictEqual(of(l, held, forged), "CERT_REVOKED 0")
  })

  it("has to be of the same scope and key", () => {
    const users = { issuingDistributionPoint: { onlyContainsUserCerts: true } } as const
    assert.strictEqual(of(l, crl(i, { ...base, ...users }), delta({ ...users, ...revoking(l) })), "CERT_REVOKED 0")
    assert.strictEqual(of(l, crl(i, { ...base, ...users }), delta(revoking(l))), good)
    assert.strictEqual(of(l, crl(i, base), delta({ ...users, ...revoking(l) })), good)
    const otherKey = { extensions: [CertificateExtension.encodeAuthorityKeyIdentifier(Uint8Array.of(1))] }
    assert.strictEqual(of(l, crl(i, base), delta({ ...otherKey, ...revoking(l) })), good)
  })

  it("renews a base that has expired", () => {
    const old = { ...base, thisUpdate: new Date(now - 9 * day), nextUpdate: new Date(now - 2 * day) }
    assert.strictEqual(of(l, crl(i, old)), "CRL_HAS_EXPIRED 0")
    assert.strictEqual(of(l, crl(i, old), delta()), good)
    assert.strictEqual(of(l, crl(i, { ...old, ...revoking(l) }), delta()), "CERT_REVOKED 0")
    assert.strictEqual(of(l, crl(i, old), delta({ nextUpdate: new Date(now - 1000) })), "CRL_HAS_EXPIRED 0")
    const forged = crl(signedBy(i, r), { number: 12n, deltaOf: 10n })
    assert.strictEqual(of(l, crl(i, old), forged), "UNABLE_TO_GET_CRL 0")
  })
})

describe("Who signs CRLs", () => {
  const only = (usage: CertificateExtension.KeyUsage): AuthorityOptions => ({
    extensions: [CertificateExtension.encodeKeyUsage([usage])]
  })
  // An authority with a key for certificates and another for CRLs, under one name.
  const ca = intermediate(r, "Split", only("keyCertSign"))
  const signer = intermediate(r, "Split", only("cRLSign"))
  const cert = leaf(ca)
  const split = "leaf.example < Split < Root"
  const list = crl(signer)

  it("may have another key under the same name, whoever shows the certificate", () => {
    assert.strictEqual(verdict([cert, ca, signer], [r], { crls: [rootCrl, list] }), split)
    assert.strictEqual(verdict([cert, ca], [r], { crls: [rootCrl, list], crlIssuers: [signer.certificate] }), split)
    assert.strictEqual(
      verdict([cert, ca, signer], [r], { crls: [rootCrl, crl(signer, revoking(cert))] }),
      "CERT_REVOKED 0"
    )
    const error = errorOf([cert, ca], [r], { crls: [rootCrl, list] })
    assert.strictEqual(error.code, "UNABLE_TO_GET_CRL")
  })

  it("is found among others of its name by the identifier of its key", () => {
    const others = Array.from({ length: 20 }, () => intermediate(r, "Split", only("cRLSign")))
    const few = { limits: { pathSignatures: 8 } }
    assert.strictEqual(verdict([cert, ca, ...others, signer], [r], { crls: [rootCrl, list] }, few), split)
  })

  it("is not asked for its own status where the leaf's alone matters", () => {
    const given = { crls: [list], crlIssuers: [signer.certificate] }
    assert.strictEqual(verdict([cert, ca], [r], { ...given, certificates: "leaf" }), split)
    assert.strictEqual(verdict([cert, ca], [r], given), "UNABLE_TO_GET_CRL 1")
  })

  it("may be further from the anchor than the peer", () => {
    const [near, far] = [intermediate(r, "Near"), intermediate(intermediate(r, "Near"), "Far")]
    const between = intermediate(near, "Far")
    const service = intermediate(between, "Split", only("cRLSign"))
    const given = { crlIssuers: [service, between, near, far].map(({ certificate }) => certificate) }
    const crls = [rootCrl, crl(near), crl(between), crl(service)]
    assert.strictEqual(verdict([cert, ca], [r], { crls, ...given }, { maxPathLength: 1 }), split)
  })

  it("need not be good for what the peer is", () => {
    const purpose = CertificateExtension.encodeExtendedKeyUsage([oids.timeStamping])
    const other = intermediate(r, "Split", {
      extensions: [CertificateExtension.encodeKeyUsage(["cRLSign"]), purpose]
    })
    const given = { crls: [rootCrl, crl(other)] }
    assert.strictEqual(verdict([cert, ca, other], [r], given), split)
    assert.strictEqual(verdict([cert, ca, other], [r], given, { purposes: [oids.serverAuth] }), split)
  })

  it("need not be an authority", () => {
    const end = leaf(r, { subject: { CN: "Split" }, purposes: [], extensions: [CertificateExtension.encodeKeyUsage(["cRLSign"])] }) // prettier-ignore
    assert.strictEqual(verdict([cert, ca, end], [r], { crls: [rootCrl, crl(end)] }), split)
  })

  it("has to be good for it: valid, not revoked, for CRLs, under the same anchor", () => {
    const by = (other: Issued, ...crls: ReadonlyArray<CertificateRevocationList>) =>
      errorOf([cert, ca], [r, root("Third")], { crls: [rootCrl, ...crls, crl(other)], crlIssuers: [other.certificate] })
    const expired = intermediate(r, "Split", {
      ...only("cRLSign"),
      notBefore: new Date(now - 9 * day),
      notAfter: new Date(now - day)
    })
    assert.include(by(expired).message, "its issuer's certificate is not valid")
    assert.include(by(expired).message, "it expired at")
    assert.strictEqual(by(expired).code, "UNABLE_TO_GET_CRL")
    const mute = intermediate(r, "Split", only("keyCertSign"))
    const muteCrl = crl({ certificateChain: signer.identity.certificateChain, privateKey: mute.identity.privateKey })
    const muted = errorOf([cert, ca], [r], { crls: [rootCrl, muteCrl], crlIssuers: [mute.certificate] })
    assert.include(muted.message, "not cRLSign")
    const third = root("Third")
    const stranger = intermediate(third, "Split", only("cRLSign"))
    const strangers = errorOf([cert, ca], [r, third], {
      crls: [rootCrl, crl(third), crl(stranger)],
      crlIssuers: [stranger.certificate]
    })
    assert.strictEqual(strangers.code, "UNABLE_TO_GET_CRL")
    assert.include(strangers.message, 'its issuer "CN=Third"')
    const revokedSigner = (mode: "hard-fail" | "soft-fail") =>
      verdict([cert, ca, signer], [r], { mode, crls: [crl(r, revoking(signer)), crl(signer, revoking(cert))] })
    assert.strictEqual(revokedSigner("hard-fail"), missing)
    assert.strictEqual(revokedSigner("soft-fail"), split)
  })

  it("cannot vouch for itself, unless told", () => {
    // The certificate of who signs the CRLs is among those that the CRLs are about.
    const own = intermediate(r, "Own")
    const ownSigner = intermediate(own, "Own", only("cRLSign"))
    const below = leaf(own)
    const crls = [rootCrl, crl(ownSigner)]
    assert.strictEqual(verdict([below, own, ownSigner], [r], { crls }), missing)
    assert.strictEqual(verdict([below, own, ownSigner], [r], { crls, mode: "soft-fail" }), "leaf.example < Own < Root")
    // With a CRL by the first key about it, somebody else says so.
    const about = crl(own, { issuingDistributionPoint: { onlyContainsCaCerts: true } })
    assert.strictEqual(verdict([below, own, ownSigner], [r], { crls: [...crls, about] }), "leaf.example < Own < Root")
    const told = { selfVouching: true } as const
    assert.strictEqual(verdict([below, own, ownSigner], [r], { crls, ...told }), "leaf.example < Own < Root")
    const lists = (...revoked: ReadonlyArray<Issued>) => ({
      crls: [rootCrl, crl(ownSigner, revoking(...revoked))],
      ...told
    })
    assert.strictEqual(verdict([below, own, ownSigner], [r], lists(below)), "CERT_REVOKED 0")
    assert.strictEqual(verdict([below, own, ownSigner], [r], lists(ownSigner)), missing)
    // Nor can an authority have itself vouched for by whoever it certifies.
    const name = { _tag: "DirectoryName", name: ownSigner.certificate.subject } as const
    const pointing = CertificateExtension.make({
      _tag: "CrlDistributionPoints",
      points: [{ name: undefined, reasons: undefined, crlIssuer: [name] }]
    })
    const stolen = intermediate(r, "Stolen", { extensions: [pointing] })
    const minted = intermediate(stolen, "Own", only("cRLSign"))
    const indirect = crl(minted, { issuingDistributionPoint: { indirectCrl: true } })
    const asked = { crls: [indirect, crl(stolen)], ...told }
    assert.strictEqual(verdict([leaf(stolen), stolen, minted], [r], asked), "UNABLE_TO_GET_CRL 1")
  })

  it("is looked for within the budget of the path", () => {
    const strangers = Array.from({ length: 30 }, () => intermediate(r, "Intermediate"))
    const forged = crl(signedBy(i, l))
    const all = [l, i, ...strangers] as const
    assert.strictEqual(verdict(all, [r], { crls: [rootCrl, forged] }), "CRL_SIGNATURE_FAILURE 0")
    const limits = { pathSignatures: 20 }
    // Those of somebody else who is called Root cost a signature each, and none for the CRL.
    const other = root()
    const elsewhere = Array.from({ length: 30 }, () => intermediate(other, "Intermediate"))
    const given = { crls: [rootCrl, forged], crlIssuers: elsewhere.map(({ certificate }) => certificate) }
    const searching = (most: number) => errorOf([l, i], [r], given, { limits: { pathSignatures: most } }).reason
    assert.strictEqual(searching(33), "BudgetExceeded")
    assert.strictEqual(searching(34), "CrlUnusable")
    const error = errorOf(all, [r], { crls: [rootCrl, forged] }, { limits })
    assert.strictEqual(error.reason, "BudgetExceeded")
    // Who could exhaust it could else have itself accepted.
    assert.strictEqual(
      errorOf(all, [r], { mode: "soft-fail", crls: [rootCrl, forged] }, { limits }).reason,
      "BudgetExceeded"
    )
    assert.strictEqual(verdict([l, i], [r], { crls: [rootCrl, crl(i)] }, { limits: { pathSignatures: 4 } }), good)
    const withDelta = [rootCrl, crl(i, { number: 1n }), crl(i, { number: 2n, deltaOf: 1n, ...revoking(l) })]
    const enough = (pathSignatures: number) => errorOf([l, i], [r], { crls: withDelta }, { limits: { pathSignatures } })
    assert.strictEqual(enough(5).reason, "Revoked")
    assert.strictEqual(enough(4).reason, "BudgetExceeded")
    assert.strictEqual(
      errorOf([l, i], [r], { crls: [rootCrl, crl(i)] }, { limits: { pathSignatures: 3 } }).reason,
      "BudgetExceeded"
    )
  })
})
