/**
 * Cryptography without chance, **for tests only**: noble's, with "random" bytes that follow from a seed. The same calls
 * in the same order give the same bytes, so a whole handshake can be repeated byte for byte; with random bytes and key
 * shares given, that of a published trace.
 *
 * @since 0.1.0
 */
import { chacha20 } from "@noble/ciphers/chacha.js"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { CryptoProviderService } from "../core/CryptoProvider.ts"
import { CryptoProvider } from "../core/CryptoProvider.ts"
import type { NamedGroup } from "../schema/NamedGroup.ts"
import * as NobleCrypto from "./NobleCrypto.ts"
import * as NobleHash from "./NobleHash.ts"
import * as NobleKeyAgreement from "./NobleKeyAgreement.ts"

/**
 * An ephemeral key to use: as RFC 7748 writes it or a scalar, big endian and as long as the field. For ML-KEM-768 it is
 * the seed of 64 bytes where a key share is generated, and the message of 32 bytes where one is answered.
 *
 * @since 0.1.0
 * @category models
 */
export interface GivenKeyShare {
  readonly group: NamedGroup
  readonly privateKey: Uint8Array
}

/**
 * `keyShares` are used up in their order, for each group its own; `randomBytes` answer the calls of the provider's
 * `randomBytes`, one each. Whatever is asked for after that follows from the seed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly seed: string
  readonly keyShares?: Iterable<GivenKeyShare>
  readonly randomBytes?: Iterable<Uint8Array>
}

/** Call number n gives the ChaCha20 key stream under hash(seed) and nonce n. */
const stream = (seed: string): ((length: number) => Uint8Array) => {
  const key = NobleHash.hash("SHA-256", new TextEncoder().encode(seed))
  let calls = 0
  return (length) => {
    const nonce = new Uint8Array(12)
    new DataView(nonce.buffer).setUint32(8, calls++)
    return chacha20(key, nonce, new Uint8Array(length))
  }
}

/**
 * The provider as a value, at the beginning of its sequence.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: string | Options): CryptoProviderService => {
  const { keyShares = [], randomBytes = [], seed } = typeof options === "string" ? { seed: options } : options
  const next = stream(seed)
  const given = [...randomBytes]
  const shares = [...keyShares]
  const takeKey = (group: NamedGroup): Uint8Array | undefined => {
    const at = shares.findIndex((share) => share.group === group)
    return at < 0 ? undefined : shares.splice(at, 1)[0]!.privateKey
  }
  // Keys are made of the seed even when random bytes are given: those are for what a trace shows, hellos and such.
  const noble = NobleCrypto.make({ randomBytes: next })
  return {
    ...noble,
    name: "deterministic",
    randomBytes: (length) => {
      const bytes = given.shift()
      if (bytes === undefined) return next(length)
      if (bytes.length !== length) {
        throw new Error(`DeterministicCrypto: ${length} random bytes asked for, ${bytes.length} given`)
      }
      return Uint8Array.from(bytes)
    },
    generateKeyShare: (group) =>
      Effect.suspend(() => {
        const privateKey = takeKey(group)
        return privateKey === undefined
          ? noble.generateKeyShare(group)
          : NobleKeyAgreement.unsafeKeyShare(group, privateKey)
      }),
    encapsulate: (group, peerShare) =>
      Effect.suspend(() => {
        const privateKey = takeKey(group)
        return privateKey === undefined
          ? noble.encapsulate(group, peerShare)
          : NobleKeyAgreement.unsafeEncapsulate(group, peerShare, privateKey)
      })
  }
}

/**
 * The provider from a seed; each time the layer is built, from the beginning.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: string | Options): Layer.Layer<CryptoProvider> =>
  Layer.sync(CryptoProvider, () => make(options))
