import { assert, describe, it } from "@effect/vitest"
import { assertNone } from "@effect/vitest/utils"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as SessionCache from "../../src/core/SessionCache.ts"
import * as CipherSuite from "../../src/schema/CipherSuite.ts"
import type { ClientSession } from "../../src/schema/Session.ts"
import * as SignatureScheme from "../../src/schema/SignatureScheme.ts"

const session = (ticket: number): ClientSession => ({
  cipherSuite: CipherSuite.make(0x1301),
  secret: Redacted.make(new Uint8Array(32).fill(7)),
  createdAt: 0,
  lifetime: 60,
  authenticatedAt: 0,
  binding: new Uint8Array(32),
  alpn: "",
  serverScheme: SignatureScheme.make(0x0403),
  clientScheme: undefined,
  certificates: [],
  staple: undefined,
  ticket: Uint8Array.of(ticket),
  ageAdd: 0
})
const isWiped = ({ secret }: ClientSession): boolean => Redacted.value(secret).every((byte) => byte === 0)

describe("a cache of sessions in memory", () => {
  it.scoped("gives the newest first, each once", () =>
    Effect.gen(function* () {
      const cache = yield* SessionCache.make()
      for (const ticket of [1, 2, 3]) yield* cache.put("a", session(ticket))
      yield* cache.put("b", session(4))
      const taken: Array<number> = []
      for (let i = 0; i < 3; i++) taken.push(Option.getOrThrow(yield* cache.take("a")).ticket[0]!)
      assert.deepStrictEqual(taken, [3, 2, 1])
      assertNone(yield* cache.take("a"))
      assert.deepStrictEqual(Option.getOrThrow(yield* cache.take("b")).ticket, Uint8Array.of(4))
      assertNone(yield* cache.take("c"))
    })
  )

  it.scoped("keeps eight of a server, the newest, and wipes the others", () =>
    Effect.gen(function* () {
      const cache = yield* SessionCache.make()
      const sessions = Array.from({ length: 10 }, (_, i) => session(i))
      for (const one of sessions) yield* cache.put("a", one)
      assert.deepStrictEqual(sessions.map(isWiped), [true, true, ...Array.from({ length: 8 }, () => false)])
      for (let i = 9; i >= 2; i--) assert.strictEqual(Option.getOrThrow(yield* cache.take("a")), sessions[i])
      assertNone(yield* cache.take("a"))
    })
  )

  it.scoped("knows as many servers as it is told, those that gave it sessions last", () =>
    Effect.gen(function* () {
      const cache = yield* SessionCache.make({ servers: 2, perServer: 1 })
      const [a, b, c, again] = [session(1), session(2), session(3), session(4)]
      yield* cache.put("a", a!)
      yield* cache.put("b", b!)
      yield* cache.put("a", again!)
      yield* cache.put("c", c!)
      assertNone(yield* cache.take("b"))
      assert.deepStrictEqual([a!, b!, c!, again!].map(isWiped), [true, true, false, false])
      assert.strictEqual(Option.getOrThrow(yield* cache.take("a")), again)
      assert.strictEqual(Option.getOrThrow(yield* cache.take("c")), c)
    })
  )

  it.effect("wipes its secrets with its Scope, and what comes later, but not what was taken", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const cache = yield* Scope.extend(SessionCache.make(), scope)
      const [kept, taken, late] = [session(1), session(2), session(3)]
      yield* cache.put("a", kept)
      yield* cache.put("a", taken)
      yield* cache.take("a")
      yield* Scope.close(scope, Exit.void)
      yield* cache.put("a", late)
      assert.deepStrictEqual([kept, taken, late].map(isWiped), [true, false, true])
      assertNone(yield* cache.take("a"))
    })
  )

  it.scoped("is refused where it could keep nothing", () =>
    Effect.gen(function* () {
      for (const [options, path] of [
        [{ servers: 0 }, "servers"],
        [{ perServer: 1.5 }, "perServer"]
      ] as const) {
        const error = yield* Effect.flip(SessionCache.make(options))
        assert.strictEqual(error.issues[0].path, path)
        assert.match(error.issues[0].message, /^a whole number from 1 is needed, found /)
      }
    })
  )
})
