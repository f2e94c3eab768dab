/** The two forms of a signature. */
import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import type { EcCurve } from "../../src/schema/Algorithms.ts"
import * as Bytes from "../../src/schema/Bytes.ts"
import * as EcdsaSignature from "../../src/schema/EcdsaSignature.ts"
import { coordinateLength } from "../../src/schema/EcPoint.ts"

const curves: ReadonlyArray<EcCurve> = ["P-256", "P-384", "P-521"]
const problem = (result: ReturnType<typeof EcdsaSignature.toRaw>): string =>
  Either.getOrThrowWith(Either.flip(result), () => new Error("it was read")).problem

describe.each(curves)("an ECDSA signature on %s", (curve) => {
  const width = coordinateLength[curve]

  it.prop(
    "goes from numbers to DER and back",
    [FastCheck.uint8Array({ minLength: 2 * width, maxLength: 2 * width }), FastCheck.nat(2 * width)],
    ([bytes, zeros]) => {
      // Numbers with zeros in front are the ones that go wrong.
      const raw = bytes.fill(0, 0, zeros)
      const der = Either.getOrThrow(EcdsaSignature.fromRaw(curve, raw))
      assert.deepStrictEqual(Either.getOrThrow(EcdsaSignature.toRaw(curve, der)), raw)
    }
  )

  it("has two numbers of its width", () => {
    for (const length of [0, width, 2 * width - 1, 2 * width + 1, 2 * width + 2]) {
      assert.strictEqual(
        problem(EcdsaSignature.fromRaw(curve, new Uint8Array(length))),
        `${length} byte(s), two numbers of ${curve} have ${2 * width}`
      )
    }
    const long = Uint8Array.of(0x30, width + 6, 0x02, width + 1, ...new Uint8Array(width + 1).fill(1), 0x02, 1, 1)
    assert.strictEqual(
      problem(EcdsaSignature.toRaw(curve, long)),
      `a number of ${width + 1} bytes, a signature on ${curve} has ${width}`
    )
  })

  it("is DER and nothing else", () => {
    const right = Uint8Array.of(0x30, 6, 2, 1, 1, 2, 1, 1)
    assert.isTrue(Either.isRight(EcdsaSignature.toRaw(curve, right)))
    for (const wrong of [
      Bytes.concat([right, Uint8Array.of(0)]),
      Uint8Array.of(0x30, 7, 2, 1, 1, 2, 1, 1, 0),
      Uint8Array.of(0x30, 0x81, 6, 2, 1, 1, 2, 1, 1),
      Uint8Array.of(0x30, 7, 2, 2, 0, 1, 2, 1, 1),
      Uint8Array.of(0x30, 6, 2, 1, 0xff, 2, 1, 1),
      Uint8Array.of(0x30, 9, 2, 1, 1, 2, 1, 1, 2, 1, 1),
      Uint8Array.of(0x30, 3, 2, 1, 1),
      new Uint8Array(0)
    ]) {
      assert.isTrue(Either.isLeft(EcdsaSignature.toRaw(curve, wrong)), Bytes.toHex(wrong))
    }
  })
})
