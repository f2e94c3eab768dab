/**
 * Bytes that events push in and a `Duplex` pulls out: what a transport over callbacks (a WebSocket, a MessagePort) needs
 * to keep the contract of `Duplex.pull`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { TransportError } from "../schema/TlsError.ts"
import * as Step from "./Step.ts"
import type { Duplex } from "./Transport.ts"

/**
 * `unsafeOffer`, `unsafeEnd` and `unsafeFail` are for the callbacks; `buffered` is what waits, in bytes, so that a source
 * that can be paused may be. After an end or a failure nothing is taken in any more.
 *
 * @since 0.1.0
 * @category models
 */
export interface Inbox {
  readonly pull: Duplex["pull"]
  readonly buffered: () => number
  readonly unsafeOffer: (bytes: Uint8Array) => void
  readonly unsafeEnd: () => void
  readonly unsafeFail: (error: TransportError) => void
}

/**
 * An empty inbox.
 *
 * @example
 * import { Effect, Option } from "effect"
 * import { Inbox } from "effect-tls"
 *
 * const first = Effect.gen(function* () {
 *   const inbox = Inbox.unsafeMake()
 *   inbox.unsafeOffer(Uint8Array.of(1, 2, 3))
 *   return Option.getOrThrow(yield* inbox.pull)
 * })
 *
 * @since 0.1.0
 * @category constructors
 */
export const unsafeMake = (): Inbox => {
  const chunks: Array<Uint8Array> = []
  const arrived = Effect.unsafeMakeLatch(false)
  let buffered = 0
  let end: Effect.Effect<Option.Option<Uint8Array>, TransportError> | undefined
  const finish = (how: Effect.Effect<Option.Option<Uint8Array>, TransportError>) => {
    end ??= how
    arrived.unsafeOpen()
  }
  const pull: Duplex["pull"] = new Step.Step((): Duplex["pull"] => {
    const chunk = chunks.shift()
    if (chunk !== undefined) {
      buffered -= chunk.length
      return Effect.succeedSome(chunk)
    }
    if (end !== undefined) return end
    arrived.unsafeClose()
    // Only the waiting can be interrupted: what was taken out is always given to somebody.
    return Effect.zipRight(Effect.interruptible(arrived.await), pull)
  })
  return {
    pull,
    buffered: () => buffered,
    unsafeOffer: (bytes) => {
      if (end !== undefined || bytes.length === 0) return
      chunks.push(bytes)
      buffered += bytes.length
      arrived.unsafeOpen()
    },
    unsafeEnd: () => finish(Effect.succeed(Option.none())),
    unsafeFail: (error) => finish(Effect.fail(error))
  }
}
