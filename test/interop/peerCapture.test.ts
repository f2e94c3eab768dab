/** Wireshark reads a captured connection with our key log: what we logged is what was used, and the wire is as we say. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { SessionCache, type TlsConnection } from "effect-tls"
import { spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe } from "vitest"
import * as OpenSsl from "./openssl.ts"
import * as Ours from "./ours.ts"
import { usePki } from "./pki.ts"
import { type Peer, run, start } from "./process.ts"

const certs = usePki()
const { test } = Ours

const version = spawnSync("tshark", ["--version"], { encoding: "utf8" })
const [, tshark] = (version.status === 0 && /^TShark.*? (\d\S+)/.exec(version.stdout)) || []
const mayCapture = tshark !== undefined && /\blo\b/.test(spawnSync("tshark", ["-D"], { encoding: "utf8" }).stdout)
const note = mayCapture ? "" : tshark === undefined ? " (setup.sh newer brings it)" : " (it may not capture here)"

const request = "GET /for-our-eyes-only HTTP/1.0\r\n\r\n"
const response = "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok\n"

/** What tshark makes of what goes over a port: a line for each packet with a handshake message or HTTP. */
const captured = <E>(
  name: string,
  port: number,
  keyLog: ReadonlyArray<string>,
  conversation: Effect.Effect<void, E, Ours.Services>
) =>
  Effect.gen(function* () {
    const file = (extension: string): string => join(certs().directory, `${name}.${extension}`)
    const fields = (...names: ReadonlyArray<string>) => ["-T", "fields", ...names.flatMap((field) => ["-e", field])]
    const live = ["-i", "lo", "-f", `tcp port ${port}`, "-w", file("pcapng"), "-P", "-l"]
    const capture = yield* start("tshark", [...live, ...fields("tcp.flags.fin")])
    yield* capture.saw(/File: "/)
    yield* conversation
    // What is printed is in the file.
    yield* capture.saw(/^(1|True)$/m)
    writeFileSync(file("keys"), keyLog.map((line) => `${line}\n`).join(""))
    const later = ["-r", file("pcapng"), "-o", `tls.keylog_file:${file("keys")}`, "-d", `tcp.port==${port},tls`]
    const { exit, output } = yield* run("tshark", [
      ...later,
      "-Y",
      "tls.handshake or http",
      ...fields("tls.handshake.type", "http.request.uri", "http.response.code")
    ])
    assert.strictEqual(exit, 0)
    const lines = output.split("\n").map((line) => line.split("\t"))
    return {
      types: lines.flatMap(([types = ""]) => types.split(",").filter((type) => /^\d+$/.test(type))).map(Number),
      uris: lines.flatMap(([, uri = ""]) => (uri === "" ? [] : [uri])),
      codes: lines.flatMap(([, , code = ""]) => (code === "" ? [] : [code]))
    }
  })

const say = (connection: TlsConnection.TlsConnection, peer: Peer, mine: string, theirs: string) =>
  Effect.gen(function* () {
    yield* connection.updateKeys()
    yield* connection.write(Ours.bytes(mine))
    yield* peer.saw(/HTTP\/1\.0/)
    yield* peer.send(theirs)
    yield* Ours.readUntil(connection, /\r\n\r\n/)
    yield* peer.endInput
    yield* Ours.readAll(connection)
  })

// RFC 9846 §4: hello, hello, EncryptedExtensions, CertificateRequest, both Certificates and their proofs, both Finished,
// and our KeyUpdate.
const handshake = [1, 2, 8, 13, 11, 15, 20, 11, 15, 20]
const keyUpdate = 24

describe.skipIf(!mayCapture || OpenSsl.system.missing)(`${["tshark", tshark].join(" ").trim()}${note}`, () => {
  test("decrypts our client", () =>
    Ours.keyLogged((keyLog) =>
      Effect.gen(function* () {
        const { client, root, server } = certs()
        const mutual = ["-Verify", "1", "-verify_return_error", "-CAfile", root.rsa.file]
        const peer = yield* OpenSsl.server(server.p256, [...mutual, "-tls1_3", "-num_tickets", "0"])
        const { codes, types, uris } = yield* captured(
          "client",
          peer.port,
          keyLog,
          Effect.scoped(
            Effect.gen(function* () {
              const connection = yield* Ours.connect(peer.port, {
                identity: Ours.identity(client.rsa),
                trust: { anchors: root.p256.pem }
              })
              yield* say(connection, peer, request, response)
            })
          )
        )
        assert.deepStrictEqual(types, [...handshake, keyUpdate])
        assert.deepStrictEqual(uris, ["/for-our-eyes-only"])
        assert.deepStrictEqual(codes, ["200"])
      })
    ))

  test("decrypts our server", () =>
    Ours.keyLogged((keyLog) =>
      Effect.gen(function* () {
        const { client, root, server } = certs()
        const ours = yield* Ours.serve({
          identity: Ours.identity(server.p256),
          trust: { anchors: root.rsa.pem, clientAuthentication: "require" }
        })
        const { codes, types, uris } = yield* captured(
          "server",
          ours.port,
          keyLog,
          Effect.gen(function* () {
            const peer = yield* OpenSsl.client(ours, certs(), [
              "-quiet",
              "-no_ign_eof",
              ...OpenSsl.identity(client.rsa)
            ])
            const { close, connection } = yield* ours.accepted
            yield* peer.send(request)
            yield* Ours.readUntil(connection, /\r\n\r\n/)
            yield* connection.updateKeys()
            yield* connection.write(Ours.bytes(response))
            yield* peer.saw(/200 OK/)
            yield* close
          })
        )
        assert.deepStrictEqual(types, [...handshake, keyUpdate])
        assert.deepStrictEqual(uris, ["/for-our-eyes-only"])
        assert.deepStrictEqual(codes, ["200"])
      })
    ))

  test("decrypts sessions that are resumed", () =>
    Ours.keyLogged((keyLog) =>
      Effect.gen(function* () {
        const { root, server } = certs()
        const peer = yield* OpenSsl.server(server.p256, ["-tls1_3", "-rev", "-groups", "P-384"])
        const cache = yield* SessionCache.make()
        const visit = Effect.scoped(
          Effect.gen(function* () {
            const connection = yield* Ours.connect(peer.port, {
              sessions: { cache },
              trust: { anchors: root.p256.pem }
            })
            yield* connection.write(Ours.bytes(request))
            yield* connection.end
            yield* Ours.readAll(connection)
            return connection.info.resumed
          })
        )
        assert.isFalse(yield* visit)
        const { types, uris } = yield* captured(
          "resumed",
          peer.port,
          keyLog,
          Effect.map(visit, (resumed) => assert.isTrue(resumed))
        )
        assert.deepStrictEqual(types, [1, 2, 1, 2, 8, 20, 20, 4])
        assert.deepStrictEqual(uris, ["/for-our-eyes-only"])
      })
    ))
})
