/**
 * Sessions on the client's side (RFC 9846 §2.2, §4.2.11, §4.6.1): which one to offer a server, and keeping those that its
 * tickets stand for.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { equals, toHex } from "../schema/Bytes.ts"
import * as CipherSuite from "../schema/CipherSuite.ts"
import * as Defaults from "../schema/Defaults.ts"
import type { Extension } from "../schema/Extension.ts"
import type { ClientHello, NewSessionTicket } from "../schema/HandshakeMessage.ts"
import { encode } from "../schema/HandshakeMessage.ts"
import type { ServerName } from "../schema/ServerName.ts"
import type { ClientSession, Session } from "../schema/Session.ts"
import { isClientSession } from "../schema/Session.ts"
import { hashLength } from "../schema/Algorithms.ts"
import * as Auth from "./Authentication.ts"
import type { HandshakeChannel } from "./HandshakeChannel.ts"
import type { HandshakePolicy } from "./HandshakePolicy.ts"
import * as KeySchedule from "./KeySchedule.ts"
import * as SessionTerms from "./SessionTerms.ts"
import * as Step from "./Step.ts"

/**
 * A session that is offered to a server, and who that server was found to be, now.
 *
 * @since 0.1.0
 * @category models
 */
export interface OfferedSession {
  readonly session: ClientSession
  readonly suite: CipherSuite.CipherSuiteInfo
  readonly peer: Auth.VerifiedPeer
}

/**
 * What a session is bound to: the server and what was asked of it, and who we were to it, since that is who we go on as. An
 * address stands for a server that has no name.
 */
const bindingOf = (
  flight: HandshakeChannel,
  policy: HandshakePolicy,
  serverName: Option.Option<ServerName>
): Uint8Array => {
  const remote = Option.getOrUndefined(flight.duplex.remoteAddress)
  return SessionTerms.binding(flight.crypto, [
    "client",
    policy.sessions.context,
    Option.isSome(serverName) ? `name ${serverName.value.toString()}` : `address ${remote?.toString() ?? ""}`,
    remote === undefined ? "" : remote._tag === "TcpEndpoint" ? String(remote.port) : remote.path,
    JSON.stringify(policy.alpn),
    ...policy.ownIdentities.map(({ certificateChain: [leaf] }) => toHex(flight.crypto.hash("SHA-256", leaf.der)))
  ])
}

/**
 * A session to offer, if there is one that is good yet: its server is judged anew before, as in a handshake, for its
 * certificate may have expired since, or been revoked. One that is not offered is not kept either.
 *
 * @since 0.1.0
 * @category resumption
 */
export const find = function* (
  flight: HandshakeChannel,
  policy: HandshakePolicy,
  serverName: Option.Option<ServerName>
) {
  const { cache, lifetime } = policy.sessions
  if (cache === undefined) return Option.none<OfferedSession>()
  const binding = bindingOf(flight, policy, serverName)
  const now = yield* Clock.currentTimeMillis
  // As many as a cache should have that cannot be offered any more.
  for (let looks = 0; looks < Defaults.sessionsPerServer; looks++) {
    const found = yield* SessionTerms.orNone("looking for a session", () => cache.take(toHex(binding)), isClientSession)
    if (Option.isNone(found)) break
    const session = found.value
    const suite = CipherSuite.info(session.cipherSuite)
    if (
      suite === undefined ||
      !policy.cipherSuites.some(({ hash }) => hash === suite.hash) ||
      !equals(session.binding, binding) ||
      session.ticket.length > flight.limits.ticket ||
      !SessionTerms.isFor(session, { suite, now, lifetime, skew: flight.limits.ticketAgeSkew })
    ) {
      continue
    }
    const possession = Auth.resumedPossession(flight, policy, session)
    if (Option.isNone(possession)) continue
    const certificate = possession.value.certificates[0]
    const staples =
      policy.requestStaple && session.staple !== undefined ? [{ certificate, response: session.staple }] : []
    const peer = yield* Effect.either(
      Step.gen(() =>
        Auth.verifyPeer(flight, policy, possession.value, {
          serverName,
          staples: policy.requestStaple ? staples : undefined
        })
      )
    )
    return Option.map(Option.getRight(peer), (verified): OfferedSession => ({ session, suite, peer: verified }))
  }
  return Option.none<OfferedSession>()
}

/**
 * A ClientHello that offers the session, as old as it is `now`: pre_shared_key is the last of its extensions, and its binder
 * covers all before it. The transcript ends before the hello.
 *
 * @since 0.1.0
 * @category resumption
 */
export const withOffer = (
  flight: HandshakeChannel,
  hello: ClientHello,
  { session, suite }: OfferedSession,
  now: number
): ClientHello => {
  // A clock may have been set back since.
  const age = Math.max(0, now - session.createdAt)
  const offering = (binder: Uint8Array): ClientHello => {
    const offer: Extension = {
      _tag: "PreSharedKeyOffer",
      identities: [{ identity: session.ticket, obfuscatedTicketAge: (age + session.ageAdd) % 2 ** 32 }],
      binders: [binder]
    }
    return { ...hello, extensions: [...hello.extensions, offer] }
  }
  const none = new Uint8Array(hashLength[suite.hash])
  const bytes = encode(offering(none))
  const covered = bytes.subarray(0, bytes.length - SessionTerms.bindersLength([none]))
  const schedule = KeySchedule.make(flight.crypto, suite)
  return offering(
    schedule.binder(schedule.early(Redacted.value(session.secret)), flight.transcript.digestWith(suite.hash, covered))
  )
}

/**
 * What is done with the server's tickets: each becomes a session in the cache. The transcript ends with the client's
 * Finished.
 *
 * @since 0.1.0
 * @category resumption
 */
export const keepTickets = function* (
  flight: HandshakeChannel,
  policy: HandshakePolicy,
  {
    mainSecret,
    serverName,
    suite,
    ...established
  }: {
    readonly suite: CipherSuite.CipherSuiteInfo
    readonly mainSecret: KeySchedule.MainSecret
    readonly serverName: Option.Option<ServerName>
    readonly alpn: Option.Option<string>
    readonly peer: Auth.VerifiedPeer
    readonly clientScheme: Session["clientScheme"]
    readonly staple: Uint8Array | undefined
    readonly resumed: Session | undefined
  }
) {
  const { cache, lifetime: most } = policy.sessions
  if (cache === undefined) return undefined
  const authenticatedAt = established.resumed?.authenticatedAt ?? (yield* Clock.currentTimeMillis)
  const schedule = KeySchedule.make(flight.crypto, suite)
  const resumption = schedule.resumption(mainSecret, flight.transcript.digest())
  const binding = bindingOf(flight, policy, serverName)
  const { possession } = established.peer
  return ({ ageAdd, lifetime, nonce, ticket }: NewSessionTicket): Effect.Effect<void> =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      if (lifetime === 0 || ticket.length > flight.limits.ticket) return Effect.void
      const session: ClientSession = {
        cipherSuite: suite.code,
        secret: Redacted.make(schedule.ticketSecret(resumption, nonce)),
        createdAt: now,
        lifetime: Math.min(lifetime, most),
        authenticatedAt,
        binding,
        alpn: Option.getOrElse(established.alpn, () => ""),
        serverScheme: possession.scheme.code,
        clientScheme: established.clientScheme,
        certificates: possession.certificates.map(({ der }) => der),
        staple: established.staple,
        ageAdd,
        // A copy, since the message is not kept.
        ticket: ticket.slice()
      }
      return Effect.asVoid(
        SessionTerms.orNone("keeping a session", () => Effect.asSome(cache.put(toHex(binding), session)))
      )
    })
}
