/**
 * The client's side of a TLS 1.3 handshake (RFC 9846 §2):
 *
 *     Client                                              Server
 *
 *     ClientHello                     -------->
 *                                     <--------  [HelloRetryRequest]
 *     [ClientHello]                   -------->
 *                                                     ServerHello
 *                                           {EncryptedExtensions}
 *                                           {CertificateRequest*}
 *                                                   {Certificate}
 *                                             {CertificateVerify}
 *                                     <--------        {Finished}
 *     {Certificate*}
 *     {CertificateVerify*}
 *     {Finished}                      -------->
 *                                     <--------  [NewSessionTicket*]
 *     [Application Data]              <------->  [Application Data]
 *
 * Where a session is resumed, nobody shows a certificate.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { CipherSuiteInfo } from "../schema/CipherSuite.ts"
import * as Extension from "../schema/Extension.ts"
import type * as Message from "../schema/HandshakeMessage.ts"
import * as NamedGroup from "../schema/NamedGroup.ts"
import * as ProtocolVersion from "../schema/ProtocolVersion.ts"
import { maxPlaintext } from "../schema/Record.ts"
import type { ServerName } from "../schema/ServerName.ts"
import * as SignatureScheme from "../schema/SignatureScheme.ts"
import type { TlsError } from "../schema/TlsError.ts"
import * as Auth from "./Authentication.ts"
import * as Resumption from "./ClientResumption.ts"
import type { ConnectionInfo } from "./ConnectionInfo.ts"
import type { KeyShare } from "./CryptoProvider.ts"
import type { Established } from "./Established.ts"
import type { HandshakeChannel } from "./HandshakeChannel.ts"
import type { HandshakePolicy } from "./HandshakePolicy.ts"
import * as Identity from "./Identity.ts"
import * as KeyAgreement from "./KeyAgreement.ts"
import type { KeyLogService } from "./KeyLog.ts"
import * as KeyLog from "./KeyLog.ts"
import * as KeySchedule from "./KeySchedule.ts"
import * as SessionTerms from "./SessionTerms.ts"
import * as Step from "./Step.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface ClientParameters {
  readonly policy: HandshakePolicy
  /** The name the server must have; sent when it is a DNS name. */
  readonly serverName: Option.Option<ServerName>
  readonly keyLog: KeyLogService | undefined
}

const noBytes = new Uint8Array(0)

/**
 * Runs the handshake to its end.
 *
 * @since 0.1.0
 * @category handshakes
 */
export const clientHandshake = Effect.fnUntraced(function* (flight: HandshakeChannel, parameters: ClientParameters) {
  const { keyLog, policy, serverName } = parameters
  const { transcript } = flight

  // ClientHello, and a second one if the server wants it.
  const offer = yield* offerHello(flight, parameters)
  const answer = yield* flight.expect("ServerHello", "HelloRetryRequest")
  const { hello, offered, shares, suite } =
    answer._tag === "HelloRetryRequest"
      ? yield* retryHello(flight, policy, offer, answer)
      : { ...offer, hello: answer, suite: yield* checkAnswer(flight, policy, offer.hello, answer) }
  const resumed = yield* resumedSession(flight, hello, suite, offered)

  // ServerHello: the keys of the handshake.
  const share = yield* serverShare(flight, shares, hello)
  const sharedSecret = yield* Auth.guardCrypto(
    flight,
    "the key agreement",
    KeyAgreement.decapsulate(share.ours, share.theirs)
  )
  if (transcript.hash === undefined) transcript.begin(suite.hash)
  const schedule = KeySchedule.make(flight.crypto, suite)
  const early = schedule.early(resumed === undefined ? undefined : Redacted.value(resumed.session.secret))
  const handshakeSecret = schedule.handshake(early, sharedSecret)
  const handshakeTraffic = schedule.handshakeTraffic(handshakeSecret, transcript.digest())
  const log = (label: KeyLog.KeyLogLabel, secret: Uint8Array) =>
    keyLog === undefined ? Step.nothing : keyLog.write(KeyLog.line(label, offer.hello.random, secret))
  yield* log("CLIENT_HANDSHAKE_TRAFFIC_SECRET", handshakeTraffic.client)
  yield* log("SERVER_HANDSHAKE_TRAFFIC_SECRET", handshakeTraffic.server)
  yield* flight.changeReadKeys(schedule, handshakeTraffic.server, "handshake")
  // Once per handshake: before the second flight, whatever it is.
  if (policy.middleboxCompatibility && answer._tag === "ServerHello") flight.sendChangeCipherSpec()
  flight.changeWriteKeys(schedule, suite, handshakeTraffic.client, "handshake")
  flight.enter("authentication")

  // {EncryptedExtensions} {CertificateRequest*} {Certificate*} {CertificateVerify*}
  const encrypted = yield* flight.expect("EncryptedExtensions")
  const alpn = yield* selectedProtocol(flight, policy, encrypted)
  yield* applyRecordSizeLimit(flight, policy, encrypted)
  const { peer, request, staple } =
    resumed === undefined
      ? yield* authenticateServer(flight, policy, serverName)
      : { peer: resumed.peer, request: Option.none(), staple: resumed.session.staple }

  // {Finished}
  const finishedOver = transcript.digest()
  const finished = yield* flight.expect("Finished")
  yield* Auth.verifyFinished(flight, schedule, handshakeTraffic.server, finished, finishedOver)
  const mainSecret = schedule.main(handshakeSecret)
  const applicationTraffic = schedule.applicationTraffic(mainSecret, transcript.digest())
  const exporterSecret = schedule.exporter(mainSecret, transcript.digest())
  yield* log("CLIENT_TRAFFIC_SECRET_0", applicationTraffic.client)
  yield* log("SERVER_TRAFFIC_SECRET_0", applicationTraffic.server)
  yield* log("EXPORTER_SECRET", exporterSecret)
  yield* flight.changeReadKeys(schedule, applicationTraffic.server, "application")

  // {Certificate*} {CertificateVerify*} {Finished}
  const ourScheme = Option.isSome(request) ? yield* authenticate(flight, policy, request.value) : Option.none()
  flight.send({
    _tag: "Finished",
    verifyData: schedule.verifyData(handshakeTraffic.client, transcript.digest())
  })
  flight.changeWriteKeys(schedule, suite, applicationTraffic.client, "application")
  yield* flight.flush

  const clientScheme = resumed === undefined ? Option.getOrUndefined(ourScheme)?.code : resumed.session.clientScheme
  const info: ConnectionInfo = {
    role: "client",
    version: "TLSv1.3",
    cipherSuite: suite.name,
    group: NamedGroup.info(share.ours.group)!.name,
    signatureScheme: peer.possession.scheme.name,
    clientSignatureScheme: Option.fromNullable(
      clientScheme === undefined ? undefined : SignatureScheme.info(clientScheme)?.name
    ),
    alpn,
    serverName,
    peer: Auth.identityOf(flight, peer),
    peerCertificates: peer.possession.certificates,
    peerStaple: Option.fromNullable(staple),
    helloRetryRequest: answer._tag === "HelloRetryRequest",
    resumed: resumed !== undefined,
    earlyData: false
  }
  return {
    suite,
    schedule,
    readSecret: applicationTraffic.server,
    writeSecret: applicationTraffic.client,
    exporterSecret,
    info,
    tickets: undefined,
    keepTicket: yield* Resumption.keepTickets(flight, policy, {
      suite,
      mainSecret,
      serverName,
      alpn,
      peer,
      clientScheme,
      staple,
      resumed: resumed?.session
    })
  } satisfies Established as Established
})

/** `hello` is without the session that is offered with it: that is sealed to a ClientHello as it is sent. */
interface Offer {
  readonly hello: Message.ClientHello
  readonly shares: ReadonlyArray<KeyShare>
  readonly offered: Resumption.OfferedSession | undefined
}

/** Sends the first ClientHello. */
const offerHello = function* (flight: HandshakeChannel, { policy, serverName }: ClientParameters) {
  const shares = yield* Auth.guardCrypto(
    flight,
    "making key shares",
    KeyAgreement.generate(flight.crypto, policy.keyShares)
  )
  const hello: Message.ClientHello = {
    _tag: "ClientHello",
    legacyVersion: ProtocolVersion.tls12,
    random: flight.crypto.randomBytes(32),
    sessionId: policy.middleboxCompatibility ? flight.crypto.randomBytes(32) : noBytes,
    cipherSuites: policy.cipherSuites.map((suite) => suite.code),
    compressionMethods: Uint8Array.of(0),
    extensions: helloExtensions(policy, serverName, shares)
  }
  const offered = Option.getOrUndefined(yield* Resumption.find(flight, policy, serverName))
  yield* sendHello(flight, { hello, shares, offered }, ProtocolVersion.tls10)
  return { hello, shares, offered } satisfies Offer as Offer
}

const sendHello = function* (
  flight: HandshakeChannel,
  { hello, offered }: Offer,
  version?: ProtocolVersion.ProtocolVersion
) {
  const whole =
    offered === undefined ? hello : Resumption.withOffer(flight, hello, offered, yield* Clock.currentTimeMillis)
  flight.offered = new Set(whole.extensions.map(Extension.typeOf))
  flight.send(whole, version)
  yield* flight.flush
}

const helloExtensions = (
  policy: HandshakePolicy,
  serverName: Option.Option<ServerName>,
  shares: ReadonlyArray<KeyShare>
): ReadonlyArray<Extension.Extension> => [
  // An address is never sent (RFC 6066 §3).
  ...(Option.isSome(serverName) && serverName.value._tag === "DnsName"
    ? [{ _tag: "ServerName" as const, names: [{ type: 0, name: ascii(serverName.value.name) }] }]
    : []),
  { _tag: "SupportedGroups", groups: policy.groups.map((group) => group.code) },
  ...Auth.signatureAlgorithms(policy),
  ...(policy.alpn.length > 0 ? [{ _tag: "ApplicationProtocols" as const, protocols: policy.alpn }] : []),
  ...(policy.recordSizeLimit !== undefined
    ? [{ _tag: "RecordSizeLimit" as const, limit: policy.recordSizeLimit }]
    : []),
  ...(policy.requestStaple ? [{ _tag: "StatusRequest" as const, responderIds: [], requestExtensions: noBytes }] : []),
  ...(policy.authorities.length > 0
    ? [{ _tag: "CertificateAuthorities" as const, authorities: policy.authorities }]
    : []),
  // Who does not want tickets does not say how they could be used (RFC 9846 §4.2.9).
  ...(policy.sessions.cache !== undefined
    ? [{ _tag: "PskKeyExchangeModes" as const, modes: [SessionTerms.pskWithKeyAgreement] }]
    : []),
  { _tag: "SupportedVersions", versions: [ProtocolVersion.tls13] },
  { _tag: "KeyShareOffer", shares: shares.map(({ group, publicKey }) => ({ group, publicKey })) }
]

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0))

/** What must hold for a ServerHello and a HelloRetryRequest alike (RFC 9846 §4.1.3). */
const checkAnswer = function* (
  flight: HandshakeChannel,
  policy: HandshakePolicy,
  offered: Message.ClientHello,
  answer: Message.ServerHello | Message.HelloRetryRequest
): Effect.fn.Return<CipherSuiteInfo, TlsError> {
  const version = Extension.find(answer.extensions, "SelectedVersion")
  if (version === undefined) {
    return yield* answer._tag === "ServerHello" && hasDowngradeSentinel(answer.random)
      ? flight.fail("Downgrade", "the server speaks TLS 1.3 and negotiated an older version")
      : flight.fail("UnsupportedVersion", `the server chose ${ProtocolVersion.name(answer.legacyVersion)}`)
  }
  if (version.version !== ProtocolVersion.tls13) {
    return yield* flight.fail("IllegalParameter", `the server chose ${ProtocolVersion.name(version.version)}`)
  }
  if (answer.legacyVersion !== ProtocolVersion.tls12) {
    return yield* flight.fail("UnsupportedVersion", "a legacy_version that is not TLS 1.2's")
  }
  if (!flight.crypto.equal(answer.sessionId, offered.sessionId)) {
    return yield* flight.fail("IllegalParameter", "the server did not echo the session id")
  }
  if (answer.compressionMethod !== 0) return yield* flight.fail("IllegalParameter", "the server wants compression")
  const suite = policy.cipherSuites.find(({ code }) => code === answer.cipherSuite)
  return suite ?? (yield* flight.fail("IllegalParameter", "the server chose a cipher suite that was not offered"))
}

/** The last eight bytes of a random that say "I could do better" (RFC 9846 §4.1.3). */
const hasDowngradeSentinel = (random: Uint8Array): boolean =>
  "DOWNGRD".split("").every((character, i) => random[24 + i] === character.charCodeAt(0)) && random[31]! <= 1

/** Answers a HelloRetryRequest with the ClientHello it asks for (RFC 9846 §4.1.4). */
const retryHello = function* (
  flight: HandshakeChannel,
  policy: HandshakePolicy,
  offer: Offer,
  request: Message.HelloRetryRequest
) {
  const suite = yield* checkAnswer(flight, policy, offer.hello, request)
  const wanted = Extension.find(request.extensions, "KeyShareRequest")
  const cookie = Extension.find(request.extensions, "Cookie")
  if (wanted === undefined && cookie === undefined) {
    return yield* flight.fail("IllegalParameter", "a HelloRetryRequest that would change nothing")
  }
  if (wanted !== undefined) {
    if (!policy.groups.some(({ code }) => code === wanted.group)) {
      return yield* flight.fail("IllegalParameter", "the server asks for a group that was not offered")
    }
    if (offer.shares.some(({ group }) => group === wanted.group)) {
      return yield* flight.fail("IllegalParameter", "the server asks for a key share that it has")
    }
  }
  const shares =
    wanted === undefined
      ? offer.shares
      : yield* Auth.guardCrypto(flight, "making a key share", KeyAgreement.generate(flight.crypto, [wanted.group]))
  const hello: Message.ClientHello = {
    ...offer.hello,
    extensions: [
      ...offer.hello.extensions.map((extension) =>
        extension._tag === "KeyShareOffer"
          ? { ...extension, shares: shares.map(({ group, publicKey }) => ({ group, publicKey })) }
          : extension
      ),
      ...(cookie === undefined ? [] : [cookie])
    ]
  }
  if (policy.middleboxCompatibility) flight.sendChangeCipherSpec()
  flight.transcript.retry(suite.hash)
  // A session of another hash is of no use any more (RFC 9846 §4.1.4).
  const offered = offer.offered?.suite.hash === suite.hash ? offer.offered : undefined
  yield* sendHello(flight, { hello, shares, offered })
  const answer = yield* flight.expect("ServerHello")
  const again = yield* checkAnswer(flight, policy, hello, answer)
  if (again !== suite) return yield* flight.fail("IllegalParameter", "the server changed the cipher suite")
  const answered = Extension.find(answer.extensions, "KeyShareAnswer")
  if (wanted !== undefined && answered !== undefined && answered.share.group !== wanted.group) {
    return yield* flight.fail("IllegalParameter", "the server answers another group than it asked for")
  }
  return { hello: answer, offered, shares, suite }
}

/** The session that the server goes on with, if it is the one it was offered. */
const resumedSession = function* (
  flight: HandshakeChannel,
  hello: Message.ServerHello,
  suite: CipherSuiteInfo,
  offered: Resumption.OfferedSession | undefined
): Effect.fn.Return<Resumption.OfferedSession | undefined, TlsError> {
  const answer = Extension.find(hello.extensions, "PreSharedKeyAnswer")
  if (answer === undefined) return undefined
  // That it was offered at all was seen to before: it answers an extension of ours.
  if (answer.selected !== 0 || offered === undefined) {
    return yield* flight.fail("IllegalParameter", `the server resumes session ${answer.selected}, 1 was offered`)
  }
  if (offered.suite.hash !== suite.hash) {
    return yield* flight.fail("IllegalParameter", "the server resumes a session with a suite of another hash")
  }
  return offered
}

/** The share the server answers with, beside ours of the same group. */
const serverShare = function* (flight: HandshakeChannel, shares: ReadonlyArray<KeyShare>, hello: Message.ServerHello) {
  const answer = Extension.find(hello.extensions, "KeyShareAnswer")
  if (answer === undefined) return yield* flight.fail("MissingExtension", "a ServerHello without a key share")
  const ours = shares.find(({ group }) => group === answer.share.group)
  if (ours === undefined) return yield* flight.fail("IllegalParameter", "a key share of a group that has none of ours")
  return { ours, theirs: answer.share.publicKey }
}

const selectedProtocol = function* (
  flight: HandshakeChannel,
  policy: HandshakePolicy,
  { extensions }: Message.EncryptedExtensions
) {
  const chosen = Extension.find(extensions, "ApplicationProtocols")
  if (chosen === undefined) return Option.none<string>()
  const [protocol, ...others] = chosen.protocols
  if (protocol === undefined || others.length > 0 || !policy.alpn.includes(protocol)) {
    return yield* flight.fail("IllegalParameter", "the server chose an application protocol that was not offered")
  }
  return Option.some(protocol)
}

/** A server that answers our limit will keep it, and its own holds for what we send (RFC 8449 §4). */
const applyRecordSizeLimit = (
  flight: HandshakeChannel,
  policy: HandshakePolicy,
  { extensions }: Message.EncryptedExtensions
): Effect.Effect<void, TlsError> => {
  const size = Extension.find(extensions, "RecordSizeLimit")
  if (size === undefined) return Effect.void
  if (size.limit < 64) {
    return flight.fail("IllegalParameter", `a record size limit of ${size.limit}, at least 64 allowed`)
  }
  flight.writer.maxInner = Math.min(size.limit, maxPlaintext + 1)
  flight.reader.maxInner = policy.recordSizeLimit ?? maxPlaintext + 1
  return Effect.void
}

/** {CertificateRequest*} {Certificate} {CertificateVerify}: first that the server owns its key, then who it is. */
const authenticateServer = function* (
  flight: HandshakeChannel,
  policy: HandshakePolicy,
  serverName: Option.Option<ServerName>
) {
  const request = yield* flight.optional("CertificateRequest")
  const certificate = yield* flight.expect("Certificate")
  const chain = yield* serverChain(flight, certificate)
  const signed = flight.transcript.digest()
  const proof = yield* flight.expect("CertificateVerify")
  const possession = yield* Auth.verifyPossession(flight, policy, chain, proof, signed)
  const staples = policy.requestStaple ? Auth.staplesOf(certificate) : undefined
  const peer = yield* Auth.verifyPeer(flight, policy, possession, { serverName, staples })
  // A copy, since the message is not kept.
  const staple = Extension.find(certificate.entries[0]!.extensions, "CertificateStatus")?.response.slice()
  return { peer, request, staple }
}

const serverChain = function* (flight: HandshakeChannel, message: Message.Certificate) {
  if (message.context.length > 0) {
    return yield* flight.fail("IllegalParameter", "a Certificate with a context during the handshake")
  }
  const chain = yield* Auth.decodeChain(message)
  return Arr.isNonEmptyReadonlyArray(chain)
    ? chain
    : yield* flight.fail("MalformedMessage", "the server showed no certificate")
}

/** Shows a certificate the server can use, or says that there is none. */
const authenticate = function* (
  flight: HandshakeChannel,
  policy: HandshakePolicy,
  request: Message.CertificateRequest
) {
  if (request.context.length > 0) {
    return yield* flight.fail("IllegalParameter", "a CertificateRequest with a context during the handshake")
  }
  const schemes = Extension.find(request.extensions, "SignatureAlgorithms")?.schemes
  if (schemes === undefined) {
    return yield* flight.fail("MissingExtension", "a CertificateRequest without signature_algorithms")
  }
  const chosen = Identity.choose(policy.ownIdentities, policy.signatureSchemes, {
    signatureSchemes: schemes,
    certificateSignatureSchemes: Extension.find(request.extensions, "SignatureAlgorithmsCert")?.schemes ?? schemes,
    authorities: Extension.find(request.extensions, "CertificateAuthorities")?.authorities ?? [],
    serverName: Option.none(),
    ...(policy.ownIdentities.length > 1 ? { time: yield* Clock.currentTimeMillis } : {})
  })
  if (Option.isNone(chosen)) {
    flight.send({ _tag: "Certificate", context: request.context, entries: [] })
    return Option.none()
  }
  yield* Auth.provePossession(flight, chosen.value, request.context)
  return Option.some(chosen.value.scheme)
}
