/**
 * Key-agreement groups (RFC 9846 §4.2.7). Open: unknown values survive.
 *
 * @since 0.1.0
 */
import type * as Brand from "effect/Brand"
import type { FiniteFieldName } from "./FiniteField.ts"

/**
 * @since 0.1.0
 * @category models
 */
export type NamedGroup = number & Brand.Brand<"effect-tls/NamedGroup">

/**
 * @since 0.1.0
 * @category models
 */
export type NamedGroupName =
  "secp256r1" | "secp384r1" | "secp521r1" | "x25519" | "x448" | FiniteFieldName | "X25519MLKEM768"

/**
 * `strength` is what the group is worth, in bits of security (NIST SP 800-56A revision 3, Appendix D); `clientShare` and
 * `serverShare` are the lengths of the public values in a key share, in bytes.
 *
 * @since 0.1.0
 * @category models
 */
export interface NamedGroupInfo {
  readonly code: NamedGroup
  readonly name: NamedGroupName
  readonly openssl: ReadonlyArray<string>
  readonly strength: number
  readonly clientShare: number
  readonly serverShare: number
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (code: number): NamedGroup => code as NamedGroup

/**
 * @since 0.1.0
 * @category constants
 */
export const secp256r1 = make(0x0017)
/**
 * @since 0.1.0
 * @category constants
 */
export const secp384r1 = make(0x0018)
/**
 * @since 0.1.0
 * @category constants
 */
export const secp521r1 = make(0x0019)
/**
 * @since 0.1.0
 * @category constants
 */
export const x25519 = make(0x001d)
/**
 * @since 0.1.0
 * @category constants
 */
export const x448 = make(0x001e)
/**
 * The finite fields of RFC 7919; `FiniteField` has their numbers.
 *
 * @since 0.1.0
 * @category constants
 */
export const ffdhe2048 = make(0x0100)
/**
 * @since 0.1.0
 * @category constants
 */
export const ffdhe3072 = make(0x0101)
/**
 * @since 0.1.0
 * @category constants
 */
export const ffdhe4096 = make(0x0102)
/**
 * @since 0.1.0
 * @category constants
 */
export const ffdhe6144 = make(0x0103)
/**
 * @since 0.1.0
 * @category constants
 */
export const ffdhe8192 = make(0x0104)
/**
 * ML-KEM-768 alone: never negotiated, but what a provider names as its capability and the hybrid is made of.
 *
 * @since 0.1.0
 * @category constants
 */
export const mlkem768 = make(0x0201)
/**
 * The hybrid of ML-KEM-768 and X25519 (draft-ietf-tls-ecdhe-mlkem).
 *
 * @since 0.1.0
 * @category constants
 */
export const x25519MlKem768 = make(0x11ec)

const finiteField = (code: NamedGroup, name: FiniteFieldName, bits: number, strength: number): NamedGroupInfo => ({
  code,
  name,
  openssl: [name],
  strength,
  clientShare: bits / 8,
  serverShare: bits / 8
})

/**
 * Every group we can negotiate.
 *
 * @since 0.1.0
 * @category constants
 */
export const registry: ReadonlyArray<NamedGroupInfo> = [
  {
    code: x25519MlKem768,
    name: "X25519MLKEM768",
    openssl: ["X25519MLKEM768"],
    strength: 192,
    clientShare: 1216,
    serverShare: 1120
  },
  { code: x25519, name: "x25519", openssl: ["X25519"], strength: 128, clientShare: 32, serverShare: 32 },
  {
    code: secp256r1,
    name: "secp256r1",
    openssl: ["P-256", "prime256v1"],
    strength: 128,
    clientShare: 65,
    serverShare: 65
  },
  { code: secp384r1, name: "secp384r1", openssl: ["P-384"], strength: 192, clientShare: 97, serverShare: 97 },
  { code: secp521r1, name: "secp521r1", openssl: ["P-521"], strength: 256, clientShare: 133, serverShare: 133 },
  { code: x448, name: "x448", openssl: ["X448"], strength: 224, clientShare: 56, serverShare: 56 },
  finiteField(ffdhe2048, "ffdhe2048", 2048, 112),
  finiteField(ffdhe3072, "ffdhe3072", 3072, 128),
  finiteField(ffdhe4096, "ffdhe4096", 4096, 152),
  finiteField(ffdhe6144, "ffdhe6144", 6144, 176),
  finiteField(ffdhe8192, "ffdhe8192", 8192, 200)
]

const byCode = new Map<number, NamedGroupInfo>(registry.map((info) => [info.code, info]))
const byName = new Map<string, NamedGroupInfo>(
  registry.flatMap((info) => [info.name, ...info.openssl].map((name) => [name.toLowerCase(), info] as const))
)

/**
 * The group of a code point, if we know it.
 *
 * @since 0.1.0
 * @category lookups
 */
export const info = (code: number): NamedGroupInfo | undefined => byCode.get(code)

/**
 * The group of an IANA or OpenSSL name, whatever its case, if we know it.
 *
 * @since 0.1.0
 * @category lookups
 */
export const fromName = (name: string): NamedGroupInfo | undefined => byName.get(name.toLowerCase())

/**
 * The IANA name; an unknown code point is printed as `0x2a2a`.
 *
 * @since 0.1.0
 * @category conversions
 */
export const name = (code: number): string => byCode.get(code)?.name ?? `0x${code.toString(16).padStart(4, "0")}`
