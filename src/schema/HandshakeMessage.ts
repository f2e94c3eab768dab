/**
 * Handshake messages of TLS 1.3 as values (RFC 9846 §4): bytes ⇄ value. Decoding consumes the bytes exactly or fails
 * with the position; encoding what was decoded gives the same bytes.
 *
 * @since 0.1.0
 */
import type * as Either from "effect/Either"
import type { ByteReader, DecodeError } from "./ByteReader.ts"
import { decode as decodeWith } from "./ByteReader.ts"
import { ByteWriter } from "./ByteWriter.ts"
import * as CipherSuite from "./CipherSuite.ts"
import * as Extension from "./Extension.ts"
import * as HandshakeType from "./HandshakeType.ts"
import * as ProtocolVersion from "./ProtocolVersion.ts"
import * as SignatureScheme from "./SignatureScheme.ts"

/**
 * `random` has 32 bytes, `sessionId` 0 to 32. A hello without any extension is written without the block of extensions,
 * as TLS 1.2 allows.
 *
 * @since 0.1.0
 * @category models
 */
export interface ClientHello {
  readonly _tag: "ClientHello"
  readonly legacyVersion: ProtocolVersion.ProtocolVersion
  readonly random: Uint8Array
  readonly sessionId: Uint8Array
  readonly cipherSuites: ReadonlyArray<CipherSuite.CipherSuite>
  readonly compressionMethods: Uint8Array
  readonly extensions: ReadonlyArray<Extension.Extension>
}

interface ServerHelloFields {
  readonly legacyVersion: ProtocolVersion.ProtocolVersion
  readonly sessionId: Uint8Array
  readonly cipherSuite: CipherSuite.CipherSuite
  readonly compressionMethod: number
  readonly extensions: ReadonlyArray<Extension.Extension>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface ServerHello extends ServerHelloFields {
  readonly _tag: "ServerHello"
  readonly random: Uint8Array
}

/**
 * A ServerHello with a certain `random`: the server wants another ClientHello (RFC 9846 §4.1.4).
 *
 * @since 0.1.0
 * @category models
 */
export interface HelloRetryRequest extends ServerHelloFields {
  readonly _tag: "HelloRetryRequest"
}

/**
 * @since 0.1.0
 * @category models
 */
export interface EncryptedExtensions {
  readonly _tag: "EncryptedExtensions"
  readonly extensions: ReadonlyArray<Extension.Extension>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface CertificateRequest {
  readonly _tag: "CertificateRequest"
  readonly context: Uint8Array
  readonly extensions: ReadonlyArray<Extension.Extension>
}

/**
 * A chain of DER certificates, leaf first.
 *
 * @since 0.1.0
 * @category models
 */
export interface Certificate {
  readonly _tag: "Certificate"
  readonly context: Uint8Array
  readonly entries: ReadonlyArray<{
    readonly certificate: Uint8Array
    readonly extensions: ReadonlyArray<Extension.Extension>
  }>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface CertificateVerify {
  readonly _tag: "CertificateVerify"
  readonly scheme: SignatureScheme.SignatureScheme
  readonly signature: Uint8Array
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Finished {
  readonly _tag: "Finished"
  readonly verifyData: Uint8Array
}

/**
 * `lifetime` is in seconds, `ageAdd` in milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface NewSessionTicket {
  readonly _tag: "NewSessionTicket"
  readonly lifetime: number
  readonly ageAdd: number
  readonly nonce: Uint8Array
  readonly ticket: Uint8Array
  readonly extensions: ReadonlyArray<Extension.Extension>
}

/**
 * `request` is 1 when the sender wants ours changed too, 0 when not; other values are read, and refused by whoever
 * acts on them.
 *
 * @since 0.1.0
 * @category models
 */
export interface KeyUpdate {
  readonly _tag: "KeyUpdate"
  readonly request: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface EndOfEarlyData {
  readonly _tag: "EndOfEarlyData"
}

/**
 * @since 0.1.0
 * @category models
 */
export interface UnknownMessage {
  readonly _tag: "UnknownMessage"
  readonly type: HandshakeType.HandshakeType
  readonly body: Uint8Array
}

/**
 * @since 0.1.0
 * @category models
 */
export type HandshakeMessage =
  | ClientHello
  | ServerHello
  | HelloRetryRequest
  | EncryptedExtensions
  | CertificateRequest
  | Certificate
  | CertificateVerify
  | Finished
  | NewSessionTicket
  | KeyUpdate
  | EndOfEarlyData
  | UnknownMessage

/**
 * SHA-256 of "HelloRetryRequest": the random that makes a ServerHello one (RFC 9846 §4.1.3).
 *
 * @since 0.1.0
 * @category constants
 */
export const helloRetryRandom: Uint8Array = Uint8Array.from(
  "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c".match(/../g)!,
  (hex) => parseInt(hex, 16)
)

/**
 * Bytes before a message's body: its type and its length.
 *
 * @since 0.1.0
 * @category constants
 */
export const headerLength = 4

const isHelloRetry = (random: Uint8Array): boolean => random.every((byte, i) => byte === helloRetryRandom[i])

const readClientHello = (reader: ByteReader): ClientHello => ({
  _tag: "ClientHello",
  legacyVersion: ProtocolVersion.make(reader.uint16()),
  random: reader.take(32),
  sessionId: readSessionId(reader),
  cipherSuites: reader.vector16(2).many((list) => CipherSuite.make(list.uint16())),
  compressionMethods: reader.vector8(1).rest(),
  extensions: reader.remaining === 0 ? [] : Extension.read(reader, "ClientHello")
})

const readSessionId = (reader: ByteReader): Uint8Array => {
  const sessionId = reader.vector8().rest()
  if (sessionId.length > 32) reader.fail(`a session id of ${sessionId.length} bytes, at most 32 expected`)
  return sessionId
}

const readServerHello = (reader: ByteReader): ServerHello | HelloRetryRequest => {
  const legacyVersion = ProtocolVersion.make(reader.uint16())
  const random = reader.take(32)
  const retry = isHelloRetry(random)
  const fields = {
    legacyVersion,
    sessionId: readSessionId(reader),
    cipherSuite: CipherSuite.make(reader.uint16()),
    compressionMethod: reader.uint8(),
    extensions: reader.remaining === 0 ? [] : Extension.read(reader, retry ? "HelloRetryRequest" : "ServerHello")
  }
  return retry ? { _tag: "HelloRetryRequest", ...fields } : { _tag: "ServerHello", random, ...fields }
}

const readCertificate = (reader: ByteReader): Certificate => ({
  _tag: "Certificate",
  context: reader.vector8().rest(),
  entries: reader.vector24().many((list) => ({
    certificate: list.vector24(1).rest(),
    extensions: Extension.read(list, "Certificate")
  }))
})

const readNewSessionTicket = (reader: ByteReader): NewSessionTicket => ({
  _tag: "NewSessionTicket",
  lifetime: reader.uint32(),
  ageAdd: reader.uint32(),
  nonce: reader.vector8().rest(),
  ticket: reader.vector16(1).rest(),
  extensions: Extension.read(reader, "NewSessionTicket")
})

const bodies = new Map<number, (reader: ByteReader) => HandshakeMessage>([
  [HandshakeType.codes.ClientHello, readClientHello],
  [HandshakeType.codes.ServerHello, readServerHello],
  [
    HandshakeType.codes.EncryptedExtensions,
    (reader) => ({ _tag: "EncryptedExtensions", extensions: Extension.read(reader, "EncryptedExtensions") })
  ],
  [
    HandshakeType.codes.CertificateRequest,
    (reader) => ({
      _tag: "CertificateRequest",
      context: reader.vector8().rest(),
      extensions: Extension.read(reader, "CertificateRequest")
    })
  ],
  [HandshakeType.codes.Certificate, readCertificate],
  [
    HandshakeType.codes.CertificateVerify,
    (reader) => ({
      _tag: "CertificateVerify",
      scheme: SignatureScheme.make(reader.uint16()),
      signature: reader.vector16().rest()
    })
  ],
  [HandshakeType.codes.Finished, (reader) => ({ _tag: "Finished", verifyData: reader.rest() })],
  [HandshakeType.codes.NewSessionTicket, readNewSessionTicket],
  [HandshakeType.codes.KeyUpdate, (reader) => ({ _tag: "KeyUpdate", request: reader.uint8() })],
  [HandshakeType.codes.EndOfEarlyData, () => ({ _tag: "EndOfEarlyData" })]
])

/**
 * A message from its bytes, header included.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decode = (bytes: Uint8Array): Either.Either<HandshakeMessage, DecodeError> => {
  const type = bytes[0] ?? -1
  return decodeWith(HandshakeType.name(type), (reader): HandshakeMessage => {
    reader.uint8()
    const length = reader.uint24()
    if (length !== reader.remaining) {
      reader.fail(`a length of ${length} with ${reader.remaining} byte(s) after it`, 1)
    }
    const body = bodies.get(type)
    return body === undefined
      ? { _tag: "UnknownMessage", type: HandshakeType.make(type), body: reader.rest() }
      : body(reader)
  })(bytes)
}

/**
 * The type a message is written under.
 *
 * @since 0.1.0
 * @category lookups
 */
export const typeOf = (message: HandshakeMessage): HandshakeType.HandshakeType => {
  switch (message._tag) {
    case "HelloRetryRequest":
      return HandshakeType.codes.ServerHello
    case "UnknownMessage":
      return message.type
    default:
      return HandshakeType.codes[message._tag]
  }
}

const writeBody = (writer: ByteWriter, message: HandshakeMessage): void => {
  switch (message._tag) {
    case "ClientHello":
      writer
        .uint16(message.legacyVersion)
        .raw(message.random)
        .vector8((w) => w.raw(message.sessionId))
        .vector16((list) => message.cipherSuites.forEach((suite) => list.uint16(suite)))
        .vector8((w) => w.raw(message.compressionMethods))
      if (message.extensions.length > 0) Extension.write(writer, message.extensions)
      return
    case "ServerHello":
    case "HelloRetryRequest":
      writer
        .uint16(message.legacyVersion)
        .raw(message._tag === "ServerHello" ? message.random : helloRetryRandom)
        .vector8((w) => w.raw(message.sessionId))
        .uint16(message.cipherSuite)
        .uint8(message.compressionMethod)
      if (message.extensions.length > 0) Extension.write(writer, message.extensions)
      return
    case "EncryptedExtensions":
      Extension.write(writer, message.extensions)
      return
    case "CertificateRequest":
      writer.vector8((w) => w.raw(message.context))
      Extension.write(writer, message.extensions)
      return
    case "Certificate":
      writer
        .vector8((w) => w.raw(message.context))
        .vector24((list) => {
          for (const { certificate, extensions } of message.entries) {
            list.vector24((w) => w.raw(certificate))
            Extension.write(list, extensions)
          }
        })
      return
    case "CertificateVerify":
      writer.uint16(message.scheme).vector16((w) => w.raw(message.signature))
      return
    case "Finished":
      writer.raw(message.verifyData)
      return
    case "NewSessionTicket":
      writer
        .uint32(message.lifetime)
        .uint32(message.ageAdd)
        .vector8((w) => w.raw(message.nonce))
        .vector16((w) => w.raw(message.ticket))
      Extension.write(writer, message.extensions)
      return
    case "KeyUpdate":
      writer.uint8(message.request)
      return
    case "EndOfEarlyData":
      return
    case "UnknownMessage":
      writer.raw(message.body)
      return
  }
}

/**
 * A message's bytes, header included.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encode = (message: HandshakeMessage): Uint8Array =>
  new ByteWriter(512)
    .uint8(typeOf(message))
    .vector24((writer) => writeBody(writer, message))
    .finish()
