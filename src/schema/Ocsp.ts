/**
 * What OCSP requests and responses share (RFC 6960 §4): how they name a certificate, and their extensions, of which the
 * nonce (RFC 9654) is the one we know.
 *
 * @since 0.1.0
 */
import * as AlgorithmIdentifier from "./AlgorithmIdentifier.ts"
import type { HashAlgorithm } from "./Algorithms.ts"
import type { Raw } from "./CertificateExtension.ts"
import * as Der from "./Der.ts"
import type { ObjectIdentifier } from "./ObjectIdentifier.ts"
import { oids } from "./ObjectIdentifier.ts"

/**
 * A certificate as OCSP names it: by hashes of its issuer's name (the DER) and key (the content of the BIT STRING) and
 * by `serial`, the content of its INTEGER. `hash` is `undefined` when the hashes are of a kind we do not have.
 *
 * @since 0.1.0
 * @category models
 */
export interface CertificateId {
  readonly hash: HashAlgorithm | undefined
  readonly issuerNameHash: Uint8Array
  readonly issuerKeyHash: Uint8Array
  readonly serial: Uint8Array
}

/**
 * An extension of a request, a response or a part of one. Open: `Unknown` is one we have no type for. A nonce has 1 to 128
 * bytes.
 *
 * @since 0.1.0
 * @category models
 */
export type OcspExtension =
  ({ readonly _tag: "Nonce"; readonly nonce: Uint8Array } & Raw) | ({ readonly _tag: "Unknown" } & Raw)

/**
 * Reads a CertID within a decoder.
 *
 * @since 0.1.0
 * @category decoding
 */
export const readCertificateId = (reader: Der.DerReader): CertificateId =>
  reader.within(Der.Tag.Sequence, (inner) => ({
    hash: AlgorithmIdentifier.readHash(inner),
    issuerNameHash: inner.octetString(),
    issuerKeyHash: inner.octetString(),
    serial: inner.integerBytes()
  }))

/**
 * The longest nonce a responder has to take (RFC 9654 §2.1).
 *
 * @since 0.1.0
 * @category constants
 */
export const maxNonce = 128

const readNonce = (reader: Der.DerReader): Uint8Array => {
  const nonce = reader.octetString()
  return nonce.length >= 1 && nonce.length <= maxNonce ? nonce : reader.fail(`a nonce of ${nonce.length} bytes`)
}

const readExtension = (reader: Der.DerReader): OcspExtension =>
  reader.within(Der.Tag.Sequence, (inner) => {
    const oid = inner.oid()
    const critical = inner.peek() === Der.Tag.Boolean && inner.boolean()
    const value = inner.octetString()
    return oid === oids.ocspNonce
      ? { _tag: "Nonce", oid, critical, value, nonce: Der.decodeNested(inner, value, "OCSP nonce", readNonce) }
      : { _tag: "Unknown", oid, critical, value }
  })

/**
 * Reads extensions, no two of one kind, within a decoder that stands at their `[tag] EXPLICIT`; none where it does not.
 *
 * @since 0.1.0
 * @category decoding
 */
export const readExtensions = (reader: Der.DerReader, tag: number): ReadonlyArray<OcspExtension> =>
  reader.optional(tag, (inner) => {
    const extensions = inner.sequenceOf(readExtension, 1)
    const seen = new Set<string>()
    for (const { oid } of extensions) {
      if (seen.has(oid)) inner.fail(`the extension ${oid} twice`)
      seen.add(oid)
    }
    return extensions
  }) ?? []

/**
 * The nonce among extensions.
 *
 * @since 0.1.0
 * @category lookups
 */
export const nonceOf = (extensions: ReadonlyArray<OcspExtension>): Uint8Array | undefined => {
  for (const extension of extensions) if (extension._tag === "Nonce") return extension.nonce
  return undefined
}

/**
 * Kinds of extensions that are critical and that we have no type for, the first 16 of them.
 *
 * @since 0.1.0
 * @category lookups
 */
export const unknownCritical = (extensions: ReadonlyArray<OcspExtension>): ReadonlyArray<ObjectIdentifier> =>
  extensions.flatMap(({ _tag, critical, oid }) => (critical && _tag === "Unknown" ? [oid] : [])).slice(0, 16)

/**
 * The DER of a CertID, whose hash has to be known.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodeCertificateId = (id: CertificateId & { readonly hash: HashAlgorithm }): Uint8Array =>
  Der.sequence(
    AlgorithmIdentifier.encodeHash(id.hash),
    Der.octetString(id.issuerNameHash),
    Der.octetString(id.issuerKeyHash),
    Der.value(Der.Tag.Integer, id.serial)
  )

/**
 * A nonce as an extension. The caller sees to its length.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodeNonce = (nonce: Uint8Array): Raw => ({
  oid: oids.ocspNonce,
  critical: false,
  value: Der.octetString(nonce)
})

/**
 * A GeneralizedTime from milliseconds since 1970; fractions of a second are dropped.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodeTime = (milliseconds: number): Uint8Array =>
  Der.ascii(new Date(milliseconds).toISOString().replace(/[-:T]|\.\d+/g, ""), Der.Tag.GeneralizedTime)
