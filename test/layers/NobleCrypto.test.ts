import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import * as NobleCrypto from "../../src/layers/NobleCrypto.ts"
import * as NobleKeyAgreement from "../../src/layers/NobleKeyAgreement.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import * as NamedGroup from "../../src/schema/NamedGroup.ts"
import { cryptoSuite, hex, p256Secret, reasonOf, toHex } from "./cryptoSuite.ts"

const noble = NobleCrypto.make()
const run = Effect.runPromise

describe("NobleCrypto", () => {
  cryptoSuite({
    crypto: noble,
    unsafeKeyShare: NobleKeyAgreement.unsafeKeyShare,
    other: NodeCrypto.make(),
    withoutFiniteFields: true
  })

  it("is a layer", async () => {
    const name = Effect.map(CryptoProvider, (provider) => provider.name)
    assert.strictEqual(await run(Effect.provide(name, NobleCrypto.layer)), "noble")
  })

  it("offers by default what does not take a peer's patience", () => {
    assert.sameMembers(
      [...noble.capabilities.nativeGroups],
      [NamedGroup.x25519, NamedGroup.secp256r1, NamedGroup.secp384r1]
    )
  })

  it("signs as RFC 6979 §A.2.5 has it, with the message's hash for the nonce", async () => {
    const p256 = await run(
      noble.importPrivateKey({
        _tag: "Ec",
        curve: "P-256",
        secret: Redacted.make(p256Secret),
        pkcs8: Redacted.make(new Uint8Array(0))
      })
    )
    const sample = new TextEncoder().encode("sample")
    const sign = async (hash: "SHA-256" | "SHA-512") => toHex(await run(p256.sign({ _tag: "Ecdsa", hash }, sample)))
    assert.strictEqual(
      await sign("SHA-256"),
      "3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
    )
    assert.strictEqual(
      await sign("SHA-512"),
      "30450221008496a60b5e9b47c825488827e0495b0e3fa109ec4568fd3f8d1097678eb97f0002202362ab1adbe2b8adf9cb9edab740ea6049c028114f2460f96554f61fae3302fe"
    )
  })

  it("signs as RFC 8032 §7.1 has it, test 2", async () => {
    const key = await run(
      noble.importPrivateKey({
        _tag: "Ed25519",
        secret: Redacted.make(hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")),
        pkcs8: Redacted.make(new Uint8Array(0))
      })
    )
    assert.strictEqual(
      toHex(await run(key.sign({ _tag: "Ed25519" }, hex("72")))),
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
  })

  it("does not sign any more once the secret was wiped", async () => {
    const secret = Uint8Array.from(p256Secret)
    const key = await run(
      noble.importPrivateKey({
        _tag: "Ec",
        curve: "P-256",
        secret: Redacted.make(secret),
        pkcs8: Redacted.make(new Uint8Array(0))
      })
    )
    secret.fill(0)
    assert.strictEqual(await reasonOf(key.sign({ _tag: "Ecdsa", hash: "SHA-256" }, new Uint8Array(1))), "Failed")
  })

  it("takes random bytes from where it is told", async () => {
    const asked: Array<number> = []
    const crypto = NobleCrypto.make({
      randomBytes: (length) => {
        asked.push(length)
        return new Uint8Array(length).fill(5)
      }
    })
    assert.deepStrictEqual(crypto.randomBytes(3), Uint8Array.of(5, 5, 5))
    const share = await run(crypto.generateKeyShare(NamedGroup.x25519))
    const same = await run(NobleKeyAgreement.unsafeKeyShare(NamedGroup.x25519, new Uint8Array(32).fill(5)))
    assert.deepStrictEqual(share.publicKey, same.publicKey)
    await run(
      crypto.encapsulate(NamedGroup.mlkem768, (await run(crypto.generateKeyShare(NamedGroup.mlkem768))).publicKey)
    )
    await run(crypto.generatePrivateKey({ _tag: "Ed448" }))
    assert.deepStrictEqual(asked, [3, 32, 64, 32, 57])
  })
})
