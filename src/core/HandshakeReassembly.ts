/**
 * Handshake messages out of the fragments that records carry (RFC 9846 §5.1): several in one record, one over many.
 *
 * @since 0.1.0
 */
import { join } from "../schema/Bytes.ts"
import { headerLength } from "../schema/HandshakeMessage.ts"
import * as HandshakeType from "../schema/HandshakeType.ts"
import type { Limits } from "../schema/Limits.ts"
import type { Phase } from "../schema/TlsError.ts"
import { HandshakeError } from "../schema/TlsError.ts"

/**
 * @since 0.1.0
 * @category models
 */
export class HandshakeReassembly {
  #parts: Array<Uint8Array> = []
  #length = 0
  readonly #limits: Limits

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** Whether bytes of a message wait for more. */
  get pending(): boolean {
    return this.#length > 0
  }

  /** Takes the fragment of a record. */
  push(fragment: Uint8Array): void {
    this.#parts.push(fragment)
    this.#length += fragment.length
  }

  /** The next whole message, header included; `undefined` when more bytes are needed for it. */
  next(phase: Phase): Uint8Array | HandshakeError | undefined {
    if (this.#length < headerLength) return undefined
    const [type, a, b, c] = this.#header() as [number, number, number, number]
    const length = (a << 16) | (b << 8) | c
    const most =
      type === HandshakeType.codes.Certificate ? this.#limits.certificateMessage : this.#limits.handshakeMessage
    if (length > most) {
      return new HandshakeError({
        reason: "MessageTooLarge",
        message: `${HandshakeType.name(type)} of ${length} bytes, at most ${most} allowed`,
        phase
      })
    }
    const end = headerLength + length
    if (this.#length < end) return undefined
    const all = join(this.#parts)
    this.#length -= end
    this.#parts = this.#length > 0 ? [all.subarray(end)] : []
    return all.subarray(0, end)
  }

  #header(): ReadonlyArray<number> {
    const header: Array<number> = []
    for (const part of this.#parts) {
      for (let i = 0; i < part.length && header.length < headerLength; i++) header.push(part[i]!)
      if (header.length === headerLength) break
    }
    return header
  }
}
