/** Both roles over a WebSocket, against `node:tls` at its other end: see `relay.ts`. */
import { Effect, Redacted } from "effect"
import { SecureContext, TlsClient, TlsServer } from "effect-tls"
import * as Conversation from "./conversation.ts"
import * as Duplexes from "./duplexes.ts"
import type { Pki } from "./pki.ts"
import { check, expect } from "./report.ts"

export interface WebSocketConfig {
  /** As `ws://127.0.0.1:1234`. */
  readonly url: string
  readonly pki: Pki
}

/** How much the other end sends and wants back when it is the client. */
export const sentByClient = 100_000

export const run = ({ pki, url }: WebSocketConfig) =>
  Effect.gen(function* () {
    if (!Duplexes.hasWebSocket) return undefined
    return yield* Effect.all([
      check(
        "WebSocket",
        "our client",
        Effect.gen(function* () {
          const context = yield* SecureContext.make({ trust: { anchors: pki.ca } })
          const duplex = yield* Duplexes.webSocket(`${url}/server`)
          const connection = yield* TlsClient.over(duplex, { context, serverName: "localhost" })
          yield* Conversation.say(connection, 300_000)
        })
      ),
      check(
        "WebSocket",
        "our server",
        Effect.gen(function* () {
          const { certificateChain, privateKey } = pki.server
          const identity = { certificateChain, privateKey: Redacted.make(privateKey) }
          const context = yield* SecureContext.make({ identity })
          const connection = yield* TlsServer.over(yield* Duplexes.webSocket(`${url}/client`), { context })
          // It ends without close_notify unless all came back to it as it was.
          const received = yield* Conversation.read(connection, sentByClient)
          yield* connection.write(received)
          yield* expect("what follows", (yield* Conversation.readAll(connection)).length, 0)
          yield* connection.end
        })
      )
    ])
  })
