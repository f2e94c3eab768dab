/**
 * Certificate requests (PKCS#10, RFC 2986): who asks for a certificate, for which key, with which extensions. Strictly
 * decoded; that whoever asks has the key is for `CertificateRequestBuilder.verify`, with a provider.
 *
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Either from "effect/Either"
import * as Equal from "effect/Equal"
import * as Hash from "effect/Hash"
import * as ParseResult from "effect/ParseResult"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as AlgorithmIdentifier from "./AlgorithmIdentifier.ts"
import type { DecodeError } from "./ByteReader.ts"
import * as Bytes from "./Bytes.ts"
import type { DirectoryAttribute } from "./CertificateExtension.ts"
import * as CertificateExtension from "./CertificateExtension.ts"
import * as Der from "./Der.ts"
import * as DerKind from "./DerKind.ts"
import * as DistinguishedName from "./DistinguishedName.ts"
import * as GeneralName from "./GeneralName.ts"
import { oids } from "./ObjectIdentifier.ts"
import * as Pem from "./Pem.ts"
import * as PublicKey from "./PublicKey.ts"

interface Fields {
  readonly der: Uint8Array
  readonly toBeSigned: Uint8Array
  readonly subject: DistinguishedName.DistinguishedName
  readonly publicKey: PublicKey.PublicKey
  readonly attributes: ReadonlyArray<DirectoryAttribute>
  readonly extensions: ReadonlyArray<CertificateExtension.CertificateExtension>
  readonly signatureAlgorithm: AlgorithmIdentifier.AlgorithmIdentifier
  readonly signature: Uint8Array
}

/**
 * A request. `toBeSigned` is the CertificationRequestInfo; `attributes` are all there are, with the DER of their values,
 * and `extensions` what one of them asks for. Equal by content.
 *
 * @since 0.1.0
 * @category models
 */
export class CertificateRequest implements Equal.Equal {
  readonly der: Uint8Array
  readonly toBeSigned: Uint8Array
  readonly subject: DistinguishedName.DistinguishedName
  readonly publicKey: PublicKey.PublicKey
  readonly attributes: ReadonlyArray<DirectoryAttribute>
  readonly extensions: ReadonlyArray<CertificateExtension.CertificateExtension>
  readonly signatureAlgorithm: AlgorithmIdentifier.AlgorithmIdentifier
  readonly signature: Uint8Array

  /** From fields that belong together: `decode` is the way to one. */
  constructor(fields: Fields) {
    this.der = fields.der
    this.toBeSigned = fields.toBeSigned
    this.subject = fields.subject
    this.publicKey = fields.publicKey
    this.attributes = fields.attributes
    this.extensions = fields.extensions
    this.signatureAlgorithm = fields.signatureAlgorithm
    this.signature = fields.signature
  }

  /** The names that it asks for; none where it asks for none. */
  get subjectAltNames(): ReadonlyArray<GeneralName.GeneralName> {
    for (const extension of this.extensions) {
      if (extension._tag === "SubjectAltName") return extension.names
    }
    return []
  }

  /** Who it is about, for a message. */
  get label(): string {
    return this.subject.isEmpty ? this.subjectAltNames.map(GeneralName.format).join(", ") : this.subject.toString()
  }

  [Equal.symbol](that: unknown): boolean {
    return that instanceof CertificateRequest && Bytes.equals(this.der, that.der)
  }

  [Hash.symbol](): number {
    return Hash.array(Array.from(this.signature.subarray(0, 32)))
  }

  toString(): string {
    return `CertificateRequest(${this.label})`
  }

  toJSON(): unknown {
    return {
      _id: "CertificateRequest",
      subject: this.subject.toString(),
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
// DER
// ---------------------------------------------------------------------------------------------------------------------

const readAttribute = (reader: Der.DerReader): DirectoryAttribute =>
  reader.within(Der.Tag.Sequence, (inner) => {
    const type = inner.oid()
    const values = inner.sequenceOf((value) => value.element(), 1, Der.Tag.Set)
    if (!Der.isSorted(values)) inner.fail("a SET that is not in order")
    return { type, values }
  })

/** Each attribute once; RFC 2986 §4.1 has a set of them. */
const readAttributes = (reader: Der.DerReader): ReadonlyArray<DirectoryAttribute> => {
  const attributes = reader.sequenceOf(readAttribute, 0, 0xa0)
  const types = new Set(attributes.map(({ type }) => type))
  if (types.size < attributes.length) reader.fail("an attribute twice")
  return attributes
}

const readExtensions = (
  reader: Der.DerReader,
  attributes: ReadonlyArray<DirectoryAttribute>
): ReadonlyArray<CertificateExtension.CertificateExtension> => {
  const request = attributes.find(({ type }) => type === oids.extensionRequest)
  if (request === undefined) return []
  // RFC 2985 §5.4.2.
  if (request.values.length !== 1) reader.fail("two lists of extensions")
  const extensions = Der.decodeNested(reader, request.values[0]!, "Extensions", (nested) =>
    nested.sequenceOf(CertificateExtension.read)
  )
  const kinds = new Set(extensions.map(({ oid }) => oid))
  if (kinds.size < extensions.length) reader.fail("an extension twice")
  return extensions
}

const readRequest = (reader: Der.DerReader): CertificateRequest => {
  const outer = reader.sequence()
  const start = outer.position
  const info = outer.sequence("CertificationRequestInfo")
  const version = info.unsigned()
  if (version !== 0) info.fail(`a request of version ${version + 1}`)
  const subject = DistinguishedName.read(info)
  const publicKey = PublicKey.read(info)
  // They may not be left out, and some programs of old leave them out.
  const attributes = info.isEmpty ? [] : readAttributes(info)
  const extensions = readExtensions(info, attributes)
  info.finish()
  const toBeSigned = outer.bytes.subarray(start, outer.position)
  const { signature, signatureAlgorithm } = AlgorithmIdentifier.readSignature(outer)
  outer.finish()
  return new CertificateRequest({
    der: reader.bytes,
    toBeSigned,
    subject,
    publicKey,
    attributes,
    extensions,
    signatureAlgorithm,
    signature
  })
}

const decodeOwned = Der.decode("CertificationRequest", readRequest)

/**
 * A request from its DER, which it copies.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decode = (der: Uint8Array): Either.Either<CertificateRequest, DecodeError> =>
  decodeOwned(new Uint8Array(der))

/**
 * The CertificationRequestInfo of a request, to be signed.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodeInfo = (
  subject: DistinguishedName.DistinguishedName,
  publicKey: PublicKey.PublicKey,
  extensions: ReadonlyArray<CertificateExtension.Raw>
): Uint8Array =>
  Der.sequence(
    Der.integer(0),
    subject.der,
    publicKey.spki,
    Der.value(
      0xa0,
      ...(extensions.length === 0
        ? []
        : [
            Der.sequence(
              Der.oid(oids.extensionRequest),
              Der.setOf(Der.sequence(...extensions.map(CertificateExtension.encode)))
            )
          ])
    )
  )

// ---------------------------------------------------------------------------------------------------------------------
// PEM
// ---------------------------------------------------------------------------------------------------------------------

const labels: ReadonlySet<string> = new Set(["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"])

const wrongKind = (found: string) =>
  Either.left(new Pem.PemError({ reason: "WrongKind", problem: `it holds ${found}, a certificate request is needed` }))

const fromDer = (der: Uint8Array): Either.Either<CertificateRequest, Pem.PemError> =>
  Either.mapLeft(
    decode(der),
    ({ message }) =>
      new Pem.PemError({ reason: "Malformed", problem: `the certificate request is damaged: ${message}` })
  )

/**
 * The request of a PEM text; of two neither is taken.
 *
 * @since 0.1.0
 * @category decoding
 */
export const fromPem = (text: string): Either.Either<CertificateRequest, Pem.PemError> =>
  Either.flatMap(Pem.parse(text), (blocks) => {
    const requests = blocks.filter(({ label }) => labels.has(label))
    if (requests.length === 1) return fromDer(Redacted.value(requests[0]!.content))
    return wrongKind(requests.length === 0 ? Pem.describe(blocks) : `${requests.length} certificate requests`)
  })

/**
 * The request of a file, PEM or DER.
 *
 * @since 0.1.0
 * @category decoding
 */
export const fromBytes = (bytes: Uint8Array): Either.Either<CertificateRequest, Pem.PemError> => {
  if (Pem.isPem(bytes)) return fromPem(new TextDecoder().decode(bytes))
  return Either.orElse(fromDer(bytes), (error) => {
    const kind = DerKind.kindOf(bytes)
    return kind === undefined || kind === "a certificate request" ? Either.left(error) : wrongKind(kind)
  })
}

/**
 * @since 0.1.0
 * @category encoding
 */
export const toPem = (...requests: NonEmptyReadonlyArray<CertificateRequest>): string =>
  requests.map(({ der }) => Pem.format("CERTIFICATE REQUEST", der)).join("")

/**
 * @since 0.1.0
 * @category guards
 */
export const isCertificateRequest = (u: unknown): u is CertificateRequest => u instanceof CertificateRequest

// ---------------------------------------------------------------------------------------------------------------------
// Schemas
// ---------------------------------------------------------------------------------------------------------------------

/**
 * @since 0.1.0
 * @category schemas
 */
export const CertificateRequestFromSelf: Schema.Schema<CertificateRequest> = Schema.declare(isCertificateRequest, {
  identifier: "CertificateRequest",
  description: "a certificate request",
  pretty: () => (request) => request.toString(),
  equivalence: () => (a, b) => Equal.equals(a, b)
})

/**
 * @since 0.1.0
 * @category schemas
 */
export const CertificateRequestFromDer: Schema.Schema<CertificateRequest, Uint8Array> = Schema.transformOrFail(
  Schema.Uint8ArrayFromSelf,
  CertificateRequestFromSelf,
  {
    strict: true,
    decode: (der, _, ast) => Either.mapLeft(decode(der), (error) => new ParseResult.Type(ast, der, error.message)),
    encode: (request) => ParseResult.succeed(request.der)
  }
)

/**
 * @since 0.1.0
 * @category schemas
 */
export const CertificateRequestFromPem: Schema.Schema<CertificateRequest, string> = Schema.transformOrFail(
  Schema.String,
  CertificateRequestFromSelf,
  {
    strict: true,
    // The text is left out of the issue: next to a request there may be a key.
    decode: (text, _, ast) =>
      Either.mapLeft(fromPem(text), (error) => new ParseResult.Type(ast, undefined, error.message)),
    encode: (request) => ParseResult.succeed(toPem(request))
  }
)
