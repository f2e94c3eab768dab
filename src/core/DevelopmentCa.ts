/**
 * A certification authority for development, and what a server of `localhost` shows: made in one Effect, in memory or
 * kept in a folder. Whoever has its key can pose as anybody to who trusts it: not for the public.
 *
 * @example
 * import { Effect } from "effect"
 * import { DevelopmentCa, Endpoint, TlsServer } from "effect-tls"
 *
 * const program = Effect.gen(function* () {
 *   const { serverContext } = yield* DevelopmentCa.DevelopmentCa
 *   const endpoint = Endpoint.tcp("127.0.0.1", 8443)
 *   yield* TlsServer.serve({ endpoint, context: serverContext, handler: ({ end }) => end })
 *   return yield* Effect.never
 * })
 *
 * // Trust .certificates/ca.pem, once.
 * const kept = Effect.provide(program, DevelopmentCa.layerKept(".certificates"))
 *
 * @since 0.1.0
 */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Certificates from "../schema/Certificate.ts"
import type { Certificate } from "../schema/Certificate.ts"
import * as GeneralName from "../schema/GeneralName.ts"
import { TlsConfigError } from "../schema/TlsError.ts"
import { DurationInput } from "./BuilderOptions.ts"
import type { Issued } from "./CertificateBuilder.ts"
import * as CertificateBuilder from "./CertificateBuilder.ts"
import { KeyTypeSchema, readNames } from "./CertificateOptions.ts"
import type { CryptoError } from "./CryptoProvider.ts"
import { CryptoProvider } from "./CryptoProvider.ts"
import * as IssuedLoading from "./IssuedLoading.ts"
import { decode, said } from "./OptionSchema.ts"
import type { SecureContext } from "./SecureContext.ts"
import * as SecureContexts from "./SecureContext.ts"
import type { TrustStore } from "./TrustStore.ts"
import * as TrustStores from "./TrustStore.ts"

/**
 * @since 0.1.0
 * @category options
 */
export const Options = Schema.Struct({
  /** DNS names and addresses of the server: `localhost`, `127.0.0.1` and `::1`, unless told. */
  names: said(Schema.NonEmptyArray(Schema.String)),
  /** The kind of both keys: EC P-256, unless told. */
  key: said(KeyTypeSchema),
  /** How long the server's certificate is valid: 90 days, unless told. It is renewed when two thirds are over. */
  validFor: said(DurationInput),
  /** How long the authority is valid: 10 years, unless told. */
  authorityValidFor: said(DurationInput),
  /** The authority's common name: `effect-tls development CA`, unless told. */
  authorityName: said(Schema.NonEmptyString)
}).annotations({ parseOptions: { errors: "all", onExcessProperty: "error" } })

/**
 * @since 0.1.0
 * @category options
 */
export type Options = typeof Options.Type

const decodeOptions = decode(Options)

/**
 * The authority, and the server's certificate that it issued.
 *
 * @since 0.1.0
 * @category models
 */
export interface DevelopmentPki {
  readonly authority: Issued
  readonly server: Issued
}

/**
 * What goes wrong: options, files, keys.
 *
 * @since 0.1.0
 * @category errors
 */
export type DevelopmentCaError = TlsConfigError | CryptoError

interface Plan {
  readonly names: ReadonlyArray<string>
  readonly key: NonNullable<Options["key"]>
  readonly validFor: Duration.Duration
  readonly authorityValidFor: Duration.Duration
  readonly authorityName: string
}

const planOf = (options: Options): Effect.Effect<Plan, TlsConfigError> =>
  Effect.map(decodeOptions(options), (asked) => ({
    names: asked.names ?? ["localhost", "127.0.0.1", "::1"],
    key: asked.key ?? { _tag: "Ec", curve: "P-256" },
    validFor: Duration.decode(asked.validFor ?? Duration.days(90)),
    authorityValidFor: Duration.decode(asked.authorityValidFor ?? Duration.days(3650)),
    authorityName: asked.authorityName ?? "effect-tls development CA"
  }))

const newAuthority = ({ authorityName, authorityValidFor, key }: Plan) =>
  CertificateBuilder.authority({ subject: { CN: authorityName }, key, pathLength: 0, validFor: authorityValidFor })

const newServer = (authority: Issued, { key, names, validFor }: Plan) =>
  CertificateBuilder.issue(authority, { names, key, purposes: ["serverAuth"], validFor })

/**
 * An authority and a server's certificate, in memory.
 *
 * @since 0.1.0
 * @category constructors
 */
export const generate = (options: Options = {}): Effect.Effect<DevelopmentPki, DevelopmentCaError, CryptoProvider> =>
  Effect.gen(function* () {
    const plan = yield* planOf(options)
    const authority = yield* newAuthority(plan)
    return { authority, server: yield* newServer(authority, plan) }
  })

// ---------------------------------------------------------------------------------------------------------------------
// Renewal
// ---------------------------------------------------------------------------------------------------------------------

/** Two thirds of its life are over, or it has not begun: somebody set the clock back. */
const isDue = ({ notAfter, notBefore }: Certificate, now: number): boolean =>
  now < notBefore.getTime() || now >= notBefore.getTime() + ((notAfter.getTime() - notBefore.getTime()) * 2) / 3

/** Whether an authority can still issue a certificate that is valid as long as wanted. */
const outlives = ({ certificate }: Issued, { validFor }: Plan, now: number): boolean =>
  certificate.notBefore.getTime() <= now && certificate.notAfter.getTime() >= now + Duration.toMillis(validFor)

const isFor = ({ subjectAltNames }: Certificate, names: ReadonlyArray<GeneralName.GeneralName>): boolean => {
  const found = new Set(subjectAltNames.map(GeneralName.format))
  return found.size === names.length && names.every((name) => found.has(GeneralName.format(name)))
}

const isUsable = Effect.fnUntraced(function* ({ authority, server }: DevelopmentPki, plan: Plan) {
  const now = yield* Clock.currentTimeMillis
  return (
    outlives(authority, plan, now) &&
    !isDue(server.certificate, now) &&
    isFor(server.certificate, yield* readNames(plan.names)) &&
    (yield* isIssuedBy(server, authority))
  )
})

const isIssuedBy = Effect.fnUntraced(function* ({ certificate }: Issued, authority: Issued) {
  const crypto = yield* CryptoProvider
  const { algorithm } = certificate.signatureAlgorithm
  const { publicKey, subject } = authority.certificate
  if (algorithm === undefined || !certificate.issuer.equals(subject)) return false
  return yield* crypto.verify(algorithm, publicKey, certificate.tbs, certificate.signature)
})

/** The next of both. With its old key the authority's successor is trusted where the authority is, for its time. */
const successor = Effect.fnUntraced(function* (old: Option.Option<Issued>, plan: Plan) {
  const now = yield* Clock.currentTimeMillis
  const authority = Option.isNone(old)
    ? yield* newAuthority(plan)
    : outlives(old.value, plan, now)
      ? old.value
      : yield* CertificateBuilder.renewSelfSigned(old.value, { validFor: plan.authorityValidFor })
  return { authority, server: yield* newServer(authority, plan) } satisfies DevelopmentPki
})

// ---------------------------------------------------------------------------------------------------------------------
// Files
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The files of a folder: PEM, the keys only for their owner (0600).
 *
 * @since 0.1.0
 * @category constants
 */
export const files = {
  authority: "ca.pem",
  authorityKey: "ca-key.pem",
  server: "server.pem",
  serverKey: "server-key.pem",
  /** Is there while somebody writes. */
  lock: "lock"
} as const

const isMissing = (error: PlatformError): boolean => error._tag === "SystemError" && error.reason === "NotFound"

const unreadable = (path: string) => (error: PlatformError) =>
  TlsConfigError.of("Unreadable", path, error._tag === "SystemError" ? error.reason : error.message)

interface Folder {
  readonly fs: FileSystem.FileSystem
  readonly path: (file: keyof typeof files) => string
}

const readFile = ({ fs, path }: Folder, file: keyof typeof files) =>
  fs.readFileString(path(file)).pipe(
    Effect.asSome,
    Effect.catchIf(isMissing, () => Effect.succeedNone),
    Effect.mapError(unreadable(path(file)))
  )

/** Never seen half written, and no file of another's is written through. */
const writeFile = ({ fs, path }: Folder, file: keyof typeof files, content: string, mode: number) => {
  const temporary = `${path(file)}.new`
  return fs
    .remove(temporary, { force: true })
    .pipe(
      Effect.zipRight(fs.writeFileString(temporary, content, { flag: "wx", mode })),
      Effect.zipRight(fs.rename(temporary, path(file))),
      Effect.mapError(unreadable(path(file)))
    )
}

/** The pair of a folder; none when there is no certificate. */
const readPair = Effect.fnUntraced(function* (
  folder: Folder,
  certificateFile: "authority" | "server",
  keyFile: "authorityKey" | "serverKey"
) {
  const certificateChain = yield* readFile(folder, certificateFile)
  if (Option.isNone(certificateChain)) return Option.none<Issued>()
  const key = yield* readFile(folder, keyFile)
  if (Option.isNone(key)) {
    return yield* TlsConfigError.of(
      "Unreadable",
      folder.path(keyFile),
      `it is missing, and ${files[certificateFile]} is there`
    )
  }
  const { value: privateKey } = key
  const loaded = IssuedLoading.load({ certificateChain: certificateChain.value, privateKey: Redacted.make(privateKey) })
  return Option.some(
    yield* Effect.mapError(loaded, (error) =>
      error._tag === "TlsConfigError"
        ? TlsConfigError.of(
            error.reason,
            folder.path(error.issues[0].path === "certificateChain" ? certificateFile : keyFile),
            error.issues[0].message
          )
        : error
    )
  )
})

const readAll = Effect.fnUntraced(function* (folder: Folder) {
  const authority = yield* readPair(folder, "authority", "authorityKey")
  // The server's is made again when anything is wrong with it: nobody has put trust into it.
  const server = yield* Effect.catchTag(
    readPair(folder, "server", "serverKey"),
    "TlsConfigError",
    () => Effect.succeedNone
  )
  return { authority, server }
})

const keyPem = (issued: Issued): string => Redacted.value(Option.getOrThrow(CertificateBuilder.privateKeyPem(issued)))

const pairUp = ({ authority, server }: Effect.Effect.Success<ReturnType<typeof readAll>>, plan: Plan) =>
  Option.isSome(authority) && Option.isSome(server)
    ? Effect.map(isUsable({ authority: authority.value, server: server.value }, plan), (usable) =>
        usable ? Option.some({ authority: authority.value, server: server.value }) : Option.none()
      )
    : Effect.succeed(Option.none<DevelopmentPki>())

/** One writer at a time, in whatever process. A lock is held for as long as a few keys take. */
const locked =
  ({ fs, path }: Folder) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.acquireUseRelease(
      fs.writeFileString(path("lock"), "", { flag: "wx", mode: 0o600 }).pipe(
        Effect.retry({
          while: (error) => error._tag === "SystemError" && error.reason === "AlreadyExists",
          schedule: Schedule.spaced(Duration.millis(100)),
          times: 100
        }),
        Effect.mapError((error) =>
          error._tag === "SystemError" && error.reason === "AlreadyExists"
            ? TlsConfigError.of("Unreadable", path("lock"), "another program writes here: remove it if none does")
            : unreadable(path("lock"))(error)
        )
      ),
      () => effect,
      () => Effect.ignore(fs.remove(path("lock"), { force: true }))
    )

/**
 * The authority and the server's certificate of a folder, which is made if need be: used again while they are valid and
 * for the same names, renewed before they end. The authority keeps its key. One program at a time writes. What is
 * damaged of the authority is an error, since somebody may trust it; the server's certificate is made again.
 *
 * @since 0.1.0
 * @category constructors
 */
export const keep = (
  folder: string,
  options: Options = {}
): Effect.Effect<DevelopmentPki, DevelopmentCaError, CryptoProvider | FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const { join } = yield* Path.Path
    const plan = yield* planOf(options)
    const place: Folder = { fs, path: (file) => join(folder, files[file]) }
    // Whoever writes just now may have written half of it: with the lock there is another look.
    const found = yield* Effect.orElseSucceed(
      Effect.flatMap(readAll(place), (all) => pairUp(all, plan)),
      () => Option.none<DevelopmentPki>()
    )
    if (Option.isSome(found)) return found.value
    yield* Effect.mapError(fs.makeDirectory(folder, { recursive: true, mode: 0o700 }), unreadable(folder))
    return yield* locked(place)(
      Effect.gen(function* () {
        const all = yield* readAll(place)
        const meanwhile = yield* pairUp(all, plan)
        if (Option.isSome(meanwhile)) return meanwhile.value
        const next = yield* successor(all.authority, plan)
        // A key without its certificate is taken for nothing, so that comes last.
        if (Option.isNone(all.authority)) yield* writeFile(place, "authorityKey", keyPem(next.authority), 0o600)
        yield* writeFile(place, "authority", Certificates.toPem(next.authority.certificate), 0o644)
        yield* writeFile(place, "serverKey", keyPem(next.server), 0o600)
        yield* writeFile(place, "server", CertificateBuilder.certificatePem(next.server), 0o644)
        return next
      })
    )
  })

// ---------------------------------------------------------------------------------------------------------------------
// For servers
// ---------------------------------------------------------------------------------------------------------------------

/**
 * What programs in development take: `serverContext` shows the server's certificate, renewed in time while the program
 * runs; `clientContext` trusts the authority, and nobody else; `trust` is the same for a context of one's own.
 *
 * @since 0.1.0
 * @category models
 */
export interface DevelopmentCaService {
  readonly current: Effect.Effect<DevelopmentPki, DevelopmentCaError>
  readonly serverContext: SecureContext
  readonly clientContext: SecureContext
  readonly trust: TrustStore
}

/**
 * @since 0.1.0
 * @category tags
 */
export class DevelopmentCa extends Context.Tag("effect-tls/DevelopmentCa")<DevelopmentCa, DevelopmentCaService>() {}

/** `next` is asked when the server's certificate is due. */
const service = <R>(
  first: DevelopmentPki,
  next: (old: DevelopmentPki) => Effect.Effect<DevelopmentPki, DevelopmentCaError, R>
): Effect.Effect<DevelopmentCaService, DevelopmentCaError, R | CryptoProvider | Scope.Scope> =>
  Effect.gen(function* () {
    const environment = yield* Effect.context<R>()
    const turn = yield* Effect.makeSemaphore(1)
    let pki = first
    const isFresh = Effect.map(Clock.currentTimeMillis, (now) => !isDue(pki.server.certificate, now))
    const renewed = Effect.suspend(() => Effect.provide(next(pki), environment)).pipe(
      Effect.tap((made) => {
        pki = made
      })
    )
    const current = Effect.if(isFresh, {
      onTrue: () => Effect.sync(() => pki),
      onFalse: () =>
        turn.withPermits(1)(Effect.if(isFresh, { onTrue: () => Effect.sync(() => pki), onFalse: () => renewed }))
    })
    const trust = TrustStores.fromCertificates([first.authority.certificate])
    return {
      current,
      trust,
      clientContext: yield* SecureContexts.make({ trust: { anchors: trust } }),
      serverContext: yield* SecureContexts.make({
        resolveIdentity: () => Effect.map(current, ({ server }) => [server.identity])
      })
    }
  })

/**
 * An authority in memory, gone with the program.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<DevelopmentCa, DevelopmentCaError, CryptoProvider> =>
  Layer.scoped(
    DevelopmentCa,
    Effect.gen(function* () {
      const plan = yield* planOf(options)
      return yield* service(yield* generate(options), ({ authority }) => successor(Option.some(authority), plan))
    })
  )

/**
 * An authority that is kept in a folder.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerKept = (
  folder: string,
  options: Options = {}
): Layer.Layer<DevelopmentCa, DevelopmentCaError, CryptoProvider | FileSystem.FileSystem | Path.Path> =>
  Layer.scoped(
    DevelopmentCa,
    Effect.flatMap(keep(folder, options), (first) => service(first, () => keep(folder, options)))
  )
