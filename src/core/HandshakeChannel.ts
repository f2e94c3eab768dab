/**
 * What a handshake program speaks through: it asks for the message the protocol allows next, and whatever else comes
 * is `UnexpectedMessage`. Underneath are records, transcript, key changes, alerts and the transport.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Alert from "../schema/Alert.ts"
import { join } from "../schema/Bytes.ts"
import type { CipherSuiteInfo } from "../schema/CipherSuite.ts"
import * as ContentType from "../schema/ContentType.ts"
import type { HandshakeMessage } from "../schema/HandshakeMessage.ts"
import { decode, encode } from "../schema/HandshakeMessage.ts"
import type { Limits } from "../schema/Limits.ts"
import type * as ProtocolVersion from "../schema/ProtocolVersion.ts"
import type { Record } from "../schema/Record.ts"
import type { HandshakeReason, Phase, TlsError } from "../schema/TlsError.ts"
import { AlertError, alertOf, HandshakeError, TransportError, TruncationError } from "../schema/TlsError.ts"
import type { CryptoProviderService } from "./CryptoProvider.ts"
import { checkMessage } from "./ExtensionRules.ts"
import { HandshakeReassembly } from "./HandshakeReassembly.ts"
import type { HandshakeTraceService, TraceConnection, TraceEvent } from "./HandshakeTrace.ts"
import * as HandshakeTrace from "./HandshakeTrace.ts"
import type { KeySchedule, TrafficSecret } from "./KeySchedule.ts"
import { RecordProtection } from "./RecordProtection.ts"
import { RecordReader } from "./RecordReader.ts"
import { RecordWriter } from "./RecordWriter.ts"
import * as Step from "./Step.ts"
import { Transcript } from "./Transcript.ts"
import type { Duplex } from "./Transport.ts"

/**
 * @since 0.1.0
 * @category models
 */
export type Role = "client" | "server"

/**
 * @since 0.1.0
 * @category models
 */
export interface HandshakeChannelOptions {
  readonly role: Role
  readonly duplex: Duplex
  readonly crypto: CryptoProviderService
  readonly limits: Limits
  readonly maxFragment: number
  readonly recordPadding: number
  readonly trace: HandshakeTraceService | undefined
  /** Whether what takes its time is a span. */
  readonly spans?: boolean
}

const userCanceled = Alert.fromName("user_canceled")

/**
 * A message of a tag.
 *
 * @since 0.1.0
 * @category models
 */
export type MessageOf<T extends HandshakeMessage["_tag"]> = Extract<HandshakeMessage, { readonly _tag: T }>

/**
 * @since 0.1.0
 * @category models
 */
export class HandshakeChannel {
  readonly role: Role
  readonly duplex: Duplex
  readonly crypto: CryptoProviderService
  readonly limits: Limits
  readonly transcript: Transcript
  readonly reader: RecordReader
  readonly writer: RecordWriter
  readonly spans: boolean
  /** The extension types we offered; what answers them must not go beyond. */
  offered: ReadonlySet<number> | undefined

  readonly #reassembly: HandshakeReassembly
  readonly #trace: HandshakeTraceService | undefined
  readonly #traced: TraceConnection | undefined
  #outgoing: Array<Uint8Array> = []
  /** Messages of the flight that the keys of now will protect, in as few records as they need. */
  #unsealed: Array<Uint8Array> = []
  #ahead: { readonly message: HandshakeMessage; readonly bytes: Uint8Array } | undefined
  #changeCipherSpecs = 0
  #warnings = 0

  constructor(options: HandshakeChannelOptions) {
    this.role = options.role
    this.duplex = options.duplex
    this.crypto = options.crypto
    this.limits = options.limits
    this.transcript = new Transcript(options.crypto)
    this.reader = new RecordReader(options.limits)
    this.writer = new RecordWriter({ maxFragment: options.maxFragment, padding: options.recordPadding })
    this.#reassembly = new HandshakeReassembly(options.limits)
    this.spans = options.spans ?? false
    this.#trace = options.trace
    this.#traced = options.trace && HandshakeTrace.unsafeConnection(options.duplex)
  }

  /** How far the connection has come. */
  get phase(): Phase {
    return this.reader.phase
  }

  enter(phase: Phase): void {
    this.reader.phase = phase
  }

  /** An error of this connection, now. */
  error(reason: HandshakeReason, message: string, cause?: unknown): HandshakeError {
    return new HandshakeError({ reason, message, phase: this.phase, ...(cause === undefined ? {} : { cause }) })
  }

  fail(reason: HandshakeReason, message: string, cause?: unknown): Effect.Effect<never, HandshakeError> {
    return Effect.suspend(() => Effect.fail(this.error(reason, message, cause)))
  }

  trace(event: TraceEvent): void {
    this.#trace?.record(this.role, event, this.#traced!)
  }

  // -- receiving ------------------------------------------------------------------------------------------------------

  /** The next message, which must be of one of these tags; it is then part of the transcript. */
  expect<T extends HandshakeMessage["_tag"]>(...tags: ReadonlyArray<T>): Effect.Effect<MessageOf<T>, TlsError> {
    return new Step.Step(() =>
      this.#whenNext((message) =>
        (tags as ReadonlyArray<string>).includes(message._tag)
          ? this.#accept<T>()
          : this.fail("UnexpectedMessage", `${message._tag} came where ${tags.join(" or ")} is due`)
      )
    )
  }

  /** The next message if it is of this tag; otherwise it stays for whoever expects it. */
  optional<T extends HandshakeMessage["_tag"]>(tag: T): Effect.Effect<Option.Option<MessageOf<T>>, TlsError> {
    return new Step.Step(() =>
      this.#whenNext((message): Effect.Effect<Option.Option<MessageOf<T>>, TlsError> => {
        if (message._tag !== tag) return Effect.succeedNone
        return Exit.map(this.#accept<T>(), Option.some)
      })
    )
  }

  /** What is done with the next message: at once when it is here. */
  #whenNext<A>(use: (message: HandshakeMessage) => Effect.Effect<A, TlsError>): Effect.Effect<A, TlsError> {
    const wrong = this.#look()
    if (wrong !== undefined) return Exit.fail(wrong)
    return this.#ahead === undefined ? Effect.flatMap(this.#fill, () => this.#whenNext(use)) : use(this.#ahead.message)
  }

  /** Takes the message that `#look` found. */
  #accept<T extends HandshakeMessage["_tag"]>(): Exit.Exit<MessageOf<T>, TlsError> {
    const { bytes, message } = this.#ahead!
    const wrong = checkMessage(message, { limits: this.limits, phase: this.phase, offered: this.offered })
    if (wrong !== undefined) return Exit.fail(wrong)
    this.#ahead = undefined
    this.transcript.add(bytes)
    return Exit.succeed(message as MessageOf<T>)
  }

  /** Looks for the next message in what has come, and leaves it in `#ahead` if it is whole. */
  #look(): TlsError | undefined {
    while (this.#ahead === undefined) {
      const bytes = this.#reassembly.next(this.phase)
      if (bytes instanceof HandshakeError) return bytes
      if (bytes !== undefined) {
        const message = this.#decode(bytes)
        if (message instanceof HandshakeError) return message
        this.#ahead = { message, bytes }
        break
      }
      const record = this.reader.next()
      if (record instanceof HandshakeError) return record
      if (record === undefined) break
      const wrong = this.#take(record)
      if (wrong !== undefined) return wrong
    }
    return undefined
  }

  readonly #fill: Effect.Effect<void, TlsError> = Effect.suspend(() =>
    Effect.matchEffect(this.duplex.pull, {
      onFailure: (error) => Effect.fail(this.#located(error)),
      onSuccess: (chunk): Effect.Effect<void, TlsError> => {
        if (Option.isNone(chunk)) {
          return this.#warnings > 0
            ? Effect.fail(new AlertError({ description: userCanceled, phase: this.phase }))
            : Effect.fail(new TruncationError({ phase: this.phase, bytesReceived: 0 }))
        }
        this.reader.push(chunk.value)
        return Effect.void
      }
    })
  )

  /** A transport does not know how far we are; its errors during the handshake say so. */
  #located({ cause, code, message, operation, reason }: TransportError): TransportError {
    const details = { ...(code === undefined ? {} : { code }), ...(cause === undefined ? {} : { cause }) }
    return new TransportError({ reason, operation, message, phase: this.phase, ...details })
  }

  #decode(bytes: Uint8Array): HandshakeMessage | HandshakeError {
    const decoded = decode(bytes)
    if (Either.isLeft(decoded)) return this.error("MalformedMessage", decoded.left.message)
    this.trace({ _tag: "MessageReceived", message: decoded.right, length: bytes.length })
    return decoded.right
  }

  #take({ fragment, type }: Record): TlsError | undefined {
    switch (type) {
      case ContentType.handshake:
        if (fragment.length === 0) return this.error("UnexpectedMessage", "an empty handshake record")
        this.#reassembly.push(fragment)
        return undefined
      case ContentType.alert:
        return this.#alert(fragment)
      case ContentType.changeCipherSpec:
        return this.#changeCipherSpec(fragment)
      default:
        return this.error("UnexpectedMessage", "application data came during the handshake")
    }
  }

  #alert(fragment: Uint8Array): TlsError | undefined {
    if (fragment.length !== 2) return this.error("MalformedMessage", `an alert of ${fragment.length} bytes`)
    const description = fragment[1]!
    this.trace({ _tag: "AlertReceived", description })
    // A warning that the peer is giving up: close_notify follows (RFC 9846 §6.1), and then the warning is the reason.
    if (description === userCanceled && ++this.#warnings <= this.limits.warnings) return undefined
    const isEnd = description === Alert.fromName("close_notify") && this.#warnings > 0
    return new AlertError({ description: isEnd ? userCanceled : description, phase: this.phase })
  }

  #changeCipherSpec(fragment: Uint8Array): HandshakeError | undefined {
    // Middleboxes need it; it means nothing, but it must look right and has its places (RFC 9846 §5).
    if (fragment.length !== 1 || fragment[0] !== 1) {
      return this.error("UnexpectedMessage", "a ChangeCipherSpec that is not the byte 1")
    }
    if (this.#reassembly.pending) {
      return this.error("UnexpectedMessage", "a ChangeCipherSpec in the middle of a handshake message")
    }
    if (this.role === "server" && this.transcript.hash === undefined) {
      return this.error("UnexpectedMessage", "a ChangeCipherSpec before the ClientHello")
    }
    if (++this.#changeCipherSpecs > this.limits.changeCipherSpecs) {
      return this.error("TooManyMessages", `more than ${this.limits.changeCipherSpecs} ChangeCipherSpecs`)
    }
    this.trace({ _tag: "ChangeCipherSpecReceived" })
    return undefined
  }

  // -- sending --------------------------------------------------------------------------------------------------------

  /** Adds a message to the flight and to the transcript; `flush` sends the flight. Gives the message's bytes. */
  send(message: HandshakeMessage, version?: ProtocolVersion.ProtocolVersion): Uint8Array {
    const bytes = encode(message)
    this.transcript.add(bytes)
    this.trace({ _tag: "MessageSent", message, length: bytes.length })
    if (this.writer.isProtected) this.#unsealed.push(bytes)
    else this.#outgoing.push(this.writer.write(ContentType.handshake, bytes, version))
    return bytes
  }

  /** Seals what was sent under the keys of now. */
  #seal(): void {
    if (this.#unsealed.length === 0) return
    const content = join(this.#unsealed)
    this.#unsealed = []
    this.#outgoing.push(this.writer.write(ContentType.handshake, content))
  }

  /** Adds the ChangeCipherSpec that makes the flight look like TLS 1.2 to middleboxes (RFC 9846 §D.4). */
  sendChangeCipherSpec(): void {
    this.trace({ _tag: "ChangeCipherSpecSent" })
    this.#outgoing.push(Uint8Array.of(ContentType.changeCipherSpec, 3, 3, 0, 1, 1))
  }

  /**
   * Sends the flight in one write, and does not wait for room: a peer may read no further before it has written its
   * own flight, for which it may need us to read. What then fails is seen by the next read or write.
   */
  readonly flush: Effect.Effect<void, TlsError> = new Step.Step((): Effect.Effect<void, TlsError> => {
    const flight = this.#takeOutgoing()
    if (flight.length === 0) return Effect.void
    const write = Step.begin(this.duplex.write(flight))
    if (Step.successOf(write) !== undefined) return Effect.void
    return Effect.flatMap(Effect.runtime(), (runtime) => {
      // Started at once, so that nothing else is written before it.
      const exit = Runtime.runFork(runtime)(
        Effect.mapError(write, (error) => this.#located(error)),
        { immediate: true }
      ).unsafePoll()
      return exit !== null && Exit.isFailure(exit) ? exit : Effect.void
    })
  })

  #takeOutgoing(): Uint8Array {
    this.#seal()
    const flight = join(this.#outgoing)
    this.#outgoing = []
    return flight
  }

  /** Tells the peer why the handshake ends, if there is anything to tell, and ends our side. */
  abandon(error: TlsError): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.trace({ _tag: "HandshakeFailed", error })
      const alert = alertOf(error)
      if (Option.isSome(alert)) {
        this.#sendAlert(alert.value)
        if (alert.value === userCanceled) this.#sendAlert(Alert.fromName("close_notify"))
      }
      return Effect.ignore(this.duplex.end(this.#takeOutgoing()))
    })
  }

  #sendAlert(description: Alert.AlertDescription): void {
    this.#seal()
    this.#outgoing.push(this.sealAlert(description))
  }

  /** The records of an alert that is sent now, behind all that was sealed before. */
  sealAlert(description: Alert.AlertDescription): Uint8Array {
    this.trace({ _tag: "AlertSent", description })
    return this.writer.write(ContentType.alert, Alert.encode({ level: Alert.levelOf(description), description }))
  }

  // -- keys -----------------------------------------------------------------------------------------------------------

  /** Fails unless all that the peer's records hold so far has been expected: keys change between records only. */
  readonly boundary: Effect.Effect<void, HandshakeError> = new Step.Step((): Effect.Effect<void, HandshakeError> =>
    this.#ahead !== undefined || this.#reassembly.pending
      ? this.fail("UnexpectedMessage", "a handshake message crosses a change of keys")
      : Effect.void
  )

  /** Opens records with this secret's keys from the next record on. Bytes of a message begun under the old are fatal. */
  changeReadKeys(
    schedule: KeySchedule,
    secret: TrafficSecret,
    stage: "handshake" | "application"
  ): Effect.Effect<void, HandshakeError> {
    return new Step.Step(() => {
      const boundary = Step.begin(this.boundary)
      if (Step.successOf(boundary) !== undefined) this.unsafeChangeReadKeys(schedule, secret, stage)
      return boundary
    })
  }

  /** The same where the caller has seen that no message is half read. */
  unsafeChangeReadKeys(schedule: KeySchedule, secret: TrafficSecret, stage: "handshake" | "application"): void {
    this.reader.protect(new RecordProtection(this.crypto, schedule.trafficKeys(secret)))
    this.trace({ _tag: "KeysChanged", direction: "read", stage })
  }

  /** Seals records with this secret's keys from the next record on. */
  changeWriteKeys(
    schedule: KeySchedule,
    suite: CipherSuiteInfo,
    secret: TrafficSecret,
    stage: "handshake" | "application"
  ): void {
    this.#seal()
    this.writer.protect(
      new RecordProtection(this.crypto, schedule.trafficKeys(secret)),
      Math.min(suite.confidentialityLimit, this.limits.recordsPerKey)
    )
    this.trace({ _tag: "KeysChanged", direction: "write", stage })
  }
}
