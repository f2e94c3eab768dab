/**
 * How to check for revocation, as options of a SecureContext: CRLs in any form.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { CertificateRevocationList, DecodeOptions } from "../schema/CertificateRevocationList.ts"
import * as CertificateRevocationLists from "../schema/CertificateRevocationList.ts"
import { TlsConfigError } from "../schema/TlsError.ts"
import * as IdentityLoading from "./IdentityLoading.ts"
import type { CertificatesInput } from "./IdentityOptions.ts"
import { isCertificatesInput } from "./IdentityOptions.ts"
import { declared, instead, said } from "./OptionSchema.ts"
import { DurationInput } from "./BuilderOptions.ts"
import type { RevocationOptions } from "./Revocation.ts"
import type { RevocationFetcher } from "./RevocationFetcher.ts"
import { isRevocationFetcher } from "./RevocationFetcher.ts"

type CrlInput = string | Uint8Array | CertificateRevocationList

/**
 * CRLs: PEM text with one or several, the bytes of a PEM or DER file, or decoded ones.
 *
 * @since 0.1.0
 * @category models
 */
export type CrlsInput = CrlInput | ReadonlyArray<CrlInput>

const isCrlsInput = (u: unknown): u is CrlsInput => {
  const isOne = (item: unknown): boolean =>
    (typeof item === "string" && item.length > 0) ||
    item instanceof Uint8Array ||
    CertificateRevocationLists.isCertificateRevocationList(item)
  return isOne(u) || (Array.isArray(u) && u.length > 0 && u.every(isOne))
}

/**
 * As `RevocationOptions` of `Revocation`, with CRLs and certificates in any form. Node: `crl`, which is `hard-fail`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const RevocationInput = Schema.Struct({
  /** What becomes of a certificate of which nobody can tell whether it is revoked; `hard-fail` unless told. */
  mode: said(Schema.Literal("hard-fail", "soft-fail", "off")),
  /** What becomes of OCSP responses that a server sends along; `use` unless told. */
  staple: said(Schema.Literal("use", "require", "ignore")),
  /** Gets what is not at hand; unless told, nothing is fetched. */
  fetch: said(declared<RevocationFetcher>("a RevocationFetcher", isRevocationFetcher)),
  /** Whether OCSP responses may be signed over SHA-1, as old responders do; they may not unless told. */
  sha1Responses: said(Schema.Boolean),
  /** How far the clocks of OCSP responders may be from ours; five minutes unless told. */
  skew: said(DurationInput),
  crls: said(
    declared<CrlsInput>(
      "revocation lists: PEM text, the bytes of a PEM or DER file, CertificateRevocationLists, or a list of these",
      isCrlsInput
    )
  ),
  /** Certificates of CRL issuers that peers do not send. */
  crlIssuers: said(
    declared<CertificatesInput>(
      "certificates: PEM text, the bytes of a PEM or DER file, Certificates, or a list of these",
      isCertificatesInput
    )
  ),
  /** Every certificate below the anchor, unless told that the peer's own is enough. */
  certificates: said(Schema.Literal("all", "leaf"))
}).annotations({
  parseOptions: { errors: "all", onExcessProperty: "error" },
  ...instead(
    "how to check for revocation: { mode, staple, fetch, sha1Responses, skew, crls, crlIssuers, certificates }"
  )
})

/**
 * @since 0.1.0
 * @category models
 */
export interface RevocationInput extends Schema.Schema.Type<typeof RevocationInput> {}

/**
 * Options with their CRLs and certificates decoded. `path` is where they stand, for errors.
 *
 * @since 0.1.0
 * @category loading
 */
export const load = (
  { crlIssuers, crls, ...others }: RevocationInput,
  path: string,
  options: DecodeOptions
): Either.Either<RevocationOptions, TlsConfigError> =>
  Either.gen(function* () {
    const decoded: Array<CertificateRevocationList> = []
    const inputs = Array.isArray(crls)
      ? (crls as ReadonlyArray<CrlInput>)
      : crls === undefined
        ? []
        : [crls as CrlInput]
    for (const [i, input] of inputs.entries()) {
      decoded.push(...(yield* readCrls(input, Array.isArray(crls) ? `${path}.crls[${i}]` : `${path}.crls`, options)))
    }
    return {
      ...others,
      crls: decoded,
      ...(crlIssuers === undefined
        ? {}
        : { crlIssuers: yield* IdentityLoading.readCertificates(crlIssuers, `${path}.crlIssuers`) })
    }
  })

const readCrls = (
  input: CrlInput,
  path: string,
  options: DecodeOptions
): Either.Either<ReadonlyArray<CertificateRevocationList>, TlsConfigError> => {
  if (CertificateRevocationLists.isCertificateRevocationList(input)) return Either.right([input])
  const read =
    typeof input === "string"
      ? CertificateRevocationLists.fromPem(input, options)
      : CertificateRevocationLists.fromBytes(input, options)
  return Either.mapLeft(read, ({ problem }) => TlsConfigError.of("InvalidOptions", path, problem))
}
