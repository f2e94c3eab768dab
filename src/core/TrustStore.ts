/**
 * Trust anchors: the certificates that a path has to end at. A store is a value; which one a program uses where it does
 * not say is a `Context.Reference`, empty unless a layer provides another, and an empty store trusts nobody.
 *
 * @example
 * import { Effect, Either } from "effect"
 * import { TrustStore } from "effect-tls"
 *
 * const trusting = (pem: string) =>
 *   Effect.provide(TrustStore.layer(Either.getOrThrow(TrustStore.fromPem(pem))))
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Bytes from "../schema/Bytes.ts"
import * as Certificate from "../schema/Certificate.ts"
import type { DistinguishedName } from "../schema/DistinguishedName.ts"
import type { PemError } from "../schema/Pem.ts"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: unique symbol = Symbol.for("effect-tls/TrustStore")

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = typeof TypeId

/**
 * Anchors, each once, found by subject and by the identifier of their key. Immutable.
 *
 * @since 0.1.0
 * @category models
 */
export interface TrustStore {
  readonly [TypeId]: TypeId
  /** What the store is, for messages: `the system's trust store`; of an empty one why it is empty. */
  readonly name: string
  readonly anchors: ReadonlyArray<Certificate.Certificate>
  readonly bySubject: (name: DistinguishedName) => ReadonlyArray<Certificate.Certificate>
  readonly byKeyIdentifier: (identifier: Uint8Array) => ReadonlyArray<Certificate.Certificate>
  readonly has: (certificate: Certificate.Certificate) => boolean
}

/**
 * @since 0.1.0
 * @category guards
 */
export const isTrustStore = (u: unknown): u is TrustStore => typeof u === "object" && u !== null && TypeId in u

const none: ReadonlyArray<Certificate.Certificate> = []

const index = (
  anchors: ReadonlyArray<Certificate.Certificate>,
  keyOf: (anchor: Certificate.Certificate) => string | undefined
): ReadonlyMap<string, ReadonlyArray<Certificate.Certificate>> => {
  const found = new Map<string, Array<Certificate.Certificate>>()
  for (const anchor of anchors) {
    const key = keyOf(anchor)
    if (key === undefined) continue
    const others = found.get(key)
    if (others === undefined) found.set(key, [anchor])
    else others.push(anchor)
  }
  return found
}

/**
 * A store of the given anchors, with a name for messages. Copies of one certificate count once.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly name: string
  readonly anchors: Iterable<Certificate.Certificate>
}): TrustStore => {
  const byContent = new Map<string, Certificate.Certificate>()
  for (const anchor of options.anchors) byContent.set(Bytes.toLatin1(anchor.der), anchor)
  const anchors = [...byContent.values()]
  const bySubject = index(anchors, ({ subject }) => subject.key)
  const byKeyIdentifier = index(
    anchors,
    ({ subjectKeyIdentifier: identifier }) => identifier && Bytes.toLatin1(identifier)
  )
  return {
    [TypeId]: TypeId,
    name: options.name,
    anchors,
    bySubject: (name) => bySubject.get(name.key) ?? none,
    byKeyIdentifier: (identifier) => byKeyIdentifier.get(Bytes.toLatin1(identifier)) ?? none,
    has: (certificate) =>
      (bySubject.get(certificate.subject.key) ?? none).some((anchor) => Bytes.equals(anchor.der, certificate.der))
  }
}

/**
 * A store that is loaded when something is first asked of it, and then kept.
 *
 * @since 0.1.0
 * @category constructors
 */
export const lazy = (load: () => TrustStore): TrustStore => {
  let loaded: TrustStore | undefined
  const store = () => (loaded ??= load())
  return {
    [TypeId]: TypeId,
    get name() {
      return store().name
    },
    get anchors() {
      return store().anchors
    },
    bySubject: (name) => store().bySubject(name),
    byKeyIdentifier: (identifier) => store().byKeyIdentifier(identifier),
    has: (certificate) => store().has(certificate)
  }
}

/**
 * A store of exactly these certificates.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromCertificates = (certificates: Iterable<Certificate.Certificate>): TrustStore => {
  const anchors = Array.from(certificates)
  if (anchors.length === 0) return empty
  return make({
    name: anchors.length === 1 ? "the one trusted certificate" : `the ${anchors.length} trusted certificates`,
    anchors
  })
}

/**
 * A store of the certificates of a PEM text, at least one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromPem = (text: string): Either.Either<TrustStore, PemError> =>
  Either.map(Certificate.fromPem(text), fromCertificates)

/**
 * Trusts nobody.
 *
 * @since 0.1.0
 * @category constructors
 */
export const empty: TrustStore = make({ name: "no trust anchors are configured", anchors: [] })

/**
 * @since 0.1.0
 * @category predicates
 */
export const isEmpty = (store: TrustStore): boolean => store.anchors.length === 0

/**
 * The anchors of both.
 *
 * @since 0.1.0
 * @category combinators
 */
export const merge: {
  (that: TrustStore): (self: TrustStore) => TrustStore
  (self: TrustStore, that: TrustStore): TrustStore
} = dual(2, (self: TrustStore, that: TrustStore): TrustStore =>
  lazy(() => {
    if (isEmpty(self)) return that
    if (isEmpty(that)) return self
    return make({ name: `${self.name} and ${that.name}`, anchors: [...self.anchors, ...that.anchors] })
  })
)

/**
 * The store of whoever does not say which. Empty unless a layer says otherwise.
 *
 * @since 0.1.0
 * @category references
 */
export class Current extends Context.Reference<Current>()("effect-tls/TrustStore", {
  defaultValue: (): TrustStore => empty
}) {}

/**
 * Replaces the current store.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (store: TrustStore): Layer.Layer<Current> => Layer.succeed(Current, store)

/**
 * Adds to the current store.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerAdd = (store: TrustStore): Layer.Layer<Current> =>
  Layer.effect(
    Current,
    Effect.map(Current, (current) => merge(current, store))
  )
