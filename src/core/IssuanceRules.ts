/**
 * What an issuer does not put its name to, because no verifier would accept it: judged by what the certificate says
 * before it is signed.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type { Certificate } from "../schema/Certificate.ts"
import { name, oids } from "../schema/ObjectIdentifier.ts"
import type { TlsConfigError } from "../schema/TlsError.ts"
import { invalid } from "./BuilderOptions.ts"
import * as NameConstraints from "./NameConstraints.ts"

/**
 * A certificate that is about to be signed. `authorities` are those above it, its issuer first; none when it signs
 * itself.
 *
 * @since 0.1.0
 * @category models
 */
export interface Draft {
  readonly kind: "leaf" | "authority"
  readonly certificate: Certificate
  readonly authorities: ReadonlyArray<Certificate>
}

type Rule = (draft: Draft) => TlsConfigError | undefined

const issuerIsAuthority: Rule = ({ authorities: [issuer] }) => {
  if (issuer === undefined) return undefined
  if (!issuer.isCa) return invalid("ca", `"${issuer.label}" is not a certification authority`)
  return issuer.keyUsage?.has("keyCertSign") === false
    ? invalid("ca", `the key usage of "${issuer.label}" does not include issuing certificates (keyCertSign)`)
    : undefined
}

const isWhatItWasToBe: Rule = ({ certificate, kind }) => {
  const signs = certificate.keyUsage?.has("keyCertSign") ?? false
  if (kind === "leaf") {
    return certificate.isCa || signs
      ? invalid("extensions", "a leaf does not sign certificates: an authority is what does")
      : undefined
  }
  if (!certificate.isCa || !signs) {
    return invalid("extensions", "an authority signs certificates: basicConstraints and keyUsage have to say so")
  }
  return certificate.subject.isEmpty
    ? invalid("subject", "an authority has a name, which the certificates that it issues carry (RFC 5280 §4.1.2.6)")
    : undefined
}

const issuerHasName: Rule = ({ certificate }) =>
  certificate.issuer.isEmpty
    ? invalid("subject", "a certificate that signs itself has a name, since its issuer has one (RFC 5280 §4.1.2.4)")
    : undefined

/** How many intermediates there are below each authority, without the new certificate; self-issued ones do not count. */
const pathLengths: Rule = ({ authorities, certificate, kind }) => {
  let below = kind === "authority" && !certificate.isSelfIssued ? 1 : 0
  for (const authority of authorities) {
    const most = authority.basicConstraints?.pathLength
    if (most !== undefined && below > most) {
      const message = `"${authority.label}" allows ${most} authorities below it, and this one would be number ${below}`
      return invalid("ca", message)
    }
    const own = certificate.basicConstraints?.pathLength
    if (kind === "authority" && most !== undefined && own !== undefined && own + below > most) {
      const message = `"${authority.label}" allows ${most} authorities below it: at most ${most - below} can follow this one`
      return invalid("pathLength", message)
    }
    if (!authority.isSelfIssued) below++
  }
  return undefined
}

const nameConstraints: Rule = ({ authorities, certificate, kind }) => {
  const own = certificate.nameConstraints
  const problem = own === undefined ? undefined : NameConstraints.problem(own)
  if (problem !== undefined) return invalid("nameConstraints", problem)
  // They do not hold for intermediates that are self-issued (RFC 5280 §4.2.1.10).
  if (kind === "authority" && certificate.isSelfIssued) return undefined
  // As OpenSSL has it: a common name with a dot may be taken for a host where there are no other names.
  const isCommonNameHost = kind === "leaf" && certificate.subject.commonName?.includes(".") === true
  const effort = { comparisons: Number.POSITIVE_INFINITY }
  for (const authority of authorities) {
    const constraints = authority.nameConstraints
    if (constraints === undefined) continue
    const violation = NameConstraints.check(constraints, [certificate], effort, isCommonNameHost)
    if (violation?._tag === "Violation") {
      return invalid("names", `${violation.detail}: the name constraints of "${authority.label}" say so`)
    }
  }
  return undefined
}

const purposes: Rule = ({ authorities, certificate, kind }) => {
  if (kind === "authority") return undefined
  for (const authority of authorities) {
    const allowed = authority.extendedKeyUsage
    if (allowed === undefined || allowed.includes(oids.anyExtendedKeyUsage)) continue
    const missing = certificate.extendedKeyUsage?.find((purpose) => !allowed.includes(purpose))
    if (missing !== undefined) {
      return invalid(
        "purposes",
        `"${authority.label}" issues for ${allowed.map(name).join(", ")}, not ${name(missing)}`
      )
    }
  }
  return undefined
}

const rules: ReadonlyArray<Rule> = [
  issuerIsAuthority,
  isWhatItWasToBe,
  issuerHasName,
  pathLengths,
  nameConstraints,
  purposes
]

/**
 * Whether a certificate can be issued; else the option that is wrong, and why.
 *
 * @since 0.1.0
 * @category validation
 */
export const check = (draft: Draft): Either.Either<void, TlsConfigError> => {
  for (const rule of rules) {
    const error = rule(draft)
    if (error !== undefined) return Either.left(error)
  }
  return Either.void
}
