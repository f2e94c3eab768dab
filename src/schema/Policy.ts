/**
 * Policies: sets of defaults, chosen by name. What is said by name beside a policy goes before it. Each one adds to the
 * one before, for peers that can do less.
 *
 * @since 0.1.0
 */
import type { CipherSuiteName } from "./CipherSuite.ts"
import * as Defaults from "./Defaults.ts"
import * as Limits from "./Limits.ts"
import type { NamedGroupName } from "./NamedGroup.ts"
import type { SignatureSchemeName } from "./SignatureScheme.ts"

/**
 * @since 0.1.0
 * @category models
 */
export type PolicyName = "strict" | "modern" | "compatible" | "legacy"

/**
 * What holds where nothing was said, of what the policies differ in. Lists are best first, and cut to what the provider
 * can do when a handshake begins. `certificateOnlySchemes` may sign certificates besides `signatureSchemes`;
 * `rsaModulusMin` is the limit of that name, in bits.
 *
 * @since 0.1.0
 * @category models
 */
export interface Policy {
  readonly name: PolicyName
  readonly versions: ReadonlyArray<"TLSv1.3">
  readonly cipherSuites: ReadonlyArray<CipherSuiteName>
  readonly groups: ReadonlyArray<NamedGroupName>
  readonly signatureSchemes: ReadonlyArray<SignatureSchemeName>
  readonly certificateOnlySchemes: ReadonlyArray<SignatureSchemeName>
  readonly rsaModulusMin: number
}

/**
 * TLS 1.3 and nothing before it, with forward secrecy, and the hybrid group first where that is native.
 *
 * @since 0.1.0
 * @category policies
 */
export const strict: Policy = {
  name: "strict",
  versions: ["TLSv1.3"],
  cipherSuites: Defaults.cipherSuites,
  groups: Defaults.groups,
  signatureSchemes: Defaults.signatureSchemes,
  certificateOnlySchemes: Defaults.certificateOnlySchemes,
  rsaModulusMin: Limits.defaults.rsaModulusMin
}

/**
 * The default. So far it is `strict`: TLS 1.2 will join it here.
 *
 * @since 0.1.0
 * @category policies
 */
export const modern: Policy = { ...strict, name: "modern" }

/**
 * With groups of finite fields after the elliptic ones, for peers that have no other. Those above 4096 bits cost a server
 * more than a client should be able to ask for, and are used by name only.
 *
 * @since 0.1.0
 * @category policies
 */
export const compatible: Policy = {
  ...modern,
  name: "compatible",
  groups: [...modern.groups, "ffdhe2048", "ffdhe3072", "ffdhe4096"]
}

/**
 * With certificates that are signed over SHA-1 or have RSA keys of 1024 bits, which somebody with means can forge: for
 * one endpoint that has nothing else, never a default. No handshake is signed over SHA-1.
 *
 * @since 0.1.0
 * @category policies
 */
export const legacy: Policy = {
  ...compatible,
  name: "legacy",
  certificateOnlySchemes: [...compatible.certificateOnlySchemes, "rsa_pkcs1_sha1", "ecdsa_sha1"],
  rsaModulusMin: 1024
}

/**
 * Every policy, from the one that asks most of a peer to the one that asks least.
 *
 * @since 0.1.0
 * @category constants
 */
export const registry: ReadonlyArray<Policy> = [strict, modern, compatible, legacy]

const byName: { readonly [N in PolicyName]: Policy } = { strict, modern, compatible, legacy }

/**
 * The policy of a name.
 *
 * @since 0.1.0
 * @category lookups
 */
export const fromName = (name: PolicyName): Policy => byName[name]
