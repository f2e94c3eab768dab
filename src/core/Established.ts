/**
 * What a finished handshake leaves for the connection.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { CipherSuiteInfo } from "../schema/CipherSuite.ts"
import type { NewSessionTicket } from "../schema/HandshakeMessage.ts"
import type { ConnectionInfo } from "./ConnectionInfo.ts"
import type { ExporterSecret, KeySchedule, TrafficSecret } from "./KeySchedule.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface Established {
  readonly suite: CipherSuiteInfo
  readonly schedule: KeySchedule
  readonly readSecret: TrafficSecret
  readonly writeSecret: TrafficSecret
  readonly exporterSecret: ExporterSecret
  readonly info: ConnectionInfo
  /** Makes the tickets that a server gives. */
  readonly tickets: Effect.Effect<ReadonlyArray<NewSessionTicket>> | undefined
  /** What a client does with a ticket; without it they are read and set aside. */
  readonly keepTicket: ((ticket: NewSessionTicket) => Effect.Effect<void>) | undefined
}
