import { afterEach, assert, describe, it, vi } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { rootCertificates } from "node:tls"
import * as CertificateBuilder from "../../src/core/CertificateBuilder.ts"
import * as TrustStore from "../../src/core/TrustStore.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import * as NodeTrustStore from "../../src/layers/NodeTrustStore.ts"
import * as Certificate from "../../src/schema/Certificate.ts"

const authority = (name: string) =>
  Effect.runSync(
    Effect.provide(CertificateBuilder.authority({ subject: { CN: name }, key: { _tag: "Ed25519" } }), NodeCrypto.layer)
  ).certificate

const directory = () => {
  const path = mkdtempSync(join(tmpdir(), "effect-tls-"))
  return {
    path,
    write: (name: string, text: string | Uint8Array) => writeFileSync(join(path, name), text),
    [Symbol.dispose]: () => rmSync(path, { recursive: true })
  }
}

describe("NodeTrustStore", () => {
  it("has all of Mozilla's list, once", () => {
    assert.strictEqual(NodeTrustStore.bundled.anchors.length, new Set(rootCertificates).size)
    const current = Effect.runSync(Effect.provide(TrustStore.Current, NodeTrustStore.layerBundled))
    assert.strictEqual(current.anchors, NodeTrustStore.bundled.anchors)
  })

  it("reads a file of PEM or DER, and says what is wrong with it", () => {
    using folder = directory()
    const [a, b] = [authority("a"), authority("b")]
    folder.write("both.pem", Certificate.toPem(a, b))
    folder.write("one.der", a.der)
    folder.write("key.pem", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
    const read = (name: string) => NodeTrustStore.fromFile(join(folder.path, name))
    assert.strictEqual(Effect.runSync(read("both.pem")).anchors.length, 2)
    assert.isTrue(Effect.runSync(read("one.der")).has(a))
    const wrong = Effect.runSync(Effect.flip(read("key.pem")))
    assert.strictEqual(wrong.reason, "InvalidCertificate")
    assert.include(wrong.message, "key.pem: it holds a public key, a certificate is needed")
    const absent = Effect.runSync(Effect.flip(read("absent")))
    assert.strictEqual(absent.reason, "Unreadable")
    assert.include(absent.message, "ENOENT")
    const current = Effect.provide(TrustStore.Current, NodeTrustStore.layerFile(join(folder.path, "one.der")))
    assert.isTrue(Effect.runSync(current).has(a))
  })
})

/** The system's store is read once: with other variables it has to be another copy of the module. */
const systemWith = async (variables: {
  readonly SSL_CERT_FILE: string | undefined
  readonly SSL_CERT_DIR: string | undefined
}) => {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value)
  vi.resetModules()
  const fresh: typeof NodeTrustStore = await import("../../src/layers/NodeTrustStore.ts")
  const result = await Effect.runPromise(Effect.either(fresh.system))
  const current = await Effect.runPromise(Effect.provide(TrustStore.Current, fresh.layerSystem))
  // Read now, before the variables are gone.
  return { result, name: current.name, anchors: current.anchors }
}

describe("NodeTrustStore.system", () => {
  afterEach(() => {
    vi.unstubAllEnvs()
    vi.resetModules()
  })

  it("takes SSL_CERT_FILE and SSL_CERT_DIR instead of the system's, and what is damaged does no harm", async () => {
    using folder = directory()
    using hashed = directory()
    const [a, b] = [authority("a"), authority("b")]
    folder.write("file.pem", `${Certificate.toPem(a)}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`)
    hashed.write("0a1b2c3d.0", Certificate.toPem(b))
    hashed.write("README", "nothing here")
    const both = await systemWith({ SSL_CERT_FILE: join(folder.path, "file.pem"), SSL_CERT_DIR: hashed.path })
    assert.deepStrictEqual(
      both.anchors.map(({ label }) => label),
      ["CN=a", "CN=b"]
    )
    const one = await systemWith({
      SSL_CERT_FILE: join(folder.path, "file.pem"),
      SSL_CERT_DIR: join(folder.path, "absent")
    })
    assert.strictEqual(one.anchors.length, 1)
  })

  it("has a typed error where there are no anchors, and an empty store that says why", async () => {
    const { anchors, name, result } = await systemWith({ SSL_CERT_FILE: "/nowhere", SSL_CERT_DIR: "/nowhere" })
    assert.deepStrictEqual(anchors, [])
    assert.include(name, "no trust anchors were found in SSL_CERT_FILE and SSL_CERT_DIR")
    assert.isTrue(Either.isLeft(result))
    if (Either.isLeft(result)) assert.include(result.left.message, "trust.anchors: no trust anchors were found")
  })

  const bundle = "/etc/ssl/certs/ca-certificates.crt"
  it.skipIf(!existsSync(bundle))("reads the usual file, all of it", async () => {
    const count = readFileSync(bundle, "utf8").split("-----BEGIN CERTIFICATE-----").length - 1
    const { anchors, name } = await systemWith({ SSL_CERT_FILE: undefined, SSL_CERT_DIR: undefined })
    assert.strictEqual(name, "the system's trust store")
    assert.strictEqual(anchors.length, count)
  })
})
