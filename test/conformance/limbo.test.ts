/**
 * x509-limbo: chains and what a validator should say of them. Found in `$VECTORS/limbo`, by default beside the
 * repository; absent, it skips and says so. CRLs are not checked yet, and a few public-web lints never will be.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { gunzipSync } from "node:zlib"
import type { Conformance } from "../../src/core/CertificateRules.ts"
import * as TrustStore from "../../src/core/TrustStore.ts"
import * as Verifier from "../../src/core/Verifier.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import * as Certificate from "../../src/schema/Certificate.ts"
import type { KeyUsage } from "../../src/schema/CertificateExtension.ts"
import * as Limits from "../../src/schema/Limits.ts"
import * as ServerName from "../../src/schema/ServerName.ts"
import * as SignatureScheme from "../../src/schema/SignatureScheme.ts"

interface TestCase {
  readonly id: string
  readonly features: ReadonlyArray<string>
  readonly validation_kind: "SERVER" | "CLIENT"
  readonly trusted_certs: ReadonlyArray<string>
  readonly untrusted_intermediates: ReadonlyArray<string>
  readonly peer_certificate: string
  readonly validation_time: string | null
  readonly key_usage: ReadonlyArray<KeyUsage>
  readonly expected_result: "SUCCESS" | "FAILURE"
  readonly expected_peer_name: { readonly kind: string; readonly value: string } | null
  readonly max_chain_depth: number | null
}

const vectors = process.env["VECTORS"] ?? fileURLToPath(new URL("../../../shared/vectors", import.meta.url))
const file = `${vectors}/limbo/limbo-open.json.gz`

// The suites ask for different things: `webpki` and `rfc5280` contradict each other in places, and the others hold for
// everybody.
const conformanceOf = (id: string): Conformance =>
  id.startsWith("webpki::") ? "webpki" : /^(?:rfc5280|pathlen)::/.test(id) ? "rfc5280" : "practice"

const certificatesOf = (pems: ReadonlyArray<string>): ReadonlyArray<Certificate.Certificate> =>
  pems.flatMap((pem) => Either.getOrElse(Certificate.fromPem(pem), () => []))

const accepts = (test: TestCase): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const [leaf] = yield* Certificate.fromPem(test.peer_certificate)
    const name = test.validation_kind === "SERVER" ? test.expected_peer_name : null
    const verifier = Verifier.webPki(TrustStore.fromCertificates(certificatesOf(test.trusted_certs)), {
      conformance: conformanceOf(test.id),
      partialChain: true,
      keyUsage: test.key_usage
    })
    return yield* verifier.verify({
      role: test.validation_kind === "SERVER" ? "server" : "client",
      certificates: [leaf, ...certificatesOf(test.untrusted_intermediates)],
      serverName: name === null ? Option.none() : Option.some(yield* ServerName.parse(name.value)),
      signatureSchemes: SignatureScheme.registry.map(({ code }) => code),
      limits: { ...Limits.defaults, intermediates: test.max_chain_depth ?? Limits.defaults.intermediates }
    })
  }).pipe(
    Effect.isSuccess,
    Effect.provide(NodeCrypto.layer),
    Effect.withClock(clockAt(test.validation_time === null ? Date.now() : Date.parse(test.validation_time)))
  )

const clockAt = (time: number): Clock.Clock => ({ ...Clock.make(), currentTimeMillis: Effect.succeed(time) })

/** What is wrongly accepted for now, and why. */
const isKnown = ({ features, id }: TestCase): boolean =>
  features.includes("has-crl") ||
  features.some((feature) => feature.startsWith("pedantic-")) ||
  id.startsWith("webpki::cn::")

describe.skipIf(!existsSync(file))("x509-limbo", () => {
  it("has no chain wrongly refused, none wrongly accepted but those known, and none that takes long", async () => {
    const { testcases } = JSON.parse(gunzipSync(readFileSync(file)).toString()) as {
      readonly testcases: ReadonlyArray<TestCase>
    }
    assert.isAbove(testcases.length, 1000)
    const wrong: Array<string> = []
    let passed = 0
    for (const test of testcases) {
      const start = performance.now()
      const isAccepted = await Effect.runPromise(accepts(test))
      if (performance.now() - start > 1000) wrong.push(`took long: ${test.id}`)
      if (isAccepted === (test.expected_result === "SUCCESS")) passed++
      else if (!isAccepted || !isKnown(test)) wrong.push(`wrongly ${isAccepted ? "accepted" : "refused"}: ${test.id}`)
    }
    assert.deepStrictEqual(wrong, [])
    assert.isAtLeast(passed, testcases.length - 8)
  }, 120_000)
})
