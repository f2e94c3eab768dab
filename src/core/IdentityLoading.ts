/**
 * Certificates and keys of any form, read, opened and checked against each other.
 *
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Scope from "effect/Scope"
import type { Certificate } from "../schema/Certificate.ts"
import * as Certificates from "../schema/Certificate.ts"
import type { Limits } from "../schema/Limits.ts"
import type { PrivateKeyInfo } from "../schema/PrivateKeyInfo.ts"
import * as PrivateKeyInfos from "../schema/PrivateKeyInfo.ts"
import * as PublicKeys from "../schema/PublicKey.ts"
import { TlsConfigError } from "../schema/TlsError.ts"
import { CryptoProvider } from "./CryptoProvider.ts"
import type {
  CertificatesInput,
  IdentityOptions,
  PemIdentityOptions,
  Pkcs12IdentityOptions
} from "./IdentityOptions.ts"
import * as Pkcs12 from "./Pkcs12.ts"
import type { PrivateKey } from "./PrivateKey.ts"
import { isPrivateKey } from "./PrivateKey.ts"
import * as PrivateKeyFile from "./PrivateKeyFile.ts"
import * as TlsMetrics from "./TlsMetrics.ts"

const at = (path: string, field: string): string => (path === "" ? field : `${path}.${field}`)

/** What an `Identity` is. */
interface Loaded {
  readonly certificateChain: NonEmptyReadonlyArray<Certificate>
  readonly privateKey: PrivateKey
}

/**
 * Certificates of any form. `path` is the option they stand in.
 *
 * @since 0.1.0
 * @category loading
 */
export const readCertificates = (
  input: CertificatesInput,
  path: string
): Either.Either<NonEmptyReadonlyArray<Certificate>, TlsConfigError> => {
  const read = (item: string | Uint8Array | Certificate, where: string) =>
    Certificates.isCertificate(item)
      ? Either.right([item] as NonEmptyReadonlyArray<Certificate>)
      : Either.mapLeft(typeof item === "string" ? Certificates.fromPem(item) : Certificates.fromBytes(item), (error) =>
          TlsConfigError.of("InvalidCertificate", where, error.problem)
        )
  if (!Array.isArray(input)) return read(input as string | Uint8Array | Certificate, path)
  return Either.map(
    Either.all(
      (input as ReadonlyArray<string | Uint8Array | Certificate>).map((item, i) => read(item, `${path}[${i}]`))
    ),
    (lists) => lists.flat() as unknown as NonEmptyReadonlyArray<Certificate>
  )
}

/** A chain whose certificates each issued the one before; out of order is an error that says so. */
const orderChain = (
  chain: NonEmptyReadonlyArray<Certificate>,
  path: string
): Either.Either<NonEmptyReadonlyArray<Certificate>, TlsConfigError> => {
  for (let i = 1; i < chain.length; i++) {
    const subject = chain[i]!.subject.toString()
    if (!chain[i - 1]!.issuer.equalsDer(chain[i]!.subject.der)) {
      return Either.left(
        TlsConfigError.of(
          "InvalidCertificate",
          at(path, `certificateChain[${i}]`),
          `"${subject}" did not issue the certificate before it, whose issuer is ` +
            `"${chain[i - 1]!.issuer.toString()}": the leaf comes first, then each one's issuer`
        )
      )
    }
  }
  return Either.right(chain)
}

/** The signer of a key, whose bytes are wiped with the Scope. */
const importKey = Effect.fnUntraced(function* (info: PrivateKeyInfo, path: string) {
  const crypto = yield* CryptoProvider
  yield* Effect.addFinalizer(() => Effect.sync(() => PrivateKeyInfos.wipe(info)))
  return yield* Effect.mapError(crypto.importPrivateKey(info), (error) =>
    TlsConfigError.of(error.reason === "Unsupported" ? "Unsupported" : "InvalidPrivateKey", path, error.detail)
  )
})

const requireSchemes = Effect.fnUntraced(function* (key: PrivateKey, path: string) {
  if (key.schemes.length > 0) return
  const { name } = yield* CryptoProvider
  return yield* TlsConfigError.of(
    "Unsupported",
    path,
    `the provider ${name} cannot sign TLS 1.3 handshakes with this key (${PublicKeys.format(key.publicKey)})`
  )
})

// ---------------------------------------------------------------------------------------------------------------------
// A chain and a key
// ---------------------------------------------------------------------------------------------------------------------

const reasonOf = (reason: PrivateKeyInfos.PrivateKeyError["reason"] | Pkcs12.Pkcs12Error["reason"]) =>
  reason === "Encrypted"
    ? "MissingPassphrase"
    : reason === "WrongPassphrase"
      ? "WrongPassphrase"
      : reason === "Unsupported"
        ? "Unsupported"
        : "InvalidPrivateKey"

const readPrivateKey = Effect.fnUntraced(function* (
  { passphrase, privateKey }: PemIdentityOptions,
  path: string,
  limits: Partial<Limits> | undefined
): Effect.fn.Return<PrivateKey, TlsConfigError, CryptoProvider | Scope.Scope> {
  if (isPrivateKey(privateKey)) return privateKey
  const info = yield* Effect.mapError(PrivateKeyFile.read(privateKey, { passphrase, limits }), ({ problem, reason }) =>
    TlsConfigError.of(
      // A key of a kind that nobody can use was always an invalid one; what is encrypted may be converted.
      reasonOf(reason),
      at(path, reason === "WrongPassphrase" ? "passphrase" : "privateKey"),
      problem
    )
  )
  return yield* importKey(info, at(path, "privateKey"))
})

const fromPem = Effect.fnUntraced(function* (
  options: PemIdentityOptions,
  path: string,
  limits: Partial<Limits> | undefined
): Effect.fn.Return<Loaded, TlsConfigError, CryptoProvider | Scope.Scope> {
  const read = yield* readCertificates(options.certificateChain, at(path, "certificateChain"))
  const chain = yield* orderChain(read, path)
  const key = yield* readPrivateKey(options, path, limits)
  if (!PublicKeys.equals(key.publicKey, chain[0].publicKey)) {
    return yield* TlsConfigError.of(
      "KeyMismatch",
      at(path, "privateKey"),
      `the key (${PublicKeys.format(key.publicKey)}) does not match the leaf certificate ` +
        `"${chain[0].subject.toString()}" (${PublicKeys.format(chain[0].publicKey)})`
    )
  }
  yield* requireSchemes(key, at(path, "privateKey"))
  return { certificateChain: chain, privateKey: key }
})

// ---------------------------------------------------------------------------------------------------------------------
// A bundle
// ---------------------------------------------------------------------------------------------------------------------

const quoted = (name: string | undefined): string => (name === undefined ? "without a name" : `"${name}"`)

/** The entries to use: those with a certificate, and of these the one that is asked for. */
const choose = (
  { certificates, entries, unusable }: Pkcs12.Pkcs12,
  friendlyName: string | undefined,
  path: string
): Either.Either<NonEmptyReadonlyArray<Pkcs12.Entry>, TlsConfigError> => {
  if (entries.length === 0) {
    const reasons = unusable.map((one) => `; the entry ${quoted(one.friendlyName)}: ${one.problem}`).join("")
    return Either.left(
      TlsConfigError.of(
        "InvalidPrivateKey",
        at(path, "pkcs12"),
        `the bundle holds no private key that can be used${reasons}`
      )
    )
  }
  const named = friendlyName === undefined ? entries : entries.filter((entry) => entry.friendlyName === friendlyName)
  if (named.length === 0) {
    const names = entries.map((entry) => quoted(entry.friendlyName)).join(", ")
    return Either.left(
      TlsConfigError.of("InvalidOptions", at(path, "friendlyName"), `the bundle has no such entry, it has ${names}`)
    )
  }
  const usable = named.filter(({ certificateChain }) => certificateChain.length > 0)
  if (Arr.isNonEmptyReadonlyArray(usable)) return Either.right(usable)
  return Either.left(
    TlsConfigError.of(
      "KeyMismatch",
      at(path, "pkcs12"),
      `the key ${quoted(named[0]!.friendlyName)} matches none of the ${certificates.length} certificate(s) in the bundle`
    )
  )
}

/** Whoever trusts the root has it, so that it need not be sent. */
const withoutRoot = (chain: ReadonlyArray<Certificate>): NonEmptyReadonlyArray<Certificate> =>
  (chain.length > 1 && chain[chain.length - 1]!.isSelfIssued
    ? chain.slice(0, -1)
    : chain) as unknown as NonEmptyReadonlyArray<Certificate>

const fromPkcs12 = Effect.fnUntraced(function* (
  { friendlyName, passphrase, pkcs12 }: Pkcs12IdentityOptions,
  path: string,
  limits: Partial<Limits> | undefined
): Effect.fn.Return<NonEmptyReadonlyArray<Loaded>, TlsConfigError, CryptoProvider | Scope.Scope> {
  const bundle = yield* Effect.mapError(Pkcs12.open(pkcs12, { passphrase, limits }), ({ problem, reason }) =>
    TlsConfigError.of(reasonOf(reason), at(path, reason === "WrongPassphrase" ? "passphrase" : "pkcs12"), problem)
  )
  // Also those of entries that are not chosen.
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      for (const { privateKey } of bundle.entries) PrivateKeyInfos.wipe(privateKey)
    })
  )
  const entries = yield* choose(bundle, friendlyName, path)
  return yield* Effect.forEach(entries, (entry) =>
    Effect.gen(function* () {
      const privateKey = yield* importKey(entry.privateKey, at(path, "pkcs12"))
      yield* requireSchemes(privateKey, at(path, "pkcs12"))
      return { certificateChain: withoutRoot(entry.certificateChain), privateKey }
    })
  )
})

const noteExpiry = (identities: ReadonlyArray<Loaded>): Effect.Effect<void, never, Scope.Scope> =>
  Effect.forEach(identities, ({ certificateChain }) => TlsMetrics.identity(certificateChain[0]), { discard: true })

/**
 * The identities that options describe: one of a chain and a key, of a bundle as many as it has. `path` is the option
 * they stand in, if they stand in one. When they expire is noted (`TlsMetrics.certificateExpiry`).
 *
 * @since 0.1.0
 * @category loading
 */
export const load = (
  options: IdentityOptions,
  path: string,
  limits?: Partial<Limits>
): Effect.Effect<NonEmptyReadonlyArray<Loaded>, TlsConfigError, CryptoProvider | Scope.Scope> =>
  Effect.tap(
    "pkcs12" in options
      ? fromPkcs12(options, path, limits)
      : Effect.map(fromPem(options, path, limits), (identity): NonEmptyReadonlyArray<Loaded> => [identity]),
    noteExpiry
  )
