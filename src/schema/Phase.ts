/**
 * Where an error happened, and whose fault it was: what every error knows.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * How far the connection had come: `negotiation` is the hellos, `authentication` everything from there to the last
 * Finished.
 *
 * @since 0.1.0
 * @category models
 */
export const Phase = Schema.Literal(
  "configuration",
  "dial",
  "listen",
  "negotiation",
  "authentication",
  "connected",
  "closing"
)
/**
 * @since 0.1.0
 * @category models
 */
export type Phase = typeof Phase.Type

/**
 * @since 0.1.0
 * @category models
 */
export type Fault = "peer" | "local" | "network"
