/**
 * The options of the commands as `@effect/cli` reads and documents them. Values stay text here: the library's own
 * Schemas decode them, so that the command and the library refuse the same things in the same words.
 *
 * @since 0.1.0
 */
import * as Args from "@effect/cli/Args"
import * as Options from "@effect/cli/Options"

/**
 * One value, or none.
 *
 * @since 0.1.0
 * @category constructors
 */
export const text = (name: string, value: string, description: string) =>
  Options.text(name).pipe(
    Options.withPseudoName(value),
    Options.withDescription(description),
    Options.withDefault<string | undefined>(undefined)
  )

/**
 * Any number of values. The default is what there would be anyway: it makes the help show the option as one that may be
 * left out.
 *
 * @since 0.1.0
 * @category constructors
 */
export const several = (name: string, value: string, description: string) =>
  Options.text(name).pipe(
    Options.withPseudoName(value),
    Options.withDescription(description),
    Options.repeated,
    Options.withDefault<ReadonlyArray<string>>([])
  )

/**
 * @since 0.1.0
 * @category constructors
 */
export const flag = (name: string, description: string) =>
  Options.boolean(name).pipe(Options.withDescription(description))

const providers = ["node", "noble"] as const

const shared = {
  alpn: text("alpn", "NAMES", "Application protocols, best first: h2,http/1.1"),
  policy: text("policy", "NAME", "The defaults of what follows: strict, modern (if not said), compatible or legacy"),
  suites: text("suites", "NAMES", "Cipher suites, best first, between commas or colons; IANA's or OpenSSL's names"),
  groups: text("groups", "NAMES", "Key-agreement groups, best first: x25519,P-256"),
  sigalgs: text("sigalgs", "NAMES", "Signature schemes, best first: ed25519,RSA-PSS+SHA256"),
  maxFragment: text("max-fragment", "N", "The most content to put into one record, in bytes (64 to 16384)"),
  timeout: text("timeout", "DURATION", "How long a handshake may take: 500ms, 5s, '5 seconds'; 10 seconds if not said"),
  cert: several("cert", "FILE", "A certificate chain to show, PEM or DER, leaf first; each wants a --key"),
  key: several("key", "FILE", "The private key of the --cert in the same place, PEM or DER"),
  keylog: text(
    "keylog",
    "FILE",
    "Append the secrets to a file in NSS's format, for Wireshark: its reader reads the traffic"
  ),
  trace: flag("trace", "Print every handshake message, alert and change of keys on standard error"),
  json: flag("json", "Print JSON on standard error instead of text: one object per connection, when it is over"),
  provider: Options.choice("provider", providers).pipe(
    Options.withDescription("Whose cryptography: node:crypto, or noble's in JavaScript"),
    Options.withDefault("node")
  )
}

/**
 * @since 0.1.0
 * @category options
 */
export const connectOptions = {
  unix: text("unix", "PATH", "Connect to a Unix domain socket instead; say the server's name by --servername"),
  ca: several("ca", "FILE", "Trust the certificates of this file, and no others; the system's if not said"),
  servername: text("servername", "NAME", "The name the certificate must have and the server is told; HOST if not said"),
  ...shared,
  insecureSkipVerification: flag(
    "insecure-skip-verification",
    "Accept any certificate: whoever answers may be somebody else"
  )
}

/**
 * @since 0.1.0
 * @category options
 */
export const serveOptions = {
  port: text("port", "N", "The TCP port to listen at; 0 takes a free one"),
  host: text("host", "HOST", "The address to listen at; 127.0.0.1 if not said, :: for every one"),
  unix: text("unix", "PATH", "Listen at a Unix domain socket instead"),
  selfSigned: several("self-signed", "NAME", "Make a self-signed certificate for these names and addresses"),
  clientCa: several("client-ca", "FILE", "Require a client certificate that leads to one of this file's"),
  clientOptional: flag("client-optional", "With --client-ca: ask for the certificate, but do not insist"),
  ...shared,
  www: flag("www", "Answer an HTTP request with what was negotiated, and close"),
  echo: flag("echo", "Send back what comes; so it is if nothing else is said")
}

/**
 * @since 0.1.0
 * @category options
 */
export const certificateJson = flag("json", "Print JSON instead of text, on one line")

/**
 * @since 0.1.0
 * @category options
 */
export const inspectOptions = { json: certificateJson }

/**
 * @since 0.1.0
 * @category options
 */
export const inspectArgs = {
  files: Args.text({ name: "FILE" }).pipe(
    Args.withDescription("What to look into, PEM or DER; - for standard input"),
    Args.repeated
  )
}

const purposes = ["server", "client"] as const

/**
 * @since 0.1.0
 * @category options
 */
export const verifyOptions = {
  ca: several("ca", "FILE", "Trust the certificates of this file, and no others; the system's if not said"),
  intermediate: several("intermediate", "FILE", "Certificates that may stand between the first and a trusted one"),
  name: text("name", "NAME", "The DNS name or address the certificate must be for; names are not compared if not said"),
  time: text("time", "TIME", "When it must be valid: 2026-01-31, 2026-01-31T12:00:00Z or @SECONDS; now if not said"),
  crl: several("crl", "FILE", "Refuse what these revocation lists revoke, and certificates that none of them is about"),
  purpose: Options.choice("purpose", purposes).pipe(
    Options.withDescription("What it must be good for: a TLS server, or a TLS client"),
    Options.withDefault("server")
  ),
  json: certificateJson
}

/**
 * @since 0.1.0
 * @category options
 */
export const verifyArgs = {
  file: Args.text({ name: "FILE" }).pipe(
    Args.withDescription("The certificate, PEM or DER; others behind it are intermediates; - for standard input"),
    Args.withDefault<string | undefined>(undefined)
  )
}

/**
 * The options that may be given several times, and the values of those that have few: `@effect/cli` knows and does not
 * tell.
 *
 * @since 0.1.0
 * @category options
 */
export const repeatable: ReadonlySet<string> = new Set([
  "--ca",
  "--cert",
  "--key",
  "--self-signed",
  "--client-ca",
  "--intermediate",
  "--crl"
])

/**
 * @since 0.1.0
 * @category options
 */
export const choices: ReadonlyMap<string, ReadonlyArray<string>> = new Map<string, ReadonlyArray<string>>([
  ["--provider", providers],
  ["--purpose", purposes]
])

/**
 * @since 0.1.0
 * @category options
 */
export const connectArgs = {
  address: Args.text({ name: "HOST:PORT" }).pipe(
    Args.withDescription("Where to connect to; an IPv6 address stands in brackets: [::1]:443"),
    Args.withDefault<string | undefined>(undefined)
  )
}

/**
 * What a command was told, as its handler gets it.
 *
 * @since 0.1.0
 * @category models
 */
export type Values<T extends Record<string, Options.Options<unknown> | Args.Args<unknown>>> = {
  readonly [K in keyof T]: T[K] extends Options.Options<infer A> ? A : T[K] extends Args.Args<infer A> ? A : never
}

/**
 * What `connect` was told.
 *
 * @since 0.1.0
 * @category models
 */
export type ConnectValues = Values<typeof connectOptions & typeof connectArgs>

/**
 * What `serve` was told.
 *
 * @since 0.1.0
 * @category models
 */
export type ServeValues = Values<typeof serveOptions>

/**
 * What `certificate inspect` was told.
 *
 * @since 0.1.0
 * @category models
 */
export type InspectValues = Values<typeof inspectOptions & typeof inspectArgs>

/**
 * What `certificate verify` was told.
 *
 * @since 0.1.0
 * @category models
 */
export type VerifyValues = Values<typeof verifyOptions & typeof verifyArgs>
