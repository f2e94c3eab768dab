/**
 * A private key is not bytes but a signer: PEM makes one, and so do a KMS, an HSM or a key that never leaves
 * WebCrypto.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { SignatureAlgorithm } from "../schema/Algorithms.ts"
import { hashLength } from "../schema/Algorithms.ts"
import type { PublicKey } from "../schema/PublicKey.ts"
import * as PublicKeys from "../schema/PublicKey.ts"
import type { SignatureScheme } from "../schema/SignatureScheme.ts"
import * as SignatureSchemes from "../schema/SignatureScheme.ts"
import type { CryptoError } from "./CryptoError.ts"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: unique symbol = Symbol.for("effect-tls/PrivateKey")

/**
 * `schemes` are the TLS signature schemes the key can do, best first. `sign` gives the signature over `data` (which
 * it hashes itself): DER for ECDSA, as RFC 9846 §4.2.3 wants it.
 *
 * @since 0.1.0
 * @category models
 */
export interface PrivateKey {
  readonly [TypeId]: typeof TypeId
  readonly publicKey: PublicKey
  readonly schemes: ReadonlyArray<SignatureScheme>
  readonly sign: (algorithm: SignatureAlgorithm, data: Uint8Array) => Effect.Effect<Uint8Array, CryptoError>
}

/**
 * A signer from its parts: whatever signs. `PrivateKeyFile` makes one of a file, `WebPrivateKey` of a `CryptoKey`.
 *
 * @example
 * import { Effect } from "effect"
 * import { type Certificate, CryptoProvider, PrivateKey } from "effect-tls"
 *
 * // A key service that signs what it is sent, and gives ECDSA signatures in DER.
 * declare const service: { readonly sign: (key: string, hash: string, data: Uint8Array) => Promise<Uint8Array> }
 *
 * const signerOf = ({ publicKey }: Certificate.Certificate): PrivateKey.PrivateKey =>
 *   PrivateKey.make({
 *     publicKey,
 *     schemes: PrivateKey.schemesOf(publicKey),
 *     sign: (algorithm, data) =>
 *       Effect.tryPromise({
 *         try: () => service.sign("web-server", "hash" in algorithm ? algorithm.hash : "none", data),
 *         catch: (cause) =>
 *           new CryptoProvider.CryptoError({ reason: "Failed", operation: "sign", detail: "the service", cause })
 *       })
 *   })
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Omit<PrivateKey, typeof TypeId>): PrivateKey => ({ [TypeId]: TypeId, ...options })

/**
 * @since 0.1.0
 * @category guards
 */
export const isPrivateKey = (u: unknown): u is PrivateKey => typeof u === "object" && u !== null && TypeId in u

/**
 * Whether a key may do an algorithm: an `Rsa` key does PKCS #1 v1.5 and PSS, a `RsaPss` key PSS only, and that within
 * its parameters if it has any (RFC 4055 §3.3).
 *
 * @since 0.1.0
 * @category predicates
 */
export const isKeyFor = (key: PublicKey, algorithm: SignatureAlgorithm): boolean => {
  switch (algorithm._tag) {
    case "Ecdsa":
      return key._tag === "Ec"
    case "RsaPkcs1":
      return key._tag === "Rsa"
    case "RsaPss":
      return (
        key._tag === "Rsa" ||
        (key._tag === "RsaPss" &&
          (key.parameters === undefined ||
            (key.parameters.hash === algorithm.hash && key.parameters.saltLength <= algorithm.saltLength)))
      )
    case "Ed25519":
    case "Ed448":
      return key._tag === algorithm._tag
  }
}

/**
 * The TLS signature schemes a key can do, in the registry's order; not those over SHA-1, which nothing signs with here. An
 * RSA modulus may be too short for a scheme: a PSS encoding needs room for hash and salt, a PKCS #1 v1.5 encoding for the
 * hash and its name (RFC 8017 §9.1.1, §9.2).
 *
 * @since 0.1.0
 * @category combinators
 */
export const schemesOf = (key: PublicKey): ReadonlyArray<SignatureScheme> => {
  const schemes: Array<SignatureScheme> = []
  for (const scheme of SignatureSchemes.registry) {
    const { algorithm, code, key: wanted } = scheme
    if (
      !SignatureSchemes.isSha1(scheme) &&
      wanted._tag === key._tag &&
      (wanted._tag !== "Ec" || (key._tag === "Ec" && key.curve === wanted.curve)) &&
      isKeyFor(key, algorithm) &&
      hasRoom(key, algorithm)
    ) {
      schemes.push(code)
    }
  }
  return schemes
}

/** The DER of a DigestInfo in front of the hash, the same length for every hash of SHA-2 (RFC 8017 §9.2 note 1). */
const digestInfoLength = 19

const hasRoom = (key: PublicKey, algorithm: SignatureAlgorithm): boolean => {
  if (key._tag !== "Rsa" && key._tag !== "RsaPss") return true
  const bits = PublicKeys.modulusBits(key)
  if (algorithm._tag === "RsaPss") {
    return Math.ceil((bits - 1) / 8) >= hashLength[algorithm.hash] + algorithm.saltLength + 2
  }
  return algorithm._tag === "RsaPkcs1" && Math.ceil(bits / 8) >= digestInfoLength + hashLength[algorithm.hash] + 11
}
