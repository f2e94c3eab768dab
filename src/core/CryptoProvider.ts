/**
 * The cryptography the protocol asks for. What a record needs is synchronous: a record must not cost a fiber. Key
 * agreement, signing and verifying are Effects, free to run off the main thread.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type {
  AeadAlgorithm,
  CbcAlgorithm,
  EcCurve,
  HashAlgorithm,
  PasswordKdf,
  SignatureAlgorithm
} from "../schema/Algorithms.ts"
import type { NamedGroup } from "../schema/NamedGroup.ts"
import type { PrivateKeyInfo } from "../schema/PrivateKeyInfo.ts"
import type { PublicKey } from "../schema/PublicKey.ts"
import type { CryptoError } from "./CryptoError.ts"
import type { PrivateKey } from "./PrivateKey.ts"

export {
  /** @since 0.1.0 */
  CryptoError
} from "./CryptoError.ts"

/**
 * A hash over bytes fed one after the other. `digest` is the hash of all that was fed so far and may be asked for
 * again after more.
 *
 * @since 0.1.0
 * @category models
 */
export interface IncrementalHash {
  readonly update: (bytes: Uint8Array) => void
  readonly digest: () => Uint8Array
}

/**
 * An AEAD under one key. `seal` writes ciphertext and tag into `target`, which has exactly their length and does not
 * overlap `plaintext`. `open` gives the plaintext in memory of its own, or `undefined` when the tag is wrong, and
 * nothing about why.
 *
 * @since 0.1.0
 * @category models
 */
export interface AeadKey {
  readonly tagLength: number
  readonly seal: (nonce: Uint8Array, additionalData: Uint8Array, plaintext: Uint8Array, target: Uint8Array) => void
  readonly open: (nonce: Uint8Array, additionalData: Uint8Array, ciphertext: Uint8Array) => Uint8Array | undefined
}

/**
 * A block cipher in CBC mode under one key, for whole blocks: padding is the caller's. Both give memory of its own.
 *
 * @since 0.1.0
 * @category models
 */
export interface CbcKey {
  readonly encrypt: (iv: Uint8Array, plaintext: Uint8Array) => Uint8Array
  readonly decrypt: (iv: Uint8Array, ciphertext: Uint8Array) => Uint8Array
}

/**
 * Our half of a key agreement. `publicKey` is what goes on the wire; `decapsulate` combines the peer's answer into
 * the shared secret, and fails with `InvalidPeerInput` for a point off the curve, a wrong length or an all-zero secret.
 *
 * @since 0.1.0
 * @category models
 */
export interface KeyShare {
  readonly group: NamedGroup
  readonly publicKey: Uint8Array
  readonly decapsulate: (peerShare: Uint8Array) => Effect.Effect<Uint8Array, CryptoError>
}

/**
 * The responder's half: what to send back, and the secret.
 *
 * @since 0.1.0
 * @category models
 */
export interface Encapsulation {
  readonly publicKey: Uint8Array
  readonly sharedSecret: Uint8Array
}

/**
 * The key of a signer to generate.
 *
 * @since 0.1.0
 * @category models
 */
export type KeyType =
  | { readonly _tag: "Ec"; readonly curve: EcCurve }
  | { readonly _tag: "Rsa"; readonly modulusLength: number }
  | { readonly _tag: "RsaPss"; readonly modulusLength: number }
  | { readonly _tag: "Ed25519" }
  | { readonly _tag: "Ed448" }

/**
 * What a provider can do. Negotiation offers only that. `groups` are primitives: a provider with `x25519` and
 * `mlkem768` gets the hybrid from core. `nativeGroups` names those fast enough to offer by default. Verifying and
 * signing are told apart, because some can only verify (RSA without constant-time arithmetic).
 *
 * @since 0.1.0
 * @category models
 */
export interface Capabilities {
  readonly hashes: ReadonlySet<HashAlgorithm>
  readonly aeads: ReadonlySet<AeadAlgorithm>
  readonly groups: ReadonlySet<NamedGroup>
  readonly nativeGroups: ReadonlySet<NamedGroup>
  readonly verify: (algorithm: SignatureAlgorithm, key: PublicKey) => boolean
  readonly sign: (algorithm: SignatureAlgorithm, key: PublicKey) => boolean
  /** Block ciphers, for encrypted keys and bundles. */
  readonly cbcs: ReadonlySet<CbcAlgorithm>
  readonly passwordKdfs: ReadonlySet<PasswordKdf["_tag"]>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface CryptoProviderService {
  readonly name: string
  readonly capabilities: Capabilities
  /** Unpredictable bytes. */
  readonly randomBytes: (length: number) => Uint8Array
  readonly hash: (algorithm: HashAlgorithm, bytes: Uint8Array) => Uint8Array
  readonly createHash: (algorithm: HashAlgorithm) => IncrementalHash
  readonly hmac: (algorithm: HashAlgorithm, key: Uint8Array, bytes: Uint8Array) => Uint8Array
  readonly aead: (algorithm: AeadAlgorithm, key: Uint8Array) => AeadKey
  /** Throws `Unsupported` for what is not in `capabilities.cbcs`. */
  readonly cbc: (algorithm: CbcAlgorithm, key: Uint8Array) => CbcKey
  /** So many bytes made of a password: slow by intent, so off the main thread or in slices. The caller bounds the cost. */
  readonly deriveFromPassword: (
    kdf: PasswordKdf,
    password: Uint8Array,
    length: number
  ) => Effect.Effect<Uint8Array, CryptoError>
  /** Compares without telling by time where the difference is. Different lengths are unequal at once. */
  readonly equal: (a: Uint8Array, b: Uint8Array) => boolean
  /** The initiator's half of a key agreement. */
  readonly generateKeyShare: (group: NamedGroup) => Effect.Effect<KeyShare, CryptoError>
  /** The responder's half, from the initiator's public value. */
  readonly encapsulate: (group: NamedGroup, peerShare: Uint8Array) => Effect.Effect<Encapsulation, CryptoError>
  /** Whether a signature is right. A malformed signature is `false`; a key that cannot be used is an error. */
  readonly verify: (
    algorithm: SignatureAlgorithm,
    key: PublicKey,
    data: Uint8Array,
    signature: Uint8Array
  ) => Effect.Effect<boolean, CryptoError>
  /** Makes a signer of key bytes. */
  readonly importPrivateKey: (key: PrivateKeyInfo) => Effect.Effect<PrivateKey, CryptoError>
  /** A new signer, with its PKCS#8 (DER) for whoever wants to keep it. */
  readonly generatePrivateKey: (
    type: KeyType
  ) => Effect.Effect<{ readonly key: PrivateKey; readonly pkcs8: Redacted.Redacted<Uint8Array> }, CryptoError>
}

/**
 * @since 0.1.0
 * @category tags
 */
export class CryptoProvider extends Context.Tag("effect-tls/CryptoProvider")<CryptoProvider, CryptoProviderService>() {}
