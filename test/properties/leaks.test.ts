/** After handshakes that were cut, stalled or interrupted anywhere, nobody is left and nothing waits. */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import * as SecureContext from "../../src/core/SecureContext.ts"
import type { MemoryTransportOptions } from "../../src/layers/MemoryTransport.ts"
import { settle } from "../support/harness.ts"
import { crypto } from "../support/identities.ts"
import * as world from "./world.ts"

const makeContexts = () => {
  const { certificate: anchors } = world.made.get("eddsa")!
  const { chain, privateKey } = world.made.get("ed25519-eddsa-example.org")!
  const identity = { certificateChain: chain, privateKey }
  return Effect.runPromise(
    Effect.scoped(
      Effect.all({
        client: SecureContext.make({
          identity,
          trust: { anchors },
          protocol: { groups: ["x25519", "secp256r1"], keyShares: ["x25519"] }
        }),
        server: SecureContext.make({
          identity,
          trust: { anchors, clientAuthentication: "require" },
          protocol: { groups: ["secp256r1"] }
        })
      }).pipe(Effect.provideService(CryptoProvider, crypto))
    )
  )
}

interface Damage {
  readonly direction: "toServer" | "toClient"
  readonly after: number
  readonly as: "end" | "reset" | "silence"
}

const damage: FastCheck.Arbitrary<Damage> = FastCheck.record({
  direction: FastCheck.constantFrom("toServer" as const, "toClient" as const),
  // A conversation has some 1,300 bytes in each direction.
  after: FastCheck.nat(1500),
  as: FastCheck.constantFrom("end" as const, "reset" as const, "silence" as const)
})

/** A network that carries so many bytes in a direction and then loses the connection, or what is written to it. */
const damaged = ({ after, as, direction }: Damage): MemoryTransportOptions => {
  if (as !== "silence") return { cut: { direction, after, as } }
  let left = after
  return {
    transform: (where, chunk) => {
      if (where !== direction) return [chunk]
      const part = chunk.subarray(0, left)
      left -= part.length
      return part.length === 0 ? [] : [part]
    }
  }
}

describe("Nothing leaks", () => {
  let contexts: { readonly client: SecureContext.SecureContext; readonly server: SecureContext.SecureContext }
  beforeAll(async () => {
    await world.prepare()
    contexts = await makeContexts()
  })

  const conversation = (transport: MemoryTransportOptions): world.Conversation => ({
    ...contexts,
    serverName: "example.org",
    clientSends: world.noise(100, 5),
    serverSends: world.noise(100, 6),
    transport
  })

  it(
    "from connections that are cut or fall silent: both sides end by themselves, or when they are interrupted",
    () =>
      FastCheck.assert(
        FastCheck.asyncProperty(damage, async (one) => {
          const outcome = await Effect.runPromise(world.watch(conversation(damaged(one))))
          const { client, errors, server } = outcome
          const note = `client ${world.describeEnd(client)}, server ${world.describeEnd(server)}`
          assert.strictEqual(outcome.fibers, 0, note)
          // Only an open connection may wait for ever for data that does not come.
          if (one.as !== "silence") assert.isTrue(client !== undefined && server !== undefined, note)
          else if (client === undefined || server === undefined)
            assert.isUndefined(errors.client ?? errors.server, note)
          assert.notInclude(note.replace("other data: 0 of", "nothing of"), "other data")
        }),
        { numRuns: world.runs(80) }
      ),
    world.timeout(80)
  )

  it(
    "from sides that are interrupted anywhere: the other hears of it",
    () =>
      FastCheck.assert(
        FastCheck.asyncProperty(FastCheck.boolean(), FastCheck.nat(400), async (isClient, yields) => {
          const { fibers, result } = await Effect.runPromise(
            world.supervised(conversation({ maxChunk: 50 }), (client, server) =>
              Effect.gen(function* () {
                const [victim, survivor] = isClient ? [client, server] : [server, client]
                for (let i = 0; i < yields; i++) yield* Effect.yieldNow()
                const stopping = yield* Effect.fork(Fiber.interrupt(victim))
                assert.isTrue(Option.isSome(yield* settle(stopping)), "interrupting does not hang")
                const exit = yield* settle(survivor, 100)
                return Option.isSome(exit)
              })
            )
          )
          assert.strictEqual(fibers, 0)
          assert.isTrue(result, "the other side ended without its deadline")
        }),
        { numRuns: world.runs(80) }
      ),
    world.timeout(80)
  )

  it("from many at once: no timer of a handshake stays behind", async () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length
    const before = timers()
    let most = 0
    const counted = (one: Damage): MemoryTransportOptions => ({
      ...damaged(one),
      transform: (_, chunk) => {
        most = Math.max(most, timers())
        return [chunk]
      }
    })
    const cuts = FastCheck.sample(damage, { numRuns: 60, seed: 7 }).filter(({ as }) => as !== "silence")
    await Effect.runPromise(
      Effect.forEach(cuts, (one) => world.soon(world.converse(conversation(counted(one)))), { concurrency: 20 })
    )
    assert.isAbove(most, before + 10, "deadlines are timers")
    // What is due at once may still be on its way; a deadline is 10 seconds off.
    for (let turn = 0; turn < 50 && timers() > before; turn++) await new Promise((resolve) => setImmediate(resolve))
    assert.isAtMost(timers(), before)
  })
})
