/** What tests of connections share: contexts, a clock, and waiting that cannot hang. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import * as SecureContext from "../../src/core/SecureContext.ts"
import type { SecureContextOptions } from "../../src/core/SecureContextOptions.ts"
import * as TlsClient from "../../src/core/TlsClient.ts"
import type { TlsConnection } from "../../src/core/TlsConnection.ts"
import * as TlsServer from "../../src/core/TlsServer.ts"
import type { Verification, VerificationRequest, Verifier } from "../../src/core/Verifier.ts"
import * as Verifiers from "../../src/core/Verifier.ts"
import * as MemoryTransport from "../../src/layers/MemoryTransport.ts"
import type { CertificateError, TlsError } from "../../src/schema/TlsError.ts"
import * as TlsErrors from "../../src/schema/TlsError.ts"
import * as Alert from "../../src/schema/Alert.ts"
import * as identities from "./identities.ts"
import { crypto } from "./identities.ts"
import type { Ending } from "./ScriptedPeer.ts"
import { ScriptedPeer } from "./ScriptedPeer.ts"

export const now = Date.UTC(2026, 10, 21)

export const layer = Layer.mergeAll(Layer.succeed(CryptoProvider, crypto), MemoryTransport.layer)

/** A verifier of whatever `verify` says; by default it believes everybody. */
export const verifier = (
  verify: (request: VerificationRequest) => Effect.Effect<Verification, CertificateError, CryptoProvider> = ({
    certificates
  }) => Effect.succeed({ path: certificates, vouchedBy: "test" }),
  name = "test"
): Verifier => Verifiers.make(name, verify)

/** A context, from options that must be right. */
export const context = (
  options: SecureContextOptions = {},
  believes: Verifier = verifier()
): Effect.Effect<SecureContext.SecureContext, never, CryptoProvider | Scope.Scope> =>
  Effect.map(Effect.orDie(SecureContext.make(options)), SecureContext.withVerifier(believes))

export const serverContext = (options: SecureContextOptions = {}, believes: Verifier = verifier()) =>
  context({ identity: identities.server.options, ...options }, believes)

/** The same without a Scope, for module level: keys in these are never wiped. */
export const contextSync = (options: SecureContextOptions = {}, believes?: Verifier): SecureContext.SecureContext =>
  Effect.runSync(Effect.scoped(context(options, believes)).pipe(Effect.provideService(CryptoProvider, crypto)))

export const text = (bytes: Iterable<Uint8Array>): string => {
  const decoder = new TextDecoder()
  let all = ""
  for (const part of bytes) all += decoder.decode(part, { stream: true })
  return all + decoder.decode()
}

export const bytes = (content: string): Uint8Array => new TextEncoder().encode(content)

/** `Tag/reason`, and for most errors the phase: enough to tell one from another. */
export const label = (error: TlsError): string => `${error._tag}/${error.reason}/${error.phase}`

export const alertName = (error: TlsError): string =>
  Option.match(TlsErrors.alertOf(error), { onNone: () => "none", onSome: Alert.name })

/** How a script came to its end: `alert illegal_parameter`, `gone end`, `done`. */
export const endingOf = <A>(exit: Exit.Exit<A, Ending>): string => {
  if (Exit.isSuccess(exit)) return "done"
  const failure = Cause.failureOption(exit.cause)
  if (Option.isNone(failure)) return `died: ${Cause.pretty(exit.cause)}`
  switch (failure.value._tag) {
    case "PeerAlert":
      return `alert ${failure.value.name}`
    case "PeerGone":
      return `gone ${failure.value.how}`
    case "OffScript":
      return `off script: ${failure.value.what}`
  }
}

/** The error of an exit that has one. */
export const errorOf = <A, E>(exit: Exit.Exit<A, E>): E => {
  if (Exit.isSuccess(exit)) throw new Error("it succeeded")
  return Option.getOrThrowWith(Cause.failureOption(exit.cause), () => new Error(Cause.pretty(exit.cause)))
}

export const labelOf = <A>(exit: Exit.Exit<A, TlsError>): string =>
  Exit.isSuccess(exit)
    ? "connected"
    : Option.match(Cause.failureOption(exit.cause), {
        onNone: () => `not an error of ours: ${Cause.pretty(exit.cause)}`,
        onSome: label
      })

const turn = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

/**
 * Lets everybody run until this fiber has ended or nothing moves any more. In memory everything moves at once, but for
 * what goes through Node's event loop, such as loading a module.
 */
export const settle = <A, E>(fiber: Fiber.Fiber<A, E>, turns = 30): Effect.Effect<Option.Option<Exit.Exit<A, E>>> =>
  Effect.gen(function* () {
    for (let i = 0; i < turns; i++) {
      for (let j = 0; j < 20; j++) {
        const exit = yield* fiber.poll
        if (Option.isSome(exit)) return exit
        yield* Effect.yieldNow()
      }
      yield* turn
    }
    return Option.none()
  })

/** Waits for a fiber, and when nothing moves any more lets the clock run; what then still hangs is a defect. */
export const finish = <A, E>(
  fiber: Fiber.Fiber<A, E>,
  deadline: Parameters<typeof TestClock.adjust>[0] = "1 minute"
): Effect.Effect<Exit.Exit<A, E>> =>
  Effect.gen(function* () {
    const early = yield* settle(fiber)
    if (Option.isSome(early)) return early.value
    yield* TestClock.adjust(deadline)
    const late = yield* settle(fiber, 300)
    return Option.getOrThrowWith(late, () => new Error("it hangs"))
  })

/** A real client against a script. The duplexes live in the Scope. */
export const clientAgainst = <A, E>(
  secure: SecureContext.SecureContext,
  play: (peer: ScriptedPeer) => Effect.Effect<A, E>,
  options: { readonly serverName?: string; readonly transport?: MemoryTransport.MemoryTransportOptions } = {}
) =>
  Effect.gen(function* () {
    const [ours, theirs] = yield* MemoryTransport.pair(options.transport)
    const peer = new ScriptedPeer("server", theirs)
    const client = yield* Effect.fork(
      TlsClient.over(ours, {
        context: secure,
        ...(options.serverName === undefined ? {} : { serverName: options.serverName })
      })
    )
    const script = yield* Effect.fork(play(peer))
    return { client, script, peer, ours, theirs }
  })

/** A real server against a script. */
export const serverAgainst = <A, E>(
  secure: SecureContext.SecureContext,
  play: (peer: ScriptedPeer) => Effect.Effect<A, E>,
  options: { readonly transport?: MemoryTransport.MemoryTransportOptions } = {}
) =>
  Effect.gen(function* () {
    const [theirs, ours] = yield* MemoryTransport.pair(options.transport)
    const peer = new ScriptedPeer("client", theirs)
    const server = yield* Effect.fork(TlsServer.over(ours, { context: secure }))
    const script = yield* Effect.fork(play(peer))
    return { server, script, peer, ours, theirs }
  })

/** A client's and a server's end of one connection, both ours. */
export const connected = (
  options: {
    readonly client?: SecureContext.SecureContext
    readonly server?: SecureContext.SecureContext
    readonly serverName?: string
    readonly transport?: MemoryTransport.MemoryTransportOptions
  } = {}
): Effect.Effect<
  { readonly client: TlsConnection; readonly server: TlsConnection },
  TlsError,
  CryptoProvider | Scope.Scope
> =>
  Effect.gen(function* () {
    const [clientEnd, serverEnd] = yield* MemoryTransport.pair(options.transport)
    const accepting = yield* Effect.fork(
      TlsServer.over(serverEnd, { context: options.server ?? (yield* serverContext()) })
    )
    const client = yield* TlsClient.over(clientEnd, {
      context: options.client ?? (yield* context()),
      ...(options.serverName === undefined ? {} : { serverName: options.serverName })
    })
    return { client, server: yield* Fiber.join(accepting) }
  })

/** Numbers that look random and are the same each time. */
export const random = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}
