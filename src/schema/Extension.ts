/**
 * Extensions of TLS 1.3 messages as values (RFC 9846 §4.2). An extension whose form depends on the message (a key share
 * offered, answered or asked for) has a tag per form, so a value says by itself how it is written. What we do not speak
 * is `Unknown` and keeps its bytes.
 *
 * @since 0.1.0
 */
import type { ByteReader } from "./ByteReader.ts"
import type { ByteWriter } from "./ByteWriter.ts"
import type { ExtensionContext, ExtensionType } from "./ExtensionType.ts"
import { codes, make as makeType, name as nameOf } from "./ExtensionType.ts"
import * as NamedGroup from "./NamedGroup.ts"
import * as ProtocolVersion from "./ProtocolVersion.ts"
import * as SignatureScheme from "./SignatureScheme.ts"

/**
 * The server's name as the client asks for it (RFC 6066 §3). Type 0 is `host_name`, the only one registered.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServerName {
  readonly _tag: "ServerName"
  readonly names: ReadonlyArray<{ readonly type: number; readonly name: Uint8Array }>
}

/**
 * The server's word that it used the name (RFC 6066 §3).
 *
 * @since 0.1.0
 * @category models
 */
export interface ServerNameAcknowledged {
  readonly _tag: "ServerNameAcknowledged"
}

/**
 * @since 0.1.0
 * @category models
 */
export interface SupportedGroups {
  readonly _tag: "SupportedGroups"
  readonly groups: ReadonlyArray<NamedGroup.NamedGroup>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface SignatureAlgorithms {
  readonly _tag: "SignatureAlgorithms"
  readonly schemes: ReadonlyArray<SignatureScheme.SignatureScheme>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface SignatureAlgorithmsCert {
  readonly _tag: "SignatureAlgorithmsCert"
  readonly schemes: ReadonlyArray<SignatureScheme.SignatureScheme>
}

/**
 * ALPN (RFC 7301). Protocol names are bytes; each character of these strings is one byte.
 *
 * @since 0.1.0
 * @category models
 */
export interface ApplicationProtocols {
  readonly _tag: "ApplicationProtocols"
  readonly protocols: ReadonlyArray<string>
}

/**
 * The largest record its sender wants to receive, in bytes of plaintext with the content type (RFC 8449).
 *
 * @since 0.1.0
 * @category models
 */
export interface RecordSizeLimit {
  readonly _tag: "RecordSizeLimit"
  readonly limit: number
}

/**
 * The client's wish for an OCSP response with the server's certificate (RFC 6066 §8): DER ResponderIDs it would rather
 * have it from, and DER Extensions for the request, mostly none of either. A wish for another kind of status is `Unknown`.
 *
 * @since 0.1.0
 * @category models
 */
export interface StatusRequest {
  readonly _tag: "StatusRequest"
  readonly responderIds: ReadonlyArray<Uint8Array>
  readonly requestExtensions: Uint8Array
}

/**
 * The DER of an OCSP response, with the certificate it is about (RFC 9846 §4.4.2.1).
 *
 * @since 0.1.0
 * @category models
 */
export interface CertificateStatus {
  readonly _tag: "CertificateStatus"
  readonly response: Uint8Array
}

/**
 * @since 0.1.0
 * @category models
 */
export interface SupportedVersions {
  readonly _tag: "SupportedVersions"
  readonly versions: ReadonlyArray<ProtocolVersion.ProtocolVersion>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface SelectedVersion {
  readonly _tag: "SelectedVersion"
  readonly version: ProtocolVersion.ProtocolVersion
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Cookie {
  readonly _tag: "Cookie"
  readonly cookie: Uint8Array
}

/**
 * The public value of one group.
 *
 * @since 0.1.0
 * @category models
 */
export interface KeyShareEntry {
  readonly group: NamedGroup.NamedGroup
  readonly publicKey: Uint8Array
}

/**
 * The client's key shares.
 *
 * @since 0.1.0
 * @category models
 */
export interface KeyShareOffer {
  readonly _tag: "KeyShareOffer"
  readonly shares: ReadonlyArray<KeyShareEntry>
}

/**
 * The server's key share.
 *
 * @since 0.1.0
 * @category models
 */
export interface KeyShareAnswer {
  readonly _tag: "KeyShareAnswer"
  readonly share: KeyShareEntry
}

/**
 * The group a HelloRetryRequest asks a share of.
 *
 * @since 0.1.0
 * @category models
 */
export interface KeyShareRequest {
  readonly _tag: "KeyShareRequest"
  readonly group: NamedGroup.NamedGroup
}

/**
 * @since 0.1.0
 * @category models
 */
export interface PskKeyExchangeModes {
  readonly _tag: "PskKeyExchangeModes"
  readonly modes: ReadonlyArray<number>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface PreSharedKeyOffer {
  readonly _tag: "PreSharedKeyOffer"
  readonly identities: ReadonlyArray<{ readonly identity: Uint8Array; readonly obfuscatedTicketAge: number }>
  readonly binders: ReadonlyArray<Uint8Array>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface PreSharedKeyAnswer {
  readonly _tag: "PreSharedKeyAnswer"
  readonly selected: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface EarlyData {
  readonly _tag: "EarlyData"
}

/**
 * How much early data a ticket allows, in bytes.
 *
 * @since 0.1.0
 * @category models
 */
export interface EarlyDataLimit {
  readonly _tag: "EarlyDataLimit"
  readonly maxEarlyDataSize: number
}

/**
 * DER distinguished names of acceptable authorities (RFC 9846 §4.2.4).
 *
 * @since 0.1.0
 * @category models
 */
export interface CertificateAuthorities {
  readonly _tag: "CertificateAuthorities"
  readonly authorities: ReadonlyArray<Uint8Array>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Unknown {
  readonly _tag: "Unknown"
  readonly type: ExtensionType
  readonly body: Uint8Array
}

/**
 * @since 0.1.0
 * @category models
 */
export type Extension =
  | ServerName
  | ServerNameAcknowledged
  | SupportedGroups
  | SignatureAlgorithms
  | SignatureAlgorithmsCert
  | ApplicationProtocols
  | RecordSizeLimit
  | StatusRequest
  | CertificateStatus
  | SupportedVersions
  | SelectedVersion
  | Cookie
  | KeyShareOffer
  | KeyShareAnswer
  | KeyShareRequest
  | PskKeyExchangeModes
  | PreSharedKeyOffer
  | PreSharedKeyAnswer
  | EarlyData
  | EarlyDataLimit
  | CertificateAuthorities
  | Unknown

const types: { readonly [T in Exclude<Extension["_tag"], "Unknown">]: ExtensionType } = {
  ServerName: codes.server_name,
  ServerNameAcknowledged: codes.server_name,
  SupportedGroups: codes.supported_groups,
  SignatureAlgorithms: codes.signature_algorithms,
  SignatureAlgorithmsCert: codes.signature_algorithms_cert,
  ApplicationProtocols: codes.application_layer_protocol_negotiation,
  RecordSizeLimit: codes.record_size_limit,
  StatusRequest: codes.status_request,
  CertificateStatus: codes.status_request,
  SupportedVersions: codes.supported_versions,
  SelectedVersion: codes.supported_versions,
  Cookie: codes.cookie,
  KeyShareOffer: codes.key_share,
  KeyShareAnswer: codes.key_share,
  KeyShareRequest: codes.key_share,
  PskKeyExchangeModes: codes.psk_key_exchange_modes,
  PreSharedKeyOffer: codes.pre_shared_key,
  PreSharedKeyAnswer: codes.pre_shared_key,
  EarlyData: codes.early_data,
  EarlyDataLimit: codes.early_data,
  CertificateAuthorities: codes.certificate_authorities
}

/**
 * The code point under which an extension is written.
 *
 * @since 0.1.0
 * @category lookups
 */
export const typeOf = (extension: Extension): ExtensionType =>
  extension._tag === "Unknown" ? extension.type : types[extension._tag]

/**
 * The extension of a tag, if it is there.
 *
 * @since 0.1.0
 * @category lookups
 */
export const find = <T extends Extension["_tag"]>(
  extensions: ReadonlyArray<Extension>,
  tag: T
): Extract<Extension, { readonly _tag: T }> | undefined =>
  extensions.find((extension): extension is Extract<Extension, { readonly _tag: T }> => extension._tag === tag)

const protocolName = (bytes: Uint8Array): string => String.fromCharCode(...bytes)

const uint16s = <A>(reader: ByteReader, make: (code: number) => A): ReadonlyArray<A> =>
  reader.vector16(2).many((item) => make(item.uint16()))

const keyShareEntry = (reader: ByteReader): KeyShareEntry => ({
  group: NamedGroup.make(reader.uint16()),
  publicKey: reader.vector16(1).rest()
})

type Decoder = (reader: ByteReader) => Extension

const signatureAlgorithms: Decoder = (reader) => ({
  _tag: "SignatureAlgorithms",
  schemes: uint16s(reader, SignatureScheme.make)
})
const signatureAlgorithmsCert: Decoder = (reader) => ({
  _tag: "SignatureAlgorithmsCert",
  schemes: uint16s(reader, SignatureScheme.make)
})
const supportedGroups: Decoder = (reader) => ({
  _tag: "SupportedGroups",
  groups: uint16s(reader, NamedGroup.make)
})
const applicationProtocols: Decoder = (reader) => ({
  _tag: "ApplicationProtocols",
  protocols: reader.vector16(2).many((list) => protocolName(list.vector8(1).rest()))
})
const recordSizeLimit: Decoder = (reader) => ({ _tag: "RecordSizeLimit", limit: reader.uint16() })
/** `ocsp` of CertificateStatusType, the only one registered. */
const ocsp = 1
const statusRequest: Decoder = (reader) => {
  const start = reader.position
  if (reader.uint8() !== ocsp) {
    reader.position = start
    return { _tag: "Unknown", type: codes.status_request, body: reader.rest() }
  }
  return {
    _tag: "StatusRequest",
    responderIds: reader.vector16().many((list) => list.vector16(1).rest()),
    requestExtensions: reader.vector16().rest()
  }
}
const certificateStatus: Decoder = (reader) => {
  const type = reader.uint8()
  if (type !== ocsp) reader.fail(`a certificate status of type ${type}, which nobody asks for`)
  return { _tag: "CertificateStatus", response: reader.vector24(1).rest() }
}
const cookie: Decoder = (reader) => ({ _tag: "Cookie", cookie: reader.vector16(1).rest() })
const earlyData: Decoder = () => ({ _tag: "EarlyData" })
const selectedVersion: Decoder = (reader) => ({
  _tag: "SelectedVersion",
  version: ProtocolVersion.make(reader.uint16())
})
const certificateAuthorities: Decoder = (reader) => ({
  _tag: "CertificateAuthorities",
  authorities: reader.vector16(3).many((list) => list.vector16(1).rest())
})

/** The form of each extension in each message; what is not here stays `Unknown`. */
const decoders: { readonly [C in ExtensionContext]: ReadonlyMap<number, Decoder> } = {
  ClientHello: new Map<number, Decoder>([
    [
      codes.server_name,
      (reader) => ({
        _tag: "ServerName",
        names: reader.vector16(1).many((list) => ({ type: list.uint8(), name: list.vector16(1).rest() }))
      })
    ],
    [codes.supported_groups, supportedGroups],
    [codes.signature_algorithms, signatureAlgorithms],
    [codes.signature_algorithms_cert, signatureAlgorithmsCert],
    [codes.application_layer_protocol_negotiation, applicationProtocols],
    [codes.record_size_limit, recordSizeLimit],
    [codes.status_request, statusRequest],
    [
      codes.supported_versions,
      (reader) => ({
        _tag: "SupportedVersions",
        versions: reader.vector8(2).many((list) => ProtocolVersion.make(list.uint16()))
      })
    ],
    [codes.cookie, cookie],
    [codes.key_share, (reader) => ({ _tag: "KeyShareOffer", shares: reader.vector16().many(keyShareEntry) })],
    [
      codes.psk_key_exchange_modes,
      (reader) => ({ _tag: "PskKeyExchangeModes", modes: reader.vector8(1).many((list) => list.uint8()) })
    ],
    [
      codes.pre_shared_key,
      (reader) => ({
        _tag: "PreSharedKeyOffer",
        identities: reader
          .vector16(7)
          .many((list) => ({ identity: list.vector16(1).rest(), obfuscatedTicketAge: list.uint32() })),
        binders: reader.vector16(33).many((list) => list.vector8(32).rest())
      })
    ],
    [codes.early_data, earlyData],
    [codes.certificate_authorities, certificateAuthorities]
  ]),
  ServerHello: new Map<number, Decoder>([
    [codes.supported_versions, selectedVersion],
    [codes.key_share, (reader) => ({ _tag: "KeyShareAnswer", share: keyShareEntry(reader) })],
    [codes.pre_shared_key, (reader) => ({ _tag: "PreSharedKeyAnswer", selected: reader.uint16() })]
  ]),
  HelloRetryRequest: new Map<number, Decoder>([
    [codes.supported_versions, selectedVersion],
    [codes.key_share, (reader) => ({ _tag: "KeyShareRequest", group: NamedGroup.make(reader.uint16()) })],
    [codes.cookie, cookie]
  ]),
  EncryptedExtensions: new Map<number, Decoder>([
    [codes.server_name, () => ({ _tag: "ServerNameAcknowledged" })],
    [codes.supported_groups, supportedGroups],
    [codes.application_layer_protocol_negotiation, applicationProtocols],
    [codes.record_size_limit, recordSizeLimit],
    [codes.early_data, earlyData]
  ]),
  CertificateRequest: new Map<number, Decoder>([
    [codes.signature_algorithms, signatureAlgorithms],
    [codes.signature_algorithms_cert, signatureAlgorithmsCert],
    [codes.certificate_authorities, certificateAuthorities]
  ]),
  Certificate: new Map<number, Decoder>([[codes.status_request, certificateStatus]]),
  NewSessionTicket: new Map<number, Decoder>([
    [codes.early_data, (reader) => ({ _tag: "EarlyDataLimit", maxEarlyDataSize: reader.uint32() })]
  ])
}

/**
 * Reads a list of extensions, with its length, as it stands in a message.
 *
 * @since 0.1.0
 * @category decoding
 */
export const read = (reader: ByteReader, context: ExtensionContext): ReadonlyArray<Extension> =>
  reader.vector16().many((list) => {
    const type = list.uint16()
    const body = list.vector16(0, `${list.what}, ${nameOf(type)}`)
    const decoder = decoders[context].get(type)
    if (decoder === undefined) return { _tag: "Unknown", type: makeType(type), body: body.rest() }
    const extension = decoder(body)
    body.finish()
    return extension
  })

const writeBody = (writer: ByteWriter, extension: Extension): void => {
  switch (extension._tag) {
    case "ServerName":
      writer.vector16((list) => {
        for (const { name, type } of extension.names) list.uint8(type).vector16((w) => w.raw(name))
      })
      return
    case "ServerNameAcknowledged":
    case "EarlyData":
      return
    case "SupportedGroups":
      writer.vector16((list) => extension.groups.forEach((group) => list.uint16(group)))
      return
    case "SignatureAlgorithms":
    case "SignatureAlgorithmsCert":
      writer.vector16((list) => extension.schemes.forEach((scheme) => list.uint16(scheme)))
      return
    case "ApplicationProtocols":
      writer.vector16((list) => {
        for (const protocol of extension.protocols) {
          list.vector8((w) => {
            for (let i = 0; i < protocol.length; i++) w.uint8(protocol.charCodeAt(i))
          })
        }
      })
      return
    case "RecordSizeLimit":
      writer.uint16(extension.limit)
      return
    case "StatusRequest":
      writer
        .uint8(ocsp)
        .vector16((list) => extension.responderIds.forEach((id) => list.vector16((w) => w.raw(id))))
        .vector16((w) => w.raw(extension.requestExtensions))
      return
    case "CertificateStatus":
      writer.uint8(ocsp).vector24((w) => w.raw(extension.response))
      return
    case "SupportedVersions":
      writer.vector8((list) => extension.versions.forEach((version) => list.uint16(version)))
      return
    case "SelectedVersion":
      writer.uint16(extension.version)
      return
    case "Cookie":
      writer.vector16((w) => w.raw(extension.cookie))
      return
    case "KeyShareOffer":
      writer.vector16((list) => extension.shares.forEach((share) => writeKeyShare(list, share)))
      return
    case "KeyShareAnswer":
      writeKeyShare(writer, extension.share)
      return
    case "KeyShareRequest":
      writer.uint16(extension.group)
      return
    case "PskKeyExchangeModes":
      writer.vector8((list) => extension.modes.forEach((mode) => list.uint8(mode)))
      return
    case "PreSharedKeyOffer":
      writer.vector16((list) => {
        for (const { identity, obfuscatedTicketAge } of extension.identities) {
          list.vector16((w) => w.raw(identity)).uint32(obfuscatedTicketAge)
        }
      })
      writer.vector16((list) => extension.binders.forEach((binder) => list.vector8((w) => w.raw(binder))))
      return
    case "PreSharedKeyAnswer":
      writer.uint16(extension.selected)
      return
    case "EarlyDataLimit":
      writer.uint32(extension.maxEarlyDataSize)
      return
    case "CertificateAuthorities":
      writer.vector16((list) => extension.authorities.forEach((name) => list.vector16((w) => w.raw(name))))
      return
    case "Unknown":
      writer.raw(extension.body)
      return
  }
}

const writeKeyShare = (writer: ByteWriter, share: KeyShareEntry): void => {
  writer.uint16(share.group).vector16((w) => w.raw(share.publicKey))
}

/**
 * Writes a list of extensions, with its length.
 *
 * @since 0.1.0
 * @category encoding
 */
export const write = (writer: ByteWriter, extensions: ReadonlyArray<Extension>): void => {
  writer.vector16((list) => {
    for (const extension of extensions) {
      list.uint16(typeOf(extension)).vector16((w) => writeBody(w, extension))
    }
  })
}
