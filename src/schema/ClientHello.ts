/**
 * The ClientHello for whoever reads one: a hook that chooses by it, a router that looks at the name before it forwards,
 * a tool that prints a capture. Schemas from bytes and records, and what a hello says in words.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { DecodeError } from "./ByteReader.ts"
import { concat, toLatin1 } from "./Bytes.ts"
import * as CipherSuite from "./CipherSuite.ts"
import * as ContentType from "./ContentType.ts"
import * as Extension from "./Extension.ts"
import * as ExtensionType from "./ExtensionType.ts"
import type * as Message from "./HandshakeMessage.ts"
import { decode, encode, headerLength as messageHeaderLength } from "./HandshakeMessage.ts"
import * as HandshakeType from "./HandshakeType.ts"
import { defaults } from "./Limits.ts"
import { messageFromBytes, messageFromSelf } from "./MessageSchema.ts"
import * as NamedGroup from "./NamedGroup.ts"
import * as ProtocolVersion from "./ProtocolVersion.ts"
import { headerLength, maxPlaintext, writeHeader } from "./Record.ts"
import * as SignatureScheme from "./SignatureScheme.ts"

/**
 * @since 0.1.0
 * @category models
 */
export type ClientHello = Message.ClientHello

// ---------------------------------------------------------------------------------------------------------------------
// What it says
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The host name the client asks for (RFC 6066 §3), as it was sent: one character per byte, and nothing promised about
 * its form. `ServerName.parse` makes a name of it.
 *
 * @since 0.1.0
 * @category getters
 */
export const serverName = (hello: ClientHello): Option.Option<string> => {
  const host = Extension.find(hello.extensions, "ServerName")?.names.find(({ type }) => type === 0)
  return host === undefined ? Option.none() : Option.some(toLatin1(host.name))
}

/**
 * The application protocols offered (ALPN, RFC 7301), best first; none when the client does not say.
 *
 * @since 0.1.0
 * @category getters
 */
export const applicationProtocols = (hello: ClientHello): ReadonlyArray<string> =>
  Extension.find(hello.extensions, "ApplicationProtocols")?.protocols ?? []

/**
 * The versions offered, best first. Where the extension is missing it is `legacyVersion` that counts, and it stands for
 * that version and those before it (RFC 9846 §4.2.1).
 *
 * @since 0.1.0
 * @category getters
 */
export const supportedVersions = (hello: ClientHello): ReadonlyArray<ProtocolVersion.ProtocolVersion> =>
  Extension.find(hello.extensions, "SupportedVersions")?.versions ?? [hello.legacyVersion]

/**
 * The versions offered by name (`TLSv1.3`), best first; unknown ones in hexadecimal.
 *
 * @since 0.1.0
 * @category getters
 */
export const supportedVersionNames = (hello: ClientHello): ReadonlyArray<string> =>
  supportedVersions(hello).map(ProtocolVersion.name)

/**
 * The cipher suites offered by IANA name, best first; those we do not speak in hexadecimal.
 *
 * @since 0.1.0
 * @category getters
 */
export const cipherSuiteNames = (hello: ClientHello): ReadonlyArray<string> => hello.cipherSuites.map(CipherSuite.name)

/**
 * The groups offered by IANA name, best first; unknown ones in hexadecimal.
 *
 * @since 0.1.0
 * @category getters
 */
export const groupNames = (hello: ClientHello): ReadonlyArray<string> =>
  Extension.find(hello.extensions, "SupportedGroups")?.groups.map(NamedGroup.name) ?? []

/**
 * The groups of which the hello has a key share, by IANA name; unknown ones in hexadecimal.
 *
 * @since 0.1.0
 * @category getters
 */
export const keyShareNames = (hello: ClientHello): ReadonlyArray<string> =>
  Extension.find(hello.extensions, "KeyShareOffer")?.shares.map(({ group }) => NamedGroup.name(group)) ?? []

/**
 * The signature schemes accepted by IANA name, best first; unknown ones in hexadecimal.
 *
 * @since 0.1.0
 * @category getters
 */
export const signatureSchemeNames = (hello: ClientHello): ReadonlyArray<string> =>
  Extension.find(hello.extensions, "SignatureAlgorithms")?.schemes.map(SignatureScheme.name) ?? []

/**
 * The extensions by IANA name, in the order sent; unknown ones as `extension 2570`.
 *
 * @since 0.1.0
 * @category getters
 */
export const extensionNames = (hello: ClientHello): ReadonlyArray<string> =>
  hello.extensions.map((extension) => ExtensionType.name(Extension.typeOf(extension)))

/**
 * A hello in words, one line per matter.
 *
 * @since 0.1.0
 * @category conversions
 */
export const format = (hello: ClientHello): string =>
  [
    "ClientHello",
    `server name: ${Option.match(serverName(hello), { onNone: () => "none", onSome: (name) => JSON.stringify(name) })}`,
    `versions: ${supportedVersionNames(hello).join(", ")}`,
    `cipher suites: ${cipherSuiteNames(hello).join(", ")}`,
    `groups: ${groupNames(hello).join(", ")}`,
    `key shares: ${keyShareNames(hello).join(", ")}`,
    `signature schemes: ${signatureSchemeNames(hello).join(", ")}`,
    `application protocols: ${applicationProtocols(hello)
      .map((protocol) => JSON.stringify(protocol))
      .join(", ")}`,
    `extensions: ${extensionNames(hello).join(", ")}`
  ].join("\n  ")

// ---------------------------------------------------------------------------------------------------------------------
// Records
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The ClientHello at the start of what a client sends; `None` while more of that is needed to tell. What follows the
 * hello is not looked at. Who waits for a name need not keep more than the largest hello, 64 KiB and the headers of its
 * records: a longer one is an error, as is anything else that is no hello, as soon as that shows. Positions in an error
 * are those in the stream, or in the message for what is wrong with the message itself.
 *
 * @example
 * import * as Either from "effect/Either"
 * import * as Option from "effect/Option"
 * import { ClientHello } from "effect-tls"
 *
 * declare const peeked: Uint8Array // the first bytes from the socket
 * const name = Either.map(ClientHello.fromRecords(peeked), Option.flatMap(ClientHello.serverName))
 *
 * @since 0.1.0
 * @category decoding
 */
export const fromRecords = (stream: Uint8Array): Either.Either<Option.Option<ClientHello>, DecodeError> => {
  const fail = (at: number, problem: string) =>
    Either.left(new DecodeError({ what: "ClientHello record", at, problem }))
  // First the message's header, then, once that tells the length, all of it.
  let message = new Uint8Array(messageHeaderLength)
  let filled = 0
  let at = 0
  for (;;) {
    const header = stream.subarray(at, at + headerLength)
    if (header.length > 0 && header[0] !== ContentType.handshake) {
      return fail(at, `a record of the type ${header[0]}, not of handshake messages`)
    }
    if (header.length > 1 && header[1] !== 3) return fail(at + 1, "not the version of a TLS record")
    if (header.length < headerLength) return Either.right(Option.none())
    const length = (header[3]! << 8) | header[4]!
    if (length === 0 || length > maxPlaintext) {
      return fail(at + 3, `a record of ${length} bytes, 1 to ${maxPlaintext} expected`)
    }
    const start = at + headerLength
    at = start + length
    for (let from = start; from < Math.min(at, stream.length);) {
      const taken = stream.subarray(from, Math.min(at, from + message.length - filled))
      message.set(taken, filled)
      filled += taken.length
      from += taken.length
      if (message[0] !== HandshakeType.codes.ClientHello) {
        return fail(start, `a ${HandshakeType.name(message[0]!)}, not a ClientHello`)
      }
      if (filled < message.length) break
      const end = messageHeaderLength + ((message[1]! << 16) | (message[2]! << 8) | message[3]!)
      if (filled === end) return Either.map(decode(message), (hello) => Option.some(hello as ClientHello))
      if (end > messageHeaderLength + defaults.handshakeMessage) {
        return fail(
          start,
          `a ClientHello of ${end - messageHeaderLength} bytes, at most ${defaults.handshakeMessage} allowed`
        )
      }
      const whole = new Uint8Array(end)
      whole.set(message)
      message = whole
    }
  }
}

/** Records as a client sends them: with the version of TLS 1.0, for middleboxes (RFC 9846 §5.1). */
const toRecords = (hello: Uint8Array): Uint8Array => {
  const records: Array<Uint8Array> = []
  for (let from = 0; from < hello.length; from += maxPlaintext) {
    const fragment = hello.subarray(from, from + maxPlaintext)
    const header = new Uint8Array(headerLength)
    writeHeader(header, 0, ContentType.handshake, fragment.length, ProtocolVersion.tls10)
    records.push(header, fragment)
  }
  return concat(records)
}

// ---------------------------------------------------------------------------------------------------------------------
// Schemas
// ---------------------------------------------------------------------------------------------------------------------

/**
 * A ClientHello as a value.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ClientHelloFromSelf: Schema.Schema<ClientHello> = messageFromSelf("ClientHello").annotations({
  pretty: () => format
})

/**
 * A ClientHello from and to the bytes of its handshake message, header included. What is wrong with the bytes is said
 * with its position. The value's byte strings are views of the input.
 *
 * @example
 * import * as Schema from "effect/Schema"
 * import { ClientHello } from "effect-tls"
 *
 * declare const message: Uint8Array
 * const hello = Schema.decodeSync(ClientHello.ClientHelloFromBytes)(message)
 * ClientHello.serverName(hello) // Option.some("example.com")
 * ClientHello.cipherSuiteNames(hello) // ["TLS_AES_128_GCM_SHA256", ...]
 *
 * // Out of base64, or of any text that a Schema turns into bytes:
 * const ClientHelloFromBase64 = Schema.compose(Schema.Uint8ArrayFromBase64, ClientHello.ClientHelloFromBytes)
 *
 * @since 0.1.0
 * @category schemas
 */
export const ClientHelloFromBytes: Schema.Schema<ClientHello, Uint8Array> = messageFromBytes("ClientHello")

/**
 * A ClientHello from the start of a captured stream, and to the records a client would send. See `fromRecords`, which
 * also tells an incomplete hello from a wrong one.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ClientHelloFromRecords: Schema.Schema<ClientHello, Uint8Array> = Schema.transformOrFail(
  Schema.Uint8ArrayFromSelf,
  ClientHelloFromSelf,
  {
    strict: true,
    decode: (stream, _, ast) =>
      Either.flatMap(
        Either.mapLeft(fromRecords(stream), (error) => error.message),
        Either.fromOption(() => `the stream ends within the ClientHello (at byte ${stream.length})`)
      ).pipe(Either.mapLeft((problem) => new ParseResult.Type(ast, stream, problem))),
    encode: (hello) => ParseResult.succeed(toRecords(encode(hello)))
  }
).annotations({ identifier: "ClientHelloFromRecords" })
