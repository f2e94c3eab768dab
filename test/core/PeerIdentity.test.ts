/** Who the peer is to a handler, in both roles, by every kind of verifier. */
import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import type { PeerIdentity } from "../../src/core/ConnectionInfo.ts"
import type { ClientAuthentication } from "../../src/core/HandshakePolicy.ts"
import * as TrustStore from "../../src/core/TrustStore.ts"
import type { Verifier } from "../../src/core/Verifier.ts"
import * as Verifiers from "../../src/core/Verifier.ts"
import * as harness from "../support/harness.ts"
import * as identities from "../support/identities.ts"

const authority = identities.makeSync({ ca: true, names: [], subject: "authority" })
const made = identities.makeSync({ issuer: authority, names: ["localhost", "*.example.org"], subject: "leaf" })

const fingerprint = createHash("sha256")
  .update(made.certificate.der)
  .digest("hex")
  .toUpperCase()
  .replace(/..(?!$)/g, "$&:")
const pin = createHash("sha256").update(made.certificate.publicKey.spki).digest("base64")

const anchors = Verifiers.webPki(TrustStore.fromCertificates([authority.certificate]))
const nobody = Verifiers.webPki(TrustStore.fromCertificates([identities.server.certificate]))
const pinned = Verifiers.pinSha256([pin])
const mine = Verifiers.custom("mine", () => Effect.void)
const skipped = Verifiers.dangerouslySkipVerification

/** What a verifier makes of the peer: who vouched, and how long the path is; `undefined` where nobody looked. */
const verifiers: ReadonlyArray<readonly [Verifier, string | undefined, number]> = [
  [anchors, anchors.name, 2],
  [pinned, "pinSha256", 1],
  [Verifiers.fingerprint(fingerprint), "fingerprint", 1],
  [mine, "mine", 1],
  [Verifiers.and(anchors, pinned), `${anchors.name} and pinSha256`, 2],
  [Verifiers.and(pinned, mine), "pinSha256 and mine", 1],
  [Verifiers.or(nobody, pinned), "pinSha256", 1],
  [Verifiers.or(anchors, pinned), anchors.name, 2],
  [skipped, undefined, 0],
  [Verifiers.and(skipped, skipped), undefined, 0],
  [Verifiers.and(skipped, pinned), "dangerouslySkipVerification and pinSha256", 1],
  [Verifiers.or(nobody, skipped), undefined, 0]
]

const connect = (believes: Verifier, peer: "server" | "client", clientAuthentication: ClientAuthentication = "none") =>
  Effect.gen(function* () {
    yield* TestClock.setTime(harness.now)
    const server = yield* harness.serverContext(
      { identity: made.options, trust: { clientAuthentication } },
      peer === "client" ? believes : skipped
    )
    const client = yield* harness.context(
      peer === "client" ? { identity: made.options } : {},
      peer === "server" ? believes : skipped
    )
    const ends = yield* harness.connected({ client, server, serverName: "localhost" })
    return ends[peer === "server" ? "client" : "server"].info.peer
  }).pipe(Effect.provide(harness.layer))

const isIdentified = (peer: PeerIdentity, vouchedBy: string | undefined, length: number): void => {
  assert(peer._tag !== "Anonymous")
  assert.deepStrictEqual([...peer.certificate.der], [...made.certificate.der])
  assert.deepStrictEqual(peer.names, ["DNS:localhost", "DNS:*.example.org"])
  assert.strictEqual(peer.fingerprint, fingerprint)
  if (vouchedBy === undefined) {
    assert.strictEqual(peer._tag, "Unverified")
    assert.notProperty(peer, "vouchedBy")
    assert.notProperty(peer, "path")
    return
  }
  assert(peer._tag === "Verified")
  assert.strictEqual(peer.vouchedBy, vouchedBy)
  assert.deepStrictEqual(
    peer.path.map(({ subject }) => subject.commonName),
    ["leaf", "authority"].slice(0, length)
  )
}

describe("the peer in the handler", () => {
  for (const [verifier, vouchedBy, length] of verifiers) {
    it.scoped(`${verifier.name}: the server`, () =>
      Effect.map(connect(verifier, "server"), (peer) => isIdentified(peer, vouchedBy, length))
    )
    it.scoped(`${verifier.name}: the client`, () =>
      Effect.map(connect(verifier, "client", "require"), (peer) => isIdentified(peer, vouchedBy, length))
    )
  }

  it.scoped("is nobody where nobody asks, and where a client that is asked has nothing to show", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* connect(anchors, "client", "none"), { _tag: "Anonymous" })
      const server = yield* harness.serverContext({ trust: { clientAuthentication: "request" } }, anchors)
      const { server: accepted } = yield* harness.connected({ server })
      assert.deepStrictEqual(accepted.info.peer, { _tag: "Anonymous" })
    }).pipe(Effect.provide(harness.layer))
  )

  it.scoped("is no one whom the verifier refuses, were it only asked for", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(
        Effect.flatMap(connect(nobody, "client", "request"), () => Effect.fail("it was accepted"))
      )
      assert.notStrictEqual(harness.errorOf(exit), "it was accepted")
    })
  )
})
