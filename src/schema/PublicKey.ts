/**
 * Public keys of certificates and signers: `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7) as a value.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import type { EcCurve } from "./Algorithms.ts"
import * as AlgorithmIdentifier from "./AlgorithmIdentifier.ts"
import * as Bytes from "./Bytes.ts"
import * as Der from "./Der.ts"
import * as EcPoint from "./EcPoint.ts"
import * as ObjectIdentifier from "./ObjectIdentifier.ts"
import * as Pem from "./Pem.ts"

/**
 * A public key. `spki` is the whole DER `SubjectPublicKeyInfo` as it came; `point` is an uncompressed SEC 1 point, also
 * where a compressed one came.
 * A `RsaPss` key (`id-RSASSA-PSS`) may sign with PSS only, and where it has `parameters` with that hash and at least
 * that salt only (RFC 4055 §3.3).
 *
 * @since 0.1.0
 * @category models
 */
export type PublicKey =
  | { readonly _tag: "Rsa"; readonly modulus: Uint8Array; readonly exponent: Uint8Array; readonly spki: Uint8Array }
  | {
      readonly _tag: "RsaPss"
      readonly modulus: Uint8Array
      readonly exponent: Uint8Array
      readonly parameters?: AlgorithmIdentifier.PssParameters
      readonly spki: Uint8Array
    }
  | { readonly _tag: "Ec"; readonly curve: EcCurve; readonly point: Uint8Array; readonly spki: Uint8Array }
  | { readonly _tag: "Ed25519"; readonly bytes: Uint8Array; readonly spki: Uint8Array }
  | { readonly _tag: "Ed448"; readonly bytes: Uint8Array; readonly spki: Uint8Array }
  | { readonly _tag: "Unsupported"; readonly algorithm: string; readonly spki: Uint8Array }

const { oids } = ObjectIdentifier

const curves: ReadonlyMap<string, EcCurve> = new Map<string, EcCurve>([
  [oids["P-256"], "P-256"],
  [oids["P-384"], "P-384"],
  [oids["P-521"], "P-521"]
])

export {
  /**
   * Length of a coordinate, and of a private scalar, in bytes.
   *
   * @since 0.1.0
   * @category constants
   */
  coordinateLength
} from "./EcPoint.ts"

const readRsa = (reader: Der.DerReader) =>
  reader.within(Der.Tag.Sequence, (inner) => {
    const modulus = inner.unsignedBytes()
    const exponent = inner.unsignedBytes()
    if (modulus.length === 0 || exponent.length === 0) inner.fail("an RSA key of zeros")
    return { modulus, exponent }
  })

/**
 * Reads a SubjectPublicKeyInfo within a decoder. A key of an algorithm or curve we do not know is `Unsupported`.
 *
 * @since 0.1.0
 * @category decoding
 */
export const read = (reader: Der.DerReader): PublicKey => {
  const start = reader.position
  const outer = reader.sequence()
  const identifier = outer.sequence()
  const oid = identifier.oid()
  const parameters = identifier.isEmpty ? undefined : identifier.element()
  identifier.finish()
  const bytes = outer.bitStringBytes()
  outer.finish()
  const spki = reader.bytes.subarray(start, reader.position)
  const unsupported = (algorithm: string): PublicKey => ({ _tag: "Unsupported", algorithm, spki })
  switch (oid) {
    case oids.rsaEncryption:
      // RFC 3279 §2.3.1 demands NULL.
      if (parameters === undefined || !Bytes.equals(parameters, Der.nullValue()))
        outer.fail("an RSA key without its NULL")
      return { _tag: "Rsa", ...Der.decodeNested(outer, bytes, "RSAPublicKey", readRsa), spki }
    case oids.rsassaPss: {
      const restriction =
        parameters === undefined
          ? undefined
          : Der.decodeNested(outer, parameters, "RSASSA-PSS-params", AlgorithmIdentifier.readPssParameters)
      if (parameters !== undefined && restriction === undefined) return unsupported("RSASSA-PSS with other parameters")
      const key = Der.decodeNested(outer, bytes, "RSAPublicKey", readRsa)
      return { _tag: "RsaPss", ...key, ...(restriction === undefined ? {} : { parameters: restriction }), spki }
    }
    case oids.ecPublicKey: {
      if (parameters === undefined || parameters[0] !== Der.Tag.ObjectIdentifier) {
        return unsupported("EC with parameters of its own instead of a named curve")
      }
      const curveOid = Der.decodeNested(outer, parameters, "curve", (inner) => inner.oid())
      const curve = curves.get(curveOid)
      if (curve === undefined) return unsupported(`EC ${ObjectIdentifier.name(curveOid)}`)
      const point = EcPoint.uncompressed(curve, bytes)
      if ("problem" in point) return outer.fail(point.problem)
      return { _tag: "Ec", curve, point, spki }
    }
    case oids.Ed25519:
    case oids.Ed448: {
      const name = oid === oids.Ed25519 ? "Ed25519" : "Ed448"
      // RFC 8410 §3.
      if (parameters !== undefined) outer.fail(`an ${name} key with parameters`)
      if (bytes.length !== (name === "Ed25519" ? 32 : 57)) outer.fail(`an ${name} key of ${bytes.length} byte(s)`)
      return { _tag: name, bytes, spki }
    }
    default:
      return unsupported(ObjectIdentifier.name(oid))
  }
}

/**
 * A public key from the DER of its SubjectPublicKeyInfo, of which it keeps views.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decode = Der.decode("SubjectPublicKeyInfo", read)

/**
 * A public key from PEM: `PUBLIC KEY`, or `RSA PUBLIC KEY` (PKCS#1, RFC 8017 §A.1.1). Exactly one is needed; what else the
 * text holds is passed over.
 *
 * @since 0.1.0
 * @category decoding
 */
export const fromPem = (text: string): Either.Either<PublicKey, Pem.PemError> =>
  Either.flatMap(Pem.parse(text), (blocks) => {
    const keys = blocks.filter(({ label }) => label === "PUBLIC KEY" || label === "RSA PUBLIC KEY")
    if (keys.length !== 1) {
      const problem =
        keys.length === 0
          ? `it holds ${Pem.describe(blocks)}, a public key is needed`
          : `it holds ${keys.length} public keys, exactly one is needed`
      return Either.left(new Pem.PemError({ reason: keys.length === 0 ? "NoBlock" : "Malformed", problem }))
    }
    const { content, label } = keys[0]!
    const bytes = Redacted.value(content)
    const decoded =
      label === "PUBLIC KEY"
        ? decode(bytes)
        : Either.map(Der.decode("RSAPublicKey", readRsa)(bytes), ({ exponent, modulus }) => rsa(modulus, exponent))
    return Either.mapLeft(
      decoded,
      ({ message }) => new Pem.PemError({ reason: "Malformed", problem: `the public key is damaged: ${message}` })
    )
  })

/**
 * The public key as PEM.
 *
 * @since 0.1.0
 * @category encoding
 */
export const toPem = (key: PublicKey): string => Pem.format("PUBLIC KEY", key.spki)

/**
 * The DER SubjectPublicKeyInfo.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encode = (key: PublicKey): Uint8Array => key.spki

const spkiOf = (algorithm: Uint8Array, bytes: Uint8Array) => Der.sequence(algorithm, Der.bitString(bytes))

/**
 * An RSA key from its numbers, big endian.
 *
 * @since 0.1.0
 * @category constructors
 */
export const rsa = (modulus: Uint8Array, exponent: Uint8Array): PublicKey => ({
  _tag: "Rsa",
  modulus,
  exponent,
  spki: spkiOf(
    Der.sequence(Der.oid(oids.rsaEncryption), Der.nullValue()),
    Der.sequence(Der.integer(modulus), Der.integer(exponent))
  )
})

/**
 * An EC key from its uncompressed point.
 *
 * @since 0.1.0
 * @category constructors
 */
export const ec = (curve: EcCurve, point: Uint8Array): PublicKey => ({
  _tag: "Ec",
  curve,
  point,
  spki: spkiOf(Der.sequence(Der.oid(oids.ecPublicKey), Der.oid(oids[curve])), point)
})

/**
 * An Edwards key from its bytes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const edwards = (name: "Ed25519" | "Ed448", bytes: Uint8Array): PublicKey => ({
  _tag: name,
  bytes,
  spki: spkiOf(Der.sequence(Der.oid(oids[name])), bytes)
})

/**
 * Whether two keys are the same: their encodings are, but for points that one has compressed and the other has not.
 *
 * @since 0.1.0
 * @category predicates
 */
export const equals = (a: PublicKey, b: PublicKey): boolean =>
  a._tag === "Ec" && b._tag === "Ec"
    ? a.curve === b.curve && Bytes.equals(a.point, b.point)
    : Bytes.equals(a.spki, b.spki)

/**
 * Bits of an RSA modulus.
 *
 * @since 0.1.0
 * @category getters
 */
export const modulusBits = (key: { readonly modulus: Uint8Array }): number =>
  key.modulus.length === 0 ? 0 : key.modulus.length * 8 - (Math.clz32(key.modulus[0]!) - 24)

/**
 * The kind of a key for people, as `RSA 2048` or `P-256`.
 *
 * @since 0.1.0
 * @category conversions
 */
export const format = (key: PublicKey): string => {
  switch (key._tag) {
    case "Rsa":
      return `RSA ${modulusBits(key)}`
    case "RsaPss":
      return `RSA-PSS ${modulusBits(key)}`
    case "Ec":
      return key.curve
    case "Unsupported":
      return key.algorithm
    default:
      return key._tag
  }
}
