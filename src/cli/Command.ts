/**
 * The command as a whole. What a subcommand needs beyond its options is loaded when it runs, so that `--help` and a
 * mistyped option answer without the protocol, its Schemas and the cryptography.
 *
 * @since 0.1.0
 */
import * as CliConfig from "@effect/cli/CliConfig"
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { nearest } from "../schema/Suggestion.ts"
import * as Arguments from "./Arguments.ts"
import * as MakingCommands from "./MakingCommands.ts"
import * as Options from "./Options.ts"

const description = (...paragraphs: ReadonlyArray<string>) => HelpDoc.blocks(paragraphs.map((text) => HelpDoc.p(text)))

const connect = Command.make("connect", { ...Options.connectOptions, ...Options.connectArgs }, (values) =>
  Effect.flatMap(
    Effect.promise(() => import("./Connect.ts")),
    (module) => module.connect(values)
  )
).pipe(
  Command.withDescription(
    description(
      "Open a TLS connection.",
      "Standard input goes to the peer, and its end ends our side (close_notify) while reading goes on; what the peer " +
        "sends goes to standard output; what was negotiated, and the chain with a mark per certificate, to standard error.",
      "Exits with 0 only after the peer has ended in order (close_notify); with 1 after a failure of the network, the " +
        "handshake or the connection, 2 after a wrong option, 130 or 143 when interrupted, 141 when nobody reads its output."
    )
  )
)

const serve = Command.make("serve", Options.serveOptions, (values) =>
  Effect.flatMap(
    Effect.promise(() => import("./Serve.ts")),
    (module) => module.serve(values)
  )
).pipe(
  Command.withDescription(
    description(
      "Accept TLS connections.",
      "Prints `listening on HOST:PORT` on standard output once it does. SIGINT and SIGTERM let the open connections come " +
        "to their end, for 5 seconds at most; a second one does not wait.",
      "Exits with 0 after such a signal, 1 if it cannot listen, 2 after a wrong option."
    )
  )
)

const inspect = Command.make("inspect", { ...Options.inspectOptions, ...Options.inspectArgs }, (values) =>
  Effect.flatMap(
    Effect.promise(() => import("./Inspect.ts")),
    (module) => module.inspect(values)
  )
).pipe(
  Command.withDescription(
    description(
      "Show what certificates and revocation lists say.",
      "Reads PEM, with any number of blocks and text around them, or DER. Nothing is verified but whether a certificate " +
        "has signed itself. Of private keys it says that they are there.",
      "Exits with 0 when every file was read and held a certificate or a revocation list, with 2 when one did not."
    )
  )
)

const verify = Command.make("verify", { ...Options.verifyOptions, ...Options.verifyArgs }, (values) =>
  Effect.flatMap(
    Effect.promise(() => import("./Verify.ts")),
    (module) => module.verify(values)
  )
).pipe(
  Command.withDescription(
    description(
      "Verify a certificate as a handshake would.",
      "Looks for a path from the first certificate of FILE to a trusted one, and prints it with a mark per certificate: " +
        "✓ valid, ✗ refused, · not looked at.",
      "Exits with 0 only when the certificate is valid, with 1 when it is not, with 2 after a wrong option or file."
    )
  )
)

const certificate = Command.make("certificate").pipe(
  Command.withDescription("Look into certificates, verify them and make them, without a connection."),
  Command.withSubcommands([inspect, verify, ...MakingCommands.commands])
)

const commands = Command.make("effect-tls").pipe(
  Command.withDescription("TLS 1.3 as typed Effect programs, by hand and from scripts."),
  Command.withSubcommands([connect, serve, certificate])
)

const syntax: Readonly<Record<string, Arguments.Syntax>> = {
  connect: Arguments.syntaxOf(Options.connectOptions, 1),
  serve: Arguments.syntaxOf(Options.serveOptions, 0),
  "certificate inspect": Arguments.syntaxOf(Options.inspectOptions, Number.POSITIVE_INFINITY),
  "certificate verify": Arguments.syntaxOf(Options.verifyOptions, 1),
  ...MakingCommands.syntax
}

const footer = HelpDoc.p(
  "--help and --version go with any of it; --completions bash|fish|zsh prints a completion script."
)

/**
 * Runs the command with the arguments as they were typed. A mistake in their order is `Left`, in words.
 *
 * @since 0.1.0
 * @category running
 */
export const run = (version: string) => {
  const execute = Command.run(commands, { name: "effect-tls", version, executable: "effect-tls", footer })
  return (args: ReadonlyArray<string>) =>
    Either.map(arrange(args), (arranged) =>
      Effect.provide(execute(["node", "effect-tls", ...arranged]), CliConfig.layer({ showBuiltIns: false }))
    )
}

const arrange = (args: ReadonlyArray<string>): Either.Either<ReadonlyArray<string>, string> => {
  const length = [1, 2].find((words) => syntax[args.slice(0, words).join(" ")] !== undefined)
  if (length !== undefined) {
    const name = args.slice(0, length)
    return Either.map(Arguments.order(args.slice(length), syntax[name.join(" ")]!), (ordered) =>
      ordered[0] === "--help" ? help(name) : [...name, ...ordered]
    )
  }
  const [group, name] = args
  const names = Object.keys(syntax).flatMap((known) => (known.startsWith(`${group} `) ? [known.split(" ")[1]!] : []))
  if (names.length === 0) return Either.right(args)
  if (name === undefined || isHelp(name)) return Either.right(help([group!]))
  if (name.startsWith("-")) return Either.right(args)
  const suggestion = nearest(name, names) ?? names.join(" or ")
  return Either.left(`${JSON.stringify(name)} is no command of ${group}, did you mean ${suggestion}?`)
}

const isHelp = (arg: string): boolean => arg === "--help" || arg === "-h"

/** Only with `--help` before every word does the usage have the whole command. */
const help = (words: ReadonlyArray<string>): ReadonlyArray<string> => [
  ...words.flatMap((word) => ["--help", word]),
  "--help"
]
