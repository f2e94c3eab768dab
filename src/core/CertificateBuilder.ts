/**
 * Certificates of one's own: a self-signed one, or a certification authority and what it issues, in memory. For
 * development, tests and private networks. What no verifier would accept is refused before it is signed.
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
import * as AlgorithmIdentifier from "../schema/AlgorithmIdentifier.ts"
import * as Certificate from "../schema/Certificate.ts"
import * as CertificateExtension from "../schema/CertificateExtension.ts"
import type { CertificateRequest } from "../schema/CertificateRequest.ts"
import * as Der from "../schema/Der.ts"
import type { DistinguishedName } from "../schema/DistinguishedName.ts"
import * as DistinguishedNames from "../schema/DistinguishedName.ts"
import type { GeneralName } from "../schema/GeneralName.ts"
import * as GeneralNames from "../schema/GeneralName.ts"
import type { ObjectIdentifier } from "../schema/ObjectIdentifier.ts"
import { oids } from "../schema/ObjectIdentifier.ts"
import * as Pem from "../schema/Pem.ts"
import type { PublicKey } from "../schema/PublicKey.ts"
import type { TlsConfigError } from "../schema/TlsError.ts"
import { invalid } from "./BuilderOptions.ts"
import type {
  AuthorityOptions,
  AuthoritySigningOptions,
  CertificateOptions,
  RenewalOptions,
  SigningOptions
} from "./CertificateOptions.ts"
import { decoders, readNames, readSubject, readValidity } from "./CertificateOptions.ts"
import * as CertificateRequestBuilder from "./CertificateRequestBuilder.ts"
import type { CryptoError, CryptoProviderService } from "./CryptoProvider.ts"
import { CryptoProvider } from "./CryptoProvider.ts"
import type { Identity } from "./Identity.ts"
import * as IssuanceRules from "./IssuanceRules.ts"
import type { KeyPair } from "./Signing.ts"
import { algorithmFor, keyIdentifier, obtainKey, signed } from "./Signing.ts"

export {
  /** @since 0.1.0 */
  AuthorityOptions,
  /** @since 0.1.0 */
  AuthoritySigningOptions,
  /** @since 0.1.0 */
  CertificateOptions,
  /** @since 0.1.0 */
  RenewalOptions,
  /** @since 0.1.0 */
  SigningOptions
} from "./CertificateOptions.ts"
export {
  /** @since 0.1.0 */
  defaultSignatureAlgorithm,
  /** @since 0.1.0 */
  keyIdentifier
} from "./Signing.ts"

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

/**
 * A certificate for somebody else's key, with the chain to send: leaf first and without the root.
 *
 * @since 0.1.0
 * @category models
 */
export interface Signed {
  readonly certificate: Certificate.Certificate
  readonly certificateChain: NonEmptyReadonlyArray<Certificate.Certificate>
  /** Who is above it, its issuer first and the root too, as far as that is known; nobody when it signs itself. */
  readonly issuers: ReadonlyArray<Certificate.Certificate>
}

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
  /** Who is above it, its issuer first and the root too; the rest of the chain, unless told. */
  readonly issuers?: ReadonlyArray<Certificate.Certificate>
}

// ---------------------------------------------------------------------------------------------------------------------
// Putting one together
// ---------------------------------------------------------------------------------------------------------------------

/** What any of the options may say about any certificate. */
type Asked = Pick<
  CertificateOptions,
  "notBefore" | "notAfter" | "validFor" | "extensions" | "signatureAlgorithm" | "unchecked"
>

interface Plan {
  readonly kind: "leaf" | "authority"
  readonly asked: Asked
  readonly subject: DistinguishedName
  readonly names: ReadonlyArray<GeneralName>
  readonly validity: { readonly notBefore: number; readonly notAfter: number }
  /** `undefined` when the certificate is to sign itself. */
  readonly issuer: Issued | undefined
  /** Signs, where there is no issuer. */
  readonly key: Identity["privateKey"] | PublicKey
  /** The extensions of its kind. */
  readonly extensions: ReadonlyArray<CertificateExtension.Raw>
}

const assemble = Effect.fnUntraced(function* ({
  asked,
  extensions,
  issuer,
  key,
  kind,
  names,
  subject,
  validity
}: Plan): Effect.fn.Return<Signed, TlsConfigError | CryptoError, CryptoProvider> {
  const crypto = yield* CryptoProvider
  const publicKey = "publicKey" in key ? key.publicKey : key
  const signer = issuer?.identity.privateKey ?? ("publicKey" in key ? key : undefined)
  if (signer === undefined) return yield* invalid("ca", "nobody is there to sign it")
  const algorithm = yield* algorithmFor(signer.publicKey, asked.signatureAlgorithm)

  const standard = [
    ...extensions,
    CertificateExtension.encodeSubjectKeyIdentifier(keyIdentifier(crypto, publicKey)),
    ...authorityKeyIdentifier(crypto, issuer),
    ...(names.length === 0 ? [] : [CertificateExtension.encodeSubjectAltName(names, subject.isEmpty)])
  ]
  const own = asked.extensions ?? []
  const all = [...standard.filter(({ oid }) => !own.some((other) => other.oid === oid)), ...own]
  const tbs = Der.sequence(
    Der.value(0xa0, Der.integer(2)),
    Der.integer(serialNumber(crypto)),
    AlgorithmIdentifier.encode(algorithm),
    (issuer?.certificate.subject ?? subject).der,
    Der.sequence(Der.time(validity.notBefore), Der.time(validity.notAfter)),
    subject.der,
    publicKey.spki,
    Der.value(0xa3, Der.sequence(...all.map(CertificateExtension.encode)))
  )
  const read = (signature: Uint8Array) =>
    Either.mapLeft(Certificate.decode(signed(tbs, algorithm, signature)), (error) =>
      invalid("extensions", error.message)
    )
  // What is not to be signed is refused before: a signature cannot be taken back.
  const draft = yield* read(new Uint8Array(1))
  const issuers =
    issuer === undefined ? [] : [issuer.certificate, ...(issuer.issuers ?? issuer.identity.certificateChain.slice(1))]
  if (asked.unchecked !== true) yield* IssuanceRules.check({ kind, certificate: draft, authorities: issuers })
  const certificate = yield* read(yield* signer.sign(algorithm, tbs))
  // A root is the other side's to have; whoever is signed by it sends all others.
  const above = (issuer?.identity.certificateChain ?? []).filter((authority) => !authority.isSelfIssued)
  return { certificate, certificateChain: [certificate, ...above], issuers }
})

const issued = ({ certificate, certificateChain, issuers }: Signed, { pkcs8, privateKey }: KeyPair): Issued => ({
  certificate,
  identity: { certificateChain, privateKey },
  pkcs8,
  issuers
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

const leafLifetime = Duration.days(90)
const authorityLifetime = Duration.days(3650)

type Purpose = "serverAuth" | "clientAuth"

/** Both purposes, as far as the issuer has them itself. */
const defaultPurposes = (issuer: Issued | undefined): ReadonlyArray<Purpose> => {
  const allowed = issuer?.certificate.extendedKeyUsage
  const both: ReadonlyArray<Purpose> = ["serverAuth", "clientAuth"]
  const possible = both.filter(
    (purpose) => allowed === undefined || allowed.includes(oids[purpose]) || allowed.includes(oids.anyExtendedKeyUsage)
  )
  return possible.length === 0 ? both : possible
}

const leafExtensions = (
  purposes: ReadonlyArray<Purpose>,
  key: PublicKey["_tag"]
): ReadonlyArray<CertificateExtension.Raw> => [
  CertificateExtension.encodeBasicConstraints({ ca: false, pathLength: undefined }),
  // Static RSA of TLS 1.2 encrypts with the key of the certificate.
  CertificateExtension.encodeKeyUsage(key === "Rsa" ? ["digitalSignature", "keyEncipherment"] : ["digitalSignature"]),
  ...purposeExtension(purposes)
]

const authorityExtensions = ({
  nameConstraints,
  pathLength,
  purposes = []
}: Pick<AuthorityOptions, "nameConstraints" | "pathLength" | "purposes">): ReadonlyArray<CertificateExtension.Raw> => [
  CertificateExtension.encodeBasicConstraints({ ca: true, pathLength }),
  CertificateExtension.encodeKeyUsage(["keyCertSign", "cRLSign"]),
  ...purposeExtension(purposes),
  ...(nameConstraints === undefined ? [] : [CertificateExtension.encodeNameConstraints(nameConstraints)])
]

const purposeExtension = (purposes: ReadonlyArray<Purpose>) =>
  purposes.length === 0 ? [] : [CertificateExtension.encodeExtendedKeyUsage(purposes.map((purpose) => oids[purpose]))]

/** What stands in a certificate for a key that we have or make. */
const build = Effect.fnUntraced(function* (
  kind: Plan["kind"],
  asked: AuthorityOptions,
  issuer: Issued | undefined
): Effect.fn.Return<Issued, TlsConfigError | CryptoError, CryptoProvider> {
  const crypto = yield* CryptoProvider
  const now = yield* Clock.currentTimeMillis
  const names = yield* readNames(asked.names)
  const found = yield* readSubject(asked.subject, names)
  if (found.isEmpty && names.length === 0) return yield* nobody
  const subject = kind === "leaf" && issuer === undefined && asked.subject === undefined ? ownName(found, names) : found
  const lifetime = kind === "leaf" ? leafLifetime : authorityLifetime
  const validity = yield* readValidity(asked, now, lifetime, issuer?.certificate)
  const pair = yield* obtainKey(crypto, asked.key)
  const extensions =
    kind === "leaf"
      ? leafExtensions(asked.purposes ?? defaultPurposes(issuer), pair.privateKey.publicKey._tag)
      : authorityExtensions(asked)
  const key = pair.privateKey
  return issued(yield* assemble({ kind, asked, subject, names, validity, issuer, key, extensions }), pair)
})

/** Who signs has a name (RFC 5280 §4.1.2.4), also where no DNS name can be one. */
const ownName = (subject: DistinguishedName, names: ReadonlyArray<GeneralName>): DistinguishedName => {
  if (!subject.isEmpty) return subject
  const text = GeneralNames.format(names[0]!).replace(/^[^:]*:/, "")
  return DistinguishedNames.fromAttributes([[oids.commonName, text.length > 64 ? "self-signed" : text]])
}

const nobody = Either.left(invalid("names", "a certificate for nobody: give `names` or a `subject`"))

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
  Effect.flatMap(decoders.certificate(options), (asked) => build("leaf", asked, undefined))

/**
 * A certification authority: a root to trust.
 *
 * @since 0.1.0
 * @category constructors
 */
export const authority = (
  options: AuthorityOptions
): Effect.Effect<Issued, TlsConfigError | CryptoError, CryptoProvider> =>
  Effect.flatMap(decoders.authority(options), (asked) => build("authority", asked, undefined))

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
  Effect.flatMap(decoders.certificate(options), (asked) => build("leaf", asked, ca))

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
  Effect.flatMap(decoders.authority(options), (asked) => build("authority", asked, ca))

// ---------------------------------------------------------------------------------------------------------------------
// For requests
// ---------------------------------------------------------------------------------------------------------------------

const answer = Effect.fnUntraced(function* (
  kind: Plan["kind"],
  ca: Issued,
  request: CertificateRequest,
  asked: AuthoritySigningOptions
): Effect.fn.Return<Signed, TlsConfigError | CryptoError, CryptoProvider> {
  yield* CertificateRequestBuilder.verify(request)
  const now = yield* Clock.currentTimeMillis
  const names = asked.names === undefined ? request.subjectAltNames : yield* readNames(asked.names)
  const subject = asked.subject === undefined ? request.subject : yield* readSubject(asked.subject, names)
  if (subject.isEmpty && names.length === 0) return yield* nobody
  const lifetime = kind === "leaf" ? leafLifetime : authorityLifetime
  const validity = yield* readValidity(asked, now, lifetime, ca.certificate)
  const extensions =
    kind === "leaf"
      ? leafExtensions(asked.purposes ?? defaultPurposes(ca), request.publicKey._tag)
      : authorityExtensions(asked)
  const accepted = yield* Either.all((asked.accept ?? []).map((oid, i) => requested(request, oid, `accept[${i}]`)))
  const own = asked.extensions ?? []
  const all = [...accepted.filter(({ oid }) => !own.some((other) => other.oid === oid)), ...own]
  return yield* assemble({
    kind,
    asked: { ...asked, extensions: all },
    subject,
    names,
    validity,
    issuer: ca,
    key: request.publicKey,
    extensions
  })
})

const requested = (request: CertificateRequest, oid: ObjectIdentifier, path: string) =>
  Either.fromNullable(
    request.extensions.find((extension) => extension.oid === oid),
    () => invalid(path, `the request asks for no extension ${oid}`)
  )

/**
 * A certificate for the key of a request, whose signature is verified first. Of what the request asks for, subject and
 * names are taken unless the options say otherwise, and other extensions only where `accept` names them.
 *
 * @since 0.1.0
 * @category constructors
 */
export const sign = (
  ca: Issued,
  request: CertificateRequest,
  options: SigningOptions = {}
): Effect.Effect<Signed, TlsConfigError | CryptoError, CryptoProvider> =>
  Effect.flatMap(decoders.signing(options), (asked) => answer("leaf", ca, request, asked))

/**
 * As `sign`, for who is to be an intermediate authority.
 *
 * @since 0.1.0
 * @category constructors
 */
export const signAuthority = (
  ca: Issued,
  request: CertificateRequest,
  options: AuthoritySigningOptions = {}
): Effect.Effect<Signed, TlsConfigError | CryptoError, CryptoProvider> =>
  Effect.flatMap(decoders.authoritySigning(options), (asked) => answer("authority", ca, request, asked))

// ---------------------------------------------------------------------------------------------------------------------
// Renewal
// ---------------------------------------------------------------------------------------------------------------------

/** What is about the old key, the old issuer or the old certificate itself. */
const replaced: ReadonlySet<string> = new Set([
  oids.subjectKeyIdentifier,
  oids.authorityKeyIdentifier,
  oids.signedCertificateTimestamps,
  oids.precertificatePoison
])

const renewFrom = Effect.fnUntraced(function* (
  issuer: Issued | undefined,
  old: Issued,
  asked: RenewalOptions
): Effect.fn.Return<Issued, TlsConfigError | CryptoError, CryptoProvider> {
  const crypto = yield* CryptoProvider
  const now = yield* Clock.currentTimeMillis
  const { extensions, notAfter, notBefore, subject } = old.certificate
  const lifetime = Duration.millis(notAfter.getTime() - notBefore.getTime())
  const validity = yield* readValidity(asked, now, lifetime, issuer?.certificate)
  const pair =
    asked.key === undefined
      ? { privateKey: old.identity.privateKey, pkcs8: old.pkcs8 }
      : yield* obtainKey(crypto, asked.key)
  const made = yield* assemble({
    kind: old.certificate.isCa ? "authority" : "leaf",
    asked: { ...asked, extensions: extensions.filter(({ oid }) => !replaced.has(oid)) },
    subject,
    names: [],
    validity,
    issuer,
    key: pair.privateKey,
    extensions: []
  })
  return issued(made, pair)
})

/**
 * The next certificate of the same subject, with the same names and extensions: from now on, for as long as the old one
 * was valid. It has the old key, unless told. Whoever issued the old one need not issue this one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const renew = (
  ca: Issued,
  old: Issued,
  options: RenewalOptions = {}
): Effect.Effect<Issued, TlsConfigError | CryptoError, CryptoProvider> =>
  Effect.flatMap(decoders.renewal(options), (asked) => renewFrom(ca, old, asked))

/**
 * As `renew`, of a root or another certificate that signs itself. With the old key a root's certificates stay valid
 * under the new one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const renewSelfSigned = (
  old: Issued,
  options: RenewalOptions = {}
): Effect.Effect<Issued, TlsConfigError | CryptoError, CryptoProvider> =>
  Effect.flatMap(decoders.renewal(options), (asked) =>
    old.certificate.isSelfIssued
      ? renewFrom(undefined, old, asked)
      : Effect.fail(invalid("old", `"${old.certificate.issuer}" issued it: \`renew\` takes an issuer`))
  )

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
