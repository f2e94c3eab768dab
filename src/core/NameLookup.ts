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
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Defaults from "../schema/Defaults.ts"
import type { ServerName } from "../schema/ServerName.ts"
import { TlsConfigError, TlsTimeoutError } from "../schema/TlsError.ts"
import type { Identity, IdentityResolver } from "./Identity.ts"
import type { ContextSelector, SecureContext } from "./SecureContext.ts"

/**
 * - `lookup`: what belongs to a name, if anything does. What it acquires in its Scope, an identity's key bytes for
 *   instance, is freed when the name is forgotten and `linger` is over.
 * - `timeToLive`: how long what was found is good, an hour unless told; `missingTimeToLive`: how long nothing is, ten
 *   seconds. A lookup that fails is not remembered.
 * - `capacity`: how many names are remembered, 1,000 unless told, and as many again that nobody has: whoever asks for
 *   random names drives none of ours out.
 * - `concurrency`: lookups under way at once, 32 unless told; further handshakes wait, each within its deadline.
 * - `timeout`: how long a lookup may take, which goes on when the handshake that began it has ended; ten seconds.
 * - `linger`: how long handshakes that have what was found may take to their end, once it is forgotten; a minute.
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
  readonly linger?: Duration.DurationInput
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
  readonly free: Effect.Effect<void>
}

/** A lookup that waits for its turn, or runs. */
interface Pending<A, E> {
  readonly done: Deferred.Deferred<Option.Option<A>, E>
  fiber: Fiber.RuntimeFiber<unknown> | undefined
  waiting: number
  hasBegun: boolean
}

/** Past its capacity the entry used longest ago goes. */
class Memory<A> {
  readonly #entries = new Map<string, Remembered<A>>()
  readonly #capacity: number
  readonly #forget: (entry: Remembered<A>) => void

  constructor(capacity: number, forget: (entry: Remembered<A>) => void) {
    this.#capacity = capacity
    this.#forget = forget
  }

  get(key: string, now: number): Option.Option<A> | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#entries.delete(key)
    if (entry.until <= now) {
      this.#forget(entry)
      return undefined
    }
    this.#entries.set(key, entry)
    return entry.found
  }

  set(key: string, entry: Remembered<A>): void {
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    if (this.#entries.size <= this.#capacity) return
    for (const [oldest, forgotten] of this.#entries) {
      this.#entries.delete(oldest)
      this.#forget(forgotten)
      return
    }
  }
}

/**
 * A lookup that remembers: those who ask for one name at once share a lookup, which none of them interrupts. Lookups run in
 * the current Scope; one that has not begun when nobody waits for it any more never does.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <A, E, R>(
  options: NameLookupOptions<A, E, R>
): Effect.Effect<NameLookup<A, E>, TlsConfigError, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.gen(function* () {
    type Failure = E | TlsTimeoutError
    const scope = yield* Effect.scope
    const needs = yield* Effect.context<Exclude<R, Scope.Scope>>()
    const { capacity = Defaults.lookupCapacity, concurrency = Defaults.lookupConcurrency } = options
    for (const [path, number] of Object.entries({ capacity, concurrency })) {
      if (!Number.isSafeInteger(number) || number < 1) {
        return yield* TlsConfigError.of("InvalidOptions", path, "a whole number from 1 is needed")
      }
    }
    const ttl = Duration.toMillis(options.timeToLive ?? Defaults.lookupTimeToLive)
    const missingTtl = Duration.toMillis(options.missingTimeToLive ?? Defaults.lookupMissingTimeToLive)
    const timeout = Duration.decode(options.timeout ?? Defaults.lookupTimeout)
    const linger = Duration.decode(options.linger ?? Defaults.lookupLinger)
    let forgotten: Array<Remembered<A>> = []
    const forget = (entry: Remembered<A>) => void forgotten.push(entry)
    const known = new Memory<A>(capacity, forget)
    // Of their own, so that names that nobody has do not drive out those that somebody has.
    const missing = new Memory<A>(capacity, forget)
    const pending = new Map<string, Pending<A, Failure>>()
    const permits = Effect.unsafeMakeSemaphore(concurrency)

    /** Frees what was forgotten, when the handshakes that have it are over. */
    const freeForgotten: Effect.Effect<void> = Effect.suspend(() => {
      if (forgotten.length === 0) return Effect.void
      const all = forgotten
      forgotten = []
      const free = Effect.forEach(all, (entry) => entry.free, { discard: true })
      return Effect.asVoid(Effect.forkIn(Effect.interruptible(Effect.delay(free, linger)), scope))
    })

    const remember = (key: string, found: Option.Option<A>, free: Effect.Effect<void>): Effect.Effect<void> =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        if (Option.isSome(found)) known.set(key, { found, until: now + ttl, free })
        else missing.set(key, { found, until: now + missingTtl, free: Effect.void })
        return Option.isSome(found) ? freeForgotten : free
      })

    /** Looks a name up in a Scope of its own, which is closed at once if nothing came of it. */
    const lookUp = (serverName: ServerName, key: string): Effect.Effect<Option.Option<A>, Failure> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(Scope.fork(scope, ExecutionStrategy.sequential), (own) => {
          const free = Scope.close(own, Exit.void)
          return Effect.suspend(() => options.lookup(serverName)).pipe(
            Scope.extend(own),
            Effect.provide(needs),
            Effect.timeoutFail({
              duration: timeout,
              onTimeout: () =>
                new TlsTimeoutError({ reason: "Handshake", phase: "negotiation", duration: Duration.toMillis(timeout) })
            }),
            restore,
            Effect.tap((found) => remember(key, found, free)),
            Effect.onError(() => free)
          )
        })
      )

    const run = (serverName: ServerName, key: string, mine: Pending<A, Failure>): Effect.Effect<void> =>
      Effect.suspend(() => {
        mine.hasBegun = true
        return lookUp(serverName, key)
      }).pipe(
        permits.withPermits(1),
        Effect.interruptible,
        Effect.exit,
        Effect.flatMap((exit) => {
          if (pending.get(key) === mine) pending.delete(key)
          return Effect.asVoid(Deferred.done(mine.done, exit))
        }),
        Effect.uninterruptible
      )

    const begin = (serverName: ServerName, key: string): Effect.Effect<Pending<A, Failure>> =>
      Effect.suspend(() => {
        const mine: Pending<A, Failure> = {
          done: Deferred.unsafeMake(FiberId.none),
          fiber: undefined,
          waiting: 0,
          hasBegun: false
        }
        pending.set(key, mine)
        return Effect.map(Effect.forkIn(run(serverName, key, mine), scope), (fiber) => {
          mine.fiber = fiber
          return mine
        })
      })

    /** Waits for a lookup. Names that nobody waits for any more would only keep others waiting. */
    const join = (key: string, running: Pending<A, Failure>): Effect.Effect<Option.Option<A>, Failure> =>
      Effect.suspend(() => {
        running.waiting++
        return Effect.interruptible(Deferred.await(running.done))
      }).pipe(
        Effect.ensuring(
          Effect.sync(() => {
            if (--running.waiting > 0 || running.hasBegun) return
            if (pending.get(key) === running) pending.delete(key)
            running.fiber?.unsafeInterruptAsFork(FiberId.none)
          })
        ),
        Effect.uninterruptible
      )

    return (serverName: ServerName): Effect.Effect<Option.Option<A>, Failure> =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const key = serverName.toString()
        const found = known.get(key, now) ?? missing.get(key, now)
        if (found !== undefined) return Exit.succeed(found)
        const running = pending.get(key)
        const waiting =
          running === undefined
            ? Effect.uninterruptible(Effect.flatMap(begin(serverName, key), (mine) => join(key, mine)))
            : join(key, running)
        return Effect.zipRight(freeForgotten, waiting)
      })
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
