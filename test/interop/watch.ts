/** Waiting for what a peer does: events and lines, never time. */
import { Effect } from "effect"

/** Longer than anything should take, shorter than a test may: so that a test fails with what the peer said. */
const patience = "8 seconds"

export class PeerFailure extends Error {
  readonly _tag = "PeerFailure"
}

export class Watched {
  readonly #watchers = new Set<() => void>()

  /** Something happened: whoever waits looks again. */
  readonly changed = (): void => this.#watchers.forEach((look) => look())

  /** Looks now, and whenever something happened, until `look` finds it. `because` explains why it never will. */
  until<A>(what: string, look: () => A | undefined, because: () => string | undefined): Effect.Effect<A, PeerFailure> {
    const failure = (problem: string) => new PeerFailure(`${problem} before ${what}`)
    return Effect.async<A, PeerFailure>((resume) => {
      const watch = () => {
        const found = look()
        const never = found === undefined ? because() : undefined
        if (found === undefined && never === undefined) return
        this.#watchers.delete(watch)
        resume(found === undefined ? Effect.fail(failure(never!)) : Effect.succeed(found))
      }
      this.#watchers.add(watch)
      watch()
      return Effect.sync(() => void this.#watchers.delete(watch))
    }).pipe(Effect.timeoutFail({ duration: patience, onTimeout: () => failure("time was up") }))
  }
}
