/** The client against servers that are wrong in one thing: which error it is, and which alert the server is sent. */
import { assert, describe, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import type { SecureContextOptions } from "../../src/core/SecureContextOptions.ts"
import * as TlsClient from "../../src/core/TlsClient.ts"
import * as TlsServer from "../../src/core/TlsServer.ts"
import type { MemoryTransportOptions } from "../../src/layers/MemoryTransport.ts"
import * as MemoryTransport from "../../src/layers/MemoryTransport.ts"
import type { Extension } from "../../src/schema/Extension.ts"
import * as HandshakeMessage from "../../src/schema/HandshakeMessage.ts"
import * as HandshakeType from "../../src/schema/HandshakeType.ts"
import * as NamedGroup from "../../src/schema/NamedGroup.ts"
import * as ProtocolVersion from "../../src/schema/ProtocolVersion.ts"
import * as SignatureScheme from "../../src/schema/SignatureScheme.ts"
import * as CipherSuite from "../../src/schema/CipherSuite.ts"
import * as harness from "../support/harness.ts"
import * as identities from "../support/identities.ts"
import type { Tag } from "../support/edits.ts"
import {
  badShares,
  change,
  flipped,
  lengthened,
  predict,
  strangers,
  unknown,
  withExtensions
} from "../support/edits.ts"
import type { Item } from "../support/ScriptedPeer.ts"
import * as scripted from "../support/ScriptedPeer.ts"
import type { Edit, ServerScript } from "../support/scripts.ts"
import * as scripts from "../support/scripts.ts"

const downgraded = (last: number): Uint8Array =>
  Uint8Array.from(
    [...new Uint8Array(24), ..."DOWNGRD"].map((c) => (typeof c === "string" ? c.charCodeAt(0) : c)).concat(last)
  )

const tls12ServerHello = (random: Uint8Array): Edit =>
  change("ServerHello", (message) => ({
    ...message,
    random,
    extensions: [unknown(0xff01, Uint8Array.of(0)), unknown(23)]
  }))

/** Runs a real client against the script, to the end of both. */
const play = (script: ServerScript, options: SecureContextOptions = {}, transport?: MemoryTransportOptions) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(harness.now)
    const context = yield* harness.context({
      ...options,
      protocol: { groups: ["x25519", "secp256r1"], alpn: ["h2", "http/1.1"], ...options.protocol }
    })
    const {
      client,
      script: server,
      ...rest
    } = yield* harness.clientAgainst(context, (peer) => scripts.playServer(peer, script), {
      serverName: "localhost",
      ...(transport === undefined ? {} : { transport })
    })
    const clientExit = yield* harness.finish(client)
    const serverExit = yield* harness.finish(server)
    return { clientExit, serverExit, error: harness.labelOf(clientExit), alert: harness.endingOf(serverExit), ...rest }
  }).pipe(Effect.scoped, Effect.provide(harness.layer))

interface Row {
  readonly name: string
  readonly script: ServerScript
  readonly options?: SecureContextOptions
  /** `Tag/reason/phase` */
  readonly error: string
  readonly alert: string
}

const negotiation = (reason: string) => `HandshakeError/${reason}/negotiation`
const authentication = (reason: string) => `HandshakeError/${reason}/authentication`

const p256 = NamedGroup.secp256r1
const cookie = Uint8Array.of(1, 2, 3)
const allSuites = Arr.map(
  CipherSuite.registry as Arr.NonEmptyReadonlyArray<CipherSuite.CipherSuiteInfo>,
  ({ name }) => name
)

const helloRows: ReadonlyArray<Row> = [
  {
    name: "another session id",
    script: { edit: change("ServerHello", (m) => ({ ...m, sessionId: new Uint8Array(32) })) },
    error: negotiation("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "no session id",
    script: { edit: change("ServerHello", (m) => ({ ...m, sessionId: new Uint8Array(0) })) },
    error: negotiation("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "compression",
    script: { edit: change("ServerHello", (m) => ({ ...m, compressionMethod: 1 })) },
    error: negotiation("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "another legacy_version",
    script: { edit: change("ServerHello", (m) => ({ ...m, legacyVersion: ProtocolVersion.tls13 })) },
    // RFC 9846 §4.1.3, unlike RFC 8446.
    error: negotiation("UnsupportedVersion"),
    alert: "protocol_version"
  },
  {
    name: "TLS 1.2 in supported_versions",
    script: {
      edit: withExtensions("ServerHello", (extensions) =>
        extensions.map((e) => (e._tag === "SelectedVersion" ? { ...e, version: ProtocolVersion.tls12 } : e))
      )
    },
    error: negotiation("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "a version of the future",
    script: {
      edit: withExtensions("ServerHello", (extensions) =>
        extensions.map((e) => (e._tag === "SelectedVersion" ? { ...e, version: ProtocolVersion.make(0x0305) } : e))
      )
    },
    error: negotiation("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "TLS 1.2",
    script: { edit: tls12ServerHello(new Uint8Array(32)) },
    error: negotiation("UnsupportedVersion"),
    alert: "protocol_version"
  },
  {
    name: "TLS 1.2 by a server that could do 1.3",
    script: { edit: tls12ServerHello(downgraded(1)) },
    error: negotiation("Downgrade"),
    alert: "illegal_parameter"
  },
  {
    name: "TLS 1.1 by a server that could do 1.3",
    script: { edit: tls12ServerHello(downgraded(0)) },
    error: negotiation("Downgrade"),
    alert: "illegal_parameter"
  },
  {
    name: "what looks like the sentinel of no version",
    script: { edit: tls12ServerHello(downgraded(2)) },
    error: negotiation("UnsupportedVersion"),
    alert: "protocol_version"
  },
  {
    name: "SSL 3, without extensions",
    script: {
      edit: change("ServerHello", (m) => ({ ...m, legacyVersion: ProtocolVersion.make(0x0300), extensions: [] }))
    },
    error: negotiation("UnsupportedVersion"),
    alert: "protocol_version"
  },
  {
    name: "a suite that was not offered",
    script: { edit: change("ServerHello", (m) => ({ ...m, cipherSuite: CipherSuite.make(0x1304) })) },
    error: negotiation("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "a suite that nobody knows",
    script: { edit: change("ServerHello", (m) => ({ ...m, cipherSuite: CipherSuite.make(0x1a1a) })) },
    error: negotiation("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "no key share",
    script: { edit: withExtensions("ServerHello", (es) => es.filter((e) => e._tag !== "KeyShareAnswer")) },
    error: negotiation("MissingExtension"),
    alert: "missing_extension"
  },
  {
    name: "a key share of a group without a share of ours",
    script: {
      edit: withExtensions("ServerHello", (es) =>
        es.map((e) => (e._tag === "KeyShareAnswer" ? { ...e, share: { ...e.share, group: p256 } } : e))
      )
    },
    error: negotiation("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "a key share of a group that was not offered",
    script: {
      edit: withExtensions("ServerHello", (es) =>
        es.map((e) => (e._tag === "KeyShareAnswer" ? { ...e, share: { ...e.share, group: NamedGroup.x448 } } : e))
      )
    },
    error: negotiation("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "an extension twice",
    script: { edit: withExtensions("ServerHello", (es) => [...es, es[0]!]) },
    error: negotiation("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "a pre_shared_key that was not offered",
    script: { edit: withExtensions("ServerHello", (es) => [...es, { _tag: "PreSharedKeyAnswer", selected: 0 }]) },
    error: negotiation("UnsupportedExtension"),
    alert: "unsupported_extension"
  },
  {
    name: "an unknown extension",
    script: { edit: withExtensions("ServerHello", (es) => [...es, unknown(0x2a2a)]) },
    error: negotiation("UnsupportedExtension"),
    alert: "unsupported_extension"
  },
  {
    name: "ALPN in the ServerHello, where it may not stand",
    script: {
      edit: withExtensions("ServerHello", (es) => [...es, { _tag: "ApplicationProtocols", protocols: ["h2"] }])
    },
    error: negotiation("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "a cookie in the ServerHello",
    script: { edit: withExtensions("ServerHello", (es) => [...es, { _tag: "Cookie", cookie }]) },
    error: negotiation("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "a byte too much",
    script: { edit: change("ServerHello", (m) => lengthened(HandshakeMessage.encode(m))) },
    error: negotiation("MalformedMessage"),
    alert: "decode_error"
  },
  {
    name: "65 extensions",
    script: {
      edit: withExtensions("ServerHello", (es) => [...es, ...Array.from({ length: 63 }, (_, i) => unknown(0x1000 + i))])
    },
    error: negotiation("IllegalParameter"),
    alert: "illegal_parameter"
  }
]

const retryRows: ReadonlyArray<Row> = [
  {
    name: "a HelloRetryRequest that changes nothing",
    script: { retry: {} },
    error: negotiation("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "for a group that was not offered",
    script: { retry: { group: NamedGroup.secp521r1 } },
    error: negotiation("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "for a group whose share it has",
    script: { retry: { group: NamedGroup.x25519 } },
    error: negotiation("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "for a group whose share it has, with a cookie",
    script: { retry: { group: NamedGroup.x25519, cookie } },
    error: negotiation("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "without supported_versions",
    script: {
      retry: { group: p256 },
      edit: withExtensions("HelloRetryRequest", (es) => es.filter((e) => e._tag !== "SelectedVersion"))
    },
    error: negotiation("UnsupportedVersion"),
    alert: "protocol_version"
  },
  {
    name: "with TLS 1.2",
    script: {
      retry: { group: p256 },
      edit: withExtensions("HelloRetryRequest", (es) =>
        es.map((e) => (e._tag === "SelectedVersion" ? { ...e, version: ProtocolVersion.tls12 } : e))
      )
    },
    error: negotiation("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "with another session id",
    script: {
      retry: { group: p256 },
      edit: change("HelloRetryRequest", (m) => ({ ...m, sessionId: Uint8Array.of(1) }))
    },
    error: negotiation("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "with compression",
    script: { retry: { group: p256 }, edit: change("HelloRetryRequest", (m) => ({ ...m, compressionMethod: 1 })) },
    error: negotiation("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "with another legacy_version",
    script: {
      retry: { group: p256 },
      edit: change("HelloRetryRequest", (m) => ({ ...m, legacyVersion: ProtocolVersion.make(0x0302) }))
    },
    error: negotiation("UnsupportedVersion"),
    alert: "protocol_version"
  },
  {
    name: "with a suite that was not offered",
    script: {
      retry: { group: p256 },
      edit: change("HelloRetryRequest", (m) => ({ ...m, cipherSuite: CipherSuite.make(0x1305) }))
    },
    error: negotiation("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "with an extension that was not offered",
    script: { retry: { group: p256 }, edit: withExtensions("HelloRetryRequest", (es) => [...es, unknown(0x0aaa)]) },
    error: negotiation("UnsupportedExtension"),
    alert: "unsupported_extension"
  },
  {
    name: "with ALPN",
    script: {
      retry: { group: p256 },
      edit: withExtensions("HelloRetryRequest", (es) => [...es, { _tag: "ApplicationProtocols", protocols: ["h2"] }])
    },
    error: negotiation("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "with an empty cookie",
    script: { retry: { group: p256, cookie: new Uint8Array(0) } },
    error: negotiation("MalformedMessage"),
    alert: "decode_error"
  },
  {
    name: "and a second one",
    script: {
      retry: { group: p256 },
      edit: change("ServerHello", (m) => ({
        ...m,
        _tag: "HelloRetryRequest",
        extensions: [m.extensions[0]!, { _tag: "Cookie", cookie }]
      }))
    },
    error: negotiation("UnexpectedMessage"),
    alert: "unexpected_message"
  },
  {
    name: "and another suite after it",
    script: {
      retry: { group: p256 },
      edit: change("ServerHello", (m) => ({
        ...m,
        cipherSuite: CipherSuite.fromName("TLS_CHACHA20_POLY1305_SHA256")!.code
      }))
    },
    error: negotiation("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "and another group after it",
    script: {
      retry: { group: p256 },
      edit: withExtensions("ServerHello", (es) =>
        es.map((e) => (e._tag === "KeyShareAnswer" ? { ...e, share: { ...e.share, group: NamedGroup.x25519 } } : e))
      )
    },
    error: negotiation("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "and no key share after it",
    script: {
      retry: { group: p256 },
      edit: withExtensions("ServerHello", (es) => es.filter((e) => e._tag !== "KeyShareAnswer"))
    },
    // What is missing is not another group.
    error: negotiation("MissingExtension"),
    alert: "missing_extension"
  },
  {
    name: "only for a cookie, and no key share after it",
    script: {
      retry: { cookie },
      edit: withExtensions("ServerHello", (es) => es.filter((e) => e._tag !== "KeyShareAnswer"))
    },
    error: negotiation("MissingExtension"),
    alert: "missing_extension"
  },
  {
    name: "and TLS 1.2 after it",
    script: { retry: { group: p256 }, edit: tls12ServerHello(new Uint8Array(32)) },
    error: negotiation("UnsupportedVersion"),
    alert: "protocol_version"
  },
  {
    name: "and no session id after it",
    script: { retry: { group: p256 }, edit: change("ServerHello", (m) => ({ ...m, sessionId: new Uint8Array(0) })) },
    error: negotiation("IllegalParameter"),
    alert: "illegal_parameter"
  }
]

const encrypted = (extensions: ReadonlyArray<Extension>): ServerScript => ({ encryptedExtensions: extensions })

const flightRows: ReadonlyArray<Row> = [
  {
    name: "an application protocol that was not offered",
    script: encrypted([{ _tag: "ApplicationProtocols", protocols: ["h3"] }]),
    error: authentication("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "two application protocols",
    script: encrypted([{ _tag: "ApplicationProtocols", protocols: ["h2", "http/1.1"] }]),
    error: authentication("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "an empty list of application protocols",
    script: encrypted([{ _tag: "ApplicationProtocols", protocols: [] }]),
    error: authentication("MalformedMessage"),
    alert: "decode_error"
  },
  {
    name: "an application protocol although none was offered",
    script: encrypted([{ _tag: "ApplicationProtocols", protocols: ["h2"] }]),
    options: { protocol: { alpn: [] } },
    error: authentication("UnsupportedExtension"),
    alert: "unsupported_extension"
  },
  {
    name: "early_data although none was offered",
    script: encrypted([{ _tag: "EarlyData" }]),
    error: authentication("UnsupportedExtension"),
    alert: "unsupported_extension"
  },
  {
    name: "a record size limit although none was offered",
    script: encrypted([{ _tag: "RecordSizeLimit", limit: 1000 }]),
    error: authentication("UnsupportedExtension"),
    alert: "unsupported_extension"
  },
  {
    name: "a record size limit of 63",
    script: encrypted([{ _tag: "RecordSizeLimit", limit: 63 }]),
    options: { protocol: { recordSizeLimit: 1000 } },
    error: authentication("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "a key share in EncryptedExtensions",
    script: encrypted([{ _tag: "KeyShareAnswer", share: { group: NamedGroup.x25519, publicKey: new Uint8Array(32) } }]),
    error: authentication("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "signature_algorithms in EncryptedExtensions",
    script: encrypted([{ _tag: "SignatureAlgorithms", schemes: [SignatureScheme.make(0x0403)] }]),
    error: authentication("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "an unknown extension in EncryptedExtensions",
    script: encrypted([unknown(0x5a5a)]),
    error: authentication("UnsupportedExtension"),
    alert: "unsupported_extension"
  },
  {
    name: "an extension twice in EncryptedExtensions",
    script: encrypted([{ _tag: "ServerNameAcknowledged" }, { _tag: "ServerNameAcknowledged" }]),
    error: authentication("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "a server_name with content",
    script: encrypted([unknown(0, Uint8Array.of(0, 0))]),
    error: authentication("MalformedMessage"),
    alert: "decode_error"
  },
  {
    name: "an empty Certificate",
    script: { edit: change("Certificate", (m) => ({ ...m, entries: [] })) },
    error: authentication("MalformedMessage"),
    alert: "decode_error"
  },
  {
    name: "a Certificate with a context",
    script: { edit: change("Certificate", (m) => ({ ...m, context: Uint8Array.of(1) })) },
    error: authentication("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "a certificate that is none",
    script: {
      edit: change("Certificate", (m) => ({ ...m, entries: [{ certificate: Uint8Array.of(1), extensions: [] }] }))
    },
    error: "CertificateError/Malformed/authentication",
    alert: "bad_certificate"
  },
  {
    name: "a certificate without bytes",
    script: {
      edit: change("Certificate", (m) => ({ ...m, entries: [{ certificate: new Uint8Array(0), extensions: [] }] }))
    },
    error: authentication("MalformedMessage"),
    alert: "decode_error"
  },
  {
    name: "a status_request in a certificate that was not asked for",
    script: {
      edit: change("Certificate", (m) => ({
        ...m,
        entries: m.entries.map((e) => ({
          ...e,
          extensions: [{ _tag: "CertificateStatus", response: Uint8Array.of(0x30) }]
        }))
      }))
    },
    error: authentication("UnsupportedExtension"),
    alert: "unsupported_extension"
  },
  {
    name: "an ALPN in a certificate",
    script: {
      edit: change("Certificate", (m) => ({
        ...m,
        entries: m.entries.map((e) => ({ ...e, extensions: [unknown(16)] }))
      }))
    },
    error: authentication("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "a wrong Finished",
    script: { edit: change("Finished", ({ verifyData }) => ({ _tag: "Finished", verifyData: flipped(verifyData) })) },
    error: authentication("BadFinished"),
    alert: "decrypt_error"
  },
  {
    name: "a short Finished",
    script: {
      edit: change("Finished", ({ verifyData }) => ({ _tag: "Finished", verifyData: verifyData.subarray(0, 31) }))
    },
    error: authentication("BadFinished"),
    alert: "decrypt_error"
  },
  {
    name: "an empty Finished",
    script: { edit: change("Finished", () => ({ _tag: "Finished", verifyData: new Uint8Array(0) })) },
    error: authentication("BadFinished"),
    alert: "decrypt_error"
  },
  {
    name: "a CertificateRequest with a context",
    script: { request: true, edit: change("CertificateRequest", (m) => ({ ...m, context: Uint8Array.of(1) })) },
    error: authentication("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "a CertificateRequest without signature_algorithms",
    script: { request: true, edit: withExtensions("CertificateRequest", () => []) },
    error: authentication("MissingExtension"),
    alert: "missing_extension"
  },
  {
    name: "a CertificateRequest with an extension twice",
    script: { request: true, edit: withExtensions("CertificateRequest", (es) => [...es, ...es]) },
    error: authentication("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "a CertificateRequest with a key share",
    script: { request: true, edit: withExtensions("CertificateRequest", (es) => [...es, unknown(51)]) },
    error: authentication("IllegalParameter"),
    alert: "illegal_parameter"
  },
  {
    name: "EndOfEarlyData",
    script: { edit: change("EncryptedExtensions", (m) => [{ _tag: "EndOfEarlyData" }, m]) },
    error: authentication("UnexpectedMessage"),
    alert: "unexpected_message"
  },
  {
    name: "a KeyUpdate before its Finished",
    script: { edit: change("Finished", (m) => [{ _tag: "KeyUpdate", request: 0 }, m]) },
    error: authentication("UnexpectedMessage"),
    alert: "unexpected_message"
  },
  {
    name: "a compressed certificate",
    script: {
      edit: change("Certificate", () => ({
        _tag: "UnknownMessage",
        type: HandshakeType.make(25),
        body: new Uint8Array(9)
      }))
    },
    error: authentication("UnexpectedMessage"),
    alert: "unexpected_message"
  }
]

const shareRows: ReadonlyArray<Row> = badShares.map(([name, group, publicKey]) => ({
  name,
  script: {
    edit: withExtensions("ServerHello", (es) =>
      es.map((e) => (e._tag === "KeyShareAnswer" ? { ...e, share: { ...e.share, publicKey } } : e))
    )
  },
  options: { protocol: { groups: [group] } },
  error: negotiation("IllegalParameter"),
  alert: "illegal_parameter"
}))

const table = (rows: ReadonlyArray<Row>) => {
  for (const { alert, error, name, options, script } of rows) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const seen = yield* play(script, options)
        assert.deepStrictEqual({ error: seen.error, alert: seen.alert }, { error, alert: `alert ${alert}` })
      })
    )
  }
}

describe("a ServerHello that is wrong", () => {
  table(helloRows)
})
describe("a HelloRetryRequest that is wrong", () => {
  table(retryRows)
})
describe("a flight that is wrong", () => {
  table(flightRows)
})
describe("a key share that is wrong", () => {
  table(shareRows)
})

// ---------------------------------------------------------------------------------------------------------------------

describe("what is right", () => {
  const fine = (name: string, script: ServerScript, options?: SecureContextOptions) =>
    it.effect(name, () =>
      Effect.gen(function* () {
        const { alert, error } = yield* play(script, options)
        assert.deepStrictEqual([error, alert], ["connected", "done"])
      })
    )
  fine("nothing but what is needed", {})
  fine("all extensions that were asked for", {
    encryptedExtensions: [
      { _tag: "ServerNameAcknowledged" },
      { _tag: "SupportedGroups", groups: [NamedGroup.make(0x2a2a), p256] },
      { _tag: "ApplicationProtocols", protocols: ["http/1.1"] }
    ]
  })
  fine("unknown extensions in a CertificateRequest", {
    request: true,
    edit: withExtensions("CertificateRequest", (es) => [unknown(0x0a0a, Uint8Array.of(1)), ...es, unknown(48)])
  })
  fine("a HelloRetryRequest for a group", { retry: { group: p256 } })
  fine("a HelloRetryRequest for a cookie", { retry: { cookie } })
  fine("a HelloRetryRequest for both", { retry: { group: p256, cookie: new Uint8Array(4000).fill(7) } })
  fine("a record size limit of 64", encrypted([{ _tag: "RecordSizeLimit", limit: 64 }]), {
    protocol: { recordSizeLimit: 16_385 }
  })
  fine("no middlebox compatibility", {}, { protocol: { middleboxCompatibility: false } })
  for (const suite of CipherSuite.registry) {
    fine(suite.name, { suite }, { protocol: { cipherSuites: allSuites } })
    fine(
      `${suite.name} after a HelloRetryRequest`,
      { suite, retry: { group: p256 } },
      {
        protocol: { cipherSuites: allSuites }
      }
    )
  }
  fine("record versions that mean nothing", {
    edit: (message, peer) =>
      message._tag === "ServerHello" ? () => scripted.plain(22, peer.hashed(message), 0x0399) : message
  })
})

describe("what the client says", () => {
  it.effect("its hello, and how the second differs from the first", () =>
    Effect.gen(function* () {
      const { peer } = yield* play({ retry: { group: p256, cookie } })
      const [first, second] = peer.messages.filter((message) => message._tag === "ClientHello")
      assert(first?._tag === "ClientHello" && second?._tag === "ClientHello")
      assert.deepStrictEqual(
        first.extensions.map(({ _tag }) => _tag),
        [
          "ServerName",
          "SupportedGroups",
          "SignatureAlgorithms",
          "ApplicationProtocols",
          "SupportedVersions",
          "KeyShareOffer"
        ]
      )
      const { extensions, ...rest } = second
      const { extensions: before, ...same } = first
      assert.deepStrictEqual(rest, same)
      assert.deepStrictEqual(
        extensions.filter(({ _tag }) => _tag !== "KeyShareOffer"),
        [...before.filter(({ _tag }) => _tag !== "KeyShareOffer"), { _tag: "Cookie", cookie }]
      )
      const offered = extensions.find((extension) => extension._tag === "KeyShareOffer")
      assert(offered?._tag === "KeyShareOffer")
      assert.deepStrictEqual(
        offered.shares.map(({ group }) => group),
        [p256]
      )
      // RFC 9846 §D.4: once, before the second flight, which here is the second hello.
      assert.strictEqual(peer.changeCipherSpecs, 1)
    })
  )

  it.effect("a ChangeCipherSpec before its second flight, and a session id", () =>
    Effect.gen(function* () {
      const { peer, serverExit } = yield* play({})
      assert(Exit.isSuccess(serverExit))
      assert.strictEqual(peer.changeCipherSpecs, 1)
      assert.lengthOf(serverExit.value.hello.sessionId, 32)
    })
  )

  it.effect("no ChangeCipherSpec and no session id without middlebox compatibility", () =>
    Effect.gen(function* () {
      const { peer, serverExit } = yield* play({}, { protocol: { middleboxCompatibility: false } })
      assert(Exit.isSuccess(serverExit))
      assert.strictEqual(peer.changeCipherSpecs, 0)
      assert.lengthOf(serverExit.value.hello.sessionId, 0)
    })
  )

  it.effect("an address is never sent as a name", () =>
    Effect.gen(function* () {
      const context = yield* harness.context()
      const { client, script } = yield* harness.clientAgainst(context, (peer) => scripts.playServer(peer), {
        serverName: "192.0.2.1"
      })
      yield* Fiber.join(client)
      const { hello } = yield* Fiber.join(script)
      assert.isUndefined(hello.extensions.find(({ _tag }) => _tag === "ServerName"))
    }).pipe(Effect.scoped, Effect.provide(harness.layer))
  )
})

// ---------------------------------------------------------------------------------------------------------------------
// Order
// ---------------------------------------------------------------------------------------------------------------------

const phaseAt = (i: number) => (i === 0 ? "negotiation" : "authentication")

/** What a client may be told, in order. */
const isDue = (said: ReadonlyArray<Tag>, tag: Tag): boolean => {
  switch (said[said.length - 1]) {
    case undefined:
      return tag === "ServerHello"
    case "ServerHello":
      return tag === "EncryptedExtensions"
    case "EncryptedExtensions":
      return tag === "CertificateRequest" || tag === "Certificate"
    case "CertificateRequest":
      return tag === "Certificate"
    case "Certificate":
      return tag === "CertificateVerify"
    case "CertificateVerify":
      return tag === "Finished"
    default:
      return false
  }
}

const flight: ReadonlyArray<Tag> = [
  "ServerHello",
  "EncryptedExtensions",
  "CertificateRequest",
  "Certificate",
  "CertificateVerify",
  "Finished"
]

describe("a flight whose messages are right but for their order", () => {
  const expectPredicted = (what: string, tags: ReadonlyArray<Tag>, edit: Edit) =>
    Effect.gen(function* () {
      const [error, alert] = predict(tags, isDue, (said) => phaseAt(said.length))
      const seen = yield* play({ request: true, edit })
      assert.deepStrictEqual([what, seen.error, alert === "any" ? alert : seen.alert], [what, error, alert])
    })

  it.effect("each message left out", () =>
    Effect.forEach(flight, (left) =>
      expectPredicted(
        `without ${left}`,
        flight.filter((tag) => tag !== left),
        (message) => (message._tag === left ? [] : message)
      )
    )
  )

  it.effect("each message twice", () =>
    Effect.forEach(flight, (twice) =>
      expectPredicted(
        `${twice} twice`,
        flight.flatMap((tag) => (tag === twice ? [tag, tag] : [tag])),
        (message) =>
          // The client has its keys after the first ServerHello, so the second is no part of their transcript.
          message._tag === "ServerHello" && twice === "ServerHello"
            ? [message, () => scripted.plain(22, HandshakeMessage.encode(message))]
            : message._tag === twice
              ? [message, message]
              : message
      )
    )
  )

  it.effect("each two messages swapped", () =>
    Effect.forEach(flight.slice(1), (later, i) => {
      const earlier = flight[i]!
      let held: HandshakeMessage.HandshakeMessage | undefined
      return expectPredicted(
        `${later} before ${earlier}`,
        [...flight.slice(0, i), later, earlier, ...flight.slice(i + 2)],
        (message) => {
          if (message._tag === earlier) {
            held = message
            return []
          }
          return message._tag === later ? [message, held!] : message
        }
      )
    })
  )

  it.effect("each message replaced by each other one", () =>
    Effect.forEach(flight, (due, i) =>
      Effect.forEach(
        strangers.filter(({ _tag }) => _tag !== due),
        (stranger) =>
          expectPredicted(
            `${stranger._tag} for ${due}`,
            flight.map((tag, j) => (i === j ? stranger._tag : tag)),
            (message) => (message._tag === due ? stranger : message)
          )
      )
    )
  )

  it.effect("each message preceded by each other one", () =>
    Effect.forEach(flight, (due, i) =>
      Effect.forEach(
        strangers.filter(({ _tag }) => _tag !== due),
        (stranger) =>
          expectPredicted(
            `${stranger._tag} before ${due}`,
            [...flight.slice(0, i), stranger._tag, ...flight.slice(i)],
            (message) => (message._tag === due ? [stranger, message] : message)
          )
      )
    )
  )
})

// ---------------------------------------------------------------------------------------------------------------------
// A server that stops
// ---------------------------------------------------------------------------------------------------------------------

/** Everything of the flight before its message number `i`, then something else, then nothing. */
const stopsAt =
  (i: number, ...last: ReadonlyArray<Item>): Edit =>
  (message) => {
    const at = flight.indexOf(message._tag)
    return at < i ? message : at === i ? last : []
  }

describe("a server that stops in its flight", () => {
  it.effect("is given up at the deadline, and not before", () =>
    Effect.forEach(flight, (_, i) =>
      Effect.gen(function* () {
        yield* TestClock.setTime(harness.now)
        const context = yield* harness.context({ protocol: { handshakeTimeout: "3 seconds" } })
        const { client, script } = yield* harness.clientAgainst(
          context,
          (peer) =>
            Effect.flip(scripts.playServer(peer, { request: true, edit: stopsAt(i) })).pipe(
              Effect.zipLeft(peer.ending),
              Effect.map((first) => [first, ...peer.warnings])
            ),
          { serverName: "localhost" }
        )
        yield* TestClock.adjust("2999 millis")
        assert.isTrue(Option.isNone(yield* harness.settle(client, 50)))
        yield* TestClock.adjust("1 millis")
        const error = harness.errorOf(yield* Fiber.await(client))
        assert.strictEqual(harness.label(error), `TlsTimeoutError/Handshake/${phaseAt(i)}`)
        assert(error._tag === "TlsTimeoutError")
        assert.strictEqual(error.duration, 3000)
        const [alert, ...more] = yield* Fiber.join(script)
        // RFC 9846 §6.1: user_canceled is followed by close_notify.
        assert(alert instanceof scripted.PeerAlert)
        assert.deepStrictEqual([alert.name, alert.level, alert.isProtected], ["user_canceled", 1, i > 0])
        assert.deepStrictEqual(more, ["close_notify"])
      }).pipe(Effect.scoped, Effect.provide(harness.layer))
    )
  )

  const alerts: ReadonlyArray<readonly [sent: number, level: number, seen: string]> = [
    [40, 2, "handshake_failure"],
    // The level says nothing.
    [40, 1, "handshake_failure"],
    [80, 2, "internal_error"],
    [200, 1, "alert 200"],
    [0, 1, "close_notify"]
  ]
  it.effect("with an alert is one that gave up", () =>
    Effect.forEach(flight, (_, i) =>
      Effect.forEach(alerts, ([sent, level, expected]) =>
        Effect.gen(function* () {
          const { error, alert } = yield* play({
            request: true,
            edit: stopsAt(i, (peer) => peer.record(21, Uint8Array.of(level, sent)))
          })
          // Nobody answers an alert with an alert.
          assert.deepStrictEqual([error, alert], [`AlertError/${expected}/${phaseAt(i)}`, "gone end"])
        })
      )
    )
  )

  it.effect("with user_canceled and close_notify is one that was told to", () =>
    Effect.forEach(flight, (_, i) =>
      Effect.gen(function* () {
        const { error, alert } = yield* play({
          request: true,
          edit: stopsAt(
            i,
            (peer) => peer.alert("user_canceled"),
            (peer) => peer.alert("close_notify")
          )
        })
        assert.deepStrictEqual([error, alert], [`AlertError/user_canceled/${phaseAt(i)}`, "gone end"])
      })
    )
  )

  it.effect("may warn that it gives up and go on all the same, but not too often", () =>
    Effect.gen(function* () {
      const warns =
        (times: number): Edit =>
        (message, peer) =>
          message._tag === "Certificate"
            ? [...Array.from({ length: times }, () => () => peer.alert("user_canceled")), message]
            : message
      assert.strictEqual((yield* play({ edit: warns(4) })).error, "connected")
      assert.strictEqual((yield* play({ edit: warns(5) })).error, "AlertError/user_canceled/authentication")
      const bound = { protocol: { limits: { warnings: 1 } } }
      assert.strictEqual((yield* play({ edit: warns(1) }, bound)).error, "connected")
      assert.strictEqual((yield* play({ edit: warns(2) }, bound)).error, "AlertError/user_canceled/authentication")
    })
  )

  it.effect("with an alert in the clear after its keys are set is heard, until something came under the keys", () =>
    Effect.gen(function* () {
      const clear = (name: "handshake_failure") => () => scripted.plain(21, scripted.alertBytes(name))
      assert.strictEqual(
        (yield* play({ edit: change("EncryptedExtensions", () => clear("handshake_failure")) })).error,
        "AlertError/handshake_failure/authentication"
      )
      assert.strictEqual(
        (yield* play({ edit: change("Certificate", () => clear("handshake_failure")) })).error,
        "HandshakeError/UnexpectedMessage/authentication"
      )
    })
  )
})

// ---------------------------------------------------------------------------------------------------------------------
// Any two policies
// ---------------------------------------------------------------------------------------------------------------------

describe("two policies at random", () => {
  const keys = {
    ecdsa_secp256r1_sha256: identities.server,
    ecdsa_secp384r1_sha384: identities.makeSync({ key: { _tag: "Ec", curve: "P-384" } }),
    ed25519: identities.makeSync({ key: { _tag: "Ed25519" } })
  } as const
  type Scheme = keyof typeof keys
  interface Policy {
    readonly cipherSuites: ReadonlyArray<CipherSuite.CipherSuiteName>
    readonly groups: ReadonlyArray<NamedGroup.NamedGroupName>
    readonly keyShares: ReadonlyArray<NamedGroup.NamedGroupName>
    readonly signatureSchemes: ReadonlyArray<Scheme>
    readonly alpn: ReadonlyArray<string>
    readonly identities: ReadonlyArray<Scheme>
  }
  const pick = <A>(all: ReadonlyArray<A>, below: (n: number) => number, least = 1): ReadonlyArray<A> => {
    const shuffled = all.map((value) => ({ value, at: below(1e9) })).sort((a, b) => a.at - b.at)
    return shuffled.slice(0, least + below(all.length + 1 - least)).map(({ value }) => value)
  }
  const policy = (below: (n: number) => number): Policy => {
    const groups = pick(["x25519", "secp256r1", "secp384r1", "x448"] as const, below)
    const signatureSchemes = pick(Object.keys(keys) as ReadonlyArray<Scheme>, below)
    return {
      cipherSuites: pick(allSuites, below),
      groups,
      keyShares: pick(groups, below),
      signatureSchemes,
      alpn: pick(["h2", "http/1.1", "x"], below, 0),
      // An identity that signs with none of the schemes is refused before.
      identities: pick(signatureSchemes, below)
    }
  }

  /** What RFC 9846 and the server's preferences make of it. */
  const oracle = (client: Policy, server: Policy): string => {
    const suite = server.cipherSuites.find((name) => client.cipherSuites.includes(name))
    if (suite === undefined) return "NoSharedCipherSuite"
    const shared = server.groups.filter((name) => client.groups.includes(name))
    const group = shared.find((name) => client.keyShares.includes(name)) ?? shared[0]
    if (group === undefined) return "NoSharedGroup"
    const both = client.alpn.length > 0 && server.alpn.length > 0
    const protocol = both ? server.alpn.find((name) => client.alpn.includes(name)) : "-"
    if (protocol === undefined) return "NoApplicationProtocol"
    const usable = new Set(client.signatureSchemes.filter((name) => server.signatureSchemes.includes(name)))
    const scheme = server.identities.find((name) => usable.has(name))
    if (scheme === undefined) return "NoSharedSignatureScheme"
    return `${suite} ${group} ${protocol} ${scheme}${client.keyShares.includes(group) ? "" : " retried"}`
  }

  for (let batch = 0; batch < 4; batch++) {
    it.scoped(`what comes of them is as predicted, ${batch}`, () =>
      Effect.gen(function* () {
        const seen = new Set<string>()
        for (let i = 0; i < 50; i++) {
          const below = harness.random(batch * 1000 + i)
          const [ours, theirs] = [policy(below), policy(below)]
          const options = ({ identities: own, ...protocol }: Policy): SecureContextOptions =>
            ({ protocol, identity: own.map((name) => keys[name].options) }) as unknown as SecureContextOptions
          const [near, far] = yield* MemoryTransport.pair()
          const server = yield* Effect.fork(TlsServer.over(far, { context: yield* harness.context(options(theirs)) }))
          const client = yield* Effect.exit(TlsClient.over(near, { context: yield* harness.context(options(ours)) }))
          const exit = yield* Fiber.await(server)
          const expected = oracle(ours, theirs)
          seen.add(expected.split(" ")[0]!)
          if (Exit.isSuccess(client) && Exit.isSuccess(exit)) {
            for (const { info } of [client.value, exit.value]) {
              const protocol = Option.getOrElse(info.alpn, () => "-")
              const retried = info.helloRetryRequest ? " retried" : ""
              assert.strictEqual(
                `${info.cipherSuite} ${info.group} ${protocol} ${info.signatureScheme}${retried}`,
                expected,
                JSON.stringify([ours, theirs])
              )
            }
          } else {
            assert.strictEqual(harness.labelOf(exit), negotiation(expected), JSON.stringify([ours, theirs]))
            const alert = expected === "NoApplicationProtocol" ? "no_application_protocol" : "handshake_failure"
            assert.strictEqual(harness.labelOf(client), `AlertError/${alert}/negotiation`)
          }
        }
        // The samples are of all kinds.
        assert.isAbove(seen.size, 4)
      }).pipe(Effect.provide(harness.layer))
    )
  }
})
