/**
 * Cipher suites (RFC 9846 §B.4): the registry as data. Code points are open, unknown ones survive a round trip.
 *
 * @since 0.1.0
 */
import type * as Brand from "effect/Brand"
import type { AeadAlgorithm, HashAlgorithm } from "./Algorithms.ts"

/**
 * @since 0.1.0
 * @category models
 */
export type CipherSuite = number & Brand.Brand<"effect-tls/CipherSuite">

/**
 * @since 0.1.0
 * @category models
 */
export type CipherSuiteName =
  | "TLS_AES_128_GCM_SHA256"
  | "TLS_AES_256_GCM_SHA384"
  | "TLS_CHACHA20_POLY1305_SHA256"
  | "TLS_AES_128_CCM_SHA256"
  | "TLS_AES_128_CCM_8_SHA256"

/**
 * What a suite consists of. `confidentialityLimit` is the number of records one key may protect (RFC 9846 §5.5);
 * `Infinity` where the sequence number ends first.
 *
 * @since 0.1.0
 * @category models
 */
export interface CipherSuiteInfo {
  readonly code: CipherSuite
  readonly name: CipherSuiteName
  readonly openssl: string
  readonly aead: AeadAlgorithm
  readonly hash: HashAlgorithm
  readonly confidentialityLimit: number
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (code: number): CipherSuite => code as CipherSuite

const suite = (
  code: number,
  name: CipherSuiteName,
  openssl: string,
  aead: AeadAlgorithm,
  hash: HashAlgorithm,
  confidentialityLimit: number
): CipherSuiteInfo => ({ code: make(code), name, openssl, aead, hash, confidentialityLimit })

/**
 * Every suite we can speak, in order of registration.
 *
 * @since 0.1.0
 * @category constants
 */
export const registry: ReadonlyArray<CipherSuiteInfo> = [
  // RFC 9846 §5.5: 2^24.5 full records for AES-GCM; 2^24 leaves room. CCM has half the margin (RFC 9147 §4.5.3: 2^23).
  suite(0x1301, "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", "AES-128-GCM", "SHA-256", 2 ** 24),
  suite(0x1302, "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", "AES-256-GCM", "SHA-384", 2 ** 24),
  suite(
    0x1303,
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_CHACHA20_POLY1305_SHA256",
    "CHACHA20-POLY1305",
    "SHA-256",
    Infinity
  ),
  suite(0x1304, "TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_SHA256", "AES-128-CCM", "SHA-256", 2 ** 23),
  suite(0x1305, "TLS_AES_128_CCM_8_SHA256", "TLS_AES_128_CCM_8_SHA256", "AES-128-CCM-8", "SHA-256", 2 ** 23)
]

const byCode = new Map<number, CipherSuiteInfo>(registry.map((info) => [info.code, info]))
const byName = new Map<string, CipherSuiteInfo>(
  registry.flatMap((info) => [
    [info.name, info],
    [info.openssl, info]
  ])
)

/**
 * The suite of a code point, if we know it.
 *
 * @since 0.1.0
 * @category lookups
 */
export const info = (code: number): CipherSuiteInfo | undefined => byCode.get(code)

/**
 * The suite of an IANA or OpenSSL name, if we know it.
 *
 * @since 0.1.0
 * @category lookups
 */
export const fromName = (name: string): CipherSuiteInfo | undefined => byName.get(name)

/**
 * The IANA name; an unknown code point is printed as `0x1a1a`.
 *
 * @since 0.1.0
 * @category conversions
 */
export const name = (code: number): string => byCode.get(code)?.name ?? `0x${code.toString(16).padStart(4, "0")}`
