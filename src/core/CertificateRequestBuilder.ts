/**
 * Certificate requests of one's own (PKCS#10), for an authority to answer; and whether who asks has the key.
 *
 * @example
 * import { Effect } from "effect"
 * import { CertificateBuilder, CertificateRequestBuilder } from "effect-tls"
 *
 * const program = Effect.gen(function* () {
 *   const ca = yield* CertificateBuilder.authority({ subject: { CN: "Development CA" } })
 *   const { privateKey, request } = yield* CertificateRequestBuilder.make({ names: ["localhost"] })
 *   const { certificateChain } = yield* CertificateBuilder.sign(ca, request)
 *   return { certificateChain, privateKey }
 * })
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as CertificateExtension from "../schema/CertificateExtension.ts"
import * as CertificateRequests from "../schema/CertificateRequest.ts"
import type { CertificateRequest } from "../schema/CertificateRequest.ts"
import * as AlgorithmIdentifier from "../schema/AlgorithmIdentifier.ts"
import * as PublicKeys from "../schema/PublicKey.ts"
import type { TlsConfigError } from "../schema/TlsError.ts"
import { invalid } from "./BuilderOptions.ts"
import type { RequestOptions } from "./CertificateOptions.ts"
import { decoders, readNames, readSubject } from "./CertificateOptions.ts"
import type { CryptoError } from "./CryptoProvider.ts"
import { CryptoProvider } from "./CryptoProvider.ts"
import { isKeyFor } from "./PrivateKey.ts"
import type { KeyPair } from "./Signing.ts"
import { algorithmFor, obtainKey, signed } from "./Signing.ts"

export {
  /** @since 0.1.0 */
  RequestOptions
} from "./CertificateOptions.ts"

/**
 * A request with its key. `pkcs8` is there when the key was made here.
 *
 * @since 0.1.0
 * @category models
 */
export interface Requested extends KeyPair {
  readonly request: CertificateRequest
}

/**
 * A request, signed with the key that it is about.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: RequestOptions): Effect.Effect<Requested, TlsConfigError | CryptoError, CryptoProvider> =>
  Effect.gen(function* () {
    const crypto = yield* CryptoProvider
    const asked = yield* decoders.request(options)
    const names = yield* readNames(asked.names)
    const subject = yield* readSubject(asked.subject, names)
    if (subject.isEmpty && names.length === 0) {
      return yield* invalid("names", "a request for nobody: give `names` or a `subject`")
    }
    const pair = yield* obtainKey(crypto, asked.key)
    const { publicKey } = pair.privateKey
    const algorithm = yield* algorithmFor(publicKey, asked.signatureAlgorithm)
    const own = asked.extensions ?? []
    const standard = names.length === 0 ? [] : [CertificateExtension.encodeSubjectAltName(names, subject.isEmpty)]
    const extensions = [...standard.filter(({ oid }) => !own.some((other) => other.oid === oid)), ...own]
    const info = CertificateRequests.encodeInfo(subject, publicKey, extensions)
    const signature = yield* pair.privateKey.sign(algorithm, info)
    const request = yield* Either.mapLeft(CertificateRequests.decode(signed(info, algorithm, signature)), (error) =>
      invalid("extensions", error.message)
    )
    return { request, ...pair }
  })

/**
 * Whether a request was signed with the key that it is about: who asks for a certificate of somebody else's key did
 * not.
 *
 * @since 0.1.0
 * @category validation
 */
export const verify = (
  request: CertificateRequest
): Effect.Effect<void, TlsConfigError | CryptoError, CryptoProvider> =>
  Effect.gen(function* () {
    const crypto = yield* CryptoProvider
    const { publicKey, signature, signatureAlgorithm, toBeSigned } = request
    const { algorithm } = signatureAlgorithm
    const how = AlgorithmIdentifier.format(signatureAlgorithm)
    if (algorithm === undefined || !crypto.capabilities.verify(algorithm, publicKey)) {
      const key = PublicKeys.format(publicKey)
      return yield* invalid("request", `its signature (${how}, by a key of ${key}) cannot be verified`)
    }
    if (!isKeyFor(publicKey, algorithm) || !(yield* crypto.verify(algorithm, publicKey, toBeSigned, signature))) {
      return yield* invalid("request", "its signature is not by the key that it is about, or it was altered")
    }
  })
