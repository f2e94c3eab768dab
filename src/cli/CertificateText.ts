/**
 * A certificate as text for people.
 *
 * @since 0.1.0
 */
import * as Encoding from "effect/Encoding"
import type { CryptoProviderService } from "../core/CryptoProvider.ts"
import * as ServerIdentity from "../core/ServerIdentity.ts"
import * as AlgorithmIdentifier from "../schema/AlgorithmIdentifier.ts"
import type { HashAlgorithm } from "../schema/Algorithms.ts"
import * as Bytes from "../schema/Bytes.ts"
import type { Certificate } from "../schema/Certificate.ts"
import * as Certificates from "../schema/Certificate.ts"
import type { CertificateExtension } from "../schema/CertificateExtension.ts"
import * as DistributionPoint from "../schema/DistributionPoint.ts"
import * as ExtensionType from "../schema/ExtensionType.ts"
import * as GeneralName from "../schema/GeneralName.ts"
import * as ObjectIdentifier from "../schema/ObjectIdentifier.ts"
import * as PublicKey from "../schema/PublicKey.ts"
import { rows } from "./Render.ts"

type Row = readonly [name: string, value: string]

const { oids } = ObjectIdentifier

/**
 * @since 0.1.0
 * @category constants
 */
export const millisecondsOfDay = 86_400_000

/**
 * A count with its noun, as `1 day` or `2 days`.
 *
 * @since 0.1.0
 * @category text
 */
export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`

/**
 * A time as `2026-01-31 12:00:00 UTC`.
 *
 * @since 0.1.0
 * @category text
 */
export const instant = (date: Date): string => `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`

/**
 * Whole days until a certificate ends; below zero when it has ended.
 *
 * @since 0.1.0
 * @category conversions
 */
export const daysLeft = (certificate: Certificate, now: number): number =>
  Math.floor((certificate.notAfter.getTime() - now) / millisecondsOfDay)

const validity = (certificate: Certificate, now: number): string => {
  if (certificate.isValidAt(now)) return `${plural(daysLeft(certificate, now), "day")} left`
  const start = certificate.notBefore.getTime()
  return now < start
    ? `not yet valid, ${plural(Math.ceil((start - now) / millisecondsOfDay), "day")} to go`
    : `expired ${plural(-daysLeft(certificate, now) - 1, "day")} ago`
}

/**
 * Upper-case hex with colons between the bytes.
 *
 * @since 0.1.0
 * @category text
 */
export const colons = (bytes: Uint8Array): string =>
  Bytes.toHex(bytes)
    .toUpperCase()
    .replace(/..(?!$)/g, "$&:")

/**
 * Rows of several values: the first beside the name, the others below it.
 *
 * @since 0.1.0
 * @category text
 */
export const list = (name: string, values: ReadonlyArray<string>): ReadonlyArray<Row> =>
  values.map((value, i): Row => [i === 0 ? name : "", value])

const shown: ReadonlySet<CertificateExtension["_tag"]> = new Set<CertificateExtension["_tag"]>([
  "AuthorityInfoAccess",
  "AuthorityKeyIdentifier",
  "BasicConstraints",
  "CertificatePolicies",
  "CrlDistributionPoints",
  "ExtendedKeyUsage",
  "KeyUsage",
  "NameConstraints",
  "SignedCertificateTimestamps",
  "SubjectAltName",
  "SubjectKeyIdentifier",
  "TlsFeature"
])

const authority = ({ basicConstraints }: Certificate): string => {
  if (basicConstraints?.ca !== true) return "no"
  const { pathLength } = basicConstraints
  return pathLength === undefined ? "yes" : `yes, with at most ${plural(pathLength, "intermediate")} below it`
}

const accessRows = (certificate: Certificate, method: ObjectIdentifier.ObjectIdentifier, name: string) =>
  list(
    name,
    certificate.authorityInfoAccess.flatMap(({ location, method: found }) =>
      found === method ? [location._tag === "Uri" ? location.value : GeneralName.format(location)] : []
    )
  )

/** An extension that may or may not be there, as rows. */
const extensionRows = <T extends CertificateExtension["_tag"]>(
  certificate: Certificate,
  tag: T,
  name: string,
  show: (extension: Extract<CertificateExtension, { readonly _tag: T }>) => ReadonlyArray<string>
): ReadonlyArray<Row> => {
  const extension = certificate.extension(tag)
  if (extension === undefined) return []
  const critical = extension.critical ? " (critical)" : ""
  return list(
    name,
    show(extension).map((value, i) => (i === 0 ? `${value}${critical}` : value))
  )
}

const orNothing = (names: ReadonlyArray<string>): ReadonlyArray<string> => [names.join(", ") || "nothing"]

/**
 * The hashes that fingerprints are shown of.
 *
 * @since 0.1.0
 * @category constants
 */
export const fingerprintHashes: ReadonlyArray<readonly [key: "sha1" | "sha256" | "sha512", hash: HashAlgorithm]> = [
  ["sha1", "SHA-1"],
  ["sha256", "SHA-256"],
  ["sha512", "SHA-512"]
]

/**
 * All that a certificate says and a person wants to know, line by line. `selfSigned` is whether its signature is its own
 * key's.
 *
 * @since 0.1.0
 * @category text
 */
export const certificate = (
  value: Certificate,
  options: { readonly crypto: CryptoProviderService; readonly now: number; readonly selfSigned: boolean }
): ReadonlyArray<string> => {
  const { crypto, now, selfSigned } = options
  const constraints = value.nameConstraints
  const others = value.extensions.filter(({ _tag }) => !shown.has(_tag))
  return rows([
    ["subject", value.subject.isEmpty ? "(none)" : value.subject.toString()],
    ["issuer", selfSigned ? `${value.issuer} (self-signed)` : value.issuer.toString()],
    ...list("names", ServerIdentity.presentedNames(value)),
    ["valid from", instant(value.notBefore)],
    ["valid to", `${instant(value.notAfter)}, ${validity(value, now)}`],
    ["serial number", value.serialNumber],
    ["key", PublicKey.format(value.publicKey)],
    ["signature", AlgorithmIdentifier.format(value.signatureAlgorithm)],
    ["authority", authority(value)],
    ...extensionRows(value, "KeyUsage", "key usage", ({ usages }) => orNothing([...usages])),
    ...extensionRows(value, "ExtendedKeyUsage", "purposes", ({ purposes }) =>
      orNothing(purposes.map(ObjectIdentifier.name))
    ),
    ...list("may issue for", (constraints?.permitted ?? []).map(GeneralName.format)),
    ...list("must not issue for", (constraints?.excluded ?? []).map(GeneralName.format)),
    ...extensionRows(value, "CertificatePolicies", "policies", ({ policies }) => [
      policies.map(({ policy }) => ObjectIdentifier.name(policy)).join(", ")
    ]),
    ...extensionRows(value, "TlsFeature", "TLS features", ({ features }) => [
      features.map(ExtensionType.name).join(", ")
    ]),
    ...extensionRows(value, "SignedCertificateTimestamps", "timestamps", ({ timestamps }) => [
      plural(timestamps.length, "log")
    ]),
    ...list("key id", value.subjectKeyIdentifier === undefined ? [] : [colons(value.subjectKeyIdentifier)]),
    ...list(
      "issuer's key id",
      value.authorityKeyIdentifier?.keyIdentifier === undefined
        ? []
        : [colons(value.authorityKeyIdentifier.keyIdentifier)]
    ),
    ...accessRows(value, oids.caIssuers, "issuer at"),
    ...accessRows(value, oids.ocsp, "OCSP at"),
    ...list("CRL at", DistributionPoint.uris(value.crlDistributionPoints)),
    ...list(
      "also has",
      others.map(({ critical, oid }) => `${ObjectIdentifier.name(oid)}${critical ? " (critical)" : ""}`)
    ),
    ...fingerprintHashes
      .slice(0, 2)
      .map(([key, hash]): Row => [key, Certificates.fingerprint(value, (bytes) => crypto.hash(hash, bytes))]),
    ["pin", pin(value, crypto)]
  ])
}

/**
 * The pin of a certificate's key (RFC 7469), as `Verifier.pinSha256` takes it.
 *
 * @since 0.1.0
 * @category conversions
 */
export const pin = ({ publicKey }: Certificate, crypto: CryptoProviderService): string =>
  `sha256/${Encoding.encodeBase64(crypto.hash("SHA-256", publicKey.spki))}`
