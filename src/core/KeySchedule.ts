/**
 * The TLS 1.3 key schedule (RFC 9846 §7.1) as stages: each is a branded value that only the step before can make, so
 * that no traffic can be protected with a secret of the wrong stage.
 *
 *     0 ──▶ EarlySecret ──(shared secret)──▶ HandshakeSecret ──▶ MainSecret
 *                                              │ ClientHello…ServerHello    │ ClientHello…server Finished
 *                                              ▼                            ▼
 *                                        handshake traffic            application traffic ⟲ KeyUpdate, exporter
 *
 * @since 0.1.0
 */
import type * as Brand from "effect/Brand"
import type { AeadAlgorithm, HashAlgorithm } from "../schema/Algorithms.ts"
import { aeadLengths, hashLength } from "../schema/Algorithms.ts"
import type { CipherSuiteInfo } from "../schema/CipherSuite.ts"
import type { CryptoProviderService } from "./CryptoProvider.ts"

/**
 * The secret before any key agreement.
 *
 * @since 0.1.0
 * @category models
 */
export type EarlySecret = Uint8Array & Brand.Brand<"effect-tls/EarlySecret">

/**
 * The secret once the key agreement is done.
 *
 * @since 0.1.0
 * @category models
 */
export type HandshakeSecret = Uint8Array & Brand.Brand<"effect-tls/HandshakeSecret">

/**
 * The secret that application traffic, exporters and resumption come from.
 *
 * @since 0.1.0
 * @category models
 */
export type MainSecret = Uint8Array & Brand.Brand<"effect-tls/MainSecret">

/**
 * A secret that protects one direction, or from which a Finished key comes.
 *
 * @since 0.1.0
 * @category models
 */
export type TrafficSecret = Uint8Array & Brand.Brand<"effect-tls/TrafficSecret">

/**
 * @since 0.1.0
 * @category models
 */
export type ExporterSecret = Uint8Array & Brand.Brand<"effect-tls/ExporterSecret">

/**
 * @since 0.1.0
 * @category models
 */
export type ResumptionSecret = Uint8Array & Brand.Brand<"effect-tls/ResumptionSecret">

/**
 * A hash of the handshake so far.
 *
 * @since 0.1.0
 * @category models
 */
export type TranscriptHash = Uint8Array & Brand.Brand<"effect-tls/TranscriptHash">

/**
 * The two directions of one stage.
 *
 * @since 0.1.0
 * @category models
 */
export interface TrafficSecrets {
  readonly client: TrafficSecret
  readonly server: TrafficSecret
}

/**
 * Key and IV of one direction (RFC 9846 §7.3).
 *
 * @since 0.1.0
 * @category models
 */
export interface TrafficKeys {
  readonly aead: AeadAlgorithm
  readonly key: Uint8Array
  readonly iv: Uint8Array
}

const empty = new Uint8Array(0)
const ascii = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0))

/**
 * HKDF-Extract (RFC 5869 §2.2).
 *
 * @since 0.1.0
 * @category hkdf
 */
export const hkdfExtract = (
  crypto: CryptoProviderService,
  hash: HashAlgorithm,
  salt: Uint8Array,
  keyMaterial: Uint8Array
): Uint8Array => crypto.hmac(hash, salt, keyMaterial)

/**
 * HKDF-Expand (RFC 5869 §2.3).
 *
 * @since 0.1.0
 * @category hkdf
 */
export const hkdfExpand = (
  crypto: CryptoProviderService,
  hash: HashAlgorithm,
  secret: Uint8Array,
  info: Uint8Array,
  length: number
): Uint8Array => {
  const size = hashLength[hash]
  if (length > 255 * size) throw new RangeError(`HKDF gives at most ${255 * size} bytes, ${length} asked for`)
  const output = new Uint8Array(Math.ceil(length / size) * size)
  let block: Uint8Array = empty
  for (let counter = 1, at = 0; at < length; counter++, at += size) {
    const input = new Uint8Array(block.length + info.length + 1)
    input.set(block)
    input.set(info, block.length)
    input[input.length - 1] = counter
    block = crypto.hmac(hash, secret, input)
    output.set(block, at)
  }
  return output.length === length ? output : output.slice(0, length)
}

/** A label as HkdfLabel has it: with its prefix, and its length in front. */
const encodeLabel = (label: string): Uint8Array => {
  const text = ascii(`tls13 ${label}`)
  if (text.length > 255) throw new RangeError(`a label has at most 249 bytes, this one ${text.length - 6}`)
  return Uint8Array.of(text.length, ...text)
}

const expand = (
  crypto: CryptoProviderService,
  hash: HashAlgorithm,
  secret: Uint8Array,
  label: Uint8Array,
  context: Uint8Array,
  length: number
): Uint8Array => {
  if (context.length > 255) throw new RangeError(`a context has at most 255 bytes, this one ${context.length}`)
  if ((length & 0xffff) !== length) throw new RangeError(`no length that stands in 16 bits: ${length}`)
  const end = 3 + label.length + context.length
  // The byte at the end is the counter of HKDF's first block, and most of what is asked for is no longer than that.
  const info = new Uint8Array(end + 1)
  info[0] = length >>> 8
  info[1] = length
  info.set(label, 2)
  info[2 + label.length] = context.length
  info.set(context, 3 + label.length)
  if (length > hashLength[hash]) return hkdfExpand(crypto, hash, secret, info.subarray(0, end), length)
  info[end] = 1
  const block = crypto.hmac(hash, secret, info)
  return block.length === length ? block : block.slice(0, length)
}

/**
 * HKDF-Expand-Label (RFC 9846 §7.1). `label` is without its "tls13 " prefix.
 *
 * @since 0.1.0
 * @category hkdf
 */
export const expandLabel = (
  crypto: CryptoProviderService,
  hash: HashAlgorithm,
  secret: Uint8Array,
  label: string,
  context: Uint8Array,
  length: number
): Uint8Array => expand(crypto, hash, secret, encodeLabel(label), context, length)

/** Those of the schedule, encoded once: twenty are needed for a handshake. */
const labels = {
  derived: encodeLabel("derived"),
  resumptionBinder: encodeLabel("res binder"),
  clientHandshake: encodeLabel("c hs traffic"),
  serverHandshake: encodeLabel("s hs traffic"),
  clientApplication: encodeLabel("c ap traffic"),
  serverApplication: encodeLabel("s ap traffic"),
  exporterMain: encodeLabel("exp master"),
  resumptionMain: encodeLabel("res master"),
  update: encodeLabel("traffic upd"),
  key: encodeLabel("key"),
  iv: encodeLabel("iv"),
  finished: encodeLabel("finished"),
  exporter: encodeLabel("exporter"),
  resumption: encodeLabel("resumption")
}

/**
 * The schedule of one suite: every step of the figure, over one provider.
 *
 * @since 0.1.0
 * @category models
 */
export interface KeySchedule {
  readonly hash: HashAlgorithm
  readonly early: (psk?: Uint8Array) => EarlySecret
  /**
   * What proves that a client has the secret of a session: `early` is made of that, `transcript` ends in its ClientHello
   * where the binders begin (RFC 9846 §4.2.11.2).
   */
  readonly binder: (early: EarlySecret, transcript: TranscriptHash) => Uint8Array
  readonly handshake: (early: EarlySecret, sharedSecret: Uint8Array) => HandshakeSecret
  readonly main: (handshake: HandshakeSecret) => MainSecret
  /** `transcript` ends with the ServerHello. */
  readonly handshakeTraffic: (handshake: HandshakeSecret, transcript: TranscriptHash) => TrafficSecrets
  /** `transcript` ends with the server's Finished. */
  readonly applicationTraffic: (main: MainSecret, transcript: TranscriptHash) => TrafficSecrets
  /** `transcript` ends with the server's Finished. */
  readonly exporter: (main: MainSecret, transcript: TranscriptHash) => ExporterSecret
  /** `transcript` ends with the client's Finished. */
  readonly resumption: (main: MainSecret, transcript: TranscriptHash) => ResumptionSecret
  /** The secret of the session that a ticket stands for (RFC 9846 §4.6.1). */
  readonly ticketSecret: (resumption: ResumptionSecret, nonce: Uint8Array) => Uint8Array
  /** The secret after a KeyUpdate (RFC 9846 §7.2). */
  readonly update: (secret: TrafficSecret) => TrafficSecret
  readonly trafficKeys: (secret: TrafficSecret) => TrafficKeys
  /** The content of a Finished message (RFC 9846 §4.4.4). */
  readonly verifyData: (secret: TrafficSecret, transcript: TranscriptHash) => Uint8Array
  /** RFC 9846 §7.5. */
  readonly exportKeyingMaterial: (
    exporter: ExporterSecret,
    label: string,
    context: Uint8Array,
    length: number
  ) => Uint8Array
}

const schedules = new WeakMap<CryptoProviderService, Map<CipherSuiteInfo, KeySchedule>>()

/**
 * The key schedule of a suite. It has no state but what is the same for every connection.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (crypto: CryptoProviderService, suite: CipherSuiteInfo): KeySchedule => {
  let known = schedules.get(crypto)
  if (known === undefined) schedules.set(crypto, (known = new Map()))
  let schedule = known.get(suite)
  if (schedule === undefined) known.set(suite, (schedule = makeSchedule(crypto, suite)))
  return schedule
}

const makeSchedule = (crypto: CryptoProviderService, { aead, hash }: CipherSuiteInfo): KeySchedule => {
  const size = hashLength[hash]
  const zeros = new Uint8Array(size)
  const emptyHash = crypto.hash(hash, empty)
  const derive = (secret: Uint8Array, label: Uint8Array, transcript: Uint8Array): Uint8Array =>
    expand(crypto, hash, secret, label, transcript, size)
  const extract = (salt: Uint8Array, keyMaterial: Uint8Array): Uint8Array =>
    hkdfExtract(crypto, hash, salt, keyMaterial)
  // Without a PSK the first stage is a constant.
  const earlyWithoutPsk = extract(zeros, zeros) as EarlySecret
  const derivedWithoutPsk = derive(earlyWithoutPsk, labels.derived, emptyHash)

  const finished = (secret: Uint8Array, transcript: TranscriptHash): Uint8Array =>
    crypto.hmac(hash, derive(secret, labels.finished, empty), transcript)

  return {
    hash,
    early: (psk) => (psk === undefined ? earlyWithoutPsk : (extract(zeros, psk) as EarlySecret)),
    binder: (early, transcript) => finished(derive(early, labels.resumptionBinder, emptyHash), transcript),
    handshake: (early, sharedSecret) => {
      const salt = early === earlyWithoutPsk ? derivedWithoutPsk : derive(early, labels.derived, emptyHash)
      return extract(salt, sharedSecret) as HandshakeSecret
    },
    main: (handshake) => extract(derive(handshake, labels.derived, emptyHash), zeros) as MainSecret,
    handshakeTraffic: (handshake, transcript) => ({
      client: derive(handshake, labels.clientHandshake, transcript) as TrafficSecret,
      server: derive(handshake, labels.serverHandshake, transcript) as TrafficSecret
    }),
    applicationTraffic: (main, transcript) => ({
      client: derive(main, labels.clientApplication, transcript) as TrafficSecret,
      server: derive(main, labels.serverApplication, transcript) as TrafficSecret
    }),
    exporter: (main, transcript) => derive(main, labels.exporterMain, transcript) as ExporterSecret,
    resumption: (main, transcript) => derive(main, labels.resumptionMain, transcript) as ResumptionSecret,
    ticketSecret: (resumption, nonce) => derive(resumption, labels.resumption, nonce),
    update: (secret) => derive(secret, labels.update, empty) as TrafficSecret,
    trafficKeys: (secret) => ({
      aead,
      key: expand(crypto, hash, secret, labels.key, empty, aeadLengths[aead].key),
      iv: expand(crypto, hash, secret, labels.iv, empty, 12)
    }),
    verifyData: finished,
    exportKeyingMaterial: (exporter, label, context, length) => {
      const secret = derive(exporter, encodeLabel(label), emptyHash)
      return expand(crypto, hash, secret, labels.exporter, crypto.hash(hash, context), length)
    }
  }
}
