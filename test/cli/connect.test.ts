import { randomBytes, X509Certificate } from "node:crypto"
import { once } from "node:events"
import { existsSync, readFileSync } from "node:fs"
import * as http from "node:http"
import * as net from "node:net"
import * as tls from "node:tls"
import { afterEach, assert, describe, it } from "vitest"
import { run, start, useCommand } from "./command.ts"
import { credentials } from "./credentials.ts"

useCommand()
const made = credentials()

const cleanups: Array<() => void> = []
afterEach(() => cleanups.splice(0).forEach((clean) => clean()))

/** Listens at a free port of 127.0.0.1, or at a path, until the test is over. */
const listen = async (server: net.Server, path?: string): Promise<number> => {
  const sockets = new Set<net.Socket>()
  server.on("connection", (socket) => {
    sockets.add(socket)
    socket.on("error", () => {})
  })
  cleanups.push(() => {
    sockets.forEach((socket) => socket.destroy())
    server.close()
  })
  if (path === undefined) server.listen(0, "127.0.0.1")
  else server.listen(path)
  await once(server, "listening")
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0
}

interface Seen {
  readonly port: number
  readonly server: tls.Server
  readonly sockets: Array<tls.TLSSocket>
}

const echo = (socket: tls.TLSSocket) => void socket.pipe(socket)

/** A `node:tls` server, which echoes unless told. */
const nodeServer = async (
  options: tls.TlsOptions = {},
  handler: (socket: tls.TLSSocket) => void = echo,
  path?: string
): Promise<Seen> => {
  const sockets: Array<tls.TLSSocket> = []
  const server = tls.createServer({ cert: made.server.cert, key: made.server.key, ...options }, (socket) => {
    sockets.push(socket)
    socket.on("error", () => {})
    handler(socket)
  })
  server.on("tlsClientError", () => {})
  return { port: await listen(server, path), server, sockets }
}

const to = (port: number, ...args: ReadonlyArray<string>) => [
  "connect",
  `localhost:${port}`,
  "--ca",
  made.ca.certFile,
  ...args
]

describe("effect-tls connect", () => {
  it("carries bytes both ways exactly, and says what was negotiated", async () => {
    const { port } = await nodeServer()
    const bytes = randomBytes(1 << 20)
    const { code, stderr, stdout } = await run(to(port), bytes)
    assert.strictEqual(code, 0, stderr)
    assert.isTrue(stdout.equals(bytes))
    assert.match(stderr, /version +TLSv1\.3\n/)
    assert.match(stderr, /cipher suite +TLS_AES_\d+_GCM_SHA\d+\n/)
    assert.match(stderr, /server name +localhost\n/)
    assert.match(stderr, /✓ 0 {2}CN=localhost\n/)
    assert.match(stderr, /✓ 1 {2}CN=CLI test root, trust anchor\n/)
  })

  it("prints one JSON object with --json", async () => {
    const { port } = await nodeServer({ ALPNProtocols: ["http/1.1", "h2"] })
    const { code, command, stderr } = await run(
      to(
        port,
        "--json",
        "--alpn=h2,http/1.1",
        "--suites=TLS_CHACHA20_POLY1305_SHA256",
        "--groups=P-256:x25519",
        "--sigalgs=ECDSA+SHA256"
      ),
      "hello"
    )
    assert.strictEqual(code, 0, stderr)
    assert.lengthOf(stderr.trim().split("\n"), 1)
    const [json] = command.json()
    const { peerCertificates, ...rest } = json!
    assert.deepInclude(rest, {
      role: "client",
      remoteAddress: `127.0.0.1:${port}`,
      version: "TLSv1.3",
      cipherSuite: "TLS_CHACHA20_POLY1305_SHA256",
      group: "secp256r1",
      signatureScheme: "ecdsa_secp256r1_sha256",
      clientSignatureScheme: null,
      serverName: "localhost",
      resumed: false,
      helloRetryRequest: false,
      error: null
    })
    assert.include(["h2", "http/1.1"], rest["alpn"])
    assert.lengthOf(peerCertificates, 1)
    assert.deepInclude(peerCertificates[0], {
      subject: "CN=localhost",
      issuer: "CN=CLI test root",
      names: ["DNS:localhost", "DNS:server.test", "IP:127.0.0.1"],
      mark: "valid"
    })
    const x509 = new X509Certificate(made.server.cert)
    const [leaf] = peerCertificates
    assert.strictEqual(leaf!["fingerprint256"], x509.fingerprint256.replaceAll(":", "").toLowerCase())
    assert.strictEqual(leaf!["serialNumber"], x509.serialNumber.toLowerCase().replace(/^0+/, ""))
    assert.strictEqual(Date.parse(leaf!["notBefore"] as string), Date.parse(x509.validFrom))
    assert.strictEqual(Date.parse(leaf!["notAfter"] as string), Date.parse(x509.validTo))
  })

  it("takes options before and after the address, and with =", async () => {
    const { port } = await nodeServer()
    const orders = [
      ["connect", "--json", "--ca", made.ca.certFile, `localhost:${port}`],
      ["connect", `--ca=${made.stranger.certFile}`, `localhost:${port}`, `--ca=${made.ca.certFile}`, "--json"],
      ["connect", "--servername", "server.test", "--json", "--ca", made.ca.certFile, "--", `127.0.0.1:${port}`],
      ["connect", "--ca", made.ca.certFile, `localhost:${port}`, "--json", "--log-level", "debug"]
    ]
    const names = await Promise.all(
      orders.map(async (args) => {
        const { code, command, stderr } = await run(args)
        assert.strictEqual(code, 0, stderr)
        return command.json()[0]!["serverName"]
      })
    )
    assert.deepStrictEqual(names, ["localhost", "localhost", "server.test", "localhost"])
  })

  it("speaks to a Unix socket", async () => {
    const path = made.path("node.sock")
    await nodeServer({}, echo, path)
    const args = ["connect", "--unix", path, "--ca", made.ca.certFile]
    const { code, stdout } = await run([...args, "--servername", "server.test"], "over a file")
    assert.deepStrictEqual([code, stdout.toString()], [0, "over a file"])
    const nameless = await run(args)
    assert.strictEqual(nameless.code, 2)
    assert.match(nameless.stderr, /--servername/)
  })

  it("reads on after the end of its input, and not before the peer's end does it exit", async () => {
    const { port } = await nodeServer({ allowHalfOpen: true }, (socket) => {
      let received = ""
      socket.on("data", (data: Buffer) => (received += data.toString()))
      socket.on("end", () => socket.end(`you said ${received}`))
    })
    const { code, stdout } = await run(to(port), "all of it")
    assert.deepStrictEqual([code, stdout.toString()], [0, "you said all of it"])
  })

  it("exits when the peer ends, though its input is open", async () => {
    const { port } = await nodeServer({}, (socket) => {
      // At once, within the handshake's event, Node would leave out its close_notify.
      setImmediate(() => socket.end("bye"))
    })
    const command = start(to(port))
    assert.strictEqual(await command.exit(), 0, command.stderr())
    assert.strictEqual(command.stdout().toString(), "bye")
  })

  it("runs on noble's cryptography", async () => {
    const { port } = await nodeServer()
    const bytes = randomBytes(100_000)
    const { code, stderr, stdout } = await run(to(port, "--provider", "noble"), bytes)
    assert.strictEqual(code, 0, stderr)
    assert.isTrue(stdout.equals(bytes))
  })

  it("shows a client certificate", async () => {
    const { port, sockets } = await nodeServer({ requestCert: true, ca: made.ca.cert })
    const identity = ["--cert", made.client.certFile, "--key", made.client.keyFile]
    const { code, command, stdout } = await run(to(port, "--json", ...identity), "it is me")
    assert.deepStrictEqual([code, stdout.toString()], [0, "it is me"])
    assert.isTrue(sockets[0]!.authorized)
    assert.strictEqual(command.json()[0]!["clientSignatureScheme"], "ecdsa_secp256r1_sha256")

    // It keeps silent: what Node has not read when it refuses would make it reset the connection, its alert with it.
    const without = start(to(port, "--json"))
    assert.strictEqual(await without.exit(), 1)
    const [json] = without.json()
    assert.deepInclude(json!.error, { tag: "AlertError", alert: "certificate_required" })
    // TLS 1.3: the client's handshake was over when the server refused.
    assert.strictEqual(json!["version"], "TLSv1.3")
  })

  it("keeps its records within --max-fragment", async () => {
    const { port } = await nodeServer()
    const sent: Array<Buffer> = []
    const between = net.createServer((client) => {
      const server = net.connect(port, "127.0.0.1")
      client.on("data", (data) => sent.push(data))
      client.pipe(server).pipe(client)
      server.on("error", () => client.destroy())
      client.on("error", () => server.destroy())
    })
    const { code, stdout } = await run(to(await listen(between), "--max-fragment", "512"), randomBytes(10_000))
    assert.deepStrictEqual([code, stdout.length], [0, 10_000])
    const lengths: Array<number> = []
    const bytes = Buffer.concat(sent)
    for (let at = 0; at < bytes.length; at += 5 + lengths.at(-1)!) lengths.push(bytes.readUInt16BE(at + 3))
    // Content, its type, and the tag.
    assert.strictEqual(Math.max(...lengths), 512 + 1 + 16)
  })

  it("writes the key log that the server writes", async () => {
    const file = made.path("client.keylog")
    const { port, server } = await nodeServer()
    const theirs: Array<string> = []
    server.on("keylog", (line: Buffer) => theirs.push(line.toString().trim()))
    const { code } = await run(to(port, "--keylog", file), "x")
    assert.strictEqual(code, 0)
    assert.isTrue(existsSync(file))
    const ours = readFileSync(file, "utf8").trim().split("\n")
    assert.isAtLeast(ours.length, 4)
    assert.sameMembers(ours, theirs)
  })

  it("traces the handshake", async () => {
    const { port } = await nodeServer()
    const { stderr } = await run(to(port, "--trace", "--alpn", "h2"), "x")
    for (const line of [
      /^client#1 127\.0\.0\.1:\d+ → ClientHello, \d+ bytes: versions TLSv1\.3; name localhost; suites TLS_AES_128_GCM_SHA256.*; groups .*x25519.*; ALPN h2$/m,
      /^client#1 127\.0\.0\.1:\d+ ← ServerHello, \d+ bytes: TLSv1\.3; TLS_\w+; \w+$/m,
      /^client#1 127\.0\.0\.1:\d+ ← EncryptedExtensions, \d+ bytes/m,
      /^client#1 127\.0\.0\.1:\d+ ← Certificate, \d+ bytes: "CN=[^"]+" by "CN=[^"]+" until \d{4}-\d\d-\d\d$/m,
      /^client#1 127\.0\.0\.1:\d+ ← CertificateVerify, \d+ bytes: ecdsa_secp256r1_sha256$/m,
      /^client#1 127\.0\.0\.1:\d+ ← Finished, \d+ bytes$/m,
      /^client#1 127\.0\.0\.1:\d+ → Finished, \d+ bytes$/m,
      /^client#1 127\.0\.0\.1:\d+ · writes with application keys from here$/m,
      /^client#1 127\.0\.0\.1:\d+ → Alert: close_notify$/m,
      /^client#1 127\.0\.0\.1:\d+ ← Alert: close_notify$/m
    ]) {
      assert.match(stderr, line)
    }
  })
})

describe("effect-tls connect refuses", () => {
  const refused = async (port: number, ...args: ReadonlyArray<string>) => {
    const { code, command, stderr, stdout } = await run(
      [...args, "--json", "connect", `localhost:${port}`].sort(connectFirst)
    )
    assert.strictEqual(code, 1, stderr)
    assert.lengthOf(stdout, 0)
    assert.lengthOf(command.json(), 1)
    return command.json()[0]!.error!
  }
  const connectFirst = (a: string, b: string) => Number(b === "connect") - Number(a === "connect")

  it("a wrong name", async () => {
    const { port } = await nodeServer()
    const trust = [`--ca=${made.ca.certFile}`, "--servername=other.test"]
    const error = await refused(port, ...trust)
    assert.deepInclude(error, { tag: "CertificateError", reason: "NameMismatch", alert: "bad_certificate" })
    assert.match(error.message!, /other\.test.*DNS:localhost/)
    assert.strictEqual(error.chain![0]!["mark"], "failed")

    const { stderr, stdout } = await run(["connect", `localhost:${port}`, ...trust])
    assert.lengthOf(stdout, 0)
    assert.match(stderr, /^effect-tls: CertificateError \(NameMismatch\): .*other\.test/)
    assert.match(stderr, /✗ 0 {2}CN=localhost\n/)
    assert.match(stderr, /alert sent +bad_certificate\n/)
    assert.match(stderr, /hint .*--servername/)
  })

  it("an unknown root", async () => {
    const { port } = await nodeServer()
    const error = await refused(port, `--ca=${made.stranger.certFile}`)
    assert.deepInclude(error, { tag: "CertificateError", alert: "unknown_ca" })
    assert.match(error.message!, /stranger\.crt/)
  })

  it("an expired certificate", async () => {
    const { port } = await nodeServer({ cert: made.expired.cert, key: made.expired.key })
    const error = await refused(port, `--ca=${made.ca.certFile}`)
    assert.deepInclude(error, { tag: "CertificateError", reason: "Expired", alert: "certificate_expired" })
  })

  it("nobody with --insecure-skip-verification, and says that it did not look", async () => {
    const { port } = await nodeServer({ cert: made.expired.cert, key: made.expired.key })
    const { code, command, stderr } = await run([
      "connect",
      `localhost:${port}`,
      "--insecure-skip-verification",
      "--json"
    ])
    assert.strictEqual(code, 0, stderr)
    const [json] = command.json()
    assert.deepInclude(json, { verifiedBy: null, error: null })
    assert.strictEqual(json!.peerCertificates[0]!["mark"], "unchecked")
  })

  it("a silent server after --timeout, and has not touched its input", async () => {
    const port = await listen(net.createServer())
    const command = start(to(port, "--timeout", "300ms", "--json"))
    // More than a pipe holds: what nobody reads cannot be written.
    const written = new Promise((resolve) => command.child.stdin!.write(Buffer.alloc(1 << 20), resolve))
    assert.strictEqual(await command.exit(), 1)
    assert.include(await written, { code: "EPIPE" })
    assert.deepInclude(command.json()[0]!.error, { tag: "TlsTimeoutError", reason: "Handshake" })
  })

  it("a server that does not speak TLS", async () => {
    const port = await listen(http.createServer((_, response) => response.end()))
    const error = await refused(port, `--ca=${made.ca.certFile}`)
    assert.deepInclude(error, { tag: "HandshakeError", reason: "PeerSpokePlaintext", alert: null })
  })

  it("a port where nobody listens", async () => {
    const server = net.createServer()
    const port = await listen(server)
    server.close()
    const error = await refused(port, `--ca=${made.ca.certFile}`)
    assert.deepInclude(error, { tag: "TransportError", reason: "ConnectionRefused", alert: null, phase: "dial" })
  })

  it("to take a truncated stream for a whole one, and delivers what came", async () => {
    const raw: Array<net.Socket> = []
    const { port, server } = await nodeServer({}, (socket) => {
      socket.write("only so much", () => raw.forEach((each) => each.destroy()))
    })
    server.on("connection", (socket) => raw.push(socket))
    const command = start(to(port, "--json"))
    assert.strictEqual(await command.exit(), 1)
    assert.strictEqual(command.stdout().toString(), "only so much")
    const [json] = command.json()
    assert.strictEqual(json!["version"], "TLSv1.3")
    assert.deepInclude(json!.error, { tag: "TruncationError", alert: null, phase: "connected" })
  })

  it("nothing in common", async () => {
    const { port } = await nodeServer({ ecdhCurve: "P-384" })
    const error = await refused(port, `--ca=${made.ca.certFile}`, "--groups=x25519")
    assert.deepInclude(error, { tag: "AlertError", alert: "handshake_failure" })
  })
})

describe("effect-tls connect and its streams", () => {
  it("ends quietly when nobody reads its output", async () => {
    const { port } = await nodeServer({}, (socket) => {
      const more = (error?: Error | null): unknown => error ?? socket.write(Buffer.alloc(65_536), more)
      more()
    })
    const command = start(to(port))
    await once(command.child.stdout!, "data")
    command.child.stdout!.destroy()
    assert.strictEqual(await command.exit(), 141)
    assert.notMatch(command.stderr(), /EPIPE|effect-tls:/)
  })

  it("holds the peer back while nobody reads its output, and loses nothing", async () => {
    const size = 24 << 20
    const { port } = await nodeServer({}, (socket) => void socket.end(Buffer.alloc(size, 7)))
    const command = start(to(port))
    await once(command.child.stdout!, "data")
    command.child.stdout!.pause()
    await command.saw("stderr", /trust anchor/)
    command.child.stdout!.resume()
    assert.strictEqual(await command.exit(), 0, command.stderr())
    assert.strictEqual(command.stdout().length, size)
  })

  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143]
  ] as const) {
    it(`says goodbye to the peer on ${signal}`, async () => {
      let ended: (how: string) => void
      const end = new Promise<string>((resolve) => (ended = resolve))
      const { port } = await nodeServer({ allowHalfOpen: true }, (socket) => {
        socket.on("end", () => ended("close_notify"))
        socket.on("error", ({ message }) => ended(message))
        socket.write("hello")
      })
      const command = start(to(port, "--json"))
      await command.saw("stdout", /hello/)
      command.kill(signal)
      assert.strictEqual(await command.exit(), code)
      assert.strictEqual(await end, "close_notify")
      assert.deepInclude(command.json()[0]!.error, { tag: "Interrupted" })
    })
  }
})

describe("effect-tls", () => {
  it("has help for itself and for each command, wherever it is asked", async () => {
    const helps = await Promise.all(
      [["--help"], ["connect", "--help"], ["connect", "localhost:1", "--json", "-h"], ["serve", "--help"]].map((args) =>
        run(args)
      )
    )
    for (const { code, stderr } of helps) assert.deepStrictEqual([code, stderr], [0, ""])
    assert.match(helps[0]!.stdout.toString(), /connect.*\n[^]*serve/)
    assert.match(helps[1]!.stdout.toString(), /\$ effect-tls connect .*\[--ca FILE\.\.\.\].*<HOST:PORT>/)
    assert.strictEqual(helps[2]!.stdout.toString(), helps[1]!.stdout.toString())
    assert.match(helps[3]!.stdout.toString(), /--self-signed NAME/)
    for (const { stdout } of helps) assert.notInclude(stdout.toString(), "\u001b")
  })

  it("has the package's version", async () => {
    const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
      readonly version: string
    }
    const { code, stdout } = await run(["--version"])
    assert.deepStrictEqual([code, stdout.toString()], [0, `${version}\n`])
  })

  it("does not know other commands", async () => {
    const { code, stderr } = await run(["conect"])
    assert.strictEqual(code, 2)
    assert.match(stderr, /'connect', 'serve'/)
  })
})
