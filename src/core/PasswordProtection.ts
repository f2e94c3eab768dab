/**
 * Encrypts under a passphrase, with the primitives of a provider: PBES2 (RFC 8018 §6.2) with AES-256-CBC.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { cbcLengths } from "../schema/Algorithms.ts"
import type { Pbes2 } from "../schema/PasswordEncryption.ts"
import { TlsConfigError } from "../schema/TlsError.ts"
import type { CryptoError, CryptoProviderService } from "./CryptoProvider.ts"
import { declared, decode, said } from "./OptionSchema.ts"

const isPassphrase = (u: unknown): u is Redacted.Redacted => {
  if (!Redacted.isRedacted(u)) return false
  const value: unknown = Redacted.value(u)
  return typeof value === "string" && value.length > 0
}

/**
 * How to encrypt. PBKDF2 with HMAC-SHA-256 is what every program reads; scrypt (N 16384, r 8, p 5) is dearer to guess
 * at, and neither Java nor GnuTLS nor NSS reads it.
 *
 * @since 0.1.0
 * @category options
 */
export const ProtectionOptions = Schema.Struct({
  /** Not empty. */
  passphrase: declared<Redacted.Redacted>("a Redacted passphrase that is not empty (value hidden)", isPassphrase),
  /** PBKDF2, unless told. */
  kdf: said(Schema.Literal("PBKDF2", "scrypt")),
  /** Of PBKDF2: 600 000, unless told; of a bundle, which derives several keys, 100 000. */
  iterations: said(Schema.Int.pipe(Schema.between(1000, 2_000_000)))
}).annotations({ parseOptions: { errors: "all", onExcessProperty: "error" } })

/**
 * @since 0.1.0
 * @category options
 */
export type ProtectionOptions = typeof ProtectionOptions.Type

/**
 * The options by their Schema, or everything that is wrong with them.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decodeOptions = decode(ProtectionOptions)

/**
 * What a provider lacks that is needed here.
 *
 * @since 0.1.0
 * @category errors
 */
export const unsupported = (crypto: CryptoProviderService, what: string): TlsConfigError =>
  TlsConfigError.of("Unsupported", "", `the provider ${crypto.name} has no ${what}`)

const saltLength = 16

const newKdf = (
  crypto: CryptoProviderService,
  { iterations = 600_000, kdf = "PBKDF2" }: Pick<ProtectionOptions, "iterations" | "kdf">
): Pbes2["kdf"] => {
  const salt = crypto.randomBytes(saltLength)
  return kdf === "scrypt"
    ? // OpenSSL refuses to fill more than 32 MiB.
      { _tag: "scrypt", salt, cost: 16_384, blockSize: 8, parallelization: 5 }
    : { _tag: "PBKDF2", hash: "SHA-256", salt, iterations }
}

const cipher = "AES-256-CBC"

/**
 * Encrypts bytes under the passphrase, with a salt and an initialisation vector of their own.
 *
 * @since 0.1.0
 * @category encryption
 */
export const encrypt = Effect.fnUntraced(function* (
  crypto: CryptoProviderService,
  plaintext: Uint8Array,
  options: ProtectionOptions
): Effect.fn.Return<{ readonly encryption: Pbes2; readonly ciphertext: Uint8Array }, TlsConfigError | CryptoError> {
  const kdf = newKdf(crypto, options)
  if (!crypto.capabilities.cbcs.has(cipher)) return yield* unsupported(crypto, cipher)
  if (!crypto.capabilities.passwordKdfs.has(kdf._tag)) return yield* unsupported(crypto, kdf._tag)
  const { block, key: keyLength } = cbcLengths[cipher]
  const iv = crypto.randomBytes(block)
  const password = new TextEncoder().encode(Redacted.value(options.passphrase))
  const key = yield* crypto.deriveFromPassword(kdf, password, keyLength)
  password.fill(0)
  // RFC 5652 §6.3.
  const count = block - (plaintext.length % block)
  const padded = new Uint8Array(plaintext.length + count).fill(count, plaintext.length)
  padded.set(plaintext)
  const ciphertext = yield* Either.try({
    try: () => crypto.cbc(cipher, key).encrypt(iv, padded),
    catch: (cause) => TlsConfigError.of("Unsupported", "", `it cannot be encrypted: ${String(cause)}`)
  })
  key.fill(0)
  padded.fill(0)
  return { encryption: { _tag: "Pbes2", kdf, cipher, iv }, ciphertext }
})
