/**
 * Cipher suites (RFC 9846 §B.4, and those of TLS 1.2): the registry as data. Code points are open, unknown ones survive a
 * round trip.
 *
 * @since 0.1.0
 */
import type * as Brand from "effect/Brand"
import type { AeadAlgorithm, CbcAlgorithm, HashAlgorithm } from "./Algorithms.ts"
import { aeadLengths } from "./Algorithms.ts"

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
 * What a suite of TLS 1.3 consists of. `strength` is the cipher's, in bits; `confidentialityLimit` is the number of records one key may protect (RFC 9846 §5.5);
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
  readonly strength: 128 | 256
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
): CipherSuiteInfo => ({
  code: make(code),
  name,
  openssl,
  aead,
  hash,
  strength: aeadLengths[aead].key === 32 ? 256 : 128,
  confidentialityLimit
})

/**
 * Every suite of TLS 1.3 that we can speak, in order of registration.
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
 * The suite of TLS 1.3 of a code point, if we know it.
 *
 * @since 0.1.0
 * @category lookups
 */
export const info = (code: number): CipherSuiteInfo | undefined => byCode.get(code)

/**
 * The suite of TLS 1.3 of an IANA or OpenSSL name, if we know it.
 *
 * @since 0.1.0
 * @category lookups
 */
export const fromName = (name: string): CipherSuiteInfo | undefined => byName.get(name)

// ---------------------------------------------------------------------------------------------------------------------
// TLS 1.2
// ---------------------------------------------------------------------------------------------------------------------

// As OpenSSL prefers them where nothing is said of their order: its cipher strings mean an order too.
const table12 = [
  [0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384", "TLSv1.2"],
  [0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384", "TLSv1.2"],
  [0x009f, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", "DHE-RSA-AES256-GCM-SHA384", "TLSv1.2"],
  [0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305", "TLSv1.2"],
  [0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305", "TLSv1.2"],
  [0xccaa, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "DHE-RSA-CHACHA20-POLY1305", "TLSv1.2"],
  [0xc0af, "TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8", "ECDHE-ECDSA-AES256-CCM8", "TLSv1.2"],
  [0xc0ad, "TLS_ECDHE_ECDSA_WITH_AES_256_CCM", "ECDHE-ECDSA-AES256-CCM", "TLSv1.2"],
  [0xc0a3, "TLS_DHE_RSA_WITH_AES_256_CCM_8", "DHE-RSA-AES256-CCM8", "TLSv1.2"],
  [0xc09f, "TLS_DHE_RSA_WITH_AES_256_CCM", "DHE-RSA-AES256-CCM", "TLSv1.2"],
  [0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256", "TLSv1.2"],
  [0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "TLSv1.2"],
  [0x009e, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", "DHE-RSA-AES128-GCM-SHA256", "TLSv1.2"],
  [0xc0ae, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8", "ECDHE-ECDSA-AES128-CCM8", "TLSv1.2"],
  [0xc0ac, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM", "ECDHE-ECDSA-AES128-CCM", "TLSv1.2"],
  [0xc0a2, "TLS_DHE_RSA_WITH_AES_128_CCM_8", "DHE-RSA-AES128-CCM8", "TLSv1.2"],
  [0xc09e, "TLS_DHE_RSA_WITH_AES_128_CCM", "DHE-RSA-AES128-CCM", "TLSv1.2"],
  [0xc024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", "ECDHE-ECDSA-AES256-SHA384", "TLSv1.2"],
  [0xc028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", "ECDHE-RSA-AES256-SHA384", "TLSv1.2"],
  [0x006b, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256", "DHE-RSA-AES256-SHA256", "TLSv1.2"],
  [0xc023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "ECDHE-ECDSA-AES128-SHA256", "TLSv1.2"],
  [0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "ECDHE-RSA-AES128-SHA256", "TLSv1.2"],
  [0x0067, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256", "DHE-RSA-AES128-SHA256", "TLSv1.2"],
  [0xc00a, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA", "TLSv1"],
  [0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA", "TLSv1"],
  [0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA", "DHE-RSA-AES256-SHA", "SSLv3"],
  [0xc009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA", "TLSv1"],
  [0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA", "TLSv1"],
  [0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA", "DHE-RSA-AES128-SHA", "SSLv3"],
  [0x00ad, "TLS_RSA_PSK_WITH_AES_256_GCM_SHA384", "RSA-PSK-AES256-GCM-SHA384", "TLSv1.2"],
  [0x00ab, "TLS_DHE_PSK_WITH_AES_256_GCM_SHA384", "DHE-PSK-AES256-GCM-SHA384", "TLSv1.2"],
  [0xccae, "TLS_RSA_PSK_WITH_CHACHA20_POLY1305_SHA256", "RSA-PSK-CHACHA20-POLY1305", "TLSv1.2"],
  [0xccad, "TLS_DHE_PSK_WITH_CHACHA20_POLY1305_SHA256", "DHE-PSK-CHACHA20-POLY1305", "TLSv1.2"],
  [0xccac, "TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-PSK-CHACHA20-POLY1305", "TLSv1.2"],
  [0xc0ab, "TLS_PSK_DHE_WITH_AES_256_CCM_8", "DHE-PSK-AES256-CCM8", "TLSv1.2"],
  [0xc0a7, "TLS_DHE_PSK_WITH_AES_256_CCM", "DHE-PSK-AES256-CCM", "TLSv1.2"],
  [0x009d, "TLS_RSA_WITH_AES_256_GCM_SHA384", "AES256-GCM-SHA384", "TLSv1.2"],
  [0xc0a1, "TLS_RSA_WITH_AES_256_CCM_8", "AES256-CCM8", "TLSv1.2"],
  [0xc09d, "TLS_RSA_WITH_AES_256_CCM", "AES256-CCM", "TLSv1.2"],
  [0x00a9, "TLS_PSK_WITH_AES_256_GCM_SHA384", "PSK-AES256-GCM-SHA384", "TLSv1.2"],
  [0xccab, "TLS_PSK_WITH_CHACHA20_POLY1305_SHA256", "PSK-CHACHA20-POLY1305", "TLSv1.2"],
  [0xc0a9, "TLS_PSK_WITH_AES_256_CCM_8", "PSK-AES256-CCM8", "TLSv1.2"],
  [0xc0a5, "TLS_PSK_WITH_AES_256_CCM", "PSK-AES256-CCM", "TLSv1.2"],
  [0x00ac, "TLS_RSA_PSK_WITH_AES_128_GCM_SHA256", "RSA-PSK-AES128-GCM-SHA256", "TLSv1.2"],
  [0x00aa, "TLS_DHE_PSK_WITH_AES_128_GCM_SHA256", "DHE-PSK-AES128-GCM-SHA256", "TLSv1.2"],
  [0xc0aa, "TLS_PSK_DHE_WITH_AES_128_CCM_8", "DHE-PSK-AES128-CCM8", "TLSv1.2"],
  [0xc0a6, "TLS_DHE_PSK_WITH_AES_128_CCM", "DHE-PSK-AES128-CCM", "TLSv1.2"],
  [0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256", "AES128-GCM-SHA256", "TLSv1.2"],
  [0xc0a0, "TLS_RSA_WITH_AES_128_CCM_8", "AES128-CCM8", "TLSv1.2"],
  [0xc09c, "TLS_RSA_WITH_AES_128_CCM", "AES128-CCM", "TLSv1.2"],
  [0x00a8, "TLS_PSK_WITH_AES_128_GCM_SHA256", "PSK-AES128-GCM-SHA256", "TLSv1.2"],
  [0xc0a8, "TLS_PSK_WITH_AES_128_CCM_8", "PSK-AES128-CCM8", "TLSv1.2"],
  [0xc0a4, "TLS_PSK_WITH_AES_128_CCM", "PSK-AES128-CCM", "TLSv1.2"],
  [0x003d, "TLS_RSA_WITH_AES_256_CBC_SHA256", "AES256-SHA256", "TLSv1.2"],
  [0x003c, "TLS_RSA_WITH_AES_128_CBC_SHA256", "AES128-SHA256", "TLSv1.2"],
  [0xc038, "TLS_ECDHE_PSK_WITH_AES_256_CBC_SHA384", "ECDHE-PSK-AES256-CBC-SHA384", "TLSv1"],
  [0xc036, "TLS_ECDHE_PSK_WITH_AES_256_CBC_SHA", "ECDHE-PSK-AES256-CBC-SHA", "TLSv1"],
  [0x00b7, "TLS_RSA_PSK_WITH_AES_256_CBC_SHA384", "RSA-PSK-AES256-CBC-SHA384", "TLSv1"],
  [0x00b3, "TLS_DHE_PSK_WITH_AES_256_CBC_SHA384", "DHE-PSK-AES256-CBC-SHA384", "TLSv1"],
  [0x0095, "TLS_RSA_PSK_WITH_AES_256_CBC_SHA", "RSA-PSK-AES256-CBC-SHA", "SSLv3"],
  [0x0091, "TLS_DHE_PSK_WITH_AES_256_CBC_SHA", "DHE-PSK-AES256-CBC-SHA", "SSLv3"],
  [0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA", "AES256-SHA", "SSLv3"],
  [0x00af, "TLS_PSK_WITH_AES_256_CBC_SHA384", "PSK-AES256-CBC-SHA384", "TLSv1"],
  [0x008d, "TLS_PSK_WITH_AES_256_CBC_SHA", "PSK-AES256-CBC-SHA", "SSLv3"],
  [0xc037, "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256", "ECDHE-PSK-AES128-CBC-SHA256", "TLSv1"],
  [0xc035, "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA", "ECDHE-PSK-AES128-CBC-SHA", "TLSv1"],
  [0x00b6, "TLS_RSA_PSK_WITH_AES_128_CBC_SHA256", "RSA-PSK-AES128-CBC-SHA256", "TLSv1"],
  [0x00b2, "TLS_DHE_PSK_WITH_AES_128_CBC_SHA256", "DHE-PSK-AES128-CBC-SHA256", "TLSv1"],
  [0x0094, "TLS_RSA_PSK_WITH_AES_128_CBC_SHA", "RSA-PSK-AES128-CBC-SHA", "SSLv3"],
  [0x0090, "TLS_DHE_PSK_WITH_AES_128_CBC_SHA", "DHE-PSK-AES128-CBC-SHA", "SSLv3"],
  [0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA", "SSLv3"],
  [0x00ae, "TLS_PSK_WITH_AES_128_CBC_SHA256", "PSK-AES128-CBC-SHA256", "TLSv1"],
  [0x008c, "TLS_PSK_WITH_AES_128_CBC_SHA", "PSK-AES128-CBC-SHA", "SSLv3"]
] as const

/**
 * @since 0.1.0
 * @category models
 */
export type CipherSuite12Name = (typeof table12)[number][1]

/**
 * How a suite of TLS 1.2 agrees on keys. With `ECDHE` and `DHE`, alone or before a pre-shared key, recorded traffic stays
 * secret when a long-term key is lost (RFC 5246 §F.1.1, RFC 8422, RFC 4279, RFC 5489).
 *
 * @since 0.1.0
 * @category models
 */
export type KeyExchange12 = "ECDHE" | "DHE" | "RSA" | "PSK" | "RSA_PSK" | "DHE_PSK" | "ECDHE_PSK"

/**
 * What protects the records of TLS 1.2: an AEAD, or CBC with an HMAC (RFC 5246 §6.2.3).
 *
 * @since 0.1.0
 * @category models
 */
export type Cipher12 =
  | { readonly _tag: "Aead"; readonly aead: AeadAlgorithm | "AES-256-CCM" | "AES-256-CCM-8" }
  | { readonly _tag: "Cbc"; readonly cbc: CbcAlgorithm; readonly mac: HashAlgorithm }

/**
 * What a suite of TLS 1.2 consists of. `since` is the first version of the protocol that had it, `hash` that of the PRF in
 * TLS 1.2, `strength` the cipher's, in bits.
 *
 * @since 0.1.0
 * @category models
 */
export interface CipherSuite12Info {
  readonly code: CipherSuite
  readonly name: CipherSuite12Name
  readonly openssl: string
  readonly since: "SSLv3" | "TLSv1" | "TLSv1.2"
  readonly keyExchange: KeyExchange12
  readonly authentication: "ECDSA" | "RSA" | "PSK"
  readonly forwardSecrecy: boolean
  readonly cipher: Cipher12
  readonly hash: "SHA-256" | "SHA-384"
  readonly strength: 128 | 256
}

const macs: Readonly<Record<string, HashAlgorithm>> = { SHA: "SHA-1", SHA256: "SHA-256", SHA384: "SHA-384" }

const suite12 = ([code, name, openssl, since]: (typeof table12)[number]): CipherSuite12Info => {
  const [before, after] = name.slice("TLS_".length).split("_WITH_") as [string, string]
  // RFC 6655 has the words of two names the other way round.
  const keys = before === "PSK_DHE" ? "DHE_PSK" : before
  const isPsk = keys.endsWith("PSK")
  const keyExchange = (isPsk ? keys : keys.split("_")[0]) as KeyExchange12
  const strength = after.includes("128") ? 128 : 256
  const mac = macs[after.slice(after.lastIndexOf("_") + 1)]
  const mode = after.includes("_CBC_") ? "CBC" : after.includes("_GCM_") ? "GCM" : after.endsWith("8") ? "CCM-8" : "CCM"
  return {
    code: make(code),
    name,
    openssl,
    since,
    keyExchange,
    // An RSA key proves itself by decrypting, also where a pre-shared one comes on top.
    authentication: keys === "RSA_PSK" ? "RSA" : isPsk ? "PSK" : keys.endsWith("ECDSA") ? "ECDSA" : "RSA",
    forwardSecrecy: keyExchange.includes("DHE"),
    cipher:
      mode === "CBC"
        ? { _tag: "Cbc", cbc: `AES-${strength}-CBC`, mac: mac! }
        : { _tag: "Aead", aead: after.startsWith("CHACHA20") ? "CHACHA20-POLY1305" : `AES-${strength}-${mode}` },
    hash: mac === "SHA-384" ? "SHA-384" : "SHA-256",
    strength
  }
}

/**
 * The suites of TLS 1.2 that our policies name, in the order of OpenSSL's preference. They are listed, so that cipher
 * strings and hellos can be read; a handshake of TLS 1.3 offers none of them.
 *
 * @since 0.1.0
 * @category constants
 */
export const registry12: ReadonlyArray<CipherSuite12Info> = table12.map(suite12)

const byCode12 = new Map<number, CipherSuite12Info>(registry12.map((listed) => [listed.code, listed]))
const byName12 = new Map<string, CipherSuite12Info>(
  registry12.flatMap((listed) => [
    [listed.name, listed],
    [listed.openssl, listed]
  ])
)

/**
 * The suite of TLS 1.2 of a code point, if we know it.
 *
 * @since 0.1.0
 * @category lookups
 */
export const info12 = (code: number): CipherSuite12Info | undefined => byCode12.get(code)

/**
 * The suite of TLS 1.2 of an IANA or OpenSSL name, if we know it.
 *
 * @since 0.1.0
 * @category lookups
 */
export const fromName12 = (name: string): CipherSuite12Info | undefined => byName12.get(name)

/**
 * The IANA name; an unknown code point is printed as `0x1a1a`.
 *
 * @since 0.1.0
 * @category conversions
 */
export const name = (code: number): string =>
  byCode.get(code)?.name ?? byCode12.get(code)?.name ?? `0x${code.toString(16).padStart(4, "0")}`
