// Both sides have certificates: the server knows who its client is before its handler runs.
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Stream } from "effect"
import { CertificateBuilder, Endpoint, SecureContext, TlsClient, type TlsConnection, TlsServer } from "effect-tls"
import { NodeTls } from "effect-tls/node"

const greet = ({ info, write }: TlsConnection.TlsConnection) => {
  const name = info.peer._tag === "Verified" ? info.peer.certificate.subject.toString() : "whoever you are"
  return write(new TextEncoder().encode(`hello, ${name}\n`))
}

const program = Effect.gen(function* () {
  const authority = yield* CertificateBuilder.authority({ subject: { CN: "Staff CA" } })
  const trust = { anchors: authority.certificate }
  const server = yield* CertificateBuilder.issue(authority, { names: ["localhost"] })
  const alice = yield* CertificateBuilder.issue(authority, { subject: { CN: "alice" }, purposes: ["clientAuth"] })

  const { address } = yield* TlsServer.serve({
    endpoint: Endpoint.tcp("127.0.0.1", 0),
    context: yield* SecureContext.make({
      identity: server.identity,
      trust: { ...trust, clientAuthentication: "require" }
    }),
    handler: greet,
    onHandshakeFailure: ({ error }) => Console.log(`the server refused: ${error.message}`)
  })
  const visit = (context: SecureContext.SecureContext) =>
    TlsClient.connect(address, { context, serverName: "localhost" }).pipe(
      Effect.flatMap(({ stream }) => Stream.mkString(Stream.decodeText(stream))),
      Effect.scoped
    )

  const anonymous = yield* SecureContext.make({ trust })
  yield* visit(anonymous).pipe(Effect.catchTag("AlertError", (error) => Console.log(`anonymous: ${error.message}`)))
  yield* Console.log(`alice: ${yield* visit(SecureContext.withIdentity(anonymous, alice.identity))}`)
}).pipe(Effect.scoped)

NodeRuntime.runMain(Effect.provide(program, NodeTls.layer))
