// A private PKI: a root, an intermediate, a server and a client; then the client's certificate is revoked, and refused.
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Stream } from "effect"
import { CertificateBuilder, CertificateRevocationListBuilder, Endpoint, SecureContext } from "effect-tls"
import { type CertificateRevocationList, TlsClient, type TlsConnection, TlsServer } from "effect-tls"
import { NodeTls } from "effect-tls/node"

const greet = ({ info, write }: TlsConnection.TlsConnection) =>
  info.peer._tag === "Verified"
    ? write(new TextEncoder().encode(`hello, ${info.peer.certificate.label}`))
    : Effect.dieMessage("a client certificate is required")

const program = Effect.gen(function* () {
  const root = yield* CertificateBuilder.authority({ subject: { CN: "Root" } })
  const issuing = yield* CertificateBuilder.issueAuthority(root, { subject: { CN: "Issuing" }, pathLength: 0 })
  const server = yield* CertificateBuilder.issue(issuing, { names: ["localhost"], purposes: ["serverAuth"] })
  const alice = yield* CertificateBuilder.issue(issuing, { subject: { CN: "Alice" }, purposes: ["clientAuth"] })

  const { revoke } = CertificateRevocationListBuilder
  const rootList = yield* revoke(root.identity, undefined, [])
  const list = yield* revoke(issuing.identity, undefined, [])

  const anchors = root.certificate
  const context = yield* SecureContext.make({ identity: alice.identity, trust: { anchors } })
  const visit = (current: CertificateRevocationList.CertificateRevocationList) =>
    Effect.gen(function* () {
      const revocation = { crls: [rootList, current] }
      const { address } = yield* TlsServer.serve({
        endpoint: Endpoint.tcp("127.0.0.1", 0),
        context: yield* SecureContext.make({
          identity: server.identity,
          trust: { anchors, clientAuthentication: "require", revocation }
        }),
        handler: greet,
        onHandshakeFailure: ({ error }) => Console.log(`the server refused: ${error.message}`)
      })
      const { stream } = yield* TlsClient.connect(address, { context, serverName: "localhost" })
      yield* Console.log(yield* Stream.mkString(Stream.decodeText(stream)))
    }).pipe(Effect.scoped)

  yield* visit(list)
  const next = yield* revoke(issuing.identity, list, [{ certificate: alice.certificate, reason: "keyCompromise" }])
  yield* Effect.catchTag(visit(next), "AlertError", (error) => Console.log(`Alice was refused: ${error.message}`))
}).pipe(Effect.scoped)

NodeRuntime.runMain(Effect.provide(program, NodeTls.layer))
