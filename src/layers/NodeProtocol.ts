/**
 * What Node's options say about the protocol: versions, OpenSSL's lists and security levels, ALPN, timeouts.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type { Capabilities } from "../core/CryptoProvider.ts"
import type { Identity } from "../core/Identity.ts"
import * as KeyAgreement from "../core/KeyAgreement.ts"
import type { SecureContextOptions } from "../core/SecureContextOptions.ts"
import { hashLength } from "../schema/Algorithms.ts"
import * as CipherSuite from "../schema/CipherSuite.ts"
import * as Defaults from "../schema/Defaults.ts"
import * as Limits from "../schema/Limits.ts"
import type { NamedGroupName } from "../schema/NamedGroup.ts"
import * as NamedGroup from "../schema/NamedGroup.ts"
import type { CipherList, SecurityLevel } from "../schema/OpenSslCipherList.ts"
import * as OpenSslCipherList from "../schema/OpenSslCipherList.ts"
import type { OpenSslListError } from "../schema/OpenSslList.ts"
import * as OpenSslList from "../schema/OpenSslList.ts"
import type { PublicKey } from "../schema/PublicKey.ts"
import * as PublicKeys from "../schema/PublicKey.ts"
import type { SignatureSchemeName } from "../schema/SignatureScheme.ts"
import * as SignatureScheme from "../schema/SignatureScheme.ts"
import { shown } from "../schema/Suggestion.ts"
import { TlsConfigError } from "../schema/TlsError.ts"
import * as NodeIdentity from "./NodeIdentity.ts"
import type { Data, NodeOptions } from "./NodeOptions.ts"

type Protocol = NonNullable<SecureContextOptions["protocol"]>

const invalid = (path: string, message: string) => Either.left(TlsConfigError.of("InvalidOptions", path, message))

const list = <A>(path: string, read: Either.Either<A, OpenSslListError>): Either.Either<A, TlsConfigError> =>
  Either.mapLeft(read, ({ problem }) => TlsConfigError.of("InvalidOptions", path, problem))

// ---------------------------------------------------------------------------------------------------------------------
// Versions
// ---------------------------------------------------------------------------------------------------------------------

const checkVersions = ({
  maxVersion,
  minVersion,
  secureProtocol
}: NodeOptions): Either.Either<void, TlsConfigError> => {
  if (secureProtocol !== undefined && (minVersion !== undefined || maxVersion !== undefined)) {
    return invalid("secureProtocol", "is another word for `minVersion` and `maxVersion`: leave it out")
  }
  if (maxVersion === "TLSv1.2") {
    return minVersion === "TLSv1.3"
      ? invalid("minVersion", '"TLSv1.3" is above `maxVersion`, "TLSv1.2"')
      : Either.left(
          TlsConfigError.of("Unsupported", "maxVersion", 'TLS 1.2 is not spoken yet: at least "TLSv1.3" is needed')
        )
  }
  return Either.void
}

// ---------------------------------------------------------------------------------------------------------------------
// Security levels
// ---------------------------------------------------------------------------------------------------------------------

const readCiphers = ({ ciphers }: NodeOptions): Either.Either<CipherList | undefined, TlsConfigError> =>
  ciphers === undefined ? Either.right(undefined) : list("ciphers", OpenSslCipherList.parse(ciphers))

// NIST SP 800-57 part 1, table 2.
const rsaModulusMin: { readonly [L in SecurityLevel]: number } = { 0: 0, 1: 1024, 2: 2048, 3: 3072, 4: 7680, 5: 15_360 }

// OpenSSL's own bound, for the level that asks for more than our default allows.
const rsaModulusMost = 16_384

const rsaLimits = (min: number): NonNullable<Protocol["limits"]> => ({
  rsaModulusMin: min,
  ...(min > Limits.defaults.rsaModulusMax ? { rsaModulusMax: rsaModulusMost } : {})
})

const isSchemeAllowed = (name: SignatureSchemeName, level: SecurityLevel): boolean => {
  const scheme = SignatureScheme.fromName(name)!
  const { algorithm } = scheme
  // Two texts with one SHA-1 are found in 2 ** 63 steps.
  if (SignatureScheme.isSha1(scheme)) return OpenSslCipherList.securityBits[level] <= 63
  const bits = "hash" in algorithm ? hashLength[algorithm.hash] * 4 : algorithm._tag === "Ed448" ? 224 : 128
  return bits >= OpenSslCipherList.securityBits[level]
}

const isKeyAllowed = (key: PublicKey, level: SecurityLevel): boolean => {
  switch (key._tag) {
    case "Rsa":
    case "RsaPss":
      return PublicKeys.modulusBits(key) >= rsaModulusMin[level]
    case "Ec":
      return NamedGroup.fromName(key.curve)!.strength >= OpenSslCipherList.securityBits[level]
    case "Ed25519":
      return OpenSslCipherList.securityBits[level] <= 128
    case "Ed448":
      return OpenSslCipherList.securityBits[level] <= 224
    case "Unsupported":
      return false
  }
}

/**
 * Whether the keys of the identities are as strong as the security level of `ciphers` asks.
 *
 * @since 0.1.0
 * @category predicates
 */
export const checkIdentities = (
  options: NodeOptions,
  identities: ReadonlyArray<Identity>
): Either.Either<void, TlsConfigError> =>
  Either.flatMap(readCiphers(options), (ciphers) => {
    const level = ciphers?.securityLevel ?? 0
    const weak = identities.find(({ privateKey }) => !isKeyAllowed(privateKey.publicKey, level))
    return weak === undefined
      ? Either.void
      : invalid(
          options.cert === undefined ? "pfx" : "cert",
          `the key of "${weak.certificateChain[0].subject.toString()}" (${PublicKeys.format(weak.privateKey.publicKey)}) ` +
            `is too weak for the security level ${level} of \`ciphers\``
        )
  })

/** The names that are strong enough; that one is not which was asked for by name is an error. */
const strongEnough = <A extends string>(
  path: string,
  said: ReadonlyArray<A> | undefined,
  defaults: ReadonlyArray<A>,
  level: SecurityLevel,
  isAllowed: (name: A) => boolean
): Either.Either<ReadonlyArray<A> | undefined, TlsConfigError> => {
  const weak = said?.filter((name) => !isAllowed(name)) ?? []
  // The first levels ask for less than our defaults do.
  return weak.length === 0
    ? Either.right(said ?? (level < 3 ? undefined : defaults.filter(isAllowed)))
    : invalid(path, `${weak.join(", ")}: too weak for the security level ${level} of \`ciphers\``)
}

// ---------------------------------------------------------------------------------------------------------------------
// Groups
// ---------------------------------------------------------------------------------------------------------------------

const readGroups = ({
  ecdhCurve,
  minDHSize = 0
}: NodeOptions): Either.Either<ReadonlyArray<NamedGroupName> | undefined, TlsConfigError> =>
  Either.filterOrLeft(
    ecdhCurve === undefined ? Either.right(undefined) : list("ecdhCurve", OpenSslList.parseGroups(ecdhCurve)),
    (groups) => smallFields(groups, minDHSize).length === 0,
    (groups) =>
      TlsConfigError.of(
        "InvalidOptions",
        "ecdhCurve",
        `${smallFields(groups, minDHSize).join(", ")}: less than the ${minDHSize} bits of \`minDHSize\``
      )
  )

const smallFields = (groups: ReadonlyArray<NamedGroupName> | undefined, bits: number): ReadonlyArray<string> =>
  (groups ?? []).filter((name) => Number(/^ffdhe(\d+)$/.exec(name)?.[1] ?? bits) < bits)

// ---------------------------------------------------------------------------------------------------------------------
// ALPN
// ---------------------------------------------------------------------------------------------------------------------

/** Names as our options have them: each character one byte. */
const toName = (data: Data): string => Buffer.from(NodeIdentity.toInput(data)).toString("latin1")

/** Names with the length of each in a byte before it. */
const splitNames = (data: Data): Either.Either<ReadonlyArray<string>, TlsConfigError> => {
  const bytes = Buffer.from(NodeIdentity.toInput(data))
  const found: Array<string> = []
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + bytes[at]!
    if (end > bytes.length || end === at + 1) {
      return invalid(
        "ALPNProtocols",
        `the bytes are each protocol with its length in a byte before it: that at byte ${at} is ${bytes[at]}, ` +
          `and ${bytes.length - at - 1} bytes follow`
      )
    }
    found.push(bytes.toString("latin1", at + 1, end))
    at = end
  }
  return Either.right(found)
}

const readAlpn = ({ ALPNProtocols }: NodeOptions): Either.Either<ReadonlyArray<string> | undefined, TlsConfigError> => {
  if (ALPNProtocols === undefined) return Either.right(undefined)
  if (typeof ALPNProtocols === "string") {
    return invalid("ALPNProtocols", `one protocol is a list too: [${shown(ALPNProtocols)}]`)
  }
  return Array.isArray(ALPNProtocols)
    ? Either.right((ALPNProtocols as ReadonlyArray<Data>).map(toName))
    : splitNames(ALPNProtocols as Data)
}

// ---------------------------------------------------------------------------------------------------------------------
// Together
// ---------------------------------------------------------------------------------------------------------------------

const optional = <K extends keyof Protocol>(key: K, value: Protocol[K] | undefined): Partial<Protocol> =>
  value === undefined ? {} : { [key]: value }

/**
 * The protocol aspect of a context. The capabilities are the provider's: a security level narrows the defaults, and those
 * are what it has.
 *
 * @since 0.1.0
 * @category decoding
 */
export const read = (options: NodeOptions, capabilities: Capabilities): Either.Either<Protocol, TlsConfigError> =>
  Either.gen(function* () {
    yield* checkVersions(options)
    const ciphers = yield* readCiphers(options)
    const level = ciphers?.securityLevel ?? 0
    const groups = yield* readGroups(options)
    const schemes =
      options.sigalgs === undefined
        ? undefined
        : yield* list("sigalgs", OpenSslList.parseSignatureSchemes(options.sigalgs))
    const isScheme = (name: SignatureSchemeName) => isSchemeAllowed(name, level)
    return {
      ...optional(
        "cipherSuites",
        (yield* strongEnough(
          "ciphers",
          ciphers?.suites13?.map(({ name }) => name),
          Defaults.cipherSuites,
          level,
          (name) => CipherSuite.fromName(name)!.strength >= OpenSslCipherList.securityBits[level]
        )) as Protocol["cipherSuites"]
      ),
      ...optional(
        "groups",
        (yield* strongEnough(
          "ecdhCurve",
          groups,
          Defaults.groups.filter((name) => {
            const { code } = NamedGroup.fromName(name)!
            return code === NamedGroup.x25519MlKem768
              ? KeyAgreement.isNative(capabilities, code) && KeyAgreement.isSupported(capabilities, code)
              : KeyAgreement.isSupported(capabilities, code)
          }),
          level,
          (name) => NamedGroup.fromName(name)!.strength >= OpenSslCipherList.securityBits[level]
        )) as Protocol["groups"]
      ),
      ...optional(
        "signatureSchemes",
        (yield* strongEnough(
          "sigalgs",
          schemes,
          Defaults.signatureSchemes,
          level,
          isScheme
        )) as Protocol["signatureSchemes"]
      ),
      // OpenSSL has one list for handshakes and certificates.
      ...optional(
        "certificateSignatureSchemes",
        (schemes ??
          (level < 3
            ? undefined
            : [...Defaults.signatureSchemes, ...Defaults.certificateOnlySchemes].filter(
                isScheme
              ))) as Protocol["certificateSignatureSchemes"]
      ),
      ...optional("alpn", yield* readAlpn(options)),
      ...optional("handshakeTimeout", options.handshakeTimeout),
      ...(level < 3 ? {} : { limits: rsaLimits(rsaModulusMin[level]) })
    }
  })
