/** What a browser or a worker has in place of sockets, as a `Duplex`. An empty message is the end of one direction. */
import { Effect, Option, type Scope } from "effect"
import { Inbox, TlsError, type Transport } from "effect-tls"

/** Of a MessagePort what all hosts have alike; Node's own types know another half of it. */
interface Port {
  readonly addEventListener: (type: "message", listener: (event: { readonly data: unknown }) => void) => void
  readonly start: () => void
  readonly postMessage: (message: unknown) => void
  readonly close: () => void
}

const nothing = new Uint8Array(0)

const duplex = (inbox: Inbox.Inbox, post: (bytes: Uint8Array) => void, close: () => void): Transport.Duplex => ({
  pull: inbox.pull,
  write: (bytes) => Effect.sync(() => post(bytes)),
  end: (last) =>
    Effect.sync(() => {
      if (last !== undefined && last.length > 0) post(last)
      post(nothing)
    }),
  abort: Effect.sync(close),
  localAddress: Option.none(),
  remoteAddress: Option.none()
})

const receive = (inbox: Inbox.Inbox, bytes: Uint8Array): void =>
  bytes.length === 0 ? inbox.unsafeEnd() : inbox.unsafeOffer(bytes)

const overPort = (port: Port): Transport.Duplex => {
  const inbox = Inbox.unsafeMake()
  port.addEventListener("message", ({ data }) => receive(inbox, data as Uint8Array))
  port.start()
  return duplex(
    inbox,
    (bytes) => port.postMessage(bytes),
    () => port.close()
  )
}

/** Both ends of a MessageChannel. */
export const channel: Effect.Effect<readonly [Transport.Duplex, Transport.Duplex], never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => new MessageChannel() as unknown as { readonly port1: Port; readonly port2: Port }),
    ({ port1, port2 }) =>
      Effect.sync(() => {
        port1.close()
        port2.close()
      })
  ),
  ({ port1, port2 }) => [overPort(port1), overPort(port2)]
)

export const hasWebSocket = typeof WebSocket === "function"

/** A WebSocket, once it is open. */
export const webSocket = (url: string): Effect.Effect<Transport.Duplex, TlsError.TransportError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<WebSocket, TlsError.TransportError>((resume) => {
      const socket = new WebSocket(url)
      socket.binaryType = "arraybuffer"
      socket.addEventListener("open", () => resume(Effect.succeed(socket)))
      socket.addEventListener("error", () =>
        resume(
          new TlsError.TransportError({
            reason: "Other",
            operation: "connect",
            message: `no WebSocket to ${url}`,
            phase: "dial"
          })
        )
      )
    }),
    (socket) => Effect.sync(() => socket.close())
  ).pipe(
    Effect.map((socket) => {
      const inbox = Inbox.unsafeMake()
      socket.addEventListener("message", ({ data }) => receive(inbox, new Uint8Array(data as ArrayBuffer)))
      socket.addEventListener("close", () => inbox.unsafeEnd())
      return duplex(
        inbox,
        (bytes) => socket.send(bytes),
        () => socket.close()
      )
    })
  )
