/**
 * Why a peer's identity was not accepted: each reason with Node's code for it, the alert it sends and a hint.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import type { AlertName } from "./Alert.ts"
import type { Fault, Phase } from "./Phase.ts"

/**
 * One certificate of a chain as an error shows it. `fingerprint256` is lower-case hex.
 *
 * @since 0.1.0
 * @category models
 */
export class ChainEntry extends Schema.Class<ChainEntry>("effect-tls/ChainEntry")({
  subject: Schema.String,
  issuer: Schema.String,
  notBefore: Schema.Date,
  notAfter: Schema.Date,
  fingerprint256: Schema.String,
  mark: Schema.Literal("valid", "failed", "unchecked"),
  anchor: Schema.Boolean
}) {}

interface CertificateReasonInfo {
  readonly code: string
  readonly alert: AlertName
  readonly hint: string
}

const certificateReasons = {
  Malformed: {
    code: "CERT_REJECTED",
    alert: "bad_certificate",
    hint: "The peer's certificate is not valid DER X.509."
  },
  Nonconforming: {
    code: "CERT_REJECTED",
    alert: "bad_certificate",
    hint: "A certificate breaks the rules that certificates have to keep (RFC 5280)."
  },
  UnknownIssuer: {
    code: "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    alert: "unknown_ca",
    hint: "The chain ends at an issuer that is not trusted: add its root certificate to the trust anchors."
  },
  MissingIntermediate: {
    code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    alert: "unknown_ca",
    hint: "The issuer was neither sent nor is it trusted: a peer should send its intermediate certificates; if the issuer is a private root, add it to the trust anchors."
  },
  PartialChain: {
    code: "UNABLE_TO_GET_ISSUER_CERT",
    alert: "unknown_ca",
    hint: "A certificate that is trusted but no root ends no chain unless `partialChain` says so: trust its root, or set `trust.partialChain`."
  },
  SelfSigned: {
    code: "DEPTH_ZERO_SELF_SIGNED_CERT",
    alert: "unknown_ca",
    hint: "The certificate is self-signed and not trusted: add that certificate to the trust anchors, or pin it."
  },
  SelfSignedRoot: {
    code: "SELF_SIGNED_CERT_IN_CHAIN",
    alert: "unknown_ca",
    hint: "The chain ends at a root that is not trusted: add that root to the trust anchors."
  },
  Expired: {
    code: "CERT_HAS_EXPIRED",
    alert: "certificate_expired",
    hint: "The certificate must be renewed; if it is current, check this machine's clock."
  },
  NotYetValid: {
    code: "CERT_NOT_YET_VALID",
    alert: "bad_certificate",
    hint: "The certificate's validity lies in the future: check this machine's clock (a TestClock starts in 1970)."
  },
  NameMismatch: {
    code: "HOSTNAME_MISMATCH",
    alert: "bad_certificate",
    hint: "Connect under a name the certificate contains, or set `serverName` to it."
  },
  BadSignature: {
    code: "CERT_SIGNATURE_FAILURE",
    alert: "bad_certificate",
    hint: "A certificate's signature does not verify with its issuer's key."
  },
  WeakSignature: {
    code: "CERT_SIGNATURE_FAILURE",
    alert: "bad_certificate",
    hint: "A certificate is signed with an algorithm the policy does not accept."
  },
  WeakKey: {
    code: "CERT_REJECTED",
    alert: "bad_certificate",
    hint: "A key in the chain is of a kind or size the policy does not accept."
  },
  NotACa: {
    code: "INVALID_CA",
    alert: "unknown_ca",
    hint: "A certificate that is not a certification authority issued another one."
  },
  CaAsLeaf: {
    code: "INVALID_PURPOSE",
    alert: "unsupported_certificate",
    hint: "The peer identifies itself with a CA certificate: it should use an end-entity certificate."
  },
  PathLength: {
    code: "PATH_LENGTH_EXCEEDED",
    alert: "bad_certificate",
    hint: "The chain is longer than one of its CAs allows."
  },
  KeyUsage: {
    code: "INVALID_PURPOSE",
    alert: "unsupported_certificate",
    hint: "The certificate's key usage does not allow signing a handshake, or that of a CA does not allow issuing."
  },
  ExtendedKeyUsage: {
    code: "INVALID_PURPOSE",
    alert: "unsupported_certificate",
    hint: "The certificate's extended key usage does not include this role (server or client authentication)."
  },
  NameConstraint: {
    code: "CERT_REJECTED",
    alert: "bad_certificate",
    hint: "A CA in the chain is not allowed to issue for these names."
  },
  Policy: {
    code: "CERT_REJECTED",
    alert: "bad_certificate",
    hint: "The path is not valid for a certificate policy that a CA of it, or you, require: see `policies`."
  },
  CriticalExtension: {
    code: "CERT_REJECTED",
    alert: "unsupported_certificate",
    hint: "A certificate has a critical extension that is not understood."
  },
  ChainTooLong: {
    code: "CERT_CHAIN_TOO_LONG",
    alert: "bad_certificate",
    hint: "The chain has more certificates than `limits.intermediates` allows."
  },
  BudgetExceeded: {
    code: "CERT_REJECTED",
    alert: "bad_certificate",
    hint: "Building a path took more effort than the limits allow."
  },
  Revoked: {
    code: "CERT_REVOKED",
    alert: "certificate_revoked",
    hint: "The certificate's issuer has revoked it."
  },
  RevocationUnknown: {
    code: "UNABLE_TO_GET_CRL",
    alert: "certificate_unknown",
    hint: "Nothing says whether a certificate is revoked: give a current CRL of its issuer, or check by `soft-fail`."
  },
  CrlUnusable: {
    code: "UNABLE_TO_GET_CRL",
    alert: "certificate_unknown",
    hint: "The CRL for a certificate cannot be used: see the message; who signs CRLs for others may have to be given too."
  },
  CrlExpired: {
    code: "CRL_HAS_EXPIRED",
    alert: "certificate_unknown",
    hint: "The CRL is past its next update: fetch the current one; if it is current, check this machine's clock."
  },
  CrlNotYetValid: {
    code: "CRL_NOT_YET_VALID",
    alert: "certificate_unknown",
    hint: "The CRL was made in the future: check this machine's clock (a TestClock starts in 1970)."
  },
  CrlNextUpdate: {
    code: "ERROR_IN_CRL_NEXT_UPDATE_FIELD",
    alert: "certificate_unknown",
    hint: "The CRL has to say when the next one comes, and that after its own date: without it, an old one would do for ever."
  },
  CrlBadSignature: {
    code: "CRL_SIGNATURE_FAILURE",
    alert: "certificate_unknown",
    hint: "The CRL's signature does not verify with its issuer's key, or is of a kind the policy does not accept."
  },
  OcspUnusable: {
    code: "OCSP_VERIFY_FAILED",
    alert: "bad_certificate_status_response",
    hint: "The OCSP response for a certificate cannot be used: see the message. A server should staple what its issuer's responder says about its own certificate."
  },
  OcspBadSignature: {
    code: "OCSP_VERIFY_FAILED",
    alert: "bad_certificate_status_response",
    hint: "The OCSP response is not signed by the certificate's issuer, nor by a responder of its, or in a way the policy does not accept."
  },
  OcspExpired: {
    code: "OCSP_VERIFY_FAILED",
    alert: "bad_certificate_status_response",
    hint: "The OCSP response is past its next update: a server has to renew its staple; if it is current, check this machine's clock."
  },
  OcspNotYetValid: {
    code: "OCSP_VERIFY_FAILED",
    alert: "bad_certificate_status_response",
    hint: "The OCSP response was made in the future: check this machine's clock (a TestClock starts in 1970)."
  },
  OcspUnknown: {
    code: "OCSP_CERT_UNKNOWN",
    alert: "certificate_unknown",
    hint: "The OCSP responder does not know the certificate, or has no answer now."
  },
  StapleMissing: {
    code: "OCSP_VERIFY_NEEDED",
    alert: "bad_certificate_status_response",
    hint: "The certificate, or your policy, demands a stapled OCSP response: the server has to send a current one."
  },
  Pin: {
    code: "CERT_REJECTED",
    alert: "certificate_unknown",
    hint: "No certificate of the chain has a pinned key or fingerprint."
  },
  NoCertificate: {
    code: "CERT_REJECTED",
    alert: "certificate_required",
    hint: "The peer must authenticate with a certificate and sent none."
  },
  AccessDenied: {
    code: "CERT_REJECTED",
    alert: "access_denied",
    hint: "The verifier knows the peer and does not admit it."
  },
  Rejected: {
    code: "CERT_REJECTED",
    alert: "certificate_unknown",
    hint: "The verifier refused the peer."
  }
} satisfies Record<string, CertificateReasonInfo>

/**
 * @since 0.1.0
 * @category models
 */
export type CertificateReason = keyof typeof certificateReasons

/**
 * The peer's identity was not accepted. `code` is Node's name for the failure, `depth` the index of the certificate it
 * concerns (0 is the leaf), `chain` the best path with a mark per certificate.
 *
 * @since 0.1.0
 * @category errors
 */
export class CertificateError extends Schema.TaggedError<CertificateError>()("CertificateError", {
  reason: Schema.Literal(...(Object.keys(certificateReasons) as [CertificateReason, ...Array<CertificateReason>])),
  message: Schema.String,
  depth: Schema.Int,
  chain: Schema.Array(ChainEntry),
  presentedNames: Schema.optionalWith(Schema.Array(Schema.String), { exact: true }),
  expectedName: Schema.optionalWith(Schema.String, { exact: true })
}) {
  readonly phase: Phase = "authentication"
  readonly fault: Fault = "peer"
  readonly isRetryable: boolean = false

  /** Node's X.509 error code. */
  get code(): string {
    return certificateReasons[this.reason].code
  }

  get hint(): string {
    return certificateReasons[this.reason].hint
  }

  /** The alert it sends; `TlsError.alertOf` is the way to ask. */
  get alert(): AlertName {
    return certificateReasons[this.reason].alert
  }
}
