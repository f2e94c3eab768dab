import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Step from "../../src/core/Step.ts"

/** Steps that are done at once, and in which order they were. */
const counted = (): { readonly step: (n: number) => Effect.Effect<number>; readonly order: Array<number> } => {
  const order: Array<number> = []
  return {
    order,
    step: (n) =>
      new Step.Step(() => {
        order.push(n)
        return Effect.succeed(n)
      })
  }
}

/** Runs a generator as the fiber does, and says how often it gave an effect away. */
const yields = (body: () => Generator<unknown, unknown, never>): number => {
  const program = body()
  let count = 0
  for (let turn = program.next(undefined as never); turn.done !== true; turn = program.next(undefined as never)) count++
  return count
}

describe("a step", () => {
  it("that is done at once costs a generator no turn of the fiber", () => {
    const { order, step } = counted()
    const done = yields(function* () {
      for (let i = 0; i < 64; i++) yield* step(i)
    })
    // One, if it is just now that others are let run.
    assert.isAtMost(done, 1)
    assert.isAtLeast(order.length, 63)
    assert.strictEqual(
      yields(function* () {
        yield* Effect.void
      }),
      1
    )
  })

  it.effect("lets others run after many in a row", () =>
    Effect.gen(function* () {
      const { order, step } = counted()
      const busy = Effect.gen(function* () {
        for (let i = 0; i < 10_000; i++) yield* step(i)
      })
      const other = yield* Effect.fork(Effect.sync(() => order.length))
      yield* busy
      assert.isBelow(yield* Fiber.join(other), 1000)
      assert.deepStrictEqual(
        order,
        Array.from({ length: 10_000 }, (_, i) => i)
      )
    })
  )

  it("is an effect like any other, run anew each time", () => {
    const { order, step } = counted()
    const effect = Effect.map(step(3), (n) => n + 1)
    assert.strictEqual(Effect.runSync(effect), 4)
    assert.strictEqual(Effect.runSync(effect), 4)
    assert.deepStrictEqual(order, [3, 3])
  })

  it.effect("waits where there is something to wait for", () =>
    Effect.gen(function* () {
      const latch = yield* Effect.makeLatch(false)
      const waiting = new Step.Step(() => Effect.as(latch.await, "there"))
      const fiber = yield* Effect.fork(
        Effect.gen(function* () {
          return yield* waiting
        })
      )
      yield* Effect.yieldNow()
      assert.isNull(fiber.unsafePoll())
      yield* latch.open
      assert.strictEqual(yield* Fiber.join(fiber), "there")
    })
  )

  it("fails with its error", () => {
    const failing = Step.attempt(
      () => {
        throw new TypeError("thrown")
      },
      (cause) => (cause instanceof TypeError ? "made of it" : "something else")
    )
    const inGenerator = Effect.gen(function* () {
      return yield* failing
    })
    assert.deepStrictEqual(Effect.runSyncExit(failing), Exit.fail("made of it"))
    assert.deepStrictEqual(Effect.runSyncExit(inGenerator), Exit.fail("made of it"))
    const mapped = Step.mapError(failing, (error) => `${error}, and more`)
    assert.deepStrictEqual(Effect.runSyncExit(mapped), Exit.fail("made of it, and more"))
    assert.deepStrictEqual(Effect.runSyncExit(Step.mapError(Effect.succeed(1), () => "never")), Exit.succeed(1))
  })
})

describe("Step.begin", () => {
  it("attempts a step, and leaves other effects alone", () => {
    const { order, step } = counted()
    assert.strictEqual(Step.successOf(Step.begin(step(5)))?.value, 5)
    assert.deepStrictEqual(order, [5])
    const other = Effect.sync(() => order.push(6))
    assert.strictEqual(Step.begin(other), other)
    assert.isUndefined(Step.successOf(other))
    assert.deepStrictEqual(order, [5])
  })
})

describe("Step.gen", () => {
  it("is done at once when all its steps are", () => {
    const { step } = counted()
    const program = Step.gen(function* () {
      return (yield* step(1)) + (yield* step(2))
    })
    assert.strictEqual(Step.successOf(Step.begin(program))?.value, 3)
  })

  it.effect("goes on in the fiber from the first that waits, and does nothing twice", () =>
    Effect.gen(function* () {
      const { order, step } = counted()
      const program = Step.gen(function* () {
        const one = yield* step(1)
        yield* Effect.yieldNow()
        return one + (yield* step(2))
      })
      assert.strictEqual(yield* program, 3)
      assert.deepStrictEqual(order, [1, 2])
      const failing = Step.gen(function* () {
        yield* step(3)
        return yield* Effect.fail("later")
      })
      assert.strictEqual(yield* Effect.flip(failing), "later")
    })
  )
})
