/**
 * Which certificates' signatures were found right, and under whose key: a client meets the same few certificates again
 * and again, and a signature that was right stays right. Nothing else of a path is remembered, since validity and
 * revocation change with time. What was wrong is not remembered either, so that nobody can fill memory with it.
 *
 * @since 0.1.0
 */
import type { Certificate } from "../schema/Certificate.ts"
import type { CryptoProviderService } from "./CryptoProvider.ts"

/** By identity: parsed certificates are cached by content, and what is known of them goes when they go. */
const verified = new WeakMap<CryptoProviderService, WeakMap<Certificate, WeakSet<Certificate>>>()

/**
 * Whether a provider has found the signature of `certificate` to be one of `issuer`'s key.
 *
 * @since 0.1.0
 * @category queries
 */
export const has = (crypto: CryptoProviderService, certificate: Certificate, issuer: Certificate): boolean =>
  verified.get(crypto)?.get(certificate)?.has(issuer) === true

/**
 * Remembers that it has.
 *
 * @since 0.1.0
 * @category combinators
 */
export const add = (crypto: CryptoProviderService, certificate: Certificate, issuer: Certificate): void => {
  let certificates = verified.get(crypto)
  if (certificates === undefined) verified.set(crypto, (certificates = new WeakMap()))
  let issuers = certificates.get(certificate)
  if (issuers === undefined) certificates.set(certificate, (issuers = new WeakSet()))
  issuers.add(issuer)
}
