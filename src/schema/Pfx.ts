/**
 * The structures of a PKCS#12 bundle (RFC 7292 §4), as far as they can be seen without its passphrase. BER is taken:
 * several programs write it.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type { HashAlgorithm, PasswordKdf } from "./Algorithms.ts"
import { hashLength } from "./Algorithms.ts"
import * as Ber from "./Ber.ts"
import type { DecodeError } from "./ByteReader.ts"
import * as Bytes from "./Bytes.ts"
import * as Der from "./Der.ts"
import * as ObjectIdentifier from "./ObjectIdentifier.ts"
import type { PasswordEncryption } from "./PasswordEncryption.ts"
import * as PasswordEncryptions from "./PasswordEncryption.ts"

const { oids } = ObjectIdentifier

/**
 * One of the contents of a bundle: bags, open or encrypted. `Unsupported` has the name of another way to protect them.
 *
 * @since 0.1.0
 * @category models
 */
export type Safe =
  | { readonly _tag: "Open"; readonly contents: Uint8Array }
  | { readonly _tag: "Encrypted"; readonly encryption: PasswordEncryption; readonly ciphertext: Uint8Array }
  | { readonly _tag: "Unsupported"; readonly name: string }

/**
 * What vouches for a bundle: an HMAC whose key is derived as PKCS#12 does it (RFC 7292 §4) or by PBKDF2 (PBMAC1, RFC
 * 9579). `Unsupported` has the name of another.
 *
 * @since 0.1.0
 * @category models
 */
export type Mac =
  | {
      readonly _tag: "Hmac"
      readonly kdf: PasswordKdf
      readonly keyLength: number
      readonly hash: HashAlgorithm
      readonly digest: Uint8Array
    }
  | { readonly _tag: "Unsupported"; readonly name: string }

/**
 * `authenticated` are the bytes that `mac` is over.
 *
 * @since 0.1.0
 * @category models
 */
export interface Pfx {
  readonly safes: ReadonlyArray<Safe>
  readonly authenticated: Uint8Array
  readonly mac: Mac | undefined
}

/**
 * One thing in a bundle. `friendlyName` and `localKeyId` say what belongs together, when they are there.
 *
 * @since 0.1.0
 * @category models
 */
export type Bag = {
  readonly friendlyName: string | undefined
  readonly localKeyId: Uint8Array | undefined
} & (
  | { readonly _tag: "Key"; readonly pkcs8: Uint8Array }
  | { readonly _tag: "ShroudedKey"; readonly encryption: PasswordEncryption; readonly ciphertext: Uint8Array }
  | { readonly _tag: "Certificate"; readonly der: Uint8Array }
  | { readonly _tag: "Unsupported"; readonly name: string }
)

const normalised = <A>(what: string, decoder: (reader: Der.DerReader) => A) => {
  const toDer = Ber.toDer(what)
  const fromDer = Der.decode(what, decoder)
  return (bytes: Uint8Array): Either.Either<A, DecodeError> => Either.flatMap(toDer(bytes), fromDer)
}

// ---------------------------------------------------------------------------------------------------------------------
// The bundle
// ---------------------------------------------------------------------------------------------------------------------

const hashes: ReadonlyMap<string, HashAlgorithm> = new Map<string, HashAlgorithm>([
  [oids.sha1, "SHA-1"],
  [oids.sha256, "SHA-256"],
  [oids.sha384, "SHA-384"],
  [oids.sha512, "SHA-512"]
])

const hmacs: ReadonlyMap<string, HashAlgorithm> = new Map<string, HashAlgorithm>([
  [oids.hmacWithSHA1, "SHA-1"],
  [oids.hmacWithSHA256, "SHA-256"],
  [oids.hmacWithSHA384, "SHA-384"],
  [oids.hmacWithSHA512, "SHA-512"]
])

const skip = (reader: Der.DerReader): void => {
  while (!reader.isEmpty) reader.element()
}

/** PBMAC1-params (RFC 8018 appendix A.5); RFC 9579 §6 wants the length of the key, of at least 20 bytes. */
const readPbmac1 = (reader: Der.DerReader, digest: Uint8Array): Mac =>
  reader.within(Der.Tag.Sequence, (parameters) => {
    const derivation = PasswordEncryptions.readPbkdf2(parameters)
    const scheme = parameters.within(Der.Tag.Sequence, (algorithm) => {
      const oid = algorithm.oid()
      skip(algorithm)
      return oid
    })
    const hash = hmacs.get(scheme)
    if (typeof derivation === "string" || hash === undefined) {
      const by = typeof derivation === "string" ? derivation : "PBKDF2"
      return { _tag: "Unsupported", name: `PBMAC1 with ${by} and ${ObjectIdentifier.name(scheme)}` }
    }
    const { kdf, keyLength } = derivation
    if (keyLength === undefined || keyLength < 20 || keyLength > 128) {
      return parameters.fail(`a key of ${keyLength ?? "no said number of"} bytes for a MAC, 20 to 128 expected`)
    }
    return { _tag: "Hmac", kdf, keyLength, hash, digest }
  })

const readMac = (reader: Der.DerReader): Mac =>
  reader.within(Der.Tag.Sequence, (data) => {
    const info = data.sequence()
    const algorithm = info.sequence()
    const digest = info.octetString()
    info.finish()
    const salt = data.octetString()
    const iterations = data.isEmpty ? 1 : data.unsigned()
    if (iterations === 0) data.fail("an iteration count of zero")
    const oid = algorithm.oid()
    if (oid === oids.pbmac1) {
      const mac = readPbmac1(algorithm, digest)
      algorithm.finish()
      return mac
    }
    if (!algorithm.isEmpty) algorithm.null()
    algorithm.finish()
    const hash = hashes.get(oid)
    if (hash === undefined) return { _tag: "Unsupported", name: `HMAC with ${ObjectIdentifier.name(oid)}` }
    const kdf = { _tag: "PKCS12", hash, purpose: "mac", salt, iterations } as const
    // RFC 7292 appendix B.4: as long as the hash.
    return { _tag: "Hmac", kdf, keyLength: hashLength[hash], hash, digest }
  })

/** EncryptedContentInfo (RFC 5652 §6.1). Its content is IMPLICIT, so BER's pieces of it are left to be put together. */
const readEncryptedContent = (reader: Der.DerReader): Safe =>
  reader.within(Der.Tag.Sequence, (info) => {
    if (info.oid() !== oids.data) info.fail("encrypted content that is not data")
    const encryption = PasswordEncryptions.read(info)
    const ciphertext =
      info.peek() === Der.contextConstructed(0)
        ? Bytes.concat(info.sequenceOf((piece) => piece.octetString(), 1, Der.contextConstructed(0)))
        : info.octetString(Der.context(0))
    return { _tag: "Encrypted", encryption, ciphertext }
  })

const readSafe = (reader: Der.DerReader): Safe =>
  reader.within(Der.Tag.Sequence, (info) => {
    const oid = info.oid()
    switch (oid) {
      case oids.data:
        return { _tag: "Open", contents: info.within(0xa0, (content) => content.octetString()) }
      case oids.encryptedData:
        return info.within(0xa0, (content) =>
          content.within(Der.Tag.Sequence, (data) => {
            const version = data.unsigned()
            if (version !== 0 && version !== 2) data.fail(`EncryptedData of version ${version}`)
            const safe = readEncryptedContent(data)
            data.optional(Der.contextConstructed(1), skip)
            return safe
          })
        )
      default:
        skip(info)
        return { _tag: "Unsupported", name: ObjectIdentifier.name(oid) }
    }
  })

const decodeAuthenticatedSafe = normalised("AuthenticatedSafe", (reader) => reader.sequenceOf(readSafe))

const decodeOuter = normalised("PFX", (reader) =>
  reader.within(Der.Tag.Sequence, (pfx) => {
    const version = pfx.unsigned()
    if (version !== 3) pfx.fail(`a PFX of version ${version}`)
    const info = pfx.sequence()
    const type = info.oid()
    if (type !== oids.data) {
      info.fail(`a bundle that is protected by ${ObjectIdentifier.name(type)}: a passphrase is what we know`)
    }
    const authenticated = info.within(0xa0, (content) => content.octetString())
    info.finish()
    return { authenticated, mac: pfx.isEmpty ? undefined : readMac(pfx) }
  })
)

/**
 * A bundle from its DER or BER.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decode = (bytes: Uint8Array): Either.Either<Pfx, DecodeError> =>
  Either.flatMap(decodeOuter(bytes), (outer) =>
    Either.map(decodeAuthenticatedSafe(outer.authenticated), (safes) => ({ ...outer, safes }))
  )

// ---------------------------------------------------------------------------------------------------------------------
// Bags
// ---------------------------------------------------------------------------------------------------------------------

/** Two bytes each, big endian; pairs of surrogates are taken, as all programs do. */
const readBmpString = (reader: Der.DerReader): string => {
  const content = reader.content(Der.Tag.BmpString)
  if (content.length % 2 !== 0) reader.fail("a BMPString of half a character")
  let text = ""
  for (let i = 0; i < content.length; i += 2) text += String.fromCharCode((content[i]! << 8) | content[i + 1]!)
  return text
}

interface Attributes {
  friendlyName: string | undefined
  localKeyId: Uint8Array | undefined
}

const readAttributes = (reader: Der.DerReader): Attributes => {
  const attributes: Attributes = { friendlyName: undefined, localKeyId: undefined }
  if (reader.isEmpty) return attributes
  reader.sequenceOf(
    (item) =>
      item.within(Der.Tag.Sequence, (attribute) => {
        const oid = attribute.oid()
        const values = attribute.enter(Der.Tag.Set)
        if (oid === oids.friendlyName && values.peek() === Der.Tag.BmpString) {
          attributes.friendlyName = readBmpString(values)
        } else if (oid === oids.localKeyId && values.peek() === Der.Tag.OctetString) {
          attributes.localKeyId = values.octetString()
        }
        skip(values)
      }),
    0,
    Der.Tag.Set
  )
  return attributes
}

/** A CertBag (RFC 7292 §4.2.3). */
const readCertificate = (reader: Der.DerReader) =>
  reader.within(Der.Tag.Sequence, (bag) => {
    const oid = bag.oid()
    if (oid === oids.x509Certificate) {
      return { _tag: "Certificate", der: bag.within(0xa0, (value) => value.octetString()) } as const
    }
    skip(bag)
    return { _tag: "Unsupported", name: ObjectIdentifier.name(oid) } as const
  })

const readShroudedKey = (reader: Der.DerReader) =>
  reader.within(Der.Tag.Sequence, (info) => {
    const encryption = PasswordEncryptions.read(info)
    return { _tag: "ShroudedKey", encryption, ciphertext: info.octetString() } as const
  })

const readBags = (reader: Der.DerReader): ReadonlyArray<Bag> =>
  reader
    .sequenceOf((item) =>
      item.within(Der.Tag.Sequence, (bag): ReadonlyArray<Bag> => {
        const oid = bag.oid()
        const value = bag.enter(0xa0)
        // Bags in a bag: depth is the reader's to bound.
        if (oid === oids.safeContentsBag) {
          const nested = readBags(value)
          value.finish()
          skip(bag)
          return nested
        }
        const found =
          oid === oids.keyBag
            ? ({ _tag: "Key", pkcs8: value.element() } as const)
            : oid === oids.pkcs8ShroudedKeyBag
              ? readShroudedKey(value)
              : oid === oids.certBag
                ? readCertificate(value)
                : ({ _tag: "Unsupported", name: ObjectIdentifier.name(oid) } as const)
        if (found._tag !== "Unsupported") value.finish()
        return [{ ...found, ...readAttributes(bag) }]
      })
    )
    .flat()

/**
 * The bags of a safe that is open, those within others beside them.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decodeBags: (bytes: Uint8Array) => Either.Either<ReadonlyArray<Bag>, DecodeError> = normalised(
  "SafeContents",
  readBags
)

// ---------------------------------------------------------------------------------------------------------------------
// Writing
// ---------------------------------------------------------------------------------------------------------------------

const bmpString = (text: string): Uint8Array => {
  const bytes = new Uint8Array(2 * text.length)
  const view = new DataView(bytes.buffer)
  for (let i = 0; i < text.length; i++) view.setUint16(2 * i, text.charCodeAt(i))
  return Der.value(Der.Tag.BmpString, bytes)
}

const attribute = (oid: ObjectIdentifier.ObjectIdentifier, value: Uint8Array): Uint8Array =>
  Der.sequence(Der.oid(oid), Der.value(Der.Tag.Set, value))

const bagValue = (bag: WritableBag) =>
  bag._tag === "Certificate"
    ? ([oids.certBag, Der.sequence(Der.oid(oids.x509Certificate), Der.value(0xa0, Der.octetString(bag.der)))] as const)
    : ([
        oids.pkcs8ShroudedKeyBag,
        Der.sequence(PasswordEncryptions.encodePbes2(bag.encryption), Der.octetString(bag.ciphertext))
      ] as const)

/**
 * A bag to write: a certificate, or a key under PBES2. A key that is not encrypted is not written.
 *
 * @since 0.1.0
 * @category models
 */
export type WritableBag =
  | Extract<Bag, { readonly _tag: "Certificate" }>
  | (Extract<Bag, { readonly _tag: "ShroudedKey" }> & { readonly encryption: PasswordEncryptions.Pbes2 })

/**
 * SafeContents (RFC 7292 §4.2).
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodeBags = (bags: ReadonlyArray<WritableBag>): Uint8Array =>
  Der.sequence(
    ...bags.map((bag) => {
      const [oid, value] = bagValue(bag)
      const attributes = [
        ...(bag.friendlyName === undefined ? [] : [attribute(oids.friendlyName, bmpString(bag.friendlyName))]),
        ...(bag.localKeyId === undefined ? [] : [attribute(oids.localKeyId, Der.octetString(bag.localKeyId))])
      ]
      return Der.sequence(
        Der.oid(oid),
        Der.value(0xa0, value),
        ...(attributes.length === 0 ? [] : [Der.setOf(...attributes)])
      )
    })
  )

/**
 * A safe to write: bags in the open (of which the keys are encrypted), or encrypted under PBES2.
 *
 * @since 0.1.0
 * @category models
 */
export type WritableSafe =
  | Extract<Safe, { readonly _tag: "Open" }>
  | (Extract<Safe, { readonly _tag: "Encrypted" }> & { readonly encryption: PasswordEncryptions.Pbes2 })

const contentInfo = (oid: ObjectIdentifier.ObjectIdentifier, content: Uint8Array): Uint8Array =>
  Der.sequence(Der.oid(oid), Der.value(0xa0, content))

/**
 * AuthenticatedSafe (RFC 7292 §4.1): what the MAC is over.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodeSafes = (safes: ReadonlyArray<WritableSafe>): Uint8Array =>
  Der.sequence(
    ...safes.map((safe) =>
      safe._tag === "Open"
        ? contentInfo(oids.data, Der.octetString(safe.contents))
        : contentInfo(
            oids.encryptedData,
            Der.sequence(
              Der.integer(0),
              Der.sequence(
                Der.oid(oids.data),
                PasswordEncryptions.encodePbes2(safe.encryption),
                Der.value(Der.context(0), safe.ciphertext)
              )
            )
          )
    )
  )

/**
 * A bundle with the MAC of RFC 7292 §4, by SHA-256.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encode = (
  authenticated: Uint8Array,
  mac: { readonly digest: Uint8Array; readonly salt: Uint8Array; readonly iterations: number }
): Uint8Array =>
  Der.sequence(
    Der.integer(3),
    contentInfo(oids.data, Der.octetString(authenticated)),
    Der.sequence(
      Der.sequence(Der.sequence(Der.oid(oids.sha256), Der.nullValue()), Der.octetString(mac.digest)),
      Der.octetString(mac.salt),
      Der.integer(mac.iterations)
    )
  )
