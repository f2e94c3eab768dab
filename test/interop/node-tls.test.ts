/** `node:tls` against our client and our server. */
import { assert } from "@effect/vitest"
import { Effect, Option } from "effect"
import { type Alert, Endpoint, TlsClient, type TlsConnection, SecureContext, type TlsError } from "effect-tls"
import { NodeTransport } from "effect-tls/node"
import * as Net from "node:net"
import { join } from "node:path"
import * as Tls from "node:tls"
import { describe } from "vitest"
import * as Cases from "./cases.ts"
import * as NodeTls from "./node-tls.ts"
import * as Ours from "./ours.ts"
import { type Issued, kinds, type Pki, usePki } from "./pki.ts"

const certs = usePki()
const { test } = Ours
const { alerted, includes, isClean } = Cases

const identity = ({ certificateChain, privateKey }: Issued) => ({ cert: certificateChain, key: privateKey })

/** A line each way, their end or ours first, then the other's. */
const converse = (connection: TlsConnection.TlsConnection, peer: NodeTls.Socket, first: "ours" | "theirs" = "ours") =>
  Effect.gen(function* () {
    yield* connection.write(Ours.bytes("effect\n"))
    assert.strictEqual(Ours.text(yield* peer.received(7)), "effect\n")
    yield* peer.write("node\n")
    assert.strictEqual(Ours.text(yield* Ours.read(connection, 5)), "node\n")
    if (first === "ours") {
      yield* connection.end
      yield* peer.ended
      isClean(yield* Ours.readAll(connection))
    } else {
      peer.tls.end()
      isClean(yield* Ours.readAll(connection))
      yield* connection.end
      yield* peer.ended
    }
    assert.isUndefined(yield* peer.closed)
  })

/** Options of `node:tls` in either role. */
type Theirs = Tls.SecureContextOptions & Pick<NodeTls.ClientOptions, "ALPNProtocols" | "allowHalfOpen">

/** A handshake that succeeds: what they are told, what we are told, and what we then know. */
interface Handshake {
  readonly name: string
  readonly theirs?: (pki: Pki) => Theirs
  readonly issued?: (pki: Pki) => Issued
  readonly protocol?: Ours.Protocol
  readonly info?: Partial<Cases.Info>
  readonly check?: (peer: Tls.TLSSocket) => void
}

const eitherRole: ReadonlyArray<Handshake> = [
  ...Cases.suites.map((suite): Handshake => ({
    name: `suite ${suite}`,
    // From OpenSSL 3.5 on, CCM with short tags has to be asked for twice.
    theirs: () => ({ ciphers: `${suite}:ALL:@SECLEVEL=0` }),
    protocol: { cipherSuites: [suite] },
    info: { cipherSuite: suite },
    check: (peer) => assert.strictEqual(peer.getCipher().standardName, suite)
  })),
  ...Cases.groups.map(([group, openssl]): Handshake => ({
    name: `group ${group}`,
    theirs: () => ({ ecdhCurve: openssl }),
    protocol: { groups: [group] },
    info: { group, helloRetryRequest: false }
  })),
  ...kinds.map((kind): Handshake => ({ name: `certificate ${kind}`, issued: (pki) => pki.server[kind] })),
  { name: "certificate by an intermediate", issued: (pki) => pki.chained },
  ...Cases.schemes.map(([scheme, kind]): Handshake => ({
    name: `signature ${scheme}`,
    issued: (pki) => pki.server[kind],
    protocol: { signatureSchemes: [scheme], certificateSignatureSchemes: Cases.certificateSignatureSchemes },
    info: { signatureScheme: scheme }
  })),
  { name: "no compatibility mode", protocol: { middleboxCompatibility: false } },
  { name: "padded records", protocol: { recordPadding: 1024 } },
  { name: "small fragments", protocol: { maxFragment: 64 } },
  { name: "ALPN only here", protocol: { alpn: ["h2"] }, info: { alpn: Option.none() } },
  { name: "ALPN only there", theirs: () => ({ ALPNProtocols: ["h2"] }), info: { alpn: Option.none() } },
  {
    name: "ALPN",
    theirs: () => ({ ALPNProtocols: ["imap", "h2", "http/1.1"] }),
    protocol: { alpn: ["h2", "http/1.1"] },
    info: { alpn: Option.some("h2") },
    check: (peer) => assert.strictEqual(peer.alpnProtocol, "h2")
  },
  {
    name: "group X25519MLKEM768",
    theirs: () => ({ ecdhCurve: "X25519MLKEM768" }),
    protocol: { groups: ["X25519MLKEM768"] },
    info: { group: "X25519MLKEM768" }
  }
]

/** A handshake with what this Node lacks is skipped. */
const lacks = ({ name }: Handshake) =>
  name.includes("MLKEM") && !NodeTls.hasMlKem ? "this Node's OpenSSL is older than 3.5" : undefined

const disagreements: ReadonlyArray<{
  readonly name: string
  readonly theirs: Theirs
  readonly protocol: Ours.Protocol
  readonly alert: Alert.AlertName
  readonly reason: TlsError.HandshakeReason
}> = [
  {
    name: "suite",
    theirs: { ciphers: "TLS_AES_128_GCM_SHA256" },
    protocol: { cipherSuites: ["TLS_CHACHA20_POLY1305_SHA256"] },
    alert: "handshake_failure",
    reason: "NoSharedCipherSuite"
  },
  {
    name: "group",
    theirs: { ecdhCurve: "P-384" },
    protocol: { groups: ["x25519"] },
    alert: "handshake_failure",
    reason: "NoSharedGroup"
  },
  {
    name: "signature scheme",
    theirs: { sigalgs: "ecdsa_secp256r1_sha256" },
    protocol: { signatureSchemes: ["ed25519"] },
    alert: "handshake_failure",
    reason: "NoSharedSignatureScheme"
  },
  {
    name: "application protocol",
    theirs: { ALPNProtocols: ["h2"] },
    protocol: { alpn: ["http/1.1"] },
    alert: "no_application_protocol",
    reason: "NoApplicationProtocol"
  },
  {
    name: "version",
    theirs: { maxVersion: "TLSv1.2" },
    protocol: {},
    alert: "protocol_version",
    reason: "UnsupportedVersion"
  }
]

/** The connection of both, whoever is the server. */
interface Pair {
  readonly connection: TlsConnection.TlsConnection
  readonly peer: NodeTls.Socket
}

/** What an open connection does, whoever is the server. */
const openConnection = (open: (theirs?: Theirs) => Effect.Effect<Pair, unknown, Ours.Services>) => {
  for (const length of Cases.lengths) {
    test(`${length} bytes each way`, () =>
      Effect.gen(function* () {
        const { connection, peer } = yield* open()
        const data = Ours.sample(length)
        const send = Effect.zipRight(connection.write(data), connection.end)
        const [, , { data: received, end }] = yield* Effect.all(
          [send, Effect.sync(() => void peer.tls.end(data)), Ours.readAll(connection)],
          { concurrency: "unbounded" }
        )
        Ours.equals(data)(received)
        assert.deepStrictEqual(end, Option.none())
        Ours.equals(data)(yield* peer.ended)
        assert.isUndefined(yield* peer.closed)
      }))
  }

  test("their end first", () => Effect.flatMap(open(), ({ connection, peer }) => converse(connection, peer, "theirs")))

  test("after our end they go on", () =>
    Effect.gen(function* () {
      const { connection, peer } = yield* open({ allowHalfOpen: true })
      yield* connection.end
      yield* peer.ended
      const data = Ours.sample(100_000)
      peer.tls.end(data)
      const { data: received, end } = yield* Ours.readAll(connection)
      Ours.equals(data)(received)
      assert.deepStrictEqual(end, Option.none())
      assert.isUndefined(yield* peer.closed)
    }))

  test("after their end we go on", () =>
    Effect.gen(function* () {
      const { connection, peer } = yield* open({ allowHalfOpen: true })
      peer.tls.end()
      isClean(yield* Ours.readAll(connection))
      const data = Ours.sample(100_000)
      yield* connection.write(data)
      yield* connection.end
      Ours.equals(data)(yield* peer.ended)
      assert.isUndefined(yield* peer.closed)
    }))

  test("truncation leaves the data before it", () =>
    Effect.gen(function* () {
      const { connection, peer } = yield* open()
      const data = Ours.sample(100_000)
      yield* peer.write(data)
      peer.tls.destroy()
      yield* peer.closed
      const { data: received, end } = yield* Ours.readAll(connection)
      Ours.equals(data)(received)
      assert.include(Option.getOrThrow(end), { _tag: "TruncationError", bytesReceived: data.length })
    }))

  test("a reset", () =>
    Effect.gen(function* () {
      const { connection, peer } = yield* open()
      yield* peer.reset
      const { end } = yield* Ours.readAll(connection)
      assert.include(Option.getOrThrow(end), { _tag: "TransportError", reason: "ConnectionReset" })
    }))

  test("we change keys and ask them to", () =>
    Ours.traced((events) =>
      Effect.gen(function* () {
        const { connection, peer } = yield* open()
        const updates = () =>
          events.filter((event) => event._tag === "MessageReceived" && event.message._tag === "KeyUpdate").length
        for (let round = 1; round <= 3; round++) {
          yield* connection.updateKeys({ requestPeer: true })
          yield* connection.write(Ours.bytes("ours\n"))
          yield* peer.received(5 * round)
          yield* peer.write("node\n")
          assert.strictEqual(Ours.text(yield* Ours.read(connection, 5)), "node\n")
          assert.strictEqual(updates(), round)
        }
        yield* connection.updateKeys()
        yield* converse(connection, { ...peer, received: () => Effect.map(peer.received(22), (all) => all.slice(15)) })
        assert.strictEqual(updates(), 3)
      })
    ))

  for (const context of [undefined, "", "context"]) {
    test(`keying material, ${context === undefined ? "no context" : `context "${context}"`}`, () =>
      Effect.gen(function* () {
        const { connection, peer } = yield* open()
        const label = "EXPORTER-interop"
        const theirs =
          context === undefined
            ? peer.tls.exportKeyingMaterial(48, label, Buffer.alloc(0))
            : peer.tls.exportKeyingMaterial(48, label, Buffer.from(context))
        const ours = yield* connection.exportKeyingMaterial({
          label,
          length: 48,
          ...(context === undefined ? {} : { context: Ours.bytes(context) })
        })
        assert.deepStrictEqual(ours, new Uint8Array(theirs))
      }))
  }
}

describe(`our client and the server of ${NodeTls.version}`, { concurrent: true }, () => {
  const handshakes: ReadonlyArray<Handshake> = [
    ...eitherRole,
    ...Cases.groups
      .filter(([group]) => group !== "x25519")
      .map(([group, openssl]): Handshake => ({
        name: `HelloRetryRequest for ${group}`,
        theirs: () => ({ ecdhCurve: openssl }),
        protocol: { groups: ["x25519", group], keyShares: ["x25519"] },
        info: { group, helloRetryRequest: true }
      }))
  ]
  for (const handshake of handshakes) {
    const { check, info = {}, issued = (pki: Pki) => pki.server.p256, name, protocol = {}, theirs } = handshake
    test(name, (context) =>
      Effect.gen(function* () {
        const lacking = lacks(handshake)
        if (lacking !== undefined) return context.skip(lacking)
        const server = yield* NodeTls.serve({ ...identity(issued(certs())), ...theirs?.(certs()) })
        const connection = yield* Ours.connect(server.port, { trust: { anchors: certs().roots.pem }, protocol })
        includes(connection.info, info)
        const peer = yield* server.accepted
        check?.(peer.tls)
        yield* converse(connection, peer)
      })
    )
  }

  test("SNI chooses the certificate", () =>
    Effect.gen(function* () {
      const server = yield* NodeTls.serve({
        ...identity(certs().server.p256),
        SNICallback: (name, done) =>
          done(null, name === "server.test" ? Tls.createSecureContext(identity(certs().chained)) : undefined)
      })
      for (const [name, subject] of [
        ["localhost", "CN=server-p256"],
        ["server.test", "CN=chained"]
      ] as const) {
        const connection = yield* Ours.connect(server.port, { trust: { anchors: certs().roots.pem } }, name)
        assert.strictEqual(connection.info.peerCertificates[0]!.subject.toString(), subject)
        const peer = yield* server.accepted
        assert.include(peer.tls, { servername: name })
        yield* converse(connection, peer)
      }
    }))

  for (const { alert, anchors, code, issued, name, reason, serverName } of Cases.refusals) {
    test(`we refuse ${name}, with node's code`, () =>
      Effect.gen(function* () {
        const ca = anchors?.(certs()) ?? certs().roots.pem
        const server = yield* NodeTls.serve(identity(issued(certs())))
        const error = yield* Effect.flip(Ours.connect(server.port, { trust: { anchors: ca } }, serverName))
        assert.strictEqual(error._tag, "CertificateError")
        assert.include(error, { reason, code })
        assert.match(String(yield* server.refused), alerted(alert))
        // What node:tls itself says of the same certificate.
        const client = yield* NodeTls.connect(server.port, { ca, ...NodeTls.named(serverName) })
        const theirs = yield* client.closed
        assert.strictEqual(theirs?.code, code === "HOSTNAME_MISMATCH" ? "ERR_TLS_CERT_ALTNAME_INVALID" : code)
      }))
  }

  for (const { alert, name, protocol, theirs } of disagreements) {
    test(`no ${name} in common`, () =>
      Effect.gen(function* () {
        const server = yield* NodeTls.serve({ ...identity(certs().server.ed25519), ...theirs })
        const error = yield* Effect.flip(Ours.connect(server.port, { trust: { anchors: certs().roots.pem }, protocol }))
        assert.include(error, { _tag: "AlertError", alert })
        yield* server.refused
      }))
  }

  const demanding = (pki: Pki) => ({ requestCert: true, ca: pki.roots.pem })
  const clientIdentities: ReadonlyArray<readonly [string, (pki: Pki) => Issued, Tls.TlsOptions, Partial<Cases.Info>]> =
    [
      ...kinds.map((kind) => [`client certificate ${kind}`, (pki: Pki) => pki.client[kind], {}, {}] as const),
      ...Cases.schemes.map(
        ([scheme, kind]) =>
          [
            `client signature ${scheme}`,
            (pki: Pki) => pki.client[kind],
            { sigalgs: scheme === "ecdsa_secp384r1_sha384" ? scheme : `ecdsa_secp384r1_sha384:${scheme}` },
            { clientSignatureScheme: Option.some(scheme) }
          ] as const
      )
    ]
  for (const [name, issued, theirs, info] of clientIdentities) {
    test(name, () =>
      Effect.gen(function* () {
        const server = yield* NodeTls.serve({ ...identity(certs().server.p384), ...demanding(certs()), ...theirs })
        const connection = yield* Ours.connect(server.port, {
          trust: { anchors: certs().roots.pem },
          identity: Ours.identity(issued(certs()))
        })
        includes(connection.info, info)
        const peer = yield* server.accepted
        assert.isTrue(peer.tls.authorized)
        assert.match(String(peer.tls.getPeerCertificate().subject.CN), /^client-/)
        yield* converse(connection, peer)
      })
    )
  }

  test("client certificate asked for, none shown", () =>
    Effect.gen(function* () {
      const options = { ...identity(certs().server.p256), ...demanding(certs()), rejectUnauthorized: false }
      const server = yield* NodeTls.serve(options)
      const connection = yield* Ours.connect(server.port, { trust: { anchors: certs().roots.pem } })
      const peer = yield* server.accepted
      assert.isFalse(peer.tls.authorized)
      yield* converse(connection, peer)
    }))

  test("they refuse no client certificate", () =>
    Effect.gen(function* () {
      const server = yield* NodeTls.serve({ ...identity(certs().server.p256), ...demanding(certs()) })
      const connection = yield* Ours.connect(server.port, { trust: { anchors: certs().roots.pem } })
      const { end } = yield* Ours.readAll(connection)
      assert.include(Option.getOrThrow(end), { _tag: "AlertError", alert: "certificate_required" })
    }))

  test("key log", () =>
    Ours.keyLogged((lines) =>
      Effect.gen(function* () {
        const server = yield* NodeTls.serve(identity(certs().server.p256))
        const connection = yield* Ours.connect(server.port, { trust: { anchors: certs().roots.pem } })
        yield* converse(connection, yield* server.accepted)
        Cases.sameKeyLog(lines, server.keyLog.join("\n"))
      })
    ))

  test("over a Unix socket", () =>
    Effect.gen(function* () {
      const path = join(certs().directory, "node-server.sock")
      const server = yield* NodeTls.serve(identity(certs().server.p256), { path })
      const connection = yield* Ours.connect(Endpoint.unix(path), { trust: { anchors: certs().roots.pem } })
      yield* converse(connection, yield* server.accepted)
    }))

  test("over IPv6, by address", (context) =>
    Effect.gen(function* () {
      if (!Ours.hasIpv6) return context.skip("no IPv6 here")
      const server = yield* NodeTls.serve(identity(certs().server.p256), { host: "::1", port: 0 })
      const options = { trust: { anchors: certs().roots.pem } }
      const connection = yield* Ours.connect(Endpoint.tcp("::1", server.port), options, "::1")
      yield* converse(connection, yield* server.accepted)
    }))

  test("over a socket that is already open", () =>
    Effect.gen(function* () {
      const server = yield* NodeTls.serve(identity(certs().server.p256))
      const socket = yield* Effect.acquireRelease(
        Effect.async<Net.Socket>((resume) => {
          const dialled = Net.connect({ host: "127.0.0.1", port: server.port }, () => resume(Effect.succeed(dialled)))
        }),
        (open) => Effect.sync(() => void open.destroy())
      )
      const context = yield* SecureContext.make({ trust: { anchors: certs().roots.pem } })
      const duplex = yield* NodeTransport.fromSocket(socket)
      const connection = yield* TlsClient.over(duplex, { context, serverName: "localhost" })
      yield* converse(connection, yield* server.accepted)
    }))

  openConnection((theirs = {}) =>
    Effect.gen(function* () {
      const server = yield* NodeTls.serve({ ...identity(certs().server.p256), ...theirs })
      const connection = yield* Ours.connect(server.port, { trust: { anchors: certs().roots.pem } })
      return { connection, peer: yield* server.accepted }
    })
  )
})

describe(`our server and the client of ${NodeTls.version}`, { concurrent: true }, () => {
  const handshakes: ReadonlyArray<Handshake> = [
    ...eitherRole,
    ...Cases.groups
      .filter(([group]) => group !== "x25519")
      .map(([group, openssl]): Handshake => ({
        name: `HelloRetryRequest for ${group}`,
        theirs: () => ({ ecdhCurve: `X25519:${openssl}` }),
        protocol: { groups: [group] },
        info: { group, helloRetryRequest: true }
      })),
    {
      name: "HelloRetryRequest with a cookie",
      theirs: () => ({ ecdhCurve: "X25519:P-384" }),
      protocol: { groups: ["secp384r1"], helloRetryCookie: true },
      info: { group: "secp384r1", helloRetryRequest: true }
    }
  ]
  for (const handshake of handshakes) {
    const { check, info = {}, issued = (pki: Pki) => pki.server.p256, name, protocol = {}, theirs } = handshake
    test(name, (context) =>
      Effect.gen(function* () {
        const lacking = lacks(handshake)
        if (lacking !== undefined) return context.skip(lacking)
        const server = yield* Ours.serve({ identity: Ours.identity(issued(certs())), protocol })
        const client = yield* NodeTls.connect(server.port, { ca: certs().roots.pem, ...theirs?.(certs()) })
        const { connection } = yield* server.accepted
        includes(connection.info, info)
        yield* client.secure
        assert.isTrue(client.tls.authorized)
        check?.(client.tls)
        yield* converse(connection, client)
      })
    )
  }

  for (const [scheme] of Cases.schemes) {
    test(`identity for a client that knows ${scheme} alone`, () =>
      Effect.gen(function* () {
        const all = kinds.map((kind) => Ours.identity(certs().server[kind]))
        const server = yield* Ours.serve({ identity: all })
        const client = yield* NodeTls.connect(server.port, { ca: certs().roots.pem, sigalgs: scheme })
        const { connection } = yield* server.accepted
        includes(connection.info, { signatureScheme: scheme })
        yield* converse(connection, client)
      }))
  }

  for (const { alert, name, protocol, reason, theirs } of disagreements) {
    test(`no ${name} in common`, () =>
      Effect.gen(function* () {
        const server = yield* Ours.serve({ identity: Ours.identity(certs().server.ed25519), protocol })
        const client = yield* NodeTls.connect(server.port, { ca: certs().roots.pem, ...theirs })
        assert.include(yield* server.refused, { _tag: "HandshakeError", reason })
        assert.match(String(yield* client.closed), alerted(alert))
      }))
  }

  // node:tls looks at the certificate when the handshake is over, and then hangs up without an alert.
  test("they refuse an unknown root", () =>
    Effect.gen(function* () {
      const server = yield* Ours.serve({ identity: Ours.identity(certs().strange) })
      const client = yield* NodeTls.connect(server.port, { ca: certs().roots.pem })
      assert.strictEqual((yield* client.closed)?.code, "UNABLE_TO_VERIFY_LEAF_SIGNATURE")
      // Whether the end of its handshake came before that is a matter of time.
      const error = yield* server.accepted.pipe(
        Effect.flatMap(({ connection }) => Effect.map(Ours.readAll(connection), ({ end }) => Option.getOrThrow(end))),
        Effect.merge
      )
      assert.oneOf(error._tag, ["TruncationError", "TransportError"])
    }))

  for (const kind of kinds) {
    test(`client certificate ${kind}`, () =>
      Effect.gen(function* () {
        const server = yield* Ours.serve({
          identity: Ours.identity(certs().server.p256),
          trust: { anchors: certs().roots.pem, clientAuthentication: "require" }
        })
        const client = yield* NodeTls.connect(server.port, { ca: certs().roots.pem, ...identity(certs().client[kind]) })
        const { connection } = yield* server.accepted
        const { peer } = connection.info
        assert.strictEqual(peer._tag === "Verified" && peer.certificate.subject.toString(), `CN=client-${kind}`)
        yield* converse(connection, client)
      }))
  }

  for (const [scheme, kind] of Cases.schemes) {
    test(`client signature ${scheme}`, () =>
      Effect.gen(function* () {
        const server = yield* Ours.serve({
          identity: Ours.identity(certs().server[kind]),
          trust: { anchors: certs().roots.pem, clientAuthentication: "require" },
          protocol: { signatureSchemes: [scheme], certificateSignatureSchemes: Cases.certificateSignatureSchemes }
        })
        const client = yield* NodeTls.connect(server.port, { ca: certs().roots.pem, ...identity(certs().client[kind]) })
        const { connection } = yield* server.accepted
        includes(connection.info, { clientSignatureScheme: Option.some(scheme) })
        yield* converse(connection, client)
      }))
  }

  test("client certificate requested, none shown", () =>
    Effect.gen(function* () {
      const server = yield* Ours.serve({
        identity: Ours.identity(certs().server.p256),
        trust: { anchors: certs().roots.pem, clientAuthentication: "request" }
      })
      const client = yield* NodeTls.connect(server.port, { ca: certs().roots.pem })
      const { connection } = yield* server.accepted
      includes(connection.info, { peer: { _tag: "Anonymous" }, peerCertificates: [] })
      yield* converse(connection, client)
    }))

  for (const { alert, issued, name, reason } of Cases.clientRefusals) {
    test(`we refuse ${name}`, () =>
      Effect.gen(function* () {
        const server = yield* Ours.serve({
          identity: Ours.identity(certs().server.p256),
          trust: { anchors: certs().roots.pem, clientAuthentication: "require" }
        })
        const shown = issued(certs())
        const client = yield* NodeTls.connect(server.port, {
          ca: certs().roots.pem,
          ...(shown === undefined ? {} : identity(shown))
        })
        assert.include(yield* server.refused, { _tag: "CertificateError", reason })
        assert.match(String(yield* client.closed), alerted(alert))
      }))
  }

  test("a session of another server", () =>
    Effect.gen(function* () {
      const other = yield* NodeTls.serve(identity(certs().server.p256))
      const first = yield* NodeTls.connect(other.port, { ca: certs().roots.pem })
      const session = yield* Effect.async<Buffer>((resume) => {
        first.tls.once("session", (ticket) => resume(Effect.succeed(ticket)))
      })
      const server = yield* Ours.serve({ identity: Ours.identity(certs().server.p256) })
      const client = yield* NodeTls.connect(server.port, { ca: certs().roots.pem, session })
      const { connection } = yield* server.accepted
      includes(connection.info, { resumed: false })
      assert.isFalse(client.tls.isSessionReused())
      yield* converse(connection, client)
    }))

  test("key log", () =>
    Ours.keyLogged((lines) =>
      Effect.gen(function* () {
        const server = yield* Ours.serve({ identity: Ours.identity(certs().server.p256) })
        const client = yield* NodeTls.connect(server.port, { ca: certs().roots.pem })
        const { connection } = yield* server.accepted
        yield* converse(connection, client)
        Cases.sameKeyLog(lines, client.keyLog.join("\n"))
      })
    ))

  test("over a Unix socket", () =>
    Effect.gen(function* () {
      const path = join(certs().directory, "node-client.sock")
      const server = yield* Ours.serve({ identity: Ours.identity(certs().server.p256) }, Endpoint.unix(path))
      const client = yield* NodeTls.connect(path, { ca: certs().roots.pem })
      const { connection } = yield* server.accepted
      yield* converse(connection, client)
    }))

  openConnection((theirs = {}) =>
    Effect.gen(function* () {
      const server = yield* Ours.serve({ identity: Ours.identity(certs().server.p256) })
      const peer = yield* NodeTls.connect(server.port, { ca: certs().roots.pem, ...theirs })
      const { connection } = yield* server.accepted
      yield* peer.secure
      return { connection, peer }
    })
  )
})
