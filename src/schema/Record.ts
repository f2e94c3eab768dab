/**
 * Records as they stand on the wire (RFC 9846 §5.1, §5.2).
 *
 * @since 0.1.0
 */
import type * as ContentType from "./ContentType.ts"
import * as ProtocolVersion from "./ProtocolVersion.ts"

/**
 * Bytes before a record's fragment: type, version, length.
 *
 * @since 0.1.0
 * @category constants
 */
export const headerLength = 5

/**
 * The most bytes a record may carry in the clear.
 *
 * @since 0.1.0
 * @category constants
 */
export const maxPlaintext = 16_384

/**
 * The most bytes a protected record's fragment may have: content, content type, padding and tag (RFC 9846 §5.2).
 *
 * @since 0.1.0
 * @category constants
 */
export const maxCiphertext = maxPlaintext + 256

/**
 * What stands between two records of the wire: a type and its bytes.
 *
 * @since 0.1.0
 * @category models
 */
export interface Record {
  readonly type: ContentType.ContentType
  readonly fragment: Uint8Array
}

/**
 * Writes a record header at an offset.
 *
 * @since 0.1.0
 * @category encoding
 */
export const writeHeader = (
  target: Uint8Array,
  at: number,
  type: ContentType.ContentType,
  length: number,
  version: ProtocolVersion.ProtocolVersion = ProtocolVersion.tls12
): void => {
  target[at] = type
  target[at + 1] = version >>> 8
  target[at + 2] = version
  target[at + 3] = length >>> 8
  target[at + 4] = length
}
