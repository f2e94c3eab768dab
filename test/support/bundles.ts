/** Encrypted keys and bundles made with Node's cryptography. */
import * as BundleMaker from "./bundleMaker.ts"
import { crypto } from "./identities.ts"

export type { Attributes, Encryption, Vouching } from "./bundleMaker.ts"
export { bag, certBag, keyBag, openSafe, pbes2, pbkdf2, scrypt, tripleDes } from "./bundleMaker.ts"
export const { encrypt, encryptedKey, encryptedSafe, pfx, shroudedBag } = BundleMaker.make(crypto)
