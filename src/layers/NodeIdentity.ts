/**
 * Node's `key`, `cert`, `pfx` and `passphrase` as identities: every key with the chain that is its own, whatever their
 * order.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { CryptoProvider } from "../core/CryptoProvider.ts"
import type { Identity } from "../core/Identity.ts"
import * as Identities from "../core/Identity.ts"
import * as IdentityLoading from "../core/IdentityLoading.ts"
import type { PrivateKey } from "../core/PrivateKey.ts"
import { isPrivateKey } from "../core/PrivateKey.ts"
import * as PrivateKeyFile from "../core/PrivateKeyFile.ts"
import * as PublicKeys from "../schema/PublicKey.ts"
import { ConfigIssue, TlsConfigError } from "../schema/TlsError.ts"
import type { Data, Key, NodeOptions, Passphrase, SecretData } from "./NodeOptions.ts"

/**
 * Text as it is, bytes of any view as a Uint8Array.
 *
 * @since 0.1.0
 * @category conversions
 */
export const toInput = (data: Data): string | Uint8Array => (typeof data === "string" ? data : bytesOf(data))

/**
 * The bytes that a view shows.
 *
 * @since 0.1.0
 * @category conversions
 */
export const bytesOf = (view: NodeJS.ArrayBufferView): Uint8Array =>
  new Uint8Array(view.buffer, view.byteOffset, view.byteLength)

const toSecret = (secret: SecretData): Redacted.Redacted<string> | Redacted.Redacted<Uint8Array> =>
  (Redacted.isRedacted(secret) ? secret : Redacted.make(toInput(secret))) as Redacted.Redacted<string>

/** The parts of an option that is one value or a list, each with its path. */
export const partsOf = <A>(
  name: string,
  said: A | ReadonlyArray<A> | undefined
): ReadonlyArray<{ readonly path: string; readonly value: A }> => {
  if (said === undefined) return []
  return Array.isArray(said)
    ? (said as ReadonlyArray<A>).map((value, i) => ({ path: `${name}[${i}]`, value }))
    : [{ path: name, value: said as A }]
}

/** The error with each path as it is called here. */
export const atPaths =
  (rename: (path: string) => string) =>
  (error: TlsConfigError): TlsConfigError => {
    const [first, ...others] = error.issues.map(({ message, path }) => new ConfigIssue({ path: rename(path), message }))
    return new TlsConfigError({ reason: error.reason, issues: [first!, ...others] })
  }

const optional = (passphrase: Passphrase | undefined) => (passphrase === undefined ? {} : { passphrase })

// ---------------------------------------------------------------------------------------------------------------------
// Keys and chains
// ---------------------------------------------------------------------------------------------------------------------

interface Located<A> {
  readonly path: string
  readonly value: A
}

const loadKey = (
  { path, value }: Located<Key | { readonly pem: SecretData; readonly passphrase?: Passphrase | undefined }>,
  common: Passphrase | undefined
): Effect.Effect<Located<PrivateKey>, TlsConfigError, CryptoProvider | Scope.Scope> => {
  if (isPrivateKey(value)) return Effect.succeed({ path, value })
  const isObject = typeof value === "object" && "pem" in value
  const own = isObject ? value.passphrase : undefined
  return PrivateKeyFile.load(toSecret(isObject ? value.pem : value), optional(own ?? common)).pipe(
    Effect.mapBoth({
      onSuccess: (key) => ({ path, value: key }),
      onFailure: (error) => {
        if (error._tag === "CryptoError") {
          return TlsConfigError.of(
            error.reason === "Unsupported" ? "Unsupported" : "InvalidPrivateKey",
            path,
            error.detail
          )
        }
        switch (error.reason) {
          case "Encrypted":
            return TlsConfigError.of("MissingPassphrase", path, error.problem)
          case "WrongPassphrase":
            return TlsConfigError.of(
              "WrongPassphrase",
              own === undefined ? "passphrase" : `${path}.passphrase`,
              error.problem
            )
          default:
            return TlsConfigError.of(
              error.reason === "Unsupported" ? "Unsupported" : "InvalidPrivateKey",
              path,
              error.problem
            )
        }
      }
    })
  )
}

const loadPairs = Effect.fnUntraced(function* ({ cert, key, passphrase }: NodeOptions) {
  const keys = yield* Effect.forEach(
    partsOf<Key | { readonly pem: SecretData; readonly passphrase?: Passphrase | undefined }>("key", key),
    (located) => loadKey(located, passphrase)
  )
  const chains = yield* Effect.forEach(partsOf<Data>("cert", cert), ({ path, value }) =>
    Effect.map(IdentityLoading.readCertificates(toInput(value), path), (chain) => ({ path, value: chain }))
  )
  if (keys.length === 0 && chains.length > 0) {
    return yield* TlsConfigError.of("InvalidOptions", "key", "is missing: `cert` is of no use without its private key")
  }
  if (chains.length === 0 && keys.length > 0) {
    return yield* TlsConfigError.of("InvalidOptions", "cert", "is missing: `key` is of no use without its certificate")
  }
  const fits = (one: Located<PrivateKey>, chain: (typeof chains)[number]) =>
    PublicKeys.equals(one.value.publicKey, chain.value[0].publicKey)
  const alone = keys.find((one) => !chains.some((chain) => fits(one, chain)))
  if (alone !== undefined) {
    const leaves = chains.map(
      ({ path, value: [leaf] }) => `${path} is "${leaf.subject.toString()}" (${PublicKeys.format(leaf.publicKey)})`
    )
    return yield* TlsConfigError.of(
      "KeyMismatch",
      alone.path,
      `the key (${PublicKeys.format(alone.value.publicKey)}) matches no certificate: ${leaves.join(", ")}`
    )
  }
  return yield* Effect.forEach(chains, (chain) => {
    const found = keys.find((one) => fits(one, chain))
    if (found === undefined) {
      const [leaf] = chain.value
      return TlsConfigError.of(
        "KeyMismatch",
        chain.path,
        `no key is that of "${leaf.subject.toString()}" (${PublicKeys.format(leaf.publicKey)})` +
          (leaf.isCa ? ": a chain is one text, the leaf first and its authorities after it" : "")
      )
    }
    return Effect.mapError(
      Identities.make({ certificateChain: chain.value, privateKey: found.value }),
      atPaths((path) => (path.startsWith("certificateChain") ? chain.path : found.path))
    )
  })
})

// ---------------------------------------------------------------------------------------------------------------------
// Bundles
// ---------------------------------------------------------------------------------------------------------------------

const loadBundles = ({ passphrase: common, pfx }: NodeOptions) =>
  Effect.forEach(
    partsOf<SecretData | { readonly buf: SecretData; readonly passphrase?: Passphrase | undefined }>("pfx", pfx),
    ({ path, value }) => {
      const isObject = typeof value === "object" && "buf" in value
      const own = isObject ? value.passphrase : undefined
      return Effect.mapError(
        Identities.makeAll({ pkcs12: toSecret(isObject ? value.buf : value), ...optional(own ?? common) }),
        atPaths((wrong) => (wrong !== "passphrase" ? path : own === undefined ? "passphrase" : `${path}.passphrase`))
      )
    }
  )

/**
 * All identities of the options. Everything is checked: forms, passphrases, the order of the chains, and that every key
 * has a chain and every chain a key. Key bytes are wiped when the Scope closes.
 *
 * @since 0.1.0
 * @category loading
 */
export const load = (
  options: NodeOptions
): Effect.Effect<ReadonlyArray<Identity>, TlsConfigError, CryptoProvider | Scope.Scope> =>
  Effect.zipWith(loadPairs(options), loadBundles(options), (pairs, bundles) => [...pairs, ...bundles.flat()])
