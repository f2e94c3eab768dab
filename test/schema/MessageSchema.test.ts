import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Pretty from "effect/Pretty"
import * as Schema from "effect/Schema"
import type { HandshakeMessage } from "../../src/schema/HandshakeMessage.ts"
import { decode, encode } from "../../src/schema/HandshakeMessage.ts"
import { codes } from "../../src/schema/HandshakeType.ts"
import * as MessageSchema from "../../src/schema/MessageSchema.ts"
import { messagesOf, traces } from "../vectors/rfc8448.ts"
import { fromHex } from "./arbitraries.ts"

const { HandshakeMessageFromBytes, HandshakeMessageFromSelf } = MessageSchema

const outcome = <A>(result: Either.Either<A, Error>) =>
  Either.match(result, { onLeft: (error) => error.message, onRight: (value) => value })

const keyUpdate = { _tag: "KeyUpdate", request: 1 } as const

describe("MessageSchema", () => {
  it("every message of RFC 8448 comes from its bytes and goes back to them", () => {
    for (const { bytes } of traces.flatMap(messagesOf)) {
      const value = Schema.decodeSync(HandshakeMessageFromBytes)(bytes)
      assert.deepStrictEqual(Schema.encodeSync(HandshakeMessageFromBytes)(value), bytes)
      const again = Schema.decodeSync(MessageSchema.messageFromBytes(value._tag))(bytes)
      assert.deepStrictEqual(again as HandshakeMessage, value)
    }
  })

  it("any value comes back from its bytes", () => {
    FastCheck.assert(
      FastCheck.property(Arbitrary.make(HandshakeMessageFromSelf), (value) => {
        assert.isTrue(Schema.is(HandshakeMessageFromSelf)(value))
        const bytes = Schema.encodeSync(HandshakeMessageFromBytes)(value)
        assert.deepStrictEqual(bytes, encode(value))
        assert.isTrue(
          Schema.equivalence(HandshakeMessageFromSelf)(Schema.decodeSync(HandshakeMessageFromBytes)(bytes), value)
        )
      }),
      { numRuns: 300 }
    )
  })

  it("wrong bytes are refused in words, with the position", () => {
    const error = outcome(Schema.decodeEither(HandshakeMessageFromBytes)(fromHex("0f0000060804000851")))
    assert.include(error, "CertificateVerify: a length of 6 with 5 byte(s) after it (at byte 1)")
    const other = outcome(Schema.decodeEither(MessageSchema.messageFromBytes("Finished"))(encode(keyUpdate)))
    assert.include(other, "KeyUpdate, not Finished")
  })

  it.each<readonly [string, unknown]>([
    ["nothing", null],
    ["a text", "KeyUpdate"],
    ["another tag", { _tag: "Hello" }],
    ["a field missing", { _tag: "KeyUpdate" }],
    ["a field of the wrong kind", { _tag: "KeyUpdate", request: "1" }],
    ["a field too many", { ...keyUpdate, more: 1 }],
    ["a number too large", { _tag: "KeyUpdate", request: 256 }],
    ["bytes that are none", { _tag: "Finished", verifyData: [1, 2] }],
    ["an unknown message of a known type", { _tag: "UnknownMessage", type: codes.Finished, body: new Uint8Array(0) }],
    ["a vector too short", { _tag: "EncryptedExtensions", extensions: [{ _tag: "Cookie", cookie: Uint8Array.of(1) }] }],
    ["a vector too long", { _tag: "CertificateVerify", scheme: 0x0804, signature: new Uint8Array(65_536) }],
    [
      "an extension of another message",
      { _tag: "EncryptedExtensions", extensions: [{ _tag: "EarlyDataLimit", maxEarlyDataSize: 1 }] }
    ],
    ["an extension that is none", { _tag: "EncryptedExtensions", extensions: [null] }]
  ])("is no message: %s", (_, value) => {
    assert.isFalse(MessageSchema.isHandshakeMessage(value))
    assert.isTrue(Either.isLeft(Schema.encodeUnknownEither(HandshakeMessageFromBytes)(value)))
  })

  it("tags are told apart", () => {
    assert.isTrue(Schema.is(MessageSchema.messageFromSelf("KeyUpdate"))(keyUpdate))
    assert.isFalse(Schema.is(MessageSchema.messageFromSelf("Finished"))(keyUpdate))
  })

  it("values are equal by their content", () => {
    const same = Schema.equivalence(HandshakeMessageFromSelf)
    const finished = (...bytes: ReadonlyArray<number>): HandshakeMessage => ({
      _tag: "Finished",
      verifyData: Uint8Array.from(bytes)
    })
    assert.isTrue(same(finished(1, 2), finished(1, 2)))
    assert.isFalse(same(finished(1, 2), finished(1, 3)))
    assert.isFalse(same(finished(1, 2), finished(1, 2, 3)))
    assert.isFalse(same(finished(1, 2), keyUpdate))
    const own = (extensions: ReadonlyArray<number>): HandshakeMessage => ({
      _tag: "EncryptedExtensions",
      extensions: extensions.map((limit) => ({ _tag: "RecordSizeLimit", limit }))
    })
    assert.isTrue(same(own([64, 65]), own([64, 65])))
    assert.isFalse(same(own([64, 65]), own([65, 64])))
    assert.isFalse(same(own([64]), own([64, 65])))
  })

  it("are printed with their bytes in hexadecimal", () => {
    const finished = Either.getOrThrow(decode(fromHex("14000003aabbcc")))
    assert.strictEqual(MessageSchema.format(finished), `Finished {"verifyData":"aabbcc"}`)
    assert.strictEqual(Pretty.make(HandshakeMessageFromSelf)(finished), `Finished {"verifyData":"aabbcc"}`)
  })

  it("bytes written are no view of a larger buffer", () => {
    const bytes = Schema.encodeSync(HandshakeMessageFromBytes)(keyUpdate)
    assert.strictEqual(bytes.buffer.byteLength, 5)
  })
})
