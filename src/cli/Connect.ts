/**
 * `effect-tls connect`: standard input to the peer, the peer to standard output.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { CryptoProvider } from "../core/CryptoProvider.ts"
import * as SecureContext from "../core/SecureContext.ts"
import * as TlsClient from "../core/TlsClient.ts"
import type { TlsConnection } from "../core/TlsConnection.ts"
import * as Verifier from "../core/Verifier.ts"
import type { TlsError } from "../schema/TlsError.ts"
import { codeOf, codes, Ended } from "./ExitCode.ts"
import * as Layers from "./Layers.ts"
import type { ConnectValues } from "./Options.ts"
import * as Render from "./Render.ts"
import type { Failure } from "./Report.ts"
import * as Report from "./Report.ts"
import * as Settings from "./Settings.ts"
import type { StreamError } from "./StandardStreams.ts"
import { BrokenPipe, input, writeOutput } from "./StandardStreams.ts"

const open = Effect.fnUntraced(function* (values: ConnectValues) {
  const endpoint = yield* Settings.connectEndpoint(values)
  const serverName = yield* Settings.serverName(values)
  const identity = yield* Settings.identities(values)
  const anchors = yield* Settings.anchors("--ca", values.ca)
  const context = yield* SecureContext.make({
    protocol: yield* Settings.protocol(values),
    ...(identity.length === 0 ? {} : { identity }),
    trust: {
      ...(anchors === undefined ? {} : { anchors }),
      ...(values.insecureSkipVerification ? { verifier: Verifier.dangerouslySkipVerification } : {})
    }
  })
  return yield* TlsClient.connect(endpoint, {
    context,
    ...(serverName === undefined ? {} : { serverName })
  })
})

/** Gives the peer standard input. A write that fails is no end yet: what the peer said last is still to be read. */
const send = (connection: TlsConnection): Effect.Effect<never, StreamError> =>
  Stream.runForEach(input, connection.write).pipe(
    Effect.zipRight(connection.end),
    Effect.catchIf(
      (error): error is TlsError => error._tag !== "StreamError",
      () => Effect.void
    ),
    Effect.zipRight(Effect.never)
  )

/** Gives standard output what the peer sends, up to its `close_notify`. */
const receive = (connection: TlsConnection): Effect.Effect<void, TlsError | StreamError | BrokenPipe> =>
  Stream.runForEachChunk(connection.stream, writeOutput)

/** What ended the connection, or nothing after a clean end. */
const failureOf = (exit: Exit.Exit<void, TlsError | StreamError | BrokenPipe>): Failure | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
  if (error instanceof BrokenPipe) return undefined
  return error ?? { _tag: "Interrupted" }
}

/**
 * Runs the command. Everything is said when it ends; its failure is the exit code.
 *
 * @since 0.1.0
 * @category commands
 */
export const connect = (values: ConnectValues): Effect.Effect<void, Ended, FileSystem.FileSystem> => {
  let connection: TlsConnection | undefined
  const print = (lines: ReadonlyArray<string>) => Console.error(lines.join("\n"))

  const talk = Effect.gen(function* () {
    connection = yield* open(values)
    const { info } = connection
    if (!values.json) yield* print([...Render.negotiated(info), ...Render.peer(info, yield* CryptoProvider)])
    yield* Effect.raceFirst(receive(connection), send(connection))
  })

  const report = (error: Failure | undefined) =>
    Effect.flatMap(CryptoProvider, (crypto) => {
      if (values.json) {
        const remoteAddress = connection?.remoteAddress ?? Option.none()
        const said = Report.make({ role: "client", crypto, remoteAddress, info: connection?.info, error })
        return Console.error(JSON.stringify(said))
      }
      if (error === undefined || error._tag === "Interrupted") return Effect.void
      const [first, ...others] = Render.failure(error)
      return print([`effect-tls: ${first}`, ...others])
    })

  return Effect.scoped(talk).pipe(
    Effect.catchTag("TlsConfigError", (error) => Effect.fail(Settings.renamed(values)(error))),
    Effect.onExit((exit) => (Exit.isFailure(exit) && Cause.isDie(exit.cause) ? Effect.void : report(failureOf(exit)))),
    Effect.provide(
      Layers.fromValues({ ...values, systemTrust: values.ca.length === 0 && !values.insecureSkipVerification })
    ),
    Effect.catchAll((error) => {
      if (error instanceof BrokenPipe) return new Ended({ code: codes.brokenPipe })
      return new Ended({ code: error._tag === "StreamError" ? codes.failure : codeOf(error) })
    })
  )
}
