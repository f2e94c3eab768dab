/** Key agreement over a provider's primitives: the hybrid's parts, its lengths, what a peer may get wrong. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { CryptoProviderService } from "../../src/core/CryptoProvider.ts"
import * as KeyAgreement from "../../src/core/KeyAgreement.ts"
import * as DeterministicCrypto from "../../src/layers/DeterministicCrypto.ts"
import * as NobleCrypto from "../../src/layers/NobleCrypto.ts"
import { concat } from "../../src/schema/Bytes.ts"
import type { NamedGroupInfo } from "../../src/schema/NamedGroup.ts"
import * as NamedGroup from "../../src/schema/NamedGroup.ts"
import { badShares, flipped } from "../support/edits.ts"
import * as harness from "../support/harness.ts"
import { crypto } from "../support/identities.ts"
import * as scripts from "../support/scripts.ts"

const hybrid = NamedGroup.info(NamedGroup.x25519MlKem768)!
const providers: Record<string, CryptoProviderService> = { node: crypto, noble: NobleCrypto.make() }

const reason = <A>(effect: Effect.Effect<A, { readonly reason: string }>): Promise<string> =>
  Effect.runPromise(Effect.map(Effect.either(effect), Either.match({ onLeft: (e) => e.reason, onRight: () => "fine" })))

for (const [name, provider] of Object.entries(providers)) {
  const groups = NamedGroup.registry.filter(({ code }) => KeyAgreement.isSupported(provider.capabilities, code))
  const generate = (...codes: ReadonlyArray<NamedGroup.NamedGroup>) =>
    Effect.runPromise(KeyAgreement.generate(provider, codes))

  describe(`key agreement by ${name}`, () => {
    for (const group of groups) {
      it(`gives both sides of ${group.name} one secret, and each time another`, async () => {
        const secrets: Array<Uint8Array> = []
        for (let i = 0; i < 2; i++) {
          const [share] = await generate(group.code)
          const answer = await Effect.runPromise(KeyAgreement.encapsulate(provider, group.code, share!.publicKey))
          const secret = await Effect.runPromise(KeyAgreement.decapsulate(share!, answer.publicKey))
          assert.deepStrictEqual(secret, answer.sharedSecret)
          assert.deepStrictEqual(
            [share!.group, share!.publicKey.length, answer.publicKey.length],
            [group.code, group.clientShare, group.serverShare]
          )
          secrets.push(secret)
        }
        assert.notDeepEqual(secrets[0], secrets[1])
      })

      it(`refuses shares of ${group.name} of any other length, on both sides`, async () => {
        const [share] = await generate(group.code)
        const answer = await Effect.runPromise(KeyAgreement.encapsulate(provider, group.code, share!.publicKey))
        const wrong = (bytes: Uint8Array) => [
          new Uint8Array(0),
          bytes.subarray(1),
          bytes.subarray(0, bytes.length - 1),
          concat([bytes, Uint8Array.of(0)]),
          concat([bytes, bytes])
        ]
        for (const bytes of wrong(share!.publicKey)) {
          assert.strictEqual(await reason(KeyAgreement.encapsulate(provider, group.code, bytes)), "InvalidPeerInput")
        }
        for (const bytes of wrong(answer.publicKey)) {
          assert.strictEqual(await reason(KeyAgreement.decapsulate(share!, bytes)), "InvalidPeerInput")
        }
      })
    }

    it("refuses points that are none, on both sides", async () => {
      for (const [what, group, bytes] of badShares) {
        const { code } = NamedGroup.fromName(group) as NamedGroupInfo
        if (!provider.capabilities.groups.has(code)) continue
        const [share] = await generate(code)
        assert.deepStrictEqual(
          [what, await reason(KeyAgreement.encapsulate(provider, code, bytes))],
          [what, "InvalidPeerInput"]
        )
        assert.deepStrictEqual(
          [what, await reason(KeyAgreement.decapsulate(share!, bytes))],
          [what, "InvalidPeerInput"]
        )
      }
    })

    it("puts ML-KEM first in the hybrid, in shares and secrets, and one X25519 key serves both groups", async () => {
      const [mixed, classical] = await generate(hybrid.code, NamedGroup.x25519)
      assert.deepStrictEqual(mixed!.publicKey.subarray(1184), classical!.publicKey)
      const answer = await Effect.runPromise(KeyAgreement.encapsulate(provider, hybrid.code, mixed!.publicKey))
      assert.lengthOf(answer.sharedSecret, 64)
      const x25519 = await Effect.runPromise(KeyAgreement.decapsulate(classical!, answer.publicKey.subarray(1088)))
      assert.deepStrictEqual(answer.sharedSecret.subarray(32), x25519)
    })

    it("makes shares in the order asked for", async () => {
      const codes = [NamedGroup.secp256r1, hybrid.code, NamedGroup.x25519]
      assert.deepStrictEqual(
        (await generate(...codes)).map(({ group }) => group),
        codes
      )
      assert.deepStrictEqual(await generate(), [])
    })

    it("refuses a hybrid whose X25519 half is zero, and gives another secret for a damaged ciphertext", async () => {
      const [share] = await generate(hybrid.code)
      const zeros = (bytes: Uint8Array, at: number) => concat([bytes.subarray(0, at), new Uint8Array(32)])
      assert.strictEqual(
        await reason(KeyAgreement.encapsulate(provider, hybrid.code, zeros(share!.publicKey, 1184))),
        "InvalidPeerInput"
      )
      const answer = await Effect.runPromise(KeyAgreement.encapsulate(provider, hybrid.code, share!.publicKey))
      assert.strictEqual(
        await reason(KeyAgreement.decapsulate(share!, zeros(answer.publicKey, 1088))),
        "InvalidPeerInput"
      )
      // FIPS 203: implicit rejection.
      const damaged = await Effect.runPromise(KeyAgreement.decapsulate(share!, flipped(answer.publicKey)))
      assert.notDeepEqual(damaged.subarray(0, 32), answer.sharedSecret.subarray(0, 32))
      assert.deepStrictEqual(damaged.subarray(32), answer.sharedSecret.subarray(32))
    })

    it("refuses an encapsulation key that is not reduced (FIPS 203 §7.2)", async () => {
      const [share] = await generate(hybrid.code)
      const unreduced = Uint8Array.from(share!.publicKey)
      unreduced.fill(0xff, 0, 3)
      assert.strictEqual(await reason(KeyAgreement.encapsulate(provider, hybrid.code, unreduced)), "InvalidPeerInput")
    })
  })
}

describe("what a provider has", () => {
  const { capabilities } = crypto
  it("the hybrid is there when both halves are", () => {
    const having = (...codes: ReadonlyArray<NamedGroup.NamedGroup>) =>
      KeyAgreement.isSupported({ ...capabilities, groups: new Set(codes) }, hybrid.code)
    assert.isTrue(having(NamedGroup.mlkem768, NamedGroup.x25519))
    assert.isFalse(having(NamedGroup.x25519))
    assert.isFalse(having(NamedGroup.mlkem768))
    assert.isFalse(having(hybrid.code))
  })

  it("the hybrid is native when ML-KEM is", () => {
    const native = (...codes: ReadonlyArray<NamedGroup.NamedGroup>) =>
      KeyAgreement.isNative({ ...capabilities, nativeGroups: new Set(codes) }, hybrid.code)
    assert.isTrue(native(NamedGroup.mlkem768))
    assert.isFalse(native(NamedGroup.x25519))
    assert.isTrue(
      KeyAgreement.isNative({ ...capabilities, nativeGroups: new Set([NamedGroup.x25519]) }, NamedGroup.x25519)
    )
  })
})

describe("in a handshake", () => {
  const connect = (client: object, server: object) =>
    Effect.gen(function* () {
      const pair = yield* harness.connected({
        client: yield* harness.context({ protocol: client }),
        server: yield* harness.serverContext({ protocol: server })
      })
      assert.strictEqual(pair.client.info.group, pair.server.info.group)
      assert.strictEqual(pair.client.info.helloRetryRequest, pair.server.info.helloRetryRequest)
      const [ours, theirs] = yield* Effect.all(
        [pair.client, pair.server].map((connection) =>
          connection.exportKeyingMaterial({ label: "EXPORTER-test", length: 32 })
        )
      )
      assert.deepStrictEqual(ours, theirs)
      return `${pair.client.info.group}${pair.client.info.helloRetryRequest ? " retried" : ""}`
    }).pipe(Effect.scoped, Effect.provide(harness.layer), Effect.runPromise)

  for (const { code, name } of NamedGroup.registry) {
    if (!KeyAgreement.isSupported(crypto.capabilities, code)) continue
    it(`${name} works at once, and after a HelloRetryRequest`, async () => {
      const first = name === "x25519" ? "secp256r1" : "x25519"
      assert.strictEqual(await connect({ groups: [name] }, { groups: [name] }), name)
      assert.strictEqual(await connect({ groups: [first, name] }, { groups: [name] }), `${name} retried`)
    })
  }

  it("a client that has a hybrid needs no retry for a server that has only X25519", async () => {
    assert.strictEqual(await connect({ groups: ["X25519MLKEM768", "x25519"] }, { groups: ["x25519"] }), "x25519")
  })

  for (const [what, publicKey] of [
    ["zeros", new Uint8Array(1120)],
    ["too little", new Uint8Array(1119).fill(1)],
    ["too much", new Uint8Array(1121).fill(1)]
  ] as const) {
    it(`a hybrid share of ${what} is the server's fault`, () =>
      Effect.gen(function* () {
        const { client, script } = yield* harness.clientAgainst(
          yield* harness.context({ protocol: { groups: ["X25519MLKEM768"] } }),
          (peer) =>
            scripts.playServer(peer, {
              edit: (message) =>
                message._tag === "ServerHello"
                  ? {
                      ...message,
                      extensions: message.extensions.map((extension) =>
                        extension._tag === "KeyShareAnswer"
                          ? { ...extension, share: { ...extension.share, publicKey } }
                          : extension
                      )
                    }
                  : message
            })
        )
        assert.strictEqual(harness.labelOf(yield* client.await), "HandshakeError/IllegalParameter/negotiation")
        assert.strictEqual(harness.endingOf(yield* script.await), "alert illegal_parameter")
      }).pipe(Effect.scoped, Effect.provide(harness.layer), Effect.runPromise))
  }

  it("is repeated byte for byte by the deterministic provider", async () => {
    const bytes = async () => {
      const provider = DeterministicCrypto.make("seed")
      const [share] = await Effect.runPromise(KeyAgreement.generate(provider, [hybrid.code]))
      const answer = await Effect.runPromise(KeyAgreement.encapsulate(provider, hybrid.code, share!.publicKey))
      return concat([share!.publicKey, answer.publicKey, answer.sharedSecret])
    }
    assert.deepStrictEqual(await bytes(), await bytes())
  })
})
