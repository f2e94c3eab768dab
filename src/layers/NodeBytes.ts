/**
 * Between Uint8Array, which we deal in, and Buffer, which Node does, without copying.
 *
 * @since 0.1.0
 */

/**
 * The same memory as a Buffer.
 *
 * @since 0.1.0
 * @category conversions
 */
export const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/**
 * The same memory as a plain Uint8Array, whose `slice` copies as everybody expects. Results of node:crypto have memory
 * of their own; small results of `Buffer.from` and `Buffer.concat` share theirs with others and want a copy.
 *
 * @since 0.1.0
 * @category conversions
 */
export const view = (buffer: Buffer): Uint8Array => new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
