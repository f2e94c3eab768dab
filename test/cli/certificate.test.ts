import { NodeContext } from "@effect/platform-node"
import { Clock, Console, Effect, Either, Exit, Logger, Option, Redacted } from "effect"
import { X509Certificate } from "node:crypto"
import { chmodSync, readFileSync, truncateSync, writeFileSync } from "node:fs"
import { afterEach, assert, beforeAll, describe, it, vi } from "vitest"
import { run as runCommand } from "../../src/cli/Command.ts"
import { Ended, Interruption } from "../../src/cli/ExitCode.ts"
import type { InspectedCertificate } from "../../src/cli/Inspect.ts"
import type { InspectedRevocationList } from "../../src/cli/RevocationListText.ts"
import type { VerificationReport } from "../../src/cli/Verify.ts"
import * as CertificateBuilder from "../../src/core/CertificateBuilder.ts"
import * as CertificateRevocationListBuilder from "../../src/core/CertificateRevocationListBuilder.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import * as Certificate from "../../src/schema/Certificate.ts"
import * as CertificateExtension from "../../src/schema/CertificateExtension.ts"
import * as CertificateRevocationList from "../../src/schema/CertificateRevocationList.ts"
import { oids } from "../../src/schema/ObjectIdentifier.ts"
import { folder, run as runProcess, useCommand } from "./command.ts"

const { path } = folder()
const start = Date.UTC(2026, 0, 1)
const day = 86_400_000
const at = (days: number) => new Date(start + days * day)

interface Files {
  readonly root: string
  readonly intermediate: string
  readonly leaf: string
  /** Leaf, intermediate. */
  readonly chain: string
  readonly client: string
  readonly selfSigned: string
  readonly key: string
  /** Of the root, which revokes nobody, and of the intermediate. */
  readonly rootCrl: string
  readonly goodCrl: string
  /** Of the intermediate, which revokes the leaf and 21 others. */
  readonly badCrl: string
}
let files: Files
let leaf: Certificate.Certificate
let leafKey: string

const write = (name: string, content: string | Uint8Array): string => {
  writeFileSync(path(name), content)
  return path(name)
}

beforeAll(() =>
  Effect.gen(function* () {
    const validity = { notBefore: at(0), notAfter: at(1000) }
    const root = yield* CertificateBuilder.authority({ subject: { CN: "Root" }, ...validity })
    const intermediate = yield* CertificateBuilder.issueAuthority(root, {
      subject: { CN: "Intermediate" },
      pathLength: 0,
      nameConstraints: {
        permitted: [{ _tag: "DnsName", value: "example.com" }],
        excluded: [{ _tag: "DnsName", value: "secret.example.net" }]
      },
      ...validity
    })
    const issued = yield* CertificateBuilder.issue(intermediate, {
      names: ["example.com", "*.example.com"],
      purposes: ["serverAuth"],
      notBefore: at(10),
      notAfter: at(100),
      extensions: [
        CertificateExtension.make({
          _tag: "AuthorityInfoAccess",
          descriptions: [
            { method: oids.ocsp, location: { _tag: "Uri", value: "http://ocsp.example/" } },
            { method: oids.caIssuers, location: { _tag: "Uri", value: "http://ca.example/ca.der" } }
          ]
        }),
        CertificateExtension.make({
          _tag: "CrlDistributionPoints",
          points: [
            {
              name: { _tag: "FullName", names: [{ _tag: "Uri", value: "http://crl.example/\u001b[2Ja" }] },
              reasons: undefined,
              crlIssuer: undefined
            }
          ]
        }),
        CertificateExtension.make({ _tag: "TlsFeature", features: [5] }),
        CertificateExtension.make({ _tag: "OcspNoCheck" })
      ]
    })
    const client = yield* CertificateBuilder.issue(root, {
      subject: { CN: "Alice" },
      purposes: ["clientAuth"],
      ...validity
    })
    const selfSigned = yield* CertificateBuilder.selfSigned({ names: ["localhost"], ...validity })
    const crl = (issuer: CertificateBuilder.Issued, options: CertificateRevocationListBuilder.CrlOptions) =>
      CertificateRevocationListBuilder.make(issuer.identity, {
        thisUpdate: at(20),
        nextUpdate: at(40),
        number: 7n,
        ...options
      })
    const rootCrl = yield* crl(root, {})
    const goodCrl = yield* crl(intermediate, {})
    const badCrl = yield* crl(intermediate, {
      number: 8n,
      revoked: [
        { certificate: issued.certificate, reason: "keyCompromise", revocationDate: at(15) },
        ...Array.from({ length: 21 }, (_, i) => ({ serial: Uint8Array.of(i + 1), revocationDate: at(16) }))
      ]
    })
    leaf = issued.certificate
    leafKey = Redacted.value(Option.getOrThrow(CertificateBuilder.privateKeyPem(issued)))
    const pem = (name: string, ...certificates: ReadonlyArray<Certificate.Certificate>) =>
      write(name, Certificate.toPem(...certificates))
    files = {
      root: pem("root.pem", root.certificate),
      intermediate: pem("intermediate.pem", intermediate.certificate),
      leaf: pem("leaf.pem", issued.certificate),
      chain: pem("chain.pem", issued.certificate, intermediate.certificate),
      client: pem("client.pem", client.certificate),
      selfSigned: pem("self-signed.pem", selfSigned.certificate),
      key: write("key.pem", leafKey),
      rootCrl: write("root.crl", CertificateRevocationList.toPem(rootCrl)),
      goodCrl: write("good.crl", goodCrl.der),
      badCrl: write("bad.crl", CertificateRevocationList.toPem(badCrl))
    }
  }).pipe(Effect.provide(NodeCrypto.layer), Effect.runPromise)
)

const clockAt = (time: number): Clock.Clock =>
  Object.assign(Clock.make(), { unsafeCurrentTimeMillis: () => time, currentTimeMillis: Effect.succeed(time) })

/** Runs the command in this process, on the 31st day. */
const run = (args: ReadonlyArray<string>, time = at(30)) =>
  Effect.gen(function* () {
    const printed = { log: [] as Array<string>, error: [] as Array<string> }
    const print =
      (stream: "log" | "error") =>
      (...words: ReadonlyArray<unknown>) =>
        Effect.sync(() => void printed[stream].push(words.map(String).join(" ")))
    const console = yield* Console.consoleWith(Effect.succeed)
    const exit = yield* Either.match(runCommand("0.0.0")(["certificate", ...args]), {
      onLeft: (problem) => Effect.zipRight(print("error")(problem), Effect.fail(new Ended({ code: 2 }))),
      onRight: (command) => command
    }).pipe(
      Effect.withConsole({ ...console, log: print("log"), error: print("error") }),
      Effect.provideService(Interruption, { expect: () => {} }),
      Effect.withClock(clockAt(time.getTime())),
      Effect.exit
    )
    const code = Exit.match(exit, {
      onSuccess: () => 0,
      onFailure: (cause) =>
        cause._tag === "Fail" && cause.error instanceof Ended ? cause.error.code : assert.fail(String(cause))
    })
    return { code, stdout: printed.log.join("\n"), stderr: printed.error.join("\n") }
  }).pipe(Effect.provide([NodeContext.layer, Logger.remove(Logger.defaultLogger)]), Effect.runPromise)

const reversed = (pem: string): string =>
  (pem.match(/-----BEGIN[^]*?-----END CERTIFICATE-----\n/g) ?? []).reverse().join("")

const lines = (text: string) => text.split("\n").map((line) => line.trimEnd())

describe("effect-tls certificate inspect", () => {
  it("shows all that a certificate says", async () => {
    const { code, stderr, stdout } = await run(["inspect", files.leaf])
    assert.deepStrictEqual([code, stderr], [0, ""])
    const native = new X509Certificate(leaf.der)
    const id = (bytes: Uint8Array | undefined) =>
      Buffer.from(bytes!)
        .toString("hex")
        .toUpperCase()
        .replace(/..(?!$)/g, "$&:")
    const pin = leaf.publicKey.spki
    assert.deepStrictEqual(lines(stdout), [
      `${files.leaf}: certificate`,
      "  subject          CN=example.com",
      "  issuer           CN=Intermediate",
      "  names            DNS:example.com",
      "                   DNS:*.example.com",
      "  valid from       2026-01-11 00:00:00 UTC",
      "  valid to         2026-04-11 00:00:00 UTC, 70 days left",
      `  serial number    ${native.serialNumber.toLowerCase()}`,
      "  key              P-256",
      "  signature        ecdsaWithSha256",
      "  authority        no",
      "  key usage        digitalSignature (critical)",
      "  purposes         serverAuth",
      "  TLS features     status_request",
      `  key id           ${id(leaf.subjectKeyIdentifier)}`,
      `  issuer's key id  ${id(leaf.authorityKeyIdentifier?.keyIdentifier)}`,
      "  issuer at        http://ca.example/ca.der",
      "  OCSP at          http://ocsp.example/",
      // Nothing that a certificate says moves the cursor.
      "  CRL at           http://crl.example/\\u{1b}[2Ja",
      "  also has         ocspNoCheck",
      `  sha1             ${native.fingerprint}`,
      `  sha256           ${native.fingerprint256}`,
      `  pin              sha256/${Buffer.from(await crypto.subtle.digest("SHA-256", pin.slice())).toString("base64")}`
    ])
  })

  it("says what an authority may do, and who signed itself", async () => {
    const { stdout } = await run(["inspect", files.intermediate, files.root])
    assert.match(stdout, / {2}authority +yes, with at most 0 intermediates below it\n/)
    assert.match(stdout, / {2}may issue for +DNS:example\.com\n {2}must not issue for +DNS:secret\.example\.net\n/)
    assert.match(stdout, / {2}issuer +CN=Root\n/)
    assert.match(stdout, / {2}issuer +CN=Root \(self-signed\)\n/)
    assert.match(stdout, / {2}authority +yes\n/)
    assert.match(stdout, / {2}key usage +keyCertSign, cRLSign \(critical\)\n/)
  })

  it("tells how long a certificate is still valid, or no longer, or not yet", async () => {
    const validTo = async (time: Date) =>
      /valid to.*UTC, (.*)/.exec((await run(["inspect", files.leaf], time)).stdout)![1]
    assert.strictEqual(await validTo(at(9)), "not yet valid, 1 day to go")
    assert.strictEqual(await validTo(at(98.5)), "1 day left")
    assert.strictEqual(await validTo(at(99.5)), "0 days left")
    assert.strictEqual(await validTo(at(100.5)), "expired 0 days ago")
    assert.strictEqual(await validTo(at(102.5)), "expired 2 days ago")
  })

  it("prints JSON for scripts, one object per certificate", async () => {
    const { code, stdout } = await run(["inspect", "--json", files.chain, files.root])
    assert.strictEqual(code, 0)
    assert.lengthOf(stdout.split("\n"), 1)
    const all = JSON.parse(stdout) as ReadonlyArray<InspectedCertificate>
    assert.deepStrictEqual(
      all.map(({ file, subject, isCa, selfSigned }) => [file, subject, isCa, selfSigned]),
      [
        [files.chain, "CN=example.com", false, false],
        [files.chain, "CN=Intermediate", true, false],
        [files.root, "CN=Root", true, true]
      ]
    )
    const native = new X509Certificate(leaf.der)
    assert.deepInclude(all[0], {
      kind: "certificate",
      daysLeft: 70,
      fingerprints: { sha1: native.fingerprint, sha256: native.fingerprint256, sha512: native.fingerprint512 }
    })
    assert.strictEqual(all[0]!.der, native.raw.toString("base64"))
  })

  it("reads PEM with text around it, CRLF and a byte order mark, escaped line ends, and DER", async () => {
    const pem = Certificate.toPem(leaf)
    const forms = [
      write("crlf.pem", `\ufeffsubject=x\r\n${pem.replaceAll("\n", "\r\n")}`),
      write("escaped.pem", pem.replaceAll("\n", "\\n")),
      write("x509.pem", pem.replaceAll("CERTIFICATE", "X509 CERTIFICATE")),
      write("leaf.der", leaf.der)
    ]
    const { code, stdout } = await run(["inspect", "--json", ...forms])
    assert.strictEqual(code, 0)
    const all = JSON.parse(stdout) as ReadonlyArray<InspectedCertificate>
    assert.deepStrictEqual(
      all.map(({ serialNumber }) => serialNumber),
      forms.map(() => leaf.serialNumber)
    )
  })

  it("shows revocation lists, PEM and DER", async () => {
    const { code, stderr, stdout } = await run(["inspect", files.goodCrl, files.badCrl])
    assert.deepStrictEqual([code, stderr], [0, ""])
    const [good, bad] = stdout.split("\n\n").map(lines)
    assert.deepStrictEqual(good!.slice(0, 6), [
      `${files.goodCrl}: certificate revocation list`,
      "  issuer           CN=Intermediate",
      "  updated          2026-01-21 00:00:00 UTC",
      "  next update      2026-02-10 00:00:00 UTC, 10 days left",
      "  number           7",
      "  revokes          no certificate"
    ])
    assert.deepStrictEqual(bad!.slice(5, 8), [
      "  revokes          22 certificates",
      `                   ${leaf.serialNumber}  2026-01-16 00:00:00 UTC  keyCompromise`,
      "                   1  2026-01-17 00:00:00 UTC"
    ])
    assert.strictEqual(bad![26], "                   and 2 more")
    assert.match((await run(["inspect", files.goodCrl], at(43.5))).stdout, /next update .*, 3 days ago\n/)

    const json = JSON.parse((await run(["inspect", "--json", files.badCrl])).stdout) as [InspectedRevocationList]
    assert.deepInclude(json[0], {
      kind: "crl",
      file: files.badCrl,
      issuer: "CN=Intermediate",
      thisUpdate: at(20).toISOString(),
      nextUpdate: at(40).toISOString(),
      number: "8",
      baseNumber: null,
      onlyAbout: []
    })
    assert.lengthOf(json[0].revoked, 22)
    assert.deepStrictEqual(json[0].revoked[0], {
      serialNumber: leaf.serialNumber,
      revocationDate: at(15).toISOString(),
      reason: "keyCompromise",
      certificateIssuer: null
    })
  })

  it("does not show a key that lies beside a certificate", async () => {
    const both = write("both.pem", leafKey + Certificate.toPem(leaf))
    const { code, stderr, stdout } = await run(["inspect", both])
    assert.deepStrictEqual([code, stderr], [0, ""])
    assert.include(stdout, `${both}, 1 of 2: a private key, not shown\n\n${both}, 2 of 2: certificate\n`)
    for (const line of leafKey.split("\n").slice(1, -2)) assert.notInclude(stdout, line)
  })

  const refused: ReadonlyArray<readonly [what: string, file: () => string, message: RegExp]> = [
    ["a file that is not there", () => path("absent.pem"), /absent\.pem: no such file$/],
    ["a directory", () => path("."), /: it is a directory, a file with a certificate is needed$/],
    ["an empty file", () => write("empty.pem", ""), /empty\.pem: it is empty$/],
    ["a private key", () => files.key, /key\.pem: it holds a private key, a certificate is needed$/],
    [
      "a private key in DER",
      () => write("key.der", Buffer.from(leafKey.replace(/-----.*-----|\n/g, ""), "base64")),
      /key\.der: it holds a PKCS#8 private key, a certificate is needed$/
    ],
    [
      "more than anybody has",
      () => {
        const file = write("huge.pem", "")
        truncateSync(file, 64 * 1024 * 1024 + 1)
        return file
      },
      /huge\.pem: it has more than 64 MiB$/
    ],
    ["text", () => write("text.pem", "hello"), /text\.pem: it holds no PEM block, and is not DER$/],
    [
      "a block that is cut off",
      () => write("cut.pem", Certificate.toPem(leaf).slice(0, 200)),
      /cut\.pem: the PEM block "CERTIFICATE" has no END line/
    ],
    [
      "damaged DER",
      () => write("damaged.der", leaf.der.slice(0, 100)),
      /damaged\.der: it holds no certificate: Certificate: .* \(at byte \d+\)$/
    ]
  ]
  it.each(refused)("refuses %s", async (_, file, message) => {
    const { code, stderr, stdout } = await run(["inspect", file()])
    assert.deepStrictEqual([code, stdout], [2, ""])
    assert.match(stderr, message)
    assert.notInclude(stderr, leafKey.split("\n")[1]!)
  })

  it.skipIf(process.getuid?.() === 0)("refuses a file it may not read", async () => {
    const file = write("secret.pem", "")
    chmodSync(file, 0)
    const { code, stderr } = await run(["inspect", file])
    assert.strictEqual(code, 2)
    assert.match(stderr, /secret\.pem: it may not be read: permission denied$/)
  })

  it("shows the others when one file, or one block, is damaged", async () => {
    const bad = write(
      "bad.pem",
      Certificate.toPem(leaf).replace(/\n[^\n]{20}/, "\nAAAAAAAAAAAAAAAAAAAA") + Certificate.toPem(leaf)
    )
    const { code, stderr, stdout } = await run(["inspect", path("absent.pem"), bad, files.root])
    assert.strictEqual(code, 2)
    assert.lengthOf(stdout.match(/: certificate$/gm)!, 2)
    assert.match(stderr, /absent\.pem: no such file\n.*bad\.pem: certificate 1 of the PEM text is damaged/)
  })

  it("wants a file", async () => {
    const { code, stderr } = await run(["inspect"])
    assert.strictEqual(code, 2)
    assert.match(stderr, /FILE: say which file/)
  })
})

describe("effect-tls certificate verify", () => {
  it("prints the path of a valid certificate", async () => {
    const { code, stderr, stdout } = await run(["verify", "--ca", files.root, files.chain, "--name", "www.example.com"])
    assert.deepStrictEqual([code, stderr], [0, ""])
    const sha256 = (file: string) =>
      new X509Certificate(readFileSync(file)).fingerprint256.replaceAll(":", "").toLowerCase()
    assert.deepStrictEqual(lines(stdout), [
      "valid",
      "  ✓ 0  CN=example.com",
      "       issued by CN=Intermediate, 2026-01-11 to 2026-04-11",
      `       sha256 ${sha256(files.leaf)}`,
      "  ✓ 1  CN=Intermediate",
      "       issued by CN=Root, 2026-01-01 to 2028-09-27",
      `       sha256 ${sha256(files.intermediate)}`,
      "  ✓ 2  CN=Root, trust anchor",
      "       issued by CN=Root, 2026-01-01 to 2028-09-27",
      `       sha256 ${sha256(files.root)}`,
      "  name         www.example.com",
      "  purpose      server",
      "  time         2026-01-31 00:00:00 UTC",
      "  revocation   not checked",
      `  verified by  webPki(the certificates of ${files.root})`
    ])
  })

  it("takes intermediates from files of their own, and several authorities", async () => {
    const cas = ["--ca", files.selfSigned, "--ca", files.root]
    const { code, stdout } = await run(["verify", ...cas, "--intermediate", files.intermediate, files.leaf, "--json"])
    assert.strictEqual(code, 0)
    const report = JSON.parse(stdout) as VerificationReport
    assert.deepStrictEqual(
      report.chain.map(({ anchor, mark, subject }) => [subject, mark, anchor]),
      [
        ["CN=example.com", "valid", false],
        ["CN=Intermediate", "valid", false],
        ["CN=Root", "valid", true]
      ]
    )
    const { chain: _, ...rest } = report
    assert.deepStrictEqual(rest, {
      valid: true,
      purpose: "server",
      name: null,
      time: "2026-01-31T00:00:00.000Z",
      revocation: "not checked",
      verifiedBy: `webPki(the certificates of ${files.selfSigned}, ${files.root})`,
      error: null
    })
  })

  it.each<[string, () => ReadonlyArray<string>, string, RegExp]>([
    [
      "a missing intermediate",
      () => ["--ca", files.root, files.leaf],
      "MissingIntermediate (UNABLE_TO_VERIFY_LEAF_SIGNATURE)",
      /hint +The issuer was neither sent nor is it trusted: give it by --intermediate; if the issuer is a private root, by --ca\./
    ],
    [
      "an unknown root",
      () => ["--ca", files.selfSigned, files.chain],
      "UnknownIssuer (UNABLE_TO_GET_ISSUER_CERT_LOCALLY)",
      /hint +The chain ends at an issuer that is not trusted: give its root certificate by --ca\./
    ],
    [
      "a certificate of its own",
      () => ["--ca", files.root, files.selfSigned],
      "SelfSigned (DEPTH_ZERO_SELF_SIGNED_CERT)",
      /hint +The certificate is self-signed and not trusted: give that certificate by --ca\./
    ],
    [
      "another name",
      () => ["--ca", files.root, files.chain, "--name", "example.org"],
      "NameMismatch (HOSTNAME_MISMATCH)",
      /problem +.*it is not for example\.org: it is for DNS:example\.com, DNS:\*\.example\.com\n.*hint +Ask for a name it contains by --name\./
    ],
    [
      "one that has expired",
      () => ["--ca", files.root, files.chain, "--time", "2026-04-12"],
      "Expired (CERT_HAS_EXPIRED)",
      /hint +The certificate must be renewed; if it is current, check --time and this machine's clock\./
    ],
    [
      "one that is not valid yet",
      () => ["--ca", files.root, files.chain, "--time", "2026-01-10T23:59:59Z"],
      "NotYetValid (CERT_NOT_YET_VALID)",
      /hint +The certificate's validity lies in the future: check --time and this machine's clock\./
    ],
    [
      "a server's for a client",
      () => ["--ca", files.root, files.chain, "--purpose", "client"],
      "ExtendedKeyUsage (INVALID_PURPOSE)",
      /purpose +client\n/
    ],
    [
      "a chain out of order",
      () => ["--ca", files.root, write("reversed.pem", reversed(readFileSync(files.chain, "utf8")))],
      "CaAsLeaf (INVALID_PURPOSE)",
      /hint +The certificates are out of order: the one to verify comes first, then its issuer\./
    ],
    [
      "an authority's for a server",
      () => ["--ca", files.root, files.intermediate],
      "CaAsLeaf (INVALID_PURPOSE)",
      /hint +The peer identifies itself with a CA certificate/
    ],
    [
      "one that is revoked",
      () => ["--ca", files.root, files.chain, "--crl", files.badCrl, "--crl", files.rootCrl],
      "Revoked (CERT_REVOKED)",
      /revocation +checked\n/
    ],
    [
      "one that no list is about",
      () => ["--ca", files.root, files.chain, "--crl", files.rootCrl],
      "RevocationUnknown (UNABLE_TO_GET_CRL)",
      /hint +.*give a current CRL of its issuer by --crl\./
    ],
    [
      "an old list",
      () => ["--ca", files.root, files.chain, "--crl", files.goodCrl, "--crl", files.rootCrl, "--time", "2026-02-11"],
      "CrlExpired (CRL_HAS_EXPIRED)",
      /hint +.*if it is current, check --time and this machine's clock\./
    ]
  ])("refuses %s", async (_, args, reason, text) => {
    const { code, stderr, stdout } = await run(["verify", ...args()])
    assert.deepStrictEqual([code, stderr], [1, ""])
    assert.strictEqual(lines(stdout)[0], `not valid: ${reason}`)
    assert.match(stdout, /^ {2}✗ \d {2}CN=/m)
    assert.match(stdout, text)
    const json = await run(["verify", ...args(), "--json"])
    assert.strictEqual(json.code, 1)
    const report = JSON.parse(json.stdout) as VerificationReport
    assert.isFalse(report.valid)
    assert.strictEqual(`${report.error!.reason} (${report.error!.code})`, reason)
    assert.strictEqual(report.chain[report.error!.depth]!.mark, "failed")
  })

  it("accepts what no list revokes", async () => {
    const crls = ["--crl", files.goodCrl, "--crl", files.rootCrl]
    const { code, stdout } = await run(["verify", "--ca", files.root, files.chain, ...crls])
    assert.strictEqual(code, 0)
    assert.match(stdout, /revocation +checked\n/)
  })

  it("accepts a client's for a client", async () => {
    assert.strictEqual((await run(["verify", "--ca", files.root, files.client, "--purpose", "client"])).code, 0)
    assert.strictEqual((await run(["verify", "--ca", files.root, files.client])).code, 1)
  })

  it.each<[string, string]>([
    ["2026-02-01", "2026-02-01T00:00:00.000Z"],
    ["2026-02-01T12:34", "2026-02-01T12:34:00.000Z"],
    ["2026-02-01 12:34:56", "2026-02-01T12:34:56.000Z"],
    ["2026-02-01T12:34:56+02:00", "2026-02-01T10:34:56.000Z"],
    ["2026-02-01T12:34:56.789Z", "2026-02-01T12:34:56.789Z"],
    // As `inspect` prints it.
    ["2026-02-01 12:34:56 UTC", "2026-02-01T12:34:56.000Z"],
    ["@1769904000", "2026-02-01T00:00:00.000Z"],
    ["1769904000", "2026-02-01T00:00:00.000Z"]
  ])("takes the time %s", async (time, expected) => {
    const { stdout } = await run(["verify", "--ca", files.root, files.chain, "--json", "--time", time])
    assert.strictEqual((JSON.parse(stdout) as VerificationReport).time, expected)
  })

  it.each<[string, () => ReadonlyArray<string>, RegExp]>([
    ["no file", () => ["--ca", files.root], /FILE: say which certificate/],
    ["two files", () => [files.leaf, files.chain], /chain\.pem" is one argument too many/],
    ["a day that does not exist", () => [files.leaf, "--time", "2026-02-30"], /--time: a time is needed/],
    ["an hour that does not exist", () => [files.leaf, "--time", "2026-02-01T25:00"], /--time: a time is needed/],
    ["no time", () => [files.leaf, "--time", "soon"], /--time: a time is needed.*found "soon"/],
    ["no name", () => [files.leaf, "--name", "a b"], /--name: .*"a b"/],
    ["another purpose", () => [files.leaf, "--purpose", "mail"], /--purpose is server or client, found "mail"/],
    [
      "a purpose twice",
      () => [files.leaf, "--purpose", "client", "--purpose", "server"],
      /--purpose is given more than/
    ],
    ["standard input twice", () => ["--ca", "-", "-"], /-: standard input can be read once only/],
    ["a key", () => [files.key], /FILE .*key\.pem: it holds a private key, a certificate is needed/],
    ["a key for an authority", () => ["--ca", files.key, files.leaf], /--ca .*key\.pem: it holds a private key/],
    [
      "an intermediate that is not there",
      () => ["--intermediate", "/nowhere", files.leaf],
      /--intermediate \/nowhere: no such file/
    ],
    [
      "an unknown option",
      () => [files.leaf, "--intermediates"],
      /unknown option --intermediates, did you mean --intermediate\?/
    ]
  ])("refuses %s on the command line", async (_, args, message) => {
    const { code, stderr, stdout } = await run(["verify", ...args()])
    assert.deepStrictEqual([code, stdout], [2, ""])
    assert.match(stderr, message)
  })

  it("knows its commands", async () => {
    const unknown = await run(["verfy", files.leaf])
    assert.deepStrictEqual([unknown.code, unknown.stdout], [2, ""])
    assert.include(unknown.stderr, `"verfy" is no command of certificate, did you mean verify?`)
    for (const args of [[], ["--help"], ["verify", "--help"], ["inspect", files.leaf, "-h"]]) {
      const { code, stdout } = await run(args)
      assert.strictEqual(code, 0)
      assert.include(stdout, "effect-tls certificate")
    }
    assert.include((await run(["verify", "--help"])).stdout, "effect-tls certificate verify")
  })
})

describe("effect-tls certificate as a process", () => {
  useCommand()
  afterEach(() => void vi.unstubAllEnvs())

  it("reads standard input, and trusts the system where nobody is named", async () => {
    const shown = await runProcess(["certificate", "inspect", "-"], Certificate.toPem(leaf))
    assert.strictEqual(shown.code, 0, shown.stderr)
    assert.match(shown.stdout.toString(), /^standard input: certificate\n {2}subject +CN=example\.com\n/)
    const empty = await runProcess(["certificate", "inspect", "-"], "")
    assert.deepStrictEqual([empty.code, empty.stderr], [2, "effect-tls: standard input: it is empty\n"])

    const args = ["certificate", "verify", "--time", "2026-01-31", "-"]
    vi.stubEnv("SSL_CERT_DIR", undefined)
    vi.stubEnv("SSL_CERT_FILE", files.root)
    const trusted = await runProcess(args, readFileSync(files.chain))
    assert.deepStrictEqual([trusted.code, trusted.stderr], [0, ""])
    assert.match(trusted.stdout.toString(), /verified by +webPki\(the certificates of SSL_CERT_FILE and SSL_CERT_DIR\)/)
    vi.stubEnv("SSL_CERT_FILE", path("absent.pem"))
    const nobody = await runProcess(args, readFileSync(files.chain))
    assert.strictEqual(nobody.code, 1)
    assert.match(nobody.stdout.toString(), /nobody is trusted, since no trust anchors were found in SSL_CERT_FILE/)
  })
})
