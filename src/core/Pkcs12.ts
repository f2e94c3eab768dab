/**
 * Bundles of keys and certificates (`.p12`, `.pfx`; RFC 7292), opened: the private keys with their chains, and what else
 * there is. What vouches for a bundle is checked before anything in it is decrypted.
 *
 * @example
 * import { Effect, Redacted } from "effect"
 * import { Pkcs12 } from "effect-tls"
 *
 * const names = (file: Uint8Array) =>
 *   Pkcs12.open(file, { passphrase: Redacted.make("changeit") }).pipe(
 *     Effect.map(({ entries }) => entries.map(({ certificateChain }) => certificateChain.map(({ subject }) => `${subject}`)))
 *   )
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import type { DecodeError } from "../schema/ByteReader.ts"
import * as Bytes from "../schema/Bytes.ts"
import type { Certificate } from "../schema/Certificate.ts"
import * as Certificates from "../schema/Certificate.ts"
import * as Der from "../schema/Der.ts"
import * as Limits from "../schema/Limits.ts"
import * as Pem from "../schema/Pem.ts"
import type { Bag, Mac, Safe } from "../schema/Pfx.ts"
import * as Pfx from "../schema/Pfx.ts"
import type { PrivateKeyInfo } from "../schema/PrivateKeyInfo.ts"
import * as PrivateKeyInfos from "../schema/PrivateKeyInfo.ts"
import type { PublicKey } from "../schema/PublicKey.ts"
import type { CryptoError, CryptoProviderService } from "./CryptoProvider.ts"
import { CryptoProvider } from "./CryptoProvider.ts"
import type { DecryptionError, OpenOptions, Secret } from "./PasswordDecryption.ts"
import * as PasswordDecryption from "./PasswordDecryption.ts"

/**
 * The bytes of a file, or PEM with the label `PKCS12` as certtool writes it; better `Redacted`.
 *
 * @since 0.1.0
 * @category models
 */
export type Input = Uint8Array | string | Redacted.Redacted<Uint8Array> | Redacted.Redacted<string>

/**
 * A private key and its certificates, leaf first and each followed by its issuer as far as the bundle has them. No
 * certificates when none is for the key.
 *
 * @since 0.1.0
 * @category models
 */
export interface Entry {
  readonly friendlyName: string | undefined
  readonly localKeyId: Uint8Array | undefined
  readonly privateKey: PrivateKeyInfo
  readonly certificateChain: ReadonlyArray<Certificate>
}

/**
 * An opened bundle: its private keys, the certificates that belong to none of them (authorities, as a rule), and what
 * cannot be used, with the reason.
 *
 * @since 0.1.0
 * @category models
 */
export interface Pkcs12 {
  readonly entries: ReadonlyArray<Entry>
  readonly certificates: ReadonlyArray<{
    readonly friendlyName: string | undefined
    readonly certificate: Certificate
  }>
  readonly unusable: ReadonlyArray<{ readonly friendlyName: string | undefined; readonly problem: string }>
}

/**
 * A bundle that cannot be opened. `Encrypted` is one that needs a passphrase where there is none. `problem` says what
 * was found and what would be right, and nothing of what is secret.
 *
 * @since 0.1.0
 * @category errors
 */
export class Pkcs12Error extends Data.TaggedError("Pkcs12Error")<{
  readonly reason: "NotABundle" | "Encrypted" | "WrongPassphrase" | "TooCostly" | "Unsupported" | "Malformed"
  readonly problem: string
}> {
  override get message(): string {
    return this.problem
  }
}

const refuse = (reason: Pkcs12Error["reason"], problem: string) => Either.left(new Pkcs12Error({ reason, problem }))

const needed = "a PKCS#12 bundle is needed"
const missing = () => refuse("Encrypted", "the bundle is encrypted: it needs its passphrase")
const wrong = "the passphrase is wrong: it does not open the bundle"

const conversion = (isLegacy: boolean): string =>
  `\`openssl pkcs12 ${isLegacy ? "-legacy " : ""}-in old.p12 -nodes -out all.pem\`, then ` +
  "`openssl pkcs12 -export -in all.pem -out new.p12`,"

// ---------------------------------------------------------------------------------------------------------------------
// What the bytes are
// ---------------------------------------------------------------------------------------------------------------------

const fromPem = (text: string): Either.Either<Uint8Array, Pkcs12Error> =>
  Either.match(Pem.parse(text), {
    onLeft: ({ problem }) => refuse("Malformed", problem),
    onRight: (blocks) => {
      const bundles = blocks.filter(({ label }) => label === "PKCS12")
      if (bundles.length === 1) return Either.right(Redacted.value(bundles[0]!.content))
      return bundles.length === 0
        ? refuse("NotABundle", `it holds ${Pem.describe(blocks)}, ${needed}`)
        : refuse("NotABundle", `it holds ${bundles.length} PKCS#12 bundles, exactly one is needed`)
    }
  })

/** The first bytes of Java's own key stores. */
const magics = [
  [0xfeedfeed, "JKS"],
  [0xcececece, "JCEKS"]
] as const

/** What bytes are that are no bundle; `undefined` when they begin like one. */
const instead = (bytes: Uint8Array): string | undefined => {
  const first = bytes.length < 4 ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)
  const store = magics.find(([magic]) => magic === first)
  if (store !== undefined) {
    return `a Java key store (${store[1]}): \`keytool -importkeystore -srckeystore old -destkeystore new.p12 -deststoretype PKCS12\` converts it`
  }
  const tags = Der.decode("file", (reader) =>
    reader.within(Der.Tag.Sequence, (inner) => {
      const tag = inner.peek()
      const version = tag === Der.Tag.Integer ? inner.unsignedBytes() : undefined
      while (!inner.isEmpty) inner.element()
      return { tag, isThree: version?.length === 1 && version[0] === 3 }
    })
  )(bytes)
  if (Either.isLeft(tags) || tags.right.isThree) return undefined
  return tags.right.tag === Der.Tag.Integer ? "a private key" : "a certificate or something else that is signed"
}

const readInput = (input: Input): Either.Either<Uint8Array, Pkcs12Error> => {
  const value: Uint8Array | string = Redacted.isRedacted(input) ? Redacted.value<Uint8Array | string>(input) : input
  if (typeof value === "string") return fromPem(value)
  const found = instead(value)
  if (found !== undefined) return refuse("NotABundle", `it holds ${found}, ${needed}`)
  return Pem.isPem(value) ? fromPem(new TextDecoder().decode(value)) : Either.right(value)
}

const damaged = (error: DecodeError) => refuse("Malformed", `the bundle is damaged: ${error.message}`)

// ---------------------------------------------------------------------------------------------------------------------
// Opening
// ---------------------------------------------------------------------------------------------------------------------

const failure = ({ problem, reason }: DecryptionError): Pkcs12Error =>
  new Pkcs12Error({ reason, problem: reason === "WrongPassphrase" ? wrong : `the bundle ${problem}` })

/** The key of the MAC is made of the passphrase, so a wrong one shows here. */
const isAuthentic = Effect.fnUntraced(function* (
  crypto: CryptoProviderService,
  mac: Exclude<Mac, { readonly _tag: "Unsupported" }>,
  authenticated: Uint8Array,
  secret: Secret,
  budget: PasswordDecryption.WorkBudget
) {
  const key = yield* PasswordDecryption.derive(crypto, mac.kdf, secret, mac.keyLength, budget)
  const digest = crypto.hmac(mac.hash, key, authenticated)
  key.fill(0)
  return crypto.equal(digest, mac.digest)
})

/** An empty passphrase is written in two ways: as a terminating zero, and as nothing. */
const secretsOf = (passphrase: PasswordDecryption.Passphrase | undefined): ReadonlyArray<Secret> => {
  const secret = PasswordDecryption.secretOf(passphrase ?? "")
  return secret.utf8.length > 0 ? [secret] : [secret, { ...secret, pkcs12: secret.utf8 }]
}

/** The passphrase in the form that the MAC agrees with; without a MAC as it is, if there is one. */
const findSecret = Effect.fnUntraced(function* (
  crypto: CryptoProviderService,
  { authenticated, mac }: Pfx.Pfx,
  options: OpenOptions,
  budget: PasswordDecryption.WorkBudget
): Effect.fn.Return<Secret | undefined, Pkcs12Error> {
  const { passphrase } = options
  if (mac === undefined) return passphrase === undefined ? undefined : PasswordDecryption.secretOf(passphrase)
  if (mac._tag === "Unsupported") {
    return yield* refuse(
      "Unsupported",
      `the bundle is vouched for by ${mac.name}, which is not supported: ${conversion(false)} converts it`
    )
  }
  if (!crypto.capabilities.hashes.has(mac.hash)) {
    return yield* refuse(
      "Unsupported",
      `the bundle is vouched for by HMAC with ${mac.hash}, which the provider ${crypto.name} does not have: ` +
        `${conversion(false)} converts it`
    )
  }
  for (const secret of secretsOf(passphrase)) {
    if (yield* Effect.mapError(isAuthentic(crypto, mac, authenticated, secret, budget), failure)) return secret
  }
  return yield* passphrase === undefined
    ? missing()
    : refuse("WrongPassphrase", "the passphrase is wrong, or the bundle was altered: its MAC does not agree")
})

/** What a safe holds. Behind a wrong passphrase that no MAC gave away there may be no bags. */
const openSafe = Effect.fnUntraced(function* (
  crypto: CryptoProviderService,
  safe: Safe,
  secret: Secret | undefined,
  budget: PasswordDecryption.WorkBudget,
  hasMac: boolean
): Effect.fn.Return<ReadonlyArray<Bag>, Pkcs12Error> {
  switch (safe._tag) {
    case "Open":
      return yield* Either.orElse(Pfx.decodeBags(safe.contents), damaged)
    case "Unsupported":
      return yield* refuse("Unsupported", `the bundle is protected by ${safe.name}: a passphrase is what we know`)
    case "Encrypted": {
      if (secret === undefined) return yield* missing()
      const plaintext = yield* Effect.mapError(
        PasswordDecryption.decrypt(crypto, safe, secret, budget, conversion),
        failure
      )
      return yield* Either.orElse(Pfx.decodeBags(plaintext), (error) =>
        hasMac ? damaged(error) : refuse("WrongPassphrase", wrong)
      )
    }
  }
})

/** The key of a bag, or why it is none that can be used. */
const openKey = Effect.fnUntraced(function* (
  crypto: CryptoProviderService,
  bag: Extract<Bag, { readonly _tag: "Key" | "ShroudedKey" }>,
  secret: Secret | undefined,
  budget: PasswordDecryption.WorkBudget,
  hasMac: boolean
): Effect.fn.Return<{ readonly key: PrivateKeyInfo; readonly publicKey: PublicKey } | string, Pkcs12Error> {
  if (bag._tag === "ShroudedKey" && secret === undefined) return yield* missing()
  const bytes =
    bag._tag === "Key"
      ? bag.pkcs8
      : yield* Effect.mapError(PasswordDecryption.decrypt(crypto, bag, secret!, budget, conversion), failure)
  const key = PrivateKeyInfos.fromDer(bytes)
  bytes.fill(0)
  if (Either.isLeft(key)) {
    return key.left.reason === "Unsupported" || hasMac || bag._tag === "Key"
      ? key.left.problem
      : yield* refuse("WrongPassphrase", wrong)
  }
  return yield* publicKeyOf(crypto, key.right).pipe(
    Effect.map((publicKey) => ({ key: key.right, publicKey })),
    Effect.catchAll(({ message }) => Effect.succeed(message))
  )
})

/** RSA keys carry theirs, so that a provider need not be able to sign with them. */
const publicKeyOf = (
  crypto: CryptoProviderService,
  key: PrivateKeyInfo
): Effect.Effect<PublicKey, CryptoError | DecodeError> =>
  key._tag === "Rsa" || key._tag === "RsaPss"
    ? PrivateKeyInfos.rsaPublicKey(key)
    : Effect.map(crypto.importPrivateKey(key), ({ publicKey }) => publicKey)

// ---------------------------------------------------------------------------------------------------------------------
// Putting together
// ---------------------------------------------------------------------------------------------------------------------

interface Named {
  readonly friendlyName: string | undefined
  readonly localKeyId: Uint8Array | undefined
  readonly certificate: Certificate
}

const sameId = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a !== undefined && b !== undefined && Bytes.equals(a, b)

/** From the leaf on each one's issuer, by name and, where there are several, by key identifier. */
const chainFrom = (
  leaf: Certificate,
  bySubject: ReadonlyMap<string, ReadonlyArray<Certificate>>,
  maxLength: number
): ReadonlyArray<Certificate> => {
  const chain = [leaf]
  for (let last = leaf; !last.isSelfIssued && chain.length < maxLength; last = chain[chain.length - 1]!) {
    const keyIdentifier = last.authorityKeyIdentifier?.keyIdentifier
    const issuers = (bySubject.get(last.issuer.key) ?? []).filter((found) => !chain.includes(found))
    const issuer = issuers.find((found) => sameId(keyIdentifier, found.subjectKeyIdentifier)) ?? issuers[0]
    if (issuer === undefined) break
    chain.push(issuer)
  }
  return chain
}

const groupBy = <A>(items: ReadonlyArray<A>, key: (item: A) => string): ReadonlyMap<string, ReadonlyArray<A>> => {
  const groups = new Map<string, Array<A>>()
  for (const item of items) {
    const name = key(item)
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [item])
    else group.push(item)
  }
  return groups
}

/** What two public keys share exactly when they are equal. */
const keyOf = (key: PublicKey): string =>
  key._tag === "Ec" ? `${key.curve} ${Bytes.toLatin1(key.point)}` : Bytes.toLatin1(key.spki)

/**
 * Opens a bundle. One without a MAC and without encryption needs no passphrase; one with a MAC over an empty passphrase
 * may have none. A passphrase is tried where it was given, and never in another form than as it was given.
 *
 * @since 0.1.0
 * @category decoding
 */
export const open = (input: Input, options: OpenOptions = {}): Effect.Effect<Pkcs12, Pkcs12Error, CryptoProvider> =>
  Effect.mapError(openWith(input, options), (error) =>
    error.reason === "WrongPassphrase"
      ? new Pkcs12Error({
          reason: error.reason,
          problem: error.problem + PasswordDecryption.lineEndHint(options.passphrase)
        })
      : error
  )

const openWith = (input: Input, options: OpenOptions): Effect.Effect<Pkcs12, Pkcs12Error, CryptoProvider> =>
  Effect.gen(function* () {
    const crypto = yield* CryptoProvider
    const pfx = yield* Either.orElse(Pfx.decode(yield* readInput(input)), damaged)
    const budget = new PasswordDecryption.WorkBudget(options.limits)
    const secret = yield* findSecret(crypto, pfx, options, budget)
    const hasMac = pfx.mac !== undefined
    const bags = (yield* Effect.forEach(pfx.safes, (safe) => openSafe(crypto, safe, secret, budget, hasMac))).flat()

    const keys: Array<{ readonly bag: Bag; readonly key: PrivateKeyInfo; readonly publicKey: PublicKey }> = []
    const certificates: Array<Named> = []
    const unusable: Array<Pkcs12["unusable"][number]> = []
    for (const bag of bags) {
      const { friendlyName, localKeyId } = bag
      switch (bag._tag) {
        case "Key":
        case "ShroudedKey": {
          const opened = yield* openKey(crypto, bag, secret, budget, hasMac)
          if (typeof opened === "string") unusable.push({ friendlyName, problem: opened })
          else keys.push({ bag, ...opened })
          break
        }
        case "Certificate": {
          const certificate = Certificates.decode(bag.der)
          if (Either.isLeft(certificate)) unusable.push({ friendlyName, problem: certificate.left.message })
          else certificates.push({ friendlyName, localKeyId, certificate: certificate.right })
          break
        }
        case "Unsupported":
          unusable.push({ friendlyName, problem: `a ${bag.name}, of which we know nothing` })
      }
    }

    const byPublicKey = groupBy(certificates, ({ certificate }) => keyOf(certificate.publicKey))
    const bySubject = groupBy(
      certificates.map(({ certificate }) => certificate),
      ({ subject }) => subject.key
    )
    // Leaf and root come on top of the intermediates.
    const maxLength = (options.limits?.intermediates ?? Limits.defaults.intermediates) + 2
    const used = new Set<Certificate>()
    const entries = keys.map(({ bag, key, publicKey }): Entry => {
      const own = byPublicKey.get(keyOf(publicKey)) ?? []
      const leaf = own.find(({ localKeyId }) => sameId(localKeyId, bag.localKeyId)) ?? own[0]
      const certificateChain = leaf === undefined ? [] : chainFrom(leaf.certificate, bySubject, maxLength)
      for (const certificate of certificateChain) used.add(certificate)
      return {
        friendlyName: bag.friendlyName ?? leaf?.friendlyName,
        localKeyId: bag.localKeyId,
        privateKey: key,
        certificateChain
      }
    })
    return { entries, certificates: certificates.filter(({ certificate }) => !used.has(certificate)), unusable }
  })
