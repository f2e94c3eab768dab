/**
 * RSA keys that are too short, **for tests only**: no provider makes them, and a test of who refuses them needs one that
 * signs. BigInt arithmetic takes times that give the key away.
 *
 * @since 0.1.0
 */
import { invert, pow } from "@noble/curves/abstract/modular.js"
import { bytesToNumberBE, numberToBytesBE } from "@noble/curves/utils.js"
import * as Effect from "effect/Effect"
import { CryptoError } from "../core/CryptoProvider.ts"
import * as PrivateKey from "../core/PrivateKey.ts"
import type { HashAlgorithm } from "../schema/Algorithms.ts"
import { hashLength } from "../schema/Algorithms.ts"
import * as Bytes from "../schema/Bytes.ts"
import * as PublicKey from "../schema/PublicKey.ts"
import * as NobleHash from "./NobleHash.ts"

const smallPrimes = [3n, 5n, 7n, 11n, 13n, 17n, 19n, 23n, 29n, 31n, 37n, 41n, 43n, 47n]

/** Miller-Rabin with random bases: enough for a key that protects nothing. */
const isPrime = (candidate: bigint, randomBytes: (length: number) => Uint8Array): boolean => {
  if (smallPrimes.some((prime) => candidate % prime === 0n)) return false
  let odd = candidate - 1n
  let twos = 0
  for (; odd % 2n === 0n; odd /= 2n) twos++
  for (let round = 0; round < 8; round++) {
    let value = pow(2n + bytesToNumberBE(randomBytes(16)), odd, candidate)
    if (value === 1n || value === candidate - 1n) continue
    let isWitness = true
    for (let i = 1; i < twos && isWitness; i++) {
      value = (value * value) % candidate
      isWitness = value !== candidate - 1n
    }
    if (isWitness) return false
  }
  return true
}

const exponent = 65537n

const prime = (bits: number, randomBytes: (length: number) => Uint8Array): bigint => {
  for (;;) {
    const bytes = randomBytes(bits / 8)
    // With both top bits set the product of two has all its bits.
    bytes[0]! |= 0xc0
    bytes[bytes.length - 1]! |= 1
    const candidate = bytesToNumberBE(bytes)
    if (candidate % exponent !== 1n && isPrime(candidate, randomBytes)) return candidate
  }
}

const mask = (hash: HashAlgorithm, seed: Uint8Array, length: number): Uint8Array => {
  const blocks: Array<Uint8Array> = []
  for (let counter = 0; counter * hashLength[hash] < length; counter++) {
    blocks.push(NobleHash.hash(hash, Bytes.concat([seed, Uint8Array.of(0, 0, 0, counter)])))
  }
  return Bytes.concat(blocks).subarray(0, length)
}

/** EMSA-PSS-ENCODE (RFC 8017 §9.1.1) for a modulus of whole bytes. */
const encodePss = (hash: HashAlgorithm, data: Uint8Array, salt: Uint8Array, length: number): Uint8Array => {
  const digest = NobleHash.hash(hash, Bytes.concat([new Uint8Array(8), NobleHash.hash(hash, data), salt]))
  const block = new Uint8Array(length - digest.length - 1)
  block[block.length - salt.length - 1] = 1
  block.set(salt, block.length - salt.length)
  for (const [i, byte] of mask(hash, digest, block.length).entries()) block[i]! ^= byte
  block[0]! &= 0x7f
  return Bytes.concat([block, digest, Uint8Array.of(0xbc)])
}

/**
 * A signer with an RSA key of so many bits (a multiple of 16), made of the bytes of `randomBytes`. It signs by PSS.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (bits: number, randomBytes: (length: number) => Uint8Array): PrivateKey.PrivateKey => {
  const p = prime(bits / 2, randomBytes)
  const q = prime(bits / 2, randomBytes)
  const modulus = p * q
  const secret = invert(exponent, (p - 1n) * (q - 1n))
  const publicKey = PublicKey.rsa(numberToBytesBE(modulus, bits / 8), numberToBytesBE(exponent, 3))
  return PrivateKey.make({
    publicKey,
    schemes: PrivateKey.schemesOf(publicKey),
    sign: (algorithm, data) =>
      algorithm._tag === "RsaPss"
        ? Effect.sync(() => {
            const salt = randomBytes(algorithm.saltLength)
            const encoded = encodePss(algorithm.hash, data, salt, bits / 8)
            return numberToBytesBE(pow(bytesToNumberBE(encoded), secret, modulus), bits / 8)
          })
        : Effect.fail(
            new CryptoError({ reason: "Unsupported", operation: "sign", detail: `${algorithm._tag} by a test's key` })
          )
  })
}
