/** Every option of `node:tls`: the forms that are taken and what becomes of them, and what is refused in which words. */
import { readFileSync } from "node:fs"
import { inspect } from "node:util"
import * as NodeCryptography from "node:crypto"
import { PassThrough } from "node:stream"
import * as Tls from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as CertificateBuilder from "../../src/core/CertificateBuilder.ts"
import * as CrlBuilder from "../../src/core/CertificateRevocationListBuilder.ts"
import { CryptoProvider } from "../../src/core/CryptoProvider.ts"
import * as SecureContext from "../../src/core/SecureContext.ts"
import { SecureContextOptions, TrustOptions } from "../../src/core/SecureContextOptions.ts"
import { isTicketKeys } from "../../src/core/TicketKeys.ts"
import * as Verifier from "../../src/core/Verifier.ts"
import * as NodeOptions from "../../src/layers/NodeOptions.ts"
import * as NodeSecureContext from "../../src/layers/NodeSecureContext.ts"
import * as NodeTransport from "../../src/layers/NodeTransport.ts"
import * as CertificateRevocationList from "../../src/schema/CertificateRevocationList.ts"
import { ProtocolOptions } from "../../src/schema/ProtocolOptions.ts"
import * as NamedGroup from "../../src/schema/NamedGroup.ts"
import type { TlsConfigError } from "../../src/schema/TlsError.ts"
import * as bundles from "../support/bundles.ts"
import type { Made } from "../support/identities.ts"
import * as identities from "../support/identities.ts"
import { crypto } from "../support/identities.ts"

const hasMlKem = crypto.capabilities.nativeGroups.has(NamedGroup.mlkem768)

// ---------------------------------------------------------------------------------------------------------------------
// Things to be given
// ---------------------------------------------------------------------------------------------------------------------

const root = identities.makeSync({ ca: true, names: [], subject: "root" })
const ec = identities.makeSync({ issuer: root, names: ["ec.example"], subject: "ec" })
const ed = identities.makeSync({ issuer: root, names: ["ed.example"], subject: "ed", key: { _tag: "Ed25519" } })
const other = identities.makeSync({ names: ["other.example"], subject: "other" })
const p521 = identities.makeSync({ names: ["p521.example"], subject: "p521", key: { _tag: "Ec", curve: "P-521" } })
const rsa = await identities.rsa()

const encrypted = (made: Made, passphrase: string): string =>
  NodeCryptography.createPrivateKey(made.keyPem)
    .export({ type: "pkcs8", format: "pem", cipher: "aes-128-cbc", passphrase })
    .toString()

const bundle = async (made: Made, passphrase: string): Promise<Uint8Array> =>
  bundles.pfx([bundles.openSafe(bundles.keyBag(made.pkcs8), bundles.certBag(made.certificate.der))], passphrase)

const ecPfx = await bundle(ec, "secret")
const edPfx = await bundle(ed, "other")

const crlPem = await Effect.runPromise(
  Effect.gen(function* () {
    const ca = yield* CertificateBuilder.authority({ subject: { CN: "CA" } })
    return CertificateRevocationList.toPem(yield* CrlBuilder.make(ca.identity, { revoked: [] }))
  }).pipe(Effect.provideService(CryptoProvider, crypto))
)

const buffer = (text: string) => Buffer.from(text)
const view = (text: string) => {
  const bytes = new TextEncoder().encode(text)
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
const native = Tls.createSecureContext({})
const ours = Effect.runSync(
  Effect.scoped(SecureContext.make({ protocol: { alpn: ["base"], maxFragment: 1024 } })).pipe(
    Effect.provideService(CryptoProvider, crypto)
  )
)
const lenient = SecureContext.withVerifier(
  SecureContext.empty,
  Verifier.or(Verifier.webPkiCurrent, Verifier.dangerouslySkipVerification)
)
const noop = () => undefined

// ---------------------------------------------------------------------------------------------------------------------
// What becomes of them
// ---------------------------------------------------------------------------------------------------------------------

type Given = Readonly<Record<string, unknown>>

const make = (options: Given): Promise<SecureContext.SecureContext> =>
  Effect.runPromise(
    Effect.scoped(NodeSecureContext.fromNode(options as NodeSecureContext.Input)).pipe(
      Effect.provideService(CryptoProvider, crypto)
    )
  )

const errorOf = (options: Given, by: "fromNode" | "connect" = "fromNode"): Promise<TlsConfigError> =>
  Effect.scoped(
    (by === "connect" ? NodeSecureContext.connect : NodeSecureContext.fromNode)(
      options as NodeSecureContext.Input
    ) as ReturnType<typeof NodeSecureContext.fromNode>
  ).pipe(
    Effect.flip,
    Effect.provide(NodeTransport.layer),
    Effect.provideService(CryptoProvider, crypto),
    Effect.runPromise
  )

const leaves = ({ identities: all }: SecureContext.SecureContext): ReadonlyArray<string> =>
  all.map(({ certificateChain, privateKey }) => {
    assert.deepStrictEqual(privateKey.publicKey.spki, certificateChain[0].publicKey.spki)
    return `${certificateChain[0].subject.toString()} ${certificateChain.length}`
  })

type Check = (context: SecureContext.SecureContext) => unknown

const says =
  <A>(get: (context: SecureContext.SecureContext) => A, expected: A): Check =>
  (context) =>
    assert.deepStrictEqual(get(context), expected)

const shows = (...expected: ReadonlyArray<string>): Check => says(leaves, expected)
const anchors = (...expected: ReadonlyArray<string>): Check =>
  says(({ trust }) => trust.anchors?.anchors.map(({ subject }) => subject.toString()) ?? ["none said"], expected)
const protocol = (expected: Partial<SecureContext.SecureContext["protocol"]>): Check =>
  says((context) => context.protocol, expected)
/** The option is about what holds anyway, and nothing needs to be said. */
const holds: Check = (context) => {
  assert.deepStrictEqual(context.protocol, {})
  assert.deepStrictEqual(context.trust, {})
  assert.deepStrictEqual(context.identities, [])
}
const suites = (...expected: ReadonlyArray<string>): Check =>
  says((context) => context.protocol.cipherSuites as ReadonlyArray<string>, expected)

interface Row {
  readonly takes?: ReadonlyArray<readonly [name: string, options: Given, check: Check]>
  readonly refuses: ReadonlyArray<readonly [options: Given, message: string]>
}

const file = "expected PEM text, or the bytes of a PEM or DER file"
const boolean = (name: string, found = "other text", value: unknown = "yes"): Row["refuses"][number] => [
  { [name]: value },
  `${name}: expected true or false, found ${found}`
]
const notYet = (name: string, values: ReadonlyArray<unknown>, why: string): Row => ({
  refuses: values.map((value) => [{ [name]: value }, `${name}: ${why}`])
})
const hasTicketKeys: Check = ({ sessions }) => assert.isTrue(isTicketKeys(sessions.ticketKeys))
const noSession = "a client keeps its sessions in a cache: give a `secureContext` with `sessions.cache`"
const engines = "OpenSSL's engines are not used: a key that is held elsewhere is a `PrivateKey`, given as `key`"
const belongs = "it belongs to one connection, not to a context: `NodeSecureContext.connect` takes it"
/** It is no matter of a context. */
const connection = (value: unknown, name: string): Row => ({ refuses: [[{ [name]: value }, `${name}: ${belongs}`]] })

const rows: Readonly<Record<string, Row>> = {
  allowPartialTrustChain: {
    takes: [
      ["true", { allowPartialTrustChain: true }, says(({ trust }) => trust.partialChain, true)],
      ["false", { allowPartialTrustChain: false }, says(({ trust }) => trust.partialChain, false)]
    ],
    refuses: [boolean("allowPartialTrustChain"), boolean("allowPartialTrustChain", "1", 1)]
  },
  ca: {
    takes: [
      ["PEM text", { ca: root.certificatePem }, anchors("CN=root")],
      ["a Buffer", { ca: buffer(root.certificatePem) }, anchors("CN=root")],
      ["a DataView", { ca: view(root.certificatePem) }, anchors("CN=root")],
      ["DER", { ca: root.certificate.der }, anchors("CN=root")],
      ["several in one text", { ca: root.certificatePem + other.certificatePem }, anchors("CN=root", "CN=other")],
      ["a list", { ca: [root.certificatePem, buffer(other.certificatePem)] }, anchors("CN=root", "CN=other")],
      [
        "X509 CERTIFICATE",
        { ca: root.certificatePem.replaceAll("CERTIFICATE", "X509 CERTIFICATE") },
        anchors("CN=root")
      ],
      ["text around", { ca: `subject: root\n${root.certificatePem}\n# the end` }, anchors("CN=root")],
      ["a key beside it", { ca: root.keyPem + root.certificatePem }, anchors("CN=root")],
      [
        "TRUSTED CERTIFICATE",
        { ca: root.certificatePem.replaceAll("CERTIFICATE", "TRUSTED CERTIFICATE") },
        anchors("CN=root")
      ],
      ["nobody", { ca: [] }, anchors()],
      ["nothing said", { ca: undefined }, anchors("none said")],
      ["null", { ca: null }, anchors("none said")]
    ],
    refuses: [
      [{ ca: 5 }, `ca: ${file}, found 5`],
      [{ ca: "" }, `ca: ${file}, found an empty text`],
      [{ ca: [root.certificatePem, {}] }, `ca[1]: ${file}, found an object`],
      [{ ca: [root.certificatePem, null] }, `ca[1]: ${file}, found null`],
      [{ ca: [undefined] }, `ca[0]: ${file}, found undefined`],
      [{ ca: [root.certificatePem, "no PEM"] }, "ca[1]: it holds no PEM block, a certificate is needed"],
      [{ ca: root.keyPem }, "ca: it holds a private key, a certificate is needed"]
    ]
  },
  cert: {
    takes: [
      ["PEM text, the chain in one", { cert: ec.certificatePem, key: ec.keyPem }, shows("CN=ec 2")],
      ["a Buffer", { cert: buffer(ec.certificatePem), key: ec.keyPem }, shows("CN=ec 2")],
      ["a list of one", { cert: [ec.certificatePem], key: [ec.keyPem] }, shows("CN=ec 2")],
      ["DER", { cert: other.certificate.der, key: other.pkcs8 }, shows("CN=other 1")],
      [
        "one file with the key in it",
        { cert: ec.keyPem + ec.certificatePem, key: ec.keyPem + ec.certificatePem },
        shows("CN=ec 2")
      ],
      ["none, and no key", { cert: [], key: [], pfx: [] }, holds]
    ],
    refuses: [
      [{ cert: 5, key: ec.keyPem }, `cert: ${file}, found 5`],
      [{ cert: ec.certificatePem }, "key: is missing: `cert` is of no use without its private key"],
      [
        { cert: [ec.certificatePem, root.certificatePem], key: ec.keyPem },
        'cert[1]: no key is that of "CN=root" (P-256): a chain is one text, the leaf first and its authorities after it'
      ],
      [
        { cert: [ec.certificatePem, ed.certificatePem], key: [ec.keyPem] },
        'cert[1]: no key is that of "CN=ed" (Ed25519)'
      ],
      [
        { cert: root.certificatePem + ec.certificatePem, key: ec.keyPem },
        'key: the key (P-256) matches no certificate: cert is "CN=root" (P-256)'
      ],
      [
        { cert: other.certificatePem + ec.certificatePem, key: other.keyPem },
        'cert: "CN=ec" did not issue the certificate before it, whose issuer is "CN=other": the leaf comes first, then each one\'s issuer'
      ]
    ]
  },
  certificateCompression: {
    takes: [["none", { certificateCompression: [] }, holds]],
    refuses: [
      [
        { certificateCompression: ["brotli", "zlib"] },
        "certificateCompression: certificates are not compressed (RFC 8879): leave it out, or give an empty list"
      ],
      [
        { certificateCompression: "zlib" },
        "certificateCompression: certificates are not compressed (RFC 8879): leave it out, or give an empty list"
      ]
    ]
  },
  ciphers: {
    takes: [
      [
        "names of TLS 1.3",
        { ciphers: "TLS_AES_256_GCM_SHA384:TLS_AES_128_CCM_SHA256" },
        suites("TLS_AES_256_GCM_SHA384", "TLS_AES_128_CCM_SHA256")
      ],
      [
        "among those of TLS 1.2",
        { ciphers: "ECDHE+AESGCM:TLS_CHACHA20_POLY1305_SHA256:!PSK" },
        suites("TLS_CHACHA20_POLY1305_SHA256")
      ],
      ["names of TLS 1.2 alone", { ciphers: "ECDHE-RSA-AES128-GCM-SHA256:HIGH:!aNULL:!MD5" }, protocol({})],
      [
        "Node's default",
        { ciphers: Tls.DEFAULT_CIPHERS },
        suites("TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256")
      ],
      ["a level that asks for less than the defaults", { ciphers: "DEFAULT@SECLEVEL=0" }, protocol({})],
      [
        "security level 3",
        { ciphers: "DEFAULT@SECLEVEL=3", ecdhCurve: "P-256" },
        says(
          ({ protocol: { certificateSignatureSchemes, cipherSuites, groups, limits } }) => [
            cipherSuites?.length,
            groups,
            limits,
            certificateSignatureSchemes?.includes("rsa_pkcs1_sha256")
          ],
          [3, ["secp256r1"], { rsaModulusMin: 3072 }, true]
        )
      ],
      [
        "security level 4",
        { ciphers: "DEFAULT@SECLEVEL=4" },
        protocol({
          cipherSuites: ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"],
          // The hybrid is a default where Node has ML-KEM of its own.
          groups: hasMlKem ? ["X25519MLKEM768", "secp384r1", "secp521r1", "x448"] : ["secp384r1", "secp521r1", "x448"],
          signatureSchemes: [
            "ecdsa_secp384r1_sha384",
            "rsa_pss_rsae_sha384",
            "rsa_pss_rsae_sha512",
            "rsa_pss_pss_sha384",
            "rsa_pss_pss_sha512",
            "ecdsa_secp521r1_sha512",
            "ed448"
          ],
          certificateSignatureSchemes: [
            "ecdsa_secp384r1_sha384",
            "rsa_pss_rsae_sha384",
            "rsa_pss_rsae_sha512",
            "rsa_pss_pss_sha384",
            "rsa_pss_pss_sha512",
            "ecdsa_secp521r1_sha512",
            "ed448",
            "rsa_pkcs1_sha384",
            "rsa_pkcs1_sha512"
          ],
          limits: { rsaModulusMin: 7680 }
        })
      ],
      [
        "security level 5, whose RSA keys are longer than we take otherwise",
        { ciphers: "DEFAULT@SECLEVEL=5" },
        says(({ protocol: { limits } }) => limits, { rsaModulusMin: 15_360, rsaModulusMax: 16_384 })
      ],
      [
        "a key as strong as the level",
        { ciphers: "DEFAULT@SECLEVEL=5", cert: p521.certificatePem, key: p521.keyPem },
        shows("CN=p521 1")
      ]
    ],
    refuses: [
      [{ ciphers: 5 }, "ciphers: expected text, found 5"],
      [{ ciphers: "" }, "ciphers: the list names no cipher"],
      [
        { ciphers: "TLS_AES_128_GCM_SHA265" },
        'ciphers: unknown cipher "TLS_AES_128_GCM_SHA265", did you mean "TLS_AES_128_GCM_SHA256"?'
      ],
      [
        { ciphers: "ECDHE-RSA-AES128-GCM-SHA265" },
        'ciphers: unknown cipher "ECDHE-RSA-AES128-GCM-SHA265", did you mean "ECDHE-RSA-AES128-GCM-SHA256"?'
      ],
      [{ ciphers: "HIGH:DES-CBC3-SHA" }, 'ciphers: "DES-CBC3-SHA": no suite with DES is offered here, leave it out'],
      [{ ciphers: "ALL:!ALL" }, "ciphers: the list selects no suite of TLS 1.2"],
      [
        { ciphers: "DEFAULT@SECLEVEL=3", cert: rsa.certificatePem, key: rsa.keyPem },
        'cert: the key of "CN=localhost" (RSA 2048) is too weak for the security level 3 of `ciphers`'
      ],
      [
        { ciphers: "DEFAULT@SECLEVEL=4", cert: ed.certificatePem, key: ed.keyPem },
        'cert: the key of "CN=ed" (Ed25519) is too weak for the security level 4 of `ciphers`'
      ],
      [
        { ciphers: "DEFAULT@SECLEVEL=4", pfx: ecPfx, passphrase: "secret" },
        'pfx: the key of "CN=ec" (P-256) is too weak for the security level 4 of `ciphers`'
      ],
      [
        { ciphers: "DEFAULT@SECLEVEL=4", ecdhCurve: "P-384:P-256" },
        "ecdhCurve: secp256r1: too weak for the security level 4 of `ciphers`"
      ],
      [
        { ciphers: "DEFAULT@SECLEVEL=4", sigalgs: "ed448:ed25519" },
        "sigalgs: ed25519: too weak for the security level 4 of `ciphers`"
      ],
      [
        { ciphers: "DEFAULT@SECLEVEL=3", ecdhCurve: "ffdhe2048:ffdhe3072" },
        "ecdhCurve: ffdhe2048: too weak for the security level 3 of `ciphers`"
      ],
      [
        { ciphers: "DEFAULT@SECLEVEL=1", sigalgs: "ed25519:RSA+SHA1" },
        "sigalgs: rsa_pkcs1_sha1: too weak for the security level 1 of `ciphers`"
      ]
    ]
  },
  clientCertEngine: notYet("clientCertEngine", ["pkcs11", 5], engines),
  crl: {
    takes: [
      [
        "PEM text",
        { crl: crlPem },
        says(({ trust }) => [[...(trust.revocation?.crls ?? [])].length, trust.revocation?.mode], [1, undefined])
      ],
      ["a Buffer", { crl: buffer(crlPem) }, says(({ trust }) => [...(trust.revocation?.crls ?? [])].length, 1)],
      ["a list", { crl: [crlPem, buffer(crlPem)] }, says(({ trust }) => [...(trust.revocation?.crls ?? [])].length, 2)],
      ["an empty list, which asks for nothing", { crl: [] }, holds]
    ],
    refuses: [
      [{ crl: true }, `crl: ${file}, found true`],
      [{ crl: [crlPem, 5] }, `crl[1]: ${file}, found 5`],
      [
        { crl: [crlPem, ec.certificatePem] },
        "crl[1]: it holds a certificate (2 times), a certificate revocation list is needed"
      ]
    ]
  },
  dhparam: notYet(
    "dhparam",
    ["auto", buffer("pem")],
    "finite fields of one's own are TLS 1.2's, which is not spoken yet: leave it out"
  ),
  ecdhCurve: {
    takes: [
      ["auto", { ecdhCurve: "auto" }, protocol({})],
      ["one", { ecdhCurve: "prime256v1" }, protocol({ groups: ["secp256r1"] })],
      ["a list", { ecdhCurve: "X25519:P-384:secp521r1" }, protocol({ groups: ["x25519", "secp384r1", "secp521r1"] })]
    ],
    refuses: [
      [{ ecdhCurve: ["P-256"] }, "ecdhCurve: expected text, found a list"],
      [{ ecdhCurve: "P-265" }, 'ecdhCurve: unknown group "P-265", did you mean "P-256"?'],
      [
        { ecdhCurve: "P-256:" },
        "ecdhCurve: a group is missing: the list is names with one colon between two, and none at its ends"
      ],
      [
        { ecdhCurve: "secp256k1" },
        'ecdhCurve: the group "secp256k1" is not offered here: known are X25519MLKEM768, X25519, secp256r1, P-256, prime256v1, secp384r1, P-384, secp521r1, P-521, X448, ffdhe2048, ffdhe3072, ffdhe4096, ffdhe6144, ffdhe8192'
      ]
    ]
  },
  honorCipherOrder: {
    takes: [["true", { honorCipherOrder: true }, holds]],
    refuses: [
      boolean("honorCipherOrder"),
      [{ honorCipherOrder: false }, "honorCipherOrder: a server always goes by its own order: true, or nothing"]
    ]
  },
  key: {
    takes: [
      ["PEM text", { key: ec.keyPem, cert: ec.certificatePem }, shows("CN=ec 2")],
      ["a Buffer", { key: buffer(ec.keyPem), cert: ec.certificatePem }, shows("CN=ec 2")],
      ["a DataView", { key: view(ec.keyPem), cert: ec.certificatePem }, shows("CN=ec 2")],
      ["DER", { key: ec.pkcs8, cert: ec.certificatePem }, shows("CN=ec 2")],
      ["Redacted", { key: Redacted.make(ec.keyPem), cert: ec.certificatePem }, shows("CN=ec 2")],
      ["a signer", { key: ec.privateKey, cert: ec.certificatePem }, shows("CN=ec 2")],
      [
        "several, in another order than their chains",
        { key: [ed.keyPem, ec.keyPem], cert: [ec.certificatePem, ed.certificatePem] },
        shows("CN=ec 2", "CN=ed 2")
      ],
      ["encrypted", { key: encrypted(ec, "pass"), passphrase: "pass", cert: ec.certificatePem }, shows("CN=ec 2")],
      [
        "an object in a list",
        { key: [{ pem: encrypted(ec, "own"), passphrase: "own" }], cert: ec.certificatePem },
        shows("CN=ec 2")
      ],
      [
        "its own passphrase before the common one",
        {
          key: [{ pem: encrypted(ec, "own"), passphrase: "own" }, { pem: buffer(encrypted(ed, "common")) }],
          passphrase: "common",
          cert: [ec.certificatePem, ed.certificatePem]
        },
        shows("CN=ec 2", "CN=ed 2")
      ],
      [
        "not encrypted, and a passphrase for nothing",
        { key: [{ pem: ec.keyPem, passphrase: "x" }], cert: ec.certificatePem },
        shows("CN=ec 2")
      ],
      [
        "one key for two certificates",
        { key: ec.keyPem, cert: [ec.certificatePem, ec.certificatePem] },
        shows("CN=ec 2", "CN=ec 2")
      ]
    ],
    refuses: [
      [
        { key: 5, cert: ec.certificatePem },
        "key: expected a private key: PEM text, the bytes of a PEM or DER file, a PrivateKey, or in a list { pem, passphrase } (value hidden), found 5"
      ],
      [
        { key: { pem: ec.keyPem }, cert: ec.certificatePem },
        "key: expected a private key: PEM text, the bytes of a PEM or DER file, a PrivateKey, or in a list { pem, passphrase } (value hidden), found an object"
      ],
      [
        { key: [{ pem: 5 }], cert: ec.certificatePem },
        "key[0].pem: expected a private key: PEM text, the bytes of a PEM or DER file, a PrivateKey, or in a list { pem, passphrase } (value hidden), found 5"
      ],
      [
        { key: [{ pem: ec.keyPem, passphrase: 5 }], cert: ec.certificatePem },
        "key[0].passphrase: expected a passphrase: text (value hidden)"
      ],
      [{ key: ec.keyPem }, "cert: is missing: `key` is of no use without its certificate"],
      [
        { key: [ec.keyPem, other.keyPem], cert: [ec.certificatePem, ed.certificatePem] },
        'key[1]: the key (P-256) matches no certificate: cert[0] is "CN=ec" (P-256), cert[1] is "CN=ed" (Ed25519)'
      ],
      [
        { key: ec.certificatePem, cert: ec.certificatePem },
        "key: it holds a certificate (2 times), a private key is needed"
      ],
      [
        { key: encrypted(ec, "pass"), cert: ec.certificatePem },
        "key: the private key is encrypted (PBES2 with PBKDF2 and AES-128-CBC): it needs its passphrase"
      ],
      [
        { key: encrypted(ec, "pass"), passphrase: "wrong", cert: ec.certificatePem },
        "passphrase: the passphrase is wrong: it does not open the private key"
      ],
      [
        { key: [{ pem: encrypted(ec, "pass"), passphrase: "wrong" }], passphrase: "pass", cert: ec.certificatePem },
        "key[0].passphrase: the passphrase is wrong: it does not open the private key"
      ]
    ]
  },
  maxVersion: {
    takes: [["TLSv1.3", { maxVersion: "TLSv1.3" }, holds]],
    refuses: [
      [{ maxVersion: "TLSv1.4" }, 'maxVersion: expected "TLSv1.3", "TLSv1.2", "TLSv1.1" or "TLSv1", found other text'],
      [{ maxVersion: "TLSv1.2" }, 'maxVersion: TLS 1.2 is not spoken yet: at least "TLSv1.3" is needed'],
      [
        { maxVersion: "TLSv1" },
        'maxVersion: TLS 1.0 is not spoken (RFC 8996): "TLSv1.2" and "TLSv1.3" are the versions to name'
      ]
    ]
  },
  minVersion: {
    takes: [
      ["TLSv1.3", { minVersion: "TLSv1.3" }, holds],
      ["TLSv1.2", { minVersion: "TLSv1.2", maxVersion: "TLSv1.3" }, holds]
    ],
    refuses: [
      [{ minVersion: 1.3 }, 'minVersion: expected "TLSv1.3", "TLSv1.2", "TLSv1.1" or "TLSv1", found 1.3'],
      [
        { minVersion: "TLSv1.1" },
        'minVersion: TLS 1.1 is not spoken (RFC 8996): "TLSv1.2" and "TLSv1.3" are the versions to name'
      ],
      [{ minVersion: "TLSv1.3", maxVersion: "TLSv1.2" }, 'minVersion: "TLSv1.3" is above `maxVersion`, "TLSv1.2"']
    ]
  },
  passphrase: {
    takes: [
      [
        "Redacted",
        { key: encrypted(ec, "pass"), passphrase: Redacted.make("pass"), cert: ec.certificatePem },
        shows("CN=ec 2")
      ]
    ],
    refuses: [[{ passphrase: 5 }, "passphrase: expected a passphrase: text (value hidden), found 5"]]
  },
  pfx: {
    takes: [
      ["bytes", { pfx: ecPfx, passphrase: "secret" }, shows("CN=ec 1")],
      ["Redacted", { pfx: Redacted.make(ecPfx), passphrase: "secret" }, shows("CN=ec 1")],
      [
        "a list of objects",
        { pfx: [{ buf: ecPfx, passphrase: "secret" }, { buf: edPfx }], passphrase: "other" },
        shows("CN=ec 1", "CN=ed 1")
      ],
      [
        "beside a key",
        { pfx: ecPfx, passphrase: "secret", key: ed.keyPem, cert: ed.certificatePem },
        shows("CN=ed 2", "CN=ec 1")
      ]
    ],
    refuses: [
      [
        { pfx: 5 },
        "pfx: expected a PKCS#12 bundle: the bytes of a file, or in a list { buf, passphrase } (value hidden), found 5"
      ],
      [{ pfx: [{ buf: ecPfx, passphrase: 5 }] }, "pfx[0].passphrase: expected a passphrase: text (value hidden)"],
      [
        { pfx: ecPfx, passphrase: "wrong" },
        "passphrase: the passphrase is wrong, or the bundle was altered: its MAC does not agree"
      ],
      [
        { pfx: [{ buf: ecPfx, passphrase: "wrong" }], passphrase: "secret" },
        "pfx[0].passphrase: the passphrase is wrong, or the bundle was altered: its MAC does not agree"
      ],
      [{ pfx: buffer("no bundle") }, "pfx: it holds no PEM block, a PKCS#12 bundle is needed"]
    ]
  },
  privateKeyEngine: notYet("privateKeyEngine", ["pkcs11"], engines),
  privateKeyIdentifier: notYet("privateKeyIdentifier", ["id"], engines),
  secureOptions: {
    takes: [
      [
        "what holds anyway",
        {
          secureOptions:
            NodeCryptography.constants.SSL_OP_NO_TLSv1 |
            NodeCryptography.constants.SSL_OP_NO_TLSv1_1 |
            NodeCryptography.constants.SSL_OP_NO_RENEGOTIATION
        },
        holds
      ],
      ["SSL_OP_ALL", { secureOptions: NodeCryptography.constants.SSL_OP_ALL }, holds],
      ["nothing", { secureOptions: 0 }, holds]
    ],
    refuses: [
      [
        { secureOptions: "SSL_OP_ALL" },
        "secureOptions: expected a whole number from 0 to 4294967295, found other text"
      ],
      [{ secureOptions: -1 }, "secureOptions: expected a whole number from 0 to 4294967295, found -1"],
      [
        { secureOptions: NodeCryptography.constants.SSL_OP_NO_TLSv1_3 },
        "secureOptions: SSL_OP_NO_TLSv1_3 leaves no version: TLS 1.2 is not spoken yet"
      ],
      [
        {
          secureOptions:
            NodeCryptography.constants.SSL_OP_LEGACY_SERVER_CONNECT |
            NodeCryptography.constants.SSL_OP_PRIORITIZE_CHACHA
        },
        "secureOptions: SSL_OP_LEGACY_SERVER_CONNECT would allow what RFC 5746 forbids; SSL_OP_PRIORITIZE_CHACHA is not implemented: the server's order holds"
      ],
      [
        { secureOptions: NodeCryptography.constants.SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION },
        "secureOptions: SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION would allow what RFC 5746 forbids"
      ],
      [
        { secureOptions: NodeCryptography.constants.SSL_OP_ALLOW_NO_DHE_KEX },
        "secureOptions: SSL_OP_ALLOW_NO_DHE_KEX would give up forward secrecy"
      ],
      [
        { secureOptions: NodeCryptography.constants.SSL_OP_TLS_ROLLBACK_BUG },
        "secureOptions: SSL_OP_TLS_ROLLBACK_BUG would allow a downgrade"
      ],
      [
        { secureOptions: NodeCryptography.constants.SSL_OP_COOKIE_EXCHANGE },
        "secureOptions: SSL_OP_COOKIE_EXCHANGE is for DTLS"
      ],
      [
        { secureOptions: NodeCryptography.constants.SSL_OP_NO_QUERY_MTU },
        "secureOptions: SSL_OP_NO_QUERY_MTU is for DTLS"
      ],
      [
        { secureOptions: NodeCryptography.constants.SSL_OP_CISCO_ANYCONNECT },
        "secureOptions: SSL_OP_CISCO_ANYCONNECT is for DTLS"
      ],
      [{ secureOptions: 0x100 }, "secureOptions: the bits 0x100 are unknown here"]
    ]
  },
  secureProtocol: {
    takes: [
      ["TLS_method", { secureProtocol: "TLS_method" }, holds],
      ["TLS_client_method", { secureProtocol: "TLS_client_method" }, holds],
      ["TLS_server_method", { secureProtocol: "TLS_server_method" }, holds]
    ],
    refuses: [
      [{ secureProtocol: 5 }, "secureProtocol: expected text that is not empty, found 5"],
      [
        { secureProtocol: "TLSv1_2_method" },
        'secureProtocol: "TLSv1_2_method" leaves out TLS 1.3, and no other version is spoken yet: use `minVersion` and `maxVersion`'
      ],
      [
        { secureProtocol: "SSLv23_method" },
        'secureProtocol: "SSLv23_method" leaves out TLS 1.3, and no other version is spoken yet: use `minVersion` and `maxVersion`'
      ],
      [
        { secureProtocol: "TLSv1_3_method" },
        'secureProtocol: unknown method "TLSv1_3_method": use `minVersion` and `maxVersion`'
      ],
      [
        { secureProtocol: "TLS_method", minVersion: "TLSv1.2" },
        "secureProtocol: is another word for `minVersion` and `maxVersion`: leave it out"
      ]
    ]
  },
  sessionIdContext: {
    takes: [
      [
        "text, with keys of its own",
        { sessionIdContext: "mine" },
        (context) => {
          assert.strictEqual(context.sessions.context, "mine")
          hasTicketKeys(context)
        }
      ]
    ],
    refuses: [[{ sessionIdContext: 5 }, "sessionIdContext: expected text, found 5"]]
  },
  sessionTimeout: {
    takes: [
      [
        "seconds, with keys of its own",
        { sessionTimeout: 300 },
        (context) => {
          assert.deepStrictEqual(context.sessions.lifetime, Duration.minutes(5))
          hasTicketKeys(context)
        }
      ],
      [
        "a week",
        { sessionTimeout: 604_800 },
        ({ sessions }) => assert.deepStrictEqual(sessions.lifetime, Duration.days(7))
      ]
    ],
    refuses: [
      [{ sessionTimeout: 0 }, "sessionTimeout: expected a whole number from 1 to 604800, found 0"],
      [{ sessionTimeout: 604_801 }, "sessionTimeout: expected a whole number from 1 to 604800, found 604801"],
      [{ sessionTimeout: -1 }, "sessionTimeout: expected a whole number from 1 to 604800, found -1"]
    ]
  },
  sigalgs: {
    takes: [
      [
        "a list",
        { sigalgs: "RSA+SHA256:ECDSA+SHA384:rsa_pss_pss_sha512:ed25519" },
        protocol({
          signatureSchemes: ["rsa_pkcs1_sha256", "ecdsa_secp384r1_sha384", "rsa_pss_pss_sha512", "ed25519"],
          certificateSignatureSchemes: ["rsa_pkcs1_sha256", "ecdsa_secp384r1_sha384", "rsa_pss_pss_sha512", "ed25519"]
        })
      ],
      [
        "SHA-1, for certificates",
        { sigalgs: "ed25519:ECDSA+SHA1", ciphers: "DEFAULT@SECLEVEL=0" },
        protocol({
          signatureSchemes: ["ed25519", "ecdsa_sha1"],
          certificateSignatureSchemes: ["ed25519", "ecdsa_sha1"]
        })
      ]
    ],
    refuses: [
      [{ sigalgs: 5 }, "sigalgs: expected text, found 5"],
      [
        { sigalgs: "" },
        "sigalgs: a signature algorithm is missing: the list is names with one colon between two, and none at its ends"
      ],
      [
        { sigalgs: "ECDSA+SHA265" },
        'sigalgs: unknown signature algorithm "ECDSA+SHA265", did you mean "ECDSA+SHA256"?'
      ],
      [
        { sigalgs: "ed25519", cert: ec.certificatePem, key: ec.keyPem },
        'sigalgs: the key of "CN=ec" (P-256) signs with none of ed25519: it can ecdsa_secp256r1_sha256'
      ],
      [
        {
          sigalgs: "ECDSA+SHA256:RSA+SHA256",
          cert: [ec.certificatePem, rsa.certificatePem],
          key: [ec.keyPem, rsa.keyPem]
        },
        'sigalgs: the key of "CN=localhost" (RSA 2048) signs with none of ecdsa_secp256r1_sha256, rsa_pkcs1_sha256: ' +
          "it can rsa_pss_rsae_sha256, rsa_pss_rsae_sha384, rsa_pss_rsae_sha512"
      ],
      [
        { sigalgs: "RSA+SHA256" },
        "sigalgs: PKCS#1 v1.5 and SHA-1 sign certificates only: TLS 1.3 needs another scheme for the handshake"
      ]
    ]
  },
  ticketKeys: {
    takes: [
      ["48 bytes", { ticketKeys: Buffer.alloc(48, 1) }, hasTicketKeys],
      ["a view of 48 bytes", { ticketKeys: new Uint16Array(24) }, hasTicketKeys]
    ],
    refuses: [
      [{ ticketKeys: Buffer.alloc(3) }, "ticketKeys: expected 48 bytes (value hidden), found bytes"],
      [{ ticketKeys: "x".repeat(48) }, "ticketKeys: expected 48 bytes (value hidden), found other text"]
    ]
  },
  ALPNCallback: {
    takes: [
      [
        "a function",
        {
          ALPNCallback: ({ protocols, servername }: { protocols: Array<string>; servername: string }) =>
            servername === "" ? protocols[1] : undefined
        },
        async ({ selectAlpn }) =>
          assert.deepStrictEqual(
            await Effect.runPromise(selectAlpn!(["a", "b"], undefined!, Option.none())),
            Option.some("b")
          )
      ]
    ],
    refuses: [
      [{ ALPNCallback: true }, "ALPNCallback: expected a function, found true"],
      [
        { ALPNCallback: noop, ALPNProtocols: ["h2"] },
        "ALPNCallback: `ALPNProtocols` says which protocols there are: leave one of them out"
      ]
    ]
  },
  ALPNProtocols: {
    takes: [
      ["text", { ALPNProtocols: ["h2", "http/1.1"] }, protocol({ alpn: ["h2", "http/1.1"] })],
      [
        "Buffers, views and text",
        { ALPNProtocols: [buffer("h2"), view("http/1.1"), new Uint8Array([0xe9]), "é"] },
        protocol({ alpn: ["h2", "http/1.1", "\u00e9", "\u00c3\u00a9"] })
      ],
      [
        "one sequence of bytes",
        { ALPNProtocols: buffer("\u0002h2\u0008http/1.1") },
        protocol({ alpn: ["h2", "http/1.1"] })
      ],
      ["one DataView", { ALPNProtocols: view("\u0002h2") }, protocol({ alpn: ["h2"] })],
      ["none", { ALPNProtocols: [] }, protocol({ alpn: [] })]
    ],
    refuses: [
      [
        { ALPNProtocols: 5 },
        "ALPNProtocols: expected a protocol: text or bytes, or one sequence of bytes with their lengths, found 5"
      ],
      [
        { ALPNProtocols: ["h2", 5] },
        "ALPNProtocols[1]: expected a protocol: text or bytes, or one sequence of bytes with their lengths, found 5"
      ],
      [{ ALPNProtocols: "h2" }, 'ALPNProtocols: one protocol is a list too: ["h2"]'],
      [
        { ALPNProtocols: buffer("\u0002h2\u0009http/1.1") },
        "ALPNProtocols: the bytes are each protocol with its length in a byte before it: that at byte 3 is 9, and 8 bytes follow"
      ],
      [
        { ALPNProtocols: buffer("\u0000") },
        "ALPNProtocols: the bytes are each protocol with its length in a byte before it: that at byte 0 is 0, and 0 bytes follow"
      ],
      [
        { ALPNProtocols: ["a".repeat(256)] },
        `ALPNProtocols[0]: an application protocol has 1 to 255 bytes, found "${"a".repeat(64)}"`
      ]
    ]
  },
  SNICallback: {
    takes: [["a function", { SNICallback: noop }, ({ selectContext }) => assert.isFunction(selectContext)]],
    refuses: [[{ SNICallback: {} }, "SNICallback: expected a function, found an object"]]
  },
  checkServerIdentity: {
    takes: [
      [
        "a function",
        { checkServerIdentity: noop },
        says(({ trust }) => trust.verifier?.name, "webPki and checkServerIdentity")
      ],
      [
        "with a ca",
        { checkServerIdentity: noop, ca: root.certificatePem },
        says(({ trust }) => trust.verifier?.name, "webPki(the one trusted certificate) and checkServerIdentity")
      ]
    ],
    refuses: [[{ checkServerIdentity: false }, "checkServerIdentity: expected a function, found false"]]
  },
  handshakeTimeout: {
    takes: [
      [
        "milliseconds",
        { handshakeTimeout: 1500 },
        says(({ protocol: { handshakeTimeout } }) => Duration.toMillis(handshakeTimeout!), 1500)
      ]
    ],
    refuses: [
      [{ handshakeTimeout: 0 }, "handshakeTimeout: expected milliseconds, more than zero, found 0"],
      [{ handshakeTimeout: "5 seconds" }, "handshakeTimeout: expected milliseconds, more than zero, found other text"]
    ]
  },
  minDHSize: {
    takes: [
      ["bits", { minDHSize: 2048 }, holds],
      [
        "bits that the groups have",
        { minDHSize: 3072, ecdhCurve: "X25519:ffdhe3072:ffdhe4096" },
        protocol({ groups: ["x25519", "ffdhe3072", "ffdhe4096"] })
      ]
    ],
    refuses: [
      [{ minDHSize: 0 }, "minDHSize: expected a whole number from 1 to 2147483647, found 0"],
      [
        { minDHSize: 3072, ecdhCurve: "X25519:ffdhe2048:ffdhe3072" },
        "ecdhCurve: ffdhe2048: less than the 3072 bits of `minDHSize`"
      ]
    ]
  },
  pskCallback: notYet("pskCallback", [noop], "pre-shared keys are not implemented yet"),
  pskIdentityHint: notYet("pskIdentityHint", ["hint"], "pre-shared keys are not implemented yet"),
  rejectUnauthorized: {
    takes: [
      ["true", { rejectUnauthorized: true }, holds],
      [
        "false",
        { rejectUnauthorized: false },
        says(({ trust }) => trust.verifier?.name, "webPki or dangerouslySkipVerification")
      ]
    ],
    refuses: [boolean("rejectUnauthorized", "0", 0), boolean("rejectUnauthorized", "other text", "false")]
  },
  requestCert: {
    takes: [
      [
        "true",
        { requestCert: true, ca: root.certificatePem },
        says(({ trust }) => trust.clientAuthentication, "require")
      ],
      ["false", { requestCert: false }, says(({ trust }) => trust.clientAuthentication, "none")],
      [
        "and none need be right",
        { requestCert: true, rejectUnauthorized: false },
        says(({ trust }) => trust.clientAuthentication, "request")
      ]
    ],
    refuses: [
      boolean("requestCert"),
      [
        { requestCert: true },
        "ca: is missing: who asks for client certificates says whose. Node would take those of every authority of the web, and so does `ca: tls.rootCertificates`"
      ]
    ]
  },
  requestOCSP: {
    takes: [
      ["true", { requestOCSP: true }, says(({ trust }) => trust.requestStaple, true)],
      ["false", { requestOCSP: false }, says(({ trust }) => trust.requestStaple, false)]
    ],
    refuses: [boolean("requestOCSP")]
  },
  secureContext: {
    takes: [
      [
        "ours, with more said beside it",
        { secureContext: ours, ALPNProtocols: ["h2"] },
        protocol({ alpn: ["h2"], maxFragment: 1024 })
      ]
    ],
    refuses: [
      [
        { secureContext: lenient, rejectUnauthorized: true },
        "rejectUnauthorized: `secureContext` was made to accept everybody: make it without `rejectUnauthorized: false`"
      ],
      [
        { secureContext: lenient, ca: root.certificatePem },
        "ca: `secureContext` decides by a verifier of its own, webPki or dangerouslySkipVerification: say it where that is made"
      ],
      [
        { secureContext: lenient, crl: crlPem },
        "crl: `secureContext` decides by a verifier of its own, webPki or dangerouslySkipVerification: say it where that is made"
      ],
      [{ secureContext: "context" }, "secureContext: expected a SecureContext, found other text"],
      [
        { secureContext: native },
        "secureContext: a tls.SecureContext keeps its keys to itself: give one that `fromNode` made of the same options"
      ]
    ]
  },
  enableTrace: {
    takes: [["false", { enableTrace: false }, holds]],
    refuses: [
      boolean("enableTrace"),
      [{ enableTrace: true }, "enableTrace: provide the layer `ConsoleHandshakeTrace.layer` instead"]
    ]
  },
  host: connection("localhost", "host"),
  path: connection("/run/socket", "path"),
  port: connection(443, "port"),
  servername: connection("localhost", "servername"),
  session: connection(Buffer.alloc(1), "session"),
  socket: connection(new PassThrough(), "socket"),
  timeout: connection(1, "timeout"),
  onread: connection({}, "onread"),
  signal: connection(new AbortController().signal, "signal"),
  lookup: connection(noop, "lookup"),
  localAddress: connection("127.0.0.1", "localAddress"),
  localPort: connection(1, "localPort"),
  family: connection(4, "family"),
  hints: connection(0, "hints"),
  autoSelectFamily: connection(true, "autoSelectFamily"),
  autoSelectFamilyAttemptTimeout: connection(10, "autoSelectFamilyAttemptTimeout"),
  typeOfService: connection(16, "typeOfService"),
  fd: connection(3, "fd"),
  handle: connection({}, "handle"),
  readable: connection(true, "readable"),
  writable: connection(true, "writable"),
  allowHalfOpen: {
    takes: [["true", { allowHalfOpen: true }, holds]],
    refuses: [
      boolean("allowHalfOpen"),
      [
        { allowHalfOpen: false },
        "allowHalfOpen: connections are always half-open: the end of the peer's side ends not ours"
      ]
    ]
  },
  blockList: notYet("blockList", [{}], "refuse connections in the handler, by their `remoteAddress`"),
  highWaterMark: notYet("highWaterMark", [1024], "it is the transport's: `NodeTransport.make({ readAhead })`"),
  keepAlive: {
    takes: [["false", { keepAlive: false }, holds]],
    refuses: [boolean("keepAlive"), [{ keepAlive: true }, "keepAlive: the transport sets no TCP keep-alive"]]
  },
  keepAliveInitialDelay: notYet("keepAliveInitialDelay", [1000], "the transport sets no TCP keep-alive"),
  noDelay: {
    takes: [["true", { noDelay: true }, holds]],
    refuses: [
      boolean("noDelay"),
      [{ noDelay: false }, "noDelay: the transport has Nagle's algorithm off: true, or nothing"]
    ]
  },
  pauseOnConnect: {
    takes: [
      ["either", { pauseOnConnect: true }, holds],
      ["or", { pauseOnConnect: false }, holds]
    ],
    refuses: [boolean("pauseOnConnect")]
  },
  isServer: notYet(
    "isServer",
    [true, false],
    "`TlsClient.over` and `TlsServer.over` run TLS over a stream that is open"
  ),
  server: notYet("server", [{}], "`TlsServer.over` runs TLS over a stream that is open")
}

describe("an option of node:tls", () => {
  it("has a row here, whichever it is", () => {
    assert.deepStrictEqual(Object.keys(rows).sort(), [...NodeOptions.names].sort())
  })

  for (const [name, { refuses, takes }] of Object.entries(rows)) {
    describe(`called ${name}`, () => {
      for (const [what, options, check] of takes ?? []) {
        it(`takes ${what}`, async () => {
          await check(await make(options))
        })
      }
      it.each(refuses.map(([options, message]) => [message, options] as const))(
        "is refused: %s",
        async (message, options) => {
          assert.strictEqual((await errorOf(options)).message, message)
        }
      )
    })
  }
})

describe("options of one connection", () => {
  const to = { port: 1, host: "localhost" }
  const given = "set it on a socket of your own, and give that as `socket`"
  const idn = 'servername: "bücher.example" is not a server name: it is not ASCII: give its A-label form, as `xn--…`'
  it.each([
    [{}, "port: is missing: `port`, `path` or `socket` say where to connect"],
    [{ port: 70_000 }, "port: expected a port from 0 to 65535, found 70000"],
    [{ port: "https" }, "port: expected a port from 0 to 65535, found other text"],
    [{ port: 1, host: 5 }, "host: expected one line of text, found 5"],
    [{ port: 1, host: "" }, "host: expected one line of text, found an empty text"],
    [{ ...to, host: ec.keyPem, servername: "localhost" }, "host: expected one line of text, found other text"],
    [{ path: 5 }, "path: expected one line of text, found 5"],
    [{ socket: {} }, "socket: expected a stream that is read and written, found an object"],
    [{ ...to, servername: 5 }, "servername: expected text, found 5"],
    [
      { ...to, servername: "a b" },
      'servername: "a b" is not a server name: "a b" is not a label of letters, digits and hyphens'
    ],
    [{ port: 1, host: "a b" }, 'host: "a b" is not a server name: "a b" is not a label of letters, digits and hyphens'],
    [
      { path: "/run/socket" },
      "servername: is missing: the server's certificate cannot be verified without the name it must have, and `host` does not say it"
    ],
    [
      { socket: new PassThrough(), servername: "" },
      "servername: is missing: the server's certificate cannot be verified without the name it must have, and `host` does not say it"
    ],
    [{ ...to, session: Buffer.alloc(1) }, `session: ${noSession}`],
    [{ ...to, timeout: 1000 }, "timeout: idle connections are not timed: `Effect.timeout` what you read"],
    [{ ...to, onread: {} }, "onread: a connection is pulled: `connection.pull` gives what was decrypted"],
    [{ ...to, signal: AbortSignal.abort() }, "signal: interrupt the fiber, or close the Scope, instead"],
    [{ ...to, lookup: noop }, `lookup: ${given}`],
    [{ ...to, localAddress: "127.0.0.1" }, `localAddress: ${given}`],
    [{ ...to, localPort: 1 }, `localPort: ${given}`],
    [{ ...to, family: 4 }, `family: ${given}`],
    [{ ...to, hints: 0 }, `hints: ${given}`],
    [{ ...to, autoSelectFamily: false }, `autoSelectFamily: ${given}`],
    [{ ...to, autoSelectFamilyAttemptTimeout: 10 }, `autoSelectFamilyAttemptTimeout: ${given}`],
    [{ ...to, typeOfService: 16 }, `typeOfService: ${given}`],
    [{ ...to, fd: 3 }, `fd: ${given}`],
    [{ ...to, handle: {} }, `handle: ${given}`],
    [{ ...to, readable: false }, "readable: a connection is read and written: true, or nothing"],
    [{ ...to, writable: false }, "writable: a connection is read and written: true, or nothing"],
    [{ ...to, blockList: {} }, "blockList: refuse connections in the handler, by their `remoteAddress`"],
    [{ ...to, port: [1] }, "port: expected a port from 0 to 65535, found a list"],
    [{ ...to, SNICallback: noop }, "SNICallback: it belongs to a server: a client would never call it"],
    [{ ...to, ALPNCallback: noop }, "ALPNCallback: it belongs to a server: a client would never call it"],
    [{ ...to, servername: "bücher.example" }, idn],
    [
      { ...to, secureContext: lenient, checkServerIdentity: noop },
      "checkServerIdentity: `secureContext` was made to accept everybody: make it without `rejectUnauthorized: false`"
    ],
    [{ ...to, ciphers: "ECDEH" }, 'ciphers: unknown cipher "ECDEH", did you mean "ECDH"?']
  ] as ReadonlyArray<readonly [Given, string]>)("%j is refused", async (options, message) => {
    assert.strictEqual((await errorOf(options, "connect")).message, message)
  })
})

describe("what is wrong with options", () => {
  it("is a name that Node does not have, with the nearest", async () => {
    assert.strictEqual(
      (await errorOf({ certs: ec.certificatePem })).message,
      'certs: unknown option "certs", did you mean "cert"?'
    )
    assert.strictEqual(
      (await errorOf({ wholly: 1, hasOwnProperty: 1 })).message,
      [
        'wholly: unknown option "wholly", known are those of `tls.createSecureContext`, `tls.connect` and `tls.createServer`',
        'hasOwnProperty: unknown option "hasOwnProperty", known are those of `tls.createSecureContext`, `tls.connect` and `tls.createServer`'
      ].join("\n")
    )
  })

  it("is that they are no object of options", async () => {
    for (const [options, found] of [
      [undefined, "undefined"],
      [null, "null"],
      [443, "443"],
      ["pem", "other text"],
      [[ec.keyPem], "a list"],
      [noop, "a function"]
    ] as const) {
      for (const by of ["fromNode", "connect"] as const) {
        const { message } = await errorOf(options as unknown as Given, by)
        assert.strictEqual(message, `expected an object of options, found ${found}`)
      }
    }
  })

  it("has one meaning for the same ticket keys, whatever view they are in, and another for others", () =>
    Effect.gen(function* () {
      const keysOf = (ticketKeys: Buffer | Uint16Array) =>
        Effect.map(NodeSecureContext.fromNode({ ticketKeys } as never), ({ sessions }) => sessions.ticketKeys!)
      const [one, same, stranger] = yield* Effect.all([
        keysOf(Buffer.alloc(48, 1)),
        keysOf(new Uint16Array(24).fill(0x0101)),
        keysOf(Buffer.alloc(48, 2))
      ])
      const ticket = yield* one.seal(Uint8Array.of(1, 2, 3))
      assert.deepStrictEqual(yield* same.open(ticket), Option.some(Uint8Array.of(1, 2, 3)))
      assert.deepStrictEqual(yield* stranger.open(ticket), Option.none())
    }).pipe(Effect.scoped, Effect.provideService(CryptoProvider, crypto), Effect.runPromise))

  it("is all told at once, and whether a right form could not be honoured", async () => {
    const error = await errorOf({ ca: 5, pskIdentityHint: "x", requestCert: "x" })
    assert.deepStrictEqual(
      error.issues.map(({ path }) => path),
      ["ca", "pskIdentityHint", "requestCert"]
    )
    assert.strictEqual(error.reason, "InvalidOptions")
    assert.strictEqual((await errorOf({ pskIdentityHint: "x", dhparam: "auto" })).reason, "Unsupported")
  })

  it("has a reason that a program can go by", async () => {
    const cert = ec.certificatePem
    assert.strictEqual((await errorOf({ cert, key: encrypted(ec, "a") })).reason, "MissingPassphrase")
    assert.strictEqual((await errorOf({ cert, key: encrypted(ec, "a"), passphrase: "b" })).reason, "WrongPassphrase")
    assert.strictEqual((await errorOf({ pfx: ecPfx, passphrase: "b" })).reason, "WrongPassphrase")
    assert.strictEqual((await errorOf({ cert, key: other.keyPem })).reason, "KeyMismatch")
    assert.strictEqual((await errorOf({ cert, key: "x" })).reason, "InvalidPrivateKey")
    assert.strictEqual((await errorOf({ ca: "x" })).reason, "InvalidCertificate")
    assert.strictEqual((await errorOf({ maxVersion: "TLSv1.2" })).reason, "Unsupported")
  })

  it("never shows a secret", async () => {
    const secret = "c2VjcmV0"
    const cases: ReadonlyArray<Given> = [
      { key: secret, cert: ec.certificatePem },
      { key: { pem: secret }, cert: ec.certificatePem },
      { key: [{ pem: secret, passphrase: 5 }], cert: ec.certificatePem },
      { key: encrypted(ec, "pass"), passphrase: secret, cert: ec.certificatePem },
      { pfx: ecPfx, passphrase: secret },
      { pfx: [secret] },
      { passphrase: [secret] },
      { cert: secret, key: ec.keyPem },
      { pskIdentityHint: secret },
      { ticketKeys: Buffer.from(secret) },
      { secureContext: secret },
      { privateKeyIdentifier: secret }
    ]
    for (const options of cases) {
      const error = await errorOf(options)
      assert.notInclude(inspect(error, { depth: 9 }) + JSON.stringify(error) + error.message, secret)
    }
  })

  it("is never that keys are printed with the context", async () => {
    const context = await make({ key: ec.keyPem, cert: ec.certificatePem, passphrase: "hunter2" })
    const secret = ec.keyPem.split("\n")[2]!
    assert.notInclude(inspect(context, { depth: 9 }) + JSON.stringify(context), secret)
    assert.notInclude(inspect(context, { depth: 9 }) + JSON.stringify(context), "hunter2")
  })
})

describe("options that an object inherits", () => {
  const inherited: Given = { requestCert: true, ca: root.certificatePem }
  it("count as its own, as for Node", async () => {
    const { trust } = await make(Object.create(inherited) as Given)
    assert.strictEqual(trust.clientAuthentication, "require")
    assert.strictEqual(trust.anchors?.anchors.length, 1)
    class Options {
      get requestCert() {
        return "yes"
      }
    }
    assert.strictEqual(
      (await errorOf(new Options() as unknown as Given)).message,
      "requestCert: expected true or false, found other text"
    )
  })

  it("count for nothing where every object has them: nobody has said them", async () => {
    const prototype = Object.prototype as Record<string, unknown>
    prototype["rejectUnauthorized"] = false
    try {
      assert.deepStrictEqual((await make({})).trust, {})
      assert.strictEqual((await make({ rejectUnauthorized: false })).trust.verifier?.name, lenient.trust.verifier?.name)
    } finally {
      delete prototype["rejectUnauthorized"]
    }
  })
})

describe("docs/node-options.md", () => {
  const page = readFileSync(new URL("../../docs/node-options.md", import.meta.url), "utf8")
  const sectionOf = (title: string): ReadonlyArray<string> =>
    [
      ...page
        .split(`## ${title}\n`)[1]!
        .split("\n## ")[0]!
        .matchAll(/^\| `(\w+)` /gm)
    ].map(([, name]) => name!)

  it("has every option of node:tls once", () => {
    assert.deepStrictEqual([...sectionOf("Node's options")].sort(), [...NodeOptions.names].sort())
  })

  it("has every field of a SecureContext once", () => {
    const fields = [ProtocolOptions, SecureContextOptions, TrustOptions].flatMap(({ fields: all }) => Object.keys(all))
    assert.deepStrictEqual(
      [...sectionOf("The fields of a SecureContext")].sort(),
      fields.filter((name) => name !== "protocol").sort()
    )
  })
})
