/**
 * The other end of `webSockets.ts`: an HTTP server for a page and its script, and `node:tls` over WebSockets, as a
 * server at `/server` and as a client at `/client`.
 */
import { NodeSocketServer } from "@effect/platform-node"
import type { Socket } from "@effect/platform/Socket"
import { Effect, Option } from "effect"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { Duplex } from "node:stream"
import * as Tls from "node:tls"
import { sample } from "./conversation.ts"
import type { Pki } from "./pki.ts"
import { sentByClient } from "./webSockets.ts"

/** The socket as a stream of Node's, for `node:tls`. An empty message is the end of one direction. */
const overSocket = (socket: Socket) =>
  Effect.gen(function* () {
    const write = yield* socket.writer
    const send = (bytes: Uint8Array, done: (error?: Error) => void) =>
      Effect.runFork(Effect.match(write(bytes), { onFailure: done, onSuccess: () => done() }))
    const stream = new Duplex({
      read() {},
      write: (chunk: Buffer, _encoding, done) => void send(chunk, done),
      final: (done) => void send(new Uint8Array(0), done)
    })
    const arrived = (bytes: Uint8Array) => void stream.push(bytes.length === 0 ? null : bytes)
    return {
      stream,
      run: Effect.ensuring(
        socket.run(arrived),
        Effect.sync(() => stream.destroy())
      )
    }
  })

const asServer = (stream: Duplex, pki: Pki): void => {
  const { certificateChain: cert, privateKey: key } = pki.server
  const socket = new Tls.TLSSocket(stream, {
    isServer: true,
    secureContext: Tls.createSecureContext({ cert, key, minVersion: "TLSv1.3" })
  })
  // The other side tells what went wrong.
  socket.on("error", () => {})
  socket.pipe(socket)
}

const asClient = (stream: Duplex, pki: Pki): void => {
  const socket = Tls.connect({ socket: stream, ca: pki.ca, servername: "localhost", minVersion: "TLSv1.3" })
  const sent = Buffer.from(sample(sentByClient))
  let received = Buffer.alloc(0)
  socket.on("error", () => {})
  socket.on("secureConnect", () => socket.write(sent))
  socket.on("data", (chunk) => {
    received = Buffer.concat([received, chunk])
    if (received.length < sent.length) return
    if (received.equals(sent)) socket.end()
    else stream.destroy()
  })
}

export interface Relay {
  readonly port: number
}

export interface RelayOptions {
  readonly pki: Pki
  readonly answer?: Http.RequestListener
}

/** Listens on the loopback address as long as its Scope. */
export const make = ({ answer, pki }: RelayOptions) =>
  Effect.gen(function* () {
    const server = yield* Effect.acquireRelease(
      Effect.sync(() => Http.createServer(answer)),
      (http) =>
        Effect.async<void>((resume) => {
          http.close(() => resume(Effect.void))
          http.closeAllConnections()
        })
    )
    const listening = yield* Effect.fork(NodeSocketServer.makeWebSocket({ server }))
    yield* Effect.yieldNow()
    server.listen(0, "127.0.0.1")
    const { run } = yield* listening
    yield* Effect.forkScoped(
      run((socket) =>
        Effect.gen(function* () {
          const request = yield* Effect.serviceOption(NodeSocketServer.IncomingMessage)
          const path = Option.match(request, { onNone: () => undefined, onSome: ({ url }) => url })
          const { run: transfer, stream } = yield* overSocket(socket)
          if (path === "/server") asServer(stream, pki)
          else asClient(stream, pki)
          yield* Effect.ignore(transfer)
        }).pipe(Effect.scoped)
      )
    )
    return { port: (server.address() as AddressInfo).port } satisfies Relay as Relay
  })
