/** Our client and our server in a runtime with `node:net`, against `node:tls` in another process. */
import { Deferred, Effect, Option, Redacted } from "effect"
import { Endpoint, SecureContext, TlsClient, type TlsConnection, TlsServer } from "effect-tls"
import * as Conversation from "./conversation.ts"
import type { ConnectRequest, ConnectResult, PeerAddress } from "./peer.ts"
import { clientName, type PemIdentity, type Pki } from "./pki.ts"
import { check, expect, Mismatch } from "./report.ts"

type Options = Parameters<typeof SecureContext.make>[0]
type Info = TlsConnection.TlsConnection["info"]

export interface NetworkConfig {
  readonly peer: PeerAddress
  readonly pki: Pki
}

const identity = ({ certificateChain, privateKey }: PemIdentity) => ({
  certificateChain,
  privateKey: Redacted.make(privateKey)
})

const includes = (info: Info, expected: Partial<Info>) =>
  Effect.forEach(Object.entries(expected), ([field, value]) =>
    expect(field, info[field as keyof Info] as unknown, value as unknown)
  )

// ---------------------------------------------------------------------------------------------------------------------
// Our client
// ---------------------------------------------------------------------------------------------------------------------

interface ClientCase {
  readonly name: string
  readonly port: number
  readonly options?: Options
  readonly expected?: Partial<Info>
  readonly length?: number
}

const asClient = ({ peer, pki }: NetworkConfig) => {
  const trust = { anchors: pki.ca }
  const cases: ReadonlyArray<ClientCase> = [
    {
      name: "1 MiB both ways",
      port: peer.servers.plain,
      options: { trust, protocol: { alpn: ["http/1.1", "h2"] } },
      expected: { alpn: Option.some("h2"), helloRetryRequest: false },
      length: Conversation.mebibyte
    },
    { name: "a server with an RSA key", port: peer.servers.rsa },
    { name: "a client certificate", port: peer.servers.mutual, options: { trust, identity: identity(pki.client) } },
    {
      name: "HelloRetryRequest",
      port: peer.servers.p384,
      options: { trust, protocol: { groups: ["x25519", "secp384r1"], keyShares: ["x25519"] } },
      expected: { group: "secp384r1", helloRetryRequest: true }
    },
    ...(peer.servers.hybrid === undefined
      ? []
      : [
          {
            name: "X25519MLKEM768",
            port: peer.servers.hybrid,
            options: { trust, protocol: { groups: ["X25519MLKEM768"] } },
            expected: { group: "X25519MLKEM768" }
          } as const
        ])
  ]
  const open = (port: number, options: Options, serverName: string) =>
    Effect.flatMap(SecureContext.make(options), (context) =>
      TlsClient.connect(Endpoint.tcp("127.0.0.1", port), { context, serverName })
    )
  return [
    ...cases.map(({ expected = {}, length = 50_000, name, options = { trust }, port }) =>
      check(
        "client",
        name,
        Effect.gen(function* () {
          const connection = yield* open(port, options, "localhost")
          yield* includes(connection.info, expected)
          yield* Conversation.say(connection, length)
        })
      )
    ),
    check(
      "client",
      "a wrong name",
      Effect.flatMap(Effect.flip(open(peer.servers.plain, { trust }, "wrong.test")), (error) =>
        expect("the error", `${error._tag}/${error.reason}`, "CertificateError/NameMismatch")
      )
    ),
    check(
      "client",
      "a certificate the server wants and we do not have",
      Effect.gen(function* () {
        const connection = yield* open(peer.servers.mutual, { trust }, "localhost")
        const error = yield* Effect.flip(Conversation.readAll(connection))
        yield* expect("the error", `${error._tag}/${error.reason}`, "AlertError/certificate_required")
      })
    )
  ]
}

// ---------------------------------------------------------------------------------------------------------------------
// Our server
// ---------------------------------------------------------------------------------------------------------------------

const order = (peer: PeerAddress, request: ConnectRequest): Effect.Effect<ConnectResult> =>
  Effect.promise(async () => {
    const response = await fetch(`http://127.0.0.1:${peer.control}/`, {
      method: "POST",
      body: JSON.stringify(request)
    })
    return (await response.json()) as ConnectResult
  })

interface ServerCase {
  readonly name: string
  readonly options?: Options
  readonly request?: Partial<ConnectRequest>
  readonly expected?: Partial<Info>
  readonly peer?: string
}

const asServer = ({ peer, pki }: NetworkConfig) => {
  const own = { identity: identity(pki.server) }
  const asking = { ...own, trust: { anchors: pki.ca, clientAuthentication: "require" } } as const
  const cases: ReadonlyArray<ServerCase> = [
    {
      name: "1 MiB both ways",
      options: { ...own, protocol: { alpn: ["h2", "http/1.1"] } },
      request: { length: Conversation.mebibyte },
      expected: { alpn: Option.some("h2"), helloRetryRequest: false }
    },
    { name: "a client certificate", options: asking, request: { withCertificate: true }, peer: clientName },
    {
      name: "HelloRetryRequest",
      options: { ...own, protocol: { groups: ["secp384r1"] } },
      request: { ecdhCurve: "X25519:P-384" },
      expected: { group: "secp384r1", helloRetryRequest: true }
    },
    ...(peer.servers.hybrid === undefined
      ? []
      : [
          {
            name: "X25519MLKEM768",
            options: { ...own, protocol: { groups: ["X25519MLKEM768"] } },
            request: { ecdhCurve: "X25519MLKEM768" },
            expected: { group: "X25519MLKEM768" }
          } as const
        ])
  ]
  /** A server for one connection of the peer's. */
  const answer = (options: Options, request: Partial<ConnectRequest>) =>
    Effect.gen(function* () {
      const seen = yield* Deferred.make<Info, unknown>()
      const { address } = yield* TlsServer.serve({
        endpoint: Endpoint.tcp("127.0.0.1", 0),
        context: yield* SecureContext.make(options),
        handler: (connection) => Deferred.complete(seen, Effect.as(Conversation.echo(connection), connection.info)),
        onHandshakeFailure: ({ error }) => Deferred.fail(seen, error)
      })
      if (address._tag !== "TcpEndpoint") return yield* Effect.dieMessage(`listening at ${address.toString()}`)
      const result = yield* order(peer, { length: 50_000, withCertificate: false, ...request, port: address.port })
      return { result, seen: Deferred.await(seen) }
    })
  return [
    ...cases.map(({ expected = {}, name, options = own, peer: peerName, request = {} }) =>
      check(
        "server",
        name,
        Effect.gen(function* () {
          const { result, seen } = yield* answer(options, request)
          const info = yield* seen
          yield* includes(info, expected)
          if ("error" in result) return yield* Effect.fail(new Mismatch(`the peer: ${result.error}`))
          yield* expect("the peer's echo", result.echoed, true)
          yield* expect("the peer's protocol", result.protocol, "TLSv1.3")
          yield* expect("the peer's cipher", result.cipher, info.cipherSuite as string)
          yield* expect<unknown>(
            "the peer's ALPN",
            result.alpn,
            Option.getOrElse(info.alpn, () => false)
          )
          const peerIs = info.peer._tag === "Verified" ? info.peer.certificate.subject.toString() : undefined
          yield* expect("the client", peerIs, peerName === undefined ? undefined : `CN=${peerName}`)
        })
      )
    ),
    check(
      "server",
      "a client without the certificate we want",
      Effect.gen(function* () {
        const { result, seen } = yield* answer(asking, {})
        const error = yield* Effect.flip(seen)
        yield* expect("the error", (error as { readonly _tag: string })._tag, "CertificateError")
        yield* expect(
          "the peer's error",
          "error" in result ? result.error : "none",
          "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED"
        )
      })
    )
  ]
}

/** What default contexts agree on with the peer's defaults, in both roles. */
const defaults = ({ peer, pki }: NetworkConfig) =>
  Effect.scoped(
    Effect.gen(function* () {
      const context = yield* SecureContext.make({ trust: { anchors: pki.ca } })
      const endpoint = Endpoint.tcp("127.0.0.1", peer.servers.plain)
      const client = yield* TlsClient.connect(endpoint, { context, serverName: "localhost" })
      const seen = yield* Deferred.make<Info>()
      const { address } = yield* TlsServer.serve({
        endpoint: Endpoint.tcp("127.0.0.1", 0),
        context: yield* SecureContext.make({ identity: identity(pki.server) }),
        handler: (connection) => Effect.zipRight(Deferred.succeed(seen, connection.info), Conversation.echo(connection))
      })
      const port = address._tag === "TcpEndpoint" ? address.port : 0
      yield* order(peer, { length: 1, withCertificate: false, port })
      return { client: client.info.group, server: (yield* Deferred.await(seen)).group }
    })
  )

export const run = (config: NetworkConfig) =>
  Effect.gen(function* () {
    return {
      checks: yield* Effect.all([...asClient(config), ...asServer(config)]),
      defaults: yield* defaults(config)
    }
  })

export type NetworkReport = Effect.Effect.Success<ReturnType<typeof run>>
