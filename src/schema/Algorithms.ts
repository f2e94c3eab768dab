/**
 * The cryptographic algorithms the protocol and certificates ask a provider for, by name.
 *
 * @since 0.1.0
 */

/**
 * @since 0.1.0
 * @category models
 */
export type HashAlgorithm = "SHA-1" | "SHA-256" | "SHA-384" | "SHA-512"

/**
 * Output length of a hash, in bytes.
 *
 * @since 0.1.0
 * @category constants
 */
export const hashLength: { readonly [H in HashAlgorithm]: number } = {
  "SHA-1": 20,
  "SHA-256": 32,
  "SHA-384": 48,
  "SHA-512": 64
}

/**
 * @since 0.1.0
 * @category models
 */
export type AeadAlgorithm = "AES-128-GCM" | "AES-256-GCM" | "CHACHA20-POLY1305" | "AES-128-CCM" | "AES-128-CCM-8"

/**
 * Key and tag lengths of an AEAD, in bytes. Every one of them takes a 12-byte nonce.
 *
 * @since 0.1.0
 * @category constants
 */
export const aeadLengths: { readonly [A in AeadAlgorithm]: { readonly key: number; readonly tag: number } } = {
  "AES-128-GCM": { key: 16, tag: 16 },
  "AES-256-GCM": { key: 32, tag: 16 },
  "CHACHA20-POLY1305": { key: 32, tag: 16 },
  "AES-128-CCM": { key: 16, tag: 16 },
  "AES-128-CCM-8": { key: 16, tag: 8 }
}

/**
 * A block cipher in CBC mode.
 *
 * @since 0.1.0
 * @category models
 */
export type CbcAlgorithm = "AES-128-CBC" | "AES-192-CBC" | "AES-256-CBC" | "DES-EDE3-CBC"

/**
 * Key and block lengths of a block cipher, in bytes. The initialisation vector is one block.
 *
 * @since 0.1.0
 * @category constants
 */
export const cbcLengths: { readonly [A in CbcAlgorithm]: { readonly key: number; readonly block: number } } = {
  "AES-128-CBC": { key: 16, block: 16 },
  "AES-192-CBC": { key: 24, block: 16 },
  "AES-256-CBC": { key: 32, block: 16 },
  "DES-EDE3-CBC": { key: 24, block: 8 }
}

/**
 * What makes a key of a password: PBKDF2 (RFC 8018 §5.2), scrypt (RFC 7914), the derivation of PKCS#12 (RFC 7292
 * appendix B.2, over a password that is written as its appendix B.1 says) and OpenSSL's of old for PEM, which is MD5.
 *
 * @since 0.1.0
 * @category models
 */
export type PasswordKdf =
  | {
      readonly _tag: "PBKDF2"
      readonly hash: HashAlgorithm | "SHA-224"
      readonly salt: Uint8Array
      readonly iterations: number
    }
  | {
      readonly _tag: "scrypt"
      readonly salt: Uint8Array
      /** N: a power of two. */
      readonly cost: number
      /** r */
      readonly blockSize: number
      /** p */
      readonly parallelization: number
    }
  | {
      readonly _tag: "PKCS12"
      readonly hash: HashAlgorithm
      readonly purpose: "key" | "iv" | "mac"
      readonly salt: Uint8Array
      readonly iterations: number
    }
  | { readonly _tag: "EVP_BytesToKey"; readonly salt: Uint8Array }

/**
 * @since 0.1.0
 * @category models
 */
export type EcCurve = "P-256" | "P-384" | "P-521"

/**
 * A signature algorithm as a provider computes it: independent of TLS code points and X.509 identifiers, which both
 * map onto it. `saltLength` is in bytes; ECDSA signatures are DER `ECDSA-Sig-Value`s (RFC 3279 §2.2.3).
 *
 * @since 0.1.0
 * @category models
 */
export type SignatureAlgorithm =
  | { readonly _tag: "Ecdsa"; readonly hash: HashAlgorithm }
  | { readonly _tag: "RsaPkcs1"; readonly hash: HashAlgorithm }
  | { readonly _tag: "RsaPss"; readonly hash: HashAlgorithm; readonly saltLength: number }
  | { readonly _tag: "Ed25519" }
  | { readonly _tag: "Ed448" }
