/** The policies `strict`, `modern`, `compatible` and `legacy`: what each resolves to, and what becomes of two that meet. */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as ContextResolution from "../../src/core/ContextResolution.ts"
import { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import type { CryptoProviderService } from "../../src/core/CryptoProvider.ts"
import * as Identities from "../../src/core/Identity.ts"
import * as SecureContext from "../../src/core/SecureContext.ts"
import type { SecureContextOptions } from "../../src/core/SecureContextOptions.ts"
import * as ServerNameSelection from "../../src/core/ServerNameSelection.ts"
import * as TlsClient from "../../src/core/TlsClient.ts"
import * as TlsServer from "../../src/core/TlsServer.ts"
import * as MemoryTransport from "../../src/layers/MemoryTransport.ts"
import * as NobleCrypto from "../../src/layers/NobleCrypto.ts"
import * as Defaults from "../../src/schema/Defaults.ts"
import * as Extension from "../../src/schema/Extension.ts"
import * as Limits from "../../src/schema/Limits.ts"
import { mlkem768 } from "../../src/schema/NamedGroup.ts"
import type { PolicyName } from "../../src/schema/Policy.ts"
import * as Policy from "../../src/schema/Policy.ts"
import * as SignatureScheme from "../../src/schema/SignatureScheme.ts"
import type { TlsError } from "../../src/schema/TlsError.ts"
import * as harness from "../support/harness.ts"
import type { Made } from "../support/identities.ts"
import { crypto, make } from "../support/identities.ts"
import * as world from "../properties/world.ts"

const names = ["strict", "modern", "compatible", "legacy"] as const
const contexts: { readonly [N in PolicyName]: SecureContext.SecureContext } = SecureContext
const noble = NobleCrypto.make()

const contextOf = (options: SecureContextOptions, provider: CryptoProviderService = crypto) =>
  Effect.runPromise(Effect.scoped(SecureContext.make(options)).pipe(Effect.provideService(CryptoProvider, provider)))

const refusal = (options: SecureContextOptions, provider: CryptoProviderService = crypto) =>
  Effect.runPromise(
    Effect.scoped(Effect.flip(SecureContext.make(options))).pipe(Effect.provideService(CryptoProvider, provider))
  )

/** What a policy is about, by names. */
const resolved = (context: SecureContext.SecureContext, provider: CryptoProviderService = crypto) => {
  const policy = Either.getOrThrow(ContextResolution.resolve(context, provider, "client"))
  const named = (items: ReadonlyArray<{ readonly name: string }>) => items.map(({ name }) => name).join(" ")
  return {
    cipherSuites: named(policy.cipherSuites),
    groups: named(policy.groups),
    signatureSchemes: named(policy.signatureSchemes),
    certificateSignatureSchemes: named(policy.certificateSignatureSchemes),
    limits: policy.limits
  }
}

describe("a policy", () => {
  const suites = "TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256"
  const elliptic = "x25519 secp256r1 secp384r1 secp521r1 x448"
  const schemes =
    "ecdsa_secp256r1_sha256 ed25519 ecdsa_secp384r1_sha384 rsa_pss_rsae_sha256 rsa_pss_rsae_sha384 rsa_pss_rsae_sha512 " +
    "rsa_pss_pss_sha256 rsa_pss_pss_sha384 rsa_pss_pss_sha512 ecdsa_secp521r1_sha512 ed448"
  const pkcs1 = "rsa_pkcs1_sha256 rsa_pkcs1_sha384 rsa_pkcs1_sha512"
  const fields = " ffdhe2048 ffdhe3072 ffdhe4096"
  const sha1 = " rsa_pkcs1_sha1 ecdsa_sha1"

  for (const [name, more, forCertificates, rsaModulusMin] of [
    ["strict", "", "", 2048],
    ["modern", "", "", 2048],
    ["compatible", fields, "", 2048],
    ["legacy", fields, sha1, 1024]
  ] as const) {
    for (const [provider, hybrid, has] of [
      [crypto, crypto.capabilities.nativeGroups.has(mlkem768) ? "X25519MLKEM768 " : "", more],
      [noble, "", ""]
    ] as const) {
      it(`${name} has its defaults with the provider ${provider.name}`, async () => {
        const expected = {
          cipherSuites: suites,
          groups: `${hybrid}${elliptic}${has}`,
          signatureSchemes: schemes,
          certificateSignatureSchemes: `${schemes} ${pkcs1}${forCertificates}`,
          limits: { ...Limits.defaults, rsaModulusMin }
        }
        assert.deepStrictEqual(resolved(contexts[name], provider), expected)
        assert.deepStrictEqual(resolved(await contextOf({ protocol: { policy: name } }, provider), provider), expected)
      })
    }
  }

  it("that holds when none is said is modern", () => {
    assert.strictEqual(Defaults.policy, "modern")
    assert.deepStrictEqual(resolved(SecureContext.empty), resolved(SecureContext.modern))
  })

  it("adds to the one before, and takes nothing away", () => {
    assert.deepStrictEqual(
      Policy.registry.map(({ name }) => name),
      [...names]
    )
    const lists = ["versions", "cipherSuites", "groups", "signatureSchemes", "certificateOnlySchemes"] as const
    Policy.registry.forEach((policy, i) => {
      assert.strictEqual(Policy.fromName(policy.name), policy)
      const before = Policy.registry[i - 1]
      if (before === undefined) return
      for (const list of lists) assert.deepStrictEqual(policy[list].slice(0, before[list].length), [...before[list]])
      assert.isAtMost(policy.rsaModulusMin, before.rsaModulusMin)
    })
  })

  it("gives way to what is said by name, and only to that", async () => {
    const context = await contextOf({
      protocol: {
        policy: "legacy",
        groups: ["x25519"],
        signatureSchemes: ["ed25519"],
        limits: { rsaModulusMin: 3072, warnings: 1 }
      }
    })
    assert.deepStrictEqual(resolved(context), {
      ...resolved(SecureContext.legacy),
      groups: "x25519",
      signatureSchemes: "ed25519",
      certificateSignatureSchemes: `ed25519 ${pkcs1}${sha1}`,
      limits: { ...Limits.defaults, rsaModulusMin: 3072, warnings: 1 }
    })
    // In whatever order they are merged.
    const said = await contextOf({ protocol: { groups: ["x25519"], limits: { rsaModulusMin: 3072 } } })
    for (const merged of [
      SecureContext.merge(said, SecureContext.legacy),
      SecureContext.merge(SecureContext.legacy, said)
    ]) {
      assert.deepInclude(resolved(merged), { groups: "x25519" })
      assert.strictEqual(resolved(merged).limits.rsaModulusMin, 3072)
      assert.include(resolved(merged).certificateSignatureSchemes, sha1)
    }
  })

  it("over a policy is the last policy", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.array(FastCheck.constantFrom(...names), { minLength: 1, maxLength: 5 }), (said) => {
        const merged = said.map((name) => contexts[name]).reduce((self, that) => SecureContext.merge(self, that))
        assert.deepStrictEqual(resolved(merged), resolved(contexts[said[said.length - 1]!]))
      })
    )
  })

  it("has a name", async () => {
    for (const [policy, message] of [
      ["modren", 'unknown policy "modren", did you mean "modern"?'],
      ["tls", 'unknown policy "tls", known are strict, modern, compatible, legacy'],
      [1, 'a policy is a name, such as "strict"']
    ] as const) {
      const error = await refusal({ protocol: { policy: policy as never } })
      assert.deepStrictEqual([error.reason, error.message], ["InvalidOptions", `protocol.policy: ${message}`])
    }
  })

  it("is cut to what the provider has, and a group that is asked for by name is not", async () => {
    const error = await refusal({ protocol: { policy: "compatible", groups: ["x25519", "ffdhe2048"] } }, noble)
    assert.deepStrictEqual(
      [error.reason, error.message],
      ["Unsupported", "protocol.groups: the provider noble has no ffdhe2048"]
    )
  })
})

// ---------------------------------------------------------------------------------------------------------------------
// Meetings
// ---------------------------------------------------------------------------------------------------------------------

const kinds = ["good", "sha1", "ecdsa-sha1", "rsa1024"] as const
type Kind = (typeof kinds)[number]

interface Chain {
  readonly root: Made
  readonly leaf: Made
}
const chains = new Map<Kind, Chain>()
const chain = (kind: Kind): Chain => chains.get(kind)!

const issue = (root: Parameters<typeof make>[0], leaf: Parameters<typeof make>[0]) =>
  Effect.gen(function* () {
    const made = yield* make({ names: [], ca: true, ...root })
    return { root: made, leaf: yield* make({ ...leaf, issuer: made }) }
  })

beforeAll(async () => {
  const rsa = (modulusLength: number) => ({ _tag: "Rsa", modulusLength }) as const
  const made = await Effect.runPromise(
    Effect.all(
      {
        good: issue({ subject: "good" }, {}),
        sha1: issue({ subject: "sha1", key: rsa(2048) }, { algorithm: { _tag: "RsaPkcs1", hash: "SHA-1" } }),
        "ecdsa-sha1": issue({ subject: "ecdsa-sha1" }, { algorithm: { _tag: "Ecdsa", hash: "SHA-1" } }),
        rsa1024: issue({ subject: "rsa1024", key: rsa(2048) }, { key: rsa(1024) })
      },
      { concurrency: "unbounded" }
    )
  )
  for (const kind of kinds) chains.set(kind, made[kind])
})

const label = <A>(outcome: Either.Either<A, TlsError>) =>
  Either.match(outcome, { onLeft: (error) => `${error._tag}/${error.reason}`, onRight: () => "connected" })

/** How both sides see it, once each has heard something of the other. */
const meet = (
  client: SecureContextOptions,
  server: SecureContext.SecureContext | SecureContextOptions,
  serverName = "localhost"
) =>
  Effect.gen(function* () {
    const [clientEnd, serverEnd] = yield* MemoryTransport.pair()
    const ends = yield* Effect.all(
      {
        client: TlsClient.over(clientEnd, { context: yield* SecureContext.make(client), serverName }).pipe(
          // A client is done before the server has seen its certificate.
          Effect.tap((connection) => Effect.zipRight(connection.end, Stream.runDrain(connection.stream))),
          Effect.either
        ),
        server: TlsServer.over(serverEnd, {
          context: SecureContext.isSecureContext(server) ? server : yield* SecureContext.make(server)
        }).pipe(
          Effect.tap((connection) => connection.end),
          Effect.either
        )
      },
      { concurrency: 2 }
    )
    return {
      client: label(ends.client),
      server: label(ends.server),
      info: Either.getOrUndefined(Either.map(ends.server, ({ info }) => info))
    }
  }).pipe(Effect.scoped, Effect.provide(harness.layer), Effect.runPromise)

const anchorsOf = (...of: ReadonlyArray<Kind>) => ({ anchors: of.map((kind) => chain(kind).root.certificate) })

/** The verdict of a verifier that goes by a policy on a chain. */
const verdict = (policy: PolicyName, kind: Kind) =>
  kind === "good" || policy === "legacy"
    ? undefined
    : kind === "rsa1024"
      ? "CertificateError/WeakKey"
      : "CertificateError/WeakSignature"

const pairs = names.flatMap((client) => names.map((server) => [client, server] as const))

describe("a client and a server", () => {
  it.each(pairs)("of the policies %s and %s accept each other's certificates by their own", async (client, server) => {
    for (const kind of kinds) {
      const trust = anchorsOf(...kinds)
      const identity = chain(kind).leaf.options
      const onServer = verdict(client, kind)
      const one = await meet({ protocol: { policy: client }, trust }, { protocol: { policy: server }, identity })
      assert.strictEqual(one.client, onServer ?? "connected", kind)
      assert.strictEqual(one.server, onServer === undefined ? "connected" : "AlertError/bad_certificate", kind)

      const mutual = await meet(
        { protocol: { policy: client }, trust, identity },
        {
          protocol: { policy: server },
          identity: chain("good").leaf.options,
          trust: { ...trust, clientAuthentication: "require" }
        }
      )
      const onClient = verdict(server, kind)
      assert.strictEqual(mutual.server, onClient ?? "connected", kind)
      assert.strictEqual(mutual.client, onClient === undefined ? "connected" : "AlertError/bad_certificate", kind)
    }
  })

  it.each(pairs)(
    "of the policies %s and %s agree on X25519, or on a field if one has nothing else",
    async (client, server) => {
      const identity = chain("good").leaf.options
      const trust = anchorsOf("good")
      const both = await meet({ protocol: { policy: client }, trust }, { protocol: { policy: server }, identity })
      const first = crypto.capabilities.nativeGroups.has(mlkem768) ? "X25519MLKEM768" : "x25519"
      assert.deepInclude(both.info, { group: first, helloRetryRequest: false })

      const fieldsOnly = { policy: server, groups: ["ffdhe4096", "ffdhe2048"] } as const
      const retried = await meet({ protocol: { policy: client }, trust }, { protocol: fieldsOnly, identity })
      if (client === "compatible" || client === "legacy") {
        assert.deepInclude(retried.info, { group: "ffdhe4096", helloRetryRequest: true })
      } else {
        assert.deepStrictEqual(
          [retried.client, retried.server],
          ["AlertError/handshake_failure", "HandshakeError/NoSharedGroup"]
        )
      }
      const offered = await meet(
        { protocol: { policy: client, groups: ["ffdhe3072", "ffdhe2048"] }, trust },
        { protocol: { policy: server }, identity }
      )
      assert.strictEqual(
        offered.server,
        server === "compatible" || server === "legacy" ? "connected" : "HandshakeError/NoSharedGroup"
      )
    }
  )

  it("go by the policy of the name", async () => {
    const server = await contextOf({
      identity: chain("good").leaf.options,
      trust: { ...anchorsOf("sha1"), clientAuthentication: "require" }
    })
    const context = Either.getOrThrow(ServerNameSelection.select(server, [["example.org", SecureContext.legacy]]))
    const client = { trust: anchorsOf("good"), identity: chain("sha1").leaf.options }
    assert.strictEqual((await meet(client, context, "localhost")).server, "CertificateError/WeakSignature")
    assert.strictEqual((await meet(client, context, "example.org")).server, "connected")
    // And the other way round.
    const strictly = Either.getOrThrow(
      ServerNameSelection.select(SecureContext.merge(server, SecureContext.legacy), [
        ["example.org", SecureContext.strict]
      ])
    )
    assert.strictEqual((await meet(client, strictly, "localhost")).server, "connected")
    assert.strictEqual((await meet(client, strictly, "example.org")).server, "CertificateError/WeakSignature")
  })
})

describe("SHA-1", () => {
  const schemesOf = async (protocol: SecureContextOptions["protocol"]) => {
    const hello = await Effect.runPromise(
      Effect.scoped(
        Effect.flatMap(
          Effect.provideService(SecureContext.make(protocol === undefined ? {} : { protocol }), CryptoProvider, crypto),
          (context) => world.firstHello(context, "localhost")
        )
      )
    )
    const listed = (tag: "SignatureAlgorithms" | "SignatureAlgorithmsCert") =>
      Extension.find(hello.extensions, tag)?.schemes.map(SignatureScheme.name)
    return [listed("SignatureAlgorithms"), listed("SignatureAlgorithmsCert")] as const
  }

  it("stands last in what is offered, wherever it is said (RFC 9846 §4.2.3)", async () => {
    const [offered, forCertificates] = await schemesOf({ policy: "legacy" })
    assert.deepStrictEqual(offered?.slice(-2), ["rsa_pkcs1_sha1", "ecdsa_sha1"])
    assert.isUndefined(forCertificates)
    assert.notInclude((await schemesOf({ policy: "compatible" }))[0] ?? [], "rsa_pkcs1_sha1")
    assert.deepStrictEqual(
      await schemesOf({
        signatureSchemes: ["ecdsa_sha1", "ed25519"],
        certificateSignatureSchemes: ["rsa_pkcs1_sha1", "rsa_pkcs1_sha256", "ecdsa_sha1", "ed448"]
      }),
      [
        ["ed25519", "rsa_pkcs1_sha256", "ecdsa_sha1", "rsa_pkcs1_sha1"],
        ["rsa_pkcs1_sha256", "ed448", "rsa_pkcs1_sha1", "ecdsa_sha1"]
      ]
    )
  })

  it("never signs a handshake, not even by name", async () => {
    for (const scheme of ["rsa_pkcs1_sha1", "ecdsa_sha1"] as const) {
      const error = await refusal({ protocol: { policy: "legacy", signatureSchemes: [scheme] } })
      assert.strictEqual(
        error.message,
        "protocol.signatureSchemes: PKCS#1 v1.5 and SHA-1 sign certificates only: TLS 1.3 needs another scheme for the handshake"
      )
    }
    for (const kind of kinds) {
      const { schemes } = chain(kind).leaf.privateKey
      assert.isNotEmpty(schemes)
      assert.isEmpty(schemes.filter((code) => SignatureScheme.isSha1(SignatureScheme.info(code)!)))
    }
  })

  it("is shown only where there is no other chain as good, whatever their order (RFC 9846 §4.2.3)", () => {
    const all = SignatureScheme.registry.map(({ code }) => code)
    const choose = (order: ReadonlyArray<Kind>, certificates: ReadonlyArray<SignatureScheme.SignatureSchemeName>) =>
      Identities.choose(
        order.map((kind) => chain(kind).leaf.identity),
        SignatureScheme.registry,
        {
          signatureSchemes: all,
          certificateSignatureSchemes: certificates.map((name) => SignatureScheme.fromName(name)!.code),
          authorities: [],
          serverName: Option.none()
        }
      ).pipe((chosen) =>
        kinds.find((kind) => chosen._tag === "Some" && chosen.value.identity === chain(kind).leaf.identity)
      )
    const every = SignatureScheme.registry.map(({ name }) => name)
    const orders: ReadonlyArray<ReadonlyArray<Kind>> = [
      ["sha1", "good"],
      ["good", "sha1"],
      ["ecdsa-sha1", "good", "sha1"]
    ]
    for (const order of orders) {
      assert.strictEqual(choose(order, every), "good")
      assert.strictEqual(
        choose(order, ["ecdsa_sha1", "rsa_pkcs1_sha1"]),
        order.find((kind) => kind !== "good")
      )
    }
    assert.strictEqual(choose(["sha1"], every), "sha1")
  })
})
