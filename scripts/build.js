// tsc writes dist in place and whatever it no longer writes is removed afterwards: dist is complete at every moment, so
// programs of another terminal may go on importing it, and a deleted module cannot linger in the package.
import { spawnSync } from "node:child_process"
import { chmodSync, existsSync, readdirSync, rmSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { tsc } from "./tsc.js"

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..")

const compiled = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json", "--listEmittedFiles"], {
  cwd: root,
  encoding: "utf8"
})
const lines = `${compiled.stdout}${compiled.stderr}`.split("\n").filter((line) => line.trim() !== "")
const emitted = new Set()
for (const line of lines) {
  if (line.startsWith("TSFILE: ")) emitted.add(resolve(root, line.slice("TSFILE: ".length).trim()))
  else console.error(line)
}
if (compiled.error !== undefined) throw compiled.error
if (compiled.status !== 0) process.exit(compiled.status ?? 1)

const dist = join(root, "dist")
for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath ?? entry.path, entry.name)
  if (entry.isFile() && !emitted.has(path)) rmSync(path)
}

// npm makes the command executable when it installs a package, but not in the package's own folder.
const bin = join(dist, "cli/bin.js")
if (existsSync(bin)) chmodSync(bin, 0o755)
