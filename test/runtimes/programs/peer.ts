/**
 * `node:tls` in a process of its own: servers that send back what they get, and a client that does what it is told over
 * HTTP. Prints one line: where it listens.
 */
import * as Http from "node:http"
import type { AddressInfo, Server } from "node:net"
import * as Tls from "node:tls"
import { sample } from "../conversation.ts"
import type { ConnectRequest, ConnectResult, PeerAddress, PeerConfig } from "../peer.ts"

const { pki } = JSON.parse(process.argv[2]!) as PeerConfig
const ca = pki.ca
const identity = ({ certificateChain, privateKey }: typeof pki.server) => ({ cert: certificateChain, key: privateKey })
const alpn = { ALPNProtocols: ["h2", "http/1.1"] }
const version = { minVersion: "TLSv1.3" } as const

const listen = (server: Server): Promise<number> =>
  new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port))
  })

const serve = (options: Tls.TlsOptions): Promise<number> =>
  listen(
    Tls.createServer({ ...identity(pki.server), ...alpn, ...version, ...options }, (socket) => {
      // Whoever gave up has said so to its own test.
      socket.on("error", () => {})
      socket.pipe(socket)
    })
  )

/** Whether OpenSSL knows the group. */
const has = (ecdhCurve: string): boolean => {
  try {
    Tls.createSecureContext({ ecdhCurve })
    return true
  } catch {
    return false
  }
}

/** Connects, and sends bytes that have to come back. */
const connect = ({ ecdhCurve, length, port, withCertificate }: ConnectRequest): Promise<ConnectResult> =>
  new Promise((resolve) => {
    const socket = Tls.connect({
      host: "127.0.0.1",
      port,
      ca,
      servername: "localhost",
      ...alpn,
      ...version,
      ...(ecdhCurve === undefined ? {} : { ecdhCurve }),
      ...(withCertificate ? identity(pki.client) : {})
    })
    const sent = Buffer.from(sample(length))
    const received: Array<Buffer> = []
    socket.on("data", (chunk) => received.push(chunk))
    socket.on("error", (error: NodeJS.ErrnoException) => resolve({ error: error.code ?? error.message }))
    socket.on("secureConnect", () => {
      const negotiated = {
        protocol: socket.getProtocol(),
        cipher: socket.getCipher().standardName,
        alpn: socket.alpnProtocol
      }
      socket.end(sent)
      socket.on("end", () => resolve({ ...negotiated, echoed: Buffer.concat(received).equals(sent) }))
    })
  })

const control = Http.createServer((request, response) => {
  let body = ""
  request.setEncoding("utf8").on("data", (text: string) => (body += text))
  request.on("end", () => {
    void connect(JSON.parse(body) as ConnectRequest).then((result) =>
      response.setHeader("connection", "close").end(JSON.stringify(result))
    )
  })
})

const hybrid = has("X25519MLKEM768")
const address: PeerAddress = {
  control: await listen(control),
  servers: {
    plain: await serve({}),
    rsa: await serve(identity(pki.rsaServer)),
    mutual: await serve({ requestCert: true, rejectUnauthorized: true, ca }),
    p384: await serve({ ecdhCurve: "P-384" }),
    ...(hybrid ? { hybrid: await serve({ ecdhCurve: "X25519MLKEM768" }) } : {})
  }
}
console.log(JSON.stringify(address))
