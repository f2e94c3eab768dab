import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Redacted from "effect/Redacted"
import { inspect } from "node:util"
import * as Pem from "../../src/schema/Pem.ts"

const content = Uint8Array.from({ length: 100 }, (_, i) => i)
const block = Pem.format("CERTIFICATE", content)

const labels = (text: string) =>
  Either.match(Pem.parse(text), {
    onLeft: ({ problem }) => problem,
    onRight: (blocks) => blocks.map(({ label }) => label).join(", ")
  })
const contentOf = (text: string) => Redacted.value(Either.getOrThrow(Pem.parse(text))[0]!.content)

describe("Pem", () => {
  it("writes lines of 64 characters", () => {
    assert.isTrue(block.startsWith("-----BEGIN CERTIFICATE-----\nAAEC"))
    assert.isTrue(block.split("\n").every((line) => line.length <= 64))
    assert.strictEqual(Pem.format("X", new Uint8Array()), "-----BEGIN X-----\n-----END X-----\n")
  })

  it.each([
    ["plain", block],
    ["CRLF", block.replaceAll("\n", "\r\n")],
    ["CR", block.replaceAll("\n", "\r")],
    ["a byte order mark", `\ufeff${block}`],
    ["line ends escaped", block.replaceAll("\n", "\\n")],
    ["line ends escaped as CRLF, in quotes", `"${block.replaceAll("\n", "\\r\\n")}"`],
    ["line ends lost", block.replaceAll("\n", " ")],
    ["no line ends at all", block.replaceAll("\n", "")],
    ["indented", block.replaceAll(/^/gm, "    ")],
    ["text around", `subject=CN = x: -----\n${block}\nthat was it`],
    ["headers", block.replace("-----\n", "-----\nX-Info: a\n  b\nOther: c\n\n")]
  ])("reads %s", (_, text) => {
    assert.strictEqual(labels(text), "CERTIFICATE")
    assert.deepStrictEqual(contentOf(text), content)
  })

  it("keeps headers and reads several blocks", () => {
    const text = `${block}between${Pem.format("EC PARAMETERS", content)}${Pem.format("X509 CRL", content)}`
    assert.strictEqual(labels(text), "CERTIFICATE, EC PARAMETERS, X509 CRL")
    const withHeaders =
      "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0011\n\nAAEC\n-----END RSA PRIVATE KEY-----"
    assert.deepStrictEqual(Array.from(Either.getOrThrow(Pem.parse(withHeaders))[0]!.headers), [
      ["Proc-Type", "4,ENCRYPTED"],
      ["DEK-Info", "AES-256-CBC,0011"]
    ])
    assert.strictEqual(labels("no block"), "")
  })

  it.each([
    [
      "no END line",
      block.replace(/-----END[^]*/, ""),
      `the PEM block "CERTIFICATE" has no END line: the text is cut off or was put together wrongly`
    ],
    [
      "a BEGIN line within",
      block.replace(/-----END.*\n/, "") + block,
      `the PEM block "CERTIFICATE" has no END line: the text is cut off or was put together wrongly`
    ],
    [
      "another END line",
      block.replace("END CERTIFICATE", "END PUBLIC KEY"),
      `the PEM block "CERTIFICATE" ends with another END line`
    ],
    [
      "a damaged BEGIN line",
      block.replace("CERTIFICATE-----", "CERTIFICATE--"),
      "PEM block 1 has no proper BEGIN line"
    ],
    [
      "other characters",
      block.replace("AAEC", "A*EC"),
      `the PEM block "CERTIFICATE" is not base64: the text is damaged`
    ],
    [
      "a character missing",
      block.replace("AAEC", "AAE"),
      `the PEM block "CERTIFICATE" is not base64: the text is damaged`
    ]
  ])("refuses %s", (_, text, problem) => {
    assert.strictEqual(labels(text), problem)
  })

  it("says what a text holds", () => {
    const describeText = (text: string) => Pem.describe(Either.getOrThrow(Pem.parse(text)))
    assert.strictEqual(describeText(""), "no PEM block")
    assert.strictEqual(
      describeText(`${block}${block}${Pem.format("PUBLIC KEY", content)}`),
      "a certificate (2 times) and a public key"
    )
    assert.strictEqual(describeText(Pem.format("ODD THING", content)), `a PEM block "ODD THING"`)
  })

  it("shows no content", () => {
    const shown = JSON.stringify(Either.getOrThrow(Pem.parse(block))) + inspect(Either.getOrThrow(Pem.parse(block)))
    assert.notInclude(shown, "AAEC")
    assert.notInclude(shown, "99")
  })

  it.prop("any bytes survive a round trip", [FastCheck.uint8Array()], ([bytes]) => {
    assert.deepStrictEqual(contentOf(Pem.format("TEST", bytes)), bytes)
  })

  it("is linear in hostile text", () => {
    const start = performance.now()
    Pem.parse("-----BEGIN ".repeat(100_000))
    Pem.parse("-----BEGIN A-----".repeat(100_000))
    Pem.parse(`-----BEGIN A-----${"a:".repeat(500_000)}-----END A-----`)
    Pem.parse(`-----BEGIN ${"A ".repeat(500_000)}-----END A-----`)
    assert.isBelow(performance.now() - start, 2000)
  })
})
