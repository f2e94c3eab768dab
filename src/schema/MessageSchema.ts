/**
 * Handshake messages for whoever wants to look into a capture, a log or a ClientHello before it is answered: Schemas
 * between bytes and the values of `HandshakeMessage`.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { equals, toHex } from "./Bytes.ts"
import type { HandshakeMessage } from "./HandshakeMessage.ts"
import { decode, encode } from "./HandshakeMessage.ts"
import * as Arbitrary from "./MessageArbitrary.ts"

/**
 * A message of a tag.
 *
 * @since 0.1.0
 * @category models
 */
export type MessageOf<T extends HandshakeMessage["_tag"]> = Extract<HandshakeMessage, { readonly _tag: T }>

const same = (a: unknown, b: unknown): boolean => {
  if (a instanceof Uint8Array) return b instanceof Uint8Array && equals(a, b)
  if (typeof a !== "object" || a === null || typeof b !== "object" || b === null) return a === b
  const keys = Object.keys(a) as Array<keyof typeof a>
  return keys.length === Object.keys(b).length && keys.every((key) => key in b && same(a[key], b[key]))
}

/** The bytes of what may be a message: those that a reader would take for the same value, or why there are none. */
const write = (message: HandshakeMessage): Either.Either<Uint8Array, string> => {
  let bytes: Uint8Array
  try {
    bytes = encode(message).slice()
  } catch (error) {
    // A vector that is too long, or a value that only claims to be a message.
    return Either.left(error instanceof Error ? error.message : String(error))
  }
  return Either.flatMap(
    Either.mapLeft(decode(bytes), (error) => error.message),
    (read) => (same(read, message) ? Either.right(bytes) : Either.left("its bytes would be another message"))
  )
}

/**
 * Whether something is a message of ours that has bytes: every number fits its field, every list has the length it may
 * have.
 *
 * @since 0.1.0
 * @category guards
 */
export const isHandshakeMessage = (u: unknown): u is HandshakeMessage =>
  typeof u === "object" && u !== null && "_tag" in u && Either.isRight(write(u as HandshakeMessage))

/**
 * A message as text for people: its tag and its fields, bytes in hexadecimal.
 *
 * @since 0.1.0
 * @category conversions
 */
export const format = ({ _tag, ...fields }: HandshakeMessage): string =>
  `${_tag} ${JSON.stringify(fields, (_, value: unknown) => (value instanceof Uint8Array ? toHex(value) : value))}`

/**
 * Any handshake message as a value.
 *
 * @since 0.1.0
 * @category schemas
 */
export const HandshakeMessageFromSelf: Schema.Schema<HandshakeMessage> = Schema.declare(isHandshakeMessage, {
  identifier: "HandshakeMessage",
  description: "a TLS 1.3 handshake message",
  pretty: () => format,
  arbitrary: () => Arbitrary.handshakeMessage,
  equivalence: () => same
})

/**
 * The messages of one tag as values.
 *
 * @since 0.1.0
 * @category schemas
 */
export const messageFromSelf = <T extends HandshakeMessage["_tag"]>(tag: T): Schema.Schema<MessageOf<T>> =>
  Schema.declare((u): u is MessageOf<T> => isHandshakeMessage(u) && u._tag === tag, {
    identifier: tag,
    description: `a TLS 1.3 ${tag}`,
    pretty: () => format,
    arbitrary: () => Arbitrary.messages[tag],
    equivalence: () => same
  })

/**
 * Any handshake message, header included, from and to its bytes. The value's byte strings are views of the input.
 *
 * @example
 * import * as Schema from "effect/Schema"
 * import { MessageSchema } from "effect-tls"
 *
 * Schema.decodeSync(MessageSchema.HandshakeMessageFromBytes)(Uint8Array.of(24, 0, 0, 1, 0))
 * // { _tag: "KeyUpdate", request: 0 }
 *
 * @since 0.1.0
 * @category schemas
 */
export const HandshakeMessageFromBytes: Schema.Schema<HandshakeMessage, Uint8Array> = Schema.transformOrFail(
  Schema.Uint8ArrayFromSelf,
  HandshakeMessageFromSelf,
  {
    strict: true,
    decode: (bytes, _, ast) =>
      Either.mapLeft(decode(bytes), (error) => new ParseResult.Type(ast, bytes, error.message)),
    encode: (message, _, ast) =>
      Either.mapLeft(write(message), (problem) => new ParseResult.Type(ast, message, problem))
  }
).annotations({ identifier: "HandshakeMessageFromBytes" })

/**
 * The messages of one tag, header included, from and to their bytes. The value's byte strings are views of the input.
 *
 * @since 0.1.0
 * @category schemas
 */
export const messageFromBytes = <T extends HandshakeMessage["_tag"]>(tag: T): Schema.Schema<MessageOf<T>, Uint8Array> =>
  Schema.transformOrFail(Schema.Uint8ArrayFromSelf, messageFromSelf(tag), {
    strict: true,
    decode: (bytes, _, ast) =>
      Either.flatMap(
        Either.mapLeft(decode(bytes), (error) => error.message),
        (message) =>
          message._tag === tag ? Either.right(message as MessageOf<T>) : Either.left(`${message._tag}, not ${tag}`)
      ).pipe(Either.mapLeft((problem) => new ParseResult.Type(ast, bytes, problem))),
    encode: (message, _, ast) =>
      Either.mapLeft(write(message), (problem) => new ParseResult.Type(ast, message, problem))
  }).annotations({ identifier: `${tag}FromBytes` })
