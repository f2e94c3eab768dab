/**
 * The names a certificate can carry (RFC 5280 §4.2.1.6). Read from DER and never from text: a text such as
 * `DNS:a,DNS:b` cannot be told from one name that contains a comma.
 *
 * @since 0.1.0
 */
import * as Bytes from "./Bytes.ts"
import * as Der from "./Der.ts"
import * as DistinguishedName from "./DistinguishedName.ts"
import * as ObjectIdentifier from "./ObjectIdentifier.ts"
import { fromAddressBytes } from "./ServerName.ts"

/**
 * `value` of an OtherName is the DER of what its `[0]` holds; an X400Address and an EdiPartyName are the DER of the
 * whole name. The text of a DNS name, mailbox or URI is any ASCII: nothing says that it is well-formed.
 *
 * @since 0.1.0
 * @category models
 */
export type GeneralName =
  | { readonly _tag: "OtherName"; readonly type: ObjectIdentifier.ObjectIdentifier; readonly value: Uint8Array }
  | { readonly _tag: "Rfc822Name"; readonly value: string }
  | { readonly _tag: "DnsName"; readonly value: string }
  | { readonly _tag: "X400Address"; readonly der: Uint8Array }
  | { readonly _tag: "DirectoryName"; readonly name: DistinguishedName.DistinguishedName }
  | { readonly _tag: "EdiPartyName"; readonly der: Uint8Array }
  | { readonly _tag: "Uri"; readonly value: string }
  | { readonly _tag: "IpAddress"; readonly bytes: Uint8Array }
  | { readonly _tag: "RegisteredId"; readonly oid: ObjectIdentifier.ObjectIdentifier }

const isAscii = (u: unknown): boolean => typeof u === "string" && /^[\x00-\x7f]*$/.test(u)
const isOid = (u: unknown): boolean => typeof u === "string" && ObjectIdentifier.isObjectIdentifier(u)

/**
 * Whether a value is a name that can be written: its fields are there, and texts are ASCII.
 *
 * @since 0.1.0
 * @category guards
 */
export const isGeneralName = (u: unknown): u is GeneralName => {
  if (typeof u !== "object" || u === null) return false
  const name = u as { readonly [field: string]: unknown }
  switch (name["_tag"]) {
    case "OtherName":
      return isOid(name["type"]) && name["value"] instanceof Uint8Array
    case "Rfc822Name":
    case "DnsName":
    case "Uri":
      return isAscii(name["value"])
    case "X400Address":
    case "EdiPartyName":
      return name["der"] instanceof Uint8Array
    case "DirectoryName":
      return name["name"] instanceof DistinguishedName.DistinguishedName
    case "IpAddress":
      return name["bytes"] instanceof Uint8Array
    case "RegisteredId":
      return isOid(name["oid"])
    default:
      return false
  }
}

/**
 * What an iPAddress holds: an address (4 or 16 bytes), or in name constraints an address and its mask (8 or 32).
 *
 * @since 0.1.0
 * @category models
 */
export type AddressForm = "address" | "range"

const readOtherName = (inner: Der.DerReader): GeneralName => ({
  _tag: "OtherName",
  type: inner.oid(),
  value: inner.within(Der.contextConstructed(0), (value) => value.element())
})

/**
 * Reads a name within a decoder.
 *
 * @since 0.1.0
 * @category decoding
 */
export const read = (reader: Der.DerReader, form: AddressForm = "address"): GeneralName => {
  const tag = reader.peek()
  switch (tag) {
    case 0xa0:
      return reader.within(tag, readOtherName)
    case 0x81:
      return { _tag: "Rfc822Name", value: reader.ascii(tag) }
    case 0x82:
      return { _tag: "DnsName", value: reader.ascii(tag) }
    case 0xa3:
      return { _tag: "X400Address", der: reader.element() }
    case 0xa4:
      return { _tag: "DirectoryName", name: reader.within(tag, DistinguishedName.read) }
    case 0xa5:
      return { _tag: "EdiPartyName", der: reader.element() }
    case 0x86:
      return { _tag: "Uri", value: reader.ascii(tag) }
    case 0x87: {
      const bytes = reader.octetString(tag)
      const unit = form === "address" ? 4 : 8
      if (bytes.length !== unit && bytes.length !== 4 * unit) {
        reader.fail(`an ${form === "address" ? "address" : "address range"} of ${bytes.length} byte(s)`)
      }
      return { _tag: "IpAddress", bytes }
    }
    case 0x88:
      return { _tag: "RegisteredId", oid: reader.oid(tag) }
    default:
      return reader.fail("a general name expected")
  }
}

/**
 * Reads GeneralNames: a list with at least one.
 *
 * @since 0.1.0
 * @category decoding
 */
export const readList = (reader: Der.DerReader, tag: number = Der.Tag.Sequence): ReadonlyArray<GeneralName> =>
  reader.sequenceOf(readAddress, 1, tag)

const readAddress = (reader: Der.DerReader) => read(reader)

/**
 * The DER of a name. The caller checked that texts are ASCII.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encode = (name: GeneralName): Uint8Array => {
  switch (name._tag) {
    case "OtherName":
      return Der.value(0xa0, Der.oid(name.type), Der.value(0xa0, name.value))
    case "Rfc822Name":
      return Der.ascii(name.value, 0x81)
    case "DnsName":
      return Der.ascii(name.value, 0x82)
    case "DirectoryName":
      return Der.value(0xa4, name.name.der)
    case "Uri":
      return Der.ascii(name.value, 0x86)
    case "IpAddress":
      return Der.value(0x87, name.bytes)
    case "RegisteredId":
      return Der.value(0x88, ObjectIdentifier.toBytes(name.oid))
    case "X400Address":
    case "EdiPartyName":
      return name.der
  }
}

// The same traps as Node's CVE-2021-44532: a text with separators in it must not read as several names.
const quote = (text: string): string => (/^[\x21\x23-\x2b\x2d-\x7e]*$/.test(text) ? text : JSON.stringify(text))

/**
 * A name for people, as `DNS:www.example.com` or `IP:192.0.2.1`. Not for comparing.
 *
 * @since 0.1.0
 * @category conversions
 */
export const format = (name: GeneralName): string => {
  switch (name._tag) {
    case "OtherName":
      return `othername:${ObjectIdentifier.name(name.type)}:${Bytes.toHex(name.value)}`
    case "Rfc822Name":
      return `email:${quote(name.value)}`
    case "DnsName":
      return `DNS:${quote(name.value)}`
    case "X400Address":
      return "X400Name"
    case "DirectoryName":
      return `DirName:${quote(name.name.toString())}`
    case "EdiPartyName":
      return "EdiPartyName"
    case "Uri":
      return `URI:${quote(name.value)}`
    case "IpAddress": {
      const half = name.bytes.length / 2
      const address = fromAddressBytes(name.bytes)
      if (address !== undefined) return `IP:${address}`
      return `IP:${fromAddressBytes(name.bytes.subarray(0, half))}/${fromAddressBytes(name.bytes.subarray(half))}`
    }
    case "RegisteredId":
      return `Registered ID:${name.oid}`
  }
}
