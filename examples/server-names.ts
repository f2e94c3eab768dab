// One server, two names: each has its own certificate, and one of them asks clients for theirs.
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Stream } from "effect"
import { CertificateBuilder, Endpoint, SecureContext, ServerNameSelection, TlsClient, TlsServer } from "effect-tls"
import { NodeTls } from "effect-tls/node"

const program = Effect.gen(function* () {
  const authority = yield* CertificateBuilder.authority({ subject: { CN: "Shop CA" } })
  const identityOf = (name: string) =>
    Effect.map(CertificateBuilder.issue(authority, { names: [name] }), ({ identity }) => identity)
  const trust = { anchors: authority.certificate }

  const shop = yield* SecureContext.make({ identity: yield* identityOf("*.shop.test") })
  const admin = yield* SecureContext.make({
    identity: yield* identityOf("admin.shop.test"),
    trust: { ...trust, clientAuthentication: "require" }
  })
  // What holds for every name; of names that fit, the last one wins.
  const all = yield* SecureContext.make({ protocol: { alpn: ["http/1.1"] } })
  const context = yield* ServerNameSelection.select(all, [
    ["*.shop.test", shop],
    ["admin.shop.test", admin]
  ])
  const { address } = yield* TlsServer.serve({
    endpoint: Endpoint.tcp("127.0.0.1", 0),
    context,
    handler: ({ write }) => write(new TextEncoder().encode("welcome"))
  })

  const client = yield* SecureContext.make({ trust })
  const visit = (serverName: string) =>
    TlsClient.connect(address, { context: client, serverName }).pipe(
      Effect.flatMap(({ info, stream }) =>
        Effect.map(
          Stream.mkString(Stream.decodeText(stream)),
          (said) => `${info.peerCertificates[0]?.subject}: ${said}`
        )
      ),
      Effect.catchTag("AlertError", (error) => Effect.succeed(`refused: ${error.message}`)),
      Effect.scoped
    )
  for (const name of ["www.shop.test", "admin.shop.test", "elsewhere.test"]) {
    yield* Console.log(`${name}: ${yield* visit(name)}`)
  }
}).pipe(Effect.scoped)

NodeRuntime.runMain(Effect.provide(program, NodeTls.layer))
