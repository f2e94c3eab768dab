/**
 * Runs a handshake over a duplex: its deadline, the alert of its failure, and the connection of its success.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import type { LazyArg } from "effect/Function"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import type { ServerName } from "../schema/ServerName.ts"
import type { TlsError, TransportError } from "../schema/TlsError.ts"
import { HandshakeError, TlsTimeoutError } from "../schema/TlsError.ts"
import type { CryptoProvider, CryptoProviderService } from "./CryptoProvider.ts"
import type { Established } from "./Established.ts"
import type { Role } from "./HandshakeChannel.ts"
import { HandshakeChannel } from "./HandshakeChannel.ts"
import type { HandshakePolicy } from "./HandshakePolicy.ts"
import * as HandshakeSpan from "./HandshakeSpan.ts"
import { HandshakeTrace } from "./HandshakeTrace.ts"
import * as TlsConnection from "./TlsConnection.ts"
import * as TlsMetrics from "./TlsMetrics.ts"
import type { Duplex } from "./Transport.ts"

/**
 * An effect with so much time for it, in a Scope. It runs in a fiber of its own, so that the deadline is the deadline
 * whatever a hook does when it is interrupted, and however long that takes. `Effect.disconnect`, `timeoutFail` and
 * `Scope.extend` would say the same with two fibers and several copies of the fiber's references more, and those are most
 * of what a handshake costs besides its cryptography.
 */
const within = <A, E, R, E2>(
  effect: Effect.Effect<A, E, R>,
  options: {
    readonly scope: Scope.Scope
    readonly duration: Duration.Duration
    readonly onTimeout: LazyArg<E2>
  }
): Effect.Effect<A, E | E2, Exclude<R, Scope.Scope>> =>
  Effect.flatMap(Effect.runtime<Exclude<R, Scope.Scope>>(), ({ context, fiberRefs, runtimeFlags }) =>
    Effect.async<A, E | E2>((resume) => {
      const inScope = Context.add(context, Scope.Scope, options.scope) as Context.Context<R>
      const fork = Runtime.runFork(Runtime.make<R>({ context: inScope, fiberRefs, runtimeFlags }))
      const fiber = fork(Effect.interruptible(effect))
      const timer = fork(Effect.interruptible(Effect.sleep(options.duration)))
      fiber.addObserver((exit) => {
        timer.unsafeInterruptAsFork(FiberId.none)
        resume(exit)
      })
      timer.addObserver((exit) => {
        if (Exit.isFailure(exit)) return
        const error = options.onTimeout()
        fiber.unsafeInterruptAsFork(FiberId.none)
        resume(Effect.fail(error))
      })
      return Effect.sync(() => {
        timer.unsafeInterruptAsFork(FiberId.none)
        fiber.unsafeInterruptAsFork(FiberId.none)
      })
    })
  )

/**
 * @since 0.1.0
 * @category models
 */
export interface RunOptions<R> {
  readonly role: Role
  /** The duplex, or how to come by one: it is acquired in the connection's Scope, and the deadline covers that too. */
  readonly duplex: Effect.Effect<Duplex, TransportError, R>
  readonly crypto: CryptoProviderService
  readonly policy: HandshakePolicy
  /** What a client asks for. */
  readonly serverName?: Option.Option<ServerName>
  readonly handshake: (flight: HandshakeChannel) => Effect.Effect<Established, TlsError, CryptoProvider>
}

/**
 * The connection that `handshake` makes of a duplex, in a Scope that the caller closes when this fails. Whatever goes
 * wrong, the peer is told what it may know.
 *
 * @since 0.1.0
 * @category constructors
 */
export const runIn = <R>(
  scope: Scope.Scope,
  { crypto, duplex, handshake, policy, role, serverName = Option.none() }: RunOptions<R>
): Effect.Effect<TlsConnection.TlsConnection, TlsError, Exclude<R, Scope.Scope> | CryptoProvider> =>
  Effect.withFiberRuntime<TlsConnection.TlsConnection, TlsError, Exclude<R, Scope.Scope> | CryptoProvider>((fiber) => {
    // Asked of the fiber once, and not in a step each: nobody may be looking.
    const clock = Context.get(fiber.currentDefaultServices, Clock.Clock)
    const labels = fiber.getFiberRef(FiberRef.currentMetricLabels)
    const spans = HandshakeSpan.isWatched(fiber.currentTracer)
    let started = 0n
    let flight: HandshakeChannel | undefined
    let timedOut: TlsError | undefined
    const handshakeOverDuplex = Effect.flatMap(duplex, (opened) =>
      Effect.flatMap(HandshakeTrace, (trace) => {
        flight = new HandshakeChannel({
          role,
          duplex: opened,
          crypto,
          limits: policy.limits,
          maxFragment: policy.maxFragment,
          recordPadding: policy.recordPadding,
          trace,
          spans
        })
        started = clock.unsafeCurrentTimeNanos()
        return spans
          ? HandshakeSpan.handshake(flight, { serverName, timedOut: () => timedOut }, handshake(flight))
          : handshake(flight)
      })
    )
    const duration = policy.handshakeTimeout
    const onTimeout = (): TlsError =>
      (timedOut = new TlsTimeoutError({
        ...(flight === undefined ? { reason: "Dial", phase: "dial" } : { reason: "Handshake", phase: flight.phase }),
        duration: Duration.toMillis(duration)
      }))
    // From the last message of the handshake to the connection in its Scope there is no place to be interrupted: the
    // peer is either told that the handshake ends or that the connection does.
    return Effect.uninterruptibleMask((restore) =>
      Effect.matchCauseEffect(restore(within(handshakeOverDuplex, { scope, duration, onTimeout })), {
        onFailure: (cause) => {
          if (flight === undefined) return Effect.failCause(cause)
          const error = errorOf(flight, cause)
          TlsMetrics.unsafeFailed(role, error, labels)
          const failed = Cause.isInterruptedOnly(cause) ? Effect.failCause(cause) : Effect.fail(error)
          return Effect.zipRight(flight.abandon(error), failed)
        },
        onSuccess: (established) => {
          const seconds = Number(clock.unsafeCurrentTimeNanos() - started) / 1e9
          TlsMetrics.unsafeEstablished(role, established.info.version, seconds, labels)
          return TlsConnection.open(flight!, established, scope, () => TlsMetrics.unsafeClosed(role, labels))
        }
      })
    ) as Effect.Effect<TlsConnection.TlsConnection, TlsError, Exclude<R, Scope.Scope> | CryptoProvider>
  })

/** The protocol's error of whatever ended a handshake. */
const errorOf = ({ phase }: HandshakeChannel, cause: Cause.Cause<TlsError>): TlsError =>
  Option.getOrElse(Cause.failureOption(cause), () =>
    Cause.isInterruptedOnly(cause)
      ? new HandshakeError({ reason: "Interrupted", message: "the handshake was interrupted", phase })
      : new HandshakeError({ reason: "CryptoFailed", message: "a defect", phase, cause: Cause.squash(cause) })
  )

/**
 * Makes a connection in a Scope of its own within the current one: on failure everything is freed at once, not when the
 * caller's Scope ends.
 *
 * @since 0.1.0
 * @category constructors
 */
export const inOwnScope = <A, E, R>(
  make: (scope: Scope.Scope) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R | Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.scope, (parent) =>
      Effect.flatMap(Scope.make(), (scope) =>
        Effect.matchCauseEffect(restore(make(scope)), {
          onFailure: (cause) => Effect.zipRight(Scope.close(scope, Exit.failCause(cause)), Effect.failCause(cause)),
          onSuccess: (connection) =>
            Effect.as(
              Scope.addFinalizerExit(parent, (exit) => Scope.close(scope, exit)),
              connection
            )
        })
      )
    )
  )
