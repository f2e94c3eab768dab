/**
 * What is counted, as Effect's metrics: any of its exporters shows them, and `Metric.value` reads them.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"
import * as MetricKey from "effect/MetricKey"
import type * as MetricKeyType from "effect/MetricKeyType"
import * as MetricLabel from "effect/MetricLabel"
import type * as Scope from "effect/Scope"
import type { Certificate } from "../schema/Certificate.ts"
import type { TlsError } from "../schema/TlsError.ts"
import { BoundedCache } from "./BoundedCache.ts"
import * as CertificateExpiry from "./CertificateExpiry.ts"
import type { Role } from "./HandshakeChannel.ts"

const keys = {
  handshakes: MetricKey.counter("tls_handshakes_total", {
    description: "TLS handshakes that came to an end",
    incremental: true
  }),
  duration: MetricKey.histogram(
    "tls_handshake_duration_seconds",
    MetricBoundaries.fromIterable([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]),
    "Duration of successful TLS handshakes"
  ),
  open: MetricKey.gauge("tls_connections_open", { description: "Open TLS connections" }),
  expiry: MetricKey.gauge("tls_certificate_not_after_seconds", {
    description: "When the certificate of an identity expires"
  }),
  reloads: MetricKey.counter("tls_context_reloads_total", {
    description: "TLS contexts that were loaded again",
    incremental: true
  })
}

/**
 * Handshakes that came to an end, by `side` (`client`, `server`), `result` (`ok`, or the `_tag` of the error) and
 * `version` (`none` where there was no agreement).
 *
 * @since 0.1.0
 * @category metrics
 */
export const handshakes: Metric.Metric.Counter<number> = Metric.fromMetricKey(keys.handshakes)

/**
 * How long handshakes took that succeeded, in seconds, from the first byte that could be sent; by `side`.
 *
 * @since 0.1.0
 * @category metrics
 */
export const handshakeDuration: Metric.Metric.Histogram<number> = Metric.fromMetricKey(keys.duration)

/**
 * Connections whose handshake succeeded and whose Scope is open, by `side`.
 *
 * @since 0.1.0
 * @category metrics
 */
export const openConnections: Metric.Metric.Gauge<number> = Metric.fromMetricKey(keys.open)

/**
 * When the leaf certificate of an identity expires, in seconds since 1970; by `subject` and `key`, so that a renewed
 * certificate takes its predecessor's place. One that nobody holds any more expires at the end of the year 9999. A process
 * shows its first 2,000 pairs of labels.
 *
 * @since 0.1.0
 * @category metrics
 */
export const certificateExpiry: Metric.Metric.Gauge<number> = Metric.fromMetricKey(keys.expiry)

/**
 * Contexts that were loaded again, by `result`: `ok`, or `failed`, and then the last good one stays.
 *
 * @since 0.1.0
 * @category metrics
 */
export const contextReloads: Metric.Metric.Counter<number> = Metric.fromMetricKey(keys.reloads)

/**
 * A metric of which the labels are part of its key: that finds what it counts in once. `Metric.tagged` makes the key anew
 * and looks it up at every update, which is a hundred times an update and more.
 */
const labelled = <T extends MetricKeyType.MetricKeyType.Untyped>(
  key: MetricKey.MetricKey<T>,
  labels: Readonly<Record<string, string>>
) =>
  Metric.fromMetricKey(
    MetricKey.taggedWithLabels(
      key,
      Object.entries(labels).map(([name, value]) => MetricLabel.make(name, value))
    )
  )

const memoized = <K extends string, V>(make: (key: K) => V): ((key: K) => V) => {
  const made = new Map<K, V>()
  return (key) => {
    let value = made.get(key)
    if (value === undefined) made.set(key, (value = make(key)))
    return value
  }
}

// What these remember is bounded: sides, tags of errors, versions and results are ours.
const handshakesOf = memoized((key: `${Role} ${"ok" | TlsError["_tag"]} ${string}`) => {
  const [side, result, version] = key.split(" ") as [string, string, string]
  return labelled(keys.handshakes, { side, result, version })
})

const durationOf = memoized((side: Role) => labelled(keys.duration, { side }))

const openOf = memoized((side: Role) => labelled(keys.open, { side }))

const reloadsOf = memoized((result: "ok" | "failed") => labelled(keys.reloads, { result }))

/** The labels that `Effect.tagMetrics` put on a fiber. */
type Labels = ReadonlyArray<MetricLabel.MetricLabel>

const known = new BoundedCache<Labels>(64)
let last: Labels = []

/**
 * The same labels as the same array: metrics remember what they count in by it, and `Effect.tagMetrics` around each call
 * makes a new one each time.
 */
const same = (labels: Labels): Labels => {
  if (labels.length === 0 || labels === last) return labels
  let content = ""
  for (const { key, value } of labels) content += `${key.length}:${key}${value.length}:${value}`
  return (last = known.get(content, () => labels))
}

/**
 * Counts a handshake that succeeded, and its connection as open.
 *
 * @since 0.1.0
 * @category recording
 */
export const unsafeEstablished = (side: Role, version: string, seconds: number, labels: Labels): void => {
  const own = same(labels)
  handshakesOf(`${side} ok ${version}`).unsafeUpdate(1, own)
  durationOf(side).unsafeUpdate(seconds, own)
  openOf(side).unsafeModify(1, own)
}

/**
 * Counts a connection as open no more.
 *
 * @since 0.1.0
 * @category recording
 */
export const unsafeClosed = (side: Role, labels: Labels): void => openOf(side).unsafeModify(-1, same(labels))

/**
 * Counts a handshake that failed.
 *
 * @since 0.1.0
 * @category recording
 */
export const unsafeFailed = (side: Role, error: TlsError, labels: Labels): void =>
  handshakesOf(`${side} ${error._tag} none`).unsafeUpdate(1, same(labels))

/**
 * Counts a context that was loaded again, or could not be.
 *
 * @since 0.1.0
 * @category recording
 */
export const unsafeReloaded = (result: "ok" | "failed", labels: Labels): void =>
  reloadsOf(result).unsafeUpdate(1, same(labels))

/**
 * Notes when the certificate of an identity expires, for as long as the Scope. Of two with the same subject and kind of key
 * the newest is shown, and where none is left 9999-12-31T23:59:59Z.
 *
 * @since 0.1.0
 * @category recording
 */
export const identity: (certificate: Certificate) => Effect.Effect<void, never, Scope.Scope> = CertificateExpiry.make(
  2000,
  (labels) => labelled(keys.expiry, labels)
)
