/** The programs of this folder as single files, by esbuild. */
import { createRequire } from "node:module"
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type BuildOptions, build } from "esbuild"

const here = fileURLToPath(new URL(".", import.meta.url))
const root = join(here, "../..")

/** What a browser's bundler would do with our sources. */
export const browser: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  logLevel: "silent",
  // `effect-tls` is the sources, as in all tests.
  tsconfig: join(root, "tsconfig.json")
}

const node: BuildOptions = { ...browser, platform: "node" }

/** A folder for a test file's bundles and what its programs leave behind. */
export const makeFolder = (): string => mkdtempSync(join(tmpdir(), "effect-tls-runtimes-"))

const bundle = async (name: string, folder: string, options: BuildOptions): Promise<string> => {
  const outfile = join(folder, `${name}.mjs`)
  await build({ ...options, entryPoints: [join(here, "programs", `${name}.ts`)], outfile })
  return outfile
}

export const bundleNoble = (folder: string): Promise<string> => bundle("noble", folder, browser)
export const bundleNode = (folder: string): Promise<string> => bundle("node", folder, node)
export const bundlePeer = (folder: string): Promise<string> => bundle("peer", folder, node)

/** Test files, with something in the place of vitest. */
export const bundleLayers = (folder: string): Promise<string> =>
  bundle("layers", folder, {
    ...node,
    // Test files are imported for their effect; package.json says of the sources that they have none.
    ignoreAnnotations: true,
    plugins: [
      {
        name: "without vitest",
        setup: (bundler) => {
          bundler.onResolve({ filter: /^(@effect\/)?vitest$/ }, () => ({ path: join(here, "vitestShim.ts") }))
          // vitest's own, which it hands out as `assert`.
          bundler.onResolve({ filter: /^chai$/ }, () => ({
            path: createRequire(createRequire(import.meta.url).resolve("vitest/package.json")).resolve("chai")
          }))
        }
      }
    ]
  })
