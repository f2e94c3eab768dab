import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { clientHandshake } from "../../src/core/ClientHandshake13.ts"
import { CryptoProvider, type CryptoProviderService } from "../../src/core/CryptoProvider.ts"
import type { Established } from "../../src/core/Established.ts"
import type { HandshakeChannelOptions } from "../../src/core/HandshakeChannel.ts"
import { HandshakeChannel } from "../../src/core/HandshakeChannel.ts"
import type { HandshakePolicy } from "../../src/core/HandshakePolicy.ts"
import type { Identity } from "../../src/core/Identity.ts"
import type { TrafficSecret } from "../../src/core/KeySchedule.ts"
import * as KeySchedule from "../../src/core/KeySchedule.ts"
import * as PrivateKey from "../../src/core/PrivateKey.ts"
import { RecordProtection } from "../../src/core/RecordProtection.ts"
import { RecordReader } from "../../src/core/RecordReader.ts"
import { RecordWriter } from "../../src/core/RecordWriter.ts"
import { serverHandshake } from "../../src/core/ServerHandshake13.ts"
import * as SessionTerms from "../../src/core/SessionTerms.ts"
import { Transcript } from "../../src/core/Transcript.ts"
import type { Duplex } from "../../src/core/Transport.ts"
import * as Verifier from "../../src/core/Verifier.ts"
import * as DeterministicCrypto from "../../src/layers/DeterministicCrypto.ts"
import * as NobleCrypto from "../../src/layers/NobleCrypto.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import { concat, toHex } from "../../src/schema/Bytes.ts"
import * as Certificate from "../../src/schema/Certificate.ts"
import * as CipherSuite from "../../src/schema/CipherSuite.ts"
import * as ContentType from "../../src/schema/ContentType.ts"
import type { HandshakeMessage } from "../../src/schema/HandshakeMessage.ts"
import { decode, encode } from "../../src/schema/HandshakeMessage.ts"
import * as Limits from "../../src/schema/Limits.ts"
import * as NamedGroup from "../../src/schema/NamedGroup.ts"
import * as ProtocolVersion from "../../src/schema/ProtocolVersion.ts"
import * as ServerName from "../../src/schema/ServerName.ts"
import * as SignatureScheme from "../../src/schema/SignatureScheme.ts"
import { HandshakeError } from "../../src/schema/TlsError.ts"
import { fromHex } from "../schema/arbitraries.ts"
import type { Actor, Trace } from "./rfc8448.ts"
import { messagesOf, stepsOf, trace, traces } from "./rfc8448.ts"

const suite = CipherSuite.fromName("TLS_AES_128_GCM_SHA256")!

const providers: ReadonlyArray<readonly [string, CryptoProviderService]> = [
  ["node", NodeCrypto.make()],
  ["noble", NobleCrypto.make()]
]

const title = (of: Trace): readonly [string, Trace] => [`section ${of.section}, ${of.title}`, of]
const fullHandshakes = [3, 5, 6, 7] as const

const value = (bytes: Uint8Array): HandshakeMessage => Either.getOrThrowWith(decode(bytes), (error) => error)

describe("RFC 8448, messages", () => {
  it.each(traces.map(title))("%s: every message is read and written as it stands there", (_, of) => {
    const messages = messagesOf(of)
    assert.isAtLeast(messages.length, 6)
    for (const { bytes, name } of messages) {
      const message = value(bytes)
      assert.strictEqual(message._tag === "HelloRetryRequest" ? "ServerHello" : message._tag, name)
      assert.strictEqual(toHex(encode(message)), toHex(bytes))
    }
  })

  it("the HelloRetryRequest is one", () => {
    const [, request] = messagesOf(trace(5))
    const message = value(request!.bytes)
    assert(message._tag === "HelloRetryRequest")
    assert.deepStrictEqual(
      message.extensions.map(({ _tag }) => _tag),
      ["KeyShareRequest", "Cookie", "SelectedVersion"]
    )
  })
})

/** The secrets of a trace by label, as it prints them. */
const printed = (of: Trace): ReadonlyMap<string, string> =>
  new Map([
    ...stepsOf(of, "extract secret").map(({ name, secret }) => [name, secret] as const),
    ...stepsOf(of, "derive secret")
      .filter(({ label }) => label !== "tls13 derived")
      .map(({ expanded, label }) => [label.replace("tls13 ", ""), expanded] as const)
  ])

/** The hash of a trace's messages up to one, by its actor and name. */
const transcriptAt = (crypto: CryptoProviderService, of: Trace) => {
  const hashes = new Map<string, KeySchedule.TranscriptHash>()
  const transcript = new Transcript(crypto)
  for (const { actor, bytes, name } of messagesOf(of)) {
    // What follows a ticket is not part of the handshake.
    if (name === "NewSessionTicket") break
    transcript.add(bytes)
    if (value(bytes)._tag === "HelloRetryRequest") transcript.retry(suite.hash)
    else if (name === "ServerHello" && transcript.hash === undefined) transcript.begin(suite.hash)
    if (transcript.hash !== undefined) hashes.set(`${actor} ${name}`, transcript.digest())
  }
  return (message: string): KeySchedule.TranscriptHash => hashes.get(message)!
}

describe.each(providers)("RFC 8448, key schedule by %s", (_, crypto) => {
  it.each(traces.map(title))("%s: every value it prints", (__, of) => {
    let checked = 0
    const equal = (actual: Uint8Array, expected: string) => {
      assert.strictEqual(toHex(actual), expected)
      checked++
    }
    const label = (text: string) => text.replace("tls13 ", "")
    const expanded = (step: { prk: string; hash: string; info: string; expanded: string; label: string }) => {
      const length = step.expanded.length / 2
      const [prk, context] = [fromHex(step.prk), fromHex(step.hash)]
      equal(KeySchedule.expandLabel(crypto, suite.hash, prk, label(step.label), context, length), step.expanded)
      equal(KeySchedule.hkdfExpand(crypto, suite.hash, prk, fromHex(step.info), length), step.expanded)
    }
    for (const { ikm, salt, secret } of stepsOf(of, "extract secret")) {
      equal(KeySchedule.hkdfExtract(crypto, suite.hash, fromHex(salt), fromHex(ikm)), secret)
    }
    stepsOf(of, "derive secret").forEach(expanded)
    stepsOf(of, "generate resumption secret").forEach(expanded)
    for (const step of stepsOf(of, "calculate finished")) expanded(step)
    for (const step of stepsOf(of, "derive traffic keys")) {
      const keys = KeySchedule.make(crypto, suite).trafficKeys(fromHex(step.prk) as TrafficSecret)
      equal(keys.key, step.keyExpanded)
      equal(keys.iv, step.ivExpanded)
    }
    assert.isAtLeast(checked, 30)
  })

  it.each(fullHandshakes.map((section) => title(trace(section))))(
    "%s: the stages, from the messages alone",
    (__, of) => {
      const schedule = KeySchedule.make(crypto, suite)
      const at = transcriptAt(crypto, of)
      const secrets = printed(of)
      const sharedSecret = fromHex(stepsOf(of, "extract secret").find(({ name }) => name === "handshake")!.ikm)

      const early = schedule.early()
      assert.strictEqual(toHex(early), secrets.get("early"))
      const handshake = schedule.handshake(early, sharedSecret)
      assert.strictEqual(toHex(handshake), secrets.get("handshake"))
      const handshakeTraffic = schedule.handshakeTraffic(handshake, at("server ServerHello"))
      assert.strictEqual(toHex(handshakeTraffic.client), secrets.get("c hs traffic"))
      assert.strictEqual(toHex(handshakeTraffic.server), secrets.get("s hs traffic"))
      const main = schedule.main(handshake)
      assert.strictEqual(toHex(main), secrets.get("master"))
      const applicationTraffic = schedule.applicationTraffic(main, at("server Finished"))
      assert.strictEqual(toHex(applicationTraffic.client), secrets.get("c ap traffic"))
      assert.strictEqual(toHex(applicationTraffic.server), secrets.get("s ap traffic"))
      assert.strictEqual(toHex(schedule.exporter(main, at("server Finished"))), secrets.get("exp master"))
      assert.strictEqual(toHex(schedule.resumption(main, at("client Finished"))), secrets.get("res master"))

      const finished = stepsOf(of, "calculate finished")
      const serverFinished = schedule.verifyData(handshakeTraffic.server, at("server CertificateVerify"))
      assert.strictEqual(toHex(serverFinished), finished.find(({ actor }) => actor === "server")!.finished)
      const before = at(of.section === 6 ? "client CertificateVerify" : "server Finished")
      const clientFinished = schedule.verifyData(handshakeTraffic.client, before)
      assert.strictEqual(toHex(clientFinished), finished.find(({ actor }) => actor === "client")!.finished)
    }
  )

  it("section 4, Resumed 0-RTT: the stages that a pre-shared key begins", () => {
    const of = trace(4)
    const schedule = KeySchedule.make(crypto, suite)
    const at = transcriptAt(crypto, of)
    const secrets = printed(of)
    const resumption = fromHex(printed(trace(3)).get("res master")!) as KeySchedule.ResumptionSecret
    const psk = schedule.ticketSecret(resumption, Uint8Array.of(0, 0))
    assert.strictEqual(toHex(psk), stepsOf(trace(3), "generate resumption secret")[0]!.expanded)
    const early = schedule.early(psk)
    assert.strictEqual(toHex(early), secrets.get("early"))
    const sharedSecret = fromHex(stepsOf(of, "extract secret").find(({ name }) => name === "handshake")!.ikm)
    const handshake = schedule.handshake(early, sharedSecret)
    const traffic = schedule.handshakeTraffic(handshake, at("server ServerHello"))
    assert.strictEqual(toHex(traffic.client), secrets.get("c hs traffic"))
    const application = schedule.applicationTraffic(schedule.main(handshake), at("server Finished"))
    assert.strictEqual(toHex(application.server), secrets.get("s ap traffic"))
    const finished = stepsOf(of, "calculate finished").find(({ actor }) => actor === "client")!.finished
    assert.strictEqual(toHex(schedule.verifyData(traffic.client, at("client EndOfEarlyData"))), finished)
  })

  it("section 4, Resumed 0-RTT: the binder, by the client that has yet to add it and the server that has it", () => {
    const schedule = KeySchedule.make(crypto, suite)
    const [step] = stepsOf(trace(4), "calculate PSK binder")
    const early = fromHex(printed(trace(4)).get("early")!) as KeySchedule.EarlySecret
    const { bytes } = messagesOf(trace(4))[0]!
    const hello = value(bytes)
    assert(hello._tag === "ClientHello")
    const offer = hello.extensions.at(-1)
    assert(offer?._tag === "PreSharedKeyOffer")
    const server = new Transcript(crypto)
    server.add(bytes)
    for (const hash of [
      new Transcript(crypto).digestWith(suite.hash, fromHex(step!.clientHelloPrefix)),
      server.digestWithout(suite.hash, SessionTerms.bindersLength(offer.binders))
    ]) {
      assert.strictEqual(toHex(hash), step!.binderHash)
      assert.strictEqual(toHex(schedule.binder(early, hash)), step!.finished)
    }
    assert.deepStrictEqual(offer.binders.map(toHex), [step!.finished])
  })
})

const contentTypes = {
  handshake: ContentType.handshake,
  application_data: ContentType.applicationData,
  alert: ContentType.alert,
  change_cipher_spec: ContentType.changeCipherSpec
}

/** The secrets one side protects its records with, in their order, and how many records each protects. */
const epochs = (of: Trace, actor: Actor): ReadonlyArray<readonly [secret: string, records: number]> => {
  const secrets = printed(of)
  const own = actor === "client" ? "c" : "s"
  const early = of.section === 4 && actor === "client" ? [[secrets.get("c e traffic")!, 2] as const] : []
  return [...early, [secrets.get(`${own} hs traffic`)!, 1], [secrets.get(`${own} ap traffic`)!, Infinity]]
}

/** One side's records, in order, with the secret that protects each if any does. */
const recordsOf = (of: Trace, actor: Actor) => {
  const remaining = epochs(of, actor).map(([secret, count]) => ({ secret, count }))
  return stepsOf(of, "send record")
    .filter((step) => step.actor === actor)
    .map(({ contentType, record }) => {
      const isProtected = record.completeRecord.startsWith("17")
      if (isProtected && remaining[0]!.count === 0) remaining.shift()
      if (isProtected) remaining[0]!.count--
      return {
        type: contentTypes[contentType],
        payload: fromHex(record.payload),
        bytes: fromHex(record.completeRecord),
        secret: isProtected ? remaining[0]!.secret : undefined
      }
    })
}

const sides = traces.flatMap((of) =>
  (["client", "server"] as const).map((actor): readonly [string, Trace, Actor] => [
    `section ${of.section}, ${actor}`,
    of,
    actor
  ])
)

describe.each(providers)("RFC 8448, records by %s", (_, crypto) => {
  const schedule = KeySchedule.make(crypto, suite)
  const protection = (secret: string) =>
    new RecordProtection(crypto, schedule.trafficKeys(fromHex(secret) as TrafficSecret))

  it.each(sides)("%s: every record is written as it stands there", (__, of, actor) => {
    const writer = new RecordWriter({ maxFragment: 16_384, padding: 1 })
    let secret: string | undefined
    for (const record of recordsOf(of, actor)) {
      if (record.secret !== undefined && record.secret !== secret) {
        secret = record.secret
        writer.protect(protection(secret), Infinity)
      }
      // A ChangeCipherSpec is never protected.
      const by = record.secret === undefined ? new RecordWriter({ maxFragment: 16_384, padding: 1 }) : writer
      const version = record.bytes[2] === 1 ? ProtocolVersion.tls10 : ProtocolVersion.tls12
      assert.strictEqual(toHex(by.write(record.type, record.payload, version)), toHex(record.bytes))
    }
  })

  it.each(sides)("%s: every record is read", (__, of, actor) => {
    const reader = new RecordReader(Limits.defaults)
    let secret: string | undefined
    for (const record of recordsOf(of, actor)) {
      if (record.secret !== undefined && record.secret !== secret) {
        secret = record.secret
        reader.protect(protection(secret))
      }
      reader.push(record.bytes)
      const read = reader.next()
      assert(read !== undefined && !(read instanceof HandshakeError))
      assert.strictEqual(read.type, record.type)
      assert.strictEqual(toHex(read.fragment), toHex(record.payload))
    }
    assert.strictEqual(reader.buffered, 0)
  })
})

// ---------------------------------------------------------------------------------------------------------------------
// Whole handshakes: our programs play one side against the records of the other
// ---------------------------------------------------------------------------------------------------------------------

/**
 * A channel that says what the trace says where we would say it in other words (which extensions, in which order). All
 * else that the program sends must be what the trace has.
 */
class ReplayChannel extends HandshakeChannel {
  readonly #recorded: Array<Uint8Array>
  static readonly #inOtherWords: ReadonlySet<string> = new Set([
    "ClientHello",
    "ServerHello",
    "HelloRetryRequest",
    "EncryptedExtensions",
    "CertificateRequest"
  ])

  constructor(options: HandshakeChannelOptions, of: Trace) {
    super(options)
    this.#recorded = messagesOf(of)
      .filter(({ actor, name }) => actor === options.role && name !== "NewSessionTicket")
      .map(({ bytes }) => bytes)
  }

  override send(message: HandshakeMessage, version?: ProtocolVersion.ProtocolVersion): Uint8Array {
    const recorded = value(this.#recorded.shift()!)
    assert.strictEqual(recorded._tag, message._tag)
    if (ReplayChannel.#inOtherWords.has(message._tag)) return super.send(recorded, version)
    assert.strictEqual(toHex(encode(message)), toHex(encode(recorded)))
    return super.send(message, version)
  }

  get left(): number {
    return this.#recorded.length
  }
}

const groups = { x25519: NamedGroup.x25519, secp256r1: NamedGroup.secp256r1 }

const policy = (of: Trace, role: Actor): HandshakePolicy => {
  const groupNames: ReadonlyArray<NamedGroup.NamedGroupName> =
    role === "server" && of.section === 5 ? ["secp256r1"] : ["x25519", "secp256r1", "secp384r1", "secp521r1"]
  const schemes = SignatureScheme.registry
  return {
    cipherSuites: [suite, ...CipherSuite.registry.filter(({ code }) => code !== suite.code)],
    groups: groupNames.map((name) => NamedGroup.fromName(name)!),
    keyShares: [NamedGroup.x25519],
    signatureSchemes: schemes,
    certificateSignatureSchemes: schemes,
    alpn: [],
    selectAlpn: undefined,
    maxFragment: 16_384,
    recordSizeLimit: 16_385,
    recordPadding: 1,
    middleboxCompatibility: of.section === 7,
    helloRetryCookie: false,
    handshakeTimeout: Duration.seconds(10),
    limits: Limits.defaults,
    ownIdentities: identities(of, role),
    resolveIdentities: undefined,
    ocspResponse: undefined,
    selectPolicy: undefined,
    sessions: { ticketKeys: undefined, cache: undefined, tickets: 0, lifetime: 0, context: "" },
    requestStaple: false,
    // Certificates of 1024 bits, and nobody's: what this is about is the protocol.
    verifier: Verifier.make("the trace", ({ certificates: [leaf] }) =>
      Effect.succeed({ path: [leaf] as const, vouchedBy: "RFC 8448" })
    ),
    clientAuthentication: of.section === 6 ? "require" : "none",
    authorities: []
  }
}

/** The identity of one side, whose signer gives the signature that the trace shows (they are random). */
const identities = (of: Trace, role: Actor): ReadonlyArray<Identity> => {
  const own = messagesOf(of).filter(({ actor }) => actor === role)
  const certificate = own.find(({ name }) => name === "Certificate")
  if (certificate === undefined) return []
  const shown = value(certificate.bytes)
  const proof = value(own.find(({ name }) => name === "CertificateVerify")!.bytes)
  assert(shown._tag === "Certificate" && proof._tag === "CertificateVerify")
  const leaf = Either.getOrThrowWith(Certificate.decode(shown.entries[0]!.certificate), (error) => error)
  const privateKey = PrivateKey.make({
    publicKey: leaf.publicKey,
    schemes: [proof.scheme],
    sign: () => Effect.succeed(proof.signature)
  })
  return [{ certificateChain: [leaf], privateKey }]
}

/** The other side's records, in as many flights, and what we wrote. */
const recordedPeer = (of: Trace, role: Actor) => {
  const flights = recordsOf(of, role === "client" ? "server" : "client").map(({ bytes }) => bytes)
  const written: Array<Uint8Array> = []
  const duplex: Duplex = {
    pull: Effect.sync(() => Option.fromNullable(flights.shift())),
    write: (bytes) => Effect.sync(() => void written.push(bytes)),
    end: (last) => Effect.sync(() => void (last === undefined ? undefined : written.push(last))),
    abort: Effect.void,
    localAddress: Option.none(),
    remoteAddress: Option.none()
  }
  return { duplex, written }
}

const replay = async (of: Trace, role: Actor) => {
  const ephemeral = role === "client" ? of.keys.clientEphemeral : of.keys.serverEphemeral
  const hello = value(messagesOf(of)[0]!.bytes)
  assert(hello._tag === "ClientHello")
  const crypto = DeterministicCrypto.make({
    seed: "RFC 8448",
    keyShares: ephemeral.map(({ group, privateKey }) => ({ group: groups[group], privateKey: fromHex(privateKey) })),
    randomBytes: role === "client" ? [hello.random, ...(of.section === 7 ? [hello.sessionId] : [])] : []
  })
  const { duplex, written } = recordedPeer(of, role)
  const own = policy(of, role)
  const flight = new ReplayChannel(
    {
      role,
      duplex,
      crypto,
      limits: own.limits,
      maxFragment: own.maxFragment,
      recordPadding: own.recordPadding,
      trace: undefined
    },
    of
  )
  const serverName = Option.some(Either.getOrThrow(ServerName.parse("server")))
  const handshake: Effect.Effect<Established, unknown, CryptoProvider> =
    role === "client"
      ? clientHandshake(flight, { policy: own, serverName, keyLog: undefined })
      : serverHandshake(flight, { policy: own, keyLog: undefined })
  const established = await Effect.runPromise(Effect.provideService(handshake, CryptoProvider, crypto))
  assert.strictEqual(flight.left, 0)
  return { crypto, established, flight, written: concat(written) }
}

const hexOf = (records: ReadonlyArray<{ readonly bytes: Uint8Array }>) =>
  toHex(concat(records.map(({ bytes }) => bytes)))

/** The records of a handshake's stream, opened; the messages of neighbouring records in one, as ours may be cut into others. */
const contents = (crypto: CryptoProviderService, secret: string, stream: Uint8Array): ReadonlyArray<string> => {
  const reader = new RecordReader(Limits.defaults)
  const found: Array<string> = []
  for (let at = 0; at < stream.length;) {
    const end = at + 5 + stream[at + 3]! * 256 + stream[at + 4]!
    const isProtected = stream[at] === ContentType.applicationData
    if (isProtected && !found.some((text) => text.startsWith("protected"))) {
      const keys = KeySchedule.make(crypto, suite).trafficKeys(fromHex(secret) as TrafficSecret)
      reader.protect(new RecordProtection(crypto, keys))
    }
    reader.push(stream.subarray(at, end))
    const record = reader.next()
    assert(record !== undefined && !(record instanceof HandshakeError))
    const kind = `${isProtected ? "protected" : "plain"} ${record.type} `
    if (isProtected && found.at(-1)?.startsWith(kind) === true) found.push(found.pop()! + toHex(record.fragment))
    else found.push(kind + toHex(record.fragment))
    at = end
  }
  return found
}

const interpreted = fullHandshakes.flatMap((section) =>
  (["client", "server"] as const).map((role): readonly [string, Trace, Actor] => [
    `section ${section} as the ${role}`,
    trace(section),
    role
  ])
)

describe("RFC 8448, whole handshakes", () => {
  it.each(interpreted)("%s", async (_, of, role) => {
    const { crypto, established, written } = await replay(of, role)
    const secrets = printed(of)
    const [read, write] = role === "client" ? ["s ap traffic", "c ap traffic"] : ["c ap traffic", "s ap traffic"]
    assert.strictEqual(toHex(established.readSecret), secrets.get(read))
    assert.strictEqual(toHex(established.writeSecret), secrets.get(write))
    assert.strictEqual(toHex(established.exporterSecret), secrets.get("exp master"))

    const handshakeSecret = secrets.get(role === "client" ? "c hs traffic" : "s hs traffic")!
    const recorded = recordsOf(of, role).filter(({ secret }) => secret === undefined || secret === handshakeSecret)
    const stream = fromHex(hexOf(recorded))
    assert.deepStrictEqual(contents(crypto, handshakeSecret, written), contents(crypto, handshakeSecret, stream))
    // A protected flight of one message is one record for us as it is for the RFC: then every byte is the same.
    if (role === "client" && of.section !== 6) assert.strictEqual(toHex(written), toHex(stream))

    const { info } = established
    assert.strictEqual(info.cipherSuite, "TLS_AES_128_GCM_SHA256")
    assert.strictEqual(info.group, of.section === 5 ? "secp256r1" : "x25519")
    assert.strictEqual(info.signatureScheme, of.section === 6 ? "ecdsa_secp256r1_sha256" : "rsa_pss_rsae_sha256")
    assert.strictEqual(info.helloRetryRequest, of.section === 5)
    assert.strictEqual(Option.isSome(info.clientSignatureScheme), of.section === 6)
    assert.strictEqual(info.peer._tag, role === "client" || of.section === 6 ? "Verified" : "Anonymous")
  })
})
