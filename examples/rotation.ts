// Certificates change while the server runs: it watches their files, and no connection ends for it. Usage: rotation FOLDER
import { FileSystem } from "@effect/platform"
import { NodeFileSystem, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Fiber, Layer, Option, Redacted, Stream } from "effect"
import { CertificateBuilder, ContextFiles, Endpoint, SecureContext, TlsClient, TlsServer } from "effect-tls"
import { NodeTls } from "effect-tls/node"

const [folder = "."] = process.argv.slice(2)
const files = { certificateChain: `${folder}/server.pem`, privateKey: `${folder}/server-key.pem` }

const program = Effect.gen(function* () {
  const fileSystem = yield* FileSystem.FileSystem
  const authority = yield* CertificateBuilder.authority({ subject: { CN: "Test CA" } })
  const renew = (name: string) =>
    Effect.gen(function* () {
      const issued = yield* CertificateBuilder.issue(authority, { subject: { CN: name }, names: ["localhost"] })
      yield* fileSystem.writeFileString(files.certificateChain, CertificateBuilder.certificatePem(issued))
      const key = Option.getOrThrow(CertificateBuilder.privateKeyPem(issued))
      yield* fileSystem.writeFileString(files.privateKey, Redacted.value(key), { mode: 0o600 })
    })

  yield* renew("the first")
  const context = yield* ContextFiles.watch({ identity: files })
  const { address } = yield* TlsServer.serve({
    endpoint: Endpoint.tcp("127.0.0.1", 0),
    context,
    handler: ({ sink, stream }) => Stream.run(stream, sink)
  })
  const client = yield* SecureContext.make({ trust: { anchors: authority.certificate } })
  const connect = TlsClient.connect(address, { context: client, serverName: "localhost" })

  const before = yield* connect
  const reloaded = yield* Effect.fork(Stream.runHead(Stream.filter(context.events, ({ _tag }) => _tag === "Reloaded")))
  yield* renew("the second")
  yield* Fiber.join(reloaded)
  const after = yield* connect
  yield* Console.log(
    `before: ${before.info.peerCertificates[0]?.subject}, after: ${after.info.peerCertificates[0]?.subject}`
  )

  yield* before.write(new TextEncoder().encode("still here"))
  yield* Console.log(
    `the first connection is ${yield* Stream.mkString(Stream.decodeText(Stream.take(before.stream, 1)))}`
  )
}).pipe(Effect.scoped)

NodeRuntime.runMain(Effect.provide(program, Layer.merge(NodeTls.layer, NodeFileSystem.layer)))
