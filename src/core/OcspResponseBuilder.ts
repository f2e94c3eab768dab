/**
 * OCSP responses of one's own (RFC 6960): for tests, and for the responder of a small authority.
 *
 * @example
 * import { Effect } from "effect"
 * import { CertificateBuilder, OcspResponseBuilder } from "effect-tls"
 *
 * const program = Effect.gen(function* () {
 *   const ca = yield* CertificateBuilder.authority({ subject: { CN: "Development CA" } })
 *   const server = yield* CertificateBuilder.issue(ca, { names: ["localhost"] })
 *   return yield* OcspResponseBuilder.make(ca.identity, { statuses: [{ certificate: server.certificate }] })
 * })
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as AlgorithmIdentifier from "../schema/AlgorithmIdentifier.ts"
import type { HashAlgorithm } from "../schema/Algorithms.ts"
import * as Bytes from "../schema/Bytes.ts"
import type { Certificate } from "../schema/Certificate.ts"
import { isCertificate } from "../schema/Certificate.ts"
import * as CertificateExtension from "../schema/CertificateExtension.ts"
import * as CrlExtension from "../schema/CrlExtension.ts"
import type { RevocationReason } from "../schema/CrlExtension.ts"
import * as Der from "../schema/Der.ts"
import { oids } from "../schema/ObjectIdentifier.ts"
import * as Ocsp from "../schema/Ocsp.ts"
import * as OcspRequests from "../schema/OcspRequest.ts"
import type { CertificateStatus, OcspResponse } from "../schema/OcspResponse.ts"
import * as OcspResponses from "../schema/OcspResponse.ts"
import { equals as equalKeys } from "../schema/PublicKey.ts"
import type { TlsConfigError } from "../schema/TlsError.ts"
import { DurationInput, invalid } from "./BuilderOptions.ts"
import { defaultSignatureAlgorithm } from "./CertificateBuilder.ts"
import type { CryptoError, CryptoProviderService } from "./CryptoProvider.ts"
import { CryptoProvider } from "./CryptoProvider.ts"
import type { Identity } from "./Identity.ts"
import * as CertificateId from "./OcspCertificateId.ts"
import { declared, decode, said } from "./OptionSchema.ts"

// ---------------------------------------------------------------------------------------------------------------------
// Options
// ---------------------------------------------------------------------------------------------------------------------

const isReason = (u: unknown): u is RevocationReason =>
  u !== undefined && (CrlExtension.revocationReasons as ReadonlyArray<unknown>).includes(u)

/**
 * What to say of a certificate: that it is good, unless told.
 *
 * @since 0.1.0
 * @category options
 */
export const StatusOptions = Schema.Struct({
  certificate: said(declared<Certificate>("a Certificate", isCertificate)),
  /** Instead of the certificate: the content of the INTEGER. */
  serial: said(Schema.Uint8ArrayFromSelf),
  status: said(Schema.Literal("good", "revoked", "unknown")),
  /** Of what is revoked: since when; now, unless told. */
  revocationDate: said(Schema.ValidDateFromSelf),
  /** Of what is revoked: why, if that is to be said. */
  reason: said(declared<RevocationReason>("a reason of RFC 5280 §5.3.1", isReason)),
  /** In place of those of the response. */
  thisUpdate: said(Schema.ValidDateFromSelf),
  nextUpdate: said(Schema.ValidDateFromSelf)
}).annotations({ parseOptions: { errors: "all", onExcessProperty: "error" } })

/**
 * @since 0.1.0
 * @category options
 */
export interface StatusOptions extends Schema.Schema.Type<typeof StatusOptions> {}

/**
 * @since 0.1.0
 * @category options
 */
export const OcspOptions = Schema.Struct({
  /** At least one. */
  statuses: Schema.NonEmptyArray(StatusOptions),
  /** Who issued the certificates, when that is not who signs the response. */
  issuer: said(declared<Certificate>("a Certificate", isCertificate)),
  /** How certificates are named: by SHA-1, unless told. */
  hash: said(Schema.Literal("SHA-1", "SHA-256", "SHA-384", "SHA-512")),
  /** That of the request, 1 to 128 bytes. */
  nonce: said(Schema.Uint8ArrayFromSelf.pipe(Schema.filter(({ length }) => length >= 1 && length <= Ocsp.maxNonce))),
  /** How the response names who signed it: by name, unless told. */
  responder: said(Schema.Literal("name", "key")),
  /** Now, unless told. */
  producedAt: said(Schema.ValidDateFromSelf),
  /** When it was produced, unless told. */
  thisUpdate: said(Schema.ValidDateFromSelf),
  /** Instead of `validFor`; `none` for a response that does not say. */
  nextUpdate: said(Schema.Union(Schema.ValidDateFromSelf, Schema.Literal("none"))),
  /** Until the next update: a day, unless told. */
  validFor: said(DurationInput),
  /** How the responder signs, where its key leaves a choice. */
  signatureAlgorithm: said(declared("a signature algorithm", AlgorithmIdentifier.isSignatureAlgorithm))
}).annotations({ parseOptions: { errors: "all", onExcessProperty: "error" } })

/**
 * @since 0.1.0
 * @category options
 */
export interface OcspOptions extends Schema.Schema.Type<typeof OcspOptions> {}

// ---------------------------------------------------------------------------------------------------------------------
// Putting one together
// ---------------------------------------------------------------------------------------------------------------------

const defaultValidity = Duration.days(1)

interface Single {
  readonly certificateId: Uint8Array
  readonly status: CertificateStatus
  readonly thisUpdate: number
  readonly nextUpdate: number | undefined
}

/**
 * A response about certificates of an issuer: signed by the issuer itself, or by a responder whose certificate it issued
 * with the purpose `OCSPSigning`; then `issuer` says whose certificates these are. Refused is what nobody would believe.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  responder: Identity,
  options: OcspOptions
): Effect.Effect<OcspResponse, TlsConfigError | CryptoError, CryptoProvider> =>
  Effect.gen(function* () {
    const crypto = yield* CryptoProvider
    const now = yield* Clock.currentTimeMillis
    const asked = yield* decode(OcspOptions)(options)
    const [signer] = responder.certificateChain
    const issuer = asked.issuer ?? signer
    yield* checkResponder(signer, issuer)
    if (asked.nextUpdate !== undefined && asked.validFor !== undefined) {
      return yield* invalid("nextUpdate", "either `nextUpdate` or `validFor` says when the next one comes, not both")
    }
    const producedAt = asked.producedAt?.getTime() ?? now
    const thisUpdate = asked.thisUpdate?.getTime() ?? producedAt
    const nextUpdate =
      asked.nextUpdate === "none"
        ? undefined
        : (asked.nextUpdate?.getTime() ?? thisUpdate + Duration.toMillis(asked.validFor ?? defaultValidity))
    const singles: Array<Single> = []
    for (const [i, entry] of asked.statuses.entries()) {
      const single = {
        certificateId: Ocsp.encodeCertificateId(yield* nameOf(crypto, entry, issuer, asked.hash ?? "SHA-1", i)),
        status: yield* statusOf(entry, producedAt, i),
        thisUpdate: entry.thisUpdate?.getTime() ?? thisUpdate,
        nextUpdate: entry.nextUpdate?.getTime() ?? nextUpdate
      }
      if (single.nextUpdate !== undefined && single.nextUpdate <= single.thisUpdate) {
        return yield* invalid(`statuses[${i}]`, "the next response would come before this one")
      }
      singles.push(single)
    }
    return yield* sign(crypto, responder, issuer, { ...asked, producedAt, singles })
  })

const checkResponder = (signer: Certificate, issuer: Certificate): Either.Either<void, TlsConfigError> => {
  if (equalKeys(signer.publicKey, issuer.publicKey)) return Either.void
  if (!signer.issuer.equals(issuer.subject)) {
    return Either.left(
      invalid("responder", `its certificate was issued by "${signer.issuer}", not by the issuer itself`)
    )
  }
  return signer.extendedKeyUsage?.includes(oids.OCSPSigning) === true
    ? Either.void
    : Either.left(invalid("responder", "its certificate's extended key usage does not include OCSPSigning"))
}

const nameOf = (
  crypto: CryptoProviderService,
  { certificate, serial }: StatusOptions,
  issuer: Certificate,
  hash: HashAlgorithm,
  i: number
): Either.Either<ReturnType<typeof CertificateId.make>, TlsConfigError> => {
  if ((certificate === undefined) === (serial === undefined)) {
    return Either.left(invalid(`statuses[${i}]`, "either `certificate` or `serial` says whose status it is"))
  }
  return certificate !== undefined && !certificate.issuer.equals(issuer.subject)
    ? Either.left(
        invalid(`statuses[${i}].certificate`, `it was issued by "${certificate.issuer}", not by "${issuer.label}"`)
      )
    : Either.right(CertificateId.make(crypto, { serial: certificate?.serial ?? serial! }, issuer, hash))
}

const statusOf = (
  { reason, revocationDate, status = "good" }: StatusOptions,
  now: number,
  i: number
): Either.Either<CertificateStatus, TlsConfigError> => {
  if (status === "revoked") {
    return Either.right({ _tag: "Revoked", time: revocationDate?.getTime() ?? now, reason })
  }
  return reason === undefined && revocationDate === undefined
    ? Either.right({ _tag: status === "good" ? "Good" : "Unknown" })
    : Either.left(invalid(`statuses[${i}]`, "`reason` and `revocationDate` are for what is revoked"))
}

const sign = Effect.fnUntraced(function* (
  crypto: CryptoProviderService,
  { certificateChain: [signer], privateKey }: Identity,
  issuer: Certificate,
  asked: Pick<OcspOptions, "nonce" | "responder" | "signatureAlgorithm"> & {
    readonly producedAt: number
    readonly singles: ReadonlyArray<Single>
  }
) {
  const algorithm = asked.signatureAlgorithm ?? defaultSignatureAlgorithm(privateKey.publicKey)
  if (algorithm === undefined) return yield* invalid("responder", "its key cannot sign responses")
  const tbs = Der.sequence(
    OcspResponses.encodeResponder(
      asked.responder === "key"
        ? { _tag: "ByKey", keyHash: CertificateId.keyHash(crypto, signer.publicKey, "SHA-1") }
        : { _tag: "ByName", name: signer.subject }
    ),
    Ocsp.encodeTime(asked.producedAt),
    Der.sequence(...asked.singles.map(OcspResponses.encodeSingle)),
    ...(asked.nonce === undefined
      ? []
      : [Der.value(0xa1, Der.sequence(CertificateExtension.encode(Ocsp.encodeNonce(asked.nonce))))])
  )
  const signature = yield* privateKey.sign(algorithm, tbs)
  const basic = Der.sequence(
    tbs,
    AlgorithmIdentifier.encode(algorithm),
    Der.bitString(signature),
    ...(equalKeys(signer.publicKey, issuer.publicKey) ? [] : [Der.value(0xa0, Der.sequence(signer.der))])
  )
  return yield* Either.mapLeft(OcspResponses.decode(OcspResponses.encode({ basic })), (error) =>
    invalid("", `no reader would take this response: ${error.message}`)
  )
})

// ---------------------------------------------------------------------------------------------------------------------
// Answering
// ---------------------------------------------------------------------------------------------------------------------

/**
 * What a responder goes by.
 *
 * @since 0.1.0
 * @category models
 */
export interface AnswerOptions<E, R> extends Pick<OcspOptions, "issuer" | "signatureAlgorithm" | "validFor"> {
  /** What is known of the certificate with a serial number, the content of the INTEGER. */
  readonly statusOf: (serial: Uint8Array) => Effect.Effect<Omit<StatusOptions, "certificate" | "serial">, E, R>
}

/**
 * The answer to a request's bytes, for a small responder: with the request's nonce, and as many statuses as it asks for,
 * but 16 at most. What is no request, or asks about certificates of others, is answered by what is wrong with it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const answer = <E, R>(
  responder: Identity,
  request: Uint8Array,
  { statusOf: lookUp, ...options }: AnswerOptions<E, R>
): Effect.Effect<OcspResponse, TlsConfigError | CryptoError | E, CryptoProvider | R> =>
  Effect.gen(function* () {
    const refuse = (status: "malformedRequest" | "unauthorized") =>
      Either.getOrThrow(OcspResponses.decode(OcspResponses.encode(status)))
    const crypto = yield* CryptoProvider
    const asked = OcspRequests.decode(request)
    if (Either.isLeft(asked) || asked.right.certificates.length > mostAsked) return refuse("malformedRequest")
    const { certificates, nonce } = asked.right
    const issuer = options.issuer ?? responder.certificateChain[0]
    const [{ hash }] = certificates
    const isOurs = certificates.every((id) => id.hash === hash && CertificateId.isIssuedBy(crypto, id, issuer))
    if (hash === undefined || !isOurs) return refuse("unauthorized")
    const statuses = yield* Effect.forEach(certificates, ({ serial }) =>
      Effect.map(lookUp(serial), (status): StatusOptions => ({ ...status, serial }))
    )
    return yield* make(responder, {
      ...options,
      statuses: statuses as [StatusOptions, ...Array<StatusOptions>],
      hash,
      ...(nonce === undefined ? {} : { nonce: Bytes.concat([nonce]) })
    })
  })

const mostAsked = 16
