import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Pretty from "effect/Pretty"
import * as Schema from "effect/Schema"
import { concat, toHex } from "../../src/schema/Bytes.ts"
import * as ClientHello from "../../src/schema/ClientHello.ts"
import { make as suite } from "../../src/schema/CipherSuite.ts"
import type { Extension } from "../../src/schema/Extension.ts"
import { make as extensionType } from "../../src/schema/ExtensionType.ts"
import { encode } from "../../src/schema/HandshakeMessage.ts"
import * as NamedGroup from "../../src/schema/NamedGroup.ts"
import * as ProtocolVersion from "../../src/schema/ProtocolVersion.ts"
import { make as scheme } from "../../src/schema/SignatureScheme.ts"
import { messagesOf, stepsOf, trace, traces } from "../vectors/rfc8448.ts"
import { clientHello, fromHex, mutate, random } from "./arbitraries.ts"

const bytesOf = (text: string) => Uint8Array.from(Buffer.from(text, "latin1"))

const hello = (...extensions: ReadonlyArray<Extension>): ClientHello.ClientHello => ({
  _tag: "ClientHello",
  legacyVersion: ProtocolVersion.tls12,
  random: new Uint8Array(32),
  sessionId: new Uint8Array(0),
  cipherSuites: [suite(0x3a3a), suite(0x1301), suite(0xc02f)],
  compressionMethods: Uint8Array.of(0),
  extensions
})

const full = hello(
  { _tag: "Unknown", type: extensionType(0x0a0a), body: new Uint8Array(0) },
  {
    _tag: "ServerName",
    names: [
      { type: 7, name: bytesOf("not a host") },
      { type: 0, name: bytesOf("Example.com") }
    ]
  },
  { _tag: "SupportedGroups", groups: [NamedGroup.make(0x4a4a), NamedGroup.x25519MlKem768, NamedGroup.x25519] },
  { _tag: "SignatureAlgorithms", schemes: [scheme(0x0804), scheme(0x0202)] },
  { _tag: "ApplicationProtocols", protocols: ["h2", "http/1.1"] },
  {
    _tag: "SupportedVersions",
    versions: [ProtocolVersion.make(0x5a5a), ProtocolVersion.tls13, ProtocolVersion.tls12]
  },
  {
    _tag: "KeyShareOffer",
    shares: [
      { group: NamedGroup.make(0x4a4a), publicKey: Uint8Array.of(0) },
      { group: NamedGroup.x25519, publicKey: new Uint8Array(32) }
    ]
  }
)

describe("what a ClientHello says", () => {
  it("in names", () => {
    assert.deepStrictEqual(ClientHello.serverName(full), Option.some("Example.com"))
    assert.deepStrictEqual(ClientHello.applicationProtocols(full), ["h2", "http/1.1"])
    assert.deepStrictEqual(ClientHello.supportedVersions(full).map(Number), [0x5a5a, 0x0304, 0x0303])
    assert.deepStrictEqual(ClientHello.supportedVersionNames(full), ["0x5a5a", "TLSv1.3", "TLSv1.2"])
    assert.deepStrictEqual(ClientHello.cipherSuiteNames(full), [
      "0x3a3a",
      "TLS_AES_128_GCM_SHA256",
      "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    ])
    assert.deepStrictEqual(ClientHello.groupNames(full), ["0x4a4a", "X25519MLKEM768", "x25519"])
    assert.deepStrictEqual(ClientHello.keyShareNames(full), ["0x4a4a", "x25519"])
    assert.deepStrictEqual(ClientHello.signatureSchemeNames(full), ["rsa_pss_rsae_sha256", "0x0202"])
    assert.deepStrictEqual(ClientHello.extensionNames(full), [
      "extension 2570",
      "server_name",
      "supported_groups",
      "signature_algorithms",
      "application_layer_protocol_negotiation",
      "supported_versions",
      "key_share"
    ])
  })

  it("when it says nothing", () => {
    const bare = hello()
    assert.deepStrictEqual(ClientHello.serverName(bare), Option.none())
    assert.deepStrictEqual(ClientHello.supportedVersionNames(bare), ["TLSv1.2"])
    for (const list of [
      ClientHello.applicationProtocols,
      ClientHello.groupNames,
      ClientHello.keyShareNames,
      ClientHello.signatureSchemeNames,
      ClientHello.extensionNames
    ]) {
      assert.deepStrictEqual(list(bare), [])
    }
  })

  it("in RFC 8448", () => {
    const first = Schema.decodeSync(ClientHello.ClientHelloFromBytes)(messagesOf(trace(3))[0]!.bytes)
    assert.deepStrictEqual(ClientHello.serverName(first), Option.some("server"))
    assert.deepStrictEqual(ClientHello.supportedVersionNames(first), ["TLSv1.3"])
    assert.deepStrictEqual(ClientHello.keyShareNames(first), ["x25519"])
    assert.include(ClientHello.signatureSchemeNames(first), "0x0202")
  })

  it("in words, and nothing of a name runs into them", () => {
    const evil = hello({ _tag: "ServerName", names: [{ type: 0, name: bytesOf("a\n  versions: none\u001b[2J") }] })
    const text = ClientHello.format(evil)
    assert.include(text, String.raw`server name: "a\n  versions: none\u001b[2J"`)
    assert.strictEqual(Pretty.make(ClientHello.ClientHelloFromSelf)(full), ClientHello.format(full))
    assert.include(
      ClientHello.format(full),
      "cipher suites: 0x3a3a, TLS_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    )
    assert.include(ClientHello.format(full), `application protocols: "h2", "http/1.1"`)
  })
})

describe("ClientHelloFromBytes", () => {
  it("is exact both ways", () => {
    for (const { bytes, name } of traces.flatMap(messagesOf)) {
      if (name !== "ClientHello") continue
      const value = Schema.decodeSync(ClientHello.ClientHelloFromBytes)(bytes)
      assert.deepStrictEqual(Schema.encodeSync(ClientHello.ClientHelloFromBytes)(value), bytes)
    }
    FastCheck.assert(
      FastCheck.property(Arbitrary.make(ClientHello.ClientHelloFromSelf), (value) => {
        const bytes = Schema.encodeSync(ClientHello.ClientHelloFromBytes)(value)
        assert.deepStrictEqual(Schema.decodeSync(ClientHello.ClientHelloFromBytes)(bytes), value)
      })
    )
  })

  it("composes with what gives bytes", () => {
    const FromBase64 = Schema.compose(Schema.Uint8ArrayFromBase64, ClientHello.ClientHelloFromBytes)
    const text = Buffer.from(encode(full)).toString("base64")
    assert.deepStrictEqual(Schema.decodeSync(FromBase64)(text), full)
    assert.strictEqual(Schema.encodeSync(FromBase64)(full), text)
  })

  it("says what is wrong, and where", () => {
    const problem = (bytes: Uint8Array) =>
      Either.match(Schema.decodeEither(ClientHello.ClientHelloFromBytes)(bytes), {
        onLeft: (error) => error.message,
        onRight: () => "decoded"
      })
    const bytes = encode(hello({ _tag: "Cookie", cookie: Uint8Array.of(1, 2) }))
    const damaged = Uint8Array.from(bytes)
    damaged[damaged.length - 3] = 9
    assert.include(problem(damaged), "ClientHello, cookie: 9 byte(s) expected, 2 left (at byte 57)")
    assert.include(problem(fromHex("14000000")), "Finished, not ClientHello")
    assert.include(problem(new Uint8Array(0)), "1 byte(s) expected, 0 left (at byte 0)")
  })
})

/** A message as records of these lengths of fragment, the last one again and again. */
const records = (message: Uint8Array, ...lengths: ReadonlyArray<number>): Uint8Array => {
  const parts: Array<Uint8Array> = []
  for (let from = 0, i = 0; from < message.length; i++) {
    const part = message.subarray(from, from + lengths[Math.min(i, lengths.length - 1)]!)
    parts.push(Uint8Array.of(22, 3, 1, part.length >>> 8, part.length & 0xff), part)
    from += part.length
  }
  return concat(parts)
}

const found = (stream: Uint8Array) => Either.getOrThrowWith(ClientHello.fromRecords(stream), (error) => error)
const refused = (stream: Uint8Array): string =>
  Either.match(ClientHello.fromRecords(stream), { onLeft: (error) => error.message, onRight: () => "found" })

describe("the ClientHello at the start of a stream", () => {
  it("is found in the records of RFC 8448", () => {
    for (const of of traces) {
      const first = stepsOf(of, "send record")[0]!.record
      const recorded = found(fromHex(first.completeRecord))
      assert.strictEqual(toHex(encode(Option.getOrThrow(recorded))), first.payload)
    }
  })

  it("is found however it is cut into records, and not before it is there", () => {
    const message = encode(full)
    for (let length = 1; length <= message.length; length++) {
      const stream = records(message, length)
      assert.deepStrictEqual(found(stream), Option.some(full))
      assert.deepStrictEqual(found(concat([stream, Uint8Array.of(1, 2, 3)])), Option.some(full), "what follows")
      if (length > 3 && length < message.length - 1) continue
      for (let end = 0; end < stream.length; end++) {
        assert.deepStrictEqual(found(stream.subarray(0, end)), Option.none(), `${end} of ${stream.length}`)
      }
    }
  })

  it.each<readonly [string, string, string]>([
    ["HTTP", "474554202f", "ClientHello record: a record of the type 71, not of handshake messages (at byte 0)"],
    ["its first byte", "47", "ClientHello record: a record of the type 71, not of handshake messages (at byte 0)"],
    ["its version", "1602", "ClientHello record: not the version of a TLS record (at byte 1)"],
    ["SSL 2", "16020100", "ClientHello record: not the version of a TLS record (at byte 1)"],
    ["an empty record", "1603010000", "ClientHello record: a record of 0 bytes, 1 to 16384 expected (at byte 3)"],
    ["a long record", "1603014001", "ClientHello record: a record of 16385 bytes, 1 to 16384 expected (at byte 3)"],
    [
      "an alert within",
      "160301000101 1503010002",
      "ClientHello record: a record of the type 21, not of handshake messages (at byte 6)"
    ],
    ["another message", "160301000102", "ClientHello record: a ServerHello, not a ClientHello (at byte 5)"],
    [
      "a message of 64 KiB and a byte",
      "160301000401010001",
      "ClientHello record: a ClientHello of 65537 bytes, at most 65536 allowed (at byte 5)"
    ],
    ["a message of nothing", "160301000401000000", "ClientHello: 2 byte(s) expected, 0 left (at byte 4)"],
    ["a message of two bytes", "1603010006010000020303", "ClientHello: 32 byte(s) expected, 0 left (at byte 6)"]
  ])("is refused as soon as it shows that it is none: %s", (_, stream, problem) => {
    assert.strictEqual(refused(fromHex(stream)), problem)
  })

  it("may be as long as 64 KiB", () => {
    const long = hello({ _tag: "Unknown", type: extensionType(21), body: new Uint8Array(65_536 - 51) })
    const message = encode(long)
    assert.strictEqual(message.length, 4 + 65_536)
    assert.deepStrictEqual(found(records(message, 1)), Option.some(long))
  })

  it("is a hello, none yet or an error for whatever comes", () => {
    const next = random(64)
    const samples = FastCheck.sample(clientHello, { numRuns: 50, seed: 64 }).map((value) => records(encode(value), 40))
    for (let i = 0; i < 5000; i++) ClientHello.fromRecords(mutate(samples[i % samples.length]!, next))
  })

  it("as a Schema: back to the records a client sends", () => {
    const { ClientHelloFromRecords } = ClientHello
    const stream = records(encode(full), 16_384)
    assert.deepStrictEqual(Schema.decodeSync(ClientHelloFromRecords)(stream), full)
    assert.deepStrictEqual(Schema.encodeSync(ClientHelloFromRecords)(full), stream)
    const long = hello({ _tag: "Unknown", type: extensionType(21), body: new Uint8Array(40_000) })
    assert.deepStrictEqual(Schema.encodeSync(ClientHelloFromRecords)(long), records(encode(long), 16_384))
    assert.deepStrictEqual(Schema.decodeSync(ClientHelloFromRecords)(records(encode(long), 16_384)), long)
    const exact = hello({ _tag: "Unknown", type: extensionType(21), body: new Uint8Array(2 * 16_384 - 55) })
    assert.strictEqual(encode(exact).length, 2 * 16_384)
    assert.deepStrictEqual(Schema.encodeSync(ClientHelloFromRecords)(exact), records(encode(exact), 16_384))
    const cut = Schema.decodeEither(ClientHelloFromRecords)(stream.subarray(0, 100))
    assert(Either.isLeft(cut))
    assert.include(cut.left.message, "the stream ends within the ClientHello (at byte 100)")
  })
})
