/**
 * A SecureContext that is loaded again while it is in use: on a Schedule, from a Stream, when files change. Handshakes
 * that begin see the newest good one; connections under way keep theirs.
 *
 * @example
 * import { Effect, Schedule, type Redacted } from "effect"
 * import { Endpoint, ReloadingContext, SecureContext, TlsServer } from "effect-tls"
 *
 * declare const fetchIdentity: Effect.Effect<{ certificateChain: string; privateKey: Redacted.Redacted<string> }>
 *
 * const server = Effect.gen(function* () {
 *   const context = yield* ReloadingContext.fromSchedule({
 *     load: Effect.flatMap(fetchIdentity, (identity) => SecureContext.make({ identity })),
 *     schedule: Schedule.spaced("1 hour")
 *   })
 *   return yield* TlsServer.serve({ endpoint: Endpoint.tcp("0.0.0.0", 8443), context, handler: () => Effect.void })
 * })
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FiberRef from "effect/FiberRef"
import * as PubSub from "effect/PubSub"
import type * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Defaults from "../schema/Defaults.ts"
import { TlsConfigError } from "../schema/TlsError.ts"
import { CryptoProvider } from "./CryptoProvider.ts"
import type { Role } from "./HandshakeChannel.ts"
import type { SecureContext } from "./SecureContext.ts"
import * as SecureContexts from "./SecureContext.ts"
import type { SecureContextOptions } from "./SecureContextOptions.ts"
import * as TlsMetrics from "./TlsMetrics.ts"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: unique symbol = Symbol.for("effect-tls/ReloadingContext")

/**
 * What became of an attempt to load the context again. After a failure the last good one stays.
 *
 * @since 0.1.0
 * @category models
 */
export type ReloadEvent<E> =
  | { readonly _tag: "Reloaded"; readonly context: SecureContext }
  | { readonly _tag: "ReloadFailed"; readonly cause: Cause.Cause<E> }

/**
 * `E` is what loading may fail with.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReloadingContext<out E = unknown> {
  readonly [TypeId]: typeof TypeId
  /** The last good context. Whoever uses its keys takes it with `acquire`. */
  readonly current: Effect.Effect<SecureContext>
  /** The last good context, whose keys stay usable until the Scope closes, whatever is loaded meanwhile. */
  readonly acquire: Effect.Effect<SecureContext, never, Scope.Scope>
  /** Loads again now, as the last time. Interrupts whoever runs it when the Scope is closed. */
  readonly reload: Effect.Effect<void, E | TlsConfigError>
  /** What becomes of each reload from the moment this is run; a slow consumer misses the oldest. */
  readonly events: Stream.Stream<ReloadEvent<E | TlsConfigError>>
}

/**
 * A context, or one that is loaded again: what clients and servers take.
 *
 * @since 0.1.0
 * @category models
 */
export type ContextSource = SecureContext | ReloadingContext

/**
 * @since 0.1.0
 * @category guards
 */
export const isReloadingContext = (u: unknown): u is ReloadingContext =>
  typeof u === "object" && u !== null && TypeId in u

/**
 * The context of a source, for handshakes in a Scope: one that is loaded again lives as long as the Scope at least.
 *
 * @since 0.1.0
 * @category getters
 */
export const acquireIn = (source: ContextSource, scope: Scope.Scope): Effect.Effect<SecureContext> =>
  isReloadingContext(source) ? Scope.extend(source.acquire, scope) : Effect.succeed(source)

/** A context with all that it holds, which is freed when nobody holds the context any more. */
class Generation {
  readonly context: SecureContext
  readonly #scope: Scope.CloseableScope
  #holders = 1

  constructor(context: SecureContext, scope: Scope.CloseableScope) {
    this.context = context
    this.#scope = scope
  }

  hold(): this {
    this.#holders++
    return this
  }

  readonly release: Effect.Effect<void> = Effect.suspend(() =>
    --this.#holders === 0 ? Scope.close(this.#scope, Exit.void) : Effect.void
  )
}

const roles: ReadonlyArray<Role> = ["client", "server"]

/** Follows loads: the first must succeed, of the others each that does takes the place of the one before. */
const follow = <E, R, E2, R2>(
  loads: Stream.Stream<Effect.Effect<SecureContext, E, R>, E2, R2>,
  timeout: Duration.DurationInput = Defaults.reloadTimeout
): Effect.Effect<
  ReloadingContext<E | E2>,
  E | E2 | TlsConfigError,
  Exclude<R, Scope.Scope> | R2 | CryptoProvider | Scope.Scope
> =>
  Effect.gen(function* () {
    type Failure = E | E2 | TlsConfigError
    type Needs = Exclude<R, Scope.Scope> | CryptoProvider
    const crypto = yield* CryptoProvider
    const needs = yield* Effect.context<Needs>()
    const events = yield* Effect.acquireRelease(PubSub.sliding<ReloadEvent<Failure>>(64), PubSub.shutdown)
    const first = yield* Deferred.make<void, Failure>()
    const oneAtATime = Effect.unsafeMakeSemaphore(1)
    let generation: Generation | undefined
    let lastLoad: Effect.Effect<SecureContext, E, R> | undefined
    let isClosed = false

    yield* Effect.addFinalizer(() => {
      isClosed = true
      return generation?.release ?? Effect.void
    })

    /** What the last one could be used for, the next must be. */
    const check = (next: SecureContext): Either.Either<void, TlsConfigError> => {
      if (generation === undefined) return Either.void
      const { context } = generation
      const used = roles.filter((role) => Either.isRight(SecureContexts.resolve(context, crypto, role)))
      const resolved = Either.all(used.map((role) => SecureContexts.resolve(next, crypto, role)))
      return Either.map(resolved, () => undefined)
    }

    /** Within its time, whatever a load does when it is interrupted: no other would begin before it ended. */
    const inTime = <A, E1, R1>(load: Effect.Effect<A, E1, R1>): Effect.Effect<A, E1 | TlsConfigError, R1> =>
      Effect.timeoutFail(Effect.disconnect(load), {
        duration: timeout,
        onTimeout: () =>
          TlsConfigError.of("Unreadable", "", `the context was not loaded within ${Duration.format(timeout)}`)
      })

    const install = (load: Effect.Effect<SecureContext, E, R>): Effect.Effect<SecureContext, Failure, Needs> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function* () {
          lastLoad = load
          const scope = yield* Scope.make()
          const loaded = yield* Effect.exit(
            restore(Effect.tap(inTime(Scope.extend(load, scope)), check)) as Effect.Effect<
              SecureContext,
              Failure,
              Needs
            >
          )
          if (Exit.isFailure(loaded)) {
            yield* Scope.close(scope, loaded)
            return yield* loaded
          }
          if (isClosed) {
            // Nobody would free it any more.
            yield* Scope.close(scope, loaded)
            return yield* Effect.interrupt
          }
          const previous = generation
          generation = new Generation(loaded.value, scope)
          if (previous !== undefined) yield* previous.release
          return loaded.value
        })
      )

    const count = (result: "ok" | "failed"): Effect.Effect<void> =>
      Effect.map(FiberRef.get(FiberRef.currentMetricLabels), (labels) => TlsMetrics.unsafeReloaded(result, labels))

    const failed = (cause: Cause.Cause<Failure>): Effect.Effect<void> =>
      Cause.isInterruptedOnly(cause)
        ? Effect.void
        : count("failed").pipe(
            Effect.zipRight(PubSub.publish(events, { _tag: "ReloadFailed", cause })),
            Effect.zipRight(Effect.logWarning("a TLS context was not reloaded: the last good one stays", cause))
          )

    const reloadWith = (load: Effect.Effect<SecureContext, E, R>): Effect.Effect<void, Failure, Needs> =>
      install(load).pipe(
        Effect.tap((context) => Effect.zipRight(count("ok"), PubSub.publish(events, { _tag: "Reloaded", context }))),
        Effect.tapErrorCause(failed),
        Effect.asVoid,
        oneAtATime.withPermits(1)
      )

    yield* Stream.runForEach(loads, (load) =>
      generation === undefined
        ? Effect.flatMap(Effect.exit(install(load)), (exit) =>
            Effect.zipRight(Deferred.done(first, Exit.asVoid(exit)), Exit.isSuccess(exit) ? Effect.void : Effect.never)
          )
        : Effect.ignore(Effect.sandbox(reloadWith(load)))
    ).pipe(
      Effect.zipRight(
        Effect.suspend(() =>
          generation === undefined
            ? TlsConfigError.of("InvalidOptions", "", "the stream of contexts ended before its first")
            : Effect.void
        )
      ),
      Effect.catchAllCause((cause: Cause.Cause<Failure>) =>
        generation === undefined ? Deferred.failCause(first, cause) : failed(cause)
      ),
      Effect.interruptible,
      Effect.forkScoped
    )
    yield* Deferred.await(first)

    return {
      [TypeId]: TypeId,
      current: Effect.sync(() => generation!.context),
      acquire: Effect.map(
        Effect.acquireRelease(
          Effect.sync(() => generation!.hold()),
          (held) => held.release
        ),
        ({ context }) => context
      ),
      reload: Effect.provide(
        Effect.suspend(() => reloadWith(lastLoad!)),
        needs
      ),
      events: Stream.fromPubSub(events)
    } satisfies ReloadingContext<Failure> as ReloadingContext<E | E2>
  })

/**
 * Loads at once, and again at each element of `when`, one after the other. What a load acquires is freed when no handshake
 * and no connection holds its context any more. A load that fails at first fails this; later it is an event, a warning
 * in the log and `TlsMetrics.contextReloads`, as is one that is no longer good for what the last one was (a server
 * without an identity), or that takes longer than `timeout`, a minute unless told.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <E, R, E2, R2>(options: {
  readonly load: Effect.Effect<SecureContext, E, R>
  readonly when: Stream.Stream<unknown, E2, R2>
  readonly timeout?: Duration.DurationInput
}): Effect.Effect<
  ReloadingContext<E | E2>,
  E | E2 | TlsConfigError,
  Exclude<R, Scope.Scope> | R2 | CryptoProvider | Scope.Scope
> =>
  // Both at once: what happens while the first is loaded is not missed.
  follow(
    Stream.merge(
      Stream.succeed(options.load),
      Stream.map(options.when, () => options.load)
    ),
    options.timeout
  )

/**
 * Loads at once, and again as a Schedule says.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromSchedule = <E, R, Out, R2>(options: {
  readonly load: Effect.Effect<SecureContext, E, R>
  readonly schedule: Schedule.Schedule<Out, unknown, R2>
  readonly timeout?: Duration.DurationInput
}): Effect.Effect<
  ReloadingContext<E>,
  E | TlsConfigError,
  Exclude<R, Scope.Scope> | R2 | CryptoProvider | Scope.Scope
> => {
  const { schedule, ...others } = options
  return make({ ...others, when: Stream.fromSchedule(schedule) })
}

/**
 * Makes a context of each options in a Stream; the first must be right. After the Stream's end the last one stays.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromStream = <E, R>(
  options: Stream.Stream<SecureContextOptions, E, R>
): Effect.Effect<ReloadingContext<E | TlsConfigError>, E | TlsConfigError, R | CryptoProvider | Scope.Scope> =>
  follow(Stream.map(options, SecureContexts.make))
