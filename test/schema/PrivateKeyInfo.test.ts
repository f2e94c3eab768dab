import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Redacted from "effect/Redacted"
import { createPrivateKey, generateKeyPairSync } from "node:crypto"
import * as Bytes from "../../src/schema/Bytes.ts"
import * as Pem from "../../src/schema/Pem.ts"
import * as PrivateKeyInfo from "../../src/schema/PrivateKeyInfo.ts"
import { hasOpenssl, workshop } from "../support/openssl.ts"

const pairs = {
  RSA: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  "RSA-PSS": generateKeyPairSync("rsa-pss", {
    modulusLength: 2048,
    hashAlgorithm: "sha256",
    mgf1HashAlgorithm: "sha256",
    // The types want a string here; Node wants a number.
    saltLength: 32 as unknown as string
  }),
  "P-256": generateKeyPairSync("ec", { namedCurve: "P-256" }),
  "P-384": generateKeyPairSync("ec", { namedCurve: "P-384" }),
  "P-521": generateKeyPairSync("ec", { namedCurve: "P-521" }),
  Ed25519: generateKeyPairSync("ed25519"),
  Ed448: generateKeyPairSync("ed448")
}

/** What the key is, and whether Node reads our PKCS#8 as the key that went in. */
const same = (info: PrivateKeyInfo.PrivateKeyInfo, pair: (typeof pairs)["RSA"]): string => {
  const again = createPrivateKey({ key: Buffer.from(Redacted.value(info.pkcs8)), format: "der", type: "pkcs8" })
  assert.isTrue(again.equals(pair.privateKey))
  if ("secret" in info) {
    const { d } = pair.privateKey.export({ format: "jwk" })
    assert.strictEqual(Buffer.from(Redacted.value(info.secret)).toString("base64url"), d)
  }
  return info._tag === "Ec" ? info.curve : info._tag
}

const problemOf = (key: Either.Either<PrivateKeyInfo.PrivateKeyInfo, PrivateKeyInfo.PrivateKeyError>): string =>
  Either.match(key, { onLeft: ({ problem, reason }) => `${reason}: ${problem}`, onRight: ({ _tag }) => _tag })

describe("PrivateKeyInfo", () => {
  for (const [name, pair] of Object.entries(pairs)) {
    it(`reads PKCS#8 of ${name}`, () => {
      const pem = pair.privateKey.export({ format: "pem", type: "pkcs8" }).toString()
      const der = new Uint8Array(pair.privateKey.export({ format: "der", type: "pkcs8" }))
      const expected = name === "RSA" ? "Rsa" : name === "RSA-PSS" ? "RsaPss" : name
      assert.strictEqual(same(Either.getOrThrow(PrivateKeyInfo.fromPem(pem)), pair), expected)
      assert.strictEqual(same(Either.getOrThrow(PrivateKeyInfo.fromPem(Redacted.make(pem))), pair), expected)
      assert.strictEqual(same(Either.getOrThrow(PrivateKeyInfo.fromBytes(der)), pair), expected)
      assert.strictEqual(same(Either.getOrThrow(PrivateKeyInfo.fromBytes(Buffer.from(pem))), pair), expected)
      const again = PrivateKeyInfo.fromPem(PrivateKeyInfo.toPem(Either.getOrThrow(PrivateKeyInfo.fromDer(der))))
      assert.strictEqual(same(Either.getOrThrow(again), pair), expected)
    })
  }

  it("reads PKCS#1 and SEC 1", () => {
    const pkcs1 = pairs.RSA.privateKey.export({ format: "pem", type: "pkcs1" }).toString()
    assert.strictEqual(same(Either.getOrThrow(PrivateKeyInfo.fromPem(pkcs1)), pairs.RSA), "Rsa")
    for (const curve of ["P-256", "P-384", "P-521"] as const) {
      const pem = pairs[curve].privateKey.export({ format: "pem", type: "sec1" }).toString()
      assert.strictEqual(same(Either.getOrThrow(PrivateKeyInfo.fromPem(pem)), pairs[curve]), curve)
      const der = new Uint8Array(pairs[curve].privateKey.export({ format: "der", type: "sec1" }))
      assert.strictEqual(same(Either.getOrThrow(PrivateKeyInfo.fromBytes(der)), pairs[curve]), curve)
    }
  })

  it("passes over certificates and parameters around a key", () => {
    const pem = pairs["P-256"].privateKey.export({ format: "pem", type: "sec1" }).toString()
    const text =
      Pem.format("EC PARAMETERS", Uint8Array.of(5, 0)) + pem + Pem.format("CERTIFICATE", Uint8Array.of(48, 0))
    assert.strictEqual(same(Either.getOrThrow(PrivateKeyInfo.fromPem(text)), pairs["P-256"]), "P-256")
  })

  it("says what it found instead", () => {
    const publicPem = pairs.RSA.publicKey.export({ format: "pem", type: "spki" }).toString()
    const publicDer = (type: "spki" | "pkcs1") => new Uint8Array(pairs.RSA.publicKey.export({ format: "der", type }))
    const key = pairs["P-256"].privateKey.export({ format: "pem", type: "pkcs8" }).toString()
    assert.strictEqual(
      problemOf(PrivateKeyInfo.fromPem(publicPem)),
      "NotAPrivateKey: it holds a public key, a private key is needed"
    )
    assert.strictEqual(
      problemOf(PrivateKeyInfo.fromDer(publicDer("spki"))),
      "NotAPrivateKey: it holds a public key, a private key is needed"
    )
    assert.strictEqual(
      problemOf(PrivateKeyInfo.fromDer(publicDer("pkcs1"))),
      "NotAPrivateKey: it holds a public key or parameters, a private key is needed"
    )
    assert.strictEqual(
      problemOf(PrivateKeyInfo.fromPem("hello")),
      "NotAPrivateKey: it holds no PEM block, a private key is needed"
    )
    assert.strictEqual(
      problemOf(PrivateKeyInfo.fromPem(key + key)),
      "NotAPrivateKey: it holds 2 private keys, exactly one is needed"
    )
    assert.strictEqual(
      problemOf(PrivateKeyInfo.fromPem(key.replace(/-----END[^]*/, ""))),
      `Malformed: the PEM block "PRIVATE KEY" has no END line: the text is cut off or was put together wrongly`
    )
    assert.include(
      problemOf(PrivateKeyInfo.fromPem(Pem.format("OPENSSH PRIVATE KEY", new Uint8Array(9)))),
      "ssh-keygen -p -m PKCS8"
    )
    assert.include(problemOf(PrivateKeyInfo.fromDer(new Uint8Array())), "Malformed: ")
    assert.strictEqual(
      problemOf(
        PrivateKeyInfo.fromPem(
          pairs.RSA.privateKey
            .export({ format: "pem", type: "pkcs1", cipher: "aes-256-cbc", passphrase: "x" })
            .toString()
        )
      ),
      "Encrypted: the private key is encrypted (OpenSSL's old form with AES-256-CBC): it needs its passphrase"
    )
    assert.strictEqual(
      problemOf(
        PrivateKeyInfo.fromPem(
          pairs.RSA.privateKey
            .export({ format: "pem", type: "pkcs8", cipher: "aes-256-cbc", passphrase: "x" })
            .toString()
        )
      ),
      "Encrypted: the private key is encrypted (PBES2 with PBKDF2 and AES-256-CBC): it needs its passphrase"
    )
    const other = (pair: { privateKey: { export: (options: { format: "der"; type: "pkcs8" }) => Buffer } }) =>
      problemOf(PrivateKeyInfo.fromDer(new Uint8Array(pair.privateKey.export({ format: "der", type: "pkcs8" }))))
    assert.strictEqual(
      other(generateKeyPairSync("x25519")),
      "Unsupported: an X25519 key: it agrees on secrets and cannot sign"
    )
    assert.strictEqual(
      other(generateKeyPairSync("ec", { namedCurve: "secp256k1" })),
      "Unsupported: an EC key on the curve secp256k1: P-256, P-384 and P-521 are supported"
    )
    assert.include(
      other(generateKeyPairSync("dsa", { modulusLength: 1024, divisorLength: 160 })),
      "Unsupported: a key of the algorithm dsa"
    )
  })

  it.skipIf(!hasOpenssl)("names a certificate where a key is needed", () => {
    using shop = workshop()
    shop.run(
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-subj",
      "/CN=x",
      "-keyout",
      "key",
      "-out",
      "cert"
    )
    assert.strictEqual(
      problemOf(PrivateKeyInfo.fromPem(shop.text("cert"))),
      "NotAPrivateKey: it holds a certificate, a private key is needed"
    )
    shop.run("x509", "-in", "cert", "-outform", "der", "-out", "der")
    assert.include(
      problemOf(PrivateKeyInfo.fromBytes(shop.bytes("der"))),
      "it holds a certificate or something else that is signed"
    )
    shop.run("pkcs12", "-export", "-in", "cert", "-inkey", "key", "-passout", "pass:x", "-out", "p12")
    assert.strictEqual(
      problemOf(PrivateKeyInfo.fromBytes(shop.bytes("p12"))),
      "NotAPrivateKey: it holds a PKCS#12 bundle, a private key is needed"
    )
  })

  it("pads a short scalar and refuses a long one", () => {
    const pair = pairs["P-256"]
    const der = new Uint8Array(pair.privateKey.export({ format: "der", type: "sec1" }))
    assert.strictEqual(der[6], 32)
    const scalar = der.slice(7, 39)
    const sec1 = (secret: Uint8Array) => {
      const tail = der.slice(39)
      const body = Bytes.concat([Uint8Array.of(2, 1, 1, 4, secret.length), secret, tail])
      return PrivateKeyInfo.fromDer(Bytes.concat([Uint8Array.of(0x30, body.length), body]))
    }
    assert.strictEqual(same(Either.getOrThrow(sec1(Bytes.concat([Uint8Array.of(0), scalar]))), pair), "P-256")
    assert.include(problemOf(sec1(Bytes.concat([Uint8Array.of(1), scalar]))), "longer than its curve")
    assert.include(problemOf(sec1(new Uint8Array(32))), "an EC key of zero")
    const short = Either.getOrThrow(sec1(Uint8Array.of(7)))
    assert.isTrue(
      "secret" in short && Redacted.value(short.secret).length === 32 && Redacted.value(short.secret)[31] === 7
    )
  })

  it("prints nothing of a key", () => {
    const info = Either.getOrThrow(
      PrivateKeyInfo.fromDer(new Uint8Array(pairs.Ed25519.privateKey.export({ format: "der", type: "pkcs8" })))
    )
    assert.strictEqual(JSON.stringify(info), `{"_tag":"Ed25519","secret":"<redacted>","pkcs8":"<redacted>"}`)
  })

  const originals = Object.values(pairs).map(
    ({ privateKey }) => new Uint8Array(privateKey.export({ format: "der", type: "pkcs8" }))
  )
  it.prop(
    "mutated keys are keys or typed errors",
    [
      FastCheck.constantFrom(...originals),
      FastCheck.array(FastCheck.tuple(FastCheck.nat(), FastCheck.nat(255)), { minLength: 1, maxLength: 4 }),
      FastCheck.boolean()
    ],
    ([original, changes, cut]) => {
      const bytes = original.slice()
      // Most of a key is numbers without structure, so the changes go where the structure is.
      for (const [at, byte] of changes) bytes[at % Math.min(bytes.length, 64)] = byte
      const result = PrivateKeyInfo.fromDer(cut ? bytes.subarray(0, changes[0]![0] % bytes.length) : bytes)
      if (Either.isLeft(result)) assert.instanceOf(result.left, PrivateKeyInfo.PrivateKeyError)
    },
    { fastCheck: { numRuns: 2000 } }
  )
})
