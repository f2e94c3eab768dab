/**
 * Record content types (RFC 9846 §5.1). Open: unknown values survive.
 *
 * @since 0.1.0
 */
import type * as Brand from "effect/Brand"

/**
 * @since 0.1.0
 * @category models
 */
export type ContentType = number & Brand.Brand<"effect-tls/ContentType">

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (code: number): ContentType => code as ContentType

/**
 * @since 0.1.0
 * @category constants
 */
export const changeCipherSpec = make(20)
/**
 * @since 0.1.0
 * @category constants
 */
export const alert = make(21)
/**
 * @since 0.1.0
 * @category constants
 */
export const handshake = make(22)
/**
 * @since 0.1.0
 * @category constants
 */
export const applicationData = make(23)
