/** Identities, random policies, and meetings of two sides in memory: what the property tests share. */
import { assert } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Supervisor from "effect/Supervisor"
import * as TestClock from "effect/TestClock"
import * as TestContext from "effect/TestContext"
import type { ConnectionInfo } from "../../src/core/ConnectionInfo.ts"
import { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import * as SecureContext from "../../src/core/SecureContext.ts"
import type { SecureContextOptions } from "../../src/core/SecureContextOptions.ts"
import * as TlsClient from "../../src/core/TlsClient.ts"
import type { TlsConnection } from "../../src/core/TlsConnection.ts"
import * as TlsServer from "../../src/core/TlsServer.ts"
import * as Verifier from "../../src/core/Verifier.ts"
import type { MemoryTransportOptions } from "../../src/layers/MemoryTransport.ts"
import * as MemoryTransport from "../../src/layers/MemoryTransport.ts"
import { concat, equals, toHex } from "../../src/schema/Bytes.ts"
import type { Certificate } from "../../src/schema/Certificate.ts"
import type { ClientHello } from "../../src/schema/HandshakeMessage.ts"
import { decode } from "../../src/schema/HandshakeMessage.ts"
import { mlkem768 } from "../../src/schema/NamedGroup.ts"
import type { TlsError } from "../../src/schema/TlsError.ts"
import { now, settle } from "../support/harness.ts"
import type { Made, Wanted } from "../support/identities.ts"
import { crypto, make } from "../support/identities.ts"
import type { End, Identity, Info, KeyKind, Outcome, Side } from "./oracle.ts"
import { canSign, signedBy } from "./oracle.ts"

/** `PROPERTY_RUNS=5000` runs each property so often, `all` tries every case where they can be counted. */
const said = process.env["PROPERTY_RUNS"]
export const exhaustive = said === "all"
export const runs = (usual: number): number => (said === undefined ? usual : exhaustive ? 20 * usual : Number(said))
/** For `it`: a slow machine is no failure. */
export const timeout = (usual: number): number => 60_000 + 500 * runs(usual)

// ---------------------------------------------------------------------------------------------------------------------
// Identities
// ---------------------------------------------------------------------------------------------------------------------

const keyTypes: { readonly [K in KeyKind]: NonNullable<Wanted["key"]> } = {
  p256: { _tag: "Ec", curve: "P-256" },
  p384: { _tag: "Ec", curve: "P-384" },
  p521: { _tag: "Ec", curve: "P-521" },
  ed25519: { _tag: "Ed25519" },
  ed448: { _tag: "Ed448" },
  rsa: { _tag: "Rsa", modulusLength: 2048 },
  rsaPss: { _tag: "RsaPss", modulusLength: 2048 }
}

const authorities = { ecdsa: "p256", pkcs1: "rsa", eddsa: "ed25519" } as const
const sha1 = "rsa_pkcs1_sha1"

const wanted: ReadonlyArray<readonly [KeyKind, issuer: string, signed: string, name: string]> = [
  ["p256", "ecdsa", signedBy.ecdsa, "example.org"],
  ["p256", "pkcs1", signedBy.pkcs1, "example.net"],
  ["p384", "eddsa", signedBy.eddsa, "example.net"],
  ["p384", "pkcs1", signedBy.pkcs1, "example.org"],
  ["p521", "ecdsa", signedBy.ecdsa, "example.org"],
  ["ed25519", "eddsa", signedBy.eddsa, "example.org"],
  ["ed25519", "ecdsa", signedBy.ecdsa, "example.net"],
  ["ed448", "pkcs1", signedBy.pkcs1, "example.org"],
  ["ed448", "pkcs1", sha1, "example.net"],
  ["ed25519", "pkcs1", sha1, "example.org"],
  ["rsa", "pkcs1", signedBy.pkcs1, "example.org"],
  ["rsaPss", "ecdsa", signedBy.ecdsa, "example.org"],
  ["p256", "self", "ecdsa_secp256r1_sha256", "example.org"],
  ["p384", "self", "ecdsa_secp384r1_sha384", "example.org"]
]

/** Ids to what they stand for; authorities are among them. */
export const made = new Map<string, Made>()
const ids = new Map<string, string>()

/** As the oracle knows them. */
export const identities: ReadonlyArray<Identity> = wanted.map(([key, issuer, signed, name]) => {
  const id = `${key}-${issuer}-${name}`
  return { id, key, names: [name], issuer: issuer === "self" ? id : issuer, signed }
})

const learn = (id: string, one: Made) => {
  made.set(id, one)
  ids.set(toHex(one.certificate.der), id)
}

let learned: Promise<void> | undefined
/** Makes the keys, once. */
export const prepare = (): Promise<void> =>
  (learned ??= Effect.runPromise(
    Effect.gen(function* () {
      yield* Effect.forEach(
        Object.entries(authorities),
        ([id, kind]) =>
          Effect.map(make({ key: keyTypes[kind], names: [], subject: id, ca: true }), (one) => learn(id, one)),
        { concurrency: "unbounded" }
      )
      yield* Effect.forEach(
        identities,
        ({ id, issuer, key, names, signed }) =>
          Effect.map(
            make({
              key: keyTypes[key],
              names,
              subject: id,
              ...(issuer === id ? {} : { issuer: made.get(issuer)! }),
              ...(signed === sha1 ? { algorithm: { _tag: "RsaPkcs1", hash: "SHA-1" } as const } : {})
            }),
            (one) => learn(id, one)
          ),
        { concurrency: "unbounded" }
      )
    })
  ))

const idOf = (certificate: Certificate): string => ids.get(toHex(certificate.der)) ?? "a stranger"

// ---------------------------------------------------------------------------------------------------------------------
// Policies
// ---------------------------------------------------------------------------------------------------------------------

const suites = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "TLS_AES_128_CCM_SHA256",
  "TLS_AES_128_CCM_8_SHA256"
]
const groups = ["X25519MLKEM768", "x25519", "secp256r1", "secp384r1", "secp521r1", "x448", "ffdhe2048", "ffdhe3072"]
const handshakeSchemes = [
  "ecdsa_secp256r1_sha256",
  "ecdsa_secp384r1_sha384",
  "ecdsa_secp521r1_sha512",
  "ed25519",
  "ed448",
  "rsa_pss_rsae_sha256",
  "rsa_pss_rsae_sha384",
  "rsa_pss_rsae_sha512",
  "rsa_pss_pss_sha256",
  "rsa_pss_pss_sha384",
  "rsa_pss_pss_sha512"
]
const certificateOnly = ["rsa_pkcs1_sha256", "rsa_pkcs1_sha384", "rsa_pkcs1_sha512"]

const some = <A>(items: ReadonlyArray<A>, minLength = 1) => FastCheck.shuffledSubarray([...items], { minLength })
const maybe = <A>(arbitrary: FastCheck.Arbitrary<A>, nothing = 1) =>
  FastCheck.oneof(
    { arbitrary: FastCheck.constant(undefined), weight: nothing },
    { arbitrary: arbitrary as FastCheck.Arbitrary<A | undefined>, weight: 1 }
  )

/** What changes bytes and no outcome. */
export interface Shape {
  readonly maxFragment: number | undefined
  readonly recordSizeLimit: number | undefined
  readonly recordPadding: number | undefined
  readonly middleboxCompatibility: boolean | undefined
  readonly helloRetryCookie: boolean | undefined
}

/** Small sizes are where the boundaries are. */
const size = (least: number, most: number) =>
  FastCheck.oneof(FastCheck.integer({ min: least, max: least + 64 }), FastCheck.integer({ min: least, max: most }))

export const shape: FastCheck.Arbitrary<Shape> = FastCheck.record({
  maxFragment: maybe(size(64, 16_384)),
  recordSizeLimit: maybe(size(64, 16_385)),
  recordPadding: maybe(FastCheck.oneof(FastCheck.integer({ min: 1, max: 300 }), FastCheck.constant(16_384)), 2),
  middleboxCompatibility: maybe(FastCheck.boolean()),
  helloRetryCookie: maybe(FastCheck.boolean())
})

export type Policy = Side & Shape

const trusted = FastCheck.oneof(
  { arbitrary: FastCheck.constant("anybody" as const), weight: 1 },
  { arbitrary: FastCheck.constant(Object.keys(authorities)), weight: 3 },
  { arbitrary: some([...Object.keys(authorities), "p256-self-example.org", "p256-ecdsa-example.org"]), weight: 2 }
)

const side = (role: "client" | "server"): FastCheck.Arbitrary<Policy> =>
  FastCheck.record({
    policy: maybe(
      FastCheck.constantFrom("strict" as const, "modern" as const, "compatible" as const, "legacy" as const)
    ),
    cipherSuites: FastCheck.oneof(
      { arbitrary: FastCheck.constant(undefined), weight: 2 },
      { arbitrary: some(suites, 2), weight: 2 },
      { arbitrary: some(suites), weight: 1 }
    ),
    groups: FastCheck.oneof(
      { arbitrary: FastCheck.constant(undefined), weight: 1 },
      { arbitrary: some(groups, 2), weight: 4 },
      { arbitrary: some(groups), weight: 1 }
    ),
    signatureSchemes: FastCheck.oneof(
      { arbitrary: FastCheck.constant(undefined), weight: 2 },
      { arbitrary: some(handshakeSchemes, 4), weight: 2 },
      {
        arbitrary: FastCheck.tuple(some(handshakeSchemes), some(certificateOnly, 0)).map((lists) => lists.flat()),
        weight: 1
      }
    ),
    certificateSignatureSchemes: maybe(some([...handshakeSchemes, ...certificateOnly, sha1]), 3),
    alpn: maybe(some(["h2", "http/1.1", "h3", "\u00ff"], 0), 2),
    identities: some(identities, role === "server" ? 1 : 0),
    trusted,
    announceAuthorities: maybe(FastCheck.boolean()),
    clientAuthentication:
      role === "server"
        ? FastCheck.constantFrom("none" as const, "request" as const, "require" as const, undefined)
        : FastCheck.constant(undefined),
    shape
  }).chain(({ shape: chosen, ...drawn }) => {
    const usable = drawn.identities.filter((identity) => canSign(drawn, identity))
    const rest =
      usable.length > 0 || role === "client"
        ? { ...drawn, identities: usable }
        : { ...drawn, signatureSchemes: undefined }
    return (rest.groups === undefined ? FastCheck.constant(undefined) : maybe(some(rest.groups))).map(
      (keyShares): Policy => Object.assign({ keyShares }, rest, chosen)
    )
  })

const hybridByDefault = crypto.capabilities.nativeGroups.has(mlkem768)

export const meeting = FastCheck.tuple(side("client"), side("server")).chain(([client, server]) =>
  FastCheck.oneof(
    // A name that the server has, mostly.
    { arbitrary: FastCheck.constantFrom(...server.identities.flatMap(({ names }) => names)), weight: 6 },
    { arbitrary: FastCheck.constantFrom("example.org", "other.example", "192.0.2.7"), weight: 1 },
    // Without a name there must be nobody who would compare it.
    { arbitrary: FastCheck.constant(client.trusted === "anybody" ? undefined : "example.org"), weight: 1 }
  ).map((serverName) => ({ client, server, serverName, hybridByDefault }))
)

/** Without what is not said. */
export const defined = <A extends object>(fields: A): object =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))

/** The context of a policy, by the library's own front door. */
export const contextOf = (policy: Policy): Effect.Effect<SecureContext.SecureContext, never, Scope.Scope> => {
  const { announceAuthorities, clientAuthentication, identities: own, trusted: anchors, ...protocol } = policy
  const options = {
    protocol: defined(protocol),
    identity: own.map(({ id }) => ({
      certificateChain: made.get(id)!.chain,
      privateKey: made.get(id)!.privateKey
    })),
    trust: defined({
      announceAuthorities,
      clientAuthentication,
      ...(anchors === "anybody"
        ? { verifier: Verifier.dangerouslySkipVerification }
        : { anchors: anchors.map((id) => made.get(id)!.certificate) })
    })
  } as SecureContextOptions
  return Effect.provideService(Effect.orDie(SecureContext.make(options)), CryptoProvider, crypto)
}

// ---------------------------------------------------------------------------------------------------------------------
// Meetings
// ---------------------------------------------------------------------------------------------------------------------

export const label = (error: TlsError): string => `${error._tag}/${error.reason}`

const plain = (info: ConnectionInfo): Info => ({
  role: info.role,
  version: info.version,
  cipherSuite: info.cipherSuite,
  group: info.group,
  signatureScheme: info.signatureScheme,
  clientSignatureScheme: Option.getOrNull(info.clientSignatureScheme),
  alpn: Option.getOrNull(info.alpn),
  serverName: Option.getOrNull(Option.map(info.serverName, String)),
  peer:
    info.peer._tag === "Anonymous"
      ? "Anonymous"
      : info.peer._tag === "Unverified"
        ? `Unverified ${idOf(info.peer.certificate)}`
        : `Verified ${info.peer.path.map(idOf).join(" ")}`,
  peerCertificates: info.peerCertificates.map(idOf),
  helloRetryRequest: info.helloRetryRequest,
  resumed: info.resumed,
  earlyData: info.earlyData
})

/** Everything up to close_notify. */
export const readAll = (connection: TlsConnection): Effect.Effect<Uint8Array, TlsError> => {
  const parts: Array<Uint8Array> = []
  const more: Effect.Effect<Uint8Array, TlsError> = Effect.matchEffect(connection.pull, {
    onFailure: Option.match({ onNone: () => Effect.sync(() => concat(parts)), onSome: (error) => Effect.fail(error) }),
    onSuccess: (chunk) => {
      parts.push(...Chunk.toReadonlyArray(chunk))
      return more
    }
  })
  return more
}

/** Sends all of it and its end while it reads until the peer's end: what came. */
export const exchange = (connection: TlsConnection, data: Uint8Array): Effect.Effect<Uint8Array, TlsError> =>
  Effect.map(
    Effect.all([Effect.zipRight(connection.write(data), connection.end), readAll(connection)], {
      concurrency: "unbounded"
    }),
    ([, received]) => received
  )

export interface Conversation {
  readonly client: SecureContext.SecureContext
  readonly server: SecureContext.SecureContext
  readonly serverName?: string | undefined
  readonly clientSends: Uint8Array
  readonly serverSends: Uint8Array
  readonly transport?: MemoryTransportOptions
}

/** One side of a conversation, in a Scope of its own. */
const talk = <R>(
  connect: Effect.Effect<TlsConnection, TlsError, R>,
  data: Uint8Array,
  expected: Uint8Array,
  onError: (error: TlsError) => void = () => undefined
): Effect.Effect<End, never, Exclude<R, Scope.Scope>> =>
  Effect.scoped(
    Effect.gen(function* () {
      const connection = yield* Effect.either(Effect.tapError(connect, (error) => Effect.sync(() => onError(error))))
      if (Either.isLeft(connection)) return { _tag: "Failed", error: label(connection.left) } satisfies End
      const received = yield* Effect.either(
        Effect.tapError(exchange(connection.right, data), (error) => Effect.sync(() => onError(error)))
      )
      return {
        _tag: "Open",
        info: plain(connection.right.info),
        after: Either.isLeft(received)
          ? label(received.left)
          : equals(received.right, expected)
            ? "data"
            : `other data: ${received.right.length} of ${expected.length} bytes`
      } satisfies End
    })
  ) as Effect.Effect<End, never, Exclude<R, Scope.Scope>>

/** Both sides, to be run. */
const parties = (
  { client, clientSends, server, serverName, serverSends, transport }: Conversation,
  errors: { client?: TlsError; server?: TlsError } = {}
) =>
  Effect.map(MemoryTransport.pair(transport), ([clientEnd, serverEnd]) => ({
    client: talk(
      TlsClient.over(clientEnd, { context: client, ...(serverName === undefined ? {} : { serverName }) }),
      clientSends,
      serverSends,
      (error) => (errors.client ??= error)
    ),
    server: talk(
      TlsServer.over(serverEnd, { context: server }),
      serverSends,
      clientSends,
      (error) => (errors.server ??= error)
    )
  }))

/** Both sides, and what became of them. */
export const converse = (conversation: Conversation): Effect.Effect<Outcome> =>
  parties(conversation).pipe(
    Effect.flatMap((both) => Effect.all(both, { concurrency: "unbounded" })),
    Effect.scoped,
    Effect.provideService(CryptoProvider, crypto)
  )

/** `undefined` is a side that did not end before the deadline, and had to be interrupted. */
export interface Watched {
  readonly client: End | undefined
  readonly server: End | undefined
  readonly errors: { readonly client?: TlsError; readonly server?: TlsError }
  /** How many are left when both have ended. */
  readonly fibers: number
}

const deadline = "10 seconds"

/** Runs both sides under a TestClock, and counts which fibers are left when `body` is done and both have ended. */
export const supervised = <A>(
  conversation: Conversation,
  body: (client: Fiber.RuntimeFiber<End>, server: Fiber.RuntimeFiber<End>) => Effect.Effect<A>,
  errors: { client?: TlsError; server?: TlsError } = {}
): Effect.Effect<{ readonly fibers: number; readonly result: A }> =>
  Effect.gen(function* () {
    yield* TestClock.setTime(now)
    const supervisor = yield* Supervisor.track
    const both = yield* parties(conversation, errors)
    const fibers = yield* Effect.supervised(
      Effect.all([Effect.forkDaemon(both.client), Effect.forkDaemon(both.server)]),
      supervisor
    )
    assert.isAtLeast((yield* supervisor.value).length, 2, "fibers are seen")
    const result = yield* body(...fibers)
    const stopping = yield* Effect.fork(Fiber.interruptAll(fibers))
    if (Option.isNone(yield* settle(stopping, 100))) return yield* Effect.dieMessage("interrupting hangs")
    return { fibers: (yield* supervisor.value).length, result }
  }).pipe(Effect.scoped, Effect.provide(TestContext.TestContext), Effect.provideService(CryptoProvider, crypto))

const endOf = (exit: Option.Option<Exit.Exit<End>>): End | undefined =>
  Option.getOrUndefined(
    Option.map(
      exit,
      Exit.getOrElse((cause) => {
        throw new Error(`a defect: ${Cause.pretty(cause)}`)
      })
    )
  )

/** Both sides under a TestClock, which moves when nothing else does, once, to the deadline of handshakes. */
export const watch = (conversation: Conversation): Effect.Effect<Watched> =>
  Effect.suspend(() => {
    const errors: { client?: TlsError; server?: TlsError } = {}
    const body = Effect.fnUntraced(function* (client: Fiber.RuntimeFiber<End>, server: Fiber.RuntimeFiber<End>) {
      const early = yield* Effect.forEach([client, server], (fiber) => settle(fiber))
      if (early.some(Option.isNone)) yield* TestClock.adjust(deadline)
      return { client: endOf(yield* settle(client, 100)), server: endOf(yield* settle(server, 100)) }
    })
    return Effect.map(supervised(conversation, body, errors), ({ fibers, result }) => ({ ...result, errors, fibers }))
  })

/** Whether a side got all data and the peer's end. */
export const isClean = (end: End | undefined): boolean => end?._tag === "Open" && end.after === "data"

/** What a side says of its end. */
export const describeEnd = (end: End | undefined): string =>
  end === undefined ? "no end" : end._tag === "Open" ? `open, then ${end.after}` : end.error

/** What a client says first. */
export const firstHello = (
  context: SecureContext.SecureContext,
  serverName: string | undefined
): Effect.Effect<ClientHello> =>
  Effect.gen(function* () {
    const [clientEnd, serverEnd] = yield* MemoryTransport.pair()
    const connecting = yield* Effect.fork(
      Effect.scoped(TlsClient.over(clientEnd, { context, ...(serverName === undefined ? {} : { serverName }) }))
    )
    const parts: Array<Uint8Array> = []
    for (;;) {
      const bytes = Buffer.concat(parts)
      if (bytes.length > 5) {
        // Small records are put together again.
        const message: Array<Uint8Array> = []
        for (let at = 0; at + 5 <= bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) {
          message.push(bytes.subarray(at + 5, at + 5 + bytes.readUInt16BE(at + 3)))
        }
        const decoded = decode(Uint8Array.from(Buffer.concat(message)))
        if (Either.isRight(decoded) && decoded.right._tag === "ClientHello") {
          yield* Fiber.interrupt(connecting)
          return decoded.right
        }
      }
      parts.push(Option.getOrThrow(yield* serverEnd.pull))
    }
  }).pipe(Effect.scoped, Effect.orDie, Effect.provideService(CryptoProvider, crypto))

/** Without a TestClock only a machine that stands still makes this true: a hang is a failure that shrinks. */
export const soon = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.timeoutFail(effect, { duration: "30 seconds", onTimeout: () => new Error("it hangs") }).pipe(
    Effect.catchAll((error) =>
      error instanceof Error && error.message === "it hangs" ? Effect.die(error) : Effect.fail(error as E)
    )
  )

/** Bytes that are the same for a seed. */
export const noise = (length: number, seed: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  let state = (seed | 1) >>> 0
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[i] = state >>> 24
  }
  return bytes
}

/** Many small or padded records are slow and say no more than a few. */
export const boundedLength = (length: number, shapes: ReadonlyArray<Shape>): number =>
  Math.min(
    length,
    ...shapes.map(
      ({ maxFragment = 16_384, recordPadding = 1, recordSizeLimit = 16_385 }) =>
        Math.min(maxFragment, recordSizeLimit - 1) * (recordPadding > 1000 ? 20 : 100)
    )
  )

export const assertSame = (actual: unknown, expected: unknown): void => assert.deepStrictEqual(actual, expected)
