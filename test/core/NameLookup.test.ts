/** Lookups of names: remembered, shared, bounded, and not interrupted by who began them. */
import { assert, describe, it } from "@effect/vitest"
import { assertNone, assertSome } from "@effect/vitest/utils"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
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
        { ...others, selectContext: NameLookup.contextSelector(contexts) }
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
