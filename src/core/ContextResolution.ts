/**
 * What a handshake goes by: a SecureContext with the defaults filled in, cut to what the provider can do.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as CipherSuite from "../schema/CipherSuite.ts"
import * as Defaults from "../schema/Defaults.ts"
import * as Limits from "../schema/Limits.ts"
import * as NamedGroup from "../schema/NamedGroup.ts"
import * as Policy from "../schema/Policy.ts"
import type { PublicKey } from "../schema/PublicKey.ts"
import * as PublicKeys from "../schema/PublicKey.ts"
import type { SignatureSchemeInfo, SignatureSchemeName } from "../schema/SignatureScheme.ts"
import * as SignatureScheme from "../schema/SignatureScheme.ts"
import { TlsConfigError } from "../schema/TlsError.ts"
import type { CryptoProviderService } from "./CryptoProvider.ts"
import type { HandshakePolicy, PolicySelector } from "./HandshakePolicy.ts"
import type { Identity } from "./Identity.ts"
import * as KeyAgreement from "./KeyAgreement.ts"
import type { SecureContext, Sessions, Trust } from "./SecureContext.ts"
import { mostLifetime } from "./SessionTerms.ts"
import * as Step from "./Step.ts"
import * as Verifiers from "./Verifier.ts"

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
        withVerification({ ...policy, selectPolicy: policySelector(context, crypto) }, context, "server")
      )
    )
  }
  resolved.set(context, { crypto, policies })
  return policies[role]
}

type ProtocolPolicy = Omit<HandshakePolicy, "verifier" | "requestStaple" | "clientAuthentication" | "authorities">

const resolveProtocol = (
  { identities, ocspResponse, protocol, resolveIdentity, selectAlpn, sessions }: SecureContext,
  crypto: CryptoProviderService
): Either.Either<ProtocolPolicy, TlsConfigError> =>
  Either.gen(function* () {
    const { capabilities } = crypto
    const policy = Policy.fromName(protocol.policy ?? Defaults.policy)
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
      policy.cipherSuites,
      CipherSuite.fromName,
      ({ aead, hash }) => capabilities.aeads.has(aead) && capabilities.hashes.has(hash)
    )
    const groups = yield* select("groups", protocol.groups, policy.groups, NamedGroup.fromName, ({ code }) =>
      protocol.groups === undefined && code === NamedGroup.x25519MlKem768
        ? KeyAgreement.isSupported(capabilities, code) && KeyAgreement.isNative(capabilities, code)
        : KeyAgreement.isSupported(capabilities, code)
    )
    const verifiable = (scheme: SignatureSchemeInfo) => capabilities.verify(scheme.algorithm, sampleKey(scheme))
    const signatureSchemes = yield* select<SignatureSchemeName, SignatureSchemeInfo>(
      "signatureSchemes",
      protocol.signatureSchemes,
      policy.signatureSchemes,
      SignatureScheme.fromName,
      verifiable
    )
    const certificateSignatureSchemes = yield* select<SignatureSchemeName, SignatureSchemeInfo>(
      "certificateSignatureSchemes",
      protocol.certificateSignatureSchemes,
      [...(protocol.signatureSchemes ?? policy.signatureSchemes), ...policy.certificateOnlySchemes].filter(
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
          "PKCS#1 v1.5 and SHA-1 sign certificates only: TLS 1.3 needs another scheme for the handshake"
        )
      )
    }
    const limits = { ...Limits.defaults, rsaModulusMin: policy.rsaModulusMin, ...protocol.limits }
    yield* checkLimits(limits)
    yield* checkKeys(identities, protocol.limits)
    const mute = identities.filter((identity) => !canSign(identity, signatureSchemes))
    if (mute.length > 0 && mute.length === identities.length) yield* Either.left(cannotSign(mute[0]!, signatureSchemes))
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
    yield* checkSessions(sessions)
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
      limits,
      ownIdentities: identities,
      resolveIdentities: resolveIdentity,
      ocspResponse,
      selectPolicy: undefined,
      sessions: {
        ticketKeys: sessions.ticketKeys,
        cache: sessions.cache,
        tickets: sessions.tickets ?? Defaults.tickets,
        lifetime: Math.floor(Duration.toSeconds(sessions.lifetime ?? Defaults.sessionLifetime)),
        context: sessions.context ?? ""
      }
    }
  })

// ---------------------------------------------------------------------------------------------------------------------
// Selection
// ---------------------------------------------------------------------------------------------------------------------

const saysWhom = ({ anchors, verifier }: Trust): boolean => anchors !== undefined || verifier !== undefined

/**
 * What a selected context makes of the one that selected it: what it says goes first. It is someone else for another
 * name: it does not show the other's identities, and whom it believes is not a matter of the other's verifier.
 */
const selectedOver = (base: SecureContext, chosen: SecureContext): SecureContext => {
  const isSomebody = chosen.identities.length > 0 || chosen.resolveIdentity !== undefined
  const { anchors: _, partialChain: __, revocation: ___, verifier: ____, ...others } = base.trust
  return {
    ...base,
    protocol: {
      ...base.protocol,
      ...chosen.protocol,
      limits: { ...base.protocol.limits, ...chosen.protocol.limits }
    },
    identities: isSomebody ? chosen.identities : base.identities,
    resolveIdentity: isSomebody ? chosen.resolveIdentity : base.resolveIdentity,
    ocspResponse: isSomebody ? chosen.ocspResponse : (chosen.ocspResponse ?? base.ocspResponse),
    selectAlpn: chosen.selectAlpn ?? (chosen.protocol.alpn === undefined ? base.selectAlpn : undefined),
    selectContext: undefined,
    trust: { ...(saysWhom(chosen.trust) ? others : base.trust), ...chosen.trust },
    sessions: { ...base.sessions, ...chosen.sessions }
  }
}

const policySelector = (base: SecureContext, crypto: CryptoProviderService): PolicySelector | undefined => {
  const { selectContext } = base
  if (selectContext === undefined) return undefined
  const over = new WeakMap<SecureContext, SecureContext>()
  const ofChosen = (chosen: Option.Option<SecureContext>): Effect.Effect<HandshakePolicy, TlsConfigError> => {
    let context = base
    if (Option.isSome(chosen)) {
      const known = over.get(chosen.value)
      context = known ?? selectedOver(base, chosen.value)
      if (known === undefined) over.set(chosen.value, context)
    }
    return Either.match(resolve(context, crypto, "server"), { onLeft: Exit.fail, onRight: Exit.succeed })
  }
  return (serverName, hello) => {
    const selected = Step.begin(selectContext(serverName, hello))
    const now = Step.successOf(selected)
    return now === undefined ? Effect.flatMap(selected, ofChosen) : ofChosen(now.value)
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Checks
// ---------------------------------------------------------------------------------------------------------------------

/** A key as a scheme wants it, without its bytes: enough to ask a provider whether it could verify with one. */
const sampleKey = ({ key }: SignatureSchemeInfo): PublicKey => {
  const bytes = new Uint8Array(0)
  switch (key._tag) {
    case "Ec":
      return { _tag: "Ec", curve: key.curve ?? "P-256", point: bytes, spki: bytes }
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

/** Bounds of what a ticket may say (RFC 9846 §4.6.1), and of what a client takes at once. */
const checkSessions = ({ lifetime, tickets = 0 }: Sessions): Either.Either<void, TlsConfigError> => {
  const seconds = lifetime === undefined ? 1 : Duration.toSeconds(lifetime)
  if (!(seconds >= 1 && seconds <= mostLifetime)) {
    const message = `a session lasts from a second to 7 days, found ${seconds} seconds`
    return Either.left(TlsConfigError.of("InvalidOptions", "sessions.lifetime", message))
  }
  return Number.isInteger(tickets) && tickets >= 0 && tickets <= 16
    ? Either.void
    : Either.left(
        TlsConfigError.of("InvalidOptions", "sessions.tickets", `a whole number from 0 to 16, found ${tickets}`)
      )
}

const checkLimits = ({ rsaModulusMax, rsaModulusMin }: Limits.Limits): Either.Either<void, TlsConfigError> =>
  rsaModulusMin <= rsaModulusMax
    ? Either.void
    : Either.left(
        TlsConfigError.of(
          "InvalidOptions",
          "protocol.limits.rsaModulusMin",
          `${rsaModulusMin} bits at least and ${rsaModulusMax} at most (\`rsaModulusMax\`) leave no RSA key`
        )
      )

const called = ({ certificateChain: [leaf], privateKey }: Identity): string =>
  `"${leaf.subject.toString()}" (${PublicKeys.format(privateKey.publicKey)})`

/**
 * Who says how long keys must be, and shows one that is shorter, does not mean one of the two. What a policy asks of peers
 * is not asked of us: they may think otherwise.
 */
const checkKeys = (
  identities: ReadonlyArray<Identity>,
  { rsaModulusMin = 0 }: Partial<Limits.Limits> = {}
): Either.Either<void, TlsConfigError> => {
  const weak = identities.find(({ privateKey: { publicKey } }) => {
    const isRsa = publicKey._tag === "Rsa" || publicKey._tag === "RsaPss"
    return isRsa && PublicKeys.modulusBits(publicKey) < rsaModulusMin
  })
  return weak === undefined
    ? Either.void
    : Either.left(
        TlsConfigError.of(
          "InvalidOptions",
          "identity",
          `the key of ${called(weak)} is too small: \`protocol.limits.rsaModulusMin\` is ${rsaModulusMin}`
        )
      )
}

const canSign = ({ privateKey }: Identity, schemes: ReadonlyArray<SignatureSchemeInfo>): boolean =>
  schemes.some(({ code, handshake }) => handshake && privateKey.schemes.includes(code))

const forHandshakes = (code: SignatureScheme.SignatureScheme): ReadonlyArray<string> =>
  SignatureScheme.info(code)?.handshake === true ? [SignatureScheme.name(code)] : []

const cannotSign = (identity: Identity, schemes: ReadonlyArray<SignatureSchemeInfo>): TlsConfigError =>
  TlsConfigError.of(
    "InvalidOptions",
    "protocol.signatureSchemes",
    `the key of ${called(identity)} signs with none of ${schemes.map(({ name }) => name).join(", ")}: ` +
      `it can ${identity.privateKey.schemes.flatMap(forHandshakes).join(", ")}`
  )

/**
 * That each identity can sign with a scheme of the context. Contexts that are merged may have one that cannot, as long as
 * another can; who says both at once means something else.
 *
 * @since 0.1.0
 * @category resolving
 */
export const checkIdentities = ({
  ownIdentities,
  signatureSchemes
}: HandshakePolicy): Either.Either<void, TlsConfigError> => {
  const mute = ownIdentities.find((identity) => !canSign(identity, signatureSchemes))
  return mute === undefined ? Either.void : Either.left(cannotSign(mute, signatureSchemes))
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

const checkServer = ({
  identities,
  resolveIdentity,
  selectContext,
  trust
}: SecureContext): Either.Either<void, TlsConfigError> => {
  if (identities.length === 0 && resolveIdentity === undefined && selectContext === undefined) {
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
