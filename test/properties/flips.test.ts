/** Any byte of a conversation flipped: a typed error where it can be noticed, or nothing where the RFC ignores it. */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import * as SecureContext from "../../src/core/SecureContext.ts"
import * as SessionCache from "../../src/core/SessionCache.ts"
import * as TicketKeys from "../../src/core/TicketKeys.ts"
import type { Direction } from "../../src/layers/MemoryTransport.ts"
import * as Alert from "../../src/schema/Alert.ts"
import type { ClientSession } from "../../src/schema/Session.ts"
import * as TlsErrors from "../../src/schema/TlsError.ts"
import { crypto } from "../support/identities.ts"
import * as world from "./world.ts"

/** Ed25519 and fixed lists: every conversation has its bytes in the same places. */
const shapes = [
  { name: "a handshake", groups: ["x25519"], retried: false, resumed: false, clientAuthentication: "none" },
  {
    name: "a resumed handshake",
    groups: ["x25519"],
    retried: false,
    resumed: true,
    clientAuthentication: "require"
  },
  {
    name: "a handshake with a HelloRetryRequest and a client certificate",
    groups: ["secp256r1"],
    retried: true,
    resumed: false,
    clientAuthentication: "require"
  }
] as const

type Shape = (typeof shapes)[number]

const identityId = "ed25519-eddsa-example.org"
const clientSends = world.noise(100, 1)
const serverSends = world.noise(90, 2)

interface Recorded {
  readonly contexts: { readonly client: SecureContext.SecureContext; readonly server: SecureContext.SecureContext }
  readonly bytes: { readonly [D in Direction]: Uint8Array }
  /** How long the handshake is, in each direction. */
  readonly handshake: { readonly [D in Direction]: number }
}

const directions = ["toServer", "toClient"] as const

/** The contexts with a session of theirs, which each conversation resumes. */
const resuming = async ({ client, server }: Recorded["contexts"]): Promise<Recorded["contexts"]> => {
  const ticketKeys = await Effect.runPromise(
    Effect.flatMap(Scope.make(), (scope) => Scope.extend(TicketKeys.make(), scope)).pipe(
      Effect.provideService(CryptoProvider, crypto)
    )
  )
  let session: ClientSession | undefined
  const cache = SessionCache.fromFunctions({
    take: () => Effect.sync(() => Option.fromNullable(session)),
    put: (_, made) => Effect.sync(() => void (session ??= made))
  })
  const contexts = {
    client: SecureContext.withSessions(client, { cache }),
    server: SecureContext.withSessions(server, { ticketKeys, tickets: 1 })
  }
  await Effect.runPromise(world.watch({ ...contexts, serverName: "example.org", clientSends, serverSends }))
  assert.isDefined(session)
  return contexts
}

const record = async ({ clientAuthentication, groups, resumed, retried }: Shape): Promise<Recorded> => {
  const made = world.made.get(identityId)!
  const identity = { certificateChain: made.chain, privateKey: made.privateKey }
  const anchors = world.made.get("eddsa")!.certificate
  const unresumed = await Effect.runPromise(
    Effect.scoped(
      Effect.all({
        client: SecureContext.make({
          identity,
          protocol: { groups: ["x25519", "secp256r1"], keyShares: ["x25519"] },
          trust: { anchors }
        }),
        server: SecureContext.make({ identity, protocol: { groups }, trust: { anchors, clientAuthentication } })
      }).pipe(Effect.provideService(CryptoProvider, crypto))
    )
  )
  const contexts = resumed ? await resuming(unresumed) : unresumed
  const chunks: { readonly [D in Direction]: Array<Uint8Array> } = { toServer: [], toClient: [] }
  const outcome = await Effect.runPromise(
    world.watch({
      ...contexts,
      serverName: "example.org",
      clientSends,
      serverSends,
      transport: {
        transform: (direction, chunk) => {
          chunks[direction].push(chunk)
          return [chunk]
        }
      }
    })
  )
  assert.deepStrictEqual([outcome.client, outcome.server].map(world.isClean), [true, true], JSON.stringify(outcome))
  for (const end of [outcome.client, outcome.server]) assert(end?._tag === "Open" && end.info.resumed === resumed)
  // Each flight is written at once.
  const flights = retried ? { toServer: 3, toClient: 2 } : { toServer: 2, toClient: 1 }
  const sum = (list: ReadonlyArray<Uint8Array>) => list.reduce((length, chunk) => length + chunk.length, 0)
  const of = <A>(f: (direction: Direction) => A) => ({ toServer: f("toServer"), toClient: f("toClient") })
  return {
    contexts,
    bytes: of((direction) => Uint8Array.from(Buffer.concat(chunks[direction]))),
    handshake: of((direction) => sum(chunks[direction].slice(0, flights[direction])))
  }
}

/** Where each record starts. */
const recordsOf = (bytes: Uint8Array): ReadonlyArray<number> => {
  const starts: Array<number> = []
  for (let at = 0; at < bytes.length; at += 5 + bytes[at + 3]! * 256 + bytes[at + 4]!) starts.push(at)
  return starts
}

/**
 * RFC 9846 §5.1: the version of a plaintext record is ignored for all purposes. We, as others, want the first record of
 * all to be of some version 3.x, so that what is not TLS is told so at once. Of protected records the header is
 * authenticated (§5.2).
 */
const isIgnored = (bytes: Uint8Array, at: number): boolean =>
  recordsOf(bytes).some((start) => bytes[start] !== 23 && ((at === start + 1 && start > 0) || at === start + 2))

interface Flip {
  readonly direction: Direction
  readonly at: number
  readonly mask: number
}

const flipOnce = async ({ bytes, contexts, handshake }: Recorded, { at, direction, mask }: Flip): Promise<void> => {
  const passed = { toServer: 0, toClient: 0 }
  const outcome = await Effect.runPromise(
    world.watch({
      ...contexts,
      serverName: "example.org",
      clientSends,
      serverSends,
      transport: {
        transform: (where, chunk) => {
          const index = where === direction ? at - passed[where] : -1
          passed[where] += chunk.length
          if (index < 0 || index >= chunk.length) return [chunk]
          const damaged = Uint8Array.from(chunk)
          damaged[index] = damaged[index]! ^ mask
          return [damaged]
        }
      }
    })
  )
  const { client, errors, server } = outcome
  const note = `${direction} ${at} ^ ${mask}: client ${world.describeEnd(client)}, server ${world.describeEnd(server)}`
  const [sender, receiver] = direction === "toServer" ? [client, server] : [server, client]
  assert.strictEqual(outcome.fibers, 0, note)
  assert.isDefined(client, note)
  assert.isDefined(server, note)
  // What a side was given is what was sent. A client is done before its server, which may then give up for want of
  // time: the cancellation and the end that it sends are an authentic end without data (RFC 9846 §6.1).
  const canceled = server?._tag === "Failed" && server.error === "TlsTimeoutError/Handshake"
  assert.notInclude(canceled ? note.replace("other data: 0 of", "nothing of") : note, "other data")
  if (isIgnored(bytes[direction], at)) {
    assert.isTrue(world.isClean(client) && world.isClean(server), note)
    return
  }
  assert.isFalse(world.isClean(receiver), note)
  if (at < handshake[direction]) assert.isFalse(world.isClean(sender), note)
  for (const error of [errors.client, errors.server]) {
    if (error === undefined || !("fault" in error)) continue
    // What comes from outside is never our own fault.
    assert.notStrictEqual(error.fault, "local", `${note}: ${error.message}`)
  }
  // Whoever hears an alert hears the one that belongs to the other's error.
  const pairs = [
    [errors.client, errors.server],
    [errors.server, errors.client]
  ] as const
  for (const [hears, noticed] of pairs) {
    if (hears?._tag !== "AlertError" || noticed === undefined || noticed._tag === "AlertError") continue
    const alert = Option.map(TlsErrors.alertOf(noticed), Alert.name)
    assert.strictEqual(hears.alert, Option.getOrNull(alert), note)
  }
}

const usual = 150

describe("One flipped byte", () => {
  beforeAll(world.prepare)

  for (const shape of shapes) {
    it(
      `of ${shape.name} ends in typed errors, or changes nothing where the RFC ignores it`,
      async () => {
        const recorded = await record(shape)
        const lengths = directions.map((direction) => recorded.bytes[direction].length)
        const where = (index: number) =>
          index < lengths[0]!
            ? ({ direction: "toServer", at: index } as const)
            : ({ direction: "toClient", at: index - lengths[0]! } as const)
        const total = lengths[0]! + lengths[1]!
        if (world.exhaustive) {
          for (let index = 0; index < total; index++) {
            for (const mask of [0x01, 0x80, 0xff]) await flipOnce(recorded, { ...where(index), mask })
          }
          return
        }
        // The headers of records, each of them; of the rest some.
        for (const direction of directions) {
          for (const start of recordsOf(recorded.bytes[direction])) {
            for (let at = start; at < start + 5; at++) await flipOnce(recorded, { direction, at, mask: 0x01 })
          }
        }
        await FastCheck.assert(
          FastCheck.asyncProperty(FastCheck.nat(total - 1), FastCheck.integer({ min: 1, max: 255 }), (index, mask) =>
            flipOnce(recorded, { ...where(index), mask })
          ),
          { numRuns: world.runs(usual) }
        )
      },
      world.exhaustive ? 1_800_000 : world.timeout(usual)
    )
  }
})
