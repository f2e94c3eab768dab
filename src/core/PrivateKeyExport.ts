/**
 * Private keys to keep: encrypted PKCS#8 (RFC 5958 §3), as PEM or DER.
 *
 * @example
 * import { Effect, Redacted } from "effect"
 * import { CertificateBuilder, PrivateKeyExport } from "effect-tls"
 *
 * const program = Effect.gen(function* () {
 *   const { pkcs8 } = yield* CertificateBuilder.selfSigned({ names: ["localhost"] })
 *   return yield* PrivateKeyExport.toEncryptedPem(yield* pkcs8, { passphrase: Redacted.make("changeit") })
 * })
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Der from "../schema/Der.ts"
import * as PasswordEncryption from "../schema/PasswordEncryption.ts"
import * as Pem from "../schema/Pem.ts"
import type { TlsConfigError } from "../schema/TlsError.ts"
import type { CryptoError } from "./CryptoProvider.ts"
import { CryptoProvider } from "./CryptoProvider.ts"
import * as PasswordProtection from "./PasswordProtection.ts"

export {
  /** @since 0.1.0 */
  ProtectionOptions
} from "./PasswordProtection.ts"

/**
 * The EncryptedPrivateKeyInfo of a key, from its PKCS#8 in DER.
 *
 * @since 0.1.0
 * @category encoding
 */
export const toEncryptedDer = (
  pkcs8: Redacted.Redacted<Uint8Array>,
  options: PasswordProtection.ProtectionOptions
): Effect.Effect<Uint8Array, TlsConfigError | CryptoError, CryptoProvider> =>
  Effect.gen(function* () {
    const crypto = yield* CryptoProvider
    const asked = yield* PasswordProtection.decodeOptions(options)
    const { ciphertext, encryption } = yield* PasswordProtection.encrypt(crypto, Redacted.value(pkcs8), asked)
    return Der.sequence(PasswordEncryption.encodePbes2(encryption), Der.octetString(ciphertext))
  })

/**
 * As PEM: `ENCRYPTED PRIVATE KEY`.
 *
 * @since 0.1.0
 * @category encoding
 */
export const toEncryptedPem = (
  pkcs8: Redacted.Redacted<Uint8Array>,
  options: PasswordProtection.ProtectionOptions
): Effect.Effect<string, TlsConfigError | CryptoError, CryptoProvider> =>
  Effect.map(toEncryptedDer(pkcs8, options), (der) => Pem.format("ENCRYPTED PRIVATE KEY", der))
