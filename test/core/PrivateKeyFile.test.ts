/** Keys as programs write them, encrypted and not; each way to fail, and what it costs. */
import { createPrivateKey } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import { CryptoProvider, type CryptoProviderService } from "../../src/core/CryptoProvider.ts"
import * as PrivateKeyFile from "../../src/core/PrivateKeyFile.ts"
import * as NobleCrypto from "../../src/layers/NobleCrypto.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import * as Der from "../../src/schema/Der.ts"
import type { KnownName } from "../../src/schema/ObjectIdentifier.ts"
import { oids } from "../../src/schema/ObjectIdentifier.ts"
import * as Pem from "../../src/schema/Pem.ts"
import type { PrivateKeyError, PrivateKeyInfo } from "../../src/schema/PrivateKeyInfo.ts"
import * as bundles from "../support/bundles.ts"
import * as identities from "../support/identities.ts"
import * as tools from "../support/keyTools.ts"
import { hasOpenssl, type Workshop, workshop } from "../support/openssl.ts"

const node = NodeCrypto.make()
const noble = NobleCrypto.make()
const passphrase = "correct horse"

const read = (
  input: PrivateKeyFile.Input,
  options: PrivateKeyFile.OpenOptions = { passphrase },
  crypto: CryptoProviderService = node
): Promise<Either.Either<PrivateKeyInfo, PrivateKeyError>> =>
  PrivateKeyFile.read(input, options).pipe(
    Effect.either,
    Effect.provideService(CryptoProvider, crypto),
    Effect.runPromise
  )

const opened = async (...args: Parameters<typeof read>): Promise<PrivateKeyInfo> =>
  Either.getOrThrowWith(await read(...args), (error) => new Error(error.message))

const problem = async (...args: Parameters<typeof read>): Promise<string> => {
  const { message, reason } = Either.getOrThrowWith(Either.flip(await read(...args)), () => new Error("it was read"))
  return `${reason}: ${message}`
}

/** What Node makes of a key, however it is written: the numbers. */
const numbers = (pkcs8: Uint8Array): string => {
  const key = createPrivateKey({ key: Buffer.from(pkcs8), format: "der", type: "pkcs8" })
  return key.asymmetricKeyType === "rsa-pss"
    ? key.export({ format: "der", type: "pkcs8" }).toString("hex")
    : JSON.stringify(key.export({ format: "jwk" }))
}

const assertSame = (info: PrivateKeyInfo, expected: Uint8Array): void =>
  assert.strictEqual(numbers(Redacted.value(info.pkcs8)), numbers(expected))

/** A new key as `key` (PKCS#8, PEM), and its DER. */
const generate = (shop: Workshop, ...type: ReadonlyArray<string>): Uint8Array => {
  shop.run("genpkey", "-algorithm", ...type, "-out", "key")
  shop.run("pkcs8", "-topk8", "-nocrypt", "-in", "key", "-outform", "DER", "-out", "der")
  return shop.bytes("der")
}

const { pkcs8 } = identities.server
const lowLimits = { passwordIterations: 100, scryptMemory: 1 << 20 }

describe.skipIf(!hasOpenssl)("keys written by OpenSSL", () => {
  const types: Readonly<Record<string, ReadonlyArray<string>>> = {
    RSA: ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "RSA-PSS": ["RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"],
    "RSA-PSS with parameters": [
      ..."RSA-PSS -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_pss_keygen_md:sha256".split(" "),
      ..."-pkeyopt rsa_pss_keygen_mgf1_md:sha256 -pkeyopt rsa_pss_keygen_saltlen:32".split(" ")
    ],
    "P-256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "P-384": ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "P-521": ["EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
    Ed25519: ["ED25519"],
    Ed448: ["ED448"]
  }
  const encryptions: ReadonlyArray<readonly [name: string, args: string, noble: boolean]> = [
    ["by default", "", true],
    ["scrypt", "-scrypt", true],
    ["AES-128 and HMAC-SHA-1", "-v2 aes-128-cbc -v2prf hmacWithSHA1", true],
    ["AES-192 and HMAC-SHA-224", "-v2 aes-192-cbc -v2prf hmacWithSHA224", true],
    ["AES-256 and HMAC-SHA-384", "-v2 aes-256-cbc -v2prf hmacWithSHA384", true],
    ["AES-256 and HMAC-SHA-512", "-v2 aes-256-cbc -v2prf hmacWithSHA512 -iter 10", true],
    ["PBES2 and triple DES", "-v2 des3", false],
    ["PBES1 and triple DES", "-v1 PBE-SHA1-3DES", false],
    ["PBES1 and triple DES of two keys", "-v1 PBE-SHA1-2DES", false]
  ]

  for (const [name, type] of Object.entries(types)) {
    it(`${name}: plain and encrypted, PEM and DER, for every provider`, async () => {
      using shop = workshop()
      const expected = generate(shop, ...type)
      for (const crypto of [node, noble]) {
        assertSame(await opened(expected, {}, crypto), expected)
        // A passphrase where none is needed does no harm.
        assertSame(await opened(shop.text("key"), { passphrase }, crypto), expected)
      }
      for (const [how, args, isNobles] of encryptions) {
        for (const form of ["PEM", "DER"]) {
          shop.run(
            "pkcs8",
            "-topk8",
            "-in",
            "key",
            "-passout",
            `pass:${passphrase}`,
            ...args.split(" ").filter(Boolean),
            "-outform",
            form,
            "-out",
            "encrypted"
          )
          assertSame(await opened(shop.bytes("encrypted")), expected)
          assert.match(
            await problem(shop.bytes("encrypted"), {}),
            /^Encrypted: the private key is encrypted \(.*\): it needs its passphrase$/
          )
          if (isNobles) assertSame(await opened(shop.bytes("encrypted"), { passphrase }, noble), expected)
          else {
            assert.match(
              await problem(shop.bytes("encrypted"), { passphrase }, noble),
              /^Unsupported: .* DES-EDE3-CBC .*the provider noble does not have: `openssl pkcs8 -topk8/,
              how
            )
          }
        }
      }
    })
  }

  for (const name of ["RSA", "P-256", "P-384", "P-521"]) {
    it(`${name}: the traditional form, plain and with DEK-Info`, async () => {
      using shop = workshop()
      const expected = generate(shop, ...types[name]!)
      for (const cipher of ["-aes128", "-aes192", "-aes256", "-des3"]) {
        shop.run("pkey", "-in", "key", "-traditional", cipher, "-passout", `pass:${passphrase}`, "-out", "encrypted")
        const pem = shop.text("encrypted")
        assert.include(pem, "DEK-Info: ")
        assertSame(await opened(pem), expected)
        assertSame(await opened(pem.replace(/\n/g, "\r\n")), expected)
        assert.include(await problem(pem, {}), "Encrypted: the private key is encrypted (OpenSSL's old form with ")
        if (cipher !== "-des3") assertSame(await opened(pem, { passphrase }, noble), expected)
      }
      shop.run("pkey", "-in", "key", "-traditional", "-out", "plain")
      assertSame(await opened(shop.text("plain"), {}), expected)
    })
  }

  it("names what it cannot decrypt, and a command of OpenSSL's that converts it", async () => {
    using shop = workshop()
    shop.run("genpkey", "-algorithm", ...types["P-256"]!, "-out", "key")
    const plain = await opened(shop.text("key"))
    const legacy = ["-provider", "default", "-provider", "legacy"]
    for (const [pbe, name] of [
      ["PBE-SHA1-RC2-40", "pbeWithSHA1And40BitRC2"],
      ["PBE-SHA1-RC2-128", "pbeWithSHA1And128BitRC2"],
      ["PBE-SHA1-RC4-128", "pbeWithSHA1And128BitRC4"],
      ["PBE-MD5-DES", "pbeWithMD5AndDES"],
      ["PBE-SHA1-DES", "pbeWithSHA1AndDES"]
    ] as const) {
      const password = ["-passout", `pass:${passphrase}`]
      shop.run("pkcs8", "-topk8", "-in", "key", "-v1", pbe, ...legacy, ...password, "-out", "old.pem")
      const said = await problem(shop.text("old.pem"))
      assert.match(
        said,
        new RegExp(`^Unsupported: the private key is encrypted with ${name}, which is not supported: `)
      )
      // What it says to do, done.
      const [command] = /(?<=`openssl )[^`]+/.exec(said)!
      shop.run(...command.split(" "), "-passin", `pass:${passphrase}`, ...password)
      assertSame(await opened(shop.text("new.pem")), Redacted.value(plain.pkcs8))
    }
  })

  it("takes a passphrase that is not ASCII, as UTF-8", async () => {
    using shop = workshop()
    const expected = generate(shop, "ED25519")
    for (const text of ["pässwörd", "密码", "🔑"]) {
      shop.write("phrase", text)
      for (const args of [["-v2", "aes-256-cbc"], ["-v1", "PBE-SHA1-3DES"], ["-scrypt"]]) {
        shop.run("pkcs8", "-topk8", "-in", "key", ...args, "-passout", "file:phrase", "-out", "encrypted")
        assertSame(await opened(shop.text("encrypted"), { passphrase: Redacted.make(text) }), expected)
      }
    }
  })

  it("reads a key whose point is compressed, and says what to do with a hybrid one", async () => {
    using shop = workshop()
    for (const curve of ["P-256", "P-384", "P-521"]) {
      shop.run("genpkey", "-algorithm", "EC", "-pkeyopt", `ec_paramgen_curve:${curve}`, "-out", "key")
      const expected = await opened(shop.text("key"))
      shop.run("ec", "-in", "key", "-conv_form", "compressed", "-out", "compressed")
      for (const crypto of [node, noble]) {
        const info = await opened(shop.text("compressed"))
        assertSame(info, Redacted.value(expected.pkcs8))
        const signer = await Effect.runPromise(crypto.importPrivateKey(info))
        assert.strictEqual(signer.publicKey._tag, "Ec")
      }
      shop.run("ec", "-in", "key", "-conv_form", "hybrid", "-out", "hybrid")
      assert.include(await problem(shop.text("hybrid")), "`openssl ec -conv_form uncompressed` converts it")
    }
  })
})

describe.skipIf(tools.certtool.missing)(`keys written by ${tools.certtool.name}`, () => {
  const ciphers = ["aes-128", "aes-192", "aes-256", "3des", "3des-pkcs12"]
  for (const type of ["rsa", "ecdsa", "ed25519", "ed448", "rsa-pss"]) {
    it(`${type}: plain and encrypted`, async () => {
      using shop = workshop()
      const run = (...args: ReadonlyArray<string>) => tools.certtool.run(shop.directory, ...args)
      const bits = type.startsWith("rsa") ? ["--bits", "2048"] : []
      run("--generate-privkey", "--key-type", type, ...bits, "--no-text", "--outfile", "key")
      const expected = Redacted.value((await opened(shop.text("key"))).pkcs8)
      // Each takes 600,000 iterations.
      for (const cipher of type === "ecdsa" ? ciphers : ["aes-256"]) {
        const password = ["--password", passphrase, "--pkcs-cipher", cipher]
        run("--to-p8", "--load-privkey", "key", ...password, "--outfile", "encrypted")
        assertSame(await opened(shop.text("encrypted")), expected)
      }
      const rc2 = ["--password", passphrase, "--pkcs-cipher", "rc2-40"]
      run("--to-p8", "--load-privkey", "key", ...rc2, "--outfile", "rc2")
      assert.match(await problem(shop.text("rc2")), /^Unsupported: .*RC2/)
    })
  }
})

describe("a key that is encrypted", () => {
  it("opens with its passphrase and no other, and says so each time", async () => {
    const encrypted = await bundles.encryptedKey(pkcs8, passphrase)
    const reasons = new Set<string>()
    // One in 256 has a padding that looks right.
    for (let i = 0; i < 10_000 && reasons.size < 2; i++) {
      reasons.add(await problem(encrypted, { passphrase: `wrong ${i}` }))
    }
    assert.deepStrictEqual([...reasons].sort(), [
      "WrongPassphrase: the passphrase is wrong, or the private key is damaged: what it opens is no key",
      "WrongPassphrase: the passphrase is wrong: it does not open the private key"
    ])
    assertSame(await opened(encrypted), pkcs8)
  })

  it("is not opened by a passphrase with the end of its line, and it says so", async () => {
    const encrypted = await bundles.encryptedKey(pkcs8, passphrase)
    for (const end of ["\n", "\r\n"]) {
      for (const given of [passphrase + end, Redacted.make(passphrase + end)]) {
        const said = await problem(encrypted, { passphrase: given })
        assert.match(said, /^WrongPassphrase: .* \(it ends with a line end: is that a part of it\?\)$/)
      }
    }
  })

  it("may have an empty passphrase, which is not the same as none", async () => {
    for (const encryption of [bundles.pbes2(), bundles.pbes2(bundles.scrypt()), bundles.tripleDes]) {
      const encrypted = await bundles.encryptedKey(pkcs8, "", encryption)
      assertSame(await opened(encrypted, { passphrase: "" }), pkcs8)
      assert.match(await problem(encrypted, {}), /^Encrypted: /)
    }
  })

  it("comes from PEM, DER, redacted or not", async () => {
    const der = await bundles.encryptedKey(pkcs8, passphrase)
    const pem = Pem.format("ENCRYPTED PRIVATE KEY", der)
    for (const input of [pem, der, new TextEncoder().encode(pem), Redacted.make(pem), Redacted.make(der)]) {
      assertSame(await opened(input as PrivateKeyFile.Input), pkcs8)
    }
  })

  it("may say the length of the key, when it is right", async () => {
    const encryption = { ...bundles.pbes2(), keyLength: 16 } as bundles.Encryption
    assertSame(await opened(await bundles.encryptedKey(pkcs8, passphrase, encryption)), pkcs8)
    const wrong = { ...bundles.pbes2(), keyLength: 32 } as bundles.Encryption
    assert.include(
      await problem(await bundles.encryptedKey(pkcs8, passphrase, wrong)),
      "Malformed: the private key is damaged: private key: a key of 32 byte(s) for AES-128-CBC, 16 expected"
    )
  })

  it("is damaged where its ciphertext is no whole blocks", async () => {
    const [identifier, ciphertext] = await bundles.encrypt(bundles.pbes2(), pkcs8, passphrase)
    const cut = (length: number) => Der.sequence(identifier, Der.octetString(ciphertext.subarray(0, length)))
    for (const length of [0, 15, ciphertext.length - 1]) {
      assert.match(
        await problem(cut(length)),
        /^Malformed: the private key is damaged: .* whole blocks of AES-128-CBC$/
      )
    }
    assert.match(await problem(cut(16)), /^WrongPassphrase: /)
  })

  const unsupported = (name: KnownName) => Der.sequence(Der.oid(oids[name]), Der.nullValue())
  const refused: ReadonlyArray<readonly [identifier: Uint8Array, said: string]> = [
    [unsupported("pbeWithMD5AndDES"), "pbeWithMD5AndDES"],
    [Der.sequence(Der.oid("1.2.3.4" as never)), "1.2.3.4"],
    [
      Der.sequence(
        Der.oid(oids.pbes2),
        Der.sequence(
          Der.sequence(Der.oid(oids.PBKDF2), Der.sequence(Der.octetString(new Uint8Array(8)), Der.integer(1))),
          Der.sequence(Der.oid(oids["AES-256-GCM"]), Der.sequence())
        )
      ),
      "PBES2 with PBKDF2 and AES-256-GCM"
    ],
    [
      Der.sequence(
        Der.oid(oids.pbes2),
        Der.sequence(
          Der.sequence(
            Der.oid(oids.PBKDF2),
            Der.sequence(Der.octetString(new Uint8Array(8)), Der.integer(1), unsupported("hmacWithSHA512-256"))
          ),
          Der.sequence(Der.oid(oids["AES-256-CBC"]), Der.octetString(new Uint8Array(16)))
        )
      ),
      "PBES2 with PBKDF2 with hmacWithSHA512-256 and AES-256-CBC"
    ]
  ]
  it("names what it cannot decrypt", async () => {
    for (const [identifier, name] of refused) {
      const encrypted = await bundles.encryptedKey(pkcs8, passphrase, { _tag: "Raw", identifier })
      assert.include(await problem(encrypted), `Unsupported: the private key is encrypted with ${name}, which is not `)
    }
  })

  const malformed: ReadonlyArray<readonly [what: string, identifier: Uint8Array]> = [
    [
      "an iteration count of zero",
      Der.sequence(Der.oid(oids.pbeWithSHA1And3DES), Der.sequence(Der.octetString(new Uint8Array(8)), Der.integer(0)))
    ],
    [
      "a cost that is not a power of two",
      Der.sequence(
        Der.oid(oids.pbes2),
        Der.sequence(
          Der.sequence(
            Der.oid(oids.scrypt),
            Der.sequence(Der.octetString(new Uint8Array(8)), Der.integer(3), Der.integer(1), Der.integer(1))
          ),
          Der.sequence(Der.oid(oids["AES-128-CBC"]), Der.octetString(new Uint8Array(16)))
        )
      )
    ],
    [
      "an initialisation vector of 8 byte(s), 16 expected",
      Der.sequence(
        Der.oid(oids.pbes2),
        Der.sequence(
          Der.sequence(Der.oid(oids.PBKDF2), Der.sequence(Der.octetString(new Uint8Array(8)), Der.integer(1))),
          Der.sequence(Der.oid(oids["AES-128-CBC"]), Der.octetString(new Uint8Array(8)))
        )
      )
    ]
  ]
  it.each(malformed)("is damaged by %s", async (what, identifier) => {
    const encrypted = await bundles.encryptedKey(pkcs8, passphrase, { _tag: "Raw", identifier })
    assert.include(await problem(encrypted), `Malformed: the private key is damaged: private key: ${what}`)
  })

  it("is damaged by a DEK-Info that says nothing", async () => {
    const block = (header: string) =>
      Pem.format("RSA PRIVATE KEY", new Uint8Array(16)).replace("\n", `\nProc-Type: 4,ENCRYPTED\n${header}\n`)
    const said = "Malformed: the private key is damaged: it is encrypted, and its DEK-Info line does not say how"
    for (const header of ["", "DEK-Info: AES-128-CBC\n", "DEK-Info: AES-128-CBC,00\n", "DEK-Info: ,\n"]) {
      assert.strictEqual(await problem(block(header)), said)
    }
    assert.include(
      await problem(block("DEK-Info: DES-CBC,0001020304050607\n")),
      "is encrypted with DES-CBC, which is not"
    )
  })

  it("costs no more than the limits let it", async () => {
    const cases: ReadonlyArray<readonly [encryption: bundles.Encryption, crossed: string | undefined]> = [
      [bundles.pbes2(bundles.pbkdf2(100)), undefined],
      [bundles.pbes2(bundles.pbkdf2(101)), "asks for 101 iterations of PBKDF2, the limit `passwordIterations` is 100"],
      // Key and initialisation vector are derived apart.
      [{ _tag: "Pkcs12", desKeys: 3, iterations: 50 }, undefined],
      [
        { _tag: "Pkcs12", desKeys: 3, iterations: 51 },
        "asks for 102 iterations of PKCS12, the limit `passwordIterations` is 100"
      ],
      [bundles.pbes2(bundles.scrypt(1024, 8, 1)), undefined],
      [
        bundles.pbes2(bundles.scrypt(1024, 8, 2)),
        "asks scrypt to fill 2097152 bytes, the limit `scryptMemory` is 1048576"
      ],
      [bundles.pbes2(bundles.scrypt(2048, 8, 1)), "asks scrypt to fill 2097152 bytes"],
      [bundles.pbes2(bundles.scrypt(1024, 9, 1)), "asks scrypt to fill 1179648 bytes"]
    ]
    for (const [encryption, crossed] of cases) {
      const encrypted = await bundles.encryptedKey(pkcs8, passphrase, encryption)
      const options = { passphrase, limits: lowLimits }
      if (crossed === undefined) assertSame(await opened(encrypted, options), pkcs8)
      else assert.include(await problem(encrypted, options), `TooCostly: the private key ${crossed}`)
      assertSame(await opened(encrypted), pkcs8)
    }
  })

  it("cannot ask for years by default", async () => {
    const identifier = (kdf: Uint8Array) =>
      Der.sequence(
        Der.oid(oids.pbes2),
        Der.sequence(kdf, Der.sequence(Der.oid(oids["AES-128-CBC"]), Der.octetString(new Uint8Array(16))))
      )
    const salt = Der.octetString(new Uint8Array(8))
    const most = Der.integer(2 ** 40)
    for (const kdf of [
      Der.sequence(Der.oid(oids.PBKDF2), Der.sequence(salt, most)),
      Der.sequence(Der.oid(oids.scrypt), Der.sequence(salt, most, Der.integer(8), Der.integer(1))),
      Der.sequence(Der.oid(oids.scrypt), Der.sequence(salt, Der.integer(2), most, Der.integer(1))),
      Der.sequence(Der.oid(oids.scrypt), Der.sequence(salt, Der.integer(2), Der.integer(1), most))
    ]) {
      const raw = { _tag: "Raw", identifier: identifier(kdf) } as const
      assert.match(await problem(await bundles.encryptedKey(pkcs8, passphrase, raw)), /^TooCostly: /)
    }
  })

  it("is refused by a provider that lacks what it takes, which says what converts it", async () => {
    const poor: CryptoProviderService = {
      ...node,
      name: "poor",
      capabilities: {
        ...node.capabilities,
        cbcs: new Set(["AES-128-CBC"] as const),
        passwordKdfs: new Set(["scrypt"] as const)
      }
    }
    const said = async (encryption: bundles.Encryption) =>
      problem(await bundles.encryptedKey(pkcs8, passphrase, encryption), { passphrase }, poor)
    const tail =
      "which the provider poor does not have: `openssl pkcs8 -topk8 -v2 aes-256-cbc -in old.pem -out new.pem`"
    assert.include(await said(bundles.pbes2()), `is encrypted by way of PBKDF2, ${tail} converts it`)
    assert.include(
      await said(bundles.pbes2(bundles.scrypt(), "AES-256-CBC")),
      `is encrypted with AES-256-CBC (PBES2 with scrypt and AES-256-CBC), ${tail} converts it`
    )
    const scrypt = await bundles.encryptedKey(pkcs8, passphrase, bundles.pbes2(bundles.scrypt()))
    assertSame(await opened(scrypt, { passphrase }, poor), pkcs8)
  })

  it("shows nothing of passphrase and key", async () => {
    const encrypted = await bundles.encryptedKey(pkcs8, passphrase)
    const info = await opened(encrypted)
    const error = await problem(encrypted, { passphrase: "hunter2-secret" })
    assert.notInclude(error, "hunter2-secret")
    assert.notMatch(JSON.stringify(info), /\d{5}/)
  })
})

describe("a signer from a file", () => {
  it("signs, and its bytes are wiped with the Scope", async () => {
    const { server } = identities
    const encrypted = await bundles.encryptedKey(pkcs8, passphrase)
    const wiped: Array<Redacted.Redacted<Uint8Array>> = []
    const watching: CryptoProviderService = {
      ...node,
      importPrivateKey: (info) => {
        wiped.push(info.pkcs8)
        return node.importPrivateKey(info)
      }
    }
    const data = new TextEncoder().encode("message")
    const algorithm = { _tag: "Ecdsa", hash: "SHA-256" } as const
    await Effect.gen(function* () {
      const key = yield* PrivateKeyFile.load(encrypted, { passphrase })
      assert.isTrue(yield* node.verify(algorithm, server.certificate.publicKey, data, yield* key.sign(algorithm, data)))
      assert.isTrue(Redacted.value(wiped[0]!).some((byte) => byte !== 0))
    }).pipe(Effect.scoped, Effect.provideService(CryptoProvider, watching), Effect.runPromise)
    assert.isTrue(Redacted.value(wiped[0]!).every((byte) => byte === 0))
  })

  it("says what is no private key", async () => {
    assert.strictEqual(
      await problem(identities.server.certificatePem),
      "NotAPrivateKey: it holds a certificate, a private key is needed"
    )
    const publicPem = Pem.format("PUBLIC KEY", identities.server.certificate.publicKey.spki)
    assert.strictEqual(await problem(publicPem), "NotAPrivateKey: it holds a public key, a private key is needed")
    const bundle = await bundles.pfx([], passphrase)
    assert.strictEqual(await problem(bundle), "NotAPrivateKey: it holds a PKCS#12 bundle, a private key is needed")
  })
})
