import * as Crypto from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import * as NobleCrypto from "../../src/layers/NobleCrypto.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import * as Der from "../../src/schema/Der.ts"
import * as NamedGroup from "../../src/schema/NamedGroup.ts"
import { oids } from "../../src/schema/ObjectIdentifier.ts"
import type { PrivateKeyInfo } from "../../src/schema/PrivateKeyInfo.ts"
import type * as PublicKey from "../../src/schema/PublicKey.ts"
import { cryptoSuite, infoOf, p256Secret, reasonOf } from "./cryptoSuite.ts"

const node = NodeCrypto.make()
const run = Effect.runPromise

describe("NodeCrypto", () => {
  cryptoSuite({ crypto: node, unsafeKeyShare: NodeCrypto.unsafeKeyShare, other: NobleCrypto.make() })

  it("is a layer", async () => {
    const name = Effect.map(CryptoProvider, (provider) => provider.name)
    assert.strictEqual(await run(Effect.provide(name, NodeCrypto.layer)), "node")
  })

  it("offers ML-KEM by default only where Node has it", () => {
    assert.strictEqual(node.capabilities.nativeGroups.has(NamedGroup.mlkem768), "encapsulate" in Crypto)
    assert.isTrue(node.capabilities.nativeGroups.has(NamedGroup.x25519))
  })

  it("signs with EC keys at once and with RSA keys elsewhere", async () => {
    const ec = await run(node.generatePrivateKey({ _tag: "Ec", curve: "P-256" }))
    assert.isAbove(Effect.runSync(ec.key.sign({ _tag: "Ecdsa", hash: "SHA-256" }, new Uint8Array(8))).length, 0)

    const rsa = await run(node.generatePrivateKey({ _tag: "Rsa", modulusLength: 2048 }))
    const algorithm = { _tag: "RsaPss", hash: "SHA-256", saltLength: 32 } as const
    const data = Uint8Array.of(1, 2, 3)
    const fiber = Effect.runFork(rsa.key.sign(algorithm, data))
    assert.isNull(fiber.unsafePoll())
    // The caller may use its buffer again: what is signed is what was in it.
    data.fill(9)
    const signature = await run(Fiber.join(fiber))
    assert.isTrue(await run(node.verify(algorithm, rsa.key.publicKey, Uint8Array.of(1, 2, 3), signature)))
    assert.isFalse(await run(node.verify(algorithm, rsa.key.publicKey, data, signature)))
  })

  it("can be interrupted while it signs with RSA or looks for primes", async () => {
    const rsa = await run(node.generatePrivateKey({ _tag: "Rsa", modulusLength: 2048 }))
    const work: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
      rsa.key.sign({ _tag: "RsaPkcs1", hash: "SHA-256" }, new Uint8Array(8)),
      node.generatePrivateKey({ _tag: "Rsa", modulusLength: 2048 })
    ]
    for (const effect of work) {
      const fiber = Effect.runFork(effect)
      assert.isTrue(Exit.isInterrupted(await run(Fiber.interrupt(fiber))))
    }
    // The key is as good as before.
    assert.isTrue(Exit.isSuccess(await Effect.runPromiseExit(work[0]!)))
  })

  it("fails where a modulus has no room for the encoding, or no length", async () => {
    const rsa = await run(node.generatePrivateKey({ _tag: "Rsa", modulusLength: 1024 }))
    const algorithm = { _tag: "RsaPss", hash: "SHA-512", saltLength: 64 } as const
    assert.strictEqual(await reasonOf(rsa.key.sign(algorithm, new Uint8Array(8))), "Failed")
    assert.strictEqual(await reasonOf(node.generatePrivateKey({ _tag: "Rsa", modulusLength: -1 })), "Failed")
    assert.strictEqual(await reasonOf(node.generatePrivateKey({ _tag: "RsaPss", modulusLength: 8 })), "Failed")
  })

  it("keeps to a RSA-PSS key's parameters", async () => {
    // @types/node calls the hashes' options by names they do not have.
    const options: object = {
      modulusLength: 2048,
      hashAlgorithm: "sha256",
      mgf1HashAlgorithm: "sha256",
      saltLength: 32,
      publicKeyEncoding: { format: "der", type: "spki" },
      privateKeyEncoding: { format: "der", type: "pkcs8" }
    }
    const { privateKey, publicKey } = Crypto.generateKeyPairSync(
      "rsa-pss",
      options as Crypto.RSAPSSKeyPairOptions<"der", "der">
    )
    const key = await run(node.importPrivateKey(infoOf(Redacted.make(new Uint8Array(privateKey)))))
    assert.deepStrictEqual(key.schemes.map(Number), [0x0809])
    assert.deepStrictEqual(key.publicKey.spki, new Uint8Array(publicKey))
    const data = new Uint8Array(8)
    const allowed = { _tag: "RsaPss", hash: "SHA-256", saltLength: 32 } as const
    const signature = await run(key.sign(allowed, data))
    for (const provider of [node, NobleCrypto.make()]) {
      assert.isTrue(await run(provider.verify(allowed, key.publicKey, data, signature)))
    }
    assert.strictEqual(
      await reasonOf(key.sign({ _tag: "RsaPss", hash: "SHA-512", saltLength: 64 }, data)),
      "InvalidKey"
    )
  })

  it("refuses a private key that is another than it says", async () => {
    const rsa = infoOf((await run(node.generatePrivateKey({ _tag: "Rsa", modulusLength: 1024 }))).pkcs8)
    assert.strictEqual(await reasonOf(node.importPrivateKey({ _tag: "RsaPss", pkcs8: rsa.pkcs8 })), "InvalidKey")
    const p384 = infoOf((await run(node.generatePrivateKey({ _tag: "Ec", curve: "P-384" }))).pkcs8)
    const wrongCurve = { ...p384, curve: "P-256" } as PrivateKeyInfo
    assert.strictEqual(await reasonOf(node.importPrivateKey(wrongCurve)), "InvalidKey")

    const stranger = (await run(node.generatePrivateKey({ _tag: "Ec", curve: "P-256" }))).key.publicKey
    const pkcs8 = Der.sequence(
      Der.integer(0),
      Der.sequence(Der.oid(oids.ecPublicKey), Der.oid(oids["P-256"])),
      Der.octetString(
        Der.sequence(
          Der.integer(1),
          Der.octetString(p256Secret),
          Der.value(
            Der.contextConstructed(1),
            Der.bitString((stranger as PublicKey.PublicKey & { readonly _tag: "Ec" }).point)
          )
        )
      )
    )
    const error = await run(Effect.flip(node.importPrivateKey(infoOf(Redacted.make(pkcs8)))))
    assert.strictEqual(error.reason, "InvalidKey")
    assert.include(error.message, "another private key")
  })

  it("verifies with more keys than it keeps", async () => {
    const data = new Uint8Array(8)
    const algorithm = { _tag: "Ed25519" } as const
    const signed = Array.from({ length: 600 }, () => {
      const { key } = Effect.runSync(node.generatePrivateKey({ _tag: "Ed25519" }))
      return { key: key.publicKey, signature: Effect.runSync(key.sign(algorithm, data)) }
    })
    for (let round = 0; round < 2; round++) {
      for (const [index, { key, signature }] of signed.entries()) {
        assert.isTrue(Effect.runSync(node.verify(algorithm, key, data, signature)))
        assert.isFalse(Effect.runSync(node.verify(algorithm, key, data, signed[(index + 1) % 600]!.signature)))
      }
    }
  })
})
