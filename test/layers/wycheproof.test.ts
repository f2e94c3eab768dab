/**
 * Project Wycheproof's vectors through the public functions of each provider. Node runs every one of them. noble takes
 * milliseconds for a point on the larger curves, so there it runs a few of each kind (`WYCHEPROOF=full` for all).
 *
 * Vectors are sought in `$VECTORS/wycheproof`, by default beside the repository.
 */
import { createPublicKey, verify } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { gunzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import type { CryptoError, CryptoProviderService, Encapsulation, KeyShare } from "../../src/core/CryptoProvider.ts"
import * as PasswordDecryption from "../../src/core/PasswordDecryption.ts"
import * as DeterministicCrypto from "../../src/layers/DeterministicCrypto.ts"
import * as NobleCrypto from "../../src/layers/NobleCrypto.ts"
import * as NobleKeyAgreement from "../../src/layers/NobleKeyAgreement.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import type { AeadAlgorithm, EcCurve, HashAlgorithm, SignatureAlgorithm } from "../../src/schema/Algorithms.ts"
import { hashLength } from "../../src/schema/Algorithms.ts"
import * as Der from "../../src/schema/Der.ts"
import * as EcdsaSignature from "../../src/schema/EcdsaSignature.ts"
import * as EcPoint from "../../src/schema/EcPoint.ts"
import * as NamedGroup from "../../src/schema/NamedGroup.ts"
import { oids } from "../../src/schema/ObjectIdentifier.ts"
import * as PrivateKeyInfo from "../../src/schema/PrivateKeyInfo.ts"
import * as PublicKey from "../../src/schema/PublicKey.ts"

const directory = `${process.env["VECTORS"] ?? fileURLToPath(new URL("../../../shared/vectors", import.meta.url))}/wycheproof`
const present = existsSync(directory)
const full = process.env["WYCHEPROOF"] === "full"

type Fields = { readonly [field: string]: string }
interface Vector {
  readonly tcId: number
  readonly flags?: ReadonlyArray<string>
  readonly result: "valid" | "invalid" | "acceptable"
}
interface Group {
  readonly tests: ReadonlyArray<Vector & Fields>
}
type GroupFields = Group & Fields & { readonly [size in "ivSize" | "keySize" | "tagSize" | "sLen"]: number }

const load = (name: string): ReadonlyArray<GroupFields> =>
  JSON.parse(gunzipSync(readFileSync(`${directory}/${name}_test.json.gz`)).toString()).testGroups

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"))
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

interface Subject {
  readonly crypto: CryptoProviderService
  readonly unsafeKeyShare: (
    group: NamedGroup.NamedGroup,
    privateKey: Uint8Array
  ) => Effect.Effect<KeyShare, CryptoError>
  /** Vectors of each kind in a file of slow ones. */
  readonly samples: number
}

/** What a vector says should have been otherwise; nothing when all is well. */
type Outcome = string | undefined
type Check = (subject: Subject, vector: Vector & Fields, group: GroupFields) => Promise<Outcome> | Outcome

const expectBytes = (found: Uint8Array | undefined, expected: string | undefined): Outcome => {
  const text = found === undefined ? undefined : toHex(found)
  return text === expected ? undefined : `${expected ?? "refusal"} expected, ${text ?? "refusal"} found`
}

const aead =
  (algorithm: (group: GroupFields) => AeadAlgorithm | undefined): Check =>
  ({ crypto }, vector, group) => {
    const name = algorithm(group)
    if (name === undefined) return undefined
    const key = crypto.aead(name, hex(vector["key"]!))
    const [nonce, additionalData, plaintext] = [hex(vector["iv"]!), hex(vector["aad"]!), hex(vector["msg"]!)]
    const ciphertext = hex(vector["ct"]! + vector["tag"]!)
    const opened = key.open(nonce, additionalData, ciphertext)
    if (vector.result === "invalid") return expectBytes(opened, undefined)
    const sealed = new Uint8Array(plaintext.length + key.tagLength)
    key.seal(nonce, additionalData, plaintext, sealed)
    return expectBytes(opened, vector["msg"]) ?? expectBytes(sealed, toHex(ciphertext))
  }

/** A refusal has to be the peer's fault; anything else is an outcome of its own. */
const secretOf = (effect: Effect.Effect<Uint8Array, CryptoError>): Promise<Uint8Array | string | undefined> =>
  Effect.runPromise(
    Effect.catchAll(effect, (error) =>
      Effect.succeed(error.reason === "InvalidPeerInput" ? undefined : `${error.reason}: ${error.message}`)
    )
  )

const expectSecret = async (effect: Effect.Effect<Uint8Array, CryptoError>, expected: string | undefined) => {
  const found = await secretOf(effect)
  return typeof found === "string" ? found : expectBytes(found, expected)
}

/** A scalar as it stands in a vector, with zeros in front or without, by way of SEC 1 as keys are stored. */
const scalar = (text: string, curve: EcCurve): Uint8Array => {
  const named = Der.value(0xa0, Der.oid(oids[curve]))
  const digits = text.length % 2 === 0 ? text : `0${text}`
  const sec1 = Der.sequence(Der.integer(1), Der.octetString(hex(digits)), named)
  const info = Either.getOrThrow(PrivateKeyInfo.fromDer(sec1))
  return info._tag === "Ec" ? Redacted.value(info.secret) : new Uint8Array(0)
}

const ecdh =
  (group: NamedGroup.NamedGroup, curve: EcCurve): Check =>
  async ({ unsafeKeyShare }, vector) => {
    const share = Effect.runSync(unsafeKeyShare(group, scalar(vector["private"]!, curve)))
    const bytes = hex(vector["public"]!)
    const expected = vector.result === "invalid" ? undefined : vector["shared"]
    // TLS has uncompressed points only: what Wycheproof calls acceptable here is not, unless a key came that way.
    const isCompressed = vector.flags?.includes("CompressedPoint") === true
    const found = await expectSecret(share.decapsulate(bytes), isCompressed ? undefined : expected)
    if (found !== undefined || !isCompressed) return found
    const point = EcPoint.uncompressed(curve, bytes)
    return "problem" in point ? expectBytes(undefined, expected) : expectSecret(share.decapsulate(point), expected)
  }

const xdh =
  (group: NamedGroup.NamedGroup): Check =>
  async ({ unsafeKeyShare }, vector) => {
    // Acceptable are points on the twist and encodings that are not canonical, which RFC 7748 §5 demands to take, and
    // points of small order, whose secret of zeros TLS demands to refuse (RFC 9846 §7.4.2).
    const refused = vector.result === "invalid" || vector.flags?.includes("ZeroSharedSecret")
    const agreed = Effect.flatMap(unsafeKeyShare(group, hex(vector["private"]!)), (share) =>
      share.decapsulate(hex(vector["public"]!))
    )
    return expectSecret(agreed, refused ? undefined : vector["shared"])
  }

const signature =
  (algorithm: (group: GroupFields) => SignatureAlgorithm | undefined): Check =>
  async ({ crypto }, vector, group) => {
    const chosen = algorithm(group)
    const key = Either.getOrThrow(PublicKey.decode(hex(group["publicKeyDer"]!)))
    if (!PublicKey.equals(Either.getOrThrow(PublicKey.fromPem(group["publicKeyPem"]!)), key))
      return "another key in PEM"
    if (chosen === undefined || key._tag === "Unsupported") return undefined
    if (!crypto.capabilities.verify(chosen, key)) return "not supported"
    const found = await Effect.runPromise(
      Effect.catchAll(crypto.verify(chosen, key, hex(vector["msg"]!), hex(vector["sig"]!)), (error) =>
        Effect.succeed(`${error.reason}: ${error.message}`)
      )
    )
    // Acceptable is a PKCS #1 v1.5 DigestInfo without its NULL. RFC 8017 §9.2 makes one encoding of a hash, and we
    // compare with that one.
    const expected = vector.result === "valid"
    return found === expected ? undefined : `${expected} expected, ${found} found`
  }

const hashes: ReadonlySet<string> = new Set(Object.keys(hashLength))
const hashOf = (group: GroupFields): HashAlgorithm | undefined =>
  hashes.has(group["sha"]!) ? (group["sha"] as HashAlgorithm) : undefined

const ecdsaByProvider = signature((group) => ({ _tag: "Ecdsa", hash: hashOf(group)! }))

/** Our own reader of a signature: what it refuses is invalid, and what it reads means the same as two plain numbers. */
const ecdsaByNumbers: Check = (_, vector, group) => {
  const key = Either.getOrThrow(PublicKey.decode(hex(group["publicKeyDer"]!)))
  if (key._tag !== "Ec") return "not a key on a curve"
  const signatureBytes = hex(vector["sig"]!)
  const raw = EcdsaSignature.toRaw(key.curve, signatureBytes)
  if (Either.isLeft(raw)) return vector.result === "invalid" ? undefined : raw.left.message
  const again = Either.getOrThrow(EcdsaSignature.fromRaw(key.curve, raw.right))
  const handle = createPublicKey({ key: Buffer.from(key.spki), format: "der", type: "spki" })
  const found = verify(hashOf(group)!, hex(vector["msg"]!), { key: handle, dsaEncoding: "ieee-p1363" }, raw.right)
  const expected = vector.result === "valid"
  return found === expected ? expectBytes(again, vector["sig"]) : `${expected} expected, ${found} found`
}

const ecdsa: Check = async (subject, vector, group) =>
  ecdsaByNumbers(subject, vector, group) ?? (await ecdsaByProvider(subject, vector, group))
const rsaPkcs1 = signature((group) => ({ _tag: "RsaPkcs1", hash: hashOf(group)! }))
const rsaPss = signature((group) => {
  const hash = hashOf(group)
  // TLS and X.509 as we read them have SHA-1 and SHA-2 but SHA-224, and MGF1 over the hash of the message.
  return hash === undefined || group["mgfSha"] !== hash ? undefined : { _tag: "RsaPss", hash, saltLength: group.sLen }
})

/** Vectors of decryption, which is not ours: of them the keys, in each form. */
const rsaPrivateKey: Check = async ({ crypto }, _, group) => {
  const { e, n } = group["privateKeyJwk"] as unknown as { readonly e: string; readonly n: string }
  const fromBase64 = (text: string) => new Uint8Array(Buffer.from(text, "base64url"))
  const expected = PublicKey.rsa(fromBase64(n), fromBase64(e))
  for (const read of [
    PrivateKeyInfo.fromDer(hex(group["privateKeyPkcs8"]!)),
    PrivateKeyInfo.fromPem(group["privateKeyPem"]!)
  ]) {
    const info = Either.getOrThrow(read)
    if (info._tag !== "Rsa" || !PublicKey.equals(Either.getOrThrow(PrivateKeyInfo.rsaPublicKey(info)), expected)) {
      return "another key"
    }
    const algorithm = { _tag: "RsaPss", hash: "SHA-256", saltLength: 32 } as const
    if (!crypto.capabilities.sign(algorithm, expected)) continue
    const key = await Effect.runPromise(crypto.importPrivateKey(info))
    const data = Uint8Array.of(1, 2, 3)
    const signed = await Effect.runPromise(key.sign(algorithm, data))
    if (!(await Effect.runPromise(crypto.verify(algorithm, expected, data, signed)))) return "a wrong signature"
  }
  return undefined
}

const aesCbc: Check = ({ crypto }, vector, group) => {
  const cipher = crypto.cbc(`AES-${group.keySize as 128 | 192 | 256}-CBC`, hex(vector["key"]!))
  const iv = hex(vector["iv"]!)
  const ciphertext = hex(vector["ct"]!)
  if (ciphertext.length % 16 !== 0) return vector.result === "invalid" ? undefined : "a length that is none"
  const padded = cipher.decrypt(iv, ciphertext)
  const length = PasswordDecryption.unpaddedLength(padded, 16)
  if (vector.result === "invalid") return length === undefined ? undefined : "refusal expected"
  return (
    expectBytes(length === undefined ? undefined : padded.subarray(0, length), vector["msg"]) ??
    expectBytes(cipher.encrypt(iv, padded), vector["ct"])
  )
}

const hkdf =
  (hash: HashAlgorithm): Check =>
  ({ crypto }, vector) => {
    const size = Number(vector["size"])
    // RFC 5869 §2.3 ends at 255 blocks.
    if (vector.result === "invalid") return size > 255 * hashLength[hash] ? undefined : "a size that is none"
    const secret = crypto.hmac(hash, hex(vector["salt"]!), hex(vector["ikm"]!))
    const output: Array<Uint8Array> = []
    let block: Uint8Array = new Uint8Array(0)
    for (let i = 1; output.length * hashLength[hash] < size; i++) {
      block = crypto.hmac(hash, secret, Buffer.concat([block, hex(vector["info"]!), Uint8Array.of(i)]))
      output.push(block)
    }
    return expectBytes(Buffer.concat(output).subarray(0, size), vector["okm"])
  }

const hmac =
  (hash: HashAlgorithm): Check =>
  ({ crypto }, vector, group) => {
    const tag = crypto.hmac(hash, hex(vector["key"]!), hex(vector["msg"]!)).subarray(0, group.tagSize / 8)
    return crypto.equal(tag, hex(vector["tag"]!)) === (vector.result === "valid") ? undefined : "the other verdict"
  }

const mlKemDecapsulation: Check = async ({ unsafeKeyShare }, vector) => {
  const share = await Effect.runPromise(Effect.either(unsafeKeyShare(NamedGroup.mlkem768, hex(vector["seed"]!))))
  if (Either.isLeft(share)) {
    return vector.result === "invalid" && share.left.reason === "InvalidKey" ? undefined : share.left.message
  }
  if (vector.result === "invalid") return expectSecret(share.right.decapsulate(hex(vector["c"]!)), undefined)
  return (
    expectBytes(share.right.publicKey, vector["ek"]) ??
    (await expectSecret(share.right.decapsulate(hex(vector["c"]!)), vector["K"]))
  )
}

const mlKemGeneration: Check = async ({ unsafeKeyShare }, vector) => {
  const share = await Effect.runPromise(unsafeKeyShare(NamedGroup.mlkem768, hex(vector["seed"]!)))
  return expectBytes(share.publicKey, vector["ek"])
}

/** Only noble lets itself be told the message; of Node the refusals can be seen, and that it takes the rest. */
const mlKemEncapsulation: Check = async ({ crypto }, vector) => {
  const ek = hex(vector["ek"]!)
  const check = async (provider: CryptoProviderService, compare: boolean): Promise<Outcome> => {
    let made: Encapsulation | undefined
    const secret = Effect.map(provider.encapsulate(NamedGroup.mlkem768, ek), (encapsulation) => {
      made = encapsulation
      return encapsulation.sharedSecret
    })
    const found = await secretOf(secret)
    if (typeof found === "string") return found
    if (vector.result === "invalid" || compare) {
      return (
        expectBytes(found, vector.result === "valid" ? vector["K"] : undefined) ??
        expectBytes(made?.publicKey, vector.result === "valid" ? vector["c"] : undefined)
      )
    }
    return found === undefined ? "a secret expected, refusal found" : undefined
  }
  if (crypto.name !== "noble") return check(crypto, false)
  const keyShares = [{ group: NamedGroup.mlkem768, privateKey: hex(vector["m"]!) }]
  return check(DeterministicCrypto.make({ seed: "wycheproof", keyShares }), true)
}

const tls = (group: GroupFields, tagSize: number, keySize: number): boolean =>
  group.ivSize === 96 && group.tagSize === tagSize && group.keySize === keySize

interface File {
  readonly name: string
  readonly check: Check
  /** More than a second for noble. */
  readonly slow?: true
}

const sizes = [256, 384, 512] as const
const files: ReadonlyArray<File> = [
  {
    name: "aes_gcm",
    check: aead((group) => (tls(group, 128, 128) ? "AES-128-GCM" : tls(group, 128, 256) ? "AES-256-GCM" : undefined))
  },
  {
    name: "aes_ccm",
    check: aead((group) => (tls(group, 128, 128) ? "AES-128-CCM" : tls(group, 64, 128) ? "AES-128-CCM-8" : undefined))
  },
  { name: "chacha20_poly1305", check: aead((group) => (tls(group, 128, 256) ? "CHACHA20-POLY1305" : undefined)) },
  { name: "x25519", check: xdh(NamedGroup.x25519), slow: true },
  { name: "x448", check: xdh(NamedGroup.x448), slow: true },
  { name: "ecdh_secp256r1_ecpoint", check: ecdh(NamedGroup.secp256r1, "P-256"), slow: true },
  { name: "ecdh_secp384r1_ecpoint", check: ecdh(NamedGroup.secp384r1, "P-384"), slow: true },
  { name: "ecdh_secp521r1_ecpoint", check: ecdh(NamedGroup.secp521r1, "P-521"), slow: true },
  ...["secp256r1_sha256", "secp256r1_sha512", "secp384r1_sha256", "secp384r1_sha384", "secp384r1_sha512"].map(
    (name): File => ({ name: `ecdsa_${name}`, check: ecdsa, slow: true })
  ),
  { name: "ecdsa_secp521r1_sha512", check: ecdsa, slow: true },
  ...[2048, 3072, 4096].map((bits): File => ({ name: `rsa_pkcs1_${bits}`, check: rsaPrivateKey, slow: true })),
  { name: "aes_cbc_pkcs5", check: aesCbc },
  { name: "ed25519", check: signature(() => ({ _tag: "Ed25519" })) },
  { name: "ed448", check: signature(() => ({ _tag: "Ed448" })) },
  ...[2048, 3072, 4096].flatMap((bits) =>
    sizes.map((size): File => ({ name: `rsa_signature_${bits}_sha${size}`, check: rsaPkcs1 }))
  ),
  ...[
    "2048_sha256_mgf1_32",
    "2048_sha256_mgf1_32_params",
    "2048_sha384_mgf1_48",
    "3072_sha256_mgf1_32",
    "3072_sha256_mgf1_32_params",
    "4096_sha256_mgf1_32",
    "4096_sha384_mgf1_48",
    "4096_sha512_mgf1_32",
    "4096_sha512_mgf1_32_params",
    "4096_sha512_mgf1_64",
    "4096_sha512_mgf1_64_params",
    "misc",
    "misc_params"
  ].map((name): File => ({ name: `rsa_pss_${name}`, check: rsaPss })),
  ...sizes.flatMap((size): ReadonlyArray<File> => [
    { name: `hkdf_sha${size}`, check: hkdf(`SHA-${size}`) },
    { name: `hmac_sha${size}`, check: hmac(`SHA-${size}`) }
  ]),
  { name: "mlkem_768", check: mlKemDecapsulation },
  { name: "mlkem_768_keygen_seed", check: mlKemGeneration },
  { name: "mlkem_768_encaps", check: mlKemEncapsulation }
]

/** Without the vectors one test says so, and is skipped. */
const found: ReadonlyArray<File> = present
  ? files
  : [{ name: `needs the vectors, which are not in ${directory}`, check: () => "never run" }]

const subjects: ReadonlyArray<Subject> = [
  { crypto: NodeCrypto.make(), unsafeKeyShare: NodeCrypto.unsafeKeyShare, samples: Infinity },
  {
    crypto: NobleCrypto.make(),
    unsafeKeyShare: NobleKeyAgreement.unsafeKeyShare,
    samples: full ? Infinity : 3
  }
]

describe.each(subjects)("Wycheproof with $crypto.name", (subject) => {
  it.skipIf(!present).each(found)("$name", async ({ check, name, slow }) => {
    const failures: Array<string> = []
    const seen = new Map<string, number>()
    for (const group of load(name)) {
      for (const vector of group.tests) {
        const kind = `${vector.result} ${vector.flags?.join()}`
        const count = (seen.get(kind) ?? 0) + 1
        seen.set(kind, count)
        if (slow && count > subject.samples) continue
        const problem = await check(subject, vector, group)
        if (problem !== undefined) failures.push(`${vector.tcId} (${kind}): ${problem}`)
      }
    }
    assert.isAbove(seen.size, 0)
    assert.deepStrictEqual(failures, [])
  })
})
