/** The same objects given to `node:tls` and to us, as client and as server, in all four pairs: what comes of them. */
import * as NodeCryptography from "node:crypto"
import * as Net from "node:net"
import * as Tls from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import type { SecureContext } from "../../src/core/SecureContext.ts"
import * as TlsServer from "../../src/core/TlsServer.ts"
import type { TlsConnection } from "../../src/core/TlsConnection.ts"
import { Transport } from "../../src/core/Transport.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import * as NodeSecureContext from "../../src/layers/NodeSecureContext.ts"
import * as NodeTransport from "../../src/layers/NodeTransport.ts"
import * as Endpoint from "../../src/schema/Endpoint.ts"
import type { TlsError } from "../../src/schema/TlsError.ts"
import * as NodeTls from "../interop/node-tls.ts"
import type { Made } from "../support/identities.ts"
import * as identities from "../support/identities.ts"

const live = Layer.mergeAll(
  NodeCrypto.layer,
  Layer.succeed(Transport, NodeTransport.make({ lingerTimeout: "20 millis" }))
)
type Services = CryptoProvider | Transport | Scope.Scope

const root = identities.makeSync({ ca: true, names: [], subject: "root" })
const issued = (name: string, wanted: Parameters<typeof identities.makeSync>[0] = {}) =>
  identities.makeSync({ issuer: root, names: [name], subject: name, ...wanted })
const server = issued("localhost")
const elsewhere = issued("elsewhere.example")
const ed = issued("localhost", { key: { _tag: "Ed25519" }, subject: "ed" })
const client = issued("client")
const stranger = identities.makeSync({ names: ["stranger"], subject: "stranger" })
const pair = ({ certificatePem, keyPem }: Made) => ({ cert: certificatePem, key: keyPem })

/** What both ends say of a connection, in the words of `node:tls`. */
interface Told {
  readonly cipher: string
  readonly alpn: string
  readonly server: string
  readonly client: string
}

const nothing = "none"
// Node gives an empty object for no certificate.
const nameOf = (certificate: { readonly subject?: { readonly CN?: string } }): string =>
  certificate.subject?.CN ?? nothing

const nodeTold = (tls: Tls.TLSSocket) => ({
  cipher: tls.getCipher().standardName,
  alpn: tls.alpnProtocol || nothing,
  peer: nameOf(tls.getPeerCertificate() as Parameters<typeof nameOf>[0])
})
const ourTold = ({ info }: TlsConnection) => ({
  cipher: info.cipherSuite as string,
  alpn: Option.getOrElse(info.alpn, () => nothing),
  peer: info.peerCertificates[0]?.subject.commonName ?? nothing
})

type Input = NodeSecureContext.Input
type Side = "node" | "ours"
type Outcome = ReturnType<typeof ourTold>

/** A server whose connections send a byte, and what it says of each. */
const serve = (
  side: Side,
  options: Tls.TlsOptions
): Effect.Effect<{ readonly port: number; readonly outcome: Effect.Effect<Outcome, unknown> }, TlsError, Services> =>
  Effect.gen(function* () {
    if (side === "node") {
      const { accepted, port } = yield* NodeTls.serve(options)
      const told = yield* Effect.forkScoped(
        Effect.flatMap(accepted, ({ tls, write }) => Effect.as(write("."), nodeTold(tls)))
      )
      return { port, outcome: Fiber.join(told) }
    }
    const outcomes = yield* Queue.unbounded<Effect.Effect<Outcome, TlsError>>()
    const { address } = yield* TlsServer.serve({
      endpoint: Endpoint.tcp("127.0.0.1", 0),
      context: yield* NodeSecureContext.fromNode(options),
      handler: (connection) =>
        Effect.gen(function* () {
          yield* Queue.offer(outcomes, Effect.succeed(ourTold(connection)))
          yield* connection.write(new Uint8Array([0x2e]))
          return yield* Effect.never
        }),
      onHandshakeFailure: ({ error }) => Effect.asVoid(Queue.offer(outcomes, Effect.fail(error))),
      drainTimeout: 0
    })
    return { port: (address as Endpoint.TcpEndpoint).port, outcome: Effect.flatten(Queue.take(outcomes)) }
  })

/** A client that has received the server's byte, so that both ends are content. */
const connect = (side: Side, port: number, options: Tls.ConnectionOptions): Effect.Effect<Outcome, unknown, Services> =>
  Effect.gen(function* () {
    if (side === "node") {
      const { received, secure, tls } = yield* NodeTls.connect(port, options)
      yield* secure
      yield* received(1)
      return nodeTold(tls)
    }
    const connection = yield* NodeSecureContext.connect({
      host: "127.0.0.1",
      servername: "localhost",
      ...options,
      port
    })
    yield* connection.pull
    return ourTold(connection)
  })

const both = (
  clientSide: Side,
  serverSide: Side,
  serverOptions: Tls.TlsOptions,
  clientOptions: Tls.ConnectionOptions
) =>
  Effect.gen(function* () {
    const { outcome, port } = yield* serve(serverSide, serverOptions)
    const seen = yield* connect(clientSide, port, clientOptions)
    const saw = yield* outcome
    assert.strictEqual(saw.cipher, seen.cipher)
    assert.strictEqual(saw.alpn, seen.alpn)
    return { cipher: seen.cipher, alpn: seen.alpn, server: seen.peer, client: saw.peer } satisfies Told
  }).pipe(Effect.scoped, Effect.provide(live))

const sides: ReadonlyArray<readonly [client: Side, server: Side]> = [
  ["node", "node"],
  ["node", "ours"],
  ["ours", "node"],
  ["ours", "ours"]
]

// ---------------------------------------------------------------------------------------------------------------------
// What comes of options
// ---------------------------------------------------------------------------------------------------------------------

interface Scenario {
  readonly server?: Tls.TlsOptions
  readonly client?: Tls.ConnectionOptions
  /** None where the handshake has to fail. */
  readonly told: Partial<Told> | undefined
}

const trusting: Tls.ConnectionOptions = { ca: root.certificatePem, minVersion: "TLSv1.3" }
const mutual: Tls.TlsOptions = { requestCert: true, ca: root.certificatePem }
const encrypted = NodeCryptography.createPrivateKey(server.keyPem)
  .export({ type: "pkcs8", format: "pem", cipher: "aes-128-cbc", passphrase: "pass" })
  .toString()

const scenarios: Readonly<Record<string, Scenario>> = {
  "a key, a certificate and a ca": { told: { server: "localhost", client: nothing, alpn: nothing } },
  buffers: {
    server: { key: Buffer.from(server.keyPem), cert: [Buffer.from(server.certificatePem)] },
    client: { ca: [Buffer.from(root.certificatePem)] },
    told: { server: "localhost" }
  },
  "an encrypted key in a list, with its own passphrase": {
    server: { key: [{ pem: encrypted, passphrase: "pass" }], cert: server.certificatePem, passphrase: "other" },
    told: { server: "localhost" }
  },
  "two chains, of which the client can verify one": {
    server: { key: [ed.keyPem, server.keyPem], cert: [server.certificatePem, ed.certificatePem] },
    client: { sigalgs: "ed25519:ECDSA+SHA256", ciphers: "TLS_AES_128_GCM_SHA256" },
    told: { cipher: "TLS_AES_128_GCM_SHA256" }
  },
  "an Ed25519 chain alone": {
    server: pair(ed),
    client: { sigalgs: "ECDSA+SHA256:ed25519" },
    told: { server: "ed" }
  },
  "signature algorithms that the server has no key for": {
    server: pair(ed),
    client: { sigalgs: "ECDSA+SHA256:rsa_pss_rsae_sha256" },
    told: undefined
  },
  "the client's cipher among others": {
    client: { ciphers: "HIGH:TLS_CHACHA20_POLY1305_SHA256:!aNULL:@STRENGTH" },
    told: { cipher: "TLS_CHACHA20_POLY1305_SHA256" }
  },
  "the server's order of ciphers": {
    server: { ciphers: "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256", honorCipherOrder: true },
    client: { ciphers: "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384" },
    told: { cipher: "TLS_AES_256_GCM_SHA384" }
  },
  "no cipher in common": {
    server: { ciphers: "TLS_AES_256_GCM_SHA384" },
    client: { ciphers: "TLS_AES_128_GCM_SHA256" },
    told: undefined
  },
  "a group in common": {
    server: { ecdhCurve: "P-521:P-384" },
    client: { ecdhCurve: "X25519:secp384r1" },
    told: { server: "localhost" }
  },
  "no group in common": { server: { ecdhCurve: "P-521" }, client: { ecdhCurve: "X25519" }, told: undefined },
  "application protocols": {
    server: { ALPNProtocols: ["h2", "http/1.1"] },
    client: { ALPNProtocols: ["http/1.1", "h2"] },
    told: { alpn: "h2" }
  },
  "application protocols in one buffer": {
    server: { ALPNProtocols: Buffer.from("\u0003foo\u0002h2") },
    client: { ALPNProtocols: ["h2"] },
    told: { alpn: "h2" }
  },
  "no application protocol in common": {
    server: { ALPNProtocols: ["h2"] },
    client: { ALPNProtocols: ["http/1.1"] },
    told: undefined
  },
  "an application protocol from a callback": {
    server: {
      ALPNCallback: ({ protocols, servername }: { protocols: Array<string>; servername: string }) =>
        servername === "localhost" ? protocols[1] : undefined
    },
    client: { ALPNProtocols: ["a", "b"] },
    told: { alpn: "b" }
  },
  "a callback that wants none of the protocols": {
    server: { ALPNCallback: () => undefined },
    client: { ALPNProtocols: ["a"] },
    told: undefined
  },
  "a client's certificate": { server: mutual, client: pair(client), told: { client: "client" } },
  "no client's certificate where one is required": { server: mutual, told: undefined },
  "a stranger's certificate": { server: mutual, client: pair(stranger), told: undefined },
  "a stranger's certificate where none need be right": {
    server: { ...mutual, rejectUnauthorized: false },
    client: pair(stranger),
    told: { client: "stranger" }
  },
  "no client's certificate where none need be": {
    server: { ...mutual, rejectUnauthorized: false },
    told: { client: nothing }
  },
  "an authority the client does not know": { client: { ca: stranger.certificatePem }, told: undefined },
  "nobody to trust": { client: { ca: [] }, told: undefined },
  "nobody to trust, and nobody rejected": {
    client: { ca: [], rejectUnauthorized: false },
    told: { server: "localhost" }
  },
  "a certificate for another server": { server: pair(elsewhere), told: undefined },
  "a certificate for another server, and a check that says it will do": {
    server: pair(elsewhere),
    client: { checkServerIdentity: () => undefined },
    told: { server: "elsewhere.example" }
  },
  "a check that refuses": {
    client: { checkServerIdentity: (hostname) => new Error(`not ${hostname}`) },
    told: undefined
  },
  "a check that is Node's own": {
    client: { checkServerIdentity: Tls.checkServerIdentity },
    told: { server: "localhost" }
  },
  "a check that is Node's own, of another server": {
    server: pair(elsewhere),
    client: { checkServerIdentity: Tls.checkServerIdentity },
    told: undefined
  },
  "a check of a certificate that is not trusted": {
    client: { ca: stranger.certificatePem, checkServerIdentity: () => undefined },
    told: undefined
  },
  "a leaf for an anchor": { server: pair(client), client: { ca: client.certificate.der as Buffer }, told: undefined }
}

describe.each(sides)("the same options: a client of %s, a server of %s", (clientSide, serverSide) => {
  for (const [name, scenario] of Object.entries(scenarios)) {
    it.live(`with ${name}`, () =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(
          both(
            clientSide,
            serverSide,
            { ...pair(server), minVersion: "TLSv1.3", ...scenario.server },
            { ...trusting, ...scenario.client }
          )
        )
        if (scenario.told === undefined) {
          assert.isTrue(Exit.isFailure(exit))
          if (Exit.isFailure(exit))
            assert.isTrue(Option.isSome(Cause.failureOption(exit.cause)), Cause.pretty(exit.cause))
        } else if (Exit.isFailure(exit)) {
          assert.fail(Cause.pretty(exit.cause))
        } else {
          assert.deepInclude(exit.value, scenario.told)
        }
      })
    )
  }
})

// ---------------------------------------------------------------------------------------------------------------------
// What callbacks are told, and what only we say
// ---------------------------------------------------------------------------------------------------------------------

const run = <A, E>(effect: Effect.Effect<A, E, Services>) => effect.pipe(Effect.scoped, Effect.provide(live))

describe("SNICallback", () => {
  const contextOf = (made: Made) => NodeSecureContext.fromNode(pair(made))
  /** Whom a client is shown that asks for a name. */
  const shown = (
    callback: (
      contexts: Readonly<Record<string, SecureContext>>
    ) => (name: string, done: (error: Error | null, context?: SecureContext | Tls.SecureContext) => void) => void,
    servername: string
  ) =>
    run(
      Effect.gen(function* () {
        const contexts = { elsewhere: yield* contextOf(elsewhere) }
        const options = { ...pair(server), SNICallback: callback(contexts) }
        const { port } = yield* serve("ours", options as Tls.TlsOptions)
        const { peer } = yield* connect("node", port, { ...trusting, servername, checkServerIdentity: () => undefined })
        return peer
      })
    )

  it.live("gives a context of ours by name", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const callback =
        ({ elsewhere: context }: Readonly<Record<string, SecureContext>>) =>
        (name: string, done: (error: Error | null, context?: SecureContext) => void) => {
          asked.push(name)
          setImmediate(() => done(null, name === "elsewhere.example" ? context : undefined))
        }
      assert.strictEqual(yield* shown(callback, "elsewhere.example"), "elsewhere.example")
      assert.strictEqual(yield* shown(callback, "unknown.example"), "localhost")
      assert.deepStrictEqual(asked, ["elsewhere.example", "unknown.example"])
    })
  )

  it.live("is not asked without a name", () =>
    Effect.gen(function* () {
      const never = (): never => assert.fail("asked")
      assert.strictEqual(yield* shown(() => never, ""), "localhost")
    })
  )

  it.live("ends the handshake with an error, and with a context whose keys nobody has", () =>
    Effect.gen(function* () {
      for (const error of [new Error("no such host"), null]) {
        const context = error === null ? Tls.createSecureContext(pair(elsewhere)) : undefined
        yield* Effect.flip(shown(() => (_, done) => done(error, context), "elsewhere.example"))
      }
    })
  )

  it.live("says in the server's error why a context will not do", () =>
    run(
      Effect.gen(function* () {
        const { outcome, port } = yield* serve("ours", {
          ...pair(server),
          SNICallback: (_, done) => done(null, Tls.createSecureContext(pair(elsewhere)))
        })
        yield* Effect.flip(connect("node", port, trusting))
        const error = (yield* Effect.flip(outcome)) as { readonly cause?: { readonly message?: string } }
        assert.strictEqual(
          error.cause?.message,
          "SNICallback: for localhost: a tls.SecureContext keeps its keys to itself, give one that `fromNode` made"
        )
      })
    )
  )

  it.live("gives a context that trusts others than the server does", () =>
    run(
      Effect.gen(function* () {
        const context = yield* NodeSecureContext.fromNode({ ...pair(elsewhere), ca: stranger.certificatePem })
        const { outcome, port } = yield* serve("ours", {
          ...pair(server),
          ...mutual,
          SNICallback: (name: string, done: (error: null, found?: SecureContext) => void) =>
            done(null, name === "elsewhere.example" ? context : undefined)
        } as unknown as Tls.TlsOptions)
        const options = { ...trusting, ...pair(stranger), servername: "elsewhere.example" }
        const { peer } = yield* connect("node", port, options)
        assert.strictEqual(peer, "elsewhere.example")
        assert.strictEqual((yield* outcome).peer, "stranger")
        yield* Effect.flip(connect("node", port, { ...options, servername: "localhost" }))
        assert.strictEqual(((yield* Effect.flip(outcome)) as TlsError)._tag, "CertificateError")
      })
    )
  )
})

describe("checkServerIdentity", () => {
  it.live("is told the name and the leaf with its issuers, as node:tls tells it", () =>
    Effect.gen(function* () {
      const told = (side: Side) =>
        run(
          Effect.gen(function* () {
            const calls: Array<unknown> = []
            const { port } = yield* serve("node", { ...pair(server), minVersion: "TLSv1.3" })
            yield* connect(side, port, {
              ...trusting,
              checkServerIdentity: (hostname, certificate) => {
                const { fingerprint256, issuerCertificate, subjectaltname } = certificate as Tls.DetailedPeerCertificate
                calls.push([hostname, subjectaltname, fingerprint256, issuerCertificate.fingerprint256])
                return undefined
              }
            })
            return calls
          })
        )
      const ours = yield* told("ours")
      assert.strictEqual(ours.length, 1)
      assert.deepStrictEqual(ours, yield* told("node"))
    })
  )

  it.live("has its words in the error", () =>
    run(
      Effect.gen(function* () {
        const { port } = yield* serve("node", pair(server))
        const error = (yield* Effect.flip(
          connect("ours", port, { ...trusting, checkServerIdentity: () => new Error("not pinned") })
        )) as TlsError
        assert.strictEqual(error._tag, "CertificateError")
        assert.include(error.message, "checkServerIdentity: not pinned")
      })
    )
  )
})

describe("what checkServerIdentity gives", () => {
  /** The error that a client fails with, if it does. */
  const refused = (gives: () => unknown) =>
    run(
      Effect.gen(function* () {
        const { port } = yield* serve("node", pair(server))
        const options = { ...trusting, checkServerIdentity: gives } as Tls.ConnectionOptions
        const exit = yield* Effect.exit(connect("ours", port, options))
        return Exit.match(exit, {
          onFailure: (cause) => (Option.getOrThrow(Cause.failureOption(cause)) as TlsError).message,
          onSuccess: () => "none"
        })
      })
    )

  it.live("refuses whenever it is true, as for Node", () =>
    Effect.gen(function* () {
      for (const said of [undefined, null, false, ""]) assert.strictEqual(yield* refused(() => said), "none")
      assert.include(yield* refused(() => true), "checkServerIdentity: it gave no Error")
      assert.include(yield* refused(() => ({ message: "hidden" })), "checkServerIdentity: it gave no Error")
    })
  )

  it.live("is not waited for, and a promise that fails does no harm", () =>
    Effect.gen(function* () {
      const promise = "checkServerIdentity: it gave a promise, and has to answer at once: a `Verifier` may wait"
      assert.include(yield* refused(() => Promise.resolve()), promise)
      assert.include(yield* refused(() => Promise.reject(new Error("nobody hears of it"))), promise)
    })
  )

  it.live("is an error of the handshake where it throws", () =>
    Effect.gen(function* () {
      const message = yield* refused(() => {
        throw new Error("thrown")
      })
      assert.include(message, "verif")
    })
  )
})

describe("rejectUnauthorized: false", () => {
  it.live("leaves it to the peer's identity whether anybody vouched", () =>
    run(
      Effect.gen(function* () {
        const { port } = yield* serve("node", pair(server))
        const to = { host: "127.0.0.1", servername: "localhost", port, rejectUnauthorized: false }
        const known = yield* NodeSecureContext.connect({ ...to, ca: root.certificatePem })
        const unknown = yield* NodeSecureContext.connect({ ...to, ca: [] })
        assert.strictEqual(known.info.peer._tag, "Verified")
        assert.strictEqual(unknown.info.peer._tag, "Unverified")
      })
    )
  )
})

describe("connect", () => {
  /** What a server of Node's is told by SNI. */
  const told = (options: (port: number) => NodeSecureContext.Input, name = "localhost") =>
    run(
      Effect.gen(function* () {
        const { accepted, port } = yield* NodeTls.serve({ ...pair(name === "localhost" ? server : elsewhere) })
        yield* NodeSecureContext.connect({ ...trusting, ...options(port) } as NodeSecureContext.Input)
        const { tls } = yield* accepted
        return (tls as Tls.TLSSocket & { readonly servername: unknown }).servername
      })
    )

  it.live("names the host to the server", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* told((port) => ({ host: "localhost", port })), "localhost")
      assert.strictEqual(yield* told((port) => ({ port })), "localhost")
      assert.strictEqual(yield* told((port) => ({ port: String(port) as unknown as number })), "localhost")
    })
  )

  it.live("names the servername instead, and verifies that", () =>
    Effect.gen(function* () {
      const to = (port: number) => ({ host: "127.0.0.1", port, servername: "elsewhere.example" })
      assert.strictEqual(yield* told(to, "elsewhere.example"), "elsewhere.example")
      const error = yield* Effect.flip(told(to))
      assert.strictEqual((error as TlsError)._tag, "CertificateError")
    })
  )

  it.live("names none with an empty servername, and verifies the host all the same", () =>
    Effect.gen(function* () {
      const to = (port: number) => ({ host: "localhost", port, servername: "" })
      assert.strictEqual(yield* told(to), false)
      const error = (yield* Effect.flip(told(to, "elsewhere.example"))) as TlsError
      assert.strictEqual(error._tag, "CertificateError")
      assert.include(error.message, "localhost")
    })
  )

  it.live("goes over a socket that is not yet connected", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        yield* told((port) => ({ socket: Net.connect(port, "127.0.0.1"), servername: "localhost" })),
        "localhost"
      )
      assert.strictEqual(
        yield* told((port) => ({ socket: Net.connect(port, "127.0.0.1"), host: "localhost" })),
        "localhost"
      )
    })
  )

  it.live("takes a context that was made before", () =>
    run(
      Effect.gen(function* () {
        const secureContext = yield* NodeSecureContext.fromNode({ ...trusting, ...pair(client) })
        const { accepted, port } = yield* NodeTls.serve({ ...pair(server), ...mutual })
        yield* NodeSecureContext.connect({ host: "localhost", port, secureContext })
        assert.strictEqual(nodeTold((yield* accepted).tls).peer, "client")
      })
    )
  )

  it.live("keeps to whom such a context trusts, whatever else is checked", () =>
    run(
      Effect.gen(function* () {
        const { accepted, port } = yield* NodeTls.serve(pair(server))
        const trusts = yield* NodeSecureContext.fromNode({ ca: root.certificatePem, allowPartialTrustChain: true })
        const trustsNot = yield* NodeSecureContext.fromNode({ ca: stranger.certificatePem })
        const to = { host: "localhost", port }
        const checkServerIdentity = () => undefined
        const connecting = (options: NodeSecureContext.Input) =>
          Effect.map(NodeSecureContext.connect({ ...to, ...options }), ({ info }) => info.peer._tag)
        assert.strictEqual(yield* connecting({ secureContext: trusts, checkServerIdentity } as Input), "Verified")
        assert.strictEqual(yield* connecting({ secureContext: trusts, servername: "" } as Input), "Verified")
        assert.strictEqual(yield* connecting({ secureContext: trusts, rejectUnauthorized: false } as Input), "Verified")
        assert.strictEqual(
          yield* connecting({ secureContext: trustsNot, rejectUnauthorized: false } as Input),
          "Unverified"
        )
        for (const options of [{ checkServerIdentity }, { servername: "" }, {}]) {
          const error = (yield* Effect.flip(connecting({ ...options, secureContext: trustsNot } as Input))) as TlsError
          assert.strictEqual(error._tag, "CertificateError")
        }
        yield* accepted
      })
    )
  )

  it.live("asks for the server's OCSP response", () =>
    run(
      Effect.gen(function* () {
        const asked: Array<boolean> = []
        const nodeServer = Tls.createServer(pair(server))
        nodeServer.on("OCSPRequest", (_certificate, _issuer, done: (error: null, response: Buffer) => void) => {
          asked.push(true)
          done(null, Buffer.from("not looked at"))
        })
        yield* Effect.acquireRelease(
          Effect.async<void>((resume) => void nodeServer.listen(0, "127.0.0.1", () => resume(Effect.void))),
          () => Effect.sync(() => nodeServer.close())
        )
        const { port } = nodeServer.address() as Net.AddressInfo
        const { info } = yield* NodeSecureContext.connect({
          ...trusting,
          host: "localhost",
          port,
          requestOCSP: true
        })
        assert.deepStrictEqual(asked, [true])
        assert.strictEqual(
          Option.match(info.peerStaple, { onNone: () => "none", onSome: (der) => Buffer.from(der).toString() }),
          "not looked at"
        )
      })
    )
  )
})
