import { afterEach, assert, describe, it, vi } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
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

describe("NodeTrustStore.fromDirectory", () => {
  it("takes the certificates of its files, PEM and DER, each once, and nothing below", () => {
    using folder = directory()
    const [a, b, c, d] = [authority("a"), authority("b"), authority("c"), authority("d")]
    folder.write("1.pem", Certificate.toPem(a, b))
    folder.write("2.der", c.der)
    folder.write("3.pem", `${Certificate.toPem(b)}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`)
    folder.write("README", "nothing here")
    mkdirSync(join(folder.path, "below"))
    folder.write("below/d.pem", Certificate.toPem(d))
    const store = Effect.runSync(NodeTrustStore.fromDirectory(folder.path))
    assert.deepStrictEqual(
      store.anchors.map(({ label }) => label),
      ["CN=a", "CN=b", "CN=c"]
    )
    assert.strictEqual(store.name, `the certificates of ${folder.path}`)
    const current = Effect.provide(TrustStore.Current, NodeTrustStore.layerDirectory(folder.path))
    assert.isTrue(Effect.runSync(current).has(c))
  })

  it("fails where there is no certificate, or no directory", () => {
    using folder = directory()
    folder.write("README", "nothing here")
    const empty = Effect.runSync(Effect.flip(NodeTrustStore.fromDirectory(folder.path)))
    assert.deepStrictEqual([empty.reason, empty.issues[0].message], ["Unreadable", "no file in it holds a certificate"])
    const absent = Effect.runSync(Effect.flip(NodeTrustStore.fromDirectory(join(folder.path, "absent"))))
    assert.strictEqual(absent.reason, "Unreadable")
    assert.include(absent.message, "ENOENT")
    const none = Effect.provide(TrustStore.Current, NodeTrustStore.layerDirectory(folder.path))
    assert.strictEqual(Effect.runSync(Effect.flip(none)).reason, "Unreadable")
  })

  it.skipIf(process.platform === "win32")("does not wait for a pipe", () => {
    using folder = directory()
    execFileSync("mkfifo", [join(folder.path, "pipe.pem")])
    folder.write("a.pem", Certificate.toPem(authority("a")))
    assert.strictEqual(Effect.runSync(NodeTrustStore.fromDirectory(folder.path)).anchors.length, 1)
  })
})

/** The system's store is read once: with other variables it has to be another copy of the module. */
const systemWith = async (
  variables: { readonly SSL_CERT_FILE: string | undefined; readonly SSL_CERT_DIR: string | undefined },
  whileLoaded: (fresh: typeof NodeTrustStore) => void = () => {}
) => {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value)
  vi.resetModules()
  const fresh: typeof NodeTrustStore = await import("../../src/layers/NodeTrustStore.ts")
  const result = await Effect.runPromise(Effect.either(fresh.system))
  const current = await Effect.runPromise(Effect.provide(TrustStore.Current, fresh.layerSystem))
  whileLoaded(fresh)
  // Read now, before the variables are gone.
  return { result, name: current.name, anchors: current.anchors }
}

describe("NodeTrustStore.system", () => {
  afterEach(() => {
    vi.unstubAllEnvs()
    vi.doUnmock("node:tls")
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

  const unset = { SSL_CERT_FILE: undefined, SSL_CERT_DIR: undefined }

  it("is read and parsed once, and shared", async () => {
    using folder = directory()
    const file = join(folder.path, "file.pem")
    folder.write("file.pem", Certificate.toPem(authority("a")))
    await systemWith({ SSL_CERT_FILE: file, SSL_CERT_DIR: undefined }, (fresh) => {
      const first = Effect.runSync(fresh.system)
      const { anchors } = first
      folder.write("file.pem", Certificate.toPem(authority("b")))
      assert.strictEqual(Effect.runSync(fresh.system).anchors, anchors)
      const current = Effect.runSync(Effect.provide(TrustStore.Current, fresh.layerSystem))
      assert.strictEqual(current.anchors, anchors)
      assert.strictEqual(anchors[0]!.label, "CN=a")
    })
  })

  it("takes several directories, and an empty variable for none", async () => {
    using one = directory()
    using two = directory()
    one.write("a.pem", Certificate.toPem(authority("a")))
    two.write("b.pem", Certificate.toPem(authority("b")))
    const { anchors } = await systemWith({ SSL_CERT_FILE: "", SSL_CERT_DIR: [one.path, two.path].join(delimiter) })
    assert.deepStrictEqual(
      anchors.map(({ label }) => label),
      ["CN=a", "CN=b"]
    )
  })

  const withTls = (members: object) =>
    vi.doMock("node:tls", async (original) => ({ ...(await original<object>()), ...members }))

  it("asks Node where it has an answer", async () => {
    const asked: Array<string> = []
    const mine = Certificate.toPem(authority("mine"))
    withTls({
      getCACertificates: (type: string) => {
        asked.push(type)
        return [mine]
      }
    })
    const { anchors, name } = await systemWith(unset)
    assert.deepStrictEqual([name, ...anchors.map(({ label }) => label)], ["the system's trust store", "CN=mine"])
    assert.deepStrictEqual(asked, ["system"])
  })

  it("has no list of Mozilla's where the runtime brings none, and says so", async () => {
    withTls({ rootCertificates: undefined, getCACertificates: undefined })
    await systemWith(unset, (fresh) => {
      assert.isTrue(TrustStore.isEmpty(fresh.bundled))
      assert.strictEqual(fresh.bundled.name, "this runtime comes without Mozilla's trust store")
    })
  })

  const bundle = "/etc/ssl/certs/ca-certificates.crt"
  it.skipIf(!existsSync(bundle))("goes on to the usual files where Node knows none", async () => {
    withTls({ getCACertificates: () => [] })
    const { anchors } = await systemWith(unset)
    assert.isAbove(anchors.length, 0)
  })

  it.skipIf(!existsSync(bundle))("reads the usual file, all of it", async () => {
    const count = readFileSync(bundle, "utf8").split("-----BEGIN CERTIFICATE-----").length - 1
    const { anchors, name } = await systemWith({ SSL_CERT_FILE: undefined, SSL_CERT_DIR: undefined })
    assert.strictEqual(name, "the system's trust store")
    assert.strictEqual(anchors.length, count)
  })
})
