/**
 * A SecureContext as a layer: made once, and what every call beneath it goes by where it says nothing else.
 *
 * @example
 * import { Config } from "effect"
 * import { ContextLayer } from "effect-tls"
 *
 * const live = ContextLayer.layerConfig({
 *   identity: {
 *     certificateChain: Config.nonEmptyString("TLS_CERTIFICATE"),
 *     privateKey: Config.redacted("TLS_KEY")
 *   },
 *   protocol: { alpn: ["h2", "http/1.1"] }
 * })
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { TlsConfigError } from "../schema/TlsError.ts"
import { CurrentContext } from "./CallContext.ts"
import type { CryptoProvider } from "./CryptoProvider.ts"
import type { SecureContext } from "./SecureContext.ts"
import * as SecureContexts from "./SecureContext.ts"
import type { SecureContextOptions } from "./SecureContextOptions.ts"

/**
 * Options in which any value may come from a Config: of a field, of an element, or of all.
 *
 * @since 0.1.0
 * @category models
 */
export type Configured<A> =
  | A
  | Config.Config<A>
  | (A extends (...args: ReadonlyArray<never>) => unknown
      ? never
      : A extends ReadonlyArray<infer Element>
        ? ReadonlyArray<Configured<Element>>
        : A extends object
          ? { readonly [K in keyof A]: Configured<A[K]> }
          : never)

const isStructure = (u: unknown): u is Readonly<Record<string, unknown>> => {
  if (typeof u !== "object" || u === null) return false
  const prototype: unknown = Object.getPrototypeOf(u)
  return prototype === Object.prototype || prototype === null
}

/** Options are four levels deep. */
const deepest = 8

/**
 * Options as one Config. What has none in it stays the very value it is: a signer or a store for instance, and whatever
 * cannot be looked into, which is then refused as any wrong option.
 */
const toConfig = (options: unknown): Config.Config<unknown> => {
  // Each is looked at once, however often it stands there: a value may hold itself.
  const seen = new Map<object, Config.Config<unknown> | undefined>()
  const find = (u: unknown, depth: number): Config.Config<unknown> | undefined => {
    if (Config.isConfig(u)) return u
    if (depth > deepest || !(Array.isArray(u) || isStructure(u))) return undefined
    if (seen.has(u)) return seen.get(u)
    seen.set(u, undefined)
    const parts = Array.isArray(u) ? Array.from(u, (item, i) => [i, item] as const) : Object.entries(u)
    const found = parts.map(([, part]) => find(part, depth + 1))
    if (found.every((config) => config === undefined)) return undefined
    // Of all at once, so that everything that is missing is said.
    const configs = parts.map(([key, part], i) => [key, found[i] ?? Config.succeed(part)] as const)
    const all: Config.Config<unknown> = Array.isArray(u)
      ? Config.all(configs.map(([, config]) => config))
      : Config.all(Object.fromEntries(configs))
    seen.set(u, all)
    return all
  }
  try {
    return find(options, 0) ?? Config.succeed(options)
  } catch {
    return Config.succeed(options)
  }
}

/**
 * A context of which parts come from Configs. Whatever is no Config is a plain value, which is checked as
 * `SecureContext.make` does.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromConfig = (
  options: Configured<SecureContextOptions>
): Effect.Effect<SecureContext, TlsConfigError | ConfigError, CryptoProvider | Scope.Scope> =>
  Effect.flatMap(toConfig(options) as Config.Config<SecureContextOptions>, SecureContexts.make)

/**
 * Makes a context, for every call beneath.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: SecureContextOptions): Layer.Layer<CurrentContext, TlsConfigError, CryptoProvider> =>
  Layer.scoped(CurrentContext, SecureContexts.make(options))

/**
 * The same with parts from Configs.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Configured<SecureContextOptions>
): Layer.Layer<CurrentContext, TlsConfigError | ConfigError, CryptoProvider> =>
  Layer.scoped(CurrentContext, fromConfig(options))
