/**
 * Key agreement by `node:crypto`, and ML-KEM-768 by @noble/post-quantum where Node has none of its own.
 *
 * What is fastest differs from curve to curve (µs on Node 20 / 22 / 24, generating and agreeing together):
 *
 * | | KeyObjects, peer as JWK | KeyObjects, peer as DER | `createECDH` |
 * |---|---|---|---|
 * | X25519 | 62 / 53 / 70 | 180 / 56 / 73 | - |
 * | P-256 | 195 / 77 / 100 | 270 / 77 / 97 | 93 / 55 / 104 |
 * | P-384 | 1720 / 1106 / 1140 | 1480 / 1110 / 1135 | 2010 / 1610 / 1780 |
 * | P-521 | 4000 / 2640 / 2620 | 3400 / 2640 / 2610 | 4500 / 3950 / 3870 |
 *
 * `createECDH` multiplies once more to validate the point, which costs little on P-256 alone; to be on the curve is
 * validation enough on these curves, whose cofactor is 1, and OpenSSL checks that in every case.
 *
 * Finite fields, in the same way, ms: ffdhe2048 1.0 / 1.1 / 1.2, ffdhe3072 2.4 / 2.6 / 3.1, ffdhe4096 4.7 / 5.5 / 6.4,
 * ffdhe8192 21 / 27 / 31. There are traps. OpenSSL 3.0, behind Node 20, checks the order of the peer's value whenever keys
 * are KeyObjects (CVE-2024-41996), which costs 3 to 160 ms more and says nothing: the prime is a safe one.
 * `createDiffieHellman` does not, but on Node 24 it tests the prime itself, 0.4 s for ffdhe2048 and 5 s for ffdhe4096.
 *
 * @since 0.1.0
 */
import * as Crypto from "node:crypto"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as CryptoFailure from "../core/CryptoFailure.ts"
import type { CryptoError, Encapsulation, KeyShare } from "../core/CryptoProvider.ts"
import * as Step from "../core/Step.ts"
import * as Der from "../schema/Der.ts"
import type { FiniteFieldName } from "../schema/FiniteField.ts"
import * as FiniteField from "../schema/FiniteField.ts"
import * as NamedGroup from "../schema/NamedGroup.ts"
import * as ObjectIdentifier from "../schema/ObjectIdentifier.ts"
import * as PublicKey from "../schema/PublicKey.ts"
import { bufferOf, view } from "./NodeBytes.ts"

/** A key pair of a group where both sides do the same. */
interface Pair {
  readonly publicKey: Uint8Array
  readonly agree: (peer: Uint8Array) => Uint8Array
}

interface DiffieHellman {
  readonly generate: () => Pair
  readonly fromPrivate: (privateKey: Uint8Array) => Pair
  /** Why a peer's share is none, before its point is looked at. */
  readonly problem: (peer: Uint8Array) => string | undefined
}

// On Node 20 the public half must come out of the generation itself: exporting it afterwards as JWK can deadlock when a
// collection runs in between. @types/node does not know the JWK form of it.
const generateKeyPair = Crypto.generateKeyPairSync as unknown as (
  type: string,
  options: { readonly namedCurve?: string; readonly publicKeyEncoding: { readonly format: "jwk" } }
) => { readonly publicKey: { readonly x: string; readonly y: string }; readonly privateKey: Crypto.KeyObject }

/** Small results of Buffer.from live in memory shared with others. */
const fromBase64Url = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64url"))

const importPkcs8 = (der: Uint8Array): Crypto.KeyObject =>
  Crypto.createPrivateKey({ key: bufferOf(der), format: "der", type: "pkcs8" })

const { oids } = ObjectIdentifier

const montgomery = (curve: "X25519" | "X448", length: number): DiffieHellman => {
  const pair = (privateKey: Crypto.KeyObject, ours: Uint8Array): Pair => ({
    publicKey: ours,
    agree: (peer) => {
      const key = { kty: "OKP", crv: curve, x: bufferOf(peer).toString("base64url") }
      const publicKey = Crypto.createPublicKey({ key, format: "jwk" })
      const secret = view(Crypto.diffieHellman({ privateKey, publicKey }))
      // RFC 7748 §6. OpenSSL refuses by itself; what is behind node:crypto elsewhere may not.
      if (secret.every((byte) => byte === 0)) {
        throw CryptoFailure.invalidPeerInput(curve, "a point of small order: the secret is all zeros")
      }
      return secret
    }
  })
  return {
    generate: () => {
      const { privateKey, publicKey } = generateKeyPair(curve.toLowerCase(), { publicKeyEncoding: { format: "jwk" } })
      return pair(privateKey, fromBase64Url(publicKey.x))
    },
    fromPrivate: (secret) => {
      const der = Der.sequence(
        Der.integer(0),
        Der.sequence(Der.oid(oids[curve])),
        Der.octetString(Der.octetString(secret))
      )
      const privateKey = importPkcs8(der)
      const publicKey = Crypto.createPublicKey(privateKey).export({ format: "jwk" })
      return pair(privateKey, fromBase64Url(publicKey.x!))
    },
    problem: (peer) => (peer.length === length ? undefined : `a share of ${peer.length} bytes, ${length} expected`)
  }
}

/** TLS has uncompressed points only (RFC 9846 §4.3.8.2); OpenSSL would take compressed and hybrid ones as well. */
const pointProblem = (coordinate: number) => (peer: Uint8Array) => {
  const length = 1 + 2 * coordinate
  if (peer.length !== length) return `a share of ${peer.length} bytes, ${length} expected`
  return peer[0] === 4 ? undefined : "a point that is not uncompressed"
}

/** `setPrivateKey` would take a shorter one. */
const requireScalar = (secret: Uint8Array, length: number): void => {
  if (secret.length !== length) {
    throw CryptoFailure.invalidKey("unsafeKeyShare", `a scalar of ${secret.length} bytes, ${length} expected`)
  }
}

const p256 = ((): DiffieHellman => {
  const pair = (ecdh: Crypto.ECDH, publicKey: Buffer): Pair => ({
    publicKey: view(publicKey),
    agree: (peer) => view(ecdh.computeSecret(peer))
  })
  return {
    generate: () => {
      const ecdh = Crypto.createECDH("prime256v1")
      return pair(ecdh, ecdh.generateKeys())
    },
    fromPrivate: (secret) => {
      requireScalar(secret, 32)
      const ecdh = Crypto.createECDH("prime256v1")
      ecdh.setPrivateKey(secret)
      return pair(ecdh, ecdh.getPublicKey())
    },
    problem: pointProblem(32)
  }
})()

const weierstrass = (curve: "P-384" | "P-521"): DiffieHellman => {
  const coordinate = PublicKey.coordinateLength[curve]
  const pair = (privateKey: Crypto.KeyObject, ours: Uint8Array): Pair => ({
    publicKey: ours,
    agree: (peer) => {
      const key = bufferOf(PublicKey.ec(curve, peer).spki)
      const publicKey = Crypto.createPublicKey({ key, format: "der", type: "spki" })
      return view(Crypto.diffieHellman({ privateKey, publicKey }))
    }
  })
  return {
    generate: () => {
      const { privateKey, publicKey } = generateKeyPair("ec", {
        namedCurve: curve,
        publicKeyEncoding: { format: "jwk" }
      })
      const point = new Uint8Array(1 + 2 * coordinate)
      point[0] = 4
      point.set(Buffer.from(publicKey.x, "base64url"), 1)
      point.set(Buffer.from(publicKey.y, "base64url"), 1 + coordinate)
      return pair(privateKey, point)
    },
    fromPrivate: (secret) => {
      requireScalar(secret, coordinate)
      const ecdh = Crypto.createECDH(curve === "P-384" ? "secp384r1" : "secp521r1")
      ecdh.setPrivateKey(secret)
      const publicKey = view(ecdh.getPublicKey())
      const der = Der.sequence(
        Der.integer(0),
        Der.sequence(Der.oid(oids.ecPublicKey), Der.oid(oids[curve])),
        Der.octetString(
          Der.sequence(
            Der.integer(1),
            Der.octetString(secret),
            Der.value(Der.contextConstructed(1), Der.bitString(publicKey))
          )
        )
      )
      return pair(importPkcs8(der), publicKey)
    },
    problem: pointProblem(coordinate)
  }
}

/** See above: KeyObjects cost more there. Node 20 is always built with it. */
const isOpenSsl30 = process.versions.openssl.startsWith("3.0.")

// Nor does @types/node know keys of finite fields.
const generateFiniteField = Crypto.generateKeyPairSync as unknown as (
  type: "dh",
  options:
    | { readonly group: string }
    | {
        readonly prime: Uint8Array
        readonly generator: number
        readonly publicKeyEncoding: { readonly format: "der"; readonly type: "spki" }
      }
) => { readonly publicKey: Buffer; readonly privateKey: Crypto.KeyObject }

const readFiniteSpki = Der.decode("SubjectPublicKeyInfo", (reader) => {
  const inner = reader.sequence()
  inner.element()
  return Der.decodeNested(inner, inner.bitStringBytes(), "DHPublicKey", (value) => value.unsignedBytes())
})

const publicOf = (name: FiniteFieldName, spki: Buffer): Uint8Array =>
  FiniteField.pad(name, Either.getOrThrow(readFiniteSpki(view(spki))))

/**
 * OpenSSL knows these primes, and makes private keys as long as RFC 7919 §5.2 asks: 225 bits for ffdhe2048, 400 for
 * ffdhe8192. None is used twice.
 */
const finiteField = (name: FiniteFieldName): DiffieHellman => {
  const problem = (peer: Uint8Array) => FiniteField.problem(name, peer)
  if (isOpenSsl30) {
    const pair = (dh: Crypto.DiffieHellman, publicKey: Buffer): Pair => ({
      publicKey: FiniteField.pad(name, publicKey),
      agree: (peer) => FiniteField.pad(name, dh.computeSecret(peer))
    })
    const create = () => Crypto.createDiffieHellman(FiniteField.prime(name), FiniteField.generator)
    return {
      generate: () => {
        const dh = create()
        return pair(dh, dh.generateKeys())
      },
      fromPrivate: (secret) => {
        requireScalar(secret, FiniteField.prime(name).length)
        const dh = create()
        dh.setPrivateKey(secret)
        return pair(dh, dh.generateKeys())
      },
      problem
    }
  }
  const algorithm = () =>
    Der.sequence(
      Der.oid(oids.dhKeyAgreement),
      Der.sequence(Der.integer(FiniteField.prime(name)), Der.integer(FiniteField.generator))
    )
  const pair = (privateKey: Crypto.KeyObject, ours: Uint8Array): Pair => ({
    publicKey: ours,
    agree: (peer) => {
      const key = bufferOf(Der.sequence(algorithm(), Der.bitString(Der.integer(peer))))
      const publicKey = Crypto.createPublicKey({ key, format: "der", type: "spki" })
      return FiniteField.pad(name, Crypto.diffieHellman({ privateKey, publicKey }))
    }
  })
  return {
    generate: () => {
      const { privateKey, publicKey } = generateFiniteField("dh", {
        prime: FiniteField.prime(name),
        generator: FiniteField.generator,
        publicKeyEncoding: { format: "der", type: "spki" }
      })
      return pair(privateKey, publicOf(name, publicKey))
    },
    fromPrivate: (secret) => {
      requireScalar(secret, FiniteField.prime(name).length)
      const privateKey = importPkcs8(Der.sequence(Der.integer(0), algorithm(), Der.octetString(Der.integer(secret))))
      const spki = Crypto.createPublicKey(privateKey).export({ format: "der", type: "spki" })
      return pair(privateKey, publicOf(name, spki))
    },
    problem
  }
}

const diffieHellman: ReadonlyMap<NamedGroup.NamedGroup, DiffieHellman> = new Map([
  [NamedGroup.x25519, montgomery("X25519", 32)],
  [NamedGroup.secp256r1, p256],
  [NamedGroup.secp384r1, weierstrass("P-384")],
  [NamedGroup.secp521r1, weierstrass("P-521")],
  [NamedGroup.x448, montgomery("X448", 56)],
  [NamedGroup.ffdhe2048, finiteField("ffdhe2048")],
  [NamedGroup.ffdhe3072, finiteField("ffdhe3072")],
  [NamedGroup.ffdhe4096, finiteField("ffdhe4096")],
  [NamedGroup.ffdhe6144, finiteField("ffdhe6144")],
  [NamedGroup.ffdhe8192, finiteField("ffdhe8192")]
])

// ---------------------------------------------------------------------------------------------------------------------
// ML-KEM-768
// ---------------------------------------------------------------------------------------------------------------------

const encapsulationKeyLength = 1184
const ciphertextLength = 1088

interface MlKem {
  /** From a seed of 64 bytes (d and z of FIPS 203), or a new one. */
  readonly keyShare: (seed?: Uint8Array) => Pair
  readonly encapsulate: (peer: Uint8Array) => Encapsulation
}

type GenerateMlKem = (
  type: "ml-kem-768",
  options: { readonly publicKeyEncoding: { readonly format: string; readonly type?: string } }
) => { readonly publicKey: Buffer; readonly privateKey: Crypto.KeyObject }

const kemOfNode = Crypto as unknown as {
  readonly encapsulate?: (key: Crypto.KeyObject) => { readonly sharedKey: Buffer; readonly ciphertext: Buffer }
  readonly decapsulate: (key: Crypto.KeyObject, ciphertext: Uint8Array) => Buffer
  readonly generateKeyPairSync: GenerateMlKem
}

/** SubjectPublicKeyInfo and PKCS#8 (seed only) of ML-KEM-768, but for the key (RFC 9935). */
const spkiPrefix = Buffer.from("308204b2300b0609608648016503040402038204a100", "hex")
const pkcs8Prefix = Buffer.from("3054020100300b060960864801650304040204428040", "hex")

const makeNative = (): MlKem | undefined => {
  const encapsulateNatively = kemOfNode.encapsulate
  if (encapsulateNatively === undefined) return undefined
  // The functions may be there without the algorithm (Node on an older OpenSSL), and the raw form, which saves 20 µs,
  // came after them: a generation tells.
  const generate = (publicKeyEncoding: { readonly format: string; readonly type?: string }) =>
    kemOfNode.generateKeyPairSync("ml-kem-768", { publicKeyEncoding })
  const rawForm = { format: "raw-public" }
  const derForm = { format: "der", type: "spki" }
  let form: typeof rawForm | undefined
  try {
    generate(rawForm)
    form = rawForm
  } catch {
    try {
      generate(derForm)
      form = derForm
    } catch {
      return undefined
    }
  }
  const pair = (privateKey: Crypto.KeyObject, encoded: Buffer): Pair => ({
    publicKey: view(encoded.subarray(encoded.length - encapsulationKeyLength)),
    agree: (ciphertext) => view(kemOfNode.decapsulate(privateKey, ciphertext))
  })
  return {
    keyShare: (seed) => {
      if (seed === undefined) {
        const { privateKey, publicKey } = generate(form)
        return pair(privateKey, publicKey)
      }
      const privateKey = importPkcs8(Buffer.concat([pkcs8Prefix, seed]))
      return pair(privateKey, Crypto.createPublicKey(privateKey).export({ format: "der", type: "spki" }))
    },
    encapsulate: (peer) => {
      const key = Buffer.concat([spkiPrefix, peer])
      const { ciphertext, sharedKey } = encapsulateNatively(
        Crypto.createPublicKey({ key, format: "der", type: "spki" })
      )
      return { publicKey: view(ciphertext), sharedSecret: view(sharedKey) }
    }
  }
}

let nativeMlKem: MlKem | undefined | "not asked yet" = "not asked yet"
const native = (): MlKem | undefined => {
  if (nativeMlKem === "not asked yet") nativeMlKem = makeNative()
  return nativeMlKem
}

/** Loaded when first needed: most programs on a Node without ML-KEM never use it, and loading it takes 20 ms. */
const nobleMlKem: Effect.Effect<MlKem, CryptoError> = Effect.map(
  Effect.tryPromise({
    try: () => import("@noble/post-quantum/ml-kem.js"),
    catch: CryptoFailure.from("Failed", "loading ML-KEM-768")
  }),
  ({ ml_kem768 }) => ({
    keyShare: (seed = Crypto.randomFillSync(new Uint8Array(64))) => {
      const { publicKey, secretKey } = ml_kem768.keygen(seed)
      return { publicKey, agree: (ciphertext) => Uint8Array.from(ml_kem768.decapsulate(ciphertext, secretKey)) }
    },
    encapsulate: (peer) => {
      const { cipherText, sharedSecret } = ml_kem768.encapsulate(peer, Crypto.randomFillSync(new Uint8Array(32)))
      // noble's secret is half of a hash whose other half is secret as well.
      return { publicKey: cipherText, sharedSecret: Uint8Array.from(sharedSecret) }
    }
  })
)

const mlKem = Effect.suspend(() => {
  const available = native()
  return available === undefined ? nobleMlKem : Effect.succeed(available)
})

const requireLength = (bytes: Uint8Array, length: number, what: string): void => {
  if (bytes.length !== length) {
    throw CryptoFailure.invalidPeerInput("ML-KEM-768", `${what} of ${bytes.length} bytes, ${length} expected`)
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// The provider's part
// ---------------------------------------------------------------------------------------------------------------------

let curve448: boolean | undefined

/**
 * Whether Curve448 is there: BoringSSL, behind Bun, has none.
 *
 * @since 0.1.0
 * @category capabilities
 */
export const hasCurve448 = (): boolean => {
  if (curve448 === undefined) {
    try {
      diffieHellman.get(NamedGroup.x448)!.generate()
      curve448 = true
    } catch {
      curve448 = false
    }
  }
  return curve448
}

let finiteFields: boolean | undefined

/**
 * Whether finite fields are there, and secret in the time they take: Deno computes with big integers, and takes a peer's
 * 0 and 1 for public values; Bun would test the prime each time, for seconds, and BoringSSL behind it has no such keys.
 */
const hasFiniteFields = (): boolean => {
  if (finiteFields === undefined) {
    try {
      // The smallest there is: 0.2 ms.
      if (!("deno" in process.versions)) generateFiniteField("dh", { group: "modp5" })
      finiteFields = !("deno" in process.versions)
    } catch {
      finiteFields = false
    }
  }
  return finiteFields
}

/**
 * The groups there are, and those of them that Node itself computes.
 *
 * @since 0.1.0
 * @category capabilities
 */
export const groups = (): {
  readonly all: ReadonlySet<NamedGroup.NamedGroup>
  readonly native: ReadonlySet<NamedGroup.NamedGroup>
} => {
  const computed = [...diffieHellman.keys()].filter((group) =>
    group === NamedGroup.x448 ? hasCurve448() : !isFiniteField(group) || hasFiniteFields()
  )
  return {
    all: new Set([...computed, NamedGroup.mlkem768]),
    native: new Set(native() === undefined ? computed : [...computed, NamedGroup.mlkem768])
  }
}

// RFC 9846 §4.2.7: 0x0100 to 0x01ff.
const isFiniteField = (group: NamedGroup.NamedGroup): boolean => group >> 8 === 1

const peerFailure = (group: NamedGroup.NamedGroup) =>
  CryptoFailure.from("InvalidPeerInput", `key agreement in ${groupName(group)}`)

const groupName = (group: NamedGroup.NamedGroup): string =>
  group === NamedGroup.mlkem768 ? "ML-KEM-768" : NamedGroup.name(group)

const unknownGroup = (operation: string, group: NamedGroup.NamedGroup) =>
  Effect.fail(CryptoFailure.unsupported(operation, `no group ${groupName(group)}`))

const agree = (group: NamedGroup.NamedGroup, dh: DiffieHellman, pair: Pair, peer: Uint8Array): Uint8Array => {
  const problem = dh.problem(peer)
  if (problem !== undefined) throw CryptoFailure.invalidPeerInput(`key agreement in ${groupName(group)}`, problem)
  return pair.agree(peer)
}

const toKeyShare = (group: NamedGroup.NamedGroup, dh: DiffieHellman, pair: Pair): KeyShare => ({
  group,
  publicKey: pair.publicKey,
  decapsulate: (peer) => Step.attempt(() => agree(group, dh, pair, peer), peerFailure(group))
})

const mlKemKeyShare = (seed?: Uint8Array): Effect.Effect<KeyShare, CryptoError> =>
  Effect.flatMap(mlKem, (kem) =>
    CryptoFailure.attempt("generateKeyShare", () => {
      const pair = kem.keyShare(seed)
      return {
        group: NamedGroup.mlkem768,
        publicKey: pair.publicKey,
        decapsulate: (ciphertext: Uint8Array) =>
          Effect.try({
            try: () => {
              requireLength(ciphertext, ciphertextLength, "a ciphertext")
              return pair.agree(ciphertext)
            },
            catch: peerFailure(NamedGroup.mlkem768)
          })
      }
    })
  )

/**
 * `generateKeyShare` of the provider.
 *
 * @since 0.1.0
 * @category key agreement
 */
export const generateKeyShare = (group: NamedGroup.NamedGroup): Effect.Effect<KeyShare, CryptoError> => {
  if (group === NamedGroup.mlkem768) return mlKemKeyShare()
  const dh = diffieHellman.get(group)
  return dh === undefined
    ? unknownGroup("generateKeyShare", group)
    : CryptoFailure.attempt("generateKeyShare", () => toKeyShare(group, dh, dh.generate()))
}

/**
 * A key share of a private key that is given, to replay a trace or a test vector: for tests only. The private key has
 * the form of RFC 7748 or a scalar, big endian and as long as the field, also where that is of 2048 bits and more; for
 * ML-KEM-768 it is the seed of 64 bytes.
 *
 * @since 0.1.0
 * @category key agreement
 */
export const unsafeKeyShare = (
  group: NamedGroup.NamedGroup,
  privateKey: Uint8Array
): Effect.Effect<KeyShare, CryptoError> => {
  if (group === NamedGroup.mlkem768) {
    return privateKey.length === 64
      ? mlKemKeyShare(privateKey)
      : Effect.fail(CryptoFailure.invalidKey("unsafeKeyShare", `a seed of ${privateKey.length} bytes, 64 expected`))
  }
  const dh = diffieHellman.get(group)
  return dh === undefined
    ? unknownGroup("unsafeKeyShare", group)
    : Effect.try({
        try: () => toKeyShare(group, dh, dh.fromPrivate(privateKey)),
        catch: CryptoFailure.from("InvalidKey", "unsafeKeyShare")
      })
}

/**
 * `encapsulate` of the provider.
 *
 * @since 0.1.0
 * @category key agreement
 */
export const encapsulate = (
  group: NamedGroup.NamedGroup,
  peer: Uint8Array
): Effect.Effect<Encapsulation, CryptoError> => {
  if (group === NamedGroup.mlkem768) {
    return Effect.flatMap(mlKem, (kem) =>
      Effect.try({
        try: () => {
          requireLength(peer, encapsulationKeyLength, "an encapsulation key")
          return kem.encapsulate(peer)
        },
        catch: peerFailure(group)
      })
    )
  }
  const dh = diffieHellman.get(group)
  if (dh === undefined) return unknownGroup("encapsulate", group)
  return Step.attempt(() => {
    // Before a key of our own is generated: a share that is none should cost us little.
    const problem = dh.problem(peer)
    if (problem !== undefined) throw CryptoFailure.invalidPeerInput("encapsulate", problem)
    const pair = dh.generate()
    return { publicKey: pair.publicKey, sharedSecret: pair.agree(peer) }
  }, peerFailure(group))
}
