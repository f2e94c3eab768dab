/**
 * A SecureContext with the defaults filled in and cut to what the provider can do: what one handshake goes by.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { Certificate } from "../schema/Certificate.ts"
import type { CipherSuiteInfo } from "../schema/CipherSuite.ts"
import type { ClientHello } from "../schema/HandshakeMessage.ts"
import type { Limits } from "../schema/Limits.ts"
import type { NamedGroup, NamedGroupInfo } from "../schema/NamedGroup.ts"
import type { OcspResponse } from "../schema/OcspResponse.ts"
import type { ServerName } from "../schema/ServerName.ts"
import type { SignatureSchemeInfo } from "../schema/SignatureScheme.ts"
import type { Identity, IdentityResolver } from "./Identity.ts"
import type { SessionCache } from "./SessionCache.ts"
import type { TicketKeys } from "./TicketKeys.ts"
import type { Verifier } from "./Verifier.ts"

/**
 * Chooses among the protocols a client offers, knowing its hello. None ends the handshake with
 * `no_application_protocol`.
 *
 * @since 0.1.0
 * @category models
 */
export type AlpnSelector = (
  offered: ReadonlyArray<string>,
  hello: ClientHello,
  serverName: Option.Option<ServerName>
) => Effect.Effect<Option.Option<string>, unknown>

/**
 * Finds the OCSP response to staple to a server's leaf, for a client that asks for one: a response, its DER, or none.
 * `issuer` is who issued the leaf, if the chain has it. May be slow, fail or be interrupted: the handshake's deadline
 * covers it, and if it fails, the connection ends with `internal_error`. Who would rather go on without a staple
 * recovers with none.
 *
 * @since 0.1.0
 * @category models
 */
export type OcspResponder = (
  leaf: Certificate,
  issuer: Option.Option<Certificate>,
  hello: ClientHello
) => Effect.Effect<Option.Option<OcspResponse | Uint8Array>, unknown>

/**
 * What a server goes by for a name, once it is known.
 *
 * @since 0.1.0
 * @category models
 */
export type PolicySelector = (
  serverName: Option.Option<ServerName>,
  hello: ClientHello
) => Effect.Effect<HandshakePolicy, unknown>

/**
 * Whether a server wants the client's certificate.
 *
 * @since 0.1.0
 * @category models
 */
export type ClientAuthentication = "none" | "request" | "require"

/**
 * What is kept so that connections can be resumed: `lifetime` in seconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface SessionPolicy {
  readonly ticketKeys: TicketKeys | undefined
  readonly cache: SessionCache | undefined
  readonly tickets: number
  readonly lifetime: number
  readonly context: string
}

/**
 * @since 0.1.0
 * @category models
 */
export interface HandshakePolicy {
  readonly cipherSuites: ReadonlyArray<CipherSuiteInfo>
  readonly groups: ReadonlyArray<NamedGroupInfo>
  readonly keyShares: ReadonlyArray<NamedGroup>
  readonly signatureSchemes: ReadonlyArray<SignatureSchemeInfo>
  readonly certificateSignatureSchemes: ReadonlyArray<SignatureSchemeInfo>
  readonly alpn: ReadonlyArray<string>
  readonly selectAlpn: AlpnSelector | undefined
  readonly maxFragment: number
  readonly recordSizeLimit: number | undefined
  readonly recordPadding: number
  readonly middleboxCompatibility: boolean
  readonly helloRetryCookie: boolean
  readonly handshakeTimeout: Duration.Duration
  readonly limits: Limits
  /** A client's identities, and those of a server without a resolver. */
  readonly ownIdentities: ReadonlyArray<Identity>
  readonly resolveIdentities: IdentityResolver | undefined
  readonly ocspResponse: OcspResponder | undefined
  readonly selectPolicy: PolicySelector | undefined
  readonly sessions: SessionPolicy
  readonly verifier: Verifier
  /** Whether a client asks for an OCSP response with the server's certificate. */
  readonly requestStaple: boolean
  readonly clientAuthentication: ClientAuthentication
  /** DER names of authorities to tell the peer, so that it can pick a certificate. */
  readonly authorities: ReadonlyArray<Uint8Array>
}
