/**
 * Alerts (RFC 9846 §6). Descriptions are open: unknown values survive.
 *
 * @since 0.1.0
 */
import type * as Brand from "effect/Brand"

/**
 * @since 0.1.0
 * @category models
 */
export type AlertDescription = number & Brand.Brand<"effect-tls/AlertDescription">

/**
 * The level byte: 1 is warning, 2 is fatal. In TLS 1.3 it says nothing: every alert but `close_notify` and
 * `user_canceled` is fatal (RFC 9846 §6).
 *
 * @since 0.1.0
 * @category models
 */
export interface Alert {
  readonly level: number
  readonly description: AlertDescription
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (code: number): AlertDescription => code as AlertDescription

const descriptions = {
  close_notify: 0,
  unexpected_message: 10,
  bad_record_mac: 20,
  record_overflow: 22,
  handshake_failure: 40,
  bad_certificate: 42,
  unsupported_certificate: 43,
  certificate_revoked: 44,
  certificate_expired: 45,
  certificate_unknown: 46,
  illegal_parameter: 47,
  unknown_ca: 48,
  access_denied: 49,
  decode_error: 50,
  decrypt_error: 51,
  protocol_version: 70,
  insufficient_security: 71,
  internal_error: 80,
  inappropriate_fallback: 86,
  user_canceled: 90,
  no_renegotiation: 100,
  missing_extension: 109,
  unsupported_extension: 110,
  unrecognized_name: 112,
  bad_certificate_status_response: 113,
  unknown_psk_identity: 115,
  certificate_required: 116,
  general_error: 117,
  no_application_protocol: 120,
  ech_required: 121
} as const

/**
 * @since 0.1.0
 * @category models
 */
export type AlertName = keyof typeof descriptions

const names: ReadonlyMap<number, string> = new Map(Object.entries(descriptions).map(([name, code]) => [code, name]))

/**
 * The description of a name.
 *
 * @since 0.1.0
 * @category conversions
 */
export const fromName = (name: AlertName): AlertDescription => make(descriptions[name])

/**
 * The IANA name; an unknown description is printed as `alert 99`.
 *
 * @since 0.1.0
 * @category conversions
 */
export const name = (description: number): string => names.get(description) ?? `alert ${description}`

/**
 * The level that goes with a description: warning for the two that end a connection in order, fatal for the rest.
 *
 * @since 0.1.0
 * @category conversions
 */
export const levelOf = (description: AlertDescription): 1 | 2 =>
  description === descriptions.close_notify || description === descriptions.user_canceled ? 1 : 2

/**
 * The two bytes of an alert.
 *
 * @since 0.1.0
 * @category conversions
 */
export const encode = (alert: Alert): Uint8Array => Uint8Array.of(alert.level, alert.description)
