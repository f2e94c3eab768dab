/**
 * Content in, transport bytes out (RFC 9846 §5.1, §5.2): fragmenting, padding, sealing. A batch of records is one
 * array of bytes, for one write.
 *
 * @since 0.1.0
 */
import * as ContentType from "../schema/ContentType.ts"
import type * as ProtocolVersion from "../schema/ProtocolVersion.ts"
import { headerLength, maxPlaintext, writeHeader } from "../schema/Record.ts"
import type { RecordProtection } from "./RecordProtection.ts"

/**
 * Content with its type, before it is sealed. One for all connections: sealing is synchronous, and 16 KiB for every
 * idle connection would be most of its memory.
 */
const scratch = new Uint8Array(maxPlaintext + 1)

/**
 * @since 0.1.0
 * @category models
 */
export class RecordWriter {
  /** The most content of one record, in bytes. */
  maxFragment: number
  /** The most content, type and padding together: what the peer said in `record_size_limit`. */
  maxInner = maxPlaintext + 1
  #protection: RecordProtection | undefined
  #limit = Infinity
  readonly #padding: number

  /** `padding`: content, type and padding of protected records fill a multiple of so many bytes. */
  constructor(options: { readonly maxFragment: number; readonly padding: number }) {
    this.maxFragment = options.maxFragment
    this.#padding = options.padding
  }

  /** Seals records with these keys from now on; `limit` is how many one key may protect. */
  protect(protection: RecordProtection, limit: number): void {
    this.#protection = protection
    this.#limit = limit
  }

  /** Whether records are sealed. */
  get isProtected(): boolean {
    return this.#protection !== undefined
  }

  /** How many more records the key may protect. */
  get remaining(): number {
    return this.#protection === undefined ? Infinity : this.#limit - this.#protection.sequence
  }

  /** Content bytes per record as things stand. */
  get fragmentLength(): number {
    return Math.min(this.maxFragment, this.maxInner - 1)
  }

  /** Records with the content, one array for all of them. Empty content gives one empty record. */
  write(type: ContentType.ContentType, content: Uint8Array, version?: ProtocolVersion.ProtocolVersion): Uint8Array {
    return this.#protection === undefined
      ? this.#plain(type, content, version)
      : this.#seal(this.#protection, type, content)
  }

  #plain(type: ContentType.ContentType, content: Uint8Array, version?: ProtocolVersion.ProtocolVersion): Uint8Array {
    const most = Math.min(this.maxFragment, maxPlaintext)
    const count = Math.max(1, Math.ceil(content.length / most))
    const batch = new Uint8Array(content.length + count * headerLength)
    for (let i = 0, from = 0, at = 0; i < count; i++) {
      const part = content.subarray(from, from + most)
      writeHeader(batch, at, type, part.length, version)
      batch.set(part, at + headerLength)
      from += part.length
      at += headerLength + part.length
    }
    return batch
  }

  #innerLength(content: number): number {
    const bare = content + 1
    if (this.#padding <= 1) return bare
    return Math.min(Math.ceil(bare / this.#padding) * this.#padding, this.maxInner)
  }

  #seal(protection: RecordProtection, type: ContentType.ContentType, content: Uint8Array): Uint8Array {
    const most = this.fragmentLength
    const count = Math.max(1, Math.ceil(content.length / most))
    const last = content.length - (count - 1) * most
    const overhead = headerLength + protection.tagLength
    const batch = new Uint8Array(
      (count - 1) * (this.#innerLength(most) + overhead) + this.#innerLength(last) + overhead
    )
    for (let i = 0, from = 0, at = 0; i < count; i++) {
      const length = i === count - 1 ? last : most
      const inner = this.#innerLength(length)
      scratch.set(content.subarray(from, from + length))
      scratch[length] = type
      scratch.fill(0, length + 1, inner)
      const body = at + headerLength
      const end = body + inner + protection.tagLength
      writeHeader(batch, at, ContentType.applicationData, end - body)
      protection.seal(batch.subarray(at, body), scratch.subarray(0, inner), batch.subarray(body, end))
      from += length
      at = end
    }
    return batch
  }
}
