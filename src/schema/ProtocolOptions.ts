/**
 * What a SecureContext says about the protocol. Every field may be left out; `Defaults` fills in when a handshake
 * begins, so that contexts merge without losing what was said.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type { CipherSuiteName } from "./CipherSuite.ts"
import * as CipherSuite from "./CipherSuite.ts"
import { Limits } from "./Limits.ts"
import type { NamedGroupName } from "./NamedGroup.ts"
import * as NamedGroup from "./NamedGroup.ts"
import type { PolicyName } from "./Policy.ts"
import * as Policy from "./Policy.ts"
import type { SignatureSchemeName } from "./SignatureScheme.ts"
import * as SignatureScheme from "./SignatureScheme.ts"
import { Name, shown } from "./Suggestion.ts"

const said = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

const list = <A extends string>(kind: string, names: ReadonlyArray<A>) =>
  Schema.NonEmptyArray(Name(kind, names)).pipe(
    Schema.filter((items) => new Set(items).size === items.length || `a ${kind} is listed twice`)
  )

const between = (what: string, min: number, max: number) =>
  Schema.Number.pipe(
    Schema.filter(
      (n) =>
        (Number.isInteger(n) && n >= min && n <= max) || `${what} is a whole number from ${min} to ${max}, found ${n}`
    )
  )

/**
 * An ALPN protocol (RFC 7301): 1 to 255 bytes, each character of the string one byte.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ApplicationProtocol: Schema.Schema<string> = Schema.String.pipe(
  Schema.filter(
    (name) =>
      (name.length >= 1 && name.length <= 255 && [...name].every((c) => c.charCodeAt(0) < 256)) ||
      `an application protocol has 1 to 255 bytes, found ${shown(name)}`
  )
)

/**
 * A duration as Effect's functions take it: `"5 seconds"`, milliseconds, a Duration; more than zero.
 *
 * @since 0.1.0
 * @category schemas
 */
export const DurationFromInput: Schema.Schema<Duration.Duration, Duration.DurationInput> = Schema.transformOrFail(
  Schema.declare((u): u is Duration.DurationInput => Option.isSome(Duration.decodeUnknown(u))).annotations({
    message: () => ({ message: 'expected a duration, such as "5 seconds" or a number of milliseconds', override: true })
  }),
  Schema.DurationFromSelf,
  {
    strict: true,
    decode: (input, _, ast) => {
      const duration = Duration.decode(input)
      return Duration.greaterThan(duration, Duration.zero)
        ? ParseResult.succeed(duration)
        : ParseResult.fail(new ParseResult.Type(ast, input, "a duration of more than zero is needed"))
    },
    encode: (duration) => ParseResult.succeed(duration)
  }
)

/**
 * The protocol aspect of a SecureContext.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ProtocolOptions = Schema.Struct({
  /** The defaults of what is not said beside it: `strict`, `modern`, `compatible` or `legacy`; see `Policy`. */
  policy: said(
    Name<PolicyName>(
      "policy",
      Policy.registry.map(({ name }) => name)
    )
  ),
  /** Versions to speak. */
  versions: said(list("version", ["TLSv1.3"] as const)),
  /** Cipher suites, best first. Node: `ciphers`. */
  cipherSuites: said(
    list<CipherSuiteName>(
      "cipher suite",
      CipherSuite.registry.map((suite) => suite.name)
    )
  ),
  /** Key-agreement groups, best first. Node: `ecdhCurve`. */
  groups: said(
    list<NamedGroupName>(
      "group",
      NamedGroup.registry.map((group) => group.name)
    )
  ),
  /** The groups a client sends key shares of; by default the first of `groups`, and with a hybrid also its classical half. */
  keyShares: said(
    list<NamedGroupName>(
      "group",
      NamedGroup.registry.map((group) => group.name)
    )
  ),
  /** Signature schemes accepted of and used towards the peer, best first. Node: `sigalgs`. */
  signatureSchemes: said(
    list<SignatureSchemeName>(
      "signature scheme",
      SignatureScheme.registry.map((scheme) => scheme.name)
    )
  ),
  /** Signature schemes accepted in certificates (`signature_algorithms_cert`); by default those above and the policy's others. */
  certificateSignatureSchemes: said(
    list<SignatureSchemeName>(
      "signature scheme",
      SignatureScheme.registry.map((scheme) => scheme.name)
    )
  ),
  /** Application protocols, best first. Node: `ALPNProtocols`. */
  alpn: said(
    Schema.Array(ApplicationProtocol).pipe(
      Schema.filter(
        (names) =>
          names.reduce((length, name) => length + name.length + 1, 0) <= 16_384 ||
          "the application protocols take more than 16384 bytes together"
      )
    )
  ),
  /** The most content we put into one record, in bytes. Node: `maxSendFragment`. */
  maxFragment: said(between("maxFragment", 64, 16_384)),
  /** The largest record we want to receive: content and its type, in bytes (RFC 8449). Said to the peer when set. */
  recordSizeLimit: said(between("recordSizeLimit", 64, 16_385)),
  /** Content, type and padding of our records fill a multiple of so many bytes; 1 pads nothing (RFC 9846 §5.4). */
  recordPadding: said(between("recordPadding", 1, 16_384)),
  /** Look like TLS 1.2 to middleboxes (RFC 9846 §D.4): a session id, and ChangeCipherSpecs that mean nothing. */
  middleboxCompatibility: said(Schema.Boolean),
  /** A server's HelloRetryRequest carries a cookie that the client must bring back (RFC 9846 §4.2.2). */
  helloRetryCookie: said(Schema.Boolean),
  /** How long a handshake may take, everything included. Node: `handshakeTimeout`, for servers. */
  handshakeTimeout: said(DurationFromInput),
  /** Bounds on what a peer may ask of us; see `Limits`. */
  limits: said(
    Schema.partialWith(Limits, { exact: true }).annotations({
      parseOptions: { errors: "all", onExcessProperty: "error" }
    })
  )
}).annotations({ parseOptions: { errors: "all", onExcessProperty: "error" } })

/**
 * @since 0.1.0
 * @category models
 */
export interface ProtocolOptions extends Schema.Schema.Type<typeof ProtocolOptions> {}
