import { assert, describe, it } from "@effect/vitest"
import { ByteWriter } from "../../src/schema/ByteWriter.ts"
import { toHex } from "../../src/schema/Bytes.ts"

describe("ByteWriter", () => {
  it("writes numbers in network byte order, up to the largest", () => {
    const writer = new ByteWriter(1).uint8(0).uint8(0xff).uint16(0x0102).uint16(0xffff)
    writer.uint24(0x010203).uint24(0xffffff).uint32(0x01020304).uint32(0xffff_ffff)
    assert.strictEqual(toHex(writer.finish()), "00ff0102ffff010203ffffff01020304ffffffff")
  })

  it("writes vectors with their lengths, one in another, whatever it has to grow", () => {
    const writer = new ByteWriter(1)
    writer.vector8((a) => a.vector16((b) => b.vector24((c) => c.raw(new Uint8Array(200).fill(7)))))
    assert.strictEqual(toHex(writer.finish()), `cd00cb0000c8${"07".repeat(200)}`)
    const prefix = (length: number, width: 16 | 24) => {
      const body = (w: ByteWriter) => w.raw(new Uint8Array(length))
      return toHex((width === 16 ? new ByteWriter().vector16(body) : new ByteWriter().vector24(body)).finish()).slice(
        0,
        width / 4
      )
    }
    assert.deepStrictEqual([prefix(0x0102, 16), prefix(0x8001, 16), prefix(0x018203, 24)], ["0102", "8001", "018203"])
  })

  it.each<readonly [string, number, (writer: ByteWriter, value: number) => unknown]>([
    ["uint8", 0x100, (w, value) => w.uint8(value)],
    ["uint16", 0x1_0000, (w, value) => w.uint16(value)],
    ["uint24", 0x100_0000, (w, value) => w.uint24(value)],
    ["uint32", 0x1_0000_0000, (w, value) => w.uint32(value)]
  ])("refuses a number that does not fit: %s", (_, tooLarge, write) => {
    for (const value of [tooLarge, -1, 0.5, Number.NaN, Infinity, undefined as unknown as number]) {
      assert.throws(() => write(new ByteWriter(), value), RangeError)
    }
    write(new ByteWriter(), tooLarge - 1)
  })

  it("says what does not fit", () => {
    assert.throws(() => new ByteWriter().uint16(65_536), "65536 is not a whole number of 16 bits")
  })

  it("refuses a vector that does not fit its length", () => {
    const body = (length: number) => (w: ByteWriter) => w.raw(new Uint8Array(length))
    assert.strictEqual(new ByteWriter().vector8(body(255)).finish().length, 256)
    assert.throws(() => new ByteWriter().vector8(body(256)), RangeError)
    assert.strictEqual(new ByteWriter().vector16(body(65_535)).finish().length, 65_537)
    assert.throws(() => new ByteWriter().vector16(body(65_536)), RangeError)
    assert.throws(() => new ByteWriter().vector24(body(2 ** 24)), RangeError)
  })
})
