/**
 * Signature schemes (RFC 9846 §4.2.3): the registry as data. Open: unknown values survive.
 *
 * @since 0.1.0
 */
import type * as Brand from "effect/Brand"
import type { EcCurve, HashAlgorithm, SignatureAlgorithm } from "./Algorithms.ts"
import { hashLength } from "./Algorithms.ts"

/**
 * @since 0.1.0
 * @category models
 */
export type SignatureScheme = number & Brand.Brand<"effect-tls/SignatureScheme">

/**
 * @since 0.1.0
 * @category models
 */
export type SignatureSchemeName =
  | "ecdsa_secp256r1_sha256"
  | "ecdsa_secp384r1_sha384"
  | "ecdsa_secp521r1_sha512"
  | "rsa_pss_rsae_sha256"
  | "rsa_pss_rsae_sha384"
  | "rsa_pss_rsae_sha512"
  | "rsa_pss_pss_sha256"
  | "rsa_pss_pss_sha384"
  | "rsa_pss_pss_sha512"
  | "ed25519"
  | "ed448"
  | "rsa_pkcs1_sha256"
  | "rsa_pkcs1_sha384"
  | "rsa_pkcs1_sha512"
  | "rsa_pkcs1_sha1"
  | "ecdsa_sha1"

/**
 * The kind of public key a scheme needs. In TLS 1.3 an ECDSA scheme fixes the curve; `ecdsa_sha1` is for any.
 *
 * @since 0.1.0
 * @category models
 */
export type SchemeKey =
  | { readonly _tag: "Ec"; readonly curve: EcCurve | undefined }
  | { readonly _tag: "Rsa" }
  | { readonly _tag: "RsaPss" }
  | { readonly _tag: "Ed25519" }
  | { readonly _tag: "Ed448" }

/**
 * `handshake` says whether TLS 1.3 allows the scheme in CertificateVerify; the others are for certificates only. Those
 * over SHA-1 are deprecated even there, and stand last in every list (RFC 9846 §4.2.3).
 *
 * @since 0.1.0
 * @category models
 */
export interface SignatureSchemeInfo {
  readonly code: SignatureScheme
  readonly name: SignatureSchemeName
  readonly openssl: ReadonlyArray<string>
  readonly key: SchemeKey
  readonly algorithm: SignatureAlgorithm
  readonly handshake: boolean
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (code: number): SignatureScheme => code as SignatureScheme

const ecdsa = (code: number, name: SignatureSchemeName, curve: EcCurve, hash: HashAlgorithm): SignatureSchemeInfo => ({
  code: make(code),
  name,
  openssl: [`ECDSA+${hash.replace("-", "")}`],
  key: { _tag: "Ec", curve },
  algorithm: { _tag: "Ecdsa", hash },
  handshake: true
})
const pss = (code: number, key: "Rsa" | "RsaPss", hash: "SHA-256" | "SHA-384" | "SHA-512"): SignatureSchemeInfo => {
  const bits = hash.slice(4) as "256" | "384" | "512"
  return {
    code: make(code),
    name: key === "Rsa" ? `rsa_pss_rsae_sha${bits}` : `rsa_pss_pss_sha${bits}`,
    openssl: key === "Rsa" ? [`RSA-PSS+SHA${bits}`] : [],
    key: { _tag: key },
    algorithm: { _tag: "RsaPss", hash, saltLength: hashLength[hash] },
    handshake: true
  }
}
const pkcs1 = (code: number, hash: "SHA-256" | "SHA-384" | "SHA-512"): SignatureSchemeInfo => {
  const bits = hash.slice(4) as "256" | "384" | "512"
  return {
    code: make(code),
    name: `rsa_pkcs1_sha${bits}`,
    openssl: [`RSA+SHA${bits}`],
    key: { _tag: "Rsa" },
    algorithm: { _tag: "RsaPkcs1", hash },
    handshake: false
  }
}

const sha1 = (
  code: number,
  name: "rsa_pkcs1_sha1" | "ecdsa_sha1",
  openssl: string,
  key: SchemeKey,
  tag: "RsaPkcs1" | "Ecdsa"
): SignatureSchemeInfo => ({
  code: make(code),
  name,
  openssl: [openssl],
  key,
  algorithm: { _tag: tag, hash: "SHA-1" },
  handshake: false
})

/**
 * Every scheme we know.
 *
 * @since 0.1.0
 * @category constants
 */
export const registry: ReadonlyArray<SignatureSchemeInfo> = [
  ecdsa(0x0403, "ecdsa_secp256r1_sha256", "P-256", "SHA-256"),
  ecdsa(0x0503, "ecdsa_secp384r1_sha384", "P-384", "SHA-384"),
  ecdsa(0x0603, "ecdsa_secp521r1_sha512", "P-521", "SHA-512"),
  {
    code: make(0x0807),
    name: "ed25519",
    openssl: [],
    key: { _tag: "Ed25519" },
    algorithm: { _tag: "Ed25519" },
    handshake: true
  },
  {
    code: make(0x0808),
    name: "ed448",
    openssl: [],
    key: { _tag: "Ed448" },
    algorithm: { _tag: "Ed448" },
    handshake: true
  },
  pss(0x0804, "Rsa", "SHA-256"),
  pss(0x0805, "Rsa", "SHA-384"),
  pss(0x0806, "Rsa", "SHA-512"),
  pss(0x0809, "RsaPss", "SHA-256"),
  pss(0x080a, "RsaPss", "SHA-384"),
  pss(0x080b, "RsaPss", "SHA-512"),
  pkcs1(0x0401, "SHA-256"),
  pkcs1(0x0501, "SHA-384"),
  pkcs1(0x0601, "SHA-512"),
  sha1(0x0201, "rsa_pkcs1_sha1", "RSA+SHA1", { _tag: "Rsa" }, "RsaPkcs1"),
  sha1(0x0203, "ecdsa_sha1", "ECDSA+SHA1", { _tag: "Ec", curve: undefined }, "Ecdsa")
]

const byCode = new Map<number, SignatureSchemeInfo>(registry.map((info) => [info.code, info]))
const byName = new Map<string, SignatureSchemeInfo>(
  registry.flatMap((info) => [info.name, ...info.openssl].map((name) => [name.toLowerCase(), info] as const))
)

/**
 * Whether a scheme is over SHA-1, which is broken: somebody may have made two certificates with one signature.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isSha1 = ({ algorithm }: Pick<SignatureSchemeInfo, "algorithm">): boolean =>
  "hash" in algorithm && algorithm.hash === "SHA-1"

/**
 * The scheme of a code point, if we know it.
 *
 * @since 0.1.0
 * @category lookups
 */
export const info = (code: number): SignatureSchemeInfo | undefined => byCode.get(code)

/**
 * The scheme of an IANA or OpenSSL name, whatever its case, if we know it.
 *
 * @since 0.1.0
 * @category lookups
 */
export const fromName = (name: string): SignatureSchemeInfo | undefined => byName.get(name.toLowerCase())

/**
 * The IANA name; an unknown code point is printed as `0x0a0a`.
 *
 * @since 0.1.0
 * @category conversions
 */
export const name = (code: number): string => byCode.get(code)?.name ?? `0x${code.toString(16).padStart(4, "0")}`
