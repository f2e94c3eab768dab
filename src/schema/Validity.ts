/**
 * From when to when a certificate is valid (RFC 5280 §4.1.2.5).
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * Whether a time is between two others, to the second; all in milliseconds since 1970. A fraction of a second counts at
 * the beginning and not at the end.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isWithin = (time: number, notBefore: number, notAfter: number): boolean =>
  notBefore <= time && Math.floor(time / 1000) * 1000 <= notAfter

/**
 * Both ends are part of it, to the second. As JSON two ISO 8601 texts.
 *
 * @since 0.1.0
 * @category models
 */
export class Validity extends Schema.Class<Validity>("effect-tls/Validity")({
  notBefore: Schema.Date,
  notAfter: Schema.Date
}) {
  /** Whether a time, in milliseconds since 1970, is within it. */
  contains(time: number): boolean {
    return isWithin(time, this.notBefore.getTime(), this.notAfter.getTime())
  }

  /** `2026-01-01T00:00:00.000Z to 2026-04-01T00:00:00.000Z` */
  override toString(): string {
    return `${this.notBefore.toISOString()} to ${this.notAfter.toISOString()}`
  }
}
