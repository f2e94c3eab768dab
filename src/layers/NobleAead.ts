/**
 * AEADs by @noble/ciphers. It has no CCM, so that is built here over its AES (RFC 3610, NIST SP 800-38C).
 *
 * @since 0.1.0
 */
import { cbc, ctr, gcm } from "@noble/ciphers/aes.js"
import { chacha20poly1305 } from "@noble/ciphers/chacha.js"
import * as CryptoFailure from "../core/CryptoFailure.ts"
import type { AeadKey } from "../core/CryptoProvider.ts"
import type { AeadAlgorithm } from "../schema/Algorithms.ts"
import { aeadLengths } from "../schema/Algorithms.ts"

/**
 * Compares without telling by time where the difference is.
 *
 * @since 0.1.0
 * @category predicates
 */
export const equal = (a: Uint8Array, b: Uint8Array): boolean => {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!
  return difference === 0
}

/** What noble throws for a wrong tag, and for nothing else here, becomes `undefined`. */
const opened = (decrypt: () => Uint8Array): Uint8Array | undefined => {
  try {
    return decrypt()
  } catch {
    return undefined
  }
}

/** GCM takes others as well, and makes the counter of them in another way. */
const requireNonce = (nonce: Uint8Array): void => {
  if (nonce.length !== 12) throw new RangeError(`a nonce of ${nonce.length} bytes, 12 expected`)
}

const aesGcm = (key: Uint8Array): AeadKey => ({
  tagLength: 16,
  seal: (nonce, additionalData, plaintext, target) => {
    requireNonce(nonce)
    target.set(gcm(key, nonce, additionalData).encrypt(plaintext))
  },
  open: (nonce, additionalData, ciphertext) => {
    if (ciphertext.length < 16) return undefined
    requireNonce(nonce)
    const cipher = gcm(key, nonce, additionalData)
    return opened(() => cipher.decrypt(ciphertext))
  }
})

const chaCha20Poly1305 = (key: Uint8Array): AeadKey => ({
  tagLength: 16,
  seal: (nonce, additionalData, plaintext, target) =>
    void chacha20poly1305(key, nonce, additionalData).encrypt(plaintext, target),
  open: (nonce, additionalData, ciphertext) => {
    if (ciphertext.length < 16) return undefined
    const cipher = chacha20poly1305(key, nonce, additionalData)
    return opened(() => cipher.decrypt(ciphertext))
  }
})

const blockLength = 16
const padded = (length: number): number => Math.ceil(length / blockLength) * blockLength

/** A nonce of 12 bytes leaves 3 for the length of the message. */
const maxCcmLength = 2 ** 24 - 1

/** The CBC-MAC over nonce, lengths, additional data and plaintext: its whole last block (RFC 3610 §2.2). */
const cbcMac = (
  key: Uint8Array,
  tagLength: number,
  nonce: Uint8Array,
  additionalData: Uint8Array,
  plaintext: Uint8Array
): Uint8Array => {
  const header = additionalData.length === 0 ? 0 : additionalData.length < 0xff00 ? 2 : 6
  const dataAt = blockLength + header
  const plaintextAt = blockLength + padded(header + additionalData.length)
  const input = new Uint8Array(plaintextAt + padded(plaintext.length))
  input[0] = (header > 0 ? 0x40 : 0) | (((tagLength - 2) / 2) << 3) | 2
  input.set(nonce, 1)
  new DataView(input.buffer).setUint32(12, ((nonce[11]! << 24) | plaintext.length) >>> 0)
  if (header > 0) {
    const length = new DataView(input.buffer, blockLength)
    if (header === 2) {
      length.setUint16(0, additionalData.length)
    } else {
      length.setUint16(0, 0xfffe)
      length.setUint32(2, additionalData.length)
    }
    input.set(additionalData, dataAt)
  }
  input.set(plaintext, plaintextAt)
  const chain = cbc(key, new Uint8Array(blockLength), { disablePadding: true }).encrypt(input)
  return chain.subarray(chain.length - blockLength)
}

/** One pass of counter mode does both: its first block hides the tag, those after it the message (RFC 3610 §2.3). */
const ccmCipher = (key: Uint8Array, nonce: Uint8Array) => {
  const counter = new Uint8Array(blockLength)
  counter[0] = 2
  counter.set(nonce, 1)
  return ctr(key, counter)
}

const aesCcm = (key: Uint8Array, tagLength: number): AeadKey => ({
  tagLength,
  seal: (nonce, additionalData, plaintext, target) => {
    requireNonce(nonce)
    if (plaintext.length > maxCcmLength) {
      throw new RangeError(`a plaintext of ${plaintext.length} bytes, CCM takes ${maxCcmLength}`)
    }
    const input = new Uint8Array(blockLength + plaintext.length)
    input.set(cbcMac(key, tagLength, nonce, additionalData, plaintext))
    input.set(plaintext, blockLength)
    const output = ccmCipher(key, nonce).encrypt(input)
    target.set(output.subarray(blockLength))
    target.set(output.subarray(0, tagLength), plaintext.length)
  },
  open: (nonce, additionalData, ciphertext) => {
    requireNonce(nonce)
    const length = ciphertext.length - tagLength
    if (length < 0 || length > maxCcmLength) return undefined
    const input = new Uint8Array(blockLength + length)
    input.set(ciphertext.subarray(length))
    input.set(ciphertext.subarray(0, length), blockLength)
    const output = ccmCipher(key, nonce).decrypt(input)
    const plaintext = output.slice(blockLength)
    const tag = cbcMac(key, tagLength, nonce, additionalData, plaintext)
    if (equal(tag.subarray(0, tagLength), output.subarray(0, tagLength))) return plaintext
    // CCM has to decrypt before it can tell: what nobody vouches for does not stay in memory.
    plaintext.fill(0)
    output.fill(0)
    return undefined
  }
})

/**
 * `aead` of the provider. noble expands the key anew for each record; the key is copied, since noble keeps what it gets.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (algorithm: AeadAlgorithm, keyBytes: Uint8Array): AeadKey => {
  const { key: length, tag } = aeadLengths[algorithm]
  if (keyBytes.length !== length) {
    throw CryptoFailure.invalidKey(algorithm, `a key of ${keyBytes.length} bytes, ${length} expected`)
  }
  const key = Uint8Array.from(keyBytes)
  switch (algorithm) {
    case "AES-128-GCM":
    case "AES-256-GCM":
      return aesGcm(key)
    case "CHACHA20-POLY1305":
      return chaCha20Poly1305(key)
    case "AES-128-CCM":
    case "AES-128-CCM-8":
      return aesCcm(key, tag)
  }
}
