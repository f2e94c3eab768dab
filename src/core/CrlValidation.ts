/**
 * The status of a certificate by CRLs (RFC 5280 §6.3.3): those that speak about it are looked for, found fresh and
 * rightly signed, brought up to date by their deltas, until every reason for revocation is covered.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import type { Certificate } from "../schema/Certificate.ts"
import type { CertificateRevocationList, RevokedCertificate } from "../schema/CertificateRevocationList.ts"
import * as ObjectIdentifier from "../schema/ObjectIdentifier.ts"
import type { PublicKey } from "../schema/PublicKey.ts"
import { equals as equalKeys } from "../schema/PublicKey.ts"
import type { SignatureScheme } from "../schema/SignatureScheme.ts"
import type { Conformance, Problem } from "./CertificateRules.ts"
import * as Rules from "./CertificateRules.ts"
import type { ListSet } from "./CrlScope.ts"
import * as CrlScope from "./CrlScope.ts"
import type { CryptoProviderService } from "./CryptoProvider.ts"
import type { PathEffort } from "./PathValidation.ts"
import * as SignedStructure from "./SignedStructure.ts"

/**
 * What is known of a certificate. `Unknown` says why: nothing speaks about it, or what does cannot be believed.
 *
 * @since 0.1.0
 * @category models
 */
export type RevocationStatus =
  | { readonly _tag: "Good" }
  | { readonly _tag: "Revoked"; readonly problem: Problem }
  | { readonly _tag: "Unknown"; readonly problem: Problem }
  | { readonly _tag: "Exhausted"; readonly problem: Problem }

/**
 * What it takes to believe a CRL. `time` is in milliseconds since 1970.
 *
 * @since 0.1.0
 * @category models
 */
export interface CrlContext {
  readonly crypto: CryptoProviderService
  readonly lists: ListSet
  readonly signatureSchemes: ReadonlyArray<SignatureScheme>
  readonly time: number
  /** How closely CRLs have to keep to RFC 5280's profile of them. */
  readonly conformance: Conformance
  readonly effort: PathEffort
  /** Certificates that a CRL's issuer may have, besides those of the path. */
  readonly others: ReadonlyArray<Certificate>
  /** What speaks against believing a CRL's issuer that is not above the certificate in its path. */
  readonly checkIssuer: (issuer: Certificate) => Effect.Effect<Problem | undefined>
  /** The keys by which signatures of CRLs were found right, kept by whoever keeps the CRLs. */
  readonly verified: WeakMap<CertificateRevocationList, PublicKey>
  /** What was wrong with signatures already, in this verification. */
  readonly refused: Map<CertificateRevocationList, Array<{ readonly key: PublicKey; readonly problem: Problem }>>
}

/**
 * There is no effort left to ask.
 *
 * @since 0.1.0
 * @category constants
 */
export const exhausted: Problem = {
  reason: "BudgetExceeded",
  detail: "it would take too much effort to know if it is revoked"
}

const unusable = (list: CertificateRevocationList, why: string): Problem => ({
  reason: "CrlUnusable",
  detail: `the ${list.label} cannot be used: ${why}`
})

/**
 * The status of a certificate whose path is valid otherwise. `above` are the certificates above it, its issuer first,
 * the anchor last; their own status is known already.
 *
 * @since 0.1.0
 * @category validation
 */
export const statusOf = Effect.fnUntraced(function* (
  context: CrlContext,
  certificate: Certificate,
  above: ReadonlyArray<Certificate>
): Effect.fn.Return<RevocationStatus> {
  let covered: CrlScope.ReasonMask = 0
  let first: Problem | undefined
  for (const place of CrlScope.placesOf(certificate)) {
    let newest: CertificateRevocationList | undefined
    for (const list of place.issuers.flatMap((issuer) => context.lists(issuer).complete)) {
      if (--context.effort.comparisons < 0) return { _tag: "Exhausted", problem: exhausted }
      const reasons = CrlScope.reasonsCovered(list, certificate, place)
      // A newer one goes before older ones. Where two are of the same age, nobody knows which holds: both do.
      const isRival = newest !== undefined && CrlScope.newestFirst(newest, list) === 0
      if ((reasons & ~covered) === 0 && (reasons === 0 || !isRival)) continue
      if (--context.effort.steps < 0) return { _tag: "Exhausted", problem: exhausted }
      const problem = yield* check(context, list, certificate, above)
      if (problem?.reason === "Revoked") return { _tag: "Revoked", problem }
      if (problem?.reason === "BudgetExceeded") return { _tag: "Exhausted", problem }
      if (problem === undefined) {
        covered |= reasons
        newest = list
      } else {
        first ??= problem
      }
    }
    if (covered === CrlScope.allReasons) return { _tag: "Good" }
  }
  return { _tag: "Unknown", problem: first ?? missing(certificate, covered) }
})

const missing = ({ issuer }: Certificate, covered: CrlScope.ReasonMask): Problem => ({
  reason: "RevocationUnknown",
  detail:
    covered === 0
      ? `there is no CRL that speaks about it, as one of its issuer "${issuer}"`
      : "there are CRLs that speak about it, but not for all reasons there are to revoke it"
})

/** What one CRL has against a certificate in its scope: that it is revoked, or that the CRL is not to be believed. */
const check = Effect.fnUntraced(function* (
  context: CrlContext,
  list: CertificateRevocationList,
  certificate: Certificate,
  above: ReadonlyArray<Certificate>
): Effect.fn.Return<Problem | undefined> {
  const illFormed = notUnderstood(list) ?? datesOf(list, context.time) ?? nonconforming(list, context.conformance)
  if (illFormed !== undefined) return illFormed
  const candidates = context
    .lists(list.issuer)
    .deltas.filter(
      (delta) =>
        CrlScope.isDeltaOf(delta, list) &&
        delta.isCurrentAt(context.time) &&
        notUnderstood(delta) === undefined &&
        nonconforming(delta, context.conformance) === undefined
    )
  // An expired CRL is as good as new together with a current delta (RFC 5280 §6.3.3 (a)(1)(i)).
  if (!list.isCurrentAt(context.time) && candidates.length === 0) {
    return {
      reason: "CrlExpired",
      detail: `the ${list.label} was to be followed by another by ${list.nextUpdate!.toISOString()}`
    }
  }
  const signer = yield* findSigner(context, list, above)
  if ("reason" in signer) return signer
  let delta: CertificateRevocationList | undefined
  for (const candidate of candidates) {
    const wrong = yield* verifySignature(context, candidate, signer)
    if (wrong?.reason === "BudgetExceeded") return wrong
    if (wrong !== undefined) continue
    delta = candidate
    break
  }
  if (delta === undefined && !list.isCurrentAt(context.time)) {
    return unusable(list, "it has expired, and the signature of no delta that would renew it is right")
  }
  const entry = delta?.find(certificate.serial, certificate.issuer) ?? list.find(certificate.serial, certificate.issuer)
  return entry === undefined || entry.reason === "removeFromCRL" ? undefined : revoked(entry)
})

const revoked = ({ reason, revocationDate }: RevokedCertificate): Problem => ({
  reason: "Revoked",
  detail:
    reason === "certificateHold"
      ? `it is on hold since ${revocationDate.toISOString()}`
      : `it was revoked at ${revocationDate.toISOString()}${reason === undefined ? "" : ` (${reason})`}`
})

const notUnderstood = (list: CertificateRevocationList): Problem | undefined => {
  const { unknownCriticalExtensions: unknown } = list
  return unknown.length === 0
    ? undefined
    : unusable(list, `its extension ${unknown.map(ObjectIdentifier.name).join(", ")} is critical and not understood`)
}

/** The MUSTs of RFC 5280 §5.2 that nothing depends on. */
const nonconforming = (list: CertificateRevocationList, conformance: Conformance): Problem | undefined => {
  if (conformance === "practice" || conformance === "algorithm") return undefined
  const number = list.extension("CrlNumber")
  const identifier = list.extension("AuthorityKeyIdentifier")
  if (number === undefined) return unusable(list, "it has no number (RFC 5280 §5.2.3)")
  if (number.critical) return unusable(list, "its number is critical (RFC 5280 §5.2.3)")
  if (identifier?.keyIdentifier === undefined) {
    return unusable(list, "it has no authority key identifier (RFC 5280 §5.2.1)")
  }
  if (list.extension("DeltaCrlIndicator")?.critical === false) {
    return unusable(list, "its delta CRL indicator is not critical (RFC 5280 §5.2.4)")
  }
  return list.extension("IssuingDistributionPoint")?.critical === false
    ? unusable(list, "its issuing distribution point is not critical (RFC 5280 §5.2.5)")
    : undefined
}

const datesOf = (list: CertificateRevocationList, time: number): Problem | undefined => {
  const { nextUpdate, thisUpdate } = list
  if (time < thisUpdate.getTime()) {
    return { reason: "CrlNotYetValid", detail: `the ${list.label} is of ${thisUpdate.toISOString()}` }
  }
  if (nextUpdate === undefined) {
    return { reason: "CrlNextUpdate", detail: `the ${list.label} does not say when the next one comes` }
  }
  return nextUpdate < thisUpdate
    ? { reason: "CrlNextUpdate", detail: `the ${list.label} is to be followed by another before its own date` }
    : undefined
}

// ---------------------------------------------------------------------------------------------------------------------
// Signatures
// ---------------------------------------------------------------------------------------------------------------------

/** The certificate by whose key a CRL is signed, valid for that; or why there is none (§6.3.3 (f), (g)). */
const findSigner = Effect.fnUntraced(function* (
  context: CrlContext,
  list: CertificateRevocationList,
  above: ReadonlyArray<Certificate>
): Effect.fn.Return<Certificate | Problem> {
  const isNamed = ({ subject }: Certificate): boolean => subject.equals(list.issuer)
  let last: Problem | undefined
  for (const authority of above.filter(isNamed)) {
    // The rules of paths look at keyCertSign alone, and at nothing of an anchor that is a root of old.
    if (authority.keyUsage?.has("cRLSign") === false) {
      last = unusable(list, `the key usage of its issuer "${authority.label}" does not include signing CRLs (cRLSign)`)
      continue
    }
    const wrong = yield* verifySignature(context, list, authority)
    if (wrong === undefined) return authority
    if (wrong.reason === "BudgetExceeded") return wrong
    last = wrong
  }
  const others = context.others
    .filter((other) => isNamed(other) && !above.some((authority) => Equal.equals(authority, other)))
    .map((other) => ({ other, rank: Rules.keyIdentifierRank(list, other) }))
    .sort((a, b) => a.rank - b.rank)
  for (const { other } of others) {
    const problem = yield* context.checkIssuer(other)
    if (problem?.reason === "BudgetExceeded") return problem
    if (problem !== undefined) {
      last = unusable(list, `its issuer's certificate is not valid: ${problem.detail}`)
      continue
    }
    const wrong = yield* verifySignature(context, list, other)
    if (wrong === undefined) return other
    if (wrong.reason === "BudgetExceeded") return wrong
    last = wrong
  }
  return last ?? unusable(list, "its issuer's certificate was neither sent nor given")
})

const verifySignature = Effect.fnUntraced(function* (
  { crypto, effort, refused, signatureSchemes, verified }: CrlContext,
  list: CertificateRevocationList,
  { publicKey: key }: Certificate
): Effect.fn.Return<Problem | undefined> {
  const algorithm = Rules.acceptedAlgorithm(list, signatureSchemes)
  if ("reason" in algorithm) return { reason: "CrlBadSignature", detail: `of the ${list.label}, ${algorithm.detail}` }
  const known = verified.get(list)
  if (known !== undefined && equalKeys(known, key)) return undefined
  const earlier = refused.get(list) ?? []
  const again = earlier.find((other) => equalKeys(other.key, key))
  if (again !== undefined) return again.problem
  const verdict = yield* SignedStructure.verify({ crypto, effort }, list, algorithm, key)
  if (verdict._tag === "Exhausted") return exhausted
  const wrong = SignedStructure.complaint(verdict, { crypto, signer: "issuer" })
  if (wrong === undefined) {
    verified.set(list, key)
    return undefined
  }
  const problem: Problem = { reason: "CrlBadSignature", detail: `the ${list.label} ${wrong}` }
  refused.set(list, [...earlier, { key, problem }])
  return problem
})
