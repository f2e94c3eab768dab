/**
 * Both roles against real peers of other families. The table says how each is started and what it can do; every case is
 * made from it. What is missing here is skipped, and says what would bring it.
 */
import { assert } from "@effect/vitest"
import { Effect, Option } from "effect"
import { describe } from "vitest"
import * as Cases from "./cases.ts"
import * as Ours from "./ours.ts"
import * as Peers from "./peer.ts"
import { rows } from "./peerTable.ts"
import { usePki } from "./pki.ts"

const certs = usePki()
const { test } = Ours
const long = 10 * 1024 * 1024

interface Case {
  readonly name: string
  readonly protocol?: Ours.Protocol
  readonly info?: Partial<Cases.Info>
  readonly clientCertificate?: boolean
  readonly hybrid?: boolean
  /** 10 MiB go over the connection, and then the peer dies. */
  readonly bulk?: Peers.Role["bulk"]
}

/** The cases of a role besides HelloRetryRequest, by what its row says. */
const casesOf = ({ alpn, bulk, clientCertificate, hybrid, shape }: Peers.Role): ReadonlyArray<Case> => [
  {
    name: alpn === undefined ? "data and close" : "data, ALPN and close",
    protocol: { alpn: ["h2", alpn ?? "http/1.1"] },
    info: { alpn: Option.fromNullable(alpn) }
  },
  ...(clientCertificate ? [{ name: "client certificate", clientCertificate: true }] : []),
  ...(hybrid
    ? [
        {
          name: "X25519MLKEM768",
          hybrid: true,
          protocol: { groups: ["X25519MLKEM768"] },
          info: { group: "X25519MLKEM768" }
        } as const
      ]
    : []),
  ...(bulk === false ? [] : [{ name: shape === "page" ? "10 MiB" : "10 MiB, and then it dies", bulk }])
]

/** How much goes each way. */
const lengths = (bulk: Peers.Role["bulk"]) => ({
  given: bulk === "gives" ? long : 2000,
  taken: bulk === "takes" ? long : 2000
})

const retry = (group: Cases.Info["group"], protocol: Ours.Protocol): Case => ({
  name: `HelloRetryRequest for ${group}`,
  protocol,
  info: { group, helloRetryRequest: true }
})

const found = await Peers.find(rows)
const preparations = new Map(
  rows.map(({ name, prepare }) => [
    name,
    Effect.runSync(Effect.cached(Effect.suspend(() => prepare?.(certs()) ?? Effect.void)))
  ])
)
const here = found.flatMap((row) => (row.found === undefined ? [] : { ...row, title: `${row.name} ${row.found}` }))
console.log(`Peers: ${here.map(({ title }) => title).join(", ")}`)

for (const absent of Peers.absent(found)) {
  test(absent, (context) => Effect.sync(() => context.skip()))
}

const servers = here.flatMap(({ server, ...row }) =>
  server === undefined || (server.everyAddress === true && !Peers.hasOwnNetwork) ? [] : [{ server, ...row }]
)
for (const { server, ...row } of servers) {
  describe(`our client and the server of ${row.title}`, { concurrent: true }, () => {
    const [share, group] = server.retry
    for (const { bulk = false, clientCertificate = false, hybrid = false, info, name, protocol = {} } of [
      ...casesOf(server),
      retry(group, { groups: [share, group], keyShares: [share] })
    ]) {
      test(name, () =>
        Effect.gen(function* () {
          const pki = certs()
          yield* preparations.get(row.name)!
          const peer = yield* Peers.serve(server, {
            pki,
            bulk: bulk !== false,
            hybrid,
            issued: pki.server.p256,
            clientCa: clientCertificate ? pki.root.rsa : undefined
          })
          const connection = yield* Ours.connect(peer.endpoint, {
            protocol,
            trust: { anchors: pki.root.p256.pem },
            ...(clientCertificate ? { identity: Ours.identity(pki.client.rsa) } : {})
          })
          Cases.includes(connection.info, { helloRetryRequest: false, ...info })
          assert.strictEqual(Option.isSome(connection.info.clientSignatureScheme), clientCertificate)
          if (server.shape === "page") return yield* Peers.browse(server, connection, bulk === false ? 0 : long)
          const received = yield* Peers.converse(server.shape, connection, peer, lengths(bulk))
          if (bulk !== false) yield* peer.kill
          else if (server.shape === "pipe") yield* peer.endInput
          else yield* connection.end
          yield* Peers.ended(connection, bulk === false ? server.ends : "drop", received)
        })
      )
    }
  })
}

const clients = here.flatMap(({ client, ...row }) => (client === undefined ? [] : [{ client, ...row }]))
for (const { client, ...row } of clients) {
  describe(`our server and the client of ${row.title}`, { concurrent: true }, () => {
    const start = ({ clientCertificate = false, hybrid = false, protocol = {} }: Case) =>
      Effect.gen(function* () {
        const pki = certs()
        yield* preparations.get(row.name)!
        const server = yield* Ours.serve({
          protocol,
          identity: Ours.identity(pki.server.p256),
          ...(clientCertificate
            ? { trust: { anchors: pki.root.rsa.pem, clientAuthentication: "require" as const } }
            : {})
        })
        const peer = yield* Peers.run(client, {
          pki,
          hybrid,
          port: server.port,
          ca: pki.root.p256,
          own: clientCertificate ? pki.client.rsa : undefined
        })
        return { peer, server }
      })

    const again = retry(client.retry, { groups: [client.retry] })
    for (const one of [...casesOf(client), again]) {
      const { bulk = false, clientCertificate = false, info = {}, name } = one
      test(name, () =>
        Effect.gen(function* () {
          const { peer, server } = yield* start(one)
          const { close, connection } = yield* server.accepted
          Cases.includes(connection.info, info)
          assert.strictEqual(connection.info.peer._tag, clientCertificate ? "Verified" : "Anonymous")
          const received = yield* Peers.converse(client.shape, connection, peer, lengths(bulk))
          if (bulk !== false) yield* peer.kill
          else {
            if (client.shape === "pipe") yield* peer.endInput
            if (client.shape === "echo" || client.waits === true) yield* connection.end
          }
          yield* Peers.ended(connection, bulk === false ? client.ends : "drop", received)
          yield* close
          if (bulk === false) assert.strictEqual(yield* peer.exit, 0)
        })
      )
    }
  })
}
