/**
 * How keys sign what is made here, and what they are known by.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type { SignatureAlgorithm } from "../schema/Algorithms.ts"
import * as AlgorithmIdentifier from "../schema/AlgorithmIdentifier.ts"
import * as Der from "../schema/Der.ts"
import type { PublicKey } from "../schema/PublicKey.ts"
import * as PublicKeys from "../schema/PublicKey.ts"
import type { TlsConfigError } from "../schema/TlsError.ts"
import { invalid } from "./BuilderOptions.ts"
import type { CryptoError, CryptoProviderService, KeyType } from "./CryptoProvider.ts"
import type { PrivateKey } from "./PrivateKey.ts"
import { isKeyFor, isPrivateKey } from "./PrivateKey.ts"

/**
 * How a key signs certificates when nobody says how.
 *
 * @since 0.1.0
 * @category signatures
 */
export const defaultSignatureAlgorithm = (key: PublicKey): SignatureAlgorithm | undefined => {
  switch (key._tag) {
    case "Rsa":
      return { _tag: "RsaPkcs1", hash: "SHA-256" }
    case "RsaPss":
      return { _tag: "RsaPss", ...(key.parameters ?? { hash: "SHA-256", saltLength: 32 }) }
    case "Ec":
      return { _tag: "Ecdsa", hash: key.curve === "P-256" ? "SHA-256" : key.curve === "P-384" ? "SHA-384" : "SHA-512" }
    case "Ed25519":
    case "Ed448":
      return { _tag: key._tag }
    case "Unsupported":
      return undefined
  }
}

/**
 * The identifier of a key: 160 bits of the SHA-256 of its BIT STRING (RFC 7093 §2, method 1).
 *
 * @since 0.1.0
 * @category signatures
 */
export const keyIdentifier = (crypto: CryptoProviderService, key: PublicKey): Uint8Array => {
  const bits = Der.decode("SubjectPublicKeyInfo", (reader) => {
    const inner = reader.sequence()
    inner.element()
    return inner.bitStringBytes()
  })
  return crypto
    .hash(
      "SHA-256",
      Either.getOrElse(bits(key.spki), () => key.spki)
    )
    .slice(0, 20)
}

/**
 * A signer, with its PKCS#8 (DER) when it was made here.
 *
 * @since 0.1.0
 * @category models
 */
export interface KeyPair {
  readonly privateKey: PrivateKey
  readonly pkcs8: Option.Option<Redacted.Redacted<Uint8Array>>
}

/**
 * The key that was asked for: made, if it is a kind of key; EC P-256 if nothing was said.
 *
 * @since 0.1.0
 * @category constructors
 */
export const obtainKey = (
  crypto: CryptoProviderService,
  wanted: KeyType | PrivateKey | undefined
): Effect.Effect<KeyPair, CryptoError> =>
  isPrivateKey(wanted)
    ? Effect.succeed({ privateKey: wanted, pkcs8: Option.none() })
    : Effect.map(crypto.generatePrivateKey(wanted ?? { _tag: "Ec", curve: "P-256" }), ({ key, pkcs8 }) => ({
        privateKey: key,
        pkcs8: Option.some(pkcs8)
      }))

/**
 * The algorithm to sign with: as asked for, if the key can do it, or the key's own.
 *
 * @since 0.1.0
 * @category signatures
 */
export const algorithmFor = (
  key: PublicKey,
  wanted: SignatureAlgorithm | undefined
): Either.Either<SignatureAlgorithm, TlsConfigError> => {
  const algorithm = wanted ?? defaultSignatureAlgorithm(key)
  if (algorithm === undefined) return Either.left(invalid("key", "the issuer's key cannot sign certificates"))
  return isKeyFor(key, algorithm)
    ? Either.right(algorithm)
    : Either.left(
        invalid(
          "signatureAlgorithm",
          `a ${PublicKeys.format(key)} key does not sign with ${"hash" in algorithm ? `${algorithm._tag} and ${algorithm.hash}` : algorithm._tag}`
        )
      )
}

/**
 * What is signed, its algorithm and its signature in the sequence that certificates, requests and CRLs are (RFC 5280
 * §4.1.1).
 *
 * @since 0.1.0
 * @category encoding
 */
export const signed = (toBeSigned: Uint8Array, algorithm: SignatureAlgorithm, signature: Uint8Array): Uint8Array =>
  Der.sequence(toBeSigned, AlgorithmIdentifier.encode(algorithm), Der.bitString(signature))
