/**
 * Where a certificate says its CRLs are, and for what (RFC 5280 §4.2.1.13); a CRL names its own place in the same words
 * (§5.2.5).
 *
 * @since 0.1.0
 */
import * as Der from "./Der.ts"
import * as DistinguishedName from "./DistinguishedName.ts"
import * as GeneralName from "./GeneralName.ts"

/**
 * The bits of ReasonFlags, in their order. The first is called `unused` in RFC 5280 and means nothing.
 *
 * @since 0.1.0
 * @category constants
 */
export const reasonFlags = [
  "unused",
  "keyCompromise",
  "cACompromise",
  "affiliationChanged",
  "superseded",
  "cessationOfOperation",
  "certificateHold",
  "privilegeWithdrawn",
  "aACompromise"
] as const

/**
 * @since 0.1.0
 * @category models
 */
export type ReasonFlag = (typeof reasonFlags)[number]

/**
 * `RelativeName` is to be put behind the name of the CRL's issuer (`fullNames` does); `der` is its SET.
 *
 * @since 0.1.0
 * @category models
 */
export type DistributionPointName =
  | { readonly _tag: "FullName"; readonly names: ReadonlyArray<GeneralName.GeneralName> }
  | {
      readonly _tag: "RelativeName"
      readonly attributes: ReadonlyArray<DistinguishedName.Attribute>
      readonly der: Uint8Array
    }

/**
 * RFC 5280 §4.2.1.13. Without `reasons` it is for all of them; without `crlIssuer` the certificate's issuer issues the
 * CRL, and with it a CRL of that name does, an indirect one.
 *
 * @since 0.1.0
 * @category models
 */
export interface DistributionPoint {
  readonly name: DistributionPointName | undefined
  readonly reasons: ReadonlySet<ReasonFlag> | undefined
  readonly crlIssuer: ReadonlyArray<GeneralName.GeneralName> | undefined
}

// ---------------------------------------------------------------------------------------------------------------------
// Reading
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Reads ReasonFlags within a decoder, under their tag.
 *
 * @since 0.1.0
 * @category decoding
 */
export const readReasons = (reader: Der.DerReader, tag: number): ReadonlySet<ReasonFlag> =>
  new Set(Der.namedBits(reader.bitString(tag), reasonFlags))

/**
 * Reads a DistributionPointName within a decoder: the two names are choices under `[0]` and `[1]`.
 *
 * @since 0.1.0
 * @category decoding
 */
export const readName = (reader: Der.DerReader): DistributionPointName => {
  if (reader.peek() === 0xa0) return { _tag: "FullName", names: GeneralName.readList(reader, 0xa0) }
  const start = reader.position
  const attributes = DistinguishedName.readRdn(reader, 0xa1)
  const der = reader.bytes.slice(start, reader.position)
  der[0] = Der.Tag.Set
  return { _tag: "RelativeName", attributes, der }
}

const readPoint = (reader: Der.DerReader): DistributionPoint =>
  reader.within(Der.Tag.Sequence, (inner) => {
    const name = inner.optional(0xa0, readName)
    const reasons = inner.peek() === 0x81 ? readReasons(inner, 0x81) : undefined
    const crlIssuer = inner.peek() === 0xa2 ? GeneralName.readList(inner, 0xa2) : undefined
    // RFC 5280 §4.2.1.13: reasons alone are not a place.
    if (name === undefined && crlIssuer === undefined)
      inner.fail("a distribution point that names neither place nor issuer")
    return { name, reasons, crlIssuer }
  })

/**
 * Reads CRLDistributionPoints within a decoder: at least one.
 *
 * @since 0.1.0
 * @category decoding
 */
export const readList = (reader: Der.DerReader): ReadonlyArray<DistributionPoint> => reader.sequenceOf(readPoint, 1)

// ---------------------------------------------------------------------------------------------------------------------
// Writing
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The DER of ReasonFlags, under their tag.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodeReasons = (reasons: Iterable<ReasonFlag>, tag: number): Uint8Array =>
  Der.namedBitString(reasons, reasonFlags, tag)

/**
 * The DER of a DistributionPointName.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodeName = (name: DistributionPointName): Uint8Array => {
  if (name._tag === "FullName") return Der.value(0xa0, ...name.names.map(GeneralName.encode))
  const der = name.der.slice()
  der[0] = 0xa1
  return der
}

/**
 * The DER of CRLDistributionPoints.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodeList = (points: Iterable<DistributionPoint>): Uint8Array =>
  Der.sequence(
    ...Array.from(points, ({ crlIssuer, name, reasons }) =>
      Der.sequence(
        ...(name === undefined ? [] : [Der.value(0xa0, encodeName(name))]),
        ...(reasons === undefined ? [] : [encodeReasons(reasons, 0x81)]),
        ...(crlIssuer === undefined ? [] : [Der.value(0xa2, ...crlIssuer.map(GeneralName.encode))])
      )
    )
  )

// ---------------------------------------------------------------------------------------------------------------------
// Using
// ---------------------------------------------------------------------------------------------------------------------

/**
 * A name in full: a relative one behind that of the CRL's issuer (RFC 5280 §4.2.1.13).
 *
 * @since 0.1.0
 * @category conversions
 */
export const fullNames = (
  name: DistributionPointName,
  crlIssuer: DistinguishedName.DistinguishedName
): ReadonlyArray<GeneralName.GeneralName> =>
  name._tag === "FullName"
    ? name.names
    : [{ _tag: "DirectoryName", name: DistinguishedName.append(crlIssuer, name.attributes, name.der) }]

/**
 * The addresses of a list of points, for people and for fetching.
 *
 * @since 0.1.0
 * @category getters
 */
export const uris = (points: Iterable<DistributionPoint>): ReadonlyArray<string> =>
  Array.from(points).flatMap(({ name }) =>
    name?._tag === "FullName" ? name.names.flatMap((full) => (full._tag === "Uri" ? [full.value] : [])) : []
  )
