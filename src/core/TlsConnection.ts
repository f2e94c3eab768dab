/**
 * An open connection: pull-based, with back-pressure from the application to the transport.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import * as Sink from "effect/Sink"
import * as Stream from "effect/Stream"
import { hashLength } from "../schema/Algorithms.ts"
import * as Alert from "../schema/Alert.ts"
import { join } from "../schema/Bytes.ts"
import * as ContentType from "../schema/ContentType.ts"
import type { Endpoint } from "../schema/Endpoint.ts"
import type { HandshakeMessage, NewSessionTicket } from "../schema/HandshakeMessage.ts"
import { decode, encode } from "../schema/HandshakeMessage.ts"
import type { Record } from "../schema/Record.ts"
import type { HandshakeReason, TlsError } from "../schema/TlsError.ts"
import {
  AlertError,
  alertOf,
  HandshakeError,
  TlsConfigError,
  TransportError,
  TruncationError
} from "../schema/TlsError.ts"
import type { ConnectionInfo } from "./ConnectionInfo.ts"
import type { Established } from "./Established.ts"
import { checkMessage } from "./ExtensionRules.ts"
import type { HandshakeChannel } from "./HandshakeChannel.ts"
import { HandshakeReassembly } from "./HandshakeReassembly.ts"
import type { TrafficSecret } from "./KeySchedule.ts"
import { Mutex } from "./Mutex.ts"
import * as Step from "./Step.ts"

/**
 * An open TLS connection. It lives in a Scope; closing that sends `close_notify` (after a failure or a defect, but not an
 * interruption, the alert `internal_error`), half-closes, and lets the transport deliver what was written.
 *
 * @since 0.1.0
 * @category models
 */
export interface TlsConnection<out Alpn extends string = string> {
  /** Everything that was negotiated. */
  readonly info: ConnectionInfo<Alpn>
  readonly localAddress: Option.Option<Endpoint>
  readonly remoteAddress: Option.Option<Endpoint>
  /**
   * The next decrypted data, in order. Fails with `None` after the peer's `close_notify`; a transport that ends without
   * one is a `TruncationError`, after the data before it. Interrupting it loses nothing. The bytes are yours.
   */
  readonly pull: Effect.Effect<Chunk.Chunk<Uint8Array>, Option.Option<TlsError>>
  /** All that `pull` gives, as a Stream: it ends at `close_notify`. */
  readonly stream: Stream.Stream<Uint8Array, TlsError>
  /**
   * Sends bytes, and completes when there is room for more. They must not be changed before that. Interrupted, it has
   * sent all of them or none, but of more than 64 KiB maybe a part.
   */
  readonly write: (bytes: Uint8Array) => Effect.Effect<void, TlsError>
  /** Writes all it is given. It does not `end` the connection. */
  readonly sink: Sink.Sink<void, Uint8Array, never, TlsError>
  /** Says that nothing more will be written (`close_notify`). Reading goes on. */
  readonly end: Effect.Effect<void, TlsError>
  /** Changes the keys we write with; with `requestPeer` the peer is asked to change its own too (RFC 9846 §4.6.3). */
  readonly updateKeys: (options?: { readonly requestPeer?: boolean }) => Effect.Effect<void, TlsError>
  /** Keying material for another protocol, the same on both sides (RFC 9846 §7.5). `length` is in bytes. */
  readonly exportKeyingMaterial: (options: {
    readonly label: string
    readonly context?: Uint8Array
    readonly length: number
  }) => Effect.Effect<Uint8Array, TlsConfigError>
}

/** Bytes sealed and handed to the transport at once: enough to make system calls few, little to wait for. */
const batchLength = 65_536

const noBytes = new Uint8Array(0)

class Connection implements TlsConnection {
  readonly info: ConnectionInfo
  readonly #flight: HandshakeChannel
  readonly #established: Established
  readonly #scope: Scope.Scope
  readonly #reassembly: HandshakeReassembly
  readonly #reading = new Mutex()
  readonly #writing = new Mutex()
  #readSecret: TrafficSecret
  #writeSecret: TrafficSecret
  /** How reading ended: `None` by `close_notify`. */
  #readEnd: Option.Option<TlsError> | undefined
  #writeEnded = false
  /** Why nothing can be written any more, besides `end`. */
  #failure: TlsError | undefined
  #answerDue = false
  /** A fiber waits to send the answer. */
  #answering = false
  /** We asked the peer for a KeyUpdate that has not come: not again until then (RFC 9846 §4.6.3). */
  #requested = false
  #bytesReceived = 0
  #postHandshake = 0
  /** Tickets that came and are not kept yet. */
  #tickets: Array<NewSessionTicket> = []
  /** How many the cache is busy with. */
  #keeping = 0
  #warnings = 0

  constructor(flight: HandshakeChannel, established: Established, scope: Scope.Scope) {
    this.#flight = flight
    this.#established = established
    this.#scope = scope
    this.info = established.info
    this.#readSecret = established.readSecret
    this.#writeSecret = established.writeSecret
    this.#reassembly = new HandshakeReassembly(flight.limits)
    flight.reader.handshaking = false
    flight.enter("connected")
  }

  get localAddress(): Option.Option<Endpoint> {
    return this.#flight.duplex.localAddress
  }

  get remoteAddress(): Option.Option<Endpoint> {
    return this.#flight.duplex.remoteAddress
  }

  // -- reading --------------------------------------------------------------------------------------------------------

  readonly pull: TlsConnection["pull"] = new Step.Step((): TlsConnection["pull"] => {
    const now = this.#reading.isFree ? this.#available() : undefined
    if (now !== undefined) return Step.successOf(now) ?? Effect.uninterruptible(now)
    // Uninterruptible but for the waiting inside the transport, so that no data is lost between it and us.
    return this.#reading.withLock(Effect.uninterruptible(this.#next))
  })

  readonly #next: TlsConnection["pull"] = Effect.suspend(() => {
    const now = this.#available()
    if (now !== undefined) return now
    const due = this.#due()
    if (due !== undefined) return Effect.zipRight(due, this.#next)
    return Effect.matchEffect(this.#flight.duplex.pull, {
      onFailure: (error) => Effect.fail(Option.some(error)),
      onSuccess: (chunk) => {
        if (Option.isSome(chunk)) this.#flight.reader.push(chunk.value)
        else this.#endReading(new TruncationError({ phase: "connected", bytesReceived: this.#bytesReceived }))
        return this.#next
      }
    })
  })

  /** What there is to read, or that there is an end; `undefined` when more has to come for that. */
  #available(): TlsConnection["pull"] | undefined {
    const batch = this.#drain()
    const data = batch.length > 0 ? Effect.succeed(Chunk.unsafeFromArray(batch)) : undefined
    const result =
      data ?? (this.#readEnd === undefined ? undefined : Effect.zipRight(this.#tellPeer, Effect.fail(this.#readEnd)))
    const due = result === undefined ? undefined : this.#due()
    return due === undefined ? result : Effect.zipRight(due, result!)
  }

  /** What has come to be done besides: an answer to a KeyUpdate, tickets to keep. */
  #due(): Effect.Effect<void> | undefined {
    const answer = this.#answerDue && !this.#answering ? this.#answer : undefined
    if (this.#tickets.length === 0) return answer
    return answer === undefined ? this.#keepTickets : Effect.zipRight(this.#keepTickets, answer)
  }

  get stream(): Stream.Stream<Uint8Array, TlsError> {
    return Stream.repeatEffectChunkOption(this.pull)
  }

  /** Opens all the records that are there. */
  #drain(): Array<Uint8Array> {
    const batch: Array<Uint8Array> = []
    while (this.#readEnd === undefined) {
      const record = this.#flight.reader.next()
      if (record === undefined) break
      if (record instanceof HandshakeError) this.#endReading(record)
      else if (record.type === ContentType.applicationData) this.#data(record.fragment, batch)
      else this.#control(record)
    }
    return batch
  }

  #data(fragment: Uint8Array, batch: Array<Uint8Array>): void {
    if (this.#reassembly.pending) {
      this.#refuse("UnexpectedMessage", "application data in the middle of a handshake message")
    } else if (fragment.length > 0) {
      this.#postHandshake = 0
      this.#bytesReceived += fragment.length
      batch.push(fragment)
    }
  }

  #control({ fragment, type }: Record): void {
    if (type === ContentType.alert) this.#alert(fragment)
    else if (type === ContentType.handshake) this.#handshake(fragment)
    else this.#refuse("UnexpectedMessage", `a record of type ${type} on an open connection`)
  }

  #alert(fragment: Uint8Array): void {
    if (fragment.length !== 2) {
      this.#refuse("MalformedMessage", `an alert of ${fragment.length} bytes`)
      return
    }
    const description = fragment[1]!
    this.#flight.trace({ _tag: "AlertReceived", description })
    if (description === Alert.fromName("close_notify")) {
      this.#readEnd = Option.none()
    } else if (description !== Alert.fromName("user_canceled")) {
      this.#endReading(new AlertError({ description, phase: "connected" }))
    } else if (++this.#warnings > this.#flight.limits.warnings) {
      this.#refuse("TooManyMessages", "too many warnings")
    }
  }

  #handshake(fragment: Uint8Array): void {
    if (fragment.length === 0) {
      this.#refuse("UnexpectedMessage", "an empty handshake record")
      return
    }
    this.#reassembly.push(fragment)
    while (this.#readEnd === undefined) {
      const bytes = this.#reassembly.next("connected")
      if (bytes === undefined) return
      if (bytes instanceof HandshakeError) {
        this.#endReading(bytes)
        return
      }
      const message = decode(bytes)
      if (Either.isLeft(message)) this.#refuse("MalformedMessage", message.left.message)
      else this.#postHandshakeMessage(message.right, bytes.length)
    }
  }

  #postHandshakeMessage(message: HandshakeMessage, length: number): void {
    const { limits, role } = this.#flight
    this.#flight.trace({ _tag: "MessageReceived", message, length })
    if (++this.#postHandshake > limits.consecutivePostHandshake) {
      this.#refuse("TooManyMessages", `more than ${limits.consecutivePostHandshake} messages without data`)
    } else if (message._tag === "KeyUpdate") {
      this.#peerUpdatesKeys(message.request)
    } else if (message._tag === "NewSessionTicket" && role === "client") {
      this.#ticket(message)
    } else {
      this.#refuse("UnexpectedMessage", `${message._tag} on an open connection`)
    }
  }

  #ticket(message: NewSessionTicket): void {
    const wrong = checkMessage(message, { limits: this.#flight.limits, phase: "connected", offered: undefined })
    if (wrong !== undefined) this.#endReading(wrong)
    else if (this.#established.keepTicket !== undefined) this.#tickets.push(message)
  }

  /** Keeps what came, as much at once as a cache is to be busy with. */
  readonly #keepTickets: Effect.Effect<void> = Effect.suspend(() => {
    const tickets = this.#tickets.splice(0, Infinity).slice(0, this.#flight.limits.ticketsBeingKept - this.#keeping)
    return Effect.forEach(
      tickets,
      (ticket) => {
        this.#keeping++
        const done = Effect.sync(() => void this.#keeping--)
        return this.#beside(Effect.ensuring(this.#established.keepTicket!(ticket), done))
      },
      { discard: true }
    )
  })

  /** Gives the client the tickets of this session. That they cannot be made or sent is seen by the next read or write. */
  readonly giveTickets: Effect.Effect<void> = Effect.suspend(() =>
    this.#established.tickets === undefined
      ? Effect.void
      : this.#beside(Effect.flatMap(this.#established.tickets, (tickets) => this.#sendTickets(tickets)))
  )

  #sendTickets(tickets: ReadonlyArray<NewSessionTicket>): Effect.Effect<void> {
    return this.#writing.withLock(
      Effect.suspend(() => {
        if (tickets.length === 0 || this.#cannotWrite() !== undefined) return Effect.void
        const messages = tickets.map((message) => {
          const bytes = encode(message)
          this.#flight.trace({ _tag: "MessageSent", message, length: bytes.length })
          return bytes
        })
        const records = this.#flight.writer.write(ContentType.handshake, join(messages))
        return Effect.ignore(this.#flight.duplex.write(records))
      })
    )
  }

  /**
   * Runs what nobody waits for, until the connection's Scope closes: at once as far as it can, so that what is in memory is
   * done with here and now, and beside everything else from where it has to wait.
   */
  #beside(effect: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.map(Effect.runtime(), (runtime) => {
      Runtime.runFork(runtime)(Effect.interruptible(effect), { immediate: true, scope: this.#scope })
    })
  }

  #peerUpdatesKeys(request: number): void {
    if (request > 1) {
      this.#refuse("IllegalParameter", `a KeyUpdate that requests ${request}`)
    } else if (this.#reassembly.pending) {
      this.#refuse("UnexpectedMessage", "a handshake message crosses a change of keys")
    } else {
      const { schedule } = this.#established
      this.#requested = false
      this.#readSecret = schedule.update(this.#readSecret)
      this.#flight.unsafeChangeReadKeys(schedule, this.#readSecret, "application")
      if (request === 1) this.#answerDue = true
    }
  }

  #refuse(reason: HandshakeReason, message: string): void {
    this.#endReading(this.#flight.error(reason, message))
  }

  /** Reading is over: after `error` nothing the peer sends means anything. */
  #endReading(error: TlsError): void {
    this.#readEnd = Option.some(error)
    // What a peer said that then did wrong is not to be relied on (RFC 9846 §6.2).
    if (error._tag !== "TruncationError") this.#tickets = []
    // A truncated stream says nothing about the other direction.
    if (error._tag !== "TruncationError") this.#failure = error
  }

  /** Sends the alert of the error that ended reading, once. */
  readonly #tellPeer: Effect.Effect<void> = Effect.suspend(() => {
    if (this.#failure === undefined || this.#writeEnded) return Effect.void
    const alert = alertOf(this.#failure)
    if (Option.isSome(alert)) return Effect.ignore(this.#flight.duplex.end(this.#lastAlert(alert.value)))
    this.#writeEnded = true
    return Effect.ignore(this.#flight.duplex.end())
  })

  // -- writing --------------------------------------------------------------------------------------------------------

  // Properties, not methods: whoever takes them out of the connection need not bind them.
  readonly write = (bytes: Uint8Array): Effect.Effect<void, TlsError> => {
    if (bytes.length === 0) return Effect.void
    return new Step.Step((): Effect.Effect<void, TlsError> => {
      if (bytes.length > batchLength || !this.#writing.isFree) return this.#writing.withLock(this.#writeFrom(bytes, 0))
      const written = Step.begin(this.#writeFrom(bytes, 0))
      // Whoever comes next waits until there is room for this.
      return Step.successOf(written) ?? this.#writing.withLock(written)
    })
  }

  get sink(): Sink.Sink<void, Uint8Array, never, TlsError> {
    return Sink.forEachChunk((chunk: Chunk.Chunk<Uint8Array>) => this.write(join(Chunk.toReadonlyArray(chunk))))
  }

  #writeFrom(bytes: Uint8Array, at: number): Effect.Effect<void, TlsError> {
    return new Step.Step((): Effect.Effect<void, TlsError> => {
      const closed = this.#cannotWrite()
      if (closed !== undefined) return Effect.fail(closed)
      const end = Math.min(bytes.length, at + batchLength)
      const written = Step.begin(this.#flight.duplex.write(this.#seal(bytes.subarray(at, end))))
      return end < bytes.length ? Effect.zipRight(written, this.#writeFrom(bytes, end)) : written
    })
  }

  /** Records with the data, and the KeyUpdates that fall due before and between them. */
  #seal(data: Uint8Array): Uint8Array {
    const { writer } = this.#flight
    const parts: Array<Uint8Array> = []
    for (let at = 0; at < data.length;) {
      const update = this.#takeKeyUpdate()
      if (update !== undefined) parts.push(update)
      // One record of every key is kept for its KeyUpdate, and one for an alert.
      const end = Math.min(data.length, at + (writer.remaining - 2) * writer.fragmentLength)
      parts.push(writer.write(ContentType.applicationData, data.subarray(at, end)))
      at = end
    }
    return join(parts)
  }

  #cannotWrite(): TlsError | undefined {
    if (this.#failure !== undefined) return this.#failure
    if (!this.#writeEnded) return undefined
    return new TransportError({
      reason: "Closed",
      operation: "write",
      message: "this side has ended the connection",
      phase: "closing"
    })
  }

  /** A KeyUpdate that is due, because the peer asked or because the key has protected all it may. */
  #takeKeyUpdate(): Uint8Array | undefined {
    if (!this.#answerDue && this.#flight.writer.remaining > 2) return undefined
    this.#answerDue = false
    return this.#keyUpdate(0)
  }

  /** Seals a KeyUpdate and changes the keys behind it. */
  #keyUpdate(request: 0 | 1): Uint8Array {
    const { schedule, suite } = this.#established
    const message = { _tag: "KeyUpdate", request } as const
    const bytes = encode(message)
    this.#flight.trace({ _tag: "MessageSent", message, length: bytes.length })
    const record = this.#flight.writer.write(ContentType.handshake, bytes)
    this.#writeSecret = schedule.update(this.#writeSecret)
    this.#flight.changeWriteKeys(schedule, suite, this.#writeSecret, "application")
    return record
  }

  /**
   * Answers the peer's KeyUpdate without making the reader wait for the writer: with the next write, or from a fiber of
   * its own. However many are asked for, one answer is pending at most.
   */
  readonly #answer: Effect.Effect<void> = Effect.suspend(() => {
    this.#answering = true
    const answer = this.#writing.withLock(
      Effect.suspend(() => {
        if (!this.#answerDue || this.#cannotWrite() !== undefined) return Effect.void
        return Effect.ignore(this.#flight.duplex.write(this.#takeKeyUpdate()!))
      })
    )
    const done = Effect.sync(() => {
      this.#answering = false
    })
    return Effect.asVoid(Effect.forkIn(Effect.ensuring(Effect.interruptible(answer), done), this.#scope))
  })

  readonly updateKeys = (options?: { readonly requestPeer?: boolean }): Effect.Effect<void, TlsError> =>
    this.#writing.withLock(
      Effect.suspend(() => {
        const closed = this.#cannotWrite()
        if (closed !== undefined) return Effect.fail(closed)
        this.#answerDue = false
        const request = options?.requestPeer === true && !this.#requested
        if (request) this.#requested = true
        return this.#flight.duplex.write(this.#keyUpdate(request ? 1 : 0))
      })
    )

  get end(): Effect.Effect<void, TlsError> {
    return this.#writing.withLock(
      Effect.suspend(() => {
        if (this.#failure !== undefined) return Effect.fail(this.#failure)
        if (this.#writeEnded) return Effect.void
        return this.#flight.duplex.write(this.#closeNotify())
      })
    )
  }

  #closeNotify(): Uint8Array {
    return this.#lastAlert(Alert.fromName("close_notify"))
  }

  #lastAlert(description: Alert.AlertDescription): Uint8Array {
    this.#writeEnded = true
    return this.#flight.sealAlert(description)
  }

  /**
   * What closing the Scope does. It waits for nobody: a writer that waits for room has its bytes in the transport. After a
   * failure the peer must not take what it got for all there is, so that it is told of an error. An interruption is how
   * programs end connections they are done with.
   */
  readonly close = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (this.#failure !== undefined) return Effect.zipRight(this.#tellPeer, Effect.ignore(this.#flight.duplex.end()))
      if (this.#writeEnded) return Effect.ignore(this.#flight.duplex.end())
      const failed = Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause)
      return Effect.ignore(
        this.#flight.duplex.end(failed ? this.#lastAlert(Alert.fromName("internal_error")) : this.#closeNotify())
      )
    })

  readonly exportKeyingMaterial: TlsConnection["exportKeyingMaterial"] = ({ context = noBytes, label, length }) =>
    Effect.suspend(() => {
      const { exporterSecret, schedule } = this.#established
      if (!/^[\x20-\x7e]{1,249}$/.test(label)) {
        return TlsConfigError.of("InvalidOptions", "label", "a label is 1 to 249 printable ASCII characters")
      }
      const most = 255 * hashLength[schedule.hash]
      if (!Number.isInteger(length) || length < 0 || length > most) {
        return TlsConfigError.of("InvalidOptions", "length", `a whole number of bytes up to ${most} is needed`)
      }
      return Effect.sync(() => schedule.exportKeyingMaterial(exporterSecret, label, context, length))
    })
}

/**
 * Opens the connection of a finished handshake in a Scope. `onClose` is called when that closes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const open = (
  flight: HandshakeChannel,
  established: Established,
  scope: Scope.Scope,
  onClose: () => void
): Effect.Effect<TlsConnection> =>
  Effect.suspend(() => {
    const connection = new Connection(flight, established, scope)
    const close = (exit: Exit.Exit<unknown, unknown>) => {
      onClose()
      return connection.close(exit)
    }
    const opened = Effect.zipRight(Scope.addFinalizerExit(scope, close), connection.giveTickets)
    return Effect.as(opened, connection)
  })
