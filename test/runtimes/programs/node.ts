/**
 * The suite with NodeCrypto, or connections over TCP with either provider, in a process of its own. Takes a NodeConfig
 * as JSON and prints one line of it.
 */
import { argv } from "node:process"
import { Effect, Layer, Logger, LogLevel } from "effect"
import { NobleCrypto } from "effect-tls/noble"
import { NodeCrypto, NodeTransport } from "effect-tls/node"
import * as Network from "../network.ts"
import * as Suite from "../suite.ts"

export type NodeConfig =
  | { readonly what: "suite" }
  | { readonly what: "network"; readonly provider: "node" | "noble"; readonly network: Network.NetworkConfig }

const config = JSON.parse(argv[2]!) as NodeConfig
const quiet = Logger.minimumLogLevel(LogLevel.None)

const program: Effect.Effect<unknown, unknown> =
  config.what === "suite"
    ? Effect.provide(Suite.run, Layer.merge(NodeCrypto.layer, quiet))
    : Effect.provide(
        Network.run(config.network),
        Layer.mergeAll(config.provider === "node" ? NodeCrypto.layer : NobleCrypto.layer, NodeTransport.layer, quiet)
      )

// It ends by itself: what is left open would keep it alive, and the test would fail.
console.log(JSON.stringify(await Effect.runPromise(program)))
