/**
 * Certificate chains with one thing wrong each, **for tests**: made anew each time, around the Clock's time, so that
 * they work under a `TestClock`; with `DeterministicCrypto` the same to the byte in every run.
 *
 * @example
 * import { Effect } from "effect"
 * import { SecureContext } from "effect-tls"
 * import { TestPki } from "effect-tls/testing"
 *
 * const contexts = Effect.gen(function* () {
 *   const { chains, trust } = yield* TestPki.make()
 *   const server = SecureContext.withIdentity(SecureContext.empty, chains.expired.identity)
 *   return { server, client: yield* SecureContext.make({ trust: { anchors: trust } }) }
 * })
 *
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { Issued } from "../core/CertificateBuilder.ts"
import * as CertificateBuilder from "../core/CertificateBuilder.ts"
import { KeyTypeSchema } from "../core/CertificateOptions.ts"
import * as CertificateRevocationListBuilder from "../core/CertificateRevocationListBuilder.ts"
import type { CryptoError } from "../core/CryptoProvider.ts"
import { CryptoProvider } from "../core/CryptoProvider.ts"
import type { Identity } from "../core/Identity.ts"
import { decode, said } from "../core/OptionSchema.ts"
import type { TrustStore } from "../core/TrustStore.ts"
import * as TrustStores from "../core/TrustStore.ts"
import * as Certificate from "../schema/Certificate.ts"
import type { CertificateRevocationList } from "../schema/CertificateRevocationList.ts"
import type { CertificateReason, TlsConfigError } from "../schema/TlsError.ts"
import * as WeakRsa from "./WeakRsa.ts"

/**
 * @since 0.1.0
 * @category options
 */
export const Options = Schema.Struct({
  /** What all certificates but `wrongName` are for: `localhost`, `127.0.0.1` and `::1`, unless told. */
  names: said(Schema.NonEmptyArray(Schema.String)),
  /** The kind of all keys but `weakKey`'s: EC P-256, unless told. */
  key: said(KeyTypeSchema)
}).annotations({ parseOptions: { errors: "all", onExcessProperty: "error" } })

/**
 * @since 0.1.0
 * @category options
 */
export type Options = typeof Options.Type

/**
 * An identity, and why a client that trusts the root refuses it; `undefined` when it does not. `Revoked` is for one that
 * looks at the CRLs.
 *
 * @since 0.1.0
 * @category models
 */
export interface TestChain {
  readonly identity: Identity
  readonly refusal: CertificateReason | undefined
}

/**
 * What can be wrong with a chain.
 *
 * @since 0.1.0
 * @category models
 */
export type TestChainName =
  | "good"
  | "expired"
  | "notYetValid"
  | "wrongName"
  | "missingIntermediate"
  | "revoked"
  | "nameConstrained"
  | "brokenSignature"
  | "weakKey"
  | "selfSigned"
  | "unknownRoot"

/**
 * A root to trust, an intermediate that it issued, chains by both, and their CRLs, of which one revokes `revoked`.
 *
 * @since 0.1.0
 * @category models
 */
export interface TestPkiService {
  readonly trust: TrustStore
  readonly root: Issued
  readonly intermediate: Issued
  readonly crls: ReadonlyArray<CertificateRevocationList>
  readonly chains: Readonly<Record<TestChainName, TestChain>>
}

/**
 * @since 0.1.0
 * @category tags
 */
export class TestPki extends Context.Tag("effect-tls/TestPki")<TestPki, TestPkiService>() {}

const day = 86_400_000
const weakBits = 1024

const withLeaf = ({ identity }: Issued, leaf: Certificate.Certificate): Identity => {
  const [, ...above] = identity.certificateChain
  const certificateChain: NonEmptyReadonlyArray<Certificate.Certificate> = [leaf, ...above]
  return { ...identity, certificateChain }
}

/** The same certificate with the last bit of its signature another. */
const broken = ({ der }: Certificate.Certificate): Certificate.Certificate => {
  const altered = der.slice()
  altered[altered.length - 1]! ^= 1
  return Either.getOrThrow(Certificate.decode(altered))
}

/**
 * Makes all chains.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options = {}
): Effect.Effect<TestPkiService, TlsConfigError | CryptoError, CryptoProvider> =>
  Effect.gen(function* () {
    const crypto = yield* CryptoProvider
    const { key = { _tag: "Ec", curve: "P-256" }, names = ["localhost", "127.0.0.1", "::1"] } =
      yield* decode(Options)(options)
    const now = yield* Clock.currentTimeMillis
    const at = (days: number) => new Date(now + days * day)
    const long = { key, notBefore: at(-365), notAfter: at(3650) }
    const shared = { key, names, notBefore: at(-1), notAfter: at(90) }

    // One after the other, since the provider's bytes may follow from a seed.
    const root = yield* CertificateBuilder.authority({ subject: { CN: "Test root" }, ...long })
    const intermediate = yield* CertificateBuilder.issueAuthority(root, {
      subject: { CN: "Test intermediate" },
      pathLength: 0,
      ...long
    })
    const constrained = yield* CertificateBuilder.issueAuthority(root, {
      subject: { CN: "Test intermediate for elsewhere.test" },
      pathLength: 0,
      nameConstraints: {
        permitted: [{ _tag: "DnsName", value: "elsewhere.test" }],
        excluded: [
          { _tag: "IpAddress", bytes: new Uint8Array(8) },
          { _tag: "IpAddress", bytes: new Uint8Array(32) }
        ]
      },
      ...long
    })
    const stranger = yield* CertificateBuilder.authority({ subject: { CN: "Test root of nobody" }, ...long })

    const good = yield* CertificateBuilder.issue(intermediate, shared)
    const expired = yield* CertificateBuilder.issue(intermediate, { ...shared, notBefore: at(-60), notAfter: at(-30) })
    const future = yield* CertificateBuilder.issue(intermediate, { ...shared, notBefore: at(30), notAfter: at(60) })
    const wrongName = yield* CertificateBuilder.issue(intermediate, { ...shared, names: ["wrong.test"] })
    const revoked = yield* CertificateBuilder.issue(intermediate, shared)
    const outside = yield* CertificateBuilder.issue(constrained, { ...shared, unchecked: true })
    const weak = yield* CertificateBuilder.issue(intermediate, {
      ...shared,
      key: WeakRsa.make(weakBits, crypto.randomBytes)
    })
    const selfSigned = yield* CertificateBuilder.selfSigned(shared)
    const unknownRoot = yield* CertificateBuilder.issue(stranger, shared)

    const crl = (issuer: Issued, certificates: ReadonlyArray<Issued> = []) =>
      CertificateRevocationListBuilder.make(issuer.identity, {
        thisUpdate: at(-1),
        nextUpdate: at(90),
        number: 1n,
        revoked: certificates.map(({ certificate }) => ({ certificate, reason: "keyCompromise" }))
      })
    return {
      trust: TrustStores.fromCertificates([root.certificate]),
      root,
      intermediate,
      crls: [yield* crl(root), yield* crl(intermediate, [revoked]), yield* crl(constrained)],
      chains: {
        good: { identity: good.identity, refusal: undefined },
        expired: { identity: expired.identity, refusal: "Expired" },
        notYetValid: { identity: future.identity, refusal: "NotYetValid" },
        wrongName: { identity: wrongName.identity, refusal: "NameMismatch" },
        missingIntermediate: {
          identity: { ...good.identity, certificateChain: [good.certificate] },
          refusal: "MissingIntermediate"
        },
        revoked: { identity: revoked.identity, refusal: "Revoked" },
        nameConstrained: { identity: outside.identity, refusal: "NameConstraint" },
        brokenSignature: { identity: withLeaf(good, broken(good.certificate)), refusal: "BadSignature" },
        weakKey: { identity: weak.identity, refusal: "WeakKey" },
        selfSigned: { identity: selfSigned.identity, refusal: "SelfSigned" },
        unknownRoot: { identity: unknownRoot.identity, refusal: "MissingIntermediate" }
      }
    } satisfies TestPkiService
  })

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<TestPki, TlsConfigError | CryptoError, CryptoProvider> =>
  Layer.effect(TestPki, make(options))
