/**
 * Whether a certificate is one for the name a client asked for (RFC 9525 §6). Only subjectAltName counts, unless told: a
 * common name is text for people, and URIs are not names of TLS servers.
 *
 * @since 0.1.0
 */
import * as Bytes from "../schema/Bytes.ts"
import type { Certificate } from "../schema/Certificate.ts"
import * as GeneralName from "../schema/GeneralName.ts"
import type { ServerName } from "../schema/ServerName.ts"
import { isDnsName } from "../schema/ServerName.ts"

/**
 * Whether a DNS name of a certificate covers a name, which is in the form of `DnsName`. A wildcard is the whole of the
 * left-most label, stands for exactly one label, and has at least two after it. What is not a well-formed DNS name
 * (an embedded NUL, say) covers nothing.
 *
 * @since 0.1.0
 * @category predicates
 */
export const matchesDnsName = (presented: string, name: string): boolean => {
  const pattern = presented.toLowerCase()
  if (!pattern.startsWith("*.")) return pattern === name && isDnsName(pattern)
  const parent = pattern.slice(1)
  const dot = name.indexOf(".")
  return dot > 0 && name.slice(dot) === parent && parent.indexOf(".", 1) > 0 && isDnsName(parent.slice(1))
}

/**
 * Whether a certificate is one for that server.
 *
 * @since 0.1.0
 * @category predicates
 */
export const matches = (serverName: ServerName, certificate: Certificate): boolean => {
  const names = certificate.subjectAltNames
  switch (serverName._tag) {
    case "DnsName":
      return names.some((name) => name._tag === "DnsName" && matchesDnsName(name.value, serverName.name))
    case "IpAddress": {
      const address = serverName.bytes
      return names.some((name) => name._tag === "IpAddress" && Bytes.equals(name.bytes, address))
    }
  }
}

/**
 * As `matches`, and a certificate without any subjectAltName may have a DNS name in the last common name of its subject:
 * for private authorities that still issue such. What has a subjectAltName, of whatever kind, is judged by that alone.
 * `Verifier.webPki` takes it as `matchesServerName`.
 *
 * @since 0.1.0
 * @category predicates
 */
export const matchesWithCommonName = (serverName: ServerName, certificate: Certificate): boolean => {
  if (certificate.extension("SubjectAltName") !== undefined) return matches(serverName, certificate)
  const { commonName } = certificate.subject
  return serverName._tag === "DnsName" && commonName !== undefined && matchesDnsName(commonName, serverName.name)
}

/**
 * The names a certificate presents, for people.
 *
 * @since 0.1.0
 * @category getters
 */
export const presentedNames = (certificate: Certificate): ReadonlyArray<string> =>
  certificate.subjectAltNames.map(GeneralName.format)
