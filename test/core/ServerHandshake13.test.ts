/** The server against clients that are wrong in one thing: which error it is, and which alert the client is sent. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import type { SecureContextOptions } from "../../src/core/SecureContextOptions.ts"
import * as CipherSuite from "../../src/schema/CipherSuite.ts"
import type { Extension } from "../../src/schema/Extension.ts"
import * as Extensions from "../../src/schema/Extension.ts"
import type { ClientHello, HandshakeMessage } from "../../src/schema/HandshakeMessage.ts"
import * as HandshakeMessages from "../../src/schema/HandshakeMessage.ts"
import * as HandshakeType from "../../src/schema/HandshakeType.ts"
import * as NamedGroup from "../../src/schema/NamedGroup.ts"
import * as ProtocolVersion from "../../src/schema/ProtocolVersion.ts"
import * as SignatureScheme from "../../src/schema/SignatureScheme.ts"
import type { Tag } from "../support/edits.ts"
import { badShares, change, flipped, lengthened, predict, strangers, unknown } from "../support/edits.ts"
import * as harness from "../support/harness.ts"
import * as identities from "../support/identities.ts"
import type { Item, ScriptedPeer } from "../support/ScriptedPeer.ts"
import * as scripted from "../support/ScriptedPeer.ts"
import type { ClientScript, Edit } from "../support/scripts.ts"
import * as scripts from "../support/scripts.ts"

const noBytes = new Uint8Array(0)
const { secp256r1: p256, x25519 } = NamedGroup

/** Runs a real server against the script, to the end of both. */
const play = (script: ClientScript, options: SecureContextOptions = {}) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(harness.now)
    const context = yield* harness.serverContext({
      ...options,
      protocol: { alpn: ["h2", "http/1.1"], ...options.protocol }
    })
    const {
      peer,
      script: client,
      server
    } = yield* harness.serverAgainst(context, (scriptedClient) => scripts.playClient(scriptedClient, script))
    const serverExit = yield* harness.finish(server)
    const clientExit = yield* harness.finish(client)
    // A client may be through with its handshake when the alert comes.
    const last = Exit.isFailure(serverExit) ? yield* peer.ending : "nothing"
    const alert =
      Exit.isFailure(clientExit) || Exit.isSuccess(serverExit)
        ? harness.endingOf(clientExit)
        : peer.warnings.length > 0
          ? `alert ${peer.warnings[0]}`
          : `gone ${last}`
    return { clientExit, serverExit, error: harness.labelOf(serverExit), alert, peer }
  }).pipe(Effect.scoped, Effect.provide(harness.layer))

interface Row {
  readonly name: string
  readonly script: ClientScript
  readonly options?: SecureContextOptions
  /** `Tag/reason/phase` */
  readonly error: string
  /** What the client sees; by default an alert that it reads before its handshake is over. */
  readonly alert: string
}

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

const negotiation = (reason: string) => `HandshakeError/${reason}/negotiation`
const authentication = (reason: string) => `HandshakeError/${reason}/authentication`

const hello = (to: (hello: ClientHello) => ClientHello | Uint8Array): ClientScript => ({ hello: to })

const helloExtensions = (to: (extensions: ReadonlyArray<Extension>) => ReadonlyArray<Extension>): ClientScript =>
  hello((message) => ({ ...message, extensions: to(message.extensions) }))

const without = (tag: Extension["_tag"]): ClientScript =>
  helloExtensions((extensions) => extensions.filter((extension) => extension._tag !== tag))

const instead = (...replacements: ReadonlyArray<Extension>): ClientScript =>
  helloExtensions((extensions) =>
    extensions.map((extension) => replacements.find(({ _tag }) => _tag === extension._tag) ?? extension)
  )

const binder = new Uint8Array(32)
const psk: Extension = {
  _tag: "PreSharedKeyOffer",
  identities: [{ identity: Uint8Array.of(1, 2), obfuscatedTicketAge: 3 }],
  binders: [binder]
}
const pskModes: Extension = { _tag: "PskKeyExchangeModes", modes: [1] }

const name = (...names: ReadonlyArray<string>): ClientScript => ({
  extensions: [{ _tag: "ServerName", names: names.map((one) => ({ type: 0, name: harness.bytes(one) })) }]
})

describe("a ClientHello that is wrong", () => {
  table([
    {
      name: "without supported_versions",
      script: without("SupportedVersions"),
      error: negotiation("UnsupportedVersion"),
      alert: "protocol_version"
    },
    {
      name: "without extensions",
      script: helloExtensions(() => []),
      error: negotiation("UnsupportedVersion"),
      alert: "protocol_version"
    },
    {
      name: "of TLS 1.2 and older",
      script: instead({ _tag: "SupportedVersions", versions: [ProtocolVersion.tls12, ProtocolVersion.make(0x0302)] }),
      error: negotiation("UnsupportedVersion"),
      alert: "protocol_version"
    },
    {
      name: "of versions that nobody knows",
      script: instead({ _tag: "SupportedVersions", versions: [ProtocolVersion.make(0x7a7a)] }),
      error: negotiation("UnsupportedVersion"),
      alert: "protocol_version"
    },
    ...[0x0300, 0x0301, 0x0302, 0x0304, 0x7f1c].map((version): Row => ({
      name: `with the legacy_version 0x${version.toString(16)}`,
      // RFC 9846 §4.1.2, unlike RFC 8446.
      script: hello((message) => ({ ...message, legacyVersion: ProtocolVersion.make(version) })),
      error: negotiation("UnsupportedVersion"),
      alert: "protocol_version"
    })),
    ...[Uint8Array.of(1), Uint8Array.of(0, 1), Uint8Array.of(1, 0), Uint8Array.of(0, 0)].map(
      (compressionMethods): Row => ({
        name: `with the compression methods ${compressionMethods.join(", ")}`,
        script: hello((message) => ({ ...message, compressionMethods })),
        error: negotiation("IllegalParameter"),
        alert: "illegal_parameter"
      })
    ),
    {
      name: "without compression methods",
      script: hello((message) => ({ ...message, compressionMethods: noBytes })),
      error: negotiation("MalformedMessage"),
      alert: "decode_error"
    },
    {
      name: "without cipher suites",
      script: { suites: [] },
      error: negotiation("MalformedMessage"),
      alert: "decode_error"
    },
    {
      name: "with a session id of 33 bytes",
      script: hello((message) => ({ ...message, sessionId: new Uint8Array(33) })),
      error: negotiation("MalformedMessage"),
      alert: "decode_error"
    },
    {
      name: "with a byte too much",
      script: hello((message) => lengthened(HandshakeMessages.encode(message))),
      error: negotiation("MalformedMessage"),
      alert: "decode_error"
    },
    ...(["SupportedGroups", "KeyShareOffer", "SignatureAlgorithms"] as const).map((tag): Row => ({
      name: `without ${tag}`,
      script: without(tag),
      error: negotiation("MissingExtension"),
      alert: "missing_extension"
    })),
    {
      name: "with an extension twice",
      script: helloExtensions((extensions) => [...extensions, extensions[0]!]),
      error: negotiation("IllegalParameter"),
      alert: "illegal_parameter"
    },
    {
      name: "with an unknown extension twice",
      script: { extensions: [unknown(0x1234), unknown(0x1234)] },
      error: negotiation("IllegalParameter"),
      alert: "illegal_parameter"
    },
    {
      name: "with an extension of CertificateRequests",
      script: { extensions: [unknown(48)] },
      error: negotiation("IllegalParameter"),
      alert: "illegal_parameter"
    },
    {
      name: "with 65 extensions",
      script: { extensions: Array.from({ length: 61 }, (_, i) => unknown(0x1000 + i)) },
      error: negotiation("IllegalParameter"),
      alert: "illegal_parameter"
    },
    {
      name: "with more extensions than a limit of ours",
      script: { extensions: [unknown(0x1000)] },
      options: { protocol: { limits: { extensions: 4 } } },
      error: negotiation("IllegalParameter"),
      alert: "illegal_parameter"
    },
    {
      name: "with an extension that is longer than it says",
      script: { extensions: [unknown(28, Uint8Array.of(1, 0, 0))] },
      error: negotiation("MalformedMessage"),
      alert: "decode_error"
    },
    {
      name: "with a record size limit of 63",
      script: { extensions: [{ _tag: "RecordSizeLimit", limit: 63 }] },
      error: negotiation("IllegalParameter"),
      alert: "illegal_parameter"
    },
    {
      name: "with two key shares of a group",
      script: { shares: [x25519, x25519] },
      error: negotiation("IllegalParameter"),
      alert: "illegal_parameter"
    },
    {
      name: "with a key share of a group that it does not list",
      script: { groups: [x25519], shares: [x25519, p256] },
      error: negotiation("IllegalParameter"),
      alert: "illegal_parameter"
    },
    {
      name: "with an empty key share",
      script: instead({ _tag: "KeyShareOffer", shares: [{ group: x25519, publicKey: noBytes }] }),
      error: negotiation("MalformedMessage"),
      alert: "decode_error"
    },
    ...badShares.map(([what, group, publicKey]): Row => ({
      name: `with ${what}`,
      script: {
        ...instead({ _tag: "KeyShareOffer", shares: [{ group: NamedGroup.fromName(group)!.code, publicKey }] }),
        groups: [NamedGroup.fromName(group)!.code]
      },
      options: { protocol: { groups: [group] } },
      error: negotiation("IllegalParameter"),
      alert: "illegal_parameter"
    })),
    {
      name: "with a PSK that is not its last extension",
      script: { extensions: [pskModes, psk, unknown(0x1000)] },
      error: negotiation("IllegalParameter"),
      alert: "illegal_parameter"
    },
    {
      name: "with a PSK and no modes",
      script: { extensions: [psk] },
      error: negotiation("MissingExtension"),
      alert: "missing_extension"
    },
    {
      name: "with more binders than PSKs",
      script: { extensions: [pskModes, { ...psk, binders: [binder, binder] }] },
      error: negotiation("IllegalParameter"),
      alert: "illegal_parameter"
    },
    {
      name: "with more PSKs than binders",
      script: { extensions: [pskModes, { ...psk, identities: [psk.identities[0]!, psk.identities[0]!] }] },
      error: negotiation("IllegalParameter"),
      alert: "illegal_parameter"
    },
    {
      name: "with a binder of 31 bytes",
      script: { extensions: [pskModes, { ...psk, binders: [new Uint8Array(31)] }] },
      error: negotiation("MalformedMessage"),
      alert: "decode_error"
    },
    {
      name: "with a PSK without identity",
      script: { extensions: [pskModes, { ...psk, identities: [{ identity: noBytes, obfuscatedTicketAge: 0 }] }] },
      error: negotiation("MalformedMessage"),
      alert: "decode_error"
    },
    {
      name: "with empty PSK modes",
      script: { extensions: [{ _tag: "PskKeyExchangeModes", modes: [] }] },
      error: negotiation("MalformedMessage"),
      alert: "decode_error"
    },
    {
      name: "with two names",
      script: name("a.example", "b.example"),
      error: negotiation("IllegalParameter"),
      alert: "illegal_parameter"
    },
    {
      name: "with an empty list of names",
      script: name(),
      error: negotiation("MalformedMessage"),
      alert: "decode_error"
    },
    {
      name: "with an empty name",
      script: name(""),
      error: negotiation("MalformedMessage"),
      alert: "decode_error"
    },
    ...["a..b", "-a.example", "a\0.example", "ä.example", "a example", "a".repeat(64), "1.2.3.4.5"].map(
      (wrong): Row => ({
        name: `with the name ${JSON.stringify(wrong)}`,
        script: name(wrong),
        error: negotiation("UnrecognizedName"),
        alert: "unrecognized_name"
      })
    )
  ])
})

describe("a ClientHello that shares nothing with the server", () => {
  table([
    {
      name: "no cipher suite",
      script: { suites: [CipherSuite.make(0x1304), CipherSuite.make(0xc02f), CipherSuite.make(0x00ff)] },
      error: negotiation("NoSharedCipherSuite"),
      alert: "handshake_failure"
    },
    {
      name: "no group",
      script: { groups: [NamedGroup.x448, NamedGroup.make(0x0100)], shares: [NamedGroup.x448] },
      options: { protocol: { groups: ["x25519"] } },
      error: negotiation("NoSharedGroup"),
      alert: "handshake_failure"
    },
    {
      name: "no signature scheme",
      script: instead({ _tag: "SignatureAlgorithms", schemes: [SignatureScheme.make(0x0804)] }),
      error: negotiation("NoSharedSignatureScheme"),
      alert: "handshake_failure"
    },
    {
      name: "only a scheme for certificates",
      script: instead({ _tag: "SignatureAlgorithms", schemes: [SignatureScheme.make(0x0401)] }),
      error: negotiation("NoSharedSignatureScheme"),
      alert: "handshake_failure"
    },
    {
      name: "no application protocol",
      script: { extensions: [{ _tag: "ApplicationProtocols", protocols: ["h3", "H2"] }] },
      error: negotiation("NoApplicationProtocol"),
      alert: "no_application_protocol"
    },
    {
      name: "a name that the resolver has nothing for",
      script: { serverName: "other.example" },
      options: { resolveIdentity: () => Effect.succeed([]) },
      error: negotiation("UnrecognizedName"),
      alert: "unrecognized_name"
    },
    {
      name: "no name, and the resolver has nothing for that",
      script: {},
      options: { resolveIdentity: () => Effect.succeed([]) },
      error: negotiation("MissingExtension"),
      alert: "missing_extension"
    }
  ])
})

// ---------------------------------------------------------------------------------------------------------------------
// HelloRetryRequest
// ---------------------------------------------------------------------------------------------------------------------

const retrying: ClientScript = {
  groups: [x25519, p256],
  serverName: "example.org",
  extensions: [{ _tag: "ApplicationProtocols", protocols: ["h2"] }]
}
const retryingServer: SecureContextOptions = { protocol: { groups: ["secp256r1"] } }
const withCookie: SecureContextOptions = { protocol: { groups: ["secp256r1"], helloRetryCookie: true } }

const second = (to: (hello: ClientHello) => ClientHello): ClientScript => ({ ...retrying, secondHello: to })
const secondExtensions = (to: (extension: Extension) => ReadonlyArray<Extension>): ClientScript =>
  second((message) => ({ ...message, extensions: message.extensions.flatMap(to) }))
const secondInstead = (replacement: Extension): ClientScript =>
  secondExtensions((extension) => [extension._tag === replacement._tag ? replacement : extension])

describe("a second ClientHello that is wrong", () => {
  const illegal = (what: string, script: ClientScript, options = retryingServer): Row => ({
    name: what,
    script,
    options,
    error: negotiation("IllegalParameter"),
    alert: "illegal_parameter"
  })
  const share = (shares: Extensions.KeyShareOffer["shares"]) => secondInstead({ _tag: "KeyShareOffer", shares })
  const point = Uint8Array.of(4, ...new Uint8Array(64).fill(1))
  table([
    illegal(
      "another random",
      second((m) => ({ ...m, random: new Uint8Array(32) }))
    ),
    illegal(
      "another session id",
      second((m) => ({ ...m, sessionId: noBytes }))
    ),
    illegal("a cipher suite less", {
      ...second((m) => ({ ...m, cipherSuites: m.cipherSuites.slice(1) })),
      suites: [0x1303, 0x1301].map(CipherSuite.make)
    }),
    illegal("cipher suites in another order", {
      ...second((m) => ({ ...m, cipherSuites: [...m.cipherSuites].reverse() })),
      suites: [0x1303, 0x1301].map(CipherSuite.make)
    }),
    illegal(
      "compression",
      second((m) => ({ ...m, compressionMethods: Uint8Array.of(1) }))
    ),
    illegal("no key share", share([])),
    illegal("a key share of another group", share([{ group: x25519, publicKey: new Uint8Array(32).fill(9) }])),
    illegal(
      "a key share more than was asked for",
      secondExtensions((extension) =>
        extension._tag === "KeyShareOffer"
          ? [{ ...extension, shares: [...extension.shares, { group: x25519, publicKey: new Uint8Array(32).fill(9) }] }]
          : [extension]
      )
    ),
    illegal("a key share off the curve", share([{ group: p256, publicKey: point }])),
    illegal(
      "early_data again",
      second((m) => ({ ...m, extensions: [...m.extensions, { _tag: "EarlyData" }] }))
    ),
    illegal(
      "no cookie",
      secondExtensions((extension) => (extension._tag === "Cookie" ? [] : [extension])),
      withCookie
    ),
    illegal("another cookie", secondInstead({ _tag: "Cookie", cookie: new Uint8Array(32) }), withCookie),
    illegal("a short cookie", secondInstead({ _tag: "Cookie", cookie: Uint8Array.of(1) }), withCookie),
    // RFC 9846 §4.1.2: the same hello but for what the retry is about.
    illegal(
      "another name",
      secondInstead({ _tag: "ServerName", names: [{ type: 0, name: harness.bytes("localhost") }] })
    ),
    illegal(
      "no name any more",
      secondExtensions((extension) => (extension._tag === "ServerName" ? [] : [extension]))
    ),
    illegal("other application protocols", secondInstead({ _tag: "ApplicationProtocols", protocols: ["http/1.1"] })),
    illegal("other groups", secondInstead({ _tag: "SupportedGroups", groups: [p256] })),
    illegal(
      "other signature schemes",
      secondInstead({ _tag: "SignatureAlgorithms", schemes: [SignatureScheme.make(0x0403)] })
    ),
    illegal(
      "other versions",
      secondInstead({ _tag: "SupportedVersions", versions: [ProtocolVersion.tls13, ProtocolVersion.tls12] })
    ),
    illegal(
      "a record size limit that was not there",
      second((m) => ({ ...m, extensions: [...m.extensions, { _tag: "RecordSizeLimit", limit: 100 }] }))
    )
  ])

  it.effect("what may change, may", () =>
    Effect.gen(function* () {
      const padded = yield* play(
        {
          ...second((m) => ({ ...m, extensions: [...m.extensions.slice(0, -1), unknown(21, new Uint8Array(9)), psk] })),
          extensions: [...retrying.extensions!, pskModes, { _tag: "EarlyData" }, psk]
        },
        retryingServer
      )
      assert.deepStrictEqual([padded.error, padded.alert], ["connected", "done"])
    })
  )

  it.effect("the order of the extensions may change too, as wolfSSL changes it", () =>
    Effect.gen(function* () {
      const reordered = yield* play(
        second((m) => ({ ...m, extensions: [...m.extensions].reverse() })),
        retryingServer
      )
      assert.deepStrictEqual([reordered.error, reordered.alert], ["connected", "done"])
    })
  )

  it.effect("with the cookie that was given it is right", () =>
    Effect.gen(function* () {
      const { clientExit, error } = yield* play(retrying, withCookie)
      assert.strictEqual(error, "connected")
      assert(Exit.isSuccess(clientExit))
      const cookie = Extensions.find(clientExit.value.retry!.extensions, "Cookie")
      assert.isAtLeast(cookie!.cookie.length, 16)
    })
  )
})

// ---------------------------------------------------------------------------------------------------------------------
// Early data
// ---------------------------------------------------------------------------------------------------------------------

/** A record that claims to be protected, under keys that nobody has. */
const earlyRecord = (length: number) => (): Uint8Array =>
  scripted.plain(
    23,
    Uint8Array.from({ length }, (_, i) => i * 7)
  )

const early = (...records: ReadonlyArray<() => Uint8Array>): ClientScript => ({
  extensions: [pskModes, { _tag: "EarlyData" }, psk],
  afterHello: records
})

describe("early data that is not accepted", () => {
  const skipped = (what: string, script: ClientScript, options?: SecureContextOptions) =>
    it.effect(`is skipped: ${what}`, () =>
      Effect.gen(function* () {
        const { error, alert } = yield* play(script, options)
        assert.deepStrictEqual([error, alert], ["connected", "done"])
      })
    )
  skipped("one record", early(earlyRecord(100)))
  skipped("none", early())
  skipped(
    "several, with a ChangeCipherSpec before",
    early(() => scripted.changeCipherSpec, earlyRecord(17), earlyRecord(500))
  )
  skipped("up to the bound", early(earlyRecord(16_379), earlyRecord(1019)))
  skipped("a record longer than one without protection may be", early(earlyRecord(16_384 + 200)), {
    protocol: { limits: { rejectedEarlyData: 20_000 } }
  })
  skipped(
    "before a HelloRetryRequest is answered",
    { ...early(earlyRecord(100), earlyRecord(3)), groups: [x25519, p256] },
    retryingServer
  )

  table([
    {
      name: "but not past the bound",
      script: early(earlyRecord(16_379), earlyRecord(1020)),
      error: authentication("BadRecord"),
      alert: "bad_record_mac"
    },
    {
      name: "but not past the bound in several records",
      script: early(...Array.from({ length: 18 }, () => earlyRecord(1000))),
      error: authentication("BadRecord"),
      alert: "bad_record_mac"
    },
    {
      name: "but not past a bound of ours",
      script: early(earlyRecord(96)),
      options: { protocol: { limits: { rejectedEarlyData: 100 } } },
      error: authentication("BadRecord"),
      alert: "bad_record_mac"
    },
    {
      name: "but not past the bound before a HelloRetryRequest is answered",
      script: { ...early(earlyRecord(16_379), earlyRecord(1020)), groups: [x25519, p256] },
      options: retryingServer,
      error: negotiation("UnexpectedMessage"),
      alert: "unexpected_message"
    },
    {
      name: "but not after the second hello",
      script: { ...early(), afterSecondHello: [earlyRecord(100)], groups: [x25519, p256] },
      options: retryingServer,
      error: authentication("BadRecord"),
      alert: "bad_record_mac"
    },
    {
      name: "but not when it was not announced",
      script: { afterHello: [earlyRecord(100)] },
      error: authentication("BadRecord"),
      alert: "bad_record_mac"
    },
    {
      name: "but not when it was not announced, before a HelloRetryRequest is answered",
      script: { ...retrying, afterHello: [earlyRecord(100)] },
      options: retryingServer,
      error: negotiation("UnexpectedMessage"),
      alert: "unexpected_message"
    },
    {
      name: "but not after a record that opened",
      script: {
        ...early(),
        identity: identities.client,
        edit: change("CertificateVerify", (message) => [earlyRecord(100), message])
      },
      options: { trust: { clientAuthentication: "request" } },
      error: authentication("BadRecord"),
      alert: "bad_record_mac"
    }
  ])
})

// ---------------------------------------------------------------------------------------------------------------------
// What is right
// ---------------------------------------------------------------------------------------------------------------------

describe("what is right", () => {
  const fine = (what: string, script: ClientScript, options?: SecureContextOptions) =>
    it.effect(what, () =>
      Effect.gen(function* () {
        const { alert, error } = yield* play(script, options)
        assert.deepStrictEqual([error, alert], ["connected", "done"])
      })
    )
  fine("nothing but what is needed", {})
  fine(
    "no session id",
    hello((message) => ({ ...message, sessionId: noBytes }))
  )
  fine("an empty list of key shares", { groups: [x25519], shares: [] })
  fine("a PSK that nobody knows", { extensions: [pskModes, psk] })
  fine("a PSK for which nothing else would be needed", { extensions: [{ ...pskModes, modes: [0] }, psk] })
  fine("an address as name", name("192.0.2.1"))
  fine("a name with a dot at its end", name("example.org."))
  fine("a name in capitals", name("EXAMPLE.org"))
  fine("a name of an unknown kind", {
    extensions: [{ _tag: "ServerName", names: [{ type: 7, name: Uint8Array.of(0) }] }]
  })
  fine("a cookie that nobody gave", { extensions: [{ _tag: "Cookie", cookie: Uint8Array.of(1) }] })
  fine("a record size limit beyond the largest record", { extensions: [{ _tag: "RecordSizeLimit", limit: 0xffff }] })
  fine("extensions of TLS 1.2", {
    extensions: [
      unknown(11, Uint8Array.of(1, 0)),
      unknown(23),
      unknown(35),
      unknown(0xff01, Uint8Array.of(0)),
      unknown(22)
    ]
  })
  fine("64 extensions", { extensions: Array.from({ length: 60 }, (_, i) => unknown(0x1000 + i)) })
  fine("GREASE everywhere (RFC 8701)", {
    suites: [0x0a0a, 0x1301, 0xfafa].map(CipherSuite.make),
    hello: (message) => ({
      ...message,
      extensions: [
        unknown(0x2a2a),
        ...message.extensions.map((extension): Extension => {
          switch (extension._tag) {
            case "SupportedGroups":
              return { ...extension, groups: [NamedGroup.make(0x3a3a), ...extension.groups] }
            case "KeyShareOffer":
              return {
                ...extension,
                shares: [{ group: NamedGroup.make(0x3a3a), publicKey: Uint8Array.of(0) }, ...extension.shares]
              }
            case "SupportedVersions":
              return { ...extension, versions: [ProtocolVersion.make(0x4a4a), ...extension.versions] }
            case "SignatureAlgorithms":
              return { ...extension, schemes: [SignatureScheme.make(0x5a5a), ...extension.schemes] }
            default:
              return extension
          }
        }),
        { _tag: "ApplicationProtocols", protocols: ["\x6a\x6a", "h2"] },
        { _tag: "PskKeyExchangeModes", modes: [0x0b, 1] },
        { _tag: "SignatureAlgorithmsCert", schemes: [SignatureScheme.make(0x8a8a), SignatureScheme.make(0x0403)] },
        unknown(0x7a7a, Uint8Array.of(0))
      ]
    })
  })
  fine("record versions that mean nothing", {
    helloFrame: (_, messages) => messages.map((message) => scripted.plain(22, message, 0x03ff))
  })
  fine("two ChangeCipherSpecs", { beforeFlight: () => scripted.changeCipherSpec })
  for (const suite of CipherSuite.registry) {
    fine(suite.name, { suites: [suite.code] }, { protocol: { cipherSuites: [suite.name] } })
    fine(
      `${suite.name} after a HelloRetryRequest`,
      { ...retrying, suites: [suite.code] },
      {
        protocol: { cipherSuites: [suite.name], groups: ["secp256r1"] }
      }
    )
  }
})

describe("what the server chooses", () => {
  const chosen = (script: ClientScript, options?: SecureContextOptions) =>
    Effect.gen(function* () {
      const { clientExit, peer, serverExit } = yield* play(script, options)
      assert(Exit.isSuccess(clientExit) && Exit.isSuccess(serverExit), JSON.stringify([clientExit, serverExit]))
      return { client: clientExit.value, info: serverExit.value.info, peer }
    })

  it.effect("the first of its cipher suites that the client has", () =>
    Effect.gen(function* () {
      const suites = [0x1301, 0x1303, 0x1302].map(CipherSuite.make)
      const { info } = yield* chosen(
        { suites },
        {
          protocol: {
            cipherSuites: ["TLS_AES_128_CCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"]
          }
        }
      )
      assert.strictEqual(info.cipherSuite, "TLS_CHACHA20_POLY1305_SHA256")
    })
  )

  it.effect("a group with a key share before a better one without", () =>
    Effect.gen(function* () {
      const { client, info } = yield* chosen(
        { groups: [p256, x25519], shares: [x25519] },
        { protocol: { groups: ["secp256r1", "x25519"] } }
      )
      assert.strictEqual(info.group, "x25519")
      assert.isFalse(info.helloRetryRequest)
      assert.isUndefined(client.retry)
    })
  )

  it.effect("its best group where there is no share of any", () =>
    Effect.gen(function* () {
      const { client, info } = yield* chosen(
        { groups: [x25519, NamedGroup.secp384r1, p256], shares: [x25519] },
        { protocol: { groups: ["secp256r1", "secp384r1"] } }
      )
      assert.strictEqual(info.group, "secp256r1")
      assert.isTrue(info.helloRetryRequest)
      assert.deepStrictEqual(Extensions.find(client.retry!.extensions, "KeyShareRequest")!.group, p256)
      assert.deepStrictEqual(client.retry!.sessionId, client.hello.sessionId)
    })
  )

  it.effect("the first of its application protocols that the client has", () =>
    Effect.gen(function* () {
      const { client, info } = yield* chosen({
        extensions: [{ _tag: "ApplicationProtocols", protocols: ["x", "http/1.1", "h2"] }]
      })
      assert.deepStrictEqual(info.alpn, Option.some("h2"))
      assert.deepStrictEqual(
        Extensions.find(client.encryptedExtensions.extensions, "ApplicationProtocols")!.protocols,
        ["h2"]
      )
    })
  )

  it.effect("none where it has none, or the client", () =>
    Effect.gen(function* () {
      const offered: ClientScript = { extensions: [{ _tag: "ApplicationProtocols", protocols: ["x"] }] }
      const ours = yield* chosen(offered, { protocol: { alpn: [] } })
      assert.deepStrictEqual([ours.info.alpn, ours.client.encryptedExtensions.extensions], [Option.none(), []])
      const theirs = yield* chosen({})
      assert.deepStrictEqual([theirs.info.alpn, theirs.client.encryptedExtensions.extensions], [Option.none(), []])
    })
  )

  it.effect("the name is acknowledged, and recorded in the one form", () =>
    Effect.gen(function* () {
      const { client, info } = yield* chosen({ serverName: "EXAMPLE.org." })
      assert.strictEqual(Option.getOrThrow(info.serverName).toString(), "example.org")
      assert.deepStrictEqual(client.encryptedExtensions.extensions, [{ _tag: "ServerNameAcknowledged" }])
    })
  )

  it.effect("a ChangeCipherSpec after its first message, if the client has a session id", () =>
    Effect.gen(function* () {
      const compatible = yield* chosen({})
      assert.deepStrictEqual(
        [compatible.peer.changeCipherSpecs, compatible.client.serverHello.sessionId],
        [1, compatible.client.hello.sessionId]
      )
      const retried = yield* chosen(retrying, retryingServer)
      assert.strictEqual(retried.peer.changeCipherSpecs, 1)
      const plain = yield* chosen(hello((message) => ({ ...message, sessionId: noBytes })))
      assert.deepStrictEqual([plain.peer.changeCipherSpecs, plain.client.serverHello.sessionId], [0, noBytes])
    })
  )

  it.effect("its random is none of a downgrade, and no extension stands where it may not", () =>
    Effect.gen(function* () {
      const { client } = yield* chosen({})
      assert.notInclude(new TextDecoder("latin1").decode(client.serverHello.random), "DOWNGRD")
      assert.deepStrictEqual(
        client.serverHello.extensions.map(({ _tag }) => _tag),
        ["SelectedVersion", "KeyShareAnswer"]
      )
    })
  )

  it.effect("the record size limit of each side holds for the other", () =>
    Effect.gen(function* () {
      const { client, info, peer } = yield* chosen(
        { extensions: [{ _tag: "RecordSizeLimit", limit: 64 }] },
        { protocol: { recordSizeLimit: 200, alpn: [] } }
      )
      assert.strictEqual(Extensions.find(client.encryptedExtensions.extensions, "RecordSizeLimit")!.limit, 200)
      assert.strictEqual(info.role, "server")
      // The Certificate alone is longer than a record may be.
      assert.isAbove(HandshakeMessages.encode(client.certificate).length, 64)
      assert.isAtMost(peer.largestInner, 64)
    })
  )
})

// ---------------------------------------------------------------------------------------------------------------------
// The client's flight
// ---------------------------------------------------------------------------------------------------------------------

const asking: SecureContextOptions = { trust: { clientAuthentication: "require" } }
const showing: ClientScript = { identity: identities.client }

describe("a client's flight that is wrong", () => {
  const flight = (what: string, edit: Edit, error: string, alert: string, script = showing, options = asking): Row => ({
    name: what,
    script: { ...script, edit },
    options,
    error,
    alert
  })
  // The client is through with its handshake when the alert comes.
  const rows = [
    flight(
      "a wrong Finished",
      change("Finished", (m) => ({ ...m, verifyData: flipped(m.verifyData, 31) })),
      authentication("BadFinished"),
      "decrypt_error"
    ),
    flight(
      "a short Finished",
      change("Finished", (m) => ({ ...m, verifyData: m.verifyData.subarray(1) })),
      authentication("BadFinished"),
      "decrypt_error"
    ),
    flight(
      "a long Finished",
      change("Finished", (m) => ({ ...m, verifyData: Uint8Array.of(...m.verifyData, 0) })),
      authentication("BadFinished"),
      "decrypt_error"
    ),
    flight(
      "a Certificate with a context",
      change("Certificate", (m) => ({ ...m, context: Uint8Array.of(1) })),
      authentication("IllegalParameter"),
      "illegal_parameter"
    ),
    flight(
      "a Certificate with an answer to nothing",
      change("Certificate", (m) => ({
        ...m,
        entries: m.entries.map((e) => ({
          ...e,
          extensions: [{ _tag: "CertificateStatus", response: Uint8Array.of(0x30) }]
        }))
      })),
      authentication("UnsupportedExtension"),
      "unsupported_extension"
    ),
    flight(
      "a Certificate with an extension that may not stand there",
      change("Certificate", (m) => ({ ...m, entries: m.entries.map((e) => ({ ...e, extensions: [unknown(16)] })) })),
      authentication("IllegalParameter"),
      "illegal_parameter"
    ),
    flight(
      "a certificate that is none",
      change("Certificate", (m) => ({ ...m, entries: [{ certificate: Uint8Array.of(48, 0), extensions: [] }] })),
      "CertificateError/Malformed/authentication",
      "bad_certificate"
    ),
    flight(
      "an empty Certificate where one is required",
      (message) => message,
      "CertificateError/NoCertificate/authentication",
      "certificate_required",
      {}
    ),
    flight(
      "EndOfEarlyData",
      change("Certificate", (m) => [{ _tag: "EndOfEarlyData" }, m]),
      authentication("UnexpectedMessage"),
      "unexpected_message"
    ),
    flight(
      "a Certificate that nobody asked for",
      change("Finished", (m) => [{ _tag: "Certificate", context: noBytes, entries: [] }, m]),
      authentication("UnexpectedMessage"),
      "unexpected_message",
      {},
      {}
    ),
    flight(
      "another ClientHello",
      change("Finished", (m) => [scripts.makeHello({}, []), m]),
      authentication("UnexpectedMessage"),
      "unexpected_message",
      {},
      {}
    )
  ]
  for (const { alert, error, name: what, options, script } of rows) {
    it.effect(what, () =>
      Effect.gen(function* () {
        const { alert: heard, error: seen, peer } = yield* play(script, options)
        assert.deepStrictEqual([seen, heard], [error, `alert ${alert}`])
        // After its Finished a server speaks under the application's keys (RFC 9846 §4.4.4).
        assert.isTrue(peer.lastWasProtected)
      })
    )
  }
})

const flight: ReadonlyArray<Tag> = ["Certificate", "CertificateVerify", "Finished"]

const isDue = (said: ReadonlyArray<Tag>, tag: Tag): boolean => tag === flight[said.length]

describe("a client's flight whose messages are right but for their order", () => {
  const expectPredicted = (what: string, tags: ReadonlyArray<Tag>, edit: Edit) =>
    Effect.gen(function* () {
      const [error, alert] = predict(tags, isDue, () => "authentication")
      const seen = yield* play({ ...showing, edit }, asking)
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
        (message) => (message._tag === twice ? [message, message] : message)
      )
    )
  )

  it.effect("each two messages swapped", () =>
    Effect.forEach(flight.slice(1), (later, i) => {
      const earlier = flight[i]!
      let held: HandshakeMessage | undefined
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

  it.effect("each message replaced or preceded by each other one", () =>
    Effect.forEach(flight, (due, i) =>
      Effect.forEach(
        strangers.filter(({ _tag }) => _tag !== due),
        (stranger) =>
          Effect.zipRight(
            expectPredicted(
              `${stranger._tag} for ${due}`,
              flight.map((tag, j) => (i === j ? stranger._tag : tag)),
              (message) => (message._tag === due ? stranger : message)
            ),
            expectPredicted(
              `${stranger._tag} before ${due}`,
              [...flight.slice(0, i), stranger._tag, ...flight.slice(i)],
              (message) => (message._tag === due ? [stranger, message] : message)
            )
          )
      )
    )
  )

  it.effect("each message in place of the ClientHello", () =>
    Effect.forEach(
      strangers.filter(({ _tag }) => _tag !== "ClientHello"),
      (stranger) =>
        Effect.gen(function* () {
          const { alert, error } = yield* play(hello(() => HandshakeMessages.encode(stranger)))
          assert.deepStrictEqual(
            [stranger._tag, error, alert],
            [stranger._tag, negotiation("UnexpectedMessage"), "alert unexpected_message"]
          )
        })
    )
  )

  it.effect("each message in place of the second ClientHello", () =>
    Effect.forEach(
      strangers.filter(({ _tag }) => _tag !== "ClientHello"),
      (stranger) =>
        Effect.gen(function* () {
          const { alert, error } = yield* play(
            second(() => stranger as ClientHello),
            retryingServer
          )
          assert.deepStrictEqual(
            [stranger._tag, error, alert],
            [stranger._tag, negotiation("UnexpectedMessage"), "alert unexpected_message"]
          )
        })
    )
  )
})

// ---------------------------------------------------------------------------------------------------------------------
// A client that stops
// ---------------------------------------------------------------------------------------------------------------------

/** Everything of the flight before its message number `i`, then something else, then nothing. */
const stopsAt =
  (i: number, ...last: ReadonlyArray<Item>): Edit =>
  (message) => {
    const at = flight.indexOf(message._tag)
    return at < i ? message : at === i ? last : []
  }

/** Each step at which a client can stop: before its hello, between its hellos, in its flight. */
const steps: ReadonlyArray<{
  readonly what: string
  readonly phase: string
  readonly options: SecureContextOptions
  readonly stops: (...last: ReadonlyArray<(peer: ScriptedPeer) => Uint8Array>) => ClientScript
}> = [
  {
    what: "before its hello",
    phase: "negotiation",
    options: {},
    stops: (...last) => ({ helloFrame: (peer) => last.map((part) => part(peer)) })
  },
  {
    what: "in its hello",
    phase: "negotiation",
    options: {},
    stops: (...last) => ({
      helloFrame: (peer, [message]) => [
        scripted.plain(22, message!.subarray(0, 100)),
        ...last.map((part) => part(peer))
      ]
    })
  },
  {
    what: "before its second hello",
    phase: "negotiation",
    options: retryingServer,
    stops: (...last) => ({
      ...retrying,
      secondHello: () =>
        ((peer: ScriptedPeer) => concatenated(last.map((part) => part(peer)))) as unknown as ClientHello
    })
  },
  ...flight.map((tag, i) => ({
    what: `before its ${tag}`,
    phase: "authentication",
    options: asking,
    stops: (...last: ReadonlyArray<(peer: ScriptedPeer) => Uint8Array>): ClientScript => ({
      ...showing,
      edit: stopsAt(i, ...last)
    })
  }))
]

const concatenated = (parts: ReadonlyArray<Uint8Array>): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => Array.from(part)))

describe("a client that stops", () => {
  it.effect("is given up at the deadline, and not before", () =>
    Effect.forEach(steps, ({ options, phase, stops, what }) =>
      Effect.gen(function* () {
        yield* TestClock.setTime(harness.now)
        const context = yield* harness.serverContext({
          ...options,
          protocol: { handshakeTimeout: "3 seconds", ...options.protocol }
        })
        const { peer, script, server } = yield* harness.serverAgainst(context, (scriptedClient) =>
          Effect.exit(scripts.playClient(scriptedClient, stops()))
        )
        yield* TestClock.adjust("2999 millis")
        assert.isTrue(Option.isNone(yield* harness.settle(server)), what)
        yield* TestClock.adjust("1 millis")
        const error = harness.errorOf(yield* Fiber.await(server))
        assert.deepStrictEqual([what, harness.label(error)], [what, `TlsTimeoutError/Handshake/${phase}`])
        const exit = yield* Fiber.join(script)
        if (Exit.isFailure(exit)) assert.strictEqual(harness.endingOf(exit), "alert user_canceled")
        yield* peer.ending
        assert.deepStrictEqual(
          peer.warnings.filter((alert) => alert !== "user_canceled"),
          ["close_notify"]
        )
      }).pipe(Effect.scoped, Effect.provide(harness.layer))
    )
  )

  const alerts: ReadonlyArray<readonly [sent: number, level: number, seen: string]> = [
    [40, 2, "handshake_failure"],
    [48, 1, "unknown_ca"],
    [200, 1, "alert 200"],
    [0, 1, "close_notify"]
  ]
  it.effect("with an alert is one that gave up", () =>
    Effect.forEach(steps, ({ options, phase, stops, what }) =>
      Effect.forEach(alerts, ([sent, level, expected]) =>
        Effect.gen(function* () {
          const { alert, error } = yield* play(
            stops((peer) => peer.record(21, Uint8Array.of(level, sent))),
            options
          )
          // Nobody answers an alert with an alert.
          assert.deepStrictEqual([what, error, alert], [what, `AlertError/${expected}/${phase}`, "gone end"])
        })
      )
    )
  )

  it.effect("with an alert in the clear, because it could not make the keys, is heard", () =>
    Effect.gen(function* () {
      const { error } = yield* play({
        ...showing,
        beforeFlight: () => scripted.plain(21, scripted.alertBytes("illegal_parameter"))
      })
      assert.strictEqual(error, "AlertError/illegal_parameter/authentication")
    })
  )
})

describe("messages that are too large", () => {
  const claims = (type: number, length: number): ClientScript => ({
    helloFrame: () => [scripted.plain(22, Uint8Array.of(type, length >>> 16, length >>> 8, length, 0))]
  })
  table(
    [
      {
        name: "a ClientHello of more than 64 KiB, before it is read",
        script: claims(HandshakeType.codes.ClientHello, 65_537),
        error: negotiation("MessageTooLarge"),
        alert: "illegal_parameter"
      },
      {
        name: "a message of no known type of more than 64 KiB",
        script: claims(99, 65_537),
        error: negotiation("MessageTooLarge"),
        alert: "illegal_parameter"
      },
      {
        name: "a Certificate of more than 100 KiB",
        script: claims(HandshakeType.codes.Certificate, 102_401),
        error: negotiation("MessageTooLarge"),
        alert: "illegal_parameter"
      },
      {
        name: "a ClientHello of more than a limit of ours",
        script: claims(HandshakeType.codes.ClientHello, 1001),
        options: { protocol: { limits: { handshakeMessage: 1000 } } },
        error: negotiation("MessageTooLarge"),
        alert: "illegal_parameter"
      },
      {
        name: "a Certificate of more than a limit of ours",
        script: showing,
        options: { ...asking, protocol: { limits: { certificateMessage: 300 } } },
        error: authentication("MessageTooLarge"),
        alert: "illegal_parameter"
      }
    ].slice(0, 4)
  )

  it.effect("a hello of 64 KiB is not, one of a byte more is", () =>
    Effect.gen(function* () {
      // Beside the padding there are its own header and the key share.
      const room = 65_536 - (HandshakeMessages.encode(scripts.makeHello({}, [])).length - 4) - 4 - 36
      const padded = (length: number) => play({ extensions: [unknown(21, new Uint8Array(length))] })
      assert.strictEqual((yield* padded(room)).error, "connected")
      assert.strictEqual((yield* padded(room + 1)).error, negotiation("MessageTooLarge"))
    })
  )
})
