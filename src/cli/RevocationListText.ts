/**
 * A certificate revocation list as text for people, and as JSON for scripts.
 *
 * @since 0.1.0
 */
import type { CryptoProviderService } from "../core/CryptoProvider.ts"
import * as AlgorithmIdentifier from "../schema/AlgorithmIdentifier.ts"
import * as Bytes from "../schema/Bytes.ts"
import type { CertificateRevocationList, RevokedCertificate } from "../schema/CertificateRevocationList.ts"
import * as GeneralName from "../schema/GeneralName.ts"
import { colons, instant, list, millisecondsOfDay, plural } from "./CertificateText.ts"
import { rows } from "./Render.ts"

/** A list may have a million entries; who wants them all asks for JSON. */
const mostShown = 20

const next = ({ nextUpdate }: CertificateRevocationList, now: number): string => {
  if (nextUpdate === undefined) return "not said"
  const days = (nextUpdate.getTime() - now) / millisecondsOfDay
  const state = days >= 0 ? `${plural(Math.floor(days), "day")} left` : `${plural(Math.floor(-days), "day")} ago`
  return `${instant(nextUpdate)}, ${state}`
}

const scope = ({ issuingDistributionPoint: point }: CertificateRevocationList): ReadonlyArray<string> =>
  point === undefined
    ? []
    : [
        ...(point.onlyContainsUserCerts ? ["certificates that are no authorities'"] : []),
        ...(point.onlyContainsCaCerts ? ["certificates of authorities"] : []),
        ...(point.onlyContainsAttributeCerts ? ["attribute certificates"] : []),
        ...(point.onlySomeReasons === undefined ? [] : [`reasons ${[...point.onlySomeReasons].join(", ")}`]),
        ...(point.indirectCrl ? ["certificates of other issuers too"] : []),
        ...(point.name?._tag === "FullName" ? point.name.names.map(GeneralName.format) : [])
      ]

const entry = ({ certificateIssuer, reason, revocationDate, serialNumber }: RevokedCertificate): string =>
  [
    serialNumber,
    instant(revocationDate),
    ...(reason === undefined ? [] : [reason]),
    ...(certificateIssuer === undefined ? [] : [`of ${certificateIssuer.map(GeneralName.format).join(", ")}`])
  ].join("  ")

const entries = (value: CertificateRevocationList): ReadonlyArray<string> => {
  if (value.size === 0) return ["no certificate"]
  const rest = value.size - mostShown
  return [
    plural(value.size, "certificate"),
    ...value.revoked.slice(0, mostShown).map(entry),
    ...(rest > 0 ? [`and ${rest} more`] : [])
  ]
}

const fingerprint = ({ der }: CertificateRevocationList, crypto: CryptoProviderService): string =>
  colons(crypto.hash("SHA-256", der))

/**
 * Whose a list is, how long it holds and what it revokes, line by line.
 *
 * @since 0.1.0
 * @category text
 */
export const revocationList = (
  value: CertificateRevocationList,
  { crypto, now }: { readonly crypto: CryptoProviderService; readonly now: number }
): ReadonlyArray<string> =>
  rows([
    ["issuer", value.issuer.toString()],
    ["updated", instant(value.thisUpdate)],
    ["next update", next(value, now)],
    ...list("number", value.number === undefined ? [] : [String(value.number)]),
    ...list("adds to number", value.baseNumber === undefined ? [] : [String(value.baseNumber)]),
    ...list("only about", scope(value)),
    ...list("revokes", entries(value)),
    ["signature", AlgorithmIdentifier.format(value.signatureAlgorithm)],
    ...list(
      "issuer's key id",
      value.authorityKeyIdentifier?.keyIdentifier === undefined
        ? []
        : [colons(value.authorityKeyIdentifier.keyIdentifier)]
    ),
    ["sha256", fingerprint(value, crypto)]
  ])

/**
 * A list of a file as JSON. Every field is always there; numbers are decimal, serial numbers lower-case hex, times ISO
 * 8601.
 *
 * @since 0.1.0
 * @category models
 */
export interface InspectedRevocationList {
  readonly kind: "crl"
  readonly file: string
  readonly issuer: string
  readonly thisUpdate: string
  readonly nextUpdate: string | null
  readonly number: string | null
  readonly baseNumber: string | null
  readonly onlyAbout: ReadonlyArray<string>
  readonly signatureAlgorithm: string
  readonly authorityKeyIdentifier: string | null
  readonly sha256: string
  readonly revoked: ReadonlyArray<{
    readonly serialNumber: string
    readonly revocationDate: string
    readonly reason: string | null
    readonly certificateIssuer: ReadonlyArray<string> | null
  }>
}

/**
 * @since 0.1.0
 * @category conversions
 */
export const toJson = (
  value: CertificateRevocationList,
  { crypto, file }: { readonly crypto: CryptoProviderService; readonly file: string }
): InspectedRevocationList => {
  const identifier = value.authorityKeyIdentifier?.keyIdentifier
  return {
    kind: "crl",
    file,
    issuer: value.issuer.toString(),
    thisUpdate: value.thisUpdate.toISOString(),
    nextUpdate: value.nextUpdate?.toISOString() ?? null,
    number: value.number?.toString() ?? null,
    baseNumber: value.baseNumber?.toString() ?? null,
    onlyAbout: scope(value),
    signatureAlgorithm: AlgorithmIdentifier.format(value.signatureAlgorithm),
    authorityKeyIdentifier: identifier === undefined ? null : Bytes.toHex(identifier),
    sha256: fingerprint(value, crypto),
    revoked: value.revoked.map(({ certificateIssuer, reason, revocationDate, serialNumber }) => ({
      serialNumber,
      revocationDate: revocationDate.toISOString(),
      reason: reason ?? null,
      certificateIssuer: certificateIssuer?.map(GeneralName.format) ?? null
    }))
  }
}
