/**
 * What a CryptoProvider and a signer fail with.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"

/**
 * A primitive failed. `InvalidPeerInput` means that a value from the peer (a key share, a ciphertext) is not valid:
 * that is the peer's fault; everything else is ours.
 *
 * @since 0.1.0
 * @category errors
 */
export class CryptoError extends Data.TaggedError("CryptoError")<{
  readonly reason: "Unsupported" | "InvalidKey" | "InvalidPeerInput" | "Failed"
  readonly operation: string
  readonly detail: string
  readonly cause?: unknown
}> {
  override get message(): string {
    return `${this.operation}: ${this.detail}`
  }
}
