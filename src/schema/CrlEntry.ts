/**
 * The entries of a certificate revocation list (RFC 5280 §5.1.2.6, §5.3): how they stand in it, and what one says.
 *
 * @since 0.1.0
 */
import * as Bytes from "./Bytes.ts"
import * as CrlExtension from "./CrlExtension.ts"
import type * as Der from "./Der.ts"
import type * as GeneralName from "./GeneralName.ts"

/**
 * An entry as it stands in a CRL. `at` is where it begins, `serial` the content of an INTEGER, `date` in milliseconds
 * since 1970.
 *
 * @since 0.1.0
 * @category models
 */
export interface CrlEntry {
  readonly at: number
  readonly serial: Uint8Array
  readonly date: number
  readonly extensions: ReadonlyArray<CrlExtension.CrlEntryExtension>
}

/**
 * An entry. `serial` is the content of the serial number's INTEGER, `serialNumber` the same in lower-case hex.
 * `certificateIssuer` is who issued the certificate where that is said: of an indirect CRL's entry, by itself or by one
 * before it; else it is the CRL's issuer.
 *
 * @since 0.1.0
 * @category models
 */
export interface RevokedCertificate {
  readonly serial: Uint8Array
  readonly serialNumber: string
  readonly revocationDate: Date
  readonly reason: CrlExtension.RevocationReason | undefined
  readonly invalidityDate: Date | undefined
  readonly certificateIssuer: ReadonlyArray<GeneralName.GeneralName> | undefined
  /** In the order of the entry; no two of one kind. */
  readonly extensions: ReadonlyArray<CrlExtension.CrlEntryExtension>
}

type Find<T extends CrlExtension.CrlEntryExtension["_tag"]> =
  Extract<CrlExtension.CrlEntryExtension, { readonly _tag: T }> | undefined

/**
 * The extension of a kind.
 *
 * @since 0.1.0
 * @category getters
 */
export const extension = <T extends CrlExtension.CrlEntryExtension["_tag"]>(
  { extensions }: CrlEntry,
  tag: T
): Find<T> => extensions.find(({ _tag }) => _tag === tag) as Find<T>

const none: ReadonlyArray<never> = []

/**
 * Reads one entry within a decoder.
 *
 * @since 0.1.0
 * @category decoding
 */
export const read = (reader: Der.DerReader): CrlEntry => {
  const at = reader.position
  const inner = reader.sequence()
  const serial = inner.integerBytes()
  const date = inner.time("anyForm")
  const extensions = inner.isEmpty ? none : inner.sequenceOf(CrlExtension.readEntry, 1)
  if (extensions.length > 1) CrlExtension.requireDistinct(inner, extensions)
  inner.finish()
  return { at, serial, date, extensions }
}

/**
 * All entries in turn, each with the certificate issuer that was last said (RFC 5280 §5.3.3).
 *
 * @since 0.1.0
 * @category decoding
 */
export const walk = (
  reader: Der.DerReader,
  visit: (entry: CrlEntry, certificateIssuer: ReadonlyArray<GeneralName.GeneralName> | undefined) => void
): void => {
  let certificateIssuer: ReadonlyArray<GeneralName.GeneralName> | undefined
  while (!reader.isEmpty) {
    const entry = read(reader)
    certificateIssuer = extension(entry, "CertificateIssuer")?.names ?? certificateIssuer
    visit(entry, certificateIssuer)
  }
}

/**
 * What an entry says, with the certificate issuer that holds for it.
 *
 * @since 0.1.0
 * @category conversions
 */
export const toRevoked = (
  entry: CrlEntry,
  certificateIssuer: ReadonlyArray<GeneralName.GeneralName> | undefined
): RevokedCertificate => {
  const { serial } = entry
  const invalidityDate = extension(entry, "InvalidityDate")?.date
  return {
    serial,
    serialNumber: BigInt.asIntN(8 * serial.length, BigInt(`0x${Bytes.toHex(serial)}`)).toString(16),
    revocationDate: new Date(entry.date),
    reason: extension(entry, "ReasonCode")?.reason,
    invalidityDate: invalidityDate === undefined ? undefined : new Date(invalidityDate),
    certificateIssuer,
    extensions: entry.extensions
  }
}
