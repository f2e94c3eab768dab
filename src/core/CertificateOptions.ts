/**
 * What certificates and requests can be asked to have, as Schemas, and what stands in them then: names, subject,
 * validity.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as AlgorithmIdentifier from "../schema/AlgorithmIdentifier.ts"
import type * as Certificate from "../schema/Certificate.ts"
import type * as CertificateExtension from "../schema/CertificateExtension.ts"
import * as DistinguishedName from "../schema/DistinguishedName.ts"
import type { GeneralName } from "../schema/GeneralName.ts"
import { isGeneralName } from "../schema/GeneralName.ts"
import * as ObjectIdentifier from "../schema/ObjectIdentifier.ts"
import * as ServerName from "../schema/ServerName.ts"
import type { TlsConfigError } from "../schema/TlsError.ts"
import { DurationInput, invalid, isObject, RawExtension } from "./BuilderOptions.ts"
import type { KeyType } from "./CryptoProvider.ts"
import { declared, decode, said } from "./OptionSchema.ts"
import type { PrivateKey } from "./PrivateKey.ts"
import { isPrivateKey } from "./PrivateKey.ts"

const { oids } = ObjectIdentifier

const refused = { parseOptions: { errors: "all", onExcessProperty: "error" } } as const

/**
 * The kind of a key to make. RSA keys have 2048 to 8192 bits, a multiple of 8.
 *
 * @since 0.1.0
 * @category schemas
 */
export const KeyTypeSchema: Schema.Schema<KeyType> = Schema.Union(
  Schema.TaggedStruct("Ec", { curve: Schema.Literal("P-256", "P-384", "P-521") }),
  Schema.TaggedStruct("Rsa", { modulusLength: Schema.Int.pipe(Schema.between(2048, 8192), Schema.multipleOf(8)) }),
  Schema.TaggedStruct("RsaPss", { modulusLength: Schema.Int.pipe(Schema.between(2048, 8192), Schema.multipleOf(8)) }),
  Schema.TaggedStruct("Ed25519", {}),
  Schema.TaggedStruct("Ed448", {})
)

/** What a request and a certificate share. */
const about = {
  /** Attributes, the most general first (`{ O: "Example", CN: "example.com" }`), or a name; else the first of `names`. */
  subject: said(
    Schema.Union(
      declared<DistinguishedName.DistinguishedName>(
        "attributes of a name, or a DistinguishedName",
        (u): u is DistinguishedName.DistinguishedName => u instanceof DistinguishedName.DistinguishedName
      ),
      Schema.Record({
        key: Schema.String,
        value: Schema.Union(Schema.NonEmptyString, Schema.Array(Schema.NonEmptyString))
      })
    )
  ),
  /** DNS names (a wildcard as `*.example.com`), IP addresses, mailboxes, URIs; or other names as GeneralName. */
  names: said(Schema.Array(Schema.Union(Schema.String, declared("a name or a GeneralName", isGeneralName)))),
  /** More extensions. One with the object identifier of a standard one stands in its place. */
  extensions: said(Schema.Array(RawExtension)),
  /** How it is signed, where the signing key leaves a choice. */
  signatureAlgorithm: said(declared("a signature algorithm", AlgorithmIdentifier.isSignatureAlgorithm))
}

/** The kind of a key to make, EC P-256 unless told, or a signer that exists. */
const key = said(Schema.Union(KeyTypeSchema, declared<PrivateKey>("a kind of key or a PrivateKey", isPrivateKey)))

const dates = {
  /** One minute ago, unless told; never before its issuer's own. */
  notBefore: said(Schema.ValidDateFromSelf),
  /** Instead of `validFor`. */
  notAfter: said(Schema.ValidDateFromSelf),
  /** 90 days from now, and of an authority 10 years, unless told; never longer than its issuer itself then. */
  validFor: said(DurationInput)
}

/** Makes also what no verifier accepts: for tests of those that must not. */
const unchecked = said(Schema.Boolean)

const Purposes = Schema.Array(Schema.Literal("serverAuth", "clientAuth"))

/**
 * What any certificate can be asked to have; all of it has defaults.
 *
 * @since 0.1.0
 * @category options
 */
export const CertificateOptions = Schema.Struct({
  ...about,
  ...dates,
  key,
  /** What the key may be used for in TLS: both, unless told. Of an authority nothing is said, unless told. */
  purposes: said(Purposes),
  unchecked
}).annotations(refused)

/**
 * @since 0.1.0
 * @category options
 */
export type CertificateOptions = typeof CertificateOptions.Type

const authority = {
  /** How many intermediate authorities may follow; as many as they like, unless told. */
  pathLength: said(Schema.Int.pipe(Schema.between(0, 255))),
  /** The names it may issue for. */
  nameConstraints: said(
    declared("name constraints", (u): u is CertificateExtension.NameConstraints => {
      const { excluded, permitted } = (isObject(u) ? u : {}) as {
        readonly excluded?: unknown
        readonly permitted?: unknown
      }
      const lists = [permitted, excluded].filter((list) => list !== undefined)
      return (
        lists.length > 0 && lists.every((list) => Array.isArray(list) && list.length > 0 && list.every(isGeneralName))
      )
    })
  )
}

/**
 * @since 0.1.0
 * @category options
 */
export const AuthorityOptions = Schema.Struct({ ...CertificateOptions.fields, ...authority }).annotations(refused)

/**
 * @since 0.1.0
 * @category options
 */
export type AuthorityOptions = typeof AuthorityOptions.Type

/**
 * What a certificate request can be asked to have.
 *
 * @since 0.1.0
 * @category options
 */
export const RequestOptions = Schema.Struct({ ...about, key }).annotations(refused)

/**
 * @since 0.1.0
 * @category options
 */
export type RequestOptions = typeof RequestOptions.Type

const ObjectIdentifierText = declared(
  "an object identifier",
  (u): u is ObjectIdentifier.ObjectIdentifier => typeof u === "string" && ObjectIdentifier.isObjectIdentifier(u)
)

const answer = {
  ...about,
  ...dates,
  /** What the key may be used for in TLS: both, unless told. Of an authority nothing is said, unless told. */
  purposes: said(Purposes),
  /** Extensions of the request, by object identifier, to take as they are; only its names, unless told. */
  accept: said(Schema.Array(ObjectIdentifierText)),
  unchecked
}

/**
 * How to answer a request. `subject` and `names` are those of the request, unless told.
 *
 * @since 0.1.0
 * @category options
 */
export const SigningOptions = Schema.Struct(answer).annotations(refused)

/**
 * @since 0.1.0
 * @category options
 */
export type SigningOptions = typeof SigningOptions.Type

/**
 * How to answer the request of an intermediate authority.
 *
 * @since 0.1.0
 * @category options
 */
export const AuthoritySigningOptions = Schema.Struct({ ...answer, ...authority }).annotations(refused)

/**
 * @since 0.1.0
 * @category options
 */
export type AuthoritySigningOptions = typeof AuthoritySigningOptions.Type

/**
 * What is new about a certificate that is renewed.
 *
 * @since 0.1.0
 * @category options
 */
export const RenewalOptions = Schema.Struct({
  ...dates,
  /** As long as the old one was, unless told; never longer than its issuer itself then. */
  validFor: dates.validFor,
  /** The key of the old one, unless told. */
  key,
  signatureAlgorithm: about.signatureAlgorithm,
  unchecked
}).annotations(refused)

/**
 * @since 0.1.0
 * @category options
 */
export type RenewalOptions = typeof RenewalOptions.Type

/**
 * The options by their Schema, or everything that is wrong with them.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decoders = {
  certificate: decode(CertificateOptions),
  authority: decode(AuthorityOptions),
  request: decode(RequestOptions),
  signing: decode(SigningOptions),
  authoritySigning: decode(AuthoritySigningOptions),
  renewal: decode(RenewalOptions)
}

// ---------------------------------------------------------------------------------------------------------------------
// Names
// ---------------------------------------------------------------------------------------------------------------------

const readName = (text: string, path: string): Either.Either<GeneralName, TlsConfigError> => {
  if (/^[^\s@]+@[^\s@]+$/.test(text)) return Either.right({ _tag: "Rfc822Name", value: text })
  if (/^[a-z][a-z0-9+.-]*:\/\/[\x21-\x7e]+$/i.test(text)) return Either.right({ _tag: "Uri", value: text })
  const wildcard = text.startsWith("*.")
  return Either.flatMap(
    Either.mapLeft(ServerName.parse(wildcard ? text.slice(2) : text), (error) => invalid(path, error.message)),
    (name): Either.Either<GeneralName, TlsConfigError> => {
      if (name._tag === "DnsName") {
        return Either.right({ _tag: "DnsName", value: wildcard ? `*.${name.name}` : name.name })
      }
      return wildcard
        ? Either.left(invalid(path, `${JSON.stringify(text)} is a wildcard of an address`))
        : Either.right({ _tag: "IpAddress", bytes: name.bytes })
    }
  )
}

/**
 * The names as they stand in a certificate.
 *
 * @since 0.1.0
 * @category conversions
 */
export const readNames = (
  names: CertificateOptions["names"]
): Either.Either<ReadonlyArray<GeneralName>, TlsConfigError> =>
  Either.all(
    (names ?? []).map((name, i) => (typeof name === "string" ? readName(name, `names[${i}]`) : Either.right(name)))
  )

/**
 * The subject, which may follow from the names.
 *
 * @since 0.1.0
 * @category conversions
 */
export const readSubject = (
  subject: CertificateOptions["subject"],
  names: ReadonlyArray<GeneralName>
): Either.Either<DistinguishedName.DistinguishedName, TlsConfigError> => {
  if (subject instanceof DistinguishedName.DistinguishedName) return Either.right(subject)
  if (subject === undefined) {
    // RFC 5280 appendix A: a common name has at most 64 characters. One that is longer can stand among the names only.
    const first = names.find(({ _tag }) => _tag === "DnsName") as { readonly value: string } | undefined
    return Either.right(
      first === undefined || first.value.length > 64
        ? DistinguishedName.empty
        : DistinguishedName.fromAttributes([[oids.commonName, first.value]])
    )
  }
  const attributes: Array<readonly [ObjectIdentifier.ObjectIdentifier, string]> = []
  for (const [name, values] of Object.entries(subject)) {
    const type = DistinguishedName.attributeType(name)
    if (type === undefined) {
      return Either.left(
        invalid(`subject.${name}`, "unknown attribute: give a name as CN, O or C, or an object identifier")
      )
    }
    for (const value of typeof values === "string" ? [values] : values) {
      if (type === oids.country && !/^[A-Za-z]{2}$/.test(value)) {
        return Either.left(invalid(`subject.${name}`, "a country is two letters"))
      }
      if (type === oids.commonName && [...value].length > 64) {
        return Either.left(invalid(`subject.${name}`, "a common name has at most 64 characters: put it among `names`"))
      }
      attributes.push([type, value])
    }
  }
  return Either.right(DistinguishedName.fromAttributes(attributes))
}

// ---------------------------------------------------------------------------------------------------------------------
// Validity
// ---------------------------------------------------------------------------------------------------------------------

const earliest = Date.UTC(1950, 0, 1)
const latest = Date.UTC(9999, 11, 31, 23, 59, 59)

/**
 * From when to when, in milliseconds since 1970, to the second. What was not said stays within the issuer's own
 * validity, and what was said has to.
 *
 * @since 0.1.0
 * @category conversions
 */
export const readValidity = (
  options: Pick<CertificateOptions, "notBefore" | "notAfter" | "validFor" | "unchecked">,
  now: number,
  lifetime: Duration.Duration,
  issuer: Certificate.Certificate | undefined
): Either.Either<{ readonly notBefore: number; readonly notAfter: number }, TlsConfigError> => {
  if (options.notAfter !== undefined && options.validFor !== undefined) {
    return Either.left(invalid("notAfter", "either `notAfter` or `validFor` says when it ends, not both"))
  }
  const bounds = options.unchecked === true || issuer === undefined ? undefined : issuer.validity
  const isEndSaid = options.notAfter !== undefined || options.validFor !== undefined
  const beginning = options.notBefore?.getTime() ?? Math.max(now - 60_000, bounds?.notBefore.getTime() ?? earliest)
  // What never ends has the date that RFC 5280 §4.1.2.5 keeps for it.
  const end = Math.min(options.notAfter?.getTime() ?? now + Duration.toMillis(options.validFor ?? lifetime), latest)
  const [notBefore, notAfter] = [beginning, isEndSaid ? end : Math.min(end, bounds?.notAfter.getTime() ?? latest)].map(
    (time) => Math.floor(time / 1000) * 1000
  ) as [number, number]
  if (notBefore < earliest || notBefore > latest) {
    return Either.left(invalid("notBefore", "it is not in the years 1950 to 9999"))
  }
  if (bounds !== undefined && notBefore < bounds.notBefore.getTime()) {
    return Either.left(invalid("notBefore", `its issuer is not valid before ${bounds.notBefore.toISOString()}`))
  }
  if (bounds !== undefined && (notAfter > bounds.notAfter.getTime() || notBefore > bounds.notAfter.getTime())) {
    const path = options.notAfter !== undefined ? "notAfter" : options.validFor !== undefined ? "validFor" : "ca"
    return Either.left(invalid(path, `its issuer is not valid after ${bounds.notAfter.toISOString()}`))
  }
  return notAfter < notBefore
    ? Either.left(invalid("notAfter", "the certificate would end before it begins"))
    : Either.right({ notBefore, notAfter })
}
