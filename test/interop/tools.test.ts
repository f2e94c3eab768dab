/** Programs that people point at a server: `sslscan`, `curl`, and BoringSSL's client with its grease. */
import { assert } from "@effect/vitest"
import { Effect, Queue, Stream } from "effect"
import { Endpoint, SecureContext, type TlsConnection, TlsServer } from "effect-tls"
import { spawnSync } from "node:child_process"
import { describe } from "vitest"
import * as Ours from "./ours.ts"
import { usePki } from "./pki.ts"
import { run, start } from "./process.ts"

const certs = usePki()
const { test } = Ours

const versionOf = (pattern: RegExp, command: string, ...args: ReadonlyArray<string>): string | undefined => {
  const { stderr, stdout } = spawnSync(command, args, { encoding: "utf8" })
  return pattern.exec(`${stdout ?? ""}${stderr ?? ""}`)?.[1]
}
const sslscan = versionOf(/^\s*(\d\S+)/m, "sslscan", "--no-colour", "--version")
const curl = versionOf(/^curl (\S+)/, "curl", "--version")
const boringssl = versionOf(/^(\S+)/, "dpkg-query", "-W", "-f=${Version}", "android-boringssl")

describe.skipIf(sslscan === undefined)(`sslscan ${sslscan ?? "(setup.sh min brings it)"}`, () => {
  test("reads our server", () =>
    Effect.gen(function* () {
      const failures = yield* Queue.unbounded<string>()
      const { address } = yield* TlsServer.serve({
        endpoint: Endpoint.tcp("127.0.0.1", 0),
        context: yield* SecureContext.make({ identity: Ours.identity(certs().server.p256) }),
        handler: ({ sink, stream }) => Effect.ignore(Stream.run(stream, sink)),
        onHandshakeFailure: ({ error }) => Queue.offer(failures, `${error._tag} ${error.reason}`)
      })
      const { exit, output } = yield* run("sslscan", ["--no-colour", address.toString()])
      assert.strictEqual(exit, 0)
      for (const version of ["SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2"]) {
        assert.match(output, new RegExp(`^${version} +disabled$`, "m"))
      }
      assert.match(output, /^TLSv1.3 +enabled$/m)
      assert.deepStrictEqual(
        [...output.matchAll(/^(?:Preferred|Accepted) +TLSv1\.3 .* (TLS_\S+)/gm)].map(([, suite]) => suite),
        ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
      )
      assert.deepStrictEqual(
        [...output.matchAll(/^TLSv1\.3 .* bits +(\S+)/gm)].map(([, group]) => group),
        ["secp256r1", "secp384r1", "secp521r1", "x25519", "x448"]
      )
      assert.match(output, /^Server supports TLS Fallback SCSV$/m)
      assert.match(output, /^Subject: +server-p256$/m)
      // It tries a lot that fails; each time for a reason that is none of ours.
      const reasons = new Set(yield* Queue.takeAll(failures))
      assert.isTrue(reasons.has("HandshakeError UnsupportedVersion"), [...reasons].join())
      assert.isTrue(reasons.has("HandshakeError NoSharedGroup"), [...reasons].join())
      assert.isFalse(
        [...reasons].some((reason) => /CryptoFailed|HookFailed|Config/.test(reason)),
        [...reasons].join()
      )
    }))
})

/** Answers a request with a body that only the end of the connection ends. */
const respond = (connection: TlsConnection.TlsConnection, body: Uint8Array) =>
  Effect.gen(function* () {
    const request = yield* Ours.readUntil(connection, /\r\n\r\n/)
    yield* connection.write(Ours.bytes("HTTP/1.0 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n"))
    yield* connection.write(body)
    yield* connection.end
    return request
  })

describe.skipIf(curl === undefined)(`curl ${curl ?? "(not installed)"}`, { concurrent: true }, () => {
  const fetch = (server: Ours.OurServer, ...args: ReadonlyArray<string>) =>
    start(
      "curl",
      [
        "--silent",
        "--show-error",
        "--verbose",
        "--tlsv1.3",
        "--cacert",
        certs().roots.file,
        "--resolve",
        `localhost:${server.port}:127.0.0.1`,
        ...args,
        `https://localhost:${server.port}/page`
      ],
      { data: "not ASCII" }
    )

  test("fetches a page", () =>
    Effect.gen(function* () {
      const server = yield* Ours.serve({
        identity: Ours.identity(certs().server.p256),
        protocol: { alpn: ["http/1.1"] }
      })
      const page = Ours.sample(1_000_003)
      const client = yield* fetch(server)
      const { connection } = yield* server.accepted
      assert.match(yield* respond(connection, page), /^GET \/page HTTP\/1.1\r\nHost: localhost/)
      Ours.equals(page)(yield* client.received(page.length))
      // curl finds a body without close_notify cut short.
      assert.strictEqual(yield* client.exit, 0)
      const output = yield* client.output
      assert.match(output, /SSL connection using TLSv1\.3 \/ TLS_AES_128_GCM_SHA256/)
      assert.match(output, /ALPN: server accepted http\/1\.1/)
      assert.match(output, /SSL certificate verify ok/)
    }))

  test("shows a certificate", () =>
    Effect.gen(function* () {
      const server = yield* Ours.serve({
        identity: Ours.identity(certs().server.rsa),
        trust: { anchors: certs().roots.pem, clientAuthentication: "require" }
      })
      const { certFile, keyFile } = certs().client.rsa
      const client = yield* fetch(server, "--cert", certFile, "--key", keyFile)
      const { connection } = yield* server.accepted
      const { peer } = connection.info
      assert.strictEqual(peer._tag === "Verified" && peer.certificate.subject.toString(), "CN=client-rsa")
      yield* respond(connection, Ours.sample(1))
      assert.strictEqual(yield* client.exit, 0)
    }))

  test("does not trust us", () =>
    Effect.gen(function* () {
      const server = yield* Ours.serve({ identity: Ours.identity(certs().strange) })
      const client = yield* fetch(server)
      assert.include(yield* server.refused, { _tag: "AlertError", alert: "unknown_ca" })
      assert.strictEqual(yield* client.exit, 60)
    }))

  test("speaks HTTP without TLS", () =>
    Effect.gen(function* () {
      const server = yield* Ours.serve({ identity: Ours.identity(certs().server.p256) })
      yield* start("curl", ["--silent", `http://127.0.0.1:${server.port}/`])
      assert.include(yield* server.refused, { _tag: "HandshakeError", reason: "PeerSpokePlaintext" })
    }))
})

const isGrease = (code: number): boolean => (code & 0x0f0f) === 0x0a0a && code >> 8 === (code & 0xff)

describe.skipIf(boringssl === undefined)(`BoringSSL's client ${boringssl ?? "(setup.sh min brings it)"}`, () => {
  test("greases, and we take it", () =>
    Ours.traced((events) =>
      Effect.gen(function* () {
        const server = yield* Ours.serve({ identity: Ours.identity(certs().server.p256) })
        const to = ["-connect", `127.0.0.1:${server.port}`, "-server-name", "localhost"]
        const client = yield* start("bssl-tool", ["client", ...to, "-root-certs", certs().roots.file, "-grease"])
        const { connection } = yield* server.accepted
        const [hello] = events.flatMap((event) => (event._tag === "MessageReceived" ? event.message : []))
        assert.strictEqual(hello?._tag, "ClientHello")
        if (hello?._tag !== "ClientHello") return
        const lists = hello.extensions.flatMap((extension): ReadonlyArray<ReadonlyArray<number>> => {
          switch (extension._tag) {
            case "SupportedGroups":
              return [extension.groups]
            case "SupportedVersions":
              return [extension.versions]
            case "KeyShareOffer":
              return [extension.shares.map(({ group }) => group)]
            case "Unknown":
              return [[extension.type]]
            default:
              return []
          }
        })
        assert.isTrue(hello.cipherSuites.some(isGrease))
        // Groups, versions, key shares, and two extensions of their own.
        assert.strictEqual(lists.filter((codes) => codes.some(isGrease)).length, 5)
        yield* client.send("hello\n")
        assert.strictEqual(Ours.text(yield* Ours.read(connection, 6)), "hello\n")
      })
    ))
})
