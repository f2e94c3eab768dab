import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, Equal, Hash, Schema } from "effect"
import { beforeAll } from "vitest"
import * as CertificateRequestBuilder from "../../src/core/CertificateRequestBuilder.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import * as AlgorithmIdentifier from "../../src/schema/AlgorithmIdentifier.ts"
import * as CertificateExtension from "../../src/schema/CertificateExtension.ts"
import * as CertificateRequest from "../../src/schema/CertificateRequest.ts"
import * as Der from "../../src/schema/Der.ts"
import { oids } from "../../src/schema/ObjectIdentifier.ts"
import { mutate, random } from "./arbitraries.ts"

let request: CertificateRequest.CertificateRequest
beforeAll(async () => {
  request = await CertificateRequestBuilder.make({ subject: { CN: "a" }, names: ["a.example"] }).pipe(
    Effect.map((made) => made.request),
    Effect.provide(NodeCrypto.layer),
    Effect.runPromise
  )
})

const san = CertificateExtension.encode(
  CertificateExtension.encodeSubjectAltName([{ _tag: "DnsName", value: "b" }], false)
)
const attribute = (...values: ReadonlyArray<Uint8Array>) =>
  Der.sequence(Der.oid(oids.extensionRequest), Der.value(Der.Tag.Set, ...values))
const password = Der.sequence(Der.oid(oids.challengePassword), Der.setOf(Der.utf8String("secret")))

/** A request that nobody signed, with another rest behind its key. */
const assemble = (rest: ReadonlyArray<Uint8Array>, version = 0) =>
  Der.sequence(
    Der.sequence(Der.integer(version), request.subject.der, request.publicKey.spki, ...rest),
    AlgorithmIdentifier.encode({ _tag: "Ecdsa", hash: "SHA-256" }),
    Der.bitString(Uint8Array.of(1))
  )

describe("CertificateRequest", () => {
  it("has what is in it", () => {
    assert.strictEqual(request.toString(), "CertificateRequest(CN=a)")
    assert.deepStrictEqual(JSON.parse(JSON.stringify(request)), {
      _id: "CertificateRequest",
      subject: "CN=a",
      subjectAltNames: ["DNS:a.example"],
      publicKey: "P-256",
      signatureAlgorithm: "ecdsaWithSha256"
    })
    const decoded = Either.getOrThrow(
      CertificateRequest.decode(assemble([Der.value(0xa0, password, attribute(Der.sequence(san)))]))
    )
    assert.deepStrictEqual(
      decoded.attributes.map(({ type }) => type),
      [oids.challengePassword, oids.extensionRequest]
    )
    assert.deepStrictEqual(decoded.subjectAltNames, [{ _tag: "DnsName", value: "b" }])
  })

  it("is equal by content", () => {
    const again = Either.getOrThrow(CertificateRequest.decode(request.der))
    assert.isTrue(Equal.equals(request, again))
    assert.strictEqual(Hash.hash(request), Hash.hash(again))
    assert.isFalse(Equal.equals(request, Either.getOrThrow(CertificateRequest.decode(assemble([Der.value(0xa0)])))))
  })

  it("goes through its Schemas and comes back", () => {
    const pem = CertificateRequest.toPem(request)
    assert.match(pem, /^-----BEGIN CERTIFICATE REQUEST-----\n/)
    for (const [schema, encoded] of [
      [CertificateRequest.CertificateRequestFromPem, pem],
      [CertificateRequest.CertificateRequestFromDer, request.der]
    ] as const) {
      const decoded = Schema.decodeUnknownSync(schema as Schema.Schema<CertificateRequest.CertificateRequest, unknown>)(encoded) // prettier-ignore
      assert.isTrue(Equal.equals(decoded, request))
      assert.deepStrictEqual(Schema.encodeSync(schema as Schema.Schema<CertificateRequest.CertificateRequest, unknown>)(decoded), encoded) // prettier-ignore
    }
    assert.isTrue(
      Equal.equals(
        Either.getOrThrow(CertificateRequest.fromPem(pem.replaceAll("CERTIFICATE", "NEW CERTIFICATE"))),
        request
      )
    )
    const bytes = new TextEncoder().encode(pem)
    assert.isTrue(Equal.equals(Either.getOrThrow(CertificateRequest.fromBytes(bytes)), request))
  })

  it("may leave out its attributes, as programs of old did", () => {
    assert.deepStrictEqual(Either.getOrThrow(CertificateRequest.decode(assemble([]))).attributes, [])
  })

  it.each<[string, () => Uint8Array, string]>([
    ["another version", () => assemble([Der.value(0xa0)], 1), "a request of version 2"],
    ["an attribute twice", () => assemble([Der.value(0xa0, password, password)]), "an attribute twice"],
    ["two lists of extensions", () => assemble([Der.value(0xa0, attribute(Der.sequence(san), Der.sequence(san)))]), "two lists of extensions"], // prettier-ignore
    ["an extension twice", () => assemble([Der.value(0xa0, attribute(Der.sequence(san, san)))]), "an extension twice"],
    ["an attribute of nothing", () => assemble([Der.value(0xa0, attribute())]), "at least 1 item(s) expected"],
    ["something behind it", () => new Uint8Array([...request.der, 0]), "CertificationRequest"],
    ["something behind its attributes", () => assemble([Der.value(0xa0), Der.integer(1)]), "CertificationRequestInfo"],
    ["an end in the middle", () => request.der.subarray(0, -1), "CertificationRequest"]
  ])("refuses %s", (_, der, message) => {
    const result = CertificateRequest.decode(der())
    assert.isTrue(Either.isLeft(result))
    if (Either.isLeft(result)) assert.include(result.left.message, message)
  })

  it("never throws, whatever becomes of its bytes", () => {
    const next = random(2986)
    let refused = 0
    for (let i = 0; i < 3000; i++) {
      const bytes = mutate(request.der, next)
      const result = CertificateRequest.decode(bytes)
      if (Either.isLeft(result)) refused++
      else assert.deepStrictEqual(result.right.der, bytes)
    }
    assert.isAbove(refused, 500)
  })

  it.each<[string, () => Uint8Array | string, string]>([
    ["two requests", () => CertificateRequest.toPem(request, request), "it holds 2 certificate requests"],
    ["no PEM", () => "nothing", "it holds no PEM block, a certificate request is needed"],
    ["a key", () => "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "it holds a private key"],
    ["a public key in DER", () => request.publicKey.spki, "it holds a public key, a certificate request is needed"],
    ["damage", () => request.der.subarray(0, 40), "the certificate request is damaged"]
  ])("of a file refuses %s", (_, content, message) => {
    const file = content()
    const result = CertificateRequest.fromBytes(typeof file === "string" ? new TextEncoder().encode(file) : file)
    assert.isTrue(Either.isLeft(result))
    if (Either.isLeft(result)) assert.include(result.left.problem, message)
  })
})
