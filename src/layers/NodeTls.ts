/**
 * All a TLS program needs on Node, as one layer.
 *
 * @since 0.1.0
 */
import * as Layer from "effect/Layer"
import type { CryptoProvider } from "../core/CryptoProvider.ts"
import type { Transport } from "../core/Transport.ts"
import * as NodeCrypto from "./NodeCrypto.ts"
import * as NodeTransport from "./NodeTransport.ts"
import * as NodeTrustStore from "./NodeTrustStore.ts"

/**
 * `NodeCrypto`, `NodeTransport`, and the system's trust anchors.
 *
 * @example
 * import { Effect } from "effect"
 * import { Endpoint, TlsClient } from "effect-tls"
 * import { NodeTls } from "effect-tls/node"
 *
 * const version = TlsClient.connect(Endpoint.tcp("example.org", 443)).pipe(
 *   Effect.map((connection) => connection.info.version),
 *   Effect.scoped,
 *   Effect.provide(NodeTls.layer)
 * )
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<CryptoProvider | Transport> = Layer.mergeAll(
  NodeCrypto.layer,
  NodeTransport.layer,
  NodeTrustStore.layerSystem
)
