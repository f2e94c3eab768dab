/**
 * Signing and verifying by `node:crypto`.
 *
 * Measured on Node 20 / 22 / 24, µs: to verify RSA-2048 takes 19, ECDSA P-256 47, Ed25519 65; to sign with RSA-2048
 * 235, with RSA-4096 1450 and more, with ECDSA P-256 19. `crypto.verify` and `crypto.sign` cost the same as
 * `createVerify` and `createSign`. What costs is importing the key: from DER 66 to 144 / 6 to 10 / 21 to 28, from JWK
 * 2.5 (RSA), 5 (Edwards), 50 (P-256) / 2 to 10 / 18 to 30; for P-384 and P-521 on Node 20 it is the other way round,
 * 92 from DER and 330 or 710 from JWK.
 *
 * @since 0.1.0
 */
import * as Crypto from "node:crypto"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import { BoundedCache } from "../core/BoundedCache.ts"
import * as CryptoFailure from "../core/CryptoFailure.ts"
import type { CryptoError, KeyType } from "../core/CryptoProvider.ts"
import * as PrivateKey from "../core/PrivateKey.ts"
import * as Step from "../core/Step.ts"
import type { EcCurve, HashAlgorithm, SignatureAlgorithm } from "../schema/Algorithms.ts"
import * as Bytes from "../schema/Bytes.ts"
import * as Der from "../schema/Der.ts"
import { oids } from "../schema/ObjectIdentifier.ts"
import type { PrivateKeyInfo } from "../schema/PrivateKeyInfo.ts"
import * as PublicKey from "../schema/PublicKey.ts"
import { bufferOf } from "./NodeBytes.ts"
import * as NodeThreadPool from "./NodeThreadPool.ts"

/**
 * Node's name of a hash.
 *
 * @since 0.1.0
 * @category constants
 */
export const hashNames: { readonly [H in HashAlgorithm]: string } = {
  "SHA-1": "sha1",
  "SHA-256": "sha256",
  "SHA-384": "sha384",
  "SHA-512": "sha512"
}

const base64Url = (bytes: Uint8Array): string => bufferOf(bytes).toString("base64url")

/**
 * Peers' keys as Node wants them, by content: a server sees few different client keys, a client the same few
 * authorities again and again. An entry is a string of up to 1.4 kB and a native handle of about 2 kB.
 */
const publicKeys = new BoundedCache<Crypto.KeyObject>(512)

/** The key under its own numbers, never under its `spki`: somebody could have put together one that says otherwise. */
const importPublicKey = (key: PublicKey.PublicKey): Crypto.KeyObject => {
  switch (key._tag) {
    case "Rsa":
    case "RsaPss": {
      // A RsaPss key as a plain one: that it does PSS only, and within its parameters, was checked before, for every
      // provider in the same way.
      const n = base64Url(key.modulus)
      const e = base64Url(key.exponent)
      return publicKeys.get(`${n}.${e}`, () => {
        CryptoFailure.requireRsaKey("verify", key)
        return Crypto.createPublicKey({ key: { kty: "RSA", n, e }, format: "jwk" })
      })
    }
    case "Ec": {
      const { curve, point } = key
      return publicKeys.get(`${curve}.${base64Url(point)}`, () => {
        const coordinate = PublicKey.coordinateLength[curve]
        if (point.length !== 1 + 2 * coordinate || point[0] !== 4) {
          throw CryptoFailure.invalidKey("verify", `a ${curve} key that is not an uncompressed point`)
        }
        if (curve !== "P-256") {
          return Crypto.createPublicKey({ key: bufferOf(PublicKey.ec(curve, point).spki), format: "der", type: "spki" })
        }
        const x = base64Url(point.subarray(1, 1 + coordinate))
        const y = base64Url(point.subarray(1 + coordinate))
        return Crypto.createPublicKey({ key: { kty: "EC", crv: curve, x, y }, format: "jwk" })
      })
    }
    case "Ed25519":
    case "Ed448": {
      const x = base64Url(key.bytes)
      return publicKeys.get(`${key._tag}.${x}`, () => {
        if (key.bytes.length !== (key._tag === "Ed25519" ? 32 : 57)) {
          throw CryptoFailure.invalidKey("verify", `an ${key._tag} key of ${key.bytes.length} bytes`)
        }
        return Crypto.createPublicKey({ key: { kty: "OKP", crv: key._tag, x }, format: "jwk" })
      })
    }
    case "Unsupported":
      throw CryptoFailure.unsupported("verify", `a key of algorithm ${key.algorithm}`)
  }
}

const digestOf = (algorithm: SignatureAlgorithm): string | null =>
  algorithm._tag === "Ed25519" || algorithm._tag === "Ed448" ? null : hashNames[algorithm.hash]

const withPadding = (key: Crypto.KeyObject, algorithm: SignatureAlgorithm) => {
  switch (algorithm._tag) {
    case "RsaPkcs1":
      return { key, padding: Crypto.constants.RSA_PKCS1_PADDING }
    case "RsaPss":
      return { key, padding: Crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: algorithm.saltLength }
    default:
      return key
  }
}

/**
 * `verify` of the provider.
 *
 * @since 0.1.0
 * @category signatures
 */
export const verify = (
  algorithm: SignatureAlgorithm,
  key: PublicKey.PublicKey,
  data: Uint8Array,
  signature: Uint8Array
): Effect.Effect<boolean, CryptoError> =>
  isQuick(key)
    ? Step.attempt(
        () => {
          CryptoFailure.requireKeyFor("verify", key, algorithm)
          return Crypto.verify(digestOf(algorithm), data, withPadding(importPublicKey(key), algorithm), signature)
        },
        CryptoFailure.from("InvalidKey", "verify")
      )
    : NodeThreadPool.run<boolean>("InvalidKey", "verify", (done) => {
        CryptoFailure.requireKeyFor("verify", key, algorithm)
        Crypto.verify(digestOf(algorithm), data, withPadding(importPublicKey(key), algorithm), signature, done)
      })

/**
 * Whether the way to another thread and back, 10 to 20 µs of this one, is not worth it: what is left is 0.3 to 1.5 ms.
 * Node copies the data first.
 */
const isQuick = (key: PublicKey.PublicKey): boolean =>
  key._tag !== "Ed448" && (key._tag !== "Ec" || key.curve === "P-256")

const operation = "importPrivateKey"

const readPkcs8 = Der.decode("PrivateKeyInfo", (reader) => {
  const inner = reader.sequence()
  inner.unsigned()
  return { algorithm: inner.element(), key: inner.octetString() }
})

const plainRsa = Der.sequence(Der.oid(oids.rsaEncryption), Der.nullValue())
/** Without parameters: for any hash and salt. */
const pssOnly = Der.sequence(Der.oid(oids.rsassaPss))

/** The caller wipes what it does not keep. */
const makePkcs8 = (algorithm: Uint8Array, key: Uint8Array): Uint8Array => {
  const content = Der.octetString(key)
  const pkcs8 = Der.sequence(Der.integer(0), algorithm, content)
  content.fill(0)
  return pkcs8
}

/**
 * A RSA-PSS key goes to Node as a plain one, as its public half does in `importPublicKey`: behind Bun there are no
 * RSA-PSS keys, and Deno does not write one. What such a key may do is checked before every use of it.
 */
const importPssKey = (pkcs8: Uint8Array) => {
  const { algorithm, key } = Either.getOrThrowWith(readPkcs8(pkcs8), (error) =>
    CryptoFailure.invalidKey(operation, error.message)
  )
  const plain = makePkcs8(plainRsa, key)
  const handle = Crypto.createPrivateKey({ key: bufferOf(plain), format: "der", type: "pkcs8" })
  plain.fill(0)
  const publicKey = Crypto.createPublicKey(handle).export({ format: "der", type: "pkcs1" })
  return { handle, spki: Der.sequence(algorithm, Der.bitString(publicKey)) }
}

const importKey = (pkcs8: Uint8Array) => {
  const handle = Crypto.createPrivateKey({ key: bufferOf(pkcs8), format: "der", type: "pkcs8" })
  return { handle, spki: new Uint8Array(Crypto.createPublicKey(handle).export({ format: "der", type: "spki" })) }
}

const signer = (pkcs8: Uint8Array, type: PrivateKeyInfo["_tag"]): PrivateKey.PrivateKey => {
  const { handle, spki } = type === "RsaPss" ? importPssKey(pkcs8) : importKey(pkcs8)
  const publicKey = Either.getOrThrowWith(PublicKey.decode(spki), (error) =>
    CryptoFailure.invalidKey(operation, error.message)
  )
  if (publicKey._tag !== type) {
    throw CryptoFailure.invalidKey(operation, `the key is ${PublicKey.format(publicKey)}, not ${type}`)
  }
  return PrivateKey.make({
    publicKey,
    schemes: PrivateKey.schemesOf(publicKey),
    sign:
      isRsa(publicKey) || !isQuick(publicKey) ? signInThreadPool(handle, publicKey) : signDirectly(handle, publicKey)
  })
}

/**
 * RSA signs in the thread pool. One after the other that is a little slower (RSA-2048: 390 µs instead of 290), but the
 * main thread is busy for 20 µs only, and two cores do 5600 a second instead of 3400. For ECDSA on P-256 the way there
 * costs more than the signature.
 */
const isRsa = (key: PublicKey.PublicKey): boolean => key._tag === "Rsa" || key._tag === "RsaPss"

const signDirectly =
  (handle: Crypto.KeyObject, publicKey: PublicKey.PublicKey): PrivateKey.PrivateKey["sign"] =>
  (algorithm, data) =>
    CryptoFailure.attempt("sign", () => {
      CryptoFailure.requireKeyFor("sign", publicKey, algorithm)
      return new Uint8Array(Crypto.sign(digestOf(algorithm), data, withPadding(handle, algorithm)))
    })

const signInThreadPool =
  (handle: Crypto.KeyObject, publicKey: PublicKey.PublicKey): PrivateKey.PrivateKey["sign"] =>
  (algorithm, data) =>
    Effect.map(
      NodeThreadPool.run<Buffer>("Failed", "sign", (done) => {
        CryptoFailure.requireKeyFor("sign", publicKey, algorithm)
        Crypto.sign(digestOf(algorithm), data, withPadding(handle, algorithm), done)
      }),
      (signature) => new Uint8Array(signature)
    )

/**
 * PKCS#8 may carry the point next to the scalar, and OpenSSL believes it: the scalar alone tells. By way of PKCS#8 again,
 * since Deno's `createECDH` has no P-521.
 */
const requirePair = (curve: EcCurve, secret: Uint8Array, publicKey: PublicKey.PublicKey): void => {
  const scalar = Der.octetString(secret)
  const key = Der.sequence(Der.integer(1), scalar)
  const alone = makePkcs8(Der.sequence(Der.oid(oids.ecPublicKey), Der.oid(oids[curve])), key)
  const { spki } = importKey(alone)
  for (const bytes of [scalar, key, alone]) bytes.fill(0)
  if (!Bytes.equals(spki, publicKey.spki)) {
    throw CryptoFailure.invalidKey(operation, "the public half in it belongs to another private key")
  }
}

/**
 * `importPrivateKey` of the provider.
 *
 * @since 0.1.0
 * @category signatures
 */
export const importPrivateKey = (info: PrivateKeyInfo): Effect.Effect<PrivateKey.PrivateKey, CryptoError> =>
  Effect.try({
    try: () => {
      const key = signer(Redacted.value(info.pkcs8), info._tag)
      if (info._tag === "Ec") requirePair(info.curve, Redacted.value(info.secret), key.publicKey)
      return key
    },
    catch: CryptoFailure.from("InvalidKey", operation)
  })

const encodings = {
  publicKeyEncoding: { format: "der", type: "spki" },
  privateKeyEncoding: { format: "der", type: "pkcs8" }
} as const

// @types/node has an overload for each type of key and none for all of them.
const generateKeyPair = Crypto.generateKeyPair as unknown as (
  type: string,
  options: object,
  callback: (error: Error | null, publicKey: Buffer, privateKey: Buffer) => void
) => void
const generateKeyPairSync = Crypto.generateKeyPairSync as unknown as (
  type: string,
  options: object
) => { readonly privateKey: Buffer }

const generatePkcs8 = (type: KeyType): Effect.Effect<Uint8Array, CryptoError> => {
  switch (type._tag) {
    case "Ec":
    case "Ed25519":
    case "Ed448":
      return CryptoFailure.attempt("generatePrivateKey", () => {
        const options = type._tag === "Ec" ? { ...encodings, namedCurve: type.curve } : encodings
        return generateKeyPairSync(type._tag.toLowerCase(), options).privateKey
      })
    case "Rsa":
      return generateRsa(type.modulusLength)
    case "RsaPss":
      return Effect.map(generateRsa(type.modulusLength), (plain) => {
        const pkcs8 = makePkcs8(pssOnly, Either.getOrThrow(readPkcs8(plain)).key)
        plain.fill(0)
        return pkcs8
      })
  }
}

/** Looking for primes takes from 50 ms to seconds: never on the main thread. */
const generateRsa = (modulusLength: number): Effect.Effect<Uint8Array, CryptoError> =>
  NodeThreadPool.run("Failed", "generatePrivateKey", (done) => {
    // Deno 2.9 panics, and with it the process, for want of primes.
    if (!(modulusLength >= 512)) throw new RangeError(`a modulus of ${modulusLength} bits`)
    generateKeyPair("rsa", { ...encodings, modulusLength }, (error, _publicKey, privateKey) => done(error, privateKey))
  })

let shortDigests: boolean | undefined

/**
 * Whether ECDSA takes a hash of less than half the length of the curve's order: Deno neither makes such a signature nor
 * finds one right.
 *
 * @since 0.1.0
 * @category capabilities
 */
export const hasShortDigests = (): boolean => {
  if (shortDigests === undefined) {
    try {
      const { privateKey } = Crypto.generateKeyPairSync("ec", { namedCurve: "P-521" })
      Crypto.sign("sha256", new Uint8Array(0), privateKey)
      shortDigests = true
    } catch {
      shortDigests = false
    }
  }
  return shortDigests
}

/**
 * `generatePrivateKey` of the provider.
 *
 * @since 0.1.0
 * @category signatures
 */
export const generatePrivateKey = (
  type: KeyType
): Effect.Effect<{ readonly key: PrivateKey.PrivateKey; readonly pkcs8: Redacted.Redacted<Uint8Array> }, CryptoError> =>
  Effect.flatMap(generatePkcs8(type), (bytes) =>
    CryptoFailure.attempt("generatePrivateKey", () => {
      const pkcs8 = new Uint8Array(bytes)
      return { key: signer(pkcs8, type._tag), pkcs8: Redacted.make(pkcs8) }
    })
  )
