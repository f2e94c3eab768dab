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
import * as Arguments from "./Arguments.ts"
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

const commands = Command.make("effect-tls").pipe(
  Command.withDescription("TLS 1.3 as typed Effect programs, by hand and from scripts."),
  Command.withSubcommands([connect, serve])
)

const syntax: Readonly<Record<string, Arguments.Syntax>> = {
  connect: Arguments.syntaxOf(Options.connectOptions, 1),
  serve: Arguments.syntaxOf(Options.serveOptions, 0)
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
  const [name, ...rest] = args
  const known = name === undefined ? undefined : syntax[name]
  if (name === undefined || known === undefined) return Either.right(args)
  return Either.map(Arguments.order(rest, known), (ordered) =>
    // Only with `--help` before the name, too, does the usage have the whole command.
    ordered[0] === "--help" ? ["--help", name, "--help"] : [name, ...ordered]
  )
}
