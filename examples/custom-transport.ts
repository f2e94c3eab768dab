// TLS over anything that carries bytes both ways: here a MessageChannel. The same few lines serve a WebSocket.
import { MessageChannel, type MessagePort } from "node:worker_threads"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Fiber, Option, Stream } from "effect"
import { CertificateBuilder, Inbox, SecureContext, TlsClient, TlsServer, type Transport } from "effect-tls"
import { NodeCrypto } from "effect-tls/node"

// A message is a chunk of bytes; null is the end of one direction.
const overPort = (port: MessagePort): Transport.Duplex => {
  const inbox = Inbox.unsafeMake()
  port.on("message", (message: Uint8Array | null) =>
    message === null ? inbox.unsafeEnd() : inbox.unsafeOffer(message)
  )
  const post = (message: Uint8Array | null) => Effect.sync(() => port.postMessage(message))
  return {
    pull: inbox.pull,
    write: post,
    end: (last) => Effect.zipRight(last === undefined ? Effect.void : post(last), post(null)),
    abort: Effect.sync(() => port.close()),
    localAddress: Option.none(),
    remoteAddress: Option.none()
  }
}

const program = Effect.gen(function* () {
  const { port1, port2 } = new MessageChannel()
  yield* Effect.addFinalizer(() => Effect.sync(() => port1.close()))
  const { certificate, identity } = yield* CertificateBuilder.selfSigned({ names: ["worker.test"] })

  const echo = TlsServer.over(overPort(port2), { context: yield* SecureContext.make({ identity }) }).pipe(
    Effect.flatMap(({ sink, stream }) => Stream.run(stream, sink)),
    Effect.scoped
  )
  const server = yield* Effect.fork(echo)
  const connection = yield* TlsClient.over(overPort(port1), {
    context: yield* SecureContext.make({ trust: { anchors: certificate } }),
    serverName: "worker.test"
  })
  yield* connection.write(new TextEncoder().encode("through a channel"))
  yield* connection.end
  yield* Console.log(yield* Stream.mkString(Stream.decodeText(connection.stream)))
  yield* Fiber.join(server)
}).pipe(Effect.scoped)

NodeRuntime.runMain(Effect.provide(program, NodeCrypto.layer))
