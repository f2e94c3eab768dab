/** Programs that write keys and bundles, for tests that read what they wrote. Absent, tests skip and say so. */
import { execFileSync, spawnSync } from "node:child_process"

export interface Tool {
  readonly name: string
  readonly missing: boolean
  /** Runs it in a folder, and throws with its standard error. */
  readonly run: (cwd: string, ...args: ReadonlyArray<string>) => string
}

const find = (name: string, command: ReadonlyArray<string>, probe: ReadonlyArray<string>, wanted = /./): Tool => {
  const { status, stderr, stdout } = spawnSync(command[0]!, [...command.slice(1), ...probe], { encoding: "utf8" })
  const missing = status === null || !wanted.test(`${stdout}${stderr}`)
  return {
    name: missing ? `${name} (not here)` : name,
    missing,
    run: (cwd, ...args) =>
      execFileSync(command[0]!, [...command.slice(1), ...args], {
        cwd,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
        // keytool takes a second to start, more on a machine that is busy.
        timeout: 60_000
      })
  }
}

const interop = process.env["INTEROP"] ?? "/opt/interop"

export const openssl = find("OpenSSL", ["openssl"], ["version"], /^OpenSSL [3-9]/)
/** One that has PBMAC1: the system's, or what `test/interop/setup.sh newer` brings. */
export const newerOpenssl = (() => {
  const wanted = /^OpenSSL (3\.([4-9]|\d\d)|[4-9])/
  const system = find("OpenSSL 3.4 or newer", ["openssl"], ["version"], wanted)
  return system.missing
    ? find("OpenSSL 3.4 or newer", [`${interop}/bin/rr`, "trixie", "openssl"], ["version"], wanted)
    : system
})()
export const certtool = find("certtool", ["certtool"], ["--version"], /certtool/)
export const keytool = find("keytool", ["keytool"], ["-help"], /-genkeypair/)
export const certutil = find("certutil", ["certutil"], ["-H"], /-N/)
export const pk12util = find("pk12util", ["pk12util"], ["-H"], /pk12util/)
