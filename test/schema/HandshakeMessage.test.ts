import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import { DecodeError } from "../../src/schema/ByteReader.ts"
import { toHex } from "../../src/schema/Bytes.ts"
import * as CipherSuite from "../../src/schema/CipherSuite.ts"
import * as ExtensionType from "../../src/schema/ExtensionType.ts"
import type { HandshakeMessage } from "../../src/schema/HandshakeMessage.ts"
import { decode, encode, helloRetryRandom, typeOf } from "../../src/schema/HandshakeMessage.ts"
import * as HandshakeType from "../../src/schema/HandshakeType.ts"
import * as NamedGroup from "../../src/schema/NamedGroup.ts"
import * as ProtocolVersion from "../../src/schema/ProtocolVersion.ts"
import * as SignatureScheme from "../../src/schema/SignatureScheme.ts"
import { messagesOf, traces } from "../vectors/rfc8448.ts"
import { anyMessage, fromHex, message, mutate, random, tags, withTrueLength } from "./arbitraries.ts"

const decoded = (bytes: Uint8Array): HandshakeMessage => Either.getOrThrowWith(decode(bytes), (error) => error)

const refused = (bytes: Uint8Array): DecodeError => {
  const result = decode(bytes)
  assert(Either.isLeft(result), `decoded: ${toHex(bytes)}`)
  assert(result.left instanceof DecodeError)
  assert(
    Number.isInteger(result.left.at) && result.left.at >= 0 && result.left.at <= bytes.length,
    `a position outside the bytes: ${result.left.message}`
  )
  return result.left
}

const fill = (length: number, byte: number) => new Uint8Array(length).fill(byte)
const noBytes = new Uint8Array(0)
const randomHex = "11".repeat(32)
const retryHex = "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"

/** Vectors and messages in hexadecimal, put together by other means than ours: the RFC's structs written down. */
const vector =
  (width: number) =>
  (...parts: ReadonlyArray<string>): string => {
    const body = parts.join("").replaceAll(/\s/g, "")
    return (body.length / 2).toString(16).padStart(2 * width, "0") + body
  }
const v8 = vector(1)
const v16 = vector(2)
const v24 = vector(3)
const ext = (type: string, ...body: ReadonlyArray<string>) => type + v16(...body)
const ascii = (text: string) => Buffer.from(text, "latin1").toString("hex")

const written: ReadonlyArray<readonly [name: string, hex: string, message: HandshakeMessage]> = [
  [
    "a ClientHello with GREASE everywhere",
    "01" +
      v24(
        "0303",
        randomHex,
        v8("22".repeat(32)),
        v16("0a0a", "1301"),
        v8("00"),
        v16(
          ext("0a0a"),
          ext("0000", v16("00", v16(ascii("a.bc")))),
          ext("000a", v16("1a1a", "001d")),
          ext("000d", v16("2a2a", "0804")),
          ext("0010", v16(v8(ascii("h2")), v8("fa0061"))),
          ext("002b", v8("3a3a", "0304", "0303")),
          ext("0033", v16("1a1a", v16("00"), "001d", v16("ff"))),
          ext("fafa", "010203")
        )
      ),
    {
      _tag: "ClientHello",
      legacyVersion: ProtocolVersion.tls12,
      random: fill(32, 0x11),
      sessionId: fill(32, 0x22),
      cipherSuites: [CipherSuite.make(0x0a0a), CipherSuite.make(0x1301)],
      compressionMethods: Uint8Array.of(0),
      extensions: [
        { _tag: "Unknown", type: ExtensionType.make(0x0a0a), body: noBytes },
        { _tag: "ServerName", names: [{ type: 0, name: fromHex(ascii("a.bc")) }] },
        { _tag: "SupportedGroups", groups: [NamedGroup.make(0x1a1a), NamedGroup.x25519] },
        { _tag: "SignatureAlgorithms", schemes: [SignatureScheme.make(0x2a2a), SignatureScheme.make(0x0804)] },
        { _tag: "ApplicationProtocols", protocols: ["h2", "\u00fa\u0000a"] },
        {
          _tag: "SupportedVersions",
          versions: [ProtocolVersion.make(0x3a3a), ProtocolVersion.tls13, ProtocolVersion.tls12]
        },
        {
          _tag: "KeyShareOffer",
          shares: [
            { group: NamedGroup.make(0x1a1a), publicKey: Uint8Array.of(0) },
            { group: NamedGroup.x25519, publicKey: Uint8Array.of(255) }
          ]
        },
        { _tag: "Unknown", type: ExtensionType.make(0xfafa), body: Uint8Array.of(1, 2, 3) }
      ]
    }
  ],
  [
    "a ClientHello of old, without extensions",
    "01" + v24("0301", randomHex, v8(), v16("002f"), v8("00")),
    {
      _tag: "ClientHello",
      legacyVersion: ProtocolVersion.tls10,
      random: fill(32, 0x11),
      sessionId: noBytes,
      cipherSuites: [CipherSuite.make(0x002f)],
      compressionMethods: Uint8Array.of(0),
      extensions: []
    }
  ],
  [
    "a ClientHello that resumes",
    "01" +
      v24(
        "0303",
        randomHex,
        v8(),
        v16("1303"),
        v8("00"),
        v16(
          ext("001c", "4001"),
          ext("0032", v16("0401")),
          ext("002c", v16("07")),
          ext("002f", v16(v16("30"), v16("3131"))),
          ext("002d", v8("01", "00")),
          ext("002a"),
          ext("0033", v16()),
          ext("0029", v16(v16("aabb"), "fffffffe"), v16(v8("33".repeat(32))))
        )
      ),
    {
      _tag: "ClientHello",
      legacyVersion: ProtocolVersion.tls12,
      random: fill(32, 0x11),
      sessionId: noBytes,
      cipherSuites: [CipherSuite.make(0x1303)],
      compressionMethods: Uint8Array.of(0),
      extensions: [
        { _tag: "RecordSizeLimit", limit: 16385 },
        { _tag: "SignatureAlgorithmsCert", schemes: [SignatureScheme.make(0x0401)] },
        { _tag: "Cookie", cookie: Uint8Array.of(7) },
        { _tag: "CertificateAuthorities", authorities: [Uint8Array.of(0x30), Uint8Array.of(0x31, 0x31)] },
        { _tag: "PskKeyExchangeModes", modes: [1, 0] },
        { _tag: "EarlyData" },
        { _tag: "KeyShareOffer", shares: [] },
        {
          _tag: "PreSharedKeyOffer",
          identities: [{ identity: Uint8Array.of(0xaa, 0xbb), obfuscatedTicketAge: 0xffff_fffe }],
          binders: [fill(32, 0x33)]
        }
      ]
    }
  ],
  [
    "a ServerHello",
    "02" +
      v24(
        "0303",
        randomHex,
        v8("22"),
        "1302",
        "00",
        v16(ext("002b", "0304"), ext("0033", "0017", v16("0405")), ext("0029", "0001"))
      ),
    {
      _tag: "ServerHello",
      legacyVersion: ProtocolVersion.tls12,
      random: fill(32, 0x11),
      sessionId: Uint8Array.of(0x22),
      cipherSuite: CipherSuite.make(0x1302),
      compressionMethod: 0,
      extensions: [
        { _tag: "SelectedVersion", version: ProtocolVersion.tls13 },
        { _tag: "KeyShareAnswer", share: { group: NamedGroup.secp256r1, publicKey: Uint8Array.of(4, 5) } },
        { _tag: "PreSharedKeyAnswer", selected: 1 }
      ]
    }
  ],
  [
    "a ServerHello of TLS 1.2",
    "02" +
      v24("0303", randomHex, v8(), "c02f", "00", v16(ext("ff01", "00"), ext("0010", v16(v8("6832"))), ext("0000"))),
    {
      _tag: "ServerHello",
      legacyVersion: ProtocolVersion.tls12,
      random: fill(32, 0x11),
      sessionId: noBytes,
      cipherSuite: CipherSuite.make(0xc02f),
      compressionMethod: 0,
      extensions: [
        { _tag: "Unknown", type: ExtensionType.codes.renegotiation_info, body: Uint8Array.of(0) },
        {
          _tag: "Unknown",
          type: ExtensionType.codes.application_layer_protocol_negotiation,
          body: Uint8Array.of(0, 3, 2, 0x68, 0x32)
        },
        { _tag: "Unknown", type: ExtensionType.codes.server_name, body: noBytes }
      ]
    }
  ],
  [
    "a HelloRetryRequest",
    "02" +
      v24(
        "0303",
        retryHex,
        v8(),
        "1301",
        "00",
        v16(ext("002b", "0304"), ext("0033", "0018"), ext("002c", v16("c00c1e")))
      ),
    {
      _tag: "HelloRetryRequest",
      legacyVersion: ProtocolVersion.tls12,
      sessionId: noBytes,
      cipherSuite: CipherSuite.make(0x1301),
      compressionMethod: 0,
      extensions: [
        { _tag: "SelectedVersion", version: ProtocolVersion.tls13 },
        { _tag: "KeyShareRequest", group: NamedGroup.secp384r1 },
        { _tag: "Cookie", cookie: Uint8Array.of(0xc0, 0x0c, 0x1e) }
      ]
    }
  ],
  [
    "EncryptedExtensions",
    "08" +
      v24(v16(ext("0000"), ext("000a", v16("001d")), ext("0010", v16(v8("6832"))), ext("001c", "0040"), ext("002a"))),
    {
      _tag: "EncryptedExtensions",
      extensions: [
        { _tag: "ServerNameAcknowledged" },
        { _tag: "SupportedGroups", groups: [NamedGroup.x25519] },
        { _tag: "ApplicationProtocols", protocols: ["h2"] },
        { _tag: "RecordSizeLimit", limit: 64 },
        { _tag: "EarlyData" }
      ]
    }
  ],
  ["EncryptedExtensions that say nothing", "08" + v24(v16()), { _tag: "EncryptedExtensions", extensions: [] }],
  [
    "a CertificateRequest",
    "0d" +
      v24(
        v8("c0"),
        v16(ext("000d", v16("0403")), ext("0032", v16("0601")), ext("002f", v16(v16("3000"))), ext("0005"))
      ),
    {
      _tag: "CertificateRequest",
      context: Uint8Array.of(0xc0),
      extensions: [
        { _tag: "SignatureAlgorithms", schemes: [SignatureScheme.make(0x0403)] },
        { _tag: "SignatureAlgorithmsCert", schemes: [SignatureScheme.make(0x0601)] },
        { _tag: "CertificateAuthorities", authorities: [Uint8Array.of(0x30, 0)] },
        { _tag: "Unknown", type: ExtensionType.codes.status_request, body: noBytes }
      ]
    }
  ],
  [
    "a Certificate with a stapled response",
    "0b" + v24(v8(), v24(v24("3082"), v16(ext("0005", "01", v24("30"))), v24("3083"), v16())),
    {
      _tag: "Certificate",
      context: noBytes,
      entries: [
        {
          certificate: Uint8Array.of(0x30, 0x82),
          extensions: [{ _tag: "CertificateStatus", response: Uint8Array.of(0x30) }]
        },
        { certificate: Uint8Array.of(0x30, 0x83), extensions: [] }
      ]
    }
  ],
  [
    "a Certificate of nobody",
    "0b" + v24(v8("c0"), v24()),
    { _tag: "Certificate", context: Uint8Array.of(0xc0), entries: [] }
  ],
  [
    "a CertificateVerify",
    "0f" + v24("0804", v16("5151")),
    { _tag: "CertificateVerify", scheme: SignatureScheme.make(0x0804), signature: Uint8Array.of(0x51, 0x51) }
  ],
  ["a Finished", "14" + v24("44".repeat(32)), { _tag: "Finished", verifyData: fill(32, 0x44) }],
  [
    "a NewSessionTicket",
    "04" + v24("00093a80", "fad6aac5", v8("0000"), v16("2c03"), v16(ext("002a", "00000400"))),
    {
      _tag: "NewSessionTicket",
      lifetime: 604_800,
      ageAdd: 0xfad6_aac5,
      nonce: Uint8Array.of(0, 0),
      ticket: Uint8Array.of(0x2c, 3),
      extensions: [{ _tag: "EarlyDataLimit", maxEarlyDataSize: 1024 }]
    }
  ],
  ["a KeyUpdate", "1800000101", { _tag: "KeyUpdate", request: 1 }],
  ["a KeyUpdate of a value not defined", "18000001ff", { _tag: "KeyUpdate", request: 255 }],
  ["EndOfEarlyData", "05000000", { _tag: "EndOfEarlyData" }],
  ["a HelloRequest", "00000000", { _tag: "UnknownMessage", type: HandshakeType.make(0), body: noBytes }],
  [
    "a message_hash, which nobody sends",
    "fe" + v24("99"),
    { _tag: "UnknownMessage", type: HandshakeType.codes.MessageHash, body: Uint8Array.of(0x99) }
  ]
]

describe("the bytes of each message", () => {
  it.each(written)("%s", (_, hexadecimal, value) => {
    assert.deepStrictEqual(decoded(fromHex(hexadecimal)), value)
    assert.strictEqual(toHex(encode(value)), hexadecimal)
    assert.strictEqual(typeOf(value), parseInt(hexadecimal.slice(0, 2), 16))
  })

  it("speaks of a HelloRetryRequest where the random is that of RFC 9846 §4.1.3", () => {
    assert.strictEqual(toHex(helloRetryRandom), retryHex)
    const other = fromHex("02" + v24("0303", retryHex.slice(0, -2) + "9d", v8(), "1301", "00", v16()))
    assert.strictEqual(decoded(other)._tag, "ServerHello")
  })

  it("reads an empty block of extensions, which TLS 1.3 does not send, as none", () => {
    const hello = decoded(fromHex("01" + v24("0303", randomHex, v8(), v16("1301"), v8("00"), v16())))
    assert.deepInclude(hello, { _tag: "ClientHello", extensions: [] })
    const answer = decoded(fromHex("02" + v24("0303", randomHex, v8(), "1301", "00", v16())))
    assert.deepInclude(answer, { _tag: "ServerHello", extensions: [] })
  })
})

describe("round trips", () => {
  it.each(tags)("%s, whatever its values", (tag) => {
    FastCheck.assert(
      FastCheck.property(message(tag), (value) => {
        const bytes = encode(value)
        assert.deepStrictEqual(decoded(bytes), value)
        assert.deepStrictEqual(encode(decoded(bytes)), bytes)
      }),
      { numRuns: 300 }
    )
  })

  it("values are views of the input", () => {
    const bytes = fromHex("14" + v24("44".repeat(32)))
    const finished = decoded(bytes)
    assert(finished._tag === "Finished")
    assert.strictEqual(finished.verifyData.buffer, bytes.buffer)
  })
})

/** Messages of every kind: those of RFC 8448, those above, and some at random. */
const corpus: ReadonlyArray<Uint8Array> = [
  ...traces.flatMap((trace) => messagesOf(trace).map(({ bytes }) => bytes)),
  ...written.map(([, hexadecimal]) => fromHex(hexadecimal)),
  ...FastCheck.sample(anyMessage, { numRuns: 60, seed: 9846 }).map(encode)
]

/** Where a message may end and be one all the same: what its syntax leaves open. */
const mayEndAt = (bytes: Uint8Array, end: number): boolean => {
  const value = decoded(bytes)
  switch (value._tag) {
    case "Finished":
    case "UnknownMessage":
      return true
    case "ClientHello": {
      const suites = 2 * value.cipherSuites.length
      return end === 4 + 2 + 32 + 1 + value.sessionId.length + 2 + suites + 1 + value.compressionMethods.length
    }
    case "ServerHello":
    case "HelloRetryRequest":
      return end === 4 + 2 + 32 + 1 + value.sessionId.length + 2 + 1
    default:
      return false
  }
}

describe("damaged messages", () => {
  it("one cut short anywhere is refused, with the position", () => {
    for (const bytes of corpus) {
      for (let end = 0; end < bytes.length; end++) refused(bytes.subarray(0, end))
    }
  })

  it("one cut short anywhere is refused even when its header says so", () => {
    for (const bytes of corpus) {
      for (let end = 4; end < bytes.length; end++) {
        const cut = withTrueLength(bytes.subarray(0, end))
        if (mayEndAt(bytes, end)) assert(Either.isRight(decode(cut)), `refused at ${end}: ${toHex(bytes)}`)
        else refused(cut)
      }
    }
  })

  it("one with a byte too many is refused, with the position", () => {
    for (const bytes of corpus) {
      const longer = Uint8Array.of(...bytes, 0)
      assert.strictEqual(refused(longer).at, 1)
      const tag = decoded(bytes)._tag
      if (tag === "Finished" || tag === "UnknownMessage") continue
      assert.include(refused(withTrueLength(longer)).message, "byte")
    }
  })

  it("the position is that of the damage", () => {
    const error = refused(
      fromHex("01" + v24("0303", randomHex, v8(), v16("1301"), v8("00"), v16(ext("0033", v16("001d", v16())))))
    )
    assert.strictEqual(error.message, "ClientHello, key_share: a vector of 0 byte(s), at least 1 expected (at byte 57)")
    const bytes = fromHex("01" + v24("0303", randomHex, v8(), v16("1301"), v8("00"), v16(ext("002a", "00"))))
    assert.strictEqual(refused(bytes).message, "ClientHello, early_data: 1 byte(s) too many (at byte 51)")
  })

  it("20000 mutants are values or errors, and values that give their bytes back", () => {
    const next = random(13)
    const outcomes = { value: 0, error: 0 }
    for (let i = 0; i < 20_000; i++) {
      const mutant = mutate(corpus[i % corpus.length]!, next)
      const bytes = mutant.length >= 4 && next() < 0.9 ? withTrueLength(mutant) : mutant
      const result = decode(bytes)
      if (Either.isLeft(result)) {
        outcomes.error++
        refused(bytes)
        continue
      }
      outcomes.value++
      const again = encode(result.right)
      // The one freedom: an empty block of extensions, which nobody writes.
      if (again.length === bytes.length - 2) assert.deepStrictEqual([...bytes.subarray(-2)], [0, 0])
      else assert.strictEqual(toHex(again), toHex(bytes))
    }
    assert.isAbove(outcomes.value, 1000)
    assert.isAbove(outcomes.error, 10_000)
  })

  it("random bytes are values or errors", () => {
    const next = random(7)
    for (let i = 0; i < 5000; i++) {
      const bytes = Uint8Array.from({ length: 4 + Math.floor(next() * 120) }, () => Math.floor(next() * 256))
      bytes[0] = [1, 2, 4, 5, 8, 11, 13, 15, 20, 24][i % 10]!
      decode(withTrueLength(bytes))
    }
  })

  it("a length that claims more than there is costs nothing", () => {
    // 16 MiB claimed by three bytes, in the header and within.
    assert.strictEqual(refused(fromHex("0bffffff")).at, 1)
    assert.strictEqual(refused(fromHex("0b" + v24("00", "ffffff"))).what, "Certificate")
  })
})

const hello = (...extensions: ReadonlyArray<string>) =>
  "01" + v24("0303", randomHex, v8(), v16("1301"), v8("00"), v16(...extensions))
const encrypted = (...extensions: ReadonlyArray<string>) => "08" + v24(v16(...extensions))
const ticket = (...extensions: ReadonlyArray<string>) =>
  "04" + v24("00000000", "00000000", v8(), v16("01"), v16(...extensions))

describe("the least and the most a vector may have", () => {
  it.each<readonly [name: string, tooLittle: string, enough: string]>([
    [
      "a session id of 33 bytes",
      "01" + v24("0303", randomHex, v8("00".repeat(33)), v16("1301"), v8("00"), v16()),
      "01" + v24("0303", randomHex, v8("00".repeat(32)), v16("1301"), v8("00"), v16())
    ],
    [
      "a session id of 33 bytes in a ServerHello",
      "02" + v24("0303", randomHex, v8("00".repeat(33)), "1301", "00", v16()),
      "02" + v24("0303", randomHex, v8("00".repeat(32)), "1301", "00", v16())
    ],
    [
      "no cipher suite",
      "01" + v24("0303", randomHex, v8(), v16(), v8("00"), v16()),
      "01" + v24("0303", randomHex, v8(), v16("1301"), v8("00"), v16())
    ],
    [
      "half a cipher suite",
      "01" + v24("0303", randomHex, v8(), v16("130113"), v8("00"), v16()),
      "01" + v24("0303", randomHex, v8(), v16("13011302"), v8("00"), v16())
    ],
    [
      "no compression method",
      "01" + v24("0303", randomHex, v8(), v16("1301"), v8(), v16()),
      "01" + v24("0303", randomHex, v8(), v16("1301"), v8("0001"), v16())
    ],
    ["no server name", hello(ext("0000", v16())), hello(ext("0000", v16("00", v16("61"))))],
    ["an empty server name", hello(ext("0000", v16("00", v16()))), hello(ext("0000", v16("00", v16("61"))))],
    ["a server_name of nothing in a ClientHello", hello(ext("0000")), encrypted(ext("0000"))],
    ["a server name in the answer", encrypted(ext("0000", v16("00", v16("61")))), encrypted(ext("0000"))],
    ["no group", hello(ext("000a", v16())), hello(ext("000a", v16("001d")))],
    ["half a group", hello(ext("000a", v16("001d00"))), hello(ext("000a", v16("001d0017")))],
    ["no signature scheme", hello(ext("000d", v16())), hello(ext("000d", v16("0403")))],
    ["no signature scheme for certificates", hello(ext("0032", v16())), hello(ext("0032", v16("0403")))],
    ["no application protocol", hello(ext("0010", v16())), hello(ext("0010", v16(v8("61"))))],
    [
      "an empty application protocol",
      hello(ext("0010", v16(v8("61"), v8()))),
      hello(ext("0010", v16(v8("61"), v8("62"))))
    ],
    ["a record size limit of one byte", hello(ext("001c", "40")), hello(ext("001c", "0040"))],
    ["no version", hello(ext("002b", v8())), hello(ext("002b", v8("0304")))],
    ["half a version", hello(ext("002b", v8("030403"))), hello(ext("002b", v8("03040303")))],
    ["an empty cookie", hello(ext("002c", v16())), hello(ext("002c", v16("01")))],
    ["an empty key share", hello(ext("0033", v16("001d", v16()))), hello(ext("0033", v16("001d", v16("01"))))],
    ["key shares without their length", hello(ext("0033")), hello(ext("0033", v16()))],
    ["no key exchange mode", hello(ext("002d", v8())), hello(ext("002d", v8("01")))],
    [
      "no identity",
      hello(ext("0029", v16(), v16(v8("00".repeat(32))))),
      hello(ext("0029", v16(v16("01"), "00000000"), v16(v8("00".repeat(32)))))
    ],
    [
      "an empty identity",
      hello(ext("0029", v16(v16(), "00000000", v16("01"), "00000000"), v16(v8("00".repeat(32))))),
      hello(ext("0029", v16(v16("02"), "00000000", v16("01"), "00000000"), v16(v8("00".repeat(32)))))
    ],
    [
      "no binder",
      hello(ext("0029", v16(v16("01"), "00000000"), v16())),
      hello(ext("0029", v16(v16("01"), "00000000"), v16(v8("00".repeat(32)))))
    ],
    [
      "a binder of 31 bytes",
      hello(ext("0029", v16(v16("01"), "00000000"), v16(v8("00".repeat(31)), v8("00".repeat(32))))),
      hello(ext("0029", v16(v16("01"), "00000000"), v16(v8("00".repeat(32)), v8("00".repeat(32)))))
    ],
    ["early data of something", hello(ext("002a", "00")), hello(ext("002a"))],
    ["no authority", hello(ext("002f", v16())), hello(ext("002f", v16(v16("30"))))],
    ["an empty authority", hello(ext("002f", v16(v16("30"), v16()))), hello(ext("002f", v16(v16("30"), v16("30"))))],
    ["an empty certificate", "0b" + v24(v8(), v24(v24(), v16())), "0b" + v24(v8(), v24(v24("30"), v16()))],
    [
      "a certificate without extensions' length",
      "0b" + v24(v8(), v24(v24("30"))),
      "0b" + v24(v8(), v24(v24("30"), v16()))
    ],
    ["an empty ticket", "04" + v24("00000000", "00000000", v8(), v16(), v16()), ticket()],
    ["a ticket's early data limit of three bytes", ticket(ext("002a", "000400")), ticket(ext("002a", "00000400"))],
    ["a KeyUpdate of nothing", "18000000", "1800000100"],
    ["an EndOfEarlyData of something", "0500000100", "05000000"]
  ])("%s", (_, tooLittle, enough) => {
    refused(fromHex(tooLittle))
    assert(Either.isRight(decode(fromHex(enough))), enough)
  })
})
