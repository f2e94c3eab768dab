/**
 * What the options of those who make certificates and CRLs share.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type { Raw } from "../schema/CertificateExtension.ts"
import * as ObjectIdentifier from "../schema/ObjectIdentifier.ts"
import { TlsConfigError } from "../schema/TlsError.ts"
import { declared } from "./OptionSchema.ts"

/**
 * @since 0.1.0
 * @category guards
 */
export const isObject = (u: unknown): u is object => typeof u === "object" && u !== null

/**
 * @since 0.1.0
 * @category schemas
 */
export const DurationInput: Schema.Schema<Duration.DurationInput> = declared(
  "a duration",
  (u): u is Duration.DurationInput => Option.isSome(Duration.decodeUnknown(u))
)

/**
 * An extension with its content in DER.
 *
 * @since 0.1.0
 * @category schemas
 */
export const RawExtension: Schema.Schema<Raw> = declared(
  "an extension: oid, critical, value",
  (u): u is Raw =>
    isObject(u) &&
    "oid" in u &&
    typeof u.oid === "string" &&
    ObjectIdentifier.isObjectIdentifier(u.oid) &&
    "critical" in u &&
    typeof u.critical === "boolean" &&
    "value" in u &&
    u.value instanceof Uint8Array
)

/**
 * What is wrong with one option.
 *
 * @since 0.1.0
 * @category errors
 */
export const invalid = (path: string, message: string): TlsConfigError =>
  TlsConfigError.of("InvalidOptions", path, message)
