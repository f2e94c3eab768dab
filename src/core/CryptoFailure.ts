/**
 * What providers share about failing: synchronous cryptography as an Effect, and the reasons for a `CryptoError`.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { SignatureAlgorithm } from "../schema/Algorithms.ts"
import type { PublicKey } from "../schema/PublicKey.ts"
import * as PublicKeys from "../schema/PublicKey.ts"
import { CryptoError } from "./CryptoProvider.ts"
import { isKeyFor } from "./PrivateKey.ts"
import * as Step from "./Step.ts"

/**
 * An operation of a provider by what it throws: a `CryptoError` is that failure, anything else is `Failed`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const attempt = <A>(operation: string, evaluate: () => A): Effect.Effect<A, CryptoError> =>
  Step.attempt(evaluate, from("Failed", operation))

/**
 * Makes a `CryptoError` of whatever was thrown, one that is a `CryptoError` already stays.
 *
 * @since 0.1.0
 * @category constructors
 */
export const from =
  (reason: CryptoError["reason"], operation: string) =>
  (cause: unknown): CryptoError =>
    cause instanceof CryptoError
      ? cause
      : new CryptoError({
          reason,
          operation,
          detail: cause instanceof Error ? cause.message : String(cause),
          cause
        })

/**
 * The provider cannot do this at all.
 *
 * @since 0.1.0
 * @category constructors
 */
export const unsupported = (operation: string, detail: string): CryptoError =>
  new CryptoError({ reason: "Unsupported", operation, detail })

/**
 * A key is not one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const invalidKey = (operation: string, detail: string): CryptoError =>
  new CryptoError({ reason: "InvalidKey", operation, detail })

/**
 * A value from the peer is not valid.
 *
 * @since 0.1.0
 * @category constructors
 */
export const invalidPeerInput = (operation: string, detail: string): CryptoError =>
  new CryptoError({ reason: "InvalidPeerInput", operation, detail })

/**
 * Requires that a key may do an algorithm.
 *
 * @since 0.1.0
 * @category checks
 */
export const requireKeyFor = (operation: string, key: PublicKey, algorithm: SignatureAlgorithm): void => {
  if (key._tag === "Unsupported") throw unsupported(operation, `a key of algorithm ${key.algorithm}`)
  if (!isKeyFor(key, algorithm)) {
    throw invalidKey(operation, `${algorithm._tag} is not for this key, ${PublicKeys.format(key)}`)
  }
}

/**
 * Requires an RSA public key that is one: of 512 to 8192 bits, since verifying takes time with the square of that,
 * with an odd modulus and an odd exponent from 3 to 64 bits. Exponent 1 would make every signature right.
 *
 * @since 0.1.0
 * @category checks
 */
export const requireRsaKey = (
  operation: string,
  key: { readonly modulus: Uint8Array; readonly exponent: Uint8Array }
): void => {
  const bits = PublicKeys.modulusBits(key)
  if (bits < 512 || bits > 8192) throw invalidKey(operation, `an RSA modulus of ${bits} bits, 512 to 8192 expected`)
  if (isEven(key.modulus)) throw invalidKey(operation, "an RSA modulus that is even")
  const exponentBits = PublicKeys.modulusBits({ modulus: key.exponent })
  if (exponentBits < 2 || exponentBits > 64 || isEven(key.exponent)) {
    throw invalidKey(operation, "an RSA exponent that is even, less than 3 or of more than 64 bits")
  }
}

const isEven = (magnitude: Uint8Array): boolean => (magnitude[magnitude.length - 1]! & 1) === 0
