/**
 * Why the protocol cannot go on: each reason with the alert it sends, whose fault it is and a hint.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import type { AlertName } from "./Alert.ts"
import type { Fault } from "./Phase.ts"
import { Phase } from "./Phase.ts"

interface HandshakeReasonInfo {
  /** `undefined` where the peer would not understand an alert. */
  readonly alert: AlertName | undefined
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
  BadBinder: {
    alert: "decrypt_error",
    fault: "peer",
    hint: "The client offered a session without proof that it has its secret: somebody may have taken its ticket."
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

  /** The alert it sends, if any; `TlsError.alertOf` is the way to ask. */
  get alert(): AlertName | undefined {
    return handshakeReasons[this.reason].alert
  }
}
