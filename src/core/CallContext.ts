/**
 * What one call goes by: its own context over the fiber's, and what it says besides.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { ProtocolOptions } from "../schema/ProtocolOptions.ts"
import type { TlsConfigError } from "../schema/TlsError.ts"
import { BoundedCache } from "./BoundedCache.ts"
import * as OptionSchema from "./OptionSchema.ts"
import type { ContextSource } from "./ReloadingContext.ts"
import * as ReloadingContext from "./ReloadingContext.ts"
import type { ContextSelector, SecureContext } from "./SecureContext.ts"
import * as SecureContexts from "./SecureContext.ts"
import * as Step from "./Step.ts"

/**
 * What holds for a whole fiber where a call says nothing else: the call's context is merged over it. Empty unless told,
 * by `SecureContext`'s layers or `Effect.provideService`.
 *
 * @example
 * import { Effect } from "effect"
 * import { CallContext, SecureContext } from "effect-tls"
 *
 * const strictly = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
 *   Effect.provideService(effect, CallContext.CurrentContext, SecureContext.strict)
 *
 * @since 0.1.0
 * @category tags
 */
export class CurrentContext extends Context.Reference<CurrentContext>()("effect-tls/CurrentContext", {
  defaultValue: (): SecureContext => SecureContexts.empty
}) {}

/**
 * What every call takes. `alpn` are the application protocols, best first, in place of what the context says of them, or
 * the one that it selects for a name.
 *
 * @since 0.1.0
 * @category models
 */
export interface CallOptions<out Alpn extends string = string> {
  readonly context?: ContextSource | undefined
  readonly alpn?: ReadonlyArray<Alpn> | undefined
}

// Calls that say the same get the same context, so that it is resolved once.
const merged = new WeakMap<SecureContext, WeakMap<SecureContext, SecureContext>>()
const withAlpn = new WeakMap<SecureContext, BoundedCache<SecureContext>>()

const mergeOver = (current: SecureContext, said: SecureContext): SecureContext => {
  if (current === SecureContexts.empty) return said
  if (said === SecureContexts.empty) return current
  let over = merged.get(current)
  if (over === undefined) merged.set(current, (over = new WeakMap()))
  let context = over.get(said)
  if (context === undefined) over.set(said, (context = SecureContexts.merge(current, said)))
  return context
}

const decodeProtocol = OptionSchema.decode(ProtocolOptions)

const replaceAlpn = (context: SecureContext, alpn: ReadonlyArray<string>): SecureContext => {
  let replaced = withAlpn.get(context)
  if (replaced === undefined) withAlpn.set(context, (replaced = new BoundedCache(16)))
  return replaced.get(JSON.stringify(alpn), () => ({
    ...SecureContexts.withProtocol(context, { alpn }),
    selectAlpn: undefined,
    selectContext: context.selectContext && replaceSelected(context.selectContext, alpn)
  }))
}

/** The caller was promised one of these protocols, whatever the name. */
const replaceSelected =
  (select: ContextSelector, alpn: ReadonlyArray<string>): ContextSelector =>
  (serverName, hello) => {
    const replace = Option.map((chosen: SecureContext) => replaceAlpn(chosen, alpn))
    const selected = Step.begin(select(serverName, hello))
    const now = Step.successOf(selected)
    return now === undefined ? Effect.map(selected, replace) : Exit.succeed(replace(now.value))
  }

/**
 * The context of a call whose connection lives in a Scope.
 *
 * @since 0.1.0
 * @category getters
 */
export const acquireIn = (
  { alpn, context = SecureContexts.empty }: CallOptions,
  scope: Scope.Scope
): Effect.Effect<SecureContext, TlsConfigError> =>
  Effect.flatMap(CurrentContext, (current) => {
    const whole = ReloadingContext.isReloadingContext(context)
      ? Effect.map(ReloadingContext.acquireIn(context, scope), (newest) => mergeOver(current, newest))
      : Effect.succeed(mergeOver(current, context))
    if (alpn === undefined) return whole
    return Effect.zipWith(whole, decodeProtocol({ alpn }), (said) => replaceAlpn(said, alpn))
  })
