/**
 * What `SecureContext.make` takes, as Schemas: excess properties are refused, secrets never stand in an error.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { DurationFromInput, ProtocolOptions } from "../schema/ProtocolOptions.ts"
import type { AlpnSelector, ClientAuthentication, OcspResponder } from "./HandshakePolicy.ts"
import type { IdentityResolver } from "./Identity.ts"
import type { CertificatesInput } from "./IdentityOptions.ts"
import { IdentityOptions, isCertificatesInput } from "./IdentityOptions.ts"
import { declared, instead, said } from "./OptionSchema.ts"
import { RevocationInput } from "./RevocationInput.ts"
import type { SessionCache } from "./SessionCache.ts"
import { isSessionCache } from "./SessionCache.ts"
import type { TicketKeys } from "./TicketKeys.ts"
import { isTicketKeys } from "./TicketKeys.ts"
import type { TrustStore } from "./TrustStore.ts"
import * as TrustStores from "./TrustStore.ts"
import type { Verifier } from "./Verifier.ts"
import * as Verifiers from "./Verifier.ts"

export type {
  /** @since 0.1.0 */
  CertificatesInput,
  /** @since 0.1.0 */
  IdentityOptions,
  /** @since 0.1.0 */
  PrivateKeyInput
} from "./IdentityOptions.ts"

const isFunction = <F>(u: unknown): u is F => typeof u === "function"

/**
 * Whom to believe.
 *
 * @since 0.1.0
 * @category schemas
 */
export const TrustOptions = Schema.Struct({
  /** Trust exactly these anchors: certificates or a TrustStore. Node: `ca`. */
  anchors: said(
    declared<CertificatesInput | TrustStore>(
      "trust anchors: certificates in any form, or a TrustStore",
      (u): u is CertificatesInput | TrustStore => TrustStores.isTrustStore(u) || isCertificatesInput(u)
    )
  ),
  /** Decides about the peer; by default the path to the anchors, and for a client the server's name. */
  verifier: said(declared<Verifier>("a Verifier", Verifiers.isVerifier)),
  /** Whether certificates are revoked; not looked at unless told. Not beside `verifier`. Node: `crl`. */
  revocation: said(RevocationInput),
  /**
   * Whether a client asks for an OCSP response with the server's certificate; unless told, when `revocation` or the
   * verifier wants it. Node: `requestOCSP`.
   */
  requestStaple: said(Schema.Boolean),
  /**
   * Whether a path may end at an anchor that is no root, as an intermediate authority's; it may not unless told. Not
   * beside `verifier`. Node: `allowPartialTrustChain`.
   */
  partialChain: said(Schema.Boolean),
  /** Whether a server wants the client's certificate; one that is shown must always be accepted. Node: `requestCert`. */
  clientAuthentication: said(Schema.Literal("none", "request", "require") as Schema.Schema<ClientAuthentication>),
  /** Tell the peer the names of the anchors, so that it can pick a certificate; by default only servers do. */
  announceAuthorities: said(Schema.Boolean)
}).annotations({ parseOptions: { errors: "all", onExcessProperty: "error" } })

/**
 * @since 0.1.0
 * @category models
 */
export interface TrustOptions extends Schema.Schema.Type<typeof TrustOptions> {}

/**
 * What is kept of connections, so that later ones can resume them.
 *
 * @since 0.1.0
 * @category schemas
 */
export const SessionsOptions = Schema.Struct({
  /** What a server seals its tickets with; without them it gives none. Node: `ticketKeys`. */
  ticketKeys: said(declared<TicketKeys>("ticket keys, as `TicketKeys.make` gives them", isTicketKeys)),
  /** Where a client keeps its sessions; without one it resumes none. Node: `session`, and the event of that name. */
  cache: said(declared<SessionCache>("a cache, as `SessionCache.make` gives it", isSessionCache)),
  /** How many tickets a server gives after a full handshake, 16 at most; after a resumed one it is one of them. */
  tickets: said(Schema.Number),
  /** How long a session may be resumed, a week at most. Node: `sessionTimeout`. */
  lifetime: said(DurationFromInput),
  /** Keeps sessions of one application apart from another's with the same keys or cache. Node: `sessionIdContext`. */
  context: said(Schema.String)
}).annotations({ parseOptions: { errors: "all", onExcessProperty: "error" } })

/**
 * The aspects of a SecureContext. What is left out is not said: `Defaults` holds, or what another context says that it
 * is merged with.
 *
 * @since 0.1.0
 * @category schemas
 */
export const SecureContextOptions = Schema.Struct({
  protocol: said(ProtocolOptions),
  /** One identity or several, of which the one is shown that the peer can verify. */
  identity: said(
    Schema.Union(IdentityOptions, Schema.Array(IdentityOptions)).annotations(
      instead("an identity: { certificateChain, privateKey } or { pkcs12 }, or a list of these")
    )
  ),
  /** Finds a server's identities for a ClientHello; `identity` is then what a client shows. Node: `SNICallback`. */
  resolveIdentity: said(declared<IdentityResolver>("a function of a ClientHello to an Effect", isFunction)),
  /** Chooses the application protocol for a ClientHello; `protocol.alpn` is then what a client offers. Node: `ALPNCallback`. */
  selectAlpn: said(declared<AlpnSelector>("a function of the offered protocols to an Effect", isFunction)),
  /** Finds the OCSP response to staple, for clients that ask. Node: the event `OCSPRequest`. */
  ocspResponse: said(declared<OcspResponder>("a function of a certificate to an Effect", isFunction)),
  trust: said(TrustOptions),
  sessions: said(SessionsOptions)
}).annotations({
  parseOptions: { errors: "all", onExcessProperty: "error" },
  ...instead("options: { protocol, identity, resolveIdentity, selectAlpn, ocspResponse, trust, sessions }")
})

/**
 * @since 0.1.0
 * @category models
 */
export type SecureContextOptions = Schema.Schema.Encoded<typeof SecureContextOptions>
