import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import type { ByteReader } from "../../src/schema/ByteReader.ts"
import { decode, DecodeError } from "../../src/schema/ByteReader.ts"

const bytes = Uint8Array.of(0x01, 0x82, 0x03, 0xff, 0xfe, 0xfd, 0xfc, 0x08)

const read = <A>(decoder: (reader: ByteReader) => A, input: Uint8Array = bytes) =>
  Either.match(decode("Test", decoder)(input), { onLeft: (error) => error.message, onRight: (value) => value })

describe("ByteReader", () => {
  it("reads numbers in network byte order, up to the largest", () => {
    assert.deepStrictEqual(
      read((r) => [r.uint8(), r.uint16(), r.uint32(), r.uint8()]),
      [0x01, 0x8203, 0xfffe_fdfc, 0x08]
    )
    assert.deepStrictEqual(
      read((r) => [r.uint24(), r.uint32(), r.uint8()]),
      [0x018203, 0xfffe_fdfc, 0x08]
    )
  })

  it.each<readonly [string, (reader: ByteReader) => unknown, string]>([
    ["uint8", (r) => [r.take(8), r.uint8()], "1 byte(s) expected, 0 left (at byte 8)"],
    ["uint16", (r) => [r.take(7), r.uint16()], "2 byte(s) expected, 1 left (at byte 7)"],
    ["uint24", (r) => [r.take(6), r.uint24()], "3 byte(s) expected, 2 left (at byte 6)"],
    ["uint32", (r) => [r.take(5), r.uint32()], "4 byte(s) expected, 3 left (at byte 5)"],
    ["take", (r) => r.take(9), "9 byte(s) expected, 8 left (at byte 0)"],
    ["vector8", (r) => [r.take(7), r.vector8()], "8 byte(s) expected, 0 left (at byte 8)"],
    ["vector16", (r) => r.vector16(), "386 byte(s) expected, 6 left (at byte 2)"],
    ["vector24", (r) => r.vector24(), "98819 byte(s) expected, 5 left (at byte 3)"],
    ["vector8's least", (r) => r.vector8(2), "a vector of 1 byte(s), at least 2 expected (at byte 1)"],
    ["finish", (r) => r.take(6), "2 byte(s) too many (at byte 6)"],
    ["fail", (r) => [r.uint8(), r.fail("it is wrong")], "it is wrong (at byte 1)"],
    ["fail elsewhere", (r) => r.fail("it is wrong", 5), "it is wrong (at byte 5)"]
  ])("does not read past the end: %s", (_, decoder, problem) => {
    assert.strictEqual(read(decoder), `Test: ${problem}`)
  })

  it("bounds a vector by its own length", () => {
    assert.strictEqual(
      read((r) => r.vector8().uint16()),
      "Test: 2 byte(s) expected, 1 left (at byte 1)"
    )
    assert.strictEqual(
      read((r) => r.vector8(0, "Inner").uint16()),
      "Inner: 2 byte(s) expected, 1 left (at byte 1)"
    )
  })

  it("reads items until the end, and stops at one that reads nothing", () => {
    assert.deepStrictEqual(
      read((r) => r.many((item) => item.uint16())),
      [0x0182, 0x03ff, 0xfefd, 0xfc08]
    )
    assert.strictEqual(
      read((r) => r.many((item) => item.uint24())),
      "Test: 3 byte(s) expected, 2 left (at byte 6)"
    )
    assert.strictEqual(
      read((r) => r.many(() => 1)),
      "Test: an item of no bytes (at byte 0)"
    )
    assert.deepStrictEqual(
      read((r) => r.many((item) => item.uint8()), new Uint8Array(0)),
      []
    )
  })

  it("gives views", () => {
    const taken = read((r) => [r.take(3), r.rest()]) as ReadonlyArray<Uint8Array>
    assert.deepStrictEqual(taken, [bytes.subarray(0, 3), bytes.subarray(3)])
    assert.strictEqual(taken[1]!.buffer, bytes.buffer)
  })

  it("lets through what is no DecodeError: a mistake of ours is not the peer's", () => {
    assert.throws(
      () =>
        read(() => {
          throw new TypeError("ours")
        }),
      TypeError
    )
  })

  it("errors are values with what, where and why", () => {
    const error = Either.flip(decode("Test", (r: ByteReader) => r.uint8())(new Uint8Array(0)))
    assert(Either.isRight(error) && error.right instanceof DecodeError)
    assert.deepInclude(error.right, { _tag: "DecodeError", what: "Test", at: 0, problem: "1 byte(s) expected, 0 left" })
  })
})
