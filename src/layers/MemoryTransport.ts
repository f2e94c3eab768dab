/**
 * Connections within one process, without sockets, timers or a clock: whole clients and servers run in a test, under a
 * TestClock too, and in a browser.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Step from "../core/Step.ts"
import { type Duplex, type Listener, Transport, type TransportService } from "../core/Transport.ts"
import { type Endpoint, TcpEndpoint } from "../schema/Endpoint.ts"
import { TransportError } from "../schema/TlsError.ts"

/**
 * Which way bytes go. The client is the side that connects; of a `pair`, the first.
 *
 * @since 0.1.0
 * @category models
 */
export type Direction = "toServer" | "toClient"

/**
 * A fault under way in one direction of one connection: what each chunk that is not empty becomes, and what of those held
 * back still arrives when the writer ends in order.
 *
 * @since 0.1.0
 * @category models
 */
export interface FaultStage {
  readonly chunk: (bytes: Uint8Array) => ReadonlyArray<Uint8Array>
  readonly end: () => ReadonlyArray<Uint8Array>
}

/**
 * Something that goes wrong on the way: a value without state, begun anew in each direction of each connection.
 *
 * @since 0.1.0
 * @category models
 */
export interface Fault {
  readonly begin: (direction: Direction) => FaultStage
}

/**
 * - `capacity`: how many bytes are on their way in one direction before a writer waits, 64 KiB by default.
 * - `maxChunk`: the most bytes one `pull` gives; 1 is byte by byte. Without it a chunk arrives as it was written, the
 *   very same array.
 * - `transform`: sees each written chunk and says what the network makes of it: several, none, others. It is one function
 *   for all connections.
 * - `faults`: what goes wrong on the way, after `transform`; see `Faults`. Each direction of each connection has its own.
 * - `cut`: after that many bytes in that direction the connection is lost: the reader sees an end in spite of what the
 *   writer still writes, or both sides a reset.
 *
 * @since 0.1.0
 * @category models
 */
export interface MemoryTransportOptions {
  readonly capacity?: number
  readonly maxChunk?: number
  readonly transform?: (direction: Direction, chunk: Uint8Array) => ReadonlyArray<Uint8Array>
  readonly faults?: Fault
  readonly cut?: { readonly direction: Direction; readonly after: number; readonly as: "end" | "reset" }
}

/** What a closed end still takes from its peer without reading it, in place of the time a socket would linger. */
const lingerBytes = 1024 * 1024

/** How many connections a listener keeps until `accept` asks for them. */
const backlog = 512

const error = (
  reason: TransportError["reason"],
  operation: TransportError["operation"],
  message: string
): TransportError =>
  new TransportError({
    reason,
    operation,
    message,
    phase: operation === "connect" ? "dial" : operation === "read" || operation === "write" ? "connected" : "listen"
  })

const resetError = (operation: "read" | "write") =>
  error("ConnectionReset", operation, "the peer reset the connection in memory")

const closedError = (operation: "read" | "write") => error("Closed", operation, "the connection in memory is closed")

// ---------------------------------------------------------------------------------------------------------------------
// Connections
// ---------------------------------------------------------------------------------------------------------------------

/** One direction of a connection. */
class Pipe {
  private readonly direction: Direction
  private readonly options: MemoryTransportOptions
  private readonly capacity: number
  private readonly maxChunk: number
  private readonly fault: FaultStage | undefined
  private readonly chunks: Array<Uint8Array> = []
  private buffered = 0
  private total = 0
  private lingered = 0

  /** The writer's end: nothing follows what is buffered. */
  private ended = false
  /** What follows what is buffered is a reset. */
  private reset = false
  /** The end was forged: what the writer still writes goes nowhere. */
  private severed = false
  private writerClosed = false
  private readerClosed = false

  // Conditions to wait on; whoever wakes looks at the state again.
  private readonly readable = Effect.unsafeMakeLatch(false)
  private readonly writable = Effect.unsafeMakeLatch(true)

  private readonly breakBoth: () => void

  constructor(direction: Direction, options: MemoryTransportOptions, breakBoth: () => void) {
    this.direction = direction
    this.breakBoth = breakBoth
    this.options = options
    this.capacity = options.capacity ?? 65536
    this.maxChunk = options.maxChunk ?? Infinity
    this.fault = options.faults?.begin(direction)
  }

  private wake(): void {
    this.readable.unsafeOpen()
    this.writable.unsafeOpen()
  }

  readonly pull: Duplex["pull"] = new Step.Step((): Duplex["pull"] => {
    if (this.readerClosed) return Effect.fail(closedError("read"))
    const first = this.chunks[0]
    if (first !== undefined) {
      let chunk = first
      if (first.length > this.maxChunk) {
        chunk = first.subarray(0, this.maxChunk)
        this.chunks[0] = first.subarray(this.maxChunk)
      } else {
        this.chunks.shift()
      }
      this.buffered -= chunk.length
      if (this.buffered < this.capacity) this.writable.unsafeOpen()
      return Effect.succeedSome(chunk)
    }
    if (this.reset) return Effect.fail(resetError("read"))
    if (this.ended || this.severed) return Effect.succeedNone
    this.readable.unsafeClose()
    return this.pullLater
  })

  private readonly pullLater: Duplex["pull"] = Effect.flatMap(
    Effect.interruptible(this.readable.await),
    () => this.pull
  )

  readonly write = (bytes: Uint8Array): Effect.Effect<void, TransportError> =>
    new Step.Step((): Effect.Effect<void, TransportError> => {
      const refusal = this.refusal()
      if (refusal !== undefined) return Effect.fail(refusal)
      this.carry(bytes)
      if (this.buffered < this.capacity) return Effect.void
      this.writable.unsafeClose()
      return this.room
    })

  private readonly room: Effect.Effect<void, TransportError> = Effect.flatMap(
    Effect.interruptible(this.writable.await),
    () => {
      if (this.writerClosed) return Effect.fail(closedError("write"))
      return this.reset ? Effect.fail(resetError("write")) : Effect.void
    }
  )

  readonly end = (last?: Uint8Array): Effect.Effect<void, TransportError> =>
    Effect.suspend(() => {
      const empty = last === undefined || last.length === 0
      if (this.ended && empty) return Effect.void
      const refusal = this.refusal()
      if (refusal !== undefined) return Effect.fail(refusal)
      if (!empty) this.carry(last)
      this.finish()
      return Effect.void
    })

  private refusal(): TransportError | undefined {
    if (this.writerClosed) return closedError("write")
    if (this.ended) return error("Closed", "write", "this side of the connection in memory has ended")
    if (this.reset) return resetError("write")
    return undefined
  }

  private carry(bytes: Uint8Array): void {
    const { transform } = this.options
    if (transform === undefined) this.pass(bytes)
    else for (const chunk of transform(this.direction, bytes)) this.pass(chunk)
  }

  private pass(bytes: Uint8Array): void {
    if (this.fault === undefined || bytes.length === 0) this.put(bytes)
    else for (const chunk of this.fault.chunk(bytes)) this.put(chunk)
  }

  private put(bytes: Uint8Array): void {
    if (this.readerClosed) {
      this.lingered += bytes.length
      if (this.lingered > lingerBytes) this.break()
      return
    }
    const { cut } = this.options
    const left = cut?.direction === this.direction ? cut.after - this.total : Infinity
    const chunk = bytes.length > left ? bytes.subarray(0, left) : bytes
    if (chunk.length > 0) this.chunks.push(chunk)
    this.buffered += chunk.length
    this.total += chunk.length
    if (bytes.length >= left) {
      if (cut?.as === "reset") this.breakBoth()
      else this.severed = true
    }
    this.readable.unsafeOpen()
  }

  finish(): void {
    if (this.fault !== undefined && !this.ended && !this.reset) {
      for (const chunk of this.fault.end()) this.put(chunk)
    }
    this.ended = true
    this.wake()
  }

  /** A reset, from the network or the peer: it comes after what has arrived, and changes nothing after an end. */
  break(): void {
    if (!this.ended) this.reset = true
    this.wake()
  }

  closeWriter(): void {
    this.writerClosed = true
    this.wake()
  }

  closeReader(): void {
    this.readerClosed = true
    this.chunks.length = 0
    this.buffered = 0
    this.wake()
  }
}

class MemoryConnection implements Duplex {
  readonly pull: Duplex["pull"]
  readonly write: Duplex["write"]
  readonly end: Duplex["end"]
  readonly localAddress: Option.Option<Endpoint>
  readonly remoteAddress: Option.Option<Endpoint>

  private readonly incoming: Pipe
  private readonly outgoing: Pipe

  constructor(incoming: Pipe, outgoing: Pipe, local: Option.Option<Endpoint>, remote: Option.Option<Endpoint>) {
    this.incoming = incoming
    this.outgoing = outgoing
    this.pull = incoming.pull
    this.write = outgoing.write
    this.end = outgoing.end
    this.localAddress = local
    this.remoteAddress = remote
  }

  drop(): void {
    this.incoming.closeReader()
    this.incoming.break()
    this.outgoing.closeWriter()
    this.outgoing.break()
  }

  readonly abort: Effect.Effect<void> = Effect.sync(() => this.drop())

  /** Nothing to wait for: what was written stays with the peer until it is pulled. */
  readonly close: Effect.Effect<void> = Effect.sync(() => {
    this.incoming.closeReader()
    this.outgoing.finish()
    this.outgoing.closeWriter()
  })
}

const connection = (
  options: MemoryTransportOptions,
  client: Option.Option<Endpoint>,
  server: Option.Option<Endpoint>
): readonly [client: MemoryConnection, server: MemoryConnection] => {
  const breakBoth = () => {
    toServer.break()
    toClient.break()
  }
  const toServer: Pipe = new Pipe("toServer", options, breakBoth)
  const toClient: Pipe = new Pipe("toClient", options, breakBoth)
  return [
    new MemoryConnection(toClient, toServer, client, server),
    new MemoryConnection(toServer, toClient, server, client)
  ]
}

/**
 * A connection without a network: the client's end and the server's.
 *
 * Closing the Scope ends both sides, after what was written. `abort` is a reset as TCP's: the peer still pulls what had
 * arrived, then fails with `ConnectionReset`, and so do its writes at once.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { MemoryTransport } from "effect-tls/testing"
 *
 * const program = Effect.gen(function* () {
 *   const [client, server] = yield* MemoryTransport.pair({ maxChunk: 1 })
 *   yield* client.end(new TextEncoder().encode("hello"))
 *   return yield* server.pull // "h"
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const pair = (
  options: MemoryTransportOptions = {}
): Effect.Effect<readonly [client: Duplex, server: Duplex], never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => connection(options, Option.none(), Option.none())),
    ([client, server]) => Effect.zipRight(client.close, server.close)
  )

// ---------------------------------------------------------------------------------------------------------------------
// The network
// ---------------------------------------------------------------------------------------------------------------------

class MemoryListener implements Listener {
  readonly address: Endpoint

  private readonly pending: Array<MemoryConnection> = []
  private closed = false
  private readonly ready = Effect.unsafeMakeLatch(false)

  constructor(address: Endpoint) {
    this.address = address
  }

  get full(): boolean {
    return this.pending.length >= backlog
  }

  offer(server: MemoryConnection): void {
    this.pending.push(server)
    this.ready.unsafeOpen()
  }

  private readonly take: Effect.Effect<MemoryConnection, TransportError> = Effect.suspend(() => {
    const server = this.pending.shift()
    if (server !== undefined) return Effect.succeed(server)
    if (this.closed) {
      return Effect.fail(error("Closed", "accept", `the listener at ${this.address.toString()} is closed`))
    }
    this.ready.unsafeClose()
    return this.takeLater
  })

  private readonly takeLater: Effect.Effect<MemoryConnection, TransportError> = Effect.flatMap(
    Effect.interruptible(this.ready.await),
    () => this.take
  )

  readonly accept: Effect.Effect<Duplex, TransportError, Scope.Scope> = Effect.acquireRelease(
    this.take,
    (server) => server.close
  )

  close(): void {
    this.closed = true
    for (const server of this.pending.splice(0)) server.drop()
    this.ready.unsafeOpen()
  }
}

const firstFreePort = 49152
const lastPort = 65535

/** The names of this host are one host. */
const loopback = new Set(["localhost", "127.0.0.1", "::1"])
const wildcards = ["0.0.0.0", "::"]

const keyOf = (endpoint: Endpoint): string =>
  endpoint._tag === "UnixEndpoint"
    ? `unix ${endpoint.path}`
    : `tcp ${loopback.has(endpoint.host) ? "localhost" : endpoint.host} ${endpoint.port}`

/**
 * A network of its own: what listens in it can be reached by what connects in it, and by nothing else. Names do not
 * resolve but for those of the loopback address, which are one; listening at `0.0.0.0` or `::` is listening at every
 * host. A listener keeps 512 connections that nobody accepted yet and refuses more.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: MemoryTransportOptions = {}): TransportService => {
  const listeners = new Map<string, MemoryListener>()
  let port = firstFreePort - 1
  const nextPort = () => (port = port >= lastPort ? firstFreePort : port + 1)

  const withFreePort = (host: string): TcpEndpoint => {
    let endpoint: TcpEndpoint
    do endpoint = new TcpEndpoint({ host, port: nextPort() })
    while (listeners.has(keyOf(endpoint)))
    return endpoint
  }

  const find = (endpoint: Endpoint): MemoryListener | undefined => {
    const exact = listeners.get(keyOf(endpoint))
    if (exact !== undefined || endpoint._tag === "UnixEndpoint") return exact
    for (const host of wildcards) {
      const listener = listeners.get(keyOf(new TcpEndpoint({ host, port: endpoint.port })))
      if (listener !== undefined) return listener
    }
    return undefined
  }

  const dial = (endpoint: Endpoint): Effect.Effect<MemoryConnection, TransportError> =>
    Effect.suspend(() => {
      const listener = find(endpoint)
      if (listener === undefined || listener.full) {
        const why = listener === undefined ? "nothing listens there" : "too many connections wait to be accepted"
        return Effect.fail(
          error("ConnectionRefused", "connect", `could not connect to ${endpoint.toString()} in memory: ${why}`)
        )
      }
      const local =
        endpoint._tag === "UnixEndpoint"
          ? Option.none()
          : Option.some(new TcpEndpoint({ host: "127.0.0.1", port: nextPort() }))
      const [client, server] = connection(options, local, Option.some(endpoint))
      listener.offer(server)
      return Effect.succeed(client)
    })

  const open = (endpoint: Endpoint): Effect.Effect<MemoryListener, TransportError> =>
    Effect.suspend(() => {
      const address = endpoint._tag === "TcpEndpoint" && endpoint.port === 0 ? withFreePort(endpoint.host) : endpoint
      if (listeners.has(keyOf(address))) {
        return Effect.fail(
          error(
            "AddressInUse",
            "listen",
            `could not listen at ${address.toString()} in memory: another program listens there`
          )
        )
      }
      const listener = new MemoryListener(address)
      listeners.set(keyOf(address), listener)
      return Effect.succeed(listener)
    })

  return {
    connect: (endpoint) => Effect.acquireRelease(dial(endpoint), (client) => client.close),
    listen: (endpoint) =>
      Effect.acquireRelease(open(endpoint), (listener) =>
        Effect.sync(() => {
          listeners.delete(keyOf(listener.address))
          listener.close()
        })
      )
  }
}

/**
 * A new network for each time the layer is built.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Transport> = Layer.sync(Transport, () => make())
