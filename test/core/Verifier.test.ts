import { assert, describe, it } from "@effect/vitest"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import { createHash } from "node:crypto"
import type { CertificateOptions, Issued } from "../support/uncheckedBuilder.ts"
import * as CertificateBuilder from "../support/uncheckedBuilder.ts"
import type { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import * as ServerIdentity from "../../src/core/ServerIdentity.ts"
import * as TrustStore from "../../src/core/TrustStore.ts"
import type { VerificationRequest } from "../../src/core/Verifier.ts"
import * as Verifier from "../../src/core/Verifier.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import type { Certificate } from "../../src/schema/Certificate.ts"
import * as CertificateExtension from "../../src/schema/CertificateExtension.ts"
import * as Limits from "../../src/schema/Limits.ts"
import type { ObjectIdentifier } from "../../src/schema/ObjectIdentifier.ts"
import { make as oid, oids } from "../../src/schema/ObjectIdentifier.ts"
import * as ServerName from "../../src/schema/ServerName.ts"
import * as SignatureScheme from "../../src/schema/SignatureScheme.ts"
import type { CertificateReason } from "../../src/schema/TlsError.ts"
import * as TlsError from "../../src/schema/TlsError.ts"

const now = Date.UTC(2030, 0, 1)
const dates = { notBefore: new Date(now - 86_400_000), notAfter: new Date(now + 86_400_000) }
const run = <A, E>(effect: Effect.Effect<A, E, CryptoProvider>): A =>
  Effect.runSync(Effect.provide(effect, NodeCrypto.layer))
const key: CertificateOptions["key"] = { _tag: "Ed25519" }

const ca = run(CertificateBuilder.authority({ subject: { CN: "Root" }, key, ...dates }))
const other = run(CertificateBuilder.authority({ subject: { CN: "Other" }, key, ...dates }))
const leaf = run(CertificateBuilder.issue(ca, { names: ["a.example", "192.0.2.1"], key, ...dates }))
const store = TrustStore.fromCertificates([ca.certificate])
const otherStore = TrustStore.fromCertificates([other.certificate])

const request = (
  certificates: NonEmptyReadonlyArray<Issued> = [leaf],
  name: string | undefined = "a.example",
  role: "server" | "client" = "server"
): VerificationRequest => ({
  role,
  certificates: certificates.map(({ certificate }) => certificate) as unknown as NonEmptyReadonlyArray<Certificate>,
  serverName: name === "" ? Option.none() : Option.some(Either.getOrThrow(ServerName.parse(name))),
  signatureSchemes: SignatureScheme.registry.map(({ code }) => code),
  limits: Limits.defaults
})

/** Who vouches for the peer, or why it is refused. */
const verdict = (verifier: Verifier.Verifier, asked: VerificationRequest = request()) =>
  Effect.match(verifier.verify(asked), {
    onFailure: ({ reason }): string => reason,
    onSuccess: ({ path, vouchedBy }): string =>
      `${path.map(({ subject }) => subject.commonName).join(" < ")} by ${vouchedBy}`
  }).pipe(Effect.provide(NodeCrypto.layer))

const atNow = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.zipRight(TestClock.setTime(now), effect)

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest()
const pinOf = ({ certificate }: Issued) => sha256(certificate.publicKey.spki).toString("base64")
const webPkiName = "webPki(the one trusted certificate)"

describe("Verifier", () => {
  it.effect("webPki wants a path and the name", () =>
    atNow(
      Effect.gen(function* () {
        const verifier = Verifier.webPki(store)
        assert.strictEqual(yield* verdict(verifier), `a.example < Root by ${webPkiName}`)
        assert.strictEqual(yield* verdict(verifier, request([leaf], "192.0.2.1")), `a.example < Root by ${webPkiName}`)
        assert.strictEqual(yield* verdict(verifier, request([leaf], "", "client")), `a.example < Root by ${webPkiName}`)
        assert.strictEqual(yield* verdict(verifier, request([leaf], "b.example")), "NameMismatch")
        assert.strictEqual(yield* verdict(Verifier.webPki(otherStore)), "MissingIntermediate")
        yield* TestClock.adjust("2 days")
        assert.strictEqual(yield* verdict(verifier), "Expired")
        yield* TestClock.setTime(0)
        assert.strictEqual(yield* verdict(verifier), "NotYetValid")
      })
    )
  )

  it.effect("takes an identity of another kind after webPki", () =>
    atNow(
      Effect.gen(function* () {
        const spiffe = (id: string) =>
          Verifier.and(
            Verifier.webPki(store),
            Verifier.custom("spiffe", (asked) =>
              asked.certificates[0].subjectAltNames.some((name) => name._tag === "Uri" && name.value === id)
                ? Effect.void
                : Verifier.refuse(asked, "AccessDenied", `it is not ${id}`)
            )
          )
        const workload = run(CertificateBuilder.issue(ca, { names: ["spiffe://a.example/web"], key, ...dates }))
        const asked = Verifier.makeRequest([workload.certificate], { role: "client" })
        assert.strictEqual(
          yield* verdict(spiffe("spiffe://a.example/web"), asked),
          ` < Root by ${webPkiName} and spiffe`
        )
        assert.strictEqual(yield* verdict(spiffe("spiffe://a.example/db"), asked), "AccessDenied")
        // A URI is never the name of a TLS server.
        assert.strictEqual(yield* verdict(Verifier.webPki(store), request([workload])), "NameMismatch")
      })
    )
  )

  it.effect("verifies what did not come by a handshake, with a handshake's defaults", () =>
    atNow(
      Effect.gen(function* () {
        const ask = (options?: Parameters<typeof Verifier.makeRequest>[1]) =>
          verdict(Verifier.webPki(store), Verifier.makeRequest([leaf.certificate], options))
        const serverName = Either.getOrThrow(ServerName.parse("b.example"))
        assert.strictEqual(yield* ask(), `a.example < Root by ${webPkiName}`)
        assert.strictEqual(yield* ask({ serverName }), "NameMismatch")
        assert.strictEqual(yield* ask({ signatureSchemes: [] }), "WeakSignature")
        const server = run(
          CertificateBuilder.issue(ca, { names: ["a.example"], key, purposes: ["serverAuth"], ...dates })
        )
        const asked = Verifier.makeRequest([server.certificate], { role: "client" })
        assert.strictEqual(yield* verdict(Verifier.webPki(store), asked), "ExtendedKeyUsage")
        assert.deepStrictEqual(Verifier.makeRequest([leaf.certificate]).limits, Limits.defaults)
      })
    )
  )

  it.effect("webPki compares names as it is told, after all else", () =>
    atNow(
      Effect.gen(function* () {
        const named = run(CertificateBuilder.issue(ca, { subject: { CN: "a.example" }, key, ...dates }))
        const nameless = yield* Effect.flip(
          Effect.provide(Verifier.webPki(store).verify(request([named])), NodeCrypto.layer)
        )
        assert.strictEqual(nameless.reason, "NameMismatch")
        assert.include(nameless.message, "it has no subjectAltName, and a common name does not count")
        const old = Verifier.webPki(store, { matchesServerName: ServerIdentity.matchesWithCommonName })
        assert.strictEqual(yield* verdict(old, request([named])), `a.example < Root by ${webPkiName}`)
        assert.strictEqual(yield* verdict(old, request([named], "b.example")), "NameMismatch")

        // An authority that may not issue for a host may not by a common name either.
        const nameConstraints = { permitted: [{ _tag: "DnsName", value: "b.example" }] as const, excluded: undefined }
        const bound = run(
          CertificateBuilder.issueAuthority(ca, { subject: { CN: "Bound" }, key, nameConstraints, ...dates })
        )
        const [inside, outside] = ["x.b.example", "a.example"].map((CN) =>
          run(CertificateBuilder.issue(bound, { subject: { CN }, key, ...dates }))
        )
        const sent = (end: Issued, name: string) => verdict(old, request([end, bound], name))
        assert.strictEqual(yield* sent(inside!, "x.b.example"), `x.b.example < Bound < Root by ${webPkiName}`)
        assert.strictEqual(yield* sent(outside!, "a.example"), "NameConstraint")
        // As long as it is text for people, it may be what it likes.
        assert.strictEqual(
          yield* verdict(Verifier.webPki(store), request([outside!, bound], "", "client")),
          `a.example < Bound < Root by ${webPkiName}`
        )

        let asked = 0
        const matchesServerName = () => {
          asked++
          return true
        }
        const any = { matchesServerName }
        assert.strictEqual(
          yield* verdict(Verifier.webPki(store, any), request([leaf], "b.example")),
          `a.example < Root by ${webPkiName}`
        )
        assert.strictEqual(asked, 1)
        assert.strictEqual(yield* verdict(Verifier.webPki(otherStore, any)), "MissingIntermediate")
        assert.strictEqual(asked, 1)
      })
    )
  )

  it.effect("webPki says which certificate policies a path is valid for, also in an `and`", () =>
    atNow(
      Effect.gen(function* () {
        const policy = oid("2.999.1")
        const stating = CertificateExtension.make({
          _tag: "CertificatePolicies",
          policies: [{ policy, qualifiers: [] }]
        })
        const stated = run(CertificateBuilder.issue(ca, { names: ["a.example"], key, extensions: [stating], ...dates }))
        const webPki = (...acceptable: ReadonlyArray<ObjectIdentifier>) =>
          Verifier.webPki(store, { policies: { requireExplicitPolicy: true, acceptable } })
        const pinned = Verifier.and(webPki(policy), Verifier.pinSha256([pinOf(stated)]))
        for (const verifier of [webPki(policy), pinned]) {
          const { policies } = yield* Effect.provide(verifier.verify(request([stated])), NodeCrypto.layer)
          assert.deepStrictEqual(policies, { authorityConstrained: [policy], userConstrained: [policy] })
        }
        assert.strictEqual(yield* verdict(webPki(oid("2.999.2")), request([stated])), "Policy")
        assert.strictEqual(yield* verdict(webPki(policy)), "Policy")
      })
    )
  )

  it.effect("webPki takes what ends a path, how long it may be and what it is for as options", () =>
    atNow(
      Effect.gen(function* () {
        const middle = run(CertificateBuilder.issueAuthority(ca, { subject: { CN: "Middle" }, key, ...dates }))
        const end = run(
          CertificateBuilder.issue(middle, { names: ["a.example"], key, purposes: ["clientAuth"], ...dates })
        )
        const asked = request([end, middle], "a.example", "client")
        const of = (options: Verifier.WebPkiOptions) => verdict(Verifier.webPki(store, options), asked)
        assert.strictEqual(yield* of({ maxPathLength: 1 }), `a.example < Middle < Root by ${webPkiName}`)
        assert.strictEqual(yield* of({ maxPathLength: 0 }), "ChainTooLong")
        assert.strictEqual(yield* of({ purposes: [oids.serverAuth] }), "ExtendedKeyUsage")
        const middleStore = TrustStore.fromCertificates([middle.certificate])
        assert.strictEqual(yield* verdict(Verifier.webPki(middleStore), asked), "PartialChain")
        assert.strictEqual(
          yield* verdict(Verifier.webPki(middleStore, { partialChain: true }), asked),
          `a.example < Middle by ${webPkiName}`
        )
      })
    )
  )

  it.effect("webPkiCurrent trusts what the current store trusts, and nobody without one", () =>
    atNow(
      Effect.gen(function* () {
        assert.strictEqual(yield* verdict(Verifier.webPkiCurrent), "UnknownIssuer")
        const error = yield* Effect.flip(Verifier.webPkiCurrent.verify(request())).pipe(
          Effect.provide(NodeCrypto.layer)
        )
        assert.include(error.message, "nobody is trusted, since no trust anchors are configured")
        const trusting = verdict(Verifier.webPkiCurrent)
        assert.strictEqual(
          yield* Effect.provide(trusting, TrustStore.layer(store)),
          `a.example < Root by ${webPkiName}`
        )
        const added = Effect.provide(trusting, TrustStore.layerAdd(store)).pipe(
          Effect.provide(TrustStore.layer(otherStore))
        )
        assert.include(yield* added, "a.example < Root by")
        assert.strictEqual(
          yield* Effect.provideService(trusting, TrustStore.Current, otherStore),
          "MissingIntermediate"
        )
      })
    )
  )

  it.effect("a wrong name is told with both names", () =>
    atNow(
      Effect.gen(function* () {
        const error = yield* Effect.flip(Verifier.webPki(store).verify(request([leaf], "b.example")))
        assert.deepInclude(error, {
          reason: "NameMismatch",
          code: "HOSTNAME_MISMATCH",
          depth: 0,
          expectedName: "b.example",
          message: `certificate 0 "CN=a.example": it is not for b.example: it is for DNS:a.example, IP:192.0.2.1`
        })
        assert.deepStrictEqual(error.presentedNames, ["DNS:a.example", "IP:192.0.2.1"])
        assert.deepStrictEqual(
          error.chain.map(({ anchor, fingerprint256, mark, subject }) => ({ anchor, fingerprint256, mark, subject })),
          [
            {
              anchor: false,
              mark: "failed",
              subject: "CN=a.example",
              fingerprint256: sha256(leaf.certificate.der).toString("hex")
            },
            {
              anchor: true,
              mark: "unchecked",
              subject: "CN=Root",
              fingerprint256: sha256(ca.certificate.der).toString("hex")
            }
          ]
        )
        // It crosses a wire.
        const encoded = JSON.stringify(Schema.encodeSync(TlsError.CertificateError)(error))
        assert.strictEqual(Schema.decodeSync(TlsError.CertificateError)(JSON.parse(encoded)).message, error.message)
      }).pipe(Effect.provide(NodeCrypto.layer))
    )
  )

  it.effect("serverName looks at the name alone", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* verdict(Verifier.serverName), "a.example by serverName")
      assert.strictEqual(yield* verdict(Verifier.serverName, request([leaf], "b.example")), "NameMismatch")
      assert.strictEqual(yield* verdict(Verifier.serverName, request([leaf], "")), "a.example by serverName")
    })
  )

  it.effect("pinSha256 alone believes the peer's own key only", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* verdict(Verifier.pinSha256([pinOf(other), pinOf(leaf)])), "a.example by pinSha256")
      assert.strictEqual(yield* verdict(Verifier.pinSha256([`sha256/${pinOf(leaf)}`])), "a.example by pinSha256")
      assert.strictEqual(yield* verdict(Verifier.pinSha256([pinOf(other)])), "Pin")
      // Anybody can send a certificate whose key is pinned behind their own.
      assert.strictEqual(yield* verdict(Verifier.pinSha256([pinOf(ca)]), request([leaf, ca])), "Pin")
    })
  )

  it.effect("pinSha256 after webPki believes every key of the path, and no other", () =>
    atNow(
      Effect.gen(function* () {
        const pinned = (pin: Issued) => Verifier.webPki(store).pipe(Verifier.and(Verifier.pinSha256([pinOf(pin)])))
        assert.strictEqual(yield* verdict(pinned(ca)), `a.example < Root by ${webPkiName} and pinSha256`)
        assert.strictEqual(yield* verdict(pinned(leaf)), `a.example < Root by ${webPkiName} and pinSha256`)
        assert.strictEqual(yield* verdict(pinned(other), request([leaf, other])), "Pin")
        // Only a path that was built is one: what comes after a verifier that built none sees the leaf.
        const pin = Verifier.pinSha256([pinOf(ca)])
        const idle = [
          Verifier.dangerouslySkipVerification,
          Verifier.serverName,
          Verifier.custom("x", () => Effect.void)
        ]
        for (const first of idle) {
          assert.strictEqual(yield* verdict(Verifier.and(first, pin), request([leaf, ca])), "Pin")
          const built = Verifier.and(Verifier.and(first, Verifier.webPki(store)), pin)
          assert.include(yield* verdict(built, request([leaf, ca])), "a.example < Root by")
        }
      })
    )
  )

  it.effect("fingerprint believes one certificate", () =>
    Effect.gen(function* () {
      const print = sha256(leaf.certificate.der).toString("hex")
      const colons = print.toUpperCase().match(/../g)!.join(":")
      assert.strictEqual(yield* verdict(Verifier.fingerprint(print)), "a.example by fingerprint")
      assert.strictEqual(yield* verdict(Verifier.fingerprint("00".repeat(32), colons)), "a.example by fingerprint")
      assert.strictEqual(yield* verdict(Verifier.fingerprint("00".repeat(32))), "Pin")
      const ofRoot = Verifier.fingerprint(sha256(ca.certificate.der).toString("hex"))
      assert.strictEqual(yield* verdict(ofRoot, request([leaf, ca])), "Pin")
    })
  )

  it("pins that can never match are refused at once", () => {
    const message = (make: () => unknown) => Either.getOrThrow(Either.flip(Either.try(make))) as Error
    assert.include(message(() => Verifier.pinSha256(["abc"])).message, `pinSha256[0]: "abc" is not a SHA-256 hash`)
    assert.include(
      message(() => Verifier.fingerprint("00".repeat(32), "00")).message,
      `fingerprint[1]: "00" is not a SHA-256 hash`
    )
    assert.instanceOf(
      message(() => Verifier.fingerprint("zz".repeat(32))),
      TlsError.TlsConfigError
    )
  })

  it.effect("custom decides by an effect of its own", () =>
    Effect.gen(function* () {
      const only = (name: string) =>
        Verifier.custom("only", (asked) =>
          asked.certificates[0].subject.commonName === name
            ? Effect.void
            : Verifier.refuse(asked, "AccessDenied", "not on the list")
        )
      assert.strictEqual(yield* verdict(only("a.example")), "a.example by only")
      assert.strictEqual(yield* verdict(only("b.example")), "AccessDenied")
      const error = yield* Effect.flip(only("b.example").verify(request()))
      assert.strictEqual(error.message, `certificate 0 "CN=a.example": not on the list`)
      assert.deepStrictEqual(Option.getOrThrow(TlsError.alertOf(error)), 49)
    }).pipe(Effect.provide(NodeCrypto.layer))
  )

  it.effect("dangerouslySkipVerification accepts anybody", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        yield* verdict(Verifier.dangerouslySkipVerification, request([leaf, other], "x.example")),
        "a.example < Other by dangerouslySkipVerification"
      )
    })
  )

  it.effect("and wants both, or wants one", () =>
    Effect.gen(function* () {
      const yes = Verifier.custom("yes", () => Effect.void)
      const no = (name: string, reason: CertificateReason) =>
        Verifier.custom(name, (asked) => Verifier.refuse(asked, reason, `${name} says no`))
      const [a, b] = [no("a", "Pin"), no("b", "AccessDenied")]
      assert.strictEqual(yield* verdict(Verifier.and(yes, yes)), "a.example by yes and yes")
      assert.strictEqual(yield* verdict(Verifier.and(a, yes)), "Pin")
      assert.strictEqual(yield* verdict(Verifier.and(yes, b)), "AccessDenied")
      assert.strictEqual(yield* verdict(Verifier.or(a, yes)), "a.example by yes")
      assert.strictEqual(yield* verdict(yes.pipe(Verifier.or(b))), "a.example by yes")
      assert.strictEqual(yield* verdict(Verifier.or(a, b)), "Pin")
      const error = yield* Effect.flip(Verifier.or(a, b).verify(request())).pipe(Effect.provide(NodeCrypto.layer))
      assert.strictEqual(
        error.message,
        `a: certificate 0 "CN=a.example": a says no; b: certificate 0 "CN=a.example": b says no`
      )
      assert.strictEqual(Verifier.or(a, Verifier.and(yes, b)).name, "a or yes and b")
    })
  )

  it("knows its own", () => {
    assert.isTrue(Verifier.isVerifier(Verifier.serverName))
    assert.isFalse(Verifier.isVerifier({}))
  })
})
