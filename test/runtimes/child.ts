/** Programs of other runtimes: started, bounded in time, and gone by their process id. */
import { type ChildProcess, spawn } from "node:child_process"
import { rm } from "node:fs/promises"
import { tmpdir } from "node:os"

export interface Command {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
}

export interface Ended {
  /** The exit code, or the signal that ended it. */
  readonly exit: number | string
  readonly stdout: string
  readonly stderr: string
}

export interface Child {
  /** The first whole line of its output. */
  readonly firstLine: Promise<string>
  readonly ended: Promise<Ended>
  /** Ends it and whatever it started, and waits for that. */
  readonly stop: () => Promise<void>
}

const describe = ({ args, command }: Command, { exit, stderr, stdout }: Ended): string =>
  `${command} ${args.join(" ")} ended with ${exit}\n${stdout}${stderr}`

/** A group of its own, so that its end is the end of what it started, too. */
const kill = (child: ChildProcess): void => {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL")
  } catch {
    // It has just ended.
  }
}

/** Starts a program, which ends by itself or after `patience` milliseconds. */
export const start = (command: Command, patience: number): Child => {
  const child = spawn(command.command, command.args, {
    cwd: tmpdir(),
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...command.env }
  })
  let stdout = ""
  let stderr = ""
  const timer = setTimeout(() => {
    stderr += `\nstopped after ${patience} ms`
    kill(child)
  }, patience)
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text))
  const ended = new Promise<Ended>((resolve) => {
    const finish = (exit: number | string) => {
      clearTimeout(timer)
      resolve({ exit, stdout, stderr })
    }
    child.on("error", (error) => finish(error.message))
    child.on("close", (code, signal) => finish(code ?? signal ?? "nothing"))
  })
  const firstLine = new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text
      const end = stdout.indexOf("\n")
      if (end >= 0) resolve(stdout.slice(0, end))
    })
    void ended.then((end) => reject(new Error(describe(command, end))))
  })
  // Who only waits for the end has heard of it there.
  firstLine.catch(() => {})
  return {
    firstLine,
    ended,
    stop: async () => {
      kill(child)
      await ended
    }
  }
}

/** Runs a program whose last line of output is JSON. Others may be what it logs. */
export const runForJson = async <A>(command: Command, patience: number): Promise<A> => {
  const end = await start(command, patience).ended
  if (end.exit !== 0) throw new Error(describe(command, end))
  try {
    return JSON.parse(end.stdout.trimEnd().split("\n").at(-1)!) as A
  } catch {
    throw new Error(describe(command, end))
  }
}

/** Removes a folder that a program has just left, and may still be tidying up. */
export const removeFolder = (folder: string): Promise<void> =>
  rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
