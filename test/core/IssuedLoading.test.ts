import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Redacted } from "effect"
import * as CertificateBuilder from "../../src/core/CertificateBuilder.ts"
import * as IssuedLoading from "../../src/core/IssuedLoading.ts"
import * as PrivateKeyExport from "../../src/core/PrivateKeyExport.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import * as Certificate from "../../src/schema/Certificate.ts"

const makePki = Effect.gen(function* () {
  const root = yield* CertificateBuilder.authority({
    subject: { CN: "Root" },
    nameConstraints: { permitted: [{ _tag: "DnsName", value: "example" }], excluded: undefined }
  })
  const middle = yield* CertificateBuilder.issueAuthority(root, { subject: { CN: "Middle" } })
  const key = Option.getOrThrow(CertificateBuilder.privateKeyPem(middle))
  return { root, middle, key, pem: Certificate.toPem(middle.certificate, root.certificate) }
})

describe("IssuedLoading", () => {
  it.effect("goes on where an authority left off, by those above it", () =>
    Effect.gen(function* () {
      const { key, middle, pem } = yield* makePki
      const loaded = yield* IssuedLoading.load({ certificateChain: pem, privateKey: key })
      assert.deepStrictEqual(loaded.identity.certificateChain, [middle.certificate])
      const { identity } = yield* CertificateBuilder.issue(loaded, { names: ["a.example"] })
      assert.deepStrictEqual(
        identity.certificateChain.map(({ label }) => label),
        ["CN=a.example", "CN=Middle"]
      )
      const outside = yield* Effect.flip(CertificateBuilder.issue(loaded, { names: ["a.test"] }))
      assert.match(outside.message, /^names: .*"CN=Root" say so$/)
      assert.deepStrictEqual(CertificateBuilder.privateKeyPem(loaded).pipe(Option.map(Redacted.value), Option.getOrThrow), Redacted.value(key)) // prettier-ignore
    }).pipe(Effect.provide(NodeCrypto.layer))
  )

  it.effect("takes DER, and keys under a passphrase", () =>
    Effect.gen(function* () {
      const { middle } = yield* makePki
      const passphrase = Redacted.make("secret")
      const privateKey = yield* PrivateKeyExport.toEncryptedDer(yield* middle.pkcs8, { passphrase, iterations: 1000 })
      const files = { certificateChain: middle.certificate.der, privateKey }
      const loaded = yield* IssuedLoading.load({ ...files, passphrase })
      assert.deepStrictEqual(loaded.certificate, middle.certificate)
      const failure = (options: IssuedLoading.IssuedFiles) =>
        Effect.map(Effect.flip(IssuedLoading.load(options)), (error) =>
          error._tag === "TlsConfigError" ? `${error.reason} ${error.message}` : error.message
        )
      assert.match(yield* failure(files), /^MissingPassphrase privateKey: the private key is encrypted/)
      assert.match(
        yield* failure({ ...files, passphrase: "no" }),
        /^WrongPassphrase passphrase: the passphrase is wrong/
      )
    }).pipe(Effect.provide(NodeCrypto.layer))
  )

  it.effect("refuses what does not belong together", () =>
    Effect.gen(function* () {
      const { key, middle, pem, root } = yield* makePki
      const stranger = yield* CertificateBuilder.authority({ subject: { CN: "Stranger" } })
      const message = (certificateChain: string, privateKey: Redacted.Redacted) =>
        Effect.map(Effect.flip(IssuedLoading.load({ certificateChain, privateKey })), (error) => error.message)
      const otherKey = Option.getOrThrow(CertificateBuilder.privateKeyPem(stranger))
      assert.strictEqual(yield* message(pem, otherKey), 'privateKey: it is not the key of "CN=Middle"')
      assert.strictEqual(
        yield* message(Certificate.toPem(middle.certificate, stranger.certificate, root.certificate), key),
        'certificateChain: behind "CN=Middle" its issuer is needed, "CN=Root", and not "CN=Stranger"'
      )
      assert.match(yield* message(Redacted.value(key), key), /^certificateChain: it holds a private key/)
      assert.match(yield* message(pem, Redacted.make(pem)), /^privateKey: it holds a certificate/)
    }).pipe(Effect.provide(NodeCrypto.layer))
  )
})
