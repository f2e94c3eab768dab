/** What authorities refuse to sign, requests, and renewals. */
import { assert, describe, it } from "@effect/vitest"
import { assertNone } from "@effect/vitest/utils"
import { Cause, Duration, Effect, Either, Exit, Option, TestClock } from "effect"
import * as CertificateBuilder from "../../src/core/CertificateBuilder.ts"
import * as CertificateRequestBuilder from "../../src/core/CertificateRequestBuilder.ts"
import type { CryptoProvider, KeyType } from "../../src/core/CryptoProvider.ts"
import * as PrivateKey from "../../src/core/PrivateKey.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import * as CertificateExtension from "../../src/schema/CertificateExtension.ts"
import * as CertificateRequest from "../../src/schema/CertificateRequest.ts"
import * as GeneralName from "../../src/schema/GeneralName.ts"
import { oids } from "../../src/schema/ObjectIdentifier.ts"
import * as PublicKey from "../../src/schema/PublicKey.ts"
import { TlsConfigError } from "../../src/schema/TlsError.ts"
import { hasOpenssl, workshop } from "../support/openssl.ts"

const run = <A, E>(effect: Effect.Effect<A, E, CryptoProvider>): Promise<A> =>
  Effect.runPromise(Effect.provide(effect, NodeCrypto.layer))

const refusal = async <A, E>(effect: Effect.Effect<A, E, CryptoProvider>): Promise<string> => {
  const exit = await Effect.runPromiseExit(Effect.provide(effect, NodeCrypto.layer))
  if (Exit.isSuccess(exit)) return "no error"
  const failure = Option.getOrUndefined(Cause.failureOption(exit.cause))
  return failure instanceof TlsConfigError ? failure.message : `another error: ${Cause.pretty(exit.cause)}`
}

const day = 86_400_000
const now = Date.now()
const at = (days: number) => new Date(Math.floor(now / 1000) * 1000 + days * day)
const dns = (value: string) => ({ _tag: "DnsName", value }) as const

type Make = Effect.Effect<CertificateBuilder.Issued, unknown, CryptoProvider>
const root = (options: Partial<CertificateBuilder.AuthorityOptions> = {}) =>
  CertificateBuilder.authority({ subject: { CN: "Root" }, notBefore: at(-10), notAfter: at(100), ...options })
const under = (make: Make, options: CertificateBuilder.CertificateOptions) =>
  Effect.flatMap(make, (ca) => CertificateBuilder.issue(ca, options))
const below = (make: Make, options: CertificateBuilder.AuthorityOptions) =>
  Effect.flatMap(make, (ca) => CertificateBuilder.issueAuthority(ca, options))
const a = { names: ["a.example"] }
const ca = { subject: { CN: "Below" } }

describe("An authority refuses", () => {
  it.each<[what: string, make: Make, message: string]>([
    [
      "a leaf that signs",
      under(root(), {
        ...a,
        extensions: [CertificateExtension.encodeBasicConstraints({ ca: true, pathLength: undefined })]
      }),
      "extensions: a leaf does not sign certificates: an authority is what does"
    ],
    [
      "a leaf whose key usage signs",
      under(root(), { ...a, extensions: [CertificateExtension.encodeKeyUsage(["keyCertSign"])] }),
      "extensions: a leaf does not sign certificates: an authority is what does"
    ],
    [
      "an authority that does not sign",
      root({ extensions: [CertificateExtension.encodeKeyUsage(["cRLSign"])] }),
      "extensions: an authority signs certificates: basicConstraints and keyUsage have to say so"
    ],
    [
      "an authority without a name",
      CertificateBuilder.authority({ names: ["192.0.2.1"] }),
      "subject: an authority has a name, which the certificates that it issues carry (RFC 5280 §4.1.2.6)"
    ],
    ["to be asked of a leaf", under(under(root(), a), a), 'ca: "CN=a.example" is not a certification authority'],
    [
      "to be asked of one that only signs CRLs",
      under(root({ extensions: [CertificateExtension.encodeKeyUsage(["cRLSign"])], unchecked: true }), a),
      'ca: the key usage of "CN=Root" does not include issuing certificates (keyCertSign)'
    ],
    [
      "a beginning before its own",
      under(root(), { ...a, notBefore: at(-11) }),
      `notBefore: its issuer is not valid before ${at(-10).toISOString()}`
    ],
    [
      "an end after its own",
      under(root(), { ...a, notAfter: at(101) }),
      `notAfter: its issuer is not valid after ${at(100).toISOString()}`
    ],
    [
      "a validity that is longer than its own",
      under(root(), { ...a, validFor: "101 days" }),
      `validFor: its issuer is not valid after ${at(100).toISOString()}`
    ],
    [
      "whatever, after its own end",
      under(root({ notAfter: at(-1) }), a),
      `ca: its issuer is not valid after ${at(-1).toISOString()}`
    ],
    [
      "an authority below a path length of 0",
      below(root({ pathLength: 0 }), ca),
      'ca: "CN=Root" allows 0 authorities below it, and this one would be number 1'
    ],
    [
      "an authority two levels below a path length of 1",
      below(below(root({ pathLength: 1 }), { subject: { CN: "One" } }), ca),
      'ca: "CN=Root" allows 1 authorities below it, and this one would be number 2'
    ],
    [
      "a path length as long as its own",
      below(root({ pathLength: 2 }), { ...ca, pathLength: 2 }),
      'pathLength: "CN=Root" allows 2 authorities below it: at most 1 can follow this one'
    ],
    [
      "a name outside its constraints",
      under(root({ nameConstraints: { permitted: [dns("b.example")], excluded: undefined } }), a),
      'names: DNS:a.example is not among the permitted names: the name constraints of "CN=Root" say so'
    ],
    [
      "a name outside the constraints of one above it",
      under(below(root({ nameConstraints: { permitted: undefined, excluded: [dns("example")] } }), ca), a),
      'names: DNS:a.example is not outside DNS:example: the name constraints of "CN=Root" say so'
    ],
    [
      "a common name outside its constraints",
      under(root({ nameConstraints: { permitted: [dns("b.example")], excluded: undefined } }), {
        subject: { CN: "a.example" }
      }),
      'names: DNS:a.example is not among the permitted names: the name constraints of "CN=Root" say so'
    ],
    [
      "constraints that are none",
      root({ nameConstraints: { permitted: [dns(".example")], excluded: undefined } }),
      "nameConstraints: the name constraint DNS:.example is not well-formed"
    ],
    [
      "a purpose that it has not",
      under(root({ purposes: ["clientAuth"] }), { ...a, purposes: ["serverAuth"] }),
      'purposes: "CN=Root" issues for clientAuth, not serverAuth'
    ],
    [
      "an algorithm of another key",
      under(root(), { ...a, signatureAlgorithm: { _tag: "RsaPkcs1", hash: "SHA-256" } }),
      "signatureAlgorithm: a P-256 key does not sign with RsaPkcs1 and SHA-256"
    ]
  ])("%s", async (_, make, message) => {
    assert.strictEqual(await refusal(make), message)
  })

  it("before its key signs anything", async () => {
    let signatures = 0
    const make = Effect.gen(function* () {
      const top = yield* root({ pathLength: 0 })
      const { privateKey } = top.identity
      const counting = PrivateKey.make({
        ...privateKey,
        sign: (algorithm, data) => {
          signatures++
          return privateKey.sign(algorithm, data)
        }
      })
      const service = { ...top, identity: { ...top.identity, privateKey: counting } }
      yield* CertificateBuilder.issue(service, a)
      yield* CertificateBuilder.issueAuthority(service, ca)
    })
    assert.match(await refusal(make), /^ca: /)
    assert.strictEqual(signatures, 1)
  })

  it("nothing of it where it is told not to", async () => {
    const { certificate } = await run(
      under(root({ pathLength: 0, nameConstraints: { permitted: [dns("b")], excluded: undefined } }), {
        ...a,
        notAfter: at(1000),
        unchecked: true
      })
    )
    assert.strictEqual(certificate.notAfter.getTime(), at(1000).getTime())
  })

  it("nothing that its defaults could have avoided", async () => {
    const { certificate } = await run(under(root({ purposes: ["serverAuth"], notBefore: at(0), notAfter: at(20) }), a))
    assert.deepStrictEqual(certificate.validity.toString(), `${at(0).toISOString()} to ${at(20).toISOString()}`)
    assert.deepStrictEqual(certificate.extendedKeyUsage, [oids.serverAuth])
  })

  it("no common name that is no host's, whatever its name constraints", async () => {
    const constrained = root({ nameConstraints: { permitted: [dns("b.example")], excluded: undefined } })
    assert.strictEqual((await run(under(constrained, { subject: { CN: "Alice" } }))).certificate.label, "CN=Alice")
    assert.strictEqual((await run(below(constrained, { subject: { CN: "a.example" } }))).certificate.isCa, true)
  })

  it("no authority that is itself anew, whatever its path length", async () => {
    const make = Effect.flatMap(root({ pathLength: 0 }), (old) =>
      CertificateBuilder.issueAuthority(old, { subject: old.certificate.subject, pathLength: 0 })
    )
    assert.isTrue((await run(make)).certificate.isSelfIssued)
  })
})

const keyTypes: ReadonlyArray<KeyType> = [
  { _tag: "Ec", curve: "P-256" },
  { _tag: "Ec", curve: "P-384" },
  { _tag: "Ec", curve: "P-521" },
  { _tag: "Rsa", modulusLength: 2048 },
  { _tag: "RsaPss", modulusLength: 2048 },
  { _tag: "Ed25519" },
  { _tag: "Ed448" }
]

const mustStaple = CertificateExtension.make({ _tag: "TlsFeature", features: [5] })
const nameOf = (key: KeyType) => ("curve" in key ? key.curve : key._tag)

describe("CertificateRequestBuilder", () => {
  for (const key of keyTypes) {
    it(`makes requests with ${nameOf(key)}, which come back from PEM and are signed`, async () => {
      const { chain, leaf, requested } = await run(
        Effect.gen(function* () {
          const top = yield* root()
          const asked = yield* CertificateRequestBuilder.make({
            subject: { O: "Example", CN: "a.example" },
            names: ["a.example", "192.0.2.1"],
            key
          })
          const read = yield* CertificateRequest.fromPem(CertificateRequest.toPem(asked.request))
          assert.deepStrictEqual(read, asked.request)
          const { certificate, certificateChain } = yield* CertificateBuilder.sign(top, read)
          return { requested: asked, leaf: certificate, chain: certificateChain }
        })
      )
      assert.strictEqual(leaf.subject.toString(), "CN=a.example,O=Example")
      assert.deepStrictEqual(leaf.subjectAltNames.map(GeneralName.format), ["DNS:a.example", "IP:192.0.2.1"])
      assert.isTrue(PublicKey.equals(leaf.publicKey, requested.privateKey.publicKey))
      assert.deepStrictEqual(chain, [leaf])
      assert.isTrue(Option.isSome(requested.pkcs8))
    })

    it.skipIf(!hasOpenssl)(`makes requests with ${nameOf(key)} that OpenSSL verifies`, async () => {
      using shop = workshop()
      const { request } = await run(
        CertificateRequestBuilder.make({ names: ["a.example"], key, extensions: [mustStaple] })
      )
      shop.write("request.pem", CertificateRequest.toPem(request))
      const { output, status } = shop.attempt("req", "-in", "request.pem", "-verify", "-noout", "-text")
      assert.strictEqual(status, 0, output)
      assert.match(output, /verify OK/)
      assert.match(output, /DNS:a\.example/)
      assert.match(output, /status_request/)
    })
  }

  it.skipIf(!hasOpenssl)("answers requests of OpenSSL's", async () => {
    using shop = workshop()
    shop.run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "key", "-out", "request.der", "-outform", "DER", "-subj", "/O=Example/CN=b.example", "-addext", "subjectAltName=DNS:b.example", "-addext", "basicConstraints=critical,CA:TRUE") // prettier-ignore
    const request = Either.getOrThrow(CertificateRequest.fromBytes(shop.bytes("request.der")))
    const { certificate } = await run(Effect.flatMap(root(), (top) => CertificateBuilder.sign(top, request)))
    assert.strictEqual(certificate.label, "CN=b.example,O=Example")
    // That it wants to be an authority is not for it to decide.
    assert.isFalse(certificate.isCa)
    const wish = Effect.flatMap(root(), (top) =>
      CertificateBuilder.sign(top, request, { accept: [oids.basicConstraints] })
    )
    assert.include(await refusal(wish), "extensions: a leaf does not sign certificates")
    const intermediate = await run(
      Effect.flatMap(root(), (top) => CertificateBuilder.signAuthority(top, request, { pathLength: 0 }))
    )
    assert.strictEqual(intermediate.certificate.basicConstraints?.pathLength, 0)
  })

  it("takes what the options say before what the request says, and extensions only where they are accepted", async () => {
    const { plain, told } = await run(
      Effect.gen(function* () {
        const top = yield* root()
        const { request } = yield* CertificateRequestBuilder.make({ names: ["a.example"], extensions: [mustStaple] })
        return {
          plain: yield* CertificateBuilder.sign(top, request),
          told: yield* CertificateBuilder.sign(top, request, {
            subject: { CN: "told" },
            names: ["b.example"],
            purposes: ["clientAuth"],
            validFor: "1 hour",
            accept: [oids.tlsFeature]
          })
        }
      })
    )
    assert.isUndefined(plain.certificate.extension("TlsFeature"))
    assert.deepStrictEqual(plain.certificate.extendedKeyUsage, [oids.serverAuth, oids.clientAuth])
    assert.deepStrictEqual(told.certificate.extension("TlsFeature")?.features, [5])
    assert.strictEqual(told.certificate.label, "CN=told")
    assert.deepStrictEqual(told.certificate.subjectAltNames.map(GeneralName.format), ["DNS:b.example"])
    assert.deepStrictEqual(told.certificate.extendedKeyUsage, [oids.clientAuth])
  })

  it("refuses requests that were altered, or signed by another key", async () => {
    const { request } = await run(CertificateRequestBuilder.make(a))
    const other = await run(CertificateRequestBuilder.make(a))
    const altered = request.der.slice()
    const position = Buffer.from(altered).indexOf("a.example")
    altered[position] = 0x62
    const foreign = new CertificateRequest.CertificateRequest({ ...request, signature: other.request.signature })
    const mismatched = new CertificateRequest.CertificateRequest({
      ...request,
      signatureAlgorithm: { ...request.signatureAlgorithm, algorithm: { _tag: "Ed25519" } }
    })
    const unknown = new CertificateRequest.CertificateRequest({
      ...request,
      signatureAlgorithm: { ...request.signatureAlgorithm, algorithm: undefined }
    })
    const wrong = "request: its signature is not by the key that it is about, or it was altered"
    const signed = (one: CertificateRequest.CertificateRequest) =>
      refusal(Effect.flatMap(root(), (top) => CertificateBuilder.sign(top, one)))
    assert.strictEqual(await signed(Either.getOrThrow(CertificateRequest.decode(altered))), wrong)
    assert.strictEqual(await signed(foreign), wrong)
    assert.match(await signed(mismatched), /^request: its signature /)
    assert.match(
      await signed(unknown),
      /^request: its signature \(ecdsaWithSha256, by a key of P-256\) cannot be verified$/
    )
  })

  it.each<[string, object, string]>([
    ["nobody", {}, "names: a request for nobody: give `names` or a `subject`"],
    ["a validity", { ...a, validFor: "1 day" }, "validFor: is unexpected"],
    ["an algorithm of another key", { ...a, signatureAlgorithm: { _tag: "Ed25519" } }, "signatureAlgorithm: a P-256 key does not sign with Ed25519"], // prettier-ignore
    ["a damaged extension", { ...a, extensions: [{ oid: oids.keyUsage, critical: true, value: Uint8Array.of(5) }] }, "extensions: "] // prettier-ignore
  ])("refuses to ask for %s", async (_, options, message) => {
    assert.include(await refusal(CertificateRequestBuilder.make(options)), message)
  })

  it("says which accepted extension the request has not", async () => {
    const make = Effect.zipWith(root(), CertificateRequestBuilder.make(a), (top, { request }) =>
      CertificateBuilder.sign(top, request, { accept: [oids.tlsFeature] })
    ).pipe(Effect.flatten)
    assert.strictEqual(await refusal(make), `accept[0]: the request asks for no extension ${oids.tlsFeature}`)
  })
})

describe("Renewal", () => {
  it.effect("keeps subject, names, extensions and key, and begins now", () =>
    Effect.gen(function* () {
      const top = yield* CertificateBuilder.authority({ subject: { CN: "Root" } })
      const old = yield* CertificateBuilder.issue(top, { ...a, validFor: "30 days", extensions: [mustStaple] })
      yield* TestClock.adjust(Duration.days(20))
      const next = yield* CertificateBuilder.renew(top, old)
      assert.strictEqual(next.certificate.notBefore.toISOString(), "1970-01-20T23:59:00.000Z")
      assert.strictEqual(next.certificate.notAfter.toISOString(), "1970-02-20T00:01:00.000Z")
      assert.notStrictEqual(next.certificate.serialNumber, old.certificate.serialNumber)
      const rest = ({ certificate }: CertificateBuilder.Issued) => ({
        subject: certificate.subject.toString(),
        key: certificate.publicKey.spki,
        extensions: certificate.extensions.map(({ critical, oid, value }) => ({ oid, critical, value })).sort((x, y) => x.oid.localeCompare(y.oid)) // prettier-ignore
      })
      assert.deepStrictEqual(rest(next), rest(old))
      assert.strictEqual(next.identity.privateKey, old.identity.privateKey)

      const rekeyed = yield* CertificateBuilder.renew(top, old, { key: { _tag: "Ed25519" }, validFor: "1 day" })
      assert.strictEqual(rekeyed.certificate.publicKey._tag, "Ed25519")
      assert.notDeepEqual(rekeyed.certificate.subjectKeyIdentifier, old.certificate.subjectKeyIdentifier)
      assert.strictEqual(rekeyed.certificate.notAfter.toISOString(), "1970-01-22T00:00:00.000Z")
    }).pipe(Effect.provide(NodeCrypto.layer))
  )

  it.effect("of a root keeps what it issued valid", () =>
    Effect.gen(function* () {
      const top = yield* CertificateBuilder.authority({ subject: { CN: "Root" }, validFor: "30 days" })
      const leaf = yield* CertificateBuilder.issue(top, a)
      yield* TestClock.adjust(Duration.days(20))
      const next = yield* CertificateBuilder.renewSelfSigned(top)
      assert.isTrue(next.certificate.isCa)
      assert.deepStrictEqual(next.certificate.subjectKeyIdentifier, leaf.certificate.authorityKeyIdentifier?.keyIdentifier) // prettier-ignore
      assert.isTrue(next.certificate.notAfter > top.certificate.notAfter)
      const refused = yield* Effect.flip(CertificateBuilder.renewSelfSigned(leaf))
      assert.strictEqual(refused.message, 'old: "CN=Root" issued it: `renew` takes an issuer')
    }).pipe(Effect.provide(NodeCrypto.layer))
  )

  it("has no key to give away where it was not made here", async () => {
    const next = await run(
      Effect.gen(function* () {
        const top = yield* root()
        const made = yield* CertificateBuilder.issue(top, a)
        const foreign = yield* CertificateBuilder.issue(top, { ...a, key: made.identity.privateKey })
        return yield* CertificateBuilder.renew(top, foreign)
      })
    )
    assertNone(next.pkcs8)
  })
})
