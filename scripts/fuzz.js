// [FUZZ_RUNS=1000000] [FUZZ_SEED=n] npm run fuzz: the decoders under so many mutated inputs of each kind.
import { spawnSync } from "node:child_process"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..")
const vitest = join(root, "node_modules/vitest/vitest.mjs")
const env = { ...process.env, FUZZ_RUNS: process.env.FUZZ_RUNS ?? "1000000" }
const done = spawnSync(process.execPath, [vitest, "run", "test/schema/fuzz.test.ts"], {
  cwd: root,
  env,
  stdio: "inherit"
})
process.exit(done.status ?? 1)
