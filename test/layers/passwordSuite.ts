/** What every provider has to do for encrypted keys and bundles: keys made of passwords, and block ciphers. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import type { CryptoProviderService } from "../../src/core/CryptoProvider.ts"
import { CryptoError } from "../../src/core/CryptoProvider.ts"
import * as Pkcs12Kdf from "../../src/core/Pkcs12Kdf.ts"
import type { CbcAlgorithm, PasswordKdf } from "../../src/schema/Algorithms.ts"
import { cbcLengths } from "../../src/schema/Algorithms.ts"

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replace(/\s/g, ""), "hex"))
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const pattern = (length: number, start: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (start + i * 167) & 0xff)

interface KdfValue {
  readonly from: string
  readonly kdf: PasswordKdf
  readonly password: Uint8Array
  readonly bytes: string
}

const pbkdf2 = (
  from: string,
  hash: Extract<PasswordKdf, { readonly _tag: "PBKDF2" }>["hash"],
  password: string,
  salt: string,
  iterations: number,
  bytes: string
): KdfValue => ({
  from,
  kdf: { _tag: "PBKDF2", hash, salt: utf8(salt), iterations },
  password: utf8(password),
  bytes
})

const scrypt = (
  password: string,
  salt: string,
  [cost, blockSize, parallelization]: readonly [number, number, number],
  bytes: string
): KdfValue => ({
  from: "RFC 7914 §12",
  kdf: { _tag: "scrypt", salt: utf8(salt), cost, blockSize, parallelization },
  password: utf8(password),
  bytes: bytes.replace(/\s/g, "")
})

const kdfValues: ReadonlyArray<KdfValue> = [
  {
    from: "as OpenSSL and Go compute it",
    kdf: { _tag: "PKCS12", hash: "SHA-1", purpose: "key", salt: new Uint8Array(8).fill(0xff), iterations: 2048 },
    password: Pkcs12Kdf.encodePassword("sesame"),
    bytes: "7cd9fd3e2b3be7691a44e3bef0f9ea0fb9b897d4e325d9d1"
  },
  pbkdf2("RFC 6070", "SHA-1", "password", "salt", 1, "0c60c80f961f0e71f3a9b524af6012062fe037a6"),
  pbkdf2("RFC 6070", "SHA-1", "password", "salt", 4096, "4b007901b765489abead49d926f721d065a429c1"),
  pbkdf2("RFC 6070", "SHA-1", "pass\0word", "sa\0lt", 4096, "56fa6aa75548099dcc37d7f03425e0c3"),
  pbkdf2(
    "RFC 7914 §11",
    "SHA-256",
    "passwd",
    "salt",
    1,
    "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"
  ),
  scrypt(
    "",
    "",
    [16, 1, 1],
    `77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442
     fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906`
  ),
  scrypt(
    "password",
    "NaCl",
    [1024, 8, 16],
    `fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162
     2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640`
  )
]

/** Whatever has no published value: the providers have to agree, also about several blocks and the end of one. */
const agreeing: ReadonlyArray<PasswordKdf> = [
  ...(["SHA-1", "SHA-224", "SHA-256", "SHA-384", "SHA-512"] as const).map((hash): PasswordKdf => ({
    _tag: "PBKDF2",
    hash,
    salt: pattern(16, 3),
    iterations: 10
  })),
  { _tag: "scrypt", salt: pattern(16, 5), cost: 16, blockSize: 2, parallelization: 3 },
  ...(["SHA-1", "SHA-256", "SHA-384", "SHA-512"] as const).flatMap((hash) =>
    (["key", "iv", "mac"] as const).map((purpose): PasswordKdf => ({
      _tag: "PKCS12",
      hash,
      purpose,
      salt: pattern(20, 7),
      iterations: 10
    }))
  ),
  { _tag: "PKCS12", hash: "SHA-1", purpose: "key", salt: new Uint8Array(0), iterations: 1 },
  { _tag: "EVP_BytesToKey", salt: pattern(8, 9) }
]

interface CbcValue {
  readonly algorithm: CbcAlgorithm
  readonly from: string
  readonly key: Uint8Array
  readonly iv: Uint8Array
  readonly plaintext: Uint8Array
  readonly ciphertext: string
}

const nist = {
  iv: hex("000102030405060708090a0b0c0d0e0f"),
  plaintext: hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
}
const cbcValues: ReadonlyArray<CbcValue> = [
  {
    algorithm: "AES-128-CBC",
    from: "NIST SP 800-38A §F.2.1",
    key: hex("2b7e151628aed2a6abf7158809cf4f3c"),
    ...nist,
    ciphertext: "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
  },
  {
    algorithm: "AES-192-CBC",
    from: "NIST SP 800-38A §F.2.3",
    key: hex("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
    ...nist,
    ciphertext: "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a"
  },
  {
    algorithm: "AES-256-CBC",
    from: "NIST SP 800-38A §F.2.5",
    key: hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
    ...nist,
    ciphertext: "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
  },
  {
    algorithm: "DES-EDE3-CBC",
    from: "three times the same key, so a textbook's DES",
    key: hex("133457799bbcdff1133457799bbcdff1133457799bbcdff1"),
    iv: new Uint8Array(8),
    plaintext: hex("0123456789abcdef"),
    ciphertext: "85e813540f0ab405"
  }
]

const kdfName = (kdf: PasswordKdf): string =>
  `${kdf._tag}${"hash" in kdf ? ` ${kdf.hash}` : ""}${"purpose" in kdf ? ` ${kdf.purpose}` : ""}`

const assertOwn = (bytes: Uint8Array): void => {
  assert.strictEqual(bytes.constructor, Uint8Array)
  assert.strictEqual(bytes.buffer.byteLength, bytes.length)
}

export const passwordSuite = ({
  crypto,
  other
}: {
  readonly crypto: CryptoProviderService
  readonly other: CryptoProviderService
}): void => {
  const { capabilities } = crypto
  const derive = (kdf: PasswordKdf, password: Uint8Array, length: number) =>
    Effect.runPromise(crypto.deriveFromPassword(kdf, password, length))

  describe("keys made of passwords", () => {
    for (const { bytes, from, kdf, password } of kdfValues) {
      it(`${kdfName(kdf)}, ${from}`, async () => {
        assert.strictEqual(toHex(await derive(kdf, password, bytes.length / 2)), bytes)
      })
    }

    for (const [i, kdf] of agreeing.entries()) {
      if (!capabilities.passwordKdfs.has(kdf._tag) || !other.capabilities.passwordKdfs.has(kdf._tag)) continue
      it(`${kdfName(kdf)} agrees with the other provider (${i})`, async () => {
        for (const password of [utf8("hunter2"), new Uint8Array(0), utf8("x".repeat(200))]) {
          for (const length of [1, 16, 20, 24, 64, 100]) {
            const made = await derive(kdf, password, length)
            assert.lengthOf(made, length)
            const theirs = await Effect.runPromise(other.deriveFromPassword(kdf, password, length))
            assert.strictEqual(toHex(made), toHex(theirs))
          }
        }
      })
    }

    it("leaves the event loop to others, and can be interrupted", async () => {
      const kdf: PasswordKdf = {
        _tag: "PKCS12",
        hash: "SHA-256",
        purpose: "key",
        salt: pattern(8, 1),
        iterations: 2 ** 40
      }
      const fiber = Effect.runFork(crypto.deriveFromPassword(kdf, Pkcs12Kdf.encodePassword("x"), 32))
      await new Promise((resolve) => setImmediate(resolve))
      const exit = await Effect.runPromise(Fiber.interrupt(fiber))
      assert.strictEqual(exit._tag, "Failure")
    })

    it("fails as an Effect when the parameters are none", async () => {
      const broken: PasswordKdf = { _tag: "scrypt", salt: pattern(8, 1), cost: 3, blockSize: 1, parallelization: 1 }
      const error = await Effect.runPromise(Effect.flip(crypto.deriveFromPassword(broken, utf8("x"), 32)))
      assert.instanceOf(error, CryptoError)
      assert.strictEqual(error.reason, "Failed")
    })
  })

  describe("block ciphers", () => {
    const has = ({ algorithm }: CbcValue) => capabilities.cbcs.has(algorithm)

    for (const { algorithm, key } of cbcValues.filter((value) => !has(value))) {
      it(`${algorithm} is not there, and it says so`, () => {
        const error = Either.try({ try: () => crypto.cbc(algorithm, key), catch: (thrown) => thrown })
        assert.strictEqual(Either.isLeft(error) && (error.left as CryptoError).reason, "Unsupported")
      })
    }

    for (const { algorithm, ciphertext, from, iv, key, plaintext } of cbcValues.filter(has)) {
      const { block, key: keyLength } = cbcLengths[algorithm]

      it(`${algorithm}, ${from}`, () => {
        const cipher = crypto.cbc(algorithm, key)
        const sealed = cipher.encrypt(iv, plaintext)
        assert.strictEqual(toHex(sealed), ciphertext)
        const opened = cipher.decrypt(iv, hex(ciphertext))
        assert.strictEqual(toHex(opened), toHex(plaintext))
        for (const bytes of [sealed, opened]) assertOwn(bytes)
      })

      it(`${algorithm} takes whole blocks, a key of its length, and keeps no reference to it`, () => {
        const cipher = crypto.cbc(algorithm, key)
        assert.throws(() => cipher.decrypt(iv, new Uint8Array(block + 1)))
        assert.throws(() => cipher.encrypt(iv, new Uint8Array(block - 1)))
        assert.throws(() => cipher.decrypt(iv.subarray(1), new Uint8Array(block)))
        assert.throws(() => crypto.cbc(algorithm, new Uint8Array(keyLength - 1)))
        const passing = Uint8Array.from(key)
        const kept = crypto.cbc(algorithm, passing)
        passing.fill(0)
        assert.strictEqual(toHex(kept.encrypt(iv, plaintext)), ciphertext)
      })
    }
  })

  it("says what it can do with passwords", () => {
    assert.includeMembers([...capabilities.passwordKdfs], ["PBKDF2", "scrypt", "PKCS12"])
    assert.includeMembers([...capabilities.cbcs], ["AES-128-CBC", "AES-192-CBC", "AES-256-CBC"])
  })
}
