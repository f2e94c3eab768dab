/**
 * On what terms a session may be resumed: what both sides of a handshake ask of one.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { LazyArg } from "effect/Function"
import * as Option from "effect/Option"
import type { CipherSuiteInfo } from "../schema/CipherSuite.ts"
import * as CipherSuite from "../schema/CipherSuite.ts"
import type { Session } from "../schema/Session.ts"
import type { CryptoProviderService } from "./CryptoProvider.ts"

/**
 * `psk_dhe_ke`: the session's secret together with a fresh key agreement. The other mode would give up forward secrecy, and
 * is never offered nor accepted.
 *
 * @since 0.1.0
 * @category constants
 */
export const pskWithKeyAgreement = 1

/**
 * Seconds that no session is resumed beyond, neither from its ticket nor from the handshake that showed certificates
 * (RFC 9846 §4.6.1).
 *
 * @since 0.1.0
 * @category constants
 */
export const mostLifetime = 604_800

/**
 * Whether a session is young enough, and its secret of the suite's hash (RFC 9846 §4.2.11). `lifetime` is the most that is
 * wanted here, in seconds, and `skew` how far in the future it may have begun, in milliseconds.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isFor = (
  { authenticatedAt, cipherSuite, createdAt, lifetime: promised }: Session,
  {
    lifetime,
    now,
    skew,
    suite
  }: { readonly lifetime: number; readonly now: number; readonly skew: number; readonly suite: CipherSuiteInfo }
): boolean =>
  CipherSuite.info(cipherSuite)?.hash === suite.hash &&
  createdAt <= now + skew &&
  now < createdAt + Math.min(promised, lifetime) * 1000 &&
  now < authenticatedAt + mostLifetime * 1000

/**
 * A hash of what has to be the same for a session to be resumed.
 *
 * @since 0.1.0
 * @category constructors
 */
export const binding = (crypto: CryptoProviderService, parts: ReadonlyArray<string>): Uint8Array =>
  crypto.hash("SHA-256", new TextEncoder().encode(JSON.stringify(parts)))

/**
 * Bytes at the end of a ClientHello that its binders do not cover: themselves (RFC 9846 §4.2.11.2).
 *
 * @since 0.1.0
 * @category lookups
 */
export const bindersLength = (binders: ReadonlyArray<Uint8Array>): number =>
  binders.reduce((length, binder) => length + 1 + binder.length, 2)

/**
 * What ticket keys or a cache find. That they fail or die, or give what `isResult` knows to be none, is no reason for a
 * handshake to fail: it is done without. Of why only the kind is logged, since the rest may hold what was to be kept.
 *
 * @since 0.1.0
 * @category hooks
 */
export const orNone = <A>(
  what: string,
  effect: LazyArg<Effect.Effect<Option.Option<A>, unknown>>,
  isResult: (result: A) => boolean = () => true
): Effect.Effect<Option.Option<A>> =>
  // Not a step, which now and then lets others run first: what is in memory is done here and now.
  Effect.suspend((): Effect.Effect<Option.Option<A>> => {
    const failed = (cause: Cause.Cause<unknown>): Effect.Effect<Option.Option<A>> => {
      const error = Cause.squash(cause)
      const kind = error instanceof Error ? error.name : typeof error
      return Effect.as(Effect.logDebug(`${what} failed with ${kind}`), Option.none())
    }
    try {
      return Effect.matchCauseEffect(effect(), {
        onFailure: failed,
        onSuccess: (found) =>
          Option.isOption(found) && (Option.isNone(found) || isResult(found.value))
            ? Effect.succeed(found)
            : failed(Cause.die(new TypeError(`${what} gave a result of the wrong type`)))
      })
    } catch (defect) {
      return failed(Cause.die(defect))
    }
  })
