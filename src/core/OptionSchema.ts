/**
 * What the Schemas of options share: values known by a guard, messages that never print a secret, errors with the path
 * of what is wrong.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as SchemaAst from "effect/SchemaAST"
import * as Suggestion from "../schema/Suggestion.ts"
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

/**
 * What was found instead, and never what is in it: it may be a secret.
 *
 * @since 0.1.0
 * @category messages
 */
export const described = (u: unknown): string => {
  if (u === "") return "an empty text"
  if (u === null || u === undefined) return String(u)
  if (typeof u === "number" || typeof u === "boolean") return String(u)
  if (Array.isArray(u)) return u.length === 0 ? "an empty list" : "a list"
  if (ArrayBuffer.isView(u)) return "bytes"
  return typeof u === "string" ? "other text" : typeof u === "object" ? "an object" : `a ${typeof u}`
}

// ---------------------------------------------------------------------------------------------------------------------
// Errors
// ---------------------------------------------------------------------------------------------------------------------

const formatPath = (path: ReadonlyArray<PropertyKey>): string =>
  path.reduce<string>(
    (text, part) => (typeof part === "number" ? `${text}[${part}]` : `${text}${text && "."}${String(part)}`),
    ""
  )

const namesOf = ({ propertySignatures }: SchemaAst.TypeLiteral): ReadonlyArray<string> =>
  propertySignatures.map(({ name }) => String(name))

const either = (words: ReadonlyArray<string>): string =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)!}`

/** What a Schema wants, in words. */
const wanted = (ast: SchemaAst.AST): string => {
  switch (ast._tag) {
    case "StringKeyword":
      return "text"
    case "NumberKeyword":
      return "a number"
    case "BooleanKeyword":
      return "true or false"
    case "Literal":
      return JSON.stringify(ast.literal)
    case "TupleType":
      return "a list"
    case "TypeLiteral":
      return `an object: { ${namesOf(ast).join(", ")} }`
    case "Union":
      return either(ast.types.map(wanted))
    case "Refinement":
    case "Transformation":
      return wanted(ast.from)
    default:
      return "another value"
  }
}

/** What the Schema itself says of the issue: of the whole, or of what is wrong within it where it speaks for that too. */
const saidOf = (
  issue: Exclude<ParseResult.ParseIssue, ParseResult.Pointer>,
  isWhole: boolean = issue._tag === "Type" || ("kind" in issue && ["Predicate", "Transformation"].includes(issue.kind))
): string | undefined => {
  if (!("ast" in issue)) return undefined
  const message = Option.getOrUndefined(SchemaAst.getMessageAnnotation(issue.ast as SchemaAst.Annotated))?.(issue)
  if (message === undefined || Effect.isEffect(message)) return undefined
  if (typeof message === "string") return isWhole ? message : undefined
  return (isWhole || message.override) && typeof message.message === "string" ? message.message : undefined
}

const isPointed = (issue: ParseResult.ParseIssue): boolean => {
  switch (issue._tag) {
    case "Pointer":
      return true
    case "Composite":
      return Arr.ensure(issue.issues).some(isPointed)
    case "Refinement":
    case "Transformation":
      return isPointed(issue.issue)
    default:
      return false
  }
}

type Path = ReadonlyArray<PropertyKey>

/**
 * Everything that is wrong. The formatters of Schema show the values they find, which may be secrets, and of a union
 * everything that the value is not.
 */
const issuesOf = (issue: ParseResult.ParseIssue, path: Path, known: ReadonlyArray<string>): Array<ConfigIssue> => {
  const at = (message: string) => [new ConfigIssue({ path: formatPath(path), message })]
  if (issue._tag === "Pointer") return issuesOf(issue.issue, [...path, ...Arr.ensure(issue.path)], known)
  const own = saidOf(issue)
  if (own !== undefined) return at(own)
  switch (issue._tag) {
    case "Missing":
      return at("is missing")
    case "Unexpected": {
      const nearest = Suggestion.nearest(String(path.at(-1)), known)
      return at(
        nearest === undefined
          ? `is unexpected, expected: ${known.map((name) => JSON.stringify(name)).join(" | ")}`
          : `is unexpected, did you mean "${nearest}"?`
      )
    }
    case "Composite": {
      const { ast } = issue
      const parts = Arr.ensure(issue.issues)
      if (ast._tag === "Union") {
        const pointed = parts.filter(isPointed)
        return pointed.length > 0
          ? pointed.flatMap((part) => issuesOf(part, path, known))
          : at(saidOf(issue, true) ?? `expected ${wanted(ast)}, found ${described(issue.actual)}`)
      }
      if (ast._tag === "TupleType" && Array.isArray(issue.actual) && issue.actual.length === 0) {
        return at("expected a list of at least one, found an empty list")
      }
      const names = ast._tag === "TypeLiteral" ? namesOf(ast) : known
      return parts.flatMap((part) => issuesOf(part, path, names))
    }
    case "Refinement":
    case "Transformation":
      return issuesOf(issue.issue, path, known)
    case "Type":
    case "Forbidden":
      return at(
        (issue._tag === "Type" && issue.message) ||
          `expected ${wanted(issue.ast)}, found ${described(issue.actual)}${issue.actual === undefined ? ": leave it out" : ""}`
      )
  }
}

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
  const [first, ...others] = issuesOf(error.issue, [], [])
  return new TlsConfigError({ reason: "InvalidOptions", issues: [first!, ...others] })
}
