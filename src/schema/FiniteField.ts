/**
 * Groups of finite fields (RFC 7919): their primes, made of the formula that they were chosen by, and which bytes are a
 * public value in one.
 *
 * @since 0.1.0
 */

/**
 * @since 0.1.0
 * @category models
 */
export type FiniteFieldName = "ffdhe2048" | "ffdhe3072" | "ffdhe4096" | "ffdhe6144" | "ffdhe8192"

/**
 * The generator of each of them.
 *
 * @since 0.1.0
 * @category constants
 */
export const generator = 2

/** How far each prime is from where the formula begins to look: X of RFC 7919 Appendix A. */
const offsets: { readonly [F in FiniteFieldName]: bigint } = {
  ffdhe2048: 560_316n,
  ffdhe3072: 2_625_351n,
  ffdhe4096: 5_736_041n,
  ffdhe6144: 15_705_020n,
  ffdhe8192: 10_965_728n
}

/** The bits that the sum of e's series is more precise than asked for: it has less than 2 ** 10 terms, each cut. */
const guardBits = 64n

/** 2 ** bits · e, rounded down. */
const scaledE = (bits: bigint): bigint => {
  let sum = 0n
  let term = 1n << (bits + guardBits)
  for (let n = 1n; term > 0n; n++) {
    sum += term
    term /= n
  }
  return sum >> guardBits
}

/** 2^b - 2^(b-64) + ([2^(b-130) e] + X) · 2^64 - 1, in bytes. */
const makePrime = (name: FiniteFieldName): Uint8Array => {
  const length = Number(name.slice("ffdhe".length)) / 8
  const bits = BigInt(length * 8)
  let rest = (1n << bits) - (1n << (bits - 64n)) + ((scaledE(bits - 130n) + offsets[name]) << 64n) - 1n
  const bytes = new Uint8Array(length)
  for (let i = length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn)
    rest >>= 8n
  }
  return bytes
}

const primes = new Map<FiniteFieldName, Uint8Array>()

/**
 * The prime of a group, big endian: a safe one, twice a prime and one. It is computed when first asked for, which takes
 * less than a millisecond or two. Not to be changed.
 *
 * @since 0.1.0
 * @category lookups
 */
export const prime = (name: FiniteFieldName): Uint8Array => {
  const known = primes.get(name)
  if (known !== undefined) return known
  const made = makePrime(name)
  primes.set(name, made)
  return made
}

/**
 * The public value as a key share has it: as long as the prime, zeros on the left (RFC 9846 §4.2.8.1). So has the
 * secret (§7.4.1); its leading zeros tell who measures its length something otherwise (Raccoon).
 *
 * @since 0.1.0
 * @category encoding
 */
export const pad = (name: FiniteFieldName, magnitude: Uint8Array): Uint8Array => {
  const padded = new Uint8Array(prime(name).length)
  padded.set(magnitude, padded.length - magnitude.length)
  return padded
}

/**
 * Why bytes are no public value of a group: it is as long as the prime p, and between 1 and p - 1 (RFC 9846 §4.2.8.1).
 * Those two, 0 and 1 and what is above p would make the secret one that anybody knows; no other subgroup is small, since
 * p is a safe prime.
 *
 * @since 0.1.0
 * @category predicates
 */
export const problem = (name: FiniteFieldName, share: Uint8Array): string | undefined => {
  const p = prime(name)
  if (share.length !== p.length) return `a share of ${share.length} bytes, ${p.length} expected`
  const last = share.length - 1
  if (share[last]! <= 1 && share.every((byte, i) => byte === 0 || i === last)) return "a public value of 0 or 1"
  // p is odd: p - 1 is p but for the last bit.
  const at = share.findIndex((byte, i) => byte !== (i === last ? p[i]! - 1 : p[i]))
  return at === -1 || share[at]! > p[at]! - (at === last ? 1 : 0)
    ? "a public value that is not less than the prime minus one"
    : undefined
}
