/** effect-tls as its users write it. */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { Endpoint, SecureContext, TlsClient, type TlsConnection, TlsServer } from "effect-tls"
import { NodeCrypto, NodeTransport } from "effect-tls/node"
import type { Implementation, Service, Setting } from "./Implementation.ts"
import { chunkLength, decodeRequest, encodeRequest, host, serverName } from "./Implementation.ts"

type Connection = TlsConnection.TlsConnection

/** Reads to the peer's end, or to so many bytes. */
const read = Effect.fnUntraced(function* (connection: Connection, bytes = Infinity) {
  const end = Option.match({ onNone: () => Effect.succeed(Chunk.empty<Uint8Array>()), onSome: Effect.fail })
  for (let received = 0; received < bytes;) {
    const batch = yield* Effect.catchAll(connection.pull, end)
    if (Chunk.isEmpty(batch)) break
    for (const part of batch) received += part.length
  }
})

/** `write` completes when there is room for more. */
const write = Effect.fnUntraced(function* (connection: Connection, bytes: number) {
  const chunk = new Uint8Array(chunkLength)
  for (let left = bytes; left > 0; left -= chunk.length) {
    yield* connection.write(left < chunk.length ? chunk.subarray(0, left) : chunk)
  }
})

const services: { readonly [S in Service]: (connection: Connection) => Effect.Effect<unknown, unknown> } = {
  close: (connection) => read(connection),
  sink: (connection) => Effect.zipRight(read(connection), connection.write(Uint8Array.of(1))),
  source: (connection) => Effect.flatMap(connection.pull, ([request]) => write(connection, decodeRequest(request!)))
}

const timed = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<number, E, R> =>
  Effect.suspend(() => {
    const began = performance.now()
    return Effect.map(effect, () => (performance.now() - began) / 1000)
  })

export const make = async ({ credentials, group, suite }: Setting): Promise<Implementation> => {
  const { runPromise } = ManagedRuntime.make(Layer.mergeAll(NodeCrypto.layer, NodeTransport.layer))
  // Until the process ends.
  const scope = await runPromise(Scope.make())

  const pins = { cipherSuites: [suite], groups: [group] } as const
  const server = await runPromise(
    SecureContext.make({
      identity: { certificateChain: credentials.certificate, privateKey: credentials.privateKey },
      protocol: pins
    }).pipe(Scope.extend(scope))
  )
  const client = await runPromise(
    SecureContext.make({ trust: { anchors: credentials.authority }, protocol: pins }).pipe(Scope.extend(scope))
  )
  const connect = (port: number) => TlsClient.connect(Endpoint.tcp(host, port), { context: client, serverName })

  return {
    serve: async (service) => {
      const options = { endpoint: Endpoint.tcp(host, 0), context: server, handler: services[service] }
      const { address } = await runPromise(Scope.extend(TlsServer.serve(options), scope))
      return (address as Endpoint.TcpEndpoint).port
    },

    negotiate: (port) =>
      Effect.map(connect(port), ({ info }) => ({
        version: info.version,
        suite: info.cipherSuite,
        resumed: info.resumed,
        verified: info.peer._tag === "Verified"
      })).pipe(Effect.scoped, runPromise),

    handshakes: (port, count, concurrency) =>
      runPromise(timed(Effect.replicateEffect(Effect.scoped(connect(port)), count, { concurrency, discard: true }))),

    send: (port, bytes) =>
      Effect.flatMap(connect(port), (connection) =>
        timed(Effect.zipRight(Effect.zipRight(write(connection, bytes), connection.end), read(connection, 1)))
      ).pipe(Effect.scoped, runPromise),

    receive: (port, bytes) =>
      Effect.flatMap(connect(port), (connection) =>
        timed(Effect.zipRight(connection.write(encodeRequest(bytes)), read(connection, bytes)))
      ).pipe(Effect.scoped, runPromise),

    hold: (port, count) =>
      runPromise(Effect.replicateEffect(Scope.extend(connect(port), scope), count, { concurrency: 20, discard: true }))
  }
}
