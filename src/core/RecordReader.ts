/**
 * Transport bytes in, records out (RFC 9846 §5.1, §5.2): framing, opening, padding, and the limits on records. Pure of
 * effects: what is wrong is a value.
 *
 * @since 0.1.0
 */
import * as ContentType from "../schema/ContentType.ts"
import type { Limits } from "../schema/Limits.ts"
import type { Record } from "../schema/Record.ts"
import { headerLength, maxCiphertext, maxPlaintext } from "../schema/Record.ts"
import type { HandshakeReason, Phase } from "../schema/TlsError.ts"
import { HandshakeError } from "../schema/TlsError.ts"
import type { RecordProtection } from "./RecordProtection.ts"

/** First bytes of protocols that are often met where TLS was expected. */
const plaintextProtocols: ReadonlyArray<readonly [prefix: string, name: string]> = [
  ["HTTP/", "HTTP"],
  ["GET ", "HTTP"],
  ["POST", "HTTP"],
  ["HEAD", "HTTP"],
  ["PUT ", "HTTP"],
  ["OPTI", "HTTP"],
  ["PRI *", "HTTP/2"],
  ["SSH-", "SSH"],
  ["220", "SMTP or FTP"],
  ["554", "SMTP"],
  ["EHLO", "SMTP"],
  ["HELO", "SMTP"],
  ["+OK", "POP3 or Redis"],
  ["-ERR", "POP3 or Redis"],
  ["* OK", "IMAP"],
  ["PING", "Redis or IRC"],
  ["<?xml", "XMPP"],
  ["<stre", "XMPP"]
]

/**
 * @since 0.1.0
 * @category models
 */
export class RecordReader {
  /** Where the connection stands, for the errors. */
  phase: Phase = "negotiation"
  /** The most bytes of content with its type that a protected record may have: what we said in `record_size_limit`. */
  maxInner = maxPlaintext + 1
  /**
   * Whether records without protection may still come although keys are set: ChangeCipherSpec for middleboxes, and the
   * alert of a client that could not make the keys.
   */
  handshaking = true

  readonly #chunks: Array<Uint8Array> = []
  #offset = 0
  #buffered = 0
  #protection: RecordProtection | undefined
  #first = true
  #emptyRecords = 0
  #skippable = 0
  readonly #limits: Limits

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** Bytes received and not yet taken as records. */
  get buffered(): number {
    return this.#buffered
  }

  /** Takes bytes from the transport. They must not change afterwards. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    this.#chunks.push(chunk)
    this.#buffered += chunk.length
  }

  /** Opens records with these keys from now on. */
  protect(protection: RecordProtection): void {
    this.#protection = protection
  }

  /**
   * The client sends early data that we do not accept: records that do not open are dropped until one does, up to
   * `limits.rejectedEarlyData` bytes; without keys (after a HelloRetryRequest) those that claim to be application data.
   */
  skipEarlyData(): void {
    this.#skippable = this.#limits.rejectedEarlyData
  }

  /** The second ClientHello came: early data is over. */
  endEarlyData(): void {
    this.#skippable = 0
  }

  /** The next record; `undefined` when more bytes are needed for it. */
  next(): Record | HandshakeError | undefined {
    for (;;) {
      if (this.#buffered < headerLength) return undefined
      const header = this.#peekHeader()
      const type = ContentType.make(header[0]!)
      const length = (header[3]! << 8) | header[4]!
      const wrong = this.#checkHeader(type, length, header)
      if (wrong !== undefined) return wrong
      if (this.#buffered < headerLength + length) return undefined
      this.#first = false
      const record = this.#take(headerLength + length)
      const opened = this.#open(type, record)
      if (opened === "skipped") continue
      return opened
    }
  }

  #fail(reason: HandshakeReason, message: string): HandshakeError {
    return new HandshakeError({ reason, message, phase: this.phase })
  }

  #checkHeader(type: ContentType.ContentType, length: number, header: Uint8Array): HandshakeError | undefined {
    if (type < ContentType.changeCipherSpec || type > ContentType.applicationData) {
      return (
        (this.#first ? this.#plaintext() : undefined) ??
        this.#fail("UnexpectedMessage", `a record of the unknown type ${type}`)
      )
    }
    // The version of a record means nothing (RFC 9846 §5.1), but bytes that start no record of any version are not TLS.
    if (this.#first && header[1] !== 3) {
      return this.#plaintext() ?? this.#fail("UnexpectedMessage", "the first bytes are not a TLS record")
    }
    // Early data that is to be skipped is protected, with or without keys of ours.
    const isProtected = this.#protection !== undefined || (type === ContentType.applicationData && this.#skippable > 0)
    const most = isProtected ? maxCiphertext : maxPlaintext
    if (length > most) return this.#fail("RecordOverflow", `a record of ${length} bytes, at most ${most} allowed`)
    return undefined
  }

  #plaintext(): HandshakeError | undefined {
    const start = String.fromCharCode(...this.#peek(Math.min(8, this.#buffered)))
    const protocol = plaintextProtocols.find(([prefix]) => start.startsWith(prefix))
    if (protocol !== undefined) {
      return this.#fail("PeerSpokePlaintext", `the peer speaks ${protocol[1]}, not TLS`)
    }
    return /^[\x20-\x7e\r\n\t]+$/.test(start)
      ? this.#fail("PeerSpokePlaintext", "the peer sent text, not TLS")
      : undefined
  }

  #open(type: ContentType.ContentType, record: Uint8Array): Record | HandshakeError | "skipped" {
    const fragment = record.subarray(headerLength)
    if (this.#protection === undefined) {
      if (type === ContentType.applicationData && this.#skip(record.length)) return "skipped"
      return { type, fragment }
    }
    if (type !== ContentType.applicationData) {
      if (this.handshaking && type === ContentType.changeCipherSpec) return { type, fragment }
      // Until something opened, the peer may not have our keys: its alert then comes in the clear.
      if (this.handshaking && type === ContentType.alert && this.#protection.sequence === 0) return { type, fragment }
      return this.#fail("UnexpectedMessage", `an unprotected record of type ${type} where records are protected`)
    }
    const inner = this.#protection.open(record.subarray(0, headerLength), fragment)
    if (inner === undefined) {
      if (this.#skip(record.length)) return "skipped"
      return this.#fail("BadRecord", "a record did not decrypt")
    }
    this.#skippable = 0
    if (inner.length > this.maxInner) {
      return this.#fail("RecordOverflow", `a record of ${inner.length} bytes, at most ${this.maxInner} allowed`)
    }
    let end = inner.length - 1
    while (end >= 0 && inner[end] === 0) end--
    if (end < 0) return this.#fail("UnexpectedMessage", "a protected record without a content type")
    const innerType = ContentType.make(inner[end]!)
    // A ChangeCipherSpec means something to middleboxes only, so a protected one is an attack or a mistake (RFC 9846 §5).
    if (innerType < ContentType.alert || innerType > ContentType.applicationData) {
      return this.#fail("UnexpectedMessage", `a protected record of the type ${innerType}`)
    }
    if (end > 0) {
      this.#emptyRecords = 0
    } else if (innerType !== ContentType.applicationData) {
      return this.#fail("UnexpectedMessage", `an empty record of the type ${innerType}`)
    } else if (++this.#emptyRecords > this.#limits.consecutiveEmptyRecords) {
      return this.#fail("TooManyMessages", `more than ${this.#limits.consecutiveEmptyRecords} empty records in a row`)
    }
    return { type: innerType, fragment: inner.subarray(0, end) }
  }

  #skip(length: number): boolean {
    if (this.#skippable < length) return false
    this.#skippable -= length
    return true
  }

  #peekHeader(): Uint8Array {
    return this.#peek(headerLength)
  }

  #peek(length: number): Uint8Array {
    const chunk = this.#chunks[0]!
    return chunk.length - this.#offset >= length
      ? chunk.subarray(this.#offset, this.#offset + length)
      : this.#gather(length)
  }

  /** A copy of bytes that span chunks. */
  #gather(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    let filled = 0
    for (let i = 0, offset = this.#offset; filled < length; i++, offset = 0) {
      const part = this.#chunks[i]!.subarray(offset, offset + length - filled)
      bytes.set(part, filled)
      filled += part.length
    }
    return bytes
  }

  #take(length: number): Uint8Array {
    const bytes = this.#peek(length)
    this.#buffered -= length
    let left = length
    while (left > 0) {
      const available = this.#chunks[0]!.length - this.#offset
      if (available > left) {
        this.#offset += left
        return bytes
      }
      left -= available
      this.#chunks.shift()
      this.#offset = 0
    }
    return bytes
  }
}
