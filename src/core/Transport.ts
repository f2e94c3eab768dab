/**
 * What carries the bytes: TCP, a Unix socket, memory, or any two-way stream of bytes that is already open.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Endpoint } from "../schema/Endpoint.ts"
import type { TransportError } from "../schema/TlsError.ts"

/**
 * A two-way stream of bytes.
 *
 * `pull` gives the next bytes, `None` after the peer's end, again and again. Interrupting it loses nothing: the next
 * `pull` gives what arrived meanwhile; to keep that promise inside a caller's uninterruptible region, only the waiting
 * is `Effect.interruptible`, never the taking. The bytes belong to the puller and are not written again.
 *
 * `write` takes the bytes, in order, the moment it runs, and completes when there is room for more; interrupting it
 * only stops the waiting, which like that of `pull` can be interrupted everywhere. The bytes must not be changed
 * afterwards.
 *
 * `end` half-closes, after `last` if given: the peer sees an end, reading goes on. It does not wait for room.
 *
 * `abort` drops the connection at once; whoever waits fails.
 *
 * @since 0.1.0
 * @category models
 */
export interface Duplex {
  readonly pull: Effect.Effect<Option.Option<Uint8Array>, TransportError>
  readonly write: (bytes: Uint8Array) => Effect.Effect<void, TransportError>
  readonly end: (last?: Uint8Array) => Effect.Effect<void, TransportError>
  readonly abort: Effect.Effect<void>
  readonly localAddress: Option.Option<Endpoint>
  readonly remoteAddress: Option.Option<Endpoint>
}

/**
 * A listening endpoint. `accept` gives the next connection, which lives in the caller's Scope; like that of `pull`, its
 * waiting can be interrupted everywhere, and loses no connection.
 *
 * @since 0.1.0
 * @category models
 */
export interface Listener {
  readonly address: Endpoint
  readonly accept: Effect.Effect<Duplex, TransportError, Scope.Scope>
}

/**
 * Duplexes live in a Scope: closing it delivers what was written, as far as the peer still takes it within a bound, and
 * then frees everything.
 *
 * @since 0.1.0
 * @category models
 */
export interface TransportService {
  readonly connect: (endpoint: Endpoint) => Effect.Effect<Duplex, TransportError, Scope.Scope>
  readonly listen: (endpoint: Endpoint) => Effect.Effect<Listener, TransportError, Scope.Scope>
}

/**
 * @since 0.1.0
 * @category tags
 */
export class Transport extends Context.Tag("effect-tls/Transport")<Transport, TransportService>() {}
