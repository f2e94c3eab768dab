// A service that speaks TLS, tested without sockets, files or real time: only the layers differ from production.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream, TestClock } from "effect"
import { CertificateBuilder, Endpoint, SecureContext, TlsClient, TlsServer } from "effect-tls"
import { DeterministicCrypto, MemoryTransport } from "effect-tls/testing"

const endpoint = Endpoint.tcp("shouting.test", 443)

const start = Effect.gen(function* () {
  const authority = yield* CertificateBuilder.authority({ subject: { CN: "Test CA" } })
  const { identity } = yield* CertificateBuilder.issue(authority, { names: ["shouting.test"], validFor: "1 day" })
  yield* TlsServer.serve({
    endpoint,
    context: yield* SecureContext.make({ identity }),
    handler: ({ sink, stream }) =>
      stream.pipe(
        Stream.decodeText(),
        Stream.map((text) => text.toUpperCase()),
        Stream.encodeText,
        Stream.run(sink)
      )
  })
  return yield* SecureContext.make({ trust: { anchors: authority.certificate } })
})

const layers = Layer.mergeAll(DeterministicCrypto.layer("seed"), MemoryTransport.layer)

describe("a service over TLS", () => {
  it.scoped("answers", () =>
    Effect.gen(function* () {
      const context = yield* start
      const connection = yield* TlsClient.connect(endpoint, { context })
      yield* connection.write(new TextEncoder().encode("quiet"))
      yield* connection.end
      assert.strictEqual(yield* Stream.mkString(Stream.decodeText(connection.stream)), "QUIET")
    }).pipe(Effect.provide(layers))
  )

  it.scoped("is refused once its certificate has expired", () =>
    Effect.gen(function* () {
      const context = yield* start
      yield* TestClock.adjust("2 days")
      const error = yield* Effect.flip(TlsClient.connect(endpoint, { context }))
      assert.strictEqual(error._tag, "CertificateError")
      assert.strictEqual(error.reason, "Expired")
    }).pipe(Effect.provide(layers))
  )
})
