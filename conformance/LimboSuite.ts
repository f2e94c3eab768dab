/** x509-limbo: chains of certificates, and what a validator should say of each. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { CertificateExtension } from "effect-tls"
import {
  Certificate,
  CertificateRevocationList,
  Limits,
  ObjectIdentifier,
  ServerIdentity,
  ServerName,
  SignatureScheme,
  TrustStore,
  Verifier
} from "effect-tls"
import { NodeCrypto } from "effect-tls/node"
import type { Outcome } from "./Suite.ts"
import { compare, longest, timed, UnusableSuite } from "./Suite.ts"

const orNull = <A, I>(schema: Schema.Schema<A, I>) =>
  Schema.optionalWith(Schema.NullOr(schema), { exact: true, default: () => null })
const list = <A, I>(schema: Schema.Schema<A, I>) =>
  Schema.optionalWith(Schema.Array(schema), { exact: true, default: () => [] })

const PeerName = Schema.Struct({ kind: Schema.String, value: Schema.String })
type PeerName = typeof PeerName.Type

const Testcase = Schema.Struct({
  id: Schema.String,
  features: list(Schema.String),
  validation_kind: Schema.Literal("SERVER", "CLIENT"),
  trusted_certs: Schema.Array(Schema.String),
  untrusted_intermediates: Schema.Array(Schema.String),
  peer_certificate: Schema.String,
  validation_time: orNull(Schema.String),
  signature_algorithms: list(Schema.String),
  key_usage: list(Schema.String),
  extended_key_usage: list(Schema.String),
  expected_result: Schema.Literal("SUCCESS", "FAILURE"),
  expected_peer_name: orNull(PeerName),
  expected_peer_names: list(PeerName),
  max_chain_depth: orNull(Schema.Number),
  crls: list(Schema.String)
})
type Testcase = typeof Testcase.Type

// What a case is about decides how closely to look: `webpki` and `rfc5280` contradict each other in places, and the
// others hold for everybody.
const conformanceOf = (id: string) =>
  id.startsWith("webpki::")
    ? ("webpki" as const)
    : /^(?:rfc5280|pathlen|crl)::/.test(id)
      ? ("rfc5280" as const)
      : ("practice" as const)

const known: ReadonlySet<string> = new Set([
  "has-policy-constraints",
  "has-cert-policies",
  "pedantic-public-suffix-wildcard",
  "name-constraint-dn",
  "pedantic-webpki-subscriber-key",
  "pedantic-webpki-eku",
  "pedantic-serial-number",
  "max-chain-depth",
  "pedantic-rfc5280",
  "rfc5280-incompatible-with-webpki",
  "denial-of-service",
  "has-crl"
])

/** A PEM text that holds nothing usable holds nothing: whoever needs it will miss it. */
const certificatesOf = (pems: ReadonlyArray<string>): ReadonlyArray<Certificate.Certificate> =>
  pems.flatMap((pem) => Either.getOrElse(Certificate.fromPem(pem), () => []))

/** The schemes of limbo's names for signature algorithms (`RSA_WITH_SHA256`); without a name, all but those over SHA-1. */
const schemesOf = (names: ReadonlyArray<string>): ReadonlyArray<SignatureScheme.SignatureScheme> => {
  if (names.length === 0) {
    return SignatureScheme.registry.filter((scheme) => !SignatureScheme.isSha1(scheme)).map(({ code }) => code)
  }
  const isNamed = (algorithm: SignatureScheme.SignatureSchemeInfo["algorithm"]): boolean => {
    const hash = "hash" in algorithm ? algorithm.hash.replace("-", "") : ""
    switch (algorithm._tag) {
      case "RsaPkcs1":
        return names.includes(`RSA_WITH_${hash}`)
      case "RsaPss":
        return names.includes("RSASSA_PSS")
      case "Ecdsa":
        return names.includes(`ECDSA_WITH_${hash}`)
      case "Ed25519":
      case "Ed448":
        return names.includes(algorithm._tag.toUpperCase())
    }
  }
  return SignatureScheme.registry.filter(({ algorithm }) => isNamed(algorithm)).map(({ code }) => code)
}

const purposes = (test: Testcase): ReadonlyArray<ObjectIdentifier.ObjectIdentifier> => {
  const role = test.validation_kind === "SERVER" ? "serverAuth" : "clientAuth"
  const names = test.extended_key_usage.length === 0 ? [role] : test.extended_key_usage
  // An authority's certificate lists what it may issue for, so `any` in a demand asks for nothing.
  return names
    .filter((name) => name !== "anyExtendedKeyUsage")
    .map((name) =>
      name in ObjectIdentifier.oids ? ObjectIdentifier.oids[name as "serverAuth"] : ObjectIdentifier.make(name)
    )
}

// X.509 renamed it after RFC 5280.
const keyUsage = (name: string) =>
  (name === "contentCommitment" ? "nonRepudiation" : name) as CertificateExtension.KeyUsage

/** Whether the leaf has the name, to the letter: here nobody connects to it. */
const hasName = (leaf: Certificate.Certificate, { kind, value }: PeerName): boolean => {
  if (kind === "RFC822") {
    const fold = (mailbox: string) => mailbox.replace(/@[^@]*$/, (host) => host.toLowerCase())
    return leaf.subjectAltNames.some((name) => name._tag === "Rfc822Name" && fold(name.value) === fold(value))
  }
  return Either.match(ServerName.parse(value), {
    onLeft: () => false,
    onRight: (name) => ServerIdentity.matches(name, leaf)
  })
}

/** `undefined` when the peer is accepted, else why not. */
const refusal = (test: Testcase): Effect.Effect<string | undefined> =>
  Effect.gen(function* () {
    const [leaf] = yield* Certificate.fromPem(test.peer_certificate)
    const crls = test.crls.flatMap((pem) => Either.getOrElse(CertificateRevocationList.fromPem(pem), () => []))
    const intermediates = certificatesOf(test.untrusted_intermediates)
    const verifier = Verifier.webPki(TrustStore.fromCertificates(certificatesOf(test.trusted_certs)), {
      conformance: conformanceOf(test.id),
      keyUsage: [],
      purposes: purposes(test),
      partialChain: true,
      ...(test.max_chain_depth === null ? {} : { maxPathLength: test.max_chain_depth }),
      ...(test.crls.length === 0 ? {} : { revocation: { mode: "hard-fail", crls } })
    })
    const { expected_peer_name: expected, expected_peer_names: others } = test
    const isServer = test.validation_kind === "SERVER"
    const serverName = isServer && expected !== null && expected.kind !== "RFC822" ? expected.value : undefined
    yield* verifier.verify({
      role: isServer ? "server" : "client",
      certificates: [leaf, ...intermediates],
      serverName: serverName === undefined ? Option.none() : Option.some(yield* ServerName.parse(serverName)),
      signatureSchemes: schemesOf(test.signature_algorithms),
      limits: Limits.defaults
    })
    const asked = [...(expected === null || serverName !== undefined ? [] : [expected]), ...others]
    const missing = asked.find((name) => !hasName(leaf, name))
    if (missing !== undefined) return `the peer is not ${missing.kind} ${missing.value}`
    const other = test.key_usage.find((usage) => leaf.keyUsage?.has(keyUsage(usage)) === false)
    return other === undefined ? undefined : `the peer's key is not for ${other}`
  }).pipe(
    Effect.catchAll(({ message }) => Effect.succeed(message)),
    Effect.provide(NodeCrypto.layer),
    Effect.withClock(clockAt(test.validation_time === null ? Date.now() : Date.parse(test.validation_time)))
  )

const clockAt = (time: number): Clock.Clock => ({ ...Clock.make(), currentTimeMillis: Effect.succeed(time) })

/** limbo's own form of a case's result. */
export interface TestcaseResult {
  readonly id: string
  readonly actual_result: "SUCCESS" | "FAILURE" | "SKIPPED" | "HANG"
  readonly context: string | null
}

/** What became of a case, in limbo's form and in ours. */
export interface Judgement {
  readonly result: TestcaseResult
  readonly outcome: Outcome
}

const skipped = (id: string, context: string): Judgement => ({
  result: { id, actual_result: "SKIPPED", context },
  outcome: { name: id, result: "skipped", note: context, milliseconds: 0 }
})

const judge = (item: unknown, index: number): Effect.Effect<Judgement> =>
  Effect.suspend(() => {
    const decoded = Schema.decodeUnknownEither(Testcase)(item)
    if (Either.isLeft(decoded)) {
      const { id } = { id: `case.${index}`, ...(item as object | null) }
      return Effect.succeed(skipped(id, `it is not of the form we know: ${decoded.left.message}`))
    }
    const test = decoded.right
    const strange = test.features.find((feature) => !known.has(feature))
    if (strange !== undefined) return Effect.succeed(skipped(test.id, `we do not do ${strange}`))
    const answer = Effect.map(refusal(test), (context): TestcaseResult => ({
      id: test.id,
      actual_result: context === undefined ? "SUCCESS" : "FAILURE",
      context: context ?? null
    }))
    return Effect.map(timed(answer), ({ given, milliseconds }): Judgement => {
      const result = given ?? { id: test.id, actual_result: "HANG", context: "it does not end" }
      const outcome = compare(result.actual_result === "SUCCESS", test.expected_result === "SUCCESS")
      return { result, outcome: { name: test.id, result: outcome, note: result.context ?? "", milliseconds } }
    })
  })

const Limbo = Schema.Struct({ version: Schema.Literal(1), testcases: Schema.Array(Schema.Unknown) })

/** Judges every case of a suite, one after the other. */
export const judgeAll = (suite: unknown): Effect.Effect<ReadonlyArray<Judgement>, UnusableSuite> =>
  Schema.decodeUnknown(Limbo)(suite).pipe(
    Effect.mapError(({ message }) => new UnusableSuite({ message: `it is no suite of limbo: ${message}` })),
    Effect.flatMap(({ testcases }) => Effect.forEach(testcases, judge))
  )

/**
 * Whether a wrong answer is one we mean to give: what the CA/Browser Forum asks of the text of a common name, which
 * nobody goes by, and what needs a list of public suffixes.
 */
export const isLint = ({ milliseconds, name, result }: Outcome): boolean =>
  result === "false accept" &&
  milliseconds <= longest &&
  (name.startsWith("webpki::cn::") || name.startsWith("webpki::san::public-suffix-"))
