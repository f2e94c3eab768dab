/**
 * What happens on a connection, event by event, for whoever wants to watch. No secrets.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Option from "effect/Option"
import type { Endpoint } from "../schema/Endpoint.ts"
import type { HandshakeMessage } from "../schema/HandshakeMessage.ts"
import type { TlsError } from "../schema/TlsError.ts"
import type { Duplex } from "./Transport.ts"

/**
 * @since 0.1.0
 * @category models
 */
export type TraceEvent =
  | { readonly _tag: "MessageSent"; readonly message: HandshakeMessage; readonly length: number }
  | { readonly _tag: "MessageReceived"; readonly message: HandshakeMessage; readonly length: number }
  | { readonly _tag: "ChangeCipherSpecSent" }
  | { readonly _tag: "ChangeCipherSpecReceived" }
  | { readonly _tag: "AlertSent"; readonly description: number }
  | { readonly _tag: "AlertReceived"; readonly description: number }
  | { readonly _tag: "KeysChanged"; readonly direction: "read" | "write"; readonly stage: "handshake" | "application" }
  | { readonly _tag: "HandshakeFailed"; readonly error: TlsError }

/**
 * Which connection an event is of. `id` is another for each connection of this process, from 1.
 *
 * @since 0.1.0
 * @category models
 */
export interface TraceConnection {
  readonly id: number
  readonly localAddress: Option.Option<Endpoint>
  readonly remoteAddress: Option.Option<Endpoint>
}

let connections = 0

/**
 * A name for a connection that begins.
 *
 * @since 0.1.0
 * @category constructors
 */
export const unsafeConnection = ({ localAddress, remoteAddress }: Duplex): TraceConnection => ({
  id: ++connections,
  localAddress,
  remoteAddress
})

/**
 * `record` is called as things happen. It must be quick and must not throw.
 *
 * @since 0.1.0
 * @category models
 */
export interface HandshakeTraceService {
  readonly record: (role: "client" | "server", event: TraceEvent, connection: TraceConnection) => void
}

/**
 * The observer; none unless a layer says otherwise.
 *
 * @since 0.1.0
 * @category tags
 */
export class HandshakeTrace extends Context.Reference<HandshakeTrace>()("effect-tls/HandshakeTrace", {
  defaultValue: (): HandshakeTraceService | undefined => undefined
}) {}
