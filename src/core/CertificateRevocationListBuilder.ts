/**
 * Certificate revocation lists of one's own (RFC 5280 §5): complete, delta and indirect ones, in memory.
 *
 * @example
 * import { Effect } from "effect"
 * import { CertificateBuilder, CertificateRevocationListBuilder } from "effect-tls"
 *
 * const program = Effect.gen(function* () {
 *   const ca = yield* CertificateBuilder.authority({ subject: { CN: "Development CA" } })
 *   const lost = yield* CertificateBuilder.issue(ca, { names: ["lost.example"] })
 *   return yield* CertificateRevocationListBuilder.make(ca.identity, {
 *     revoked: [{ certificate: lost.certificate, reason: "keyCompromise" }]
 *   })
 * })
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as AlgorithmIdentifier from "../schema/AlgorithmIdentifier.ts"
import * as Bytes from "../schema/Bytes.ts"
import type { Certificate } from "../schema/Certificate.ts"
import { isCertificate } from "../schema/Certificate.ts"
import * as CertificateExtension from "../schema/CertificateExtension.ts"
import type { CertificateRevocationList, RevokedCertificate } from "../schema/CertificateRevocationList.ts"
import * as CertificateRevocationLists from "../schema/CertificateRevocationList.ts"
import type { IssuingDistributionPoint, RevocationReason } from "../schema/CrlExtension.ts"
import * as CrlExtension from "../schema/CrlExtension.ts"
import * as Der from "../schema/Der.ts"
import { DistinguishedName } from "../schema/DistinguishedName.ts"
import type { DistributionPointName, ReasonFlag } from "../schema/DistributionPoint.ts"
import { reasonFlags } from "../schema/DistributionPoint.ts"
import type { GeneralName } from "../schema/GeneralName.ts"
import { isGeneralName } from "../schema/GeneralName.ts"
import type { TlsConfigError } from "../schema/TlsError.ts"
import { DurationInput, invalid, isObject, RawExtension } from "./BuilderOptions.ts"
import type { CryptoError } from "./CryptoProvider.ts"
import { CryptoProvider } from "./CryptoProvider.ts"
import type { Identity } from "./Identity.ts"
import { declared, decode, said } from "./OptionSchema.ts"
import { defaultSignatureAlgorithm, keyIdentifier } from "./Signing.ts"

// ---------------------------------------------------------------------------------------------------------------------
// Options
// ---------------------------------------------------------------------------------------------------------------------

const isReason = (u: unknown): u is RevocationReason =>
  u !== undefined && (CrlExtension.revocationReasons as ReadonlyArray<unknown>).includes(u)

/**
 * A certificate to revoke: the certificate itself, or its serial number (the content of the INTEGER) and, where that is
 * not the CRL's, its issuer.
 *
 * @since 0.1.0
 * @category options
 */
export const RevokedOptions = Schema.Struct({
  certificate: said(declared<Certificate>("a Certificate", isCertificate)),
  serial: said(Schema.Uint8ArrayFromSelf),
  issuer: said(
    declared<DistinguishedName>(
      "a DistinguishedName",
      (u): u is DistinguishedName => u instanceof DistinguishedName && !u.isEmpty
    )
  ),
  /** Now, unless told. */
  revocationDate: said(Schema.ValidDateFromSelf),
  /** None, unless told. `removeFromCRL` is for delta CRLs. */
  reason: said(declared<RevocationReason>("a reason of RFC 5280 §5.3.1", isReason)),
  /** Since when the key is known or thought to have been compromised. */
  invalidityDate: said(Schema.ValidDateFromSelf),
  extensions: said(Schema.Array(RawExtension))
}).annotations({ parseOptions: { errors: "all", onExcessProperty: "error" } })

/**
 * @since 0.1.0
 * @category options
 */
export interface RevokedOptions extends Schema.Schema.Type<typeof RevokedOptions> {}

const isPlaceName = (u: unknown): u is DistributionPointName => {
  if (!isObject(u) || !("_tag" in u)) return false
  if (u._tag === "RelativeName") return "der" in u && u.der instanceof Uint8Array
  return (
    u._tag === "FullName" &&
    "names" in u &&
    Array.isArray(u.names) &&
    u.names.length > 0 &&
    u.names.every(isGeneralName)
  )
}

const isReasons = (u: unknown): u is ReadonlySet<ReasonFlag> =>
  u instanceof Set && u.size > 0 && [...u].every((flag) => (reasonFlags as ReadonlyArray<unknown>).includes(flag))

/**
 * @since 0.1.0
 * @category options
 */
export const CrlOptions = Schema.Struct({
  /** In this order. Of an indirect CRL, keep those of one issuer together: it is asked where it changes. */
  revoked: said(Schema.Array(RevokedOptions)),
  /** Now, unless told. */
  thisUpdate: said(Schema.ValidDateFromSelf),
  /** Instead of `validFor`. */
  nextUpdate: said(Schema.ValidDateFromSelf),
  /** Until the next update: a week, unless told. */
  validFor: said(DurationInput),
  /** Greater than that of the issuer's last CRL of the same scope; the seconds since 1970, unless told. */
  number: said(Schema.NonNegativeBigIntFromSelf),
  /** Makes a delta CRL: the number of the complete one that it adds to. */
  deltaOf: said(Schema.NonNegativeBigIntFromSelf),
  /** What the CRL is about, when that is not every certificate of the issuer for every reason. */
  issuingDistributionPoint: said(
    Schema.Struct({
      name: said(declared<DistributionPointName>("the name of a distribution point", isPlaceName)),
      onlyContainsUserCerts: said(Schema.Boolean),
      onlyContainsCaCerts: said(Schema.Boolean),
      onlyContainsAttributeCerts: said(Schema.Boolean),
      onlySomeReasons: said(declared<ReadonlySet<ReasonFlag>>("a Set of reasons of RFC 5280 §5.2.5", isReasons)),
      indirectCrl: said(Schema.Boolean)
    })
  ),
  /** How the issuer signs, where its key leaves a choice. */
  signatureAlgorithm: said(declared("a signature algorithm", AlgorithmIdentifier.isSignatureAlgorithm)),
  /** More extensions. One with the object identifier of a standard one stands in its place. */
  extensions: said(Schema.Array(RawExtension))
}).annotations({ parseOptions: { errors: "all", onExcessProperty: "error" } })

/**
 * @since 0.1.0
 * @category options
 */
export interface CrlOptions extends Schema.Schema.Type<typeof CrlOptions> {}

/**
 * The entry of an earlier CRL, for the next.
 *
 * @since 0.1.0
 * @category options
 */
export const keep = (entry: RevokedCertificate): RevokedOptions => {
  const { certificateIssuer, extensions, invalidityDate, reason, revocationDate, serial } = entry
  const issuer = certificateIssuer?.find((name) => name._tag === "DirectoryName")
  return {
    serial,
    revocationDate,
    extensions: extensions.filter(({ _tag }) => _tag === "Unknown"),
    ...(reason === undefined ? {} : { reason }),
    ...(invalidityDate === undefined ? {} : { invalidityDate }),
    ...(issuer === undefined ? {} : { issuer: issuer.name })
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Putting one together
// ---------------------------------------------------------------------------------------------------------------------

const week = Duration.weeks(1)

/**
 * A CRL of an issuer: the first certificate of its chain is who signs. Refused is what no reader would take.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  issuer: Identity,
  options: CrlOptions
): Effect.Effect<CertificateRevocationList, TlsConfigError | CryptoError, CryptoProvider> =>
  Effect.gen(function* () {
    const crypto = yield* CryptoProvider
    const now = yield* Clock.currentTimeMillis
    const asked = yield* decode(CrlOptions)(options)
    const [certificate] = issuer.certificateChain
    const { privateKey } = issuer
    if (certificate.keyUsage?.has("cRLSign") === false) {
      return yield* invalid("issuer", `the key usage of "${certificate.label}" does not include signing CRLs (cRLSign)`)
    }
    const { nextUpdate, thisUpdate } = yield* readDates(asked, now)
    const number = asked.number ?? BigInt(Math.floor(thisUpdate / 1000))
    if (asked.deltaOf !== undefined && asked.deltaOf >= number) {
      return yield* invalid(
        "deltaOf",
        `a delta CRL with the number ${number} cannot add to CRL number ${asked.deltaOf}`
      )
    }
    const entries = yield* encodeEntries(asked, certificate.subject, thisUpdate)
    const algorithm = asked.signatureAlgorithm ?? defaultSignatureAlgorithm(privateKey.publicKey)
    if (algorithm === undefined) return yield* invalid("issuer", "its key cannot sign CRLs")

    const standard = [
      CertificateExtension.encodeAuthorityKeyIdentifier(
        certificate.subjectKeyIdentifier ?? keyIdentifier(crypto, privateKey.publicKey)
      ),
      CrlExtension.encodeCrlNumber(number),
      ...(asked.deltaOf === undefined ? [] : [CrlExtension.encodeDeltaCrlIndicator(asked.deltaOf)]),
      ...(asked.issuingDistributionPoint === undefined
        ? []
        : [
            CrlExtension.encodeIssuingDistributionPoint(
              asked.issuingDistributionPoint as Partial<IssuingDistributionPoint>
            )
          ])
    ]
    const own = asked.extensions ?? []
    const extensions = [...standard.filter(({ oid }) => !own.some((other) => other.oid === oid)), ...own]

    const identifier = AlgorithmIdentifier.encode(algorithm)
    const tbs = Der.sequence(
      Der.integer(1),
      identifier,
      certificate.subject.der,
      Der.time(thisUpdate),
      Der.time(nextUpdate),
      // RFC 5280 §5.1.2.6: no list where there are no entries.
      ...(entries.length === 0 ? [] : [Der.sequence(Bytes.concat(entries))]),
      Der.value(0xa0, Der.sequence(...extensions.map(CertificateExtension.encode)))
    )
    const signature = yield* privateKey.sign(algorithm, tbs)
    return yield* Either.mapLeft(
      CertificateRevocationLists.decode(Der.sequence(tbs, identifier, Der.bitString(signature))),
      (error) => invalid("", `no reader would take this CRL: ${error.message}`)
    )
  })

/**
 * The issuer's next CRL after `previous` (none, when it is the first): what that revoked, and more. It has the next
 * number at least, and the same scope. A certificate that was on hold can be revoked for good; of one that is revoked the
 * earlier entry stays. Refused where `previous` is not a complete CRL that the issuer signed.
 *
 * @since 0.1.0
 * @category constructors
 */
export const revoke = (
  issuer: Identity,
  previous: CertificateRevocationList | undefined,
  revoked: ReadonlyArray<RevokedOptions>,
  options: Omit<CrlOptions, "revoked" | "deltaOf"> = {}
): Effect.Effect<CertificateRevocationList, TlsConfigError | CryptoError, CryptoProvider> =>
  Effect.gen(function* () {
    if (previous === undefined) return yield* make(issuer, { ...options, revoked })
    const crypto = yield* CryptoProvider
    const now = yield* Clock.currentTimeMillis
    const [certificate] = issuer.certificateChain
    const { algorithm } = previous.signatureAlgorithm
    const isOwn =
      previous.issuer.equals(certificate.subject) &&
      algorithm !== undefined &&
      (yield* crypto.verify(algorithm, certificate.publicKey, previous.tbs, previous.signature))
    if (!isOwn) return yield* invalid("previous", `"${certificate.label}" did not sign it`)
    if (previous.baseNumber !== undefined)
      return yield* invalid("previous", "it is a delta CRL: a complete one is needed")

    const keyOf = (issuerName: DistinguishedName, serial: Uint8Array) => `${issuerName.key}\u0000${Bytes.toHex(serial)}`
    const entries = new Map(
      previous.revoked.map(keep).map((entry) => [keyOf(entry.issuer ?? previous.issuer, entry.serial!), entry])
    )
    const asked = yield* decode(Schema.Array(RevokedOptions))(revoked)
    for (const [i, entry] of asked.entries()) {
      const serial = entry.certificate?.serial ?? entry.serial
      if (serial === undefined) {
        return yield* invalid(`revoked[${i}]`, "either `certificate` or `serial` says whose entry it is")
      }
      const key = keyOf(entry.certificate?.issuer ?? entry.issuer ?? previous.issuer, serial)
      const earlier = entries.get(key)
      if (earlier === undefined || earlier.reason === "certificateHold") entries.set(key, entry)
    }
    const scope = options.issuingDistributionPoint ?? scopeOf(previous)
    const thisUpdate = options.thisUpdate?.getTime() ?? now
    const next = (previous.number ?? 0n) + 1n
    const byTime = BigInt(Math.floor(thisUpdate / 1000))
    return yield* make(issuer, {
      ...options,
      number: options.number ?? (byTime > next ? byTime : next),
      revoked: [...entries.values()],
      ...(scope === undefined ? {} : { issuingDistributionPoint: scope })
    })
  })

const scopeOf = (list: CertificateRevocationList): CrlOptions["issuingDistributionPoint"] => {
  const point = list.extension("IssuingDistributionPoint")
  if (point === undefined) return undefined
  const { name, onlySomeReasons } = point
  return {
    ...(name === undefined ? {} : { name }),
    ...(onlySomeReasons === undefined ? {} : { onlySomeReasons }),
    onlyContainsUserCerts: point.onlyContainsUserCerts,
    onlyContainsCaCerts: point.onlyContainsCaCerts,
    onlyContainsAttributeCerts: point.onlyContainsAttributeCerts,
    indirectCrl: point.indirectCrl
  }
}

const readDates = (
  asked: CrlOptions,
  now: number
): Either.Either<{ readonly thisUpdate: number; readonly nextUpdate: number }, TlsConfigError> => {
  if (asked.nextUpdate !== undefined && asked.validFor !== undefined) {
    return Either.left(
      invalid("nextUpdate", "either `nextUpdate` or `validFor` says when the next one comes, not both")
    )
  }
  const thisUpdate = asked.thisUpdate?.getTime() ?? now
  const nextUpdate = asked.nextUpdate?.getTime() ?? thisUpdate + Duration.toMillis(asked.validFor ?? week)
  if (thisUpdate < Date.UTC(1950, 0) || nextUpdate >= Date.UTC(10_000, 0)) {
    return Either.left(invalid("thisUpdate", "the dates are not in the years 1950 to 9999"))
  }
  return nextUpdate <= thisUpdate
    ? Either.left(invalid("nextUpdate", "the next CRL would come before this one"))
    : Either.right({ thisUpdate, nextUpdate })
}

/** The DER of each entry. Who issued a certificate is asked where it is another than before (RFC 5280 §5.3.3). */
const encodeEntries = (
  asked: CrlOptions,
  crlIssuer: DistinguishedName,
  thisUpdate: number
): Either.Either<ReadonlyArray<Uint8Array>, TlsConfigError> => {
  const isIndirect = asked.issuingDistributionPoint?.indirectCrl === true
  const seen = new Set<string>()
  const encoded: Array<Uint8Array> = []
  let current = crlIssuer
  for (const [i, entry] of (asked.revoked ?? []).entries()) {
    const { certificate, reason } = entry
    const serial = certificate?.serial ?? entry.serial
    if (serial === undefined || (certificate !== undefined && entry.serial !== undefined)) {
      return Either.left(invalid(`revoked[${i}]`, "either `certificate` or `serial` says whose entry it is"))
    }
    const issuer = certificate?.issuer ?? entry.issuer ?? crlIssuer
    if (!isIndirect && !issuer.equals(crlIssuer)) {
      const message = `it was issued by "${issuer}": only an indirect CRL is about certificates of others`
      return Either.left(invalid(`revoked[${i}]`, message))
    }
    const key = `${issuer.key}\u0000${Bytes.toHex(serial)}`
    if (seen.has(key)) return Either.left(invalid(`revoked[${i}]`, "it is revoked twice"))
    seen.add(key)
    if (reason === "removeFromCRL" && asked.deltaOf === undefined) {
      return Either.left(invalid(`revoked[${i}].reason`, "only a delta CRL takes a certificate off the list"))
    }
    const issuerNames: ReadonlyArray<GeneralName> | undefined = issuer.equals(current)
      ? undefined
      : [{ _tag: "DirectoryName", name: issuer }]
    current = issuer
    const extensions = [
      ...(reason === undefined ? [] : [CrlExtension.encodeReasonCode(reason)]),
      ...(entry.invalidityDate === undefined
        ? []
        : [CrlExtension.encodeInvalidityDate(entry.invalidityDate.getTime())]),
      ...(issuerNames === undefined ? [] : [CrlExtension.encodeCertificateIssuer(issuerNames)]),
      ...(entry.extensions ?? [])
    ]
    encoded.push(
      Der.sequence(
        Der.value(Der.Tag.Integer, serial),
        Der.time(entry.revocationDate?.getTime() ?? thisUpdate),
        ...(extensions.length === 0 ? [] : [Der.sequence(...extensions.map(CertificateExtension.encode))])
      )
    )
  }
  return Either.right(encoded)
}
