/**
 * The built package and the compiled programs, for tests that run them as a user would: made once, when they are older
 * than the sources, whoever asks first.
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, readdirSync, rmdirSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))

const newest = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((latest, entry) => Math.max(latest, statSync(join(entry.parentPath, entry.name)).mtimeMs), 0)

const isStale = (): boolean => {
  try {
    const sources = Math.max(...["src", "examples", "bench", "conformance"].map((folder) => newest(join(root, folder))))
    return statSync(join(root, "build/.built")).mtimeMs < sources
  } catch {
    return true
  }
}

const build = (): void => {
  const { status, stderr, stdout } = spawnSync(process.execPath, [join(root, "scripts/run.js")], { cwd: root })
  if (status !== 0) throw new Error(`the package does not build:\n${String(stdout)}${String(stderr)}`)
  writeFileSync(join(root, "build/.built"), "")
}

/** Builds if need be. Test files run on threads of one process and may ask at once: one builds, the others wait. */
export const ensureBuilt = (): void => {
  const lock = join(root, "node_modules/.building")
  const deadline = Date.now() + 60_000
  for (;;) {
    try {
      mkdirSync(lock)
      break
    } catch {
      // Whoever held it that long is gone.
      if (Date.now() > deadline) rmdirSync(lock)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
    }
  }
  try {
    if (isStale()) build()
  } finally {
    rmdirSync(lock)
  }
}

/** The path of a compiled program or of a file of the built package. */
export const builtFile = (path: string): string => join(root, path)
