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
import type { CertificateError } from "./CertificateError.ts"
import type { HandshakeError } from "./HandshakeError.ts"
import type { Fault } from "./Phase.ts"
import { Phase } from "./Phase.ts"
import type { TlsConfigError } from "./TlsConfigError.ts"

export {
  /** @since 0.1.0 */
  CertificateError,
  /** @since 0.1.0 */
  type CertificateReason,
  /** @since 0.1.0 */
  ChainEntry
} from "./CertificateError.ts"
export {
  /** @since 0.1.0 */
  HandshakeError,
  /** @since 0.1.0 */
  type HandshakeReason
} from "./HandshakeError.ts"
export {
  /** @since 0.1.0 */
  type Fault,
  /** @since 0.1.0 */
  Phase
} from "./Phase.ts"
export {
  /** @since 0.1.0 */
  ConfigIssue,
  /** @since 0.1.0 */
  TlsConfigError
} from "./TlsConfigError.ts"

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
      case "certificate_expired":
        return "Our certificate has expired, unless the peer's clock is wrong: renew it."
      case "certificate_revoked":
        return "Our certificate was revoked: have another one issued."
      case "unsupported_certificate":
        return "The peer can do nothing with a certificate of this kind or for this purpose."
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
      return Option.some(Alert.fromName(error.alert))
    case "HandshakeError":
      return Option.map(Option.fromNullable(error.alert), Alert.fromName)
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
