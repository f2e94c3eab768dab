// Writes the secrets of its connection where Wireshark finds them. Usage: key-log FILE
import { readFile } from "node:fs/promises"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Stream } from "effect"
import { CertificateBuilder, Endpoint, SecureContext, TlsClient, TlsServer } from "effect-tls"
import { FileKeyLog, NodeTls } from "effect-tls/node"

const [file = "keys.log"] = process.argv.slice(2)

const program = Effect.gen(function* () {
  const { certificate, identity } = yield* CertificateBuilder.selfSigned({ names: ["localhost"] })
  const { address } = yield* TlsServer.serve({
    endpoint: Endpoint.tcp("127.0.0.1", 0),
    context: yield* SecureContext.make({ identity }),
    handler: ({ write }) => write(new TextEncoder().encode("look at me"))
  })
  const context = yield* SecureContext.make({ trust: { anchors: certificate } })

  // The observer is a layer: only what runs with it is logged. Whoever has the file can read this connection.
  yield* TlsClient.connect(address, { context, serverName: "localhost" }).pipe(
    Effect.flatMap(({ stream }) => Stream.runDrain(stream)),
    Effect.scoped,
    Effect.provide(FileKeyLog.layer(file))
  )
  const lines = (yield* Effect.promise(() => readFile(file, "utf8"))).trim().split("\n")
  yield* Effect.forEach(lines, (line) => Console.log(line.split(" ")[0]))
}).pipe(Effect.scoped)

NodeRuntime.runMain(Effect.provide(program, NodeTls.layer))
