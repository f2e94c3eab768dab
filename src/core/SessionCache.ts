/**
 * Where a client keeps its sessions, to resume them: each once (RFC 9846 §C.4).
 *
 * @example
 * import { Effect } from "effect"
 * import { SecureContext, SessionCache } from "effect-tls"
 *
 * const resuming = (context: SecureContext.SecureContext) =>
 *   Effect.map(SessionCache.make(), (cache) => SecureContext.withSessions(context, { cache }))
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Defaults from "../schema/Defaults.ts"
import type { ClientSession } from "../schema/Session.ts"
import { TlsConfigError } from "../schema/TlsError.ts"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: unique symbol = Symbol.for("effect-tls/SessionCache")

/**
 * Sessions by an opaque key, which stands for the server and for what we are to it. `take` removes the session it gives.
 * What either fails with costs the resumption and no more.
 *
 * @since 0.1.0
 * @category models
 */
export interface SessionCache {
  readonly [TypeId]: typeof TypeId
  readonly take: (key: string) => Effect.Effect<Option.Option<ClientSession>, unknown>
  readonly put: (key: string, session: ClientSession) => Effect.Effect<void, unknown>
}

/**
 * @since 0.1.0
 * @category guards
 */
export const isSessionCache = (u: unknown): u is SessionCache => typeof u === "object" && u !== null && TypeId in u

/**
 * A cache of one's own: in a file or a database, as `ClientSessionFromBytes` writes sessions.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromFunctions = (functions: Pick<SessionCache, "take" | "put">): SessionCache => ({
  [TypeId]: TypeId,
  ...functions
})

/**
 * `servers` is how many servers it knows at most, and `perServer` how many sessions of each; past that the oldest go.
 *
 * @since 0.1.0
 * @category models
 */
export interface SessionCacheOptions {
  readonly servers?: number
  readonly perServer?: number
}

/** The secret is of no use any more. */
const forget = (session: ClientSession | undefined): void => {
  if (session !== undefined) Redacted.value(session.secret).fill(0)
}

/**
 * A cache in memory: the newest session of a server is taken first. Secrets are wiped when the Scope closes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = ({
  perServer = Defaults.sessionsPerServer,
  servers = Defaults.sessionServers
}: SessionCacheOptions = {}): Effect.Effect<SessionCache, TlsConfigError, Scope.Scope> =>
  Effect.gen(function* () {
    for (const [name, value] of Object.entries({ perServer, servers })) {
      if (!Number.isSafeInteger(value) || value < 1) {
        return yield* TlsConfigError.of("InvalidOptions", name, `a whole number from 1 is needed, found ${value}`)
      }
    }
    const sessions = new Map<string, Array<ClientSession>>()
    let isOpen = true
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        isOpen = false
        for (const list of sessions.values()) list.forEach(forget)
        sessions.clear()
      })
    )
    return fromFunctions({
      take: (key) =>
        Effect.sync(() => {
          const list = sessions.get(key)
          const newest = list?.pop()
          if (list?.length === 0) sessions.delete(key)
          return Option.fromNullable(newest)
        }),
      put: (key, session) =>
        Effect.sync(() => {
          if (!isOpen) return forget(session)
          const list = sessions.get(key) ?? []
          // A Map keeps the order of insertion: the server that a session came from last stands last.
          sessions.delete(key)
          sessions.set(key, list)
          list.push(session)
          if (list.length > perServer) forget(list.shift())
          if (sessions.size <= servers) return
          const [oldest, others] = sessions.entries().next().value!
          sessions.delete(oldest)
          others.forEach(forget)
        })
    })
  })
