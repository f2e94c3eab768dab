/**
 * Looking up what belongs to a server's name, once for all who ask: identities or contexts that a database, a vault or
 * an ACME client has, for more names than one loads ahead.
 *
 * @example
 * import { Effect, Option } from "effect"
 * import { type Identity, NameLookup, SecureContext } from "effect-tls"
 *
 * declare const fromVault: (name: string) => Effect.Effect<Option.Option<Identity.Identity>, Error>
 *
 * const context = Effect.map(
 *   NameLookup.make({ lookup: (name) => fromVault(name.toString()), timeToLive: "1 hour" }),
 *   (names) => SecureContext.withIdentityResolver(SecureContext.empty, NameLookup.identityResolver(names))
 * )
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Defaults from "../schema/Defaults.ts"
import type { ServerName } from "../schema/ServerName.ts"
import { TlsTimeoutError } from "../schema/TlsError.ts"
import type { Identity, IdentityResolver } from "./Identity.ts"
import type { ContextSelector, SecureContext } from "./SecureContext.ts"

/**
 * - `lookup`: what belongs to a name, if anything does.
 * - `timeToLive`: how long what was found is good, an hour unless told; `missingTimeToLive`: how long nothing is, ten
 *   seconds. A lookup that fails is not remembered.
 * - `capacity`: how many names are remembered, 1,000 unless told, and as many again that nobody has: whoever asks for
 *   random names drives none of ours out.
 * - `concurrency`: lookups under way at once, 32 unless told; further handshakes wait, each within its deadline.
 * - `timeout`: how long a lookup may take, which goes on when the handshake that began it has ended; ten seconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface NameLookupOptions<A, E, R> {
  readonly lookup: (serverName: ServerName) => Effect.Effect<Option.Option<A>, E, R>
  readonly timeToLive?: Duration.DurationInput
  readonly missingTimeToLive?: Duration.DurationInput
  readonly capacity?: number
  readonly concurrency?: number
  readonly timeout?: Duration.DurationInput
}

/**
 * What belongs to a name, remembered.
 *
 * @since 0.1.0
 * @category models
 */
export type NameLookup<A, E = never> = (serverName: ServerName) => Effect.Effect<Option.Option<A>, E | TlsTimeoutError>

interface Remembered<A> {
  readonly found: Option.Option<A>
  readonly until: number
}

/** Past its capacity the entry used longest ago goes. */
class Memory<A> {
  readonly #entries = new Map<string, Remembered<A>>()
  readonly #capacity: number

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get(key: string, now: number): Option.Option<A> | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#entries.delete(key)
    if (entry.until <= now) return undefined
    this.#entries.set(key, entry)
    return entry.found
  }

  set(key: string, entry: Remembered<A>): void {
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    if (this.#entries.size <= this.#capacity) return
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest)
      return
    }
  }
}

/**
 * A lookup that remembers: those who ask for one name at once share a lookup, which none of them interrupts. Lookups run in
 * the current Scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <A, E, R>(
  options: NameLookupOptions<A, E, R>
): Effect.Effect<NameLookup<A, E>, never, R | Scope.Scope> =>
  Effect.gen(function* () {
    type Failure = E | TlsTimeoutError
    const scope = yield* Effect.scope
    const needs = yield* Effect.context<R>()
    const { capacity = Defaults.lookupCapacity, concurrency = Defaults.lookupConcurrency } = options
    const ttl = Duration.toMillis(options.timeToLive ?? Defaults.lookupTimeToLive)
    const missingTtl = Duration.toMillis(options.missingTimeToLive ?? Defaults.lookupMissingTimeToLive)
    const timeout = Duration.decode(options.timeout ?? Defaults.lookupTimeout)
    const known = new Memory<A>(capacity)
    // Of their own, so that names that nobody has do not drive out those that somebody has.
    const missing = new Memory<A>(capacity)
    const pending = new Map<string, Deferred.Deferred<Option.Option<A>, Failure>>()
    const permits = Effect.unsafeMakeSemaphore(concurrency)

    const remember = (key: string, found: Option.Option<A>): Effect.Effect<void> =>
      Effect.map(Clock.currentTimeMillis, (now) =>
        Option.isSome(found)
          ? known.set(key, { found, until: now + ttl })
          : missing.set(key, { found, until: now + missingTtl })
      )

    const run = (serverName: ServerName, key: string, done: Deferred.Deferred<Option.Option<A>, Failure>) =>
      Effect.suspend(() => options.lookup(serverName)).pipe(
        Effect.provide(needs),
        Effect.timeoutFail({
          duration: timeout,
          onTimeout: () =>
            new TlsTimeoutError({ reason: "Handshake", phase: "negotiation", duration: Duration.toMillis(timeout) })
        }),
        Effect.tap((found) => remember(key, found)),
        Effect.interruptible,
        Effect.exit,
        Effect.flatMap((exit) => {
          pending.delete(key)
          return Effect.zipRight(permits.release(1), Deferred.done(done, exit))
        }),
        Effect.uninterruptible
      )

    const ask = (serverName: ServerName): Effect.Effect<Option.Option<A>, Failure> =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const key = serverName.toString()
        const found = known.get(key, now) ?? missing.get(key, now)
        if (found !== undefined) return Exit.succeed(found)
        const running = pending.get(key)
        return running === undefined ? begin(serverName, key) : Deferred.await(running)
      })

    const begin = (serverName: ServerName, key: string): Effect.Effect<Option.Option<A>, Failure> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(restore(permits.take(1)), () => {
          // While we waited somebody else may have begun.
          if (pending.has(key)) return Effect.zipRight(permits.release(1), restore(ask(serverName)))
          const done = Deferred.unsafeMake<Option.Option<A>, Failure>(FiberId.none)
          pending.set(key, done)
          return Effect.zipRight(Effect.forkIn(run(serverName, key, done), scope), restore(Deferred.await(done)))
        })
      )

    return ask
  })

/**
 * A server's identities by its names; a client that names none gets `unnamed`.
 *
 * @since 0.1.0
 * @category conversions
 */
export const identityResolver =
  <E>(
    lookup: NameLookup<Identity | ReadonlyArray<Identity>, E>,
    options: { readonly unnamed?: ReadonlyArray<Identity> } = {}
  ): IdentityResolver =>
  (_hello, serverName) =>
    Option.isNone(serverName)
      ? Effect.succeed(options.unnamed ?? [])
      : Effect.map(
          lookup(serverName.value),
          Option.match({
            onNone: (): ReadonlyArray<Identity> => [],
            onSome: (found) => (Array.isArray(found) ? found : [found as Identity])
          })
        )

/**
 * What a server goes by for its names; where there is nothing, by what it says for all others.
 *
 * @since 0.1.0
 * @category conversions
 */
export const contextSelector =
  <E>(lookup: NameLookup<SecureContext, E>): ContextSelector =>
  (serverName) =>
    Option.isNone(serverName) ? Effect.succeedNone : lookup(serverName.value)
