import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import * as CertificateBuilder from "../../src/core/CertificateBuilder.ts"
import * as CrlBuilder from "../../src/core/CertificateRevocationListBuilder.ts"
import { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import * as SecureContext from "../../src/core/SecureContext.ts"
import type { SecureContextOptions } from "../../src/core/SecureContextOptions.ts"
import * as TlsClient from "../../src/core/TlsClient.ts"
import * as TlsServer from "../../src/core/TlsServer.ts"
import * as TrustStore from "../../src/core/TrustStore.ts"
import * as Verifier from "../../src/core/Verifier.ts"
import * as MemoryTransport from "../../src/layers/MemoryTransport.ts"
import * as Certificate from "../../src/schema/Certificate.ts"
import * as CertificateRevocationList from "../../src/schema/CertificateRevocationList.ts"
import type { TlsError } from "../../src/schema/TlsError.ts"
import { errorOf, finish, layer, now } from "../support/harness.ts"

/** An authority, a server and a client of it, and its CRLs that revoke nobody, the server, the client. */
const world = Effect.gen(function* () {
  yield* TestClock.setTime(now)
  const ca = yield* CertificateBuilder.authority({ subject: { CN: "CA" } })
  const server = yield* CertificateBuilder.issue(ca, { names: ["server.example"], purposes: ["serverAuth"] })
  const client = yield* CertificateBuilder.issue(ca, { names: ["client.example"], purposes: ["clientAuth"] })
  const crlOf = (...revoked: ReadonlyArray<CertificateBuilder.Issued>) =>
    CrlBuilder.make(ca.identity, { revoked: revoked.map(({ certificate }) => ({ certificate, reason: "superseded" })) })
  return {
    anchors: ca.certificate as Certificate.Certificate | undefined,
    ca,
    server,
    client,
    none: yield* crlOf(),
    both: yield* crlOf(server, client)
  }
})

type World = Effect.Effect.Success<typeof world>

const handshake = (
  { anchors, client, server }: World,
  trust: { readonly client?: SecureContextOptions["trust"]; readonly server?: SecureContextOptions["trust"] }
) =>
  Effect.gen(function* () {
    const clientContext = yield* SecureContext.make({
      identity: client.identity,
      trust: { ...(anchors === undefined ? {} : { anchors }), ...trust.client }
    })
    const serverContext = yield* SecureContext.make({
      identity: server.identity,
      trust: anchors === undefined ? {} : { anchors, clientAuthentication: "require", ...trust.server }
    })
    const [clientEnd, serverEnd] = yield* MemoryTransport.pair()
    // In TLS 1.3 a client is done before the server has looked at its certificate: it hears of it when it reads.
    const accepting = yield* Effect.fork(
      Effect.flatMap(TlsServer.over(serverEnd, { context: serverContext }), ({ end }) => end)
    )
    const connecting = yield* Effect.fork(
      Effect.flatMap(TlsClient.over(clientEnd, { context: clientContext, serverName: "server.example" }), ({ pull }) =>
        Effect.catchAll(pull, (end) => Option.match(end, { onNone: () => Effect.void, onSome: Effect.fail }))
      )
    )
    return { client: yield* finish(connecting), server: yield* finish(accepting) }
  })

/** What became of one side: `CertificateError CERT_REVOKED 0`, `AlertError certificate_revoked`. */
const outcome = <A>(exit: Exit.Exit<A, TlsError>): string => {
  if (Exit.isSuccess(exit)) return "connected"
  const error = errorOf(exit)
  if (error._tag === "CertificateError") return `${error._tag} ${error.code} ${error.depth}`
  return error._tag === "AlertError" ? `${error._tag} ${error.alert}` : error._tag
}

const both = (...all: Parameters<typeof handshake>) =>
  Effect.map(handshake(...all), ({ client, server }) => [outcome(client), outcome(server)])

describe("trust.revocation", () => {
  it.scoped("lets those connect that are not revoked", () =>
    Effect.gen(function* () {
      const all = yield* world
      const trust = { revocation: { crls: all.none } }
      assert.deepStrictEqual(yield* both(all, { client: trust, server: trust }), ["connected", "connected"])
    }).pipe(Effect.provide(layer))
  )

  it.scoped("has a client refuse a server that is revoked, by the alert for it", () =>
    Effect.gen(function* () {
      const all = yield* world
      assert.deepStrictEqual(yield* both(all, { client: { revocation: { crls: all.both } } }), [
        "CertificateError CERT_REVOKED 0",
        "AlertError certificate_revoked"
      ])
      assert.deepStrictEqual(yield* both(all, { client: { revocation: { crls: all.both, mode: "soft-fail" } } }), [
        "CertificateError CERT_REVOKED 0",
        "AlertError certificate_revoked"
      ])
      assert.deepStrictEqual(yield* both(all, { client: { revocation: { crls: all.both, mode: "off" } } }), [
        "connected",
        "connected"
      ])
    }).pipe(Effect.provide(layer))
  )

  it.scoped("has a server refuse a client that is revoked, by the alert for it", () =>
    Effect.gen(function* () {
      const all = yield* world
      assert.deepStrictEqual(yield* both(all, { server: { revocation: { crls: all.both } } }), [
        "AlertError certificate_revoked",
        "CertificateError CERT_REVOKED 0"
      ])
    }).pipe(Effect.provide(layer))
  )

  it.scoped("goes with the current store too", () =>
    Effect.gen(function* () {
      const all = yield* world
      const trust = { client: { revocation: { crls: all.both } }, server: {} }
      const { client } = yield* handshake({ ...all, anchors: undefined }, trust).pipe(
        Effect.provide(TrustStore.layer(TrustStore.fromCertificates([all.ca.certificate])))
      )
      assert.strictEqual(outcome(client), "CertificateError CERT_REVOKED 0")
    }).pipe(Effect.provide(layer))
  )

  it.scoped("refuses by hard-fail what no CRL speaks about", () =>
    Effect.gen(function* () {
      const all = yield* world
      assert.deepStrictEqual(yield* both(all, { client: { revocation: {} } }), [
        "CertificateError UNABLE_TO_GET_CRL 0",
        "AlertError certificate_unknown"
      ])
    }).pipe(Effect.provide(layer))
  )

  it.scoped("takes CRLs in any form", () =>
    Effect.gen(function* () {
      const all = yield* world
      const { ca, none } = all
      const revoked = all.both
      const pem = CertificateRevocationList.toPem(none, revoked)
      const forms: ReadonlyArray<NonNullable<NonNullable<SecureContextOptions["trust"]>["revocation"]>> = [
        { crls: pem },
        { crls: new TextEncoder().encode(`${Certificate.toPem(ca.certificate)}${pem}`) },
        { crls: revoked.der },
        { crls: [none.der, CertificateRevocationList.toPem(revoked)] },
        { crls: [none, revoked], crlIssuers: Certificate.toPem(ca.certificate), certificates: "leaf" }
      ]
      for (const revocation of forms) {
        const { trust } = yield* SecureContext.make({ trust: { anchors: ca.certificate, revocation } })
        const crls = [...trust.revocation!.crls!]
        assert.isTrue(Equal.equals(crls.at(-1), revoked))
        assert.deepStrictEqual(yield* both(all, { client: { revocation } }), [
          "CertificateError CERT_REVOKED 0",
          "AlertError certificate_revoked"
        ])
      }
    }).pipe(Effect.provide(layer))
  )

  it.scoped("says what is wrong with it", () =>
    Effect.gen(function* () {
      const { ca, none } = yield* world
      const problem = (revocation: unknown, protocol: SecureContextOptions["protocol"] = {}) =>
        Effect.map(
          Effect.flip(SecureContext.make({ protocol, trust: { revocation } } as SecureContextOptions)),
          ({ message, reason }) => `${reason}: ${message}`
        )
      const certificate = Certificate.toPem(ca.certificate)
      assert.strictEqual(
        yield* problem({ crls: [none, certificate] }),
        "InvalidOptions: trust.revocation.crls[1]: it holds a certificate, a certificate revocation list is needed"
      )
      assert.include(yield* problem({ crls: Uint8Array.of(0x30, 0) }), "trust.revocation.crls: it holds no CRL: ")
      assert.include(yield* problem({ crls: [] }), "trust.revocation.crls: expected revocation lists: PEM text")
      assert.include(yield* problem({ crls: "" }), "trust.revocation.crls: expected revocation lists: PEM text")
      assert.include(yield* problem({ mode: "hardfail" }), "trust.revocation.mode: ")
      assert.include(yield* problem({ crl: none }), "trust.revocation.crl: is unexpected")
      assert.include(yield* problem({ crlIssuers: "secret" }), "trust.revocation.crlIssuers: it holds no PEM block")
      assert.include(
        yield* problem({ crls: none.der }, { limits: { revocationList: 100 } }),
        "the limit `revocationList` is 100"
      )
      assert.notInclude(yield* problem("very secret"), "secret")
    }).pipe(Effect.provide(layer))
  )

  it.scoped("is not overruled by a verifier that does not know of it", () =>
    Effect.gen(function* () {
      const { ca, none } = yield* world
      const revocation = { crls: none }
      const verifier = Verifier.fingerprint("00".repeat(32))
      const said = "trust.revocation: the verifier fingerprint does not know of it"
      const error = yield* Effect.flip(SecureContext.make({ trust: { verifier, revocation } }))
      assert.include(error.message, said)
      yield* SecureContext.make({ trust: { verifier, revocation: { ...revocation, mode: "off" } } })
      const merged = SecureContext.withVerifier(yield* SecureContext.make({ trust: { revocation } }), verifier)
      const crypto = yield* CryptoProvider
      for (const role of ["client", "server"] as const) {
        const policy = SecureContext.resolve(merged, crypto, role)
        assert.include(Either.isLeft(policy) ? policy.left.message : "", said)
      }
      const knowing = Verifier.webPki(TrustStore.fromCertificates([ca.certificate]), { revocation: { crls: [none] } })
      yield* SecureContext.make({ trust: { verifier: knowing } })
    }).pipe(Effect.provide(layer))
  )
})
