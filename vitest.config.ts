import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const source = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url))

export default defineConfig({
  resolve: {
    // As `paths` in tsconfig.json: tests import `effect-tls` by name and get the sources, never a stale dist.
    alias: [
      { find: /^effect-tls$/, replacement: source("index.ts") },
      { find: /^effect-tls\/([a-z]+)$/, replacement: source("$1.ts") }
    ]
  },
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 30_000
  }
})
