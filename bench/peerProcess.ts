/** What runs in the processes that `Peer.ts` starts: it does as it is told. */
import { monitorEventLoopDelay } from "node:perf_hooks"
import type { Implementation, ImplementationName, Setting } from "./Implementation.ts"
import type { Probe, Request, Response } from "./Peer.ts"

const setting = JSON.parse(process.env["BENCH_SETTING"]!) as Setting

const loopDelay = monitorEventLoopDelay({ resolution: 1 })

const probe: Probe = {
  memory: async () => process.memoryUsage.rss(),
  startLoopDelay: async () => {
    loopDelay.reset()
    loopDelay.enable()
  },
  stopLoopDelay: async () => {
    loopDelay.disable()
    return loopDelay.percentile(99) / 1e9
  }
}

const loaded: { [N in ImplementationName]?: Promise<Implementation> } = {}

// Loaded when asked for: a process that measures node:tls must not hold our code.
const load = (name: ImplementationName): Promise<Implementation> =>
  (loaded[name] ??=
    name === "ours"
      ? import("./Ours.ts").then(({ make }) => make(setting))
      : import("./Theirs.ts").then(({ make }) => make(setting)))

const answer = async ({ args, id, method, target }: Request): Promise<Response> => {
  try {
    const procedures: object = target === "probe" ? probe : await load(target)
    const procedure = (procedures as Record<string, (...args: ReadonlyArray<unknown>) => Promise<unknown>>)[method]!
    return { id, value: await procedure(...args) }
  } catch (error) {
    return { id, error: error instanceof Error ? `${error.stack}` : String(error) }
  }
}

process.on("message", (request: Request) => void answer(request).then((response) => process.send!(response)))
process.on("disconnect", () => process.exit())
