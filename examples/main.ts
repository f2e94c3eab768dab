// The main job, start to finish: a development CA, an Effect server and an Effect client over TCP, and each of them with
// Node's own TLS at the other end.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeNativeTls from "node:tls"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Option, Redacted, Stream } from "effect"
import { CertificateBuilder, Endpoint, SecureContext, TlsClient, type TlsConnection, TlsServer } from "effect-tls"
import { NodeTls } from "effect-tls/node"

const encode = (text: string) => new TextEncoder().encode(text)
const readAll = ({ stream }: TlsConnection.TlsConnection) => Stream.mkString(Stream.decodeText(stream))
const alpn = ["demo/1"] as const

/** A CA, and a certificate for localhost by it, as PEM files in a folder that goes away with the Scope. */
const makeFiles = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "effect-tls-"))),
    (path) => Effect.promise(() => rm(path, { recursive: true }))
  )
  const ca = yield* CertificateBuilder.authority({ subject: { O: "effect-tls", CN: "Development CA" } })
  const names = ["localhost", "127.0.0.1"]
  const server = yield* CertificateBuilder.issue(ca, { names })
  const contents = {
    ca: CertificateBuilder.certificatePem(ca),
    certificate: CertificateBuilder.certificatePem(server),
    key: Redacted.value(Option.getOrThrow(CertificateBuilder.privateKeyPem(server)))
  }
  for (const [name, content] of Object.entries(contents)) {
    yield* Effect.promise(() => writeFile(join(folder, `${name}.pem`), content, { mode: 0o600 }))
  }
  yield* Console.log(`1. A development CA issued a certificate to ${names.join(" and ")}.`)
  return (name: keyof typeof contents) => Effect.promise(() => readFile(join(folder, `${name}.pem`), "utf8"))
})

const describe = ({ info }: TlsConnection.TlsConnection) =>
  `${info.version}, ${info.cipherSuite}, ${info.group}, ${info.signatureScheme}, ALPN ${Option.getOrElse(info.alpn, () => "none")}`

const program = Effect.gen(function* () {
  const file = yield* makeFiles
  const pem = { ca: yield* file("ca"), certificate: yield* file("certificate"), key: yield* file("key") }

  const serving = yield* SecureContext.make({
    identity: { certificateChain: pem.certificate, privateKey: Redacted.make(pem.key) },
    protocol: { alpn }
  })
  const { address } = yield* TlsServer.serve({
    endpoint: Endpoint.tcp("127.0.0.1", 0),
    context: serving,
    handler: (connection) =>
      Effect.flatMap(readAll(connection), (text) => connection.write(encode(`the server heard "${text}"`)))
  })
  yield* Console.log(`2. An Effect server listens on ${address.toString()}.`)

  const context = yield* SecureContext.make({ trust: { anchors: pem.ca }, protocol: { alpn } })
  const talk = (endpoint: Endpoint.Endpoint, text: string) =>
    Effect.gen(function* () {
      const connection = yield* TlsClient.connect(endpoint, { context, serverName: "localhost" })
      yield* Console.log(`   agreed on ${describe(connection)}`)
      yield* connection.write(encode(text))
      yield* connection.end
      yield* Console.log(`   sent "${text}", received: ${yield* readAll(connection)}`)
    }).pipe(Effect.scoped)

  yield* Console.log("3. An Effect client connects to it and verifies its certificate:")
  yield* talk(address, "hello from Effect")

  yield* Console.log("4. node:tls connects to the Effect server:")
  yield* nodeClient(address as Endpoint.TcpEndpoint, pem.ca)

  const port = yield* nodeServer(pem)
  yield* Console.log(`5. The Effect client connects to a node:tls server on port ${port}:`)
  yield* talk(Endpoint.tcp("127.0.0.1", port), "hello from Effect")

  yield* Console.log("6. A client that trusts only what the system trusts refuses the Effect server:")
  const error = yield* Effect.flip(Effect.scoped(TlsClient.connect(address, { serverName: "localhost" })))
  yield* Console.log(`   ${error._tag}: ${error.message}`)
  yield* Console.log(`   hint: ${error.hint}`)
}).pipe(Effect.scoped)

/** Node's own client: says hello, prints the answer. */
const nodeClient = ({ host, port }: Endpoint.TcpEndpoint, ca: string) =>
  Effect.async<void, Error>((resume) => {
    const socket = NodeNativeTls.connect({ host, port, ca, servername: "localhost", ALPNProtocols: [...alpn] }, () => {
      console.log(`   agreed on ${socket.getProtocol()}, ${socket.getCipher().name}, authorized: ${socket.authorized}`)
      socket.end("hello from node:tls")
    })
    socket.setEncoding("utf8")
    socket.on("data", (text) => console.log(`   sent "hello from node:tls", received: ${String(text)}`))
    socket.on("close", () => resume(Effect.void))
    socket.on("error", (error) => resume(Effect.fail(error)))
  })

/** Node's own server: answers what it heard. Gives its port. */
const nodeServer = (pem: { readonly certificate: string; readonly key: string }) =>
  Effect.acquireRelease(
    Effect.async<NodeNativeTls.Server>((resume) => {
      const options = { cert: pem.certificate, key: pem.key, ALPNProtocols: [...alpn], allowHalfOpen: true }
      const server = NodeNativeTls.createServer(options, (socket) => {
        let heard = ""
        socket.setEncoding("utf8")
        socket.on("data", (text) => (heard += String(text)))
        socket.on("end", () => socket.end(`node:tls heard "${heard}"`))
      })
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
  ).pipe(
    Effect.map((server) => {
      const address = server.address()
      return typeof address === "object" && address !== null ? address.port : 0
    })
  )

NodeRuntime.runMain(Effect.provide(program, NodeTls.layer))
