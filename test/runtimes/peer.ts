/** What the peer and those who talk to it agree on; `programs/peer.ts` is the peer. */
import type { Pki } from "./pki.ts"

export interface PeerConfig {
  readonly pki: Pki
}

/** Ports on the loopback address. */
export interface PeerAddress {
  /** HTTP: a ConnectRequest makes it a client. */
  readonly control: number
  readonly servers: {
    readonly plain: number
    /** With an RSA certificate. */
    readonly rsa: number
    /** Wants a client certificate. */
    readonly mutual: number
    /** Only P-384, so that whoever offers a share in another group is asked again. */
    readonly p384: number
    /** Only X25519MLKEM768, where the peer has it. */
    readonly hybrid?: number
  }
}

export interface ConnectRequest {
  readonly port: number
  readonly length: number
  readonly ecdhCurve?: string
  readonly withCertificate: boolean
}

export type ConnectResult =
  | {
      readonly protocol: string | null
      readonly cipher: string
      readonly alpn: string | false | null
      /** Whether what was sent came back, and then a clean end. */
      readonly echoed: boolean
    }
  | { readonly error: string }
