import { assert, describe, it } from "@effect/vitest"
import { assertNone, assertSome } from "@effect/vitest/utils"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as CertificateBuilder from "../../src/core/CertificateBuilder.ts"
import * as CrlBuilder from "../../src/core/CertificateRevocationListBuilder.ts"
import type { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import type { OcspResponder } from "../../src/core/HandshakePolicy.ts"
import type { OcspOptions } from "../../src/core/OcspResponseBuilder.ts"
import * as OcspResponseBuilder from "../../src/core/OcspResponseBuilder.ts"
import * as SecureContext from "../../src/core/SecureContext.ts"
import type { SecureContextOptions, TrustOptions } from "../../src/core/SecureContextOptions.ts"
import * as TlsClient from "../../src/core/TlsClient.ts"
import * as TlsServer from "../../src/core/TlsServer.ts"
import type { Transport } from "../../src/core/Transport.ts"
import * as TrustStore from "../../src/core/TrustStore.ts"
import * as Verifier from "../../src/core/Verifier.ts"
import * as MemoryTransport from "../../src/layers/MemoryTransport.ts"
import * as CertificateExtension from "../../src/schema/CertificateExtension.ts"
import * as ClientHello from "../../src/schema/ClientHello.ts"
import { oids } from "../../src/schema/ObjectIdentifier.ts"
import type { OcspResponse } from "../../src/schema/OcspResponse.ts"
import type { TlsError } from "../../src/schema/TlsError.ts"
import * as edits from "../support/edits.ts"
import * as harness from "../support/harness.ts"
import { errorOf, finish, layer, now } from "../support/harness.ts"
import * as identities from "../support/identities.ts"
import { playServer } from "../support/scripts.ts"

const day = 86_400_000
const mustStaple = CertificateExtension.make({ _tag: "TlsFeature", features: [5] })

/** An authority, one below it, and servers of that: one that need not staple and one that must. */
const world = Effect.gen(function* () {
  yield* TestClock.setTime(now)
  const root = yield* CertificateBuilder.authority({ subject: { CN: "Root" } })
  const ca = yield* CertificateBuilder.issueAuthority(root, { subject: { CN: "CA" } })
  const server = yield* CertificateBuilder.issue(ca, { names: ["server.example"] })
  const strict = yield* CertificateBuilder.issue(ca, { names: ["server.example"], extensions: [mustStaple] })
  return { root, ca, server, strict }
})
type World = Effect.Effect.Success<typeof world>

const response = (
  { ca, server }: World,
  options: Partial<OcspOptions> = {},
  subject: CertificateBuilder.Issued = server
) => OcspResponseBuilder.make(ca.identity, { statuses: [{ certificate: subject.certificate }], ...options })

const revoked = ({ server }: World): Partial<OcspOptions> => ({
  statuses: [{ certificate: server.certificate, status: "revoked", reason: "keyCompromise" }]
})

const stapling =
  (staple: OcspResponse | Uint8Array | undefined): OcspResponder =>
  () =>
    Effect.succeed(Option.fromNullable(staple))

/** What becomes of a handshake, on either side. */
const connect = (
  { root, server }: World,
  {
    ocspResponse,
    protocol = {},
    serverProtocol = {},
    trust,
    server: shown = server
  }: {
    readonly protocol?: SecureContextOptions["protocol"]
    readonly serverProtocol?: SecureContextOptions["protocol"]
    readonly ocspResponse?: OcspResponder
    readonly trust?: TrustOptions
    readonly server?: CertificateBuilder.Issued
  }
) =>
  Effect.gen(function* () {
    const context = yield* SecureContext.make({
      protocol: protocol!,
      trust: { anchors: root.certificate, ...trust }
    })
    const serverContext = yield* SecureContext.make({
      protocol: serverProtocol!,
      identity: shown.identity,
      ...(ocspResponse === undefined ? {} : { ocspResponse })
    })
    const [near, far] = yield* MemoryTransport.pair()
    const accepting = yield* Effect.fork(TlsServer.over(far, { context: serverContext }))
    const connecting = yield* Effect.fork(TlsClient.over(near, { context, serverName: "server.example" }))
    const client = yield* finish(connecting)
    return { client, server: yield* finish(accepting) }
  })

const outcome = <A>(exit: Exit.Exit<A, TlsError>): string => {
  if (Exit.isSuccess(exit)) return "connected"
  const error = errorOf(exit)
  if (error._tag === "CertificateError") return `${error.reason} ${error.code} ${error.depth}`
  return error._tag === "AlertError" ? `alert ${error.alert}` : `${error._tag} ${error.reason}`
}

/** What the client makes of a staple, by default going by staples alone. */
const verdict = (
  all: World,
  staple: OcspResponse | Uint8Array | undefined,
  revocation: TrustOptions["revocation"] = { certificates: "leaf" },
  shown: CertificateBuilder.Issued = all.server
) =>
  Effect.map(
    connect(all, { ocspResponse: stapling(staple), trust: { revocation: revocation! }, server: shown }),
    ({ client }) => outcome(client)
  )

const test = <E>(
  name: string,
  body: (all: World) => Effect.Effect<unknown, E, CryptoProvider | Transport | Scope.Scope>
) => it.scoped(name, () => Effect.flatMap(world, body).pipe(Effect.provide(layer)))

describe("a server that staples", () => {
  test("is asked by clients that check for revocation, and gives what its hook says", (all) =>
    Effect.gen(function* () {
      const staple = yield* response(all)
      const asked: Array<string> = []
      const ocspResponse: OcspResponder = (leaf, issuer, hello) =>
        Effect.sync(() => {
          asked.push(leaf.label, Option.getOrThrow(issuer).label, Option.getOrThrow(ClientHello.serverName(hello)))
          return Option.some(staple)
        })
      const trust = { revocation: { certificates: "leaf" } } as const
      const { client, server } = yield* connect(all, { ocspResponse, trust })
      assert(Exit.isSuccess(client) && Exit.isSuccess(server))
      assert.deepStrictEqual(asked, ["CN=server.example", "CN=CA", "server.example"])
      assertSome(client.value.info.peerStaple, staple.der)
      assertNone(server.value.info.peerStaple)
      // Bytes do as well.
      assert.strictEqual(yield* verdict(all, staple.der), "connected")
    }))

  test("is not asked by others, unless they say so", (all) =>
    Effect.gen(function* () {
      let calls = 0
      const staple = yield* response(all)
      const ocspResponse: OcspResponder = () => Effect.sync(() => Option.some((calls++, staple)))
      for (const trust of [
        {},
        { revocation: { mode: "off" } },
        { revocation: { mode: "soft-fail", staple: "ignore" } },
        { revocation: { mode: "soft-fail" }, requestStaple: false }
      ] as const) {
        const { client } = yield* connect(all, { ocspResponse, trust })
        assert(Exit.isSuccess(client))
        assertNone(client.value.info.peerStaple)
      }
      assert.strictEqual(calls, 0)
      const { client } = yield* connect(all, { ocspResponse, trust: { requestStaple: true } })
      assert(Exit.isSuccess(client))
      assertSome(client.value.info.peerStaple, staple.der)
    }))

  test("may have none, and an issuer it does not know", (all) =>
    Effect.gen(function* () {
      const issuers: Array<boolean> = []
      const ocspResponse: OcspResponder = (_, issuer) =>
        Effect.sync(() => {
          issuers.push(Option.isSome(issuer))
          return Option.none()
        })
      const direct = yield* CertificateBuilder.issue(all.root, { names: ["server.example"] })
      const trust = { requestStaple: true } as const
      const { client } = yield* connect(all, { ocspResponse, trust, server: direct })
      assert(Exit.isSuccess(client), String(client))
      assertNone(client.value.info.peerStaple)
      assert.deepStrictEqual(issuers, [false])
    }))

  test("ends the connection when its hook fails, dies or gives what is none", (all) =>
    Effect.forEach(
      [
        () => Effect.fail("no responder"),
        () => Effect.die("a defect"),
        () => {
          throw new Error("at once")
        },
        () => Effect.succeed("staple" as never),
        () => Effect.succeed(Option.some("staple" as never)),
        () => Effect.succeed(Option.some(new Uint8Array(0))),
        () => Effect.succeed(Option.some(new Uint8Array(65_537)))
      ] satisfies ReadonlyArray<OcspResponder>,
      (ocspResponse) =>
        Effect.gen(function* () {
          const { client, server } = yield* connect(all, { ocspResponse, trust: { requestStaple: true } })
          assert.deepStrictEqual(
            [outcome(client), outcome(server)],
            ["alert internal_error", "HandshakeError HookFailed"]
          )
        })
    ))

  test("does not make a handshake longer than it may be", (all) =>
    Effect.gen(function* () {
      const { server } = yield* connect(all, { ocspResponse: () => Effect.never, trust: { requestStaple: true } })
      assert.strictEqual(errorOf(server)._tag, "TlsTimeoutError")
    }))

  test("takes part in merging", (all) =>
    Effect.gen(function* () {
      const [a, b] = [stapling(undefined), stapling(Uint8Array.of(1))]
      const one = yield* SecureContext.make({ identity: all.server.identity, ocspResponse: a })
      const other = yield* SecureContext.make({ ocspResponse: b })
      assert.strictEqual(SecureContext.merge(one, SecureContext.empty).ocspResponse, a)
      assert.strictEqual(SecureContext.merge(one, other).ocspResponse, b)
    }))
})

describe("a client that asks for a staple", () => {
  test("goes by what it says", (all) =>
    Effect.gen(function* () {
      assert.strictEqual(yield* verdict(all, yield* response(all)), "connected")
      assert.strictEqual(yield* verdict(all, yield* response(all, revoked(all))), "Revoked CERT_REVOKED 0")
      assert.strictEqual(
        yield* verdict(all, yield* response(all, revoked(all)), { mode: "soft-fail" }),
        "Revoked CERT_REVOKED 0"
      )
    }))

  test("refuses by hard-fail what is late, early, or says nothing, and by soft-fail goes on as without", (all) =>
    Effect.gen(function* () {
      const { server } = all
      const rows = [
        [undefined, "RevocationUnknown UNABLE_TO_GET_CRL 0"],
        [
          yield* response(all, { thisUpdate: new Date(now - 2 * day), nextUpdate: new Date(now - day) }),
          "OcspExpired OCSP_VERIFY_FAILED 0"
        ],
        [yield* response(all, { thisUpdate: new Date(now + day) }), "OcspNotYetValid OCSP_VERIFY_FAILED 0"],
        [
          yield* response(all, { statuses: [{ certificate: server.certificate, status: "unknown" }] }),
          "OcspUnknown OCSP_CERT_UNKNOWN 0"
        ]
      ] as const
      for (const [staple, expected] of rows) {
        assert.strictEqual(yield* verdict(all, staple), expected)
        assert.strictEqual(yield* verdict(all, staple, { mode: "soft-fail" }), "connected")
      }
    }))

  test("asks again after a HelloRetryRequest", (all) =>
    Effect.gen(function* () {
      const staple = yield* response(all)
      const { client } = yield* connect(all, {
        ocspResponse: stapling(staple),
        protocol: { groups: ["secp256r1", "x25519"], keyShares: ["secp256r1"] },
        serverProtocol: { groups: ["x25519"] },
        trust: { revocation: { certificates: "leaf" } }
      })
      assert(Exit.isSuccess(client), String(client))
      assert.isTrue(client.value.info.helloRetryRequest)
      assertSome(client.value.info.peerStaple, staple.der)
    }))

  test("takes no more bytes than it is told", (all) =>
    Effect.gen(function* () {
      const { der } = yield* response(all)
      const of = (ocspResponse: number) =>
        Effect.map(
          connect(all, {
            ocspResponse: stapling(der),
            protocol: { limits: { ocspResponse } },
            trust: { revocation: { certificates: "leaf" } }
          }),
          ({ client }) => outcome(client)
        )
      assert.strictEqual(yield* of(der.length), "connected")
      assert.strictEqual(yield* of(der.length - 1), "OcspUnusable OCSP_VERIFY_FAILED 0")
    }))

  test("bears with the clocks of responders as far as it is told", (all) =>
    Effect.gen(function* () {
      const early = yield* response(all, { thisUpdate: new Date(now + 10 * 60_000) })
      const leaf = { certificates: "leaf" } as const
      assert.strictEqual(yield* verdict(all, early, leaf), "OcspNotYetValid OCSP_VERIFY_FAILED 0")
      assert.strictEqual(yield* verdict(all, early, { ...leaf, skew: "10 minutes" }), "connected")
    }))

  test("refuses in any case what is no response about this certificate, signed by its issuer", (all) =>
    Effect.gen(function* () {
      const { der } = yield* response(all)
      const damaged = Uint8Array.from(der)
      damaged[damaged.length - 1]! ^= 1
      const stranger = yield* OcspResponseBuilder.make(
        { certificateChain: all.ca.identity.certificateChain, privateKey: all.root.identity.privateKey },
        { statuses: [{ certificate: all.server.certificate }] }
      )
      const rows = [
        [Uint8Array.of(1, 2, 3), "OcspUnusable OCSP_VERIFY_FAILED 0"],
        [damaged, "OcspBadSignature OCSP_VERIFY_FAILED 0"],
        [stranger, "OcspBadSignature OCSP_VERIFY_FAILED 0"],
        [yield* response(all, {}, all.strict), "OcspUnusable OCSP_VERIFY_FAILED 0"]
      ] as const
      for (const [staple, expected] of rows) {
        assert.strictEqual(yield* verdict(all, staple), expected)
        assert.strictEqual(yield* verdict(all, staple, { mode: "soft-fail" }), expected)
      }
      const { server } = yield* connect(all, {
        ocspResponse: stapling(damaged),
        trust: { revocation: { mode: "soft-fail" } }
      })
      assert.strictEqual(outcome(server), "alert bad_certificate_status_response")
    }))

  test("refuses a certificate that demands a staple and has no good one (RFC 7633)", (all) =>
    Effect.gen(function* () {
      const { strict } = all
      const softly = { mode: "soft-fail" } as const
      const good = yield* response(all, {}, strict)
      const late = yield* response(
        all,
        { thisUpdate: new Date(now - 2 * day), nextUpdate: new Date(now - day) },
        strict
      )
      assert.strictEqual(yield* verdict(all, good, softly, strict), "connected")
      assert.strictEqual(yield* verdict(all, undefined, softly, strict), "StapleMissing OCSP_VERIFY_NEEDED 0")
      assert.strictEqual(yield* verdict(all, late, softly, strict), "OcspExpired OCSP_VERIFY_FAILED 0")
      assert.strictEqual(yield* verdict(all, undefined, { ...softly, staple: "ignore" }, strict), "connected")
      // A CRL that does not name it is no staple.
      const crls = [yield* CrlBuilder.make(all.ca.identity, {}), yield* CrlBuilder.make(all.root.identity, {})]
      assert.strictEqual(yield* verdict(all, undefined, { crls }, strict), "StapleMissing OCSP_VERIFY_NEEDED 0")
      // Of who did not come by a handshake, nobody could have asked for one.
      const verifier = Verifier.webPki(TrustStore.fromCertificates([all.root.certificate]), { revocation: { crls } })
      const [leaf, ...others] = strict.identity.certificateChain
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(verifier.verify(Verifier.makeRequest([leaf, ...others])))))
    }))

  test("refuses whoever has none where its policy wants that", (all) =>
    Effect.gen(function* () {
      const required = { mode: "soft-fail", staple: "require" } as const
      assert.strictEqual(yield* verdict(all, yield* response(all), required), "connected")
      assert.strictEqual(yield* verdict(all, undefined, required), "StapleMissing OCSP_VERIFY_NEEDED 0")
    }))

  test("believes a CRL that revokes, whatever is stapled, and the other way round", (all) =>
    Effect.gen(function* () {
      const good = yield* response(all)
      const bad = yield* response(all, revoked(all))
      const above = yield* CrlBuilder.make(all.root.identity, {})
      const none = yield* CrlBuilder.make(all.ca.identity, {})
      const some = yield* CrlBuilder.make(all.ca.identity, { revoked: [{ certificate: all.server.certificate }] })
      assert.strictEqual(yield* verdict(all, good, { crls: [above, none] }), "connected")
      assert.strictEqual(yield* verdict(all, good, { crls: [above, some] }), "Revoked CERT_REVOKED 0")
      assert.strictEqual(yield* verdict(all, bad, { crls: [above, none] }), "Revoked CERT_REVOKED 0")
      // The intermediate has no staple; and a staple is about the leaf alone.
      assert.strictEqual(yield* verdict(all, good, {}), "RevocationUnknown UNABLE_TO_GET_CRL 1")
    }))

  test("does not believe a responder whose certificate a CRL revokes", (all) =>
    Effect.gen(function* () {
      const purpose = CertificateExtension.encodeExtendedKeyUsage([oids.OCSPSigning])
      const responder = yield* CertificateBuilder.issue(all.ca, { subject: { CN: "Responder" }, extensions: [purpose] })
      const staple = yield* OcspResponseBuilder.make(responder.identity, {
        statuses: [{ certificate: all.server.certificate }],
        issuer: all.ca.certificate
      })
      const crlOf = (...lost: ReadonlyArray<CertificateBuilder.Issued>) =>
        CrlBuilder.make(all.ca.identity, {
          revoked: lost.map(({ certificate }) => ({ certificate })),
          issuingDistributionPoint: { onlySomeReasons: new Set(["keyCompromise"]) }
        })
      const leaf = { certificates: "leaf" } as const
      assert.strictEqual(yield* verdict(all, staple, { ...leaf, crls: yield* crlOf() }), "connected")
      assert.strictEqual(
        yield* verdict(all, staple, { ...leaf, crls: yield* crlOf(responder) }),
        "OcspBadSignature OCSP_VERIFY_FAILED 0"
      )
    }))

  test("takes those of intermediates too, and hands a verifier all of them", (all) =>
    Effect.gen(function* () {
      const staples = [
        yield* response(all),
        yield* OcspResponseBuilder.make(all.root.identity, { statuses: [{ certificate: all.ca.certificate }] })
      ]
      const seen: Array<ReadonlyArray<string>> = []
      const spy = Verifier.make(
        "spy",
        ({ certificates, staples: sent = [] }) =>
          Effect.sync(() => {
            seen.push(sent.map(({ certificate }) => certificate.label))
            return { path: certificates, vouchedBy: "spy" }
          }),
        { wantsStaple: true }
      )
      const webPki = Verifier.webPki(TrustStore.fromCertificates([all.root.certificate]), { revocation: {} })
      const context = yield* SecureContext.make({ trust: { verifier: Verifier.and(webPki, spy) } })
      const { client, script } = yield* harness.clientAgainst(
        context,
        (peer) =>
          playServer(peer, {
            identity: {
              ...identities.server,
              chain: [all.server.certificate, all.ca.certificate],
              privateKey: all.server.identity.privateKey
            },
            edit: edits.change("Certificate", (m) => ({
              ...m,
              entries: m.entries.map((entry, i) => ({
                ...entry,
                extensions: [{ _tag: "CertificateStatus" as const, response: staples[i]!.der }]
              }))
            }))
          }),
        { serverName: "server.example" }
      )
      const exit = yield* finish(client)
      yield* Fiber.interrupt(script)
      assert(Exit.isSuccess(exit), String(exit))
      assert.deepStrictEqual(seen, [["CN=server.example", "CN=CA"]])
    }))
})
