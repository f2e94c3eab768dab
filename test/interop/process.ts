/** A peer that is a program: started, watched line by line, fed, and gone with the test's Scope. */
import { spawn } from "node:child_process"
import { Effect, Exit, type Scope } from "effect"
import { type PeerFailure, Watched } from "./watch.ts"

export interface Peer {
  /** Everything the program wrote so far, standard output and error as they came. */
  readonly output: Effect.Effect<string>
  /** The first match in the output, now or later. Fails when the program ends without one. */
  readonly saw: (pattern: RegExp) => Effect.Effect<RegExpExecArray, PeerFailure>
  /** Waits for that many bytes of standard output, and gives all there are. */
  readonly received: (length: number) => Effect.Effect<Uint8Array, PeerFailure>
  readonly send: (input: string | Uint8Array) => Effect.Effect<void>
  /** Ends its standard input. */
  readonly endInput: Effect.Effect<void>
  /** Ends it as a crash would: no farewell, the kernel closes its sockets. */
  readonly kill: Effect.Effect<void>
  /** Its exit code, or the signal that ended it. */
  readonly exit: Effect.Effect<number | string, PeerFailure>
}

export interface StartOptions {
  readonly env?: Record<string, string>
  readonly cwd?: string
  /** Standard output is data, all of it or what is not ASCII, and stays out of `output`. */
  readonly data?: "all" | "not ASCII"
}

/** Starts a program. With the Scope it is killed, and when that ends in failure its output is printed. */
export const start = (
  command: string,
  args: ReadonlyArray<string>,
  options: StartOptions = {}
): Effect.Effect<Peer, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        const child = spawn(command, args, {
          stdio: "pipe",
          // A group of its own, so that the end of a wrapper is the end of what it wraps.
          detached: true,
          ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
          env: { ...process.env, ...options.env }
        })
        const state = {
          child,
          text: "",
          chunks: [] as Array<Uint8Array>,
          length: 0,
          ended: undefined as number | string | undefined,
          watched: new Watched()
        }
        const { changed } = state.watched
        child.stdout.on("data", (chunk: Buffer) => {
          const data = options.data === "not ASCII" ? chunk.filter((byte) => byte > 127) : chunk
          state.chunks.push(data)
          state.length += data.length
          if (options.data === undefined) state.text += chunk.toString("latin1")
          if (data.length < chunk.length)
            state.text += Buffer.from(chunk.filter((byte) => byte < 128)).toString("latin1")
          changed()
        })
        child.stderr.on("data", (chunk: Buffer) => {
          state.text += chunk.toString("latin1")
          changed()
        })
        child.on("error", (error) => {
          state.text += String(error)
        })
        child.stdin.on("error", () => {}) // It ended before it read all: its exit tells.
        child.on("close", (code, signal) => {
          state.ended = code ?? signal ?? "unknown"
          changed()
        })
        return state
      }),
      (state, exit) =>
        Effect.suspend(() => {
          if (Exit.isFailure(exit)) console.error(`${command} ${args.join(" ")}\n${state.text}`)
          if (state.ended !== undefined || state.child.pid === undefined) return Effect.void
          killGroup(state.child.pid)
          return Effect.ignore(
            state.watched.until(
              "it was killed",
              () => state.ended,
              () => undefined
            )
          )
        })
    ),
    (state) => {
      const until = <A>(what: string, look: () => A | undefined): Effect.Effect<A, PeerFailure> =>
        state.watched.until(`${what}: ${command} ${args.join(" ")}`, look, () =>
          state.ended === undefined ? undefined : `it ended (${state.ended})`
        )
      return {
        output: Effect.sync(() => state.text),
        saw: (pattern) => until(`it said ${pattern}`, () => pattern.exec(state.text) ?? undefined),
        received: (length) =>
          until(`it received ${length} bytes`, () =>
            state.length >= length ? new Uint8Array(Buffer.concat(state.chunks)) : undefined
          ),
        send: (input) => Effect.sync(() => void state.child.stdin.write(input)),
        endInput: Effect.sync(() => void state.child.stdin.end()),
        kill: Effect.suspend(() => {
          if (state.child.pid !== undefined) killGroup(state.child.pid)
          return Effect.ignore(until("it ended", () => state.ended))
        }),
        exit: until("it ended", () => state.ended)
      }
    }
  )

const killGroup = (pid: number): void => {
  try {
    process.kill(-pid, "SIGKILL")
  } catch {
    // It has just ended.
  }
}

/** Runs a program to its end and gives what it wrote. */
export const run = (command: string, args: ReadonlyArray<string>, options?: StartOptions) =>
  Effect.scoped(
    Effect.gen(function* () {
      const peer = yield* start(command, args, options)
      yield* peer.endInput
      const exit = yield* peer.exit
      return { exit, output: yield* peer.output }
    })
  )
