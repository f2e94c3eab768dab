import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import * as SecureContext from "../../src/core/SecureContext.ts"
import type { SecureContextOptions } from "../../src/core/SecureContextOptions.ts"
import * as SessionCache from "../../src/core/SessionCache.ts"
import * as TicketKeys from "../../src/core/TicketKeys.ts"
import * as TlsClient from "../../src/core/TlsClient.ts"
import type { TlsConnection } from "../../src/core/TlsConnection.ts"
import * as TlsServer from "../../src/core/TlsServer.ts"
import type { Verifier } from "../../src/core/Verifier.ts"
import * as Verifiers from "../../src/core/Verifier.ts"
import * as MemoryTransport from "../../src/layers/MemoryTransport.ts"
import * as Sessions from "../../src/schema/Session.ts"
import type { TlsError } from "../../src/schema/TlsError.ts"
import { CertificateError } from "../../src/schema/TlsError.ts"
import * as harness from "../support/harness.ts"
import { finish, layer, now, text } from "../support/harness.ts"
import * as identities from "../support/identities.ts"

type Options = Omit<SecureContextOptions, "sessions">

/** The two sides of a service: what a test says of each, over ticket keys and a cache. */
const service = (
  options: {
    readonly client?: Options
    readonly server?: Options
    readonly clientSays?: SecureContext.Sessions
    readonly serverSays?: SecureContext.Sessions
    readonly clientBelieves?: Verifier
    readonly serverBelieves?: Verifier
  } = {}
) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(now)
    const cache = yield* SessionCache.make()
    const ticketKeys = yield* TicketKeys.make()
    const client = yield* harness.context({ protocol: {}, ...options.client }, options.clientBelieves)
    const server = yield* harness.serverContext(options.server, options.serverBelieves)
    return {
      cache,
      ticketKeys,
      client: SecureContext.withSessions(client, { cache, ...options.clientSays }),
      server: SecureContext.withSessions(server, { ticketKeys, ...options.serverSays })
    }
  })

type Service = Effect.Effect.Success<ReturnType<typeof service>>

/** One connection, from its handshake to both ends: what each side knew, after data both ways. */
const visit = (
  { client, server }: Pick<Service, "client" | "server">,
  options: { readonly serverName?: string; readonly remote?: number } = {}
): Effect.Effect<
  { readonly client: TlsConnection["info"]; readonly server: TlsConnection["info"] },
  TlsError,
  CryptoProvider
> =>
  Effect.scoped(
    Effect.gen(function* () {
      const ends = yield* harness.connected({
        client,
        server,
        serverName: options.serverName ?? "example.org"
      })
      yield* ends.client.write(harness.bytes("ping"))
      yield* ends.client.end
      assert.strictEqual(text(yield* Effect.orDie(Effect.mapError(ends.server.pull, String))), "ping")
      yield* ends.server.write(harness.bytes("pong"))
      assert.strictEqual(text(yield* Effect.orDie(Effect.mapError(ends.client.pull, String))), "pong")
      return { client: ends.client.info, server: ends.server.info }
    })
  )

const resumes = (visited: { readonly client: TlsConnection["info"]; readonly server: TlsConnection["info"] }) => {
  assert.strictEqual(visited.client.resumed, visited.server.resumed)
  return visited.client.resumed
}

describe("sessions", () => {
  it.scoped("are resumed, and are what they were", () =>
    Effect.gen(function* () {
      const both = yield* service({ client: { protocol: { alpn: ["a", "b"] } }, server: { protocol: { alpn: ["b"] } } })
      const first = yield* visit(both)
      assert.isFalse(resumes(first))
      const second = yield* visit(both)
      assert.isTrue(resumes(second))
      for (const side of ["client", "server"] as const) {
        const { resumed: _, ...before } = first[side]
        const { resumed: __, ...after } = second[side]
        assert.deepEqual(after, before)
      }
    }).pipe(Effect.provide(layer))
  )
})
