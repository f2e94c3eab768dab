// Looks into a certificate and verifies it without a connection. Usage: certificates CHAIN.pem ROOTS.pem NAME
import { readFile } from "node:fs/promises"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema } from "effect"
import { Certificate, CertificateJson, ServerIdentity, ServerName, TrustStore, Verifier } from "effect-tls"
import { NodeCrypto } from "effect-tls/node"

const [chainFile = "chain.pem", rootsFile = "roots.pem", name = "localhost"] = process.argv.slice(2)

const program = Effect.gen(function* () {
  const [leaf, ...others] = yield* Certificate.fromPem(yield* Effect.promise(() => readFile(chainFile, "utf8")))
  yield* Console.log(`${leaf}, valid to ${leaf.notAfter.toISOString()}`)
  yield* Console.log(`its names: ${ServerIdentity.presentedNames(leaf).join(", ")}`)

  // For an API: everything the certificate says, and the certificate itself.
  const json = yield* Schema.encode(CertificateJson.CertificateFromJson)(leaf)
  yield* Console.log(`its key as JSON: ${JSON.stringify(json.publicKey.algorithm)}`)

  const roots = yield* TrustStore.fromPem(yield* Effect.promise(() => readFile(rootsFile, "utf8")))
  const serverName = yield* ServerName.parse(name)
  const { path } = yield* Verifier.webPki(roots).verify(Verifier.makeRequest([leaf, ...others], { serverName }))
  yield* Console.log(`valid: ${path.map(({ label }) => label).join(" <- ")}`)
}).pipe(
  // The best path there was, and what is wrong with it.
  Effect.catchTag("CertificateError", (error) =>
    Console.log(`${error.code} at depth ${error.depth}: ${error.message}\n${error.hint}`)
  )
)

NodeRuntime.runMain(Effect.provide(program, NodeCrypto.layer))
