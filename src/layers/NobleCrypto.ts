/**
 * Cryptography in JavaScript alone, by the @noble packages: for browsers, workers and wherever else there is no
 * `node:crypto`. It does all that the protocol asks for but for signing with RSA keys, and takes its time: a record of
 * 16 KiB costs 0.1 to 0.3 ms, a handshake on X25519 and P-256 10 ms.
 *
 * @since 0.1.0
 */
import * as Layer from "effect/Layer"
import type { Capabilities, CryptoProviderService } from "../core/CryptoProvider.ts"
import { CryptoProvider } from "../core/CryptoProvider.ts"
import { isKeyFor } from "../core/PrivateKey.ts"
import type { AeadAlgorithm, HashAlgorithm } from "../schema/Algorithms.ts"
import { aeadLengths } from "../schema/Algorithms.ts"
import * as NobleAead from "./NobleAead.ts"
import * as NobleHash from "./NobleHash.ts"
import * as NobleKeyAgreement from "./NobleKeyAgreement.ts"
import * as NoblePassword from "./NoblePassword.ts"
import * as NobleSignature from "./NobleSignature.ts"

/**
 * `randomBytes` gives that many unpredictable bytes; by default those of the host, `crypto.getRandomValues`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly randomBytes?: (length: number) => Uint8Array
}

/** What we need of Web Cryptography, which every host has and the language does not declare. */
interface WebCryptoHost {
  readonly crypto?: { readonly getRandomValues?: <A extends Uint8Array>(bytes: A) => A }
}

/** One call of `getRandomValues` gives no more than that (Web Cryptography §10.1.1). */
const quota = 65_536

const hostRandomBytes = (length: number): Uint8Array => {
  const { crypto } = globalThis as unknown as WebCryptoHost
  if (crypto?.getRandomValues === undefined) {
    throw new Error("this host has no crypto.getRandomValues: give NobleCrypto.make({ randomBytes }) a source")
  }
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; at += quota) crypto.getRandomValues(bytes.subarray(at, at + quota))
  return bytes
}

const capabilities: Capabilities = {
  hashes: new Set(Object.keys(NobleHash.functions) as Array<HashAlgorithm>),
  aeads: new Set(Object.keys(aeadLengths) as Array<AeadAlgorithm>),
  groups: NobleKeyAgreement.groups,
  nativeGroups: NobleKeyAgreement.nativeGroups,
  verify: (algorithm, key) => isKeyFor(key, algorithm),
  sign: (algorithm, key) => key._tag !== "Rsa" && key._tag !== "RsaPss" && isKeyFor(key, algorithm),
  cbcs: NoblePassword.cbcs,
  passwordKdfs: NoblePassword.kdfs
}

/**
 * The provider as a value.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = ({ randomBytes = hostRandomBytes }: Options = {}): CryptoProviderService => ({
  name: "noble",
  capabilities,
  randomBytes,
  hash: NobleHash.hash,
  createHash: NobleHash.createHash,
  hmac: NobleHash.hmac,
  aead: NobleAead.make,
  cbc: NoblePassword.cbc,
  deriveFromPassword: NoblePassword.derive,
  equal: NobleAead.equal,
  generateKeyShare: NobleKeyAgreement.generateKeyShare(randomBytes),
  encapsulate: NobleKeyAgreement.encapsulate(randomBytes),
  verify: NobleSignature.verify,
  importPrivateKey: NobleSignature.importPrivateKey,
  generatePrivateKey: NobleSignature.generatePrivateKey(randomBytes)
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<CryptoProvider> = Layer.sync(CryptoProvider, () => make())
