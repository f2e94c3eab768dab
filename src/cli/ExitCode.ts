/**
 * How the process ends. Whoever fails with `Ended` has already said why.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type { TlsError } from "../schema/TlsError.ts"

/**
 * - `failure`: the network, the handshake or the connection failed
 * - `usage`: an option is wrong
 * - `brokenPipe`: nobody reads the output any more (128 and SIGPIPE, as a shell has it)
 *
 * @since 0.1.0
 * @category constants
 */
export const codes = { clean: 0, failure: 1, usage: 2, interrupted: 130, terminated: 143, brokenPipe: 141 } as const

/**
 * @since 0.1.0
 * @category models
 */
export class Ended extends Data.TaggedError("Ended")<{ readonly code: number }> {}

/**
 * The code for an error of the library.
 *
 * @since 0.1.0
 * @category conversions
 */
export const codeOf = (error: TlsError): number => (error._tag === "TlsConfigError" ? codes.usage : codes.failure)

/**
 * Whether a signal is how the command is meant to end: a server's way to stop is no failure.
 *
 * @since 0.1.0
 * @category tags
 */
export class Interruption extends Context.Tag("effect-tls/cli/Interruption")<
  Interruption,
  { readonly expect: () => void }
>() {}
