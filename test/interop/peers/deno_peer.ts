// rustls peer: deno run -A deno_peer.ts c PORT ca.crt [cert key] | s PORT chain.pem key     (Deno.connectTls / Deno.listenTls are rustls)
const a = Deno.args
const dec = new TextDecoder()
const enc = new TextEncoder()
if (a[0] === "c") {
  const o: any = {
    hostname: "localhost",
    port: +a[1],
    caCerts: [Deno.readTextFileSync(a[2])],
    alpnProtocols: ["http/1.1"]
  }
  if (a[3]) {
    o.cert = Deno.readTextFileSync(a[3])
    o.key = Deno.readTextFileSync(a[4])
  }
  const c = await Deno.connectTls(o)
  const hs = await c.handshake()
  await c.write(enc.encode("GET / HTTP/1.0\r\n\r\n"))
  const b = new Uint8Array(16384)
  const n = await c.read(b)
  const t = dec.decode(b.subarray(0, n ?? 0))
  console.log(
    "OK alpn=" + hs.alpnProtocol,
    t.split("\r\n")[0],
    (t.match(/Protocol  : \S+/) ?? [""])[0],
    (t.match(/Cipher    : \S+/) ?? [""])[0]
  )
  c.close()
} else {
  const l = Deno.listenTls({
    hostname: "127.0.0.1",
    port: +a[1],
    cert: Deno.readTextFileSync(a[2]),
    key: Deno.readTextFileSync(a[3]),
    alpnProtocols: ["http/1.1"]
  })
  console.log("LISTENING")
  for (;;) {
    let c
    try {
      c = await l.accept()
    } catch (e) {
      console.log("FAIL accept " + e)
      continue
    }
    ;(async () => {
      try {
        const hs = await c.handshake()
        console.log("OK alpn=" + hs.alpnProtocol)
        await c.read(new Uint8Array(4096))
        await c.write(enc.encode("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok\n"))
        await c.closeWrite().catch(() => {})
        c.close()
      } catch (e) {
        console.log("FAIL " + e)
        try {
          c.close()
        } catch {}
      }
    })()
  }
}
