/** Which context a server goes by for a name, and what that context decides. */
import { assert, describe, it } from "@effect/vitest"
import { assertNone, assertSome } from "@effect/vitest/utils"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Struct from "effect/Struct"
import type { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import * as SecureContexts from "../../src/core/SecureContext.ts"
import type { SecureContext } from "../../src/core/SecureContext.ts"
import * as ServerNameSelection from "../../src/core/ServerNameSelection.ts"
import * as ServerName from "../../src/schema/ServerName.ts"
import * as harness from "../support/harness.ts"
import * as identities from "../support/identities.ts"

const scoped = (name: string, body: () => Effect.Effect<unknown, unknown, CryptoProvider | Scope.Scope>) =>
  it.scoped(name, () => body().pipe(Effect.provide(harness.layer)))

const named = (subject: string): SecureContext =>
  SecureContexts.withIdentity(SecureContexts.empty, identities.makeSync({ subject, names: ["whatever.test"] }).identity)

const select = (base: SecureContext, names: ReadonlyArray<readonly [string, SecureContext]>): SecureContext =>
  Either.getOrThrowWith(ServerNameSelection.select(base, names), (error) => error)

/** Whose certificate a client sees that asks for a name, or the error. */
const shownFor = (server: SecureContext, serverName: string) =>
  harness.connected({ server, serverName }).pipe(
    Effect.map(({ client }) => client.info.peerCertificates[0]!.subject.commonName ?? ""),
    Effect.catchAll((error) => Effect.succeed(`${error._tag}: ${error.message}`)),
    Effect.scoped
  )

describe("selecting by name", () => {
  const [others, exact, wild, late] = ["others", "exact", "wild", "late"].map(named) as [
    SecureContext,
    SecureContext,
    SecureContext,
    SecureContext
  ]
  const server = select(others, [
    ["*.example.org", wild],
    ["Mail.Example.ORG", exact],
    ["a.test", exact],
    ["*.test", wild],
    ["twice.org", exact],
    ["twice.org", late]
  ])

  for (const [serverName, shown] of [
    ["mail.example.org", "exact"],
    ["MAIL.example.org", "exact"],
    ["www.example.org", "wild"],
    ["example.org", "others"],
    ["a.b.example.org", "others"],
    ["a.test", "wild"],
    ["b.test", "wild"],
    ["twice.org", "late"],
    ["elsewhere.net", "others"],
    ["127.0.0.1", "others"]
  ] as const) {
    scoped(`${serverName}: ${shown}`, () =>
      Effect.map(shownFor(server, serverName), (who) => assert.strictEqual(who, shown))
    )
  }

  scoped("a name that nobody has is refused where there is no other identity", () =>
    Effect.gen(function* () {
      const only = select(SecureContexts.empty, [["only.test", exact]])
      assert.strictEqual(yield* shownFor(only, "only.test"), "exact")
      assert.match(yield* shownFor(only, "other.test"), /^AlertError: .*unrecognized_name/)
    })
  )

  scoped("selecting again adds names, before those there are", () =>
    Effect.gen(function* () {
      const more = select(server, [["www.example.org", late]])
      assert.strictEqual(yield* shownFor(more, "www.example.org"), "late")
      assert.strictEqual(yield* shownFor(more, "mail.example.org"), "exact")
    })
  )

  scoped("ten thousand names are looked up, not searched for", () =>
    Effect.gen(function* () {
      const names = Array.from(
        { length: 10_000 },
        (_, i) => [`host-${i}.example.com`, i === 9_999 ? late : wild] as const
      )
      const many = select(others, names)
      assert.strictEqual(yield* shownFor(many, "host-9999.example.com"), "late")
      assert.strictEqual(yield* shownFor(many, "host-0.example.com"), "wild")
      // A search through ten thousand names, a hundred thousand times, takes a minute.
      const hello = {} as Parameters<NonNullable<SecureContext["selectContext"]>>[1]
      const serverName = yield* ServerName.parse("host-5000.example.com")
      const started = performance.now()
      for (let i = 0; i < 100_000; i++) many.selectContext!(Option.some(serverName), hello)
      assert.isBelow(performance.now() - started, 10_000)
    })
  )

  scoped("names added one by one stand in one table, and what there was before is left alone", () =>
    Effect.gen(function* () {
      let grown: SecureContext = { ...others, selectContext: () => Effect.succeedSome(late) }
      // Were each selection to ask the one before, the stack would not be deep enough.
      for (let i = 0; i < 30_000; i++) grown = select(grown, [[`host-${i}.example.com`, exact]])
      const more = select(grown, [["host-0.example.com", wild]])
      const ask = (context: SecureContext, name: string) =>
        Effect.map(
          context.selectContext!(Option.some(Either.getOrThrow(ServerName.parse(name))), {} as never),
          Option.getOrNull
        )
      assert.strictEqual(yield* ask(grown, "host-0.example.com"), exact)
      assert.strictEqual(yield* ask(more, "host-0.example.com"), wild)
      assert.strictEqual(yield* ask(more, "host-29999.example.com"), exact)
      assert.strictEqual(yield* ask(more, "elsewhere.net"), late)
    })
  )

  it("refuses a context that selects by itself, which nobody would ask", () => {
    const error = Either.getOrThrow(Either.flip(ServerNameSelection.select(others, [["a.test", server]])))
    assert.strictEqual(error.message, 'names[0]: the context for "a.test" selects by name itself: add its names here')
  })

  for (const [name, message] of [
    ["*", /a wildcard is all of the first label/],
    ["a*.example.org", /a wildcard is all of the first label/],
    ["*.*.example.org", /a wildcard is all of the first label/],
    ["", /it is empty/],
    ["192.0.2.1", /never for an address/],
    ["exa mple.org", /is not a label/]
  ] as const) {
    it(`refuses ${JSON.stringify(name)}`, () => {
      const error = Either.getOrThrow(
        Either.flip(
          ServerNameSelection.select(others, [
            ["fine.test", exact],
            [name, exact]
          ])
        )
      )
      assert.strictEqual(error.issues[0].path, "names[1]")
      assert.match(error.message, message)
    })
  }

  it("refuses a name for which there is no identity", () => {
    const error = Either.getOrThrow(
      Either.flip(SecureContexts.empty.pipe(ServerNameSelection.select([["a.test", SecureContexts.empty]])))
    )
    assert.strictEqual(error.message, 'names[0]: there is no identity for "a.test"')
  })
})

describe("the laws of selecting", () => {
  const label = FastCheck.constantFrom("a", "www")
  const anyCase = (name: string) =>
    FastCheck.infiniteStream(FastCheck.boolean()).map((upper) =>
      [...name].map((letter) => (upper.next().value ? letter.toUpperCase() : letter)).join("")
    )
  const name = FastCheck.array(label, { minLength: 1, maxLength: 3 })
    .map((labels) => labels.join("."))
    .chain(anyCase)
  const pattern = FastCheck.tuple(FastCheck.boolean(), name).map(([wildcard, rest]) => (wildcard ? `*.${rest}` : rest))
  /** Each name with a context of its own. */
  const table = FastCheck.array(
    pattern.map((each) => [each, SecureContexts.withAlpn(SecureContexts.empty, [each])] as const),
    { maxLength: 12 }
  )
  const base = SecureContexts.withIdentity(SecureContexts.empty, identities.server.identity)
  const hello = {} as Parameters<NonNullable<SecureContext["selectContext"]>>[1]

  const found = (server: SecureContext, asked: string) =>
    Option.getOrUndefined(
      Effect.runSync(Effect.orDie(server.selectContext!(ServerName.parse(asked).pipe(Option.getRight), hello)))
    )

  /** A walk through the whole table, from its end. */
  const walk = (names: ReadonlyArray<readonly [string, SecureContext]>, asked: string) => {
    const lower = asked.toLowerCase()
    const fits = ([each]: readonly [string, SecureContext]) =>
      each.startsWith("*.")
        ? lower.split(".").length === each.split(".").length && lower.endsWith(each.slice(1).toLowerCase())
        : lower === each.toLowerCase()
    return [...names].reverse().find(fits)?.[1]
  }

  it.prop(
    "the last one added wins, exact or wildcard, in any case",
    [table, FastCheck.array(name)],
    ([names, asked]) => {
      const server = select(base, names)
      for (const each of asked) assert.strictEqual(found(server, each), walk(names, each), each)
    }
  )

  it("what is asked for is found often, and often not, without which the law would say little", () => {
    const samples = FastCheck.sample(FastCheck.tuple(table, name), 1000)
    const hits = samples.filter(([names, asked]) => walk(names, asked) !== undefined).length
    assert.isAbove(hits, 100)
    assert.isBelow(hits, 900)
  })

  it.prop("case does not matter", [table, name], ([names, asked]) => {
    const server = select(base, names)
    const upper = select(
      base,
      names.map(([each, context]) => [each.toUpperCase(), context] as const)
    )
    for (const each of [asked, asked.toLowerCase(), asked.toUpperCase()]) {
      assert.strictEqual(found(server, each), found(server, asked))
      assert.strictEqual(found(upper, each), found(server, asked))
    }
  })

  it.prop("selecting again adds to the end of the table", [table, table, name], ([first, second, asked]) =>
    assert.strictEqual(
      found(select(select(base, first), second), asked),
      found(select(base, [...first, ...second]), asked)
    )
  )

  it.prop("leaves all else as it was", [table], ([names]) => {
    const others = (context: SecureContext) => Struct.omit(context, "pipe", "selectContext")
    assert.deepStrictEqual(others(select(base, names)), others(base))
  })
})

describe("what a selected context decides", () => {
  const client = identities.client

  scoped("client authentication, and whom to believe", () =>
    Effect.gen(function* () {
      const base = yield* harness.serverContext({}, harness.verifier(undefined, "the base's"))
      const admin = yield* Effect.orDie(
        SecureContexts.make({ trust: { clientAuthentication: "require", anchors: client.certificatePem } })
      )
      const server = select(base, [["admin.test", admin]])
      const withIdentity = yield* harness.context({ identity: client.options })
      const open = yield* harness.connected({ client: withIdentity, server, serverName: "www.test" })
      assert.strictEqual(open.server.info.peer._tag, "Anonymous")
      const closed = yield* Effect.flip(harness.connected({ server, serverName: "admin.test" }))
      assert.strictEqual(closed.message, "the client showed no certificate")
    })
  )

  scoped("the verifier of the name, not the server's", () =>
    Effect.gen(function* () {
      const base = yield* harness.serverContext({}, harness.verifier(undefined, "the base's"))
      const admin = yield* harness.context(
        { trust: { clientAuthentication: "require" } },
        harness.verifier(undefined, "its own")
      )
      const server = select(base, [["admin.test", admin]])
      const withIdentity = yield* harness.context({ identity: client.options })
      const { server: accepted } = yield* harness.connected({ client: withIdentity, server, serverName: "admin.test" })
      assert.strictEqual(accepted.info.peer._tag, "Verified")
    })
  )

  scoped("application protocols", () =>
    Effect.gen(function* () {
      const base = yield* harness.serverContext({ protocol: { alpn: ["http/1.1"] } })
      const h2 = yield* harness.context({ protocol: { alpn: ["h2"] } })
      const server = select(base, [["h2.test", h2]])
      const both = yield* harness.context({ protocol: { alpn: ["http/1.1", "h2"] } })
      const selected = yield* harness.connected({ client: both, server, serverName: "h2.test" })
      const other = yield* harness.connected({ client: both, server, serverName: "other.test" })
      assertSome(selected.client.info.alpn, "h2")
      assertSome(other.client.info.alpn, "http/1.1")
      assertNone((yield* harness.connected({ server, serverName: "h2.test" })).client.info.alpn)
    })
  )

  scoped("suites and groups", () =>
    Effect.gen(function* () {
      const base = yield* harness.serverContext()
      const picky = yield* harness.context({
        protocol: { cipherSuites: ["TLS_CHACHA20_POLY1305_SHA256"], groups: ["secp384r1"] }
      })
      const server = select(base, [["picky.test", picky]])
      const { client: connection } = yield* harness.connected({ server, serverName: "picky.test" })
      assert.strictEqual(connection.info.cipherSuite, "TLS_CHACHA20_POLY1305_SHA256")
      assert.strictEqual(connection.info.group, "secp384r1")
    })
  )

  scoped("a selector may take its time, and one that fails ends that connection only", () =>
    Effect.gen(function* () {
      const base = yield* harness.serverContext()
      const late = named("late")
      const server = SecureContexts.withContextSelector(base, (name) =>
        Option.isSome(name) && name.value.toString() === "broken.test"
          ? Effect.fail("out of order")
          : Effect.as(Effect.yieldNow(), Option.some(late))
      )
      assert.strictEqual(yield* shownFor(server, "slow.test"), "late")
      assert.match(yield* shownFor(server, "broken.test"), /internal_error/)
    })
  )
})
