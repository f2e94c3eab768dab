import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as Suite from "../../conformance/Suite.ts"

describe("Suite.timed", () => {
  const counted = () => {
    let times = 0
    return Effect.sync(() => ++times)
  }

  it.effect("asks once what is quick, and again what took long", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* Suite.timed(counted())).given, 1)
      const slow = counted()
      const { milliseconds } = yield* Suite.timed(slow, -1)
      assert.isAtLeast(milliseconds, 0)
      assert.strictEqual(yield* slow, 3)
    })
  )

  it.effect("gives up on what does not end", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(Suite.timed(Effect.never))
      yield* TestClock.adjust(10 * Suite.longest)
      assert.isUndefined((yield* Fiber.join(fiber)).given)
    })
  )
})
