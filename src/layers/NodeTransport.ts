/**
 * TCP and Unix domain sockets of `node:net`, and any Node stream that is already open, as the `Transport`.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Net from "node:net"
import type * as NodeStream from "node:stream"
import { Signal } from "../core/Signal.ts"
import * as Step from "../core/Step.ts"
import { type Duplex, type Listener, Transport, type TransportService } from "../core/Transport.ts"
import { type Endpoint, TcpEndpoint } from "../schema/Endpoint.ts"
import type { TransportError } from "../schema/TlsError.ts"
import { closed, failed } from "./NodeTransportError.ts"

/**
 * - `readAhead`: how many bytes a connection takes in before anybody pulls them, 64 KiB by default. The chunk that
 *   crosses the mark is kept too, and so is what Node's own stream buffer holds; past that the kernel's buffers fill
 *   and the peer waits.
 * - `lingerTimeout`: how long closing a connection may wait for the peer to take what was written and to end, 1 second
 *   by default.
 * - `pendingConnections`: how many connections a listener keeps until `accept` asks for them, 512 by default. Node
 *   takes every connection out of the kernel's backlog as it comes and offers no way to leave it there, so those
 *   beyond are reset.
 *
 * @since 0.1.0
 * @category models
 */
export interface NodeTransportOptions {
  readonly readAhead?: number
  readonly lingerTimeout?: Duration.DurationInput
  readonly pendingConnections?: number
}

interface Limits {
  readonly readAhead: number
  readonly linger: number
  readonly pendingConnections: number
}

const limitsOf = (options: NodeTransportOptions = {}): Limits => ({
  readAhead: options.readAhead ?? 65536,
  // setTimeout takes a longer time for 1 ms.
  linger: Math.min(Duration.toMillis(options.lingerTimeout ?? 1000), 0x7fffffff),
  pendingConnections: options.pendingConnections ?? 512
})

// ---------------------------------------------------------------------------------------------------------------------
// Connections
// ---------------------------------------------------------------------------------------------------------------------

const tcpEndpoint = (host: string | undefined, port: number | undefined): Option.Option<Endpoint> =>
  host === undefined || port === undefined
    ? Option.none()
    : Option.some(new TcpEndpoint({ host, port }, { disableValidation: true }))

/** Why a connection is over: what the stream said, or nothing when it was closed on this side. */
interface Failure {
  readonly cause: unknown
}

const closedHere: Failure = { cause: undefined }

class Connection implements Duplex {
  localAddress: Option.Option<Endpoint> = Option.none()
  remoteAddress: Option.Option<Endpoint> = Option.none()
  failure: Failure | undefined = undefined

  private readonly stream: NodeStream.Duplex
  private readonly limits: Limits
  private readonly chunks: Array<Uint8Array> = []
  private buffered = 0
  private paused = false
  private peerEnded: boolean
  private ended: boolean
  /** Aborted, or its Scope is closing: what still arrives is thrown away. */
  private released = false

  /** There is something to pull, or an end of it. */
  private readonly readable = new Signal()
  /** The stream wants more, or nothing ever again. */
  private readonly writable = new Signal()
  private full = false

  constructor(stream: NodeStream.Duplex, limits: Limits) {
    this.stream = stream
    this.limits = limits
    this.peerEnded = stream.readableEnded
    this.ended = stream.writableEnded
    if (stream.destroyed && !(this.peerEnded && this.ended)) {
      this.failure = stream.errored === null ? closedHere : { cause: stream.errored }
    }
    stream.on("error", (cause) => {
      // What arrived before a reset and waits in Node's own buffer would be lost with the stream.
      stream.off("data", this.onData)
      for (let chunk: unknown = stream.read(); chunk !== null; chunk = stream.read()) {
        if (chunk instanceof Uint8Array) this.receive(chunk)
      }
      this.fail({ cause })
    })
    stream.on("end", () => {
      this.peerEnded = true
      this.readable.notify()
    })
    stream.on("close", () => {
      if (!(this.peerEnded && this.ended)) this.fail(closedHere)
    })
    stream.on("drain", () => this.drained())
  }

  /** Begins to read by 'data' events: for streams that were not made with `onread`. */
  start(): void {
    this.stream.on("data", this.onData)
    // A stream that somebody paused does not flow by the listener alone.
    this.stream.resume()
  }

  private readonly onData = (chunk: unknown): void => {
    if (!(chunk instanceof Uint8Array)) {
      this.stream.destroy(new TypeError("the stream gives no bytes: it has an encoding set or is in object mode"))
    } else if (!this.receive(chunk)) {
      this.stream.pause()
    }
  }

  /** Takes bytes in; false when it is enough for now. */
  receive(chunk: Uint8Array): boolean {
    if (this.released) return true
    this.chunks.push(chunk)
    this.buffered += chunk.length
    this.readable.notify()
    // More than, so that a stream of full reads that are pulled as they come does not pause at each.
    this.paused = this.buffered > this.limits.readAhead
    return !this.paused
  }

  nameAddresses(endpoint?: Endpoint): void {
    if (this.stream instanceof Net.Socket) {
      this.localAddress = tcpEndpoint(this.stream.localAddress, this.stream.localPort)
      this.remoteAddress = tcpEndpoint(this.stream.remoteAddress, this.stream.remotePort)
    }
    if (endpoint?._tag === "UnixEndpoint") this.remoteAddress = Option.some(endpoint)
  }

  private fail(failure: Failure): void {
    this.failure ??= failure
    this.readable.notify()
    this.drained()
  }

  private drained(): void {
    this.full = false
    this.writable.notify()
  }

  private error(operation: "read" | "write"): TransportError {
    const peer = Option.getOrUndefined(this.remoteAddress)
    if (this.failure !== undefined && this.failure.cause !== undefined) {
      return failed(operation, peer, this.failure.cause)
    }
    const name = peer === undefined ? "the connection" : `the connection with ${peer.toString()}`
    return closed(operation, this.failure === undefined ? `this side of ${name} has ended` : `${name} is closed`)
  }

  readonly pull: Duplex["pull"] = new Step.Step((): Duplex["pull"] => {
    const chunk = this.chunks.shift()
    if (chunk !== undefined) {
      this.buffered -= chunk.length
      if (this.paused && this.buffered <= this.limits.readAhead) {
        this.paused = false
        this.stream.resume()
      }
      return Effect.succeedSome(chunk)
    }
    // The end comes first: what breaks after it takes nothing from what the peer sent.
    if (this.peerEnded && !this.released) return Effect.succeedNone
    if (this.failure !== undefined) return Effect.fail(this.error("read"))
    return Effect.flatMap(Effect.interruptible(this.readable.until(this.isReadable)), () => this.pull)
  })

  private readonly isReadable = (): boolean => this.chunks.length > 0 || this.peerEnded || this.failure !== undefined

  readonly write = (bytes: Uint8Array): Effect.Effect<void, TransportError> =>
    new Step.Step((): Effect.Effect<void, TransportError> => {
      if (this.ended || this.failure !== undefined) return Effect.fail(this.error("write"))
      if (this.stream.write(bytes)) return Effect.void
      this.full = true
      return Effect.flatMap(Effect.interruptible(this.writable.until(() => !this.full)), () =>
        this.failure === undefined ? Effect.void : Effect.fail(this.error("write"))
      )
    })

  readonly end = (last?: Uint8Array): Effect.Effect<void, TransportError> =>
    Effect.suspend(() => {
      if (this.ended && (last === undefined || last.length === 0)) return Effect.void
      if (this.ended || this.failure !== undefined) return Effect.fail(this.error("write"))
      this.finish(last)
      return Effect.void
    })

  private finish(last?: Uint8Array): void {
    this.ended = true
    this.stream.end(last)
    // A stream that is ending never says 'drain'.
    this.drained()
  }

  readonly abort: Effect.Effect<void> = Effect.sync(() => this.drop())

  drop(): void {
    this.release()
    const stream = this.stream
    if (stream.destroyed) return
    // The peer should see a reset, not an end that looks like one of ours. Only TCP has resets, and libuv refuses one
    // while a shutdown is under way.
    const tcp = Option.exists(this.localAddress, (address) => address._tag === "TcpEndpoint")
    if (tcp && !this.ended && stream instanceof Net.Socket) {
      stream.resetAndDestroy()
    } else {
      stream.destroy()
    }
  }

  private release(): void {
    this.released = true
    this.chunks.length = 0
    this.buffered = 0
    this.failure = closedHere
    this.fail(closedHere)
  }

  /**
   * Ends our side, then reads on and discards until the peer ends too: closing a socket that holds unread bytes sends
   * a reset, and a reset takes from the peer what we wrote and it has not read yet.
   *
   * The bound is real time, not the Effect Clock: the socket is real too, and under a TestClock nobody would wake us.
   */
  readonly close: Effect.Effect<void> = Effect.async<void>((resume) => {
    const stream = this.stream
    this.release()
    if (stream.closed) return resume(Effect.void)
    const done = () => {
      clearTimeout(timer)
      resume(Effect.void)
    }
    const timer = setTimeout(() => {
      stream.off("close", done)
      stream.destroy()
      done()
    }, this.limits.linger)
    stream.once("close", done)
    if (stream.destroyed) return
    if (!this.ended) this.finish()
    stream.resume()
  })
}

/** `Effect.acquireRelease` would carry the fiber's references to the finalizer and back, several copies of them. */
const acquire = (
  opened: Effect.Effect<Connection, TransportError>
): Effect.Effect<Connection, TransportError, Scope.Scope> =>
  Effect.flatMap(Effect.scope, (scope) =>
    Effect.uninterruptible(
      Effect.flatMap(opened, (connection) => Effect.as(Scope.addFinalizer(scope, connection.close), connection))
    )
  )

// ---------------------------------------------------------------------------------------------------------------------
// Outgoing
// ---------------------------------------------------------------------------------------------------------------------

const slabSize = 65536
const slabRest = 16384

/**
 * Opens a socket that reads through `onread`, past Node's stream machinery: for 64 KiB chunks a third less processor
 * time a byte than 'data' events on Node 20, a sixth less on Node 24.
 *
 * The bytes belong to whoever pulls them, so nothing is read into the same memory twice. One fixed buffer and a copy of
 * each read costs as much as 'data' events do. A fresh buffer for each read is fast, but 64 KiB for a record of 50
 * bytes; so reads follow each other in one slab until less than 16 KiB of it is left.
 */
const dial = (endpoint: Endpoint, limits: Limits): { socket: Net.Socket; connection: Connection } => {
  let slab = Buffer.allocUnsafeSlow(slabSize)
  let used = 0
  const socket = Net.connect({
    ...(endpoint._tag === "TcpEndpoint" ? { host: endpoint.host, port: endpoint.port } : { path: endpoint.path }),
    noDelay: true,
    allowHalfOpen: true,
    onread: {
      buffer: () => {
        if (slabSize - used < slabRest) {
          slab = Buffer.allocUnsafeSlow(slabSize)
          used = 0
        }
        return slab.subarray(used)
      },
      callback: (length, buffer) => {
        used += length
        return connection.receive(buffer.subarray(0, length))
      }
    }
  })
  const connection = new Connection(socket, limits)
  return { socket, connection }
}

const connect =
  (limits: Limits) =>
  (endpoint: Endpoint): Effect.Effect<Duplex, TransportError, Scope.Scope> =>
    acquire(
      Effect.suspend(() => {
        let dialled: ReturnType<typeof dial>
        try {
          dialled = dial(endpoint, limits)
        } catch (cause) {
          return Effect.fail(failed("connect", endpoint, cause))
        }
        const { connection, socket } = dialled
        const opened = Effect.async<Connection, TransportError>((resume) => {
          // 'close' and not 'error': only then is the socket's descriptor free again.
          const onClose = () => resume(Effect.fail(failed("connect", endpoint, connection.failure?.cause)))
          socket.once("close", onClose)
          socket.once("connect", () => {
            socket.off("close", onClose)
            connection.nameAddresses(endpoint)
            socket.resume()
            resume(Effect.succeed(connection))
          })
        })
        // Whatever ends the waiting, the socket is either returned or gone.
        return Effect.catchAllCause(Effect.interruptible(opened), (cause) =>
          Effect.zipRight(connection.abort, Effect.failCause(cause))
        )
      })
    )

// ---------------------------------------------------------------------------------------------------------------------
// Incoming
// ---------------------------------------------------------------------------------------------------------------------

class NodeListener implements Listener {
  address: Endpoint

  private readonly server: Net.Server
  private readonly pending: Array<Connection> = []
  /** The last failure to accept that nobody was told of yet; there may be thousands of a kind. */
  private failure: Failure | undefined = undefined
  private closed = false
  private readonly ready = Effect.unsafeMakeLatch(false)

  constructor(endpoint: Endpoint, limits: Limits) {
    this.address = endpoint
    this.server = Net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true })
    this.server.on("connection", (socket) => {
      const connection = new Connection(socket, limits)
      connection.nameAddresses()
      if (this.closed || this.pending.length >= limits.pendingConnections) {
        connection.drop()
        return
      }
      if (this.address._tag === "UnixEndpoint") connection.localAddress = Option.some(this.address)
      this.pending.push(connection)
      this.ready.unsafeOpen()
    })
  }

  readonly opened: Effect.Effect<void, TransportError> = Effect.async((resume) => {
    const server = this.server
    server.on("error", (cause) => {
      if (!server.listening) {
        resume(Effect.fail(failed("listen", this.address, cause)))
        return
      }
      // Out of descriptors, mostly. The listener lives on; one `accept` hears of it.
      this.failure = { cause }
      this.ready.unsafeOpen()
    })
    server.on("listening", () => {
      const address = server.address()
      if (address !== null && typeof address === "object") {
        this.address = new TcpEndpoint({ host: address.address, port: address.port })
      }
      resume(Effect.void)
    })
    try {
      server.listen(
        this.address._tag === "TcpEndpoint"
          ? { host: this.address.host, port: this.address.port }
          : { path: this.address.path }
      )
    } catch (cause) {
      resume(Effect.fail(failed("listen", this.address, cause)))
    }
  })

  private readonly take: Effect.Effect<Connection, TransportError> = Effect.suspend(() => {
    const connection = this.pending.shift()
    if (connection !== undefined) {
      connection.start()
      return Effect.succeed(connection)
    }
    if (this.closed) return Effect.fail(closed("accept", `the listener at ${this.address.toString()} is closed`))
    if (this.failure !== undefined) {
      const { cause } = this.failure
      this.failure = undefined
      return Effect.fail(failed("accept", this.address, cause))
    }
    this.ready.unsafeClose()
    return this.takeLater
  })

  private readonly takeLater: Effect.Effect<Connection, TransportError> = Effect.flatMap(
    Effect.interruptible(this.ready.await),
    () => this.take
  )

  readonly accept: Effect.Effect<Duplex, TransportError, Scope.Scope> = acquire(this.take)

  /**
   * Does not wait for the server's 'close', which comes only after the last connection's: those live in scopes of
   * their own. The descriptor is closed, and a Unix socket's path removed, when this returns.
   */
  readonly close: Effect.Effect<void> = Effect.sync(() => {
    this.closed = true
    this.server.close()
    for (const connection of this.pending.splice(0)) connection.drop()
    this.ready.unsafeOpen()
  })
}

const listen =
  (limits: Limits) =>
  (endpoint: Endpoint): Effect.Effect<Listener, TransportError, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.suspend(() => {
        const listener = new NodeListener(endpoint, limits)
        return Effect.onError(Effect.as(Effect.interruptible(listener.opened), listener), () => listener.close)
      }),
      (listener) => listener.close
    )

// ---------------------------------------------------------------------------------------------------------------------
// Public
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The transport with options of its own.
 *
 * @example
 * ```ts
 * import * as Layer from "effect/Layer"
 * import { Transport } from "effect-tls"
 * import { NodeTransport } from "effect-tls/node"
 *
 * const patient = Layer.succeed(Transport.Transport, NodeTransport.make({ lingerTimeout: "5 seconds" }))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options?: NodeTransportOptions): TransportService => {
  const limits = limitsOf(options)
  return { connect: connect(limits), listen: listen(limits) }
}

/**
 * TCP and Unix domain sockets.
 *
 * Sockets have Nagle's algorithm off and are half-open: an end of the peer's does not end ours. Aborting a TCP
 * connection resets it; the peer of a Unix socket, which knows no resets, sees an end. On Node 20 and 22 a reset that
 * comes before the last bytes were pulled may look like an end, after those bytes: libuv does not tell them apart then.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Transport> = Layer.sync(Transport, make)

/**
 * A two-way Node stream that is already open: a pipe, an SSH channel, a WebSocket stream. From here on it is read,
 * written and closed by the Duplex only; what it holds unread, also by `unshift`, comes first. Listeners that read it
 * must be gone, and it must give bytes: no encoding, no object mode.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromDuplex = (
  stream: NodeStream.Duplex,
  options?: NodeTransportOptions
): Effect.Effect<Duplex, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const connection = new Connection(stream, limitsOf(options))
      // Otherwise Node ends our side with the peer's.
      stream.allowHalfOpen = true
      if (stream instanceof Net.Socket) {
        stream.setNoDelay(true)
        if (stream.connecting) stream.once("connect", () => connection.nameAddresses())
        else connection.nameAddresses()
      }
      connection.start()
      return connection
    }),
    (connection) => connection.close
  )

/**
 * A socket that is already open, after STARTTLS or a proxy's CONNECT say. As `fromDuplex`, with addresses.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import type { Socket } from "node:net"
 * import { NodeTransport } from "effect-tls/node"
 *
 * const afterStartTls = (socket: Socket) =>
 *   Effect.gen(function* () {
 *     socket.removeAllListeners("data")
 *     const duplex = yield* NodeTransport.fromSocket(socket)
 *     return yield* duplex.pull
 *   })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromSocket = (
  socket: Net.Socket,
  options?: NodeTransportOptions
): Effect.Effect<Duplex, never, Scope.Scope> => fromDuplex(socket, options)
