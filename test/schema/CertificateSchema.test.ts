import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Equal from "effect/Equal"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { generateKeyPairSync } from "node:crypto"
import * as Bytes from "../../src/schema/Bytes.ts"
import * as CertificateExtension from "../../src/schema/CertificateExtension.ts"
import * as CertificateSchema from "../../src/schema/CertificateSchema.ts"
import * as GeneralName from "../../src/schema/GeneralName.ts"
import * as ObjectIdentifier from "../../src/schema/ObjectIdentifier.ts"
import * as PublicKey from "../../src/schema/PublicKey.ts"
import { Validity } from "../../src/schema/Validity.ts"
import * as identities from "../support/identities.ts"
import * as random from "./certificateArbitraries.ts"

const messageOf = (result: Either.Either<unknown, { readonly message: string }>) =>
  Either.match(result, { onLeft: ({ message }) => message, onRight: () => "decoded" })

/** There and back, from bytes that then change. */
const roundTrip = <A>(schema: Schema.Schema<A, Uint8Array>, der: Uint8Array): A => {
  const input = der.slice()
  const value = Schema.decodeSync(schema)(input)
  input.fill(0)
  assert.deepStrictEqual(new Uint8Array(Schema.encodeSync(schema)(value)), new Uint8Array(der))
  const again = Schema.decodeSync(schema)(der)
  assert.isTrue(Schema.equivalence(schema)(value, again))
  return value
}

describe("CertificateSchema", () => {
  it.prop("names", [random.name, random.name], ([name, other]) => {
    const schema = CertificateSchema.DistinguishedNameFromDer
    assert.isTrue(Equal.equals(roundTrip(schema, name.der), name))
    assert.strictEqual(Schema.equivalence(schema)(name, other), Equal.equals(name, other))
  })

  it.prop("general names", [random.generalName("address"), random.generalName("address")], ([name, other]) => {
    const schema = CertificateSchema.GeneralNameFromDer
    const der = GeneralName.encode(name)
    assert.deepStrictEqual(roundTrip(schema, der), name)
    assert.strictEqual(Schema.equivalence(schema)(name, other), Bytes.equals(der, GeneralName.encode(other)))
  })

  it.prop("extensions", [random.content, FastCheck.boolean()], ([content, critical]) => {
    const made = CertificateExtension.make(content, { critical }) as CertificateExtension.CertificateExtension
    const der = CertificateExtension.encode(made)
    assert.deepStrictEqual(roundTrip(CertificateSchema.CertificateExtensionFromDer, der), made)
    const flipped = { ...made, critical: !critical }
    assert.isFalse(Schema.equivalence(CertificateSchema.CertificateExtensionFromSelf)(made, flipped))
  })

  it("public keys", () => {
    const keys = [
      generateKeyPairSync("rsa", { modulusLength: 2048 }),
      generateKeyPairSync("ec", { namedCurve: "P-384" }),
      generateKeyPairSync("ed25519")
    ].map(({ publicKey }) => ({
      der: new Uint8Array(publicKey.export({ format: "der", type: "spki" })),
      pem: publicKey.export({ format: "pem", type: "spki" }).toString()
    }))
    const same = Schema.equivalence(CertificateSchema.PublicKeyFromSelf)
    const decoded = keys.map(({ der, pem }) => {
      const key = roundTrip(CertificateSchema.PublicKeyFromDer, der)
      const fromPem = Schema.decodeSync(CertificateSchema.PublicKeyFromPem)(pem)
      assert.isTrue(same(key, fromPem))
      assert.strictEqual(Schema.encodeSync(CertificateSchema.PublicKeyFromPem)(fromPem), pem)
      return key
    })
    assert.deepStrictEqual(decoded.map(PublicKey.format), ["RSA 2048", "P-384", "Ed25519"])
    assert.isFalse(same(decoded[0]!, decoded[1]!))
  })

  it("say what is wrong, and do not repeat a private key", () => {
    assert.include(
      messageOf(Schema.decodeEither(CertificateSchema.DistinguishedNameFromDer)(Uint8Array.of(0x31, 0))),
      "Name: Sequence expected, Set found"
    )
    assert.include(
      messageOf(Schema.decodeEither(CertificateSchema.GeneralNameFromDer)(Uint8Array.of(0x87, 1, 1))),
      "GeneralName: an address of 1 byte(s)"
    )
    assert.include(
      messageOf(Schema.decodeEither(CertificateSchema.CertificateExtensionFromDer)(Uint8Array.of(0x30, 0))),
      "Extension: ObjectIdentifier expected, nothing left"
    )
    const message = messageOf(Schema.decodeEither(CertificateSchema.PublicKeyFromPem)(identities.server.keyPem))
    assert.include(message, "it holds a private key")
    assert.notInclude(message, identities.server.keyPem.split("\n")[1]!)
  })

  it("take no value for another", () => {
    const isExtension = Schema.is(CertificateSchema.CertificateExtensionFromSelf)
    const usage = CertificateExtension.make({ _tag: "KeyUsage", usages: new Set(["cRLSign"]) })
    assert.isTrue(isExtension(usage))
    assert.isFalse(isExtension({ ...usage, _tag: "Unknown" }))
    assert.isFalse(isExtension({ ...usage, value: Uint8Array.of(5, 0) }))
    assert.isFalse(isExtension({ ...usage, oid: "not one" }))
    assert.isTrue(isExtension({ ...usage, _tag: "Unknown", oid: ObjectIdentifier.make("1.2.3") }))
    const isKey = Schema.is(CertificateSchema.PublicKeyFromSelf)
    const key = PublicKey.edwards("Ed25519", new Uint8Array(32))
    assert.isTrue(isKey(key))
    assert.isFalse(isKey({ ...key, _tag: "Ed448" }))
    assert.isFalse(isKey({ ...key, spki: new Uint8Array(3) }))
    assert.isFalse(Schema.is(CertificateSchema.GeneralNameFromSelf)({ _tag: "DnsName", value: "ä" }))
    assert.isFalse(Schema.is(CertificateSchema.DistinguishedNameFromSelf)("CN=a"))
  })
})

describe("Validity", () => {
  const validity = new Validity({
    notBefore: new Date("2026-01-01T00:00:00Z"),
    notAfter: new Date("2026-01-02T00:00:00Z")
  })

  it("is equal by content, readable and JSON", () => {
    const json = { notBefore: "2026-01-01T00:00:00.000Z", notAfter: "2026-01-02T00:00:00.000Z" }
    assert.deepStrictEqual({ ...Schema.encodeSync(Validity)(validity) }, json)
    assert.isTrue(Equal.equals(Schema.decodeSync(Validity)(json), validity))
    assert.isFalse(Equal.equals(Schema.decodeSync(Validity)({ ...json, notAfter: json.notBefore }), validity))
    assert.strictEqual(String(validity), "2026-01-01T00:00:00.000Z to 2026-01-02T00:00:00.000Z")
  })

  it("is that of a certificate, to the second", () => {
    const { certificate } = identities.server
    assert.isTrue(
      Equal.equals(
        certificate.validity,
        new Validity({ notBefore: certificate.notBefore, notAfter: certificate.notAfter })
      )
    )
    const [from, to] = [Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 2)]
    assert.deepStrictEqual(
      [from - 1, from, to, to + 999, to + 1000].map((time) => validity.contains(time)),
      [false, true, true, true, false]
    )
  })
})
