import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Bytes from "../../src/schema/Bytes.ts"
import * as Der from "../../src/schema/Der.ts"
import * as ObjectIdentifier from "../../src/schema/ObjectIdentifier.ts"

const hex = (text: string) => Uint8Array.from(text.replace(/\s/g, "").match(/../g) ?? [], (byte) => parseInt(byte, 16))

const problemOf = (text: string, decoder: (reader: Der.DerReader) => unknown): string => {
  const result = Der.decode("test", decoder)(hex(text))
  return Either.isLeft(result) ? result.left.problem : "nothing"
}
const valueOf = <A>(text: string, decoder: (reader: Der.DerReader) => A): A =>
  Either.getOrThrow(Der.decode("test", decoder)(hex(text)))

describe("Der", () => {
  it.each([
    ["30 80 00 00", "an indefinite length"],
    ["30 81 01 00", "a length that is not minimal"],
    ["30 82 00 80", "a length that is not minimal"],
    ["30 85 01 00 00 00 00", "a length of 5 bytes"],
    ["30 84 ff ff ff ff", "4294967295 byte(s) of content expected, 0 left"],
    ["30 82 01", "a length that is cut off"],
    ["30", "a value without a length"],
    ["31 00", "Sequence expected, Set found"],
    ["3f 01 00", "Sequence expected, a value of tag 0x3f found"],
    ["", "Sequence expected, nothing left"],
    ["30 00 00", "1 byte(s) too many"]
  ])("refuses the length of %s", (text, problem) => {
    assert.strictEqual(
      problemOf(text, (reader) => reader.sequence().finish()),
      problem
    )
  })

  it.each([
    ["02 00", "an INTEGER of no bytes"],
    ["02 02 00 7f", "an INTEGER that is not minimal"],
    ["02 02 ff 80", "an INTEGER that is not minimal"],
    ["02 01 80", "a negative INTEGER"],
    ["02 07 01 00 00 00 00 00 00", "an INTEGER that is too large"]
  ])("refuses the integer %s", (text, problem) => {
    assert.strictEqual(
      problemOf(text, (reader) => reader.unsigned()),
      problem
    )
  })

  it("reads integers at the edges of their lengths", () => {
    for (const number of [0, 1, 127, 128, 255, 256, 32_767, 32_768, 65_535, 2 ** 32, 2 ** 48 - 1]) {
      assert.strictEqual(
        valueOf(Bytes.toHex(Der.integer(number)), (reader) => reader.unsigned()),
        number
      )
    }
  })

  it.each([
    ["01 01 01", "a BOOLEAN that is neither 00 nor ff"],
    ["01 02 ff ff", "a BOOLEAN that is not one byte"]
  ])("refuses the boolean %s", (text, problem) => {
    assert.strictEqual(
      problemOf(text, (reader) => reader.boolean()),
      problem
    )
  })

  it.each([
    ["03 00", "a BIT STRING without its count of unused bits"],
    ["03 01 01", "a BIT STRING with a wrong count of unused bits"],
    ["03 02 08 00", "a BIT STRING with a wrong count of unused bits"],
    ["03 02 04 08", "a BIT STRING whose unused bits are not zero"],
    ["03 02 04 10", "a BIT STRING that is not whole bytes"]
  ])("refuses the bit string %s", (text, problem) => {
    assert.strictEqual(
      problemOf(text, (reader) => reader.bitStringBytes()),
      problem
    )
  })

  it.each([
    ["06 00", "an empty object identifier"],
    ["06 02 2a 80", "an object identifier that ends within an arc"],
    ["06 03 2a 80 01", "an object identifier with a padded arc"],
    [`06 15 2a ${"ff".repeat(19)} 7f`, "an object identifier with an arc of more than 128 bits"]
  ])("refuses the object identifier %s", (text, problem) => {
    assert.strictEqual(
      problemOf(text, (reader) => reader.oid()),
      problem
    )
  })

  it.prop(
    "object identifiers survive a round trip",
    [
      FastCheck.oneof(
        FastCheck.tuple(FastCheck.nat(1), FastCheck.nat(39)),
        FastCheck.tuple(FastCheck.constant(2), FastCheck.nat())
      ),
      FastCheck.array(FastCheck.bigInt({ min: 0n, max: 2n ** 128n - 1n }), { maxLength: 8 })
    ],
    ([head, tail]) => {
      const text = [...head, ...tail].join(".")
      assert.isTrue(ObjectIdentifier.isObjectIdentifier(text))
      assert.strictEqual(
        valueOf(Bytes.toHex(Der.oid(ObjectIdentifier.make(text))), (reader) => reader.oid()),
        text
      )
    }
  )

  it.each([
    ["17 0d 3530303130313030303030305a", Date.UTC(1950, 0, 1)],
    ["17 0d 3439313233313233353935395a", Date.UTC(2049, 11, 31, 23, 59, 59)],
    ["18 0f 32303530303130313030303030305a", Date.UTC(2050, 0, 1)],
    ["18 0f 39393939313233313233353935395a", Date.UTC(9999, 11, 31, 23, 59, 59)],
    ["17 0d 3234303232393132303030305a", Date.UTC(2024, 1, 29, 12)]
  ])("reads the time %s", (text, time) => {
    assert.strictEqual(
      valueOf(text, (reader) => reader.time()),
      time
    )
    assert.strictEqual(Bytes.toHex(Der.time(time)), text.replace(/ /g, ""))
  })

  it.each([
    ["170b 323430323239313230305a", "a time that is not written as years to seconds and Z"],
    ["1711 3234303232393132303030302b30303030", "a time that is not written as years to seconds and Z"],
    ["180f 32303439313233313233353935395a", "a GeneralizedTime in 2049, which UTCTime is for"],
    ["1812 32303530303130313030303030302e31305a", "a time that is not written as years to seconds and Z"],
    ["170d 3233303232393132303030305a", "a time that does not exist"],
    ["170d 3233313330313132303030305a", "a time that does not exist"],
    ["170d 3233303130313234303030305a", "a time that does not exist"],
    ["170d 3233303130313132303036305a", "a time that does not exist"],
    ["0c00", "a time expected, Utf8String found"]
  ])("refuses the time %s", (text, problem) => {
    assert.strictEqual(
      problemOf(text, (reader) => reader.time()),
      problem
    )
  })

  it("bounds nesting", () => {
    const nest = (depth: number) => {
      let bytes = Der.sequence()
      for (let i = 1; i < depth; i++) bytes = Der.sequence(bytes)
      return bytes
    }
    const descend = (reader: Der.DerReader): number => (reader.isEmpty ? reader.depth : reader.within(0x30, descend))
    assert.strictEqual(valueOf(Bytes.toHex(nest(Der.maxDepth)), descend), Der.maxDepth)
    assert.strictEqual(
      problemOf(Bytes.toHex(nest(Der.maxDepth + 1)), descend),
      `values nested more than ${Der.maxDepth} deep`
    )
  })

  it("sorts sets and encodes lengths of every size", () => {
    assert.strictEqual(Bytes.toHex(Der.setOf(hex("0c0162"), hex("0c0161"), hex("0500"))), "310805000c01610c0162")
    for (const length of [0, 127, 128, 255, 256, 65_535, 65_536]) {
      const bytes = Der.octetString(new Uint8Array(length))
      assert.strictEqual(Either.getOrThrow(Der.decode("test", (reader) => reader.octetString())(bytes)).length, length)
    }
  })

  it("tells the position of what is wrong in the whole input", () => {
    const inner = Der.octetString(Der.sequence(Der.integer(1), hex("020200")))
    const result = Der.decode("outer", (reader) =>
      Der.decodeNested(reader, reader.octetString(), "inner", (nested) =>
        nested.within(0x30, (content) => [content.unsigned(), content.unsigned()])
      )
    )(inner)
    assert.deepStrictEqual(
      Either.getOrThrow(Either.flip(result)).message,
      "inner: 2 byte(s) of content expected, 1 left (at byte 7)"
    )
  })
})
