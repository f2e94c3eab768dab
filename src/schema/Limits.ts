/**
 * Every bound we put on a peer, in one table: named options with their defaults.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const limit = (value: number, min = 1) =>
  Schema.optionalWith(Schema.Int.pipe(Schema.between(min, Number.MAX_SAFE_INTEGER)), {
    exact: true,
    default: () => value
  })

/**
 * @since 0.1.0
 * @category schemas
 */
export const Limits = Schema.Struct({
  /** Bytes of a handshake message without its header, but for certificates. */
  handshakeMessage: limit(65_536),
  /** Bytes of a Certificate message without its header. */
  certificateMessage: limit(102_400),
  /** Extensions in one message, and in one entry of a Certificate message. */
  extensions: limit(64),
  /** KeyUpdates, tickets and other post-handshake messages in a row without data between them. */
  consecutivePostHandshake: limit(32),
  /** Records of no content in a row. */
  consecutiveEmptyRecords: limit(32),
  /** Compatibility ChangeCipherSpecs in one handshake. */
  changeCipherSpecs: limit(2),
  /** `user_canceled` warnings before they end the connection. */
  warnings: limit(4),
  /** Bytes of early data skipped after it was not accepted, records' headers and tags included. */
  rejectedEarlyData: limit(16_384, 0),
  /** Certificates between leaf and anchor. */
  intermediates: limit(10, 0),
  /** Signatures verified while looking for one path. */
  pathSignatures: limit(100),
  /** Records protected by one key before it is updated; the suite's own limit holds when it is lower. */
  recordsPerKey: limit(2 ** 48, 4)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Limits extends Schema.Schema.Type<typeof Limits> {}

/**
 * The default of every limit.
 *
 * @since 0.1.0
 * @category constants
 */
export const defaults: Limits = Schema.decodeSync(Limits)({})
