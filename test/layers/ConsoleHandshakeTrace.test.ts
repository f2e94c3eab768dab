import { it as effect } from "@effect/vitest"
import { Effect, Fiber, Option, TestClock } from "effect"
import { assert, describe, it } from "vitest"
import { HandshakeTrace } from "../../src/core/HandshakeTrace.ts"
import * as SecureContexts from "../../src/core/SecureContext.ts"
import type { SecureContextOptions } from "../../src/core/SecureContextOptions.ts"
import * as TlsClient from "../../src/core/TlsClient.ts"
import * as TlsServer from "../../src/core/TlsServer.ts"
import type { Duplex } from "../../src/core/Transport.ts"
import * as TrustStore from "../../src/core/TrustStore.ts"
import * as ConsoleHandshakeTrace from "../../src/layers/ConsoleHandshakeTrace.ts"
import * as MemoryTransport from "../../src/layers/MemoryTransport.ts"
import * as Alert from "../../src/schema/Alert.ts"
import * as Endpoint from "../../src/schema/Endpoint.ts"
import { HandshakeError, TlsConfigError } from "../../src/schema/TlsError.ts"
import * as harness from "../support/harness.ts"
import * as identities from "../support/identities.ts"

const { format } = ConsoleHandshakeTrace

const authority = identities.makeSync({ ca: true, names: [], subject: "authority" })

describe("ConsoleHandshakeTrace", () => {
  it("prints an event on a line", () => {
    const lines = [
      format({ _tag: "ChangeCipherSpecSent" }),
      format({ _tag: "ChangeCipherSpecReceived" }),
      format({ _tag: "AlertSent", description: Alert.fromName("close_notify") }),
      format({ _tag: "AlertReceived", description: 99 }),
      format({ _tag: "KeysChanged", direction: "write", stage: "application" }),
      format({ _tag: "MessageSent", message: { _tag: "KeyUpdate", request: 1 }, length: 5 }),
      format({ _tag: "MessageReceived", message: { _tag: "Finished", verifyData: new Uint8Array(32) }, length: 36 })
    ]
    assert.deepStrictEqual(lines, [
      "→ ChangeCipherSpec",
      "← ChangeCipherSpec",
      "→ Alert: close_notify",
      "← Alert: alert 99",
      "· writes with application keys from here",
      "→ KeyUpdate, 5 bytes: asks for ours",
      "← Finished, 36 bytes"
    ])
  })

  it("keeps an error on one line", () => {
    const error = new HandshakeError({ reason: "MalformedMessage", message: "one\ntwo", phase: "negotiation" })
    assert.strictEqual(
      format({ _tag: "HandshakeFailed", error }),
      `✗ HandshakeError (MalformedMessage) in negotiation: one; two. ${error.hint}`
    )
    const config = TlsConfigError.of("InvalidOptions", "a", "b")
    assert.strictEqual(
      format({ _tag: "HandshakeFailed", error: config }),
      "✗ TlsConfigError (InvalidOptions) in configuration: a: b. Correct the named option."
    )
  })

  it("lets no byte of the peer's move the cursor", () => {
    const name = new TextEncoder().encode("a\u001b[2Jb\n")
    const line = format({
      _tag: "MessageReceived",
      message: {
        _tag: "EncryptedExtensions",
        extensions: [{ _tag: "ApplicationProtocols", protocols: ["\u001b[2J", "h2"] }]
      },
      length: 9
    })
    assert.strictEqual(line, '← EncryptedExtensions, 9 bytes: ALPN "\\u001b[2J", h2')
    assert.notMatch(
      format({
        _tag: "MessageReceived",
        message: {
          _tag: "ClientHello",
          legacyVersion: 0x0303 as never,
          random: new Uint8Array(32),
          sessionId: new Uint8Array(0),
          cipherSuites: [],
          compressionMethods: Uint8Array.of(0),
          extensions: [{ _tag: "ServerName", names: [{ type: 0, name }] }]
        },
        length: 60
      }),
      /\p{Cc}/u
    )
  })

  it("lets no character of the peer's move the cursor or turn the line around, in errors neither", () => {
    const peers = "\u009b2J\u202egnol\u2028\r\n\u{e0001}"
    const error = new HandshakeError({ reason: "UnrecognizedName", message: `no "${peers}"`, phase: "negotiation" })
    for (const event of [
      { _tag: "HandshakeFailed", error },
      {
        _tag: "MessageReceived",
        message: {
          _tag: "EncryptedExtensions",
          extensions: [{ _tag: "ApplicationProtocols", protocols: [peers] }]
        },
        length: 9
      }
    ] as const) {
      assert.notMatch(format(event), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
      assert.include(format(event), "gnol")
    }
  })

  it("shows whose certificates are sent", () => {
    const { certificate } = identities.makeSync({ subject: "leaf", issuer: authority })
    const entries = [certificate.der, new Uint8Array(7)].map((der) => ({ certificate: der, extensions: [] }))
    const message = { _tag: "Certificate", context: new Uint8Array(0), entries } as const
    assert.strictEqual(
      format({ _tag: "MessageReceived", message, length: 500 }),
      '← Certificate, 500 bytes: "CN=leaf" by "CN=authority" until 2040-01-01; one that cannot be read'
    )
  })

  it("is an observer that names the connection", () => {
    const lines: Array<string> = []
    const connection = (id: number, remoteAddress: Option.Option<Endpoint.Endpoint>) => ({
      id,
      localAddress: Option.none(),
      remoteAddress
    })
    Effect.map(HandshakeTrace, (trace) => {
      const event = { _tag: "ChangeCipherSpecSent" } as const
      trace?.record("server", event, connection(7, Option.some(Endpoint.tcp("192.0.2.1", 50_312))))
      trace?.record("client", event, connection(8, Option.none()))
    }).pipe(Effect.provide(ConsoleHandshakeTrace.layer({ write: (line) => lines.push(line) })), Effect.runSync)
    assert.deepStrictEqual(lines, ["server#7 192.0.2.1:50312 → ChangeCipherSpec", "client#8 → ChangeCipherSpec"])
  })
})

const leaf = identities.makeSync({ issuer: authority, names: ["localhost"], subject: "leaf" })
const expired = identities.makeSync({
  issuer: authority,
  names: ["localhost"],
  subject: "old",
  validity: [Date.UTC(2020), Date.UTC(2021)]
})
const trust = { anchors: TrustStore.fromCertificates([authority.certificate]) }
const plain = { identity: leaf.options }

/** What is printed of a client's handshake and a server's that fail, without what was sent before. */
const failures: ReadonlyArray<{
  readonly what: string
  readonly server: SecureContextOptions
  readonly client: SecureContextOptions
  readonly serverName?: string
  readonly lines: ReadonlyArray<string>
}> = [
  {
    what: "an expired certificate",
    server: { identity: expired.options },
    client: { trust },
    lines: [
      'client ✗ CertificateError (Expired) in authentication: certificate 0 "CN=old": it expired at 2021-01-01T00:00:00.000Z.',
      "server ✗ AlertError (certificate_expired) in authentication: the peer sent the alert certificate_expired. Our certificate has expired"
    ]
  },
  {
    what: "an issuer that nobody knows",
    server: plain,
    client: { trust: { anchors: TrustStore.fromCertificates([identities.server.certificate]) } },
    lines: [
      'client ✗ CertificateError (SelfSignedRoot) in authentication: certificate 1 "CN=authority": it is a root that is not among',
      "server ✗ AlertError (unknown_ca) in authentication: "
    ]
  },
  {
    what: "another name",
    server: plain,
    client: { trust },
    serverName: "other.test",
    lines: [
      'client ✗ CertificateError (NameMismatch) in authentication: certificate 0 "CN=leaf": it is not for other.test: it is for DNS:localhost.',
      "server ✗ AlertError (bad_certificate) in authentication: "
    ]
  },
  {
    what: "no suite in common",
    server: { ...plain, protocol: { cipherSuites: ["TLS_AES_128_GCM_SHA256"] } },
    client: { trust, protocol: { cipherSuites: ["TLS_AES_256_GCM_SHA384"] } },
    lines: [
      "server ✗ HandshakeError (NoSharedCipherSuite) in negotiation: no cipher suite of the client's is ours (TLS_AES_128_GCM_SHA256).",
      "client ✗ AlertError (handshake_failure) in negotiation: "
    ]
  },
  {
    what: "no group in common",
    server: { ...plain, protocol: { groups: ["x25519"] } },
    client: { trust, protocol: { groups: ["secp256r1"] } },
    lines: [
      "server ✗ HandshakeError (NoSharedGroup) in negotiation: no group of the client's is ours (x25519).",
      "client ✗ AlertError (handshake_failure) in negotiation: "
    ]
  },
  {
    what: "no application protocol in common",
    server: { ...plain, protocol: { alpn: ["h2"] } },
    client: { trust, protocol: { alpn: ["http/1.1"] } },
    lines: [
      'server ✗ HandshakeError (NoApplicationProtocol) in negotiation: the client offers "http/1.1", none of "h2".',
      "client ✗ AlertError (no_application_protocol) in negotiation: "
    ]
  },
  {
    what: "no signature scheme in common",
    server: plain,
    client: { trust, protocol: { signatureSchemes: ["ed25519"] } },
    lines: [
      "server ✗ HandshakeError (NoSharedSignatureScheme) in negotiation: no identity can sign with a scheme of the client's, only with ecdsa_secp256r1_sha256.",
      "client ✗ AlertError (handshake_failure) in negotiation: "
    ]
  },
  {
    what: "no certificate of the client's",
    server: { ...plain, trust: { ...trust, clientAuthentication: "require" } },
    client: { trust },
    lines: ["server ✗ CertificateError (NoCertificate) in authentication: the client showed no certificate."]
  }
]

describe("a handshake that fails shows where and why", () => {
  for (const { client, lines, serverName = "localhost", server, what } of failures) {
    effect.scoped(what, () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(harness.now)
        const printed: Array<string> = []
        const [clientEnd, serverEnd] = yield* MemoryTransport.pair()
        const watched = Effect.provide(
          ConsoleHandshakeTrace.layer({ write: (line) => printed.push(line.replace(/#\d+/, "")) })
        )
        const accepting = yield* SecureContexts.make(server).pipe(
          Effect.flatMap((context) => TlsServer.over(serverEnd, { context })),
          watched,
          Effect.fork
        )
        yield* SecureContexts.make(client).pipe(
          Effect.flatMap((context) => TlsClient.over(clientEnd, { context, serverName })),
          watched,
          Effect.exit
        )
        yield* Fiber.await(accepting)
        const seen = printed.filter((line) => line.includes("✗"))
        assert.lengthOf(seen, lines.length, seen.join("\n"))
        for (const [i, line] of lines.entries()) assert.isTrue(seen[i]!.startsWith(line), seen[i])
      }).pipe(Effect.provide(harness.layer))
    )
  }

  for (const [what, act, line] of [
    [
      "one who does not speak TLS",
      (peer) => peer.write(harness.bytes("HTTP/1.1 400 Bad Request\r\n\r\n")),
      "HandshakeError (PeerSpokePlaintext) in negotiation: the peer speaks HTTP, not TLS."
    ],
    ["a reset", (peer) => peer.abort, "TransportError (ConnectionReset) in negotiation: "],
    ["an end", (peer) => peer.end(), "TruncationError (MissingCloseNotify) in negotiation: "],
    [
      "silence",
      () => Effect.void,
      "TlsTimeoutError (Handshake) in negotiation: the handshake was not complete after 10000 ms"
    ]
  ] satisfies ReadonlyArray<readonly [string, (peer: Duplex) => Effect.Effect<void, unknown>, string]>) {
    effect.scoped(what, () =>
      Effect.gen(function* () {
        const printed: Array<string> = []
        const [ours, theirs] = yield* MemoryTransport.pair()
        const client = yield* Effect.fork(
          TlsClient.over(ours, { context: yield* harness.context() }).pipe(
            Effect.provide(ConsoleHandshakeTrace.layer({ write: (text) => printed.push(text) }))
          )
        )
        yield* harness.settle(client, 2)
        yield* act(theirs)
        yield* harness.finish(client)
        assert.include(printed.find((text) => text.includes("✗")) ?? "", `✗ ${line}`)
      }).pipe(Effect.provide(harness.layer))
    )
  }
})
