/**
 * Signed certificate timestamps: what logs of Certificate Transparency promise about a certificate (RFC 6962 §3.2), as
 * certificates, OCSP responses and handshakes carry them.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type { ByteReader, DecodeError } from "./ByteReader.ts"
import * as ByteReaders from "./ByteReader.ts"
import { ByteWriter } from "./ByteWriter.ts"

/**
 * `Sct` is one of version 1. `timestamp` is in milliseconds since 1970; `algorithm` the hash and the signature of
 * RFC 5246 §7.4.1.4.1 in one number, which for what is in use is also a SignatureScheme. `Other` is one of another
 * version, or not as version 1 has it: whom to believe is not decided here, so it stays what it is.
 *
 * @since 0.1.0
 * @category models
 */
export type SignedCertificateTimestamp =
  | {
      readonly _tag: "Sct"
      readonly logId: Uint8Array
      readonly timestamp: number
      readonly extensions: Uint8Array
      readonly algorithm: number
      readonly signature: Uint8Array
    }
  | { readonly _tag: "Other"; readonly bytes: Uint8Array }

const readSct = (reader: ByteReader): SignedCertificateTimestamp => {
  if (reader.uint8() !== 0) reader.fail("another version")
  const logId = reader.take(32)
  const high = reader.uint32()
  const timestamp = high * 0x1_0000_0000 + reader.uint32()
  // Hundreds of thousands of years from now, a number of JavaScript would not have every millisecond.
  if (high > 0x1f_ffff) reader.fail("a time that is too large")
  const extensions = reader.vector16().rest()
  const algorithm = reader.uint16()
  const signature = reader.vector16().rest()
  return { _tag: "Sct", logId, timestamp, extensions, algorithm, signature }
}

const decodeSct = ByteReaders.decode("SignedCertificateTimestamp", readSct)

/**
 * A SignedCertificateTimestampList (RFC 6962 §3.3): at least one.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decodeList: (bytes: Uint8Array) => Either.Either<ReadonlyArray<SignedCertificateTimestamp>, DecodeError> =
  ByteReaders.decode("SignedCertificateTimestampList", (reader) => {
    const list = reader.vector16(1)
    const timestamps = list.many((item) => {
      const bytes = item.vector16(1).rest()
      return Either.getOrElse(decodeSct(bytes), (): SignedCertificateTimestamp => ({ _tag: "Other", bytes }))
    })
    return timestamps
  })

/**
 * The bytes of a SignedCertificateTimestampList.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodeList = (timestamps: Iterable<SignedCertificateTimestamp>): Uint8Array =>
  new ByteWriter()
    .vector16((list) => {
      for (const sct of timestamps) {
        list.vector16((item) => {
          if (sct._tag === "Other") return void item.raw(sct.bytes)
          item
            .uint8(0)
            .raw(sct.logId)
            .uint32(Math.floor(sct.timestamp / 0x1_0000_0000))
            .uint32(sct.timestamp % 0x1_0000_0000)
            .vector16((extensions) => extensions.raw(sct.extensions))
            .uint16(sct.algorithm)
            .vector16((signature) => signature.raw(sct.signature))
        })
      }
    })
    .finish()
