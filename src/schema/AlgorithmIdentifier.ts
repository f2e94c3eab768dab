/**
 * AlgorithmIdentifiers of signatures (RFC 3279 §2.2, RFC 4055 §3, RFC 5758 §3, RFC 8410 §3) and the algorithms of a
 * provider they stand for.
 *
 * @since 0.1.0
 */
import type { HashAlgorithm, SignatureAlgorithm } from "./Algorithms.ts"
import * as Bytes from "./Bytes.ts"
import * as Der from "./Der.ts"
import * as ObjectIdentifier from "./ObjectIdentifier.ts"

const { oids } = ObjectIdentifier

/**
 * `algorithm` is what a provider computes; it is absent where we know none, or where the parameters are not the ones
 * the algorithm must have.
 *
 * @since 0.1.0
 * @category models
 */
export interface AlgorithmIdentifier {
  readonly oid: ObjectIdentifier.ObjectIdentifier
  readonly der: Uint8Array
  readonly algorithm: SignatureAlgorithm | undefined
}

/**
 * The parameters of RSASSA-PSS (RFC 4055 §3.1). MGF1 is over the same hash; anything else is not supported.
 *
 * @since 0.1.0
 * @category models
 */
export interface PssParameters {
  readonly hash: HashAlgorithm
  readonly saltLength: number
}

const hashes: ReadonlyMap<string, HashAlgorithm> = new Map<string, HashAlgorithm>([
  [oids.sha1, "SHA-1"],
  [oids.sha256, "SHA-256"],
  [oids.sha384, "SHA-384"],
  [oids.sha512, "SHA-512"]
])

const hashOids: { readonly [H in HashAlgorithm]: ObjectIdentifier.ObjectIdentifier } = {
  "SHA-1": oids.sha1,
  "SHA-256": oids.sha256,
  "SHA-384": oids.sha384,
  "SHA-512": oids.sha512
}

/**
 * Reads a hash's AlgorithmIdentifier within a decoder, whose parameters are absent or NULL (RFC 4055 §2.1); `undefined`
 * when it is well-formed and no hash of ours.
 *
 * @since 0.1.0
 * @category decoding
 */
export const readHash = (reader: Der.DerReader): HashAlgorithm | undefined =>
  reader.within(Der.Tag.Sequence, (inner) => {
    const oid = inner.oid()
    if (!inner.isEmpty) inner.null()
    return hashes.get(oid)
  })

/**
 * Reads RSASSA-PSS parameters within a decoder; `undefined` when they are well-formed and nothing we support.
 *
 * @since 0.1.0
 * @category decoding
 */
export const readPssParameters = (reader: Der.DerReader): PssParameters | undefined =>
  reader.within(Der.Tag.Sequence, (inner) => {
    let hash: HashAlgorithm | undefined = "SHA-1"
    let maskHash: HashAlgorithm | undefined = "SHA-1"
    let saltLength = 20
    let trailer = 1
    if (inner.peek() === 0xa0) hash = inner.within(0xa0, readHash)
    if (inner.peek() === 0xa1) {
      maskHash = inner.within(0xa1, (mask) =>
        mask.within(Der.Tag.Sequence, (algorithm) => {
          if (algorithm.oid() === oids.mgf1) return readHash(algorithm)
          if (!algorithm.isEmpty) algorithm.element()
          return undefined
        })
      )
    }
    if (inner.peek() === 0xa2) saltLength = inner.within(0xa2, (value) => value.unsigned())
    if (inner.peek() === 0xa3) trailer = inner.within(0xa3, (value) => value.unsigned())
    // 512 is the longest salt of an 8192-bit key, and then some.
    return hash === undefined || hash !== maskHash || trailer !== 1 || saltLength > 1024
      ? undefined
      : { hash, saltLength }
  })

type Parameters = "null" | "absent" | "pss"

// RFC 4055 §5 demands NULL for PKCS#1; RFC 5758 §3.2 and RFC 8410 §3 demand that there be none.
const algorithms: ReadonlyMap<string, readonly [SignatureAlgorithm, Parameters]> = new Map<
  string,
  readonly [SignatureAlgorithm, Parameters]
>([
  [oids.sha1WithRSAEncryption, [{ _tag: "RsaPkcs1", hash: "SHA-1" }, "null"]],
  [oids.sha256WithRSAEncryption, [{ _tag: "RsaPkcs1", hash: "SHA-256" }, "null"]],
  [oids.sha384WithRSAEncryption, [{ _tag: "RsaPkcs1", hash: "SHA-384" }, "null"]],
  [oids.sha512WithRSAEncryption, [{ _tag: "RsaPkcs1", hash: "SHA-512" }, "null"]],
  [oids.ecdsaWithSha1, [{ _tag: "Ecdsa", hash: "SHA-1" }, "absent"]],
  [oids.ecdsaWithSha256, [{ _tag: "Ecdsa", hash: "SHA-256" }, "absent"]],
  [oids.ecdsaWithSha384, [{ _tag: "Ecdsa", hash: "SHA-384" }, "absent"]],
  [oids.ecdsaWithSha512, [{ _tag: "Ecdsa", hash: "SHA-512" }, "absent"]],
  [oids.Ed25519, [{ _tag: "Ed25519" }, "absent"]],
  [oids.Ed448, [{ _tag: "Ed448" }, "absent"]]
])

/**
 * Reads the AlgorithmIdentifier of a signature within a decoder.
 *
 * @since 0.1.0
 * @category decoding
 */
export const read = (reader: Der.DerReader): AlgorithmIdentifier => {
  const start = reader.position
  const inner = reader.sequence()
  const oid = inner.oid()
  let algorithm: SignatureAlgorithm | undefined
  if (oid === oids.rsassaPss) {
    const parameters = inner.isEmpty ? undefined : readPssParameters(inner)
    algorithm = parameters === undefined ? undefined : { _tag: "RsaPss", ...parameters }
  } else {
    const known = algorithms.get(oid)
    const found = inner.isEmpty ? "absent" : isNull(inner.element()) ? "null" : "other"
    algorithm = known !== undefined && known[1] === found ? known[0] : undefined
  }
  inner.finish()
  return { oid, der: reader.bytes.subarray(start, reader.position), algorithm }
}

/**
 * Reads what stands behind the signed part of a structure: the algorithm and the signature. `inside` is the algorithm as
 * the signed part has it, where it has; were they different, it would not be covered by the signature (RFC 5280 §4.1.1.2,
 * §5.1.1.2).
 *
 * @since 0.1.0
 * @category decoding
 */
export const readSignature = (
  reader: Der.DerReader,
  inside?: Uint8Array
): { readonly signatureAlgorithm: AlgorithmIdentifier; readonly signature: Uint8Array } => {
  const signatureAlgorithm = read(reader)
  if (inside !== undefined && !Bytes.equals(signatureAlgorithm.der, inside)) {
    reader.fail("two signature algorithms that differ")
  }
  return { signatureAlgorithm, signature: reader.bitStringBytes() }
}

/**
 * The DER of a hash's AlgorithmIdentifier, with the NULL that old readers look for.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodeHash = (hash: HashAlgorithm): Uint8Array => Der.sequence(Der.oid(hashOids[hash]), Der.nullValue())

const isNull = (element: Uint8Array): boolean => Bytes.equals(element, Der.nullValue())

/**
 * The DER of RSASSA-PSS parameters.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodePssParameters = ({ hash, saltLength }: PssParameters): Uint8Array => {
  const hashIdentifier = encodeHash(hash)
  // DER leaves out what is the default, which is SHA-1 and 20.
  return Der.sequence(
    ...(hash === "SHA-1"
      ? []
      : [Der.value(0xa0, hashIdentifier), Der.value(0xa1, Der.sequence(Der.oid(oids.mgf1), hashIdentifier))]),
    ...(saltLength === 20 ? [] : [Der.value(0xa2, Der.integer(saltLength))])
  )
}

const oidOf = (algorithm: SignatureAlgorithm): readonly [ObjectIdentifier.ObjectIdentifier, Parameters] | undefined => {
  const hash = "hash" in algorithm ? algorithm.hash : undefined
  for (const [oid, [candidate, parameters]] of algorithms) {
    if (candidate._tag === algorithm._tag && (!("hash" in candidate) || candidate.hash === hash)) {
      return [ObjectIdentifier.make(oid), parameters]
    }
  }
  return undefined
}

/**
 * Whether a value is a signature algorithm that has an identifier.
 *
 * @since 0.1.0
 * @category guards
 */
export const isSignatureAlgorithm = (u: unknown): u is SignatureAlgorithm => {
  if (typeof u !== "object" || u === null) return false
  const algorithm = u as SignatureAlgorithm
  if (algorithm._tag !== "RsaPss") return oidOf(algorithm) !== undefined
  return Object.hasOwn(hashOids, algorithm.hash) && Number.isInteger(algorithm.saltLength) && algorithm.saltLength >= 0
}

/**
 * The DER of a signature's AlgorithmIdentifier.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encode = (algorithm: SignatureAlgorithm): Uint8Array => {
  if (algorithm._tag === "RsaPss") return Der.sequence(Der.oid(oids.rsassaPss), encodePssParameters(algorithm))
  const [oid, parameters] = oidOf(algorithm) ?? []
  if (oid === undefined) throw new RangeError(`no object identifier for ${JSON.stringify(algorithm)}`)
  return parameters === "null" ? Der.sequence(Der.oid(oid), Der.nullValue()) : Der.sequence(Der.oid(oid))
}

/**
 * The name of a signature algorithm for people, as `ecdsaWithSha256` or `RSASSA-PSS with SHA-256`.
 *
 * @since 0.1.0
 * @category conversions
 */
export const format = ({ algorithm, oid }: AlgorithmIdentifier): string => {
  if (oid !== oids.rsassaPss) return ObjectIdentifier.name(oid)
  return algorithm?._tag === "RsaPss" ? `RSASSA-PSS with ${algorithm.hash}` : "RSASSA-PSS with other parameters"
}
