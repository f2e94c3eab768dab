/**
 * Authorities and certificates from files, to issue with, to renew and to export: with their keys as bytes, which a
 * signer does not give away.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Certificates from "../schema/Certificate.ts"
import type * as PrivateKeyInfos from "../schema/PrivateKeyInfo.ts"
import * as PublicKeys from "../schema/PublicKey.ts"
import { TlsConfigError } from "../schema/TlsError.ts"
import type { Issued } from "./CertificateBuilder.ts"
import type { CryptoError } from "./CryptoProvider.ts"
import { CryptoProvider } from "./CryptoProvider.ts"
import type { Passphrase } from "./PasswordDecryption.ts"
import * as PrivateKeyFile from "./PrivateKeyFile.ts"

/**
 * A certificate, those above it behind it, and its key: each PEM or DER.
 *
 * @since 0.1.0
 * @category models
 */
export interface IssuedFiles {
  readonly certificateChain: string | Uint8Array
  readonly privateKey: PrivateKeyFile.Input
  readonly passphrase?: Passphrase | undefined
}

const reasons: { readonly [R in PrivateKeyInfos.PrivateKeyError["reason"]]?: TlsConfigError["reason"] } = {
  Encrypted: "MissingPassphrase",
  WrongPassphrase: "WrongPassphrase",
  Unsupported: "Unsupported"
}

/**
 * What a certificate and its key are to `CertificateBuilder`. The key's bytes stay in memory. `certificateChain`,
 * `privateKey` and `passphrase` are the paths of errors.
 *
 * @since 0.1.0
 * @category constructors
 */
export const load = ({
  certificateChain,
  passphrase,
  privateKey
}: IssuedFiles): Effect.Effect<Issued, TlsConfigError | CryptoError, CryptoProvider> =>
  Effect.gen(function* () {
    const crypto = yield* CryptoProvider
    const bytes = typeof certificateChain === "string" ? new TextEncoder().encode(certificateChain) : certificateChain
    const chain = yield* Either.mapLeft(Certificates.fromBytes(bytes), ({ problem }) =>
      TlsConfigError.of("InvalidCertificate", "certificateChain", problem)
    )
    const info = yield* Effect.mapError(PrivateKeyFile.read(privateKey, { passphrase }), ({ problem, reason }) =>
      TlsConfigError.of(
        reasons[reason] ?? "InvalidPrivateKey",
        reason === "WrongPassphrase" ? "passphrase" : "privateKey",
        problem
      )
    )
    const key = yield* crypto.importPrivateKey(info)
    const [certificate, ...issuers] = chain
    if (!PublicKeys.equals(key.publicKey, certificate.publicKey)) {
      return yield* TlsConfigError.of("KeyMismatch", "privateKey", `it is not the key of "${certificate.label}"`)
    }
    const stranger = issuers.findIndex((issuer, i) => !chain[i]!.issuer.equals(issuer.subject))
    if (stranger >= 0) {
      const [below, found] = [chain[stranger]!, issuers[stranger]!]
      const problem = `behind "${below.label}" its issuer is needed, "${below.issuer}", and not "${found.label}"`
      return yield* TlsConfigError.of("InvalidCertificate", "certificateChain", problem)
    }
    const above = issuers.filter((issuer) => !issuer.isSelfIssued)
    return {
      certificate,
      identity: { certificateChain: [certificate, ...above], privateKey: key },
      pkcs8: Option.some(info.pkcs8),
      issuers
    }
  })
