/**
 * BER as some programs write bundles (NSS, BouncyCastle, macOS of old): lengths that are indefinite or not minimal,
 * strings in pieces (X.690 §8.1.3.6, §8.7). Certificates and keys are DER, and their decoders do not come here.
 *
 * @since 0.1.0
 */
import type * as Either from "effect/Either"
import type { DecodeError } from "./ByteReader.ts"
import { ByteReader, decode } from "./ByteReader.ts"
import * as Bytes from "./Bytes.ts"
import * as Der from "./Der.ts"

const constructed = 0x20
const constructedOctetString = Der.Tag.OctetString | constructed
const endOfContents = 0x00

/** The content of one value after the other, until the end of the reader or, where the length is open, of contents. */
const readItems = (reader: ByteReader, isOpen: boolean, depth: number): Array<Uint8Array> => {
  const items: Array<Uint8Array> = []
  while (reader.remaining > 0) {
    if (isOpen && reader.bytes[reader.position] === endOfContents) {
      if (reader.uint16() !== 0) reader.fail("an end of contents with a length")
      return items
    }
    items.push(readValue(reader, depth))
  }
  if (isOpen) reader.fail("an indefinite length without its end")
  return items
}

const readValue = (reader: ByteReader, depth: number): Uint8Array => {
  if (depth > Der.maxDepth) reader.fail(`values nested more than ${Der.maxDepth} deep`)
  const tag = reader.uint8()
  if ((tag & 0x1f) === 0x1f) reader.fail("a tag number above 30")
  const first = reader.uint8()
  const isConstructed = (tag & constructed) !== 0
  if (first === 0x80) {
    if (!isConstructed) reader.fail("a value of one piece with an indefinite length")
    return join(reader, tag, readItems(reader, true, depth + 1))
  }
  let length = first
  if (first > 0x80) {
    length = 0
    const octets = first & 0x7f
    // X.690 §8.1.3.5 lets zeros stand in front; eight bytes are more than enough of them.
    if (octets > 8) reader.fail(`a length of ${octets} bytes`)
    for (let i = 0; i < octets; i++) length = length * 256 + reader.uint8()
  }
  if (!isConstructed) return Der.value(tag, reader.take(length))
  const start = reader.position
  reader.take(length)
  return join(
    reader,
    tag,
    readItems(new ByteReader(reader.bytes, reader.what, start, start + length), false, depth + 1)
  )
}

/** The pieces of an OCTET STRING are OCTET STRINGs, by now each of one piece. */
const join = (reader: ByteReader, tag: number, items: ReadonlyArray<Uint8Array>): Uint8Array =>
  tag === constructedOctetString
    ? Der.octetString(Bytes.concat(items.map((item) => new Der.DerReader(item, reader.what).octetString())))
    : Der.value(tag, Bytes.concat(items))

/**
 * The same value with definite, minimal lengths and octet strings of one piece. What is DER stays what it is. Nesting is
 * bounded, and the work with it: a byte is copied twice per level.
 *
 * @since 0.1.0
 * @category decoding
 */
export const toDer = (what: string): ((bytes: Uint8Array) => Either.Either<Uint8Array, DecodeError>) =>
  decode(what, (reader) => readValue(reader, 0))
