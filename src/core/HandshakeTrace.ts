/**
 * What happens on a connection, event by event, for whoever wants to watch. No secrets.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type { HandshakeMessage } from "../schema/HandshakeMessage.ts"
import type { TlsError } from "../schema/TlsError.ts"

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
 * `record` is called as things happen. It must be quick and must not throw.
 *
 * @since 0.1.0
 * @category models
 */
export interface HandshakeTraceService {
  readonly record: (role: "client" | "server", event: TraceEvent) => void
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
