import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Equal from "effect/Equal"
import * as FastCheck from "effect/FastCheck"
import * as Hash from "effect/Hash"
import * as Schema from "effect/Schema"
import { spawnSync } from "node:child_process"
import { inspect } from "node:util"
import * as AlgorithmIdentifier from "../../src/schema/AlgorithmIdentifier.ts"
import type { DecodeError } from "../../src/schema/ByteReader.ts"
import * as Bytes from "../../src/schema/Bytes.ts"
import type { Raw } from "../../src/schema/CertificateExtension.ts"
import * as CertificateExtension from "../../src/schema/CertificateExtension.ts"
import * as CertificateRevocationList from "../../src/schema/CertificateRevocationList.ts"
import * as CrlExtension from "../../src/schema/CrlExtension.ts"
import * as Der from "../../src/schema/Der.ts"
import * as DistinguishedName from "../../src/schema/DistinguishedName.ts"
import type { ReasonFlag } from "../../src/schema/DistributionPoint.ts"
import * as GeneralName from "../../src/schema/GeneralName.ts"
import * as Limits from "../../src/schema/Limits.ts"
import * as ObjectIdentifier from "../../src/schema/ObjectIdentifier.ts"
import * as Pem from "../../src/schema/Pem.ts"
import { hasOpenssl, workshop } from "../support/openssl.ts"
import { mutate, random } from "./arbitraries.ts"
import * as crlArbitraries from "./crlArbitraries.ts"

const { oids } = ObjectIdentifier
const hasCerttool = spawnSync("certtool", ["--version"]).status === 0

// ---------------------------------------------------------------------------------------------------------------------
// A CRL out of parts, each of which a test can replace. Its signature is nothing.
// ---------------------------------------------------------------------------------------------------------------------

const algorithm = AlgorithmIdentifier.encode({ _tag: "Ecdsa", hash: "SHA-256" })
const nameOf = (text: string) => DistinguishedName.fromAttributes([[oids.commonName, text]])
const issuer = nameOf("issuer")
const from = Date.UTC(2024, 0, 1)
const to = Date.UTC(2024, 0, 8)

const entry = (serial: number, ...extensions: ReadonlyArray<Raw>): Uint8Array =>
  Der.sequence(
    Der.integer(serial),
    Der.time(from),
    ...(extensions.length === 0 ? [] : [Der.sequence(...extensions.map(CertificateExtension.encode))])
  )

const parts = {
  version: [Der.integer(1)] as ReadonlyArray<Uint8Array>,
  innerAlgorithm: algorithm,
  issuer: issuer.der,
  thisUpdate: Der.time(from),
  nextUpdate: [Der.time(to)] as ReadonlyArray<Uint8Array>,
  entries: [Der.sequence(entry(1), entry(2))] as ReadonlyArray<Uint8Array>,
  extensions: [] as ReadonlyArray<Raw>,
  afterExtensions: [] as ReadonlyArray<Uint8Array>,
  outerAlgorithm: algorithm,
  signature: Der.bitString(Uint8Array.of(1, 2, 3))
}
const assemble = (changes: Partial<typeof parts> = {}): Uint8Array => {
  const p = { ...parts, ...changes }
  const tbs = Der.sequence(
    ...p.version,
    p.innerAlgorithm,
    p.issuer,
    p.thisUpdate,
    ...p.nextUpdate,
    ...p.entries,
    ...(p.extensions.length === 0
      ? []
      : [Der.value(0xa0, Der.sequence(...p.extensions.map(CertificateExtension.encode)))]),
    ...p.afterExtensions
  )
  return Der.sequence(tbs, p.outerAlgorithm, p.signature)
}
const decoded = (changes: Partial<typeof parts> = {}) =>
  Either.getOrThrow(CertificateRevocationList.decode(assemble(changes)))

const problemOf = (result: Either.Either<unknown, DecodeError>): string =>
  Either.match(result, { onLeft: ({ problem }) => problem, onRight: () => "decoded" })

const raw = (oid: ObjectIdentifier.ObjectIdentifier, value: Uint8Array, critical = false): Raw => ({
  oid,
  critical,
  value
})
const uri = (value: string): GeneralName.GeneralName => ({ _tag: "Uri", value })
const strange = ObjectIdentifier.make("1.2.3.4.5")

describe("CertificateRevocationList", () => {
  it("reads a CRL of nothing but what it must have", () => {
    const list = decoded({ version: [], nextUpdate: [], entries: [] })
    assert.strictEqual(list.version, 1)
    assert.isTrue(list.issuer.equals(issuer))
    assert.strictEqual(list.thisUpdate.getTime(), from)
    assert.isUndefined(list.nextUpdate)
    assert.strictEqual(list.size, 0)
    assert.deepStrictEqual(list.revoked, [])
    assert.isUndefined(list.find(Uint8Array.of(1)))
    assert.deepStrictEqual(list.signatureAlgorithm.algorithm, { _tag: "Ecdsa", hash: "SHA-256" })
    assert.deepStrictEqual(list.signature, Uint8Array.of(1, 2, 3))
    assert.deepStrictEqual(list.tbs, list.der.subarray(2, 2 + list.tbs.length))
    assert.strictEqual(list.tbs[0], Der.Tag.Sequence)
  })

  it("reads every extension of a CRL", () => {
    const list = decoded({
      extensions: [
        CrlExtension.encodeCrlNumber(2n ** 159n),
        CrlExtension.encodeDeltaCrlIndicator(0n),
        CrlExtension.encodeIssuingDistributionPoint({
          name: { _tag: "FullName", names: [uri("http://crl.example/")] },
          onlyContainsCaCerts: true,
          onlySomeReasons: new Set(["keyCompromise", "aACompromise"]),
          indirectCrl: true
        }),
        CertificateExtension.encodeAuthorityKeyIdentifier(Uint8Array.of(7)),
        CertificateExtension.make({
          _tag: "FreshestCrl",
          points: [
            {
              name: { _tag: "FullName", names: [uri("http://delta.example/")] },
              reasons: undefined,
              crlIssuer: undefined
            }
          ]
        }),
        CertificateExtension.make({ _tag: "IssuerAltName", names: [uri("http://ca.example/")] }),
        CertificateExtension.make({
          _tag: "AuthorityInfoAccess",
          descriptions: [{ method: oids.caIssuers, location: uri("http://ca.example/ca.crt") }]
        }),
        // Known of certificates, and nothing of a CRL.
        raw(oids.keyUsage, Uint8Array.of(9, 9)),
        raw(strange, Uint8Array.of(5, 0), true)
      ]
    })
    assert.strictEqual(list.number, 2n ** 159n)
    assert.strictEqual(list.baseNumber, 0n)
    assert.deepInclude(list.issuingDistributionPoint, {
      name: { _tag: "FullName", names: [uri("http://crl.example/")] },
      onlyContainsUserCerts: false,
      onlyContainsCaCerts: true,
      onlyContainsAttributeCerts: false,
      onlySomeReasons: new Set<ReasonFlag>(["keyCompromise", "aACompromise"]),
      indirectCrl: true
    })
    assert.deepStrictEqual(list.authorityKeyIdentifier?.keyIdentifier, Uint8Array.of(7))
    assert.deepStrictEqual(list.extension("FreshestCrl")?.points[0]?.name, {
      _tag: "FullName",
      names: [uri("http://delta.example/")]
    })
    assert.deepStrictEqual(list.extension("IssuerAltName")?.names, [uri("http://ca.example/")])
    assert.deepStrictEqual(list.extension("AuthorityInfoAccess")?.descriptions, [
      { method: oids.caIssuers, location: uri("http://ca.example/ca.crt") }
    ])
    assert.deepInclude(list.extensionByOid(oids.keyUsage), { _tag: "Unknown", value: Uint8Array.of(9, 9) })
    assert.deepInclude(list.extensionByOid(strange), { _tag: "Unknown", critical: true, value: Uint8Array.of(5, 0) })
    assert.deepStrictEqual(list.unknownCriticalExtensions, [strange])
  })

  it("reads every extension of an entry, and carries the certificates' issuer on", () => {
    const other = nameOf("other")
    const directory = (name: DistinguishedName.DistinguishedName): GeneralName.GeneralName => ({
      _tag: "DirectoryName",
      name
    })
    const list = decoded({
      entries: [
        Der.sequence(
          entry(1),
          entry(
            2,
            CrlExtension.encodeReasonCode("keyCompromise"),
            CrlExtension.encodeInvalidityDate(from - 1000),
            CrlExtension.encodeCertificateIssuer([uri("http://other.example/"), directory(other)])
          ),
          entry(3, raw(strange, Uint8Array.of(5, 0), true)),
          entry(1, CrlExtension.encodeReasonCode("certificateHold")),
          entry(4, CrlExtension.encodeCertificateIssuer([directory(issuer)]))
        )
      ]
    })
    assert.strictEqual(list.size, 5)
    assert.deepStrictEqual(
      list.revoked.map(({ certificateIssuer, invalidityDate, reason, serialNumber }) => [
        serialNumber,
        reason,
        invalidityDate?.getTime(),
        certificateIssuer?.map(GeneralName.format).join()
      ]),
      [
        ["1", undefined, undefined, undefined],
        ["2", "keyCompromise", from - 1000, "URI:http://other.example/,DirName:CN=other"],
        ["3", undefined, undefined, "URI:http://other.example/,DirName:CN=other"],
        ["1", "certificateHold", undefined, "URI:http://other.example/,DirName:CN=other"],
        ["4", undefined, undefined, "DirName:CN=issuer"]
      ]
    )
    assert.deepStrictEqual(list.unknownCriticalExtensions, [strange])
    const find = (serial: number, name?: DistinguishedName.DistinguishedName) => list.find(Uint8Array.of(serial), name)
    assert.deepStrictEqual(find(1)?.reason, undefined)
    assert.strictEqual(find(1)?.serialNumber, "1")
    assert.strictEqual(find(1, other)?.reason, "certificateHold")
    assert.strictEqual(find(2, other)?.reason, "keyCompromise")
    assert.deepStrictEqual(find(2, other)?.certificateIssuer, [directory(other)])
    assert.isUndefined(find(2))
    assert.isUndefined(find(3))
    assert.isDefined(find(3, nameOf("OTHER")))
    assert.isDefined(find(4))
    assert.isUndefined(find(4, other))
    assert.isUndefined(find(1, nameOf("third")))
  })

  it("notes no more kinds of extensions than a message could name", () => {
    const many = Array.from({ length: 20 }, (_, n) =>
      raw(ObjectIdentifier.make(`1.2.3.4.${n}`), new Uint8Array(0), true)
    )
    const list = decoded({ entries: [Der.sequence(entry(1, ...many.slice(0, 10)))], extensions: many.slice(5) })
    assert.deepStrictEqual(
      list.unknownCriticalExtensions,
      many.slice(0, 16).map(({ oid }) => oid)
    )
  })

  it("finds what revokes a certificate, where a CRL has it twice", () => {
    const removal = entry(1, CrlExtension.encodeReasonCode("removeFromCRL"))
    const hold = entry(1, CrlExtension.encodeReasonCode("certificateHold"))
    for (const entries of [
      [removal, hold],
      [hold, removal]
    ]) {
      assert.strictEqual(
        decoded({ entries: [Der.sequence(...entries)] }).find(Uint8Array.of(1))?.reason,
        "certificateHold"
      )
    }
    assert.strictEqual(decoded({ entries: [Der.sequence(removal)] }).find(Uint8Array.of(1))?.reason, "removeFromCRL")
  })

  it("prints serial numbers of every sign", () => {
    const serials = [Uint8Array.of(0), Uint8Array.of(0, 0xff, 0), Uint8Array.of(0xff), Uint8Array.of(0x80, 0)]
    const list = decoded({
      entries: [
        Der.sequence(...serials.map((serial) => Der.sequence(Der.value(Der.Tag.Integer, serial), Der.time(from))))
      ]
    })
    assert.deepStrictEqual(
      list.revoked.map(({ serialNumber }) => serialNumber),
      ["0", "ff00", "-1", "-8000"]
    )
  })

  it("takes dates in either form, and an empty list of entries", () => {
    const early = Der.ascii("20240101000000Z", Der.Tag.GeneralizedTime)
    const list = decoded({ thisUpdate: early, nextUpdate: [Der.time(Date.UTC(2060, 0))], entries: [Der.sequence()] })
    assert.strictEqual(list.thisUpdate.getTime(), from)
    assert.strictEqual(list.nextUpdate?.getTime(), Date.UTC(2060, 0))
    assert.strictEqual(list.size, 0)
  })

  it("is current from its first second to the end of its last", () => {
    const list = decoded()
    assert.deepStrictEqual(
      [from - 1, from, to, to + 999, to + 1000].map((time) => list.isCurrentAt(time)),
      [false, true, true, true, false]
    )
    assert.isFalse(decoded({ nextUpdate: [] }).isCurrentAt(from))
  })

  it.each<[string, Partial<typeof parts>, string]>([
    ["version 1 written out", { version: [Der.integer(0)] }, "version 1 written out"],
    ["version 3", { version: [Der.integer(2)] }, "version 3"],
    ["nobody's", { issuer: Der.sequence() }, "an issuer without a name"],
    [
      "two algorithms",
      { outerAlgorithm: AlgorithmIdentifier.encode({ _tag: "Ed25519" }) },
      "two signature algorithms that differ"
    ],
    [
      "extensions in version 1",
      { version: [], extensions: [CrlExtension.encodeCrlNumber(1n)] },
      "extensions in version 1"
    ],
    [
      "an entry with extensions in version 1",
      { version: [], entries: [Der.sequence(entry(1, CrlExtension.encodeReasonCode("superseded")))] },
      "an entry with extensions in version 1"
    ],
    [
      "an extension twice",
      { extensions: [CrlExtension.encodeCrlNumber(1n), CrlExtension.encodeCrlNumber(2n)] },
      "the extension 2.5.29.20 twice"
    ],
    [
      "an extension of an entry twice",
      {
        entries: [
          Der.sequence(
            entry(1, CrlExtension.encodeReasonCode("superseded"), CrlExtension.encodeReasonCode("superseded"))
          )
        ]
      },
      "the extension 2.5.29.21 twice"
    ],
    [
      "an entry with no extensions",
      { entries: [Der.sequence(Der.sequence(Der.integer(1), Der.time(from), Der.sequence()))] },
      "at least 1 item(s) expected, 0 found"
    ],
    [
      "extensions that are none",
      { afterExtensions: [Der.value(0xa0, Der.sequence())] },
      "at least 1 item(s) expected, 0 found"
    ],
    [
      "more after the extensions",
      { extensions: [CrlExtension.encodeCrlNumber(1n)], afterExtensions: [Der.nullValue()] },
      "2 byte(s) too many"
    ],
    [
      "an entry with more than that",
      {
        entries: [
          Der.sequence(
            Der.sequence(
              Der.integer(1),
              Der.time(from),
              Der.sequence(CertificateExtension.encode(CrlExtension.encodeReasonCode("superseded"))),
              Der.nullValue()
            )
          )
        ]
      },
      "2 byte(s) too many"
    ],
    [
      "a serial number that is not minimal",
      { entries: [Der.sequence(Der.sequence(Uint8Array.of(2, 2, 0, 1), Der.time(from)))] },
      "an INTEGER that is not minimal"
    ],
    [
      "a local time",
      { thisUpdate: Der.ascii("2401010000Z", Der.Tag.UtcTime) },
      "a time that is not written as years to seconds and Z"
    ],
    ["a signature of bits", { signature: Der.bitString(Uint8Array.of(2), 1) }, "a BIT STRING that is not whole bytes"]
  ])("refuses %s", (_, changes, problem) => {
    assert.strictEqual(problemOf(CertificateRevocationList.decode(assemble(changes))), problem)
  })

  it.each<[string, ObjectIdentifier.ObjectIdentifier, Uint8Array, string]>([
    ["a negative number", oids.cRLNumber, Uint8Array.of(2, 1, 0x80), "a negative INTEGER"],
    ["a number of 21 bytes", oids.cRLNumber, Der.integer(new Uint8Array(21).fill(1)), "a CRL number of 21 bytes"],
    ["more after a number", oids.cRLNumber, Bytes.concat([Der.integer(1), Uint8Array.of(0)]), "1 byte(s) too many"],
    ["an indicator of no delta", oids.deltaCRLIndicator, Der.nullValue(), "Integer expected, Null found"],
    [
      "a distribution point of nothing",
      oids.issuingDistributionPoint,
      Der.sequence(),
      "an issuing distribution point that says nothing"
    ],
    [
      "a FALSE written out",
      oids.issuingDistributionPoint,
      Der.sequence(Der.value(0x81, Uint8Array.of(0))),
      "a FALSE written out, which DER leaves out"
    ],
    [
      "users' and authorities' certificates only",
      oids.issuingDistributionPoint,
      Der.sequence(Der.value(0x81, Uint8Array.of(0xff)), Der.value(0x82, Uint8Array.of(0xff))),
      "an issuing distribution point for certificates of two kinds only"
    ],
    [
      "fields out of order",
      oids.issuingDistributionPoint,
      Der.sequence(Der.value(0x84, Uint8Array.of(0xff)), Der.value(0x81, Uint8Array.of(0xff))),
      "3 byte(s) too many"
    ]
  ])("refuses %s", (_, oid, value, problem) => {
    assert.strictEqual(
      problemOf(CertificateRevocationList.decode(assemble({ extensions: [raw(oid, value)] }))),
      problem
    )
  })

  it.each<[string, ObjectIdentifier.ObjectIdentifier, Uint8Array, string]>([
    [
      "a reason that is not used",
      oids.reasonCode,
      Der.value(Der.Tag.Enumerated, Uint8Array.of(7)),
      "a reason code of 7"
    ],
    [
      "a reason beyond the last",
      oids.reasonCode,
      Der.value(Der.Tag.Enumerated, Uint8Array.of(11)),
      "a reason code of 11"
    ],
    [
      "an invalidity date as UTCTime",
      oids.invalidityDate,
      Der.time(from),
      "an invalidity date that is no GeneralizedTime"
    ],
    ["an issuer of nobody", oids.certificateIssuer, Der.sequence(), "at least 1 item(s) expected, 0 found"]
  ])("refuses %s", (_, oid, value, problem) => {
    const entries = [Der.sequence(entry(1, raw(oid, value)))]
    assert.strictEqual(problemOf(CertificateRevocationList.decode(assemble({ entries }))), problem)
  })

  it("is bounded", () => {
    const der = assemble()
    const limits = (revocationList: number) => ({ limits: { revocationList } })
    assert.isTrue(Either.isRight(CertificateRevocationList.decode(der, limits(der.length))))
    assert.strictEqual(
      problemOf(CertificateRevocationList.decode(der, limits(der.length - 1))),
      `${der.length} bytes, the limit \`revocationList\` is ${der.length - 1}`
    )
    assert.include(
      problemOf(CertificateRevocationList.decode(new Uint8Array(Limits.defaults.revocationList + 1))),
      "the limit `revocationList` is 33554432"
    )
    const pem = Pem.format("X509 CRL", der)
    assert.isTrue(Either.isLeft(CertificateRevocationList.fromPem(pem, limits(10))))
    assert.isTrue(Either.isLeft(CertificateRevocationList.fromBytes(der, limits(10))))
  })

  it("of 100,000 entries takes no time to speak of, and to look one up none at all", () => {
    const entries = Array.from({ length: 100_000 }, (_, i) =>
      i % 2 === 0 ? entry(2 ** 40 + i) : entry(2 ** 40 + i, CrlExtension.encodeReasonCode("superseded"))
    )
    const der = assemble({ entries: [Der.sequence(Bytes.concat(entries))] })
    const start = performance.now()
    const list = Either.getOrThrow(CertificateRevocationList.decode(der))
    assert.strictEqual(list.size, 100_000)
    const serialOf = (i: number) => Der.integer(2 ** 40 + i).subarray(2)
    assert.strictEqual(list.find(serialOf(99_999))?.reason, "superseded")
    const indexed = performance.now()
    // Were it linear, this would be a thousand million entries read.
    for (let i = 0; i < 10_000; i++) {
      assert(list.find(serialOf(i * 10)) !== undefined && list.find(serialOf(100_000 + i)) === undefined)
    }
    assert.isBelow(indexed - start, 5000)
    assert.isBelow(performance.now() - indexed, 5000)
  })

  it("is equal by content and keeps nothing of the input", () => {
    const input = assemble()
    const a = Either.getOrThrow(CertificateRevocationList.decode(input))
    const b = Either.getOrThrow(CertificateRevocationList.decode(input))
    input.fill(0)
    assert.isTrue(Equal.equals(a, b))
    assert.strictEqual(Hash.hash(a), Hash.hash(b))
    assert.isFalse(Equal.equals(a, decoded({ entries: [] })))
  })

  it("goes through its schemas both ways", () => {
    const der = assemble()
    const list = Schema.decodeSync(CertificateRevocationList.CertificateRevocationListFromDer)(der)
    assert.deepStrictEqual(Schema.encodeSync(CertificateRevocationList.CertificateRevocationListFromDer)(list), der)
    const Lists = CertificateRevocationList.CertificateRevocationListsFromPem
    const pem = Schema.encodeSync(Lists)([list])
    assert.include(pem, "-----BEGIN X509 CRL-----")
    const certificate = Pem.format("CERTIFICATE", Uint8Array.of(1))
    const both = Schema.decodeSync(Lists)(`text\r\n${certificate}${pem}${pem}`.replaceAll("\n", "\r\n"))
    assert.isTrue(both.length === 2 && both.every((one) => Equal.equals(one, list)))
    const errorOf = (text: string) => Either.getOrThrow(Either.flip(Schema.decodeEither(Lists)(text))).message
    assert.include(errorOf(certificate), "it holds a certificate, a certificate revocation list is needed")
    assert.include(errorOf(pem + Pem.format("X509 CRL", der.subarray(1))), "CRL 2 of the PEM text is damaged")
    assert.include(errorOf(""), "it holds no PEM block, a certificate revocation list is needed")
  })

  it("prints and serialises for people", () => {
    const list = decoded({
      entries: [Der.sequence(entry(0xab, CrlExtension.encodeReasonCode("superseded")))],
      extensions: [CrlExtension.encodeCrlNumber(5n)]
    })
    assert.strictEqual(
      String(list),
      `CertificateRevocationList(CRL number 5 of "CN=issuer", 2024-01-01T00:00:00.000Z to 2024-01-08T00:00:00.000Z, 1 revoked)`
    )
    assert.deepStrictEqual(JSON.parse(JSON.stringify(list)), {
      _id: "CertificateRevocationList",
      version: 2,
      issuer: "CN=issuer",
      thisUpdate: "2024-01-01T00:00:00.000Z",
      nextUpdate: "2024-01-08T00:00:00.000Z",
      number: "5",
      extensions: ["cRLNumber"],
      signatureAlgorithm: "ecdsaWithSha256",
      revoked: [{ serialNumber: "ab", revocationDate: "2024-01-01T00:00:00.000Z", reason: "superseded" }]
    })
    const seen = inspect(list)
    assert.include(seen, "size: 1")
    assert.notInclude(seen, "superseded")
    assert.include(decoded({ issuer: nameOf("x".repeat(1000)).der }).label, `${"x".repeat(196)}…"`)
  })

  const everything = assemble({
    entries: [
      Der.sequence(
        entry(1, CrlExtension.encodeReasonCode("keyCompromise"), CrlExtension.encodeInvalidityDate(from)),
        entry(2, CrlExtension.encodeCertificateIssuer([{ _tag: "DirectoryName", name: nameOf("other") }])),
        entry(3)
      )
    ],
    extensions: [
      CrlExtension.encodeCrlNumber(7n),
      CrlExtension.encodeDeltaCrlIndicator(5n),
      CrlExtension.encodeIssuingDistributionPoint({
        name: { _tag: "FullName", names: [uri("http://crl.example/")] },
        onlySomeReasons: new Set(["keyCompromise"]),
        indirectCrl: true
      }),
      CertificateExtension.encodeAuthorityKeyIdentifier(Uint8Array.of(7))
    ]
  })
  it("mutated is a CRL or a typed error, in bounded time, and a CRL can be shown and asked", () => {
    const next = random(5280)
    let survived = 0
    for (let run = 0; run < 5000; run++) {
      const result = CertificateRevocationList.decode(mutate(everything, next))
      if (Either.isLeft(result)) {
        assert.strictEqual(result.left._tag, "DecodeError")
        continue
      }
      survived++
      const list = result.right
      assert.isString(String(list) + JSON.stringify(list))
      for (const { certificateIssuer, serial } of list.revoked) {
        const name = certificateIssuer?.find(({ _tag }) => _tag === "DirectoryName")
        if (certificateIssuer === undefined || name?._tag === "DirectoryName") {
          assert.isDefined(name?._tag === "DirectoryName" ? list.find(serial, name.name) : list.find(serial))
        }
      }
    }
    assert.isAbove(survived, 50)
  })
  it.prop("of any parts has these parts, and each entry is found by its issuer", [crlArbitraries.parts], ([said]) => {
    const list = Either.getOrThrow(CertificateRevocationList.decode(crlArbitraries.assemble(said)))
    const revoked: Array<crlArbitraries.Entry> = []
    for (const one of said.entries) revoked.push({ ...one, issuer: one.issuer ?? revoked.at(-1)?.issuer })
    assert.isTrue(list.issuer.equals(crlArbitraries.nameOf(said.issuer)))
    assert.strictEqual(list.thisUpdate.getTime(), said.thisUpdate)
    assert.strictEqual(list.nextUpdate?.getTime(), said.nextUpdate)
    assert.strictEqual(list.number, said.number)
    assert.strictEqual(list.baseNumber, said.base)
    assert.deepStrictEqual(list.unknownCriticalExtensions, said.unknown?.critical === true ? [said.unknown.oid] : [])
    if (said.point === undefined) assert.isUndefined(list.issuingDistributionPoint)
    else assert.deepInclude(list.issuingDistributionPoint, said.point)
    assert.deepStrictEqual(
      list.revoked.map(({ certificateIssuer, invalidityDate, reason, revocationDate, serial }) => [
        Bytes.toHex(serial),
        revocationDate.getTime(),
        reason,
        invalidityDate?.getTime(),
        certificateIssuer?.map(GeneralName.format).join()
      ]),
      revoked.map((one) => [
        Bytes.toHex(one.serial),
        one.date,
        one.reason,
        one.invalidityDate,
        one.issuer && GeneralName.format({ _tag: "DirectoryName", name: crlArbitraries.nameOf(one.issuer) })
      ])
    )
    for (const { issuer: who = said.issuer, serial } of revoked) {
      assert.deepStrictEqual(list.find(serial, crlArbitraries.nameOf(who))?.serial, serial)
    }
    assert.isUndefined(list.find(Uint8Array.of(1), crlArbitraries.nameOf("nobody")))
  })
  it.prop("any bytes are no CRL", [FastCheck.uint8Array({ maxLength: 300 })], ([bytes]) => {
    assert.isTrue(Either.isLeft(CertificateRevocationList.decode(bytes)))
  })
})

// ---------------------------------------------------------------------------------------------------------------------
// Others' CRLs
// ---------------------------------------------------------------------------------------------------------------------

describe("CertificateRevocationList reads what others write", () => {
  it.skipIf(!hasOpenssl)("OpenSSL", () => {
    using shop = workshop()
    shop.write(
      "config",
      `[ca]
default_ca=own
[own]
database=index
crlnumber=number
default_md=sha256
crl_extensions=ext
[ext]
authorityKeyIdentifier=keyid:always,issuer:always
issuerAltName=URI:http://ca.example/
issuingDistributionPoint=critical,@idp
freshestCRL=URI:http://delta.example/
[idp]
fullname=URI:http://crl.example/
onlyuser=TRUE
onlysomereasons=keyCompromise,CACompromise
indirectCRL=TRUE
`
    )
    shop.write(
      "index",
      [
        ["240102030405Z,keyCompromise", "0A"],
        ["240102030406Z,keyTime,20240101000000Z", "FEDCBA9876543210"],
        ["240102030407Z,holdInstruction,holdInstructionReject", "0C"],
        ["240102030408Z", "0D"]
      ]
        .map(([revoked, serial], i) => `R\t300101000000Z\t${revoked}\t${serial}\tunknown\t/CN=leaf${i}\n`)
        .join("")
    )
    shop.write("number", "1000\n")
    shop.run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/O=Example/CN=CA", "-keyout", "key", "-out", "ca") // prettier-ignore
    shop.run("ca", "-config", "config", "-gencrl", "-cert", "ca", "-keyfile", "key", "-crl_lastupdate", "20240101000000Z", "-crl_nextupdate", "20550101000000Z", "-out", "crl") // prettier-ignore
    const [list] = Either.getOrThrow(CertificateRevocationList.fromPem(shop.text("crl")))
    assert.strictEqual(list.issuer.toString(), "CN=CA,O=Example")
    assert.strictEqual(list.thisUpdate.toISOString(), "2024-01-01T00:00:00.000Z")
    assert.strictEqual(list.nextUpdate?.toISOString(), "2055-01-01T00:00:00.000Z")
    assert.strictEqual(list.number, 0x1000n)
    assert.deepStrictEqual(list.unknownCriticalExtensions, [])
    assert.deepInclude(list.issuingDistributionPoint, {
      name: { _tag: "FullName", names: [uri("http://crl.example/")] },
      onlyContainsUserCerts: true,
      onlySomeReasons: new Set<ReasonFlag>(["keyCompromise", "cACompromise"]),
      indirectCrl: true
    })
    assert.isDefined(list.authorityKeyIdentifier?.serialNumber)
    assert.isDefined(list.extension("FreshestCrl"))
    assert.deepStrictEqual(
      list.revoked.map(({ extensions, invalidityDate, reason, revocationDate, serialNumber }) => [
        serialNumber,
        revocationDate.toISOString(),
        reason,
        invalidityDate?.toISOString(),
        extensions.map(({ oid }) => ObjectIdentifier.name(oid)).join()
      ]),
      [
        ["a", "2024-01-02T03:04:05.000Z", "keyCompromise", undefined, "reasonCode"],
        ["c", "2024-01-02T03:04:07.000Z", "certificateHold", undefined, "reasonCode,holdInstructionCode"],
        ["d", "2024-01-02T03:04:08.000Z", undefined, undefined, ""],
        [
          "fedcba9876543210",
          "2024-01-02T03:04:06.000Z",
          "keyCompromise",
          "2024-01-01T00:00:00.000Z",
          "reasonCode,invalidityDate"
        ]
      ]
    )
    shop.run("crl", "-in", "crl", "-outform", "DER", "-out", "der")
    assert.isTrue(Equal.equals(Either.getOrThrow(CertificateRevocationList.fromBytes(shop.bytes("der")))[0], list))
  })

  it.skipIf(!hasOpenssl || !hasCerttool)("GnuTLS certtool", () => {
    using shop = workshop()
    shop.run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=CA", "-keyout", "key", "-out", "ca") // prettier-ignore
    shop.run("req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=leaf", "-set_serial", "77", "-keyout", "other", "-out", "leaf") // prettier-ignore
    shop.write("template", `crl_this_update_date = "2024-01-01"\ncrl_next_update = 7\ncrl_number = 5\n`)
    const made = spawnSync(
      "certtool",
      ["--generate-crl", "--load-ca-privkey=key", "--load-ca-certificate=ca", "--load-certificate=leaf", "--template=template", "--outfile=crl"], // prettier-ignore
      { cwd: shop.directory, encoding: "utf8" }
    )
    assert.strictEqual(made.status, 0, made.stderr)
    const [list] = Either.getOrThrow(CertificateRevocationList.fromBytes(shop.bytes("crl")))
    assert.strictEqual(list.issuer.toString(), "CN=CA")
    assert.strictEqual(list.number, 5n)
    assert.strictEqual(list.find(Uint8Array.of(77))?.serialNumber, "4d")
  })
})
