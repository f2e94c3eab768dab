/**
 * Where a transport connects to or listens at.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * A host (a name, an IPv4 or an IPv6 address, without brackets) and a port; 0 lets the system choose when listening.
 *
 * @since 0.1.0
 * @category models
 */
export class TcpEndpoint extends Schema.TaggedClass<TcpEndpoint>("effect-tls/TcpEndpoint")("TcpEndpoint", {
  host: Schema.NonEmptyString,
  port: Schema.Int.pipe(Schema.between(0, 65535))
}) {
  override toString(): string {
    return this.host.includes(":") ? `[${this.host}]:${this.port}` : `${this.host}:${this.port}`
  }
}

/**
 * The path of a Unix domain socket.
 *
 * @since 0.1.0
 * @category models
 */
export class UnixEndpoint extends Schema.TaggedClass<UnixEndpoint>("effect-tls/UnixEndpoint")("UnixEndpoint", {
  path: Schema.NonEmptyString
}) {
  override toString(): string {
    return this.path
  }
}

/**
 * @since 0.1.0
 * @category models
 */
export type Endpoint = TcpEndpoint | UnixEndpoint

/**
 * @since 0.1.0
 * @category schemas
 */
export const Endpoint: Schema.Union<[typeof TcpEndpoint, typeof UnixEndpoint]> = Schema.Union(TcpEndpoint, UnixEndpoint)

/**
 * @since 0.1.0
 * @category constructors
 */
export const tcp = (host: string, port: number): TcpEndpoint => new TcpEndpoint({ host, port })

/**
 * @since 0.1.0
 * @category constructors
 */
export const unix = (path: string): UnixEndpoint => new UnixEndpoint({ path })
