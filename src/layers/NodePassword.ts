/**
 * What opens encrypted keys and bundles, by `node:crypto`: keys made of passwords, in the thread pool, and block
 * ciphers.
 *
 * @since 0.1.0
 */
import * as Crypto from "node:crypto"
import * as Effect from "effect/Effect"
import * as CryptoFailure from "../core/CryptoFailure.ts"
import type { CbcKey, CryptoError } from "../core/CryptoProvider.ts"
import * as Pkcs12Kdf from "../core/Pkcs12Kdf.ts"
import type { CbcAlgorithm, HashAlgorithm, PasswordKdf } from "../schema/Algorithms.ts"
import { cbcLengths } from "../schema/Algorithms.ts"
import { view } from "./NodeBytes.ts"
import { hashNames } from "./NodeSignature.ts"
import * as NodeThreadPool from "./NodeThreadPool.ts"

const operation = "deriveFromPassword"

/** Hashes between two turns of the event loop: two milliseconds or so. */
const slice = 2000

const hash = (algorithm: HashAlgorithm, bytes: Uint8Array): Uint8Array =>
  Crypto.hash(hashNames[algorithm], bytes, "buffer")

const pkcs12 = (
  kdf: Extract<PasswordKdf, { readonly _tag: "PKCS12" }>,
  password: Uint8Array,
  length: number
): Effect.Effect<Uint8Array, CryptoError> =>
  Effect.async((resume) => {
    const steps = Pkcs12Kdf.derive(hash, kdf, password, length, slice)
    let next: NodeJS.Immediate | undefined
    const go = () => {
      try {
        const step = steps.next()
        if (step.done === true) resume(Effect.succeed(step.value))
        else next = setImmediate(go)
      } catch (error) {
        resume(Effect.fail(CryptoFailure.from("Failed", operation)(error)))
      }
    }
    go()
    return Effect.sync(() => clearImmediate(next))
  })

/** OpenSSL's of old (EVP_BytesToKey with MD5, once): as PBKDF1, and on until there is enough. */
const bytesToKey = (salt: Uint8Array, password: Uint8Array, length: number): Uint8Array => {
  const output = new Uint8Array(length)
  let block = new Uint8Array(0)
  for (let at = 0; at < length; at += block.length) {
    block = new Uint8Array(Crypto.createHash("md5").update(block).update(password).update(salt).digest())
    output.set(block.subarray(0, length - at), at)
  }
  return output
}

const inThreadPool = (
  begin: (done: (error: Error | null | undefined, key: Buffer) => void) => void
): Effect.Effect<Uint8Array, CryptoError> => Effect.map(NodeThreadPool.run("Failed", operation, begin), view)

/**
 * `deriveFromPassword` of the provider.
 *
 * @since 0.1.0
 * @category passwords
 */
export const derive = (
  kdf: PasswordKdf,
  password: Uint8Array,
  length: number
): Effect.Effect<Uint8Array, CryptoError> => {
  switch (kdf._tag) {
    case "PBKDF2": {
      const digest = kdf.hash === "SHA-224" ? "sha224" : hashNames[kdf.hash]
      return inThreadPool((done) => Crypto.pbkdf2(password, kdf.salt, kdf.iterations, length, digest, done))
    }
    case "scrypt": {
      const { blockSize, cost, parallelization } = kdf
      // OpenSSL counts its own scratch space as well. Whether so much may be had was decided before.
      const maxmem = 128 * blockSize * (cost + parallelization + 2) + 1024
      const options = { cost, blockSize, parallelization, maxmem }
      return inThreadPool((done) => Crypto.scrypt(password, kdf.salt, length, options, done))
    }
    case "PKCS12":
      return pkcs12(kdf, password, length)
    case "EVP_BytesToKey":
      return CryptoFailure.attempt(operation, () => bytesToKey(kdf.salt, password, length))
  }
}

const names: { readonly [A in CbcAlgorithm]: string } = {
  "AES-128-CBC": "aes-128-cbc",
  "AES-192-CBC": "aes-192-cbc",
  "AES-256-CBC": "aes-256-cbc",
  "DES-EDE3-CBC": "des-ede3-cbc"
}

/** Tried, since a runtime may list other ciphers than it has; with a key that is not weak. */
const isPresent = (algorithm: CbcAlgorithm): boolean => {
  const { block, key } = cbcLengths[algorithm]
  try {
    Crypto.createCipheriv(
      names[algorithm],
      Uint8Array.from({ length: key }, (_, i) => 7 * i),
      new Uint8Array(block)
    )
    return true
  } catch {
    return false
  }
}

let present: ReadonlySet<CbcAlgorithm> | undefined

/**
 * Of the block ciphers those that this Node has: under FIPS, or elsewhere than Node, triple DES may be missing.
 *
 * @since 0.1.0
 * @category capabilities
 */
export const cbcs = (): ReadonlySet<CbcAlgorithm> =>
  (present ??= new Set((Object.keys(names) as Array<CbcAlgorithm>).filter(isPresent)))

/**
 * Of the derivations those that this Node has: under FIPS there is no MD5.
 *
 * @since 0.1.0
 * @category capabilities
 */
export const kdfs = (): ReadonlySet<PasswordKdf["_tag"]> => {
  const all = new Set<PasswordKdf["_tag"]>(["PBKDF2", "scrypt", "PKCS12"])
  return Crypto.getHashes().includes("md5") ? all.add("EVP_BytesToKey") : all
}

/**
 * `cbc` of the provider.
 *
 * @since 0.1.0
 * @category ciphers
 */
export const cbc = (algorithm: CbcAlgorithm, key: Uint8Array): CbcKey => {
  const { block, key: length } = cbcLengths[algorithm]
  if (!cbcs().has(algorithm)) throw CryptoFailure.unsupported("cbc", `no ${algorithm}`)
  if (key.length !== length) {
    throw CryptoFailure.invalidKey(algorithm, `a key of ${key.length} bytes, ${length} expected`)
  }
  const secret = Crypto.createSecretKey(key)
  const apply = (cipher: Crypto.Cipher | Crypto.Decipher, input: Uint8Array): Uint8Array => {
    if (input.length % block !== 0) throw new RangeError(`${input.length} bytes are not whole blocks of ${block}`)
    cipher.setAutoPadding(false)
    const output = new Uint8Array(cipher.update(input))
    cipher.final()
    return output
  }
  return {
    encrypt: (iv, plaintext) => apply(Crypto.createCipheriv(names[algorithm], secret, iv), plaintext),
    decrypt: (iv, ciphertext) => apply(Crypto.createDecipheriv(names[algorithm], secret, iv), ciphertext)
  }
}
