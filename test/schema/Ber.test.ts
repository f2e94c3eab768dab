/** BER brought to DER, and what is neither. */
import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Ber from "../../src/schema/Ber.ts"
import * as Bytes from "../../src/schema/Bytes.ts"
import * as Der from "../../src/schema/Der.ts"

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replace(/\s/g, ""), "hex"))
const toDer = Ber.toDer("value")
const der = (text: string): string => Bytes.toHex(Either.getOrThrow(toDer(hex(text))))
const problem = (bytes: Uint8Array): string =>
  Either.getOrThrowWith(Either.flip(toDer(bytes)), () => new Error("it was read")).problem

describe("BER", () => {
  const cases: ReadonlyArray<readonly [what: string, ber: string, der: string]> = [
    ["an indefinite length", "3080 020101 0000", "3003020101"],
    ["indefinite lengths within each other", "3080 a080 0201010000 0000", "3005a003020101"],
    ["a length that is not minimal", "3081 03 020101", "3003020101"],
    ["lengths with zeros in front", "3084 00000004 028101 01", "3003020101"],
    ["an octet string in pieces", "2480 04020102 040103 0000", "0403010203"],
    ["pieces of a known length", "2407 04020102 040103", "0403010203"],
    ["pieces in pieces", "2480 2480 040101 0000 040102 0000", "04020102"],
    ["an octet string of no pieces", "2480 0000", "0400"],
    ["pieces behind a tag of their own, which only a schema can tell", "a080 040101 0000", "a003040101"],
    ["an empty value", "3000", "3000"]
  ]
  it.each(cases)("%s", (_, ber, expected) => assert.strictEqual(der(ber), expected))

  const wrong: ReadonlyArray<readonly [what: string, ber: string]> = [
    ["an indefinite length without its end", "3080 020101"],
    ["a value of one piece with an indefinite length", "0480 0000"],
    ["an end of contents with a length", "3080 0001"],
    ["a length of 9 bytes", "3089 000000000000000000"],
    ["a tag number above 30", "1f01"],
    ["1 byte(s) too many", "3000 00"],
    ["OctetString expected, Integer found", "2480 020101 0000"],
    ["3 byte(s) expected, 1 left", "3003 00"]
  ]
  it.each(wrong)("%s", (what, ber) => assert.strictEqual(problem(hex(ber)), what))

  it("nests as deep as DER may, and no deeper", () => {
    const nested = (depth: number) =>
      Uint8Array.from({ length: 4 * depth }, (_, i) => (i >= 2 * depth ? 0 : i % 2 === 0 ? 0x30 : 0x80))
    assert.isTrue(Either.isRight(toDer(nested(Der.maxDepth))))
    assert.strictEqual(problem(nested(Der.maxDepth + 2)), "values nested more than 32 deep")
    assert.strictEqual(problem(nested(100_000)), "values nested more than 32 deep")
  })

  const value: FastCheck.Arbitrary<Uint8Array> = FastCheck.letrec<{ value: Uint8Array }>((tie) => ({
    value: FastCheck.oneof(
      { maxDepth: 4, withCrossShrink: true },
      FastCheck.uint8Array({ maxLength: 300 }).map((bytes) => Der.octetString(bytes)),
      FastCheck.array(tie("value"), { maxLength: 4 }).map((items) => Der.sequence(...items)),
      FastCheck.array(tie("value"), { maxLength: 4 }).map((items) => Der.value(0xa0, ...items))
    )
  })).value

  /** Every constructed value with an indefinite length, every string in pieces. */
  const loosened = (bytes: Uint8Array): Uint8Array => {
    const reader = new Der.DerReader(bytes, "value")
    const tag = reader.peek()
    const content = reader.content(tag)
    if (tag === Der.Tag.OctetString) {
      const half = content.length >> 1
      return Bytes.concat([
        Uint8Array.of(0x24, 0x80),
        ...[content.subarray(0, half), content.subarray(half)].map((piece) => Der.octetString(piece)),
        new Uint8Array(2)
      ])
    }
    const inner = new Der.DerReader(content, "value")
    const items: Array<Uint8Array> = []
    while (!inner.isEmpty) items.push(loosened(inner.element()))
    return Bytes.concat([Uint8Array.of(tag, 0x80), ...items, new Uint8Array(2)])
  }

  it.prop(
    "what is DER stays what it is, and comes back from BER",
    [value],
    ([bytes]) => {
      assert.deepStrictEqual(Either.getOrThrow(toDer(bytes)), bytes)
      assert.deepStrictEqual(Either.getOrThrow(toDer(loosened(bytes))), bytes)
    },
    { fastCheck: { numRuns: 300 } }
  )

  it("takes time with the length of the input", () => {
    const many = Bytes.concat([
      Uint8Array.of(0x24, 0x80),
      new Uint8Array(0),
      ...Array<Uint8Array>(1_000_000).fill(hex("040101")),
      new Uint8Array(2)
    ])
    const before = performance.now()
    assert.lengthOf(Either.getOrThrow(toDer(many)), 1_000_000 + 5)
    assert.isBelow(performance.now() - before, 15_000)
  })
})
