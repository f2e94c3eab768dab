/**
 * "Did you mean": the nearest known name to an unknown one.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/** Levenshtein's distance. */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    }
    row = next
  }
  return row[b.length]!
}

/**
 * The nearest of the names, if one is near enough to be meant.
 *
 * @since 0.1.0
 * @category lookups
 */
export const nearest = (name: string, names: ReadonlyArray<string>): string | undefined => {
  // Names come from options and command lines; one longer than any name of ours is no misspelling of it.
  if (name.length > 64) return undefined
  let best: string | undefined
  // A name of which no letter is right is not meant, however short it is.
  let least = Math.min(Math.max(2, Math.floor(name.length / 3)) + 1, name.length)
  for (const candidate of names) {
    const steps = distance(name.toLowerCase(), candidate.toLowerCase())
    if (steps < least) {
      least = steps
      best = candidate
    }
  }
  return best
}

/**
 * A text as messages show it: not much of it, and nothing where it is of several lines. That is a file, and may be a key.
 *
 * @since 0.1.0
 * @category messages
 */
export const shown = (text: string): string =>
  /[\r\n]/.test(text) ? "of several lines (value hidden)" : JSON.stringify(text.slice(0, 64))

/**
 * What to say of an unknown name.
 *
 * @since 0.1.0
 * @category messages
 */
export const unknownName = (kind: string, name: unknown, names: ReadonlyArray<string>): string => {
  if (typeof name !== "string") return `a ${kind} is a name, such as "${names[0] ?? ""}"`
  const suggestion = nearest(name, names)
  return `unknown ${kind} ${shown(name)}, ${
    suggestion === undefined ? `known are ${names.join(", ")}` : `did you mean "${suggestion}"?`
  }`
}

/**
 * A schema of known names whose error suggests the nearest.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Name = <A extends string>(kind: string, names: ReadonlyArray<A>): Schema.Schema<A> =>
  Schema.Literal(...(names as unknown as [A, ...Array<A>])).annotations({
    message: (issue) => ({ message: unknownName(kind, issue.actual, names), override: true })
  }) as unknown as Schema.Schema<A>
