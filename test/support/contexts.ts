/**
 * Contexts of every kind, for laws. Everything that a context can say is drawn: a field that is added to one of these
 * types is a type error here until it is drawn too.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Struct from "effect/Struct"
import type { Identity } from "../../src/core/Identity.ts"
import * as SecureContext from "../../src/core/SecureContext.ts"
import * as SessionCache from "../../src/core/SessionCache.ts"
import * as TicketKeys from "../../src/core/TicketKeys.ts"
import * as TrustStore from "../../src/core/TrustStore.ts"
import * as Verifier from "../../src/core/Verifier.ts"
import * as CipherSuite from "../../src/schema/CipherSuite.ts"
import type { ClientHello } from "../../src/schema/HandshakeMessage.ts"
import * as Limits from "../../src/schema/Limits.ts"
import * as NamedGroup from "../../src/schema/NamedGroup.ts"
import * as Policy from "../../src/schema/Policy.ts"
import type { ProtocolOptions } from "../../src/schema/ProtocolOptions.ts"
import * as SignatureScheme from "../../src/schema/SignatureScheme.ts"
import * as identities from "./identities.ts"

/** What a context consists of. */
export type Parts = Omit<SecureContext.SecureContext, typeof SecureContext.TypeId | "pipe">

type Said<A> = { readonly [K in keyof A]-?: Exclude<A[K], undefined> }

/** A value for each field; none may be forgotten. */
export type Fields<A> = { readonly [K in keyof A]-?: FastCheck.Arbitrary<Exclude<A[K], undefined>> }

type AnyFields = Readonly<Record<string, FastCheck.Arbitrary<unknown>>>

/** Any of the fields, none, or all. Frozen: what changes it throws. */
const some = <A extends object>(fields: Fields<A>): FastCheck.Arbitrary<A> =>
  FastCheck.record(fields as unknown as AnyFields, { requiredKeys: [], noNullPrototype: true }).map(
    Object.freeze
  ) as never

const all = <A extends object>(fields: Fields<A>): FastCheck.Arbitrary<Said<A>> =>
  FastCheck.record(fields as unknown as AnyFields, { noNullPrototype: true }).map(Object.freeze) as never

type Names<A> = readonly [A, ...Array<A>]

/** Some names of a registry in any order, `always` among them. */
const list = <A extends string>(registry: ReadonlyArray<{ readonly name: A }>, ...always: ReadonlyArray<A>) =>
  FastCheck.shuffledSubarray(
    registry.map(({ name }) => name),
    { minLength: 1, maxLength: Math.min(4, registry.length) }
  ).map((names) => Array.from(new Set(names.concat(always))) as unknown as Names<A>)

const { client, server } = identities
const authority = identities.makeSync({ ca: true, names: [], subject: "authority" })

const people: ReadonlyArray<Identity> = [
  server.identity,
  client.identity,
  identities.makeSync({ issuer: authority, key: { _tag: "Ed25519" }, names: ["issued.example"] }).identity
]

// ---------------------------------------------------------------------------------------------------------------------
// Fields
// ---------------------------------------------------------------------------------------------------------------------

export const limitFields = Object.fromEntries(
  (Object.keys(Limits.defaults) as ReadonlyArray<keyof Limits.Limits>).map((name) => [
    name,
    FastCheck.integer({ min: Limits.defaults[name], max: Limits.defaults[name] + 3 })
  ])
) as unknown as Fields<Limits.Limits>

const limits: FastCheck.Arbitrary<Partial<Limits.Limits>> = some<Partial<Limits.Limits>>(limitFields)

export const protocolFields: Fields<ProtocolOptions> = {
  policy: FastCheck.constantFrom(...Policy.registry.map(({ name }) => name)),
  versions: FastCheck.constant(["TLSv1.3"]),
  cipherSuites: list(CipherSuite.registry),
  // What most contexts say of these goes together, so that most can be resolved.
  groups: list(NamedGroup.registry, "x25519", "secp256r1"),
  keyShares: list([{ name: "x25519" }, { name: "secp256r1" }]),
  signatureSchemes: list(SignatureScheme.registry, "ecdsa_secp256r1_sha256"),
  certificateSignatureSchemes: list(SignatureScheme.registry),
  alpn: FastCheck.subarray(["h2", "http/1.1", "echo/1"]),
  maxFragment: FastCheck.integer({ min: 64, max: 16_384 }),
  recordSizeLimit: FastCheck.integer({ min: 64, max: 16_385 }),
  recordPadding: FastCheck.integer({ min: 1, max: 16_384 }),
  middleboxCompatibility: FastCheck.boolean(),
  helloRetryCookie: FastCheck.boolean(),
  handshakeTimeout: FastCheck.integer({ min: 1, max: 60_000 }).map(Duration.millis),
  limits
}

export const trustFields: Fields<SecureContext.Trust> = {
  anchors: FastCheck.constantFrom(
    TrustStore.fromCertificates([authority.certificate]),
    TrustStore.fromCertificates([server.certificate, client.certificate])
  ),
  verifier: FastCheck.constantFrom(
    Verifier.serverName,
    Verifier.make("wants staples", Verifier.serverName.verify, { wantsStaple: true })
  ),
  revocation: FastCheck.constantFrom({ mode: "off" }, { mode: "hard-fail" }, { mode: "soft-fail", staple: "ignore" }),
  requestStaple: FastCheck.boolean(),
  partialChain: FastCheck.boolean(),
  clientAuthentication: FastCheck.constantFrom("none", "request", "require"),
  announceAuthorities: FastCheck.boolean()
}

const cacheOf = (): SessionCache.SessionCache =>
  SessionCache.fromFunctions({ take: () => Effect.succeedNone, put: () => Effect.void })

const keysOf = (): TicketKeys.TicketKeys => ({
  [TicketKeys.TypeId]: TicketKeys.TypeId,
  seal: Effect.succeed,
  open: Effect.succeedSome
})

export const sessionFields: Fields<SecureContext.Sessions> = {
  ticketKeys: FastCheck.constantFrom(keysOf(), keysOf()),
  cache: FastCheck.constantFrom(cacheOf(), cacheOf()),
  tickets: FastCheck.integer({ min: 0, max: 16 }),
  lifetime: FastCheck.integer({ min: 1, max: 604_800 }).map(Duration.seconds),
  context: FastCheck.constantFrom("", "admin", "shop")
}

export const sessions: FastCheck.Arbitrary<SecureContext.Sessions> = some(sessionFields)

export const protocol: FastCheck.Arbitrary<ProtocolOptions> = some(protocolFields)

export const trust: FastCheck.Arbitrary<SecureContext.Trust> = some(trustFields)

export const identity: FastCheck.Arbitrary<Identity> = FastCheck.constantFrom(...people)

/** What its selectors find. */
const selected = saying({ identities: people.slice(2), protocol: { alpn: ["selected"] } })

export const fields: Fields<Parts> = {
  protocol,
  identities: FastCheck.array(identity, { maxLength: 3 }).map((own) => Object.freeze(own)),
  resolveIdentity: FastCheck.constantFrom(
    () => Effect.succeed([]),
    () => Effect.succeed(people)
  ),
  selectAlpn: FastCheck.constantFrom(
    () => Effect.succeedNone,
    ([first]: ReadonlyArray<string>) => Effect.succeed(Option.fromNullable(first))
  ),
  selectContext: FastCheck.constantFrom(
    () => Effect.succeedNone,
    () => Effect.succeedSome(selected)
  ),
  ocspResponse: FastCheck.constantFrom(
    () => Effect.succeedNone,
    () => Effect.succeedSome(Uint8Array.of(1))
  ),
  trust,
  sessions
}

// ---------------------------------------------------------------------------------------------------------------------
// Contexts
// ---------------------------------------------------------------------------------------------------------------------

/** A context that says these things and nothing else. */
export function saying(parts: Partial<Parts>): SecureContext.SecureContext {
  return Object.freeze({ ...SecureContext.empty, ...parts })
}

/** What a context says, to compare it. */
export const saidBy = (self: SecureContext.SecureContext): Parts => Struct.omit(self, "pipe")

export const context: FastCheck.Arbitrary<SecureContext.SecureContext> = some<Partial<Parts>>(fields).map(saying)

/** Of the protocol all there is to say. */
export const wholeProtocol: FastCheck.Arbitrary<ProtocolOptions> = all<ProtocolOptions>({
  ...protocolFields,
  limits: all<Limits.Limits>(limitFields)
})

/** Of trust all there is to say, and nothing that is refused beside a verifier. */
export const wholeTrust: FastCheck.Arbitrary<SecureContext.Trust> = all<SecureContext.Trust>({
  ...trustFields,
  revocation: FastCheck.constant({ mode: "off" }),
  partialChain: FastCheck.constant(false)
})

/** Of sessions all there is to say. */
export const wholeSessions: FastCheck.Arbitrary<SecureContext.Sessions> = all(sessionFields)

/** Those that say everything. */
export const eloquent: FastCheck.Arbitrary<SecureContext.SecureContext> = all<Parts>({
  ...fields,
  identities: FastCheck.array(identity, { minLength: 1, maxLength: 3 }),
  protocol: wholeProtocol,
  trust: wholeTrust,
  sessions: wholeSessions
}).map(saying)

/** For selectors that do not look at it. */
export const hello = {} as ClientHello
