import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import { decode } from "../../src/schema/ByteReader.ts"
import { ByteWriter } from "../../src/schema/ByteWriter.ts"
import type { Extension } from "../../src/schema/Extension.ts"
import { find, read, typeOf, write } from "../../src/schema/Extension.ts"
import type { ExtensionContext } from "../../src/schema/ExtensionType.ts"
import { codes, make } from "../../src/schema/ExtensionType.ts"
import { contexts, extension, fromHex } from "./arbitraries.ts"

const encoded = (...extensions: ReadonlyArray<Extension>): Uint8Array => {
  const writer = new ByteWriter()
  write(writer, extensions)
  return writer.finish()
}

const decoded = (bytes: Uint8Array, context: ExtensionContext): ReadonlyArray<Extension> =>
  Either.getOrThrowWith(decode("Test", (reader) => read(reader, context))(bytes), (error) => error)

describe("Extension", () => {
  it.each(contexts)("comes back from its bytes in %s", (context) => {
    FastCheck.assert(
      FastCheck.property(FastCheck.array(extension(context), { maxLength: 3 }), (extensions) => {
        assert.deepStrictEqual(decoded(encoded(...extensions), context), extensions)
      }),
      { numRuns: 300 }
    )
  })

  it.each<readonly [ExtensionContext, Extension["_tag"], string]>([
    ["ClientHello", "KeyShareOffer", "0033 0002 0000"],
    ["ServerHello", "KeyShareAnswer", "0033 0005 001d 0001 aa"],
    ["HelloRetryRequest", "KeyShareRequest", "0033 0002 001d"],
    ["EncryptedExtensions", "Unknown", "0033 0002 001d"],
    ["ClientHello", "SupportedVersions", "002b 0003 02 0304"],
    ["ServerHello", "SelectedVersion", "002b 0002 0304"],
    ["HelloRetryRequest", "SelectedVersion", "002b 0002 0304"],
    ["ClientHello", "ServerName", "0000 0006 0004 00 0001 61"],
    ["EncryptedExtensions", "ServerNameAcknowledged", "0000 0000"],
    ["ServerHello", "Unknown", "0000 0000"],
    ["ClientHello", "EarlyData", "002a 0000"],
    ["EncryptedExtensions", "EarlyData", "002a 0000"],
    ["NewSessionTicket", "EarlyDataLimit", "002a 0004 00000001"],
    ["ServerHello", "PreSharedKeyAnswer", "0029 0002 0000"],
    ["HelloRetryRequest", "Cookie", "002c 0003 0001 07"],
    ["EncryptedExtensions", "Unknown", "002c 0003 0001 07"],
    ["ClientHello", "StatusRequest", "0005 0005 01 0000 0000"],
    ["ClientHello", "StatusRequest", "0005 000b 01 0004 0002 aabb 0002 3000"],
    ["ClientHello", "Unknown", "0005 0003 020000"],
    ["CertificateRequest", "Unknown", "0005 0000"],
    ["Certificate", "CertificateStatus", "0005 0005 01 000001 aa"],
    ["Certificate", "Unknown", "0012 0000"]
  ])("has the form its message gives it: in %s %s", (context, tag, hexadecimal) => {
    const list = fromHex(hexadecimal)
    const bytes = Uint8Array.of(0, list.length, ...list)
    const extensions = decoded(bytes, context)
    assert.deepStrictEqual(
      extensions.map(({ _tag }) => _tag),
      [tag]
    )
    assert.strictEqual(typeOf(extensions[0]!), (list[0]! << 8) | list[1]!)
    assert.deepStrictEqual(encoded(...extensions), bytes)
  })

  it("finds by tag, the first of several", () => {
    const extensions: ReadonlyArray<Extension> = [
      { _tag: "Unknown", type: make(0x0a0a), body: new Uint8Array(0) },
      { _tag: "RecordSizeLimit", limit: 64 },
      { _tag: "RecordSizeLimit", limit: 65 }
    ]
    assert.strictEqual(find(extensions, "RecordSizeLimit")?.limit, 64)
    assert.isUndefined(find(extensions, "Cookie"))
    assert.strictEqual(typeOf(extensions[0]!), 0x0a0a)
    assert.strictEqual(typeOf(extensions[1]!), codes.record_size_limit)
  })

  it("does not write a protocol name in other bytes than it has", () => {
    assert.throws(() => encoded({ _tag: "ApplicationProtocols", protocols: ["h2€"] }), RangeError)
  })
})
