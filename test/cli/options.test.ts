import { NodeContext } from "@effect/platform-node"
import { Console, Effect, Either, Exit, Logger } from "effect"
import { assert, describe, it } from "vitest"
import { run } from "../../src/cli/Command.ts"
import { Ended, Interruption } from "../../src/cli/ExitCode.ts"
import { credentials } from "./credentials.ts"

const made = credentials()

/** Runs the command in this process: it has to end before it opens anything. */
const refuse = (args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const printed: Array<string> = []
    const print = (...words: ReadonlyArray<unknown>) =>
      Effect.sync(() => void printed.push(words.map(String).join(" ")))
    const console = yield* Console.consoleWith(Effect.succeed)
    const exit = yield* Either.match(run("0.0.0")(args), {
      onLeft: (problem) => Effect.zipRight(print(problem), Effect.fail(new Ended({ code: 2 }))),
      onRight: (command) => command
    }).pipe(
      Effect.withConsole({ ...console, log: print, error: print }),
      Effect.provideService(Interruption, { expect: () => {} }),
      Effect.exit
    )
    assert.deepStrictEqual(exit, Exit.fail(new Ended({ code: 2 })), printed.join("\n"))
    return printed.join("\n")
  }).pipe(Effect.provide([NodeContext.layer, Logger.remove(Logger.defaultLogger)]), Effect.runPromise)

describe("effect-tls connect refuses", () => {
  const cases: ReadonlyArray<readonly [what: string, args: () => ReadonlyArray<string>, message: RegExp]> = [
    [
      "an unknown suite",
      () => ["localhost:1", "--suites", "TLS_AES_128_GCM_SHA265"],
      /--suites: unknown cipher suite "TLS_AES_128_GCM_SHA265", did you mean "TLS_AES_128_GCM_SHA256"\?/
    ],
    ["an unknown group", () => ["localhost:1", "--groups", "x25518"], /--groups: .*did you mean "x25519"\?/],
    ["an unknown policy", () => ["localhost:1", "--policy", "modren"], /--policy: .*did you mean "modern"\?/],
    ["an unknown scheme", () => ["localhost:1", "--sigalgs", "ed25518"], /--sigalgs: .*did you mean "ed25519"\?/],
    ["a fragment too small", () => ["localhost:1", "--max-fragment", "63"], /--max-fragment: .*64 to 16384, found 63/],
    ["a fragment that is no number", () => ["localhost:1", "--max-fragment", "big"], /--max-fragment: .*"big"/],
    ["no duration", () => ["localhost:1", "--timeout", "soon"], /--timeout: .*"soon"/],
    ["a file that is not there", () => ["localhost:1", "--ca", "/nowhere.pem"], /--ca \/nowhere\.pem: no such file/],
    [
      "a key for a certificate",
      () => ["localhost:1", "--ca", made.ca.keyFile],
      /--ca .*ca\.key: it holds a private key/
    ],
    [
      "a certificate for a key",
      () => ["localhost:1", "--cert", made.ca.certFile, "--key", made.ca.certFile],
      /--key .*ca\.crt: /
    ],
    [
      "a key of another",
      () => ["localhost:1", "--cert", made.client.certFile, "--key", made.ca.keyFile],
      /--key .*ca\.key: .*does not match/
    ],
    [
      "a certificate without a key",
      () => ["localhost:1", "--cert", made.client.certFile],
      /--key: each --cert needs a --key/
    ],
    ["a server name that is none", () => ["localhost:1", "--servername", "a b"], /--servername: .*"a b"/],
    ["no address", () => [], /HOST:PORT: say where/],
    ["no port", () => ["localhost"], /HOST:PORT: a port is needed/],
    ["a port too large", () => ["localhost:65536"], /HOST:PORT: a port is a whole number from 1 to 65535/],
    ["IPv6 without brackets", () => ["::1:443"], /HOST:PORT: .*\[::1\]:443/],
    ["two addresses", () => ["localhost:1", "localhost:2"], /"localhost:2" is one argument too many/],
    ["an address and a path", () => ["localhost:1", "--unix", "/x"], /--unix: either/],
    ["an unknown option", () => ["localhost:1", "--jsn"], /unknown option --jsn, did you mean --json\?/],
    ["a missing value", () => ["localhost:1", "--ca"], /--ca needs a value/],
    ["an option for a value", () => ["localhost:1", "--ca", "--json"], /--ca needs a value/],
    ["an option twice", () => ["localhost:1", "--alpn", "a", "--alpn", "b"], /--alpn is given more than once/],
    ["an unknown provider", () => ["localhost:1", "--provider", "web"], /--provider is node or noble, found "web"/]
  ]
  it.each(cases)("%s", async (_, args, message) => assert.match(await refuse(["connect", ...args()]), message))

  it("each wrong option at once, and in JSON, too", async () => {
    const args = ["--suites", "TLS_AES_128_GCM_SHA265", "--groups", "x25518"]
    assert.lengthOf((await refuse(["connect", "localhost:1", ...args])).split("\n"), 2)
    const { error } = JSON.parse(await refuse(["connect", "localhost:1", "--json", ...args])) as {
      readonly error: Record<string, unknown>
    }
    assert.deepInclude(error, { tag: "TlsConfigError", reason: "InvalidOptions", alert: null, phase: "configuration" })
    assert.match(error["message"] as string, /--suites: .*\n--groups: /)
  })
})

describe("effect-tls serve refuses", () => {
  const pair = () => ["--cert", made.server.certFile, "--key", made.server.keyFile]
  const cases: ReadonlyArray<readonly [what: string, args: () => ReadonlyArray<string>, message: RegExp]> = [
    ["no place", () => pair(), /--port: say where/],
    ["two places", () => ["--port", "0", "--unix", "/x", ...pair()], /--port: either/],
    ["a host for a path", () => ["--host", "::1", "--unix", "/x", ...pair()], /--host: either/],
    ["a port that is none", () => ["--port", "http", ...pair()], /--port: a port is a whole number from 0/],
    ["no certificate", () => ["--port", "0"], /--cert: a server needs/],
    ["a key alone", () => ["--port", "0", "--key", made.server.keyFile], /--cert: each --key needs a --cert/],
    [
      "certificates of both kinds",
      () => ["--port", "0", "--self-signed", "localhost", ...pair()],
      /--self-signed: either/
    ],
    ["a self-signed name that is none", () => ["--port", "0", "--self-signed", "a b"], /--self-signed: .*"a b"/],
    ["both pages", () => ["--port", "0", "--www", "--echo", ...pair()], /--www: either/],
    [
      "optional clients of nobody",
      () => ["--port", "0", "--client-optional", ...pair()],
      /--client-optional: say by --client-ca/
    ],
    [
      "clients of no certificate",
      () => ["--port", "0", "--client-ca", made.ca.keyFile, ...pair()],
      /--client-ca .*ca\.key: it holds a private key/
    ],
    ["an argument", () => ["--port", "0", "localhost:1"], /"localhost:1" is one argument too many/]
  ]
  it.each(cases)("%s", async (_, args, message) => assert.match(await refuse(["serve", ...args()]), message))
})
