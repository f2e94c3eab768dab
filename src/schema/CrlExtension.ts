/**
 * Extensions of certificate revocation lists (RFC 5280 §5.2) and of their entries (§5.3), typed where we know them; the
 * others stay as they came.
 *
 * @since 0.1.0
 */
import type { Raw } from "./CertificateExtension.ts"
import * as CertificateExtension from "./CertificateExtension.ts"
import * as Der from "./Der.ts"
import * as DistributionPoint from "./DistributionPoint.ts"
import * as GeneralName from "./GeneralName.ts"
import type { ObjectIdentifier } from "./ObjectIdentifier.ts"
import { oids } from "./ObjectIdentifier.ts"

/**
 * RFC 5280 §5.2.5: which certificates a CRL speaks about, and for which reasons it revokes. At most one of the three
 * `onlyContains…` is set. An indirect CRL has entries of other issuers too.
 *
 * @since 0.1.0
 * @category models
 */
export interface IssuingDistributionPoint {
  readonly name: DistributionPoint.DistributionPointName | undefined
  readonly onlyContainsUserCerts: boolean
  readonly onlyContainsCaCerts: boolean
  readonly onlyContainsAttributeCerts: boolean
  readonly onlySomeReasons: ReadonlySet<DistributionPoint.ReasonFlag> | undefined
  readonly indirectCrl: boolean
}

type Shared = Extract<
  CertificateExtension.CertificateExtension,
  { readonly _tag: "AuthorityKeyIdentifier" | "IssuerAltName" | "AuthorityInfoAccess" | "FreshestCrl" }
>

/**
 * An extension of a CRL by what it says. Open: `Unknown` is one we have no type for.
 *
 * @since 0.1.0
 * @category models
 */
export type CrlExtension =
  | Shared
  | ({ readonly _tag: "CrlNumber"; readonly number: bigint } & Raw)
  | ({ readonly _tag: "DeltaCrlIndicator"; readonly baseCrlNumber: bigint } & Raw)
  | ({ readonly _tag: "IssuingDistributionPoint" } & IssuingDistributionPoint & Raw)
  | ({ readonly _tag: "Unknown" } & Raw)

/**
 * Why a certificate is revoked, by the number of its CRLReason (RFC 5280 §5.3.1). 7 is not used.
 *
 * @since 0.1.0
 * @category constants
 */
export const revocationReasons = [
  "unspecified",
  "keyCompromise",
  "cACompromise",
  "affiliationChanged",
  "superseded",
  "cessationOfOperation",
  "certificateHold",
  undefined,
  "removeFromCRL",
  "privilegeWithdrawn",
  "aACompromise"
] as const

/**
 * `certificateHold` may be taken back, by `removeFromCRL` in a delta CRL; all others are for good.
 *
 * @since 0.1.0
 * @category models
 */
export type RevocationReason = Exclude<(typeof revocationReasons)[number], undefined>

/**
 * An extension of an entry by what it says. `date` is in milliseconds since 1970. A CertificateIssuer holds from its
 * entry on to the next that has one.
 *
 * @since 0.1.0
 * @category models
 */
export type CrlEntryExtension =
  | ({ readonly _tag: "ReasonCode"; readonly reason: RevocationReason } & Raw)
  | ({ readonly _tag: "InvalidityDate"; readonly date: number } & Raw)
  | ({ readonly _tag: "CertificateIssuer"; readonly names: ReadonlyArray<GeneralName.GeneralName> } & Raw)
  | ({ readonly _tag: "Unknown" } & Raw)

// ---------------------------------------------------------------------------------------------------------------------
// Reading
// ---------------------------------------------------------------------------------------------------------------------

const crlNumber = (reader: Der.DerReader): bigint => {
  const bytes = reader.unsignedBytes()
  // RFC 5280 §5.2.3: 20 octets. Some issuers count them without the one for the sign.
  if (bytes.length > 20) reader.fail(`a CRL number of ${bytes.length} bytes`)
  let number = 0n
  for (const byte of bytes) number = (number << 8n) | BigInt(byte)
  return number
}

// Unlike that of basic constraints, a FALSE written out here is something that no issuer in use is known to do.
const flag = (reader: Der.DerReader, tag: number): boolean =>
  reader.peek() === tag && (reader.boolean(tag) || reader.fail("a FALSE written out, which DER leaves out"))

const issuingDistributionPoint = (reader: Der.DerReader): IssuingDistributionPoint =>
  reader.within(Der.Tag.Sequence, (inner) => {
    if (inner.isEmpty) inner.fail("an issuing distribution point that says nothing")
    const name = inner.optional(0xa0, DistributionPoint.readName)
    const onlyContainsUserCerts = flag(inner, 0x81)
    const onlyContainsCaCerts = flag(inner, 0x82)
    const onlySomeReasons = inner.peek() === 0x83 ? DistributionPoint.readReasons(inner, 0x83) : undefined
    const indirectCrl = flag(inner, 0x84)
    const onlyContainsAttributeCerts = flag(inner, 0x85)
    if (Number(onlyContainsUserCerts) + Number(onlyContainsCaCerts) + Number(onlyContainsAttributeCerts) > 1) {
      inner.fail("an issuing distribution point for certificates of two kinds only")
    }
    return {
      name,
      onlyContainsUserCerts,
      onlyContainsCaCerts,
      onlyContainsAttributeCerts,
      onlySomeReasons,
      indirectCrl
    }
  })

const readRaw = (reader: Der.DerReader): Raw => {
  const inner = reader.sequence()
  const oid = inner.oid()
  // A FALSE written out is as harmless here as in certificates.
  const critical = inner.peek() === Der.Tag.Boolean && inner.boolean()
  const value = inner.octetString()
  inner.finish()
  return { oid, critical, value }
}

const within = <A>(reader: Der.DerReader, { value }: Raw, decoder: (inner: Der.DerReader) => A): A =>
  Der.decodeNested(reader, value, "CRL extension", decoder)

/**
 * Reads one extension of a CRL within a decoder.
 *
 * @since 0.1.0
 * @category decoding
 */
export const read = (reader: Der.DerReader): CrlExtension => {
  const start = reader.position
  const raw = readRaw(reader)
  switch (raw.oid) {
    case oids.authorityKeyIdentifier:
    case oids.issuerAltName:
    case oids.authorityInfoAccess:
    case oids.freshestCRL:
      reader.position = start
      return CertificateExtension.read(reader) as Shared
    case oids.cRLNumber:
      return { _tag: "CrlNumber", ...raw, number: within(reader, raw, crlNumber) }
    case oids.deltaCRLIndicator:
      return { _tag: "DeltaCrlIndicator", ...raw, baseCrlNumber: within(reader, raw, crlNumber) }
    case oids.issuingDistributionPoint:
      return { _tag: "IssuingDistributionPoint", ...raw, ...within(reader, raw, issuingDistributionPoint) }
    default:
      return { _tag: "Unknown", ...raw }
  }
}

const reasonCode = (reader: Der.DerReader): RevocationReason => {
  const number = reader.unsigned(Der.Tag.Enumerated)
  return revocationReasons[number] ?? reader.fail(`a reason code of ${number}`)
}

const invalidityDate = (reader: Der.DerReader): number => {
  // RFC 5280 §5.3.2: this one is a GeneralizedTime in every year.
  if (reader.peek() !== Der.Tag.GeneralizedTime) reader.fail("an invalidity date that is no GeneralizedTime")
  return reader.time("anyForm")
}

/**
 * Reads one extension of a CRL's entry within a decoder.
 *
 * @since 0.1.0
 * @category decoding
 */
export const readEntry = (reader: Der.DerReader): CrlEntryExtension => {
  const raw = readRaw(reader)
  switch (raw.oid) {
    case oids.reasonCode:
      return { _tag: "ReasonCode", ...raw, reason: within(reader, raw, reasonCode) }
    case oids.invalidityDate:
      return { _tag: "InvalidityDate", ...raw, date: within(reader, raw, invalidityDate) }
    case oids.certificateIssuer:
      return { _tag: "CertificateIssuer", ...raw, names: within(reader, raw, (inner) => GeneralName.readList(inner)) }
    default:
      return { _tag: "Unknown", ...raw }
  }
}

/**
 * Refuses, within a decoder, two extensions of one kind.
 *
 * @since 0.1.0
 * @category decoding
 */
export const requireDistinct = (
  reader: Der.DerReader,
  extensions: ReadonlyArray<{ readonly oid: ObjectIdentifier }>
): void => {
  const seen = new Set<string>()
  for (const { oid } of extensions) {
    if (seen.has(oid)) reader.fail(`the extension ${oid} twice`)
    seen.add(oid)
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Writing
// ---------------------------------------------------------------------------------------------------------------------

const bigInteger = (number: bigint): Uint8Array => {
  const hex = number.toString(16)
  const digits = hex.length % 2 === 0 ? hex : `0${hex}`
  return Der.integer(Uint8Array.from(digits.match(/../g)!, (pair) => Number.parseInt(pair, 16)))
}

const extension = (oid: ObjectIdentifier, critical: boolean, value: Uint8Array): Raw => ({ oid, critical, value })

/**
 * @since 0.1.0
 * @category encoding
 */
export const encodeCrlNumber = (number: bigint): Raw => extension(oids.cRLNumber, false, bigInteger(number))

/**
 * @since 0.1.0
 * @category encoding
 */
export const encodeDeltaCrlIndicator = (baseCrlNumber: bigint): Raw =>
  extension(oids.deltaCRLIndicator, true, bigInteger(baseCrlNumber))

/**
 * What is left out is not said: `{ onlyContainsCaCerts: true }` is one.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodeIssuingDistributionPoint = (point: Partial<IssuingDistributionPoint>): Raw => {
  const flagged = (tag: number, isSet: boolean | undefined) =>
    isSet === true ? [Der.value(tag, Uint8Array.of(0xff))] : []
  const { name, onlySomeReasons } = point
  return extension(
    oids.issuingDistributionPoint,
    true,
    Der.sequence(
      ...(name === undefined ? [] : [Der.value(0xa0, DistributionPoint.encodeName(name))]),
      ...flagged(0x81, point.onlyContainsUserCerts),
      ...flagged(0x82, point.onlyContainsCaCerts),
      ...(onlySomeReasons === undefined ? [] : [DistributionPoint.encodeReasons(onlySomeReasons, 0x83)]),
      ...flagged(0x84, point.indirectCrl),
      ...flagged(0x85, point.onlyContainsAttributeCerts)
    )
  )
}

/**
 * @since 0.1.0
 * @category encoding
 */
export const encodeReasonCode = (reason: RevocationReason): Raw =>
  extension(oids.reasonCode, false, Der.value(Der.Tag.Enumerated, Uint8Array.of(revocationReasons.indexOf(reason))))

/**
 * From a time in milliseconds since 1970; fractions of a second are dropped.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodeInvalidityDate = (date: number): Raw =>
  extension(
    oids.invalidityDate,
    false,
    Der.ascii(new Date(date).toISOString().replace(/[-:T]|\.\d+/g, ""), Der.Tag.GeneralizedTime)
  )

/**
 * @since 0.1.0
 * @category encoding
 */
export const encodeCertificateIssuer = (names: Iterable<GeneralName.GeneralName>): Raw =>
  extension(oids.certificateIssuer, true, Der.sequence(...Array.from(names, GeneralName.encode)))
