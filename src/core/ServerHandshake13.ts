/**
 * The server's side of a TLS 1.3 handshake (RFC 9846 §2):
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
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { equals, toLatin1 } from "../schema/Bytes.ts"
import * as Extension from "../schema/Extension.ts"
import type * as Message from "../schema/HandshakeMessage.ts"
import { encode } from "../schema/HandshakeMessage.ts"
import type { NamedGroupInfo } from "../schema/NamedGroup.ts"
import { isOcspResponse } from "../schema/OcspResponse.ts"
import * as ProtocolVersion from "../schema/ProtocolVersion.ts"
import { maxPlaintext } from "../schema/Record.ts"
import * as ServerName from "../schema/ServerName.ts"
import type { TlsError } from "../schema/TlsError.ts"
import { CertificateError } from "../schema/TlsError.ts"
import * as Auth from "./Authentication.ts"
import type { ConnectionInfo } from "./ConnectionInfo.ts"
import type { Established } from "./Established.ts"
import type { HandshakeChannel } from "./HandshakeChannel.ts"
import type { HandshakePolicy } from "./HandshakePolicy.ts"
import * as Identity from "./Identity.ts"
import * as KeyAgreement from "./KeyAgreement.ts"
import type { KeyLogService } from "./KeyLog.ts"
import * as KeyLog from "./KeyLog.ts"
import * as KeySchedule from "./KeySchedule.ts"
import * as Resumption from "./ServerResumption.ts"
import * as Step from "./Step.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface ServerParameters {
  readonly policy: HandshakePolicy
  readonly keyLog: KeyLogService | undefined
}

const noBytes = new Uint8Array(0)

/**
 * Runs the handshake to its end.
 *
 * @since 0.1.0
 * @category handshakes
 */
export const serverHandshake = Effect.fnUntraced(function* (flight: HandshakeChannel, parameters: ServerParameters) {
  const { keyLog } = parameters
  const { transcript } = flight

  // ClientHello, and a second one if the first has no key share that we want.
  const first = yield* flight.expect("ClientHello")
  yield* checkHello(flight, first)
  const serverName = yield* requestedName(flight, first)
  const policy = yield* choosePolicy(flight, parameters.policy, first, serverName)
  const suite = yield* chooseSuite(flight, policy, first)
  const wanted = yield* chooseGroup(flight, policy, first)
  if (Extension.find(first.extensions, "EarlyData") !== undefined) flight.reader.skipEarlyData()
  const retried = wanted.share === undefined
  const hello = retried ? yield* retryHello(flight, policy, first, suite, wanted.group) : first
  const share = yield* clientShare(flight, hello, wanted.group)

  // What the client wants, and who we are to it.
  const alpn = yield* selectProtocol(flight, policy, hello, serverName)
  // A resolver may have none for this name any more, and then nobody goes on with it.
  const resolved =
    policy.resolveIdentities === undefined ? undefined : yield* chooseIdentity(flight, policy, hello, serverName)
  const resumed = yield* Resumption.resume(flight, policy, { alpn, hello, serverName, suite })
  const identity = Option.isSome(resumed)
    ? undefined
    : (resolved ?? (yield* chooseIdentity(flight, policy, hello, serverName)))
  const staple = identity === undefined ? [] : yield* findStaple(flight, policy, hello, identity)

  // ServerHello: the keys of the handshake.
  const agreed = yield* Auth.guardCrypto(
    flight,
    "the key agreement",
    KeyAgreement.encapsulate(flight.crypto, wanted.group.code, share)
  )
  if (transcript.hash === undefined) transcript.begin(suite.hash)
  // The keys change behind this message, so the ClientHello must have been the last of its record.
  yield* flight.boundary
  flight.send({
    _tag: "ServerHello",
    legacyVersion: ProtocolVersion.tls12,
    random: flight.crypto.randomBytes(32),
    sessionId: hello.sessionId,
    cipherSuite: suite.code,
    compressionMethod: 0,
    extensions: [
      { _tag: "SelectedVersion", version: ProtocolVersion.tls13 },
      { _tag: "KeyShareAnswer", share: { group: wanted.group.code, publicKey: agreed.publicKey } },
      ...(Option.isSome(resumed) ? [{ _tag: "PreSharedKeyAnswer" as const, selected: resumed.value.selected }] : [])
    ]
  })
  if (hello.sessionId.length > 0 && !retried) flight.sendChangeCipherSpec()
  const schedule = KeySchedule.make(flight.crypto, suite)
  const early = schedule.early(Option.isSome(resumed) ? Redacted.value(resumed.value.session.secret) : undefined)
  const handshakeSecret = schedule.handshake(early, agreed.sharedSecret)
  const handshakeTraffic = schedule.handshakeTraffic(handshakeSecret, transcript.digest())
  const log = (label: KeyLog.KeyLogLabel, secret: Uint8Array) =>
    keyLog === undefined ? Step.nothing : keyLog.write(KeyLog.line(label, hello.random, secret))
  yield* log("CLIENT_HANDSHAKE_TRAFFIC_SECRET", handshakeTraffic.client)
  yield* log("SERVER_HANDSHAKE_TRAFFIC_SECRET", handshakeTraffic.server)
  yield* flight.changeReadKeys(schedule, handshakeTraffic.client, "handshake")
  flight.changeWriteKeys(schedule, suite, handshakeTraffic.server, "handshake")
  flight.enter("authentication")

  // {EncryptedExtensions} {CertificateRequest*} {Certificate} {CertificateVerify} {Finished}
  flight.send({
    _tag: "EncryptedExtensions",
    extensions: encryptedExtensions(flight, policy, hello, { alpn, named: Option.isSome(serverName) })
  })
  if (identity !== undefined) {
    if (policy.clientAuthentication !== "none") {
      const request = certificateRequest(policy)
      flight.offered = new Set(request.extensions.map(Extension.typeOf))
      flight.send(request)
    }
    yield* Auth.provePossession(flight, identity, noBytes, staple)
  }
  flight.send({
    _tag: "Finished",
    verifyData: schedule.verifyData(handshakeTraffic.server, transcript.digest())
  })
  const mainSecret = schedule.main(handshakeSecret)
  const applicationTraffic = schedule.applicationTraffic(mainSecret, transcript.digest())
  const exporterSecret = schedule.exporter(mainSecret, transcript.digest())
  yield* log("CLIENT_TRAFFIC_SECRET_0", applicationTraffic.client)
  yield* log("SERVER_TRAFFIC_SECRET_0", applicationTraffic.server)
  yield* log("EXPORTER_SECRET", exporterSecret)
  flight.changeWriteKeys(schedule, suite, applicationTraffic.server, "application")
  yield* flight.flush

  // {Certificate*} {CertificateVerify*} {Finished}
  const peer = Option.isSome(resumed)
    ? resumed.value.peer
    : policy.clientAuthentication === "none"
      ? Option.none<Auth.VerifiedPeer>()
      : yield* authenticateClient(flight, policy)
  const finishedOver = transcript.digest()
  const finished = yield* flight.expect("Finished")
  yield* Auth.verifyFinished(flight, schedule, handshakeTraffic.client, finished, finishedOver)
  yield* flight.changeReadKeys(schedule, applicationTraffic.client, "application")

  const { scheme } = Option.isSome(resumed) ? resumed.value : identity!
  const session = { hello, suite, mainSecret, alpn, serverName, serverScheme: scheme.code, peer, resumed }
  const info: ConnectionInfo = {
    role: "server",
    version: "TLSv1.3",
    cipherSuite: suite.name,
    group: wanted.group.name,
    signatureScheme: scheme.name,
    clientSignatureScheme: Option.map(peer, ({ possession }) => possession.scheme.name),
    alpn,
    serverName,
    peer: Option.match(peer, {
      onNone: () => ({ _tag: "Anonymous" }),
      onSome: (verified) => Auth.identityOf(flight, verified)
    }),
    peerCertificates: Option.match(peer, { onNone: () => [], onSome: ({ possession }) => possession.certificates }),
    peerStaple: Option.none(),
    helloRetryRequest: retried,
    resumed: Option.isSome(resumed),
    earlyData: false
  }
  return {
    suite,
    schedule,
    readSecret: applicationTraffic.client,
    writeSecret: applicationTraffic.server,
    exporterSecret,
    info,
    tickets: Resumption.makeTickets(flight, policy, session),
    keepTicket: undefined
  } satisfies Established as Established
})

/** What every ClientHello must be, whatever it asks for. */
const checkHello = function* (flight: HandshakeChannel, hello: Message.ClientHello) {
  const versions = Extension.find(hello.extensions, "SupportedVersions")?.versions
  if (versions === undefined || !versions.includes(ProtocolVersion.tls13)) {
    const spoken = versions ?? [hello.legacyVersion]
    return yield* flight.fail("UnsupportedVersion", `the client speaks ${spoken.map(ProtocolVersion.name).join(", ")}`)
  }
  if (hello.legacyVersion !== ProtocolVersion.tls12) {
    return yield* flight.fail("UnsupportedVersion", "a legacy_version that is not TLS 1.2's")
  }
  if (hello.compressionMethods.length !== 1 || hello.compressionMethods[0] !== 0) {
    return yield* flight.fail("IllegalParameter", "the client offers compression")
  }
  // Who offers a session may do without certificates (RFC 9846 §9.2).
  const signatures = Extension.find(hello.extensions, "PreSharedKeyOffer") === undefined ? ["SignatureAlgorithms"] : []
  for (const tag of ["SupportedGroups", "KeyShareOffer", ...signatures] as ReadonlyArray<Extension.Extension["_tag"]>) {
    if (Extension.find(hello.extensions, tag) === undefined) {
      return yield* flight.fail("MissingExtension", `a ClientHello without ${tag}`)
    }
  }
  const size = Extension.find(hello.extensions, "RecordSizeLimit")
  if (size !== undefined && size.limit < 64) {
    return yield* flight.fail("IllegalParameter", `a record size limit of ${size.limit}, at least 64 allowed`)
  }
  const psk = hello.extensions.findIndex((extension) => extension._tag === "PreSharedKeyOffer")
  if (psk >= 0) {
    const offer = hello.extensions[psk] as Extension.PreSharedKeyOffer
    if (psk !== hello.extensions.length - 1) {
      return yield* flight.fail("IllegalParameter", "pre_shared_key is not the last extension")
    }
    if (offer.identities.length !== offer.binders.length) {
      return yield* flight.fail("IllegalParameter", "pre_shared_key has not one binder per identity")
    }
    if (Extension.find(hello.extensions, "PskKeyExchangeModes") === undefined) {
      return yield* flight.fail("MissingExtension", "pre_shared_key without psk_key_exchange_modes")
    }
  }
}

/** What we go by for that name. */
const choosePolicy = (
  flight: HandshakeChannel,
  policy: HandshakePolicy,
  hello: Message.ClientHello,
  serverName: Option.Option<ServerName.ServerName>
): Effect.Effect<HandshakePolicy, TlsError> =>
  policy.selectPolicy === undefined
    ? Exit.succeed(policy)
    : Auth.guard(flight, "HookFailed", "selecting a context", () => policy.selectPolicy!(serverName, hello))

const chooseSuite = function* (flight: HandshakeChannel, policy: HandshakePolicy, hello: Message.ClientHello) {
  const suite = policy.cipherSuites.find(({ code }) => hello.cipherSuites.includes(code))
  if (suite !== undefined) return suite
  const ours = policy.cipherSuites.map(({ name }) => name).join(", ")
  return yield* flight.fail("NoSharedCipherSuite", `no cipher suite of the client's is ours (${ours})`)
}

/** The best group with a key share, or the best without one, which a HelloRetryRequest then asks for. */
const chooseGroup = function* (flight: HandshakeChannel, policy: HandshakePolicy, hello: Message.ClientHello) {
  const groups = Extension.find(hello.extensions, "SupportedGroups")!.groups
  const { shares } = Extension.find(hello.extensions, "KeyShareOffer")!
  // A Set, since both lists may be as long as a ClientHello allows.
  const listed = new Set<number>(groups)
  const offered = new Set<number>()
  for (const { group } of shares) {
    if (offered.has(group)) return yield* flight.fail("IllegalParameter", "two key shares of one group")
    if (!listed.has(group)) return yield* flight.fail("IllegalParameter", "a key share of a group not listed")
    offered.add(group)
  }
  const shared = policy.groups.filter(({ code }) => listed.has(code))
  const group = shared.find(({ code }) => offered.has(code)) ?? shared[0]
  if (group === undefined) {
    const ours = policy.groups.map(({ name }) => name).join(", ")
    return yield* flight.fail("NoSharedGroup", `no group of the client's is ours (${ours})`)
  }
  return { group, share: shares.find((share) => share.group === group.code) }
}

/** Asks for another ClientHello, and checks that it changed nothing else (RFC 9846 §4.1.2). */
const retryHello = function* (
  flight: HandshakeChannel,
  policy: HandshakePolicy,
  first: Message.ClientHello,
  suite: HandshakePolicy["cipherSuites"][number],
  group: NamedGroupInfo
) {
  const cookie = policy.helloRetryCookie ? flight.crypto.randomBytes(32) : undefined
  flight.transcript.retry(suite.hash)
  flight.send({
    _tag: "HelloRetryRequest",
    legacyVersion: ProtocolVersion.tls12,
    sessionId: first.sessionId,
    cipherSuite: suite.code,
    compressionMethod: 0,
    extensions: [
      { _tag: "SelectedVersion", version: ProtocolVersion.tls13 },
      { _tag: "KeyShareRequest", group: group.code },
      ...(cookie === undefined ? [] : [{ _tag: "Cookie" as const, cookie }])
    ]
  })
  if (first.sessionId.length > 0) flight.sendChangeCipherSpec()
  yield* flight.flush

  const second = yield* flight.expect("ClientHello")
  flight.reader.endEarlyData()
  yield* checkHello(flight, second)
  if (!equals(unchanging(second), unchanging(first))) {
    return yield* flight.fail("IllegalParameter", "the second ClientHello differs from the first")
  }
  if (Extension.find(second.extensions, "EarlyData") !== undefined) {
    return yield* flight.fail("IllegalParameter", "early_data in the second ClientHello")
  }
  const returned = Extension.find(second.extensions, "Cookie")?.cookie
  if (cookie !== undefined && (returned === undefined || !flight.crypto.equal(returned, cookie))) {
    return yield* flight.fail("IllegalParameter", "the second ClientHello does not bring the cookie back")
  }
  const { shares } = Extension.find(second.extensions, "KeyShareOffer")!
  if (shares.length !== 1 || shares[0]!.group !== group.code) {
    return yield* flight.fail("IllegalParameter", "the second ClientHello has not just the key share asked for")
  }
  return second
}

/**
 * What a second ClientHello must repeat, in bytes. What nobody here acts on may differ: padding, binders, extensions
 * that other documents let change; and the order of the extensions, which means nothing (RFC 9846 §4.2) and which
 * wolfSSL changes.
 */
const unchanging = (hello: Message.ClientHello): Uint8Array =>
  encode({
    ...hello,
    extensions: hello.extensions
      .filter(({ _tag }) => !changing.has(_tag))
      .sort((a, b) => Extension.typeOf(a) - Extension.typeOf(b))
  })

const changing: ReadonlySet<Extension.Extension["_tag"]> = new Set([
  "KeyShareOffer",
  "Cookie",
  "EarlyData",
  "PreSharedKeyOffer",
  "Unknown"
])

const clientShare = function* (flight: HandshakeChannel, hello: Message.ClientHello, group: NamedGroupInfo) {
  const share = Extension.find(hello.extensions, "KeyShareOffer")!.shares.find((entry) => entry.group === group.code)
  return share?.publicKey ?? (yield* flight.fail("IllegalParameter", `no key share of ${group.name}`))
}

/** The name in server_name (RFC 6066 §3). */
const requestedName = function* (flight: HandshakeChannel, hello: Message.ClientHello) {
  const names = Extension.find(hello.extensions, "ServerName")?.names.filter(({ type }) => type === 0) ?? []
  if (names.length > 1) return yield* flight.fail("IllegalParameter", "server_name holds two host names")
  const [name] = names
  if (name === undefined) return Option.none<ServerName.ServerName>()
  const parsed = ServerName.parse(toLatin1(name.name))
  // Some clients send addresses although they must not; a name that we cannot read is one that we do not serve.
  if (Either.isLeft(parsed)) return yield* flight.fail("UnrecognizedName", parsed.left.message)
  return parsed.right._tag === "DnsName" ? Option.some(parsed.right) : Option.none<ServerName.ServerName>()
}

const selectProtocol = function* (
  flight: HandshakeChannel,
  policy: HandshakePolicy,
  hello: Message.ClientHello,
  serverName: Option.Option<ServerName.ServerName>
) {
  const offered = Extension.find(hello.extensions, "ApplicationProtocols")?.protocols
  if (offered === undefined) return Option.none<string>()
  if (policy.selectAlpn === undefined && policy.alpn.length === 0) return Option.none<string>()
  const chosen =
    policy.selectAlpn === undefined
      ? Option.fromNullable(policy.alpn.find((protocol) => offered.includes(protocol)))
      : yield* Auth.guard(
          flight,
          "HookFailed",
          "selectAlpn",
          () => policy.selectAlpn!(offered, hello, serverName),
          Option.isOption
        )
  if (Option.isNone(chosen)) {
    const lacking = policy.selectAlpn === undefined ? `none of ${quoted(policy.alpn)}` : "none that selectAlpn chose"
    return yield* flight.fail("NoApplicationProtocol", `the client offers ${quoted(offered)}, ${lacking}`)
  }
  if (!offered.includes(chosen.value)) {
    return yield* flight.fail("HookFailed", `selectAlpn chose ${quoted([chosen.value])}, which was not offered`)
  }
  return chosen
}

/** What a client says may be long, and need not be text. */
const quoted = (protocols: ReadonlyArray<string>): string =>
  protocols.length > 8
    ? `${quoted(protocols.slice(0, 8))} and others`
    : protocols.map((p) => JSON.stringify(p)).join(", ")

const chooseIdentity = function* (
  flight: HandshakeChannel,
  policy: HandshakePolicy,
  hello: Message.ClientHello,
  serverName: Option.Option<ServerName.ServerName>
) {
  const identities =
    policy.resolveIdentities === undefined
      ? policy.ownIdentities
      : yield* Auth.guard(
          flight,
          "HookFailed",
          "the identity resolver",
          () => policy.resolveIdentities!(hello, serverName),
          (result) => Array.isArray(result) && result.every(Identity.isIdentity)
        )
  if (identities.length === 0) {
    return yield* Option.match(serverName, {
      onNone: () => flight.fail("MissingExtension", "there is no identity for a client that names no server"),
      onSome: (name) => flight.fail("UnrecognizedName", `there is no identity for ${name.toString()}`)
    })
  }
  const schemes = Extension.find(hello.extensions, "SignatureAlgorithms")?.schemes
  if (schemes === undefined) {
    return yield* flight.fail(
      "MissingExtension",
      "a ClientHello without SignatureAlgorithms, and no session to go on with"
    )
  }
  const chosen = Identity.choose(identities, policy.signatureSchemes, {
    signatureSchemes: schemes,
    certificateSignatureSchemes: Extension.find(hello.extensions, "SignatureAlgorithmsCert")?.schemes ?? schemes,
    authorities: Extension.find(hello.extensions, "CertificateAuthorities")?.authorities ?? [],
    serverName,
    ...(identities.length > 1 ? { time: yield* Clock.currentTimeMillis } : {})
  })
  return Option.isSome(chosen)
    ? chosen.value
    : yield* flight.fail(
        "NoSharedSignatureScheme",
        `no identity can sign with a scheme of the client's, only with ${schemesOf(policy, identities)}`
      )
}

const schemesOf = ({ signatureSchemes }: HandshakePolicy, identities: ReadonlyArray<Identity.Identity>): string =>
  signatureSchemes
    .filter(({ code }) => identities.some(({ privateKey }) => privateKey.schemes.includes(code)))
    .map(({ name }) => name)
    .join(", ") || "such as the context does not allow"

/** What to staple to the leaf: an OCSP response, where the client asks for one and the hook has one. */
const findStaple = function* (
  flight: HandshakeChannel,
  policy: HandshakePolicy,
  hello: Message.ClientHello,
  { identity: { certificateChain } }: Identity.ChosenIdentity
) {
  const { limits, ocspResponse } = policy
  if (ocspResponse === undefined || Extension.find(hello.extensions, "StatusRequest") === undefined) return []
  const [leaf, ...others] = certificateChain
  const issuer = Option.fromNullable(others.find(({ subject }) => subject.equals(leaf.issuer)))
  const found = yield* Auth.guard(
    flight,
    "HookFailed",
    "ocspResponse",
    () => ocspResponse(leaf, issuer, hello),
    (result) =>
      Option.isOption(result) &&
      (Option.isNone(result) || isOcspResponse(result.value) || result.value instanceof Uint8Array)
  )
  if (Option.isNone(found)) return []
  const response = isOcspResponse(found.value) ? found.value.der : found.value
  if (response.length === 0 || response.length > limits.ocspResponse) {
    const most = `the limit \`ocspResponse\` is ${limits.ocspResponse}`
    return yield* flight.fail("HookFailed", `ocspResponse gave a response of ${response.length} bytes, ${most}`)
  }
  return [{ _tag: "CertificateStatus" as const, response }]
}

const encryptedExtensions = (
  flight: HandshakeChannel,
  policy: HandshakePolicy,
  hello: Message.ClientHello,
  { alpn, named }: { readonly alpn: Option.Option<string>; readonly named: boolean }
): ReadonlyArray<Extension.Extension> => {
  const extensions: Array<Extension.Extension> = []
  if (named) extensions.push({ _tag: "ServerNameAcknowledged" })
  if (Option.isSome(alpn)) extensions.push({ _tag: "ApplicationProtocols", protocols: [alpn.value] })
  const size = Extension.find(hello.extensions, "RecordSizeLimit")
  if (size !== undefined) {
    // The client's limit holds for what we send, ours for what it sends (RFC 8449 §4).
    const limit = policy.recordSizeLimit ?? maxPlaintext + 1
    flight.writer.maxInner = Math.min(size.limit, maxPlaintext + 1)
    flight.reader.maxInner = limit
    extensions.push({ _tag: "RecordSizeLimit", limit })
  }
  return extensions
}

const certificateRequest = (policy: HandshakePolicy): Message.CertificateRequest => ({
  _tag: "CertificateRequest",
  context: noBytes,
  extensions: [
    ...Auth.signatureAlgorithms(policy),
    ...(policy.authorities.length > 0
      ? [{ _tag: "CertificateAuthorities" as const, authorities: policy.authorities }]
      : [])
  ]
})

/** The client's certificate: first that it owns its key, then who it is. */
const authenticateClient = function* (flight: HandshakeChannel, policy: HandshakePolicy) {
  const certificate = yield* flight.expect("Certificate")
  if (certificate.context.length > 0) {
    return yield* flight.fail("IllegalParameter", "a Certificate with another context than was asked for")
  }
  const chain = yield* Auth.decodeChain(certificate)
  if (!Arr.isNonEmptyReadonlyArray(chain)) {
    return policy.clientAuthentication === "request"
      ? Option.none<Auth.VerifiedPeer>()
      : yield* new CertificateError({
          reason: "NoCertificate",
          message: "the client showed no certificate",
          depth: 0,
          chain: []
        })
  }
  const signed = flight.transcript.digest()
  const proof = yield* flight.expect("CertificateVerify")
  const possession = yield* Auth.verifyPossession(flight, policy, chain, proof, signed)
  return Option.some(yield* Auth.verifyPeer(flight, policy, possession, { serverName: Option.none() }))
}
