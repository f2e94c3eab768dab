/**
 * The cryptography of `node:crypto`: everything the protocol can ask for, on Node. Bun and Deno lack some of it (AES-CCM
 * both; ChaCha20-Poly1305, X448 and Ed448 Bun; ECDSA with a hash too short for its curve Deno), which the capabilities
 * then leave out.
 *
 * @since 0.1.0
 */
import * as Crypto from "node:crypto"
import * as Layer from "effect/Layer"
import type { AeadKey, Capabilities, CryptoProviderService, IncrementalHash } from "../core/CryptoProvider.ts"
import { CryptoProvider } from "../core/CryptoProvider.ts"
import * as CryptoFailure from "../core/CryptoFailure.ts"
import { isKeyFor } from "../core/PrivateKey.ts"
import type { AeadAlgorithm, HashAlgorithm, SignatureAlgorithm } from "../schema/Algorithms.ts"
import { aeadLengths, hashLength } from "../schema/Algorithms.ts"
import { coordinateLength, type PublicKey } from "../schema/PublicKey.ts"
import { view } from "./NodeBytes.ts"
import * as NodeKeyAgreement from "./NodeKeyAgreement.ts"
import * as NodePassword from "./NodePassword.ts"
import * as NodeSignature from "./NodeSignature.ts"

const { hashNames } = NodeSignature

/**
 * Results come as Latin-1 text, since a Buffer of its own for each costs three times what hashing does: 0.2 µs for a short
 * input instead of 0.8.
 */
const fromLatin1 = (text: string): Uint8Array => {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}

const hash = (algorithm: HashAlgorithm, bytes: Uint8Array): Uint8Array =>
  fromLatin1(Crypto.hash(hashNames[algorithm], bytes, "binary"))

const createHash = (algorithm: HashAlgorithm): IncrementalHash => {
  const running = Crypto.createHash(hashNames[algorithm])
  return {
    update: (bytes) => void running.update(bytes),
    digest: () => fromLatin1(running.copy().digest("binary"))
  }
}

const blockLengths: { readonly [H in HashAlgorithm]: number } = {
  "SHA-1": 64,
  "SHA-256": 64,
  "SHA-384": 128,
  "SHA-512": 128
}

/** Both hashes of an HMAC are made here: padded key and message, padded key and inner hash. Wiped after each. */
const innerInput = Buffer.alloc(1024)
const outerInput = Buffer.alloc(192)

/**
 * HMAC (RFC 2104) of two one-shot hashes. The key schedule asks for forty in a handshake, of short inputs with a new key
 * each: 0.9 µs on Node 20 and 0.8 on Node 24, where `createHmac` takes 1.9 and 10 (2.8 with a KeyObject) and leaves an
 * object with a finalizer to collect. Long messages go to `createHmac`, which need not copy them.
 */
const hmac = (algorithm: HashAlgorithm, key: Uint8Array, bytes: Uint8Array): Uint8Array => {
  const name = hashNames[algorithm]
  const block = blockLengths[algorithm]
  const length = block + bytes.length
  if (key.length > block || length > innerInput.length) {
    return view(Crypto.createHmac(name, key).update(bytes).digest())
  }
  for (let i = 0; i < block; i++) {
    const byte = i < key.length ? key[i]! : 0
    innerInput[i] = byte ^ 0x36
    outerInput[i] = byte ^ 0x5c
  }
  innerInput.set(bytes, block)
  const inner = Crypto.hash(name, innerInput.subarray(0, length), "binary")
  outerInput.write(inner, block, "latin1")
  const outer = Crypto.hash(name, outerInput.subarray(0, block + inner.length), "binary")
  innerInput.fill(0, 0, length)
  outerInput.fill(0)
  return fromLatin1(outer)
}

const cipherNames: { readonly [A in AeadAlgorithm]: string } = {
  "AES-128-GCM": "aes-128-gcm",
  "AES-256-GCM": "aes-256-gcm",
  "CHACHA20-POLY1305": "chacha20-poly1305",
  "AES-128-CCM": "aes-128-ccm",
  "AES-128-CCM-8": "aes-128-ccm"
}

/**
 * A record of 16 KiB takes 5 to 9 µs with AES-GCM and 8 to 10 with ChaCha20-Poly1305, one of 64 bytes 2.2 to 2.9; a
 * cipher is made for each, since node:crypto has no other way to a new nonce. The key is a KeyObject: raw bytes cost 8 µs
 * more a record on Node 24, and the KeyObject keeps no reference to the caller's bytes.
 *
 * `update` always allocates its result, so sealing copies once, into `target`. Opening hands that result out, as a view
 * that costs nothing measurable.
 */
class NodeAead implements AeadKey {
  readonly tagLength: number
  readonly #name: "aes-128-ccm"
  readonly #isCcm: boolean
  readonly #key: Crypto.KeyObject
  readonly #options: { readonly authTagLength: number }

  constructor(algorithm: AeadAlgorithm, key: Uint8Array) {
    this.tagLength = aeadLengths[algorithm].tag
    // One of the types' overloads for all: that of CCM demands the most.
    this.#name = cipherNames[algorithm] as "aes-128-ccm"
    this.#isCcm = this.#name === "aes-128-ccm"
    this.#key = Crypto.createSecretKey(key)
    this.#options = { authTagLength: this.tagLength }
  }

  seal(nonce: Uint8Array, additionalData: Uint8Array, plaintext: Uint8Array, target: Uint8Array): void {
    requireNonce(nonce)
    const cipher = Crypto.createCipheriv(this.#name, this.#key, nonce, this.#options)
    authenticate(cipher, additionalData, plaintext.length, this.#isCcm)
    target.set(cipher.update(plaintext))
    cipher.final()
    target.set(cipher.getAuthTag(), plaintext.length)
  }

  open(nonce: Uint8Array, additionalData: Uint8Array, ciphertext: Uint8Array): Uint8Array | undefined {
    const length = ciphertext.length - this.tagLength
    if (length < 0) return undefined
    requireNonce(nonce)
    const decipher = Crypto.createDecipheriv(this.#name, this.#key, nonce, this.#options)
    decipher.setAuthTag(ciphertext.subarray(length))
    authenticate(decipher, additionalData, length, this.#isCcm)
    try {
      const plaintext = decipher.update(ciphertext.subarray(0, length))
      decipher.final()
      return view(plaintext)
    } catch {
      return undefined
    }
  }
}

/** OpenSSL takes others as well, and makes the counter of them in another way. */
const requireNonce = (nonce: Uint8Array): void => {
  if (nonce.length !== 12) throw new RangeError(`a nonce of ${nonce.length} bytes, 12 expected`)
}

/** CCM authenticates the length of the plaintext before its first byte, so it must be said. */
const authenticate = (
  cipher: Crypto.CipherCCM | Crypto.DecipherCCM,
  additionalData: Uint8Array,
  plaintextLength: number,
  isCcm: boolean
): void => {
  if (isCcm) cipher.setAAD(additionalData, { plaintextLength })
  else (cipher as unknown as Crypto.CipherGCM).setAAD(additionalData)
}

const aead = (algorithm: AeadAlgorithm, key: Uint8Array): AeadKey => {
  const { key: length } = aeadLengths[algorithm]
  if (key.length !== length) {
    throw CryptoFailure.invalidKey(algorithm, `a key of ${key.length} bytes, ${length} expected`)
  }
  return new NodeAead(algorithm, key)
}

const equal = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && Crypto.timingSafeEqual(a, b)

const canUse = (algorithm: SignatureAlgorithm, key: PublicKey): boolean => {
  if (!isKeyFor(key, algorithm)) return false
  if (algorithm._tag === "Ed448") return NodeKeyAgreement.hasCurve448()
  return !isShortDigest(algorithm, key) || NodeSignature.hasShortDigests()
}

const isShortDigest = (algorithm: SignatureAlgorithm, key: PublicKey): boolean =>
  algorithm._tag === "Ecdsa" && key._tag === "Ec" && 2 * hashLength[algorithm.hash] < coordinateLength[key.curve]

const once = <A>(make: () => A): (() => A) => {
  let made: { readonly value: A } | undefined
  return () => (made ??= { value: make() }).value
}

// What is behind node:crypto is asked when somebody wants to know, and once: it takes about a millisecond.
const aeads = once((): ReadonlySet<AeadAlgorithm> => {
  const ciphers = new Set(Crypto.getCiphers())
  return new Set((Object.keys(cipherNames) as Array<AeadAlgorithm>).filter((name) => ciphers.has(cipherNames[name])))
})
const groups = once(NodeKeyAgreement.groups)
const passwordKdfs = once(NodePassword.kdfs)

const capabilities: Capabilities = {
  hashes: new Set<HashAlgorithm>(["SHA-1", "SHA-256", "SHA-384", "SHA-512"]),
  get aeads() {
    return aeads()
  },
  get groups() {
    return groups().all
  },
  get nativeGroups() {
    return groups().native
  },
  verify: canUse,
  sign: canUse,
  get cbcs() {
    return NodePassword.cbcs()
  },
  get passwordKdfs() {
    return passwordKdfs()
  }
}

export {
  /**
   * A key share of a private key that is given, to replay a trace or a test vector: for tests only.
   *
   * @since 0.1.0
   * @category key agreement
   */
  unsafeKeyShare
} from "./NodeKeyAgreement.ts"

/**
 * The provider as a value. It has no state of its own, apart from public keys of peers that stay imported: those of the
 * whole process, and not more than 512.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (): CryptoProviderService => ({
  name: "node",
  capabilities,
  randomBytes: (length) => Crypto.randomFillSync(new Uint8Array(length)),
  hash,
  createHash,
  hmac,
  aead,
  cbc: NodePassword.cbc,
  deriveFromPassword: NodePassword.derive,
  equal,
  generateKeyShare: NodeKeyAgreement.generateKeyShare,
  encapsulate: NodeKeyAgreement.encapsulate,
  verify: NodeSignature.verify,
  importPrivateKey: NodeSignature.importPrivateKey,
  generatePrivateKey: NodeSignature.generatePrivateKey
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<CryptoProvider> = Layer.sync(CryptoProvider, make)
