/**
 * OCSP requests (RFC 6960 §4.1) as values, for who asks and who answers. Decoding is strict and total.
 *
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import type * as Either from "effect/Either"
import type { HashAlgorithm } from "./Algorithms.ts"
import type { DecodeError } from "./ByteReader.ts"
import * as CertificateExtension from "./CertificateExtension.ts"
import * as Der from "./Der.ts"
import type { CertificateId, OcspExtension } from "./Ocsp.ts"
import * as Ocsp from "./Ocsp.ts"

/**
 * A request for the status of certificates. Signatures of requesters are passed over: hardly a responder asks for them.
 *
 * @since 0.1.0
 * @category models
 */
export interface OcspRequest {
  readonly certificates: NonEmptyReadonlyArray<CertificateId>
  readonly nonce: Uint8Array | undefined
  readonly extensions: ReadonlyArray<OcspExtension>
}

const readSingle = (reader: Der.DerReader): CertificateId =>
  reader.within(Der.Tag.Sequence, (inner) => {
    const id = Ocsp.readCertificateId(inner)
    Ocsp.readExtensions(inner, 0xa0)
    return id
  })

const readRequest = (reader: Der.DerReader): OcspRequest =>
  reader.within(Der.Tag.Sequence, (outer) => {
    const request = outer.within(Der.Tag.Sequence, (tbs): OcspRequest => {
      if (tbs.peek() === 0xa0) tbs.fail("a version: that of version 1 is left out, and there is no other")
      // The requester's name: whoever it is gets the same answer.
      if (tbs.peek() === 0xa1) tbs.element()
      const certificates = tbs.sequenceOf(readSingle, 1)
      const extensions = Ocsp.readExtensions(tbs, 0xa2)
      return {
        certificates: certificates as [CertificateId, ...Array<CertificateId>],
        nonce: Ocsp.nonceOf(extensions),
        extensions
      }
    })
    if (outer.peek() === 0xa0) outer.element()
    return request
  })

/**
 * A request from its DER, exactly. The bytes are copied.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decode = (der: Uint8Array): Either.Either<OcspRequest, DecodeError> => decodeOwned(new Uint8Array(der))

const decodeOwned = Der.decode("OCSPRequest", readRequest)

/**
 * The DER of a request for certificates, with a nonce of 1 to 128 bytes or none.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encode = (request: {
  readonly certificates: NonEmptyReadonlyArray<CertificateId & { readonly hash: HashAlgorithm }>
  readonly nonce?: Uint8Array | undefined
}): Uint8Array =>
  Der.sequence(
    Der.sequence(
      Der.sequence(...request.certificates.map((id) => Der.sequence(Ocsp.encodeCertificateId(id)))),
      ...(request.nonce === undefined
        ? []
        : [Der.value(0xa2, Der.sequence(CertificateExtension.encode(Ocsp.encodeNonce(request.nonce))))])
    )
  )
