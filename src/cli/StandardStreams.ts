/**
 * Standard input, output and error as a command between pipes needs them: bytes exact, back-pressure both ways, and a
 * reader that went away is no crash.
 *
 * @since 0.1.0
 */
import * as NodeStream from "@effect/platform-node/NodeStream"
import type * as Chunk from "effect/Chunk"
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"

/**
 * Standard input cannot be read, or standard output cannot be written for another reason than that nobody reads it.
 *
 * @since 0.1.0
 * @category errors
 */
export class StreamError extends Data.TaggedError("StreamError")<{
  readonly stream: "standard input" | "standard output"
  readonly cause: unknown
}> {
  override get message(): string {
    const problem = this.cause instanceof Error ? this.cause.message : String(this.cause)
    return `${this.stream} cannot be ${this.stream === "standard input" ? "read" : "written"}: ${problem}`
  }
}

/**
 * Whoever read our standard output has gone.
 *
 * @since 0.1.0
 * @category errors
 */
export class BrokenPipe extends Data.TaggedError("BrokenPipe") {}

/**
 * Standard input. Not a byte is taken from it before this runs.
 *
 * @since 0.1.0
 * @category streams
 */
export const input: Stream.Stream<Uint8Array, StreamError> = NodeStream.fromReadable(
  () => process.stdin,
  (cause) => new StreamError({ stream: "standard input", cause })
)

// Each write has its error; the event is that of all of them, and without a listener a crash.
const ignore = () => {}
const output = () => withoutCrash(process.stdout)
const errors = () => withoutCrash(process.stderr)
const withoutCrash = (stream: NodeJS.WriteStream) =>
  stream.listeners("error").includes(ignore) ? stream : stream.on("error", ignore)

/**
 * Writes to standard output, and completes when the bytes are out.
 *
 * @since 0.1.0
 * @category streams
 */
export const writeOutput = (chunks: Chunk.Chunk<Uint8Array>): Effect.Effect<void, StreamError | BrokenPipe> =>
  Effect.async((resume) => {
    const stdout = output()
    stdout.cork()
    for (const chunk of chunks) stdout.write(chunk)
    stdout.write("", (cause) => {
      if (cause === null || cause === undefined) resume(Effect.void)
      else if ((cause as NodeJS.ErrnoException).code === "EPIPE") resume(new BrokenPipe())
      else resume(new StreamError({ stream: "standard output", cause }))
    })
    stdout.uncork()
  })

/**
 * Prints a line, or several, to standard error: for callbacks. Effects use the Console.
 *
 * @since 0.1.0
 * @category printing
 */
export const printError = (text: string): void => void errors().write(`${text}\n`)

/**
 * Waits for what was printed to be out.
 *
 * @since 0.1.0
 * @category printing
 */
export const endStreams = (then: () => void): void => {
  output().write("", () => errors().write("", () => then()))
}

const escapes = /\u001b\[[0-9;]*m/g

/**
 * A Console on the standard streams. `@effect/cli` prints with colours whatever it prints to: they are taken out where
 * nobody would see them.
 *
 * @since 0.1.0
 * @category printing
 */
export const withConsole = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Console.consoleWith((console) => {
    const print =
      (stream: () => NodeJS.WriteStream) =>
      (...args: ReadonlyArray<unknown>) =>
        Effect.sync(() => {
          const text = args.map(String).join(" ").replace(/ +$/gm, "").trimEnd()
          const colours = stream().isTTY && process.env["NO_COLOR"] === undefined
          stream().write(`${colours ? text : text.replace(escapes, "")}\n`)
        })
    return Effect.withConsole(effect, { ...console, log: print(output), error: print(errors) })
  })
