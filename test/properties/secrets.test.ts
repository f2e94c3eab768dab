/** Whatever is given for an option, wrongly or in the wrong place, no error shows a key, a passphrase or a file. */
import { PassThrough } from "node:stream"
import { inspect } from "node:util"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Inspectable from "effect/Inspectable"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as ContextFiles from "../../src/core/ContextFiles.ts"
import * as ContextLayer from "../../src/core/ContextLayer.ts"
import { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import { RevocationInput } from "../../src/core/RevocationInput.ts"
import * as SecureContext from "../../src/core/SecureContext.ts"
import type { SecureContextOptions } from "../../src/core/SecureContextOptions.ts"
import { TrustOptions } from "../../src/core/SecureContextOptions.ts"
import type { Transport } from "../../src/core/Transport.ts"
import * as NodeOptions from "../../src/layers/NodeOptions.ts"
import * as NodeSecureContext from "../../src/layers/NodeSecureContext.ts"
import * as NodeTransport from "../../src/layers/NodeTransport.ts"
import { Limits } from "../../src/schema/Limits.ts"
import { ProtocolOptions } from "../../src/schema/ProtocolOptions.ts"
import * as identities from "../support/identities.ts"
import { crypto } from "../support/identities.ts"

const marker = "c2VjcmV0bWFya2Vy"
const bytes = new TextEncoder().encode(marker)
const traces = [marker, bytes.join(","), bytes.join(", "), Buffer.from(bytes).toString("hex"), [...bytes].join(",\n  ")]
const pem = `-----BEGIN PRIVATE KEY-----\n${marker}\n-----END PRIVATE KEY-----\n`
const damaged = pem.replace(/=*\n-----END/, "!\n-----END")

/** Secrets as they may come: in these forms a wrong place is a mistake that no field is there for. */
const files: ReadonlyArray<unknown> = [
  pem,
  damaged,
  [pem],
  [[pem]],
  Buffer.from(pem),
  [Buffer.from(pem)],
  Redacted.make(pem),
  [Redacted.make(pem)],
  { pem },
  [{ pem, passphrase: pem }],
  { key: pem, [Symbol("key")]: pem },
  new Map([["key", pem]]),
  () => pem
]
/** And in these a field may be there for them: names and addresses are shown in errors. */
const texts: ReadonlyArray<unknown> = [
  marker,
  [marker],
  Buffer.from(marker),
  [Buffer.from(marker)],
  Redacted.make(marker),
  { marker },
  { passphrase: marker, pem: marker, buf: marker },
  [{ pem: marker, passphrase: marker }],
  [{ buf: Buffer.from(marker), passphrase: marker }]
]

/** The error in every form in which somebody may read it; log lines are made of these. */
const renderings = (cause: Cause.Cause<unknown>): ReadonlyArray<string> => {
  const error = Cause.squash(cause)
  return [
    (error as Error).stack ?? "",
    Inspectable.toStringUnknown(error),
    inspect(error, { depth: Infinity, showHidden: true }),
    Cause.pretty(cause, { renderErrorCause: true }),
    JSON.stringify(cause),
    inspect(cause, { depth: Infinity })
  ]
}

type Services = CryptoProvider | Transport | Scope.Scope

/** How many of these fail; none of the errors has a trace of the secret, nor is any a defect. */
const failures = async (
  attempts: ReadonlyArray<readonly [what: string, Effect.Effect<unknown, unknown, Services>]>
) => {
  let failed = 0
  const seen = new Set<string>()
  const program = Effect.forEach(
    attempts,
    ([what, attempt]) =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(Effect.scoped(attempt))
        if (Exit.isSuccess(exit)) return
        failed++
        assert.isTrue(Cause.isFailType(exit.cause), what)
        const error = Cause.squash(exit.cause)
        const whole = `${String(error)}\n${JSON.stringify(error)}`
        for (const trace of traces) assert.notInclude(whole, trace, what)
        // Many are the same error, and to look at one from all sides takes its time.
        if (seen.has(whole)) return
        seen.add(whole)
        for (const text of renderings(exit.cause)) {
          for (const trace of traces) assert.notInclude(text, trace, what)
        }
      }),
    { discard: true }
  )
  await Effect.runPromise(
    program.pipe(Effect.provide(NodeTransport.layer), Effect.provideService(CryptoProvider, crypto))
  )
  return failed
}

const named = new Set([
  "versions",
  "policy",
  "cipherSuites",
  "groups",
  "keyShares",
  "signatureSchemes",
  "certificateSignatureSchemes",
  "alpn"
])

const at = (path: ReadonlyArray<string>, value: unknown): unknown =>
  path.reduceRight((inner, name) => ({ [name]: inner }), value)

const server = identities.makeSync({ names: ["localhost"] })

/** Every place in the options of a SecureContext. */
const places: ReadonlyArray<ReadonlyArray<string>> = [
  ...["identity", "protocol", "trust", "sessions", "resolveIdentity", "selectAlpn", "ocspResponse", "unknown"].map(
    (name) => [name]
  ),
  ...[...Object.keys(ProtocolOptions.fields), "unknown"].map((name) => ["protocol", name]),
  ...[...Object.keys(Limits.fields), "unknown"].map((name) => ["protocol", "limits", name]),
  ...[...Object.keys(TrustOptions.fields), "unknown"].map((name) => ["trust", name]),
  ...[...Object.keys(RevocationInput.fields), "unknown"].map((name) => ["trust", "revocation", name]),
  ...["certificateChain", "privateKey", "pkcs12", "passphrase", "friendlyName", "unknown"].map((name) => [
    "identity",
    name
  ])
]

describe("an error shows no secret", () => {
  const attempts = (make: (options: SecureContextOptions) => Effect.Effect<unknown, unknown, Services>) =>
    places.flatMap((path) =>
      [...files, ...(named.has(path.at(-1)!) ? [] : texts)].map(
        (value, i) => [`${path.join(".")} ${i}`, make(at(path, value) as SecureContextOptions)] as const
      )
    )

  it("of SecureContext.make, whatever the place and the form", async () => {
    assert.isAbove(await failures(attempts(SecureContext.make)), 1000)
  })

  it("of SecureContext.make beside what is right", async () => {
    const right = { certificateChain: server.certificatePem, privateKey: server.keyPem }
    const wrong = [...files, ...texts].flatMap((value) =>
      ["certificateChain", "privateKey", "passphrase", "friendlyName", "pkcs12", "key"].map((name) => ({
        identity: { ...right, [name]: value }
      }))
    )
    assert.isAbove(
      await failures(
        wrong.map((options, i) => [String(i), SecureContext.make(options as unknown as SecureContextOptions)] as const)
      ),
      100
    )
  })

  it("of ContextLayer.fromConfig", async () => {
    const provider = ConfigProvider.fromMap(new Map([["SECRET", pem]]))
    const configured = (options: unknown) =>
      Effect.withConfigProvider(
        ContextLayer.fromConfig(options as ContextLayer.Configured<SecureContextOptions>),
        provider
      )
    const configs = [Config.string("SECRET"), Config.redacted("SECRET")]
    const asConfigs = places.flatMap((path) =>
      configs.map((config, i) => [`${path.join(".")} ${i}`, configured(at(path, config))] as const)
    )
    assert.isAbove(await failures([...attempts(configured), ...asConfigs]), 1000)
  })

  it("of ContextFiles, whatever the files hold", async () => {
    const holding = (content: string | Uint8Array) =>
      FileSystem.layerNoop({ readFile: () => Effect.succeed(Uint8Array.from(Buffer.from(content))) })
    const passphrase = Redacted.make(marker)
    const wanted: ReadonlyArray<ContextFiles.ContextFilesOptions> = [
      { identity: { certificateChain: "a", privateKey: "b", passphrase } },
      { identity: [{ pkcs12: "a", passphrase: marker }] },
      { anchors: ["a", "b"] },
      ...places.map((path) => ({ options: at(path, pem) as SecureContextOptions }))
    ]
    const contents = [pem, damaged, marker, bytes, server.certificatePem, server.certificatePem + pem]
    assert.isAbove(
      await failures(
        wanted.flatMap((options, i) =>
          contents.map(
            (content, j) => [`${i} ${j}`, Effect.provide(ContextFiles.load(options), holding(content))] as const
          )
        )
      ),
      100
    )
  })

  // These are names and addresses, and errors show what they are.
  const shown = new Set(["ciphers", "ecdhCurve", "sigalgs", "secureProtocol", "ALPNProtocols", "servername", "host"])
  const ofNode = (
    make: (options: NodeSecureContext.Input) => Effect.Effect<unknown, unknown, Services>,
    others: object
  ) =>
    [...NodeOptions.names, "unknown"].flatMap((name) =>
      [...files, ...(shown.has(name) ? [] : texts)].map(
        (value, i) => [`${name} ${i}`, make({ ...others, [name]: value } as NodeSecureContext.Input)] as const
      )
    )

  it("of fromNode, whatever the option and the form", async () => {
    const right = { cert: server.certificatePem, key: server.keyPem }
    assert.isAbove(await failures(ofNode(NodeSecureContext.fromNode, {})), 1000)
    assert.isAbove(await failures(ofNode(NodeSecureContext.fromNode, right)), 1000)
  })

  it("of connect", async () => {
    const socket = new PassThrough()
    socket.end()
    const unconnected = (options: NodeSecureContext.Input) =>
      // A path is where to connect to, and an error of the transport says that.
      "path" in options && options.path !== undefined ? Effect.fail("not tried") : NodeSecureContext.connect(options)
    assert.isAbove(await failures(ofNode(unconnected, { host: "127.0.0.1", port: 1, servername: "localhost" })), 1000)
  })
})
