/**
 * What can go wrong, as values. Few tags, each with a literal `reason`; every error knows the phase it happened in,
 * whose fault it was, whether trying again can help, and a hint. `alertOf` is the one place that says which alert an
 * error sends.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Alert from "./Alert.ts"

/**
 * How far the connection had come: `negotiation` is the hellos, `authentication` everything from there to the last
 * Finished.
 *
 * @since 0.1.0
 * @category models
 */
export const Phase = Schema.Literal(
  "configuration",
  "dial",
  "listen",
  "negotiation",
  "authentication",
  "connected",
  "closing"
)
/**
 * @since 0.1.0
 * @category models
 */
export type Phase = typeof Phase.Type

/**
 * @since 0.1.0
 * @category models
 */
export type Fault = "peer" | "local" | "network"

// ---------------------------------------------------------------------------------------------------------------------
// TlsConfigError
// ---------------------------------------------------------------------------------------------------------------------

/**
 * One thing wrong with the options: where, and what would be right. Never secret bytes.
 *
 * @since 0.1.0
 * @category models
 */
export class ConfigIssue extends Schema.Class<ConfigIssue>("effect-tls/ConfigIssue")({
  path: Schema.String,
  message: Schema.String
}) {}

/**
 * The options cannot be honoured: they are malformed, contradict each other, or ask for what the provider lacks.
 *
 * @since 0.1.0
 * @category errors
 */
export class TlsConfigError extends Schema.TaggedError<TlsConfigError>()("TlsConfigError", {
  reason: Schema.Literal(
    "InvalidOptions",
    "InvalidCertificate",
    "InvalidPrivateKey",
    "KeyMismatch",
    "Unsupported",
    "Unreadable"
  ),
  issues: Schema.NonEmptyArray(ConfigIssue)
}) {
  readonly phase: Phase = "configuration"
  readonly fault: Fault = "local"
  readonly isRetryable: boolean = false

  /** A single issue as an error. */
  static of(reason: TlsConfigError["reason"], path: string, message: string): TlsConfigError {
    return new TlsConfigError({ reason, issues: [new ConfigIssue({ path, message })] })
  }

  get hint(): string {
    return "Correct the named option."
  }

  override get message(): string {
    return this.issues
      .map((issue) => (issue.path === "" ? issue.message : `${issue.path}: ${issue.message}`))
      .join("\n")
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// CertificateError
// ---------------------------------------------------------------------------------------------------------------------

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
  readonly alert: Alert.AlertName
  readonly hint: string
}

const certificateReasons = {
  Malformed: {
    code: "CERT_REJECTED",
    alert: "bad_certificate",
    hint: "The peer's certificate is not valid DER X.509."
  },
  UnknownIssuer: {
    code: "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    alert: "unknown_ca",
    hint: "The chain ends at an issuer that is not trusted: add its root certificate to the trust anchors."
  },
  MissingIntermediate: {
    code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    alert: "unknown_ca",
    hint: "The peer sent its own certificate without the intermediate that issued it: it should send its whole chain."
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
}

// ---------------------------------------------------------------------------------------------------------------------
// HandshakeError
// ---------------------------------------------------------------------------------------------------------------------

interface HandshakeReasonInfo {
  /** `undefined` where the peer would not understand an alert. */
  readonly alert: Alert.AlertName | undefined
  readonly fault: Fault
  readonly hint: string
}

const handshakeReasons = {
  MalformedMessage: {
    alert: "decode_error",
    fault: "peer",
    hint: "The peer sent bytes that are not the message they claim to be."
  },
  UnexpectedMessage: {
    alert: "unexpected_message",
    fault: "peer",
    hint: "The peer sent something the protocol does not allow at this point."
  },
  IllegalParameter: {
    alert: "illegal_parameter",
    fault: "peer",
    hint: "The peer sent a value that contradicts the protocol or what was offered."
  },
  MissingExtension: {
    alert: "missing_extension",
    fault: "peer",
    hint: "The peer left out an extension that TLS 1.3 requires."
  },
  UnsupportedExtension: {
    alert: "unsupported_extension",
    fault: "peer",
    hint: "The peer answered an extension that was not offered."
  },
  UnsupportedVersion: {
    alert: "protocol_version",
    fault: "peer",
    hint: "The two sides have no protocol version in common: compare `protocol.versions` with what the peer speaks."
  },
  Downgrade: {
    alert: "illegal_parameter",
    fault: "peer",
    hint: "The server could speak a newer version than it negotiated: somebody between may be tampering."
  },
  NoSharedCipherSuite: {
    alert: "handshake_failure",
    fault: "peer",
    hint: "The two sides have no cipher suite in common: compare `protocol.cipherSuites` with the peer's."
  },
  NoSharedGroup: {
    alert: "handshake_failure",
    fault: "peer",
    hint: "The two sides have no group in common: compare `protocol.groups` with the peer's."
  },
  NoSharedSignatureScheme: {
    alert: "handshake_failure",
    fault: "peer",
    hint: "None of the configured identities can sign with a scheme the peer accepts."
  },
  NoApplicationProtocol: {
    alert: "no_application_protocol",
    fault: "peer",
    hint: "The two sides have no application protocol in common: compare `protocol.alpn` with the peer's."
  },
  UnrecognizedName: {
    alert: "unrecognized_name",
    fault: "peer",
    hint: "The server has no identity for the name the client asked for."
  },
  BadSignature: {
    alert: "decrypt_error",
    fault: "peer",
    hint: "The peer did not prove that it owns its certificate's key."
  },
  BadFinished: {
    alert: "decrypt_error",
    fault: "peer",
    hint: "The two sides saw different handshakes: somebody between may be tampering."
  },
  BadRecord: {
    alert: "bad_record_mac",
    fault: "peer",
    hint: "A record did not decrypt: it was damaged or the keys differ."
  },
  RecordOverflow: {
    alert: "record_overflow",
    fault: "peer",
    hint: "The peer sent a record longer than the protocol or the negotiated limit allows."
  },
  MessageTooLarge: {
    alert: "illegal_parameter",
    fault: "peer",
    hint: "The peer sent a handshake message longer than the limits allow."
  },
  TooManyMessages: {
    alert: "unexpected_message",
    fault: "peer",
    hint: "The peer sent more records without data than the limits allow."
  },
  PeerSpokePlaintext: {
    alert: undefined,
    fault: "peer",
    hint: "That port does not speak TLS: check the port, or whether the protocol wants STARTTLS first."
  },
  AuthenticationRefused: {
    alert: "certificate_required",
    fault: "peer",
    hint: "The server asks for a client certificate: set `identity`."
  },
  SigningFailed: {
    alert: "internal_error",
    fault: "local",
    hint: "The private key could not sign: see `cause`."
  },
  HookFailed: {
    alert: "internal_error",
    fault: "local",
    hint: "An effect given in the SecureContext failed or died: see `cause`."
  },
  CryptoFailed: {
    alert: "internal_error",
    fault: "local",
    hint: "The CryptoProvider failed at something it declares to support: see `cause`."
  },
  KeyExhausted: {
    alert: "internal_error",
    fault: "local",
    hint: "A traffic key protected as many records as it may; open a new connection."
  },
  Interrupted: {
    alert: "user_canceled",
    fault: "local",
    hint: "The handshake was interrupted from this side."
  }
} satisfies Record<string, HandshakeReasonInfo>

/**
 * @since 0.1.0
 * @category models
 */
export type HandshakeReason = keyof typeof handshakeReasons

/**
 * The protocol cannot go on, in the handshake or after it.
 *
 * @since 0.1.0
 * @category errors
 */
export class HandshakeError extends Schema.TaggedError<HandshakeError>()("HandshakeError", {
  reason: Schema.Literal(...(Object.keys(handshakeReasons) as [HandshakeReason, ...Array<HandshakeReason>])),
  message: Schema.String,
  phase: Phase,
  cause: Schema.optionalWith(Schema.Defect, { exact: true })
}) {
  readonly isRetryable: boolean = false

  get fault(): Fault {
    return handshakeReasons[this.reason].fault
  }

  get hint(): string {
    return handshakeReasons[this.reason].hint
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// The rest
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The peer sent a fatal alert: it gave up. `description` is the code point, `alert` its name.
 *
 * @since 0.1.0
 * @category errors
 */
export class AlertError extends Schema.TaggedError<AlertError>()("AlertError", {
  description: Schema.Int,
  phase: Phase
}) {
  readonly fault: Fault = "peer"

  get alert(): string {
    return Alert.name(this.description)
  }

  get reason(): string {
    return this.alert
  }

  get isRetryable(): boolean {
    return this.alert === "internal_error" || this.alert === "user_canceled"
  }

  get hint(): string {
    switch (this.alert) {
      case "certificate_required":
      case "bad_certificate":
      case "certificate_unknown":
      case "access_denied":
        return "The peer did not accept our certificate, or wants one: see `identity`."
      case "unknown_ca":
        return "The peer does not trust the issuer of our certificate."
      case "unrecognized_name":
        return "The server does not serve that name: see `serverName`."
      case "no_application_protocol":
        return "The peer speaks none of the protocols in `protocol.alpn`."
      case "protocol_version":
        return "The peer speaks none of the versions in `protocol.versions`."
      case "handshake_failure":
      case "insufficient_security":
        return "The peer has no suite, group or signature scheme in common with us, or wants stronger ones."
      case "user_canceled":
        return "The peer gave up for a reason of its own."
      default:
        return "The peer gave up; its log may say more."
    }
  }

  override get message(): string {
    return `the peer sent the alert ${this.alert}`
  }
}

/**
 * Below TLS something failed: the socket, the name look-up, the listener. `code` is the system's name for it.
 *
 * @since 0.1.0
 * @category errors
 */
export class TransportError extends Schema.TaggedError<TransportError>()("TransportError", {
  reason: Schema.Literal(
    "ConnectionRefused",
    "ConnectionReset",
    "HostNotFound",
    "HostUnreachable",
    "AddressInUse",
    "PermissionDenied",
    "TimedOut",
    "Closed",
    "Other"
  ),
  operation: Schema.Literal("connect", "listen", "accept", "read", "write"),
  message: Schema.String,
  phase: Phase,
  code: Schema.optionalWith(Schema.String, { exact: true }),
  cause: Schema.optionalWith(Schema.Defect, { exact: true })
}) {
  get fault(): Fault {
    return this.operation === "listen" ? "local" : "network"
  }

  get isRetryable(): boolean {
    return this.operation !== "listen" && this.reason !== "PermissionDenied"
  }

  get hint(): string {
    switch (this.reason) {
      case "ConnectionRefused":
        return "Nothing listens at that address."
      case "HostNotFound":
        return "The name does not resolve."
      case "AddressInUse":
        return "Another program listens at that address."
      case "PermissionDenied":
        return "This process may not use that address."
      default:
        return "The network or the peer's host failed; trying again may help."
    }
  }
}

/**
 * The transport ended without `close_notify`: what was received may not be all the peer sent (RFC 9846 §6.1).
 *
 * @since 0.1.0
 * @category errors
 */
export class TruncationError extends Schema.TaggedError<TruncationError>()("TruncationError", {
  phase: Phase,
  bytesReceived: Schema.Number
}) {
  readonly reason = "MissingCloseNotify"
  readonly fault: Fault = "network"
  readonly isRetryable: boolean = true

  get hint(): string {
    return this.phase === "connected"
      ? "If the application protocol says by itself where a message ends, the data may still be whole."
      : "The peer closed during the handshake: it may have refused us without saying why, or not speak TLS at all."
  }

  override get message(): string {
    return `the transport ended without close_notify after ${this.bytesReceived} byte(s) of data (${this.phase})`
  }
}

/**
 * A deadline passed. `duration` is in milliseconds.
 *
 * @since 0.1.0
 * @category errors
 */
export class TlsTimeoutError extends Schema.TaggedError<TlsTimeoutError>()("TlsTimeoutError", {
  reason: Schema.Literal("Handshake", "Dial"),
  phase: Phase,
  duration: Schema.Number
}) {
  readonly fault: Fault = "network"
  readonly isRetryable: boolean = true

  get hint(): string {
    return "The peer was silent or slow, or an effect of the SecureContext was: see `protocol.handshakeTimeout`."
  }

  override get message(): string {
    return `the ${this.reason === "Dial" ? "connection" : "handshake"} was not complete after ${this.duration} ms (${this.phase})`
  }
}

/**
 * @since 0.1.0
 * @category errors
 */
export type TlsError =
  TlsConfigError | CertificateError | HandshakeError | AlertError | TransportError | TruncationError | TlsTimeoutError

/**
 * Whether trying the same again can help. For `Effect.retry({ while: TlsError.isTransient })`.
 *
 * @since 0.1.0
 * @category guards
 */
export const isTransient = (error: TlsError): boolean => error.isRetryable

/**
 * The alert that an error sends to the peer, or none where nobody would hear it. Total: an error without an alert is
 * one after which there is no peer to tell.
 *
 * @since 0.1.0
 * @category alerts
 */
export const alertOf = (error: TlsError): Option.Option<Alert.AlertDescription> => {
  switch (error._tag) {
    case "CertificateError":
      return Option.some(Alert.fromName(certificateReasons[error.reason].alert))
    case "HandshakeError":
      return Option.map(Option.fromNullable(handshakeReasons[error.reason].alert), Alert.fromName)
    case "TlsConfigError":
      return Option.some(Alert.fromName("internal_error"))
    case "TlsTimeoutError":
      return Option.some(Alert.fromName("user_canceled"))
    case "AlertError":
    case "TransportError":
    case "TruncationError":
      return Option.none()
  }
}
