import { execFile, spawn, spawnSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { existsSync, readFileSync } from "node:fs"
import type { IncomingMessage } from "node:http"
import * as https from "node:https"
import * as net from "node:net"
import { networkInterfaces } from "node:os"
import * as tls from "node:tls"
import { afterEach, assert, describe, it } from "vitest"
import { hasOpenssl } from "../support/openssl.ts"
import { run, serve, start, useCommand } from "./command.ts"
import { credentials } from "./credentials.ts"

useCommand()
const made = credentials()

const hasCurl = spawnSync("curl", ["--version"]).status === 0
const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1") === true)

const sockets = new Set<net.Socket>()
afterEach(() => {
  sockets.forEach((socket) => socket.destroy())
  sockets.clear()
})
const tracked = <S extends net.Socket>(socket: S): S => {
  sockets.add(socket)
  socket.on("error", () => {})
  return socket
}

/** A `node:tls` client, once its handshake is over. */
const nodeClient = async (options: tls.ConnectionOptions): Promise<tls.TLSSocket> => {
  const socket = tracked(tls.connect({ host: "127.0.0.1", servername: "localhost", ca: made.ca.cert, ...options }))
  await once(socket, "secureConnect")
  return socket
}

/** Everything up to the other side's end. */
const readAll = async (socket: net.Socket): Promise<Buffer> => {
  const chunks: Array<Buffer> = []
  socket.on("data", (chunk: Buffer) => chunks.push(chunk))
  await once(socket, "end")
  return Buffer.concat(chunks)
}

const pair = () => ["--cert", made.server.certFile, "--key", made.server.keyFile]

describe("effect-tls serve", () => {
  it("echoes to node:tls with a self-signed certificate, and tells of the connection", async () => {
    const server = await serve([
      "--self-signed",
      "localhost",
      "--self-signed",
      "127.0.0.1",
      "--json",
      "--alpn",
      "h2,echo"
    ])
    assert.strictEqual(server.address, `127.0.0.1:${server.port}`)
    const first = await nodeClient({ port: server.port, rejectUnauthorized: false, ALPNProtocols: ["echo"] })
    const certificate = first.getPeerX509Certificate()!
    assert.strictEqual(certificate.subjectAltName, "DNS:localhost, IP Address:127.0.0.1")
    // Whoever trusts it by itself accepts it.
    const socket = await nodeClient({ port: server.port, ca: certificate.toString(), ALPNProtocols: ["echo"] })
    assert.isTrue(socket.authorized)
    const bytes = randomBytes(1 << 20)
    const back = readAll(socket)
    socket.end(bytes)
    assert.isTrue((await back).equals(bytes))
    first.end()
    await server.saw("stderr", /\n.*\n/)
    for (const json of server.json()) {
      assert.match(json["remoteAddress"] as string, /^127\.0\.0\.1:\d+$/)
      assert.deepInclude(json, {
        role: "server",
        version: "TLSv1.3",
        signatureScheme: "ecdsa_secp256r1_sha256",
        alpn: "echo",
        serverName: "localhost",
        peerCertificates: [],
        resumed: false,
        error: null
      })
    }
    server.kill("SIGTERM")
    assert.strictEqual(await server.exit(), 0)
  })

  it("shows the certificate that the client can verify, of several", async () => {
    const server = await serve([...pair(), "--cert", made.ed25519.certFile, "--key", made.ed25519.keyFile])
    const keys = await Promise.all(
      ["ecdsa_secp256r1_sha256", "ed25519"].map(async (sigalgs) => {
        const socket = await nodeClient({ port: server.port, sigalgs: `${sigalgs}:ecdsa_secp384r1_sha384` })
        return socket.getPeerX509Certificate()!.publicKey.asymmetricKeyType
      })
    )
    assert.deepStrictEqual(keys, ["ec", "ed25519"])
  })

  it("answers HTTP with what was negotiated", async () => {
    const server = await serve([...pair(), "--www", "--client-ca", made.ca.certFile, "--client-optional"])
    const { cert, key } = made.client
    const options = { port: server.port, host: "localhost", ca: made.ca.cert, cert, key, agent: false }
    const request = https.get(options)
    const [response] = (await once(request, "response")) as [IncomingMessage]
    const chunks: Array<Buffer> = []
    for await (const chunk of response) chunks.push(chunk as Buffer)
    const page = Buffer.concat(chunks).toString()
    assert.strictEqual(response.statusCode, 200)
    for (const line of [
      /version +TLSv1\.3\n/,
      /cipher suite +TLS_\w+\n/,
      /group +\w+\n/,
      /signature scheme +ecdsa_secp256r1_sha256\n/,
      /application protocol +none\n/,
      /server name +localhost\n/,
      /✓ 0 {2}CN=Alice\n/
    ]) {
      assert.match(page, line)
    }
  })

  it("answers what is no HTTP with 400, and ends the connection", async () => {
    const server = await serve([...pair(), "--www"])
    const socket = await nodeClient({ port: server.port })
    const back = readAll(socket)
    socket.write("EHLO there\r\n\r\n")
    assert.match((await back).toString(), /^HTTP\/1\.1 400 /)
  })

  it("requires a client certificate with --client-ca", async () => {
    const server = await serve([...pair(), "--client-ca", made.ca.certFile, "--json"])
    const known = await nodeClient({ port: server.port, cert: made.client.cert, key: made.client.key })
    const back = readAll(known)
    known.end("it is me")
    assert.strictEqual((await back).toString(), "it is me")
    const unknown = await nodeClient({ port: server.port })
    const [error] = (await once(unknown, "error")) as [NodeJS.ErrnoException]
    assert.match(error.code!, /CERTIFICATE_REQUIRED/)
    await server.saw("stderr", /\n.*\n/)
    const [first, second] = server.json()
    assert.deepInclude(first!.peerCertificates[0], { subject: "CN=Alice", mark: "valid" })
    assert.strictEqual(first!["clientSignatureScheme"], "ecdsa_secp256r1_sha256")
    assert.deepInclude(second!.error, {
      tag: "CertificateError",
      reason: "NoCertificate",
      alert: "certificate_required"
    })
    assert.isNull(second!["version"])
  })

  it("asks for one with --client-optional", async () => {
    const server = await serve([...pair(), "--client-ca", made.ca.certFile, "--client-optional", "--json"])
    const socket = await nodeClient({ port: server.port })
    const back = readAll(socket)
    socket.end("nobody")
    assert.strictEqual((await back).toString(), "nobody")
    // One that is shown still has to be good.
    const liar = await nodeClient({ port: server.port, cert: made.stranger.cert, key: made.stranger.key })
    await once(liar, "error")
    await server.saw("stderr", /\n.*\n/)
    assert.deepStrictEqual(
      server.json().map(({ error }) => error?.tag ?? null),
      [null, "CertificateError"]
    )
  })

  it("tells of handshakes that fail", async () => {
    const server = await serve([...pair(), "--json", "--groups", "x25519", "--alpn", "h2"])
    const raw = tracked(net.connect(server.port, "127.0.0.1"))
    raw.end("GET / HTTP/1.0\r\n\r\n")
    await server.saw("stderr", /\n/)
    const failing = async (options: tls.ConnectionOptions) => {
      const socket = tracked(tls.connect({ host: "127.0.0.1", port: server.port, ca: made.ca.cert, ...options }))
      await once(socket, "error")
    }
    await failing({ ecdhCurve: "P-256", servername: "localhost" })
    await server.saw("stderr", /\n.*\n/)
    await failing({ ALPNProtocols: ["http/1.1"], servername: "localhost" })
    await server.saw("stderr", /\n.*\n.*\n/)
    assert.deepStrictEqual(
      server.json().map(({ error }) => [error?.tag, error?.reason, error?.alert]),
      [
        ["HandshakeError", "PeerSpokePlaintext", null],
        ["HandshakeError", "NoSharedGroup", "handshake_failure"],
        ["HandshakeError", "NoApplicationProtocol", "no_application_protocol"]
      ]
    )
  })

  it("does not wait for a silent client longer than --timeout", async () => {
    const server = await serve([...pair(), "--json", "--timeout", "200ms"])
    const silent = tracked(net.connect(server.port, "127.0.0.1"))
    silent.resume()
    await once(silent, "end")
    await server.saw("stderr", /\n/)
    assert.deepInclude(server.json()[0]!.error, { tag: "TlsTimeoutError", reason: "Handshake" })
  })

  it("tells of a stream that was cut off", async () => {
    const server = await serve([...pair(), "--json"])
    const raw = tracked(net.connect(server.port, "127.0.0.1"))
    const socket = tracked(tls.connect({ socket: raw, servername: "localhost", ca: made.ca.cert }))
    await once(socket, "secureConnect")
    socket.write("half a")
    await once(socket, "data")
    raw.destroy()
    await server.saw("stderr", /\n/)
    const [json] = server.json()
    assert.strictEqual(json!["version"], "TLSv1.3")
    assert.include(["TruncationError", "TransportError"], json!.error!.tag)
  })

  it("writes a key log and a trace", async () => {
    const file = made.path("server.keylog")
    const server = await serve([...pair(), "--keylog", file, "--trace"])
    const theirs: Array<string> = []
    const socket = tracked(
      tls.connect({ host: "127.0.0.1", port: server.port, servername: "localhost", ca: made.ca.cert })
    )
    socket.on("keylog", (line: Buffer) => theirs.push(line.toString().trim()))
    await once(socket, "secureConnect")
    const back = readAll(socket)
    socket.end("x")
    await back
    assert.isTrue(existsSync(file))
    assert.sameMembers(readFileSync(file, "utf8").trim().split("\n"), theirs)
    for (const line of [
      /^server#1 127\.0\.0\.1:\d+ ← ClientHello, \d+ bytes: versions TLSv1\.3.*; name localhost; suites /m,
      /^server#1 127\.0\.0\.1:\d+ → ServerHello, /m,
      /^server#1 127\.0\.0\.1:\d+ → Certificate, \d+ bytes: "CN=[^"]+" by "CN=[^"]+" until \d{4}-\d\d-\d\d$/m,
      /^server#1 127\.0\.0\.1:\d+ ← Finished, /m
    ]) {
      assert.match(server.stderr(), line)
    }
  })

  it("listens at a Unix socket, on noble's cryptography, for effect-tls connect", async () => {
    const path = made.path("serve.sock")
    const server = await serve([...pair(), "--provider", "noble", "--json"], ["--unix", path])
    assert.strictEqual(server.address, path)
    const client = ["connect", "--unix", path, "--servername", "server.test", "--ca", made.ca.certFile, "--json"]
    const { code, command, stdout } = await run(client, "through the file")
    assert.deepStrictEqual([code, stdout.toString()], [0, "through the file"])
    await server.saw("stderr", /\n/)
    const fields = ["version", "cipherSuite", "group", "signatureScheme", "alpn", "serverName", "resumed"]
    const both = [command.json()[0]!, server.json()[0]!]
    for (const field of fields) assert.deepStrictEqual(both[0]![field], both[1]![field], field)
  })

  it.skipIf(!hasIpv6)("has an IPv6 address in brackets (needs ::1)", async () => {
    const server = await serve(pair(), ["--host", "[::1]", "--port", "0"])
    assert.strictEqual(server.address, `[::1]:${server.port}`)
    const args = ["connect", `[::1]:${server.port}`, "--ca", made.ca.certFile, "--servername", "localhost"]
    const { code, stdout } = await run(args, "six")
    assert.deepStrictEqual([code, stdout.toString()], [0, "six"])
  })

  it("cannot listen where another does", async () => {
    const server = await serve(pair())
    const { code, command } = await run(["serve", "--port", `${server.port}`, "--json", ...pair()])
    assert.strictEqual(code, 1)
    assert.deepInclude(command.json()[0]!.error, { tag: "TransportError", reason: "AddressInUse", phase: "listen" })
  })
})

describe("effect-tls serve and signals", () => {
  const refusedAt = async (port: number): Promise<void> => {
    // The listener closes some time after the signal: until then connections are still accepted.
    for (;;) {
      const socket = tracked(net.connect(port, "127.0.0.1"))
      const refused = await Promise.race([
        once(socket, "connect").then(() => false),
        once(socket, "error").then(() => true)
      ]).catch(() => true)
      socket.destroy()
      if (refused) return
    }
  }

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it(`lets an open connection come to its end on ${signal}, and takes no more`, async () => {
      const server = await serve([...pair(), "--json"])
      const socket = await nodeClient({ port: server.port })
      socket.write("before")
      await once(socket, "data")
      server.kill(signal)
      await refusedAt(server.port)
      const back = readAll(socket)
      socket.end(", after")
      assert.strictEqual((await back).toString(), ", after")
      assert.strictEqual(await server.exit(), 0)
      const line = server.json().find((json) => json["version"] !== null)
      assert.isNull(line!.error)
    })
  }

  it("does not wait after the second", async () => {
    const server = await serve(pair())
    const socket = await nodeClient({ port: server.port })
    socket.resume()
    server.kill("SIGTERM")
    await refusedAt(server.port)
    server.kill("SIGTERM")
    assert.strictEqual(await server.exit(), "SIGTERM")
  })
})

describe("effect-tls and other commands", () => {
  const execute = (
    command: string,
    args: ReadonlyArray<string>,
    input = ""
  ): Promise<{ code: number; output: string }> =>
    new Promise((resolve) => {
      const child = execFile(command, [...args], { timeout: 20_000 }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr })
      )
      child.stdin!.on("error", () => {})
      child.stdin!.end(input)
    })

  it.skipIf(!hasCurl)("curl reads the page (needs curl)", async () => {
    const server = await serve([...pair(), "--www", "--alpn", "http/1.1"])
    const args = ["-sS", "--noproxy", "*", "--tlsv1.3", "--cacert", made.ca.certFile]
    const { code, output } = await execute("curl", [...args, `https://127.0.0.1:${server.port}/some/page`])
    assert.strictEqual(code, 0, output)
    assert.match(output, /version +TLSv1\.3\n/)
    assert.match(output, /application protocol +http\/1\.1\n/)
  })

  it.skipIf(!hasOpenssl)("openssl s_client is echoed to (needs openssl)", async () => {
    const server = await serve([...pair(), "--json", "--suites", "TLS_AES_128_CCM_SHA256"])
    const args = ["s_client", "-connect", `127.0.0.1:${server.port}`, "-CAfile", made.ca.certFile]
    const { output } = await execute(
      "openssl",
      [...args, "-verify_return_error", "-ciphersuites", "TLS_AES_128_CCM_SHA256", "-servername", "localhost"],
      "Q\n"
    )
    assert.match(output, /Verify return code: 0 \(ok\)/)
    await server.saw("stderr", /\n/)
    assert.strictEqual(server.json()[0]!["cipherSuite"], "TLS_AES_128_CCM_SHA256")
  })

  it.skipIf(!hasOpenssl)("openssl s_server is connected to (needs openssl)", async () => {
    const spare = net.createServer().listen(0, "127.0.0.1")
    await once(spare, "listening")
    const { port } = spare.address() as net.AddressInfo
    spare.close()
    const files = ["-cert", made.server.certFile, "-key", made.server.keyFile]
    const server = spawn("openssl", ["s_server", "-accept", `127.0.0.1:${port}`, ...files, "-rev"])
    try {
      await new Promise<void>((resolve, reject) => {
        server.stdout.on("data", (data: Buffer) => data.toString().includes("ACCEPT") && resolve())
        server.on("close", () => reject(new Error("s_server ended")))
      })
      const client = start(["connect", `127.0.0.1:${port}`, "--ca", made.ca.certFile])
      client.write("olleh\n")
      await client.saw("stdout", /hello\n/)
    } finally {
      server.kill("SIGKILL")
    }
  })
})
