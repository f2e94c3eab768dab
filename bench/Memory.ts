/**
 * What idle connections cost a server: the resident set of its process, all of it, while a node:tls client in another
 * process holds them. A round has new processes, for memory that was used once is seldom given back.
 */
import { setTimeout as sleep } from "node:timers/promises"
import type { Setting } from "./Implementation.ts"
import type { Measure } from "./Measure.ts"
import * as Peer from "./Peer.ts"

export const measures: ReadonlyArray<Measure> = [
  {
    name: "memory.idle",
    unit: "MB",
    aim: { most: 0.8 },
    rounds: 3,
    cold: true,
    prepare: async ({ credentials, scale }, subject) => {
      const setting: Setting = { credentials: credentials.ecdsa, suite: "TLS_AES_128_GCM_SHA256", group: "x25519" }
      return {
        round: async () => {
          const server = Peer.start(setting)
          const client = Peer.start(setting)
          try {
            await client.theirs.hold(await server[subject].serve("close"), scale.connections)
            await sleep(scale.settle * 1000)
            return (await server.probe.memory()) / 1e6
          } finally {
            server.stop()
            client.stop()
          }
        },
        stop: () => {}
      }
    }
  }
]
