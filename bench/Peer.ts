/**
 * Processes that speak TLS for a measure. Each has a heap of its own, so that nobody pays for another's garbage; and the
 * peer of what is measured can be elsewhere.
 */
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Implementation, ImplementationName, Setting } from "./Implementation.ts"

/** What a process says about itself. */
export interface Probe {
  /** Its resident set, in bytes. */
  readonly memory: () => Promise<number>
  readonly startLoopDelay: () => Promise<void>
  /** The 99th percentile of how long a turn of the event loop took since, in seconds. */
  readonly stopLoopDelay: () => Promise<number>
}

/** A process: what is called here runs there. */
export interface Peer {
  readonly ours: Implementation
  readonly theirs: Implementation
  readonly probe: Probe
  readonly stop: () => void
}

export interface Request {
  readonly id: number
  readonly target: ImplementationName | "probe"
  readonly method: string
  readonly args: ReadonlyArray<unknown>
}

export type Response = { readonly id: number } & ({ readonly value: unknown } | { readonly error: string })

export const start = (setting: Setting): Peer => {
  const child = fork(fileURLToPath(new URL("./peerProcess.js", import.meta.url)), {
    env: { ...process.env, BENCH_SETTING: JSON.stringify(setting) }
  })
  const waiting = new Map<
    number,
    { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void }
  >()
  child.on("message", (response: Response) => {
    const { reject, resolve } = waiting.get(response.id)!
    waiting.delete(response.id)
    if ("error" in response) reject(new Error(`in a peer's process: ${response.error}`))
    else resolve(response.value)
  })
  child.on("exit", (code, signal) => {
    for (const { reject } of waiting.values()) reject(new Error(`a peer's process ended (${signal ?? code})`))
  })

  let calls = 0
  const remote = <T extends object>(target: Request["target"]): T =>
    new Proxy({} as T, {
      get:
        (_, method) =>
        (...args: ReadonlyArray<unknown>) =>
          new Promise((resolve, reject) => {
            const request: Request = { id: calls++, target, method: String(method), args }
            waiting.set(request.id, { resolve, reject })
            child.send(request)
          })
    })
  return { ours: remote("ours"), theirs: remote("theirs"), probe: remote("probe"), stop: () => child.kill() }
}
