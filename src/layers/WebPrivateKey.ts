/**
 * A `PrivateKey` of a key that Web Cryptography holds, and that need not be extractable: browsers, workers, Node, Bun and
 * Deno have it.
 *
 * @example
 * import { Effect } from "effect"
 * import { type Certificate, SecureContext } from "effect-tls"
 * import { WebPrivateKey } from "effect-tls/web"
 *
 * const identify = (leaf: Certificate.Certificate, privateKey: WebPrivateKey.WebCryptoKey) =>
 *   WebPrivateKey.make({ privateKey, publicKey: leaf.publicKey }).pipe(
 *     Effect.flatMap((signer) => SecureContext.make({ identity: { certificateChain: leaf, privateKey: signer } }))
 *   )
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import * as CryptoFailure from "../core/CryptoFailure.ts"
import type { CryptoError } from "../core/CryptoProvider.ts"
import * as PrivateKey from "../core/PrivateKey.ts"
import type { HashAlgorithm, SignatureAlgorithm } from "../schema/Algorithms.ts"
import { hashLength } from "../schema/Algorithms.ts"
import * as EcdsaSignature from "../schema/EcdsaSignature.ts"
import type { PublicKey } from "../schema/PublicKey.ts"
import * as PublicKeys from "../schema/PublicKey.ts"
import * as SignatureScheme from "../schema/SignatureScheme.ts"

/**
 * What we ask of a `CryptoKey`, which the language does not declare.
 *
 * @since 0.1.0
 * @category models
 */
export interface WebCryptoKey {
  readonly type: string
  readonly algorithm: { readonly name: string }
  readonly usages: ReadonlyArray<string>
}

/**
 * The private key and its public half: that of a certificate or a `CryptoKey`. A `CryptoKeyPair` has this form.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly privateKey: WebCryptoKey
  readonly publicKey: WebCryptoKey | PublicKey
}

interface SubtleHost {
  sign(algorithm: object, key: WebCryptoKey, data: Uint8Array): Promise<ArrayBuffer>
  verify(algorithm: object, key: WebCryptoKey, signature: Uint8Array, data: Uint8Array): Promise<boolean>
  importKey(
    format: "spki",
    bytes: Uint8Array,
    algorithm: object,
    extractable: boolean,
    usages: ReadonlyArray<string>
  ): Promise<WebCryptoKey>
  exportKey(format: "spki", key: WebCryptoKey): Promise<ArrayBuffer>
}

const operation = "WebPrivateKey"

const host = Effect.suspend((): Effect.Effect<SubtleHost, CryptoError> => {
  const { crypto } = globalThis as unknown as { readonly crypto?: { readonly subtle?: SubtleHost } }
  return crypto?.subtle === undefined
    ? Effect.fail(
        CryptoFailure.unsupported(operation, "this host has no crypto.subtle: a page has it only when it came by HTTPS")
      )
    : Effect.succeed(crypto.subtle)
})

const attempt = <A>(what: string, promise: () => Promise<A>): Effect.Effect<A, CryptoError> =>
  Effect.tryPromise({ try: promise, catch: CryptoFailure.from("Failed", what) })

/** What the key does, as it says itself. */
interface Capacity {
  readonly name: "ECDSA" | "RSA-PSS" | "RSASSA-PKCS1-v1_5" | "Ed25519" | "Ed448"
  readonly namedCurve?: string
  /** An RSA key is bound to one hash. */
  readonly hash?: { readonly name: string }
}

const names: ReadonlySet<string> = new Set<Capacity["name"]>([
  "ECDSA",
  "RSA-PSS",
  "RSASSA-PKCS1-v1_5",
  "Ed25519",
  "Ed448"
])

const capacityOf = ({ algorithm, type, usages }: WebCryptoKey): Either.Either<Capacity, CryptoError> => {
  if (type !== "private") {
    return Either.left(CryptoFailure.invalidKey(operation, `a ${type} key, a private key is needed`))
  }
  if (!usages.includes("sign")) {
    return Either.left(CryptoFailure.invalidKey(operation, `a key for ${usages.join(", ") || "nothing"}, not to sign`))
  }
  return names.has(algorithm.name)
    ? Either.right(algorithm as Capacity)
    : Either.left(CryptoFailure.unsupported(operation, `a key for ${algorithm.name}`))
}

/** Whether a public key can be the other half of such a key. */
const isHalf = (key: PublicKey, { name, namedCurve }: Capacity): boolean => {
  switch (name) {
    case "ECDSA":
      return key._tag === "Ec" && key.curve === namedCurve
    case "RSA-PSS":
      return key._tag === "Rsa" || key._tag === "RsaPss"
    case "RSASSA-PKCS1-v1_5":
      return key._tag === "Rsa"
    case "Ed25519":
    case "Ed448":
      return key._tag === name
  }
}

const tagOf = { ECDSA: "Ecdsa", "RSA-PSS": "RsaPss", "RSASSA-PKCS1-v1_5": "RsaPkcs1" } as const

/** Whether the key does an algorithm that its public half could verify. */
const does = ({ hash, name }: Capacity, algorithm: SignatureAlgorithm): boolean =>
  name === "Ed25519" || name === "Ed448"
    ? algorithm._tag === name
    : algorithm._tag === tagOf[name] && (hash === undefined || hash.name === algorithm.hash)

const parameters = ({ name }: Capacity, algorithm: SignatureAlgorithm): object => {
  switch (algorithm._tag) {
    case "Ecdsa":
      return { name, hash: algorithm.hash }
    case "RsaPss":
      return { name, saltLength: algorithm.saltLength }
    case "RsaPkcs1":
    case "Ed25519":
    case "Ed448":
      return { name }
  }
}

const isPublicKey = (key: WebCryptoKey | PublicKey): key is PublicKey => Predicate.hasProperty(key, "spki")

const readPublicKey = (subtle: SubtleHost, key: WebCryptoKey | PublicKey): Effect.Effect<PublicKey, CryptoError> =>
  isPublicKey(key)
    ? Effect.succeed(key)
    : Effect.flatMap(
        attempt(operation, () => subtle.exportKey("spki", key)),
        (spki) =>
          Either.mapLeft(PublicKeys.decode(new Uint8Array(spki)), ({ message }) =>
            CryptoFailure.invalidKey(operation, message)
          )
      )

const probe = new Uint8Array(32)

/** An algorithm to try the two halves with. */
const anyAlgorithm = ({ hash, name }: Capacity): SignatureAlgorithm => {
  if (name === "Ed25519" || name === "Ed448") return { _tag: name }
  const chosen = (hash?.name ?? "SHA-256") as HashAlgorithm
  return name === "RSA-PSS"
    ? { _tag: "RsaPss", hash: chosen, saltLength: hashLength[chosen] }
    : { _tag: tagOf[name], hash: chosen }
}

/** Two halves of different keys would show in the first handshake, and be hard to tell from other mistakes there. */
const requirePair = Effect.fnUntraced(function* (
  subtle: SubtleHost,
  privateKey: WebCryptoKey,
  publicKey: PublicKey,
  capacity: Capacity
) {
  // Web Cryptography knows RSA keys under one name only (RFC 3279 §2.3.1).
  const { spki } = publicKey._tag === "RsaPss" ? PublicKeys.rsa(publicKey.modulus, publicKey.exponent) : publicKey
  const wanted = parameters(capacity, anyAlgorithm(capacity))
  const verifies = yield* attempt(operation, async () => {
    const signature = new Uint8Array(await subtle.sign(wanted, privateKey, probe))
    const key = await subtle.importKey("spki", Uint8Array.from(spki), capacity, false, ["verify"])
    return subtle.verify(wanted, key, signature, probe)
  })
  if (!verifies) {
    return yield* CryptoFailure.invalidKey(operation, "the public key belongs to another private key")
  }
})

/**
 * A signer of a `CryptoKey`. It does what Web Cryptography says the key is for: with RSA one hash, with ECDSA any. Fails
 * with `InvalidKey` for a key that does not sign or a public half of another, with `Unsupported` for other algorithms.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = ({ privateKey, publicKey: half }: Options): Effect.Effect<PrivateKey.PrivateKey, CryptoError> =>
  Effect.gen(function* () {
    const subtle = yield* host
    const capacity = yield* capacityOf(privateKey)
    const publicKey = yield* readPublicKey(subtle, half)
    if (!isHalf(publicKey, capacity)) {
      const found = capacity.namedCurve ?? capacity.name
      return yield* CryptoFailure.invalidKey(
        operation,
        `a public key (${PublicKeys.format(publicKey)}) for a private one of ${found}`
      )
    }
    yield* requirePair(subtle, privateKey, publicKey, capacity)
    return PrivateKey.make({
      publicKey,
      schemes: PrivateKey.schemesOf(publicKey).filter((code) => does(capacity, SignatureScheme.info(code)!.algorithm)),
      sign: (algorithm, data) =>
        Effect.gen(function* () {
          yield* CryptoFailure.attempt("sign", () => CryptoFailure.requireKeyFor("sign", publicKey, algorithm))
          if (!does(capacity, algorithm)) {
            const bound = capacity.hash === undefined ? "" : ` with ${capacity.hash.name}`
            return yield* CryptoFailure.unsupported("sign", `the CryptoKey is for ${capacity.name}${bound} only`)
          }
          const signature = yield* attempt("sign", () =>
            subtle.sign(parameters(capacity, algorithm), privateKey, Uint8Array.from(data))
          )
          const raw = new Uint8Array(signature)
          return publicKey._tag === "Ec"
            ? yield* Either.mapLeft(EcdsaSignature.fromRaw(publicKey.curve, raw), CryptoFailure.from("Failed", "sign"))
            : raw
        })
    })
  })
