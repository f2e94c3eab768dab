import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { spawnSync } from "node:child_process"
import type { CertificateOptions, Issued } from "../../src/core/CertificateBuilder.ts"
import * as CertificateBuilder from "../../src/core/CertificateBuilder.ts"
import type { CrlOptions } from "../../src/core/CertificateRevocationListBuilder.ts"
import * as CrlBuilder from "../../src/core/CertificateRevocationListBuilder.ts"
import type { CryptoProvider, KeyType } from "../../src/core/CryptoProvider.ts"
import * as TrustStore from "../../src/core/TrustStore.ts"
import * as Verifier from "../../src/core/Verifier.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import * as Certificate from "../../src/schema/Certificate.ts"
import * as CertificateExtension from "../../src/schema/CertificateExtension.ts"
import type { CertificateRevocationList } from "../../src/schema/CertificateRevocationList.ts"
import * as CertificateRevocationLists from "../../src/schema/CertificateRevocationList.ts"
import * as CrlExtension from "../../src/schema/CrlExtension.ts"
import * as DistinguishedName from "../../src/schema/DistinguishedName.ts"
import type { DistributionPoint, DistributionPointName } from "../../src/schema/DistributionPoint.ts"
import type { GeneralName } from "../../src/schema/GeneralName.ts"
import * as Limits from "../../src/schema/Limits.ts"
import * as ObjectIdentifier from "../../src/schema/ObjectIdentifier.ts"
import * as SignatureScheme from "../../src/schema/SignatureScheme.ts"
import type { Workshop } from "../support/openssl.ts"
import { hasOpenssl, workshop } from "../support/openssl.ts"

const { oids } = ObjectIdentifier
const now = Date.UTC(2030, 0, 1, 12)
const day = 86_400_000
const fixed: Clock.Clock = { ...Clock.make(), currentTimeMillis: Effect.succeed(now) }
const run = <A, E>(effect: Effect.Effect<A, E, CryptoProvider>): Promise<A> =>
  Effect.runPromise(Effect.withClock(Effect.provide(effect, NodeCrypto.layer), fixed))

const ec: KeyType = { _tag: "Ec", curve: "P-256" }
const authority = (name = "CA", options: CertificateOptions = {}) =>
  run(CertificateBuilder.authority({ subject: { CN: name }, key: ec, ...options }))
const leafOf = (ca: Issued, options: CertificateOptions = {}) =>
  run(CertificateBuilder.issue(ca, { names: ["leaf.example"], key: ec, ...options }))
const crlOf = (ca: Issued, options: CrlOptions = {}) => run(CrlBuilder.make(ca.identity, options))

describe("CertificateRevocationListBuilder", () => {
  it("makes a CRL with what RFC 5280 asks of every one, and defaults for the rest", async () => {
    const ca = await authority()
    const leaf = await leafOf(ca)
    const list = await crlOf(ca, { revoked: [{ certificate: leaf.certificate }] })
    assert.strictEqual(list.version, 2)
    assert.isTrue(list.issuer.equals(ca.certificate.subject))
    assert.strictEqual(list.thisUpdate.getTime(), now)
    assert.strictEqual(list.nextUpdate?.getTime(), now + 7 * day)
    assert.strictEqual(list.number, BigInt(now / 1000))
    assert.isUndefined(list.baseNumber)
    assert.isUndefined(list.issuingDistributionPoint)
    assert.deepStrictEqual(list.authorityKeyIdentifier?.keyIdentifier, ca.certificate.subjectKeyIdentifier)
    assert.strictEqual(list.find(leaf.certificate.serial)?.revocationDate.getTime(), now)
    assert.deepStrictEqual((await crlOf(ca)).revoked, [])
  })

  it("says what it is told", async () => {
    const ca = await authority()
    const other = DistinguishedName.fromAttributes([[oids.commonName, "other"]])
    const strange = { oid: ObjectIdentifier.make("1.2.3.4"), critical: false, value: Uint8Array.of(5, 0) }
    const list = await crlOf(ca, {
      thisUpdate: new Date(now - day),
      nextUpdate: new Date(Date.UTC(2060, 0)),
      number: 2n ** 100n,
      deltaOf: 0n,
      issuingDistributionPoint: { indirectCrl: true, onlySomeReasons: new Set(["keyCompromise"]) },
      signatureAlgorithm: { _tag: "Ecdsa", hash: "SHA-384" },
      extensions: [strange],
      revoked: [
        { serial: Uint8Array.of(1), reason: "removeFromCRL" },
        {
          serial: Uint8Array.of(1),
          issuer: other,
          reason: "keyCompromise",
          revocationDate: new Date(now - 2 * day),
          invalidityDate: new Date(now - 3 * day),
          extensions: [strange]
        },
        { serial: Uint8Array.of(2), issuer: other },
        { serial: Uint8Array.of(3) }
      ]
    })
    assert.strictEqual(list.thisUpdate.getTime(), now - day)
    assert.strictEqual(list.nextUpdate?.getTime(), Date.UTC(2060, 0))
    assert.strictEqual(list.number, 2n ** 100n)
    assert.strictEqual(list.baseNumber, 0n)
    assert.deepInclude(list.issuingDistributionPoint, { indirectCrl: true, onlyContainsCaCerts: false })
    assert.deepStrictEqual(list.signatureAlgorithm.algorithm, { _tag: "Ecdsa", hash: "SHA-384" })
    assert.deepInclude(list.extensionByOid(strange.oid), strange)
    assert.deepStrictEqual(
      list.revoked.map(({ extensions, invalidityDate, reason, revocationDate, serialNumber }) => [
        serialNumber,
        reason,
        (revocationDate.getTime() - now) / day,
        invalidityDate === undefined ? undefined : (invalidityDate.getTime() - now) / day,
        extensions.map(({ _tag }) => _tag).join()
      ]),
      [
        ["1", "removeFromCRL", -1, undefined, "ReasonCode"],
        ["1", "keyCompromise", -2, -3, "ReasonCode,InvalidityDate,CertificateIssuer,Unknown"],
        ["2", undefined, -1, undefined, ""],
        ["3", undefined, -1, undefined, "CertificateIssuer"]
      ]
    )
    assert.strictEqual(list.find(Uint8Array.of(2), other)?.serialNumber, "2")
    assert.strictEqual(list.find(Uint8Array.of(3))?.serialNumber, "3")
    // An extension of one's own stands in the place of the standard one.
    const own = await crlOf(ca, { number: 1n, extensions: [CrlExtension.encodeCrlNumber(9n)] })
    assert.strictEqual(own.number, 9n)
  })

  it("keeps the entries of the one before", async () => {
    const ca = await authority()
    const other = DistinguishedName.fromAttributes([[oids.commonName, "other"]])
    const options: CrlOptions = {
      issuingDistributionPoint: { indirectCrl: true },
      revoked: [
        { serial: Uint8Array.of(1), reason: "certificateHold" },
        { serial: Uint8Array.of(2), issuer: other, invalidityDate: new Date(now - day) },
        {
          serial: Uint8Array.of(3),
          issuer: other,
          revocationDate: new Date(now - day),
          extensions: [{ oid: ObjectIdentifier.make("1.2.3.4"), critical: false, value: Uint8Array.of(5, 0) }]
        }
      ]
    }
    const before = await crlOf(ca, options)
    const after = await crlOf(ca, { ...options, revoked: before.revoked.map(CrlBuilder.keep) })
    assert.deepStrictEqual(JSON.parse(JSON.stringify(after.revoked)), JSON.parse(JSON.stringify(before.revoked)))
  })

  it.each<[string, unknown, string]>([
    [
      "two ends",
      { nextUpdate: new Date(now + day), validFor: "1 day" },
      "nextUpdate: either `nextUpdate` or `validFor`"
    ],
    [
      "an end before the beginning",
      { nextUpdate: new Date(now) },
      "nextUpdate: the next CRL would come before this one"
    ],
    ["a date before 1950", { thisUpdate: new Date(-1e12) }, "thisUpdate: the dates are not in the years 1950 to 9999"],
    ["a date after 9999", { validFor: "100000000 days" }, "thisUpdate: the dates are not in the years 1950 to 9999"],
    ["a negative number", { number: -1n }, "number: "],
    ["a number that is too long", { number: 2n ** 160n }, "no reader would take this CRL: "],
    [
      "a delta of itself",
      { number: 5n, deltaOf: 5n },
      "deltaOf: a delta CRL with the number 5 cannot add to CRL number 5"
    ],
    ["a removal in a complete CRL", { revoked: [{ serial: Uint8Array.of(1), reason: "removeFromCRL" }] }, "revoked[0].reason: only a delta"], // prettier-ignore
    [
      "an unknown reason",
      { revoked: [{ serial: Uint8Array.of(1), reason: "lost" }] },
      "revoked[0].reason: expected a reason"
    ],
    ["an entry of nobody", { revoked: [{ reason: "superseded" }] }, "revoked[0]: either `certificate` or `serial`"],
    ["an entry twice", { revoked: [{ serial: Uint8Array.of(1) }, { serial: Uint8Array.of(1) }] }, "revoked[1]: it is revoked twice"], // prettier-ignore
    ["a serial number of no bytes", { revoked: [{ serial: new Uint8Array(0) }] }, "an INTEGER of no bytes"],
    ["excess", { revoked: [{ serial: Uint8Array.of(1), why: "" }] }, "revoked[0].why: is unexpected"],
    ["two kinds of certificates", { issuingDistributionPoint: { onlyContainsCaCerts: true, onlyContainsUserCerts: true } }, "for certificates of two kinds only"], // prettier-ignore
    ["no reasons", { issuingDistributionPoint: { onlySomeReasons: new Set() } }, "issuingDistributionPoint.onlySomeReasons: expected a Set of reasons"], // prettier-ignore
    ["a place of no kind", { issuingDistributionPoint: { name: { _tag: "FullName", names: [] } } }, "issuingDistributionPoint.name: expected the name"] // prettier-ignore
  ])("refuses %s", async (_, options, message) => {
    const ca = await authority()
    const error = await run(Effect.flip(CrlBuilder.make(ca.identity, options as CrlOptions)))
    assert.include(error.message, message)
    assert.strictEqual(error._tag, "TlsConfigError")
  })

  it("refuses certificates of others where it is not indirect, and an issuer that may sign none", async () => {
    const [ca, other] = [await authority(), await authority("Other")]
    const leaf = await leafOf(other)
    const error = await run(Effect.flip(CrlBuilder.make(ca.identity, { revoked: [{ certificate: leaf.certificate }] })))
    assert.include(error.message, `revoked[0]: it was issued by "CN=Other": only an indirect CRL`)
    const refused = await run(Effect.flip(CrlBuilder.make(leaf.identity, {})))
    assert.include(refused.message, "does not include signing CRLs (cRLSign)")
  })
})

// ---------------------------------------------------------------------------------------------------------------------
// Others read what we make, and say the same of it
// ---------------------------------------------------------------------------------------------------------------------

const keys: ReadonlyArray<readonly [name: string, key: KeyType]> = [
  ["EC P-256", ec],
  ["EC P-521", { _tag: "Ec", curve: "P-521" }],
  ["RSA", { _tag: "Rsa", modulusLength: 2048 }],
  ["RSA-PSS", { _tag: "RsaPss", modulusLength: 2048 }],
  ["Ed25519", { _tag: "Ed25519" }],
  ["Ed448", { _tag: "Ed448" }]
]

const writeCrls = (shop: Workshop, lists: ReadonlyArray<CertificateRevocationList>) =>
  shop.write("crls", CertificateRevocationLists.toPem(...lists))

describe.skipIf(!hasOpenssl)("OpenSSL", () => {
  it.each(keys)("verifies a CRL that is signed with %s", async (_, key) => {
    const ca = await authority("CA", { key })
    const leaf = await leafOf(ca)
    const list = await crlOf(ca, {
      number: 0xabcn,
      revoked: [{ certificate: leaf.certificate, reason: "keyCompromise" }]
    })
    using shop = workshop()
    shop.write("ca", Certificate.toPem(ca.certificate))
    writeCrls(shop, [list])
    const { output, status } = shop.attempt("crl", "-in", "crls", "-CAfile", "ca", "-noout", "-text")
    assert.strictEqual(status, 0, output)
    assert.include(output, "verify OK")
    assert.include(output, "X509v3 CRL Number: \n                2748")
    assert.include(output, `Serial Number: ${leaf.certificate.serialNumber.toUpperCase()}`)
    assert.include(output, "Key Compromise")
  })

  const uri = (value: string): GeneralName => ({ _tag: "Uri", value })
  const full = (...names: ReadonlyArray<GeneralName>): DistributionPointName => ({ _tag: "FullName", names })
  const here = full(uri("http://crl.example/1"))
  const there = full(uri("http://crl.example/2"))
  const at = (name: DistributionPointName): DistributionPoint => ({ name, reasons: undefined, crlIssuer: undefined })
  const placed = (name: DistributionPointName): CertificateOptions => ({
    extensions: [CertificateExtension.make({ _tag: "CrlDistributionPoints", points: [at(name)] })]
  })
  const freshest = CertificateExtension.make({
    _tag: "FreshestCrl",
    points: [at(there)]
  })

  interface Scene {
    readonly leaf?: CertificateOptions
    readonly crls: (ca: Issued, leaf: Issued) => ReadonlyArray<Promise<CertificateRevocationList>>
    readonly expected: string
  }
  const revoke = ({ certificate }: Issued, more: CrlOptions = {}): CrlOptions => ({
    revoked: [{ certificate }],
    ...more
  })
  const scenes: { readonly [name: string]: Scene } = {
    "none at all": { crls: () => [], expected: "unable to get certificate CRL" },
    "one that revokes nobody": { crls: (ca) => [crlOf(ca)], expected: "OK" },
    "one that revokes it": { crls: (ca, leaf) => [crlOf(ca, revoke(leaf))], expected: "certificate revoked" },
    "an old one": {
      crls: (ca) => [crlOf(ca, { thisUpdate: new Date(now - 9 * day) })],
      expected: "CRL has expired"
    },
    "a future one": {
      crls: (ca) => [crlOf(ca, { thisUpdate: new Date(now + day) })],
      expected: "CRL is not yet valid"
    },
    "one of its place": {
      leaf: placed(here),
      crls: (ca) => [crlOf(ca, { issuingDistributionPoint: { name: here } })],
      expected: "OK"
    },
    "one of another place": {
      leaf: placed(here),
      crls: (ca) => [crlOf(ca, { issuingDistributionPoint: { name: there } })],
      expected: "different CRL scope"
    },
    "one for authorities": {
      crls: (ca) => [crlOf(ca, { issuingDistributionPoint: { onlyContainsCaCerts: true } })],
      expected: "different CRL scope"
    },
    "one for users": {
      crls: (ca) => [crlOf(ca, { issuingDistributionPoint: { onlyContainsUserCerts: true } })],
      expected: "OK"
    },
    "a delta that revokes it": {
      crls: (ca, leaf) => [
        crlOf(ca, { number: 1n, extensions: [freshest] }),
        crlOf(ca, revoke(leaf, { number: 2n, deltaOf: 1n }))
      ],
      expected: "certificate revoked"
    },
    "a delta that releases it": {
      crls: (ca, leaf) => [
        crlOf(ca, { number: 1n, extensions: [freshest], revoked: [{ certificate: leaf.certificate, reason: "certificateHold" }] }), // prettier-ignore
        crlOf(ca, { number: 2n, deltaOf: 1n, revoked: [{ certificate: leaf.certificate, reason: "removeFromCRL" }] })
      ],
      expected: "OK"
    },
    "a critical extension that nobody knows": {
      crls: (ca) => [
        crlOf(ca, {
          extensions: [{ oid: ObjectIdentifier.make("1.2.3.4"), critical: true, value: Uint8Array.of(5, 0) }]
        })
      ],
      expected: "unhandled critical CRL extension"
    },
    "one for some reasons, another for the rest": {
      crls: (ca) => [
        crlOf(ca, { issuingDistributionPoint: { onlySomeReasons: new Set(["keyCompromise", "cACompromise"]) } }),
        crlOf(ca, {
          issuingDistributionPoint: {
            onlySomeReasons: new Set([
              "affiliationChanged",
              "superseded",
              "cessationOfOperation",
              "certificateHold",
              "privilegeWithdrawn",
              "aACompromise"
            ])
          }
        })
      ],
      expected: "OK"
    }
  }

  const codes: { readonly [openssl: string]: string } = {
    OK: "OK",
    "certificate revoked": "CERT_REVOKED",
    "CRL has expired": "CRL_HAS_EXPIRED",
    "CRL is not yet valid": "CRL_NOT_YET_VALID",
    "unable to get certificate CRL": "UNABLE_TO_GET_CRL",
    "different CRL scope": "UNABLE_TO_GET_CRL",
    "unhandled critical CRL extension": "UNABLE_TO_GET_CRL"
  }

  it.each(Object.entries(scenes))("judges as we do with %s", async (_, { crls, expected, leaf: options = {} }) => {
    const ca = await authority()
    const leaf = await leafOf(ca, options)
    const lists = await Promise.all(crls(ca, leaf))
    using shop = workshop()
    shop.write("ca", Certificate.toPem(ca.certificate))
    shop.write("leaf", Certificate.toPem(leaf.certificate))
    writeCrls(shop, lists)
    // `-CRLfile` reads no more than one CRL of a file; a trusted file may hold many.
    shop.write("trusted", `${Certificate.toPem(ca.certificate)}${CertificateRevocationLists.toPem(...lists)}`)
    const { output } = shop.attempt(
      ..."verify -crl_check -extended_crl -use_deltas -CAfile trusted -attime".split(" "),
      String(now / 1000),
      "leaf"
    )
    const theirs = /: OK$/m.test(output) ? "OK" : /error \d+ at \d+ depth lookup: (.*)/.exec(output)?.[1]
    assert.strictEqual(theirs, expected, output)
    const verifier = Verifier.webPki(TrustStore.fromCertificates([ca.certificate]), { revocation: { crls: lists } })
    const ours = await run(
      verifier
        .verify({
          role: "server",
          certificates: [leaf.certificate],
          serverName: Option.none(),
          signatureSchemes: SignatureScheme.registry.map(({ code }) => code),
          limits: Limits.defaults
        })
        .pipe(Effect.match({ onFailure: ({ code }) => code, onSuccess: () => "OK" }))
    )
    assert.strictEqual(ours, codes[expected])
  })

  it("checks a whole chain by them", async () => {
    const ca = await authority()
    const issuing = await run(CertificateBuilder.issueAuthority(ca, { subject: { CN: "Issuing" }, key: ec }))
    const leaf = await leafOf(issuing)
    using shop = workshop()
    shop.write("issuing", Certificate.toPem(issuing.certificate))
    shop.write("leaf", Certificate.toPem(leaf.certificate))
    const verify = async (...lists: ReadonlyArray<CertificateRevocationList>) => {
      shop.write("trusted", `${Certificate.toPem(ca.certificate)}${CertificateRevocationLists.toPem(...lists)}`)
      return shop.attempt(
        ..."verify -crl_check_all -CAfile trusted -untrusted issuing -attime".split(" "),
        String(now / 1000),
        "leaf"
      ).output
    }
    assert.include(await verify(await crlOf(ca), await crlOf(issuing)), "leaf: OK")
    const revoked = { revoked: [{ certificate: issuing.certificate, reason: "cACompromise" as const }] }
    assert.include(await verify(await crlOf(ca, revoked), await crlOf(issuing)), "1 depth lookup: certificate revoked")
  })
})

const hasCerttool = spawnSync("certtool", ["--version"]).status === 0
it.skipIf(!hasCerttool)("GnuTLS certtool verifies a CRL of ours", async () => {
  const ca = await authority()
  const leaf = await leafOf(ca)
  using shop = workshop()
  shop.write("ca", Certificate.toPem(ca.certificate))
  const verify = (list: CertificateRevocationList) => {
    writeCrls(shop, [list])
    return spawnSync("certtool", ["--verify-crl", "--load-ca-certificate=ca", "--infile=crls"], {
      cwd: shop.directory,
      encoding: "utf8"
    })
  }
  // certtool asks the machine's clock.
  const current = { thisUpdate: new Date(Date.now() - day), revoked: [{ certificate: leaf.certificate }] }
  const good = verify(await crlOf(ca, current))
  assert.strictEqual(good.status, 0, good.stdout + good.stderr)
  assert.include(good.stdout, "Verified")
  const other = await authority("CA")
  const bad = verify(await crlOf(other, current))
  assert.notInclude(bad.stdout, "Verification output: Verified")
})

const hasKeytool = spawnSync("keytool", ["-help"]).status === 0
it.skipIf(!hasKeytool)("Java's keytool reads a CRL of ours", async () => {
  const ca = await authority()
  const leaf = await leafOf(ca)
  using shop = workshop()
  writeCrls(shop, [
    await crlOf(ca, { number: 77n, revoked: [{ certificate: leaf.certificate, reason: "superseded" }] })
  ])
  const { status, stderr, stdout } = spawnSync("keytool", ["-printcrl", "-file", "crls"], {
    cwd: shop.directory,
    encoding: "utf8"
  })
  assert.strictEqual(status, 0, stdout + stderr)
  assert.include(stdout.toLowerCase().replace(/[:\s]/g, ""), leaf.certificate.serialNumber)
  assert.include(stdout, "CN=CA")
})
