/**
 * Sessions on the server's side (RFC 9846 §2.2, §4.2.11, §4.6.1): tickets for those to come, and whether a client may go on
 * with one. Whatever is not right with a ticket costs the client a full handshake and nothing else; only a wrong binder is
 * fatal.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import { equals } from "../schema/Bytes.ts"
import type { CipherSuiteInfo } from "../schema/CipherSuite.ts"
import * as Extension from "../schema/Extension.ts"
import type { ClientHello, NewSessionTicket } from "../schema/HandshakeMessage.ts"
import type { ServerName } from "../schema/ServerName.ts"
import type { Session } from "../schema/Session.ts"
import * as Sessions from "../schema/Session.ts"
import * as SignatureScheme from "../schema/SignatureScheme.ts"
import * as Auth from "./Authentication.ts"
import type { HandshakeChannel } from "./HandshakeChannel.ts"
import type { HandshakePolicy } from "./HandshakePolicy.ts"
import * as KeySchedule from "./KeySchedule.ts"
import * as SessionTerms from "./SessionTerms.ts"
import * as Step from "./Step.ts"

/**
 * The session a client goes on with: which of those it offers, the scheme we signed with when it began, and who the client
 * was found to be, if it showed a certificate.
 *
 * @since 0.1.0
 * @category models
 */
export interface ResumedClient {
  readonly session: Session
  readonly selected: number
  readonly scheme: SignatureScheme.SignatureSchemeInfo
  readonly peer: Option.Option<Auth.VerifiedPeer>
}

/** What has to be the same for a session to be resumed here, besides what the verifier says of the client now. */
const bindingOf = (flight: HandshakeChannel, policy: HandshakePolicy, serverName: Option.Option<ServerName>) =>
  SessionTerms.binding(flight.crypto, [
    "server",
    policy.sessions.context,
    policy.clientAuthentication,
    Option.match(serverName, { onNone: () => "", onSome: String })
  ])

const acceptsTickets = (hello: ClientHello): boolean =>
  Extension.find(hello.extensions, "PskKeyExchangeModes")?.modes.includes(SessionTerms.pskWithKeyAgreement) === true

/**
 * The session to go on with, of those the client offers. The transcript ends with `hello`, and its hash must not have been
 * taken yet.
 *
 * @since 0.1.0
 * @category resumption
 */
export const resume = function* (
  flight: HandshakeChannel,
  policy: HandshakePolicy,
  {
    alpn,
    hello,
    serverName,
    suite
  }: {
    readonly alpn: Option.Option<string>
    readonly hello: ClientHello
    readonly serverName: Option.Option<ServerName>
    readonly suite: CipherSuiteInfo
  }
) {
  const { sessions } = policy
  const offer = Extension.find(hello.extensions, "PreSharedKeyOffer")
  if (offer === undefined || sessions.ticketKeys === undefined || !acceptsTickets(hello)) {
    return Option.none<ResumedClient>()
  }
  const { ticketKeys } = sessions
  const now = yield* Clock.currentTimeMillis
  const binding = bindingOf(flight, policy, serverName)
  for (const [selected, { identity }] of offer.identities.slice(0, flight.limits.pskIdentities).entries()) {
    const opened = yield* SessionTerms.orNone(
      "opening a ticket",
      () => ticketKeys.open(identity),
      Predicate.isUint8Array
    )
    const session = Option.flatMap(opened, (bytes) => Option.getRight(Sessions.decode(bytes)))
    const scheme = Option.isSome(session) ? SignatureScheme.info(session.value.serverScheme) : undefined
    if (
      Option.isNone(session) ||
      scheme === undefined ||
      !equals(session.value.binding, binding) ||
      session.value.alpn !== Option.getOrElse(alpn, () => "") ||
      !SessionTerms.isFor(session.value, {
        suite,
        now,
        lifetime: sessions.lifetime,
        skew: flight.limits.ticketAgeSkew
      })
    ) {
      continue
    }
    yield* checkBinder(flight, suite, session.value, offer, selected)
    const peer = yield* clientOf(flight, policy, session.value)
    return Option.map(peer, (client): ResumedClient => ({ session: session.value, selected, scheme, peer: client }))
  }
  return Option.none<ResumedClient>()
}

/** That the client has the session's secret, and not only its ticket (RFC 9846 §4.2.11.2). */
const checkBinder = function* (
  flight: HandshakeChannel,
  suite: CipherSuiteInfo,
  { secret }: Session,
  { binders }: Extension.PreSharedKeyOffer,
  selected: number
) {
  const schedule = KeySchedule.make(flight.crypto, suite)
  const transcript = flight.transcript.digestWithout(suite.hash, SessionTerms.bindersLength(binders))
  const expected = schedule.binder(schedule.early(Redacted.value(secret)), transcript)
  if (!flight.crypto.equal(expected, binders[selected]!)) {
    yield* flight.fail("BadBinder", "the client does not have the secret of the session that it offers")
  }
}

/**
 * Who the client is, judged anew: a certificate may have expired since, or been revoked, and trust may be another. None
 * where it is not who it was, and has to show itself again; `Some(None)` is a client that never did.
 */
const clientOf = function* (flight: HandshakeChannel, policy: HandshakePolicy, session: Session) {
  if (session.certificates.length === 0) {
    return policy.clientAuthentication === "require"
      ? Option.none<Option.Option<Auth.VerifiedPeer>>()
      : Option.some(Option.none<Auth.VerifiedPeer>())
  }
  const possession = Auth.resumedPossession(flight, policy, session)
  if (Option.isNone(possession)) return Option.none<Option.Option<Auth.VerifiedPeer>>()
  const verified = yield* Effect.either(
    Step.gen(() => Auth.verifyPeer(flight, policy, possession.value, { serverName: Option.none() }))
  )
  return Option.map(Option.getRight(verified), Option.some)
}

/**
 * The tickets of the session that begins, for a client that can use them: as many as were asked for, and one where it was
 * resumed. None without ticket keys. The transcript ends with the client's Finished.
 *
 * @since 0.1.0
 * @category resumption
 */
export const makeTickets = (
  flight: HandshakeChannel,
  policy: HandshakePolicy,
  established: {
    readonly hello: ClientHello
    readonly suite: CipherSuiteInfo
    readonly mainSecret: KeySchedule.MainSecret
    readonly alpn: Option.Option<string>
    readonly serverName: Option.Option<ServerName>
    readonly serverScheme: SignatureScheme.SignatureScheme
    readonly peer: Option.Option<Auth.VerifiedPeer>
    readonly resumed: Option.Option<ResumedClient>
  }
): Effect.Effect<ReadonlyArray<NewSessionTicket>> | undefined => {
  const { hello, mainSecret, peer, resumed, suite } = established
  const { lifetime, ticketKeys, tickets } = policy.sessions
  if (ticketKeys === undefined || tickets === 0 || !acceptsTickets(hello)) return undefined
  const schedule = KeySchedule.make(flight.crypto, suite)
  const resumption = schedule.resumption(mainSecret, flight.transcript.digest())
  const binding = bindingOf(flight, policy, established.serverName)
  return Effect.gen(function* () {
    const createdAt = yield* Clock.currentTimeMillis
    const made: Array<NewSessionTicket> = []
    for (let i = 0; i < (Option.isSome(resumed) ? 1 : tickets); i++) {
      const nonce = Uint8Array.of(i)
      const session = Sessions.encode({
        cipherSuite: suite.code,
        secret: Redacted.make(schedule.ticketSecret(resumption, nonce)),
        createdAt,
        lifetime,
        authenticatedAt: Option.match(resumed, {
          onNone: () => createdAt,
          onSome: (client) => client.session.authenticatedAt
        }),
        binding,
        alpn: Option.getOrElse(established.alpn, () => ""),
        serverScheme: established.serverScheme,
        clientScheme: Option.getOrUndefined(peer)?.possession.scheme.code,
        certificates: Option.match(peer, {
          onNone: () => [],
          onSome: ({ possession }) => possession.certificates.map(({ der }) => der)
        }),
        staple: undefined
      })
      const sealed = yield* SessionTerms.orNone(
        "sealing a ticket",
        () => Effect.asSome(ticketKeys.seal(session)),
        Predicate.isUint8Array
      )
      if (Option.isNone(sealed) || sealed.value.length === 0 || sealed.value.length > flight.limits.ticket) break
      const ageAdd = new DataView(flight.crypto.randomBytes(4).slice().buffer).getUint32(0)
      made.push({ _tag: "NewSessionTicket", lifetime, ageAdd, nonce, ticket: sealed.value, extensions: [] })
    }
    return made
  })
}
