/**
 * What `SecureContext.make` takes, as Schemas: excess properties are refused, secrets never stand in an error.
 *
 * @since 0.1.0
 */
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { Certificate } from "../schema/Certificate.ts"
import { isCertificate } from "../schema/Certificate.ts"
import { ProtocolOptions } from "../schema/ProtocolOptions.ts"
import type { AlpnSelector, ClientAuthentication } from "./HandshakePolicy.ts"
import type { IdentityResolver } from "./Identity.ts"
import type { PrivateKey } from "./PrivateKey.ts"
import { isPrivateKey } from "./PrivateKey.ts"
import type { TrustStore } from "./TrustStore.ts"
import * as TrustStores from "./TrustStore.ts"
import type { Verifier } from "./Verifier.ts"
import * as Verifiers from "./Verifier.ts"

const said = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

/** A value recognised by a guard; what was found instead is never printed, it may be a secret. */
const declared = <A>(what: string, guard: (u: unknown) => u is A): Schema.Schema<A> =>
  Schema.declare(guard).annotations({ message: () => ({ message: `expected ${what}`, override: true }) })

/** What a structure says of a value that is none; by default it would print the value, and the keys in it. */
const instead = (what: string) => ({ message: () => `expected ${what} (value hidden)` })

const isBytes = (u: unknown): u is Uint8Array => u instanceof Uint8Array
const isText = (u: unknown): u is string => typeof u === "string" && u.length > 0

/**
 * Certificates: PEM text with one or several, the bytes of a PEM or DER file, or decoded ones.
 *
 * @since 0.1.0
 * @category models
 */
export type CertificatesInput = string | Uint8Array | Certificate | ReadonlyArray<string | Uint8Array | Certificate>

/**
 * A private key: PEM text or the bytes of a PEM or DER file, better `Redacted`; or any signer.
 *
 * @since 0.1.0
 * @category models
 */
export type PrivateKeyInput =
  string | Uint8Array | Redacted.Redacted<string> | Redacted.Redacted<Uint8Array> | PrivateKey

const isCertificates = (u: unknown): u is CertificatesInput => {
  const isOne = (item: unknown) => isText(item) || isBytes(item) || isCertificate(item)
  return isOne(u) || (Array.isArray(u) && u.length > 0 && u.every(isOne))
}

const isPrivateKeyInput = (u: unknown): u is PrivateKeyInput => {
  if (isPrivateKey(u)) return true
  const value: unknown = Redacted.isRedacted(u) ? Redacted.value(u) : u
  return isText(value) || isBytes(value)
}

/**
 * One identity: a certificate chain, leaf first, and the leaf's key.
 *
 * @since 0.1.0
 * @category schemas
 */
export const IdentityOptions = Schema.Struct({
  /** Leaf first, then its intermediates; the root may be left out. Node: `cert`. */
  certificateChain: declared<CertificatesInput>(
    "certificates: PEM text, the bytes of a PEM or DER file, Certificates, or a list of these",
    isCertificates
  ),
  /** Node: `key`. */
  privateKey: declared<PrivateKeyInput>(
    "a private key: PEM text or bytes, better Redacted, or a PrivateKey (value hidden)",
    isPrivateKeyInput
  )
}).annotations({
  parseOptions: { errors: "all", onExcessProperty: "error" },
  ...instead("an identity: { certificateChain, privateKey }")
})

/**
 * @since 0.1.0
 * @category models
 */
export interface IdentityOptions extends Schema.Schema.Type<typeof IdentityOptions> {}

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
      (u): u is CertificatesInput | TrustStore => TrustStores.isTrustStore(u) || isCertificates(u)
    )
  ),
  /** Decides about the peer; by default the path to the anchors, and for a client the server's name. */
  verifier: said(declared<Verifier>("a Verifier", Verifiers.isVerifier)),
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
    Schema.Union(IdentityOptions, Schema.Array(IdentityOptions).annotations(instead("a list of identities")))
  ),
  /** Finds a server's identities for a ClientHello, instead of `identity`. Node: `SNICallback`. */
  resolveIdentity: said(declared<IdentityResolver>("a function of a ClientHello to an Effect", isFunction)),
  /** Chooses the application protocol for a ClientHello, instead of `protocol.alpn`. Node: `ALPNCallback`. */
  selectAlpn: said(declared<AlpnSelector>("a function of the offered protocols to an Effect", isFunction)),
  trust: said(TrustOptions)
}).annotations({
  parseOptions: { errors: "all", onExcessProperty: "error" },
  ...instead("options: { protocol, identity, resolveIdentity, selectAlpn, trust }")
})

/**
 * @since 0.1.0
 * @category models
 */
export type SecureContextOptions = Schema.Schema.Encoded<typeof SecureContextOptions>
