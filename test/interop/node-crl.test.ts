/** What Node says of CRLs given as its option `crl`, and what we say: the same codes. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { connect, createServer } from "node:tls"
import type { Issued } from "../../src/core/CertificateBuilder.ts"
import * as CertificateBuilder from "../../src/core/CertificateBuilder.ts"
import type { CrlOptions } from "../../src/core/CertificateRevocationListBuilder.ts"
import * as CrlBuilder from "../../src/core/CertificateRevocationListBuilder.ts"
import type { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import * as TrustStore from "../../src/core/TrustStore.ts"
import * as Verifier from "../../src/core/Verifier.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import * as Certificate from "../../src/schema/Certificate.ts"
import type { CertificateRevocationList } from "../../src/schema/CertificateRevocationList.ts"
import * as CertificateRevocationLists from "../../src/schema/CertificateRevocationList.ts"
import * as Limits from "../../src/schema/Limits.ts"
import * as SignatureScheme from "../../src/schema/SignatureScheme.ts"

const run = <A, E>(effect: Effect.Effect<A, E, CryptoProvider>): Promise<A> =>
  Effect.runPromise(Effect.provide(effect, NodeCrypto.layer))

const day = 86_400_000
const crlOf = (issuer: Issued, options: CrlOptions = {}, key: Issued = issuer) =>
  run(
    CrlBuilder.make(
      { certificateChain: issuer.identity.certificateChain, privateKey: key.identity.privateKey },
      { thisUpdate: new Date(Date.now() - day), ...options }
    )
  )

const world = async () => {
  const root = await run(CertificateBuilder.authority({ subject: { CN: "Root" } }))
  const issuing = await run(CertificateBuilder.issueAuthority(root, { subject: { CN: "Issuing" } }))
  const leaf = await run(CertificateBuilder.issue(issuing, { names: ["localhost"] }))
  return { root, issuing, leaf }
}
type World = Awaited<ReturnType<typeof world>>

/** The code of Node's error, `OK` where it connects. */
const node = async ({ leaf, root }: World, crls: ReadonlyArray<CertificateRevocationList>): Promise<string> => {
  const server = createServer({
    cert: CertificateBuilder.certificatePem(leaf),
    key: Redacted.value(Option.getOrThrow(CertificateBuilder.privateKeyPem(leaf)))
  })
  server.on("tlsClientError", () => undefined)
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const client = connect({
    host: "127.0.0.1",
    port: (server.address() as AddressInfo).port,
    servername: "localhost",
    ca: Certificate.toPem(root.certificate),
    crl: crls.map((crl) => CertificateRevocationLists.toPem(crl))
  })
  try {
    return await new Promise((resolve) => {
      client.once("secureConnect", () => resolve("OK"))
      client.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    })
  } finally {
    client.destroy()
    server.close()
  }
}

const ours = ({ leaf, root }: World, crls: ReadonlyArray<CertificateRevocationList>): Promise<string> =>
  run(
    Verifier.webPki(TrustStore.fromCertificates([root.certificate]), { revocation: { crls } })
      .verify({
        role: "server",
        certificates: leaf.identity.certificateChain,
        serverName: Option.none(),
        signatureSchemes: SignatureScheme.registry.map(({ code }) => code),
        limits: Limits.defaults
      })
      .pipe(Effect.match({ onFailure: ({ code }) => code, onSuccess: () => "OK" }))
  )

const revoking = ({ certificate }: Issued): CrlOptions => ({ revoked: [{ certificate }] })

describe("Node's codes for CRLs are ours", () => {
  it.each<[string, string, (world: World) => ReadonlyArray<Promise<CertificateRevocationList>>]>([
    ["nothing revoked", "OK", ({ issuing, root }) => [crlOf(root), crlOf(issuing)]],
    ["the leaf revoked", "CERT_REVOKED", ({ issuing, leaf, root }) => [crlOf(root), crlOf(issuing, revoking(leaf))]],
    ["its issuer revoked", "CERT_REVOKED", ({ issuing, root }) => [crlOf(root, revoking(issuing)), crlOf(issuing)]],
    ["no CRL of its issuer", "UNABLE_TO_GET_CRL", ({ root }) => [crlOf(root)]],
    [
      "an old CRL",
      "CRL_HAS_EXPIRED",
      ({ issuing, root }) => [crlOf(root), crlOf(issuing, { nextUpdate: new Date(Date.now() - 10_000) })]
    ],
    [
      "a future CRL",
      "CRL_NOT_YET_VALID",
      ({ issuing, root }) => [crlOf(root), crlOf(issuing, { thisUpdate: new Date(Date.now() + day) })]
    ],
    ["a forged CRL", "CRL_SIGNATURE_FAILURE", ({ issuing, leaf, root }) => [crlOf(root), crlOf(issuing, {}, leaf)]]
  ])("with %s: %s", async (_, expected, make) => {
    const all = await world()
    const crls = await Promise.all(make(all))
    assert.strictEqual(await node(all, crls), expected)
    assert.strictEqual(await ours(all, crls), expected)
  })
})
