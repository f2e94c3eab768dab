/**
 * effect-tls against node:tls, as ratios.
 *
 *     npm run bench -- [--json FILE] [--only NAME]... [--rounds N] [--quick]
 */
import { writeFileSync } from "node:fs"
import { cpus } from "node:os"
import { parseArgs } from "node:util"
import * as Bulk from "./Bulk.ts"
import * as Credentials from "./Credentials.ts"
import * as Handshakes from "./Handshakes.ts"
import * as LoopDelay from "./LoopDelay.ts"
import type { Comparison, Measure, Scale } from "./Measure.ts"
import { compare } from "./Measure.ts"
import * as Memory from "./Memory.ts"
import * as Observation from "./Observation.ts"
import * as Pki from "./Pki.ts"

const measures = [
  ...Handshakes.measures,
  ...Bulk.measures,
  ...Memory.measures,
  ...LoopDelay.measures,
  ...Observation.measures,
  ...Pki.measures
]

const whole: Scale = {
  warmUp: 3,
  handshakes: 100,
  bytes: 128e6,
  connections: 1000,
  clients: 200,
  certificates: 2000,
  settle: 2
}
/** Enough to see that everything runs; the figures mean nothing. */
const quick: Scale = { warmUp: 0, handshakes: 8, bytes: 2e6, connections: 20, clients: 10, certificates: 40, settle: 0 }

const options = parseArgs({
  options: {
    json: { type: "string" },
    only: { type: "string", multiple: true },
    rounds: { type: "string" },
    quick: { type: "boolean", default: false }
  }
}).values

const fail = (message: string): never => {
  console.error(message)
  process.exit(2)
}

const rounds = options.rounds === undefined ? (options.quick ? 1 : undefined) : Number(options.rounds)
if (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0)) fail("--rounds wants a whole number above 0")

const wanted = measures.filter(({ name }) => options.only?.some((part) => name.startsWith(part)) ?? true)
if (wanted.length === 0) {
  fail(
    `no measure is called ${options.only!.join(" or ")}. There are:\n  ${measures.map(({ name }) => name).join("\n  ")}`
  )
}

const row = (...[name, ours, theirs, unit, ratio, middle, aim]: ReadonlyArray<string>): string =>
  [
    name!.padEnd(26),
    ours!.padStart(9),
    theirs!.padStart(9),
    unit!.padEnd(12),
    ratio!.padStart(6),
    middle!.padEnd(11),
    aim
  ]
    .join("  ")
    .trimEnd()

const figure = (value: number): string => value.toFixed(value < 100 ? 1 : 0)

const share = (value: number): string => value.toFixed(value < 0.1 ? 4 : 2)

const print = ({ aim, name, unit }: Measure, { high, low, ours, ratio, theirs }: Comparison): void => {
  const reached = "least" in aim ? ratio >= aim.least : ratio <= aim.most
  const goal = "least" in aim ? `≥ ${aim.least}` : `≤ ${aim.most}`
  const verdict = options.quick ? "" : `${goal} ${reached ? "✓" : "✗"}`
  const middle = `${share(low)}–${share(high)}`
  console.log(row(name, figure(ours), figure(theirs), unit, share(ratio), middle, verdict))
}

const bench = {
  scale: options.quick ? quick : whole,
  credentials: { ecdsa: await Credentials.make("ecdsa"), rsa: await Credentials.make("rsa") }
}

console.log(
  `Node ${process.versions.node}, OpenSSL ${process.versions.openssl}, ${cpus().length} × ${cpus()[0]?.model}`
)
console.log(row("", "ours", "node:tls", "", "ratio", "(quartiles)", "aim"))
const ratios: Record<string, number> = {}
for (const measure of wanted) {
  const reason = measure.unavailable?.(bench)
  if (reason !== undefined) {
    console.log(`${measure.name.padEnd(26)}  skipped: ${reason}`)
    continue
  }
  const comparison = await compare(bench, measure, rounds ?? measure.rounds)
  print(measure, comparison)
  ratios[measure.name] = Number(comparison.ratio.toFixed(3))
}
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(ratios, null, 2)}\n`)
