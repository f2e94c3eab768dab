import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { SecureContext } from "effect-tls"
import { NodeCrypto } from "effect-tls/node"
import { describe } from "vitest"

describe("a wrong option never shows a secret", () => {
  const secret = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"
  const identity = { certificateChain: secret, privateKey: secret }
  const cases: ReadonlyArray<readonly [name: string, options: unknown]> = [
    ["an excess property beside a key", { identity: { ...identity, keyFile: "key.pem" } }],
    ["an excess property in a list", { identity: [{ ...identity, keyFile: "key.pem" }] }],
    ["a key for an identity", { identity: secret }],
    ["a key in a list of identities", { identity: [secret] }],
    ["a key of a wrong form", { identity: { certificateChain: secret, privateKey: [secret] } }],
    ["a property in the wrong place", identity],
    ["a key for everything", secret]
  ]
  for (const [name, options] of cases) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(SecureContext.make(options as Parameters<typeof SecureContext.make>[0]))
        assert.notInclude(JSON.stringify(error), "c2VjcmV0")
        assert.notInclude(error.message, "c2VjcmV0")
      }).pipe(Effect.scoped, Effect.provide(NodeCrypto.layer))
    )
  }
})
