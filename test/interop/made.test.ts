/** Other programs read what we make: certificates, requests, keys, bundles and revocation lists, with every kind of key. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import {
  Certificate,
  CertificateBuilder,
  CertificateRequest,
  CertificateRequestBuilder,
  CertificateRevocationList,
  CertificateRevocationListBuilder,
  type CryptoProvider,
  Pkcs12Builder,
  PrivateKeyExport
} from "effect-tls"
import { NodeCrypto } from "effect-tls/node"
import { spawnSync } from "node:child_process"
import { createPrivateKey } from "node:crypto"
import type { AddressInfo } from "node:net"
import * as NodeTls from "node:tls"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import * as Tools from "../support/keyTools.ts"

const kinds: Readonly<Record<string, CryptoProvider.KeyType>> = {
  rsa: { _tag: "Rsa", modulusLength: 2048 },
  "rsa-pss": { _tag: "RsaPss", modulusLength: 2048 },
  p256: { _tag: "Ec", curve: "P-256" },
  p384: { _tag: "Ec", curve: "P-384" },
  p521: { _tag: "Ec", curve: "P-521" },
  ed25519: { _tag: "Ed25519" },
  ed448: { _tag: "Ed448" }
}
const names = ["localhost", "127.0.0.1", "::1"]
const passphrase = "Käse, 12 Stück"
const secret = Redacted.make(passphrase)

let folder = ""
const write = (name: string, content: string | Uint8Array) => writeFileSync(join(folder, name), content)

/** Of each kind: chain, key in the open, under PBKDF2 and under scrypt, request, bundle. A root and its list for all. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "effect-tls-made-"))
  await Effect.gen(function* () {
    const root = yield* CertificateBuilder.authority({ subject: { O: "Exämple", CN: "Root" } })
    const revoked = yield* CertificateBuilder.issue(root, { names })
    write("root.pem", Certificate.toPem(root.certificate))
    write("revoked.pem", Certificate.toPem(revoked.certificate))
    const list = yield* CertificateRevocationListBuilder.make(root.identity, {
      revoked: [{ certificate: revoked.certificate, reason: "keyCompromise" }]
    })
    write("root.crl", CertificateRevocationList.toPem(list))
    for (const [kind, key] of Object.entries(kinds)) {
      const intermediate = yield* CertificateBuilder.issueAuthority(root, {
        subject: { CN: `Intermediate ${kind}` },
        pathLength: 0,
        nameConstraints: { permitted: undefined, excluded: [{ _tag: "DnsName", value: "excluded.example" }] },
        key
      })
      const { pkcs8, privateKey, request } = yield* CertificateRequestBuilder.make({ names, key })
      write(`${kind}.csr`, CertificateRequest.toPem(request))
      const { certificateChain } = yield* CertificateBuilder.sign(intermediate, request)
      write(`${kind}.pem`, Certificate.toPem(...certificateChain))
      write(`${kind}-leaf.pem`, Certificate.toPem(certificateChain[0]))
      write(`${kind}-intermediate.pem`, Certificate.toPem(intermediate.certificate))
      write(`${kind}-all.pem`, Certificate.toPem(...certificateChain, root.certificate))
      const bytes = yield* pkcs8
      write(`${kind}-key.pem`, createPrivateKey({ key: Buffer.from(Redacted.value(bytes)), format: "der", type: "pkcs8" }).export({ format: "pem", type: "pkcs8" })) // prettier-ignore
      write(`${kind}-pbkdf2.pem`, yield* PrivateKeyExport.toEncryptedPem(bytes, { passphrase: secret }))
      write(`${kind}-scrypt.pem`, yield* PrivateKeyExport.toEncryptedPem(bytes, { passphrase: secret, kdf: "scrypt" }))
      const entry = { friendlyName: `the ${kind} key`, privateKey: bytes, certificateChain }
      const certificates = [{ certificate: root.certificate }]
      write(`${kind}.p12`, yield* Pkcs12Builder.make([entry], { passphrase: secret, certificates }))
      // Java's keytool reads its arguments as ASCII where the locale is none.
      const ascii = Redacted.make("changeit")
      write(`${kind}-ascii.p12`, yield* Pkcs12Builder.make([entry], { passphrase: ascii, certificates }))
      assert.strictEqual(privateKey.publicKey._tag, certificateChain[0].publicKey._tag)
    }
  }).pipe(Effect.provide(NodeCrypto.layer), Effect.runPromise)
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const sameKey = (kind: string, pem: string) =>
  assert.strictEqual(
    createPrivateKey(pem).export({ format: "der", type: "pkcs8" }).toString("hex"),
    createPrivateKey(readFileSync(join(folder, `${kind}-key.pem`)))
      .export({ format: "der", type: "pkcs8" })
      .toString("hex")
  )

describe.skipIf(Tools.openssl.missing)(`OpenSSL as ${Tools.openssl.name}`, () => {
  const openssl = (...args: ReadonlyArray<string>) => Tools.openssl.run(folder, ...args)
  const pass = ["-passin", `pass:${passphrase}`]

  it.each(Object.keys(kinds))("reads what is made with %s", (kind) => {
    const chain = ["-CAfile", "root.pem", "-untrusted", `${kind}-intermediate.pem`, "-x509_strict"]
    for (const purpose of ["sslserver", "sslclient"]) {
      const options = ["-purpose", purpose, "-verify_hostname", "localhost", ...chain]
      assert.strictEqual(openssl("verify", ...options, `${kind}-leaf.pem`), `${kind}-leaf.pem: OK\n`)
    }
    assert.include(openssl("req", "-in", `${kind}.csr`, "-verify", "-noout", "-text"), "DNS:localhost")
    sameKey(kind, openssl("pkey", "-in", `${kind}-pbkdf2.pem`, ...pass))
    sameKey(kind, openssl("pkey", "-in", `${kind}-scrypt.pem`, ...pass))
    const bundle = openssl("pkcs12", "-in", `${kind}.p12`, ...pass, "-nodes")
    sameKey(kind, bundle.slice(bundle.indexOf("-----BEGIN PRIVATE KEY")))
    assert.strictEqual(bundle.split("-----BEGIN CERTIFICATE-----").length, 4)
    assert.include(bundle, `friendlyName: the ${kind} key`)
  })

  it("reads the revocation list", () => {
    assert.include(openssl("crl", "-in", "root.crl", "-noout", "-text", "-CAfile", "root.pem"), "Key Compromise")
    const { stderr, stdout } = spawnSync("openssl", ["verify", "-crl_check", "-CRLfile", "root.crl", "-CAfile", "root.pem", "revoked.pem"], { cwd: folder, encoding: "utf8" }) // prettier-ignore
    assert.include(stdout + stderr, "certificate revoked")
  })
})

/** How node:tls serves with a bundle and connects with an encrypted key: what each sees of the other. */
const meet = (kind: string) =>
  new Promise<string>((resolve, reject) => {
    const file = (name: string) => readFileSync(join(folder, name))
    const ca = file("root.pem")
    const server = NodeTls.createServer(
      { pfx: file(`${kind}.p12`), passphrase, ca, requestCert: true, rejectUnauthorized: true },
      (socket) => socket.end(`${socket.getPeerCertificate().subjectaltname}, ${socket.authorized}`)
    )
    server.on("tlsClientError", reject)
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      const identity = { cert: file(`${kind}.pem`), key: file(`${kind}-pbkdf2.pem`), passphrase }
      const client = NodeTls.connect({ host: "127.0.0.1", port, ca, servername: "localhost", ...identity })
      let heard = ""
      client.setEncoding("utf8")
      client.on("data", (text) => (heard += String(text)))
      client.on("error", reject)
      client.on("close", () => server.close(() => resolve(`${client.authorized}: ${heard}`)))
    })
  })

describe("node:tls", () => {
  it.each(Object.keys(kinds))("serves and connects with what is made with %s", async (kind) => {
    const seen = "DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1"
    assert.strictEqual(await meet(kind), `true: ${seen}, true`)
  })
})

describe.skipIf(Tools.certtool.missing)(`GnuTLS's ${Tools.certtool.name}`, () => {
  const certtool = (...args: ReadonlyArray<string>) => Tools.certtool.run(folder, ...args)

  it.each(Object.keys(kinds))("reads what is made with %s", (kind) => {
    const verified = certtool("--verify", "--load-ca-certificate", "root.pem", "--infile", `${kind}.pem`, "--verify-hostname", "localhost", "--verify-purpose", "1.3.6.1.5.5.7.3.1") // prettier-ignore
    assert.match(verified, /Chain verification output: Verified/)
    assert.match(certtool("--crq-info", "--infile", `${kind}.csr`), /Self signature: verified/)
    const pin = (...args: ReadonlyArray<string>) => /pin-sha256:\S+/.exec(certtool(...args))?.[0]
    const own = pin("--certificate-info", "--infile", `${kind}-leaf.pem`)
    assert.isDefined(own)
    assert.strictEqual(pin("--pubkey-info", "--load-privkey", `${kind}-pbkdf2.pem`, "--password", passphrase), own)
    const bundle = certtool("--p12-info", "--inder", "--password", passphrase, "--infile", `${kind}.p12`)
    assert.strictEqual(bundle.split("-----BEGIN CERTIFICATE-----").length, 4)
    assert.match(bundle, /MAC info:\s+MAC: SHA256/)
    assert.match(bundle, /Cipher: AES-256-CBC/)
  })

  it("reads the revocation list", () => {
    const output = certtool("--verify-crl", "--load-ca-certificate", "root.pem", "--infile", "root.crl")
    assert.match(output, /Verification output: Verified/)
  })
})

describe.skipIf(Tools.keytool.missing)(`Java's ${Tools.keytool.name}`, () => {
  const keytool = (...args: ReadonlyArray<string>) =>
    Tools.keytool.run(folder, "-J-Duser.language=en", "-J-Dfile.encoding=UTF-8", ...args)

  it.each(Object.keys(kinds))("reads what is made with %s", { timeout: 60_000 }, (kind) => {
    assert.match(keytool("-printcertreq", "-file", `${kind}.csr`), /DNSName: localhost/)
    assert.match(keytool("-printcert", "-file", `${kind}.pem`), /Intermediate/)
    const stores = ["-srckeystore", `${kind}-ascii.p12`, "-srcstorepass", "changeit", "-destkeystore", `${kind}-java.p12`, "-deststorepass", "changeit"] // prettier-ignore
    keytool("-importkeystore", ...stores)
    const listed = keytool("-list", "-v", "-keystore", `${kind}-java.p12`, "-storepass", "changeit")
    assert.match(listed, new RegExp(`Alias name: the ${kind} key`))
    assert.match(listed, /Entry type: PrivateKeyEntry\s+Certificate chain length: 3/)
  })
})

const go = `${process.env["INTEROP"] ?? "/opt/interop"}/bin/gopki-go124`
const hasGo = spawnSync(go, [tmpdir()]).error === undefined

describe.skipIf(!hasGo)(`Go's crypto/x509${hasGo ? "" : " (setup.sh all brings it)"}`, () => {
  it("reads what is made with every kind of key that it knows", () => {
    // It has no keys of RSA-PSS alone, and no Ed448.
    const known = Object.keys(kinds).filter((kind) => kind !== "rsa-pss" && kind !== "ed448")
    const { stderr, stdout } = spawnSync(go, [folder, ...known], { encoding: "utf8" })
    assert.deepStrictEqual(`${stdout}${stderr}`.trim().split("\n"), [
      "root.crl 1 <nil>",
      ...known.map((kind) => `${kind} <nil>`)
    ])
  })
})
