import { assert, describe, it } from "@effect/vitest"
import { assertNone, assertSome } from "@effect/vitest/utils"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import type { CryptoProviderService } from "../../src/core/CryptoProvider.ts"
import { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import type { TicketKeys, TicketKeysOptions } from "../../src/core/TicketKeys.ts"
import * as TicketKeysModule from "../../src/core/TicketKeys.ts"
import * as NobleCrypto from "../../src/layers/NobleCrypto.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import { flipped } from "../support/edits.ts"

const providers: ReadonlyArray<readonly [string, CryptoProviderService]> = [
  ["node", NodeCrypto.make()],
  ["noble", NobleCrypto.make()]
]
const hours = (count: number): number => count * 3_600_000
const session = Uint8Array.from({ length: 300 }, (_, i) => i)
const secret = (byte: number, length = 32) => Redacted.make(new Uint8Array(length).fill(byte))
const opens = (keys: TicketKeys, ticket: Uint8Array): Effect.Effect<Option.Option<Uint8Array>> =>
  Effect.orDie(keys.open(ticket))
const seal = (keys: TicketKeys): Effect.Effect<Uint8Array> => Effect.orDie(keys.seal(session.slice()))

describe.each(providers)("ticket keys by %s", (_, crypto) => {
  const provided = Effect.provideService(CryptoProvider, crypto)
  const make = (options?: TicketKeysOptions) => provided(TicketKeysModule.make(options))
  const shared = (byte: number, options?: TicketKeysOptions) =>
    provided(TicketKeysModule.fromSecret(secret(byte), options))

  it.scoped("open what they sealed, and nothing that was changed", () =>
    Effect.gen(function* () {
      const keys = yield* make()
      const ticket = yield* seal(keys)
      assertSome(yield* opens(keys, ticket), session)
      // The same twice is two tickets: nobody sees that they are of one session.
      assert.notDeepEqual(yield* seal(keys), ticket)
      for (let at = 0; at < ticket.length; at += 7) assertNone(yield* opens(keys, flipped(ticket, at)))
      for (const length of [0, 1, 15, 16, 47, 48, 63, ticket.length - 1]) {
        assertNone(yield* opens(keys, ticket.subarray(0, length)))
      }
      assertNone(yield* opens(yield* make(), ticket))
    })
  )

  it.scoped("rotate by the clock, and open with as many as they are told before the one of now", () =>
    Effect.gen(function* () {
      for (const [previous, opening] of [
        [0, 1],
        [1, 2],
        [3, 4]
      ] as const) {
        yield* TestClock.setTime(hours(600))
        const keys = yield* make({ rotation: "1 hour", previous })
        const ticket = yield* seal(keys)
        for (let hour = 0; hour < opening; hour++) {
          yield* TestClock.setTime(hours(600 + hour) + hours(1) - 1)
          assertSome(yield* opens(keys, ticket), session)
          yield* seal(keys)
        }
        yield* TestClock.setTime(hours(600 + opening))
        assertNone(yield* opens(keys, ticket))
      }
    })
  )

  it.scoped("survive a clock that is set back by a little", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(hours(600))
      const keys = yield* make({ rotation: "1 hour" })
      const ticket = yield* seal(keys)
      yield* TestClock.setTime(hours(600) - 1)
      assertSome(yield* opens(keys, ticket), session)
      yield* seal(keys)
      yield* TestClock.setTime(hours(600))
      assertSome(yield* opens(keys, ticket), session)
    })
  )

  it.scoped("are the same to all who have the secret, with clocks a key apart", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(hours(600))
      const [one, other, stranger] = [yield* shared(1), yield* shared(1), yield* shared(2)]
      const ticket = yield* seal(one)
      assertSome(yield* opens(other, ticket), session)
      assertNone(yield* opens(stranger, ticket))
      yield* TestClock.setTime(hours(594))
      assertSome(yield* opens(other, ticket), session)
      yield* TestClock.setTime(hours(588))
      assertNone(yield* opens(other, ticket))
      yield* TestClock.setTime(hours(606))
      assertSome(yield* opens(other, ticket), session)
      yield* TestClock.setTime(hours(612))
      assertNone(yield* opens(other, ticket))
    })
  )

  it.scoped("stay for ever where they are told to, from 1970 on", () =>
    Effect.gen(function* () {
      const keys = yield* shared(1, { rotation: Duration.infinity, previous: 0 })
      const ticket = yield* seal(keys)
      yield* TestClock.setTime(Date.UTC(2100, 0, 1))
      assertSome(yield* opens(keys, ticket), session)
    })
  )

  it.effect("are gone with their Scope", () =>
    Effect.gen(function* () {
      for (const made of [make(), shared(1)]) {
        const scope = yield* Scope.make()
        const keys = yield* Scope.extend(made, scope)
        const ticket = yield* seal(keys)
        yield* Scope.close(scope, Exit.void)
        assertNone(yield* opens(keys, ticket))
        assert.isTrue(Exit.isFailure(yield* Effect.exit(keys.seal(session.slice()))))
      }
    })
  )

  it.scoped("are refused where they would be none", () =>
    Effect.gen(function* () {
      const refusals: ReadonlyArray<readonly [Effect.Effect<TicketKeys, unknown, Scope.Scope>, string, RegExp]> = [
        [make({ rotation: 0 }), "rotation", /a second at least/],
        [make({ rotation: "999 millis" }), "rotation", /a second at least/],
        [make({ previous: -1 }), "previous", /from 0 to 100, found -1/],
        [make({ previous: 1.5 }), "previous", /from 0 to 100, found 1.5/],
        [provided(TicketKeysModule.fromSecret(secret(1, 31))), "secret", /^32 bytes are needed at least, found 31$/]
      ]
      for (const [made, path, message] of refusals) {
        const error = yield* Effect.flip(made)
        assert(typeof error === "object" && error !== null && "issues" in error)
        const [issue] = error.issues as ReadonlyArray<{ readonly path: string; readonly message: string }>
        assert.strictEqual(issue?.path, path)
        assert.match(issue!.message, message)
      }
    })
  )
})

it.scoped("ticket keys of a provider without an AEAD are an error", () =>
  Effect.gen(function* () {
    const crypto = NodeCrypto.make()
    const without = { ...crypto, capabilities: { ...crypto.capabilities, aeads: new Set<never>() } }
    const error = yield* Effect.flip(Effect.provideService(TicketKeysModule.make(), CryptoProvider, without))
    assert.deepInclude(error, { reason: "Unsupported" })
  })
)

it.scoped("ticket keys of two providers open each other's tickets", () =>
  Effect.gen(function* () {
    const [node, noble] = yield* Effect.all(
      providers.map(([, crypto]) =>
        Effect.provideService(TicketKeysModule.fromSecret(secret(9)), CryptoProvider, crypto)
      )
    )
    assertSome(yield* opens(noble!, yield* seal(node!)), session)
    assertSome(yield* opens(node!, yield* seal(noble!)), session)
  })
)
