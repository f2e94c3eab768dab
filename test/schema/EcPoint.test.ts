/** Points in all their forms, against OpenSSL by way of Node. */
import { createECDH, ECDH } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as NobleCrypto from "../../src/layers/NobleCrypto.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import type { EcCurve } from "../../src/schema/Algorithms.ts"
import * as Bytes from "../../src/schema/Bytes.ts"
import * as Der from "../../src/schema/Der.ts"
import * as EcPoint from "../../src/schema/EcPoint.ts"
import { oids } from "../../src/schema/ObjectIdentifier.ts"
import * as PublicKey from "../../src/schema/PublicKey.ts"
import * as identities from "../support/identities.ts"

const curves: ReadonlyArray<readonly [curve: EcCurve, opensslName: string]> = [
  ["P-256", "prime256v1"],
  ["P-384", "secp384r1"],
  ["P-521", "secp521r1"]
]

/** A new point in the three forms of SEC 1. */
const point = (name: string) => {
  const pair = createECDH(name)
  const whole = pair.generateKeys()
  const form = (format: "uncompressed" | "compressed" | "hybrid") =>
    new Uint8Array(ECDH.convertKey(whole, name, undefined, undefined, format) as Buffer)
  return { uncompressed: form("uncompressed"), compressed: form("compressed"), hybrid: form("hybrid") }
}

const spki = (curve: EcCurve, bytes: Uint8Array) =>
  Der.sequence(Der.sequence(Der.oid(oids.ecPublicKey), Der.oid(oids[curve])), Der.bitString(bytes))

const problemOf = (decoded: ReturnType<typeof PublicKey.decode>): string =>
  Either.getOrThrowWith(Either.flip(decoded), () => new Error("it was decoded")).problem

describe.each(curves)("a point on %s", (curve, name) => {
  it("is the same, compressed or not", () => {
    const parities = new Set<number>()
    while (parities.size < 2) {
      const { compressed, uncompressed } = point(name)
      parities.add(compressed[0]!)
      assert.deepStrictEqual(EcPoint.uncompressed(curve, compressed), uncompressed)
      assert.strictEqual(EcPoint.uncompressed(curve, uncompressed), uncompressed)
      const [one, other] = [compressed, uncompressed].map((bytes) =>
        Either.getOrThrow(PublicKey.decode(spki(curve, bytes)))
      )
      assert.isTrue(PublicKey.equals(one!, other!))
      assert.deepStrictEqual(one, { _tag: "Ec", curve, point: uncompressed, spki: spki(curve, compressed) })
      const stranger = Either.getOrThrow(PublicKey.decode(spki(curve, point(name).compressed)))
      assert.isFalse(PublicKey.equals(one!, stranger))
    }
  })

  it("is none where x is no coordinate of one", () => {
    const length = EcPoint.coordinateLength[curve]
    let refused = 0
    for (let i = 0; i < 32; i++) {
      const { compressed } = point(name)
      compressed[length]! ^= 1
      let expected: Uint8Array | undefined
      try {
        expected = new Uint8Array(ECDH.convertKey(compressed, name, undefined, undefined, "uncompressed") as Buffer)
      } catch {
        refused++
      }
      assert.deepStrictEqual(
        EcPoint.uncompressed(curve, compressed),
        expected ?? { problem: `a compressed point that is not on ${curve}` }
      )
    }
    // Every second number is one.
    assert.isAbove(refused, 0)
    assert.isBelow(refused, 32)
    const above = Bytes.concat([Uint8Array.of(2), new Uint8Array(length).fill(0xff)])
    assert.deepStrictEqual(EcPoint.uncompressed(curve, above), {
      problem: `a compressed point that is not on ${curve}`
    })
  })

  it("is refused in other forms, with what converts it", () => {
    const { hybrid, uncompressed } = point(name)
    assert.strictEqual(
      problemOf(PublicKey.decode(spki(curve, hybrid))),
      `a ${curve} key as a hybrid point, which RFC 5480 forbids: \`openssl ec -conv_form uncompressed\` converts it`
    )
    for (const bytes of [
      new Uint8Array(0),
      Uint8Array.of(0),
      uncompressed.subarray(1),
      uncompressed.subarray(0, -1),
      Bytes.concat([Uint8Array.of(5), uncompressed.subarray(1)]),
      Bytes.concat([Uint8Array.of(4), uncompressed])
    ]) {
      assert.strictEqual(problemOf(PublicKey.decode(spki(curve, bytes))), `a ${curve} key that is not a point`)
    }
  })

  it("verifies for every provider when it came compressed", async () => {
    const { privateKey } = identities.makeSync({ key: { _tag: "Ec", curve } })
    const key = privateKey.publicKey as PublicKey.PublicKey & { readonly _tag: "Ec" }
    const form = ECDH.convertKey(key.point, name, undefined, undefined, "compressed") as Buffer
    const read = Either.getOrThrow(PublicKey.decode(spki(curve, new Uint8Array(form))))
    const data = new TextEncoder().encode("message")
    const algorithm = { _tag: "Ecdsa", hash: "SHA-512" } as const
    const signature = await Effect.runPromise(privateKey.sign(algorithm, data))
    for (const crypto of [NodeCrypto.make(), NobleCrypto.make()]) {
      assert.isTrue(await Effect.runPromise(crypto.verify(algorithm, read, data, signature)))
      assert.isFalse(await Effect.runPromise(crypto.verify(algorithm, read, data.subarray(1), signature)))
    }
  })
})
