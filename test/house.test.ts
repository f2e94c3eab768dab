import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "vitest"

const root = fileURLToPath(new URL("..", import.meta.url))
const program = (name: string, bin: string) =>
  join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), bin)

/** Runs a Node program; an exit code above zero is an answer here, not a failure. */
const run = (cwd: string, ...args: ReadonlyArray<string>): Promise<string> =>
  new Promise((done) => {
    execFile(process.execPath, args, { cwd, maxBuffer: 1 << 26 }, (_error, stdout, stderr) =>
      done(`${stdout}${stderr}`)
    )
  })

/** A folder with the same rules as ours and nothing else in it, so that breaking them here breaks nothing there. */
const house = (files: Readonly<Record<string, string>>): string => {
  const folder = mkdtempSync(join(tmpdir(), "effect-tls-house-"))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), `${text}\n`)
  }
  for (const name of [".oxlintrc.json", "package.json", "node_modules", "tsconfig.base.json", "types"]) {
    symlinkSync(join(root, name), join(folder, name))
  }
  return folder
}

// [folder of the file, one line of it, the rule that must refuse it]
const refused: ReadonlyArray<readonly [path: string, line: string, rule: string]> = [
  ["src/schema", `export * from "../core/Transcript.ts"`, "no-restricted-imports"],
  ["src/schema", `export * from "../layers/NodeCrypto.ts"`, "no-restricted-imports"],
  ["src/schema", `export * from "../index.ts"`, "no-restricted-imports"],
  ["src/schema", `export * from "effect-tls"`, "no-restricted-imports"],
  ["src/schema", `export { Schema } from "effect"`, "no-restricted-imports"],
  ["src/schema", `export * from "@effect/platform/Socket"`, "no-restricted-imports"],
  ["src/schema", `export * from "@noble/hashes/sha2.js"`, "no-restricted-imports"],
  ["src/schema", `export { isIP } from "node:net"`, "no-restricted-imports"],
  ["src/schema", `export const a = Buffer.alloc(1)`, "no-restricted-globals"],
  ["src/schema", `export const a = process.env`, "no-restricted-globals"],
  ["src/schema", `export const a = Date.now()`, "no-restricted-properties"],
  ["src/core", `import type { A } from "../layers/A.ts"\nexport type B = A`, "no-restricted-imports"],
  ["src/core", `import { a } from "../cli/Options.ts"\nexport const b = a`, "no-restricted-imports"],
  ["src/core", `export * from "../node.ts"`, "no-restricted-imports"],
  ["src/core", `export { Effect } from "effect"`, "no-restricted-imports"],
  ["src/core", `export { Socket } from "@effect/platform"`, "no-restricted-imports"],
  ["src/core", `export * from "@effect/platform-node/NodeSocket"`, "no-restricted-imports"],
  ["src/core", `export { sha256 } from "@noble/hashes/sha2.js"`, "no-restricted-imports"],
  ["src/core", `export { connect } from "node:net"`, "no-restricted-imports"],
  ["src/core", `export { connect } from "net"`, "no-restricted-imports"],
  ["src/core", `export const a = Buffer.alloc(1)`, "no-restricted-globals"],
  ["src/core", `export const a = process.env`, "no-restricted-globals"],
  ["src/core", `setTimeout(String, 1)`, "no-restricted-globals"],
  ["src/core", `export const a = Math.random()`, "no-restricted-properties"],
  ["src/core/nested", `export * from "../../layers/A.ts"`, "no-restricted-imports"],
  ["src/layers", `export * from "../cli/Options.ts"`, "no-restricted-imports"],
  ["src/layers", `export * from "../node.ts"`, "no-restricted-imports"],
  ["src/layers", `export * from "effect-tls/node"`, "no-restricted-imports"],
  ["src/layers", `export { Effect } from "effect"`, "no-restricted-imports"],
  ["src/layers", `export { NodeSocket } from "@effect/platform-node"`, "no-restricted-imports"],
  ["src/layers", `export * from "@effect/cli/Command"`, "no-restricted-imports"],
  ["src/layers/Noble", `export { randomBytes } from "node:crypto"`, "no-restricted-imports"],
  ["src/layers/Noble", `export * from "./NodeCrypto.ts"`, "no-restricted-imports"],
  ["src/layers/Noble", `export * from "../cli/Options.ts"`, "no-restricted-imports"],
  ["src/layers/Noble", `export { Effect } from "effect"`, "no-restricted-imports"],
  ["src/layers/Noble", `export const a = Buffer.alloc(1)`, "no-restricted-globals"],
  ["src/layers/Noble", `export const a = process.env`, "no-restricted-globals"],
  ["src/layers/Web", `export { randomBytes } from "node:crypto"`, "no-restricted-imports"],
  ["src/layers/Web", `export * from "./NodeCrypto.ts"`, "no-restricted-imports"],
  ["src/layers/Web", `export const a = Buffer.alloc(1)`, "no-restricted-globals"],
  ["src/cli", `export { Effect } from "effect"`, "no-restricted-imports"],
  ["src/index.ts", `export * from "./layers/NodeCrypto.ts"`, "no-restricted-imports"],
  ["src/index.ts", `export const a = Buffer.alloc(1)`, "no-restricted-globals"],
  ["src/noble.ts", `export * from "./layers/NodeCrypto.ts"`, "no-restricted-imports"],
  ["src/noble.ts", `export { connect } from "node:net"`, "no-restricted-imports"],
  ["src/noble.ts", `export const a = process.env`, "no-restricted-globals"],
  ["src/web.ts", `export * from "./layers/NobleCrypto.ts"`, "no-restricted-imports"],
  ["src/web.ts", `export const a = process.env`, "no-restricted-globals"],
  ["src/node.ts", `export * from "./cli/Options.ts"`, "no-restricted-imports"],
  ["src/testing.ts", `export { Effect } from "effect"`, "no-restricted-imports"],
  ["examples", `export * from "../src/index.ts"`, "no-restricted-imports"],
  ["src/core", `const later = async () => 1\nlater()`, "no-floating-promises"],
  ["test", `const later = async () => 1\nlater()`, "no-floating-promises"],
  ["examples", `[1].forEach(async () => {})`, "no-misused-promises"],
  ["src/cli", `export const a: any = 1`, "no-explicit-any"],
  ["test", `import { it } from "vitest"\nit.only("a", () => {})`, "no-focused-tests"],
  ["src/core", `export const a = 1 == Number("1")`, "eqeqeq"]
]

// What the rules must leave alone: without these, a rule that refuses everything would pass above.
const allowed: ReadonlyArray<readonly [path: string, line: string]> = [
  ["src/schema", `export * as Schema from "effect/Schema"\nexport * from "./Bytes.ts"`],
  [
    "src/core",
    `export * as Effect from "effect/Effect"\nexport * from "../schema/Bytes.ts"\nexport * from "./Keys.ts"`
  ],
  ["src/core", `export * as Socket from "@effect/platform/Socket"`],
  ["src/layers", `export * from "../schema/Bytes.ts"\nexport * from "../core/Keys.ts"\nexport * from "./Other.ts"`],
  ["src/layers", `export { connect } from "node:net"\nexport const a = Buffer.alloc(1)`],
  ["src/layers", `export * as NodeSocket from "@effect/platform-node/NodeSocket"`],
  ["src/layers/Noble", `export { sha256 } from "@noble/hashes/sha2.js"\nexport * from "../core/Keys.ts"`],
  ["src/layers/Web", `export * from "../core/Keys.ts"\nexport * from "./WebKeys.ts"`],
  ["src/cli", `export * as Command from "@effect/cli/Command"\nexport * from "../layers/NodeCrypto.ts"`],
  ["src/index.ts", `export * as Bytes from "./schema/Bytes.ts"\nexport * as Keys from "./core/Keys.ts"`],
  ["src/noble.ts", `export * as NobleCrypto from "./layers/NobleCrypto.ts"`],
  ["src/web.ts", `export * as WebPrivateKey from "./layers/WebPrivateKey.ts"`],
  ["src/node.ts", `export * as NodeCrypto from "./layers/NodeCrypto.ts"`],
  ["test", `export { Effect } from "effect"`],
  ["examples", `export { Effect } from "effect"\nexport * as Tls from "effect-tls"`]
]

/** Each line gets a file of its own; entry points have but one name, so theirs get a house of their own. */
const place = (path: string, index: number): readonly [house: string, file: string] =>
  path.endsWith(".ts")
    ? [`entry-${index}`, path]
    : ["shared", /\/(Noble|Web)$/.test(path) ? `${path}${index}.ts` : `${path}/File${index}.ts`]

const houses = new Map<string, Record<string, string>>()
const put = (path: string, line: string, index: number) => {
  const [name, file] = place(path, index)
  houses.set(name, { ...houses.get(name), [file]: line })
}
refused.forEach(([path, line], index) => put(path, line, index))
allowed.forEach(([path, line], index) => put(path, line, refused.length + index))

describe("the house", () => {
  const folders: Array<string> = []
  const found = new Map<string, ReadonlyArray<string>>()
  const lint = async (files: Readonly<Record<string, string>>) => {
    const folder = house({
      ...files,
      "tsconfig.json": `{ "extends": "./tsconfig.base.json", "compilerOptions": { "noEmit": true } }`
    })
    folders.push(folder)
    const output = await run(folder, program("oxlint", "bin/oxlint"), "-f", "json", "src", "test", "examples")
    const { diagnostics } = JSON.parse(output) as {
      readonly diagnostics: ReadonlyArray<{ readonly filename: string; readonly code?: string }>
    }
    return diagnostics.map(({ code, filename }) => ({
      file: filename,
      rule: /\(([^)]*)\)/.exec(code ?? "")?.[1] ?? ""
    }))
  }

  beforeAll(async () => {
    for (const [name, files] of houses) {
      const diagnostics = await lint(files)
      for (const file of Object.keys(files)) {
        found.set(
          `${name}:${file}`,
          diagnostics.filter((each) => each.file === file).map((each) => each.rule)
        )
      }
    }
  })
  afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })))

  const rulesAt = (path: string, index: number) => found.get(place(path, index).join(":")) ?? []

  for (const [index, [path, line, rule]] of refused.entries()) {
    it(`${path} refuses ${line.replaceAll("\n", "; ")}`, () => assert.include(rulesAt(path, index), rule))
  }
  for (const [index, [path, line]] of allowed.entries()) {
    it(`${path} allows ${line.replaceAll("\n", "; ")}`, () =>
      assert.deepStrictEqual(rulesAt(path, refused.length + index), []))
  }

  it("refuses a circle of imports", async () => {
    const diagnostics = await lint({
      "src/core/A.ts": `import { b } from "./B.ts"\nexport const a = (): number => b()`,
      "src/core/B.ts": `import { c } from "./C.ts"\nexport const b = (): number => c()`,
      "src/core/C.ts": `import { a } from "./A.ts"\nexport const c = (): number => a()`,
      "src/core/D.ts": `import { a } from "./A.ts"\nexport const d = a()`
    })
    assert.sameMembers(
      diagnostics.filter(({ rule }) => rule === "no-cycle").map(({ file }) => file),
      ["src/core/A.ts", "src/core/B.ts", "src/core/C.ts"]
    )
  })

  it("compiles schema, core and noble without Node's types and without the DOM", async () => {
    const portable = readFileSync(join(root, "tsconfig.portable.json"), "utf8")
    const names = ["Buffer", "process", "setTimeout", "console", "fetch", "crypto", "window", "require"]
    const folder = house({
      "tsconfig.json": portable,
      "src/schema/Fine.ts": `export const bytes = new TextEncoder().encode("x")`,
      // Effect's own declarations mention Node and the DOM: importing them must not bring the names along.
      "src/core/Fine.ts": `export * as Effect from "effect/Effect"\nexport * as Socket from "@effect/platform/Socket"`,
      "src/core/Imports.ts": `export * from "node:net"`,
      "src/core/Later.ts": `export const net = import("node:net")`,
      "src/layers/NodeAnything.ts": `export const fine = Buffer.alloc(1)`,
      "src/layers/NobleName.ts": `export const bad = Buffer.alloc(1)`,
      ...Object.fromEntries(names.map((name) => [`src/core/Name_${name}.ts`, `export const bad = ${name}`]))
    })
    folders.push(folder)
    const output = await run(folder, program("typescript", "bin/tsc"), "-p", "tsconfig.json", "--pretty", "false")
    const broken = [...output.matchAll(/^(src\/\S+)\(\d+,\d+\): error/gm)].map((match) => match[1])
    assert.sameMembers(
      [...new Set(broken)],
      [
        "src/core/Imports.ts",
        "src/core/Later.ts",
        "src/layers/NobleName.ts",
        ...names.map((name) => `src/core/Name_${name}.ts`)
      ],
      output
    )
  })

  it("has the entry points that package.json names, and no others", () => {
    const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      readonly exports: Readonly<Record<string, string | { readonly default: string }>>
    }
    const named = Object.values(exports)
      .flatMap((target) => (typeof target === "string" ? [] : [target.default]))
      .map((path) => path.replace("./dist/", "").replace(/\.js$/, ".ts"))
    assert.sameMembers(
      readdirSync(join(root, "src")).filter((name) => name.endsWith(".ts")),
      named
    )
  })
})
