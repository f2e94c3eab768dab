// A server that sends back what it receives. Usage: echo-server CERTIFICATE.pem KEY.pem [PORT]
import { readFile } from "node:fs/promises"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Redacted, Stream } from "effect"
import { Endpoint, SecureContext, TlsServer } from "effect-tls"
import { NodeTls } from "effect-tls/node"

const [certificateFile = "server.pem", keyFile = "server-key.pem", port = "8443"] = process.argv.slice(2)

const context = Effect.gen(function* () {
  const certificateChain = yield* Effect.promise(() => readFile(certificateFile))
  const privateKey = Redacted.make(yield* Effect.promise(() => readFile(keyFile, "utf8")))
  return yield* SecureContext.make({ identity: { certificateChain, privateKey }, protocol: { alpn: ["echo/1"] } })
})

const server = Layer.unwrapScoped(
  Effect.map(context, (secure) =>
    TlsServer.layer({
      endpoint: Endpoint.tcp("127.0.0.1", Number(port)),
      context: secure,
      handler: (connection) => Stream.run(connection.stream, connection.sink),
      onHandshakeFailure: ({ error }) => Console.log(`refused: ${error.message}`)
    })
  )
)

const announce = Layer.effectDiscard(
  Effect.flatMap(TlsServer.TlsServer, ({ address }) => Console.log(`listening on ${address.toString()}`))
)

// Layer.launch keeps the server up; SIGINT and SIGTERM close its Scope, which drains the connections.
Layer.launch(Layer.provideMerge(announce, server)).pipe(Effect.provide(NodeTls.layer), NodeRuntime.runMain)
