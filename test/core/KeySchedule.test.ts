import { createHash, createHmac } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import type { CryptoProviderService } from "../../src/core/CryptoProvider.ts"
import type { ExporterSecret, TrafficSecret, TranscriptHash } from "../../src/core/KeySchedule.ts"
import * as KeySchedule from "../../src/core/KeySchedule.ts"
import * as NobleCrypto from "../../src/layers/NobleCrypto.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import type { HashAlgorithm } from "../../src/schema/Algorithms.ts"
import { aeadLengths, hashLength } from "../../src/schema/Algorithms.ts"
import { toHex } from "../../src/schema/Bytes.ts"
import * as CipherSuite from "../../src/schema/CipherSuite.ts"

const providers: ReadonlyArray<readonly [string, CryptoProviderService]> = [
  ["node", NodeCrypto.make()],
  ["noble", NobleCrypto.make()]
]

/** Octets from..to, as RFC 5869's second case has them. */
const octets = (from: number, to: number) => Uint8Array.from({ length: to - from + 1 }, (_, i) => from + i)

describe.each(providers)("HKDF by %s", (_, crypto) => {
  // RFC 5869, appendix A.1 to A.3.
  it.each([
    {
      name: "basic",
      ikm: new Uint8Array(22).fill(0x0b),
      salt: octets(0, 0x0c),
      info: octets(0xf0, 0xf9),
      length: 42,
      prk: "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
      okm: "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    },
    {
      name: "longer",
      ikm: octets(0x00, 0x4f),
      salt: octets(0x60, 0xaf),
      info: octets(0xb0, 0xff),
      length: 82,
      prk: "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
      okm:
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09" +
        "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"
    },
    {
      name: "without salt and info",
      ikm: new Uint8Array(22).fill(0x0b),
      salt: new Uint8Array(0),
      info: new Uint8Array(0),
      length: 42,
      prk: "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
      okm: "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    }
  ])("RFC 5869, $name", ({ ikm, info, length, okm, prk, salt }) => {
    const extracted = KeySchedule.hkdfExtract(crypto, "SHA-256", salt, ikm)
    assert.strictEqual(toHex(extracted), prk)
    assert.strictEqual(toHex(KeySchedule.hkdfExpand(crypto, "SHA-256", extracted, info, length)), okm)
  })

  it("gives as many bytes as are asked for, up to 255 blocks", () => {
    const secret = new Uint8Array(32).fill(1)
    const long = KeySchedule.hkdfExpand(crypto, "SHA-256", secret, octets(1, 3), 255 * 32)
    assert.strictEqual(long.length, 255 * 32)
    for (const length of [0, 1, 31, 32, 33, 64, 65]) {
      assert.deepStrictEqual(
        KeySchedule.hkdfExpand(crypto, "SHA-256", secret, octets(1, 3), length),
        long.slice(0, length)
      )
    }
    assert.throws(() => KeySchedule.hkdfExpand(crypto, "SHA-256", secret, octets(1, 3), 255 * 32 + 1), RangeError)
  })
})

// The same by node:crypto and the words of the RFC, for all that RFC 8448 does not show: other hashes, KeyUpdate, the
// exporter.
const nodeHash = { "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512" }
const reference = (hash: HashAlgorithm) => {
  const hmac = (key: Uint8Array, ...data: ReadonlyArray<Uint8Array>) => {
    const mac = createHmac(nodeHash[hash], key)
    for (const part of data) mac.update(part)
    return Uint8Array.from(mac.digest())
  }
  const expandLabel = (secret: Uint8Array, label: string, context: Uint8Array, length: number) => {
    const info = Buffer.concat([
      Buffer.from([length >>> 8, length & 0xff, label.length + 6]),
      Buffer.from(`tls13 ${label}`),
      Buffer.from([context.length]),
      context
    ])
    const blocks: Array<Uint8Array> = []
    for (let i = 1; blocks.length * hashLength[hash] < length; i++) {
      blocks.push(hmac(secret, blocks.at(-1) ?? new Uint8Array(0), info, Uint8Array.of(i)))
    }
    return Uint8Array.from(Buffer.concat(blocks).subarray(0, length))
  }
  const digest = (data: Uint8Array) => Uint8Array.from(createHash(nodeHash[hash]).update(data).digest())
  return { digest, expandLabel, hmac }
}

const suites = CipherSuite.registry.map((suite) => [suite.name, suite] as const)

describe.each(providers)("the schedule by %s", (_, crypto) => {
  it.each(suites)("of %s", (__, suite) => {
    const schedule = KeySchedule.make(crypto, suite)
    const { digest, expandLabel, hmac } = reference(suite.hash)
    const size = hashLength[suite.hash]
    const zeros = new Uint8Array(size)
    const transcript = digest(Uint8Array.of(1, 2, 3)) as TranscriptHash
    const derive = (secret: Uint8Array, label: string, context: Uint8Array = transcript) =>
      expandLabel(secret, label, context, size)
    const nothing = digest(new Uint8Array(0))

    assert.strictEqual(schedule.hash, suite.hash)
    const early = schedule.early()
    assert.deepStrictEqual(Uint8Array.from(early), hmac(zeros, zeros))
    assert.deepStrictEqual(Uint8Array.from(schedule.early(Uint8Array.of(7))), hmac(zeros, Uint8Array.of(7)))
    const shared = new Uint8Array(32).fill(9)
    const handshake = schedule.handshake(early, shared)
    assert.deepStrictEqual(Uint8Array.from(handshake), hmac(derive(early, "derived", nothing), shared))
    const main = schedule.main(handshake)
    assert.deepStrictEqual(Uint8Array.from(main), hmac(derive(handshake, "derived", nothing), zeros))
    const handshakeTraffic = schedule.handshakeTraffic(handshake, transcript)
    const traffic = schedule.applicationTraffic(main, transcript)
    const exporter = schedule.exporter(main, transcript)
    const expected: ReadonlyArray<readonly [Uint8Array, Uint8Array]> = [
      [handshakeTraffic.client, derive(handshake, "c hs traffic")],
      [handshakeTraffic.server, derive(handshake, "s hs traffic")],
      [traffic.client, derive(main, "c ap traffic")],
      [traffic.server, derive(main, "s ap traffic")],
      [exporter, derive(main, "exp master")],
      [schedule.resumption(main, transcript), derive(main, "res master")],
      [
        schedule.ticketSecret(schedule.resumption(main, transcript), Uint8Array.of(4)),
        derive(derive(main, "res master"), "resumption", Uint8Array.of(4))
      ],
      [
        schedule.binder(schedule.early(Uint8Array.of(7)), transcript),
        hmac(
          derive(derive(hmac(zeros, Uint8Array.of(7)), "res binder", nothing), "finished", new Uint8Array(0)),
          transcript
        )
      ],
      [schedule.update(traffic.client), derive(traffic.client, "traffic upd", new Uint8Array(0))],
      [
        schedule.verifyData(traffic.client, transcript),
        hmac(derive(traffic.client, "finished", new Uint8Array(0)), transcript)
      ],
      [
        schedule.exportKeyingMaterial(exporter, "EXPORTER-test", Uint8Array.of(5), 100),
        expandLabel(derive(exporter, "EXPORTER-test", nothing), "exporter", digest(Uint8Array.of(5)), 100)
      ]
    ]
    for (const [actual, wanted] of expected) assert.strictEqual(toHex(actual), toHex(wanted))

    const { key } = aeadLengths[suite.aead]
    assert.deepStrictEqual(schedule.trafficKeys(traffic.client), {
      aead: suite.aead,
      key: expandLabel(traffic.client, "key", new Uint8Array(0), key),
      iv: expandLabel(traffic.client, "iv", new Uint8Array(0), 12)
    })
  })

  it("exports the same for no context and an empty one, and nothing for a label that cannot be", () => {
    const schedule = KeySchedule.make(crypto, CipherSuite.registry[0]!)
    const exporter = new Uint8Array(32).fill(3) as ExporterSecret
    const exported = (label: string, context: Uint8Array, length: number) =>
      toHex(schedule.exportKeyingMaterial(exporter, label, context, length))
    const empty = new Uint8Array(0)
    assert.notStrictEqual(exported("a", empty, 32), exported("b", empty, 32))
    assert.notStrictEqual(exported("a", empty, 32), exported("a", Uint8Array.of(0), 32))
    // The length is part of what is hashed (RFC 9846 §7.1): a longer output does not begin with a shorter one.
    assert.notStrictEqual(exported("a", empty, 64).slice(0, 64), exported("a", empty, 32))
    assert.strictEqual(exported("x".repeat(249), empty, 16).length, 32)
    assert.throws(() => exported("x".repeat(250), empty, 16), RangeError)
    assert.throws(() => exported("a", empty, 255 * 32 + 1), RangeError)
    assert.throws(() => exported("a", empty, Number.NaN), RangeError)
    assert.throws(() => exported("a", empty, -1), RangeError)
    assert.throws(() => exported("a", empty, 0.5), RangeError)
  })

  it("goes on by KeyUpdates as long as one likes", () => {
    const schedule = KeySchedule.make(crypto, CipherSuite.registry[0]!)
    const seen = new Set<string>()
    let secret = new Uint8Array(32) as TrafficSecret
    for (let i = 0; i < 10; i++) {
      secret = schedule.update(secret)
      seen.add(toHex(secret))
    }
    assert.strictEqual(seen.size, 10)
    assert.strictEqual(secret.length, 32)
  })
})
