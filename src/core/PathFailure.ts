/**
 * What is said of paths that lead nowhere: why nobody continues them, and errors with a mark per certificate.
 *
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Bytes from "../schema/Bytes.ts"
import type { Certificate } from "../schema/Certificate.ts"
import * as GeneralName from "../schema/GeneralName.ts"
import { oids } from "../schema/ObjectIdentifier.ts"
import { CertificateError, ChainEntry } from "../schema/TlsError.ts"
import type { Problem } from "./CertificateRules.ts"
import type { CryptoProviderService } from "./CryptoProvider.ts"
import type { TrustStore } from "./TrustStore.ts"

const brief = (text: string): string => (text.length > 200 ? `${text.slice(0, 199)}…` : text)

/**
 * That a certificate's issuer is known by name, but not the key it is signed with.
 *
 * @since 0.1.0
 * @category failures
 */
export const otherKey = ({ issuer }: Certificate): Problem => ({
  reason: "UnknownIssuer",
  detail: `its issuer "${brief(issuer.toString())}" is known, but with another key`
})

/**
 * Why a path that nobody is found to continue ends: what its last certificate is tells a missing intermediate from an
 * unknown root.
 *
 * @since 0.1.0
 * @category failures
 */
export const noIssuer = ({ has, name }: TrustStore, path: NonEmptyReadonlyArray<Certificate>): Problem => {
  const child = path[path.length - 1]!
  const trusted = path.findLast(has)
  if (trusted !== undefined) {
    const detail =
      trusted === child
        ? `it is trusted, but no root, and its issuer "${brief(child.issuer.toString())}" is neither trusted nor was it sent`
        : `it is not trusted, and "${trusted.label}" below it, which is, is no root`
    return { reason: "PartialChain", detail }
  }
  if (child.isSelfIssued) {
    return path.length === 1
      ? { reason: "SelfSigned", detail: `it is self-signed and not among ${name}` }
      : { reason: "SelfSignedRoot", detail: `it is a root that is not among ${name}` }
  }
  const issuer = `its issuer "${brief(child.issuer.toString())}"`
  const place = child
    .extension("AuthorityInfoAccess")
    ?.descriptions.find(({ location, method }) => method === oids.caIssuers && location._tag === "Uri")
  const where =
    place === undefined ? "" : ` (it says it is to be had from ${brief(GeneralName.format(place.location))})`
  return path.length === 1
    ? { reason: "MissingIntermediate", detail: `${issuer} was not sent and is not among ${name}${where}` }
    : { reason: "UnknownIssuer", detail: `${issuer} is not among ${name}, nor was it sent${where}` }
}

/**
 * An error about the certificate at a depth of a path: those below it were found valid, those above were not looked at.
 *
 * @since 0.1.0
 * @category errors
 */
export const toError = (
  crypto: CryptoProviderService,
  anchors: TrustStore,
  path: ReadonlyArray<Certificate>,
  depth: number,
  { detail, reason }: Problem
): CertificateError =>
  new CertificateError({
    reason,
    message: `certificate ${depth} "${path[depth]!.label}": ${detail}`,
    depth,
    chain: path.map((certificate, i) =>
      chainEntry(crypto, anchors, certificate, i < depth ? "valid" : i === depth ? "failed" : "unchecked")
    )
  })

/**
 * A certificate as errors and reports show it.
 *
 * @since 0.1.0
 * @category errors
 */
export const chainEntry = (
  crypto: CryptoProviderService,
  anchors: TrustStore,
  certificate: Certificate,
  mark: ChainEntry["mark"]
): ChainEntry =>
  new ChainEntry({
    subject: certificate.subject.toString(),
    issuer: certificate.issuer.toString(),
    notBefore: certificate.notBefore,
    notAfter: certificate.notAfter,
    fingerprint256: Bytes.toHex(crypto.hash("SHA-256", certificate.der)),
    mark,
    anchor: anchors.has(certificate)
  })
