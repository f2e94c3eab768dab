/** What is measured, and how two implementations are compared: in turn, so that a slow minute of the machine is slow for both. */
import type { Credentials, ImplementationName } from "./Implementation.ts"

/** How much one round does. */
export interface Scale {
  /** Seconds of rounds that do not count, for each. */
  readonly warmUp: number
  readonly handshakes: number
  readonly bytes: number
  readonly connections: number
  readonly clients: number
  readonly certificates: number
  /** Seconds that idle connections are left alone. */
  readonly settle: number
}

export interface Bench {
  readonly credentials: { readonly ecdsa: Credentials; readonly rsa: Credentials }
  readonly scale: Scale
}

/** An implementation ready to be measured, again and again. */
export interface Subject {
  readonly round: () => Promise<number>
  readonly stop: () => void
}

export interface Measure {
  readonly name: string
  readonly unit: string
  /** What the ratio, ours divided by theirs, should be. */
  readonly aim: { readonly least: number } | { readonly most: number }
  readonly rounds: number
  /** Every round is the first of a new process: there is nothing to warm up. */
  readonly cold?: true
  /** Why this cannot be measured here. */
  readonly unavailable?: (bench: Bench) => string | undefined
  readonly prepare: (bench: Bench, subject: ImplementationName) => Promise<Subject>
}

export interface Comparison {
  readonly ours: number
  readonly theirs: number
  /** The median of the rounds' ratios, and the quartiles around it. */
  readonly ratio: number
  readonly low: number
  readonly high: number
}

/** Of values in any order, the one that so great a part is below. */
const quantile = (values: ReadonlyArray<number>, part: number): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) * part
  const below = sorted[Math.floor(at)]!
  return below + (sorted[Math.ceil(at)]! - below) * (at - Math.floor(at))
}

const median = (values: ReadonlyArray<number>): number => quantile(values, 0.5)

/** Servers run for days; the first thousands of handshakes are mostly the compiler's. */
const warmUp = async ({ round }: Subject, seconds: number): Promise<void> => {
  const until = performance.now() + seconds * 1000
  do await round()
  while (performance.now() < until)
}

export const compare = async (bench: Bench, measure: Measure, rounds: number): Promise<Comparison> => {
  const subjects: Array<Subject> = []
  try {
    for (const name of ["ours", "theirs"] as const) subjects.push(await measure.prepare(bench, name))
    const [ours, theirs] = subjects as [Subject, Subject]
    if (measure.cold === undefined) for (const subject of subjects) await warmUp(subject, bench.scale.warmUp)
    const pairs: Array<readonly [ours: number, theirs: number]> = []
    for (let i = 0; i < rounds; i++) pairs.push([await ours.round(), await theirs.round()])
    const ratios = pairs.map(([a, b]) => a / b)
    return {
      ours: median(pairs.map(([a]) => a)),
      theirs: median(pairs.map(([, b]) => b)),
      ratio: median(ratios),
      low: quantile(ratios, 0.25),
      high: quantile(ratios, 0.75)
    }
  } finally {
    for (const subject of subjects) subject.stop()
  }
}
