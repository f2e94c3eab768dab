/**
 * A suite in the form of NIST's PKITS, made anew each time: for each of its sections paths of that section's kind, valid
 * and not, under names that begin with the section's number. PKITS itself is the user's to have.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"
import { generateKeyPairSync, sign } from "node:crypto"
import type { AuthorityOptions, CertificateOptions, Issued } from "./uncheckedBuilder.ts"
import * as CertificateBuilder from "./uncheckedBuilder.ts"
import type { CrlOptions } from "../../src/core/CertificateRevocationListBuilder.ts"
import * as CrlBuilder from "../../src/core/CertificateRevocationListBuilder.ts"
import { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import type { Identity } from "../../src/core/Identity.ts"
import type { PrivateKey } from "../../src/core/PrivateKey.ts"
import { make as makePrivateKey } from "../../src/core/PrivateKey.ts"
import * as Certificate from "../../src/schema/Certificate.ts"
import * as CertificateExtension from "../../src/schema/CertificateExtension.ts"
import type { CertificateRevocationList } from "../../src/schema/CertificateRevocationList.ts"
import * as Der from "../../src/schema/Der.ts"
import * as DistinguishedName from "../../src/schema/DistinguishedName.ts"
import type { DistributionPoint, DistributionPointName, ReasonFlag } from "../../src/schema/DistributionPoint.ts"
import type { GeneralName } from "../../src/schema/GeneralName.ts"
import * as ObjectIdentifier from "../../src/schema/ObjectIdentifier.ts"
import * as PublicKey from "../../src/schema/PublicKey.ts"
import { crypto } from "./identities.ts"

const { oids } = ObjectIdentifier

/** One test of a suite, as the file has it. */
export interface PkitsTest {
  readonly name: string
  readonly chain: ReadonlyArray<string>
  readonly crls: ReadonlyArray<string>
  readonly should_validate: boolean
  readonly initial_policy_set?: ReadonlyArray<string>
  readonly require_explicit_policy?: boolean
  readonly inhibit_policy_mapping?: boolean
  readonly inhibit_any_policy?: boolean
  readonly user_constrained_policy_set?: ReadonlyArray<string>
}

export interface Pkits {
  readonly certs: Readonly<Record<string, string>>
  readonly crls: Readonly<Record<string, string>>
  readonly tests: ReadonlyArray<PkitsTest>
}

type Settings = Omit<PkitsTest, "name" | "chain" | "crls" | "should_validate">

// ---------------------------------------------------------------------------------------------------------------------
// Certificates and CRLs
// ---------------------------------------------------------------------------------------------------------------------

const today = Date.UTC(2011, 3, 15)
const clock: Clock.Clock = { ...Clock.make(), currentTimeMillis: Effect.succeed(today) }
const run = <A, E>(effect: Effect.Effect<A, E, CryptoProvider>): A =>
  Effect.runSync(Effect.withClock(Effect.provideService(effect, CryptoProvider, crypto), clock))

const key: CertificateOptions["key"] = { _tag: "Ed25519" }
const dates = { notBefore: new Date(Date.UTC(2010, 0)), notAfter: new Date(Date.UTC(2030, 11, 31)) }
const updates = { thisUpdate: dates.notBefore, nextUpdate: dates.notAfter }
const named = (CN: string) => ({ C: "US", O: "Test Certificates 2011", CN })

const testPolicy = (number: string): ObjectIdentifier.ObjectIdentifier =>
  number === "any" ? oids.anyPolicy : ObjectIdentifier.make(`2.16.840.1.101.3.2.1.48.${number}`)
const policyName = (number: string) => (number === "any" ? "anyPolicy" : `NIST-test-policy-${number}`)

const policies = (...numbers: ReadonlyArray<string>): CertificateExtension.Raw =>
  CertificateExtension.make({
    _tag: "CertificatePolicies",
    policies: numbers.map((number) => ({ policy: testPolicy(number), qualifiers: [] }))
  })
const mappings = (...pairs: ReadonlyArray<readonly [string, string]>): CertificateExtension.Raw =>
  CertificateExtension.make({
    _tag: "PolicyMappings",
    mappings: pairs.map(([issuer, subject]) => ({
      issuerDomainPolicy: testPolicy(issuer),
      subjectDomainPolicy: testPolicy(subject)
    }))
  })
const constraints = (
  requireExplicitPolicy: number | undefined,
  inhibitPolicyMapping?: number
): CertificateExtension.Raw =>
  CertificateExtension.make({ _tag: "PolicyConstraints", requireExplicitPolicy, inhibitPolicyMapping })
const inhibitAny = (skipCertificates: number): CertificateExtension.Raw =>
  CertificateExtension.make({ _tag: "InhibitAnyPolicy", skipCertificates })

const anchor = run(CertificateBuilder.authority({ subject: named("Trust Anchor"), key, ...dates }))

/** PKITS's certificates all state the first policy, unless they are about policies. */
const stating = (extensions: ReadonlyArray<CertificateExtension.Raw> = []) => ({
  extensions: extensions.some(({ oid }) => oid === oids.certificatePolicies)
    ? extensions
    : [policies("1"), ...extensions]
})
const authority = (issuer: Issued, name: string, options: AuthorityOptions = {}): Issued =>
  run(
    CertificateBuilder.issueAuthority(issuer, {
      subject: named(name),
      key,
      ...dates,
      ...options,
      ...stating(options.extensions)
    })
  )
const endEntity = (issuer: Issued, options: CertificateOptions = {}): Issued =>
  run(
    CertificateBuilder.issue(issuer, {
      subject: named("EE"),
      key,
      purposes: [],
      ...dates,
      ...options,
      ...stating(options.extensions)
    })
  )
/** An authority's certificate for itself, with another key. */
const renewed = (issuer: Issued, options: AuthorityOptions = {}): Issued =>
  run(
    CertificateBuilder.issueAuthority(issuer, {
      subject: issuer.certificate.subject,
      key,
      ...dates,
      ...options,
      ...stating(options.extensions)
    })
  )
const crl = (issuer: Issued | Identity, options: CrlOptions = {}): CertificateRevocationList =>
  run(CrlBuilder.make("identity" in issuer ? issuer.identity : issuer, { ...updates, ...options }))
const revoking = (...issued: ReadonlyArray<Issued>): Pick<CrlOptions, "revoked"> => ({
  revoked: issued.map(({ certificate }) => ({ certificate, revocationDate: dates.notBefore, reason: "keyCompromise" }))
})

/** The fields of a TBSCertificate from version 3 on. */
const field = { serial: 1, issuer: 3, validity: 4, subject: 5, spki: 6 } as const

/** The certificate with some fields of its content replaced, signed again by its issuer. */
const rewrite = (
  issued: Issued,
  issuer: Issued,
  fields: Readonly<Record<number, ReadonlyArray<Uint8Array>>>
): Issued => {
  const elements = Either.getOrThrow(
    Der.decode("TBSCertificate", (reader) => reader.sequenceOf((item) => item.element()))(issued.certificate.tbs)
  )
  const tbs = Der.sequence(...elements.flatMap((element, i) => fields[i] ?? [element]))
  const { algorithm, der: identifier } = issued.certificate.signatureAlgorithm
  const signature = run(issuer.identity.privateKey.sign(algorithm!, tbs))
  const certificate = Either.getOrThrow(Certificate.decode(Der.sequence(tbs, identifier, Der.bitString(signature))))
  return { ...issued, certificate, identity: { ...issued.identity, certificateChain: [certificate] } }
}

const damage = (issued: Issued): Issued => {
  const der = issued.certificate.der.slice()
  der[der.length - 1]! ^= 1
  return { ...issued, certificate: Either.getOrThrow(Certificate.decode(der)) }
}

const generalized = (text: string) => Der.ascii(text, Der.Tag.GeneralizedTime)
const utc = (text: string) => Der.ascii(text, Der.Tag.UtcTime)

/** A name as somebody else writes it: other types of string, other spaces, other capitals, another order. */
const spelled = (tag: number, ...attributes: ReadonlyArray<readonly [ObjectIdentifier.ObjectIdentifier, string]>) =>
  Der.sequence(
    ...attributes.map(([type, text]) =>
      Der.setOf(Der.sequence(Der.oid(type), Der.value(tag, new TextEncoder().encode(text))))
    )
  )

/** A key of RSA as PKITS has them. */
const rsa = (modulusLength: number): PrivateKey => {
  const pair = generateKeyPairSync("rsa", { modulusLength })
  return makePrivateKey({
    publicKey: Either.getOrThrow(
      PublicKey.decode(new Uint8Array(pair.publicKey.export({ format: "der", type: "spki" })))
    ),
    schemes: [],
    sign: (algorithm, data) =>
      Effect.sync(
        () => new Uint8Array(sign("hash" in algorithm ? algorithm.hash.replace("-", "") : null, data, pair.privateKey))
      )
  })
}

// ---------------------------------------------------------------------------------------------------------------------
// The suite
// ---------------------------------------------------------------------------------------------------------------------

/** The suite and how many of its tests there are to pass, and to skip. */
export const make = (): { readonly suite: Pkits; readonly passing: number; readonly skipped: number } => {
  const certs: Record<string, string> = {}
  const crls: Record<string, string> = {}
  const tests: Array<PkitsTest> = []
  const nameIn = (entries: Record<string, string>, what: string, der: Uint8Array): string => {
    const text = Encoding.encodeBase64(der)
    const known = Object.entries(entries).find(([, other]) => other === text)
    const name = known?.[0] ?? `${what} ${Object.keys(entries).length}`
    entries[name] = text
    return name
  }
  /** A test of a path below the anchor, the leaf last; without CRLs, with one of each authority that revokes nobody. */
  const test = (
    name: string,
    should_validate: boolean,
    path: ReadonlyArray<Issued>,
    lists: ReadonlyArray<CertificateRevocationList> = [anchor, ...path.slice(0, -1)].map((issuer) => crl(issuer)),
    settings: Settings = {}
  ): void => {
    tests.push({
      name,
      should_validate,
      chain: [anchor, ...path].map(({ certificate }) => nameIn(certs, "Cert", certificate.der)),
      crls: lists.map(({ der }) => nameIn(crls, "CRL", der)),
      ...settings
    })
  }
  const valid = (name: string, ...rest: Parameters<typeof test> extends [string, boolean, ...infer R] ? R : never) =>
    test(name, true, ...rest)
  const invalid = (name: string, ...rest: Parameters<typeof test> extends [string, boolean, ...infer R] ? R : never) =>
    test(name, false, ...rest)

  const good = authority(anchor, "Good CA")
  const ee = endEntity(good)
  const anchorCrl = crl(anchor)
  const goodCrl = crl(good)
  const both = [anchorCrl, goodCrl]

  // 4.1 Signature verification
  valid("4.1.1 signatures", [good, ee], both, { user_constrained_policy_set: ["NIST-test-policy-1"] })
  invalid("4.1.2 CA signature", [damage(good), ee], both)
  invalid("4.1.3 EE signature", [good, damage(ee)], both)
  for (const [length, hash] of [
    [2048, "SHA-256"],
    [1024, "SHA-1"]
  ] as const) {
    const signatureAlgorithm = { _tag: "RsaPkcs1", hash } as const
    const rsaCa = authority(anchor, "RSA CA", { key: rsa(length) })
    const rsaEe = endEntity(rsaCa, { key: rsa(length), signatureAlgorithm })
    const rsaCrl = crl(rsaCa, { signatureAlgorithm })
    valid(`4.1 RSA of ${length} bits over ${hash}`, [rsaCa, rsaEe], [anchorCrl, rsaCrl])
    invalid(`4.1 RSA of ${length} bits over ${hash}, signature`, [rsaCa, damage(rsaEe)], [anchorCrl, rsaCrl])
  }
  const dsaSpki = generateKeyPairSync("dsa", { modulusLength: 1024, divisorLength: 160 }).publicKey.export({
    format: "der",
    type: "spki"
  })
  const dsaCa = rewrite(authority(anchor, "DSA CA"), anchor, { [field.spki]: [new Uint8Array(dsaSpki)] })
  const inherited = Der.sequence(Der.sequence(Der.oid(oids.dsa)), Der.bitString(Der.integer(5)))
  const dsaHeir = rewrite(authority(dsaCa, "DSA heir"), dsaCa, { [field.spki]: [inherited] })
  valid("4.1.4 DSA", [dsaCa, endEntity(dsaCa)], both)
  valid("4.1.5 DSA parameters inherited", [dsaCa, dsaHeir, endEntity(dsaHeir)], both)
  const skipped = 2

  // 4.2 Validity periods
  const future = { notBefore: new Date(Date.UTC(2027, 0)) }
  const past = { notAfter: new Date(Date.UTC(2011, 0)) }
  const lasting = authority(anchor, "Dated CA")
  const lasted = endEntity(lasting)
  /** The builder lets nobody issue outside of its time: the authority is given another certificate afterwards. */
  const during = (from: number, to: number) =>
    rewrite(lasting, anchor, { [field.validity]: [Der.sequence(Der.time(from), Der.time(to))] })
  const [begin, end] = [dates.notBefore.getTime(), dates.notAfter.getTime()]
  invalid("4.2.1 CA notBefore", [during(future.notBefore.getTime(), end), lasted])
  invalid("4.2.2 EE notBefore", [good, endEntity(good, future)], both)
  invalid("4.2.5 CA notAfter", [during(begin, past.notAfter.getTime()), lasted])
  invalid("4.2.6 EE notAfter", [good, endEntity(good, past)], both)
  const dated = (...validity: ReadonlyArray<Uint8Array>) =>
    rewrite(ee, good, { [field.validity]: [Der.sequence(...validity)] })
  valid("4.2.3 UTCTime before 2000", [good, dated(utc("500101120100Z"), utc("301231083000Z"))], both)
  valid("4.2.4 GeneralizedTime notBefore", [good, dated(generalized("20020101120100Z"), utc("301231083000Z"))], both)
  invalid("4.2.7 UTCTime notAfter before 2000", [good, dated(utc("970101120100Z"), utc("990101120100Z"))], both)
  valid("4.2.8 GeneralizedTime notAfter", [good, dated(utc("100101083000Z"), generalized("20500101120100Z"))], both)

  // 4.3 Name chaining
  const { commonName, country, organization, organizationalUnit } = oids
  const { PrintableString, Utf8String } = Der.Tag
  const issuedBy = (name: Uint8Array) => rewrite(ee, good, { [field.issuer]: [name] })
  const spelling = (tag: number, O: string, CN: string) =>
    spelled(tag, [country, "US"], [organization, O], [commonName, CN])
  invalid("4.3.1 other issuer", [good, issuedBy(spelling(Utf8String, "Test Certificates 2011", "Good CA Root"))], both)
  valid("4.3.3 spaces", [good, issuedBy(spelling(Utf8String, "Test  Certificates   2011", "Good     CA"))], both)
  valid("4.3.4 outer spaces", [good, issuedBy(spelling(Utf8String, "   Test Certificates 2011", "Good CA  "))], both)
  valid("4.3.5 capitals", [good, issuedBy(spelling(Utf8String, "TEST Certificates 2011", "GOOD ca"))], both)
  valid("4.3.10 other strings", [good, issuedBy(spelling(PrintableString, "Test Certificates 2011", "Good CA"))], both)
  invalid(
    "4.3.2 order",
    [
      good,
      issuedBy(spelled(Utf8String, [organization, "Test Certificates 2011"], [country, "US"], [commonName, "Good CA"]))
    ],
    both
  )
  const plain = authority(anchor, "UID CA")
  const uniqueIdentifiers = [0x81, 0x82].map((tag) => Der.value(tag, Uint8Array.of(0, tag)))
  const uidCa = rewrite(plain, anchor, { [field.spki]: [plain.certificate.publicKey.spki, ...uniqueIdentifiers] })
  valid("4.3.6 unique identifiers", [uidCa, endEntity(uidCa)])
  const typesCa = authority(anchor, "", {
    subject: {
      C: "US",
      O: "Test Certificates 2011",
      DC: ["gov", "testcertificates"],
      ST: "Maryland",
      L: "Gaithersburg",
      serialNumber: "345",
      dnQualifier: "CA",
      pseudonym: "Fictitious",
      SN: "CA",
      GN: "John",
      title: "M.D."
    }
  })
  valid("4.3.7 attribute types", [typesCa, endEntity(typesCa)])
  const accents = authority(anchor, "Grüße CA")
  const shouted = rewrite(endEntity(accents), accents, {
    [field.issuer]: [spelling(Utf8String, "Test  Certificates 2011", "GRÜSSE  ca")]
  })
  const accented = rewrite(endEntity(accents), accents, {
    [field.issuer]: [spelling(Utf8String, "Test Certificates  2011", "GRÜßE CA")]
  })
  valid("4.3.11 what one alphabet writes in two letters", [accents, shouted], [anchorCrl, crl(accents)])
  valid("4.3.11 capitals of UTF8String", [accents, accented], [anchorCrl, crl(accents)])

  // 4.4 Revocation
  const stranger = authority(anchor, "Stranger")
  const signedBy = (issuer: Issued, signer: Issued): Identity => ({
    certificateChain: issuer.identity.certificateChain,
    privateKey: signer.identity.privateKey
  })
  const unknown = (critical: boolean) => ({
    oid: ObjectIdentifier.make("2.16.840.1.101.2.1.12.2"),
    critical,
    value: Uint8Array.of(5, 0)
  })
  invalid("4.4.1 no CRL", [good, ee], [anchorCrl])
  invalid("4.4.2 revoked CA", [good, ee], [crl(anchor, revoking(good)), goodCrl])
  invalid("4.4.3 revoked EE", [good, ee], [anchorCrl, crl(good, revoking(ee))])
  invalid("4.4.4 CRL signature", [good, ee], [anchorCrl, crl(signedBy(good, stranger))])
  invalid("4.4.5 CRL issuer", [good, ee], [anchorCrl, crl(stranger)])
  invalid("4.4.6 wrong CRL", [good, ee], [anchorCrl, anchorCrl])
  valid("4.4.7 two CRLs", [good, ee], [anchorCrl, crl(stranger), goodCrl])
  const entry = { certificate: ee.certificate, extensions: [unknown(true)] }
  invalid("4.4.8 critical entry extension", [good, ee], [anchorCrl, crl(good, { revoked: [entry] })])
  invalid("4.4.9 critical CRL extension", [good, ee], [anchorCrl, crl(good, { extensions: [unknown(true)] })])
  valid("4.4 CRL extension", [good, ee], [anchorCrl, crl(good, { extensions: [unknown(false)] })])
  invalid("4.4.11 old nextUpdate", [good, ee], [anchorCrl, crl(good, { nextUpdate: new Date(Date.UTC(2010, 6)) })])
  const before2000 = { thisUpdate: new Date(Date.UTC(1998, 0)), nextUpdate: new Date(Date.UTC(1999, 0)) }
  invalid("4.4.12 nextUpdate before 2000", [good, ee], [anchorCrl, crl(good, before2000)])
  valid(
    "4.4.13 GeneralizedTime nextUpdate",
    [good, ee],
    [anchorCrl, crl(good, { nextUpdate: new Date(Date.UTC(2050, 0)) })]
  )
  const numbered = (...serial: ReadonlyArray<number>) =>
    rewrite(ee, good, { [field.serial]: [Der.value(Der.Tag.Integer, Uint8Array.from(serial))] })
  const long = Array.from({ length: 20 }, (_, n) => n + 1)
  valid("4.4.14 negative serial number", [good, numbered(0xff)], [anchorCrl, crl(good, revoking(numbered(0x00, 0xff)))])
  invalid("4.4.15 negative serial number", [good, numbered(0xff)], [anchorCrl, crl(good, revoking(numbered(0xff)))])
  valid(
    "4.4.16 long serial number",
    [good, numbered(...long)],
    [anchorCrl, crl(good, revoking(numbered(...long.slice(1))))]
  )
  invalid("4.4.18 long serial number", [good, numbered(...long)], [anchorCrl, crl(good, revoking(numbered(...long)))])
  const usage = (...usages: ReadonlyArray<CertificateExtension.KeyUsage>) => CertificateExtension.encodeKeyUsage(usages)
  const certifying = authority(anchor, "Separate CA", { extensions: [usage("keyCertSign")] })
  const listing = authority(anchor, "Separate CA", { extensions: [usage("cRLSign")] })
  const separate = endEntity(certifying)
  valid("4.4.19 separate keys", [certifying, listing, separate], [anchorCrl, crl(listing)])
  invalid(
    "4.4.20 separate keys, revoked EE",
    [certifying, listing, separate],
    [anchorCrl, crl(listing, revoking(separate))]
  )
  invalid(
    "4.4.21 separate keys, revoked key",
    [certifying, listing, separate],
    [crl(anchor, revoking(listing)), crl(listing)]
  )

  // 4.5 Self-issued certificates
  const byNew = renewed(good)
  const eeOfNew = endEntity(byNew)
  valid("4.5.1 new with old", [good, byNew, eeOfNew], [anchorCrl, goodCrl, crl(byNew)])
  invalid("4.5.2 new with old, revoked EE", [good, byNew, eeOfNew], [anchorCrl, goodCrl, crl(byNew, revoking(eeOfNew))])
  valid("4.5.3 CRL by the old key", [good, byNew, eeOfNew], [anchorCrl, goodCrl])
  invalid("4.5.5 CRL by the old key, revoked EE", [good, byNew, eeOfNew], [anchorCrl, crl(good, revoking(eeOfNew))])
  const noList = authority(anchor, "No list CA", { extensions: [usage("keyCertSign")] })
  const listKey = renewed(noList, { extensions: [usage("cRLSign")] })
  const point = (name: DistributionPointName | undefined, more: Partial<DistributionPoint> = {}) =>
    CertificateExtension.make({
      _tag: "CrlDistributionPoints",
      points: [{ name, reasons: undefined, crlIssuer: undefined, ...more }]
    })
  const selfIssuedEe = endEntity(noList)
  const listed = [noList, listKey, selfIssuedEe]
  valid("4.5.6 CRL key of its own", listed, [anchorCrl, crl(listKey)])
  invalid("4.5.7 CRL key of its own, revoked EE", listed, [anchorCrl, crl(listKey, revoking(selfIssuedEe))])
  const byListKey = endEntity(listKey)
  invalid("4.5.8 EE by the CRL key", [noList, listKey, byListKey], [anchorCrl, crl(listKey)])

  // 4.6 Basic constraints
  const basic = (ca: boolean, critical: boolean, pathLength?: number) => ({
    ...CertificateExtension.encodeBasicConstraints({ ca, pathLength }),
    critical
  })
  const under = (options: AuthorityOptions, ...names: ReadonlyArray<string>): ReadonlyArray<Issued> => {
    const top = authority(anchor, "Top CA", options)
    const path = [top]
    for (const name of names) path.push(authority(path.at(-1)!, name))
    return [...path, endEntity(path.at(-1)!)]
  }
  const asIssuer = (made: Issued, ...extensions: ReadonlyArray<CertificateExtension.Raw>): ReadonlyArray<Issued> => {
    // The builder has no authority that says it is none: it issues as one, and its certificate is another.
    const said = run(
      CertificateBuilder.issue(anchor, {
        subject: made.certificate.subject,
        key: made.identity.privateKey,
        ...dates,
        extensions: [policies("1"), ...extensions]
      })
    )
    return [said, endEntity(made)]
  }
  const withList = (path: ReadonlyArray<Issued>, made: Issued) => [path, [anchorCrl, crl(made)]] as const
  const odd = authority(anchor, "Odd CA")
  invalid("4.6.2 cA false", ...withList(asIssuer(odd, usage("keyCertSign", "cRLSign")), odd))
  invalid("4.6.3 cA false, not critical", ...withList(asIssuer(odd, basic(false, false)), odd))
  valid("4.6.4 not critical", under({ extensions: [basic(true, false)] }))
  valid("4.6.7 path length", under({ pathLength: 0 }))
  invalid("4.6.5 path length", under({ pathLength: 0 }, "Sub CA"))
  valid("4.6.8 path length, a CA at the end", under({ pathLength: 0 }, "Sub CA").slice(0, 2))
  invalid("4.6.6 path length, a CA at the end", under({ pathLength: 0 }, "Sub CA", "Sub Sub CA").slice(0, 3))
  valid("4.6.13 path length of 6", under({ pathLength: 6 }, "A", "B", "C"))
  const zero = authority(anchor, "Zero CA", { pathLength: 0 })
  const zeroAgain = renewed(zero)
  const zeroSub = authority(zeroAgain, "Zero sub CA")
  valid("4.6.15 path length, self-issued", [zero, zeroAgain, endEntity(zeroAgain)])
  invalid("4.6.16 path length, self-issued", [zero, zeroAgain, zeroSub, endEntity(zeroSub)])

  // 4.7 Key usage
  for (const critical of [true, false]) {
    const kind = critical ? "critical" : "not critical"
    const may = (...usages: ReadonlyArray<CertificateExtension.KeyUsage>) => ({
      extensions: [{ ...usage(...usages), critical }]
    })
    invalid(`4.7 keyCertSign false, ${kind}`, under(may("cRLSign", "digitalSignature")))
    valid(`4.7 keyCertSign and cRLSign, ${kind}`, under(may("cRLSign", "keyCertSign")))
    const silent = authority(anchor, "Silent CA", may("keyCertSign"))
    // The builder signs no CRL for it, but for whoever has its name and key and may.
    const talking = authority(anchor, "Silent CA", { key: silent.identity.privateKey })
    invalid(`4.7 cRLSign false, ${kind}`, [silent, endEntity(silent)], [anchorCrl, crl(talking)])
  }

  // 4.8 to 4.12 Certificate policies
  const explicit = { require_explicit_policy: true } as const
  const initial = (...numbers: ReadonlyArray<string>): Settings => ({ initial_policy_set: numbers.map(policyName) })
  const expecting = (...numbers: ReadonlyArray<string>): Settings => ({
    user_constrained_policy_set: numbers.map(policyName)
  })
  /** A path of certificates with these extensions; `self` makes one self-issued. */
  const stated = (
    ...levels: ReadonlyArray<
      ReadonlyArray<CertificateExtension.Raw> | "self" | readonly ["self", ...ReadonlyArray<CertificateExtension.Raw>]
    >
  ): ReadonlyArray<Issued> => {
    const path: Array<Issued> = []
    for (const [index, level] of levels.entries()) {
      const issuer = path.at(-1) ?? anchor
      const isSelf = level === "self" || level[0] === "self"
      const extensions = (
        level === "self" ? [policies("1")] : level.filter((item) => item !== "self")
      ) as ReadonlyArray<CertificateExtension.Raw>
      const [subject, own] = [
        isSelf ? issuer.certificate.subject : named(`level ${index}`),
        { key, ...dates, extensions }
      ]
      path.push(
        run(
          index === levels.length - 1 && !isSelf
            ? CertificateBuilder.issue(issuer, { subject, purposes: [], ...own })
            : CertificateBuilder.issueAuthority(issuer, { subject, ...own })
        )
      )
    }
    return path
  }
  const policyTest = (name: string, should: boolean, path: ReadonlyArray<Issued>, settings: Settings = {}) =>
    test(name, should, path, undefined, settings)
  const p = policies
  const one = stated([p("1")], [p("1")])
  policyTest("4.8.1.1 one policy", true, one, { ...explicit, ...expecting("1") })
  policyTest("4.8.1.2 one policy", true, one, { ...explicit, ...initial("1"), ...expecting("1") })
  policyTest("4.8.1.3 one policy", false, one, { ...explicit, ...initial("2") })
  policyTest("4.8.1.4 one policy", true, one, { ...explicit, ...initial("1", "2"), ...expecting("1") })
  policyTest("4.8.2.1 no policy", true, stated([], []), expecting())
  policyTest("4.8.2.2 no policy", false, stated([], []), explicit)
  policyTest("4.8.3.1 different policies", true, stated([p("1")], [p("2")], [p("1")]), expecting())
  policyTest("4.8.3.2 different policies", false, stated([p("1")], [p("2")], [p("1")]), explicit)
  policyTest("4.8.5 different policies", false, stated([p("1"), constraints(0)], [p("2")]))
  policyTest("4.8.7 some in common", true, stated([p("1", "2")], [p("1")], [p("1")]), {
    ...explicit,
    ...expecting("1")
  })
  policyTest("4.8.10 all in common", true, stated([p("1", "2")], [p("1", "2")]), { ...initial("1"), ...expecting("1") })
  policyTest("4.8.11 any policy", true, stated([p("any")], [p("any")]), expecting("any"))
  policyTest("4.8.11 any policy of mine", true, stated([p("any")], [p("any")]), { ...initial("1"), ...expecting("1") })
  policyTest("4.8.13 any policy above", false, stated([p("any")], [p("1", "2")]), { ...explicit, ...initial("3") })
  const notice = CertificateExtension.make({
    _tag: "CertificatePolicies",
    policies: [
      {
        policy: testPolicy("1"),
        qualifiers: [
          { _tag: "UserNotice", reference: undefined, text: { tag: Der.Tag.VisibleString, value: "q".repeat(300) } },
          { _tag: "Cps", uri: "http://csrc.nist.gov/groups/ST/crypto_apps_infra/csor/pki_registration.html" }
        ]
      }
    ]
  })
  policyTest("4.8.15 qualifiers", true, stated([notice]), { ...explicit, ...expecting("1") })

  policyTest("4.9.1 explicit later than the path", true, stated([p("1"), constraints(10)], [p("1")], [p("1")], []))
  policyTest("4.9.2 explicit at the leaf's", true, stated([p("1"), constraints(5)], [p("1")], []))
  policyTest("4.9.3 explicit", false, stated([p("1"), constraints(4)], [p("1")], [p("1")], [p("1")], []))
  policyTest(
    "4.9.5 explicit, lowered",
    false,
    stated([p("1"), constraints(7)], [p("1"), constraints(2)], [p("1"), constraints(4)], [])
  )
  policyTest("4.9.6 explicit, self-issued", true, stated([p("1"), constraints(2)], "self", []))
  policyTest("4.9.7 explicit, self-issued", false, stated([p("1"), constraints(2)], "self", [p("1")], []))
  policyTest("4.9 explicit of the leaf", false, stated([p("1")], [p("2"), constraints(0)]))

  const mapped = stated([p("1"), mappings(["1", "2"])], [p("2")])
  policyTest("4.10.1.1 mapping", true, mapped, { ...initial("1"), ...expecting("1") })
  policyTest("4.10.1.2 mapping", false, mapped, { ...explicit, ...initial("2") })
  policyTest("4.10.1.3 mapping", false, mapped, { ...explicit, inhibit_policy_mapping: true })
  policyTest("4.10.2 mapping of another", false, stated([p("1"), mappings(["2", "3"])], [p("3")]), explicit)
  policyTest("4.10.7 mapping from any", false, stated([p("1"), mappings(["any", "1"])], [p("1")]))
  policyTest("4.10.8 mapping to any", false, stated([p("1"), mappings(["1", "any"])], [p("1")]))
  policyTest("4.10.9 mapping under any", true, stated([p("any"), mappings(["1", "2"])], [p("2")]), {
    ...explicit,
    ...expecting("1")
  })
  policyTest("4.10.3 two mappings", true, stated([p("1", "2"), mappings(["1", "3"], ["2", "4"])], [p("3", "4")]), {
    ...explicit,
    ...initial("2"),
    ...expecting("2")
  })

  const inhibited = (count: number) => [p("1"), constraints(undefined, count)]
  policyTest("4.11.1 inhibited", false, stated(inhibited(0), [p("1"), mappings(["1", "2"])], [p("2")]), explicit)
  policyTest("4.11.2 inhibited later", true, stated(inhibited(1), [p("1"), mappings(["1", "2"])], [p("2")]), {
    ...explicit,
    ...expecting("1")
  })
  policyTest(
    "4.11.3 inhibited",
    false,
    stated(inhibited(1), [p("1")], [p("1"), mappings(["1", "2"])], [p("2")]),
    explicit
  )
  policyTest(
    "4.11.7 inhibited, self-issued",
    true,
    stated(inhibited(1), "self", [p("1"), mappings(["1", "2"])], [p("2")]),
    { ...explicit, ...expecting("1") }
  )
  policyTest(
    "4.11.8 inhibited, self-issued",
    false,
    stated(inhibited(1), "self", [p("1")], [p("1"), mappings(["1", "2"])], [p("2")]),
    explicit
  )

  policyTest("4.12.1 any inhibited", false, stated([p("1"), inhibitAny(0)], [p("any")]), explicit)
  policyTest("4.12.2 any inhibited, not needed", true, stated([p("1"), inhibitAny(0)], [p("1", "any")]), {
    ...explicit,
    ...expecting("1")
  })
  policyTest("4.12.3 any inhibited later", true, stated([p("1"), inhibitAny(1)], [p("any")]), {
    ...explicit,
    ...expecting("1")
  })
  policyTest("4.12.3 any inhibited by the caller", false, stated([p("1")], [p("any")]), {
    ...explicit,
    inhibit_any_policy: true
  })
  policyTest("4.12.7 any inhibited, self-issued", true, stated([p("1"), inhibitAny(0)], ["self", p("any")], [p("1")]), {
    ...explicit,
    ...expecting("1")
  })
  policyTest(
    "4.12.10 any inhibited, self-issued leaf",
    false,
    stated([p("1"), inhibitAny(0)], ["self", p("any")]),
    explicit
  )

  // 4.13 Name constraints
  const directory = (
    ...attributes: ReadonlyArray<readonly ["country" | "organization" | "organizationalUnit", string]>
  ): GeneralName => ({
    _tag: "DirectoryName",
    name: DistinguishedName.fromAttributes(attributes.map(([type, value]) => [oids[type], value]))
  })
  const base = [
    ["country", "US"],
    ["organization", "Test Certificates 2011"]
  ] as const
  const subtree = (unit: string) => directory(...base, ["organizationalUnit", unit])
  const within = (unit: string, options: CertificateOptions = {}): CertificateOptions => ({
    subject: { C: "US", O: "Test Certificates 2011", OU: unit, CN: "EE" },
    ...options
  })
  const constrained = (
    name: string,
    should: boolean,
    nameConstraints: Partial<CertificateExtension.NameConstraints>,
    options: CertificateOptions
  ) => {
    const ca = authority(anchor, "Constraining CA", {
      nameConstraints: { permitted: undefined, excluded: undefined, ...nameConstraints }
    })
    test(name, should, [ca, endEntity(ca, options)])
  }
  const permits = (...permitted: ReadonlyArray<GeneralName>) => ({ permitted })
  const excludes = (...excluded: ReadonlyArray<GeneralName>) => ({ excluded })
  constrained("4.13.1 DN", true, permits(subtree("permitted1")), within("permitted1"))
  constrained("4.13.1 DN, spelled otherwise", true, permits(subtree("permitted1")), within("  PERMITTED1 "))
  constrained("4.13.2 DN", false, permits(subtree("permitted1")), within("excluded"))
  const others: CertificateOptions = { names: [subtree("excluded")] }
  constrained("4.13.3 DN of the other names", false, permits(subtree("permitted1")), within("permitted1", others))
  constrained("4.13.5 DN, two", true, permits(subtree("permitted1"), subtree("permitted2")), within("permitted2"))
  constrained("4.13.6 DN, excluded", true, excludes(subtree("excluded1")), within("permitted"))
  constrained("4.13.7 DN, excluded", false, excludes(subtree("excluded1")), within("excluded1"))
  const narrowing = authority(anchor, "Constraining CA", {
    nameConstraints: { ...permits(directory(...base)), excluded: undefined }
  })
  const narrow = authority(narrowing, "Narrow CA", {
    nameConstraints: { ...permits(subtree("permitted1")), excluded: undefined }
  })
  valid("4.13.12 DN, narrowed", [narrowing, narrow, endEntity(narrow, within("permitted1"))])
  invalid("4.13.13 DN, narrowed", [narrowing, narrow, endEntity(narrow, within("permitted2"))])
  const tight = authority(anchor, "Tight CA", {
    nameConstraints: { ...permits(subtree("permitted1")), excluded: undefined }
  })
  const tightAgain = renewed(tight)
  valid("4.13.19 DN, self-issued", [tight, tightAgain, endEntity(tightAgain, within("permitted1"))])
  invalid("4.13.20 DN, self-issued", [tight, tightAgain, endEntity(tightAgain)])
  const mail = (value: string): GeneralName => ({ _tag: "Rfc822Name", value })
  const dns = (value: string): GeneralName => ({ _tag: "DnsName", value })
  const uri = (value: string): GeneralName => ({ _tag: "Uri", value })
  const gov = "testcertificates.gov"
  constrained("4.13.21 RFC 822, a domain", true, permits(mail(`.${gov}`)), { names: [`ee@mail.${gov}`] })
  constrained("4.13.22 RFC 822, a domain", false, permits(mail(`.${gov}`)), { names: [`ee@${gov}`] })
  constrained("4.13.23 RFC 822, a host", true, permits(mail(gov)), { names: [`ee@${gov}`] })
  constrained("4.13.24 RFC 822, a host", false, permits(mail(gov)), { names: [`ee@mail.${gov}`] })
  constrained("4.13.25 RFC 822, excluded", true, excludes(mail(gov)), { names: [`ee@mail.${gov}`] })
  constrained("4.13.26 RFC 822, excluded", false, excludes(mail(gov)), { names: [`ee@${gov}`] })
  const inSubject = (emailAddress: string): CertificateOptions => ({ subject: { ...named("EE"), emailAddress } })
  constrained(
    "4.13.29 RFC 822 of the subject",
    false,
    permits(mail(`.${gov}`)),
    inSubject("ee@invalidcertificates.gov")
  )
  constrained("4.13 RFC 822 of the subject", true, permits(mail(`.${gov}`)), inSubject(`ee@mail.${gov}`))
  constrained("4.13.30 DNS", true, permits(dns(gov)), { names: [`server.${gov}`] })
  constrained("4.13.31 DNS", false, permits(dns(gov)), { names: ["server.invalidcertificates.gov"] })
  constrained("4.13.32 DNS, excluded", true, excludes(dns("invalidcertificates.gov")), { names: [`server.${gov}`] })
  constrained("4.13.33 DNS, excluded", false, excludes(dns(gov)), { names: [`server.${gov}`] })
  constrained("4.13.38 DNS, half a label", false, permits(dns(gov)), { names: [`my${gov}`] })
  constrained("4.13.34 URI", true, permits(uri(`.${gov}`)), { names: [`http://server.${gov}/index.html`] })
  constrained("4.13.35 URI", false, permits(uri(`.${gov}`)), { names: [`http://${gov}/index.html`] })
  constrained("4.13.36 URI, excluded", true, excludes(uri(gov)), { names: [`ftp://server.${gov}:21/a`] })
  constrained("4.13.37 URI, excluded", false, excludes(uri(gov)), { names: [`ftp://${gov}:21/a`] })

  // 4.14 Distribution points
  const place = (CN: string): DistributionPointName => ({
    _tag: "FullName",
    names: [{ _tag: "DirectoryName", name: DistinguishedName.fromAttributes([[commonName, CN]]) }]
  })
  const attribute = Der.sequence(Der.oid(organizationalUnit), Der.utf8String("CRL1 of Good CA"))
  const relative: DistributionPointName = {
    _tag: "RelativeName",
    attributes: [{ type: organizationalUnit, value: "CRL1 of Good CA", tag: Utf8String }],
    der: Der.setOf(attribute)
  }
  const wholeName: DistributionPointName = {
    _tag: "FullName",
    names: [
      {
        _tag: "DirectoryName",
        name: DistinguishedName.append(good.certificate.subject, relative.attributes, relative.der)
      }
    ]
  }
  const scoped = (scope: NonNullable<CrlOptions["issuingDistributionPoint"]>, more: CrlOptions = {}) =>
    crl(good, { issuingDistributionPoint: scope, ...more })
  const pointing = (name: DistributionPointName) => endEntity(good, { extensions: [point(name)] })
  const atPlace = pointing(place("A"))
  valid("4.14.1 the place", [good, atPlace], [anchorCrl, scoped({ name: place("A") })])
  invalid("4.14.2 revoked at the place", [good, atPlace], [anchorCrl, scoped({ name: place("A") }, revoking(atPlace))])
  invalid("4.14.3 another place", [good, atPlace], [anchorCrl, scoped({ name: place("B") })])
  valid("4.14.4 no place in the CRL", [good, atPlace], [anchorCrl, goodCrl])
  valid("4.14.5 relative and whole", [good, pointing(relative)], [anchorCrl, scoped({ name: wholeName })])
  valid("4.14.7 whole and relative", [good, pointing(wholeName)], [anchorCrl, scoped({ name: relative })])
  invalid("4.14.8 relative and another", [good, pointing(relative)], [anchorCrl, scoped({ name: place("A") })])
  valid("4.14.10 only users", [good, ee], [anchorCrl, scoped({ onlyContainsUserCerts: true })])
  invalid("4.14.11 only users", [good, authority(good, "Sub CA")], [anchorCrl, scoped({ onlyContainsUserCerts: true })])
  invalid("4.14.12 only CAs", [good, ee], [anchorCrl, scoped({ onlyContainsCaCerts: true })])
  valid("4.14.13 only CAs", [good, authority(good, "Sub CA")], [anchorCrl, scoped({ onlyContainsCaCerts: true })])
  invalid("4.14.14 only attributes", [good, ee], [anchorCrl, scoped({ onlyContainsAttributeCerts: true })])
  const reasons = (...flags: ReadonlyArray<ReasonFlag>) => scoped({ onlySomeReasons: new Set(flags) })
  const all: ReadonlyArray<ReasonFlag> = [
    "keyCompromise",
    "cACompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "certificateHold",
    "privilegeWithdrawn",
    "aACompromise"
  ]
  invalid("4.14.17 some reasons", [good, ee], [anchorCrl, reasons("keyCompromise")])
  valid(
    "4.14.18 all reasons between two",
    [good, ee],
    [anchorCrl, reasons(...all.slice(0, 2)), reasons(...all.slice(2))]
  )
  const indirect = { issuingDistributionPoint: { indirectCrl: true } }
  const lister = authority(anchor, "CRL issuer", { extensions: [usage("cRLSign")] })
  const elsewhere = endEntity(good, {
    extensions: [point(undefined, { crlIssuer: [{ _tag: "DirectoryName", name: lister.certificate.subject }] })]
  })
  const revokedElsewhere = {
    ...indirect,
    revoked: [{ certificate: elsewhere.certificate, issuer: good.certificate.subject }]
  }
  valid("4.14.22 indirect", [good, lister, elsewhere], [anchorCrl, crl(lister, indirect)])
  invalid("4.14.23 indirect, revoked", [good, lister, elsewhere], [anchorCrl, crl(lister, revokedElsewhere)])
  const relativeTo = { crlIssuer: [{ _tag: "DirectoryName", name: lister.certificate.subject }] } as const
  const pointed = endEntity(good, { extensions: [point(relative, relativeTo)] })
  const listersPlace = DistinguishedName.append(lister.certificate.subject, relative.attributes, relative.der)
  const listerAt = (directoryName: DistinguishedName.DistinguishedName): CrlOptions => ({
    issuingDistributionPoint: {
      indirectCrl: true,
      name: { _tag: "FullName", names: [{ _tag: "DirectoryName", name: directoryName }] }
    }
  })
  valid("4.14.29 indirect, relative", [good, lister, pointed], [anchorCrl, crl(lister, listerAt(listersPlace))])
  invalid(
    "4.14 indirect, relative to another",
    [good, lister, pointed],
    [anchorCrl, crl(lister, listerAt(good.certificate.subject))]
  )
  const bySelf = point(undefined, {
    crlIssuer: [{ _tag: "DirectoryName", name: DistinguishedName.fromAttributes([[commonName, "Self"]]) }]
  })
  const self = authority(good, "Self", {
    subject: { CN: "Self" },
    extensions: [usage("cRLSign"), bySelf]
  })
  const watched = endEntity(good, { extensions: [bySelf] })
  valid("4.14.30 indirect, about itself", [good, self, watched], [anchorCrl, crl(self, indirect)])
  const selfRevoking = { ...indirect, revoked: [{ certificate: self.certificate, issuer: good.certificate.subject }] }
  invalid("4.14 indirect, revoking itself", [good, self, watched], [anchorCrl, crl(self, selfRevoking)])
  invalid("4.14.26 indirect, unsaid by the certificate", [good, lister, ee], [anchorCrl, crl(lister, indirect)])
  invalid("4.14.25 not indirect", [good, lister, elsewhere], [anchorCrl, crl(lister)])

  // 4.15 Delta CRLs
  const freshest = CertificateExtension.make({
    _tag: "FreshestCrl",
    points: [{ name: place("delta"), reasons: undefined, crlIssuer: undefined }]
  })
  const fresh = endEntity(good, { extensions: [freshest] })
  const whole = crl(good, { number: 1n })
  const delta = (options: CrlOptions) => crl(good, { number: 3n, deltaOf: 1n, ...options })
  invalid("4.15.1 only a delta", [good, fresh], [anchorCrl, delta({})])
  valid("4.15.2 delta", [good, fresh], [anchorCrl, whole, delta({})])
  invalid("4.15.3 revoked by the delta", [good, fresh], [anchorCrl, whole, delta(revoking(fresh))])
  const stale = crl(good, { number: 1n, nextUpdate: new Date(Date.UTC(2010, 6)) })
  valid("4.15 delta of what is out of date", [good, fresh], [anchorCrl, stale, delta({})])
  const young = crl(good, { number: 1n, nextUpdate: new Date(Date.UTC(2010, 6)) })
  invalid("4.15.10 delta of another", [good, fresh], [anchorCrl, young, delta({ deltaOf: 2n })])
  const held = crl(good, { number: 1n, revoked: [{ certificate: fresh.certificate, reason: "certificateHold" }] })
  const released = delta({ revoked: [{ certificate: fresh.certificate, reason: "removeFromCRL" }] })
  invalid("4.15.4 held", [good, fresh], [anchorCrl, held, delta({})])
  valid("4.15.5 held, and released by the delta", [good, fresh], [anchorCrl, held, released])

  // 4.16 Private extensions
  valid("4.16.1 not critical", [good, endEntity(good, { extensions: [unknown(false)] })], both)
  invalid("4.16.2 critical", [good, endEntity(good, { extensions: [unknown(true)] })], both)

  return { suite: { certs, crls, tests }, passing: tests.length - skipped, skipped }
}
