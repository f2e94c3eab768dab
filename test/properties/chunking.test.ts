/** How bytes arrive, and how they are cut into records, changes nothing. */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import * as SecureContext from "../../src/core/SecureContext.ts"
import type { Direction, MemoryTransportOptions } from "../../src/layers/MemoryTransport.ts"
import { crypto } from "../support/identities.ts"
import type { Outcome } from "./oracle.ts"
import * as world from "./world.ts"

type Transform = NonNullable<MemoryTransportOptions["transform"]>

/** Lengths, again and again, until all bytes are gone. */
const split = (bytes: Uint8Array, next: () => number): ReadonlyArray<Uint8Array> => {
  const parts: Array<Uint8Array> = []
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + next())
    parts.push(bytes.subarray(at, end))
    at = end
  }
  return parts
}

const cycle = (lengths: ReadonlyArray<number>): (() => number) => {
  let i = 0
  return () => lengths[i++ % lengths.length]!
}

const splitting = (lengths: ReadonlyArray<number>): Transform => {
  const next = { toServer: cycle(lengths), toClient: cycle(lengths.toReversed()) }
  return (direction, chunk) => split(chunk, next[direction])
}

/** The first record of each chunk, if it is a handshake message in the clear, as several records (RFC 9846 §5.1). */
const fragmenting =
  (lengths: ReadonlyArray<number>): Transform =>
  (_, chunk) => {
    if (chunk[0] !== 22) return [chunk]
    const length = chunk[3]! * 256 + chunk[4]!
    const fragments = split(chunk.subarray(5, 5 + length), cycle(lengths)).flatMap((fragment) => [
      Uint8Array.of(22, chunk[1]!, chunk[2]!, fragment.length >> 8, fragment.length & 255),
      fragment
    ])
    return [Uint8Array.from(Buffer.concat([...fragments, chunk.subarray(5 + length)]))]
  }

const identityId = "p256-ecdsa-example.org"

/** With everything in it: HelloRetryRequest, cookie, client certificate, application protocol, a name. */
const protocol = { alpn: ["h2"], groups: ["x25519", "secp256r1"], keyShares: ["x25519"] } as const

const contexts = (client: world.Shape, server: world.Shape, retried: boolean) => {
  const { certificate: anchors } = world.made.get("ecdsa")!
  const { chain, privateKey } = world.made.get(identityId)!
  const identity = { certificateChain: chain, privateKey }
  return Effect.all({
    client: SecureContext.make({ identity, trust: { anchors }, protocol: { ...world.defined(client), ...protocol } }),
    server: SecureContext.make({
      identity,
      trust: { anchors, clientAuthentication: "require" },
      protocol: { ...world.defined(server), alpn: ["h2"], groups: retried ? ["secp256r1"] : ["x25519"] }
    })
  }).pipe(Effect.orDie, Effect.provideService(CryptoProvider, crypto))
}

const none: world.Shape = {
  maxFragment: undefined,
  recordSizeLimit: undefined,
  recordPadding: undefined,
  middleboxCompatibility: undefined,
  helloRetryCookie: undefined
}

const meet = (
  retried: boolean,
  [client, server]: readonly [world.Shape, world.Shape],
  lengths: readonly [number, number],
  transport: MemoryTransportOptions
): Promise<Outcome> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.flatMap(contexts(client, server, retried), (both) =>
        world.soon(
          world.converse({
            ...both,
            serverName: "example.org",
            clientSends: world.noise(world.boundedLength(lengths[0], [client, server]), 3),
            serverSends: world.noise(world.boundedLength(lengths[1], [client, server]), 4),
            transport
          })
        )
      )
    )
  )

const plain = new Map<boolean, Outcome>()

const anyLengths = FastCheck.array(
  FastCheck.oneof(FastCheck.integer({ min: 1, max: 8 }), FastCheck.integer({ min: 1, max: 20_000 })),
  { minLength: 1, maxLength: 20 }
)
const anyData = FastCheck.tuple(FastCheck.nat(65_536), FastCheck.nat(65_536))

/** The body of a test, and its time. */
const property = (
  usual: number,
  shapes: FastCheck.Arbitrary<readonly [world.Shape, world.Shape]>,
  transport: FastCheck.Arbitrary<() => MemoryTransportOptions>,
  most = 65_536
): readonly [() => Promise<void>, number] => [
  () =>
    FastCheck.assert(
      FastCheck.asyncProperty(FastCheck.boolean(), shapes, anyData, transport, async (retried, both, data, make) => {
        const lengths = [data[0] % most, data[1] % most] as const
        world.assertSame(await meet(retried, both, lengths, make()), plain.get(retried))
      }),
      { numRuns: world.runs(usual) }
    ),
  world.timeout(usual)
]

const unshaped = FastCheck.constant([none, none] as const)

describe("However the bytes come", () => {
  beforeAll(async () => {
    await world.prepare()
    for (const retried of [false, true]) {
      const outcome = await meet(retried, [none, none], [10, 10], {})
      assert.isTrue(world.isClean(outcome.client) && world.isClean(outcome.server), JSON.stringify(outcome))
      plain.set(retried, outcome)
    }
  })

  it(
    "in chunks of any lengths",
    ...property(
      40,
      unshaped,
      anyLengths.map((lengths) => () => ({ transform: splitting(lengths) })),
      16_384
    )
  )

  it(
    "in chunks of so many bytes, through a pipe of any width",
    ...property(
      25,
      unshaped,
      FastCheck.tuple(FastCheck.integer({ min: 1, max: 100 }), FastCheck.integer({ min: 1, max: 70_000 })).map(
        ([chunk, capacity]) =>
          () => ({ maxChunk: chunk < 5 ? chunk : chunk * 50, capacity })
      ),
      16_384
    )
  )

  // Nobody may wait for room in a flight whose end the other side reads only after its own flight.
  it("through a pipe of one byte, with a HelloRetryRequest and a ChangeCipherSpec behind it", async () => {
    world.assertSame(await meet(true, [none, none], [10, 10], { maxChunk: 1, capacity: 1 }), plain.get(true))
  })

  it(
    "in records of any lengths, padded or not, with limits on them or none",
    ...property(
      40,
      FastCheck.tuple(world.shape, world.shape),
      anyLengths.map((lengths) => () => ({ transform: splitting(lengths.map((length) => length + 500)) }))
    )
  )

  it(
    "with the hellos in records of any lengths",
    ...property(
      25,
      unshaped,
      anyLengths.map((lengths) => () => ({ transform: fragmenting(lengths) }))
    )
  )

  it(
    "split in two at any place",
    async () => {
      const total = { toServer: 0, toClient: 0 }
      const counting: Transform = (direction, chunk) => {
        total[direction] += chunk.length
        return [chunk]
      }
      await meet(true, [none, none], [20, 20], { transform: counting })
      const places = (["toServer", "toClient"] as const).flatMap((direction) =>
        Array.from({ length: total[direction] - 1 }, (_, i) => ({ direction, at: i + 1 }))
      )
      const attempt = async ({ at, direction }: { readonly direction: Direction; readonly at: number }) => {
        const passed = { toServer: 0, toClient: 0 }
        const outcome = await meet(true, [none, none], [20, 20], {
          transform: (where, chunk) => {
            const index = where === direction ? at - passed[where] : 0
            passed[where] += chunk.length
            return index <= 0 || index >= chunk.length ? [chunk] : [chunk.subarray(0, index), chunk.subarray(index)]
          }
        })
        world.assertSame(outcome, plain.get(true))
      }
      if (world.exhaustive) {
        for (const place of places) await attempt(place)
        return
      }
      await FastCheck.assert(FastCheck.asyncProperty(FastCheck.constantFrom(...places), attempt), {
        numRuns: world.runs(40)
      })
    },
    world.exhaustive ? 1_800_000 : world.timeout(40)
  )
})
