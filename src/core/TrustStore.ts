/**
 * Trust anchors: the certificates that a path has to end at. A store is a value; which one a program uses where it does
 * not say is a `Context.Reference`, empty unless a layer provides another, and an empty store trusts nobody.
 *
 * @since 0.1.0
 */
import type { Certificate } from "../schema/Certificate.ts"
import type { DistinguishedName } from "../schema/DistinguishedName.ts"

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
 * Anchors, found by subject and by the identifier of their key. Immutable.
 *
 * @since 0.1.0
 * @category models
 */
export interface TrustStore {
  readonly [TypeId]: TypeId
  /** What the store is, for messages: `system`, `bundled`, `2 certificates`. */
  readonly name: string
  readonly anchors: ReadonlyArray<Certificate>
  readonly bySubject: (name: DistinguishedName) => ReadonlyArray<Certificate>
  readonly byKeyIdentifier: (identifier: Uint8Array) => ReadonlyArray<Certificate>
  readonly has: (certificate: Certificate) => boolean
}
