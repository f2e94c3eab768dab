import { assert, describe, it } from "@effect/vitest"
import { assertNone, assertSome } from "@effect/vitest/utils"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/TestClock"
import type { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import * as SecureContext from "../../src/core/SecureContext.ts"
import type { SecureContextOptions } from "../../src/core/SecureContextOptions.ts"
import * as KeySchedule from "../../src/core/KeySchedule.ts"
import * as SessionCache from "../../src/core/SessionCache.ts"
import * as SessionTerms from "../../src/core/SessionTerms.ts"
import * as TicketKeys from "../../src/core/TicketKeys.ts"
import * as TlsClient from "../../src/core/TlsClient.ts"
import type { TlsConnection } from "../../src/core/TlsConnection.ts"
import * as TlsServer from "../../src/core/TlsServer.ts"
import { Transcript } from "../../src/core/Transcript.ts"
import type { Duplex } from "../../src/core/Transport.ts"
import type { Verifier } from "../../src/core/Verifier.ts"
import * as Verifiers from "../../src/core/Verifier.ts"
import * as MemoryTransport from "../../src/layers/MemoryTransport.ts"
import { concat } from "../../src/schema/Bytes.ts"
import * as CipherSuite from "../../src/schema/CipherSuite.ts"
import * as ContentType from "../../src/schema/ContentType.ts"
import type { Extension } from "../../src/schema/Extension.ts"
import type { ClientHello } from "../../src/schema/HandshakeMessage.ts"
import { encode } from "../../src/schema/HandshakeMessage.ts"
import type { ClientSession } from "../../src/schema/Session.ts"
import type { TlsError } from "../../src/schema/TlsError.ts"
import { CertificateError, TransportError } from "../../src/schema/TlsError.ts"
import * as edits from "../support/edits.ts"
import { flipped, withExtensions } from "../support/edits.ts"
import * as harness from "../support/harness.ts"
import {
  clientAgainst,
  endingOf,
  errorOf,
  finish,
  labelOf,
  layer,
  now,
  serverAgainst,
  text
} from "../support/harness.ts"
import * as identities from "../support/identities.ts"
import type { ScriptedPeer } from "../support/ScriptedPeer.ts"
import type { ServerScript } from "../support/scripts.ts"
import { crypto } from "../support/identities.ts"
import { aes128, playClient, playServer } from "../support/scripts.ts"

type Options = Omit<SecureContextOptions, "sessions">
interface Says {
  readonly client?: Options
  readonly server?: Options
  readonly clientSays?: SecureContext.Sessions
  readonly serverSays?: SecureContext.Sessions
  readonly clientBelieves?: Verifier
  readonly serverBelieves?: Verifier
}

/** Two sides that resume: what a test says of each, over ticket keys and a cache. */
const service = (says: Says = {}) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(now)
    const cache = yield* SessionCache.make()
    const ticketKeys = yield* TicketKeys.make()
    const client = yield* harness.context(says.client, says.clientBelieves)
    const server = yield* harness.serverContext(says.server, says.serverBelieves)
    return {
      cache,
      ticketKeys,
      client: SecureContext.withSessions(client, { cache, ...says.clientSays }),
      server: SecureContext.withSessions(server, { ticketKeys, ...says.serverSays })
    }
  })

type Sides = Pick<Effect.Effect.Success<ReturnType<typeof service>>, "client" | "server">

interface Visited {
  readonly client: TlsConnection["info"]
  readonly server: TlsConnection["info"]
}

const read = (connection: TlsConnection) => Effect.map(Effect.orDie(Effect.mapError(connection.pull, String)), text)

/** A connection, with data both ways and behind the tickets: what each side knew. */
const visit = (
  { client, server }: Sides,
  serverName = "example.org"
): Effect.Effect<Visited, TlsError, CryptoProvider> =>
  Effect.scoped(
    Effect.gen(function* () {
      const ends = yield* harness.connected({ client, server, serverName })
      yield* ends.client.write(harness.bytes("ping"))
      assert.strictEqual(yield* read(ends.server), "ping")
      yield* ends.server.write(harness.bytes("pong"))
      assert.strictEqual(yield* read(ends.client), "pong")
      return { client: ends.client.info, server: ends.server.info }
    })
  )

/** Whether it was resumed, of which both sides know the same. */
const resumes = (sides: Sides, serverName?: string) =>
  Effect.map(visit(sides, serverName), ({ client, server }) => {
    assert.strictEqual(client.resumed, server.resumed)
    return client.resumed
  })

/** A cache with one session, for whoever asks: `made` makes of it what a client would offer who keeps to no rule. */
const always = (
  cache: SessionCache.SessionCache,
  made: (session: ClientSession) => Partial<ClientSession> = () => ({})
): Effect.Effect<SessionCache.SessionCache> =>
  Effect.sync(() => {
    let kept: ClientSession | undefined
    return SessionCache.fromFunctions({
      put: (key, session) => {
        kept ??= session
        return cache.put(key, session)
      },
      // The key is the binding, so the client finds what it binds to now.
      take: (key) =>
        Effect.succeed(
          Option.map(Option.fromNullable(kept), (session) => ({
            ...session,
            binding: Uint8Array.from(key.match(/../g)!, (hex) => parseInt(hex, 16)),
            secret: Redacted.make(Redacted.value(session.secret).slice()),
            ...made(session)
          }))
        )
    })
  })

const scoped = <E>(
  name: string,
  body: () => Effect.Effect<void, E, Effect.Effect.Context<ReturnType<typeof service>>>
) => it.scoped(name, () => Effect.provide(Effect.suspend(body), layer))

describe("a session", () => {
  scoped("is resumed, and is what it was", () =>
    Effect.gen(function* () {
      const both = yield* service({ client: { protocol: { alpn: ["a", "b"] } }, server: { protocol: { alpn: ["b"] } } })
      const first = yield* visit(both)
      const second = yield* visit(both)
      for (const side of ["client", "server"] as const) {
        const { resumed: wasResumed, ...before } = first[side]
        const { resumed: isResumed, ...after } = second[side]
        assert.deepStrictEqual([wasResumed, isResumed], [false, true])
        assert.deepStrictEqual(after, before)
      }
    })
  )

  scoped("of a client with a certificate too: it is who it was", () =>
    Effect.gen(function* () {
      const both = yield* service({
        client: { identity: identities.client.options },
        server: { trust: { clientAuthentication: "require" } }
      })
      const first = yield* visit(both)
      const second = yield* visit(both)
      assert.isTrue(second.server.resumed)
      assert.strictEqual(second.server.peer._tag, "Verified")
      assert.deepStrictEqual(second.server.peer, first.server.peer)
      assert.deepStrictEqual(second.server.peerCertificates, first.server.peerCertificates)
      assert.deepStrictEqual(second.client.clientSignatureScheme, first.client.clientSignatureScheme)
      assertSome(second.client.clientSignatureScheme, "ecdsa_secp256r1_sha256")
      assert.deepStrictEqual(second.server.clientSignatureScheme, second.client.clientSignatureScheme)
    })
  )

  scoped("goes on and on, each ticket once", () =>
    Effect.gen(function* () {
      const both = yield* service()
      const offered: Array<string> = []
      const taking = SessionCache.fromFunctions({
        put: both.cache.put,
        take: (key) =>
          Effect.tap(both.cache.take(key), (session) => {
            if (Option.isSome(session)) offered.push(session.value.ticket.join())
          })
      })
      const sides = { ...both, client: SecureContext.withSessions(both.client, { cache: taking }) }
      for (let i = 0; i < 6; i++) assert.strictEqual(yield* resumes(sides), i > 0)
      assert.strictEqual(new Set(offered).size, 5)
    })
  )

  for (const [name, groups] of [
    ["with a HelloRetryRequest", { client: ["x25519", "secp256r1"], server: ["secp256r1"] }],
    ["of SHA-384 with a HelloRetryRequest", { client: ["x25519", "secp384r1"], server: ["secp384r1"] }]
  ] as const) {
    scoped(`is resumed ${name}`, () =>
      Effect.gen(function* () {
        const suites = name.includes("384") ? (["TLS_AES_256_GCM_SHA384"] as const) : undefined
        const both = yield* service({
          client: { protocol: { groups: groups.client } },
          server: { protocol: { groups: groups.server, ...(suites === undefined ? {} : { cipherSuites: suites }) } }
        })
        yield* visit(both)
        const second = yield* visit(both)
        assert.deepInclude(second.client, { resumed: true, helloRetryRequest: true, group: groups.server[0] })
        assert.isTrue(second.server.resumed)
      })
    )
  }

  scoped("is resumed with another suite of the same hash", () =>
    Effect.gen(function* () {
      const both = yield* service({ server: { protocol: { cipherSuites: ["TLS_AES_128_GCM_SHA256"] } } })
      yield* visit(both)
      const server = SecureContext.withProtocol(both.server, { cipherSuites: ["TLS_CHACHA20_POLY1305_SHA256"] })
      const { client } = yield* visit({ ...both, server })
      assert.deepInclude(client, { resumed: true, cipherSuite: "TLS_CHACHA20_POLY1305_SHA256" })
    })
  )

  scoped("begins nowhere without ticket keys, nor without a cache", () =>
    Effect.gen(function* () {
      const both = yield* service()
      const withoutKeys = { ...both, server: yield* harness.serverContext() }
      const withoutCache = { ...both, client: yield* harness.context() }
      for (const sides of [withoutKeys, withoutKeys, withoutCache, withoutCache]) {
        assert.isFalse(yield* resumes(sides))
      }
    })
  )

  scoped("keeps no secret of a cache that is closed", () =>
    Effect.gen(function* () {
      const both = yield* service()
      const kept: Array<ClientSession> = []
      yield* Effect.scoped(
        Effect.gen(function* () {
          const cache = yield* SessionCache.make()
          const watched = SessionCache.fromFunctions({
            take: cache.take,
            put: (key, session) =>
              Effect.zipRight(
                Effect.sync(() => kept.push(session)),
                cache.put(key, session)
              )
          })
          yield* visit({ ...both, client: SecureContext.withSessions(both.client, { cache: watched }) })
          assert.isTrue(kept.every(({ secret }) => Redacted.value(secret).some((byte) => byte !== 0)))
        })
      )
      assert.strictEqual(kept.length, 2)
      assert.isTrue(kept.every(({ secret }) => Redacted.value(secret).every((byte) => byte === 0)))
    })
  )
})

describe("tickets", () => {
  const counts = (says: Says) =>
    Effect.gen(function* () {
      const both = yield* service(says)
      const counted: Array<number> = []
      let since = 0
      const cache = SessionCache.fromFunctions({
        take: both.cache.take,
        put: (key, session) =>
          Effect.zipRight(
            Effect.sync(() => since++),
            both.cache.put(key, session)
          )
      })
      const sides = { ...both, client: SecureContext.withSessions(both.client, { cache }) }
      for (let i = 0; i < 3; i++) {
        yield* visit(sides)
        counted.push(since)
        since = 0
      }
      return counted
    })

  scoped("are two, and one after a resumption", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* counts({}), [2, 1, 1])
      assert.deepStrictEqual(yield* counts({ serverSays: { tickets: 5 } }), [5, 1, 1])
      assert.deepStrictEqual(yield* counts({ serverSays: { tickets: 0 } }), [0, 0, 0])
    })
  )

  scoped("are not given to clients that cannot use them", () =>
    Effect.gen(function* () {
      const both = yield* service()
      for (const [modes, given] of [
        [[], false],
        [[0], false],
        [[0, 1], true]
      ] as const) {
        const extensions: ReadonlyArray<Extension> = modes.length === 0 ? [] : [{ _tag: "PskKeyExchangeModes", modes }]
        const { peer, script, server } = yield* serverAgainst(both.server, (scripted) =>
          playClient(scripted, { extensions })
        )
        yield* Effect.flatten(finish(script))
        yield* Effect.flatMap(Effect.flatten(finish(server)), (connection) => connection.write(harness.bytes("data")))
        const first = yield* Effect.either(peer.next)
        assert.strictEqual(
          Either.isRight(first) ? first.right._tag : first.left._tag,
          given ? "NewSessionTicket" : "OffScript"
        )
      }
    })
  )

  scoped("that come to a client are kept no longer than a week, nor than it wants, nor at all if they say so", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(now)
      const week = Duration.days(7)
      for (const [lifetime, wanted, kept] of [
        [7200, week, 7200],
        [7200, Duration.minutes(1), 60],
        [0xffff_ffff, week, 604_800],
        [0, week, undefined]
      ] as const) {
        const sessions: Array<ClientSession> = []
        const cache = SessionCache.fromFunctions({
          take: () => Effect.succeedNone,
          put: (_, session) => Effect.sync(() => void sessions.push(session))
        })
        const context = SecureContext.withSessions(yield* harness.context(), { cache, lifetime: wanted })
        const { client } = yield* clientAgainst(context, (peer) =>
          playServer(peer, {
            afterFlight: (scripted) =>
              scripted.record(
                ContentType.handshake,
                encode({
                  _tag: "NewSessionTicket",
                  lifetime,
                  ageAdd: 7,
                  nonce: Uint8Array.of(1, 2),
                  ticket: Uint8Array.of(3),
                  extensions: []
                })
              )
          })
        )
        const connection = yield* Effect.flatten(finish(client))
        const reading = yield* Effect.fork(connection.pull)
        yield* harness.settle(reading)
        assert.deepStrictEqual(
          sessions.map((session) => session.lifetime),
          kept === undefined ? [] : [kept]
        )
        if (kept !== undefined) assert.deepInclude(sessions[0], { ageAdd: 7, createdAt: now, authenticatedAt: now })
        yield* Fiber.interrupt(reading)
      }
    })
  )
})

// ---------------------------------------------------------------------------------------------------------------------
// What has to be the same
// ---------------------------------------------------------------------------------------------------------------------

type Whole = Effect.Effect.Success<ReturnType<typeof service>>

interface Case {
  readonly name: string
  readonly says?: Says
  /** The client offers its first session, whatever it is for and however old: what it makes of it. */
  readonly reckless?: (session: ClientSession) => Partial<ClientSession>
  /** What changes between the two visits. */
  readonly change: (
    sides: Whole
  ) => Sides | Effect.Effect<Sides, unknown, Effect.Effect.Context<ReturnType<typeof service>>>
  readonly serverName?: string
}

const asItIs = () => ({})
const week: Says = { clientSays: { lifetime: Duration.days(7) }, serverSays: { lifetime: Duration.days(7) } }
const sha256: Says = { server: { protocol: { cipherSuites: ["TLS_AES_128_GCM_SHA256"] } } }
const sha384 = { cipherSuites: ["TLS_AES_256_GCM_SHA384"] } as const
const withCertificate: Says = {
  client: { identity: identities.client.options },
  server: { trust: { clientAuthentication: "request" } }
}
const after =
  (duration: Duration.DurationInput): Case["change"] =>
  (sides) =>
    Effect.as(TestClock.adjust(duration), sides)
const at =
  (time: number): Case["change"] =>
  (sides) =>
    Effect.as(TestClock.setTime(time), sides)
const onServer =
  (to: (server: SecureContext.SecureContext) => SecureContext.SecureContext): Case["change"] =>
  (sides) => ({ ...sides, server: to(sides.server) })
const onClient =
  (to: (client: SecureContext.SecureContext) => SecureContext.SecureContext): Case["change"] =>
  (sides) => ({ ...sides, client: to(sides.client) })

const goesOn: ReadonlyArray<Case> = [
  { name: "just before its lifetime is over", change: after("7199 seconds") },
  { name: "with the key before the one of now", says: week, change: after("11 hours") },
  { name: "of a clock that is a minute ahead", reckless: asItIs, change: at(now - 60_000) },
  { name: "by a client that showed a certificate", says: withCertificate, change: (sides) => sides },
  {
    name: "to a server that has another certificate by now",
    change: onServer((server) => ({ ...server, identities: [identities.client.identity] }))
  },
  {
    name: "to a server that trusts others and believes the client yet",
    says: withCertificate,
    change: onServer(SecureContext.withVerifier(harness.verifier()))
  },
  {
    name: "to a server with another suite of the same hash",
    says: sha256,
    change: onServer(SecureContext.withProtocol({ cipherSuites: ["TLS_CHACHA20_POLY1305_SHA256"] }))
  }
]

const beginsAnew: ReadonlyArray<Case> = [
  { name: "its lifetime is over", change: after("2 hours") },
  {
    name: "its lifetime is over for the client alone",
    says: { clientSays: { lifetime: Duration.hours(1) } },
    change: after("1 hour")
  },
  {
    name: "its lifetime is over for the server, whatever the client thinks",
    reckless: asItIs,
    change: after("2 hours")
  },
  {
    name: "the server wants them shorter by now",
    change: (sides) =>
      Effect.as(
        TestClock.adjust("1 hour"),
        onServer(SecureContext.withSessions({ lifetime: Duration.hours(1) }))(sides) as Sides
      )
  },
  { name: "its key is gone", says: week, change: after("12 hours") },
  { name: "it is from the future", reckless: asItIs, change: at(now - 60_001) },
  {
    name: "the server has other keys",
    change: (sides) =>
      Effect.map(
        TicketKeys.make(),
        (ticketKeys) => onServer(SecureContext.withSessions({ ticketKeys }))(sides) as Sides
      )
  },
  { name: "the server resumes none", change: onServer((server) => ({ ...server, sessions: {} })) },
  {
    name: "the server takes a suite of another hash",
    says: sha256,
    change: onServer(SecureContext.withProtocol(sha384))
  },
  {
    name: "the server takes a suite of another hash behind a HelloRetryRequest",
    says: sha256,
    change: onServer(SecureContext.withProtocol({ ...sha384, groups: ["secp384r1"] }))
  },
  {
    name: "neither has a suite of its hash any more",
    says: sha256,
    change: ({ client, server }) => ({
      client: SecureContext.withProtocol(client, sha384),
      server: SecureContext.withProtocol(server, sha384)
    })
  },
  {
    name: "the client offers other protocols",
    says: { client: { protocol: { alpn: ["a"] } }, server: { protocol: { alpn: ["a", "b"] } } },
    change: onClient(SecureContext.withAlpn(["b"]))
  },
  {
    name: "the server chooses another protocol",
    says: { client: { protocol: { alpn: ["a", "b"] } }, server: { protocol: { alpn: ["a"] } } },
    change: onServer(SecureContext.withAlpn(["b"]))
  },
  { name: "it is for another server", change: (sides) => sides, serverName: "localhost" },
  {
    name: "it is for another server, whatever the client thinks",
    reckless: asItIs,
    change: (sides) => sides,
    serverName: "localhost"
  },
  {
    name: "the client is somebody else by now",
    says: withCertificate,
    change: onClient((client) => ({ ...client, identities: [identities.server.identity] }))
  },
  { name: "the client is another application", change: onClient(SecureContext.withSessions({ context: "other" })) },
  {
    name: "the server is another application with the same keys",
    says: { serverSays: { context: "one" } },
    change: onServer(SecureContext.withSessions({ context: "two" }))
  },
  {
    name: "the server requires certificates by now",
    says: { client: { identity: identities.client.options } },
    change: onServer(SecureContext.withTrust({ clientAuthentication: "require" }))
  },
  {
    name: "the server wants no certificates any more",
    says: withCertificate,
    change: onServer(SecureContext.withTrust({ clientAuthentication: "none" }))
  },
  {
    name: "its ticket was changed on the way",
    reckless: ({ ticket }) => ({ ticket: flipped(ticket, ticket.length - 20) }),
    change: (sides) => sides
  },
  { name: "its ticket was cut", reckless: ({ ticket }) => ({ ticket: ticket.slice(0, 40) }), change: (sides) => sides },
  { name: "its ticket is nothing", reckless: () => ({ ticket: Uint8Array.of(1) }), change: (sides) => sides }
]

const check = ({ change, name, reckless, says, serverName }: Case, wanted: boolean) =>
  scoped(name, () =>
    Effect.gen(function* () {
      const agreed = yield* service(says)
      const cache = reckless === undefined ? agreed.cache : yield* always(agreed.cache, reckless)
      const lax = reckless === undefined ? {} : { lifetime: Duration.days(7) }
      const sides = { ...agreed, client: SecureContext.withSessions(agreed.client, { cache, ...lax }) }
      assert.isFalse(yield* resumes(sides))
      const changed = change(sides)
      const later = Effect.isEffect(changed) ? yield* Effect.orDie(changed) : changed
      assert.strictEqual(yield* resumes(later, serverName), wanted)
    })
  )

describe("a session is resumed", () => {
  for (const one of goesOn) check(one, true)
})

describe("a handshake is a full one where", () => {
  for (const one of beginsAnew) check(one, false)
})

describe("who is resumed is judged anew", () => {
  /** Says no so often, once it has said yes. */
  const fickle = (refusals: number) => {
    let asked = 0
    return {
      verifier: harness.verifier(({ certificates }) =>
        asked++ > 0 && asked <= refusals + 1
          ? Effect.fail(new CertificateError({ reason: "Revoked", message: "revoked", depth: 0, chain: [] }))
          : Effect.succeed({ path: certificates, vouchedBy: `visit ${asked}` })
      ),
      asked: () => asked
    }
  }

  scoped("by the client: a session with a server it does not believe any more is not offered", () =>
    Effect.gen(function* () {
      const { asked, verifier } = fickle(1)
      const both = yield* service({ clientBelieves: verifier })
      assert.isFalse(yield* resumes(both))
      // Once before the offer, and again what the server then shows.
      assert.isFalse(yield* resumes(both))
      assert.strictEqual(asked(), 3)
      const { client } = yield* visit(both)
      assert.deepInclude(client.peer, { _tag: "Verified", vouchedBy: "visit 4" })
      assert.isTrue(client.resumed)
    })
  )

  scoped("by the client: and if it does not believe what is shown either, that is the error", () =>
    Effect.gen(function* () {
      const { verifier } = fickle(2)
      const both = yield* service({ clientBelieves: verifier })
      yield* visit(both)
      const error = yield* Effect.flip(visit(both))
      assert.deepInclude(error, { _tag: "CertificateError", reason: "Revoked" })
    })
  )

  scoped("by the server: a client it does not believe any more has to show itself", () =>
    Effect.gen(function* () {
      const { asked, verifier } = fickle(1)
      const both = yield* service({ ...withCertificate, serverBelieves: verifier })
      yield* visit(both)
      const { server } = yield* visit(both)
      assert.strictEqual(asked(), 3)
      assert.isFalse(server.resumed)
      assert.deepInclude(server.peer, { _tag: "Verified", vouchedBy: "visit 3" })
    })
  )

  scoped("and stays unverified where nobody looked", () =>
    Effect.gen(function* () {
      const both = yield* service({ clientBelieves: Verifiers.dangerouslySkipVerification })
      yield* visit(both)
      const { client } = yield* visit(both)
      assert.isTrue(client.resumed)
      assert.strictEqual(client.peer._tag, "Unverified")
    })
  )
})

// ---------------------------------------------------------------------------------------------------------------------
// By hand
// ---------------------------------------------------------------------------------------------------------------------

const ticketOf = (ageAdd = 0x8000_0000) =>
  encode({
    _tag: "NewSessionTicket",
    lifetime: 7200,
    ageAdd,
    nonce: Uint8Array.of(1, 2),
    ticket: Uint8Array.of(7, 7, 7),
    extensions: []
  })

/** A client of ours with a session of a server by hand, which plays its part a second time as it likes. */
const again = (
  script: (session: ClientSession, peer: ScriptedPeer) => ServerScript,
  says: Options = {},
  { ageAdd = 0x8000_0000, later = 1000 }: { readonly ageAdd?: number; readonly later?: number } = {}
) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(now)
    const kept: Array<ClientSession> = []
    const cache = SessionCache.fromFunctions({
      put: (_, session) => Effect.sync(() => void kept.push(session)),
      take: () => Effect.sync(() => Option.fromNullable(kept.shift()))
    })
    const context = SecureContext.withSessions(yield* harness.context(says), { cache })
    const first = yield* clientAgainst(context, (peer) =>
      playServer(peer, { afterFlight: (scripted) => scripted.record(ContentType.handshake, ticketOf(ageAdd)) })
    )
    const connection = yield* Effect.flatten(finish(first.client))
    const reading = yield* Effect.fork(connection.pull)
    yield* harness.settle(reading)
    yield* Fiber.interrupt(reading)
    const [session] = kept
    yield* TestClock.setTime(now + later)
    const { client, script: played } = yield* clientAgainst(context, (peer) => playServer(peer, script(session!, peer)))
    const outcome = yield* finish(client)
    return { outcome, label: labelOf(outcome), ending: endingOf(yield* finish(played)), played, session: session! }
  })

const secretOf = ({ secret }: ClientSession): Uint8Array => Redacted.value(secret).slice()

describe("a client by hand", () => {
  scoped("is told of its session by the rules, and takes the answer", () =>
    Effect.gen(function* () {
      const { label, outcome, played, session } = yield* again((kept) => ({ resume: secretOf(kept) }))
      assert.strictEqual(label, "connected")
      assert.isTrue((yield* Effect.flatten(Effect.succeed(outcome))).info.resumed)
      const { hello } = yield* Fiber.join(played)
      const offer = hello.extensions.at(-1)!
      assert(offer._tag === "PreSharedKeyOffer")
      // A second, added to what the ticket says, past 32 bits.
      assert.deepStrictEqual(offer.identities, [
        { identity: session.ticket, obfuscatedTicketAge: (0x8000_0000 + 1000) % 2 ** 32 }
      ])
      assert.deepStrictEqual(
        offer.binders.map((binder) => binder.length),
        [32]
      )
    })
  )

  const wrong: ReadonlyArray<
    readonly [name: string, script: (session: ClientSession) => ServerScript, error: string, alert: string]
  > = [
    [
      "resumes a session that was not offered",
      (session) => ({
        resume: secretOf(session),
        edit: withExtensions("ServerHello", (extensions) =>
          extensions.map((extension) =>
            extension._tag === "PreSharedKeyAnswer" ? { ...extension, selected: 1 } : extension
          )
        )
      }),
      "HandshakeError/IllegalParameter/negotiation",
      "alert illegal_parameter"
    ],
    [
      "resumes it with a suite of another hash",
      (session) => ({ resume: secretOf(session), suite: CipherSuite.fromName("TLS_AES_256_GCM_SHA384")! }),
      "HandshakeError/IllegalParameter/negotiation",
      "alert illegal_parameter"
    ],
    [
      "resumes it without a key agreement",
      (session) => ({
        resume: secretOf(session),
        edit: withExtensions("ServerHello", (extensions) => extensions.filter(({ _tag }) => _tag !== "KeyShareAnswer"))
      }),
      "HandshakeError/MissingExtension/negotiation",
      "alert missing_extension"
    ],
    [
      "resumes it with another secret",
      (session) => ({ resume: flipped(secretOf(session)) }),
      "HandshakeError/BadRecord/authentication",
      // The alert is under keys that only one side has.
      "off script: a record did not decrypt"
    ],
    [
      "asks for a certificate all the same",
      (session) => ({ resume: secretOf(session), request: true }),
      "HandshakeError/UnexpectedMessage/authentication",
      "alert unexpected_message"
    ],
    [
      "shows a certificate all the same",
      (session) => ({
        resume: secretOf(session),
        edit: edits.change("Finished", (finished) => [
          {
            _tag: "Certificate",
            context: new Uint8Array(0),
            entries: [{ certificate: identities.server.certificate.der, extensions: [] }]
          },
          finished
        ])
      }),
      "HandshakeError/UnexpectedMessage/authentication",
      "alert unexpected_message"
    ],
    [
      "resumes it and sends a wrong Finished",
      (session) => ({
        resume: secretOf(session),
        edit: edits.change("Finished", (finished) => ({ ...finished, verifyData: flipped(finished.verifyData) }))
      }),
      "HandshakeError/BadFinished/authentication",
      "alert decrypt_error"
    ],
    [
      "shows no certificate and resumes nothing",
      () => ({
        edit: (message) => (message._tag === "Certificate" || message._tag === "CertificateVerify" ? [] : message)
      }),
      "HandshakeError/UnexpectedMessage/authentication",
      "alert unexpected_message"
    ]
  ]
  for (const [name, script, error, alert] of wrong) {
    scoped(`refuses a server that ${name}`, () =>
      Effect.gen(function* () {
        const { ending, label } = yield* again(script)
        assert.strictEqual(label, error)
        assert.include(ending, alert)
      })
    )
  }

  scoped("refuses a server that resumes what nobody offered", () =>
    Effect.gen(function* () {
      const { client, script } = yield* clientAgainst(yield* harness.context(), (peer) =>
        playServer(peer, { resume: new Uint8Array(32) })
      )
      assert.strictEqual(labelOf(yield* finish(client)), "HandshakeError/UnsupportedExtension/negotiation")
      assert.strictEqual(endingOf(yield* finish(script)), "alert unsupported_extension")
    })
  )
})

describe("a server by hand", () => {
  const garbage = { identity: Uint8Array.of(1, 2, 3), obfuscatedTicketAge: 0 }
  const binder = new Uint8Array(32)
  const modes: Extension = { _tag: "PskKeyExchangeModes", modes: [1] }

  /** A client with a ticket that is good, among others that are not, and binders that are none. */
  const offering = (extensions: (ticket: Uint8Array) => ReadonlyArray<Extension>) =>
    Effect.gen(function* () {
      const both = yield* service()
      let ticket: Uint8Array | undefined
      const cache = SessionCache.fromFunctions({
        take: () => Effect.succeedNone,
        put: (_, session) => Effect.sync(() => void (ticket ??= session.ticket))
      })
      yield* visit({ ...both, client: SecureContext.withSessions(both.client, { cache }) })
      const { script, server } = yield* serverAgainst(both.server, (peer) =>
        playClient(peer, { serverName: "example.org", extensions: extensions(ticket!) })
      )
      return [labelOf(yield* finish(server)), endingOf(yield* finish(script))]
    })
  const offer = (ticket: Uint8Array, before: number): Extension => ({
    _tag: "PreSharedKeyOffer",
    identities: [...Array.from({ length: before }, () => garbage), { identity: ticket, obfuscatedTicketAge: 0 }],
    binders: Array.from({ length: before + 1 }, () => binder)
  })

  scoped("wants proof that the client has the secret of what it offers", () =>
    Effect.gen(function* () {
      for (const before of [0, 4]) {
        assert.deepStrictEqual(yield* offering((ticket) => [modes, offer(ticket, before)]), [
          "HandshakeError/BadBinder/negotiation",
          "alert decrypt_error"
        ])
      }
    })
  )

  scoped("looks at five of them", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* offering((ticket) => [modes, offer(ticket, 5)]), ["connected", "done"])
    })
  )

  scoped("gives up no forward secrecy", () =>
    Effect.gen(function* () {
      const withoutAgreement: Extension = { _tag: "PskKeyExchangeModes", modes: [0] }
      assert.deepStrictEqual(yield* offering((ticket) => [withoutAgreement, offer(ticket, 0)]), ["connected", "done"])
    })
  )

  scoped("takes a binder for none that has another length", () =>
    Effect.gen(function* () {
      const long = (ticket: Uint8Array): Extension => ({
        _tag: "PreSharedKeyOffer",
        identities: [{ identity: ticket, obfuscatedTicketAge: 0 }],
        binders: [new Uint8Array(48)]
      })
      assert.deepStrictEqual(yield* offering((ticket) => [modes, long(ticket)]), [
        "HandshakeError/BadBinder/negotiation",
        "alert decrypt_error"
      ])
    })
  )
})

// ---------------------------------------------------------------------------------------------------------------------
// What may go wrong
// ---------------------------------------------------------------------------------------------------------------------

describe("that sessions are kept badly is no reason for a handshake to fail", () => {
  const ways: ReadonlyArray<readonly [string, Effect.Effect<never, Error>]> = [
    ["fails", Effect.fail(new Error("no"))],
    ["dies", Effect.die(new Error("no"))],
    [
      "throws",
      Effect.suspend(() => {
        throw new Error("no")
      })
    ],
    ["interrupts itself", Effect.interrupt]
  ]
  for (const [name, way] of ways) {
    scoped(`a cache that ${name}`, () =>
      Effect.gen(function* () {
        const both = yield* service()
        const cache = SessionCache.fromFunctions({ take: () => way, put: () => way })
        const client = SecureContext.withSessions(both.client, { cache })
        for (let i = 0; i < 2; i++) assert.isFalse(yield* resumes({ ...both, client }))
      })
    )

    scoped(`ticket keys whose opening ${name}, or sealing`, () =>
      Effect.gen(function* () {
        for (const broken of [{ open: () => way }, { seal: () => way }]) {
          const both = yield* service()
          const ticketKeys = { ...both.ticketKeys, ...broken }
          const server = SecureContext.withSessions(both.server, { ticketKeys })
          for (let i = 0; i < 2; i++) assert.isFalse(yield* resumes({ ...both, server }))
        }
      })
    )
  }

  scoped("functions that throw, and give what is none", () =>
    Effect.gen(function* () {
      const both = yield* service()
      const thrown = (): never => {
        throw new Error("no")
      }
      const nonsense = (() => Effect.succeed("nonsense")) as never
      for (const take of [thrown, nonsense]) {
        const client = SecureContext.withSessions(both.client, {
          cache: SessionCache.fromFunctions({ take, put: thrown })
        })
        assert.isFalse(yield* resumes({ ...both, client }))
      }
      yield* visit(both)
      for (const open of [thrown, nonsense]) {
        const server = SecureContext.withSessions(both.server, { ticketKeys: { ...both.ticketKeys, open } })
        assert.isFalse(yield* resumes({ ...both, server }))
      }
    })
  )

  scoped(
    "a cache that never ends keeping holds up no reader, and one that never ends looking has the handshake's deadline",
    () =>
      Effect.gen(function* () {
        const both = yield* service()
        const slow = SessionCache.fromFunctions({ take: () => Effect.succeedNone, put: () => Effect.never })
        assert.isFalse(yield* resumes({ ...both, client: SecureContext.withSessions(both.client, { cache: slow }) }))
        const stuck = SessionCache.fromFunctions({ take: () => Effect.never, put: () => Effect.void })
        const fiber = yield* Effect.fork(
          visit({ ...both, client: SecureContext.withSessions(both.client, { cache: stuck }) })
        )
        assert.deepInclude(errorOf(yield* finish(fiber)), { _tag: "TlsTimeoutError", reason: "Handshake" })
      })
  )

  scoped("a ticket in the middle of data and an end", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(now)
      const cache = yield* SessionCache.make()
      const context = SecureContext.withSessions(yield* harness.context(), { cache })
      const ticket = (peer: ScriptedPeer) => peer.record(ContentType.handshake, ticketOf())
      const { client } = yield* clientAgainst(context, (peer) =>
        playServer(peer, {
          afterFlight: (scripted) =>
            concat([
              scripted.data("a"),
              ticket(scripted),
              scripted.data("b"),
              ticket(scripted),
              scripted.alert("close_notify")
            ])
        })
      )
      const connection = yield* Effect.flatten(finish(client))
      assert.strictEqual(yield* read(connection), "ab")
      assertNone(yield* Effect.flip(connection.pull))
    })
  )
})

/** A server whose ticket keys are a store: a ticket is the name of what is in it. */
const store = (): TicketKeys.TicketKeys => {
  const kept = new Map<string, Uint8Array>()
  return {
    [TicketKeys.TypeId]: TicketKeys.TypeId,
    seal: (session) =>
      Effect.sync(() => {
        kept.set(String(kept.size), session)
        return harness.bytes(String(kept.size - 1))
      }),
    open: (ticket) => Effect.sync(() => Option.fromNullable(kept.get(text([ticket]))))
  }
}

describe("ticket keys of one's own", () => {
  scoped("may be a store, which opens a ticket as often as it is asked", () =>
    Effect.gen(function* () {
      const both = yield* service()
      const cache = yield* always(both.cache)
      const sides = {
        client: SecureContext.withSessions(both.client, { cache }),
        server: SecureContext.withSessions(both.server, { ticketKeys: store() })
      }
      for (let i = 0; i < 3; i++) assert.strictEqual(yield* resumes(sides), i > 0)
    })
  )

  scoped("that never end sealing hold up nobody", () =>
    Effect.gen(function* () {
      const both = yield* service()
      const ticketKeys = { ...both.ticketKeys, seal: () => Effect.never }
      const server = SecureContext.withSessions(both.server, { ticketKeys })
      for (let i = 0; i < 2; i++) assert.isFalse(yield* resumes({ ...both, server }))
    })
  )

  scoped("that fail at the second ticket give the first", () =>
    Effect.gen(function* () {
      const both = yield* service()
      let sealed = 0
      const seal: TicketKeys.TicketKeys["seal"] = (session) =>
        sealed++ === 1 ? Effect.fail("no") : both.ticketKeys.seal(session)
      const server = SecureContext.withSessions(both.server, { ticketKeys: { ...both.ticketKeys, seal } })
      assert.isFalse(yield* resumes({ ...both, server }))
      assert.isTrue(yield* resumes({ ...both, server }))
    })
  )

  scoped("that open to what is none, or seal to it", () =>
    Effect.gen(function* () {
      const both = yield* service()
      yield* visit(both)
      const open = () => Effect.succeedSome("text" as never)
      const opening = SecureContext.withSessions(both.server, { ticketKeys: { ...both.ticketKeys, open } })
      assert.isFalse(yield* resumes({ ...both, server: opening }))
      for (const sealed of [undefined, "text", new Uint8Array(0), new Uint8Array(16_385)]) {
        const seal = () => Effect.succeed(sealed as never)
        const server = SecureContext.withSessions(both.server, { ticketKeys: { ...both.ticketKeys, seal } })
        const fresh = yield* service()
        for (let i = 0; i < 2; i++) assert.isFalse(yield* resumes({ client: fresh.client, server }))
      }
    })
  )
})

describe("a client's sessions", () => {
  scoped("are none that a cache makes up", () =>
    Effect.gen(function* () {
      const both = yield* service()
      let kept: ClientSession | undefined
      const keeping = SessionCache.fromFunctions({
        take: () => Effect.succeedNone,
        put: (_, session) => Effect.sync(() => void (kept ??= session))
      })
      yield* visit({ ...both, client: SecureContext.withSessions(both.client, { cache: keeping }) })
      const whole = kept!
      const fields = Object.keys(whole) as ReadonlyArray<keyof ClientSession>
      const made: ReadonlyArray<unknown> = [
        undefined,
        null,
        "text",
        {},
        { cipherSuite: whole.cipherSuite },
        ...fields.map((field) => Object.assign({}, whole, { [field]: { is: "another thing" } })),
        { ...whole, secret: Redacted.make("text") },
        { ...whole, ticket: new Uint8Array(65_400) }
      ]
      for (const session of made) {
        let isFirst = true
        const cache = SessionCache.fromFunctions({
          take: () =>
            Effect.sync(() => {
              const given = isFirst ? Option.some(session as ClientSession) : Option.none()
              isFirst = false
              return given
            }),
          put: () => Effect.void
        })
        assert.isFalse(yield* resumes({ ...both, client: SecureContext.withSessions(both.client, { cache }) }))
      }
    })
  )

  scoped("are offered to whom they are for alone, even by a cache that gives everybody the same", () =>
    Effect.gen(function* () {
      const both = yield* service({ serverSays: { tickets: 1 } })
      let kept: ClientSession | undefined
      const careless = SessionCache.fromFunctions({
        take: () => Effect.sync(() => Option.fromNullable(kept)),
        put: (_, session) => Effect.sync(() => void (kept ??= session))
      })
      const client = SecureContext.withSessions(both.client, { cache: careless })
      assert.isFalse(yield* resumes({ ...both, client }))
      assert.isTrue(yield* resumes({ ...both, client }))
      // No server knows of a client's context.
      assert.isFalse(yield* resumes({ ...both, client: SecureContext.withSessions(client, { context: "another" }) }))
    })
  )

  scoped("are not offered beside suites of another hash alone", () =>
    Effect.gen(function* () {
      const both = yield* service(sha256)
      yield* visit(both)
      for (const [said, offers] of [
        [{}, true],
        [sha384, false]
      ] as const) {
        const client = SecureContext.withProtocol(both.client, said)
        const {
          client: fiber,
          peer,
          script
        } = yield* clientAgainst(
          client,
          (scripted) =>
            Effect.flatMap(scripted.expect("ClientHello"), () => scripted.send(() => scripted.alert("internal_error"))),
          { serverName: "example.org" }
        )
        yield* finish(script)
        yield* finish(fiber)
        const [hello] = peer.messages
        assert(hello?._tag === "ClientHello")
        assert.strictEqual(
          hello.extensions.some(({ _tag }) => _tag === "PreSharedKeyOffer"),
          offers
        )
      }
    })
  )

  scoped("are each for one connection, however many are made at once", () =>
    Effect.gen(function* () {
      const both = yield* service({ serverSays: { tickets: 1 } })
      yield* visit(both)
      const visited = yield* Effect.all([resumes(both), resumes(both), resumes(both)], { concurrency: "unbounded" })
      assert.deepStrictEqual(visited.toSorted(), [false, false, true])
    })
  )

  scoped("are not resumed a week after the handshake that showed certificates, however often they were", () =>
    Effect.gen(function* () {
      const ticketKeys = yield* TicketKeys.fromSecret(Redacted.make(new Uint8Array(32)), {
        rotation: Duration.infinity
      })
      const both = yield* service({ ...week, serverSays: { lifetime: Duration.days(7), ticketKeys } })
      const resumed: Array<boolean> = []
      for (let day = 0; day <= 18; day += 6) {
        yield* TestClock.setTime(now + day * 86_400_000)
        resumed.push(yield* resumes(both))
      }
      assert.deepStrictEqual(resumed, [false, true, false, true])
      // Nor by a server, whatever the client thinks: this ticket is of a resumption six days ago.
      const fresh = yield* service({ ...week, serverSays: { lifetime: Duration.days(7), ticketKeys } })
      yield* visit(fresh)
      yield* TestClock.setTime(now + 6 * 86_400_000)
      const kept: Array<ClientSession> = []
      const recording = SessionCache.fromFunctions({
        take: fresh.cache.take,
        put: (_, session) => Effect.sync(() => void kept.push(session))
      })
      assert.isTrue(
        yield* resumes({ ...fresh, client: SecureContext.withSessions(fresh.client, { cache: recording }) })
      )
      yield* TestClock.setTime(now + 12 * 86_400_000)
      const forging = SessionCache.fromFunctions({
        take: () =>
          Effect.sync(() =>
            Option.map(Option.fromNullable(kept.shift()), (session) => ({
              ...session,
              authenticatedAt: session.createdAt
            }))
          ),
        put: () => Effect.void
      })
      assert.isFalse(yield* resumes({ ...fresh, client: SecureContext.withSessions(fresh.client, { cache: forging }) }))
      assert.deepStrictEqual(kept, [])
    })
  )

  scoped("begin with the handshake, not with their ticket", () =>
    Effect.gen(function* () {
      const kept: Array<ClientSession> = []
      yield* TestClock.setTime(now)
      const cache = SessionCache.fromFunctions({
        take: () => Effect.succeedNone,
        put: (_, session) => Effect.sync(() => void kept.push(session))
      })
      const context = SecureContext.withSessions(yield* harness.context(), { cache })
      const { client } = yield* clientAgainst(context, (peer) =>
        playServer(peer, { afterFlight: (scripted) => scripted.record(ContentType.handshake, ticketOf()) })
      )
      const connection = yield* Effect.flatten(finish(client))
      yield* TestClock.setTime(now + 5000)
      const reading = yield* Effect.fork(connection.pull)
      yield* harness.settle(reading)
      yield* Fiber.interrupt(reading)
      assert.deepStrictEqual(
        kept.map(({ authenticatedAt, createdAt }) => [authenticatedAt - now, createdAt - now]),
        [[0, 5000]]
      )
    })
  )

  scoped("are no more at once than a cache should be busy with", () =>
    Effect.gen(function* () {
      const both = yield* service({ serverSays: { tickets: 16 } })
      let busy = 0
      const cache = SessionCache.fromFunctions({
        take: () => Effect.succeedNone,
        put: () =>
          Effect.zipRight(
            Effect.sync(() => busy++),
            Effect.never
          )
      })
      yield* visit({ ...both, client: SecureContext.withSessions(both.client, { cache }) })
      assert.strictEqual(busy, 8)
      busy = 0
      const patient = SessionCache.fromFunctions({
        take: () => Effect.succeedNone,
        put: () => Effect.sync(() => busy++)
      })
      const limits = { ticketsBeingKept: 16 }
      const client = SecureContext.withProtocol(both.client, { limits })
      yield* visit({ ...both, client: SecureContext.withSessions(client, { cache: patient }) })
      assert.strictEqual(busy, 16)
    })
  )

  for (const [length, isKept] of [
    [16_384, true],
    [16_385, false]
  ] as const) {
    scoped(`of tickets of ${length} bytes are ${isKept ? "" : "not "}kept`, () =>
      Effect.gen(function* () {
        const both = yield* service()
        const kept: Array<ClientSession> = []
        const cache = SessionCache.fromFunctions({
          take: () => Effect.succeedNone,
          put: (_, session) => Effect.sync(() => void kept.push(session))
        })
        const ticketKeys = { ...both.ticketKeys, seal: () => Effect.succeed(new Uint8Array(length).fill(1)) }
        const server = SecureContext.withSessions(both.server, { ticketKeys })
        const lax = SecureContext.withProtocol(server, { limits: { ticket: 20_000 } })
        yield* visit({ server: lax, client: SecureContext.withSessions(both.client, { cache }) })
        assert.strictEqual(kept.length, isKept ? 2 : 0)
      })
    )
  }

  scoped("come of no ticket of a peer that then does wrong", () =>
    Effect.gen(function* () {
      for (const [then, kept] of [
        [(peer: ScriptedPeer) => peer.record(ContentType.handshake, encode({ _tag: "EndOfEarlyData" })), 0],
        [(peer: ScriptedPeer) => peer.alert("internal_error"), 0],
        [(peer: ScriptedPeer) => peer.alert("close_notify"), 1]
      ] as const) {
        yield* TestClock.setTime(now)
        let count = 0
        const cache = SessionCache.fromFunctions({
          take: () => Effect.succeedNone,
          put: () => Effect.sync(() => count++)
        })
        const context = SecureContext.withSessions(yield* harness.context(), { cache })
        const { client } = yield* clientAgainst(context, (peer) =>
          playServer(peer, {
            afterFlight: (scripted) => concat([scripted.record(ContentType.handshake, ticketOf()), then(scripted)])
          })
        )
        const connection = yield* Effect.flatten(finish(client))
        yield* Effect.flip(connection.pull)
        assert.strictEqual(count, kept)
      }
    })
  )

  scoped("are as old as nothing when the clock was set back", () =>
    Effect.gen(function* () {
      const { label, played } = yield* again(
        (session) => ({ resume: secretOf(session) }),
        {},
        { ageAdd: 0, later: -1000 }
      )
      assert.strictEqual(label, "connected")
      const { hello } = yield* Fiber.join(played)
      assert.deepInclude(hello.extensions.at(-1), {
        identities: [{ identity: Uint8Array.of(7, 7, 7), obfuscatedTicketAge: 0 }]
      })
    })
  )
})

describe("a server goes on with nobody", () => {
  scoped("for whose name its resolver has no identity any more", () =>
    Effect.gen(function* () {
      const both = yield* service()
      const resolving = (found: ReadonlyArray<typeof identities.server.identity>) => ({
        ...both,
        server: SecureContext.withIdentityResolver({ ...both.server, identities: [] }, () => Effect.succeed(found))
      })
      yield* visit(resolving([identities.server.identity]))
      assert.isTrue(yield* resumes(resolving([identities.server.identity])))
      const error = yield* Effect.flip(visit(resolving([])))
      assert.deepInclude(error, { _tag: "AlertError", alert: "unrecognized_name" })
    })
  )

  scoped("whose binder is wrong, before it asks anybody about the certificate", () =>
    Effect.gen(function* () {
      let asked = 0
      const believes = harness.verifier(({ certificates }) => {
        asked++
        return Effect.succeed({ path: certificates, vouchedBy: "test" })
      })
      const both = yield* service({ ...withCertificate, serverBelieves: believes })
      const cache = yield* always(both.cache, ({ secret }) => ({
        secret: Redacted.make(flipped(Redacted.value(secret)))
      }))
      const client = SecureContext.withSessions(both.client, { cache })
      yield* visit({ ...both, client })
      assert.strictEqual(asked, 1)
      const error = yield* Effect.flip(visit({ ...both, client }))
      assert.deepInclude(error, { _tag: "AlertError", alert: "decrypt_error" })
      assert.strictEqual(asked, 1)
    })
  )

  scoped("who signed with what the client does not take any more", () =>
    Effect.gen(function* () {
      const both = yield* service()
      yield* visit(both)
      const client = SecureContext.withProtocol(both.client, { signatureSchemes: ["ed25519"] })
      assert.deepInclude(yield* Effect.flip(visit({ ...both, client })), {
        _tag: "AlertError",
        alert: "handshake_failure"
      })
    })
  )

  scoped("who signed with what the server does not take any more", () =>
    Effect.gen(function* () {
      const own = identities.makeSync({ names: ["example.org"], key: { _tag: "Ed25519" } })
      const both = yield* service({
        client: { identity: identities.client.options },
        server: { identity: own.options, trust: { clientAuthentication: "request" } }
      })
      assert.strictEqual((yield* visit(both)).server.peer._tag, "Verified")
      const server = SecureContext.withProtocol(both.server, { signatureSchemes: ["ed25519"] })
      const info = (yield* visit({ ...both, server })).server
      assert.deepStrictEqual([info.resumed, info.peer._tag], [false, "Anonymous"])
    })
  )

  scoped("and waits for nobody who has gone before the tickets", () =>
    Effect.gen(function* () {
      const both = yield* service()
      const [clientEnd, serverEnd] = yield* MemoryTransport.pair()
      let writes = 0
      // The flight goes out, and then nothing more.
      const deaf: Duplex = {
        ...serverEnd,
        write: (bytes) =>
          ++writes > 1
            ? Effect.fail(
                new TransportError({
                  reason: "ConnectionReset",
                  operation: "write",
                  message: "gone",
                  phase: "connected"
                })
              )
            : serverEnd.write(bytes)
      }
      const accepting = yield* Effect.fork(TlsServer.over(deaf, { context: both.server }))
      const client = yield* TlsClient.over(clientEnd, { context: both.client, serverName: "example.org" })
      yield* client.write(harness.bytes("event"))
      yield* client.end
      const server = yield* Fiber.join(accepting)
      assert.strictEqual(yield* read(server), "event")
    })
  )
})

describe("offers by hand", () => {
  /** What the server answers a hello with a session's ticket, behind others, with binders as they should be. */
  const answerTo = (
    edit: (hello: ClientHello) => ClientHello,
    before: ReadonlyArray<{ readonly identity: Uint8Array; readonly obfuscatedTicketAge: number }> = []
  ) =>
    Effect.gen(function* () {
      const both = yield* service()
      let kept: ClientSession | undefined
      const cache = SessionCache.fromFunctions({
        take: () => Effect.succeedNone,
        put: (_, session) => Effect.sync(() => void (kept ??= session))
      })
      yield* visit({ ...both, client: SecureContext.withSessions(both.client, { cache }) })
      const session = kept!
      const schedule = KeySchedule.make(crypto, aes128)
      const offering = (binder: Uint8Array): Extension => ({
        _tag: "PreSharedKeyOffer",
        identities: [...before, { identity: session.ticket, obfuscatedTicketAge: 0 }],
        binders: [...before.map(() => new Uint8Array(48)), binder]
      })
      const { peer, script } = yield* serverAgainst(both.server, (scripted) =>
        playClient(scripted, {
          serverName: "example.org",
          suites: [aes128.code],
          extensions: [{ _tag: "PskKeyExchangeModes", modes: [1] }],
          hello: (made) => {
            const hello = edit(made)
            const none = { ...hello, extensions: [...hello.extensions, offering(new Uint8Array(32))] }
            const cut = SessionTerms.bindersLength([...before.map(() => new Uint8Array(48)), new Uint8Array(32)])
            const covered = encode(none)
            const hash = new Transcript(crypto).digestWith("SHA-256", covered.subarray(0, covered.length - cut))
            const binder = schedule.binder(schedule.early(secretOf(session)), hash)
            return { ...hello, extensions: [...hello.extensions, offering(binder)] }
          }
        })
      )
      yield* finish(script)
      const answer = peer.messages.find(({ _tag }) => _tag === "ServerHello")
      return answer?._tag === "ServerHello"
        ? answer.extensions.find(({ _tag }) => _tag === "PreSharedKeyAnswer")
        : answer
    })

  scoped("are taken by their place", () =>
    Effect.gen(function* () {
      const foreign = { identity: Uint8Array.of(1, 2, 3), obfuscatedTicketAge: 0 }
      const asIs = (hello: ClientHello) => hello
      assert.deepStrictEqual(yield* answerTo(asIs), { _tag: "PreSharedKeyAnswer", selected: 0 })
      assert.deepStrictEqual(yield* answerTo(asIs, [foreign, foreign]), { _tag: "PreSharedKeyAnswer", selected: 2 })
      assert.isUndefined(
        yield* answerTo(
          asIs,
          Array.from({ length: 5 }, () => foreign)
        )
      )
    })
  )

  scoped("may do without signature_algorithms", () =>
    Effect.gen(function* () {
      const without = (hello: ClientHello): ClientHello => ({
        ...hello,
        extensions: hello.extensions.filter(({ _tag }) => _tag !== "SignatureAlgorithms")
      })
      assert.deepStrictEqual(yield* answerTo(without), { _tag: "PreSharedKeyAnswer", selected: 0 })
    })
  )
})

describe("what is said of sessions", () => {
  const cases: ReadonlyArray<readonly [SecureContext.Sessions, string, RegExp]> = [
    [
      { lifetime: Duration.days(8) },
      "sessions.lifetime",
      /^a session lasts from a second to 7 days, found 691200 seconds$/
    ],
    [{ lifetime: Duration.millis(999) }, "sessions.lifetime", /a second/],
    [{ lifetime: Duration.infinity }, "sessions.lifetime", /7 days/],
    [{ tickets: 17 }, "sessions.tickets", /^a whole number from 0 to 16, found 17$/],
    [{ tickets: -1 }, "sessions.tickets", /found -1/],
    [{ tickets: 1.5 }, "sessions.tickets", /found 1.5/]
  ]
  for (const [said, path, message] of cases) {
    it.scoped(`is refused: ${path} ${Object.values(said).join()}`, () =>
      Effect.gen(function* () {
        const made = yield* Effect.flip(SecureContext.make({ sessions: said }))
        const with_ = SecureContext.withSessions(yield* harness.serverContext(), said)
        const sides = [
          made,
          ...(["client", "server"] as const).map((role) =>
            Either.getOrThrow(Either.flip(SecureContext.resolve(with_, crypto, role)))
          )
        ]
        for (const error of sides) {
          assert.strictEqual(error.issues[0].path, path)
          assert.match(error.issues[0].message, message)
        }
      }).pipe(Effect.provide(layer))
    )
  }

  it.scoped("is refused where it is none", () =>
    Effect.gen(function* () {
      for (const [sessions, path, message] of [
        [
          { ticketKeys: new Uint8Array(48) },
          "sessions.ticketKeys",
          "expected ticket keys, as `TicketKeys.make` gives them"
        ],
        [{ cache: new Map() }, "sessions.cache", "expected a cache, as `SessionCache.make` gives it"],
        [
          { lifetime: "soon" },
          "sessions.lifetime",
          'expected a duration, such as "5 seconds" or a number of milliseconds'
        ],
        [{ ticketKey: 1 }, "sessions.ticketKey", /is unexpected/]
      ] as const) {
        const error = yield* Effect.flip(SecureContext.make({ sessions } as never))
        assert.strictEqual(error.issues[0].path, path)
        if (typeof message === "string") assert.strictEqual(error.issues[0].message, message)
        else assert.match(error.issues[0].message, message)
      }
    }).pipe(Effect.provide(layer))
  )
})
