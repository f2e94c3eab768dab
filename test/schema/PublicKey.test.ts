/** Public keys from PEM; their DER is tested with certificates and Wycheproof's vectors. */
import { generateKeyPairSync, type KeyObject } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Pem from "../../src/schema/Pem.ts"
import * as PublicKey from "../../src/schema/PublicKey.ts"
import * as identities from "../support/identities.ts"

const pem = (key: KeyObject, type: "spki" | "pkcs1" = "spki"): string => key.export({ format: "pem", type }).toString()
const problem = (text: string): string =>
  Either.getOrThrowWith(Either.flip(PublicKey.fromPem(text)), () => new Error("it was read")).message

describe("a public key in PEM", () => {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey
  const keys: Readonly<Record<string, KeyObject>> = {
    "RSA 2048": rsa,
    "P-256": generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey,
    "P-521": generateKeyPairSync("ec", { namedCurve: "P-521" }).publicKey,
    Ed25519: generateKeyPairSync("ed25519").publicKey,
    Ed448: generateKeyPairSync("ed448").publicKey
  }
  for (const [name, key] of Object.entries(keys)) {
    it(`${name}: is read and written`, () => {
      const read = Either.getOrThrow(PublicKey.fromPem(pem(key)))
      assert.strictEqual(PublicKey.format(read), name)
      assert.strictEqual(PublicKey.toPem(read), pem(key))
    })
  }

  it("may be PKCS#1, and stand among other things", () => {
    const text = `${identities.server.certificatePem}\nsome text\n${pem(rsa, "pkcs1")}`
    assert.strictEqual(PublicKey.toPem(Either.getOrThrow(PublicKey.fromPem(text))), pem(rsa))
  })

  it("says what it is instead", () => {
    assert.strictEqual(problem(""), "it holds no PEM block, a public key is needed")
    assert.strictEqual(problem(identities.server.keyPem), "it holds a private key, a public key is needed")
    assert.strictEqual(problem(identities.server.certificatePem), "it holds a certificate, a public key is needed")
    assert.strictEqual(problem(pem(rsa) + pem(rsa)), "it holds 2 public keys, exactly one is needed")
    for (const label of ["PUBLIC KEY", "RSA PUBLIC KEY"]) {
      assert.match(problem(Pem.format(label, Uint8Array.of(0x30, 0))), /^the public key is damaged: /)
    }
    assert.match(problem("-----BEGIN PUBLIC KEY-----\n"), /no END line/)
  })
})
