/**
 * Which CRLs speak about a certificate, and for which reasons (RFC 5280 §6.3.3 (b) to (e)): by issuer, distribution
 * point and kind of certificate. Whether they are to be believed is another question.
 *
 * @since 0.1.0
 */
import * as Bytes from "../schema/Bytes.ts"
import type { Certificate } from "../schema/Certificate.ts"
import type { CertificateRevocationList } from "../schema/CertificateRevocationList.ts"
import type { DistinguishedName } from "../schema/DistinguishedName.ts"
import * as DistributionPoint from "../schema/DistributionPoint.ts"
import * as GeneralName from "../schema/GeneralName.ts"

// ---------------------------------------------------------------------------------------------------------------------
// A set of lists
// ---------------------------------------------------------------------------------------------------------------------

/**
 * CRLs of one issuer, the newest first.
 *
 * @since 0.1.0
 * @category models
 */
export interface IssuedLists {
  readonly complete: ReadonlyArray<CertificateRevocationList>
  readonly deltas: ReadonlyArray<CertificateRevocationList>
}

/**
 * CRLs by their issuer.
 *
 * @since 0.1.0
 * @category models
 */
export type ListSet = (issuer: DistinguishedName) => IssuedLists

const none: IssuedLists = { complete: [], deltas: [] }

/**
 * The order of CRLs of one issuer, the newest first, by date and then by number; 0 where neither is newer.
 *
 * @since 0.1.0
 * @category scope
 */
export const newestFirst = (a: CertificateRevocationList, b: CertificateRevocationList): -1 | 0 | 1 => {
  const byDate = b.thisUpdate.getTime() - a.thisUpdate.getTime()
  if (byDate !== 0) return byDate < 0 ? -1 : 1
  const [first, second] = [a.number ?? -1n, b.number ?? -1n]
  return first === second ? 0 : second > first ? 1 : -1
}

/**
 * CRLs in any order.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeSet = (lists: Iterable<CertificateRevocationList>): ListSet => {
  const byIssuer = new Map<
    string,
    { complete: Array<CertificateRevocationList>; deltas: typeof none.deltas & Array<CertificateRevocationList> }
  >()
  for (const list of [...lists].sort(newestFirst)) {
    const key = list.issuer.key
    let known = byIssuer.get(key)
    if (known === undefined) byIssuer.set(key, (known = { complete: [], deltas: [] }))
    if (list.baseNumber === undefined) known.complete.push(list)
    else known.deltas.push(list)
  }
  return (issuer) => byIssuer.get(issuer.key) ?? none
}

// ---------------------------------------------------------------------------------------------------------------------
// Reasons
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Reasons as bits, in the order of ReasonFlags.
 *
 * @since 0.1.0
 * @category models
 */
export type ReasonMask = number

/**
 * Every reason that ReasonFlags has a bit for.
 *
 * @since 0.1.0
 * @category constants
 */
export const allReasons: ReasonMask = DistributionPoint.reasonFlags.reduce(
  (mask, reason, bit) => (reason === "unused" ? mask : mask | (1 << bit)),
  0
)

const maskOf = (reasons: ReadonlySet<DistributionPoint.ReasonFlag> | undefined): ReasonMask => {
  if (reasons === undefined) return allReasons
  let mask = 0
  for (const reason of reasons) mask |= 1 << DistributionPoint.reasonFlags.indexOf(reason)
  return mask & allReasons
}

// ---------------------------------------------------------------------------------------------------------------------
// Places
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Where a certificate's CRLs are to be looked for: a distribution point of it, made ready to be compared.
 *
 * @since 0.1.0
 * @category models
 */
export interface Place {
  /** Who issues CRLs there. */
  readonly issuers: ReadonlyArray<DistinguishedName>
  /** Whether these are others than the certificate's own. */
  readonly isIndirect: boolean
  /** The names a CRL may call its distribution point by. */
  readonly names: ReadonlySet<string>
  readonly reasons: ReasonMask
}

const nameKey = (name: GeneralName.GeneralName): string => {
  switch (name._tag) {
    case "DirectoryName":
      return `DirectoryName:${name.name.key}`
    case "Uri":
      // RFC 3986 §6.2.2.1: scheme and host are the same in any case.
      return `Uri:${name.value.replace(/^[^/?#]*:(?:\/\/[^/?#]*)?/, (start) => start.toLowerCase())}`
    case "DnsName":
      return `DnsName:${name.value.toLowerCase()}`
    default:
      return `${name._tag}:${Bytes.toHex(GeneralName.encode(name))}`
  }
}

const directoryNames = (names: ReadonlyArray<GeneralName.GeneralName>): ReadonlyArray<DistinguishedName> =>
  names.flatMap((name) => (name._tag === "DirectoryName" ? [name.name] : []))

const toPlace = (point: DistributionPoint.DistributionPoint, issuer: DistinguishedName): Place => {
  const { crlIssuer, name, reasons } = point
  const issuers = crlIssuer === undefined ? [issuer] : directoryNames(crlIssuer)
  const names =
    name === undefined
      ? (crlIssuer ?? [])
      : issuers.flatMap((crlIssuerName) => DistributionPoint.fullNames(name, crlIssuerName))
  return {
    issuers,
    isIndirect: crlIssuer !== undefined,
    names: new Set(names.map(nameKey)),
    reasons: maskOf(reasons)
  }
}

/**
 * The places of a certificate: its distribution points, and last the issuer itself, who may have issued CRLs that are
 * not for any of them.
 *
 * @since 0.1.0
 * @category scope
 */
export const placesOf = (certificate: Certificate): ReadonlyArray<Place> => {
  const { issuer } = certificate
  const assumed: DistributionPoint.DistributionPoint = {
    name: { _tag: "FullName", names: [{ _tag: "DirectoryName", name: issuer }] },
    reasons: undefined,
    crlIssuer: undefined
  }
  const points = certificate.extension("CrlDistributionPoints")?.points ?? []
  return [...points, assumed].map((point) => toPlace(point, issuer))
}

/**
 * The reasons for which a CRL of an issuer of the place speaks about a certificate: none where it does not.
 *
 * @since 0.1.0
 * @category scope
 */
export const reasonsCovered = (list: CertificateRevocationList, certificate: Certificate, place: Place): ReasonMask => {
  const point = list.issuingDistributionPoint
  if (place.isIndirect && point?.indirectCrl !== true) return 0
  if (point === undefined) return place.reasons
  const isAuthority = certificate.basicConstraints?.ca === true
  const isKind =
    !point.onlyContainsAttributeCerts && !(isAuthority ? point.onlyContainsUserCerts : point.onlyContainsCaCerts)
  if (!isKind) return 0
  const isPlace =
    point.name === undefined ||
    DistributionPoint.fullNames(point.name, list.issuer).some((name) => place.names.has(nameKey(name)))
  return isPlace ? place.reasons & maskOf(point.onlySomeReasons) : 0
}

/**
 * Whether a delta CRL brings a complete one of the same issuer up to date (RFC 5280 §5.2.4, §6.3.3 (c)): same scope, same
 * key, and what it adds to is not newer than the complete one, nor itself older.
 *
 * @since 0.1.0
 * @category scope
 */
export const isDeltaOf = (delta: CertificateRevocationList, complete: CertificateRevocationList): boolean => {
  const { baseNumber, number } = delta
  if (baseNumber === undefined || number === undefined || complete.number === undefined) return false
  return (
    baseNumber <= complete.number &&
    complete.number < number &&
    isSame(delta.extension("IssuingDistributionPoint")?.value, complete.extension("IssuingDistributionPoint")?.value) &&
    isSame(delta.extension("AuthorityKeyIdentifier")?.value, complete.extension("AuthorityKeyIdentifier")?.value)
  )
}

const isSame = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a === undefined || b === undefined ? a === b : Bytes.equals(a, b)
