/**
 * The options of `tls.createSecureContext`, `tls.connect` and `tls.createServer`, by name: which forms each takes, and why
 * some cannot be honoured. Nothing is passed over: an option that would have no effect is an error that says so.
 *
 * @since 0.1.0
 */
import { constants } from "node:crypto"
import type * as Tls from "node:tls"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Arr from "effect/Array"
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import { described } from "../core/OptionSchema.ts"
import type { PrivateKey } from "../core/PrivateKey.ts"
import { isPrivateKey } from "../core/PrivateKey.ts"
import type { SecureContext } from "../core/SecureContext.ts"
import { isSecureContext } from "../core/SecureContext.ts"
import * as Suggestion from "../schema/Suggestion.ts"
import { ConfigIssue, TlsConfigError } from "../schema/TlsError.ts"

/**
 * What Node takes as the content of a file: text, or bytes in any view.
 *
 * @since 0.1.0
 * @category models
 */
export type Data = string | NodeJS.ArrayBufferView

/**
 * As `Data`, better `Redacted`.
 *
 * @since 0.1.0
 * @category models
 */
export type SecretData = Data | Redacted.Redacted<string> | Redacted.Redacted<Uint8Array>

/**
 * @since 0.1.0
 * @category models
 */
export type Passphrase = string | Redacted.Redacted

/**
 * A private key: a file's content, or a signer of ours.
 *
 * @since 0.1.0
 * @category models
 */
export type Key = SecretData | PrivateKey

/**
 * @since 0.1.0
 * @category models
 */
export type ListOr<A> = A | ReadonlyArray<A>

/**
 * Called with a context, or with nothing for the one that the option stands in.
 *
 * @since 0.1.0
 * @category models
 */
export type SniCallback = (
  servername: string,
  callback: (error: Error | null, context?: SecureContext | Tls.SecureContext) => void
) => void

/** Our forms of options besides Node's. */
interface OwnForms {
  readonly ALPNProtocols?: ListOr<Data> | undefined
  readonly SNICallback?: SniCallback | undefined
  readonly ca?: ListOr<Data> | undefined
  readonly cert?: ListOr<Data> | undefined
  readonly crl?: ListOr<Data> | undefined
  readonly key?:
    Key | ReadonlyArray<Key | { readonly pem: SecretData; readonly passphrase?: Passphrase | undefined }> | undefined
  readonly passphrase?: Passphrase | undefined
  readonly pfx?:
    | SecretData
    | ReadonlyArray<SecretData | { readonly buf: SecretData; readonly passphrase?: Passphrase | undefined }>
    | undefined
  // Node documents it for `tls.connect`, and its types have it elsewhere.
  readonly requestOCSP?: boolean | undefined
  readonly secureContext?: SecureContext | Tls.SecureContext | undefined
  // In the two functions of Node it is two types.
  readonly pskCallback?: unknown
}

/**
 * Options under Node's names, in its forms or ours.
 *
 * @since 0.1.0
 * @category models
 */
export type NodeOptions = OwnForms &
  Omit<Partial<Tls.SecureContextOptions & Tls.ConnectionOptions & Tls.TlsOptions>, keyof OwnForms>

// ---------------------------------------------------------------------------------------------------------------------
// Forms
// ---------------------------------------------------------------------------------------------------------------------

interface Form {
  readonly expected: string
  readonly is: (u: unknown) => boolean
  /** Also a list of these, of which the one that is wrong is named. */
  readonly isList?: true
}

const form = (expected: string, is: (u: unknown) => boolean): Form => ({ expected, is })
const listOf = (one: Form): Form => ({ ...one, isList: true })

const isData = (u: unknown): boolean => (typeof u === "string" && u !== "") || ArrayBuffer.isView(u)
const isSecretData = (u: unknown): boolean => {
  const value: unknown = Redacted.isRedacted(u) ? Redacted.value(u) : u
  return isData(value)
}
const isPassphrase = (u: unknown): boolean => typeof (Redacted.isRedacted(u) ? Redacted.value(u) : u) === "string"
const hasPassphrase = (u: object): boolean =>
  !("passphrase" in u) || u.passphrase === undefined || isPassphrase(u.passphrase)

const boolean = form("true or false", Predicate.isBoolean)
const text = form("text", (u) => typeof u === "string")
const someText = form("text that is not empty", (u) => typeof u === "string" && u !== "")
// Errors of the transport show where it was to connect: not a file that was given by mistake.
const someLine = form("one line of text", (u) => typeof u === "string" && /^[^\r\n]+$/.test(u))
const fn = form("a function", Predicate.isFunction)
const whole = (min: number, max: number): Form =>
  form(
    `a whole number from ${min} to ${max}`,
    (u) => Number.isInteger(u) && (u as number) >= min && (u as number) <= max
  )
const number = form("a number", (u) => typeof u === "number" && !Number.isNaN(u))
const data = form("text that is not empty, or bytes", isData)
const certificates = form("PEM text, or the bytes of a PEM or DER file", isData)
const anything = form("a value", () => true)
const version = form('"TLSv1.3", "TLSv1.2", "TLSv1.1" or "TLSv1"', (u) =>
  ["TLSv1.3", "TLSv1.2", "TLSv1.1", "TLSv1"].includes(u as string)
)

// ---------------------------------------------------------------------------------------------------------------------
// What cannot be honoured
// ---------------------------------------------------------------------------------------------------------------------

type Refuse = (value: unknown) => string | undefined

const always =
  (why: string): Refuse =>
  () =>
    why
const unlessFalse =
  (why: string): Refuse =>
  (value) =>
    value === false ? undefined : why
const unlessEmpty =
  (why: string): Refuse =>
  (value) =>
    Array.isArray(value) && value.length === 0 ? undefined : why
const unlessTrue =
  (why: string): Refuse =>
  (value) =>
    value === true ? undefined : why

const noEngine = always(
  "OpenSSL's engines are not used: a key that is held elsewhere is a `PrivateKey`, given as `key`"
)
const noSession = always("a client keeps its sessions in a cache: give a `secureContext` with `sessions.cache`")
const noPsk = always("pre-shared keys are not implemented yet")
const givenSocket = always("set it on a socket of your own, and give that as `socket`")

const refuseVersion: Refuse = (value) =>
  value === "TLSv1" || value === "TLSv1.1"
    ? `${value === "TLSv1" ? "TLS 1.0" : "TLS 1.1"} is not spoken (RFC 8996): "TLSv1.2" and "TLSv1.3" are the versions to name`
    : undefined

// Bits that ask for what holds anyway, or are about what is never negotiated.
const heldBits =
  constants.SSL_OP_ALL |
  constants.SSL_OP_CIPHER_SERVER_PREFERENCE |
  constants.SSL_OP_NO_COMPRESSION |
  constants.SSL_OP_NO_ENCRYPT_THEN_MAC |
  constants.SSL_OP_NO_RENEGOTIATION |
  constants.SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION |
  constants.SSL_OP_NO_SSLv2 |
  constants.SSL_OP_NO_SSLv3 |
  constants.SSL_OP_NO_TICKET |
  constants.SSL_OP_NO_TLSv1 |
  constants.SSL_OP_NO_TLSv1_1 |
  constants.SSL_OP_NO_TLSv1_2

const refusedBits: ReadonlyArray<readonly [bit: number, name: string, why: string]> = [
  [constants.SSL_OP_NO_TLSv1_3, "SSL_OP_NO_TLSv1_3", "leaves no version: TLS 1.2 is not spoken yet"],
  [constants.SSL_OP_ALLOW_NO_DHE_KEX, "SSL_OP_ALLOW_NO_DHE_KEX", "would give up forward secrecy"],
  [
    constants.SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION,
    "SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION",
    "would allow what RFC 5746 forbids"
  ],
  [constants.SSL_OP_LEGACY_SERVER_CONNECT, "SSL_OP_LEGACY_SERVER_CONNECT", "would allow what RFC 5746 forbids"],
  [constants.SSL_OP_TLS_ROLLBACK_BUG, "SSL_OP_TLS_ROLLBACK_BUG", "would allow a downgrade"],
  [constants.SSL_OP_PRIORITIZE_CHACHA, "SSL_OP_PRIORITIZE_CHACHA", "is not implemented: the server's order holds"],
  [constants.SSL_OP_COOKIE_EXCHANGE, "SSL_OP_COOKIE_EXCHANGE", "is for DTLS"],
  [constants.SSL_OP_NO_QUERY_MTU, "SSL_OP_NO_QUERY_MTU", "is for DTLS"],
  [constants.SSL_OP_CISCO_ANYCONNECT, "SSL_OP_CISCO_ANYCONNECT", "is for DTLS"]
]

const refuseBits: Refuse = (value) => {
  const bits = value as number
  const problems = refusedBits.flatMap(([bit, name, why]) => ((bits & bit) === 0 ? [] : [`${name} ${why}`]))
  const unknown = bits & ~refusedBits.reduce((known, [bit]) => known | bit, heldBits)
  if (unknown !== 0) problems.push(`the bits 0x${(unknown >>> 0).toString(16)} are unknown here`)
  return problems.length === 0 ? undefined : problems.join("; ")
}

const refuseMethod: Refuse = (value) => {
  const method = String(value)
  if (/^TLS_(client_|server_)?method$/.test(method)) return undefined
  return /^(TLSv1|TLSv1_1|TLSv1_2|SSLv2|SSLv3|SSLv23)_(client_|server_)?method$/.test(method)
    ? `"${method}" leaves out TLS 1.3, and no other version is spoken yet: use \`minVersion\` and \`maxVersion\``
    : `unknown method ${Suggestion.shown(method)}: use \`minVersion\` and \`maxVersion\``
}

const refuseContext: Refuse = (value) =>
  isSecureContext(value)
    ? undefined
    : "a tls.SecureContext keeps its keys to itself: give one that `fromNode` made of the same options"

// ---------------------------------------------------------------------------------------------------------------------
// The table
// ---------------------------------------------------------------------------------------------------------------------

/**
 * `connection` are options of one connection, which a context has no place for; `server` are those that a client's
 * connection would have no use for.
 */
interface Field extends Form {
  readonly of: "context" | "server" | "connection"
  readonly refuse: Refuse | undefined
}

const context = (what: Form, refuse?: Refuse): Field => ({ of: "context", ...what, refuse })
const server = (what: Form, refuse?: Refuse): Field => ({ of: "server", ...what, refuse })
const connection = (what: Form, refuse?: Refuse): Field => ({ of: "connection", ...what, refuse })

const fields = {
  // tls.createSecureContext
  allowPartialTrustChain: context(boolean),
  ca: context(listOf(certificates)),
  cert: context(listOf(certificates)),
  certificateCompression: context(
    anything,
    unlessEmpty("certificates are not compressed (RFC 8879): leave it out, or give an empty list")
  ),
  ciphers: context(text),
  clientCertEngine: context(anything, noEngine),
  crl: context(listOf(certificates)),
  dhparam: context(data, always("finite fields of one's own are TLS 1.2's, which is not spoken yet: leave it out")),
  ecdhCurve: context(text),
  honorCipherOrder: context(boolean, unlessTrue("a server always goes by its own order: true, or nothing")),
  key: context(
    listOf(
      form(
        "a private key: PEM text, the bytes of a PEM or DER file, a PrivateKey, or in a list { pem, passphrase } (value hidden)",
        (u) => isPrivateKey(u) || isSecretData(u)
      )
    )
  ),
  maxVersion: context(version, refuseVersion),
  minVersion: context(version, refuseVersion),
  passphrase: context(form("a passphrase: text (value hidden)", isPassphrase)),
  pfx: context(
    listOf(form("a PKCS#12 bundle: the bytes of a file, or in a list { buf, passphrase } (value hidden)", isSecretData))
  ),
  privateKeyEngine: context(anything, noEngine),
  privateKeyIdentifier: context(anything, noEngine),
  secureOptions: context(whole(0, 0xffff_ffff), refuseBits),
  secureProtocol: context(someText, refuseMethod),
  sessionIdContext: context(text),
  sessionTimeout: context(whole(1, 604_800)),
  sigalgs: context(text),
  ticketKeys: context(form("48 bytes (value hidden)", (u) => ArrayBuffer.isView(u) && u.byteLength === 48)),
  // Of connections and servers, yet a matter of the context
  ALPNCallback: server(fn),
  ALPNProtocols: context(
    listOf(form("a protocol: text or bytes, or one sequence of bytes with their lengths", isData))
  ),
  SNICallback: server(fn),
  checkServerIdentity: context(fn),
  handshakeTimeout: context(form("milliseconds, more than zero", (u) => Number.isFinite(u) && (u as number) > 0)),
  // There are finite fields by `ecdhCurve` only, with which it is compared.
  minDHSize: context(whole(1, 2 ** 31 - 1)),
  pskCallback: context(fn, noPsk),
  pskIdentityHint: context(text, noPsk),
  rejectUnauthorized: context(boolean),
  requestCert: context(boolean),
  requestOCSP: context(boolean),
  secureContext: context(
    form("a SecureContext", (u) => typeof u === "object"),
    refuseContext
  ),
  enableTrace: context(boolean, unlessFalse("provide the layer `ConsoleHandshakeTrace.layer` instead")),
  // tls.connect
  host: connection(someLine),
  path: connection(someLine),
  port: connection(
    form(
      "a port from 0 to 65535",
      (u) => (typeof u === "number" || typeof u === "string") && /^\d{1,5}$/.test(String(u)) && Number(u) <= 65_535
    )
  ),
  servername: connection(text),
  session: connection(anything, noSession),
  socket: connection(
    form(
      "a stream that is read and written",
      (u) => Predicate.hasProperty(u, "write") && Predicate.hasProperty(u, "read") && Predicate.hasProperty(u, "pipe")
    )
  ),
  timeout: connection(number, always("idle connections are not timed: `Effect.timeout` what you read")),
  onread: connection(anything, always("a connection is pulled: `connection.pull` gives what was decrypted")),
  signal: connection(anything, always("interrupt the fiber, or close the Scope, instead")),
  lookup: connection(fn, givenSocket),
  localAddress: connection(text, givenSocket),
  localPort: connection(number, givenSocket),
  family: connection(number, givenSocket),
  hints: connection(number, givenSocket),
  autoSelectFamily: connection(boolean, givenSocket),
  autoSelectFamilyAttemptTimeout: connection(number, givenSocket),
  typeOfService: connection(number, givenSocket),
  fd: connection(anything, givenSocket),
  handle: connection(anything, givenSocket),
  readable: connection(boolean, unlessTrue("a connection is read and written: true, or nothing")),
  writable: connection(boolean, unlessTrue("a connection is read and written: true, or nothing")),
  // net.createServer, and sockets in general
  allowHalfOpen: context(
    boolean,
    unlessTrue("connections are always half-open: the end of the peer's side ends not ours")
  ),
  blockList: context(anything, always("refuse connections in the handler, by their `remoteAddress`")),
  highWaterMark: context(number, always("it is the transport's: `NodeTransport.make({ readAhead })`")),
  keepAlive: context(boolean, unlessFalse("the transport sets no TCP keep-alive")),
  keepAliveInitialDelay: context(number, always("the transport sets no TCP keep-alive")),
  noDelay: context(boolean, unlessTrue("the transport has Nagle's algorithm off: true, or nothing")),
  // A connection is read when somebody pulls: whether it was paused before makes no difference.
  pauseOnConnect: context(boolean),
  // new tls.TLSSocket
  isServer: context(boolean, always("`TlsClient.over` and `TlsServer.over` run TLS over a stream that is open")),
  server: context(anything, always("`TlsServer.over` runs TLS over a stream that is open"))
} satisfies Readonly<Record<string, Field>>

const fieldOf = (name: string): Field | undefined =>
  Object.hasOwn(fields, name) ? (fields as Readonly<Record<string, Field>>)[name] : undefined

/** What is wrong with the form of a value, with the path of the part that is wrong. */
const misformed = (name: string, value: unknown, { expected, is, isList }: Form): ReadonlyArray<ConfigIssue> => {
  const issue = (path: string, found: unknown) =>
    new ConfigIssue({ path, message: `expected ${expected}, found ${described(found)}` })
  if (isList !== true || !Array.isArray(value)) return is(value) ? [] : [issue(name, value)]
  return (value as ReadonlyArray<unknown>).flatMap((item, i) => {
    const part = name === "key" ? "pem" : name === "pfx" ? "buf" : undefined
    if (part === undefined || !Predicate.hasProperty(item, part) || isPrivateKey(item)) {
      return is(item) ? [] : [issue(`${name}[${i}]`, item)]
    }
    if (!isSecretData(item[part])) return [issue(`${name}[${i}].${part}`, item[part])]
    return hasPassphrase(item)
      ? []
      : [new ConfigIssue({ path: `${name}[${i}].passphrase`, message: "expected a passphrase: text (value hidden)" })]
  })
}

/**
 * Node reads options by name: also those that come from a prototype, be it another object of options or a class. What
 * every object inherits nobody has said.
 */
const namesIn = (options: object): ReadonlySet<string> =>
  new Set([...Object.keys(options), ...names.filter((name) => name in options && !(name in Object.prototype))])

/** Why an option has no effect where it stands, or cannot have the one that is asked for. */
const refusal = ({ of, refuse }: Field, value: unknown, allowed: "context" | "connection"): string | undefined => {
  if (of === "connection" && allowed === "context") {
    return "it belongs to one connection, not to a context: `NodeSecureContext.connect` takes it"
  }
  return of === "server" && allowed === "connection"
    ? "it belongs to a server: a client would never call it"
    : refuse?.(value)
}

/**
 * Options whose forms are right and that can be honoured, without those that say nothing (`undefined`, `null`); or all
 * that is wrong with them. A context has no place for the options of one connection, nor a client for those of a server.
 *
 * @since 0.1.0
 * @category decoding
 */
export const check = (
  options: unknown,
  allowed: "context" | "connection"
): Either.Either<NodeOptions, TlsConfigError> => {
  if (!Predicate.isRecord(options)) {
    return Either.left(
      TlsConfigError.of("InvalidOptions", "", `expected an object of options, found ${described(options)}`)
    )
  }
  const issues: Array<ConfigIssue> = []
  let isUnsupported = true
  const said = Object.create(null) as Record<string, unknown>
  for (const name of namesIn(options)) {
    const value = options[name]
    if (value === undefined || value === null) continue
    const field = fieldOf(name)
    const wrong =
      field === undefined
        ? [new ConfigIssue({ path: name, message: Suggestion.unknownName("option", name, known(name)) })]
        : misformed(name, value, field)
    if (wrong.length > 0) {
      issues.push(...wrong)
      isUnsupported = false
      continue
    }
    const why = refusal(field!, value, allowed)
    if (why !== undefined) issues.push(new ConfigIssue({ path: name, message: why }))
    said[name] = value
  }
  return Arr.isNonEmptyArray(issues)
    ? Either.left(new TlsConfigError({ reason: isUnsupported ? "Unsupported" : "InvalidOptions", issues }))
    : Either.right(said)
}

/** Where nothing is near, all names would be a page. */
const known = (name: string): ReadonlyArray<string> => {
  const names = Object.keys(fields)
  return Suggestion.nearest(name, names) === undefined
    ? ["those of `tls.createSecureContext`, `tls.connect` and `tls.createServer`"]
    : names
}

/**
 * The name of an option that is known here.
 *
 * @since 0.1.0
 * @category models
 */
export type Name = keyof typeof fields

/**
 * Every name there is: those of `tls.createSecureContext`, `tls.connect` and `tls.createServer`, and of the sockets below.
 *
 * @since 0.1.0
 * @category constants
 */
export const names: NonEmptyReadonlyArray<Name> = Object.keys(fields) as unknown as NonEmptyReadonlyArray<Name>
