/**
 * Extension types, and the messages each may stand in (RFC 9846 §4.2). Open: unknown values survive.
 *
 * @since 0.1.0
 */
import type * as Brand from "effect/Brand"

/**
 * @since 0.1.0
 * @category models
 */
export type ExtensionType = number & Brand.Brand<"effect-tls/ExtensionType">

/**
 * The messages that carry extensions.
 *
 * @since 0.1.0
 * @category models
 */
export type ExtensionContext =
  | "ClientHello"
  | "ServerHello"
  | "HelloRetryRequest"
  | "EncryptedExtensions"
  | "CertificateRequest"
  | "Certificate"
  | "NewSessionTicket"

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (code: number): ExtensionType => code as ExtensionType

/**
 * The types we speak or refer to, by IANA name.
 *
 * @since 0.1.0
 * @category constants
 */
export const codes = {
  server_name: make(0),
  max_fragment_length: make(1),
  status_request: make(5),
  supported_groups: make(10),
  ec_point_formats: make(11),
  signature_algorithms: make(13),
  use_srtp: make(14),
  heartbeat: make(15),
  application_layer_protocol_negotiation: make(16),
  signed_certificate_timestamp: make(18),
  client_certificate_type: make(19),
  server_certificate_type: make(20),
  padding: make(21),
  encrypt_then_mac: make(22),
  extended_main_secret: make(23),
  compress_certificate: make(27),
  record_size_limit: make(28),
  delegated_credential: make(34),
  session_ticket: make(35),
  pre_shared_key: make(41),
  early_data: make(42),
  supported_versions: make(43),
  cookie: make(44),
  psk_key_exchange_modes: make(45),
  certificate_authorities: make(47),
  oid_filters: make(48),
  post_handshake_auth: make(49),
  signature_algorithms_cert: make(50),
  key_share: make(51),
  quic_transport_parameters: make(57),
  ticket_request: make(58),
  encrypted_client_hello: make(65037),
  renegotiation_info: make(65281)
} as const

/**
 * @since 0.1.0
 * @category models
 */
export type ExtensionName = keyof typeof codes

/** IANA's column "TLS 1.3", as of RFC 9846 §4.2; what that leaves blank, clients of TLS 1.2 too still offer. */
const allowed: { readonly [N in ExtensionName]: ReadonlyArray<ExtensionContext> } = {
  server_name: ["ClientHello", "EncryptedExtensions", "CertificateRequest"],
  max_fragment_length: ["ClientHello", "EncryptedExtensions"],
  status_request: ["ClientHello", "CertificateRequest", "Certificate"],
  supported_groups: ["ClientHello", "EncryptedExtensions"],
  ec_point_formats: ["ClientHello"],
  signature_algorithms: ["ClientHello", "CertificateRequest"],
  use_srtp: ["ClientHello", "EncryptedExtensions"],
  heartbeat: ["ClientHello", "EncryptedExtensions"],
  application_layer_protocol_negotiation: ["ClientHello", "EncryptedExtensions"],
  signed_certificate_timestamp: ["ClientHello", "CertificateRequest", "Certificate"],
  client_certificate_type: ["ClientHello", "EncryptedExtensions"],
  server_certificate_type: ["ClientHello", "EncryptedExtensions"],
  padding: ["ClientHello"],
  encrypt_then_mac: ["ClientHello"],
  extended_main_secret: ["ClientHello"],
  compress_certificate: ["ClientHello", "CertificateRequest"],
  record_size_limit: ["ClientHello", "EncryptedExtensions"],
  delegated_credential: ["ClientHello", "CertificateRequest", "Certificate"],
  session_ticket: ["ClientHello"],
  pre_shared_key: ["ClientHello", "ServerHello"],
  early_data: ["ClientHello", "EncryptedExtensions", "NewSessionTicket"],
  supported_versions: ["ClientHello", "ServerHello", "HelloRetryRequest"],
  cookie: ["ClientHello", "HelloRetryRequest"],
  psk_key_exchange_modes: ["ClientHello"],
  certificate_authorities: ["ClientHello", "CertificateRequest"],
  oid_filters: ["CertificateRequest"],
  post_handshake_auth: ["ClientHello"],
  signature_algorithms_cert: ["ClientHello", "CertificateRequest"],
  key_share: ["ClientHello", "ServerHello", "HelloRetryRequest"],
  quic_transport_parameters: ["ClientHello", "EncryptedExtensions"],
  ticket_request: ["ClientHello", "EncryptedExtensions"],
  encrypted_client_hello: ["ClientHello", "HelloRetryRequest", "EncryptedExtensions"],
  renegotiation_info: ["ClientHello"]
}

const byCode = new Map<number, { readonly name: ExtensionName; readonly contexts: ReadonlySet<ExtensionContext> }>(
  Object.entries(codes).map(([name, code]) => [
    code,
    { name: name as ExtensionName, contexts: new Set(allowed[name as ExtensionName]) }
  ])
)

/**
 * Whether a type that we know may stand in a message. An unknown type may stand anywhere.
 *
 * @since 0.1.0
 * @category lookups
 */
export const isAllowedIn = (type: number, context: ExtensionContext): boolean =>
  byCode.get(type)?.contexts.has(context) ?? true

/**
 * The IANA name; an unknown type is printed as `extension 2570`.
 *
 * @since 0.1.0
 * @category conversions
 */
export const name = (type: number): string => byCode.get(type)?.name ?? `extension ${type}`
