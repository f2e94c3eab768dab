/**
 * What holds where nothing was said: every default in this file (limits in `Limits`). The lists are those of the default
 * policy; what the other policies add or leave out is in `Policy`.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import type { CipherSuiteName } from "./CipherSuite.ts"
import type { NamedGroupName } from "./NamedGroup.ts"
import type { PolicyName } from "./Policy.ts"
import { maxPlaintext } from "./Record.ts"
import type { SignatureSchemeName } from "./SignatureScheme.ts"

/**
 * @since 0.1.0
 * @category defaults
 */
export const policy: PolicyName = "modern"

/**
 * The CCM suites are for devices that have nothing else, and only by name.
 *
 * @since 0.1.0
 * @category defaults
 */
export const cipherSuites: ReadonlyArray<CipherSuiteName> = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256"
]

/**
 * The hybrid is left out where the provider has no native ML-KEM: it would cost more than all the rest of a handshake.
 *
 * @since 0.1.0
 * @category defaults
 */
export const groups: ReadonlyArray<NamedGroupName> = [
  "X25519MLKEM768",
  "x25519",
  "secp256r1",
  "secp384r1",
  "secp521r1",
  "x448"
]

/**
 * @since 0.1.0
 * @category defaults
 */
export const signatureSchemes: ReadonlyArray<SignatureSchemeName> = [
  "ecdsa_secp256r1_sha256",
  "ed25519",
  "ecdsa_secp384r1_sha384",
  "rsa_pss_rsae_sha256",
  "rsa_pss_rsae_sha384",
  "rsa_pss_rsae_sha512",
  "rsa_pss_pss_sha256",
  "rsa_pss_pss_sha384",
  "rsa_pss_pss_sha512",
  "ecdsa_secp521r1_sha512",
  "ed448"
]

/**
 * What certificates may be signed with besides `signatureSchemes` (RFC 9846 §4.2.3).
 *
 * @since 0.1.0
 * @category defaults
 */
export const certificateOnlySchemes: ReadonlyArray<SignatureSchemeName> = [
  "rsa_pkcs1_sha256",
  "rsa_pkcs1_sha384",
  "rsa_pkcs1_sha512"
]

/**
 * @since 0.1.0
 * @category defaults
 */
export const maxFragment = maxPlaintext

/**
 * @since 0.1.0
 * @category defaults
 */
export const recordPadding = 1

/**
 * @since 0.1.0
 * @category defaults
 */
export const middleboxCompatibility = true

/**
 * A server that keeps the handshake's state needs no cookie.
 *
 * @since 0.1.0
 * @category defaults
 */
export const helloRetryCookie = false

/**
 * @since 0.1.0
 * @category defaults
 */
export const handshakeTimeout: Duration.Duration = Duration.seconds(10)

/**
 * Tickets a server gives after a full handshake: each is used once, and browsers and pools open several connections.
 *
 * @since 0.1.0
 * @category defaults
 */
export const tickets = 2

/**
 * How long a session may be resumed.
 *
 * @since 0.1.0
 * @category defaults
 */
export const sessionLifetime: Duration.Duration = Duration.hours(2)

/**
 * How long one key seals tickets.
 *
 * @since 0.1.0
 * @category defaults
 */
export const ticketKeyRotation: Duration.Duration = Duration.hours(6)

/**
 * Keys before the one of now that still open tickets.
 *
 * @since 0.1.0
 * @category defaults
 */
export const previousTicketKeys = 1

/**
 * Servers that a client keeps sessions of.
 *
 * @since 0.1.0
 * @category defaults
 */
export const sessionServers = 256

/**
 * Sessions that a client keeps of one server.
 *
 * @since 0.1.0
 * @category defaults
 */
export const sessionsPerServer = 8

/**
 * Handshakes a server has under way at once; further connections wait.
 *
 * @since 0.1.0
 * @category defaults
 */
export const concurrentHandshakes = 256

/**
 * How long a server that closes waits for its connections to end by themselves.
 *
 * @since 0.1.0
 * @category defaults
 */
export const drainTimeout: Duration.Duration = Duration.seconds(5)

/**
 * How long files must be left alone before a context is loaded from them again.
 *
 * @since 0.1.0
 * @category defaults
 */
export const reloadDebounce: Duration.Duration = Duration.millis(250)

/**
 * How often files are looked at without word of a change.
 *
 * @since 0.1.0
 * @category defaults
 */
export const reloadRecheck: Duration.Duration = Duration.minutes(1)

/**
 * How long loading a context may take that is loaded again.
 *
 * @since 0.1.0
 * @category defaults
 */
export const reloadTimeout: Duration.Duration = Duration.minutes(1)

/**
 * How many names a lookup remembers.
 *
 * @since 0.1.0
 * @category defaults
 */
export const lookupCapacity = 1000

/**
 * Lookups of names under way at once.
 *
 * @since 0.1.0
 * @category defaults
 */
export const lookupConcurrency = 32

/**
 * How long what was found for a name is good.
 *
 * @since 0.1.0
 * @category defaults
 */
export const lookupTimeToLive: Duration.Duration = Duration.hours(1)

/**
 * How long it is remembered that there is nothing for a name.
 *
 * @since 0.1.0
 * @category defaults
 */
export const lookupMissingTimeToLive: Duration.Duration = Duration.seconds(10)

/**
 * How long the lookup of a name may take.
 *
 * @since 0.1.0
 * @category defaults
 */
export const lookupTimeout: Duration.Duration = Duration.seconds(10)

/**
 * How long what was found for a name stays usable after it was forgotten.
 *
 * @since 0.1.0
 * @category defaults
 */
export const lookupLinger: Duration.Duration = Duration.minutes(1)
