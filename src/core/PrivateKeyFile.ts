/**
 * Private keys as files have them, PEM or DER, encrypted or not.
 *
 * @example
 * import { Effect, Redacted } from "effect"
 * import { PrivateKeyFile } from "effect-tls"
 *
 * const signer = (pem: string) =>
 *   PrivateKeyFile.load(pem, { passphrase: Redacted.make("correct horse battery staple") }).pipe(
 *     Effect.catchTag("PrivateKeyError", (error) => Effect.fail(error.reason === "WrongPassphrase" ? "again" : error))
 *   )
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { EncryptedPrivateKey, PrivateKeyInfo } from "../schema/PrivateKeyInfo.ts"
import * as PrivateKeyInfos from "../schema/PrivateKeyInfo.ts"
import { PrivateKeyError } from "../schema/PrivateKeyInfo.ts"
import type { CryptoError, CryptoProviderService } from "./CryptoProvider.ts"
import { CryptoProvider } from "./CryptoProvider.ts"
import type { OpenOptions, Secret, WorkBudget } from "./PasswordDecryption.ts"
import * as PasswordDecryption from "./PasswordDecryption.ts"
import type { PrivateKey } from "./PrivateKey.ts"

export type {
  /** @since 0.1.0 */
  OpenOptions
} from "./PasswordDecryption.ts"

/**
 * PEM text or the bytes of a PEM or DER file, better `Redacted`.
 *
 * @since 0.1.0
 * @category models
 */
export type Input = string | Uint8Array | Redacted.Redacted<string> | Redacted.Redacted<Uint8Array>

const conversion = (isLegacy: boolean): string =>
  `\`openssl pkcs8 -topk8 -v2 aes-256-cbc${isLegacy ? " -provider default -provider legacy" : ""} -in old.pem -out new.pem\``

/**
 * Opens an encrypted key, of which the caller has the passphrase. A passphrase that is wrong can look like damage, and the other way round.
 *
 * @since 0.1.0
 * @category decryption
 */
export const decrypt = Effect.fnUntraced(function* (
  crypto: CryptoProviderService,
  encrypted: EncryptedPrivateKey,
  secret: Secret,
  budget: WorkBudget
): Effect.fn.Return<PrivateKeyInfo, PrivateKeyError> {
  const plaintext = yield* PasswordDecryption.decrypt(crypto, encrypted, secret, budget, conversion).pipe(
    Effect.mapError(
      ({ problem, reason }) =>
        new PrivateKeyError({
          reason,
          problem:
            reason === "WrongPassphrase"
              ? `the passphrase is wrong: it does not open the private key`
              : `the private key ${problem}`
        })
    )
  )
  const key = PrivateKeyInfos.fromDer(plaintext)
  plaintext.fill(0)
  // One wrong passphrase in 256 gives a padding that is one, and no key behind it.
  if (Either.isLeft(key) && (key.left.reason === "Malformed" || key.left.reason === "NotAPrivateKey")) {
    return yield* new PrivateKeyError({
      reason: "WrongPassphrase",
      problem: "the passphrase is wrong, or the private key is damaged: what it opens is no key"
    })
  }
  return yield* key
})

/**
 * A private key, opened with the passphrase if it is encrypted; one that is not encrypted needs none.
 *
 * @since 0.1.0
 * @category decoding
 */
export const read = (
  input: Input,
  options: OpenOptions = {}
): Effect.Effect<PrivateKeyInfo, PrivateKeyError, CryptoProvider> =>
  Effect.gen(function* () {
    const value: string | Uint8Array = Redacted.isRedacted(input) ? Redacted.value<string | Uint8Array>(input) : input
    const key = yield* typeof value === "string" ? PrivateKeyInfos.parsePem(value) : PrivateKeyInfos.parseBytes(value)
    if (key._tag !== "Encrypted") return key
    if (options.passphrase === undefined) return yield* PrivateKeyInfos.passphraseNeeded(key)
    const budget = new PasswordDecryption.WorkBudget(options.limits)
    const secret = PasswordDecryption.secretOf(options.passphrase)
    return yield* Effect.mapError(decrypt(yield* CryptoProvider, key, secret, budget), (error) =>
      error.reason === "WrongPassphrase"
        ? new PrivateKeyError({
            reason: error.reason,
            problem: error.problem + PasswordDecryption.lineEndHint(options.passphrase)
          })
        : error
    )
  })

/**
 * A signer of a private key, opened if need be. Its bytes are wiped when the Scope closes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const load = (
  input: Input,
  options: OpenOptions = {}
): Effect.Effect<PrivateKey, PrivateKeyError | CryptoError, CryptoProvider | Scope.Scope> =>
  Effect.gen(function* () {
    const crypto = yield* CryptoProvider
    const info = yield* read(input, options)
    yield* Effect.addFinalizer(() => Effect.sync(() => PrivateKeyInfos.wipe(info)))
    return yield* crypto.importPrivateKey(info)
  })
