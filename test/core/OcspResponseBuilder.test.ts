import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Option from "effect/Option"
import type { CertificateOptions, Issued } from "../../src/core/CertificateBuilder.ts"
import * as CertificateBuilder from "../../src/core/CertificateBuilder.ts"
import { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import * as CertificateId from "../../src/core/OcspCertificateId.ts"
import type { OcspOptions } from "../../src/core/OcspResponseBuilder.ts"
import * as OcspResponseBuilder from "../../src/core/OcspResponseBuilder.ts"
import * as OcspValidation from "../../src/core/OcspValidation.ts"
import * as Certificate from "../../src/schema/Certificate.ts"
import * as CertificateExtension from "../../src/schema/CertificateExtension.ts"
import * as ObjectIdentifier from "../../src/schema/ObjectIdentifier.ts"
import * as OcspRequest from "../../src/schema/OcspRequest.ts"
import * as OcspResponse from "../../src/schema/OcspResponse.ts"
import * as Pem from "../../src/schema/Pem.ts"
import * as identities from "../support/identities.ts"
import { hasOpenssl, workshop } from "../support/openssl.ts"

const { crypto } = identities
// What `openssl ocsp` signs, it dates by the machine's clock.
const now = Math.floor(Date.now() / 1000) * 1000
const day = 86_400_000
const fixed: Clock.Clock = { ...Clock.make(), currentTimeMillis: Effect.succeed(now) }
const run = <A, E>(effect: Effect.Effect<A, E, CryptoProvider>): A =>
  Effect.runSync(Effect.withClock(Effect.provideService(effect, CryptoProvider, crypto), fixed))

const ca = run(CertificateBuilder.authority({ subject: { CN: "CA" } }))
const leafOf = (options: CertificateOptions = {}): Issued =>
  run(CertificateBuilder.issue(ca, { names: ["leaf.example"], ...options }))
const leaf = leafOf()
const other = leafOf()
const responder = leafOf({
  names: [],
  subject: { CN: "Responder" },
  extensions: [CertificateExtension.encodeExtendedKeyUsage([ObjectIdentifier.oids.OCSPSigning])]
})
const good = { certificate: leaf.certificate }
const make = (signer: Issued, options: Partial<OcspOptions> = {}) =>
  OcspResponseBuilder.make(signer.identity, { statuses: [good], ...options })
const idOf = ({ certificate }: Issued, hash: "SHA-1" | "SHA-256" = "SHA-1") =>
  CertificateId.make(crypto, certificate, ca.certificate, hash)
const statusIn = (response: OcspResponse.OcspResponse, { certificate }: Issued = leaf, nonce?: Uint8Array): string => {
  const { status } = run(OcspValidation.verify(response, { certificate, issuer: ca.certificate, nonce }))
  return status._tag === "Good" ? "Good" : status.problem.reason
}

describe("OcspResponseBuilder", () => {
  it("says what it is told, with defaults for the rest", () => {
    const plain = run(make(ca)).basic!
    assert.strictEqual(plain.producedAt, now)
    assert.deepStrictEqual(plain.certificates, [])
    assert.deepStrictEqual(
      plain.responses.map(({ certificate, ...single }) => [certificate.hash, single]),
      [["SHA-1", { status: { _tag: "Good" }, thisUpdate: now, nextUpdate: now + day, extensions: [] }]]
    )
    const told = run(
      make(responder, {
        issuer: ca.certificate,
        hash: "SHA-256",
        nonce: Uint8Array.of(1),
        responder: "key",
        producedAt: new Date(now - 1000),
        thisUpdate: new Date(now - 2000),
        validFor: "1 hour",
        signatureAlgorithm: { _tag: "Ecdsa", hash: "SHA-384" },
        statuses: [
          { ...good, status: "revoked", reason: "superseded", revocationDate: new Date(now - 3000) },
          { serial: Uint8Array.of(5), status: "unknown", nextUpdate: new Date(now + 5000), thisUpdate: new Date(now) }
        ]
      })
    ).basic!
    assert.strictEqual(told.producedAt, now - 1000)
    assert.deepStrictEqual(told.nonce, Uint8Array.of(1))
    assert.strictEqual(told.responder._tag, "ByKey")
    assert.deepStrictEqual(told.signatureAlgorithm.algorithm, { _tag: "Ecdsa", hash: "SHA-384" })
    assert.deepStrictEqual(
      told.certificates.map(({ der }) => der),
      [responder.certificate.der]
    )
    assert.deepStrictEqual(
      told.responses.map(({ nextUpdate, status, thisUpdate }) => ({ nextUpdate, status, thisUpdate })),
      [
        {
          status: { _tag: "Revoked", reason: "superseded", time: now - 3000 },
          thisUpdate: now - 2000,
          nextUpdate: now - 2000 + 3_600_000
        },
        { status: { _tag: "Unknown" }, thisUpdate: now, nextUpdate: now + 5000 }
      ]
    )
    assert.isUndefined(run(make(ca, { nextUpdate: "none" })).basic!.responses[0]!.nextUpdate)
  })

  it.each([
    ["nobody", { statuses: [] as never }, "statuses"],
    ["no certificate", { statuses: [{}] }, "statuses[0]"],
    ["a certificate and a serial number", { statuses: [{ ...good, serial: Uint8Array.of(1) }] }, "statuses[0]"],
    [
      "another's certificate",
      { statuses: [{ certificate: identities.server.certificate }] },
      "statuses[0].certificate"
    ],
    ["a reason for what is good", { statuses: [{ ...good, reason: "superseded" }] }, "statuses[0]"],
    ["an end before the beginning", { nextUpdate: new Date(now) }, "statuses[0]"],
    ["two ends", { nextUpdate: new Date(now + day), validFor: "1 day" }, "nextUpdate"],
    ["a nonce of nothing", { nonce: new Uint8Array(0) }, "nonce"],
    ["a nonce too long", { nonce: new Uint8Array(129) }, "nonce"],
    ["what it does not know", { color: "red" } as object, "color"]
  ] as ReadonlyArray<[string, Partial<OcspOptions>, string]>)("refuses %s", (_, options, path) => {
    const error = run(Effect.flip(make(ca, options)))
    assert(error._tag === "TlsConfigError")
    assert.strictEqual(error.issues[0]?.path, path)
  })

  it("refuses to sign for an issuer that did not ask", () => {
    for (const signer of [leaf, run(CertificateBuilder.authority({ subject: { CN: "Other" } }))]) {
      const error = run(Effect.flip(make(signer, { issuer: ca.certificate })))
      assert(error._tag === "TlsConfigError")
      assert.strictEqual(error.issues[0]?.path, "responder")
    }
  })
})

describe("OcspResponseBuilder.answer", () => {
  const asked: Array<Uint8Array> = []
  const answer = (request: Uint8Array, signer = ca) =>
    run(
      OcspResponseBuilder.answer(signer.identity, request, {
        issuer: ca.certificate,
        validFor: "2 hours",
        statusOf: (serial) =>
          Effect.sync(() => {
            asked.push(serial)
            return serial === undefined
              ? {}
              : { status: serial[0] === other.certificate.serial[0] ? "revoked" : "good" }
          })
      })
    )

  it("answers what it is asked, with its nonce", () => {
    const nonce = new Uint8Array(32).fill(7)
    for (const [signer, hash] of [
      [ca, "SHA-1"],
      [responder, "SHA-256"]
    ] as const) {
      asked.length = 0
      const response = answer(OcspRequest.encode({ certificates: [idOf(leaf, hash)], nonce }), signer)
      assert.strictEqual(statusIn(response, leaf, nonce), "Good")
      assert.deepStrictEqual(response.basic!.nonce, nonce)
      assert.deepStrictEqual(asked, [leaf.certificate.serial])
    }
  })

  it("answers about several", () => {
    const response = answer(OcspRequest.encode({ certificates: [idOf(leaf), idOf(other)] }))
    assert.strictEqual(response.basic!.responses.length, 2)
    assert.strictEqual(statusIn(response, other), "Revoked")
  })

  it("says so when there is nothing to answer", () => {
    const status = (request: Uint8Array) => answer(request).status
    const stranger = CertificateId.make(crypto, leaf.certificate, identities.server.certificate)
    assert.strictEqual(status(Uint8Array.of(1, 2, 3)), "malformedRequest")
    assert.strictEqual(status(OcspRequest.encode({ certificates: [stranger] })), "unauthorized")
    assert.strictEqual(status(OcspRequest.encode({ certificates: [idOf(leaf), stranger] })), "unauthorized")
    assert.strictEqual(
      status(OcspRequest.encode({ certificates: [idOf(leaf), idOf(leaf, "SHA-256")] })),
      "unauthorized"
    )
    const many = (count: number) =>
      OcspRequest.encode({ certificates: [idOf(leaf), ...Array.from({ length: count - 1 }, () => idOf(leaf))] })
    assert.strictEqual(status(many(16)), "successful")
    assert.strictEqual(status(many(17)), "malformedRequest")
  })
})

describe.skipIf(!hasOpenssl)("`openssl ocsp`", () => {
  const write = (shop: ReturnType<typeof workshop>) => {
    shop.write("ca", Certificate.toPem(ca.certificate))
    shop.write("leaf", Certificate.toPem(leaf.certificate))
    shop.write("responder", Certificate.toPem(responder.certificate))
    for (const [name, { pkcs8 }] of [
      ["ca.key", ca],
      ["responder.key", responder]
    ] as const) {
      shop.write(name, Pem.format("PRIVATE KEY", Redacted.value(Option.getOrThrow(pkcs8))))
    }
    const expiry = leaf.certificate.notAfter
      .toISOString()
      .replace(/[-:T]|\.\d+/g, "")
      .slice(2)
    const serial = leaf.certificate.serialNumber.toUpperCase()
    const even = serial.length % 2 === 0 ? serial : `0${serial}`
    shop.write("good", `V\t${expiry}\t\t${even}\tunknown\t/CN=leaf.example\n`)
    const revoked = `${new Date(now - day)
      .toISOString()
      .replace(/[-:T]|\.\d+/g, "")
      .slice(2)},keyCompromise`
    shop.write("revoked", `R\t${expiry}\t${revoked}\t${even}\tunknown\t/CN=leaf.example\n`)
    shop.write("unknown", "")
  }

  it.each([
    ["the issuer's", ca, {}, "good"],
    ["a responder's", responder, { issuer: ca.certificate }, "good"],
    ["named by key", responder, { issuer: ca.certificate, responder: "key" }, "good"],
    ["without an end", ca, { nextUpdate: "none" }, "good"],
    ["revoked", ca, { statuses: [{ ...good, status: "revoked", reason: "keyCompromise" }] }, "revoked"],
    ["unknown", ca, { statuses: [{ ...good, status: "unknown" }] }, "unknown"]
  ] as ReadonlyArray<[string, Issued, Partial<OcspOptions>, string]>)(
    "believes our response: %s",
    (_, signer, options, expected) => {
      using shop = workshop()
      write(shop)
      shop.write("response", run(make(signer, options)).der)
      const { output } = shop.attempt(..."ocsp -respin response -issuer ca -cert leaf -CAfile ca -no_nonce".split(" "))
      assert.include(output, "Response verify OK")
      assert.include(output, `leaf: ${expected}`)
      if (expected === "revoked") assert.include(output, "Reason: keyCompromise")
    }
  )

  it.each([
    ["good", "ca", "Good"],
    ["good", "responder", "Good"],
    ["revoked", "responder", "Revoked"],
    ["unknown", "ca", "OcspUnknown"]
  ])("answers our request: %s, by %s", (index, signer, expected) => {
    using shop = workshop()
    write(shop)
    const nonce = new Uint8Array(32).fill(9)
    shop.write("request", OcspRequest.encode({ certificates: [idOf(leaf)], nonce }))
    shop.run(
      ..."ocsp -ndays 1 -CA ca -reqin request -respout response".split(" "),
      ..."-index".split(" "),
      index,
      "-rsigner",
      signer,
      "-rkey",
      `${signer}.key`
    )
    const response = Either.getOrThrow(OcspResponse.decode(shop.bytes("response")))
    assert.deepStrictEqual(response.basic!.nonce, nonce)
    assert.strictEqual(statusIn(response, leaf, nonce), expected)
    assert.strictEqual(statusIn(response, leaf, Uint8Array.of(1)), "OcspUnusable")
  })

  it("asks as we read", () => {
    using shop = workshop()
    write(shop)
    for (const [flag, hash] of [
      ["-sha1", "SHA-1"],
      ["-sha256", "SHA-256"]
    ] as const) {
      shop.run("ocsp", "-issuer", "ca", flag, "-cert", "leaf", "-reqout", "request")
      const { certificates, nonce } = Either.getOrThrow(OcspRequest.decode(shop.bytes("request")))
      assert.deepStrictEqual<unknown>(certificates, [idOf(leaf, hash)])
      assert.strictEqual(nonce?.length, 16)
    }
  })
})
