/** Ways to be wrong: what scripts say instead of what is right. */
import * as FiniteField from "../../src/schema/FiniteField.ts"
import type { Extension } from "../../src/schema/Extension.ts"
import { make as makeExtensionType } from "../../src/schema/ExtensionType.ts"
import type { HandshakeMessage } from "../../src/schema/HandshakeMessage.ts"
import * as HandshakeType from "../../src/schema/HandshakeType.ts"
import * as ProtocolVersion from "../../src/schema/ProtocolVersion.ts"
import * as SignatureScheme from "../../src/schema/SignatureScheme.ts"
import * as identities from "./identities.ts"
import type { Item, ScriptedPeer } from "./ScriptedPeer.ts"
import type { Edit } from "./scripts.ts"
import * as scripts from "./scripts.ts"

export type Tag = HandshakeMessage["_tag"]
type Of<T extends Tag> = Extract<HandshakeMessage, { readonly _tag: T }>

/** Changes one message. */
export const change =
  <T extends Tag>(tag: T, to: (message: Of<T>, peer: ScriptedPeer) => Item | ReadonlyArray<Item>): Edit =>
  (message, peer) =>
    message._tag === tag ? to(message as Of<T>, peer) : message

type WithExtensions = "ServerHello" | "HelloRetryRequest" | "EncryptedExtensions" | "CertificateRequest"

export const withExtensions = (
  tag: WithExtensions,
  extensions: (extensions: ReadonlyArray<Extension>) => ReadonlyArray<Extension>
): Edit => change<WithExtensions>(tag, (message) => ({ ...message, extensions: extensions(message.extensions) }))

const noBytes = new Uint8Array(0)

export const unknown = (type: number, body = noBytes): Extension => ({
  _tag: "Unknown",
  type: makeExtensionType(type),
  body
})

/** A message with one byte more, which its length counts. */
export const lengthened = (message: Uint8Array): Uint8Array => {
  const longer = Uint8Array.from([...message, 0])
  const length = longer.length - 4
  longer.set([length >>> 16, length >>> 8, length], 1)
  return longer
}

export const flipped = (bytes: Uint8Array, at = 0): Uint8Array => {
  const wrong = Uint8Array.from(bytes)
  wrong[at]! ^= 1
  return wrong
}

/** Of every type one that is well-formed by itself. */
export const strangers: ReadonlyArray<HandshakeMessage> = [
  scripts.makeHello({}, []),
  {
    _tag: "ServerHello",
    legacyVersion: ProtocolVersion.tls12,
    random: new Uint8Array(32),
    sessionId: noBytes,
    cipherSuite: scripts.aes128.code,
    compressionMethod: 0,
    extensions: [{ _tag: "SelectedVersion", version: ProtocolVersion.tls13 }]
  },
  { _tag: "EncryptedExtensions", extensions: [] },
  {
    _tag: "CertificateRequest",
    context: noBytes,
    extensions: [{ _tag: "SignatureAlgorithms", schemes: [SignatureScheme.make(0x0403)] }]
  },
  {
    _tag: "Certificate",
    context: noBytes,
    entries: [{ certificate: identities.server.certificate.der, extensions: [] }]
  },
  { _tag: "CertificateVerify", scheme: SignatureScheme.make(0x0403), signature: new Uint8Array(70) },
  { _tag: "Finished", verifyData: new Uint8Array(32) },
  { _tag: "NewSessionTicket", lifetime: 1, ageAdd: 1, nonce: noBytes, ticket: Uint8Array.of(1), extensions: [] },
  { _tag: "KeyUpdate", request: 0 },
  { _tag: "KeyUpdate", request: 1 },
  { _tag: "EndOfEarlyData" },
  // HelloRequest and ServerHelloDone of TLS 1.2, message_hash, one that nobody knows.
  ...[0, 14, 254, 99].map((type): HandshakeMessage => ({
    _tag: "UnknownMessage",
    type: HandshakeType.make(type),
    body: noBytes
  }))
]

/** What must come of a flight of these messages, each right by itself, when `isDue` says what may follow what. */
export const predict = (
  flight: ReadonlyArray<Tag>,
  isDue: (said: ReadonlyArray<Tag>, tag: Tag) => boolean,
  phaseAfter: (said: ReadonlyArray<Tag>) => string
): readonly [error: string, alert: string] => {
  const said: Array<Tag> = []
  for (const tag of flight) {
    if (said.includes("Finished")) break
    if (!isDue(said, tag)) return [`HandshakeError/UnexpectedMessage/${phaseAfter(said)}`, "alert unexpected_message"]
    said.push(tag)
  }
  return said.includes("Finished")
    ? ["connected", "any"]
    : [`TlsTimeoutError/Handshake/${phaseAfter(said)}`, "alert user_canceled"]
}

/** Keys of a group that are none, for either side's share. */
export const badShares: ReadonlyArray<
  readonly [name: string, group: "x25519" | "secp256r1" | "ffdhe2048", share: Uint8Array]
> = [
  ["all zeros on X25519", "x25519", new Uint8Array(32)],
  ["a point of small order on X25519", "x25519", Uint8Array.of(1, ...new Uint8Array(31))],
  ["31 bytes on X25519", "x25519", new Uint8Array(31).fill(9)],
  ["33 bytes on X25519", "x25519", new Uint8Array(33).fill(9)],
  ["a point off P-256", "secp256r1", Uint8Array.of(4, ...new Uint8Array(64).fill(1))],
  ["a compressed point on P-256", "secp256r1", Uint8Array.of(2, ...new Uint8Array(32).fill(1))],
  ["the point at infinity on P-256", "secp256r1", Uint8Array.of(0)],
  ["a hybrid point on P-256", "secp256r1", Uint8Array.of(6, ...new Uint8Array(64).fill(1))],
  ["a coordinate past the field on P-256", "secp256r1", Uint8Array.of(4, ...new Uint8Array(64).fill(0xff))],
  ["0 in ffdhe2048", "ffdhe2048", new Uint8Array(256)],
  ["1 in ffdhe2048", "ffdhe2048", Uint8Array.of(...new Uint8Array(255), 1)],
  ["p - 1 in ffdhe2048", "ffdhe2048", Uint8Array.of(...FiniteField.prime("ffdhe2048").subarray(0, 255), 0xfe)],
  ["p in ffdhe2048", "ffdhe2048", FiniteField.prime("ffdhe2048")],
  ["255 bytes in ffdhe2048", "ffdhe2048", new Uint8Array(255).fill(9)],
  ["257 bytes in ffdhe2048", "ffdhe2048", Uint8Array.of(0, ...new Uint8Array(256).fill(9))]
]
