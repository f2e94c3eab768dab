/**
 * What opens encrypted keys and bundles, by the @noble packages: keys made of passwords, in slices of ten milliseconds,
 * and AES. Triple DES they do not have.
 *
 * @since 0.1.0
 */
import { cbc as aesCbc } from "@noble/ciphers/aes.js"
import { md5, sha1 } from "@noble/hashes/legacy.js"
import { pbkdf2Async } from "@noble/hashes/pbkdf2.js"
import { scryptAsync } from "@noble/hashes/scrypt.js"
import { sha224, sha256, sha384, sha512 } from "@noble/hashes/sha2.js"
import { nextTick } from "@noble/hashes/utils.js"
import * as Effect from "effect/Effect"
import * as CryptoFailure from "../core/CryptoFailure.ts"
import type { CbcKey, CryptoError } from "../core/CryptoProvider.ts"
import * as Pkcs12Kdf from "../core/Pkcs12Kdf.ts"
import type { CbcAlgorithm, PasswordKdf } from "../schema/Algorithms.ts"
import { cbcLengths } from "../schema/Algorithms.ts"
import * as Bytes from "../schema/Bytes.ts"
import * as NobleHash from "./NobleHash.ts"

const operation = "deriveFromPassword"

const hashes = { "SHA-1": sha1, "SHA-224": sha224, "SHA-256": sha256, "SHA-384": sha384, "SHA-512": sha512 } as const

/** Hashes between two turns of the event loop: some milliseconds. */
const slice = 2000

const pkcs12 = async (
  kdf: Extract<PasswordKdf, { readonly _tag: "PKCS12" }>,
  password: Uint8Array,
  length: number,
  signal: AbortSignal
): Promise<Uint8Array> => {
  const steps = Pkcs12Kdf.derive(NobleHash.hash, kdf, password, length, slice)
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) return step.value
    await nextTick()
    if (signal.aborted) throw new Error("interrupted")
  }
}

/** OpenSSL's of old (EVP_BytesToKey with MD5, once): as PBKDF1, and on until there is enough. */
const bytesToKey = (salt: Uint8Array, password: Uint8Array, length: number): Uint8Array => {
  const output = new Uint8Array(length)
  let block: Uint8Array = new Uint8Array(0)
  for (let at = 0; at < length; at += block.length) {
    block = md5(Bytes.concat([block, password, salt]))
    output.set(block.subarray(0, length - at), at)
  }
  return output
}

/**
 * `deriveFromPassword` of the provider. PBKDF2 and scrypt cannot be stopped: on interruption their result is dropped.
 *
 * @since 0.1.0
 * @category passwords
 */
export const derive = (
  kdf: PasswordKdf,
  password: Uint8Array,
  length: number
): Effect.Effect<Uint8Array, CryptoError> =>
  Effect.tryPromise({
    try: async (signal) => {
      switch (kdf._tag) {
        case "PBKDF2":
          return pbkdf2Async(hashes[kdf.hash], password, kdf.salt, { c: kdf.iterations, dkLen: length })
        case "scrypt": {
          const { blockSize: r, cost: N, parallelization: p } = kdf
          // Whether so much may be had was decided before.
          return scryptAsync(password, kdf.salt, { N, r, p, dkLen: length, maxmem: 128 * r * (N + p + 1) })
        }
        case "PKCS12":
          return pkcs12(kdf, password, length, signal)
        case "EVP_BytesToKey":
          return bytesToKey(kdf.salt, password, length)
      }
    },
    catch: CryptoFailure.from("Failed", operation)
  })

/**
 * @since 0.1.0
 * @category capabilities
 */
export const kdfs: ReadonlySet<PasswordKdf["_tag"]> = new Set(["PBKDF2", "scrypt", "PKCS12", "EVP_BytesToKey"])

/**
 * @since 0.1.0
 * @category capabilities
 */
export const cbcs: ReadonlySet<CbcAlgorithm> = new Set(["AES-128-CBC", "AES-192-CBC", "AES-256-CBC"])

/**
 * `cbc` of the provider. The key is copied, since noble keeps what it gets.
 *
 * @since 0.1.0
 * @category ciphers
 */
export const cbc = (algorithm: CbcAlgorithm, keyBytes: Uint8Array): CbcKey => {
  if (!cbcs.has(algorithm)) throw CryptoFailure.unsupported("cbc", `no ${algorithm}`)
  const { key: length } = cbcLengths[algorithm]
  if (keyBytes.length !== length) {
    throw CryptoFailure.invalidKey(algorithm, `a key of ${keyBytes.length} bytes, ${length} expected`)
  }
  const key = Uint8Array.from(keyBytes)
  const cipher = (iv: Uint8Array) => aesCbc(key, iv, { disablePadding: true })
  return {
    encrypt: (iv, plaintext) => cipher(iv).encrypt(plaintext),
    decrypt: (iv, ciphertext) => cipher(iv).decrypt(ciphertext)
  }
}
