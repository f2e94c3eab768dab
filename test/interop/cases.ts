/** What is tried against every peer, and OpenSSL's names for it. */
import { assert } from "@effect/vitest"
import { Option } from "effect"
import { Alert, CipherSuite, type ConnectionInfo, NamedGroup, SignatureScheme, type TlsError } from "effect-tls"
import type { Issued, Kind, Pki } from "./pki.ts"

export type Info = ConnectionInfo.ConnectionInfo

export const suites: ReadonlyArray<Info["cipherSuite"]> = CipherSuite.registry.map(({ name }) => name)

/** The groups that every OpenSSL 3 has. */
export const groups: ReadonlyArray<readonly [ours: Info["group"], openssl: string]> = NamedGroup.registry
  .filter(({ name }) => name !== "X25519MLKEM768")
  .map(({ name, openssl }) => [name, openssl[0]!])

/** Each scheme with the kind of key it is for; OpenSSL takes the same names. */
export const schemes: ReadonlyArray<readonly [scheme: Info["signatureScheme"], kind: Kind]> = [
  ["ecdsa_secp256r1_sha256", "p256"],
  ["ecdsa_secp384r1_sha384", "p384"],
  ["ecdsa_secp521r1_sha512", "p521"],
  ["rsa_pss_rsae_sha256", "rsa"],
  ["rsa_pss_rsae_sha384", "rsa"],
  ["rsa_pss_rsae_sha512", "rsa"],
  ["rsa_pss_pss_sha256", "rsa-pss"],
  ["rsa_pss_pss_sha384", "rsa-pss"],
  ["rsa_pss_pss_sha512", "rsa-pss"],
  ["ed25519", "ed25519"],
  ["ed448", "ed448"]
]

/** Lengths of data on either side of a record's and of our batches' limits. */
export const lengths: ReadonlyArray<number> = [0, 1, 16_384, 16_385, 1_000_003, 10 * 1024 * 1024]

const [first, ...others] = SignatureScheme.registry.map(({ name }) => name)

/** Signatures of certificates that a test about signatures of handshakes leaves alone. */
export const certificateSignatureSchemes = [first!, ...others] as const

/** Certificates of a server that we refuse, and the alert it then hears. */
export interface Refusal {
  readonly name: string
  readonly issued: (pki: Pki) => Issued
  readonly anchors?: (pki: Pki) => string
  readonly serverName?: string
  readonly reason: TlsError.CertificateReason
  readonly code: string
  readonly alert: Alert.AlertName
}

export const refusals: ReadonlyArray<Refusal> = [
  {
    name: "a wrong name",
    issued: (pki) => pki.server.p256,
    serverName: "wrong.test",
    reason: "NameMismatch",
    code: "HOSTNAME_MISMATCH",
    alert: "bad_certificate"
  },
  {
    name: "another's certificate",
    issued: (pki) => pki.otherName,
    reason: "NameMismatch",
    code: "HOSTNAME_MISMATCH",
    alert: "bad_certificate"
  },
  {
    name: "a wrong address",
    issued: (pki) => pki.server.p256,
    serverName: "127.0.0.2",
    reason: "NameMismatch",
    code: "HOSTNAME_MISMATCH",
    alert: "bad_certificate"
  },
  {
    name: "an unknown root",
    issued: (pki) => pki.strangeWithRoot,
    reason: "SelfSignedRoot",
    code: "SELF_SIGNED_CERT_IN_CHAIN",
    alert: "unknown_ca"
  },
  {
    name: "an unknown root that is not sent",
    issued: (pki) => pki.strange,
    reason: "MissingIntermediate",
    code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    alert: "unknown_ca"
  },
  {
    name: "an unknown root behind an intermediate",
    issued: (pki) => pki.chained,
    anchors: (pki) => pki.stranger.pem,
    reason: "UnknownIssuer",
    code: "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    alert: "unknown_ca"
  },
  {
    name: "a missing intermediate",
    issued: (pki) => pki.unchained,
    reason: "MissingIntermediate",
    code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    alert: "unknown_ca"
  },
  {
    name: "an expired certificate",
    issued: (pki) => pki.expired,
    reason: "Expired",
    code: "CERT_HAS_EXPIRED",
    alert: "certificate_expired"
  },
  {
    name: "a self-signed certificate",
    issued: (pki) => pki.selfSigned,
    reason: "SelfSigned",
    code: "DEPTH_ZERO_SELF_SIGNED_CERT",
    alert: "unknown_ca"
  },
  {
    name: "a client's certificate",
    issued: (pki) => pki.client.p256,
    serverName: "client-p256",
    reason: "ExtendedKeyUsage",
    code: "INVALID_PURPOSE",
    alert: "unsupported_certificate"
  }
]

/** Both sides wrote the same secrets to their key logs. */
export const sameKeyLog = (ours: ReadonlyArray<string>, theirs: string): void => {
  const lines = theirs.split("\n").filter((line) => line !== "" && !line.startsWith("#"))
  assert.strictEqual(ours.length, 5)
  assert.deepStrictEqual(ours.toSorted(), lines.toSorted())
}

/** No data, and then close_notify. */
export const isClean = ({ data, end }: { data: Uint8Array; end: Option.Option<TlsError.TlsError> }) => {
  assert.strictEqual(data.length, 0)
  assert.deepStrictEqual(end, Option.none())
}

/** The fields that matter have these values. */
export const includes = (info: Info, expected: Partial<Info>) => {
  for (const [field, value] of Object.entries(expected)) assert.deepStrictEqual(info[field as keyof Info], value, field)
}

/** What OpenSSL writes when it has received an alert. */
export const alerted = (alert: Alert.AlertName): RegExp => new RegExp(`SSL alert number ${Alert.fromName(alert)}\\b`)

/** Certificates of a client that our server refuses. */
export const clientRefusals: ReadonlyArray<{
  readonly name: string
  readonly issued: (pki: Pki) => Issued | undefined
  readonly reason: TlsError.CertificateReason
  readonly alert: Alert.AlertName
}> = [
  {
    name: "no client certificate",
    issued: () => undefined,
    reason: "NoCertificate",
    alert: "certificate_required"
  },
  {
    name: "a client certificate of an unknown root",
    issued: (pki) => pki.strangeClient,
    reason: "MissingIntermediate",
    alert: "unknown_ca"
  },
  {
    name: "an expired client certificate",
    issued: (pki) => pki.expiredClient,
    reason: "Expired",
    alert: "certificate_expired"
  },
  {
    name: "a server's certificate of a client",
    issued: (pki) => pki.server.p256,
    reason: "ExtendedKeyUsage",
    alert: "unsupported_certificate"
  }
]
