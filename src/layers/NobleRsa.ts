/**
 * RSA verification (RFC 8017 §8.1.2, §8.2.2) with BigInt arithmetic. Nothing here is secret, so it need not take constant
 * time; for the same reason there is no signing.
 *
 * @since 0.1.0
 */
import { pow } from "@noble/curves/abstract/modular.js"
import { bytesToNumberBE, numberToBytesBE } from "@noble/curves/utils.js"
import * as CryptoFailure from "../core/CryptoFailure.ts"
import type { HashAlgorithm, SignatureAlgorithm } from "../schema/Algorithms.ts"
import { hashLength } from "../schema/Algorithms.ts"
import * as Bytes from "../schema/Bytes.ts"
import * as Der from "../schema/Der.ts"
import { oids } from "../schema/ObjectIdentifier.ts"
import * as PublicKey from "../schema/PublicKey.ts"
import * as NobleHash from "./NobleHash.ts"

const hashOids = { "SHA-1": oids.sha1, "SHA-256": oids.sha256, "SHA-384": oids.sha384, "SHA-512": oids.sha512 } as const

type RsaKey = Extract<PublicKey.PublicKey, { readonly _tag: "Rsa" | "RsaPss" }>

/** The encoded message in a signature, `undefined` when the signature has the wrong length or is no residue. */
const open = (key: RsaKey, signature: Uint8Array, length: number): Uint8Array | undefined => {
  if (signature.length !== Math.ceil(PublicKey.modulusBits(key) / 8)) return undefined
  const modulus = bytesToNumberBE(key.modulus)
  const value = bytesToNumberBE(signature)
  if (value >= modulus) return undefined
  const message = pow(value, bytesToNumberBE(key.exponent), modulus)
  // A PSS encoding is a byte shorter than the modulus when that has 8k+1 bits.
  return message >> BigInt(8 * length) > 0n ? undefined : numberToBytesBE(message, length)
}

/** The one encoding there can be, compared whole: nothing is parsed, so nothing can be slipped in (RFC 8017 §9.2). */
const verifyPkcs1 = (key: RsaKey, hash: HashAlgorithm, data: Uint8Array, signature: Uint8Array): boolean => {
  const length = Math.ceil(PublicKey.modulusBits(key) / 8)
  const digestInfo = Der.sequence(
    Der.sequence(Der.oid(hashOids[hash]), Der.nullValue()),
    Der.octetString(NobleHash.hash(hash, data))
  )
  const padding = length - digestInfo.length - 3
  if (padding < 8) return false
  const expected = Bytes.concat([Uint8Array.of(0, 1), new Uint8Array(padding).fill(0xff), Uint8Array.of(0), digestInfo])
  const message = open(key, signature, length)
  return message !== undefined && Bytes.equals(message, expected)
}

/** RFC 8017 §9.1.2. */
const verifyPss = (
  key: RsaKey,
  hash: HashAlgorithm,
  saltLength: number,
  data: Uint8Array,
  signature: Uint8Array
): boolean => {
  const bits = PublicKey.modulusBits(key) - 1
  const length = Math.ceil(bits / 8)
  const digestLength = hashLength[hash]
  const maskedLength = length - digestLength - 1
  const saltAt = maskedLength - saltLength
  if (saltAt < 1) return false
  const message = open(key, signature, length)
  if (message === undefined || message[length - 1] !== 0xbc) return false
  const unusedBits = (0xff00 >> (8 * length - bits)) & 0xff
  if ((message[0]! & unusedBits) !== 0) return false
  const digest = message.subarray(maskedLength, maskedLength + digestLength)
  const block = message.slice(0, maskedLength)
  for (let at = 0, counter = 0; at < maskedLength; counter++) {
    const mask = NobleHash.hash(hash, Bytes.concat([digest, Uint8Array.of(0, 0, counter >>> 8, counter)]))
    for (let i = 0; i < mask.length && at < maskedLength; i++) block[at++]! ^= mask[i]!
  }
  block[0]! &= ~unusedBits
  for (let i = 0; i < saltAt - 1; i++) {
    if (block[i] !== 0) return false
  }
  if (block[saltAt - 1] !== 1) return false
  const expected = NobleHash.hash(
    hash,
    Bytes.concat([new Uint8Array(8), NobleHash.hash(hash, data), block.subarray(saltAt)])
  )
  return Bytes.equals(digest, expected)
}

/**
 * Whether an RSA signature is right.
 *
 * @since 0.1.0
 * @category signatures
 */
export const verify = (
  algorithm: Extract<SignatureAlgorithm, { readonly _tag: "RsaPkcs1" | "RsaPss" }>,
  key: RsaKey,
  data: Uint8Array,
  signature: Uint8Array
): boolean => {
  CryptoFailure.requireRsaKey("verify", key)
  return algorithm._tag === "RsaPkcs1"
    ? verifyPkcs1(key, algorithm.hash, data, signature)
    : verifyPss(key, algorithm.hash, algorithm.saltLength, data, signature)
}
