import { afterAll, assert, describe, it } from "@effect/vitest"
import { assertNone, assertSome } from "@effect/vitest/utils"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import * as Net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Duplex as NodeDuplex, PassThrough } from "node:stream"
import { Transport } from "../../src/core/Transport.ts"
import * as NodeTransport from "../../src/layers/NodeTransport.ts"
import { failed } from "../../src/layers/NodeTransportError.ts"
import { TcpEndpoint, tcp, unix } from "../../src/schema/Endpoint.ts"
import {
  concat,
  connected,
  fails,
  owned,
  pattern,
  pullAll,
  pullExactly,
  settled,
  text,
  transportSuite,
  turn,
  until,
  verify
} from "./transportSuite.ts"

const folder = mkdtempSync(join(tmpdir(), "effect-tls-transport-"))
afterAll(() => rmSync(folder, { recursive: true }))
let paths = 0
const path = () => join(folder, `${paths++}.sock`)

const loopback = Effect.succeed(tcp("127.0.0.1", 0))

// What Linux buffers by default for TCP on loopback, 4 MiB to send and 6 to receive (some systems: 32), and we ourselves.
transportSuite("NodeTransport over TCP", {
  layer: NodeTransport.layer,
  endpoint: loopback,
  live: true,
  inFlight: 40 * 1024 * 1024,
  resets: true
})

transportSuite("NodeTransport over a Unix socket", {
  layer: NodeTransport.layer,
  endpoint: Effect.sync(() => unix(path())),
  live: true,
  inFlight: 2 * 1024 * 1024,
  resets: false
})

/** A server of plain Node at a free port, and the sockets it got. */
const rawServer = (options: Net.ServerOpts = {}) =>
  Effect.gen(function* () {
    const sockets: Array<Net.Socket> = []
    let given = 0
    const server = Net.createServer(options, (socket) => {
      socket.on("error", () => {})
      sockets.push(socket)
    })
    yield* Effect.acquireRelease(
      Effect.async<void>((resume) => {
        server.listen(0, "127.0.0.1", () => resume(Effect.void))
      }),
      () =>
        Effect.async<void>((resume) => {
          server.close(() => resume(Effect.void))
          for (const socket of sockets) socket.destroy()
        })
    )
    const { port } = server.address() as Net.AddressInfo
    const next: Effect.Effect<Net.Socket> = Effect.zipRight(
      until(() => sockets.length > given),
      Effect.sync(() => sockets[given++]!)
    )
    return { endpoint: tcp("127.0.0.1", port), next, server, sockets }
  })

/** A connected pair of plain sockets. */
const rawPair = (options: Net.ServerOpts = {}) =>
  Effect.gen(function* () {
    const { endpoint, next } = yield* rawServer(options)
    const near = Net.connect({ host: endpoint.host, port: endpoint.port, ...options })
    near.on("error", () => {})
    yield* Effect.addFinalizer(() => Effect.sync(() => near.destroy()))
    const far = yield* next
    yield* until(() => !near.connecting)
    return { far, near }
  })

/** Two ends of a stream that is no socket. */
const memoryStreams = (options: { readonly readableObjectMode?: boolean } = {}): readonly [NodeDuplex, NodeDuplex] => {
  const end = (readable: PassThrough, writable: PassThrough) =>
    NodeDuplex.from({ readable, writable, ...options } as never)
  const [there, back] = [new PassThrough(options), new PassThrough(options)]
  return [end(back, there), end(there, back)]
}

/** What keeps the process alive: handles and timers, with their numbers. */
const resources = () => {
  const counts = new Map<string, number>()
  for (const name of process.getActiveResourcesInfo()) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}

/** Waits until nothing is left that was not there before. The test runner has timers too, but short ones. */
const nothingSince = (before: ReadonlyMap<string, number>) =>
  until(() => [...resources()].every(([name, count]) => name === "Immediate" || count <= (before.get(name) ?? 0)))

const live = <E>(title: string, program: Effect.Effect<void, E, Transport | Scope.Scope>) =>
  it.scopedLive(title, () => Effect.provide(program, NodeTransport.layer))

describe("NodeTransport", () => {
  for (const side of ["outgoing", "incoming"] as const) {
    live(
      `reads little beyond what is pulled: ${side}`,
      Effect.gen(function* () {
        const { far, near } = yield* rawPair({ allowHalfOpen: true })
        const total = 50 * 1024 * 1024
        let socket: Net.Socket
        let duplex
        if (side === "outgoing") {
          const transport = yield* Transport
          const server = yield* rawServer()
          duplex = yield* transport.connect(server.endpoint)
          const peer = yield* server.next
          peer.write(pattern(0, total))
          // There is no other way to that socket.
          socket = (process as unknown as { _getActiveHandles: () => Array<unknown> })
            ._getActiveHandles()
            .find((handle) => handle instanceof Net.Socket && handle.remotePort === server.endpoint.port) as Net.Socket
        } else {
          socket = near
          duplex = yield* NodeTransport.fromSocket(near)
          far.write(pattern(0, total))
        }
        yield* settled(() => socket.bytesRead)
        const bound = 4 * 65536
        assert.isTrue(socket.bytesRead > 0 && socket.bytesRead <= bound, `${socket.bytesRead} bytes read before a pull`)
        let read = 0
        while (read < 10_000_000) {
          const chunk = Option.getOrThrow(yield* duplex.pull)
          verify(read, chunk)
          read += chunk.length
          assert.isTrue(socket.bytesRead - read <= bound, `${socket.bytesRead - read} bytes ahead`)
        }
        yield* duplex.abort
      })
    )
  }

  live(
    "never writes again into what was pulled",
    Effect.gen(function* () {
      const { client, server } = yield* connected(loopback)
      const chunks: Array<Uint8Array> = []
      const writing = yield* Effect.fork(
        Effect.gen(function* () {
          for (let i = 0; i < 400; i++) {
            yield* server.write(pattern(i * 1777, 1777))
            if (i % 3 === 0) yield* turn
          }
          yield* server.end()
        })
      )
      for (let chunk = yield* client.pull; Option.isSome(chunk); chunk = yield* client.pull) chunks.push(chunk.value)
      yield* Fiber.join(writing)
      const all = concat(chunks)
      assert.strictEqual(all.length, 400 * 1777)
      verify(0, all)
      yield* client.end()
    })
  )

  for (const side of ["outgoing", "incoming"] as const) {
    for (const size of [10, 60_000]) {
      live(
        `delivers what arrived before a reset: ${side}, ${size} bytes`,
        Effect.gen(function* () {
          const { client, server } = yield* connected(loopback)
          const [reader, writer] = side === "outgoing" ? [client, server] : [server, client]
          yield* writer.write(pattern(0, size))
          yield* settled(() => undefined)
          yield* writer.abort
          yield* settled(() => undefined)
          verify(0, yield* pullExactly(reader, size))
          yield* fails(reader.pull, { reason: "ConnectionReset", operation: "read" })
        })
      )
    }

    live(
      `delivers what the kernel had before a reset: ${side}`,
      Effect.gen(function* () {
        const { client, server } = yield* connected(loopback)
        const [reader, writer] = side === "outgoing" ? [client, server] : [server, client]
        // More than we read ahead; how much of the rest arrives is the kernels' affair.
        yield* writer.write(pattern(0, 300_000))
        yield* settled(() => undefined)
        yield* writer.abort
        yield* settled(() => undefined)
        let read = 0
        // libuv before 1.52 (Node 20 and 22) says end and not reset when both the last bytes and the reset are there.
        const result = yield* Effect.either(
          Effect.gen(function* () {
            for (let chunk = yield* reader.pull; Option.isSome(chunk); chunk = yield* reader.pull) {
              verify(read, chunk.value)
              read += chunk.value.length
            }
          })
        )
        assert.isTrue(read >= 65536 * 2, `${read} bytes read`)
        if (result._tag === "Left") assert.strictEqual(result.left.reason, "ConnectionReset")
      })
    )
  }

  live(
    "delivers what Node had buffered when a write meets the reset",
    Effect.gen(function* () {
      const { client, server } = yield* connected(loopback)
      yield* client.write(pattern(0, 170_000))
      yield* settled(() => undefined)
      yield* client.abort
      yield* settled(() => undefined)
      yield* fails(Effect.forever(Effect.zipRight(server.write(text("x")), turn)), {
        reason: "ConnectionReset",
        operation: "write"
      })
      verify(0, yield* pullExactly(server, 170_000))
      yield* fails(server.pull, { reason: "ConnectionReset", operation: "read" })
    })
  )

  live(
    "frees the socket when connecting is interrupted, at whatever moment",
    Effect.gen(function* () {
      const transport = yield* Transport
      const { endpoint, sockets } = yield* rawServer()
      const before = resources()
      let interrupted = 0
      for (let moment = 0; moment < 30; moment++) {
        const connecting = yield* Effect.fork(Effect.scoped(Effect.zipRight(transport.connect(endpoint), Effect.never)))
        for (let i = 0; i < moment % 6; i++) yield* moment % 2 === 0 ? turn : Effect.yieldNow()
        const exit = yield* Fiber.interrupt(connecting)
        if (exit._tag === "Failure") interrupted++
      }
      assert.strictEqual(interrupted, 30)
      // A plain socket sees the end only when it is read.
      for (const socket of sockets) socket.resume()
      yield* until(() => sockets.every((socket) => socket.destroyed))
      yield* nothingSince(before)
    })
  )

  live(
    "frees the listener when listening is interrupted, also while the name is looked up",
    Effect.gen(function* () {
      const transport = yield* Transport
      const before = resources()
      for (const at of [tcp("127.0.0.1", 0), tcp("localhost", 0), unix(path())]) {
        for (let moment = 0; moment < 8; moment++) {
          const listening = yield* Effect.fork(Effect.scoped(Effect.zipRight(transport.listen(at), Effect.never)))
          for (let i = 0; i < moment; i++) yield* moment % 2 === 0 ? turn : Effect.yieldNow()
          yield* Fiber.interrupt(listening)
        }
      }
      yield* nothingSince(before)
    })
  )

  live(
    "tries every address of a name",
    Effect.gen(function* () {
      const transport = yield* Transport
      const listener = yield* owned(transport.listen(tcp("127.0.0.1", 0)))
      if (listener.value.address._tag !== "TcpEndpoint") return assert.fail("no port")
      const byName = tcp("localhost", listener.value.address.port)
      const client = yield* transport.connect(byName)
      yield* client.end(text("hello"))
      const server = yield* listener.value.accept
      assert.deepStrictEqual(yield* pullAll(server), text("hello"))
      yield* server.end()
      yield* listener.close
      const error = yield* fails(transport.connect(byName), { reason: "ConnectionRefused", operation: "connect" })
      assert.include(error.message, `could not connect to ${byName.toString()}: nothing listens there`)
    })
  )

  live(
    "leaves no handle or timer behind",
    Effect.gen(function* () {
      const transport = NodeTransport.make({ lingerTimeout: "10 minutes" })
      const before = resources()
      for (const at of [tcp("127.0.0.1", 0), unix(path())]) {
        for (const how of ["close", "abort", "end", "refused", "unaccepted"] as const) {
          const listener = yield* owned(transport.listen(at))
          const client = yield* owned(transport.connect(listener.value.address))
          yield* client.value.write(text("x"))
          if (how === "unaccepted") {
            yield* listener.close
            yield* client.close
            continue
          }
          const server = yield* owned(listener.value.accept)
          if (how === "abort") yield* server.value.abort
          if (how === "end") {
            yield* client.value.end()
            yield* server.value.end()
          }
          yield* Effect.all([client.close, server.close], { concurrency: 2 })
          yield* listener.close
          if (how === "refused") yield* Effect.flip(Effect.scoped(transport.connect(listener.value.address)))
        }
      }
      yield* nothingSince(before)
    })
  )

  live(
    "closes within the bound though the peer neither reads nor ends",
    Effect.gen(function* () {
      const transport = NodeTransport.make({ lingerTimeout: 50 })
      const { endpoint, next } = yield* rawServer({ pauseOnConnect: true, allowHalfOpen: true })
      const { close, value: duplex } = yield* owned(transport.connect(endpoint))
      const peer = yield* next
      const writing = yield* Effect.fork(Effect.forever(duplex.write(pattern(0, 65536))))
      yield* settled(() => peer.bytesRead)
      const before = performance.now()
      yield* close
      assert.isTrue(performance.now() - before < 900)
      yield* fails(Fiber.join(writing), { reason: "Closed", operation: "write" })
    })
  )

  it.scoped("closes within the bound under a TestClock that stands still", () =>
    Effect.gen(function* () {
      const transport = NodeTransport.make({ lingerTimeout: "50 millis" })
      const { endpoint, next } = yield* rawServer({ allowHalfOpen: true })
      const { close } = yield* owned(transport.connect(endpoint))
      const peer = yield* next
      yield* close
      // A socket that still lingered would take this.
      yield* until(() => {
        peer.write("anybody there?")
        return peer.destroyed
      })
    })
  )

  live(
    "closes at once when the peer ends too",
    Effect.gen(function* () {
      const transport = NodeTransport.make({ lingerTimeout: "10 minutes" })
      const listener = yield* transport.listen(tcp("127.0.0.1", 0))
      const client = yield* owned(transport.connect(listener.address))
      const server = yield* owned(listener.accept)
      yield* client.value.write(text("unread"))
      yield* Effect.all([client.close, server.close], { concurrency: 2 })
    })
  )

  live(
    "resets connections beyond the bound of those nobody accepted",
    Effect.gen(function* () {
      const transport = NodeTransport.make({ pendingConnections: 2 })
      const listener = yield* transport.listen(tcp("127.0.0.1", 0))
      const clients = yield* Effect.all(Array.from({ length: 2 }, () => transport.connect(listener.address)))
      // The reset may be there before Node looks whether it is connected.
      const third = Effect.flatMap(transport.connect(listener.address), (duplex) => duplex.pull)
      assert.strictEqual((yield* Effect.flip(third)).reason, "ConnectionReset")
      for (let i = 0; i < 2; i++) {
        const server = yield* listener.accept
        yield* server.end(text("welcome"))
        assert.deepStrictEqual(yield* pullAll(clients[i]!), text("welcome"))
        yield* clients[i]!.end()
      }
    })
  )

  live(
    "refuses a path that is there already, and says so",
    Effect.gen(function* () {
      const transport = yield* Transport
      const stale = path()
      writeFileSync(stale, "")
      const error = yield* fails(transport.listen(unix(stale)), { reason: "AddressInUse", operation: "listen" })
      assert.include(error.message, stale)
      assert.include(error.message, "ended without removing it")
      assert.strictEqual(error.code, "EADDRINUSE")
      const missing = join(folder, "missing", "socket")
      const denied = yield* fails(transport.listen(unix(missing)), { reason: "PermissionDenied", operation: "listen" })
      assert.include(denied.message, "directory")
      const refused = yield* fails(transport.connect(unix(missing)), {
        reason: "ConnectionRefused",
        operation: "connect"
      })
      assert.include(refused.message, "there is no such socket (ENOENT)")
    })
  )

  live(
    "refuses an address that is not the machine's",
    Effect.gen(function* () {
      const transport = yield* Transport
      // TEST-NET-1, which nobody has.
      const error = yield* fails(transport.listen(tcp("192.0.2.1", 0)), { reason: "Other", operation: "listen" })
      assert.strictEqual(
        error.message,
        "could not listen at 192.0.2.1:0: this machine does not have that address (EADDRNOTAVAIL)"
      )
    })
  )

  live(
    "turns what Node throws into an error",
    Effect.gen(function* () {
      const transport = yield* Transport
      const beyond = new TcpEndpoint({ host: "127.0.0.1", port: 65536 }, { disableValidation: true })
      yield* fails(transport.connect(beyond), { reason: "Other", operation: "connect" })
      yield* fails(transport.listen(beyond), { reason: "Other", operation: "listen" })
    })
  )
})

describe("NodeTransport.fromSocket", () => {
  for (const flowing of [true, false]) {
    live(
      `goes on after STARTTLS with what was read too far, ${flowing ? "flowing" : "paused"}`,
      Effect.gen(function* () {
        const { far, near } = yield* rawPair()
        far.write("220 go ahead\r\nfirst ")
        const rest = yield* Effect.async<Uint8Array>((resume) => {
          near.once("data", (chunk) => {
            if (!flowing) near.pause()
            resume(Effect.succeed(chunk.subarray(chunk.indexOf("\n") + 1)))
          })
        })
        near.unshift(rest)
        far.write("second")
        far.end()
        const peer = `127.0.0.1:${far.localPort}`
        const duplex = yield* NodeTransport.fromSocket(near)
        assert.deepStrictEqual(yield* pullAll(duplex), text("first second"))
        // The socket was not made half-open.
        yield* duplex.write(text("still "))
        yield* duplex.end(text("here"))
        const chunks: Array<Buffer> = []
        far.on("data", (chunk) => chunks.push(chunk))
        yield* until(() => Buffer.concat(chunks).toString() === "still here")
        assert.strictEqual(Option.getOrThrow(duplex.remoteAddress).toString(), peer)
      })
    )
  }

  live(
    "takes what a paused socket holds",
    Effect.gen(function* () {
      const { far, near } = yield* rawPair()
      near.pause()
      far.end(pattern(0, 200_000))
      yield* settled(() => near.readableLength)
      const duplex = yield* NodeTransport.fromSocket(near)
      const bytes = yield* pullAll(duplex)
      assert.strictEqual(bytes.length, 200_000)
      verify(0, bytes)
    })
  )

  live(
    "takes a socket that is still connecting",
    Effect.gen(function* () {
      const { endpoint, next } = yield* rawServer()
      const socket = Net.connect(endpoint.port, endpoint.host)
      const duplex = yield* NodeTransport.fromSocket(socket)
      yield* duplex.write(text("hello"))
      const peer = yield* next
      peer.pipe(peer)
      assert.deepStrictEqual(yield* pullExactly(duplex, 5), text("hello"))
      assertSome(duplex.remoteAddress, endpoint)
    })
  )

  live(
    "knows a socket that is over",
    Effect.gen(function* () {
      const { far, near } = yield* rawPair()
      near.destroy()
      const gone = yield* NodeTransport.fromSocket(near)
      yield* fails(gone.pull, { reason: "Closed", operation: "read" })
      yield* fails(gone.write(text("x")), { reason: "Closed", operation: "write" })
      const longGone = yield* NodeTransport.fromSocket(near)
      yield* fails(longGone.pull, { reason: "Closed", operation: "read" })
      yield* fails(longGone.write(text("x")), { reason: "Closed", operation: "write" })
      yield* until(() => far.destroyed)
      const ended = yield* NodeTransport.fromSocket(far)
      yield* fails(ended.write(text("x")), { reason: "Closed", operation: "write" })
    })
  )

  live(
    "fails when somebody else destroys the socket",
    Effect.gen(function* () {
      const { near } = yield* rawPair()
      const duplex = yield* NodeTransport.fromSocket(near)
      const pulling = yield* Effect.fork(duplex.pull)
      yield* settled(() => undefined)
      near.destroy()
      yield* fails(Fiber.join(pulling), { reason: "Closed", operation: "read" })
      yield* fails(duplex.write(text("x")), { reason: "Closed", operation: "write" })
    })
  )

  live(
    "refuses a socket that gives text",
    Effect.gen(function* () {
      const { far, near } = yield* rawPair()
      near.setEncoding("utf8")
      const duplex = yield* NodeTransport.fromSocket(near)
      far.write("text")
      const error = yield* fails(duplex.pull, { reason: "Other", operation: "read" })
      assert.include(error.message, "encoding")
    })
  )
})

describe("NodeTransport.fromDuplex", () => {
  live(
    "runs over a stream that is no socket, half-closes it, and frees it",
    Effect.gen(function* () {
      const [left, right] = memoryStreams()
      const a = yield* owned(NodeTransport.fromDuplex(left))
      const b = yield* owned(NodeTransport.fromDuplex(right))
      yield* a.value.end(text("question"))
      assert.deepStrictEqual(yield* pullAll(b.value), text("question"))
      const large = pattern(0, 1_000_000)
      const writing = yield* Effect.fork(Effect.zipRight(b.value.write(large), b.value.end()))
      const bytes = yield* pullAll(a.value)
      yield* Fiber.join(writing)
      assert.strictEqual(bytes.length, large.length)
      verify(0, bytes)
      assertNone(a.value.localAddress)
      yield* a.close
      yield* b.close
      assert.isTrue(left.destroyed && right.destroyed)
      yield* fails(a.value.pull, { reason: "Closed", operation: "read" })
    })
  )

  live(
    "fails with the stream's own error, after its data",
    Effect.gen(function* () {
      const stream = new NodeDuplex({ read() {}, write: (_chunk, _encoding, done) => done() })
      const duplex = yield* NodeTransport.fromDuplex(stream)
      stream.push("one")
      yield* settled(() => undefined)
      stream.destroy(new Error("the tunnel collapsed"))
      yield* settled(() => undefined)
      assert.deepStrictEqual(yield* pullExactly(duplex, 3), text("one"))
      const error = yield* fails(duplex.pull, { reason: "Other", operation: "read" })
      assert.include(error.message, "the tunnel collapsed")
      yield* fails(duplex.write(text("x")), { reason: "Other", operation: "write" })
    })
  )
})

describe("NodeTransportError", () => {
  const system = (code: string, address?: string) => Object.assign(new Error(`connect ${code}`), { code, address })

  it("knows the system's codes", () => {
    const endpoint = tcp("example.org", 443)
    const reasons = {
      ECONNREFUSED: "ConnectionRefused",
      ECONNRESET: "ConnectionReset",
      ECONNABORTED: "ConnectionReset",
      EPIPE: "ConnectionReset",
      ENOTFOUND: "HostNotFound",
      EAI_AGAIN: "HostNotFound",
      EHOSTUNREACH: "HostUnreachable",
      ENETUNREACH: "HostUnreachable",
      EADDRINUSE: "AddressInUse",
      EACCES: "PermissionDenied",
      EPERM: "PermissionDenied",
      ERR_ACCESS_DENIED: "PermissionDenied",
      ETIMEDOUT: "TimedOut",
      ERR_STREAM_DESTROYED: "Closed",
      EMFILE: "Other"
    }
    for (const [code, reason] of Object.entries(reasons)) {
      const cause = system(code)
      const error = failed("connect", endpoint, cause)
      assert.deepStrictEqual([error.reason, error.code, error.cause, error.phase], [
        reason,
        code,
        cause,
        "dial"
      ] as never)
      assert.match(error.message, new RegExp(`^could not connect to example.org:443: .*\\(${code}\\)$`))
    }
    assert.strictEqual(failed("accept", endpoint, system("EMFILE")).phase, "listen")
    assert.strictEqual(failed("read", undefined, "odd").message, "could not read from the peer: odd")
  })

  it("names every attempt of happy eyeballs, and goes by the host that answered", () => {
    const cause = new AggregateError([system("ENETUNREACH", "2001:db8::1"), system("ECONNREFUSED", "192.0.2.1")])
    const error = failed("connect", tcp("example.org", 443), cause)
    assert.strictEqual(error.reason, "ConnectionRefused")
    assert.strictEqual(error.code, "ECONNREFUSED")
    assert.strictEqual(
      error.message,
      "could not connect to example.org:443: nothing listens there; tried 2001:db8::1 (ENETUNREACH), 192.0.2.1 (ECONNREFUSED)"
    )
  })
})
