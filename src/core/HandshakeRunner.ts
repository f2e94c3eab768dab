/**
 * Runs a handshake over a duplex: its deadline, the alert of its failure, and the connection of its success.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { TlsError } from "../schema/TlsError.ts"
import { TlsTimeoutError } from "../schema/TlsError.ts"
import type { CryptoProviderService } from "./CryptoProvider.ts"
import type { Established } from "./Established.ts"
import type { Role } from "./HandshakeChannel.ts"
import { HandshakeChannel } from "./HandshakeChannel.ts"
import type { HandshakePolicy } from "./HandshakePolicy.ts"
import { HandshakeTrace } from "./HandshakeTrace.ts"
import * as TlsConnection from "./TlsConnection.ts"
import type { Duplex } from "./Transport.ts"

/** The protocol's error of whatever ended a handshake. */
const errorOf = (flight: HandshakeChannel, cause: Cause.Cause<TlsError>): TlsError =>
  Option.getOrElse(Cause.failureOption(cause), () => flight.error("Interrupted", "the handshake was interrupted"))

/**
 * The connection that `handshake` makes of a duplex. Whatever goes wrong, the peer is told what it may know.
 *
 * @since 0.1.0
 * @category constructors
 */
export const run = Effect.fnUntraced(function* (options: {
  readonly role: Role
  readonly duplex: Duplex
  readonly crypto: CryptoProviderService
  readonly policy: HandshakePolicy
  readonly handshake: (flight: HandshakeChannel) => Effect.Effect<Established, TlsError>
}) {
  const { crypto, duplex, handshake, policy, role } = options
  const flight = new HandshakeChannel({
    role,
    duplex,
    crypto,
    limits: policy.limits,
    maxFragment: policy.maxFragment,
    recordPadding: policy.recordPadding,
    trace: yield* HandshakeTrace
  })
  // From the last message of the handshake to the connection in its Scope there is no place to be interrupted: the peer
  // is either told that the handshake ends or that the connection does.
  return yield* Effect.uninterruptibleMask((restore) =>
    handshake(flight).pipe(
      Effect.catchAllDefect((defect) => flight.fail("CryptoFailed", "a defect", defect)),
      // Whatever a hook does when it is interrupted, and however long that takes, the deadline is the deadline.
      Effect.disconnect,
      Effect.interruptible,
      Effect.timeoutFail({
        duration: policy.handshakeTimeout,
        onTimeout: () =>
          new TlsTimeoutError({
            reason: "Handshake",
            phase: flight.phase,
            duration: Duration.toMillis(policy.handshakeTimeout)
          })
      }),
      restore,
      Effect.onError((cause) => flight.abandon(errorOf(flight, cause))),
      Effect.flatMap((established) => TlsConnection.open(flight, established))
    )
  )
})

/**
 * Runs in a Scope of its own within the current one: on failure everything is freed at once, not when the caller's Scope
 * ends.
 *
 * @since 0.1.0
 * @category resources
 */
export const acquire = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.scope, (parent) =>
      Effect.flatMap(Scope.fork(parent, parent.strategy), (scope) =>
        Effect.onExit(Scope.extend(restore(effect), scope), (exit) =>
          Exit.isSuccess(exit) ? Effect.void : Scope.close(scope, exit)
        )
      )
    )
  )
