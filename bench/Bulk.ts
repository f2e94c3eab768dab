/** Megabytes a second over one connection, in writes of 64 KiB, TCP loopback. */
import type { Setting } from "./Implementation.ts"
import type { Measure, Subject } from "./Measure.ts"
import * as Peer from "./Peer.ts"

const pins = { suite: "TLS_AES_128_GCM_SHA256", group: "x25519" } as const

const bulk = (
  name: string,
  prepare: (setting: Setting, bytes: number, subject: "ours" | "theirs") => Promise<Subject>
): Measure => ({
  name: `bulk.${name}`,
  unit: "MB/s",
  aim: { least: 0.8 },
  rounds: 15,
  prepare: ({ credentials, scale }, subject) =>
    prepare({ credentials: credentials.ecdsa, ...pins }, scale.bytes, subject)
})

export const measures: ReadonlyArray<Measure> = [
  // Both ends in one process, the server sends.
  bulk("both", async (setting, bytes, subject) => {
    const peer = Peer.start(setting)
    const port = await peer[subject].serve("source")
    return { round: async () => bytes / 1e6 / (await peer[subject].receive(port, bytes)), stop: peer.stop }
  }),
  // What is measured serves, a node:tls client in another process reads.
  bulk("send", async (setting, bytes, subject) => {
    const server = Peer.start(setting)
    const client = Peer.start(setting)
    const port = await server[subject].serve("source")
    return {
      round: async () => bytes / 1e6 / (await client.theirs.receive(port, bytes)),
      stop: () => [server, client].forEach((peer) => peer.stop())
    }
  }),
  // What is measured is the client, a node:tls server in another process sends.
  bulk("receive", async (setting, bytes, subject) => {
    const server = Peer.start(setting)
    const client = Peer.start(setting)
    const port = await server.theirs.serve("source")
    return {
      round: async () => bytes / 1e6 / (await client[subject].receive(port, bytes)),
      stop: () => [server, client].forEach((peer) => peer.stop())
    }
  })
]
