/**
 * Schemas of what certificates are made of: between DER or PEM and the values of `DistinguishedName`, `GeneralName`,
 * `CertificateExtension` and `PublicKey`. Those of whole certificates are in `Certificate`.
 *
 * @example
 * import { Schema } from "effect"
 * import { CertificateSchema } from "effect-tls"
 *
 * const Pinned = Schema.Struct({ host: Schema.String, key: CertificateSchema.PublicKeyFromPem })
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Equal from "effect/Equal"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type { DecodeError } from "./ByteReader.ts"
import * as Bytes from "./Bytes.ts"
import type { CertificateExtension } from "./CertificateExtension.ts"
import * as CertificateExtensions from "./CertificateExtension.ts"
import * as Der from "./Der.ts"
import * as DistinguishedNames from "./DistinguishedName.ts"
import type { GeneralName } from "./GeneralName.ts"
import * as GeneralNames from "./GeneralName.ts"
import * as ObjectIdentifier from "./ObjectIdentifier.ts"
import type { PublicKey } from "./PublicKey.ts"
import * as PublicKeys from "./PublicKey.ts"

const fromDer = <A>(
  self: Schema.Schema<A>,
  decode: (der: Uint8Array) => Either.Either<A, DecodeError>,
  encode: (value: A) => Uint8Array
): Schema.Schema<A, Uint8Array> =>
  Schema.transformOrFail(Schema.Uint8ArrayFromSelf, self, {
    strict: true,
    // A copy, so that the value does not keep a larger buffer alive, nor changes with it.
    decode: (der, _, ast) =>
      Either.mapLeft(decode(new Uint8Array(der)), (error) => new ParseResult.Type(ast, der, error.message)),
    encode: (value) => ParseResult.succeed(encode(value))
  })

// ---------------------------------------------------------------------------------------------------------------------
// Names
// ---------------------------------------------------------------------------------------------------------------------

/**
 * @since 0.1.0
 * @category schemas
 */
export const DistinguishedNameFromSelf: Schema.Schema<DistinguishedNames.DistinguishedName> = Schema.declare(
  (u): u is DistinguishedNames.DistinguishedName => u instanceof DistinguishedNames.DistinguishedName,
  {
    identifier: "DistinguishedName",
    description: "the name of an issuer or a subject",
    pretty: () => String,
    equivalence: () => (a, b) => Equal.equals(a, b)
  }
)

/**
 * A name from and to its DER.
 *
 * @since 0.1.0
 * @category schemas
 */
export const DistinguishedNameFromDer: Schema.Schema<DistinguishedNames.DistinguishedName, Uint8Array> = fromDer(
  DistinguishedNameFromSelf,
  DistinguishedNames.decode,
  ({ der }) => der
)

/**
 * A general name that has bytes: its texts are ASCII. Two are equivalent when their bytes are.
 *
 * @since 0.1.0
 * @category schemas
 */
export const GeneralNameFromSelf: Schema.Schema<GeneralName> = Schema.declare(GeneralNames.isGeneralName, {
  identifier: "GeneralName",
  description: "a name in a certificate",
  pretty: () => GeneralNames.format,
  equivalence: () => (a, b) => Bytes.equals(GeneralNames.encode(a), GeneralNames.encode(b))
})

/**
 * A general name from and to its DER. An address is 4 or 16 bytes: ranges are for name constraints.
 *
 * @since 0.1.0
 * @category schemas
 */
export const GeneralNameFromDer: Schema.Schema<GeneralName, Uint8Array> = fromDer(
  GeneralNameFromSelf,
  Der.decode("GeneralName", (reader) => GeneralNames.read(reader)),
  GeneralNames.encode
)

// ---------------------------------------------------------------------------------------------------------------------
// Extensions
// ---------------------------------------------------------------------------------------------------------------------

const decodeExtension = Der.decode("Extension", CertificateExtensions.read)

const isRaw = (u: unknown): u is CertificateExtensions.Raw & { readonly _tag: unknown } => {
  if (typeof u !== "object" || u === null) return false
  const { critical, oid, value } = u as { readonly [field: string]: unknown }
  return (
    "_tag" in u &&
    typeof oid === "string" &&
    ObjectIdentifier.isObjectIdentifier(oid) &&
    typeof critical === "boolean" &&
    value instanceof Uint8Array
  )
}

/** Whether an extension reads back from its bytes as what it claims to be. */
const isExtension = (u: unknown): u is CertificateExtension =>
  isRaw(u) &&
  Either.match(decodeExtension(CertificateExtensions.encode(u)), {
    onLeft: () => false,
    onRight: ({ _tag }) => _tag === u._tag
  })

/**
 * An extension. Two are equivalent when their bytes are.
 *
 * @since 0.1.0
 * @category schemas
 */
export const CertificateExtensionFromSelf: Schema.Schema<CertificateExtension> = Schema.declare(isExtension, {
  identifier: "CertificateExtension",
  description: "an extension of a certificate",
  pretty:
    () =>
    ({ critical, oid, value }) =>
      `${ObjectIdentifier.name(oid)}${critical ? " (critical)" : ""} ${Bytes.toHex(value)}`,
  equivalence: () => (a, b) => Bytes.equals(CertificateExtensions.encode(a), CertificateExtensions.encode(b))
})

/**
 * An extension from and to its DER, the SEQUENCE of identifier, criticality and value.
 *
 * @since 0.1.0
 * @category schemas
 */
export const CertificateExtensionFromDer: Schema.Schema<CertificateExtension, Uint8Array> = fromDer(
  CertificateExtensionFromSelf,
  decodeExtension,
  CertificateExtensions.encode
)

// ---------------------------------------------------------------------------------------------------------------------
// Keys
// ---------------------------------------------------------------------------------------------------------------------

const isPublicKey = (u: unknown): u is PublicKey => {
  if (typeof u !== "object" || u === null || !("_tag" in u)) return false
  return (
    "spki" in u &&
    u.spki instanceof Uint8Array &&
    Either.match(PublicKeys.decode(u.spki), { onLeft: () => false, onRight: ({ _tag }) => _tag === u._tag })
  )
}

/**
 * A public key. Two are equivalent when they are the same key.
 *
 * @since 0.1.0
 * @category schemas
 */
export const PublicKeyFromSelf: Schema.Schema<PublicKey> = Schema.declare(isPublicKey, {
  identifier: "PublicKey",
  description: "a public key",
  pretty: () => PublicKeys.format,
  equivalence: () => PublicKeys.equals
})

/**
 * A public key from and to the DER of its SubjectPublicKeyInfo.
 *
 * @since 0.1.0
 * @category schemas
 */
export const PublicKeyFromDer: Schema.Schema<PublicKey, Uint8Array> = fromDer(
  PublicKeyFromSelf,
  PublicKeys.decode,
  PublicKeys.encode
)

/**
 * A public key from and to PEM (`PUBLIC KEY`).
 *
 * @since 0.1.0
 * @category schemas
 */
export const PublicKeyFromPem: Schema.Schema<PublicKey, string> = Schema.transformOrFail(
  Schema.String,
  PublicKeyFromSelf,
  {
    strict: true,
    // The text is left out of the issue: it may be a private key.
    decode: (text, _, ast) =>
      Either.mapLeft(PublicKeys.fromPem(text), (error) => new ParseResult.Type(ast, undefined, error.message)),
    encode: (key) => ParseResult.succeed(PublicKeys.toPem(key))
  }
)
