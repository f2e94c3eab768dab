/**
 * Handshakes as spans, with OpenTelemetry's names for what they agreed on. The span `tls.handshake` holds `tls.verify`, the
 * peer's certificate being judged, and `tls.sign`, our key at work, which may be far away.
 *
 * There are spans only where a tracer was provided (`Layer.setTracer`, `@effect/opentelemetry`): Effect's own makes spans that
 * nobody sees, and they are not free.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import type { Certificate } from "../schema/Certificate.ts"
import * as ServerName from "../schema/ServerName.ts"
import type { ConnectionInfo } from "./ConnectionInfo.ts"
import type { Established } from "./Established.ts"
import type { HandshakeChannel } from "./HandshakeChannel.ts"

const native = Context.get(DefaultServices.liveServices, Tracer.Tracer)

/**
 * Whether somebody looks at a tracer's spans.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isWatched = (tracer: Tracer.Tracer): boolean => tracer !== native

type Attributes = Readonly<Record<string, unknown>>

const certificateAttributes = (whose: "client" | "server", certificate: Certificate): Attributes => ({
  [`tls.${whose}.subject`]: certificate.subject.toString(),
  [`tls.${whose}.issuer`]: certificate.issuer.toString(),
  [`tls.${whose}.not_before`]: certificate.notBefore.toISOString(),
  [`tls.${whose}.not_after`]: certificate.notAfter.toISOString()
})

const attributesOf = (info: ConnectionInfo): Attributes => {
  const [peer] = info.peerCertificates
  return {
    "tls.established": true,
    "tls.protocol.name": "tls",
    "tls.protocol.version": info.version.replace("TLSv", ""),
    "tls.cipher": info.cipherSuite,
    "tls.curve": info.group,
    "tls.resumed": info.resumed,
    ...(Option.isSome(info.alpn) ? { "tls.next_protocol": info.alpn.value } : {}),
    ...(Option.isSome(info.serverName) ? { "server.address": ServerName.format(info.serverName.value) } : {}),
    ...(peer === undefined ? {} : certificateAttributes(info.role === "client" ? "server" : "client", peer))
  }
}

/**
 * A handshake within a span, which ends with what was agreed on or with the error.
 *
 * @since 0.1.0
 * @category spans
 */
export const handshake = <E, R>(
  { duplex, role }: HandshakeChannel,
  run: Effect.Effect<Established, E, R>
): Effect.Effect<Established, E, R> =>
  run.pipe(
    Effect.tap(({ info }) => Effect.annotateCurrentSpan(attributesOf(info))),
    Effect.tapErrorCause(() => Effect.annotateCurrentSpan("tls.established", false)),
    Effect.withSpan("tls.handshake", {
      kind: role,
      captureStackTrace: false,
      attributes: Option.match(duplex.remoteAddress, {
        onNone: () => ({}),
        onSome: (address) => ({ "network.peer.address": address.toString() })
      })
    })
  ) as Effect.Effect<Established, E, R>

/**
 * The peer's certificate being judged, or our key signing, as a span of its own where the handshake is one.
 *
 * @since 0.1.0
 * @category spans
 */
export const step = <A, E, R>(
  { spans }: HandshakeChannel,
  name: "tls.verify" | "tls.sign",
  attributes: Attributes,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  spans ? (Effect.withSpan(effect, name, { captureStackTrace: false, attributes }) as Effect.Effect<A, E, R>) : effect
