import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { X509Certificate, createPrivateKey } from "node:crypto"
import { connect, createServer } from "node:tls"
import type { AddressInfo } from "node:net"
import * as CertificateBuilder from "../../src/core/CertificateBuilder.ts"
import * as TrustStore from "../../src/core/TrustStore.ts"
import * as Verifier from "../../src/core/Verifier.ts"
import type { CryptoProvider, KeyType } from "../../src/core/CryptoProvider.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import * as Certificate from "../../src/schema/Certificate.ts"
import * as DistinguishedName from "../../src/schema/DistinguishedName.ts"
import * as GeneralName from "../../src/schema/GeneralName.ts"
import { oids } from "../../src/schema/ObjectIdentifier.ts"
import * as PublicKey from "../../src/schema/PublicKey.ts"
import * as ServerName from "../../src/schema/ServerName.ts"
import { hasOpenssl, workshop } from "../support/openssl.ts"

const run = <A, E>(effect: Effect.Effect<A, E, CryptoProvider>): Promise<A> =>
  Effect.runPromise(Effect.provide(effect, NodeCrypto.layer))

const messageOf = async <A, E extends { readonly message: string }>(effect: Effect.Effect<A, E, CryptoProvider>) => {
  const exit = await Effect.runPromiseExit(Effect.provide(effect, NodeCrypto.layer))
  if (Exit.isSuccess(exit)) return "no error"
  const failure = Cause.failureOption(exit.cause)
  return Option.isSome(failure) ? failure.value.message : `a defect: ${Cause.pretty(exit.cause)}`
}

const keyTypes: ReadonlyArray<readonly [name: string, type: KeyType]> = [
  ["P-256", { _tag: "Ec", curve: "P-256" }],
  ["P-384", { _tag: "Ec", curve: "P-384" }],
  ["P-521", { _tag: "Ec", curve: "P-521" }],
  ["RSA 2048", { _tag: "Rsa", modulusLength: 2048 }],
  ["RSA-PSS 2048", { _tag: "RsaPss", modulusLength: 2048 }],
  ["Ed25519", { _tag: "Ed25519" }],
  ["Ed448", { _tag: "Ed448" }]
]

const keyPem = (issued: CertificateBuilder.Issued) =>
  Redacted.value(Option.getOrThrow(CertificateBuilder.privateKeyPem(issued)))

/** Whether node:tls connects to a server with that identity when it trusts `ca`. */
const nodeAccepts = (issued: CertificateBuilder.Issued, ca: CertificateBuilder.Issued, servername: string) =>
  new Promise<string>((resolve) => {
    const server = createServer({ cert: CertificateBuilder.certificatePem(issued), key: keyPem(issued) }, (socket) =>
      socket.end()
    )
    server.on("tlsClientError", () => {})
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      const done = (result: string) => {
        server.close()
        resolve(result)
      }
      const socket = connect({ host: "127.0.0.1", port, servername, ca: Certificate.toPem(ca.certificate) }, () => {
        socket.destroy()
        done("accepted")
      })
      socket.on("error", (error: Error & { readonly code?: string }) => done(error.code ?? error.message))
    })
  })

const threeLevels = Effect.fnUntraced(function* (key: KeyType) {
  const ca = yield* CertificateBuilder.authority({ subject: { O: "Test", CN: "Root" }, key })
  const intermediate = yield* CertificateBuilder.issueAuthority(ca, {
    subject: { CN: "Intermediate" },
    key,
    pathLength: 0
  })
  const names = ["localhost", "*.example.com", "127.0.0.1", "::1"]
  return { ca, intermediate, leaf: yield* CertificateBuilder.issue(intermediate, { names, key }) }
})

describe("CertificateBuilder", () => {
  for (const [name, key] of keyTypes) {
    it(`makes an authority and certificates with ${name}, which Node accepts`, async () => {
      const { ca, intermediate, leaf } = await run(threeLevels(key))
      assert.strictEqual(PublicKey.format(leaf.certificate.publicKey), name)
      assert.strictEqual(leaf.identity.certificateChain.length, 2)
      const [rootX, intermediateX, leafX] = [ca, intermediate, leaf].map(
        ({ certificate }) => new X509Certificate(certificate.der)
      ) as [X509Certificate, X509Certificate, X509Certificate]
      assert.isTrue(rootX.ca && intermediateX.ca && !leafX.ca)
      assert.isTrue(
        rootX.verify(rootX.publicKey) && intermediateX.verify(rootX.publicKey) && leafX.verify(intermediateX.publicKey)
      )
      assert.isTrue(leafX.checkIssued(intermediateX))
      assert.isTrue(leafX.checkPrivateKey(createPrivateKey(keyPem(leaf))))
      assert.strictEqual(leafX.checkHost("a.example.com"), "*.example.com")
      assert.strictEqual(leafX.checkIP("127.0.0.1"), "127.0.0.1")
      assert.strictEqual(await nodeAccepts(leaf, ca, "localhost"), "accepted")
      assert.strictEqual(await nodeAccepts(leaf, ca, "other.example.org"), "ERR_TLS_CERT_ALTNAME_INVALID")
    })

    it.skipIf(!hasOpenssl)(`makes certificates with ${name} that OpenSSL accepts`, async () => {
      using shop = workshop()
      const { ca, intermediate, leaf } = await run(threeLevels(key))
      shop.write("root", CertificateBuilder.certificatePem(ca))
      shop.write("intermediate", Certificate.toPem(intermediate.certificate))
      shop.write("leaf", Certificate.toPem(leaf.certificate))
      for (const purpose of ["sslserver", "sslclient"]) {
        const options = ["-x509_strict", "-purpose", purpose, "-CAfile", "root", "-untrusted", "intermediate"]
        assert.deepStrictEqual(shop.attempt("verify", ...options, "leaf"), { status: 0, output: "leaf: OK\n" })
      }
      const text = shop.run("x509", "-in", "leaf", "-noout", "-text")
      assert.include(text, "DNS:localhost, DNS:*.example.com, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1")
      assert.include(text, "CA:FALSE")
    })

    it(`signs itself with ${name}, and Node accepts it when it trusts it`, async () => {
      const own = await run(CertificateBuilder.selfSigned({ names: ["localhost"], key }))
      assert.isTrue(own.certificate.isSelfIssued)
      assert.strictEqual(await nodeAccepts(own, own, "localhost"), "accepted")
    })
  }

  it("has defaults: P-256, both purposes, 90 days from a minute ago, the first DNS name as subject", async () => {
    const before = Date.now()
    const { certificate } = await run(
      CertificateBuilder.selfSigned({ names: ["192.0.2.1", "example.com", "spiffe://a/b", "a@example.com"] })
    )
    assert.strictEqual(PublicKey.format(certificate.publicKey), "P-256")
    assert.strictEqual(certificate.subject.toString(), "CN=example.com")
    assert.deepStrictEqual(certificate.subjectAltNames.map(GeneralName.format), [
      "IP:192.0.2.1",
      "DNS:example.com",
      "URI:spiffe://a/b",
      "email:a@example.com"
    ])
    assert.deepStrictEqual(certificate.extendedKeyUsage, [oids.serverAuth, oids.clientAuth])
    assert.deepStrictEqual([...certificate.keyUsage!], ["digitalSignature"])
    assert.approximately(certificate.notBefore.getTime(), before - 60_000, 5000)
    assert.approximately(certificate.notAfter.getTime(), before + 90 * 86_400_000, 5000)
    assert.match(certificate.serialNumber, /^[4-7][0-9a-f]{31}$/)
    assert.isFalse(certificate.extension("SubjectAltName")?.critical)
  })

  it("does as told", async () => {
    const { certificate } = await run(
      CertificateBuilder.selfSigned({
        subject: { C: "DE", O: "Beispiel", OU: ["a", "b"], "1.2.3.4": "x" },
        names: [{ _tag: "RegisteredId", oid: oids.commonName }],
        key: { _tag: "Rsa", modulusLength: 2048 },
        signatureAlgorithm: { _tag: "RsaPss", hash: "SHA-384", saltLength: 48 },
        purposes: ["clientAuth"],
        notBefore: new Date("2049-12-31T00:00:00Z"),
        validFor: "1000000 days",
        extensions: [{ oid: oids.keyUsage, critical: false, value: Uint8Array.of(3, 2, 5, 32) }]
      })
    )
    assert.strictEqual(certificate.subject.toString(), "1.2.3.4=x,OU=b,OU=a,O=Beispiel,C=DE")
    assert.deepStrictEqual(certificate.signatureAlgorithm.algorithm, {
      _tag: "RsaPss",
      hash: "SHA-384",
      saltLength: 48
    })
    assert.deepStrictEqual(certificate.extendedKeyUsage, [oids.clientAuth])
    assert.deepStrictEqual([...certificate.keyUsage!], ["keyEncipherment"])
    assert.strictEqual(certificate.notBefore.toISOString(), "2049-12-31T00:00:00.000Z")
  })

  it("puts a long name among the names alone, which are then critical", async () => {
    const name = `${"a".repeat(63)}.example.com`
    const issue = Effect.flatMap(CertificateBuilder.authority({ subject: { CN: "ca" } }), (ca) =>
      CertificateBuilder.issue(ca, { names: [name] })
    )
    const { certificate } = await run(issue)
    assert.isTrue(certificate.subject.isEmpty)
    assert.isTrue(certificate.extension("SubjectAltName")?.critical)
    assert.strictEqual(new X509Certificate(certificate.der).checkHost(name), name)
  })

  it.each([
    ["127.0.0.1", "CN=127.0.0.1"],
    ["2001:db8::1", "CN=2001:db8::1"],
    [`${"a".repeat(63)}.example.com`, "CN=self-signed"]
  ])("has a name where it signs itself, which verifies: %s", async (name, subject) => {
    const verified = Effect.gen(function* () {
      const { certificate } = yield* CertificateBuilder.selfSigned({ names: [name] })
      const serverName = yield* ServerName.parse(name)
      const store = TrustStore.fromCertificates([certificate])
      return yield* Verifier.webPki(store).verify(Verifier.makeRequest([certificate], { serverName }))
    })
    assert.strictEqual((await run(verified)).path[0].subject.toString(), subject)
    const nameless = CertificateBuilder.selfSigned({ names: [name], subject: DistinguishedName.empty })
    assert.include(await messageOf(nameless), "subject: a certificate that signs itself has a name")
  })

  it("never ends after the year 9999", async () => {
    const { certificate } = await run(
      CertificateBuilder.authority({ subject: { CN: "forever" }, validFor: Number.POSITIVE_INFINITY })
    )
    assert.strictEqual(certificate.notAfter.toISOString(), "9999-12-31T23:59:59.000Z")
  })

  it("takes a key that exists, and has no PEM of it", async () => {
    const [first, second] = await run(
      Effect.gen(function* () {
        const one = yield* CertificateBuilder.selfSigned({ names: ["a.example"] })
        return [
          one,
          yield* CertificateBuilder.selfSigned({ names: ["b.example"], key: one.identity.privateKey })
        ] as const
      })
    )
    assert.isTrue(PublicKey.equals(first.certificate.publicKey, second.certificate.publicKey))
    assert.isTrue(Option.isNone(CertificateBuilder.privateKeyPem(second)))
  })

  it.each<[string, unknown, string]>([
    ["nobody", {}, "names: a certificate for nobody: give `names` or a `subject`"],
    ["an unknown option", { names: ["a"], nmae: 1 }, "nmae: is unexpected"],
    ["no DNS name", { names: ["a..b"] }, `names[0]: "a..b" is not a server name: it has an empty label`],
    ["another script", { names: ["a", "münchen.de"] }, "names[1]: "],
    ["a wildcard of an address", { names: ["*.127.0.0.1"] }, `names[0]: "*.127.0.0.1" is a wildcard of an address`],
    ["two wildcards", { names: ["*.*.example.com"] }, "names[0]: "],
    ["an unknown attribute", { subject: { XY: "z" } }, "subject.XY: unknown attribute"],
    ["a country that is none", { subject: { C: "Germany" } }, "subject.C: a country is two letters"],
    ["a long common name", { subject: { CN: "x".repeat(65) } }, "subject.CN: a common name has at most 64 characters"],
    ["a short RSA key", { names: ["a"], key: { _tag: "Rsa", modulusLength: 1024 } }, "key"],
    ["a curve we do not have", { names: ["a"], key: { _tag: "Ec", curve: "P-224" } }, "key"],
    [
      "an end before the beginning",
      { names: ["a"], notAfter: new Date(0) },
      "notAfter: the certificate would end before it begins"
    ],
    [
      "two ends",
      { names: ["a"], notAfter: new Date(), validFor: "1 day" },
      "notAfter: either `notAfter` or `validFor`"
    ],
    [
      "a beginning before all",
      { names: ["a"], notBefore: new Date("1949-01-01") },
      "notBefore: it is not in the years 1950 to 9999"
    ],
    ["no date", { names: ["a"], notBefore: new Date(Number.NaN) }, "notBefore: "],
    [
      "an extension that is damaged",
      { names: ["a"], extensions: [{ oid: oids.basicConstraints, critical: true, value: Uint8Array.of(1) }] },
      "extensions: "
    ]
  ])("refuses %s", async (_, options, message) => {
    assert.include(
      await messageOf(CertificateBuilder.selfSigned(options as CertificateBuilder.CertificateOptions)),
      message
    )
  })

  it.each<[string, object, string]>([
    ["a name that is none", { names: [{ _tag: "DnsName", value: "ä" }] }, "names[0]: "],
    ["a name of no kind", { names: [{ _tag: "Nickname", value: "a" }] }, "names[0]: "],
    [
      "an extension without bytes",
      { extensions: [{ oid: oids.keyUsage, critical: true }] },
      "extensions[0]: expected an extension"
    ],
    [
      "an extension by name",
      { extensions: [{ oid: "keyUsage", critical: true, value: new Uint8Array() }] },
      "extensions[0]: expected an extension"
    ],
    [
      "an algorithm that is none",
      { signatureAlgorithm: { _tag: "Ecdsa", hash: "MD5" } },
      "signatureAlgorithm: expected a signature algorithm"
    ],
    ["constraints of nothing", { nameConstraints: { permitted: [] } }, "nameConstraints: expected name constraints"]
  ])("refuses %s", async (_, options, message) => {
    const all = { subject: { CN: "a" }, ...options } as CertificateBuilder.AuthorityOptions
    assert.include(await messageOf(CertificateBuilder.authority(all)), message)
  })

  it.effect("goes by the Clock, wherever that stands", () =>
    Effect.gen(function* () {
      const { certificate } = yield* CertificateBuilder.selfSigned({ names: ["a"], validFor: "1 hour" })
      assert.strictEqual(certificate.notBefore.toISOString(), "1969-12-31T23:59:00.000Z")
      assert.strictEqual(certificate.notAfter.toISOString(), "1970-01-01T01:00:00.000Z")
    }).pipe(Effect.provide(NodeCrypto.layer))
  )

  it("refuses to issue by what is no authority, and a path length that is none", async () => {
    const issueByLeaf = Effect.flatMap(CertificateBuilder.selfSigned({ names: ["a"] }), (leaf) =>
      CertificateBuilder.issue(leaf, { names: ["b"] })
    )
    assert.strictEqual(await messageOf(issueByLeaf), `ca: "CN=a" is not a certification authority`)
    assert.include(
      await messageOf(CertificateBuilder.authority({ subject: { CN: "a" }, pathLength: -1 })),
      "pathLength: "
    )
  })

  it("reports an algorithm that the key cannot do", async () => {
    const mismatch = CertificateBuilder.selfSigned({ names: ["a"], signatureAlgorithm: { _tag: "Ed25519" } })
    assert.notInclude(await messageOf(mismatch), "defect")
    assert.notStrictEqual(await messageOf(mismatch), "no error")
  })

  it("writes PEM that it reads", async () => {
    const [root, leaf] = await run(
      Effect.gen(function* () {
        const ca = yield* CertificateBuilder.authority({
          subject: DistinguishedName.fromAttributes([[oids.commonName, "ca"]])
        })
        const middle = yield* CertificateBuilder.issueAuthority(ca, { subject: { CN: "middle" } })
        return [ca, yield* CertificateBuilder.issue(middle, { names: ["a"] })] as const
      })
    )
    const chain = Either.getOrThrow(Certificate.fromPem(CertificateBuilder.certificatePem(leaf)))
    assert.deepStrictEqual(
      chain.map(({ label }) => label),
      ["CN=a", "CN=middle"]
    )
    assert.strictEqual(Either.getOrThrow(Certificate.fromPem(CertificateBuilder.certificatePem(root))).length, 1)
  })
})
