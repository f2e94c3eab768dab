import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { RecordReader } from "../../src/core/RecordReader.ts"
import { RecordWriter } from "../../src/core/RecordWriter.ts"
import { aeadLengths } from "../../src/schema/Algorithms.ts"
import { concat } from "../../src/schema/Bytes.ts"
import * as Limits from "../../src/schema/Limits.ts"
import { tls10 } from "../../src/schema/ProtocolVersion.ts"
import { HandshakeError } from "../../src/schema/TlsError.ts"
import {
  aeads,
  alert,
  applicationData,
  bytes,
  handshake,
  header,
  keys,
  openedInner,
  plain,
  protection,
  providers,
  split
} from "./records.ts"

const make = ({
  maxFragment = 16_384,
  padding = 1
}: { readonly maxFragment?: number; readonly padding?: number } = {}) => new RecordWriter({ maxFragment, padding })

const protectedWriter = (options: Parameters<typeof make>[0] = {}, limit = Infinity) => {
  const writer = make(options)
  writer.protect(protection(), limit)
  return writer
}

/** The contents of protected records, their types and how long each TLSInnerPlaintext is. */
const opened = (stream: Uint8Array, from = 0) =>
  split(stream).map((record, i) => {
    assert.deepStrictEqual(record.subarray(0, 5), header(23, record.length - 5))
    const inner = openedInner(record, from + i)
    let end = inner.length - 1
    while (inner[end] === 0) end--
    return { content: inner.subarray(0, end), type: inner[end], length: inner.length }
  })

describe("records in the clear", () => {
  it("have a header and the content, and the version that is asked for", () => {
    assert.deepStrictEqual(make().write(handshake, bytes(10)), plain(handshake, bytes(10)))
    assert.deepStrictEqual(make().write(handshake, bytes(10), tls10), plain(handshake, bytes(10), 0x0301))
    assert.deepStrictEqual(make().write(alert, new Uint8Array(0)), plain(alert, new Uint8Array(0)))
  })

  it("are as many as the content needs", () => {
    for (const [maxFragment, most] of [
      [64, 64],
      [16_384, 16_384],
      [100_000, 16_384]
    ] as const) {
      for (const length of [1, most - 1, most, most + 1, 3 * most, 3 * most + 1]) {
        const records = split(make({ maxFragment }).write(handshake, bytes(length), tls10))
        assert.deepStrictEqual(concat(records.map((record) => record.subarray(5))), bytes(length))
        assert.strictEqual(records.length, Math.ceil(length / most))
        for (const record of records) {
          assert.deepStrictEqual(record.subarray(0, 5), header(22, record.length - 5, 0x0301))
          assert.isAtMost(record.length - 5, most)
        }
      }
    }
  })

  it("do not keep to the peer's record_size_limit, which is about protected ones (RFC 8449 §4)", () => {
    const writer = make()
    writer.maxInner = 64
    assert.strictEqual(split(writer.write(handshake, bytes(1000))).length, 1)
  })

  it("are not padded, and none is too many", () => {
    const writer = make({ padding: 512 })
    assert.isFalse(writer.isProtected)
    assert.strictEqual(writer.remaining, Infinity)
    assert.strictEqual(writer.write(handshake, bytes(10)).length, 15)
  })
})

describe("protected records", () => {
  it.each(providers.flatMap(([provider, crypto]) => aeads.map((aead) => [provider, aead, crypto] as const)))(
    "by %s with %s are opened by another, one number after the other",
    (_, aead, crypto) => {
      const own = keys(aead)
      const writer = make({ maxFragment: 100 })
      writer.protect(protection(own, crypto), Infinity)
      assert.isTrue(writer.isProtected)
      const stream = concat([
        writer.write(handshake, bytes(250)),
        writer.write(alert, Uint8Array.of(1, 0)),
        writer.write(applicationData, new Uint8Array(0))
      ])
      const inner = split(stream).map((record, i) => {
        assert.deepStrictEqual(record.subarray(0, 5), header(23, record.length - 5))
        return openedInner(record, i, own)
      })
      assert.deepStrictEqual(inner, [
        Uint8Array.of(...bytes(250).subarray(0, 100), 22),
        Uint8Array.of(...bytes(250).subarray(100, 200), 22),
        Uint8Array.of(...bytes(250).subarray(200), 22),
        Uint8Array.of(1, 0, 21),
        Uint8Array.of(23)
      ])
      assert.strictEqual(stream.length, 5 * (5 + 1 + aeadLengths[aead].tag) + 252)
    }
  )

  it("have version 3.3, whatever is asked for", () => {
    assert.deepStrictEqual(protectedWriter().write(handshake, bytes(1), tls10).subarray(0, 3), Uint8Array.of(23, 3, 3))
  })

  it("begin at number zero with every key", () => {
    const writer = protectedWriter()
    writer.write(applicationData, bytes(1))
    writer.write(applicationData, bytes(1))
    const next = keys("AES-128-GCM", 2)
    writer.protect(protection(next), Infinity)
    assert.deepStrictEqual(openedInner(writer.write(applicationData, bytes(1)), 0, next), Uint8Array.of(1, 23))
  })

  it("are counted, so that the key is changed in time", () => {
    const writer = protectedWriter({ maxFragment: 100 }, 5)
    assert.strictEqual(writer.remaining, 5)
    writer.write(applicationData, bytes(250))
    assert.strictEqual(writer.remaining, 2)
    writer.write(applicationData, new Uint8Array(0))
    assert.strictEqual(writer.remaining, 1)
    writer.protect(protection(keys("AES-128-GCM", 2)), 7)
    assert.strictEqual(writer.remaining, 7)
  })

  it("are as large as the smaller of our limit and the peer's", () => {
    const writer = protectedWriter({ maxFragment: 1000 })
    assert.strictEqual(writer.fragmentLength, 1000)
    writer.maxInner = 1001
    assert.strictEqual(writer.fragmentLength, 1000)
    writer.maxInner = 1000
    assert.strictEqual(writer.fragmentLength, 999)
    writer.maxInner = 64
    const records = opened(writer.write(applicationData, bytes(63 * 3 + 1)))
    assert.deepStrictEqual(
      records.map(({ length }) => length),
      [64, 64, 64, 2]
    )
    assert.strictEqual(make({ maxFragment: 100_000 }).fragmentLength, 16_384)
  })

  it("show nothing of the record before in their padding", () => {
    const writer = protectedWriter({ padding: 256 })
    writer.write(applicationData, new Uint8Array(1000).fill(0xaa))
    const inner = openedInner(writer.write(applicationData, Uint8Array.of(7)), 1)
    assert.deepStrictEqual(inner, Uint8Array.of(7, 23, ...new Uint8Array(254)))
  })

  it("are padded to a multiple, content and type included (RFC 9846 §5.4)", () => {
    const lengths = (padding: number, ...contents: ReadonlyArray<number>) => {
      const writer = protectedWriter({ padding })
      return contents.map((length, i) => opened(writer.write(applicationData, bytes(length)), i)[0]!.length)
    }
    assert.deepStrictEqual(lengths(1, 0, 1, 31, 32), [1, 2, 32, 33])
    assert.deepStrictEqual(lengths(32, 0, 1, 30, 31, 32, 63), [32, 32, 32, 32, 64, 64])
    assert.deepStrictEqual(lengths(16_384, 0, 16_383, 16_384), [16_384, 16_384, 16_385])
    // Nor are alerts and handshake messages told by their length.
    assert.strictEqual(opened(protectedWriter({ padding: 64 }).write(alert, Uint8Array.of(1, 0)))[0]!.length, 64)
  })

  it("keep every limit at once, and lose nothing", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.record({
          length: FastCheck.integer({ min: 0, max: 3000 }),
          maxFragment: FastCheck.integer({ min: 64, max: 1000 }),
          maxInner: FastCheck.integer({ min: 64, max: 1100 }),
          padding: FastCheck.integer({ min: 1, max: 700 })
        }),
        ({ length, maxFragment, maxInner, padding }) => {
          const writer = protectedWriter({ maxFragment, padding })
          writer.maxInner = maxInner
          const records = opened(writer.write(applicationData, bytes(length)))
          assert.deepStrictEqual(concat(records.map(({ content }) => content)), bytes(length))
          for (const record of records) {
            assert.strictEqual(record.type, applicationData)
            assert.isAtMost(record.content.length, maxFragment)
            assert.isAtMost(record.length, maxInner)
            assert.isTrue(record.length % padding === 0 || record.length === maxInner)
          }
          assert.strictEqual(records.length, Math.max(1, Math.ceil(length / Math.min(maxFragment, maxInner - 1))))
        }
      ),
      { numRuns: 200 }
    )
  })
})

describe("what is written", () => {
  it("is read, however it is cut on the way", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(FastCheck.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 5 }),
        FastCheck.integer({ min: 64, max: 200 }),
        FastCheck.integer({ min: 1, max: 100 }),
        FastCheck.integer({ min: 1, max: 90 }),
        (lengths, maxFragment, padding, size) => {
          const writer = protectedWriter({ maxFragment, padding })
          const stream = concat(lengths.map((length) => writer.write(applicationData, bytes(length, length))))
          const reader = new RecordReader(Limits.defaults)
          reader.protect(protection())
          const contents: Array<Uint8Array> = []
          for (let at = 0; at < stream.length; at += size) {
            reader.push(stream.subarray(at, at + size))
            for (let record = reader.next(); record !== undefined; record = reader.next()) {
              assert(!(record instanceof HandshakeError))
              contents.push(record.fragment)
            }
          }
          assert.deepStrictEqual(concat(contents), concat(lengths.map((length) => bytes(length, length))))
          assert.strictEqual(reader.buffered, 0)
        }
      ),
      { numRuns: 100 }
    )
  })
})
