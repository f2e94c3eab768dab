import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Scope, TestClock } from "effect"
import { CertificateBuilder, Endpoint, SecureContext, TlsClient, TlsServer, Verifier } from "effect-tls"
import { NodeCrypto } from "effect-tls/node"
import { MemoryTransport } from "effect-tls/testing"

it.scoped("closing waits for handlers up to drainTimeout, then interrupts them", () =>
  Effect.gen(function* () {
    const { identity } = yield* CertificateBuilder.selfSigned({ names: ["localhost"] })
    const scope = yield* Scope.make()
    const started = yield* Deferred.make<void>()
    const interrupted = yield* Deferred.make<void>()
    const server = yield* TlsServer.serve({
      endpoint: Endpoint.tcp("localhost", 1),
      context: SecureContext.withIdentity(SecureContext.empty, identity),
      drainTimeout: "1 minute",
      handler: () =>
        Effect.zipRight(Deferred.succeed(started, undefined), Effect.never).pipe(
          Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
        )
    }).pipe(Scope.extend(scope))
    yield* TlsClient.connect(server.address, {
      context: SecureContext.withVerifier(SecureContext.empty, Verifier.dangerouslySkipVerification)
    })
    yield* Deferred.await(started)
    const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
    yield* TestClock.adjust("59 seconds")
    assert.deepStrictEqual(yield* Deferred.poll(interrupted), Option.none())
    yield* TestClock.adjust("1 second")
    yield* Deferred.await(interrupted)
    yield* Fiber.join(closing)
  }).pipe(Effect.provide([NodeCrypto.layer, MemoryTransport.layer]))
)
