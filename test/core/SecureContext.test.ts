/** Contexts: what is accepted, what is refused and with which words, what comes of them, what a provider lacks. */
import { generateKeyPairSync } from "node:crypto"
import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as CertificateBuilder from "../../src/core/CertificateBuilder.ts"
import type { CryptoProviderService } from "../../src/core/CryptoProvider.ts"
import { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import * as SecureContext from "../../src/core/SecureContext.ts"
import type { SecureContextOptions } from "../../src/core/SecureContextOptions.ts"
import * as TrustStore from "../../src/core/TrustStore.ts"
import * as Certificate from "../../src/schema/Certificate.ts"
import * as CipherSuite from "../../src/schema/CipherSuite.ts"
import * as Limits from "../../src/schema/Limits.ts"
import * as NamedGroup from "../../src/schema/NamedGroup.ts"
import * as Pem from "../../src/schema/Pem.ts"
import type { PrivateKeyInfo } from "../../src/schema/PrivateKeyInfo.ts"
import type { SignatureSchemeName } from "../../src/schema/SignatureScheme.ts"
import type { TlsConfigError } from "../../src/schema/TlsError.ts"
import * as harness from "../support/harness.ts"
import * as identities from "../support/identities.ts"
import { crypto } from "../support/identities.ts"

const { server } = identities
const other = identities.makeSync({ names: ["other.example"] })
const authority = identities.makeSync({ ca: true, names: [], subject: "authority" })
const issued = identities.makeSync({ issuer: authority, names: ["issued.example"] })
const rsa = await identities.rsa()

/** What comes of options that may be anything. */
const made = (options: unknown, provider: CryptoProviderService = crypto) =>
  SecureContext.make(options as SecureContextOptions).pipe(
    Effect.either,
    Effect.provideService(CryptoProvider, provider),
    Effect.scoped,
    Effect.runPromise
  )

const accepted = async (options: unknown, provider?: CryptoProviderService): Promise<SecureContext.SecureContext> =>
  Either.getOrThrowWith(await made(options, provider), (error) => new Error(error.message))

const refused = async (options: unknown, provider?: CryptoProviderService): Promise<TlsConfigError> =>
  Either.getOrThrowWith(Either.flip(await made(options, provider)), () => new Error("it was accepted"))

const resolved = (context: SecureContext.SecureContext, role: "client" | "server", provider = crypto) =>
  Either.getOrThrowWith(SecureContext.resolve(context, provider, role), (error) => new Error(error.message))

describe("what is accepted", () => {
  const der = issued.certificate.der
  const text = (content: string) => new TextEncoder().encode(content)
  const chains: Record<string, readonly [chain: unknown, length: number]> = {
    "PEM text": [issued.certificatePem, 2],
    "PEM text of one certificate": [Certificate.toPem(issued.certificate), 1],
    "the bytes of a PEM file": [text(issued.certificatePem), 2],
    "the bytes of a DER file": [der, 1],
    "a certificate": [issued.certificate, 1],
    certificates: [issued.chain, 2],
    "a list of all forms": [[der, authority.certificatePem], 2],
    "text around PEM": [`subject=x\n\n${issued.certificatePem}\nbye\n`, 2],
    "a chain with its root": [[issued.certificate, authority.certificate], 2]
  }
  for (const [what, [certificateChain, length]] of Object.entries(chains)) {
    it(`certificates: ${what}`, async () => {
      const context = await accepted({ identity: { certificateChain, privateKey: issued.keyPem } })
      assert.deepStrictEqual(
        context.identities.map((identity) => identity.certificateChain.length),
        [length]
      )
      assert.deepStrictEqual(context.identities[0]!.certificateChain[0].der, der)
    })
  }

  const keys: Record<string, unknown> = {
    "PEM text": server.keyPem,
    "redacted PEM text": Redacted.make(server.keyPem),
    "the bytes of a PEM file": text(server.keyPem),
    "the redacted bytes of a PEM file": Redacted.make(text(server.keyPem)),
    "the bytes of a DER file": server.pkcs8,
    "the redacted bytes of a DER file": Redacted.make(server.pkcs8),
    "a signer": server.privateKey
  }
  for (const [what, privateKey] of Object.entries(keys)) {
    it(`a key: ${what}`, async () => {
      const context = await accepted({ identity: { certificateChain: server.certificatePem, privateKey } })
      assert.lengthOf(context.identities, 1)
    })
  }

  it("one identity, several, none", async () => {
    assert.lengthOf((await accepted({ identity: server.options })).identities, 1)
    assert.lengthOf((await accepted({ identity: [server.options, other.options] })).identities, 2)
    assert.lengthOf((await accepted({ identity: [] })).identities, 0)
    assert.lengthOf((await accepted({})).identities, 0)
  })

  it("keys of RSA, too", async () => {
    const pss = await identities.rsaPss()
    const context = await accepted({ identity: [rsa.options, pss.options] })
    assert.deepStrictEqual(
      context.identities.map(({ privateKey }) => privateKey.publicKey._tag),
      ["Rsa", "RsaPss"]
    )
  })

  it("trust anchors in every form", async () => {
    const store = TrustStore.fromCertificates([authority.certificate])
    for (const anchors of [authority.certificatePem, authority.certificate, [authority.certificate.der], store]) {
      const context = await accepted({ trust: { anchors } })
      assert.deepStrictEqual(
        context.trust.anchors!.anchors.map(({ der: bytes }) => bytes),
        [authority.certificate.der]
      )
    }
  })

  it("durations as Effect takes them", async () => {
    for (const handshakeTimeout of ["5 seconds", 5000, Duration.seconds(5)] as const) {
      const { handshakeTimeout: read } = resolved(await accepted({ protocol: { handshakeTimeout } }), "client")
      assert.strictEqual(Duration.toMillis(read), 5000)
    }
  })

  it("limits one by one: the others keep their defaults", async () => {
    const context = await accepted({ protocol: { limits: { extensions: 7 } } })
    assert.deepStrictEqual(resolved(context, "client").limits, { ...Limits.defaults, extensions: 7 })
  })
})

// ---------------------------------------------------------------------------------------------------------------------

const secret = "hunter2-secret"

interface Refusal {
  readonly name: string
  readonly options: unknown
  readonly reason?: TlsConfigError["reason"]
  readonly path: string
  readonly message: string | RegExp
}

const expectation = "options: { protocol, identity, resolveIdentity, selectAlpn, ocspResponse, trust, sessions }"
const anIdentity = (privateKey: unknown, certificateChain: unknown = server.certificatePem) => ({
  identity: { certificateChain, privateKey }
})
const protocol = (name: string, options: object, path: string, message: string | RegExp): Refusal => ({
  name,
  options: { protocol: options },
  path: `protocol.${path}`,
  message
})

const refusals: ReadonlyArray<Refusal> = [
  ...[7, null, "x", [], () => 1].map((options): Refusal => ({
    name: `${inspect(options)} for options`,
    options,
    path: "",
    message: `expected ${expectation} (value hidden)`
  })),
  {
    name: "an unknown aspect",
    options: { protocl: {} },
    path: "protocl",
    message: 'is unexpected, did you mean "protocol"?'
  },
  {
    name: "an aspect of a quite different name",
    options: { cookies: {} },
    path: "cookies",
    message: /^is unexpected, expected: "protocol" \| "identity" \| "resolveIdentity"/
  },
  protocol("an unknown option", { cipherSuite: [] }, "cipherSuite", 'is unexpected, did you mean "cipherSuites"?'),
  {
    name: "an option of the wrong kind",
    options: { trust: secret },
    path: "trust",
    message:
      "expected an object: { anchors, verifier, revocation, requestStaple, partialChain, clientAuthentication, announceAuthorities }, found other text"
  },
  protocol("a list that is a text", { groups: secret }, "groups", "expected a list, found other text"),
  protocol("a number that is a text", { maxFragment: secret }, "maxFragment", "expected a number, found other text"),
  protocol(
    "a limit that is bytes",
    { limits: { extensions: new Uint8Array(1) } },
    "limits.extensions",
    "expected a number, found bytes"
  ),
  protocol(
    "an option that is said to be nothing",
    { middleboxCompatibility: undefined },
    "middleboxCompatibility",
    "expected true or false, found undefined: leave it out"
  ),
  {
    name: "another mode",
    options: { trust: { revocation: { mode: secret } } },
    path: "trust.revocation.mode",
    message: 'expected "hard-fail", "soft-fail" or "off", found other text'
  },
  {
    name: "a misspelled field of one of several identities",
    options: { identity: [server.options, { certificatChain: secret, privateKey: secret }] },
    path: "identity[1].certificatChain",
    message: 'is unexpected, did you mean "certificateChain"?'
  },
  protocol(
    "a misspelled suite",
    { cipherSuites: ["TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA265"] },
    "cipherSuites[1]",
    'unknown cipher suite "TLS_AES_128_GCM_SHA265", did you mean "TLS_AES_128_GCM_SHA256"?'
  ),
  protocol(
    "a suite that is no name",
    { cipherSuites: [0x1301] },
    "cipherSuites[0]",
    /^a cipher suite is a name, such as/
  ),
  protocol("no suites", { cipherSuites: [] }, "cipherSuites", "expected a list of at least one, found an empty list"),
  protocol("a group twice", { groups: ["x25519", "x25519"] }, "groups", "a group is listed twice"),
  protocol("a misspelled group", { groups: ["secp256k1"] }, "groups[0]", /did you mean "secp256r1"\?$/),
  protocol(
    "a key share of a group that is not listed",
    { groups: ["x25519"], keyShares: ["secp256r1"] },
    "keyShares",
    "secp256r1 must stand in `groups` too"
  ),
  protocol(
    "nothing but PKCS#1 v1.5",
    { signatureSchemes: ["rsa_pkcs1_sha256", "rsa_pkcs1_sha512"] },
    "signatureSchemes",
    "PKCS#1 v1.5 and SHA-1 sign certificates only: TLS 1.3 needs another scheme for the handshake"
  ),
  {
    name: "an RSA key, and no scheme that it signs with",
    options: { ...anIdentity(rsa.keyPem, rsa.certificatePem), protocol: { signatureSchemes: ["ed25519"] } },
    path: "protocol.signatureSchemes",
    message:
      'the key of "CN=localhost" (RSA 2048) signs with none of ed25519: ' +
      "it can rsa_pss_rsae_sha256, rsa_pss_rsae_sha384, rsa_pss_rsae_sha512"
  },
  {
    name: "one of two keys that signs with none of the schemes",
    options: {
      identity: [server.options, rsa.options],
      protocol: { signatureSchemes: ["ecdsa_secp256r1_sha256", "rsa_pkcs1_sha256"] }
    },
    path: "protocol.signatureSchemes",
    message:
      /^the key of "CN=localhost" \(RSA 2048\) signs with none of ecdsa_secp256r1_sha256, rsa_pkcs1_sha256: it can/
  },
  {
    name: "a key below the limit for those of peers",
    options: { identity: rsa.options, protocol: { limits: { rsaModulusMin: 3072 } } },
    path: "identity",
    message: 'the key of "CN=localhost" (RSA 2048) is too small: `protocol.limits.rsaModulusMin` is 3072'
  },
  protocol(
    "limits that contradict each other",
    { limits: { rsaModulusMin: 16_384 } },
    "limits.rsaModulusMin",
    "16384 bits at least and 8192 at most (`rsaModulusMax`) leave no RSA key"
  ),
  protocol("an older version", { versions: ["TLSv1.1"] }, "versions[0]", /^unknown version "TLSv1.1"/),
  protocol("an empty application protocol", { alpn: ["h2", ""] }, "alpn[1]", /1 to 255 bytes, found ""$/),
  protocol("a long application protocol", { alpn: ["x".repeat(256)] }, "alpn[0]", /1 to 255 bytes/),
  protocol("an application protocol that is no bytes", { alpn: ["日"] }, "alpn[0]", /1 to 255 bytes/),
  protocol("application protocols that are no list", { alpn: "h2" }, "alpn", /./),
  ...(
    [
      ["maxFragment", 63, "from 64 to 16384"],
      ["maxFragment", 16_385, "from 64 to 16384"],
      ["maxFragment", 100.5, "from 64 to 16384"],
      ["recordSizeLimit", 63, "from 64 to 16385"],
      ["recordSizeLimit", 16_386, "from 64 to 16385"],
      ["recordPadding", 0, "from 1 to 16384"]
    ] as const
  ).map(([option, value, range]) =>
    protocol(
      `${option} of ${value}`,
      { [option]: value },
      option,
      `${option} is a whole number ${range}, found ${value}`
    )
  ),
  protocol("a deadline that is none", { handshakeTimeout: "soon" }, "handshakeTimeout", /^expected a duration/),
  protocol("a deadline of zero", { handshakeTimeout: 0 }, "handshakeTimeout", "a duration of more than zero is needed"),
  protocol("a deadline in the past", { handshakeTimeout: -1 }, "handshakeTimeout", /more than zero/),
  protocol("a limit of zero", { limits: { extensions: 0 } }, "limits.extensions", /at least 1, found 0$/),
  protocol("a limit that is no number", { limits: { warnings: "4" } }, "limits.warnings", /./),
  protocol("too few records per key", { limits: { recordsPerKey: 3 } }, "limits.recordsPerKey", /at least 4, found 3$/),
  protocol("an unknown limit", { limits: { extension: 1 } }, "limits.extension", /^is unexpected/),
  {
    name: "a key without certificates",
    options: { identity: { privateKey: secret } },
    path: "identity.certificateChain",
    message: "is missing"
  },
  {
    name: "a key that is none",
    options: anIdentity(secret),
    reason: "InvalidPrivateKey",
    path: "identity.privateKey",
    message: "it holds no PEM block, a private key is needed"
  },
  {
    name: "a key that is none, redacted",
    options: anIdentity(Redacted.make(secret)),
    reason: "InvalidPrivateKey",
    path: "identity.privateKey",
    message: "it holds no PEM block, a private key is needed"
  },
  {
    name: "a key in an object",
    options: anIdentity({ key: server.keyPem }),
    path: "identity.privateKey",
    message: /^expected a private key: .*\(value hidden\)$/
  },
  {
    name: "a key whose PEM is cut off",
    options: anIdentity(server.keyPem.slice(0, 100)),
    reason: "InvalidPrivateKey",
    path: "identity.privateKey",
    message: /has no END line/
  },
  {
    name: "a key of nothing",
    options: anIdentity(Pem.format("PRIVATE KEY", new Uint8Array(3))),
    reason: "InvalidPrivateKey",
    path: "identity.privateKey",
    message: /./
  },
  {
    name: "a certificate for a key",
    options: anIdentity(server.certificatePem),
    reason: "InvalidPrivateKey",
    path: "identity.privateKey",
    message: /certificate/
  },
  {
    name: "a public key for a key",
    options: anIdentity(Pem.format("PUBLIC KEY", server.certificate.publicKey.spki)),
    reason: "InvalidPrivateKey",
    path: "identity.privateKey",
    message: /public key/
  },
  {
    name: "an encrypted key",
    options: anIdentity(
      generateKeyPairSync("ed25519").privateKey.export({
        type: "pkcs8",
        format: "pem",
        cipher: "aes-256-cbc",
        passphrase: secret
      })
    ),
    reason: "MissingPassphrase",
    path: "identity.privateKey",
    message: "the private key is encrypted (PBES2 with PBKDF2 and AES-256-CBC): it needs its passphrase"
  },
  {
    name: "a key for a certificate",
    options: anIdentity(server.keyPem, server.keyPem),
    reason: "InvalidCertificate",
    path: "identity.certificateChain",
    message: "it holds a private key, a certificate is needed"
  },
  {
    name: "text for a certificate",
    options: anIdentity(server.keyPem, secret),
    reason: "InvalidCertificate",
    path: "identity.certificateChain",
    message: "it holds no PEM block, a certificate is needed"
  },
  {
    name: "bytes that are no certificate",
    options: anIdentity(server.keyPem, [server.certificate.der, Uint8Array.of(0x30, 0)]),
    reason: "InvalidCertificate",
    path: "identity.certificateChain[1]",
    message: /./
  },
  {
    name: "no certificates",
    options: anIdentity(server.keyPem, []),
    path: "identity.certificateChain",
    message: /^expected certificates/
  },
  {
    name: "the key of another certificate",
    options: { identity: [server.options, { ...server.options, privateKey: other.options.privateKey }] },
    reason: "KeyMismatch",
    path: "identity[1].privateKey",
    message: 'the key (P-256) does not match the leaf certificate "CN=localhost" (P-256)'
  },
  {
    name: "a key of another kind than the certificate's",
    options: anIdentity(identities.makeSync({ key: { _tag: "Ed25519" } }).keyPem),
    reason: "KeyMismatch",
    path: "identity.privateKey",
    message: 'the key (Ed25519) does not match the leaf certificate "CN=localhost" (P-256)'
  },
  {
    name: "a chain upside down",
    options: anIdentity(issued.keyPem, [authority.certificate, issued.certificate]),
    reason: "InvalidCertificate",
    path: "identity.certificateChain[1]",
    message:
      '"CN=issued.example" did not issue the certificate before it, whose issuer is "CN=authority": ' +
      "the leaf comes first, then each one's issuer"
  },
  {
    name: "a chain with a stranger",
    options: anIdentity(issued.keyPem, [issued.certificate, other.certificate]),
    reason: "InvalidCertificate",
    path: "identity.certificateChain[1]",
    message: /^"CN=other.example" did not issue the certificate before it/
  },
  {
    name: "an option of node:tls in an identity",
    options: { identity: { ...server.options, secureProtocol: secret } },
    path: "identity.secureProtocol",
    message: /^is unexpected, expected: "certificateChain" | "privateKey" | "pkcs12"/
  },
  {
    name: "a PEM file for an identity",
    options: { identity: server.keyPem },
    path: "identity",
    message: "expected an identity: { certificateChain, privateKey } or { pkcs12 }, or a list of these (value hidden)"
  },
  {
    name: "a PEM file in a list of identities",
    options: { identity: [server.options, server.keyPem] },
    path: "identity[1]",
    message: "expected an identity: { certificateChain, privateKey } or { pkcs12 } (value hidden)"
  },
  {
    name: "a verifier that is none",
    options: { trust: { verifier: {} } },
    path: "trust.verifier",
    message: "expected a Verifier"
  },
  {
    name: "no trust anchors",
    options: { trust: { anchors: [] } },
    path: "trust.anchors",
    message: /^expected trust anchors/
  },
  {
    name: "text for trust anchors",
    options: { trust: { anchors: secret } },
    reason: "InvalidCertificate",
    path: "trust.anchors",
    message: "it holds no PEM block, a certificate is needed"
  },
  {
    name: "rejectUnauthorized",
    options: { trust: { rejectUnauthorized: false } },
    path: "trust.rejectUnauthorized",
    message: /^is unexpected/
  },
  {
    name: "clientAuthentication by another name",
    options: { trust: { clientAuthentication: "always" } },
    path: "trust.clientAuthentication",
    message: /none|request|require/
  },
  {
    name: "a resolver that is no function",
    options: { resolveIdentity: 7 },
    path: "resolveIdentity",
    message: /^expected a function/
  },
  {
    name: "a selector that is no function",
    options: { selectAlpn: "h2" },
    path: "selectAlpn",
    message: /^expected a function/
  }
]

describe("what is refused", () => {
  for (const { message, name, options, path, reason = "InvalidOptions" } of refusals) {
    it(`${name}: ${path}`, async () => {
      const error = await refused(options)
      const [issue] = error.issues
      assert.deepStrictEqual([error.reason, issue.path], [reason, path])
      if (typeof message === "string") assert.strictEqual(issue.message, message)
      else assert.match(issue.message, message)
      assert.include(error.message, issue.message)
    })
  }

  it("several things at once are all said", async () => {
    const { issues } = await refused({ protocol: { cipherSuites: ["x"], maxFragment: 1 }, trust: { verifier: 1 } })
    assert.deepStrictEqual(
      issues.map(({ path }) => path),
      ["protocol.cipherSuites[0]", "protocol.maxFragment", "trust.verifier"]
    )
  })

  it("nothing secret stands in an error, however it is printed", async () => {
    // What a key contains, in pieces long enough to be nothing else.
    const lines = [server, other, issued, authority].flatMap(({ keyPem }) => keyPem.split("\n").slice(1, -2))
    for (const { name, options } of refusals) {
      const error = await refused(options)
      const printed = [String(error), error.message, JSON.stringify(error), inspect(error, { depth: 50 }), error.stack]
      for (const text of printed) {
        assert.notInclude(text, secret, name)
        for (const line of lines) assert.notInclude(text, line.slice(0, 20), name)
      }
    }
  })

  it("nothing secret stands in a context, however it is printed", async () => {
    const context = await accepted({ identity: [server.options, { ...other.options, privateKey: other.pkcs8 }] })
    const [hex] = [Buffer.from(other.pkcs8).toString("hex").slice(60, 100)]
    for (const text of [JSON.stringify(context), inspect(context, { depth: 50, showHidden: true })]) {
      for (const { keyPem } of [server, other]) assert.notInclude(text, keyPem.split("\n")[1]!.slice(40))
      assert.notInclude(text.replace(/[\s,]|0x/g, ""), hex!)
    }
  })
})

// ---------------------------------------------------------------------------------------------------------------------

describe("isSecureContext", () => {
  it("knows a context from what only looks like one", async () => {
    assert.isTrue(SecureContext.isSecureContext(await accepted({})))
    for (const u of [{ protocol: {} }, null, undefined, "context", () => 1]) {
      assert.isFalse(SecureContext.isSecureContext(u))
    }
  })
})

// ---------------------------------------------------------------------------------------------------------------------

describe("resolving", () => {
  it("fills in what was not said, by what the provider can", async () => {
    const policy = resolved(await accepted({}), "client")
    assert.deepStrictEqual(
      policy.cipherSuites.map(({ name }) => name),
      ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
    )
    const native = crypto.capabilities.nativeGroups.has(NamedGroup.mlkem768)
    assert.deepStrictEqual(
      policy.groups.map(({ name }) => name),
      [...(native ? ["X25519MLKEM768"] : []), "x25519", "secp256r1", "secp384r1", "secp521r1", "x448"]
    )
    assert.strictEqual(Duration.toSeconds(policy.handshakeTimeout), 10)
    assert.strictEqual(policy.clientAuthentication, "none")
    assert.deepStrictEqual(policy.limits, Limits.defaults)
    assert.isTrue(policy.middleboxCompatibility)
  })

  it("is done once for a context and a provider", async () => {
    const context = await accepted({ identity: server.options })
    assert.strictEqual(resolved(context, "client"), resolved(context, "client"))
    assert.strictEqual(resolved(context, "server"), resolved(context, "server"))
    const another = { ...crypto }
    assert.notStrictEqual(resolved(context, "client", another), resolved(context, "client"))
  })

  it("trusts an intermediate authority's certificate when told to", async () => {
    const run = <A, E>(effect: Effect.Effect<A, E, CryptoProvider>) =>
      Effect.runSync(Effect.provideService(effect, CryptoProvider, crypto))
    const key = { _tag: "Ed25519" } as const
    const root = run(CertificateBuilder.authority({ subject: { CN: "Root" }, key }))
    const middle = run(CertificateBuilder.issueAuthority(root, { subject: { CN: "Middle" }, key }))
    const { certificate } = run(CertificateBuilder.issue(middle, { names: ["a.example"], key }))
    const reasonOf = async (trust: object) => {
      const anchors = CertificateBuilder.certificatePem(middle)
      const { limits, signatureSchemes, verifier } = resolved(
        await accepted({ trust: { anchors, ...trust } }),
        "client"
      )
      const verified = verifier.verify({
        role: "server",
        certificates: [certificate],
        serverName: Option.none(),
        signatureSchemes: signatureSchemes.map(({ code }) => code),
        limits
      })
      return run(Effect.match(verified, { onFailure: ({ reason }) => reason, onSuccess: ({ path }) => path.length }))
    }
    assert.strictEqual(await reasonOf({}), "PartialChain")
    assert.strictEqual(await reasonOf({ partialChain: false }), "PartialChain")
    assert.strictEqual(await reasonOf({ partialChain: true }), 2)
    const { issues } = await refused({ trust: { verifier: harness.verifier(), partialChain: true } })
    assert.strictEqual(issues[0].path, "trust.partialChain")
    assert.include(issues[0].message, "Verifier.webPki(store, { partialChain })")
  })

  it("key shares: the first group's; beside a hybrid its classical half; those that are said, in the groups' order", async () => {
    const shares = async (said: object) =>
      resolved(await accepted({ protocol: said }), "client").keyShares.map((code) => NamedGroup.name(code))
    assert.deepStrictEqual(await shares({ groups: ["secp384r1", "x25519"] }), ["secp384r1"])
    assert.deepStrictEqual(await shares({ groups: ["X25519MLKEM768", "secp256r1", "x25519"] }), [
      "X25519MLKEM768",
      "x25519"
    ])
    assert.deepStrictEqual(await shares({ groups: ["X25519MLKEM768", "secp256r1"] }), ["X25519MLKEM768"])
    assert.deepStrictEqual(
      await shares({ groups: ["x25519", "secp256r1", "secp384r1"], keyShares: ["secp384r1", "x25519"] }),
      ["x25519", "secp384r1"]
    )
  })

  it("of several identities that contexts bring together, one has to sign with a scheme of theirs", async () => {
    const both = await accepted({ identity: [server.options, rsa.options] })
    const problem = (signatureSchemes: readonly [SignatureSchemeName]) =>
      Either.match(SecureContext.resolve(SecureContext.withProtocol(both, { signatureSchemes }), crypto, "client"), {
        onLeft: ({ message }) => message,
        onRight: () => "none"
      })
    assert.strictEqual(problem(["ecdsa_secp256r1_sha256"]), "none")
    assert.strictEqual(problem(["rsa_pss_rsae_sha512"]), "none")
    assert.match(problem(["ed25519"]), /^protocol.signatureSchemes: the key of .* signs with none of ed25519: it can/)
  })

  it("a server needs an identity, or a way to find one", async () => {
    const problem = (context: SecureContext.SecureContext) =>
      Either.match(SecureContext.resolve(context, crypto, "server"), {
        onLeft: ({ issues }) => `${issues[0].path}: ${issues[0].message}`,
        onRight: () => "none"
      })
    assert.strictEqual(
      problem(await accepted({})),
      "identity: a server needs a certificate chain and its key, or `resolveIdentity`"
    )
    assert.strictEqual(problem(await accepted({ resolveIdentity: () => Effect.succeed([]) })), "none")
    assert.strictEqual(problem(await accepted({ identity: server.options })), "none")
    const asking = { identity: server.options, trust: { clientAuthentication: "request" } }
    assert.strictEqual(
      problem(await accepted(asking)),
      "trust.anchors: a server that asks for client certificates must say whom it trusts: set `anchors` or `verifier`"
    )
    assert.strictEqual(
      problem(await accepted({ ...asking, trust: { ...asking.trust, anchors: authority.certificatePem } })),
      "none"
    )
    assert.strictEqual(problem(SecureContext.withVerifier(await accepted(asking), harness.verifier())), "none")
  })

  it("authorities are told by servers, by clients when they want to, and not if they are too many", async () => {
    const told = async (trust: object, role: "client" | "server") =>
      resolved(await accepted({ identity: server.options, trust }), role).authorities.length
    const anchors = authority.certificatePem
    assert.deepStrictEqual([await told({ anchors }, "server"), await told({ anchors }, "client")], [1, 0])
    assert.strictEqual(await told({ anchors, announceAuthorities: false }, "server"), 0)
    assert.strictEqual(await told({ anchors, announceAuthorities: true }, "client"), 1)
    // Names of 16 KiB together are as much as a CertificateRequest takes.
    const many = Array.from({ length: 60 }, (_, i) =>
      identities.makeSync({ ca: true, names: [], subject: `authority ${i} ${"x".repeat(300)}` })
    ).map(({ certificate }) => certificate)
    assert.strictEqual(await told({ anchors: many.slice(20) }, "server"), 40)
    assert.strictEqual(await told({ anchors: many }, "server"), 0)
  })
})

describe("a provider that lacks something", () => {
  const capabilities = (less: Partial<CryptoProviderService["capabilities"]>): CryptoProviderService => ({
    ...crypto,
    name: "poor",
    capabilities: {
      hashes: crypto.capabilities.hashes,
      aeads: crypto.capabilities.aeads,
      groups: crypto.capabilities.groups,
      nativeGroups: crypto.capabilities.nativeGroups,
      verify: crypto.capabilities.verify,
      sign: crypto.capabilities.sign,
      cbcs: crypto.capabilities.cbcs,
      passwordKdfs: crypto.capabilities.passwordKdfs,
      ...less
    }
  })
  const noChaCha = capabilities({ aeads: new Set(["AES-128-GCM", "AES-256-GCM"] as const) })
  const noSha384 = capabilities({ hashes: new Set(["SHA-256"] as const) })
  const onlyX25519 = capabilities({ groups: new Set([NamedGroup.x25519]) })
  const noRsa = capabilities({ verify: (algorithm) => algorithm._tag === "Ecdsa" })

  it("is not asked for it by default", async () => {
    const context = await accepted({}, noChaCha)
    const names = (provider: CryptoProviderService) => ({
      suites: resolved(context, "client", provider).cipherSuites.map(({ name }) => name),
      groups: resolved(context, "client", provider).groups.map(({ name }) => name),
      schemes: resolved(context, "client", provider).signatureSchemes.length
    })
    assert.notInclude(names(noChaCha).suites, "TLS_CHACHA20_POLY1305_SHA256")
    assert.deepStrictEqual(names(noSha384).suites, ["TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"])
    assert.deepStrictEqual(names(onlyX25519).groups, ["x25519"])
    assert.strictEqual(names(noRsa).schemes, 3)
  })

  const rows: ReadonlyArray<
    readonly [provider: CryptoProviderService, options: object, path: string, message: string]
  > = [
    [
      noChaCha,
      { cipherSuites: ["TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"] },
      "protocol.cipherSuites",
      "the provider poor has no TLS_CHACHA20_POLY1305_SHA256"
    ],
    [
      noSha384,
      { cipherSuites: ["TLS_AES_256_GCM_SHA384"] },
      "protocol.cipherSuites",
      "the provider poor has no TLS_AES_256_GCM_SHA384"
    ],
    [
      onlyX25519,
      { groups: ["x25519", "secp256r1", "X25519MLKEM768"] },
      "protocol.groups",
      "the provider poor has no secp256r1, X25519MLKEM768"
    ],
    [
      noRsa,
      { signatureSchemes: ["ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256"] },
      "protocol.signatureSchemes",
      "the provider poor has no rsa_pss_rsae_sha256"
    ],
    [
      noRsa,
      { certificateSignatureSchemes: ["rsa_pkcs1_sha256"] },
      "protocol.certificateSignatureSchemes",
      "the provider poor has no rsa_pkcs1_sha256"
    ]
  ]
  for (const [provider, said, path, message] of rows) {
    it(`is an error when it is asked for by name: ${path}, ${message}`, async () => {
      const error = await refused({ protocol: said }, provider)
      assert.deepStrictEqual(
        [error.reason, error.issues[0].path, error.issues[0].message],
        ["Unsupported", path, message]
      )
    })
  }

  it("is an error when it lacks everything there could be", async () => {
    const nothing: Record<string, CryptoProviderService> = {
      "protocol.cipherSuites": capabilities({ aeads: new Set() }),
      "protocol.groups": capabilities({ groups: new Set() }),
      "protocol.signatureSchemes": capabilities({ verify: () => false })
    }
    for (const [path, provider] of Object.entries(nothing)) {
      const error = await refused({}, provider)
      assert.deepStrictEqual([error.reason, error.issues[0].path], ["Unsupported", path])
    }
  })

  it("is an error when it cannot use the key", async () => {
    const cannotImport: CryptoProviderService = {
      ...crypto,
      name: "poor",
      importPrivateKey: (info) => Effect.map(crypto.importPrivateKey(info), (key) => ({ ...key, schemes: [] }))
    }
    const error = await refused({ identity: server.options }, cannotImport)
    assert.deepStrictEqual(
      [error.reason, error.message],
      ["Unsupported", "identity.privateKey: the provider poor cannot sign TLS 1.3 handshakes with this key (P-256)"]
    )
  })
})

describe("key bytes", () => {
  it("that were decoded are wiped when the Scope closes, and those of the caller stay", async () => {
    const decoded: Array<PrivateKeyInfo> = []
    const spying: CryptoProviderService = {
      ...crypto,
      importPrivateKey: (info) => {
        decoded.push(info)
        return crypto.importPrivateKey(info)
      }
    }
    const ours = [Uint8Array.from(server.pkcs8), Uint8Array.from(rsa.pkcs8)] as const
    const secretsOf = (info: PrivateKeyInfo) => [
      Redacted.value(info.pkcs8),
      ...("secret" in info ? [Redacted.value(info.secret)] : [])
    ]
    await Effect.gen(function* () {
      const scope = yield* Scope.make()
      yield* Scope.extend(
        SecureContext.make({
          identity: [
            { certificateChain: server.certificatePem, privateKey: ours[0] },
            { certificateChain: rsa.certificatePem, privateKey: ours[1] },
            other.options
          ]
        }),
        scope
      )
      assert.lengthOf(decoded, 3)
      for (const bytes of decoded.flatMap(secretsOf)) assert.isTrue(bytes.some((byte) => byte !== 0))
      yield* Scope.close(scope, Exit.void)
      for (const bytes of decoded.flatMap(secretsOf)) assert.isTrue(bytes.every((byte) => byte === 0))
    }).pipe(Effect.provideService(CryptoProvider, spying), Effect.runPromise)
    assert.deepStrictEqual([...ours], [server.pkcs8, rsa.pkcs8])
  })

  it("are wiped as well when the options are refused later on", async () => {
    const decoded: Array<PrivateKeyInfo> = []
    const spying: CryptoProviderService = {
      ...crypto,
      importPrivateKey: (info) => {
        decoded.push(info)
        return crypto.importPrivateKey(info)
      }
    }
    await refused({ identity: [server.options, { ...server.options, privateKey: other.options.privateKey }] }, spying)
    assert.lengthOf(decoded, 2)
    for (const info of decoded) assert.isTrue(Redacted.value(info.pkcs8).every((byte) => byte === 0))
  })
})

describe("a registry's name", () => {
  it("is accepted for every suite and group, if the provider has it", async () => {
    const supported = CipherSuite.registry.filter(({ aead }) => crypto.capabilities.aeads.has(aead))
    await accepted({ protocol: { cipherSuites: supported.map(({ name }) => name) } })
    await accepted({ protocol: { groups: NamedGroup.registry.map(({ name }) => name) } })
  })
})
