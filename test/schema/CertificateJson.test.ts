import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Equal from "effect/Equal"
import * as Schema from "effect/Schema"
import { createHash, X509Certificate } from "node:crypto"
import { rootCertificates } from "node:tls"
import * as CertificateBuilder from "../../src/core/CertificateBuilder.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import * as Certificate from "../../src/schema/Certificate.ts"
import * as CertificateExtension from "../../src/schema/CertificateExtension.ts"
import * as CertificateJson from "../../src/schema/CertificateJson.ts"
import * as DistinguishedName from "../../src/schema/DistinguishedName.ts"
import * as ObjectIdentifier from "../../src/schema/ObjectIdentifier.ts"

const { oids } = ObjectIdentifier
const roots = rootCertificates.map((pem) => Either.getOrThrow(Certificate.fromPem(pem))[0])

const built = Effect.runSync(
  Effect.provide(
    CertificateBuilder.authority({
      subject: { O: ["One", "Two, and three"], CN: "everything" },
      pathLength: 0,
      purposes: ["serverAuth"],
      notBefore: new Date("2026-01-02T03:04:05Z"),
      notAfter: new Date("2055-01-02T03:04:05Z"),
      names: [
        "example.com",
        "192.0.2.1",
        "a@example.com",
        "https://example.com/",
        { _tag: "DirectoryName", name: DistinguishedName.fromAttributes([[oids.commonName, "x"]]) },
        { _tag: "RegisteredId", oid: oids.anyPolicy },
        { _tag: "OtherName", type: oids.anyPolicy, value: Uint8Array.of(5, 0) },
        { _tag: "X400Address", der: Uint8Array.of(0xa3, 0) }
      ],
      extensions: [
        CertificateExtension.make({
          _tag: "AuthorityInfoAccess",
          descriptions: [{ method: oids.ocsp, location: { _tag: "Uri", value: "http://ocsp.example/" } }]
        }),
        CertificateExtension.make({
          _tag: "CrlDistributionPoints",
          points: [
            {
              name: { _tag: "FullName", names: [{ _tag: "Uri", value: "http://crl.example/" }] },
              reasons: undefined,
              crlIssuer: undefined
            }
          ]
        }),
        CertificateExtension.make({
          _tag: "CertificatePolicies",
          policies: [
            { policy: oids.anyPolicy, qualifiers: [] },
            { policy: ObjectIdentifier.make("1.2.3"), qualifiers: [] }
          ]
        })
      ]
    }),
    NodeCrypto.layer
  )
).certificate

describe("CertificateJson", () => {
  it("has what the certificate says, in plain fields", () => {
    const { der, extensions, publicKey, serialNumber, subjectKeyIdentifier, ...json } =
      CertificateJson.fromCertificate(built)
    assert.deepStrictEqual(json, {
      version: 3,
      subject: "CN=everything,O=Two\\, and three,O=One",
      subjectAttributes: { O: ["One", "Two, and three"], CN: ["everything"] },
      issuer: "CN=everything,O=Two\\, and three,O=One",
      issuerAttributes: { O: ["One", "Two, and three"], CN: ["everything"] },
      notBefore: "2026-01-02T03:04:05.000Z",
      notAfter: "2055-01-02T03:04:05.000Z",
      subjectAltNames: [
        { type: "DnsName", value: "example.com" },
        { type: "IpAddress", value: "192.0.2.1" },
        { type: "Rfc822Name", value: "a@example.com" },
        { type: "Uri", value: "https://example.com/" },
        { type: "DirectoryName", value: "CN=x" },
        { type: "RegisteredId", value: "2.5.29.32.0" },
        { type: "OtherName", value: "2.5.29.32.0:0500" },
        { type: "X400Address", value: "a300" }
      ],
      isCa: true,
      pathLength: 0,
      keyUsage: ["keyCertSign", "cRLSign"],
      extendedKeyUsage: ["serverAuth"],
      policies: ["anyPolicy", "1.2.3"],
      authorityKeyIdentifier: null,
      authorityInfoAccess: [{ method: "ocsp", location: { type: "Uri", value: "http://ocsp.example/" } }],
      crlUrls: ["http://crl.example/"],
      signatureAlgorithm: "ecdsaWithSha256"
    })
    const native = new X509Certificate(built.der)
    assert.strictEqual(serialNumber, native.serialNumber.toLowerCase())
    assert.strictEqual(der, native.raw.toString("base64"))
    assert.match(subjectKeyIdentifier!, /^[0-9a-f]{40}$/)
    assert.deepInclude(publicKey, { algorithm: "P-256", bits: null, modulus: null, exponent: null, curve: "P-256" })
    assert.match(publicKey.point!, /^04[0-9a-f]{128}$/)
    assert.strictEqual(publicKey.spki, native.publicKey.export({ format: "der", type: "spki" }).toString("base64"))
    assert.deepInclude(extensions, {
      oid: "2.5.29.15",
      name: "keyUsage",
      critical: true,
      value: Buffer.from([3, 2, 1, 6]).toString("base64")
    })
  })

  it("has the numbers of an RSA key", () => {
    const rsa = roots.find(({ publicKey }) => publicKey._tag === "Rsa")!
    const { publicKey } = CertificateJson.fromCertificate(rsa)
    const { modulus, exponent, bits } = new X509Certificate(rsa.der).toLegacyObject()
    assert.deepInclude(publicKey, { bits: bits!, modulus: modulus!.toLowerCase(), curve: null, point: null })
    assert.strictEqual(parseInt(publicKey.exponent!, 16), Number(exponent))
  })

  it("goes there and back, for every root of Mozilla's list", () => {
    const schema = Schema.parseJson(CertificateJson.CertificateFromJson)
    for (const certificate of [built, ...roots]) {
      const text = Schema.encodeSync(schema)(certificate)
      assert.isTrue(Equal.equals(Schema.decodeSync(schema)(text), certificate))
    }
  })

  it("refuses JSON that says something else than its certificate", () => {
    const decode = Schema.decodeUnknownEither(CertificateJson.CertificateFromJson)
    const json = CertificateJson.fromCertificate(built)
    const problemOf = (change: object) =>
      Either.match(decode({ ...json, ...change }), { onLeft: (error) => error.message, onRight: () => "decoded" })
    assert.strictEqual(problemOf({}), "decoded")
    assert.include(problemOf({ subject: "CN=somebody else" }), "its fields are not what the certificate in `der` says")
    assert.include(problemOf({ isCa: false }), "its fields are not what the certificate in `der` says")
    assert.include(problemOf({ subjectAltNames: [] }), "its fields are not what the certificate in `der` says")
    assert.include(problemOf({ der: "AAAA" }), "der: Certificate: Sequence expected")
    assert.include(problemOf({ der: "%" }), "der: ")
    assert.include(problemOf({ notAfter: undefined }), "notAfter")
  })
})

describe("Certificate.fingerprint", () => {
  it("is what Node shows", () => {
    const hash = (name: string) => (bytes: Uint8Array) => new Uint8Array(createHash(name).update(bytes).digest())
    const native = new X509Certificate(built.der)
    assert.strictEqual(Certificate.fingerprint(built, hash("sha1")), native.fingerprint)
    assert.strictEqual(Certificate.fingerprint(built, hash("sha256")), native.fingerprint256)
    assert.strictEqual(Certificate.fingerprint(built, hash("sha512")), native.fingerprint512)
  })
})
