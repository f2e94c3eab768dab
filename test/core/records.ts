/** Records made and opened by node:crypto from the words of RFC 9846 §5.2 and §5.3: what ours are held against. */
import { createCipheriv, createDecipheriv } from "node:crypto"
import type { CryptoProviderService } from "../../src/core/CryptoProvider.ts"
import type { TrafficKeys } from "../../src/core/KeySchedule.ts"
import { RecordProtection } from "../../src/core/RecordProtection.ts"
import * as NobleCrypto from "../../src/layers/NobleCrypto.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import type { AeadAlgorithm } from "../../src/schema/Algorithms.ts"
import { aeadLengths } from "../../src/schema/Algorithms.ts"
import { changeCipherSpec as ccs } from "../../src/schema/ContentType.ts"

export { alert, applicationData, changeCipherSpec, handshake } from "../../src/schema/ContentType.ts"

export const node = NodeCrypto.make()

export const providers: ReadonlyArray<readonly [string, CryptoProviderService]> = [
  ["node", node],
  ["noble", NobleCrypto.make()]
]

export const aeads = Object.keys(aeadLengths) as ReadonlyArray<AeadAlgorithm>

const names = {
  "AES-128-GCM": "aes-128-gcm",
  "AES-256-GCM": "aes-256-gcm",
  "CHACHA20-POLY1305": "chacha20-poly1305",
  "AES-128-CCM": "aes-128-ccm",
  "AES-128-CCM-8": "aes-128-ccm"
} as const

/** Keys by their number. */
export const keys = (aead: AeadAlgorithm = "AES-128-GCM", number = 1): TrafficKeys => ({
  aead,
  key: new Uint8Array(aeadLengths[aead].key).fill(number),
  iv: Uint8Array.from({ length: 12 }, (_, i) => 0xf0 + i + number)
})

export const protection = (own: TrafficKeys = keys(), crypto: CryptoProviderService = node): RecordProtection =>
  new RecordProtection(crypto, own)

const nonce = (iv: Uint8Array, sequence: number): Uint8Array => {
  const number = BigInt(sequence)
  return iv.map((byte, i) => (i < 4 ? byte : byte ^ Number((number >> BigInt(8 * (11 - i))) & 0xffn)))
}

export const header = (type: number, length: number, version = 0x0303): Uint8Array =>
  Uint8Array.of(type, version >>> 8, version & 0xff, length >>> 8, length & 0xff)

export const plain = (type: number, content: Uint8Array, version = 0x0303): Uint8Array =>
  Uint8Array.from([...header(type, content.length, version), ...content])

/** A record of just this TLSInnerPlaintext. */
export const sealedInner = (inner: Uint8Array, sequence: number, own: TrafficKeys = keys()): Uint8Array => {
  const { tag } = aeadLengths[own.aead]
  const additional = header(23, inner.length + tag)
  const cipher = createCipheriv(names[own.aead] as "aes-128-ccm", own.key, nonce(own.iv, sequence), {
    authTagLength: tag
  })
  cipher.setAAD(additional, { plaintextLength: inner.length })
  const sealed = Buffer.concat([cipher.update(inner), cipher.final()])
  return Uint8Array.from(Buffer.concat([additional, sealed, cipher.getAuthTag()]))
}

export const sealed = (
  type: number,
  content: Uint8Array,
  sequence: number,
  { keys: own = keys(), padding = 0 }: { readonly keys?: TrafficKeys; readonly padding?: number } = {}
): Uint8Array => {
  const inner = new Uint8Array(content.length + 1 + padding)
  inner.set(content)
  inner[content.length] = type
  return sealedInner(inner, sequence, own)
}

/** The TLSInnerPlaintext of a record; throws when it is not authentic. */
export const openedInner = (record: Uint8Array, sequence: number, own: TrafficKeys = keys()): Uint8Array => {
  const { tag } = aeadLengths[own.aead]
  const length = record.length - 5 - tag
  const decipher = createDecipheriv(names[own.aead] as "aes-128-ccm", own.key, nonce(own.iv, sequence), {
    authTagLength: tag
  })
  decipher.setAAD(record.subarray(0, 5), { plaintextLength: length })
  decipher.setAuthTag(record.subarray(5 + length))
  return Uint8Array.from(Buffer.concat([decipher.update(record.subarray(5, 5 + length)), decipher.final()]))
}

/** The records of a stream. */
export const split = (stream: Uint8Array): ReadonlyArray<Uint8Array> => {
  const records: Array<Uint8Array> = []
  for (let at = 0; at < stream.length;) {
    const end = at + 5 + stream[at + 3]! * 256 + stream[at + 4]!
    records.push(stream.subarray(at, end))
    at = end
  }
  return records
}

export const changeCipherSpecRecord: Uint8Array = plain(ccs, Uint8Array.of(1))

export const bytes = (length: number, from = 1): Uint8Array => Uint8Array.from({ length }, (_, i) => (from + i) % 251)
