/**
 * A SecureContext says how to speak TLS and as whom: protocol, identity, trust and sessions as one immutable value. It
 * holds only what was said; defaults are filled in when a handshake begins, so that contexts merge.
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
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { dual } from "effect/Function"
import type * as Option from "effect/Option"
import type { Pipeable } from "effect/Pipeable"
import { pipeArguments } from "effect/Pipeable"
import type * as Scope from "effect/Scope"
import type { ClientHello } from "../schema/HandshakeMessage.ts"
import * as Limits from "../schema/Limits.ts"
import type { PolicyName } from "../schema/Policy.ts"
import type { ProtocolOptions } from "../schema/ProtocolOptions.ts"
import type { ServerName } from "../schema/ServerName.ts"
import type { TlsConfigError } from "../schema/TlsError.ts"
import * as ContextResolution from "./ContextResolution.ts"
import { CryptoProvider } from "./CryptoProvider.ts"
import type { AlpnSelector, ClientAuthentication, OcspResponder } from "./HandshakePolicy.ts"
import type { Identity, IdentityResolver } from "./Identity.ts"
import * as IdentityLoading from "./IdentityLoading.ts"
import type { CertificatesInput, IdentityOptions } from "./IdentityOptions.ts"
import * as OptionSchema from "./OptionSchema.ts"
import type { RevocationOptions } from "./Revocation.ts"
import * as RevocationInput from "./RevocationInput.ts"
import { SecureContextOptions } from "./SecureContextOptions.ts"
import type { SessionCache } from "./SessionCache.ts"
import type { TicketKeys } from "./TicketKeys.ts"
import type { TrustStore } from "./TrustStore.ts"
import * as TrustStores from "./TrustStore.ts"
import type { Verifier } from "./Verifier.ts"

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
 * What is kept of connections so that later ones can resume them, as far as it was said. Without ticket keys a server gives
 * no tickets, and without a cache a client has nothing to resume: then every handshake is a full one.
 *
 * @since 0.1.0
 * @category models
 */
export interface Sessions {
  readonly ticketKeys?: TicketKeys
  readonly cache?: SessionCache
  readonly tickets?: number
  readonly lifetime?: Duration.Duration
  readonly context?: string
}

/**
 * Finds what a server goes by for a name; none means what it says for all others. What the found context does not say,
 * the server's says; its versions, limits on messages and deadline hold before there is a name. May be slow, fail or be
 * interrupted: the handshake's deadline covers it.
 *
 * @since 0.1.0
 * @category models
 */
export type ContextSelector = (
  serverName: Option.Option<ServerName>,
  hello: ClientHello
) => Effect.Effect<Option.Option<SecureContext>, unknown>

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
  readonly selectContext: ContextSelector | undefined
  readonly ocspResponse: OcspResponder | undefined
  readonly trust: Trust
  readonly sessions: Sessions
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
  selectContext: undefined,
  ocspResponse: undefined,
  trust: {},
  sessions: {}
})

const withPolicy = (policy: PolicyName): SecureContext => fromParts({ ...empty, protocol: { policy } })

/**
 * The policy `strict` and nothing else: TLS 1.3 only, forward secret, and hybrid first where that is native. Of policies
 * that are merged the last one holds, and what is said by name goes before each.
 *
 * @since 0.1.0
 * @category policies
 */
export const strict: SecureContext = withPolicy("strict")

/**
 * The policy that holds where none is said. Merged over another it takes that one back.
 *
 * @since 0.1.0
 * @category policies
 */
export const modern: SecureContext = withPolicy("modern")

/**
 * The policy `compatible`: with the groups ffdhe2048, 3072 and 4096 after the elliptic ones, where the provider has them.
 *
 * @since 0.1.0
 * @category policies
 */
export const compatible: SecureContext = withPolicy("compatible")

/**
 * The policy `legacy`: as `compatible`, and with certificates that are signed over SHA-1 or have RSA keys of 1024 bits.
 * For one endpoint that has nothing else, never a default: such certificates can be forged.
 *
 * @since 0.1.0
 * @category policies
 */
export const legacy: SecureContext = withPolicy("legacy")

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
      selectContext: undefined,
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
      } as Trust,
      sessions: said.sessions ?? {}
    })
    yield* ContextResolution.checkIdentities(yield* ContextResolution.resolve(context, crypto, "client"))
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

/** Whoever says whom to trust means that, and not what a verifier that was said before believes. */
const mergeTrust = (self: Trust, that: Trust): Trust => {
  if (that.anchors === undefined) return { ...self, ...that }
  const { verifier: _, ...others } = self
  return { ...others, ...that }
}

/**
 * Both contexts as one: what `that` says goes before what `self` says, field by field, and identities accumulate. Anchors
 * go before a verifier too, which would not know of them. Associative, with `empty` as its identity.
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
    selectContext: that.selectContext ?? self.selectContext,
    ocspResponse: that.ocspResponse ?? self.ocspResponse,
    trust: mergeTrust(self.trust, that.trust),
    sessions: { ...self.sessions, ...that.sessions }
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
 * The context with this said of sessions.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withSessions: {
  (sessions: Sessions): (self: SecureContext) => SecureContext
  (self: SecureContext, sessions: Sessions): SecureContext
} = dual(2, (self: SecureContext, sessions: Sessions) => merge(self, { ...empty, sessions }))

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
 * The context with a function that chooses the application protocol, in place of the first of `protocol.alpn` that is
 * offered.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withAlpnSelector: {
  (select: AlpnSelector): (self: SecureContext) => SecureContext
  (self: SecureContext, select: AlpnSelector): SecureContext
} = dual(2, (self: SecureContext, selectAlpn: AlpnSelector) => merge(self, { ...empty, selectAlpn }))

/**
 * The context with a function that finds what a server goes by for a name, in place of one there was: of `NameLookup`
 * for instance. `ServerNameSelection.select` adds names to those there are.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withContextSelector: {
  (select: ContextSelector): (self: SecureContext) => SecureContext
  (self: SecureContext, select: ContextSelector): SecureContext
} = dual(2, (self: SecureContext, selectContext: ContextSelector) => merge(self, { ...empty, selectContext }))

/**
 * The context with a function that finds the OCSP response to staple.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withOcspResponder: {
  (respond: OcspResponder): (self: SecureContext) => SecureContext
  (self: SecureContext, respond: OcspResponder): SecureContext
} = dual(2, (self: SecureContext, ocspResponse: OcspResponder) => merge(self, { ...empty, ocspResponse }))

/**
 * @since 0.1.0
 * @category guards
 */
export const isSecureContext = (u: unknown): u is SecureContext => typeof u === "object" && u !== null && TypeId in u

export {
  /** @since 0.1.0 */
  resolve
} from "./ContextResolution.ts"
