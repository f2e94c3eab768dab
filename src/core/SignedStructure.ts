/**
 * The signature of a certificate, a revocation list or an OCSP response, under the key of who is said to have made it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { SignatureAlgorithm } from "../schema/Algorithms.ts"
import type { PublicKey } from "../schema/PublicKey.ts"
import type { CryptoProviderService } from "./CryptoProvider.ts"
import { isKeyFor } from "./PrivateKey.ts"

/**
 * What is to be said of a signature: `OtherKey` is of a kind that cannot make such a one, `Unverifiable` what the provider
 * cannot do, and `Exhausted` one that was not looked at, since `effort` had none left.
 *
 * @since 0.1.0
 * @category models
 */
export type Verdict =
  | { readonly _tag: "Valid" | "Wrong" | "OtherKey" | "Unverifiable" }
  | { readonly _tag: "Exhausted" }
  | { readonly _tag: "UnusableKey"; readonly detail: string }

/**
 * Verifies the signature, which costs one of `effort` when it comes to that. A key that is no key is the other's affair;
 * that the provider broke is ours, a defect, and no verdict on anybody.
 *
 * @since 0.1.0
 * @category verification
 */
export const verify = (
  { crypto, effort }: { readonly crypto: CryptoProviderService; readonly effort: { signatures: number } },
  signed: { readonly tbs: Uint8Array; readonly signature: Uint8Array },
  algorithm: SignatureAlgorithm,
  key: PublicKey
): Effect.Effect<Verdict> => {
  if (!isKeyFor(key, algorithm)) return Effect.succeed({ _tag: "OtherKey" })
  if (!crypto.capabilities.verify(algorithm, key)) return Effect.succeed({ _tag: "Unverifiable" })
  if (--effort.signatures < 0) return Effect.succeed({ _tag: "Exhausted" })
  return Effect.catchAll(
    Effect.map(crypto.verify(algorithm, key, signed.tbs, signed.signature), (isValid): Verdict => ({
      _tag: isValid ? "Valid" : "Wrong"
    })),
    (error) =>
      error.reason === "Failed"
        ? Effect.die(error)
        : Effect.succeed<Verdict>({ _tag: "UnusableKey", detail: error.detail })
  )
}

/**
 * What is wrong with a signature of which there is no more to say than that, if anything: to be put behind the name of what
 * is signed.
 *
 * @since 0.1.0
 * @category verification
 */
export const complaint = (
  verdict: Exclude<Verdict, { readonly _tag: "Exhausted" }>,
  { crypto, signer }: { readonly crypto: CryptoProviderService; readonly signer: "issuer" | "responder" }
): string | undefined => {
  switch (verdict._tag) {
    case "Valid":
      return undefined
    case "Wrong":
      return `has a signature that is not its ${signer}'s`
    case "OtherKey":
      return `has a signature such as its ${signer}'s key cannot make`
    case "Unverifiable":
      return `has a signature that the provider ${crypto.name} cannot verify`
    case "UnusableKey":
      return `has ${signer === "issuer" ? "an issuer" : "a responder"} whose key cannot be used: ${verdict.detail}`
  }
}
