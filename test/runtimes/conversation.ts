/** Data both ways over an open connection, and a clean end from both sides. */
import { Chunk, Effect, Option, Stream } from "effect"
import type { TlsConnection } from "effect-tls"
import { expectBytes } from "./report.ts"

export const mebibyte = 1024 * 1024

/** Bytes without a pattern that a mistake could hide in, the same for the same length everywhere. */
export const sample = (length: number): Uint8Array => {
  const data = new Uint8Array(length)
  let state = length ^ 0x9e3779b9
  for (let i = 0; i < length; i++) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 1
    data[i] = state >>> 24
  }
  return data
}

export const join = (chunks: Iterable<Uint8Array>): Uint8Array => {
  const all = [...chunks]
  const joined = new Uint8Array(all.reduce((length, chunk) => length + chunk.length, 0))
  let at = 0
  for (const chunk of all) {
    joined.set(chunk, at)
    at += chunk.length
  }
  return joined
}

/** Everything up to `close_notify`. */
export const readAll = (connection: TlsConnection.TlsConnection) =>
  Effect.map(Stream.runCollect(connection.stream), join)

/** Reads until that many bytes are there. */
export const read = (connection: TlsConnection.TlsConnection, length: number) =>
  Effect.gen(function* () {
    const chunks: Array<Uint8Array> = []
    for (let missing = length; missing > 0;) {
      const batch = yield* Effect.catchAll(
        connection.pull,
        Option.match({ onNone: () => Effect.dieMessage(`ended ${missing} bytes early`), onSome: Effect.fail })
      )
      for (const chunk of batch) missing -= chunk.length
      chunks.push(...Chunk.toReadonlyArray(batch))
    }
    return join(chunks)
  })

/** Sends back what comes, until the peer ends; then ends. */
export const echo = (connection: TlsConnection.TlsConnection) =>
  Effect.zipRight(Stream.run(connection.stream, connection.sink), connection.end)

/** Sends bytes to a peer that sends them back, and ends; the peer's end has to be a clean one. */
export const say = (connection: TlsConnection.TlsConnection, length: number) =>
  Effect.gen(function* () {
    const sent = sample(length)
    const [received] = yield* Effect.all(
      [readAll(connection), Effect.zipRight(connection.write(sent), connection.end)],
      { concurrency: 2 }
    )
    yield* expectBytes("what came back", received, sent)
  })
