/**
 * Key agreement over the provider's primitives. X25519MLKEM768 (draft-ietf-tls-ecdhe-mlkem) is composed here: its
 * shares and secrets are those of ML-KEM-768 followed by those of X25519, and when a hello offers both it and X25519,
 * one X25519 key serves both.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { concat } from "../schema/Bytes.ts"
import * as NamedGroup from "../schema/NamedGroup.ts"
import type { Capabilities, CryptoProviderService, Encapsulation, KeyShare } from "./CryptoProvider.ts"
import { CryptoError } from "./CryptoProvider.ts"
import * as Step from "./Step.ts"

/** ML-KEM-768: encapsulation key and ciphertext, in bytes (FIPS 203). */
const encapsulationKeyLength = 1184
const ciphertextLength = 1088

/**
 * Whether a provider can agree on keys in a group.
 *
 * @since 0.1.0
 * @category guards
 */
export const isSupported = (capabilities: Capabilities, group: NamedGroup.NamedGroup): boolean =>
  group === NamedGroup.x25519MlKem768
    ? capabilities.groups.has(NamedGroup.mlkem768) && capabilities.groups.has(NamedGroup.x25519)
    : capabilities.groups.has(group)

/**
 * Whether a group is fast enough with a provider to be offered without being asked for.
 *
 * @since 0.1.0
 * @category guards
 */
export const isNative = (capabilities: Capabilities, group: NamedGroup.NamedGroup): boolean =>
  capabilities.nativeGroups.has(group === NamedGroup.x25519MlKem768 ? NamedGroup.mlkem768 : group)

const lengthProblem = (bytes: Uint8Array, expected: number): CryptoError | undefined =>
  bytes.length === expected
    ? undefined
    : new CryptoError({
        reason: "InvalidPeerInput",
        operation: "key agreement",
        detail: `a key share of ${bytes.length} bytes, ${expected} expected`
      })

const hybrid = (mlkem: KeyShare, x25519: KeyShare): KeyShare => ({
  group: NamedGroup.x25519MlKem768,
  publicKey: concat([mlkem.publicKey, x25519.publicKey]),
  decapsulate: (peerShare) =>
    Effect.zipWith(
      mlkem.decapsulate(peerShare.subarray(0, ciphertextLength)),
      x25519.decapsulate(peerShare.subarray(ciphertextLength)),
      (a, b) => concat([a, b])
    )
})

/**
 * A client's shares for these groups, in their order.
 *
 * @since 0.1.0
 * @category key agreement
 */
export const generate = (
  crypto: CryptoProviderService,
  groups: ReadonlyArray<NamedGroup.NamedGroup>
): Effect.Effect<ReadonlyArray<KeyShare>, CryptoError> =>
  Step.gen(function* () {
    const shares: Array<KeyShare> = []
    const x25519 =
      groups.includes(NamedGroup.x25519) || groups.includes(NamedGroup.x25519MlKem768)
        ? yield* crypto.generateKeyShare(NamedGroup.x25519)
        : undefined
    for (const group of groups) {
      if (group === NamedGroup.x25519MlKem768) {
        shares.push(hybrid(yield* crypto.generateKeyShare(NamedGroup.mlkem768), x25519!))
      } else if (group === NamedGroup.x25519) {
        shares.push(x25519!)
      } else {
        shares.push(yield* crypto.generateKeyShare(group))
      }
    }
    return shares
  })

/**
 * A server's answer to a client's share.
 *
 * @since 0.1.0
 * @category key agreement
 */
export const encapsulate = (
  crypto: CryptoProviderService,
  group: NamedGroup.NamedGroup,
  peerShare: Uint8Array
): Effect.Effect<Encapsulation, CryptoError> =>
  Step.gen(function* () {
    const wrong = lengthProblem(peerShare, NamedGroup.info(group)!.clientShare)
    if (wrong !== undefined) return yield* Effect.fail(wrong)
    if (group !== NamedGroup.x25519MlKem768) return yield* crypto.encapsulate(group, peerShare)
    const mlkem = yield* crypto.encapsulate(NamedGroup.mlkem768, peerShare.subarray(0, encapsulationKeyLength))
    const x25519 = yield* crypto.encapsulate(NamedGroup.x25519, peerShare.subarray(encapsulationKeyLength))
    return {
      publicKey: concat([mlkem.publicKey, x25519.publicKey]),
      sharedSecret: concat([mlkem.sharedSecret, x25519.sharedSecret])
    }
  })

/**
 * The secret of a client's share and the server's answer to it.
 *
 * @since 0.1.0
 * @category key agreement
 */
export const decapsulate = (share: KeyShare, peerShare: Uint8Array): Effect.Effect<Uint8Array, CryptoError> => {
  const wrong = lengthProblem(peerShare, NamedGroup.info(share.group)!.serverShare)
  return wrong === undefined ? share.decapsulate(peerShare) : Effect.fail(wrong)
}
