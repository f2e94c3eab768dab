/** docs/parity.md: a row for each documented behaviour, and tests that there are. */
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"

const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

const rows = readFileSync(file("../docs/parity.md"), "utf8")
  .split("\n")
  .filter((line) => /^\| [A-Z]\d\d/.test(line))
  .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()))
  .map(([, ids, ours, tests]) => ({ ids: ids!, ours: ours!, tests: tests! }))

/** `P01`, or `S01–S06, S09`. */
const expand = (ids: string): ReadonlyArray<string> =>
  ids.split(", ").flatMap((part) => {
    const [first, last = first] = part.split("–") as [string, string?]
    const [from, to] = [first, last].map((id) => Number(id.slice(1))) as [number, number]
    return Array.from({ length: to - from + 1 }, (_, i) => `${first[0]}${String(from + i).padStart(2, "0")}`)
  })

describe("docs/parity.md", () => {
  it("has each ID once", () => {
    assert.sameOrderedMembers(
      rows.flatMap(({ ids }) => expand(ids)).sort(),
      [
        ["C", 15],
        ["H", 7],
        ["N", 12],
        ["P", 16],
        ["S", 6]
      ].flatMap(([letter, count]) => expand(`${letter}01–${letter}${String(count).padStart(2, "0")}`))
    )
  })

  it("names tests that exist, for all but what is not yet there", () => {
    for (const { ids, ours, tests } of rows) {
      const named = [...tests.matchAll(/`([^`]+)`/g)].map((match) => match[1]!)
      assert.isTrue(named.length > 0 || ours.startsWith("not yet"), ids)
      for (const name of named) {
        assert.isTrue(existsSync(file(name.endsWith(".ts") ? name : `${name}.test.ts`)), `${ids}: ${name}`)
      }
    }
  })
})
