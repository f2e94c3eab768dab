import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Equal from "effect/Equal"
import * as FastCheck from "effect/FastCheck"
import * as Hash from "effect/Hash"
import * as Schema from "effect/Schema"
import { generateKeyPairSync, X509Certificate } from "node:crypto"
import { rootCertificates } from "node:tls"
import * as AlgorithmIdentifier from "../../src/schema/AlgorithmIdentifier.ts"
import type { DecodeError } from "../../src/schema/ByteReader.ts"
import * as Bytes from "../../src/schema/Bytes.ts"
import * as Certificate from "../../src/schema/Certificate.ts"
import { CertificateFromJson } from "../../src/schema/CertificateJson.ts"
import * as Der from "../../src/schema/Der.ts"
import * as DistinguishedName from "../../src/schema/DistinguishedName.ts"
import * as GeneralName from "../../src/schema/GeneralName.ts"
import * as ObjectIdentifier from "../../src/schema/ObjectIdentifier.ts"
import * as Pem from "../../src/schema/Pem.ts"
import * as PublicKey from "../../src/schema/PublicKey.ts"
import { hasOpenssl, workshop } from "../support/openssl.ts"
import * as random from "./certificateArbitraries.ts"

const { oids } = ObjectIdentifier
const derOf = (pem: string): Uint8Array => new Uint8Array(new X509Certificate(pem).raw)
const roots = rootCertificates.map(derOf)

const problemOf = (result: Either.Either<unknown, DecodeError>): string =>
  Either.match(result, { onLeft: ({ problem }) => problem, onRight: () => "decoded" })

// ---------------------------------------------------------------------------------------------------------------------
// A certificate out of parts, each of which a test can replace. Its signature is nothing.
// ---------------------------------------------------------------------------------------------------------------------

const algorithm = AlgorithmIdentifier.encode({ _tag: "Ecdsa", hash: "SHA-256" })
const point = new Uint8Array(65).fill(4)
const parts = {
  version: [Der.value(0xa0, Der.integer(2))] as ReadonlyArray<Uint8Array>,
  serial: Der.integer(77),
  innerAlgorithm: algorithm,
  issuer: DistinguishedName.fromAttributes([[oids.commonName, "issuer"]]).der,
  validity: Der.sequence(Der.time(Date.UTC(2024, 0, 1)), Der.time(Date.UTC(2060, 0, 1))),
  subject: DistinguishedName.fromAttributes([[oids.commonName, "subject"]]).der,
  spki: PublicKey.ec("P-256", point).spki,
  extensions: [] as ReadonlyArray<Uint8Array>,
  afterKey: [] as ReadonlyArray<Uint8Array>,
  outerAlgorithm: algorithm,
  signature: Der.bitString(Uint8Array.of(1, 2, 3))
}
const assemble = (changes: Partial<typeof parts> = {}): Uint8Array => {
  const p = { ...parts, ...changes }
  const extensions = p.extensions.length === 0 ? [] : [Der.value(0xa3, Der.sequence(...p.extensions))]
  const tbs = Der.sequence(
    ...p.version,
    p.serial,
    p.innerAlgorithm,
    p.issuer,
    p.validity,
    p.subject,
    p.spki,
    ...p.afterKey,
    ...extensions
  )
  return Der.sequence(tbs, p.outerAlgorithm, p.signature)
}
const extension = (oid: ObjectIdentifier.ObjectIdentifier, value: Uint8Array, ...critical: ReadonlyArray<Uint8Array>) =>
  Der.sequence(Der.oid(oid), ...critical, Der.octetString(value))
const withExtension = (oid: ObjectIdentifier.ObjectIdentifier, value: Uint8Array) =>
  Certificate.decode(assemble({ extensions: [extension(oid, value)] }))

describe("Certificate", () => {
  it("reads every root of Mozilla's list as Node does", () => {
    assert.isAbove(roots.length, 100)
    for (const der of roots) {
      const ours = Either.getOrThrow(Certificate.decode(der))
      const native = new X509Certificate(der)
      assert.strictEqual(ours.serialNumber, native.serialNumber.toLowerCase().replace(/^0+(?=.)/, ""))
      assert.strictEqual(ours.notBefore.getTime(), Date.parse(native.validFrom))
      assert.strictEqual(ours.notAfter.getTime(), Date.parse(native.validTo))
      assert.deepStrictEqual(
        ours.publicKey.spki,
        new Uint8Array(native.publicKey.export({ format: "der", type: "spki" }))
      )
      assert.strictEqual(ours.basicConstraints?.ca, native.ca)
      assert.isTrue(ours.isSelfIssued)
      assert.deepStrictEqual(ours.der, der)
      // Node writes one attribute a line in the order of the encoding, and leaves most of RFC 4514's escapes out.
      const attributes = ours.subject.attributes.map(
        ({ type, value }) => `${DistinguishedName.attributeName(type)}=${value}`
      )
      if (!native.subject.includes("\\")) assert.strictEqual(attributes.join("\n"), native.subject)
    }
  })

  it.skipIf(!hasOpenssl)("reads what OpenSSL writes", () => {
    using shop = workshop()
    shop.write(
      "config",
      `[req]
distinguished_name=dn
prompt=no
utf8=yes
string_mask=utf8only
x509_extensions=v3
[dn]
C=DE
O=Müller\\, Söhne + Co
CN=host.example
emailAddress=a@example.com
[v3]
basicConstraints=critical,CA:TRUE,pathlen:3
keyUsage=critical,digitalSignature,keyCertSign,decipherOnly
extendedKeyUsage=serverAuth,clientAuth,1.2.3.4
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid:always,issuer:always
subjectAltName=DNS:host.example,DNS:*.host.example,IP:192.0.2.1,IP:2001:db8::1,email:a@example.com,URI:https://host.example/,RID:1.2.3,dirName:inner,otherName:1.2.3.4;UTF8:hi
nameConstraints=critical,permitted;DNS:.example,permitted;IP:192.0.2.0/255.255.255.0,excluded;email:b.example
authorityInfoAccess=OCSP;URI:http://ocsp.example/
certificatePolicies=1.2.3.4
policyConstraints=critical,requireExplicitPolicy:3
inhibitAnyPolicy=critical,2
1.2.3.4.5=critical,ASN1:NULL
[inner]
CN=inner, name
`
    )
    shop.run(
      "req",
      "-x509",
      "-newkey",
      "ed25519",
      "-nodes",
      "-config",
      "config",
      "-keyout",
      "key",
      "-out",
      "cert",
      "-days",
      "10000"
    )
    const [certificate] = Either.getOrThrow(Certificate.fromPem(shop.text("cert")))
    assert.strictEqual(certificate.version, 3)
    assert.strictEqual(
      certificate.subject.toString(),
      "emailAddress=a@example.com,CN=host.example,O=Müller\\, Söhne \\+ Co,C=DE"
    )
    assert.strictEqual(certificate.subject.commonName, "host.example")
    assert.deepStrictEqual(certificate.subject.values("o"), ["Müller, Söhne + Co"])
    assert.strictEqual(certificate.publicKey._tag, "Ed25519")
    assert.deepStrictEqual(certificate.signatureAlgorithm.algorithm, { _tag: "Ed25519" })
    assert.strictEqual(certificate.signature.length, 64)
    assert.include(certificate.basicConstraints, { ca: true, pathLength: 3 })
    assert.deepStrictEqual([...certificate.keyUsage!], ["digitalSignature", "keyCertSign", "decipherOnly"])
    assert.deepStrictEqual(certificate.extendedKeyUsage, [
      oids.serverAuth,
      oids.clientAuth,
      ObjectIdentifier.make("1.2.3.4")
    ])
    assert.strictEqual(certificate.subjectKeyIdentifier?.length, 20)
    assert.deepStrictEqual(certificate.authorityKeyIdentifier?.keyIdentifier, certificate.subjectKeyIdentifier)
    assert.isTrue(
      certificate.authorityKeyIdentifier?.issuer?.some(
        (name) => name._tag === "DirectoryName" && Equal.equals(name.name, certificate.issuer)
      )
    )
    assert.strictEqual(
      Bytes.toHex(certificate.authorityKeyIdentifier!.serialNumber!).replace(/^0+/, ""),
      certificate.serialNumber
    )
    assert.deepStrictEqual(certificate.subjectAltNames.map(GeneralName.format), [
      "DNS:host.example",
      "DNS:*.host.example",
      "IP:192.0.2.1",
      "IP:2001:db8::1",
      "email:a@example.com",
      "URI:https://host.example/",
      "Registered ID:1.2.3",
      `DirName:"CN=inner, name"`.replace(", ", "\\\\, "),
      "othername:1.2.3.4:0c026869"
    ])
    assert.deepStrictEqual(certificate.nameConstraints?.permitted?.map(GeneralName.format), [
      "DNS:.example",
      "IP:192.0.2.0/255.255.255.0"
    ])
    assert.deepStrictEqual(certificate.nameConstraints?.excluded?.map(GeneralName.format), ["email:b.example"])
    assert.deepStrictEqual(certificate.extension("AuthorityInfoAccess")?.descriptions, [
      { method: oids.ocsp, location: { _tag: "Uri", value: "http://ocsp.example/" } }
    ])
    assert.strictEqual(certificate.extension("PolicyConstraints")?.requireExplicitPolicy, 3)
    assert.strictEqual(certificate.extension("InhibitAnyPolicy")?.skipCertificates, 2)
    const unknown = certificate.extensionByOid(ObjectIdentifier.make("1.2.3.4.5"))
    assert.deepInclude(unknown, { _tag: "Unknown", critical: true, value: Uint8Array.of(5, 0) })
    assert.strictEqual(certificate.extensionByOid(oids.certificatePolicies)?._tag, "CertificatePolicies")

    // TRUSTED CERTIFICATE has OpenSSL's own data after the certificate.
    shop.run("x509", "-in", "cert", "-trustout", "-addtrust", "serverAuth", "-out", "trusted")
    assert.include(shop.text("trusted"), "BEGIN TRUSTED CERTIFICATE")
    assert.isTrue(Equal.equals(Either.getOrThrow(Certificate.fromPem(shop.text("trusted")))[0], certificate))
    assert.isTrue(Equal.equals(Either.getOrThrow(Certificate.fromBytes(shop.bytes("cert")))[0], certificate))
    assert.isTrue(Equal.equals(Either.getOrThrow(Certificate.fromBytes(certificate.der))[0], certificate))
  })

  it.skipIf(!hasOpenssl)("reads every kind of key and signature", () => {
    using shop = workshop()
    const make = (...args: ReadonlyArray<string>) => {
      shop.run("req", "-x509", "-nodes", "-subj", "/CN=x", "-keyout", "key", "-out", "cert", ...args)
      const { publicKey, signatureAlgorithm } = Either.getOrThrow(Certificate.fromPem(shop.text("cert")))[0]
      return `${PublicKey.format(publicKey)}, ${AlgorithmIdentifier.format(signatureAlgorithm)}`
    }
    assert.strictEqual(make("-newkey", "rsa:2048", "-sha256"), "RSA 2048, sha256WithRSAEncryption")
    assert.strictEqual(
      make("-newkey", "rsa:2048", "-sha384", "-sigopt", "rsa_padding_mode:pss"),
      "RSA 2048, RSASSA-PSS with SHA-384"
    )
    assert.strictEqual(
      make("-newkey", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048", "-sha512"),
      "RSA-PSS 2048, RSASSA-PSS with SHA-512"
    )
    for (const [curve, hash] of [
      ["P-256", "256"],
      ["P-384", "384"],
      ["P-521", "512"]
    ] as const) {
      assert.strictEqual(
        make("-newkey", "ec", "-pkeyopt", `ec_paramgen_curve:${curve}`, `-sha${hash}`),
        `${curve}, ecdsaWithSha${hash}`
      )
    }
    assert.strictEqual(make("-newkey", "ed448"), "Ed448, Ed448")
    assert.strictEqual(
      make("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"),
      "EC secp256k1, ecdsaWithSha256"
    )
    assert.strictEqual(make("-newkey", "rsa:2048", "-sha224"), "RSA 2048, sha224WithRSAEncryption")
  })

  it("decodes a minimal certificate, and those of versions 1 and 2", () => {
    assert.strictEqual(Either.getOrThrow(Certificate.decode(assemble())).version, 3)
    assert.strictEqual(Either.getOrThrow(Certificate.decode(assemble({ version: [] }))).version, 1)
    const second = assemble({
      version: [Der.value(0xa0, Der.integer(1))],
      afterKey: [Der.value(0x81, Uint8Array.of(0, 1))]
    })
    assert.strictEqual(Either.getOrThrow(Certificate.decode(second)).version, 2)
  })

  const basicConstraints = extension(oids.basicConstraints, Der.sequence())
  it.each<[string, Partial<typeof parts>, string]>([
    [
      "version 1 written out",
      { version: [Der.value(0xa0, Der.integer(0))] },
      "version 1 written out, which DER leaves out"
    ],
    ["version 4", { version: [Der.value(0xa0, Der.integer(3))] }, "version 4"],
    ["extensions in version 1", { version: [], extensions: [basicConstraints] }, "extensions in version 1"],
    [
      "unique identifiers in version 1",
      { version: [], afterKey: [Der.value(0x81, Uint8Array.of(0, 1))] },
      "a unique identifier in version 1"
    ],
    ["an extension twice", { extensions: [basicConstraints, basicConstraints] }, "the extension 2.5.29.19 twice"],
    [
      "no extensions in their list",
      { afterKey: [Der.value(0xa3, Der.sequence())] },
      "at least 1 item(s) expected, 0 found"
    ],
    [
      "two signature algorithms",
      { outerAlgorithm: AlgorithmIdentifier.encode({ _tag: "Ecdsa", hash: "SHA-384" }) },
      "two signature algorithms that differ"
    ],
    ["a serial number that is not minimal", { serial: Uint8Array.of(2, 2, 0, 1) }, "an INTEGER that is not minimal"],
    [
      "a local time",
      { validity: Der.sequence(Der.ascii("2401010000Z", Der.Tag.UtcTime), Der.time(0)) },
      "a time that is not written as years to seconds and Z"
    ],
    ["a signature of bits", { signature: Der.bitString(Uint8Array.of(2), 1) }, "a BIT STRING that is not whole bytes"],
    [
      "a key that is no point",
      { spki: PublicKey.ec("P-256", new Uint8Array(64).fill(4)).spki },
      "a P-256 key that is not a point"
    ],
    ["an RSA key of zero", { spki: PublicKey.rsa(new Uint8Array(1), Uint8Array.of(3)).spki }, "an RSA key of zeros"],
    [
      "an Ed25519 key that is too long",
      { spki: PublicKey.edwards("Ed25519", new Uint8Array(33)).spki },
      "an Ed25519 key of 33 byte(s)"
    ]
  ])("refuses %s", (_, changes, problem) => {
    assert.strictEqual(problemOf(Certificate.decode(assemble(changes))), problem)
  })

  it("takes a GeneralizedTime for any year, and says which are not as issuers have to write them", () => {
    const early = Der.ascii("20240101000000Z", Der.Tag.GeneralizedTime)
    const dates = (...validity: ReadonlyArray<Uint8Array>) =>
      Either.getOrThrow(Certificate.decode(assemble({ validity: Der.sequence(...validity) })))
    const late = Der.time(Date.UTC(2060, 0))
    assert.strictEqual(dates(early, late).notBefore.toISOString(), "2024-01-01T00:00:00.000Z")
    assert.isFalse(dates(early, late).datesInForm)
    assert.isFalse(dates(Der.time(0), early).datesInForm)
    assert.isTrue(dates(Der.time(0), late).datesInForm)
  })

  it.each<[string, ObjectIdentifier.ObjectIdentifier, Uint8Array, string]>([
    ["an extended key usage of nothing", oids.extendedKeyUsage, Der.sequence(), "at least 1 item(s) expected, 0 found"],
    ["names of nobody", oids.subjectAltName, Der.sequence(), "at least 1 item(s) expected, 0 found"],
    [
      "a DNS name that is not ASCII",
      oids.subjectAltName,
      Der.sequence(Der.value(0x82, Uint8Array.of(0xc3, 0xa4))),
      "a character that is not ASCII"
    ],
    [
      "an address of 5 bytes",
      oids.subjectAltName,
      Der.sequence(Der.value(0x87, new Uint8Array(5))),
      "an address of 5 byte(s)"
    ],
    [
      "an address range of 4 bytes",
      oids.nameConstraints,
      Der.sequence(Der.value(0xa0, Der.sequence(Der.value(0x87, new Uint8Array(4))))),
      "an address range of 4 byte(s)"
    ],
    ["constraints of nothing", oids.nameConstraints, Der.sequence(), "name constraints that constrain nothing"],
    [
      "a subtree with a minimum",
      oids.nameConstraints,
      Der.sequence(Der.value(0xa0, Der.sequence(Der.value(0x82), Der.integer(1, 0x80)))),
      "3 byte(s) too many"
    ],
    [
      "more after the value",
      oids.basicConstraints,
      Bytes.concat([Der.sequence(), Uint8Array.of(0)]),
      "1 byte(s) too many"
    ],
    [
      "a path length that is negative",
      oids.basicConstraints,
      Der.sequence(Der.boolean(true), Uint8Array.of(2, 1, 0x80)),
      "a negative INTEGER"
    ]
  ])("refuses %s", (_, oid, value, problem) => {
    assert.strictEqual(problemOf(withExtension(oid, value)), problem)
  })

  it("reads a FALSE that DER leaves out", () => {
    const written = extension(oids.basicConstraints, Der.sequence(Der.boolean(false)), Der.boolean(false))
    const certificate = Either.getOrThrow(Certificate.decode(assemble({ extensions: [written] })))
    assert.deepInclude(certificate.extension("BasicConstraints"), { ca: false, critical: false, pathLength: undefined })
  })

  it("prints serial numbers of every sign", () => {
    const serialOf = (serial: Uint8Array) => Either.getOrThrow(Certificate.decode(assemble({ serial }))).serialNumber
    assert.strictEqual(serialOf(Der.integer(0)), "0")
    assert.strictEqual(serialOf(Der.integer(0xff00)), "ff00")
    assert.strictEqual(serialOf(Uint8Array.of(2, 1, 0xff)), "-1")
  })

  it("is valid from its first second to the end of its last", () => {
    const certificate = Either.getOrThrow(Certificate.decode(assemble()))
    const [from, to] = [Date.UTC(2024, 0, 1), Date.UTC(2060, 0, 1)]
    assert.deepStrictEqual(
      [from - 1, from, to, to + 999, to + 1000].map((time) => certificate.isValidAt(time)),
      [false, true, true, true, false]
    )
  })

  it("is equal by content and keeps nothing of the input", () => {
    const input = assemble()
    const a = Either.getOrThrow(Certificate.decode(input))
    const b = Either.getOrThrow(Certificate.decode(input))
    input.fill(0)
    assert.isTrue(Equal.equals(a, b))
    assert.strictEqual(Hash.hash(a), Hash.hash(b))
    assert.isFalse(Equal.equals(a, Either.getOrThrow(Certificate.decode(assemble({ serial: Der.integer(78) })))))
  })

  it("remembers what it decoded lately, and not for long", () => {
    const input = assemble({ serial: Der.integer(4711) })
    const first = Either.getOrThrow(Certificate.decodeCached(input))
    assert.strictEqual(Either.getOrThrow(Certificate.decodeCached(input.slice())), first)
    // Same length, same end: only all bytes make it the same.
    const other = Either.getOrThrow(Certificate.decodeCached(assemble({ serial: Der.integer(4712) })))
    assert.strictEqual(other.serialNumber, (4712).toString(16))
    for (let i = 0; i < 300; i++) {
      Certificate.decodeCached(assemble({ signature: Der.bitString(Uint8Array.of(i >> 8, i, 9)) }))
    }
    assert.notStrictEqual(Either.getOrThrow(Certificate.decodeCached(input)), first)
    assert.isTrue(Either.isLeft(Certificate.decodeCached(new Uint8Array(100))))
  })

  it("goes through its schemas both ways", () => {
    const der = assemble()
    const certificate = Schema.decodeSync(Certificate.CertificateFromDer)(der)
    assert.deepStrictEqual(Schema.encodeSync(Certificate.CertificateFromDer)(certificate), der)
    const pem = Schema.encodeSync(Certificate.CertificateFromPem)(certificate)
    assert.isTrue(Equal.equals(Schema.decodeSync(Certificate.CertificateFromPem)(pem), certificate))
    assert.strictEqual(Schema.decodeSync(Certificate.CertificatesFromPem)(pem + pem).length, 2)
    const errorOf = (text: string) =>
      Either.getOrThrow(Either.flip(Schema.decodeEither(Certificate.CertificateFromPem)(text))).message
    assert.include(errorOf(pem + pem), "it holds 2 certificates, one is needed")
    assert.include(errorOf(Pem.format("PRIVATE KEY", der)), "it holds a private key, a certificate is needed")
    assert.include(errorOf(Pem.format("CERTIFICATE", der.subarray(1))), "certificate 1 of the PEM text is damaged")
    assert.include(errorOf(""), "it holds no PEM block, a certificate is needed")
  })

  it("says what a file is that holds no certificate", () => {
    const errorOf = (bytes: Uint8Array) => Either.getOrThrow(Either.flip(Certificate.fromBytes(bytes))).message
    const key = new Uint8Array(generateKeyPairSync("ed25519").privateKey.export({ format: "der", type: "pkcs8" }))
    assert.strictEqual(errorOf(key), "it holds a PKCS#8 private key, a certificate is needed")
    assert.strictEqual(errorOf(new Uint8Array()), "it is empty, a certificate is needed")
    assert.include(errorOf(assemble().subarray(0, 50)), "it holds no certificate: Certificate: ")
  })

  it("prints and serialises for people", () => {
    const certificate = Either.getOrThrow(Certificate.decode(assemble()))
    assert.strictEqual(String(certificate), "Certificate(CN=subject, issued by CN=issuer)")
    assert.include(JSON.stringify(certificate), `"subject":"CN=subject"`)
  })

  it.prop(
    "decoding gives back what a certificate was made of, and encoding its bytes",
    [random.parts],
    ([said]) => {
      const der = random.assemble(said)
      const certificate = Either.getOrThrow(Certificate.decode(der))
      assert.deepStrictEqual(Schema.encodeSync(Certificate.CertificateFromDer)(certificate), der)
      const [again] = Either.getOrThrow(Certificate.fromPem(Certificate.toPem(certificate)))
      assert.isTrue(Equal.equals(again, certificate))
      assert.strictEqual(BigInt(`0x${certificate.serialNumber}`), BigInt(`0x${Bytes.toHex(said.serial)}`))
      assert.deepStrictEqual(certificate.signatureAlgorithm.der, said.algorithm)
      assert.isTrue(certificate.issuer.equalsDer(said.issuer.der) && certificate.subject.equalsDer(said.subject.der))
      assert.deepStrictEqual(certificate.subject.rdns, said.subject.rdns)
      assert.deepStrictEqual(
        [certificate.notBefore.getTime(), certificate.notAfter.getTime()],
        [said.notBefore, said.notAfter]
      )
      assert.deepStrictEqual(certificate.publicKey, said.publicKey)
      assert.deepStrictEqual(
        certificate.extensions.map(({ critical: _critical, oid: _oid, value: _value, ...content }) => content),
        said.extensions
      )
      assert.deepStrictEqual(certificate.signature, said.signature)
    },
    { fastCheck: { numRuns: 300 } }
  )

  const megabyte = 1 << 20
  const lots = <A>(count: number, item: (i: number) => A): ReadonlyArray<A> =>
    Array.from({ length: count }, (_, i) => item(i))
  const nested = (depth: number): Uint8Array => {
    // From the inside out each level would be copied by the next; so the headers are written from the outside in.
    const headers = new Uint8Array(5 * depth)
    for (let i = 0; i < depth; i++) {
      const length = 5 * (depth - i - 1)
      headers.set([0x30, 0x83, length >> 16, (length >> 8) & 0xff, length & 0xff], 5 * i)
    }
    return headers
  }
  const large: ReadonlyArray<readonly [string, () => Partial<typeof parts>]> = [
    ["a serial number of a megabyte", () => ({ serial: Der.integer(new Uint8Array(megabyte).fill(0x77)) })],
    [
      "an RSA key of a megabyte",
      () => ({ spki: PublicKey.rsa(new Uint8Array(megabyte).fill(0xff), Uint8Array.of(3)).spki })
    ],
    [
      "100,000 attributes",
      () => ({
        subject: DistinguishedName.fromAttributes(lots(100_000, (i) => [oids.commonName, `${i}`] as const)).der
      })
    ],
    [
      "one attribute set of 20,000",
      () => {
        const attribute = (i: number) => Der.sequence(Der.oid(oids.commonName), Der.utf8String(`${i}`))
        return { subject: Der.sequence(Der.setOf(...lots(20_000, attribute))) }
      }
    ],
    [
      "an attribute of a megabyte of spaces",
      () => ({ subject: DistinguishedName.fromAttributes([[oids.commonName, " ".repeat(megabyte)]]).der })
    ],
    [
      "an attribute of a megabyte of what RFC 4518 expands",
      () => ({ subject: DistinguishedName.fromAttributes([[oids.commonName, "\ufdfa".repeat(megabyte / 16)]]).der })
    ],
    [
      "100,000 names",
      () => ({
        extensions: [
          extension(oids.subjectAltName, Der.sequence(...lots(100_000, (i) => Der.ascii(`a${i}.example`, 0x82))))
        ]
      })
    ],
    [
      "20,000 unknown extensions",
      () => ({
        extensions: lots(20_000, (i) => extension(ObjectIdentifier.make(`1.2.3.${i}`), new Uint8Array()))
      })
    ],
    [
      "an other name nested 100,000 deep",
      () => ({
        extensions: [
          extension(
            oids.subjectAltName,
            Der.sequence(Der.value(0xa0, Der.oid(oids.commonName), Der.value(0xa0, nested(100_000))))
          )
        ]
      })
    ],
    [
      "10,000 policies",
      () => ({
        extensions: [
          extension(
            oids.certificatePolicies,
            Der.sequence(...lots(10_000, (i) => Der.sequence(Der.oid(ObjectIdentifier.make(`1.2.3.${i}`)))))
          )
        ]
      })
    ]
  ]
  it.each(large)("is not held up by %s", (_, changes) => {
    const der = assemble(changes())
    const start = performance.now()
    const certificate = Either.getOrThrow(Certificate.decode(der))
    assert.isString(String(certificate) + JSON.stringify(certificate) + certificate.subject.key)
    Hash.hash(certificate.subject)
    Schema.encodeSync(CertificateFromJson)(certificate)
    // A second is a hundred times what the slowest of them takes; with a step that goes by the square, minutes.
    assert.isBelow(performance.now() - start, 15_000)
  })

  it.each<[string, () => Uint8Array, string]>([
    ["100,000 sequences within each other", () => nested(100_000), "Integer expected, Sequence found"],
    [
      "a length of four gigabytes",
      () => Uint8Array.of(0x30, 0x84, 0xff, 0xff, 0xff, 0xff),
      "4294967295 byte(s) of content expected"
    ],
    ["a length without end", () => Uint8Array.of(0x30, 0x80, 0x30, 0x80, 0, 0, 0, 0), "an indefinite length"],
    ["bytes behind it", () => Bytes.concat([assemble(), Uint8Array.of(0)]), "1 byte(s) too many"],
    ["nothing", () => new Uint8Array(), "Sequence expected, nothing left"]
  ])("refuses %s", (_, der, problem) => {
    assert.include(problemOf(Certificate.decode(der())), problem)
  })

  const originals = [assemble(), ...roots.slice(0, 20), assemble({ extensions: [basicConstraints] })]
  it.prop(
    "mutated certificates are certificates or typed errors, in bounded time",
    [
      FastCheck.constantFrom(...originals),
      FastCheck.array(FastCheck.tuple(FastCheck.nat(), FastCheck.nat(255)), { minLength: 1, maxLength: 5 }),
      FastCheck.option(FastCheck.nat())
    ],
    ([original, changes, cut]) => {
      const bytes = original.slice()
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte
      const result = Certificate.decode(cut === null ? bytes : bytes.subarray(0, cut % bytes.length))
      if (Either.isRight(result)) {
        // What was decoded can be shown and compared.
        assert.isString(String(result.right) + JSON.stringify(result.right) + result.right.subject.key)
      }
    },
    { fastCheck: { numRuns: 5000 } }
  )
  it.prop("any bytes are no certificate", [FastCheck.uint8Array({ maxLength: 300 })], ([bytes]) => {
    assert.isTrue(Either.isLeft(Certificate.decode(bytes)))
  })
})

describe("DistinguishedName", () => {
  const name = (type: keyof typeof oids, tag: number, value: string) =>
    Either.getOrThrow(
      DistinguishedName.decode(Der.sequence(Der.setOf(Der.sequence(Der.oid(oids[type]), Der.ascii(value, tag)))))
    )

  it("compares as RFC 5280 §7.1 asks", () => {
    const utf8 = name("commonName", Der.Tag.Utf8String, "Example  CA ")
    assert.isTrue(Equal.equals(utf8, name("commonName", Der.Tag.PrintableString, "example ca")))
    assert.strictEqual(Hash.hash(utf8), Hash.hash(name("commonName", Der.Tag.PrintableString, "example ca")))
    const text = (value: string) => DistinguishedName.fromAttributes([[oids.commonName, value]])
    assert.isTrue(Equal.equals(text("Straße ΟΔΟΣ"), text("STRASSE οδος")))
    assert.isFalse(Equal.equals(utf8, name("commonName", Der.Tag.Utf8String, "ExampleCA")))
    assert.isFalse(Equal.equals(utf8, name("organization", Der.Tag.Utf8String, "Example CA")))
    assert.isFalse(Equal.equals(utf8, DistinguishedName.empty))
  })

  it("cannot be confused by separators inside values", () => {
    const one = DistinguishedName.fromAttributes([[oids.commonName, "a\u00012.5.4.3=b"]])
    const two = DistinguishedName.fromAttributes([
      [oids.commonName, "a"],
      [oids.commonName, "b"]
    ])
    assert.isFalse(Equal.equals(one, two))
  })

  it.each([
    ["a,b", "CN=a\\,b"],
    [" a ", "CN=\\ a\\ "],
    [" ", "CN=\\ "],
    ["  ", "CN=\\ \\ "],
    ["#a", "CN=\\#a"],
    [`"+;<>\\`, `CN=\\"\\+\\;\\<\\>\\\\`],
    ["a\nb\u0000", "CN=a\\0ab\\00"],
    ["\u202eevil", "CN=\\e2\\80\\aeevil"],
    ["Müller", "CN=Müller"]
  ])("escapes %j", (value, text) => {
    assert.strictEqual(DistinguishedName.fromAttributes([[oids.commonName, value]]).toString(), text)
  })

  it("reads every kind of string", () => {
    const text = (tag: number, bytes: ReadonlyArray<number>) =>
      Either.match(
        DistinguishedName.decode(
          Der.sequence(Der.setOf(Der.sequence(Der.oid(oids.commonName), Der.value(tag, Uint8Array.from(bytes)))))
        ),
        { onLeft: ({ problem }) => problem, onRight: (decoded) => decoded.commonName }
      )
    assert.strictEqual(text(Der.Tag.BmpString, [0x30, 0x42, 0, 0x61]), "あa")
    assert.strictEqual(text(Der.Tag.UniversalString, [0, 1, 0xf6, 0]), "😀")
    assert.strictEqual(text(Der.Tag.TeletexString, [0xe4]), "ä")
    assert.strictEqual(text(Der.Tag.Utf8String, [0xc3, 0xa4]), "ä")
    assert.strictEqual(text(Der.Tag.Integer, [5]), "#020105")
    assert.strictEqual(text(Der.Tag.Utf8String, [0xe4]), "a UTF8String that is not UTF-8")
    assert.strictEqual(text(Der.Tag.BmpString, [1]), "a BMPString of an odd number of bytes")
    assert.strictEqual(
      text(Der.Tag.UniversalString, [0, 0x20, 0, 0]),
      "a UniversalString with something that is no character"
    )
  })

  it("writes attributes of every type", () => {
    const built = DistinguishedName.fromAttributes([
      [oids.country, "DE"],
      [oids.domainComponent, "example"],
      [oids.commonName, "ü"]
    ])
    const read = Either.getOrThrow(DistinguishedName.decode(built.der))
    assert.deepStrictEqual(read.rdns, built.rdns)
    assert.strictEqual(read.toString(), "CN=ü,DC=example,C=DE")
    assert.isTrue(read.equalsDer(built.der))
  })
})
