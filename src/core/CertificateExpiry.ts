/**
 * When the certificates expire that a process holds: a gauge for each subject and kind of key, within a bound.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import type * as Metric from "effect/Metric"
import type * as MetricLabel from "effect/MetricLabel"
import type * as Scope from "effect/Scope"
import type { Certificate } from "../schema/Certificate.ts"
import * as PublicKeys from "../schema/PublicKey.ts"

/**
 * What a gauge shows of which no certificate is left: 9999-12-31T23:59:59Z in seconds since 1970, RFC 5280's word for no
 * expiry (§4.1.2.5). Effect forgets no metric, and nobody should be alarmed about one who is not there any more.
 *
 * @since 0.1.0
 * @category constants
 */
export const never = 253_402_300_799

type Labels = ReadonlyArray<MetricLabel.MetricLabel>

interface Shown {
  /** Those of the fiber that it was loaded in. */
  readonly labels: Labels
  readonly gauge: Metric.Metric.Gauge<number>
  /** Those that are held, the newest last. */
  readonly held: Array<Certificate>
}

/**
 * Shows a certificate for as long as the Scope; of two with the same subject, kind of key and labels of the fiber the newest. `capacity` is how
 * many gauges there may be, those counted of which no certificate is left: more are not shown, which is logged once.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  capacity: number,
  gaugeOf: (labels: { readonly subject: string; readonly key: string }) => Metric.Metric.Gauge<number>
): ((certificate: Certificate) => Effect.Effect<void, never, Scope.Scope>) => {
  const all = new Map<string, Shown>()
  let isFull = false

  const nameOf = ({ publicKey, subject }: Certificate, labels: Labels): string =>
    JSON.stringify([PublicKeys.format(publicKey), subject.toString(), labels.map(({ key, value }) => [key, value])])

  const update = ({ gauge, held, labels }: Shown): void => {
    const newest = held[held.length - 1]
    gauge.unsafeUpdate(newest === undefined ? never : Math.floor(newest.notAfter.getTime() / 1000), labels)
  }

  const add = (certificate: Certificate, labels: Labels): Effect.Effect<void> => {
    const name = nameOf(certificate, labels)
    let shown = all.get(name)
    if (shown === undefined) {
      if (all.size >= capacity) {
        if (isFull) return Effect.void
        isFull = true
        return Effect.logWarning(`of more than ${capacity} identities no metric shows when their certificates expire`)
      }
      const own = { subject: certificate.subject.toString(), key: PublicKeys.format(certificate.publicKey) }
      all.set(name, (shown = { gauge: gaugeOf(own), labels, held: [] }))
    }
    shown.held.push(certificate)
    update(shown)
    return Effect.void
  }

  const remove = (certificate: Certificate, labels: Labels): void => {
    const shown = all.get(nameOf(certificate, labels))
    const at = shown?.held.lastIndexOf(certificate) ?? -1
    if (shown === undefined || at < 0) return
    shown.held.splice(at, 1)
    update(shown)
  }

  return (certificate) =>
    Effect.uninterruptible(
      Effect.flatMap(FiberRef.get(FiberRef.currentMetricLabels), (labels) =>
        Effect.zipRight(
          Effect.addFinalizer(() => Effect.sync(() => remove(certificate, labels))),
          Effect.suspend(() => add(certificate, labels))
        )
      )
    )
}
