/**
 * Every bound we put on a peer, in one table: named options with their defaults.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const limit = (min = 1) =>
  Schema.Number.pipe(
    Schema.filter(
      (n) => (Number.isSafeInteger(n) && n >= min) || `a limit is a whole number of at least ${min}, found ${n}`
    )
  )

/**
 * @since 0.1.0
 * @category schemas
 */
export const Limits = Schema.Struct({
  /** Bytes of a handshake message without its header, but for certificates. */
  handshakeMessage: limit(),
  /** Bytes of a Certificate message without its header. */
  certificateMessage: limit(),
  /** Extensions in one message, and in one entry of a Certificate message. */
  extensions: limit(),
  /** KeyUpdates, tickets and other post-handshake messages in a row without data between them. */
  consecutivePostHandshake: limit(),
  /** Records of no content in a row. */
  consecutiveEmptyRecords: limit(),
  /** Compatibility ChangeCipherSpecs in one handshake. */
  changeCipherSpecs: limit(),
  /** `user_canceled` warnings before they end the connection. */
  warnings: limit(),
  /** Bytes of early data skipped after it was not accepted, records' headers and tags included. */
  rejectedEarlyData: limit(0),
  /** Sessions of a client's offer that a server looks at. */
  pskIdentities: limit(),
  /** Bytes of a session's ticket that is given or kept: it has to go into a ClientHello. */
  ticket: limit(),
  /** Tickets of one connection that a client's cache is busy with; those that come meanwhile are dropped. */
  ticketsBeingKept: limit(),
  /** How far the clocks of those who share ticket keys may be apart, in milliseconds. */
  ticketAgeSkew: limit(0),
  /** Certificates between leaf and anchor. */
  intermediates: limit(0),
  /** Signatures verified while looking for one path. */
  pathSignatures: limit(),
  /** Comparisons of a name with a CA's name constraints. */
  nameConstraintComparisons: limit(),
  /** Certificate policies and mappings looked at while looking for one path. */
  pathPolicies: limit(),
  /** Bits of an RSA key in a certificate, at least. */
  rsaModulusMin: limit(1024),
  /** Bits of an RSA key in a certificate, at most. */
  rsaModulusMax: limit(2048),
  /** Iterations to make keys of a passphrase, over all of a file: PBKDF2's and PKCS#12's. */
  passwordIterations: limit(),
  /** Bytes that scrypt may fill to make keys of a passphrase, over all of a file: 128 · N · r · p of each. */
  scryptMemory: limit(),
  /** Bytes of the DER of a certificate revocation list. */
  revocationList: limit(),
  /** Bytes of the DER of an OCSP response. */
  ocspResponse: limit(),
  /** Records protected by one key before it is updated; the suite's own limit holds when it is lower. */
  recordsPerKey: limit(4)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Limits extends Schema.Schema.Type<typeof Limits> {}

/**
 * The default of every limit. They are those of rustls and BoringSSL where these have one.
 *
 * @since 0.1.0
 * @category constants
 */
export const defaults: Limits = {
  handshakeMessage: 65_536,
  certificateMessage: 102_400,
  extensions: 64,
  consecutivePostHandshake: 32,
  consecutiveEmptyRecords: 32,
  changeCipherSpecs: 2,
  warnings: 4,
  rejectedEarlyData: 17_408,
  pskIdentities: 5,
  ticket: 16_384,
  ticketsBeingKept: 8,
  ticketAgeSkew: 60_000,
  intermediates: 10,
  pathSignatures: 100,
  nameConstraintComparisons: 100_000,
  pathPolicies: 100_000,
  rsaModulusMin: 2048,
  rsaModulusMax: 8192,
  passwordIterations: 10_000_000,
  scryptMemory: 268_435_456,
  revocationList: 33_554_432,
  ocspResponse: 65_536,
  recordsPerKey: 2 ** 48
}
