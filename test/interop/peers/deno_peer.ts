// rustls peer (Deno.connectTls and Deno.listenTls are rustls). Either role echoes until close_notify.
// client: deno run -A deno_peer.ts c PORT 13 ca.crt [chain.pem key]
// server: deno run -A deno_peer.ts s PORT 13 chain.pem key       port 0 is any; the server says which
// env RESUME=n: the client fetches a page n + 1 times instead; connectTls begins anew each time, fetch keeps sessions.
// Deno chooses the version itself; the argument is there because the other peers have it.
declare const Deno: any
const [role, port, , ...files] = Deno.args
const read = (file: string): string => Deno.readTextFileSync(file)

const echo = async (connection: any): Promise<boolean> => {
  try {
    const { alpnProtocol } = await connection.handshake()
    console.log(`OK alpn=${alpnProtocol}`)
    const buffer = new Uint8Array(65_536)
    for (let n = await connection.read(buffer); n !== null; n = await connection.read(buffer)) {
      for (let done = 0; done < n; ) done += await connection.write(buffer.subarray(done, n))
    }
    console.log("CLOSED")
    await connection.closeWrite()
    return true
  } catch (error) {
    console.log(`FAIL ${error}`)
    return false
  } finally {
    connection.close()
  }
}

if (role === "c") {
  const [ca, cert, key] = files
  const own = cert === undefined ? {} : { cert: read(cert), key: read(key) }
  const resume = Deno.env.get("RESUME")
  if (resume !== undefined) {
    const client = Deno.createHttpClient({ caCerts: [read(ca)], http2: false, ...own })
    for (let i = 0; i <= Number(resume); i++) {
      console.log(`OK ${await (await fetch(`https://localhost:${port}/`, { client })).text()}`)
    }
    Deno.exit(0)
  }
  const options = { hostname: "localhost", port: Number(port), caCerts: [read(ca)], alpnProtocols: ["http/1.1"], ...own }
  if (!(await echo(await Deno.connectTls(options)))) Deno.exit(1)
} else {
  const [cert, key] = files
  const listener = Deno.listenTls({
    hostname: "127.0.0.1",
    port: Number(port),
    cert: read(cert),
    key: read(key),
    alpnProtocols: ["http/1.1"]
  })
  console.log(`LISTENING ${listener.addr.port}`)
  for await (const connection of listener) void echo(connection)
}
