/**
 * Keeps the OCSP response that a server staples: fetched from where its certificate says by an `HttpClient` that the user
 * provides, verified as clients will, renewed long before its next update, and given as long as it holds.
 *
 * @example
 * import { Effect } from "effect"
 * import { type Identity, OcspStapler, SecureContext } from "effect-tls"
 *
 * const context = (identity: Identity.Identity) =>
 *   Effect.gen(function* () {
 *     const stapler = yield* OcspStapler.make({ identity })
 *     return yield* SecureContext.make({ identity, ocspResponse: stapler.respond })
 *   })
 *
 * @since 0.1.0
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Certificate } from "../schema/Certificate.ts"
import type { Limits } from "../schema/Limits.ts"
import type { OcspResponse } from "../schema/OcspResponse.ts"
import { TlsConfigError } from "../schema/TlsError.ts"
import { CryptoProvider } from "./CryptoProvider.ts"
import type { OcspResponder } from "./HandshakePolicy.ts"
import * as HttpRevocation from "./HttpRevocation.ts"
import type { Identity } from "./Identity.ts"
import * as OcspValidation from "./OcspValidation.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface StaplerOptions {
  readonly identity: Identity
  /** Who issued the identity's certificate, where the chain does not have it. */
  readonly issuer?: Certificate
  /** The responder to ask, instead of those that the certificate names. */
  readonly url?: string
  /** For one answer: three seconds unless told. */
  readonly timeout?: Duration.DurationInput
  /** How long to wait after a failure: a minute unless told, and then twice as long each time, up to an hour. */
  readonly retry?: Duration.DurationInput
  readonly limits?: Partial<Pick<Limits, "ocspResponse">>
}

/**
 * `respond` is a hook for `ocspResponse`: the response for that identity while it holds, and none for others. `current`
 * is the same for whoever wants to look. `refresh` asks at once; an error is what went wrong, in words.
 *
 * @since 0.1.0
 * @category models
 */
export interface OcspStapler {
  readonly certificate: Certificate
  readonly respond: OcspResponder
  readonly current: Effect.Effect<Option.Option<OcspResponse>>
  readonly refresh: Effect.Effect<void, string>
}

interface Kept {
  readonly response: OcspResponse
  readonly until: number
}

const shortest = Duration.toMillis(Duration.minutes(1))
const longest = Duration.toMillis(Duration.hours(12))
const longestRetry = Duration.toMillis(Duration.hours(1))

/**
 * A stapler that has asked once, and asks again at half of the time that is left, for as long as the Scope. That nobody
 * answers is logged and no error: the last response is given until its next update.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: StaplerOptions
): Effect.Effect<OcspStapler, TlsConfigError, HttpClient.HttpClient | CryptoProvider | Scope.Scope> =>
  Effect.gen(function* () {
    const crypto = yield* CryptoProvider
    const client = HttpClient.withTracerPropagation(yield* HttpClient.HttpClient, false)
    const [certificate, ...others] = options.identity.certificateChain
    const issuer = options.issuer ?? others.find(({ subject }) => subject.equals(certificate.issuer))
    if (issuer === undefined) {
      return yield* TlsConfigError.of(
        "InvalidOptions",
        "issuer",
        `the chain of "${certificate.label}" does not have its issuer, which is needed to ask about it`
      )
    }
    const urls = options.url === undefined ? HttpRevocation.responders(certificate) : [options.url]
    if (urls.length === 0) {
      return yield* TlsConfigError.of(
        "InvalidOptions",
        "url",
        `"${certificate.label}" names no OCSP responder, so that one has to be given`
      )
    }
    let kept: Kept | undefined

    const askOne = Effect.fnUntraced(function* (url: string) {
      const { nonce, response } = yield* HttpRevocation.ask(client, url, { certificate, issuer, crypto }, options)
      const { status, until } = yield* OcspValidation.verify(response, { certificate, issuer, nonce }).pipe(
        Effect.provideService(CryptoProvider, crypto)
      )
      // That the certificate is revoked is for clients to hear: an old response would only hide it.
      if (until === undefined) return yield* Effect.fail(status._tag === "Good" ? "" : status.problem.detail)
      if (status._tag === "Revoked") {
        yield* Effect.logWarning(`"${certificate.label}", which is being served: ${status.problem.detail}`)
      }
      kept = { response, until }
    })
    const [first, ...rest] = urls as [string, ...Array<string>]
    const attempt = (url: string) => Effect.mapError(askOne(url), (problem) => `${url}: ${problem}`)
    const refresh: Effect.Effect<void, string> = rest.reduce(
      (tried, url) => Effect.catchAll(tried, () => attempt(url)),
      attempt(first)
    )

    const firstRetry = Duration.toMillis(options.retry ?? "1 minute")
    let wait = firstRetry
    /** Asks, and says how long to wait before the next time. */
    const turn = Effect.matchEffect(refresh, {
      onFailure: (problem) =>
        Effect.gen(function* () {
          yield* Effect.logWarning(`no new OCSP response for "${certificate.label}" from ${problem}`)
          const now = wait
          wait = Math.min(2 * wait, longestRetry)
          return now
        }),
      onSuccess: () =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          wait = firstRetry
          return Math.min(Math.max((kept!.until - now) / 2, shortest), longest)
        })
    })
    const loop = (pause: number): Effect.Effect<never> =>
      Effect.flatMap(Effect.zipRight(Effect.sleep(pause), turn), (next) => loop(next))
    yield* Effect.forkScoped(loop(yield* turn))

    const current = Effect.map(Clock.currentTimeMillis, (now) =>
      kept === undefined || now > kept.until ? Option.none() : Option.some(kept.response)
    )
    return {
      certificate,
      respond: (leaf) => (Equal.equals(leaf, certificate) ? current : Effect.succeedNone),
      current,
      refresh
    }
  })

/**
 * The hook for a server of several identities: each by its own stapler, and others by none.
 *
 * @since 0.1.0
 * @category combinators
 */
export const respondAll =
  (staplers: Iterable<OcspStapler>): OcspResponder =>
  (leaf, issuer, hello) => {
    for (const stapler of staplers) {
      if (Equal.equals(leaf, stapler.certificate)) return stapler.respond(leaf, issuer, hello)
    }
    return Effect.succeedNone
  }
