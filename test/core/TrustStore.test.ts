import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type { AuthorityOptions } from "../../src/core/CertificateBuilder.ts"
import * as CertificateBuilder from "../../src/core/CertificateBuilder.ts"
import * as TrustStore from "../../src/core/TrustStore.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import * as Certificate from "../../src/schema/Certificate.ts"

const authority = (name: string, options: AuthorityOptions = {}) =>
  Effect.runSync(
    Effect.provide(
      CertificateBuilder.authority({ subject: { CN: name }, key: { _tag: "Ed25519" }, ...options }),
      NodeCrypto.layer
    )
  ).certificate

const [a, again, b] = [authority("A"), authority("A"), authority("B")]

describe("TrustStore", () => {
  it("finds anchors by subject and by key identifier", () => {
    const store = TrustStore.fromCertificates([a, again, b])
    assert.deepStrictEqual(store.bySubject(a.subject), [a, again])
    assert.deepStrictEqual(store.byKeyIdentifier(again.subjectKeyIdentifier!), [again])
    assert.deepStrictEqual(store.bySubject(authority("C").subject), [])
    assert.deepStrictEqual(store.byKeyIdentifier(new Uint8Array(20)), [])
    assert.isTrue(store.has(b))
    assert.isTrue(store.has(Either.getOrThrow(Certificate.decode(b.der))))
    assert.isFalse(store.has(authority("B")))
  })

  it("has every anchor once, and a name for messages", () => {
    const store = TrustStore.fromCertificates([a, Either.getOrThrow(Certificate.decode(a.der)), b])
    assert.deepStrictEqual(store.anchors.length, 2)
    assert.strictEqual(TrustStore.fromCertificates([a]).name, "the one trusted certificate")
    assert.strictEqual(TrustStore.fromCertificates([a, b]).name, "the 2 trusted certificates")
    assert.strictEqual(TrustStore.fromCertificates([]), TrustStore.empty)
  })

  it("reads PEM, and says what it found instead", () => {
    const store = Either.getOrThrow(TrustStore.fromPem(`# ours\n${Certificate.toPem(a, b)}`))
    assert.isTrue(store.has(a) && store.has(b))
    const error = Either.getOrThrow(Either.flip(TrustStore.fromPem("nothing")))
    assert.strictEqual(error.message, "it holds no PEM block, a certificate is needed")
  })

  it("merges", () => {
    const merged = TrustStore.merge(TrustStore.fromCertificates([a]), TrustStore.fromCertificates([a, b]))
    assert.deepStrictEqual(merged.anchors, [a, b])
    assert.strictEqual(merged.name, "the one trusted certificate and the 2 trusted certificates")
    assert.strictEqual(TrustStore.merge(TrustStore.empty)(TrustStore.fromCertificates([a])).anchors.length, 1)
    assert.isTrue(TrustStore.isEmpty(TrustStore.merge(TrustStore.empty, TrustStore.empty)))
  })

  it("loads when asked, and once", () => {
    let loads = 0
    const store = TrustStore.merge(
      TrustStore.lazy(() => {
        loads++
        return TrustStore.fromCertificates([a])
      }),
      TrustStore.fromCertificates([b])
    )
    assert.strictEqual(loads, 0)
    assert.isTrue(store.has(a))
    assert.strictEqual(store.anchors.length, 2)
    assert.strictEqual(loads, 1)
    assert.isTrue(TrustStore.isTrustStore(store))
  })

  it("is empty where nobody provides another", () => {
    assert.isTrue(TrustStore.isEmpty(Effect.runSync(TrustStore.Current)))
    const provided = Effect.provide(TrustStore.Current, TrustStore.layer(TrustStore.fromCertificates([a])))
    assert.isTrue(Effect.runSync(provided).has(a))
  })

  it("is extended or replaced by layers", () => {
    const labels = (layer: Layer.Layer<TrustStore.Current>) =>
      Effect.runSync(Effect.provide(TrustStore.Current, layer)).anchors.map(({ label }) => label)
    const [first, second] = [TrustStore.fromCertificates([a]), TrustStore.fromCertificates([b])]
    const both = Layer.provide(TrustStore.layerAdd(second), TrustStore.layer(first))
    assert.deepStrictEqual(labels(both), ["CN=A", "CN=B"])
    assert.deepStrictEqual(labels(Layer.provide(TrustStore.layer(second), TrustStore.layer(first))), ["CN=B"])
    assert.deepStrictEqual(labels(TrustStore.layerAdd(second)), ["CN=B"])
  })
})
