/**
 * Proofs (RFC 9846 §4.4): that a peer owns the key of its certificate, that the certificate is who it should be, that
 * both sides saw the same handshake. Each proof is a branded value that only its check can make, so that code which
 * needs one cannot be reached without it.
 *
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Arr from "effect/Array"
import type * as Brand from "effect/Brand"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import type { LazyArg } from "effect/Function"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import { concat } from "../schema/Bytes.ts"
import * as Certificate from "../schema/Certificate.ts"
import type { Extension } from "../schema/Extension.ts"
import { find } from "../schema/Extension.ts"
import type * as Message from "../schema/HandshakeMessage.ts"
import type { PublicKey } from "../schema/PublicKey.ts"
import type { ServerName } from "../schema/ServerName.ts"
import type { Session } from "../schema/Session.ts"
import type { SignatureSchemeInfo } from "../schema/SignatureScheme.ts"
import * as SignatureScheme from "../schema/SignatureScheme.ts"
import type { TlsError } from "../schema/TlsError.ts"
import { CertificateError } from "../schema/TlsError.ts"
import type { PeerIdentity } from "./ConnectionInfo.ts"
import { CryptoError } from "./CryptoProvider.ts"
import type { HandshakeChannel, Role } from "./HandshakeChannel.ts"
import type { HandshakePolicy } from "./HandshakePolicy.ts"
import * as HandshakeSpan from "./HandshakeSpan.ts"
import type { ChosenIdentity } from "./Identity.ts"
import type { KeySchedule, TrafficSecret, TranscriptHash } from "./KeySchedule.ts"
import type { Staple } from "./Revocation.ts"
import * as ServerIdentity from "./ServerIdentity.ts"
import * as Step from "./Step.ts"
import type { Verification } from "./Verifier.ts"

/**
 * The peer signed this handshake with the key of its leaf certificate.
 *
 * @since 0.1.0
 * @category models
 */
export type KeyPossession = Brand.Brand<"effect-tls/KeyPossession"> & {
  readonly certificates: NonEmptyReadonlyArray<Certificate.Certificate>
  readonly scheme: SignatureSchemeInfo
}

/**
 * The verifier accepted a peer that owns its key.
 *
 * @since 0.1.0
 * @category models
 */
export type VerifiedPeer = Brand.Brand<"effect-tls/VerifiedPeer"> & {
  readonly possession: KeyPossession
  readonly verification: Verification
}

/**
 * The peer's Finished is right: it saw the handshake that we saw.
 *
 * @since 0.1.0
 * @category models
 */
export type FinishedVerified = Brand.Brand<"effect-tls/FinishedVerified"> & { readonly by: Role }

const encoder = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0))

const signaturePrefix: { readonly [R in Role]: Uint8Array } = {
  client: concat([new Uint8Array(64).fill(0x20), encoder("TLS 1.3, client CertificateVerify"), Uint8Array.of(0)]),
  server: concat([new Uint8Array(64).fill(0x20), encoder("TLS 1.3, server CertificateVerify"), Uint8Array.of(0)])
}

/**
 * What a CertificateVerify signs (RFC 9846 §4.4.3).
 *
 * @since 0.1.0
 * @category signatures
 */
export const signedContent = (signer: Role, transcript: TranscriptHash): Uint8Array =>
  concat([signaturePrefix[signer], transcript])

/**
 * Whether a scheme is made for a key: in TLS 1.3 an ECDSA scheme names its curve, and `rsae` and `pss` their key type.
 *
 * @since 0.1.0
 * @category signatures
 */
export const schemeFits = ({ key: wanted }: SignatureSchemeInfo, key: PublicKey): boolean =>
  wanted._tag === key._tag && (wanted._tag !== "Ec" || (key._tag === "Ec" && wanted.curve === key.curve))

/**
 * The signatures we accept, as extensions of a ClientHello or CertificateRequest. What signs certificates only stands in
 * signature_algorithms too, since that is where servers look, and no handshake can be signed with it. Where certificates
 * may have more or less than that, signature_algorithms_cert says what (RFC 9846 §4.2.3). SHA-1 stands last in both.
 *
 * @since 0.1.0
 * @category signatures
 */
export const signatureAlgorithms = (policy: HandshakePolicy): ReadonlyArray<Extension> => {
  const forCertificates = sha1Last(policy.certificateSignatureSchemes)
  const schemes = Arr.dedupe(
    sha1Last([...policy.signatureSchemes, ...forCertificates.filter(({ handshake }) => !handshake)]).map(
      ({ code }) => code
    )
  )
  const isSame =
    forCertificates.length === schemes.length && forCertificates.every(({ code }) => schemes.includes(code))
  return [
    { _tag: "SignatureAlgorithms", schemes },
    ...(isSame ? [] : [{ _tag: "SignatureAlgorithmsCert" as const, schemes: forCertificates.map(({ code }) => code) }])
  ]
}

const sha1Last = (schemes: ReadonlyArray<SignatureSchemeInfo>): ReadonlyArray<SignatureSchemeInfo> =>
  Arr.partition(schemes, SignatureScheme.isSha1).flat()

/**
 * Runs an effect of the user's, or of the provider's, inside a handshake: what it fails with, a defect included, ends
 * this connection with `internal_error`, and nothing else; so does a result that `isResult` knows not to be one. The
 * protocol's own errors pass.
 *
 * @since 0.1.0
 * @category hooks
 */
export const guard = <A, E, R>(
  flight: HandshakeChannel,
  reason: "HookFailed" | "SigningFailed" | "CryptoFailed",
  what: string,
  effect: LazyArg<Effect.Effect<A, E, R>>,
  isResult: (result: A) => boolean = () => true
): Effect.Effect<A, TlsError, R> =>
  new Step.Step((): Effect.Effect<A, TlsError, R> => {
    const failed = (error: unknown) =>
      isProtocolError(error) ? Exit.fail(error) : flight.fail(reason, `${what} failed`, error)
    const check = (result: A): Effect.Effect<A, TlsError> =>
      isResult(result) ? Exit.succeed(result) : failed(new TypeError(`${what} gave a result of the wrong type`))
    let begun: Effect.Effect<A, E, R>
    try {
      begun = Step.begin(effect())
    } catch (defect) {
      return failed(defect)
    }
    const success = Step.successOf(begun)
    if (success !== undefined) return check(success.value)
    // Interruption of the handshake itself never comes here; a hook that interrupts itself failed.
    return Effect.matchCauseEffect(begun, { onFailure: (cause) => failed(Cause.squash(cause)), onSuccess: check })
  })

const protocolTags: ReadonlySet<unknown> = new Set(["CertificateError", "HandshakeError"])

const isProtocolError = (error: unknown): error is TlsError =>
  error instanceof Error && "_tag" in error && protocolTags.has(error._tag)

/**
 * The provider's errors as the protocol's: what the peer sent is its fault, everything else ours.
 *
 * @since 0.1.0
 * @category hooks
 */
export const guardCrypto = <A>(
  flight: HandshakeChannel,
  what: string,
  effect: Effect.Effect<A, CryptoError>
): Effect.Effect<A, TlsError> =>
  guard(flight, "CryptoFailed", what, () =>
    Step.mapError(effect, (error) =>
      error.reason === "InvalidPeerInput" ? flight.error("IllegalParameter", `${what}: ${error.detail}`) : error
    )
  )

/**
 * The certificates of a Certificate message, decoded, leaf first, or none where the peer has none to show. Only the leaf
 * must decode: of the others any that help are taken.
 *
 * @since 0.1.0
 * @category certificates
 */
export const decodeChain = ({
  entries
}: Message.Certificate): Either.Either<ReadonlyArray<Certificate.Certificate>, CertificateError> => {
  const [leaf, ...others] = entries.map(({ certificate }) => Certificate.decodeCached(certificate))
  if (leaf === undefined) return Either.right([])
  return Either.mapBoth(leaf, {
    onLeft: ({ message }) =>
      new CertificateError({ reason: "Malformed", message: `certificate 0: ${message}`, depth: 0, chain: [] }),
    onRight: (certificate) => [certificate, ...Arr.getRights(others)]
  })
}

/**
 * The OCSP responses that came with certificates, with those that can be read.
 *
 * @since 0.1.0
 * @category certificates
 */
export const staplesOf = ({ entries }: Message.Certificate): ReadonlyArray<Staple> =>
  entries.flatMap(({ certificate, extensions }) => {
    const response = find(extensions, "CertificateStatus")?.response
    if (response === undefined) return []
    const about = Certificate.decodeCached(certificate)
    return Either.isRight(about) ? [{ certificate: about.right, response }] : []
  })

/**
 * Checks a CertificateVerify. `transcript` is the hash up to the Certificate message.
 *
 * @since 0.1.0
 * @category proofs
 */
export const verifyPossession = function* (
  flight: HandshakeChannel,
  policy: HandshakePolicy,
  certificates: NonEmptyReadonlyArray<Certificate.Certificate>,
  proof: Message.CertificateVerify,
  transcript: TranscriptHash
) {
  const scheme = policy.signatureSchemes.find((offered) => offered.code === proof.scheme && offered.handshake)
  if (scheme === undefined) {
    return yield* flight.fail(
      "IllegalParameter",
      `the peer signed with ${SignatureScheme.name(proof.scheme)}, which was not offered`
    )
  }
  const key = Arr.headNonEmpty(certificates).publicKey
  if (!schemeFits(scheme, key)) {
    return yield* flight.fail("IllegalParameter", `the peer signed with ${scheme.name}, which its key cannot`)
  }
  const signer = flight.role === "client" ? "server" : "client"
  const valid = yield* guardCrypto(
    flight,
    "verifying the peer's signature",
    Step.mapError(
      flight.crypto.verify(scheme.algorithm, key, signedContent(signer, transcript), proof.signature),
      // The key is from the peer's certificate: one that is none is its fault.
      (error) => (error.reason === "InvalidKey" ? new CryptoError({ ...error, reason: "InvalidPeerInput" }) : error)
    )
  )
  if (!valid) return yield* flight.fail("BadSignature", "the signature in CertificateVerify is wrong")
  return { certificates, scheme } as KeyPossession
}

/**
 * The possession that the peer proved when a session began: whoever resumes the session has its secret, which only that
 * peer got. None where its certificates cannot be read any more, or the scheme it signed with would not be taken today.
 *
 * @since 0.1.0
 * @category proofs
 */
export const resumedPossession = (
  { role }: HandshakeChannel,
  policy: HandshakePolicy,
  { certificates, clientScheme, serverScheme }: Session
): Option.Option<KeyPossession> => {
  const code = role === "client" ? serverScheme : clientScheme
  const scheme = policy.signatureSchemes.find((accepted) => accepted.code === code && accepted.handshake)
  const chain = Either.all(certificates.map(Certificate.decodeCached))
  return scheme !== undefined &&
    Either.isRight(chain) &&
    Arr.isNonEmptyReadonlyArray(chain.right) &&
    schemeFits(scheme, chain.right[0].publicKey)
    ? Option.some({ certificates: chain.right, scheme } as unknown as KeyPossession)
    : Option.none()
}

/**
 * Asks the verifier about a peer that owns its key. `staples` are what came with its certificates, where that was asked
 * for.
 *
 * @since 0.1.0
 * @category proofs
 */
export const verifyPeer = function* (
  flight: HandshakeChannel,
  policy: HandshakePolicy,
  possession: KeyPossession,
  {
    serverName,
    staples
  }: {
    readonly serverName: Option.Option<ServerName>
    readonly staples?: ReadonlyArray<Staple> | undefined
  }
) {
  const verification = yield* guard(
    flight,
    "HookFailed",
    `the verifier ${policy.verifier.name}`,
    () =>
      HandshakeSpan.step(
        flight,
        "tls.verify",
        { "tls.verifier": policy.verifier.name },
        policy.verifier.verify({
          role: flight.role === "client" ? "server" : "client",
          certificates: possession.certificates,
          serverName,
          signatureSchemes: policy.certificateSignatureSchemes.map((scheme) => scheme.code),
          limits: policy.limits,
          ...(staples === undefined ? {} : { staples })
        })
      ),
    (result) => Predicate.hasProperty(result, "path") && Predicate.hasProperty(result, "vouchedBy")
  )
  return { possession, verification } as VerifiedPeer
}

/**
 * A verified peer as the application sees it.
 *
 * @since 0.1.0
 * @category proofs
 */
export const identityOf = ({ crypto }: HandshakeChannel, { possession, verification }: VerifiedPeer): PeerIdentity => {
  const certificate = Arr.headNonEmpty(possession.certificates)
  const whose = {
    certificate,
    names: ServerIdentity.presentedNames(certificate),
    fingerprint: Certificate.fingerprint(certificate, (bytes) => crypto.hash("SHA-256", bytes))
  }
  return verification.unverified === true
    ? { _tag: "Unverified", ...whose }
    : { _tag: "Verified", ...whose, path: verification.path, vouchedBy: verification.vouchedBy }
}

/**
 * Checks a Finished. `transcript` is the hash up to it, `secret` the peer's handshake traffic secret.
 *
 * @since 0.1.0
 * @category proofs
 */
export const verifyFinished = (
  flight: HandshakeChannel,
  schedule: KeySchedule,
  secret: TrafficSecret,
  finished: Message.Finished,
  transcript: TranscriptHash
): Effect.Effect<FinishedVerified, TlsError> =>
  flight.crypto.equal(schedule.verifyData(secret, transcript), finished.verifyData)
    ? Effect.succeed({ by: flight.role === "client" ? "server" : "client" } as FinishedVerified)
    : flight.fail("BadFinished", "the Finished message is wrong")

/**
 * Adds our Certificate and CertificateVerify to the flight, with extensions for the leaf's entry.
 *
 * @since 0.1.0
 * @category proofs
 */
export const provePossession = function* (
  flight: HandshakeChannel,
  { identity, scheme }: ChosenIdentity,
  context: Uint8Array,
  leafExtensions: ReadonlyArray<Extension> = []
) {
  flight.send({
    _tag: "Certificate",
    context,
    entries: identity.certificateChain.map(({ der }, i) => ({
      certificate: der,
      extensions: i === 0 ? leafExtensions : []
    }))
  })
  const signature = yield* guard(
    flight,
    "SigningFailed",
    "signing the handshake",
    () =>
      HandshakeSpan.step(
        flight,
        "tls.sign",
        { "tls.signature_scheme": scheme.name },
        identity.privateKey.sign(scheme.algorithm, signedContent(flight.role, flight.transcript.digest()))
      ),
    Predicate.isUint8Array
  )
  flight.send({ _tag: "CertificateVerify", scheme: scheme.code, signature })
}
