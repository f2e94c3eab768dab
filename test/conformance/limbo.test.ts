/**
 * x509-limbo: chains and what a validator should say of them. Found in `$VECTORS/limbo`, by default beside the
 * repository; absent, it skips and says so. The program is tested with a suite of our own.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import * as LimboSuite from "../../conformance/LimboSuite.ts"
import * as Suite from "../../conformance/Suite.ts"
import * as CertificateBuilder from "../../src/core/CertificateBuilder.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import * as Certificate from "../../src/schema/Certificate.ts"
import { builtFile, ensureBuilt } from "../support/built.ts"

const vectors = process.env["VECTORS"] ?? fileURLToPath(new URL("../../../shared/vectors", import.meta.url))
const file = `${vectors}/limbo/limbo-open.json.gz`

describe.skipIf(!existsSync(file))("x509-limbo", () => {
  it("has no chain wrongly refused, none wrongly accepted but lints, and none that takes long", async () => {
    const suite = Effect.flatMap(Suite.readJson("LIMBO", file), LimboSuite.judgeAll)
    const outcomes = (await Effect.runPromise(suite)).map(({ outcome }) => outcome)
    const odd = outcomes.filter((outcome) => !Suite.isFine(outcome) && !LimboSuite.isLint(outcome))
    assert.deepStrictEqual(Suite.remarks("limbo", odd), [])
    assert.strictEqual(
      Suite.summary("limbo", outcomes),
      "limbo: 1330 passed, 6 false accepts, 0 false rejects, 0 skipped"
    )
  }, 120_000)
})

describe("npm run limbo", () => {
  const folder = mkdtempSync(join(tmpdir(), "effect-tls-limbo-"))
  beforeAll(ensureBuilt, 120_000)
  afterAll(() => rmSync(folder, { recursive: true }))

  const program = Effect.gen(function* () {
    const key = { _tag: "Ec", curve: "P-256" } as const
    const ca = yield* CertificateBuilder.authority({ subject: { CN: "Root" }, key })
    const middle = yield* CertificateBuilder.issueAuthority(ca, { subject: { CN: "Middle" }, key })
    const end = yield* CertificateBuilder.issue(middle, { names: ["a.example", "192.0.2.1", "me@a.example"], key })
    const pem = ({ certificate }: CertificateBuilder.Issued) => Certificate.toPem(certificate)
    const testcase = {
      id: "right",
      features: [],
      validation_kind: "SERVER",
      trusted_certs: [pem(ca)],
      untrusted_intermediates: [pem(middle)],
      peer_certificate: pem(end),
      validation_time: null,
      signature_algorithms: [],
      key_usage: [],
      extended_key_usage: [],
      expected_result: "SUCCESS",
      expected_peer_name: { kind: "DNS", value: "a.example" },
      expected_peer_names: [],
      max_chain_depth: null
    }
    const refused = { ...testcase, expected_result: "FAILURE" }
    const client = { ...testcase, validation_kind: "CLIENT", expected_peer_name: null }
    const mailbox = (value: string) => [{ kind: "RFC822", value }]
    return [
      testcase,
      { ...testcase, id: "address", expected_peer_name: { kind: "IP", value: "192.0.2.1" } },
      { ...testcase, id: "algorithm", signature_algorithms: ["ECDSA_WITH_SHA256"] },
      { ...testcase, id: "usage", key_usage: ["digitalSignature"], extended_key_usage: ["serverAuth", "clientAuth"] },
      { ...testcase, id: "depth", max_chain_depth: 1 },
      { ...client, id: "client", expected_peer_names: mailbox("me@A.example") },
      { ...refused, id: "untrusted", trusted_certs: [] },
      { ...refused, id: "otherName", expected_peer_name: { kind: "DNS", value: "b.example" } },
      {
        ...client,
        id: "otherMailbox",
        expected_peer_names: mailbox("Me@a.example"),
        expected_result: "FAILURE"
      },
      { ...refused, id: "otherAlgorithm", signature_algorithms: ["RSA_WITH_SHA256", "GOSTR3411_94_WITH_3410_2001"] },
      { ...refused, id: "otherUsage", key_usage: ["keyAgreement"] },
      { ...refused, id: "otherPurpose", extended_key_usage: ["codeSigning"] },
      { ...refused, id: "deep", max_chain_depth: 0 },
      { ...refused, id: "late", validation_time: "2200-01-01T00:00:00+00:00" },
      { ...refused, id: "damaged", peer_certificate: "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n" },
      {
        ...refused,
        id: "unrevoked",
        features: ["has-crl"],
        crls: ["-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n"]
      },
      { ...testcase, id: "strange", features: ["has-holograms"] },
      { ...testcase, id: "formless", peer_certificate: 7 },
      { ...refused, id: "wronglyAccepted" },
      { ...testcase, id: "wronglyRefused", trusted_certs: [] }
    ]
  })

  const limbo = (path: string | undefined) => {
    const env = { ...process.env, LIMBO: path }
    const { status, stderr, stdout } = spawnSync(process.execPath, [builtFile("build/conformance/limbo.js")], { env })
    return { status, stdout: String(stdout), lines: String(stderr).trimEnd().split("\n") }
  }

  it("prints limbo's results and the count, of a plain file and of a gzipped one", async () => {
    const testcases = await Effect.runPromise(Effect.provide(program, NodeCrypto.layer))
    const suite = (...ids: ReadonlyArray<string>) =>
      JSON.stringify({ version: 1, testcases: testcases.filter(({ id }) => ids.length === 0 || ids.includes(id)) })
    const [plain, zipped] = [join(folder, "plain.json"), join(folder, "suite.json.gz")]
    writeFileSync(plain, suite())
    const { lines, status, stdout } = limbo(plain)
    assert.strictEqual(lines.at(-1), "limbo: 16 passed, 1 false accepts, 1 false rejects, 2 skipped")
    assert.strictEqual(status, 1)
    assert.include(lines, "limbo: false accept: wronglyAccepted")
    assert.include(lines, "limbo: skipped: strange: we do not do has-holograms")
    const { harness, results, version } = JSON.parse(stdout) as {
      readonly version: number
      readonly harness: string
      readonly results: ReadonlyArray<LimboSuite.TestcaseResult>
    }
    assert.deepStrictEqual([version, harness, results.length], [1, "effect-tls", testcases.length])
    assert.deepStrictEqual(results[0], { id: "right", actual_result: "SUCCESS", context: null })
    const of = (wanted: string) => results.find(({ id }) => id === wanted)
    assert.deepInclude(of("late"), { actual_result: "FAILURE" })
    assert.include(of("late")!.context, "it expired at")
    assert.deepInclude(of("formless"), { actual_result: "SKIPPED" })

    writeFileSync(zipped, gzipSync(suite("right", "late")))
    const good = limbo(zipped)
    assert.deepStrictEqual(good.lines, ["limbo: 2 passed, 0 false accepts, 0 false rejects, 0 skipped"])
    assert.strictEqual(good.status, 0)
  })

  it("says why there is nothing to run", () => {
    const missing = limbo(join(folder, "missing.json"))
    assert.deepInclude(missing, { status: 2, stdout: "" })
    assert.include(missing.lines[0], "ENOENT")
    const unsaid = limbo(undefined)
    assert.deepInclude(unsaid, { status: 2, lines: ["limbo: say where the suite is: LIMBO=path"] })
    const other = join(folder, "other.json")
    writeFileSync(other, `{"version": 2, "testcases": []}`)
    assert.include(limbo(other).lines[0], "it is no suite of limbo")
  })
})
