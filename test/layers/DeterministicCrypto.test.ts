import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { CryptoProviderService } from "../../src/core/CryptoProvider.ts"
import { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import * as DeterministicCrypto from "../../src/layers/DeterministicCrypto.ts"
import * as NobleKeyAgreement from "../../src/layers/NobleKeyAgreement.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import * as NamedGroup from "../../src/schema/NamedGroup.ts"
import { hex, reasonOf, toHex } from "./cryptoSuite.ts"

const run = Effect.runPromise

/** Everything that has to do with chance, as text. */
const episode = async (crypto: CryptoProviderService): Promise<string> => {
  const parts: Array<Uint8Array> = [crypto.randomBytes(32), crypto.randomBytes(0), crypto.randomBytes(5)]
  for (const group of crypto.capabilities.groups) {
    const share = await run(crypto.generateKeyShare(group))
    const answer = await run(crypto.encapsulate(group, share.publicKey))
    parts.push(share.publicKey, answer.publicKey, answer.sharedSecret, await run(share.decapsulate(answer.publicKey)))
  }
  for (const type of [{ _tag: "Ec", curve: "P-256" }, { _tag: "Ed25519" }] as const) {
    const { key, pkcs8 } = await run(crypto.generatePrivateKey(type))
    const algorithm = type._tag === "Ec" ? ({ _tag: "Ecdsa", hash: "SHA-256" } as const) : type
    parts.push(Redacted.value(pkcs8), await run(key.sign(algorithm, parts[0]!)))
  }
  return parts.map(toHex).join("\n")
}

describe("DeterministicCrypto", () => {
  it("gives the same bytes for the same calls", async () => {
    const [first, second] = [DeterministicCrypto.make("a seed"), DeterministicCrypto.make({ seed: "a seed" })]
    assert.strictEqual(first.name, "deterministic")
    const text = await episode(first)
    assert.strictEqual(await episode(second), text)
    assert.notStrictEqual(await episode(second), text)
    assert.notStrictEqual(await episode(DeterministicCrypto.make("another seed")), text)
  })

  it("stays the same from version to version", () => {
    // A change here breaks every recorded handshake.
    assert.strictEqual(
      toHex(DeterministicCrypto.make("effect-tls").randomBytes(32)),
      "a608bd07d40a870dd0a8ee5975ec15ff05c638c576e9002b5315da85a552a16e"
    )
  })

  it("begins anew with each layer that is built", async () => {
    const bytes = Effect.map(CryptoProvider, (crypto) => toHex(crypto.randomBytes(8)))
    const layer = DeterministicCrypto.layer("a seed")
    assert.strictEqual(await run(Effect.provide(bytes, layer)), await run(Effect.provide(bytes, layer)))
  })

  it("hands out the random bytes it was given, then its own", () => {
    const given = [Uint8Array.of(1, 2), Uint8Array.of(3)]
    const crypto = DeterministicCrypto.make({ seed: "a seed", randomBytes: given })
    assert.deepStrictEqual(crypto.randomBytes(2), Uint8Array.of(1, 2))
    assert.throws(() => crypto.randomBytes(4), "4 random bytes asked for, 1 given")
    assert.deepStrictEqual(crypto.randomBytes(32), DeterministicCrypto.make("a seed").randomBytes(32))
    assert.deepStrictEqual(given, [Uint8Array.of(1, 2), Uint8Array.of(3)])
  })

  it("uses up the keys it was given, for each group in their order", async () => {
    const keyShares = [
      { group: NamedGroup.x25519, privateKey: new Uint8Array(32).fill(1) },
      { group: NamedGroup.secp256r1, privateKey: new Uint8Array(32).fill(2) },
      { group: NamedGroup.x25519, privateKey: new Uint8Array(32).fill(3) },
      { group: NamedGroup.mlkem768, privateKey: new Uint8Array(64).fill(4) },
      { group: NamedGroup.mlkem768, privateKey: new Uint8Array(32).fill(5) }
    ]
    const crypto = DeterministicCrypto.make({ seed: "a seed", keyShares: keyShares.values() })
    const expected = (at: number) =>
      run(NobleKeyAgreement.unsafeKeyShare(keyShares[at]!.group, keyShares[at]!.privateKey))
    const p256 = await run(crypto.generateKeyShare(NamedGroup.secp256r1))
    assert.deepStrictEqual(p256.publicKey, (await expected(1)).publicKey)
    const first = await run(crypto.generateKeyShare(NamedGroup.x25519))
    assert.deepStrictEqual(first.publicKey, (await expected(0)).publicKey)
    const answer = await run(crypto.encapsulate(NamedGroup.x25519, first.publicKey))
    assert.deepStrictEqual(answer.publicKey, (await expected(2)).publicKey)
    const kem = await run(crypto.generateKeyShare(NamedGroup.mlkem768))
    assert.deepStrictEqual(kem.publicKey, (await expected(3)).publicKey)
    const sealed = await run(crypto.encapsulate(NamedGroup.mlkem768, kem.publicKey))
    const message = new Uint8Array(32).fill(5)
    const again = await run(NobleKeyAgreement.unsafeEncapsulate(NamedGroup.mlkem768, kem.publicKey, message))
    assert.deepStrictEqual(sealed, again)
    const seeded = await run(DeterministicCrypto.make("a seed").generateKeyShare(NamedGroup.x25519))
    assert.deepStrictEqual((await run(crypto.generateKeyShare(NamedGroup.x25519))).publicKey, seeded.publicKey)
  })

  it("refuses a key that is none", async () => {
    const keyShares = [{ group: NamedGroup.x25519, privateKey: new Uint8Array(31) }]
    const crypto = DeterministicCrypto.make({ seed: "a seed", keyShares })
    assert.strictEqual(await reasonOf(crypto.generateKeyShare(NamedGroup.x25519)), "InvalidKey")
  })

  it("makes the key shares of RFC 8448", async () => {
    interface Pair {
      readonly group: "x25519" | "secp256r1"
      readonly privateKey: string
      readonly publicKey: string
    }
    const groups = { x25519: NamedGroup.x25519, secp256r1: NamedGroup.secp256r1 }
    const traces = JSON.parse(
      readFileSync(new URL("../vectors/rfc8448.json", import.meta.url), "utf8")
    ) as ReadonlyArray<{
      readonly keys: { readonly clientEphemeral: Array<Pair>; readonly serverEphemeral: Array<Pair> }
    }>
    for (const { keys } of traces) {
      const give = (pairs: ReadonlyArray<Pair>) =>
        pairs.map(({ group, privateKey }) => ({ group: groups[group], privateKey: hex(privateKey) }))
      const client = DeterministicCrypto.make({ seed: "client", keyShares: give(keys.clientEphemeral) })
      const server = DeterministicCrypto.make({ seed: "server", keyShares: give(keys.serverEphemeral) })
      for (const pair of keys.clientEphemeral) {
        const share = await run(client.generateKeyShare(groups[pair.group]))
        assert.strictEqual(toHex(share.publicKey), pair.publicKey)
        const answered = keys.serverEphemeral.find(({ group }) => group === pair.group)
        if (answered === undefined) continue
        const answer = await run(server.encapsulate(groups[pair.group], share.publicKey))
        assert.strictEqual(toHex(answer.publicKey), answered.publicKey)
        // And Node computes the same secret of it.
        const node = await run(NodeCrypto.unsafeKeyShare(groups[pair.group], hex(pair.privateKey)))
        assert.deepStrictEqual(await run(node.decapsulate(answer.publicKey)), answer.sharedSecret)
      }
    }
  })
})
