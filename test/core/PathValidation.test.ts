import { assert, describe, it } from "@effect/vitest"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { generateKeyPairSync, sign } from "node:crypto"
import type { AuthorityOptions, CertificateOptions, Issued } from "../support/uncheckedBuilder.ts"
import * as CertificateBuilder from "../support/uncheckedBuilder.ts"
import { CryptoProvider, type CryptoProviderService } from "../../src/core/CryptoProvider.ts"
import type { PathRequest } from "../../src/core/PathValidation.ts"
import * as PathValidation from "../../src/core/PathValidation.ts"
import type { PrivateKey } from "../../src/core/PrivateKey.ts"
import { make as makePrivateKey } from "../../src/core/PrivateKey.ts"
import * as TrustStore from "../../src/core/TrustStore.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import * as AlgorithmIdentifier from "../../src/schema/AlgorithmIdentifier.ts"
import type { Certificate } from "../../src/schema/Certificate.ts"
import * as Certificates from "../../src/schema/Certificate.ts"
import * as CertificateExtension from "../../src/schema/CertificateExtension.ts"
import * as Der from "../../src/schema/Der.ts"
import * as DistinguishedName from "../../src/schema/DistinguishedName.ts"
import type { GeneralName } from "../../src/schema/GeneralName.ts"
import * as Limits from "../../src/schema/Limits.ts"
import * as ObjectIdentifier from "../../src/schema/ObjectIdentifier.ts"
import * as PublicKey from "../../src/schema/PublicKey.ts"
import * as SignatureScheme from "../../src/schema/SignatureScheme.ts"

const { oids } = ObjectIdentifier
const run = <A, E>(effect: Effect.Effect<A, E, CryptoProvider>): A =>
  Effect.runSync(Effect.provide(effect, NodeCrypto.layer))

// All is valid at `now` unless a test says otherwise. Ed25519, because it is quick to make and to verify.
const now = Date.UTC(2030, 0, 1)
const day = 86_400_000
const ed: CertificateOptions["key"] = { _tag: "Ed25519" }
const always = { notBefore: new Date(now - 100 * day), notAfter: new Date(now + 100 * day) }
const expired = { notBefore: new Date(now - 100 * day), notAfter: new Date(now - day) }
const future = { notBefore: new Date(now + day), notAfter: new Date(now + 100 * day) }

const root = (name = "Root", options: AuthorityOptions = {}): Issued =>
  run(CertificateBuilder.authority({ subject: { CN: name }, key: ed, ...always, ...options }))
const intermediate = (ca: Issued, name = "Intermediate", options: AuthorityOptions = {}): Issued =>
  run(CertificateBuilder.issueAuthority(ca, { subject: { CN: name }, key: ed, ...always, ...options }))
const leaf = (ca: Issued, options: CertificateOptions = {}): Issued =>
  run(
    CertificateBuilder.issue(ca, { subject: { CN: "leaf" }, names: ["leaf.example"], key: ed, ...always, ...options })
  )

/** The same authority under another certificate: same name and key, other issuer or dates. */
const cross = (ca: Issued, by: Issued, options: AuthorityOptions = {}): Issued =>
  intermediate(by, ca.certificate.subject.commonName, { key: ca.identity.privateKey, ...options })

interface Outcome {
  /** Common names from the leaf to the anchor, or the reason with its depth. */
  readonly result: string
  readonly message: string
  readonly marks: string
  readonly code: string
}

const validation = (
  certificates: NonEmptyReadonlyArray<Issued | Certificate>,
  anchors: ReadonlyArray<Issued | Certificate>,
  options: Partial<PathRequest> = {}
): Effect.Effect<Outcome, never, CryptoProvider> => {
  const certificateOf = (item: Issued | Certificate) => ("certificate" in item ? item.certificate : item)
  const [first, ...others] = certificates
  return PathValidation.build({
    role: "server",
    certificates: [certificateOf(first), ...others.map(certificateOf)],
    anchors: TrustStore.fromCertificates(anchors.map(certificateOf)),
    signatureSchemes: SignatureScheme.registry
      .filter((scheme) => !SignatureScheme.isSha1(scheme))
      .map(({ code }) => code),
    limits: Limits.defaults,
    time: now,
    ...options
  }).pipe(
    Effect.match({
      onFailure: (error) => ({
        result: `${error.reason} ${error.depth}`,
        message: error.message,
        code: error.code,
        marks: error.chain.map(({ anchor, mark }) => `${mark[0]}${anchor ? "!" : ""}`).join("")
      }),
      onSuccess: (path) => ({
        result: path.map(({ subject }) => subject.commonName ?? "-").join(" < "),
        message: "",
        code: "",
        marks: ""
      })
    })
  )
}

const validate = (...of: Parameters<typeof validation>): Outcome => run(validation(...of))

const r = root()
const i = intermediate(r)
const l = leaf(i)

describe("PathValidation finds a path", () => {
  it("of two, three and more certificates", () => {
    assert.strictEqual(validate([leaf(r)], [r]).result, "leaf < Root")
    assert.strictEqual(validate([l, i], [r]).result, "leaf < Intermediate < Root")
    const second = intermediate(i, "Second")
    assert.strictEqual(validate([leaf(second), second, i], [r]).result, "leaf < Second < Intermediate < Root")
  })

  it("in any order, with others and the root itself among what was sent", () => {
    const second = intermediate(i, "Second")
    const sent = [root("Other"), r, i, leaf(r), second, second] as const
    assert.strictEqual(validate([leaf(second), ...sent], [r]).result, "leaf < Second < Intermediate < Root")
  })

  it("to an intermediate or a leaf that is trusted", () => {
    const partialChain = { partialChain: true }
    assert.strictEqual(validate([l], [i], partialChain).result, "leaf < Intermediate")
    assert.strictEqual(validate([l], [l]).result, "leaf")
    const own = run(CertificateBuilder.selfSigned({ names: ["own.example"], key: ed, ...always }))
    assert.strictEqual(validate([own], [own]).result, "own.example")
    // A server that shows its own development CA: trusted by hand, it may.
    const both = root("both", {
      extensions: [CertificateExtension.encodeKeyUsage(["digitalSignature", "keyCertSign"])]
    })
    assert.strictEqual(validate([both], [both]).result, "both")
  })

  it("through an intermediate that is trusted, to its root", () => {
    assert.strictEqual(validate([l], [i, r]).result, "leaf < Intermediate < Root")
    assert.strictEqual(validate([l], [i, r], { partialChain: true }).result, "leaf < Intermediate")
    // That one is in the store does not spare it the rules.
    const stale = cross(i, r, expired)
    assert.deepInclude(validate([l], [stale, r]), { result: "Expired 1", marks: "vf!" })
  })

  it("past intermediates that have expired, were cross-signed by strangers, or have another key", () => {
    const stale = cross(i, r, expired)
    const stranger = cross(i, root("Stranger"))
    const namesake = intermediate(r, "Intermediate")
    assert.strictEqual(validate([l, stale, i], [r]).result, "leaf < Intermediate < Root")
    assert.strictEqual(validate([l, stranger, i], [r]).result, "leaf < Intermediate < Root")
    assert.strictEqual(validate([l, namesake, i], [r]).result, "leaf < Intermediate < Root")
    assert.strictEqual(validate([l, namesake, stale, stranger, i], [r]).result, "leaf < Intermediate < Root")
  })

  it("through a new root that the old one signed, whichever of them is trusted", () => {
    const old = root("Old")
    const bridge = cross(r, old)
    assert.strictEqual(validate([l, i, bridge], [r]).result, "leaf < Intermediate < Root")
    assert.strictEqual(validate([l, i, bridge], [old]).result, "leaf < Intermediate < Root < Old")
    const staleOld = root("Old", { key: old.identity.privateKey, ...expired })
    assert.strictEqual(validate([l, i, bridge], [staleOld, r]).result, "leaf < Intermediate < Root")
  })

  it("where authorities certify each other in a circle", () => {
    const [a, b, c] = [root("A"), root("B"), root("C")]
    const links = [cross(a, b), cross(b, c), cross(c, a), cross(b, a), cross(a, c), cross(c, b)] as const
    assert.strictEqual(
      validate([leaf(a), ...links], [c])
        .result.split(" < ")
        .at(-1),
      "C"
    )
    assert.strictEqual(validate([leaf(a), ...links], [root("D")]).result.split(" ")[0], "UnknownIssuer")
  })

  it("to the anchor that signed, of several with one name", () => {
    const others = [root(), root(), root()]
    assert.strictEqual(validate([l, i], [...others, r]).result, "leaf < Intermediate < Root")
  })

  it("by names that differ only in how they are written", () => {
    const shout = DistinguishedName.fromAttributes([[oids.commonName, "  ROOT "]])
    const again = run(CertificateBuilder.authority({ subject: shout, key: r.identity.privateKey, ...always }))
    assert.strictEqual(validate([l, i], [again]).result, "leaf < Intermediate <   ROOT ")
  })

  /** A certificate of version 1, which has no extensions, by `by` for `subject` with the key of `by`. */
  const first = (by: Issued, subject: string): Certificate =>
    run(
      Effect.gen(function* () {
        const { privateKey } = by.identity
        const tbs = Der.sequence(
          Der.integer(1),
          AlgorithmIdentifier.encode({ _tag: "Ed25519" }),
          by.certificate.subject.der,
          Der.sequence(Der.time(always.notBefore.getTime()), Der.time(always.notAfter.getTime())),
          DistinguishedName.fromAttributes([[oids.commonName, subject]]).der,
          privateKey.publicKey.spki
        )
        const signature = yield* privateKey.sign({ _tag: "Ed25519" }, tbs)
        const parts = [tbs, AlgorithmIdentifier.encode({ _tag: "Ed25519" }), Der.bitString(signature)]
        return yield* Certificates.decode(Der.sequence(...parts))
      })
    )

  it("to a root from before version 3, but through no such intermediate", () => {
    const old = first(r, "Root")
    assert.strictEqual(validate([l, i], [old]).result, "leaf < Intermediate < Root")
    assert.deepInclude(validate([l, i], [old], { conformance: "rfc5280" }), { result: "Nonconforming 2" })
    const link = first(i, "Intermediate")
    assert.deepInclude(validate([l, link], [old]), { result: "NotACa 1" })
    // A client of a small PKI may have one for itself.
    assert.strictEqual(validate([first(r, "client")], [r], { role: "client" }).result, "client < Root")
  })

  it("for every kind of key and the signatures it makes", async () => {
    const keys = [
      { _tag: "Ec", curve: "P-256" },
      { _tag: "Ec", curve: "P-384" },
      { _tag: "Ec", curve: "P-521" },
      { _tag: "Rsa", modulusLength: 2048 },
      { _tag: "RsaPss", modulusLength: 2048 },
      { _tag: "Ed448" }
    ] as const
    for (const key of keys) {
      const [ca, end] = await Effect.runPromise(
        Effect.gen(function* () {
          const made = yield* CertificateBuilder.authority({ subject: { CN: "Root" }, key, ...always })
          return [made, yield* CertificateBuilder.issue(made, { subject: { CN: "leaf" }, key, ...always })] as const
        }).pipe(Effect.provide(NodeCrypto.layer))
      )
      const { result } = await Effect.runPromise(Effect.provide(validation([end], [ca]), NodeCrypto.layer))
      assert.strictEqual(result, "leaf < Root")
    }
  })
})

describe("PathValidation refuses", () => {
  it("everybody when nobody is trusted, and says so", () => {
    const { message, result } = validate([l, i, r], [])
    assert.strictEqual(result, "UnknownIssuer 0")
    assert.include(message, "nobody is trusted")
    const empty = validate([l, i, r], [], { anchors: TrustStore.empty })
    assert.include(empty.message, "no trust anchors are configured")
  })

  it("an issuer that is not known, and tells one that was not sent", () => {
    const stranger = root("Stranger")
    const middle = intermediate(stranger)
    const end = leaf(middle)
    assert.deepInclude(validate([end], [r]), { result: "MissingIntermediate 0", marks: "f" })
    // Whatever else it sent, the one after the leaf it did not.
    assert.deepInclude(validate([end, intermediate(r, "Other")], [r]), { result: "MissingIntermediate 0" })
    assert.deepInclude(validate([end, middle], [r]), { result: "UnknownIssuer 1", marks: "vf" })
    const access = CertificateExtension.make({
      _tag: "AuthorityInfoAccess",
      descriptions: [
        { method: oids.ocsp, location: { _tag: "Uri", value: "http://ocsp.example" } },
        { method: oids.caIssuers, location: { _tag: "Uri", value: "http://ca.example/i\n" } }
      ]
    })
    assert.include(
      validate([leaf(middle, { extensions: [access] })], [r]).message,
      "was not sent and is not among the one trusted certificate (it says it is to be had from URI:"
    )
    assert.deepInclude(validate([end, middle, stranger], [r]), { result: "SelfSignedRoot 2", marks: "vvf" })
    const own = run(CertificateBuilder.selfSigned({ names: ["own.example"], key: ed, ...always }))
    assert.deepInclude(validate([own], [r]), { result: "SelfSigned 0", marks: "f" })
    // `openssl req -x509` makes authorities; that nobody trusts it matters more than that it is one.
    assert.deepInclude(validate([stranger], [r]), { result: "SelfSigned 0" })
    assert.include(
      validate([end, middle], [r]).message,
      `its issuer "CN=Stranger" is not among the one trusted certificate`
    )
  })

  it("a chain that ends at a trusted intermediate, unless told", () => {
    const outcome = validate([l], [i])
    assert.deepInclude(outcome, { result: "PartialChain 1", marks: "vf!" })
    assert.include(outcome.message, `it is trusted, but no root, and its issuer "CN=Root" is neither`)
    assert.strictEqual(outcome.code, "UNABLE_TO_GET_ISSUER_CERT")
    const whole = validate([l, i, r], [i])
    assert.deepInclude(whole, { result: "PartialChain 2", marks: "vv!f", code: "UNABLE_TO_GET_ISSUER_CERT" })
    assert.include(whole.message, `"CN=Intermediate" below it, which is, is no root`)
  })

  it("an issuer of the right name with another key", () => {
    assert.deepInclude(validate([l, i], [root()]), { result: "UnknownIssuer 1", marks: "vf" })
    assert.include(validate([l, i], [root()]).message, "is known, but with another key")
    assert.deepInclude(validate([l, i, r], [root()]), { result: "SelfSignedRoot 2" })
  })

  it("a signature that is wrong", () => {
    const forge = ({ certificate }: Issued) => {
      const der = certificate.der.slice()
      der[der.length - 1]! ^= 1
      return Either.getOrThrow(Certificates.decode(der))
    }
    assert.deepInclude(validate([forge(l), i], [r]), { result: "BadSignature 0", marks: "fu" })
    assert.deepInclude(validate([l, forge(i)], [r]), { result: "BadSignature 1", marks: "vfu!" })
    // Changed content under a signature that was right.
    const der = l.certificate.der.slice()
    const at = Buffer.from(der).indexOf("leaf.example")
    der.set(new TextEncoder().encode("evil.example"), at)
    assert.deepInclude(validate([Either.getOrThrow(Certificates.decode(der)), i], [r]), { result: "BadSignature 0" })
  })

  it("what is out of its time, at every place", () => {
    assert.deepInclude(validate([leaf(i, expired), i], [r]), { result: "Expired 0" })
    assert.deepInclude(validate([leaf(i, future), i], [r]), { result: "NotYetValid 0" })
    const [stale, early] = [cross(i, r, expired), cross(i, r, future)]
    assert.deepInclude(validate([l, stale], [r]), { result: "Expired 1", marks: "vf" })
    assert.deepInclude(validate([l, early], [r]), { result: "NotYetValid 1", marks: "vf" })
    const staleRoot = root("Root", { key: r.identity.privateKey, ...expired })
    assert.deepInclude(validate([l, i], [staleRoot]), { result: "Expired 2", marks: "vvf!" })
    const own = run(CertificateBuilder.selfSigned({ names: ["own.example"], key: ed, ...expired }))
    assert.deepInclude(validate([own], [own]), { result: "Expired 0" })
    assert.deepInclude(validate([own], [r]), { result: "Expired 0" })
    assert.include(validate([leaf(i, expired), i], [r]).message, "it expired at 2029-12-31T00:00:00.000Z")
    // To the second: the last one counts whole.
    const edge = leaf(r, { notBefore: new Date(now), notAfter: new Date(now) })
    assert.deepStrictEqual(
      [now - 1, now, now + 999, now + 1000].map((time) => validate([edge], [r], { time }).result),
      ["NotYetValid 0", "leaf < Root", "leaf < Root", "Expired 0"]
    )
  })

  it("an issuer that is no authority", () => {
    const end = leaf(r)
    const disguise = cross(end, r)
    const child = leaf(disguise, { names: ["victim.example"] })
    assert.deepInclude(validate([child, end], [r]), { result: "NotACa 1", marks: "vf" })
    const unsaid = intermediate(r, "unsaid", {
      extensions: [
        { ...CertificateExtension.encodeBasicConstraints({ ca: true, pathLength: 0 }), value: Der.sequence() }
      ]
    })
    const saying = cross(unsaid, r)
    assert.deepInclude(validate([leaf(saying), unsaid], [r]), { result: "NotACa 1" })
  })

  it("an authority without keyCertSign, a leaf without digitalSignature", () => {
    const usage = CertificateExtension.encodeKeyUsage(["digitalSignature", "cRLSign"])
    const silent = intermediate(r, "silent", { extensions: [usage] })
    assert.deepInclude(validate([leaf(silent), silent], [r]), { result: "KeyUsage 1" })
    const encrypts = leaf(r, { extensions: [CertificateExtension.encodeKeyUsage(["keyEncipherment"])] })
    assert.deepInclude(validate([encrypts], [r]), { result: "KeyUsage 0" })
    assert.strictEqual(validate([encrypts], [r], { keyUsage: ["keyEncipherment"] }).result, "leaf < Root")
    assert.strictEqual(validate([encrypts], [r], { keyUsage: [] }).result, "leaf < Root")
  })

  it("an authority in the place of a leaf", () => {
    const usage = CertificateExtension.encodeKeyUsage(["digitalSignature", "keyCertSign"])
    const authority = intermediate(r, "authority", { extensions: [usage] })
    assert.deepInclude(validate([authority], [r]), { result: "CaAsLeaf 0" })
    assert.strictEqual(validate([authority], [r], { conformance: "rfc5280" }).result, "authority < Root")
  })

  it("another purpose than the role's, in the leaf and above it", () => {
    const client = leaf(r, { purposes: ["clientAuth"] })
    assert.deepInclude(validate([client], [r]), { result: "ExtendedKeyUsage 0" })
    assert.strictEqual(validate([client], [r], { role: "client" }).result, "leaf < Root")
    assert.deepInclude(validate([leaf(r, { purposes: ["serverAuth"] })], [r], { role: "client" }), {
      result: "ExtendedKeyUsage 0"
    })
    const any = leaf(r, { extensions: [CertificateExtension.encodeExtendedKeyUsage([oids.anyExtendedKeyUsage])] })
    assert.strictEqual(validate([any], [r]).result, "leaf < Root")
    assert.strictEqual(validate([leaf(r, { purposes: [] })], [r]).result, "leaf < Root")
    const mail = intermediate(r, "mail", {
      extensions: [CertificateExtension.encodeExtendedKeyUsage([oids.emailProtection])]
    })
    assert.deepInclude(validate([leaf(mail), mail], [r]), { result: "ExtendedKeyUsage 1" })
    const servers = intermediate(r, "servers", { purposes: ["serverAuth"] })
    assert.strictEqual(validate([leaf(servers), servers], [r]).result, "leaf < servers < Root")
    assert.strictEqual(validate([client], [r], { purposes: [] }).result, "leaf < Root")
    const both = { purposes: [oids.serverAuth, oids.clientAuth] }
    assert.strictEqual(validate([leaf(r)], [r], both).result, "leaf < Root")
    assert.deepInclude(validate([client], [r], both), { result: "ExtendedKeyUsage 0" })
  })

  it("more intermediates than a path length allows; self-issued ones do not count", () => {
    const narrow = intermediate(r, "narrow", { pathLength: 0 })
    const below = intermediate(narrow, "below")
    assert.strictEqual(validate([leaf(narrow), narrow], [r]).result, "leaf < narrow < Root")
    assert.deepInclude(validate([leaf(below), below, narrow], [r]), { result: "PathLength 2", marks: "vvf" })
    // The authority changes its key, and says so under its own name.
    const renewed = intermediate(narrow, "narrow")
    assert.strictEqual(validate([leaf(renewed), renewed, narrow], [r]).result, "leaf < narrow < narrow < Root")
    const short = root("Short", { pathLength: 0 })
    const under = intermediate(short, "under")
    assert.deepInclude(validate([leaf(under), under], [short]), { result: "PathLength 2", marks: "vvf!" })
  })

  it("more intermediates than the limit", () => {
    const limits = { ...Limits.defaults, intermediates: 1 }
    const second = intermediate(i, "Second")
    assert.strictEqual(validate([l, i], [r], { limits }).result, "leaf < Intermediate < Root")
    assert.deepInclude(validate([leaf(second), second, i], [r], { limits }), { result: "ChainTooLong 2" })
    assert.strictEqual(validate([leaf(r)], [r], { limits: { ...limits, intermediates: 0 } }).result, "leaf < Root")
    assert.deepInclude(validate([l, i], [r], { limits: { ...limits, intermediates: 0 } }), { result: "ChainTooLong 1" })
    let last = r
    const chain = Array.from({ length: 10 }, (_, n) => (last = intermediate(last, `level ${n}`)))
    assert.strictEqual(validate([leaf(last), ...chain], [r]).result.split(" < ").length, 12)
    // Asked for by the caller as RFC 5280 counts: an authority's new certificate of its own is none.
    const renewed = intermediate(i, "Intermediate")
    const ofTwo = [leaf(renewed), renewed, i] as const
    assert.strictEqual(validate(ofTwo, [r], { maxPathLength: 1 }).result, "leaf < Intermediate < Intermediate < Root")
    assert.deepInclude(validate(ofTwo, [r], { maxPathLength: 0 }), { result: "ChainTooLong 2" })
    assert.deepInclude(validate([leaf(second), second, i], [r], { maxPathLength: 1 }), { result: "ChainTooLong 2" })
    const eleventh = intermediate(last, "level 10")
    assert.deepInclude(validate([leaf(eleventh), eleventh, ...chain], [r]), { result: "ChainTooLong 11" })
  })

  it("critical extensions that are not understood, and no others", () => {
    const unknown = (critical: boolean) => ({
      oid: ObjectIdentifier.make("1.2.3.4"),
      critical,
      value: Uint8Array.of(5, 0)
    })
    assert.deepInclude(validate([leaf(r, { extensions: [unknown(true)] })], [r]), { result: "CriticalExtension 0" })
    assert.strictEqual(validate([leaf(r, { extensions: [unknown(false)] })], [r]).result, "leaf < Root")
    const odd = intermediate(r, "odd", { extensions: [unknown(true)] })
    assert.deepInclude(validate([leaf(odd), odd], [r]), { result: "CriticalExtension 1" })
    // One that is not part of the path may be as odd as it likes.
    assert.strictEqual(validate([l, odd, i], [r]).result, "leaf < Intermediate < Root")
  })

  it("a leaf whose issuer has no name", () => {
    const nameless = run(
      CertificateBuilder.authority({ subject: DistinguishedName.empty, names: ["x.example"], key: ed, ...always })
    )
    assert.deepInclude(validate([leaf(nameless)], [nameless]), { result: "Nonconforming 0" })
  })
})

describe("PathValidation refuses weakness", () => {
  /** A signer that is at hand at once; the provider's own signs with RSA in another thread. */
  const rsa = (modulusLength: number): PrivateKey => {
    const pair = generateKeyPairSync("rsa", { modulusLength })
    const publicKey = PublicKey.decode(new Uint8Array(pair.publicKey.export({ format: "der", type: "spki" })))
    return makePrivateKey({
      publicKey: Either.getOrThrow(publicKey),
      schemes: [],
      sign: (algorithm, data) =>
        Effect.sync(
          () =>
            new Uint8Array(sign("hash" in algorithm ? algorithm.hash.replace("-", "") : null, data, pair.privateKey))
        )
    })
  }

  it("RSA keys of other sizes than the limits say", () => {
    const odd = rsa(2052)
    assert.deepInclude(validate([leaf(r, { key: odd })], [r]), { result: "WeakKey 0" })
    assert.include(validate([leaf(r, { key: odd })], [r]).message, "2052 bits, which is not a multiple of 8")
    const fine = leaf(r, { key: rsa(2048) })
    assert.strictEqual(validate([fine], [r]).result, "leaf < Root")
    assert.deepInclude(validate([fine], [r], { limits: { ...Limits.defaults, rsaModulusMin: 3072 } }), {
      result: "WeakKey 0"
    })
    assert.deepInclude(validate([fine], [r], { limits: { ...Limits.defaults, rsaModulusMax: 2040 } }), {
      result: "WeakKey 0"
    })
    const short = rsa(1024)
    const weakRoot = root("weak", { key: short })
    assert.deepInclude(validate([leaf(weakRoot)], [weakRoot]), { result: "WeakKey 1", marks: "vf!" })
    assert.strictEqual(
      validate([leaf(weakRoot)], [weakRoot], { limits: { ...Limits.defaults, rsaModulusMin: 1024 } }).result,
      "leaf < weak"
    )
  })

  it("RSA exponents that are even, one or endless", () => {
    const withExponent = (exponent: Uint8Array) => {
      const modulus = new Uint8Array(256).fill(0xff)
      const parts = [Der.integer(modulus), Der.integer(exponent)]
      const spki = Der.sequence(
        Der.sequence(Der.oid(oids.rsaEncryption), Der.nullValue()),
        Der.bitString(Der.sequence(...parts))
      )
      const key = { ...r.identity.privateKey, publicKey: { _tag: "Rsa", modulus, exponent, spki } } as PrivateKey
      return validate([leaf(r, { key })], [r]).result
    }
    assert.strictEqual(withExponent(Uint8Array.of(1, 0, 1)), "leaf < Root")
    assert.strictEqual(withExponent(Uint8Array.of(3)), "leaf < Root")
    assert.strictEqual(withExponent(Uint8Array.of(1)), "WeakKey 0")
    assert.strictEqual(withExponent(Uint8Array.of(4)), "WeakKey 0")
    assert.strictEqual(withExponent(new Uint8Array(9).fill(1)), "WeakKey 0")
  })

  it("keys of kinds we do not have", () => {
    const key = {
      ...r.identity.privateKey,
      publicKey: {
        _tag: "Unsupported",
        algorithm: "dsa",
        spki: Der.sequence(Der.sequence(Der.oid(oids.dsa)), Der.bitString(Uint8Array.of(2, 1, 5)))
      }
    } as PrivateKey
    assert.deepInclude(validate([leaf(r, { key })], [r]), {
      result: "WeakKey 0",
      message: `certificate 0 "CN=leaf": its key is dsa`
    })
  })

  it("an issuer's key that is no point of its curve", () => {
    const made = run(
      CertificateBuilder.authority({ subject: { CN: "Root" }, key: { _tag: "Ec", curve: "P-256" }, ...always })
    )
    const { publicKey, signatureAlgorithm } = made.certificate
    assert.strictEqual(publicKey._tag, "Ec")
    const end = leaf(made, { signatureAlgorithm: signatureAlgorithm.algorithm! })
    const der = made.certificate.der.slice()
    const at = publicKey._tag === "Ec" ? publicKey.point.byteOffset - made.certificate.der.byteOffset : 0
    der[at + 40]! ^= 1
    const broken = Either.getOrThrow(Certificates.decode(der))
    assert.deepInclude(validate([end], [broken]), { result: "WeakKey 1" })
  })

  it("hashes and algorithms that the caller does not accept, but not of an anchor's own signature", () => {
    const key = rsa(2048)
    const sha1 = { _tag: "RsaPkcs1", hash: "SHA-1" } as const
    const ca = root("Rsa", { key, signatureAlgorithm: sha1 })
    assert.strictEqual(ca.certificate.signatureAlgorithm.algorithm?._tag, "RsaPkcs1")
    const [good, old] = [leaf(ca), leaf(ca, { signatureAlgorithm: sha1 })]
    assert.strictEqual(validate([good], [ca]).result, "leaf < Rsa")
    assert.deepInclude(validate([old], [ca]), {
      result: "WeakSignature 0",
      message: `certificate 0 "CN=leaf": it is signed with RsaPkcs1 over SHA-1, which is not accepted`
    })
    const lenient = { signatureSchemes: [SignatureScheme.make(0x0201)] }
    assert.strictEqual(validate([old], [ca], lenient).result, "leaf < Rsa")
    assert.deepInclude(validate([good], [ca], lenient), { result: "WeakSignature 0" })
    const only = (name: SignatureScheme.SignatureSchemeName) => ({
      signatureSchemes: [SignatureScheme.fromName(name)!.code]
    })
    assert.deepInclude(validate([good], [ca], only("rsa_pss_rsae_sha256")), { result: "WeakSignature 0" })
    assert.deepInclude(validate([good], [ca], only("rsa_pkcs1_sha384")), { result: "WeakSignature 0" })
    assert.strictEqual(validate([good], [ca], only("rsa_pkcs1_sha256")).result, "leaf < Rsa")
    assert.deepInclude(validate([l, i], [r], only("ed448")), { result: "WeakSignature 0" })
  })

  it("an algorithm the provider cannot verify", () => {
    const outcome = run(
      Effect.gen(function* () {
        const crypto = yield* CryptoProvider
        const poor = { ...crypto, name: "poor", capabilities: { ...crypto.capabilities, verify: () => false } }
        return yield* PathValidation.build({
          role: "server",
          certificates: [leaf(r).certificate],
          anchors: TrustStore.fromCertificates([r.certificate]),
          signatureSchemes: SignatureScheme.registry.map(({ code }) => code),
          limits: Limits.defaults,
          time: now
        }).pipe(Effect.provideService(CryptoProvider, poor), Effect.flip)
      })
    )
    assert.deepInclude(outcome, { reason: "WeakSignature", depth: 0 })
    assert.include(outcome.message, "the provider poor cannot verify its signature")
  })
})

describe("PathValidation and name constraints", () => {
  const dns = (value: string): GeneralName => ({ _tag: "DnsName", value })
  const mail = (value: string): GeneralName => ({ _tag: "Rfc822Name", value })
  const uri = (value: string): GeneralName => ({ _tag: "Uri", value })
  const ip = (...bytes: ReadonlyArray<number>): GeneralName => ({ _tag: "IpAddress", bytes: Uint8Array.from(bytes) })
  const directory = (...attributes: ReadonlyArray<readonly ["organization" | "commonName", string]>): GeneralName => ({
    _tag: "DirectoryName",
    name: DistinguishedName.fromAttributes(attributes.map(([type, value]) => [oids[type], value]))
  })
  const other: GeneralName = { _tag: "OtherName", type: ObjectIdentifier.make("1.2.3"), value: Uint8Array.of(5, 0) }

  const check = (kind: "permitted" | "excluded", constraint: GeneralName, name: GeneralName): string => {
    const nameConstraints =
      kind === "permitted"
        ? { permitted: [constraint], excluded: undefined }
        : { permitted: undefined, excluded: [constraint] }
    const ca = root("Constrained", { nameConstraints })
    const subject =
      name._tag === "DirectoryName" ? { subject: name.name } : { subject: DistinguishedName.empty, names: [name] }
    const { result } = validate([leaf(ca, subject)], [ca])
    return result.startsWith("NameConstraint") ? result : "valid"
  }

  // constraint, name, whether the name is inside it
  const table: ReadonlyArray<readonly [GeneralName, GeneralName, boolean]> = [
    [dns("example.com"), dns("example.com"), true],
    [dns("example.com"), dns("a.b.example.com"), true],
    [dns("example.com"), dns("A.EXAMPLE.com"), true],
    [dns("EXAMPLE.com"), dns("a.example.com"), true],
    [dns("example.com"), dns("badexample.com"), false],
    [dns("example.com"), dns("example.com.evil.org"), false],
    [dns("example.com"), dns("*.example.com"), true],
    [dns(".example.com"), dns("a.example.com"), true],
    [dns(".example.com"), dns("*.example.com"), true],
    [dns(".example.com"), dns("example.com"), false],
    [dns("a.example.com"), dns("*.b.example.com"), false],
    [dns(""), dns("anything.example"), true],
    [mail("a@example.com"), mail("a@example.com"), true],
    [mail("a@example.com"), mail("a@EXAMPLE.com"), true],
    [mail("a@example.com"), mail("A@example.com"), false],
    [mail("a@example.com"), mail(`"a"@example.com`), true],
    [mail("a@example.com"), mail("b@example.com"), false],
    [mail("example.com"), mail("b@example.com"), true],
    [mail("example.com"), mail("b@mail.example.com"), false],
    [mail(".example.com"), mail("b@mail.example.com"), true],
    [mail(".example.com"), mail("b@example.com"), false],
    [uri("example.com"), uri("https://example.com/a?b"), true],
    [uri("example.com"), uri("https://user@EXAMPLE.com:443/"), true],
    [uri("example.com"), uri("https://www.example.com/"), false],
    [uri(".example.com"), uri("https://www.example.com/"), true],
    [uri("example.com"), uri("https://evil.org/@example.com"), false],
    [ip(192, 0, 2, 0, 255, 255, 255, 0), ip(192, 0, 2, 77), true],
    [ip(192, 0, 2, 0, 255, 255, 255, 0), ip(192, 0, 3, 77), false],
    [ip(192, 0, 2, 128, 255, 255, 255, 128), ip(192, 0, 2, 200), true],
    [ip(192, 0, 2, 128, 255, 255, 255, 128), ip(192, 0, 2, 100), false],
    [ip(0, 0, 0, 0, 0, 0, 0, 0), ip(192, 0, 3, 77), true],
    [ip(192, 0, 2, 0, 255, 255, 255, 0), ip(...Array.from({ length: 16 }, () => 0)), false],
    [directory(["organization", "Example"]), directory(["organization", "EXAMPLE "], ["commonName", "x"]), true],
    [directory(["organization", "Example"]), directory(["organization", "Other"], ["commonName", "x"]), false],
    [directory(["organization", "Example"]), directory(["commonName", "x"], ["organization", "Example"]), false]
  ]
  it.each(table)("%j and %j", (constraint, name, inside) => {
    assert.strictEqual(check("permitted", constraint, name), inside ? "valid" : "NameConstraint 0")
    assert.strictEqual(check("excluded", constraint, name), inside ? "NameConstraint 0" : "valid")
  })

  // Neither inside nor outside: what cannot be compared passes neither way.
  it.each<readonly [string, GeneralName, GeneralName]>([
    ["a wildcard over an excluded name", dns("a.example.com"), dns("*.example.com")],
    ["a DNS name that is none", dns("example.com"), dns("a..example.com")],
    ["a constraint that is a wildcard", dns("*.example.com"), dns("a.example.com")],
    ["a mailbox that is none", mail("example.com"), mail("a@b@example.com")],
    ["a constraint that is no mailbox", mail("a@b@example.com"), mail("a@example.com")],
    ["a URI without a host", uri("example.com"), uri("urn:a:b")],
    ["a URI with an address", uri("example.com"), uri("https://192.0.2.1/")],
    ["a mask with holes", ip(192, 0, 2, 0, 255, 0, 255, 0), ip(192, 0, 2, 1)],
    ["names of another form", other, other]
  ])("%s", (_, constraint, name) => {
    assert.strictEqual(check("permitted", constraint, name), "NameConstraint 0")
    assert.strictEqual(check("excluded", constraint, name), "NameConstraint 0")
  })

  it("leave forms alone that they do not mention", () => {
    assert.strictEqual(check("permitted", dns("example.com"), ip(192, 0, 2, 1)), "valid")
    assert.strictEqual(check("permitted", mail("example.com"), dns("example.org")), "valid")
    assert.strictEqual(check("excluded", other, dns("example.org")), "valid")
  })

  it("narrow from level to level, and bind intermediates too", () => {
    const wide = root("wide", { nameConstraints: { permitted: [dns("example.com")], excluded: undefined } })
    const narrow = intermediate(wide, "narrow", {
      nameConstraints: { permitted: [dns("a.example.com")], excluded: undefined }
    })
    const wider = intermediate(wide, "wider", { nameConstraints: { permitted: [dns("com")], excluded: undefined } })
    const of = (ca: Issued, name: string) => validate([leaf(ca, { names: [name] }), ca], [wide]).result
    assert.strictEqual(of(narrow, "x.a.example.com"), "leaf < narrow < wide")
    assert.strictEqual(of(narrow, "b.example.com"), "NameConstraint 0")
    assert.strictEqual(of(wider, "b.example.com"), "leaf < wider < wide")
    assert.strictEqual(of(wider, "b.example.org".replace("org", "com.org")), "NameConstraint 0")
    const named = intermediate(wide, "named", { names: ["ca.example.org"] })
    assert.deepInclude(validate([leaf(named, { names: ["b.example.com"] }), named], [wide]), {
      result: "NameConstraint 1"
    })
    const selfIssued = intermediate(wide, "wide", { names: ["ca.example.org"] })
    assert.strictEqual(
      validate([leaf(selfIssued, { names: ["b.example.com"] }), selfIssued], [wide]).result,
      "leaf < wide < wide"
    )
  })

  it("apply to the subject's mailbox where there are no other names", () => {
    const ca = root("Constrained", { nameConstraints: { permitted: [mail("example.com")], excluded: undefined } })
    const of = (emailAddress: string, names: ReadonlyArray<string> = []) =>
      validate([leaf(ca, { subject: { CN: "leaf", emailAddress }, names })], [ca]).result
    assert.strictEqual(of("a@example.com"), "leaf < Constrained")
    assert.strictEqual(of("a@example.org"), "NameConstraint 0")
    assert.strictEqual(of("a@example.org", ["leaf.example"]), "leaf < Constrained")
  })

  it("on mailboxes hold for those beyond ASCII, which are other names", () => {
    const international = (value: Uint8Array): GeneralName => ({ _tag: "OtherName", type: oids.smtpUtf8Mailbox, value })
    const utf8 = (text: string) => international(Der.utf8String(text))
    assert.strictEqual(check("permitted", mail("example.com"), utf8("ü@example.com")), "valid")
    assert.strictEqual(check("permitted", mail("example.com"), utf8("ü@example.org")), "NameConstraint 0")
    assert.strictEqual(check("excluded", mail("example.com"), utf8("ü@example.com")), "NameConstraint 0")
    assert.strictEqual(check("excluded", mail("example.com"), utf8("ü@example.org")), "valid")
    assert.strictEqual(check("permitted", dns("example.com"), utf8("ü@example.org")), "valid")
    const noText = international(Uint8Array.of(5, 0))
    assert.strictEqual(check("permitted", mail("example.com"), noText), "NameConstraint 0")
    assert.strictEqual(check("excluded", mail("example.com"), noText), "NameConstraint 0")
  })

  it("are also the caller's to set", () => {
    const nameConstraints = { permitted: [dns("leaf.example")], excluded: [dns("example.org")] }
    assert.strictEqual(validate([l, i], [r], { nameConstraints }).result, "leaf < Intermediate < Root")
    const far = leaf(i, { names: ["a.example"] })
    const outcome = validate([far, i], [r], { nameConstraints })
    assert.deepInclude(outcome, { result: "NameConstraint 0", marks: "fuu!" })
    assert.include(outcome.message, "DNS:a.example is not among the permitted names that the caller accepts")
    const named = intermediate(r, "named", { names: ["ca.example.org"] })
    assert.deepInclude(validate([leaf(named), named], [r], { nameConstraints }), { result: "NameConstraint 1" })
    // An anchor vouches for others, not for its own names; a leaf that is trusted has to have the right ones.
    const anchor = root("named", { names: ["ca.example.org"] })
    assert.strictEqual(validate([leaf(anchor)], [anchor], { nameConstraints }).result, "leaf < named")
    assert.deepInclude(validate([far], [far], { nameConstraints }), { result: "NameConstraint 0" })
    const limits = { ...Limits.defaults, nameConstraintComparisons: 1 }
    assert.deepInclude(validate([l, i], [r], { nameConstraints, limits }), { result: "BudgetExceeded 0" })
  })

  it("are another path's affair", () => {
    const ca = root("Constrained", { nameConstraints: { permitted: [dns("example.com")], excluded: undefined } })
    const open = root("Constrained", { key: ca.identity.privateKey, notBefore: new Date(now - 101 * day) })
    assert.strictEqual(validate([leaf(ca)], [ca, open]).result, "leaf < Constrained")
  })
})

describe("PathValidation and certificate policies", () => {
  const policy = ObjectIdentifier.make("2.999.1")
  const stating = (...policies: ReadonlyArray<ObjectIdentifier.ObjectIdentifier>) =>
    CertificateExtension.make({
      _tag: "CertificatePolicies",
      policies: policies.map((stated) => ({ policy: stated, qualifiers: [] }))
    })
  const requiring = CertificateExtension.make({
    _tag: "PolicyConstraints",
    requireExplicitPolicy: 0,
    inhibitPolicyMapping: undefined
  })
  const strict = intermediate(r, "strict", { extensions: [stating(policy), requiring] })

  it("refuses a path without the policy that an authority or the caller requires", () => {
    const bare = validate([leaf(strict), strict], [r])
    assert.deepInclude(bare, { result: "Policy 0", marks: "fuu!", code: "CERT_REJECTED" })
    assert.include(bare.message, "a certificate policy is required")
    const stated = leaf(strict, { extensions: [stating(policy)] })
    assert.strictEqual(validate([stated, strict], [r]).result, "leaf < strict < Root")
    const policies = { requireExplicitPolicy: true, acceptable: [ObjectIdentifier.make("2.999.2")] }
    assert.deepInclude(validate([stated, strict], [r], { policies }), { result: "Policy 0" })
    assert.deepInclude(validate([l, i], [r], { policies: { requireExplicitPolicy: true } }), { result: "Policy 1" })
  })

  it("looks for another path", () => {
    const lax = cross(strict, r, { notBefore: new Date(now - 101 * day) })
    const { result } = validate([leaf(strict), strict, lax], [r])
    assert.strictEqual(result, "leaf < strict < Root")
    assert.deepInclude(validate([leaf(strict), strict], [r]), { result: "Policy 0" })
  })

  it("says more of a path that reached its anchor than of one that did not", () => {
    const far = cross(strict, intermediate(root("Stranger"), "Far"), { notBefore: new Date(now - 101 * day) })
    assert.deepInclude(validate([leaf(strict), far, strict], [r]), { result: "Policy 0", marks: "fuu!" })
  })

  it("ends where they are too many", () => {
    const many = Array.from({ length: 50 }, (_, n) => ObjectIdentifier.make(`2.999.${n}`))
    const ca = intermediate(r, "many", { extensions: [stating(...many)] })
    const end = leaf(ca, { extensions: [stating(...many)] })
    const limits = (pathPolicies: number) => ({ limits: { ...Limits.defaults, pathPolicies } })
    assert.strictEqual(validate([end, ca], [r], limits(200)).result, "leaf < many < Root")
    assert.deepInclude(validate([end, ca], [r], limits(100)), { result: "BudgetExceeded 0" })
  })
})

describe("PathValidation's effort", () => {
  it("ends after as many signatures as the limit says", () => {
    // Every one has the leaf's issuer's name and key identifier, and none its key.
    const identifier = CertificateExtension.encodeSubjectKeyIdentifier(i.certificate.subjectKeyIdentifier!)
    const decoys = Array.from({ length: 5 }, () => intermediate(r, "Intermediate", { extensions: [identifier] }))
    const limits = (pathSignatures: number) => ({ limits: { ...Limits.defaults, pathSignatures } })
    assert.deepInclude(validate([l, ...decoys], [r], limits(4)), { result: "BudgetExceeded 0" })
    assert.deepInclude(validate([l, ...decoys], [r], limits(5)), { result: "BadSignature 0" })
  })

  it("ends where there are more ways than anybody could go", () => {
    const authorities = Array.from({ length: 8 }, (_, n) => root(`Authority ${n}`))
    const links = authorities.flatMap((a) => authorities.flatMap((b) => (a === b ? [] : [cross(a, b)])))
    const start = performance.now()
    const { result } = validate([leaf(authorities[0]!), ...links], [r])
    assert.strictEqual(result.split(" ")[0], "BudgetExceeded")
    assert.isBelow(performance.now() - start, 10_000)
  })

  it("ends with names and constraints by the thousand", () => {
    const many = (suffix: string) =>
      Array.from({ length: 2000 }, (_, n): GeneralName => ({ _tag: "DnsName", value: `n${n}.${suffix}` }))
    const ca = root("Many", { nameConstraints: { permitted: undefined, excluded: many("a.example") } })
    const end = leaf(ca, { names: many("b.example") })
    const start = performance.now()
    assert.deepInclude(validate([end], [ca]), { result: "BudgetExceeded 1" })
    assert.isBelow(performance.now() - start, 5000)
    const limits = { ...Limits.defaults, nameConstraintComparisons: 4_000_000 }
    assert.strictEqual(validate([end], [ca], { limits }).result, "leaf < Many")
  })

  it("does not show a name without end", () => {
    const { message } = validate([leaf(r, { subject: { O: "x".repeat(10_000) }, ...expired })], [r])
    assert.isBelow(message.length, 400)
    const endless = CertificateExtension.make({
      _tag: "AuthorityInfoAccess",
      descriptions: [{ method: oids.caIssuers, location: { _tag: "Uri", value: "x".repeat(10_000) } }]
    })
    assert.isBelow(validate([leaf(root("Far"), { extensions: [endless] })], [r]).message.length, 500)
  })
})

describe("PathValidation's memory of signatures", () => {
  /** How many signatures a provider of one's own has verified, and its layer. */
  const counting = () => {
    const verified: Array<Uint8Array> = []
    const { verify, ...rest } = NodeCrypto.make()
    const crypto: CryptoProviderService = {
      ...rest,
      verify: (algorithm, key, data, signature) => {
        verified.push(data)
        return verify(algorithm, key, data, signature)
      }
    }
    return { verified, provide: Effect.provideService(CryptoProvider, crypto) }
  }

  it("verifies a certificate's signature once", () => {
    const ca = root()
    const middle = intermediate(ca)
    const end = leaf(middle)
    const { provide, verified } = counting()
    assert.strictEqual(Effect.runSync(provide(validation([end, middle], [ca]))).result, "leaf < Intermediate < Root")
    assert.strictEqual(verified.length, 2)
    assert.strictEqual(Effect.runSync(provide(validation([end, middle], [ca]))).result, "leaf < Intermediate < Root")
    assert.strictEqual(verified.length, 2)
    // Another provider makes up its own mind, and time goes on whatever was verified.
    const other = counting()
    assert.strictEqual(
      Effect.runSync(other.provide(validation([end, middle], [ca]))).result,
      "leaf < Intermediate < Root"
    )
    assert.strictEqual(other.verified.length, 2)
    const later = validation([end, middle], [ca], { time: now + 1000 * day })
    assert.strictEqual(Effect.runSync(provide(later)).result, "Expired 0")
  })

  it("believes it of that issuer only", () => {
    const ca = root()
    const end = leaf(ca)
    const impostor = root()
    const { provide, verified } = counting()
    assert.strictEqual(Effect.runSync(provide(validation([end], [ca]))).result, "leaf < Root")
    assert.notStrictEqual(Effect.runSync(provide(validation([end], [impostor]))).result, "leaf < Root")
    const before = verified.length
    // And what was wrong is looked at again.
    assert.notStrictEqual(Effect.runSync(provide(validation([end], [impostor]))).result, "leaf < Root")
    assert.isAbove(verified.length, before)
  })
})

describe("PathValidation's conformance", () => {
  const strict = { conformance: "rfc5280" } as const
  it("lets pass in practice what RFC 5280 forbids without harm", () => {
    const noncritical = root("Root", {
      extensions: [
        { ...CertificateExtension.encodeBasicConstraints({ ca: true, pathLength: undefined }), critical: false }
      ]
    })
    assert.strictEqual(validate([leaf(noncritical)], [noncritical]).result, "leaf < Root")
    assert.deepInclude(validate([leaf(noncritical)], [noncritical], strict), { result: "Nonconforming 1" })
    const dotted = root("Root", {
      nameConstraints: { permitted: [{ _tag: "DnsName", value: ".example" }], excluded: undefined }
    })
    assert.strictEqual(validate([leaf(dotted)], [dotted]).result, "leaf < Root")
    assert.deepInclude(validate([leaf(dotted)], [dotted], strict), { result: "Nonconforming 1" })
    const unmarked = leaf(r, {
      subject: DistinguishedName.empty,
      names: ["a.example"],
      extensions: [CertificateExtension.encodeSubjectAltName([{ _tag: "DnsName", value: "a.example" }], false)]
    })
    assert.strictEqual(validate([unmarked], [r]).result, "- < Root")
    assert.deepInclude(validate([unmarked], [r], strict), { result: "Nonconforming 0" })
  })

  it("asks for every MUST of RFC 5280's profile", () => {
    const of = (options: CertificateOptions) => validate([leaf(r, options)], [r], strict).message
    const usage = (...usages: ReadonlyArray<CertificateExtension.KeyUsage>) =>
      CertificateExtension.encodeKeyUsage(usages)
    const nothing = { ...usage("cRLSign"), value: Der.bitString(new Uint8Array(0)) }
    assert.include(of({ extensions: [nothing] }), "it has a key usage of nothing")
    assert.include(of({ extensions: [usage("digitalSignature", "keyCertSign")] }), "its key may issue certificates")
    const limited = CertificateExtension.encodeBasicConstraints({ ca: false, pathLength: 0 })
    assert.include(of({ extensions: [limited] }), "it has a path length without being an authority")
    const inhibiting = { oid: oids.inhibitAnyPolicy, critical: false, value: Der.integer(0) }
    assert.include(of({ extensions: [inhibiting] }), "its inhibiting of any policy is not critical")
    const constraining = { oid: oids.policyConstraints, critical: false, value: Der.sequence(Der.integer(5, 0x80)) }
    assert.include(of({ extensions: [constraining] }), "its policy constraints are not critical")
    const named = CertificateExtension.encodeNameConstraints({
      permitted: [{ _tag: "DnsName", value: "leaf.example" }],
      excluded: undefined
    })
    const uncritical = root("Root", { extensions: [{ ...named, critical: false }] })
    assert.include(validate([leaf(uncritical)], [uncritical], strict).message, "its name constraints are not critical")
    assert.strictEqual(validate([leaf(uncritical)], [uncritical]).result, "leaf < Root")
    for (const extension of [limited, inhibiting, constraining]) {
      assert.strictEqual(validate([leaf(r, { extensions: [extension] })], [r]).result, "leaf < Root")
    }
  })

  it("that is the algorithm's asks for nothing beside", () => {
    const algorithm = { conformance: "algorithm" } as const
    const authority = intermediate(r, "authority", {
      extensions: [CertificateExtension.encodeKeyUsage(["digitalSignature", "keyCertSign"])]
    })
    assert.strictEqual(validate([authority], [r], algorithm).result, "authority < Root")
    const mail = intermediate(r, "mail", {
      extensions: [CertificateExtension.encodeExtendedKeyUsage([oids.emailProtection])]
    })
    assert.strictEqual(validate([leaf(mail), mail], [r], algorithm).result, "leaf < mail < Root")
    assert.deepInclude(validate([leaf(r, { purposes: ["clientAuth"] })], [r], algorithm), {
      result: "ExtendedKeyUsage 0"
    })
    assert.deepInclude(validate([leaf(i, expired), i], [r], algorithm), { result: "Expired 0" })
  })

  it("asks for more where the web does", () => {
    const web = { conformance: "webpki" } as const
    assert.include(validate([l, i], [r], web).message, "its key is neither RSA nor of a NIST curve")
    const key = { _tag: "Ec", curve: "P-256" } as const
    const webRoot = root("Root", { key })
    const { oid, value } = CertificateExtension.encodeExtendedKeyUsage([oids.serverAuth])
    const of = (options: CertificateOptions) => validate([leaf(webRoot, { key, ...options })], [webRoot], web).message
    const any = CertificateExtension.encodeExtendedKeyUsage([oids.anyExtendedKeyUsage])
    assert.include(of({ extensions: [any] }), "its extended key usage includes any")
    assert.include(of({ extensions: [{ oid, critical: true, value }] }), "its extended key usage is critical")
    assert.include(of({ purposes: [] }), "it has no extended key usage")
    assert.include(of({ key: ed }), "its key is neither RSA nor of a NIST curve")
    const names = CertificateExtension.encodeSubjectAltName([{ _tag: "DnsName", value: "leaf.example" }], true)
    assert.include(of({ extensions: [names] }), "its names are critical, and it has a subject besides")
    const rsa1 = { _tag: "Ecdsa", hash: "SHA-1" } as const
    assert.include(of({ signatureAlgorithm: rsa1 }), "it is signed by other algorithms than RSA and ECDSA over SHA-2")
    const identifier = (...fields: ReadonlyArray<Uint8Array>) => ({
      oid: oids.authorityKeyIdentifier,
      critical: false,
      value: Der.sequence(Der.value(0x80, webRoot.certificate.subjectKeyIdentifier!), ...fields)
    })
    const serial = Der.value(0x82, Uint8Array.of(1))
    const issuer = Der.value(0xa1, Der.value(0xa4, webRoot.certificate.subject.der))
    assert.include(of({ extensions: [identifier(issuer, serial)] }), "its authority key identifier has an issuer")
    assert.include(of({ extensions: [identifier(issuer)] }), "its authority key identifier has an issuer")
    const asRoot = (options: AuthorityOptions) => {
      const ca = root("Root", { key, ...options })
      return validate([leaf(ca, { key })], [ca], web).message
    }
    assert.include(asRoot({ purposes: ["serverAuth"] }), "it is a root with an extended key usage")
    const other = CertificateExtension.encodeAuthorityKeyIdentifier(Uint8Array.of(1, 2, 3))
    assert.include(asRoot({ extensions: [other] }), "whose authority key identifier is not that of its own key")
    const unsaid = { oid: oids.authorityKeyIdentifier, critical: false, value: Der.sequence() }
    assert.include(asRoot({ extensions: [unsaid] }), "whose authority key identifier is not that of its own key")
    assert.include(asRoot({ signatureAlgorithm: rsa1 }), "it is signed by other algorithms")
  })

  it("accepts what is all in order", () => {
    const key = { _tag: "Ec", curve: "P-256" } as const
    const webRoot = root("Root", { key })
    const middle = intermediate(webRoot, "Intermediate", { key })
    for (const conformance of ["algorithm", "practice", "rfc5280", "webpki"] as const) {
      const { result } = validate([leaf(middle, { key }), middle], [webRoot], { conformance })
      assert.strictEqual(result, "leaf < Intermediate < Root")
    }
  })
})
