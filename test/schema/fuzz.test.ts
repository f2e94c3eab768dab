/** Decoders under mutation: values or typed errors, in bounded time and memory. `npm run fuzz` is the long run. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { generateKeyPairSync } from "node:crypto"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import * as Pkcs12 from "../../src/core/Pkcs12.ts"
import * as PrivateKeyFile from "../../src/core/PrivateKeyFile.ts"
import { RecordReader } from "../../src/core/RecordReader.ts"
import * as TlsServer from "../../src/core/TlsServer.ts"
import type { Duplex } from "../../src/core/Transport.ts"
import { DecodeError } from "../../src/schema/ByteReader.ts"
import { concat, toHex } from "../../src/schema/Bytes.ts"
import * as Certificate from "../../src/schema/Certificate.ts"
import * as CertificateExtension from "../../src/schema/CertificateExtension.ts"
import { CertificateFromJson } from "../../src/schema/CertificateJson.ts"
import * as CertificateRevocationList from "../../src/schema/CertificateRevocationList.ts"
import * as ClientHello from "../../src/schema/ClientHello.ts"
import * as Der from "../../src/schema/Der.ts"
import { decode, encode } from "../../src/schema/HandshakeMessage.ts"
import * as Limits from "../../src/schema/Limits.ts"
import { oids } from "../../src/schema/ObjectIdentifier.ts"
import * as OcspRequest from "../../src/schema/OcspRequest.ts"
import * as OcspResponse from "../../src/schema/OcspResponse.ts"
import * as Pem from "../../src/schema/Pem.ts"
import * as PrivateKeyInfo from "../../src/schema/PrivateKeyInfo.ts"
import * as PublicKey from "../../src/schema/PublicKey.ts"
import { AlertError, HandshakeError, TruncationError } from "../../src/schema/TlsError.ts"
import { plain } from "../core/records.ts"
import * as bundles from "../support/bundles.ts"
import * as harness from "../support/harness.ts"
import * as identities from "../support/identities.ts"
import * as certificateArbitraries from "./certificateArbitraries.ts"
import * as crlArbitraries from "./crlArbitraries.ts"
import * as ocspArbitraries from "./ocspArbitraries.ts"
import { anyMessage, clientHello, mutate, random } from "./arbitraries.ts"

const runs = Number(process.env["FUZZ_RUNS"] ?? 5000)
const seed = Number(process.env["FUZZ_SEED"] ?? 9846)
const mostMilliseconds = 5000
const mostGrowth = 32 * 1024 * 1024

const typed = (
  result: Either.Either<unknown, unknown>,
  ...errors: ReadonlyArray<abstract new (...args: never) => unknown>
) => {
  if (Either.isLeft(result) && !errors.some((error) => result.left instanceof error)) {
    throw new Error("not a typed error", { cause: result.left })
  }
}

const utf8 = new TextEncoder()
const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1")

const messages = FastCheck.sample(anyMessage, { numRuns: 100, seed }).map(encode)
const hellos = FastCheck.sample(clientHello, { numRuns: 50, seed }).map(encode)
const certificates = [identities.server, identities.client]
const manyKinds = FastCheck.sample(certificateArbitraries.parts, { numRuns: 100, seed }).map(
  certificateArbitraries.assemble
)
const extensions = FastCheck.sample(certificateArbitraries.content, { numRuns: 300, seed }).map((content) =>
  CertificateExtension.encode(CertificateExtension.make(content))
)
const decodeExtension = Der.decode("Extension", CertificateExtension.read)
const lists = FastCheck.sample(crlArbitraries.parts, { numRuns: 100, seed }).map(crlArbitraries.assemble)
const ocspResponses = FastCheck.sample(ocspArbitraries.response, { numRuns: 100, seed })
const ocspRequests = FastCheck.sample(ocspArbitraries.request, { numRuns: 50, seed })
const keys = [
  generateKeyPairSync("rsa", { modulusLength: 2048 }),
  generateKeyPairSync("ec", { namedCurve: "P-256" }),
  generateKeyPairSync("ed25519")
].map(({ privateKey }) => new Uint8Array(privateKey.export({ format: "der", type: "pkcs8" })))

const passphrase = "correct horse"
/** A mutant may ask for much work, and must not get it. */
const cheap = { passphrase, limits: { passwordIterations: 100, scryptMemory: 1 << 20 } }
const encryptions = [
  bundles.pbes2(),
  bundles.pbes2(bundles.pbkdf2(3, "SHA-1"), "AES-256-CBC"),
  bundles.pbes2(bundles.scrypt()),
  bundles.pbes2(bundles.pbkdf2(), "DES-EDE3-CBC"),
  bundles.tripleDes
]
const encryptedKeys = [
  ...(await Promise.all(encryptions.map((encryption) => bundles.encryptedKey(keys[1]!, passphrase, encryption)))),
  ...["aes-128-cbc", "des-ede3-cbc"].map((cipher) =>
    utf8.encode(
      generateKeyPairSync("ec", { namedCurve: "P-256" })
        .privateKey.export({ format: "pem", type: "sec1", cipher, passphrase })
        .toString()
    )
  )
]
const bags = [
  ...certificates.map(({ certificate }) => bundles.certBag(certificate.der, { localKeyId: Uint8Array.of(1) })),
  bundles.keyBag(keys[2]!, { friendlyName: "open" }),
  bundles.keyBag((await identities.rsaPss()).pkcs8),
  bundles.bag("safeContentsBag", Der.sequence(bundles.keyBag(identities.client.pkcs8))),
  ...(await Promise.all(
    encryptions.map((encryption) =>
      bundles.shroudedBag(identities.server.pkcs8, passphrase, encryption, { localKeyId: Uint8Array.of(1) })
    )
  ))
]
const pkcs12Of = async (vouching: bundles.Vouching, encryption?: bundles.Encryption) =>
  bundles.pfx(
    [bundles.openSafe(...bags.slice(0, 5)), await bundles.encryptedSafe(bags, passphrase, encryption)],
    passphrase,
    vouching
  )
const pkcs12s = [
  await pkcs12Of({ _tag: "Mac", hash: "SHA-1", iterations: 3 }),
  await pkcs12Of({ _tag: "Mac" }, bundles.tripleDes),
  await pkcs12Of({ _tag: "Pbmac1" })
]
/** Here mutants get as far as what is encrypted. */
const unvouched = [
  await bundles.pfx([bundles.openSafe(...bags)], passphrase, { _tag: "None" }),
  await pkcs12Of({ _tag: "None" })
]
const publicKeys = [
  ...certificates.map(({ certificate }) => certificate.publicKey.spki),
  ...[
    generateKeyPairSync("rsa", { modulusLength: 2048 }),
    generateKeyPairSync("ec", { namedCurve: "P-521" }),
    generateKeyPairSync("ed448")
  ].map(({ publicKey }) => new Uint8Array(publicKey.export({ format: "der", type: "spki" }))),
  // A compressed point, for which the mutant's decoder has to find another root each time.
  Der.sequence(
    Der.sequence(Der.oid(oids.ecPublicKey), Der.oid(oids["P-521"])),
    Der.bitString(Uint8Array.of(2, ...new Uint8Array(65), 5))
  )
]

const opening = <A, E>(effect: Effect.Effect<A, E, CryptoProvider>): Promise<Either.Either<A, E>> =>
  Effect.runPromise(Effect.either(Effect.provideService(effect, CryptoProvider, identities.crypto)))

const records = (bytes: Uint8Array): void => {
  const reader = new RecordReader(Limits.defaults)
  for (let at = 0; at < bytes.length; at += 100) {
    reader.push(bytes.subarray(at, at + 100))
    for (let record = reader.next(); record !== undefined; record = reader.next()) {
      if (record instanceof HandshakeError) return
    }
  }
}

/** Alerts have no decoder of their own: a server of ours gets these bytes and then the end. */
const server = harness.contextSync({ identity: identities.server.options })
const alerts = async (bytes: Uint8Array): Promise<void> => {
  let pulled = false
  const duplex: Duplex = {
    pull: Effect.sync(() => {
      const next = pulled ? Option.none() : Option.some(bytes)
      pulled = true
      return next
    }),
    write: () => Effect.void,
    end: () => Effect.void,
    abort: Effect.void,
    localAddress: Option.none(),
    remoteAddress: Option.none()
  }
  const exit = await TlsServer.over(duplex, { context: server }).pipe(
    Effect.scoped,
    Effect.provideService(CryptoProvider, identities.crypto),
    Effect.runPromiseExit
  )
  assert(Exit.isFailure(exit), "it cannot connect")
  typed(
    Either.left(Option.getOrElse(Cause.failureOption(exit.cause), () => Cause.pretty(exit.cause))),
    AlertError,
    HandshakeError,
    TruncationError
  )
}

type Decoder = (bytes: Uint8Array) => Promise<void> | void

const kinds: ReadonlyArray<readonly [name: string, corpus: ReadonlyArray<Uint8Array>, decoder: Decoder]> = [
  [
    "records",
    messages.map((bytes) =>
      concat([plain(22, bytes.subarray(0, 900)), plain(20, Uint8Array.of(1)), plain(21, Uint8Array.of(2, 80))])
    ),
    records
  ],
  ["HandshakeMessage", messages, (bytes) => typed(decode(bytes), DecodeError)],
  [
    "ClientHello",
    hellos.map((bytes) => plain(22, bytes)),
    (bytes) => {
      const hello = ClientHello.fromRecords(bytes)
      typed(hello, DecodeError)
      if (Either.isRight(hello) && Option.isSome(hello.right)) ClientHello.format(hello.right.value)
    }
  ],
  ["alerts", [0, 10, 80, 90].map((code) => plain(21, Uint8Array.of(2, code))), alerts],
  [
    "Certificate",
    [...certificates.map(({ certificate }) => certificate.der), ...manyKinds],
    (bytes) => {
      const certificate = Certificate.decode(bytes)
      typed(certificate, DecodeError)
      if (Either.isLeft(certificate)) return
      // What was decoded can be shown, compared and written.
      const { right } = certificate
      assert.isString(String(right) + JSON.stringify(right) + right.subject.key)
      assert.deepStrictEqual(
        Schema.decodeSync(CertificateFromJson)(Schema.encodeSync(CertificateFromJson)(right)).der,
        bytes
      )
    }
  ],
  [
    "CertificateRevocationList",
    lists,
    (bytes) => {
      const list = CertificateRevocationList.decode(bytes)
      typed(list, DecodeError)
      if (Either.isLeft(list)) return
      assert.isString(String(list.right) + JSON.stringify(list.right))
      for (const { serial } of list.right.revoked) list.right.find(serial)
    }
  ],
  [
    "OcspResponse",
    ocspResponses,
    (bytes) => {
      const response = OcspResponse.decode(bytes)
      typed(response, DecodeError)
      if (Either.isRight(response)) assert.isString(String(response.right) + JSON.stringify(response.right))
    }
  ],
  ["OcspRequest", ocspRequests, (bytes) => typed(OcspRequest.decode(bytes), DecodeError)],
  [
    "CertificateExtension",
    extensions,
    (bytes) => {
      const extension = decodeExtension(bytes)
      typed(extension, DecodeError)
      if (Either.isLeft(extension) || extension.right._tag === "Unknown") return
      // What it says can be said again, if not always in the same bytes.
      const { critical, oid: _oid, value: _value, ...content } = extension.right
      const again = CertificateExtension.make(content as CertificateExtension.Content, { critical })
      const { value: _again, ...said } = Either.getOrThrow(decodeExtension(CertificateExtension.encode(again)))
      const { value: _was, ...was } = extension.right
      assert.deepStrictEqual<unknown>(said, was)
    }
  ],
  [
    "PEM",
    certificates.flatMap(({ certificatePem, keyPem }) => [utf8.encode(certificatePem), utf8.encode(keyPem)]),
    (bytes) => {
      typed(Pem.parse(latin1(bytes)), Pem.PemError)
      typed(Certificate.fromBytes(bytes), Pem.PemError)
    }
  ],
  ["PrivateKeyInfo", keys, (bytes) => typed(PrivateKeyInfo.fromDer(bytes), PrivateKeyInfo.PrivateKeyError)],
  ["PublicKey", publicKeys, (bytes) => typed(PublicKey.decode(bytes), DecodeError)],
  [
    "encrypted keys",
    encryptedKeys,
    async (bytes) => typed(await opening(PrivateKeyFile.read(bytes, cheap)), PrivateKeyInfo.PrivateKeyError)
  ],
  ["PKCS#12", pkcs12s, async (bytes) => typed(await opening(Pkcs12.open(bytes, cheap)), Pkcs12.Pkcs12Error)],
  [
    "PKCS#12 without a MAC",
    unvouched,
    async (bytes) => typed(await opening(Pkcs12.open(bytes, cheap)), Pkcs12.Pkcs12Error)
  ]
]

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void
const heap = (): number => {
  collect()
  return process.memoryUsage().heapUsed
}

describe(`decoders under ${runs} mutants each, seed ${seed}`, () => {
  it.each(kinds)("%s", { timeout: 30_000 + 10 * runs }, async (name, corpus, decoder) => {
    const next = random(seed)
    const before = heap()
    let slowest = 0
    for (let run = 0; run < runs; run++) {
      const bytes = mutate(corpus[Math.floor(next() * corpus.length)]!, next)
      const start = performance.now()
      try {
        const pending = decoder(bytes)
        if (pending !== undefined) await pending
      } catch (error) {
        throw new Error(`${name}, seed ${seed}, run ${run}: ${toHex(bytes)}`, { cause: error })
      }
      const took = performance.now() - start
      if (took > slowest) slowest = took
      if (took >= mostMilliseconds) assert.fail(`${name}, seed ${seed}, run ${run}: ${took} ms for ${toHex(bytes)}`)
    }
    const growth = heap() - before
    if (runs > 5000)
      console.log(`${name}: slowest ${slowest.toFixed(1)} ms, heap grew by ${(growth / 1e6).toFixed(1)} MB`)
    assert.isBelow(growth, mostGrowth, `${name}, seed ${seed}`)
  })
})
