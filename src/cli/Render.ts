/**
 * What became of a connection, as text for people.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import type { ConnectionInfo } from "../core/ConnectionInfo.ts"
import type { CryptoProviderService } from "../core/CryptoProvider.ts"
import type { ChainEntry } from "../schema/TlsError.ts"
import type { Failure } from "./Report.ts"
import { alertName, chainOf, hint, verifiedBy } from "./Report.ts"

/**
 * What a peer chose the characters of: none of them may move the cursor or forge a line.
 *
 * @since 0.1.0
 * @category text
 */
export const printable = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)

/**
 * Names and values in two columns.
 *
 * @since 0.1.0
 * @category text
 */
export const rows = (pairs: ReadonlyArray<readonly [name: string, value: string]>): ReadonlyArray<string> => {
  const width = Math.max(...pairs.map(([name]) => name.length))
  return pairs.map(([name, value]) => `  ${name.padEnd(width)}  ${printable(value)}`)
}

const day = (date: Date): string => date.toISOString().slice(0, 10)

const marks = { valid: "✓", failed: "✗", unchecked: "·" } as const

/**
 * A chain, leaf first: `✓` verified, `✗` refused, `·` not looked at.
 *
 * @since 0.1.0
 * @category text
 */
export const chain = (entries: ReadonlyArray<ChainEntry>): ReadonlyArray<string> =>
  entries.flatMap((entry, depth) => [
    printable(
      `  ${marks[entry.mark]} ${depth}  ${entry.subject === "" ? "(no subject)" : entry.subject}${entry.anchor ? ", trust anchor" : ""}`
    ),
    printable(`       issued by ${entry.issuer}, ${day(entry.notBefore)} to ${day(entry.notAfter)}`),
    `       sha256 ${entry.fingerprint256}`
  ])

const orNone = (option: Option.Option<unknown>): string =>
  Option.match(option, { onNone: () => "none", onSome: String })

/**
 * What was negotiated, line by line.
 *
 * @since 0.1.0
 * @category text
 */
export const negotiated = (info: ConnectionInfo): ReadonlyArray<string> =>
  rows([
    ["version", info.version],
    ["cipher suite", info.cipherSuite],
    ["group", info.helloRetryRequest ? `${info.group}, after a HelloRetryRequest` : info.group],
    ["signature scheme", info.signatureScheme],
    ["application protocol", orNone(info.alpn)],
    ["server name", orNone(info.serverName)],
    ["resumed", info.resumed ? "yes" : "no"]
  ])

/**
 * Who the peer is, and its chain.
 *
 * @since 0.1.0
 * @category text
 */
export const peer = (info: ConnectionInfo, crypto: CryptoProviderService): ReadonlyArray<string> => {
  const who = info.role === "client" ? "server" : "client"
  const entries = chainOf(info, crypto)
  if (entries.length === 0) return [`the ${who} showed no certificate`]
  const heading = Option.match(verifiedBy(info), {
    onNone: () => `the ${who}'s certificates, which nobody verified`,
    onSome: (by) => `the ${who}'s certificates, verified by ${printable(by)}`
  })
  return [heading, ...chain(entries)]
}

/**
 * A server's connection on one line.
 *
 * @since 0.1.0
 * @category text
 */
export const summary = (info: ConnectionInfo): string =>
  printable(
    [
      `${info.version}, ${info.cipherSuite}, ${info.group}, ${info.signatureScheme}`,
      ...Option.toArray(info.serverName).map((name) => `name ${name}`),
      ...Option.toArray(info.alpn).map((protocol) => `protocol ${protocol}`),
      ...info.peerCertificates.slice(0, 1).map((leaf) => `client ${leaf.label}`)
    ].join("; ")
  )

/**
 * What went wrong: the message, what is known of the chain, the alert and a hint.
 *
 * @since 0.1.0
 * @category text
 */
export const failure = (error: Failure): ReadonlyArray<string> => {
  switch (error._tag) {
    case "Interrupted":
      return ["interrupted"]
    case "StreamError":
      return [error.message]
    case "TlsConfigError":
      return error.message.split("\n")
    default: {
      const verb = error._tag === "AlertError" ? "alert received" : "alert sent"
      return [
        `${error._tag} (${error.reason}): ${printable(error.message)}`,
        ...(error._tag === "CertificateError" ? chain(error.chain) : []),
        ...rows([
          ["phase", error.phase],
          ...Option.toArray(alertName(error)).map((name) => [verb, name] as const),
          ["hint", hint(error)]
        ])
      ]
    }
  }
}
