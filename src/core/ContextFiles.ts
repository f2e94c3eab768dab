/**
 * A SecureContext from files that is loaded again when they change, as certificate managers renew them: in place, by
 * renaming, or by swapping a symbolic link.
 *
 * @example
 * import { Effect } from "effect"
 * import { ContextFiles, Endpoint, TlsServer } from "effect-tls"
 *
 * const server = Effect.gen(function* () {
 *   const context = yield* ContextFiles.watch({
 *     identity: { certificateChain: "/etc/tls/tls.crt", privateKey: "/etc/tls/tls.key" }
 *   })
 *   return yield* TlsServer.serve({ endpoint: Endpoint.tcp("0.0.0.0", 8443), context, handler: () => Effect.void })
 * })
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { toLatin1 } from "../schema/Bytes.ts"
import * as Defaults from "../schema/Defaults.ts"
import { ConfigIssue, TlsConfigError } from "../schema/TlsError.ts"
import { CryptoProvider } from "./CryptoProvider.ts"
import type { IdentityOptions } from "./IdentityOptions.ts"
import type { Passphrase } from "./PasswordDecryption.ts"
import type { ReloadingContext } from "./ReloadingContext.ts"
import * as ReloadingContexts from "./ReloadingContext.ts"
import type { SecureContext } from "./SecureContext.ts"
import * as SecureContexts from "./SecureContext.ts"
import type { SecureContextOptions } from "./SecureContextOptions.ts"

/**
 * An identity as paths of files: a chain and its key, or a PKCS#12 bundle.
 *
 * @since 0.1.0
 * @category models
 */
export type IdentityFiles =
  | { readonly certificateChain: string; readonly privateKey: string; readonly passphrase?: Passphrase }
  | { readonly pkcs12: string; readonly passphrase?: Passphrase; readonly friendlyName?: string }

/**
 * Which files make the context, and what else it says.
 *
 * @since 0.1.0
 * @category models
 */
export interface ContextFilesOptions {
  readonly identity?: IdentityFiles | ReadonlyArray<IdentityFiles>
  /** Files with trust anchors, instead of `options.trust.anchors`. */
  readonly anchors?: string | ReadonlyArray<string>
  /** What the files do not say. */
  readonly options?: Omit<SecureContextOptions, "identity">
  /** How long files must be left alone before they are read: several are seldom written at once. 250 ms unless told. */
  readonly debounce?: Duration.DurationInput
  /** How often to look without being told of a change, which network file systems do not tell. A minute unless told. */
  readonly recheck?: Duration.DurationInput
}

const list = <A extends object | string>(said: A | ReadonlyArray<A> | undefined): ReadonlyArray<A> =>
  said === undefined ? [] : Array.isArray(said) ? said : [said as A]

type OptionFile = readonly [path: string, file: string]

/** The files by the option they stand for. */
const filesOf = ({ anchors, identity }: ContextFilesOptions): ReadonlyArray<OptionFile> => [
  ...list(identity).flatMap((one, i): ReadonlyArray<OptionFile> => {
    const at = Array.isArray(identity) ? `identity[${i}]` : "identity"
    return "pkcs12" in one
      ? [[`${at}.pkcs12`, one.pkcs12]]
      : [
          [`${at}.certificateChain`, one.certificateChain],
          [`${at}.privateKey`, one.privateKey]
        ]
  }),
  ...list(anchors).map((file, i) => [`trust.anchors[${i}]`, file] as const)
]

const readFile = Effect.fnUntraced(function* (path: string, file: string) {
  const fileSystem = yield* FileSystem.FileSystem
  return yield* Effect.mapError(fileSystem.readFile(file), ({ message }) =>
    TlsConfigError.of("Unreadable", path, message)
  )
})

/** An error of the options as one of the files they came from. */
const inFiles =
  (options: ContextFilesOptions) =>
  (error: TlsConfigError): TlsConfigError => {
    if (error.reason === "Unreadable") return error
    const files = filesOf(options)
    const [first, ...others] = error.issues.map(({ message, path }) => {
      const file = files.find(([at]) => path === at || path.startsWith(`${at}[`))?.[1]
      return new ConfigIssue({ path, message: file === undefined ? message : `${message} (${file})` })
    })
    return new TlsConfigError({ reason: error.reason, issues: [first!, ...others] })
  }

/**
 * Reads the files once. The bytes of keys are wiped when the Scope closes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const load = (
  options: ContextFilesOptions
): Effect.Effect<SecureContext, TlsConfigError, CryptoProvider | FileSystem.FileSystem | Scope.Scope> =>
  Effect.gen(function* () {
    const secret = (path: string, file: string) =>
      Effect.map(
        Effect.acquireRelease(readFile(path, file), (bytes) => Effect.sync(() => bytes.fill(0))),
        (bytes) => Redacted.make(bytes)
      )
    type Read = Effect.Effect<IdentityOptions, TlsConfigError, FileSystem.FileSystem | Scope.Scope>
    const identity = yield* Effect.forEach(list(options.identity), (one, i): Read => {
      const at = Array.isArray(options.identity) ? `identity[${i}]` : "identity"
      return "pkcs12" in one
        ? Effect.map(secret(`${at}.pkcs12`, one.pkcs12), (pkcs12) => ({ ...one, pkcs12 }))
        : Effect.map(
            Effect.all([
              readFile(`${at}.certificateChain`, one.certificateChain),
              secret(`${at}.privateKey`, one.privateKey)
            ]),
            ([certificateChain, privateKey]) => ({ ...one, certificateChain, privateKey })
          )
    })
    const anchors = yield* Effect.forEach(list(options.anchors), (file, i) => readFile(`trust.anchors[${i}]`, file))
    const [only] = identity
    return yield* SecureContexts.make({
      ...options.options,
      ...(only === undefined ? {} : { identity: Array.isArray(options.identity) ? identity : only }),
      ...(anchors.length === 0 ? {} : { trust: { ...options.options?.trust, anchors } })
    })
  }).pipe(Effect.mapError(inFiles(options)))

/** What the files hold, without keeping secrets: a hash of each, or that it cannot be read. */
const fingerprint = (
  options: ContextFilesOptions
): Effect.Effect<string, never, CryptoProvider | FileSystem.FileSystem> =>
  Effect.flatMap(CryptoProvider, (crypto) =>
    Effect.map(
      Effect.forEach(filesOf(options), ([path, file]) =>
        Effect.match(readFile(path, file), {
          onFailure: ({ message }) => message,
          onSuccess: (bytes) => {
            const hash = toLatin1(crypto.hash("SHA-256", bytes))
            bytes.fill(0)
            return hash
          }
        })
      ),
      (hashes) => hashes.join("\n")
    )
  )

const folderOf = (file: string): string => /^(.*)[\\/][^\\/]*$/s.exec(file)?.[1] ?? "."

/** Something may have changed: the folders are watched, for a file that is renamed is another file. */
const changes = (
  options: ContextFilesOptions,
  recheck: Duration.DurationInput
): Stream.Stream<unknown, never, FileSystem.FileSystem> => {
  const folders = [...new Set(filesOf(options).map(([, file]) => folderOf(file) || "/"))]
  const watched = Stream.unwrap(
    Effect.map(FileSystem.FileSystem, (fileSystem) =>
      Stream.mergeAll(
        folders.map((folder) =>
          // Node looks for what was renamed in the wrong folder, and so fails now and then; no matter, we look ourselves.
          fileSystem.watch(folder).pipe(
            Stream.retry(Schedule.spaced(recheck)),
            Stream.orElse(() => Stream.empty)
          )
        ),
        { concurrency: "unbounded" }
      )
    )
  ).pipe(Stream.debounce(options.debounce ?? Defaults.reloadDebounce))
  return Stream.merge(watched, Stream.fromSchedule(Schedule.spaced(recheck)))
}

/**
 * Reads the files, and again when what they hold has changed. Files that are wrong at first fail this; later the last
 * good ones stay, and `events` has the reason: a certificate without its new key, say, until the key has come too.
 *
 * @since 0.1.0
 * @category constructors
 */
export const watch = (
  options: ContextFilesOptions
): Effect.Effect<
  ReloadingContext<TlsConfigError>,
  TlsConfigError,
  CryptoProvider | FileSystem.FileSystem | Scope.Scope
> =>
  Effect.suspend(() => {
    let seen: string | undefined
    const isNew = Effect.map(fingerprint(options), (now) => now !== seen)
    return ReloadingContexts.make({
      // What is read may be newer than what was seen, and is then read once more; it is never older.
      load: Effect.zipRight(
        Effect.map(fingerprint(options), (now) => {
          seen = now
        }),
        load(options)
      ),
      when: Stream.filterEffect(changes(options, options.recheck ?? Defaults.reloadRecheck), () => isNew)
    })
  })
