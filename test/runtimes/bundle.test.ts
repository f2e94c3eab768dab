import { promisify } from "node:util"
import { brotliCompress } from "node:zlib"
import { build, type BuildOptions } from "esbuild"
import { assert, describe, it } from "vitest"
import { browser } from "./bundle.ts"

/** What only Node and those who imitate it have. */
const nodeGlobals = [
  "process",
  "Buffer",
  "global",
  "require",
  "module",
  "exports",
  "__dirname",
  "__filename",
  "setImmediate",
  "clearImmediate"
]

/** esbuild replaces a name only where it means the global: whatever is left of these is one. */
const marks = Object.fromEntries(
  nodeGlobals.flatMap((name) => [name, `globalThis.${name}`].map((found) => [found, `NODE_GLOBAL_${name}`]))
)

const effect = ["effect", "effect/*", "@effect/*"]
const noble = ["@noble/*"]

const bundle = async (contents: string, options: BuildOptions = {}) => {
  const { outputFiles } = await build({
    ...browser,
    ...options,
    stdin: { contents, loader: "ts", resolveDir: browser.absWorkingDir! },
    write: false
  })
  return outputFiles![0]!
}

const inspect = async (contents: string, options: BuildOptions = {}) => {
  const { text } = await bundle(contents, { ...options, define: marks })
  return {
    imports: [...text.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)["']([^"']+)["']/g)].map((match) => match[1]!),
    globals: [...new Set([...text.matchAll(/\bNODE_GLOBAL_(\w+)/g)].map((match) => match[1]!))]
  }
}

const everything = ["effect-tls", "effect-tls/noble", "effect-tls/web"]
  .map((from) => `export * from "${from}"`)
  .join("\n")
const client = `export { Endpoint, SecureContext, TlsClient } from "effect-tls"
export { NobleCrypto } from "effect-tls/noble"`

describe("a bundle of effect-tls, effect-tls/noble and effect-tls/web for browsers", () => {
  it("imports nothing", async () => {
    assert.deepStrictEqual((await inspect(everything)).imports, [])
  })

  it("uses no global of Node's", async () => {
    const { globals, imports } = await inspect(everything, { external: effect })
    assert.deepStrictEqual(globals, [])
    // Without this, the expression that looks for imports might find none ever.
    assert.includeMembers(imports, ["effect/Effect", "effect/Schema"])
    assert.isEmpty(imports.filter((path) => !/^(effect|@effect\/platform)\//.test(path)))
  })

  it("has of Effect only what asks whether it is on Node", async () => {
    assert.sameMembers((await inspect(everything)).globals, ["process", "setImmediate"])
  })

  it("is not made when something imports Node", async () => {
    for (const path of ["node:net", "net"]) {
      const outcome = await bundle(`import { connect } from "${path}"\nexport const f = () => connect(1)`).then(
        () => "made",
        (error: Error) => error.message
      )
      assert.include(outcome, `Could not resolve "${path}"`)
    }
  })

  it("would be found to import Node or to use its globals", async () => {
    const { globals, imports } = await inspect(
      `import { connect } from "node:net"
      export const f = () => import("node:tls")
      export const g = (): unknown => [connect, Buffer.alloc(1), globalThis.process, typeof setImmediate]
      export const h = (process: string): unknown => ({ Buffer: process })`,
      { external: ["node:*"] }
    )
    assert.sameMembers(imports, ["node:net", "node:tls"])
    assert.sameMembers(globals, ["Buffer", "process", "setImmediate"])
  })

  it("prints its size", async () => {
    const size = async (contents: string, external: Array<string>) => {
      const { contents: bytes } = await bundle(contents, { minify: true, external })
      const compressed = await promisify(brotliCompress)(bytes)
      return `${(bytes.length / 1000).toFixed(0)} kB, ${(compressed.length / 1000).toFixed(0)} kB with brotli`
    }
    for (const [name, contents] of [
      ["all of it", everything],
      ["a client", client]
    ] as const) {
      const [ours, withNoble, withAll] = await Promise.all(
        [[...effect, ...noble], effect, []].map((external) => size(contents, external))
      )
      console.log(`bundle of ${name}, minified:
  without effect and noble  ${ours}
  without effect            ${withNoble}
  with everything           ${withAll}`)
    }
  }, 90_000)
})
