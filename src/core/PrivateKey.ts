/**
 * A private key is not bytes but a signer: PEM makes one, and so do a KMS, an HSM or a key that never leaves
 * WebCrypto.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { SignatureAlgorithm } from "../schema/Algorithms.ts"
import type { PublicKey } from "../schema/PublicKey.ts"
import type { SignatureScheme } from "../schema/SignatureScheme.ts"
import type { CryptoError } from "./CryptoProvider.ts"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: unique symbol = Symbol.for("effect-tls/PrivateKey")

/**
 * `schemes` are the TLS signature schemes the key can do, best first. `sign` gives the signature over `data` (which
 * it hashes itself): DER for ECDSA, as RFC 9846 §4.2.3 wants it.
 *
 * @since 0.1.0
 * @category models
 */
export interface PrivateKey {
  readonly [TypeId]: typeof TypeId
  readonly publicKey: PublicKey
  readonly schemes: ReadonlyArray<SignatureScheme>
  readonly sign: (algorithm: SignatureAlgorithm, data: Uint8Array) => Effect.Effect<Uint8Array, CryptoError>
}

/**
 * A signer from its parts.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Omit<PrivateKey, typeof TypeId>): PrivateKey => ({ [TypeId]: TypeId, ...options })

/**
 * @since 0.1.0
 * @category guards
 */
export const isPrivateKey = (u: unknown): u is PrivateKey => typeof u === "object" && u !== null && TypeId in u
