import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Option, Redacted } from "effect"
import { CertificateBuilder } from "effect-tls"
import { NodeCrypto } from "effect-tls/node"
import { builtFile, ensureBuilt } from "./support/built.ts"

interface Ended {
  readonly code: number | null
  readonly output: string
}

const start = (name: string, ...args: ReadonlyArray<string>) =>
  spawn(process.execPath, [builtFile(`build/examples/${name}.js`), ...args])

const collect = (child: ChildProcessWithoutNullStreams, until?: RegExp): Promise<Ended> =>
  new Promise((resolve) => {
    let output = ""
    const onData = (chunk: Buffer) => {
      output += chunk.toString()
      if (until?.test(output)) resolve({ code: null, output })
    }
    child.stdout.on("data", onData)
    child.stderr.on("data", onData)
    child.on("close", (code) => resolve({ code, output }))
  })

const run = (name: string, ...args: ReadonlyArray<string>) => collect(start(name, ...args))

const withFolder = async (use: (folder: string) => Promise<void>): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), "effect-tls-examples-"))
  try {
    await use(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

describe("examples", () => {
  beforeAll(ensureBuilt, 120_000)

  it("main: Effect and node:tls in every combination", async () => {
    const { code, output } = await run("main")
    assert.strictEqual(code, 0, output)
    assert.include(output, 'sent "hello from Effect", received: the server heard "hello from Effect"')
    assert.include(output, 'sent "hello from node:tls", received: the server heard "hello from node:tls"')
    assert.include(output, 'sent "hello from Effect", received: node:tls heard "hello from Effect"')
    assert.match(output, /agreed on TLSv1\.3, TLS_\w+, authorized: true/)
    assert.include(output, "CertificateError: ")
  })

  it("echo-server and client", () =>
    withFolder(async (folder) => {
      const file = (name: string) => join(folder, `${name}.pem`)
      const pki = await Effect.runPromise(
        Effect.gen(function* () {
          const ca = yield* CertificateBuilder.authority({ subject: { CN: "Test CA" } })
          return { ca, server: yield* CertificateBuilder.issue(ca, { names: ["localhost"] }) }
        }).pipe(Effect.provide(NodeCrypto.layer))
      )
      await writeFile(file("ca"), CertificateBuilder.certificatePem(pki.ca))
      await writeFile(file("server"), CertificateBuilder.certificatePem(pki.server))
      const key = Option.getOrThrow(CertificateBuilder.privateKeyPem(pki.server))
      await writeFile(file("key"), Redacted.value(key), { mode: 0o600 })

      const server = start("echo-server", file("server"), file("key"), "0")
      const ended = collect(server)
      try {
        const { output: banner } = await collect(server, /listening on .*:\d+\n/)
        const port = /:(\d+)\n/.exec(banner)![1]!
        const trusted = await run("client", "localhost", port, file("ca"))
        assert.strictEqual(trusted.code, 0, trusted.output)
        assert.match(trusted.output, /^TLSv1\.3 TLS_/)
        assert.include(trusted.output, "the server answered: hello")

        const untrusted = await run("client", "localhost", port)
        assert.match(untrusted.output, /^UNABLE_TO_\w+: /)
      } finally {
        server.kill("SIGTERM")
      }
      assert.include((await ended).output, "refused: the peer sent the alert unknown_ca")
    }))

  it("certificates", () =>
    withFolder(async (folder) => {
      const file = (name: string) => join(folder, `${name}.pem`)
      const pki = await Effect.runPromise(
        Effect.gen(function* () {
          const ca = yield* CertificateBuilder.authority({ subject: { CN: "Test CA" } })
          return { ca, server: yield* CertificateBuilder.issue(ca, { names: ["localhost"] }) }
        }).pipe(Effect.provide(NodeCrypto.layer))
      )
      await writeFile(file("ca"), CertificateBuilder.certificatePem(pki.ca))
      await writeFile(file("server"), CertificateBuilder.certificatePem(pki.server))
      const { code, output } = await run("certificates", file("server"), file("ca"), "localhost")
      assert.strictEqual(code, 0, output)
      assert.include(output, "Certificate(CN=localhost, issued by CN=Test CA), valid to ")
      assert.include(output, 'its names: DNS:localhost\nits key as JSON: "P-256"\nvalid: CN=localhost <- CN=Test CA\n')
      const other = await run("certificates", file("server"), file("ca"), "example.org")
      assert.include(other.output, "HOSTNAME_MISMATCH at depth 0: ")
    }))

  it("custom-transport", async () => {
    const { code, output } = await run("custom-transport")
    assert.strictEqual(code, 0, output)
    assert.strictEqual(output.trim(), "through a channel")
  })

  it("private-ca", async () => {
    const { code, output } = await run("private-ca")
    assert.strictEqual(code, 0, output)
    const [welcome, refused, told] = output.trim().split("\n")
    assert.strictEqual(welcome, "hello, CN=Alice")
    assert.match(refused!, /^the server refused: certificate 0 "CN=Alice": it was revoked at .* \(keyCompromise\)$/)
    assert.strictEqual(told, "Alice was refused: the peer sent the alert certificate_revoked")
  })

  it("mutual-tls", async () => {
    const { code, output } = await run("mutual-tls")
    assert.strictEqual(code, 0, output)
    assert.include(output, "anonymous: the peer sent the alert certificate_required")
    assert.include(output, "alice: hello, CN=alice")
  })

  it("server-names", async () => {
    const { code, output } = await run("server-names")
    assert.strictEqual(code, 0, output)
    assert.deepStrictEqual(output.trim().split("\n"), [
      "www.shop.test: CN=*.shop.test: welcome",
      "admin.shop.test: refused: the peer sent the alert certificate_required",
      "elsewhere.test: refused: the peer sent the alert unrecognized_name"
    ])
  })

  it("rotation", () =>
    withFolder(async (folder) => {
      const { code, output } = await run("rotation", folder)
      assert.strictEqual(code, 0, output)
      assert.deepStrictEqual(output.trim().split("\n"), [
        "before: CN=the first, after: CN=the second",
        "the first connection is still here"
      ])
    }))

  it("pinning", async () => {
    const { code, output } = await run("pinning")
    assert.strictEqual(code, 0, output)
    assert.match(output, /^current: accepted, .*\nreserve: accepted, .*\nstranger: refused, Pin\n$/)
  })

  it("sessions", async () => {
    const { code, output } = await run("sessions")
    assert.strictEqual(code, 0, output)
    assert.deepStrictEqual(output.trim().split("\n"), [
      "welcome, says CN=localhost (Verified)",
      "welcome back, says CN=localhost (Verified)"
    ])
  })

  it("key-service", async () => {
    const { code, output } = await run("key-service")
    assert.strictEqual(code, 0, output)
    assert.strictEqual(output, "the service signed: Ecdsa, true\nthe client sees ecdsa_secp256r1_sha256\n")
  })

  it("key-log", () =>
    withFolder(async (folder) => {
      const { code, output } = await run("key-log", join(folder, "keys.log"))
      assert.strictEqual(code, 0, output)
      assert.strictEqual(output.trim().split("\n").length, 5)
      assert.match(output, /^CLIENT_HANDSHAKE_TRAFFIC_SECRET$/m)
    }))
})
