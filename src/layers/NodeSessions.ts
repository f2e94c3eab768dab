/**
 * Node's `ticketKeys`, `sessionTimeout` and `sessionIdContext` as what a server keeps of sessions.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { CryptoProvider } from "../core/CryptoProvider.ts"
import type { Sessions } from "../core/SecureContext.ts"
import * as TicketKeys from "../core/TicketKeys.ts"
import type { TlsConfigError } from "../schema/TlsError.ts"
import { bytesOf } from "./NodeIdentity.ts"
import type { NodeOptions } from "./NodeOptions.ts"

/**
 * Any of the three asks for sessions. Keys that are given are never changed, as Node has it: whoever gives the same ones
 * opens these tickets. Without them they are random, and rotate.
 *
 * @since 0.1.0
 * @category loading
 */
export const load = ({
  sessionIdContext,
  sessionTimeout,
  ticketKeys
}: NodeOptions): Effect.Effect<Sessions, TlsConfigError, CryptoProvider | Scope.Scope> => {
  if (sessionIdContext === undefined && sessionTimeout === undefined && ticketKeys === undefined) {
    return Effect.succeed({})
  }
  const keys =
    ticketKeys === undefined
      ? TicketKeys.make()
      : TicketKeys.fromSecret(Redacted.make(bytesOf(ticketKeys)), { rotation: Duration.infinity, previous: 0 })
  return Effect.map(keys, (made) => ({
    ticketKeys: made,
    ...(sessionTimeout === undefined ? {} : { lifetime: Duration.seconds(sessionTimeout) }),
    ...(sessionIdContext === undefined ? {} : { context: sessionIdContext })
  }))
}
