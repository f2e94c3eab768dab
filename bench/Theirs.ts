/** `node:tls` as its users write it when speed matters: one SecureContext for all connections, no Nagle. */
import type * as Net from "node:net"
import * as Tls from "node:tls"
import type { Implementation, Service, Setting } from "./Implementation.ts"
import { chunkLength, decodeRequest, encodeRequest, host, serverName } from "./Implementation.ts"

/** Writes until Node says that it is enough for now, and goes on when there is room. */
const write = (socket: Tls.TLSSocket, bytes: number, done: () => void): void => {
  const chunk = new Uint8Array(chunkLength)
  let left = bytes
  const more = () => {
    while (left > 0) {
      const part = left < chunk.length ? chunk.subarray(0, left) : chunk
      left -= part.length
      if (!socket.write(part)) {
        socket.once("drain", more)
        return
      }
    }
    done()
  }
  more()
}

/** Calls `task` so many times, some at a time. */
const repeat = async (count: number, concurrency: number, task: () => Promise<void>): Promise<void> => {
  let left = count
  const lane = async () => {
    while (left-- > 0) await task()
  }
  await Promise.all(Array.from({ length: concurrency }, lane))
}

const services: { readonly [S in Service]: (socket: Tls.TLSSocket) => void } = {
  // Node answers an end with an end by itself.
  close: (socket) => socket.resume(),
  sink: (socket) => {
    socket.resume()
    socket.once("end", () => socket.end(Uint8Array.of(1)))
  },
  source: (socket) => {
    socket.once("data", (request: Buffer) => write(socket, decodeRequest(request), () => socket.end()))
  }
}

export const make = ({ credentials, group, suite }: Setting): Implementation => {
  const pins = { ciphers: suite, ecdhCurve: group, minVersion: "TLSv1.3" } as const
  const trust = Tls.createSecureContext({ ca: credentials.authority, ...pins })
  const held: Array<Tls.TLSSocket> = []

  /** Without a `session`: every handshake is a whole one. Node verifies chain and name unless it is told not to. */
  const connect = (port: number, onSecure: (socket: Tls.TLSSocket) => void, onError: (error: Error) => void) => {
    const socket = Tls.connect({ host, port, servername: serverName, secureContext: trust })
    socket.setNoDelay(true)
    socket.once("secureConnect", () => onSecure(socket))
    socket.once("error", onError)
    return socket
  }

  return {
    serve: (service) =>
      new Promise((resolve, reject) => {
        const identity = { cert: credentials.certificate, key: credentials.privateKey }
        const server = Tls.createServer({ ...identity, ...pins, noDelay: true }, (socket) => {
          socket.once("error", () => socket.destroy())
          services[service](socket)
        })
        server.once("error", reject)
        server.listen({ host, port: 0, backlog: 1024 }, () => resolve((server.address() as Net.AddressInfo).port))
      }),

    negotiate: (port) =>
      new Promise((resolve, reject) => {
        const onSecure = (socket: Tls.TLSSocket) => {
          resolve({
            version: String(socket.getProtocol()),
            suite: socket.getCipher().standardName,
            resumed: socket.isSessionReused(),
            verified: socket.authorized
          })
          socket.resume().end()
        }
        connect(port, onSecure, reject)
      }),

    handshakes: async (port, count, concurrency) => {
      const handshake = () =>
        new Promise<void>((resolve, reject) => {
          connect(port, (socket) => socket.resume().end(), reject).once("close", () => resolve())
        })
      const began = performance.now()
      await repeat(count, concurrency, handshake)
      return (performance.now() - began) / 1000
    },

    send: (port, bytes) =>
      new Promise((resolve, reject) => {
        const onSecure = (socket: Tls.TLSSocket) => {
          const began = performance.now()
          socket.once("data", () => resolve((performance.now() - began) / 1000))
          write(socket, bytes, () => socket.end())
        }
        connect(port, onSecure, reject)
      }),

    receive: (port, bytes) =>
      new Promise((resolve, reject) => {
        const onSecure = (socket: Tls.TLSSocket) => {
          const began = performance.now()
          let received = 0
          socket.on("data", (chunk: Buffer) => {
            received += chunk.length
            if (received === bytes) resolve((performance.now() - began) / 1000)
          })
          socket.write(encodeRequest(bytes))
        }
        connect(port, onSecure, reject)
      }),

    hold: (port, count) => {
      const open = () =>
        new Promise<void>((resolve, reject) => {
          held.push(connect(port, () => resolve(), reject))
        })
      return repeat(count, 20, open)
    }
  }
}
