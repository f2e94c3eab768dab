/**
 * A certificate in the shape that `tls.TLSSocket.getPeerCertificate()` and `X509Certificate.toLegacyObject()` give, for
 * code that was written for `node:tls`. New code reads the `Certificate`: its names are values, not text to be taken apart.
 *
 * @since 0.1.0
 */
import * as Crypto from "node:crypto"
import type * as Tls from "node:tls"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Bytes from "../schema/Bytes.ts"
import type { Certificate } from "../schema/Certificate.ts"
import * as Certificates from "../schema/Certificate.ts"
import * as Der from "../schema/Der.ts"
import * as DerString from "../schema/DerString.ts"
import type { DistinguishedName } from "../schema/DistinguishedName.ts"
import * as DistinguishedNames from "../schema/DistinguishedName.ts"
import type { GeneralName } from "../schema/GeneralName.ts"
import * as ObjectIdentifier from "../schema/ObjectIdentifier.ts"
import * as PublicKey from "../schema/PublicKey.ts"

// ---------------------------------------------------------------------------------------------------------------------
// Names
// ---------------------------------------------------------------------------------------------------------------------

// Where OpenSSL has another short name than RFC 4514 and we.
const shortNames: { readonly [N in ObjectIdentifier.KnownName]?: string } = {
  street: "street",
  jurisdictionLocality: "jurisdictionL",
  jurisdictionStateOrProvince: "jurisdictionST",
  jurisdictionCountry: "jurisdictionC",
  extensionRequest: "extReq"
}

const attributeName = (type: ObjectIdentifier.ObjectIdentifier): string => {
  const known = ObjectIdentifier.knownName(type)
  return (known === undefined ? undefined : shortNames[known]) ?? DistinguishedNames.attributeName(type)
}

/** Attributes by short name; one that is repeated is an array. */
const nameObject = (name: DistinguishedName): Record<string, string | Array<string>> => {
  const object = Object.create(null) as Record<string, string | Array<string>>
  for (const { type, value } of name.attributes) {
    const key = attributeName(type)
    const earlier = object[key]
    object[key] = earlier === undefined ? value : Array.isArray(earlier) ? [...earlier, value] : [earlier, value]
  }
  return object
}

const attributeText = ({ tag, type, value }: DistinguishedNames.Attribute): string => {
  const name = attributeName(type)
  if (ObjectIdentifier.knownName(type) === undefined && DerString.isStringTag(tag)) {
    return `${name}=#${Bytes.toHex(DerString.encode({ tag, value })).toUpperCase()}`
  }
  // Of a text of one character, OpenSSL thinks of the end only.
  return `${name}=${value === "#" ? value : DistinguishedNames.escapeText(value)}`
}

/** RFC 2253 as OpenSSL writes it, controls as they are: what it goes into escapes them. */
const nameText = (name: DistinguishedName): string =>
  [...name.rdns]
    .reverse()
    .map((rdn) => rdn.map(attributeText).join("+"))
    .join(",")

/**
 * Text as Node puts it into a list with commas (CVE-2021-44532): what could be taken for something else is a JSON string,
 * in which a comma is an escape.
 */
const quoted = (text: string, charset: "ascii" | "unicode"): string => {
  const unsafe = charset === "ascii" ? /[^\x20-\x7e]|["\\,']/ : /[\x00-\x1f\x7f"\\,']/
  if (!unsafe.test(text)) return text
  const escaped = text
    .replace(/["\\]/g, "\\$&")
    .replace(
      charset === "ascii" ? /[^\x20-\x7e]|,/g : /[\x00-\x1f\x7f,]/g,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
    )
  return `"${escaped}"`
}

const addressText = (bytes: Uint8Array): string => {
  if (bytes.length === 4) return bytes.join(".")
  return Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! * 256 + bytes[2 * i + 1]!).toString(16).toUpperCase()).join(
    ":"
  )
}

// RFC 8398, RFC 6120, Microsoft's principal name, RFC 7585, RFC 4985: the other names that OpenSSL 3 knows.
const otherNames: Readonly<Record<string, readonly [prefix: string, tag: number]>> = {
  "1.3.6.1.5.5.7.8.9": ["SmtpUTF8Mailbox", Der.Tag.Utf8String],
  "1.3.6.1.5.5.7.8.5": ["XmppAddr", Der.Tag.Utf8String],
  "1.3.6.1.4.1.311.20.2.3": ["UPN", Der.Tag.Utf8String],
  "1.3.6.1.5.5.7.8.8": ["NAIRealm", Der.Tag.Utf8String],
  "1.3.6.1.5.5.7.8.7": ["SRVName", Der.Tag.Ia5String]
}

const otherNameText = (type: string, value: Uint8Array): string => {
  const [prefix, tag] = otherNames[type] ?? []
  if (prefix === undefined || value[0] !== tag) return "othername:<unsupported>"
  const content = value.subarray(value[1]! < 0x80 ? 2 : 2 + (value[1]! & 0x7f))
  const isUtf8 = tag === Der.Tag.Utf8String
  const text = isUtf8 ? new TextDecoder().decode(content) : Bytes.toLatin1(content)
  const safe = quoted(text, isUtf8 ? "unicode" : "ascii")
  return `othername:${safe === text ? `${prefix}:${text}` : `"${prefix}:${safe.slice(1)}`}`
}

const generalName = (name: GeneralName): string => {
  switch (name._tag) {
    case "DnsName":
      return `DNS:${quoted(name.value, "ascii")}`
    case "Rfc822Name":
      return `email:${quoted(name.value, "ascii")}`
    case "Uri":
      return `URI:${quoted(name.value, "ascii")}`
    case "DirectoryName":
      return `DirName:${quoted(nameText(name.name), "unicode")}`
    case "IpAddress":
      return `IP Address:${addressText(name.bytes)}`
    case "RegisteredId":
      return `Registered ID:${name.oid}`
    case "OtherName":
      return otherNameText(name.type, name.value)
    case "X400Address":
      return "X400Name:<unsupported>"
    case "EdiPartyName":
      return "EdiPartyName:<unsupported>"
  }
}

const methods: { readonly [N in ObjectIdentifier.KnownName]?: string } = { ocsp: "OCSP", caIssuers: "CA Issuers" }

const infoAccess = (certificate: Certificate): NodeJS.Dict<Array<string>> => {
  const object = Object.create(null) as NodeJS.Dict<Array<string>>
  for (const { location, method } of certificate.authorityInfoAccess) {
    const known = ObjectIdentifier.knownName(method)
    const text = generalName(location)
    const colon = text.indexOf(":")
    const key = `${(known === undefined ? undefined : methods[known]) ?? method} - ${text.slice(0, colon)}`
    const value = text.slice(colon + 1)
    const list = (object[key] ??= [])
    list.push(value.startsWith('"') ? (JSON.parse(value) as string) : value)
  }
  return object
}

// ---------------------------------------------------------------------------------------------------------------------
// Keys, times, numbers
// ---------------------------------------------------------------------------------------------------------------------

const curves = { "P-256": "prime256v1", "P-384": "secp384r1", "P-521": "secp521r1" } as const
const curveBits = { "P-256": 256, "P-384": 384, "P-521": 521 } as const

const numberText = (bytes: Uint8Array): string => Bytes.toHex(bytes).replace(/^0+(?=.)/, "")

const keyFields = (key: PublicKey.PublicKey) => {
  switch (key._tag) {
    case "Rsa":
      return {
        modulus: numberText(key.modulus).toUpperCase(),
        bits: PublicKey.modulusBits(key),
        exponent: `0x${numberText(key.exponent)}`,
        pubkey: Buffer.from(key.spki)
      }
    case "Ec":
      return {
        bits: curveBits[key.curve],
        pubkey: Buffer.from(key.point),
        asn1Curve: curves[key.curve],
        nistCurve: key.curve
      }
    default:
      return {}
  }
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

const timeText = (date: Date): string => {
  const month = months[date.getUTCMonth()]
  const day = String(date.getUTCDate()).padStart(2)
  return `${month} ${day} ${date.toISOString().slice(11, 19)} ${date.getUTCFullYear()} GMT`
}

const serialText = (serialNumber: string): string => {
  // Of OpenSSL's numbers, only zero has no whole bytes.
  if (serialNumber === "0") return serialNumber
  const [, sign, digits] = /^(-?)(.*)$/.exec(serialNumber)!
  return `${sign}${digits!.length % 2 === 1 ? "0" : ""}${digits!.toUpperCase()}`
}

// ---------------------------------------------------------------------------------------------------------------------
// Together
// ---------------------------------------------------------------------------------------------------------------------

/**
 * What `getPeerCertificate()` gives for a certificate.
 *
 * @since 0.1.0
 * @category conversions
 */
export const make = (certificate: Certificate): Tls.PeerCertificate => {
  const fingerprint = (hash: string) =>
    Certificates.fingerprint(certificate, (bytes) => Crypto.createHash(hash).update(bytes).digest())
  const names = certificate.extension("SubjectAltName")?.names
  const { extendedKeyUsage } = certificate
  const object = {
    subject: nameObject(certificate.subject),
    issuer: nameObject(certificate.issuer),
    ...(names === undefined ? {} : { subjectaltname: names.map(generalName).join(", ") }),
    ...(certificate.extension("AuthorityInfoAccess") === undefined ? {} : { infoAccess: infoAccess(certificate) }),
    // OpenSSL's answer: an authority that may not sign certificates is none.
    ca: certificate.isCa && certificate.keyUsage?.has("keyCertSign") !== false,
    ...keyFields(certificate.publicKey),
    valid_from: timeText(certificate.notBefore),
    valid_to: timeText(certificate.notAfter),
    fingerprint: fingerprint("sha1"),
    fingerprint256: fingerprint("sha256"),
    fingerprint512: fingerprint("sha512"),
    ...(extendedKeyUsage === undefined ? {} : { ext_key_usage: [...extendedKeyUsage] }),
    serialNumber: serialText(certificate.serialNumber),
    raw: Buffer.from(certificate.der)
  }
  // Node's types have text only where there may be several values.
  return object as unknown as Tls.PeerCertificate
}

/**
 * What `getPeerCertificate(true)` gives for a path, leaf first: each certificate has that of its issuer, and one that is
 * its own issuer has itself.
 *
 * @since 0.1.0
 * @category conversions
 */
export const makeDetailed = (path: NonEmptyReadonlyArray<Certificate>): Tls.DetailedPeerCertificate => {
  const objects = path.map((certificate) => make(certificate) as Tls.DetailedPeerCertificate)
  for (const [i, object] of objects.entries()) {
    const issuer = objects[i + 1] ?? (path[i]!.isSelfIssued ? object : undefined)
    if (issuer !== undefined) object.issuerCertificate = issuer
  }
  return objects[0]!
}
