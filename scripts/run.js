// node scripts/run.js [examples/main.ts [arguments]]: builds the package, compiles the programs against it into build/ and
// runs one (without a name: none) with plain node, arguments, exit code and signals passed through.
import { spawn, spawnSync } from "node:child_process"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { tsc } from "./tsc.js"

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..")
const [program, ...args] = process.argv.slice(2)
for (const step of [[join(root, "scripts/build.js")], [tsc, "-p", join(root, "tsconfig.programs.json")]]) {
  const done = spawnSync(process.execPath, step, { cwd: root, stdio: ["ignore", "inherit", "inherit"] })
  if (done.status !== 0) process.exit(done.status ?? 1)
}
if (program === undefined) process.exit(0)

const compiled = join(root, "build", program.replace(/\.ts$/, ".js"))
const child = spawn(process.execPath, ["--enable-source-maps", compiled, ...args], { stdio: "inherit" })
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal))
child.on("exit", (code, signal) => {
  if (signal === null) process.exit(code ?? 1)
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
})
