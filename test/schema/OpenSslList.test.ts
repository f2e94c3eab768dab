import * as Either from "effect/Either"
import { assert, describe, it } from "vitest"
import * as NamedGroup from "../../src/schema/NamedGroup.ts"
import * as OpenSslList from "../../src/schema/OpenSslList.ts"
import * as SignatureScheme from "../../src/schema/SignatureScheme.ts"

const knownGroups =
  "X25519MLKEM768, X25519, secp256r1, P-256, prime256v1, secp384r1, P-384, secp521r1, P-521, X448, " +
  "ffdhe2048, ffdhe3072, ffdhe4096, ffdhe6144, ffdhe8192"
const tuples =
  "what OpenSSL 3.5 has between and before names (`/`, `?`, `*`, `-`) is not read here, a list is names with colons between them"
const missing = (kind: string) =>
  `a ${kind} is missing: the list is names with one colon between two, and none at its ends`

describe("a list of groups", () => {
  it.each([
    ["auto", undefined],
    ["X25519", ["x25519"]],
    ["x25519:P-256:secp384r1", ["x25519", "secp256r1", "secp384r1"]],
    ["prime256v1:P-521:X448", ["secp256r1", "secp521r1", "x448"]],
    ["X25519:ffdhe2048:FFDHE8192", ["x25519", "ffdhe2048", "ffdhe8192"]],
    ["p-384:X25519MLKEM768", ["secp384r1", "X25519MLKEM768"]]
  ] as const)("%s is read", (text, expected) => {
    assert.deepStrictEqual(Either.getOrThrow(OpenSslList.parseGroups(text)), expected)
  })

  it("may have every name of every group of ours", () => {
    for (const { name, openssl } of NamedGroup.registry) {
      for (const alias of [name, ...openssl]) {
        assert.deepStrictEqual(Either.getOrThrow(OpenSslList.parseGroups(alias)), [name])
      }
    }
  })

  it.each([
    ["", missing("group")],
    ["P-256:", missing("group")],
    ["P-256::X25519", missing("group")],
    ["P-265", 'unknown group "P-265", did you mean "P-256"?'],
    ["x25591", 'unknown group "x25591", did you mean "X25519"?'],
    ["auto:P-256", '"auto" stands for the defaults: `auto` alone, or nothing'],
    ["DEFAULT", '"DEFAULT" stands for the defaults: `auto` alone, or nothing'],
    ["?X25519MLKEM768:X25519", `"?X25519MLKEM768": ${tuples}`],
    ["*X25519MLKEM768/*X25519:P-256", `"*X25519MLKEM768/*X25519": ${tuples}`],
    ["X25519/P-256", `"X25519/P-256": ${tuples}`],
    ["X25519:-P-256", `"-P-256": ${tuples}`],
    ["SecP256r1MLKEM768", `the group "SecP256r1MLKEM768" is not offered here: known are ${knownGroups}`],
    ["MLKEM1024", `the group "MLKEM1024" is not offered here: known are ${knownGroups}`],
    ["curveSM2", `the group "curveSM2" is not offered here: known are ${knownGroups}`],
    ["P-256\n-----END", `unknown group of several lines (value hidden), known are ${knownGroups}`],
    ["P-256,P-384", `unknown group "P-256,P-384", known are ${knownGroups}`],
    ["P-256:prime256v1", "the group secp256r1 is listed twice"],
    ["ffdhe2084", 'unknown group "ffdhe2084", did you mean "ffdhe2048"?'],
    ["P-256:secp256k1", `the group "secp256k1" is not offered here: known are ${knownGroups}`],
    ["brainpoolP256r1", `the group "brainpoolP256r1" is not offered here: known are ${knownGroups}`]
  ])("%j is refused", (text, expected) => {
    assert.strictEqual(Either.getOrThrow(Either.flip(OpenSslList.parseGroups(text))).problem, expected)
  })
})

describe("a list of signature algorithms", () => {
  it.each([
    ["ed25519", ["ed25519"]],
    [
      "RSA+SHA256:ECDSA+SHA384:rsa_pss_pss_sha512:ed25519",
      ["rsa_pkcs1_sha256", "ecdsa_secp384r1_sha384", "rsa_pss_pss_sha512", "ed25519"]
    ],
    ["RSA-PSS+SHA256:PSS+SHA384", ["rsa_pss_rsae_sha256", "rsa_pss_rsae_sha384"]],
    ["SHA512+ECDSA:SHA256+PSS", ["ecdsa_secp521r1_sha512", "rsa_pss_rsae_sha256"]],
    ["ed25519:RSA+SHA1:SHA1+ECDSA", ["ed25519", "rsa_pkcs1_sha1", "ecdsa_sha1"]],
    ["ecdsa_secp256r1_sha256:ed448", ["ecdsa_secp256r1_sha256", "ed448"]]
  ] as const)("%s is read", (text, expected) => {
    assert.deepStrictEqual(Either.getOrThrow(OpenSslList.parseSignatureSchemes(text)), expected)
  })

  it("may have every name of every scheme of ours", () => {
    for (const { name, openssl } of SignatureScheme.registry) {
      for (const alias of [name, ...openssl]) {
        assert.deepStrictEqual(Either.getOrThrow(OpenSslList.parseSignatureSchemes(alias)), [name])
      }
    }
  })

  const known = SignatureScheme.registry.map(({ name, openssl }) => [name, ...openssl].join(", ")).join(", ")
  it.each([
    ["", missing("signature algorithm")],
    [":ed25519", missing("signature algorithm")],
    ["ECDSA+SHA265", 'unknown signature algorithm "ECDSA+SHA265", did you mean "ECDSA+SHA256"?'],
    ["ed25591", 'unknown signature algorithm "ed25591", did you mean "ed25519"?'],
    ["RSA+SHA256:rsa_pkcs1_sha256", "the signature algorithm rsa_pkcs1_sha256 is listed twice"],
    ["RSA-PSS+SHA1", `the signature algorithm "RSA-PSS+SHA1" is not offered here: known are ${known}`],
    ["ed25519:DSA+SHA1", `the signature algorithm "DSA+SHA1" is not offered here: known are ${known}`],
    ["ECDSA+SHA224", `the signature algorithm "ECDSA+SHA224" is not offered here: known are ${known}`],
    ["?ed25519", '"?ed25519": the `?` of OpenSSL 3.3, for what it may not know, is not read here: leave it out'],
    ["mldsa65:ed25519", `the signature algorithm "mldsa65" is not offered here: known are ${known}`],
    [
      "ecdsa_brainpoolP256r1tls13_sha256",
      `the signature algorithm "ecdsa_brainpoolP256r1tls13_sha256" is not offered here: known are ${known}`
    ],
    ["SHA256+DSA", `the signature algorithm "SHA256+DSA" is not offered here: known are ${known}`]
  ])("%j is refused", (text, expected) => {
    assert.strictEqual(Either.getOrThrow(Either.flip(OpenSslList.parseSignatureSchemes(text))).problem, expected)
  })
})
