/** Which of several identities a peer is shown. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { Acceptable } from "../../src/core/Identity.ts"
import * as Identity from "../../src/core/Identity.ts"
import * as PrivateKey from "../../src/core/PrivateKey.ts"
import * as ServerName from "../../src/schema/ServerName.ts"
import type { SignatureSchemeName } from "../../src/schema/SignatureScheme.ts"
import * as SignatureScheme from "../../src/schema/SignatureScheme.ts"
import * as harness from "../support/harness.ts"
import type { Made } from "../support/identities.ts"
import * as identities from "../support/identities.ts"
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
    assert.isBelow(performance.now() - before, 1000)
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
