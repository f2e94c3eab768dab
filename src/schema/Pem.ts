/**
 * PEM (RFC 7468) as people have it: several blocks with text around them, any line ends, a byte order mark, line ends
 * escaped or lost in an environment variable. Nothing of a block's content is ever in an error.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"
import * as Redacted from "effect/Redacted"

/**
 * A text that is not PEM, or not the PEM that is needed. `problem` says what was found and what would be right.
 *
 * @since 0.1.0
 * @category errors
 */
export class PemError extends Data.TaggedError("PemError")<{
  readonly reason: "NoBlock" | "Malformed" | "WrongKind"
  readonly problem: string
}> {
  override get message(): string {
    return this.problem
  }
}

/**
 * One block. `headers` are those of RFC 1421 (`Proc-Type`, `DEK-Info`), which encrypted keys of old have. `content` is
 * redacted whatever it is: a label is only what somebody wrote before it.
 *
 * @since 0.1.0
 * @category models
 */
export interface PemBlock {
  readonly label: string
  readonly headers: ReadonlyMap<string, string>
  readonly content: Redacted.Redacted<Uint8Array>
}

const begin = "-----BEGIN "
const end = "-----END "
const dashes = "-----"

const malformed = (problem: string) => Either.left(new PemError({ reason: "Malformed", problem }))

const splitHeaders = (body: string): { readonly headers: Map<string, string>; readonly base64: string } => {
  const headers = new Map<string, string>()
  if (!body.includes(":")) return { headers, base64: body }
  const lines = body.split(/\r\n|\r|\n/)
  let at = 0
  let last = ""
  for (; at < lines.length; at++) {
    const line = lines[at]!
    const colon = line.indexOf(":")
    if (colon > 0) {
      last = line.slice(0, colon).trim()
      headers.set(last, line.slice(colon + 1).trim())
    } else if (/^[ \t]+\S/.test(line) && last !== "") {
      headers.set(last, `${headers.get(last)} ${line.trim()}`)
    } else if (line.trim() !== "" || headers.size > 0) {
      break
    }
  }
  return { headers, base64: lines.slice(at).join("\n") }
}

/**
 * All blocks of a text, in order; text around them is passed over. None is not an error here.
 *
 * @since 0.1.0
 * @category decoding
 */
export const parse = (input: string): Either.Either<ReadonlyArray<PemBlock>, PemError> => {
  // Where line ends were escaped for an environment variable or JSON, there are no true ones inside a block.
  const text = input.includes("\\n") || input.includes("\\r") ? input.replace(/\\r|\\n/g, "\n") : input
  const blocks: Array<PemBlock> = []
  let position = 0
  for (;;) {
    const start = text.indexOf(begin, position)
    if (start < 0) return Either.right(blocks)
    const labelStart = start + begin.length
    const labelEnd = text.indexOf(dashes, labelStart)
    const label = labelEnd < 0 ? "" : text.slice(labelStart, labelEnd)
    if (!/^[A-Z0-9](?:[ -]?[A-Z0-9]+){0,8}$/.test(label)) {
      return malformed(`PEM block ${blocks.length + 1} has no proper BEGIN line`)
    }
    const bodyStart = labelEnd + dashes.length
    const stop = text.indexOf(end, bodyStart)
    const next = text.indexOf(begin, bodyStart)
    if (stop < 0 || (next >= 0 && next < stop)) {
      return malformed(`the PEM block "${label}" has no END line: the text is cut off or was put together wrongly`)
    }
    if (!text.startsWith(`${label}${dashes}`, stop + end.length)) {
      return malformed(`the PEM block "${label}" ends with another END line`)
    }
    const { base64, headers } = splitHeaders(text.slice(bodyStart, stop))
    const content = Encoding.decodeBase64(base64.replace(/\s+/g, ""))
    if (Either.isLeft(content)) return malformed(`the PEM block "${label}" is not base64: the text is damaged`)
    blocks.push({ label, headers, content: Redacted.make(content.right) })
    position = stop + end.length + label.length + dashes.length
  }
}

/**
 * One block as text, in lines of 64 characters.
 *
 * @since 0.1.0
 * @category encoding
 */
export const format = (label: string, content: Uint8Array): string => {
  const lines = Encoding.encodeBase64(content).match(/.{1,64}/g) ?? []
  return `${begin}${label}${dashes}\n${lines.map((line) => `${line}\n`).join("")}${end}${label}${dashes}\n`
}

const kinds: { readonly [label: string]: string } = {
  CERTIFICATE: "a certificate",
  "X509 CERTIFICATE": "a certificate",
  "TRUSTED CERTIFICATE": "a certificate",
  "PRIVATE KEY": "a private key",
  "RSA PRIVATE KEY": "a private key",
  "EC PRIVATE KEY": "a private key",
  "DSA PRIVATE KEY": "a private key",
  "ENCRYPTED PRIVATE KEY": "an encrypted private key",
  "OPENSSH PRIVATE KEY": "a private key in OpenSSH's own format",
  "PUBLIC KEY": "a public key",
  "RSA PUBLIC KEY": "a public key",
  "SSH2 PUBLIC KEY": "an SSH public key",
  "CERTIFICATE REQUEST": "a certificate request",
  "NEW CERTIFICATE REQUEST": "a certificate request",
  "X509 CRL": "a certificate revocation list",
  "EC PARAMETERS": "EC parameters",
  "DH PARAMETERS": "Diffie-Hellman parameters",
  PKCS7: "a PKCS#7 bundle",
  CMS: "a CMS message",
  PKCS12: "a PKCS#12 bundle"
}

/**
 * What a label stands for, with its article: `a public key`.
 *
 * @since 0.1.0
 * @category conversions
 */
export const kindOf = (label: string): string => kinds[label] ?? `a PEM block "${label}"`

/**
 * What a text holds, for a message: `a public key`, `2 certificates and a private key`, `no PEM block`.
 *
 * @since 0.1.0
 * @category conversions
 */
export const describe = (blocks: ReadonlyArray<PemBlock>): string => {
  const counts = new Map<string, number>()
  for (const { label } of blocks) counts.set(kindOf(label), (counts.get(kindOf(label)) ?? 0) + 1)
  const parts = Array.from(counts, ([kind, count]) => (count === 1 ? kind : `${kind} (${count} times)`))
  return parts.length === 0 ? "no PEM block" : parts.join(" and ")
}

/**
 * Whether bytes of a file look like PEM and not like DER.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isPem = (bytes: Uint8Array): boolean => bytes[0] !== 0x30 || looksLikeText(bytes)

// 0x30 is DER's SEQUENCE and also the digit 0, with which text before a block might begin.
const looksLikeText = (bytes: Uint8Array): boolean =>
  bytes.subarray(0, 64).every((byte) => byte === 9 || byte === 10 || byte === 13 || (byte >= 32 && byte < 127))
