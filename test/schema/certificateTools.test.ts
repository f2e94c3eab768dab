/** Certificates that other programs write, with every extension they can: read, and written again byte for byte. */
import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Bytes from "../../src/schema/Bytes.ts"
import * as Certificate from "../../src/schema/Certificate.ts"
import * as CertificateExtension from "../../src/schema/CertificateExtension.ts"
import * as Der from "../../src/schema/Der.ts"
import * as DistributionPoint from "../../src/schema/DistributionPoint.ts"
import * as GeneralName from "../../src/schema/GeneralName.ts"
import * as ObjectIdentifier from "../../src/schema/ObjectIdentifier.ts"
import * as PublicKey from "../../src/schema/PublicKey.ts"
import * as tools from "../support/keyTools.ts"
import { workshop } from "../support/openssl.ts"

const { oids } = ObjectIdentifier

/** The one certificate of a file; each extension that we have a type for is written again as it was. */
const read = (bytes: Uint8Array): Certificate.Certificate => {
  const [certificate] = Either.getOrThrow(Certificate.fromBytes(bytes))
  for (const extension of certificate.extensions) {
    assert.notStrictEqual(extension._tag, "Unknown", extension.oid)
    const { critical, oid: _oid, value, ...content } = extension
    const again = CertificateExtension.make(content as CertificateExtension.Content, { critical })
    assert.strictEqual(Bytes.toHex(again.value), Bytes.toHex(value), extension._tag)
  }
  return certificate
}

describe.skipIf(tools.certtool.missing)(`certificates written by ${tools.certtool.name}`, () => {
  const make = (template: string, ...key: ReadonlyArray<string>) => {
    const shop = workshop()
    const run = (...args: ReadonlyArray<string>) => tools.certtool.run(shop.directory, ...args)
    run("--generate-privkey", "--no-text", ...key, "--outfile", "key")
    shop.write("template", template)
    run("--generate-self-signed", "--load-privkey", "key", "--template", "template", "--no-text", "--outfile", "pem")
    run("--certificate-info", "--infile", "pem", "--outder", "--outfile", "der")
    return shop
  }

  it.each([
    ["RSA 2048", ["--key-type", "rsa", "--bits", "2048"]],
    ["RSA-PSS 2048", ["--key-type", "rsa-pss", "--bits", "2048"]],
    ["P-256", ["--key-type", "ecdsa", "--curve", "secp256r1"]],
    ["P-384", ["--key-type", "ecdsa", "--curve", "secp384r1"]],
    ["P-521", ["--key-type", "ecdsa", "--curve", "secp521r1"]],
    ["Ed25519", ["--key-type", "ed25519"]],
    ["Ed448", ["--key-type", "ed448"]]
  ])("%s", (kind, key) => {
    using shop = make('cn = "example.com"\nserial = 0x1234567890\nexpiration_days = 10', ...key)
    const certificate = read(shop.bytes("pem"))
    assert.strictEqual(PublicKey.format(certificate.publicKey), kind)
    assert.strictEqual(certificate.serialNumber, "1234567890")
    assert.isDefined(certificate.signatureAlgorithm.algorithm)
    assert.deepStrictEqual(read(shop.bytes("der")).der, certificate.der)
  })

  it("extensions of an authority", () => {
    using shop = make(
      `dn = "CN=Authority limited,O=Üben,C=DE"
serial = 1
expiration_days = 10
ca
path_len = 2
cert_signing_key
crl_signing_key
nc_permit_dns = example.com
nc_permit_ip = 192.0.2.0/24
nc_exclude_email = "example.org"
policy1 = 2.999.1
policy1_txt = "A notice"
policy1_url = https://example.com/cps
policy2 = 2.999.2
inhibit_anypolicy_skip_certs = 1
crl_dist_points = "http://example.com/a.crl"
crl_dist_points = "http://example.com/b.crl"
ocsp_uri = http://ocsp.example.com/
ca_issuers_uri = http://example.com/ca.der
`,
      "--key-type",
      "ed25519"
    )
    const certificate = read(shop.bytes("pem"))
    assert.strictEqual(certificate.subject.toString(), "CN=Authority limited,O=Üben,C=DE")
    assert.include(certificate.basicConstraints, { ca: true, pathLength: 2 })
    assert.deepStrictEqual([...certificate.keyUsage!], ["keyCertSign", "cRLSign"])
    assert.sameMembers(certificate.nameConstraints!.permitted!.map(GeneralName.format), [
      "DNS:example.com",
      "IP:192.0.2.0/255.255.255.0"
    ])
    assert.deepStrictEqual(certificate.nameConstraints?.excluded?.map(GeneralName.format), ["email:example.org"])
    const [first, second] = certificate.extension("CertificatePolicies")!.policies
    assert.deepStrictEqual(
      first!.qualifiers.map((qualifier) => (qualifier._tag === "UserNotice" ? qualifier.text?.value : qualifier)),
      ["A notice", { _tag: "Cps", uri: "https://example.com/cps" }]
    )
    assert.deepStrictEqual(second, { policy: ObjectIdentifier.make("2.999.2"), qualifiers: [] })
    assert.strictEqual(certificate.extension("InhibitAnyPolicy")?.skipCertificates, 1)
    assert.deepStrictEqual(DistributionPoint.uris(certificate.crlDistributionPoints), [
      "http://example.com/a.crl",
      "http://example.com/b.crl"
    ])
    assert.deepStrictEqual(certificate.authorityInfoAccess, [
      { method: oids.ocsp, location: { _tag: "Uri", value: "http://ocsp.example.com/" } },
      { method: oids.caIssuers, location: { _tag: "Uri", value: "http://example.com/ca.der" } }
    ])
  })

  it("names and purposes of a leaf", () => {
    using shop = make(
      `cn = "x"
expiration_days = 10
dns_name = "*.example.com"
ip_address = "192.0.2.1"
ip_address = "2001:db8::1"
uri = "https://example.com/"
other_name_utf8 = "1.2.3.4 Grüße"
tls_www_server
tls_www_client
signing_key
encryption_key
tls_feature = 5
`,
      "--key-type",
      "ecdsa"
    )
    const certificate = read(shop.bytes("der"))
    assert.sameMembers(certificate.subjectAltNames.map(GeneralName.format), [
      "DNS:*.example.com",
      "IP:192.0.2.1",
      "IP:2001:db8::1",
      "URI:https://example.com/",
      `othername:1.2.3.4:${Bytes.toHex(Der.utf8String("Grüße"))}`
    ])
    assert.sameMembers([...certificate.extendedKeyUsage!], [oids.serverAuth, oids.clientAuth])
    assert.deepStrictEqual(certificate.extension("TlsFeature")?.features, [5])
  })
})

describe.skipIf(tools.keytool.missing)(`certificates written by ${tools.keytool.name}`, () => {
  it("extensions, PEM and DER", () => {
    using shop = workshop()
    const run = (...args: ReadonlyArray<string>) =>
      tools.keytool.run(shop.directory, ...args, "-keystore", "store", "-storepass", "changeit", "-alias", "a")
    const extensions = [
      "bc:critical=ca:true,pathlen:1",
      "ku:critical=digitalSignature,keyCertSign",
      "eku=serverAuth,codeSigning,1.2.3.4",
      "san=dns:example.com,ip:192.0.2.1,email:a@example.com,uri:https://example.com/,oid:1.2.3",
      "ian=dns:issuer.example.com",
      "aia=ocsp:uri:http://ocsp.example.com/",
      "sia=caRepository:uri:http://example.com/",
      "crl=uri:http://example.com/a.crl"
    ].flatMap((extension) => ["-ext", extension])
    const name = "CN=Java\\, of course, OU=Ünit, O=Example, C=DE"
    run("-genkeypair", "-keyalg", "EC", "-groupname", "secp384r1", "-dname", name, ...extensions)
    run("-exportcert", "-file", "der")
    run("-exportcert", "-rfc", "-file", "pem")
    const certificate = read(shop.bytes("der"))
    assert.deepStrictEqual(read(shop.bytes("pem")).der, certificate.der)
    assert.strictEqual(PublicKey.format(certificate.publicKey), "P-384")
    assert.strictEqual(certificate.subject.toString(), "CN=Java\\, of course,OU=Ünit,O=Example,C=DE")
    assert.include(certificate.basicConstraints, { ca: true, pathLength: 1 })
    assert.deepStrictEqual(certificate.extendedKeyUsage, [
      oids.serverAuth,
      oids.codeSigning,
      ObjectIdentifier.make("1.2.3.4")
    ])
    assert.deepStrictEqual(certificate.subjectAltNames.map(GeneralName.format), [
      "DNS:example.com",
      "IP:192.0.2.1",
      "email:a@example.com",
      "URI:https://example.com/",
      "Registered ID:1.2.3"
    ])
    assert.deepStrictEqual(certificate.extension("IssuerAltName")?.names.map(GeneralName.format), [
      "DNS:issuer.example.com"
    ])
    assert.deepStrictEqual(certificate.extension("SubjectInfoAccess")?.descriptions, [
      { method: oids.caRepository, location: { _tag: "Uri", value: "http://example.com/" } }
    ])
    assert.deepStrictEqual(DistributionPoint.uris(certificate.crlDistributionPoints), ["http://example.com/a.crl"])
  })
})
