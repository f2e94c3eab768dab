/**
 * Extensions of certificates (RFC 5280 §4.2), typed where we know them; the others stay as they came.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as CertificatePolicy from "./CertificatePolicy.ts"
import * as Der from "./Der.ts"
import * as DistributionPoint from "./DistributionPoint.ts"
import * as GeneralName from "./GeneralName.ts"
import { oids } from "./ObjectIdentifier.ts"
import type { ObjectIdentifier } from "./ObjectIdentifier.ts"
import * as SignedCertificateTimestamp from "./SignedCertificateTimestamp.ts"

/**
 * What every extension has. `value` is the content of its OCTET STRING.
 *
 * @since 0.1.0
 * @category models
 */
export interface Raw {
  readonly oid: ObjectIdentifier
  readonly critical: boolean
  readonly value: Uint8Array
}

/**
 * RFC 5280 §4.2.1.9. `pathLength` is how many intermediate certificates may follow.
 *
 * @since 0.1.0
 * @category models
 */
export interface BasicConstraints {
  readonly ca: boolean
  readonly pathLength: number | undefined
}

/**
 * The bits of a key usage, in the order of RFC 5280 §4.2.1.3.
 *
 * @since 0.1.0
 * @category constants
 */
export const keyUsages = [
  "digitalSignature",
  "nonRepudiation",
  "keyEncipherment",
  "dataEncipherment",
  "keyAgreement",
  "keyCertSign",
  "cRLSign",
  "encipherOnly",
  "decipherOnly"
] as const

/**
 * @since 0.1.0
 * @category models
 */
export type KeyUsage = (typeof keyUsages)[number]

/**
 * RFC 5280 §4.2.1.1.
 *
 * @since 0.1.0
 * @category models
 */
export interface AuthorityKeyIdentifier {
  readonly keyIdentifier: Uint8Array | undefined
  readonly issuer: ReadonlyArray<GeneralName.GeneralName> | undefined
  /** The INTEGER's content, two's complement. */
  readonly serialNumber: Uint8Array | undefined
}

/**
 * RFC 5280 §4.2.1.10. `minimum` is always 0 and `maximum` absent, as the RFC demands.
 *
 * @since 0.1.0
 * @category models
 */
export interface NameConstraints {
  readonly permitted: ReadonlyArray<GeneralName.GeneralName> | undefined
  readonly excluded: ReadonlyArray<GeneralName.GeneralName> | undefined
}

/**
 * RFC 5280 §4.2.2: of an authority who issued it and who tells its status, of a subject what it offers.
 *
 * @since 0.1.0
 * @category models
 */
export interface AccessDescription {
  readonly method: ObjectIdentifier
  readonly location: GeneralName.GeneralName
}

/**
 * RFC 5280 §4.2.1.8. `values` are the DER of each.
 *
 * @since 0.1.0
 * @category models
 */
export interface DirectoryAttribute {
  readonly type: ObjectIdentifier
  readonly values: ReadonlyArray<Uint8Array>
}

/**
 * An extension by what it says. Open: `Unknown` is one we have no type for. `features` of a TlsFeature are code points of
 * TLS extensions (RFC 7633).
 *
 * @since 0.1.0
 * @category models
 */
export type CertificateExtension =
  | ({ readonly _tag: "BasicConstraints" } & BasicConstraints & Raw)
  | ({ readonly _tag: "KeyUsage"; readonly usages: ReadonlySet<KeyUsage> } & Raw)
  | ({ readonly _tag: "ExtendedKeyUsage"; readonly purposes: ReadonlyArray<ObjectIdentifier> } & Raw)
  | ({ readonly _tag: "SubjectAltName"; readonly names: ReadonlyArray<GeneralName.GeneralName> } & Raw)
  | ({ readonly _tag: "IssuerAltName"; readonly names: ReadonlyArray<GeneralName.GeneralName> } & Raw)
  | ({ readonly _tag: "SubjectKeyIdentifier"; readonly keyIdentifier: Uint8Array } & Raw)
  | ({ readonly _tag: "AuthorityKeyIdentifier" } & AuthorityKeyIdentifier & Raw)
  | ({ readonly _tag: "NameConstraints" } & NameConstraints & Raw)
  | ({ readonly _tag: "AuthorityInfoAccess"; readonly descriptions: ReadonlyArray<AccessDescription> } & Raw)
  | ({ readonly _tag: "SubjectInfoAccess"; readonly descriptions: ReadonlyArray<AccessDescription> } & Raw)
  | ({
      readonly _tag: "CertificatePolicies"
      readonly policies: ReadonlyArray<CertificatePolicy.PolicyInformation>
    } & Raw)
  | ({ readonly _tag: "PolicyMappings"; readonly mappings: ReadonlyArray<CertificatePolicy.PolicyMapping> } & Raw)
  | ({ readonly _tag: "PolicyConstraints" } & CertificatePolicy.PolicyConstraints & Raw)
  | ({ readonly _tag: "InhibitAnyPolicy"; readonly skipCertificates: number } & Raw)
  | ({
      readonly _tag: "CrlDistributionPoints"
      readonly points: ReadonlyArray<DistributionPoint.DistributionPoint>
    } & Raw)
  | ({ readonly _tag: "FreshestCrl"; readonly points: ReadonlyArray<DistributionPoint.DistributionPoint> } & Raw)
  | ({ readonly _tag: "SubjectDirectoryAttributes"; readonly attributes: ReadonlyArray<DirectoryAttribute> } & Raw)
  | ({ readonly _tag: "TlsFeature"; readonly features: ReadonlyArray<number> } & Raw)
  | ({
      readonly _tag: "SignedCertificateTimestamps"
      readonly timestamps: ReadonlyArray<SignedCertificateTimestamp.SignedCertificateTimestamp>
    } & Raw)
  | ({ readonly _tag: "PrecertificatePoison" } & Raw)
  | ({ readonly _tag: "OcspNoCheck" } & Raw)
  | ({ readonly _tag: "Unknown" } & Raw)

// ---------------------------------------------------------------------------------------------------------------------
// Reading
// ---------------------------------------------------------------------------------------------------------------------

// DER leaves out a BOOLEAN that has its default, but CAs have written FALSE here and in `critical` for decades, and
// nothing can be smuggled in that way: every validator of the web's PKI reads it (so does mozilla::pkix, by name).
const optionalBoolean = (reader: Der.DerReader): boolean =>
  reader.peek() === Der.Tag.Boolean ? reader.boolean() : false

const basicConstraints = (reader: Der.DerReader): BasicConstraints =>
  reader.within(Der.Tag.Sequence, (inner) => {
    const ca = optionalBoolean(inner)
    return { ca, pathLength: inner.peek() === Der.Tag.Integer ? inner.unsigned() : undefined }
  })

const keyUsage = (reader: Der.DerReader): ReadonlySet<KeyUsage> => new Set(Der.namedBits(reader.bitString(), keyUsages))

const extendedKeyUsage = (reader: Der.DerReader) => reader.sequenceOf((item) => item.oid(), 1)

const authorityKeyIdentifier = (reader: Der.DerReader): AuthorityKeyIdentifier =>
  reader.within(Der.Tag.Sequence, (inner) => {
    const keyIdentifier = inner.peek() === 0x80 ? inner.octetString(0x80) : undefined
    const issuer = inner.peek() === 0xa1 ? GeneralName.readList(inner, 0xa1) : undefined
    const serialNumber = inner.peek() === 0x82 ? inner.integerBytes(0x82) : undefined
    return { keyIdentifier, issuer, serialNumber }
  })

const subtree = (reader: Der.DerReader): GeneralName.GeneralName =>
  reader.within(Der.Tag.Sequence, (inner) => GeneralName.read(inner, "range"))

const subtrees = (reader: Der.DerReader, tag: number) =>
  reader.peek() === tag ? reader.sequenceOf(subtree, 1, tag) : undefined

const nameConstraints = (reader: Der.DerReader): NameConstraints =>
  reader.within(Der.Tag.Sequence, (inner) => {
    const permitted = subtrees(inner, 0xa0)
    const excluded = subtrees(inner, 0xa1)
    if (permitted === undefined && excluded === undefined) inner.fail("name constraints that constrain nothing")
    return { permitted, excluded }
  })

const accessDescriptions = (reader: Der.DerReader): ReadonlyArray<AccessDescription> =>
  reader.sequenceOf(
    (item) => item.within(Der.Tag.Sequence, (inner) => ({ method: inner.oid(), location: GeneralName.read(inner) })),
    1
  )

const directoryAttributes = (reader: Der.DerReader): ReadonlyArray<DirectoryAttribute> =>
  reader.sequenceOf(
    (item) =>
      item.within(Der.Tag.Sequence, (inner) => {
        const type = inner.oid()
        const values = inner.sequenceOf((value) => value.element(), 1, Der.Tag.Set)
        if (!Der.isSorted(values)) inner.fail("a SET that is not in order")
        return { type, values }
      }),
    1
  )

const timestamps = (reader: Der.DerReader) => {
  const decoded = SignedCertificateTimestamp.decodeList(reader.octetString())
  return Either.isRight(decoded) ? decoded.right : reader.fail(decoded.left.problem)
}

const readers: ReadonlyMap<string, (reader: Der.DerReader, raw: Raw) => CertificateExtension> = new Map<
  string,
  (reader: Der.DerReader, raw: Raw) => CertificateExtension
>([
  [oids.basicConstraints, (reader, raw) => ({ _tag: "BasicConstraints", ...raw, ...basicConstraints(reader) })],
  [oids.keyUsage, (reader, raw) => ({ _tag: "KeyUsage", ...raw, usages: keyUsage(reader) })],
  [oids.extendedKeyUsage, (reader, raw) => ({ _tag: "ExtendedKeyUsage", ...raw, purposes: extendedKeyUsage(reader) })],
  [oids.subjectAltName, (reader, raw) => ({ _tag: "SubjectAltName", ...raw, names: GeneralName.readList(reader) })],
  [oids.issuerAltName, (reader, raw) => ({ _tag: "IssuerAltName", ...raw, names: GeneralName.readList(reader) })],
  [
    oids.subjectKeyIdentifier,
    (reader, raw) => ({ _tag: "SubjectKeyIdentifier", ...raw, keyIdentifier: reader.octetString() })
  ],
  [
    oids.authorityKeyIdentifier,
    (reader, raw) => ({ _tag: "AuthorityKeyIdentifier", ...raw, ...authorityKeyIdentifier(reader) })
  ],
  [oids.nameConstraints, (reader, raw) => ({ _tag: "NameConstraints", ...raw, ...nameConstraints(reader) })],
  [
    oids.authorityInfoAccess,
    (reader, raw) => ({ _tag: "AuthorityInfoAccess", ...raw, descriptions: accessDescriptions(reader) })
  ],
  [
    oids.subjectInfoAccess,
    (reader, raw) => ({ _tag: "SubjectInfoAccess", ...raw, descriptions: accessDescriptions(reader) })
  ],
  [
    oids.certificatePolicies,
    (reader, raw) => ({ _tag: "CertificatePolicies", ...raw, policies: CertificatePolicy.readPolicies(reader) })
  ],
  [
    oids.policyMappings,
    (reader, raw) => ({ _tag: "PolicyMappings", ...raw, mappings: CertificatePolicy.readMappings(reader) })
  ],
  [
    oids.policyConstraints,
    (reader, raw) => ({ _tag: "PolicyConstraints", ...raw, ...CertificatePolicy.readConstraints(reader) })
  ],
  [oids.inhibitAnyPolicy, (reader, raw) => ({ _tag: "InhibitAnyPolicy", ...raw, skipCertificates: reader.unsigned() })],
  [
    oids.cRLDistributionPoints,
    (reader, raw) => ({ _tag: "CrlDistributionPoints", ...raw, points: DistributionPoint.readList(reader) })
  ],
  [oids.freshestCRL, (reader, raw) => ({ _tag: "FreshestCrl", ...raw, points: DistributionPoint.readList(reader) })],
  [
    oids.subjectDirectoryAttributes,
    (reader, raw) => ({ _tag: "SubjectDirectoryAttributes", ...raw, attributes: directoryAttributes(reader) })
  ],
  [
    oids.tlsFeature,
    (reader, raw) => ({ _tag: "TlsFeature", ...raw, features: reader.sequenceOf((item) => item.unsigned(), 1) })
  ],
  [
    oids.signedCertificateTimestamps,
    (reader, raw) => ({ _tag: "SignedCertificateTimestamps", ...raw, timestamps: timestamps(reader) })
  ],
  [
    oids.precertificatePoison,
    (reader, raw) => {
      reader.null()
      return { _tag: "PrecertificatePoison", ...raw }
    }
  ],
  [
    oids.ocspNoCheck,
    (reader, raw) => {
      reader.null()
      return { _tag: "OcspNoCheck", ...raw }
    }
  ]
])

/**
 * Reads one extension within a decoder.
 *
 * @since 0.1.0
 * @category decoding
 */
export const read = (reader: Der.DerReader): CertificateExtension => {
  const inner = reader.sequence()
  const oid = inner.oid()
  const critical = optionalBoolean(inner)
  const value = inner.octetString()
  inner.finish()
  const raw: Raw = { oid, critical, value }
  const readValue = readers.get(oid)
  return readValue === undefined
    ? { _tag: "Unknown", ...raw }
    : Der.decodeNested(reader, value, "Extension", (nested) => readValue(nested, raw))
}

// ---------------------------------------------------------------------------------------------------------------------
// Writing
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The DER of an extension, from its content.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encode = (extension: Raw): Uint8Array =>
  extension.critical
    ? Der.sequence(Der.oid(extension.oid), Der.boolean(true), Der.octetString(extension.value))
    : Der.sequence(Der.oid(extension.oid), Der.octetString(extension.value))

type Typed = Exclude<CertificateExtension, { readonly _tag: "Unknown" }>

/**
 * What a typed extension says, without its encoding.
 *
 * @since 0.1.0
 * @category models
 */
export type Content = { readonly [T in Typed as T["_tag"]]: Omit<T, keyof Raw> }[Typed["_tag"]]

// Whether RFC 5280 §4.2 wants each critical; of the names of a subject it depends on whether there is a subject.
const kinds: { readonly [T in Content["_tag"]]: readonly [oid: ObjectIdentifier, critical: boolean] } = {
  BasicConstraints: [oids.basicConstraints, true],
  KeyUsage: [oids.keyUsage, true],
  ExtendedKeyUsage: [oids.extendedKeyUsage, false],
  SubjectAltName: [oids.subjectAltName, false],
  IssuerAltName: [oids.issuerAltName, false],
  SubjectKeyIdentifier: [oids.subjectKeyIdentifier, false],
  AuthorityKeyIdentifier: [oids.authorityKeyIdentifier, false],
  NameConstraints: [oids.nameConstraints, true],
  AuthorityInfoAccess: [oids.authorityInfoAccess, false],
  SubjectInfoAccess: [oids.subjectInfoAccess, false],
  CertificatePolicies: [oids.certificatePolicies, false],
  PolicyMappings: [oids.policyMappings, true],
  PolicyConstraints: [oids.policyConstraints, true],
  InhibitAnyPolicy: [oids.inhibitAnyPolicy, true],
  CrlDistributionPoints: [oids.cRLDistributionPoints, false],
  FreshestCrl: [oids.freshestCRL, false],
  SubjectDirectoryAttributes: [oids.subjectDirectoryAttributes, false],
  TlsFeature: [oids.tlsFeature, false],
  SignedCertificateTimestamps: [oids.signedCertificateTimestamps, false],
  PrecertificatePoison: [oids.precertificatePoison, true],
  OcspNoCheck: [oids.ocspNoCheck, false]
}

const integerUnder = (tag: number, number: number | undefined) =>
  number === undefined ? [] : [Der.integer(number, tag)]

const accessDescriptionsDer = (descriptions: ReadonlyArray<AccessDescription>): Uint8Array =>
  Der.sequence(
    ...descriptions.map(({ location, method }) => Der.sequence(Der.oid(method), GeneralName.encode(location)))
  )

const subtreesUnder = (tag: number, names: ReadonlyArray<GeneralName.GeneralName> | undefined) =>
  names === undefined || names.length === 0
    ? []
    : [Der.value(tag, ...names.map((name) => Der.sequence(GeneralName.encode(name))))]

const valueOf = (content: Content): Uint8Array => {
  switch (content._tag) {
    case "BasicConstraints":
      return Der.sequence(
        ...(content.ca ? [Der.boolean(true)] : []),
        ...integerUnder(Der.Tag.Integer, content.pathLength)
      )
    case "KeyUsage":
      return Der.namedBitString(content.usages, keyUsages)
    case "ExtendedKeyUsage":
      return Der.sequence(...content.purposes.map(Der.oid))
    case "SubjectAltName":
    case "IssuerAltName":
      return Der.sequence(...content.names.map(GeneralName.encode))
    case "SubjectKeyIdentifier":
      return Der.octetString(content.keyIdentifier)
    case "AuthorityKeyIdentifier": {
      const { issuer, keyIdentifier, serialNumber } = content
      return Der.sequence(
        ...(keyIdentifier === undefined ? [] : [Der.value(0x80, keyIdentifier)]),
        ...(issuer === undefined ? [] : [Der.value(0xa1, ...issuer.map(GeneralName.encode))]),
        ...(serialNumber === undefined ? [] : [Der.value(0x82, serialNumber)])
      )
    }
    case "NameConstraints":
      return Der.sequence(...subtreesUnder(0xa0, content.permitted), ...subtreesUnder(0xa1, content.excluded))
    case "AuthorityInfoAccess":
    case "SubjectInfoAccess":
      return accessDescriptionsDer(content.descriptions)
    case "CertificatePolicies":
      return CertificatePolicy.encodePolicies(content.policies)
    case "PolicyMappings":
      return CertificatePolicy.encodeMappings(content.mappings)
    case "PolicyConstraints":
      return CertificatePolicy.encodeConstraints(content)
    case "InhibitAnyPolicy":
      return Der.integer(content.skipCertificates)
    case "CrlDistributionPoints":
    case "FreshestCrl":
      return DistributionPoint.encodeList(content.points)
    case "SubjectDirectoryAttributes":
      return Der.sequence(
        ...content.attributes.map(({ type, values }) => Der.sequence(Der.oid(type), Der.setOf(...values)))
      )
    case "TlsFeature":
      return Der.sequence(...content.features.map((feature) => Der.integer(feature)))
    case "SignedCertificateTimestamps":
      return Der.octetString(SignedCertificateTimestamp.encodeList(content.timestamps))
    case "PrecertificatePoison":
    case "OcspNoCheck":
      return Der.nullValue()
  }
}

/**
 * An extension from what it says: `read` of its encoding gives the same back. Critical where RFC 5280 §4.2 has it so,
 * unless told.
 *
 * @example
 * import { CertificateExtension } from "effect-tls"
 *
 * const mustStaple = CertificateExtension.make({ _tag: "TlsFeature", features: [5] })
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <C extends Content>(content: C, options: { readonly critical?: boolean } = {}): C & Raw => {
  const [oid, critical] = kinds[content._tag]
  return { ...content, oid, critical: options.critical ?? critical, value: valueOf(content) }
}

/**
 * @since 0.1.0
 * @category encoding
 */
export const encodeBasicConstraints = (constraints: BasicConstraints): Raw =>
  make({ _tag: "BasicConstraints", ...constraints })

/**
 * @since 0.1.0
 * @category encoding
 */
export const encodeKeyUsage = (usages: Iterable<KeyUsage>): Raw => make({ _tag: "KeyUsage", usages: new Set(usages) })

/**
 * @since 0.1.0
 * @category encoding
 */
export const encodeExtendedKeyUsage = (purposes: Iterable<ObjectIdentifier>): Raw =>
  make({ _tag: "ExtendedKeyUsage", purposes: Array.from(purposes) })

/**
 * Critical when the subject is empty (RFC 5280 §4.2.1.6).
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodeSubjectAltName = (names: Iterable<GeneralName.GeneralName>, critical: boolean): Raw =>
  make({ _tag: "SubjectAltName", names: Array.from(names) }, { critical })

/**
 * @since 0.1.0
 * @category encoding
 */
export const encodeSubjectKeyIdentifier = (keyIdentifier: Uint8Array): Raw =>
  make({ _tag: "SubjectKeyIdentifier", keyIdentifier })

/**
 * @since 0.1.0
 * @category encoding
 */
export const encodeAuthorityKeyIdentifier = (keyIdentifier: Uint8Array): Raw =>
  make({ _tag: "AuthorityKeyIdentifier", keyIdentifier, issuer: undefined, serialNumber: undefined })

/**
 * @since 0.1.0
 * @category encoding
 */
export const encodeNameConstraints = (constraints: NameConstraints): Raw =>
  make({ _tag: "NameConstraints", ...constraints })
