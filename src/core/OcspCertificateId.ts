/**
 * Naming certificates for OCSP (RFC 6960 §4.1.1): by hashes of their issuer's name and key.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type { HashAlgorithm } from "../schema/Algorithms.ts"
import * as Bytes from "../schema/Bytes.ts"
import type { Certificate } from "../schema/Certificate.ts"
import * as Der from "../schema/Der.ts"
import type { CertificateId } from "../schema/Ocsp.ts"
import type { PublicKey } from "../schema/PublicKey.ts"
import type { CryptoProviderService } from "./CryptoProvider.ts"

const readKeyBits = Der.decode("SubjectPublicKeyInfo", (reader) =>
  reader.within(Der.Tag.Sequence, (inner) => {
    inner.element()
    return inner.bitStringBytes()
  })
)

/**
 * The hash of a public key: of the content of its BIT STRING, without tag, length and unused bits.
 *
 * @since 0.1.0
 * @category constructors
 */
export const keyHash = (crypto: CryptoProviderService, { spki }: PublicKey, hash: HashAlgorithm): Uint8Array =>
  crypto.hash(
    hash,
    Either.getOrElse(readKeyBits(spki), () => spki)
  )

/**
 * The name of a certificate of an issuer. SHA-1, unless told, since there are responders that know no other; nothing
 * hangs on its strength.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  crypto: CryptoProviderService,
  certificate: Pick<Certificate, "serial">,
  issuer: Certificate,
  hash: HashAlgorithm = "SHA-1"
): CertificateId & { readonly hash: HashAlgorithm } => ({
  hash,
  issuerNameHash: crypto.hash(hash, issuer.subject.der),
  issuerKeyHash: keyHash(crypto, issuer.publicKey, hash),
  serial: certificate.serial
})

/**
 * Whether an issuer is the one that is meant.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isIssuedBy = (crypto: CryptoProviderService, id: CertificateId, issuer: Certificate): boolean =>
  id.hash !== undefined &&
  crypto.capabilities.hashes.has(id.hash) &&
  Bytes.equals(id.issuerKeyHash, keyHash(crypto, issuer.publicKey, id.hash)) &&
  Bytes.equals(id.issuerNameHash, crypto.hash(id.hash, issuer.subject.der))

/**
 * Whether a certificate of an issuer is the one that is meant.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isFor = (
  crypto: CryptoProviderService,
  id: CertificateId,
  { serial }: Pick<Certificate, "serial">,
  issuer: Certificate
): boolean => Bytes.equals(id.serial, serial) && isIssuedBy(crypto, id, issuer)
