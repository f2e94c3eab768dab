/** Certificates and their extensions at random: well-formed, and signed by nobody. */
import * as FastCheck from "effect/FastCheck"
import * as AlgorithmIdentifier from "../../src/schema/AlgorithmIdentifier.ts"
import * as CertificateExtension from "../../src/schema/CertificateExtension.ts"
import * as Der from "../../src/schema/Der.ts"
import type * as DerString from "../../src/schema/DerString.ts"
import * as DistinguishedName from "../../src/schema/DistinguishedName.ts"
import * as DistributionPoint from "../../src/schema/DistributionPoint.ts"
import type { GeneralName } from "../../src/schema/GeneralName.ts"
import * as ObjectIdentifier from "../../src/schema/ObjectIdentifier.ts"
import * as PublicKey from "../../src/schema/PublicKey.ts"

const { oids } = ObjectIdentifier

const oid = FastCheck.array(FastCheck.nat(), { minLength: 1, maxLength: 4 }).map((arcs) =>
  ObjectIdentifier.make(["2.999", ...arcs].join("."))
)
const bytes = (minLength: number, maxLength = minLength) => FastCheck.uint8Array({ minLength, maxLength })
const ascii = FastCheck.stringMatching(/^[\x00-\x7f]{0,20}$/)
const natural = FastCheck.oneof(
  FastCheck.nat(300),
  FastCheck.maxSafeNat().map((n) => n % 2 ** 48)
)
const optional = <A>(arbitrary: FastCheck.Arbitrary<A>) => FastCheck.option(arbitrary, { nil: undefined })
const some = <A>(arbitrary: FastCheck.Arbitrary<A>) => FastCheck.array(arbitrary, { minLength: 1, maxLength: 3 })
const element = bytes(0, 200).map((content) => Der.octetString(content))
/** The name of an issuer or a subject. */
export const name = some(
  FastCheck.tuple(
    FastCheck.constantFrom(oids.commonName, oids.organization, oids.country),
    FastCheck.string({ minLength: 1 })
  )
).map(DistinguishedName.fromAttributes)
/** A name in a certificate. */
export const generalName = (form: "address" | "range"): FastCheck.Arbitrary<GeneralName> =>
  FastCheck.oneof<Array<FastCheck.Arbitrary<GeneralName>>>(
    FastCheck.record({ _tag: FastCheck.constant("OtherName"), type: oid, value: element }),
    FastCheck.record({ _tag: FastCheck.constantFrom("Rfc822Name", "DnsName", "Uri"), value: ascii }),
    FastCheck.record({ _tag: FastCheck.constant("X400Address"), der: bytes(0, 9).map((b) => Der.value(0xa3, b)) }),
    FastCheck.record({ _tag: FastCheck.constant("EdiPartyName"), der: bytes(0, 9).map((b) => Der.value(0xa5, b)) }),
    FastCheck.record({ _tag: FastCheck.constant("DirectoryName"), name }),
    FastCheck.record({
      _tag: FastCheck.constant("IpAddress"),
      bytes: form === "address" ? FastCheck.oneof(bytes(4), bytes(16)) : FastCheck.oneof(bytes(8), bytes(32))
    }),
    FastCheck.record({ _tag: FastCheck.constant("RegisteredId"), oid })
  )
const generalNames = some(generalName("address"))
const set = <A>(members: ReadonlyArray<A>) => FastCheck.subarray([...members]).map((list) => new Set(list))
/** A string of any type that has all its characters. */
export const text: FastCheck.Arbitrary<DerString.DerString> = FastCheck.oneof(
  FastCheck.record({
    tag: FastCheck.constantFrom(Der.Tag.Utf8String, Der.Tag.UniversalString),
    value: FastCheck.fullUnicodeString()
  }),
  FastCheck.record({ tag: FastCheck.constant(Der.Tag.BmpString), value: FastCheck.string16bits() }),
  FastCheck.record({ tag: FastCheck.constantFrom(Der.Tag.Ia5String, Der.Tag.VisibleString), value: ascii })
)
const points = some(
  FastCheck.record({
    name: optional(
      FastCheck.oneof<Array<FastCheck.Arbitrary<DistributionPoint.DistributionPointName>>>(
        generalNames.map((names) => ({ _tag: "FullName", names })),
        FastCheck.tuple(FastCheck.constant(oids.commonName), FastCheck.string()).map((attribute) => {
          const { der, rdns } = DistinguishedName.fromAttributes([attribute])
          // The name is one short SEQUENCE around the SET.
          return { _tag: "RelativeName", attributes: rdns[0]!, der: der.slice(der[1]! < 0x80 ? 2 : 3) }
        })
      )
    ),
    reasons: optional(set(DistributionPoint.reasonFlags)),
    crlIssuer: optional(generalNames)
  }).filter(({ crlIssuer, name: place }) => crlIssuer !== undefined || place !== undefined)
)
const descriptions = some(FastCheck.record({ method: oid, location: generalName("address") }))
const qualifier = FastCheck.oneof(
  FastCheck.record({ _tag: FastCheck.constant("Cps" as const), uri: ascii }),
  FastCheck.record({
    _tag: FastCheck.constant("UserNotice" as const),
    reference: optional(FastCheck.record({ organization: text, numbers: FastCheck.array(natural, { maxLength: 3 }) })),
    text: optional(text)
  }),
  FastCheck.record({ _tag: FastCheck.constant("Other" as const), oid, value: element })
)
const timestamp = FastCheck.oneof(
  FastCheck.record({
    _tag: FastCheck.constant("Sct" as const),
    logId: bytes(32),
    timestamp: FastCheck.maxSafeNat(),
    extensions: bytes(0, 3),
    algorithm: FastCheck.nat(0xffff),
    signature: bytes(0, 72)
  }),
  FastCheck.record({
    _tag: FastCheck.constant("Other" as const),
    bytes: bytes(1, 9).map((b) => Uint8Array.of(1, ...b))
  })
)

type Arbitraries = {
  readonly [C in CertificateExtension.Content as C["_tag"]]: FastCheck.Arbitrary<Omit<C, "_tag">>
}
const constraints = FastCheck.record({
  permitted: optional(some(generalName("range"))),
  excluded: optional(some(generalName("range")))
})
const arbitraries: Arbitraries = {
  BasicConstraints: FastCheck.record({ ca: FastCheck.boolean(), pathLength: optional(natural) }),
  KeyUsage: FastCheck.record({ usages: set(CertificateExtension.keyUsages) }),
  ExtendedKeyUsage: FastCheck.record({ purposes: some(oid) }),
  SubjectAltName: FastCheck.record({ names: generalNames }),
  IssuerAltName: FastCheck.record({ names: generalNames }),
  SubjectKeyIdentifier: FastCheck.record({ keyIdentifier: bytes(0, 20) }),
  AuthorityKeyIdentifier: FastCheck.record({
    keyIdentifier: optional(bytes(0, 20)),
    issuer: optional(generalNames),
    serialNumber: optional(FastCheck.constantFrom(Uint8Array.of(0), Uint8Array.of(0xff), Uint8Array.of(0, 0x80, 1)))
  }),
  NameConstraints: constraints.filter(({ excluded, permitted }) => excluded !== undefined || permitted !== undefined),
  AuthorityInfoAccess: FastCheck.record({ descriptions }),
  SubjectInfoAccess: FastCheck.record({ descriptions }),
  CertificatePolicies: FastCheck.record({
    policies: FastCheck.uniqueArray(
      FastCheck.record({ policy: oid, qualifiers: FastCheck.array(qualifier, { maxLength: 3 }) }),
      { minLength: 1, maxLength: 3, selector: ({ policy }) => policy }
    )
  }),
  PolicyMappings: FastCheck.record({
    mappings: some(FastCheck.record({ issuerDomainPolicy: oid, subjectDomainPolicy: oid }))
  }),
  PolicyConstraints: FastCheck.record({
    requireExplicitPolicy: optional(natural),
    inhibitPolicyMapping: optional(natural)
  }).filter((c) => c.requireExplicitPolicy !== undefined || c.inhibitPolicyMapping !== undefined),
  InhibitAnyPolicy: FastCheck.record({ skipCertificates: natural }),
  CrlDistributionPoints: FastCheck.record({ points }),
  FreshestCrl: FastCheck.record({ points }),
  SubjectDirectoryAttributes: FastCheck.record({
    attributes: some(
      FastCheck.record({
        type: oid,
        values: FastCheck.uniqueArray(FastCheck.nat(255), { minLength: 1, maxLength: 3 }).map((numbers) =>
          numbers.sort((x, y) => x - y).map((number) => Der.octetString(Uint8Array.of(number)))
        )
      })
    )
  }),
  TlsFeature: FastCheck.record({ features: some(natural) }),
  SignedCertificateTimestamps: FastCheck.record({ timestamps: some(timestamp) }),
  PrecertificatePoison: FastCheck.constant({}),
  OcspNoCheck: FastCheck.constant({})
}
/** What an extension may say, of any kind. */
export const content = FastCheck.oneof(
  ...Object.entries(arbitraries).map(([_tag, fields]: [string, FastCheck.Arbitrary<object>]) =>
    fields.map((said) => ({ _tag, ...said }) as CertificateExtension.Content)
  )
)

const publicKey = FastCheck.oneof(
  FastCheck.tuple(bytes(256), FastCheck.constantFrom(Uint8Array.of(3), Uint8Array.of(1, 0, 1))).map(
    ([modulus, exponent]) => PublicKey.rsa(modulus.with(0, modulus[0]! | 0x80), exponent)
  ),
  bytes(32).map((key) => PublicKey.edwards("Ed25519", key)),
  bytes(57).map((key) => PublicKey.edwards("Ed448", key))
)
const algorithm = FastCheck.constantFrom(
  ...(["SHA-1", "SHA-256", "SHA-384", "SHA-512"] as const).flatMap((hash) => [
    AlgorithmIdentifier.encode({ _tag: "Ecdsa", hash }),
    AlgorithmIdentifier.encode({ _tag: "RsaPkcs1", hash }),
    AlgorithmIdentifier.encode({ _tag: "RsaPss", hash, saltLength: 32 })
  ]),
  AlgorithmIdentifier.encode({ _tag: "Ed25519" })
)
const time = FastCheck.integer({ min: Date.UTC(1950, 0, 1) / 1000, max: Date.UTC(9999, 11, 31) / 1000 }).map(
  (seconds) => seconds * 1000
)

/** What a certificate is made of. */
export const parts = FastCheck.record({
  serial: bytes(1, 20),
  algorithm,
  issuer: name,
  notBefore: time,
  notAfter: time,
  subject: name,
  publicKey,
  extensions: FastCheck.uniqueArray(content, { maxLength: 8, selector: ({ _tag }) => _tag }),
  signature: bytes(1, 512)
})

export type Parts = typeof parts extends FastCheck.Arbitrary<infer P> ? P : never

/** The DER of a certificate. */
export const assemble = (said: Parts): Uint8Array => {
  const extensions = said.extensions.map((extension) =>
    CertificateExtension.encode(CertificateExtension.make(extension))
  )
  return Der.sequence(
    Der.sequence(
      Der.value(0xa0, Der.integer(2)),
      Der.integer(said.serial),
      said.algorithm,
      said.issuer.der,
      Der.sequence(Der.time(said.notBefore), Der.time(said.notAfter)),
      said.subject.der,
      said.publicKey.spki,
      ...(extensions.length === 0 ? [] : [Der.value(0xa3, Der.sequence(...extensions))])
    ),
    said.algorithm,
    Der.bitString(said.signature)
  )
}
