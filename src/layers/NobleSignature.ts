/**
 * Verifying with @noble/curves, and signing with keys on elliptic curves. RSA is verified and never signed: with BigInt
 * arithmetic the time of a signature would tell of the key, and an RSA key is used often and long.
 *
 * @since 0.1.0
 */
import { ecdsa } from "@noble/curves/abstract/weierstrass.js"
import { ed25519 } from "@noble/curves/ed25519.js"
import { ed448 } from "@noble/curves/ed448.js"
import { p256, p384, p521 } from "@noble/curves/nist.js"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as CryptoFailure from "../core/CryptoFailure.ts"
import type { CryptoError, KeyType } from "../core/CryptoProvider.ts"
import * as PrivateKey from "../core/PrivateKey.ts"
import type { EcCurve, HashAlgorithm, SignatureAlgorithm } from "../schema/Algorithms.ts"
import * as Der from "../schema/Der.ts"
import { oids } from "../schema/ObjectIdentifier.ts"
import type { PrivateKeyInfo } from "../schema/PrivateKeyInfo.ts"
import * as PublicKey from "../schema/PublicKey.ts"
import type { RandomBytes } from "./NobleKeyAgreement.ts"
import * as NobleHash from "./NobleHash.ts"
import * as NobleRsa from "./NobleRsa.ts"

const curves = { "P-256": p256, "P-384": p384, "P-521": p521 } as const
const edwards = { Ed25519: ed25519, Ed448: ed448 } as const

const made = new Map<string, ReturnType<typeof ecdsa>>()

/** ECDSA with this hash for the message and for RFC 6979's nonce; noble's own curves each come with one hash. */
const ecdsaWith = (curve: EcCurve, hash: HashAlgorithm): ReturnType<typeof ecdsa> => {
  const name = `${curve} ${hash}`
  let scheme = made.get(name)
  if (scheme === undefined) made.set(name, (scheme = ecdsa(curves[curve].Point, NobleHash.functions[hash])))
  return scheme
}

// noble prefers the lower of the two values of S; X.509 and TLS know no such rule, and RFC 6979's vectors follow none.
const ecdsaForm = { format: "der", lowS: false, prehash: true } as const

/** noble throws for a signature of an impossible length; elsewhere such a signature is just wrong. */
const orFalse = (verify: () => boolean): boolean => {
  try {
    return verify()
  } catch {
    return false
  }
}

const verifyEcdsa = (
  hash: HashAlgorithm,
  key: Extract<PublicKey.PublicKey, { readonly _tag: "Ec" }>,
  data: Uint8Array,
  signature: Uint8Array
): boolean => {
  const { curve, point } = key
  if (point.length !== 1 + 2 * PublicKey.coordinateLength[curve] || point[0] !== 4) {
    throw CryptoFailure.invalidKey("verify", `a ${curve} key that is not an uncompressed point`)
  }
  // noble's verify would call a key that is off the curve a wrong signature.
  curves[curve].Point.fromBytes(point)
  return orFalse(() => ecdsaWith(curve, hash).verify(signature, data, point, ecdsaForm))
}

/**
 * `verify` of the provider.
 *
 * @since 0.1.0
 * @category signatures
 */
export const verify = (
  algorithm: SignatureAlgorithm,
  key: PublicKey.PublicKey,
  data: Uint8Array,
  signature: Uint8Array
): Effect.Effect<boolean, CryptoError> =>
  Effect.try({
    try: () => {
      CryptoFailure.requireKeyFor("verify", key, algorithm)
      switch (key._tag) {
        case "Ec":
          return verifyEcdsa((algorithm as { readonly hash: HashAlgorithm }).hash, key, data, signature)
        case "Ed25519":
        case "Ed448": {
          const scheme = edwards[key._tag]
          if (key.bytes.length !== scheme.lengths.publicKey) {
            throw CryptoFailure.invalidKey("verify", `an ${key._tag} key of ${key.bytes.length} bytes`)
          }
          // RFC 8032 takes only the canonical encoding of a point, ZIP 215 others as well.
          return orFalse(() => scheme.verify(signature, data, key.bytes, { zip215: false }))
        }
        case "Rsa":
        case "RsaPss":
          return NobleRsa.verify(algorithm as Parameters<typeof NobleRsa.verify>[0], key, data, signature)
        case "Unsupported":
          throw CryptoFailure.unsupported("verify", `a key of algorithm ${key.algorithm}`)
      }
    },
    catch: CryptoFailure.from("InvalidKey", "verify")
  })

const noRsa = (operation: string) =>
  CryptoFailure.unsupported(
    operation,
    "noble has no RSA arithmetic that is safe for private keys: bring a signer, made with PrivateKey.make"
  )

type EllipticKeyInfo = Extract<PrivateKeyInfo, { readonly secret: unknown }>

const publicKeyOf = (info: EllipticKeyInfo, secret: Uint8Array): PublicKey.PublicKey =>
  info._tag === "Ec"
    ? PublicKey.ec(info.curve, curves[info.curve].getPublicKey(secret, false))
    : PublicKey.edwards(info._tag, edwards[info._tag].getPublicKey(secret))

/** The secret stays where it is and is read for each signature: when its owner wipes it, the signer is at its end too. */
const signer = (info: EllipticKeyInfo): PrivateKey.PrivateKey => {
  const publicKey = publicKeyOf(info, Redacted.value(info.secret))
  return PrivateKey.make({
    publicKey,
    schemes: PrivateKey.schemesOf(publicKey),
    sign: (algorithm, data) =>
      CryptoFailure.attempt("sign", () => {
        CryptoFailure.requireKeyFor("sign", publicKey, algorithm)
        const secret = Redacted.value(info.secret)
        return info._tag === "Ec"
          ? ecdsaWith(info.curve, (algorithm as { readonly hash: HashAlgorithm }).hash).sign(data, secret, ecdsaForm)
          : edwards[info._tag].sign(data, secret)
      })
  })
}

/**
 * `importPrivateKey` of the provider.
 *
 * @since 0.1.0
 * @category signatures
 */
export const importPrivateKey = (info: PrivateKeyInfo): Effect.Effect<PrivateKey.PrivateKey, CryptoError> =>
  "secret" in info
    ? Effect.try({ try: () => signer(info), catch: CryptoFailure.from("InvalidKey", "importPrivateKey") })
    : Effect.fail(noRsa("importPrivateKey"))

/** PKCS#8 (RFC 5958), with the public key for EC as RFC 5915 recommends. */
const toPkcs8 = (algorithm: Uint8Array, key: Uint8Array): Uint8Array =>
  Der.sequence(Der.integer(0), algorithm, Der.octetString(key))

const generateInfo = (
  type: Exclude<KeyType, { readonly _tag: "Rsa" | "RsaPss" }>,
  randomBytes: RandomBytes
): EllipticKeyInfo => {
  if (type._tag === "Ec") {
    const curve = curves[type.curve]
    const secret = curve.utils.randomSecretKey(randomBytes(curve.lengths.seed!))
    const point = Der.value(Der.contextConstructed(1), Der.bitString(curve.getPublicKey(secret, false)))
    const pkcs8 = toPkcs8(
      Der.sequence(Der.oid(oids.ecPublicKey), Der.oid(oids[type.curve])),
      Der.sequence(Der.integer(1), Der.octetString(secret), point)
    )
    return { ...type, secret: Redacted.make(secret), pkcs8: Redacted.make(pkcs8) }
  }
  const secret = randomBytes(edwards[type._tag].lengths.secretKey!)
  const pkcs8 = toPkcs8(Der.sequence(Der.oid(oids[type._tag])), Der.octetString(secret))
  return { ...type, secret: Redacted.make(secret), pkcs8: Redacted.make(pkcs8) }
}

/**
 * `generatePrivateKey` of the provider.
 *
 * @since 0.1.0
 * @category signatures
 */
export const generatePrivateKey =
  (randomBytes: RandomBytes) =>
  (
    type: KeyType
  ): Effect.Effect<
    { readonly key: PrivateKey.PrivateKey; readonly pkcs8: Redacted.Redacted<Uint8Array> },
    CryptoError
  > =>
    type._tag === "Rsa" || type._tag === "RsaPss"
      ? Effect.fail(noRsa("generatePrivateKey"))
      : CryptoFailure.attempt("generatePrivateKey", () => {
          const info = generateInfo(type, randomBytes)
          return { key: signer(info), pkcs8: info.pkcs8 }
        })
