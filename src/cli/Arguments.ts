/**
 * The command line, put into the one order that `@effect/cli` reads without surprise: options first, each apart from its
 * value, then `--`, then the rest. People write `connect example.org:443 --ca root.pem`, `--ca=root.pem` and `--help`
 * anywhere; `@effect/cli` 0.77 takes a repeated option with `=` for a positional argument, drops one whose value is
 * missing, lets a flag swallow a following `yes`, and says nothing at all of an option that is given twice.
 *
 * @since 0.1.0
 */
import * as Options from "@effect/cli/Options"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { nearest } from "../schema/Suggestion.ts"
import { choices, repeatable } from "./Options.ts"

interface OptionSyntax {
  readonly flag: boolean
  readonly repeated: boolean
  readonly choices: ReadonlyArray<string> | undefined
}

/**
 * What may stand behind a command's name: its options, and how many arguments besides, at most.
 *
 * @since 0.1.0
 * @category models
 */
export interface Syntax {
  readonly options: ReadonlyMap<string, OptionSyntax>
  readonly positional: number
}

/** `@effect/cli`'s own option that a command takes. */
const logLevel = ["--log-level", { flag: false, repeated: false, choices: undefined }] as const

/**
 * The syntax of a command with these options.
 *
 * @since 0.1.0
 * @category constructors
 */
export const syntaxOf = (
  options: Readonly<Record<string, Options.Options<unknown>>>,
  positional: Syntax["positional"],
  known: { readonly repeatable: ReadonlySet<string>; readonly choices: ReadonlyMap<string, ReadonlyArray<string>> } = {
    repeatable,
    choices
  }
): Syntax => ({
  positional,
  options: new Map([
    ...Object.values(options).flatMap((option) =>
      Option.toArray(Options.getIdentifier(option)).map(
        (name) =>
          [
            name,
            { flag: Options.isBool(option), repeated: known.repeatable.has(name), choices: known.choices.get(name) }
          ] as const
      )
    ),
    logLevel
  ])
})

/**
 * The arguments behind a command's name, in order; or what is wrong with them, in words.
 *
 * @since 0.1.0
 * @category combinators
 */
export const order = (args: ReadonlyArray<string>, syntax: Syntax): Either.Either<ReadonlyArray<string>, string> => {
  const options: Array<string> = []
  const positional: Array<string> = []
  const seen = new Set<string>()
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!
    if (arg === "--") {
      positional.push(...args.slice(i + 1))
      break
    }
    if (arg === "--help" || arg === "-h") return Either.right(["--help"])
    if (arg === "--version" || arg === "--wizard") return Either.right([arg])
    if (!isOption(arg)) {
      positional.push(arg)
      continue
    }
    const equals = arg.indexOf("=")
    const name = equals < 0 ? arg : arg.slice(0, equals)
    const attached = equals < 0 ? undefined : arg.slice(equals + 1)
    const known = syntax.options.get(name)
    if (known === undefined) return Either.left(unknownOption(name, syntax))
    if (!known.repeated && seen.has(name)) return Either.left(`${name} is given more than once`)
    seen.add(name)
    if (known.flag) {
      if (attached !== undefined) return Either.left(`${name} takes no value`)
      options.push(name)
      continue
    }
    const next = args[i + 1]
    const value = attached ?? (next === undefined || isOption(next) ? "" : next)
    if (value === "") return Either.left(`${name} needs a value`)
    if (known.choices?.includes(value) === false) {
      return Either.left(`${name} is ${known.choices.join(" or ")}, found ${JSON.stringify(value)}`)
    }
    if (attached === undefined) i++
    // `@effect/cli` sees this one only in front.
    if (name === logLevel[0]) options.unshift(name, value)
    else options.push(name, value)
  }
  const excess = positional[syntax.positional]
  if (excess !== undefined) return Either.left(`${JSON.stringify(excess)} is one argument too many`)
  return Either.right(positional.length === 0 ? options : [...options, "--", ...positional])
}

/** A value that looks like an option is written `--name=-value`. */
const isOption = (arg: string): boolean => arg !== "-" && arg.startsWith("-")

const unknownOption = (name: string, syntax: Syntax): string => {
  const suggestion = nearest(name, [...syntax.options.keys(), "--help", "--version"])
  return suggestion === undefined ? `unknown option ${name}` : `unknown option ${name}, did you mean ${suggestion}?`
}
