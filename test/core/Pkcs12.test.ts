/** Bundles as programs write them, and as nobody should. */
import { X509Certificate } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as CertificateBuilder from "../../src/core/CertificateBuilder.ts"
import { CryptoProvider, type CryptoProviderService } from "../../src/core/CryptoProvider.ts"
import type { OpenOptions } from "../../src/core/PasswordDecryption.ts"
import * as Pkcs12 from "../../src/core/Pkcs12.ts"
import * as NobleCrypto from "../../src/layers/NobleCrypto.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import * as Bytes from "../../src/schema/Bytes.ts"
import * as Der from "../../src/schema/Der.ts"
import { oids } from "../../src/schema/ObjectIdentifier.ts"
import * as Pem from "../../src/schema/Pem.ts"
import * as Pfx from "../../src/schema/Pfx.ts"
import * as PrivateKeyInfo from "../../src/schema/PrivateKeyInfo.ts"
import * as bundles from "../support/bundles.ts"
import * as identities from "../support/identities.ts"
import * as tools from "../support/keyTools.ts"
import { hasOpenssl, type Workshop, workshop } from "../support/openssl.ts"

const node = NodeCrypto.make()
const noble = NobleCrypto.make()
const passphrase = "correct horse"

const read = (
  input: Pkcs12.Input,
  options: OpenOptions = { passphrase },
  crypto: CryptoProviderService = node
): Promise<Either.Either<Pkcs12.Pkcs12, Pkcs12.Pkcs12Error>> =>
  Pkcs12.open(input, options).pipe(Effect.either, Effect.provideService(CryptoProvider, crypto), Effect.runPromise)

const opened = async (...args: Parameters<typeof read>): Promise<Pkcs12.Pkcs12> =>
  Either.getOrThrowWith(await read(...args), (error) => new Error(error.message))

const problem = async (...args: Parameters<typeof read>): Promise<string> => {
  const { message, reason } = Either.getOrThrowWith(Either.flip(await read(...args)), () => new Error("it was read"))
  return `${reason}: ${message}`
}

/** Everything in a bundle, for comparison: names, kinds, subjects. */
const summary = ({ certificates, entries, unusable }: Pkcs12.Pkcs12) => ({
  entries: entries.map(({ certificateChain, friendlyName, privateKey }) => [
    friendlyName,
    privateKey._tag,
    ...certificateChain.map(({ subject }) => subject.toString())
  ]),
  certificates: certificates.map(({ certificate, friendlyName }) => [friendlyName, certificate.subject.toString()]),
  unusable
})

const root = identities.makeSync({ ca: true, names: [], subject: "root" })
const middle = identities.makeSync({ ca: true, names: [], subject: "middle", issuer: root })
const leaf = identities.makeSync({ names: ["leaf.example"], issuer: middle })
const other = identities.makeSync({ names: ["other.example"], key: { _tag: "Ed25519" } })
const [rootDer, middleDer, leafDer, otherDer] = [root, middle, leaf, other].map(({ certificate }) => certificate.der)

const whole: ReturnType<typeof summary> = {
  entries: [["leaf", "Ec", "CN=leaf.example", "CN=middle", "CN=root"]],
  certificates: [],
  unusable: []
}

// ---------------------------------------------------------------------------------------------------------------------

/** A root, an intermediate and a leaf of any kind of key, made by OpenSSL as `leaf.pem`, `key.pem` and `chain.pem`. */
const issue = (shop: Workshop, ...key: ReadonlyArray<string>): void => {
  const ca = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30"
  shop.run("req", "-x509", ...ca.split(" "), "-subj", "/CN=root", "-keyout", "root.key", "-out", "root.pem")
  shop.run("req", ...ca.split(" "), "-subj", "/CN=middle", "-keyout", "middle.key", "-out", "middle.csr")
  shop.write("ca.ext", "basicConstraints=critical,CA:TRUE")
  const sign = (name: string, issuer: string) =>
    `x509 -req -in ${name}.csr -CA ${issuer}.pem -CAkey ${issuer}.key -CAcreateserial -days 30 -out ${name}.pem`
  shop.run(...sign("middle", "root").split(" "), "-extfile", "ca.ext")
  shop.run("genpkey", "-algorithm", ...key, "-out", "leaf.key")
  shop.run("req", "-new", "-key", "leaf.key", "-subj", "/CN=leaf", "-out", "leaf.csr")
  shop.run(...sign("leaf", "middle").split(" "))
  // Upside down on purpose.
  shop.write("chain.pem", shop.text("root.pem") + shop.text("middle.pem"))
  shop.write("full.pem", shop.text("leaf.pem") + shop.text("chain.pem"))
}

const assertIssued = (shop: Workshop, bundle: Pkcs12.Pkcs12): void => {
  assert.lengthOf(bundle.entries, 1)
  const [{ certificateChain, privateKey }] = bundle.entries as [Pkcs12.Entry]
  assert.deepStrictEqual(
    certificateChain.map(({ subject }) => subject.toString()),
    ["CN=leaf", "CN=middle", "CN=root"]
  )
  assert.deepStrictEqual(certificateChain[0]!.der, new Uint8Array(new X509Certificate(shop.text("leaf.pem")).raw))
  const pem = Pem.format("PRIVATE KEY", Redacted.value(privateKey.pkcs8))
  shop.write("read.key", pem)
  assert.strictEqual(shop.run("pkey", "-in", "read.key", "-pubout"), shop.run("pkey", "-in", "leaf.key", "-pubout"))
  assert.deepStrictEqual(bundle.certificates, [])
  assert.deepStrictEqual(bundle.unusable, [])
}

describe.skipIf(!hasOpenssl)("bundles written by OpenSSL", () => {
  const types: Readonly<Record<string, ReadonlyArray<string>>> = {
    RSA: ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "RSA-PSS": ["RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"],
    "P-256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "P-384": ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "P-521": ["EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
    Ed25519: ["ED25519"],
    Ed448: ["ED448"]
  }
  const forms: ReadonlyArray<readonly [args: string, noble: boolean]> = [
    ["", true],
    ["-macalg sha1", true],
    ["-macalg sha384 -iter 10 -maciter", true],
    ["-macalg sha512 -keypbe aes-128-cbc -certpbe aes-192-cbc", true],
    ["-nomaciter -noiter", true],
    ["-nomac", true],
    ["-certpbe NONE", true],
    ["-certpbe NONE -keypbe NONE", true],
    ["-keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES", false],
    ["-keypbe PBE-SHA1-2DES -certpbe PBE-SHA1-3DES", false],
    ["-legacy -descert", false]
  ]
  const pack = "pkcs12 -export -inkey leaf.key -in leaf.pem -certfile chain.pem -name leaf -out bundle"

  for (const [name, type] of Object.entries(types)) {
    it(`${name}: by default, with other algorithms, with and without a MAC`, async () => {
      using shop = workshop()
      issue(shop, ...type)
      for (const [args, isNobles] of name === "RSA" || name === "P-256" ? forms : forms.slice(0, 1)) {
        shop.run(...pack.split(" "), ...args.split(" ").filter(Boolean), "-passout", `pass:${passphrase}`)
        const bytes = shop.bytes("bundle")
        const bundle = await opened(bytes)
        assertIssued(shop, bundle)
        assert.strictEqual(bundle.entries[0]!.friendlyName, "leaf")
        if (isNobles) assertIssued(shop, await opened(bytes, { passphrase }, noble))
        else assert.match(await problem(bytes, { passphrase }, noble), /DES-EDE3-CBC .*`openssl pkcs12 -in old.p12/)
        if (!args.includes("-keypbe NONE")) {
          assert.match(await problem(bytes, { passphrase: "wrong" }), /^WrongPassphrase: the passphrase is wrong/)
          assert.match(await problem(bytes, {}), /^Encrypted: the bundle is encrypted: it needs its passphrase/)
        }
      }
    })
  }

  it("without a MAC and encryption, they need no passphrase", async () => {
    using shop = workshop()
    issue(shop, "ED25519")
    const open = "-nomac -keypbe NONE -certpbe NONE -passout pass:"
    shop.run(...pack.split(" "), ...open.split(" "))
    assertIssued(shop, await opened(shop.bytes("bundle"), {}))
  })

  it("with RC2 they are refused, and a command of OpenSSL's converts them", async () => {
    using shop = workshop()
    issue(shop, "ED25519")
    shop.run(...pack.split(" "), "-legacy", "-passout", `pass:${passphrase}`)
    const said = await problem(shop.bytes("bundle"))
    assert.match(said, /^Unsupported: the bundle is encrypted with pbeWithSHA1And40BitRC2, which is not supported: /)
    const commands = said.match(/(?<=`openssl )[^`]+/g)!
    shop.write("old.p12", shop.bytes("bundle"))
    shop.run(...commands[0]!.split(" "), "-passin", `pass:${passphrase}`)
    shop.run(...commands[1]!.split(" "), "-passout", `pass:${passphrase}`)
    assertIssued(shop, await opened(shop.bytes("new.p12")))
  })

  it("with an empty passphrase, and one that is not ASCII", async () => {
    using shop = workshop()
    issue(shop, "ED25519")
    for (const text of ["", "pässwörd", "密码🔑"]) {
      shop.write("phrase", `${text}\n`)
      for (const args of [[], ["-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES"]]) {
        shop.run(...pack.split(" "), ...args, "-passout", "file:phrase")
        assertIssued(shop, await opened(shop.bytes("bundle"), { passphrase: Redacted.make(text) }))
        // What has an empty passphrase opens without one.
        if (text === "") assertIssued(shop, await opened(shop.bytes("bundle"), {}))
      }
    }
  })

  it.skipIf(tools.newerOpenssl.missing)(`PBMAC1 of ${tools.newerOpenssl.name}`, async () => {
    using shop = workshop()
    issue(shop, "ED25519")
    for (const args of [[], ["-pbmac1_pbkdf2_md", "sha512"], ["-macalg", "sha384"]]) {
      const pbmac1 = ["-pbmac1_pbkdf2", ...args, "-passout", `pass:${passphrase}`]
      tools.newerOpenssl.run(shop.directory, ...pack.split(" "), ...pbmac1)
      for (const crypto of [node, noble]) assertIssued(shop, await opened(shop.bytes("bundle"), { passphrase }, crypto))
      assert.match(await problem(shop.bytes("bundle"), { passphrase: "wrong" }), /^WrongPassphrase: /)
    }
  })

  it.skipIf(tools.certtool.missing)(`beside those of ${tools.certtool.name}`, { timeout: 60_000 }, async () => {
    using shop = workshop()
    // Each bag has a passphrase of its own, of 600,000 iterations.
    for (const [type, more] of [
      ["RSA", []],
      ["P-384", ["--outder"]],
      ["Ed448", ["--outder", "--pkcs-cipher", "3des-pkcs12"]]
    ] as const) {
      issue(shop, ...types[type]!)
      const args =
        "--to-p12 --load-privkey leaf.key --load-certificate full.pem --outfile bundle --p12-name leaf".split(" ")
      tools.certtool.run(shop.directory, ...args, "--password", passphrase, ...more)
      assertIssued(shop, await opened(shop.bytes("bundle")))
    }
  })

  it.skipIf(tools.pk12util.missing || tools.certutil.missing)(
    `beside those of ${tools.pk12util.name}, which are BER`,
    { timeout: 60_000 },
    async () => {
      using shop = workshop()
      issue(shop, ...types["P-256"]!)
      shop.run(...pack.split(" "), "-passout", `pass:${passphrase}`)
      tools.certutil.run(shop.directory, "-N", "-d", ".", "--empty-password")
      tools.pk12util.run(shop.directory, "-i", "bundle", "-d", ".", "-W", passphrase)
      tools.pk12util.run(shop.directory, "-o", "nss", "-n", "leaf", "-d", ".", "-W", passphrase)
      const bytes = shop.bytes("nss")
      assert.strictEqual(bytes[1], 0x80)
      assertIssued(shop, await opened(bytes))
      assert.match(await problem(bytes, { passphrase: "wrong" }), /^WrongPassphrase: /)
    }
  )
})

describe.skipIf(tools.keytool.missing)(`bundles written by ${tools.keytool.name}`, () => {
  it("several entries, certificates that are trusted, secrets", { timeout: 120_000 }, async () => {
    using shop = workshop()
    const run = (...args: ReadonlyArray<string>) =>
      tools.keytool.run(shop.directory, ...args, "-keystore", "store", "-storepass", passphrase)
    const make = (alias: string, ...algorithm: ReadonlyArray<string>) =>
      run("-genkeypair", "-alias", alias, "-dname", `CN=${alias}`, "-storetype", "PKCS12", "-keyalg", ...algorithm)
    make("rsa", "RSA", "-keysize", "2048")
    make("pss", "RSASSA-PSS", "-keysize", "2048")
    make("p256", "EC", "-groupname", "secp256r1")
    make("p384", "EC", "-groupname", "secp384r1")
    make("p521", "EC", "-groupname", "secp521r1")
    make("ed25519", "Ed25519")
    make("ed448", "Ed448")
    make("dsa", "DSA", "-keysize", "1024")
    run("-genseckey", "-alias", "secret", "-keyalg", "AES", "-keysize", "128")
    shop.write("root.pem", root.certificatePem)
    run("-importcert", "-noprompt", "-alias", "root", "-file", "root.pem")
    const expected = {
      entries: [
        ["rsa", "Rsa", "CN=rsa"],
        ["pss", "RsaPss", "CN=pss"],
        ["p256", "Ec", "CN=p256"],
        ["p384", "Ec", "CN=p384"],
        ["p521", "Ec", "CN=p521"],
        ["ed25519", "Ed25519", "CN=ed25519"],
        ["ed448", "Ed448", "CN=ed448"]
      ],
      certificates: [
        ["dsa", "CN=dsa"],
        ["root", "CN=root"]
      ]
    }
    for (const crypto of [node, noble]) {
      const found = summary(await opened(shop.bytes("store"), { passphrase }, crypto))
      assert.sameDeepMembers(found.entries, expected.entries)
      assert.sameDeepMembers(found.certificates, expected.certificates)
      assert.deepStrictEqual(
        found.unusable.map(({ friendlyName, problem: said }) => `${friendlyName}: ${said}`).sort(),
        [
          "dsa: a key of the algorithm dsa: RSA, RSA-PSS, EC, Ed25519 and Ed448 are supported",
          "secret: a secretBag, of which we know nothing"
        ]
      )
    }
    // Java's own form of store is none, and there is a command for them.
    const old = ["-deststorepass", passphrase, "-srcstorepass", passphrase, "-srcalias", "p256"]
    const names = ["-srckeystore", "store", "-destkeystore", "old", "-deststoretype", "JKS"]
    tools.keytool.run(shop.directory, "-importkeystore", ...names, ...old)
    const said = await problem(shop.bytes("old"))
    assert.include(said, "NotABundle: it holds a Java key store (JKS): `keytool -importkeystore")
  })
})

// ---------------------------------------------------------------------------------------------------------------------

describe("what is in a bundle", () => {
  const chain = [bundles.certBag(rootDer!), bundles.certBag(leafDer!), bundles.certBag(middleDer!)]
  const named = { friendlyName: "leaf" }

  it("a key with its chain in order, whatever the order of the bags", async () => {
    const key = await bundles.shroudedBag(leaf.pkcs8, passphrase, undefined, named)
    for (const bags of [
      [key, ...chain],
      [...chain, key],
      [...chain.toReversed(), key]
    ]) {
      const bytes = await bundles.pfx([await bundles.encryptedSafe(bags, passphrase)], passphrase)
      assert.deepStrictEqual(summary(await opened(bytes)), whole)
    }
  })

  it("open keys, open certificates, safes within safes", async () => {
    const key = bundles.keyBag(leaf.pkcs8, named)
    const nested = bundles.bag(
      "safeContentsBag",
      Der.sequence(key, bundles.bag("safeContentsBag", Der.sequence(...chain)))
    )
    for (const safes of [
      [bundles.openSafe(key, ...chain)],
      [bundles.openSafe(key), bundles.openSafe(...chain)],
      [bundles.openSafe(nested)]
    ]) {
      const bytes = await bundles.pfx(safes, "", { _tag: "None" })
      assert.deepStrictEqual(summary(await opened(bytes, {})), whole)
    }
  })

  it("several keys, each with its own chain, and authorities that belong to none", async () => {
    const bytes = await bundles.pfx(
      [
        bundles.openSafe(
          bundles.certBag(rootDer!, { friendlyName: "authority" }),
          bundles.certBag(otherDer!),
          bundles.keyBag(other.pkcs8),
          bundles.keyBag(leaf.pkcs8),
          bundles.certBag(leafDer!, named)
        )
      ],
      passphrase
    )
    assert.deepStrictEqual(summary(await opened(bytes)), {
      entries: [
        [undefined, "Ed25519", "CN=other.example"],
        // A name may be the certificate's alone.
        ["leaf", "Ec", "CN=leaf.example"]
      ],
      certificates: [["authority", "CN=root"]],
      unusable: []
    })
  })

  it("a certificate is a key's by its public key; localKeyId tells two of them apart", async () => {
    const again = identities.makeSync({ names: ["unrelated.example"] })
    const [one, two] = [Uint8Array.of(1), Uint8Array.of(2)]
    const bags = (id: Uint8Array) =>
      bundles.openSafe(
        bundles.keyBag(leaf.pkcs8, { localKeyId: id }),
        // Says that it belongs to the key, and does not.
        bundles.certBag(again.certificate.der, { localKeyId: id }),
        bundles.certBag(leafDer!, { localKeyId: one, friendlyName: "one" }),
        bundles.certBag(leafDer!, { localKeyId: two, friendlyName: "two" })
      )
    for (const [id, name] of [
      [one, "one"],
      [two, "two"],
      [Uint8Array.of(3), "one"]
    ] as const) {
      const { entries } = await opened(await bundles.pfx([bags(id)], passphrase))
      assert.deepStrictEqual(
        entries.map(({ certificateChain, friendlyName, localKeyId }) => [
          friendlyName,
          localKeyId,
          certificateChain[0]!.subject.toString()
        ]),
        [[name, id, "CN=leaf.example"]]
      )
    }
  })

  it("takes time with the number of its entries, not with the square of it", async () => {
    const rsa = await identities.rsa()
    const entry = Bytes.concat([bundles.keyBag(rsa.pkcs8), bundles.certBag(rsa.certificate.der)])
    const bytes = await bundles.pfx([bundles.openSafe(...Array.from({ length: 3000 }, () => entry))], "", {
      _tag: "None"
    })
    const before = performance.now()
    const { entries } = await opened(bytes, {})
    assert.lengthOf(entries, 3000)
    assert.isTrue(entries.every(({ certificateChain }) => certificateChain.length === 1))
    assert.isBelow(performance.now() - before, 5000)
  })

  it("a key without a certificate has an empty chain", async () => {
    const bytes = await bundles.pfx(
      [bundles.openSafe(bundles.keyBag(leaf.pkcs8), bundles.certBag(otherDer!))],
      passphrase
    )
    assert.deepStrictEqual(summary(await opened(bytes)), {
      entries: [[undefined, "Ec"]],
      certificates: [[undefined, "CN=other.example"]],
      unusable: []
    })
  })

  it("certificates that issue each other end a chain", async () => {
    // Two authorities of the same two names, each issued by the other.
    const a = identities.makeSync({ ca: true, names: [], subject: "a" })
    const b = identities.makeSync({ ca: true, names: [], subject: "b", issuer: a })
    const aByB = identities.makeSync({ ca: true, names: [], subject: "a", issuer: b })
    const end = identities.makeSync({ names: ["end.example"], issuer: aByB })
    const bags = [b, aByB, end].map(({ certificate }) => bundles.certBag(certificate.der))
    const { entries } = await opened(
      await bundles.pfx([bundles.openSafe(bundles.keyBag(end.pkcs8), ...bags)], passphrase)
    )
    assert.deepStrictEqual(
      entries[0]!.certificateChain.map(({ subject }) => subject.toString()),
      ["CN=end.example", "CN=a", "CN=b"]
    )
  })

  it("of several authorities of one name the one whose key signed is taken, by its identifier", async () => {
    const { authorities, end, pkcs8 } = await Effect.gen(function* () {
      const make = () => CertificateBuilder.authority({ subject: { CN: "twin" } })
      const twins = [yield* make(), yield* make()] as const
      const issued = yield* CertificateBuilder.issue(twins[1], { names: ["end.example"] })
      const key = Option.getOrThrow(CertificateBuilder.privateKeyPem(issued))
      const info = Either.getOrThrow(PrivateKeyInfo.fromPem(key))
      return { authorities: twins, end: issued.certificate, pkcs8: Redacted.value(info.pkcs8) }
    }).pipe(Effect.provideService(CryptoProvider, node), Effect.runPromise)
    const [first, second] = authorities.map(({ certificate }) => certificate.der)
    for (const order of [
      [first!, second!],
      [second!, first!]
    ]) {
      const bags = [end.der, ...order].map((der) => bundles.certBag(der))
      const bytes = await bundles.pfx([bundles.openSafe(bundles.keyBag(pkcs8), ...bags)], passphrase)
      const { certificates, entries } = await opened(bytes)
      assert.deepStrictEqual(
        entries[0]!.certificateChain.map(({ der }) => der),
        [end.der, second]
      )
      assert.deepStrictEqual(
        certificates.map(({ certificate }) => certificate.der),
        [first]
      )
    }
  })

  it("a chain is no longer than the limits let it", async () => {
    const key = bundles.keyBag(leaf.pkcs8, named)
    const bytes = await bundles.pfx([bundles.openSafe(key, ...chain)], passphrase)
    const length = async (intermediates: number) =>
      (await opened(bytes, { passphrase, limits: { intermediates } })).entries[0]!.certificateChain.length
    assert.deepStrictEqual([await length(0), await length(1), await length(2)], [2, 3, 3])
  })

  it("what cannot be used is told, with its name", async () => {
    const numbers = Either.getOrThrow(
      Der.decode("PKCS#8", (reader) =>
        reader.within(Der.Tag.Sequence, (key) => [key.element(), key.element(), key.element()])
      )((await identities.rsa()).pkcs8)
    )
    const algorithm = Der.sequence(Der.oid(oids.rsassaPss), Der.sequence(Der.integer(1)))
    const wrongParameters = Der.sequence(Der.integer(0), algorithm, numbers[2]!)
    const bytes = await bundles.pfx(
      [
        bundles.openSafe(
          bundles.keyBag(Der.sequence(Der.integer(0)), { friendlyName: "broken key" }),
          bundles.certBag(Uint8Array.of(0x30, 0), { friendlyName: "broken certificate" }),
          bundles.certBag(leafDer!, { friendlyName: "SDSI" }, "sdsiCertificate"),
          bundles.bag("crlBag", Der.sequence(), { friendlyName: "list" }),
          bundles.keyBag(wrongParameters, { friendlyName: "parameters" }),
          bundles.keyBag(leaf.pkcs8)
        )
      ],
      passphrase
    )
    const { entries, unusable } = await opened(bytes)
    assert.lengthOf(entries, 1)
    assert.deepStrictEqual(
      unusable.map(({ friendlyName }) => friendlyName),
      ["broken key", "broken certificate", "SDSI", "list", "parameters"]
    )
    assert.match(unusable[0]!.problem, /^it holds|^the private key is damaged/)
    assert.match(unusable[1]!.problem, /certificate/i)
    assert.strictEqual(unusable[2]!.problem, "a sdsiCertificate, of which we know nothing")
    assert.strictEqual(unusable[3]!.problem, "a crlBag, of which we know nothing")
    assert.match(unusable[4]!.problem, /^RSASSA-PSS-params: 3 byte\(s\) too many/)
  })

  it("BER: lengths that are open, strings in pieces", async () => {
    const open = (tag: number, ...items: ReadonlyArray<Uint8Array>) =>
      Bytes.concat([Uint8Array.of(tag, 0x80), ...items, new Uint8Array(2)])
    const pieces = (bytes: Uint8Array) =>
      [bytes.subarray(0, 7), bytes.subarray(7)].map((piece) => Der.octetString(piece))
    const key = await bundles.shroudedBag(leaf.pkcs8, passphrase, undefined, named)
    const [identifier, ciphertext] = await bundles.encrypt(
      bundles.pbes2(),
      open(Der.Tag.Sequence, key, ...chain),
      passphrase
    )
    const data = Der.oid(oids.data)
    const content = open(Der.Tag.Sequence, data, identifier, open(0xa0, ...pieces(ciphertext)))
    const encrypted = open(Der.Tag.Sequence, Der.integer(0), content)
    const safe = open(Der.Tag.Sequence, Der.oid(oids.encryptedData), open(0xa0, encrypted))
    const authenticated = open(Der.Tag.Sequence, safe)
    const bytes = open(
      Der.Tag.Sequence,
      Der.integer(3),
      open(Der.Tag.Sequence, data, open(0xa0, open(0x24, ...pieces(authenticated))))
    )
    assert.deepStrictEqual(summary(await opened(bytes)), whole)
    // What is vouched for is the content of the pieces, without their tags and lengths.
    assert.deepStrictEqual(Either.getOrThrow(Pfx.decode(bytes)).authenticated, authenticated)
  })

  it("PEM as certtool writes it, redacted or not", async () => {
    const der = await bundles.pfx([bundles.openSafe(bundles.keyBag(leaf.pkcs8, named), ...chain)], passphrase)
    const pem = Pem.format("PKCS12", der)
    for (const input of [der, pem, new TextEncoder().encode(pem), Redacted.make(der), Redacted.make(pem)]) {
      assert.deepStrictEqual(summary(await opened(input as Pkcs12.Input)), whole)
    }
  })
})

describe("what vouches for a bundle", () => {
  const safe = bundles.openSafe(
    bundles.keyBag(leaf.pkcs8, { friendlyName: "leaf" }),
    ...[leafDer!, middleDer!, rootDer!].map((der) => bundles.certBag(der))
  )
  const vouchings: ReadonlyArray<bundles.Vouching> = [
    ...(["SHA-1", "SHA-256", "SHA-384", "SHA-512"] as const).flatMap((hash): ReadonlyArray<bundles.Vouching> => [
      { _tag: "Mac", hash, iterations: 3 },
      { _tag: "Pbmac1", hash, prf: "SHA-512", iterations: 3 }
    ]),
    { _tag: "Mac", iterations: 1 },
    { _tag: "Pbmac1", prf: "SHA-224" }
  ]
  it.each(vouchings.map((vouching) => [JSON.stringify(vouching), vouching] as const))("%s", async (_, vouching) => {
    const bytes = await bundles.pfx([safe], passphrase, vouching)
    assert.deepStrictEqual(summary(await opened(bytes)), whole)
    const wrong = "WrongPassphrase: the passphrase is wrong, or the bundle was altered: its MAC does not agree"
    assert.strictEqual(await problem(bytes, { passphrase: "wrong" }), wrong)
    // Any bit of what is vouched for.
    const at = Buffer.from(bytes).indexOf(Buffer.from(leafDer!)) + 50
    const changed = Uint8Array.from(bytes)
    changed[at]! ^= 1
    assert.strictEqual(await problem(changed), wrong)
  })

  it("is refused by a provider that cannot check it", async () => {
    const poor = (less: Partial<CryptoProviderService["capabilities"]>): CryptoProviderService => ({
      ...node,
      name: "poor",
      capabilities: { ...node.capabilities, ...less }
    })
    const bytes = await bundles.pfx([safe], passphrase, { _tag: "Mac", hash: "SHA-1" })
    assert.include(
      await problem(bytes, { passphrase }, poor({ hashes: new Set(["SHA-256"] as const) })),
      "Unsupported: the bundle is vouched for by HMAC with SHA-1, which the provider poor does not have: `openssl pkcs12"
    )
    assert.strictEqual(
      await problem(bytes, { passphrase }, poor({ passwordKdfs: new Set(["scrypt"] as const) })),
      "Unsupported: the bundle needs PKCS12, which the provider poor does not have"
    )
  })

  it("says so where a passphrase has the end of its line", async () => {
    const bytes = await bundles.pfx([safe], passphrase)
    const said = await problem(bytes, { passphrase: `${passphrase}\n` })
    assert.match(said, /^WrongPassphrase: .* \(it ends with a line end: is that a part of it\?\)$/)
  })

  it("is checked before anything is decrypted", async () => {
    const key = await bundles.shroudedBag(leaf.pkcs8, passphrase)
    const bytes = await bundles.pfx([await bundles.encryptedSafe([key], passphrase)], passphrase)
    let decryptions = 0
    const watching: CryptoProviderService = {
      ...node,
      cbc: (algorithm, secret) => {
        decryptions++
        return node.cbc(algorithm, secret)
      }
    }
    assert.match(await problem(bytes, { passphrase: "wrong" }, watching), /^WrongPassphrase: /)
    assert.strictEqual(decryptions, 0)
    await opened(bytes, { passphrase }, watching)
    assert.strictEqual(decryptions, 2)
  })

  it("is compared by the provider, in constant time, and whole", async () => {
    const bytes = await bundles.pfx([safe], passphrase)
    const lengths: Array<number> = []
    const watching: CryptoProviderService = {
      ...node,
      equal: (a, b) => {
        lengths.push(a.length, b.length)
        return node.equal(a, b)
      }
    }
    await opened(bytes, { passphrase }, watching)
    assert.deepStrictEqual(lengths, [32, 32])
    const digest = bytes.subarray(bytes.length - 10 - 32, bytes.length - 10)
    const cut = Der.decode("PFX", (reader) =>
      reader.within(Der.Tag.Sequence, (pfx) => [pfx.element(), pfx.element(), pfx.element()])
    )(bytes)
    const [version, content] = Either.getOrThrow(cut)
    const mac = (value: Uint8Array) =>
      Der.sequence(
        Der.sequence(Der.sequence(Der.oid(oids.sha256), Der.nullValue()), Der.octetString(value)),
        Der.octetString(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8))
      )
    const put = (value: Uint8Array) => Der.sequence(version!, content!, mac(value))
    assert.deepStrictEqual(summary(await opened(put(digest))), whole)
    for (const length of [0, 1, 31]) assert.match(await problem(put(digest.subarray(0, length))), /^WrongPassphrase: /)
  })

  it("an empty passphrase is written as a zero, or as nothing", async () => {
    for (const password of [new Uint8Array(2), new Uint8Array(0)]) {
      const bytes = await bundles.pfx([safe], "", { _tag: "Mac", password })
      for (const options of [{}, { passphrase: "" }])
        assert.deepStrictEqual(summary(await opened(bytes, options)), whole)
      assert.match(await problem(bytes, { passphrase: "x" }), /^WrongPassphrase: /)
    }
  })

  it("without it a wrong passphrase is seen by what it opens", async () => {
    const bytes = await bundles.pfx([await bundles.encryptedSafe([], passphrase)], passphrase, { _tag: "None" })
    const key = await bundles.shroudedBag(leaf.pkcs8, passphrase)
    const shrouded = await bundles.pfx([bundles.openSafe(key)], passphrase, { _tag: "None" })
    const said = new Set<string>()
    for (let i = 0; i < 600; i++) {
      said.add(await problem(bytes, { passphrase: `wrong ${i}` }))
      said.add(await problem(shrouded, { passphrase: `wrong ${i}` }))
    }
    assert.deepStrictEqual([...said], ["WrongPassphrase: the passphrase is wrong: it does not open the bundle"])
    for (const none of [bytes, shrouded]) {
      assert.strictEqual(await problem(none, {}), "Encrypted: the bundle is encrypted: it needs its passphrase")
    }
  })

  it("is refused by name when it is of another kind", async () => {
    const identifier = (oid: string) => Der.sequence(Der.oid(oid as never), Der.nullValue())
    for (const [oid, name] of [
      [oids.sha224, "HMAC with sha224"],
      ["1.2.3.4", "HMAC with 1.2.3.4"]
    ] as const) {
      const bytes = await bundles.pfx([safe], passphrase, { _tag: "Raw", identifier: identifier(oid) })
      assert.include(
        await problem(bytes),
        `Unsupported: the bundle is vouched for by ${name}, which is not supported: \`openssl pkcs12 -in old.p12`
      )
    }
    for (const keyLength of [undefined, 19, 129]) {
      const bytes = await bundles.pfx([safe], passphrase, { _tag: "Pbmac1", keyLength })
      assert.match(await problem(bytes), /^Malformed: .* bytes for a MAC, 20 to 128 expected/)
    }
  })

  it("costs no more than the limits let it, all of a bundle together", async () => {
    const limits = { passwordIterations: 100, scryptMemory: 1 << 20 }
    const at = async (macIterations: number, safeIterations: number, keyIterations: number) => {
      const key = await bundles.shroudedBag(leaf.pkcs8, passphrase, bundles.pbes2(bundles.pbkdf2(keyIterations)))
      const sealed = await bundles.encryptedSafe([key], passphrase, bundles.pbes2(bundles.pbkdf2(safeIterations)))
      return bundles.pfx([sealed], passphrase, { _tag: "Mac", iterations: macIterations })
    }
    assert.lengthOf((await opened(await at(40, 30, 30), { passphrase, limits })).entries, 1)
    for (const [mac, sealed, key, spent] of [
      [101, 1, 1, 101],
      [40, 61, 1, 101],
      [40, 30, 31, 101]
    ] as const) {
      const bytes = await at(mac, sealed, key)
      assert.match(
        await problem(bytes, { passphrase, limits }),
        new RegExp(`^TooCostly: the bundle asks for ${spent} iterations of .*limit \`passwordIterations\` is 100$`)
      )
      assert.lengthOf((await opened(bytes)).entries, 1)
    }
    const memory = bundles.pbes2(bundles.scrypt(512, 8, 1))
    const keys = async (count: number) =>
      bundles.pfx(
        [
          bundles.openSafe(
            ...(await Promise.all(
              Array.from({ length: count }, () => bundles.shroudedBag(leaf.pkcs8, passphrase, memory))
            ))
          )
        ],
        passphrase
      )
    assert.lengthOf((await opened(await keys(2), { passphrase, limits })).entries, 2)
    assert.match(await problem(await keys(3), { passphrase, limits }), /^TooCostly: .* fill 1572864 bytes/)
  })
})

describe("what is no bundle", () => {
  it("says what it is instead", async () => {
    const instead = async (input: Pkcs12.Input) =>
      /^NotABundle: it holds (.*), a PKCS#12 bundle is needed$/.exec(await problem(input))?.[1]
    assert.strictEqual(await instead(leafDer!), "a certificate or something else that is signed")
    assert.strictEqual(await instead(leaf.pkcs8), "a private key")
    assert.strictEqual(await instead(leaf.keyPem), "a private key")
    assert.strictEqual(await instead(leaf.certificatePem), "a certificate (3 times)")
    assert.strictEqual(await instead(new TextEncoder().encode(leaf.keyPem)), "a private key")
    assert.strictEqual(await instead(""), "no PEM block")
    const pem = Pem.format("PKCS12", await bundles.pfx([], passphrase))
    assert.strictEqual(await problem(pem + pem), "NotABundle: it holds 2 PKCS#12 bundles, exactly one is needed")
    assert.deepStrictEqual(summary(await opened(new TextEncoder().encode(`0 bundles before\n${pem}`))), {
      entries: [],
      certificates: [],
      unusable: []
    })
    assert.match((await instead(Uint8Array.of(0xfe, 0xed, 0xfe, 0xed)))!, /^a Java key store \(JKS\)/)
    assert.match((await instead(Uint8Array.of(0xce, 0xce, 0xce, 0xce)))!, /^a Java key store \(JCEKS\)/)
  })

  it("is damaged", async () => {
    const bytes = await bundles.pfx([], passphrase)
    for (const damaged of [
      bytes.subarray(0, 20),
      Bytes.concat([bytes, Uint8Array.of(0)]),
      Der.sequence(Der.integer(3)),
      Der.sequence(Der.integer(3), Der.sequence(Der.oid(oids.signedData), Der.value(0xa0, Der.octetString())))
    ]) {
      assert.match(await problem(damaged), /^Malformed: the bundle is damaged: PFX: /)
    }
  })

  const data = Der.oid(oids.data)
  const encryptedData = (version: number, type: Uint8Array) =>
    Der.sequence(
      Der.oid(oids.encryptedData),
      Der.value(
        0xa0,
        Der.sequence(
          Der.integer(version),
          Der.sequence(type, Der.sequence(Der.oid(oids.rsaEncryption)), Der.value(0x80, new Uint8Array(8)))
        )
      )
    )
  const halfName = Der.sequence(Der.oid(oids.friendlyName), Der.value(Der.Tag.Set, Der.value(0x1e, Uint8Array.of(0))))
  const damages: ReadonlyArray<readonly [said: string, safe: Uint8Array]> = [
    ["EncryptedData of version 1", encryptedData(1, data)],
    ["encrypted content that is not data", encryptedData(0, Der.oid(oids.signedData))],
    [
      "a BMPString of half a character",
      bundles.openSafe(
        Der.sequence(Der.oid(oids.keyBag), Der.value(0xa0, leaf.pkcs8), Der.value(Der.Tag.Set, halfName))
      )
    ],
    ["1 byte(s) too many", Der.sequence(data, Der.value(0xa0, Der.octetString(Uint8Array.of(0x30, 0, 0))))],
    ["value expected, nothing left", bundles.openSafe(bundles.bag("keyBag", new Uint8Array(0)))]
  ]
  it.each(damages)("is damaged by %s", async (said, safe) => {
    const found = await problem(await bundles.pfx([safe], passphrase))
    assert.match(found, /^Malformed: the bundle is damaged: /)
    assert.include(found, said)
  })

  it("is vouched for by no iterations, or by what is not HMAC of PBKDF2", async () => {
    const [version, content] = Either.getOrThrow(
      Der.decode("PFX", (reader) => reader.within(Der.Tag.Sequence, (pfx) => [pfx.element(), pfx.element()]))(
        await bundles.pfx([], "", { _tag: "None" })
      )
    )
    const mac = (identifier: Uint8Array, ...iterations: ReadonlyArray<Uint8Array>) =>
      Der.sequence(
        version!,
        content!,
        Der.sequence(Der.sequence(identifier, Der.octetString()), Der.octetString(), ...iterations)
      )
    const sha256 = Der.sequence(Der.oid(oids.sha256), Der.nullValue())
    assert.include(
      await problem(mac(sha256, Der.integer(0))),
      "Malformed: the bundle is damaged: PFX: an iteration count of zero"
    )
    const scrypt = Der.sequence(Der.oid(oids.scrypt), Der.sequence())
    const pbmac1 = Der.sequence(
      Der.oid(oids.pbmac1),
      Der.sequence(scrypt, Der.sequence(Der.oid(oids.hmacWithSHA256), Der.nullValue()))
    )
    assert.include(
      await problem(mac(pbmac1)),
      "vouched for by PBMAC1 with scrypt and hmacWithSHA256, which is not supported"
    )
    const derivation = (salt: Uint8Array) =>
      Der.sequence(Der.oid(oids.PBKDF2), Der.sequence(salt, Der.integer(1), Der.integer(32)))
    const hmac = (name: "hmacWithSHA256" | "hmacWithSHA512-256") => Der.sequence(Der.oid(oids[name]), Der.nullValue())
    const by = (salt: Uint8Array, name: Parameters<typeof hmac>[0]) =>
      mac(Der.sequence(Der.oid(oids.pbmac1), Der.sequence(derivation(salt), hmac(name))))
    assert.include(
      await problem(by(Der.octetString(), "hmacWithSHA512-256")),
      "vouched for by PBMAC1 with PBKDF2 and hmacWithSHA512-256, which is not supported"
    )
    assert.include(
      await problem(by(Der.sequence(), "hmacWithSHA256")),
      "vouched for by PBMAC1 with PBKDF2 with a salt from elsewhere and hmacWithSHA256, which is not supported"
    )
    // Without a prf it is HMAC-SHA-1, and that is read: the MAC just does not agree.
    assert.match(await problem(by(Der.octetString(), "hmacWithSHA256")), /^WrongPassphrase: /)
  })

  it("is protected by what is no passphrase", async () => {
    const enveloped = Der.sequence(Der.oid(oids.envelopedData), Der.value(0xa0, Der.sequence()))
    assert.strictEqual(
      await problem(await bundles.pfx([enveloped], passphrase)),
      "Unsupported: the bundle is protected by envelopedData: a passphrase is what we know"
    )
  })
})
