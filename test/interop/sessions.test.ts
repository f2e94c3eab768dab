/**
 * Sessions of TLS 1.3 and real peers: our client resumes with their servers, their clients with ours. The table of peers
 * says how; every case is made from it.
 */
import { assert } from "@effect/vitest"
import { Duration, Effect, Option } from "effect"
import { type SecureContext, SessionCache, TicketKeys } from "effect-tls"
import { randomUUID } from "node:crypto"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { describe } from "vitest"
import * as Cases from "./cases.ts"
import * as Ours from "./ours.ts"
import * as Peers from "./peer.ts"
import { rows } from "./peerTable.ts"
import { usePki } from "./pki.ts"
import type { Peer } from "./process.ts"

const certs = usePki()
const { test } = Ours

type Info = Cases.Info

interface Case {
  readonly name: string
  readonly protocol?: Ours.Protocol
  readonly info?: Partial<Info>
  readonly clientCertificate?: boolean
}

const casesOf = (role: Peers.Role, retried: Case): ReadonlyArray<Case> => [
  { name: role.resumes ? "resumed" : "never resumed", protocol: { alpn: [role.alpn ?? "http/1.1"] } },
  ...(role.clientCertificate && role.resumes ? [{ name: "with a client certificate", clientCertificate: true }] : []),
  ...(role.resumes ? [retried] : [])
]

/** With a session of the longer hash, whose binders are longer too. */
const retry = (group: Info["group"], protocol: Ours.Protocol): Case => ({
  name: `with HelloRetryRequest for ${group} and SHA-384`,
  protocol: { ...protocol, cipherSuites: ["TLS_AES_256_GCM_SHA384"] },
  info: { group, helloRetryRequest: true, cipherSuite: "TLS_AES_256_GCM_SHA384" }
})

/** Each connection was resumed, or not; of what a session is for, all of them know the same. */
const alike = (infos: ReadonlyArray<Info>, resumed: ReadonlyArray<boolean>) => {
  areResumed(infos, resumed)
  const { helloRetryRequest } = infos[0]!
  for (const info of infos) assert.deepStrictEqual({ ...info, resumed: false, helloRetryRequest }, infos[0])
}

const areResumed = (infos: ReadonlyArray<Info>, resumed: ReadonlyArray<boolean>) =>
  assert.deepStrictEqual(
    infos.map((info) => info.resumed),
    resumed
  )

const lengths = { given: 2000, taken: 2000 }

const preparations = new Map(
  rows.map(({ name, prepare }) => [
    name,
    Effect.runSync(Effect.cached(Effect.suspend(() => prepare?.(certs()) ?? Effect.void)))
  ])
)
const all = await Peers.find(rows)
const here = all.filter(({ found }) => found !== undefined)
for (const absent of Peers.absent(all)) {
  test(absent, (context) => Effect.sync(() => context.skip()))
}
/** What is told of one peer in each role is told of another family too. */
const isExemplary = ({ name }: Peers.Row): boolean => ["OpenSSL", "Go"].includes(name)

// -- their servers ------------------------------------------------------------------------------------------------------

/** A cache whose sessions have tickets that their server did not make. */
const spoilt = (cache: SessionCache.SessionCache) =>
  SessionCache.fromFunctions({
    put: cache.put,
    take: (key) =>
      Effect.map(
        cache.take(key),
        Option.map((session) => ({ ...session, ticket: session.ticket.map((byte) => byte ^ 0x55) }))
      )
  })

const theirServers = here.flatMap(({ server, ...row }) =>
  server === undefined || (server.everyAddress === true && !Peers.hasOwnNetwork) ? [] : [{ server, ...row }]
)
for (const { server, ...row } of theirServers) {
  describe(`our client and the server of ${row.name} ${row.found}`, { concurrent: true }, () => {
    const start = ({
      clientCertificate = false,
      path
    }: {
      readonly clientCertificate?: boolean
      readonly path?: string
    }) =>
      Effect.gen(function* () {
        const pki = certs()
        yield* preparations.get(row.name)!
        return yield* Peers.serve(server, {
          pki,
          bulk: false,
          hybrid: false,
          issued: pki.server.p256,
          clientCa: clientCertificate ? pki.root.rsa : undefined,
          repeatedly: true,
          ...(path === undefined ? {} : { path })
        })
      })

    /** One connection, with data both ways; the last of so many. */
    const visit = (
      peer: Effect.Effect.Success<ReturnType<typeof start>>,
      sessions: SecureContext.Sessions,
      { clientCertificate = false, protocol = {}, visits }: Omit<Case, "name"> & { readonly visits: number }
    ) =>
      Effect.scoped(
        Effect.gen(function* () {
          const { client, root } = certs()
          const connection = yield* Ours.connect(peer.endpoint, {
            protocol,
            sessions,
            trust: { anchors: root.p256.pem },
            ...(clientCertificate ? { identity: Ours.identity(client.rsa) } : {})
          })
          if (server.shape === "page") yield* Peers.browse(server, connection, 0)
          else {
            const received = yield* Peers.converse(server.shape, connection, peer, { ...lengths, visits })
            yield* connection.end
            yield* Peers.ended(connection, server.ends, received)
          }
          return connection.info
        })
      )

    const [share, group] = server.retry
    for (const one of casesOf(server, retry(group, { groups: [share, group], keyShares: [share] }))) {
      test(one.name, () =>
        Effect.gen(function* () {
          const peer = yield* start(one)
          const kept = yield* SessionCache.make()
          const tickets = new Set<string>()
          const cache = SessionCache.fromFunctions({
            put: kept.put,
            take: (key) =>
              Effect.tap(kept.take(key), (session) => {
                if (Option.isSome(session)) tickets.add(String(session.value.ticket))
              })
          })
          const infos = yield* Effect.forEach(server.resumes ? [0, 1, 2] : [0, 1], (visits) =>
            visit(peer, { cache }, { ...one, visits })
          )
          alike(infos, server.resumes ? [false, true, true] : [false, false])
          for (const info of infos) Cases.includes(info, { ...one.info })
          assert.strictEqual(infos.at(-1)!.clientSignatureScheme._tag, one.clientCertificate ? "Some" : "None")
          assert.strictEqual(tickets.size, server.resumes ? 2 : 0)
          if (!server.resumes) return
          const info = yield* visit(peer, { cache: spoilt(cache) }, { ...one, visits: 3 })
          alike([infos[0]!, info], [false, false])
          assert.strictEqual(tickets.size, 3)
        })
      )
    }

    if (!isExemplary(row) || !Peers.hasOwnNetwork) return
    test("that was restarted", () =>
      Effect.gen(function* () {
        const cache = yield* SessionCache.make()
        const path = join(certs().directory, `${row.name}.sock`)
        const life = (resumed: ReadonlyArray<boolean>) =>
          Effect.scoped(
            Effect.gen(function* () {
              const peer = yield* start({ path })
              const infos = yield* Effect.forEach(resumed, (_, visits) => visit(peer, { cache }, { visits }))
              areResumed(infos, resumed)
              rmSync(path)
            })
          )
        yield* life([false, true])
        // What the cache has of before goes first.
        yield* life([false, true])
      }))
  })
}

// -- their clients ------------------------------------------------------------------------------------------------------

const theirClients = here.flatMap(({ client, ...row }) => (client === undefined ? [] : [{ client, ...row }]))
for (const { client, ...row } of theirClients) {
  describe(`our server and the client of ${row.name} ${row.found}`, { concurrent: true }, () => {
    const { again } = client

    /**
     * All the connections it makes, with data both ways. Its first run is to the first of the servers, and so on; those
     * that remain are to the last. `between` happens at the end of each connection.
     */
    const visits = (
      servers: ReadonlyArray<Ours.OurServer>,
      {
        between,
        clientCertificate
      }: { readonly between?: (n: number) => Effect.Effect<void>; readonly clientCertificate?: boolean }
    ) =>
      Effect.gen(function* () {
        const pki = certs()
        yield* preparations.get(row.name)!
        const own = clientCertificate === true ? pki.client.rsa : undefined
        const file = join(pki.directory, randomUUID())
        const runs = servers.map((server) => ({
          server,
          commands: again.commands({ pki, hybrid: false, port: server.port, ca: pki.root.p256, own }, file)
        }))
        const infos: Array<Info> = []
        const visit = (server: Ours.OurServer, peer: Peer) =>
          Effect.gen(function* () {
            const { close, connection } = yield* server.accepted
            infos.push(connection.info)
            if (again.shape === "request") {
              yield* Ours.readUntil(connection, /GET[^]*\r\n\r\n/)
              yield* connection.write(
                Ours.bytes("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 6\r\n\r\nagain\n")
              )
            } else if (again.drops !== true || infos.length > 1) {
              const received = yield* Peers.converse(client.shape, connection, peer, lengths)
              if (client.shape === "pipe") yield* peer.endInput
              if (client.shape === "echo" || client.waits === true) yield* connection.end
              yield* Peers.ended(connection, client.ends, received)
            }
            yield* between?.(infos.length) ?? Effect.void
            yield* close
          })
        let said = ""
        const count = runs[0]!.commands.length
        for (let n = 0; n < count; n++) {
          const { commands, server } = runs[Math.min(n, runs.length - 1)]!
          const peer = yield* Peers.runAgain(client, commands[n]!)
          for (let i = 0; i < again.connections / count; i++) yield* visit(server, peer)
          assert.strictEqual(yield* peer.exit, 0)
          said += yield* peer.output
        }
        return { infos, said }
      })

    const serve = (
      sessions: SecureContext.Sessions,
      {
        clientCertificate,
        protocol = {}
      }: { readonly clientCertificate?: boolean; readonly protocol?: Ours.Protocol } = {}
    ) =>
      Ours.serve({
        protocol,
        sessions,
        identity: Ours.identity(certs().server.p256),
        ...(clientCertificate === true
          ? { trust: { anchors: certs().root.rsa.pem, clientAuthentication: "require" as const } }
          : {})
      })

    for (const one of casesOf(client, retry(client.retry, { groups: [client.retry] }))) {
      test(one.name, () =>
        Effect.gen(function* () {
          const server = yield* serve({ ticketKeys: yield* TicketKeys.make() }, one)
          const { infos, said } = yield* visits([server], one)
          alike(
            infos,
            infos.map((_, n) => client.resumes && n > 0)
          )
          assert.strictEqual(infos.length, again.connections)
          infos.forEach((info, n) => {
            const isAsked = one.info?.helloRetryRequest === true && !(n > 0 && again.keepsGroup === true)
            Cases.includes(info, { ...one.info, helloRetryRequest: isAsked })
            assert.strictEqual(info.peer._tag, one.clientCertificate === true ? "Verified" : "Anonymous")
          })
          if (again.said !== undefined) assert.match(said, again.said)
        })
      )
    }

    if (again.anywhere === true) {
      test("resumed with another suite of the same hash alone", () =>
        Effect.gen(function* () {
          const sessions = { ticketKeys: yield* TicketKeys.make() }
          const suites = ["TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_256_GCM_SHA384"] as const
          const servers = yield* Effect.forEach(suites, (suite) =>
            serve(sessions, { protocol: { cipherSuites: [suite] } })
          )
          const { infos } = yield* visits(servers, {})
          areResumed(infos, [false, true, false])
          assert.deepStrictEqual(
            infos.map((info) => info.cipherSuite),
            [...suites]
          )
        }))
    }

    if (!isExemplary(row)) return
    test("whose ticket was altered", () =>
      Effect.gen(function* () {
        const keys = yield* TicketKeys.make()
        const ticketKeys = {
          ...keys,
          open: (ticket: Uint8Array) => keys.open(ticket.map((byte, i) => (i === 60 ? ~byte : byte)))
        }
        areResumed((yield* visits([yield* serve({ ticketKeys })], {})).infos, [false, false, false])
      }))

    test("whose session expired", () => {
      const { clock, forward } = Ours.settable()
      return Effect.gen(function* () {
        const server = yield* serve({ ticketKeys: yield* TicketKeys.make(), lifetime: Duration.hours(2) })
        const between = (n: number) => (n === 1 ? forward(Duration.hours(3)) : Effect.void)
        areResumed((yield* visits([server], { between })).infos, [false, false, true])
      }).pipe(Effect.withClock(clock))
    })

    test("whose ticket's key rotated out", () => {
      const { clock, forward } = Ours.settable()
      return Effect.gen(function* () {
        const ticketKeys = yield* TicketKeys.make({ rotation: "1 hour", previous: 1 })
        const server = yield* serve({ ticketKeys, lifetime: Duration.days(7) })
        // The key before this one still opens, but not the one before that.
        const { infos } = yield* visits([server], { between: (n) => forward(Duration.hours(n)) })
        areResumed(infos, [false, true, false])
      }).pipe(Effect.withClock(clock))
    })
  })
}
