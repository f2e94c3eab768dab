/**
 * Small things one does with bytes. Not for secrets: `equals` stops at the first difference.
 *
 * @since 0.1.0
 */

/**
 * Whether two byte strings are the same.
 *
 * @since 0.1.0
 * @category predicates
 */
export const equals = (a: Uint8Array, b: Uint8Array): boolean => {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return false
  }
  return true
}

const hexDigits = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"))

/**
 * Lower-case hexadecimal.
 *
 * @since 0.1.0
 * @category conversions
 */
export const toHex = (bytes: Uint8Array): string => {
  let text = ""
  for (let i = 0; i < bytes.length; i++) text += hexDigits[bytes[i]!]
  return text
}

/**
 * One character per byte (ISO 8859-1): the quickest exact image of bytes as a string, for map keys.
 *
 * @since 0.1.0
 * @category conversions
 */
export const toLatin1 = (bytes: Uint8Array): string => {
  let text = ""
  // `apply` with everything at once would overflow the stack on a large input.
  for (let i = 0; i < bytes.length; i += 4096) {
    text += String.fromCharCode.apply(null, bytes.subarray(i, i + 4096) as unknown as Array<number>)
  }
  return text
}

/**
 * The bytes of several byte strings one after the other, in memory of their own.
 *
 * @since 0.1.0
 * @category combinators
 */
export const concat = (parts: Iterable<Uint8Array>): Uint8Array => {
  let length = 0
  for (const part of parts) length += part.length
  const bytes = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/**
 * The same where the result is only read: one byte string alone is given as it is.
 *
 * @since 0.1.0
 * @category combinators
 */
export const join = (parts: ReadonlyArray<Uint8Array>): Uint8Array => (parts.length === 1 ? parts[0]! : concat(parts))
