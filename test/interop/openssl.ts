/** OpenSSL's command as a peer: `s_server` and `s_client`. */
import { Effect, Option, type Scope } from "effect"
import type { Alert, TlsError } from "effect-tls"
import { spawnSync } from "node:child_process"
import * as Cases from "./cases.ts"
import type { OurServer, Protocol } from "./ours.ts"
import { type Issued, kinds, type Pki } from "./pki.ts"
import { type Peer, start, type StartOptions } from "./process.ts"
import type { PeerFailure } from "./watch.ts"

export interface OpenSsl {
  readonly command: ReadonlyArray<string>
  /** The version, or that it is missing. */
  readonly name: string
  readonly missing: boolean
}

const find = (...command: ReadonlyArray<string>): OpenSsl => {
  const { status, stdout } = spawnSync(command[0]!, [...command.slice(1), "version"], { encoding: "utf8" })
  const [version] = (status === 0 && /^OpenSSL \S+/.exec(stdout)) || []
  return { command, name: version ?? `OpenSSL (no ${command.join(" ")} here)`, missing: version === undefined }
}

/** The system's. */
export const system: OpenSsl = find("openssl")

/** One with ML-KEM: the system's if that has it, or the one of `setup.sh newer`. */
export const modern: OpenSsl = (() => {
  const runner = `${process.env["INTEROP"] ?? "/opt/interop"}/bin/rr`
  const isModern = ({ missing, name }: OpenSsl) => !missing && !/ (1\.|3\.[0-4]\.)/.test(name)
  const newer = find(runner, "trixie", "openssl")
  if (isModern(system)) return system
  return isModern(newer) ? newer : { ...newer, name: "OpenSSL 3.5 (setup.sh newer brings it)", missing: true }
})()

export interface RunOptions extends StartOptions {
  readonly openssl?: OpenSsl
}

const run = (
  args: ReadonlyArray<string>,
  { openssl = system, ...options }: RunOptions
): Effect.Effect<Peer, never, Scope.Scope> =>
  start(openssl.command[0]!, [...openssl.command.slice(1), ...args], options)

/** The arguments that give a program an identity. */
export const identity = ({ certFile, chainFile, keyFile }: Issued): ReadonlyArray<string> => [
  "-cert",
  certFile,
  "-key",
  keyFile,
  ...(chainFile === undefined ? [] : ["-cert_chain", chainFile])
]

/** `openssl s_server` with an identity, which listens on a port of its own, or at the path of a Unix socket. */
export const server = (
  issued: Issued,
  args: ReadonlyArray<string>,
  options: RunOptions & { readonly host?: string; readonly unix?: string } = {}
): Effect.Effect<Peer & { readonly port: number }, PeerFailure, Scope.Scope> =>
  Effect.gen(function* () {
    const { host = "127.0.0.1", unix, ...rest } = options
    const address = unix === undefined ? ["-accept", `${host}:0`] : ["-unix", unix]
    const peer = yield* run(["s_server", ...address, ...identity(issued), ...args], rest)
    const [, port] = yield* peer.saw(unix === undefined ? /ACCEPT .*:(\d+)/ : /ACCEPT/)
    return { ...peer, port: Number(port) }
  })

/** `openssl s_client`, which verifies our certificate as a careful client would; by name unless told otherwise. */
export const client = (
  { address }: OurServer,
  pki: Pki,
  args: ReadonlyArray<string>,
  options: RunOptions = {}
): Effect.Effect<Peer, never, Scope.Scope> => {
  const to = address._tag === "TcpEndpoint" ? ["-connect", address.toString()] : ["-unix", address.path]
  const name = args.includes("-noservername") || args.includes("-servername") ? [] : ["-servername", "localhost"]
  const verify = ["-CAfile", pki.roots.file, "-verify_return_error", "-verify_hostname", "localhost"]
  return run(["s_client", ...to, ...name, ...verify, ...args], options)
}

/** Below it OpenSSL neither shows nor takes SHA-1 and short keys. */
export const level0: ReadonlyArray<string> = ["-cipher", "DEFAULT:@SECLEVEL=0"]

/** A handshake that succeeds: what they are told, what we are told, what we then know and what they then say. */
export interface Handshake {
  readonly name: string
  readonly args?: (pki: Pki) => ReadonlyArray<string>
  readonly issued?: (pki: Pki) => Issued
  readonly protocol?: Protocol
  readonly info?: Partial<Cases.Info>
  readonly said?: RegExp
}

export const eitherRole: ReadonlyArray<Handshake> = [
  ...Cases.suites.map((suite): Handshake => ({
    name: `suite ${suite}`,
    args: () => ["-ciphersuites", suite],
    protocol: { cipherSuites: [suite] },
    info: { cipherSuite: suite },
    said: new RegExp(`Ciphersuite: ${suite}\n`)
  })),
  ...Cases.groups.map(([group, openssl]): Handshake => ({
    name: `group ${group}`,
    args: () => ["-groups", openssl],
    protocol: { groups: [group] },
    info: { group, helloRetryRequest: false }
  })),
  ...kinds.map((kind): Handshake => ({ name: `certificate ${kind}`, issued: (pki) => pki.server[kind] })),
  { name: "certificate by an intermediate", issued: (pki) => pki.chained },
  ...Cases.schemes.map(([scheme, kind]): Handshake => ({
    name: `signature ${scheme}`,
    issued: (pki) => pki.server[kind],
    protocol: {
      signatureSchemes: [scheme],
      certificateSignatureSchemes: Cases.certificateSignatureSchemes
    },
    info: { signatureScheme: scheme }
  })),
  {
    name: "certificate over SHA-1, with RSA keys of 1024 bits",
    args: () => level0,
    issued: (pki) => pki.legacy,
    protocol: { policy: "legacy" }
  },
  { name: "no compatibility mode here", protocol: { middleboxCompatibility: false } },
  { name: "no compatibility mode there", args: () => ["-no_middlebox"] },
  {
    name: "no compatibility mode anywhere",
    args: () => ["-no_middlebox"],
    protocol: { middleboxCompatibility: false }
  },
  { name: "padded records here", protocol: { recordPadding: 1024 } },
  { name: "padded records there", args: () => ["-record_padding", "1024"] },
  { name: "small fragments here", protocol: { maxFragment: 64 } },
  { name: "small fragments there", args: () => ["-max_send_frag", "512"] },
  { name: "ALPN only here", protocol: { alpn: ["h2"] }, info: { alpn: Option.none() } },
  { name: "ALPN only there", args: () => ["-alpn", "h2"], info: { alpn: Option.none() } },
  {
    name: "ALPN",
    args: () => ["-alpn", "imap,h2,http/1.1"],
    protocol: { alpn: ["h2", "http/1.1"] },
    info: { alpn: Option.some("h2") }
  }
]

/** What both sides cannot agree on: theirs, ours, the alert that whoever notices sends. */
export const disagreements: ReadonlyArray<{
  readonly name: string
  readonly args: ReadonlyArray<string>
  readonly protocol: Protocol
  readonly alert: Alert.AlertName
  readonly reason: TlsError.HandshakeReason
}> = [
  {
    name: "suite",
    args: ["-ciphersuites", "TLS_AES_128_GCM_SHA256"],
    protocol: { cipherSuites: ["TLS_CHACHA20_POLY1305_SHA256"] },
    alert: "handshake_failure",
    reason: "NoSharedCipherSuite"
  },
  {
    name: "group",
    args: ["-groups", "P-384"],
    protocol: { groups: ["x25519"] },
    alert: "handshake_failure",
    reason: "NoSharedGroup"
  },
  {
    name: "signature scheme",
    args: ["-sigalgs", "ecdsa_secp256r1_sha256"],
    protocol: { signatureSchemes: ["ed25519"] },
    alert: "handshake_failure",
    reason: "NoSharedSignatureScheme"
  },
  {
    name: "application protocol",
    args: ["-alpn", "h2"],
    protocol: { alpn: ["http/1.1"] },
    alert: "no_application_protocol",
    reason: "NoApplicationProtocol"
  },
  {
    name: "version",
    args: ["-tls1_2"],
    protocol: {},
    alert: "protocol_version",
    reason: "UnsupportedVersion"
  }
]
