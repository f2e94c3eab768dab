/**
 * What the Schemas of options share: values known by a guard, messages that never print a secret, errors with the path
 * of what is wrong.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { ConfigIssue, TlsConfigError } from "../schema/TlsError.ts"

/**
 * An option that may be left out, and that is not said then.
 *
 * @since 0.1.0
 * @category schemas
 */
export const said = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

/**
 * A value recognised by a guard; what was found instead is never printed, it may be a secret.
 *
 * @since 0.1.0
 * @category schemas
 */
export const declared = <A>(what: string, guard: (u: unknown) => u is A): Schema.Schema<A> =>
  Schema.declare(guard).annotations({ message: () => ({ message: `expected ${what}`, override: true }) })

/**
 * What a structure says of a value that is none; by default it would print the value, and the keys in it.
 *
 * @since 0.1.0
 * @category annotations
 */
export const instead = (what: string) => ({ message: () => `expected ${what} (value hidden)` })

const formatPath = (path: ReadonlyArray<PropertyKey>): string =>
  path.reduce<string>(
    (text, part) => (typeof part === "number" ? `${text}[${part}]` : `${text}${text && "."}${String(part)}`),
    ""
  )

/**
 * Options by their Schema, or everything that is wrong with them. Values that cannot even be looked at, since a getter
 * throws for instance, are wrong too.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decode =
  <A, I>(schema: Schema.Schema<A, I>) =>
  (options: unknown): Effect.Effect<A, TlsConfigError> =>
    Effect.suspend(() => Effect.mapError(Schema.decodeUnknown(schema)(options), toConfigError)).pipe(
      Effect.catchAllDefect(() =>
        TlsConfigError.of("InvalidOptions", "", "the options cannot be read: looking at them throws")
      )
    )

const toConfigError = (error: ParseResult.ParseError): TlsConfigError => {
  const [first, ...others] = ParseResult.ArrayFormatter.formatErrorSync(error).map(
    ({ message, path }) => new ConfigIssue({ path: formatPath(path), message })
  )
  return new TlsConfigError({ reason: "InvalidOptions", issues: [first!, ...others] })
}
