/** OpenSSL's `s_client` and our server. */
import { assert } from "@effect/vitest"
import { Effect, Option } from "effect"
import { type Alert, Endpoint, SecureContext } from "effect-tls"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe } from "vitest"
import * as Cases from "./cases.ts"
import * as OpenSsl from "./openssl.ts"
import * as Ours from "./ours.ts"
import { type Issued, kinds, type Pki, usePki } from "./pki.ts"
import type { Peer } from "./process.ts"

const certs = usePki()
const { test } = Ours
const { alerted, includes, isClean } = Cases

/** A line from `s_client -brief` and our answer, then a clean end from both sides. */
const answer = ({ close, connection }: Ours.Accepted, client: Peer) =>
  Effect.gen(function* () {
    yield* client.send("hello\n")
    assert.strictEqual(Ours.text(yield* Ours.read(connection, 6)), "hello\n")
    yield* connection.write(Ours.bytes("effect\n"))
    assert.strictEqual(Ours.text(yield* client.received(7)), "effect\n")
    yield* client.endInput
    isClean(yield* Ours.readAll(connection))
    yield* close
    assert.strictEqual(yield* client.exit, 0)
  })

describe.skipIf(OpenSsl.system.missing)(
  `our server and the client of ${OpenSsl.system.name}`,
  { concurrent: true },
  () => {
    const brief = ["-brief"]
    const serve = (issued: Issued, options: Parameters<typeof Ours.serve>[0] = {}) =>
      Ours.serve({ identity: Ours.identity(issued), ...options })

    const handshakes: ReadonlyArray<OpenSsl.Handshake> = [
      ...OpenSsl.eitherRole,
      ...Cases.groups
        .filter(([group]) => group !== "x25519")
        .map(([group, openssl]): OpenSsl.Handshake => ({
          name: `HelloRetryRequest for ${group}`,
          args: () => ["-groups", `X25519:${openssl}`],
          protocol: { groups: [group] },
          info: { group, helloRetryRequest: true }
        })),
      {
        name: "HelloRetryRequest with a cookie",
        args: () => ["-groups", "X25519:P-384"],
        protocol: { groups: ["secp384r1"], helloRetryCookie: true },
        info: { group: "secp384r1", helloRetryRequest: true }
      },
      {
        name: "HelloRetryRequest without compatibility mode",
        args: () => ["-groups", "X25519:P-384", "-no_middlebox"],
        protocol: { groups: ["secp384r1"], helloRetryCookie: true, middleboxCompatibility: false },
        info: { group: "secp384r1", helloRetryRequest: true }
      },
      // Offers that we do not take.
      { name: "a pre-shared key", args: () => ["-psk", "0123456789abcdef0123456789abcdef", "-psk_identity", "me"] },
      { name: "post-handshake authentication", args: () => ["-enable_pha"] },
      { name: "max_fragment_length", args: () => ["-maxfraglen", "512"] },
      { name: "status_request", args: () => ["-status"] },
      { name: "use_srtp", args: () => ["-use_srtp", "SRTP_AES128_CM_SHA1_80"] },
      { name: "certificate_authorities", args: (pki) => ["-requestCAfile", pki.roots.file] },
      { name: "no session_ticket", args: () => ["-no_ticket"] },
      { name: "TLS 1.3 alone", args: () => ["-tls1_3"] },
      { name: "no name", args: () => ["-noservername"], info: { serverName: Option.none() } }
    ]
    for (const { args, info = {}, issued = (pki: Pki) => pki.server.p256, name, protocol = {}, said } of handshakes) {
      test(name, () =>
        Effect.gen(function* () {
          const server = yield* serve(issued(certs()), { protocol })
          const client = yield* OpenSsl.client(server, certs(), [...brief, ...(args?.(certs()) ?? [])])
          const accepted = yield* server.accepted
          includes(accepted.connection.info, info)
          if (said !== undefined) yield* client.saw(said)
          yield* client.saw(/^Verification: OK/m)
          yield* answer(accepted, client)
        })
      )
    }

    for (const [scheme] of Cases.schemes) {
      test(`identity for a client that knows ${scheme} alone`, () =>
        Effect.gen(function* () {
          const all = kinds.map((kind) => Ours.identity(certs().server[kind]))
          const server = yield* Ours.serve({ identity: all })
          const client = yield* OpenSsl.client(server, certs(), [...brief, "-sigalgs", scheme])
          const accepted = yield* server.accepted
          includes(accepted.connection.info, { signatureScheme: scheme })
          yield* answer(accepted, client)
        }))
    }

    test("SNI chooses the identity", () =>
      Effect.gen(function* () {
        const { identities: ofServer } = yield* SecureContext.make({ identity: Ours.identity(certs().server.rsa) })
        const { identities: ofOther } = yield* SecureContext.make({ identity: Ours.identity(certs().otherName) })
        const server = yield* Ours.serve({
          resolveIdentity: (_hello, serverName) =>
            Effect.succeed(
              Option.match(serverName, {
                onNone: () => [],
                onSome: (name) => ({ localhost: ofServer, "other.test": ofOther })[name.toString()] ?? []
              })
            )
        })
        const client = yield* OpenSsl.client(server, certs(), brief)
        const accepted = yield* server.accepted
        assert.match(accepted.connection.info.signatureScheme, /^rsa_pss_rsae/)
        assert.strictEqual(String(Option.getOrThrow(accepted.connection.info.serverName)), "localhost")
        yield* answer(accepted, client)
        // The same server under a name it has no identity for, and to a client that says none.
        const stranger = yield* OpenSsl.client(server, certs(), [...brief, "-servername", "nobody.test"])
        assert.include(yield* server.refused, { _tag: "HandshakeError", reason: "UnrecognizedName" })
        yield* stranger.saw(alerted("unrecognized_name"))
        const anonymous = yield* OpenSsl.client(server, certs(), [...brief, "-noservername"])
        assert.include(yield* server.refused, { _tag: "HandshakeError", reason: "MissingExtension" })
        yield* anonymous.saw(alerted("missing_extension"))
      }))

    for (const { alert, args, name, protocol, reason } of OpenSsl.disagreements) {
      test(`no ${name} in common`, () =>
        Effect.gen(function* () {
          const server = yield* serve(certs().server.ed25519, { protocol })
          const client = yield* OpenSsl.client(server, certs(), [...brief, ...args])
          assert.include(yield* server.refused, { _tag: "HandshakeError", reason })
          yield* client.saw(alerted(alert))
          assert.strictEqual(yield* client.exit, 1)
        }))
    }

    const refused: ReadonlyArray<readonly [name: string, issued: (pki: Pki) => Issued, alert: Alert.AlertName]> = [
      ["an unknown root", (pki) => pki.strangeWithRoot, "unknown_ca"],
      ["an unknown root that is not sent", (pki) => pki.strange, "unknown_ca"],
      ["a missing intermediate", (pki) => pki.unchained, "unknown_ca"],
      ["an expired certificate", (pki) => pki.expired, "certificate_expired"],
      ["a wrong name", (pki) => pki.otherName, "bad_certificate"],
      ["a self-signed certificate", (pki) => pki.selfSigned, "unknown_ca"],
      ["a client's certificate", (pki) => pki.client.p256, "unsupported_certificate"]
    ]
    for (const [name, issued, alert] of refused) {
      test(`they refuse ${name}`, () =>
        Effect.gen(function* () {
          const server = yield* serve(issued(certs()))
          yield* OpenSsl.client(server, certs(), brief)
          assert.include(yield* server.refused, { _tag: "AlertError", alert })
        }))
    }

    // -- client certificates --------------------------------------------------------------------------------------------

    for (const kind of kinds) {
      test(`client certificate ${kind}`, () =>
        Effect.gen(function* () {
          const server = yield* serve(certs().server.p256, {
            trust: { anchors: certs().roots.pem, clientAuthentication: "require" }
          })
          const client = yield* OpenSsl.client(server, certs(), [...brief, ...OpenSsl.identity(certs().client[kind])])
          const accepted = yield* server.accepted
          const { peer } = accepted.connection.info
          assert.strictEqual(peer._tag === "Verified" && peer.certificate.subject.toString(), `CN=client-${kind}`)
          yield* answer(accepted, client)
        }))
    }

    test("client certificate over SHA-1, with an RSA key of 1024 bits, by policy alone", () =>
      Effect.gen(function* () {
        const own = [...brief, ...OpenSsl.level0, ...OpenSsl.identity(certs().legacyClient)]
        const trust = { anchors: certs().roots.pem, clientAuthentication: "require" } as const
        const server = yield* serve(certs().server.p256, { trust, protocol: { policy: "legacy" } })
        const client = yield* OpenSsl.client(server, certs(), own)
        const accepted = yield* server.accepted
        const { peer } = accepted.connection.info
        assert.strictEqual(peer._tag === "Verified" && peer.certificate.subject.toString(), "CN=legacy-client")
        yield* answer(accepted, client)

        const other = yield* serve(certs().server.p256, { trust, protocol: { policy: "compatible" } })
        yield* OpenSsl.client(other, certs(), own)
        assert.include(yield* other.refused, { _tag: "CertificateError", reason: "WeakKey" })
      }))

    for (const [scheme, kind] of Cases.schemes) {
      test(`client signature ${scheme}`, () =>
        Effect.gen(function* () {
          const server = yield* serve(certs().server[kind], {
            trust: { anchors: certs().roots.pem, clientAuthentication: "require" },
            protocol: { signatureSchemes: [scheme], certificateSignatureSchemes: Cases.certificateSignatureSchemes }
          })
          const client = yield* OpenSsl.client(server, certs(), [...brief, ...OpenSsl.identity(certs().client[kind])])
          const accepted = yield* server.accepted
          includes(accepted.connection.info, { clientSignatureScheme: Option.some(scheme) })
          yield* answer(accepted, client)
        }))
    }

    test("client certificate shown, not asked for", () =>
      Effect.gen(function* () {
        const server = yield* serve(certs().server.p256)
        const client = yield* OpenSsl.client(server, certs(), [...brief, ...OpenSsl.identity(certs().client.p256)])
        const accepted = yield* server.accepted
        includes(accepted.connection.info, { peer: { _tag: "Anonymous" }, peerCertificates: [] })
        yield* answer(accepted, client)
      }))

    test("client certificate requested, none shown", () =>
      Effect.gen(function* () {
        const server = yield* serve(certs().server.p256, {
          trust: { anchors: certs().roots.pem, clientAuthentication: "request" }
        })
        const client = yield* OpenSsl.client(server, certs(), brief)
        const accepted = yield* server.accepted
        includes(accepted.connection.info, { peer: { _tag: "Anonymous" }, peerCertificates: [] })
        yield* answer(accepted, client)
      }))

    test("client certificate requested and shown", () =>
      Effect.gen(function* () {
        const server = yield* serve(certs().server.p256, {
          trust: { anchors: certs().roots.pem, clientAuthentication: "request" }
        })
        const client = yield* OpenSsl.client(server, certs(), [...brief, ...OpenSsl.identity(certs().client.rsa)])
        const accepted = yield* server.accepted
        assert.strictEqual(accepted.connection.info.peer._tag, "Verified")
        yield* answer(accepted, client)
      }))

    test("the authorities are told", () =>
      Effect.gen(function* () {
        const server = yield* serve(certs().server.p256, {
          trust: { anchors: certs().roots.pem, clientAuthentication: "request" }
        })
        const client = yield* OpenSsl.client(server, certs(), [])
        yield* client.saw(
          /Acceptable client certificate CA names\nCN *= *root-rsa\nCN *= *root-rsa-pss\nCN *= *root-p256\n/
        )
      }))

    for (const { alert, issued, name, reason } of Cases.clientRefusals) {
      for (const clientAuthentication of ["request", "require"] as const) {
        if (clientAuthentication === "request" && reason === "NoCertificate") continue
        test(`we ${clientAuthentication} and refuse ${name}`, () =>
          Effect.gen(function* () {
            const shown = issued(certs())
            const server = yield* serve(certs().server.p256, {
              trust: { anchors: certs().roots.pem, clientAuthentication }
            })
            const client = yield* OpenSsl.client(server, certs(), shown === undefined ? [] : OpenSsl.identity(shown))
            assert.include(yield* server.refused, { _tag: "CertificateError", reason })
            yield* client.saw(alerted(alert))
            assert.strictEqual(yield* client.exit, 1)
          }))
      }
    }

    // -- the open connection --------------------------------------------------------------------------------------------

    const open = (...args: ReadonlyArray<string>) =>
      Effect.gen(function* () {
        const server = yield* serve(certs().server.p256)
        const client = yield* OpenSsl.client(server, certs(), args, { data: "not ASCII" })
        return { client, ...(yield* server.accepted) }
      })

    for (const length of Cases.lengths) {
      test(`${length} bytes each way`, () =>
        Effect.gen(function* () {
          const { client, close, connection } = yield* open("-quiet")
          const data = Ours.sample(length)
          yield* client.send(data)
          yield* Effect.all([connection.write(data), Effect.map(Ours.read(connection, length), Ours.equals(data))], {
            concurrency: "unbounded"
          })
          Ours.equals(data)(yield* client.received(length))
          yield* close
          assert.strictEqual(yield* client.exit, 0)
        }))
    }

    test("our end, then theirs", () =>
      Effect.gen(function* () {
        const { client, connection } = yield* open("-quiet")
        yield* connection.end
        isClean(yield* Ours.readAll(connection))
        assert.strictEqual(yield* client.exit, 0)
        assert.notMatch(yield* client.output, /unexpected eof/)
      }))

    test("truncation", () =>
      Effect.gen(function* () {
        const { client, connection } = yield* open("-quiet")
        const data = Ours.sample(100_000)
        yield* client.send(data)
        Ours.equals(data)(yield* Ours.read(connection, data.length))
        yield* client.kill
        const { end } = yield* Ours.readAll(connection)
        assert.include(Option.getOrThrow(end), { _tag: "TruncationError", bytesReceived: data.length })
      }))

    for (const [name, command] of [
      ["they change keys", "k"],
      ["they change keys and ask us to", "K"]
    ] as const) {
      test(name, () =>
        Effect.gen(function* () {
          const { client, connection } = yield* open("-msg")
          for (let round = 0; round < 3; round++) {
            yield* client.send(`${command}\n`)
            yield* client.saw(new RegExp(`(>>> [^\n]*KeyUpdate[^]*){${round + 1}}`))
            yield* client.send(`theirs ${round}\n`)
            yield* Ours.readUntil(connection, new RegExp(`theirs ${round}\n`))
            yield* connection.write(Ours.bytes(`ours ${round}\n`))
            yield* client.saw(new RegExp(`ours ${round}\n`))
          }
          if (command === "K") yield* client.saw(/(<<< [^\n]*KeyUpdate[^]*){3}/)
          const updates = (yield* client.output).match(/<<< .*KeyUpdate/g) ?? []
          assert.strictEqual(updates.length, command === "K" ? 3 : 0)
        })
      )
    }

    for (const requestPeer of [false, true]) {
      test(`we change keys${requestPeer ? " and ask them to" : ""}`, () =>
        Effect.gen(function* () {
          const { client, connection } = yield* open("-msg")
          for (let round = 0; round < 3; round++) {
            yield* connection.updateKeys({ requestPeer })
            yield* connection.write(Ours.bytes(`ours ${round}\n`))
            yield* client.saw(new RegExp(`ours ${round}\n`))
            yield* client.send(`theirs ${round}\n`)
            yield* Ours.readUntil(connection, new RegExp(`theirs ${round}\n`))
          }
          yield* client.saw(/(<<< [^\n]*KeyUpdate[^]*){3}/)
          if (requestPeer) yield* client.saw(/(>>> [^\n]*KeyUpdate[^]*){3}/)
          const output = yield* client.output
          assert.strictEqual((output.match(/<<< .*KeyUpdate/g) ?? []).length, 3)
          assert.strictEqual((output.match(/>>> .*KeyUpdate/g) ?? []).length, requestPeer ? 3 : 0)
        }))
    }

    test("keying material", () =>
      Effect.gen(function* () {
        const label = "EXPORTER-interop"
        const { client, connection } = yield* open("-keymatexport", label, "-keymatexportlen", "48")
        const [, theirs] = yield* client.saw(/Keying material: ([0-9A-F]+)/)
        const ours = yield* connection.exportKeyingMaterial({ label, length: 48 })
        assert.strictEqual(Buffer.from(ours).toString("hex").toUpperCase(), theirs)
      }))

    test("key log", () =>
      Ours.keyLogged((lines) =>
        Effect.gen(function* () {
          const file = join(certs().directory, "server.keys")
          const server = yield* serve(certs().server.p256)
          const client = yield* OpenSsl.client(server, certs(), [...brief, "-keylogfile", file])
          yield* answer(yield* server.accepted, client)
          Cases.sameKeyLog(lines, readFileSync(file, "utf8"))
        })
      ))

    test("early data of another server's session is skipped", () =>
      Effect.gen(function* () {
        const session = join(certs().directory, "session.pem")
        const early = join(certs().directory, "early.txt")
        writeFileSync(early, "too early\n".repeat(1000))
        const other = yield* OpenSsl.server(certs().server.p256, ["-early_data", "-max_early_data", "16384"])
        const first = yield* OpenSsl.client(
          { ...(yield* serve(certs().server.p256)), address: Endpoint.tcp("127.0.0.1", other.port) },
          certs(),
          ["-sess_out", session]
        )
        // In this mode the server sends its tickets with its first data.
        yield* other.send("hello\n")
        yield* first.saw(/^hello$/m)
        const server = yield* serve(certs().server.p256)
        const client = yield* OpenSsl.client(server, certs(), ["-sess_in", session, "-early_data", early])
        const accepted = yield* server.accepted
        includes(accepted.connection.info, { resumed: false, earlyData: false })
        yield* client.saw(/Early data was rejected/)
        yield* client.send("hello\n")
        assert.strictEqual(Ours.text(yield* Ours.read(accepted.connection, 6)), "hello\n")
      }))

    test("over a Unix socket", () =>
      Effect.gen(function* () {
        const path = join(certs().directory, "client.sock")
        const server = yield* Ours.serve({ identity: Ours.identity(certs().server.p256) }, Endpoint.unix(path))
        const client = yield* OpenSsl.client(server, certs(), brief)
        yield* answer(yield* server.accepted, client)
      }))

    test("over IPv6", (context) =>
      Effect.gen(function* () {
        if (!Ours.hasIpv6) return context.skip("no IPv6 here")
        const server = yield* Ours.serve({ identity: Ours.identity(certs().server.p256) }, Endpoint.tcp("::1", 0))
        const client = yield* OpenSsl.client(server, certs(), brief)
        yield* answer(yield* server.accepted, client)
      }))
  }
)

describe.skipIf(OpenSsl.modern.missing)(`our server and the client of ${OpenSsl.modern.name}`, () => {
  for (const [name, args, protocol, info] of [
    [
      "X25519MLKEM768",
      ["-groups", "X25519MLKEM768"],
      { groups: ["X25519MLKEM768"] },
      { group: "X25519MLKEM768", helloRetryRequest: false }
    ],
    ["everything it offers by itself", [], { groups: ["X25519MLKEM768", "x25519"] }, { group: "X25519MLKEM768" }],
    [
      "HelloRetryRequest for X25519MLKEM768",
      ["-groups", "*X25519:X25519MLKEM768"],
      { groups: ["X25519MLKEM768"] },
      { group: "X25519MLKEM768", helloRetryRequest: true }
    ]
  ] as const) {
    test(name, () =>
      Effect.gen(function* () {
        const server = yield* Ours.serve({ identity: Ours.identity(certs().server.p256), protocol })
        const client = yield* OpenSsl.client(server, certs(), ["-brief", ...args], { openssl: OpenSsl.modern })
        const accepted = yield* server.accepted
        includes(accepted.connection.info, info)
        yield* answer(accepted, client)
      })
    )
  }
})
