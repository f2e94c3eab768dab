/**
 * One at a time. As a Semaphore of one permit, but it says whether it is free, so that what is done at once need not take
 * it, and it costs nothing while it is free.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { Signal } from "./Signal.ts"

/**
 * @since 0.1.0
 * @category models
 */
export class Mutex {
  #isTaken = false
  readonly #freed = new Signal()

  get isFree(): boolean {
    return !this.#isTaken
  }

  /** Runs an effect when nobody else does. */
  withLock<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.uninterruptibleMask((restore) => {
      const enter = (): Effect.Effect<A, E, R> => {
        if (this.#isTaken) return Effect.flatMap(restore(this.#freed.until(() => this.isFree)), enter)
        this.#isTaken = true
        return Effect.matchCauseEffect(restore(effect), {
          onFailure: (cause) => {
            this.#leave()
            return Effect.failCause(cause)
          },
          onSuccess: (result) => {
            this.#leave()
            return Effect.succeed(result)
          }
        })
      }
      return enter()
    })
  }

  #leave(): void {
    this.#isTaken = false
    this.#freed.notify()
  }
}
