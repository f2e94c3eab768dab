/**
 * ECDSA signatures in their two forms: the DER `ECDSA-Sig-Value` (RFC 3279 §2.2.3) of certificates and TLS, and the two
 * numbers one after the other (IEEE P1363) that Web Cryptography and most hardware give.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type { EcCurve } from "./Algorithms.ts"
import { DecodeError } from "./ByteReader.ts"
import * as Bytes from "./Bytes.ts"
import * as Der from "./Der.ts"
import { coordinateLength } from "./EcPoint.ts"

/** A magnitude at the width of its curve's numbers. */
const widened = (magnitude: Uint8Array, width: number): Uint8Array => {
  const number = new Uint8Array(width)
  number.set(magnitude, width - magnitude.length)
  return number
}

/**
 * The two numbers of a DER signature, each as long as the curve's coordinates. Strict: DER, and nothing behind it.
 * Whether the numbers are in the range that a signature's are is left to whoever verifies it.
 *
 * @since 0.1.0
 * @category conversions
 */
export const toRaw = (curve: EcCurve, der: Uint8Array): Either.Either<Uint8Array, DecodeError> => {
  const width = coordinateLength[curve]
  const number = (reader: Der.DerReader): Uint8Array => {
    const magnitude = reader.unsignedBytes()
    if (magnitude.length > width)
      reader.fail(`a number of ${magnitude.length} bytes, a signature on ${curve} has ${width}`)
    return widened(magnitude, width)
  }
  return Der.decode("ECDSA-Sig-Value", (reader) =>
    reader.within(Der.Tag.Sequence, (inner) => Bytes.concat([number(inner), number(inner)]))
  )(der)
}

/**
 * The DER of a signature that comes as two numbers one after the other, each as long as the curve's coordinates.
 *
 * @since 0.1.0
 * @category conversions
 */
export const fromRaw = (curve: EcCurve, raw: Uint8Array): Either.Either<Uint8Array, DecodeError> => {
  const width = coordinateLength[curve]
  return raw.length === 2 * width
    ? Either.right(Der.sequence(Der.integer(raw.subarray(0, width)), Der.integer(raw.subarray(width))))
    : Either.left(
        new DecodeError({
          what: "ECDSA signature",
          at: 0,
          problem: `${raw.length} byte(s), two numbers of ${curve} have ${2 * width}`
        })
      )
}
