/**
 * A SecureContext says how to speak TLS and as whom: protocol, identity and trust as one immutable value. It holds
 * only what was said; defaults are filled in when a handshake begins, so that contexts merge.
 *
 * @example
 * import { Effect } from "effect"
 * import { SecureContext } from "effect-tls"
 *
 * const program = Effect.gen(function* () {
 *   const base = yield* SecureContext.make({ protocol: { alpn: ["h2", "http/1.1"] } })
 *   const strict = yield* SecureContext.make({ protocol: { cipherSuites: ["TLS_AES_256_GCM_SHA384"] } })
 *   return SecureContext.merge(base, strict)
 * })
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { dual } from "effect/Function"
import type { Pipeable } from "effect/Pipeable"
import { pipeArguments } from "effect/Pipeable"
import type * as Scope from "effect/Scope"
import * as CipherSuite from "../schema/CipherSuite.ts"
import * as Defaults from "../schema/Defaults.ts"
import * as Limits from "../schema/Limits.ts"
import * as NamedGroup from "../schema/NamedGroup.ts"
import type { ProtocolOptions } from "../schema/ProtocolOptions.ts"
import type { PublicKey } from "../schema/PublicKey.ts"
import type { SignatureSchemeInfo, SignatureSchemeName } from "../schema/SignatureScheme.ts"
import * as SignatureScheme from "../schema/SignatureScheme.ts"
import { TlsConfigError } from "../schema/TlsError.ts"
import type { CryptoProviderService } from "./CryptoProvider.ts"
import { CryptoProvider } from "./CryptoProvider.ts"
import type { AlpnSelector, ClientAuthentication, HandshakePolicy, OcspResponder } from "./HandshakePolicy.ts"
import type { Identity, IdentityResolver } from "./Identity.ts"
import * as IdentityLoading from "./IdentityLoading.ts"
import type { CertificatesInput, IdentityOptions } from "./IdentityOptions.ts"
import * as KeyAgreement from "./KeyAgreement.ts"
import * as OptionSchema from "./OptionSchema.ts"
import type { RevocationOptions } from "./Revocation.ts"
import * as RevocationInput from "./RevocationInput.ts"
import { SecureContextOptions } from "./SecureContextOptions.ts"
import * as TlsMetrics from "./TlsMetrics.ts"
import type { TrustStore } from "./TrustStore.ts"
import * as TrustStores from "./TrustStore.ts"
import type { Verifier } from "./Verifier.ts"
import * as Verifiers from "./Verifier.ts"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: unique symbol = Symbol.for("effect-tls/SecureContext")

/**
 * Whom to believe, as far as it was said.
 *
 * @since 0.1.0
 * @category models
 */
export interface Trust {
  readonly anchors?: TrustStore
  readonly verifier?: Verifier
  readonly revocation?: RevocationOptions
  readonly requestStaple?: boolean
  readonly partialChain?: boolean
  readonly clientAuthentication?: ClientAuthentication
  readonly announceAuthorities?: boolean
}

/**
 * @since 0.1.0
 * @category models
 */
export interface SecureContext extends Pipeable {
  readonly [TypeId]: typeof TypeId
  readonly protocol: ProtocolOptions
  readonly identities: ReadonlyArray<Identity>
  readonly resolveIdentity: IdentityResolver | undefined
  readonly selectAlpn: AlpnSelector | undefined
  readonly ocspResponse: OcspResponder | undefined
  readonly trust: Trust
}

const fromParts = (parts: Omit<SecureContext, typeof TypeId | "pipe">): SecureContext => ({
  [TypeId]: TypeId,
  ...parts,
  pipe() {
    return pipeArguments(this, arguments)
  }
})

/**
 * Says nothing: every default holds. It is the identity of `merge`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const empty: SecureContext = fromParts({
  protocol: {},
  identities: [],
  resolveIdentity: undefined,
  selectAlpn: undefined,
  ocspResponse: undefined,
  trust: {}
})

/**
 * TLS 1.3 only; everything else as by default, which is forward secret, and hybrid first where that is native.
 *
 * @since 0.1.0
 * @category policies
 */
export const strict: SecureContext = fromParts({ ...empty, protocol: { versions: ["TLSv1.3"] } })

/**
 * A context from its options. Everything is checked now: forms, certificates, keys, and that the provider can do what
 * is asked by name. Key bytes that were decoded are wiped when the Scope closes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: SecureContextOptions
): Effect.Effect<SecureContext, TlsConfigError, CryptoProvider | Scope.Scope> =>
  Effect.gen(function* () {
    const crypto = yield* CryptoProvider
    const said = yield* OptionSchema.decode(SecureContextOptions)(options)
    const trust = said.trust ?? {}
    const identities = yield* Effect.forEach(identityOptions(said.identity), ({ identity, path }) =>
      IdentityLoading.load(identity, path, said.protocol?.limits)
    )
    const context = fromParts({
      protocol: said.protocol ?? {},
      identities: identities.flat(),
      resolveIdentity: said.resolveIdentity,
      selectAlpn: said.selectAlpn,
      ocspResponse: said.ocspResponse,
      trust: {
        ...trust,
        ...(trust.anchors === undefined ? {} : { anchors: yield* makeAnchors(trust.anchors) }),
        ...(trust.revocation === undefined
          ? {}
          : {
              revocation: yield* RevocationInput.load(trust.revocation, "trust.revocation", {
                limits: { ...Limits.defaults, ...said.protocol?.limits }
              })
            })
      } as Trust
    })
    yield* resolve(context, crypto, "client")
    for (const { certificateChain } of context.identities) TlsMetrics.unsafeIdentity(certificateChain[0])
    return context
  })

const identityOptions = (said: IdentityOptions | ReadonlyArray<IdentityOptions> | undefined) => {
  if (said === undefined) return []
  return "length" in said
    ? said.map((identity, i) => ({ identity, path: `identity[${i}]` }))
    : [{ identity: said, path: "identity" }]
}

const makeAnchors = (input: CertificatesInput | TrustStore): Either.Either<TrustStore, TlsConfigError> =>
  TrustStores.isTrustStore(input)
    ? Either.right(input)
    : Either.map(IdentityLoading.readCertificates(input, "trust.anchors"), TrustStores.fromCertificates)

/**
 * Both contexts as one: what `that` says goes before what `self` says, field by field, and identities accumulate.
 * Associative, with `empty` as its identity.
 *
 * @since 0.1.0
 * @category combinators
 */
export const merge: {
  (that: SecureContext): (self: SecureContext) => SecureContext
  (self: SecureContext, that: SecureContext): SecureContext
} = dual(2, (self: SecureContext, that: SecureContext) =>
  fromParts({
    protocol: {
      ...self.protocol,
      ...that.protocol,
      ...(self.protocol.limits && that.protocol.limits
        ? { limits: { ...self.protocol.limits, ...that.protocol.limits } }
        : {})
    },
    identities: [...self.identities, ...that.identities],
    resolveIdentity: that.resolveIdentity ?? self.resolveIdentity,
    selectAlpn: that.selectAlpn ?? self.selectAlpn,
    ocspResponse: that.ocspResponse ?? self.ocspResponse,
    trust: { ...self.trust, ...that.trust }
  })
)

/**
 * The context with this said of the protocol.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withProtocol: {
  (protocol: ProtocolOptions): (self: SecureContext) => SecureContext
  (self: SecureContext, protocol: ProtocolOptions): SecureContext
} = dual(2, (self: SecureContext, protocol: ProtocolOptions) => merge(self, { ...empty, protocol }))

/**
 * The context with another verifier.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withVerifier: {
  (verifier: Verifier): (self: SecureContext) => SecureContext
  (self: SecureContext, verifier: Verifier): SecureContext
} = dual(2, (self: SecureContext, verifier: Verifier) => merge(self, { ...empty, trust: { verifier } }))

/**
 * The context with one more identity.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withIdentity: {
  (identity: Identity): (self: SecureContext) => SecureContext
  (self: SecureContext, identity: Identity): SecureContext
} = dual(2, (self: SecureContext, identity: Identity) => merge(self, { ...empty, identities: [identity] }))

/**
 * The context with this said of whom to believe.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withTrust: {
  (trust: Trust): (self: SecureContext) => SecureContext
  (self: SecureContext, trust: Trust): SecureContext
} = dual(2, (self: SecureContext, trust: Trust) => merge(self, { ...empty, trust }))

/**
 * The context with other application protocols, best first.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withAlpn: {
  (alpn: ReadonlyArray<string>): (self: SecureContext) => SecureContext
  (self: SecureContext, alpn: ReadonlyArray<string>): SecureContext
} = dual(2, (self: SecureContext, alpn: ReadonlyArray<string>) => withProtocol(self, { alpn }))

/**
 * The context with a resolver of a server's identities.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withIdentityResolver: {
  (resolve: IdentityResolver): (self: SecureContext) => SecureContext
  (self: SecureContext, resolve: IdentityResolver): SecureContext
} = dual(2, (self: SecureContext, resolveIdentity: IdentityResolver) => merge(self, { ...empty, resolveIdentity }))

/**
 * @since 0.1.0
 * @category guards
 */
export const isSecureContext = (u: unknown): u is SecureContext => typeof u === "object" && u !== null && TypeId in u

// ---------------------------------------------------------------------------------------------------------------------
// Resolving
// ---------------------------------------------------------------------------------------------------------------------

const resolved = new WeakMap<SecureContext, { readonly crypto: CryptoProviderService; readonly policies: Policies }>()

interface Policies {
  readonly client: Either.Either<HandshakePolicy, TlsConfigError>
  readonly server: Either.Either<HandshakePolicy, TlsConfigError>
}

/**
 * What one side of a handshake goes by: defaults filled in, cut to what the provider can do. Asking by name for what it
 * cannot do is an error.
 *
 * @since 0.1.0
 * @category resolving
 */
export const resolve = (
  context: SecureContext,
  crypto: CryptoProviderService,
  role: "client" | "server"
): Either.Either<HandshakePolicy, TlsConfigError> => {
  const known = resolved.get(context)
  if (known !== undefined && known.crypto === crypto) return known.policies[role]
  const shared = resolveProtocol(context, crypto)
  const policies: Policies = {
    client: Either.flatMap(shared, (policy) =>
      Either.map(checkTrust(context), () => withVerification(policy, context, "client"))
    ),
    server: Either.flatMap(shared, (policy) =>
      Either.map(Either.all([checkTrust(context), checkServer(context)]), () =>
        withVerification(policy, context, "server")
      )
    )
  }
  resolved.set(context, { crypto, policies })
  return policies[role]
}

type ProtocolPolicy = Omit<HandshakePolicy, "verifier" | "requestStaple" | "clientAuthentication" | "authorities">

const resolveProtocol = (
  { identities, ocspResponse, protocol, resolveIdentity, selectAlpn }: SecureContext,
  crypto: CryptoProviderService
): Either.Either<ProtocolPolicy, TlsConfigError> =>
  Either.gen(function* () {
    const { capabilities } = crypto
    const select = <N extends string, I>(
      path: string,
      said: ReadonlyArray<N> | undefined,
      defaults: ReadonlyArray<N>,
      info: (name: N) => I | undefined,
      supported: (info: I) => boolean
    ): Either.Either<ReadonlyArray<I>, TlsConfigError> => {
      const chosen = (said ?? defaults).flatMap((name) => info(name) ?? [])
      if (said === undefined) {
        const usable = chosen.filter(supported)
        return usable.length > 0
          ? Either.right(usable)
          : Either.left(
              TlsConfigError.of(
                "Unsupported",
                `protocol.${path}`,
                `the provider ${crypto.name} has none of the defaults: ${defaults.join(", ")}`
              )
            )
      }
      const lacking = said.filter((name) => !supported(info(name)!))
      return Arr.isNonEmptyReadonlyArray(lacking)
        ? Either.left(
            TlsConfigError.of(
              "Unsupported",
              `protocol.${path}`,
              `the provider ${crypto.name} has no ${lacking.join(", ")}`
            )
          )
        : Either.right(chosen)
    }
    const cipherSuites = yield* select(
      "cipherSuites",
      protocol.cipherSuites,
      Defaults.cipherSuites,
      CipherSuite.fromName,
      ({ aead, hash }) => capabilities.aeads.has(aead) && capabilities.hashes.has(hash)
    )
    const groups = yield* select("groups", protocol.groups, Defaults.groups, NamedGroup.fromName, ({ code }) =>
      protocol.groups === undefined && code === NamedGroup.x25519MlKem768
        ? KeyAgreement.isSupported(capabilities, code) && KeyAgreement.isNative(capabilities, code)
        : KeyAgreement.isSupported(capabilities, code)
    )
    const verifiable = (scheme: SignatureSchemeInfo) => capabilities.verify(scheme.algorithm, sampleKey(scheme))
    const signatureSchemes = yield* select<SignatureSchemeName, SignatureSchemeInfo>(
      "signatureSchemes",
      protocol.signatureSchemes,
      Defaults.signatureSchemes,
      SignatureScheme.fromName,
      verifiable
    )
    const certificateSignatureSchemes = yield* select<SignatureSchemeName, SignatureSchemeInfo>(
      "certificateSignatureSchemes",
      protocol.certificateSignatureSchemes,
      [...(protocol.signatureSchemes ?? Defaults.signatureSchemes), ...Defaults.certificateOnlySchemes].filter(
        (name, i, all) => all.indexOf(name) === i
      ),
      SignatureScheme.fromName,
      verifiable
    )
    if (!signatureSchemes.some((scheme) => scheme.handshake)) {
      yield* Either.left(
        TlsConfigError.of(
          "InvalidOptions",
          "protocol.signatureSchemes",
          "PKCS#1 v1.5 signs certificates only: TLS 1.3 needs another scheme for the handshake"
        )
      )
    }
    const wanted = protocol.keyShares?.map((name) => NamedGroup.fromName(name)!.code) ?? defaultKeyShares(groups)
    // Shares stand in the order of the groups, whatever order they are asked for in (RFC 9846 §4.2.8).
    const keyShares = groups.map(({ code }) => code).filter((code) => wanted.includes(code))
    const unlisted = wanted.filter((code) => !groups.some((group) => group.code === code))
    if (unlisted.length > 0) {
      yield* Either.left(
        TlsConfigError.of(
          "InvalidOptions",
          "protocol.keyShares",
          `${unlisted.map(NamedGroup.name).join(", ")} must stand in \`groups\` too`
        )
      )
    }
    return {
      cipherSuites,
      groups,
      keyShares,
      signatureSchemes,
      certificateSignatureSchemes,
      alpn: protocol.alpn ?? [],
      selectAlpn,
      maxFragment: protocol.maxFragment ?? Defaults.maxFragment,
      recordSizeLimit: protocol.recordSizeLimit,
      recordPadding: protocol.recordPadding ?? Defaults.recordPadding,
      middleboxCompatibility: protocol.middleboxCompatibility ?? Defaults.middleboxCompatibility,
      helloRetryCookie: protocol.helloRetryCookie ?? Defaults.helloRetryCookie,
      handshakeTimeout: protocol.handshakeTimeout ?? Defaults.handshakeTimeout,
      limits: { ...Limits.defaults, ...protocol.limits },
      ownIdentities: identities,
      resolveIdentities: resolveIdentity,
      ocspResponse
    }
  })

/** A key as a scheme wants it, without its bytes: enough to ask a provider whether it could verify with one. */
const sampleKey = ({ key }: SignatureSchemeInfo): PublicKey => {
  const bytes = new Uint8Array(0)
  switch (key._tag) {
    case "Ec":
      return { _tag: "Ec", curve: key.curve, point: bytes, spki: bytes }
    case "Rsa":
    case "RsaPss":
      return { _tag: key._tag, modulus: bytes, exponent: bytes, spki: bytes }
    case "Ed25519":
    case "Ed448":
      return { _tag: key._tag, bytes, spki: bytes }
  }
}

/** The best group, and beside a hybrid its classical half for servers that do not know it. */
const defaultKeyShares = (groups: ReadonlyArray<NamedGroup.NamedGroupInfo>): ReadonlyArray<NamedGroup.NamedGroup> => {
  const [first] = groups
  if (first === undefined) return []
  return first.code === NamedGroup.x25519MlKem768 && groups.some(({ code }) => code === NamedGroup.x25519)
    ? [first.code, NamedGroup.x25519]
    : [first.code]
}

/** A verifier decides by itself: were it to overrule silently what else is said of trust, nobody would notice. */
const checkTrust = ({ trust }: SecureContext): Either.Either<void, TlsConfigError> => {
  const { partialChain, revocation, verifier } = trust
  if (verifier === undefined) return Either.void
  const ignored =
    revocation !== undefined && revocation.mode !== "off"
      ? "revocation"
      : partialChain === true
        ? "partialChain"
        : undefined
  return ignored === undefined
    ? Either.void
    : Either.left(
        TlsConfigError.of(
          "InvalidOptions",
          `trust.${ignored}`,
          `the verifier ${verifier.name} does not know of it: give it to \`Verifier.webPki(store, { ${ignored} })\`, ` +
            "or leave `verifier` out"
        )
      )
}

const checkServer = ({ identities, resolveIdentity, trust }: SecureContext): Either.Either<void, TlsConfigError> => {
  if (identities.length === 0 && resolveIdentity === undefined) {
    return Either.left(
      TlsConfigError.of(
        "InvalidOptions",
        "identity",
        "a server needs a certificate chain and its key, or `resolveIdentity`"
      )
    )
  }
  const asks = trust.clientAuthentication === "request" || trust.clientAuthentication === "require"
  if (asks && trust.anchors === undefined && trust.verifier === undefined) {
    return Either.left(
      TlsConfigError.of(
        "InvalidOptions",
        "trust.anchors",
        "a server that asks for client certificates must say whom it trusts: set `anchors` or `verifier`"
      )
    )
  }
  return Either.right(undefined)
}

/** More bytes of names than this would make a CertificateRequest that peers refuse. */
const announcedBytes = 16_384

const withVerification = (
  policy: ProtocolPolicy,
  { trust }: SecureContext,
  role: "client" | "server"
): HandshakePolicy => {
  const announce = trust.announceAuthorities ?? role === "server"
  const authorities = (trust.anchors?.anchors ?? []).map((certificate) => certificate.subject.der)
  const { partialChain, revocation } = trust
  const options = {
    ...(revocation === undefined ? {} : { revocation }),
    ...(partialChain === undefined ? {} : { partialChain })
  }
  const verifier =
    trust.verifier ??
    (trust.anchors === undefined ? Verifiers.webPkiCurrentWith(options) : Verifiers.webPki(trust.anchors, options))
  return {
    ...policy,
    verifier,
    requestStaple: trust.requestStaple ?? verifier.wantsStaple === true,
    clientAuthentication: trust.clientAuthentication ?? "none",
    authorities:
      announce && authorities.reduce((length, name) => length + name.length + 2, 0) <= announcedBytes ? authorities : []
  }
}
