/**
 * What `node:crypto` does in the thread pool, as an Effect.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as CryptoFailure from "../core/CryptoFailure.ts"
import type { CryptoError } from "../core/CryptoProvider.ts"

/**
 * `begin` starts the work and has it call `done`; what it throws, or `done` is given, is a `CryptoError` for `reason`.
 * There is no stopping what has begun there: on interruption its result is dropped.
 *
 * @since 0.1.0
 * @category running
 */
export const run = <A>(
  reason: CryptoError["reason"],
  operation: string,
  begin: (done: (error: Error | null | undefined, result: A) => void) => void
): Effect.Effect<A, CryptoError> =>
  Effect.async((resume) => {
    const fail = (cause: unknown) => resume(Effect.fail(CryptoFailure.from(reason, operation)(cause)))
    try {
      // Bun says undefined where Node says null.
      begin((error, result) => (error === null || error === undefined ? resume(Effect.succeed(result)) : fail(error)))
    } catch (error) {
      fail(error)
    }
  })
