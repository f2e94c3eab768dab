import { assert, describe, it } from "@effect/vitest"
import { checkMessage } from "../../src/core/ExtensionRules.ts"
import { make as suite } from "../../src/schema/CipherSuite.ts"
import type { Extension } from "../../src/schema/Extension.ts"
import type { ExtensionContext } from "../../src/schema/ExtensionType.ts"
import { codes, make as extensionType } from "../../src/schema/ExtensionType.ts"
import type { HandshakeMessage } from "../../src/schema/HandshakeMessage.ts"
import * as Limits from "../../src/schema/Limits.ts"
import { tls12, tls13 } from "../../src/schema/ProtocolVersion.ts"

const noBytes = new Uint8Array(0)

const message = (context: ExtensionContext, extensions: ReadonlyArray<Extension>): HandshakeMessage => {
  const hello = { legacyVersion: tls12, random: new Uint8Array(32), sessionId: noBytes, extensions }
  switch (context) {
    case "ClientHello":
      return { _tag: context, ...hello, cipherSuites: [], compressionMethods: noBytes }
    case "ServerHello":
    case "HelloRetryRequest":
      return { _tag: context, ...hello, cipherSuite: suite(0x1301), compressionMethod: 0 }
    case "EncryptedExtensions":
      return { _tag: context, extensions }
    case "CertificateRequest":
      return { _tag: context, context: noBytes, extensions }
    case "Certificate":
      // In the second entry, so that the first is not all that is looked at.
      return {
        _tag: context,
        context: noBytes,
        entries: [
          { certificate: noBytes, extensions: [] },
          { certificate: noBytes, extensions }
        ]
      }
    case "NewSessionTicket":
      return { _tag: context, lifetime: 0, ageAdd: 0, nonce: noBytes, ticket: noBytes, extensions }
  }
}

const unknown = (type: number): Extension => ({ _tag: "Unknown", type: extensionType(type), body: noBytes })
const selected: Extension = { _tag: "SelectedVersion", version: tls13 }
const cookie: Extension = { _tag: "Cookie", cookie: Uint8Array.of(1) }

const outcome = (
  context: ExtensionContext,
  extensions: ReadonlyArray<Extension>,
  offered?: ReadonlyArray<number>,
  limits: Partial<Limits.Limits> = {}
) =>
  checkMessage(message(context, extensions), {
    limits: { ...Limits.defaults, ...limits },
    phase: "negotiation",
    offered: offered === undefined ? undefined : new Set(offered)
  })?.reason

const contexts: ReadonlyArray<ExtensionContext> = [
  "ClientHello",
  "ServerHello",
  "HelloRetryRequest",
  "EncryptedExtensions",
  "CertificateRequest",
  "Certificate",
  "NewSessionTicket"
]
const answers: ReadonlyArray<ExtensionContext> = ["HelloRetryRequest", "EncryptedExtensions", "Certificate"]

describe("the extensions of a message", () => {
  it.each(contexts)("stand there once each: %s", (context) => {
    const own = context === "ServerHello" ? [selected] : []
    assert.isUndefined(outcome(context, [...own, unknown(1000), unknown(1001)]))
    assert.strictEqual(outcome(context, [...own, unknown(1000), unknown(1001), unknown(1000)]), "IllegalParameter")
  })

  it.each(contexts)("are not more than allowed: %s", (context) => {
    const own = context === "ServerHello" ? [selected] : []
    const many = (count: number) => [...own, ...Array.from({ length: count - own.length }, (_, i) => unknown(1000 + i))]
    assert.isUndefined(outcome(context, many(64)))
    assert.strictEqual(outcome(context, many(65)), "IllegalParameter")
    assert.strictEqual(outcome(context, many(3), undefined, { extensions: 2 }), "IllegalParameter")
  })

  it.each(contexts)("stand where they may: %s", (context) => {
    const own = context === "ServerHello" ? [selected] : []
    // Every known type: allowed or illegal_parameter, offered or not (RFC 9846 §4.2).
    const places: Record<ExtensionContext, ReadonlyArray<number>> = {
      ClientHello: Object.values(codes).filter((code) => code !== codes.oid_filters),
      ServerHello: [codes.pre_shared_key, codes.key_share],
      HelloRetryRequest: [codes.supported_versions, codes.key_share, codes.cookie, codes.encrypted_client_hello],
      EncryptedExtensions: [0, 1, 10, 14, 15, 16, 19, 20, 28, 42, 57, 58, 0xfe0d],
      CertificateRequest: [0, 5, 13, 18, 27, 34, 47, 48, 50],
      Certificate: [5, 18, 34],
      NewSessionTicket: [codes.early_data]
    }
    for (const code of Object.values(codes)) {
      if (own.length > 0 && code === codes.supported_versions) continue
      const wanted = places[context].includes(code) ? undefined : "IllegalParameter"
      assert.strictEqual(outcome(context, [...own, unknown(code)]), wanted, `${code}`)
      assert.strictEqual(outcome(context, [...own, unknown(code)], [43, code]), wanted, `${code}, offered`)
    }
  })
})

describe("extensions that answer", () => {
  it.each(answers)("answer what was offered: %s", (context) => {
    assert.isUndefined(outcome(context, [unknown(1000)], [1000]))
    assert.strictEqual(outcome(context, [unknown(1000)], [1001]), "UnsupportedExtension")
    assert.isUndefined(outcome(context, [unknown(1000)]), "where nothing was offered there is nothing to compare")
  })

  it("answer what was offered: a stapled response in a Certificate", () => {
    assert.isUndefined(outcome("Certificate", [unknown(codes.status_request)], [codes.status_request]))
    assert.strictEqual(outcome("Certificate", [unknown(codes.status_request)], []), "UnsupportedExtension")
  })

  it("answer what was offered: ServerHello", () => {
    const share: Extension = { _tag: "PreSharedKeyAnswer", selected: 0 }
    assert.isUndefined(outcome("ServerHello", [selected, share], [43, 41]))
    assert.strictEqual(outcome("ServerHello", [selected, share], [43]), "UnsupportedExtension")
  })

  it("may be a cookie, which nobody offers (RFC 9846 §4.2.2)", () => {
    assert.isUndefined(outcome("HelloRetryRequest", [selected, cookie], [43]))
    assert.strictEqual(outcome("EncryptedExtensions", [unknown(codes.cookie)], [43]), "IllegalParameter")
  })

  it("are requests instead in ClientHello, CertificateRequest and NewSessionTicket", () => {
    for (const context of ["ClientHello", "CertificateRequest", "NewSessionTicket"] as const) {
      assert.isUndefined(outcome(context, [unknown(1000)], []))
    }
  })

  it("are those of an older version where no version is selected, and for the handshake to refuse", () => {
    const old = [unknown(codes.renegotiation_info), unknown(codes.server_name), unknown(codes.ec_point_formats)]
    assert.isUndefined(outcome("ServerHello", old, [43, 0]))
    assert.strictEqual(outcome("ServerHello", [selected, ...old], [43, 0]), "IllegalParameter")
  })
})

describe("other messages", () => {
  it("have none", () => {
    const rules = { limits: Limits.defaults, phase: "connected", offered: new Set<number>() } as const
    assert.isUndefined(checkMessage({ _tag: "KeyUpdate", request: 0 }, rules))
    assert.isUndefined(checkMessage({ _tag: "Finished", verifyData: noBytes }, rules))
  })

  it("errors know their phase", () => {
    const rules = { limits: Limits.defaults, phase: "authentication", offered: undefined } as const
    const wrong = checkMessage(message("EncryptedExtensions", [unknown(codes.key_share)]), rules)
    assert.deepInclude(wrong, {
      phase: "authentication",
      message: "key_share may not stand in EncryptedExtensions"
    })
  })
})
