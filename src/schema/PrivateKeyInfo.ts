/**
 * Private keys as they are stored: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017 §A.1.2) and SEC 1 (RFC 5915), all brought to
 * one form.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import type { EcCurve } from "./Algorithms.ts"
import { DecodeError } from "./ByteReader.ts"
import * as Der from "./Der.ts"
import { coordinateLength, uncompressed } from "./EcPoint.ts"
import * as ObjectIdentifier from "./ObjectIdentifier.ts"
import type { PasswordEncryption } from "./PasswordEncryption.ts"
import * as PasswordEncryptions from "./PasswordEncryption.ts"
import * as Pem from "./Pem.ts"
import type { PublicKey } from "./PublicKey.ts"
import * as PublicKeys from "./PublicKey.ts"

const { oids } = ObjectIdentifier

/**
 * A parsed private key. `pkcs8` is the whole DER `PrivateKeyInfo` whatever the input's container was; `secret` is the
 * scalar of an EC key (fixed width) or the seed of an Edwards key.
 *
 * @since 0.1.0
 * @category models
 */
export type PrivateKeyInfo =
  | { readonly _tag: "Rsa" | "RsaPss"; readonly pkcs8: Redacted.Redacted<Uint8Array> }
  | {
      readonly _tag: "Ec"
      readonly curve: EcCurve
      readonly secret: Redacted.Redacted<Uint8Array>
      readonly pkcs8: Redacted.Redacted<Uint8Array>
    }
  | {
      readonly _tag: "Ed25519" | "Ed448"
      readonly secret: Redacted.Redacted<Uint8Array>
      readonly pkcs8: Redacted.Redacted<Uint8Array>
    }

/**
 * A private key that a passphrase opens: `EncryptedPrivateKeyInfo` (RFC 5958 §3), or PEM with a `DEK-Info`.
 *
 * @since 0.1.0
 * @category models
 */
export interface EncryptedPrivateKey {
  readonly _tag: "Encrypted"
  readonly encryption: PasswordEncryption
  readonly ciphertext: Uint8Array
}

/**
 * No private key that can be used. `problem` says what was found instead, and nothing of what is secret. `Encrypted` is
 * one that needs a passphrase where there is none.
 *
 * @since 0.1.0
 * @category errors
 */
export class PrivateKeyError extends Data.TaggedError("PrivateKeyError")<{
  readonly reason: "NotAPrivateKey" | "Encrypted" | "WrongPassphrase" | "TooCostly" | "Unsupported" | "Malformed"
  readonly problem: string
}> {
  override get message(): string {
    return this.problem
  }
}

/** Thrown inside the readers below, and turned into an `Either` where they are called. */
const refuse = (reason: PrivateKeyError["reason"], problem: string): never => {
  throw new PrivateKeyError({ reason, problem })
}

const needed = "a private key is needed"

// ---------------------------------------------------------------------------------------------------------------------
// DER
// ---------------------------------------------------------------------------------------------------------------------

const pkcs8Of = (algorithm: Uint8Array, key: Uint8Array): Redacted.Redacted<Uint8Array> =>
  Redacted.make(Der.sequence(Der.integer(0), algorithm, Der.octetString(key)))

const readRsa = (reader: Der.DerReader): void =>
  reader.within(Der.Tag.Sequence, (inner) => {
    if (inner.unsigned() !== 0) refuse("Unsupported", "an RSA key of more than two primes")
    for (let i = 0; i < 8; i++) {
      if (inner.unsignedBytes().length === 0) inner.fail("a number of an RSA key that is zero")
    }
  })

const curves: ReadonlyMap<string, EcCurve> = new Map<string, EcCurve>([
  [oids["P-256"], "P-256"],
  [oids["P-384"], "P-384"],
  [oids["P-521"], "P-521"]
])

/** ECPrivateKey; the curve may stand in it, or outside in PKCS#8. */
const readEc = (reader: Der.DerReader, outside: ObjectIdentifier.ObjectIdentifier | undefined): PrivateKeyInfo =>
  reader.within(Der.Tag.Sequence, (inner) => {
    if (inner.unsigned() !== 1) inner.fail("an ECPrivateKey of another version than 1")
    const scalar = inner.octetString()
    const inside =
      inner.peek() === 0xa0
        ? inner.within(0xa0, (parameters) =>
            parameters.peek() === Der.Tag.ObjectIdentifier
              ? parameters.oid()
              : refuse("Unsupported", "an EC key with parameters of its own instead of a named curve")
          )
        : undefined
    const given = inner.peek() === 0xa1 ? inner.within(0xa1, (key) => key.bitStringBytes()) : undefined
    const oid = outside ?? inside
    if (oid === undefined) return inner.fail("an EC key without its curve")
    if (inside !== undefined && inside !== oid) inner.fail("an EC key with two curves")
    const curve = curves.get(oid)
    if (curve === undefined) {
      return refuse(
        "Unsupported",
        `an EC key on the curve ${ObjectIdentifier.name(oid)}: P-256, P-384 and P-521 are supported`
      )
    }
    // RFC 5915 §3 fixes the width, yet some writers drop leading zeros and others add one.
    const width = coordinateLength[curve]
    const excess = Math.max(0, scalar.length - width)
    if (scalar.subarray(0, excess).some((byte) => byte !== 0)) inner.fail("an EC key that is longer than its curve")
    const secret = new Uint8Array(width)
    secret.set(scalar.subarray(excess), Math.max(0, width - scalar.length))
    if (secret.every((byte) => byte === 0)) inner.fail("an EC key of zero")
    const point = given === undefined ? undefined : uncompressed(curve, given)
    if (point !== undefined && "problem" in point) return inner.fail(point.problem)
    const canonical = Der.sequence(
      Der.integer(1),
      Der.octetString(secret),
      ...(point === undefined ? [] : [Der.value(0xa1, Der.bitString(point))])
    )
    return {
      _tag: "Ec",
      curve,
      secret: Redacted.make(secret),
      pkcs8: pkcs8Of(Der.sequence(Der.oid(oids.ecPublicKey), Der.oid(oid)), canonical)
    }
  })

const readPkcs8 = (inner: Der.DerReader): PrivateKeyInfo => {
  const algorithmStart = inner.position
  const identifier = inner.sequence()
  const oid = identifier.oid()
  const parameters = identifier.isEmpty ? undefined : identifier.element()
  identifier.finish()
  const algorithm = inner.bytes.subarray(algorithmStart, inner.position)
  const key = inner.octetString()
  // Attributes and the public key (RFC 5958 §2) add nothing to the key.
  for (const tag of [0xa0, 0x81]) {
    if (inner.peek() === tag) inner.element()
  }
  inner.finish()
  switch (oid) {
    case oids.rsaEncryption:
      Der.decodeNested(inner, key, "RSAPrivateKey", readRsa)
      return { _tag: "Rsa", pkcs8: pkcs8Of(Der.sequence(Der.oid(oid), Der.nullValue()), key) }
    case oids.rsassaPss:
      Der.decodeNested(inner, key, "RSAPrivateKey", readRsa)
      return { _tag: "RsaPss", pkcs8: pkcs8Of(algorithm, key) }
    case oids.ecPublicKey: {
      if (parameters?.[0] !== Der.Tag.ObjectIdentifier) {
        return refuse("Unsupported", "an EC key with parameters of its own instead of a named curve")
      }
      const curve = Der.decodeNested(inner, parameters, "curve", (reader) => reader.oid())
      return Der.decodeNested(inner, key, "ECPrivateKey", (reader) => readEc(reader, curve))
    }
    case oids.Ed25519:
    case oids.Ed448: {
      const name = oid === oids.Ed25519 ? "Ed25519" : "Ed448"
      const seed = Der.decodeNested(inner, key, "CurvePrivateKey", (reader) => reader.octetString())
      if (seed.length !== (name === "Ed25519" ? 32 : 57)) inner.fail(`an ${name} key of ${seed.length} byte(s)`)
      return {
        _tag: name,
        secret: Redacted.make(new Uint8Array(seed)),
        pkcs8: pkcs8Of(Der.sequence(Der.oid(oid)), Der.octetString(seed))
      }
    }
    case oids.X25519:
    case oids.X448:
      return refuse("Unsupported", `an ${ObjectIdentifier.name(oid)} key: it agrees on secrets and cannot sign`)
    default:
      return refuse(
        "Unsupported",
        `a key of the algorithm ${ObjectIdentifier.name(oid)}: RSA, RSA-PSS, EC, Ed25519 and Ed448 are supported`
      )
  }
}

const readEncrypted = (reader: Der.DerReader): EncryptedPrivateKey =>
  reader.within(Der.Tag.Sequence, (inner) => {
    const encryption = PasswordEncryptions.read(inner)
    return { _tag: "Encrypted", encryption, ciphertext: inner.octetString() }
  })

/** Tells the containers apart by what stands in them, and names what is no private key. */
const readAny = (reader: Der.DerReader): PrivateKeyInfo | EncryptedPrivateKey => {
  const look = new Der.DerReader(reader.bytes, reader.what).sequence()
  const tags: Array<number> = []
  while (!look.isEmpty) {
    tags.push(look.peek())
    look.element()
  }
  switch (tags[0]) {
    case Der.Tag.Sequence:
      if (tags[1] === Der.Tag.OctetString) return readEncrypted(reader)
      if (tags[1] === Der.Tag.BitString) return refuse("NotAPrivateKey", `it holds a public key, ${needed}`)
      return refuse("NotAPrivateKey", `it holds a certificate or something else that is signed, ${needed}`)
    case Der.Tag.Integer:
      break
    default:
      return refuse("NotAPrivateKey", `it holds nothing we know, ${needed}`)
  }
  switch (tags[1]) {
    case Der.Tag.Sequence: {
      const inner = reader.sequence()
      const version = inner.unsigned()
      if (version === 3) return refuse("NotAPrivateKey", `it holds a PKCS#12 bundle, ${needed}`)
      if (version > 1) inner.fail(`a PrivateKeyInfo of version ${version}`)
      return readPkcs8(inner)
    }
    case Der.Tag.OctetString:
      return readEc(reader, undefined)
    case Der.Tag.Integer: {
      // Two numbers are a modulus and an exponent, or a group; six are DSA's; RSA's private key has nine.
      if (tags.length < 6) return refuse("NotAPrivateKey", `it holds a public key or parameters, ${needed}`)
      if (tags.length === 6) return refuse("Unsupported", "a DSA key, which TLS no longer uses")
      const whole = reader.bytes
      readRsa(reader)
      return { _tag: "Rsa", pkcs8: pkcs8Of(Der.sequence(Der.oid(oids.rsaEncryption), Der.nullValue()), whole) }
    }
    default:
      return refuse("NotAPrivateKey", `it holds nothing we know, ${needed}`)
  }
}

/**
 * A private key from its DER: PKCS#8, PKCS#1 or SEC 1, whichever it is; or one that is encrypted.
 *
 * @since 0.1.0
 * @category decoding
 */
export const parseDer = (der: Uint8Array): Either.Either<PrivateKeyInfo | EncryptedPrivateKey, PrivateKeyError> => {
  const reader = new Der.DerReader(der, "private key")
  try {
    const key = readAny(reader)
    reader.finish()
    return Either.right(key)
  } catch (error) {
    if (error instanceof PrivateKeyError) return Either.left(error)
    if (error instanceof DecodeError) {
      return Either.left(
        new PrivateKeyError({ reason: "Malformed", problem: `the private key is damaged: ${error.message}` })
      )
    }
    throw error
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// PEM
// ---------------------------------------------------------------------------------------------------------------------

const keyLabels: ReadonlySet<string> = new Set([
  "PRIVATE KEY",
  "RSA PRIVATE KEY",
  "EC PRIVATE KEY",
  "DSA PRIVATE KEY",
  "ENCRYPTED PRIVATE KEY",
  "OPENSSH PRIVATE KEY"
])

const fromBlock = (block: Pem.PemBlock): Either.Either<PrivateKeyInfo | EncryptedPrivateKey, PrivateKeyError> => {
  if (block.label === "OPENSSH PRIVATE KEY") {
    return Either.left(
      new PrivateKeyError({
        reason: "Unsupported",
        problem: "the private key is in OpenSSH's own format: `ssh-keygen -p -m PKCS8` converts it"
      })
    )
  }
  const content = Redacted.value(block.content)
  if (!block.headers.get("Proc-Type")?.includes("ENCRYPTED")) return parseDer(content)
  const encryption = PasswordEncryptions.fromDekInfo(block.headers.get("DEK-Info"))
  return encryption === undefined
    ? Either.left(
        new PrivateKeyError({
          reason: "Malformed",
          problem: "the private key is damaged: it is encrypted, and its DEK-Info line does not say how"
        })
      )
    : Either.right({ _tag: "Encrypted", encryption, ciphertext: content })
}

/**
 * A private key from PEM, encrypted or not. Certificates and curve parameters around it are passed over; of two keys
 * neither is taken.
 *
 * @since 0.1.0
 * @category decoding
 */
export const parsePem = (
  text: string | Redacted.Redacted
): Either.Either<PrivateKeyInfo | EncryptedPrivateKey, PrivateKeyError> => {
  const blocks = Pem.parse(Redacted.isRedacted(text) ? Redacted.value(text) : text)
  if (Either.isLeft(blocks)) {
    return Either.left(new PrivateKeyError({ reason: "Malformed", problem: blocks.left.problem }))
  }
  const keys = blocks.right.filter(({ label }) => keyLabels.has(label))
  if (keys.length === 1) return fromBlock(keys[0]!)
  const problem =
    keys.length === 0
      ? `it holds ${Pem.describe(blocks.right)}, ${needed}`
      : `it holds ${keys.length} private keys, exactly one is needed`
  return Either.left(new PrivateKeyError({ reason: "NotAPrivateKey", problem }))
}

/**
 * A private key from the bytes of a file, PEM or DER, encrypted or not.
 *
 * @since 0.1.0
 * @category decoding
 */
export const parseBytes = (bytes: Uint8Array): Either.Either<PrivateKeyInfo | EncryptedPrivateKey, PrivateKeyError> =>
  Pem.isPem(bytes) ? parsePem(new TextDecoder().decode(bytes)) : parseDer(bytes)

/**
 * What to say of an encrypted key where there is no passphrase.
 *
 * @since 0.1.0
 * @category errors
 */
export const passphraseNeeded = ({ encryption }: EncryptedPrivateKey): PrivateKeyError =>
  new PrivateKeyError({
    reason: "Encrypted",
    problem: `the private key is encrypted (${PasswordEncryptions.format(encryption)}): it needs its passphrase`
  })

const requirePlain = (key: PrivateKeyInfo | EncryptedPrivateKey): Either.Either<PrivateKeyInfo, PrivateKeyError> =>
  key._tag === "Encrypted" ? Either.left(passphraseNeeded(key)) : Either.right(key)

/**
 * A private key from its DER: PKCS#8, PKCS#1 or SEC 1, whichever it is. To open one that is encrypted is for
 * `PrivateKeyFile`, with a provider.
 *
 * @since 0.1.0
 * @category decoding
 */
export const fromDer = (der: Uint8Array): Either.Either<PrivateKeyInfo, PrivateKeyError> =>
  Either.flatMap(parseDer(der), requirePlain)

/**
 * A private key from PEM. Certificates and curve parameters around it are passed over; of two keys neither is taken.
 *
 * @since 0.1.0
 * @category decoding
 */
export const fromPem = (text: string | Redacted.Redacted): Either.Either<PrivateKeyInfo, PrivateKeyError> =>
  Either.flatMap(parsePem(text), requirePlain)

/**
 * A private key from the bytes of a file: PEM or DER.
 *
 * @since 0.1.0
 * @category decoding
 */
export const fromBytes = (bytes: Uint8Array): Either.Either<PrivateKeyInfo, PrivateKeyError> =>
  Either.flatMap(parseBytes(bytes), requirePlain)

const rsaSpki = Der.decode("PrivateKeyInfo", (reader) =>
  reader.within(Der.Tag.Sequence, (inner) => {
    inner.unsigned()
    const algorithm = inner.element()
    const numbers = Der.decodeNested(inner, inner.octetString(), "RSAPrivateKey", (nested) =>
      nested.within(Der.Tag.Sequence, (rsa) => {
        rsa.unsigned()
        const [modulus, exponent] = [rsa.unsignedBytes(), rsa.unsignedBytes()]
        while (!rsa.isEmpty) rsa.element()
        return Der.sequence(Der.integer(modulus), Der.integer(exponent))
      })
    )
    return Der.sequence(algorithm, Der.bitString(numbers))
  })
)

/**
 * The public half of an RSA key, which stands in it; of keys on curves it has to be computed, by a provider. A RSA-PSS
 * key's parameters are looked at only here.
 *
 * @since 0.1.0
 * @category getters
 */
export const rsaPublicKey = (
  key: Extract<PrivateKeyInfo, { readonly _tag: "Rsa" | "RsaPss" }>
): Either.Either<PublicKey, DecodeError> => Either.flatMap(rsaSpki(Redacted.value(key.pkcs8)), PublicKeys.decode)

/**
 * Overwrites the secret bytes of a key, which nobody can use any more then.
 *
 * @since 0.1.0
 * @category secrets
 */
export const wipe = (key: PrivateKeyInfo): void => {
  Redacted.value(key.pkcs8).fill(0)
  if ("secret" in key) Redacted.value(key.secret).fill(0)
}

/**
 * The key as PKCS#8 PEM. A secret in a string cannot be wiped.
 *
 * @since 0.1.0
 * @category encoding
 */
export const toPem = (key: PrivateKeyInfo): Redacted.Redacted =>
  Redacted.make(Pem.format("PRIVATE KEY", Redacted.value(key.pkcs8)))
