import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import type { CryptoProviderService } from "../../src/core/CryptoProvider.ts"
import { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import * as PrivateKeyExport from "../../src/core/PrivateKeyExport.ts"
import * as PrivateKeyFile from "../../src/core/PrivateKeyFile.ts"
import * as NobleCrypto from "../../src/layers/NobleCrypto.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"

const passphrase = Redacted.make("correct horse pferd 🐎")
const newKey = Effect.flatMap(CryptoProvider, (crypto) => crypto.generatePrivateKey({ _tag: "Ec", curve: "P-256" }))

for (const [name, layer] of [
  ["node", NodeCrypto.layer],
  ["noble", NobleCrypto.layer]
] as const) {
  describe(`PrivateKeyExport with ${name}`, () => {
    it.effect.each([{}, { iterations: 1000 }, { kdf: "scrypt" }] as const)("%j comes back", (options) =>
      Effect.gen(function* () {
        const { pkcs8 } = yield* newKey
        // As dear as by default takes noble a second.
        const cheap = name === "noble" && !("kdf" in options) ? { iterations: 1000 } : options
        const pem = yield* PrivateKeyExport.toEncryptedPem(pkcs8, { passphrase, ...cheap })
        assert.match(pem, /^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/)
        const read = yield* PrivateKeyFile.read(pem, { passphrase })
        assert.deepStrictEqual(Redacted.value(read.pkcs8), Redacted.value(pkcs8))
        const error = yield* Effect.flip(PrivateKeyFile.read(pem, { passphrase: "correct horse" }))
        assert.strictEqual(error._tag === "PrivateKeyError" && error.reason, "WrongPassphrase")
        const again = yield* PrivateKeyExport.toEncryptedPem(pkcs8, { passphrase, ...cheap })
        assert.notStrictEqual(again, pem)
      }).pipe(Effect.provide(layer))
    )
  })
}

describe("PrivateKeyExport", () => {
  it.effect("spends 600 000 iterations", () =>
    Effect.gen(function* () {
      const crypto = yield* CryptoProvider
      const { pkcs8 } = yield* newKey
      const seen: Array<unknown> = []
      const watching: CryptoProviderService = {
        ...crypto,
        deriveFromPassword: (kdf, password, length) => {
          seen.push(kdf._tag === "PBKDF2" && [kdf.hash, kdf.iterations, kdf.salt.length])
          return crypto.deriveFromPassword({ ...kdf, iterations: 1 } as typeof kdf, password, length)
        }
      }
      yield* Effect.provideService(PrivateKeyExport.toEncryptedDer(pkcs8, { passphrase }), CryptoProvider, watching)
      assert.deepStrictEqual(seen, [["SHA-256", 600_000, 16]])
    }).pipe(Effect.provide(NodeCrypto.layer))
  )

  it.effect.each([
    ["no passphrase", {}, "passphrase: is missing"],
    ["a passphrase in the open", { passphrase: "tellnobody" }, "passphrase: expected a Redacted passphrase"],
    ["an empty passphrase", { passphrase: Redacted.make("") }, "passphrase: expected a Redacted passphrase"],
    ["next to no work", { passphrase, iterations: 1 }, "iterations: "],
    ["a derivation we do not have", { passphrase, kdf: "MD5" }, "kdf: "]
  ] as const)("refuses %s", ([, options, message]) =>
    Effect.gen(function* () {
      const { pkcs8 } = yield* newKey
      const error = yield* Effect.flip(PrivateKeyExport.toEncryptedDer(pkcs8, options as never))
      assert.include(error.message, message)
      assert.notInclude(error.message, "tellnobody")
    }).pipe(Effect.provide(NodeCrypto.layer))
  )

  it.effect("says what a provider lacks", () =>
    Effect.gen(function* () {
      const crypto = yield* CryptoProvider
      const { pkcs8 } = yield* newKey
      const lacking = (capabilities: object): CryptoProviderService => ({
        ...crypto,
        capabilities: { ...crypto.capabilities, ...capabilities }
      })
      for (const [service, message] of [
        [lacking({ cbcs: new Set() }), "the provider node has no AES-256-CBC"],
        [lacking({ passwordKdfs: new Set() }), "the provider node has no PBKDF2"]
      ] as const) {
        const made = PrivateKeyExport.toEncryptedDer(pkcs8, { passphrase, iterations: 1000 })
        const error = yield* Effect.flip(Effect.provideService(made, CryptoProvider, service))
        assert.strictEqual(error.message, message)
      }
    }).pipe(Effect.provide(NodeCrypto.layer))
  )
})
