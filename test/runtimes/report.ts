/** What runs inside a runtime, and what it tells the test that started it. */
import { Cause, Effect, Equal, Exit } from "effect"

/** One thing that was tried; `error` is there when it failed. */
export interface Check {
  readonly group: string
  readonly name: string
  readonly ms: number
  readonly error?: string
}

export class Mismatch extends Error {
  readonly _tag = "Mismatch"
}

export const expect = <A>(what: string, actual: A, expected: A): Effect.Effect<void, Mismatch> =>
  Equal.equals(actual, expected)
    ? Effect.void
    : Effect.fail(new Mismatch(`${what}: expected ${String(expected)}, found ${String(actual)}`))

export const expectBytes = (what: string, actual: Uint8Array, expected: Uint8Array): Effect.Effect<void, Mismatch> => {
  if (actual.length !== expected.length) {
    return Effect.fail(new Mismatch(`${what}: expected ${expected.length} bytes, found ${actual.length}`))
  }
  const at = actual.findIndex((byte, i) => byte !== expected[i])
  return at < 0 ? Effect.void : Effect.fail(new Mismatch(`${what}: byte ${at} of ${actual.length} is wrong`))
}

/** Longer than anything should take on a busy machine. */
const patience = "20 seconds"

/** Tries something. Whatever comes of it is a Check, a defect and a hang too. */
export const check = <E, R>(group: string, name: string, effect: Effect.Effect<void, E, R>) =>
  Effect.gen(function* () {
    const began = Date.now()
    const exit = yield* Effect.exit(
      Effect.timeoutFail(Effect.scoped(effect), {
        duration: patience,
        onTimeout: () => new Mismatch(`not done after ${patience}`)
      })
    )
    return {
      group,
      name,
      ms: Date.now() - began,
      ...(Exit.isSuccess(exit) ? {} : { error: Cause.pretty(exit.cause) })
    } satisfies Check as Check
  })
