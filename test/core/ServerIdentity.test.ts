import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { X509Certificate } from "node:crypto"
import * as CertificateBuilder from "../../src/core/CertificateBuilder.ts"
import * as ServerIdentity from "../../src/core/ServerIdentity.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import type { Certificate } from "../../src/schema/Certificate.ts"
import type { GeneralName } from "../../src/schema/GeneralName.ts"
import * as ServerName from "../../src/schema/ServerName.ts"

const dns = (value: string): GeneralName => ({ _tag: "DnsName", value })
const ip = (...bytes: ReadonlyArray<number>): GeneralName => ({ _tag: "IpAddress", bytes: Uint8Array.from(bytes) })
const uri = (value: string): GeneralName => ({ _tag: "Uri", value })

const certificateWith = (
  names: ReadonlyArray<GeneralName>,
  commonName: string | ReadonlyArray<string> = "unused"
): Certificate =>
  Effect.runSync(
    Effect.provide(
      CertificateBuilder.selfSigned({ subject: { CN: commonName }, names, key: { _tag: "Ed25519" } }),
      NodeCrypto.layer
    )
  ).certificate

const matches = (name: string, certificate: Certificate) =>
  ServerIdentity.matches(Either.getOrThrow(ServerName.parse(name)), certificate)

// name asked for, name presented, whether it matches, and whether Node's checkHost agrees
type Row = readonly [asked: string, presented: string, matches: boolean, node?: "differs"]
const table: ReadonlyArray<Row> = [
  ["example.com", "example.com", true],
  ["EXAMPLE.com.", "example.COM", true],
  ["example.com", "example.org", false],
  ["www.example.com", "example.com", false],
  ["example.com", "www.example.com", false],
  ["www.example.com", "*.example.com", true],
  ["WWW.EXAMPLE.COM", "*.Example.Com", true],
  ["example.com", "*.example.com", false],
  ["a.b.example.com", "*.example.com", false],
  ["a.b.example.com", "*.b.example.com", true],
  ["www.example.com", "w*.example.com", false, "differs"],
  ["www.example.com", "*w.example.com", false, "differs"],
  ["www.example.com", "w*w.example.com", false],
  ["www.example.com", "www.*.com", false],
  ["www.example.com", "*.*.com", false],
  ["a.example.com", "**.example.com", false],
  ["example.com", "*.com", false],
  ["localhost", "*", false],
  ["com", "*", false],
  ["_dmarc.example.com", "*.example.com", true, "differs"],
  ["_dmarc.example.com", "_dmarc.example.com", true],
  ["xn--mnchen-3ya.example.com", "*.example.com", true],
  ["xn--mnchen-3ya.de", "xn--mnchen-3ya.de", true],
  ["xn--mnchen-3ya.example.com", "xn--*.example.com", false],
  ["example.com", "example.com.", false],
  ["example.com", ".example.com", false],
  ["www.example.com", ".example.com", false],
  ["example.com", "", false],
  ["example.com", "example.com\0.evil.org", false],
  ["example.com", "example.com ", false],
  ["www.example.com", "*.example.com\0", false],
  ["192.0.2.1", "192.0.2.1", false, "differs"]
]

describe("ServerIdentity", () => {
  it.for(table)("asked for %s, presented %j: %s", ([asked, presented, expected, node]) => {
    const certificate = certificateWith([dns("other.example.net"), dns(presented)])
    assert.strictEqual(matches(asked, certificate), expected)
    const native = new X509Certificate(certificate.der).checkHost(asked.replace(/\.$/, ""))
    assert.strictEqual(native !== undefined, node === undefined ? expected : !expected)
  })

  it("compares addresses byte by byte", () => {
    const certificate = certificateWith([ip(192, 0, 2, 1), ip(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)])
    assert.isTrue(matches("192.0.2.1", certificate))
    assert.isTrue(matches("2001:DB8:0::1", certificate))
    assert.isTrue(matches("[2001:db8::1]", certificate))
    assert.isFalse(matches("192.0.2.2", certificate))
    assert.isFalse(matches("2001:db8::2", certificate))
    assert.isFalse(matches("::ffff:192.0.2.1", certificate))
  })

  it("does not look at common names, URIs or mailboxes", () => {
    const names = [uri("https://example.com/"), { _tag: "Rfc822Name", value: "a@example.com" } as const]
    assert.isFalse(matches("example.com", certificateWith(names, "example.com")))
    assert.isFalse(matches("example.com", certificateWith([], "example.com")))
  })

  it("looks at a common name by its own name only, and only where there is no subjectAltName", () => {
    const matchesCommon = (name: string, certificate: Certificate) =>
      ServerIdentity.matchesWithCommonName(Either.getOrThrow(ServerName.parse(name)), certificate)
    assert.isTrue(matchesCommon("example.com", certificateWith([], "example.com")))
    assert.isTrue(matchesCommon("www.example.com", certificateWith([], "*.example.com")))
    assert.isFalse(matchesCommon("example.org", certificateWith([], "example.com")))
    assert.isFalse(matchesCommon("192.0.2.1", certificateWith([], "192.0.2.1")))
    assert.isFalse(matchesCommon("example.com", certificateWith([], "example.com\0.evil.org")))
    // RFC 6125 §6.4.4 and Node look for DNS names only; a certificate that has names of any kind has said what it is for.
    assert.isFalse(matchesCommon("example.com", certificateWith([uri("https://example.com/")], "example.com")))
    assert.isFalse(matchesCommon("example.com", certificateWith([dns("example.org")], "example.com")))
    assert.isTrue(matchesCommon("example.org", certificateWith([dns("example.org")], "example.com")))
    // Of several, the last is the most specific.
    assert.isTrue(matchesCommon("b.example.com", certificateWith([], ["a.example.com", "b.example.com"])))
    assert.isFalse(matchesCommon("a.example.com", certificateWith([], ["a.example.com", "b.example.com"])))
  })

  it("lists the names for people", () => {
    const certificate = certificateWith([dns("example.com"), dns("a, DNS:b"), ip(192, 0, 2, 1)])
    assert.deepStrictEqual(ServerIdentity.presentedNames(certificate), [
      "DNS:example.com",
      `DNS:"a, DNS:b"`,
      "IP:192.0.2.1"
    ])
  })
})
