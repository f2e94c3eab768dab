/**
 * What a DER file is that has no label to say so, from how it begins: for messages to whoever gave the wrong one.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Der from "./Der.ts"

const kinds: ReadonlyArray<readonly [kind: string, tags: ReadonlyArray<number>]> = [
  ["a PKCS#8 private key", [Der.Tag.Integer, Der.Tag.Sequence, Der.Tag.OctetString]],
  ["an RSA private key", [Der.Tag.Integer, Der.Tag.Integer, Der.Tag.Integer]],
  ["an EC private key", [Der.Tag.Integer, Der.Tag.OctetString]],
  ["a PKCS#12 bundle", [Der.Tag.Integer, Der.Tag.Sequence]],
  ["an RSA public key", [Der.Tag.Integer, Der.Tag.Integer]],
  ["a PKCS#7 bundle", [Der.Tag.ObjectIdentifier, 0xa0]],
  ["an encrypted private key", [Der.Tag.Sequence, Der.Tag.OctetString]],
  ["a public key", [Der.Tag.Sequence, Der.Tag.BitString]]
]

// What is signed: of three parts, of which the first tells what it is.
const signed: ReadonlyArray<readonly [kind: string, tags: ReadonlyArray<number>]> = [
  ["a certificate request", [Der.Tag.Integer, Der.Tag.Sequence, Der.Tag.Sequence, 0xa0]],
  ["a certificate revocation list", [Der.Tag.Integer, Der.Tag.Sequence, Der.Tag.Sequence, Der.Tag.UtcTime]],
  ["a certificate revocation list", [Der.Tag.Integer, Der.Tag.Sequence, Der.Tag.Sequence, Der.Tag.GeneralizedTime]]
]

const readTags = (reader: Der.DerReader): ReadonlyArray<number> => {
  const tags: Array<number> = []
  // Nothing we tell apart needs more.
  while (!reader.isEmpty && tags.length < 4) {
    tags.push(reader.peek())
    reader.element()
  }
  return tags
}

const kindIn = (table: typeof kinds, found: ReadonlyArray<number>): string | undefined =>
  table.find(([, tags]) => tags.every((tag, i) => found[i] === tag))?.[0]

const read = Der.decode("DER", (reader) => {
  const inner = reader.sequence()
  const start = inner.position
  const kind = kindIn(kinds, readTags(inner))
  if (kind !== undefined) return kind
  inner.position = start
  return inner.peek() === Der.Tag.Sequence ? kindIn(signed, readTags(inner.sequence())) : undefined
})

/**
 * What a DER value is, with its article, as `a PKCS#12 bundle`; nothing of what has the form of a certificate, or of
 * what we do not know.
 *
 * @since 0.1.0
 * @category conversions
 */
export const kindOf = (bytes: Uint8Array): string | undefined => Either.getOrUndefined(read(bytes))
