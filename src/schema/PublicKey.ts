/**
 * Public keys of certificates and signers: `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7) as a value.
 *
 * @since 0.1.0
 */
import type { EcCurve } from "./Algorithms.ts"

/**
 * A public key. `spki` is the whole DER `SubjectPublicKeyInfo`; `point` is an uncompressed SEC 1 point.
 * A `RsaPss` key (`id-RSASSA-PSS`) may sign with PSS only.
 *
 * @since 0.1.0
 * @category models
 */
export type PublicKey =
  | { readonly _tag: "Rsa"; readonly modulus: Uint8Array; readonly exponent: Uint8Array; readonly spki: Uint8Array }
  | { readonly _tag: "RsaPss"; readonly modulus: Uint8Array; readonly exponent: Uint8Array; readonly spki: Uint8Array }
  | { readonly _tag: "Ec"; readonly curve: EcCurve; readonly point: Uint8Array; readonly spki: Uint8Array }
  | { readonly _tag: "Ed25519"; readonly bytes: Uint8Array; readonly spki: Uint8Array }
  | { readonly _tag: "Ed448"; readonly bytes: Uint8Array; readonly spki: Uint8Array }
  | { readonly _tag: "Unsupported"; readonly algorithm: string; readonly spki: Uint8Array }
