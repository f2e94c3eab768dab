import { NodeContext } from "@effect/platform-node"
import { FileSystem } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Option, Redacted, Stream, TestClock } from "effect"
import { statSync } from "node:fs"
import { join } from "node:path"
import * as CertificateBuilder from "../../src/core/CertificateBuilder.ts"
import * as DevelopmentCa from "../../src/core/DevelopmentCa.ts"
import * as TlsClient from "../../src/core/TlsClient.ts"
import * as TlsServer from "../../src/core/TlsServer.ts"
import * as TrustStore from "../../src/core/TrustStore.ts"
import * as Verifier from "../../src/core/Verifier.ts"
import * as MemoryTransport from "../../src/layers/MemoryTransport.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import type { Certificate } from "../../src/schema/Certificate.ts"
import * as Endpoint from "../../src/schema/Endpoint.ts"
import * as GeneralName from "../../src/schema/GeneralName.ts"
import * as ServerName from "../../src/schema/ServerName.ts"

const live = Layer.merge(NodeCrypto.layer, NodeContext.layer)

const withFolder = <A, E, R>(use: (folder: string) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    return yield* use(join(yield* fs.makeTempDirectoryScoped(), "kept", "here"))
  }).pipe(Effect.scoped, Effect.provide(live))

const key = ({ pkcs8 }: CertificateBuilder.Issued) => Redacted.value(Option.getOrThrow(pkcs8))

const accepts = (root: Certificate, { identity }: CertificateBuilder.Issued, name: string) =>
  Effect.gen(function* () {
    const serverName = yield* ServerName.parse(name)
    const store = TrustStore.fromCertificates([root])
    const request = Verifier.makeRequest(identity.certificateChain, { serverName })
    return (yield* Verifier.webPki(store).verify(request)).path.length
  })

describe("DevelopmentCa", () => {
  it.effect("makes an authority and a server of localhost in one Effect", () =>
    Effect.gen(function* () {
      const { authority, server } = yield* DevelopmentCa.generate()
      for (const name of ["localhost", "127.0.0.1", "::1"]) {
        assert.strictEqual(yield* accepts(authority.certificate, server, name), 2)
      }
      assert.strictEqual(authority.certificate.basicConstraints?.pathLength, 0)
      assert.strictEqual(authority.certificate.subject.toString(), "CN=effect-tls development CA")
    }).pipe(Effect.provide(NodeCrypto.layer))
  )

  it.effect("does as told", () =>
    Effect.gen(function* () {
      const { authority, server } = yield* DevelopmentCa.generate({
        names: ["dev.example", "10.0.0.1"],
        key: { _tag: "Ed25519" },
        validFor: "1 day",
        authorityValidFor: "2 days",
        authorityName: "Mine"
      })
      assert.deepStrictEqual(server.certificate.subjectAltNames.map(GeneralName.format), [
        "DNS:dev.example",
        "IP:10.0.0.1"
      ])
      assert.strictEqual(server.certificate.publicKey._tag, "Ed25519")
      assert.strictEqual(server.certificate.notAfter.toISOString(), "1970-01-02T00:00:00.000Z")
      assert.strictEqual(authority.certificate.notAfter.toISOString(), "1970-01-03T00:00:00.000Z")
      assert.strictEqual(authority.certificate.label, "CN=Mine")
    }).pipe(Effect.provide(NodeCrypto.layer))
  )

  it.effect("refuses options that cannot be", () =>
    Effect.gen(function* () {
      const message = (options: object) =>
        Effect.map(Effect.flip(DevelopmentCa.generate(options)), (error) => error.message)
      assert.include(yield* message({ name: "a" }), "name: is unexpected")
      assert.include(yield* message({ names: [] }), "names")
      assert.include(yield* message({ names: ["a..b"] }), "names[0]: ")
      assert.include(yield* message({ validFor: "3 days", authorityValidFor: "2 days" }), "validFor: its issuer is not valid after") // prettier-ignore
    }).pipe(Effect.provide(NodeCrypto.layer))
  )

  it.effect("is kept in a folder, its keys for its owner alone, and used again", () =>
    withFolder((folder) =>
      Effect.gen(function* () {
        const first = yield* DevelopmentCa.keep(folder)
        const mode = (name: string) => (statSync(join(folder, name)).mode & 0o777).toString(8)
        assert.deepStrictEqual(["ca-key.pem", "server-key.pem"].map(mode), ["600", "600"])
        const second = yield* DevelopmentCa.keep(folder)
        assert.deepStrictEqual(second.authority.certificate, first.authority.certificate)
        assert.deepStrictEqual(second.server.certificate, first.server.certificate)
        assert.deepStrictEqual(key(second.server), key(first.server))
        assert.strictEqual(yield* accepts(first.authority.certificate, second.server, "localhost"), 2)
        const fs = yield* FileSystem.FileSystem
        assert.deepStrictEqual((yield* fs.readDirectory(folder)).sort(), [
          "ca-key.pem",
          "ca.pem",
          "server-key.pem",
          "server.pem"
        ])
      })
    )
  )

  it.effect("makes another server's certificate for other names, near its end, and when it is damaged", () =>
    withFolder((folder) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const first = yield* DevelopmentCa.keep(folder)
        const same = (that: DevelopmentCa.DevelopmentPki) =>
          assert.deepStrictEqual(that.authority.certificate, first.authority.certificate)

        const renamed = yield* DevelopmentCa.keep(folder, { names: ["dev.example"] })
        same(renamed)
        assert.deepStrictEqual(renamed.server.certificate.subjectAltNames.map(GeneralName.format), ["DNS:dev.example"])
        yield* TestClock.adjust(Duration.days(59))
        const early = yield* DevelopmentCa.keep(folder, { names: ["dev.example"] })
        assert.deepStrictEqual(early.server.certificate, renamed.server.certificate)
        yield* TestClock.adjust(Duration.days(1))
        const late = yield* DevelopmentCa.keep(folder, { names: ["dev.example"] })
        same(late)
        assert.strictEqual(late.server.certificate.notAfter.toISOString(), "1970-05-31T00:00:00.000Z")

        yield* fs.writeFileString(join(folder, "server-key.pem"), "gone")
        const healed = yield* DevelopmentCa.keep(folder, { names: ["dev.example"] })
        same(healed)
        assert.strictEqual(yield* accepts(first.authority.certificate, healed.server, "dev.example"), 2)
        // A stranger's pair, whole and of these names, is none of the authority's.
        const stranger = yield* DevelopmentCa.generate({ names: ["dev.example"] })
        yield* fs.writeFileString(join(folder, "server.pem"), CertificateBuilder.certificatePem(stranger.server))
        const strangersKey = Option.getOrThrow(CertificateBuilder.privateKeyPem(stranger.server))
        yield* fs.writeFileString(join(folder, "server-key.pem"), Redacted.value(strangersKey))
        const own = yield* DevelopmentCa.keep(folder, { names: ["dev.example"] })
        assert.strictEqual(yield* accepts(first.authority.certificate, own.server, "dev.example"), 2)
      })
    )
  )

  it.effect("renews the authority with its key before a certificate would outlive it", () =>
    withFolder((folder) =>
      Effect.gen(function* () {
        const first = yield* DevelopmentCa.keep(folder, { authorityValidFor: "100 days" })
        yield* TestClock.adjust(Duration.days(11))
        const next = yield* DevelopmentCa.keep(folder, { authorityValidFor: "100 days" })
        assert.strictEqual(next.authority.certificate.notAfter.toISOString(), "1970-04-22T00:00:00.000Z")
        assert.deepStrictEqual(key(next.authority), key(first.authority))
        // Who trusts the old one still does.
        assert.strictEqual(yield* accepts(first.authority.certificate, next.server, "localhost"), 2)
        const again = yield* DevelopmentCa.keep(folder, { authorityValidFor: "100 days" })
        assert.deepStrictEqual(again.authority.certificate, next.authority.certificate)
      })
    )
  )

  it.effect("does not replace an authority that somebody may trust", () =>
    withFolder((folder) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const { authority } = yield* DevelopmentCa.keep(folder)
        const stranger = yield* DevelopmentCa.generate()
        const file = (name: string) => join(folder, name)
        const refusal = Effect.flatMap(Effect.flip(DevelopmentCa.keep(folder)), ({ message }) =>
          Effect.map(fs.readFileString(file("ca.pem")), (text) => [message, text] as const)
        )
        const strangersKey = Redacted.value(Option.getOrThrow(CertificateBuilder.privateKeyPem(stranger.authority)))
        const pem = CertificateBuilder.certificatePem(authority)
        yield* fs.writeFileString(file("ca-key.pem"), strangersKey)
        assert.deepStrictEqual(yield* refusal, [`${file("ca-key.pem")}: it is not the key of "${authority.certificate.label}"`, pem]) // prettier-ignore
        yield* fs.writeFileString(file("ca-key.pem"), "nothing")
        assert.deepStrictEqual(yield* refusal, [`${file("ca-key.pem")}: it holds no PEM block, a private key is needed`, pem]) // prettier-ignore
        yield* fs.remove(file("ca-key.pem"))
        assert.deepStrictEqual(yield* refusal, [`${file("ca-key.pem")}: it is missing, and ca.pem is there`, pem])
        yield* fs.writeFileString(file("ca.pem"), "nothing")
        yield* fs.writeFileString(file("ca-key.pem"), strangersKey)
        assert.deepStrictEqual(yield* refusal, [`${file("ca.pem")}: it holds no PEM block, a certificate is needed`, "nothing"]) // prettier-ignore
        // A key alone is what is left of an authority that never was.
        yield* fs.remove(file("ca.pem"))
        assert.notDeepEqual(key((yield* DevelopmentCa.keep(folder)).authority), key(stranger.authority))
      })
    )
  )

  it.live("has one writer at a time", () =>
    withFolder((folder) =>
      Effect.gen(function* () {
        const all = yield* Effect.all(
          Array.from({ length: 6 }, () => DevelopmentCa.keep(folder)),
          { concurrency: "unbounded" }
        )
        const serials = (of: (pki: DevelopmentCa.DevelopmentPki) => CertificateBuilder.Issued) =>
          new Set(all.map((pki) => of(pki).certificate.serialNumber)).size
        assert.deepStrictEqual([serials(({ authority }) => authority), serials(({ server }) => server)], [1, 1])
      })
    )
  )

  it.effect("waits for another writer, and says so when that does not end", () =>
    withFolder((folder) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        yield* fs.makeDirectory(folder, { recursive: true })
        yield* fs.writeFileString(join(folder, "lock"), "")
        const waiting = yield* Effect.fork(Effect.flip(DevelopmentCa.keep(folder)))
        // Each attempt is real input and output, between which time has to pass.
        const pass = Effect.zipRight(
          TestClock.adjust("100 millis"),
          Effect.promise(() => new Promise(setImmediate))
        )
        yield* Effect.repeat(pass, { until: () => Effect.map(waiting.poll, Option.isSome) })
        const error = yield* waiting
        assert.strictEqual(
          error.message,
          `${join(folder, "lock")}: another program writes here: remove it if none does`
        )
        assert.deepStrictEqual(yield* fs.readDirectory(folder), ["lock"])
      })
    )
  )

  it.effect("says which folder cannot be made", () =>
    withFolder((folder) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        yield* fs.makeDirectory(join(folder, ".."), { recursive: true })
        yield* fs.writeFileString(folder, "a file")
        const error = yield* Effect.flip(DevelopmentCa.keep(folder))
        assert.strictEqual(error._tag === "TlsConfigError" && error.reason, "Unreadable")
        assert.include(error.message, folder)
      })
    )
  )

  it.effect("serves, and is renewed while it does", () =>
    Effect.gen(function* () {
      const { clientContext, current, serverContext } = yield* DevelopmentCa.DevelopmentCa
      const { address } = yield* TlsServer.serve({
        endpoint: Endpoint.tcp("127.0.0.1", 0),
        context: serverContext,
        handler: (connection) => Effect.ignore(Stream.run(connection.stream, connection.sink))
      })
      const shown = Effect.gen(function* () {
        const { info } = yield* TlsClient.connect(address, { context: clientContext, serverName: "localhost" })
        return info.peer._tag === "Verified" ? info.peer.certificate.notAfter.toISOString() : info.peer._tag
      }).pipe(Effect.scoped)
      assert.strictEqual(yield* shown, "1970-04-01T00:00:00.000Z")
      yield* TestClock.adjust(Duration.days(59))
      assert.strictEqual(yield* shown, "1970-04-01T00:00:00.000Z")
      yield* TestClock.adjust(Duration.days(1))
      assert.strictEqual(yield* shown, "1970-05-31T00:00:00.000Z")
      assert.strictEqual((yield* current).server.certificate.notAfter.toISOString(), "1970-05-31T00:00:00.000Z")
    }).pipe(
      Effect.scoped,
      Effect.provide(DevelopmentCa.layer()),
      Effect.provide(Layer.merge(NodeCrypto.layer, MemoryTransport.layer))
    )
  )

  it.effect("serves from a folder, where its renewals are kept", () =>
    withFolder((folder) =>
      Effect.gen(function* () {
        const { current } = yield* DevelopmentCa.DevelopmentCa
        const first = yield* current
        yield* TestClock.adjust(Duration.days(70))
        const renewed = yield* current
        assert.notStrictEqual(renewed.server.certificate.serialNumber, first.server.certificate.serialNumber)
        const kept = yield* DevelopmentCa.keep(folder)
        assert.deepStrictEqual(kept.server.certificate, renewed.server.certificate)
      }).pipe(Effect.provide(DevelopmentCa.layerKept(folder)))
    )
  )
})
