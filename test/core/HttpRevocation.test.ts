import { assert, describe, it } from "@effect/vitest"
import { assertNone } from "@effect/vitest/utils"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as CertificateBuilder from "../../src/core/CertificateBuilder.ts"
import * as CrlBuilder from "../../src/core/CertificateRevocationListBuilder.ts"
import * as OcspResponseBuilder from "../../src/core/OcspResponseBuilder.ts"
import type { FetcherOptions } from "../../src/core/HttpRevocation.ts"
import * as OcspRequest from "../../src/schema/OcspRequest.ts"
import { layer, now } from "../support/harness.ts"

import { type Answer, fetcher, hour, minute, ocspAt, reason, test, verify, web, world } from "../support/web.ts"

describe("HttpRevocation", () => {
  test("asks the OCSP responder that the certificate names, and remembers its answer until its end", (all) =>
    Effect.gen(function* () {
      const good = yield* all.respond({ validFor: "1 hour" })
      const site = web(() => Effect.succeed(good.der))
      const fetch = yield* fetcher(site)
      for (const time of [0, 59 * minute]) {
        yield* TestClock.setTime(now + time)
        assert.strictEqual(yield* verify(all, { fetch }), "good")
        assert.lengthOf(site.asked, 1)
      }
      const [request] = site.asked
      assert.strictEqual(request!.method, "GET")
      assert.strictEqual(request!.headers["accept"], "application/ocsp-response")
      const { hostname, pathname } = new URL(request!.url)
      assert.strictEqual(hostname, "ocsp.example")
      const bytes = Uint8Array.from(Buffer.from(decodeURIComponent(pathname.slice(1)), "base64"))
      const { certificates, nonce } = Either.getOrThrow(OcspRequest.decode(bytes))
      assert.deepStrictEqual(certificates[0].serial, all.server.certificate.serial)
      assert.isUndefined(nonce)
      yield* TestClock.setTime(now + hour)
      yield* verify(all, { fetch })
      assert.lengthOf(site.asked, 2)
    }))

  test("refuses what a responder says is revoked, and with it what it does not know by hard-fail alone", (all) =>
    Effect.gen(function* () {
      const answers = [
        [all.revoked, "Revoked", "Revoked"],
        [{ statuses: [{ certificate: all.server.certificate, status: "unknown" }] }, "OcspUnknown", "good"]
      ] as const
      for (const [options, hard, soft] of answers) {
        const answer = yield* all.respond(options)
        const site = web((_, url) => Effect.succeed(url.hostname === "ocsp.example" ? answer.der : 404))
        const fetch = yield* fetcher(site)
        assert.strictEqual(reason(yield* verify(all, { fetch })), hard)
        assert.strictEqual(reason(yield* verify(all, { fetch, mode: "soft-fail" })), soft)
      }
    }))

  test("fetches a CRL where OCSP has no answer, and remembers it until its next update", (all) =>
    Effect.gen(function* () {
      const crl = (...lost: ReadonlyArray<CertificateBuilder.Issued>) =>
        Effect.orDie(
          CrlBuilder.make(all.ca.identity, {
            revoked: lost.map(({ certificate }) => ({ certificate })),
            validFor: "1 hour"
          })
        )
      let list = yield* crl()
      const site = web((_, url) => Effect.succeed(url.hostname === "crl.example" ? list.der : 500))
      const lists = () => site.asked.filter(({ url }) => url === "http://crl.example/ca.crl").length
      const fetch = yield* fetcher(site)
      assert.strictEqual(yield* verify(all, { fetch }), "good")
      yield* TestClock.setTime(now + 50 * minute)
      list = yield* crl(all.server)
      assert.strictEqual(yield* verify(all, { fetch }), "good")
      assert.strictEqual(lists(), 1)
      yield* TestClock.setTime(now + hour)
      assert.strictEqual(reason(yield* verify(all, { fetch })), "Revoked")
      assert.strictEqual(lists(), 2)
      const without = yield* fetcher(site, { crls: false })
      assert.strictEqual(reason(yield* verify(all, { fetch: without })), "RevocationUnknown")
      assert.strictEqual(lists(), 2)
    }))

  test("asks nobody where CRLs at hand are enough, or it is told not to", (all) =>
    Effect.gen(function* () {
      const site = web(() => Effect.succeed(500))
      const crls = [yield* Effect.orDie(CrlBuilder.make(all.ca.identity, {}))]
      assert.strictEqual(yield* verify(all, { crls, fetch: yield* fetcher(site) }), "good")
      const neither = yield* fetcher(site, { ocsp: false, crls: false })
      assert.strictEqual(reason(yield* verify(all, { fetch: neither })), "RevocationUnknown")
      assert.strictEqual(yield* verify(all, { fetch: yield* fetcher(site), mode: "off" }), "good")
      assert.lengthOf(site.asked, 0)
    }))

  test("is one request for all who want the same, whoever of them gives up", (all) =>
    Effect.gen(function* () {
      const good = yield* all.respond()
      const site = web(() => Effect.as(Effect.sleep("1 second"), good.der))
      const fetch = yield* fetcher(site)
      const fibers = yield* Effect.forEach(Array.from({ length: 5 }), () => Effect.fork(verify(all, { fetch })))
      yield* TestClock.adjust("500 millis")
      yield* Fiber.interrupt(fibers[0]!)
      yield* TestClock.adjust("500 millis")
      for (const fiber of fibers.slice(1)) assert.strictEqual(yield* Fiber.join(fiber), "good")
      assert.lengthOf(site.asked, 1)
    }))

  test("remembers failures for a while", (all) =>
    Effect.gen(function* () {
      let answer: Answer = 503
      const site = web(() => Effect.sync(() => answer))
      const fetch = yield* fetcher(site, { crls: false })
      assert.include(yield* verify(all, { fetch }), "its OCSP responder http://ocsp.example/ is of no help: it answered with status 503") // prettier-ignore
      answer = (yield* all.respond()).der
      yield* TestClock.setTime(now + 5 * minute - 1)
      assert.strictEqual(reason(yield* verify(all, { fetch })), "RevocationUnknown")
      assert.lengthOf(site.asked, 1)
      yield* TestClock.setTime(now + 5 * minute)
      assert.strictEqual(yield* verify(all, { fetch }), "good")
      assert.lengthOf(site.asked, 2)
    }))

  test("does not keep for long what nobody signed", (all) =>
    Effect.gen(function* () {
      const other = yield* CertificateBuilder.authority({ subject: { CN: "CA" } })
      const forged = yield* Effect.orDie(
        OcspResponseBuilder.make(
          { certificateChain: all.ca.identity.certificateChain, privateKey: other.identity.privateKey },
          { statuses: [{ certificate: all.server.certificate }], validFor: "1000 days" }
        )
      )
      let answer = forged
      const site = web(() => Effect.sync(() => answer.der))
      const fetch = yield* fetcher(site, { crls: false })
      // Nobody is to blame the peer for what stands on the way to its responder.
      assert.strictEqual(reason(yield* verify(all, { fetch })), "OcspBadSignature")
      assert.strictEqual(yield* verify(all, { fetch, mode: "soft-fail" }), "good")
      answer = yield* all.respond()
      yield* TestClock.setTime(now + 5 * minute)
      assert.strictEqual(yield* verify(all, { fetch }), "good")
    }))

  test("waits no longer than it is told, and takes no more bytes", (all) =>
    Effect.gen(function* () {
      const hanging = yield* fetcher(
        web(() => Effect.succeed("hang")),
        { crls: false }
      )
      const fiber = yield* Effect.fork(verify(all, { fetch: hanging }))
      yield* TestClock.adjust("2999 millis")
      assertNone(yield* Fiber.poll(fiber))
      yield* TestClock.adjust("1 millis")
      assert.include(yield* Fiber.join(fiber), "it did not answer within 3s")

      const good = yield* all.respond()
      const size = good.der.length
      for (const [limit, expected] of [
        [size, "good"],
        [size - 1, "RevocationUnknown"]
      ] as const) {
        const fetch = yield* fetcher(
          web(() => Effect.succeed(good.der)),
          { crls: false, limits: { ocspResponse: limit } }
        )
        const verdict = yield* verify(all, { fetch })
        assert.strictEqual(reason(verdict), expected)
        if (limit < size) assert.include(verdict, `it sent more than ${limit} bytes`)
      }
      const list = yield* Effect.orDie(CrlBuilder.make(all.ca.identity, {}))
      const fetch = yield* fetcher(
        web(() => Effect.succeed(list.der)),
        {
          ocsp: false,
          limits: { revocationList: list.der.length - 1 }
        }
      )
      assert.include(yield* verify(all, { fetch }), `it sent more than ${list.der.length - 1} bytes`)
    }))

  test("says what went wrong", (all) =>
    Effect.gen(function* () {
      const of = (answer: Answer, options: FetcherOptions) =>
        Effect.flatMap(
          fetcher(
            web(() => Effect.succeed(answer)),
            options
          ),
          (fetch) => verify(all, { fetch })
        )
      assert.include(yield* of("break", { crls: false }), "it could not be reached (Transport)")
      assert.include(yield* of(Uint8Array.of(1), { crls: false }), "it answered what is no OCSP response")
      assert.include(yield* of(Uint8Array.of(1), { ocsp: false }), "it sent what is no CRL")
      const silent = yield* CertificateBuilder.issue(all.ca, { names: ["server.example"] })
      const fetch = yield* fetcher(web(() => Effect.succeed(500)))
      assert.include(yield* verify(all, { fetch }, silent), "there is no CRL that speaks about it")
    }))

  test("goes on to the next responder, up to three, and to none that is not of the web", (all) =>
    Effect.gen(function* () {
      const hosts: Array<string> = []
      const shown = yield* all.issue(
        ocspAt("ldap://a.example/", "file:///etc/passwd", "http://b.example", "HTTPS://c.example/x", "http://d.example", "http://e.example") // prettier-ignore
      )
      const good = yield* all.respond({}, shown)
      const site = (last: Answer) =>
        web((_, url) => {
          hosts.push(url.hostname)
          return Effect.succeed(url.hostname === "d.example" ? last : 500)
        })
      const fetch = yield* fetcher(site(good.der))
      assert.strictEqual(yield* verify(all, { fetch }, shown), "good")
      assert.deepStrictEqual(hosts, ["b.example", "c.example", "d.example"])
      hosts.length = 0
      yield* verify(all, { fetch: yield* fetcher(site(500)) }, shown)
      assert.deepStrictEqual(hosts, ["b.example", "c.example", "d.example"])
    }))

  test("sends a nonce when told, by POST, and wants it back where there is one", (all) =>
    Effect.gen(function* () {
      const sent: Array<Uint8Array> = []
      let nonceOf = (nonce: Uint8Array) => nonce
      const site = web((request) =>
        Effect.gen(function* () {
          assert.strictEqual(request.method, "POST")
          assert(request.body._tag === "Uint8Array")
          assert.strictEqual(request.body.contentType, "application/ocsp-request")
          const { nonce } = Either.getOrThrow(OcspRequest.decode(request.body.body))
          sent.push(nonce!)
          return (yield* all.respond({ nonce: nonceOf(nonce!) })).der
        }).pipe(Effect.provide(layer))
      )
      assert.strictEqual(yield* verify(all, { fetch: yield* fetcher(site, { nonce: true }) }), "good")
      assert.strictEqual(sent[0]?.length, 32)
      nonceOf = () => Uint8Array.of(1)
      const fetch = yield* fetcher(site, { nonce: true, crls: false })
      assert.strictEqual(reason(yield* verify(all, { fetch })), "OcspUnusable")
    }))

  test("remembers so many and no more", (all) =>
    Effect.gen(function* () {
      const others = yield* Effect.forEach(Array.from({ length: 3 }), () => all.issue(ocspAt("http://ocsp.example/")))
      const answers = new Map<string, Uint8Array>()
      for (const other of others) {
        answers.set(other.certificate.serialNumber, (yield* all.respond({}, other)).der)
      }
      const site = web((_, url) => {
        const bytes = Uint8Array.from(Buffer.from(decodeURIComponent(url.pathname.slice(1)), "base64"))
        const { serial } = Either.getOrThrow(OcspRequest.decode(bytes)).certificates[0]
        return Effect.succeed(answers.get(Buffer.from(serial).toString("hex").replace(/^0+/, ""))!)
      })
      const fetch = yield* fetcher(site, { capacity: 2 })
      const [a, b, c] = others as [CertificateBuilder.Issued, CertificateBuilder.Issued, CertificateBuilder.Issued]
      for (const shown of [a, b, a, c, a]) assert.strictEqual(yield* verify(all, { fetch }, shown), "good")
      assert.lengthOf(site.asked, 3)
      yield* verify(all, { fetch }, b)
      assert.lengthOf(site.asked, 4)
    }))

  it.effect("gives up with its Scope, and lets nobody hang", () =>
    Effect.gen(function* () {
      const all = yield* world
      const site = web(() => Effect.succeed("hang"))
      const fetch = yield* Effect.scoped(fetcher(site, { crls: false }))
      assert.include(yield* verify(all, { fetch }), "it was given up")
    }).pipe(Effect.provide(layer))
  )
})
