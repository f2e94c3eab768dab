/** An authority and what it issued to the server, made for the run: the leaf is sent, the root is trusted. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { Certificate, CertificateBuilder, type CryptoProvider } from "effect-tls"
import { NodeCrypto } from "effect-tls/node"
import type { Credentials } from "./Implementation.ts"
import { serverName } from "./Implementation.ts"

const issue = Effect.fnUntraced(function* (key: CryptoProvider.KeyType) {
  const authority = yield* CertificateBuilder.authority({ subject: { CN: "Bench" }, key })
  const server = yield* CertificateBuilder.issue(authority, { names: [serverName], key })
  return {
    authority: Certificate.toPem(authority.certificate),
    certificate: CertificateBuilder.certificatePem(server),
    privateKey: Redacted.value(Option.getOrThrow(CertificateBuilder.privateKeyPem(server)))
  } satisfies Credentials as Credentials
})

const keys = {
  ecdsa: { _tag: "Ec", curve: "P-256" },
  rsa: { _tag: "Rsa", modulusLength: 2048 }
} as const

export const make = (kind: keyof typeof keys): Promise<Credentials> =>
  Effect.runPromise(Effect.provide(issue(keys[kind]), NodeCrypto.layer))
