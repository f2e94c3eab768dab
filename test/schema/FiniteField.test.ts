/** The primes of RFC 7919 against OpenSSL's own, and which bytes are public values. */
import { assert, describe, it } from "@effect/vitest"
import { createHash } from "node:crypto"
import * as Either from "effect/Either"
import * as Der from "../../src/schema/Der.ts"
import type { FiniteFieldName } from "../../src/schema/FiniteField.ts"
import * as FiniteField from "../../src/schema/FiniteField.ts"
import * as NamedGroup from "../../src/schema/NamedGroup.ts"
import { hasOpenssl, workshop } from "../support/openssl.ts"

/** SHA-256 of the primes that RFC 7919 prints. */
const published: ReadonlyArray<readonly [FiniteFieldName, digest: string]> = [
  ["ffdhe2048", "9cd3b7f336872f46c09428d1bbc19877a4d440512cda8d1c1cf0cd6e33698966"],
  ["ffdhe3072", "0eaf67db3a839156d5013494a5318a772b5697d270d721f37f092efc69ea5a17"],
  ["ffdhe4096", "4648414224ac881b3d0dc59b466f96d06a558278776807797ecf1f66ff397b3e"],
  ["ffdhe6144", "227ac9066b3ddd9e193670cda2388fa884f65ba0cf98b742d1fe77a6687c79c7"],
  ["ffdhe8192", "770b14efaf6f049929c523113b3fa99a8d11dab1b18af3609590122075d19833"]
]

const readParameters = Der.decode("DHParameter", (reader) => {
  const inner = reader.sequence()
  const prime = inner.unsignedBytes()
  const generator = inner.unsigned()
  while (!inner.isEmpty) inner.element()
  return { prime, generator }
})

describe("FiniteField", () => {
  it.each(published)("has the prime of %s, made once", (name, digest) => {
    const prime = FiniteField.prime(name)
    assert.strictEqual(createHash("sha256").update(prime).digest("hex"), digest)
    assert.strictEqual(FiniteField.prime(name), prime)
    assert.strictEqual(prime.length, NamedGroup.fromName(name)!.clientShare)
  })

  it.skipIf(!hasOpenssl).each(published)("has OpenSSL's numbers of %s", (name) => {
    using shop = workshop()
    const pem = shop.run(..."genpkey -genparam -algorithm DH -pkeyopt".split(" "), `group:${name}`)
    const der = new Uint8Array(Buffer.from(pem.replace(/-----.*/g, ""), "base64"))
    assert.deepStrictEqual(Either.getOrThrow(readParameters(der)), {
      prime: FiniteField.prime(name),
      generator: FiniteField.generator
    })
  })

  it.each(published)("knows what is between 1 and p - 1 of %s (RFC 9846 §4.2.8.1)", (name) => {
    const prime = FiniteField.prime(name)
    const last = prime.length - 1
    const ending = (start: Uint8Array, byte: number) => Uint8Array.of(...start.subarray(0, last), byte)
    const zeros = new Uint8Array(prime.length)
    const higher = prime.slice()
    const at = prime.findIndex((byte) => byte < 255)
    higher[at]!++
    const lower = new Uint8Array(prime.length).fill(0xff)
    lower[at] = prime[at]! - 1
    const verdicts = [
      ending(zeros, 0),
      ending(zeros, 1),
      ending(zeros, 2),
      Uint8Array.of(1, ...zeros.subarray(1)),
      ending(prime, 0xfd),
      ending(prime, 0xfe),
      prime,
      lower,
      higher,
      new Uint8Array(prime.length).fill(0xff),
      prime.subarray(1),
      Uint8Array.of(0, ...ending(zeros, 2))
    ].map((share) => FiniteField.problem(name, share))
    const small = "a public value of 0 or 1"
    const large = "a public value that is not less than the prime minus one"
    const length = (found: number) => `a share of ${found} bytes, ${prime.length} expected`
    assert.deepStrictEqual(verdicts, [
      small,
      small,
      undefined,
      undefined,
      undefined,
      large,
      large,
      undefined,
      large,
      large,
      length(last),
      length(last + 2)
    ])
  })

  it("fills up with zeros on the left", () => {
    const padded = FiniteField.pad("ffdhe2048", Uint8Array.of(1, 2))
    assert.strictEqual(padded.length, 256)
    assert.deepStrictEqual([...padded.subarray(252)], [0, 0, 1, 2])
    assert.isTrue(padded.subarray(0, 254).every((byte) => byte === 0))
    assert.deepStrictEqual(FiniteField.pad("ffdhe3072", FiniteField.prime("ffdhe3072")), FiniteField.prime("ffdhe3072"))
  })
})
