import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Equal from "effect/Equal"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { isIPv4, isIPv6 } from "node:net"
import * as ServerName from "../../src/schema/ServerName.ts"

const parsed = (text: string) =>
  Either.match(ServerName.parse(text), {
    onLeft: ({ problem }) => problem,
    onRight: (name) => `${name._tag} ${name}`
  })

describe("ServerName", () => {
  it.each([
    ["example.com", "DnsName example.com"],
    ["WWW.Example.COM.", "DnsName www.example.com"],
    ["localhost", "DnsName localhost"],
    ["_sip._tls.example.com", "DnsName _sip._tls.example.com"],
    ["xn--mnchen-3ya.de", "DnsName xn--mnchen-3ya.de"],
    ["3com.com", "DnsName 3com.com"],
    ["a--b.example", "DnsName a--b.example"],
    ["a-.example", "DnsName a-.example"],
    ["192.0.2.1", "IpAddress 192.0.2.1"],
    ["::1", "IpAddress ::1"],
    ["[::1]", "IpAddress ::1"],
    ["::", "IpAddress ::"],
    ["2001:DB8:0:0:1:0:0:1", "IpAddress 2001:db8::1:0:0:1"],
    ["2001:db8:0:1:1:1:1:1", "IpAddress 2001:db8:0:1:1:1:1:1"],
    ["::ffff:192.0.2.1", "IpAddress ::ffff:c000:201"],
    ["fe80::1%eth0", "IpAddress fe80::1"],
    ["1::", "IpAddress 1::"],
    ["", "it is empty"],
    [".", "it is empty"],
    ["a..b", "it has an empty label"],
    ["example.com..", "it has an empty label"],
    [".example.com", "it has an empty label"],
    ["*.example.com", `"*" is not a label of letters, digits and hyphens`],
    ["-a.example", `"-a" is not a label of letters, digits and hyphens`],
    ["exa mple.com", `"exa mple" is not a label of letters, digits and hyphens`],
    ["example.com\u0000.evil.org", `"com\\u0000" is not a label of letters, digits and hyphens`],
    ["münchen.de", "it is not ASCII: give its A-label form, as `xn--…`"],
    ["example.com:443", "it has a port"],
    ["https://example.com", "it is a URL"],
    ["[example.com]", "brackets are for IPv6 addresses"],
    ["192.0.2.256", "it ends in a number, and is no IPv4 address"],
    ["192.0.2.01", "it ends in a number, and is no IPv4 address"],
    ["0x7f.1", "it ends in a number, and is no IPv4 address"],
    ["1:2:3", "it is no IPv6 address"],
    [":::", "it is no IPv6 address"],
    ["1::2::3", "it is no IPv6 address"],
    ["1:2:3:4:5:6:7:8:9", "it is no IPv6 address"],
    ["1:2:3:4:5:6:7::8", "it is no IPv6 address"],
    ["::1.2.3", "it is no IPv6 address"],
    ["1.2.3.4::", "it is no IPv6 address"],
    [`${"a".repeat(64)}.com`, "it has a label of more than 63 characters"],
    [`${"a.".repeat(127)}a`, "it is longer than 253 characters"]
  ])("%s", (text, expected) => {
    // "1:2:3:4:5:6:7::8" has all eight groups already, so `::` stands for none (RFC 4291 §2.2 wants one or more).
    assert.strictEqual(parsed(text), expected)
  })

  it("compares by what is named", () => {
    const a = Either.getOrThrow(ServerName.parse("[2001:DB8::0:1]"))
    const b = Either.getOrThrow(ServerName.parse("2001:db8:0::1"))
    assert.isTrue(Equal.equals(a, b))
    assert.isFalse(Equal.equals(a, Either.getOrThrow(ServerName.parse("2001:db8::2"))))
  })

  it.prop(
    "addresses agree with node:net and survive a round trip",
    [FastCheck.oneof(FastCheck.ipV4(), FastCheck.ipV6())],
    ([text]) => {
      const name = Either.getOrThrow(ServerName.parse(text))
      assert.strictEqual(name._tag, "IpAddress")
      if (name._tag !== "IpAddress") return
      assert.isTrue(isIPv4(name.address) || isIPv6(name.address))
      assert.strictEqual(name.bytes.length, isIPv4(text) ? 4 : 16)
      assert.strictEqual(ServerName.fromAddressBytes(name.bytes)?.address, name.address)
      if (isIPv6(text) && !text.includes("."))
        assert.strictEqual(new URL(`http://[${text}]`).hostname, `[${name.address}]`)
    }
  )

  it.prop("whatever the text, there is an answer, and it stays", [FastCheck.string({ unit: "binary" })], ([text]) => {
    const name = ServerName.parse(text)
    if (Either.isRight(name))
      assert.strictEqual(parsed(ServerName.format(name.right)), `${name.right._tag} ${name.right}`)
  })

  it("is a Schema", () => {
    const decode = Schema.decodeUnknownEither(ServerName.ServerNameFromString)
    assert.strictEqual(String(Either.getOrThrow(decode("Example.com"))), "example.com")
    const error = Either.getOrThrow(Either.flip(decode("münchen.de")))
    assert.include(error.message, "give its A-label form")
  })

  it("shows nothing of a file that was given for a name", () => {
    const error = Either.getOrThrow(Either.flip(ServerName.parse("-----BEGIN PRIVATE KEY-----\nMC4CAQ\n")))
    assert.strictEqual(error.message, "a text of several lines is not a server name (value hidden)")
  })
})
