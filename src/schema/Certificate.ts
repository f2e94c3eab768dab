/**
 * X.509 certificates (RFC 5280 §4.1) as values. Decoding is strict and total: whatever the bytes are, the answer is a
 * certificate or a `DecodeError`.
 *
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Either from "effect/Either"
import * as Equal from "effect/Equal"
import * as Hash from "effect/Hash"
import * as Redacted from "effect/Redacted"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as AlgorithmIdentifier from "./AlgorithmIdentifier.ts"
import type { DecodeError } from "./ByteReader.ts"
import * as Bytes from "./Bytes.ts"
import * as CertificateExtension from "./CertificateExtension.ts"
import * as Der from "./Der.ts"
import * as DerKind from "./DerKind.ts"
import * as DistinguishedName from "./DistinguishedName.ts"
import type { DistributionPoint } from "./DistributionPoint.ts"
import * as GeneralName from "./GeneralName.ts"
import type { ObjectIdentifier } from "./ObjectIdentifier.ts"
import * as Pem from "./Pem.ts"
import * as PublicKey from "./PublicKey.ts"
import { isWithin, Validity } from "./Validity.ts"

interface Fields {
  readonly der: Uint8Array
  readonly tbs: Uint8Array
  readonly version: 1 | 2 | 3
  readonly serial: Uint8Array
  readonly signatureAlgorithm: AlgorithmIdentifier.AlgorithmIdentifier
  readonly issuer: DistinguishedName.DistinguishedName
  readonly subject: DistinguishedName.DistinguishedName
  readonly validity: readonly [notBefore: number, notAfter: number]
  readonly datesInForm: boolean
  readonly publicKey: PublicKey.PublicKey
  readonly extensions: ReadonlyArray<CertificateExtension.CertificateExtension>
  readonly signature: Uint8Array
}

type Find<T extends CertificateExtension.CertificateExtension["_tag"]> =
  Extract<CertificateExtension.CertificateExtension, { readonly _tag: T }> | undefined

/**
 * A certificate. All byte fields are views of `der`, which is the value's own copy. Two certificates are equal when
 * their bytes are.
 *
 * @since 0.1.0
 * @category models
 */
export class Certificate implements Equal.Equal {
  /** The whole certificate. */
  readonly der: Uint8Array
  /** What is signed. */
  readonly tbs: Uint8Array
  readonly version: 1 | 2 | 3
  /** The content of the serial number's INTEGER. */
  readonly serial: Uint8Array
  readonly signatureAlgorithm: AlgorithmIdentifier.AlgorithmIdentifier
  readonly issuer: DistinguishedName.DistinguishedName
  readonly subject: DistinguishedName.DistinguishedName
  /**
   * Whether dates to 2049 are UTCTimes, as issuers have to write them (RFC 5280 §4.1.2.5). Readers have to take a
   * GeneralizedTime for any year.
   */
  readonly datesInForm: boolean
  readonly publicKey: PublicKey.PublicKey
  /** In the order of the certificate; no two of one kind. */
  readonly extensions: ReadonlyArray<CertificateExtension.CertificateExtension>
  readonly signature: Uint8Array
  readonly #validity: readonly [notBefore: number, notAfter: number]
  #hash: number | undefined

  /** From fields that belong together: `decode` is the way to one. */
  constructor(fields: Fields) {
    this.der = fields.der
    this.tbs = fields.tbs
    this.version = fields.version
    this.serial = fields.serial
    this.signatureAlgorithm = fields.signatureAlgorithm
    this.issuer = fields.issuer
    this.subject = fields.subject
    this.datesInForm = fields.datesInForm
    this.publicKey = fields.publicKey
    this.extensions = fields.extensions
    this.signature = fields.signature
    this.#validity = fields.validity
  }

  /** Lower-case hex without leading zeros; `-` before it where a CA made it negative. */
  get serialNumber(): string {
    const negative = this.serial[0]! >= 0x80
    let value = BigInt(`0x${Bytes.toHex(this.serial)}`)
    if (negative) value = (1n << BigInt(8 * this.serial.length)) - value
    return `${negative ? "-" : ""}${value.toString(16)}`
  }

  get notBefore(): Date {
    return new Date(this.#validity[0])
  }

  /** The last second of the certificate's life is part of it. */
  get notAfter(): Date {
    return new Date(this.#validity[1])
  }

  get validity(): Validity {
    return new Validity({ notBefore: this.notBefore, notAfter: this.notAfter }, { disableValidation: true })
  }

  /** Whether a time, in milliseconds since 1970, is within the validity, to the second (RFC 5280 §4.1.2.5). */
  isValidAt(time: number): boolean {
    return isWithin(time, ...this.#validity)
  }

  /** The extension of a kind. */
  extension<T extends CertificateExtension.CertificateExtension["_tag"]>(tag: T): Find<T> {
    for (const extension of this.extensions) {
      if (extension._tag === tag) return extension as Find<T>
    }
    return undefined
  }

  /** The extension with an object identifier. */
  extensionByOid(oid: ObjectIdentifier): CertificateExtension.CertificateExtension | undefined {
    return this.extensions.find((extension) => extension.oid === oid)
  }

  get basicConstraints(): CertificateExtension.BasicConstraints | undefined {
    return this.extension("BasicConstraints")
  }

  get keyUsage(): ReadonlySet<CertificateExtension.KeyUsage> | undefined {
    return this.extension("KeyUsage")?.usages
  }

  get extendedKeyUsage(): ReadonlyArray<ObjectIdentifier> | undefined {
    return this.extension("ExtendedKeyUsage")?.purposes
  }

  /** The names of the subject; none where the certificate has no such extension. */
  get subjectAltNames(): ReadonlyArray<GeneralName.GeneralName> {
    return this.extension("SubjectAltName")?.names ?? []
  }

  get subjectKeyIdentifier(): Uint8Array | undefined {
    return this.extension("SubjectKeyIdentifier")?.keyIdentifier
  }

  get authorityKeyIdentifier(): CertificateExtension.AuthorityKeyIdentifier | undefined {
    return this.extension("AuthorityKeyIdentifier")
  }

  get nameConstraints(): CertificateExtension.NameConstraints | undefined {
    return this.extension("NameConstraints")
  }

  /** Where its issuer's certificate and its status are to be had; none where the certificate has no such extension. */
  get authorityInfoAccess(): ReadonlyArray<CertificateExtension.AccessDescription> {
    return this.extension("AuthorityInfoAccess")?.descriptions ?? []
  }

  /** Where the CRLs about it are; none where the certificate has no such extension. */
  get crlDistributionPoints(): ReadonlyArray<DistributionPoint> {
    return this.extension("CrlDistributionPoints")?.points ?? []
  }

  /** Whether it says that it is a certification authority's. */
  get isCa(): boolean {
    return this.basicConstraints?.ca === true
  }

  /** Whether issuer and subject are the same name (RFC 5280 §6.1). Says nothing about who signed it. */
  get isSelfIssued(): boolean {
    return this.issuer.equals(this.subject)
  }

  [Equal.symbol](that: unknown): boolean {
    return that instanceof Certificate && Bytes.equals(this.der, that.der)
  }

  [Hash.symbol](): number {
    // The signature is as good as random, and short.
    return (this.#hash ??= Hash.array(Array.from(this.signature.subarray(0, 32))))
  }

  /** Who it is about, for a message: the subject, or the names where that is empty; cut where it does not end. */
  get label(): string {
    const text = this.subject.isEmpty
      ? this.subjectAltNames.map(GeneralName.format).join(", ")
      : this.subject.toString()
    return text.length > 200 ? `${text.slice(0, 199)}…` : text
  }

  /** Who it is about and who says so, on one line. */
  toString(): string {
    return `Certificate(${this.label}, issued by ${this.issuer})`
  }

  toJSON(): unknown {
    return {
      _id: "Certificate",
      version: this.version,
      serialNumber: this.serialNumber,
      subject: this.subject.toString(),
      issuer: this.issuer.toString(),
      notBefore: this.notBefore.toISOString(),
      notAfter: this.notAfter.toISOString(),
      subjectAltNames: this.subjectAltNames.map(GeneralName.format),
      publicKey: PublicKey.format(this.publicKey),
      signatureAlgorithm: AlgorithmIdentifier.format(this.signatureAlgorithm)
    }
  }

  [Symbol.for("nodejs.util.inspect.custom")](): unknown {
    return this.toJSON()
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Decoding
// ---------------------------------------------------------------------------------------------------------------------

const readExtensions = (reader: Der.DerReader): ReadonlyArray<CertificateExtension.CertificateExtension> => {
  const extensions = reader.sequenceOf(CertificateExtension.read, 1, Der.Tag.Sequence, "Extensions")
  const seen = new Set<string>()
  for (const { oid } of extensions) {
    if (seen.has(oid)) reader.fail(`the extension ${oid} twice`)
    seen.add(oid)
  }
  return extensions
}

const readVersion = (reader: Der.DerReader): 1 | 2 | 3 => {
  const version = reader.within(0xa0, (inner) => inner.unsigned())
  if (version === 1 || version === 2) return (version + 1) as 2 | 3
  return reader.fail(version === 0 ? "version 1 written out, which DER leaves out" : `version ${version + 1}`)
}

const year2050 = Date.UTC(2050, 0)

const readValidity = (reader: Der.DerReader) =>
  reader.within(Der.Tag.Sequence, (inner) => {
    let inForm = true
    const date = (): number => {
      const isGeneralized = inner.peek() === Der.Tag.GeneralizedTime
      const time = inner.time("anyForm")
      inForm &&= !isGeneralized || time >= year2050
      return time
    }
    return { dates: [date(), date()] as const, inForm }
  })

const readCertificate = (reader: Der.DerReader): Certificate => {
  const outer = reader.sequence()

  const tbsStart = outer.position
  const tbs = outer.sequence("TBSCertificate")
  const version = tbs.peek() === 0xa0 ? readVersion(tbs) : 1
  const serial = tbs.integerBytes()
  const innerAlgorithmStart = tbs.position
  tbs.element()
  const innerAlgorithm = tbs.bytes.subarray(innerAlgorithmStart, tbs.position)
  const issuer = DistinguishedName.read(tbs)
  const { dates: validity, inForm: datesInForm } = readValidity(tbs)
  const subject = DistinguishedName.read(tbs)
  const publicKey = PublicKey.read(tbs)
  // RFC 5280 §4.1.2.8: unique identifiers are for versions 2 and 3, and nobody uses them.
  for (const tag of [0x81, 0x82]) {
    if (tbs.peek() !== tag) continue
    if (version === 1) tbs.fail("a unique identifier in version 1")
    tbs.bitString(tag)
  }
  const extensions = tbs.optional(0xa3, readExtensions) ?? []
  if (extensions.length > 0 && version !== 3) tbs.fail(`extensions in version ${version}`)
  tbs.finish()
  const tbsBytes = outer.bytes.subarray(tbsStart, outer.position)

  const { signature, signatureAlgorithm } = AlgorithmIdentifier.readSignature(outer, innerAlgorithm)
  outer.finish()
  return new Certificate({
    der: reader.bytes,
    tbs: tbsBytes,
    version,
    serial,
    signatureAlgorithm,
    issuer,
    subject,
    validity,
    datesInForm,
    publicKey,
    extensions,
    signature
  })
}

const decodeOwned = Der.decode("Certificate", readCertificate)

/**
 * A certificate from its DER, exactly. The bytes are copied, so the value does not keep a larger buffer alive.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decode = (der: Uint8Array): Either.Either<Certificate, DecodeError> => decodeOwned(new Uint8Array(der))

// Servers meet the same clients again, and clients the same servers and intermediates. Found by length and the end of
// the signature, confirmed byte by byte. What is larger than an honest peer's certificate is not worth the memory.
const cache = new Map<number, Certificate>()
const cacheEntries = 256
const cacheEntryBytes = 8192

/**
 * As `decode`, but the same bytes give the same value again while it is among those used lately.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decodeCached = (der: Uint8Array): Either.Either<Certificate, DecodeError> => {
  const size = der.length
  if (size < 64 || size > cacheEntryBytes) return decode(der)
  let key = size
  for (let i = size - 16; i < size; i++) key = (Math.imul(key, 31) + der[i]!) | 0
  const known = cache.get(key)
  if (known !== undefined && Bytes.equals(known.der, der)) {
    // A Map keeps the order of insertion: what was used last goes last, and the first is the one to forget.
    cache.delete(key)
    cache.set(key, known)
    return Either.right(known)
  }
  const decoded = decode(der)
  if (Either.isRight(decoded)) {
    cache.delete(key)
    cache.set(key, decoded.right)
    if (cache.size > cacheEntries) cache.delete(cache.keys().next().value!)
  }
  return decoded
}

const decodeTrusted = Der.decode("TRUSTED CERTIFICATE", (reader) => {
  const der = reader.element()
  // What OpenSSL adds after the certificate, for whom it is trusted, is not ours to follow.
  if (!reader.isEmpty) reader.element()
  return der
})

/**
 * The certificates of a PEM text, in order: at least one, and no private key is looked at.
 *
 * @since 0.1.0
 * @category decoding
 */
export const fromPem = (text: string): Either.Either<NonEmptyReadonlyArray<Certificate>, Pem.PemError> => {
  const blocks = Pem.parse(text)
  if (Either.isLeft(blocks)) return Either.left(blocks.left)
  const certificates: Array<Certificate> = []
  for (const { content, label } of blocks.right) {
    const isTrusted = label === "TRUSTED CERTIFICATE"
    if (label !== "CERTIFICATE" && label !== "X509 CERTIFICATE" && !isTrusted) continue
    const bytes = Redacted.value(content)
    const certificate = isTrusted ? Either.flatMap(decodeTrusted(bytes), decode) : decode(bytes)
    if (Either.isLeft(certificate)) {
      const problem = `certificate ${certificates.length + 1} of the PEM text is damaged: ${certificate.left.message}`
      return Either.left(new Pem.PemError({ reason: "Malformed", problem }))
    }
    certificates.push(certificate.right)
  }
  const [first, ...others] = certificates
  if (first !== undefined) return Either.right([first, ...others])
  return Either.left(
    new Pem.PemError({
      reason: blocks.right.length === 0 ? "NoBlock" : "WrongKind",
      problem: `it holds ${Pem.describe(blocks.right)}, a certificate is needed`
    })
  )
}

/**
 * The certificates of a file: PEM with one or several, or the DER of one.
 *
 * @since 0.1.0
 * @category decoding
 */
export const fromBytes = (bytes: Uint8Array): Either.Either<NonEmptyReadonlyArray<Certificate>, Pem.PemError> => {
  if (bytes.length === 0) {
    return Either.left(new Pem.PemError({ reason: "NoBlock", problem: "it is empty, a certificate is needed" }))
  }
  if (Pem.isPem(bytes)) return fromPem(new TextDecoder().decode(bytes))
  return Either.mapBoth(decode(bytes), {
    onLeft: (error) => {
      const kind = DerKind.kindOf(bytes)
      return kind === undefined
        ? new Pem.PemError({ reason: "Malformed", problem: `it holds no certificate: ${error.message}` })
        : new Pem.PemError({ reason: "WrongKind", problem: `it holds ${kind}, a certificate is needed` })
    },
    onRight: (certificate): NonEmptyReadonlyArray<Certificate> => [certificate]
  })
}

/**
 * Certificates as PEM, one block after the other.
 *
 * @since 0.1.0
 * @category encoding
 */
export const toPem = (...certificates: ReadonlyArray<Certificate>): string =>
  certificates.map(({ der }) => Pem.format("CERTIFICATE", der)).join("")

/**
 * The fingerprint of a certificate, as people compare it: a hash of the whole, in upper-case hex with colons between the
 * bytes. The hash is whoever's: `Certificate.fingerprint(certificate, (bytes) => crypto.hash("SHA-256", bytes))`.
 *
 * @since 0.1.0
 * @category conversions
 */
export const fingerprint = ({ der }: Certificate, hash: (bytes: Uint8Array) => Uint8Array): string =>
  Bytes.toHex(hash(der))
    .toUpperCase()
    .replace(/..(?!$)/g, "$&:")

/**
 * @since 0.1.0
 * @category guards
 */
export const isCertificate = (u: unknown): u is Certificate => u instanceof Certificate

// ---------------------------------------------------------------------------------------------------------------------
// Schemas
// ---------------------------------------------------------------------------------------------------------------------

/**
 * @since 0.1.0
 * @category schemas
 */
export const CertificateFromSelf: Schema.Schema<Certificate> = Schema.declare(isCertificate, {
  identifier: "Certificate",
  description: "an X.509 certificate",
  pretty: () => (certificate) => certificate.toString(),
  equivalence: () => (a, b) => Equal.equals(a, b)
})

/**
 * A certificate from and to its DER.
 *
 * @since 0.1.0
 * @category schemas
 */
export const CertificateFromDer: Schema.Schema<Certificate, Uint8Array> = Schema.transformOrFail(
  Schema.Uint8ArrayFromSelf,
  CertificateFromSelf,
  {
    strict: true,
    decode: (der, _, ast) => Either.mapLeft(decode(der), (error) => new ParseResult.Type(ast, der, error.message)),
    encode: (certificate) => ParseResult.succeed(certificate.der)
  }
)

/**
 * The certificates of a PEM text, at least one, from and to that text.
 *
 * @since 0.1.0
 * @category schemas
 */
export const CertificatesFromPem: Schema.Schema<NonEmptyReadonlyArray<Certificate>, string> = Schema.transformOrFail(
  Schema.String,
  Schema.NonEmptyArray(CertificateFromSelf),
  {
    strict: true,
    // The text is left out of the issue: next to a certificate there may be a key.
    decode: (text, _, ast) =>
      Either.mapLeft(fromPem(text), (error) => new ParseResult.Type(ast, undefined, error.message)),
    encode: (certificates) => ParseResult.succeed(toPem(...certificates))
  }
)

/**
 * The one certificate of a PEM text, from and to that text.
 *
 * @since 0.1.0
 * @category schemas
 */
export const CertificateFromPem: Schema.Schema<Certificate, string> = Schema.transformOrFail(
  Schema.String,
  CertificateFromSelf,
  {
    strict: true,
    decode: (text, _, ast) =>
      Either.flatMap(
        Either.mapLeft(fromPem(text), (error) => error.message),
        ([first, ...others]) =>
          others.length === 0
            ? Either.right(first)
            : Either.left(`it holds ${others.length + 1} certificates, one is needed`)
      ).pipe(Either.mapLeft((message) => new ParseResult.Type(ast, undefined, message))),
    encode: (certificate) => ParseResult.succeed(toPem(certificate))
  }
)
