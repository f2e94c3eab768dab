import { NodeContext } from "@effect/platform-node"
import { Console, Effect, Either, Exit, Logger } from "effect"
import { X509Certificate, createPrivateKey } from "node:crypto"
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import { run as runCommand } from "../../src/cli/Command.ts"
import { Ended, Interruption } from "../../src/cli/ExitCode.ts"
import * as CertificateRevocationList from "../../src/schema/CertificateRevocationList.ts"
import { hasOpenssl, workshop } from "../support/openssl.ts"

let folder = ""
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "effect-tls-making-"))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
  vi.unstubAllEnvs()
})

const at = (name: string) => join(folder, name)
const read = (name: string) => readFileSync(at(name), "utf8")
const mode = (name: string) => (statSync(at(name)).mode & 0o777).toString(8)

/** Runs the command in this process; words that begin with `@` are files of the test's folder. */
const run = (...words: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const printed = { log: [] as Array<string>, error: [] as Array<string> }
    const print =
      (stream: "log" | "error") =>
      (...texts: ReadonlyArray<unknown>) =>
        Effect.sync(() => void printed[stream].push(texts.map(String).join(" ")))
    const console = yield* Console.consoleWith(Effect.succeed)
    const args = words.map((word) => (word.startsWith("@") ? at(word.slice(1)) : word))
    const exit = yield* Either.match(runCommand("0.0.0")(["certificate", ...args]), {
      onLeft: (problem) => Effect.zipRight(print("error")(problem), Effect.fail(new Ended({ code: 2 }))),
      onRight: (command) => command
    }).pipe(
      Effect.withConsole({ ...console, log: print("log"), error: print("error") }),
      Effect.provideService(Interruption, { expect: () => {} }),
      Effect.exit
    )
    const code = Exit.match(exit, {
      onSuccess: () => 0,
      onFailure: (cause) =>
        cause._tag === "Fail" && cause.error instanceof Ended ? cause.error.code : assert.fail(String(cause))
    })
    const without = (text: string) => text.replaceAll(`${folder}/`, "")
    return { code, stdout: without(printed.log.join("\n")), stderr: without(printed.error.join("\n")) }
  }).pipe(Effect.provide([NodeContext.layer, Logger.remove(Logger.defaultLogger)]), Effect.runPromise)

const succeed = async (...words: ReadonlyArray<string>) => {
  const { code, stderr, stdout } = await run(...words)
  assert.deepStrictEqual([code, stderr], [0, ""])
  return stdout
}

const makeCa = (...more: ReadonlyArray<string>) => succeed("make-ca", "--name", "Test CA", "--out", "@ca.pem", ...more)
const issue = (...more: ReadonlyArray<string>) =>
  succeed("issue", "--name", "a.example", "--ca", "@ca.pem", "--out", "@a.pem", ...more)

const certificate = (name: string) => new X509Certificate(read(name))
const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10)

describe("effect-tls certificate", () => {
  it("make-ca and issue make a chain that verify takes", async () => {
    assert.strictEqual(
      await makeCa("--organization", "Example", "--key-type", "p384"),
      `wrote ca.pem: certificate of CN=Test CA,O=Example, valid to ${inDays(3650)}\nwrote ca-key.pem: private key`
    )
    assert.strictEqual(
      await issue("--name", "127.0.0.1", "--name", "*.a.example", "--key-type", "ed25519", "--days", "30"),
      `wrote a.pem: certificate of CN=a.example, valid to ${inDays(30)}\nwrote a-key.pem: private key`
    )
    assert.deepStrictEqual(["ca-key.pem", "a-key.pem"].map(mode), ["600", "600"])
    const leaf = certificate("a.pem")
    assert.strictEqual(leaf.subjectAltName, "DNS:a.example, IP Address:127.0.0.1, DNS:*.a.example")
    assert.isTrue(leaf.checkPrivateKey(createPrivateKey(read("a-key.pem"))))
    assert.strictEqual(certificate("ca.pem").publicKey.asymmetricKeyDetails?.namedCurve, "secp384r1")
    assert.strictEqual((await run("verify", "--ca", "@ca.pem", "--name", "b.a.example", "@a.pem")).code, 0)
    assert.strictEqual((await run("verify", "--ca", "@ca.pem", "--purpose", "client", "@a.pem")).code, 0)
  })

  it("make-ca makes intermediates, restricts them, and refuses what they may not", async () => {
    await makeCa("--path-length", "1", "--permit", "example", "--exclude", "10.0.0.0/8")
    await succeed("make-ca", "--name", "Below", "--ca", "@ca.pem", "--out", "@below.pem", "--path-length", "0")
    const options = ["--ca", "@below.pem", "--out", "@a.pem", "--purpose", "server"]
    await succeed("issue", "--name", "a.example", ...options)
    assert.strictEqual((await run("verify", "--ca", "@ca.pem", "--name", "a.example", "@a.pem")).code, 0)
    assert.strictEqual((await run("verify", "--ca", "@ca.pem", "--purpose", "client", "@a.pem")).code, 1)
    const refused = async (...words: ReadonlyArray<string>) => {
      const { code, stderr } = await run(...words)
      assert.strictEqual(code, 2)
      return stderr
    }
    assert.strictEqual(
      await refused("make-ca", "--name", "Third", "--ca", "@below.pem", "--out", "@third.pem"),
      'effect-tls: --ca: "CN=Below" allows 0 authorities below it, and this one would be number 1'
    )
    const restricted = ["--ca", "@ca.pem", "--out", "@b.pem"]
    assert.match(await refused("issue", "--name", "b.test", ...restricted), /^effect-tls: --name: .*is not among the permitted names/) // prettier-ignore
    assert.match(await refused("issue", "--name", "10.1.2.3", ...restricted), /^effect-tls: --name: .*is not outside/)
    assert.match(await refused("issue", "--name", "b.example", "--days", "9999", ...restricted), /^effect-tls: --days: its issuer is not valid after/) // prettier-ignore
    assert.isFalse(existsSync(at("b.pem")) || existsSync(at("b-key.pem")) || existsSync(at("third.pem")))
  })

  it("self-sign makes a certificate that vouches for itself", async () => {
    await succeed("self-sign", "--name", "a.example", "--common-name", "Me", "--key-type", "rsa2048", "--out", "@a.pem")
    const own = certificate("a.pem")
    assert.isTrue(own.verify(own.publicKey))
    assert.strictEqual(own.subject, "CN=Me")
    assert.strictEqual((await run("verify", "--ca", "@a.pem", "--name", "a.example", "@a.pem")).code, 0)
  })

  it("request and sign make a certificate of a key that the authority never sees", async () => {
    await makeCa()
    assert.strictEqual(
      await succeed("request", "--name", "a.example", "--organization", "Example", "--out", "@a.csr"),
      "wrote a.csr: certificate request\nwrote a-key.pem: private key"
    )
    await succeed("sign", "@a.csr", "--ca", "@ca.pem", "--purpose", "client", "--days", "3")
    const leaf = certificate("a.pem")
    assert.strictEqual(leaf.subject, "O=Example\nCN=a.example")
    assert.isTrue(leaf.checkPrivateKey(createPrivateKey(read("a-key.pem"))))
    assert.strictEqual((await run("verify", "--ca", "@ca.pem", "--purpose", "client", "@a.pem")).code, 0)

    await succeed("request", "--common-name", "Below", "--key", "@a-key.pem", "--out", "@below.csr")
    assert.isFalse(existsSync(at("below-key.pem")))
    await succeed("sign", "@below.csr", "--ca", "@ca.pem", "--authority", "--path-length", "0", "--out", "@below.pem")
    assert.isTrue(certificate("below.pem").ca)
    await succeed("sign", "@a.csr", "--ca", "@ca.pem", "--name", "b.example", "--common-name", "B", "--out", "@b.pem")
    assert.deepStrictEqual([certificate("b.pem").subject, certificate("b.pem").subjectAltName], ["CN=B", "DNS:b.example"]) // prettier-ignore
  })

  it("encrypts keys under passphrases from files and the environment, and opens them", async () => {
    writeFileSync(at("secret"), "größer als ein Wort\r\nand a second line\n")
    vi.stubEnv("EFFECT_TLS_TEST_SECRET", "größer als ein Wort")
    await makeCa("--out-passphrase-file", "@secret")
    assert.match(read("ca-key.pem"), /^-----BEGIN ENCRYPTED PRIVATE KEY-----/)
    const without = await run("issue", "--name", "a", "--ca", "@ca.pem", "--out", "@a.pem")
    assert.deepStrictEqual([without.code, /^effect-tls: --ca-key ca-key.pem: .*it needs its passphrase$/.test(without.stderr)], [2, true], without.stderr) // prettier-ignore
    await issue("--passphrase-env", "EFFECT_TLS_TEST_SECRET", "--out-passphrase-env", "EFFECT_TLS_TEST_SECRET")
    assert.isTrue(
      certificate("a.pem").checkPrivateKey(
        createPrivateKey({ key: read("a-key.pem"), passphrase: "größer als ein Wort" })
      )
    )
    writeFileSync(at("wrong"), "something else")
    const wrong = await run("issue", "--name", "b", "--ca", "@ca.pem", "--passphrase-file", "@wrong", "--out", "@b.pem")
    assert.strictEqual(wrong.code, 2)
    assert.include(wrong.stderr, "the passphrase is wrong")
    assert.notInclude(wrong.stderr, "something else")
  })

  it("to-pfx and from-pfx go there and back", async () => {
    writeFileSync(at("secret"), "changeit\n")
    await makeCa()
    await issue()
    const secret = ["--out-passphrase-file", "@secret"]
    assert.strictEqual(
      await succeed("to-pfx", "@a.pem", "--ca", "@ca.pem", "--friendly-name", "größte", ...secret),
      "wrote a.p12: PKCS#12 bundle"
    )
    assert.strictEqual(mode("a.p12"), "600")
    const open = ["from-pfx", "@a.p12", "--passphrase-file", "@secret"]
    await succeed(...open, "--out", "@back.pem", "--friendly-name", "größte")
    assert.strictEqual(read("back-key.pem"), read("a-key.pem"))
    assert.strictEqual(read("back.pem"), read("a.pem") + read("ca.pem"))
    await succeed(...open, "--out", "@hidden.pem", "--out-passphrase-file", "@secret")
    assert.match(read("hidden-key.pem"), /^-----BEGIN ENCRYPTED PRIVATE KEY-----/)
    for (const [words, message] of [
      [
        [...open, "--friendly-name", "b"],
        /^effect-tls: --friendly-name: name one of the bundle's 1 entries: "größte"$/
      ],
      [["from-pfx", "@a.p12"], /^effect-tls: --passphrase-file: the bundle is encrypted/],
      [["from-pfx", "@a.pem"], /^effect-tls: BUNDLE a.pem: it holds a certificate/],
      [["to-pfx", "@a.pem"], /^effect-tls: --out-passphrase-file: a bundle has a passphrase/],
      [["to-pfx", "@a.pem", "--key", "@ca-key.pem", ...secret], /^effect-tls: --key ca-key.pem: it is not the key of "CN=a.example"$/] // prettier-ignore
    ] as const) {
      const { code, stderr } = await run(...words, "--out", "@x.pem")
      assert.deepStrictEqual([code, message.test(stderr)], [2, true], stderr)
    }
  })

  it("revoke makes lists that verify refuses by, one after the other", async () => {
    await makeCa()
    await issue()
    await succeed("issue", "--name", "b.example", "--ca", "@ca.pem", "--out", "@b.pem")
    const verify = (name: string) => run("verify", "--ca", "@ca.pem", "--crl", "@ca.crl", `@${name}`)
    assert.strictEqual(await succeed("revoke", "--ca", "@ca.pem"), "wrote ca.crl: revocation list")
    assert.strictEqual((await verify("a.pem")).code, 0)
    const first = JSON.parse(
      await succeed("revoke", "@a.pem", "--ca", "@ca.pem", "--reason", "keyCompromise", "--json")
    )
    assert.deepStrictEqual(first.written, [{ kind: "revocationList", file: "ca.crl" }])
    assert.strictEqual(first.revocationList.entries, 1)
    assert.strictEqual((await verify("b.pem")).code, 0)
    const refused = await verify("a.pem")
    assert.strictEqual(refused.code, 1)
    assert.match(refused.stdout, /keyCompromise/)
    await succeed("revoke", "--serial", certificate("b.pem").serialNumber, "--ca", "@ca.pem", "--days", "30")
    assert.strictEqual((await verify("b.pem")).code, 1)
    const [list] = Either.getOrThrow(CertificateRevocationList.fromPem(read("ca.crl")))
    assert.deepStrictEqual(
      list.revoked.map(({ reason }) => reason),
      ["keyCompromise", undefined]
    )
    assert.isTrue(list.number! > BigInt(first.revocationList.number))

    await succeed("make-ca", "--name", "Other", "--out", "@other.pem")
    for (const [words, message] of [
      [
        ["@a.pem", "--ca", "@other.pem"],
        /^effect-tls: CERTIFICATE a.pem: it was issued by "CN=Test CA", which revokes it$/
      ],
      [["--ca", "@other.pem", "--crl", "@ca.crl"], /^effect-tls: --crl ca.crl: "CN=Other" did not sign it$/],
      [["--ca", "@ca.pem", "--serial", "xyz"], /^effect-tls: --serial: a serial number is hexadecimal, found "xyz"$/],
      [["--ca", "@ca.pem", "--crl", "@ca.pem"], /^effect-tls: --crl ca.pem: it holds a certificate/]
    ] as const) {
      const { code, stderr } = await run("revoke", ...words)
      assert.deepStrictEqual([code, message.test(stderr)], [2, true], stderr)
    }
  })

  it("dev keeps an authority and a server's certificate, and uses them again", async () => {
    const dev = (...words: ReadonlyArray<string>) => succeed("dev", "--folder", "@dev", ...words)
    const first = await dev()
    assert.strictEqual(
      first,
      [
        `dev/server.pem: certificate of DNS:localhost, IP:127.0.0.1, IP:::1, valid to ${inDays(90)}`,
        "dev/server-key.pem: its private key",
        "dev/ca.pem: the authority to trust, as by NODE_EXTRA_CA_CERTS or curl --cacert"
      ].join("\n")
    )
    const [ca, server] = [read("dev/ca.pem"), read("dev/server.pem")]
    const again = JSON.parse(await dev("--json"))
    assert.deepStrictEqual(again.files, {
      authority: "dev/ca.pem",
      certificate: "dev/server.pem",
      privateKey: "dev/server-key.pem"
    })
    assert.deepStrictEqual(again.certificate.names, ["DNS:localhost", "IP:127.0.0.1", "IP:::1"])
    assert.deepStrictEqual([read("dev/ca.pem"), read("dev/server.pem")], [ca, server])
    await dev("dev.example", "other.example", "--days", "7")
    assert.strictEqual(read("dev/ca.pem"), ca)
    assert.strictEqual(certificate("dev/server.pem").subjectAltName, "DNS:dev.example, DNS:other.example")
    const { code, stderr } = await run("dev", "a..b", "--folder", "@dev")
    assert.strictEqual(code, 2)
    assert.include(stderr, 'effect-tls: NAME: "a..b" is not a server name')
  })

  it("writes over nothing unless told, and then anew: no link is followed, no mode kept", async () => {
    await makeCa()
    const before = read("ca-key.pem")
    const refused = await run("make-ca", "--name", "Test CA", "--out", "@new.pem", "--key-out", "@ca-key.pem")
    assert.deepStrictEqual(
      [refused.code, refused.stderr],
      [2, "effect-tls: --key-out: ca-key.pem is there already: --force writes over it"]
    )
    assert.deepStrictEqual([read("ca-key.pem"), existsSync(at("new.pem"))], [before, false])
    writeFileSync(at("elsewhere"), "mine", { mode: 0o644 })
    symlinkSync(at("elsewhere"), at("new-key.pem"))
    assert.strictEqual((await run("make-ca", "--name", "Test CA", "--out", "@new.pem")).code, 2)
    await succeed("make-ca", "--name", "Test CA", "--out", "@new.pem", "--force")
    assert.deepStrictEqual([read("elsewhere"), mode("new-key.pem")], ["mine", "600"])
  })

  it("says what it made as JSON", async () => {
    const made = JSON.parse(await makeCa("--json"))
    assert.deepStrictEqual(made.written, [
      { kind: "certificate", file: "ca.pem" },
      { kind: "privateKey", file: "ca-key.pem" }
    ])
    const ca = certificate("ca.pem")
    assert.deepStrictEqual(made.certificate, {
      subject: "CN=Test CA",
      issuer: "CN=Test CA",
      names: [],
      serialNumber: ca.serialNumber.toLowerCase(),
      notBefore: new Date(ca.validFrom).toISOString(),
      notAfter: new Date(ca.validTo).toISOString(),
      fingerprint256: ca.fingerprint256
    })
  })

  const cases: ReadonlyArray<readonly [what: string, words: ReadonlyArray<string>, message: RegExp]> = [
    ["an authority without a name", ["make-ca"], /^effect-tls: --name: say what the authority is called$/],
    ["two names of an authority", ["make-ca", "--name", "a", "--name", "b"], /^--name is given more than once$/],
    ["a certificate for nobody", ["issue", "--ca", "@ca.pem"], /^effect-tls: --name: say whom the certificate is for$/],
    ["no authority", ["issue", "--name", "a"], /^effect-tls: --ca: say whose/],
    ["an authority that is not there", ["issue", "--name", "a", "--ca", "@none.pem"], /^effect-tls: --ca none.pem: no such file$/], // prettier-ignore
    ["no DNS name", ["self-sign", "--name", "a..b"], /^effect-tls: --name: "a\.\.b" is not a server name/],
    ["no number of days", ["self-sign", "--name", "a", "--days", "soon"], /^effect-tls: --days: a whole number of days is needed, found "soon"$/], // prettier-ignore
    ["a kind of key we do not have", ["self-sign", "--name", "a", "--key-type", "dsa"], /--key-type is p256 or .*found "dsa"/], // prettier-ignore
    ["no range", ["make-ca", "--name", "a", "--permit", "example.com/8"], /^effect-tls: --permit: "example.com\/8" is no range of addresses$/], // prettier-ignore
    ["a prefix that is too long", ["make-ca", "--name", "a", "--exclude", "10.0.0.0/33"], /^effect-tls: --exclude: an address of 32 bits has no prefix of 33$/], // prettier-ignore
    ["no path length", ["make-ca", "--name", "a", "--path-length", "many"], /^effect-tls: --path-length: a whole number/], // prettier-ignore
    ["a path length of a leaf", ["sign", "@x.csr", "--path-length", "1"], /^effect-tls: --path-length: only an --authority has one$/], // prettier-ignore
    ["no request", ["sign"], /^effect-tls: REQUEST: say which request to sign$/],
    ["a passphrase that is not in the environment", ["self-sign", "--name", "a", "--out-passphrase-env", "EFFECT_TLS_NONE"], /^effect-tls: --out-passphrase-env: there is no environment variable "EFFECT_TLS_NONE"$/], // prettier-ignore
    [
      "a passphrase in the open",
      ["self-sign", "--name", "a", "--passphrase", "secret"],
      /^unknown option --passphrase/
    ],
    ["one file for both", ["self-sign", "--name", "a", "--key-out", "@out.pem"], /^effect-tls: --key-out: out.pem cannot be two files/], // prettier-ignore
    ["a directory that is not there", ["self-sign", "--name", "a", "--key-out", "@none/key.pem"], /^effect-tls: --key-out none\/key.pem: no such directory$/], // prettier-ignore
    ["an option of another command", ["revoke", "--name", "a"], /^unknown option --name/]
  ]
  it.each(cases)("refuses %s", async (_, words, message) => {
    const out = words.some((word) => /^(--out|revoke|--passphrase)$/.test(word)) ? [] : ["--out", "@out.pem"]
    const { code, stderr, stdout } = await run(...words, ...out)
    assert.deepStrictEqual([code, stdout, message.test(stderr)], [2, "", true], stderr)
  })

  it.skipIf(!hasOpenssl)("answers a request of OpenSSL's, and OpenSSL takes chain, key, bundle and list", async () => {
    using shop = workshop()
    writeFileSync(at("secret"), "changeit\n")
    await makeCa()
    shop.run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", at("r-key.pem"), "-out", at("r.csr"), "-subj", "/CN=r.example") // prettier-ignore
    await succeed("sign", "@r.csr", "--ca", "@ca.pem", "--name", "r.example")
    assert.include(shop.run("verify", "-x509_strict", "-CAfile", at("ca.pem"), at("r.pem")), "OK")
    await succeed("to-pfx", "@r.pem", "--out-passphrase-file", "@secret")
    assert.include(shop.run("pkcs12", "-in", at("r.p12"), "-passin", "pass:changeit", "-nodes"), "BEGIN PRIVATE KEY")
    await succeed("revoke", "@r.pem", "--ca", "@ca.pem")
    const refused = shop.attempt("verify", "-crl_check", "-CRLfile", at("ca.crl"), "-CAfile", at("ca.pem"), at("r.pem"))
    assert.include(refused.output, "certificate revoked")
  })
})
