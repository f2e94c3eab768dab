// A connection goes on with the session of the one before, as long as the verifier believes the server yet.
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Stream } from "effect"
import { CertificateBuilder, Endpoint, SecureContext, SessionCache, TicketKeys, TlsClient, TlsServer } from "effect-tls"
import { NodeTls } from "effect-tls/node"

const program = Effect.gen(function* () {
  const authority = yield* CertificateBuilder.authority({ subject: { CN: "Test CA" } })
  const { identity } = yield* CertificateBuilder.issue(authority, { names: ["localhost"] })

  const { address } = yield* TlsServer.serve({
    endpoint: Endpoint.tcp("127.0.0.1", 0),
    context: yield* SecureContext.make({ identity, sessions: { ticketKeys: yield* TicketKeys.make() } }),
    handler: ({ info, write }) => write(new TextEncoder().encode(info.resumed ? "welcome back" : "welcome"))
  })
  const context = yield* SecureContext.make({
    trust: { anchors: authority.certificate },
    sessions: { cache: yield* SessionCache.make() }
  })
  const visit = Effect.gen(function* () {
    const { info, stream } = yield* TlsClient.connect(address, { context, serverName: "localhost" })
    const greeting = yield* Stream.mkString(Stream.decodeText(stream))
    yield* Console.log(`${greeting}, says ${info.peerCertificates[0]?.subject} (${info.peer._tag})`)
  }).pipe(Effect.scoped)

  yield* visit
  yield* visit
}).pipe(Effect.scoped)

NodeRuntime.runMain(Effect.provide(program, NodeTls.layer))
