/** What the types promise of contexts, calls, servers and layers. */
import type { FileSystem } from "@effect/platform"
import { Config, Effect, type Layer, type Option, type Schedule, type Scope, Stream } from "effect"
import type { ConfigError } from "effect/ConfigError"
import type { Certificate, CryptoProvider, TlsError, Transport } from "effect-tls"
import {
  type CallContext,
  ContextFiles,
  ContextLayer,
  Endpoint,
  NameLookup,
  ReloadingContext,
  SecureContext,
  ServerNameSelection,
  TlsClient,
  type TlsConnection,
  TlsServer
} from "effect-tls"
import { ConsoleHandshakeTrace, NodeCrypto, NodeTls, NodeTransport } from "effect-tls/node"
import { NobleCrypto } from "effect-tls/noble"
import { MemoryTransport } from "effect-tls/testing"
import { describe, expectTypeOf, test } from "vitest"

type Crypto = CryptoProvider.CryptoProvider
type ConfigFailure = TlsError.TlsConfigError

const endpoint = Endpoint.tcp("example.org", 443)
declare const context: SecureContext.SecureContext
declare const schedule: Schedule.Schedule<number>

class Unavailable {
  readonly _tag = "Unavailable"
}
class Vault {
  readonly _tag = "Vault"
}
declare const speakHttp1: (connection: TlsConnection.TlsConnection<"http/1.1">) => Effect.Effect<void>
declare const load: Effect.Effect<SecureContext.SecureContext, Unavailable, Vault | Scope.Scope>

describe("ALPN", () => {
  test("the chosen protocol is one of those that the call offers", () => {
    const connection = TlsClient.connect(endpoint, { alpn: ["h2", "http/1.1"] })
    expectTypeOf<Effect.Effect.Success<typeof connection>["info"]["alpn"]>().toEqualTypeOf<
      Option.Option<"h2" | "http/1.1">
    >()
    const over = TlsClient.over({} as Transport.Duplex, { alpn: ["h2"] })
    expectTypeOf<Effect.Effect.Success<typeof over>["info"]["alpn"]>().toEqualTypeOf<Option.Option<"h2">>()
    const accepted = TlsServer.over({} as Transport.Duplex, { context, alpn: ["h2"] })
    expectTypeOf<Effect.Effect.Success<typeof accepted>["info"]["alpn"]>().toEqualTypeOf<Option.Option<"h2">>()
  })

  test("is any text where the call does not say", () => {
    const connection = TlsClient.connect(endpoint, { context })
    expectTypeOf<Effect.Effect.Success<typeof connection>["info"]["alpn"]>().toEqualTypeOf<Option.Option<string>>()
  })

  test("a server's handler knows what it serves", () => {
    TlsServer.serve({
      endpoint,
      context,
      alpn: ["h2", "http/1.1"],
      handler: ({ info }) => {
        expectTypeOf(info.alpn).toEqualTypeOf<Option.Option<"h2" | "http/1.1">>()
        return Effect.void
      }
    })
    TlsServer.serve({
      endpoint,
      context,
      // @ts-expect-error the handler is for another protocol
      alpn: ["h2"],
      handler: speakHttp1
    })
  })
})

describe("requirements and errors", () => {
  test("connecting", () => {
    expectTypeOf(TlsClient.connect(endpoint)).toEqualTypeOf<
      Effect.Effect<TlsConnection.TlsConnection, TlsError.TlsError, Crypto | Transport.Transport | Scope.Scope>
    >()
    expectTypeOf(TlsClient.over({} as Transport.Duplex)).toEqualTypeOf<
      Effect.Effect<TlsConnection.TlsConnection, TlsError.TlsError, Crypto | Scope.Scope>
    >()
  })

  test("serving: what the handler needs but its Scope, and its errors are logged, not the server's", () => {
    const handler = (): Effect.Effect<void, Unavailable, Vault | Scope.Scope> => Effect.fail(new Unavailable())
    expectTypeOf(TlsServer.serve({ endpoint, context, handler })).toEqualTypeOf<
      Effect.Effect<
        TlsServer.TlsServerService,
        TlsError.TlsConfigError | TlsError.TransportError,
        Crypto | Transport.Transport | Scope.Scope | Vault
      >
    >()
    expectTypeOf(TlsServer.layer({ endpoint, context, handler })).toEqualTypeOf<
      Layer.Layer<
        TlsServer.TlsServer,
        TlsError.TlsConfigError | TlsError.TransportError,
        Crypto | Transport.Transport | Vault
      >
    >()
    expectTypeOf(NodeTls.layer).toEqualTypeOf<Layer.Layer<Crypto | Transport.Transport>>()
  })

  test("making contexts", () => {
    expectTypeOf(SecureContext.make({})).toEqualTypeOf<
      Effect.Effect<SecureContext.SecureContext, ConfigFailure, Crypto | Scope.Scope>
    >()
    expectTypeOf(ContextFiles.watch({})).toEqualTypeOf<
      Effect.Effect<
        ReloadingContext.ReloadingContext<ConfigFailure>,
        ConfigFailure,
        Crypto | FileSystem.FileSystem | Scope.Scope
      >
    >()
    const selected = ServerNameSelection.select(context, [])
    expectTypeOf<Effect.Effect.Error<typeof selected>>().toEqualTypeOf<ConfigFailure>()
  })

  test("layers: no Scope is left, and Configs add their error", () => {
    expectTypeOf(ContextLayer.layer({})).toEqualTypeOf<Layer.Layer<CallContext.CurrentContext, ConfigFailure, Crypto>>()
    expectTypeOf(ContextLayer.layerConfig({ protocol: { alpn: [Config.string("ALPN")] } })).toEqualTypeOf<
      Layer.Layer<CallContext.CurrentContext, ConfigFailure | ConfigError, Crypto>
    >()
    // @ts-expect-error a Config of another type
    ContextLayer.layerConfig({ protocol: { maxFragment: Config.string("SIZE") } })
  })

  test("reloading keeps the errors and the needs of loading, but for its Scope", () => {
    const reloading = ReloadingContext.fromSchedule({ load, schedule })
    expectTypeOf(reloading).toEqualTypeOf<
      Effect.Effect<
        ReloadingContext.ReloadingContext<Unavailable>,
        Unavailable | ConfigFailure,
        Vault | Crypto | Scope.Scope
      >
    >()
    const streamed = ReloadingContext.fromStream(Stream.fail(new Unavailable()))
    expectTypeOf<Effect.Effect.Error<typeof streamed>>().toEqualTypeOf<Unavailable | ConfigFailure>()
  })

  test("lookups of names keep the errors and the needs of what looks up", () => {
    const lookup = NameLookup.make({
      lookup: (): Effect.Effect<Option.Option<SecureContext.SecureContext>, Unavailable, Vault> =>
        Effect.fail(new Unavailable())
    })
    expectTypeOf(lookup).toEqualTypeOf<
      Effect.Effect<NameLookup.NameLookup<SecureContext.SecureContext, Unavailable>, ConfigFailure, Vault | Scope.Scope>
    >()
  })

  test("lookups of names have a Scope each", () => {
    const lookup = NameLookup.make({
      lookup: (): Effect.Effect<Option.Option<string>, never, Vault | Scope.Scope> => Effect.succeedNone
    })
    expectTypeOf<Effect.Effect.Context<typeof lookup>>().toEqualTypeOf<Vault | Scope.Scope>()
  })

  test("layers that are ready need nothing and cannot fail", () => {
    expectTypeOf(NodeTls.layer).toExtend<Layer.Layer<Crypto | Transport.Transport>>()
    expectTypeOf(NodeCrypto.layer).toEqualTypeOf<Layer.Layer<Crypto>>()
    expectTypeOf(NodeTransport.layer).toEqualTypeOf<Layer.Layer<Transport.Transport>>()
    expectTypeOf(NobleCrypto.layer).toEqualTypeOf<Layer.Layer<Crypto>>()
    expectTypeOf(MemoryTransport.layer).toEqualTypeOf<Layer.Layer<Transport.Transport>>()
    expectTypeOf(ConsoleHandshakeTrace.layer()).toEqualTypeOf<Layer.Layer<never>>()
  })

  test("the context of a fiber needs nothing, and there always is one", () => {
    expectTypeOf<Effect.Effect.Context<typeof CallContext.CurrentContext>>().toEqualTypeOf<never>()
  })
})

describe("the peer", () => {
  test("has a certificate, names and a fingerprint unless it is nobody, and a voucher once it is verified", () => {
    const { peer } = {} as TlsConnection.TlsConnection["info"]
    expectTypeOf(peer._tag).toEqualTypeOf<"Anonymous" | "Unverified" | "Verified">()
    // @ts-expect-error nobody has no names
    void peer.names
    if (peer._tag === "Anonymous") return
    expectTypeOf(peer.certificate).toEqualTypeOf<Certificate.Certificate>()
    expectTypeOf(peer.names).toEqualTypeOf<ReadonlyArray<string>>()
    expectTypeOf(peer.fingerprint).toEqualTypeOf<string>()
    // @ts-expect-error who vouched is known of a verified one only
    void peer.vouchedBy
    if (peer._tag === "Verified") expectTypeOf(peer.vouchedBy).toEqualTypeOf<string>()
  })
})

describe("options", () => {
  test("names are known to the compiler", () => {
    SecureContext.make({ protocol: { cipherSuites: ["TLS_AES_128_GCM_SHA256"] } })
    // @ts-expect-error a suite that there is not
    SecureContext.make({ protocol: { cipherSuites: ["TLS_AES_128_GCM_SHA265"] } })
    // @ts-expect-error an option of another library
    SecureContext.make({ trust: { rejectUnauthorized: false } })
    // @ts-expect-error one that is no level
    SecureContext.make({ trust: { clientAuthentication: "always" } })
  })
})
