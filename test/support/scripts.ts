/** Whole handshakes by hand, on top of `ScriptedPeer`: correct, but for what a test changes. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { signedContent } from "../../src/core/Authentication.ts"
import type { KeyShare } from "../../src/core/CryptoProvider.ts"
import * as KeyAgreement from "../../src/core/KeyAgreement.ts"
import type { KeySchedule, TrafficSecret, TrafficSecrets } from "../../src/core/KeySchedule.ts"
import * as KeySchedules from "../../src/core/KeySchedule.ts"
import { concat } from "../../src/schema/Bytes.ts"
import * as Certificate from "../../src/schema/Certificate.ts"
import type { CipherSuiteInfo } from "../../src/schema/CipherSuite.ts"
import * as CipherSuite from "../../src/schema/CipherSuite.ts"
import * as ContentType from "../../src/schema/ContentType.ts"
import type { Extension } from "../../src/schema/Extension.ts"
import * as Extensions from "../../src/schema/Extension.ts"
import type * as Message from "../../src/schema/HandshakeMessage.ts"
import type { HandshakeMessage } from "../../src/schema/HandshakeMessage.ts"
import * as NamedGroup from "../../src/schema/NamedGroup.ts"
import * as ProtocolVersion from "../../src/schema/ProtocolVersion.ts"
import type { SignatureSchemeInfo } from "../../src/schema/SignatureScheme.ts"
import * as SignatureScheme from "../../src/schema/SignatureScheme.ts"
import type { Made } from "./identities.ts"
import * as identities from "./identities.ts"
import { crypto } from "./identities.ts"
import type { Ending, Item, ScriptedPeer } from "./ScriptedPeer.ts"
import { changeCipherSpec } from "./ScriptedPeer.ts"

const noBytes = new Uint8Array(0)

/** What goes out for a correct message: itself unless a test says otherwise. */
export type Edit = (message: HandshakeMessage, peer: ScriptedPeer) => Item | ReadonlyArray<Item>

/** Lays messages of one epoch out in records; by default one each. */
export type Frame = (peer: ScriptedPeer, messages: ReadonlyArray<Uint8Array>) => ReadonlyArray<Uint8Array>

const eachInARecord: Frame = (peer, messages) => messages.map((bytes) => peer.record(ContentType.handshake, bytes))

/** All in one record. */
export const coalesced: Frame = (peer, messages) => [peer.record(ContentType.handshake, concat(messages))]

/** All cut at one byte into two records, or none where there is no such byte. */
export const cutAt =
  (at: number): Frame =>
  (peer, messages) => {
    const all = concat(messages)
    return at <= 0 || at >= all.length
      ? [peer.record(ContentType.handshake, all)]
      : [all.subarray(0, at), all.subarray(at)].map((part) => peer.record(ContentType.handshake, part))
  }

/** A byte a record. */
export const byteByByte: Frame = (peer, messages) =>
  Array.from(concat(messages), (byte) => peer.record(ContentType.handshake, Uint8Array.of(byte)))

/** Where a handshake by hand has come to. */
export interface Finished {
  readonly schedule: KeySchedule
  readonly read: TrafficSecret
  readonly write: TrafficSecret
  readonly exporter: KeySchedules.ExporterSecret
}

/** Writes the messages of a flight, one epoch after the other, as they are made. */
class Flight {
  readonly peer: ScriptedPeer
  readonly edit: Edit
  readonly frame: Frame
  readonly parts: Array<Uint8Array> = []
  #messages: Array<Uint8Array> = []

  constructor(peer: ScriptedPeer, edit: Edit | undefined, frame: Frame | undefined) {
    this.peer = peer
    this.edit = edit ?? ((message) => message)
    this.frame = frame ?? eachInARecord
  }

  add(message: HandshakeMessage): void {
    const edited = this.edit(message, this.peer)
    for (const item of Array.isArray(edited) ? (edited as ReadonlyArray<Item>) : [edited as Item]) {
      if (typeof item === "function") {
        this.endEpoch()
        this.parts.push(item(this.peer))
      } else {
        this.#messages.push(this.peer.hashed(item))
      }
    }
  }

  /** The keys are about to change: what was said goes out under the old ones. */
  endEpoch(): void {
    if (this.#messages.length > 0) this.parts.push(...this.frame(this.peer, this.#messages))
    this.#messages = []
  }

  send(): Effect.Effect<void, Ending> {
    this.endEpoch()
    return this.peer.bytes(...this.parts.splice(0))
  }
}

const sign = (role: "client" | "server", made: Made, scheme: SignatureSchemeInfo, peer: ScriptedPeer) =>
  Effect.map(
    Effect.orDie(made.privateKey.sign(scheme.algorithm, signedContent(role, peer.transcript.digest()))),
    (signature): Message.CertificateVerify => ({ _tag: "CertificateVerify", scheme: scheme.code, signature })
  )

const ensure = (condition: boolean, what: string): Effect.Effect<void> =>
  condition ? Effect.void : Effect.die(new Error(`the peer under test is wrong: ${what}`))

const checkVerify = (
  role: "client" | "server",
  certificate: Message.Certificate,
  proof: Message.CertificateVerify,
  transcript: KeySchedules.TranscriptHash
) =>
  Effect.gen(function* () {
    const { publicKey } = Either.getOrThrow(Certificate.decode(certificate.entries[0]!.certificate))
    const { algorithm } = SignatureScheme.info(proof.scheme)!
    yield* ensure(
      yield* Effect.orDie(crypto.verify(algorithm, publicKey, signedContent(role, transcript), proof.signature)),
      "its signature"
    )
  })

// ---------------------------------------------------------------------------------------------------------------------
// A server
// ---------------------------------------------------------------------------------------------------------------------

export interface ServerScript {
  readonly identity?: Made
  readonly scheme?: SignatureSchemeInfo
  readonly suite?: CipherSuiteInfo
  readonly group?: NamedGroup.NamedGroup
  readonly encryptedExtensions?: ReadonlyArray<Extension>
  /** Ask for the hello again: for a share of that group, or with a cookie. */
  readonly retry?: { readonly group?: NamedGroup.NamedGroup; readonly cookie?: Uint8Array }
  /** Ask for the client's certificate. */
  readonly request?: boolean
  /** Goes on with the session of this secret, and shows no certificate. */
  readonly resume?: Uint8Array
  /** Changes what is sent, message by message; what comes later goes by it. */
  readonly edit?: Edit
  readonly frame?: Frame
  /** Goes out in one write with the flight, under the keys of the application. */
  readonly afterFlight?: (peer: ScriptedPeer) => Uint8Array
}

export interface ServerResult extends Finished {
  readonly hello: Message.ClientHello
  readonly clientCertificate: Message.Certificate | undefined
}

export const aes128 = CipherSuite.fromName("TLS_AES_128_GCM_SHA256")!
const schemeOf = ({ privateKey }: Made): SignatureSchemeInfo => SignatureScheme.info(privateKey.schemes[0]!)!

/** Plays a server up to its Finished and to the client's. */
export const playServer = Effect.fnUntraced(function* (
  peer: ScriptedPeer,
  script: ServerScript = {}
): Effect.fn.Return<ServerResult, Ending> {
  const { identity = identities.server, suite = aes128 } = script
  const { transcript } = peer
  const flight = new Flight(peer, script.edit, script.frame)
  let hello = yield* peer.expect("ClientHello")
  if (script.retry !== undefined) {
    const { cookie, group } = script.retry
    transcript.retry(suite.hash)
    flight.add({
      _tag: "HelloRetryRequest",
      legacyVersion: ProtocolVersion.tls12,
      sessionId: hello.sessionId,
      cipherSuite: suite.code,
      compressionMethod: 0,
      extensions: [
        { _tag: "SelectedVersion", version: ProtocolVersion.tls13 },
        ...(group === undefined ? [] : [{ _tag: "KeyShareRequest" as const, group }]),
        ...(cookie === undefined ? [] : [{ _tag: "Cookie" as const, cookie }])
      ]
    })
    yield* flight.send()
    hello = yield* peer.expect("ClientHello")
  } else {
    transcript.begin(suite.hash)
  }
  const offer = Extensions.find(hello.extensions, "KeyShareOffer")!.shares
  const group = script.group ?? script.retry?.group ?? offer.find((share) => NamedGroup.info(share.group))!.group
  const theirs = offer.find((share) => share.group === group) ?? offer[0]!
  const agreed = yield* Effect.orDie(KeyAgreement.encapsulate(crypto, theirs.group, theirs.publicKey))
  flight.add({
    _tag: "ServerHello",
    legacyVersion: ProtocolVersion.tls12,
    random: crypto.randomBytes(32),
    sessionId: hello.sessionId,
    cipherSuite: suite.code,
    compressionMethod: 0,
    extensions: [
      { _tag: "SelectedVersion", version: ProtocolVersion.tls13 },
      { _tag: "KeyShareAnswer", share: { group, publicKey: agreed.publicKey } },
      ...(script.resume === undefined ? [] : [{ _tag: "PreSharedKeyAnswer" as const, selected: 0 }])
    ]
  })
  flight.endEpoch()
  const schedule = KeySchedules.make(crypto, suite)
  const handshakeSecret = schedule.handshake(schedule.early(script.resume), agreed.sharedSecret)
  const handshake = schedule.handshakeTraffic(handshakeSecret, transcript.digest())
  peer.protectRead(schedule, handshake.client)
  peer.protectWrite(schedule, handshake.server)
  flight.add({ _tag: "EncryptedExtensions", extensions: script.encryptedExtensions ?? [] })
  if (script.request === true) {
    flight.add({
      _tag: "CertificateRequest",
      context: noBytes,
      extensions: [{ _tag: "SignatureAlgorithms", schemes: SignatureScheme.registry.map(({ code }) => code) }]
    })
  }
  if (script.resume === undefined) {
    flight.add({
      _tag: "Certificate",
      context: noBytes,
      entries: identity.chain.map(({ der }) => ({ certificate: der, extensions: [] }))
    })
    flight.add(yield* sign("server", identity, script.scheme ?? schemeOf(identity), peer))
  }
  flight.add({ _tag: "Finished", verifyData: schedule.verifyData(handshake.server, transcript.digest()) })
  const main = schedule.main(handshakeSecret)
  const application = schedule.applicationTraffic(main, transcript.digest())
  const exporter = schedule.exporter(main, transcript.digest())
  flight.endEpoch()
  peer.protectWrite(schedule, application.server)
  if (script.afterFlight !== undefined) flight.parts.push(script.afterFlight(peer))
  yield* flight.send()

  const clientCertificate = script.request === true ? yield* peer.expect("Certificate") : undefined
  if (clientCertificate !== undefined && clientCertificate.entries.length > 0) {
    const signed = transcript.digest()
    yield* checkVerify("client", clientCertificate, yield* peer.expect("CertificateVerify"), signed)
  }
  yield* expectFinished(peer, schedule, handshake.client)
  peer.protectRead(schedule, application.client)
  peer.reader.handshaking = false
  return { hello, clientCertificate, schedule, read: application.client, write: application.server, exporter }
})

const expectFinished = (peer: ScriptedPeer, schedule: KeySchedule, secret: TrafficSecret) =>
  Effect.gen(function* () {
    const over = peer.transcript.digest()
    const { verifyData } = yield* peer.expect("Finished")
    yield* ensure(crypto.equal(schedule.verifyData(secret, over), verifyData), "its Finished")
  })

// ---------------------------------------------------------------------------------------------------------------------
// A client
// ---------------------------------------------------------------------------------------------------------------------

export interface ClientScript {
  readonly suites?: ReadonlyArray<CipherSuite.CipherSuite>
  readonly groups?: ReadonlyArray<NamedGroup.NamedGroup>
  /** Groups to send shares of; by default the first of `groups`. */
  readonly shares?: ReadonlyArray<NamedGroup.NamedGroup>
  readonly serverName?: string
  /** Further extensions of the hello, after the others. */
  readonly extensions?: ReadonlyArray<Extension>
  /** Changes the first hello. */
  readonly hello?: (hello: Message.ClientHello) => Message.ClientHello | Uint8Array
  /** Changes the second hello. */
  readonly secondHello?: (hello: Message.ClientHello) => Message.ClientHello
  /** Goes out right after a hello. */
  readonly afterHello?: ReadonlyArray<(peer: ScriptedPeer) => Uint8Array>
  readonly afterSecondHello?: ReadonlyArray<(peer: ScriptedPeer) => Uint8Array>
  /** Goes out when the keys of the handshake are there, before the client's flight. */
  readonly beforeFlight?: (peer: ScriptedPeer) => Uint8Array
  /** Shown when the server asks. */
  readonly identity?: Made
  readonly scheme?: SignatureSchemeInfo
  /** Changes the second flight. */
  readonly edit?: Edit
  readonly helloFrame?: Frame
  readonly frame?: Frame
  /** Goes out in one write with the flight, under the keys of the application. */
  readonly afterFlight?: (peer: ScriptedPeer) => Uint8Array
}

export interface ClientResult extends Finished {
  readonly hello: Message.ClientHello
  readonly serverHello: Message.ServerHello
  readonly retry: Message.HelloRetryRequest | undefined
  readonly encryptedExtensions: Message.EncryptedExtensions
  readonly request: Message.CertificateRequest | undefined
  readonly certificate: Message.Certificate
  readonly proof: Message.CertificateVerify
}

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)

export const makeHello = (script: ClientScript, shares: ReadonlyArray<KeyShare>): Message.ClientHello => ({
  _tag: "ClientHello",
  legacyVersion: ProtocolVersion.tls12,
  random: crypto.randomBytes(32),
  sessionId: crypto.randomBytes(32),
  cipherSuites: script.suites ?? [aes128.code],
  compressionMethods: Uint8Array.of(0),
  extensions: [
    ...(script.serverName === undefined
      ? []
      : [{ _tag: "ServerName" as const, names: [{ type: 0, name: ascii(script.serverName) }] }]),
    { _tag: "SupportedGroups", groups: script.groups ?? [NamedGroup.x25519] },
    {
      _tag: "SignatureAlgorithms",
      schemes: SignatureScheme.registry.map(({ code }) => code)
    },
    { _tag: "SupportedVersions", versions: [ProtocolVersion.tls13] },
    { _tag: "KeyShareOffer", shares: shares.map(({ group, publicKey }) => ({ group, publicKey })) },
    ...(script.extensions ?? [])
  ]
})

/** Plays a client to the end of its flight. It checks all that the server says. */
export const playClient = Effect.fnUntraced(function* (
  peer: ScriptedPeer,
  script: ClientScript = {}
): Effect.fn.Return<ClientResult, Ending> {
  const { transcript } = peer
  const groups = script.groups ?? [NamedGroup.x25519]
  let shares = yield* Effect.orDie(KeyAgreement.generate(crypto, script.shares ?? groups.slice(0, 1)))
  const made = makeHello(script, shares)
  const edited = script.hello?.(made) ?? made
  let hello = edited instanceof Uint8Array ? made : edited
  const first = new Flight(peer, () => edited, script.helloFrame)
  first.add(hello)
  first.endEpoch()
  yield* peer.bytes(...first.parts, ...(script.afterHello ?? []).map((part) => part(peer)))

  let answer = yield* peer.expect("ServerHello", "HelloRetryRequest")
  let retry: Message.HelloRetryRequest | undefined
  if (answer._tag === "HelloRetryRequest") {
    retry = answer
    const suite = CipherSuite.info(answer.cipherSuite)!
    const wanted = Extensions.find(answer.extensions, "KeyShareRequest")?.group
    const cookie = Extensions.find(answer.extensions, "Cookie")
    transcript.retry(suite.hash)
    if (wanted !== undefined) shares = yield* Effect.orDie(KeyAgreement.generate(crypto, [wanted]))
    const again: Message.ClientHello = {
      ...hello,
      extensions: [
        ...hello.extensions.flatMap((extension): ReadonlyArray<Extension> =>
          extension._tag === "KeyShareOffer"
            ? [{ ...extension, shares: shares.map(({ group, publicKey }) => ({ group, publicKey })) }]
            : extension._tag === "EarlyData"
              ? []
              : [extension]
        ),
        ...(cookie === undefined ? [] : [cookie])
      ]
    }
    hello = script.secondHello?.(again) ?? again
    yield* peer.bytes(changeCipherSpec, peer.item(hello), ...(script.afterSecondHello ?? []).map((part) => part(peer)))
    answer = yield* peer.expect("ServerHello")
  }
  const suite = CipherSuite.info(answer.cipherSuite)!
  if (transcript.hash === undefined) transcript.begin(suite.hash)
  const share = Extensions.find(answer.extensions, "KeyShareAnswer")!.share
  const ours = shares.find(({ group }) => group === share.group)!
  const schedule = KeySchedules.make(crypto, suite)
  const sharedSecret = yield* Effect.orDie(KeyAgreement.decapsulate(ours, share.publicKey))
  const handshakeSecret = schedule.handshake(schedule.early(), sharedSecret)
  const handshake: TrafficSecrets = schedule.handshakeTraffic(handshakeSecret, transcript.digest())
  peer.protectRead(schedule, handshake.server)
  const encryptedExtensions = yield* peer.expect("EncryptedExtensions")
  const next = yield* peer.expect("CertificateRequest", "Certificate")
  const request = next._tag === "CertificateRequest" ? next : undefined
  const certificate = next._tag === "Certificate" ? next : yield* peer.expect("Certificate")
  const signed = transcript.digest()
  const proof = yield* peer.expect("CertificateVerify")
  yield* checkVerify("server", certificate, proof, signed)
  yield* expectFinished(peer, schedule, handshake.server)
  const main = schedule.main(handshakeSecret)
  const application = schedule.applicationTraffic(main, transcript.digest())
  const exporter = schedule.exporter(main, transcript.digest())
  peer.protectRead(schedule, application.server)

  const flight = new Flight(peer, script.edit, script.frame)
  flight.parts.push(changeCipherSpec)
  peer.protectWrite(schedule, handshake.client)
  if (script.beforeFlight !== undefined) flight.parts.push(script.beforeFlight(peer))
  if (request !== undefined) {
    flight.add({
      _tag: "Certificate",
      context: request.context,
      entries: (script.identity?.chain ?? []).map(({ der }) => ({ certificate: der, extensions: [] }))
    })
    if (script.identity !== undefined) {
      flight.add(yield* sign("client", script.identity, script.scheme ?? schemeOf(script.identity), peer))
    }
  }
  flight.add({ _tag: "Finished", verifyData: schedule.verifyData(handshake.client, transcript.digest()) })
  flight.endEpoch()
  peer.protectWrite(schedule, application.client)
  if (script.afterFlight !== undefined) flight.parts.push(script.afterFlight(peer))
  yield* flight.send()
  peer.reader.handshaking = false
  return {
    hello,
    serverHello: answer as Message.ServerHello,
    retry,
    encryptedExtensions,
    request,
    certificate,
    proof,
    schedule,
    read: application.server,
    write: application.client,
    exporter
  }
})
