/** Random and damaged messages for the tests of the wire, and small helpers about bytes. */
import * as FastCheck from "effect/FastCheck"
import type { ExtensionContext } from "../../src/schema/ExtensionType.ts"
import type { HandshakeMessage } from "../../src/schema/HandshakeMessage.ts"
import * as MessageArbitrary from "../../src/schema/MessageArbitrary.ts"

export const fromHex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ""), "hex"))

export const tags = Object.keys(MessageArbitrary.messages) as ReadonlyArray<HandshakeMessage["_tag"]>

export const message = (tag: HandshakeMessage["_tag"]): FastCheck.Arbitrary<HandshakeMessage> =>
  MessageArbitrary.messages[tag](FastCheck)

export const anyMessage = MessageArbitrary.handshakeMessage(FastCheck)

export const clientHello = MessageArbitrary.clientHello(FastCheck)

export const contexts: ReadonlyArray<ExtensionContext> = [
  "ClientHello",
  "ServerHello",
  "HelloRetryRequest",
  "EncryptedExtensions",
  "CertificateRequest",
  "Certificate",
  "NewSessionTicket"
]

export const extension = (context: ExtensionContext) => MessageArbitrary.extension(FastCheck, context)

/** Numbers in [0, 1) that are the same in every run (mulberry32). */
export const random = (seed: number): (() => number) => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000
  }
}

/** Bytes with a few things wrong: bits flipped, bytes set to what lengths break on, pieces cut out, doubled or added. */
export const mutate = (bytes: Uint8Array, next: () => number): Uint8Array => {
  const below = (n: number) => Math.floor(next() * n)
  let mutant = [...bytes]
  for (let times = 1 + below(3); times > 0; times--) {
    const at = below(mutant.length + 1)
    const length = 1 + below(4)
    switch (below(5)) {
      case 0:
        if (at < mutant.length) mutant[at]! ^= 1 << below(8)
        break
      case 1:
        if (at < mutant.length) mutant[at] = [0, 1, 0x7f, 0x80, 0xff][below(5)]!
        break
      case 2:
        mutant.splice(at, length)
        break
      case 3:
        mutant.splice(at, 0, ...mutant.slice(at, at + length))
        break
      default:
        mutant.splice(at, 0, ...Array.from({ length }, () => below(256)))
    }
  }
  return Uint8Array.from(mutant)
}

/** The same message bytes with the length in the header that they have. */
export const withTrueLength = (bytes: Uint8Array): Uint8Array => {
  const length = bytes.length - 4
  const fixed = Uint8Array.from(bytes)
  fixed.set([length >>> 16, (length >>> 8) & 0xff, length & 0xff], 1)
  return fixed
}
