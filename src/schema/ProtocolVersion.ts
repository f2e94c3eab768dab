/**
 * Protocol versions as they stand on the wire (RFC 9846 §4.2.1). Open: unknown values survive.
 *
 * @since 0.1.0
 */
import type * as Brand from "effect/Brand"

/**
 * @since 0.1.0
 * @category models
 */
export type ProtocolVersion = number & Brand.Brand<"effect-tls/ProtocolVersion">

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (code: number): ProtocolVersion => code as ProtocolVersion

/**
 * The version a TLS 1.3 implementation writes into the first flight's record headers, for middleboxes.
 *
 * @since 0.1.0
 * @category constants
 */
export const tls10 = make(0x0301)
/**
 * @since 0.1.0
 * @category constants
 */
export const tls12 = make(0x0303)
/**
 * @since 0.1.0
 * @category constants
 */
export const tls13 = make(0x0304)

const names: ReadonlyMap<number, string> = new Map([
  [0x0300, "SSLv3"],
  [0x0301, "TLSv1"],
  [0x0302, "TLSv1.1"],
  [0x0303, "TLSv1.2"],
  [0x0304, "TLSv1.3"]
])

/**
 * The name Node and OpenSSL print: `TLSv1.3`; an unknown version is printed as `0x7a7a`.
 *
 * @since 0.1.0
 * @category conversions
 */
export const name = (version: number): string => names.get(version) ?? `0x${version.toString(16).padStart(4, "0")}`
