/**
 * Verifiers: values that decide whether a peer is who it should be, after it has proven that it owns its key. They
 * compose.
 *
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Encoding from "effect/Encoding"
import * as Either from "effect/Either"
import { dual } from "effect/Function"
import * as Option from "effect/Option"
import type { Pipeable } from "effect/Pipeable"
import { pipeArguments } from "effect/Pipeable"
import * as Bytes from "../schema/Bytes.ts"
import type { Certificate } from "../schema/Certificate.ts"
import type { KeyUsage, NameConstraints } from "../schema/CertificateExtension.ts"
import type { ObjectIdentifier } from "../schema/ObjectIdentifier.ts"
import * as Defaults from "../schema/Defaults.ts"
import * as Limits from "../schema/Limits.ts"
import type { ServerName } from "../schema/ServerName.ts"
import type { SignatureScheme } from "../schema/SignatureScheme.ts"
import * as SignatureSchemes from "../schema/SignatureScheme.ts"
import type { CertificateReason } from "../schema/TlsError.ts"
import { CertificateError, TlsConfigError } from "../schema/TlsError.ts"
import type { PathPolicies, PolicyOptions } from "./CertificatePolicies.ts"
import type { Conformance } from "./CertificateRules.ts"
import { CryptoProvider } from "./CryptoProvider.ts"
import type { PathLimits } from "./PathValidation.ts"
import * as PathValidation from "./PathValidation.ts"
import type { RevocationOptions, RevocationPolicy, Staple } from "./Revocation.ts"
import * as Revocation from "./Revocation.ts"
import * as ServerIdentity from "./ServerIdentity.ts"
import type { TrustStore } from "./TrustStore.ts"
import * as TrustStores from "./TrustStore.ts"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: unique symbol = Symbol.for("effect-tls/Verifier")

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = typeof TypeId

/**
 * What is to be verified. `role` is what the peer is; `certificates` are as it sent them, the leaf first; `serverName`
 * is what a client expects of a server; `signatureSchemes` are those accepted in certificates. `verifiedPath` is what an
 * earlier verifier of an `and` found valid: what else a peer sends anybody could have put there. `staples` are the OCSP
 * responses that came with certificates, and absent where none were asked for.
 *
 * @since 0.1.0
 * @category models
 */
export interface VerificationRequest {
  readonly role: "server" | "client"
  readonly certificates: NonEmptyReadonlyArray<Certificate>
  readonly serverName: Option.Option<ServerName>
  readonly signatureSchemes: ReadonlyArray<SignatureScheme>
  readonly limits: PathLimits
  readonly verifiedPath?: NonEmptyReadonlyArray<Certificate>
  readonly staples?: ReadonlyArray<Staple>
}

/**
 * What to ask a verifier of certificates that did not come by a handshake: the leaf first, then whatever may help. What is
 * not said is as a handshake has it by default; without `serverName` names are not compared.
 *
 * @example
 * import { Effect } from "effect"
 * import { Certificate, ServerName, TrustStore, Verifier } from "effect-tls"
 *
 * const isTrusted = Effect.fnUntraced(function* (chainPem: string, name: string) {
 *   const certificates = yield* Certificate.fromPem(chainPem)
 *   const serverName = yield* ServerName.parse(name)
 *   const store = yield* TrustStore.Current
 *   return yield* Verifier.webPki(store).verify(Verifier.makeRequest(certificates, { serverName }))
 * })
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeRequest = (
  certificates: NonEmptyReadonlyArray<Certificate>,
  options: {
    readonly role?: "server" | "client"
    readonly serverName?: ServerName | undefined
    readonly signatureSchemes?: ReadonlyArray<SignatureScheme>
    readonly limits?: PathLimits
    readonly staples?: ReadonlyArray<Staple>
  } = {}
): VerificationRequest => ({
  role: "server",
  signatureSchemes: defaultSchemes,
  limits: Limits.defaults,
  ...options,
  certificates,
  serverName: Option.fromNullable(options.serverName)
})

const defaultSchemes: ReadonlyArray<SignatureScheme> = [
  ...Defaults.signatureSchemes,
  ...Defaults.certificateOnlySchemes
].flatMap((name) => SignatureSchemes.fromName(name)?.code ?? [])

/**
 * Why the peer was accepted: the path from its leaf to the anchor, or as much of it as the verifier vouches for (the leaf
 * alone, mostly), and which verifier it is. `unverified` says that nobody looked: such a peer may be anybody.
 *
 * @since 0.1.0
 * @category models
 */
export interface Verification {
  readonly path: NonEmptyReadonlyArray<Certificate>
  readonly vouchedBy: string
  /** The certificate policies the path is valid for, where the verifier looked. */
  readonly policies?: PathPolicies
  readonly unverified?: true
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Verifier extends Pipeable {
  readonly [TypeId]: TypeId
  readonly name: string
  readonly verify: (request: VerificationRequest) => Effect.Effect<Verification, CertificateError, CryptoProvider>
  /** Whether it knows what to do with `staples`: clients then ask for them. */
  readonly wantsStaple?: boolean
}

/** What is known to be the peer's: the path an earlier verifier found, or the leaf alone, whose key it owns. */
const known = ({ certificates, verifiedPath }: VerificationRequest): NonEmptyReadonlyArray<Certificate> =>
  verifiedPath ?? [certificates[0]]

/**
 * @since 0.1.0
 * @category guards
 */
export const isVerifier = (u: unknown): u is Verifier => typeof u === "object" && u !== null && TypeId in u

/**
 * A verifier from its function. What it fails with should come from `refuse`. One with `wantsStaple` has clients ask for
 * OCSP responses.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  name: string,
  verify: Verifier["verify"],
  { wantsStaple = false }: Pick<Verifier, "wantsStaple"> = {}
): Verifier => ({
  [TypeId]: TypeId,
  name,
  verify,
  wantsStaple,
  pipe() {
    return pipeArguments(this, arguments)
  }
})

/**
 * The refusal of a peer, about its leaf: for verifiers of one's own.
 *
 * @since 0.1.0
 * @category errors
 */
export const refuse = (
  request: VerificationRequest,
  reason: CertificateReason,
  detail: string
): Effect.Effect<never, CertificateError, CryptoProvider> =>
  Effect.flatMap(CryptoProvider, (crypto) =>
    Effect.fail(
      PathValidation.toError(crypto, TrustStores.empty, request.verifiedPath ?? request.certificates, 0, {
        reason,
        detail
      })
    )
  )

// ---------------------------------------------------------------------------------------------------------------------
// The web's way
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Verifies the name in the certificate alone: that the leaf is for the server that the client expects, and nothing of
 * who says so. Where no name is expected, there is nothing to refuse.
 *
 * @since 0.1.0
 * @category verifiers
 */
export const serverName: Verifier = make("serverName", (request) =>
  Effect.map(requireName(request, known(request), TrustStores.empty), (path) => ({ path, vouchedBy: "serverName" }))
)

const requireName = (
  { serverName: expected }: VerificationRequest,
  path: NonEmptyReadonlyArray<Certificate>,
  anchors: TrustStore,
  matches = ServerIdentity.matches
): Effect.Effect<NonEmptyReadonlyArray<Certificate>, CertificateError, CryptoProvider> => {
  if (Option.isNone(expected) || matches(expected.value, path[0])) return Effect.succeed(path)
  const presentedNames = ServerIdentity.presentedNames(path[0])
  const expectedName = expected.value.toString()
  const presented =
    presentedNames.length > 0
      ? `it is for ${summary(presentedNames)}`
      : path[0].subject.commonName === undefined
        ? "it has no names"
        : "it has no subjectAltName, and a common name does not count"
  return Effect.flatMap(CryptoProvider, (crypto) => {
    const problem = { reason: "NameMismatch", detail: `it is not for ${expectedName}: ${presented}` } as const
    const { chain, depth, message, reason } = PathValidation.toError(crypto, anchors, path, 0, problem)
    return Effect.fail(new CertificateError({ reason, message, depth, chain, presentedNames, expectedName }))
  })
}

const summary = (names: ReadonlyArray<string>): string =>
  names.length > 8 ? `${names.slice(0, 8).join(", ")} and ${names.length - 8} more` : names.join(", ")

/**
 * @since 0.1.0
 * @category models
 */
export interface WebPkiOptions {
  /** How closely certificates have to keep to their profiles, `practice` unless told. */
  readonly conformance?: Conformance
  /** One of these the leaf's key usage, where it has one, has to contain; `digitalSignature` unless told. */
  readonly keyUsage?: ReadonlyArray<KeyUsage>
  /** What the path has to be good for, each of these; unless told, TLS in the peer's role. */
  readonly purposes?: ReadonlyArray<ObjectIdentifier>
  /** What is asked of certificate policies; unless told, nothing but what the authorities of the path ask. */
  readonly policies?: PolicyOptions
  /** The names that certificates below the anchor may have, whatever their authorities say. */
  readonly nameConstraints?: NameConstraints
  /** Intermediate certificates at most, self-issued ones not counted; `limits.intermediates` holds in any case. */
  readonly maxPathLength?: number
  /** Whether a path may end at a trusted certificate that is no root, as an intermediate one; it may not unless told. */
  readonly partialChain?: boolean
  /** Whether certificates are revoked is not looked at unless told. */
  readonly revocation?: RevocationOptions
  /** Whether the leaf is for the expected server; `ServerIdentity.matches` unless told. Asked after all else passed. */
  readonly matchesServerName?: (expected: ServerName, leaf: Certificate) => boolean
}

const verifyWebPki = (
  store: TrustStore,
  request: VerificationRequest,
  vouchedBy: string,
  { matchesServerName, ...options }: Omit<WebPkiOptions, "revocation">,
  revocation: RevocationPolicy
): Effect.Effect<Verification, CertificateError, CryptoProvider> =>
  Effect.gen(function* () {
    const { certificates, limits, role, signatureSchemes } = request
    const time = yield* Clock.currentTimeMillis
    const { path, policies } = yield* Revocation.buildPath(revocation, {
      role,
      certificates,
      anchors: store,
      signatureSchemes,
      limits,
      time,
      // Who compares names in a way of their own may go by the common name.
      isCommonNameHost: matchesServerName !== undefined && Option.isSome(request.serverName),
      ...(request.staples === undefined ? {} : { staples: request.staples }),
      ...options
    })
    return { path: yield* requireName(request, path, store, matchesServerName), vouchedBy, policies }
  })

/**
 * Verifies as browsers do: a valid path (RFC 5280) from the peer's certificate to an anchor of the store, and the name
 * of the server where one is expected.
 *
 * @since 0.1.0
 * @category verifiers
 */
export const webPki = (store: TrustStore, options: WebPkiOptions = {}): Verifier => {
  const name = `webPki(${store.name})`
  const { revocation, ...others } = options
  const policy = Revocation.make(revocation ?? { mode: "off" })
  return make(name, (request) => verifyWebPki(store, request, name, others, policy), policy)
}

/**
 * As `webPki`, with the store that is `TrustStore.Current` where the handshake runs.
 *
 * @since 0.1.0
 * @category verifiers
 */
export const webPkiCurrentWith = (options: WebPkiOptions): Verifier => {
  const { revocation, ...others } = options
  const policy = Revocation.make(revocation ?? { mode: "off" })
  return make(
    "webPki",
    (request) =>
      Effect.flatMap(TrustStores.Current, (store) =>
        verifyWebPki(store, request, `webPki(${store.name})`, others, policy)
      ),
    policy
  )
}

/**
 * As `webPkiCurrentWith` without options.
 *
 * @since 0.1.0
 * @category verifiers
 */
export const webPkiCurrent: Verifier = webPkiCurrentWith({})

// ---------------------------------------------------------------------------------------------------------------------
// Pins
// ---------------------------------------------------------------------------------------------------------------------

const readPins = (
  what: string,
  pins: NonEmptyReadonlyArray<string>,
  read: (pin: string) => Either.Either<Uint8Array, unknown>
): ReadonlyArray<Uint8Array> =>
  pins.map((pin, i) => {
    const bytes = read(pin)
    if (Either.isRight(bytes) && bytes.right.length === 32) return bytes.right
    // A pin is not secret, and one that can never match should be heard of before the first connection.
    throw TlsConfigError.of("InvalidOptions", `${what}[${i}]`, `${JSON.stringify(pin)} is not a SHA-256 hash`)
  })

const hasPin = (pins: ReadonlyArray<Uint8Array>, hash: Uint8Array): boolean =>
  pins.some((pin) => Bytes.equals(pin, hash))

/**
 * Accepts a peer whose public key has one of these SHA-256 hashes (of the SubjectPublicKeyInfo, base64, as in RFC 7469;
 * `sha256/` before it is allowed). Alone it looks at the peer's own key; after `webPki` in an `and` at every key of the
 * path. Have a second pin for a key in reserve. Throws a `TlsConfigError` when a pin is not one.
 *
 * @example
 * import { TrustStore, Verifier } from "effect-tls"
 *
 * const verifier = (store: TrustStore.TrustStore) =>
 *   Verifier.webPki(store).pipe(
 *     Verifier.and(Verifier.pinSha256(["r/mIkG3eEpVdm+u/ko/cwxzOMo1bk4TyHIlByibiA5E="]))
 *   )
 *
 * @since 0.1.0
 * @category verifiers
 */
export const pinSha256 = (pins: NonEmptyReadonlyArray<string>): Verifier => {
  const accepted = readPins("pinSha256", pins, (pin) => Encoding.decodeBase64(pin.replace(/^sha256[/:]/, "")))
  return make("pinSha256", (request) =>
    Effect.flatMap(CryptoProvider, (crypto) => {
      const path = known(request)
      return path.some(({ publicKey }) => hasPin(accepted, crypto.hash("SHA-256", publicKey.spki)))
        ? Effect.succeed({ path, vouchedBy: "pinSha256" })
        : refuse(request, "Pin", "no key of the path is pinned")
    })
  )
}

/**
 * Accepts a peer whose own certificate has one of these SHA-256 fingerprints (hex, colons and case do not matter).
 * Throws a `TlsConfigError` when one is no fingerprint.
 *
 * @since 0.1.0
 * @category verifiers
 */
export const fingerprint = (...fingerprints: NonEmptyReadonlyArray<string>): Verifier => {
  const accepted = readPins("fingerprint", fingerprints, (text) =>
    Encoding.decodeHex(text.replace(/:/g, "").toLowerCase())
  )
  return make("fingerprint", (request) =>
    Effect.flatMap(CryptoProvider, (crypto) => {
      const [leaf] = request.certificates
      return hasPin(accepted, crypto.hash("SHA-256", leaf.der))
        ? Effect.succeed({ path: known(request), vouchedBy: "fingerprint" })
        : refuse(request, "Pin", "its fingerprint is not among those accepted")
    })
  )
}

// ---------------------------------------------------------------------------------------------------------------------
// One's own, and none
// ---------------------------------------------------------------------------------------------------------------------

/**
 * A verifier of one's own: the effect succeeds, or fails by `refuse`. It runs after the peer has proven that it owns
 * the leaf's key; everything else about the certificates is for it to check, unless it comes second in an `and`.
 *
 * @since 0.1.0
 * @category verifiers
 */
export const custom = (
  name: string,
  check: (request: VerificationRequest) => Effect.Effect<unknown, CertificateError, CryptoProvider>
): Verifier => make(name, (request) => Effect.map(check(request), () => ({ path: known(request), vouchedBy: name })))

/**
 * Accepts everybody: the connection is encrypted, and nobody knows to whom. For tests and for looking at servers.
 *
 * @since 0.1.0
 * @category verifiers
 */
export const dangerouslySkipVerification: Verifier = make("dangerouslySkipVerification", ({ certificates }) =>
  Effect.succeed({ path: certificates, vouchedBy: "dangerouslySkipVerification", unverified: true })
)

// ---------------------------------------------------------------------------------------------------------------------
// Combinators
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Accepts a peer that both accept. The second is told the path the first found, and its own is the result's.
 *
 * @since 0.1.0
 * @category combinators
 */
export const and: {
  (that: Verifier): (self: Verifier) => Verifier
  (self: Verifier, that: Verifier): Verifier
} = dual(2, (self: Verifier, that: Verifier): Verifier =>
  make(
    `${self.name} and ${that.name}`,
    (request) =>
      Effect.flatMap(self.verify(request), (first) =>
        Effect.map(
          that.verify(first.unverified === true ? request : { ...request, verifiedPath: first.path }),
          (second) => {
            const policies = second.policies ?? first.policies
            return {
              path: second.path,
              vouchedBy: `${first.vouchedBy} and ${second.vouchedBy}`,
              ...(policies === undefined ? {} : { policies }),
              ...(first.unverified === true && second.unverified === true ? { unverified: true as const } : {})
            }
          }
        )
      ),
    eitherWants(self, that)
  )
)

const eitherWants = (a: Verifier, b: Verifier): Pick<Verifier, "wantsStaple"> => ({
  wantsStaple: a.wantsStaple === true || b.wantsStaple === true
})

/**
 * Accepts a peer that either accepts; the second is asked when the first refuses. When both do, the error is the
 * first's, and its message has both reasons.
 *
 * @since 0.1.0
 * @category combinators
 */
export const or: {
  (that: Verifier): (self: Verifier) => Verifier
  (self: Verifier, that: Verifier): Verifier
} = dual(2, (self: Verifier, that: Verifier): Verifier =>
  make(
    `${self.name} or ${that.name}`,
    (request) =>
      Effect.catchAll(self.verify(request), (first) =>
        Effect.mapError(that.verify(request), (second) => {
          const { chain, depth, expectedName, presentedNames, reason } = first
          return new CertificateError({
            reason,
            message: `${self.name}: ${first.message}; ${that.name}: ${second.message}`,
            depth,
            chain,
            ...(presentedNames === undefined ? {} : { presentedNames }),
            ...(expectedName === undefined ? {} : { expectedName })
          })
        })
      ),
    eitherWants(self, that)
  )
)
