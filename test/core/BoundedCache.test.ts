import { assert, describe, it } from "@effect/vitest"
import { BoundedCache } from "../../src/core/BoundedCache.ts"

describe("BoundedCache", () => {
  it("makes a value once, and forgets the one used longest ago", () => {
    const cache = new BoundedCache<string>(3)
    const made: Array<string> = []
    const get = (key: string) =>
      cache.get(key, () => {
        made.push(key)
        return key.toUpperCase()
      })
    for (const key of ["a", "b", "c", "a"]) assert.strictEqual(get(key), key.toUpperCase())
    assert.deepStrictEqual(made, ["a", "b", "c"])
    // "b" has waited longest, for "a" was asked for again.
    get("d")
    assert.strictEqual(cache.size, 3)
    for (const key of ["a", "c", "d"]) get(key)
    assert.deepStrictEqual(made, ["a", "b", "c", "d"])
    get("b")
    assert.deepStrictEqual(made, ["a", "b", "c", "d", "b"])
  })

  it("never holds more than its capacity", () => {
    const cache = new BoundedCache<number>(8)
    for (let i = 0; i < 1000; i++) {
      cache.get(`${i}`, () => i)
      assert.isAtMost(cache.size, 8)
    }
  })

  it("does not remember a failure", () => {
    const cache = new BoundedCache<number>(1)
    cache.get("kept", () => 1)
    assert.throws(() =>
      cache.get("failed", () => {
        throw new Error("no")
      })
    )
    assert.strictEqual(
      cache.get("kept", () => 2),
      1
    )
    assert.strictEqual(
      cache.get("failed", () => 3),
      3
    )
  })
})
