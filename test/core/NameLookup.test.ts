/** Lookups of names: remembered, shared, bounded, and not interrupted by who began them. */
import { assert, describe, it } from "@effect/vitest"
import { assertNone, assertSome } from "@effect/vitest/utils"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as NameLookup from "../../src/core/NameLookup.ts"
import * as SecureContexts from "../../src/core/SecureContext.ts"
import * as ServerName from "../../src/schema/ServerName.ts"
import * as harness from "../support/harness.ts"
import * as identities from "../support/identities.ts"

const name = (text: string): ServerName.ServerName => Either.getOrThrow(ServerName.parse(text))

/** A lookup of names that begin with `has`, and what it was asked. */
const makeSource = () => {
  const asked: Array<string> = []
  return {
    asked,
    lookup: (serverName: ServerName.ServerName) =>
      Effect.sync(() => {
        asked.push(serverName.toString())
        return serverName.toString().startsWith("has") ? Option.some(asked.length) : Option.none<number>()
      })
  }
}

/** Lets everybody run who can. */
const turns = Effect.forEach(Array.from({ length: 50 }), () => Effect.yieldNow(), { discard: true })

/** One lookup at a time, each of which ends when the test says so. */
const scopedLookups = <E>(
  title: string,
  body: (
    names: NameLookup.NameLookup<string>,
    source: {
      readonly asked: ReadonlyArray<string>
      readonly gates: (name: string) => Deferred.Deferred<Option.Option<string>>
    }
  ) => Effect.Effect<unknown, E, Scope.Scope>
) =>
  it.scoped(title, () => {
    const asked: Array<string> = []
    const all = new Map<string, Deferred.Deferred<Option.Option<string>>>()
    const gates = (one: string) => {
      const gate = all.get(one) ?? Deferred.unsafeMake<Option.Option<string>>(FiberId.none)
      all.set(one, gate)
      return gate
    }
    const lookup = (serverName: ServerName.ServerName) =>
      Effect.suspend(() => {
        asked.push(serverName.toString())
        return Deferred.await(gates(serverName.toString()))
      })
    return Effect.flatMap(NameLookup.make({ lookup, concurrency: 1 }), (names) => body(names, { asked, gates }))
  })

describe("a lookup of names", () => {
  it.scoped("remembers what was found for an hour, and that there is nothing for ten seconds", () =>
    Effect.gen(function* () {
      const { asked, lookup } = makeSource()
      const names = yield* NameLookup.make({ lookup })
      for (let i = 0; i < 3; i++) {
        assertSome(yield* names(name("has.test")), 1)
        assertNone(yield* names(name("none.test")))
      }
      assert.deepStrictEqual(asked, ["has.test", "none.test"])
      yield* TestClock.adjust("10 seconds")
      yield* names(name("has.test"))
      yield* names(name("none.test"))
      assert.deepStrictEqual(asked.slice(2), ["none.test"])
      yield* TestClock.adjust("1 hour")
      assertSome(yield* names(name("has.test")), 4)
    })
  )

  it.scoped("asks once for all who ask at once, and whoever goes takes nobody along", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      let asked = 0
      const names = yield* NameLookup.make({
        lookup: () =>
          Effect.suspend(() => {
            asked++
            return Effect.as(Deferred.await(gate), Option.some("found"))
          })
      })
      const [first, second, third] = yield* Effect.all([1, 2, 3].map(() => Effect.fork(names(name("a.test")))))
      for (let i = 0; i < 20; i++) yield* Effect.yieldNow()
      yield* Fiber.interrupt(first!)
      yield* Deferred.succeed(gate, undefined)
      assertSome(yield* Fiber.join(second!), "found")
      assertSome(yield* Fiber.join(third!), "found")
      assert.strictEqual(asked, 1)
    })
  )

  it.scoped("does not remember a failure", () =>
    Effect.gen(function* () {
      let asked = 0
      const names = yield* NameLookup.make({
        lookup: () => Effect.suspend(() => (++asked === 1 ? Effect.fail("down") : Effect.succeed(Option.some(asked))))
      })
      assert.strictEqual(yield* Effect.flip(names(name("a.test"))), "down")
      assertSome(yield* names(name("a.test")), 2)
    })
  )

  it.scoped("remembers so many names, and those nobody has drive none of ours out", () =>
    Effect.gen(function* () {
      const { asked, lookup } = makeSource()
      const names = yield* NameLookup.make({ lookup, capacity: 2 })
      const ask = (...all: ReadonlyArray<string>) => Effect.forEach(all, (one) => names(name(one)), { discard: true })
      yield* ask("has1.test", "has2.test", "a.test", "b.test", "c.test", "d.test")
      asked.length = 0
      yield* ask("has1.test", "has2.test", "has3.test", "has2.test", "has1.test")
      assert.deepStrictEqual(asked, ["has3.test", "has1.test"])
      asked.length = 0
      yield* ask("d.test", "a.test")
      assert.deepStrictEqual(asked, ["a.test"])
    })
  )

  it.scoped("runs so many at once, and ends those that take too long", () =>
    Effect.gen(function* () {
      let [running, most] = [0, 0]
      const names = yield* NameLookup.make({
        lookup: () =>
          Effect.suspend(() => {
            most = Math.max(most, ++running)
            return Effect.never
          }).pipe(Effect.ensuring(Effect.sync(() => running--))),
        concurrency: 3,
        timeout: "5 seconds"
      })
      const fibers = yield* Effect.all(
        Array.from({ length: 5 }, (_, i) => Effect.fork(Effect.either(names(name(`a${i}.test`)))))
      )
      for (let i = 0; i < 50; i++) yield* Effect.yieldNow()
      assert.deepStrictEqual([running, most], [3, 3])
      yield* TestClock.adjust("5 seconds")
      yield* TestClock.adjust("5 seconds")
      const ends = yield* Effect.all(fibers.map((fiber) => Fiber.join(fiber)))
      assert.deepStrictEqual(
        ends.map(Either.match({ onLeft: ({ _tag }) => _tag, onRight: () => "" })),
        ends.map(() => "TlsTimeoutError")
      )
      assert.deepStrictEqual([running, most], [0, 3])
    })
  )

  scopedLookups("asks once also for those who wait for a turn", (names, { asked, gates }) =>
    Effect.gen(function* () {
      const [slow, ...waiting] = yield* Effect.all(
        ["slow.test", "a.test", "a.test", "b.test", "a.test"].map((one) => Effect.fork(names(name(one))))
      )
      yield* turns
      assert.deepStrictEqual(asked, ["slow.test"])
      yield* Deferred.succeed(gates("slow.test"), Option.none())
      assertNone(yield* Fiber.join(slow!))
      yield* Deferred.succeed(gates("a.test"), Option.some("a"))
      yield* Deferred.succeed(gates("b.test"), Option.some("b"))
      const found = yield* Effect.all(waiting.map((fiber) => Fiber.join(fiber)))
      assert.deepStrictEqual(found.map(Option.getOrNull), ["a", "a", "b", "a"])
      assert.deepStrictEqual(asked, ["slow.test", "a.test", "b.test"])
    })
  )

  scopedLookups("does not begin for those who have gone", (names, { asked, gates }) =>
    Effect.gen(function* () {
      const slow = yield* Effect.fork(names(name("slow.test")))
      yield* turns
      const [gone, alsoGone, stays, lateGone] = yield* Effect.all(
        ["gone.test", "gone.test", "stays.test", "stays.test"].map((one) => Effect.fork(names(name(one))))
      )
      yield* turns
      yield* Fiber.interruptAll([gone!, alsoGone!, lateGone!])
      yield* Deferred.succeed(gates("slow.test"), Option.none())
      yield* Deferred.succeed(gates("stays.test"), Option.some("stayed"))
      yield* Fiber.join(slow)
      assertSome(yield* Fiber.join(stays!), "stayed")
      yield* turns
      assert.deepStrictEqual(asked, ["slow.test", "stays.test"])
      // Whoever asks again is answered.
      yield* Deferred.succeed(gates("gone.test"), Option.some("here"))
      assertSome(yield* names(name("gone.test")), "here")
    })
  )

  it.scoped("frees what a lookup acquired: at once if it found nothing, else some time after it was forgotten", () =>
    Effect.gen(function* () {
      const freed: Array<string> = []
      const scope = yield* Scope.make()
      const names = yield* Scope.extend(
        NameLookup.make({
          lookup: (serverName) =>
            Effect.zipRight(
              Effect.addFinalizer(() => Effect.sync(() => freed.push(serverName.toString()))),
              serverName.toString() === "fails.test"
                ? Effect.fail("down")
                : Effect.succeed(
                    serverName.toString().startsWith("has")
                      ? Option.some(serverName)
                      : Option.none<ServerName.ServerName>()
                  )
            ),
          capacity: 2,
          timeToLive: "1 hour",
          linger: "30 seconds"
        }),
        scope
      )
      yield* names(name("none.test"))
      yield* Effect.flip(names(name("fails.test")))
      assert.deepStrictEqual(freed.splice(0), ["none.test", "fails.test"])
      yield* Effect.forEach(["has1.test", "has2.test", "has3.test"], (one) => names(name(one)))
      yield* turns
      yield* TestClock.adjust("29 seconds")
      assert.deepStrictEqual(freed, [])
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(freed.splice(0), ["has1.test"])
      yield* TestClock.adjust("1 hour")
      yield* names(name("has2.test"))
      yield* turns
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(freed.splice(0), ["has2.test"])
      yield* Scope.close(scope, Exit.void)
      assert.sameMembers(freed, ["has2.test", "has3.test"])
      assert.isTrue(Exit.isInterrupted(yield* Effect.exit(names(name("has4.test")))))
    })
  )

  it.scoped("what is no lookup fails those who ask, and nothing else", () =>
    Effect.gen(function* () {
      let answer: unknown
      const names = yield* NameLookup.make({
        lookup: () => answer as Effect.Effect<Option.Option<number>>,
        concurrency: 1
      })
      for (const silly of [undefined, 7, Effect.succeed(undefined), Effect.die("a defect"), Effect.interrupt]) {
        answer = silly
        const exit = yield* Effect.exit(names(name("a.test")))
        assert.isTrue(Exit.isFailure(exit))
      }
      answer = Effect.succeedSome(1)
      assertSome(yield* names(name("a.test")), 1)
    })
  )

  for (const options of [{ capacity: 0 }, { concurrency: 0 }, { concurrency: NaN }]) {
    it.scoped(`refuses ${JSON.stringify(options)}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(NameLookup.make({ ...makeSource(), ...options }))
        assert.strictEqual(error.message, `${Object.keys(options)[0]}: a whole number from 1 is needed`)
      })
    )
  }
})

describe("what a lookup is for", () => {
  it.scoped("a server's identities, and its contexts", () =>
    Effect.gen(function* () {
      const made = identities.makeSync({ subject: "looked up" })
      const found = yield* NameLookup.make({
        lookup: (serverName) =>
          Effect.succeed(serverName.toString() === "has.test" ? Option.some(made.identity) : Option.none())
      })
      const contexts = yield* NameLookup.make({
        lookup: (serverName) =>
          Effect.succeed(
            serverName.toString() === "has.test"
              ? Option.some(SecureContexts.withIdentity(SecureContexts.empty, made.identity))
              : Option.none()
          )
      })
      const others = yield* harness.serverContext()
      const servers = [
        SecureContexts.withIdentityResolver(
          SecureContexts.empty,
          NameLookup.identityResolver(found, { unnamed: others.identities })
        ),
        SecureContexts.withContextSelector(others, NameLookup.contextSelector(contexts))
      ]
      for (const server of servers) {
        const shown = (serverName: string) =>
          Effect.map(harness.connected({ server, serverName }), ({ client }) =>
            String(client.info.peerCertificates[0]!.subject.commonName)
          )
        assert.strictEqual(yield* shown("has.test"), "looked up")
        assert.strictEqual(yield* shown("127.0.0.1"), "localhost")
      }
      const refused = yield* Effect.flip(harness.connected({ server: servers[0]!, serverName: "none.test" }))
      assert.match(refused.message, /unrecognized_name/)
    }).pipe(Effect.provide(harness.layer))
  )
})
