/** A signer whose key WebCrypto keeps to itself: what brings RSA to a provider that only verifies it. */
import { Effect, Either } from "effect"
import { CryptoProvider, PrivateKey, PublicKey } from "effect-tls"
import * as Der from "../../src/schema/Der.ts"
import { oids } from "../../src/schema/ObjectIdentifier.ts"

const algorithm = (hash: string) => ({ name: "RSA-PSS", hash })

/** The same numbers as a key for RSASSA-PSS alone. */
const asPss = (key: PublicKey.PublicKey): Uint8Array => {
  if (key._tag !== "Rsa") throw new Error(`not a plain RSA key: ${PublicKey.format(key)}`)
  return Der.sequence(
    Der.sequence(Der.oid(oids.rsassaPss)),
    Der.bitString(Der.sequence(Der.integer(key.modulus), Der.integer(key.exponent)))
  )
}

/** A new RSA key of 2048 bits. WebCrypto binds a key to its hash, so there is one for each. */
export const rsa = (tag: "Rsa" | "RsaPss"): Effect.Effect<PrivateKey.PrivateKey> =>
  Effect.promise(async () => {
    const generated = await crypto.subtle.generateKey(
      { ...algorithm("SHA-256"), modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1) },
      true,
      ["sign", "verify"]
    )
    const pkcs8 = await crypto.subtle.exportKey("pkcs8", generated.privateKey)
    const spki = new Uint8Array(await crypto.subtle.exportKey("spki", generated.publicKey))
    const plain = Either.getOrThrow(PublicKey.decode(spki))
    const publicKey = tag === "Rsa" ? plain : Either.getOrThrow(PublicKey.decode(asPss(plain)))
    return PrivateKey.make({
      publicKey,
      schemes: PrivateKey.schemesOf(publicKey),
      sign: (wanted, data) =>
        wanted._tag === "RsaPss"
          ? Effect.promise(async () => {
              const key = await crypto.subtle.importKey("pkcs8", pkcs8, algorithm(wanted.hash), false, ["sign"])
              const { saltLength } = wanted
              return new Uint8Array(
                await crypto.subtle.sign({ name: "RSA-PSS", saltLength }, key, Uint8Array.from(data))
              )
            })
          : Effect.fail(
              new CryptoProvider.CryptoError({ reason: "Unsupported", operation: "sign", detail: wanted._tag })
            )
    })
  })
