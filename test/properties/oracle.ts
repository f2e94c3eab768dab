/**
 * What becomes of two policies that meet, from RFC 9846 and the order that this library promises where the RFC leaves
 * the choice: the server's for suites, groups and application protocols, the verifying side's for signature schemes.
 * Written for itself: nothing of the library is called here, and everything is a plain name.
 */

export type KeyKind = "p256" | "p384" | "p521" | "ed25519" | "ed448" | "rsa" | "rsaPss"

/** A certificate with its key. `issuer` is the authority's id, or its own. `signed` says with what that one signed. */
export interface Identity {
  readonly id: string
  readonly key: KeyKind
  readonly names: ReadonlyArray<string>
  readonly issuer: string
  readonly signed: string
}

/** Undefined is not said. */
export interface Side {
  readonly policy?: "strict" | "modern" | "compatible" | "legacy" | undefined
  readonly cipherSuites?: ReadonlyArray<string> | undefined
  readonly groups?: ReadonlyArray<string> | undefined
  readonly keyShares?: ReadonlyArray<string> | undefined
  readonly signatureSchemes?: ReadonlyArray<string> | undefined
  readonly certificateSignatureSchemes?: ReadonlyArray<string> | undefined
  readonly alpn?: ReadonlyArray<string> | undefined
  readonly identities: ReadonlyArray<Identity>
  /** Ids of certificates that are trusted; "anybody" when nobody looks. */
  readonly trusted: ReadonlyArray<string> | "anybody"
  readonly announceAuthorities?: boolean | undefined
  readonly clientAuthentication?: "none" | "request" | "require" | undefined
}

export interface Meeting {
  readonly client: Side
  readonly server: Side
  readonly serverName?: string | undefined
  /** Whether X25519MLKEM768 is among the defaults: where the machine has it. */
  readonly hybridByDefault: boolean
}

export interface Info {
  readonly role: "client" | "server"
  readonly version: string
  readonly cipherSuite: string
  readonly group: string
  readonly signatureScheme: string
  readonly clientSignatureScheme: string | null
  readonly alpn: string | null
  readonly serverName: string | null
  /** `Verified` with the ids of the path, `Unverified` with the leaf's. */
  readonly peer: string
  readonly peerCertificates: ReadonlyArray<string>
  readonly helloRetryRequest: boolean
  readonly resumed: boolean
  readonly earlyData: boolean
}

/** `error` is `Tag/reason`. A client can be open and then hear that the server did not like its certificate. */
export type End =
  | { readonly _tag: "Open"; readonly info: Info; readonly after: string }
  | { readonly _tag: "Failed"; readonly error: string }

export interface Outcome {
  readonly client: End
  readonly server: End
}

const defaults = {
  cipherSuites: ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"],
  groups: ["x25519", "secp256r1", "secp384r1", "secp521r1", "x448"],
  signatureSchemes: [
    "ecdsa_secp256r1_sha256",
    "ed25519",
    "ecdsa_secp384r1_sha384",
    "rsa_pss_rsae_sha256",
    "rsa_pss_rsae_sha384",
    "rsa_pss_rsae_sha512",
    "rsa_pss_pss_sha256",
    "rsa_pss_pss_sha384",
    "rsa_pss_pss_sha512",
    "ecdsa_secp521r1_sha512",
    "ed448"
  ]
}

const pkcs1 = ["rsa_pkcs1_sha256", "rsa_pkcs1_sha384", "rsa_pkcs1_sha512"]

/** What a side's policy adds to the defaults. */
const more = ({ policy }: Side) => ({
  groups: policy === "compatible" || policy === "legacy" ? ["ffdhe2048", "ffdhe3072", "ffdhe4096"] : [],
  certificateSchemes: policy === "legacy" ? ["rsa_pkcs1_sha1", "ecdsa_sha1"] : []
})

/** RFC 9846 §4.2.3: with which schemes a key can sign a handshake. */
const schemesOf: { readonly [K in KeyKind]: ReadonlyArray<string> } = {
  p256: ["ecdsa_secp256r1_sha256"],
  p384: ["ecdsa_secp384r1_sha384"],
  p521: ["ecdsa_secp521r1_sha512"],
  ed25519: ["ed25519"],
  ed448: ["ed448"],
  rsa: ["rsa_pss_rsae_sha256", "rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512"],
  rsaPss: ["rsa_pss_pss_sha256", "rsa_pss_pss_sha384", "rsa_pss_pss_sha512"]
}

/** In certificates a scheme's name is about the hash alone: the same signature has other names for other keys. */
const signatureOf = (scheme: string): string =>
  scheme.startsWith("ecdsa")
    ? `ecdsa ${scheme.slice(-6)}`
    : scheme.startsWith("rsa_pss")
      ? `pss ${scheme.slice(-6)}`
      : scheme

const accepts = (schemes: ReadonlyArray<string>, signed: string): boolean =>
  schemes.some((scheme) => signatureOf(scheme) === signatureOf(signed))

/** RFC 9846 §6.2, §4.4.2.4: the alert of what can go wrong here. */
const alerts: { readonly [error: string]: string } = {
  "HandshakeError/NoSharedCipherSuite": "handshake_failure",
  "HandshakeError/NoSharedGroup": "handshake_failure",
  "HandshakeError/NoSharedSignatureScheme": "handshake_failure",
  "HandshakeError/NoApplicationProtocol": "no_application_protocol",
  "CertificateError/NoCertificate": "certificate_required",
  "CertificateError/WeakSignature": "bad_certificate",
  "CertificateError/NameMismatch": "bad_certificate",
  "CertificateError/SelfSigned": "unknown_ca",
  "CertificateError/SelfSignedRoot": "unknown_ca"
}

const hear = (error: string): string => `AlertError/${alerts[error] ?? "?"}`

const signatureSchemes = (side: Side) => side.signatureSchemes ?? defaults.signatureSchemes
const certificateSchemes = (side: Side) =>
  side.certificateSignatureSchemes ?? [
    ...new Set([...signatureSchemes(side), ...pkcs1, ...more(side).certificateSchemes])
  ]

const sharesOf = (side: Side, groups: ReadonlyArray<string>): ReadonlyArray<string> => {
  if (side.keyShares !== undefined) return side.keyShares
  const [first] = groups
  return first === "X25519MLKEM768" && groups.includes("x25519")
    ? [first, "x25519"]
    : first === undefined
      ? []
      : [first]
}

const isAddress = (name: string) => /^[\d.]+$/.test(name)

/** Whether an identity signs with a scheme of the side: one that signs with none is refused with the options. */
export const canSign = (side: Pick<Side, "signatureSchemes">, { key }: Identity): boolean =>
  (side.signatureSchemes ?? defaults.signatureSchemes).some((name) => schemesOf[key].includes(name))

/** Which identity an owner shows to a verifier, and how it signs; `undefined` for none that could. */
const show = (owner: Side, verifier: Side, announced: ReadonlyArray<string>, name: string | undefined) => {
  let best: { readonly identity: Identity; readonly scheme: string; readonly rank: number } | undefined
  for (const identity of owner.identities) {
    const scheme = signatureSchemes(verifier).find(
      (wanted) => signatureSchemes(owner).includes(wanted) && schemesOf[identity.key].includes(wanted)
    )
    if (scheme === undefined) continue
    const isNamed = name === undefined || identity.names.includes(name)
    const isLed = announced.length === 0 || announced.includes(identity.issuer)
    // What signs itself is not verified by its signature.
    const isReadable = identity.issuer === identity.id || accepts(certificateSchemes(verifier), identity.signed)
    // RFC 9846 §4.2.3: SHA-1 only where there is nothing else.
    const isClean = !identity.signed.endsWith("sha1")
    const rank = (isNamed ? 1000 : 0) + (isLed ? 100 : 0) + (isReadable ? 10 : 0) + (isClean ? 1 : 0)
    if (best === undefined || rank > best.rank) best = { identity, scheme, rank }
  }
  return best
}

/** The names of authorities that a side tells: a server does unless told not to, a client when told. */
const announced = (side: Side, byDefault: boolean): ReadonlyArray<string> =>
  side.trusted !== "anybody" && (side.announceAuthorities ?? byDefault) ? side.trusted : []

/** What each authority signs with, itself too. */
export const signedBy = { ecdsa: "ecdsa_secp256r1_sha256", pkcs1: "rsa_pkcs1_sha256", eddsa: "ed25519" } as const

/** What is wrong with a certificate, or the ids of its path. */
const judge = (verifier: Side, { id, issuer, names, signed }: Identity, expected: string | undefined) => {
  const { trusted } = verifier
  if (trusted === "anybody") return { path: undefined }
  const isAnchor = trusted.includes(id)
  if (!isAnchor) {
    if (!accepts(certificateSchemes(verifier), signed)) return { error: "CertificateError/WeakSignature" }
    if (issuer === id) return { error: "CertificateError/SelfSigned" }
    if (!trusted.includes(issuer)) {
      // A root that is not trusted is a certificate as any other: its signature is looked at first.
      return accepts(certificateSchemes(verifier), signedBy[issuer as keyof typeof signedBy])
        ? { error: "CertificateError/SelfSignedRoot" }
        : { error: "CertificateError/WeakSignature" }
    }
  }
  if (expected !== undefined && !names.includes(expected)) return { error: "CertificateError/NameMismatch" }
  return { path: isAnchor ? [id] : [id, issuer] }
}

const chainOf = ({ id, issuer }: Identity) => (issuer === id ? [id] : [id, issuer])

const peerOf = (identity: Identity, path: ReadonlyArray<string> | undefined) =>
  path === undefined ? `Unverified ${identity.id}` : `Verified ${path.join(" ")}`

export const predict = ({ client, hybridByDefault, server, serverName }: Meeting): Outcome => {
  const serverRefuses = (error: string): Outcome => ({
    client: { _tag: "Failed", error: hear(error) },
    server: { _tag: "Failed", error }
  })

  const suites = client.cipherSuites ?? defaults.cipherSuites
  const cipherSuite = (server.cipherSuites ?? defaults.cipherSuites).find((suite) => suites.includes(suite))
  if (cipherSuite === undefined) return serverRefuses("HandshakeError/NoSharedCipherSuite")

  const groupsOf = (side: Side) =>
    side.groups ?? [...(hybridByDefault ? ["X25519MLKEM768"] : []), ...defaults.groups, ...more(side).groups]
  const shares = sharesOf(client, groupsOf(client))
  const common = groupsOf(server).filter((name) => groupsOf(client).includes(name))
  const group = common.find((name) => shares.includes(name)) ?? common[0]
  if (group === undefined) return serverRefuses("HandshakeError/NoSharedGroup")

  const offered = client.alpn ?? []
  const spoken = server.alpn ?? []
  const alpn = spoken.find((protocol) => offered.includes(protocol)) ?? null
  if (offered.length > 0 && spoken.length > 0 && alpn === null) {
    return serverRefuses("HandshakeError/NoApplicationProtocol")
  }

  // RFC 6066 §3: addresses are not sent.
  const sentName = serverName === undefined || isAddress(serverName) ? undefined : serverName
  const shown = show(server, client, announced(client, false), sentName)
  if (shown === undefined) return serverRefuses("HandshakeError/NoSharedSignatureScheme")

  const verdict = judge(client, shown.identity, serverName)
  if (verdict.error !== undefined) {
    return { client: { _tag: "Failed", error: verdict.error }, server: { _tag: "Failed", error: hear(verdict.error) } }
  }

  const asks = server.clientAuthentication ?? "none"
  const own = asks === "none" ? undefined : show(client, server, announced(server, true), undefined)
  const info = {
    version: "TLSv1.3",
    cipherSuite,
    group,
    signatureScheme: shown.scheme,
    clientSignatureScheme: own?.scheme ?? null,
    alpn,
    helloRetryRequest: !shares.includes(group),
    resumed: false,
    earlyData: false
  }
  const open = (after: string): End => ({
    _tag: "Open",
    info: {
      ...info,
      role: "client",
      serverName: serverName ?? null,
      peer: peerOf(shown.identity, verdict.path),
      peerCertificates: chainOf(shown.identity)
    },
    after
  })
  const serverRefusesLate = (error: string): Outcome => ({
    client: open(hear(error)),
    server: { _tag: "Failed", error }
  })
  if (asks === "require" && own === undefined) return serverRefusesLate("CertificateError/NoCertificate")
  const verdictOnClient = own === undefined ? undefined : judge(server, own.identity, undefined)
  if (verdictOnClient?.error !== undefined) return serverRefusesLate(verdictOnClient.error)
  return {
    client: open("data"),
    server: {
      _tag: "Open",
      info: {
        ...info,
        role: "server",
        serverName: sentName ?? null,
        peer: own === undefined ? "Anonymous" : peerOf(own.identity, verdictOnClient?.path),
        peerCertificates: own === undefined ? [] : chainOf(own.identity)
      },
      after: "data"
    }
  }
}
