/** What a TLS implementation must do to be measured; `Ours.ts` and `Theirs.ts` do it. */

export type ImplementationName = "ours" | "theirs"

/** Certificates and key of the server, and the authority that the client trusts, as PEM. */
export interface Credentials {
  readonly authority: string
  readonly certificate: string
  readonly privateKey: string
}

/** What both sides are pinned to, so that no measure compares two different handshakes. */
export interface Setting {
  readonly credentials: Credentials
  /** IANA's names; OpenSSL takes these too. */
  readonly suite: "TLS_AES_128_GCM_SHA256" | "TLS_AES_256_GCM_SHA384" | "TLS_CHACHA20_POLY1305_SHA256"
  readonly group: "x25519" | "X25519MLKEM768"
}

/** The name in the certificate, which every client verifies. */
export const serverName = "localhost"

export const host = "127.0.0.1"

/** Bytes that an application writes at once. */
export const chunkLength = 65_536

/**
 * What a server does with a connection.
 *
 * - `close`: waits for the client's end, then ends
 * - `sink`: reads to the client's end, answers with one byte, ends
 * - `source`: reads one number, the client's, writes so many bytes, ends
 */
export type Service = "close" | "sink" | "source"

/** What a handshake agreed on, to see that both implementations did the same work. */
export interface Negotiated {
  readonly version: string
  readonly suite: string
  readonly resumed: boolean
  /** Whether the chain and the name were verified. */
  readonly verified: boolean
}

export interface Implementation {
  /** Starts a server and gives its port. */
  readonly serve: (service: Service) => Promise<number>
  /** Connects once. */
  readonly negotiate: (port: number) => Promise<Negotiated>
  /** Seconds for so many connections, each from the dial until both sides have closed, some of them at a time. */
  readonly handshakes: (port: number, count: number, concurrency: number) => Promise<number>
  /** Sends to a `sink`: seconds from the first write to the answer. */
  readonly send: (port: number, bytes: number) => Promise<number>
  /** Reads from a `source`: seconds from the request to the last byte. */
  readonly receive: (port: number, bytes: number) => Promise<number>
  /** Opens connections and leaves them open. */
  readonly hold: (port: number, count: number) => Promise<void>
}

/** How many bytes a client wants of a `source`, as it goes over the connection. */
export const encodeRequest = (bytes: number): Uint8Array => {
  const request = new Uint8Array(8)
  new DataView(request.buffer).setFloat64(0, bytes)
  return request
}

export const decodeRequest = (request: Uint8Array): number =>
  new DataView(request.buffer, request.byteOffset, request.byteLength).getFloat64(0)
