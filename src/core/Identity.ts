/**
 * Who we are to a peer: a certificate chain and the signer of its leaf's key; one, several, or found per connection.
 *
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"
import { toLatin1 } from "../schema/Bytes.ts"
import type { Certificate } from "../schema/Certificate.ts"
import { isCertificate } from "../schema/Certificate.ts"
import type { ClientHello } from "../schema/HandshakeMessage.ts"
import type { Limits } from "../schema/Limits.ts"
import type { ServerName } from "../schema/ServerName.ts"
import type { SignatureSchemeInfo } from "../schema/SignatureScheme.ts"
import * as SignatureScheme from "../schema/SignatureScheme.ts"
import { TlsConfigError } from "../schema/TlsError.ts"
import type { CryptoProvider } from "./CryptoProvider.ts"
import * as IdentityLoading from "./IdentityLoading.ts"
import { IdentityOptions } from "./IdentityOptions.ts"
import * as OptionSchema from "./OptionSchema.ts"
import type { PrivateKey } from "./PrivateKey.ts"
import { isPrivateKey } from "./PrivateKey.ts"
import * as ServerIdentity from "./ServerIdentity.ts"

/**
 * A chain, leaf first, and the signer for the leaf.
 *
 * @since 0.1.0
 * @category models
 */
export interface Identity {
  readonly certificateChain: NonEmptyReadonlyArray<Certificate>
  readonly privateKey: PrivateKey
}

const decodeOptions = OptionSchema.decode(IdentityOptions)

const bundled = (identities: ReadonlyArray<Identity>): TlsConfigError =>
  TlsConfigError.of(
    "InvalidOptions",
    "friendlyName",
    `the bundle has ${identities.length} identities: name one, or ask for all with \`makeAll\``
  )

/**
 * All identities of a bundle, or the one that a chain and a key make. Everything is checked: forms, passphrase, the order
 * of the chain, that the key is the leaf's. Key bytes that were decoded are wiped when the Scope closes. `limits` bound
 * the work of opening what is encrypted.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeAll = (
  options: IdentityOptions,
  limits?: Partial<Limits>
): Effect.Effect<NonEmptyReadonlyArray<Identity>, TlsConfigError, CryptoProvider | Scope.Scope> =>
  Effect.flatMap(decodeOptions(options), (said) => IdentityLoading.load(said, "", limits))

/**
 * An identity from PEM, DER or PKCS#12; of a bundle with several, the one with `friendlyName`.
 *
 * @example
 * import { Effect, Redacted } from "effect"
 * import { Identity, SecureContext } from "effect-tls"
 *
 * const context = (certificates: string, key: string) =>
 *   Identity.make({ certificateChain: certificates, privateKey: key, passphrase: Redacted.make("changeit") }).pipe(
 *     Effect.map((identity) => SecureContext.withIdentity(SecureContext.empty, identity))
 *   )
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: IdentityOptions,
  limits?: Partial<Limits>
): Effect.Effect<Identity, TlsConfigError, CryptoProvider | Scope.Scope> =>
  Effect.flatMap(makeAll(options, limits), (identities) =>
    identities.length === 1 ? Effect.succeed(identities[0]) : Effect.fail(bundled(identities))
  )

/**
 * @since 0.1.0
 * @category guards
 */
export const isIdentity = (u: unknown): u is Identity =>
  Predicate.hasProperty(u, "certificateChain") &&
  Array.isArray(u.certificateChain) &&
  u.certificateChain.length > 0 &&
  u.certificateChain.every(isCertificate) &&
  Predicate.hasProperty(u, "privateKey") &&
  isPrivateKey(u.privateKey)

/**
 * Finds a server's identities for a ClientHello; none when it serves no such name. May be slow, fail or be interrupted:
 * the handshake's deadline covers it.
 *
 * @since 0.1.0
 * @category models
 */
export type IdentityResolver = (
  hello: ClientHello,
  serverName: Option.Option<ServerName>
) => Effect.Effect<ReadonlyArray<Identity>, unknown>

/**
 * What the peer says it can verify.
 *
 * @since 0.1.0
 * @category models
 */
export interface Acceptable {
  readonly signatureSchemes: ReadonlyArray<SignatureScheme.SignatureScheme>
  readonly certificateSignatureSchemes: ReadonlyArray<SignatureScheme.SignatureScheme>
  /** DER names of authorities, empty when any will do. */
  readonly authorities: ReadonlyArray<Uint8Array>
  readonly serverName: Option.Option<ServerName>
  /** Now, in milliseconds since 1970, where it matters: what has expired nobody can verify. */
  readonly time?: number
}

/**
 * An identity with the scheme it will sign the handshake with.
 *
 * @since 0.1.0
 * @category models
 */
export interface ChosenIdentity {
  readonly identity: Identity
  readonly scheme: SignatureSchemeInfo
}

const sameAlgorithm = (a: SignatureSchemeInfo["algorithm"], b: SignatureSchemeInfo["algorithm"]): boolean =>
  a._tag === b._tag && (!("hash" in a) || !("hash" in b) || a.hash === b.hash)

/** Whether every signature in the chain is one that the peer accepts in certificates. */
const chainIsAcceptable = (identity: Identity, accepted: ReadonlyArray<SignatureSchemeInfo>): boolean =>
  identity.certificateChain.every((certificate) => {
    const algorithm = certificate.signatureAlgorithm.algorithm
    // A self-signed certificate's signature is not verified by anybody.
    return (
      certificate.isSelfIssued ||
      (algorithm !== undefined && accepted.some((scheme) => sameAlgorithm(scheme.algorithm, algorithm)))
    )
  })

/** A self-signed certificate's signature is not verified by anybody. */
const isSha1Signed = ({ isSelfIssued, signatureAlgorithm: { algorithm } }: Certificate): boolean =>
  !isSelfIssued && algorithm !== undefined && SignatureScheme.isSha1({ algorithm })

const leadsTo = (identity: Identity, authorities: ReadonlySet<string>): boolean =>
  authorities.size === 0 || identity.certificateChain.some(({ issuer }) => authorities.has(toLatin1(issuer.der)))

const isValidAt = ({ notAfter, notBefore }: Certificate, time: number | undefined): boolean =>
  time === undefined || (notBefore.getTime() <= time && time <= notAfter.getTime())

/** The schemes of a list that we know, in its order. A peer's list may be very long, and is gone through once. */
const known = (codes: ReadonlyArray<SignatureScheme.SignatureScheme>): ReadonlyArray<SignatureSchemeInfo> =>
  [...new Set(codes)].flatMap((code) => SignatureScheme.info(code) ?? [])

/**
 * The identity to show: the first that can sign with a scheme of the peer's. Of several, one that carries the name
 * asked for, is valid now, leads to an authority that the peer names and whose chain it can verify comes first, in this
 * order (RFC 9846 §4.4.2.2); one with signatures over SHA-1 only if there is no other as good (§4.2.3).
 *
 * @since 0.1.0
 * @category selection
 */
export const choose = (
  identities: ReadonlyArray<Identity>,
  ours: ReadonlyArray<SignatureSchemeInfo>,
  acceptable: Acceptable
): Option.Option<ChosenIdentity> => {
  const schemes = known(acceptable.signatureSchemes).filter((scheme) => scheme.handshake && ours.includes(scheme))
  const forCertificates = known(acceptable.certificateSignatureSchemes)
  const authorities = new Set(acceptable.authorities.map(toLatin1))
  const usable = identities.flatMap((identity): ReadonlyArray<ChosenIdentity & { readonly rank: number }> => {
    const scheme = schemes.find(({ code }) => identity.privateKey.schemes.includes(code))
    if (scheme === undefined) return []
    const named =
      Option.isNone(acceptable.serverName) ||
      ServerIdentity.matches(acceptable.serverName.value, identity.certificateChain[0])
    const rank =
      (named ? 16 : 0) +
      (isValidAt(identity.certificateChain[0], acceptable.time) ? 8 : 0) +
      (leadsTo(identity, authorities) ? 4 : 0) +
      (chainIsAcceptable(identity, forCertificates) ? 2 : 0) +
      (identity.certificateChain.some(isSha1Signed) ? 0 : 1)
    return [{ identity, scheme, rank }]
  })
  return Option.fromNullable(
    usable.reduce<(typeof usable)[number] | undefined>(
      (best, next) => (best === undefined || next.rank > best.rank ? next : best),
      undefined
    )
  )
}
