/**
 * RFC 5280's own way with certificate policies, the tree, written down step by step as an oracle for small paths. It
 * takes exponential time where mappings ask for it, which is why nobody should use it.
 */

export const anyPolicy = "any"

/** What a certificate says about policies, by short names. */
export interface Statement {
  readonly policies?: ReadonlyArray<string>
  readonly mappings?: ReadonlyArray<readonly [issuer: string, subject: string]>
  readonly requireExplicitPolicy?: number
  readonly inhibitPolicyMapping?: number
  readonly inhibitAnyPolicy?: number
  readonly selfIssued?: boolean
}

export interface Inputs {
  readonly acceptable?: ReadonlyArray<string>
  readonly requireExplicitPolicy?: boolean
  readonly inhibitPolicyMapping?: boolean
  readonly inhibitAnyPolicy?: boolean
}

interface Node {
  readonly policy: string
  expected: ReadonlyArray<string>
  readonly parent: Node | undefined
  readonly children: Set<Node>
}

const child = (parent: Node, policy: string, expected: ReadonlyArray<string>): void => {
  parent.children.add({ policy, expected, parent, children: new Set() })
}

const atDepth = (root: Node, depth: number): ReadonlyArray<Node> =>
  depth === 0 ? [root] : [...root.children].flatMap((node) => atDepth(node, depth - 1))

/** Deletes what has no descendants at a depth; `undefined` when nothing is left. */
const prune = (root: Node, depth: number): Node | undefined => {
  if (depth === 0) return root
  for (const node of root.children) {
    if (prune(node, depth - 1) === undefined) root.children.delete(node)
  }
  return root.children.size === 0 ? undefined : root
}

/** The policies a path is valid for, or `undefined` when it is not valid. `path` begins below the anchor. */
export const evaluate = (path: ReadonlyArray<Statement>, inputs: Inputs): ReadonlySet<string> | undefined => {
  const n = path.length
  let tree: Node | undefined = { policy: anyPolicy, expected: [anyPolicy], parent: undefined, children: new Set() }
  let explicit = inputs.requireExplicitPolicy === true ? 0 : n + 1
  let inhibitAny = inputs.inhibitAnyPolicy === true ? 0 : n + 1
  let mapping = inputs.inhibitPolicyMapping === true ? 0 : n + 1
  for (const [index, certificate] of path.entries()) {
    const i = index + 1
    // §6.1.3 (d), (e), (f)
    if (certificate.policies === undefined) tree = undefined
    if (tree !== undefined) {
      const above = atDepth(tree, i - 1)
      for (const policy of certificate.policies!) {
        if (policy === anyPolicy) continue
        const matching = above.filter(({ expected }) => expected.includes(policy))
        for (const node of matching) child(node, policy, [policy])
        const general = above.find((node) => node.policy === anyPolicy)
        if (matching.length === 0 && general !== undefined) child(general, policy, [policy])
      }
      if (certificate.policies!.includes(anyPolicy) && (inhibitAny > 0 || (i < n && certificate.selfIssued === true))) {
        for (const node of above) {
          for (const policy of node.expected) {
            if (![...node.children].some((other) => other.policy === policy)) child(node, policy, [policy])
          }
        }
      }
      tree = prune(tree, i)
    }
    if (explicit === 0 && tree === undefined) return undefined
    if (i === n) break
    // §6.1.4 (a), (b)
    const mappings = certificate.mappings ?? []
    if (mappings.flat().includes(anyPolicy)) return undefined
    for (const policy of new Set(mappings.map(([issuer]) => issuer))) {
      if (tree === undefined) break
      const subjects = mappings.filter(([issuer]) => issuer === policy).map(([, subject]) => subject)
      const level = atDepth(tree, i)
      const nodes = level.filter((node) => node.policy === policy)
      if (mapping > 0) {
        for (const node of nodes) node.expected = subjects
        const general = level.find((node) => node.policy === anyPolicy)
        if (nodes.length === 0 && general !== undefined) child(general.parent!, policy, subjects)
      } else {
        for (const node of nodes) node.parent!.children.delete(node)
        tree = prune(tree, i)
      }
    }
    // (h), (i), (j)
    if (certificate.selfIssued !== true) {
      if (explicit > 0) explicit--
      if (mapping > 0) mapping--
      if (inhibitAny > 0) inhibitAny--
    }
    explicit = Math.min(explicit, certificate.requireExplicitPolicy ?? explicit)
    mapping = Math.min(mapping, certificate.inhibitPolicyMapping ?? mapping)
    inhibitAny = Math.min(inhibitAny, certificate.inhibitAnyPolicy ?? inhibitAny)
  }
  // §6.1.5 (a), (b), (g)
  if (explicit > 0) explicit--
  if (path.at(-1)!.requireExplicitPolicy === 0) explicit = 0
  const found = new Set<string>()
  if (tree !== undefined) {
    const acceptable = inputs.acceptable?.includes(anyPolicy) === true ? undefined : inputs.acceptable
    for (let depth = 1; depth <= n; depth++) {
      for (const node of atDepth(tree, depth)) {
        if (node.parent!.policy !== anyPolicy || node.policy === anyPolicy) continue
        if (acceptable === undefined || acceptable.includes(node.policy)) found.add(node.policy)
      }
    }
    if (atDepth(tree, n).some(({ policy }) => policy === anyPolicy)) {
      for (const policy of acceptable ?? [anyPolicy]) found.add(policy)
    }
  }
  return explicit > 0 || found.size > 0 ? found : undefined
}
