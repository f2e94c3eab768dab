/**
 * A growing buffer for wire bytes. A number or a vector that does not fit its field is a `RangeError`, never cut short:
 * bytes that say something else than the value would be worse than none.
 *
 * @since 0.1.0
 */

const misfit = (value: number, bits: number): never => {
  throw new RangeError(`${value} is not a whole number of ${bits} bits`)
}

/**
 * @since 0.1.0
 * @category models
 */
export class ByteWriter {
  #bytes: Uint8Array
  #length = 0

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity)
  }

  #reserve(count: number): number {
    const at = this.#length
    const needed = at + count
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
      grown.set(this.#bytes.subarray(0, at))
      this.#bytes = grown
    }
    this.#length = needed
    return at
  }

  uint8(value: number): this {
    if ((value & 0xff) !== value) misfit(value, 8)
    const at = this.#reserve(1)
    this.#bytes[at] = value
    return this
  }

  uint16(value: number): this {
    if ((value & 0xffff) !== value) misfit(value, 16)
    const at = this.#reserve(2)
    this.#bytes[at] = value >>> 8
    this.#bytes[at + 1] = value
    return this
  }

  uint24(value: number): this {
    if ((value & 0xffffff) !== value) misfit(value, 24)
    const at = this.#reserve(3)
    this.#bytes[at] = value >>> 16
    this.#bytes[at + 1] = value >>> 8
    this.#bytes[at + 2] = value
    return this
  }

  uint32(value: number): this {
    if (value >>> 0 !== value) misfit(value, 32)
    const at = this.#reserve(4)
    this.#bytes[at] = value >>> 24
    this.#bytes[at + 1] = value >>> 16
    this.#bytes[at + 2] = value >>> 8
    this.#bytes[at + 3] = value
    return this
  }

  raw(bytes: Uint8Array): this {
    const at = this.#reserve(bytes.length)
    this.#bytes.set(bytes, at)
    return this
  }

  #prefixed(width: 1 | 2 | 3, body: (writer: this) => void): this {
    const at = this.#reserve(width)
    body(this)
    const length = this.#length - at - width
    if (length >= 2 ** (8 * width)) {
      throw new RangeError(`a vector of ${length} bytes does not fit a length of ${width} byte(s)`)
    }
    for (let i = 0; i < width; i++) this.#bytes[at + i] = length >>> (8 * (width - 1 - i))
    return this
  }

  /** A vector with a one-byte length. */
  vector8(body: (writer: this) => void): this {
    return this.#prefixed(1, body)
  }

  /** A vector with a two-byte length. */
  vector16(body: (writer: this) => void): this {
    return this.#prefixed(2, body)
  }

  /** A vector with a three-byte length. */
  vector24(body: (writer: this) => void): this {
    return this.#prefixed(3, body)
  }

  /** What was written, as a view; the writer is done. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }
}
