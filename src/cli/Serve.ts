/**
 * `effect-tls serve`: a server to try clients against.
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
import type { SecureContextOptions } from "../core/SecureContextOptions.ts"
import type { TlsConnection } from "../core/TlsConnection.ts"
import * as TlsServer from "../core/TlsServer.ts"
import type { TlsError } from "../schema/TlsError.ts"
import { TlsConfigError } from "../schema/TlsError.ts"
import { codeOf, Ended, Interruption } from "./ExitCode.ts"
import * as Layers from "./Layers.ts"
import type { ServeValues } from "./Options.ts"
import * as Page from "./Page.ts"
import * as Render from "./Render.ts"
import type { Failure } from "./Report.ts"
import * as Report from "./Report.ts"
import * as Settings from "./Settings.ts"

const check = (values: ServeValues): Effect.Effect<void, TlsConfigError> => {
  if (values.www && values.echo) return Settings.wrong("--www", "either --www or --echo, not both")
  if (values.clientOptional && values.clientCa.length === 0) {
    return Settings.wrong("--client-optional", "say by --client-ca FILE whose certificates to accept")
  }
  const own = values.cert.length + values.key.length
  if (own > 0 && values.selfSigned.length > 0) {
    return Settings.wrong("--self-signed", "either --cert and --key, or --self-signed NAME, not both")
  }
  return own + values.selfSigned.length === 0
    ? Settings.wrong("--cert", "a server needs a certificate: --cert FILE --key FILE, or --self-signed NAME")
    : Effect.void
}

const makeSelfSigned = (values: ServeValues) =>
  Effect.gen(function* () {
    const { selfSigned } = yield* Effect.promise(() => import("../core/CertificateBuilder.ts"))
    const { identity } = yield* Effect.mapError(
      selfSigned({ names: values.selfSigned, purposes: ["serverAuth"] }),
      (error) =>
        error._tag === "CryptoError" ? TlsConfigError.of("Unsupported", "--self-signed", error.message) : error
    )
    return [identity]
  })

const makeContext = Effect.fnUntraced(function* (values: ServeValues) {
  const files = yield* Settings.identities(values)
  const anchors = yield* Settings.anchors("--client-ca", values.clientCa)
  const identity: SecureContextOptions["identity"] =
    values.selfSigned.length > 0 ? yield* makeSelfSigned(values) : files
  return yield* SecureContext.make({
    protocol: yield* Settings.protocol(values),
    identity,
    ...(anchors === undefined
      ? {}
      : { trust: { anchors, clientAuthentication: values.clientOptional ? "request" : "require" } })
  })
})

/** One line, or with `--json` one object, for every connection when it is over. */
const reporter = (values: ServeValues) => {
  const print = (options: Omit<Parameters<typeof Report.make>[0], "role" | "crypto">) =>
    Effect.flatMap(CryptoProvider, (crypto) => {
      if (values.json) return Console.error(JSON.stringify(Report.make({ role: "server", crypto, ...options })))
      const who = Option.match(options.remoteAddress, { onNone: () => "client", onSome: String })
      return Console.error(
        options.error === undefined
          ? `${who}: closed`
          : Render.failure(options.error)
              .map((line, i) => (i === 0 ? `${who}: ${line}` : line))
              .join("\n")
      )
    })
  return {
    opened: ({ info, remoteAddress }: TlsConnection) =>
      values.json
        ? Effect.void
        : Console.error(
            `${Option.match(remoteAddress, { onNone: () => "client", onSome: String })}: ${Render.summary(info)}`
          ),
    closed: ({ info, remoteAddress }: TlsConnection, exit: Exit.Exit<void, TlsError>) =>
      print({ info, remoteAddress, error: failureOf(exit) }),
    refused: ({ error, remoteAddress }: TlsServer.HandshakeFailure) => print({ info: undefined, remoteAddress, error })
  }
}

const failureOf = (exit: Exit.Exit<void, TlsError>): Failure | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  return Option.getOrElse(Cause.failureOption(exit.cause), () => ({ _tag: "Interrupted" }) as const)
}

const listen = Effect.fnUntraced(function* (values: ServeValues) {
  const endpoint = yield* Settings.serveEndpoint(values)
  yield* check(values)
  const context = yield* makeContext(values)
  const crypto = yield* CryptoProvider
  const { closed, opened, refused } = reporter(values)
  const talk = (connection: TlsConnection) =>
    values.www ? Page.answer(connection) : Stream.run(connection.stream, connection.sink)
  const server = yield* TlsServer.serve({
    endpoint,
    context,
    handler: (connection) =>
      Effect.zipRight(opened(connection), talk(connection)).pipe(
        Effect.onExit((exit) => closed(connection, exit)),
        // It has been told.
        Effect.ignore
      ),
    onHandshakeFailure: (failure) => Effect.provideService(refused(failure), CryptoProvider, crypto)
  })
  // From here on a signal is how the server is meant to end.
  yield* Effect.map(Interruption, ({ expect }) => expect())
  yield* Console.log(`listening on ${server.address}`)
  return yield* Effect.never
})

/**
 * Runs the command, until a signal: then the open connections come to their end.
 *
 * @since 0.1.0
 * @category commands
 */
export const serve = (values: ServeValues): Effect.Effect<void, Ended, FileSystem.FileSystem | Interruption> =>
  Effect.scoped(listen(values)).pipe(
    Effect.catchTag("TlsConfigError", (error) => Effect.fail(Settings.renamed(values)(error))),
    Effect.tapError((error) =>
      values.json
        ? Console.error(
            JSON.stringify(
              Report.make({ role: "server", crypto: undefined, remoteAddress: Option.none(), info: undefined, error })
            )
          )
        : Console.error(`effect-tls: ${Render.failure(error).join("\n")}`)
    ),
    Effect.mapError((error) => new Ended({ code: codeOf(error) })),
    Effect.provide(Layers.fromValues({ ...values, systemTrust: false }))
  )
