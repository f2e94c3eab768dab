/**
 * What became of a connection, as the JSON that scripts read. Every field is always there; what is not known is null.
 *
 * @since 0.1.0
 */
import * as Equal from "effect/Equal"
import * as Option from "effect/Option"
import type { ConnectionInfo } from "../core/ConnectionInfo.ts"
import type { CryptoProviderService } from "../core/CryptoProvider.ts"
import { chainEntry } from "../core/PathValidation.ts"
import * as ServerIdentity from "../core/ServerIdentity.ts"
import * as TrustStore from "../core/TrustStore.ts"
import * as Alert from "../schema/Alert.ts"
import type { Certificate } from "../schema/Certificate.ts"
import type { Endpoint } from "../schema/Endpoint.ts"
import type { ChainEntry } from "../schema/TlsError.ts"
import { alertOf, type TlsError } from "../schema/TlsError.ts"
import type { StreamError } from "./StandardStreams.ts"

/**
 * What can end a connection besides the peer's `close_notify`; `undefined` of it is a clean end.
 *
 * @since 0.1.0
 * @category models
 */
export type Failure = TlsError | StreamError | Interrupted

/**
 * A signal ended the connection.
 *
 * @since 0.1.0
 * @category models
 */
export interface Interrupted {
  readonly _tag: "Interrupted"
}

/**
 * `mark` is `valid` for a certificate of the verified path and `unchecked` for the others, `failed` for the one that
 * was refused.
 *
 * @since 0.1.0
 * @category models
 */
export interface CertificateReport {
  readonly subject: string
  readonly issuer: string
  readonly notBefore: string
  readonly notAfter: string
  readonly fingerprint256: string
  readonly mark: ChainEntry["mark"]
  readonly anchor: boolean
}

/**
 * @since 0.1.0
 * @category models
 */
export interface PeerCertificateReport extends CertificateReport {
  readonly serialNumber: string
  readonly names: ReadonlyArray<string>
}

/**
 * `alert` is the name of the alert that was received or sent; `chain` the best path there was, of a refused peer.
 *
 * @since 0.1.0
 * @category models
 */
export interface ErrorReport {
  readonly tag: string
  readonly reason: string | null
  readonly alert: string | null
  readonly message: string
  readonly phase: string | null
  readonly fault: string | null
  readonly hint: string | null
  readonly chain: ReadonlyArray<CertificateReport> | null
}

/**
 * `verifiedBy` says which verifier accepted the peer: null when it showed no certificate or nobody checked.
 * `peerCertificates` are those the peer sent.
 *
 * @since 0.1.0
 * @category models
 */
export interface Report {
  readonly role: "client" | "server"
  readonly remoteAddress: string | null
  readonly version: string | null
  readonly cipherSuite: string | null
  readonly group: string | null
  readonly signatureScheme: string | null
  readonly clientSignatureScheme: string | null
  readonly alpn: string | null
  readonly serverName: string | null
  readonly verifiedBy: string | null
  readonly peerCertificates: ReadonlyArray<PeerCertificateReport>
  readonly helloRetryRequest: boolean | null
  readonly resumed: boolean | null
  readonly error: ErrorReport | null
}

/**
 * The path that was verified, leaf first, to its anchor; empty when nobody verified one.
 *
 * @since 0.1.0
 * @category conversions
 */
export const verifiedPath = ({ peer }: ConnectionInfo): ReadonlyArray<Certificate> =>
  peer._tag === "Verified" ? peer.path : []

/**
 * Who accepted the peer, if anybody did.
 *
 * @since 0.1.0
 * @category conversions
 */
export const verifiedBy = ({ peer }: ConnectionInfo): Option.Option<string> =>
  peer._tag === "Verified" ? Option.some(peer.vouchedBy) : Option.none()

/**
 * The verified path to its anchor, and after it what else the peer sent, each with its mark.
 *
 * @since 0.1.0
 * @category conversions
 */
export const chainOf = (info: ConnectionInfo, crypto: CryptoProviderService): ReadonlyArray<ChainEntry> => {
  const path = verifiedPath(info)
  const anchors = TrustStore.fromCertificates(path.slice(-1))
  return [
    ...path.map((certificate) => chainEntry(crypto, anchors, certificate, "valid")),
    ...info.peerCertificates
      .filter((certificate) => !isIn(path, certificate))
      .map((certificate) => chainEntry(crypto, TrustStore.empty, certificate, "unchecked"))
  ]
}

const isIn = (path: ReadonlyArray<Certificate>, certificate: Certificate): boolean =>
  path.some((other) => Equal.equals(other, certificate))

/**
 * @since 0.1.0
 * @category conversions
 */
export const certificateReport = (entry: ChainEntry): CertificateReport => ({
  subject: entry.subject,
  issuer: entry.issuer,
  notBefore: entry.notBefore.toISOString(),
  notAfter: entry.notAfter.toISOString(),
  fingerprint256: entry.fingerprint256,
  mark: entry.mark,
  anchor: entry.anchor
})

const peerCertificates = (
  info: ConnectionInfo,
  crypto: CryptoProviderService
): ReadonlyArray<PeerCertificateReport> => {
  const path = verifiedPath(info)
  const anchors = TrustStore.fromCertificates(path.slice(-1))
  return info.peerCertificates.map((certificate) => ({
    ...certificateReport(chainEntry(crypto, anchors, certificate, isIn(path, certificate) ? "valid" : "unchecked")),
    serialNumber: certificate.serialNumber,
    names: ServerIdentity.presentedNames(certificate)
  }))
}

/**
 * The alert that was received, or the one that was sent; none before there was anybody to talk to.
 *
 * @since 0.1.0
 * @category conversions
 */
export const alertName = (error: Failure): Option.Option<string> => {
  if (error._tag === "StreamError" || error._tag === "Interrupted") return Option.none()
  if (error._tag === "AlertError") return Option.some(error.alert)
  const nobody = error.phase === "configuration" || error.phase === "dial" || error.phase === "listen"
  return nobody ? Option.none() : Option.map(alertOf(error), Alert.name)
}

// What the library's hints call by its own names.
const optionNames: ReadonlyArray<readonly [string, string]> = [
  ["`serverName`", "--servername"],
  ["`identity`", "--cert and --key"],
  ["`protocol.alpn`", "--alpn"],
  ["`protocol.cipherSuites`", "--suites"],
  ["`protocol.groups`", "--groups"],
  ["`protocol.handshakeTimeout`", "--timeout"]
]

/**
 * An error's hint, with the names of the command line.
 *
 * @since 0.1.0
 * @category conversions
 */
export const hint = (error: TlsError): string =>
  optionNames.reduce((text, [name, option]) => text.replaceAll(name, option), error.hint)

const errorReport = (error: Failure): ErrorReport => {
  if (error._tag === "StreamError" || error._tag === "Interrupted") {
    const message = error._tag === "StreamError" ? error.message : "interrupted by a signal"
    return { tag: error._tag, reason: null, alert: null, message, phase: null, fault: "local", hint: null, chain: null }
  }
  return {
    tag: error._tag,
    reason: error.reason,
    alert: Option.getOrNull(alertName(error)),
    message: error.message,
    phase: error.phase,
    fault: error.fault,
    hint: hint(error),
    chain: error._tag === "CertificateError" ? error.chain.map(certificateReport) : null
  }
}

/**
 * What happened on a connection, as far as it came.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly role: "client" | "server"
  readonly crypto: CryptoProviderService | undefined
  readonly remoteAddress: Option.Option<Endpoint>
  readonly info: ConnectionInfo | undefined
  readonly error: Failure | undefined
}): Report => {
  const { crypto, error, info, remoteAddress, role } = options
  return {
    role,
    remoteAddress: Option.getOrNull(Option.map(remoteAddress, String)),
    version: info?.version ?? null,
    cipherSuite: info?.cipherSuite ?? null,
    group: info?.group ?? null,
    signatureScheme: info?.signatureScheme ?? null,
    clientSignatureScheme: info === undefined ? null : Option.getOrNull(info.clientSignatureScheme),
    alpn: info === undefined ? null : Option.getOrNull(info.alpn),
    serverName: info === undefined ? null : Option.getOrNull(Option.map(info.serverName, String)),
    verifiedBy: info === undefined ? null : Option.getOrNull(verifiedBy(info)),
    peerCertificates: info === undefined || crypto === undefined ? [] : peerCertificates(info, crypto),
    helloRetryRequest: info?.helloRetryRequest ?? null,
    resumed: info?.resumed ?? null,
    error: error === undefined ? null : errorReport(error)
  }
}
