/** NIST's PKITS: paths from a trust anchor to a leaf, and whether RFC 5280 has them be valid, by the day it was made for. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import {
  Certificate,
  CertificateRevocationList,
  Limits,
  ObjectIdentifier,
  SignatureScheme,
  TrustStore,
  Verifier
} from "effect-tls"
import { NodeCrypto } from "effect-tls/node"
import type { Outcome } from "./Suite.ts"
import { compare, timed, UnusableSuite } from "./Suite.ts"

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true, nullable: true })
const Policies = Schema.Union(Schema.Array(Schema.String), Schema.String)
/** Some write flags as numbers. */
const Flag = Schema.transform(Schema.Literal(false, true, 0, 1), Schema.Boolean, {
  strict: true,
  decode: (flag) => flag === true || flag === 1,
  encode: (flag) => flag
})

const Case = Schema.Struct({
  name: Schema.String,
  chain: Schema.NonEmptyArray(Schema.String),
  crls: Schema.optionalWith(Schema.Array(Schema.String), { nullable: true, default: () => [] }),
  should_validate: Flag,
  initial_policy_set: optional(Policies),
  require_explicit_policy: optional(Flag),
  inhibit_policy_mapping: optional(Flag),
  inhibit_any_policy: optional(Flag),
  user_constrained_policy_set: optional(Policies)
})
type Case = typeof Case.Type

const Pkits = Schema.Struct({
  certs: Schema.Record({ key: Schema.String, value: Schema.String }),
  crls: Schema.Record({ key: Schema.String, value: Schema.String }),
  tests: Schema.Array(Schema.Unknown)
})
type Pkits = typeof Pkits.Type

/** PKITS's certificates and CRLs live from 2010 to 2030, and some of them end or begin between. */
const time = Date.UTC(2011, 3, 15)
const clock: Clock.Clock = { ...Clock.make(), currentTimeMillis: Effect.succeed(time) }

/** All signatures, RSA over SHA-1 too, and keys of 1024 bits: both were fine then. */
const signatureSchemes = SignatureScheme.registry.map(({ code }) => code)
const limits = { ...Limits.defaults, rsaModulusMin: 1024 }

class Unclear extends Schema.TaggedError<Unclear>()("Unclear", { message: Schema.String }) {}

/** Policies by object identifier, or by the names that PKITS's documents give them; without any, all. */
const policiesOf = (names: typeof Policies.Type) =>
  Effect.forEach(typeof names === "string" ? names.split(",") : names, (text) => {
    const name = text.trim()
    if (/^any-?policy$/i.test(name)) return Effect.succeed(ObjectIdentifier.oids.anyPolicy)
    const number = /^NIST-test-policy-(\d+)$/.exec(name)?.[1]
    const dotted = number === undefined ? name : `2.16.840.1.101.3.2.1.48.${number}`
    return ObjectIdentifier.isObjectIdentifier(dotted)
      ? Effect.succeed(dotted)
      : new Unclear({ message: `${JSON.stringify(name)} is no policy` })
  })

const find = (entries: Readonly<Record<string, string>>, name: string) =>
  Object.hasOwn(entries, name)
    ? Effect.succeed(new Uint8Array(Buffer.from(entries[name]!, "base64")))
    : new Unclear({ message: `there is nothing called ${JSON.stringify(name)}` })

const isDsa = ({ publicKey }: Certificate.Certificate): boolean =>
  publicKey._tag === "Unsupported" && publicKey.algorithm === "dsa"

/** How a verdict differs from the expected one, and in what. */
type Answer = Pick<Outcome, "result" | "note">

const answer = (suite: Pkits, test: Case): Effect.Effect<Answer, Unclear> =>
  Effect.gen(function* () {
    const encoded = yield* Effect.forEach(test.chain, (name) => find(suite.certs, name))
    const decoded = encoded.map((der) => Certificate.decode(der))
    const lists = yield* Effect.forEach(test.crls, (name) => find(suite.crls, name))
    const acceptable = yield* policiesOf(test.initial_policy_set ?? [])
    const expected = test.user_constrained_policy_set
    const expectedPolicies = expected === undefined ? undefined : new Set(yield* policiesOf(expected))

    const certificates = decoded.flatMap((certificate) => (Either.isRight(certificate) ? [certificate.right] : []))
    if (certificates.some(isDsa)) return { result: "skipped", note: "it is about DSA keys" } as const
    const illegible = decoded.findIndex(Either.isLeft)
    if (illegible >= 0) {
      const note = `${test.chain[illegible]!}: ${Either.getOrThrow(Either.flip(decoded[illegible]!)).message}`
      return { result: compare(false, test.should_validate), note }
    }
    const [anchor, ...below] = certificates
    const [leaf, ...above] = [...certificates].reverse()
    const verifier = Verifier.webPki(TrustStore.fromCertificates([anchor!]), {
      conformance: "algorithm",
      keyUsage: [],
      purposes: [],
      partialChain: true,
      policies: {
        ...(acceptable.length === 0 ? {} : { acceptable }),
        requireExplicitPolicy: test.require_explicit_policy ?? false,
        inhibitPolicyMapping: test.inhibit_policy_mapping ?? false,
        inhibitAnyPolicy: test.inhibit_any_policy ?? false
      },
      revocation: {
        mode: "hard-fail",
        crls: lists.flatMap((der) =>
          Either.match(CertificateRevocationList.decode(der), { onLeft: () => [], onRight: (list) => [list] })
        ),
        crlIssuers: below,
        // 4.14.30
        selfVouching: true
      }
    })
    const request = { role: "client", serverName: Option.none(), signatureSchemes, limits } as const
    return yield* Effect.match(verifier.verify({ ...request, certificates: [leaf!, ...above] }), {
      onFailure: ({ message }): Answer => ({ result: compare(false, test.should_validate), note: message }),
      onSuccess: ({ policies }): Answer => {
        if (!test.should_validate || expectedPolicies === undefined) {
          return { result: compare(true, test.should_validate), note: "" }
        }
        // Valid for other policies than it should be is accepted too widely, or refused for some.
        const found = new Set(policies?.userConstrained)
        const note = `it is valid for [${[...found].join(", ")}], not [${[...expectedPolicies].join(", ")}]`
        if ([...found].some((policy) => !expectedPolicies.has(policy))) return { result: "false accept", note }
        return found.size < expectedPolicies.size ? { result: "false reject", note } : { result: "passed", note: "" }
      }
    })
  }).pipe(Effect.provide(NodeCrypto.layer), Effect.withClock(clock))

const judge = (suite: Pkits, item: unknown, index: number): Effect.Effect<Outcome> => {
  const { name } = { name: `test ${index}`, ...(item as { readonly name?: string } | null) }
  return Schema.decodeUnknown(Case)(item).pipe(
    Effect.flatMap((test) =>
      Effect.map(timed(answer(suite, test)), ({ given, milliseconds }): Outcome => {
        const hanging: Answer = { result: compare(false, test.should_validate), note: "it does not end" }
        return { name, ...(given ?? hanging), milliseconds }
      })
    ),
    Effect.catchAll(({ message }) =>
      Effect.succeed({ name, result: "skipped", note: message, milliseconds: 0 } as const)
    )
  )
}

/** Judges every case of a suite, one after the other. */
export const judgeAll = (json: unknown): Effect.Effect<ReadonlyArray<Outcome>, UnusableSuite> =>
  Schema.decodeUnknown(Pkits)(json).pipe(
    Effect.mapError(({ message }) => new UnusableSuite({ message: `it is not a suite as PKITS is: ${message}` })),
    Effect.flatMap((suite) => Effect.forEach(suite.tests, (item, index) => judge(suite, item, index)))
  )
