/**
 * What a runtime has to do with a provider, by what the provider declares: whole handshakes with both sides ours, over
 * memory and over a MessageChannel. No Node in here: it runs in browsers too.
 */
import { Effect, Either, Option, Redacted, type Scope } from "effect"
import {
  CertificateBuilder,
  CipherSuite,
  CryptoProvider,
  Identity,
  NamedGroup,
  type PrivateKey,
  type PublicKey,
  SecureContext,
  SignatureScheme,
  TlsClient,
  type TlsConnection,
  type TlsError,
  TlsServer,
  type Transport
} from "effect-tls"
import { MemoryTransport } from "effect-tls/testing"
import { WebPrivateKey } from "effect-tls/web"
import * as BundleMaker from "../support/bundleMaker.ts"
import * as Conversation from "./conversation.ts"
import * as Duplexes from "./duplexes.ts"
import { type Check, check, expect, expectBytes } from "./report.ts"
import * as SubtleKey from "./subtleKey.ts"

type Options = Parameters<typeof SecureContext.make>[0]
type Protocol = NonNullable<Options["protocol"]>
type Info = TlsConnection.TlsConnection["info"]

/** What the provider says it can do, by the names of what TLS makes of it. */
export interface Declared {
  readonly suites: ReadonlyArray<Info["cipherSuite"]>
  readonly groups: ReadonlyArray<Info["group"]>
  readonly nativeGroups: ReadonlyArray<Info["group"]>
  readonly schemes: ReadonlyArray<Info["signatureScheme"]>
  /** Of the schemes, those it signs with itself; for the others one brings a signer. */
  readonly signs: ReadonlyArray<Info["signatureScheme"]>
}

export interface Report {
  readonly provider: string
  readonly declared: Declared
  /** What two contexts that say nothing agree on. */
  readonly defaults: string
  readonly checks: ReadonlyArray<Check>
}

/** A key as a scheme wants it, without its numbers: enough to ask what a provider would do with one. */
const sampleKey = ({ key }: SignatureScheme.SignatureSchemeInfo): PublicKey.PublicKey => {
  const bytes = new Uint8Array(0)
  switch (key._tag) {
    case "Ec":
      return { _tag: "Ec", curve: key.curve ?? "P-256", point: bytes, spki: bytes }
    case "Rsa":
    case "RsaPss":
      return { _tag: key._tag, modulus: bytes, exponent: bytes, spki: bytes }
    case "Ed25519":
    case "Ed448":
      return { _tag: key._tag, bytes, spki: bytes }
  }
}

const schemes = SignatureScheme.registry.filter(({ handshake }) => handshake)

const declaredBy = ({ capabilities }: CryptoProvider.CryptoProviderService): Declared => {
  const groupsOf = (primitives: ReadonlySet<NamedGroup.NamedGroup>) =>
    NamedGroup.registry
      .filter(({ code }) =>
        code === NamedGroup.x25519MlKem768
          ? primitives.has(NamedGroup.mlkem768) && primitives.has(NamedGroup.x25519)
          : primitives.has(code)
      )
      .map(({ name }) => name)
  return {
    suites: CipherSuite.registry
      .filter(({ aead, hash }) => capabilities.aeads.has(aead) && capabilities.hashes.has(hash))
      .map(({ name }) => name),
    groups: groupsOf(capabilities.groups),
    nativeGroups: groupsOf(capabilities.nativeGroups),
    schemes: schemes
      .filter((scheme) => capabilities.verify(scheme.algorithm, sampleKey(scheme)))
      .map(({ name }) => name),
    signs: schemes.filter((scheme) => capabilities.sign(scheme.algorithm, sampleKey(scheme))).map(({ name }) => name)
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Two sides
// ---------------------------------------------------------------------------------------------------------------------

interface Sides {
  readonly client?: Options
  readonly server?: Options
  readonly serverName?: string
  readonly duplexes?: Effect.Effect<readonly [Transport.Duplex, Transport.Duplex], never, Scope.Scope>
}

const makePki = Effect.gen(function* () {
  const ca = yield* CertificateBuilder.authority({ subject: { CN: "Runtime CA" } })
  const server = yield* CertificateBuilder.issue(ca, { names: ["localhost"] })
  const client = yield* CertificateBuilder.issue(ca, {
    subject: { CN: "runtime client" },
    names: ["client.test"],
    key: { _tag: "Ed25519" }
  })
  return { ca, server, client }
})
type Pki = Effect.Effect.Success<typeof makePki>

/** The outcome of a handshake for both sides, of which one may fail. */
const attempt = (pki: Pki, { client, duplexes = MemoryTransport.pair(), server, serverName = "localhost" }: Sides) =>
  Effect.gen(function* () {
    const [clientEnd, serverEnd] = yield* duplexes
    const trust = { anchors: pki.ca.certificate }
    const clientContext = yield* SecureContext.make({ trust, ...client })
    const serverContext = yield* SecureContext.make({ identity: pki.server.identity, ...server })
    return yield* Effect.all(
      {
        client: Effect.either(TlsClient.over(clientEnd, { context: clientContext, serverName })),
        server: Effect.either(TlsServer.over(serverEnd, { context: serverContext }))
      },
      { concurrency: 2 }
    )
  })

const connect = (pki: Pki, sides: Sides = {}) =>
  Effect.flatMap(attempt(pki, sides), ({ client, server }) => Effect.all({ client, server }))

const converse = ({ client, server }: Effect.Effect.Success<ReturnType<typeof connect>>, length = 50_000) =>
  Effect.all([Conversation.say(client, length), Conversation.echo(server)], { concurrency: 2 })

/** A handshake after which both sides know this, and data both ways. */
const agrees = (pki: Pki, sides: Sides, expected: Partial<Info>, length?: number) =>
  Effect.gen(function* () {
    const ends = yield* connect(pki, sides)
    for (const [field, value] of Object.entries(expected)) {
      yield* expect(`the client's ${field}`, ends.client.info[field as keyof Info] as unknown, value as unknown)
      yield* expect(`the server's ${field}`, ends.server.info[field as keyof Info] as unknown, value as unknown)
    }
    yield* converse(ends, length)
  })

/** An error as `Tag/reason`. */
const label = <A>(outcome: Either.Either<A, TlsError.TlsError>): string =>
  Either.match(outcome, { onLeft: (error) => `${error._tag}/${error.reason}`, onRight: () => "connected" })

/** A handshake that ends like this. */
const disagrees = (pki: Pki, sides: Sides, client: string, server: string) =>
  Effect.gen(function* () {
    const outcome = yield* attempt(pki, sides)
    yield* expect("the client's outcome", label(outcome.client), client)
    yield* expect("the server's outcome", label(outcome.server), server)
  })

const both = (protocol: Protocol): Sides => ({ client: { protocol }, server: { protocol } })

// ---------------------------------------------------------------------------------------------------------------------
// What is tried
// ---------------------------------------------------------------------------------------------------------------------

const suiteChecks = (pki: Pki, { suites }: Declared) =>
  suites.map((cipherSuite) =>
    check("suites", cipherSuite, agrees(pki, both({ cipherSuites: [cipherSuite] }), { cipherSuite }))
  )

const groupChecks = (pki: Pki, { groups }: Declared) =>
  groups.map((group) =>
    check("groups", group, agrees(pki, both({ groups: [group] }), { group, helloRetryRequest: false }))
  )

/** A signer of the kind a scheme is for: RSA keys are made once, and brought along where the provider has none. */
const makeSigners = ({ signs }: Declared) =>
  Effect.gen(function* () {
    const crypto = yield* CryptoProvider.CryptoProvider
    const generate = (type: CryptoProvider.KeyType) =>
      Effect.map(crypto.generatePrivateKey(type), ({ key }): PrivateKey.PrivateKey => key)
    const rsa = (tag: "Rsa" | "RsaPss", scheme: Info["signatureScheme"]) =>
      signs.includes(scheme) ? generate({ _tag: tag, modulusLength: 2048 }) : SubtleKey.rsa(tag)
    const kept = {
      Rsa: yield* Effect.cached(rsa("Rsa", "rsa_pss_rsae_sha256")),
      RsaPss: yield* Effect.cached(rsa("RsaPss", "rsa_pss_pss_sha256"))
    }
    return ({ key }: SignatureScheme.SignatureSchemeInfo) =>
      key._tag === "Rsa" || key._tag === "RsaPss"
        ? kept[key._tag]
        : generate(key._tag === "Ec" ? { _tag: "Ec", curve: key.curve ?? "P-256" } : key)
  })

const schemeChecks = (pki: Pki, declared: Declared) =>
  Effect.map(makeSigners(declared), (signerFor) =>
    declared.schemes.map((name) =>
      check(
        "schemes",
        name,
        Effect.gen(function* () {
          const key = yield* signerFor(SignatureScheme.fromName(name)!)
          const { identity } = yield* CertificateBuilder.issue(pki.ca, { names: ["localhost"], key })
          const sides = {
            client: { trust: { anchors: pki.ca.certificate }, protocol: schemesOf(name) },
            server: { identity, protocol: schemesOf(name) }
          }
          yield* agrees(pki, sides, { signatureScheme: name })
        })
      )
    )
  )

const schemesOf = (name: Info["signatureScheme"]): Protocol => ({
  signatureSchemes: [name],
  // The authority's signature is another's.
  certificateSignatureSchemes: ["ecdsa_secp256r1_sha256"]
})

/** What the provider lacks is refused when it is asked for by name. */
const lackChecks = ({ groups, schemes: names, suites }: Declared) => {
  const refused = (name: string, protocol: Protocol) =>
    check(
      "lacks",
      name,
      Effect.flatMap(Effect.flip(SecureContext.make({ protocol })), (error) =>
        expect("the reason", `${error._tag}/${error.reason}`, "TlsConfigError/Unsupported")
      )
    )
  return [
    ...CipherSuite.registry
      .filter(({ name }) => !suites.includes(name))
      .map(({ name }) => refused(name, { cipherSuites: [name] })),
    ...NamedGroup.registry
      .filter(({ name }) => !groups.includes(name))
      .map(({ name }) => refused(name, { groups: [name] })),
    ...schemes
      .filter(({ name }) => !names.includes(name))
      .map(({ name }) => refused(name, { signatureSchemes: [name] }))
  ]
}

const retryChecks = (pki: Pki, { groups }: Declared) => {
  const retry = (name: string, group: Info["group"], helloRetryCookie: boolean) =>
    check(
      "HelloRetryRequest",
      name,
      agrees(
        pki,
        {
          client: { protocol: { groups: ["x25519", group], keyShares: ["x25519"] } },
          server: { protocol: { groups: [group], helloRetryCookie } }
        },
        { group, helloRetryRequest: true }
      )
    )
  return [
    retry("to secp256r1", "secp256r1", false),
    retry("to secp256r1 with a cookie", "secp256r1", true),
    ...(groups.includes("X25519MLKEM768") ? [retry("to X25519MLKEM768", "X25519MLKEM768", false)] : [])
  ]
}

const hybridChecks = (pki: Pki, { groups }: Declared) => {
  if (!groups.includes("X25519MLKEM768")) return []
  const offer: Options = { protocol: { groups: ["X25519MLKEM768", "x25519"], keyShares: ["X25519MLKEM768", "x25519"] } }
  const chosen = (group: Info["group"]) =>
    check(
      "hybrid and classical shares in one hello",
      group,
      agrees(pki, { client: offer, server: { protocol: { groups: [group] } } }, { group, helloRetryRequest: false })
    )
  return [chosen("X25519MLKEM768"), chosen("x25519")]
}

const clientCertificateChecks = (pki: Pki) => {
  const asking = { clientAuthentication: "require", anchors: pki.ca.certificate } as const
  return [
    check(
      "client certificates",
      "shown",
      Effect.gen(function* () {
        const ends = yield* connect(pki, {
          client: { trust: { anchors: pki.ca.certificate }, identity: pki.client.identity },
          server: { identity: pki.server.identity, trust: asking }
        })
        const { peer } = ends.server.info
        yield* expect(
          "the peer",
          peer._tag === "Verified" ? peer.certificate.subject.toString() : peer._tag,
          pki.client.certificate.subject.toString()
        )
        yield* expect("the scheme", ends.server.info.clientSignatureScheme, Option.some("ed25519" as const))
        yield* converse(ends)
      })
    ),
    check(
      "client certificates",
      "missing",
      Effect.gen(function* () {
        const { client, server } = yield* attempt(pki, { server: { identity: pki.server.identity, trust: asking } })
        yield* expect("the server's outcome", label(server), "CertificateError/NoCertificate")
        // The client is done before the server sees that there is no certificate.
        const error = yield* Effect.flip(Conversation.readAll(yield* client))
        yield* expect("the client's end", `${error._tag}/${error.reason}`, "AlertError/certificate_required")
      })
    )
  ]
}

const errorChecks = (pki: Pki) => [
  check(
    "errors",
    "a wrong name",
    disagrees(pki, { serverName: "wrong.test" }, "CertificateError/NameMismatch", "AlertError/bad_certificate")
  ),
  check(
    "errors",
    "an unknown authority",
    Effect.gen(function* () {
      const other = yield* CertificateBuilder.authority({ subject: { CN: "Somebody" } })
      const client = { trust: { anchors: other.certificate } }
      yield* disagrees(pki, { client }, "CertificateError/MissingIntermediate", "AlertError/unknown_ca")
    })
  ),
  check(
    "errors",
    "an expired certificate",
    Effect.gen(function* () {
      const { identity } = yield* CertificateBuilder.issue(pki.ca, {
        names: ["localhost"],
        notBefore: new Date(2001, 0, 1),
        notAfter: new Date(2002, 0, 1),
        // Its authority is younger than it.
        unchecked: true
      })
      const sides = { server: { identity } }
      yield* disagrees(pki, sides, "CertificateError/Expired", "AlertError/certificate_expired")
    })
  ),
  check(
    "errors",
    "no application protocol in common",
    disagrees(
      pki,
      {
        client: { trust: { anchors: pki.ca.certificate }, protocol: { alpn: ["h2"] } },
        server: { identity: pki.server.identity, protocol: { alpn: ["imap"] } }
      },
      "AlertError/no_application_protocol",
      "HandshakeError/NoApplicationProtocol"
    )
  ),
  check(
    "errors",
    "a transport that ends without close_notify",
    Effect.gen(function* () {
      const [clientEnd, serverEnd] = yield* MemoryTransport.pair()
      const { client, server } = yield* connect(pki, { duplexes: Effect.succeed([clientEnd, serverEnd]) })
      yield* server.write(Conversation.sample(1000))
      yield* serverEnd.end()
      yield* expectBytes("the data before", yield* Conversation.read(client, 1000), Conversation.sample(1000))
      const error = yield* Effect.flip(Conversation.readAll(client))
      yield* expect("the error", error._tag, "TruncationError")
    })
  ),
  check(
    "errors",
    "a record that was changed on the way",
    Effect.gen(function* () {
      let spoil = false
      const transform = (_: MemoryTransport.Direction, chunk: Uint8Array) => {
        if (!spoil) return [chunk]
        const changed = Uint8Array.from(chunk)
        changed[changed.length - 1]! ^= 1
        return [changed]
      }
      const { client, server } = yield* connect(pki, { duplexes: MemoryTransport.pair({ transform }) })
      spoil = true
      yield* client.write(Conversation.sample(1000))
      const error = yield* Effect.flip(Conversation.readAll(server))
      yield* expect("the error", `${error._tag}/${error.reason}`, "HandshakeError/BadRecord")
    })
  )
]

const connectionChecks = (pki: Pki) => [
  check("connection", "1 MiB both ways", agrees(pki, {}, {}, Conversation.mebibyte)),
  check(
    "connection",
    "1 MiB both ways over a MessageChannel",
    agrees(pki, { duplexes: Duplexes.channel }, {}, Conversation.mebibyte)
  ),
  check("connection", "byte by byte", agrees(pki, { duplexes: MemoryTransport.pair({ maxChunk: 1 }) }, {}, 5000)),
  check("connection", "ALPN", agrees(pki, both({ alpn: ["h2", "http/1.1"] }), { alpn: Option.some("h2") })),
  check(
    "connection",
    "KeyUpdate from both sides",
    Effect.gen(function* () {
      const { client, server } = yield* connect(pki)
      for (const length of [1, 20_000, 40_000]) {
        yield* client.updateKeys({ requestPeer: true })
        yield* server.updateKeys()
        const data = Conversation.sample(length)
        yield* Effect.all([client.write(data), server.write(data)], { concurrency: 2 })
        yield* expectBytes("to the server", yield* Conversation.read(server, length), data)
        yield* expectBytes("to the client", yield* Conversation.read(client, length), data)
      }
      yield* converse({ client, server })
    })
  ),
  check(
    "connection",
    "keying material for others",
    Effect.gen(function* () {
      const { client, server } = yield* connect(pki)
      const wanted = { label: "EXPORTER-runtimes", context: Uint8Array.of(1, 2, 3), length: 48 }
      const [ours, theirs] = yield* Effect.all([
        client.exportKeyingMaterial(wanted),
        server.exportKeyingMaterial(wanted)
      ])
      yield* expectBytes("the server's", theirs, ours)
    })
  )
]

/** Keys as files have them, and as Web Cryptography does. */
const keyChecks = (pki: Pki) => {
  const passphrase = "correct horse"
  const shows = (what: string, identity: NonNullable<Options["identity"]>) =>
    agrees(pki, { server: { identity } }, {}).pipe(
      Effect.mapError((error) => new Error(`a server with ${what}: ${String(error)}`))
    )
  return [
    check(
      "keys",
      "encrypted, and in a bundle",
      Effect.gen(function* () {
        const crypto = yield* CryptoProvider.CryptoProvider
        const bundles = BundleMaker.make(crypto)
        const { key, pkcs8 } = yield* crypto.generatePrivateKey({ _tag: "Ec", curve: "P-256" })
        const { certificate } = yield* CertificateBuilder.issue(pki.ca, { names: ["localhost"], key })
        const secret = Redacted.value(pkcs8)
        for (const kdf of [BundleMaker.pbkdf2(1000), BundleMaker.scrypt(1024, 8, 1)]) {
          const encryption = BundleMaker.pbes2(kdf, "AES-256-CBC")
          const privateKey = yield* Effect.promise(() => bundles.encryptedKey(secret, passphrase, encryption))
          yield* shows(`a key by ${kdf._tag}`, { certificateChain: certificate, privateKey, passphrase })
          for (const vouching of ["Mac", "Pbmac1"] as const) {
            const pkcs12 = yield* Effect.promise(async () => {
              const bag = await bundles.shroudedBag(secret, passphrase, encryption)
              const bags = [bag, BundleMaker.certBag(certificate.der)]
              const safe = await bundles.encryptedSafe(bags, passphrase, encryption)
              return bundles.pfx([safe], passphrase, { _tag: vouching, iterations: 1000 })
            })
            yield* shows(`a bundle by ${kdf._tag} and ${vouching}`, { pkcs12, passphrase })
            const error = yield* Effect.flip(Identity.make({ pkcs12, passphrase: "wrong" }))
            yield* expect("the reason", error.reason, "WrongPassphrase" as const)
          }
        }
      })
    ),
    check(
      "keys",
      "that do not leave Web Cryptography",
      Effect.gen(function* () {
        const algorithm = { name: "ECDSA", namedCurve: "P-256" }
        const pair = yield* Effect.promise(() => crypto.subtle.generateKey(algorithm, false, ["sign", "verify"]))
        const key = yield* WebPrivateKey.make(pair)
        const { identity } = yield* CertificateBuilder.issue(pki.ca, { names: ["localhost"], key })
        yield* shows("a CryptoKey", identity)
      })
    )
  ]
}

/** Everything, one after the other. */
export const run: Effect.Effect<Report, unknown, CryptoProvider.CryptoProvider> = Effect.gen(function* () {
  const crypto = yield* CryptoProvider.CryptoProvider
  const declared = declaredBy(crypto)
  const pki = yield* makePki
  const { info } = (yield* Effect.scoped(connect(pki))).client
  const checks: ReadonlyArray<Effect.Effect<Check, never, CryptoProvider.CryptoProvider>> = [
    ...suiteChecks(pki, declared),
    ...groupChecks(pki, declared),
    ...(yield* schemeChecks(pki, declared)),
    ...lackChecks(declared),
    ...retryChecks(pki, declared),
    ...hybridChecks(pki, declared),
    ...clientCertificateChecks(pki),
    ...keyChecks(pki),
    ...errorChecks(pki),
    ...connectionChecks(pki)
  ]
  return {
    provider: crypto.name,
    declared,
    defaults: `${info.cipherSuite} ${info.group} ${info.signatureScheme}`,
    checks: yield* Effect.all(checks)
  }
})
