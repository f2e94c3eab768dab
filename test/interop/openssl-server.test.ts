/** OpenSSL's `s_server` and our client. */
import { assert } from "@effect/vitest"
import { Effect, Option } from "effect"
import { type Alert, Endpoint, type TlsConnection } from "effect-tls"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe } from "vitest"
import * as Cases from "./cases.ts"
import * as OpenSsl from "./openssl.ts"
import * as Ours from "./ours.ts"
import { type Issued, kinds, type Pki, usePki } from "./pki.ts"

const certs = usePki()
const { test } = Ours
const { alerted, includes, isClean } = Cases

/** A server of theirs that sends lines back reversed, and a summary of each connection to its output. */
const reversing = ["-rev"]

/** A line to `s_server -rev` and its answer, then a clean end from both sides. */
const converse = (connection: TlsConnection.TlsConnection) =>
  Effect.gen(function* () {
    yield* connection.write(Ours.bytes("effect\n"))
    assert.strictEqual(Ours.text(yield* Ours.read(connection, 7)), "tceffe\n")
    yield* connection.end
    isClean(yield* Ours.readAll(connection))
  })

describe.skipIf(OpenSsl.system.missing)(
  `our client and the server of ${OpenSsl.system.name}`,
  { concurrent: true },
  () => {
    const handshakes: ReadonlyArray<OpenSsl.Handshake> = [
      ...OpenSsl.eitherRole,
      ...Cases.groups
        .filter(([group]) => group !== "x25519")
        .map(([group, openssl]): OpenSsl.Handshake => ({
          name: `HelloRetryRequest for ${group}`,
          args: () => ["-groups", openssl],
          protocol: { groups: ["x25519", group], keyShares: ["x25519"] },
          info: { group, helloRetryRequest: true }
        })),
      { name: "no tickets", args: () => ["-num_tickets", "0"] },
      { name: "ten tickets", args: () => ["-num_tickets", "10"] }
    ]
    for (const { args, info = {}, issued = (pki: Pki) => pki.server.p256, name, protocol = {}, said } of handshakes) {
      test(name, () =>
        Effect.gen(function* () {
          const server = yield* OpenSsl.server(issued(certs()), [...reversing, ...(args?.(certs()) ?? [])])
          const connection = yield* Ours.connect(server.port, { trust: { anchors: certs().roots.pem }, protocol })
          includes(connection.info, info)
          if (said !== undefined) yield* server.saw(said)
          yield* converse(connection)
        })
      )
    }

    // s_server -stateless fails at the ChangeCipherSpec of the compatibility mode, that of its own s_client included.
    for (const [name, args] of [
      ["a cookie", []],
      ["a cookie and a group", ["-groups", "P-384"]]
    ] as const) {
      test(`HelloRetryRequest for ${name}`, () =>
        Effect.gen(function* () {
          const server = yield* OpenSsl.server(certs().server.p256, ["-stateless", ...args])
          const connection = yield* Ours.connect(server.port, {
            trust: { anchors: certs().roots.pem },
            protocol: { middleboxCompatibility: false }
          })
          includes(connection.info, { helloRetryRequest: true })
          yield* connection.write(Ours.bytes("effect\n"))
          yield* server.saw(/^effect$/m)
        }))
    }

    test("SNI chooses the certificate", () =>
      Effect.gen(function* () {
        const { certFile, keyFile } = certs().server.rsa
        const named = ["-servername", "server.test", "-cert2", certFile, "-key2", keyFile]
        const server = yield* OpenSsl.server(certs().server.ed25519, [...reversing, ...named])
        const trust = { anchors: certs().roots.pem }
        const other = yield* Ours.connect(server.port, { trust }, "localhost")
        assert.strictEqual(other.info.signatureScheme, "ed25519")
        yield* converse(other)
        const connection = yield* Ours.connect(server.port, { trust }, "server.test")
        assert.match(connection.info.signatureScheme, /^rsa_pss_rsae/)
        yield* converse(connection)
      }))

    for (const { anchors, alert, code, issued, name, reason, serverName } of Cases.refusals) {
      test(`we refuse ${name}`, () =>
        Effect.gen(function* () {
          const server = yield* OpenSsl.server(issued(certs()), reversing)
          const error = yield* Effect.flip(
            Ours.connect(server.port, { trust: { anchors: anchors?.(certs()) ?? certs().roots.pem } }, serverName)
          )
          assert.strictEqual(error._tag, "CertificateError")
          assert.include(error, { reason, code })
          yield* server.saw(alerted(alert))
        }))
    }

    for (const { alert, args, name, protocol } of OpenSsl.disagreements) {
      test(`no ${name} in common`, () =>
        Effect.gen(function* () {
          const server = yield* OpenSsl.server(certs().server.ed25519, [...reversing, ...args])
          const error = yield* Effect.flip(
            Ours.connect(server.port, { trust: { anchors: certs().roots.pem }, protocol })
          )
          assert.strictEqual(error._tag, "AlertError")
          assert.include(error, { alert })
        }))
    }

    // -- client certificates --------------------------------------------------------------------------------------------

    const clientSchemes: ReadonlyArray<
      readonly [string, (pki: Pki) => Issued, Partial<Cases.Info>, ReadonlyArray<string>]
    > = [
      ...kinds.map((kind) => [`client certificate ${kind}`, (pki: Pki) => pki.client[kind], {}, []] as const),
      ...Cases.schemes.map(
        ([scheme, kind]) =>
          [
            `client signature ${scheme}`,
            (pki: Pki) => pki.client[kind],
            { clientSignatureScheme: Option.some(scheme) },
            ["-client_sigalgs", scheme]
          ] as const
      )
    ]
    const demanding = (pki: Pki) => ["-Verify", "3", "-verify_return_error", "-CAfile", pki.roots.file]
    for (const [name, issued, info, args] of clientSchemes) {
      test(name, () =>
        Effect.gen(function* () {
          const server = yield* OpenSsl.server(certs().server.p256, [...reversing, ...demanding(certs()), ...args])
          const connection = yield* Ours.connect(server.port, {
            trust: { anchors: certs().roots.pem },
            identity: Ours.identity(issued(certs()))
          })
          includes(connection.info, info)
          yield* server.saw(/^Peer certificate: CN *= *client-/m)
          yield* server.saw(/^Verification: OK/m)
          yield* converse(connection)
        })
      )
    }

    test("client certificate over SHA-1, with an RSA key of 1024 bits", () =>
      Effect.gen(function* () {
        const args = [...reversing, ...demanding(certs()), ...OpenSsl.level0]
        const server = yield* OpenSsl.server(certs().server.p256, args)
        const connection = yield* Ours.connect(server.port, {
          trust: { anchors: certs().roots.pem },
          identity: Ours.identity(certs().legacyClient)
        })
        yield* server.saw(/^Peer certificate: CN *= *legacy-client/m)
        yield* converse(connection)
      }))

    test("certificate over SHA-1, with an RSA key of 1024 bits, without the policy", () =>
      Effect.gen(function* () {
        const server = yield* OpenSsl.server(certs().legacy, [...reversing, ...OpenSsl.level0])
        const trust = { anchors: certs().roots.pem }
        for (const [limits, reason] of [
          [{}, "WeakKey"],
          [{ rsaModulusMin: 1024 }, "WeakSignature"]
        ] as const) {
          const error = yield* Effect.flip(
            Ours.connect(server.port, { trust, protocol: { policy: "compatible", limits } })
          )
          assert.include(error, { _tag: "CertificateError", reason })
        }
        yield* server.saw(alerted("bad_certificate"))
      }))

    test("client certificate asked for, none shown", () =>
      Effect.gen(function* () {
        const server = yield* OpenSsl.server(certs().server.p256, [
          ...reversing,
          "-verify",
          "3",
          "-CAfile",
          certs().roots.file
        ])
        const connection = yield* Ours.connect(server.port, { trust: { anchors: certs().roots.pem } })
        includes(connection.info, { clientSignatureScheme: Option.none() })
        yield* converse(connection)
      }))

    test("the client certificate is one the server's authorities issued", () =>
      Effect.gen(function* () {
        const authority = ["-Verify", "3", "-verify_return_error", "-CAfile", certs().root.ed25519.file]
        const server = yield* OpenSsl.server(certs().server.p256, [...reversing, ...authority])
        const connection = yield* Ours.connect(server.port, {
          trust: { anchors: certs().roots.pem },
          identity: [certs().client.p256, certs().client.ed25519, certs().client.rsa].map(Ours.identity)
        })
        includes(connection.info, { clientSignatureScheme: Option.some("ed25519") })
        yield* converse(connection)
      }))

    const refused: ReadonlyArray<readonly [string, (pki: Pki) => Issued | undefined, Alert.AlertName]> = [
      ["no client certificate", () => undefined, "certificate_required"],
      ["a client certificate of an unknown root", (pki) => pki.strangeClient, "unknown_ca"],
      ["an expired client certificate", (pki) => pki.expiredClient, "certificate_expired"],
      ["a server's certificate of a client", (pki) => pki.server.p256, "unsupported_certificate"]
    ]
    for (const [name, issued, alert] of refused) {
      test(`they refuse ${name}`, () =>
        Effect.gen(function* () {
          const server = yield* OpenSsl.server(certs().server.p256, [...reversing, ...demanding(certs())])
          const identity = issued(certs())
          const connection = yield* Ours.connect(server.port, {
            trust: { anchors: certs().roots.pem },
            ...(identity === undefined ? {} : { identity: Ours.identity(identity) })
          })
          const { end } = yield* Ours.readAll(connection)
          assert.include(Option.getOrThrow(end), { _tag: "AlertError", alert, phase: "connected" })
        }))
    }

    // -- the open connection --------------------------------------------------------------------------------------------

    const open = (...args: ReadonlyArray<string>) =>
      Effect.gen(function* () {
        const server = yield* OpenSsl.server(certs().server.p256, args, { data: "not ASCII" })
        const connection = yield* Ours.connect(server.port, { trust: { anchors: certs().roots.pem } })
        return { server, connection }
      })

    for (const length of Cases.lengths) {
      test(`${length} bytes each way`, () =>
        Effect.gen(function* () {
          const { connection, server } = yield* open()
          const data = Ours.sample(length)
          yield* server.send(data)
          yield* Effect.all([connection.write(data), Effect.map(Ours.read(connection, length), Ours.equals(data))], {
            concurrency: "unbounded"
          })
          Ours.equals(data)(yield* server.received(length))
          yield* connection.end
          yield* server.saw(/^DONE/m)
        }))
    }

    test("their page, then their close_notify", () =>
      Effect.gen(function* () {
        const page = Ours.sample(1_000_003)
        writeFileSync(join(certs().directory, "page.txt"), page)
        const server = yield* OpenSsl.server(certs().server.p256, ["-WWW"], { cwd: certs().directory })
        const connection = yield* Ours.connect(server.port, { trust: { anchors: certs().roots.pem } })
        yield* connection.write(Ours.bytes("GET /page.txt HTTP/1.0\r\n\r\n"))
        const { data, end } = yield* Ours.readAll(connection)
        Ours.equals(page)(data.subarray(data.indexOf(0x80 | page[0]!)))
        assert.deepStrictEqual(end, Option.none())
      }))

    test("truncation", () =>
      Effect.gen(function* () {
        const { connection, server } = yield* open()
        const data = Ours.sample(100_000)
        yield* server.send(data)
        Ours.equals(data)(yield* Ours.read(connection, data.length))
        yield* server.kill
        const { end } = yield* Ours.readAll(connection)
        assert.include(Option.getOrThrow(end), { _tag: "TruncationError", bytesReceived: data.length })
      }))

    for (const [name, command] of [
      ["they change keys", "k"],
      ["they change keys and ask us to", "K"]
    ] as const) {
      test(name, () =>
        Effect.gen(function* () {
          const { connection, server } = yield* open("-msg")
          for (let round = 0; round < 3; round++) {
            yield* server.send(`${command}\n`)
            yield* server.saw(new RegExp(`(>>> [^\n]*KeyUpdate[^]*){${round + 1}}`))
            yield* server.send(`theirs ${round}\n`)
            yield* Ours.readUntil(connection, new RegExp(`theirs ${round}\n`))
            yield* connection.write(Ours.bytes(`ours ${round}\n`))
            yield* server.saw(new RegExp(`ours ${round}\n`))
          }
          if (command === "K") yield* server.saw(/(<<< [^\n]*KeyUpdate[^]*){3}/)
          const updates = (yield* server.output).match(/<<< .*KeyUpdate/g) ?? []
          assert.strictEqual(updates.length, command === "K" ? 3 : 0)
        })
      )
    }

    for (const requestPeer of [false, true]) {
      test(`we change keys${requestPeer ? " and ask them to" : ""}`, () =>
        Effect.gen(function* () {
          const { connection, server } = yield* open("-msg")
          for (let round = 0; round < 3; round++) {
            yield* connection.updateKeys({ requestPeer })
            yield* connection.write(Ours.bytes(`ours ${round}\n`))
            yield* server.saw(new RegExp(`ours ${round}\n`))
            yield* server.send(`theirs ${round}\n`)
            yield* Ours.readUntil(connection, new RegExp(`theirs ${round}\n`))
          }
          yield* server.saw(/(<<< [^\n]*KeyUpdate[^]*){3}/)
          if (requestPeer) yield* server.saw(/(>>> [^\n]*KeyUpdate[^]*){3}/)
          const output = yield* server.output
          assert.strictEqual((output.match(/<<< .*KeyUpdate/g) ?? []).length, 3)
          assert.strictEqual((output.match(/>>> .*KeyUpdate/g) ?? []).length, requestPeer ? 3 : 0)
        }))
    }

    test("keying material", () =>
      Effect.gen(function* () {
        const label = "EXPORTER-interop"
        const { connection, server } = yield* open("-keymatexport", label, "-keymatexportlen", "48")
        const [, theirs] = yield* server.saw(/Keying material: ([0-9A-F]+)/)
        const ours = yield* connection.exportKeyingMaterial({ label, length: 48 })
        assert.strictEqual(Buffer.from(ours).toString("hex").toUpperCase(), theirs)
      }))

    test("key log", () =>
      Ours.keyLogged((lines) =>
        Effect.gen(function* () {
          const file = join(certs().directory, "client.keys")
          const server = yield* OpenSsl.server(certs().server.p256, [...reversing, "-keylogfile", file])
          yield* converse(yield* Ours.connect(server.port, { trust: { anchors: certs().roots.pem } }))
          Cases.sameKeyLog(lines, readFileSync(file, "utf8"))
        })
      ))

    test("over a Unix socket", () =>
      Effect.gen(function* () {
        // A relative path: s_server wants to print its address, and fails when that has more than 31 characters.
        const { directory } = certs()
        yield* OpenSsl.server(certs().server.p256, reversing, { unix: "server.sock", cwd: directory })
        const path = Endpoint.unix(join(directory, "server.sock"))
        yield* converse(yield* Ours.connect(path, { trust: { anchors: certs().roots.pem } }))
      }))

    test("over IPv6, by address", (context) =>
      Effect.gen(function* () {
        if (!Ours.hasIpv6) return context.skip("no IPv6 here")
        const server = yield* OpenSsl.server(certs().server.p256, reversing, { host: "[::1]" })
        const options = { trust: { anchors: certs().roots.pem } }
        yield* converse(yield* Ours.connect(Endpoint.tcp("::1", server.port), options, "::1"))
      }))
  }
)

describe.skipIf(OpenSsl.modern.missing)(`our client and the server of ${OpenSsl.modern.name}`, () => {
  for (const [name, args, protocol, helloRetryRequest] of [
    ["X25519MLKEM768", ["-groups", "X25519MLKEM768"], { groups: ["X25519MLKEM768"] }, false],
    [
      "X25519MLKEM768 beside its classical half",
      ["-groups", "X25519MLKEM768:X25519"],
      { groups: ["X25519MLKEM768", "x25519"] },
      false
    ],
    [
      "HelloRetryRequest for X25519MLKEM768",
      ["-groups", "X25519MLKEM768"],
      { groups: ["x25519", "X25519MLKEM768"], keyShares: ["x25519"] },
      true
    ]
  ] as const) {
    test(name, () =>
      Effect.gen(function* () {
        const openssl = OpenSsl.modern
        const server = yield* OpenSsl.server(certs().server.p256, [...reversing, ...args], { openssl })
        const connection = yield* Ours.connect(server.port, { trust: { anchors: certs().roots.pem }, protocol })
        includes(connection.info, { group: "X25519MLKEM768", helloRetryRequest })
        yield* converse(connection)
      })
    )
  }

  test("the classical half alone", () =>
    Effect.gen(function* () {
      const server = yield* OpenSsl.server(certs().server.p256, [...reversing, "-groups", "X25519"], {
        openssl: OpenSsl.modern
      })
      const connection = yield* Ours.connect(server.port, {
        trust: { anchors: certs().roots.pem },
        protocol: { groups: ["X25519MLKEM768", "x25519"] }
      })
      includes(connection.info, { group: "x25519", helloRetryRequest: false })
      yield* converse(connection)
    }))
})
