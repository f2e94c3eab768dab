/** Encrypted keys and bundles made by hand, right or wrong, with little work in them. No Node in here. */
import * as Effect from "effect/Effect"
import type { CryptoProviderService } from "../../src/core/CryptoProvider.ts"
import * as Pkcs12Kdf from "../../src/core/Pkcs12Kdf.ts"
import type { CbcAlgorithm, HashAlgorithm, PasswordKdf } from "../../src/schema/Algorithms.ts"
import { cbcLengths, hashLength } from "../../src/schema/Algorithms.ts"
import * as Bytes from "../../src/schema/Bytes.ts"
import * as Der from "../../src/schema/Der.ts"
import { type KnownName, oids } from "../../src/schema/ObjectIdentifier.ts"

const utf8 = (text: string) => new TextEncoder().encode(text)
const salt = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)

const pad = (bytes: Uint8Array, block: number): Uint8Array => {
  const count = block - (bytes.length % block)
  return Bytes.concat([bytes, new Uint8Array(count).fill(count)])
}

const hmacNames = {
  "SHA-1": "hmacWithSHA1",
  "SHA-224": "hmacWithSHA224",
  "SHA-256": "hmacWithSHA256",
  "SHA-384": "hmacWithSHA384",
  "SHA-512": "hmacWithSHA512"
} as const
const hashNames = { "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512" } as const

const named = (name: KnownName) => Der.sequence(Der.oid(oids[name]), Der.nullValue())

const kdfIdentifier = (kdf: PasswordKdf, keyLength?: number): Uint8Array => {
  const length = keyLength === undefined ? [] : [Der.integer(keyLength)]
  if (kdf._tag === "scrypt") {
    const costs = [kdf.cost, kdf.blockSize, kdf.parallelization].map((n) => Der.integer(n))
    return Der.sequence(Der.oid(oids.scrypt), Der.sequence(Der.octetString(kdf.salt), ...costs, ...length))
  }
  if (kdf._tag !== "PBKDF2") throw new Error("no such identifier")
  return Der.sequence(
    Der.oid(oids.PBKDF2),
    Der.sequence(Der.octetString(kdf.salt), Der.integer(kdf.iterations), ...length, named(hmacNames[kdf.hash]))
  )
}

/** How to encrypt; `Raw` is an AlgorithmIdentifier of whatever kind. */
export type Encryption =
  | { readonly _tag: "Pbes2"; readonly kdf: PasswordKdf; readonly cipher: CbcAlgorithm; readonly keyLength?: number }
  | { readonly _tag: "Pkcs12"; readonly desKeys: 2 | 3; readonly iterations: number }
  | { readonly _tag: "Raw"; readonly identifier: Uint8Array }

export const pbkdf2 = (iterations = 1, hash: HashAlgorithm | "SHA-224" = "SHA-256"): PasswordKdf => ({
  _tag: "PBKDF2",
  hash,
  salt,
  iterations
})
export const scrypt = (cost = 2, blockSize = 1, parallelization = 1): PasswordKdf => ({
  _tag: "scrypt",
  salt,
  cost,
  blockSize,
  parallelization
})
export const pbes2 = (kdf: PasswordKdf = pbkdf2(), cipher: CbcAlgorithm = "AES-128-CBC"): Encryption => ({
  _tag: "Pbes2",
  kdf,
  cipher
})
export const tripleDes: Encryption = { _tag: "Pkcs12", desKeys: 3, iterations: 1 }

// ---------------------------------------------------------------------------------------------------------------------
// PKCS#12
// ---------------------------------------------------------------------------------------------------------------------

export interface Attributes {
  readonly friendlyName?: string
  readonly localKeyId?: Uint8Array
}

const bmp = (text: string) => Der.value(Der.Tag.BmpString, Pkcs12Kdf.encodePassword(text).slice(0, -2))

export const bag = (type: KnownName, value: Uint8Array, { friendlyName, localKeyId }: Attributes = {}): Uint8Array => {
  const attributes = [
    ...(friendlyName === undefined
      ? []
      : [Der.sequence(Der.oid(oids.friendlyName), Der.value(Der.Tag.Set, bmp(friendlyName)))]),
    ...(localKeyId === undefined
      ? []
      : [Der.sequence(Der.oid(oids.localKeyId), Der.value(Der.Tag.Set, Der.octetString(localKeyId)))])
  ]
  return Der.sequence(
    Der.oid(oids[type]),
    Der.value(0xa0, value),
    ...(attributes.length === 0 ? [] : [Der.setOf(...attributes)])
  )
}

export const keyBag = (pkcs8: Uint8Array, attributes?: Attributes) => bag("keyBag", pkcs8, attributes)

export const certBag = (der: Uint8Array, attributes?: Attributes, type: KnownName = "x509Certificate") =>
  bag("certBag", Der.sequence(Der.oid(oids[type]), Der.value(0xa0, Der.octetString(der))), attributes)

export const openSafe = (...bags: ReadonlyArray<Uint8Array>): Uint8Array =>
  Der.sequence(Der.oid(oids.data), Der.value(0xa0, Der.octetString(Der.sequence(...bags))))

/** What vouches: the MAC of RFC 7292, PBMAC1, one made with bytes that are given for the passphrase, none. */
export type Vouching =
  | {
      readonly _tag: "Mac"
      readonly hash?: HashAlgorithm
      readonly iterations?: number
      readonly password?: Uint8Array
    }
  | {
      readonly _tag: "Pbmac1"
      readonly hash?: HashAlgorithm
      readonly iterations?: number
      readonly keyLength?: number | undefined
      readonly prf?: HashAlgorithm | "SHA-224"
    }
  | { readonly _tag: "Raw"; readonly identifier: Uint8Array }
  | { readonly _tag: "None" }

/** What takes cryptography. */
export const make = (crypto: CryptoProviderService) => {
  const derive = (kdf: PasswordKdf, password: Uint8Array, length: number) =>
    Effect.runPromise(crypto.deriveFromPassword(kdf, password, length))

  /** AlgorithmIdentifier and ciphertext. */
  const encrypt = async (
    encryption: Encryption,
    plaintext: Uint8Array,
    passphrase: string
  ): Promise<readonly [identifier: Uint8Array, ciphertext: Uint8Array]> => {
    switch (encryption._tag) {
      case "Pbes2": {
        const { cipher, kdf, keyLength } = encryption
        const { block, key: length } = cbcLengths[cipher]
        const iv = new Uint8Array(block).fill(7)
        const key = await derive(kdf, utf8(passphrase), length)
        const identifier = Der.sequence(
          Der.oid(oids.pbes2),
          Der.sequence(kdfIdentifier(kdf, keyLength), Der.sequence(Der.oid(oids[cipher]), Der.octetString(iv)))
        )
        return [identifier, crypto.cbc(cipher, key).encrypt(iv, pad(plaintext, block))]
      }
      case "Pkcs12": {
        const { desKeys, iterations } = encryption
        const kdf = { _tag: "PKCS12", hash: "SHA-1", salt, iterations } as const
        const password = Pkcs12Kdf.encodePassword(passphrase)
        const made = await derive({ ...kdf, purpose: "key" }, password, 8 * desKeys)
        const key = desKeys === 3 ? made : Bytes.concat([made, made.subarray(0, 8)])
        const iv = await derive({ ...kdf, purpose: "iv" }, password, 8)
        const name = desKeys === 3 ? "pbeWithSHA1And3DES" : "pbeWithSHA1And2Key3DES"
        const identifier = Der.sequence(
          Der.oid(oids[name]),
          Der.sequence(Der.octetString(salt), Der.integer(iterations))
        )
        return [identifier, crypto.cbc("DES-EDE3-CBC", key).encrypt(iv, pad(plaintext, 8))]
      }
      case "Raw":
        return [encryption.identifier, new Uint8Array(16)]
    }
  }

  /** EncryptedPrivateKeyInfo. */
  const encryptedKey = async (
    pkcs8: Uint8Array,
    passphrase: string,
    encryption: Encryption = pbes2()
  ): Promise<Uint8Array> => {
    const [identifier, ciphertext] = await encrypt(encryption, pkcs8, passphrase)
    return Der.sequence(identifier, Der.octetString(ciphertext))
  }

  const shroudedBag = async (pkcs8: Uint8Array, passphrase: string, encryption?: Encryption, attributes?: Attributes) =>
    bag("pkcs8ShroudedKeyBag", await encryptedKey(pkcs8, passphrase, encryption), attributes)

  const encryptedSafe = async (
    bags: ReadonlyArray<Uint8Array>,
    passphrase: string,
    encryption: Encryption = pbes2()
  ): Promise<Uint8Array> => {
    const [identifier, ciphertext] = await encrypt(encryption, Der.sequence(...bags), passphrase)
    return Der.sequence(
      Der.oid(oids.encryptedData),
      Der.value(
        0xa0,
        Der.sequence(
          Der.integer(0),
          Der.sequence(Der.oid(oids.data), identifier, Der.value(Der.context(0), ciphertext))
        )
      )
    )
  }

  const macData = async (
    authenticated: Uint8Array,
    passphrase: string,
    vouching: Exclude<Vouching, { readonly _tag: "None" }>
  ): Promise<Uint8Array> => {
    const data = (identifier: Uint8Array, digest: Uint8Array, iterations: number) =>
      Der.sequence(
        Der.sequence(identifier, Der.octetString(digest)),
        Der.octetString(salt),
        ...(iterations === 1 ? [] : [Der.integer(iterations)])
      )
    switch (vouching._tag) {
      case "Raw":
        return data(vouching.identifier, new Uint8Array(32), 1)
      case "Mac": {
        const { hash = "SHA-256", iterations = 1, password = Pkcs12Kdf.encodePassword(passphrase) } = vouching
        const kdf = { _tag: "PKCS12", hash, purpose: "mac", salt, iterations } as const
        const key = await derive(kdf, password, hashLength[hash])
        return data(named(hashNames[hash]), crypto.hmac(hash, key, authenticated), iterations)
      }
      case "Pbmac1": {
        const { hash = "SHA-256", iterations = 1, prf = "SHA-256" } = vouching
        const keyLength = "keyLength" in vouching ? vouching.keyLength : 32
        const kdf = pbkdf2(iterations, prf)
        const key = await derive(kdf, utf8(passphrase), keyLength ?? 32)
        const identifier = Der.sequence(
          Der.oid(oids.pbmac1),
          Der.sequence(kdfIdentifier(kdf, keyLength), named(hmacNames[hash]))
        )
        return data(identifier, crypto.hmac(hash, key, authenticated), 1)
      }
    }
  }

  const pfx = async (
    safes: ReadonlyArray<Uint8Array>,
    passphrase: string,
    vouching: Vouching = { _tag: "Mac" }
  ): Promise<Uint8Array> => {
    const authenticated = Der.sequence(...safes)
    return Der.sequence(
      Der.integer(3),
      Der.sequence(Der.oid(oids.data), Der.value(0xa0, Der.octetString(authenticated))),
      ...(vouching._tag === "None" ? [] : [await macData(authenticated, passphrase, vouching)])
    )
  }

  return { encrypt, encryptedKey, encryptedSafe, pfx, shroudedBag }
}
