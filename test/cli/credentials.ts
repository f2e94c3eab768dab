/** Certificates for both sides of the command, as PEM and as files. */
import { Effect, Option, Redacted } from "effect"
import { writeFileSync } from "node:fs"
import { beforeAll } from "vitest"
import * as CertificateBuilder from "../../src/core/CertificateBuilder.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import { folder } from "./command.ts"

export interface Credential {
  readonly cert: string
  readonly key: string
  readonly certFile: string
  readonly keyFile: string
}

export interface Credentials {
  readonly path: (name: string) => string
  /** The root that issued all but `stranger`. */
  readonly ca: Credential
  /** A root that issued none. */
  readonly stranger: Credential
  /** For localhost, server.test and 127.0.0.1. */
  readonly server: Credential
  /** The same with an Ed25519 key. */
  readonly ed25519: Credential
  readonly expired: Credential
  readonly client: Credential
}

const minute = 60_000

/** Makes them before the tests of a file. */
export const credentials = (): Credentials => {
  const { path } = folder()
  const made: { -readonly [K in keyof Credentials]?: Credentials[K] } = { path }
  const files = (name: string, issued: CertificateBuilder.Issued): Credential => {
    const cert = CertificateBuilder.certificatePem(issued)
    const key = Redacted.value(Option.getOrThrow(CertificateBuilder.privateKeyPem(issued)))
    const [certFile, keyFile] = [path(`${name}.crt`), path(`${name}.key`)]
    writeFileSync(certFile, cert)
    writeFileSync(keyFile, key)
    return { cert, key, certFile, keyFile }
  }
  beforeAll(() =>
    Effect.gen(function* () {
      const names = ["localhost", "server.test", "127.0.0.1"]
      const long = { notBefore: new Date(Date.now() - 10 * minute) }
      const ca = yield* CertificateBuilder.authority({ subject: { CN: "CLI test root" }, ...long })
      const stranger = yield* CertificateBuilder.authority({ subject: { CN: "Some other root" } })
      made.ca = files("ca", ca)
      made.stranger = files("stranger", stranger)
      made.server = files("server", yield* CertificateBuilder.issue(ca, { names, purposes: ["serverAuth"] }))
      made.ed25519 = files(
        "ed25519",
        yield* CertificateBuilder.issue(ca, { names, purposes: ["serverAuth"], key: { _tag: "Ed25519" } })
      )
      made.expired = files(
        "expired",
        yield* CertificateBuilder.issue(ca, {
          names,
          notBefore: new Date(Date.now() - 3 * minute),
          notAfter: new Date(Date.now() - 2 * minute)
        })
      )
      made.client = files(
        "client",
        yield* CertificateBuilder.issue(ca, { subject: { CN: "Alice" }, purposes: ["clientAuth"] })
      )
    }).pipe(Effect.provide(NodeCrypto.layer), Effect.runPromise)
  )
  return made as Credentials
}
