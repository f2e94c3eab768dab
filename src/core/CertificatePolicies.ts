/**
 * Certificate policies of a path (RFC 5280 §6.1 as RFC 9618 updates it): under which rules all of its authorities vouch
 * for the leaf. The RFC's first way was a tree, which grows exponentially with the mappings of authorities that mean
 * harm; its second is a graph with at most one node a policy and certificate, which grows with what was written.
 *
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import type { Certificate } from "../schema/Certificate.ts"
import type { PolicyMapping } from "../schema/CertificatePolicy.ts"
import { oids } from "../schema/ObjectIdentifier.ts"
import type { ObjectIdentifier } from "../schema/ObjectIdentifier.ts"

const { anyPolicy } = oids

/**
 * What the caller asks of the policies of a path, the initial values of RFC 5280 §6.1.1. Unless told, any policy will do,
 * and none.
 *
 * @since 0.1.0
 * @category models
 */
export interface PolicyOptions {
  /** The policies that are good enough (user-initial-policy-set, c). They matter once a policy is required. */
  readonly acceptable?: ReadonlyArray<ObjectIdentifier>
  /** Whether the path has to be valid for an acceptable policy (initial-explicit-policy, f). */
  readonly requireExplicitPolicy?: boolean
  /** Whether authorities may not equate policies (initial-policy-mapping-inhibit, e). */
  readonly inhibitPolicyMapping?: boolean
  /** Whether the policy that stands for all counts for nothing (initial-any-policy-inhibit, g). */
  readonly inhibitAnyPolicy?: boolean
}

/**
 * The policies a path is valid for (RFC 9618 §5.5), in terms of the authority nearest to the anchor. `anyPolicy` among
 * them stands for all.
 *
 * @since 0.1.0
 * @category models
 */
export interface PathPolicies {
  readonly authorityConstrained: ReadonlyArray<ObjectIdentifier>
  /** Those of them that are acceptable. */
  readonly userConstrained: ReadonlyArray<ObjectIdentifier>
}

/**
 * How many policies and mappings may still be looked at.
 *
 * @since 0.1.0
 * @category models
 */
export interface Effort {
  policies: number
}

/**
 * What became of the policies: the path is valid for these, or the certificate at an index of it is why not, or the
 * effort did not suffice to find out.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome =
  | { readonly _tag: "Valid"; readonly policies: PathPolicies }
  | { readonly _tag: "Violation"; readonly index: number; readonly detail: string }
  | { readonly _tag: "Exhausted" }

/** A policy valid at one depth of the graph. */
interface Node {
  /** Of which policies of the depth above it is what they expect; of `anyPolicy` alone, or of others. */
  readonly parents: ReadonlyArray<ObjectIdentifier>
  /** What would satisfy it in the next certificate. */
  readonly expected: ReadonlyArray<ObjectIdentifier>
}

/** The nodes of one depth by their policies. */
type Level = ReadonlyMap<ObjectIdentifier, Node>

const underAny: ReadonlyArray<ObjectIdentifier> = [anyPolicy]

const grouped = <A>(
  items: Iterable<A>,
  keyOf: (item: A) => ObjectIdentifier,
  valueOf: (item: A) => ObjectIdentifier
): Map<ObjectIdentifier, Array<ObjectIdentifier>> => {
  const groups = new Map<ObjectIdentifier, Array<ObjectIdentifier>>()
  for (const item of items) {
    const others = groups.get(keyOf(item))
    if (others === undefined) groups.set(keyOf(item), [valueOf(item)])
    else others.push(valueOf(item))
  }
  return groups
}

/** RFC 9618 §5.3, steps (d) (1) and (2): the depth below, of the policies a certificate has. */
const descend = (
  level: Level,
  stated: ReadonlyArray<ObjectIdentifier>,
  isAnyPolicyProcessed: boolean,
  effort: Effort
): Level => {
  const pairs = [...level].flatMap(([policy, { expected }]) => expected.map((wanted) => [wanted, policy] as const))
  effort.policies -= pairs.length + stated.length
  const parentsOf = grouped(
    pairs,
    ([wanted]) => wanted,
    ([, policy]) => policy
  )
  const below = new Map<ObjectIdentifier, Node>()
  for (const policy of stated) {
    if (policy === anyPolicy) continue
    const parents = parentsOf.get(policy) ?? (level.has(anyPolicy) ? underAny : undefined)
    if (parents !== undefined) below.set(policy, { parents, expected: [policy] })
  }
  if (isAnyPolicyProcessed && stated.includes(anyPolicy)) {
    for (const [wanted, parents] of parentsOf) {
      if (!below.has(wanted)) below.set(wanted, { parents, expected: [wanted] })
    }
  }
  return below
}

/** RFC 9618 §5.4: the depth as mappings change it, or without what they map where none may. */
const map = (
  level: Level,
  mappings: ReadonlyArray<PolicyMapping>,
  isMappingAllowed: boolean,
  effort: Effort
): Level => {
  effort.policies -= mappings.length
  const equivalents = grouped(
    mappings,
    ({ issuerDomainPolicy }) => issuerDomainPolicy,
    ({ subjectDomainPolicy }) => subjectDomainPolicy
  )
  const mapped = new Map(level)
  for (const [policy, others] of equivalents) {
    if (!isMappingAllowed) {
      mapped.delete(policy)
      continue
    }
    const parents = level.get(policy)?.parents ?? (level.has(anyPolicy) ? underAny : undefined)
    // The same equivalence twice would only be work twice.
    if (parents !== undefined) mapped.set(policy, { parents, expected: [...new Set(others)] })
  }
  return mapped
}

/** RFC 9618 §5.5, step (g) (1) to (4): the policies next to the anchor from which those of the leaf descend. */
const authorityConstrained = (graph: ReadonlyArray<Level>): ReadonlySet<ObjectIdentifier> => {
  const found = new Set<ObjectIdentifier>()
  if (graph.at(-1)?.has(anyPolicy) === true) found.add(anyPolicy)
  let reached: ReadonlySet<ObjectIdentifier> = new Set(graph.at(-1)?.keys())
  for (let depth = graph.length - 1; depth > 0; depth--) {
    const above = new Set<ObjectIdentifier>()
    for (const policy of reached) {
      if (policy === anyPolicy) continue
      for (const parent of graph[depth]!.get(policy)!.parents) {
        if (parent === anyPolicy) found.add(policy)
        else above.add(parent)
      }
    }
    reached = above
  }
  return found
}

const constrain = (
  found: ReadonlySet<ObjectIdentifier>,
  acceptable: ReadonlyArray<ObjectIdentifier> | undefined
): ReadonlyArray<ObjectIdentifier> =>
  acceptable === undefined || acceptable.includes(anyPolicy)
    ? [...found]
    : [...new Set(acceptable)].filter((policy) => found.has(policy) || found.has(anyPolicy))

const list = (policies: Iterable<ObjectIdentifier>): string => {
  const all = [...policies]
  return all.length > 8 ? `${all.slice(0, 8).join(", ")} and ${all.length - 8} more` : all.join(", ")
}

/**
 * The policies a path is valid for. `path` goes from the leaf to the anchor, which says nothing about policies itself;
 * what it demands of those below it is heard (RFC 5937 §3.2).
 *
 * @since 0.1.0
 * @category validation
 */
export const evaluate = (path: NonEmptyReadonlyArray<Certificate>, options: PolicyOptions, effort: Effort): Outcome => {
  const last = path.length - 1
  // An anchor that is the leaf is trusted for whatever it is asked for.
  if (last === 0) {
    const userConstrained = constrain(new Set([anyPolicy]), options.acceptable)
    return { _tag: "Valid", policies: { authorityConstrained: [anyPolicy], userConstrained } }
  }
  // RFC 5280 §6.1.2 (a), (d), (e), (f). Levels of the graph are by depth; without levels there is no valid policy.
  const root: Level = new Map([[anyPolicy, { parents: [], expected: [anyPolicy] }]])
  let graph: ReadonlyArray<Level> = [root]
  let explicitPolicy = options.requireExplicitPolicy === true ? 0 : path.length
  let policyMapping = options.inhibitPolicyMapping === true ? 0 : path.length
  let inhibitAnyPolicy = options.inhibitAnyPolicy === true ? 0 : path.length

  /** §6.1.4 (i) and (j). */
  const obey = (certificate: Certificate): void => {
    const constraints = certificate.extension("PolicyConstraints")
    explicitPolicy = Math.min(explicitPolicy, constraints?.requireExplicitPolicy ?? explicitPolicy)
    policyMapping = Math.min(policyMapping, constraints?.inhibitPolicyMapping ?? policyMapping)
    const { skipCertificates } = certificate.extension("InhibitAnyPolicy") ?? { skipCertificates: inhibitAnyPolicy }
    inhibitAnyPolicy = Math.min(inhibitAnyPolicy, skipCertificates)
  }
  const violation = (index: number, detail: string): Outcome => ({ _tag: "Violation", index, detail })

  obey(path[last]!)
  for (let index = last - 1; index >= 0; index--) {
    const certificate = path[index]!
    const isLeaf = index === 0
    const above = graph.at(-1)
    if (above !== undefined) {
      const stated = certificate.extension("CertificatePolicies")?.policies.map(({ policy }) => policy) ?? []
      const isAnyPolicyProcessed = inhibitAnyPolicy > 0 || (!isLeaf && certificate.isSelfIssued)
      const below = descend(above, stated, isAnyPolicyProcessed, effort)
      graph = below.size === 0 ? [] : [...graph, below]
    }
    if (effort.policies < 0) return { _tag: "Exhausted" }
    if (explicitPolicy === 0 && graph.length === 0) {
      return violation(index, "a certificate policy is required, and it has none that all authorities above it have")
    }
    if (isLeaf) break

    const mappings = certificate.extension("PolicyMappings")?.mappings ?? []
    const isOfAny = ({ issuerDomainPolicy, subjectDomainPolicy }: PolicyMapping): boolean =>
      issuerDomainPolicy === anyPolicy || subjectDomainPolicy === anyPolicy
    if (mappings.some(isOfAny)) {
      return violation(index, "it maps the policy that stands for all, which RFC 5280 §4.2.1.5 forbids")
    }
    const level = graph.at(-1)
    if (level !== undefined && mappings.length > 0) {
      const mapped = map(level, mappings, policyMapping > 0, effort)
      graph = mapped.size === 0 ? [] : [...graph.slice(0, -1), mapped]
    }
    if (!certificate.isSelfIssued) {
      explicitPolicy = Math.max(0, explicitPolicy - 1)
      policyMapping = Math.max(0, policyMapping - 1)
      inhibitAnyPolicy = Math.max(0, inhibitAnyPolicy - 1)
    }
    obey(certificate)
  }

  // §6.1.5 (a) and (b)
  const isRequired = explicitPolicy <= 1 || path[0].extension("PolicyConstraints")?.requireExplicitPolicy === 0
  const found = authorityConstrained(graph)
  const userConstrained = constrain(found, options.acceptable)
  if (isRequired && userConstrained.length === 0) {
    return violation(
      0,
      found.size === 0
        ? "a certificate policy is required, and it has none that all authorities above it have"
        : `its certificate policies are ${list(found)}, not ${list(options.acceptable ?? [])}`
    )
  }
  return { _tag: "Valid", policies: { authorityConstrained: [...found], userConstrained } }
}
