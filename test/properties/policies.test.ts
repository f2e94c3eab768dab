/** Two random policies end as a small oracle predicts, in result and in every field of `info`. */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Extension from "../../src/schema/Extension.ts"
import * as NamedGroup from "../../src/schema/NamedGroup.ts"
import { predict } from "./oracle.ts"
import * as world from "./world.ts"

const usual = 250

describe("Two random policies", () => {
  beforeAll(world.prepare)

  it(
    "end as the oracle predicts",
    async () => {
      const seen = new Map<string, number>()
      await FastCheck.assert(
        FastCheck.asyncProperty(
          world.meeting,
          FastCheck.tuple(FastCheck.nat(65_536), FastCheck.nat(65_536)),
          async (meeting, lengths) => {
            const expected = predict(meeting)
            const shapes = [meeting.client, meeting.server]
            const [clientSends, serverSends] = lengths.map((length, i) =>
              world.noise(world.boundedLength(length, shapes), length + i)
            ) as [Uint8Array, Uint8Array]
            const actual = await Effect.runPromise(
              Effect.scoped(
                Effect.gen(function* () {
                  const [client, server] = yield* Effect.all([
                    world.contextOf(meeting.client),
                    world.contextOf(meeting.server)
                  ])
                  const { serverName } = meeting
                  return yield* world.soon(world.converse({ client, server, serverName, clientSends, serverSends }))
                })
              )
            )
            world.assertSame(actual, expected)
            const { server } = expected
            const how = server._tag === "Open" ? "open" : server.error
            seen.set(how, (seen.get(how) ?? 0) + 1)
          }
        ),
        { numRuns: world.runs(usual) }
      )
      // Otherwise the property would say little.
      const total = [...seen.values()].reduce((sum, count) => sum + count, 0)
      assert.isAbove((seen.get("open") ?? 0) / total, 0.2, JSON.stringify(Object.fromEntries(seen)))
      assert.isAbove(seen.size, 5, JSON.stringify(Object.fromEntries(seen)))
      if (process.env["PROPERTY_RUNS"] !== undefined) console.log(Object.fromEntries(seen))
    },
    world.timeout(usual)
  )

  it(
    "make a hello whose key shares stand in the order of its groups (RFC 9846 §4.2.8)",
    () =>
      FastCheck.assert(
        FastCheck.asyncProperty(world.meeting, async ({ client, serverName }) => {
          const hello = await Effect.runPromise(
            Effect.scoped(Effect.flatMap(world.contextOf(client), (context) => world.firstHello(context, serverName)))
          )
          const groups = Extension.find(hello.extensions, "SupportedGroups")!.groups
          const shares = Extension.find(hello.extensions, "KeyShareOffer")!.shares.map(({ group }) => group)
          world.assertSame(
            shares,
            groups.filter((group) => shares.includes(group))
          )
          if (client.groups !== undefined) world.assertSame(groups.map(NamedGroup.name), client.groups)
          if (client.keyShares !== undefined) {
            world.assertSame(new Set(shares.map(NamedGroup.name)), new Set(client.keyShares))
          }
        }),
        { numRuns: world.runs(25) }
      ),
    world.timeout(25)
  )
})
