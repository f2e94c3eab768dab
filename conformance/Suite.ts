/** What the conformance programs share: a suite from a file, and a count of how its cases went. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { readFileSync } from "node:fs"
import { gunzipSync } from "node:zlib"

/** A suite that cannot be run: the program says why and ends with 2. */
export class UnusableSuite extends Schema.TaggedError<UnusableSuite>()("UnusableSuite", { message: Schema.String }) {}

/** The JSON of a file, gzipped or not. */
export const readJson = (variable: string, path: string | undefined): Effect.Effect<unknown, UnusableSuite> =>
  Effect.try({
    try: (): unknown => {
      if (path === undefined || path === "") throw new Error(`say where the suite is: ${variable}=path`)
      const bytes = readFileSync(path)
      const text = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes
      return JSON.parse(text.toString("utf8"))
    },
    catch: (error) => new UnusableSuite({ message: (error as Error).message })
  })

/** How one case went. `note` says why, for people. */
export interface Outcome {
  readonly name: string
  readonly result: "passed" | "false accept" | "false reject" | "skipped"
  readonly note: string
  readonly milliseconds: number
}

/** `passed` when the verdict is the one expected, else which way it is wrong. */
export const compare = (isAccepted: boolean, isExpected: boolean): Outcome["result"] =>
  isAccepted === isExpected ? "passed" : isAccepted ? "false accept" : "false reject"

/** No case has a reason to take longer, however hostile it is. */
export const longest = 1000

/**
 * The answer to a case and how long it took, `undefined` for one that does not end. One that took long is asked again,
 * once, and the shorter time counts: what else a machine does is not the case's fault.
 */
export const timed = <A, E>(
  answer: Effect.Effect<A, E>,
  limit = longest
): Effect.Effect<{ readonly given: A | undefined; readonly milliseconds: number }, E> => {
  const once = Effect.suspend(() => {
    const start = performance.now()
    const ended = Effect.timeoutTo(answer, {
      duration: 10 * limit,
      onSuccess: (given): A | undefined => given,
      onTimeout: () => undefined
    })
    return Effect.map(ended, (given) => ({ given, milliseconds: performance.now() - start }))
  })
  return Effect.flatMap(once, (first) =>
    first.milliseconds <= limit || first.given === undefined
      ? Effect.succeed(first)
      : Effect.map(once, (second) => (second.milliseconds < first.milliseconds ? second : first))
  )
}

/** Whether there is nothing to look at. */
export const isFine = ({ milliseconds, result }: Outcome): boolean =>
  milliseconds <= longest && (result === "passed" || result === "skipped")

/** The count of a suite in one line. */
export const summary = (suite: string, outcomes: ReadonlyArray<Outcome>): string => {
  const count = (result: Outcome["result"]) => outcomes.filter((outcome) => outcome.result === result).length
  return (
    `${suite}: ${count("passed")} passed, ${count("false accept")} false accepts, ` +
    `${count("false reject")} false rejects, ${count("skipped")} skipped`
  )
}

/** The cases somebody should look at, a line each. */
export const remarks = (suite: string, outcomes: ReadonlyArray<Outcome>): ReadonlyArray<string> =>
  outcomes.flatMap(({ milliseconds, name, note, result }) => [
    ...(result === "passed" ? [] : [`${suite}: ${result}: ${name}${note === "" ? "" : `: ${note.split("\n")[0]}`}`]),
    ...(milliseconds > longest ? [`${suite}: slow: ${name}: ${Math.round(milliseconds)} ms`] : [])
  ])

/** Runs a program to its exit code, which is 2 when there is no suite to run. */
export const run = async (suite: string, program: Effect.Effect<number, UnusableSuite>): Promise<void> => {
  const code = Effect.catchAll(program, ({ message }) =>
    Effect.sync(() => {
      console.error(`${suite}: ${message}`)
      return 2
    })
  )
  process.exitCode = await Effect.runPromise(code)
}
