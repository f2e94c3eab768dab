/** Certificates for both sides of a connection, as PEM: what a program of another runtime can be given. */
import { Effect, Option, Redacted } from "effect"
import { CertificateBuilder } from "effect-tls"

export interface PemIdentity {
  readonly certificateChain: string
  readonly privateKey: string
}

export interface Pki {
  readonly ca: string
  /** For `localhost`. */
  readonly server: PemIdentity
  /** The same with an RSA key. */
  readonly rsaServer: PemIdentity
  readonly client: PemIdentity
}

const pem = (issued: CertificateBuilder.Issued): PemIdentity => ({
  certificateChain: CertificateBuilder.certificatePem(issued),
  privateKey: Redacted.value(Option.getOrThrow(CertificateBuilder.privateKeyPem(issued)))
})

export const clientName = "runtime client"

export const makePki = Effect.gen(function* () {
  const ca = yield* CertificateBuilder.authority({ subject: { CN: "Runtime CA" } })
  const intermediate = yield* CertificateBuilder.issueAuthority(ca, { subject: { CN: "Runtime intermediate" } })
  return {
    ca: CertificateBuilder.certificatePem(ca),
    server: pem(yield* CertificateBuilder.issue(intermediate, { names: ["localhost"] })),
    rsaServer: pem(
      yield* CertificateBuilder.issue(ca, { names: ["localhost"], key: { _tag: "Rsa", modulusLength: 2048 } })
    ),
    client: pem(yield* CertificateBuilder.issue(ca, { subject: { CN: clientName } }))
  } satisfies Pki as Pki
})
