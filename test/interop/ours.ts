/** Our side of an interoperability test, client or server, over real sockets. */
import { assert, it } from "@effect/vitest"
import { Clock, Deferred, Duration, Effect, Either, Layer, Queue, Redacted, type Scope } from "effect"
import {
  type CryptoProvider,
  Endpoint,
  HandshakeTrace,
  KeyLog,
  SecureContext,
  TlsClient,
  type TlsConnection,
  type TlsError,
  TlsServer,
  type Transport
} from "effect-tls"
import { NodeCrypto, NodeTransport } from "effect-tls/node"
import { createHash } from "node:crypto"
import { networkInterfaces } from "node:os"
import type { TestContext } from "vitest"
import type { Issued } from "./pki.ts"

type Options = Parameters<typeof SecureContext.make>[0]
export type Protocol = NonNullable<Options["protocol"]>
export type Services = CryptoProvider.CryptoProvider | Transport.Transport | Scope.Scope

const live = Layer.mergeAll(NodeCrypto.layer, NodeTransport.layer)

/** An identity as a SecureContext takes it. */
export const identity = ({ certificateChain, privateKey }: Issued) => ({
  certificateChain,
  privateKey: Redacted.make(privateKey)
})

/** A test with real sockets and real time, which has 10 seconds. */
export const test = <E>(name: string, body: (context: TestContext) => Effect.Effect<void, E, Services>): void =>
  it.scopedLive(name, (context) => Effect.provide(body(context), live), 10_000)

/** Connects to a port of this machine. The server is `localhost` unless it is said otherwise. */
export const connect = (
  to: number | Endpoint.Endpoint,
  options: Options,
  serverName = "localhost"
): Effect.Effect<TlsConnection.TlsConnection, TlsError.TlsError, Services> =>
  Effect.gen(function* () {
    const endpoint = typeof to === "number" ? Endpoint.tcp("127.0.0.1", to) : to
    return yield* TlsClient.connect(endpoint, { context: yield* SecureContext.make(options), serverName })
  })

/** A connection our server accepted. It is open until `close`, or the end of the test. */
export interface Accepted {
  readonly connection: TlsConnection.TlsConnection
  readonly close: Effect.Effect<void>
}

export interface OurServer {
  readonly address: Endpoint.Endpoint
  readonly port: number
  /** The next connection; fails with what its handshake failed with. */
  readonly accepted: Effect.Effect<Accepted, TlsError.TlsError>
  /** Why the next handshake failed. */
  readonly refused: Effect.Effect<TlsError.TlsError, Accepted>
}

export const serve = (
  options: Options,
  endpoint: Endpoint.Endpoint = Endpoint.tcp("127.0.0.1", 0)
): Effect.Effect<OurServer, TlsError.TlsError, Services> =>
  Effect.gen(function* () {
    const outcomes = yield* Queue.unbounded<Either.Either<Accepted, TlsError.TlsError>>()
    const { address } = yield* TlsServer.serve({
      endpoint,
      context: yield* SecureContext.make(options),
      handler: (connection) =>
        Effect.gen(function* () {
          const closed = yield* Deferred.make<void>()
          yield* Queue.offer(
            outcomes,
            Either.right({ connection, close: Effect.asVoid(Deferred.succeed(closed, undefined)) })
          )
          yield* Deferred.await(closed)
        }),
      onHandshakeFailure: ({ error }) => Effect.asVoid(Queue.offer(outcomes, Either.left(error))),
      drainTimeout: 0
    })
    return {
      address,
      port: address._tag === "TcpEndpoint" ? address.port : 0,
      accepted: Effect.flatten(Queue.take(outcomes)),
      refused: Effect.flip(Effect.flatten(Queue.take(outcomes)))
    }
  })

export const text = (data: Uint8Array): string => new TextDecoder().decode(data)
export const bytes = (line: string): Uint8Array => new TextEncoder().encode(line)

/**
 * Bytes without a pattern that a record layer could hide a mistake in, the same for the same length. All are over 127:
 * OpenSSL's programs take letters for commands, and what they say themselves is ASCII.
 */
export const sample = (length: number): Uint8Array => {
  const data = new Uint8Array(length)
  let state = length ^ 0x9e3779b9
  for (let i = 0; i < length; i++) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 1
    data[i] = (state >>> 24) | 0x80
  }
  return data
}

const sha256 = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex")

/** Compares by hash: a difference of megabytes is nothing to print. */
export const equals =
  (expected: Uint8Array) =>
  (actual: Uint8Array): void => {
    assert.strictEqual(actual.length, expected.length)
    assert.strictEqual(sha256(actual), sha256(expected))
  }

export const hasIpv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === "::1")
)

const join = (chunks: Iterable<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat([...chunks]))

/** Reads until that many bytes are there; more is an error of the test. */
export const read = (connection: TlsConnection.TlsConnection, length: number) =>
  Effect.gen(function* () {
    const chunks: Array<Uint8Array> = []
    let missing = length
    while (missing > 0) {
      for (const chunk of yield* connection.pull) {
        chunks.push(chunk)
        missing -= chunk.length
      }
    }
    return join(chunks)
  })

/** Reads to the end: all the data, and how it ended (`None` is close_notify). */
export const readAll = (connection: TlsConnection.TlsConnection) =>
  Effect.gen(function* () {
    const chunks: Array<Uint8Array> = []
    while (true) {
      const next = yield* Effect.either(connection.pull)
      if (Either.isLeft(next)) return { data: join(chunks), end: next.left }
      chunks.push(...next.right)
    }
  })

/** Reads until the data matches. */
export const readUntil = (connection: TlsConnection.TlsConnection, pattern: RegExp) =>
  Effect.gen(function* () {
    let seen = ""
    while (!pattern.test(seen)) seen += text(join(yield* connection.pull))
    return seen
  })

/** Everything a handshake does, event by event. */
export const traced = <A, E, R>(
  effect: (events: ReadonlyArray<HandshakeTrace.TraceEvent>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const events: Array<HandshakeTrace.TraceEvent> = []
    return Effect.provideService(effect(events), HandshakeTrace.HandshakeTrace, {
      record: (_role, event) => void events.push(event)
    })
  })

/** The key log's lines of what runs in `effect`. */
export const keyLogged = <A, E, R>(
  effect: (lines: ReadonlyArray<string>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    return Effect.provideService(effect(lines), KeyLog.KeyLog, {
      write: (line) => Effect.sync(() => void lines.push(line))
    })
  })

/** A clock that is set forward; who sleeps by it sleeps in real time. */
export const settable = (): {
  readonly clock: Clock.Clock
  readonly forward: (by: Duration.Duration) => Effect.Effect<void>
} => {
  const real = Clock.make()
  let ahead = 0
  const now = () => real.unsafeCurrentTimeMillis() + ahead
  return {
    clock: {
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      unsafeCurrentTimeMillis: now,
      currentTimeMillis: Effect.sync(now),
      unsafeCurrentTimeNanos: () => real.unsafeCurrentTimeNanos(),
      currentTimeNanos: real.currentTimeNanos,
      sleep: (duration) => real.sleep(duration)
    },
    forward: (by) => Effect.sync(() => void (ahead += Duration.toMillis(by)))
  }
}
