/**
 * Handshakes as spans, with OpenTelemetry's names for what they agreed on. The span `tls.handshake` holds `tls.verify`, the
 * peer's certificate being judged, and `tls.sign`, our key at work, which may be far away.
 *
 * There are spans only where a tracer was provided (`Layer.setTracer`, `@effect/opentelemetry`): Effect's own makes spans that
 * nobody sees, and they are not free.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { LazyArg } from "effect/Function"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import type { Certificate } from "../schema/Certificate.ts"
import type { Endpoint } from "../schema/Endpoint.ts"
import * as ServerName from "../schema/ServerName.ts"
import type { TlsError } from "../schema/TlsError.ts"
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
  const whose = info.role === "client" ? "server" : "client"
  return {
    "tls.established": true,
    "tls.protocol.name": "tls",
    "tls.protocol.version": info.version.replace("TLSv", ""),
    "tls.cipher": info.cipherSuite,
    "tls.curve": info.group,
    "tls.resumed": info.resumed,
    ...(Option.isSome(info.alpn) ? { "tls.next_protocol": info.alpn.value } : {}),
    ...nameAttributes(info.serverName),
    ...(peer === undefined ? {} : certificateAttributes(whose, peer)),
    ...(info.peer._tag === "Anonymous"
      ? {}
      : { [`tls.${whose}.hash.sha256`]: info.peer.fingerprint.replaceAll(":", "") })
  }
}

const nameAttributes = (serverName: Option.Option<ServerName.ServerName>): Attributes =>
  Option.isSome(serverName) ? { "server.address": ServerName.format(serverName.value) } : {}

const peerAttributes = (remote: Option.Option<Endpoint>): Attributes => {
  if (Option.isNone(remote)) return {}
  return remote.value._tag === "TcpEndpoint"
    ? { "network.peer.address": remote.value.host, "network.peer.port": remote.value.port }
    : { "network.peer.address": remote.value.path }
}

/** What ended a handshake, by names of which there are few. A deadline ends it by interruption. */
const failureAttributes = (cause: Cause.Cause<unknown>, timedOut: TlsError | undefined): Attributes => {
  const error = (Option.getOrUndefined(Cause.failureOption(cause)) as TlsError | undefined) ?? timedOut
  if (error === undefined) {
    return { "tls.established": false, "error.type": Cause.isInterruptedOnly(cause) ? "Interrupted" : "_OTHER" }
  }
  return { "tls.established": false, "error.type": `${error._tag}.${error.reason}`, "tls.phase": error.phase }
}

/**
 * A handshake within a span, which ends with what was agreed on or with the error. `serverName` is what a client asks for;
 * `timedOut` is the error of the deadline, once it has passed.
 *
 * @since 0.1.0
 * @category spans
 */
export const handshake = <E, R>(
  { duplex, role }: HandshakeChannel,
  {
    serverName,
    timedOut
  }: { readonly serverName: Option.Option<ServerName.ServerName>; readonly timedOut: LazyArg<TlsError | undefined> },
  run: Effect.Effect<Established, E, R>
): Effect.Effect<Established, E, R> =>
  run.pipe(
    Effect.onExit((exit) =>
      Effect.annotateCurrentSpan(
        Exit.isSuccess(exit) ? attributesOf(exit.value.info) : failureAttributes(exit.cause, timedOut())
      )
    ),
    Effect.withSpan("tls.handshake", {
      kind: role,
      captureStackTrace: false,
      attributes: { ...peerAttributes(duplex.remoteAddress), ...nameAttributes(serverName) }
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
