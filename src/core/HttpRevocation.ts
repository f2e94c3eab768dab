/**
 * Gets what says whether certificates are revoked from where they say it is to be had: OCSP responses and CRLs, by an
 * `HttpClient` that the user provides. Bounded in size and time; one request at a time for one thing; remembered until
 * its next update, and a failure for a while.
 *
 * @example
 * import { Effect } from "effect"
 * import { HttpRevocation, SecureContext } from "effect-tls"
 *
 * const context = Effect.gen(function* () {
 *   const fetch = yield* HttpRevocation.make()
 *   return yield* SecureContext.make({ trust: { revocation: { mode: "soft-fail", fetch } } })
 * })
 *
 * @since 0.1.0
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Bytes from "../schema/Bytes.ts"
import type { Certificate } from "../schema/Certificate.ts"
import type { CertificateRevocationList } from "../schema/CertificateRevocationList.ts"
import * as CertificateRevocationLists from "../schema/CertificateRevocationList.ts"
import type { GeneralName } from "../schema/GeneralName.ts"
import * as Limits from "../schema/Limits.ts"
import { oids } from "../schema/ObjectIdentifier.ts"
import * as OcspRequests from "../schema/OcspRequest.ts"
import type { OcspResponse } from "../schema/OcspResponse.ts"
import * as OcspResponses from "../schema/OcspResponse.ts"
import type { Problem } from "./CertificateRules.ts"
import type { RevocationStatus } from "./CrlValidation.ts"
import * as CertificateId from "./OcspCertificateId.ts"
import type { OcspQuery, RevocationFetcher } from "./RevocationFetcher.ts"
import { TypeId } from "./RevocationFetcher.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface FetcherOptions {
  /** Whether to ask OCSP responders; unless told. */
  readonly ocsp?: boolean
  /** Whether to fetch CRLs, where OCSP gives no answer; unless told. */
  readonly crls?: boolean
  /** For one response or list: three seconds unless told. */
  readonly timeout?: Duration.DurationInput
  /** How long failures are remembered: five minutes unless told. */
  readonly negativeTtl?: Duration.DurationInput
  /** How many OCSP responses are remembered, 1000 unless told; of CRLs, which may be large, a tenth of it. */
  readonly capacity?: number
  /** Whether to send a nonce. Few responders return one, and none of those that answer from a cache; not unless told. */
  readonly nonce?: boolean
  /** Bytes of a response or list. */
  readonly limits?: Partial<Pick<Limits.Limits, "ocspResponse" | "revocationList">>
}

const unknown = (detail: string): { readonly _tag: "Unknown"; readonly problem: Problem } => ({
  _tag: "Unknown",
  problem: { reason: "RevocationUnknown", detail }
})

/** More places than this a certificate names only to keep us busy. */
const mostPlaces = 3

const httpPlaces = (names: ReadonlyArray<GeneralName>): ReadonlyArray<string> =>
  [
    ...new Set(names.flatMap((name) => (name._tag === "Uri" && /^https?:\/\//i.test(name.value) ? [name.value] : [])))
  ].slice(0, mostPlaces)

/**
 * Where a certificate says its OCSP responders are.
 *
 * @since 0.1.0
 * @category getters
 */
export const responders = (certificate: Certificate): ReadonlyArray<string> =>
  httpPlaces(
    certificate.authorityInfoAccess.flatMap(({ location, method }) => (method === oids.ocsp ? [location] : []))
  )

const listPlaces = (certificate: Certificate): ReadonlyArray<string> =>
  httpPlaces(certificate.crlDistributionPoints.flatMap(({ name }) => (name?._tag === "FullName" ? name.names : [])))

// ---------------------------------------------------------------------------------------------------------------------
// What is remembered
// ---------------------------------------------------------------------------------------------------------------------

interface Entry<A> {
  readonly result: Deferred.Deferred<Either.Either<A, string>>
  /** In milliseconds since 1970; endless while it is under way. */
  until: number
}

/** Things by key, each fetched once, by a fiber of its own: who began it may be interrupted, and others wait for it. */
class Remembered<A> {
  readonly capacity: number
  readonly negativeTtl: number
  readonly scope: Scope.Scope
  readonly #entries = new Map<string, Entry<A>>()

  constructor(options: { readonly capacity: number; readonly negativeTtl: number; readonly scope: Scope.Scope }) {
    this.capacity = options.capacity
    this.negativeTtl = options.negativeTtl
    this.scope = options.scope
  }

  get(key: string, time: number, fetch: Effect.Effect<A, string>): Effect.Effect<Entry<A>> {
    return Effect.suspend(() => {
      const known = this.#entries.get(key)
      if (known !== undefined) {
        this.#entries.delete(key)
        if (time < known.until) {
          this.#entries.set(key, known)
          return Effect.succeed(known)
        }
      }
      const entry: Entry<A> = { result: Deferred.unsafeMake(FiberId.none), until: Infinity }
      if (this.#entries.size >= this.capacity) {
        for (const oldest of this.#entries.keys()) {
          this.#entries.delete(oldest)
          break
        }
      }
      this.#entries.set(key, entry)
      // It begins uninterruptible, so that whatever happens to it, those who wait hear of it.
      return Effect.uninterruptibleMask((restore) =>
        restore(fetch).pipe(
          Effect.exit,
          Effect.flatMap((exit) =>
            Effect.flatMap(Clock.currentTimeMillis, (now) => {
              entry.until = now + this.negativeTtl
              return Deferred.succeed(
                entry.result,
                Exit.match(exit, {
                  onSuccess: Either.right,
                  onFailure: (cause) => Either.left(cause._tag === "Fail" ? cause.error : "it was given up")
                })
              )
            })
          ),
          Effect.forkIn(this.scope),
          Effect.as(entry)
        )
      )
    })
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Fetching
// ---------------------------------------------------------------------------------------------------------------------

/** The body of a response, as far as it may be; an error is what went wrong, in words. */
const download = (
  client: HttpClient.HttpClient,
  request: HttpClientRequest.HttpClientRequest,
  { limit, timeout }: { readonly limit: number; readonly timeout: Duration.DurationInput }
): Effect.Effect<Uint8Array, string> =>
  Effect.gen(function* () {
    const response = yield* client.execute(request)
    if (response.status !== 200) return yield* Effect.fail(`it answered with status ${response.status}`)
    const chunks: Array<Uint8Array> = []
    let length = 0
    yield* Stream.runForEach(response.stream, (chunk) => {
      length += chunk.length
      if (length > limit) return Effect.fail(`it sent more than ${limit} bytes`)
      chunks.push(chunk)
      return Effect.void
    })
    return Bytes.concat(chunks)
  }).pipe(
    Effect.mapError((error) => (typeof error === "string" ? error : `it could not be reached (${error.reason})`)),
    Effect.timeoutFail({
      duration: timeout,
      onTimeout: () => `it did not answer within ${Duration.format(Duration.decode(timeout))}`
    })
  )

/** A request that has its place in a path of at most 255 bytes goes there, so that caches know it (RFC 5019 §5). */
const ocspRequest = (url: string, der: Uint8Array, isCacheable: boolean): HttpClientRequest.HttpClientRequest => {
  const path = `${url.endsWith("/") ? url : `${url}/`}${encodeURIComponent(Encoding.encodeBase64(der))}`
  return (
    isCacheable && path.length <= 255
      ? HttpClientRequest.get(path)
      : HttpClientRequest.bodyUint8Array(HttpClientRequest.post(url), der, "application/ocsp-request")
  ).pipe(HttpClientRequest.setHeader("accept", "application/ocsp-response"))
}

/**
 * A responder's answer, decoded, with the nonce that was sent. Nothing is known of it yet.
 *
 * @since 0.1.0
 * @category models
 */
export interface Answer {
  readonly response: OcspResponse
  readonly nonce: Uint8Array | undefined
}

/**
 * Asks one OCSP responder, once. An error is what went wrong, in words.
 *
 * @since 0.1.0
 * @category fetching
 */
export const ask = (
  client: HttpClient.HttpClient,
  url: string,
  { certificate, crypto, issuer }: OcspQuery,
  options: Pick<FetcherOptions, "limits" | "nonce" | "timeout"> = {}
): Effect.Effect<Answer, string> =>
  Effect.suspend(() => {
    const { nonce: withNonce = false, timeout = defaultTimeout } = options
    const limits = { ...Limits.defaults, ...options.limits }
    const nonce = withNonce ? crypto.randomBytes(32) : undefined
    const hash = crypto.capabilities.hashes.has("SHA-1") ? "SHA-1" : "SHA-256"
    const der = OcspRequests.encode({
      certificates: [CertificateId.make(crypto, certificate, issuer, hash)],
      nonce
    })
    return Effect.flatMap(
      download(client, ocspRequest(url, der, !withNonce), { limit: limits.ocspResponse, timeout }),
      (bytes) =>
        Either.mapBoth(OcspResponses.decode(bytes, { limits }), {
          onLeft: ({ message }) => `it answered what is no OCSP response: ${message}`,
          onRight: (response) => ({ response, nonce })
        })
    )
  })

const defaultTimeout: Duration.DurationInput = "3 seconds"

/**
 * A fetcher with its memory, for as long as the Scope: give it to any number of policies.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: FetcherOptions = {}
): Effect.Effect<RevocationFetcher, never, HttpClient.HttpClient | Scope.Scope> =>
  Effect.gen(function* () {
    // The traces of the user's program are no business of an authority's.
    const client = HttpClient.withTracerPropagation(yield* HttpClient.HttpClient, false)
    const scope = yield* Scope.Scope
    const { capacity = 1000, crls = true, negativeTtl = "5 minutes", ocsp = true, timeout = defaultTimeout } = options
    const limits = { ...Limits.defaults, ...options.limits }
    const shared = { negativeTtl: Duration.toMillis(negativeTtl), scope }
    const responses = new Remembered<Answer>({
      ...shared,
      capacity
    })
    const lists = new Remembered<CertificateRevocationList>({ ...shared, capacity: Math.ceil(capacity / 10) })

    const fetchList = (url: string) =>
      Effect.flatMap(download(client, HttpClientRequest.get(url), { limit: limits.revocationList, timeout }), (bytes) =>
        Either.mapBoth(CertificateRevocationLists.fromBytes(bytes, { limits }), {
          onLeft: ({ problem }) => `it sent what is no CRL: ${problem}`,
          onRight: ([list]) => list
        })
      )

    return {
      [TypeId]: TypeId,
      ocsp: Effect.fnUntraced(function* (query, judge) {
        let last: RevocationStatus | undefined
        const key = Bytes.toLatin1(query.certificate.der)
        for (const url of ocsp ? responders(query.certificate) : []) {
          const time = yield* Clock.currentTimeMillis
          const entry = yield* responses.get(`${url} ${key}`, time, ask(client, url, query, options))
          const result = yield* Deferred.await(entry.result)
          if (Either.isLeft(result)) {
            last = unknown(`its OCSP responder ${url} is of no help: ${result.left}`)
            continue
          }
          const { nonce, response } = result.right
          const { status, until } = yield* judge(response, nonce)
          if (until !== undefined) entry.until = until
          if (status._tag !== "Unknown") return status
          last = status
        }
        return last
      }),
      crls: Effect.fnUntraced(function* (certificate, judge) {
        const found: Array<readonly [Entry<CertificateRevocationList>, CertificateRevocationList]> = []
        let last: RevocationStatus | undefined
        for (const url of crls ? listPlaces(certificate) : []) {
          const entry = yield* lists.get(url, yield* Clock.currentTimeMillis, fetchList(url))
          const result = yield* Deferred.await(entry.result)
          if (Either.isLeft(result)) {
            last ??= unknown(`its CRL at ${url} is of no help: ${result.left}`)
            continue
          }
          found.push([entry, result.right])
          const status = yield* judge(found.map(([, list]) => list))
          if (status._tag === "Good" || status._tag === "Revoked") {
            for (const [known, { nextUpdate }] of found) {
              if (nextUpdate !== undefined) known.until = nextUpdate.getTime()
            }
          }
          if (status._tag !== "Unknown") return status
          last = status
        }
        return last
      })
    }
  })
