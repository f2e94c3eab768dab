/** The laws of contexts: how they merge, what `withX` says, what comes of it when a handshake asks. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Struct from "effect/Struct"
import * as CallContext from "../../src/core/CallContext.ts"
import type { HandshakePolicy } from "../../src/core/HandshakePolicy.ts"
import * as SecureContext from "../../src/core/SecureContext.ts"
import * as ServerNameSelection from "../../src/core/ServerNameSelection.ts"
import type { TlsConfigError } from "../../src/schema/TlsError.ts"
import * as ServerName from "../../src/schema/ServerName.ts"
import * as contexts from "../support/contexts.ts"
import { context, eloquent, saidBy, saying } from "../support/contexts.ts"
import { crypto } from "../support/identities.ts"

type Context = SecureContext.SecureContext

const { empty, merge } = SecureContext

const assertSame = (a: Context, b: Context): void => assert.deepStrictEqual(saidBy(a), saidBy(b))

type Fields = Readonly<Record<string, unknown>>

/** Of each field what `b` says, or else what `a` says: the very values. `but` are looked at otherwise. */
const assertLastWins = (merged: object, a: object, b: object, but: ReadonlyArray<string> = []): void => {
  const says = (said: object) => Object.keys(said).filter((field) => (said as Fields)[field] !== undefined)
  assert.sameMembers(says(merged), [...new Set([...says(a), ...says(b)])])
  for (const field of says(merged)) {
    if (but.includes(field)) continue
    const last = says(b).includes(field) ? b : a
    assert.strictEqual((merged as Fields)[field], (last as Fields)[field], field)
  }
}

describe("merge", () => {
  it.prop("is associative", [context, context, context], ([a, b, c]) =>
    assertSame(merge(merge(a, b), c), merge(a, merge(b, c)))
  )

  it.prop("has an identity, left and right", [context], ([a]) => {
    assertSame(merge(a, empty), a)
    assertSame(merge(empty, a), a)
  })

  it.prop("is idempotent, but for identities", [context], ([a]) => {
    assertSame(merge(a, a), saying({ ...saidBy(a), identities: [...a.identities, ...a.identities] }))
  })

  it.prop("takes of each field what was said last, and identities in order", [context, context], ([a, b]) => {
    const merged = merge(a, b)
    assertLastWins(merged, a, b, ["pipe", "identities", "protocol", "trust", "sessions"])
    assertLastWins(merged.protocol, a.protocol, b.protocol, ["limits"])
    assertLastWins(merged.protocol.limits ?? {}, a.protocol.limits ?? {}, b.protocol.limits ?? {})
    // Whom to trust is one matter: a verifier that was said before would not know of the anchors.
    const before = b.trust.anchors === undefined ? a.trust : Struct.omit(a.trust, "verifier")
    assertLastWins(merged.trust, before, b.trust)
    assertLastWins(merged.sessions, a.sessions, b.sessions)
    assert.deepStrictEqual(merged.identities, [...a.identities, ...b.identities])
  })

  it.prop("changes neither side", [context, context], ([a, b]) => {
    const copyOf = (said: Context) => ({
      ...saidBy(said),
      protocol: { ...said.protocol },
      limits: { ...said.protocol.limits },
      trust: { ...said.trust },
      sessions: { ...said.sessions },
      identities: [...said.identities]
    })
    const [first, second] = [copyOf(a), copyOf(b)]
    merge(a, b)
    assert.deepStrictEqual(copyOf(a), first)
    assert.deepStrictEqual(copyOf(b), second)
  })

  it.prop("comes data-last too, and what comes of it is a context", [context, context], ([a, b]) => {
    const merged = merge(a, b)
    assertSame(merged.pipe(merge(b)), merge(merged, b))
    assertSame(merge(b)(a), merged)
    assert.isTrue(SecureContext.isSecureContext(merged))
  })
})

describe("the last one wins", () => {
  /** Two values of one field, one after the other, are the second; the field alone, and beside any others. */
  const single = <A extends object>(
    where: string,
    fields: contexts.Fields<A>,
    whole: (said: Partial<A>) => Partial<contexts.Parts>
  ) => {
    for (const [field, values] of Object.entries<FastCheck.Arbitrary<unknown>>(fields)) {
      // Identities accumulate, the others are not replaced as a whole.
      if (["identities", "protocol", "trust", "sessions", "limits"].includes(field)) continue
      it.prop(
        `${where}${field}`,
        [values, values, context],
        ([first, second, others]) => {
          const [a, b] = [first, second].map((value) => saying(whole({ [field]: value } as Partial<A>)))
          assertSame(merge(a!, b!), b!)
          assertSame(merge(merge(others, a!), b!), merge(others, b!))
        },
        { fastCheck: { numRuns: 20 } }
      )
    }
  }
  single<contexts.Parts>("", contexts.fields, (said) => said)
  single<contexts.Parts["protocol"]>("protocol.", contexts.protocolFields, (protocol) => ({ protocol }))
  single("protocol.limits.", contexts.limitFields, (limits) => ({ protocol: { limits } }))
  single<SecureContext.Trust>("trust.", contexts.trustFields, (trust) => ({ trust }))
  single<SecureContext.Sessions>("sessions.", contexts.sessionFields, (sessions) => ({ sessions }))
})

// ---------------------------------------------------------------------------------------------------------------------

/** Something said by a function of SecureContext, and the same as a context that says only that. */
interface Saying {
  readonly first: (self: Context) => Context
  readonly last: (self: Context) => Context
  readonly only: Context
}

interface WithX {
  readonly name: string
  readonly aspect: keyof contexts.Parts
  readonly said: FastCheck.Arbitrary<Saying>
  /** Those that speak of every field that there is. */
  readonly whole: FastCheck.Arbitrary<Saying>
}

const withX = <A>(
  name: string,
  say: { (value: A): (self: Context) => Context; (self: Context, value: A): Context },
  values: FastCheck.Arbitrary<A>,
  parts: (value: A) => Partial<contexts.Parts>,
  wholes = values
): WithX => {
  const saidOf = (value: A): Saying => ({
    first: (self) => say(self, value),
    last: say(value),
    only: saying(parts(value))
  })
  const [aspect] = Object.keys(parts(undefined as A)) as [keyof contexts.Parts]
  return { name, aspect, said: values.map(saidOf), whole: wholes.map(saidOf) }
}

const sayings: ReadonlyArray<WithX> = [
  withX(
    "withProtocol",
    SecureContext.withProtocol,
    contexts.protocol,
    (protocol) => ({ protocol }),
    contexts.wholeProtocol
  ),
  withX("withAlpn", SecureContext.withAlpn, contexts.protocolFields.alpn, (alpn) => ({ protocol: { alpn } })),
  withX("withIdentity", SecureContext.withIdentity, contexts.identity, (identity) => ({ identities: [identity] })),
  withX(
    "withIdentityResolver",
    SecureContext.withIdentityResolver,
    contexts.fields.resolveIdentity,
    (resolveIdentity) => ({ resolveIdentity })
  ),
  withX("withAlpnSelector", SecureContext.withAlpnSelector, contexts.fields.selectAlpn, (selectAlpn) => ({
    selectAlpn
  })),
  withX("withContextSelector", SecureContext.withContextSelector, contexts.fields.selectContext, (selectContext) => ({
    selectContext
  })),
  withX("withOcspResponder", SecureContext.withOcspResponder, contexts.fields.ocspResponse, (ocspResponse) => ({
    ocspResponse
  })),
  withX("withTrust", SecureContext.withTrust, contexts.trust, (trust) => ({ trust }), contexts.wholeTrust),
  withX(
    "withSessions",
    SecureContext.withSessions,
    contexts.sessions,
    (sessions) => ({ sessions }),
    contexts.wholeSessions
  ),
  withX("withVerifier", SecureContext.withVerifier, contexts.trustFields.verifier, (verifier) => ({
    trust: { verifier }
  }))
]

/** `protocol.alpn`, `protocol.limits.warnings`, `identities` and so on; anchors speak of the verifier too. */
const saidFields = (self: Context): ReadonlyArray<string> => {
  const { identities, protocol, sessions, trust, ...hooks } = saidBy(self)
  const { limits = {}, ...others } = protocol
  const named = (prefix: string, said: object) =>
    Object.entries(said).flatMap(([field, value]) => (value === undefined ? [] : `${prefix}${field}`))
  return [
    ...(identities.length > 0 ? ["identities"] : []),
    ...named("", hooks),
    ...named("protocol.", others),
    ...named("protocol.limits.", limits),
    ...named("trust.", trust.anchors === undefined ? trust : { ...trust, verifier: trust.verifier ?? "replaced" }),
    ...named("sessions.", sessions)
  ]
}

describe("withX", () => {
  it("there is one for each aspect, and each keeps to the laws", () => {
    assert.sameMembers(
      sayings.map(({ name }) => name),
      Object.keys(SecureContext).filter((name) => name.startsWith("with"))
    )
    assert.sameMembers([...new Set(sayings.map(({ aspect }) => aspect))], Object.keys(contexts.fields))
  })

  for (const { name, said, whole } of sayings) {
    it.prop(
      `${name} merges a context that says only that, data-first and data-last`,
      [context, said],
      ([self, one]) => {
        const merged = merge(self, one.only)
        assertSame(one.first(self), merged)
        assertSame(one.last(self), merged)
        assertSame(self.pipe(one.last), merged)
      }
    )

    if (name === "withIdentity") {
      it.prop(`${name} adds one after the others`, [context, said, said], ([self, one, other]) =>
        assert.deepStrictEqual(other.first(one.first(self)).identities, [
          ...self.identities,
          ...one.only.identities,
          ...other.only.identities
        ])
      )
    } else {
      it.prop(`${name} twice with the same fields is the last`, [context, said, whole], ([self, one, other]) =>
        assertSame(other.first(one.first(self)), other.first(self))
      )
    }
  }

  const any = FastCheck.oneof(...sayings.map(({ said }) => said))
  it.prop("of different fields commute", [context, any, any], ([self, one, other]) => {
    const also = saidFields(other.only)
    FastCheck.pre(!saidFields(one.only).some((field) => also.includes(field)))
    assertSame(one.first(other.first(self)), other.first(one.first(self)))
  })
})

// ---------------------------------------------------------------------------------------------------------------------

type Resolved = Either.Either<HandshakePolicy, TlsConfigError>

const roles = ["client", "server"] as const

const resolve = (said: Context, role: (typeof roles)[number]): Resolved => SecureContext.resolve(said, crypto, role)

const selectedBy = ({ selectPolicy }: HandshakePolicy, name = Option.none<ServerName.ServerName>()): Resolved =>
  Effect.runSync(Effect.either(selectPolicy!(name, contexts.hello))) as Resolved

/** Whether a handshake would go the same way. A verifier that nobody named is made anew: it tells by its name. */
const assertSameResolved = (a: Resolved, b: Resolved, depth = 0): void => {
  if (Either.isLeft(a) || Either.isLeft(b)) {
    const problems = [a, b].map((one) => Either.isLeft(one) && [one.left.reason, one.left.issues])
    assert.deepStrictEqual(problems[0], problems[1])
    return
  }
  const { selectPolicy: selectA, verifier: verifierA, ...others } = a.right
  const { selectPolicy: selectB, verifier: verifierB, ...same } = b.right
  assert.deepStrictEqual(others, same)
  if (verifierA !== verifierB) {
    assert.deepStrictEqual([verifierA.name, verifierA.wantsStaple], [verifierB.name, verifierB.wantsStaple])
    assert.match(verifierA.name, /^webPki/)
  }
  assert.strictEqual(selectA === undefined, selectB === undefined)
  if (selectA !== undefined && depth === 0) assertSameResolved(selectedBy(a.right), selectedBy(b.right), 1)
}

describe("resolving", () => {
  it("is possible for most contexts, without which the laws would say little", () => {
    const samples = FastCheck.sample(context, 300)
    for (const role of roles) {
      const count = samples.filter((said) => Either.isRight(resolve(said, role))).length
      assert.isAbove(count, 75)
      assert.isBelow(count, 300)
    }
  })

  it.prop("depends on what was said alone, not on how", [context, context], ([a, b]) => {
    const merged = merge(a, b)
    const again = saying({
      ...saidBy(merged),
      protocol: { ...merged.protocol, ...(merged.protocol.limits && { limits: { ...merged.protocol.limits } }) },
      trust: { ...merged.trust },
      sessions: { ...merged.sessions }
    })
    for (const role of roles) {
      assertSameResolved(resolve(again, role), resolve(merged, role))
      assertSameResolved(resolve(merge(empty, a), role), resolve(a, role))
    }
  })

  it.prop("goes by the last one that says everything, but for identities", [context, eloquent], ([a, b]) => {
    // Of random signature schemes there need be none that the identity's key can do.
    FastCheck.pre(Either.isRight(resolve(b, "server")))
    for (const role of roles) {
      const [merged, last] = [resolve(merge(a, b), role), resolve(b, role)].map((one) => Either.getOrThrow(one)) as [
        HandshakePolicy,
        HandshakePolicy
      ]
      assert.deepStrictEqual(merged.ownIdentities, [...a.identities, ...b.identities])
      const others = (policy: HandshakePolicy) => Struct.omit(policy, "ownIdentities", "selectPolicy")
      assert.deepStrictEqual(others(merged), others(last))
      assert.strictEqual(merged.selectPolicy === undefined, role === "client")
    }
  })

  it.prop("is done once, and stays the same", [context], ([a]) => {
    for (const role of roles) {
      const first = resolve(a, role)
      assert.strictEqual(resolve(a, role), first)
      // Another provider in between.
      SecureContext.resolve(a, { ...crypto }, role)
      assertSameResolved(resolve(a, role), first)
    }
  })
})

describe("a context that is selected", () => {
  const name = "admin.example.org"

  /** What a server says where another context was selected, as the documentation has it. */
  const beneath = (base: Context, chosen: Context): Context => {
    const isSomebody = chosen.identities.length > 0 || chosen.resolveIdentity !== undefined
    const saysWhom = chosen.trust.anchors !== undefined || chosen.trust.verifier !== undefined
    const { announceAuthorities, clientAuthentication, requestStaple } = base.trust
    return saying({
      ...saidBy(base),
      ...(isSomebody ? { identities: [], resolveIdentity: undefined, ocspResponse: undefined } : {}),
      ...(chosen.protocol.alpn === undefined ? {} : { selectAlpn: undefined }),
      ...(saysWhom
        ? {
            trust: Object.fromEntries(
              Object.entries({ announceAuthorities, clientAuthentication, requestStaple }).filter(
                ([, value]) => value !== undefined
              )
            )
          }
        : {}),
      selectContext: undefined
    })
  }

  it.prop("says first, and the server the rest", [context, eloquent, context], ([a, { identities }, b]) => {
    const chosen = saying({ ...saidBy(b), selectContext: undefined })
    const base = saying({ ...saidBy(a), identities })
    const resolved = resolve(Either.getOrThrow(ServerNameSelection.select(base, [[name, chosen]])), "server")
    FastCheck.pre(Either.isRight(resolved))
    const serverName = Option.some(Either.getOrThrow(ServerName.parse(name)))
    assertSameResolved(
      selectedBy(Either.getOrThrow(resolved), serverName),
      resolve(merge(beneath(base, chosen), chosen), "server")
    )
  })
})

describe("a call", () => {
  const acquiring = (current: Context, options: CallContext.CallOptions) =>
    Effect.scope.pipe(
      Effect.flatMap((scope) => CallContext.acquireIn(options, scope)),
      Effect.scoped,
      Effect.provideService(CallContext.CurrentContext, current)
    )
  const acquire = (current: Context, options: CallContext.CallOptions) => Effect.runSync(acquiring(current, options))
  const alpn = FastCheck.option(contexts.protocolFields.alpn, { nil: undefined })

  /** Offers these, whatever else was said of application protocols. */
  const offering = (self: Context, offered: ReadonlyArray<string>) =>
    saying({ ...saidBy(SecureContext.withAlpn(self, offered)), selectAlpn: undefined })

  it.prop(
    "goes by its context over the fiber's, and by its `alpn` over both and over what they select",
    [context, context, alpn],
    ([a, b, offered]) => {
      const merged = merge(a, b)
      const options = { context: b, ...(offered === undefined ? {} : { alpn: offered }) }
      const acquired = acquire(a, options)
      // So that it is resolved once.
      assert.strictEqual(acquire(a, options), acquired)
      if (offered === undefined) return assertSame(acquired, merged)
      const selected = (said: Context) =>
        said.selectContext && Effect.runSync(Effect.orDie(said.selectContext(Option.none(), contexts.hello)))
      const [found, before] = [selected(acquired), selected(merged)]
      assert.deepStrictEqual(
        found && Option.map(found, saidBy),
        before && Option.map(before, (one) => saidBy(offering(one, offered)))
      )
      const others = (said: Context) => saying({ ...saidBy(said), selectContext: undefined })
      assertSame(others(acquired), others(offering(merged, offered)))
    }
  )

  it.prop("goes by the fiber's context where it says nothing, and by its own where there is none", [context], ([a]) => {
    assert.strictEqual(acquire(a, {}), a)
    assert.strictEqual(acquire(empty, { context: a }), a)
  })

  it("has its `alpn` checked", () => {
    const error = Either.getOrThrow(Either.flip(Effect.runSync(Effect.either(acquiring(empty, { alpn: ["h2", ""] })))))
    assert.strictEqual(error.issues[0].path, "alpn[1]")
  })
})
