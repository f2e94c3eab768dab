import { assert, describe, it } from "@effect/vitest"
import { assertLeft } from "@effect/vitest/utils"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import { X509Certificate } from "node:crypto"
import { rootCertificates } from "node:tls"
import type { DecodeError } from "../../src/schema/ByteReader.ts"
import * as Bytes from "../../src/schema/Bytes.ts"
import * as Certificate from "../../src/schema/Certificate.ts"
import * as CertificateExtension from "../../src/schema/CertificateExtension.ts"
import * as Der from "../../src/schema/Der.ts"
import * as DerString from "../../src/schema/DerString.ts"
import * as DistributionPoint from "../../src/schema/DistributionPoint.ts"
import * as GeneralNames from "../../src/schema/GeneralName.ts"
import * as ObjectIdentifier from "../../src/schema/ObjectIdentifier.ts"
import * as SignedCertificateTimestamp from "../../src/schema/SignedCertificateTimestamp.ts"
import { hasOpenssl, workshop } from "../support/openssl.ts"
import { content, text } from "./certificateArbitraries.ts"

const { oids } = ObjectIdentifier
const decode = Der.decode("Extension", CertificateExtension.read)

const withoutEncoding = ({
  critical: _critical,
  oid: _oid,
  value: _value,
  ...said
}: CertificateExtension.CertificateExtension) => said

describe("CertificateExtension", () => {
  it.prop(
    "read gives back what make was told",
    [content, FastCheck.option(FastCheck.boolean(), { nil: undefined })],
    ([said, critical]) => {
      const made = CertificateExtension.make(said, critical === undefined ? {} : { critical })
      const read = Either.getOrThrow(decode(CertificateExtension.encode(made)))
      assert.deepStrictEqual(withoutEncoding(read), said)
      assert.deepStrictEqual([read.oid, read.critical, read.value], [made.oid, made.critical, made.value])
      if (critical !== undefined) assert.strictEqual(made.critical, critical)
    },
    { fastCheck: { numRuns: 3000 } }
  )

  it("writes what Mozilla's roots have, byte for byte", () => {
    const tags = new Map<string, number>()
    for (const pem of rootCertificates) {
      const der = new Uint8Array(new X509Certificate(pem).raw)
      for (const extension of Either.getOrThrow(Certificate.decode(der)).extensions) {
        if (extension._tag === "Unknown") continue
        // One root writes the bit of decipherOnly out, as zero, which DER leaves out.
        if (extension._tag === "KeyUsage" && extension.value.at(-1) === 0) continue
        tags.set(extension._tag, (tags.get(extension._tag) ?? 0) + 1)
        assert.deepStrictEqual(
          CertificateExtension.make(withoutEncoding(extension) as CertificateExtension.Content).value,
          extension.value
        )
      }
    }
    assert.includeMembers(
      [...tags.keys()],
      ["BasicConstraints", "KeyUsage", "CertificatePolicies", "CrlDistributionPoints"]
    )
  })

  it("is critical where RFC 5280 has it so, unless told", () => {
    const critical = (said: CertificateExtension.Content) => CertificateExtension.make(said).critical
    assert.isTrue(critical({ _tag: "BasicConstraints", ca: true, pathLength: undefined }))
    assert.isTrue(critical({ _tag: "PrecertificatePoison" }))
    assert.isFalse(critical({ _tag: "OcspNoCheck" }))
    assert.isFalse(CertificateExtension.make({ _tag: "PrecertificatePoison" }, { critical: false }).critical)
  })

  it.skipIf(!hasOpenssl)("reads what OpenSSL writes", () => {
    using shop = workshop()
    shop.write(
      "config",
      `[req]
distinguished_name=dn
prompt=no
x509_extensions=v3
[dn]
CN=x
[v3]
certificatePolicies=1.2.3.4,@policy
policyMappings=critical,1.2.3.4:1.2.3.5
policyConstraints=inhibitPolicyMapping:1
crlDistributionPoints=full,relative
freshestCRL=URI:http://crl.example/delta.crl
subjectInfoAccess=caRepository;URI:http://ca.example/
authorityInfoAccess=caIssuers;URI:http://ca.example/ca.der
tlsfeature=status_request,status_request_v2
noCheck=ignored
[policy]
policyIdentifier=1.3.5.8
CPS.1=http://cps.example/
userNotice.1=@notice
[notice]
explicitText=UTF8:Grüße
organization=Example
noticeNumbers=1,300
[full]
fullname=URI:http://crl.example/a.crl,URI:ldap://crl.example/b
reasons=keyCompromise,CACompromise
CRLissuer=dirName:issuer
[relative]
relativename=rdn
[rdn]
CN=part one
[issuer]
CN=CRL issuer
`
    )
    shop.run(
      "req",
      "-x509",
      "-newkey",
      "ed25519",
      "-nodes",
      "-utf8",
      "-config",
      "config",
      "-keyout",
      "key",
      "-out",
      "cert"
    )
    const [certificate] = Either.getOrThrow(Certificate.fromPem(shop.text("cert")))
    assert.deepStrictEqual(certificate.extension("CertificatePolicies")?.policies, [
      { policy: ObjectIdentifier.make("1.2.3.4"), qualifiers: [] },
      {
        policy: ObjectIdentifier.make("1.3.5.8"),
        qualifiers: [
          { _tag: "Cps", uri: "http://cps.example/" },
          {
            _tag: "UserNotice",
            reference: { organization: { tag: Der.Tag.VisibleString, value: "Example" }, numbers: [1, 300] },
            text: { tag: Der.Tag.Utf8String, value: "Grüße" }
          }
        ]
      }
    ])
    assert.deepStrictEqual(certificate.extension("PolicyMappings")?.mappings, [
      { issuerDomainPolicy: ObjectIdentifier.make("1.2.3.4"), subjectDomainPolicy: ObjectIdentifier.make("1.2.3.5") }
    ])
    assert.isTrue(certificate.extension("PolicyMappings")?.critical)
    assert.strictEqual(certificate.extension("PolicyConstraints")?.inhibitPolicyMapping, 1)
    const [full, relative] = certificate.extension("CrlDistributionPoints")!.points
    assert.deepStrictEqual(DistributionPoint.uris([full!, relative!]), [
      "http://crl.example/a.crl",
      "ldap://crl.example/b"
    ])
    assert.deepStrictEqual([...full!.reasons!], ["keyCompromise", "cACompromise"])
    assert.deepStrictEqual(full!.crlIssuer?.map(GeneralNames.format), [`DirName:"CN=CRL issuer"`])
    assert.isUndefined(relative!.reasons)
    assert.deepStrictEqual(DistributionPoint.fullNames(relative!.name!, certificate.subject).map(GeneralNames.format), [
      `DirName:"CN=part one,CN=x"`
    ])
    assert.deepStrictEqual(DistributionPoint.uris(certificate.extension("FreshestCrl")!.points), [
      "http://crl.example/delta.crl"
    ])
    assert.deepStrictEqual(certificate.extension("SubjectInfoAccess")?.descriptions, [
      { method: oids.caRepository, location: { _tag: "Uri", value: "http://ca.example/" } }
    ])
    assert.deepStrictEqual(certificate.extension("TlsFeature")?.features, [5, 17])
    assert.strictEqual(certificate.extension("OcspNoCheck")?.critical, false)
  })

  it("reads the timestamps of a log", () => {
    const [version, logId, time] = [
      Uint8Array.of(0),
      new Uint8Array(32).fill(7),
      Uint8Array.of(0, 0, 1, 0x92, 0, 0, 0, 0)
    ]
    const sct = Bytes.concat([version, logId, time, Uint8Array.of(0, 0, 4, 3, 0, 2, 0xab, 0xcd)])
    const list = [0, 2 + sct.length + 3, 0, sct.length, ...sct, 0, 1, 9]
    const read = decode(
      Der.sequence(Der.oid(oids.signedCertificateTimestamps), Der.octetString(Der.octetString(Uint8Array.from(list))))
    )
    const extension = Either.getOrThrow(read) as { readonly timestamps: unknown }
    assert.deepStrictEqual(extension.timestamps, [
      {
        _tag: "Sct",
        logId: new Uint8Array(32).fill(7),
        timestamp: 0x192 * 2 ** 32,
        extensions: new Uint8Array(),
        algorithm: 0x0403,
        signature: Uint8Array.of(0xab, 0xcd)
      },
      { _tag: "Other", bytes: Uint8Array.of(9) }
    ])
    // A time beyond what a number holds exactly.
    const late = sct.slice()
    late[33] = 0xff
    assert.deepStrictEqual(
      Either.getOrThrow(
        SignedCertificateTimestamp.decodeList(Uint8Array.of(0, 2 + late.length, 0, late.length, ...late))
      ),
      [{ _tag: "Other", bytes: late }]
    )
  })

  const read = (type: ObjectIdentifier.ObjectIdentifier, ...value: ReadonlyArray<Uint8Array>) =>
    decode(Der.sequence(Der.oid(type), Der.octetString(...value)))
  const problemOf = (result: Either.Either<unknown, DecodeError>) =>
    Either.match(result, { onLeft: ({ problem }) => problem, onRight: () => "read" })
  const policy = Der.sequence(Der.oid(oids.anyPolicy))

  it.each<[string, ObjectIdentifier.ObjectIdentifier, Uint8Array, string]>([
    ["no policies", oids.certificatePolicies, Der.sequence(), "at least 1 item(s) expected, 0 found"],
    ["a policy twice", oids.certificatePolicies, Der.sequence(policy, policy), "the policy 2.5.29.32.0 twice"],
    [
      "an empty list of qualifiers",
      oids.certificatePolicies,
      Der.sequence(Der.sequence(Der.oid(oids.anyPolicy), Der.sequence())),
      "at least 1 item(s) expected, 0 found"
    ],
    ["no mappings", oids.policyMappings, Der.sequence(), "at least 1 item(s) expected, 0 found"],
    [
      "a mapping of three",
      oids.policyMappings,
      Der.sequence(Der.sequence(Der.oid(oids.cps), Der.oid(oids.cps), Der.oid(oids.cps))),
      "10 byte(s) too many"
    ],
    ["constraints of nothing", oids.policyConstraints, Der.sequence(), "policy constraints that constrain nothing"],
    ["no points", oids.cRLDistributionPoints, Der.sequence(), "at least 1 item(s) expected, 0 found"],
    [
      "a point of reasons",
      oids.freshestCRL,
      Der.sequence(Der.sequence(Der.bitString(Uint8Array.of(0x40), 6).with(0, 0x81))),
      "a distribution point that names neither place nor issuer"
    ],
    [
      "a point of an empty name",
      oids.cRLDistributionPoints,
      Der.sequence(Der.sequence(Der.value(0xa0, Der.value(0xa0)))),
      "at least 1 item(s) expected, 0 found"
    ],
    [
      "a point of two names",
      oids.cRLDistributionPoints,
      Der.sequence(Der.sequence(Der.value(0xa0, Der.value(0xa0, Der.value(0x82)), Der.value(0xa0, Der.value(0x82))))),
      "4 byte(s) too many"
    ],
    ["no access", oids.subjectInfoAccess, Der.sequence(), "at least 1 item(s) expected, 0 found"],
    ["no attributes", oids.subjectDirectoryAttributes, Der.sequence(), "at least 1 item(s) expected, 0 found"],
    [
      "an attribute of no value",
      oids.subjectDirectoryAttributes,
      Der.sequence(Der.sequence(Der.oid(oids.cps), Der.setOf())),
      "at least 1 item(s) expected, 0 found"
    ],
    [
      "attribute values out of order",
      oids.subjectDirectoryAttributes,
      Der.sequence(Der.sequence(Der.oid(oids.cps), Der.value(Der.Tag.Set, Der.integer(2), Der.integer(1)))),
      "a SET that is not in order"
    ],
    ["no features", oids.tlsFeature, Der.sequence(), "at least 1 item(s) expected, 0 found"],
    ["a poison that is not NULL", oids.precertificatePoison, Uint8Array.of(5, 1, 0), "a NULL with content"],
    ["a nocheck that is not NULL", oids.ocspNoCheck, Der.boolean(true), "Null expected, Boolean found"],
    ["more after a NULL", oids.ocspNoCheck, Uint8Array.of(5, 0, 0), "1 byte(s) too many"],
    [
      "an empty list of timestamps",
      oids.signedCertificateTimestamps,
      Der.octetString(Uint8Array.of(0, 0)),
      "a vector of 0 byte(s), at least 1 expected"
    ],
    [
      "timestamps that are cut off",
      oids.signedCertificateTimestamps,
      Der.octetString(Uint8Array.of(0, 5, 0, 9, 0)),
      "5 byte(s) expected, 3 left"
    ],
    [
      "more after the timestamps",
      oids.signedCertificateTimestamps,
      Der.octetString(Uint8Array.of(0, 3, 0, 1, 0, 0)),
      "1 byte(s) too many"
    ],
    ["a negative skip", oids.inhibitAnyPolicy, Uint8Array.of(2, 1, 0xff), "a negative INTEGER"],
    ["a huge skip", oids.inhibitAnyPolicy, Der.integer(new Uint8Array(1000).fill(1)), "an INTEGER that is too large"]
  ])("refuses %s", (_, type, value, problem) => {
    assert.strictEqual(problemOf(read(type, value)), problem)
  })

  it("keeps a qualifier that is not as RFC 5280 has it", () => {
    const damaged = Der.octetString(Uint8Array.of(1))
    for (const type of [oids.cps, oids.userNotice]) {
      const qualifiers = Der.sequence(Der.sequence(Der.oid(type), damaged))
      const extension = Either.getOrThrow(
        read(oids.certificatePolicies, Der.sequence(Der.sequence(Der.oid(oids.anyPolicy), qualifiers)))
      )
      assert.deepStrictEqual(withoutEncoding(extension), {
        _tag: "CertificatePolicies",
        policies: [{ policy: oids.anyPolicy, qualifiers: [{ _tag: "Other", oid: type, value: damaged }] }]
      })
    }
  })

  it("keeps an extension it does not know, and its place", () => {
    const type = ObjectIdentifier.make("1.2.3.4")
    const extension = Der.sequence(Der.oid(type), Der.boolean(true), Der.octetString(Uint8Array.of(1, 2)))
    const unknown = Either.getOrThrow(decode(extension))
    assert.deepStrictEqual(unknown, { _tag: "Unknown", oid: type, critical: true, value: Uint8Array.of(1, 2) })
    assert.deepStrictEqual(CertificateExtension.encode(unknown), extension)
    const error = decode(Der.sequence(Der.oid(oids.tlsFeature), Der.octetString(Der.nullValue())))
    assertLeft(
      Either.mapLeft(error, ({ at, what }) => [what, at]),
      ["Extension", 14]
    )
  })
})

describe("DerString", () => {
  it.prop("survives a round trip", [text], ([said]) => {
    assert.deepStrictEqual(Either.getOrThrow(Der.decode("text", DerString.read)(DerString.encode(said))), said)
  })

  it("has no halves of pairs, and nothing that is no string", () => {
    const problemOf = (der: Uint8Array) =>
      Either.match(Der.decode("text", DerString.read)(der), { onLeft: ({ problem }) => problem, onRight: String })
    assert.strictEqual(
      problemOf(Der.value(Der.Tag.UniversalString, Uint8Array.of(0, 0, 0xd8, 0))),
      "a UniversalString with something that is no character"
    )
    assert.strictEqual(problemOf(Der.integer(1)), "a character string expected")
    assert.strictEqual(Bytes.toHex(DerString.encode({ tag: Der.Tag.BmpString, value: "あ" })), "1e023042")
  })
})
