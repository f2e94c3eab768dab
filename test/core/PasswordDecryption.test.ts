/** The padding of what was decrypted; keys and bundles test the rest. */
import { assert, describe, it } from "@effect/vitest"
import { unpaddedLength } from "../../src/core/PasswordDecryption.ts"

describe("the padding of PKCS#7", () => {
  const block = 16
  it("has as many bytes as each of them says", () => {
    for (let count = 1; count <= block; count++) {
      const padded = new Uint8Array(2 * block).fill(0xaa)
      padded.fill(count, padded.length - count)
      assert.strictEqual(unpaddedLength(padded, block), padded.length - count)
      // Each byte of it, and none before it.
      for (let i = 0; i < padded.length; i++) {
        const changed = Uint8Array.from(padded)
        changed[i]! ^= 0x80
        assert.strictEqual(
          unpaddedLength(changed, block),
          i < padded.length - count ? padded.length - count : undefined,
          `${count} bytes, byte ${i} changed`
        )
      }
    }
  })

  it("is never nothing, nor more than a block", () => {
    for (const count of [0, block + 1, 0xff]) {
      assert.strictEqual(unpaddedLength(new Uint8Array(2 * block).fill(count), block), undefined)
    }
    assert.strictEqual(unpaddedLength(new Uint8Array(0), block), undefined)
    assert.strictEqual(unpaddedLength(new Uint8Array(8).fill(8), 8), 0)
    assert.strictEqual(unpaddedLength(new Uint8Array(16).fill(9), 8), undefined)
  })
})
