/**
 * Points of the NIST curves as SEC 1 §2.3.3 writes them. Keys are public, so plain arithmetic will do, and every
 * provider gets the one form that all of them take: uncompressed.
 *
 * @since 0.1.0
 */
import type { EcCurve } from "./Algorithms.ts"
import * as Bytes from "./Bytes.ts"

/**
 * Length of a coordinate, and of a private scalar, in bytes.
 *
 * @since 0.1.0
 * @category constants
 */
export const coordinateLength: { readonly [C in EcCurve]: number } = { "P-256": 32, "P-384": 48, "P-521": 66 }

/** The prime and the coefficient b of y² = x³ - 3x + b (FIPS 186-5, SP 800-186 §3.2.1). */
const domain: { readonly [C in EcCurve]: { readonly p: bigint; readonly b: bigint } } = {
  "P-256": {
    p: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
    b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn
  },
  "P-384": {
    p: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn
  },
  "P-521": {
    p: 2n ** 521n - 1n,
    b: 0x51953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00n
  }
}

const power = (base: bigint, exponent: bigint, modulus: bigint): bigint => {
  let result = 1n
  for (let square = base, rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = (result * square) % modulus
    square = (square * square) % modulus
  }
  return result
}

const toInteger = (bytes: Uint8Array): bigint => BigInt(`0x${Bytes.toHex(bytes)}`)

const write = (value: bigint, target: Uint8Array): void => {
  let rest = value
  for (let i = target.length - 1; i >= 0; i--) {
    target[i] = Number(rest & 0xffn)
    rest >>= 8n
  }
}

/** y of a point, of the parity that is wanted; `undefined` when there is no such point. */
const solve = (curve: EcCurve, x: bigint, isOdd: boolean): bigint | undefined => {
  const { b, p } = domain[curve]
  if (x >= p) return undefined
  const right = (((x * x - 3n) % p) * x + b) % p
  const square = right < 0n ? right + p : right
  // p is 3 modulo 4 for each of these curves.
  const root = power(square, (p + 1n) / 4n, p)
  if ((root * root) % p !== square) return undefined
  if (((root & 1n) === 1n) === isOdd) return root
  // Zero has no other root.
  return root === 0n ? undefined : p - root
}

/**
 * The uncompressed form of a point: of an uncompressed one itself, unchecked; of a compressed one with y computed; or
 * what is wrong with it. RFC 5480 §2.2 has no other form, though OpenSSL writes a hybrid one when told to.
 *
 * @since 0.1.0
 * @category decoding
 */
export const uncompressed = (curve: EcCurve, point: Uint8Array): Uint8Array | { readonly problem: string } => {
  const length = coordinateLength[curve]
  const form = point[0]
  if (form === 4 && point.length === 1 + 2 * length) return point
  if ((form === 2 || form === 3) && point.length === 1 + length) {
    const y = solve(curve, toInteger(point.subarray(1)), form === 3)
    if (y === undefined) return { problem: `a compressed point that is not on ${curve}` }
    const whole = new Uint8Array(1 + 2 * length)
    whole.set(point)
    whole[0] = 4
    write(y, whole.subarray(1 + length))
    return whole
  }
  if ((form === 6 || form === 7) && point.length === 1 + 2 * length) {
    return {
      problem: `a ${curve} key as a hybrid point, which RFC 5480 forbids: \`openssl ec -conv_form uncompressed\` converts it`
    }
  }
  return { problem: `a ${curve} key that is not a point` }
}
