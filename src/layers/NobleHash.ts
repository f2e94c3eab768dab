/**
 * Hashes by @noble/hashes.
 *
 * @since 0.1.0
 */
import { hmac as nobleHmac } from "@noble/hashes/hmac.js"
import { sha1 } from "@noble/hashes/legacy.js"
import { sha256, sha384, sha512 } from "@noble/hashes/sha2.js"
import type { IncrementalHash } from "../core/CryptoProvider.ts"
import type { HashAlgorithm } from "../schema/Algorithms.ts"

/**
 * noble's hash functions by our names.
 *
 * @since 0.1.0
 * @category constants
 */
export const functions = { "SHA-1": sha1, "SHA-256": sha256, "SHA-384": sha384, "SHA-512": sha512 } as const

/**
 * `hash` of the provider.
 *
 * @since 0.1.0
 * @category hashing
 */
export const hash = (algorithm: HashAlgorithm, bytes: Uint8Array): Uint8Array => functions[algorithm](bytes)

/**
 * `createHash` of the provider.
 *
 * @since 0.1.0
 * @category hashing
 */
export const createHash = (algorithm: HashAlgorithm): IncrementalHash => {
  const running = functions[algorithm].create()
  return {
    update: (bytes) => void running.update(bytes),
    // A clone, since noble's digest ends the hash.
    digest: () => running.clone().digest()
  }
}

/**
 * `hmac` of the provider.
 *
 * @since 0.1.0
 * @category hashing
 */
export const hmac = (algorithm: HashAlgorithm, key: Uint8Array, bytes: Uint8Array): Uint8Array =>
  nobleHmac(functions[algorithm], key, bytes)
