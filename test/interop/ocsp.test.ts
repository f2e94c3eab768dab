/**
 * OCSP responses stapled by real servers, and ours by real clients: each has to come to the right verdict about the other's.
 * What is missing here is skipped, and says what would bring it.
 */
import { assert } from "@effect/vitest"
import { assertSome } from "@effect/vitest/utils"
import { Effect, Either, Option, Redacted } from "effect"
import {
  type Certificate,
  CertificateBuilder,
  CertificateExtension,
  ObjectIdentifier,
  OcspResponse,
  OcspResponseBuilder,
  type SecureContext
} from "effect-tls"
import { NodeCrypto } from "effect-tls/node"
import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe } from "vitest"
import * as Ssl from "./openssl.ts"
import * as Ours from "./ours.ts"
import * as Peers from "./peer.ts"
import { type Issued, usePki } from "./pki.ts"
import { run, start } from "./process.ts"

const certs = usePki()
const { test } = Ours

/** The words of a command line; no path here has a space. */
const words = (text: string): ReadonlyArray<string> => text.trim().split(/\s+/)

const has = (command: string, ...args: ReadonlyArray<string>) => spawnSync(command, args).error === undefined

/** An authority, a responder of its and a server, in files, with responses about the server. */
const prepare = Effect.gen(function* () {
  const { directory } = certs()
  const file = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(directory, name), content)
    return join(directory, name)
  }
  const written = (name: string, made: CertificateBuilder.Issued): Issued => {
    const certificateChain = CertificateBuilder.certificatePem(made)
    const privateKey = Redacted.value(Option.getOrThrow(CertificateBuilder.privateKeyPem(made)))
    return {
      certificateChain,
      privateKey,
      certFile: file(`${name}.crt`, certificateChain),
      chainFile: undefined,
      keyFile: file(`${name}.key`, privateKey)
    }
  }
  const ca = yield* CertificateBuilder.authority({ subject: { CN: "OCSP CA" } })
  const server = yield* CertificateBuilder.issue(ca, { names: ["localhost"] })
  // `selfserv` staples with its RSA certificate only.
  const rsa = yield* CertificateBuilder.issue(ca, { names: ["localhost"], key: { _tag: "Rsa", modulusLength: 2048 } })
  const demanding = yield* CertificateBuilder.issue(ca, {
    names: ["localhost"],
    extensions: [CertificateExtension.make({ _tag: "TlsFeature", features: [5] })]
  })
  const responder = yield* CertificateBuilder.issue(ca, {
    subject: { CN: "OCSP responder" },
    extensions: [CertificateExtension.encodeExtendedKeyUsage([ObjectIdentifier.oids.OCSPSigning])]
  })
  const { certificate } = server
  const make = (options: Partial<OcspResponseBuilder.OcspOptions> = {}, signer: CertificateBuilder.Issued = ca) =>
    OcspResponseBuilder.make(signer.identity, { statuses: [{ certificate }], ...options })
  const good = yield* make()
  const badsig = Uint8Array.from(good.der)
  badsig[badsig.length - 1]! ^= 1
  const responses = {
    good: good.der,
    delegated: (yield* make({ issuer: ca.certificate, responder: "key" }, responder)).der,
    revoked: (yield* make({ statuses: [{ certificate, status: "revoked", reason: "keyCompromise" }] })).der,
    unknown: (yield* make({ statuses: [{ certificate, status: "unknown" }] })).der,
    demanded: (yield* make({ statuses: [{ certificate: demanding.certificate }] })).der,
    badsig
  }
  const files = Object.fromEntries(
    Object.entries(responses).map(([name, der]) => [name, file(`${name}.ocsp`, der)])
  ) as { readonly [N in keyof typeof responses]: string }

  const database = `sql:${join(directory, "ocsp-nss")}`
  const authority = written("ocsp-ca", ca)
  const own = written("ocsp-server", server)
  if (has("certutil", "-H")) {
    const tool = (text: string) => run(words(text)[0]!, words(text).slice(1))
    yield* tool(`mkdir ${join(directory, "ocsp-nss")}`)
    yield* tool(`certutil -N -d ${database} --empty-password`)
    for (const [name, { certFile, keyFile }] of [
      ["ca", authority],
      ["rsa", written("ocsp-rsa", rsa)]
    ] as const) {
      const bundle = join(directory, `ocsp-${name}.p12`)
      yield* tool(
        `openssl pkcs12 -export -in ${certFile} -inkey ${keyFile} -name ${name} -out ${bundle} -passout pass:x`
      )
      yield* tool(`pk12util -i ${bundle} -d ${database} -W x`)
    }
    yield* tool(`certutil -M -d ${database} -n ca -t CT,C,C`)
  }
  return {
    ca: authority,
    anchor: ca.certificate,
    server: own,
    demanding: written("ocsp-demanding", demanding),
    responses,
    files,
    database
  }
}).pipe(Effect.provide(NodeCrypto.layer))

const prepared = Effect.runSync(Effect.cached(prepare))
type World = Effect.Effect.Success<typeof prepared>
type Named = keyof World["responses"]

const trusting = (
  anchor: Certificate.Certificate,
  mode: "hard-fail" | "soft-fail" = "hard-fail",
  more: { readonly sha1Responses?: boolean } = {}
): Parameters<typeof SecureContext.make>[0] => ({ trust: { anchors: anchor, revocation: { mode, ...more } } })

/** `connected`, or why not. */
const verdict = (connecting: ReturnType<typeof Ours.connect>) =>
  Effect.map(Effect.either(connecting), (result) =>
    Either.isRight(result) ? "connected" : `${result.left._tag} ${result.left.reason}`
  )

const expected: { readonly [N in Exclude<Named, "demanded">]: string } = {
  good: "connected",
  delegated: "connected",
  revoked: "CertificateError Revoked",
  unknown: "CertificateError OcspUnknown",
  badsig: "CertificateError OcspBadSignature"
}

/** A server that binds every address, in a network of its own. */
const inOwnNetwork = (argv: (port: number) => ReadonlyArray<string>): Peers.AsServer => ({
  shape: "pipe",
  ends: "close_notify",
  clientCertificate: false,
  hybrid: false,
  bulk: false,
  resumes: false,
  everyAddress: true,
  retry: ["x25519", "x25519"],
  command: ({ port }) => ({ argv: argv(port) })
})

const serveAlone = (argv: (port: number) => ReadonlyArray<string>) =>
  Effect.map(
    Peers.serve(inOwnNetwork(argv), {
      issued: certs().server.p256,
      clientCa: undefined,
      bulk: false,
      hybrid: false,
      pki: certs()
    }),
    ({ endpoint }) => endpoint
  )

/** What our client makes of each staple that such a server takes. */
const judgesAll = (
  argv: (world: World, response: string) => (port: number) => ReadonlyArray<string>,
  names: ReadonlyArray<keyof typeof expected>
) => {
  for (const name of names) {
    test(`${name}: ${expected[name]}`, () =>
      Effect.gen(function* () {
        const world = yield* prepared
        const endpoint = yield* serveAlone(argv(world, world.files[name]))
        assert.strictEqual(yield* verdict(Ours.connect(endpoint, trusting(world.anchor))), expected[name])
      }))
  }
}

const ownNetwork = Peers.hasOwnNetwork
const all = ["good", "delegated", "revoked", "unknown", "badsig"] as const

describe.skipIf(Ssl.system.missing)(`our client and the staple of ${Ssl.system.name}`, { concurrent: true }, () => {
  for (const name of all) {
    test(`${name}: ${expected[name]}`, () =>
      Effect.gen(function* () {
        const world = yield* prepared
        const { port } = yield* Ssl.server(world.server, ["-tls1_3", "-status_file", world.files[name]])
        assert.strictEqual(yield* verdict(Ours.connect(port, trusting(world.anchor))), expected[name])
      }))
  }

  test("none: hard-fail refuses, soft-fail does not, and a certificate that demands one is refused", () =>
    Effect.gen(function* () {
      const { anchor, demanding, files, server } = yield* prepared
      const { port } = yield* Ssl.server(server, ["-tls1_3"])
      assert.strictEqual(yield* verdict(Ours.connect(port, trusting(anchor))), "CertificateError RevocationUnknown")
      assert.strictEqual(yield* verdict(Ours.connect(port, trusting(anchor, "soft-fail"))), "connected")
      const without = yield* Ssl.server(demanding, ["-tls1_3"])
      assert.strictEqual(
        yield* verdict(Ours.connect(without.port, trusting(anchor, "soft-fail"))),
        "CertificateError StapleMissing"
      )
      const withIt = yield* Ssl.server(demanding, ["-tls1_3", "-status_file", files.demanded])
      assert.strictEqual(yield* verdict(Ours.connect(withIt.port, trusting(anchor))), "connected")
    }))

  test("what `openssl ocsp` signed", () =>
    Effect.gen(function* () {
      const { anchor, ca, server } = yield* prepared
      const { directory } = certs()
      const path = join(directory, "by-openssl.ocsp")
      const leaf = spawnSync("openssl", ["x509", "-in", server.certFile, "-noout", "-serial"], { encoding: "utf8" })
      const serial = leaf.stdout.trim().replace("serial=", "")
      writeFileSync(join(directory, "index.txt"), `V\t400101000000Z\t\t${serial}\tunknown\t/CN=localhost\n`)
      const { exit, output } = yield* run(
        "openssl",
        words(`ocsp -index ${join(directory, "index.txt")} -rsigner ${ca.certFile} -rkey ${ca.keyFile}
          -CA ${ca.certFile} -issuer ${ca.certFile} -cert ${server.certFile} -ndays 1 -respout ${path}`)
      )
      assert.strictEqual(exit, 0, output)
      const { port } = yield* Ssl.server(server, ["-tls1_3", "-status_file", path])
      assert.strictEqual(yield* verdict(Ours.connect(port, trusting(anchor))), "connected")
    }))
})

/** A title that says what is missing. */
const titled = (name: string, isHere: boolean): string => (isHere ? name : `${name} (setup.sh min brings it)`)
const network = ownNetwork ? "" : " (it binds every address, and no network of its own may be made here)"

const hasGnutls = has("gnutls-serv", "--version")
const gnutls = titled("GnuTLS", hasGnutls)
describe.skipIf(!hasGnutls || !ownNetwork)(
  `our client and the staple of ${gnutls}${network}`,
  { concurrent: true },
  () => {
    judgesAll(
      ({ server: { certFile, keyFile } }, response) =>
        (port) =>
          words(`gnutls-serv -p ${port} --echo -a --x509certfile=${certFile} --x509keyfile=${keyFile}
            --ocsp-response=${response} --ignore-ocsp-response-errors`),
      all
    )
  }
)

const hasBoring = has("bssl-tool")
const boring = titled("BoringSSL", hasBoring)
describe.skipIf(!hasBoring || !ownNetwork)(
  `our client and the staple of ${boring}${network}`,
  { concurrent: true },
  () => {
    judgesAll(
      ({ server: { certFile, keyFile } }, response) =>
        (port) =>
          words(`bssl-tool server -accept ${port} -cert ${certFile} -key ${keyFile} -ocsp-response ${response}`),
      all
    )
  }
)

const hasNss = has("selfserv")
const nss = titled("NSS", hasNss)
describe.skipIf(!hasNss || !ownNetwork)(`our client and the staple of ${nss}${network}`, { concurrent: true }, () => {
  for (const [mode, hard, soft] of [
    ["good", "connected", "connected"],
    ["revoked", "CertificateError Revoked", "CertificateError Revoked"],
    ["unknown", "CertificateError OcspUnknown", "connected"],
    ["badsig", "CertificateError OcspBadSignature", "CertificateError OcspBadSignature"],
    ["corrupted", "CertificateError OcspUnusable", "CertificateError OcspUnusable"],
    ["failure", "CertificateError OcspUnknown", "connected"],
    ["none", "CertificateError RevocationUnknown", "connected"]
  ] as const) {
    test(`${mode}: ${hard}`, () =>
      Effect.gen(function* () {
        const { anchor, database } = yield* prepared
        const endpoint = yield* serveAlone((port) =>
          `selfserv -d ${database} -n rsa -p ${port} -V tls1.3:tls1.3 -Q${mode === "none" ? "" : ` -T ${mode} -A ca`}`.split(
            " "
          )
        )
        // NSS signs responses over SHA-1, which has to be allowed by name.
        const old = { sha1Responses: true }
        assert.strictEqual(yield* verdict(Ours.connect(endpoint, trusting(anchor, "hard-fail", old))), hard)
        assert.strictEqual(yield* verdict(Ours.connect(endpoint, trusting(anchor, "soft-fail", old))), soft)
      }))
  }
})

/** A server of ours that staples this. */
const stapling = (name: Named) =>
  Effect.gen(function* () {
    const world = yield* prepared
    const response = Either.getOrThrow(OcspResponse.decode(world.responses[name]))
    const server = yield* Ours.serve({
      identity: Ours.identity(world.server),
      ocspResponse: () => Effect.succeedSome(response)
    })
    return { ...world, port: server.port, ours: server, response }
  })

describe.skipIf(Ssl.system.missing)(`our staple and the client of ${Ssl.system.name}`, { concurrent: true }, () => {
  for (const name of ["good", "revoked"] as const) {
    test(name, () =>
      Effect.gen(function* () {
        const { ca, ours } = yield* stapling(name)
        const peer = yield* start(
          "openssl",
          words(`s_client -connect 127.0.0.1:${ours.port} -servername localhost -CAfile ${ca.certFile}
            -verify_return_error -status`)
        )
        yield* peer.saw(/OCSP Response Status: successful/)
        yield* peer.saw(new RegExp(`Cert Status: ${name}`))
      })
    )
  }

  test("is not sent to who does not ask", () =>
    Effect.gen(function* () {
      const { ca, ours } = yield* stapling("good")
      const connection = yield* Ours.connect(ours.port, { trust: { anchors: ca.certificateChain } })
      assert.deepStrictEqual(connection.info.peerStaple, Option.none())
    }))
})

describe.skipIf(!hasGnutls)(`our staple and the client of ${gnutls}`, { concurrent: true }, () => {
  for (const name of ["good", "delegated"] as const) {
    test(name, () =>
      Effect.gen(function* () {
        const { ca, ours, responses } = yield* stapling(name)
        const saved = join(certs().directory, `gnutls-${name}.ocsp`)
        const peer = yield* start(
          "gnutls-cli",
          words(`-p ${ours.port} localhost --x509cafile=${ca.certFile} --save-ocsp=${saved}`)
        )
        yield* peer.saw(/Status: The certificate is trusted/)
        yield* peer.saw(/Handshake was completed/)
        assertSome(Option.some(new Uint8Array(readFileSync(saved))), responses[name])
      })
    )
  }

  test("revoked", () =>
    Effect.gen(function* () {
      const { ca, ours } = yield* stapling("revoked")
      const peer = yield* start("gnutls-cli", ["-p", String(ours.port), "localhost", `--x509cafile=${ca.certFile}`])
      yield* peer.saw(/revoked/i)
      assert.notStrictEqual(yield* peer.exit, 0)
    }))
})

describe.skipIf(!hasBoring)(`our staple and the client of ${boring}`, { concurrent: true }, () => {
  test("good", () =>
    Effect.gen(function* () {
      const { ca, ours } = yield* stapling("good")
      const peer = yield* start(
        "bssl-tool",
        words(`client -connect localhost:${ours.port} -server-name localhost -root-certs ${ca.certFile} -ocsp-stapling`)
      )
      yield* peer.saw(/OCSP staple: yes/)
    }))
})

describe.skipIf(!hasNss)(`our staple and the client of ${nss}`, { concurrent: true }, () => {
  for (const [name, code] of [
    ["good", 0],
    ["delegated", 0],
    ["badsig", 2],
    ["revoked", 3]
  ] as const) {
    test(name, () =>
      Effect.gen(function* () {
        const { database, ours } = yield* stapling(name)
        const peer = yield* start(
          "tstclnt",
          words(`-h localhost -4 -p ${ours.port} -d ${database} -V tls1.3:tls1.3 -T -O -F -M 1 -v`)
        )
        assert.strictEqual(yield* peer.exit, code, yield* peer.output)
      })
    )
  }
})
