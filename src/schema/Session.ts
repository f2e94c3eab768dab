/**
 * What is kept of a connection so that a later one can resume it (RFC 9846 §2.2): by a client as it is, by a server sealed
 * in the ticket that the client brings back. Each has bytes, so that sessions can be kept anywhere.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { ByteReader, DecodeError } from "./ByteReader.ts"
import { decode as decodeWith } from "./ByteReader.ts"
import { ByteWriter } from "./ByteWriter.ts"
import { toLatin1 } from "./Bytes.ts"
import * as CipherSuite from "./CipherSuite.ts"
import * as SignatureScheme from "./SignatureScheme.ts"

/**
 * A session that can be resumed. Times are in milliseconds since 1970, `lifetime` is in seconds from `createdAt`.
 * `authenticatedAt` is when the handshake was that showed certificates: a session that is resumed again and again stays as
 * old as that. `binding` is a hash of what has to be the same for it to be resumed. `certificates` are the peer's (DER, leaf
 * first), which a resumed handshake does not show again, `staple` is the OCSP response (DER) that came with them.
 *
 * @since 0.1.0
 * @category models
 */
export interface Session {
  readonly cipherSuite: CipherSuite.CipherSuite
  readonly secret: Redacted.Redacted<Uint8Array>
  readonly createdAt: number
  readonly lifetime: number
  readonly authenticatedAt: number
  readonly binding: Uint8Array
  /** Empty where none was negotiated. */
  readonly alpn: string
  readonly serverScheme: SignatureScheme.SignatureScheme
  readonly clientScheme: SignatureScheme.SignatureScheme | undefined
  readonly certificates: ReadonlyArray<Uint8Array>
  readonly staple: Uint8Array | undefined
}

/**
 * A session as a client keeps it: with the ticket that stands for it, and what its age is hidden with.
 *
 * @since 0.1.0
 * @category models
 */
export interface ClientSession extends Session {
  readonly ticket: Uint8Array
  readonly ageAdd: number
}

/** What was written by another version of this library is no session, and no harm. */
const format = 1

/** Milliseconds since 1970 take six bytes until the year 10889. */
const writeTime = (writer: ByteWriter, time: number): ByteWriter =>
  writer.uint16(Math.floor(time / 2 ** 32)).uint32(time % 2 ** 32)

const readTime = (reader: ByteReader): number => reader.uint16() * 2 ** 32 + reader.uint32()

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0))

const write = (writer: ByteWriter, session: Session): ByteWriter => {
  writer.uint8(format).uint16(session.cipherSuite)
  writer.vector8((w) => w.raw(Redacted.value(session.secret)))
  writeTime(writer, session.createdAt).uint32(session.lifetime)
  return writeTime(writer, session.authenticatedAt)
    .vector8((w) => w.raw(session.binding))
    .vector8((w) => w.raw(ascii(session.alpn)))
    .uint16(session.serverScheme)
    .uint16(session.clientScheme ?? 0)
    .vector24((list) => session.certificates.forEach((der) => list.vector24((w) => w.raw(der))))
    .vector24((w) => w.raw(session.staple ?? new Uint8Array(0)))
}

/** Copies throughout: a session outlives the bytes it was read from, and its secret is wiped with it. */
const read = (reader: ByteReader): Session => {
  const version = reader.uint8()
  if (version !== format) reader.fail(`a session in format ${version}, which is not ${format}`)
  const cipherSuite = CipherSuite.make(reader.uint16())
  const secret = Redacted.make(reader.vector8(1).rest().slice())
  const createdAt = readTime(reader)
  const lifetime = reader.uint32()
  const authenticatedAt = readTime(reader)
  const binding = reader.vector8().rest().slice()
  const alpn = toLatin1(reader.vector8().rest())
  const serverScheme = SignatureScheme.make(reader.uint16())
  const clientScheme = reader.uint16()
  const certificates = reader.vector24().many((list) => list.vector24(1).rest().slice())
  const staple = reader.vector24().rest().slice()
  return {
    cipherSuite,
    secret,
    createdAt,
    lifetime,
    authenticatedAt,
    binding,
    alpn,
    serverScheme,
    clientScheme: clientScheme === 0 ? undefined : SignatureScheme.make(clientScheme),
    certificates,
    staple: staple.length === 0 ? undefined : staple
  }
}

/**
 * A session's bytes, the secret in them.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encode = (session: Session): Uint8Array => write(new ByteWriter(lengthOf(session)), session).finish()

/** Room for a session, so that no half of its secret is left behind in a buffer that became too small. */
const lengthOf = ({ certificates, staple }: Session): number =>
  1024 + certificates.reduce((length, der) => length + 3 + der.length, staple?.length ?? 0)

/**
 * A session from its bytes.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decode: (bytes: Uint8Array) => Either.Either<Session, DecodeError> = decodeWith("session", read)

const encodeClient = (session: ClientSession): Uint8Array =>
  write(new ByteWriter(lengthOf(session) + 6 + session.ticket.length), session)
    .vector16((w) => w.raw(session.ticket))
    .uint32(session.ageAdd)
    .finish()

const decodeClient: (bytes: Uint8Array) => Either.Either<ClientSession, DecodeError> = decodeWith(
  "session",
  (reader) => {
    const session = read(reader)
    return { ...session, ticket: reader.vector16(1).rest().slice(), ageAdd: reader.uint32() }
  }
)

const isBytes = Predicate.isUint8Array
const isWhole = (u: unknown): boolean => Number.isSafeInteger(u)

/**
 * @since 0.1.0
 * @category guards
 */
export const isClientSession = (u: unknown): u is ClientSession => {
  if (typeof u !== "object" || u === null) return false
  const session = u as { readonly [K in keyof ClientSession]?: unknown }
  const { certificates, clientScheme, secret, staple } = session
  return (
    Redacted.isRedacted(secret) &&
    isBytes(Redacted.value(secret)) &&
    [session.cipherSuite, session.createdAt, session.lifetime, session.authenticatedAt].every(isWhole) &&
    [session.serverScheme, session.ageAdd, clientScheme ?? 0].every(isWhole) &&
    [session.binding, session.ticket, staple ?? session.ticket].every(isBytes) &&
    typeof session.alpn === "string" &&
    Array.isArray(certificates) &&
    certificates.every(isBytes)
  )
}

const ClientSessionFromSelf: Schema.Schema<ClientSession> = Schema.declare(isClientSession, {
  identifier: "ClientSession",
  message: () => ({ message: "expected a session (value hidden)", override: true })
})

/**
 * A client's session from and to bytes, for caches that keep them outside of the process. They hold the session's secret:
 * who has them can resume it.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ClientSessionFromBytes: Schema.Schema<ClientSession, Uint8Array> = Schema.transformOrFail(
  Schema.Uint8ArrayFromSelf.annotations({
    message: () => ({ message: "expected the bytes of a session (value hidden)", override: true })
  }),
  ClientSessionFromSelf,
  {
    strict: true,
    decode: (bytes, _, ast) =>
      Either.mapLeft(decodeClient(bytes), (error) => new ParseResult.Type(ast, undefined, error.message)),
    encode: (session) => ParseResult.succeed(encodeClient(session))
  }
).annotations({ message: () => ({ message: "these bytes are no session (value hidden)", override: true }) })
