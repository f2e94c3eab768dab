/** What OpenSSL, BoringSSL, curl and `node:tls` can be told about sessions: tickets, modes, suites, early data. */
import { assert } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { Endpoint, type SecureContext, SessionCache, TicketKeys, type TlsConnection } from "effect-tls"
import { spawnSync } from "node:child_process"
import { randomUUID } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import * as Net from "node:net"
import { join } from "node:path"
import { describe } from "vitest"
import * as Cases from "./cases.ts"
import * as NodeTls from "./node-tls.ts"
import * as OpenSsl from "./openssl.ts"
import * as Ours from "./ours.ts"
import * as Peers from "./peer.ts"
import { type Issued, usePki } from "./pki.ts"
import { type Peer, start } from "./process.ts"

const certs = usePki()
const { test } = Ours

const fileOf = (name: string): string => join(certs().directory, `${randomUUID()}-${name}`)

const areResumed = (infos: ReadonlyArray<Cases.Info>, resumed: ReadonlyArray<boolean>) =>
  assert.deepStrictEqual(
    infos.map((info) => info.resumed),
    resumed
  )

interface Visit {
  readonly protocol?: Ours.Protocol
  readonly sessions: SecureContext.Sessions
}

describe.skipIf(OpenSsl.system.missing)(
  `our client and the server of ${OpenSsl.system.name}`,
  { concurrent: true },
  () => {
    const serve = (...args: ReadonlyArray<string>) => OpenSsl.server(certs().server.p256, ["-rev", ...args])
    const visit = (port: number, { protocol = {}, sessions }: Visit) =>
      Effect.scoped(
        Effect.gen(function* () {
          const connection = yield* Ours.connect(port, { protocol, sessions, trust: { anchors: certs().roots.pem } })
          yield* connection.write(Ours.bytes("effect\n"))
          assert.strictEqual(Ours.text(yield* Ours.read(connection, 7)), "tceffe\n")
          yield* connection.end
          yield* Ours.readAll(connection)
          return connection.info
        })
      )

    for (const [name, args, tickets] of [
      ["no tickets", ["-num_tickets", "0"], []],
      ["tickets that stand for what the server keeps", ["-no_ticket"], [32]],
      ["sessions without forward secrecy", ["-allow_no_dhe_kex"], [undefined]],
      ["a client certificate that is asked for and not given", ["-verify", "1"], [undefined]]
    ] as const) {
      test(name, () =>
        Effect.gen(function* () {
          const { port } = yield* serve(...args)
          const cache = yield* SessionCache.make()
          const lengths: Array<number> = []
          const put: SessionCache.SessionCache["put"] = (key, session) => {
            lengths.push(session.ticket.length)
            return cache.put(key, session)
          }
          const sessions = { cache: SessionCache.fromFunctions({ put, take: cache.take }) }
          areResumed([yield* visit(port, { sessions }), yield* visit(port, { sessions })], [false, tickets.length > 0])
          // Two at first, and one for a session that goes on.
          assert.strictEqual(lengths.length, tickets.length * 3)
          for (const length of tickets) if (length !== undefined) assert.strictEqual(lengths[0], length)
        })
      )
    }

    test("more tickets than are kept", () =>
      Effect.gen(function* () {
        const { port } = yield* serve("-num_tickets", "20")
        const cache = yield* SessionCache.make({ perServer: 4 })
        areResumed([yield* visit(port, { sessions: { cache } })], [false])
        const sessions = { cache: SessionCache.fromFunctions({ take: cache.take, put: () => Effect.void }) }
        const infos = yield* Effect.forEach([1, 2, 3, 4, 5], () => visit(port, { sessions }))
        areResumed(infos, [true, true, true, true, false])
      }))

    test("other suites than before", () =>
      Effect.gen(function* () {
        const { port } = yield* serve()
        const sessions = { cache: yield* SessionCache.make() }
        const of = (...cipherSuites: readonly [Cases.Info["cipherSuite"], ...Array<Cases.Info["cipherSuite"]>]) =>
          visit(port, { sessions, protocol: { cipherSuites } })
        const infos = [
          yield* of("TLS_AES_128_GCM_SHA256"),
          yield* of("TLS_CHACHA20_POLY1305_SHA256"),
          // It goes by our order, then finds that the session's hash is another, and gives no tickets.
          yield* of("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"),
          // One of SHA-256 is left, which this cannot offer.
          yield* of("TLS_AES_256_GCM_SHA384"),
          yield* of("TLS_AES_256_GCM_SHA384")
        ]
        areResumed(infos, [false, true, false, false, true])
        assert.strictEqual(infos[1]!.cipherSuite, "TLS_CHACHA20_POLY1305_SHA256")
        assert.strictEqual(infos[2]!.cipherSuite, "TLS_AES_256_GCM_SHA384")
      }))

    test("a session that expired is not offered", () => {
      const { clock, forward } = Ours.settable()
      return Effect.gen(function* () {
        const { port } = yield* serve()
        const sessions = { cache: yield* SessionCache.make() }
        const infos = [yield* visit(port, { sessions }), yield* visit(port, { sessions })]
        yield* forward(Duration.hours(3))
        const { events, info } = yield* Ours.traced((seen) =>
          Effect.map(visit(port, { sessions }), (last) => ({ events: seen, info: last }))
        )
        areResumed([...infos, info], [false, true, false])
        const hellos = events.flatMap((event) =>
          event._tag === "MessageSent" && event.message._tag === "ClientHello" ? [event.message] : []
        )
        assert.strictEqual(hellos.length, 1)
        assert.notInclude(
          hellos[0]!.extensions.map(({ _tag }) => _tag),
          "PreSharedKeyOffer"
        )
      }).pipe(Effect.withClock(clock))
    })
  }
)

// -- their clients ------------------------------------------------------------------------------------------------------

const serve = (options: Parameters<typeof Ours.serve>[0] = {}) =>
  Effect.flatMap(TicketKeys.make(), (ticketKeys) =>
    Ours.serve({ identity: Ours.identity(certs().server.p256), sessions: { ticketKeys }, ...options })
  )

/** A line from a program, our answer, and both ends. */
const answer = ({ close, connection }: Ours.Accepted, client: Peer) =>
  Effect.gen(function* () {
    yield* client.send("hello\n")
    assert.strictEqual(Ours.text(yield* Ours.read(connection, 6)), "hello\n")
    yield* connection.write(Ours.bytes("effect\n"))
    yield* client.saw(/^effect$/m)
    yield* client.endInput
    yield* Ours.readAll(connection)
    yield* close
    assert.strictEqual(yield* client.exit, 0)
    return connection.info
  })

/** A session of ours in a file of theirs (PEM, DER), with a ticket that allows early data: we give none that does. */
const allowEarlyData = (file: string, tag: number): void => {
  const pem = readFileSync(file, "latin1")
  const der = Buffer.from(pem.replace(/-----[^-]+-----/g, ""), "base64")
  // A SEQUENCE, whose length has two bytes, of fields in the order of their tags.
  assert.strictEqual(der.readUint16BE(0), 0x3082)
  let at = 4
  while (at < der.length && der[at]! <= tag) {
    const length = der[at + 1]!
    at += 2 + (length < 0x80 ? length : length === 0x81 ? 1 + der[at + 2]! : 2 + der.readUint16BE(at + 2))
  }
  const allowed = Buffer.from([tag, 4, 2, 2, 0x40, 0])
  const content = Buffer.concat([der.subarray(4, at), allowed, der.subarray(at)])
  const changed = Buffer.concat([Buffer.from([0x30, 0x82, content.length >> 8, content.length & 255]), content])
  const [, name] = /-----BEGIN ([^-]+)-----/.exec(pem)!
  const lines = changed.toString("base64").match(/.{1,64}/g)!
  writeFileSync(file, [`-----BEGIN ${name}-----`, ...lines, `-----END ${name}-----`, ""].join("\n"))
}

const early = (): string => {
  const file = fileOf("early")
  writeFileSync(file, "too early\n".repeat(1000))
  return file
}

/** Where a server asks for another group, early data comes before the second ClientHello. */
const earlyCases: ReadonlyArray<{ readonly name: string; readonly groups?: readonly ["x448"] }> = [
  { name: "early data is skipped" },
  { name: "early data before HelloRetryRequest is skipped", groups: ["x448"] }
]

describe.skipIf(OpenSsl.system.missing)(
  `our server and the client of ${OpenSsl.system.name}`,
  { concurrent: true },
  () => {
    const client = (server: Ours.OurServer, args: ReadonlyArray<string>) =>
      Effect.gen(function* () {
        const peer = yield* OpenSsl.client(server, certs(), ["-groups", "X25519:X448", ...args])
        const info = yield* answer(yield* server.accepted, peer)
        return { info, said: yield* peer.output }
      })

    test("without forward secrecy, if we wanted", () =>
      Effect.gen(function* () {
        const server = yield* serve()
        const file = fileOf("session")
        const full = yield* client(server, ["-allow_no_dhe_kex", "-sess_out", file])
        const resumed = yield* client(server, ["-allow_no_dhe_kex", "-sess_in", file])
        areResumed([full.info, resumed.info], [false, true])
        assert.match(resumed.said, /Reused, TLSv1\.3/)
      }))

    for (const { groups = ["x25519"] as const, name } of earlyCases) {
      test(name, () =>
        Effect.gen(function* () {
          const server = yield* serve({ protocol: { groups: [...groups] } })
          const file = fileOf("session")
          const full = yield* client(server, ["-sess_out", file])
          allowEarlyData(file, 0xaf)
          const resumed = yield* client(server, ["-sess_in", file, "-early_data", early()])
          areResumed([full.info, resumed.info], [false, true])
          assert.include(resumed.info, { earlyData: false, helloRetryRequest: groups[0] !== "x25519" })
          assert.match(resumed.said, /Reused, TLSv1\.3[^]*Early data was rejected/)
        })
      )
    }
  }
)

/** A port that leads to one server after the other, connection by connection. */
const turns = (endpoints: ReadonlyArray<Endpoint.Endpoint>) =>
  Effect.acquireRelease(
    Effect.async<Net.Server>((resume) => {
      const left = [...endpoints]
      const server = Net.createServer((here) => {
        const to = left.shift()!
        const there = Net.connect(to._tag === "UnixEndpoint" ? { path: to.path } : { host: to.host, port: to.port })
        for (const [one, other] of [
          [here, there],
          [there, here]
        ] as const) {
          one.on("error", () => other.destroy())
          one.pipe(other)
        }
      })
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => server.close())
  ).pipe(Effect.map((server) => (server.address() as Net.AddressInfo).port))

const hasGnutls = spawnSync("gnutls-serv", ["--version"]).status === 0
const gnutls = hasGnutls && Peers.hasOwnNetwork
const lacking = hasGnutls ? "no network of its own may be made here" : "setup.sh min brings it"

// After a HelloRetryRequest it seals its second ClientHello with the keys of early data, which nobody can open.
describe.skipIf(!gnutls)(`our server and gnutls-cli${gnutls ? "" : ` (${lacking})`}`, () => {
  test("early data with another server's ticket is skipped", () =>
    Ours.traced((events) =>
      Effect.gen(function* () {
        const { root, server: issued } = certs()
        const server = yield* serve()
        const { certFile, keyFile } = issued.p256
        const own = [`--x509certfile=${certFile}`, `--x509keyfile=${keyFile}`]
        const other = yield* Peers.serve(
          {
            shape: "echo",
            ends: "close_notify",
            clientCertificate: false,
            hybrid: false,
            bulk: false,
            resumes: true,
            everyAddress: true,
            retry: ["x25519", "x25519"],
            command: ({ port }) => ({
              argv: ["gnutls-serv", "-p", String(port), "--echo", "-a", "--earlydata", ...own]
            })
          },
          { pki: certs(), bulk: false, hybrid: false, issued: issued.p256, clientCa: undefined }
        )
        const port = yield* turns([other.endpoint, server.address])
        const priority = ["--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.3"]
        const resume = ["-r", "--waitresumption", `--earlydata=${early()}`, `--x509cafile=${root.p256.file}`]
        const peer = yield* start("gnutls-cli", ["-p", String(port), "localhost", ...priority, ...resume])
        const info = yield* answer(yield* server.accepted, peer)
        const hello = events.find((event) => event._tag === "MessageReceived")?.message
        assert.isTrue(hello?._tag === "ClientHello" && hello.extensions.some(({ _tag }) => _tag === "EarlyData"))
        assert.include(info, { resumed: false, earlyData: false })
      })
    ))
})

const [curl] = /^curl \S+/.exec(spawnSync("curl", ["--version"], { encoding: "utf8" }).stdout ?? "") ?? []

describe.skipIf(curl === undefined)(`our server and ${curl ?? "curl (there is none here)"}`, () => {
  test("resumes for its next URL", () =>
    Effect.gen(function* () {
      const server = yield* serve()
      const urls = ["a", "b", "c"].map((name) => `https://localhost:${server.port}/${name}`)
      const peer = yield* start("curl", ["-sS", "-4", "--tlsv1.3", "--cacert", certs().roots.file, ...urls])
      const infos = yield* Effect.forEach(urls, (_, n) =>
        Effect.gen(function* () {
          const { close, connection } = yield* server.accepted
          yield* Ours.readUntil(connection, /\r\n\r\n/)
          yield* connection.write(Ours.bytes(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n${n}\n`))
          yield* close
          return connection.info
        })
      )
      assert.strictEqual(yield* peer.exit, 0)
      assert.strictEqual(yield* peer.output, "0\n1\n2\n")
      areResumed(infos, [false, true, true])
    }))
})

// -- node:tls -----------------------------------------------------------------------------------------------------------

const nodeIdentity = ({ certificateChain, privateKey }: Issued) => ({ cert: certificateChain, key: privateKey })

/** A line each way, and both ends. */
const converse = (connection: TlsConnection.TlsConnection, peer: NodeTls.Socket) =>
  Effect.gen(function* () {
    yield* connection.write(Ours.bytes("effect\n"))
    assert.strictEqual(Ours.text(yield* peer.received(7)), "effect\n")
    yield* peer.write("node\n")
    assert.strictEqual(Ours.text(yield* Ours.read(connection, 5)), "node\n")
    yield* connection.end
    yield* peer.ended
    Cases.isClean(yield* Ours.readAll(connection))
  })

const nodeCases: ReadonlyArray<{
  readonly name: string
  readonly clientCertificate?: boolean
  readonly retried?: boolean
}> = [
  { name: "resumed" },
  { name: "with a client certificate", clientCertificate: true },
  { name: "with HelloRetryRequest", retried: true }
]

describe(`our server and the client of ${NodeTls.version}`, () => {
  for (const { clientCertificate = false, name, retried = false } of nodeCases) {
    test(name, () =>
      Effect.gen(function* () {
        const { client, root, roots } = certs()
        const server = yield* serve({
          ...(retried ? { protocol: { groups: ["secp384r1"] } } : {}),
          ...(clientCertificate ? { trust: { anchors: root.rsa.pem, clientAuthentication: "require" } } : {})
        })
        const visit = (session: Buffer | undefined) =>
          Effect.scoped(
            Effect.gen(function* () {
              const peer = yield* NodeTls.connect(server.port, {
                ca: roots.pem,
                ecdhCurve: "X25519:P-384",
                ...(clientCertificate ? nodeIdentity(client.rsa) : {}),
                ...(session === undefined ? {} : { session })
              })
              const sessions: Array<Buffer> = []
              peer.tls.on("session", (one) => void sessions.push(one))
              const { close, connection } = yield* server.accepted
              yield* peer.secure
              assert.isTrue(peer.tls.authorized)
              const reused = peer.tls.isSessionReused()
              yield* converse(connection, peer)
              yield* close
              Cases.includes(connection.info, { helloRetryRequest: retried })
              assert.strictEqual(connection.info.peer._tag, clientCertificate ? "Verified" : "Anonymous")
              return { info: connection.info, reused, session: sessions.at(-1) }
            })
          )
        const first = yield* visit(undefined)
        const second = yield* visit(first.session)
        const third = yield* visit(second.session)
        const all = [first, second, third]
        areResumed(
          all.map(({ info }) => info),
          [false, true, true]
        )
        assert.deepStrictEqual(
          all.map(({ reused }) => reused),
          [false, true, true]
        )
        assert.deepStrictEqual(third.info.peer, first.info.peer)
      })
    )
  }
})

describe(`our client and the server of ${NodeTls.version}`, () => {
  const visit = (
    server: NodeTls.Server,
    cache: SessionCache.SessionCache,
    {
      clientCertificate = false,
      protocol = {},
      to = server.port
    }: {
      readonly clientCertificate?: boolean
      readonly protocol?: Ours.Protocol
      readonly to?: number | Endpoint.Endpoint
    }
  ) =>
    Effect.scoped(
      Effect.gen(function* () {
        const connection = yield* Ours.connect(to, {
          protocol,
          sessions: { cache },
          trust: { anchors: certs().roots.pem },
          ...(clientCertificate ? { identity: Ours.identity(certs().client.rsa) } : {})
        })
        const peer = yield* server.accepted
        assert.strictEqual(peer.tls.isSessionReused(), connection.info.resumed)
        assert.strictEqual(peer.tls.authorized, clientCertificate)
        const name = peer.tls.getPeerCertificate().subject?.CN
        assert.strictEqual(name, clientCertificate ? "client-rsa" : undefined)
        yield* converse(connection, peer)
        return connection.info
      })
    )

  for (const { clientCertificate = false, name, retried = false } of nodeCases) {
    test(name, () =>
      Effect.gen(function* () {
        const server = yield* NodeTls.serve({
          ...nodeIdentity(certs().server.p256),
          ...(retried ? { ecdhCurve: "P-384" } : {}),
          ...(clientCertificate ? { requestCert: true, ca: certs().root.rsa.pem } : {})
        })
        const cache = yield* SessionCache.make()
        const protocol: Ours.Protocol = retried ? { groups: ["x25519", "secp384r1"], keyShares: ["x25519"] } : {}
        const visited = yield* Effect.forEach([1, 2, 3], () => visit(server, cache, { clientCertificate, protocol }))
        areResumed(visited, [false, true, true])
        for (const info of visited) {
          Cases.includes(info, { helloRetryRequest: retried, peer: visited[0]!.peer })
          assert.strictEqual(info.clientSignatureScheme._tag, clientCertificate ? "Some" : "None")
        }
      })
    )
  }

  test("that begins anew with its keys, and with others", () =>
    Effect.gen(function* () {
      const path = fileOf("node.sock")
      const cache = yield* SessionCache.make()
      const life = (seed: number, ciphers: string) =>
        Effect.scoped(
          Effect.gen(function* () {
            const options = { ...nodeIdentity(certs().server.p256), ticketKeys: Buffer.alloc(48, seed), ciphers }
            const info = yield* visit(yield* NodeTls.serve(options, { path }), cache, { to: Endpoint.unix(path) })
            assert.strictEqual(info.cipherSuite, ciphers)
            return info
          })
        )
      const infos = [
        yield* life(1, "TLS_AES_128_GCM_SHA256"),
        yield* life(1, "TLS_CHACHA20_POLY1305_SHA256"),
        yield* life(2, "TLS_CHACHA20_POLY1305_SHA256"),
        yield* life(2, "TLS_AES_256_GCM_SHA384")
      ]
      areResumed(infos, [false, true, false, false])
    }))
})
