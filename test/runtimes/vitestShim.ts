/**
 * As much of `@effect/vitest` as the tests of the layers use: `bundle.ts` puts it in its place, so that the very same
 * test files run where vitest does not.
 */
import { assert } from "chai"
import { Effect, type Scope, TestContext } from "effect"
import type { Check } from "./report.ts"

export { assert }

interface Case {
  readonly name: string
  readonly body: () => unknown
}

const cases: Array<Case> = []
const endings: Array<() => unknown> = []
const path: Array<string> = []

/** Longer than anything should take on a busy machine. */
const patience = 20_000

const collect = (name: string, body: () => unknown): void => {
  cases.push({ name: [...path, name].join(" > "), body })
}

const group = (name: string, body: () => void): void => {
  path.push(name)
  body()
  path.pop()
}

/** `%s` is the next argument, `$name` a field of the first; a list is a list of arguments. */
const title = (template: string, args: ReadonlyArray<unknown>): string => {
  let next = 0
  return template
    .replace(/%[sd]/g, () => String(args[next++]))
    .replace(/\$(\w+)/g, (_, field: string) => String((args[0] as Readonly<Record<string, unknown>>)[field]))
}

const each =
  (declare: (name: string, body: () => void) => void) =>
  (rows: ReadonlyArray<unknown>) =>
  (template: string, body: (...args: ReadonlyArray<unknown>) => void): void => {
    for (const row of rows) {
      const args = Array.isArray(row) ? (row as ReadonlyArray<unknown>) : [row]
      declare(title(template, args), () => body(...args))
    }
  }

const skippable = <F extends (name: string, body: () => void) => void>(declare: F) => {
  const declareIf = (condition: unknown): F => (condition ? declare : () => {}) as F
  return Object.assign(declare, {
    each: each(declare),
    skipIf: (condition: unknown) => declareIf(!condition),
    runIf: declareIf
  })
}

const live = (name: string, body: () => Effect.Effect<unknown, unknown, Scope.Scope>): void =>
  collect(name, () => Effect.runPromise(Effect.scoped(body())))
const underTestClock = (name: string, body: () => Effect.Effect<unknown, unknown, Scope.Scope>): void =>
  collect(name, () => Effect.runPromise(Effect.scoped(body()).pipe(Effect.provide(TestContext.TestContext))))

export const describe = skippable(group)
export const it = Object.assign(skippable(collect), {
  effect: underTestClock,
  scoped: underTestClock,
  live,
  scopedLive: live
})
export const afterAll = (body: () => unknown): void => void endings.push(body)

const failureOf = async (body: () => unknown): Promise<string | undefined> => {
  let timer: ReturnType<typeof setTimeout> | undefined
  try {
    await Promise.race([
      body(),
      new Promise((_, refuse) => {
        timer = setTimeout(() => refuse(new Error(`not done after ${patience} ms`)), patience)
      })
    ])
    return undefined
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error)
  } finally {
    clearTimeout(timer)
  }
}

/** Everything that the imported test files declared, one after the other. */
export const runCollected = async (): Promise<ReadonlyArray<Check>> => {
  const checks: Array<Check> = []
  for (const { body, name } of cases) {
    const began = Date.now()
    const error = await failureOf(body)
    checks.push({ group: "tests", name, ms: Date.now() - began, ...(error === undefined ? {} : { error }) })
  }
  for (const ending of endings) await ending()
  return checks
}
