/**
 * A map of derived values that cannot grow without bound: past its capacity the entry used longest ago goes.
 *
 * @since 0.1.0
 */

/**
 * @since 0.1.0
 * @category models
 */
export class BoundedCache<V> {
  readonly capacity: number
  readonly #entries = new Map<string, V>()

  constructor(capacity: number) {
    this.capacity = capacity
  }

  /** How many entries there are. */
  get size(): number {
    return this.#entries.size
  }

  /** The value of a key, made when it is not there. What `make` throws is not remembered. */
  get(key: string, make: () => V): V {
    let value = this.#entries.get(key)
    if (value === undefined) {
      value = make()
      if (this.#entries.size >= this.capacity) {
        // A Map keeps the order of insertion, so its first key is the one used longest ago.
        for (const oldest of this.#entries.keys()) {
          this.#entries.delete(oldest)
          break
        }
      }
    } else {
      this.#entries.delete(key)
    }
    this.#entries.set(key, value)
    return value
  }
}
