import { relative } from "node:path"
import { fileURLToPath } from "node:url"
import type { Reporter } from "vitest/reporters"
import { defineConfig } from "vitest/config"

const root = fileURLToPath(new URL(".", import.meta.url))

/** The default reporter only counts what was skipped; a missing peer or vector has to be seen. */
const skipped: Reporter = {
  onTestRunEnd: (modules) => {
    const lines = modules.flatMap((module) =>
      [...module.children.allTests("skipped")].map((test) => {
        const result = test.result()
        const note = result.state === "skipped" && result.note !== undefined ? ` (${result.note})` : ""
        return ` ↓ ${relative(root, module.moduleId)} > ${test.fullName}${note}`
      })
    )
    if (lines.length > 0) console.log(`\nSkipped:\n${lines.join("\n")}`)
  }
}

const report = process.env["TEST_REPORT"]

export default defineConfig({
  resolve: {
    // As `paths` in tsconfig.json: tests import `effect-tls` by name and get the sources, never a stale dist.
    alias: [
      { find: /^effect-tls$/, replacement: `${root}src/index.ts` },
      { find: /^effect-tls\/([a-z]+)$/, replacement: `${root}src/$1.ts` }
    ]
  },
  test: {
    include: ["test/**/*.test.ts", "examples/**/*.test.ts"],
    // Type errors elsewhere are the type check's to report; here only what a type test expects.
    typecheck: { enabled: true, include: ["test/**/*.test-d.ts"], ignoreSourceErrors: true },
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Importing effect costs a file 300 ms; without isolation each worker pays once. A test therefore leaves no global
    // behind: no patched prototypes, no process.env, no fake timers (TestClock is the clock).
    pool: "threads",
    isolate: false,
    reporters: ["default", skipped, ...(report === undefined ? [] : ["json"])],
    ...(report === undefined ? {} : { outputFile: { json: report } })
  }
})
