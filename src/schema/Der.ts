/**
 * DER (ITU-T X.690): the one encoding of ASN.1 that certificates and keys have. Strict: definite and minimal lengths,
 * minimal integers, nothing left over; what BER would allow beyond that is refused. Nesting is bounded.
 *
 * As with `ByteReader`, errors are thrown inside a decoder and leave it only as the `Either` of `decode`.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Bytes from "./Bytes.ts"
import { ByteReader, DecodeError } from "./ByteReader.ts"
import * as ObjectIdentifier from "./ObjectIdentifier.ts"

/**
 * Identifier octets of the universal types used by certificates and keys.
 *
 * @since 0.1.0
 * @category constants
 */
export const Tag = {
  Boolean: 0x01,
  Integer: 0x02,
  BitString: 0x03,
  OctetString: 0x04,
  Null: 0x05,
  ObjectIdentifier: 0x06,
  Enumerated: 0x0a,
  Utf8String: 0x0c,
  Sequence: 0x30,
  Set: 0x31,
  NumericString: 0x12,
  PrintableString: 0x13,
  TeletexString: 0x14,
  Ia5String: 0x16,
  UtcTime: 0x17,
  GeneralizedTime: 0x18,
  VisibleString: 0x1a,
  UniversalString: 0x1c,
  BmpString: 0x1e
} as const

/**
 * The identifier octet of a context-specific primitive, `[n] IMPLICIT` of a primitive type.
 *
 * @since 0.1.0
 * @category constants
 */
export const context = (number: number): number => 0x80 | number

/**
 * The identifier octet of a context-specific constructed, `[n] EXPLICIT` or `[n] IMPLICIT` of a constructed type.
 *
 * @since 0.1.0
 * @category constants
 */
export const contextConstructed = (number: number): number => 0xa0 | number

/**
 * How deep constructed values may nest. A certificate needs 12 or so; a PKCS#12 bundle about twice that.
 *
 * @since 0.1.0
 * @category constants
 */
export const maxDepth = 32

/**
 * Bits of a BIT STRING: `unused` of the last byte's are not part of it.
 *
 * @since 0.1.0
 * @category models
 */
export interface BitString {
  readonly unused: number
  readonly bytes: Uint8Array
}

/**
 * A cursor over the content of a constructed DER value. Reads are views of the input.
 *
 * @since 0.1.0
 * @category models
 */
export class DerReader extends ByteReader {
  readonly depth: number

  constructor(bytes: Uint8Array, what: string, start = 0, end = bytes.length, depth = 0) {
    super(bytes, what, start, end)
    this.depth = depth
  }

  /** Whether everything was read. */
  get isEmpty(): boolean {
    return this.position >= this.end
  }

  /** The identifier octet of what comes next, -1 at the end. */
  peek(): number {
    return this.position < this.end ? this.bytes[this.position]! : -1
  }

  /** Reads identifier and length; the position is then at the content, whose end is returned. */
  #header(tag: number): number {
    const start = this.position
    if (start >= this.end) this.fail(`${tagName(tag)} expected, nothing left`)
    const found = this.bytes[start]!
    if (found !== tag) this.fail(`${tagName(tag)} expected, ${tagName(found)} found`)
    return this.#length(start)
  }

  #length(start: number): number {
    if ((this.bytes[start]! & 0x1f) === 0x1f) this.fail("a tag number above 30")
    let at = start + 1
    if (at >= this.end) this.fail("a value without a length")
    let length = this.bytes[at++]!
    if (length >= 0x80) {
      const octets = length & 0x7f
      if (octets === 0) this.fail("an indefinite length")
      // Four bytes of length would be more than any input we take.
      if (octets > 4) this.fail(`a length of ${octets} bytes`)
      if (octets > this.end - at) this.fail("a length that is cut off")
      length = 0
      for (let i = 0; i < octets; i++) length = length * 256 + this.bytes[at++]!
      if (length < 0x80 || length < 2 ** (8 * (octets - 1))) this.fail("a length that is not minimal")
    }
    if (length > this.end - at) this.fail(`${length} byte(s) of content expected, ${this.end - at} left`)
    this.position = at
    return at + length
  }

  /** Whatever comes next, as a view of the whole of it: identifier, length, content. */
  element(): Uint8Array {
    const start = this.position
    if (start >= this.end) this.fail("a value expected, nothing left")
    const end = this.#length(start)
    this.position = end
    return this.bytes.subarray(start, end)
  }

  /** The content of a value with this tag, as a view. */
  content(tag: number): Uint8Array {
    const end = this.#header(tag)
    const start = this.position
    this.position = end
    return this.bytes.subarray(start, end)
  }

  /** A reader over the content of a constructed value with this tag. */
  enter(tag: number, what = this.what): DerReader {
    if (this.depth >= maxDepth) this.fail(`values nested more than ${maxDepth} deep`)
    const end = this.#header(tag)
    const inner = new DerReader(this.bytes, what, this.position, end, this.depth + 1)
    this.position = end
    return inner
  }

  /** Decodes the content of a constructed value with this tag, all of it. */
  within<A>(tag: number, decoder: (inner: DerReader) => A, what = this.what): A {
    const inner = this.enter(tag, what)
    const value = decoder(inner)
    inner.finish()
    return value
  }

  /** As `within`, when such a value comes next. */
  optional<A>(tag: number, decoder: (inner: DerReader) => A, what = this.what): A | undefined {
    return this.peek() === tag ? this.within(tag, decoder, what) : undefined
  }

  sequence(what = this.what): DerReader {
    return this.enter(Tag.Sequence, what)
  }

  /** A SEQUENCE OF (or, with its tag, any other list) with at least `min` items. */
  sequenceOf<A>(item: (inner: DerReader) => A, min = 0, tag: number = Tag.Sequence, what = this.what): Array<A> {
    const inner = this.enter(tag, what)
    const items: Array<A> = []
    while (inner.position < inner.end) items.push(item(inner))
    if (items.length < min) this.fail(`at least ${min} item(s) expected, ${items.length} found`)
    return items
  }

  boolean(tag: number = Tag.Boolean): boolean {
    const end = this.#header(tag)
    if (end - this.position !== 1) this.fail("a BOOLEAN that is not one byte")
    const value = this.bytes[this.position]!
    if (value !== 0 && value !== 0xff) this.fail("a BOOLEAN that is neither 00 nor ff")
    this.position = end
    return value === 0xff
  }

  /** The two's complement of an INTEGER, as a view. */
  integerBytes(tag: number = Tag.Integer): Uint8Array {
    const end = this.#header(tag)
    const start = this.position
    if (start === end) this.fail("an INTEGER of no bytes")
    const first = this.bytes[start]!
    if (
      end - start > 1 &&
      ((first === 0 && this.bytes[start + 1]! < 0x80) || (first === 0xff && this.bytes[start + 1]! >= 0x80))
    ) {
      this.fail("an INTEGER that is not minimal")
    }
    this.position = end
    return this.bytes.subarray(start, end)
  }

  /** The magnitude of an INTEGER that is not negative, without a leading zero byte (so zero is no bytes at all). */
  unsignedBytes(tag: number = Tag.Integer): Uint8Array {
    const bytes = this.integerBytes(tag)
    if (bytes[0]! >= 0x80) this.fail("a negative INTEGER")
    return bytes[0] === 0 ? bytes.subarray(1) : bytes
  }

  /** An INTEGER from 0 to 2^48-1. */
  unsigned(tag: number = Tag.Integer): number {
    const bytes = this.unsignedBytes(tag)
    if (bytes.length > 6) this.fail("an INTEGER that is too large")
    let value = 0
    for (const byte of bytes) value = value * 256 + byte
    return value
  }

  bitString(tag: number = Tag.BitString): BitString {
    const content = this.content(tag)
    if (content.length === 0) this.fail("a BIT STRING without its count of unused bits")
    const unused = content[0]!
    const last = content[content.length - 1]!
    if (unused > 7 || (unused > 0 && content.length === 1)) this.fail("a BIT STRING with a wrong count of unused bits")
    if (unused > 0 && (last & ((1 << unused) - 1)) !== 0) this.fail("a BIT STRING whose unused bits are not zero")
    return { unused, bytes: content.subarray(1) }
  }

  /** A BIT STRING of whole bytes, as keys and signatures are. */
  bitStringBytes(tag: number = Tag.BitString): Uint8Array {
    const { bytes, unused } = this.bitString(tag)
    if (unused > 0) this.fail("a BIT STRING that is not whole bytes")
    return bytes
  }

  octetString(tag: number = Tag.OctetString): Uint8Array {
    return this.content(tag)
  }

  null(): void {
    if (this.content(Tag.Null).length > 0) this.fail("a NULL with content")
  }

  oid(tag: number = Tag.ObjectIdentifier): ObjectIdentifier.ObjectIdentifier {
    const end = this.#header(tag)
    const oid = ObjectIdentifier.fromBytes(this.bytes, this.position, end)
    if (typeof oid !== "string") this.fail(oid.problem)
    this.position = end
    return oid
  }

  /** The text of an IA5String, so ASCII, or of another string type that is a subset of it. */
  ascii(tag: number = Tag.Ia5String): string {
    const end = this.#header(tag)
    const start = this.position
    for (let i = start; i < end; i++) {
      if (this.bytes[i]! >= 0x80) this.fail("a character that is not ASCII", i)
    }
    this.position = end
    return Bytes.toLatin1(this.bytes.subarray(start, end))
  }

  /**
   * A time of a certificate or CRL, in milliseconds since 1970 (RFC 5280 §4.1.2.5): UTCTime to the year 2049,
   * GeneralizedTime from then on, both with seconds and `Z`. `anyForm` lets a GeneralizedTime be earlier.
   */
  time(form: "strict" | "anyForm" = "strict"): number {
    const tag = this.peek()
    if (tag !== Tag.UtcTime && tag !== Tag.GeneralizedTime) this.fail(`a time expected, ${tagName(tag)} found`)
    const at = this.position
    const text = Bytes.toLatin1(this.content(tag))
    const match = (tag === Tag.UtcTime ? utcTime : generalizedTime).exec(text)
    if (match === null) this.fail("a time that is not written as years to seconds and Z", at)
    const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as Six
    const fullYear = tag === Tag.GeneralizedTime ? year : year < 50 ? 2000 + year : 1900 + year
    if (tag === Tag.GeneralizedTime && (form === "strict" ? fullYear < 2050 : fullYear < 1950)) {
      this.fail(`a GeneralizedTime in ${fullYear}, which UTCTime is for`, at)
    }
    const time = Date.UTC(fullYear, month - 1, day, hour, minute, second)
    const date = new Date(time)
    if (month !== date.getUTCMonth() + 1 || day !== date.getUTCDate() || hour > 23 || minute > 59 || second > 59) {
      this.fail("a time that does not exist", at)
    }
    return time
  }
}

type Six = [number, number, number, number, number, number]
const utcTime = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/
const generalizedTime = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/

const tagNames = new Map<number, string>(Object.entries(Tag).map(([name, tag]) => [tag, name]))

const tagName = (tag: number): string =>
  tagNames.get(tag) ??
  ((tag & 0xc0) === 0x80 ? `[${tag & 0x1f}]` : `a value of tag 0x${tag.toString(16).padStart(2, "0")}`)

/**
 * Runs a decoder over the whole of `bytes`: it must consume them exactly.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decode =
  <A>(what: string, decoder: (reader: DerReader) => A) =>
  (bytes: Uint8Array): Either.Either<A, DecodeError> => {
    const reader = new DerReader(bytes, what)
    try {
      const value = decoder(reader)
      reader.finish()
      return Either.right(value)
    } catch (error) {
      if (error instanceof DecodeError) return Either.left(error)
      throw error
    }
  }

/**
 * Decodes, within a decoder, bytes that are an encoding of their own (the content of an OCTET STRING): errors keep
 * the position in the whole input when `bytes` is a view of it.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decodeNested = <A>(
  outer: DerReader,
  bytes: Uint8Array,
  what: string,
  decoder: (reader: DerReader) => A
): A => {
  const start = bytes.byteOffset - outer.bytes.byteOffset
  const reader = new DerReader(outer.bytes, what, start, start + bytes.length, outer.depth + 1)
  const value = decoder(reader)
  reader.finish()
  return value
}

/**
 * The names of the bits that are set, of those the list has.
 *
 * @since 0.1.0
 * @category decoding
 */
export const namedBits = <N>({ bytes }: BitString, bitNames: ReadonlyArray<N>): ReadonlyArray<N> =>
  bitNames.filter((_, bit) => ((bytes[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0)

// ---------------------------------------------------------------------------------------------------------------------
// Writing
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Any value: identifier octet, length, and the given contents one after the other.
 *
 * @since 0.1.0
 * @category encoding
 */
export const value = (tag: number, ...contents: ReadonlyArray<Uint8Array>): Uint8Array => {
  let length = 0
  for (const content of contents) length += content.length
  const octets = length < 0x80 ? 0 : length < 0x100 ? 1 : length < 0x10000 ? 2 : length < 0x1000000 ? 3 : 4
  const bytes = new Uint8Array(2 + octets + length)
  bytes[0] = tag
  bytes[1] = octets === 0 ? length : 0x80 | octets
  for (let i = 0; i < octets; i++) bytes[2 + i] = length >>> (8 * (octets - 1 - i))
  let at = 2 + octets
  for (const content of contents) {
    bytes.set(content, at)
    at += content.length
  }
  return bytes
}

/**
 * @since 0.1.0
 * @category encoding
 */
export const sequence = (...items: ReadonlyArray<Uint8Array>): Uint8Array => value(Tag.Sequence, ...items)

const compare = (a: Uint8Array, b: Uint8Array): number => {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    if (a[i] !== b[i]) return a[i]! - b[i]!
  }
  return a.length - b.length
}

/**
 * Whether encodings are in the order that DER wants of a SET OF (X.690 §11.6).
 *
 * @since 0.1.0
 * @category predicates
 */
export const isSorted = (items: ReadonlyArray<Uint8Array>): boolean =>
  items.every((item, i) => i === 0 || compare(items[i - 1]!, item) <= 0)

/**
 * A SET OF: DER wants the items in the order of their encodings (X.690 §11.6).
 *
 * @since 0.1.0
 * @category encoding
 */
export const setOf = (...items: ReadonlyArray<Uint8Array>): Uint8Array => value(Tag.Set, ...[...items].sort(compare))

/**
 * @since 0.1.0
 * @category encoding
 */
export const boolean = (flag: boolean): Uint8Array => value(Tag.Boolean, Uint8Array.of(flag ? 0xff : 0))

/**
 * An INTEGER that is not negative, from a number or from its magnitude, big endian.
 *
 * @since 0.1.0
 * @category encoding
 */
export const integer = (magnitude: number | Uint8Array, tag: number = Tag.Integer): Uint8Array => {
  let bytes = magnitude
  if (typeof bytes === "number") {
    const digits: Array<number> = []
    for (let rest = bytes; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256)
    bytes = Uint8Array.from(digits)
  }
  let start = 0
  while (start < bytes.length && bytes[start] === 0) start++
  const trimmed = bytes.subarray(start)
  return trimmed.length === 0 || trimmed[0]! >= 0x80 ? value(tag, Uint8Array.of(0), trimmed) : value(tag, trimmed)
}

/**
 * @since 0.1.0
 * @category encoding
 */
export const bitString = (bytes: Uint8Array, unused = 0): Uint8Array =>
  value(Tag.BitString, Uint8Array.of(unused), bytes)

/**
 * A BIT STRING whose bits have names; DER has it end with the last one that is set (X.690 §11.2.2).
 *
 * @since 0.1.0
 * @category encoding
 */
export const namedBitString = <N>(set: Iterable<N>, bitNames: ReadonlyArray<N>, tag: number = Tag.BitString) => {
  const bits = Array.from(set, (name) => bitNames.indexOf(name))
  const last = Math.max(-1, ...bits)
  const bytes = new Uint8Array((last >> 3) + 1)
  for (const bit of bits) bytes[bit >> 3]! |= 0x80 >> (bit & 7)
  return value(tag, Uint8Array.of(last < 0 ? 0 : 7 - (last & 7)), bytes)
}

/**
 * @since 0.1.0
 * @category encoding
 */
export const octetString = (...contents: ReadonlyArray<Uint8Array>): Uint8Array => value(Tag.OctetString, ...contents)

const nullBytes = Uint8Array.of(Tag.Null, 0)

/**
 * @since 0.1.0
 * @category encoding
 */
export const nullValue = (): Uint8Array => nullBytes

/**
 * @since 0.1.0
 * @category encoding
 */
export const oid = (identifier: ObjectIdentifier.ObjectIdentifier): Uint8Array =>
  value(Tag.ObjectIdentifier, ObjectIdentifier.toBytes(identifier))

/**
 * @since 0.1.0
 * @category encoding
 */
export const utf8String = (text: string): Uint8Array => value(Tag.Utf8String, new TextEncoder().encode(text))

/**
 * An IA5String, or with its tag another string type that is a subset of ASCII. The caller checked the text.
 *
 * @since 0.1.0
 * @category encoding
 */
export const ascii = (text: string, tag: number = Tag.Ia5String): Uint8Array =>
  value(tag, new TextEncoder().encode(text))

/**
 * A time of a certificate or CRL, in the form its year asks for (RFC 5280 §4.1.2.5). Fractions of a second are dropped.
 *
 * @since 0.1.0
 * @category encoding
 */
export const time = (milliseconds: number): Uint8Array => {
  const date = new Date(milliseconds)
  const year = date.getUTCFullYear()
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, "")
  return year >= 1950 && year < 2050 ? ascii(digits.slice(2), Tag.UtcTime) : ascii(digits, Tag.GeneralizedTime)
}
