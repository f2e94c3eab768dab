/**
 * What holds for the extensions of every message (RFC 9846 §4.2): none twice, none where it may not stand, no answer
 * to what was not offered, not too many.
 *
 * @since 0.1.0
 */
import { find, typeOf } from "../schema/Extension.ts"
import type { Extension } from "../schema/Extension.ts"
import * as ExtensionType from "../schema/ExtensionType.ts"
import type { HandshakeMessage } from "../schema/HandshakeMessage.ts"
import type { Limits } from "../schema/Limits.ts"
import type { Phase } from "../schema/TlsError.ts"
import { HandshakeError } from "../schema/TlsError.ts"

interface Rules {
  readonly limits: Limits
  readonly phase: Phase
  /** Types that were offered, where the message answers an offer. */
  readonly offered: ReadonlySet<number> | undefined
}

const check = (
  extensions: ReadonlyArray<Extension>,
  context: ExtensionType.ExtensionContext,
  { limits, offered, phase }: Rules
): HandshakeError | undefined => {
  const fail = (reason: HandshakeError["reason"], message: string) => new HandshakeError({ reason, message, phase })
  if (extensions.length > limits.extensions) {
    return fail(
      "IllegalParameter",
      `${context} has ${extensions.length} extensions, at most ${limits.extensions} allowed`
    )
  }
  const seen = new Set<number>()
  for (const extension of extensions) {
    const type = typeOf(extension)
    const name = ExtensionType.name(type)
    if (seen.has(type)) return fail("IllegalParameter", `${context} has ${name} twice`)
    seen.add(type)
    // First the place, then the offer: of an extension that breaks both rules RFC 9846 §4.2 speaks under the first.
    if (!ExtensionType.isAllowedIn(type, context)) {
      return fail("IllegalParameter", `${name} may not stand in ${context}`)
    }
    // A cookie is the one thing a server may say unasked (RFC 9846 §4.2.2).
    if (offered !== undefined && !offered.has(type) && extension._tag !== "Cookie") {
      return fail("UnsupportedExtension", `${context} answers ${name}, which was not offered`)
    }
  }
  return undefined
}

/**
 * What is wrong with a message's extensions, if anything.
 *
 * @since 0.1.0
 * @category checks
 */
export const checkMessage = (message: HandshakeMessage, rules: Rules): HandshakeError | undefined => {
  switch (message._tag) {
    case "ClientHello":
    case "CertificateRequest":
    case "NewSessionTicket":
      return check(message.extensions, message._tag, { ...rules, offered: undefined })
    case "ServerHello":
      // Without it this is the ServerHello of an older version, where other extensions stand (its version is what is
      // wrong with it, and that is for the handshake to say).
      return find(message.extensions, "SelectedVersion") === undefined
        ? undefined
        : check(message.extensions, message._tag, rules)
    case "HelloRetryRequest":
    case "EncryptedExtensions":
      return check(message.extensions, message._tag, rules)
    case "Certificate":
      for (const entry of message.entries) {
        const wrong = check(entry.extensions, "Certificate", rules)
        if (wrong !== undefined) return wrong
      }
      return undefined
    default:
      return undefined
  }
}
