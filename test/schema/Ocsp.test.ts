import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Equal from "effect/Equal"
import * as Hash from "effect/Hash"
import * as Schema from "effect/Schema"
import { inspect } from "node:util"
import * as AlgorithmIdentifier from "../../src/schema/AlgorithmIdentifier.ts"
import type { Raw } from "../../src/schema/CertificateExtension.ts"
import * as CertificateExtension from "../../src/schema/CertificateExtension.ts"
import * as Der from "../../src/schema/Der.ts"
import * as DistinguishedName from "../../src/schema/DistinguishedName.ts"
import * as Limits from "../../src/schema/Limits.ts"
import * as ObjectIdentifier from "../../src/schema/ObjectIdentifier.ts"
import * as Ocsp from "../../src/schema/Ocsp.ts"
import * as OcspRequest from "../../src/schema/OcspRequest.ts"
import * as OcspResponse from "../../src/schema/OcspResponse.ts"
import * as identities from "../support/identities.ts"

const { oids } = ObjectIdentifier

// A response out of parts, each of which a test can replace. Its signature is nothing.
const from = Date.UTC(2024, 0, 1)
const to = Date.UTC(2024, 0, 8)
const id = {
  hash: "SHA-256",
  issuerNameHash: new Uint8Array(32).fill(1),
  issuerKeyHash: new Uint8Array(32).fill(2),
  serial: Uint8Array.of(7)
} as const
const name = DistinguishedName.fromAttributes([[oids.commonName, "responder"]])
const algorithm = AlgorithmIdentifier.encode({ _tag: "Ed25519" })
const time = Ocsp.encodeTime(from)
const nonce = Ocsp.encodeNonce(Uint8Array.of(1, 2, 3))
const strange = (critical: boolean): Raw => ({
  oid: ObjectIdentifier.make("1.2.3.4"),
  critical,
  value: Uint8Array.of(5, 0)
})
const extensions = (tag: number, ...all: ReadonlyArray<Raw>) =>
  Der.value(tag, Der.sequence(...all.map(CertificateExtension.encode)))
const good = { certificateId: Ocsp.encodeCertificateId(id), thisUpdate: from, nextUpdate: to } as const
const single = (status: OcspResponse.CertificateStatus, times: { readonly nextUpdate?: undefined } = {}) =>
  OcspResponse.encodeSingle({ ...good, status, ...times })
/** A single response whose status is these bytes. */
const withStatus = (status: Uint8Array) => Der.sequence(good.certificateId, status, time)
const parts = {
  before: [] as ReadonlyArray<Uint8Array>,
  responder: OcspResponse.encodeResponder({ _tag: "ByName", name }),
  producedAt: time,
  singles: [single({ _tag: "Good" })] as ReadonlyArray<Uint8Array>,
  after: [] as ReadonlyArray<Uint8Array>,
  certificates: [] as ReadonlyArray<Uint8Array>
}
const basic = (changes: Partial<typeof parts> = {}): Uint8Array => {
  const p = { ...parts, ...changes }
  const tbs = Der.sequence(...p.before, p.responder, p.producedAt, Der.sequence(...p.singles), ...p.after)
  return Der.sequence(tbs, algorithm, Der.bitString(new Uint8Array(64)), ...p.certificates)
}
const assemble = (changes: Partial<typeof parts> = {}) => OcspResponse.encode({ basic: basic(changes) })
const decoded = (changes: Partial<typeof parts> = {}) => Either.getOrThrow(OcspResponse.decode(assemble(changes)))
const saying = (changes: Partial<typeof parts>) => decoded(changes).basic!
const problem = <A>(result: Either.Either<A, { readonly problem: string }>): string =>
  Either.getOrThrow(Either.flip(result)).problem

describe("OcspResponse", () => {
  it("reads who says what of whom, and for how long", () => {
    const { certificates, producedAt, responder, responses, tbs } = saying({})
    assert.deepStrictEqual(responder, { _tag: "ByName", name })
    assert.strictEqual(producedAt, from)
    assert.deepStrictEqual(responses, [
      { certificate: id, status: { _tag: "Good" }, thisUpdate: from, nextUpdate: to, extensions: [] }
    ])
    assert.deepStrictEqual(certificates, [])
    assert.deepStrictEqual(tbs, Der.sequence(parts.responder, time, Der.sequence(single({ _tag: "Good" }))))
  })

  it("reads every status, several at once, without an end", () => {
    const statuses: ReadonlyArray<OcspResponse.CertificateStatus> = [
      { _tag: "Good" },
      { _tag: "Unknown" },
      { _tag: "Revoked", time: to, reason: undefined },
      { _tag: "Revoked", time: to, reason: "keyCompromise" },
      { _tag: "Revoked", time: to, reason: "aACompromise" }
    ]
    const { responses } = saying({ singles: statuses.map((status) => single(status, { nextUpdate: undefined })) })
    assert.deepStrictEqual(
      responses.map(({ status }) => status),
      statuses
    )
    assert.deepStrictEqual(
      responses.map(({ nextUpdate }) => nextUpdate),
      statuses.map(() => undefined)
    )
    assert.deepStrictEqual(saying({ singles: [] }).responses, [])
  })

  it("reads responders by key, nonces and extensions nobody knows", () => {
    const said = saying({
      responder: OcspResponse.encodeResponder({ _tag: "ByKey", keyHash: Uint8Array.of(9) }),
      after: [extensions(0xa1, nonce, strange(true))],
      singles: [Der.sequence(good.certificateId, Der.value(0x80), time, extensions(0xa1, strange(false)))]
    })
    assert.deepStrictEqual(said.responder, { _tag: "ByKey", keyHash: Uint8Array.of(9) })
    assert.deepStrictEqual(said.nonce, Uint8Array.of(1, 2, 3))
    assert.deepStrictEqual(Ocsp.unknownCritical(said.extensions), [ObjectIdentifier.make("1.2.3.4")])
    assert.deepStrictEqual(Ocsp.unknownCritical(said.responses[0]!.extensions), [])
    assert.isUndefined(saying({}).nonce)
  })

  it("reads certificate ids with hashes that it does not have", () => {
    const other = Der.sequence(
      Der.sequence(Der.oid(ObjectIdentifier.make("1.2.3"))),
      Der.octetString(Uint8Array.of(1)),
      Der.octetString(Uint8Array.of(2)),
      Der.integer(3)
    )
    const { responses } = saying({ singles: [Der.sequence(other, Der.value(0x80), time)] })
    assert.isUndefined(responses[0]!.certificate.hash)
  })

  it("keeps of the certificates those it can read", () => {
    const { certificate } = identities.server
    const certificates = [Der.value(0xa0, Der.sequence(Der.sequence(Der.integer(1)), certificate.der))]
    assert.deepStrictEqual(
      saying({ certificates }).certificates.map(({ der }) => der),
      [certificate.der]
    )
  })

  it("reads why there is none", () => {
    for (const status of ["malformedRequest", "internalError", "tryLater", "sigRequired", "unauthorized"] as const) {
      const response = Either.getOrThrow(OcspResponse.decode(OcspResponse.encode(status)))
      assert.strictEqual(response.status, status)
      assert.isUndefined(response.basic)
      assert.strictEqual(String(response), `OcspResponse(${status})`)
    }
  })

  const status = (number: number, ...rest: ReadonlyArray<Uint8Array>) =>
    Der.sequence(Der.value(Der.Tag.Enumerated, Uint8Array.of(number)), ...rest)
  const bytes = (type: string, value: Uint8Array) =>
    Der.value(0xa0, Der.sequence(Der.oid(ObjectIdentifier.make(type)), Der.octetString(value)))

  it.each([
    ["a status nobody uses", status(4), "a response status of 4"],
    ["an error with an answer", status(3, bytes(oids.ocspBasic, basic())), "too many"],
    ["a success without an answer", status(0), "nothing left"],
    ["an answer of another type", status(0, bytes("1.2.3", basic())), "a response of type 1.2.3"],
    ["something behind", Der.sequence(status(0), Der.nullValue()), "Enumerated expected"],
    ["version 1 written out", assemble({ before: [Der.value(0xa0, Der.integer(0))] }), "version"],
    ["a responder of no kind", assemble({ responder: Der.value(0xa3) }), "[2] expected, [3] found"],
    ["a date that is a UTCTime", assemble({ producedAt: Der.time(from) }), "a GeneralizedTime expected"],
    ["a status of no kind", assemble({ singles: [withStatus(Der.value(0x83))] }), "neither good, revoked nor unknown"],
    ["good with content", assemble({ singles: [withStatus(Der.value(0x80, Uint8Array.of(0)))] }), "NULL with content"],
    [
      "a reason that nobody uses",
      assemble({
        singles: [withStatus(Der.value(0xa1, time, Der.value(0xa0, Der.value(10, Uint8Array.of(7)))))]
      }),
      "a reason code of 7"
    ],
    ["no extensions in a list", assemble({ after: [extensions(0xa1)] }), "at least 1 item(s)"],
    ["an extension twice", assemble({ after: [extensions(0xa1, nonce, nonce)] }), "twice"],
    [
      "a nonce of nothing",
      assemble({ after: [extensions(0xa1, Ocsp.encodeNonce(new Uint8Array(0)))] }),
      "a nonce of 0 bytes"
    ],
    [
      "a nonce too long",
      assemble({ after: [extensions(0xa1, Ocsp.encodeNonce(new Uint8Array(129)))] }),
      "a nonce of 129 bytes"
    ],
    ["something behind the certificates", assemble({ certificates: [Der.nullValue()] }), "too many"]
  ])("refuses %s", (_, der, expected) => {
    assert.include(problem(OcspResponse.decode(der)), expected)
  })

  it("takes a nonce as long as may be", () => {
    const longest = new Uint8Array(128).fill(3)
    assert.deepStrictEqual(saying({ after: [extensions(0xa1, Ocsp.encodeNonce(longest))] }).nonce, longest)
  })

  it("is as large as `ocspResponse` allows and no larger", () => {
    const der = assemble()
    const limits = (ocspResponse: number) => ({ limits: { ocspResponse } })
    assert.isTrue(Either.isRight(OcspResponse.decode(der, limits(der.length))))
    assert.include(
      problem(OcspResponse.decode(der, limits(der.length - 1))),
      `the limit \`ocspResponse\` is ${der.length - 1}`
    )
    assert.strictEqual(Limits.defaults.ocspResponse, 65_536)
    assert.include(problem(OcspResponse.decode(new Uint8Array(65_537))), "65537 bytes")
  })

  it("is a value: equal by bytes, shown in words, with a Schema", () => {
    const [a, b] = [decoded(), decoded()]
    assert.isTrue(Equal.equals(a, b))
    assert.strictEqual(Hash.hash(a), Hash.hash(b))
    assert.isFalse(Equal.equals(a, decoded({ singles: [single({ _tag: "Unknown" })] })))
    assert.strictEqual(String(a), 'OcspResponse("CN=responder": Good)')
    assert.include(inspect(a), "2024-01-08T00:00:00.000Z")
    const again = Schema.decodeSync(OcspResponse.OcspResponseFromDer)(a.der)
    assert.isTrue(Equal.equals(a, again))
    assert.deepStrictEqual(Schema.encodeSync(OcspResponse.OcspResponseFromDer)(again), a.der)
    assert.throws(() => Schema.decodeSync(OcspResponse.OcspResponseFromDer)(Uint8Array.of(5, 0)), /OCSPResponse/)
  })

  it("does not keep the bytes it came from", () => {
    const der = assemble()
    const response = Either.getOrThrow(OcspResponse.decode(der))
    der.fill(0)
    assert.deepStrictEqual(response.der, assemble())
  })
})

describe("OcspRequest", () => {
  const request = (...changes: ReadonlyArray<Uint8Array>) =>
    Der.sequence(Der.sequence(...changes, Der.sequence(Der.sequence(Ocsp.encodeCertificateId(id)))))

  it("is read as it was written", () => {
    const other = { ...id, hash: "SHA-1", serial: Uint8Array.of(0, 200) } as const
    const written = OcspRequest.encode({ certificates: [id, other], nonce: Uint8Array.of(4, 5) })
    const { certificates, extensions: said, nonce: found } = Either.getOrThrow(OcspRequest.decode(written))
    assert.deepStrictEqual<unknown>(certificates, [id, other])
    assert.deepStrictEqual(found, Uint8Array.of(4, 5))
    assert.strictEqual(said.length, 1)
    assert.isUndefined(Either.getOrThrow(OcspRequest.decode(OcspRequest.encode({ certificates: [id] }))).nonce)
  })

  it("may name who asks, and be signed", () => {
    const named = request(Der.value(0xa1, Der.value(0xa4, name.der)))
    assert.isTrue(Either.isRight(OcspRequest.decode(named)))
    const signed = Der.sequence(
      Der.sequence(Der.sequence(Der.sequence(Ocsp.encodeCertificateId(id)))),
      Der.value(0xa0, Der.sequence(algorithm, Der.bitString(new Uint8Array(3))))
    )
    assert.isTrue(Either.isRight(OcspRequest.decode(signed)))
  })

  it.each([
    ["version 1 written out", request(Der.value(0xa0, Der.integer(0))), "version"],
    ["nobody asked about", Der.sequence(Der.sequence(Der.sequence())), "at least 1 item(s)"],
    ["something behind", Der.sequence(Der.sequence(Der.sequence()), Der.nullValue()), "at least 1 item(s)"],
    ["what is none", Der.nullValue(), "Sequence expected"]
  ])("refuses %s", (_, der, expected) => assert.include(problem(OcspRequest.decode(der)), expected))
})
