/** The runtimes of this machine: those of `test/interop/setup.sh`, else those on the PATH. */
import { accessSync, constants } from "node:fs"
import { execFileSync } from "node:child_process"
import { delimiter, join } from "node:path"
import type { Command } from "./child.ts"

export interface Runtime {
  /** With its version. */
  readonly name: string
  readonly id: "node" | "node24" | "bun" | "deno"
  /** How it runs a module; `folder` is for what it may want to keep. */
  readonly run: (module: string, argument: string, folder: string) => Command
}

/** A runtime that is not here, and what would bring it. */
export interface Missing {
  readonly id: Runtime["id"]
  readonly missing: string
}

const interop = process.env["INTEROP"] ?? "/opt/interop"

const isProgram = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export const find = (name: string, ...first: ReadonlyArray<string>): string | undefined =>
  [...first, ...(process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, name))].find(isProgram)

const version = (program: string): string =>
  /\d+\.\d+\.\d+/.exec(execFileSync(program, ["--version"], { encoding: "utf8", timeout: 20_000 }))?.[0] ?? "unknown"

export const setup = "sh test/interop/setup.sh /opt/interop runtimes"

const nodeRuntime = (id: "node" | "node24", program: string): Runtime => ({
  id,
  name: `Node ${version(program)}`,
  run: (module, argument) => ({ command: program, args: [module, argument] })
})

/** The Node that runs the tests. */
export const thisNode: Runtime = nodeRuntime("node", process.execPath)

const findNode24 = (): Runtime | Missing => {
  const path = find("node", join(interop, "npm24/node_modules/.bin/node"))
  const runtime = path === undefined ? undefined : nodeRuntime("node24", path)
  // The one on the PATH is most often the one that runs the tests.
  return runtime?.name.startsWith("Node 24.") ? runtime : { id: "node24", missing: `no Node 24: ${setup}` }
}

const findBun = (): Runtime | Missing => {
  const program = find("bun", join(interop, "npm/node_modules/.bin/bun"))
  if (program === undefined) return { id: "bun", missing: `no Bun: ${setup}` }
  return {
    id: "bun",
    name: `Bun ${version(program)}`,
    run: (module, argument) => ({
      command: program,
      args: ["run", module, argument],
      env: { DO_NOT_TRACK: "1", BUN_RUNTIME_TRANSPILER_CACHE_PATH: "0" }
    })
  }
}

const findDeno = (): Runtime | Missing => {
  const program = find("deno", join(interop, "npm/node_modules/.bin/deno"))
  if (program === undefined) return { id: "deno", missing: `no Deno: ${setup}` }
  return {
    id: "deno",
    name: `Deno ${version(program)}`,
    run: (module, argument, folder) => ({
      command: program,
      args: ["run", "--allow-all", "--no-config", "--no-lock", "--cached-only", module, argument],
      env: { DENO_DIR: join(folder, "deno"), DENO_NO_UPDATE_CHECK: "1" }
    })
  }
}

const all: ReadonlyArray<Runtime | Missing> = [thisNode, findNode24(), findBun(), findDeno()]

export const present = all.filter((runtime): runtime is Runtime => "run" in runtime)
/** As vitest prints a title of it. */
export const missing = all.flatMap((runtime) => ("missing" in runtime ? [[runtime.id, runtime.missing] as const] : []))

export const chromium: string | undefined = find("chromium", "/usr/bin/chromium")
