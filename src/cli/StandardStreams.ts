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
const output = () =>
  process.stdout.listeners("error").includes(ignore) ? process.stdout : process.stdout.on("error", ignore)

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
 * Prints a line, or several, to standard output.
 *
 * @since 0.1.0
 * @category printing
 */
export const printOutput = (text: string): Effect.Effect<void> => Effect.sync(() => void output().write(`${text}\n`))

/**
 * Prints a line, or several, to standard error.
 *
 * @since 0.1.0
 * @category printing
 */
export const printError = (text: string): Effect.Effect<void> => Effect.sync(() => printErrorSync(text))

/**
 * The same for callbacks.
 *
 * @since 0.1.0
 * @category printing
 */
export const printErrorSync = (text: string): void => {
  if (!process.stderr.listeners("error").includes(ignore)) process.stderr.on("error", ignore)
  process.stderr.write(`${text}\n`)
}

/**
 * Waits for what was printed to be out.
 *
 * @since 0.1.0
 * @category printing
 */
export const endStreams = (then: () => void): void => {
  output().write("", () => process.stderr.write("", () => then()))
}

const escapes = /\u001b\[[0-9;]*m/g

/**
 * `@effect/cli` prints with colours whatever it prints to: they are taken out where nobody would see them.
 *
 * @since 0.1.0
 * @category printing
 */
export const plainConsole = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Console.consoleWith((console) => {
    const plain =
      (stream: NodeJS.WriteStream, print: (text: string) => Effect.Effect<void>) =>
      (...args: ReadonlyArray<unknown>) => {
        const text = args.map(String).join(" ").replace(/ +$/gm, "").trimEnd()
        const colours = stream.isTTY && process.env["NO_COLOR"] === undefined
        return print(colours ? text : text.replace(escapes, ""))
      }
    return Effect.withConsole(effect, {
      ...console,
      log: plain(process.stdout, printOutput),
      error: plain(process.stderr, printError)
    })
  })
