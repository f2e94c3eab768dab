/**
 * Name constraints (RFC 5280 §4.2.1.10): whether a certificate has only names that an authority above it may issue for.
 * A name or a constraint that is not well-formed, or of a form we cannot compare, never passes.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type { Certificate } from "../schema/Certificate.ts"
import type { NameConstraints } from "../schema/CertificateExtension.ts"
import * as Der from "../schema/Der.ts"
import type { DistinguishedName } from "../schema/DistinguishedName.ts"
import { rdnKey } from "../schema/DistinguishedName.ts"
import * as GeneralName from "../schema/GeneralName.ts"
import { oids } from "../schema/ObjectIdentifier.ts"
import { isDnsName } from "../schema/ServerName.ts"

/**
 * How many comparisons are left: a certificate of 100 kB with thousands of names under thousands of constraints would
 * otherwise cost minutes.
 *
 * @since 0.1.0
 * @category models
 */
export interface Effort {
  comparisons: number
}

/**
 * What is wrong, for people, with the certificate at an index; or that the effort did not suffice to find out.
 *
 * @since 0.1.0
 * @category models
 */
export type Violation =
  { readonly _tag: "Violation"; readonly index: number; readonly detail: string } | { readonly _tag: "Exhausted" }

/** How a name of one form lies to a constraint of it. `undefined` is for what cannot be compared. */
type Verdict = "inside" | "outside" | "overlaps" | undefined

/** A name made ready to be compared many times; `undefined` when it is not well-formed. */
type Prepared =
  | { readonly _tag: "DnsName"; readonly host: string; readonly wildcard: boolean }
  | { readonly _tag: "Rfc822Name"; readonly local: string; readonly host: string }
  | { readonly _tag: "Uri"; readonly host: string }
  | { readonly _tag: "IpAddress"; readonly bytes: Uint8Array }
  | { readonly _tag: "DirectoryName"; readonly rdns: ReadonlyArray<string> }
type PreparedAs<T extends Prepared["_tag"]> = Extract<Prepared, { readonly _tag: T }>

/** A constraint made ready; `undefined` when it is not well-formed or of a form that cannot be compared. */
type Compare = (name: Prepared) => Verdict

const isUnder = (name: string, base: string): boolean =>
  name === base || (name.length > base.length && name.endsWith(base) && name[name.length - base.length - 1] === ".")

// ---------------------------------------------------------------------------------------------------------------------
// Names
// ---------------------------------------------------------------------------------------------------------------------

const splitMailbox = (mailbox: string): PreparedAs<"Rfc822Name"> | undefined => {
  const at = mailbox.lastIndexOf("@")
  const raw = mailbox.slice(0, at)
  const host = mailbox.slice(at + 1).toLowerCase()
  if (at < 0 || !isDnsName(host)) return undefined
  // RFC 5321 §4.1.2: dot-atom, or a quoted string, whose quotes are not part of what is meant.
  // RFC 6531 §3.3 adds what is beyond ASCII.
  if (/^[\w!#$%&'*+/=?^`{|}~\u0080-\u{10ffff}-]+(?:\.[\w!#$%&'*+/=?^`{|}~\u0080-\u{10ffff}-]+)*$/u.test(raw))
    return { _tag: "Rfc822Name", local: raw, host }
  if (!/^"(?:[^"\\]|\\.)*"$/.test(raw)) return undefined
  return { _tag: "Rfc822Name", local: raw.slice(1, -1).replace(/\\(.)/g, "$1"), host }
}

const prepare = (name: GeneralName.GeneralName): Prepared | undefined => {
  switch (name._tag) {
    case "DnsName": {
      const lower = name.value.toLowerCase()
      const wildcard = lower.startsWith("*.")
      const host = wildcard ? lower.slice(2) : lower
      return isDnsName(host) ? { _tag: "DnsName", host, wildcard } : undefined
    }
    case "Rfc822Name":
      return splitMailbox(name.value)
    case "Uri": {
      // RFC 3986 §3.2. Without a host, or with an address for one, a URI cannot be under a constraint.
      const authority = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?#]*)/.exec(name.value)?.[1]
      const host = authority
        ?.slice(authority.lastIndexOf("@") + 1)
        .replace(/:\d*$/, "")
        .toLowerCase()
      return host !== undefined && isDnsName(host) ? { _tag: "Uri", host } : undefined
    }
    case "IpAddress":
      return { _tag: "IpAddress", bytes: name.bytes }
    case "DirectoryName":
      return { _tag: "DirectoryName", rdns: name.name.rdns.map(rdnKey) }
    case "OtherName":
    case "X400Address":
    case "EdiPartyName":
    case "RegisteredId":
      return undefined
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Constraints
// ---------------------------------------------------------------------------------------------------------------------

const anything: Compare = () => "inside"

const domain = (constraint: string): { readonly base: string; readonly below: boolean } | undefined => {
  const below = constraint.startsWith(".")
  const base = (below ? constraint.slice(1) : constraint).toLowerCase()
  return isDnsName(base) ? { base, below } : undefined
}

const compareDns = (constraint: string): Compare | undefined => {
  if (constraint === "") return anything
  // A leading dot is for URIs; where a CA wrote one here, it meant the names below.
  const wanted = domain(constraint)
  if (wanted === undefined) return undefined
  const { base, below } = wanted
  return (name) => {
    const { host, wildcard } = name as PreparedAs<"DnsName">
    if (isUnder(host, base)) return below && !wildcard && host === base ? "outside" : "inside"
    // `*.example.com` is also `a.example.com`: it cannot be said to be outside of a constraint on that name.
    return wildcard && isUnder(base, host) && !base.slice(0, -host.length - 1).includes(".") ? "overlaps" : "outside"
  }
}

/** The host of a mailbox or URI: exactly the constraint, or below it where that begins with a dot. */
const compareHost = (constraint: string): Compare | undefined => {
  if (constraint === "") return anything
  const wanted = domain(constraint)
  if (wanted === undefined) return undefined
  const { base, below } = wanted
  return (name) => {
    const { host } = name as PreparedAs<"Uri">
    return (below ? host !== base && isUnder(host, base) : host === base) ? "inside" : "outside"
  }
}

const compareMailbox = (constraint: string): Compare | undefined => {
  if (!constraint.includes("@")) return compareHost(constraint)
  const wanted = splitMailbox(constraint)
  if (wanted === undefined) return undefined
  return (name) => {
    const { host, local } = name as PreparedAs<"Rfc822Name">
    return host === wanted.host && local === wanted.local ? "inside" : "outside"
  }
}

const compareAddress = (range: Uint8Array): Compare | undefined => {
  const length = range.length / 2
  const mask = range.subarray(length)
  // A mask is ones, then zeros (RFC 4632): what else could it mean?
  const bits = Array.from(mask, (byte) => byte.toString(2).padStart(8, "0")).join("")
  if (!/^1*0*$/.test(bits)) return undefined
  return (name) => {
    const { bytes } = name as PreparedAs<"IpAddress">
    if (bytes.length !== length) return "outside"
    for (let i = 0; i < length; i++) {
      if ((bytes[i]! & mask[i]!) !== (range[i]! & mask[i]!)) return "outside"
    }
    return "inside"
  }
}

const compareDirectory = (base: DistinguishedName): Compare => {
  const wanted = base.rdns.map(rdnKey)
  return (name) => {
    const { rdns } = name as PreparedAs<"DirectoryName">
    return wanted.length <= rdns.length && wanted.every((rdn, i) => rdn === rdns[i]) ? "inside" : "outside"
  }
}

const compile = (constraint: GeneralName.GeneralName): Compare | undefined => {
  switch (constraint._tag) {
    case "DnsName":
      return compareDns(constraint.value)
    case "Rfc822Name":
      return compareMailbox(constraint.value)
    case "Uri":
      return compareHost(constraint.value)
    case "IpAddress":
      return compareAddress(constraint.bytes)
    case "DirectoryName":
      return compareDirectory(constraint.name)
    case "OtherName":
    case "X400Address":
    case "EdiPartyName":
    case "RegisteredId":
      return undefined
  }
}

interface Compiled {
  readonly constraint: GeneralName.GeneralName
  readonly compare: Compare | undefined
}

/** By form, since a name meets only constraints of its own. */
const compileAll = (
  constraints: ReadonlyArray<GeneralName.GeneralName> | undefined
): ReadonlyMap<string, ReadonlyArray<Compiled>> => {
  const byForm = new Map<string, Array<Compiled>>()
  for (const constraint of constraints ?? []) {
    const others = byForm.get(constraint._tag)
    const compiled = { constraint, compare: compile(constraint) }
    if (others === undefined) byForm.set(constraint._tag, [compiled])
    else others.push(compiled)
  }
  return byForm
}

// ---------------------------------------------------------------------------------------------------------------------
// The check
// ---------------------------------------------------------------------------------------------------------------------

const decodeMailbox = Der.decode("SmtpUTF8Mailbox", (reader) =>
  new TextDecoder().decode(reader.content(Der.Tag.Utf8String))
)

/**
 * The names constraints apply to: the subject, those of subjectAltName, and without these the subject's mailboxes, and
 * its common name when that counts as the name of a host.
 */
const constrainedNames = (
  certificate: Certificate,
  isCommonNameHost: boolean
): ReadonlyArray<GeneralName.GeneralName> => {
  const names = [...certificate.subjectAltNames]
  // RFC 9598 §6: a mailbox beyond ASCII hides among the other names, and constraints on mailboxes hold for it.
  for (const name of certificate.subjectAltNames) {
    if (name._tag !== "OtherName" || name.type !== oids.smtpUtf8Mailbox) continue
    // One that is no text is no mailbox, so passes no constraint.
    const value = Either.getOrElse(decodeMailbox(name.value), () => "")
    names.push({ _tag: "Rfc822Name", value })
  }
  if (certificate.extension("SubjectAltName") === undefined) {
    for (const { type, value } of certificate.subject.attributes) {
      if (type === oids.emailAddress) names.push({ _tag: "Rfc822Name", value })
    }
    const { commonName } = certificate.subject
    if (isCommonNameHost && commonName !== undefined && isDnsName(commonName.toLowerCase().replace(/^\*\./, ""))) {
      names.push({ _tag: "DnsName", value: commonName })
    }
  }
  if (!certificate.subject.isEmpty) names.push({ _tag: "DirectoryName", name: certificate.subject })
  return names
}

/**
 * Whether all names of the certificates respect the constraints; `undefined` when they do. Whether constraints apply to
 * a certificate at all (they do not to self-issued intermediates) is for the caller to know, and also whether somebody
 * goes by the common name of the first, the leaf.
 *
 * @since 0.1.0
 * @category validation
 */
export const check = (
  constraints: NameConstraints,
  certificates: ReadonlyArray<Certificate>,
  effort: Effort,
  isCommonNameHost = false
): Violation | undefined => {
  const excluded = compileAll(constraints.excluded)
  const permitted = compileAll(constraints.permitted)
  for (const [index, certificate] of certificates.entries()) {
    for (const name of constrainedNames(certificate, isCommonNameHost && index === 0)) {
      const forbidding = excluded.get(name._tag)
      const allowing = permitted.get(name._tag)
      if (forbidding === undefined && allowing === undefined) continue
      const prepared = prepare(name)
      const verdict = ({ compare }: Compiled): Verdict => {
        effort.comparisons--
        return prepared === undefined ? undefined : compare?.(prepared)
      }
      const hit = forbidding?.find((compiled) => verdict(compiled) !== "outside")
      const isPermitted = hit === undefined && (allowing?.some((compiled) => verdict(compiled) === "inside") ?? true)
      if (effort.comparisons < 0) return { _tag: "Exhausted" }
      if (!isPermitted) {
        const detail =
          hit === undefined
            ? "is not among the permitted names"
            : `is not outside ${GeneralName.format(hit.constraint)}`
        return { _tag: "Violation", index, detail: `${GeneralName.format(name)} ${detail}` }
      }
    }
  }
  return undefined
}

/**
 * What is not well-formed about constraints as RFC 5280 has them, whatever names they meet.
 *
 * @since 0.1.0
 * @category validation
 */
export const problem = (constraints: NameConstraints): string | undefined => {
  const isForm = (constraint: GeneralName.GeneralName): boolean => {
    switch (constraint._tag) {
      case "DnsName":
        return !constraint.value.startsWith(".") && compile(constraint) !== undefined
      case "Rfc822Name":
      case "Uri":
      case "IpAddress":
        return compile(constraint) !== undefined
      default:
        return true
    }
  }
  const ill = [...(constraints.permitted ?? []), ...(constraints.excluded ?? [])].find((name) => !isForm(name))
  return ill && `the name constraint ${GeneralName.format(ill)} is not well-formed`
}
