/** Contexts that are loaded again: who sees which, what is freed when, and what becomes of a load that fails. */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import type { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import * as ReloadingContext from "../../src/core/ReloadingContext.ts"
import type { SecureContext } from "../../src/core/SecureContext.ts"
import * as SecureContexts from "../../src/core/SecureContext.ts"
import * as TlsClient from "../../src/core/TlsClient.ts"
import type { TlsConnection } from "../../src/core/TlsConnection.ts"
import * as TlsMetrics from "../../src/core/TlsMetrics.ts"
import * as TlsServer from "../../src/core/TlsServer.ts"
import type { Transport } from "../../src/core/Transport.ts"
import * as Endpoint from "../../src/schema/Endpoint.ts"
import { TlsConfigError } from "../../src/schema/TlsError.ts"
import * as harness from "../support/harness.ts"
import * as identities from "../support/identities.ts"

const scoped = <E>(name: string, body: () => Effect.Effect<unknown, E, CryptoProvider | Transport | Scope.Scope>) =>
  it.scoped(name, () =>
    body().pipe(Effect.provide(harness.layer), Effect.provide(Logger.replace(Logger.defaultLogger, Logger.none)))
  )

const endpoint = Endpoint.tcp("localhost", 8443)
const generations = Array.from({ length: 11 }, (_, i) =>
  identities.makeSync({ names: ["localhost"], subject: `generation ${i}` })
)

/** What a source of contexts did: how often it loaded, and which of its contexts were freed. */
const makeSource = (fails: (turn: number) => TlsConfigError | undefined = () => undefined) => {
  const freed: Array<number> = []
  let turn = -1
  const load = Effect.suspend(() => {
    const now = ++turn
    const failure = fails(now)
    if (failure !== undefined) return Effect.fail(failure)
    const { options } = generations[now % generations.length]!
    return Effect.zipRight(
      Effect.addFinalizer(() => Effect.sync(() => freed.push(now))),
      SecureContexts.make({ identity: options })
    )
  })
  return { load, freed, loads: () => turn + 1 }
}

const nameIn = ({ identities: [identity] }: SecureContext): string =>
  identity!.certificateChain[0].subject.commonName ?? ""

const seenBy = ({ info }: TlsConnection): string => info.peerCertificates[0]!.subject.commonName ?? ""

/** Lets everybody run who can. */
const quiet = Effect.flatMap(Effect.fork(Effect.never), (fiber) =>
  Effect.zipRight(harness.settle(fiber, 2), Fiber.interrupt(fiber))
)

const broken = TlsConfigError.of("KeyMismatch", "identity.privateKey", "the key does not match")

describe("a context that is loaded again", () => {
  scoped("is the newest to handshakes that begin, and stays the old one to connections under way", () =>
    Effect.gen(function* () {
      const source = makeSource()
      const context = yield* ReloadingContext.make({ load: source.load, when: Stream.never })
      yield* TlsServer.serve({
        endpoint,
        context,
        handler: ({ sink, stream }) => Stream.run(stream, sink)
      })
      const connect = Effect.flatMap(harness.context(), (secure) => TlsClient.connect(endpoint, { context: secure }))
      const scope = yield* Scope.make()
      const first = yield* Scope.extend(connect, scope)
      yield* context.reload
      const second = yield* connect
      assert.deepStrictEqual([seenBy(first), seenBy(second)], ["generation 0", "generation 1"])
      yield* first.write(harness.bytes("still there"))
      assert.strictEqual(harness.text(yield* first.pull), "still there")
      // The first context is held by the first connection, and by nobody when that is gone.
      assert.deepStrictEqual(source.freed, [])
      yield* first.end
      yield* Stream.runDrain(first.stream)
      yield* Scope.close(scope, Exit.void)
      for (let i = 0; i < 200 && source.freed.length === 0; i++) yield* Effect.yieldNow()
      assert.deepStrictEqual(source.freed, [0])
    })
  )

  scoped("keeps the last good one when loading fails, and says so by an event and a metric", () =>
    Effect.gen(function* () {
      const [failures, successes] = ["failed", "ok"].map((result) =>
        TlsMetrics.contextReloads.pipe(Metric.tagged("result", result), Metric.tagged("test", "keeps"))
      ) as [typeof TlsMetrics.contextReloads, typeof TlsMetrics.contextReloads]
      const before = [(yield* Metric.value(failures)).count, (yield* Metric.value(successes)).count] as const
      const source = makeSource((turn) => (turn === 1 ? broken : undefined))
      const triggers = yield* Queue.unbounded<void>()
      const context = yield* ReloadingContext.make({ load: source.load, when: Stream.fromQueue(triggers) }).pipe(
        Effect.tagMetrics("test", "keeps")
      )
      const watching = yield* Effect.fork(Stream.runCollect(Stream.take(context.events, 2)))
      yield* Effect.yieldNow()
      yield* Queue.offerAll(triggers, [undefined, undefined])
      const events = Chunk.toReadonlyArray(yield* Fiber.join(watching))
      assert.deepStrictEqual(
        events.map((event) =>
          event._tag === "Reloaded"
            ? nameIn(event.context)
            : Option.getOrThrow(Cause.failureOption(event.cause as Cause.Cause<TlsConfigError>)).reason
        ),
        ["KeyMismatch", "generation 2"]
      )
      assert.strictEqual(nameIn(yield* context.current), "generation 2")
      assert.deepStrictEqual(source.freed, [0])
      assert.strictEqual((yield* Metric.value(failures)).count - before[0], 1)
      assert.strictEqual((yield* Metric.value(successes)).count - before[1], 1)
    })
  )

  scoped("survives a defect in loading", () =>
    Effect.gen(function* () {
      let turn = 0
      const source = makeSource()
      const load = Effect.suspend(() => (++turn === 2 ? Effect.die("a defect") : source.load))
      const context = yield* ReloadingContext.make({ load, when: Stream.never })
      assert.isTrue(Exit.isFailure(yield* Effect.exit(context.reload)))
      assert.strictEqual(nameIn(yield* context.current), "generation 0")
      yield* context.reload
      assert.strictEqual(nameIn(yield* context.current), "generation 1")
    })
  )

  scoped("refuses one that a server cannot use any more, once it was one for servers", () =>
    Effect.gen(function* () {
      const context = yield* ReloadingContext.fromStream(
        Stream.concat(Stream.make({ identity: generations[0]!.options }, {}), Stream.never)
      )
      yield* quiet
      assert.strictEqual(nameIn(yield* context.current), "generation 0")
      const error = yield* Effect.flip(context.reload)
      assert.strictEqual(
        error.message,
        "identity: a server needs a certificate chain and its key, or `resolveIdentity`"
      )
    })
  )

  scoped("fails when the first cannot be loaded, and frees what that acquired", () =>
    Effect.gen(function* () {
      const freed = yield* Deferred.make<void>()
      const load = Effect.zipRight(
        Effect.addFinalizer(() => Deferred.succeed(freed, undefined)),
        Effect.fail(broken)
      )
      const error = yield* Effect.flip(ReloadingContext.make({ load, when: Stream.never }))
      assert.strictEqual(error, broken)
      yield* Deferred.await(freed)
      const none = yield* Effect.flip(ReloadingContext.fromStream(Stream.empty))
      assert.strictEqual(none.message, "the stream of contexts ended before its first")
    })
  )

  scoped("follows a schedule", () =>
    Effect.gen(function* () {
      const source = makeSource()
      const context = yield* ReloadingContext.fromSchedule({ load: source.load, schedule: Schedule.spaced("1 hour") })
      // The schedule's first wait has to begin before the clock moves.
      yield* quiet
      for (const expected of [1, 2, 3]) {
        yield* TestClock.adjust("1 hour")
        yield* quiet
        assert.strictEqual(nameIn(yield* context.current), `generation ${expected}`)
      }
      assert.deepStrictEqual(source.freed, [0, 1, 2])
    })
  )

  scoped("follows a stream, and stays with its last after its end", () =>
    Effect.gen(function* () {
      const context = yield* ReloadingContext.fromStream(
        Stream.fromIterable(generations.slice(0, 3).map(({ options }) => ({ identity: options })))
      )
      yield* quiet
      assert.strictEqual(nameIn(yield* context.current), "generation 2")
    })
  )

  scoped("frees the last one when its Scope closes", () =>
    Effect.gen(function* () {
      const source = makeSource()
      const scope = yield* Scope.make()
      yield* Scope.extend(ReloadingContext.make({ load: source.load, when: Stream.never }), scope)
      assert.deepStrictEqual(source.freed, [])
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(source.freed, [0])
    })
  )

  scoped("frees what is loaded when its Scope has closed meanwhile", () =>
    Effect.gen(function* () {
      const source = makeSource()
      const gate = yield* Deferred.make<void>()
      const load = Effect.flatMap(source.load, (context) =>
        source.loads() === 1 ? Effect.succeed(context) : Effect.as(Deferred.await(gate), context)
      )
      const scope = yield* Scope.make()
      const context = yield* Scope.extend(ReloadingContext.make({ load, when: Stream.never }), scope)
      const reloading = yield* Effect.fork(context.reload)
      yield* quiet
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(source.freed, [0])
      yield* Deferred.succeed(gate, undefined)
      assert.isTrue(Exit.isInterrupted(yield* Fiber.await(reloading)))
      assert.deepStrictEqual(source.freed, [0, 1])
    })
  )

  scoped("gives up a load that does not end, and goes on with the next", () =>
    Effect.gen(function* () {
      const source = makeSource()
      // Not even interruption ends it.
      const load = Effect.suspend(() =>
        source.loads() === 1 ? Effect.zipRight(source.load, Effect.uninterruptible(Effect.never)) : source.load
      )
      const context = yield* ReloadingContext.make({ load, when: Stream.never, timeout: "5 seconds" })
      const reloading = yield* Effect.fork(context.reload)
      yield* quiet
      const next = yield* Effect.fork(context.reload)
      yield* quiet
      assert.strictEqual(source.loads(), 2)
      yield* TestClock.adjust("5 seconds")
      const error = yield* Effect.flip(Fiber.join(reloading))
      assert.strictEqual(
        `${error._tag} (${error.reason}): ${error.message}`,
        "TlsConfigError (Unreadable): the context was not loaded within 5s"
      )
      yield* Fiber.join(next)
      assert.strictEqual(nameIn(yield* context.current), "generation 2")
      assert.sameMembers(source.freed, [0, 1])
    })
  )

  scoped("frees everything wherever it is interrupted", () =>
    Effect.gen(function* () {
      const acquired: Array<number> = []
      const freed: Array<number> = []
      let turn = 0
      const ready = yield* SecureContexts.make({ identity: generations[0]!.options })
      const step = Effect.flatMap(Effect.yieldNow(), () =>
        Effect.acquireRelease(
          Effect.sync(() => acquired[acquired.push(turn++) - 1]!),
          (mine) =>
            Effect.zipRight(
              Effect.yieldNow(),
              Effect.sync(() => freed.push(mine))
            )
        )
      )
      const load = Effect.zipRight(Effect.zipRight(step, step), Effect.as(Effect.yieldNow(), ready))
      const using = Effect.scoped(
        Effect.gen(function* () {
          const context = yield* ReloadingContext.make({ load, when: Stream.make(1, 2) })
          yield* Effect.fork(context.reload)
          yield* Effect.scoped(Effect.zipRight(context.acquire, Effect.yieldNow()))
          yield* context.reload
          yield* Effect.forEach([1, 2, 3], () => Effect.scoped(Effect.zipRight(context.acquire, Effect.yieldNow())))
        })
      )
      let ended = false
      let stop = 0
      for (; !ended; stop++) {
        const fiber = yield* Effect.fork(using)
        for (let i = 0; i < stop; i++) yield* Effect.yieldNow()
        ended = Option.isSome(yield* fiber.poll)
        yield* Fiber.interrupt(fiber)
        // `reload` was forked by the one that is interrupted, and ends after it.
        yield* quiet
        assert.sameMembers(freed, acquired, `interrupted after ${stop} turns`)
      }
      assert.isAbove(stop, 20)
    })
  )
})

const collect = (): void => {
  setFlagsFromString("--expose-gc")
  ;(runInNewContext("gc") as () => void)()
}

/** What 1,000 handshakes and ten reloads may leave behind: caches that are bounded, compiled code. A handshake needs 100 KiB. */
const bound = 8 * 1024 * 1024

describe("ten reloads during 1,000 handshakes", () => {
  // Whoever runs the tests hears from us meanwhile.
  const eventLoop = Effect.promise(() => new Promise((resume) => setImmediate(resume)))

  const reloadsDuring = (handshakes: number) =>
    Effect.scoped(
      Effect.gen(function* () {
        const source = makeSource()
        const server = yield* Scope.make()
        const context = yield* Scope.extend(ReloadingContext.make({ load: source.load, when: Stream.never }), server)
        const { address } = yield* Scope.extend(
          TlsServer.serve({ endpoint, context, handler: ({ sink, stream }) => Stream.run(stream, sink) }),
          server
        )
        const secure = yield* harness.context()
        const seen = new Map<string, number>()
        const handshake = Effect.scoped(
          Effect.gen(function* () {
            const connection = yield* TlsClient.connect(address, { context: secure })
            assert.lengthOf(connection.info.peerCertificates, 1)
            const name = seenBy(connection)
            seen.set(name, (seen.get(name) ?? 0) + 1)
            yield* connection.write(harness.bytes(name))
            assert.strictEqual(harness.text(yield* connection.pull), name)
            yield* eventLoop
          })
        )
        yield* Effect.forEach(
          Array.from({ length: handshakes }, (_, i) => i),
          (i) =>
            i % (handshakes / 10) === handshakes / 20
              ? Effect.zipRight(Effect.fork(context.reload), handshake)
              : handshake,
          { concurrency: 16, discard: true }
        )
        assert.strictEqual(
          [...seen.values()].reduce((a, b) => a + b, 0),
          handshakes
        )
        // Each had its share of the handshakes, none but these eleven was seen.
        assert.sameMembers(
          [...seen.keys()],
          generations.map((_, i) => `generation ${i}`)
        )
        yield* Scope.close(server, Exit.void)
        assert.sameMembers(
          source.freed,
          generations.map((_, i) => i)
        )
        return new WeakRef(yield* context.current)
      })
    ).pipe(Effect.provide(harness.layer))

  it.live(
    "none fails, each sees exactly one identity, and nothing of it stays in memory",
    () =>
      Effect.gen(function* () {
        // What is made once and kept, and what is compiled.
        yield* reloadsDuring(200)
        collect()
        const before = process.memoryUsage().heapUsed
        const last = yield* reloadsDuring(1000)
        // What a WeakRef was asked for lives as long as the turn that asked, and sometimes a frame holds it for a few more.
        for (let turn = 0; turn < 20 && last.deref() !== undefined; turn++) {
          yield* eventLoop
          collect()
        }
        assert.isUndefined(last.deref())
        assert.isBelow(process.memoryUsage().heapUsed - before, bound)
      }),
    300_000
  )
})
