/**
 * What is counted, as Effect's metrics: any of its exporters shows them, and `Metric.value` reads them.
 *
 * @since 0.1.0
 */
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"
import type * as MetricLabel from "effect/MetricLabel"
import type { Certificate } from "../schema/Certificate.ts"
import * as PublicKeys from "../schema/PublicKey.ts"
import type { TlsError } from "../schema/TlsError.ts"
import type { Role } from "./HandshakeChannel.ts"

/**
 * Handshakes that came to an end, by `side` (`client`, `server`), `result` (`ok`, or the `_tag` of the error) and
 * `version` (`none` where there was no agreement).
 *
 * @since 0.1.0
 * @category metrics
 */
export const handshakes = Metric.counter("tls_handshakes_total", {
  description: "TLS handshakes that came to an end",
  incremental: true
})

/**
 * How long handshakes took that succeeded, in seconds, from the first byte that could be sent; by `side`.
 *
 * @since 0.1.0
 * @category metrics
 */
export const handshakeDuration = Metric.histogram(
  "tls_handshake_duration_seconds",
  MetricBoundaries.fromIterable([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]),
  "Duration of successful TLS handshakes"
)

/**
 * Connections whose handshake succeeded and whose Scope is open, by `side`.
 *
 * @since 0.1.0
 * @category metrics
 */
export const openConnections = Metric.gauge("tls_connections_open", { description: "Open TLS connections" })

/**
 * When the leaf certificate of an identity expires, in seconds since 1970; by `subject` and `key`, so that a renewed
 * certificate takes its predecessor's place.
 *
 * @since 0.1.0
 * @category metrics
 */
export const certificateExpiry = Metric.gauge("tls_certificate_not_after_seconds", {
  description: "When the certificate of an identity expires"
})

/**
 * Contexts that were loaded again, by `result`: `ok`, or `failed`, and then the last good one stays.
 *
 * @since 0.1.0
 * @category metrics
 */
export const contextReloads = Metric.counter("tls_context_reloads_total", {
  description: "TLS contexts that were loaded again",
  incremental: true
})

// A tagged metric costs more to find than to update.
const memoized = <K extends string, V>(make: (key: K) => V): ((key: K) => V) => {
  const made = new Map<K, V>()
  return (key) => {
    let value = made.get(key)
    if (value === undefined) made.set(key, (value = make(key)))
    return value
  }
}

const handshakesOf = memoized((key: `${Role} ${"ok" | TlsError["_tag"]} ${string}`) => {
  const [side, result, version] = key.split(" ") as [string, string, string]
  return handshakes.pipe(
    Metric.tagged("side", side),
    Metric.tagged("result", result),
    Metric.tagged("version", version)
  )
})

const durationOf = memoized((side: Role) => Metric.tagged(handshakeDuration, "side", side))

const openOf = memoized((side: Role) => Metric.tagged(openConnections, "side", side))

const reloadsOf = memoized((result: "ok" | "failed") => Metric.tagged(contextReloads, "result", result))

/** The labels that `Effect.tagMetrics` put on a fiber. */
type Labels = ReadonlyArray<MetricLabel.MetricLabel>

/**
 * Counts a handshake that succeeded, and its connection as open.
 *
 * @since 0.1.0
 * @category recording
 */
export const unsafeEstablished = (side: Role, version: string, seconds: number, labels: Labels): void => {
  handshakesOf(`${side} ok ${version}`).unsafeUpdate(1, labels)
  durationOf(side).unsafeUpdate(seconds, labels)
  openOf(side).unsafeModify(1, labels)
}

/**
 * Counts a connection as open no more.
 *
 * @since 0.1.0
 * @category recording
 */
export const unsafeClosed = (side: Role, labels: Labels): void => openOf(side).unsafeModify(-1, labels)

/**
 * Counts a handshake that failed.
 *
 * @since 0.1.0
 * @category recording
 */
export const unsafeFailed = (side: Role, error: TlsError, labels: Labels): void =>
  handshakesOf(`${side} ${error._tag} none`).unsafeUpdate(1, labels)

/**
 * Counts a context that was loaded again, or could not be.
 *
 * @since 0.1.0
 * @category recording
 */
export const unsafeReloaded = (result: "ok" | "failed", labels: Labels): void =>
  reloadsOf(result).unsafeUpdate(1, labels)

/**
 * Notes when the certificate of an identity expires.
 *
 * @since 0.1.0
 * @category recording
 */
export const unsafeIdentity = ({ notAfter, publicKey, subject }: Certificate, labels: Labels): void =>
  certificateExpiry
    .pipe(Metric.tagged("subject", subject.toString()), Metric.tagged("key", PublicKeys.format(publicKey)))
    .unsafeUpdate(Math.floor(notAfter.getTime() / 1000), labels)
