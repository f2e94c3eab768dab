/**
 * Addresses as people write them.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type { TcpEndpoint } from "../schema/Endpoint.ts"
import * as Endpoint from "../schema/Endpoint.ts"

/**
 * A port, or what is wrong with it.
 *
 * @since 0.1.0
 * @category conversions
 */
export const parsePort = (text: string, least: 0 | 1): Either.Either<number, string> => {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  return port >= least && port <= 65_535
    ? Either.right(port)
    : Either.left(`a port is a whole number from ${least} to 65535, found ${JSON.stringify(text)}`)
}

/**
 * `HOST:PORT` or `[V6]:PORT`, or what is wrong with it.
 *
 * @since 0.1.0
 * @category conversions
 */
export const parse = (text: string): Either.Either<TcpEndpoint, string> => {
  const found = `found ${JSON.stringify(text)}`
  const [, address, name, port] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([^:]*))?$/.exec(text) ?? []
  const host = address ?? name
  if (host === undefined) {
    const form = /^[^[]*:.*:/.test(text) ? "an IPv6 address stands in brackets, [::1]:443" : "HOST:PORT is needed"
    return Either.left(`${form}, ${found}`)
  }
  if (host === "") return Either.left(`a host is needed before the port, ${found}`)
  if (port === undefined) return Either.left(`a port is needed behind the host, ${text}:443 perhaps`)
  return Either.map(parsePort(port, 1), (number) => Endpoint.tcp(host, number))
}

/**
 * The host of `--host`, which may have the brackets of an address.
 *
 * @since 0.1.0
 * @category conversions
 */
export const bareHost = (host: string): string => /^\[(.*)\]$/.exec(host)?.[1] ?? host
