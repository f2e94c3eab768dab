/** What makes an identity, and which of several a peer is shown. */
import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/TestClock"
import { CryptoProvider, type CryptoProviderService } from "../../src/core/CryptoProvider.ts"
import type { Acceptable } from "../../src/core/Identity.ts"
import * as Identity from "../../src/core/Identity.ts"
import type { IdentityOptions } from "../../src/core/IdentityOptions.ts"
import * as PrivateKey from "../../src/core/PrivateKey.ts"
import * as SecureContext from "../../src/core/SecureContext.ts"
import * as NobleCrypto from "../../src/layers/NobleCrypto.ts"
import * as Der from "../../src/schema/Der.ts"
import type { Limits } from "../../src/schema/Limits.ts"
import * as Pem from "../../src/schema/Pem.ts"
import * as ServerName from "../../src/schema/ServerName.ts"
import type { SignatureSchemeName } from "../../src/schema/SignatureScheme.ts"
import * as SignatureScheme from "../../src/schema/SignatureScheme.ts"
import * as bundles from "../support/bundles.ts"
import * as harness from "../support/harness.ts"
import type { Made } from "../support/identities.ts"
import * as identities from "../support/identities.ts"
import { hasOpenssl, workshop } from "../support/openssl.ts"
import * as scripts from "../support/scripts.ts"

const authorityEc = identities.makeSync({ ca: true, names: [], subject: "EC authority" })
const authorityEd = identities.makeSync({ ca: true, names: [], subject: "Ed25519 authority", key: { _tag: "Ed25519" } })

const ec = identities.makeSync({ issuer: authorityEc, names: ["a.example"], subject: "ec" })
const ed = identities.makeSync({
  issuer: authorityEd,
  names: ["b.example"],
  subject: "ed",
  key: { _tag: "Ed25519" }
})
const ecByEd = identities.makeSync({ issuer: authorityEd, names: ["c.example"], subject: "ecByEd" })
const wild = identities.makeSync({ issuer: authorityEc, names: ["*.wild.example"], subject: "wild" })
const p384 = identities.makeSync({
  issuer: authorityEc,
  names: ["a.example"],
  subject: "p384",
  key: { _tag: "Ec", curve: "P-384" }
})
const selfSigned = identities.makeSync({ names: ["self.example"], subject: "self" })

const schemes = (...names: ReadonlyArray<SignatureSchemeName>) =>
  names.map((name) => SignatureScheme.fromName(name)!.code)

const every = SignatureScheme.registry.map(({ code }) => code)

const named = (name: string) => Option.some(new ServerName.DnsName({ name }))

const choose = (
  own: ReadonlyArray<Made>,
  acceptable: Partial<Acceptable> = {},
  ours: ReadonlyArray<SignatureScheme.SignatureSchemeInfo> = SignatureScheme.registry
): string =>
  Option.match(
    Identity.choose(
      own.map(({ identity }) => identity),
      ours,
      {
        signatureSchemes: every,
        certificateSignatureSchemes: acceptable.signatureSchemes ?? every,
        authorities: [],
        serverName: Option.none(),
        ...acceptable
      }
    ),
    {
      onNone: () => "none",
      onSome: ({ identity, scheme }) => `${identity.certificateChain[0].subject.toString().slice(3)} ${scheme.name}`
    }
  )

describe("the identity that is chosen", () => {
  const es256 = "ecdsa_secp256r1_sha256"

  it("is the only one there is, whatever it is called and whoever issued it", () => {
    assert.strictEqual(choose([ec]), `ec ${es256}`)
    assert.strictEqual(choose([ec], { serverName: named("elsewhere.example") }), `ec ${es256}`)
    assert.strictEqual(choose([ec], { authorities: [selfSigned.certificate.subject.der] }), `ec ${es256}`)
    assert.strictEqual(choose([ec], { certificateSignatureSchemes: schemes("ed25519") }), `ec ${es256}`)
  })

  it("is none when no key can sign with a scheme of the peer's", () => {
    assert.strictEqual(choose([]), "none")
    assert.strictEqual(choose([ec, p384], { signatureSchemes: schemes("ed25519", "rsa_pss_rsae_sha256") }), "none")
    assert.strictEqual(choose([ec], { signatureSchemes: schemes("ecdsa_secp384r1_sha384") }), "none")
    assert.strictEqual(choose([ec], { signatureSchemes: [] }), "none")
    assert.strictEqual(choose([ec], { signatureSchemes: [SignatureScheme.make(0x0a0a)] }), "none")
  })

  it("is none when no key can sign with a scheme of ours", () => {
    const ours = [SignatureScheme.fromName("ed25519")!]
    assert.strictEqual(choose([ec], {}, ours), "none")
    assert.strictEqual(choose([ec, ed], {}, ours), "ed ed25519")
  })

  it("is the first that can sign", () => {
    assert.strictEqual(choose([ec, ed]), `ec ${es256}`)
    assert.strictEqual(choose([ed, ec]), "ed ed25519")
    assert.strictEqual(choose([ed, ec], { signatureSchemes: schemes(es256) }), `ec ${es256}`)
    assert.strictEqual(
      choose([ec, p384], { signatureSchemes: schemes("ecdsa_secp384r1_sha384") }),
      "p384 ecdsa_secp384r1_sha384"
    )
  })

  it("is the one with the name asked for", () => {
    assert.strictEqual(choose([ec, ed], { serverName: named("b.example") }), "ed ed25519")
    assert.strictEqual(choose([ec, ed, wild], { serverName: named("x.wild.example") }), `wild ${es256}`)
    assert.strictEqual(choose([ec, ed, wild], { serverName: named("x.y.wild.example") }), `ec ${es256}`)
    assert.strictEqual(choose([ec, p384], { serverName: named("a.example") }), `ec ${es256}`)
  })

  it("is one whose chain the peer can verify, of those with the name", () => {
    assert.strictEqual(choose([ec, ecByEd], { certificateSignatureSchemes: schemes("ed25519") }), `ecByEd ${es256}`)
    assert.strictEqual(choose([ecByEd, ec], { certificateSignatureSchemes: schemes(es256) }), `ec ${es256}`)
    assert.strictEqual(
      choose([ec, ecByEd], { certificateSignatureSchemes: schemes("ed25519"), serverName: named("a.example") }),
      `ec ${es256}`
    )
    // What is self-signed nobody verifies.
    assert.strictEqual(choose([ec, selfSigned], { certificateSignatureSchemes: [] }), `self ${es256}`)
    // An ECDSA scheme says nothing about the curve of a certificate's signature but its hash.
    assert.strictEqual(
      choose([ec, ecByEd], { certificateSignatureSchemes: schemes("ecdsa_secp384r1_sha384") }),
      `ec ${es256}`
    )
  })

  it("is one that leads to an authority the peer names, of those with the name", () => {
    const authorities = [authorityEd.certificate.subject.der]
    assert.strictEqual(choose([ec, ed], { authorities }), "ed ed25519")
    assert.strictEqual(
      choose([ec, ed], { authorities: [selfSigned.certificate.subject.der, ...authorities] }),
      "ed ed25519"
    )
    assert.strictEqual(choose([ec, ed], { authorities, serverName: named("a.example") }), `ec ${es256}`)
  })

  it("is valid now, where there is one, but has the right name first", () => {
    const at = (subject: string, from: number, until: number, names = ["a.example"]) =>
      identities.makeSync({ issuer: authorityEc, names, subject, validity: [Date.UTC(from), Date.UTC(until)] })
    const [old, now, next] = [at("old", 2020, 2025), at("now", 2025, 2030), at("next", 2030, 2035)] as const
    const other = at("other", 2025, 2030, ["b.example"])
    const time = Date.UTC(2026, 5)
    for (const own of [
      [old, now, next],
      [next, old, now],
      [now, next, old]
    ]) {
      assert.strictEqual(choose(own, { time }), `now ${es256}`)
      assert.strictEqual(choose(own, { time: Date.UTC(2031) }), `next ${es256}`)
    }
    assert.strictEqual(choose([other, old], { time, serverName: named("a.example") }), `old ${es256}`)
    assert.strictEqual(choose([old], { time }), `old ${es256}`)
    assert.strictEqual(choose([old, now]), `old ${es256}`)
    // To the millisecond: an end belongs to its time.
    for (const moment of [Date.UTC(2025), Date.UTC(2030)]) {
      assert.strictEqual(
        choose([at("then", 2024, 2025), now, next], { time: moment }).slice(0, 4),
        moment === Date.UTC(2025) ? "then" : "now "
      )
    }
  })

  for (const side of ["server", "client"] as const) {
    it.scoped(`is the ${side}'s that is valid by the clock`, () =>
      Effect.gen(function* () {
        const [old, renewed] = [2020, 2025].map((from) =>
          identities.makeSync({
            names: ["localhost"],
            subject: `of ${from}`,
            validity: [Date.UTC(from), Date.UTC(from + 6)]
          })
        ) as [Made, Made]
        const identity = [old.options, renewed.options]
        const server = yield* side === "server"
          ? harness.serverContext({ identity })
          : harness.serverContext({ trust: { clientAuthentication: "require" } })
        const client = yield* harness.context(side === "client" ? { identity } : {})
        const shown = Effect.map(harness.connected({ client, server }), (ends) =>
          String(ends[side === "server" ? "client" : "server"].info.peerCertificates[0]!.subject.commonName)
        )
        yield* TestClock.setTime(Date.UTC(2022))
        assert.strictEqual(yield* shown, "of 2020")
        yield* TestClock.setTime(Date.UTC(2027))
        assert.strictEqual(yield* shown, "of 2025")
      }).pipe(Effect.provide(harness.layer))
    )
  }

  it("comes with the first of the peer's schemes that key and policy have", () => {
    const rsaLike: Made = {
      ...ec,
      identity: {
        ...ec.identity,
        privateKey: PrivateKey.make({
          ...ec.privateKey,
          schemes: schemes("rsa_pkcs1_sha256", "rsa_pss_rsae_sha512", "rsa_pss_rsae_sha256")
        })
      }
    }
    const offered = schemes("rsa_pkcs1_sha256", "rsa_pss_rsae_sha384", "rsa_pss_rsae_sha256", "rsa_pss_rsae_sha512")
    assert.strictEqual(choose([rsaLike], { signatureSchemes: offered }), "ec rsa_pss_rsae_sha256")
    assert.strictEqual(
      choose([rsaLike], { signatureSchemes: offered }, [SignatureScheme.fromName("rsa_pss_rsae_sha512")!]),
      "ec rsa_pss_rsae_sha512"
    )
    // PKCS#1 v1.5 signs no handshake, whoever offers it.
    assert.strictEqual(choose([rsaLike], { signatureSchemes: schemes("rsa_pkcs1_sha256") }), "none")
  })

  it("takes time with a long list once, not once more for each identity", () => {
    const many = Array.from({ length: 200 }, () => ec)
    const long = Array.from({ length: 30_000 }, (_, i) => SignatureScheme.make(i & 0xffff))
    const authorities = Array.from({ length: 20_000 }, (_, i) => Uint8Array.of(i, i >> 8))
    const before = performance.now()
    choose(many, { signatureSchemes: long, certificateSignatureSchemes: long, authorities })
    assert.isBelow(performance.now() - before, 5000)
  })
})

describe("isIdentity", () => {
  it("knows one from what is none", () => {
    assert.isTrue(Identity.isIdentity(ec.identity))
    for (const wrong of [
      undefined,
      7,
      {},
      { certificateChain: ec.chain },
      { privateKey: ec.privateKey },
      { certificateChain: [], privateKey: ec.privateKey },
      { certificateChain: [ec.certificatePem], privateKey: ec.privateKey },
      { certificateChain: ec.chain, privateKey: ec.keyPem }
    ]) {
      assert.isFalse(Identity.isIdentity(wrong))
    }
  })
})

describe("a server with several identities", () => {
  const shown = (serverName: string | undefined, offered: ReadonlyArray<SignatureSchemeName>) =>
    Effect.gen(function* () {
      const context = yield* harness.context({ identity: [ec.options, ed.options, wild.options] })
      const { script } = yield* harness.serverAgainst(context, (peer) =>
        scripts.playClient(peer, {
          ...(serverName === undefined ? {} : { serverName }),
          hello: (hello) => ({
            ...hello,
            extensions: hello.extensions.map((extension) =>
              extension._tag === "SignatureAlgorithms" ? { ...extension, schemes: schemes(...offered) } : extension
            )
          })
        })
      )
      const { certificate } = yield* Fiber.join(script)
      return [ec, ed, wild].findIndex(
        ({ certificate: { der } }) => Buffer.compare(der, certificate.entries[0]!.certificate) === 0
      )
    }).pipe(Effect.scoped, Effect.provide(harness.layer), Effect.runPromise)

  it("shows the one for the name and the client's schemes, with its chain", async () => {
    const all = ["ecdsa_secp256r1_sha256", "ed25519"] as const
    assert.strictEqual(await shown(undefined, all), 0)
    assert.strictEqual(await shown("b.example", all), 1)
    assert.strictEqual(await shown("www.wild.example", all), 2)
    assert.strictEqual(await shown("elsewhere.example", all), 0)
    assert.strictEqual(await shown("a.example", ["ed25519"]), 1)
    assert.strictEqual(await shown("b.example", ["ecdsa_secp256r1_sha256"]), 0)
  })

  it("finds one by the hello, when it has a resolver", async () => {
    const asked: Array<string> = []
    const context = harness.contextSync({
      identity: ec.options,
      resolveIdentity: (hello, name) => {
        asked.push(`${hello._tag} ${Option.match(name, { onNone: () => "-", onSome: String })}`)
        return Effect.succeed([ed.identity])
      }
    })
    const info = await Effect.gen(function* () {
      const { server } = yield* harness.connected({ server: context, serverName: "b.example" })
      return server.info
    }).pipe(Effect.scoped, Effect.provide(harness.layer), Effect.runPromise)
    assert.strictEqual(info.signatureScheme, "ed25519")
    assert.deepStrictEqual(asked, ["ClientHello b.example"])
  })
})

describe("an identity from files", () => {
  const passphrase = "correct horse"
  const leaf = identities.makeSync({ issuer: authorityEc, names: ["leaf.example"], subject: "leaf" })
  const make = (options: unknown, limits?: Partial<Limits>) =>
    Identity.make(options as IdentityOptions, limits).pipe(
      Effect.scoped,
      Effect.either,
      Effect.provideService(CryptoProvider, identities.crypto),
      Effect.runPromise
    )
  const made = async (options: IdentityOptions, limits?: Partial<Limits>) =>
    Either.getOrThrowWith(await make(options, limits), (error) => new Error(error.message))
  const refused = async (options: unknown, limits?: Partial<Limits>) => {
    const error = Either.getOrThrowWith(Either.flip(await make(options, limits)), () => new Error("it was made"))
    assert.notInclude(`${inspect(error)}${JSON.stringify(error)}`, passphrase)
    return `${error.reason}: ${error.message}`
  }
  const subjects = ({ certificateChain }: Identity.Identity) =>
    certificateChain.map(({ subject }) => subject.toString())

  const encryptedKey = bundles.encryptedKey(leaf.pkcs8, passphrase)
  const bundleOf = (...entries: ReadonlyArray<readonly [made: Made, friendlyName: string]>) =>
    bundles.pfx(
      [
        bundles.openSafe(
          ...entries.map(([one, friendlyName]) => bundles.keyBag(one.pkcs8, { friendlyName })),
          ...entries.flatMap(([{ chain }]) => chain.map(({ der }) => bundles.certBag(der)))
        )
      ],
      passphrase
    )

  it("comes from PEM alone", async () => {
    const identity = await made({ certificateChain: leaf.certificatePem, privateKey: Redacted.make(leaf.keyPem) })
    assert.isTrue(Identity.isIdentity(identity))
    assert.deepStrictEqual(subjects(identity), ["CN=leaf", "CN=EC authority"])
  })

  it("comes from an encrypted key and its passphrase, redacted or not", async () => {
    const privateKey = await encryptedKey
    for (const given of [passphrase, Redacted.make(passphrase)]) {
      const identity = await made({ certificateChain: leaf.certificatePem, privateKey, passphrase: given })
      assert.deepStrictEqual(subjects(identity), ["CN=leaf", "CN=EC authority"])
    }
    // Where nothing is encrypted the passphrase is not used.
    await made({ certificateChain: leaf.certificatePem, privateKey: leaf.keyPem, passphrase })
    await made({ certificateChain: leaf.certificatePem, privateKey: leaf.privateKey, passphrase })
  })

  it("comes from a bundle, without the root that whoever trusts it has", async () => {
    const pkcs12 = await bundleOf([leaf, "leaf"])
    for (const input of [pkcs12, Redacted.make(pkcs12), Pem.format("PKCS12", pkcs12)]) {
      assert.deepStrictEqual(subjects(await made({ pkcs12: input, passphrase })), ["CN=leaf"])
    }
    // What is self-signed and alone is sent.
    assert.deepStrictEqual(subjects(await made({ pkcs12: await bundleOf([selfSigned, "self"]), passphrase })), [
      "CN=self"
    ])
  })

  it("of a bundle with several is named, or all are taken", async () => {
    const pkcs12 = await bundleOf([leaf, "first"], [ed, "second"])
    assert.deepStrictEqual(subjects(await made({ pkcs12, passphrase, friendlyName: "second" })), ["CN=ed"])
    assert.strictEqual(
      await refused({ pkcs12, passphrase }),
      "InvalidOptions: friendlyName: the bundle has 2 identities: name one, or ask for all with `makeAll`"
    )
    assert.strictEqual(
      await refused({ pkcs12, passphrase, friendlyName: "third" }),
      'InvalidOptions: friendlyName: the bundle has no such entry, it has "first", "second"'
    )
    const all = await Identity.makeAll({ pkcs12, passphrase }).pipe(
      Effect.scoped,
      Effect.provideService(CryptoProvider, identities.crypto),
      Effect.runPromise
    )
    assert.deepStrictEqual(all.map(subjects), [["CN=leaf"], ["CN=ed"]])
    const context = harness.contextSync({ identity: [{ pkcs12, passphrase }, ec.options] })
    assert.deepStrictEqual(context.identities.map(subjects), [["CN=leaf"], ["CN=ed"], ["CN=ec", "CN=EC authority"]])
  })

  it("each mistake has its own message", async () => {
    const privateKey = await encryptedKey
    const pem = { certificateChain: leaf.certificatePem, privateKey }
    const pkcs12 = await bundleOf([leaf, "leaf"])
    const cases: ReadonlyArray<readonly [options: unknown, said: string]> = [
      [
        pem,
        "MissingPassphrase: privateKey: the private key is encrypted (PBES2 with PBKDF2 and AES-128-CBC): it needs its passphrase"
      ],
      [
        { ...pem, passphrase: "wrong" },
        "WrongPassphrase: passphrase: the passphrase is wrong: it does not open the private key"
      ],
      [{ pkcs12 }, "MissingPassphrase: pkcs12: the bundle is encrypted: it needs its passphrase"],
      [
        { pkcs12, passphrase: "wrong" },
        "WrongPassphrase: passphrase: the passphrase is wrong, or the bundle was altered: its MAC does not agree"
      ],
      [
        { ...pem, privateKey: leaf.certificatePem },
        "InvalidPrivateKey: privateKey: it holds a certificate (2 times), a private key is needed"
      ],
      [
        { ...pem, privateKey: Pem.format("PUBLIC KEY", leaf.certificate.publicKey.spki) },
        "InvalidPrivateKey: privateKey: it holds a public key, a private key is needed"
      ],
      [
        { ...pem, privateKey: pkcs12 },
        "InvalidPrivateKey: privateKey: it holds a PKCS#12 bundle, a private key is needed"
      ],
      [
        { pkcs12: leaf.certificatePem },
        "InvalidPrivateKey: pkcs12: it holds a certificate (2 times), a PKCS#12 bundle is needed"
      ],
      [{ pkcs12: leaf.pkcs8 }, "InvalidPrivateKey: pkcs12: it holds a private key, a PKCS#12 bundle is needed"],
      [
        { ...pem, certificateChain: leaf.chain.toReversed(), passphrase },
        'InvalidCertificate: certificateChain[1]: "CN=leaf" did not issue the certificate before it, whose issuer is ' +
          '"CN=EC authority": the leaf comes first, then each one\'s issuer'
      ],
      [
        { ...pem, certificateChain: ec.certificatePem, passphrase },
        'KeyMismatch: privateKey: the key (P-256) does not match the leaf certificate "CN=ec" (P-256)'
      ],
      [
        {
          pkcs12: await bundles.pfx(
            [bundles.openSafe(bundles.keyBag(leaf.pkcs8, { friendlyName: "n" }), bundles.certBag(ec.certificate.der))],
            passphrase
          ),
          passphrase
        },
        'KeyMismatch: pkcs12: the key "n" matches none of the 1 certificate(s) in the bundle'
      ],
      [
        {
          pkcs12: await bundles.pfx(
            [bundles.openSafe(bundles.bag("secretBag", Der.sequence(), { friendlyName: "s" }))],
            passphrase
          ),
          passphrase
        },
        'InvalidPrivateKey: pkcs12: the bundle holds no private key that can be used; the entry "s": a secretBag, of which we know nothing'
      ],
      [{}, "InvalidOptions: an identity needs `certificateChain` and `privateKey`, or `pkcs12`"],
      [{ privateKey }, "InvalidOptions: certificateChain: is missing"],
      [{ certificateChain: leaf.certificatePem }, "InvalidOptions: privateKey: is missing"],
      [{ ...pem, pkcs12 }, "InvalidOptions: certificateChain: `pkcs12` brings the certificates: leave one of them out"],
      [{ privateKey, pkcs12 }, "InvalidOptions: privateKey: `pkcs12` brings the private key: leave one of them out"],
      [
        { ...pem, friendlyName: "x" },
        "InvalidOptions: friendlyName: picks an entry of a bundle, and there is no `pkcs12`"
      ],
      [
        { ...pem, passphrase: 7 },
        "InvalidOptions: passphrase: expected a passphrase: text, better Redacted (value hidden)"
      ],
      [
        { pkcs12: 7 },
        "InvalidOptions: pkcs12: expected a PKCS#12 bundle: the bytes of a file, better Redacted (value hidden)"
      ],
      [7, "InvalidOptions: expected an identity: { certificateChain, privateKey } or { pkcs12 } (value hidden)"]
    ]
    for (const [options, said] of cases) assert.strictEqual(await refused(options), said)
  })

  it("costs what the limits of the protocol let it", async () => {
    const privateKey = await bundles.encryptedKey(leaf.pkcs8, passphrase, bundles.pbes2(bundles.pbkdf2(11)))
    const options = { certificateChain: leaf.certificatePem, privateKey, passphrase }
    const said = "the private key asks for 11 iterations of PBKDF2, the limit `passwordIterations` is 10"
    await made(options, { passwordIterations: 11 })
    assert.strictEqual(await refused(options, { passwordIterations: 10 }), `InvalidPrivateKey: privateKey: ${said}`)
    const context = (passwordIterations: number) =>
      SecureContext.make({ identity: options, protocol: { limits: { passwordIterations } } }).pipe(
        Effect.scoped,
        Effect.match({ onFailure: ({ message }) => message, onSuccess: ({ identities: { length } }) => `${length}` }),
        Effect.provide(harness.layer),
        Effect.runPromise
      )
    assert.strictEqual(await context(10), `identity.privateKey: ${said}`)
    assert.strictEqual(await context(11), "1")
  })

  it("all bytes of keys are wiped when the Scope closes, also those that were not asked for", async () => {
    const imported: Array<Uint8Array> = []
    const watching: CryptoProviderService = {
      ...identities.crypto,
      importPrivateKey: (info) => {
        imported.push(Redacted.value(info.pkcs8))
        return identities.crypto.importPrivateKey(info)
      }
    }
    const pkcs12 = await bundleOf([leaf, "first"], [ed, "second"])
    const alive = await Identity.make({ pkcs12, passphrase, friendlyName: "first" }).pipe(
      Effect.map(() => imported.map((bytes) => bytes.some((byte) => byte !== 0))),
      Effect.scoped,
      Effect.provideService(CryptoProvider, watching),
      Effect.runPromise
    )
    // Both to find their certificates, the first again to sign with it.
    assert.deepStrictEqual(alive, [true, true, true])
    assert.isTrue(imported.every((bytes) => bytes.every((byte) => byte === 0)))
  })

  it.skipIf(!hasOpenssl)("may have a compressed point in its certificate, its key, or both", async () => {
    using shop = workshop()
    shop.run("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "key")
    const ask = "req -x509 -days 30 -subj /CN=x -addext subjectAltName=DNS:localhost".split(" ")
    for (const form of ["compressed", "uncompressed"]) {
      shop.run("ec", "-in", "key", "-conv_form", form, "-out", `${form}.key`)
      shop.run(...ask, "-key", `${form}.key`, "-out", `${form}.pem`)
    }
    const lengths: Array<number> = []
    for (const certificate of ["compressed", "uncompressed"]) {
      for (const key of ["compressed", "uncompressed"]) {
        const options = { certificateChain: shop.text(`${certificate}.pem`), privateKey: shop.text(`${key}.key`) }
        const identity = await made(options)
        lengths.push(identity.certificateChain[0].publicKey.spki.length)
        const { server } = await Effect.gen(function* () {
          const context = yield* harness.context({ identity: options })
          const trust = { anchors: options.certificateChain }
          const client = yield* harness.context({ trust })
          return yield* harness.connected({ server: context, client, serverName: "localhost" })
        }).pipe(Effect.scoped, Effect.provide(harness.layer), Effect.runPromise)
        assert.strictEqual(server.info.signatureScheme, "ecdsa_secp256r1_sha256")
      }
    }
    assert.deepStrictEqual(lengths, [59, 59, 91, 91])
  })

  it("needs nothing of Node's", async () => {
    const noble = NobleCrypto.make()
    const pkcs12 = await bundles.pfx(
      [
        bundles.openSafe(await bundles.shroudedBag(leaf.pkcs8, passphrase, bundles.pbes2(bundles.scrypt()))),
        await bundles.encryptedSafe([bundles.certBag(leaf.certificate.der)], passphrase)
      ],
      passphrase,
      { _tag: "Pbmac1" }
    )
    const privateKey = await encryptedKey
    const data = new TextEncoder().encode("message")
    const algorithm = { _tag: "Ecdsa", hash: "SHA-256" } as const
    for (const options of [
      { pkcs12, passphrase },
      { certificateChain: leaf.certificatePem, privateKey, passphrase }
    ]) {
      const verified = await Effect.gen(function* () {
        const identity = yield* Identity.make(options)
        const signature = yield* identity.privateKey.sign(algorithm, data)
        return yield* noble.verify(algorithm, identity.certificateChain[0].publicKey, data, signature)
      }).pipe(Effect.scoped, Effect.provideService(CryptoProvider, noble), Effect.runPromise)
      assert.isTrue(verified)
    }
  })
})
