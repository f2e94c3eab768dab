/**
 * Bundles of keys and certificates (`.p12`, `.pfx`; RFC 7292), made: everything under AES-256, vouched for by
 * HMAC-SHA-256. Every program of the last years reads them; those of old that know only RC2 and SHA-1 do not.
 *
 * @example
 * import { Effect, Redacted } from "effect"
 * import { CertificateBuilder, Pkcs12Builder } from "effect-tls"
 *
 * const program = Effect.gen(function* () {
 *   const ca = yield* CertificateBuilder.authority({ subject: { CN: "Development CA" } })
 *   const server = yield* CertificateBuilder.issue(ca, { names: ["localhost"] })
 *   const entry = yield* Pkcs12Builder.entry(server, { friendlyName: "localhost" })
 *   return yield* Pkcs12Builder.make([entry], {
 *     passphrase: Redacted.make("changeit"),
 *     certificates: [{ certificate: ca.certificate }]
 *   })
 * })
 *
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Bytes from "../schema/Bytes.ts"
import type { Certificate } from "../schema/Certificate.ts"
import { isCertificate } from "../schema/Certificate.ts"
import * as Pfx from "../schema/Pfx.ts"
import * as PrivateKeyInfos from "../schema/PrivateKeyInfo.ts"
import * as PublicKeys from "../schema/PublicKey.ts"
import { TlsConfigError } from "../schema/TlsError.ts"
import { invalid } from "./BuilderOptions.ts"
import type { Issued } from "./CertificateBuilder.ts"
import type { CryptoError, CryptoProviderService } from "./CryptoProvider.ts"
import { CryptoProvider } from "./CryptoProvider.ts"
import { declared, decode, said } from "./OptionSchema.ts"
import * as PasswordProtection from "./PasswordProtection.ts"
import * as Pkcs12Kdf from "./Pkcs12Kdf.ts"

/**
 * A private key with its certificates, leaf first. `privateKey` is its PKCS#8 in DER.
 *
 * @since 0.1.0
 * @category models
 */
export interface Entry {
  readonly friendlyName?: string | undefined
  readonly privateKey: Redacted.Redacted<Uint8Array>
  readonly certificateChain: NonEmptyReadonlyArray<Certificate>
}

const NamedCertificate = Schema.Struct({
  friendlyName: said(Schema.String),
  certificate: declared<Certificate>("a Certificate", isCertificate)
})

/**
 * @since 0.1.0
 * @category options
 */
export const BundleOptions = Schema.Struct({
  ...PasswordProtection.ProtectionOptions.fields,
  /** Certificates that belong to no key: authorities, as a rule. */
  certificates: said(Schema.Array(NamedCertificate))
}).annotations({ parseOptions: { errors: "all", onExcessProperty: "error" } })

/**
 * @since 0.1.0
 * @category options
 */
export type BundleOptions = typeof BundleOptions.Type

const decodeOptions = decode(BundleOptions)

/**
 * The entry of a certificate whose key was made here; of other signers the key cannot be had.
 *
 * @since 0.1.0
 * @category constructors
 */
export const entry = (
  { identity, pkcs8 }: Issued,
  options: { readonly friendlyName?: string } = {}
): Either.Either<Entry, TlsConfigError> =>
  Option.match(pkcs8, {
    onNone: () => Either.left(invalid("privateKey", "the key was not made here, and a signer does not give it away")),
    onSome: (privateKey) =>
      Either.right({ ...options, privateKey, certificateChain: identity.certificateChain } satisfies Entry as Entry)
  })

/** Whether a key is its leaf's; what a bundle of two strangers is good for nobody could tell. */
const requireMatch = Effect.fnUntraced(function* (
  crypto: CryptoProviderService,
  { certificateChain, privateKey }: Entry,
  path: string
): Effect.fn.Return<void, TlsConfigError | CryptoError> {
  const key = yield* Either.mapLeft(PrivateKeyInfos.fromDer(Redacted.value(privateKey)), ({ problem }) =>
    TlsConfigError.of("InvalidPrivateKey", `${path}.privateKey`, problem)
  )
  const publicKey =
    key._tag === "Rsa" || key._tag === "RsaPss"
      ? yield* Either.mapLeft(PrivateKeyInfos.rsaPublicKey(key), ({ message }) =>
          TlsConfigError.of("InvalidPrivateKey", `${path}.privateKey`, message)
        )
      : (yield* crypto.importPrivateKey(key)).publicKey
  const [leaf] = certificateChain
  if (!PublicKeys.equals(publicKey, leaf.publicKey)) {
    return yield* TlsConfigError.of("KeyMismatch", `${path}.privateKey`, `it is not the key of "${leaf.label}"`)
  }
})

/** Each certificate once, whatever chains it is in; the leaf's points at its key. */
const certificateBags = (
  entries: ReadonlyArray<Entry>,
  others: NonNullable<BundleOptions["certificates"]>,
  keyIds: ReadonlyArray<Uint8Array>
): ReadonlyArray<Pfx.WritableBag> => {
  const bags = new Map<string, Pfx.WritableBag>()
  const add = ({ der }: Certificate, friendlyName: string | undefined, localKeyId: Uint8Array | undefined) => {
    const key = Bytes.toLatin1(der)
    if (!bags.has(key)) bags.set(key, { _tag: "Certificate", der, friendlyName, localKeyId })
  }
  for (const [i, { certificateChain, friendlyName }] of entries.entries()) {
    add(certificateChain[0], friendlyName, keyIds[i])
  }
  for (const { certificateChain } of entries) {
    for (const certificate of certificateChain) add(certificate, undefined, undefined)
  }
  for (const { certificate, friendlyName } of others) add(certificate, friendlyName, undefined)
  return [...bags.values()]
}

const macSaltLength = 16

/**
 * A bundle of keys with their chains, and of certificates. Refused where a key is not its leaf's.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  entries: ReadonlyArray<Entry>,
  options: BundleOptions
): Effect.Effect<Uint8Array, TlsConfigError | CryptoError, CryptoProvider> =>
  Effect.gen(function* () {
    const crypto = yield* CryptoProvider
    const asked = yield* decodeOptions(options)
    const { certificates = [], iterations = 100_000, passphrase } = asked
    const protection = { ...asked, iterations }
    if (!crypto.capabilities.passwordKdfs.has("PKCS12")) {
      return yield* PasswordProtection.unsupported(crypto, "key derivation of PKCS#12")
    }
    yield* Effect.forEach(entries, (one, i) => requireMatch(crypto, one, `entries[${i}]`), { discard: true })

    const keyIds = entries.map(({ certificateChain: [leaf] }) => crypto.hash("SHA-1", leaf.der))
    const bags = certificateBags(entries, certificates, keyIds)
    const keys = yield* Effect.forEach(entries, ({ friendlyName, privateKey }, i) =>
      Effect.map(
        PasswordProtection.encrypt(crypto, Redacted.value(privateKey), protection),
        (encrypted): Pfx.WritableBag => ({ _tag: "ShroudedKey", ...encrypted, friendlyName, localKeyId: keyIds[i] })
      )
    )
    const authenticated = Pfx.encodeSafes([
      ...(bags.length === 0
        ? []
        : [
            {
              _tag: "Encrypted",
              ...(yield* PasswordProtection.encrypt(crypto, Pfx.encodeBags(bags), protection))
            } as const
          ]),
      ...(keys.length === 0 ? [] : [{ _tag: "Open", contents: Pfx.encodeBags(keys) } as const])
    ])
    const salt = crypto.randomBytes(macSaltLength)
    const password = Pkcs12Kdf.encodePassword(Redacted.value(passphrase))
    const kdf = { _tag: "PKCS12", hash: "SHA-256", purpose: "mac", salt, iterations } as const
    const key = yield* crypto.deriveFromPassword(kdf, password, 32)
    const digest = crypto.hmac("SHA-256", key, authenticated)
    password.fill(0)
    key.fill(0)
    return Pfx.encode(authenticated, { digest, salt, iterations })
  })
