/**
 * What every provider has to do, by what it declares it can: published values, agreement with another provider in both
 * directions, and each way to fail.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import type { CryptoError, CryptoProviderService, KeyShare, KeyType } from "../../src/core/CryptoProvider.ts"
import * as PrivateKey from "../../src/core/PrivateKey.ts"
import type { AeadAlgorithm, HashAlgorithm, SignatureAlgorithm } from "../../src/schema/Algorithms.ts"
import { aeadLengths, hashLength } from "../../src/schema/Algorithms.ts"
import * as FiniteField from "../../src/schema/FiniteField.ts"
import * as NamedGroup from "../../src/schema/NamedGroup.ts"
import * as PrivateKeyInfo from "../../src/schema/PrivateKeyInfo.ts"
import * as PublicKey from "../../src/schema/PublicKey.ts"
import * as SignatureScheme from "../../src/schema/SignatureScheme.ts"
import { passwordSuite } from "./passwordSuite.ts"

export interface Subject {
  readonly crypto: CryptoProviderService
  readonly unsafeKeyShare: (
    group: NamedGroup.NamedGroup,
    privateKey: Uint8Array
  ) => Effect.Effect<KeyShare, CryptoError>
  /** Another implementation, to agree with. */
  readonly other: CryptoProviderService
  readonly withoutFiniteFields?: boolean
}

export const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replace(/\s/g, ""), "hex"))
export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const range = (from: number, to: number): Uint8Array => Uint8Array.from({ length: to - from }, (_, i) => from + i)
/** Bytes that look like nothing in particular and are the same each time. */
const pattern = (length: number, start = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (start + i * 167 + (i >> 8) * 13) & 0xff)

export const reasonOf = <A>(effect: Effect.Effect<A, CryptoError>): Promise<CryptoError["reason"] | "success"> =>
  Effect.runPromise(Effect.match(effect, { onFailure: (error) => error.reason, onSuccess: () => "success" as const }))

/** No Buffer, whose `slice` would not copy. */
const assertPlain = (bytes: Uint8Array): void => assert.strictEqual(bytes.constructor, Uint8Array)

/** And nothing else in the same memory: no pool, no other half of a result. */
const assertOwn = (bytes: Uint8Array): void => {
  assertPlain(bytes)
  assert.strictEqual(bytes.buffer.byteLength, bytes.length)
}

const run = Effect.runPromise

const names: { readonly [G in number]: string } = { [NamedGroup.mlkem768]: "ML-KEM-768" }
const groupName = (group: NamedGroup.NamedGroup): string => names[group] ?? NamedGroup.name(group)

const keyTypes: ReadonlyArray<KeyType> = [
  { _tag: "Ec", curve: "P-256" },
  { _tag: "Ec", curve: "P-384" },
  { _tag: "Ec", curve: "P-521" },
  { _tag: "Ed25519" },
  { _tag: "Ed448" }
]
const rsaTypes: ReadonlyArray<KeyType> = [
  { _tag: "Rsa", modulusLength: 2048 },
  { _tag: "RsaPss", modulusLength: 2048 }
]
const typeName = (type: KeyType): string =>
  type._tag === "Ec" ? type.curve : "modulusLength" in type ? `${type._tag} ${type.modulusLength}` : type._tag

const algorithmsFor = (key: PublicKey.PublicKey): ReadonlyArray<SignatureAlgorithm> => {
  switch (key._tag) {
    case "Ec":
      return (["SHA-1", "SHA-256", "SHA-384", "SHA-512"] as const).map((hash) => ({ _tag: "Ecdsa", hash }))
    case "Rsa":
    case "RsaPss":
      return [
        { _tag: "RsaPss", hash: "SHA-256", saltLength: 32 },
        { _tag: "RsaPss", hash: "SHA-384", saltLength: 48 },
        { _tag: "RsaPss", hash: "SHA-512", saltLength: 0 },
        ...(key._tag === "RsaPss"
          ? []
          : (["SHA-1", "SHA-256", "SHA-384", "SHA-512"] as const).map((hash): SignatureAlgorithm => ({
              _tag: "RsaPkcs1",
              hash
            })))
      ]
    case "Ed25519":
    case "Ed448":
      return [{ _tag: key._tag }]
    case "Unsupported":
      return []
  }
}

export const infoOf = (pkcs8: Redacted.Redacted<Uint8Array>): PrivateKeyInfo.PrivateKeyInfo =>
  Either.getOrThrow(PrivateKeyInfo.fromDer(Redacted.value(pkcs8)))

const message = utf8("sample")

/** RFC 6979 §A.2.5, P-256 with SHA-256, message "sample". */
const p256Point = hex(
  `04 60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6
      7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299`
)
const p256Key = PublicKey.ec("P-256", p256Point)
export const p256Secret = hex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721")
const p256Signature = hex(
  `3046022100 EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
     022100 F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8`
)
const ecdsaSha256: SignatureAlgorithm = { _tag: "Ecdsa", hash: "SHA-256" }

/** An RSA key whose numbers are what a test wants; its signatures are nobody's. */
const rsaKey = (modulus: Uint8Array, exponent: Uint8Array = Uint8Array.of(1, 0, 1)) => PublicKey.rsa(modulus, exponent)
const oddModulus = (length: number): Uint8Array =>
  pattern(length, 0xd1)
    .fill(0xd1, 0, 1)
    .fill(0x0d, length - 1)

const hashValues: { readonly [H in HashAlgorithm]: string } = {
  "SHA-1": "a9993e364706816aba3e25717850c26c9cd0d89d",
  "SHA-256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  "SHA-384": "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
  "SHA-512":
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
}

/** RFC 4231 test cases 1 and 6, and RFC 2202's for SHA-1. */
const hmacValues: ReadonlyArray<readonly [HashAlgorithm, key: Uint8Array, data: string, mac: string]> = [
  ["SHA-1", new Uint8Array(20).fill(0x0b), "Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"],
  [
    "SHA-256",
    new Uint8Array(20).fill(0x0b),
    "Hi There",
    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
  ],
  [
    "SHA-384",
    new Uint8Array(20).fill(0x0b),
    "Hi There",
    "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6"
  ],
  [
    "SHA-512",
    new Uint8Array(20).fill(0x0b),
    "Hi There",
    "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"
  ],
  [
    "SHA-256",
    new Uint8Array(131).fill(0xaa),
    "Test Using Larger Than Block-Size Key - Hash Key First",
    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
  ]
]

interface AeadValue {
  readonly algorithm: AeadAlgorithm
  readonly from: string
  readonly key: Uint8Array
  readonly nonce: Uint8Array
  readonly additionalData: Uint8Array
  readonly plaintext: Uint8Array
  readonly ciphertext: Uint8Array
}

const gcmPlaintext = hex(
  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
)
const gcmShared = {
  nonce: hex("cafebabefacedbaddecaf888"),
  additionalData: hex("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
  plaintext: gcmPlaintext
}
const aeadValues: ReadonlyArray<AeadValue> = [
  {
    algorithm: "AES-128-GCM",
    from: "McGrew and Viega, test case 4",
    key: hex("feffe9928665731c6d6a8f9467308308"),
    ...gcmShared,
    ciphertext: hex(
      `42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091
       5bc94fbc3221a5db94fae95ae7121a47`
    )
  },
  {
    algorithm: "AES-256-GCM",
    from: "McGrew and Viega, test case 16",
    key: hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"),
    ...gcmShared,
    ciphertext: hex(
      `522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662
       76fc6ece0f4e1768cddf8853bb2d551b`
    )
  },
  {
    algorithm: "CHACHA20-POLY1305",
    from: "RFC 8439 §2.8.2",
    key: range(0x80, 0xa0),
    nonce: hex("070000004041424344454647"),
    additionalData: hex("50515253c0c1c2c3c4c5c6c7"),
    plaintext: utf8(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."
    ),
    ciphertext: hex(
      `d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b29
       05d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b
       61161ae10b594f09e26a7e902ecbd0600691`
    )
  },
  {
    algorithm: "AES-128-CCM-8",
    from: "NIST SP 800-38C, example 3",
    key: range(0x40, 0x50),
    nonce: range(0x10, 0x1c),
    additionalData: range(0x00, 0x14),
    plaintext: range(0x20, 0x38),
    ciphertext: hex("e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5484392fbc1b09951")
  },
  {
    algorithm: "AES-128-CCM",
    from: "Wycheproof, the empty message",
    key: hex("bedcfb5a011ebc84600fcb296c15af0d"),
    nonce: hex("438a547a94ea88dce46c6c85"),
    additionalData: new Uint8Array(0),
    plaintext: new Uint8Array(0),
    ciphertext: hex("25d1a38495a7dea45bda049705627d10")
  }
]

interface AgreementValue {
  readonly group: NamedGroup.NamedGroup
  readonly from: string
  readonly privateKey: Uint8Array
  readonly publicKey: string
  readonly peer: Uint8Array
  readonly secret: string
}

const x448Alice = hex(
  "9a8f4925d1519f5775cf46b04b5800d4ee9ee8bae8bc5565d498c28dd9c9baf574a9419744897391006382a6f127ab1d9ac2d8c0a598726b"
)
/** base ** exponent % modulus, by nobody's library. */
const power = (base: bigint, exponent: bigint, modulus: bigint): bigint => {
  let result = 1n
  for (let square = base, rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = (result * square) % modulus
    square = (square * square) % modulus
  }
  return result
}
const toBigInt = (bytes: Uint8Array): bigint => BigInt(`0x${toHex(bytes)}`)
const ofLength = (value: bigint, length: number): Uint8Array => hex(value.toString(16).padStart(2 * length, "0"))

export const finiteFields = ["ffdhe2048", "ffdhe3072", "ffdhe4096", "ffdhe6144", "ffdhe8192"] as const

const finiteFieldValue = (name: (typeof finiteFields)[number]): AgreementValue => {
  const prime = FiniteField.prime(name)
  const [p, ours, theirs] = [prime, pattern(28), pattern(28, 5)].map(toBigInt) as [bigint, bigint, bigint]
  const peer = power(2n, theirs, p)
  return {
    group: NamedGroup.fromName(name)!.code,
    from: `${name} by hand`,
    privateKey: ofLength(ours, prime.length),
    publicKey: toHex(ofLength(power(2n, ours, p), prime.length)),
    peer: ofLength(peer, prime.length),
    secret: toHex(ofLength(power(peer, ours, p), prime.length))
  }
}

const agreementValues: ReadonlyArray<AgreementValue> = [
  {
    group: NamedGroup.x25519,
    from: "RFC 7748 §6.1",
    privateKey: hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"),
    publicKey: "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
    peer: hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"),
    secret: "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
  },
  {
    group: NamedGroup.x448,
    from: "RFC 7748 §6.2",
    privateKey: x448Alice,
    publicKey:
      "9b08f7cc31b7e3e67d22d5aea121074a273bd2b83de09c63faa73d2c22c5d9bbc836647241d953d40c5b12da88120d53177f80e532c41fa0",
    peer: hex(
      "3eb7a829b0cd20f5bcfc0b599b6feccf6da4627107bdb0d4f345b43027d8b972fc3e34fb4232a13ca706dcb57aec3dae07bdc1c67bf33609"
    ),
    secret:
      "07fff4181ac6cc95ec1c16a94a0f74d12da232ce40a77552281d282bb60c0b56fd2464c335543936521c24403085d59a449a5037514a879d"
  },
  {
    group: NamedGroup.secp256r1,
    from: "RFC 5903 §8.1",
    privateKey: hex("c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433"),
    publicKey:
      "04dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c37725811805271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3",
    peer: hex(
      `04 d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63
          56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab`
    ),
    secret: "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de"
  },
  {
    group: NamedGroup.secp384r1,
    from: "RFC 5903 §8.2",
    privateKey: hex("099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655e35b538041e649ee3faef896783ab194"),
    publicKey:
      "04667842d7d180ac2cde6f74f37551f55755c7645c20ef73e31634fe72b4c55ee6de3ac808acb4bdb4c88732aee95f41aa9482ed1fc0eeb9cafc4984625ccfc23f65032149e0e144ada024181535a0f38eeb9fcff3c2c947dae69b4c634573a81c",
    peer: hex(
      `04 e558dbef53eecde3d3fccfc1aea08a89a987475d12fd950d83cfa41732bc509d0d1ac43a0336def96fda41d0774a3571
          dcfbec7aacf3196472169e838430367f66eebe3c6e70c416dd5f0c68759dd1fff83fa40142209dff5eaad96db9e6386c`
    ),
    secret: "11187331c279962d93d604243fd592cb9d0a926f422e47187521287e7156c5c4d603135569b9e9d09cf5d4a270f59746"
  },
  {
    group: NamedGroup.secp521r1,
    from: "RFC 5903 §8.3",
    privateKey: hex(
      "0037ade9319a89f4dabdb3ef411aaccca5123c61acab57b5393dce47608172a095aa85a30fe1c2952c6771d937ba9777f5957b2639bab072462f68c27a57382d4a52"
    ),
    publicKey:
      "040015417e84dbf28c0ad3c278713349dc7df153c897a1891bd98bab4357c9ecbee1e3bf42e00b8e380aeae57c2d107564941885942af5a7f4601723c4195d176ced3e017cae20b6641d2eeb695786d8c946146239d099e18e1d5a514c739d7cb4a10ad8a788015ac405d7799dc75e7b7d5b6cf2261a6a7f1507438bf01beb6ca3926f9582",
    peer: hex(
      `04 00d0b3975ac4b799f5bea16d5e13e9af971d5e9b984c9f39728b5e5739735a219b97c356436adc6e95bb0352f6be64a6c2912d4ef2d0433ced2b6171640012d9460f
          015c68226383956e3bd066e797b623c27ce0eac2f551a10c2c724d9852077b87220b6536c5c408a1d2aebb8e86d678ae49cb57091f4732296579ab44fcd17f0fc56a`
    ),
    secret:
      "01144c7d79ae6956bc8edb8e7c787c4521cb086fa64407f97894e5e6b2d79b04d1427e73ca4baa240a34786859810c06b3c715a3a8cc3151f2bee417996d19f3ddea"
  },
  ...finiteFields.map(finiteFieldValue)
]

const coordinateOf = (point: Uint8Array): number => (point.length - 1) / 2

/** Shares that are none, by group. */
const badShares = (group: NamedGroup.NamedGroup): ReadonlyArray<readonly [what: string, share: Uint8Array]> => {
  const length = group === NamedGroup.mlkem768 ? 1184 : NamedGroup.info(group)!.clientShare
  const common: ReadonlyArray<readonly [string, Uint8Array]> = [
    ["nothing", new Uint8Array(0)],
    ["a byte too few", pattern(length - 1)],
    ["a byte too many", pattern(length + 1)]
  ]
  if (group === NamedGroup.mlkem768)
    return [...common, ["numbers above the modulus", new Uint8Array(length).fill(0xff)]]
  if (group === NamedGroup.x25519 || group === NamedGroup.x448) {
    const one = new Uint8Array(length)
    one[0] = 1
    const lowOrder: ReadonlyArray<readonly [string, Uint8Array]> =
      group === NamedGroup.x25519
        ? [
            ["order 8", hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")],
            ["order 8, the other", hex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157")],
            ["p", hex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
          ]
        : []
    return [...common, ["zero", new Uint8Array(length)], ["one", one], ...lowOrder]
  }
  const field = finiteFields.find((name) => NamedGroup.fromName(name)!.code === group)
  if (field !== undefined) {
    const p = toBigInt(FiniteField.prime(field))
    const all = { "0": 0n, "1": 1n, "p - 1": p - 1n, p: p, "p + 1": p + 1n, "p + 2": p + 2n }
    return [
      ...common,
      ...Object.entries(all).map(([what, value]) => [what, ofLength(value, length)] as const),
      ["all bits", new Uint8Array(length).fill(0xff)],
      ["2 without its zeros", Uint8Array.of(2)]
    ]
  }
  const point = agreementValues.find((value) => value.group === group)!.peer
  const width = coordinateOf(point)
  const offCurve = Uint8Array.from(point)
  offCurve[length - 1]! ^= 1
  const hybrid = Uint8Array.from(point)
  hybrid[0] = 6 | (point[length - 1]! & 1)
  const compressed = point.slice(0, 1 + width)
  compressed[0] = 2 | (point[length - 1]! & 1)
  const outOfField = Uint8Array.from(point).fill(0xff, 1, 1 + width)
  return [
    ...common,
    ["a point off the curve", offCurve],
    ["a hybrid point", hybrid],
    ["a compressed point", compressed],
    ["infinity", Uint8Array.of(0)],
    ["infinity, filled up", new Uint8Array(length)],
    ["zeros", new Uint8Array(length).fill(4, 0, 1)],
    ["a coordinate out of the field", outOfField]
  ]
}

/** What BER would allow, or nothing would, for a right signature. */
const badDer = (signature: Uint8Array): ReadonlyArray<readonly [what: string, signature: Uint8Array]> => {
  const text = toHex(signature)
  const [r, s] = [text.slice(8, 8 + 2 * signature[3]!), text.slice(-2 * 33)]
  assert.strictEqual(text, `30460221${r}0221${s}`)
  return [
    ["nothing", new Uint8Array(0)],
    ["one byte", Uint8Array.of(0x30)],
    ["no numbers", hex("3000")],
    ["a byte behind", hex(`${text}00`)],
    ["a byte behind, inside", hex(`30470221${r}0221${s}00`)],
    ["cut off", signature.subarray(0, signature.length - 1)],
    ["a long length", hex(`3081460221${r}0221${s}`)],
    ["a long length inside", hex(`3047028121${r}0221${s}`)],
    ["an indefinite length", hex(`30800221${r}0221${s}0000`)],
    ["a zero too many", hex(`3047022200${r}0221${s}`)],
    ["a negative number", hex(`30450220${r.slice(2)}0221${s}`)],
    ["a set instead of a sequence", hex(`31460221${r}0221${s}`)],
    ["three numbers", hex(`30490221${r}0221${s}020101`)],
    ["r and s as they are", hex(r.slice(2) + s.slice(2))],
    ["r of zero", hex(`30260201000221${s}`)],
    ["s of zero", hex(`30260221${r}020100`)],
    ["both zero", hex("3006020100020100")]
  ]
}

export const cryptoSuite = ({ crypto, other, unsafeKeyShare, withoutFiniteFields = false }: Subject): void => {
  const { capabilities } = crypto
  const groups = [...capabilities.groups]

  describe("hashes", () => {
    it.each(Object.entries(hashValues) as Array<[HashAlgorithm, string]>)("%s of abc", (algorithm, value) => {
      assert.isTrue(capabilities.hashes.has(algorithm))
      const digest = crypto.hash(algorithm, utf8("abc"))
      assert.strictEqual(toHex(digest), value)
      assertOwn(digest)
      const running = crypto.createHash(algorithm)
      const before = running.digest()
      running.update(utf8("a"))
      running.update(utf8("bc"))
      assert.strictEqual(toHex(running.digest()), value)
      assert.strictEqual(toHex(running.digest()), value)
      running.update(pattern(1000))
      assert.strictEqual(toHex(running.digest()), toHex(crypto.hash(algorithm, hex(`616263${toHex(pattern(1000))}`))))
      assert.strictEqual(toHex(before), toHex(other.hash(algorithm, new Uint8Array(0))))
      assertOwn(before)
    })

    it.each(hmacValues)("HMAC with %s", (algorithm, key, data, value) => {
      const mac = crypto.hmac(algorithm, key, utf8(data))
      assert.strictEqual(toHex(mac), value)
      assertOwn(mac)
    })

    it("takes an HMAC key of any length", () => {
      for (const length of [0, 1, 64, 65, 128, 129, 300]) {
        assert.strictEqual(
          toHex(crypto.hmac("SHA-384", pattern(length), pattern(length, 7))),
          toHex(other.hmac("SHA-384", pattern(length), pattern(length, 7)))
        )
      }
    })

    it("makes HKDF of RFC 5869, test case 1", () => {
      const prk = crypto.hmac("SHA-256", range(0, 13), new Uint8Array(22).fill(0x0b))
      assert.strictEqual(toHex(prk), "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5")
      const info = toHex(range(0xf0, 0xfa))
      const first = crypto.hmac("SHA-256", prk, hex(`${info}01`))
      const second = crypto.hmac("SHA-256", prk, hex(`${toHex(first)}${info}02`))
      assert.strictEqual(
        (toHex(first) + toHex(second)).slice(0, 84),
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
      )
    })
  })

  describe("random bytes and comparison", () => {
    it("gives as many bytes as asked for, others each time", () => {
      for (const length of [0, 1, 32, 70_000]) assert.strictEqual(crypto.randomBytes(length).length, length)
      const [a, b] = [crypto.randomBytes(32), crypto.randomBytes(32)]
      assert.notDeepEqual(a, b)
      assert.isTrue(
        crypto
          .randomBytes(70_000)
          .subarray(69_000)
          .some((byte) => byte !== 0)
      )
      assertOwn(a)
    })

    it("compares bytes", () => {
      assert.isTrue(crypto.equal(new Uint8Array(0), new Uint8Array(0)))
      assert.isTrue(crypto.equal(pattern(33), Buffer.from(pattern(33))))
      assert.isFalse(crypto.equal(pattern(33), pattern(32)))
      assert.isFalse(crypto.equal(pattern(32), new Uint8Array(0)))
      for (const at of [0, 16, 31]) {
        const changed = pattern(32)
        changed[at]! ^= 0x80
        assert.isFalse(crypto.equal(pattern(32), changed))
      }
    })
  })

  describe("AEADs", () => {
    it.each(aeadValues)("$algorithm: $from", (value) => {
      assert.isTrue(capabilities.aeads.has(value.algorithm))
      const key = crypto.aead(value.algorithm, value.key)
      assert.strictEqual(key.tagLength, aeadLengths[value.algorithm].tag)
      const target = new Uint8Array(value.plaintext.length + key.tagLength)
      key.seal(value.nonce, value.additionalData, value.plaintext, target)
      assert.strictEqual(toHex(target), toHex(value.ciphertext))
      const opened = key.open(value.nonce, value.additionalData, value.ciphertext)
      assert.deepStrictEqual(opened, value.plaintext)
    })

    describe.each([...capabilities.aeads])("%s", (algorithm) => {
      const lengths = aeadLengths[algorithm]
      const key = crypto.aead(algorithm, pattern(lengths.key))
      const seal = (plaintext: Uint8Array, additionalData = pattern(5), nonce = pattern(12)) => {
        const target = new Uint8Array(plaintext.length + lengths.tag)
        key.seal(nonce, additionalData, plaintext, target)
        return target
      }

      it("agrees with the other provider, whatever the lengths", () => {
        const theirs = other.aead(algorithm, pattern(lengths.key))
        for (const [length, additional] of [
          [0, 0],
          [0, 5],
          [1, 0],
          [15, 13],
          [16, 14],
          [17, 5],
          [1000, 30],
          [16_385, 5],
          [40, 0xff00]
        ] as const) {
          const [plaintext, additionalData] = [pattern(length, 3), pattern(additional, 9)]
          const sealed = seal(plaintext, additionalData)
          const target = new Uint8Array(sealed.length)
          theirs.seal(pattern(12), additionalData, plaintext, target)
          assert.strictEqual(toHex(sealed), toHex(target))
          assert.deepStrictEqual(key.open(pattern(12), additionalData, sealed), plaintext)
          assert.deepStrictEqual(theirs.open(pattern(12), additionalData, sealed), plaintext)
        }
      })

      it("refuses what was changed anywhere", () => {
        const sealed = seal(pattern(40))
        for (let at = 0; at < sealed.length; at++) {
          const changed = Uint8Array.from(sealed)
          changed[at]! ^= 1
          assert.isUndefined(key.open(pattern(12), pattern(5), changed))
        }
        assert.isUndefined(key.open(pattern(12, 2), pattern(5), sealed))
        assert.isUndefined(key.open(pattern(12), pattern(5, 2), sealed))
        assert.isUndefined(key.open(pattern(12), pattern(4), sealed))
        assert.isUndefined(crypto.aead(algorithm, pattern(lengths.key, 2)).open(pattern(12), pattern(5), sealed))
        assert.deepStrictEqual(key.open(pattern(12), pattern(5), sealed), pattern(40))
      })

      it("refuses what is shorter than the tag, and what is cut off", () => {
        const sealed = seal(pattern(40))
        for (const length of [0, 1, lengths.tag - 1, lengths.tag, 39, sealed.length - 1]) {
          assert.isUndefined(key.open(pattern(12), pattern(5), sealed.subarray(0, length)))
        }
      })

      it("takes a nonce of 12 bytes and a key of its length only", () => {
        for (const length of [0, 8, 11, 13, 16]) {
          assert.throws(() => seal(pattern(4), pattern(5), pattern(length)))
          assert.throws(() => key.open(pattern(length), pattern(5), seal(pattern(4))))
        }
        for (const length of [0, 15, 17, 24, 31, 33]) {
          if (length !== lengths.key) assert.throws(() => crypto.aead(algorithm, pattern(length)), /bytes/)
        }
      })

      it("works on views, into views, and changes nothing but its target", () => {
        const memory = pattern(400)
        const [nonce, additionalData] = [memory.subarray(1, 13), memory.subarray(21, 26)]
        const plaintext = memory.subarray(31, 131)
        const before = Uint8Array.from(memory)
        const room = new Uint8Array(300).fill(0xee)
        key.seal(nonce, additionalData, plaintext, room.subarray(7, 7 + plaintext.length + lengths.tag))
        assert.deepStrictEqual(memory, before)
        assert.isTrue(room.subarray(0, 7).every((byte) => byte === 0xee))
        assert.isTrue(room.subarray(7 + plaintext.length + lengths.tag).every((byte) => byte === 0xee))
        const sealed = room.subarray(7, 7 + plaintext.length + lengths.tag)
        const kept = Uint8Array.from(sealed)
        assert.deepStrictEqual(key.open(nonce, additionalData, sealed), Uint8Array.from(plaintext))
        assert.deepStrictEqual(Uint8Array.from(sealed), kept)
      })

      it("keeps no reference to key and nonce, and gives plaintext in memory of its own", () => {
        const bytes = pattern(lengths.key)
        const mine = crypto.aead(algorithm, bytes)
        bytes.fill(0)
        const nonce = pattern(12)
        const sealed = seal(pattern(100))
        const opened = mine.open(nonce, pattern(5), sealed)!
        nonce.fill(0)
        assertOwn(opened)
        sealed.fill(0)
        for (let i = 0; i < 50; i++) {
          const again = seal(pattern(100, i), pattern(5), pattern(12, i))
          mine.open(pattern(12, i), pattern(5), again)
        }
        assert.deepStrictEqual(opened, pattern(100))
      })
    })
  })

  describe("key agreement", () => {
    it.each(agreementValues.filter(({ group }) => capabilities.groups.has(group)))(
      "$from",
      async ({ group, peer, privateKey, publicKey, secret }) => {
        const share = await run(unsafeKeyShare(group, privateKey))
        assert.strictEqual(share.group, group)
        assert.strictEqual(toHex(share.publicKey), publicKey)
        assert.strictEqual(toHex(await run(share.decapsulate(peer))), secret)
      }
    )

    describe.each(groups.map((group) => [groupName(group), group] as const))("%s", (_, group) => {
      it("agrees with itself and the other provider, in both roles", async () => {
        const pairs: ReadonlyArray<readonly [CryptoProviderService, CryptoProviderService]> = [
          [crypto, crypto],
          ...(other.capabilities.groups.has(group)
            ? ([
                [crypto, other],
                [other, crypto]
              ] as const)
            : [])
        ]
        for (const [client, server] of pairs) {
          const share = await run(client.generateKeyShare(group))
          const answer = await run(server.encapsulate(group, share.publicKey))
          const secret = await run(share.decapsulate(answer.publicKey))
          assert.deepStrictEqual(secret, answer.sharedSecret)
          for (const bytes of [share.publicKey, answer.publicKey]) assertPlain(bytes)
          for (const bytes of [answer.sharedSecret, secret]) assertOwn(bytes)
        }
      })

      it("makes a new key each time", async () => {
        const [a, b] = [await run(crypto.generateKeyShare(group)), await run(crypto.generateKeyShare(group))]
        assert.notDeepEqual(a.publicKey, b.publicKey)
        const expected = NamedGroup.info(group)?.clientShare ?? 1184
        assert.strictEqual(a.publicKey.length, expected)
        // A share can be asked again, as the hybrid's X25519 half is.
        const peer = other.capabilities.groups.has(group) ? other : crypto
        const answer = await run(peer.encapsulate(group, a.publicKey))
        assert.deepStrictEqual(
          await run(a.decapsulate(answer.publicKey)),
          await run(a.decapsulate(Buffer.from(answer.publicKey)))
        )
      })

      it.each(badShares(group))("refuses %s", async (_what, bad) => {
        assert.strictEqual(await reasonOf(crypto.encapsulate(group, bad)), "InvalidPeerInput")
        // Every ciphertext of the right length is one to ML-KEM; it answers with a secret nobody knows.
        if (group === NamedGroup.mlkem768 && bad.length === 1088) return
        const share = await run(crypto.generateKeyShare(group))
        assert.strictEqual(await reasonOf(share.decapsulate(bad)), "InvalidPeerInput")
      })
    })

    it.each(finiteFields.filter((name) => capabilities.groups.has(NamedGroup.fromName(name)!.code)))(
      "keeps the leading zeros of public values and secrets of %s (RFC 9846 §4.2.8.1, §7.4.1)",
      async (name) => {
        const { code, clientShare } = NamedGroup.fromName(name)!
        const small = (value: bigint) => ofLength(value, clientShare)
        const share = await run(unsafeKeyShare(code, small(3n)))
        assert.deepStrictEqual(share.publicKey, small(8n))
        assert.deepStrictEqual(await run(share.decapsulate(small(2n ** 65n))), small(2n ** 195n))
      }
    )

    it("gives another secret for an ML-KEM ciphertext that was changed", async () => {
      const share = await run(crypto.generateKeyShare(NamedGroup.mlkem768))
      const answer = await run(crypto.encapsulate(NamedGroup.mlkem768, share.publicKey))
      const changed = Uint8Array.from(answer.publicKey)
      changed[0]! ^= 1
      const secret = await run(share.decapsulate(changed))
      assert.strictEqual(secret.length, 32)
      assert.notDeepEqual(secret, answer.sharedSecret)
    })

    it("says which group it does not have", async () => {
      for (const group of [NamedGroup.make(0x2a2a), NamedGroup.x25519MlKem768]) {
        assert.isFalse(capabilities.groups.has(group))
        assert.strictEqual(await reasonOf(crypto.generateKeyShare(group)), "Unsupported")
        assert.strictEqual(await reasonOf(crypto.encapsulate(group, pattern(32))), "Unsupported")
        assert.strictEqual(await reasonOf(unsafeKeyShare(group, pattern(32))), "Unsupported")
      }
    })

    it("refuses a private key that is none", async () => {
      for (const group of groups) {
        assert.strictEqual(await reasonOf(unsafeKeyShare(group, pattern(31))), "InvalidKey", groupName(group))
      }
      assert.strictEqual(await reasonOf(unsafeKeyShare(NamedGroup.secp256r1, new Uint8Array(32))), "InvalidKey")
    })
  })

  describe("verifying", () => {
    it("RFC 8032 §7.1, test 2", async () => {
      const key = PublicKey.edwards("Ed25519", hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"))
      const signature = hex(
        `92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da
         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00`
      )
      assert.isTrue(await run(crypto.verify({ _tag: "Ed25519" }, key, hex("72"), signature)))
      assert.isFalse(await run(crypto.verify({ _tag: "Ed25519" }, key, hex("73"), signature)))
    })

    it("RFC 8032 §7.4, blank", async () => {
      const key = PublicKey.edwards(
        "Ed448",
        hex(
          "5fd7449b59b461fd2ce787ec616ad46a1da1342485a70e1f8a0ea75d80e96778edf124769b46c7061bd6783df1e50f6cd1fa1abeafe8256180"
        )
      )
      const signature = hex(
        `533a37f6bbe457251f023c0d88f976ae2dfb504a843e34d2074fd823d41a591f2b233f034f628281f2fd7a22ddd47d7828c59bd0a21bfd3980
         ff0d2028d4b18a9df63e006c5d1c2d345b925d8dc00b4104852db99ac5c7cdda8530a113a0f4dbb61149f05a7363268c71d95808ff2e652600`
      )
      assert.isTrue(await run(crypto.verify({ _tag: "Ed448" }, key, new Uint8Array(0), signature)))
      assert.isFalse(await run(crypto.verify({ _tag: "Ed448" }, key, hex("00"), signature)))
    })

    it("RFC 6979 §A.2.5, whose S is in the upper half", async () => {
      assert.isTrue(await run(crypto.verify(ecdsaSha256, p256Key, message, p256Signature)))
      assert.isFalse(await run(crypto.verify(ecdsaSha256, p256Key, utf8("simple"), p256Signature)))
      assert.isFalse(await run(crypto.verify({ _tag: "Ecdsa", hash: "SHA-512" }, p256Key, message, p256Signature)))
    })

    it.each(badDer(p256Signature))("an ECDSA signature with %s is wrong", async (_what, signature) => {
      assert.isFalse(await run(crypto.verify(ecdsaSha256, p256Key, message, signature)))
    })

    it("a signature of any other length is wrong", async () => {
      const keys: ReadonlyArray<readonly [SignatureAlgorithm, PublicKey.PublicKey]> = [
        [{ _tag: "Ed25519" }, PublicKey.edwards("Ed25519", hex(`58${"66".repeat(31)}`))],
        [ecdsaSha256, p256Key],
        [{ _tag: "RsaPkcs1", hash: "SHA-256" }, rsaKey(oddModulus(256))],
        [{ _tag: "RsaPss", hash: "SHA-256", saltLength: 32 }, rsaKey(oddModulus(256))]
      ]
      for (const [algorithm, key] of keys) {
        for (const length of [0, 1, 63, 64, 65, 114, 255, 256, 257, 5000]) {
          assert.isFalse(
            await run(crypto.verify(algorithm, key, message, pattern(length))),
            `${algorithm._tag} ${length}`
          )
          assert.isFalse(await run(crypto.verify(algorithm, key, message, new Uint8Array(length))))
          assert.isFalse(await run(crypto.verify(algorithm, key, message, new Uint8Array(length).fill(0xff))))
        }
      }
    })

    it("an RSA modulus too short for the encoding makes every signature wrong", async () => {
      const key = rsaKey(oddModulus(64))
      for (const algorithm of [
        { _tag: "RsaPkcs1", hash: "SHA-512" },
        { _tag: "RsaPss", hash: "SHA-256", saltLength: 32 },
        { _tag: "RsaPss", hash: "SHA-512", saltLength: 64 }
      ] as const) {
        assert.isFalse(await run(crypto.verify(algorithm, key, message, new Uint8Array(64).fill(1))))
      }
    })

    it("says which keys are none", async () => {
      const rsa: SignatureAlgorithm = { _tag: "RsaPkcs1", hash: "SHA-256" }
      const offCurve = Uint8Array.from(p256Point)
      offCurve[64]! ^= 1
      const modulus = oddModulus(256)
      const cases: ReadonlyArray<readonly [SignatureAlgorithm, PublicKey.PublicKey, number]> = [
        [ecdsaSha256, PublicKey.ec("P-256", offCurve), 72],
        [ecdsaSha256, PublicKey.ec("P-384", p256Point), 72],
        [ecdsaSha256, PublicKey.ec("P-256", p256Point.subarray(0, 33)), 72],
        [ecdsaSha256, PublicKey.ec("P-256", new Uint8Array(0)), 72],
        [ecdsaSha256, PublicKey.ec("P-521", new Uint8Array(133).fill(4, 0, 1)), 72],
        [{ _tag: "Ed25519" }, PublicKey.edwards("Ed25519", pattern(31)), 64],
        [{ _tag: "Ed448" }, PublicKey.edwards("Ed448", pattern(56)), 114],
        [rsa, rsaKey(modulus, Uint8Array.of(1)), 256],
        [rsa, rsaKey(modulus, Uint8Array.of(1, 0, 0)), 256],
        [rsa, rsaKey(modulus, pattern(9)), 256],
        [rsa, rsaKey(Uint8Array.from(modulus).fill(4, 255)), 256],
        [rsa, rsaKey(oddModulus(63)), 63],
        [rsa, rsaKey(oddModulus(1025)), 1025],
        [rsa, rsaKey(new Uint8Array(0)), 256]
      ]
      for (const [index, [algorithm, key, length]] of cases.entries()) {
        assert.strictEqual(
          await reasonOf(crypto.verify(algorithm, key, message, pattern(length))),
          "InvalidKey",
          `${index}`
        )
      }
    })

    it("wants a key of the algorithm's kind", async () => {
      const rsa = rsaKey(oddModulus(256))
      const pss: PublicKey.PublicKey = { ...(rsa as PublicKey.PublicKey & { readonly _tag: "Rsa" }), _tag: "RsaPss" }
      const restricted = { ...pss, parameters: { hash: "SHA-256", saltLength: 32 } } as const
      const cases: ReadonlyArray<readonly [SignatureAlgorithm, PublicKey.PublicKey]> = [
        [ecdsaSha256, rsa],
        [{ _tag: "RsaPkcs1", hash: "SHA-256" }, p256Key],
        [{ _tag: "RsaPkcs1", hash: "SHA-256" }, pss],
        [{ _tag: "RsaPss", hash: "SHA-384", saltLength: 48 }, restricted],
        [{ _tag: "RsaPss", hash: "SHA-256", saltLength: 20 }, restricted],
        [{ _tag: "Ed25519" }, PublicKey.edwards("Ed448", pattern(57))],
        [{ _tag: "Ed448" }, PublicKey.edwards("Ed25519", pattern(32))]
      ]
      for (const [algorithm, key] of cases) {
        assert.isFalse(capabilities.verify(algorithm, key))
        assert.isFalse(capabilities.sign(algorithm, key))
        assert.strictEqual(await reasonOf(crypto.verify(algorithm, key, message, pattern(256))), "InvalidKey")
      }
      assert.isTrue(capabilities.verify({ _tag: "RsaPss", hash: "SHA-256", saltLength: 32 }, restricted))
      const unknown: PublicKey.PublicKey = { _tag: "Unsupported", algorithm: "DSA", spki: pattern(40) }
      assert.isFalse(capabilities.verify(ecdsaSha256, unknown))
      assert.strictEqual(await reasonOf(crypto.verify(ecdsaSha256, unknown, message, p256Signature)), "Unsupported")
    })

    it("goes by the key's numbers, not by an encoding that says otherwise", async () => {
      const stranger = await run(crypto.generatePrivateKey({ _tag: "Ec", curve: "P-256" }))
      const signature = await run(stranger.key.sign(ecdsaSha256, message))
      assert.isTrue(await run(crypto.verify(ecdsaSha256, p256Key, message, p256Signature)))
      const mixed = { ...stranger.key.publicKey, spki: p256Key.spki }
      assert.isTrue(await run(crypto.verify(ecdsaSha256, mixed, message, signature)))
      assert.isFalse(await run(crypto.verify(ecdsaSha256, mixed, message, p256Signature)))
      assert.isTrue(await run(crypto.verify(ecdsaSha256, p256Key, message, p256Signature)))
    })
  })

  describe.each(keyTypes.map((type) => [typeName(type), type] as const))("a private key of %s", (_, type) => {
    it("is generated, kept, read back, and signs for both providers", async () => {
      const { key, pkcs8 } = await run(crypto.generatePrivateKey(type))
      assert.isTrue(PrivateKey.isPrivateKey(key))
      assert.deepStrictEqual(key.schemes, PrivateKey.schemesOf(key.publicKey))
      assert.isAbove(key.schemes.length, 0)
      const info = infoOf(pkcs8)
      const [again, theirs] = [await run(crypto.importPrivateKey(info)), await run(other.importPrivateKey(info))]
      assert.deepStrictEqual(again.publicKey, key.publicKey)
      assert.deepStrictEqual(theirs.publicKey, key.publicKey)
      assertPlain(key.publicKey.spki)
      // Read back and written again, nothing is lost: the PKCS#8 is the canonical one.
      assert.strictEqual(toHex(Redacted.value(info.pkcs8)), toHex(Redacted.value(pkcs8)))
      for (const algorithm of algorithmsFor(key.publicKey)) {
        assert.isTrue(capabilities.sign(algorithm, key.publicKey))
        for (const signer of [key, again, theirs]) {
          const signature = await run(signer.sign(algorithm, message))
          assertOwn(signature)
          assert.isTrue(await run(crypto.verify(algorithm, key.publicKey, message, signature)))
          assert.isTrue(await run(other.verify(algorithm, key.publicKey, message, signature)))
          assert.isFalse(await run(crypto.verify(algorithm, key.publicKey, utf8("other"), signature)))
        }
      }
    })

    it("refuses an algorithm of another kind of key", async () => {
      const { key } = await run(crypto.generatePrivateKey(type))
      const algorithm: SignatureAlgorithm = type._tag === "Ec" ? { _tag: "Ed25519" } : ecdsaSha256
      assert.strictEqual(await reasonOf(key.sign(algorithm, message)), "InvalidKey")
      assert.strictEqual(await reasonOf(key.sign({ _tag: "RsaPkcs1", hash: "SHA-256" }, message)), "InvalidKey")
    })
  })

  it("refuses private keys that are none", async () => {
    const { pkcs8 } = await run(other.generatePrivateKey({ _tag: "Ec", curve: "P-256" }))
    const good = infoOf(pkcs8) as PrivateKeyInfo.PrivateKeyInfo & { readonly _tag: "Ec" }
    const zero = Redacted.make(new Uint8Array(32))
    const order = Redacted.make(hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"))
    for (const secret of [zero, order, Redacted.make(pattern(31))]) {
      assert.strictEqual(await reasonOf(crypto.importPrivateKey({ ...good, secret })), "InvalidKey")
    }
    const seed = { _tag: "Ed25519", secret: Redacted.make(pattern(31)), pkcs8: Redacted.make(pattern(48)) } as const
    assert.strictEqual(await reasonOf(crypto.importPrivateKey(seed)), "InvalidKey")
  })

  it("never shows a secret", async () => {
    const { key, pkcs8 } = await run(crypto.generatePrivateKey({ _tag: "Ec", curve: "P-256" }))
    const info = infoOf(pkcs8) as PrivateKeyInfo.PrivateKeyInfo & { readonly _tag: "Ec" }
    const secret = toHex(Redacted.value(info.secret))
    const { inspect } = await import("node:util")
    const shown = `${inspect(key, { depth: 9, showHidden: true })} ${JSON.stringify(key)} ${inspect(pkcs8)}`
    assert.notInclude(shown.replace(/[^0-9a-f]/g, ""), secret)
    const wrong = { ...info, secret: Redacted.make(hex(`${secret}00`)), pkcs8: Redacted.make(hex(secret)) }
    const error = await run(Effect.flip(crypto.importPrivateKey(wrong)))
    assert.notInclude(`${inspect(error, { depth: 9 })} ${JSON.stringify(error)}`.replace(/[^0-9a-f]/g, ""), secret)
  })

  // Who cannot sign with RSA has to verify what others sign.
  describe.each(rsaTypes.map((type) => [typeName(type), type] as const))("%s", (_, type) => {
    const signs = capabilities.sign({ _tag: "RsaPss", hash: "SHA-256", saltLength: 32 }, rsaKey(oddModulus(256)))

    it("is verified as the other provider does", async () => {
      const { key } = await run((signs ? crypto : other).generatePrivateKey(type))
      for (const algorithm of algorithmsFor(key.publicKey)) {
        assert.isTrue(capabilities.verify(algorithm, key.publicKey))
        assert.strictEqual(capabilities.sign(algorithm, key.publicKey), signs)
        const signature = await run(key.sign(algorithm, message))
        assertOwn(signature)
        for (const provider of [crypto, other]) {
          const verify = (data: Uint8Array, bytes: Uint8Array) =>
            run(provider.verify(algorithm, key.publicKey, data, bytes))
          assert.isTrue(await verify(message, signature))
          assert.isFalse(await verify(utf8("other"), signature))
          for (const at of [0, 100, 255]) {
            const changed = Uint8Array.from(signature)
            changed[at]! ^= 1
            assert.isFalse(await verify(message, changed))
          }
          assert.isFalse(await verify(message, signature.subarray(1)))
          assert.isFalse(await verify(message, Buffer.concat([Uint8Array.of(0), signature])))
          if (algorithm._tag === "RsaPss") {
            for (const saltLength of [algorithm.saltLength + 1, 20, 300]) {
              const otherSalt = { ...algorithm, saltLength }
              assert.isFalse(await run(provider.verify(otherSalt, key.publicKey, message, signature)))
            }
          }
        }
      }
    })

    if (signs) return
    it("is not signed with, and it says what to do", async () => {
      const { pkcs8 } = await run(other.generatePrivateKey(type))
      const error = await run(Effect.flip(crypto.importPrivateKey(infoOf(pkcs8))))
      assert.strictEqual(error.reason, "Unsupported")
      assert.include(error.message, "bring a signer")
      assert.strictEqual(await reasonOf(crypto.generatePrivateKey(type)), "Unsupported")
    })
  })

  it("does every signature scheme of TLS that it says it can", async () => {
    const can = await Promise.all(
      [...keyTypes, ...rsaTypes].map(async (type) => {
        const { key } = await run(Effect.orElse(crypto.generatePrivateKey(type), () => other.generatePrivateKey(type)))
        return key.schemes.filter((code) => {
          const { algorithm } = SignatureScheme.info(code)!
          return capabilities.verify(algorithm, key.publicKey)
        })
      })
    )
    assert.sameMembers(
      can.flat(),
      SignatureScheme.registry.filter((scheme) => !SignatureScheme.isSha1(scheme)).map(({ code }) => code)
    )
  })

  it("has hashes, AEADs and groups for all that TLS 1.3 knows, but for finite fields where it says so", () => {
    assert.sameMembers([...capabilities.hashes], Object.keys(hashLength))
    assert.sameMembers([...capabilities.aeads], Object.keys(aeadLengths))
    const fields = new Set(finiteFields.map((name) => NamedGroup.fromName(name)!.code))
    const all = [...agreementValues.map(({ group }) => group), NamedGroup.mlkem768]
    assert.sameMembers(
      groups,
      all.filter((group) => !(withoutFiniteFields && fields.has(group)))
    )
    for (const group of capabilities.nativeGroups) assert.include(groups, group)
  })

  passwordSuite({ crypto, other })
}
