// node:tls peer, runs on node (OpenSSL), bun (BoringSSL) and deno (rustls): c PORT ca.crt [TLSv1.2|TLSv1.3] | s PORT chain.pem key
import tls from "node:tls"
import fs from "node:fs"
const a = process.argv.slice(2)
const vv = a[3] && a[0] === "c" ? { minVersion: a[3], maxVersion: a[3] } : {}
if (a[0] === "c") {
  const s = tls.connect(
    {
      host: "localhost",
      port: +a[1],
      ca: fs.readFileSync(a[2]),
      servername: "localhost",
      ALPNProtocols: ["http/1.1"],
      ...vv
    },
    () => {
      console.log("OK", s.getProtocol(), s.getCipher()?.name, s.alpnProtocol, JSON.stringify(s.getEphemeralKeyInfo?.()))
      s.write("GET / HTTP/1.0\r\n\r\n")
    }
  )
  s.once("data", (d) => {
    console.log(String(d).split("\r\n")[0])
    s.end()
    process.exit(0)
  })
  s.on("error", (e) => {
    console.log("FAIL", e.message)
    process.exit(1)
  })
  setTimeout(() => process.exit(3), 8000).unref?.()
} else
  tls
    .createServer({ cert: fs.readFileSync(a[2]), key: fs.readFileSync(a[3]), ALPNProtocols: ["http/1.1"] }, (s) => {
      console.log("OK", s.getProtocol?.(), s.getCipher?.()?.name)
      s.on("error", () => {})
      s.once("data", () => s.end("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok\n"))
    })
    .on("tlsClientError", (e) => console.log("FAIL", e.message))
    .listen(+a[1], "127.0.0.1", () => console.log("LISTENING"))
