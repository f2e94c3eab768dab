/**
 * The hash over the handshake's messages (RFC 9846 §4.4.1). Which hash is known only with the ServerHello, so the
 * first messages wait as bytes; so do they after a HelloRetryRequest, for the binders of the second ClientHello.
 *
 * @since 0.1.0
 */
import type { HashAlgorithm } from "../schema/Algorithms.ts"
import { concat } from "../schema/Bytes.ts"
import { codes } from "../schema/HandshakeType.ts"
import type { CryptoProviderService, IncrementalHash } from "./CryptoProvider.ts"
import type { TranscriptHash } from "./KeySchedule.ts"

/**
 * @since 0.1.0
 * @category models
 */
export class Transcript {
  #waiting: Array<Uint8Array> = []
  #running: IncrementalHash | undefined
  #hash: HashAlgorithm | undefined
  readonly #crypto: CryptoProviderService

  constructor(crypto: CryptoProviderService) {
    this.#crypto = crypto
  }

  /** Adds a message, header included. */
  add(message: Uint8Array): void {
    if (this.#running === undefined) this.#waiting.push(message)
    else this.#running.update(message)
  }

  /** Fixes the hash. Once only. */
  begin(hash: HashAlgorithm): void {
    this.#hash = hash
  }

  /** The messages that waited are hashed, and the others will be as they come. */
  #run(hash: HashAlgorithm): IncrementalHash {
    const running = this.#crypto.createHash(hash)
    for (const message of this.#waiting) running.update(message)
    this.#waiting = []
    return running
  }

  /** Fixes the hash and puts the hash of the first ClientHello in its place, as a HelloRetryRequest demands. */
  retry(hash: HashAlgorithm): void {
    const [first, ...later] = this.#waiting
    const digest = this.#crypto.hash(hash, first!)
    this.#waiting = [Uint8Array.of(codes.MessageHash, 0, 0, digest.length), digest, ...later]
    this.begin(hash)
  }

  /** Whether the hash is fixed, and to what. */
  get hash(): HashAlgorithm | undefined {
    return this.#hash
  }

  /** The hash of all messages so far. */
  digest(): TranscriptHash {
    if (this.#hash === undefined) throw new Error("the transcript's hash is asked for before it is known")
    this.#running ??= this.#run(this.#hash)
    return this.#running.digest() as TranscriptHash
  }

  /** The hash of all messages so far and of the beginning of one that is not among them. */
  digestWith(hash: HashAlgorithm, beginning: Uint8Array): TranscriptHash {
    return this.#digestOf(hash, [...this.#waiting, beginning])
  }

  /** The hash of all messages so far but for so many bytes at the end of the last. */
  digestWithout(hash: HashAlgorithm, length: number): TranscriptHash {
    const last = this.#waiting.at(-1) ?? new Uint8Array(0)
    return this.#digestOf(hash, [...this.#waiting.slice(0, -1), last.subarray(0, last.length - length)])
  }

  #digestOf(hash: HashAlgorithm, messages: ReadonlyArray<Uint8Array>): TranscriptHash {
    if (this.#running !== undefined) throw new Error("a binder is asked for after the ClientHello")
    return this.#crypto.hash(hash, concat(messages)) as TranscriptHash
  }
}
