/**
 * A trace of every connection for people to read: one line per message, alert and change of keys.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { TraceConnection, TraceEvent } from "../core/HandshakeTrace.ts"
import { HandshakeTrace } from "../core/HandshakeTrace.ts"
import * as Alert from "../schema/Alert.ts"
import * as Certificate from "../schema/Certificate.ts"
import * as CipherSuite from "../schema/CipherSuite.ts"
import * as ClientHello from "../schema/ClientHello.ts"
import type * as Extension from "../schema/Extension.ts"
import type { HandshakeMessage } from "../schema/HandshakeMessage.ts"
import * as HandshakeType from "../schema/HandshakeType.ts"
import * as NamedGroup from "../schema/NamedGroup.ts"
import * as ProtocolVersion from "../schema/ProtocolVersion.ts"
import * as SignatureScheme from "../schema/SignatureScheme.ts"
import type { TlsError } from "../schema/TlsError.ts"

/** `name a, b`; nothing where there is nothing to say. */
const field = (name: string, values: ReadonlyArray<string>): ReadonlyArray<string> =>
  values.length === 0 ? [] : [`${name} ${values.join(", ")}`]

/** Text of the peer's, which may look like ours. */
const quoted = (text: string): string => (/^[\x21-\x7e]+$/.test(text) ? text : JSON.stringify(text))

/** Nothing that a peer says moves the cursor, hides or turns text around, or forges a line, in an error neither. */
const visible = (line: string): string =>
  line.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)

/** Whose certificate it is, who says so and until when: what one looks for first when it is refused. */
const certificate = ({
  certificate: der
}: Extract<HandshakeMessage, { _tag: "Certificate" }>["entries"][number]): string =>
  Either.match(Certificate.decodeCached(der), {
    onLeft: () => "one that cannot be read",
    onRight: ({ issuer, notAfter, subject }) =>
      `"${subject.toString()}" by "${issuer.toString()}" until ${notAfter.toISOString().slice(0, 10)}`
  })

const clientHello = (hello: ClientHello.ClientHello): ReadonlyArray<string> => [
  ...field("versions", ClientHello.supportedVersionNames(hello)),
  ...field("name", Option.toArray(ClientHello.serverName(hello)).map(quoted)),
  ...field("suites", ClientHello.cipherSuiteNames(hello)),
  ...field("groups", ClientHello.groupNames(hello)),
  ...field("key shares", ClientHello.keyShareNames(hello)),
  ...field("schemes", ClientHello.signatureSchemeNames(hello)),
  ...field("ALPN", ClientHello.applicationProtocols(hello).map(quoted))
]

const answered = (extension: Extension.Extension): ReadonlyArray<string> => {
  switch (extension._tag) {
    case "SelectedVersion":
      return [ProtocolVersion.name(extension.version)]
    case "KeyShareAnswer":
      return [NamedGroup.name(extension.share.group)]
    case "KeyShareRequest":
      return [`wants ${NamedGroup.name(extension.group)}`]
    case "Cookie":
      return [`a cookie of ${extension.cookie.length} bytes`]
    case "ApplicationProtocols":
      return field("ALPN", extension.protocols.map(quoted))
    case "ServerNameAcknowledged":
      return ["name known"]
    case "RecordSizeLimit":
      return [`records of up to ${extension.limit} bytes`]
    case "SupportedGroups":
      return field("groups", extension.groups.map(NamedGroup.name))
    case "SignatureAlgorithms":
      return field("schemes", extension.schemes.map(SignatureScheme.name))
    case "CertificateAuthorities":
      return [count(extension.authorities.length, "authority", "authorities")]
    default:
      return []
  }
}

const count = (number: number, one: string, many = `${one}s`): string => `${number} ${number === 1 ? one : many}`

const details = (message: HandshakeMessage): ReadonlyArray<string> => {
  switch (message._tag) {
    case "ClientHello":
      return clientHello(message)
    case "ServerHello":
    case "HelloRetryRequest":
      return [
        ...message.extensions.filter(({ _tag }) => _tag === "SelectedVersion").flatMap(answered),
        CipherSuite.name(message.cipherSuite),
        ...message.extensions.filter(({ _tag }) => _tag !== "SelectedVersion").flatMap(answered)
      ]
    case "EncryptedExtensions":
    case "CertificateRequest":
      return message.extensions.flatMap(answered)
    case "Certificate":
      return message.entries.length === 0 ? ["no certificate"] : message.entries.map(certificate)
    case "CertificateVerify":
      return [SignatureScheme.name(message.scheme)]
    case "NewSessionTicket":
      return [`good for ${message.lifetime} s`]
    case "KeyUpdate":
      return message.request === 1 ? ["asks for ours"] : []
    case "Finished":
    case "EndOfEarlyData":
    case "UnknownMessage":
      return []
  }
}

const nameOf = (message: HandshakeMessage): string =>
  message._tag === "UnknownMessage" ? HandshakeType.name(message.type) : message._tag

const formatMessage = (arrow: string, message: HandshakeMessage, length: number): string =>
  [`${arrow} ${nameOf(message)}, ${count(length, "byte")}`, details(message).join("; ")]
    .filter((part) => part !== "")
    .join(": ")

/**
 * What happened, on one line: `→` is sent, `←` received. Without the role, which is the caller's to say.
 *
 * @since 0.1.0
 * @category conversions
 */
export const format = (event: TraceEvent): string => visible(formatEvent(event))

const formatEvent = (event: TraceEvent): string => {
  switch (event._tag) {
    case "MessageSent":
      return formatMessage("→", event.message, event.length)
    case "MessageReceived":
      return formatMessage("←", event.message, event.length)
    case "ChangeCipherSpecSent":
      return "→ ChangeCipherSpec"
    case "ChangeCipherSpecReceived":
      return "← ChangeCipherSpec"
    case "AlertSent":
      return `→ Alert: ${Alert.name(event.description)}`
    case "AlertReceived":
      return `← Alert: ${Alert.name(event.description)}`
    case "KeysChanged":
      return `· ${event.direction === "read" ? "reads" : "writes"} with ${event.stage} keys from here`
    case "HandshakeFailed":
      return formatError(event.error)
  }
}

/** Where, what and why, and what to do about it. */
const formatError = ({ _tag, hint, message, phase, reason }: TlsError): string =>
  `✗ ${_tag} (${reason}) in ${phase}: ${message.replaceAll("\n", "; ")}. ${hint}`

/**
 * The name of a connection on its lines: who we are in it, its number, and with whom.
 *
 * @since 0.1.0
 * @category conversions
 */
export const formatConnection = (role: "client" | "server", { id, remoteAddress }: TraceConnection): string =>
  [`${role}#${id}`, ...Option.toArray(Option.map(remoteAddress, String))].join(" ")

/**
 * Prints each event as a line, `client#1 192.0.2.1:443 → ClientHello, 517 bytes: …`, with `write`: `console.error` if not given, so
 * that standard output stays the program's own.
 *
 * @example
 * import { Effect } from "effect"
 * import { ConsoleHandshakeTrace } from "effect-tls/node"
 *
 * const watched = Effect.provide(ConsoleHandshakeTrace.layer())
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: { readonly write?: (line: string) => void } = {}): Layer.Layer<never> => {
  const write = options.write ?? ((line) => console.error(line))
  return Layer.succeed(HandshakeTrace, {
    record: (role, event, connection) => write(`${formatConnection(role, connection)} ${format(event)}`)
  })
}
