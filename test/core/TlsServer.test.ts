/** The server around the handshakes: scopes, bounds, failures, draining. */
import { assert, describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Supervisor from "effect/Supervisor"
import * as TestClock from "effect/TestClock"
import { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import type { SecureContext } from "../../src/core/SecureContext.ts"
import * as SecureContexts from "../../src/core/SecureContext.ts"
import * as TlsClient from "../../src/core/TlsClient.ts"
import type { TlsConnection } from "../../src/core/TlsConnection.ts"
import type { HandshakeFailure, ServeOptions, TlsServerService } from "../../src/core/TlsServer.ts"
import * as TlsServer from "../../src/core/TlsServer.ts"
import type { Duplex, TransportService } from "../../src/core/Transport.ts"
import { Transport } from "../../src/core/Transport.ts"
import * as Endpoint from "../../src/schema/Endpoint.ts"
import { TransportError } from "../../src/schema/TlsError.ts"
import * as harness from "../support/harness.ts"
import * as identities from "../support/identities.ts"

type Needs = CryptoProvider | Transport | Scope.Scope

/** A test whose warnings are kept, not printed. */
const one = (name: string, body: (warnings: ReadonlyArray<string>) => Effect.Effect<unknown, unknown, Needs>) => {
  it.scoped(name, () => {
    const warnings: Array<string> = []
    const logger = Logger.make(({ message }) => {
      warnings.push(Array.isArray(message) ? message.map(String).join(" ") : String(message))
    })
    return body(warnings).pipe(
      Effect.provide(harness.layer),
      Effect.provide(Logger.replace(Logger.defaultLogger, logger))
    )
  })
}

const anywhere = Endpoint.tcp("localhost", 0)

const echo = (connection: TlsConnection) => Stream.run(connection.stream, connection.sink)

/** A server in a Scope of its own, which `close` closes. */
const serve = <E, R>(options: Partial<ServeOptions<E, R>> & Pick<ServeOptions<E, R>, "handler">) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer((exit) => Scope.close(scope, exit))
    const context = options.context ?? (yield* harness.serverContext())
    const server = yield* Scope.extend(
      TlsServer.serve({ endpoint: anywhere, drainTimeout: 0, ...options, context }),
      scope
    )
    return { server, close: Scope.close(scope, Exit.void) }
  })

const connect = (server: TlsServerService, context?: SecureContext) =>
  Effect.flatMap(context === undefined ? harness.context() : Effect.succeed(context), (secure) =>
    TlsClient.connect(server.address, { context: secure })
  )

/** A connection that says nothing. */
const silent = (server: TlsServerService): Effect.Effect<Duplex, unknown, Transport | Scope.Scope> =>
  Effect.flatMap(Transport, (transport) => transport.connect(server.address))

const roundTrip = (connection: TlsConnection, said: string): Effect.Effect<string, unknown> =>
  Effect.gen(function* () {
    yield* connection.write(harness.bytes(said))
    let heard = ""
    while (heard.length < said.length) heard += harness.text(yield* connection.pull)
    return heard
  })

const endOf = (connection: TlsConnection): Effect.Effect<string> =>
  Effect.map(Effect.either(Stream.runDrain(connection.stream)), (end) =>
    Either.match(end, { onLeft: harness.label, onRight: () => "close_notify" })
  )

/** Lets everybody run until it holds. */
const until = <E, R>(holds: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.gen(function* () {
    for (let i = 0; i < 2000; i++) {
      if (yield* holds) return
      yield* Effect.yieldNow()
    }
    assert.fail("it never comes to that")
  })

const hasConnections = (server: TlsServerService, count: number) =>
  until(Effect.map(server.connections, (open) => open === count))

describe("a handler", () => {
  one("runs for every connection, with what was negotiated and who is there", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const { server } = yield* serve({
        handler: (connection) =>
          Effect.zipRight(
            Effect.sync(() => {
              const { host } = Option.getOrThrow(connection.remoteAddress) as Endpoint.TcpEndpoint
              seen.push(`${connection.info.role} ${host} ${String(Option.getOrThrow(connection.info.serverName))}`)
            }),
            echo(connection)
          )
      })
      const clients = yield* Effect.all([connect(server), connect(server), connect(server)])
      for (const [i, client] of clients.entries()) {
        assert.strictEqual(yield* roundTrip(client, `hello ${i}`), `hello ${i}`)
      }
      assert.deepStrictEqual(
        seen,
        Array.from({ length: 3 }, () => "server 127.0.0.1 localhost")
      )
      assert.strictEqual(yield* server.connections, 3)
    })
  )

  one("has a Scope of the connection's own, which ends with it, in order", () =>
    Effect.gen(function* () {
      const events: Array<string> = []
      const { server } = yield* serve({
        handler: (connection) =>
          Effect.gen(function* () {
            yield* Effect.addFinalizer(() =>
              Effect.zipRight(
                Effect.ignore(connection.write(harness.bytes("last words"))),
                Effect.sync(() => void events.push("finalizer"))
              )
            )
            events.push("handler")
          })
      })
      const client = yield* connect(server)
      const said = yield* Stream.runCollect(client.stream)
      assert.strictEqual(harness.text(said), "last words")
      assert.deepStrictEqual(events, ["handler", "finalizer"])
      yield* hasConnections(server, 0)
    })
  )

  one("is given the services it asks for", () =>
    Effect.gen(function* () {
      class Greeting extends Context.Tag("test/Greeting")<Greeting, string>() {}
      const { server } = yield* serve({
        handler: (connection) =>
          Effect.flatMap(Greeting, (greeting) =>
            Effect.zipRight(connection.write(harness.bytes(greeting)), connection.end)
          )
      }).pipe(Effect.provideService(Greeting, "hello"))
      const client = yield* connect(server)
      assert.strictEqual(harness.text(yield* Stream.runCollect(client.stream)), "hello")
    })
  )

  const failing: Record<string, (connection: TlsConnection) => Effect.Effect<void, string>> = {
    fails: () => Effect.fail("no luck"),
    dies: () => Effect.die(new Error("a defect")),
    "is interrupted by itself": () => Effect.interrupt,
    throws: () => {
      throw new Error("thrown")
    }
  }
  for (const [how, handler] of Object.entries(failing)) {
    one(`that ${how} ends its connection and no other`, (warnings) =>
      Effect.gen(function* () {
        let count = 0
        const { server } = yield* serve({
          handler: (connection): Effect.Effect<unknown, unknown> =>
            count++ === 1 ? handler(connection) : echo(connection)
        })
        const before = yield* connect(server)
        assert.strictEqual(yield* roundTrip(before, "one"), "one")
        const unlucky = yield* connect(server)
        yield* endOf(unlucky)
        yield* hasConnections(server, 1)
        const after = yield* connect(server)
        assert.deepStrictEqual([yield* roundTrip(before, "two"), yield* roundTrip(after, "three")], ["two", "three"])
        if (how !== "is interrupted by itself") {
          assert.deepStrictEqual(
            warnings.map((warning) => warning.split("\n")[0]),
            ["a connection's handler failed"]
          )
        }
      })
    )
  }

  // A client that reads to the end, as HTTP/1.0's does, must not take the half for the whole.
  const endings: ReadonlyArray<readonly [string, Effect.Effect<unknown, Error>, string]> = [
    ["dies", Effect.die(new Error("a defect")), "AlertError/internal_error/connected"],
    ["fails", Effect.fail(new Error("a failure")), "AlertError/internal_error/connected"],
    ["is interrupted", Effect.interrupt, "close_notify"],
    ["succeeds", Effect.void, "close_notify"]
  ]
  for (const [how, ending, seen] of endings) {
    one(`that ${how} ends its connection with ${seen}`, () =>
      Effect.gen(function* () {
        const { server } = yield* serve({
          handler: (connection) => Effect.zipRight(connection.write(harness.bytes("half of it")), ending)
        })
        assert.strictEqual(yield* endOf(yield* connect(server)), seen)
      })
    )
  }

  one("may take its time while others come and go", () =>
    Effect.gen(function* () {
      let count = 0
      const { server } = yield* serve({
        handler: (connection) => (count++ === 0 ? Effect.never : echo(connection))
      })
      yield* connect(server)
      for (let i = 0; i < 50; i++) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const client = yield* connect(server)
            assert.strictEqual(yield* roundTrip(client, "hello"), "hello")
          })
        )
      }
      yield* hasConnections(server, 1)
    })
  )
})

describe("a handshake that fails", () => {
  const failures = (server: TlsServerService, count: number) =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(Stream.runCollect(Stream.take(server.handshakeFailures, count)))
      // The stream has what comes after it was run.
      yield* Effect.repeatN(Effect.yieldNow(), 5)
      return Effect.map(Fiber.join(fiber), Chunk.toReadonlyArray)
    })

  one("is a value, in the stream and for the callback, with whom it failed", () =>
    Effect.gen(function* () {
      const told: Array<HandshakeFailure> = []
      const { server } = yield* serve({
        handler: echo,
        onHandshakeFailure: (failure) => Effect.sync(() => void told.push(failure))
      })
      const streamed = yield* failures(server, 2)
      const duplex = yield* silent(server)
      yield* duplex.end(harness.bytes("GET / HTTP/1.1\r\n\r\n"))
      yield* until(Effect.sync(() => told.length === 1))
      const incompatible = yield* harness.context({ protocol: { cipherSuites: ["TLS_AES_128_CCM_SHA256"] } })
      const refused = yield* Effect.flip(connect(server, incompatible))
      assert.strictEqual(harness.label(refused), "AlertError/handshake_failure/negotiation")
      const both = yield* streamed
      assert.deepStrictEqual(both, told)
      assert.deepStrictEqual(
        both.map(({ error }) => harness.label(error)),
        ["HandshakeError/PeerSpokePlaintext/negotiation", "HandshakeError/NoSharedCipherSuite/negotiation"]
      )
      assert.deepStrictEqual(
        both.map(({ remoteAddress }) => (Option.getOrThrow(remoteAddress) as Endpoint.TcpEndpoint).host),
        ["127.0.0.1", "127.0.0.1"]
      )
      const client = yield* connect(server)
      assert.strictEqual(yield* roundTrip(client, "hello"), "hello")
    })
  )

  one("for a hook that dies is told as well, and the server goes on", (warnings) =>
    Effect.gen(function* () {
      let count = 0
      const context = yield* harness.context({
        resolveIdentity: () => (count++ === 0 ? Effect.die("a defect") : Effect.succeed([identities.server.identity]))
      })
      const { server } = yield* serve({ handler: echo, context })
      const streamed = yield* failures(server, 1)
      const refused = yield* Effect.flip(connect(server))
      assert.strictEqual(harness.label(refused), "AlertError/internal_error/negotiation")
      assert.deepStrictEqual(
        (yield* streamed).map(({ error }) => harness.label(error)),
        ["HandshakeError/HookFailed/negotiation"]
      )
      assert.strictEqual(yield* roundTrip(yield* connect(server), "hello"), "hello")
      assert.deepStrictEqual(warnings, [])
    })
  )

  one("of the provider's defect is told as well, and the server goes on", () =>
    Effect.gen(function* () {
      let broken = true
      const provider: typeof identities.crypto = {
        ...identities.crypto,
        randomBytes: (length) => {
          if (broken) throw new Error("no entropy")
          return identities.crypto.randomBytes(length)
        }
      }
      const context = yield* harness.serverContext()
      const server = yield* TlsServer.serve({ endpoint: anywhere, context, handler: echo }).pipe(
        Effect.provideService(CryptoProvider, provider)
      )
      const streamed = yield* failures(server, 1)
      assert.strictEqual(harness.label(yield* Effect.flip(connect(server))), "AlertError/internal_error/negotiation")
      assert.deepStrictEqual(
        (yield* streamed).map(({ error }) => harness.label(error)),
        ["HandshakeError/CryptoFailed/negotiation"]
      )
      broken = false
      assert.strictEqual(yield* roundTrip(yield* connect(server), "hello"), "hello")
    })
  )

  one("is closed even if the callback never ends, and so is the server", () =>
    Effect.gen(function* () {
      const called = yield* Deferred.make<void>()
      const { close, server } = yield* serve({
        handler: echo,
        onHandshakeFailure: () => Effect.zipRight(Deferred.succeed(called, undefined), Effect.never)
      })
      const duplex = yield* silent(server)
      yield* duplex.write(harness.bytes("hello\r\n"))
      yield* Deferred.await(called)
      const ended = yield* Effect.fork(duplex.pull)
      assert.isTrue(Option.isSome(yield* harness.settle(ended)))
      const closing = yield* Effect.fork(close)
      assert.isTrue(Exit.isSuccess(yield* harness.finish(closing)))
    })
  )

  one("is no matter of a callback that dies", () =>
    Effect.gen(function* () {
      let told = 0
      const { server } = yield* serve({
        handler: echo,
        onHandshakeFailure: () =>
          Effect.zipRight(
            Effect.sync(() => void told++),
            Effect.die("a defect")
          )
      })
      const duplex = yield* silent(server)
      yield* duplex.end(harness.bytes("hello\r\n"))
      yield* until(Effect.sync(() => told === 1))
      yield* hasConnections(server, 0)
      assert.strictEqual(yield* roundTrip(yield* connect(server), "hello"), "hello")
    })
  )

  one("is the last one in the stream when the server closes: the stream ends", () =>
    Effect.gen(function* () {
      let told = 0
      const { close, server } = yield* serve({
        handler: echo,
        onHandshakeFailure: () => Effect.sync(() => void told++)
      })
      const all = yield* Effect.fork(Stream.runCollect(server.handshakeFailures))
      yield* Effect.repeatN(Effect.yieldNow(), 5)
      const duplex = yield* silent(server)
      yield* duplex.end(harness.bytes("hello\r\n"))
      yield* until(Effect.sync(() => told === 1))
      yield* Effect.repeatN(Effect.yieldNow(), 5)
      yield* close
      const collected = yield* harness.settle(all)
      assert(Option.isSome(collected) && Exit.isSuccess(collected.value))
      assert.strictEqual(Chunk.size(collected.value.value), 1)
    })
  )
})

describe("the bound on handshakes", () => {
  one("holds for clients that say nothing, until their deadline", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(harness.now)
      const context = yield* harness.serverContext({ protocol: { handshakeTimeout: "5 seconds" } })
      const { server } = yield* serve({ handler: echo, context, concurrentHandshakes: 3 })
      for (let i = 0; i < 10; i++) yield* silent(server)
      yield* hasConnections(server, 3)
      yield* Effect.repeatN(Effect.yieldNow(), 100)
      assert.strictEqual(yield* server.connections, 3)
      // The rest wait their turn, three at a time; whoever speaks comes last and is served.
      const patient = yield* harness.context({ protocol: { handshakeTimeout: "1 hour" } })
      const client = yield* Effect.fork(connect(server, patient))
      for (const left of [3, 3, 2]) {
        yield* TestClock.adjust("5 seconds")
        yield* hasConnections(server, left)
      }
      assert.strictEqual(yield* roundTrip(yield* Fiber.join(client), "hello"), "hello")
      yield* TestClock.adjust("5 seconds")
      yield* hasConnections(server, 1)
    })
  )

  one("does not count connections that are open", () =>
    Effect.gen(function* () {
      const { server } = yield* serve({ handler: echo, concurrentHandshakes: 1 })
      for (let i = 0; i < 5; i++) yield* connect(server)
      yield* hasConnections(server, 5)
    })
  )

  one("is free again after every kind of failure", () =>
    Effect.gen(function* () {
      let mode = 0
      const context = yield* harness.context({
        resolveIdentity: () => {
          switch (mode) {
            case 0:
              return Effect.die("a defect")
            case 1:
              return Effect.interrupt
            case 2:
              throw new Error("thrown")
            case 3:
              return Effect.succeed([])
            default:
              return Effect.succeed([identities.server.identity])
          }
        }
      })
      const { server } = yield* serve({ handler: echo, context, concurrentHandshakes: 1 })
      for (mode = 0; mode < 4; mode++) yield* Effect.flip(connect(server))
      const gone = yield* silent(server)
      yield* gone.abort
      const plain = yield* silent(server)
      yield* plain.end(harness.bytes("hello\r\n"))
      assert.strictEqual(yield* roundTrip(yield* connect(server), "hello"), "hello")
    })
  )

  one("lets a slow hook of one client hold up no other", () =>
    Effect.gen(function* () {
      const context = yield* harness.context({
        resolveIdentity: (_, name) =>
          Option.isSome(name) && name.value.toString() === "slow.example"
            ? Effect.never
            : Effect.succeed([identities.server.identity])
      })
      const { server } = yield* serve({ handler: echo, context })
      const slow = yield* Effect.fork(
        TlsClient.connect(server.address, { context: yield* harness.context(), serverName: "slow.example" })
      )
      yield* hasConnections(server, 1)
      assert.strictEqual(yield* roundTrip(yield* connect(server), "hello"), "hello")
      assert.isTrue(Option.isNone(yield* slow.poll))
    })
  )
})

describe("a server that closes", () => {
  one("waits for its handlers, accepting nobody any more", () =>
    Effect.gen(function* () {
      const finish = yield* Deferred.make<void>()
      const { close, server } = yield* serve({
        drainTimeout: "1 minute",
        handler: (connection) => Effect.zipRight(Deferred.await(finish), connection.write(harness.bytes("done")))
      })
      const client = yield* connect(server)
      const closing = yield* Effect.fork(close)
      yield* until(Effect.map(Effect.exit(Effect.scoped(silent(server))), Exit.isFailure))
      assert.isTrue(Option.isNone(yield* closing.poll))
      assert.strictEqual(harness.label(yield* Effect.flip(connect(server))), "TransportError/ConnectionRefused/dial")
      yield* Deferred.succeed(finish, undefined)
      assert.strictEqual(harness.text(yield* Stream.runCollect(client.stream)), "done")
      yield* Fiber.join(closing)
      assert.strictEqual(yield* server.connections, 0)
    })
  )

  one("interrupts its handlers at drainTimeout, and not before; their connections end in order", () =>
    Effect.gen(function* () {
      const events: Array<string> = []
      const { close, server } = yield* serve({
        drainTimeout: "7 seconds",
        handler: () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => void events.push("interrupted")))
      })
      const client = yield* connect(server)
      yield* hasConnections(server, 1)
      const closing = yield* Effect.fork(close)
      yield* TestClock.adjust("6999 millis")
      assert.isTrue(Option.isNone(yield* harness.settle(closing, 3)))
      assert.deepStrictEqual(events, [])
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(closing)
      assert.deepStrictEqual(events, ["interrupted"])
      assert.strictEqual(yield* endOf(client), "close_notify")
    })
  )

  one("interrupts its handlers even where it was opened uninterruptibly", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* harness.serverContext()
      const server = yield* TlsServer.serve({
        endpoint: anywhere,
        context,
        drainTimeout: "1 second",
        handler: () => Effect.never
      }).pipe(Scope.extend(scope), Effect.uninterruptible)
      yield* connect(server)
      yield* hasConnections(server, 1)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      assert.isTrue(Exit.isSuccess(yield* harness.finish(closing, "1 second")))
    })
  )

  one("tells clients in their handshake", () =>
    Effect.gen(function* () {
      const context = yield* harness.context({ resolveIdentity: () => Effect.never })
      const { close, server } = yield* serve({ handler: echo, context })
      const client = yield* Effect.fork(connect(server))
      yield* hasConnections(server, 1)
      const closing = yield* Effect.fork(close)
      yield* harness.finish(closing, "1 millis")
      assert.strictEqual(harness.labelOf(yield* harness.finish(client)), "AlertError/user_canceled/negotiation")
    })
  )

  one("drops those that wait to be accepted", () =>
    Effect.gen(function* () {
      const { close, server } = yield* serve({ handler: echo, concurrentHandshakes: 1 })
      yield* silent(server)
      yield* hasConnections(server, 1)
      const waiting = yield* silent(server)
      const closing = yield* Effect.fork(close)
      yield* harness.finish(closing, "1 millis")
      assert.isTrue(Exit.isFailure(yield* Effect.exit(waiting.pull)))
    })
  )

  one("leaves nothing behind", () =>
    Effect.gen(function* () {
      const freed: Array<string> = []
      const { close, server } = yield* serve({
        handler: (connection) =>
          Effect.zipRight(
            Effect.addFinalizer(() => Effect.sync(() => void freed.push("freed"))),
            echo(connection)
          )
      })
      for (let i = 0; i < 20; i++) {
        yield* Effect.scoped(Effect.flatMap(connect(server), (client) => roundTrip(client, "hello")))
      }
      yield* hasConnections(server, 0)
      assert.lengthOf(freed, 20)
      yield* close
      const again = yield* Effect.scoped(
        TlsServer.serve({ endpoint: server.address, context: yield* harness.serverContext(), handler: echo })
      )
      assert.deepStrictEqual(again.address, server.address)
    })
  )
})

describe("fibers", () => {
  one("end with what they were for, whatever became of it", () =>
    Effect.gen(function* () {
      const supervisor = yield* Supervisor.track
      const alive = Effect.map(supervisor.value, (fibers) => fibers.length)
      yield* Effect.gen(function* () {
        const { close, server } = yield* serve({ handler: echo })
        yield* connect(server)
        yield* Effect.repeatN(Effect.yieldNow(), 50)
        const before = yield* alive
        // The accepting one, and the handler of the connection that stays.
        assert.isAtLeast(before, 2)
        const incompatible = yield* harness.context({ protocol: { cipherSuites: ["TLS_AES_128_CCM_SHA256"] } })
        for (let i = 0; i < 10; i++) {
          yield* Effect.scoped(Effect.flatMap(connect(server), (client) => roundTrip(client, "hello")))
          yield* Effect.flip(Effect.scoped(connect(server, incompatible)))
          const plain = yield* silent(server)
          yield* plain.end(harness.bytes("hello\r\n"))
          const gone = yield* silent(server)
          yield* gone.abort
          const interrupted = yield* Effect.fork(Effect.scoped(connect(server)))
          yield* Effect.repeatN(Effect.yieldNow(), i)
          yield* Fiber.interrupt(interrupted)
        }
        yield* hasConnections(server, 1)
        yield* until(Effect.map(alive, (count) => count <= before))
        yield* close
      }).pipe(Effect.scoped, Effect.supervised(supervisor))
      yield* until(Effect.map(alive, (count) => count === 0))
    })
  )
})

describe("a server that cannot", () => {
  one("listen says so", () =>
    Effect.gen(function* () {
      const { server } = yield* serve({ handler: echo })
      const error = yield* Effect.flip(
        TlsServer.serve({ endpoint: server.address, context: yield* harness.serverContext(), handler: echo })
      )
      assert.strictEqual(harness.label(error), "TransportError/AddressInUse/listen")
      assert.strictEqual(yield* roundTrip(yield* connect(server), "hello"), "hello")
    })
  )

  one("do even one handshake at a time says so", () =>
    Effect.gen(function* () {
      const context = yield* harness.serverContext()
      for (const concurrentHandshakes of [0, -1, 1.5, Number.NaN]) {
        const error = yield* Effect.flip(
          TlsServer.serve({ endpoint: anywhere, context, handler: echo, concurrentHandshakes })
        )
        assert.strictEqual(error.message, "concurrentHandshakes: a whole number from 1 is needed")
      }
    })
  )

  one("show a certificate says so before it listens", () =>
    Effect.gen(function* () {
      const transport = yield* Transport
      const listened: Array<Endpoint.Endpoint> = []
      const watched: TransportService = {
        ...transport,
        listen: (endpoint) => {
          listened.push(endpoint)
          return transport.listen(endpoint)
        }
      }
      const error = yield* Effect.flip(
        TlsServer.serve({ endpoint: anywhere, context: SecureContexts.empty, handler: echo }).pipe(
          Effect.provideService(Transport, watched)
        )
      )
      assert.strictEqual(harness.label(error), "TlsConfigError/InvalidOptions/configuration")
      assert.lengthOf(listened, 0)
    })
  )

  const accepting = (fails: (count: number) => Effect.Effect<never, TransportError> | undefined) =>
    Effect.gen(function* () {
      const transport = yield* Transport
      let count = 0
      const flaky: TransportService = {
        ...transport,
        listen: (endpoint) =>
          Effect.map(transport.listen(endpoint), (listener) => ({
            ...listener,
            address: listener.address,
            accept: Effect.suspend(() => fails(count++) ?? listener.accept)
          }))
      }
      const server = yield* TlsServer.serve({
        endpoint: anywhere,
        context: yield* harness.serverContext(),
        handler: echo,
        concurrentHandshakes: 1
      }).pipe(Effect.provideService(Transport, flaky))
      return { server, attempts: () => count }
    })

  const noFiles = Effect.fail(
    new TransportError({ reason: "Other", operation: "accept", message: "EMFILE", code: "EMFILE", phase: "listen" })
  )

  one("accept for a while tries again, ever less often, and serves when it can", (warnings) =>
    Effect.gen(function* () {
      const { attempts, server } = yield* accepting((count) => (count < 20 ? noFiles : undefined))
      const client = yield* Effect.fork(
        connect(server, yield* harness.context({ protocol: { handshakeTimeout: "1 hour" } }))
      )
      yield* TestClock.adjust("1 second")
      assert.isAbove(attempts(), 5)
      assert.isBelow(attempts(), 12)
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual(yield* roundTrip(yield* Fiber.join(client), "hello"), "hello")
      assert.lengthOf(warnings, 20)
    })
  )

  one("accept because of a defect tries again, too", () =>
    Effect.gen(function* () {
      const { server } = yield* accepting((count) => (count < 3 ? Effect.die("a defect") : undefined))
      const client = yield* Effect.fork(connect(server))
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* roundTrip(yield* Fiber.join(client), "hello"), "hello")
    })
  )

  one("accept any more, because its listener is closed, does not try for ever", () =>
    Effect.gen(function* () {
      const { attempts } = yield* accepting(() =>
        Effect.fail(new TransportError({ reason: "Closed", operation: "accept", message: "closed", phase: "listen" }))
      )
      yield* TestClock.adjust("1 minute")
      yield* Effect.repeatN(Effect.yieldNow(), 50)
      assert.strictEqual(attempts(), 1)
    })
  )
})

describe("as a layer", () => {
  one("it lives as long as what it is provided to", () =>
    Effect.gen(function* () {
      const context = yield* harness.serverContext()
      const address = yield* Effect.gen(function* () {
        const server = yield* TlsServer.TlsServer
        assert.strictEqual(yield* roundTrip(yield* connect(server), "hello"), "hello")
        return server.address
      }).pipe(Effect.scoped, Effect.provide(TlsServer.layer({ endpoint: anywhere, context, handler: echo })))
      const error = yield* Effect.flip(TlsClient.connect(address, { context: yield* harness.context() }))
      assert.strictEqual(harness.label(error), "TransportError/ConnectionRefused/dial")
    })
  )
})
