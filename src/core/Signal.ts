/**
 * A condition that fibers wait for. Smaller than a Latch, since idle connections hold several: nothing is kept while
 * nobody waits.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"

type Resume = (effect: Effect.Effect<void>) => void

/**
 * @since 0.1.0
 * @category models
 */
export class Signal {
  #waiting: Set<Resume> | undefined

  /** Waits until somebody notifies, unless it is `ready` by then. Whoever wakes looks at the state again. */
  until(ready: () => boolean): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      // A fiber may have yielded between its look at the state and here.
      if (ready()) {
        resume(Effect.void)
        return
      }
      const waiting = (this.#waiting ??= new Set())
      waiting.add(resume)
      return Effect.sync(() => void waiting.delete(resume))
    })
  }

  /** Wakes all that wait. */
  notify(): void {
    const waiting = this.#waiting
    if (waiting === undefined) return
    this.#waiting = undefined
    for (const resume of waiting) resume(Effect.void)
  }
}
