/**
 * Certificate revocation lists (RFC 5280 §5) as values. Decoding is strict and total: whatever the bytes are, the answer
 * is a list or a `DecodeError`. Entries stay in their encoding until somebody asks for them.
 *
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Either from "effect/Either"
import * as Equal from "effect/Equal"
import * as Hash from "effect/Hash"
import * as ParseResult from "effect/ParseResult"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as AlgorithmIdentifier from "./AlgorithmIdentifier.ts"
import { DecodeError } from "./ByteReader.ts"
import * as Bytes from "./Bytes.ts"
import type { AuthorityKeyIdentifier } from "./CertificateExtension.ts"
import type { RevokedCertificate } from "./CrlEntry.ts"
import * as CrlEntry from "./CrlEntry.ts"
import * as CrlExtension from "./CrlExtension.ts"
import * as Der from "./Der.ts"
import * as DistinguishedName from "./DistinguishedName.ts"
import * as GeneralName from "./GeneralName.ts"
import * as Limits from "./Limits.ts"
import * as ObjectIdentifier from "./ObjectIdentifier.ts"
import * as Pem from "./Pem.ts"

export type {
  /** @since 0.1.0 */
  RevokedCertificate
} from "./CrlEntry.ts"

interface Fields {
  readonly der: Uint8Array
  readonly tbs: Uint8Array
  readonly version: 1 | 2
  readonly signatureAlgorithm: AlgorithmIdentifier.AlgorithmIdentifier
  readonly issuer: DistinguishedName.DistinguishedName
  readonly thisUpdate: number
  readonly nextUpdate: number | undefined
  readonly extensions: ReadonlyArray<CrlExtension.CrlExtension>
  readonly unknownCriticalExtensions: ReadonlyArray<ObjectIdentifier.ObjectIdentifier>
  readonly entries: { readonly start: number; readonly end: number; readonly count: number }
  readonly signature: Uint8Array
}

type Find<T extends CrlExtension.CrlExtension["_tag"]> =
  Extract<CrlExtension.CrlExtension, { readonly _tag: T }> | undefined

/** Where entries are: by the issuer of their certificates, then by serial number. */
interface Index {
  readonly byIssuer: ReadonlyMap<string, ReadonlyMap<string, number>>
}

/**
 * A CRL. All byte fields are views of `der`, which is the value's own copy. Two are equal when their bytes are.
 *
 * @since 0.1.0
 * @category models
 */
export class CertificateRevocationList implements Equal.Equal {
  /** The whole CRL. */
  readonly der: Uint8Array
  /** What is signed. */
  readonly tbs: Uint8Array
  readonly version: 1 | 2
  readonly signatureAlgorithm: AlgorithmIdentifier.AlgorithmIdentifier
  readonly issuer: DistinguishedName.DistinguishedName
  /** In the order of the CRL; no two of one kind. */
  readonly extensions: ReadonlyArray<CrlExtension.CrlExtension>
  /**
   * Kinds of extensions, of the CRL or of an entry, that are critical and that we have no type for: a CRL with such must
   * not be used (RFC 5280 §5.2 and §5.3). The first 16 of them.
   */
  readonly unknownCriticalExtensions: ReadonlyArray<ObjectIdentifier.ObjectIdentifier>
  readonly signature: Uint8Array
  readonly #thisUpdate: number
  readonly #nextUpdate: number | undefined
  readonly #entries: Fields["entries"]
  #index: Index | undefined
  #revoked: ReadonlyArray<RevokedCertificate> | undefined
  #hash: number | undefined

  /** From fields that belong together: `decode` is the way to one. */
  constructor(fields: Fields) {
    this.der = fields.der
    this.tbs = fields.tbs
    this.version = fields.version
    this.signatureAlgorithm = fields.signatureAlgorithm
    this.issuer = fields.issuer
    this.extensions = fields.extensions
    this.unknownCriticalExtensions = fields.unknownCriticalExtensions
    this.signature = fields.signature
    this.#thisUpdate = fields.thisUpdate
    this.#nextUpdate = fields.nextUpdate
    this.#entries = fields.entries
  }

  get thisUpdate(): Date {
    return new Date(this.#thisUpdate)
  }

  /** By when the issuer has another one; the last second counts. */
  get nextUpdate(): Date | undefined {
    return this.#nextUpdate === undefined ? undefined : new Date(this.#nextUpdate)
  }

  /** How many entries there are. */
  get size(): number {
    return this.#entries.count
  }

  /** All entries, in the order of the CRL: made when first asked for. To look for one, use `find`. */
  get revoked(): ReadonlyArray<RevokedCertificate> {
    if (this.#revoked !== undefined) return this.#revoked
    const revoked: Array<RevokedCertificate> = []
    CrlEntry.walk(this.#reader(), (entry, certificateIssuer) =>
      revoked.push(CrlEntry.toRevoked(entry, certificateIssuer))
    )
    return (this.#revoked = revoked)
  }

  /**
   * The entry of a certificate, by its serial number (the content of the INTEGER) and issuer: the CRL's own unless told.
   * Of several for one certificate, one that revokes it. The first call makes an index, later ones cost the same however
   * many entries there are.
   */
  find(serial: Uint8Array, issuer: DistinguishedName.DistinguishedName = this.issuer): RevokedCertificate | undefined {
    const at = (this.#index ??= this.#makeIndex()).byIssuer.get(issuer.key)?.get(Bytes.toLatin1(serial))
    if (at === undefined) return undefined
    const reader = this.#reader()
    reader.position = at
    const own = issuer.equals(this.issuer)
    return CrlEntry.toRevoked(CrlEntry.read(reader), own ? undefined : [{ _tag: "DirectoryName", name: issuer }])
  }

  #reader(): Der.DerReader {
    return new Der.DerReader(this.der, what, this.#entries.start, this.#entries.end)
  }

  #makeIndex(): Index {
    const byIssuer = new Map<string, Map<string, number>>()
    const of = (issuer: string): Map<string, number> => {
      const known = byIssuer.get(issuer)
      if (known !== undefined) return known
      const made = new Map<string, number>()
      byIssuer.set(issuer, made)
      return made
    }
    const reader = this.#reader()
    const isRemoval = (at: number): boolean => {
      reader.position = at
      return CrlEntry.extension(CrlEntry.read(reader), "ReasonCode")?.reason === "removeFromCRL"
    }
    let issuers = [of(this.issuer.key)]
    let names: ReadonlyArray<GeneralName.GeneralName> | undefined
    CrlEntry.walk(this.#reader(), (entry, certificateIssuer) => {
      if (certificateIssuer !== names) {
        names = certificateIssuer
        issuers = certificateIssuer!.flatMap((name) => (name._tag === "DirectoryName" ? [of(name.name.key)] : []))
      }
      const serial = Bytes.toLatin1(entry.serial)
      for (const entries of issuers) {
        const earlier = entries.get(serial)
        if (earlier === undefined || isRemoval(earlier)) entries.set(serial, entry.at)
      }
    })
    return { byIssuer }
  }

  /**
   * Whether a time, in milliseconds since 1970, is between the updates, to the second. A CRL that does not say when the
   * next one comes is never current: nobody could tell it from the newest.
   */
  isCurrentAt(time: number): boolean {
    const second = Math.floor(time / 1000) * 1000
    return this.#thisUpdate <= time && this.#nextUpdate !== undefined && second <= this.#nextUpdate
  }

  /** The extension of a kind. */
  extension<T extends CrlExtension.CrlExtension["_tag"]>(tag: T): Find<T> {
    for (const extension of this.extensions) {
      if (extension._tag === tag) return extension as Find<T>
    }
    return undefined
  }

  /** The extension with an object identifier. */
  extensionByOid(oid: ObjectIdentifier.ObjectIdentifier): CrlExtension.CrlExtension | undefined {
    return this.extensions.find((extension) => extension.oid === oid)
  }

  /** Greater in each CRL of one issuer and scope than in those before it (RFC 5280 §5.2.3). */
  get number(): bigint | undefined {
    return this.extension("CrlNumber")?.number
  }

  /** Of a delta CRL: the number of the complete one that it adds to (§5.2.4). */
  get baseNumber(): bigint | undefined {
    return this.extension("DeltaCrlIndicator")?.baseCrlNumber
  }

  get issuingDistributionPoint(): CrlExtension.IssuingDistributionPoint | undefined {
    return this.extension("IssuingDistributionPoint")
  }

  get authorityKeyIdentifier(): AuthorityKeyIdentifier | undefined {
    return this.extension("AuthorityKeyIdentifier")
  }

  [Equal.symbol](that: unknown): boolean {
    return that instanceof CertificateRevocationList && Bytes.equals(this.der, that.der)
  }

  [Hash.symbol](): number {
    // The signature is as good as random, and short.
    return (this.#hash ??= Hash.array(Array.from(this.signature.subarray(0, 32))))
  }

  /** Whose it is and which, for a message; cut where it does not end. */
  get label(): string {
    const issuer = this.issuer.toString()
    const number = this.number === undefined ? "" : ` number ${this.number}`
    const delta = this.baseNumber === undefined ? "" : "delta "
    return `${delta}CRL${number} of "${issuer.length > 200 ? `${issuer.slice(0, 199)}…` : issuer}"`
  }

  /** Whose it is, how long it holds and how many it revokes, on one line. */
  toString(): string {
    const until = this.nextUpdate === undefined ? "" : ` to ${this.nextUpdate.toISOString()}`
    return `CertificateRevocationList(${this.label}, ${this.thisUpdate.toISOString()}${until}, ${this.size} revoked)`
  }

  #summary() {
    return {
      _id: "CertificateRevocationList",
      version: this.version,
      issuer: this.issuer.toString(),
      thisUpdate: this.thisUpdate.toISOString(),
      nextUpdate: this.nextUpdate?.toISOString(),
      number: this.number?.toString(),
      baseNumber: this.baseNumber?.toString(),
      extensions: this.extensions.map(({ oid }) => ObjectIdentifier.name(oid)),
      signatureAlgorithm: AlgorithmIdentifier.format(this.signatureAlgorithm)
    }
  }

  /** With all entries. */
  toJSON(): unknown {
    return {
      ...this.#summary(),
      revoked: this.revoked.map(({ certificateIssuer, invalidityDate, reason, revocationDate, serialNumber }) => ({
        serialNumber,
        revocationDate: revocationDate.toISOString(),
        reason,
        invalidityDate: invalidityDate?.toISOString(),
        certificateIssuer: certificateIssuer?.map(GeneralName.format)
      }))
    }
  }

  /** Without the entries: there may be a million. */
  [Symbol.for("nodejs.util.inspect.custom")](): unknown {
    return { ...this.#summary(), size: this.size }
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Decoding
// ---------------------------------------------------------------------------------------------------------------------

const what = "CertificateList"

/** As many kinds of extensions as a message could name. */
const mostUnknown = 16

const readExtensions = (reader: Der.DerReader): ReadonlyArray<CrlExtension.CrlExtension> => {
  const extensions = reader.sequenceOf(CrlExtension.read, 1, Der.Tag.Sequence, "Extensions")
  CrlExtension.requireDistinct(reader, extensions)
  return extensions
}

const readList = (reader: Der.DerReader): CertificateRevocationList => {
  const outer = reader.sequence()

  const tbsStart = outer.position
  const tbs = outer.sequence("TBSCertList")
  const version = tbs.peek() === Der.Tag.Integer ? readVersion(tbs) : 1
  const innerAlgorithmStart = tbs.position
  tbs.element()
  const innerAlgorithm = tbs.bytes.subarray(innerAlgorithmStart, tbs.position)
  const issuer = DistinguishedName.read(tbs)
  // RFC 5280 §5.1.2.3. Nobody could tell whose it is.
  if (issuer.isEmpty) tbs.fail("an issuer without a name")
  const thisUpdate = tbs.time("anyForm")
  const isTime = tbs.peek() === Der.Tag.UtcTime || tbs.peek() === Der.Tag.GeneralizedTime
  const nextUpdate = isTime ? tbs.time("anyForm") : undefined

  const unknown = new Set<ObjectIdentifier.ObjectIdentifier>()
  const note = ({ _tag, critical, oid }: CrlExtension.CrlExtension | CrlExtension.CrlEntryExtension): void => {
    if (critical && _tag === "Unknown" && unknown.size < mostUnknown) unknown.add(oid)
  }
  let entries = { start: tbs.position, end: tbs.position, count: 0 }
  // RFC 5280 §5.1.2.6 wants no list where there are no entries, but an empty one says the same.
  if (tbs.peek() === Der.Tag.Sequence) {
    const list = tbs.sequence("revokedCertificates")
    const start = list.position
    let count = 0
    while (!list.isEmpty) {
      const { extensions } = CrlEntry.read(list)
      if (extensions.length > 0 && version === 1) list.fail("an entry with extensions in version 1")
      for (const extension of extensions) note(extension)
      count++
    }
    entries = { start, end: list.end, count }
  }
  const extensions = tbs.optional(0xa0, readExtensions) ?? []
  if (extensions.length > 0 && version === 1) tbs.fail("extensions in version 1")
  for (const extension of extensions) note(extension)
  tbs.finish()
  const tbsBytes = outer.bytes.subarray(tbsStart, outer.position)

  const { signature, signatureAlgorithm } = AlgorithmIdentifier.readSignature(outer, innerAlgorithm)
  outer.finish()
  return new CertificateRevocationList({
    der: reader.bytes,
    tbs: tbsBytes,
    version,
    signatureAlgorithm,
    issuer,
    thisUpdate,
    nextUpdate,
    extensions,
    unknownCriticalExtensions: [...unknown],
    entries,
    signature
  })
}

const readVersion = (reader: Der.DerReader): 2 => {
  const version = reader.unsigned()
  return version === 1 ? 2 : reader.fail(version === 0 ? "version 1 written out" : `version ${version + 1}`)
}

const decodeOwned = Der.decode(what, readList)

/**
 * How large a CRL may be: `revocationList` of `Limits`, 32 MiB unless told.
 *
 * @since 0.1.0
 * @category models
 */
export interface DecodeOptions {
  readonly limits?: Pick<Limits.Limits, "revocationList">
}

/**
 * A CRL from its DER, exactly. The bytes are copied, so the value does not keep a larger buffer alive.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decode = (
  der: Uint8Array,
  options: DecodeOptions = {}
): Either.Either<CertificateRevocationList, DecodeError> => {
  const most = (options.limits ?? Limits.defaults).revocationList
  return der.length > most
    ? Either.left(
        new DecodeError({ what, at: 0, problem: `${der.length} bytes, the limit \`revocationList\` is ${most}` })
      )
    : decodeOwned(new Uint8Array(der))
}

/**
 * The CRLs of a PEM text (`X509 CRL`), in order: at least one; other blocks are passed over.
 *
 * @since 0.1.0
 * @category decoding
 */
export const fromPem = (
  text: string,
  options: DecodeOptions = {}
): Either.Either<NonEmptyReadonlyArray<CertificateRevocationList>, Pem.PemError> =>
  Either.flatMap(Pem.parse(text), (blocks) => {
    const lists: Array<CertificateRevocationList> = []
    for (const { content, label } of blocks) {
      if (label !== "X509 CRL") continue
      const list = decode(Redacted.value(content), options)
      if (Either.isLeft(list)) {
        const problem = `CRL ${lists.length + 1} of the PEM text is damaged: ${list.left.message}`
        return Either.left(new Pem.PemError({ reason: "Malformed", problem }))
      }
      lists.push(list.right)
    }
    const [first, ...others] = lists
    if (first !== undefined) return Either.right([first, ...others] as const)
    return Either.left(
      new Pem.PemError({
        reason: blocks.length === 0 ? "NoBlock" : "WrongKind",
        problem: `it holds ${Pem.describe(blocks)}, a certificate revocation list is needed`
      })
    )
  })

/**
 * The CRLs of a file: PEM with one or several, or the DER of one.
 *
 * @since 0.1.0
 * @category decoding
 */
export const fromBytes = (
  bytes: Uint8Array,
  options: DecodeOptions = {}
): Either.Either<NonEmptyReadonlyArray<CertificateRevocationList>, Pem.PemError> => {
  if (Pem.isPem(bytes)) return fromPem(new TextDecoder().decode(bytes), options)
  return Either.mapBoth(decode(bytes, options), {
    onLeft: (error) => new Pem.PemError({ reason: "Malformed", problem: `it holds no CRL: ${error.message}` }),
    onRight: (list): NonEmptyReadonlyArray<CertificateRevocationList> => [list]
  })
}

/**
 * CRLs as PEM, one block after the other.
 *
 * @since 0.1.0
 * @category encoding
 */
export const toPem = (...lists: ReadonlyArray<CertificateRevocationList>): string =>
  lists.map(({ der }) => Pem.format("X509 CRL", der)).join("")

/**
 * @since 0.1.0
 * @category guards
 */
export const isCertificateRevocationList = (u: unknown): u is CertificateRevocationList =>
  u instanceof CertificateRevocationList

// ---------------------------------------------------------------------------------------------------------------------
// Schemas
// ---------------------------------------------------------------------------------------------------------------------

/**
 * @since 0.1.0
 * @category schemas
 */
export const CertificateRevocationListFromSelf: Schema.Schema<CertificateRevocationList> = Schema.declare(
  isCertificateRevocationList,
  {
    identifier: "CertificateRevocationList",
    description: "a certificate revocation list",
    pretty: () => (list) => list.toString(),
    equivalence: () => (a, b) => Equal.equals(a, b)
  }
)

/**
 * A CRL from and to its DER.
 *
 * @since 0.1.0
 * @category schemas
 */
export const CertificateRevocationListFromDer: Schema.Schema<CertificateRevocationList, Uint8Array> =
  Schema.transformOrFail(Schema.Uint8ArrayFromSelf, CertificateRevocationListFromSelf, {
    strict: true,
    decode: (der, _, ast) => Either.mapLeft(decode(der), (error) => new ParseResult.Type(ast, der, error.message)),
    encode: (list) => ParseResult.succeed(list.der)
  })

/**
 * The CRLs of a PEM text, at least one, from and to that text.
 *
 * @since 0.1.0
 * @category schemas
 */
export const CertificateRevocationListsFromPem: Schema.Schema<
  NonEmptyReadonlyArray<CertificateRevocationList>,
  string
> = Schema.transformOrFail(Schema.String, Schema.NonEmptyArray(CertificateRevocationListFromSelf), {
  strict: true,
  // The text is left out of the issue: next to a CRL there may be a key.
  decode: (text, _, ast) =>
    Either.mapLeft(fromPem(text), (error) => new ParseResult.Type(ast, undefined, error.message)),
  encode: (lists) => ParseResult.succeed(toPem(...lists))
})
