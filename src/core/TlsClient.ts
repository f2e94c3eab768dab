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
import type { CallOptions } from "./CallContext.ts"
import * as CallContext from "./CallContext.ts"
import { clientHandshake } from "./ClientHandshake13.ts"
import { CryptoProvider } from "./CryptoProvider.ts"
import * as HandshakeRunner from "./HandshakeRunner.ts"
import { KeyLog } from "./KeyLog.ts"
import * as SecureContext from "./SecureContext.ts"
import type { TlsConnection } from "./TlsConnection.ts"
import type { Duplex } from "./Transport.ts"
import { Transport } from "./Transport.ts"

/**
 * Over a context that is loaded again, a connection goes by what is the newest when it begins. `serverName` is the name or address the server's certificate must
 * have; over TCP it is the endpoint's host if not given, and none if given as `undefined`. A DNS name is sent to the server
 * (SNI), an address never.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConnectOptions<out Alpn extends string = string> extends CallOptions<Alpn> {
  readonly serverName?: string | ServerName.ServerName | undefined
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
const prepare = Effect.fnUntraced(function* (options: ConnectOptions, scope: Scope.Scope) {
  const crypto = yield* CryptoProvider
  const context = yield* CallContext.acquireIn(options, scope)
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
  serverName: prepared.serverName,
  handshake: (flight) => clientHandshake(flight, prepared)
})

/**
 * TLS as a client over a duplex that is already open. Its owner closes it; closing the Scope sends `close_notify` and
 * half-closes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const over = <const Alpn extends string = string>(
  duplex: Duplex,
  options: ConnectOptions<Alpn> = {}
): Effect.Effect<TlsConnection<Alpn>, TlsError, CryptoProvider | Scope.Scope> =>
  Effect.flatMap(Effect.scope, (scope) => handshakeIn(scope, Effect.succeed(duplex), options))

const handshakeIn = <Alpn extends string, R>(
  scope: Scope.Scope,
  duplex: Effect.Effect<Duplex, TransportError, R>,
  options: ConnectOptions<Alpn>
) =>
  Effect.flatMap(prepare(options, scope), (prepared) =>
    HandshakeRunner.runIn(scope, runOptions(duplex, prepared))
  ) as Effect.Effect<TlsConnection<Alpn>, TlsError, Exclude<R, Scope.Scope> | CryptoProvider>

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
export const connect = <const Alpn extends string = string>(
  endpoint: Endpoint,
  options: ConnectOptions<Alpn> = {}
): Effect.Effect<TlsConnection<Alpn>, TlsError, CryptoProvider | Transport | Scope.Scope> =>
  Effect.flatMap(Transport, (transport) => {
    const host = endpoint._tag === "TcpEndpoint" ? { serverName: endpoint.host } : {}
    // Nothing is dialled for options that are wrong.
    const duplex = Effect.suspend(() => transport.connect(endpoint))
    return HandshakeRunner.inOwnScope((scope) => handshakeIn(scope, duplex, { ...host, ...options }))
  })
