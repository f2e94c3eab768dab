/**
 * Names of issuers and subjects (X.501, RFC 5280 §4.1.2.4): read from DER, shown as RFC 4514 has it, and compared as
 * RFC 5280 §7.1 asks.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Equal from "effect/Equal"
import * as Hash from "effect/Hash"
import * as Bytes from "./Bytes.ts"
import * as Der from "./Der.ts"
import * as DerStrings from "./DerString.ts"
import * as ObjectIdentifier from "./ObjectIdentifier.ts"

/**
 * One attribute of a name. `value` is its text; an attribute that is not text has the hex of its DER there, after `#`,
 * as RFC 4514 §2.4 writes it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Attribute {
  readonly type: ObjectIdentifier.ObjectIdentifier
  readonly value: string
  /** The identifier octet of the value in DER. */
  readonly tag: number
}

// RFC 4514 §3 has CN, L, ST, O, OU, C, STREET, DC and UID; the others are what OpenSSL and Node print.
const shortNames: { readonly [N in ObjectIdentifier.KnownName]?: string } = {
  commonName: "CN",
  locality: "L",
  stateOrProvince: "ST",
  organization: "O",
  organizationalUnit: "OU",
  country: "C",
  street: "STREET",
  domainComponent: "DC",
  userId: "UID",
  surname: "SN",
  givenName: "GN",
  deviceSerialNumber: "serialNumber"
}

/**
 * The short name of an attribute type (`CN`), or what else we know it by, or its dotted text.
 *
 * @since 0.1.0
 * @category conversions
 */
export const attributeName = (type: ObjectIdentifier.ObjectIdentifier): string => {
  const known = ObjectIdentifier.knownName(type)
  return known === undefined ? type : (shortNames[known] ?? known)
}

const typesByName = new Map<string, ObjectIdentifier.ObjectIdentifier>(
  Object.entries(ObjectIdentifier.oids).flatMap(([name, oid]) =>
    [name, shortNames[name as ObjectIdentifier.KnownName]].flatMap((n) =>
      n === undefined ? [] : [[n.toLowerCase(), oid] as const]
    )
  )
)

/**
 * The type of an attribute from a name of it (`CN`, `commonName`, whatever its case) or from its dotted text.
 *
 * @since 0.1.0
 * @category conversions
 */
export const attributeType = (name: string): ObjectIdentifier.ObjectIdentifier | undefined =>
  typesByName.get(name.toLowerCase()) ?? (ObjectIdentifier.isObjectIdentifier(name) ? name : undefined)

/**
 * A text with what has a meaning in the string of a name escaped (RFC 4514 §2.4). Controls are left as they are.
 *
 * @since 0.1.0
 * @category conversions
 */
export const escapeText = (text: string): string => text.replace(/[",+;<>\\]/g, "\\$&").replace(/^[ #]| $/g, "\\$&")

const escapeValue = ({ tag, value }: Attribute): string =>
  DerStrings.isStringTag(tag)
    ? escapeText(value)
        // Controls would forge lines in a log; RFC 4514 §2.4 allows any character to be written as its bytes.
        .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
          Array.from(new TextEncoder().encode(character), (byte) => `\\${byte.toString(16).padStart(2, "0")}`).join("")
        )
    : value

/**
 * A name: a sequence of sets of attributes, nearly always of one each. Equal when RFC 5280 §7.1 has it equal: case,
 * kind of string and repeated spaces do not count.
 *
 * @since 0.1.0
 * @category models
 */
export class DistinguishedName implements Equal.Equal {
  readonly der: Uint8Array
  readonly rdns: ReadonlyArray<ReadonlyArray<Attribute>>
  #key: string | undefined

  constructor(der: Uint8Array, rdns: ReadonlyArray<ReadonlyArray<Attribute>>) {
    this.der = der
    this.rdns = rdns
  }

  get isEmpty(): boolean {
    return this.rdns.length === 0
  }

  /** All attributes, in the order of the encoding. */
  get attributes(): ReadonlyArray<Attribute> {
    return this.rdns.flat()
  }

  /** The values of one attribute, by its name or dotted text, in the order of the encoding. */
  values(name: string): ReadonlyArray<string> {
    const type = attributeType(name)
    return this.attributes.flatMap((attribute) => (attribute.type === type ? [attribute.value] : []))
  }

  /** The last, so most specific, common name. */
  get commonName(): string | undefined {
    return this.values("CN").at(-1)
  }

  /** A text that two names share exactly when they are equal. */
  get key(): string {
    return (this.#key ??= this.rdns.map(rdnKey).join("\u0001"))
  }

  /** Whether the DER of a name is this one's, to the byte. */
  equalsDer(der: Uint8Array): boolean {
    return Bytes.equals(this.der, der)
  }

  /** RFC 5280 §7.1. */
  equals(that: DistinguishedName): boolean {
    return Bytes.equals(this.der, that.der) || this.key === that.key
  }

  [Equal.symbol](that: unknown): boolean {
    return that instanceof DistinguishedName && this.equals(that)
  }

  [Hash.symbol](): number {
    return Hash.string(this.key)
  }

  /** RFC 4514: the most specific attribute first, `CN=www.example.com,O=Example`. */
  toString(): string {
    return [...this.rdns]
      .reverse()
      .map((rdn) => rdn.map((attribute) => `${attributeName(attribute.type)}=${escapeValue(attribute)}`).join("+"))
      .join(",")
  }

  toJSON(): string {
    return this.toString()
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString()
  }
}

/**
 * A text that two relative names share exactly when they are equal (RFC 5280 §7.1, by way of RFC 4518's preparation).
 *
 * @since 0.1.0
 * @category conversions
 */
export const rdnKey = (rdn: ReadonlyArray<Attribute>): string => {
  const parts = rdn.map(
    ({ tag, type, value }) => `${type}=${DerStrings.isStringTag(tag) ? prepare(value) : `${tag}:${value}`}`
  )
  return parts.length === 1 ? parts[0]! : parts.sort().join("\u0002")
}

// The separators of `key` are controls, which cannot survive here: no value can pose as two.
const prepare = (text: string): string =>
  text
    .normalize("NFKC")
    // There and back is what folding means to ß and ς (RFC 4518 §2.2), which have no small or large partner of their own.
    .toUpperCase()
    .toLowerCase()
    .replace(/[\u0000-\u0008\u000e-\u001f\u007f]/g, "\ufffd")
    .replace(/\s+/g, " ")
    .replace(/^ | $/g, "")

const readValue = (reader: Der.DerReader): DerStrings.DerString => {
  const tag = reader.peek()
  return DerStrings.isStringTag(tag) ? DerStrings.read(reader) : { tag, value: `#${Bytes.toHex(reader.element())}` }
}

const readAttribute = (reader: Der.DerReader): Attribute => {
  const inner = reader.sequence()
  const type = inner.oid()
  const { tag, value } = readValue(inner)
  inner.finish()
  return { type, value, tag }
}

/**
 * Reads a relative name: a SET OF attributes, at least one.
 *
 * @since 0.1.0
 * @category decoding
 */
export const readRdn = (reader: Der.DerReader, tag: number = Der.Tag.Set): ReadonlyArray<Attribute> =>
  reader.sequenceOf(readAttribute, 1, tag)

/**
 * Reads a name within a decoder.
 *
 * @since 0.1.0
 * @category decoding
 */
export const read = (reader: Der.DerReader): DistinguishedName => {
  const start = reader.position
  const rdns = reader.sequenceOf(readRdnSet)
  return new DistinguishedName(reader.bytes.subarray(start, reader.position), rdns)
}

const readRdnSet = (reader: Der.DerReader) => readRdn(reader)

/**
 * A name from its DER.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decode = Der.decode("Name", read)

const printable = /^[A-Za-z0-9 '()+,\-./:=?]*$/

// RFC 5280 appendix A fixes the string type of these; everything else is a UTF8String (§4.1.2.4).
const encodeValue = (type: ObjectIdentifier.ObjectIdentifier, value: string): Uint8Array => {
  switch (type) {
    case ObjectIdentifier.oids.country:
    case ObjectIdentifier.oids.deviceSerialNumber:
    case ObjectIdentifier.oids.dnQualifier:
    case ObjectIdentifier.oids.jurisdictionCountry:
      return printable.test(value) ? Der.ascii(value, Der.Tag.PrintableString) : Der.utf8String(value)
    case ObjectIdentifier.oids.emailAddress:
    case ObjectIdentifier.oids.domainComponent:
      return /^[\x00-\x7f]*$/.test(value) ? Der.ascii(value) : Der.utf8String(value)
    default:
      return Der.utf8String(value)
  }
}

/**
 * A name of the given attributes, the most general first (`C`, `O`, `CN`).
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromAttributes = (
  attributes: Iterable<readonly [type: ObjectIdentifier.ObjectIdentifier, value: string]>
): DistinguishedName => {
  const rdns: Array<ReadonlyArray<Attribute>> = []
  const sets: Array<Uint8Array> = []
  for (const [type, value] of attributes) {
    const encoded = encodeValue(type, value)
    rdns.push([{ type, value, tag: encoded[0]! }])
    sets.push(Der.setOf(Der.sequence(Der.oid(type), encoded)))
  }
  return new DistinguishedName(Der.sequence(...sets), rdns)
}

/**
 * A name with one more relative name at its end; `der` is the SET of that.
 *
 * @since 0.1.0
 * @category combinators
 */
export const append = (name: DistinguishedName, rdn: ReadonlyArray<Attribute>, der: Uint8Array): DistinguishedName => {
  const sets = Either.getOrThrow(contents(name.der))
  return new DistinguishedName(Der.sequence(sets, der), [...name.rdns, rdn])
}

const contents = Der.decode("Name", (reader) => reader.content(Der.Tag.Sequence))

/**
 * The name without attributes.
 *
 * @since 0.1.0
 * @category constants
 */
export const empty: DistinguishedName = fromAttributes([])
