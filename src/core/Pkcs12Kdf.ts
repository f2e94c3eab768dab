/**
 * The key derivation of PKCS#12 (RFC 7292 appendix B.2), which no provider has of its own. It takes steps, so that a
 * provider can do something else in between.
 *
 * @since 0.1.0
 */
import type { HashAlgorithm, PasswordKdf } from "../schema/Algorithms.ts"
import { hashLength } from "../schema/Algorithms.ts"

/** Bytes that a hash takes in one step (FIPS 180-4 §1). */
const inputBlock: { readonly [H in HashAlgorithm]: number } = {
  "SHA-1": 64,
  "SHA-256": 64,
  "SHA-384": 128,
  "SHA-512": 128
}

const identifiers = { key: 1, iv: 2, mac: 3 } as const

/**
 * A password as RFC 7292 appendix B.1 has it: UTF-16, big endian, with a zero at the end.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodePassword = (password: string): Uint8Array => {
  const bytes = new Uint8Array(2 * password.length + 2)
  const view = new DataView(bytes.buffer)
  for (let i = 0; i < password.length; i++) view.setUint16(2 * i, password.charCodeAt(i))
  return bytes
}

/** Copies of `bytes` up to a multiple of `block`; none of no bytes. */
const fill = (bytes: Uint8Array, block: number): Uint8Array => {
  const filled = new Uint8Array(block * Math.ceil(bytes.length / block))
  for (let at = 0; at < filled.length; at += bytes.length) {
    filled.set(bytes.subarray(0, filled.length - at), at)
  }
  return filled
}

/**
 * Yields after every `slice` hashes, and returns the bytes.
 *
 * @since 0.1.0
 * @category derivation
 */
export function* derive(
  hash: (algorithm: HashAlgorithm, bytes: Uint8Array) => Uint8Array,
  kdf: Extract<PasswordKdf, { readonly _tag: "PKCS12" }>,
  password: Uint8Array,
  length: number,
  slice: number
): Generator<void, Uint8Array> {
  const u = hashLength[kdf.hash]
  const v = inputBlock[kdf.hash]
  const salt = fill(kdf.salt, v)
  const secret = fill(password, v)
  const input = new Uint8Array(v + salt.length + secret.length).fill(identifiers[kdf.purpose], 0, v)
  input.set(salt, v)
  input.set(secret, v + salt.length)
  const output = new Uint8Array(length)
  let hashes = 0
  for (let at = 0; at < length; at += u) {
    let block = hash(kdf.hash, input)
    for (let i = 1; i < kdf.iterations; i++) {
      block = hash(kdf.hash, block)
      if (++hashes % slice === 0) yield
    }
    output.set(block.subarray(0, length - at), at)
    const addend = fill(block, v).subarray(0, v)
    for (let start = v; start < input.length; start += v) {
      let carry = 1
      for (let i = v - 1; i >= 0; i--) {
        carry += input[start + i]! + addend[i]!
        input[start + i] = carry & 0xff
        carry >>= 8
      }
    }
  }
  input.fill(0)
  secret.fill(0)
  return output
}
