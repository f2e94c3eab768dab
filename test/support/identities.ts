/** Certificates and keys made on the spot, right or wrong, for tests of what is spoken over them. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import type { CryptoProviderService, KeyType } from "../../src/core/CryptoProvider.ts"
import type { Identity } from "../../src/core/Identity.ts"
import type { PrivateKey } from "../../src/core/PrivateKey.ts"
import * as NobleCrypto from "../../src/layers/NobleCrypto.ts"
import * as NodeCrypto from "../../src/layers/NodeCrypto.ts"
import * as AlgorithmIdentifier from "../../src/schema/AlgorithmIdentifier.ts"
import type { SignatureAlgorithm } from "../../src/schema/Algorithms.ts"
import * as Certificate from "../../src/schema/Certificate.ts"
import * as CertificateExtension from "../../src/schema/CertificateExtension.ts"
import * as Der from "../../src/schema/Der.ts"
import * as DistinguishedName from "../../src/schema/DistinguishedName.ts"
import { oids } from "../../src/schema/ObjectIdentifier.ts"
import * as Pem from "../../src/schema/Pem.ts"

export const crypto: CryptoProviderService = NodeCrypto.make()
const synchronous: CryptoProviderService = NobleCrypto.make()

export interface Made {
  readonly certificate: Certificate.Certificate
  readonly chain: readonly [Certificate.Certificate, ...Array<Certificate.Certificate>]
  readonly privateKey: PrivateKey
  readonly pkcs8: Uint8Array
  readonly certificatePem: string
  readonly keyPem: string
  /** As `Identity` takes it. */
  readonly identity: Identity
  /** As `SecureContext.make` takes it. */
  readonly options: { readonly certificateChain: string; readonly privateKey: Redacted.Redacted<string> }
}

export interface Wanted {
  readonly key?: KeyType
  readonly names?: ReadonlyArray<string>
  readonly subject?: string
  readonly ca?: boolean
  /** Self-signed without it. */
  readonly issuer?: Made
  /** What the issuer signs with; by default what its key does first. */
  readonly algorithm?: SignatureAlgorithm
  /** From when until when it is valid, in milliseconds since 1970. */
  readonly validity?: readonly [number, number]
}

const ecHash = { "P-256": "SHA-256", "P-384": "SHA-384", "P-521": "SHA-512" } as const

const algorithmOf = ({ publicKey }: PrivateKey): SignatureAlgorithm => {
  switch (publicKey._tag) {
    case "Ec":
      return { _tag: "Ecdsa", hash: ecHash[publicKey.curve] }
    case "Rsa":
      return { _tag: "RsaPkcs1", hash: "SHA-256" }
    case "RsaPss":
      return { _tag: "RsaPss", hash: "SHA-256", saltLength: 32 }
    case "Ed25519":
    case "Ed448":
      return { _tag: publicKey._tag }
    case "Unsupported":
      throw new Error("no key of ours")
  }
}

const twentyYears = [Date.UTC(2020, 0, 1), Date.UTC(2040, 0, 1)] as const
let serial = 1

export const make = (
  {
    algorithm,
    ca = false,
    issuer,
    key: type = { _tag: "Ec", curve: "P-256" },
    names = ["localhost", "example.org"],
    subject = names[0] ?? "somebody",
    validity = twentyYears
  }: Wanted = {},
  provider = crypto
): Effect.Effect<Made> =>
  Effect.gen(function* () {
    const { key, pkcs8 } = yield* provider.generatePrivateKey(type)
    const signer = issuer?.privateKey ?? key
    const signedWith = algorithm ?? algorithmOf(signer)
    const subjectName = DistinguishedName.fromAttributes([[oids.commonName, subject]])
    const extensions = [
      CertificateExtension.encodeBasicConstraints({ ca, pathLength: undefined }),
      ...(names.length === 0
        ? []
        : [
            CertificateExtension.encodeSubjectAltName(
              names.map((value) => ({ _tag: "DnsName" as const, value })),
              false
            )
          ])
    ]
    const identifier = AlgorithmIdentifier.encode(signedWith)
    const tbs = Der.sequence(
      Der.value(0xa0, Der.integer(2)),
      Der.integer(serial++),
      identifier,
      (issuer?.certificate.subject ?? subjectName).der,
      Der.sequence(...validity.map(Der.time)),
      subjectName.der,
      key.publicKey.spki,
      Der.value(0xa3, Der.sequence(...extensions.map(CertificateExtension.encode)))
    )
    const der = Der.sequence(tbs, identifier, Der.bitString(yield* signer.sign(signedWith, tbs)))
    const certificate = Either.getOrThrow(Certificate.decode(der))
    const chain = [certificate, ...(issuer?.chain ?? [])] as const
    const certificatePem = Certificate.toPem(...chain)
    const keyPem = Pem.format("PRIVATE KEY", Redacted.value(pkcs8))
    return {
      certificate,
      chain,
      privateKey: key,
      pkcs8: Redacted.value(pkcs8),
      certificatePem,
      keyPem,
      identity: { certificateChain: chain, privateKey: key },
      options: { certificateChain: certificatePem, privateKey: Redacted.make(keyPem) }
    }
  }).pipe(Effect.orDie)

/** Keys on curves, which noble makes and signs with at once; RSA takes the thread pool, see `rsa`. */
export const makeSync = (wanted?: Wanted): Made => Effect.runSync(make(wanted, synchronous))

/** One for all tests that only need any. */
export const server: Made = makeSync({ names: ["localhost", "example.org"] })
export const client: Made = makeSync({ names: ["client"], subject: "client" })

let rsaMade: Promise<Made> | undefined
/** RSA takes its time: made once. */
export const rsa = (): Promise<Made> =>
  (rsaMade ??= Effect.runPromise(make({ key: { _tag: "Rsa", modulusLength: 2048 }, names: ["localhost"] })))

let rsaPssMade: Promise<Made> | undefined
export const rsaPss = (): Promise<Made> =>
  (rsaPssMade ??= Effect.runPromise(make({ key: { _tag: "RsaPss", modulusLength: 2048 }, names: ["localhost"] })))
