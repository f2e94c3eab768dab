/** The suite with NobleCrypto, as one file without Node that any host can import. */
import { Effect, Layer, Logger, LogLevel } from "effect"
import { NobleCrypto } from "effect-tls/noble"
import type { Check } from "../report.ts"
import * as Suite from "../suite.ts"
import * as WebSockets from "../webSockets.ts"

const layer = Layer.merge(NobleCrypto.layer, Logger.minimumLogLevel(LogLevel.None))

export const suite = (): Promise<Suite.Report> => Effect.runPromise(Effect.provide(Suite.run, layer))

/** Undefined where there are no WebSockets. */
export const webSockets = (config: WebSockets.WebSocketConfig): Promise<ReadonlyArray<Check> | undefined> =>
  Effect.runPromise(Effect.provide(WebSockets.run(config), layer))
