/**
 * Everything that was negotiated, as one value.
 *
 * @since 0.1.0
 */
import type * as Option from "effect/Option"
import type { Certificate } from "../schema/Certificate.ts"
import type { CipherSuiteName } from "../schema/CipherSuite.ts"
import type { NamedGroupName } from "../schema/NamedGroup.ts"
import type { ServerName } from "../schema/ServerName.ts"
import type { SignatureSchemeName } from "../schema/SignatureScheme.ts"

/**
 * Who the peer is: nobody it told; the subject of a certificate whose key it owns and that the verifier accepted; or of
 * one that nobody looked at, because verification was skipped by name.
 * `names` are those of the certificate, each with its kind (`DNS:alice.example`, `URI:spiffe://…`, `email:…`); `fingerprint`
 * is its SHA-256, as people compare it. `path` leads from the leaf to the anchor; `vouchedBy` names the verifier or anchor
 * that accepted it.
 *
 * @since 0.1.0
 * @category models
 */
export type PeerIdentity =
  | { readonly _tag: "Anonymous" }
  | {
      readonly _tag: "Unverified"
      readonly certificate: Certificate
      readonly names: ReadonlyArray<string>
      readonly fingerprint: string
    }
  | {
      readonly _tag: "Verified"
      readonly certificate: Certificate
      readonly names: ReadonlyArray<string>
      readonly fingerprint: string
      readonly path: ReadonlyArray<Certificate>
      readonly vouchedBy: string
    }

/**
 * `Alpn` are the protocols that were offered where the call said them, so that the chosen one is one of these.
 * `signatureScheme` is the one the server signed the handshake with; `clientSignatureScheme` the client's, if it did.
 * `serverName` is what the client asked for. `peerCertificates` are as the peer sent them, leaf first. `peerStaple` is the
 * DER of the OCSP response that came with the first of them: what a verifier did with it is the verifier's affair.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConnectionInfo<out Alpn extends string = string> {
  readonly role: "client" | "server"
  readonly version: "TLSv1.3"
  readonly cipherSuite: CipherSuiteName
  readonly group: NamedGroupName
  readonly signatureScheme: SignatureSchemeName
  readonly clientSignatureScheme: Option.Option<SignatureSchemeName>
  readonly alpn: Option.Option<Alpn>
  readonly serverName: Option.Option<ServerName>
  readonly peer: PeerIdentity
  readonly peerCertificates: ReadonlyArray<Certificate>
  readonly peerStaple: Option.Option<Uint8Array>
  readonly helloRetryRequest: boolean
  readonly resumed: boolean
  readonly earlyData: boolean
}
