import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { RecordReader } from "../../src/core/RecordReader.ts"
import { aeadLengths } from "../../src/schema/Algorithms.ts"
import { concat, toHex } from "../../src/schema/Bytes.ts"
import * as Limits from "../../src/schema/Limits.ts"
import type { HandshakeReason } from "../../src/schema/TlsError.ts"
import { HandshakeError } from "../../src/schema/TlsError.ts"
import { mutate, random } from "../schema/arbitraries.ts"
import {
  aeads,
  alert,
  applicationData,
  bytes,
  changeCipherSpec,
  changeCipherSpecRecord,
  handshake,
  header,
  keys,
  plain,
  protection,
  providers,
  sealed,
  sealedInner
} from "./records.ts"

const make = (limits: Partial<Limits.Limits> = {}) => new RecordReader({ ...Limits.defaults, ...limits })

const protectedReader = (limits: Partial<Limits.Limits> = {}) => {
  const reader = make(limits)
  reader.protect(protection())
  return reader
}

/** What the reader makes of what it has, up to an error: records as `type content`. */
const drain = (reader: RecordReader): Array<string> => {
  const found: Array<string> = []
  for (;;) {
    const record = reader.next()
    if (record === undefined) return found
    if (record instanceof HandshakeError) {
      found.push(record.reason)
      return found
    }
    found.push(`${record.type} ${toHex(record.fragment)}`)
  }
}

const after = (reader: RecordReader, ...chunks: ReadonlyArray<Uint8Array>): Array<string> => {
  for (const chunk of chunks) reader.push(chunk)
  return drain(reader)
}

const failure = (reader: RecordReader, ...chunks: ReadonlyArray<Uint8Array>): HandshakeError => {
  for (const chunk of chunks) reader.push(chunk)
  for (;;) {
    const record = reader.next()
    if (record instanceof HandshakeError) return record
    assert(record !== undefined, "no error")
  }
}

const reasonOf = (reader: RecordReader, ...chunks: ReadonlyArray<Uint8Array>): HandshakeReason =>
  failure(reader, ...chunks).reason

const text = (words: string) => Uint8Array.from(Buffer.from(words, "latin1"))

const plainStream = [
  plain(handshake, bytes(40), 0x0301),
  plain(handshake, bytes(3)),
  changeCipherSpecRecord,
  plain(alert, Uint8Array.of(2, 80)),
  plain(handshake, bytes(1))
]
const plainExpected = [`22 ${toHex(bytes(40))}`, `22 ${toHex(bytes(3))}`, "20 01", "21 0250", `22 ${toHex(bytes(1))}`]

const protectedStream = [
  sealed(handshake, bytes(30), 0),
  changeCipherSpecRecord,
  sealed(applicationData, bytes(5), 1, { padding: 7 }),
  sealed(applicationData, new Uint8Array(0), 2),
  sealed(alert, Uint8Array.of(1, 0), 3)
]
const protectedExpected = [`22 ${toHex(bytes(30))}`, "20 01", `23 ${toHex(bytes(5))}`, "23 ", "21 0100"]

describe("records from chunks", () => {
  it.each([
    ["in the clear", plainStream, plainExpected, make],
    ["protected", protectedStream, protectedExpected, protectedReader]
  ] as const)("come out the same however the stream is cut: %s", (_, records, expected, fresh) => {
    const stream = concat(records)
    for (let size = 1; size <= stream.length; size++) {
      const reader = fresh()
      const found: Array<string> = []
      for (let at = 0; at < stream.length; at += size) {
        reader.push(stream.subarray(at, at + size))
        found.push(...drain(reader))
      }
      assert.deepStrictEqual(found, expected, `in chunks of ${size}`)
      assert.strictEqual(reader.buffered, 0)
    }
    for (let at = 0; at <= stream.length; at++) {
      assert.deepStrictEqual(after(fresh(), stream.subarray(0, at), stream.subarray(at)), expected, `cut at ${at}`)
    }
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(FastCheck.integer({ min: 0, max: stream.length }), { maxLength: 12 }),
        (cuts) => {
          const edges = [0, ...cuts.sort((a, b) => a - b), stream.length]
          const chunks = edges.slice(1).map((end, i) => stream.subarray(edges[i], end))
          assert.deepStrictEqual(after(fresh(), ...chunks), expected)
        }
      )
    )
  })

  it("count what is buffered", () => {
    const reader = make()
    reader.push(new Uint8Array(0))
    assert.strictEqual(reader.buffered, 0)
    assert.isUndefined(reader.next())
    reader.push(plain(handshake, bytes(10)).subarray(0, 12))
    assert.isUndefined(reader.next())
    assert.strictEqual(reader.buffered, 12)
    reader.push(Uint8Array.of(9, 10, 11, 22))
    drain(reader)
    assert.strictEqual(reader.buffered, 1)
  })

  it("are views of the chunk they came in", () => {
    const chunk = concat([plain(handshake, bytes(4)), plain(handshake, bytes(9))])
    const reader = make()
    reader.push(chunk)
    for (let i = 0; i < 2; i++) {
      const record = reader.next()
      assert(record !== undefined && !(record instanceof HandshakeError))
      assert.strictEqual(record.fragment.buffer, chunk.buffer)
    }
  })

  it("may have any version once it is clear that they are TLS (RFC 9846 §5.1)", () => {
    assert.deepStrictEqual(after(make(), plain(handshake, bytes(1), 0x03ff), plain(handshake, bytes(1), 0x0000)), [
      "22 01",
      "22 01"
    ])
  })
})

describe("protection", () => {
  it.each(providers.flatMap(([provider, crypto]) => aeads.map((aead) => [provider, aead, crypto] as const)))(
    "by %s with %s opens what another sealed, and nothing else",
    (_, aead, crypto) => {
      const own = keys(aead)
      const fresh = () => {
        const reader = make()
        reader.protect(protection(own, crypto))
        return reader
      }
      const records = [0, 1, 2].map((sequence) =>
        sealed(applicationData, bytes(20 + sequence), sequence, { keys: own })
      )
      assert.deepStrictEqual(
        after(fresh(), ...records),
        [20, 21, 22].map((n) => `23 ${toHex(bytes(n))}`)
      )
      // Every byte of it but type and length, which say where a record is and whether it is protected at all.
      const [first, second] = records as [Uint8Array, Uint8Array]
      for (let at = 1; at < second.length; at++) {
        if (at === 3 || at === 4) continue
        const damaged = Uint8Array.from(second)
        damaged[at]! ^= 0x20
        assert.strictEqual(reasonOf(fresh(), first, damaged), "BadRecord", `byte ${at}`)
      }
      // Another key, and one too short to have a tag.
      assert.strictEqual(reasonOf(fresh(), sealed(applicationData, bytes(20), 0, { keys: keys(aead, 2) })), "BadRecord")
      for (let length = 0; length < aeadLengths[aead].tag; length++) {
        assert.strictEqual(reasonOf(fresh(), plain(applicationData, bytes(length))), "BadRecord", `${length} bytes`)
      }
    }
  )

  it("numbers records: none twice, none left out, none before another", () => {
    const [a, b, c] = [0, 1, 2].map((sequence) => sealed(applicationData, bytes(4), sequence)) as [
      Uint8Array,
      Uint8Array,
      Uint8Array
    ]
    assert.deepStrictEqual(after(protectedReader(), a, a), ["23 01020304", "BadRecord"])
    assert.deepStrictEqual(after(protectedReader(), a, c), ["23 01020304", "BadRecord"])
    assert.deepStrictEqual(after(protectedReader(), b), ["BadRecord"])
    assert.deepStrictEqual(after(protectedReader(), a, b, c), ["23 01020304", "23 01020304", "23 01020304"])
  })

  it.each([1, 255, 256, 65_535, 2 ** 24, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 7, 2 ** 48, 2 ** 53 - 1])(
    "makes the nonce of the whole number: %s",
    (sequence) => {
      const state = protection()
      state.sequence = sequence
      const reader = make()
      reader.protect(state)
      assert.deepStrictEqual(after(reader, sealed(applicationData, bytes(3), sequence)), ["23 010203"])
    }
  )

  it("begins at zero again with every key", () => {
    const reader = protectedReader()
    const next = keys("AES-128-GCM", 2)
    assert.deepStrictEqual(after(reader, sealed(handshake, bytes(1), 0), sealed(handshake, bytes(1), 1)), [
      "22 01",
      "22 01"
    ])
    reader.protect(protection(next))
    assert.deepStrictEqual(after(reader, sealed(handshake, bytes(2), 0, { keys: next })), ["22 0102"])
  })

  it("changes keys between records, though both are in one chunk", () => {
    const next = keys("AES-128-GCM", 2)
    const reader = protectedReader()
    reader.push(concat([sealed(handshake, bytes(1), 0), sealed(applicationData, bytes(2), 0, { keys: next })]))
    assert.deepInclude(reader.next(), { type: handshake })
    reader.protect(protection(next))
    assert.deepInclude(reader.next(), { type: applicationData })
  })

  it("says the same of everything that does not open", () => {
    const messages = new Set(
      [
        sealed(applicationData, bytes(20), 1),
        sealed(applicationData, bytes(20), 0, { keys: keys("AES-128-GCM", 2) }),
        plain(applicationData, bytes(3)),
        plain(applicationData, bytes(100))
      ].map((record) => failure(protectedReader(), record).message)
    )
    assert.strictEqual(messages.size, 1)
  })
})

describe("padding", () => {
  it("is taken off, up to the largest record, and content may end in zeros itself", () => {
    for (const padding of [0, 1, 15, 16, 255, 16_000]) {
      assert.deepStrictEqual(after(protectedReader(), sealed(handshake, bytes(3), 0, { padding })), ["22 010203"])
    }
    const zeros = Uint8Array.of(5, 0, 0)
    assert.deepStrictEqual(after(protectedReader(), sealed(applicationData, zeros, 0, { padding: 4 })), ["23 050000"])
  })

  it.each([0, 1, 2, 1000])("and nothing but padding is unexpected: %s zeros", (length) => {
    assert.strictEqual(reasonOf(protectedReader(), sealedInner(new Uint8Array(length), 0)), "UnexpectedMessage")
  })
})

describe("the length of a record", () => {
  it("in the clear is 2^14 at most, and longer is refused before it is there", () => {
    assert.deepStrictEqual(after(make(), plain(handshake, bytes(16_384))), [`22 ${toHex(bytes(16_384))}`])
    assert.strictEqual(reasonOf(make(), header(22, 16_385)), "RecordOverflow")
  })

  it("protected is 2^14 + 256 at most, and longer is refused before it is there", () => {
    assert.deepStrictEqual(after(protectedReader(), header(23, 16_640)), [])
    assert.strictEqual(reasonOf(protectedReader(), header(23, 16_641)), "RecordOverflow")
    assert.strictEqual(reasonOf(protectedReader(), plain(applicationData, bytes(16_640))), "BadRecord")
  })

  it("opened is 2^14 and the type at most, whether by content or by padding", () => {
    const largest = sealed(applicationData, bytes(16_384), 0)
    assert.deepStrictEqual(after(protectedReader(), largest), [`23 ${toHex(bytes(16_384))}`])
    assert.strictEqual(reasonOf(protectedReader(), sealed(applicationData, bytes(16_385), 0)), "RecordOverflow")
    assert.strictEqual(
      reasonOf(protectedReader(), sealed(applicationData, bytes(1), 0, { padding: 16_384 })),
      "RecordOverflow"
    )
  })

  it("is what we said in record_size_limit, type and padding included (RFC 8449 §4)", () => {
    const limited = () => {
      const reader = protectedReader()
      reader.maxInner = 100
      return reader
    }
    assert.deepStrictEqual(after(limited(), sealed(applicationData, bytes(99), 0)), [`23 ${toHex(bytes(99))}`])
    assert.deepStrictEqual(after(limited(), sealed(applicationData, bytes(1), 0, { padding: 98 })), ["23 01"])
    assert.strictEqual(reasonOf(limited(), sealed(applicationData, bytes(100), 0)), "RecordOverflow")
    assert.strictEqual(reasonOf(limited(), sealed(applicationData, bytes(1), 0, { padding: 99 })), "RecordOverflow")
    // It does not concern records in the clear.
    const clear = make()
    clear.maxInner = 100
    assert.deepStrictEqual(after(clear, plain(handshake, bytes(200))), [`22 ${toHex(bytes(200))}`])
  })
})

describe("the type of a record", () => {
  it("that is unknown is refused, in the clear and protected", () => {
    for (let type = 0; type < 256; type++) {
      const known = type >= 20 && type <= 23
      const clear = after(make(), plain(handshake, bytes(1)), plain(type, bytes(1)))
      assert.deepStrictEqual(clear, ["22 01", known ? `${type} 01` : "UnexpectedMessage"])
      if (type === 0) continue
      const inner = after(protectedReader(), sealed(type, bytes(1), 0))
      assert.deepStrictEqual(inner, [known && type !== changeCipherSpec ? `${type} 01` : "UnexpectedMessage"])
    }
  })

  it("may be ChangeCipherSpec in the clear only, and only until the handshake is over", () => {
    const reader = protectedReader()
    assert.deepStrictEqual(after(reader, changeCipherSpecRecord, sealed(handshake, bytes(1), 0)), ["20 01", "22 01"])
    assert.deepStrictEqual(after(reader, changeCipherSpecRecord), ["20 01"])
    reader.handshaking = false
    assert.deepStrictEqual(after(reader, changeCipherSpecRecord), ["UnexpectedMessage"])
    assert.strictEqual(reasonOf(protectedReader(), sealed(changeCipherSpec, Uint8Array.of(1), 0)), "UnexpectedMessage")
  })

  it("is protected once there are keys, but for the alert of a peer that has none", () => {
    const warning = plain(alert, Uint8Array.of(2, 40))
    assert.strictEqual(reasonOf(protectedReader(), plain(handshake, bytes(1))), "UnexpectedMessage")
    assert.deepStrictEqual(after(protectedReader(), warning), ["21 0228"])
    assert.deepStrictEqual(after(protectedReader(), sealed(handshake, bytes(1), 0), warning), [
      "22 01",
      "UnexpectedMessage"
    ])
    const open = protectedReader()
    open.handshaking = false
    assert.strictEqual(reasonOf(open, warning), "UnexpectedMessage")
  })
})

describe("records of nothing", () => {
  const empty = (sequence: number) => sealed(applicationData, new Uint8Array(0), sequence, { padding: sequence % 3 })

  it("are bounded in a row", () => {
    const reader = protectedReader()
    const bound = Limits.defaults.consecutiveEmptyRecords
    for (let i = 0; i < bound; i++) assert.deepStrictEqual(after(reader, empty(i)), ["23 "])
    assert.deepStrictEqual(after(reader, empty(bound)), ["TooManyMessages"])
  })

  it("are counted anew after one of something", () => {
    const reader = protectedReader({ consecutiveEmptyRecords: 2 })
    const something = sealed(applicationData, bytes(1), 2)
    const records = [empty(0), empty(1), something, empty(3), empty(4), empty(5)]
    assert.deepStrictEqual(after(reader, ...records), ["23 ", "23 ", "23 01", "23 ", "23 ", "TooManyMessages"])
  })

  it.each([handshake, alert])("may be data only (RFC 9846 §5.4), not type %s", (type) => {
    assert.strictEqual(reasonOf(protectedReader(), sealed(type, new Uint8Array(0), 0)), "UnexpectedMessage")
    assert.strictEqual(
      reasonOf(protectedReader(), sealed(type, new Uint8Array(0), 0, { padding: 20 })),
      "UnexpectedMessage"
    )
  })
})

describe("early data that was not accepted", () => {
  const early = (length: number, sequence = 0) =>
    sealed(applicationData, bytes(length), sequence, { keys: keys("AES-128-GCM", 9) })
  /** A record of 100 bytes on the wire. */
  const hundred = early(100 - 5 - 1 - 16)
  const ours = (sequence: number) => sealed(handshake, bytes(2), sequence)

  it("is skipped until a record opens, and not after", () => {
    const reader = protectedReader()
    reader.skipEarlyData()
    assert.deepStrictEqual(after(reader, hundred, changeCipherSpecRecord, hundred, ours(0), ours(1)), [
      "20 01",
      "22 0102",
      "22 0102"
    ])
    assert.deepStrictEqual(after(reader, hundred), ["BadRecord"])
  })

  it("is skipped up to its bound, headers and tags counted, and not beyond", () => {
    assert.strictEqual(hundred.length, 100)
    const within = protectedReader({ rejectedEarlyData: 300 })
    within.skipEarlyData()
    assert.deepStrictEqual(after(within, hundred, hundred, hundred, ours(0)), ["22 0102"])
    const beyond = protectedReader({ rejectedEarlyData: 299 })
    beyond.skipEarlyData()
    assert.deepStrictEqual(after(beyond, hundred, hundred, hundred), ["BadRecord"])
    const none = protectedReader({ rejectedEarlyData: 0 })
    none.skipEarlyData()
    assert.deepStrictEqual(after(none, early(0)), ["BadRecord"])
  })

  it("is skipped by its type where there are no keys yet, until the second hello", () => {
    const reader = make({ rejectedEarlyData: 300 })
    reader.skipEarlyData()
    assert.deepStrictEqual(after(reader, hundred, plain(handshake, bytes(1)), hundred, hundred), ["22 01"])
    assert.deepStrictEqual(after(reader, early(0)), [`23 ${toHex(early(0).subarray(5))}`], "beyond the bound")
    const ended = make()
    ended.skipEarlyData()
    ended.endEarlyData()
    assert.deepStrictEqual(after(ended, early(0)), [`23 ${toHex(early(0).subarray(5))}`])
  })

  it("may come in records of full size, keys or not", () => {
    for (const fresh of [make, protectedReader]) {
      const reader = fresh({ rejectedEarlyData: 40_000 })
      reader.skipEarlyData()
      assert.deepStrictEqual(after(reader, early(16_384), plain(applicationData, bytes(16_640))), [])
      assert.strictEqual(reasonOf(reader, header(23, 16_641)), "RecordOverflow")
    }
    // Without any to skip a record in the clear is as short as ever.
    assert.strictEqual(reasonOf(make(), header(23, 16_385)), "RecordOverflow")
  })

  it("is not skipped where none was offered", () => {
    assert.strictEqual(reasonOf(protectedReader(), hundred), "BadRecord")
  })
})

describe("a peer that does not speak TLS", () => {
  it.each([
    ["HTTP/1.1 400 Bad Request", "HTTP"],
    ["GET / HTTP/1.1", "HTTP"],
    ["POST / HTTP/1.1", "HTTP"],
    ["HEAD / HTTP/1.1", "HTTP"],
    ["PUT /x HTTP/1.1", "HTTP"],
    ["OPTIONS * HTTP/1.1", "HTTP"],
    ["PRI * HTTP/2.0", "HTTP/2"],
    ["SSH-2.0-OpenSSH_9.6", "SSH"],
    ["220 mail.example ESMTP", "SMTP or FTP"],
    ["554 no", "SMTP"],
    ["EHLO example", "SMTP"],
    ["HELO example", "SMTP"],
    ["+OK ready", "POP3 or Redis"],
    ["-ERR no", "POP3 or Redis"],
    ["* OK IMAP4rev1", "IMAP"],
    ["PING\r\n", "Redis or IRC"],
    ["<?xml version", "XMPP"],
    ["<stream:stream", "XMPP"]
  ])("is named: %s", (greeting, protocol) => {
    for (let cut = 1; cut < 8; cut++) {
      const error = failure(make(), text(greeting.slice(0, cut)), text(greeting.slice(cut)))
      assert.strictEqual(error.reason, "PeerSpokePlaintext")
      assert.strictEqual(error.message, `the peer speaks ${protocol}, not TLS`)
    }
  })

  it("is told from TLS when it sends other text, and when it sends something else", () => {
    assert.deepInclude(failure(make(), text("hello\r\n")), {
      reason: "PeerSpokePlaintext",
      message: "the peer sent text, not TLS"
    })
    // SSL 2, MySQL's greeting, a record of a version that never was.
    for (const start of [
      [0x80, 0x2e, 1, 0, 2],
      [0x4a, 0, 0, 0, 10, 0x35],
      [22, 2, 0, 0, 1, 1]
    ]) {
      assert.strictEqual(reasonOf(make(), Uint8Array.from(start)), "UnexpectedMessage")
    }
  })

  it("is not suspected once it has spoken TLS", () => {
    assert.deepStrictEqual(after(make(), plain(handshake, bytes(1)), text("HTTP/1.1 400")), [
      "22 01",
      "UnexpectedMessage"
    ])
    assert.deepStrictEqual(after(protectedReader(), sealed(handshake, bytes(1), 0), text("GET / HTTP")), [
      "22 01",
      "UnexpectedMessage"
    ])
  })
})

describe("whatever comes", () => {
  it("is records, an error, or not enough yet", () => {
    const next = random(5)
    const streams = [concat(plainStream), concat(protectedStream)]
    for (let i = 0; i < 4000; i++) {
      const reader = i % 2 === 0 ? make() : protectedReader()
      if (next() < 0.3) reader.skipEarlyData()
      if (next() < 0.3) reader.handshaking = false
      const mutant = mutate(streams[i % 2]!, next)
      const cut = Math.floor(next() * mutant.length)
      after(reader, mutant.subarray(0, cut), mutant.subarray(cut))
    }
  })

  it("is an error of the phase in which it came", () => {
    const reader = make()
    assert.strictEqual(failure(reader, header(22, 20_000)).phase, "negotiation")
    const later = protectedReader()
    later.phase = "connected"
    assert.strictEqual(failure(later, plain(handshake, bytes(1))).phase, "connected")
  })
})
