/**
 * Path building and validation (RFC 5280 §6, RFC 4158): from a leaf, over certificates in any order, to a trust anchor.
 * The search goes depth-first, the likeliest issuer first, and takes the next one where the rules refuse it, so that
 * expired and cross-signed intermediates do no harm; a budget bounds it. When there is no path, the error is about the
 * one that came closest.
 *
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Effect from "effect/Effect"
import type { SignatureAlgorithm } from "../schema/Algorithms.ts"
import type { Certificate } from "../schema/Certificate.ts"
import type { KeyUsage, NameConstraints as Constraints } from "../schema/CertificateExtension.ts"
import type { ObjectIdentifier } from "../schema/ObjectIdentifier.ts"
import { equals as equalKeys } from "../schema/PublicKey.ts"
import type { SignatureScheme } from "../schema/SignatureScheme.ts"
import type { CertificateError } from "../schema/TlsError.ts"
import type { PathPolicies, PolicyOptions } from "./CertificatePolicies.ts"
import * as CertificatePolicies from "./CertificatePolicies.ts"
import type { Problem, RuleOptions } from "./CertificateRules.ts"
import * as Rules from "./CertificateRules.ts"
import type { CryptoProviderService } from "./CryptoProvider.ts"
import { CryptoProvider } from "./CryptoProvider.ts"
import * as NameConstraints from "./NameConstraints.ts"
import { noIssuer, otherKey, toError } from "./PathFailure.ts"
import * as SignedStructure from "./SignedStructure.ts"
import type { TrustStore } from "./TrustStore.ts"
import * as TrustStores from "./TrustStore.ts"
import * as VerifiedSignatures from "./VerifiedSignatures.ts"

/**
 * How much effort one verification may take, and which keys are good enough. `Limits` of the schema is one.
 *
 * @since 0.1.0
 * @category models
 */
export interface PathLimits {
  /** Certificates between leaf and anchor. */
  readonly intermediates: number
  /** Signatures verified while looking for one path. */
  readonly pathSignatures: number
  /** Comparisons of a name with a name constraint, 100,000 unless told. */
  readonly nameConstraintComparisons?: number
  /** Certificate policies and mappings looked at, 100,000 unless told. */
  readonly pathPolicies?: number
  /** Bytes of an OCSP response that a peer sends along, 65,536 unless told. */
  readonly ocspResponse?: number
  /** Bits of an RSA modulus, 2048 to 8192 unless told. */
  readonly rsaModulusMin?: number
  readonly rsaModulusMax?: number
}

/**
 * How much of the limits is left. A search for the path of somebody else within another (of who signed a CRL) shares it.
 *
 * @since 0.1.0
 * @category models
 */
export interface PathEffort extends NameConstraints.Effort, CertificatePolicies.Effort {
  /** Signatures to verify. */
  signatures: number
  /** Candidates to look at. Without a bound, authorities that all certify each other make factorially many paths. */
  steps: number
}

/**
 * The effort that limits allow.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeEffort = (limits: PathLimits): PathEffort => ({
  signatures: limits.pathSignatures,
  steps: limits.pathSignatures * stepsPerSignature,
  comparisons: limits.nameConstraintComparisons ?? defaults.nameConstraintComparisons,
  policies: limits.pathPolicies ?? defaults.pathPolicies
})

/**
 * What a path is wanted for. `certificates` are the peer's, the leaf first, the others in any order. `time` is in
 * milliseconds since 1970.
 *
 * @since 0.1.0
 * @category models
 */
export interface PathRequest {
  readonly role: RuleOptions["role"]
  readonly certificates: NonEmptyReadonlyArray<Certificate>
  readonly anchors: TrustStore
  readonly signatureSchemes: ReadonlyArray<SignatureScheme>
  readonly limits: PathLimits
  readonly time: number
  /** `practice` unless told. */
  readonly conformance?: Rules.Conformance
  /** One of these the leaf's key usage, where it has one, has to contain; `digitalSignature` unless told. */
  readonly keyUsage?: ReadonlyArray<KeyUsage>
  /** What the path has to be good for, each of these; unless told, what the role asks for. */
  readonly purposes?: ReadonlyArray<ObjectIdentifier>
  /** What is asked of its certificate policies; unless told, nothing but what its authorities ask. */
  readonly policies?: PolicyOptions
  /** The names that certificates below the anchor may have, whatever their authorities say (RFC 5280 §6.1.1, h and i). */
  readonly nameConstraints?: Constraints
  /** Intermediate certificates at most, self-issued ones not counted (RFC 5280 §6.1.2, k). */
  readonly maxPathLength?: number
  /**
   * Whether a path may end at an anchor that somebody else issued. Unless told it may not, as in OpenSSL: such a
   * certificate in a store is a link that need not be sent. A leaf among the anchors is always an end.
   */
  readonly partialChain?: boolean
  /** Whether the leaf's common name, where it has no other names, is taken for a host's: constraints hold for it then. */
  readonly isCommonNameHost?: boolean
  /** Has the last word about a path that is right otherwise: what speaks against it, and at which depth, if anything. */
  readonly review?: (
    path: NonEmptyReadonlyArray<Certificate>,
    effort: PathEffort
  ) => Effect.Effect<readonly [depth: number, problem: Problem] | undefined>
  /** What is left of the effort of the search that this one is part of; all that `limits` allow unless told. */
  readonly effort?: PathEffort
}

/**
 * A path from the leaf to an anchor, both included, and the certificate policies it is valid for.
 *
 * @since 0.1.0
 * @category models
 */
export interface ValidPath {
  readonly path: NonEmptyReadonlyArray<Certificate>
  readonly policies: PathPolicies
}

/** A path from the leaf that goes no further, and how close it came. */
interface Failure {
  readonly path: ReadonlyArray<Certificate>
  readonly depth: number
  readonly problem: Problem
  readonly score: number
}

// Each verified link counts for more than anything that can be wrong with the next. An issuer that breaks a rule says
// more than a signature that is not its own, and that more than no issuer at all. A path that reached its anchor came
// closer than any that did not.
const scores = {
  link: 10,
  noIssuer: 1,
  otherKey: 2,
  selfSigned: 3,
  badSignature: 4,
  rule: 5,
  anchor: 6,
  whole: 10_000
} as const

interface Search {
  readonly request: PathRequest
  readonly rules: RuleOptions
  readonly crypto: CryptoProviderService
  /** What the peer sent besides its leaf, without copies of anchors, by subject. */
  readonly sent: ReadonlyMap<string, ReadonlyArray<Certificate>>
  readonly effort: PathEffort
  /** What became of signatures: of two paths over one link the second does not verify it again. */
  readonly verified: Map<Certificate, Map<Certificate, Problem | undefined>>
  closest: Failure | undefined
}

const defaults = {
  nameConstraintComparisons: 100_000,
  pathPolicies: 100_000,
  rsaModulusMin: 2048,
  rsaModulusMax: 8192
} as const
const stepsPerSignature = 10

/**
 * A valid path from the leaf to an anchor, both included, or why there is none. A leaf that is an anchor is a path.
 *
 * @since 0.1.0
 * @category validation
 */
export const build = (
  request: PathRequest
): Effect.Effect<NonEmptyReadonlyArray<Certificate>, CertificateError, CryptoProvider> =>
  Effect.map(validate(request), ({ path }) => path)

/**
 * As `build`, with the certificate policies the path is valid for.
 *
 * @since 0.1.0
 * @category validation
 */
export const validate: (request: PathRequest) => Effect.Effect<ValidPath, CertificateError, CryptoProvider> =
  Effect.fnUntraced(function* (request) {
    const { anchors, certificates, limits } = request
    const [leaf, ...others] = certificates
    const search: Search = {
      request,
      rules: {
        role: request.role,
        time: request.time,
        conformance: request.conformance ?? "practice",
        keyUsage: request.keyUsage ?? ["digitalSignature"],
        purposes: request.purposes ?? Rules.purposesOf(request.role),
        rsaModulusMin: limits.rsaModulusMin ?? defaults.rsaModulusMin,
        rsaModulusMax: limits.rsaModulusMax ?? defaults.rsaModulusMax
      },
      crypto: yield* CryptoProvider,
      sent: bySubject(others.filter((certificate) => !anchors.has(certificate))),
      effort: request.effort ?? makeEffort(limits),
      verified: new Map(),
      closest: undefined
    }
    if (TrustStores.isEmpty(anchors)) {
      return yield* failure(search, [leaf], 0, {
        reason: "UnknownIssuer",
        detail: `nobody is trusted, since ${anchors.name}`
      })
    }
    const isAnchor = anchors.has(leaf)
    const problem = Rules.check(leaf, search.rules, { position: "leaf", isAnchor })
    // About a certificate that nobody else vouches for, that is the first thing to say, unless its time is over.
    const isLesser =
      !isAnchor && leaf.isSelfIssued && problem?.reason !== "Expired" && problem?.reason !== "NotYetValid"
    if (problem !== undefined && !isLesser) return yield* failure(search, [leaf], 0, problem)
    const found = isAnchor ? yield* complete(search, [leaf]) : yield* extend(search, [leaf])
    if (found !== undefined) return problem === undefined ? found : yield* failure(search, found.path, 0, problem)
    const closest = search.closest!
    return yield* failure(search, closest.path, closest.depth, closest.problem)
  })

const bySubject = (certificates: Iterable<Certificate>): ReadonlyMap<string, ReadonlyArray<Certificate>> => {
  const found = new Map<string, Array<Certificate>>()
  for (const certificate of certificates) {
    const others = found.get(certificate.subject.key)
    if (others === undefined) found.set(certificate.subject.key, [certificate])
    else others.push(certificate)
  }
  return found
}

const record = (
  search: Search,
  path: ReadonlyArray<Certificate>,
  depth: number,
  problem: Problem,
  score: number
): void => {
  // A link is verified once the certificate above it is in the path for good; of equals the likeliest came first.
  if (search.closest === undefined || score > search.closest.score) search.closest = { path, depth, problem, score }
}

type Path = NonEmptyReadonlyArray<Certificate>

/** Asks what can be asked only of a whole path; `undefined` when it is not accepted. */
const complete = Effect.fnUntraced(function* (
  search: Search,
  path: Path
): Effect.fn.Return<ValidPath | undefined, CertificateError> {
  const { nameConstraints, policies = {}, review } = search.request
  const reject = (depth: number, problem: Problem) => {
    if (problem.reason === "BudgetExceeded") return failure(search, path, depth, problem)
    record(search, path, depth, problem, scores.whole + path.length * scores.link)
    return Effect.succeed(undefined)
  }
  if (nameConstraints !== undefined) {
    const below: Path = path.length === 1 ? path : [path[0], ...path.slice(1, -1)]
    const objection = checkNames(search, below, nameConstraints, 0, "the caller accepts")
    if (objection !== undefined) return yield* reject(...objection)
  }
  const outcome = CertificatePolicies.evaluate(path, policies, search.effort)
  switch (outcome._tag) {
    case "Exhausted":
      return yield* reject(0, { reason: "BudgetExceeded", detail: "there are too many certificate policies above it" })
    case "Violation":
      return yield* reject(outcome.index, { reason: "Policy", detail: outcome.detail })
    case "Valid": {
      const objection = review === undefined ? undefined : yield* review(path, search.effort)
      return objection === undefined ? { path, policies: outcome.policies } : yield* reject(...objection)
    }
  }
})

/** Completes a path whose certificates obey the rules and whose last is no end; `undefined` when it cannot. */
const extend: (search: Search, path: Path) => Effect.Effect<ValidPath | undefined, CertificateError> =
  Effect.fnUntraced(function* (search, path) {
    const {
      anchors,
      limits,
      maxPathLength = limits.intermediates,
      partialChain = false,
      signatureSchemes
    } = search.request
    const child = path[path.length - 1]!
    const depth = path.length - 1
    const base = depth * scores.link
    const algorithm = Rules.acceptedAlgorithm(child, signatureSchemes)
    if ("reason" in algorithm) {
      record(search, path, depth, algorithm, base + scores.rule)
      return undefined
    }
    let hasIssuer = false
    for (const candidate of candidatesFor(search, path, child)) {
      search.effort.steps--
      const isAnchor = (partialChain || candidate.isSelfIssued) && anchors.has(candidate)
      const next: Path = [...path, candidate]
      if (!isAnchor && (path.length > limits.intermediates || counted(next) > maxPathLength)) {
        const detail = `more than ${Math.min(limits.intermediates, maxPathLength)} intermediate certificates would be needed`
        record(search, next, depth + 1, { reason: "ChainTooLong", detail }, base + scores.rule)
        hasIssuer = true
        continue
      }
      if (search.effort.steps < 0) {
        const detail = "there are too many ways through the certificates"
        return yield* failure(search, next, depth, { reason: "BudgetExceeded", detail })
      }
      const wrong = yield* verifySignature(search, child, candidate, algorithm, path)
      if (wrong !== undefined) {
        const isOther = child.isSelfIssued || Rules.keyIdentifierRank(child, candidate) === 2
        if (wrong.reason === "WeakKey") record(search, next, depth + 1, wrong, base + scores.rule)
        else if (wrong.reason !== "BadSignature") record(search, next, depth, wrong, base + scores.rule)
        else if (!isOther) record(search, next, depth, wrong, base + scores.badSignature)
        else if (!child.isSelfIssued) record(search, path, depth, otherKey(child), base + scores.otherKey)
        continue
      }
      hasIssuer = true
      const [at, problem] = checkAuthority(search, path, candidate, isAnchor)
      if (problem?.reason === "BudgetExceeded") return yield* failure(search, next, at, problem)
      if (problem !== undefined) {
        record(search, next, at, problem, base + scores.link + (isAnchor ? scores.anchor : scores.rule))
        continue
      }
      const found = yield* isAnchor ? complete(search, next) : extend(search, next)
      if (found !== undefined) return found
    }
    if (!hasIssuer) {
      record(
        search,
        path,
        depth,
        noIssuer(anchors, path),
        base + (child.isSelfIssued ? scores.selfSigned : scores.noIssuer)
      )
    }
    return undefined
  })

/** RFC 5280 §6.1.4 (l): the intermediates that count, which self-issued ones do not, and neither does the leaf. */
const counted = (path: Path): number => path.filter((certificate, i) => i > 0 && !certificate.isSelfIssued).length

/** Who may have issued a certificate, the likeliest first: by key identifier, anchors, by date, by order sent. */
const candidatesFor = (search: Search, path: Path, child: Certificate): ReadonlyArray<Certificate> => {
  const { anchors, time } = search.request
  const known = anchors.bySubject(child.issuer)
  const sent = search.sent.get(child.issuer.key) ?? []
  // RFC 4158 §5.2: the same name with the same key again would lead round in a circle.
  const isRepeat = (candidate: Certificate): boolean =>
    path.some((passed) => equalKeys(passed.publicKey, candidate.publicKey) && passed.subject.equals(candidate.subject))
  const candidates = [...known, ...sent].filter((candidate) => !isRepeat(candidate))
  if (candidates.length < 2) return candidates
  const rank = (candidate: Certificate, isAnchor: boolean): number => {
    const identifier = Rules.keyIdentifierRank(child, candidate)
    return (
      (identifier === 2 ? 8 : 0) + (isAnchor ? 0 : 4) + (candidate.isValidAt(time) ? 0 : 2) + (identifier === 1 ? 1 : 0)
    )
  }
  return candidates
    .map((candidate, index) => ({ candidate, rank: rank(candidate, index < known.length) }))
    .sort((a, b) => a.rank - b.rank || b.candidate.notBefore.getTime() - a.candidate.notBefore.getTime())
    .map(({ candidate }) => candidate)
}

const verifySignature = Effect.fnUntraced(function* (
  search: Search,
  child: Certificate,
  issuer: Certificate,
  algorithm: SignatureAlgorithm,
  path: Path
): Effect.fn.Return<Problem | undefined, CertificateError> {
  let results = search.verified.get(child)
  if (results === undefined) search.verified.set(child, (results = new Map()))
  if (results.has(issuer)) return results.get(issuer)
  const { crypto, request, rules } = search
  const key = issuer.publicKey
  let problem = Rules.weakKey(key, rules)
  if (problem === undefined && !VerifiedSignatures.has(crypto, child, issuer)) {
    const verdict = yield* SignedStructure.verify(search, child, algorithm, key)
    switch (verdict._tag) {
      case "Valid":
        VerifiedSignatures.add(crypto, child, issuer)
        break
      case "Wrong":
        problem = { reason: "BadSignature", detail: "its signature is not its issuer's" }
        break
      case "OtherKey":
        problem = { reason: "BadSignature", detail: "its issuer's key cannot make such a signature" }
        break
      case "Unverifiable":
        problem = { reason: "WeakSignature", detail: `the provider ${crypto.name} cannot verify its signature` }
        break
      case "UnusableKey":
        problem = { reason: "WeakKey", detail: `its issuer's key cannot be used: ${verdict.detail}` }
        break
      case "Exhausted": {
        const detail = `more than ${request.limits.pathSignatures} signatures would have to be verified`
        return yield* failure(search, path, path.length - 1, { reason: "BudgetExceeded", detail })
      }
    }
  }
  results.set(issuer, problem)
  return problem
})

/** What speaks against an authority above a path, and the depth of the certificate it concerns. */
const checkAuthority = (
  search: Search,
  path: Path,
  authority: Certificate,
  isAnchor: boolean
): readonly [depth: number, problem: Problem | undefined] => {
  const depth = path.length
  const problem = Rules.check(authority, search.rules, { position: "authority", isAnchor })
  if (problem !== undefined) return [depth, problem]
  const pathLength = authority.basicConstraints?.pathLength
  if (pathLength !== undefined) {
    const count = counted(path)
    if (count > pathLength) {
      const detail = `it allows ${pathLength} intermediate certificate(s) below it, and there are ${count}`
      return [depth, { reason: "PathLength", detail }]
    }
  }
  const constraints = authority.nameConstraints
  const objection = constraints && checkNames(search, path, constraints, depth, `"${authority.label}" may issue for`)
  return objection ?? [depth, undefined]
}

/** What speaks against the names of a path below whoever constrains them, at a depth, and the depth it concerns. */
const checkNames = (
  { effort, request }: Search,
  path: Path,
  constraints: Constraints,
  depth: number,
  whose: string
): readonly [depth: number, problem: Problem] | undefined => {
  // §6.1.3 (b): they do not apply to self-issued certificates, but for the leaf.
  const constrained = path.filter((certificate, i) => i === 0 || !certificate.isSelfIssued)
  const violation = NameConstraints.check(constraints, constrained, effort, request.isCommonNameHost)
  switch (violation?._tag) {
    case undefined:
      return undefined
    case "Exhausted":
      return [depth, { reason: "BudgetExceeded", detail: "it would take too many comparisons with name constraints" }]
    case "Violation": {
      const detail = `${violation.detail} that ${whose}`
      return [path.indexOf(constrained[violation.index]!), { reason: "NameConstraint", detail }]
    }
  }
}

const failure = (
  { crypto, request }: Search,
  path: ReadonlyArray<Certificate>,
  depth: number,
  problem: Problem
): Effect.Effect<never, CertificateError> => Effect.fail(toError(crypto, request.anchors, path, depth, problem))

export {
  /**
   * A certificate as errors and reports show it.
   *
   * @since 0.1.0
   * @category errors
   */
  chainEntry,
  /**
   * An error about the certificate at a depth of a path.
   *
   * @since 0.1.0
   * @category errors
   */
  toError
} from "./PathFailure.ts"
