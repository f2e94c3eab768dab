import { assert, describe, it } from "@effect/vitest"
import { assertNone, assertSome } from "@effect/vitest/utils"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import * as CertificateBuilder from "../../src/core/CertificateBuilder.ts"
import * as OcspStapler from "../../src/core/OcspStapler.ts"
import * as SecureContext from "../../src/core/SecureContext.ts"
import * as CertificateExtension from "../../src/schema/CertificateExtension.ts"
import * as harness from "../support/harness.ts"
import { layer } from "../support/harness.ts"

import { type Answer, fetcher, ocspAt, test, web, world, type World } from "../support/web.ts"

describe("OcspStapler", () => {
  const quiet = Logger.replace(Logger.defaultLogger, Logger.none)
  const stapler = (
    { ca, server }: World,
    site: ReturnType<typeof web>,
    options: Partial<OcspStapler.StaplerOptions> = {}
  ) =>
    OcspStapler.make({ identity: server.identity, issuer: ca.certificate, ...options }).pipe(Effect.provide(site.layer))

  test("has a response from the start, asks again at half of its time, and gives the last one until its end", (all) =>
    Effect.gen(function* () {
      let answer: Answer = (yield* all.respond({ validFor: "8 hours" })).der
      const first = answer
      const site = web(() => Effect.sync(() => answer))
      const { certificate, current, respond } = yield* stapler(all, site)
      assert.strictEqual(certificate, all.server.certificate)
      const der = Effect.map(
        current,
        Option.map((response) => response.der)
      )
      assertSome(yield* der, first)
      assertSome(yield* respond(all.server.certificate, Option.none(), null as never), yield* Effect.flatten(current))
      assertNone(yield* respond(all.ca.certificate, Option.none(), null as never))
      yield* TestClock.adjust("3 hours")
      assert.lengthOf(site.asked, 1)
      yield* TestClock.adjust("1 hour")
      assert.lengthOf(site.asked, 2)
      // From here on nobody answers: first after a minute, then two, four …
      answer = 500
      yield* TestClock.adjust("2 hours")
      assert.lengthOf(site.asked, 3)
      yield* TestClock.adjust("1 minute")
      assert.lengthOf(site.asked, 4)
      yield* TestClock.adjust("1 minute")
      assert.lengthOf(site.asked, 4)
      yield* TestClock.adjust("1 minute")
      assert.lengthOf(site.asked, 5)
      yield* TestClock.adjust("117 minutes")
      assertSome(yield* der, first)
      yield* TestClock.adjust("1 second")
      assertNone(yield* der)
      // And when it does again, it is asked as before.
      answer = (yield* all.respond({ validFor: "8 hours" })).der
      yield* TestClock.adjust("1 hour")
      assertSome(yield* der, answer)
    }).pipe(Effect.provide(quiet)))

  test("keeps nothing that clients would not believe", (all) =>
    Effect.gen(function* () {
      const good = yield* all.respond()
      let answer = good.der
      const site = web(() => Effect.sync(() => answer))
      const { current, refresh } = yield* stapler(all, site)
      const bad = Uint8Array.from(good.der)
      bad[bad.length - 1]! ^= 1
      const unknown = yield* all.respond({ statuses: [{ certificate: all.server.certificate, status: "unknown" }] })
      for (const [der, why] of [
        [bad, "signature"],
        [unknown.der, "does not know it"],
        [Uint8Array.of(5), "no OCSP response"]
      ] as const) {
        // prettier-ignore
        answer = der
        assert.include(yield* Effect.flip(refresh), why)
        assertSome(yield* current, good)
      }
      // It hides nothing.
      answer = (yield* all.respond(all.revoked)).der
      yield* refresh
      assert.deepStrictEqual((yield* Effect.flatten(current)).der, answer)
    }).pipe(Effect.provide(quiet)))

  test("starts without a response when nobody answers", (all) =>
    Effect.gen(function* () {
      let answer: Answer = "break"
      const site = web(() => Effect.sync(() => answer))
      const { current } = yield* stapler(all, site, { retry: "10 seconds" })
      assertNone(yield* current)
      const good = yield* all.respond()
      answer = good.der
      yield* TestClock.adjust("10 seconds")
      assertSome(yield* current, good)
    }).pipe(Effect.provide(quiet)))

  it.effect("stops with its Scope", () =>
    Effect.gen(function* () {
      const all = yield* world
      const site = web(() => Effect.succeed(500))
      yield* Effect.scoped(stapler(all, site))
      yield* TestClock.adjust("10 days")
      assert.lengthOf(site.asked, 1)
    }).pipe(Effect.provide(quiet), Effect.provide(layer))
  )

  test("says what it lacks", (all) =>
    Effect.gen(function* () {
      const site = web(() => Effect.succeed(500))
      const silent = yield* CertificateBuilder.issue(all.ca, { names: ["server.example"] })
      const make = (options: OcspStapler.StaplerOptions) =>
        OcspStapler.make(options).pipe(Effect.provide(site.layer), Effect.flip)
      const alone = yield* make({ identity: all.server.identity })
      assert.deepStrictEqual(
        alone.issues.map(({ path }) => path),
        ["issuer"]
      )
      const nowhere = yield* make({ identity: silent.identity, issuer: all.ca.certificate })
      assert.deepStrictEqual(
        nowhere.issues.map(({ path }) => path),
        ["url"]
      )
      assert.lengthOf(site.asked, 0)
      yield* stapler(all, site, { identity: silent.identity, url: "http://other.example/" })
      assert.include(site.asked[0]!.url, "http://other.example/")
    }).pipe(Effect.provide(quiet)))

  test("serves several identities, and clients that demand a staple", (all) =>
    Effect.gen(function* () {
      const strict = yield* all.issue(
        ocspAt("http://ocsp.example/"),
        CertificateExtension.make({ _tag: "TlsFeature", features: [5] })
      )
      const good = yield* all.respond({ statuses: [strict, all.server].map(({ certificate }) => ({ certificate })) as never }) // prettier-ignore
      const site = web(() => Effect.succeed(good.der))
      const staplers = [yield* stapler(all, site), yield* stapler(all, site, { identity: strict.identity })]
      const server = yield* SecureContext.make({
        identity: strict.identity,
        ocspResponse: OcspStapler.respondAll(staplers)
      })
      const client = yield* SecureContext.make({
        trust: { anchors: all.ca.certificate, revocation: { mode: "hard-fail" } }
      })
      const connected = yield* harness.connected({ client, server, serverName: "server.example" })
      assertSome(connected.client.info.peerStaple, good.der)
      // One that goes by what it fetches itself, by the options of a context.
      const fetch = yield* fetcher(site)
      const asked = site.asked.length
      const own = yield* SecureContext.make({
        trust: { anchors: all.ca.certificate, revocation: { staple: "ignore", fetch } }
      })
      const again = yield* harness.connected({ client: own, server, serverName: "server.example" })
      assertNone(again.client.info.peerStaple)
      assert.strictEqual(site.asked.length, asked + 1)
      const wrong = yield* Effect.flip(SecureContext.make({ trust: { revocation: { fetch: {} as never } } }))
      assert.deepStrictEqual(
        wrong.issues.map(({ message, path }) => [path, message]),
        [["trust.revocation.fetch", "expected a RevocationFetcher"]]
      )
      assertNone(yield* OcspStapler.respondAll([])(strict.certificate, Option.none(), null as never))
    }))
})
