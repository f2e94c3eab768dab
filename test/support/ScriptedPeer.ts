/**
 * A peer that speaks records and handshake messages by hand, so that a test can play a correct or a lying server or
 * client step by step: any message, any record, with the right keys or without.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { Role } from "../../src/core/HandshakeChannel.ts"
import type { KeySchedule, TrafficSecret } from "../../src/core/KeySchedule.ts"
import { HandshakeReassembly } from "../../src/core/HandshakeReassembly.ts"
import { RecordProtection } from "../../src/core/RecordProtection.ts"
import { RecordReader } from "../../src/core/RecordReader.ts"
import { RecordWriter } from "../../src/core/RecordWriter.ts"
import { Transcript } from "../../src/core/Transcript.ts"
import type { Duplex } from "../../src/core/Transport.ts"
import * as Alert from "../../src/schema/Alert.ts"
import { concat } from "../../src/schema/Bytes.ts"
import * as ContentType from "../../src/schema/ContentType.ts"
import type { HandshakeMessage } from "../../src/schema/HandshakeMessage.ts"
import { decode, encode } from "../../src/schema/HandshakeMessage.ts"
import * as Limits from "../../src/schema/Limits.ts"
import type { Record } from "../../src/schema/Record.ts"
import { headerLength, writeHeader } from "../../src/schema/Record.ts"
import { HandshakeError } from "../../src/schema/TlsError.ts"
import { crypto } from "./identities.ts"

/** The other side gave up, and said why. `before` names the warnings that came first. */
export class PeerAlert extends Data.TaggedError("PeerAlert")<{
  readonly name: string
  readonly level: number
  readonly isProtected: boolean
}> {}

/** The other side is gone without a word. */
export class PeerGone extends Data.TaggedError("PeerGone")<{ readonly how: string }> {}

/** The other side said something that the script does not know what to do with. */
export class OffScript extends Data.TaggedError("OffScript")<{ readonly what: string }> {}

export type Ending = PeerAlert | PeerGone | OffScript

/** A message, a message's bytes, or bytes for the transport that are no part of the transcript. */
export type Item = HandshakeMessage | Uint8Array | ((peer: ScriptedPeer) => Uint8Array)

/** A record as it stands on the wire, without protection, whatever is in it. */
export const plain = (type: number, fragment: Uint8Array, version = 0x0303): Uint8Array => {
  const record = new Uint8Array(headerLength + fragment.length)
  writeHeader(record, 0, ContentType.make(type), fragment.length, version as never)
  record.set(fragment, headerLength)
  return record
}

export const alertBytes = (name: Alert.AlertName, level?: number): Uint8Array => {
  const description = Alert.fromName(name)
  return Alert.encode({ level: level ?? Alert.levelOf(description), description })
}

export const changeCipherSpec: Uint8Array = plain(ContentType.changeCipherSpec, Uint8Array.of(1))

export class ScriptedPeer {
  readonly role: Role
  readonly duplex: Duplex
  readonly transcript = new Transcript(crypto)
  readonly reader = new RecordReader({ ...Limits.defaults, consecutiveEmptyRecords: 1e9 })
  readonly writer = new RecordWriter({ maxFragment: 16_384, padding: 1 })
  readonly messages: Array<HandshakeMessage> = []
  /** Alerts that did not end anything. */
  readonly warnings: Array<string> = []
  changeCipherSpecs = 0
  #sealing: RecordProtection | undefined
  #opening: RecordProtection | undefined
  /** Whether the last record came under keys. */
  lastWasProtected = false
  /** Content, type and padding of the largest protected record, in bytes. */
  largestInner = 0
  #reassembly = new HandshakeReassembly(Limits.defaults)

  constructor(role: Role, duplex: Duplex) {
    this.role = role
    this.duplex = duplex
  }

  // -- keys -----------------------------------------------------------------------------------------------------------

  protectRead(schedule: KeySchedule, secret: TrafficSecret): void {
    this.#opening = new RecordProtection(crypto, schedule.trafficKeys(secret))
    this.reader.protect(this.#opening)
  }

  protectWrite(schedule: KeySchedule, secret: TrafficSecret): void {
    this.#sealing = new RecordProtection(crypto, schedule.trafficKeys(secret))
    this.writer.protect(this.#sealing, Infinity)
  }

  // -- making bytes ---------------------------------------------------------------------------------------------------

  /** A record, or several, with the keys of the moment. */
  record(type: number, content: Uint8Array): Uint8Array {
    return this.writer.write(ContentType.make(type), content)
  }

  /** A protected record around just these bytes, content type and padding included. */
  sealed(inner: Uint8Array, outer: number = ContentType.applicationData): Uint8Array {
    const protection = this.#sealing
    if (protection === undefined) throw new Error("there are no keys yet")
    const record = new Uint8Array(headerLength + inner.length + protection.tagLength)
    writeHeader(record, 0, ContentType.make(outer), inner.length + protection.tagLength)
    protection.seal(record.subarray(0, headerLength), inner, record.subarray(headerLength))
    return record
  }

  alert(name: Alert.AlertName, level?: number): Uint8Array {
    return this.record(ContentType.alert, alertBytes(name, level))
  }

  data(text: string): Uint8Array {
    return this.record(ContentType.applicationData, new TextEncoder().encode(text))
  }

  /** A message's bytes, which are then part of the transcript. */
  hashed(message: HandshakeMessage | Uint8Array): Uint8Array {
    const bytes = message instanceof Uint8Array ? message : encode(message)
    this.transcript.add(bytes)
    return bytes
  }

  /** What is sent for an item: a message in a record of its own. */
  item(item: Item): Uint8Array {
    return typeof item === "function" ? item(this) : this.record(ContentType.handshake, this.hashed(item))
  }

  // -- sending --------------------------------------------------------------------------------------------------------

  /** Sends bytes as they are, in one write. */
  bytes(...parts: ReadonlyArray<Uint8Array>): Effect.Effect<void, Ending> {
    return Effect.catchAll(this.duplex.write(concat(parts)), ({ reason }) =>
      // Whoever hung up may still have said why.
      Effect.zipRight(this.ending, new PeerGone({ how: reason }))
    )
  }

  send(...items: ReadonlyArray<Item>): Effect.Effect<void, Ending> {
    return Effect.suspend(() => this.bytes(...items.map((item) => this.item(item))))
  }

  // -- receiving ------------------------------------------------------------------------------------------------------

  /** The next record that is no ChangeCipherSpec. */
  readonly nextRecord: Effect.Effect<Record, Ending> = Effect.suspend(() => {
    for (;;) {
      const before = this.#opening?.sequence
      const record = this.reader.next()
      if (record !== undefined) this.lastWasProtected = this.#opening?.sequence !== before
      if (record instanceof HandshakeError) return Effect.fail(new OffScript({ what: record.message }))
      if (record === undefined) break
      if (this.lastWasProtected) this.largestInner = Math.max(this.largestInner, record.fragment.length + 1)
      if (record.type !== ContentType.changeCipherSpec) return Effect.succeed(record)
      this.changeCipherSpecs++
    }
    return this.duplex.pull.pipe(
      Effect.mapError(({ reason }) => new PeerGone({ how: reason })),
      Effect.flatMap((chunk) => {
        if (Option.isNone(chunk)) return Effect.fail(new PeerGone({ how: "end" }))
        this.reader.push(chunk.value)
        return this.nextRecord
      })
    )
  })

  #alertOf({ fragment }: Record): PeerAlert {
    return new PeerAlert({
      name: Alert.name(fragment[1]!),
      level: fragment[0]!,
      isProtected: this.lastWasProtected
    })
  }

  /** The next handshake message; an alert or the end fails. */
  readonly next: Effect.Effect<HandshakeMessage, Ending> = Effect.suspend(() => {
    const bytes = this.#reassembly.next("negotiation")
    if (bytes instanceof HandshakeError) return Effect.fail(new OffScript({ what: bytes.message }))
    if (bytes !== undefined) {
      const message = Either.getOrThrow(decode(bytes))
      this.transcript.add(bytes)
      this.messages.push(message)
      return Effect.succeed(message)
    }
    return Effect.flatMap(this.nextRecord, (record) => {
      if (record.type === ContentType.alert) return Effect.fail(this.#alertOf(record))
      if (record.type !== ContentType.handshake) {
        return Effect.fail(new OffScript({ what: `a record of type ${record.type}` }))
      }
      this.#reassembly.push(record.fragment)
      return this.next
    })
  })

  expect<T extends HandshakeMessage["_tag"]>(
    ...tags: ReadonlyArray<T>
  ): Effect.Effect<Extract<HandshakeMessage, { readonly _tag: T }>, Ending> {
    return Effect.flatMap(this.next, (message) =>
      (tags as ReadonlyArray<string>).includes(message._tag)
        ? Effect.succeed(message as Extract<HandshakeMessage, { readonly _tag: T }>)
        : Effect.fail(new OffScript({ what: `${message._tag} instead of ${tags.join(" or ")}` }))
    )
  }

  /** The next application data, as text. Handshake messages before it are read and kept in `messages`. */
  readonly text: Effect.Effect<string, Ending> = Effect.flatMap(
    this.nextRecord,
    (record): Effect.Effect<string, Ending> => {
      if (record.type === ContentType.alert) return Effect.fail(this.#alertOf(record))
      if (record.type === ContentType.applicationData) return Effect.succeed(new TextDecoder().decode(record.fragment))
      return Effect.fail(new OffScript({ what: `a record of type ${record.type}` }))
    }
  )

  /** Reads whatever comes until it ends, and says how: the name of the last alert, or how the transport ended. */
  readonly ending: Effect.Effect<string> = Effect.suspend(() => {
    const read: Effect.Effect<string> = Effect.matchEffect(this.nextRecord, {
      onFailure: (error) =>
        Effect.succeed(
          this.warnings[this.warnings.length - 1] ??
            (error._tag === "PeerGone" ? error.how : error._tag === "OffScript" ? error.what : error.name)
        ),
      onSuccess: (record) => {
        if (record.type === ContentType.alert) this.warnings.push(Alert.name(record.fragment[1]!))
        return read
      }
    })
    return read
  })
}
