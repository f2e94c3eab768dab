/** `node:tls` as a peer, in this process: its events as Effects. */
import { Effect, type Scope } from "effect"
import * as Net from "node:net"
import * as Tls from "node:tls"
import { type PeerFailure, Watched } from "./watch.ts"

export const version = `node:tls of Node ${process.versions.node} (OpenSSL ${process.versions.openssl})`

/** Node's own OpenSSL has ML-KEM from 3.5 on. */
export const hasMlKem = !/^(1\.|3\.[0-4]\.)/.test(process.versions.openssl)

export interface Socket {
  readonly tls: Tls.TLSSocket
  /** Waits for that many bytes, and gives all there are. */
  readonly received: (length: number) => Effect.Effect<Uint8Array, PeerFailure>
  /** Waits for the peer's end, and gives all that came before it. */
  readonly ended: Effect.Effect<Uint8Array, PeerFailure>
  /** Waits until the socket is closed; its error, if it had one. */
  readonly closed: Effect.Effect<NodeJS.ErrnoException | undefined, PeerFailure>
  /** Completes when the data is with the kernel. */
  readonly write: (data: string | Uint8Array) => Effect.Effect<void>
  /** Resets the TCP connection below TLS. */
  readonly reset: Effect.Effect<void>
}

const watch = (tls: Tls.TLSSocket, raw: () => Net.Socket | undefined): Socket => {
  const watched = new Watched()
  const state = {
    chunks: [] as Array<Uint8Array>,
    length: 0,
    hasEnded: false,
    error: undefined as NodeJS.ErrnoException | undefined
  }
  tls.on("data", (chunk: Buffer) => {
    state.chunks.push(chunk)
    state.length += chunk.length
    watched.changed()
  })
  tls.on("end", () => {
    state.hasEnded = true
    watched.changed()
  })
  tls.on("error", (error: Error) => {
    state.error = error
  })
  tls.on("close", watched.changed)
  const all = () => new Uint8Array(Buffer.concat(state.chunks))
  const because = () => (tls.closed ? `node:tls closed (${String(state.error)})` : undefined)
  return {
    tls,
    received: (wanted) =>
      watched.until(`it received ${wanted} bytes`, () => (state.length >= wanted ? all() : undefined), because),
    ended: watched.until("the peer ended", () => (state.hasEnded ? all() : undefined), because),
    closed: Effect.map(
      watched.until("it closed", () => tls.closed || undefined, because),
      () => state.error
    ),
    write: (data) => Effect.async<void>((resume) => void tls.write(data, () => resume(Effect.void))),
    reset: Effect.sync(() => void raw()?.resetAndDestroy())
  }
}

export interface Server {
  readonly port: number
  /** The next connection whose handshake succeeded. */
  readonly accepted: Effect.Effect<Socket, PeerFailure>
  /** Why the next handshake failed. */
  readonly refused: Effect.Effect<Error, PeerFailure>
  readonly keyLog: ReadonlyArray<string>
}

class Listening {
  readonly watched = new Watched()
  readonly accepted: Array<Socket> = []
  readonly refused: Array<Error> = []
  readonly keyLog: Array<string> = []
  readonly #sockets = new Map<number | undefined, Net.Socket>()
  readonly #server: Tls.Server

  constructor(options: Tls.TlsOptions) {
    this.#server = Tls.createServer(options)
    this.#server.on("connection", (socket: Net.Socket) => void this.#sockets.set(socket.remotePort, socket))
    this.#server.on("secureConnection", (tls) => {
      this.accepted.push(watch(tls, () => this.#sockets.get(tls.remotePort)))
      this.watched.changed()
    })
    this.#server.on("tlsClientError", (error) => {
      this.refused.push(error)
      this.watched.changed()
    })
    this.#server.on("keylog", (line: Buffer) => void this.keyLog.push(line.toString("latin1").trim()))
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === "object" && address !== null ? address.port : 0
  }

  readonly listen = (where: Net.ListenOptions): Effect.Effect<this> =>
    Effect.async((resume) => void this.#server.listen(where, () => resume(Effect.succeed(this))))

  readonly close: Effect.Effect<void> = Effect.async((resume) => {
    for (const socket of this.#sockets.values()) socket.destroy()
    this.#server.close(() => resume(Effect.void))
  })
}

export const serve = (
  options: Tls.TlsOptions,
  where: Net.ListenOptions = { host: "127.0.0.1", port: 0 }
): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.suspend(() => new Listening(options).listen(where)),
      ({ close }) => close
    ),
    ({ accepted, keyLog, port, refused, watched }) => ({
      port,
      keyLog,
      accepted: watched.until(
        "a connection",
        () => accepted.shift(),
        () => refused[0] && `node:tls refused (${refused[0]})`
      ),
      refused: watched.until(
        "a refusal",
        () => refused.shift(),
        () => accepted[0] && "node:tls accepted"
      )
    })
  )

export interface Client extends Socket {
  readonly keyLog: ReadonlyArray<string>
  /** Waits for the end of the handshake. */
  readonly secure: Effect.Effect<void, PeerFailure>
}

export interface ClientOptions extends Tls.ConnectionOptions, Pick<Net.TcpNetConnectOpts, "allowHalfOpen"> {}

/** The server's name as node:tls wants it: that of an address stands elsewhere. */
export const named = (name = "localhost"): ClientOptions =>
  Net.isIP(name) === 0 ? { servername: name } : { servername: "", host: name }

/** Connects to a port, or the path of a Unix socket, as `localhost`, and verifies as `node:tls` does. */
export const connect = (to: number | string, options: ClientOptions): Effect.Effect<Client, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        const { allowHalfOpen = false } = options
        const socket = Net.connect(
          typeof to === "number" ? { host: "127.0.0.1", port: to, allowHalfOpen } : { path: to, allowHalfOpen }
        )
        socket.on("error", () => {}) // The TLS socket has it too.
        const tls = Tls.connect({ servername: "localhost", ...options, socket })
        const watched = new Watched()
        const state = {
          socket,
          tls,
          watched,
          keyLog: [] as Array<string>,
          isSecure: false,
          failure: undefined as unknown
        }
        tls.on("keylog", (line) => void state.keyLog.push(line.toString("latin1").trim()))
        tls.on("secureConnect", () => {
          state.isSecure = true
          watched.changed()
        })
        tls.on("error", (error) => {
          state.failure = error
        })
        tls.on("close", watched.changed)
        return state
      }),
      ({ socket, tls }) =>
        Effect.sync(() => {
          tls.destroy()
          socket.destroy()
        })
    ),
    (state) => ({
      ...watch(state.tls, () => state.socket),
      keyLog: state.keyLog,
      secure: Effect.asVoid(
        state.watched.until(
          "the handshake's end",
          () => state.isSecure || undefined,
          () => (state.tls.closed ? `node:tls closed (${String(state.failure)})` : undefined)
        )
      )
    })
  )
