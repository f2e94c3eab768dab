/** Contexts from files: what is read, what is read again, and what is not. */
import * as FileSystem from "@effect/platform/FileSystem"
import { SystemError } from "@effect/platform/Error"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as ContextFiles from "../../src/core/ContextFiles.ts"
import type { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import type { SecureContext } from "../../src/core/SecureContext.ts"
import type { TlsConfigError } from "../../src/schema/TlsError.ts"
import * as harness from "../support/harness.ts"
import * as identities from "../support/identities.ts"

const [first, second] = ["first", "second"].map((subject) => identities.makeSync({ subject })) as [
  identities.Made,
  identities.Made
]

/** A file system of a few files, which tells of changes when it is asked to. */
const makeDisk = Effect.gen(function* () {
  const files = new Map<string, string>()
  const folders = yield* PubSub.unbounded<FileSystem.WatchEvent>()
  const read: Array<Uint8Array> = []
  const watched: Array<string> = []
  const missing = (path: string) =>
    new SystemError({ reason: "NotFound", module: "FileSystem", method: "readFile", pathOrDescriptor: path })
  return {
    files,
    read,
    watched,
    put: (made: identities.Made) => {
      files.set("/tls/chain.pem", made.certificatePem)
      files.set("/tls/key.pem", made.keyPem)
    },
    tell: PubSub.publish(folders, FileSystem.WatchEventUpdate({ path: "chain.pem" })),
    layer: FileSystem.layerNoop({
      readFile: (path) =>
        Effect.suspend(() => {
          const text = files.get(path)
          if (text === undefined) return Effect.fail(missing(path))
          const bytes = harness.bytes(text)
          read.push(bytes)
          return Effect.succeed(bytes)
        }),
      watch: (path) => {
        watched.push(path)
        return Stream.fromPubSub(folders)
      }
    })
  }
})

const identity = { certificateChain: "/tls/chain.pem", privateKey: "/tls/key.pem" }

const scoped = <E>(
  name: string,
  body: (
    disk: Effect.Effect.Success<typeof makeDisk>
  ) => Effect.Effect<unknown, E, CryptoProvider | FileSystem.FileSystem | Scope.Scope>
) =>
  it.scoped(name, () =>
    Effect.flatMap(makeDisk, (disk) => Effect.provide(body(disk), disk.layer)).pipe(
      Effect.provide(harness.layer),
      Effect.provide(Logger.replace(Logger.defaultLogger, Logger.none))
    )
  )

/** Lets everybody run who can. */
const quiet = Effect.flatMap(Effect.fork(Effect.never), (fiber) =>
  Effect.zipRight(harness.settle(fiber, 2), Fiber.interrupt(fiber))
)

/** The clock moves, and everybody does what is due. */
const pass = (time: Parameters<typeof TestClock.adjust>[0]) => Effect.zipRight(TestClock.adjust(time), quiet)

const nameIn = ({ identities: [only] }: SecureContext): string => only!.certificateChain[0].subject.commonName ?? ""

describe("watching files", () => {
  scoped("a change is read once it has settled, and only then", (disk) =>
    Effect.gen(function* () {
      disk.put(first)
      const context = yield* ContextFiles.watch({ identity })
      yield* quiet
      assert.deepStrictEqual(disk.watched, ["/tls"])
      disk.put(second)
      yield* disk.tell
      yield* quiet
      yield* pass("200 millis")
      yield* disk.tell
      yield* quiet
      yield* pass("200 millis")
      assert.strictEqual(nameIn(yield* context.current), "first")
      yield* pass("50 millis")
      assert.strictEqual(nameIn(yield* context.current), "second")
    })
  )

  scoped(
    "a chain without its new key is an error that names the file, and the last good one stays until both are there",
    (disk) =>
      Effect.gen(function* () {
        disk.put(first)
        const context = yield* ContextFiles.watch({ identity })
        const events = yield* Effect.fork(Stream.runCollect(Stream.take(context.events, 2)))
        yield* quiet
        disk.files.set("/tls/chain.pem", second.certificatePem)
        yield* disk.tell
        yield* quiet
        yield* pass("250 millis")
        assert.strictEqual(nameIn(yield* context.current), "first")
        disk.files.set("/tls/key.pem", second.keyPem)
        yield* disk.tell
        yield* quiet
        yield* pass("250 millis")
        assert.strictEqual(nameIn(yield* context.current), "second")
        const seen = Chunk.toReadonlyArray(yield* Fiber.join(events))
        assert.deepStrictEqual(
          seen.map((event) =>
            event._tag === "Reloaded" ? "" : Option.getOrThrow(Cause.failureOption(event.cause)).message
          ),
          [
            "identity.privateKey: the key (P-256) does not match the leaf certificate " +
              '"CN=second" (P-256) (/tls/key.pem)',
            ""
          ]
        )
      })
  )

  scoped("what is told of, and has not changed, is not loaded again; nor is the same error told twice", (disk) =>
    Effect.gen(function* () {
      disk.put(first)
      const context = yield* ContextFiles.watch({ identity })
      const events: Array<string> = []
      yield* Effect.fork(Stream.runForEach(context.events, ({ _tag }) => Effect.sync(() => events.push(_tag))))
      yield* quiet
      yield* disk.tell
      yield* quiet
      yield* pass("250 millis")
      assert.deepStrictEqual(events, [])
      disk.files.delete("/tls/key.pem")
      for (let i = 0; i < 3; i++) yield* pass("1 minute")
      assert.deepStrictEqual(events, ["ReloadFailed"])
    })
  )

  scoped("a change that nobody tells of is found in a minute", (disk) =>
    Effect.gen(function* () {
      disk.put(first)
      const context = yield* ContextFiles.watch({ identity })
      yield* quiet
      disk.put(second)
      yield* pass("59 seconds")
      assert.strictEqual(nameIn(yield* context.current), "first")
      yield* pass("1 second")
      assert.strictEqual(nameIn(yield* context.current), "second")
    })
  )

  scoped("no bytes of a key are left when the context is freed", (disk) =>
    Effect.gen(function* () {
      disk.put(first)
      yield* Effect.scoped(ContextFiles.watch({ identity }))
      const left = disk.read.map((bytes) => harness.text([bytes])).filter((text) => text.includes("PRIVATE KEY"))
      assert.isAtLeast(disk.read.length, 4)
      assert.deepStrictEqual(left, [])
    })
  )
})

describe("loading files", () => {
  const refused = (options: ContextFiles.ContextFilesOptions) =>
    Effect.map(Effect.flip(ContextFiles.load(options)), (error: TlsConfigError) => [error.reason, error.message])

  scoped("several identities and anchors", (disk) =>
    Effect.gen(function* () {
      disk.put(first)
      disk.files.set("/tls/chain2.pem", second.certificatePem)
      disk.files.set("/tls/key2.pem", second.keyPem)
      const context = yield* ContextFiles.load({
        identity: [identity, { certificateChain: "/tls/chain2.pem", privateKey: "/tls/key2.pem" }],
        anchors: ["/tls/chain.pem", "/tls/chain2.pem"],
        options: { protocol: { alpn: ["h2"] }, trust: { clientAuthentication: "require" } }
      })
      assert.lengthOf(context.identities, 2)
      assert.lengthOf(context.trust.anchors!.anchors, 2)
      assert.strictEqual(context.trust.clientAuthentication, "require")
      assert.deepStrictEqual(context.protocol.alpn, ["h2"])
    })
  )

  scoped("a file that is not there, or holds something else, is named", (disk) =>
    Effect.gen(function* () {
      disk.put(first)
      assert.deepStrictEqual(yield* refused({ identity: [{ ...identity, privateKey: "/tls/none.pem" }] }), [
        "Unreadable",
        "identity[0].privateKey: NotFound: FileSystem.readFile (/tls/none.pem)"
      ])
      assert.deepStrictEqual(yield* refused({ anchors: "/tls/key.pem" }), [
        "InvalidCertificate",
        "trust.anchors[0]: it holds a private key, a certificate is needed (/tls/key.pem)"
      ])
    })
  )
})
