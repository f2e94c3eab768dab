/** Reports of programs as vitest's tests. */
import { assert } from "vitest"
import type { Check } from "./report.ts"

/** Those of a group, all of which went well, and there are some. */
export const allWell = (checks: ReadonlyArray<Check>, group: string): ReadonlyArray<string> => {
  const those = checks.filter((check) => check.group === group)
  const failures = those.flatMap(({ error, name }) => (error === undefined ? [] : [`${name}: ${error}`]))
  assert.isEmpty(failures, failures.join("\n"))
  assert.isNotEmpty(those, `nothing of "${group}" ran`)
  return those.map(({ name }) => name)
}

/** A line for whoever reads the log. */
export const summary = (what: string, checks: ReadonlyArray<Check>, more = ""): string => {
  const failed = checks.filter(({ error }) => error !== undefined).length
  const seconds = (checks.reduce((sum, { ms }) => sum + ms, 0) / 1000).toFixed(1)
  return `${what}: ${checks.length - failed} of ${checks.length} in ${seconds} s${more}`
}
