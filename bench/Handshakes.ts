/**
 * Full handshakes a second, over TCP loopback, client and server in one process: from the dial until both sides have
 * closed.
 */
import * as Tls from "node:tls"
import { NodeCrypto } from "effect-tls/node"
import { NamedGroup } from "effect-tls"
import type { Implementation, ImplementationName, Setting } from "./Implementation.ts"
import type { Bench, Measure } from "./Measure.ts"
import * as Peer from "./Peer.ts"

/** Enough that neither waits for the other or for the thread pool. */
const concurrency = 8

/** That the measure measures what it says. */
const check = async (implementation: Implementation, port: number, suite: string): Promise<void> => {
  const found = await implementation.negotiate(port)
  const wanted = { version: "TLSv1.3", suite, resumed: false, verified: true }
  if (JSON.stringify(found) !== JSON.stringify(wanted)) {
    throw new Error(`a handshake gave ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`)
  }
}

interface Kind {
  readonly key: keyof Bench["credentials"]
  readonly group: Setting["group"]
}

/** `ends`: which of them are ours when ours are measured. All else is node:tls. */
const handshakes = (
  name: string,
  { group, key }: Kind,
  ends: ReadonlyArray<"client" | "server">,
  more?: Pick<Measure, "unavailable">
): Measure => ({
  name: `handshake.${name}`,
  unit: "handshakes/s",
  aim: { least: 1.3 },
  rounds: 25,
  ...more,
  prepare: async ({ credentials, scale }, subject) => {
    const suite = "TLS_AES_128_GCM_SHA256"
    const peer = Peer.start({ credentials: credentials[key], suite, group })
    const end = (side: "client" | "server"): ImplementationName => (ends.includes(side) ? subject : "theirs")
    const port = await peer[end("server")].serve("close")
    const client = peer[end("client")]
    await check(client, port, suite)
    return {
      round: async () => scale.handshakes / (await client.handshakes(port, scale.handshakes, concurrency)),
      stop: peer.stop
    }
  }
})

const ecdsa: Kind = { key: "ecdsa", group: "x25519" }
const rsa: Kind = { key: "rsa", group: "x25519" }
const hybrid: Kind = { key: "ecdsa", group: "X25519MLKEM768" }

const hybridUnavailable = (): string | undefined => {
  if (!NodeCrypto.make().capabilities.nativeGroups.has(NamedGroup.mlkem768)) return "this Node has no ML-KEM of its own"
  try {
    Tls.createSecureContext({ ecdhCurve: hybrid.group })
    return undefined
  } catch {
    return "this Node's TLS has no X25519MLKEM768"
  }
}

export const measures: ReadonlyArray<Measure> = [
  handshakes("ecdsa-p256.both", ecdsa, ["client", "server"]),
  handshakes("ecdsa-p256.server", ecdsa, ["server"]),
  handshakes("ecdsa-p256.client", ecdsa, ["client"]),
  handshakes("rsa-2048.both", rsa, ["client", "server"]),
  handshakes("rsa-2048.server", rsa, ["server"]),
  handshakes("rsa-2048.client", rsa, ["client"]),
  handshakes("hybrid.both", hybrid, ["client", "server"], { unavailable: hybridUnavailable })
]
