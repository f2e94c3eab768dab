/**
 * A certificate as JSON, for an API or a log that other programs read: everything it says in plain fields, and the
 * certificate itself.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as AlgorithmIdentifier from "./AlgorithmIdentifier.ts"
import * as Bytes from "./Bytes.ts"
import * as Certificate from "./Certificate.ts"
import type * as CertificateExtension from "./CertificateExtension.ts"
import * as DistinguishedName from "./DistinguishedName.ts"
import * as DistributionPoint from "./DistributionPoint.ts"
import type * as GeneralName from "./GeneralName.ts"
import * as ObjectIdentifier from "./ObjectIdentifier.ts"
import * as PublicKey from "./PublicKey.ts"
import { fromAddressBytes } from "./ServerName.ts"

const optional = Schema.NullOr

/**
 * A name of a certificate: `type` is the tag of `GeneralName`. `value` is its text; a directory name is as RFC 4514
 * writes it, an other name its object identifier, a colon and the hex of its DER, and what has no text is the hex of
 * its DER.
 *
 * @since 0.1.0
 * @category schemas
 */
export const GeneralNameJson = Schema.Struct({ type: Schema.String, value: Schema.String })

/**
 * @since 0.1.0
 * @category models
 */
export type GeneralNameJson = typeof GeneralNameJson.Type

/**
 * `algorithm` is for people, as `RSA 2048` or `P-256`. `bits` is the size of an RSA modulus. `modulus`, `exponent` and
 * `point` (uncompressed) are hex; `spki` is base64. What a key does not have is null.
 *
 * @since 0.1.0
 * @category schemas
 */
export const PublicKeyJson = Schema.Struct({
  algorithm: Schema.String,
  bits: optional(Schema.Int),
  modulus: optional(Schema.String),
  exponent: optional(Schema.String),
  curve: optional(Schema.String),
  point: optional(Schema.String),
  spki: Schema.String
})

/**
 * @since 0.1.0
 * @category models
 */
export type PublicKeyJson = typeof PublicKeyJson.Type

/**
 * Every field is always there; what the certificate does not have is null or an empty list. Names are as RFC 4514 has
 * them, and their attributes once more apart, each with all its values, by short name (`CN`) or dotted identifier. Times
 * are ISO 8601 in UTC; the serial number and key identifiers lower-case hex; `der` and the values of `extensions`
 * base64. Purposes, methods and policies have the name we know them by, or are dotted.
 *
 * @since 0.1.0
 * @category schemas
 */
export const CertificateJson = Schema.Struct({
  version: Schema.Literal(1, 2, 3),
  serialNumber: Schema.String,
  subject: Schema.String,
  subjectAttributes: Schema.Record({ key: Schema.String, value: Schema.Array(Schema.String) }),
  issuer: Schema.String,
  issuerAttributes: Schema.Record({ key: Schema.String, value: Schema.Array(Schema.String) }),
  notBefore: Schema.String,
  notAfter: Schema.String,
  subjectAltNames: Schema.Array(GeneralNameJson),
  isCa: Schema.Boolean,
  pathLength: optional(Schema.Int),
  keyUsage: optional(Schema.Array(Schema.String)),
  extendedKeyUsage: optional(Schema.Array(Schema.String)),
  policies: Schema.Array(Schema.String),
  subjectKeyIdentifier: optional(Schema.String),
  authorityKeyIdentifier: optional(Schema.String),
  authorityInfoAccess: Schema.Array(Schema.Struct({ method: Schema.String, location: GeneralNameJson })),
  crlUrls: Schema.Array(Schema.String),
  publicKey: PublicKeyJson,
  signatureAlgorithm: Schema.String,
  extensions: Schema.Array(
    Schema.Struct({ oid: Schema.String, name: Schema.String, critical: Schema.Boolean, value: Schema.String })
  ),
  der: Schema.String
})

/**
 * @since 0.1.0
 * @category models
 */
export type CertificateJson = typeof CertificateJson.Type

// ---------------------------------------------------------------------------------------------------------------------
// From values
// ---------------------------------------------------------------------------------------------------------------------

const nameText = (name: GeneralName.GeneralName): string => {
  switch (name._tag) {
    case "Rfc822Name":
    case "DnsName":
    case "Uri":
      return name.value
    case "DirectoryName":
      return name.name.toString()
    case "IpAddress":
      return fromAddressBytes(name.bytes)?.toString() ?? Bytes.toHex(name.bytes)
    case "RegisteredId":
      return name.oid
    case "OtherName":
      return `${name.type}:${Bytes.toHex(name.value)}`
    case "X400Address":
    case "EdiPartyName":
      return Bytes.toHex(name.der)
  }
}

/**
 * @since 0.1.0
 * @category conversions
 */
export const fromGeneralName = (name: GeneralName.GeneralName): GeneralNameJson => ({
  type: name._tag,
  value: nameText(name)
})

/**
 * @since 0.1.0
 * @category conversions
 */
export const fromPublicKey = (key: PublicKey.PublicKey): PublicKeyJson => {
  const isRsa = key._tag === "Rsa" || key._tag === "RsaPss"
  return {
    algorithm: PublicKey.format(key),
    bits: isRsa ? PublicKey.modulusBits(key) : null,
    modulus: isRsa ? Bytes.toHex(key.modulus) : null,
    exponent: isRsa ? Bytes.toHex(key.exponent) : null,
    curve: key._tag === "Ec" ? key.curve : null,
    point: key._tag === "Ec" ? Bytes.toHex(key.point) : null,
    spki: Encoding.encodeBase64(key.spki)
  }
}

const attributes = (name: DistinguishedName.DistinguishedName): Record<string, ReadonlyArray<string>> => {
  const found = new Map<string, Array<string>>()
  for (const { type, value } of name.attributes) {
    const key = DistinguishedName.attributeName(type)
    const values = found.get(key)
    if (values === undefined) found.set(key, [value])
    else values.push(value)
  }
  return Object.fromEntries(found)
}

const hexOrNull = (bytes: Uint8Array | undefined): string | null => (bytes === undefined ? null : Bytes.toHex(bytes))

const extensionJson = ({ critical, oid, value }: CertificateExtension.CertificateExtension) => ({
  oid,
  name: ObjectIdentifier.name(oid),
  critical,
  value: Encoding.encodeBase64(value)
})

/**
 * What a certificate says, as JSON. Fingerprints need a hash: `Certificate.fingerprint`.
 *
 * @since 0.1.0
 * @category conversions
 */
export const fromCertificate = (certificate: Certificate.Certificate): CertificateJson => ({
  version: certificate.version,
  serialNumber: certificate.serialNumber,
  subject: certificate.subject.toString(),
  subjectAttributes: attributes(certificate.subject),
  issuer: certificate.issuer.toString(),
  issuerAttributes: attributes(certificate.issuer),
  notBefore: certificate.notBefore.toISOString(),
  notAfter: certificate.notAfter.toISOString(),
  subjectAltNames: certificate.subjectAltNames.map(fromGeneralName),
  isCa: certificate.isCa,
  pathLength: certificate.basicConstraints?.pathLength ?? null,
  keyUsage: certificate.keyUsage === undefined ? null : Array.from(certificate.keyUsage),
  extendedKeyUsage: certificate.extendedKeyUsage?.map(ObjectIdentifier.name) ?? null,
  policies: (certificate.extension("CertificatePolicies")?.policies ?? []).map(({ policy }) =>
    ObjectIdentifier.name(policy)
  ),
  subjectKeyIdentifier: hexOrNull(certificate.subjectKeyIdentifier),
  authorityKeyIdentifier: hexOrNull(certificate.authorityKeyIdentifier?.keyIdentifier),
  authorityInfoAccess: certificate.authorityInfoAccess.map(({ location, method }) => ({
    method: ObjectIdentifier.name(method),
    location: fromGeneralName(location)
  })),
  crlUrls: DistributionPoint.uris(certificate.crlDistributionPoints),
  publicKey: fromPublicKey(certificate.publicKey),
  signatureAlgorithm: AlgorithmIdentifier.format(certificate.signatureAlgorithm),
  extensions: certificate.extensions.map(extensionJson),
  der: Encoding.encodeBase64(certificate.der)
})

const same = Schema.equivalence(CertificateJson)

/**
 * A certificate from and to its JSON. The certificate is in `der`; JSON whose other fields say something else than that
 * is refused, so whoever has read them has read the certificate.
 *
 * @example
 * import { Schema } from "effect"
 * import { Certificate, CertificateJson } from "effect-tls"
 *
 * const toBody = (certificate: Certificate.Certificate) =>
 *   Schema.encodeSync(Schema.parseJson(CertificateJson.CertificateFromJson))(certificate)
 *
 * @since 0.1.0
 * @category schemas
 */
export const CertificateFromJson: Schema.Schema<Certificate.Certificate, CertificateJson> = Schema.transformOrFail(
  CertificateJson,
  Certificate.CertificateFromSelf,
  {
    strict: true,
    decode: (json, _, ast) =>
      Encoding.decodeBase64(json.der).pipe(
        Either.flatMap(Certificate.decode),
        Either.mapLeft((error) => `der: ${error.message}`),
        Either.filterOrLeft(
          (certificate) => same(fromCertificate(certificate), json),
          () => "its fields are not what the certificate in `der` says"
        ),
        Either.mapLeft((message) => new ParseResult.Type(ast, json, message))
      ),
    encode: (certificate) => ParseResult.succeed(fromCertificate(certificate))
  }
)
