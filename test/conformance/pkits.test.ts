/** Paths of every section of NIST's PKITS, made here, and the program that runs PKITS itself. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import * as PkitsSuite from "../../conformance/PkitsSuite.ts"
import * as Suite from "../../conformance/Suite.ts"
import { builtFile, ensureBuilt } from "../support/built.ts"
import * as Pkits from "../support/pkits.ts"

const { passing, skipped, suite } = Pkits.make()
const sections = Array.from({ length: 16 }, (_, n) => `4.${n + 1}`)

describe("paths as PKITS has them", () => {
  it("are valid or not as its section says", async () => {
    const outcomes = await Effect.runPromise(PkitsSuite.judgeAll(suite))
    assert.deepStrictEqual(
      Suite.remarks("pkits", outcomes).filter((remark) => !remark.endsWith("about DSA keys")),
      []
    )
    assert.strictEqual(
      Suite.summary("pkits", outcomes),
      `pkits: ${passing} passed, 0 false accepts, 0 false rejects, ${skipped} skipped`
    )
    for (const section of sections) {
      const ofSection = suite.tests.filter(
        ({ name }) => name.startsWith(`${section}.`) || name.startsWith(`${section} `)
      )
      assert.isTrue(
        ofSection.some(({ should_validate }) => should_validate),
        `${section} has a valid path`
      )
      assert.isTrue(
        ofSection.some(({ should_validate }) => !should_validate),
        `${section} has one that is not`
      )
    }
  })

  it("are valid for what is refused when nobody objects", async () => {
    // Every invalid path is invalid for its reason alone: turned round, each is a false reject, and none of the others.
    const turned = { ...suite, tests: suite.tests.map((test) => ({ ...test, should_validate: !test.should_validate })) }
    const outcomes = await Effect.runPromise(PkitsSuite.judgeAll(turned))
    const expected = suite.tests.filter(({ should_validate }) => !should_validate).length
    const count = (result: string) => outcomes.filter((outcome) => outcome.result === result).length
    assert.strictEqual(count("false reject"), expected)
    assert.strictEqual(count("false accept"), suite.tests.length - expected - skipped)
  })
})

describe("npm run pkits", () => {
  const folder = mkdtempSync(join(tmpdir(), "effect-tls-pkits-"))
  beforeAll(ensureBuilt, 120_000)
  afterAll(() => rmSync(folder, { recursive: true }))

  const pkits = (path: string | undefined) => {
    const env = { ...process.env, PKITS: path }
    const { status, stderr, stdout } = spawnSync(process.execPath, [builtFile("build/conformance/pkits.js")], { env })
    return { status, stdout: String(stdout), lines: String(stderr).trimEnd().split("\n") }
  }
  const write = (name: string, tests: ReadonlyArray<unknown>): string => {
    const path = join(folder, name)
    const json = JSON.stringify({ ...suite, tests })
    writeFileSync(path, name.endsWith(".gz") ? gzipSync(json) : json)
    return path
  }
  const test = (start: string) => suite.tests.find(({ name }) => name.startsWith(start))!

  it("counts what passed, and ends with 0 when nothing is wrong, gzipped or not", () => {
    const spelled = { ...test("4.8.1.1"), initial_policy_set: null, require_explicit_policy: 1, inhibit_any_policy: 0 }
    const tests = [test("4.1.1"), test("4.1.2"), test("4.1.4"), spelled]
    for (const name of ["good.json", "good.json.gz"]) {
      const { lines, status, stdout } = pkits(write(name, tests))
      assert.strictEqual(stdout, "pkits: 3 passed, 0 false accepts, 0 false rejects, 1 skipped\n")
      assert.deepStrictEqual(lines, ["pkits: skipped: 4.1.4 DSA: it is about DSA keys", stdout.trim()])
      assert.strictEqual(status, 0)
    }
  })

  it("tells what is wrong, by a verdict or by its policies, and ends with 1", () => {
    const policies = { ...test("4.8.1.1"), initial_policy_set: "anyPolicy, 2.16.840.1.101.3.2.1.48.1" }
    const tests = [
      { ...test("4.1.1"), should_validate: false },
      { ...test("4.1.2"), should_validate: true },
      policies,
      { ...policies, name: "fewer", user_constrained_policy_set: [] },
      { ...policies, name: "more", user_constrained_policy_set: ["NIST-test-policy-1", "NIST-test-policy-2"] },
      { ...test("4.1.1"), name: "unknown", chain: ["Trust Anchor"] },
      { ...test("4.1.1"), name: "unclear", initial_policy_set: ["first"] },
      { name: "formless" }
    ]
    const { lines, status, stdout } = pkits(write("wrong.json", tests))
    assert.strictEqual(stdout, "pkits: 1 passed, 2 false accepts, 2 false rejects, 3 skipped\n")
    assert.strictEqual(status, 1)
    const found = lines.map((line) => line.split(":").slice(1, 3).join(":").trim())
    assert.deepStrictEqual(found.slice(0, 7), [
      "false accept: 4.1.1 signatures",
      "false reject: 4.1.2 CA signature",
      "false accept: fewer",
      "false reject: more",
      "skipped: unknown",
      "skipped: unclear",
      "skipped: formless"
    ])
  })

  it("says why there is nothing to run, and ends with 2", () => {
    const missing = pkits(join(folder, "missing.json"))
    assert.deepInclude(missing, { status: 2, stdout: "" })
    assert.include(missing.lines[0], "ENOENT")
    assert.deepInclude(pkits(undefined), { status: 2, lines: ["pkits: say where the suite is: PKITS=path"] })
    const broken = join(folder, "broken.json")
    writeFileSync(broken, "{")
    assert.strictEqual(pkits(broken).status, 2)
    writeFileSync(broken, "{}")
    assert.include(pkits(broken).lines[0], "it is not a suite as PKITS is")
  })
})
