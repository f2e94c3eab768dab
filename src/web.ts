/**
 * effect-tls with Web Cryptography: signers of keys that never leave it.
 *
 * @since 0.1.0
 */
export * as WebPrivateKey from "./layers/WebPrivateKey.ts"
