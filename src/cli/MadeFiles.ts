/**
 * What the commands that make certificates read and write: authorities, keys, passphrases; files that are written whole,
 * keys for their owner alone, and nothing written over unless told.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { Issued } from "../core/CertificateBuilder.ts"
import type { CryptoError } from "../core/CryptoProvider.ts"
import { CryptoProvider } from "../core/CryptoProvider.ts"
import * as IssuedLoading from "../core/IssuedLoading.ts"
import * as PrivateKeyExport from "../core/PrivateKeyExport.ts"
import * as NodeCrypto from "../layers/NodeCrypto.ts"
import * as Certificates from "../schema/Certificate.ts"
import type { Certificate } from "../schema/Certificate.ts"
import * as GeneralName from "../schema/GeneralName.ts"
import * as Pem from "../schema/Pem.ts"
import { ConfigIssue, TlsConfigError } from "../schema/TlsError.ts"
import * as CertificateFiles from "./CertificateFiles.ts"
import { codes, Ended } from "./ExitCode.ts"
import { printable } from "./Render.ts"
import { wrong } from "./Settings.ts"
import type { StreamError } from "./StandardStreams.ts"

// ---------------------------------------------------------------------------------------------------------------------
// Reading
// ---------------------------------------------------------------------------------------------------------------------

/**
 * `NAME-key.pem` for `NAME.pem`, and so on.
 *
 * @since 0.1.0
 * @category names
 */
export const beside = (file: string, ending: string): string => `${file.replace(/\.[A-Za-z0-9]{1,4}$/, "")}${ending}`

/**
 * The passphrase that two options may name: the first line of a file, or an environment variable.
 *
 * @since 0.1.0
 * @category reading
 */
export const passphrase = (
  prefix: "" | "out-",
  file: string | undefined,
  variable: string | undefined
): Effect.Effect<Redacted.Redacted | undefined, TlsConfigError | StreamError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const [fileOption, variableOption] = [`--${prefix}passphrase-file`, `--${prefix}passphrase-env`]
    if (file !== undefined && variable !== undefined) {
      return yield* wrong(variableOption, `either ${fileOption} or ${variableOption}, not both`)
    }
    if (file !== undefined) {
      const content = new TextDecoder().decode(yield* CertificateFiles.read(fileOption, file))
      const [line = ""] = content.split(/\r?\n/, 1)
      return line === "" ? yield* wrong(`${fileOption} ${file}`, "its first line is empty") : Redacted.make(line)
    }
    if (variable === undefined) return undefined
    const value = process.env[variable]
    return value === undefined || value === ""
      ? yield* wrong(variableOption, `there is no environment variable ${JSON.stringify(variable)}`)
      : Redacted.make(value)
  })

/**
 * A certificate with its key, from the files that two options name.
 *
 * @since 0.1.0
 * @category reading
 */
export const issued = (
  certificate: { readonly option: string; readonly file: string | undefined },
  key: { readonly option: string; readonly file: string | undefined },
  said: { readonly passphraseFile: string | undefined; readonly passphraseEnv: string | undefined }
): Effect.Effect<Issued, TlsConfigError | CryptoError | StreamError, FileSystem.FileSystem | CryptoProvider> =>
  Effect.gen(function* () {
    if (certificate.file === undefined) return yield* wrong(certificate.option, "say whose: a file with a certificate")
    const keyFile = key.file ?? beside(certificate.file, "-key.pem")
    const secret = yield* passphrase("", said.passphraseFile, said.passphraseEnv)
    const chain = yield* CertificateFiles.read(certificate.option, certificate.file)
    const privateKey = Redacted.make(yield* CertificateFiles.read(key.option, keyFile))
    const names = {
      certificateChain: `${certificate.option} ${certificate.file}`,
      privateKey: `${key.option} ${keyFile}`
    }
    return yield* IssuedLoading.load({ certificateChain: chain, privateKey, passphrase: secret }).pipe(
      Effect.catchTag("TlsConfigError", (error) =>
        Effect.fail(renamed({ ...names, passphrase: "the passphrase" })(error))
      )
    )
  })

/**
 * An error of the library with the names of the command line: by the beginning of a path.
 *
 * @since 0.1.0
 * @category errors
 */
export const renamed =
  (names: Readonly<Record<string, string>>) =>
  (error: TlsConfigError): TlsConfigError => {
    const [first, ...others] = error.issues.map(({ message, path }) => {
      const start = Object.keys(names).find(
        (name) => path === name || (/^[.[]/.test(path.slice(name.length)) && path.startsWith(name))
      )
      return new ConfigIssue({ path: start === undefined ? path : names[start]!, message })
    })
    return new TlsConfigError({ reason: error.reason, issues: [first!, ...others] })
  }

/**
 * A whole number of days, as a duration.
 *
 * @since 0.1.0
 * @category reading
 */
export const daysOf = (text: string | undefined): Effect.Effect<Duration.Duration | undefined, TlsConfigError> =>
  text === undefined
    ? Effect.succeed(undefined)
    : /^[1-9]\d{0,6}$/.test(text)
      ? Effect.succeed(Duration.days(Number(text)))
      : wrong("--days", `a whole number of days is needed, found ${JSON.stringify(text)}`)

// ---------------------------------------------------------------------------------------------------------------------
// Writing
// ---------------------------------------------------------------------------------------------------------------------

/**
 * A file to write. Keys and bundles are for their owner alone.
 *
 * @since 0.1.0
 * @category models
 */
export interface MadeFile {
  readonly kind: "certificate" | "privateKey" | "request" | "bundle" | "revocationList"
  readonly option: string
  readonly file: string
  readonly content: string | Uint8Array
}

/**
 * Refuses files that are there: before any work is done.
 *
 * @since 0.1.0
 * @category writing
 */
export const requireFree = (
  places: ReadonlyArray<{ readonly option: string; readonly file: string }>,
  force: boolean
): Effect.Effect<void, TlsConfigError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const seen = new Set<string>()
    for (const { file, option } of places) {
      if (file === "-") return yield* wrong(option, "it is written to a file, not to standard output")
      if (seen.has(file)) return yield* wrong(option, `${file} cannot be two files at once`)
      seen.add(file)
      if (!force && (yield* Effect.orElseSucceed(files.exists(file), () => false))) {
        return yield* wrong(option, `${file} is there already: --force writes over it`)
      }
    }
  })

const writeOne = ({ content, file, kind, option }: MadeFile, force: boolean) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content
    const mode = kind === "privateKey" || kind === "bundle" ? 0o600 : 0o644
    // A new file each time: what was there may be readable by others, or a link to elsewhere.
    const target = force ? `${file}.new` : file
    if (force) yield* files.remove(target, { force: true })
    yield* files.writeFile(target, bytes, { flag: "wx", mode })
    if (force) yield* files.rename(target, file)
  }).pipe(
    Effect.mapError((error) => {
      const reason = error._tag === "SystemError" ? error.reason : "Unknown"
      const problem =
        reason === "AlreadyExists"
          ? "it is there already: --force writes over it"
          : reason === "NotFound"
            ? "no such directory"
            : reason === "PermissionDenied"
              ? "permission denied"
              : error.message
      return TlsConfigError.of("Unreadable", `${option} ${file}`, problem)
    })
  )

/**
 * Writes files, and says so: one line each, or one object.
 *
 * @since 0.1.0
 * @category writing
 */
export const write = (
  made: ReadonlyArray<MadeFile>,
  options: {
    readonly force: boolean
    readonly json: boolean
    readonly certificate?: Certificate
    readonly more?: Readonly<Record<string, unknown>>
  }
): Effect.Effect<void, TlsConfigError, FileSystem.FileSystem | CryptoProvider> =>
  Effect.gen(function* () {
    yield* Effect.forEach(made, (file) => writeOne(file, options.force), { discard: true })
    const { certificate, json, more = {} } = options
    yield* json
      ? Effect.flatMap(jsonOf(certificate), (about) =>
          Console.log(JSON.stringify({ written: made.map(({ file, kind }) => ({ kind, file })), ...about, ...more }))
        )
      : Console.log(made.map((file) => textOf(file, certificate)).join("\n"))
  })

const kinds = {
  certificate: "certificate",
  privateKey: "private key",
  request: "certificate request",
  bundle: "PKCS#12 bundle",
  revocationList: "revocation list"
} as const

const textOf = ({ file, kind }: MadeFile, certificate: Certificate | undefined): string =>
  printable(
    kind === "certificate" && certificate !== undefined
      ? `wrote ${file}: certificate of ${certificate.label}, valid to ${certificate.notAfter.toISOString().slice(0, 10)}`
      : `wrote ${file}: ${kinds[kind]}`
  )

/**
 * What `--json` says of a certificate that was made.
 *
 * @since 0.1.0
 * @category models
 */
export const jsonOf = (certificate: Certificate | undefined) =>
  Effect.map(CryptoProvider, (crypto) =>
    certificate === undefined
      ? {}
      : {
          certificate: {
            subject: certificate.subject.toString(),
            issuer: certificate.issuer.toString(),
            names: certificate.subjectAltNames.map(GeneralName.format),
            serialNumber: certificate.serialNumber,
            notBefore: certificate.notBefore.toISOString(),
            notAfter: certificate.notAfter.toISOString(),
            fingerprint256: Certificates.fingerprint(certificate, (bytes) => crypto.hash("SHA-256", bytes))
          }
        }
  )

/**
 * A private key to write: encrypted, where there is a passphrase.
 *
 * @since 0.1.0
 * @category writing
 */
export const keyContent = (
  pkcs8: Option.Option<Redacted.Redacted<Uint8Array>>,
  secret: Redacted.Redacted | undefined
): Effect.Effect<string, TlsConfigError | CryptoError, CryptoProvider> => {
  const key = Option.getOrThrow(pkcs8)
  return secret === undefined
    ? Effect.sync(() => Pem.format("PRIVATE KEY", Redacted.value(key)))
    : PrivateKeyExport.toEncryptedPem(key, { passphrase: secret })
}

/**
 * Runs a command: what went wrong is said on standard error, and is its exit code.
 *
 * @since 0.1.0
 * @category running
 */
export const running = <A>(
  effect: Effect.Effect<A, TlsConfigError | CryptoError | StreamError, FileSystem.FileSystem | CryptoProvider>
): Effect.Effect<A, Ended, FileSystem.FileSystem> =>
  effect.pipe(
    Effect.catchAll((error) =>
      Effect.zipRight(
        Console.error(`effect-tls: ${error.message}`),
        new Ended({ code: error._tag === "TlsConfigError" ? codes.usage : codes.failure })
      )
    ),
    Effect.provide(NodeCrypto.layer)
  )
