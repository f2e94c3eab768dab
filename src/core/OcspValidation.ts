/**
 * What an OCSP response says about a certificate, and whether it is to be believed (RFC 6960 §3.2 and §4.2.2): signed by
 * the issuer or by a responder the issuer delegated it to, about that certificate, and current.
 *
 * @example
 * import { Effect } from "effect"
 * import { type Certificate, OcspResponse, OcspValidation } from "effect-tls"
 *
 * const isGood = Effect.fnUntraced(function* (
 *   certificate: Certificate.Certificate,
 *   issuer: Certificate.Certificate,
 *   der: Uint8Array
 * ) {
 *   const response = yield* OcspResponse.decode(der)
 *   const { status } = yield* OcspValidation.verify(response, { certificate, issuer })
 *   return status._tag === "Good"
 * })
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Bytes from "../schema/Bytes.ts"
import type { Certificate } from "../schema/Certificate.ts"
import * as Defaults from "../schema/Defaults.ts"
import * as Limits from "../schema/Limits.ts"
import * as ObjectIdentifier from "../schema/ObjectIdentifier.ts"
import * as Ocsp from "../schema/Ocsp.ts"
import type { BasicResponse, OcspResponse, ResponderId, SingleResponse } from "../schema/OcspResponse.ts"
import { formatResponder } from "../schema/OcspResponse.ts"
import type { PublicKey } from "../schema/PublicKey.ts"
import { equals as equalKeys } from "../schema/PublicKey.ts"
import type { SignatureScheme } from "../schema/SignatureScheme.ts"
import * as SignatureSchemes from "../schema/SignatureScheme.ts"
import type { Problem } from "./CertificateRules.ts"
import * as Rules from "./CertificateRules.ts"
import type { RevocationStatus } from "./CrlValidation.ts"
import { exhausted } from "./CrlValidation.ts"
import type { CryptoProviderService } from "./CryptoProvider.ts"
import { CryptoProvider } from "./CryptoProvider.ts"
import * as CertificateId from "./OcspCertificateId.ts"
import type { PathEffort, PathLimits } from "./PathValidation.ts"
import * as SignedStructure from "./SignedStructure.ts"

const { oids } = ObjectIdentifier

/**
 * What it takes to believe a response. `time` and `skew` are in milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface OcspContext {
  readonly crypto: CryptoProviderService
  readonly signatureSchemes: ReadonlyArray<SignatureScheme>
  readonly time: number
  /** Whether responses, though not certificates, may be signed over SHA-1. */
  readonly sha1Responses: boolean
  /** How far the responder's clock may be from ours. */
  readonly skew: number
  readonly limits: Pick<PathLimits, "rsaModulusMin" | "rsaModulusMax">
  readonly effort: Pick<PathEffort, "signatures">
  /** What the request had; a response with another answers another request. */
  readonly nonce: Uint8Array | undefined
  /** What speaks against a delegated responder that does not say that it needs no looking after (RFC 6960 §4.2.2.2.1). */
  readonly checkResponder: (responder: Certificate) => Effect.Effect<Problem | undefined>
}

/**
 * What is known by a response. Until when, in milliseconds since 1970, is said of a response that is believed.
 *
 * @since 0.1.0
 * @category models
 */
export interface OcspVerdict {
  readonly status: RevocationStatus
  readonly until: number | undefined
}

/**
 * Whether a problem is the fault of who gave us the response, rather than of the time that passed or of a responder that
 * knows nothing. A server that staples such a response is refused (RFC 6066 §8).
 *
 * @since 0.1.0
 * @category predicates
 */
export const isUnacceptable = ({ reason }: Problem): boolean =>
  reason === "OcspUnusable" || reason === "OcspBadSignature"

/**
 * How far the responder's clock may be from ours, unless told: five minutes.
 *
 * @since 0.1.0
 * @category constants
 */
export const defaultSkew = Duration.minutes(5)

/** Code points that nothing else may be signed by (RFC 9846 §4.2.3). */
const sha1Schemes = [0x0201, 0x0203].map(SignatureSchemes.make)

/** A response that does not say when the next one comes may be outdated at once; a day is what browsers give it. */
const withoutNextUpdate = Duration.toMillis(Duration.days(1))

const unknown = (problem: Problem): OcspVerdict => ({
  status: problem.reason === "BudgetExceeded" ? { _tag: "Exhausted", problem } : { _tag: "Unknown", problem },
  until: undefined
})

const unusable = (why: string): Problem => ({
  reason: "OcspUnusable",
  detail: `the OCSP response about it cannot be used: ${why}`
})

const bad = (detail: string): Problem => ({
  reason: "OcspBadSignature",
  detail: `the OCSP response about it ${detail}`
})

const date = (time: number): string => new Date(time).toISOString()

/**
 * When a response's word about a certificate ends, in milliseconds since 1970.
 *
 * @since 0.1.0
 * @category getters
 */
export const endOf = ({ nextUpdate, thisUpdate }: Pick<SingleResponse, "nextUpdate" | "thisUpdate">): number =>
  nextUpdate ?? thisUpdate + withoutNextUpdate

/**
 * The status of a certificate by one response. `issuer` is who issued it, by a path that is valid.
 *
 * @since 0.1.0
 * @category validation
 */
export const statusOf = Effect.fnUntraced(function* (
  context: OcspContext,
  response: OcspResponse,
  certificate: Certificate,
  issuer: Certificate
): Effect.fn.Return<OcspVerdict> {
  const { basic } = response
  if (basic === undefined) {
    return unknown({ reason: "OcspUnknown", detail: `the OCSP responder had no answer about it: ${response.status}` })
  }
  const { crypto, nonce, skew, time } = context
  const about = basic.responses.filter((single) => CertificateId.isFor(crypto, single.certificate, certificate, issuer))
  if (about.length === 0) return unknown(unusable("it is about other certificates"))
  const critical = [basic.extensions, ...about.map(({ extensions }) => extensions)].flatMap(Ocsp.unknownCritical)
  if (critical.length > 0) {
    const names = critical.map(ObjectIdentifier.name).join(", ")
    return unknown(unusable(`its extension ${names} is critical and not understood`))
  }
  if (nonce !== undefined && basic.nonce !== undefined && !Bytes.equals(basic.nonce, nonce)) {
    return unknown(unusable("its nonce is not that of the request"))
  }
  // The newest first. Where two are of the same age and do not agree, the worse one holds.
  const [newest, ...others] = [...about].sort(
    (a, b) => b.thisUpdate - a.thisUpdate || Number(b.status._tag === "Revoked") - Number(a.status._tag === "Revoked")
  )
  const isCurrent = (single: SingleResponse): boolean => outdated(single, time, skew) === undefined
  const single = [newest!, ...others].find(isCurrent)
  if (single === undefined) return unknown(outdated(newest!, time, skew)!)
  const wrong = yield* checkSigner(context, basic, issuer)
  if (wrong !== undefined) return unknown(wrong)
  const { status } = single
  switch (status._tag) {
    case "Good":
      return { status: { _tag: "Good" }, until: endOf(single) }
    case "Unknown":
      return unknown({ reason: "OcspUnknown", detail: "the OCSP responder does not know it" })
    case "Revoked": {
      const { reason } = status
      const detail =
        reason === "certificateHold"
          ? `it is on hold since ${date(status.time)}`
          : `it was revoked at ${date(status.time)}${reason === undefined ? "" : ` (${reason})`}`
      return { status: { _tag: "Revoked", problem: { reason: "Revoked", detail } }, until: endOf(single) }
    }
  }
})

const outdated = (single: SingleResponse, time: number, skew: number): Problem | undefined => {
  const { nextUpdate, thisUpdate } = single
  if (nextUpdate !== undefined && nextUpdate < thisUpdate) {
    return unusable("it is to be followed by another before its own date")
  }
  if (thisUpdate > time + skew) {
    return { reason: "OcspNotYetValid", detail: `the OCSP response about it is of ${date(thisUpdate)}` }
  }
  if (endOf(single) + skew >= time) return undefined
  return {
    reason: "OcspExpired",
    detail:
      nextUpdate === undefined
        ? `the OCSP response about it is of ${date(thisUpdate)} and does not say how long it holds: a day at most`
        : `the OCSP response about it was to be followed by another by ${date(nextUpdate)}`
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Who signed
// ---------------------------------------------------------------------------------------------------------------------

const isResponder = (crypto: CryptoProviderService, id: ResponderId, { publicKey, subject }: Certificate): boolean =>
  id._tag === "ByName"
    ? id.name.equals(subject)
    : crypto.capabilities.hashes.has("SHA-1") &&
      Bytes.equals(id.keyHash, CertificateId.keyHash(crypto, publicKey, "SHA-1"))

/** What speaks against believing whoever signed, by the best of those that it may have been. */
const checkSigner = Effect.fnUntraced(function* (
  context: OcspContext,
  basic: BasicResponse,
  issuer: Certificate
): Effect.fn.Return<Problem | undefined> {
  const { crypto, sha1Responses, signatureSchemes } = context
  const forResponses = sha1Responses ? { ...context, signatureSchemes: [...signatureSchemes, ...sha1Schemes] } : context
  let last: Problem | undefined
  if (isResponder(crypto, basic.responder, issuer)) {
    last = yield* verifySignature(forResponses, basic, issuer.publicKey)
    if (last === undefined || last.reason === "BudgetExceeded") return last
  }
  for (const responder of basic.certificates) {
    if (!isResponder(crypto, basic.responder, responder) || equalKeys(responder.publicKey, issuer.publicKey)) continue
    last = yield* verifySignature(forResponses, basic, responder.publicKey)
    if (last?.reason === "BudgetExceeded") return last
    if (last !== undefined) continue
    last = yield* checkDelegation(context, responder, issuer)
    if (last === undefined || last.reason === "BudgetExceeded") return last
  }
  return (
    last ??
    bad(`is signed by ${formatResponder(basic.responder)}, who is not its issuer, and brings no certificate for it`)
  )
})

/** What speaks against a responder of the issuer's (RFC 6960 §4.2.2.2): it has to be certified by the issuer itself. */
const checkDelegation = Effect.fnUntraced(function* (
  context: OcspContext,
  responder: Certificate,
  issuer: Certificate
): Effect.fn.Return<Problem | undefined> {
  const refuse = (why: string): Problem =>
    bad(`is signed by "${responder.label}", which cannot speak for its issuer: ${why}`)
  if (!responder.issuer.equals(issuer.subject)) return refuse("another authority issued its certificate")
  // Any purpose is not enough: the issuer has to have meant it.
  if (responder.extendedKeyUsage?.includes(oids.OCSPSigning) !== true) {
    return refuse("its extended key usage does not include OCSPSigning")
  }
  const problem = Rules.check(
    responder,
    {
      role: "crlIssuer",
      time: context.time,
      conformance: "practice",
      keyUsage: ["digitalSignature", "nonRepudiation"],
      purposes: [oids.OCSPSigning],
      rsaModulusMin: context.limits.rsaModulusMin ?? Limits.defaults.rsaModulusMin,
      rsaModulusMax: context.limits.rsaModulusMax ?? Limits.defaults.rsaModulusMax
    },
    { position: "leaf", isAnchor: false }
  )
  if (problem !== undefined) return refuse(problem.detail)
  const wrong = yield* verifySignature(context, responder, issuer.publicKey)
  if (wrong !== undefined) return wrong.reason === "BudgetExceeded" ? wrong : refuse("its issuer did not sign it so")
  if (responder.extension("OcspNoCheck") !== undefined) return undefined
  const revoked = yield* context.checkResponder(responder)
  return revoked === undefined || revoked.reason === "BudgetExceeded" ? revoked : refuse(revoked.detail)
})

const verifySignature = Effect.fnUntraced(function* (
  { crypto, effort, signatureSchemes }: OcspContext,
  signed: Pick<Certificate, "signature" | "signatureAlgorithm" | "tbs">,
  key: PublicKey
): Effect.fn.Return<Problem | undefined> {
  const algorithm = Rules.acceptedAlgorithm(signed, signatureSchemes)
  if ("reason" in algorithm) return bad(`is not signed well: ${algorithm.detail}`)
  const verdict = yield* SignedStructure.verify({ crypto, effort }, signed, algorithm, key)
  if (verdict._tag === "Exhausted") return exhausted
  const wrong = SignedStructure.complaint(verdict, { crypto, signer: "responder" })
  return wrong === undefined ? undefined : bad(wrong)
})

// ---------------------------------------------------------------------------------------------------------------------
// By hand
// ---------------------------------------------------------------------------------------------------------------------

/**
 * What to verify a response for. The issuer's certificate is taken for valid.
 *
 * @since 0.1.0
 * @category models
 */
export interface VerifyOptions {
  readonly certificate: Certificate
  readonly issuer: Certificate
  /** That of the request, if it had one. */
  readonly nonce?: Uint8Array | undefined
  /** Five minutes unless told. */
  readonly skew?: Duration.DurationInput
  readonly signatureSchemes?: ReadonlyArray<SignatureScheme>
  /** Whether the response may be signed over SHA-1; it may not unless told. */
  readonly sha1Responses?: boolean
}

const defaultSchemes: ReadonlyArray<SignatureScheme> = [
  ...Defaults.signatureSchemes,
  ...Defaults.certificateOnlySchemes
].flatMap((name) => SignatureSchemes.fromName(name)?.code ?? [])

/**
 * The status of a certificate by a response, now.
 *
 * @since 0.1.0
 * @category validation
 */
export const verify = (
  response: OcspResponse,
  {
    certificate,
    issuer,
    nonce,
    sha1Responses = false,
    signatureSchemes = defaultSchemes,
    skew = defaultSkew
  }: VerifyOptions
): Effect.Effect<OcspVerdict, never, CryptoProvider> =>
  Effect.gen(function* () {
    const crypto = yield* CryptoProvider
    const time = yield* Clock.currentTimeMillis
    return yield* statusOf(
      {
        crypto,
        signatureSchemes,
        sha1Responses,
        time,
        skew: Duration.toMillis(skew),
        limits: {},
        effort: { signatures: Limits.defaults.pathSignatures },
        nonce,
        checkResponder: () => Effect.succeed(undefined)
      },
      response,
      certificate,
      issuer
    )
  })
