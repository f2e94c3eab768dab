/**
 * What GnuTLS does and others do not: record_size_limit without being asked (RFC 8449), a command that changes keys, and
 * finite fields by arithmetic that is not OpenSSL's. `peers.test.ts` has the rest.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { Endpoint } from "effect-tls"
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe } from "vitest"
import * as Ours from "./ours.ts"
import { type Issued, usePki } from "./pki.ts"
import { type Peer, start } from "./process.ts"

const certs = usePki()
const { test } = Ours

const [, version] = /^gnutls-cli (\S+)/.exec(spawnSync("gnutls-cli", ["--version"], { encoding: "utf8" }).stdout) ?? []
const gnutls = version === undefined ? "GnuTLS (setup.sh min brings it)" : `GnuTLS ${version}`

/** `gnutls-cli`, which says what it sends and receives. */
const connect = (server: Ours.OurServer, ...args: ReadonlyArray<string>) =>
  start(
    "gnutls-cli",
    ["-d", "5", "-p", String(server.port), "localhost", `--x509cafile=${certs().roots.file}`].concat(args)
  )

/** It binds every address, so it gets a network of its own, which we reach through a Unix socket. */
const ownNetwork = ["-n", "-rn"].find(
  (flag) => spawnSync("unshare", [flag, "ip", "link", "set", "lo", "up"]).status === 0
)
const relay = fileURLToPath(new URL("peers/relay.mjs", import.meta.url))
const inOwnNetwork = 'ip link set lo up; "$0" "$1" "$2" 4433 </dev/null >/dev/null & shift 2; exec "$@"'

/** `gnutls-serv --echo`, as talkative. */
const serve = (path: string, { certFile, keyFile }: Issued, ...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const own = ["-d", "5", "-p", "4433", "--echo", "-a", `--x509certfile=${certFile}`, `--x509keyfile=${keyFile}`]
    const network = [ownNetwork!, "sh", "-c", inOwnNetwork, process.execPath, relay, path]
    const peer = yield* start("unshare", network.concat("gnutls-serv", own, args))
    yield* peer.saw(/RELAYING/)
    return peer
  })

/** The longest protected record that GnuTLS saw has this length; it counts the header of those it sends. */
const longest = (peer: Peer, direction: "Sent" | "Received", length: number) =>
  Effect.gen(function* () {
    const header = direction === "Sent" ? 5 : 0
    const record = `${direction} Packet(?:\\[\\d+\\])? Application Data\\(23\\).*length: `
    yield* peer.saw(new RegExp(`${record}${length + header}\\b`))
    const records = (yield* peer.output).matchAll(new RegExp(`${record}(\\d+)`, "g"))
    assert.strictEqual(Math.max(...[...records].map(([, bytes]) => Number(bytes))), length + header)
  })

/** A limit is for content and its type; an AEAD adds 16 bytes. */
const tag = 16

const lines = (length: number) => Ours.bytes(`${"x".repeat(99)}\n`.repeat(length / 100))

describe.skipIf(version === undefined)(`our server and the client of ${gnutls}`, { concurrent: true }, () => {
  test("we keep their record_size_limit", () =>
    Ours.traced((events) =>
      Effect.gen(function* () {
        const server = yield* Ours.serve({ identity: Ours.identity(certs().server.p256) })
        const client = yield* connect(server, "--recordsize=512")
        const { connection } = yield* server.accepted
        const [hello] = events.flatMap((event) => (event._tag === "MessageReceived" ? event.message : []))
        const said = hello?._tag === "ClientHello" && hello.extensions.find(({ _tag }) => _tag === "RecordSizeLimit")
        assert.deepStrictEqual(said, { _tag: "RecordSizeLimit", limit: 513 })
        yield* connection.write(lines(20_000))
        yield* connection.write(Ours.bytes("all\n"))
        yield* client.saw(/^all$/m)
        yield* longest(client, "Received", 513 + tag)
      })
    ))

  test("they keep our record_size_limit", () =>
    Effect.gen(function* () {
      const server = yield* Ours.serve({
        identity: Ours.identity(certs().server.p256),
        protocol: { recordSizeLimit: 512 }
      })
      const client = yield* connect(server)
      const { connection } = yield* server.accepted
      // gnutls-cli sends one record of what it reads, and forgets the rest.
      yield* client.send(lines(1000))
      assert.strictEqual(Ours.text(yield* Ours.read(connection, 511)), Ours.text(lines(1000)).slice(0, 511))
      yield* longest(client, "Sent", 512 + tag)
    }))

  test("they change keys", () =>
    Effect.gen(function* () {
      const server = yield* Ours.serve({ identity: Ours.identity(certs().server.p256) })
      const client = yield* connect(server, "--inline-commands")
      const { connection } = yield* server.accepted
      for (let round = 0; round < 3; round++) {
        yield* client.saw(new RegExp(`(- (Rekey was completed|Simple Client Mode)[^]*){${round + 1}}`))
        yield* client.send("theirs\n")
        assert.strictEqual(Ours.text(yield* Ours.read(connection, 7)), "theirs\n")
        yield* connection.write(Ours.bytes(`ours ${round}\n`))
        yield* client.saw(new RegExp(`^ours ${round}$`, "m"))
        yield* client.send("^rekey1^\n")
      }
    }))

  test("we change keys and ask them to", () =>
    Ours.traced((events) =>
      Effect.gen(function* () {
        const server = yield* Ours.serve({ identity: Ours.identity(certs().server.p256) })
        const client = yield* connect(server)
        const { connection } = yield* server.accepted
        for (let round = 0; round < 3; round++) {
          yield* connection.updateKeys({ requestPeer: true })
          yield* connection.write(Ours.bytes(`ours ${round}\n`))
          yield* client.saw(new RegExp(`^ours ${round}$`, "m"))
          yield* client.send("theirs\n")
          assert.strictEqual(Ours.text(yield* Ours.read(connection, 7)), "theirs\n")
        }
        const updates = events.filter(({ _tag, ...event }) => "message" in event && event.message._tag === "KeyUpdate")
        assert.strictEqual(updates.length, 6)
      })
    ))
})

const fields = ["ffdhe2048", "ffdhe3072", "ffdhe4096", "ffdhe6144", "ffdhe8192"] as const
const only = (field: string) => `--priority=NORMAL:-GROUP-ALL:+GROUP-${field.toUpperCase()}`

describe.skipIf(version === undefined)(
  `our server and the client of ${gnutls}, in a field`,
  { concurrent: true },
  () => {
    for (const group of fields) {
      test(group, () =>
        Effect.gen(function* () {
          const server = yield* Ours.serve({
            identity: Ours.identity(certs().server.p256),
            protocol: { groups: ["x25519", group] }
          })
          const client = yield* connect(server, only(group))
          const { connection } = yield* server.accepted
          assert.strictEqual(connection.info.group, group)
          yield* connection.write(Ours.bytes("ours\n"))
          yield* client.saw(/^ours$/m)
        })
      )
    }
  }
)

const network = ownNetwork === undefined ? " (no network of its own can be made here)" : ""

describe.skipIf(version === undefined || network !== "")(`our client and the server of ${gnutls}${network}`, () => {
  test("each keeps the other's record_size_limit", () =>
    Effect.gen(function* () {
      const path = join(certs().directory, "gnutls.sock")
      const server = yield* serve(path, certs().server.p256, "--recordsize=512")
      const connection = yield* Ours.connect(Endpoint.unix(path), {
        trust: { anchors: certs().roots.pem },
        // GnuTLS takes no less.
        protocol: { recordSizeLimit: 512 }
      })
      yield* connection.write(lines(4000))
      assert.strictEqual(Ours.text(yield* Ours.read(connection, 4000)), Ours.text(lines(4000)))
      yield* longest(server, "Sent", 512 + tag)
      yield* longest(server, "Received", 513 + tag)
    }))

  for (const group of fields) {
    test(group, () =>
      Effect.gen(function* () {
        const path = join(certs().directory, `gnutls-${group}.sock`)
        yield* serve(path, certs().server.p256, only(group))
        const connection = yield* Ours.connect(Endpoint.unix(path), {
          trust: { anchors: certs().roots.pem },
          protocol: { groups: ["x25519", group] }
        })
        assert.include(connection.info, { group, helloRetryRequest: true })
        yield* connection.write(lines(400))
        assert.strictEqual(Ours.text(yield* Ours.read(connection, 400)), Ours.text(lines(400)))
      })
    )
  }
})
