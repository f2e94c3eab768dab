import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { deepStrictEqual } from "node:assert"
import { X509Certificate } from "node:crypto"
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import * as Tls from "node:tls"
import type { CertificateOptions, Issued } from "../../src/core/CertificateBuilder.ts"
import * as CertificateBuilder from "../../src/core/CertificateBuilder.ts"
import type { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import * as NodePeerCertificate from "../../src/layers/NodePeerCertificate.ts"
import * as Certificate from "../../src/schema/Certificate.ts"
import * as CertificateExtension from "../../src/schema/CertificateExtension.ts"
import * as Der from "../../src/schema/Der.ts"
import * as DistinguishedName from "../../src/schema/DistinguishedName.ts"
import type { GeneralName } from "../../src/schema/GeneralName.ts"
import * as ObjectIdentifier from "../../src/schema/ObjectIdentifier.ts"
import * as PublicKey from "../../src/schema/PublicKey.ts"
import * as random from "../schema/certificateArbitraries.ts"

const { oids } = ObjectIdentifier
const run = <A, E>(effect: Effect.Effect<A, E, CryptoProvider>): Promise<A> =>
  Effect.runPromise(Effect.provide(effect, NodeCrypto.layer))

/**
 * What Node shows, as Node 20 shows it: later releases name fields that are not there, which earlier ones leave out, write
 * exponents in capitals, and show the numbers of RSA-PSS keys too.
 */
const present = (shown: object, seen = new Map<object, object>()): object => {
  const copy: Record<string, unknown> = {}
  seen.set(shown, copy)
  for (const [name, value] of Object.entries(shown)) {
    if (value === undefined) continue
    if (name === "issuerCertificate") copy[name] = seen.get(value) ?? present(value, seen)
    else copy[name] = name === "exponent" ? value.toLowerCase() : value
  }
  return copy
}

/** As strict as Node's own comparison: prototypes and all. */
const sameAsNode = (certificate: Certificate.Certificate): void =>
  deepStrictEqual(NodePeerCertificate.make(certificate), present(new X509Certificate(certificate.der).toLegacyObject()))

const ed25519 = { key: { _tag: "Ed25519" } } as const
const withNames = (...names: ReadonlyArray<GeneralName>): Issued =>
  Effect.runSync(
    Effect.provide(CertificateBuilder.selfSigned({ ...ed25519, subject: { CN: "x" }, names }), NodeCrypto.layer)
  )

describe("NodePeerCertificate", () => {
  it("shows every root of Mozilla's list as Node does", () => {
    for (const pem of Tls.rootCertificates) sameAsNode(Either.getOrThrow(Certificate.fromPem(pem))[0])
  })

  it.each<NonNullable<CertificateOptions["key"]>>([
    { _tag: "Rsa", modulusLength: 2048 },
    { _tag: "RsaPss", modulusLength: 2048 },
    { _tag: "Ec", curve: "P-256" },
    { _tag: "Ec", curve: "P-384" },
    { _tag: "Ec", curve: "P-521" },
    { _tag: "Ed25519" },
    { _tag: "Ed448" }
  ])("shows a key of the kind %o as Node does", async (key) => {
    const { certificate } = await run(CertificateBuilder.selfSigned({ key, names: ["example.com"] }))
    if (!("_tag" in key) || key._tag !== "RsaPss") {
      sameAsNode(certificate)
      return
    }
    const expected = present(new X509Certificate(certificate.der).toLegacyObject()) as Record<string, unknown>
    for (const name of ["bits", "exponent", "modulus", "pubkey"]) delete expected[name]
    deepStrictEqual(NodePeerCertificate.make(certificate), expected)
  })

  it("shows dates and serial numbers as Node does", async () => {
    for (const [notBefore, notAfter] of [
      ["1950-01-01T00:00:00Z", "2049-12-31T23:59:59Z"],
      ["2026-02-09T01:02:03Z", "2050-01-01T00:00:00Z"],
      ["1999-11-30T12:00:00Z", "9999-12-31T23:59:59Z"]
    ] as const) {
      const dates = { notBefore: new Date(notBefore), notAfter: new Date(notAfter) }
      sameAsNode((await run(CertificateBuilder.selfSigned({ ...ed25519, ...dates, names: ["x.example"] }))).certificate)
    }
    const { der } = withNames().certificate
    // The serial number has 16 bytes and follows `[0] { INTEGER 2 }`.
    const at = der.findIndex((byte, i) => byte === 2 && der[i + 1] === 16)
    for (const bytes of [
      Uint8Array.of(2, 1, 0),
      Uint8Array.of(2, 1, 10),
      Uint8Array.of(2, 2, 0xfe, 1),
      Uint8Array.of(2, 2, 0, 0x80)
    ]) {
      const tbs = Der.decode("Certificate", (reader) => {
        const outer = reader.sequence()
        const inner = outer.content(Der.Tag.Sequence)
        return {
          inner,
          algorithm: outer.element(),
          signature: outer.element(),
          start: inner.byteOffset - der.byteOffset
        }
      })
      const { algorithm, inner, signature, start } = Either.getOrThrow(tbs(der))
      const before = inner.subarray(0, at - start)
      const after = inner.subarray(at - start + 18)
      const changed = Der.sequence(Der.sequence(before, bytes, after), algorithm, signature)
      sameAsNode(Either.getOrThrow(Certificate.decode(changed)))
    }
  })

  it("shows attributes of every kind as Node does, repeated ones as arrays", async () => {
    const types = Object.values(oids).filter((oid) =>
      /^(2\.5\.4|0\.9|1\.2\.840\.113549\.1\.9\.1|1\.3\.6\.1\.4\.1\.311\.60\.2)/.test(oid)
    )
    assert.isAbove(types.length, 20)
    const subject = DistinguishedName.fromAttributes([
      ...types.map(
        (type) => [type, type === oids.country || type === oids.jurisdictionCountry ? "DE" : "Ä, b"] as const
      ),
      [oids.organizationalUnit, "two"],
      [oids.organizationalUnit, "three"],
      [ObjectIdentifier.make("1.2.3.4.5"), "unknown"]
    ])
    const { certificate } = await run(CertificateBuilder.selfSigned({ ...ed25519, subject }))
    sameAsNode(certificate)
    deepStrictEqual((NodePeerCertificate.make(certificate).subject as unknown as { OU: unknown }).OU, [
      "Ä, b",
      "two",
      "three"
    ])
  })

  const other = (type: string, value: Uint8Array): GeneralName => ({
    _tag: "OtherName",
    type: ObjectIdentifier.make(type),
    value
  })
  it("shows names of every kind as Node does", () => {
    const { certificate } = withNames(
      { _tag: "DnsName", value: "example.com" },
      { _tag: "DnsName", value: "a.example, DNS:b.example" },
      { _tag: "DnsName", value: `quo"te\\and'single` },
      { _tag: "DnsName", value: "nul\0.example" },
      { _tag: "Rfc822Name", value: "a@example.com" },
      { _tag: "Uri", value: "https://example.com/?a=b,c" },
      { _tag: "IpAddress", bytes: Uint8Array.of(192, 0, 2, 1) },
      { _tag: "IpAddress", bytes: Uint8Array.from({ length: 16 }, (_, i) => i * 16) },
      { _tag: "IpAddress", bytes: new Uint8Array(16) },
      { _tag: "RegisteredId", oid: oids.commonName },
      {
        _tag: "DirectoryName",
        name: DistinguishedName.fromAttributes([
          [oids.country, "DE"],
          [oids.commonName, ` ü+"b",c;#\\ `]
        ])
      },
      { _tag: "DirectoryName", name: DistinguishedName.fromAttributes([[oids.commonName, "plain"]]) },
      { _tag: "DirectoryName", name: DistinguishedName.fromAttributes([[ObjectIdentifier.make("1.2.3.4.5"), "odd"]]) },
      other("1.3.6.1.5.5.7.8.9", Der.utf8String("ü@example.com")),
      other("1.3.6.1.5.5.7.8.9", Der.ascii("a@example.com")),
      other("1.3.6.1.5.5.7.8.5", Der.utf8String("a, b")),
      other("1.3.6.1.4.1.311.20.2.3", Der.utf8String(`quo"te`)),
      other("1.3.6.1.5.5.7.8.8", Der.utf8String("x".repeat(200))),
      other("1.3.6.1.5.5.7.8.7", Der.ascii("_mail.example.com")),
      other("1.3.6.1.5.5.7.8.7", Der.utf8String("_mail.example.com")),
      other("1.2.3.4", Der.nullValue())
    )
    sameAsNode(certificate)
  })

  it.prop(
    "escapes whatever is in a name as Node does",
    [FastCheck.stringMatching(/^[\x00-\x7f]{0,12}$/), FastCheck.fullUnicodeString({ minLength: 1, maxLength: 12 })],
    ([ascii, unicode]) => {
      const { certificate } = withNames(
        { _tag: "DnsName", value: ascii },
        { _tag: "Uri", value: ascii },
        { _tag: "DirectoryName", name: DistinguishedName.fromAttributes([[oids.commonName, unicode]]) }
      )
      sameAsNode(certificate)
    },
    { fastCheck: { numRuns: 100 } }
  )

  it.prop(
    "shows certificates of all kinds as Node does",
    // OpenSSL looks into these two, and what is random in there is not what it expects.
    [random.parts.filter(({ extensions }) => !/X400Address|EdiPartyName/.test(JSON.stringify(extensions)))],
    ([said]) => sameAsNode(Either.getOrThrow(Certificate.decode(random.assemble(said)))),
    { fastCheck: { numRuns: 500 } }
  )

  it("shows a modulus of odd length as Node does", () => {
    const [said] = FastCheck.sample(random.parts, 1)
    const publicKey = PublicKey.rsa(new Uint8Array(256).fill(0x0b), Uint8Array.of(3))
    sameAsNode(Either.getOrThrow(Certificate.decode(random.assemble({ ...said!, extensions: [], publicKey }))))
  })

  it("shows where issuers and status are to be had as Node does", async () => {
    const at = (method: ObjectIdentifier.ObjectIdentifier, location: GeneralName) => ({ method, location })
    const access = CertificateExtension.make({
      _tag: "AuthorityInfoAccess",
      descriptions: [
        at(oids.ocsp, { _tag: "Uri", value: "http://ocsp.example/" }),
        at(oids.ocsp, { _tag: "Uri", value: "http://ocsp.example/a,b" }),
        at(oids.caIssuers, { _tag: "Uri", value: "http://ca.example/ca.der" }),
        at(oids.caIssuers, {
          _tag: "DirectoryName",
          name: DistinguishedName.fromAttributes([[oids.commonName, "a, b"]])
        }),
        at(ObjectIdentifier.make("1.2.3.4"), { _tag: "DnsName", value: "x" })
      ]
    })
    sameAsNode(
      (await run(CertificateBuilder.selfSigned({ ...ed25519, names: ["x.example"], extensions: [access] }))).certificate
    )
  })

  it("shows a chain as getPeerCertificate(true) does, its root its own issuer", async () => {
    const [root, intermediate, leaf] = await run(
      Effect.gen(function* () {
        const ca = yield* CertificateBuilder.authority({ subject: { CN: "Root" } })
        const between = yield* CertificateBuilder.issueAuthority(ca, { subject: { CN: "Intermediate" } })
        return [ca, between, yield* CertificateBuilder.issue(between, { names: ["localhost"] })] as const
      })
    )
    const server = Tls.createServer(
      {
        cert: CertificateBuilder.certificatePem(leaf),
        key: Redacted.value(Option.getOrThrow(CertificateBuilder.privateKeyPem(leaf)))
      },
      (socket) => socket.end()
    )
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const { port } = server.address() as AddressInfo
    const client = Tls.connect({
      port,
      host: "127.0.0.1",
      servername: "localhost",
      ca: CertificateBuilder.certificatePem(root)
    })
    await once(client, "secureConnect")
    const expected = client.getPeerCertificate(true)
    client.destroy()
    server.close()
    const path = [leaf.certificate, intermediate.certificate, root.certificate] as const
    const found = NodePeerCertificate.makeDetailed(path)
    deepStrictEqual(found, present(expected))
    const top = found.issuerCertificate.issuerCertificate
    assert.strictEqual(top.issuerCertificate, top)
    // Whoever does not know the issuer says nothing of it.
    assert.notProperty(NodePeerCertificate.makeDetailed([leaf.certificate]), "issuerCertificate")
  })
})
