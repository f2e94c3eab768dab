/**
 * effect-tls without Node: cryptography in JavaScript, for browsers and workers.
 *
 * @since 0.1.0
 */
export * as NobleCrypto from "./layers/NobleCrypto.ts"
