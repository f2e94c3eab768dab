/** The `openssl` command, for tests that ask another implementation. Absent, they skip and say so. */
import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export const hasOpenssl = spawnSync("openssl", ["version"]).status === 0

/** A directory that is gone after the test, and the command run in it. */
export const workshop = () => {
  const directory = mkdtempSync(join(tmpdir(), "effect-tls-"))
  const path = (name: string) => join(directory, name)
  return {
    directory,
    path,
    /** Runs `openssl` and gives its standard output; throws with its standard error. */
    run: (...args: ReadonlyArray<string>): string =>
      execFileSync("openssl", args, { cwd: directory, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }),
    /** Runs `openssl`, whatever comes of it. */
    attempt: (...args: ReadonlyArray<string>) => {
      const { status, stderr, stdout } = spawnSync("openssl", args, { cwd: directory, encoding: "utf8" })
      return { status, output: stdout + stderr }
    },
    write: (name: string, content: string | Uint8Array): void => writeFileSync(path(name), content),
    text: (name: string): string => readFileSync(path(name), "utf8"),
    bytes: (name: string): Uint8Array => new Uint8Array(readFileSync(path(name))),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true })
  }
}

export type Workshop = ReturnType<typeof workshop>
