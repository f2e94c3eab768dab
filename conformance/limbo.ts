/**
 * effect-tls against x509-limbo: limbo's result JSON to standard output, the count to standard error. Exits with 0 when
 * all is right but for lints of the public web, 1 when not, 2 without a suite.
 *
 *     LIMBO=path npm run --silent limbo
 */
import * as Effect from "effect/Effect"
import * as LimboSuite from "./LimboSuite.ts"
import * as Suite from "./Suite.ts"

const program = Effect.gen(function* () {
  const judgements = yield* LimboSuite.judgeAll(yield* Suite.readJson("LIMBO", process.env["LIMBO"]))
  const results = judgements.map(({ result }) => result)
  const outcomes = judgements.map(({ outcome }) => outcome)
  process.stdout.write(`${JSON.stringify({ version: 1, harness: "effect-tls", results }, undefined, 2)}\n`)
  for (const remark of Suite.remarks("limbo", outcomes)) console.error(remark)
  console.error(Suite.summary("limbo", outcomes))
  return outcomes.every((outcome) => Suite.isFine(outcome) || LimboSuite.isLint(outcome)) ? 0 : 1
})

await Suite.run("limbo", program)
