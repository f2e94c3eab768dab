/**
 * Handshake message types (RFC 9846 §4). Open: unknown values survive.
 *
 * @since 0.1.0
 */
import type * as Brand from "effect/Brand"

/**
 * @since 0.1.0
 * @category models
 */
export type HandshakeType = number & Brand.Brand<"effect-tls/HandshakeType">

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (code: number): HandshakeType => code as HandshakeType

/**
 * The types TLS 1.3 knows, by the name of their message.
 *
 * @since 0.1.0
 * @category constants
 */
export const codes = {
  ClientHello: make(1),
  ServerHello: make(2),
  NewSessionTicket: make(4),
  EndOfEarlyData: make(5),
  EncryptedExtensions: make(8),
  Certificate: make(11),
  CertificateRequest: make(13),
  CertificateVerify: make(15),
  Finished: make(20),
  KeyUpdate: make(24),
  /** Stands in the transcript only, for the first ClientHello before a HelloRetryRequest. */
  MessageHash: make(254)
} as const

const names = new Map<number, string>(Object.entries(codes).map(([name, code]) => [code, name]))

/**
 * The message's name; an unknown type is printed as `handshake type 99`.
 *
 * @since 0.1.0
 * @category conversions
 */
export const name = (code: number): string => names.get(code) ?? `handshake type ${code}`
