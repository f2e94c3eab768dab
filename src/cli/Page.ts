/**
 * The page of `serve --www`: an HTTP request is answered with what was negotiated.
 *
 * @since 0.1.0
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { CryptoProvider } from "../core/CryptoProvider.ts"
import type { TlsConnection } from "../core/TlsConnection.ts"
import { concat, toLatin1 } from "../schema/Bytes.ts"
import type { TlsError } from "../schema/TlsError.ts"
import * as Render from "./Render.ts"

/** A request's head that is longer than this is none that a browser would send. */
const headLimit = 16_384

/** The head of the request: up to its empty line, or what there was before the end. */
const readHead = (connection: TlsConnection): Effect.Effect<string, TlsError> => {
  const more = (head: string): Effect.Effect<string, TlsError> =>
    /\r?\n\r?\n/.test(head) || head.length > headLimit
      ? Effect.succeed(head)
      : Effect.matchEffect(connection.pull, {
          onFailure: Option.match({ onNone: () => Effect.succeed(head), onSome: Effect.fail }),
          onSuccess: (data) => more(head + toLatin1(concat(Chunk.toReadonlyArray(data))))
        })
  return more("")
}

const respond = (status: string, method: string | undefined, body: string): Uint8Array => {
  const bytes = new TextEncoder().encode(body)
  const head = [
    `HTTP/1.1 ${status}`,
    "Content-Type: text/plain; charset=utf-8",
    "X-Content-Type-Options: nosniff",
    `Content-Length: ${bytes.length}`,
    "Connection: close",
    "",
    ""
  ].join("\r\n")
  return concat([new TextEncoder().encode(head), ...(method === "HEAD" ? [] : [bytes])])
}

/**
 * Answers one request, whatever it asks for. The connection's owner closes it then.
 *
 * @since 0.1.0
 * @category handlers
 */
export const answer = (connection: TlsConnection): Effect.Effect<void, TlsError, CryptoProvider> =>
  Effect.gen(function* () {
    const head = yield* readHead(connection)
    const method = /^([A-Z]+) \S+ HTTP\/1\.[01]\r?\n/.exec(head)?.[1]
    if (head === "") return
    if (method === undefined) {
      return yield* connection.write(respond("400 Bad Request", undefined, "This server reads HTTP/1.1 only.\n"))
    }
    const { info, remoteAddress } = connection
    const lines = [
      "effect-tls",
      "",
      ...Render.negotiated(info),
      "",
      ...Render.peer(info, yield* CryptoProvider),
      "",
      `your address: ${Option.match(remoteAddress, { onNone: () => "unknown", onSome: String })}`
    ]
    yield* connection.write(respond("200 OK", method, `${lines.join("\n")}\n`))
  })
