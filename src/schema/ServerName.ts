/**
 * The name of a server as a client asks for it: a DNS name or an IP address (RFC 9525, "reference identity").
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"

/**
 * A text that names no server. `problem` says why.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidServerName extends Data.TaggedError("InvalidServerName")<{
  readonly input: string
  readonly problem: string
}> {
  override get message(): string {
    // What has several lines is a file, and may be a key.
    return /[\r\n]/.test(this.input)
      ? "a text of several lines is not a server name (value hidden)"
      : `${JSON.stringify(this.input.slice(0, 300))} is not a server name: ${this.problem}`
  }
}

/**
 * A DNS name: lower-case A-labels, without a trailing dot. Made by `parse` only, so that it is what it says.
 *
 * @since 0.1.0
 * @category models
 */
export class DnsName extends Data.TaggedClass("DnsName")<{ readonly name: string }> {
  override toString(): string {
    return this.name
  }
}

/**
 * An IP address as its canonical text (RFC 5952 for IPv6). Made by `parse` and `fromAddressBytes` only.
 *
 * @since 0.1.0
 * @category models
 */
export class IpAddress extends Data.TaggedClass("IpAddress")<{ readonly address: string }> {
  /** 4 or 16 bytes, as a certificate has them. */
  get bytes(): Uint8Array {
    return parseAddress(this.address)!
  }

  override toString(): string {
    return this.address
  }
}

/**
 * @since 0.1.0
 * @category models
 */
export type ServerName = DnsName | IpAddress

const decimal = /^(?:0|[1-9]\d{0,2})$/

const parseIpv4 = (text: string): Uint8Array | undefined => {
  const parts = text.split(".")
  if (parts.length !== 4 || !parts.every((part) => decimal.test(part) && Number(part) < 256)) return undefined
  return Uint8Array.from(parts, Number)
}

const parseIpv6 = (text: string): Uint8Array | undefined => {
  const halves = text.split("::")
  if (halves.length > 2) return undefined
  const groups: Array<Array<number>> = []
  for (const [index, half] of halves.entries()) {
    const numbers: Array<number> = []
    const parts = half === "" ? [] : half.split(":")
    for (const [position, part] of parts.entries()) {
      const isLast = index === halves.length - 1 && position === parts.length - 1
      const embedded = isLast && part.includes(".") ? parseIpv4(part) : undefined
      if (embedded !== undefined) {
        numbers.push(embedded[0]! * 256 + embedded[1]!, embedded[2]! * 256 + embedded[3]!)
      } else if (/^[0-9a-f]{1,4}$/i.test(part)) {
        numbers.push(parseInt(part, 16))
      } else {
        return undefined
      }
    }
    groups.push(numbers)
  }
  const [head, tail] = groups as [Array<number>, Array<number>?]
  const zeros = 8 - head.length - (tail?.length ?? 0)
  if (tail === undefined ? zeros !== 0 : zeros < 1) return undefined
  const all = [...head, ...Array.from({ length: zeros }, () => 0), ...(tail ?? [])]
  return Uint8Array.from(all.flatMap((group) => [group >>> 8, group & 0xff]))
}

const parseAddress = (text: string): Uint8Array | undefined => (text.includes(":") ? parseIpv6(text) : parseIpv4(text))

/**
 * The address of 4 or 16 bytes; no other length is one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromAddressBytes = (bytes: Uint8Array): IpAddress | undefined => {
  if (bytes.length === 4) return new IpAddress({ address: bytes.join(".") })
  if (bytes.length !== 16) return undefined
  const groups = Array.from({ length: 8 }, (_, i) => bytes[2 * i]! * 256 + bytes[2 * i + 1]!)
  // RFC 5952 §4.2: `::` stands for the longest run of at least two zero groups, the first of equally long ones.
  let best = { start: -1, length: 1 }
  for (let start = 0; start < 8; start++) {
    let length = 0
    while (start + length < 8 && groups[start + length] === 0) length++
    if (length > best.length) best = { start, length }
  }
  const text = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(":")
  return new IpAddress({
    address: best.start < 0 ? text(0, 8) : `${text(0, best.start)}::${text(best.start + best.length, 8)}`
  })
}

// As Go has it: hosts whose label ends in a hyphen exist, and no certificate is wrong for it.
const label = /^[a-z0-9_][a-z0-9_-]*$/

/**
 * Whether a text is a DNS name in the form `DnsName` has: lower-case labels of letters, digits, hyphens and
 * underscores (which the DNS allows and people use), at most 253 characters, and not numbers that read as an address.
 *
 * @since 0.1.0
 * @category guards
 */
export const isDnsName = (name: string): boolean => dnsNameProblem(name) === undefined

const dnsNameProblem = (name: string): string | undefined => {
  if (name === "") return "it is empty"
  if (name.length > 253) return "it is longer than 253 characters"
  const labels = name.split(".")
  for (const part of labels) {
    if (part === "") return "it has an empty label"
    if (part.length > 63) return "it has a label of more than 63 characters"
    if (!label.test(part)) return `${JSON.stringify(part)} is not a label of letters, digits and hyphens`
  }
  // What a URL parser would take for an IPv4 address must not pass as a name.
  if (/^(?:\d+|0x[0-9a-f]*)$/.test(labels[labels.length - 1]!)) return "it ends in a number, and is no IPv4 address"
  return undefined
}

/**
 * A name or an address from text: any case, a trailing dot, brackets around an IPv6 address and a zone after it
 * (`%eth0`, which no certificate can contain) are brought to the one form. Names in other scripts are refused: their
 * A-label (`xn--…`) is what DNS and certificates have.
 *
 * @since 0.1.0
 * @category constructors
 */
export const parse = (text: string): Either.Either<ServerName, InvalidServerName> => {
  const invalid = (problem: string) => Either.left(new InvalidServerName({ input: text, problem }))
  const bracketed = text.startsWith("[") && text.endsWith("]")
  const inner = bracketed ? text.slice(1, -1) : text
  if (inner.includes(":")) {
    const bytes = parseAddress(inner.replace(/%.*$/s, ""))
    if (bytes !== undefined) return Either.right(fromAddressBytes(bytes)!)
    return invalid(
      /^[^:]+:\d+$/.test(inner) ? "it has a port" : inner.includes("/") ? "it is a URL" : "it is no IPv6 address"
    )
  }
  if (bracketed) return invalid("brackets are for IPv6 addresses")
  const ipv4 = parseIpv4(text)
  if (ipv4 !== undefined) return Either.right(fromAddressBytes(ipv4)!)
  if (/[^\x00-\x7f]/.test(text)) return invalid("it is not ASCII: give its A-label form, as `xn--…`")
  const name = text.toLowerCase().replace(/\.$/, "")
  const problem = dnsNameProblem(name)
  return problem === undefined ? Either.right(new DnsName({ name })) : invalid(problem)
}

/**
 * @since 0.1.0
 * @category guards
 */
export const isServerName = (u: unknown): u is ServerName => u instanceof DnsName || u instanceof IpAddress

/**
 * The text `parse` takes.
 *
 * @since 0.1.0
 * @category conversions
 */
export const format = (name: ServerName): string => name.toString()

/**
 * @since 0.1.0
 * @category schemas
 */
export const ServerNameFromSelf: Schema.Schema<ServerName> = Schema.declare(isServerName, { identifier: "ServerName" })

/**
 * A server name from and to its text.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ServerNameFromString: Schema.Schema<ServerName, string> = Schema.transformOrFail(
  Schema.String,
  ServerNameFromSelf,
  {
    strict: true,
    decode: (text, _, ast) => Either.mapLeft(parse(text), (error) => new ParseResult.Type(ast, text, error.message)),
    encode: (name) => ParseResult.succeed(format(name))
  }
)
