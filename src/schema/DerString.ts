/**
 * Character strings of ASN.1 (ITU-T X.690 §8.23) as text: names and policy notices are made of them.
 *
 * @since 0.1.0
 */
import * as Bytes from "./Bytes.ts"
import * as Der from "./Der.ts"

/**
 * A text, and the identifier octet of the string type it is written in.
 *
 * @since 0.1.0
 * @category models
 */
export interface DerString {
  readonly tag: number
  readonly value: string
}

const tags: ReadonlySet<number> = new Set<number>([
  Der.Tag.Utf8String,
  Der.Tag.PrintableString,
  Der.Tag.TeletexString,
  Der.Tag.Ia5String,
  Der.Tag.VisibleString,
  Der.Tag.NumericString,
  Der.Tag.BmpString,
  Der.Tag.UniversalString
])

/**
 * Whether an identifier octet is that of a string type we read.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isStringTag = (tag: number): boolean => tags.has(tag)

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const isAscii = (bytes: Uint8Array): boolean => {
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i]! >= 0x80) return false
  }
  return true
}

const isSurrogate = (point: number): boolean => point >= 0xd800 && point <= 0xdfff

/**
 * Reads a string of any type within a decoder; whatever is no string is an error.
 *
 * @since 0.1.0
 * @category decoding
 */
export const read = (reader: Der.DerReader): DerString => {
  const tag = reader.peek()
  switch (tag) {
    case Der.Tag.PrintableString:
    case Der.Tag.Utf8String: {
      const bytes = reader.content(tag)
      if (isAscii(bytes)) return { tag, value: Bytes.toLatin1(bytes) }
      // Some CAs put UTF-8 or Latin-1 in a PrintableString; the name is theirs, we only have to show it.
      if (tag === Der.Tag.PrintableString) return { tag, value: Bytes.toLatin1(bytes) }
      try {
        return { tag, value: strictUtf8.decode(bytes) }
      } catch {
        return reader.fail("a UTF8String that is not UTF-8")
      }
    }
    case Der.Tag.TeletexString:
    case Der.Tag.Ia5String:
    case Der.Tag.VisibleString:
    case Der.Tag.NumericString:
      return { tag, value: Bytes.toLatin1(reader.content(tag)) }
    case Der.Tag.BmpString: {
      const bytes = reader.content(tag)
      if (bytes.length % 2 !== 0) reader.fail("a BMPString of an odd number of bytes")
      let value = ""
      for (let i = 0; i < bytes.length; i += 2) value += String.fromCharCode(bytes[i]! * 256 + bytes[i + 1]!)
      return { tag, value }
    }
    case Der.Tag.UniversalString: {
      const bytes = reader.content(tag)
      if (bytes.length % 4 !== 0) reader.fail("a UniversalString of bytes that are not fours")
      let value = ""
      for (let i = 0; i < bytes.length; i += 4) {
        const point = ((bytes[i]! * 256 + bytes[i + 1]!) * 256 + bytes[i + 2]!) * 256 + bytes[i + 3]!
        // Two halves of a pair would become one character, and two names one text.
        if (point > 0x10ffff || isSurrogate(point)) reader.fail("a UniversalString with something that is no character")
        value += String.fromCodePoint(point)
      }
      return { tag, value }
    }
    default:
      return reader.fail("a character string expected")
  }
}

/**
 * The DER of a string: what `read` takes. The caller checked that its type has those characters.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encode = ({ tag, value }: DerString): Uint8Array => {
  switch (tag) {
    case Der.Tag.Utf8String:
      return Der.utf8String(value)
    case Der.Tag.BmpString:
      return Der.value(
        tag,
        Uint8Array.from({ length: 2 * value.length }, (_, i) =>
          i % 2 === 0 ? value.charCodeAt(i / 2) >>> 8 : value.charCodeAt((i - 1) / 2) & 0xff
        )
      )
    case Der.Tag.UniversalString:
      return Der.value(
        tag,
        Uint8Array.from(
          Array.from(value, (character) => character.codePointAt(0)!).flatMap((point) => [
            0,
            point >>> 16,
            (point >>> 8) & 0xff,
            point & 0xff
          ])
        )
      )
    default:
      return Der.value(
        tag,
        Uint8Array.from({ length: value.length }, (_, i) => value.charCodeAt(i))
      )
  }
}
