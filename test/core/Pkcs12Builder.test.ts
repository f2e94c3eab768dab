import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Redacted } from "effect"
import * as CertificateBuilder from "../../src/core/CertificateBuilder.ts"
import type { CryptoProviderService } from "../../src/core/CryptoProvider.ts"
import { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import * as Identity from "../../src/core/Identity.ts"
import * as Pkcs12 from "../../src/core/Pkcs12.ts"
import * as Pkcs12Builder from "../../src/core/Pkcs12Builder.ts"
import * as NobleCrypto from "../../src/layers/NobleCrypto.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import * as Pfx from "../../src/schema/Pfx.ts"

const passphrase = Redacted.make("Käse 🧀")
const cheap = { passphrase, iterations: 1000 }

const makePki = Effect.gen(function* () {
  const root = yield* CertificateBuilder.authority({ subject: { CN: "Root" } })
  const middle = yield* CertificateBuilder.issueAuthority(root, { subject: { CN: "Middle" } })
  const one = yield* CertificateBuilder.issue(middle, { names: ["one.example"] })
  const two = yield* CertificateBuilder.issue(middle, { names: ["two.example"], key: { _tag: "Ed25519" } })
  return { root, middle, one, two }
})

const pkcs8 = ({ pkcs8: key }: CertificateBuilder.Issued) => Redacted.value(Option.getOrThrow(key))

for (const [name, layer] of [
  ["node", NodeCrypto.layer],
  ["noble", NobleCrypto.layer]
] as const) {
  describe(`Pkcs12Builder with ${name}`, () => {
    it.effect("makes bundles that come back: keys, chains, names, other certificates", () =>
      Effect.gen(function* () {
        const { middle, one, root, two } = yield* makePki
        const stranger = yield* CertificateBuilder.authority({ subject: { CN: "Stranger" } })
        const entries = [yield* Pkcs12Builder.entry(one, { friendlyName: "größte 1" }), yield* Pkcs12Builder.entry(two)]
        const certificates = [
          { certificate: root.certificate },
          { certificate: stranger.certificate, friendlyName: "stranger" }
        ]
        const der = yield* Pkcs12Builder.make(entries, { ...cheap, certificates })
        const opened = yield* Pkcs12.open(der, { passphrase })
        assert.deepStrictEqual(opened.unusable, [])
        assert.deepStrictEqual(
          opened.entries.map(({ certificateChain, friendlyName, privateKey }) => ({
            friendlyName,
            key: Redacted.value(privateKey.pkcs8),
            chain: certificateChain.map(({ label }) => label)
          })),
          [
            { friendlyName: "größte 1", key: pkcs8(one), chain: ["CN=one.example", "CN=Middle", "CN=Root"] },
            { friendlyName: undefined, key: pkcs8(two), chain: ["CN=two.example", "CN=Middle", "CN=Root"] }
          ]
        )
        assert.deepStrictEqual(
          opened.certificates.map(({ certificate, friendlyName }) => [friendlyName, certificate.label]),
          [["stranger", "CN=Stranger"]]
        )
        // The intermediate stands in it once, though two chains have it.
        const text = Buffer.from(yield* allBags(der)).toString("latin1")
        assert.strictEqual(text.split(Buffer.from(middle.certificate.der).toString("latin1")).length, 2)

        const identity = yield* Identity.make({ pkcs12: der, passphrase, friendlyName: "größte 1" })
        assert.strictEqual(identity.certificateChain[0].label, "CN=one.example")
        const wrong = yield* Effect.flip(Pkcs12.open(der, { passphrase: "Käse" }))
        assert.strictEqual(wrong.reason, "WrongPassphrase")
      }).pipe(Effect.scoped, Effect.provide(layer))
    )
  })
}

/** Everything that is in a bundle, opened. */
const allBags = (der: Uint8Array) =>
  Effect.gen(function* () {
    const crypto = yield* CryptoProvider
    const { safes } = yield* Pfx.decode(der)
    const parts: Array<Uint8Array> = []
    for (const safe of safes) {
      if (safe._tag !== "Encrypted" || safe.encryption._tag !== "Pbes2") continue
      const { cipher, iv, kdf } = safe.encryption
      const key = yield* crypto.deriveFromPassword(kdf, new TextEncoder().encode(Redacted.value(passphrase)), 32)
      parts.push(crypto.cbc(cipher, key).decrypt(iv, safe.ciphertext))
    }
    return Buffer.concat(parts)
  })

describe("Pkcs12Builder", () => {
  it.effect(
    "tells the passphrase of nothing: certificates, keys and their vouching have a salt each, and 100 000 iterations",
    () =>
      Effect.gen(function* () {
        const crypto = yield* CryptoProvider
        const { one } = yield* makePki
        const seen: Array<unknown> = []
        const salts = new Set<string>()
        const watching: CryptoProviderService = {
          ...crypto,
          deriveFromPassword: (kdf, password, length) => {
            if (kdf._tag !== "PBKDF2" && kdf._tag !== "PKCS12") assert.fail(kdf._tag)
            seen.push([kdf._tag, kdf.hash, kdf.iterations])
            salts.add(Buffer.from(kdf.salt).toString("hex"))
            return crypto.deriveFromPassword({ ...kdf, iterations: 1 }, password, length)
          }
        }
        const made = Effect.flatMap(Pkcs12Builder.entry(one), (entry) => Pkcs12Builder.make([entry], { passphrase }))
        yield* Effect.provideService(made, CryptoProvider, watching)
        assert.deepStrictEqual(seen, [
          ["PBKDF2", "SHA-256", 100_000],
          ["PBKDF2", "SHA-256", 100_000],
          ["PKCS12", "SHA-256", 100_000]
        ])
        assert.strictEqual(salts.size, 3)
      }).pipe(Effect.provide(NodeCrypto.layer))
  )

  it.effect("holds certificates alone, or nothing", () =>
    Effect.gen(function* () {
      const { root } = yield* makePki
      const store = yield* Pkcs12Builder.make([], { ...cheap, certificates: [{ certificate: root.certificate }] })
      const opened = yield* Pkcs12.open(store, { passphrase })
      assert.deepStrictEqual(
        opened.certificates.map(({ certificate }) => certificate.label),
        ["CN=Root"]
      )
      const empty = yield* Pkcs12.open(yield* Pkcs12Builder.make([], cheap), { passphrase })
      assert.deepStrictEqual(empty, { entries: [], certificates: [], unusable: [] })
    }).pipe(Effect.provide(NodeCrypto.layer))
  )

  it.effect("refuses a key that is not the leaf's, or none, and a passphrase in the open", () =>
    Effect.gen(function* () {
      const { one, two } = yield* makePki
      const right = yield* Pkcs12Builder.entry(one)
      const foreign = yield* Pkcs12Builder.entry(two)
      const message = (entry: Pkcs12Builder.Entry, options: object = cheap) =>
        Effect.map(Effect.flip(Pkcs12Builder.make([right, entry], options as typeof cheap)), (error) => error.message)
      assert.strictEqual(
        yield* message({ ...right, privateKey: foreign.privateKey }),
        'entries[1].privateKey: it is not the key of "CN=one.example"'
      )
      assert.include(
        yield* message({ ...right, privateKey: Redacted.make(Uint8Array.of(48, 0)) }),
        "entries[1].privateKey: it holds nothing we know"
      )
      assert.include(yield* message(right, { passphrase: "secret" }), "passphrase: expected a Redacted passphrase")
      const again = yield* CertificateBuilder.selfSigned({ names: ["a"], key: one.identity.privateKey })
      const error = yield* Effect.flip(Pkcs12Builder.entry(again))
      assert.include(error.message, "privateKey: the key was not made here")
    }).pipe(Effect.provide(NodeCrypto.layer))
  )

  it.effect("says what a provider lacks", () =>
    Effect.gen(function* () {
      const crypto = yield* CryptoProvider
      const capabilities = { ...crypto.capabilities, passwordKdfs: new Set(["PBKDF2"] as const) }
      const made = Effect.provideService(Pkcs12Builder.make([], cheap), CryptoProvider, { ...crypto, capabilities })
      assert.strictEqual((yield* Effect.flip(made)).message, "the provider node has no key derivation of PKCS#12")
    }).pipe(Effect.provide(NodeCrypto.layer))
  )
})
