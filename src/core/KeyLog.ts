/**
 * Secrets written out in NSS's format (RFC 9850), so that tools like Wireshark can decrypt a capture. None by default:
 * whoever reads these lines reads the traffic.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Encoding from "effect/Encoding"

/**
 * @since 0.1.0
 * @category models
 */
export type KeyLogLabel =
  | "CLIENT_HANDSHAKE_TRAFFIC_SECRET"
  | "SERVER_HANDSHAKE_TRAFFIC_SECRET"
  | "CLIENT_TRAFFIC_SECRET_0"
  | "SERVER_TRAFFIC_SECRET_0"
  | "EXPORTER_SECRET"

/**
 * `write` takes one line, without its end.
 *
 * @since 0.1.0
 * @category models
 */
export interface KeyLogService {
  readonly write: (line: string) => Effect.Effect<void>
}

/**
 * Where the lines go; nowhere unless a layer says otherwise.
 *
 * @since 0.1.0
 * @category tags
 */
export class KeyLog extends Context.Reference<KeyLog>()("effect-tls/KeyLog", {
  defaultValue: (): KeyLogService | undefined => undefined
}) {}

/**
 * A line of the format: label, the ClientHello's random, the secret.
 *
 * @since 0.1.0
 * @category conversions
 */
export const line = (label: KeyLogLabel, clientRandom: Uint8Array, secret: Uint8Array): string =>
  `${label} ${Encoding.encodeHex(clientRandom)} ${Encoding.encodeHex(secret)}`
