/**
 * Contexts and connections from the very objects that `tls.createSecureContext`, `tls.connect` and `tls.createServer` take:
 * Node's names and forms, OpenSSL's strings. What cannot be honoured is an error; `docs/node-options.md` has every option.
 *
 * @since 0.1.0
 */
import type * as Tls from "node:tls"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"
import * as ContextResolution from "../core/ContextResolution.ts"
import { CryptoProvider } from "../core/CryptoProvider.ts"
import type { AlpnSelector } from "../core/HandshakePolicy.ts"
import * as IdentityLoading from "../core/IdentityLoading.ts"
import type { RevocationOptions } from "../core/Revocation.ts"
import * as RevocationInput from "../core/RevocationInput.ts"
import type { ContextSelector, SecureContext } from "../core/SecureContext.ts"
import * as SecureContexts from "../core/SecureContext.ts"
import type { SecureContextOptions } from "../core/SecureContextOptions.ts"
import * as TlsClient from "../core/TlsClient.ts"
import type { TlsConnection } from "../core/TlsConnection.ts"
import type { Transport } from "../core/Transport.ts"
import type { TrustStore } from "../core/TrustStore.ts"
import * as TrustStores from "../core/TrustStore.ts"
import type { Verifier } from "../core/Verifier.ts"
import * as Verifiers from "../core/Verifier.ts"
import type { Certificate } from "../schema/Certificate.ts"
import * as Endpoint from "../schema/Endpoint.ts"
import * as Limits from "../schema/Limits.ts"
import * as ServerName from "../schema/ServerName.ts"
import type { TlsError } from "../schema/TlsError.ts"
import { TlsConfigError } from "../schema/TlsError.ts"
import * as NodeIdentity from "./NodeIdentity.ts"
import type { Data, NodeOptions, SniCallback } from "./NodeOptions.ts"
import * as NodeOption from "./NodeOptions.ts"
import * as NodePeerCertificate from "./NodePeerCertificate.ts"
import * as NodeProtocol from "./NodeProtocol.ts"
import * as NodeSessions from "./NodeSessions.ts"
import * as NodeTransport from "./NodeTransport.ts"

/**
 * Options as Node declares them, or with our forms besides: `Redacted` keys and passphrases, a `PrivateKey` as `key`, a
 * `SecureContext` as `secureContext` and from `SNICallback`.
 *
 * @since 0.1.0
 * @category models
 */
export type Input = NodeOptions | Tls.SecureContextOptions | Tls.ConnectionOptions | Tls.TlsOptions

// Where errors of a SecureContext's options come from here.
const nodeNames: ReadonlyArray<readonly [ours: string, node: string]> = [
  ["protocol.cipherSuites", "ciphers"],
  ["protocol.groups", "ecdhCurve"],
  ["protocol.signatureSchemes", "sigalgs"],
  ["protocol.certificateSignatureSchemes", "sigalgs"],
  ["protocol.alpn", "ALPNProtocols"],
  ["protocol.handshakeTimeout", "handshakeTimeout"],
  ["serverName", "servername"],
  ["identity", "cert"],
  ["crls", "crl"]
]

const nodeName = (path: string): string => {
  const found = nodeNames.find(([ours]) => path.startsWith(ours))
  return found === undefined ? path : found[1] + path.slice(found[0].length)
}

// ---------------------------------------------------------------------------------------------------------------------
// Trust
// ---------------------------------------------------------------------------------------------------------------------

interface Trust {
  readonly anchors: TrustStore | undefined
  readonly revocation: RevocationOptions | undefined
  readonly partialChain: boolean | undefined
}

const readTrust = (options: NodeOptions): Either.Either<Trust, TlsConfigError> =>
  Either.gen(function* () {
    const certificates: Array<Certificate> = []
    for (const { path, value } of NodeIdentity.partsOf<Data>("ca", options.ca)) {
      certificates.push(...(yield* IdentityLoading.readCertificates(NodeIdentity.toInput(value), path)))
    }
    const crls = NodeIdentity.partsOf<Data>("crl", options.crl).map(({ value }) => NodeIdentity.toInput(value))
    return {
      anchors: options.ca === undefined ? undefined : TrustStores.fromCertificates(certificates),
      revocation:
        // Node begins to look at revocation with the first CRL.
        crls.length === 0
          ? undefined
          : yield* Either.mapLeft(
              RevocationInput.load({ crls: Array.isArray(options.crl) ? crls : crls[0]! }, "", {
                limits: Limits.defaults
              }),
              NodeIdentity.atPaths((path) => nodeName(path.replace(/^\./, "")))
            ),
      partialChain: options.allowPartialTrustChain
    }
  })

type CheckServerIdentity = NonNullable<NodeOptions["checkServerIdentity"]>

/** What Node asks after all else passed: with the name that was expected, and the leaf with its issuers. */
const nodeCheck = (check: CheckServerIdentity): Verifier =>
  Verifiers.custom("checkServerIdentity", (request) => {
    if (request.role === "client") return Effect.void
    if (Option.isNone(request.serverName)) {
      return Verifiers.refuse(
        request,
        "NameMismatch",
        "no name is expected that checkServerIdentity could be asked for"
      )
    }
    const path = request.verifiedPath ?? request.certificates
    const said: unknown = check(request.serverName.value.toString(), NodePeerCertificate.makeDetailed(path))
    return said ? Verifiers.refuse(request, "NameMismatch", `checkServerIdentity: ${reasonOf(said)}`) : Effect.void
  })

/** Node refuses for whatever is true, a promise as well, since it waits for none. */
const reasonOf = (said: unknown): string => {
  if (said instanceof Error) return said.message
  if (!Predicate.isPromiseLike(said)) return "it gave no Error"
  // Nobody else would hear of what becomes of it.
  said.then(undefined, () => undefined)
  return "it gave a promise, and has to answer at once: a `Verifier` may wait"
}

/** A verifier for what the other aspects of trust cannot say; none where they can. */
const verifierOf = (
  { checkServerIdentity, rejectUnauthorized }: NodeOptions,
  trust: Trust,
  base: SecureContext
): Verifier | undefined => {
  if (checkServerIdentity === undefined && rejectUnauthorized !== false) return undefined
  const chain =
    base.trust.verifier ??
    defaultVerifier(
      { ...base.trust, ...onlySaid(trust) },
      checkServerIdentity === undefined ? {} : { matchesServerName: () => true }
    )
  const checked = checkServerIdentity === undefined ? chain : Verifiers.and(chain, nodeCheck(checkServerIdentity))
  return rejectUnauthorized === false ? Verifiers.or(checked, Verifiers.dangerouslySkipVerification) : checked
}

/** A context that decides by a verifier of its own is not told otherwise by options beside it. */
const checkBase = (
  options: NodeOptions,
  { trust: { verifier } }: SecureContext
): Either.Either<void, TlsConfigError> => {
  if (verifier === undefined) return Either.void
  const ignored = (["ca", "crl", "allowPartialTrustChain"] as const).find((name) => options[name] !== undefined)
  if (ignored !== undefined) {
    return Either.left(
      TlsConfigError.of(
        "InvalidOptions",
        ignored,
        `\`secureContext\` decides by a verifier of its own, ${verifier.name}: say it where that is made`
      )
    )
  }
  if (!verifier.name.includes(Verifiers.dangerouslySkipVerification.name)) return Either.void
  // Whoever is checked after everybody was accepted would pass for verified.
  const contrary = options.rejectUnauthorized === true ? "rejectUnauthorized" : "checkServerIdentity"
  return options[contrary] === undefined
    ? Either.void
    : Either.left(
        TlsConfigError.of(
          "InvalidOptions",
          contrary,
          "`secureContext` was made to accept everybody: make it without `rejectUnauthorized: false`"
        )
      )
}

/** What a verifier goes by, without what was not said. */
const onlySaid = ({ anchors, partialChain, revocation }: Partial<Trust>) => ({
  ...(anchors === undefined ? {} : { anchors }),
  ...(partialChain === undefined ? {} : { partialChain }),
  ...(revocation === undefined ? {} : { revocation })
})

/** Trust that a verifier decides about: what it does not know of is not said any more. */
const decidedBy = (
  verifier: Verifier,
  { partialChain: _partialChain, revocation: _revocation, ...others }: SecureContext["trust"]
): SecureContext["trust"] => ({ ...others, verifier })

const defaultVerifier = (
  trust: Partial<Trust>,
  options: Pick<Verifiers.WebPkiOptions, "matchesServerName"> = {}
): Verifier => {
  const { anchors, ...others } = onlySaid(trust)
  const all = { ...options, ...others }
  return anchors === undefined ? Verifiers.webPkiCurrentWith(all) : Verifiers.webPki(anchors, all)
}

const trustOptions = (
  { rejectUnauthorized, requestCert, requestOCSP }: NodeOptions,
  { anchors, partialChain, revocation }: Trust,
  verifier: Verifier | undefined
): NonNullable<SecureContextOptions["trust"]> => ({
  ...(anchors === undefined ? {} : { anchors }),
  ...(verifier === undefined
    ? {
        ...(partialChain === undefined ? {} : { partialChain }),
        ...(revocation === undefined ? {} : { revocation: { crls: [...(revocation.crls ?? [])] } })
      }
    : { verifier }),
  ...(requestOCSP === undefined ? {} : { requestStaple: requestOCSP }),
  ...(requestCert === undefined
    ? {}
    : { clientAuthentication: !requestCert ? "none" : rejectUnauthorized === false ? "request" : "require" })
})

// ---------------------------------------------------------------------------------------------------------------------
// Callbacks
// ---------------------------------------------------------------------------------------------------------------------

const contextSelectorOf =
  (callback: SniCallback): ContextSelector =>
  (serverName) => {
    if (Option.isNone(serverName)) return Effect.succeedNone
    const name = serverName.value.toString()
    return Effect.async<SecureContext | Tls.SecureContext | undefined, Error>((resume) => {
      callback(name, (error, context) => resume(error ? Effect.fail(error) : Effect.succeed(context)))
    }).pipe(
      Effect.flatMap((context): Effect.Effect<Option.Option<SecureContext>, TlsConfigError> => {
        if (!context) return Effect.succeedNone
        return SecureContexts.isSecureContext(context)
          ? Effect.succeedSome(context)
          : TlsConfigError.of(
              "Unsupported",
              "SNICallback",
              `for ${name}: a tls.SecureContext keeps its keys to itself, give one that \`fromNode\` made`
            )
      })
    )
  }

const selectorOf =
  (callback: NonNullable<NodeOptions["ALPNCallback"]>): AlpnSelector =>
  (offered, _, serverName) =>
    Effect.sync(() =>
      Option.fromNullable(
        callback({
          servername: Option.match(serverName, { onNone: () => "", onSome: (name) => name.toString() }),
          protocols: [...offered]
        })
      )
    )

// ---------------------------------------------------------------------------------------------------------------------
// Together
// ---------------------------------------------------------------------------------------------------------------------

const build = Effect.fnUntraced(function* (
  options: NodeOptions
): Effect.fn.Return<SecureContext, TlsConfigError, CryptoProvider | Scope.Scope> {
  const base = (options.secureContext ?? SecureContexts.empty) as SecureContext
  yield* checkBase(options, base)
  const { ALPNCallback, ALPNProtocols, SNICallback } = options
  const protocol = yield* NodeProtocol.read(options, (yield* CryptoProvider).capabilities)
  if (ALPNCallback !== undefined && ALPNProtocols !== undefined) {
    return yield* TlsConfigError.of(
      "InvalidOptions",
      "ALPNCallback",
      "`ALPNProtocols` says which protocols there are: leave one of them out"
    )
  }
  const identities = yield* NodeIdentity.load(options)
  yield* NodeProtocol.checkIdentities(options, identities)
  const trust = yield* readTrust(options)
  const verifier = verifierOf(options, trust, base)
  const made = yield* Effect.mapError(
    SecureContexts.make({
      protocol,
      ...(ALPNCallback === undefined ? {} : { selectAlpn: selectorOf(ALPNCallback) }),
      trust: trustOptions(options, trust, verifier)
    }),
    NodeIdentity.atPaths(nodeName)
  )
  const sessions = yield* NodeSessions.load(options)
  const shown = SecureContexts.withSessions(identities.reduce(SecureContexts.withIdentity, made), sessions)
  const own =
    SNICallback === undefined ? shown : SecureContexts.withContextSelector(shown, contextSelectorOf(SNICallback))
  const merged = SecureContexts.merge(base, own)
  const context = verifier === undefined ? merged : { ...merged, trust: decidedBy(verifier, merged.trust) }
  const resolved = Either.flatMap(
    SecureContexts.resolve(context, yield* CryptoProvider, "client"),
    ContextResolution.checkIdentities
  )
  yield* Either.mapLeft(resolved, NodeIdentity.atPaths(nodeName))
  return context
})

/**
 * A context from the options of `tls.createSecureContext` and those of `tls.createServer` and `tls.connect` that are about
 * what is spoken, as whom, and whom to trust. Options of one connection, as `host`, are for `connect`. Key bytes are wiped
 * when the Scope closes.
 *
 * @example
 * ```ts
 * import { readFileSync } from "node:fs"
 * import { NodeSecureContext } from "effect-tls/node"
 *
 * const context = NodeSecureContext.fromNode({
 *   key: readFileSync("server.key"),
 *   cert: readFileSync("server.crt"),
 *   minVersion: "TLSv1.3",
 *   ciphers: "TLS_AES_256_GCM_SHA384:HIGH:!aNULL",
 *   ALPNProtocols: ["h2", "http/1.1"]
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromNode = (options: Input): Effect.Effect<SecureContext, TlsConfigError, CryptoProvider | Scope.Scope> =>
  Effect.gen(function* () {
    const said = yield* NodeOption.check(options, "context")
    const context = yield* build(said)
    const { anchors, clientAuthentication, verifier } = context.trust
    if (
      said.requestCert === true &&
      clientAuthentication === "require" &&
      anchors === undefined &&
      verifier === undefined
    ) {
      return yield* TlsConfigError.of(
        "InvalidOptions",
        "ca",
        "is missing: who asks for client certificates says whose. Node would take those of every authority of the web, " +
          "and so does `ca: tls.rootCertificates`"
      )
    }
    return context
  })

/**
 * A connection from the options of `tls.connect`: to `host` and `port`, to a Unix socket at `path`, or over a `socket` that
 * is open or about to be. It lives in the Scope.
 *
 * @example
 * ```ts
 * import { NodeSecureContext } from "effect-tls/node"
 *
 * const connection = NodeSecureContext.connect({ host: "example.org", port: 443, ALPNProtocols: ["http/1.1"] })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const connect = (
  options: Input
): Effect.Effect<TlsConnection, TlsError, CryptoProvider | Transport | Scope.Scope> =>
  Effect.gen(function* () {
    const said = yield* NodeOption.check(options, "connection")
    const { host, path, port, servername, socket } = said
    if (socket === undefined && path === undefined && port === undefined) {
      return yield* TlsConfigError.of(
        "InvalidOptions",
        "port",
        "is missing: `port`, `path` or `socket` say where to connect"
      )
    }
    const name = servername || (host ?? (socket === undefined && path === undefined ? "localhost" : undefined))
    if (name === undefined && said.rejectUnauthorized !== false) {
      return yield* TlsConfigError.of(
        "InvalidOptions",
        "servername",
        "is missing: the server's certificate cannot be verified without the name it must have, and `host` does not say it"
      )
    }
    const context = yield* build(said)
    const serverName =
      name === undefined
        ? undefined
        : yield* Either.mapLeft(ServerName.parse(name), ({ message }) =>
            TlsConfigError.of("InvalidOptions", servername ? "servername" : "host", message)
          )
    // An `undefined` that is said keeps the endpoint's host from being the name.
    const settings: TlsClient.ConnectOptions =
      servername === "" && serverName !== undefined
        ? { context: expecting(context, serverName), serverName: undefined }
        : { context, serverName }
    const connected =
      socket === undefined
        ? TlsClient.connect(
            path === undefined ? Endpoint.tcp(host ?? "localhost", Number(port)) : Endpoint.unix(path),
            settings
          )
        : Effect.flatMap(NodeTransport.fromDuplex(socket), (duplex) => TlsClient.over(duplex, settings))
    return yield* Effect.mapError(connected, (error) =>
      error._tag === "TlsConfigError" ? NodeIdentity.atPaths(nodeName)(error) : error
    )
  })

/** A context that expects a name which the server is not told. */
const expecting = (context: SecureContext, name: ServerName.ServerName): SecureContext => {
  const verifier = context.trust.verifier ?? defaultVerifier(context.trust)
  const named: Verifier = {
    ...verifier,
    verify: (request) => verifier.verify({ ...request, serverName: Option.some(name) })
  }
  return { ...context, trust: decidedBy(named, context.trust) }
}
