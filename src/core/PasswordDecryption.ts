/**
 * Opens what is encrypted under a passphrase, with the primitives of a provider and within a bound on the work.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import type { CbcAlgorithm, PasswordKdf } from "../schema/Algorithms.ts"
import { cbcLengths } from "../schema/Algorithms.ts"
import * as Bytes from "../schema/Bytes.ts"
import type { Limits } from "../schema/Limits.ts"
import * as LimitDefaults from "../schema/Limits.ts"
import type { PasswordEncryption } from "../schema/PasswordEncryption.ts"
import * as PasswordEncryptions from "../schema/PasswordEncryption.ts"
import type { CryptoProviderService } from "./CryptoProvider.ts"
import * as Pkcs12Kdf from "./Pkcs12Kdf.ts"

/**
 * A passphrase, better redacted.
 *
 * @since 0.1.0
 * @category models
 */
export type Passphrase = string | Redacted.Redacted

/**
 * How to open files of keys: the passphrase, where one is needed, and the limits of the work, `passwordIterations` and
 * `scryptMemory`.
 *
 * @since 0.1.0
 * @category models
 */
export interface OpenOptions {
  readonly passphrase?: Passphrase | undefined
  readonly limits?: Partial<Limits> | undefined
}

/**
 * Something cannot be decrypted. `problem` completes a sentence that begins with what it is.
 *
 * @since 0.1.0
 * @category errors
 */
export class DecryptionError extends Data.TaggedError("DecryptionError")<{
  readonly reason: "WrongPassphrase" | "TooCostly" | "Unsupported" | "Malformed"
  readonly problem: string
}> {
  override get message(): string {
    return this.problem
  }
}

const fail = (reason: DecryptionError["reason"], problem: string) =>
  Either.left(new DecryptionError({ reason, problem }))

/**
 * What may be spent on the derivations of one file, all together: a bundle could ask for one per entry.
 *
 * @since 0.1.0
 * @category models
 */
export class WorkBudget {
  readonly limits: Pick<Limits, "passwordIterations" | "scryptMemory">
  #iterations = 0
  #memory = 0

  constructor(limits: Partial<Limits> = {}) {
    this.limits = { ...LimitDefaults.defaults, ...limits }
  }

  spend(kdf: PasswordKdf): Either.Either<void, DecryptionError> {
    switch (kdf._tag) {
      case "PBKDF2":
      case "PKCS12":
        this.#iterations += kdf.iterations
        return this.#iterations > this.limits.passwordIterations
          ? fail(
              "TooCostly",
              `asks for ${this.#iterations} iterations of ${kdf._tag}, the limit \`passwordIterations\` is ` +
                `${this.limits.passwordIterations}`
            )
          : Either.right(undefined)
      case "scrypt":
        this.#memory += 128 * kdf.cost * kdf.blockSize * kdf.parallelization
        return this.#memory > this.limits.scryptMemory
          ? fail(
              "TooCostly",
              `asks scrypt to fill ${this.#memory} bytes, the limit \`scryptMemory\` is ${this.limits.scryptMemory}`
            )
          : Either.right(undefined)
      case "EVP_BytesToKey":
        return Either.right(undefined)
    }
  }
}

/**
 * A passphrase as it goes into derivations: into PKCS#12's as UTF-16 with a zero at the end, into all others as UTF-8.
 *
 * @since 0.1.0
 * @category models
 */
export interface Secret {
  readonly utf8: Uint8Array
  readonly pkcs12: Uint8Array
}

/**
 * @since 0.1.0
 * @category conversions
 */
export const secretOf = (passphrase: Passphrase): Secret => {
  const text = Redacted.isRedacted(passphrase) ? Redacted.value(passphrase) : passphrase
  return { utf8: new TextEncoder().encode(text), pkcs12: Pkcs12Kdf.encodePassword(text) }
}

/**
 * What to add when a passphrase is wrong that may have come from a file, with the end of its line.
 *
 * @since 0.1.0
 * @category conversions
 */
export const lineEndHint = (passphrase: Passphrase | undefined): string => {
  const text = Redacted.isRedacted(passphrase) ? Redacted.value(passphrase) : passphrase
  return text?.endsWith("\n") === true ? " (it ends with a line end: is that a part of it?)" : ""
}

/**
 * Bytes made of a passphrase, at the expense of a budget.
 *
 * @since 0.1.0
 * @category decryption
 */
export const derive = Effect.fnUntraced(function* (
  crypto: CryptoProviderService,
  kdf: PasswordKdf,
  secret: Secret,
  length: number,
  budget: WorkBudget
): Effect.fn.Return<Uint8Array, DecryptionError> {
  if (!crypto.capabilities.passwordKdfs.has(kdf._tag)) {
    return yield* fail("Unsupported", `needs ${kdf._tag}, which the provider ${crypto.name} does not have`)
  }
  yield* budget.spend(kdf)
  const password = kdf._tag === "PKCS12" ? secret.pkcs12 : secret.utf8
  return yield* Effect.mapError(
    crypto.deriveFromPassword(kdf, password, length),
    (error) => new DecryptionError({ reason: "Unsupported", problem: `cannot be opened: ${error.message}` })
  )
})

type Supported = Exclude<PasswordEncryption, { readonly _tag: "Unsupported" }>

const cipherOf = (encryption: Supported): CbcAlgorithm =>
  encryption._tag === "Pkcs12" ? "DES-EDE3-CBC" : encryption.cipher

const kdfOf = (encryption: Supported): PasswordKdf["_tag"] =>
  encryption._tag === "Pbes2" ? encryption.kdf._tag : encryption._tag === "Pkcs12" ? "PKCS12" : "EVP_BytesToKey"

/**
 * The plaintext under a passphrase. `convert` is the command that makes something we can read of what we cannot; it is
 * told whether OpenSSL needs its legacy provider for it. A wrong passphrase is seen by the padding, and not always.
 *
 * @since 0.1.0
 * @category decryption
 */
export const decrypt = Effect.fnUntraced(function* (
  crypto: CryptoProviderService,
  { ciphertext, encryption }: { readonly ciphertext: Uint8Array; readonly encryption: PasswordEncryption },
  secret: Secret,
  budget: WorkBudget,
  convert: (isLegacy: boolean) => string
): Effect.fn.Return<Uint8Array, DecryptionError> {
  if (encryption._tag === "Unsupported") {
    return yield* fail(
      "Unsupported",
      `is encrypted with ${encryption.name}, which is not supported: ${convert(encryption.isLegacy)} converts it`
    )
  }
  const cipher = cipherOf(encryption)
  if (!crypto.capabilities.cbcs.has(cipher)) {
    return yield* fail(
      "Unsupported",
      `is encrypted with ${cipher} (${PasswordEncryptions.format(encryption)}), which the provider ${crypto.name} ` +
        `does not have: ${convert(false)} converts it`
    )
  }
  const kdfTag = kdfOf(encryption)
  if (!crypto.capabilities.passwordKdfs.has(kdfTag)) {
    return yield* fail(
      "Unsupported",
      `is encrypted by way of ${kdfTag}, which the provider ${crypto.name} does not have: ${convert(false)} converts it`
    )
  }
  const { block, key: keyLength } = cbcLengths[cipher]
  if (ciphertext.length === 0 || ciphertext.length % block !== 0) {
    return yield* fail("Malformed", `is damaged: ${ciphertext.length} bytes are not whole blocks of ${cipher}`)
  }
  const make = (kdf: PasswordKdf, length: number) => derive(crypto, kdf, secret, length, budget)
  let key: Uint8Array
  let iv: Uint8Array
  switch (encryption._tag) {
    case "Pbes2":
      key = yield* make(encryption.kdf, keyLength)
      iv = encryption.iv
      break
    case "Pkcs12": {
      const kdf = { _tag: "PKCS12", hash: "SHA-1", salt: encryption.salt, iterations: encryption.iterations } as const
      const made = yield* make({ ...kdf, purpose: "key" }, 8 * encryption.desKeys)
      key = encryption.desKeys === 3 ? made : Bytes.concat([made, made.subarray(0, 8)])
      iv = yield* make({ ...kdf, purpose: "iv" }, block)
      break
    }
    case "DekInfo":
      key = yield* make({ _tag: "EVP_BytesToKey", salt: encryption.iv.subarray(0, 8) }, keyLength)
      iv = encryption.iv
      break
  }
  const padded = yield* Either.try({
    try: () => crypto.cbc(cipher, key).decrypt(iv, ciphertext),
    catch: (cause) => new DecryptionError({ reason: "Unsupported", problem: `cannot be opened: ${String(cause)}` })
  })
  key.fill(0)
  const length = unpaddedLength(padded, block)
  if (length === undefined) return yield* fail("WrongPassphrase", "cannot be opened with this passphrase")
  const plaintext = padded.slice(0, length)
  padded.fill(0)
  return plaintext
})

/**
 * How much of decrypted blocks is not the padding of PKCS#7 (RFC 5652 §6.3); `undefined` when that is none.
 *
 * @since 0.1.0
 * @category decryption
 */
export const unpaddedLength = (padded: Uint8Array, block: number): number | undefined => {
  if (padded.length === 0) return undefined
  const count = padded[padded.length - 1]!
  if (count === 0 || count > block) return undefined
  return padded.subarray(padded.length - count).every((byte) => byte === count) ? padded.length - count : undefined
}
