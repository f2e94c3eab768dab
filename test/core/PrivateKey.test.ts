import { assert, describe, it } from "@effect/vitest"
import * as PrivateKey from "../../src/core/PrivateKey.ts"
import * as PublicKey from "../../src/schema/PublicKey.ts"
import * as SignatureScheme from "../../src/schema/SignatureScheme.ts"

const names = (key: PublicKey.PublicKey) => PrivateKey.schemesOf(key).map(SignatureScheme.name)
/** A modulus of so many bits; nobody computes with it. */
const modulus = (bits: number): Uint8Array => {
  const bytes = new Uint8Array(Math.ceil(bits / 8)).fill(0xff)
  bytes[0] = 0xff >> (8 * bytes.length - bits)
  return bytes
}
const rsa = (bits: number) =>
  PublicKey.rsa(modulus(bits), Uint8Array.of(1, 0, 1)) as PublicKey.PublicKey & { readonly _tag: "Rsa" }
const pss = (bits: number): PublicKey.PublicKey & { readonly _tag: "RsaPss" } => ({ ...rsa(bits), _tag: "RsaPss" })

describe("schemesOf", () => {
  it("knows the curve", () => {
    assert.deepStrictEqual(names(PublicKey.ec("P-256", new Uint8Array(65))), ["ecdsa_secp256r1_sha256"])
    assert.deepStrictEqual(names(PublicKey.ec("P-384", new Uint8Array(97))), ["ecdsa_secp384r1_sha384"])
    assert.deepStrictEqual(names(PublicKey.ec("P-521", new Uint8Array(133))), ["ecdsa_secp521r1_sha512"])
    assert.deepStrictEqual(names(PublicKey.edwards("Ed25519", new Uint8Array(32))), ["ed25519"])
    assert.deepStrictEqual(names(PublicKey.edwards("Ed448", new Uint8Array(57))), ["ed448"])
    assert.deepStrictEqual(names({ _tag: "Unsupported", algorithm: "DSA", spki: new Uint8Array(1) }), [])
  })

  it("keeps the registry's order", () => {
    assert.deepStrictEqual(names(rsa(2048)), [
      "rsa_pss_rsae_sha256",
      "rsa_pss_rsae_sha384",
      "rsa_pss_rsae_sha512",
      "rsa_pkcs1_sha256",
      "rsa_pkcs1_sha384",
      "rsa_pkcs1_sha512"
    ])
    assert.deepStrictEqual(names(pss(2048)), ["rsa_pss_pss_sha256", "rsa_pss_pss_sha384", "rsa_pss_pss_sha512"])
  })

  it.each([
    // 2 * 64 + 2 bytes are needed for SHA-512, and a modulus of 8k+1 bits has an encoding of k bytes.
    [1034, "sha512"],
    [1033, "sha384"],
    [778, "sha384"],
    [777, "sha256"],
    [522, "sha256"],
    [521, undefined]
  ] as const)("drops what does not fit %i bits", (bits, last) => {
    const hashes = ["sha256", "sha384", "sha512"]
    const expected = last === undefined ? [] : hashes.slice(0, hashes.indexOf(last) + 1)
    assert.deepStrictEqual(
      names(pss(bits)),
      expected.map((hash) => `rsa_pss_pss_${hash}`)
    )
    assert.deepStrictEqual(
      names(rsa(bits)).filter((name) => name.startsWith("rsa_pss")),
      expected.map((hash) => `rsa_pss_rsae_${hash}`)
    )
  })

  it("drops the PKCS #1 encodings that do not fit", () => {
    const pkcs1 = (bits: number) => names(rsa(bits)).filter((name) => name.startsWith("rsa_pkcs1"))
    assert.deepStrictEqual(pkcs1(512), ["rsa_pkcs1_sha256"])
    assert.deepStrictEqual(pkcs1(8 * 93 + 1), ["rsa_pkcs1_sha256", "rsa_pkcs1_sha384", "rsa_pkcs1_sha512"])
    assert.deepStrictEqual(pkcs1(8 * 93), ["rsa_pkcs1_sha256", "rsa_pkcs1_sha384"])
    assert.deepStrictEqual(pkcs1(8 * 61), [])
  })

  it("keeps to the parameters of a RSA-PSS key", () => {
    const restricted = (saltLength: number) => names({ ...pss(2048), parameters: { hash: "SHA-384", saltLength } })
    assert.deepStrictEqual(restricted(48), ["rsa_pss_pss_sha384"])
    assert.deepStrictEqual(restricted(20), ["rsa_pss_pss_sha384"])
    assert.deepStrictEqual(restricted(49), [])
  })
})
