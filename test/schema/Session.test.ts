import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { toHex } from "../../src/schema/Bytes.ts"
import * as CipherSuite from "../../src/schema/CipherSuite.ts"
import type { ClientSession } from "../../src/schema/Session.ts"
import * as Session from "../../src/schema/Session.ts"
import * as SignatureScheme from "../../src/schema/SignatureScheme.ts"

const bytes = (minLength: number, maxLength: number) => FastCheck.uint8Array({ minLength, maxLength })
const time = FastCheck.integer({ min: 0, max: 2 ** 48 - 1 })
const uint16 = FastCheck.integer({ min: 1, max: 0xffff })
const uint32 = FastCheck.integer({ min: 0, max: 2 ** 32 - 1 })

const sessions: FastCheck.Arbitrary<ClientSession> = FastCheck.record({
  cipherSuite: uint16.map(CipherSuite.make),
  secret: bytes(1, 64).map((secret) => Redacted.make(secret)),
  createdAt: time,
  lifetime: uint32,
  authenticatedAt: time,
  binding: bytes(0, 255),
  alpn: FastCheck.string({
    unit: FastCheck.integer({ min: 0, max: 255 }).map((c) => String.fromCharCode(c)),
    maxLength: 255
  }),
  serverScheme: uint16.map(SignatureScheme.make),
  clientScheme: FastCheck.option(uint16.map(SignatureScheme.make), { nil: undefined }),
  certificates: FastCheck.array(bytes(1, 300), { maxLength: 4 }),
  staple: FastCheck.option(bytes(1, 100), { nil: undefined }),
  ticket: bytes(1, 500),
  ageAdd: uint32
})

const plain = ({ secret, ...others }: ClientSession | Session.Session) => ({
  ...others,
  secret: Redacted.value(secret)
})

describe("sessions", () => {
  it.prop("come back from their bytes, as a server has them and as a client", [sessions], ([session]) => {
    const { ageAdd: _, ticket: __, ...server } = session
    assert.deepEqual(
      plain(Either.getOrThrow(Session.decode(Session.encode(session)))),
      plain(server as Session.Session)
    )
    const written = Schema.encodeSync(Session.ClientSessionFromBytes)(session)
    const read = Schema.decodeSync(Session.ClientSessionFromBytes)(written)
    assert.deepEqual(plain(read), plain(session))
    // What was read keeps nothing of the bytes.
    written.fill(0)
    assert.deepEqual(plain(read), plain(session))
  })

  it.prop("do not come of other bytes, whole or cut", [sessions, FastCheck.nat()], ([session, at]) => {
    const written = Session.encode(session)
    const cut = at % written.length
    assert.isTrue(Either.isLeft(Session.decode(written.subarray(0, cut))))
    assert.isTrue(Either.isLeft(Session.decode(Uint8Array.from([...written, 0]))))
    const other = Uint8Array.from(written)
    other[0] = 2
    const error = Either.flip(Session.decode(other))
    assert.include(Either.getOrThrow(error).message, "a session in format 2, which is not 1")
  })

  it("show no secret, whole or broken", () => {
    const [session] = FastCheck.sample(sessions, { numRuns: 1, seed: 1 })
    const marked = { ...session!, secret: Redacted.make(new Uint8Array(32).fill(0xa7)) }
    const written = Schema.encodeSync(Session.ClientSessionFromBytes)(marked)
    assert.include(toHex(written), "a7a7a7")
    const errors = [written.subarray(1), written.subarray(0, -1), "no bytes"].map((wrong) =>
      Either.getOrThrow(Either.flip(Schema.decodeUnknownEither(Session.ClientSessionFromBytes)(wrong)))
    )
    for (const shown of [marked, ...errors]) {
      for (const text of [JSON.stringify(shown), inspect(shown, { depth: Infinity })]) {
        assert.notMatch(text, /a7,? ?a7|167,\s*167|0xa7/i)
      }
    }
    for (const error of errors) {
      assert.include(error.message, "(value hidden)")
      assert.notMatch(String(error), /167/)
    }
  })
})
