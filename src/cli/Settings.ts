/**
 * From what the command line says to what the library takes. The library decides what is right; here its options get
 * the names that the command line has for them.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import type { IdentityOptions } from "../core/SecureContextOptions.ts"
import * as TrustStore from "../core/TrustStore.ts"
import * as Certificate from "../schema/Certificate.ts"
import * as CipherSuite from "../schema/CipherSuite.ts"
import type { Endpoint } from "../schema/Endpoint.ts"
import * as Endpoints from "../schema/Endpoint.ts"
import * as NamedGroup from "../schema/NamedGroup.ts"
import type { ProtocolOptions } from "../schema/ProtocolOptions.ts"
import * as ServerName from "../schema/ServerName.ts"
import * as SignatureScheme from "../schema/SignatureScheme.ts"
import { ConfigIssue, TlsConfigError } from "../schema/TlsError.ts"
import * as Address from "./Address.ts"
import type { ConnectValues, ServeValues } from "./Options.ts"

/**
 * A wrong option, under the name it has on the command line.
 *
 * @since 0.1.0
 * @category errors
 */
export const wrong = (option: string, message: string): TlsConfigError =>
  TlsConfigError.of("InvalidOptions", option, message)

// ---------------------------------------------------------------------------------------------------------------------
// Addresses
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Where `connect` goes.
 *
 * @since 0.1.0
 * @category settings
 */
export const connectEndpoint = (values: ConnectValues): Either.Either<Endpoint, TlsConfigError> => {
  const { address, insecureSkipVerification, servername, unix } = values
  if (address !== undefined && unix !== undefined) {
    return Either.left(
      wrong("--unix", `either HOST:PORT or --unix PATH, not both (found ${JSON.stringify(address)} too)`)
    )
  }
  if (unix !== undefined) {
    return servername === undefined && !insecureSkipVerification
      ? Either.left(wrong("--servername", "a Unix socket has no name: say the one the server's certificate must have"))
      : Either.right(Endpoints.unix(unix))
  }
  if (address === undefined) return Either.left(wrong("HOST:PORT", "say where to connect to, or --unix PATH"))
  return Either.mapLeft(Address.parse(address), (problem) => wrong("HOST:PORT", problem))
}

/**
 * The name that `--servername` gives, judged before anybody is dialled.
 *
 * @since 0.1.0
 * @category settings
 */
export const serverName = ({
  servername
}: ConnectValues): Either.Either<ServerName.ServerName | undefined, TlsConfigError> =>
  servername === undefined
    ? Either.right(undefined)
    : Either.mapLeft(ServerName.parse(servername), (error) => wrong("--servername", error.message))

/**
 * Where `serve` listens.
 *
 * @since 0.1.0
 * @category settings
 */
export const serveEndpoint = ({ host, port, unix }: ServeValues): Either.Either<Endpoint, TlsConfigError> => {
  if (unix !== undefined) {
    const other = port !== undefined ? "--port" : host !== undefined ? "--host" : undefined
    return other === undefined
      ? Either.right(Endpoints.unix(unix))
      : Either.left(wrong(other, "either --port (and --host) or --unix PATH, not both"))
  }
  if (port === undefined) return Either.left(wrong("--port", "say where to listen: --port N, or --unix PATH"))
  return Either.mapBoth(Address.parsePort(port, 0), {
    onLeft: (problem) => wrong("--port", problem),
    onRight: (number) => Endpoints.tcp(Address.bareHost(host ?? "127.0.0.1"), number)
  })
}

// ---------------------------------------------------------------------------------------------------------------------
// Protocol
// ---------------------------------------------------------------------------------------------------------------------

const list = (text: string, separator: RegExp): ReadonlyArray<string> =>
  text
    .split(separator)
    .map((name) => name.trim())
    .filter((name) => name !== "")

/** Names as the registry has them; one that it does not know goes on to the Schema, which suggests another. */
const names =
  (fromName: (name: string) => { readonly name: string } | undefined) =>
  (text: string): Either.Either<ReadonlyArray<string>, string> => {
    const items = list(text, /[,:]/).map((name) => fromName(name)?.name ?? name)
    return items.length === 0 ? Either.left(`a name is needed, found ${JSON.stringify(text)}`) : Either.right(items)
  }

const wholeNumber = (text: string): Either.Either<number, string> =>
  /^\d+$/.test(text)
    ? Either.right(Number(text))
    : Either.left(`a whole number is needed, found ${JSON.stringify(text)}`)

const units: Readonly<Record<string, Duration.Unit>> = {
  ms: "millis",
  s: "seconds",
  sec: "seconds",
  m: "minutes",
  min: "minutes",
  h: "hours"
}

/** `500ms`, `5s` and `1.5 min`, besides whatever Effect takes. */
const duration = (text: string): Either.Either<Duration.Duration, string> => {
  const [, count, unit = ""] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/i.exec(text) ?? []
  const input = count === undefined ? text.trim() : `${count} ${units[unit] ?? unit}`
  return Either.fromOption(
    Duration.decodeUnknown(input),
    () => `a duration is needed, such as 500ms, 5s or "5 seconds", found ${JSON.stringify(text)}`
  )
}

/**
 * What is said of the protocol, for the library's Schema to judge.
 *
 * @since 0.1.0
 * @category settings
 */
export const protocol = (values: ConnectValues | ServeValues): Either.Either<ProtocolOptions, TlsConfigError> => {
  const issues: Array<ConfigIssue> = []
  const read = <A>(
    key: keyof ProtocolOptions,
    option: string,
    text: string | undefined,
    parse: (text: string) => Either.Either<A, string>
  ) => {
    if (text === undefined) return {}
    const parsed = parse(text)
    if (Either.isRight(parsed)) return { [key]: parsed.right }
    issues.push(new ConfigIssue({ path: option, message: parsed.left }))
    return {}
  }
  const said = {
    ...read("policy", "--policy", values.policy, (text) => Either.right(text)),
    ...read("cipherSuites", "--suites", values.suites, names(CipherSuite.fromName)),
    ...read("groups", "--groups", values.groups, names(NamedGroup.fromName)),
    ...read("signatureSchemes", "--sigalgs", values.sigalgs, names(SignatureScheme.fromName)),
    ...read("alpn", "--alpn", values.alpn, (text) => Either.right(list(text, /,/))),
    ...read("maxFragment", "--max-fragment", values.maxFragment, wholeNumber),
    ...read("handshakeTimeout", "--timeout", values.timeout, duration)
  }
  const [first, ...others] = issues
  return first === undefined
    ? Either.right(said as ProtocolOptions)
    : Either.left(new TlsConfigError({ reason: "InvalidOptions", issues: [first, ...others] }))
}

// ---------------------------------------------------------------------------------------------------------------------
// Files
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The bytes of a file that an option names.
 *
 * @since 0.1.0
 * @category settings
 */
export const readFile = (
  option: string,
  path: string
): Effect.Effect<Uint8Array, TlsConfigError, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (files) =>
    Effect.mapError(files.readFile(path), (error) => {
      const problem = error._tag === "SystemError" && error.reason === "NotFound" ? "no such file" : error.message
      return TlsConfigError.of("Unreadable", `${option} ${path}`, problem)
    })
  )

/**
 * The certificates of files as trust anchors; none where no file is named.
 *
 * @since 0.1.0
 * @category settings
 */
export const anchors = Effect.fnUntraced(function* (
  option: string,
  files: ReadonlyArray<string>
): Effect.fn.Return<TrustStore.TrustStore | undefined, TlsConfigError, FileSystem.FileSystem> {
  if (files.length === 0) return undefined
  const certificates = yield* Effect.forEach(files, (file) =>
    Effect.flatMap(readFile(option, file), (content) =>
      Either.mapLeft(Certificate.fromBytes(content), ({ problem }) =>
        TlsConfigError.of("InvalidCertificate", `${option} ${file}`, problem)
      )
    )
  )
  return TrustStore.make({ name: `the certificates of ${files.join(", ")}`, anchors: certificates.flat() })
})

/**
 * The identities of `--cert` and `--key`, pair by pair.
 *
 * @since 0.1.0
 * @category settings
 */
export const identities = Effect.fnUntraced(function* ({
  cert,
  key
}: {
  readonly cert: ReadonlyArray<string>
  readonly key: ReadonlyArray<string>
}): Effect.fn.Return<ReadonlyArray<IdentityOptions>, TlsConfigError, FileSystem.FileSystem> {
  if (cert.length !== key.length) {
    const [lacking, given] = cert.length > key.length ? ["--key", "--cert"] : ["--cert", "--key"]
    return yield* wrong(
      lacking!,
      `each ${given} needs a ${lacking}: found ${cert.length} --cert and ${key.length} --key`
    )
  }
  return yield* Effect.forEach(cert, (file, i) =>
    Effect.zipWith(readFile("--cert", file), readFile("--key", key[i]!), (certificateChain, privateKey) => ({
      certificateChain,
      privateKey: Redacted.make(privateKey)
    }))
  )
})

// ---------------------------------------------------------------------------------------------------------------------
// Names
// ---------------------------------------------------------------------------------------------------------------------

const options: ReadonlyArray<readonly [RegExp, (values: ConnectValues | ServeValues, index: number) => string]> = [
  [/^protocol\.policy/, () => "--policy"],
  [/^protocol\.cipherSuites/, () => "--suites"],
  [/^protocol\.(groups|keyShares)/, () => "--groups"],
  [/^protocol\.(signatureSchemes|certificateSignatureSchemes)/, () => "--sigalgs"],
  [/^protocol\.alpn/, () => "--alpn"],
  [/^protocol\.maxFragment/, () => "--max-fragment"],
  [/^protocol\.handshakeTimeout/, () => "--timeout"],
  [/^identity(?:\[(\d+)\])?\.certificateChain/, (values, i) => `--cert ${values.cert[i] ?? ""}`],
  [/^identity(?:\[(\d+)\])?\.privateKey/, (values, i) => `--key ${values.key[i] ?? ""}`],
  [/^trust\.anchors/, (values) => ("ca" in values ? "--ca" : "--client-ca")],
  [/^serverName/, () => "--servername"],
  [/^names/, () => "--self-signed"]
]

const optionOf = (path: string, values: ConnectValues | ServeValues): string => {
  for (const [pattern, name] of options) {
    const match = pattern.exec(path)
    if (match !== null) return name(values, Number(match[1] ?? 0)).trim()
  }
  return path
}

/**
 * The library's error with the names of the command line.
 *
 * @since 0.1.0
 * @category errors
 */
export const renamed =
  (values: ConnectValues | ServeValues) =>
  (error: TlsConfigError): TlsConfigError => {
    const [first, ...others] = error.issues.map(
      ({ message, path }) => new ConfigIssue({ path: optionOf(path, values), message })
    )
    return new TlsConfigError({ reason: error.reason, issues: [first!, ...others] })
  }
