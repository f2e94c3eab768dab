import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Alert from "../../src/schema/Alert.ts"
import { aeadLengths, hashLength } from "../../src/schema/Algorithms.ts"
import * as CipherSuite from "../../src/schema/CipherSuite.ts"
import * as ContentType from "../../src/schema/ContentType.ts"
import * as Defaults from "../../src/schema/Defaults.ts"
import * as ExtensionType from "../../src/schema/ExtensionType.ts"
import * as HandshakeType from "../../src/schema/HandshakeType.ts"
import * as NamedGroup from "../../src/schema/NamedGroup.ts"
import { ProtocolOptions } from "../../src/schema/ProtocolOptions.ts"
import * as ProtocolVersion from "../../src/schema/ProtocolVersion.ts"
import { headerLength, maxCiphertext, maxPlaintext, writeHeader } from "../../src/schema/Record.ts"
import * as SignatureScheme from "../../src/schema/SignatureScheme.ts"
import { contexts } from "./arbitraries.ts"

describe("CipherSuite", () => {
  it.each([
    [0x1301, "TLS_AES_128_GCM_SHA256", "AES-128-GCM", "SHA-256"],
    [0x1302, "TLS_AES_256_GCM_SHA384", "AES-256-GCM", "SHA-384"],
    [0x1303, "TLS_CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305", "SHA-256"],
    [0x1304, "TLS_AES_128_CCM_SHA256", "AES-128-CCM", "SHA-256"],
    [0x1305, "TLS_AES_128_CCM_8_SHA256", "AES-128-CCM-8", "SHA-256"]
  ] as const)("%s is %s", (code, name, aead, hash) => {
    assert.deepInclude(CipherSuite.info(code), { code: CipherSuite.make(code), name, aead, hash })
    // OpenSSL has its own names for suites up to TLS 1.2 only.
    assert.deepInclude(CipherSuite.info(code), { openssl: name })
    assert.strictEqual(CipherSuite.name(code), name)
    assert.strictEqual(CipherSuite.fromName(name)?.code, CipherSuite.make(code))
  })

  it("lists each once, and limits what one key protects (RFC 9846 §5.5)", () => {
    assert.strictEqual(CipherSuite.registry.length, 5)
    assert.strictEqual(new Set(CipherSuite.registry.map(({ code }) => code)).size, 5)
    for (const { aead, confidentialityLimit } of CipherSuite.registry) {
      if (aead === "CHACHA20-POLY1305") assert.strictEqual(confidentialityLimit, Infinity)
      else assert.isAtMost(confidentialityLimit, 2 ** 24.5)
    }
  })

  it("does not know others", () => {
    assert.isUndefined(CipherSuite.info(0x1306))
    assert.isUndefined(CipherSuite.fromName("TLS_AES_128_GCM_SHA265"))
    assert.strictEqual(CipherSuite.name(0x00ff), "0x00ff")
    assert.strictEqual(CipherSuite.name(0x1a1a), "0x1a1a")
  })
})

describe("NamedGroup", () => {
  it.each([
    [0x0017, "secp256r1", ["P-256", "prime256v1", "p-256"], 65, 65],
    [0x0018, "secp384r1", ["P-384"], 97, 97],
    [0x0019, "secp521r1", ["P-521"], 133, 133],
    [0x001d, "x25519", ["X25519"], 32, 32],
    [0x001e, "x448", ["X448"], 56, 56],
    [0x0100, "ffdhe2048", ["FFDHE2048"], 256, 256],
    [0x0101, "ffdhe3072", [], 384, 384],
    [0x0102, "ffdhe4096", [], 512, 512],
    [0x0103, "ffdhe6144", [], 768, 768],
    [0x0104, "ffdhe8192", [], 1024, 1024],
    [0x11ec, "X25519MLKEM768", ["x25519mlkem768"], 1216, 1120]
  ] as const)("%s is %s, or %s", (code, name, aliases, clientShare, serverShare) => {
    assert.deepInclude(NamedGroup.info(code), { name, clientShare, serverShare })
    assert.strictEqual(NamedGroup.name(code), name)
    for (const alias of [name, ...aliases]) {
      assert.strictEqual(NamedGroup.fromName(alias)?.code, NamedGroup.make(code))
    }
  })

  it("does not know others, nor negotiate ML-KEM alone", () => {
    assert.isUndefined(NamedGroup.info(NamedGroup.mlkem768))
    assert.isUndefined(NamedGroup.info(0x0105))
    assert.isUndefined(NamedGroup.fromName("secp256k1"))
    assert.strictEqual(NamedGroup.name(0x0105), "0x0105")
    assert.strictEqual(NamedGroup.name(0xfafa), "0xfafa")
    assert.strictEqual(NamedGroup.registry.length, 11)
  })
})

describe("SignatureScheme", () => {
  it.each([
    [0x0201, "rsa_pkcs1_sha1", "RSA+SHA1", "Rsa", false],
    [0x0203, "ecdsa_sha1", "ECDSA+SHA1", "Ec", false],
    [0x0401, "rsa_pkcs1_sha256", "RSA+SHA256", "Rsa", false],
    [0x0501, "rsa_pkcs1_sha384", "RSA+SHA384", "Rsa", false],
    [0x0601, "rsa_pkcs1_sha512", "RSA+SHA512", "Rsa", false],
    [0x0403, "ecdsa_secp256r1_sha256", "ECDSA+SHA256", "Ec", true],
    [0x0503, "ecdsa_secp384r1_sha384", "ECDSA+SHA384", "Ec", true],
    [0x0603, "ecdsa_secp521r1_sha512", "ecdsa+sha512", "Ec", true],
    [0x0804, "rsa_pss_rsae_sha256", "RSA-PSS+SHA256", "Rsa", true],
    [0x0805, "rsa_pss_rsae_sha384", "RSA-PSS+SHA384", "Rsa", true],
    [0x0806, "rsa_pss_rsae_sha512", "RSA-PSS+SHA512", "Rsa", true],
    [0x0807, "ed25519", "Ed25519", "Ed25519", true],
    [0x0808, "ed448", "Ed448", "Ed448", true],
    [0x0809, "rsa_pss_pss_sha256", "rsa_pss_pss_sha256", "RsaPss", true],
    [0x080a, "rsa_pss_pss_sha384", "rsa_pss_pss_sha384", "RsaPss", true],
    [0x080b, "rsa_pss_pss_sha512", "rsa_pss_pss_sha512", "RsaPss", true]
  ] as const)("%s is %s, or %s", (code, name, alias, key, handshake) => {
    const info = SignatureScheme.info(code)
    assert.deepInclude(info, { name, handshake })
    assert.strictEqual(info?.key._tag, key)
    assert.strictEqual(SignatureScheme.name(code), name)
    assert.strictEqual(SignatureScheme.fromName(name)?.code, SignatureScheme.make(code))
    assert.strictEqual(SignatureScheme.fromName(alias)?.code, SignatureScheme.make(code))
  })

  it("says what the name says: hash, curve, and a salt as long as the hash (RFC 9846 §4.2.3)", () => {
    const curves: Record<string, string> = { secp256r1: "P-256", secp384r1: "P-384", secp521r1: "P-521" }
    for (const { algorithm, key, name } of SignatureScheme.registry) {
      const hash = /sha(\d+)$/.exec(name)?.[1]
      if ("hash" in algorithm) assert.strictEqual(algorithm.hash, `SHA-${hash}`)
      else assert.isUndefined(hash)
      if (algorithm._tag === "RsaPss") assert.strictEqual(algorithm.saltLength, Number(hash) / 8)
      if (key._tag === "Ec") assert.strictEqual(key.curve, curves[name.split("_")[1]!])
    }
    assert.strictEqual(SignatureScheme.registry.length, 16)
    assert.deepStrictEqual(
      SignatureScheme.registry.filter(SignatureScheme.isSha1).map(({ name }) => name),
      ["rsa_pkcs1_sha1", "ecdsa_sha1"]
    )
  })

  it("does not know others: DSA and SHA-224 among them", () => {
    for (const code of [0x0202, 0x0301, 0x0402, 0x0a0a]) {
      assert.isUndefined(SignatureScheme.info(code))
      assert.strictEqual(SignatureScheme.name(code), `0x${code.toString(16).padStart(4, "0")}`)
    }
    assert.isUndefined(SignatureScheme.fromName("dsa_sha1"))
  })
})

describe("ProtocolVersion", () => {
  it.each([
    [0x0300, "SSLv3"],
    [0x0301, "TLSv1"],
    [0x0302, "TLSv1.1"],
    [0x0303, "TLSv1.2"],
    [0x0304, "TLSv1.3"],
    [0x7a7a, "0x7a7a"],
    [0x0002, "0x0002"]
  ])("%s is %s", (code, name) => {
    assert.strictEqual(ProtocolVersion.name(code), name)
  })
})

describe("Alert", () => {
  it.each([
    [0, "close_notify", 1],
    [10, "unexpected_message", 2],
    [20, "bad_record_mac", 2],
    [22, "record_overflow", 2],
    [40, "handshake_failure", 2],
    [42, "bad_certificate", 2],
    [43, "unsupported_certificate", 2],
    [44, "certificate_revoked", 2],
    [45, "certificate_expired", 2],
    [46, "certificate_unknown", 2],
    [47, "illegal_parameter", 2],
    [48, "unknown_ca", 2],
    [49, "access_denied", 2],
    [50, "decode_error", 2],
    [51, "decrypt_error", 2],
    [70, "protocol_version", 2],
    [71, "insufficient_security", 2],
    [80, "internal_error", 2],
    [86, "inappropriate_fallback", 2],
    [90, "user_canceled", 1],
    [100, "no_renegotiation", 2],
    [109, "missing_extension", 2],
    [110, "unsupported_extension", 2],
    [112, "unrecognized_name", 2],
    [113, "bad_certificate_status_response", 2],
    [115, "unknown_psk_identity", 2],
    [116, "certificate_required", 2],
    [117, "general_error", 2],
    [120, "no_application_protocol", 2],
    [121, "ech_required", 2]
  ] as const)("%s is %s, of level %s", (code, name, level) => {
    assert.strictEqual(Alert.name(code), name)
    assert.strictEqual(Alert.fromName(name), Alert.make(code))
    assert.strictEqual(Alert.levelOf(Alert.make(code)), level)
    assert.deepStrictEqual(Alert.encode({ level, description: Alert.make(code) }), Uint8Array.of(level, code))
  })

  it("prints an unknown one by number, and takes it for fatal", () => {
    assert.strictEqual(Alert.name(99), "alert 99")
    assert.strictEqual(Alert.levelOf(Alert.make(99)), 2)
  })
})

describe("HandshakeType", () => {
  it.each([
    [1, "ClientHello"],
    [2, "ServerHello"],
    [4, "NewSessionTicket"],
    [5, "EndOfEarlyData"],
    [8, "EncryptedExtensions"],
    [11, "Certificate"],
    [13, "CertificateRequest"],
    [15, "CertificateVerify"],
    [20, "Finished"],
    [24, "KeyUpdate"],
    [254, "MessageHash"],
    [99, "handshake type 99"]
  ])("%s is %s", (code, name) => {
    assert.strictEqual(HandshakeType.name(code), name)
  })
})

describe("ExtensionType", () => {
  // RFC 9846 §4.2 and IANA's column "TLS 1.3"; CH: ClientHello, SH, HRR, EE, CR, CT: Certificate, NST.
  it.each([
    [0, "server_name", "CH EE CR"],
    [1, "max_fragment_length", "CH EE"],
    [5, "status_request", "CH CR CT"],
    [10, "supported_groups", "CH EE"],
    [11, "ec_point_formats", "CH"],
    [13, "signature_algorithms", "CH CR"],
    [14, "use_srtp", "CH EE"],
    [15, "heartbeat", "CH EE"],
    [16, "application_layer_protocol_negotiation", "CH EE"],
    [18, "signed_certificate_timestamp", "CH CR CT"],
    [19, "client_certificate_type", "CH EE"],
    [20, "server_certificate_type", "CH EE"],
    [21, "padding", "CH"],
    [22, "encrypt_then_mac", "CH"],
    [23, "extended_main_secret", "CH"],
    [27, "compress_certificate", "CH CR"],
    [28, "record_size_limit", "CH EE"],
    [34, "delegated_credential", "CH CR CT"],
    [35, "session_ticket", "CH"],
    [41, "pre_shared_key", "CH SH"],
    [42, "early_data", "CH EE NST"],
    [43, "supported_versions", "CH SH HRR"],
    [44, "cookie", "CH HRR"],
    [45, "psk_key_exchange_modes", "CH"],
    [47, "certificate_authorities", "CH CR"],
    [48, "oid_filters", "CR"],
    [49, "post_handshake_auth", "CH"],
    [50, "signature_algorithms_cert", "CH CR"],
    [51, "key_share", "CH SH HRR"],
    [57, "quic_transport_parameters", "CH EE"],
    [58, "ticket_request", "CH EE"],
    [0xfe0d, "encrypted_client_hello", "CH HRR EE"],
    [0xff01, "renegotiation_info", "CH"]
  ])("%s is %s and stands in %s", (code, name, places) => {
    const abbreviations = {
      ClientHello: "CH",
      ServerHello: "SH",
      HelloRetryRequest: "HRR",
      EncryptedExtensions: "EE",
      CertificateRequest: "CR",
      Certificate: "CT",
      NewSessionTicket: "NST"
    }
    assert.strictEqual(ExtensionType.name(code), name)
    for (const context of contexts) {
      assert.strictEqual(
        ExtensionType.isAllowedIn(code, context),
        places.split(" ").includes(abbreviations[context]),
        context
      )
    }
  })

  it("has no others, and lets what it does not know stand anywhere", () => {
    assert.strictEqual(Object.keys(ExtensionType.codes).length, 33)
    assert.strictEqual(ExtensionType.name(2570), "extension 2570")
    for (const context of contexts) assert.isTrue(ExtensionType.isAllowedIn(2570, context))
  })
})

describe("Record", () => {
  it("has the types and bounds of RFC 9846 §5", () => {
    assert.deepStrictEqual(
      [ContentType.changeCipherSpec, ContentType.alert, ContentType.handshake, ContentType.applicationData],
      [20, 21, 22, 23].map(ContentType.make)
    )
    assert.deepStrictEqual([headerLength, maxPlaintext, maxCiphertext], [5, 2 ** 14, 2 ** 14 + 256])
  })

  it("has a header of type, version and length", () => {
    const bytes = new Uint8Array(12)
    writeHeader(bytes, 1, ContentType.handshake, 0x1234, ProtocolVersion.tls10)
    writeHeader(bytes, 6, ContentType.applicationData, 0x4100)
    assert.deepStrictEqual([...bytes], [0, 22, 3, 1, 0x12, 0x34, 23, 3, 3, 0x41, 0, 0])
  })
})

describe("Algorithms", () => {
  it("have the lengths of their standards", () => {
    assert.deepStrictEqual(hashLength, { "SHA-1": 20, "SHA-256": 32, "SHA-384": 48, "SHA-512": 64 })
    assert.deepStrictEqual(aeadLengths, {
      "AES-128-GCM": { key: 16, tag: 16 },
      "AES-256-GCM": { key: 32, tag: 16 },
      "CHACHA20-POLY1305": { key: 32, tag: 16 },
      "AES-128-CCM": { key: 16, tag: 16 },
      "AES-128-CCM-8": { key: 16, tag: 8 }
    })
  })
})

describe("what is known and what is offered", () => {
  it("every default is in a registry, and the suites for small devices are none", () => {
    for (const name of Defaults.cipherSuites) assert.strictEqual(CipherSuite.fromName(name)?.name, name)
    for (const name of Defaults.groups) assert.strictEqual(NamedGroup.fromName(name)?.name, name)
    for (const name of Defaults.signatureSchemes) {
      assert.isTrue(SignatureScheme.fromName(name)?.handshake, `${name} does not sign a handshake`)
    }
    for (const name of Defaults.certificateOnlySchemes) assert.isFalse(SignatureScheme.fromName(name)?.handshake)
    assert.isFalse(Defaults.cipherSuites.some((name) => name.includes("CCM")))
  })

  it("a misspelled name is answered with the right one", () => {
    const error = Either.flip(
      Schema.decodeUnknownEither(ProtocolOptions)({ cipherSuites: ["TLS_AES_128_GCM_SHA265"], groups: ["x25591"] })
    )
    assert.isTrue(Either.isRight(error))
    const text = String(Either.getOrThrow(error))
    assert.include(text, `unknown cipher suite "TLS_AES_128_GCM_SHA265", did you mean "TLS_AES_128_GCM_SHA256"?`)
    assert.include(text, `unknown group "x25591", did you mean "x25519"?`)
  })
})
