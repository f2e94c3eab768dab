/** Signers of keys that Web Cryptography holds. */
import type { webcrypto } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { CryptoError } from "../../src/core/CryptoError.ts"
import * as PrivateKey from "../../src/core/PrivateKey.ts"
import * as NobleCrypto from "../../src/layers/NobleCrypto.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import * as WebPrivateKey from "../../src/layers/WebPrivateKey.ts"
import type { SignatureAlgorithm } from "../../src/schema/Algorithms.ts"
import * as Der from "../../src/schema/Der.ts"
import { oids } from "../../src/schema/ObjectIdentifier.ts"
import * as PublicKey from "../../src/schema/PublicKey.ts"
import * as SignatureScheme from "../../src/schema/SignatureScheme.ts"
import * as harness from "../support/harness.ts"
import * as identities from "../support/identities.ts"

const run = Effect.runPromise
const providers = [NodeCrypto.make(), NobleCrypto.make()]
const data = new TextEncoder().encode("message")

/** Not extractable: nobody gets at the bytes. */
const generate = async (algorithm: object, extractable = false): Promise<webcrypto.CryptoKeyPair> =>
  (await crypto.subtle.generateKey(algorithm as webcrypto.EcKeyGenParams, extractable, [
    "sign",
    "verify"
  ])) as webcrypto.CryptoKeyPair

const rsa = (name: string, hash: string) => ({
  name,
  hash,
  modulusLength: 2048,
  publicExponent: Uint8Array.of(1, 0, 1)
})

const spkiOf = async (pair: webcrypto.CryptoKeyPair): Promise<PublicKey.PublicKey> =>
  Either.getOrThrow(PublicKey.decode(new Uint8Array(await crypto.subtle.exportKey("spki", pair.publicKey))))

/** The same numbers as a key for RSASSA-PSS alone. */
const asPss = (key: PublicKey.PublicKey): PublicKey.PublicKey => {
  const { exponent, modulus } = key as Extract<PublicKey.PublicKey, { readonly _tag: "Rsa" }>
  return Either.getOrThrow(
    PublicKey.decode(
      Der.sequence(
        Der.sequence(Der.oid(oids.rsassaPss)),
        Der.bitString(Der.sequence(Der.integer(modulus), Der.integer(exponent)))
      )
    )
  )
}

const names = (key: PrivateKey.PrivateKey) => key.schemes.map(SignatureScheme.name)

const assertSigns = async (key: PrivateKey.PrivateKey, algorithm: SignatureAlgorithm): Promise<void> => {
  const signature = await run(key.sign(algorithm, data))
  for (const provider of providers) {
    assert.isTrue(await run(provider.verify(algorithm, key.publicKey, data, signature)), provider.name)
    assert.isFalse(await run(provider.verify(algorithm, key.publicKey, data.subarray(1), signature)))
  }
}

const failure = (effect: Effect.Effect<unknown, CryptoError>): Promise<string> =>
  run(Effect.match(effect, { onFailure: ({ detail, reason }) => `${reason}: ${detail}`, onSuccess: () => "success" }))

describe("a CryptoKey", () => {
  for (const [namedCurve, scheme] of [
    ["P-256", "ecdsa_secp256r1_sha256"],
    ["P-384", "ecdsa_secp384r1_sha384"],
    ["P-521", "ecdsa_secp521r1_sha512"]
  ] as const) {
    it(`on ${namedCurve} signs with any hash, in DER`, async () => {
      const pair = await generate({ name: "ECDSA", namedCurve })
      assert.isFalse(pair.privateKey.extractable)
      const key = await run(WebPrivateKey.make(pair))
      assert.deepStrictEqual(names(key), [scheme])
      assert.deepStrictEqual(key.publicKey, await spkiOf(pair))
      // Numbers with zeros in front come one in 128 times.
      for (let i = 0; i < 20; i++) {
        for (const hash of ["SHA-1", "SHA-256", "SHA-384", "SHA-512"] as const) {
          await assertSigns(key, { _tag: "Ecdsa", hash })
        }
      }
    })
  }

  for (const hash of ["SHA-256", "SHA-384", "SHA-512"] as const) {
    it(`for RSA-PSS with ${hash} signs with that, under both names of RSA keys`, async () => {
      const pair = await generate(rsa("RSA-PSS", hash))
      const plain = await spkiOf(pair)
      const key = await run(WebPrivateKey.make(pair))
      const size = hash.slice(4)
      assert.deepStrictEqual(names(key), [`rsa_pss_rsae_sha${size}`])
      const pss = await run(WebPrivateKey.make({ privateKey: pair.privateKey, publicKey: asPss(plain) }))
      assert.deepStrictEqual(names(pss), [`rsa_pss_pss_sha${size}`])
      for (const saltLength of [Number(size) / 8, 0]) {
        await assertSigns(key, { _tag: "RsaPss", hash, saltLength })
        await assertSigns(pss, { _tag: "RsaPss", hash, saltLength })
      }
      const bound = `Unsupported: the CryptoKey is for RSA-PSS with ${hash} only`
      const otherHash = hash === "SHA-256" ? "SHA-512" : "SHA-256"
      assert.strictEqual(await failure(key.sign({ _tag: "RsaPss", hash: otherHash, saltLength: 32 }, data)), bound)
      assert.strictEqual(await failure(key.sign({ _tag: "RsaPkcs1", hash }, data)), bound)
    })
  }

  it("for PKCS #1 v1.5 signs certificates", async () => {
    const key = await run(WebPrivateKey.make(await generate(rsa("RSASSA-PKCS1-v1_5", "SHA-384"))))
    assert.deepStrictEqual(names(key), ["rsa_pkcs1_sha384"])
    await assertSigns(key, { _tag: "RsaPkcs1", hash: "SHA-384" })
  })

  it("on Ed25519", async () => {
    const key = await run(WebPrivateKey.make(await generate({ name: "Ed25519" })))
    assert.deepStrictEqual(names(key), ["ed25519"])
    await assertSigns(key, { _tag: "Ed25519" })
  })

  it("is refused where it cannot be the signer that is wanted", async () => {
    const pair = await generate({ name: "ECDSA", namedCurve: "P-256" })
    const other = await generate({ name: "ECDSA", namedCurve: "P-256" })
    const p384 = await generate({ name: "ECDSA", namedCurve: "P-384" })
    const plain = await generate(rsa("RSA-PSS", "SHA-256"))
    const agreement = (await crypto.subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, false, [
      "deriveBits"
    ])) as webcrypto.CryptoKeyPair
    const { privateKey, publicKey } = pair
    const make = (options: WebPrivateKey.Options) => failure(WebPrivateKey.make(options))
    assert.strictEqual(await make({ privateKey, publicKey }), "success")
    assert.strictEqual(
      await make({ privateKey: publicKey, publicKey }),
      "InvalidKey: a public key, a private key is needed"
    )
    assert.strictEqual(await make(agreement), "InvalidKey: a key for deriveBits, not to sign")
    const strange = { type: "private", usages: ["sign"], algorithm: { name: "ML-DSA-65" } }
    assert.strictEqual(await make({ privateKey: strange, publicKey }), "Unsupported: a key for ML-DSA-65")
    assert.strictEqual(
      await make({ privateKey, publicKey: other.publicKey }),
      "InvalidKey: the public key belongs to another private key"
    )
    assert.strictEqual(
      await make({ privateKey, publicKey: identities.server.certificate.publicKey }),
      "InvalidKey: the public key belongs to another private key"
    )
    assert.strictEqual(
      await make({ privateKey, publicKey: p384.publicKey }),
      "InvalidKey: a public key (P-384) for a private one of P-256"
    )
    assert.strictEqual(
      await make({ privateKey: plain.privateKey, publicKey }),
      "InvalidKey: a public key (P-256) for a private one of RSA-PSS"
    )
    assert.match(await make({ privateKey, publicKey: privateKey }), /^Failed: /)
    const key = await run(WebPrivateKey.make(pair))
    assert.match(await failure(key.sign({ _tag: "Ed25519" }, data)), /^InvalidKey: Ed25519 is not for this key/)
  })

  it("speaks for a server", async () => {
    // The harness's certificate with its key in Web Cryptography, from where it cannot come back.
    const { certificate, pkcs8 } = identities.server
    const algorithm = { name: "ECDSA", namedCurve: "P-256" }
    const held = await crypto.subtle.importKey("pkcs8", Uint8Array.from(pkcs8), algorithm, false, ["sign"])
    const key = await run(WebPrivateKey.make({ privateKey: held, publicKey: certificate.publicKey }))
    assert.isTrue(PrivateKey.isPrivateKey(key))
    const context = harness.contextSync({ identity: { certificateChain: certificate, privateKey: key } })
    const info = await Effect.gen(function* () {
      const { client } = yield* harness.connected({ server: context, serverName: "localhost" })
      return client.info
    }).pipe(Effect.scoped, Effect.provide(harness.layer), run)
    assert.strictEqual(info.signatureScheme, "ecdsa_secp256r1_sha256")
  })
})
