import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Suggestion from "../../src/schema/Suggestion.ts"

const suites = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
const groups = ["x25519", "secp256r1", "secp384r1", "x448"]

describe("Suggestion", () => {
  it.each([
    ["TLS_AES_128_GCM_SHA265", suites, "TLS_AES_128_GCM_SHA256"],
    ["tls_aes_128_gcm_sha256", suites, "TLS_AES_128_GCM_SHA256"],
    ["AES_256_GCM_SHA384", suites, "TLS_AES_256_GCM_SHA384"],
    ["CHACHA20_POLY1305", suites, undefined],
    ["x25529", groups, "x25519"],
    ["secp256", groups, "secp256r1"],
    ["secp384", groups, "secp384r1"],
    // Two letters exchanged, two too many, and a third of the name at most.
    ["y449", groups, "x448"],
    ["x2551999", groups, "x25519"],
    ["x25", groups, undefined],
    ["LS_AES_256_GCM_SH", suites, "TLS_AES_256_GCM_SHA384"],
    ["LS_AES_256_GCM_S", suites, undefined],
    ["xa", ["xb", "xc"], "xb"],
    ["fd", ["ca"], undefined],
    ["0", ["ca"], undefined],
    ["", groups, undefined],
    ["banana", groups, undefined],
    ["x25519", [], undefined]
  ])("of %s, with %s to choose from, is %s", (name, names, nearest) => {
    assert.strictEqual(Suggestion.nearest(name, names), nearest)
  })

  it("does not compare what is far too long", () => {
    assert.isUndefined(Suggestion.nearest("x".repeat(65), ["x".repeat(64)]))
    assert.strictEqual(Suggestion.nearest("x".repeat(64), ["x".repeat(63)]), "x".repeat(63))
    assert.isBelow(Suggestion.unknownName("group", "y".repeat(100_000), groups).length, 200)
  })

  it("says what was found and what would be right", () => {
    assert.strictEqual(
      Suggestion.unknownName("group", "x25529", groups),
      `unknown group "x25529", did you mean "x25519"?`
    )
    assert.strictEqual(
      Suggestion.unknownName("group", "banana", groups),
      `unknown group "banana", known are x25519, secp256r1, secp384r1, x448`
    )
    assert.strictEqual(
      Suggestion.unknownName("group", "-----BEGIN PRIVATE KEY-----\nMC4CAQ", groups),
      "unknown group of several lines (value hidden), known are x25519, secp256r1, secp384r1, x448"
    )
    assert.strictEqual(Suggestion.unknownName("group", 29, groups), `a group is a name, such as "x25519"`)
  })

  it("is the message of a Schema of names", () => {
    const Group = Suggestion.Name("group", ["x25519", "x448"])
    assert.strictEqual(Schema.decodeUnknownSync(Group)("x448"), "x448")
    const message = (input: unknown) =>
      Either.match(Schema.decodeUnknownEither(Group)(input), { onLeft: (error) => error.message, onRight: String })
    assert.strictEqual(message("x449"), `unknown group "x449", did you mean "x448"?`)
    assert.strictEqual(message(null), `a group is a name, such as "x25519"`)
  })
})
