/**
 * Whether the certificates of a path are revoked: what to go by, and what to make of it when nobody can tell.
 *
 * @example
 * import { Either } from "effect"
 * import type { TrustStore } from "effect-tls"
 * import { CertificateRevocationList, Verifier } from "effect-tls"
 *
 * const verifier = (store: TrustStore.TrustStore, pem: string) =>
 *   Verifier.webPki(store, {
 *     revocation: { mode: "hard-fail", crls: Either.getOrThrow(CertificateRevocationList.fromPem(pem)) }
 *   })
 *
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Equal from "effect/Equal"
import type { Certificate } from "../schema/Certificate.ts"
import type { CertificateRevocationList } from "../schema/CertificateRevocationList.ts"
import { codes } from "../schema/ExtensionType.ts"
import * as Limits from "../schema/Limits.ts"
import * as OcspResponses from "../schema/OcspResponse.ts"
import type { PublicKey } from "../schema/PublicKey.ts"
import type { Problem } from "./CertificateRules.ts"
import type { ListSet } from "./CrlScope.ts"
import * as CrlScope from "./CrlScope.ts"
import type { CrlContext, RevocationStatus } from "./CrlValidation.ts"
import * as CrlValidation from "./CrlValidation.ts"
import { CryptoProvider } from "./CryptoProvider.ts"
import type { OcspContext } from "./OcspValidation.ts"
import * as OcspValidation from "./OcspValidation.ts"
import type { PathEffort, PathRequest } from "./PathValidation.ts"
import * as PathValidation from "./PathValidation.ts"
import type { RevocationFetcher } from "./RevocationFetcher.ts"
import * as TrustStores from "./TrustStore.ts"

/**
 * What becomes of a certificate of which nobody can tell whether it is revoked: `hard-fail` refuses it, `soft-fail`
 * accepts it. One that is revoked is always refused, but for `off`, which does not look.
 *
 * @since 0.1.0
 * @category models
 */
export type RevocationMode = "hard-fail" | "soft-fail" | "off"

/**
 * What becomes of OCSP responses that a server sends along. `use` asks for one and goes by it; `require` wants one that
 * says that the server's certificate is good, whatever the certificate itself demands; `ignore` does not ask.
 *
 * @since 0.1.0
 * @category models
 */
export type StapleMode = "use" | "require" | "ignore"

/**
 * The DER of an OCSP response as it came with a certificate. Nothing is known of it yet.
 *
 * @since 0.1.0
 * @category models
 */
export interface Staple {
  readonly certificate: Certificate
  readonly response: Uint8Array
}

/**
 * @since 0.1.0
 * @category models
 */
export interface RevocationOptions {
  /** `hard-fail` unless told. */
  readonly mode?: RevocationMode
  /** `use` unless told. A certificate that demands a staple (RFC 7633) is refused without one, but for `ignore`. */
  readonly staple?: StapleMode
  /** Gets OCSP responses and CRLs where nothing at hand says whether a certificate is revoked; nothing is fetched unless told. */
  readonly fetch?: RevocationFetcher
  /**
   * Whether OCSP responses may be signed over SHA-1, as old responders do. Refused unless told: who has a say in what a
   * responder signs could have it sign something else as well.
   */
  readonly sha1Responses?: boolean
  /** How far the clocks of OCSP responders may be from ours: five minutes unless told. */
  readonly skew?: Duration.DurationInput
  /** In any order: complete and delta CRLs, indirect ones, several of one issuer. */
  readonly crls?: Iterable<CertificateRevocationList>
  /** Certificates of CRL issuers that are not in the peer's path, with their intermediates: few peers send them. */
  readonly crlIssuers?: Iterable<Certificate>
  /** Which certificates to look at: every one below the anchor, unless told that the peer's own is enough. */
  readonly certificates?: "all" | "leaf"
  /**
   * Whether who signs CRLs may vouch for itself where nobody else does: its own certificate is among those its CRL is
   * about, and the CRL does not revoke it. RFC 5280 leaves it open, and NIST's PKITS (4.14.30) has it accepted. Refused
   * unless told: a key that was stolen could say so too.
   */
  readonly selfVouching?: boolean
}

/**
 * Options made ready: CRLs by issuer, and what is known of their signatures. Make it once, for many verifications.
 *
 * @since 0.1.0
 * @category models
 */
export interface RevocationPolicy {
  readonly mode: RevocationMode
  readonly staple: StapleMode
  /** Whether a client should ask for staples. */
  readonly wantsStaple: boolean
  readonly fetch: RevocationFetcher | undefined
  readonly sha1Responses: boolean
  /** In milliseconds. */
  readonly skew: number
  readonly crls: ReadonlyArray<CertificateRevocationList>
  readonly lists: ListSet
  readonly crlIssuers: ReadonlyArray<Certificate>
  readonly certificates: "all" | "leaf"
  readonly selfVouching: boolean
  readonly verified: WeakMap<CertificateRevocationList, PublicKey>
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: RevocationOptions): RevocationPolicy => {
  const { mode = "hard-fail", staple = "use" } = options
  const crls = [...(options.crls ?? [])]
  return {
    mode,
    staple,
    wantsStaple: mode !== "off" && staple !== "ignore",
    fetch: options.fetch,
    sha1Responses: options.sha1Responses ?? false,
    skew: Duration.toMillis(options.skew ?? OcspValidation.defaultSkew),
    crls,
    lists: CrlScope.makeSet(crls),
    crlIssuers: [...(options.crlIssuers ?? [])],
    certificates: options.certificates ?? "all",
    selfVouching: options.selfVouching ?? false,
    verified: new WeakMap()
  }
}

/** `Refused` is what `soft-fail` does not let pass either. */
type Outcome = RevocationStatus | { readonly _tag: "Refused"; readonly problem: Problem }

/** Whether a certificate demands that its holder staples (RFC 7633). */
const mustStaple = (certificate: Certificate): boolean =>
  certificate.extension("TlsFeature")?.features.includes(codes.status_request) === true

type Path = NonEmptyReadonlyArray<Certificate>

/**
 * A valid path of which no certificate is revoked, as far as the policy asks. Where one is, another path is looked for:
 * an authority that is revoked under one issuer may have been certified by another. `staples` are the OCSP responses that
 * the peer sent along, where it was asked for them.
 *
 * @since 0.1.0
 * @category validation
 */
export const buildPath = (
  policy: RevocationPolicy,
  { staples, ...request }: PathRequest & { readonly staples?: ReadonlyArray<Staple> }
) =>
  policy.mode === "off"
    ? PathValidation.validate(request)
    : Effect.flatMap(CryptoProvider, (crypto) => {
        // However long the path of a peer may be, that of who signs CRLs is another.
        const { maxPathLength: _, nameConstraints: __, ...shared } = request
        const { signatureSchemes, time } = request
        const others = [...request.certificates, ...policy.crlIssuers]
        const refused: CrlContext["refused"] = new Map()
        /** Whose status is being found out: it cannot depend on itself. */
        const pending: Array<Certificate> = []
        /** Whose own CRL is believed about them, since without it nothing is known. */
        const vouching: Array<Certificate> = []
        const isIn = (list: ReadonlyArray<Certificate>, certificate: Certificate): boolean =>
          list.some((other) => Equal.equals(other, certificate))

        const review = (path: Path, effort: PathEffort): Effect.Effect<readonly [number, Problem] | undefined> =>
          Effect.gen(function* () {
            const anchor = path.length - 1
            // From the top: what a revoked authority says about others is worth nothing.
            for (
              let depth = policy.certificates === "leaf" ? Math.min(0, anchor - 1) : anchor - 1;
              depth >= 0;
              depth--
            ) {
              // Only who signs a CRL itself is believed: an authority below it could have been made by a thief of its key.
              if (depth === 0 && isIn(pending, path[0]) && isIn(vouching, path[0])) continue
              const above = path.slice(depth + 1) as [Certificate, ...Array<Certificate>]
              const isPeer = depth === 0 && Equal.equals(path[0], request.certificates[0])
              const status = yield* outcomeOf(path[depth]!, above, effort, { isPeer })
              if (status._tag === "Good" || (status._tag === "Unknown" && policy.mode === "soft-fail")) continue
              return [depth, status.problem] as const
            }
            return undefined
          })

        /** By all there is: what is at hand first, and of that the worst word counts. */
        const outcomeOf = Effect.fnUntraced(function* (
          certificate: Certificate,
          above: Path,
          effort: PathEffort,
          { isPeer }: { readonly isPeer: boolean }
        ): Effect.fn.Return<Outcome> {
          const ocsp: OcspContext = {
            crypto,
            signatureSchemes,
            sha1Responses: policy.sha1Responses,
            time,
            skew: policy.skew,
            limits: request.limits,
            effort,
            nonce: undefined,
            checkResponder: (responder) =>
              Effect.map(statusOf(responder, above, effort, policy.lists), (status) =>
                status._tag === "Revoked" || status._tag === "Exhausted" ? status.problem : undefined
              )
          }
          const byCrl = yield* statusOf(certificate, above, effort, policy.lists)
          if (byCrl._tag === "Revoked" || byCrl._tag === "Exhausted") return byCrl
          const stapled = yield* byStaple(ocsp, certificate, above[0], { isPeer })
          if (stapled._tag !== "Unknown" || byCrl._tag === "Good") {
            return stapled._tag === "Unknown" ? byCrl : stapled
          }
          const byPeer = stapled.problem.reason === "RevocationUnknown" ? [] : [stapled.problem]
          if (policy.fetch === undefined) return unknownBy([...byPeer, byCrl.problem])
          const asked = yield* policy.fetch.ocsp({ certificate, issuer: above[0], crypto }, (response, nonce) =>
            OcspValidation.statusOf({ ...ocsp, nonce }, response, certificate, above[0])
          )
          if (asked !== undefined && asked._tag !== "Unknown") return asked
          const fetched = yield* policy.fetch.crls(certificate, (lists) =>
            statusOf(certificate, above, effort, CrlScope.makeSet([...policy.crls, ...lists]))
          )
          if (fetched !== undefined && fetched._tag !== "Unknown") return fetched
          const byFetch = [asked, fetched].flatMap((status) => (status === undefined ? [] : [status.problem]))
          return unknownBy(byFetch.length > 0 ? [...byFetch, ...byPeer] : [...byPeer, byCrl.problem])
        })

        /** Why nobody can tell: by what came closest to an answer, or by all that gave none. */
        const unknownBy = (problems: ReadonlyArray<Problem>): Outcome => ({
          _tag: "Unknown",
          problem: problems.find(({ reason }) => reason !== "RevocationUnknown") ?? {
            reason: "RevocationUnknown",
            detail: problems.map(({ detail }) => detail).join("; ")
          }
        })

        const byStaple = Effect.fnUntraced(function* (
          ocsp: OcspContext,
          certificate: Certificate,
          issuer: Certificate,
          { isPeer }: { readonly isPeer: boolean }
        ): Effect.fn.Return<Outcome> {
          const refuse = (problem: Problem): Outcome => ({ _tag: "Refused", problem })
          const none: Problem = { reason: "RevocationUnknown", detail: "no OCSP response was stapled to it" }
          if (!policy.wantsStaple || staples === undefined) return { _tag: "Unknown", problem: none }
          const isDemanded = isPeer && (policy.staple === "require" || mustStaple(certificate))
          const staple = staples.find((sent) => Equal.equals(sent.certificate, certificate))
          if (staple === undefined) {
            const detail = "no OCSP response was stapled to it, which it, or the policy, demands"
            return isDemanded ? refuse({ reason: "StapleMissing", detail }) : { _tag: "Unknown", problem: none }
          }
          const { ocspResponse = Limits.defaults.ocspResponse } = request.limits
          const response = OcspResponses.decode(staple.response, { limits: { ocspResponse } })
          if (Either.isLeft(response)) {
            const detail = `the OCSP response stapled to it cannot be read: ${response.left.message}`
            return refuse({ reason: "OcspUnusable", detail })
          }
          const { status } = yield* OcspValidation.statusOf(ocsp, response.right, certificate, issuer)
          // RFC 6066 §8: who sends a response that is none is refused. One that is late is no worse than none.
          return status._tag === "Unknown" && (isDemanded || OcspValidation.isUnacceptable(status.problem))
            ? refuse(status.problem)
            : status
        })

        const statusOf = (
          certificate: Certificate,
          above: ReadonlyArray<Certificate>,
          effort: PathEffort,
          lists: ListSet
        ): Effect.Effect<RevocationStatus> =>
          Effect.suspend(() => {
            if (isIn(pending, certificate)) {
              const detail = "its status is told by itself alone"
              return Effect.succeed({ _tag: "Unknown", problem: { reason: "RevocationUnknown", detail } } as const)
            }
            pending.push(certificate)
            const context: CrlContext = {
              crypto,
              lists,
              signatureSchemes,
              time,
              conformance: request.conformance ?? "practice",
              effort,
              others,
              checkIssuer: (issuer) => checkIssuer(issuer, above.at(-1)!, effort),
              verified: policy.verified,
              refused
            }
            const status = CrlValidation.statusOf(context, certificate, above)
            const vouched = Effect.suspend(() => {
              vouching.push(certificate)
              return Effect.tap(status, () => Effect.sync(() => vouching.pop()))
            })
            return Effect.flatMap(status, (found) =>
              found._tag === "Unknown" && policy.selfVouching ? vouched : Effect.succeed(found)
            ).pipe(Effect.tap(() => Effect.sync(() => pending.pop())))
          })

        // RFC 5280 §6.3.3 (f): its path has to end at the same anchor.
        const checkIssuer = (issuer: Certificate, anchor: Certificate, effort: PathEffort) =>
          PathValidation.build({
            ...shared,
            role: "crlIssuer",
            certificates: [issuer, ...others],
            anchors: TrustStores.fromCertificates([anchor]),
            keyUsage: ["cRLSign"],
            // What the leaf is to be good for is not asked of who signs CRLs.
            purposes: [],
            policies: {},
            isCommonNameHost: false,
            effort,
            ...(policy.certificates === "leaf" ? {} : { review })
          }).pipe(
            Effect.match({
              onFailure: ({ message, reason }): Problem => ({ reason, detail: message }),
              onSuccess: () => undefined
            }),
            Effect.provideService(CryptoProvider, crypto)
          )

        return PathValidation.validate({ ...request, review })
      })
