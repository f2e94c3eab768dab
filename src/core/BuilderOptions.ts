/**
 * How the makers of certificates and CRLs read their options: Schemas that refuse excess properties, and errors that
 * name the field.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type { Raw } from "../schema/CertificateExtension.ts"
import * as ObjectIdentifier from "../schema/ObjectIdentifier.ts"
import { ConfigIssue, TlsConfigError } from "../schema/TlsError.ts"

/**
 * A field that may be left out, and not be `undefined`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const optional = <S extends Schema.Schema.All>(schema: S) => Schema.optionalWith(schema, { exact: true })

/**
 * A value recognised by a guard; `what` says what is expected.
 *
 * @since 0.1.0
 * @category schemas
 */
export const declared = <A>(what: string, is: (u: unknown) => u is A): Schema.Schema<A> =>
  Schema.declare(is, { identifier: what, message: () => ({ message: `expected ${what}`, override: true }) })

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

/**
 * Options as their Schema has them, or every way in which they are not.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decode = <A, I>(schema: Schema.Schema<A, I>, options: unknown): Either.Either<A, TlsConfigError> =>
  Either.mapLeft(Schema.decodeUnknownEither(schema)(options), (error) => {
    const [first, ...others] = ParseResult.ArrayFormatter.formatErrorSync(error).map(
      ({ message, path }) => new ConfigIssue({ path: path.map(String).join("."), message })
    )
    return new TlsConfigError({ reason: "InvalidOptions", issues: [first!, ...others] })
  })
