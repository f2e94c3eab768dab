/**
 * effect-tls against NIST's PKITS: the count to standard output, and to standard error what did not pass with the count.
 * Exits with 0 when nothing is wrong, 1 when something is, 2 without a suite.
 *
 *     PKITS=path npm run --silent pkits
 */
import * as Effect from "effect/Effect"
import * as PkitsSuite from "./PkitsSuite.ts"
import * as Suite from "./Suite.ts"

const program = Effect.gen(function* () {
  const outcomes = yield* PkitsSuite.judgeAll(yield* Suite.readJson("PKITS", process.env["PKITS"]))
  for (const remark of Suite.remarks("pkits", outcomes)) console.error(remark)
  const summary = Suite.summary("pkits", outcomes)
  console.error(summary)
  console.log(summary)
  return outcomes.every(Suite.isFine) ? 0 : 1
})

await Suite.run("pkits", program)
