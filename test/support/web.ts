/** A web in memory, an authority that says where its answers are, and a server of it. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as CertificateBuilder from "../../src/core/CertificateBuilder.ts"
import type { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import type { OcspOptions } from "../../src/core/OcspResponseBuilder.ts"
import * as OcspResponseBuilder from "../../src/core/OcspResponseBuilder.ts"
import type { RevocationOptions } from "../../src/core/Revocation.ts"
import type { FetcherOptions } from "../../src/core/HttpRevocation.ts"
import * as HttpRevocation from "../../src/core/HttpRevocation.ts"
import * as TrustStore from "../../src/core/TrustStore.ts"
import * as Verifier from "../../src/core/Verifier.ts"
import * as CertificateExtension from "../../src/schema/CertificateExtension.ts"
import { oids } from "../../src/schema/ObjectIdentifier.ts"
import { layer, now } from "./harness.ts"

export const minute = 60_000
export const hour = 60 * minute
const uri = (value: string) => ({ _tag: "Uri" as const, value })
export const ocspAt = (...urls: ReadonlyArray<string>) =>
  CertificateExtension.make({
    _tag: "AuthorityInfoAccess",
    descriptions: urls.map((url) => ({ method: oids.ocsp, location: uri(url) }))
  })
const crlAt = (...urls: ReadonlyArray<string>) =>
  CertificateExtension.make({
    _tag: "CrlDistributionPoints",
    points: [{ name: { _tag: "FullName", names: urls.map(uri) }, reasons: undefined, crlIssuer: undefined }]
  })

export type Answer = Uint8Array | number | "hang" | "break"

/** A client of a web that is what `answer` says. */
export const web = (answer: (request: HttpClientRequest.HttpClientRequest, url: URL) => Effect.Effect<Answer>) => {
  const asked: Array<HttpClientRequest.HttpClientRequest> = []
  const client = HttpClient.make((request, url) => {
    asked.push(request)
    return Effect.flatMap(answer(request, url), (said) => {
      if (said === "hang") return Effect.never
      if (said === "break") {
        return Effect.fail(new HttpClientError.RequestError({ request, reason: "Transport", cause: "gone" }))
      }
      const response = typeof said === "number" ? new Response("no", { status: said }) : new Response(said.slice())
      return Effect.succeed(HttpClientResponse.fromWeb(request, response))
    })
  })
  return { asked, layer: Layer.succeed(HttpClient.HttpClient, client) }
}

export const world = Effect.gen(function* () {
  yield* TestClock.setTime(now)
  const ca = yield* CertificateBuilder.authority({ subject: { CN: "CA" } })
  const issue = (...extensions: ReadonlyArray<CertificateExtension.Raw>) =>
    CertificateBuilder.issue(ca, { names: ["server.example"], extensions })
  const server = yield* issue(ocspAt("http://ocsp.example/"), crlAt("http://crl.example/ca.crl"))
  const respond = (options: Partial<OcspOptions> = {}, { certificate } = server) =>
    Effect.orDie(OcspResponseBuilder.make(ca.identity, { statuses: [{ certificate }], ...options }))
  const revoked: Partial<OcspOptions> = { statuses: [{ certificate: server.certificate, status: "revoked" }] }
  return { ca, server, issue, respond, revoked }
})
export type World = Effect.Effect.Success<typeof world>

export const verify = (
  { ca, server }: World,
  revocation: RevocationOptions,
  shown: CertificateBuilder.Issued = server
) => {
  const verifier = Verifier.webPki(TrustStore.fromCertificates([ca.certificate]), { revocation })
  return Effect.map(Effect.either(verifier.verify(Verifier.makeRequest([shown.certificate]))), (result) =>
    Either.isRight(result) ? "good" : `${result.left.reason}: ${result.left.message.replace(/^[^:]*: /, "")}`
  )
}
/** Up to the first colon. */
export const reason = (verdict: string): string => verdict.replace(/:.*/, "")

type Needs = CryptoProvider | Scope.Scope
export const test = <E>(name: string, body: (all: World) => Effect.Effect<unknown, E, Needs>) =>
  it.scoped(name, () => Effect.flatMap(world, body).pipe(Effect.provide(layer)))

export const fetcher = (site: ReturnType<typeof web>, options?: FetcherOptions) =>
  Effect.provide(HttpRevocation.make(options), site.layer)
