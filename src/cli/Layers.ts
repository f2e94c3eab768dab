/**
 * What a connection runs on, as the options have it. Each layer is loaded when an option wants it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { CryptoProvider } from "../core/CryptoProvider.ts"
import type { Transport } from "../core/Transport.ts"
import * as NodeTransport from "../layers/NodeTransport.ts"
import { printError } from "./StandardStreams.ts"

const provider = (name: "node" | "noble"): Layer.Layer<CryptoProvider> =>
  Layer.unwrapEffect(
    Effect.promise(async () =>
      name === "node"
        ? (await import("../layers/NodeCrypto.ts")).layer
        : (await import("../layers/NobleCrypto.ts")).layer
    )
  )

const keyLog = (path: string): Layer.Layer<never> =>
  Layer.unwrapEffect(Effect.promise(async () => (await import("../layers/FileKeyLog.ts")).layer(path)))

const trace: Layer.Layer<never> = Layer.unwrapEffect(
  Effect.promise(async () => (await import("../layers/ConsoleHandshakeTrace.ts")).layer({ write: printError }))
)

const systemTrust: Layer.Layer<never> = Layer.unwrapEffect(
  Effect.promise(async () => (await import("../layers/NodeTrustStore.ts")).layerSystem)
)

/**
 * Cryptography, sockets, observers, and the system's trust anchors where the options name no others.
 *
 * @since 0.1.0
 * @category layers
 */
export const fromValues = (values: {
  readonly provider: "node" | "noble"
  readonly keylog: string | undefined
  readonly trace: boolean
  readonly systemTrust: boolean
}): Layer.Layer<CryptoProvider | Transport> =>
  Layer.mergeAll(
    provider(values.provider),
    NodeTransport.layer,
    values.keylog === undefined ? Layer.empty : keyLog(values.keylog),
    values.trace ? trace : Layer.empty,
    values.systemTrust ? systemTrust : Layer.empty
  )
