/**
 * One direction's keys at work: the AEAD, its nonces and its record number (RFC 9846 §5.3).
 *
 * @since 0.1.0
 */
import type { AeadKey, CryptoProviderService } from "./CryptoProvider.ts"
import type { TrafficKeys } from "./KeySchedule.ts"

/**
 * @since 0.1.0
 * @category models
 */
export class RecordProtection {
  /** The number of the next record; also how many this key has protected. */
  sequence = 0
  readonly tagLength: number
  readonly #aead: AeadKey
  readonly #iv: Uint8Array
  readonly #nonce = new Uint8Array(12)

  constructor(crypto: CryptoProviderService, keys: TrafficKeys) {
    this.#aead = crypto.aead(keys.aead, keys.key)
    this.#iv = keys.iv
    this.tagLength = this.#aead.tagLength
    this.#nonce.set(keys.iv)
  }

  #next(): Uint8Array {
    // The nonce is the IV XOR the record number. Numbers are exact up to 2^53, long after every AEAD limit.
    const nonce = this.#nonce
    const iv = this.#iv
    const low = this.sequence >>> 0
    const high = Math.floor(this.sequence / 0x1_0000_0000)
    nonce[4] = iv[4]! ^ (high >>> 24)
    nonce[5] = iv[5]! ^ (high >>> 16)
    nonce[6] = iv[6]! ^ (high >>> 8)
    nonce[7] = iv[7]! ^ high
    nonce[8] = iv[8]! ^ (low >>> 24)
    nonce[9] = iv[9]! ^ (low >>> 16)
    nonce[10] = iv[10]! ^ (low >>> 8)
    nonce[11] = iv[11]! ^ low
    return nonce
  }

  /** Protects `plaintext` into `target`; `header` is authenticated. */
  seal(header: Uint8Array, plaintext: Uint8Array, target: Uint8Array): void {
    this.#aead.seal(this.#next(), header, plaintext, target)
    this.sequence++
  }

  /** The plaintext, or `undefined` when it is not authentic; the record number then stays. */
  open(header: Uint8Array, ciphertext: Uint8Array): Uint8Array | undefined {
    const plaintext = this.#aead.open(this.#next(), header, ciphertext)
    if (plaintext !== undefined) this.sequence++
    return plaintext
  }
}
