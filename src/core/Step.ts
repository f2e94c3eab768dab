/**
 * An Effect that is often done at once: the next message is already here, there is room to write. In a generator
 * `yield*` then takes its result without a turn of the fiber, which a handshake would otherwise need a hundred of.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import type { YieldWrap } from "effect/Utils"

/**
 * A fiber that has always something to do lets others run after so many steps, as it does by itself after 2048 turns: for
 * that, steps that take no turn have to be counted too.
 */
const mostInARow = 128
let inARow = 0

/**
 * `attempt` gives the result as an Exit when it is there, and otherwise what to wait for. It is called each time the
 * step is run.
 *
 * @since 0.1.0
 * @category models
 */
export class Step<A, E = never, R = never> extends Effectable.Class<A, E, R> {
  readonly attempt: () => Effect.Effect<A, E, R>

  constructor(attempt: () => Effect.Effect<A, E, R>) {
    super()
    this.attempt = attempt
  }

  commit(): Effect.Effect<A, E, R> {
    return this.attempt()
  }

  override [Symbol.iterator](): Effect.EffectGenerator<Effect.Effect<A, E, R>> {
    // Before the step and not behind it: an interruption must find nothing half done.
    if (++inARow === mostInARow) {
      inARow = 0
      return Effect.zipRight(Effect.yieldNow(), this)[Symbol.iterator]()
    }
    const effect = this.attempt()
    const success = successOf(effect)
    // All that is asked of a generator that yields nothing is to be an iterator that is done.
    return (success === undefined ? effect[Symbol.iterator]() : new Done(success.value)) as Effect.EffectGenerator<
      Effect.Effect<A, E, R>
    >
  }
}

class Done<A> {
  readonly done = true
  readonly value: A

  constructor(value: A) {
    this.value = value
  }

  next(): this {
    return this
  }
}

/**
 * The success that an effect already is.
 *
 * @since 0.1.0
 * @category running
 */
export const successOf = <A, E, R>(effect: Effect.Effect<A, E, R>): Exit.Success<A, never> | undefined =>
  Exit.isExit(effect) && Exit.isSuccess(effect) ? (effect as Exit.Success<A, never>) : undefined

/**
 * Begins an effect where nobody can wait for it: a step is attempted, and the result given if it is there. Other effects
 * are given back as they are.
 *
 * @since 0.1.0
 * @category running
 */
export const begin = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  effect instanceof Step ? (effect as Step<A, E, R>).attempt() : effect

/**
 * The same with another error, and still done at once if it is.
 *
 * @since 0.1.0
 * @category combinators
 */
export const mapError = <A, E, R, E2>(effect: Effect.Effect<A, E, R>, f: (error: E) => E2): Effect.Effect<A, E2, R> =>
  new Step((): Effect.Effect<A, E2, R> => {
    const begun = begin(effect)
    return successOf(begun) ?? Effect.mapError(begun, f)
  })

/**
 * A synchronous computation; `onThrow` makes its error of whatever it throws.
 *
 * @since 0.1.0
 * @category constructors
 */
export const attempt = <A, E>(compute: () => A, onThrow: (cause: unknown) => E): Effect.Effect<A, E> =>
  new Step(() => {
    try {
      return Exit.succeed(compute())
    } catch (cause) {
      return Exit.fail(onThrow(cause))
    }
  })

/**
 * As `Effect.gen`, but run at once as far as its steps are done: it becomes a program of the fiber only at the first
 * that has to wait.
 *
 * @since 0.1.0
 * @category constructors
 */
export const gen = <Eff extends YieldWrap<Effect.Effect<unknown, unknown, unknown>>, A>(
  body: () => Generator<Eff, A, never>
): Effect.Effect<
  A,
  [Eff] extends [YieldWrap<Effect.Effect<infer _A, infer E, infer _R>>] ? E : never,
  [Eff] extends [YieldWrap<Effect.Effect<infer _A, infer _E, infer R>>] ? R : never
> =>
  new Step(() => {
    const program = body()
    const first = program.next(undefined as never)
    if (first.done === true) return Exit.succeed(first.value)
    return Effect.gen(function* () {
      let turn: IteratorResult<Eff, A> = first
      while (turn.done !== true) turn = program.next((yield turn.value) as never)
      return turn.value
    }) as Effect.Effect<A, never, never>
  })

/**
 * A step that has nothing to do.
 *
 * @since 0.1.0
 * @category constructors
 */
export const nothing: Step<void> = new Step(() => Effect.void)
