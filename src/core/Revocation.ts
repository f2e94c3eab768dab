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
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import type { Certificate } from "../schema/Certificate.ts"
import type { CertificateRevocationList } from "../schema/CertificateRevocationList.ts"
import type { PublicKey } from "../schema/PublicKey.ts"
import type { Problem } from "./CertificateRules.ts"
import type { ListSet } from "./CrlScope.ts"
import * as CrlScope from "./CrlScope.ts"
import type { CrlContext, RevocationStatus } from "./CrlValidation.ts"
import * as CrlValidation from "./CrlValidation.ts"
import { CryptoProvider } from "./CryptoProvider.ts"
import type { PathEffort, PathRequest } from "./PathValidation.ts"
import * as PathValidation from "./PathValidation.ts"
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
 * @since 0.1.0
 * @category models
 */
export interface RevocationOptions {
  /** `hard-fail` unless told. */
  readonly mode?: RevocationMode
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
export const make = (options: RevocationOptions): RevocationPolicy => ({
  mode: options.mode ?? "hard-fail",
  lists: CrlScope.makeSet(options.crls ?? []),
  crlIssuers: [...(options.crlIssuers ?? [])],
  certificates: options.certificates ?? "all",
  selfVouching: options.selfVouching ?? false,
  verified: new WeakMap()
})

type Path = NonEmptyReadonlyArray<Certificate>

/**
 * A valid path of which no certificate is revoked, as far as the policy asks. Where one is, another path is looked for:
 * an authority that is revoked under one issuer may have been certified by another.
 *
 * @since 0.1.0
 * @category validation
 */
export const buildPath = (policy: RevocationPolicy, request: PathRequest) =>
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
              const status = yield* statusOf(path[depth]!, path.slice(depth + 1), effort)
              if (status._tag === "Good" || (status._tag === "Unknown" && policy.mode === "soft-fail")) continue
              return [depth, status.problem] as const
            }
            return undefined
          })

        const statusOf = (
          certificate: Certificate,
          above: ReadonlyArray<Certificate>,
          effort: PathEffort
        ): Effect.Effect<RevocationStatus> =>
          Effect.suspend(() => {
            if (isIn(pending, certificate)) {
              const detail = "its status is told by itself alone"
              return Effect.succeed({ _tag: "Unknown", problem: { reason: "RevocationUnknown", detail } } as const)
            }
            pending.push(certificate)
            const context: CrlContext = {
              crypto,
              lists: policy.lists,
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
