/**
 * Verifiers: values that decide whether a peer is who it should be, after it has proven that it owns its key. They
 * compose.
 *
 * @since 0.1.0
 */
import type * as Arr from "effect/Array"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { Pipeable } from "effect/Pipeable"
import type { Certificate } from "../schema/Certificate.ts"
import type { ServerName } from "../schema/ServerName.ts"
import type { SignatureScheme } from "../schema/SignatureScheme.ts"
import type { CertificateError } from "../schema/TlsError.ts"
import type { CryptoProvider } from "./CryptoProvider.ts"
import type { PathLimits } from "./PathValidation.ts"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: unique symbol = Symbol.for("effect-tls/Verifier")

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = typeof TypeId

/**
 * What is to be verified. `role` is what the peer is; `certificates` are as it sent them, the leaf first; `serverName`
 * is what a client expects of a server; `signatureSchemes` are those accepted in certificates.
 *
 * @since 0.1.0
 * @category models
 */
export interface VerificationRequest {
  readonly role: "server" | "client"
  readonly certificates: Arr.NonEmptyReadonlyArray<Certificate>
  readonly serverName: Option.Option<ServerName>
  readonly signatureSchemes: ReadonlyArray<SignatureScheme>
  readonly limits: PathLimits
}

/**
 * Why the peer was accepted: the path from its leaf to the anchor (or as much as the verifier looked at), and which
 * verifier vouches for it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Verification {
  readonly path: Arr.NonEmptyReadonlyArray<Certificate>
  readonly vouchedBy: string
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Verifier extends Pipeable {
  readonly [TypeId]: TypeId
  readonly name: string
  readonly verify: (request: VerificationRequest) => Effect.Effect<Verification, CertificateError, CryptoProvider>
}
