// A server whose key never leaves the service that signs with it: a KMS, an HSM, an agent. Here it is another process's
// part, played by node:crypto; a real one differs in `service.sign` only.
import { createPrivateKey, sign } from "node:crypto"
import { setTimeout } from "node:timers/promises"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Option, Redacted } from "effect"
import {
  CertificateBuilder,
  CryptoProvider,
  Endpoint,
  PrivateKey,
  SecureContext,
  TlsClient,
  TlsServer
} from "effect-tls"
import { NodeTls } from "effect-tls/node"

const makeService = (pem: string) => ({
  sign: async (hash: string, data: Uint8Array) => {
    await setTimeout(20)
    return sign(hash, data, createPrivateKey(pem))
  }
})

const program = Effect.gen(function* () {
  const issued = yield* CertificateBuilder.selfSigned({ names: ["localhost"] })
  const service = makeService(Redacted.value(Option.getOrThrow(CertificateBuilder.privateKeyPem(issued))))

  const { publicKey } = issued.certificate
  const privateKey = PrivateKey.make({
    publicKey,
    schemes: PrivateKey.schemesOf(publicKey),
    // It may be slow or fail: the handshake's deadline covers it, and a failure ends that handshake only.
    sign: (algorithm, data) =>
      Effect.tryPromise({
        try: () => service.sign("hash" in algorithm ? algorithm.hash : "", data),
        catch: (cause) =>
          new CryptoProvider.CryptoError({ reason: "Failed", operation: "sign", detail: "the key service", cause })
      }).pipe(Effect.tap((signature) => Console.log(`the service signed: ${algorithm._tag}, ${signature.length > 0}`)))
  })

  const { address } = yield* TlsServer.serve({
    endpoint: Endpoint.tcp("127.0.0.1", 0),
    context: yield* SecureContext.make({ identity: { certificateChain: issued.certificate, privateKey } }),
    handler: () => Effect.void
  })
  const context = yield* SecureContext.make({ trust: { anchors: issued.certificate } })
  const { info } = yield* TlsClient.connect(address, { context, serverName: "localhost" })
  yield* Console.log(`the client sees ${info.signatureScheme}`)
}).pipe(Effect.scoped)

NodeRuntime.runMain(Effect.provide(program, NodeTls.layer))
