/**
 * Private keys as they are stored: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017 §A.1.2) and SEC 1 (RFC 5915), all brought to
 * one form.
 *
 * @since 0.1.0
 */
import type * as Redacted from "effect/Redacted"
import type { EcCurve } from "./Algorithms.ts"

/**
 * A parsed private key. `pkcs8` is the whole DER `PrivateKeyInfo` whatever the input's container was; `secret` is the
 * scalar of an EC key (fixed width) or the seed of an Edwards key.
 *
 * @since 0.1.0
 * @category models
 */
export type PrivateKeyInfo =
  | { readonly _tag: "Rsa" | "RsaPss"; readonly pkcs8: Redacted.Redacted<Uint8Array> }
  | {
      readonly _tag: "Ec"
      readonly curve: EcCurve
      readonly secret: Redacted.Redacted<Uint8Array>
      readonly pkcs8: Redacted.Redacted<Uint8Array>
    }
  | {
      readonly _tag: "Ed25519" | "Ed448"
      readonly secret: Redacted.Redacted<Uint8Array>
      readonly pkcs8: Redacted.Redacted<Uint8Array>
    }
