/**
 * How a private key or a bundle is encrypted under a passphrase: PBES2 (RFC 8018 §6.2), the scheme of PKCS#12 (RFC 7292
 * appendix C), OpenSSL's of old for PEM (`DEK-Info`).
 *
 * @since 0.1.0
 */
import type { CbcAlgorithm, HashAlgorithm, PasswordKdf } from "./Algorithms.ts"
import { cbcLengths } from "./Algorithms.ts"
import * as Der from "./Der.ts"
import * as ObjectIdentifier from "./ObjectIdentifier.ts"

const { oids } = ObjectIdentifier

/**
 * `Unsupported` has the name of what we cannot decrypt, and whether an OpenSSL of today needs its legacy provider to.
 *
 * @since 0.1.0
 * @category models
 */
export type PasswordEncryption =
  | {
      readonly _tag: "Pbes2"
      readonly kdf: Extract<PasswordKdf, { readonly _tag: "PBKDF2" | "scrypt" }>
      readonly cipher: CbcAlgorithm
      readonly iv: Uint8Array
    }
  | {
      readonly _tag: "Pkcs12"
      /** Keys of triple DES, of which two make the third. */
      readonly desKeys: 2 | 3
      readonly salt: Uint8Array
      readonly iterations: number
    }
  | { readonly _tag: "DekInfo"; readonly cipher: CbcAlgorithm; readonly iv: Uint8Array }
  | { readonly _tag: "Unsupported"; readonly name: string; readonly isLegacy: boolean }

const unsupported = (name: string, isLegacy: boolean): PasswordEncryption => ({ _tag: "Unsupported", name, isLegacy })

// ---------------------------------------------------------------------------------------------------------------------
// DER
// ---------------------------------------------------------------------------------------------------------------------

const prfs: ReadonlyMap<string, HashAlgorithm | "SHA-224"> = new Map<string, HashAlgorithm | "SHA-224">([
  [oids.hmacWithSHA1, "SHA-1"],
  [oids.hmacWithSHA224, "SHA-224"],
  [oids.hmacWithSHA256, "SHA-256"],
  [oids.hmacWithSHA384, "SHA-384"],
  [oids.hmacWithSHA512, "SHA-512"]
])

const ciphers: ReadonlyMap<string, CbcAlgorithm> = new Map<string, CbcAlgorithm>([
  [oids["AES-128-CBC"], "AES-128-CBC"],
  [oids["AES-192-CBC"], "AES-192-CBC"],
  [oids["AES-256-CBC"], "AES-256-CBC"],
  [oids["DES-EDE3-CBC"], "DES-EDE3-CBC"]
])

const legacy: ReadonlySet<string> = new Set([oids["RC2-CBC"], oids["DES-CBC"]])

const positive = (reader: Der.DerReader, what: string): number => {
  const value = reader.unsigned()
  if (value === 0) reader.fail(`${what} of zero`)
  return value
}

/** The rest of a sequence whose form we do not know. */
const skip = (reader: Der.DerReader): void => {
  while (!reader.isEmpty) reader.element()
}

/**
 * A derivation by PBKDF2 as it stands in its parameters, with the length of key it says, if it does.
 *
 * @since 0.1.0
 * @category models
 */
export interface Pbkdf2 {
  readonly kdf: Extract<PasswordKdf, { readonly _tag: "PBKDF2" }>
  readonly keyLength: number | undefined
}

/**
 * Reads a KeyDerivationFunc that is PBKDF2 within a decoder; the name of what it is instead, or computes with.
 *
 * @since 0.1.0
 * @category decoding
 */
export const readPbkdf2 = (reader: Der.DerReader): Pbkdf2 | string =>
  reader.within(Der.Tag.Sequence, (algorithm) => {
    const oid = algorithm.oid()
    if (oid === oids.PBKDF2) return readPbkdf2Parameters(algorithm)
    skip(algorithm)
    return ObjectIdentifier.name(oid)
  })

const readPbkdf2Parameters = (reader: Der.DerReader): Pbkdf2 | string =>
  reader.within(Der.Tag.Sequence, (parameters) => {
    if (parameters.peek() === Der.Tag.Sequence) {
      // A salt from elsewhere, which nobody ever defined.
      skip(parameters)
      return "PBKDF2 with a salt from elsewhere"
    }
    const salt = parameters.octetString()
    const iterations = positive(parameters, "an iteration count")
    const keyLength = parameters.peek() === Der.Tag.Integer ? positive(parameters, "a key length") : undefined
    const prf = parameters.isEmpty
      ? oids.hmacWithSHA1
      : parameters.within(Der.Tag.Sequence, (identifier) => {
          const oid = identifier.oid()
          skip(identifier)
          return oid
        })
    const hash = prfs.get(prf)
    return hash === undefined
      ? `PBKDF2 with ${ObjectIdentifier.name(prf)}`
      : { kdf: { _tag: "PBKDF2", hash, salt, iterations }, keyLength }
  })

const readScrypt = (reader: Der.DerReader) =>
  reader.within(Der.Tag.Sequence, (parameters) => {
    const salt = parameters.octetString()
    const cost = positive(parameters, "a cost")
    const blockSize = positive(parameters, "a block size")
    const parallelization = positive(parameters, "a parallelization")
    // RFC 7914 §6. Up to 2^30 the logarithm is exact.
    if (cost < 2 || (cost <= 2 ** 30 && !Number.isInteger(Math.log2(cost)))) {
      parameters.fail("a cost that is not a power of two")
    }
    const keyLength = parameters.isEmpty ? undefined : positive(parameters, "a key length")
    return { kdf: { _tag: "scrypt", salt, cost, blockSize, parallelization } as const, keyLength }
  })

const readPbes2 = (reader: Der.DerReader): PasswordEncryption =>
  reader.within(Der.Tag.Sequence, (parameters) => {
    const derivation = parameters.within(Der.Tag.Sequence, (algorithm) => {
      const oid = algorithm.oid()
      if (oid === oids.scrypt) return readScrypt(algorithm)
      if (oid === oids.PBKDF2) return readPbkdf2Parameters(algorithm)
      skip(algorithm)
      return ObjectIdentifier.name(oid)
    })
    return parameters.within(Der.Tag.Sequence, (algorithm) => {
      const oid = algorithm.oid()
      const cipher = ciphers.get(oid)
      if (cipher === undefined || typeof derivation === "string") {
        skip(algorithm)
        const by = typeof derivation === "string" ? derivation : derivation.kdf._tag
        return unsupported(`PBES2 with ${by} and ${ObjectIdentifier.name(oid)}`, legacy.has(oid))
      }
      const iv = algorithm.octetString()
      const { block, key } = cbcLengths[cipher]
      if (iv.length !== block) algorithm.fail(`an initialisation vector of ${iv.length} byte(s), ${block} expected`)
      if (derivation.keyLength !== undefined && derivation.keyLength !== key) {
        algorithm.fail(`a key of ${derivation.keyLength} byte(s) for ${cipher}, ${key} expected`)
      }
      return { _tag: "Pbes2", kdf: derivation.kdf, cipher, iv }
    })
  })

/**
 * Reads the AlgorithmIdentifier of an encryption within a decoder. One that we do not know is `Unsupported`.
 *
 * @since 0.1.0
 * @category decoding
 */
export const read = (reader: Der.DerReader): PasswordEncryption =>
  reader.within(Der.Tag.Sequence, (algorithm) => {
    const oid = algorithm.oid()
    switch (oid) {
      case oids.pbes2:
        return readPbes2(algorithm)
      case oids.pbeWithSHA1And3DES:
      case oids.pbeWithSHA1And2Key3DES:
        return algorithm.within(Der.Tag.Sequence, (parameters) => ({
          _tag: "Pkcs12",
          desKeys: oid === oids.pbeWithSHA1And3DES ? 3 : 2,
          salt: parameters.octetString(),
          iterations: positive(parameters, "an iteration count")
        }))
      default:
        skip(algorithm)
        return unsupported(ObjectIdentifier.name(oid), ObjectIdentifier.knownName(oid) !== undefined)
    }
  })

const hmacs: { readonly [H in HashAlgorithm | "SHA-224"]: ObjectIdentifier.ObjectIdentifier } = {
  "SHA-1": oids.hmacWithSHA1,
  "SHA-224": oids.hmacWithSHA224,
  "SHA-256": oids.hmacWithSHA256,
  "SHA-384": oids.hmacWithSHA384,
  "SHA-512": oids.hmacWithSHA512
}

const derivation = (kdf: Pbes2["kdf"]): Uint8Array =>
  kdf._tag === "scrypt"
    ? Der.sequence(
        Der.oid(oids.scrypt),
        Der.sequence(
          Der.octetString(kdf.salt),
          Der.integer(kdf.cost),
          Der.integer(kdf.blockSize),
          Der.integer(kdf.parallelization)
        )
      )
    : Der.sequence(
        Der.oid(oids.PBKDF2),
        Der.sequence(
          Der.octetString(kdf.salt),
          Der.integer(kdf.iterations),
          Der.sequence(Der.oid(hmacs[kdf.hash]), Der.nullValue())
        )
      )

/**
 * @since 0.1.0
 * @category models
 */
export type Pbes2 = Extract<PasswordEncryption, { readonly _tag: "Pbes2" }>

/**
 * The AlgorithmIdentifier of PBES2 (RFC 8018 appendix A.4).
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodePbes2 = ({ cipher, iv, kdf }: Pbes2): Uint8Array =>
  Der.sequence(
    Der.oid(oids.pbes2),
    Der.sequence(derivation(kdf), Der.sequence(Der.oid(oids[cipher]), Der.octetString(iv)))
  )

// ---------------------------------------------------------------------------------------------------------------------
// PEM
// ---------------------------------------------------------------------------------------------------------------------

const dekNames: ReadonlyMap<string, CbcAlgorithm> = new Map<string, CbcAlgorithm>([
  ...(["AES-128-CBC", "AES-192-CBC", "AES-256-CBC"] as const).map((name) => [name, name] as const),
  ["DES-EDE3-CBC", "DES-EDE3-CBC"]
])

const dekLegacy = /^(?:DES-C|DES-OFB|DESX|RC2|RC4|BF|CAST5|IDEA|SEED)/

/**
 * What a `DEK-Info` header says (RFC 1421 §4.6.1.3 as OpenSSL writes it): cipher and initialisation vector, whose first
 * eight bytes are the salt. `undefined` when it is none.
 *
 * @since 0.1.0
 * @category decoding
 */
export const fromDekInfo = (header: string | undefined): PasswordEncryption | undefined => {
  const [, name, digits] = /^\s*([A-Za-z0-9-]{1,64})\s*(?:,\s*([0-9A-Fa-f]{0,64})\s*)?$/.exec(header ?? "") ?? []
  if (name === undefined) return undefined
  const cipher = dekNames.get(name.toUpperCase())
  if (cipher === undefined) return unsupported(name, dekLegacy.test(name.toUpperCase()))
  if (digits?.length !== 2 * cbcLengths[cipher].block) return undefined
  const iv = Uint8Array.from({ length: digits.length / 2 }, (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16))
  return { _tag: "DekInfo", cipher, iv }
}

// ---------------------------------------------------------------------------------------------------------------------
// For people
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The name of an encryption for people, as `PBES2 with PBKDF2 and AES-256-CBC`.
 *
 * @since 0.1.0
 * @category conversions
 */
export const format = (encryption: PasswordEncryption): string => {
  switch (encryption._tag) {
    case "Pbes2":
      return `PBES2 with ${encryption.kdf._tag} and ${encryption.cipher}`
    case "Pkcs12":
      return encryption.desKeys === 3 ? "pbeWithSHA1And3DES" : "pbeWithSHA1And2Key3DES"
    case "DekInfo":
      return `OpenSSL's old form with ${encryption.cipher}`
    case "Unsupported":
      return encryption.name
  }
}
