/**
 * One server for many names: for each its identity, and if it says so, its trust, application protocols and client
 * authentication.
 *
 * @example
 * import { Effect } from "effect"
 * import { SecureContext, ServerNameSelection } from "effect-tls"
 *
 * declare const shop: SecureContext.SecureContext
 * declare const admin: SecureContext.SecureContext
 *
 * const context = Effect.gen(function* () {
 *   const others = yield* SecureContext.make({ protocol: { alpn: ["h2", "http/1.1"] } })
 *   return yield* ServerNameSelection.select(others, [
 *     ["*.shop.example", shop],
 *     ["admin.shop.example", admin]
 *   ])
 * })
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as ServerName from "../schema/ServerName.ts"
import { TlsConfigError } from "../schema/TlsError.ts"
import type { ContextSelector, SecureContext } from "./SecureContext.ts"
import * as SecureContexts from "./SecureContext.ts"

interface Entry {
  readonly context: SecureContext
  /** How many were added before it. */
  readonly at: number
}

/** Names by what they are looked up by; `otherwise` is asked for those that are not among them. */
interface Table {
  readonly exact: HashMap.HashMap<string, Entry>
  readonly wildcards: HashMap.HashMap<string, Entry>
  readonly added: number
  readonly otherwise: ContextSelector | undefined
}

/** The tables of selectors made here, so that names added one by one stand in one table, and not behind one another. */
const tables = new WeakMap<ContextSelector, Table>()

const tableOf = ({ selectContext }: SecureContext): Table =>
  (selectContext && tables.get(selectContext)) ?? {
    exact: HashMap.empty(),
    wildcards: HashMap.empty(),
    added: 0,
    otherwise: selectContext
  }

/** `*.example.org` as `example.org` among the wildcards; a wildcard is the whole of the left-most label. */
const parse = (
  pattern: string,
  at: number
): Either.Either<{ readonly name: string; readonly wildcard: boolean }, TlsConfigError> => {
  const invalid = (message: string) =>
    Either.left(
      TlsConfigError.of("InvalidOptions", `names[${at}]`, `${JSON.stringify(pattern.slice(0, 300))}: ${message}`)
    )
  const wildcard = pattern.startsWith("*.")
  const rest = wildcard ? pattern.slice(2) : pattern
  if (rest.includes("*")) {
    return invalid(
      "a wildcard is all of the first label, as in *.example.org; for every other name there is the context itself"
    )
  }
  const parsed = ServerName.parse(rest)
  if (Either.isLeft(parsed)) return invalid(parsed.left.problem)
  return parsed.right._tag === "DnsName"
    ? Either.right({ name: parsed.right.name, wildcard })
    : invalid("clients ask for names only, never for an address")
}

/**
 * A context that goes, for each of these names, by another: exact ones or wildcards for one label (`*.example.org`), in
 * any case. Of two that fit the last one added wins, as in Node, so wildcards come before their exceptions. What the
 * name's context does not say, this one says; for any other name this one holds, and refuses it (`unrecognized_name`) if
 * it has no identity. Selecting again adds names.
 *
 * A name is looked up, not searched for, however many there are.
 *
 * @since 0.1.0
 * @category combinators
 */
export const select: {
  (
    names: Iterable<readonly [name: string, context: SecureContext]>
  ): (self: SecureContext) => Either.Either<SecureContext, TlsConfigError>
  (
    self: SecureContext,
    names: Iterable<readonly [name: string, context: SecureContext]>
  ): Either.Either<SecureContext, TlsConfigError>
} = dual(
  2,
  (
    self: SecureContext,
    names: Iterable<readonly [name: string, context: SecureContext]>
  ): Either.Either<SecureContext, TlsConfigError> =>
    Either.gen(function* () {
      const before = tableOf(self)
      const exact = HashMap.beginMutation(before.exact)
      const wildcards = HashMap.beginMutation(before.wildcards)
      let at = 0
      for (const [pattern, context] of names) {
        const { name, wildcard } = yield* parse(pattern, at)
        const isSomebody = [context, self].some((one) => one.identities.length > 0 || one.resolveIdentity !== undefined)
        if (!isSomebody) {
          yield* Either.left(
            TlsConfigError.of("InvalidOptions", `names[${at}]`, `there is no identity for ${JSON.stringify(pattern)}`)
          )
        }
        if (context.selectContext !== undefined) {
          yield* Either.left(
            TlsConfigError.of(
              "InvalidOptions",
              `names[${at}]`,
              `the context for ${JSON.stringify(pattern)} selects by name itself: add its names here`
            )
          )
        }
        HashMap.set(wildcard ? wildcards : exact, name, { context, at: before.added + at++ })
      }
      const table: Table = {
        exact: HashMap.endMutation(exact),
        wildcards: HashMap.endMutation(wildcards),
        added: before.added + at,
        otherwise: before.otherwise
      }
      const selectContext: ContextSelector = (serverName, hello) => {
        const found = Option.isNone(serverName) ? undefined : find(table, serverName.value.toString())
        if (found !== undefined) return Exit.succeed(Option.some(found))
        return table.otherwise === undefined ? Exit.succeed(Option.none()) : table.otherwise(serverName, hello)
      }
      tables.set(selectContext, table)
      return SecureContexts.withContextSelector(self, selectContext)
    })
)

const find = ({ exact, wildcards }: Table, name: string): SecureContext | undefined => {
  const itself = Option.getOrUndefined(HashMap.get(exact, name))
  const dot = name.indexOf(".")
  const covering = dot > 0 ? Option.getOrUndefined(HashMap.get(wildcards, name.slice(dot + 1))) : undefined
  if (itself === undefined || covering === undefined) return (itself ?? covering)?.context
  return (itself.at > covering.at ? itself : covering).context
}
