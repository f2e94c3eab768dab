/** Proofs and the effects of others within a handshake: keys, verifiers, resolvers, selectors, signers. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as TestClock from "effect/TestClock"
import { signedContent } from "../../src/core/Authentication.ts"
import type { Identity } from "../../src/core/Identity.ts"
import * as PrivateKey from "../../src/core/PrivateKey.ts"
import type { SecureContextOptions } from "../../src/core/SecureContextOptions.ts"
import type { TlsConnection } from "../../src/core/TlsConnection.ts"
import type { VerificationRequest, Verifier } from "../../src/core/Verifier.ts"
import type { SignatureSchemeName } from "../../src/schema/SignatureScheme.ts"
import * as SignatureScheme from "../../src/schema/SignatureScheme.ts"
import { CertificateError, HandshakeError } from "../../src/schema/TlsError.ts"
import type { CertificateReason, TlsError } from "../../src/schema/TlsError.ts"
import { change, flipped } from "../support/edits.ts"
import * as harness from "../support/harness.ts"
import type { Made } from "../support/identities.ts"
import * as identities from "../support/identities.ts"
import type { ScriptedPeer } from "../support/ScriptedPeer.ts"
import type { Edit } from "../support/scripts.ts"
import * as scripts from "../support/scripts.ts"

const p384 = identities.makeSync({ key: { _tag: "Ec", curve: "P-384" } })
const ed25519 = identities.makeSync({ key: { _tag: "Ed25519" } })
const stranger = identities.makeSync()
const scheme = (name: SignatureSchemeName) => SignatureScheme.fromName(name)!

/** A verifier that believes everybody and keeps what it was asked. */
const spy = () => {
  const requests: Array<VerificationRequest> = []
  const verifier = harness.verifier((request) => {
    requests.push(request)
    return Effect.succeed({ path: request.certificates, vouchedBy: "the spy" })
  })
  return { requests, verifier }
}

interface Side {
  readonly name: "client" | "server"
  /** What the side under test is called in the signature of its peer. */
  readonly peer: "server" | "client"
  /** Runs the side under test against a peer that shows that identity, to the end of both. */
  readonly play: (
    options: SecureContextOptions,
    verifier: Verifier,
    script: { readonly identity?: Made; readonly edit?: Edit }
  ) => Effect.Effect<{
    readonly exit: Exit.Exit<TlsConnection, TlsError>
    readonly error: string
    readonly alert: string
  }>
}

const sides: ReadonlyArray<Side> = [
  {
    name: "client",
    peer: "server",
    play: (options, verifier, script) =>
      Effect.gen(function* () {
        yield* TestClock.setTime(harness.now)
        const context = yield* harness.context(options, verifier)
        const {
          client,
          peer,
          script: server
        } = yield* harness.clientAgainst(context, (scripted) => scripts.playServer(scripted, script), {
          serverName: "localhost"
        })
        const exit = yield* harness.finish(client)
        yield* harness.finish(server)
        if (Exit.isFailure(exit)) yield* peer.ending
        const ending = harness.endingOf(yield* Fiber.await(server))
        return { exit, error: harness.labelOf(exit), alert: ending === "done" ? `alert ${peer.warnings[0]}` : ending }
      }).pipe(Effect.scoped, Effect.provide(harness.layer))
  },
  {
    name: "server",
    peer: "client",
    play: (options, verifier, script) =>
      Effect.gen(function* () {
        yield* TestClock.setTime(harness.now)
        const context = yield* harness.serverContext(
          { trust: { clientAuthentication: "require" }, ...options },
          verifier
        )
        const {
          peer,
          script: client,
          server
        } = yield* harness.serverAgainst(context, (scripted) =>
          scripts.playClient(scripted, { identity: identities.client, ...script })
        )
        const exit = yield* harness.finish(server)
        yield* harness.finish(client)
        if (Exit.isFailure(exit)) yield* peer.ending
        const ending = harness.endingOf(yield* Fiber.await(client))
        return { exit, error: harness.labelOf(exit), alert: ending === "done" ? `alert ${peer.warnings[0]}` : ending }
      }).pipe(Effect.scoped, Effect.provide(harness.layer))
  }
]

/** The CertificateVerify of a key over what `content` says. */
const signedBy =
  (made: Made, name: SignatureSchemeName, content: (peer: ScriptedPeer) => Uint8Array): Edit =>
  (message, peer) =>
    message._tag === "CertificateVerify"
      ? {
          _tag: "CertificateVerify",
          scheme: scheme(name).code,
          signature: Effect.runSync(made.privateKey.sign(scheme(name).algorithm, content(peer)))
        }
      : message

for (const { name, peer: signer, play } of sides) {
  const over = (peer: ScriptedPeer) => signedContent(signer, peer.transcript.digest())
  const illegal = { error: "HandshakeError/IllegalParameter/authentication", alert: "alert illegal_parameter" }
  const bad = { error: "HandshakeError/BadSignature/authentication", alert: "alert decrypt_error" }
  const labelled =
    (to: SignatureSchemeName): Edit =>
    (message) =>
      message._tag === "CertificateVerify" ? { ...message, scheme: scheme(to).code } : message
  const own = signer === "server" ? identities.server : identities.client

  describe(`a peer that the ${name} must not believe to own its key`, () => {
    const rows: ReadonlyArray<{
      readonly what: string
      readonly edit: Edit
      readonly identity?: Made
      readonly options?: SecureContextOptions
      readonly expected: { readonly error: string; readonly alert: string }
    }> = [
      {
        what: "a scheme that was not offered",
        edit: (message) => message,
        identity: ed25519,
        options: { protocol: { signatureSchemes: ["ecdsa_secp256r1_sha256"] } },
        expected: illegal
      },
      {
        what: "a scheme that was offered for certificates only",
        edit: (message) => message,
        identity: ed25519,
        options: {
          protocol: {
            signatureSchemes: ["ecdsa_secp256r1_sha256"],
            certificateSignatureSchemes: ["ecdsa_secp256r1_sha256", "ed25519"]
          }
        },
        expected: illegal
      },
      { what: "PKCS#1 v1.5", edit: labelled("rsa_pkcs1_sha256"), expected: illegal },
      {
        what: "SHA-1",
        edit: change("CertificateVerify", (m) => ({ ...m, scheme: SignatureScheme.make(0x0203) })),
        expected: illegal
      },
      {
        what: "a scheme that nobody knows",
        edit: change("CertificateVerify", (m) => ({ ...m, scheme: SignatureScheme.make(0x1a1a) })),
        expected: illegal
      },
      { what: "ECDSA on another curve than its key's", edit: labelled("ecdsa_secp384r1_sha384"), expected: illegal },
      {
        what: "ECDSA on P-256 with a key on P-384",
        edit: labelled("ecdsa_secp256r1_sha256"),
        identity: p384,
        expected: illegal
      },
      { what: "Ed25519 with an EC key", edit: labelled("ed25519"), expected: illegal },
      { what: "RSA-PSS with an EC key", edit: labelled("rsa_pss_rsae_sha256"), expected: illegal },
      { what: "another key's signature", edit: signedBy(stranger, "ecdsa_secp256r1_sha256", over), expected: bad },
      {
        what: "a signature over another handshake",
        edit: signedBy(own, "ecdsa_secp256r1_sha256", () =>
          signedContent(signer, new Uint8Array(32) as ReturnType<ScriptedPeer["transcript"]["digest"]>)
        ),
        expected: bad
      },
      {
        what: "a signature in the other role",
        edit: signedBy(own, "ecdsa_secp256r1_sha256", (peer) =>
          signedContent(signer === "server" ? "client" : "server", peer.transcript.digest())
        ),
        expected: bad
      },
      {
        what: "a signature over the bare transcript",
        edit: signedBy(own, "ecdsa_secp256r1_sha256", (peer) => peer.transcript.digest()),
        expected: bad
      },
      {
        what: "a signature with a bit flipped",
        edit: change("CertificateVerify", (m) => ({ ...m, signature: flipped(m.signature, m.signature.length - 1) })),
        expected: bad
      },
      {
        what: "a signature that is no DER",
        edit: change("CertificateVerify", (m) => ({ ...m, signature: new Uint8Array(64).fill(1) })),
        expected: bad
      },
      {
        what: "a signature of zeros",
        edit: change("CertificateVerify", (m) => ({ ...m, signature: Uint8Array.of(0x30, 6, 2, 1, 0, 2, 1, 0) })),
        expected: bad
      },
      {
        what: "a signature with bytes behind it",
        edit: change("CertificateVerify", (m) => ({ ...m, signature: Uint8Array.of(...m.signature, 0) })),
        expected: bad
      },
      {
        what: "no signature",
        edit: change("CertificateVerify", (m) => ({ ...m, signature: new Uint8Array(0) })),
        expected: bad
      },
      {
        what: "a certificate with another's key",
        edit: change("Certificate", (m) => ({
          ...m,
          entries: [{ certificate: stranger.certificate.der, extensions: [] }]
        })),
        expected: bad
      }
    ]
    for (const { edit, expected, identity, options, what } of rows) {
      it.effect(what, () =>
        Effect.gen(function* () {
          const { requests, verifier } = spy()
          const { alert, error } = yield* play(options ?? {}, verifier, {
            edit,
            ...(identity === undefined ? {} : { identity })
          })
          assert.deepStrictEqual({ error, alert }, expected)
          // Who has not proven that it owns a key is nobody yet.
          assert.lengthOf(requests, 0)
        })
      )
    }
  })

  it.effect(`the ${name} asks its verifier once, with all there is to know, and records the answer`, () =>
    Effect.gen(function* () {
      const { requests, verifier } = spy()
      const issuer = identities.makeSync({ ca: true, names: [], subject: "issuer" })
      const shown = identities.makeSync({ issuer, names: ["localhost"] })
      const { exit } = yield* play({ protocol: { certificateSignatureSchemes: ["ed25519"] } }, verifier, {
        identity: shown
      })
      assert(Exit.isSuccess(exit), String(exit))
      const [request, ...more] = requests
      assert.lengthOf(more, 0)
      assert.strictEqual(request!.role, signer)
      assert.deepStrictEqual(
        request!.certificates.map(({ der }) => der),
        shown.chain.map(({ der }) => der)
      )
      assert.strictEqual(
        Option.getOrUndefined(Option.map(request!.serverName, String)),
        name === "client" ? "localhost" : undefined
      )
      assert.deepStrictEqual(request!.signatureSchemes, [scheme("ed25519").code])
      const { info } = exit.value
      assert(info.peer._tag === "Verified")
      assert.strictEqual(info.peer.vouchedBy, "the spy")
      assert.deepStrictEqual(info.peer.certificate.der, shown.certificate.der)
      assert.deepStrictEqual(info.peer.path, request!.certificates)
      assert.deepStrictEqual(info.peerCertificates, request!.certificates)
      const signedWith = name === "client" ? Option.some(info.signatureScheme) : info.clientSignatureScheme
      assert.deepStrictEqual(signedWith, Option.some("ecdsa_secp256r1_sha256"))
    })
  )

  it.effect(`the ${name} refuses who its verifier refuses, and says why`, () =>
    Effect.forEach(
      [
        ["UnknownIssuer", "unknown_ca"],
        ["Expired", "certificate_expired"],
        ["NameMismatch", "bad_certificate"],
        ["Revoked", "certificate_revoked"],
        ["ExtendedKeyUsage", "unsupported_certificate"],
        ["AccessDenied", "access_denied"],
        ["Rejected", "certificate_unknown"]
      ] satisfies ReadonlyArray<readonly [CertificateReason, string]>,
      ([reason, expected]) =>
        Effect.gen(function* () {
          const refusal = new CertificateError({ reason, message: "no", depth: 0, chain: [] })
          const { alert, exit } = yield* play(
            {},
            harness.verifier(() => Effect.fail(refusal)),
            {}
          )
          assert.strictEqual(harness.errorOf(exit), refusal)
          assert.strictEqual(alert, `alert ${expected}`)
        })
    )
  )
}

describe("who wants whose certificate", () => {
  const played = (clientAuthentication: "none" | "request" | "require", identity: Made | undefined) =>
    Effect.gen(function* () {
      const { requests, verifier } = spy()
      const context = yield* harness.serverContext({ trust: { clientAuthentication } }, verifier)
      const { script, server } = yield* harness.serverAgainst(context, (peer) =>
        scripts.playClient(peer, identity === undefined ? {} : { identity })
      )
      const exit = yield* harness.finish(server)
      const client = yield* harness.finish(script)
      return { exit, client, asked: requests.length }
    }).pipe(Effect.scoped, Effect.provide(harness.layer))

  it.effect("none: nobody is asked", () =>
    Effect.gen(function* () {
      const { asked, client, exit } = yield* played("none", identities.client)
      assert(Exit.isSuccess(exit) && Exit.isSuccess(client))
      assert.isUndefined(client.value.request)
      assert.deepStrictEqual(exit.value.info.peer, { _tag: "Anonymous" })
      assert.deepStrictEqual([exit.value.info.peerCertificates, asked], [[], 0])
    })
  )

  it.effect("request: who shows none is nobody, who shows one is verified", () =>
    Effect.gen(function* () {
      const anonymous = yield* played("request", undefined)
      assert(Exit.isSuccess(anonymous.exit))
      assert.deepStrictEqual(anonymous.exit.value.info.peer, { _tag: "Anonymous" })
      assert.deepStrictEqual(anonymous.exit.value.info.clientSignatureScheme, Option.none())
      assert.strictEqual(anonymous.asked, 0)
      const known = yield* played("request", identities.client)
      assert(Exit.isSuccess(known.exit))
      assert.strictEqual(known.exit.value.info.peer._tag, "Verified")
      assert.strictEqual(known.asked, 1)
    })
  )

  it.effect("require: who shows none is refused", () =>
    Effect.gen(function* () {
      const { asked, exit } = yield* played("require", undefined)
      assert.deepStrictEqual([harness.labelOf(exit), asked], ["CertificateError/NoCertificate/authentication", 0])
    })
  )

  it.effect("the server says what it can verify and whom it trusts, and the client answers with what fits", () =>
    Effect.gen(function* () {
      const authorityA = identities.makeSync({ ca: true, names: [], subject: "authority A" })
      const authorityB = identities.makeSync({ ca: true, names: [], subject: "authority B" })
      const a = identities.makeSync({ issuer: authorityA, names: ["a"] })
      const b = identities.makeSync({ issuer: authorityB, names: ["b"] })
      const shown = (identity: SecureContextOptions["identity"], anchors: Made) =>
        Effect.gen(function* () {
          const { client, server } = yield* harness.connected({
            client: yield* harness.context({ identity: identity! }),
            server: yield* harness.serverContext({
              trust: { clientAuthentication: "request", anchors: anchors.certificatePem }
            })
          })
          assert.deepStrictEqual(client.info.clientSignatureScheme, server.info.clientSignatureScheme)
          const { peer } = server.info
          return peer._tag === "Verified" ? peer.certificate.subject.toString() : "nobody"
        }).pipe(Effect.scoped, Effect.provide(harness.layer))
      assert.strictEqual(yield* shown([a.options, b.options], authorityA), "CN=a")
      assert.strictEqual(yield* shown([a.options, b.options], authorityB), "CN=b")
      assert.strictEqual(yield* shown([b.options, a.options], authorityB), "CN=b")
      assert.strictEqual(yield* shown([], authorityB), "nobody")
    })
  )

  it.effect("a client whose key can do nothing that the server wants shows nothing", () =>
    Effect.gen(function* () {
      const { client, server } = yield* harness.connected({
        client: yield* harness.context({ identity: ed25519.options }),
        server: yield* harness.serverContext({
          trust: { clientAuthentication: "request" },
          protocol: { signatureSchemes: ["ecdsa_secp256r1_sha256"] }
        })
      })
      assert.deepStrictEqual([client.info.clientSignatureScheme, server.info.peer._tag], [Option.none(), "Anonymous"])
    }).pipe(Effect.scoped, Effect.provide(harness.layer))
  )

  it.effect("a CertificateRequest names the schemes for certificates where they differ", () =>
    Effect.gen(function* () {
      const context = yield* harness.serverContext({
        trust: { clientAuthentication: "request", anchors: identities.client.certificatePem },
        protocol: { signatureSchemes: ["ecdsa_secp256r1_sha256", "ed25519"], certificateSignatureSchemes: ["ed25519"] }
      })
      const { script } = yield* harness.serverAgainst(context, (peer) => scripts.playClient(peer))
      const { request } = yield* Fiber.join(script)
      assert.deepStrictEqual(request!.extensions, [
        { _tag: "SignatureAlgorithms", schemes: [scheme("ecdsa_secp256r1_sha256").code, scheme("ed25519").code] },
        { _tag: "SignatureAlgorithmsCert", schemes: [scheme("ed25519").code] },
        { _tag: "CertificateAuthorities", authorities: [identities.client.certificate.subject.der] }
      ])
    }).pipe(Effect.scoped, Effect.provide(harness.layer))
  )

  it.effect("a scheme that only certificates may have is not offered for the handshake, but for PKCS#1 v1.5", () =>
    Effect.gen(function* () {
      const context = yield* harness.context({
        protocol: {
          signatureSchemes: ["ecdsa_secp256r1_sha256"],
          certificateSignatureSchemes: ["ecdsa_secp256r1_sha256", "ed25519", "rsa_pkcs1_sha256"]
        }
      })
      const { script } = yield* harness.clientAgainst(context, (peer) => scripts.playServer(peer))
      const { hello } = yield* Fiber.join(script)
      const codes = (...names: ReadonlyArray<SignatureSchemeName>) => names.map((name) => scheme(name).code)
      assert.deepStrictEqual(
        hello.extensions.filter(({ _tag }) => _tag === "SignatureAlgorithms" || _tag === "SignatureAlgorithmsCert"),
        [
          { _tag: "SignatureAlgorithms", schemes: codes("ecdsa_secp256r1_sha256", "rsa_pkcs1_sha256") },
          {
            _tag: "SignatureAlgorithmsCert",
            schemes: codes("ecdsa_secp256r1_sha256", "ed25519", "rsa_pkcs1_sha256")
          }
        ]
      )
    }).pipe(Effect.scoped, Effect.provide(harness.layer))
  )
})

// ---------------------------------------------------------------------------------------------------------------------
// Effects of others
// ---------------------------------------------------------------------------------------------------------------------

/** How an effect that is not ours may go wrong. */
type Misbehaviour = () => Effect.Effect<never>

const cause = new Error("the cause")

const withKey = (made: Made, sign: PrivateKey.PrivateKey["sign"]): Identity => ({
  certificateChain: made.chain,
  privateKey: PrivateKey.make({ ...made.privateKey, sign })
})

/** Each place where a handshake runs something of the user's, with an effect that goes wrong there. */
const places: ReadonlyArray<{
  readonly name: string
  readonly reason: "HookFailed" | "SigningFailed"
  readonly phase: "negotiation" | "authentication"
  readonly side: Side
  readonly options: (effect: Misbehaviour) => SecureContextOptions
  readonly verifier?: (effect: Misbehaviour) => Verifier
}> = [
  {
    name: "the identity resolver",
    reason: "HookFailed",
    phase: "negotiation",
    side: sides[1]!,
    options: (effect) => ({ resolveIdentity: () => effect() })
  },
  {
    name: "selectAlpn",
    reason: "HookFailed",
    phase: "negotiation",
    side: sides[1]!,
    options: (effect) => ({ selectAlpn: () => effect() })
  },
  {
    name: "the server's signer",
    reason: "SigningFailed",
    phase: "authentication",
    side: sides[1]!,
    options: (effect) => ({
      resolveIdentity: () => Effect.succeed([withKey(identities.server, () => effect())])
    })
  },
  {
    name: "the server's verifier",
    reason: "HookFailed",
    phase: "authentication",
    side: sides[1]!,
    options: () => ({}),
    verifier: (effect) => harness.verifier(() => effect())
  },
  {
    name: "the client's verifier",
    reason: "HookFailed",
    phase: "authentication",
    side: sides[0]!,
    options: () => ({}),
    verifier: (effect) => harness.verifier(() => effect())
  },
  {
    name: "the client's signer",
    reason: "SigningFailed",
    phase: "authentication",
    side: sides[0]!,
    options: (effect) => ({
      identity: {
        certificateChain: identities.client.certificatePem,
        privateKey: withKey(identities.client, () => effect()).privateKey
      }
    })
  }
]

const misbehaviours: Record<string, Misbehaviour> = {
  fails: () => Effect.fail(cause) as Effect.Effect<never>,
  dies: () => Effect.die(cause),
  "is interrupted by itself": () => Effect.interrupt,
  "throws before it is an effect": () => {
    throw cause
  },
  "is no effect": () => undefined as unknown as Effect.Effect<never>
}

const nonsense: Record<string, unknown> = {
  nothing: undefined,
  "a number": 7,
  "an empty object": {},
  null: null
}

for (const { name, options, phase, reason, side, verifier } of places) {
  const script = (request: boolean) => ({ request, extensions: [{ _tag: "ApplicationProtocols", protocols: ["h2"] }] })
  const run = (effect: Misbehaviour, more: SecureContextOptions["protocol"] = {}) =>
    side.play(
      { ...options(effect), protocol: { ...more } },
      verifier?.(effect) ?? harness.verifier(),
      script(true) as never
    )

  describe(`${side.name}: ${name}`, () => {
    for (const [how, effect] of Object.entries(misbehaviours)) {
      it.effect(`that ${how} ends the handshake with internal_error`, () =>
        Effect.gen(function* () {
          const { alert, error, exit } = yield* run(effect)
          assert.deepStrictEqual([error, alert], [`HandshakeError/${reason}/${phase}`, "alert internal_error"])
          const failure = harness.errorOf(exit)
          assert(failure instanceof HandshakeError)
          assert.strictEqual(failure.fault, "local")
          if (how === "is interrupted by itself" || how === "is no effect") assert.isDefined(failure.cause)
          else assert.strictEqual(failure.cause, cause)
        })
      )
    }

    for (const [what, value] of Object.entries(nonsense)) {
      it.effect(`that gives ${what} ends the handshake with internal_error`, () =>
        Effect.gen(function* () {
          const { alert, error, exit } = yield* run(() => Effect.succeed(value) as Effect.Effect<never>)
          assert.deepStrictEqual([error, alert], [`HandshakeError/${reason}/${phase}`, "alert internal_error"])
          assert.strictEqual((harness.errorOf(exit) as HandshakeError).fault, "local")
        })
      )
    }

    it.effect("that fails with an error of the protocol's ends the handshake with that", () =>
      Effect.gen(function* () {
        const refusal = new HandshakeError({ reason: "UnrecognizedName", message: "not here", phase })
        const { alert, exit } = yield* run(() => Effect.fail(refusal) as Effect.Effect<never>)
        assert.strictEqual(harness.errorOf(exit), refusal)
        assert.strictEqual(alert, "alert unrecognized_name")
      })
    )

    const slow: Record<string, (interrupted: Ref.Ref<boolean>) => Effect.Effect<never>> = {
      "that never ends is interrupted at the deadline": (interrupted) =>
        Effect.onInterrupt(Effect.never, () => Ref.set(interrupted, true)),
      "that cannot be interrupted does not hold the deadline up": (interrupted) =>
        Effect.uninterruptible(
          Effect.zipRight(Ref.set(interrupted, true), Effect.zipRight(Effect.sleep("1 hour"), Effect.never))
        ),
      "that is slow to be interrupted does not hold the deadline up": (interrupted) =>
        Effect.onInterrupt(Effect.never, () => Effect.zipRight(Ref.set(interrupted, true), Effect.sleep("1 hour")))
    }
    for (const [what, make] of Object.entries(slow)) {
      it.effect(what, () =>
        Effect.gen(function* () {
          const interrupted = yield* Ref.make(false)
          const running = yield* Effect.fork(run(() => make(interrupted), { handshakeTimeout: "5 seconds" }))
          // `run` itself lets a minute pass when nothing moves: the error says when it was.
          const exit = yield* Fiber.await(running)
          assert(Exit.isSuccess(exit), Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "")
          const { alert, error } = exit.value
          assert.deepStrictEqual([error, alert], [`TlsTimeoutError/Handshake/${phase}`, "alert user_canceled"])
          assert.isTrue(yield* Ref.get(interrupted))
        })
      )
    }
  })
}

describe("what selectAlpn is given and may give", () => {
  const selected = (offered: ReadonlyArray<string> | undefined, choice: Option.Option<string>) =>
    Effect.gen(function* () {
      const asked: Array<readonly [offered: ReadonlyArray<string>, hello: string, name: string]> = []
      const context = yield* harness.serverContext({
        protocol: { alpn: ["ignored"] },
        selectAlpn: (protocols, hello, name) => {
          asked.push([protocols, hello._tag, Option.match(name, { onNone: () => "none", onSome: String })])
          return Effect.succeed(choice)
        }
      })
      const { peer, script, server } = yield* harness.serverAgainst(context, (scripted) =>
        scripts.playClient(scripted, {
          serverName: "example.org",
          ...(offered === undefined ? {} : { extensions: [{ _tag: "ApplicationProtocols", protocols: offered }] })
        })
      )
      const exit = yield* harness.finish(server)
      const client = yield* harness.finish(script)
      const alert = Exit.isFailure(client) ? harness.endingOf(client) : "none"
      const alpn = Exit.isSuccess(exit) ? exit.value.info.alpn : Option.none()
      return { asked, error: harness.labelOf(exit), alert, alpn, peer }
    }).pipe(Effect.scoped, Effect.provide(harness.layer))

  it.effect("all that was offered, the hello, the name; one of the offered", () =>
    Effect.gen(function* () {
      const { alpn, asked } = yield* selected(["a", "b"], Option.some("b"))
      assert.deepStrictEqual(alpn, Option.some("b"))
      assert.deepStrictEqual(asked, [[["a", "b"], "ClientHello", "example.org"]])
    })
  )

  it.effect("nothing, where nothing was offered", () =>
    Effect.gen(function* () {
      const { alpn, asked, error } = yield* selected(undefined, Option.some("b"))
      assert.deepStrictEqual([error, alpn, asked], ["connected", Option.none(), []])
    })
  )

  it.effect("none, which refuses the client", () =>
    Effect.gen(function* () {
      const { alert, error } = yield* selected(["a", "b"], Option.none())
      assert.deepStrictEqual(
        [error, alert],
        ["HandshakeError/NoApplicationProtocol/negotiation", "alert no_application_protocol"]
      )
    })
  )

  it.effect("not what was not offered: that is a mistake of ours", () =>
    Effect.gen(function* () {
      for (const wrong of ["c", "A", ""]) {
        const { alert, error } = yield* selected(["a", "b"], Option.some(wrong))
        assert.deepStrictEqual([error, alert], ["HandshakeError/HookFailed/negotiation", "alert internal_error"])
      }
    })
  )
})
