/** How long a server's event loop is held up while many node:tls clients of another process connect at once. */
import type { Measure } from "./Measure.ts"
import * as Peer from "./Peer.ts"

export const measures: ReadonlyArray<Measure> = [
  {
    name: "loopdelay.rsa-2048",
    unit: "ms",
    aim: { most: 0.8 },
    rounds: 15,
    prepare: async ({ credentials, scale }, subject) => {
      const setting = { credentials: credentials.rsa, suite: "TLS_AES_128_GCM_SHA256", group: "x25519" } as const
      const server = Peer.start(setting)
      const client = Peer.start(setting)
      const port = await server[subject].serve("close")
      return {
        round: async () => {
          await server.probe.startLoopDelay()
          await client.theirs.handshakes(port, scale.clients, scale.clients)
          return (await server.probe.stopLoopDelay()) * 1e3
        },
        stop: () => [server, client].forEach((peer) => peer.stop())
      }
    }
  }
]
