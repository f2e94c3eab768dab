/**
 * Serving: a scoped server that runs a handler for every connection.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Defaults from "../schema/Defaults.ts"
import type { Endpoint } from "../schema/Endpoint.ts"
import type { TlsError, TransportError } from "../schema/TlsError.ts"
import { TlsConfigError } from "../schema/TlsError.ts"
import type { CallOptions } from "./CallContext.ts"
import * as CallContext from "./CallContext.ts"
import { CryptoProvider } from "./CryptoProvider.ts"
import * as HandshakeRunner from "./HandshakeRunner.ts"
import { KeyLog } from "./KeyLog.ts"
import * as SecureContext from "./SecureContext.ts"
import { serverHandshake } from "./ServerHandshake13.ts"
import type { TlsConnection } from "./TlsConnection.ts"
import type { Duplex } from "./Transport.ts"
import { Transport } from "./Transport.ts"

/**
 * A handshake that did not come to its end, and with whom.
 *
 * @since 0.1.0
 * @category models
 */
export interface HandshakeFailure {
  readonly error: TlsError
  readonly remoteAddress: Option.Option<Endpoint>
}

/**
 * A running server. `handshakeFailures` gives those from the moment it is run until the server is closed; a slow consumer
 * misses the oldest.
 *
 * @since 0.1.0
 * @category models
 */
export interface TlsServerService {
  readonly address: Endpoint
  readonly handshakeFailures: Stream.Stream<HandshakeFailure>
  /** How many connections are open or in their handshake. */
  readonly connections: Effect.Effect<number>
}

/**
 * @since 0.1.0
 * @category tags
 */
export class TlsServer extends Context.Tag("effect-tls/TlsServer")<TlsServer, TlsServerService>() {}

/**
 * `handler` runs for every connection in a Scope of the connection's own; when it ends, so does the connection. Over a
 * context that is loaded again, each connection goes by what is the newest when it begins.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServeOptions<E, R, Alpn extends string = string> extends CallOptions<Alpn> {
  readonly endpoint: Endpoint
  readonly handler: (connection: TlsConnection<Alpn>) => Effect.Effect<unknown, E, R>
  /** Called with each handshake that fails, in the connection's fiber. */
  readonly onHandshakeFailure?: (failure: HandshakeFailure) => Effect.Effect<void>
  /** Handshakes under way at once; further connections wait in the system's backlog. */
  readonly concurrentHandshakes?: number
  /** How long closing waits for handlers to end by themselves, before it interrupts them. */
  readonly drainTimeout?: Duration.DurationInput
}

/**
 * TLS as a server over a duplex that is already open. Its owner closes it; closing the Scope sends `close_notify` and
 * half-closes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const over = <const Alpn extends string = string>(
  duplex: Duplex,
  options: CallOptions<Alpn> = {}
): Effect.Effect<TlsConnection<Alpn>, TlsError, CryptoProvider | Scope.Scope> =>
  Effect.flatMap(Effect.scope, (scope) => overIn(scope, duplex, options))

const overIn = <Alpn extends string>(
  scope: Scope.Scope,
  duplex: Duplex,
  options: CallOptions<Alpn>
): Effect.Effect<TlsConnection<Alpn>, TlsError, CryptoProvider> =>
  Effect.gen(function* () {
    const crypto = yield* CryptoProvider
    const context = yield* CallContext.acquireIn(options, scope)
    const policy = yield* SecureContext.resolve(context, crypto, "server")
    const keyLog = yield* KeyLog
    return yield* HandshakeRunner.runIn(scope, {
      role: "server",
      duplex: Effect.succeed(duplex),
      crypto,
      policy,
      handshake: (flight) => serverHandshake(flight, { policy, keyLog })
    })
  }) as Effect.Effect<TlsConnection<Alpn>, TlsError, CryptoProvider>

/**
 * Listens, and runs `handler` for every connection until the Scope closes: then it accepts no more, waits for the
 * handlers up to `drainTimeout`, and interrupts those that are left.
 *
 * @since 0.1.0
 * @category constructors
 */
export const serve = <E, R, const Alpn extends string = string>(
  options: ServeOptions<E, R, Alpn>
): Effect.Effect<
  TlsServerService,
  TlsConfigError | TransportError,
  CryptoProvider | Transport | Scope.Scope | Exclude<R, Scope.Scope>
> =>
  Effect.gen(function* () {
    const transport = yield* Transport
    const crypto = yield* CryptoProvider
    yield* Effect.scoped(
      Effect.flatMap(Effect.scope, (scope) =>
        Effect.flatMap(CallContext.acquireIn(options, scope), (context) =>
          SecureContext.resolve(context, crypto, "server")
        )
      )
    )
    const { concurrentHandshakes = Defaults.concurrentHandshakes } = options
    if (!Number.isSafeInteger(concurrentHandshakes) || concurrentHandshakes < 1) {
      return yield* TlsConfigError.of("InvalidOptions", "concurrentHandshakes", "a whole number from 1 is needed")
    }
    const failures = yield* Effect.acquireRelease(PubSub.sliding<HandshakeFailure>(256), PubSub.shutdown)
    const handshakes = Effect.unsafeMakeSemaphore(concurrentHandshakes)

    // Finalizers run in reverse: first no more is accepted, then the connections drain, then their fibers end.
    const connections = yield* FiberSet.make<unknown, never>()
    const fork = yield* FiberSet.runtime(connections)<CryptoProvider | Exclude<R, Scope.Scope>>()
    yield* Effect.addFinalizer(() =>
      // A finalizer is uninterruptible, and so would be the waiting that the timeout has to end.
      Effect.timeoutOption(
        Effect.interruptible(FiberSet.awaitEmpty(connections)),
        options.drainTimeout ?? Defaults.drainTimeout
      )
    )
    const listening = yield* Scope.fork(yield* Effect.scope, (yield* Effect.scope).strategy)
    const listener = yield* Scope.extend(transport.listen(options.endpoint), listening)

    const serveOne = (
      duplex: Duplex,
      scope: Scope.CloseableScope
    ): Effect.Effect<void, never, CryptoProvider | Exclude<R, Scope.Scope>> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.matchCauseEffect(restore(overIn(scope, duplex, options)), {
          onSuccess: (connection) =>
            Effect.zipRight(handshakes.release(1), restore(Scope.extend(options.handler(connection), scope))),
          onFailure: (cause) => {
            const failed = Exit.failCause(cause)
            // Whoever is told may take any time; the connection does not wait for that.
            const closed = Effect.zipRight(handshakes.release(1), Scope.close(scope, failed))
            const error = Cause.failureOption(cause)
            return Option.isNone(error)
              ? Effect.zipRight(closed, failed)
              : Effect.zipRight(closed, restore(report({ error: error.value, remoteAddress: duplex.remoteAddress })))
          }
        })
      ).pipe(
        Effect.onExit((exit) => Scope.close(scope, exit)),
        Effect.catchAllCause((cause) => Effect.logWarning("a connection's handler failed", cause)),
        // Whatever region `serve` runs in: closing must be able to interrupt handlers.
        Effect.interruptible
      )

    const report = (failure: HandshakeFailure): Effect.Effect<void> =>
      Effect.zipRight(PubSub.publish(failures, failure), options.onHandshakeFailure?.(failure) ?? Effect.void)

    const acceptOne = Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(restore(handshakes.take(1)), () =>
        Effect.flatMap(Scope.make(), (scope) =>
          Effect.matchCauseEffect(restore(Scope.extend(listener.accept, scope)), {
            onSuccess: (duplex) => Effect.sync(() => fork(serveOne(duplex, scope))),
            onFailure: (cause) =>
              Effect.zipRight(
                Effect.zipRight(Scope.close(scope, Exit.failCause(cause)), handshakes.release(1)),
                Effect.failCause(cause)
              )
          })
        )
      )
    )
    // Until the listener is closed. A failed `accept`, such as one for want of file descriptors, is tried again: not at
    // once, and not for ever later.
    const acceptAll = (failuresInARow: number): Effect.Effect<void> => {
      let failed = failuresInARow
      const accepted = Effect.map(acceptOne, () => {
        failed = 0
      })
      return Effect.catchAllCause(Effect.forever(accepted), (cause) => {
        const failure = Cause.failureOption(cause)
        if (Option.isSome(failure) ? failure.value.reason === "Closed" : Cause.isInterrupted(cause)) return Effect.void
        const pause = Math.min(5 * 2 ** failed, 1000)
        return Effect.logWarning("accepting a connection failed", cause).pipe(
          Effect.zipRight(Effect.sleep(pause)),
          Effect.zipRight(Effect.suspend(() => acceptAll(failed + 1)))
        )
      })
    }
    yield* acceptAll(0).pipe(Effect.interruptible, Effect.forkIn(listening))
    return {
      address: listener.address,
      handshakeFailures: Stream.fromPubSub(failures),
      connections: FiberSet.size(connections)
    }
  })

/**
 * A server as a layer.
 *
 * @example
 * import { Layer, Stream } from "effect"
 * import { Endpoint, type SecureContext, TlsServer } from "effect-tls"
 *
 * const echo = (context: SecureContext.SecureContext) =>
 *   TlsServer.layer({
 *     endpoint: Endpoint.tcp("127.0.0.1", 8443),
 *     context,
 *     handler: (connection) => Stream.run(connection.stream, connection.sink)
 *   })
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E, R, const Alpn extends string = string>(
  options: ServeOptions<E, R, Alpn>
): Layer.Layer<
  TlsServer,
  TlsConfigError | TransportError,
  CryptoProvider | Transport | Exclude<Exclude<R, Scope.Scope>, Scope.Scope>
> => Layer.scoped(TlsServer, serve(options))
