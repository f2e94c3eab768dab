// From a Unix socket, which every network namespace sees, to a port of the namespace it runs in:
//   node relay.mjs SOCKET PORT
// The server behind the port may take a while to start: whoever connects waits for it. A Unix socket has no reset; its
// other end sees an end instead, after all the data.
import { createConnection, createServer } from "node:net"

const [path, port] = process.argv.slice(2)

const reach = (attempt, done) => {
  const there = createConnection({ host: "127.0.0.1", port: Number(port), allowHalfOpen: true, noDelay: true })
  there.once("error", (error) => {
    if (error.code !== "ECONNREFUSED" || attempt === 300) done(undefined)
    else setTimeout(() => reach(attempt + 1, done), 20)
  })
  there.once("connect", () => {
    there.removeAllListeners("error")
    done(there)
  })
}

createServer({ allowHalfOpen: true, pauseOnConnect: true }, (here) => {
  here.on("error", () => {})
  reach(0, (there) => {
    if (there === undefined) return here.destroy()
    there.on("error", () => here.end())
    here.on("close", () => there.destroy())
    here.pipe(there)
    there.pipe(here)
  })
}).listen(path, () => process.stderr.write("RELAYING\n"))
