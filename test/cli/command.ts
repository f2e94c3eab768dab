/**
 * The command as a process. It is compiled from the sources into a folder of its own, beside the packages it needs, so
 * that these tests neither run a stale `dist` nor read one that another test is just writing.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, afterEach, beforeAll } from "vitest"

const root = fileURLToPath(new URL("../..", import.meta.url))

const compile = (folder: string): Promise<string> =>
  new Promise((resolve, reject) => {
    cpSync(join(root, "package.json"), join(folder, "package.json"))
    const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc")
    const bin = join(folder, "dist/cli/bin.js")
    const options = ["--outDir", join(folder, "dist"), "--declaration", "false", "--declarationMap", "false"]
    // Whether the types are right is the type check's to say.
    execFile(process.execPath, [tsc, "-p", "tsconfig.build.json", ...options], { cwd: root }, (_, stdout) => {
      execFile(process.execPath, [bin, "--version"], (error) =>
        error === null ? resolve(bin) : reject(new Error(`${error.message}\n${stdout}`))
      )
    })
  })

let bin = ""

/** Longer than anything takes on a busy machine, and then the test says what there was instead. */
const patience = 20_000

export interface Command {
  readonly child: ChildProcess
  readonly stdout: () => Buffer
  readonly stderr: () => string
  /** Writes to its standard input. */
  readonly write: (bytes: string | Uint8Array) => void
  /** Ends its standard input, after `last`. */
  readonly end: (last?: string | Uint8Array) => void
  /** The first match in a stream, now or later. */
  readonly saw: (stream: "stdout" | "stderr", pattern: RegExp) => Promise<RegExpExecArray>
  /** Its exit code, or the signal that ended it. */
  readonly exit: () => Promise<number | NodeJS.Signals>
  readonly kill: (signal: NodeJS.Signals) => void
  /** What it printed on standard error as JSON, line by line; other lines are left out. */
  readonly json: () => ReadonlyArray<Json>
}

/** What the command prints with `--json`. */
export type Json = Readonly<Record<string, unknown>> & {
  readonly peerCertificates: ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly error:
    | (Readonly<Record<"tag" | "reason" | "alert" | "message" | "phase" | "hint", string | null>> & {
        readonly chain: ReadonlyArray<Readonly<Record<string, unknown>>> | null
      })
    | null
}

const running = new Set<Command>()

/**
 * Makes the command ready for a file's tests, and ends what a test leaves running. The modules of a worker are shared
 * by its files, so hooks are not this module's to register when it is loaded.
 */
export const useCommand = (): void => {
  let compiled: string | undefined
  beforeAll(async () => {
    const cache = join(root, "node_modules/.cache")
    mkdirSync(cache, { recursive: true })
    compiled = mkdtempSync(join(cache, "effect-tls-"))
    bin = await compile(compiled)
  }, 120_000)
  afterAll(() => {
    if (compiled !== undefined) rmSync(compiled, { recursive: true, force: true })
  })
  afterEach(async () => {
    for (const command of running) {
      command.kill("SIGKILL")
      await command.exit()
    }
  })
}

/** Starts `effect-tls` with arguments; with `input: "null"` its standard input is /dev/null. */
export const start = (args: ReadonlyArray<string>, options: { readonly input?: "pipe" | "null" } = {}): Command => {
  const child = spawn(process.execPath, [bin, ...args], {
    stdio: [options.input === "null" ? "ignore" : "pipe", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1" }
  })
  const chunks = { stdout: [] as Array<Buffer>, stderr: [] as Array<Buffer> }
  let ended: number | NodeJS.Signals | undefined
  const watchers = new Set<() => void>()
  const changed = () => watchers.forEach((look) => look())
  for (const name of ["stdout", "stderr"] as const) {
    child[name]!.on("data", (chunk: Buffer) => {
      chunks[name].push(chunk)
      changed()
    })
  }
  child.stdin?.on("error", () => {}) // It ended before it read all.
  child.on("close", (code, signal) => {
    ended = code ?? signal ?? 0
    running.delete(command)
    changed()
  })
  const text = (name: "stdout" | "stderr") => Buffer.concat(chunks[name]).toString()
  const until = <A>(what: string, look: () => A | undefined): Promise<A> =>
    new Promise((resolve, reject) => {
      const fail = (why: string) =>
        reject(new Error(`${why} before ${what}: effect-tls ${args.join(" ")}\n${text("stderr")}`))
      const timer = setTimeout(() => {
        watchers.delete(watch)
        fail("time was up")
      }, patience)
      const watch = () => {
        const found = look()
        if (found === undefined && ended === undefined) return
        clearTimeout(timer)
        watchers.delete(watch)
        if (found === undefined) fail(`it ended (${ended})`)
        else resolve(found)
      }
      watchers.add(watch)
      watch()
    })
  const command: Command = {
    child,
    stdout: () => Buffer.concat(chunks.stdout),
    stderr: () => text("stderr"),
    write: (bytes) => void child.stdin?.write(bytes),
    end: (last) => void (last === undefined ? child.stdin?.end() : child.stdin?.end(last)),
    saw: (stream, pattern) => until(`it said ${pattern}`, () => pattern.exec(text(stream)) ?? undefined),
    exit: () => until("it ended", () => ended),
    kill: (signal) => void child.kill(signal),
    json: () =>
      text("stderr")
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line) as Json)
  }
  running.add(command)
  return command
}

/** Runs `effect-tls` to its end, with nothing or with `input` on its standard input. */
export const run = async (args: ReadonlyArray<string>, input?: string | Uint8Array) => {
  const command = start(args, input === undefined ? { input: "null" } : {})
  if (input !== undefined) command.end(input)
  return { code: await command.exit(), command, stdout: command.stdout(), stderr: command.stderr() }
}

/** Starts `effect-tls serve` with a free port of 127.0.0.1, unless told where, and waits until it listens. */
export const serve = async (
  args: ReadonlyArray<string>,
  at: ReadonlyArray<string> = ["--port", "0"]
): Promise<Command & { readonly address: string; readonly port: number }> => {
  const command = start(["serve", ...at, ...args], { input: "null" })
  const [, address] = await command.saw("stdout", /^listening on (.+)\n/)
  return { ...command, address: address!, port: Number(/:(\d+)$/.exec(address!)?.[1]) }
}

/** A folder for the files of one test file. */
export const folder = (): { readonly path: (name: string) => string } => {
  let directory: string | undefined
  afterAll(() => {
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true })
  })
  return { path: (name) => join((directory ??= mkdtempSync(join(tmpdir(), "effect-tls-cli-"))), name) }
}
