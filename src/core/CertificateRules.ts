/**
 * The rules one certificate has to obey at its place in a path (RFC 5280 §6.1), but for those about names and
 * signatures.
 *
 * @since 0.1.0
 */
import type { SignatureAlgorithm } from "../schema/Algorithms.ts"
import * as Bytes from "../schema/Bytes.ts"
import type { Certificate } from "../schema/Certificate.ts"
import type { KeyUsage } from "../schema/CertificateExtension.ts"
import * as ObjectIdentifier from "../schema/ObjectIdentifier.ts"
import type { PublicKey } from "../schema/PublicKey.ts"
import * as PublicKeys from "../schema/PublicKey.ts"
import type { SignatureScheme } from "../schema/SignatureScheme.ts"
import * as SignatureSchemes from "../schema/SignatureScheme.ts"
import type { CertificateReason } from "../schema/TlsError.ts"
import * as NameConstraints from "./NameConstraints.ts"

const { oids } = ObjectIdentifier

/**
 * Why a certificate cannot stand where it stands.
 *
 * @since 0.1.0
 * @category models
 */
export interface Problem {
  readonly reason: CertificateReason
  readonly detail: string
}

/**
 * How closely certificates have to keep to the profiles they are issued under. `practice` asks for all that decides
 * whom to believe and lets pass what issuers get wrong without harm, as browsers, Go and OpenSSL do; `rfc5280` asks for
 * every MUST of the profile (§4); `webpki` also for those of the CA/Browser Forum. What roots in use violate (Mozilla's
 * list has roots without a key identifier) is asked for by the latter two only. `algorithm` is RFC 5280's path validation
 * (§6) and nothing else: neither the profile, nor what every implementation adds, that an authority is no leaf and that
 * its extended key usage binds those below.
 *
 * @since 0.1.0
 * @category models
 */
export type Conformance = "algorithm" | "practice" | "rfc5280" | "webpki"

/**
 * @since 0.1.0
 * @category models
 */
export interface RuleOptions {
  /** What the leaf is used as: a peer in TLS, or whoever signed a CRL, for which there is no extended key usage. */
  readonly role: "server" | "client" | "crlIssuer"
  /** Milliseconds since 1970. */
  readonly time: number
  readonly conformance: Conformance
  /** What a leaf's key may be for: one of these is enough, and where there are none, anything will do. */
  readonly keyUsage: ReadonlyArray<KeyUsage>
  /** What the leaf's extended key usage, where it has one, has to contain, each of them. */
  readonly purposes: ReadonlyArray<ObjectIdentifier.ObjectIdentifier>
  readonly rsaModulusMin: number
  readonly rsaModulusMax: number
}

/**
 * Where a certificate stands. A leaf may be an anchor itself.
 *
 * @since 0.1.0
 * @category models
 */
export interface Place {
  readonly position: "leaf" | "authority"
  readonly isAnchor: boolean
}

type Rule = (certificate: Certificate, options: RuleOptions, place: Place) => Problem | undefined

const inTime: Rule = (certificate, { time }) => {
  if (certificate.isValidAt(time)) return undefined
  return time < certificate.notBefore.getTime()
    ? { reason: "NotYetValid", detail: `it is valid from ${certificate.notBefore.toISOString()} on` }
    : { reason: "Expired", detail: `it expired at ${certificate.notAfter.toISOString()}` }
}

/**
 * What is wrong with a key, by its kind and size.
 *
 * @since 0.1.0
 * @category rules
 */
export const weakKey = (
  key: PublicKey,
  { rsaModulusMax, rsaModulusMin }: Pick<RuleOptions, "rsaModulusMax" | "rsaModulusMin">
): Problem | undefined => {
  const weak = (detail: string): Problem => ({ reason: "WeakKey", detail })
  if (key._tag === "Unsupported") return weak(`its key is ${key.algorithm}`)
  if (key._tag !== "Rsa" && key._tag !== "RsaPss") return undefined
  const bits = PublicKeys.modulusBits(key)
  if (bits < rsaModulusMin) return weak(`its RSA key has ${bits} bits, at least ${rsaModulusMin} are needed`)
  if (bits > rsaModulusMax) return weak(`its RSA key has ${bits} bits, at most ${rsaModulusMax} are accepted`)
  if (bits % 8 !== 0) return weak(`its RSA key has ${bits} bits, which is not a multiple of 8`)
  const { exponent } = key
  const last = exponent[exponent.length - 1]!
  // A larger exponent than 64 bits has no use but to keep the verifier busy.
  if (exponent.length > 8 || last % 2 === 0 || (exponent.length === 1 && last === 1)) {
    return weak("its RSA key has an exponent that is even, 1, or longer than 64 bits")
  }
  return undefined
}

const strongKey: Rule = ({ publicKey }, options) => weakKey(publicKey, options)

// Critical, these are understood: obeyed here, in NameConstraints, in CertificatePolicies or in PathValidation. Where CRLs
// are to be had is of use to whoever checks them, and asks nothing of others. Key identifiers and access information are
// not among them: RFC 5280 says of each that it must not be critical.
const understood: ReadonlySet<string> = new Set<string>([
  oids.basicConstraints,
  oids.keyUsage,
  oids.extendedKeyUsage,
  oids.subjectAltName,
  oids.nameConstraints,
  oids.certificatePolicies,
  oids.policyMappings,
  oids.policyConstraints,
  oids.inhibitAnyPolicy,
  oids.cRLDistributionPoints
])

const understoodExtensions: Rule = (certificate) => {
  for (const extension of certificate.extensions) {
    if (extension.critical && !understood.has(extension.oid)) {
      return {
        reason: "CriticalExtension",
        detail: `its extension ${ObjectIdentifier.name(extension.oid)} is critical and not understood`
      }
    }
  }
  return undefined
}

/**
 * What a role asks of an extended key usage.
 *
 * @since 0.1.0
 * @category rules
 */
export const purposesOf = (role: RuleOptions["role"]): RuleOptions["purposes"] => {
  switch (role) {
    case "server":
      return [oids.serverAuth]
    case "client":
      return [oids.clientAuth]
    case "crlIssuer":
      return []
  }
}

// For an authority the list says what it may issue for: not in RFC 5280, but what every implementation does.
const purpose: Rule = ({ extendedKeyUsage: allowed }, { conformance, purposes }, { position }) => {
  if (allowed === undefined || allowed.includes(oids.anyExtendedKeyUsage)) return undefined
  if (position === "authority" && conformance === "algorithm") return undefined
  const missing = purposes.find((wanted) => !allowed.includes(wanted))
  return missing === undefined
    ? undefined
    : {
        reason: "ExtendedKeyUsage",
        detail: `its extended key usage is ${allowed.map(ObjectIdentifier.name).join(", ")}, not ${ObjectIdentifier.name(missing)}`
      }
}

const leafUsage: Rule = ({ keyUsage }, { keyUsage: wanted }) =>
  keyUsage === undefined || wanted.length === 0 || wanted.some((usage) => keyUsage.has(usage))
    ? undefined
    : {
        reason: "KeyUsage",
        detail: `its key usage is ${[...keyUsage].join(", ") || "nothing"}, not ${wanted.join(" or ")}`
      }

const leafIsNoAuthority: Rule = ({ basicConstraints, keyUsage }, { conformance, role }, { isAnchor }) =>
  // RFC 5280 has nothing against an authority that identifies itself. One that was trusted by hand is its own affair.
  isAnchor ||
  conformance === "rfc5280" ||
  conformance === "algorithm" ||
  role === "crlIssuer" ||
  !(basicConstraints?.ca === true || keyUsage?.has("keyCertSign") === true)
    ? undefined
    : { reason: "CaAsLeaf", detail: "it is a certification authority's" }

const isAuthority: Rule = (certificate, _, { isAnchor }) => {
  const { basicConstraints, version } = certificate
  // A root from before version 3 could not say what it is; that it is trusted says it (RFC 5280 §6.1.4 (k)).
  if (basicConstraints === undefined && version !== 3 && isAnchor) return undefined
  return basicConstraints?.ca === true ? undefined : { reason: "NotACa", detail: "it is not a certification authority" }
}

const authorityUsage: Rule = ({ keyUsage }) =>
  keyUsage === undefined || keyUsage.has("keyCertSign")
    ? undefined
    : { reason: "KeyUsage", detail: "its key usage does not include issuing certificates (keyCertSign)" }

const nonconforming = (detail: string): Problem => ({ reason: "Nonconforming", detail })

/** The MUSTs of RFC 5280 §4 that no other rule needs. */
const conforms: Rule = (certificate, { conformance }, { isAnchor, position }) => {
  if (certificate.issuer.isEmpty) return nonconforming("its issuer has no name (RFC 5280 §4.1.2.4)")
  if (position === "authority" && certificate.subject.isEmpty) {
    return nonconforming("it is an authority without a name (RFC 5280 §4.1.2.6)")
  }
  if (conformance === "practice" || conformance === "algorithm") return undefined

  const selfSigned = isAnchor && certificate.isSelfIssued
  const { authorityKeyIdentifier, basicConstraints, keyUsage, serial } = certificate
  const isCa = basicConstraints?.ca === true
  if (certificate.version !== 3) return nonconforming("it is not of version 3")
  if (serial.length > 20 || serial[0]! >= 0x80 || serial.every((byte) => byte === 0)) {
    return nonconforming("its serial number is zero, negative or longer than 20 bytes (RFC 5280 §4.1.2.2)")
  }
  // The dates of a root are a matter of policy: one of Mozilla's list has 2011 as a GeneralizedTime.
  if (!certificate.datesInForm && !selfSigned) {
    return nonconforming("its dates to 2049 are not written as UTCTime (RFC 5280 §4.1.2.5)")
  }
  if (keyUsage?.size === 0) return nonconforming("it has a key usage of nothing (RFC 5280 §4.2.1.3)")
  if (!isCa && keyUsage?.has("keyCertSign") === true) {
    return nonconforming("its key may issue certificates, and it is no authority (RFC 5280 §4.2.1.3)")
  }
  if (isCa && certificate.extension("BasicConstraints")?.critical === false) {
    return nonconforming("its basic constraints are not critical (RFC 5280 §4.2.1.9)")
  }
  if (!isCa && basicConstraints?.pathLength !== undefined) {
    return nonconforming("it has a path length without being an authority (RFC 5280 §4.2.1.9)")
  }
  if (certificate.nameConstraints !== undefined) {
    if (!isCa) return nonconforming("it has name constraints without being an authority (RFC 5280 §4.2.1.10)")
    const ill = NameConstraints.problem(certificate.nameConstraints)
    if (ill !== undefined) return nonconforming(ill)
    // The Baseline Requirements allow it (7.1.2.10.8).
    if (conformance === "rfc5280" && certificate.extension("NameConstraints")?.critical === false) {
      return nonconforming("its name constraints are not critical (RFC 5280 §4.2.1.10)")
    }
  }
  if (certificate.extension("PolicyConstraints")?.critical === false) {
    return nonconforming("its policy constraints are not critical (RFC 5280 §4.2.1.11)")
  }
  if (certificate.extension("InhibitAnyPolicy")?.critical === false) {
    return nonconforming("its inhibiting of any policy is not critical (RFC 5280 §4.2.1.14)")
  }
  if (isCa && certificate.subjectKeyIdentifier === undefined) {
    return nonconforming("it is an authority without a subject key identifier (RFC 5280 §4.2.1.2)")
  }
  if (authorityKeyIdentifier?.keyIdentifier === undefined && !selfSigned) {
    return nonconforming("it has no authority key identifier (RFC 5280 §4.2.1.1)")
  }
  const names = certificate.extension("SubjectAltName")
  if (certificate.subject.isEmpty && names?.critical !== true) {
    return nonconforming("it has no subject, and its names are not critical (RFC 5280 §4.2.1.6)")
  }
  return conformance === "webpki" ? conformsToBaseline(certificate, position, selfSigned) : undefined
}

/** What the CA/Browser Forum's Baseline Requirements add, as far as others can see it. */
const conformsToBaseline = (
  certificate: Certificate,
  position: Place["position"],
  isRoot: boolean
): Problem | undefined => {
  const { authorityKeyIdentifier: identifier, publicKey, signatureAlgorithm, subjectKeyIdentifier } = certificate
  const purposes = certificate.extension("ExtendedKeyUsage")
  const names = certificate.extension("SubjectAltName")
  if (!baselineKeys.has(publicKey._tag)) {
    return nonconforming("its key is neither RSA nor of a NIST curve (BR 7.1.3.1)")
  }
  const algorithm = signatureAlgorithm.algorithm
  const hash = algorithm !== undefined && "hash" in algorithm ? algorithm.hash : undefined
  if (hash === undefined || !baselineHashes.has(hash)) {
    return nonconforming("it is signed by other algorithms than RSA and ECDSA over SHA-2 (BR 7.1.3.2)")
  }
  if (identifier?.issuer !== undefined || identifier?.serialNumber !== undefined) {
    return nonconforming("its authority key identifier has an issuer or serial number (BR 7.1.2.11.1)")
  }
  if (isRoot) {
    if (identifier !== undefined && !sameBytes(identifier.keyIdentifier, subjectKeyIdentifier)) {
      return nonconforming("it is a root whose authority key identifier is not that of its own key (BR 7.1.2.1.3)")
    }
    if (purposes !== undefined) return nonconforming("it is a root with an extended key usage (BR 7.1.2.1.2)")
  }
  if (position === "authority") return undefined
  if (purposes === undefined) return nonconforming("it has no extended key usage (BR 7.1.2.7.6)")
  if (purposes.critical) return nonconforming("its extended key usage is critical (BR 7.1.2.7.6)")
  if (purposes.purposes.includes(oids.anyExtendedKeyUsage)) {
    return nonconforming("its extended key usage includes any (BR 7.1.2.7.10)")
  }
  return names?.critical === true && !certificate.subject.isEmpty
    ? nonconforming("its names are critical, and it has a subject besides (BR 7.1.2.7.12)")
    : undefined
}

const sameBytes = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a !== undefined && b !== undefined && Bytes.equals(a, b)

const baselineKeys: ReadonlySet<PublicKey["_tag"]> = new Set<PublicKey["_tag"]>(["Rsa", "Ec"])
const baselineHashes: ReadonlySet<string> = new Set(["SHA-256", "SHA-384", "SHA-512"])

/** What makes a leaf no good whoever issued it. */
const leafRules: ReadonlyArray<Rule> = [
  inTime,
  conforms,
  strongKey,
  leafIsNoAuthority,
  leafUsage,
  purpose,
  understoodExtensions
]

const authorityRules: ReadonlyArray<Rule> = [
  inTime,
  conforms,
  strongKey,
  isAuthority,
  authorityUsage,
  purpose,
  understoodExtensions
]

/**
 * The first rule a certificate breaks at its place, if any.
 *
 * @since 0.1.0
 * @category rules
 */
export const check = (certificate: Certificate, options: RuleOptions, place: Place): Problem | undefined => {
  for (const rule of place.position === "leaf" ? leafRules : authorityRules) {
    const problem = rule(certificate, options, place)
    if (problem !== undefined) return problem
  }
  return undefined
}

// ---------------------------------------------------------------------------------------------------------------------
// Signatures
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The algorithm to verify a certificate's signature with, or why none will do. `accepted` are the schemes of
 * `signature_algorithms_cert`; in a certificate they say nothing about the curve, nor about the length of PSS salt.
 *
 * @since 0.1.0
 * @category rules
 */
export const acceptedAlgorithm = (
  certificate: Pick<Certificate, "signatureAlgorithm">,
  accepted: ReadonlyArray<SignatureScheme>
): SignatureAlgorithm | Problem => {
  const { algorithm, oid } = certificate.signatureAlgorithm
  if (algorithm === undefined) {
    return { reason: "WeakSignature", detail: `it is signed with ${ObjectIdentifier.name(oid)}, which is not accepted` }
  }
  const hash = "hash" in algorithm ? algorithm.hash : undefined
  const isAccepted = accepted.some((code) => {
    const scheme = SignatureSchemes.info(code)?.algorithm
    return scheme?._tag === algorithm._tag && (!("hash" in scheme) || scheme.hash === hash)
  })
  if (isAccepted) return algorithm
  const name = hash === undefined ? algorithm._tag : `${algorithm._tag} over ${hash}`
  return { reason: "WeakSignature", detail: `it is signed with ${name}, which is not accepted` }
}

/**
 * How well an authority fits by key identifiers: 0 they are the same, 1 there is none to compare, 2 they differ. Only a
 * hint in which order to try (RFC 5280 §4.2.1.1): the signature decides.
 *
 * @since 0.1.0
 * @category rules
 */
export const keyIdentifierRank = (
  child: Pick<Certificate, "authorityKeyIdentifier">,
  authority: Certificate
): 0 | 1 | 2 => {
  const wanted = child.authorityKeyIdentifier?.keyIdentifier
  const found = authority.subjectKeyIdentifier
  if (wanted === undefined || found === undefined) return 1
  return Bytes.equals(wanted, found) ? 0 : 2
}
