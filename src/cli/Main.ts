/**
 * The command in its process: standard streams, signals, exit codes.
 *
 * @since 0.1.0
 */
import * as ValidationError from "@effect/cli/ValidationError"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeTerminal from "@effect/platform-node/NodeTerminal"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import { createRequire } from "node:module"
import { run } from "./Command.ts"
import { codes, Ended, Interruption } from "./ExitCode.ts"
import { endStreams, printError, withConsole } from "./StandardStreams.ts"

const { version } = createRequire(import.meta.url)("../../package.json") as { readonly version: string }

/** Standard output belongs to the peer's data, so logs go to standard error. */
const logger = Logger.make(({ cause, logLevel, message }) => {
  const text = (Array.isArray(message) ? message : [message]).map(String).join(" ")
  const why = Cause.isEmpty(cause) ? "" : `\n${Cause.pretty(cause)}`
  printError(`effect-tls: ${logLevel.label.toLowerCase()}: ${text}${why}`)
})

const environment = Layer.mergeAll(
  NodeFileSystem.layer,
  NodePath.layer,
  NodeTerminal.layer,
  Logger.replace(Logger.defaultLogger, logger)
)

const program = (args: ReadonlyArray<string>) =>
  Either.match(run(version)(args), {
    onLeft: (problem) =>
      Effect.zipRight(
        Console.error(`effect-tls: ${problem} (effect-tls ${args[0] ?? ""} --help tells more)`),
        new Ended({ code: codes.usage })
      ),
    onRight: (command) =>
      Effect.catchIf(command, ValidationError.isValidationError, () => new Ended({ code: codes.usage }))
  })

/**
 * Runs the command and ends the process.
 *
 * @since 0.1.0
 * @category running
 */
export const main = (args: ReadonlyArray<string>): void => {
  let onSignal: number = codes.interrupted
  let expected = false
  // After the first signal the second has its ordinary effect, so neither listener may stay.
  const noteSigint = () => noteSignal(codes.interrupted)
  const noteSigterm = () => noteSignal(codes.terminated)
  const noteSignal = (code: number) => {
    onSignal = expected ? codes.clean : code
    process.off("SIGINT", noteSigint).off("SIGTERM", noteSigterm)
  }
  process.on("SIGINT", noteSigint).on("SIGTERM", noteSigterm)

  const codeOf = (exit: Exit.Exit<unknown, unknown>): number => {
    if (Exit.isSuccess(exit)) return codes.clean
    const failure = Cause.failureOption(exit.cause)
    if (Option.isSome(failure) && failure.value instanceof Ended) return failure.value.code
    if (Cause.isInterruptedOnly(exit.cause)) return onSignal
    printError(`effect-tls: this is a defect of effect-tls\n${Cause.pretty(exit.cause)}`)
    return codes.failure
  }
  withConsole(program(args)).pipe(
    Effect.provideService(Interruption, { expect: () => void (expected = true) }),
    Effect.provide(environment),
    NodeRuntime.runMain({
      disableErrorReporting: true,
      disablePrettyLogger: true,
      // Standard input may still be open, so nothing but this ends the process.
      teardown: (exit) => endStreams(() => process.exit(codeOf(exit)))
    })
  )
}
