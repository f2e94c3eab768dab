/**
 * What a server seals its sessions with, in the tickets that clients bring back (RFC 9846 §4.6.1). Keys rotate by the
 * Clock, and for a while the one before opens too.
 *
 * @example
 * import { Effect } from "effect"
 * import { SecureContext, TicketKeys } from "effect-tls"
 *
 * const resuming = (context: SecureContext.SecureContext) =>
 *   Effect.map(TicketKeys.make(), (ticketKeys) => SecureContext.withSessions(context, { ticketKeys }))
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { AeadAlgorithm } from "../schema/Algorithms.ts"
import { aeadLengths } from "../schema/Algorithms.ts"
import { ByteWriter } from "../schema/ByteWriter.ts"
import { concat, equals } from "../schema/Bytes.ts"
import * as Defaults from "../schema/Defaults.ts"
import { TlsConfigError } from "../schema/TlsError.ts"
import type { CryptoProviderService } from "./CryptoProvider.ts"
import { CryptoProvider } from "./CryptoProvider.ts"
import { hkdfExpand, hkdfExtract } from "./KeySchedule.ts"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: unique symbol = Symbol.for("effect-tls/TicketKeys")

/**
 * Seals what a server keeps of a session, and opens it again. `open` gives none for what it did not seal, or cannot open
 * any more: that client gets a full handshake. So it does when one of them fails. Whoever keeps sessions elsewhere, in a
 * store say, seals to the name they are found by; they hold secrets. What `seal` is given is its own.
 *
 * @since 0.1.0
 * @category models
 */
export interface TicketKeys {
  readonly [TypeId]: typeof TypeId
  readonly seal: (session: Uint8Array) => Effect.Effect<Uint8Array, unknown>
  readonly open: (ticket: Uint8Array) => Effect.Effect<Option.Option<Uint8Array>, unknown>
}

/**
 * @since 0.1.0
 * @category guards
 */
export const isTicketKeys = (u: unknown): u is TicketKeys => typeof u === "object" && u !== null && TypeId in u

/**
 * `rotation` is how long a key seals: six hours unless told, `Duration.infinity` for ever. `previous` is how many keys
 * before it still open: one unless told. A ticket opens for `rotation` times `previous` at least, whatever longer lifetime
 * its session has.
 *
 * @since 0.1.0
 * @category models
 */
export interface TicketKeysOptions {
  readonly rotation?: Duration.DurationInput
  readonly previous?: number
}

interface TicketKey {
  /** In front of each ticket of this key, in clear. */
  readonly name: Uint8Array
  readonly secret: Uint8Array
}

const nameLength = 16
const saltLength = 32
const keyLength = nameLength + 32

const preferred: ReadonlyArray<AeadAlgorithm> = ["AES-256-GCM", "CHACHA20-POLY1305", "AES-128-GCM"]

/** Epochs that the clock of another server may be before ours, or that ours may be set back. */
const ahead = 1

/**
 * Keys that `derive` makes of an epoch, in memory as long as they open tickets. Where they are `shared`, others seal with
 * them too.
 */
const fromEpochs = (
  crypto: CryptoProviderService,
  options: TicketKeysOptions,
  { derive, shared }: { readonly shared: boolean; readonly derive: (epoch: number) => Uint8Array }
): Effect.Effect<TicketKeys, TlsConfigError, Scope.Scope> =>
  Effect.gen(function* () {
    const rotation = Duration.toMillis(options.rotation ?? Defaults.ticketKeyRotation)
    const { previous = Defaults.previousTicketKeys } = options
    if (!(rotation >= 1000)) {
      return yield* TlsConfigError.of("InvalidOptions", "rotation", "a key is needed for a second at least")
    }
    if (!Number.isInteger(previous) || previous < 0 || previous > 100) {
      return yield* TlsConfigError.of("InvalidOptions", "previous", `a whole number from 0 to 100, found ${previous}`)
    }
    const aead = preferred.find((algorithm) => crypto.capabilities.aeads.has(algorithm))
    if (aead === undefined) {
      return yield* TlsConfigError.of(
        "Unsupported",
        "ticketKeys",
        `the provider ${crypto.name} has no AEAD for tickets`
      )
    }
    const kept = new Map<number, TicketKey>()
    let isOpen = true
    const wipe = (epoch: number, { secret }: TicketKey) => {
      secret.fill(0)
      kept.delete(epoch)
    }
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        isOpen = false
        kept.forEach((key, epoch) => wipe(epoch, key))
      })
    )

    const keyOf = (epoch: number): TicketKey => {
      let key = kept.get(epoch)
      if (key === undefined) {
        const bytes = derive(epoch)
        kept.set(epoch, (key = { name: bytes.subarray(0, nameLength), secret: bytes.subarray(nameLength, keyLength) }))
      }
      return key
    }
    /** The epoch of now; the keys of those that are too long ago are gone with it. */
    const epochAt = (now: number): number => {
      const epoch = Math.floor(now / rotation)
      for (const [other, key] of kept) if (other < epoch - previous || other > epoch + ahead) wipe(other, key)
      return epoch
    }
    // Every ticket has a key of its own, so that however many a key seals, no nonce comes twice.
    const aeadOf = ({ secret }: TicketKey, salt: Uint8Array) =>
      crypto.aead(aead, crypto.hmac("SHA-256", secret, salt).subarray(0, aeadLengths[aead].key))
    const nonce = new Uint8Array(12)

    const seal: TicketKeys["seal"] = (session) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        if (!isOpen) return Effect.fail(new Error("the Scope of these ticket keys is closed"))
        const key = keyOf(epochAt(now))
        const salt = crypto.randomBytes(saltLength)
        const sealer = aeadOf(key, salt)
        const sealed = new Uint8Array(session.length + sealer.tagLength)
        sealer.seal(nonce, key.name, session, sealed)
        session.fill(0)
        return Effect.succeed(concat([key.name, salt, sealed]))
      })

    const open: TicketKeys["open"] = (ticket) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        if (!isOpen || ticket.length < nameLength + saltLength) return Option.none()
        const epoch = epochAt(now)
        for (let candidate = epoch + ahead; candidate >= Math.max(0, epoch - previous); candidate--) {
          // What nobody else has can only have sealed what we know of.
          const key = shared ? keyOf(candidate) : kept.get(candidate)
          if (key === undefined || !equals(key.name, ticket.subarray(0, nameLength))) continue
          const opener = aeadOf(key, ticket.subarray(nameLength, nameLength + saltLength))
          return Option.fromNullable(opener.open(nonce, key.name, ticket.subarray(nameLength + saltLength)))
        }
        return Option.none()
      })

    return { [TypeId]: TypeId, seal, open }
  })

/**
 * Keys of this process, made at random, and wiped when they rotate out or the Scope closes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: TicketKeysOptions = {}
): Effect.Effect<TicketKeys, TlsConfigError, CryptoProvider | Scope.Scope> =>
  Effect.flatMap(CryptoProvider, (crypto) =>
    fromEpochs(crypto, options, { shared: false, derive: () => crypto.randomBytes(keyLength) })
  )

/**
 * Keys that all who have the secret share, without a word between them: they are derived from it and the time. Whoever has
 * the secret can open all tickets there ever were, so it is to be kept as a private key is. 32 bytes are needed at least.
 *
 * @example
 * import { Config, Effect, Redacted } from "effect"
 * import { TicketKeys } from "effect-tls"
 *
 * const ofTheFleet = Effect.flatMap(Config.redacted("TICKET_SECRET"), (secret) =>
 *   TicketKeys.fromSecret(Redacted.make(new TextEncoder().encode(Redacted.value(secret))))
 * )
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromSecret = (
  secret: Redacted.Redacted<Uint8Array>,
  options: TicketKeysOptions = {}
): Effect.Effect<TicketKeys, TlsConfigError, CryptoProvider | Scope.Scope> =>
  Effect.flatMap(CryptoProvider, (crypto) => {
    const bytes = Redacted.value(secret)
    if (bytes.length < 32) {
      return TlsConfigError.of("InvalidOptions", "secret", `32 bytes are needed at least, found ${bytes.length}`)
    }
    const root = hkdfExtract(crypto, "SHA-256", Uint8Array.from("effect-tls ticket keys", charCode), bytes)
    const derive = (epoch: number) =>
      hkdfExpand(
        crypto,
        "SHA-256",
        root,
        new ByteWriter(8)
          .uint32(Math.floor(epoch / 2 ** 32))
          .uint32(epoch % 2 ** 32)
          .finish(),
        keyLength
      )
    return Effect.zipRight(
      Effect.addFinalizer(() => Effect.sync(() => root.fill(0))),
      fromEpochs(crypto, options, { shared: true, derive })
    )
  })

const charCode = (character: string): number => character.charCodeAt(0)
