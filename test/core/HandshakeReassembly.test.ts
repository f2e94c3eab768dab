import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { HandshakeReassembly } from "../../src/core/HandshakeReassembly.ts"
import { concat, toHex } from "../../src/schema/Bytes.ts"
import * as Limits from "../../src/schema/Limits.ts"
import { HandshakeError } from "../../src/schema/TlsError.ts"
import { bytes } from "./records.ts"

const make = (limits: Partial<Limits.Limits> = {}) => new HandshakeReassembly({ ...Limits.defaults, ...limits })

const header = (type: number, length: number) =>
  Uint8Array.of(type, length >>> 16, (length >>> 8) & 0xff, length & 0xff)

const message = (type: number, length: number) => concat([header(type, length), bytes(length, type)])

const drain = (reassembly: HandshakeReassembly): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (;;) {
    const next = reassembly.next("authentication")
    if (next === undefined) return found
    assert(!(next instanceof HandshakeError))
    found.push(toHex(next))
  }
}

const flight = [message(8, 2), message(11, 70), message(5, 0), message(15, 20), message(20, 32)]
const expected = flight.map(toHex)
const stream = concat(flight)

describe("messages from fragments", () => {
  it("come out the same however they are cut into records", () => {
    for (let size = 1; size <= stream.length; size++) {
      const reassembly = make()
      const found: Array<string> = []
      for (let at = 0; at < stream.length; at += size) {
        reassembly.push(stream.subarray(at, at + size))
        found.push(...drain(reassembly))
      }
      assert.deepStrictEqual(found, expected, `in fragments of ${size}`)
      assert.isFalse(reassembly.pending)
    }
    for (let at = 0; at <= stream.length; at++) {
      const reassembly = make()
      reassembly.push(stream.subarray(0, at))
      reassembly.push(stream.subarray(at))
      assert.deepStrictEqual(drain(reassembly), expected)
    }
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(FastCheck.integer({ min: 0, max: stream.length }), { maxLength: 12 }),
        FastCheck.boolean(),
        (cuts, eager) => {
          const edges = [0, ...cuts.sort((a, b) => a - b), stream.length]
          const reassembly = make()
          const found: Array<string> = []
          for (const [i, end] of edges.slice(1).entries()) {
            reassembly.push(stream.subarray(edges[i], end))
            if (eager) found.push(...drain(reassembly))
          }
          assert.deepStrictEqual([...found, ...drain(reassembly)], expected)
        }
      )
    )
  })

  it("are not copied when they came in one piece", () => {
    const reassembly = make()
    reassembly.push(stream)
    for (const one of flight) {
      const next = reassembly.next("negotiation")
      assert(next instanceof Uint8Array)
      assert.strictEqual(next.buffer, stream.buffer)
      assert.strictEqual(next.length, one.length)
    }
  })

  it("know whether one is half read, which must not be at a change of keys", () => {
    const reassembly = make()
    assert.isFalse(reassembly.pending)
    for (let at = 1; at < flight[0]!.length; at++) {
      reassembly.push(flight[0]!.subarray(at - 1, at))
      assert.isUndefined(reassembly.next("negotiation"))
      assert.isTrue(reassembly.pending)
    }
    reassembly.push(concat([flight[0]!.subarray(-1), Uint8Array.of(11)]))
    assert.instanceOf(reassembly.next("negotiation"), Uint8Array)
    assert.isTrue(reassembly.pending, "the first byte of another")
    reassembly.push(flight[1]!.subarray(1))
    assert.instanceOf(reassembly.next("negotiation"), Uint8Array)
    assert.isFalse(reassembly.pending)
  })
})

describe("the length of a message", () => {
  it.each([
    ["a Certificate", 11, 102_400],
    ["a ClientHello", 1, 65_536],
    ["a CertificateRequest", 13, 65_536],
    ["an unknown message", 99, 65_536]
  ])("is bounded as soon as it is said: %s", (_, type, most) => {
    const reassembly = make()
    reassembly.push(header(type, most))
    assert.isUndefined(reassembly.next("negotiation"))
    reassembly.push(new Uint8Array(most))
    assert.instanceOf(reassembly.next("negotiation"), Uint8Array)

    const longer = make()
    longer.push(header(type, most + 1))
    const error = longer.next("authentication")
    assert(error instanceof HandshakeError)
    assert.deepInclude(error, { reason: "MessageTooLarge", phase: "authentication" })
    assert.include(error.message, `of ${most + 1} bytes, at most ${most} allowed`)
  })

  it("is bounded by the options", () => {
    const reassembly = make({ handshakeMessage: 10, certificateMessage: 20 })
    reassembly.push(concat([message(11, 20), message(8, 10), message(8, 11)]))
    assert.instanceOf(reassembly.next("negotiation"), Uint8Array)
    assert.instanceOf(reassembly.next("negotiation"), Uint8Array)
    assert.instanceOf(reassembly.next("negotiation"), HandshakeError)
  })
})
