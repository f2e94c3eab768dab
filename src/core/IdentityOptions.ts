/**
 * What makes an identity, as a Schema: certificates and a private key in any form, or a bundle of both.
 *
 * @since 0.1.0
 */
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { Certificate } from "../schema/Certificate.ts"
import { isCertificate } from "../schema/Certificate.ts"
import { declared, instead, said } from "./OptionSchema.ts"
import type { Passphrase } from "./PasswordDecryption.ts"
import type * as Pkcs12 from "./Pkcs12.ts"
import type { PrivateKey } from "./PrivateKey.ts"
import { isPrivateKey } from "./PrivateKey.ts"
import type * as PrivateKeyFile from "./PrivateKeyFile.ts"

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
export type PrivateKeyInput = PrivateKeyFile.Input | PrivateKey

/**
 * A certificate chain, leaf first, and the leaf's key, which the passphrase opens if it is encrypted.
 *
 * @since 0.1.0
 * @category models
 */
export interface PemIdentityOptions {
  readonly certificateChain: CertificatesInput
  readonly privateKey: PrivateKeyInput
  readonly passphrase?: Passphrase
}

/**
 * A PKCS#12 bundle. Each private key in it with a certificate is an identity; of several, `friendlyName` picks one.
 *
 * @since 0.1.0
 * @category models
 */
export interface Pkcs12IdentityOptions {
  readonly pkcs12: Pkcs12.Input
  readonly passphrase?: Passphrase
  readonly friendlyName?: string
}

/**
 * @since 0.1.0
 * @category models
 */
export type IdentityOptions = PemIdentityOptions | Pkcs12IdentityOptions

const isBytes = (u: unknown): u is Uint8Array => u instanceof Uint8Array
const isText = (u: unknown): u is string => typeof u === "string" && u.length > 0
const revealed = (u: unknown): unknown => (Redacted.isRedacted(u) ? Redacted.value(u) : u)

/**
 * Whether a value has the form of certificates.
 *
 * @since 0.1.0
 * @category guards
 */
export const isCertificatesInput = (u: unknown): u is CertificatesInput => {
  const isOne = (item: unknown) => isText(item) || isBytes(item) || isCertificate(item)
  return isOne(u) || (Array.isArray(u) && u.length > 0 && u.every(isOne))
}

const isFileInput = (u: unknown): u is PrivateKeyFile.Input & Pkcs12.Input => {
  const value = revealed(u)
  return isText(value) || isBytes(value)
}

const Fields = Schema.Struct({
  /** Leaf first, then its intermediates; the root may be left out. Node: `cert`. */
  certificateChain: said(
    declared<CertificatesInput>(
      "certificates: PEM text, the bytes of a PEM or DER file, Certificates, or a list of these",
      isCertificatesInput
    )
  ),
  /** Node: `key`. */
  privateKey: said(
    declared<PrivateKeyInput>(
      "a private key: PEM text or bytes, better Redacted, or a PrivateKey (value hidden)",
      (u): u is PrivateKeyInput => isPrivateKey(u) || isFileInput(u)
    )
  ),
  /** Node: `pfx`. */
  pkcs12: said(
    declared<Pkcs12.Input>("a PKCS#12 bundle: the bytes of a file, better Redacted (value hidden)", isFileInput)
  ),
  /** Of the private key or the bundle; not used where nothing is encrypted. */
  passphrase: said(
    declared<Passphrase>(
      "a passphrase: text, better Redacted (value hidden)",
      (u): u is Passphrase => typeof revealed(u) === "string"
    )
  ),
  /** Which entry of the bundle to take. */
  friendlyName: said(Schema.String)
}).annotations({
  parseOptions: { errors: "all", onExcessProperty: "error" },
  ...instead("an identity: { certificateChain, privateKey } or { pkcs12 }")
})

/** What is missing, or one too many. */
const problem = (options: typeof Fields.Type): Schema.FilterOutput | undefined => {
  const { certificateChain, friendlyName, pkcs12, privateKey } = options
  if (pkcs12 !== undefined) {
    if (certificateChain !== undefined) {
      return { path: ["certificateChain"], message: "`pkcs12` brings the certificates: leave one of them out" }
    }
    return privateKey === undefined
      ? undefined
      : { path: ["privateKey"], message: "`pkcs12` brings the private key: leave one of them out" }
  }
  if (certificateChain === undefined && privateKey === undefined) {
    return { path: [], message: "an identity needs `certificateChain` and `privateKey`, or `pkcs12`" }
  }
  if (certificateChain === undefined) return { path: ["certificateChain"], message: "is missing" }
  if (privateKey === undefined) return { path: ["privateKey"], message: "is missing" }
  return friendlyName === undefined
    ? undefined
    : { path: ["friendlyName"], message: "picks an entry of a bundle, and there is no `pkcs12`" }
}

/**
 * One identity, or those of a bundle.
 *
 * @since 0.1.0
 * @category schemas
 */
export const IdentityOptions: Schema.Schema<IdentityOptions> = Fields.pipe(
  Schema.filter(problem)
) as unknown as Schema.Schema<IdentityOptions>
