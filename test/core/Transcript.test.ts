import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import type { CryptoProviderService } from "../../src/core/CryptoProvider.ts"
import { Transcript } from "../../src/core/Transcript.ts"
import * as NobleCrypto from "../../src/layers/NobleCrypto.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import { toHex } from "../../src/schema/Bytes.ts"

const providers: ReadonlyArray<readonly [string, CryptoProviderService]> = [
  ["node", NodeCrypto.make()],
  ["noble", NobleCrypto.make()]
]

const [hello, answer, more] = [
  Uint8Array.of(1, 0, 0, 1, 7),
  Uint8Array.of(2, 0, 0, 2, 8, 9),
  Uint8Array.of(8, 0, 0, 2, 0, 0)
] as const

const hashed = (hash: "sha256" | "sha384", ...parts: ReadonlyArray<Uint8Array>) =>
  createHash(hash).update(Buffer.concat(parts)).digest("hex")

describe.each(providers)("Transcript by %s", (_, crypto) => {
  it("hashes what came before the hash was known, and after", () => {
    const transcript = new Transcript(crypto)
    transcript.add(hello)
    transcript.add(answer)
    assert.isUndefined(transcript.hash)
    transcript.begin("SHA-384")
    assert.strictEqual(transcript.hash, "SHA-384")
    assert.strictEqual(toHex(transcript.digest()), hashed("sha384", hello, answer))
    transcript.add(more)
    assert.strictEqual(toHex(transcript.digest()), hashed("sha384", hello, answer, more))
  })

  it("gives the hash at any point, as often as asked, each in memory of its own", () => {
    const transcript = new Transcript(crypto)
    transcript.add(hello)
    transcript.begin("SHA-256")
    const first = transcript.digest()
    const text = toHex(first)
    first.fill(0)
    assert.strictEqual(toHex(transcript.digest()), text)
    transcript.add(answer)
    assert.strictEqual(toHex(transcript.digest()), hashed("sha256", hello, answer))
  })

  it.each(["SHA-256", "SHA-384"] as const)(
    "puts a message_hash in the first hello's place, before and behind a HelloRetryRequest: %s",
    (hash) => {
      const name = hash === "SHA-256" ? "sha256" : "sha384"
      const digest = createHash(name).update(hello).digest()
      const messageHash = Buffer.concat([Uint8Array.of(254, 0, 0, digest.length), digest])
      // A client has seen the HelloRetryRequest by then, a server is about to send it.
      const client = new Transcript(crypto)
      client.add(hello)
      client.add(answer)
      client.retry(hash)
      const server = new Transcript(crypto)
      server.add(hello)
      server.retry(hash)
      server.add(answer)
      for (const transcript of [client, server]) {
        transcript.add(more)
        assert.strictEqual(transcript.hash, hash)
        assert.strictEqual(toHex(transcript.digest()), hashed(name, messageHash, answer, more))
      }
    }
  )

  it("has no hash before it is known which", () => {
    const transcript = new Transcript(crypto)
    transcript.add(hello)
    assert.throws(() => transcript.digest(), "before it is known")
  })
})
