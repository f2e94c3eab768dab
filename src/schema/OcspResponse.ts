/**
 * OCSP responses (RFC 6960 §4.2) as values. Decoding is strict and total: whatever the bytes are, the answer is a response
 * or a `DecodeError`. That one decodes says nothing of whether it is to be believed: `OcspValidation` does.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Equal from "effect/Equal"
import * as Hash from "effect/Hash"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as AlgorithmIdentifier from "./AlgorithmIdentifier.ts"
import { DecodeError } from "./ByteReader.ts"
import * as Bytes from "./Bytes.ts"
import type { Certificate } from "./Certificate.ts"
import * as Certificates from "./Certificate.ts"
import type { RevocationReason } from "./CrlExtension.ts"
import { revocationReasons } from "./CrlExtension.ts"
import * as Der from "./Der.ts"
import * as DistinguishedName from "./DistinguishedName.ts"
import * as Limits from "./Limits.ts"
import type { CertificateId, OcspExtension } from "./Ocsp.ts"
import * as Ocsp from "./Ocsp.ts"
import * as ObjectIdentifier from "./ObjectIdentifier.ts"

/**
 * What becomes of a request, by the number of its OCSPResponseStatus. 4 is not used.
 *
 * @since 0.1.0
 * @category constants
 */
export const responseStatuses = [
  "successful",
  "malformedRequest",
  "internalError",
  "tryLater",
  undefined,
  "sigRequired",
  "unauthorized"
] as const

/**
 * @since 0.1.0
 * @category models
 */
export type ResponseStatus = Exclude<(typeof responseStatuses)[number], undefined>

/**
 * What a responder knows of a certificate. `Good` says no more than that it is not revoked; `Unknown` that the responder
 * does not know it. Times are in milliseconds since 1970.
 *
 * @since 0.1.0
 * @category models
 */
export type CertificateStatus =
  | { readonly _tag: "Good" }
  | { readonly _tag: "Revoked"; readonly time: number; readonly reason: RevocationReason | undefined }
  | { readonly _tag: "Unknown" }

/**
 * The status of one certificate. Times are in milliseconds since 1970; without `nextUpdate` there may be a newer one at
 * any time.
 *
 * @since 0.1.0
 * @category models
 */
export interface SingleResponse {
  readonly certificate: CertificateId
  readonly status: CertificateStatus
  readonly thisUpdate: number
  readonly nextUpdate: number | undefined
  readonly extensions: ReadonlyArray<OcspExtension>
}

/**
 * Who signed: by name, or by the SHA-1 hash of its public key (the content of the BIT STRING).
 *
 * @since 0.1.0
 * @category models
 */
export type ResponderId =
  | { readonly _tag: "ByName"; readonly name: DistinguishedName.DistinguishedName }
  | { readonly _tag: "ByKey"; readonly keyHash: Uint8Array }

/**
 * What a successful response says, signed. `certificates` are those it brings along, as far as they can be read.
 *
 * @since 0.1.0
 * @category models
 */
export interface BasicResponse {
  /** What is signed. */
  readonly tbs: Uint8Array
  readonly responder: ResponderId
  /** In milliseconds since 1970. */
  readonly producedAt: number
  readonly responses: ReadonlyArray<SingleResponse>
  readonly extensions: ReadonlyArray<OcspExtension>
  readonly nonce: Uint8Array | undefined
  readonly signatureAlgorithm: AlgorithmIdentifier.AlgorithmIdentifier
  readonly signature: Uint8Array
  readonly certificates: ReadonlyArray<Certificate>
}

/**
 * A response. All byte fields are views of `der`, which is the value's own copy. Two are equal when their bytes are.
 *
 * @since 0.1.0
 * @category models
 */
export class OcspResponse implements Equal.Equal {
  /** The whole response. */
  readonly der: Uint8Array
  readonly status: ResponseStatus
  /** Of a successful response what it says; else none. */
  readonly basic: BasicResponse | undefined
  #hash: number | undefined

  /** From parts that belong together: `decode` is the way to one. */
  constructor(der: Uint8Array, status: ResponseStatus, basic: BasicResponse | undefined) {
    this.der = der
    this.status = status
    this.basic = basic
  }

  [Equal.symbol](that: unknown): boolean {
    return that instanceof OcspResponse && Bytes.equals(this.der, that.der)
  }

  [Hash.symbol](): number {
    return (this.#hash ??= Hash.array(Array.from(this.der.subarray(-32))))
  }

  /** What came of the request and who answered, on one line. */
  toString(): string {
    if (this.basic === undefined) return `OcspResponse(${this.status})`
    const statuses = this.basic.responses.slice(0, 8).map(({ status }) => status._tag)
    return `OcspResponse(${formatResponder(this.basic.responder)}: ${statuses.join(", ")})`
  }

  toJSON(): unknown {
    const { basic } = this
    const date = (time: number | undefined) => (time === undefined ? undefined : new Date(time).toISOString())
    return {
      _id: "OcspResponse",
      status: this.status,
      ...(basic === undefined
        ? {}
        : {
            responder: formatResponder(basic.responder),
            producedAt: date(basic.producedAt),
            signatureAlgorithm: AlgorithmIdentifier.format(basic.signatureAlgorithm),
            nonce: basic.nonce === undefined ? undefined : Bytes.toHex(basic.nonce),
            responses: basic.responses.map(({ certificate, nextUpdate, status, thisUpdate }) => ({
              serial: Bytes.toHex(certificate.serial),
              status: status._tag,
              revocationDate: status._tag === "Revoked" ? date(status.time) : undefined,
              reason: status._tag === "Revoked" ? status.reason : undefined,
              thisUpdate: date(thisUpdate),
              nextUpdate: date(nextUpdate)
            }))
          })
    }
  }

  [Symbol.for("nodejs.util.inspect.custom")](): unknown {
    return this.toJSON()
  }
}

/**
 * Who signed, for a message; cut where it does not end.
 *
 * @since 0.1.0
 * @category conversions
 */
export const formatResponder = (responder: ResponderId): string => {
  if (responder._tag === "ByKey") return `the key with hash ${Bytes.toHex(responder.keyHash)}`
  const text = responder.name.toString()
  return `"${text.length > 200 ? `${text.slice(0, 199)}…` : text}"`
}

// ---------------------------------------------------------------------------------------------------------------------
// Decoding
// ---------------------------------------------------------------------------------------------------------------------

const readTime = (reader: Der.DerReader): number => {
  if (reader.peek() !== Der.Tag.GeneralizedTime) reader.fail("a GeneralizedTime expected")
  return reader.time("anyForm")
}

const readReason = (reader: Der.DerReader): RevocationReason => {
  const number = reader.unsigned(Der.Tag.Enumerated)
  return revocationReasons[number] ?? reader.fail(`a reason code of ${number}`)
}

const readStatus = (reader: Der.DerReader): CertificateStatus => {
  const tag = reader.peek()
  switch (tag) {
    case 0x80:
    case 0x82:
      if (reader.content(tag).length > 0) reader.fail("a NULL with content")
      return { _tag: tag === 0x80 ? "Good" : "Unknown" }
    case 0xa1:
      return reader.within(0xa1, (inner) => ({
        _tag: "Revoked",
        time: readTime(inner),
        reason: inner.optional(0xa0, readReason)
      }))
    default:
      return reader.fail("a status that is neither good, revoked nor unknown")
  }
}

const readSingle = (reader: Der.DerReader): SingleResponse =>
  reader.within(Der.Tag.Sequence, (inner) => ({
    certificate: Ocsp.readCertificateId(inner),
    status: readStatus(inner),
    thisUpdate: readTime(inner),
    nextUpdate: inner.optional(0xa0, readTime),
    extensions: Ocsp.readExtensions(inner, 0xa1)
  }))

const readResponder = (reader: Der.DerReader): ResponderId =>
  reader.peek() === 0xa1
    ? { _tag: "ByName", name: reader.within(0xa1, DistinguishedName.read) }
    : { _tag: "ByKey", keyHash: reader.within(0xa2, (inner) => inner.octetString()) }

const readCertificates = (reader: Der.DerReader): ReadonlyArray<Certificate> =>
  // They only help to find who signed. One that we cannot read does not.
  reader
    .sequenceOf((item) => Certificates.decode(item.element()))
    .flatMap((certificate) => (Either.isRight(certificate) ? [certificate.right] : []))

const readBasic = (reader: Der.DerReader): BasicResponse =>
  reader.within(Der.Tag.Sequence, (outer) => {
    const start = outer.position
    const said = outer.within(
      Der.Tag.Sequence,
      (data) => {
        if (data.peek() === 0xa0) data.fail("a version: that of version 1 is left out, and there is no other")
        const responder = readResponder(data)
        const producedAt = readTime(data)
        const responses = data.sequenceOf(readSingle)
        const extensions = Ocsp.readExtensions(data, 0xa1)
        return { responder, producedAt, responses, extensions, nonce: Ocsp.nonceOf(extensions) }
      },
      "ResponseData"
    )
    const tbs = outer.bytes.subarray(start, outer.position)
    const { signature, signatureAlgorithm } = AlgorithmIdentifier.readSignature(outer)
    const certificates = outer.optional(0xa0, readCertificates) ?? []
    return { tbs, ...said, signatureAlgorithm, signature, certificates }
  })

const readResponse = (reader: Der.DerReader): OcspResponse =>
  reader.within(Der.Tag.Sequence, (outer) => {
    const number = outer.unsigned(Der.Tag.Enumerated)
    const status = responseStatuses[number] ?? outer.fail(`a response status of ${number}`)
    if (status !== "successful") return new OcspResponse(reader.bytes, status, undefined)
    const basic = outer.within(0xa0, (explicit) =>
      explicit.within(Der.Tag.Sequence, (bytes) => {
        const type = bytes.oid()
        if (type !== ObjectIdentifier.oids.ocspBasic) bytes.fail(`a response of type ${ObjectIdentifier.name(type)}`)
        return Der.decodeNested(bytes, bytes.octetString(), "BasicOCSPResponse", readBasic)
      })
    )
    return new OcspResponse(reader.bytes, status, basic)
  })

const what = "OCSPResponse"
const decodeOwned = Der.decode(what, readResponse)

/**
 * How large a response may be: `ocspResponse` of `Limits`, 64 KiB unless told.
 *
 * @since 0.1.0
 * @category models
 */
export interface DecodeOptions {
  readonly limits?: Pick<Limits.Limits, "ocspResponse">
}

/**
 * A response from its DER, exactly. The bytes are copied, so the value does not keep a larger buffer alive.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decode = (der: Uint8Array, options: DecodeOptions = {}): Either.Either<OcspResponse, DecodeError> => {
  const most = (options.limits ?? Limits.defaults).ocspResponse
  return der.length > most
    ? Either.left(
        new DecodeError({ what, at: 0, problem: `${der.length} bytes, the limit \`ocspResponse\` is ${most}` })
      )
    : decodeOwned(new Uint8Array(der))
}

/**
 * @since 0.1.0
 * @category guards
 */
export const isOcspResponse = (u: unknown): u is OcspResponse => u instanceof OcspResponse

// ---------------------------------------------------------------------------------------------------------------------
// Encoding
// ---------------------------------------------------------------------------------------------------------------------

const encodeStatus = (status: CertificateStatus): Uint8Array => {
  if (status._tag !== "Revoked") return Der.value(status._tag === "Good" ? 0x80 : 0x82)
  const { reason, time } = status
  return Der.value(
    0xa1,
    Ocsp.encodeTime(time),
    ...(reason === undefined
      ? []
      : [Der.value(0xa0, Der.value(Der.Tag.Enumerated, Uint8Array.of(revocationReasons.indexOf(reason))))])
  )
}

/**
 * The DER of what a responder says of one certificate; its CertID is given in DER, and extensions are left out.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodeSingle = (
  single: Pick<SingleResponse, "nextUpdate" | "status" | "thisUpdate"> & { readonly certificateId: Uint8Array }
): Uint8Array =>
  Der.sequence(
    single.certificateId,
    encodeStatus(single.status),
    Ocsp.encodeTime(single.thisUpdate),
    ...(single.nextUpdate === undefined ? [] : [Der.value(0xa0, Ocsp.encodeTime(single.nextUpdate))])
  )

/**
 * @since 0.1.0
 * @category encoding
 */
export const encodeResponder = (responder: ResponderId): Uint8Array =>
  responder._tag === "ByName"
    ? Der.value(0xa1, responder.name.der)
    : Der.value(0xa2, Der.octetString(responder.keyHash))

/**
 * The DER of a successful response around a BasicOCSPResponse, or of one that only says why there is none.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encode = (response: Exclude<ResponseStatus, "successful"> | { readonly basic: Uint8Array }): Uint8Array =>
  typeof response === "string"
    ? Der.sequence(Der.value(Der.Tag.Enumerated, Uint8Array.of(responseStatuses.indexOf(response))))
    : Der.sequence(
        Der.value(Der.Tag.Enumerated, Uint8Array.of(0)),
        Der.value(0xa0, Der.sequence(Der.oid(ObjectIdentifier.oids.ocspBasic), Der.octetString(response.basic)))
      )

// ---------------------------------------------------------------------------------------------------------------------
// Schemas
// ---------------------------------------------------------------------------------------------------------------------

/**
 * @since 0.1.0
 * @category schemas
 */
export const OcspResponseFromSelf: Schema.Schema<OcspResponse> = Schema.declare(isOcspResponse, {
  identifier: "OcspResponse",
  description: "an OCSP response",
  pretty: () => (response) => response.toString(),
  equivalence: () => (a, b) => Equal.equals(a, b)
})

/**
 * A response from and to its DER.
 *
 * @since 0.1.0
 * @category schemas
 */
export const OcspResponseFromDer: Schema.Schema<OcspResponse, Uint8Array> = Schema.transformOrFail(
  Schema.Uint8ArrayFromSelf,
  OcspResponseFromSelf,
  {
    strict: true,
    decode: (der, _, ast) => Either.mapLeft(decode(der), (error) => new ParseResult.Type(ast, der, error.message)),
    encode: (response) => ParseResult.succeed(response.der)
  }
)
