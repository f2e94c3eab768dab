// A client that wants a trusted path and one of two keys in it: the server's, or the one kept in reserve.
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Encoding } from "effect"
import type { Certificate } from "effect-tls"
import {
  CertificateBuilder,
  CryptoProvider,
  Endpoint,
  SecureContext,
  TlsClient,
  TlsServer,
  TrustStore,
  Verifier
} from "effect-tls"
import { NodeTls } from "effect-tls/node"

const program = Effect.gen(function* () {
  const authority = yield* CertificateBuilder.authority({ subject: { CN: "Test CA" } })
  const current = yield* CertificateBuilder.issue(authority, { names: ["localhost"] })
  const reserve = yield* CertificateBuilder.issue(authority, { names: ["localhost"] })
  // A certificate of the same authority and the same name, that somebody else got.
  const stranger = yield* CertificateBuilder.issue(authority, { names: ["localhost"] })

  const crypto = yield* CryptoProvider.CryptoProvider
  const pinOf = ({ publicKey }: Certificate.Certificate) =>
    Encoding.encodeBase64(crypto.hash("SHA-256", publicKey.spki))
  const verifier = Verifier.webPki(TrustStore.fromCertificates([authority.certificate])).pipe(
    Verifier.and(Verifier.pinSha256([pinOf(current.certificate), pinOf(reserve.certificate)]))
  )
  const context = yield* SecureContext.make({ trust: { verifier } })

  for (const [name, { identity }] of Object.entries({ current, reserve, stranger })) {
    const outcome = yield* Effect.gen(function* () {
      const { address } = yield* TlsServer.serve({
        endpoint: Endpoint.tcp("127.0.0.1", 0),
        context: SecureContext.withIdentity(SecureContext.empty, identity),
        handler: () => Effect.void
      })
      const { info } = yield* TlsClient.connect(address, { context, serverName: "localhost" })
      return info.peer._tag === "Verified" ? `accepted, ${info.peer.vouchedBy}` : info.peer._tag
    }).pipe(
      Effect.scoped,
      Effect.catchTag("CertificateError", (error) => Effect.succeed(`refused, ${error.reason}`))
    )
    yield* Console.log(`${name}: ${outcome}`)
  }
}).pipe(Effect.scoped)

NodeRuntime.runMain(Effect.provide(program, NodeTls.layer))
