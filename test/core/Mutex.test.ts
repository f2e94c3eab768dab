import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { Mutex } from "../../src/core/Mutex.ts"
import { Signal } from "../../src/core/Signal.ts"

const settle = Effect.repeatN(Effect.yieldNow(), 20)

describe("a mutex", () => {
  it.effect("lets one in at a time, in the order they came", () =>
    Effect.gen(function* () {
      const mutex = new Mutex()
      const order: Array<string> = []
      const gates = yield* Effect.forEach([0, 1, 2], () => Deferred.make<void>())
      const fibers = yield* Effect.forEach(gates, (gate, i) =>
        Effect.fork(
          mutex.withLock(
            Effect.gen(function* () {
              order.push(`in ${i}`)
              yield* Deferred.await(gate)
              order.push(`out ${i}`)
            })
          )
        )
      )
      yield* settle
      assert.isFalse(mutex.isFree)
      assert.deepStrictEqual(order, ["in 0"])
      // Open to all, but it is still one after the other.
      yield* Effect.forEach([...gates].reverse(), (gate) => Deferred.succeed(gate, undefined))
      yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(order, ["in 0", "out 0", "in 1", "out 1", "in 2", "out 2"])
      assert.isTrue(mutex.isFree)
    })
  )

  it.effect("is free again however what it guards ends", () =>
    Effect.gen(function* () {
      const mutex = new Mutex()
      assert.deepStrictEqual(yield* Effect.exit(mutex.withLock(Effect.fail("failed"))), Exit.fail("failed"))
      assert.isTrue(mutex.isFree)
      yield* Effect.exit(mutex.withLock(Effect.die("died")))
      assert.isTrue(mutex.isFree)
      const holder = yield* Effect.fork(mutex.withLock(Effect.never))
      yield* settle
      assert.isFalse(mutex.isFree)
      yield* Fiber.interrupt(holder)
      assert.isTrue(mutex.isFree)
      assert.strictEqual(yield* mutex.withLock(Effect.succeed(1)), 1)
    })
  )

  it.effect("is not held up by somebody who waited for it and was interrupted", () =>
    Effect.gen(function* () {
      const mutex = new Mutex()
      const holder = yield* Effect.fork(mutex.withLock(Effect.never))
      yield* settle
      const first = yield* Effect.fork(mutex.withLock(Effect.succeed("first")))
      const second = yield* Effect.fork(mutex.withLock(Effect.succeed("second")))
      yield* settle
      yield* Fiber.interrupt(first)
      yield* Fiber.interrupt(holder)
      assert.strictEqual(yield* Fiber.join(second), "second")
    })
  )
})

describe("a signal", () => {
  it.effect("wakes all that wait, and nobody who is ready has to", () =>
    Effect.gen(function* () {
      const signal = new Signal()
      let isReady = false
      const waiting = yield* Effect.fork(
        Effect.all([signal.until(() => isReady), signal.until(() => isReady)], { concurrency: "unbounded" })
      )
      yield* settle
      assert.isNull(waiting.unsafePoll())
      isReady = true
      signal.notify()
      yield* Fiber.join(waiting)
      yield* signal.until(() => isReady)
    })
  )
})
