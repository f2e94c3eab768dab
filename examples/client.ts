// Says hello to a server and prints its answer. Usage: client HOST PORT [AUTHORITY.pem]
import { readFile } from "node:fs/promises"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Stream } from "effect"
import { Endpoint, SecureContext, TlsClient, TlsError } from "effect-tls"
import { NodeTls } from "effect-tls/node"

const [host = "localhost", port = "8443", authority] = process.argv.slice(2)

const program = Effect.gen(function* () {
  // Trust one authority, or without one what the system trusts.
  const trust = authority === undefined ? {} : { anchors: yield* Effect.promise(() => readFile(authority)) }
  const context = yield* SecureContext.make({ trust, protocol: { alpn: ["echo/1"] } })
  const connection = yield* TlsClient.connect(Endpoint.tcp(host, Number(port)), { context }).pipe(
    Effect.retry({ times: 2, while: TlsError.isTransient })
  )
  yield* Console.log(`${connection.info.version} ${connection.info.cipherSuite} ${connection.info.group}`)

  yield* connection.write(new TextEncoder().encode("hello\n"))
  yield* connection.end
  const answer = yield* connection.stream.pipe(Stream.decodeText(), Stream.mkString)
  yield* Console.log(`the server answered: ${answer.trim()}`)
}).pipe(
  Effect.scoped,
  // Every error knows why it happened and what may help.
  Effect.catchTag("CertificateError", (error) => Console.log(`${error.code}: ${error.message}\n${error.hint}`))
)

NodeRuntime.runMain(Effect.provide(program, NodeTls.layer))
