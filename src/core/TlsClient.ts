/**
 * Connecting: TLS over a transport's connection, or over any duplex that is already open.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Endpoint } from "../schema/Endpoint.ts"
import * as ServerName from "../schema/ServerName.ts"
import type { TlsError, TransportError } from "../schema/TlsError.ts"
import { TlsConfigError } from "../schema/TlsError.ts"
import { clientHandshake } from "./ClientHandshake13.ts"
import { CryptoProvider } from "./CryptoProvider.ts"
import * as HandshakeRunner from "./HandshakeRunner.ts"
import { KeyLog } from "./KeyLog.ts"
import * as SecureContext from "./SecureContext.ts"
import type { TlsConnection } from "./TlsConnection.ts"
import type { Duplex } from "./Transport.ts"
import { Transport } from "./Transport.ts"

/**
 * `context` is `SecureContext.empty` if not given. `serverName` is the name or address the server's certificate must
 * have; over TCP it is the endpoint's host if not given. A DNS name is sent to the server (SNI), an address never.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConnectOptions {
  readonly context?: SecureContext.SecureContext
  readonly serverName?: string | ServerName.ServerName
}

const readServerName = (
  said: string | ServerName.ServerName | undefined
): Either.Either<Option.Option<ServerName.ServerName>, TlsConfigError> => {
  if (said === undefined) return Either.right(Option.none())
  if (typeof said !== "string") return Either.right(Option.some(said))
  return Either.mapBoth(ServerName.parse(said), {
    onLeft: (error) => TlsConfigError.of("InvalidOptions", "serverName", error.message),
    onRight: Option.some
  })
}

/** What a handshake goes by, and all that can be wrong with the options before anything is sent. */
const prepare = Effect.fnUntraced(function* (options: ConnectOptions) {
  const crypto = yield* CryptoProvider
  const context = options.context ?? SecureContext.empty
  const policy = yield* SecureContext.resolve(context, crypto, "client")
  const serverName = yield* readServerName(options.serverName)
  if (Option.isNone(serverName) && context.trust.verifier === undefined) {
    return yield* TlsConfigError.of(
      "InvalidOptions",
      "serverName",
      "the server's certificate cannot be verified without the name it must have: set `serverName`, or a `verifier` that needs none"
    )
  }
  return { crypto, policy, serverName, keyLog: yield* KeyLog }
})

const runOptions = <R>(
  duplex: Effect.Effect<Duplex, TransportError, R>,
  prepared: Effect.Effect.Success<ReturnType<typeof prepare>>
): HandshakeRunner.RunOptions<R> => ({
  role: "client",
  duplex,
  crypto: prepared.crypto,
  policy: prepared.policy,
  handshake: (flight) => clientHandshake(flight, prepared)
})

/**
 * TLS as a client over a duplex that is already open. Its owner closes it; closing the Scope sends `close_notify` and
 * half-closes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const over = (
  duplex: Duplex,
  options: ConnectOptions = {}
): Effect.Effect<TlsConnection, TlsError, CryptoProvider | Scope.Scope> =>
  Effect.flatMap(prepare(options), (prepared) => HandshakeRunner.run(runOptions(Effect.succeed(duplex), prepared)))

/**
 * Connects to an endpoint and runs the handshake; both together have the context's `handshakeTimeout`. The connection
 * lives in the Scope.
 *
 * @example
 * import { Effect, Stream } from "effect"
 * import { Endpoint, TlsClient } from "effect-tls"
 *
 * const head = Effect.gen(function* () {
 *   const connection = yield* TlsClient.connect(Endpoint.tcp("example.org", 443))
 *   yield* connection.write(new TextEncoder().encode("HEAD / HTTP/1.0\r\nHost: example.org\r\n\r\n"))
 *   return yield* connection.stream.pipe(Stream.decodeText(), Stream.mkString)
 * }).pipe(Effect.scoped)
 *
 * @since 0.1.0
 * @category constructors
 */
export const connect = (
  endpoint: Endpoint,
  options: ConnectOptions = {}
): Effect.Effect<TlsConnection, TlsError, CryptoProvider | Transport | Scope.Scope> =>
  Effect.flatMap(Transport, (transport) => {
    const host = endpoint._tag === "TcpEndpoint" ? { serverName: endpoint.host } : {}
    return Effect.flatMap(prepare({ ...host, ...options }), (prepared) =>
      HandshakeRunner.runScoped(runOptions(transport.connect(endpoint), prepared))
    )
  })
