/**
 * Whoever gets OCSP responses and CRLs that are not at hand, as a policy of revocation uses one. `HttpRevocation` makes one
 * of an `HttpClient`.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { Certificate } from "../schema/Certificate.ts"
import type { CertificateRevocationList } from "../schema/CertificateRevocationList.ts"
import type { OcspResponse } from "../schema/OcspResponse.ts"
import type { RevocationStatus } from "./CrlValidation.ts"
import type { CryptoProviderService } from "./CryptoProvider.ts"
import type { OcspVerdict } from "./OcspValidation.ts"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: unique symbol = Symbol.for("effect-tls/RevocationFetcher")

/**
 * Whose status is asked for.
 *
 * @since 0.1.0
 * @category models
 */
export interface OcspQuery {
  readonly certificate: Certificate
  readonly issuer: Certificate
  readonly crypto: CryptoProviderService
}

/**
 * What was fetched is given to a judge, since anybody on the way may have sent it. What the judge believes is remembered
 * until its next update; what it does not, and failures, are for `negativeTtl`. Neither effect fails: what went wrong
 * stands in the status. There is none where the certificate says of no place to ask.
 *
 * @since 0.1.0
 * @category models
 */
export interface RevocationFetcher {
  readonly [TypeId]: typeof TypeId
  readonly ocsp: (
    query: OcspQuery,
    judge: (response: OcspResponse, nonce: Uint8Array | undefined) => Effect.Effect<OcspVerdict>
  ) => Effect.Effect<RevocationStatus | undefined>
  readonly crls: (
    certificate: Certificate,
    judge: (lists: ReadonlyArray<CertificateRevocationList>) => Effect.Effect<RevocationStatus>
  ) => Effect.Effect<RevocationStatus | undefined>
}

/**
 * @since 0.1.0
 * @category guards
 */
export const isRevocationFetcher = (u: unknown): u is RevocationFetcher =>
  typeof u === "object" && u !== null && TypeId in u
