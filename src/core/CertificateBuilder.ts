/**
 * Certificates of one's own: a self-signed one, or a certification authority and what it issues, in memory. For
 * development, tests and private networks; nothing here revokes or renews.
 *
 * @example
 * import { Effect } from "effect"
 * import { CertificateBuilder } from "effect-tls"
 *
 * const program = Effect.gen(function* () {
 *   const ca = yield* CertificateBuilder.authority({ subject: { CN: "Development CA" } })
 *   const server = yield* CertificateBuilder.issue(ca, { names: ["localhost", "127.0.0.1", "::1"] })
 *   return { trust: ca.certificate, identity: server.identity }
 * })
 *
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as AlgorithmIdentifier from "../schema/AlgorithmIdentifier.ts"
import type { SignatureAlgorithm } from "../schema/Algorithms.ts"
import * as Certificate from "../schema/Certificate.ts"
import * as CertificateExtension from "../schema/CertificateExtension.ts"
import * as Der from "../schema/Der.ts"
import * as DistinguishedName from "../schema/DistinguishedName.ts"
import type { GeneralName } from "../schema/GeneralName.ts"
import { isGeneralName } from "../schema/GeneralName.ts"
import * as ObjectIdentifier from "../schema/ObjectIdentifier.ts"
import * as Pem from "../schema/Pem.ts"
import type { PublicKey } from "../schema/PublicKey.ts"
import * as ServerName from "../schema/ServerName.ts"
import type { TlsConfigError } from "../schema/TlsError.ts"
import { DurationInput, invalid, isObject, RawExtension } from "./BuilderOptions.ts"
import type { CryptoError, CryptoProviderService, KeyType } from "./CryptoProvider.ts"
import { CryptoProvider } from "./CryptoProvider.ts"
import type { Identity } from "./Identity.ts"
import { declared, decode, said } from "./OptionSchema.ts"
import type { PrivateKey } from "./PrivateKey.ts"
import { isPrivateKey } from "./PrivateKey.ts"

const { oids } = ObjectIdentifier

// ---------------------------------------------------------------------------------------------------------------------
// Options
// ---------------------------------------------------------------------------------------------------------------------

const KeyTypeSchema: Schema.Schema<KeyType> = Schema.Union(
  Schema.TaggedStruct("Ec", { curve: Schema.Literal("P-256", "P-384", "P-521") }),
  Schema.TaggedStruct("Rsa", { modulusLength: Schema.Int.pipe(Schema.between(2048, 8192), Schema.multipleOf(8)) }),
  Schema.TaggedStruct("RsaPss", { modulusLength: Schema.Int.pipe(Schema.between(2048, 8192), Schema.multipleOf(8)) }),
  Schema.TaggedStruct("Ed25519", {}),
  Schema.TaggedStruct("Ed448", {})
)

/**
 * What any certificate can be asked to have; all of it has defaults.
 *
 * @since 0.1.0
 * @category options
 */
export const CertificateOptions = Schema.Struct({
  /** Attributes, the most general first (`{ O: "Example", CN: "example.com" }`), or a name; else the first of `names`. */
  subject: said(
    Schema.Union(
      declared<DistinguishedName.DistinguishedName>(
        "attributes of a name, or a DistinguishedName",
        (u): u is DistinguishedName.DistinguishedName => u instanceof DistinguishedName.DistinguishedName
      ),
      Schema.Record({
        key: Schema.String,
        value: Schema.Union(Schema.NonEmptyString, Schema.Array(Schema.NonEmptyString))
      })
    )
  ),
  /** DNS names (a wildcard as `*.example.com`), IP addresses, mailboxes, URIs; or other names as GeneralName. */
  names: said(Schema.Array(Schema.Union(Schema.String, declared("a name or a GeneralName", isGeneralName)))),
  /** One minute ago, unless told. */
  notBefore: said(Schema.ValidDateFromSelf),
  /** Instead of `validFor`. */
  notAfter: said(Schema.ValidDateFromSelf),
  /** 90 days from now, and of an authority 10 years, unless told. */
  validFor: said(DurationInput),
  /** The kind of a key to make, EC P-256 unless told, or a signer that exists. */
  key: said(Schema.Union(KeyTypeSchema, declared<PrivateKey>("a kind of key or a PrivateKey", isPrivateKey))),
  /** What the key may be used for in TLS: both, unless told. Of an authority nothing is said, unless told. */
  purposes: said(Schema.Array(Schema.Literal("serverAuth", "clientAuth"))),
  /** How the issuer signs, where its key leaves a choice. */
  signatureAlgorithm: said(declared("a signature algorithm", AlgorithmIdentifier.isSignatureAlgorithm)),
  /** More extensions. One with the object identifier of a standard one stands in its place. */
  extensions: said(Schema.Array(RawExtension))
}).annotations({ parseOptions: { errors: "all", onExcessProperty: "error" } })

/**
 * @since 0.1.0
 * @category options
 */
export type CertificateOptions = typeof CertificateOptions.Type

/**
 * @since 0.1.0
 * @category options
 */
export const AuthorityOptions = Schema.Struct({
  ...CertificateOptions.fields,
  /** How many intermediate authorities may follow; as many as they like, unless told. */
  pathLength: said(Schema.Int.pipe(Schema.between(0, 255))),
  /** The names it may issue for. */
  nameConstraints: said(
    declared("name constraints", (u): u is CertificateExtension.NameConstraints => {
      const { excluded, permitted } = (isObject(u) ? u : {}) as {
        readonly excluded?: unknown
        readonly permitted?: unknown
      }
      const lists = [permitted, excluded].filter((list) => list !== undefined)
      return (
        lists.length > 0 && lists.every((list) => Array.isArray(list) && list.length > 0 && list.every(isGeneralName))
      )
    })
  )
}).annotations({ parseOptions: { errors: "all", onExcessProperty: "error" } })

/**
 * @since 0.1.0
 * @category options
 */
export type AuthorityOptions = typeof AuthorityOptions.Type

/**
 * A certificate with its key. `identity` is the chain, leaf first and without the root, and the signer: what a
 * SecureContext takes. `pkcs8` is there when the key was made here.
 *
 * @since 0.1.0
 * @category models
 */
export interface Issued {
  readonly certificate: Certificate.Certificate
  readonly identity: Identity
  readonly pkcs8: Option.Option<Redacted.Redacted<Uint8Array>>
}

const decodeCertificateOptions = decode(CertificateOptions)
const decodeAuthorityOptions = decode(AuthorityOptions)

// ---------------------------------------------------------------------------------------------------------------------
// Names
// ---------------------------------------------------------------------------------------------------------------------

const readName = (text: string, path: string): Either.Either<GeneralName, TlsConfigError> => {
  if (/^[^\s@]+@[^\s@]+$/.test(text)) return Either.right({ _tag: "Rfc822Name", value: text })
  if (/^[a-z][a-z0-9+.-]*:\/\/[\x21-\x7e]+$/i.test(text)) return Either.right({ _tag: "Uri", value: text })
  const wildcard = text.startsWith("*.")
  return Either.flatMap(
    Either.mapLeft(ServerName.parse(wildcard ? text.slice(2) : text), (error) => invalid(path, error.message)),
    (name): Either.Either<GeneralName, TlsConfigError> => {
      if (name._tag === "DnsName") {
        return Either.right({ _tag: "DnsName", value: wildcard ? `*.${name.name}` : name.name })
      }
      return wildcard
        ? Either.left(invalid(path, `${JSON.stringify(text)} is a wildcard of an address`))
        : Either.right({ _tag: "IpAddress", bytes: name.bytes })
    }
  )
}

const readNames = (names: CertificateOptions["names"]): Either.Either<ReadonlyArray<GeneralName>, TlsConfigError> =>
  Either.all(
    (names ?? []).map((name, i) => (typeof name === "string" ? readName(name, `names[${i}]`) : Either.right(name)))
  )

const readSubject = (
  subject: CertificateOptions["subject"],
  names: ReadonlyArray<GeneralName>
): Either.Either<DistinguishedName.DistinguishedName, TlsConfigError> => {
  if (subject instanceof DistinguishedName.DistinguishedName) return Either.right(subject)
  if (subject === undefined) {
    // RFC 5280 appendix A: a common name has at most 64 characters. One that is longer can stand among the names only.
    const first = names.find(({ _tag }) => _tag === "DnsName") as { readonly value: string } | undefined
    return Either.right(
      first === undefined || first.value.length > 64
        ? DistinguishedName.empty
        : DistinguishedName.fromAttributes([[oids.commonName, first.value]])
    )
  }
  const attributes: Array<readonly [ObjectIdentifier.ObjectIdentifier, string]> = []
  for (const [name, values] of Object.entries(subject)) {
    const type = DistinguishedName.attributeType(name)
    if (type === undefined) {
      return Either.left(
        invalid(`subject.${name}`, "unknown attribute: give a name as CN, O or C, or an object identifier")
      )
    }
    for (const value of typeof values === "string" ? [values] : values) {
      if (type === oids.country && !/^[A-Za-z]{2}$/.test(value)) {
        return Either.left(invalid(`subject.${name}`, "a country is two letters"))
      }
      if (type === oids.commonName && [...value].length > 64) {
        return Either.left(invalid(`subject.${name}`, "a common name has at most 64 characters: put it among `names`"))
      }
      attributes.push([type, value])
    }
  }
  return Either.right(DistinguishedName.fromAttributes(attributes))
}

// ---------------------------------------------------------------------------------------------------------------------
// Putting one together
// ---------------------------------------------------------------------------------------------------------------------

/**
 * How a key signs certificates when nobody says how.
 *
 * @since 0.1.0
 * @category signatures
 */
export const defaultSignatureAlgorithm = (key: PublicKey): SignatureAlgorithm | undefined => {
  switch (key._tag) {
    case "Rsa":
      return { _tag: "RsaPkcs1", hash: "SHA-256" }
    case "RsaPss":
      return { _tag: "RsaPss", ...(key.parameters ?? { hash: "SHA-256", saltLength: 32 }) }
    case "Ec":
      return { _tag: "Ecdsa", hash: key.curve === "P-256" ? "SHA-256" : key.curve === "P-384" ? "SHA-384" : "SHA-512" }
    case "Ed25519":
    case "Ed448":
      return { _tag: key._tag }
    case "Unsupported":
      return undefined
  }
}

/**
 * The identifier of a key: 160 bits of the SHA-256 of its BIT STRING (RFC 7093 §2, method 1).
 *
 * @since 0.1.0
 * @category signatures
 */
export const keyIdentifier = (crypto: CryptoProviderService, key: PublicKey): Uint8Array => {
  const bits = Der.decode("SubjectPublicKeyInfo", (reader) => {
    const inner = reader.sequence()
    inner.element()
    return inner.bitStringBytes()
  })
  return crypto
    .hash(
      "SHA-256",
      Either.getOrElse(bits(key.spki), () => key.spki)
    )
    .slice(0, 20)
}

interface Plan {
  readonly options: CertificateOptions
  /** `undefined` when the certificate is to sign itself. */
  readonly issuer: Issued | undefined
  readonly lifetime: Duration.Duration
  /** The extensions of its kind. */
  readonly extensions: (key: PublicKey) => ReadonlyArray<CertificateExtension.Raw>
}

const earliest = Date.UTC(1950, 0, 1)
const latest = Date.UTC(9999, 11, 31, 23, 59, 59)

const readValidity = (options: CertificateOptions, now: number, lifetime: Duration.Duration) => {
  if (options.notAfter !== undefined && options.validFor !== undefined) {
    return Either.left(invalid("notAfter", "either `notAfter` or `validFor` says when it ends, not both"))
  }
  const notBefore = options.notBefore?.getTime() ?? now - 60_000
  const end = options.notAfter?.getTime() ?? now + Duration.toMillis(options.validFor ?? lifetime)
  // What never ends has the date that RFC 5280 §4.1.2.5 keeps for it.
  const notAfter = Math.min(end, latest)
  if (notBefore < earliest || notBefore > latest)
    return Either.left(invalid("notBefore", "it is not in the years 1950 to 9999"))
  if (notAfter < notBefore) return Either.left(invalid("notAfter", "the certificate would end before it begins"))
  return Either.right({ notBefore, notAfter })
}

const obtainKey = (
  crypto: CryptoProviderService,
  wanted: CertificateOptions["key"]
): Effect.Effect<
  { readonly key: PrivateKey; readonly pkcs8: Option.Option<Redacted.Redacted<Uint8Array>> },
  CryptoError
> =>
  isPrivateKey(wanted)
    ? Effect.succeed({ key: wanted, pkcs8: Option.none() })
    : Effect.map(crypto.generatePrivateKey(wanted ?? { _tag: "Ec", curve: "P-256" }), ({ key, pkcs8 }) => ({
        key,
        pkcs8: Option.some(pkcs8)
      }))

const assemble = Effect.fnUntraced(function* ({ extensions, issuer, lifetime, options }: Plan) {
  const crypto = yield* CryptoProvider
  const now = yield* Clock.currentTimeMillis
  const names = yield* readNames(options.names)
  const subject = yield* readSubject(options.subject, names)
  if (subject.isEmpty && names.length === 0) {
    return yield* invalid("names", "a certificate for nobody: give `names` or a `subject`")
  }
  const { notAfter, notBefore } = yield* readValidity(options, now, lifetime)

  const { key, pkcs8 } = yield* obtainKey(crypto, options.key)
  const signer = issuer?.identity.privateKey ?? key
  const algorithm = options.signatureAlgorithm ?? defaultSignatureAlgorithm(signer.publicKey)
  if (algorithm === undefined) return yield* invalid("key", "the issuer's key cannot sign certificates")

  const standard = [
    ...extensions(key.publicKey),
    CertificateExtension.encodeSubjectKeyIdentifier(keyIdentifier(crypto, key.publicKey)),
    ...authorityKeyIdentifier(crypto, issuer),
    ...(names.length === 0 ? [] : [CertificateExtension.encodeSubjectAltName(names, subject.isEmpty)])
  ]
  const own = options.extensions ?? []
  const all = [...standard.filter(({ oid }) => !own.some((other) => other.oid === oid)), ...own]

  const identifier = AlgorithmIdentifier.encode(algorithm)
  const tbs = Der.sequence(
    Der.value(0xa0, Der.integer(2)),
    Der.integer(serialNumber(crypto)),
    identifier,
    (issuer?.certificate.subject ?? subject).der,
    Der.sequence(Der.time(notBefore), Der.time(notAfter)),
    subject.der,
    key.publicKey.spki,
    Der.value(0xa3, Der.sequence(...all.map(CertificateExtension.encode)))
  )
  const signature = yield* signer.sign(algorithm, tbs)
  const certificate = yield* Either.mapLeft(
    Certificate.decode(Der.sequence(tbs, identifier, Der.bitString(signature))),
    (error) => invalid("extensions", error.message)
  )
  // A root is the other side's to have; whoever is signed by it sends all others.
  const above = (issuer?.identity.certificateChain ?? []).filter((authority) => !authority.isSelfIssued)
  const certificateChain: NonEmptyReadonlyArray<Certificate.Certificate> = [certificate, ...above]
  return { certificate, identity: { certificateChain, privateKey: key }, pkcs8 } satisfies Issued as Issued
})

/** 127 bits at random, of which the first is set: never zero, never negative, always as long (RFC 5280 §4.1.2.2). */
const serialNumber = (crypto: CryptoProviderService): Uint8Array => {
  const bytes = crypto.randomBytes(16)
  bytes[0] = (bytes[0]! & 0x7f) | 0x40
  return bytes
}

const authorityKeyIdentifier = (crypto: CryptoProviderService, issuer: Issued | undefined) => {
  if (issuer === undefined) return []
  const { publicKey, subjectKeyIdentifier } = issuer.certificate
  return [CertificateExtension.encodeAuthorityKeyIdentifier(subjectKeyIdentifier ?? keyIdentifier(crypto, publicKey))]
}

const leafExtensions =
  ({ purposes = ["serverAuth", "clientAuth"] }: CertificateOptions) =>
  (key: PublicKey): ReadonlyArray<CertificateExtension.Raw> => [
    CertificateExtension.encodeBasicConstraints({ ca: false, pathLength: undefined }),
    // Static RSA of TLS 1.2 encrypts with the key of the certificate.
    CertificateExtension.encodeKeyUsage(
      key._tag === "Rsa" ? ["digitalSignature", "keyEncipherment"] : ["digitalSignature"]
    ),
    ...purposeExtension(purposes)
  ]

const authorityExtensions =
  ({ nameConstraints, pathLength, purposes = [] }: AuthorityOptions) =>
  (): ReadonlyArray<CertificateExtension.Raw> => [
    CertificateExtension.encodeBasicConstraints({ ca: true, pathLength }),
    CertificateExtension.encodeKeyUsage(["keyCertSign", "cRLSign"]),
    ...purposeExtension(purposes),
    ...(nameConstraints === undefined ? [] : [CertificateExtension.encodeNameConstraints(nameConstraints)])
  ]

const purposeExtension = (purposes: ReadonlyArray<"serverAuth" | "clientAuth">) =>
  purposes.length === 0 ? [] : [CertificateExtension.encodeExtendedKeyUsage(purposes.map((purpose) => oids[purpose]))]

const leafLifetime = Duration.days(90)
const authorityLifetime = Duration.days(3650)

// ---------------------------------------------------------------------------------------------------------------------
// The four kinds
// ---------------------------------------------------------------------------------------------------------------------

/**
 * A certificate that vouches for itself. Whoever is to accept it has to trust this very certificate, or pin it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const selfSigned = (
  options: CertificateOptions
): Effect.Effect<Issued, TlsConfigError | CryptoError, CryptoProvider> =>
  Effect.flatMap(decodeCertificateOptions(options), (asked) =>
    assemble({ options: asked, issuer: undefined, lifetime: leafLifetime, extensions: leafExtensions(asked) })
  )

/**
 * A certification authority: a root to trust.
 *
 * @since 0.1.0
 * @category constructors
 */
export const authority = (
  options: AuthorityOptions
): Effect.Effect<Issued, TlsConfigError | CryptoError, CryptoProvider> =>
  Effect.flatMap(decodeAuthorityOptions(options), (asked) =>
    assemble({ options: asked, issuer: undefined, lifetime: authorityLifetime, extensions: authorityExtensions(asked) })
  )

/**
 * A certificate for a server or a client, signed by an authority.
 *
 * @since 0.1.0
 * @category constructors
 */
export const issue = (
  ca: Issued,
  options: CertificateOptions
): Effect.Effect<Issued, TlsConfigError | CryptoError, CryptoProvider> =>
  Effect.flatMap(Effect.zipRight(requireAuthority(ca), decodeCertificateOptions(options)), (asked) =>
    assemble({ options: asked, issuer: ca, lifetime: leafLifetime, extensions: leafExtensions(asked) })
  )

/**
 * An intermediate authority, signed by another.
 *
 * @since 0.1.0
 * @category constructors
 */
export const issueAuthority = (
  ca: Issued,
  options: AuthorityOptions
): Effect.Effect<Issued, TlsConfigError | CryptoError, CryptoProvider> =>
  Effect.flatMap(Effect.zipRight(requireAuthority(ca), decodeAuthorityOptions(options)), (asked) =>
    assemble({ options: asked, issuer: ca, lifetime: authorityLifetime, extensions: authorityExtensions(asked) })
  )

const requireAuthority = ({ certificate }: Issued): Either.Either<void, TlsConfigError> =>
  certificate.basicConstraints?.ca === true
    ? Either.void
    : Either.left(invalid("ca", `"${certificate.label}" is not a certification authority`))

// ---------------------------------------------------------------------------------------------------------------------
// PEM
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The chain as PEM, leaf first.
 *
 * @since 0.1.0
 * @category conversions
 */
export const certificatePem = ({ identity }: Issued): string => Certificate.toPem(...identity.certificateChain)

/**
 * The key as PKCS#8 PEM, when it was made here.
 *
 * @since 0.1.0
 * @category conversions
 */
export const privateKeyPem = ({ pkcs8 }: Issued): Option.Option<Redacted.Redacted> =>
  Option.map(pkcs8, (der) => Redacted.make(Pem.format("PRIVATE KEY", Redacted.value(der))))
