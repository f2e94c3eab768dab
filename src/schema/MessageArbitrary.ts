/**
 * Handshake messages at random, as a peer may send them: every form we speak, GREASE (RFC 8701) and code points nobody
 * has registered among the known ones. What the schemas of messages and our own tests draw from.
 *
 * @since 0.1.0
 */
import type * as FastCheck from "effect/FastCheck"
import * as CipherSuite from "./CipherSuite.ts"
import type * as Extension from "./Extension.ts"
import { typeOf } from "./Extension.ts"
import * as ExtensionType from "./ExtensionType.ts"
import type * as Message from "./HandshakeMessage.ts"
import * as HandshakeType from "./HandshakeType.ts"
import * as NamedGroup from "./NamedGroup.ts"
import * as ProtocolVersion from "./ProtocolVersion.ts"
import * as SignatureScheme from "./SignatureScheme.ts"

// Without `default`, which the two ways to import the module disagree about.
type Fc = Omit<typeof FastCheck, "default">
type Arbitrary<A> = FastCheck.Arbitrary<A>

const uint8 = (fc: Fc) => fc.integer({ min: 0, max: 0xff })
const uint16 = (fc: Fc) => fc.integer({ min: 0, max: 0xffff })
const uint32 = (fc: Fc) => fc.integer({ min: 0, max: 0xffff_ffff })
const bytes = (fc: Fc, minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength })
const list = <A>(fc: Fc, item: Arbitrary<A>, minLength: number, maxLength = 6) =>
  fc.array(item, { minLength, maxLength })

/** The sixteen values 0x0A0A, 0x1A1A ... 0xFAFA. */
const grease = (fc: Fc) => fc.integer({ min: 0, max: 15 }).map((n) => n * 0x1010 + 0x0a0a)

const codePoint = <A extends number>(fc: Fc, known: ReadonlyArray<A>, make: (code: number) => A): Arbitrary<A> =>
  fc.oneof(fc.constantFrom(...known), grease(fc).map(make), uint16(fc).map(make))

const suite = (fc: Fc) =>
  codePoint(
    fc,
    CipherSuite.registry.map(({ code }) => code),
    CipherSuite.make
  )
const group = (fc: Fc) =>
  codePoint(
    fc,
    NamedGroup.registry.map(({ code }) => code),
    NamedGroup.make
  )
const scheme = (fc: Fc) =>
  codePoint(
    fc,
    SignatureScheme.registry.map(({ code }) => code),
    SignatureScheme.make
  )
const version = (fc: Fc) => codePoint(fc, [ProtocolVersion.tls12, ProtocolVersion.tls13], ProtocolVersion.make)

const supportedGroups = (fc: Fc): Arbitrary<Extension.SupportedGroups> =>
  list(fc, group(fc), 1).map((groups) => ({ _tag: "SupportedGroups", groups }))

const signatureAlgorithms = (fc: Fc): Arbitrary<Extension.SignatureAlgorithms> =>
  list(fc, scheme(fc), 1).map((schemes) => ({ _tag: "SignatureAlgorithms", schemes }))

const signatureAlgorithmsCert = (fc: Fc): Arbitrary<Extension.SignatureAlgorithmsCert> =>
  list(fc, scheme(fc), 1).map((schemes) => ({ _tag: "SignatureAlgorithmsCert", schemes }))

const applicationProtocols = (fc: Fc): Arbitrary<Extension.ApplicationProtocols> =>
  list(fc, fc.oneof(fc.constantFrom("h2", "http/1.1"), bytes(fc, 1, 12).map(latin1)), 1).map((protocols) => ({
    _tag: "ApplicationProtocols",
    protocols
  }))

const latin1 = (name: Uint8Array): string => String.fromCharCode(...name)

const recordSizeLimit = (fc: Fc): Arbitrary<Extension.RecordSizeLimit> =>
  uint16(fc).map((limit) => ({ _tag: "RecordSizeLimit", limit }))

const statusRequest = (fc: Fc): Arbitrary<Extension.StatusRequest> =>
  fc.record({
    _tag: fc.constant("StatusRequest" as const),
    responderIds: list(fc, bytes(fc, 1, 20), 0, 3),
    requestExtensions: bytes(fc, 0, 20)
  })

const certificateStatus = (fc: Fc): Arbitrary<Extension.CertificateStatus> =>
  bytes(fc, 1, 60).map((response) => ({ _tag: "CertificateStatus", response }))

const cookie = (fc: Fc): Arbitrary<Extension.Cookie> =>
  bytes(fc, 1, 40).map((value) => ({ _tag: "Cookie", cookie: value }))

const earlyData = (fc: Fc): Arbitrary<Extension.EarlyData> => fc.constant({ _tag: "EarlyData" })

const selectedVersion = (fc: Fc): Arbitrary<Extension.SelectedVersion> =>
  version(fc).map((selected) => ({ _tag: "SelectedVersion", version: selected }))

const certificateAuthorities = (fc: Fc): Arbitrary<Extension.CertificateAuthorities> =>
  list(fc, bytes(fc, 1, 30), 1, 3).map((authorities) => ({ _tag: "CertificateAuthorities", authorities }))

const keyShare = (fc: Fc): Arbitrary<Extension.KeyShareEntry> =>
  fc.record({ group: group(fc), publicKey: bytes(fc, 1, 40) })

const serverName = (fc: Fc): Arbitrary<Extension.ServerName> =>
  list(fc, fc.record({ type: fc.oneof(fc.constant(0), uint8(fc)), name: bytes(fc, 1, 30) }), 1, 2).map((names) => ({
    _tag: "ServerName",
    names
  }))

const pskModes = (fc: Fc): Arbitrary<Extension.PskKeyExchangeModes> =>
  list(fc, fc.oneof(fc.constantFrom(0, 1), uint8(fc)), 1).map((modes) => ({ _tag: "PskKeyExchangeModes", modes }))

const pskOffer = (fc: Fc): Arbitrary<Extension.PreSharedKeyOffer> =>
  fc.record({
    _tag: fc.constant("PreSharedKeyOffer" as const),
    identities: list(fc, fc.record({ identity: bytes(fc, 1, 20), obfuscatedTicketAge: uint32(fc) }), 1, 3),
    binders: list(fc, bytes(fc, 32, 48), 1, 3)
  })

const spoken: ReadonlySet<number> = new Set<number>([
  ExtensionType.codes.server_name,
  ExtensionType.codes.supported_groups,
  ExtensionType.codes.signature_algorithms,
  ExtensionType.codes.signature_algorithms_cert,
  ExtensionType.codes.application_layer_protocol_negotiation,
  ExtensionType.codes.record_size_limit,
  ExtensionType.codes.status_request,
  ExtensionType.codes.supported_versions,
  ExtensionType.codes.cookie,
  ExtensionType.codes.key_share,
  ExtensionType.codes.psk_key_exchange_modes,
  ExtensionType.codes.pre_shared_key,
  ExtensionType.codes.early_data,
  ExtensionType.codes.certificate_authorities
])

const unknown = (fc: Fc): Arbitrary<Extension.Unknown> =>
  fc.record({
    _tag: fc.constant("Unknown" as const),
    type: codePoint(
      fc,
      Object.values(ExtensionType.codes).filter((code) => !spoken.has(code)),
      ExtensionType.make
    ).filter((code) => !spoken.has(code)),
    body: bytes(fc, 0, 20)
  })

const forms: {
  readonly [C in ExtensionType.ExtensionContext]: (fc: Fc) => ReadonlyArray<Arbitrary<Extension.Extension>>
} = {
  ClientHello: (fc) => [
    serverName(fc),
    supportedGroups(fc),
    signatureAlgorithms(fc),
    signatureAlgorithmsCert(fc),
    applicationProtocols(fc),
    recordSizeLimit(fc),
    statusRequest(fc),
    list(fc, version(fc), 1).map((versions) => ({ _tag: "SupportedVersions", versions })),
    cookie(fc),
    list(fc, keyShare(fc), 0, 3).map((shares) => ({ _tag: "KeyShareOffer", shares })),
    pskModes(fc),
    pskOffer(fc),
    earlyData(fc),
    certificateAuthorities(fc)
  ],
  ServerHello: (fc) => [
    selectedVersion(fc),
    keyShare(fc).map((share) => ({ _tag: "KeyShareAnswer", share })),
    uint16(fc).map((selected) => ({ _tag: "PreSharedKeyAnswer", selected }))
  ],
  HelloRetryRequest: (fc) => [
    selectedVersion(fc),
    group(fc).map((wanted) => ({ _tag: "KeyShareRequest", group: wanted })),
    cookie(fc)
  ],
  EncryptedExtensions: (fc) => [
    fc.constant({ _tag: "ServerNameAcknowledged" }),
    supportedGroups(fc),
    applicationProtocols(fc),
    recordSizeLimit(fc),
    earlyData(fc)
  ],
  CertificateRequest: (fc) => [signatureAlgorithms(fc), signatureAlgorithmsCert(fc), certificateAuthorities(fc)],
  Certificate: (fc) => [certificateStatus(fc)],
  NewSessionTicket: (fc) => [uint32(fc).map((maxEarlyDataSize) => ({ _tag: "EarlyDataLimit", maxEarlyDataSize }))]
}

/**
 * An extension as it may stand in a message.
 *
 * @since 0.1.0
 * @category arbitraries
 */
export const extension = (fc: Fc, context: ExtensionType.ExtensionContext): Arbitrary<Extension.Extension> => {
  const known = forms[context](fc)
  return known.length === 0
    ? unknown(fc)
    : fc.oneof({ weight: 4, arbitrary: fc.oneof(...known) }, { weight: 1, arbitrary: unknown(fc) })
}

/** Extensions of different types; a pre-shared key comes last (RFC 9846 §4.2.11). */
const extensions = (fc: Fc, context: ExtensionType.ExtensionContext) =>
  fc
    .uniqueArray(extension(fc, context), { selector: typeOf, maxLength: 10 })
    .map((items) => items.sort((a, b) => Number(isPreSharedKey(a)) - Number(isPreSharedKey(b))))

const isPreSharedKey = (item: Extension.Extension): boolean => item._tag === "PreSharedKeyOffer"

/**
 * @since 0.1.0
 * @category arbitraries
 */
export const clientHello = (fc: Fc): Arbitrary<Message.ClientHello> =>
  fc.record({
    _tag: fc.constant("ClientHello" as const),
    legacyVersion: version(fc),
    random: bytes(fc, 32, 32),
    sessionId: bytes(fc, 0, 32),
    cipherSuites: list(fc, suite(fc), 1, 12),
    compressionMethods: fc.oneof(fc.constant(Uint8Array.of(0)), bytes(fc, 1, 3)),
    extensions: extensions(fc, "ClientHello")
  })

const serverHelloFields = (fc: Fc, context: "ServerHello" | "HelloRetryRequest") => ({
  legacyVersion: version(fc),
  sessionId: bytes(fc, 0, 32),
  cipherSuite: suite(fc),
  compressionMethod: fc.oneof(fc.constant(0), uint8(fc)),
  extensions: extensions(fc, context)
})

/**
 * An arbitrary of each message.
 *
 * @since 0.1.0
 * @category arbitraries
 */
export const messages: {
  readonly [T in Message.HandshakeMessage["_tag"]]: (
    fc: Fc
  ) => Arbitrary<Extract<Message.HandshakeMessage, { readonly _tag: T }>>
} = {
  ClientHello: clientHello,
  ServerHello: (fc) =>
    fc.record({
      _tag: fc.constant("ServerHello" as const),
      random: bytes(fc, 32, 32),
      ...serverHelloFields(fc, "ServerHello")
    }),
  HelloRetryRequest: (fc) =>
    fc.record({ _tag: fc.constant("HelloRetryRequest" as const), ...serverHelloFields(fc, "HelloRetryRequest") }),
  EncryptedExtensions: (fc) =>
    fc.record({
      _tag: fc.constant("EncryptedExtensions" as const),
      extensions: extensions(fc, "EncryptedExtensions")
    }),
  CertificateRequest: (fc) =>
    fc.record({
      _tag: fc.constant("CertificateRequest" as const),
      context: bytes(fc, 0, 10),
      extensions: extensions(fc, "CertificateRequest")
    }),
  Certificate: (fc) =>
    fc.record({
      _tag: fc.constant("Certificate" as const),
      context: bytes(fc, 0, 10),
      entries: list(fc, fc.record({ certificate: bytes(fc, 1, 60), extensions: extensions(fc, "Certificate") }), 0, 3)
    }),
  CertificateVerify: (fc) =>
    fc.record({ _tag: fc.constant("CertificateVerify" as const), scheme: scheme(fc), signature: bytes(fc, 0, 80) }),
  Finished: (fc) => fc.record({ _tag: fc.constant("Finished" as const), verifyData: bytes(fc, 0, 64) }),
  NewSessionTicket: (fc) =>
    fc.record({
      _tag: fc.constant("NewSessionTicket" as const),
      lifetime: uint32(fc),
      ageAdd: uint32(fc),
      nonce: bytes(fc, 0, 8),
      ticket: bytes(fc, 1, 60),
      extensions: extensions(fc, "NewSessionTicket")
    }),
  KeyUpdate: (fc) => fc.record({ _tag: fc.constant("KeyUpdate" as const), request: uint8(fc) }),
  EndOfEarlyData: (fc) => fc.record({ _tag: fc.constant("EndOfEarlyData" as const) }),
  UnknownMessage: (fc) =>
    fc.record({
      _tag: fc.constant("UnknownMessage" as const),
      type: uint8(fc)
        .filter((code) => !knownMessages.has(code))
        .map(HandshakeType.make),
      body: bytes(fc, 0, 40)
    })
}

/** A message_hash is never sent, so to a reader it is one unknown message more. */
const knownMessages: ReadonlySet<number> = new Set<number>(
  Object.values(HandshakeType.codes).filter((code) => code !== HandshakeType.codes.MessageHash)
)

/**
 * Any message.
 *
 * @since 0.1.0
 * @category arbitraries
 */
export const handshakeMessage = (fc: Fc): Arbitrary<Message.HandshakeMessage> =>
  fc.oneof(...Object.values(messages).map((make: (fc: Fc) => Arbitrary<Message.HandshakeMessage>) => make(fc)))
