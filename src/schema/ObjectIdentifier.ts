/**
 * Object identifiers (ITU-T X.660): the dotted text of one, and the names of those that certificates and keys use.
 * Open: unknown ones stay what they are.
 *
 * @since 0.1.0
 */
import type * as Brand from "effect/Brand"

/**
 * Dotted decimal, as `2.5.4.3`.
 *
 * @since 0.1.0
 * @category models
 */
export type ObjectIdentifier = string & Brand.Brand<"effect-tls/ObjectIdentifier">

/**
 * For constants: the text is not checked (`isObjectIdentifier` does).
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (dotted: string): ObjectIdentifier => dotted as ObjectIdentifier

/**
 * At least two arcs without leading zeros, the first of which is 0, 1 or 2.
 *
 * @since 0.1.0
 * @category guards
 */
export const isObjectIdentifier = (text: string): text is ObjectIdentifier =>
  text.length <= 512 && /^(?:[01]\.[1-3]?\d|2\.(?:0|[1-9]\d*))(?:\.(?:0|[1-9]\d*))*$/.test(text)

// An arc of a UUID (2.25.…, ITU-T X.667) has 128 bits, so 19 bytes. Nothing known is longer, and turning a very long
// one into decimals would take time that grows with its square.
const maxArcBytes = 19

/**
 * The content octets of a DER OBJECT IDENTIFIER as text, or what is wrong with them.
 *
 * @since 0.1.0
 * @category encoding
 */
export const fromBytes = (
  bytes: Uint8Array,
  start: number,
  end: number
): ObjectIdentifier | { readonly problem: string } => {
  if (start === end) return { problem: "an empty object identifier" }
  if (bytes[end - 1]! & 0x80) return { problem: "an object identifier that ends within an arc" }
  let text = ""
  let at = start
  while (at < end) {
    if (bytes[at] === 0x80) return { problem: "an object identifier with a padded arc" }
    const from = at
    let small = 0
    while (bytes[at]! & 0x80) small = small * 128 + (bytes[at++]! & 0x7f)
    small = small * 128 + bytes[at++]!
    if (at - from > maxArcBytes) return { problem: "an object identifier with an arc of more than 128 bits" }
    if (at - from <= 7) {
      // The first two arcs share a number (X.690 §8.19.4).
      if (from !== start) text += `.${small}`
      else text = small < 80 ? `${Math.floor(small / 40)}.${small % 40}` : `2.${small - 80}`
    } else {
      let large = 0n
      for (let i = from; i < at; i++) large = (large << 7n) | BigInt(bytes[i]! & 0x7f)
      text += from !== start ? `.${large}` : `2.${large - 80n}`
    }
  }
  return text as ObjectIdentifier
}

/**
 * The content octets of a DER OBJECT IDENTIFIER.
 *
 * @since 0.1.0
 * @category encoding
 */
export const toBytes = (oid: ObjectIdentifier): Uint8Array => {
  const arcs = oid.split(".").map(BigInt)
  const bytes: Array<number> = []
  for (const [index, arc] of [arcs[0]! * 40n + arcs[1]!, ...arcs.slice(2)].entries()) {
    if (arc < 0n) throw new RangeError(`arc ${index} of ${oid} is negative`)
    const digits = [Number(arc & 0x7fn)]
    for (let rest = arc >> 7n; rest > 0n; rest >>= 7n) digits.unshift(Number(rest & 0x7fn) | 0x80)
    bytes.push(...digits)
  }
  return Uint8Array.from(bytes)
}

// ---------------------------------------------------------------------------------------------------------------------
// The ones we know
// ---------------------------------------------------------------------------------------------------------------------

const known = {
  // Keys: RFC 3279 §2.3, PKCS #3 §9, RFC 4055 §1.2, RFC 5480 §2.1.1, RFC 8410 §3
  rsaEncryption: "1.2.840.113549.1.1.1",
  rsassaPss: "1.2.840.113549.1.1.10",
  mgf1: "1.2.840.113549.1.1.8",
  dsa: "1.2.840.10040.4.1",
  dhKeyAgreement: "1.2.840.113549.1.3.1",
  ecPublicKey: "1.2.840.10045.2.1",
  X25519: "1.3.101.110",
  X448: "1.3.101.111",
  Ed25519: "1.3.101.112",
  Ed448: "1.3.101.113",
  "ML-DSA-44": "2.16.840.1.101.3.4.3.17",
  "ML-DSA-65": "2.16.840.1.101.3.4.3.18",
  "ML-DSA-87": "2.16.840.1.101.3.4.3.19",
  // Curves: RFC 5480 §2.1.1.1, RFC 5639 §4.1
  "P-256": "1.2.840.10045.3.1.7",
  "P-384": "1.3.132.0.34",
  "P-521": "1.3.132.0.35",
  "P-224": "1.3.132.0.33",
  "P-192": "1.2.840.10045.3.1.1",
  secp256k1: "1.3.132.0.10",
  brainpoolP256r1: "1.3.36.3.3.2.8.1.1.7",
  brainpoolP384r1: "1.3.36.3.3.2.8.1.1.11",
  brainpoolP512r1: "1.3.36.3.3.2.8.1.1.13",
  // Signatures: RFC 3279 §2.2, RFC 4055 §5, RFC 5758 §3
  md2WithRSAEncryption: "1.2.840.113549.1.1.2",
  md5WithRSAEncryption: "1.2.840.113549.1.1.4",
  sha1WithRSAEncryption: "1.2.840.113549.1.1.5",
  sha224WithRSAEncryption: "1.2.840.113549.1.1.14",
  sha256WithRSAEncryption: "1.2.840.113549.1.1.11",
  sha384WithRSAEncryption: "1.2.840.113549.1.1.12",
  sha512WithRSAEncryption: "1.2.840.113549.1.1.13",
  dsaWithSha1: "1.2.840.10040.4.3",
  dsaWithSha224: "2.16.840.1.101.3.4.3.1",
  dsaWithSha256: "2.16.840.1.101.3.4.3.2",
  ecdsaWithSha1: "1.2.840.10045.4.1",
  ecdsaWithSha224: "1.2.840.10045.4.3.1",
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  ecdsaWithSha384: "1.2.840.10045.4.3.3",
  ecdsaWithSha512: "1.2.840.10045.4.3.4",
  // Hashes: RFC 4055 §2.1
  sha1: "1.3.14.3.2.26",
  sha224: "2.16.840.1.101.3.4.2.4",
  sha256: "2.16.840.1.101.3.4.2.1",
  sha384: "2.16.840.1.101.3.4.2.2",
  sha512: "2.16.840.1.101.3.4.2.3",
  // Attributes of names: RFC 5280 §4.1.2.4 and appendix A, RFC 4519
  commonName: "2.5.4.3",
  surname: "2.5.4.4",
  deviceSerialNumber: "2.5.4.5",
  country: "2.5.4.6",
  locality: "2.5.4.7",
  stateOrProvince: "2.5.4.8",
  street: "2.5.4.9",
  organization: "2.5.4.10",
  organizationalUnit: "2.5.4.11",
  title: "2.5.4.12",
  businessCategory: "2.5.4.15",
  postalCode: "2.5.4.17",
  name: "2.5.4.41",
  givenName: "2.5.4.42",
  initials: "2.5.4.43",
  generationQualifier: "2.5.4.44",
  dnQualifier: "2.5.4.46",
  pseudonym: "2.5.4.65",
  organizationIdentifier: "2.5.4.97",
  emailAddress: "1.2.840.113549.1.9.1",
  userId: "0.9.2342.19200300.100.1.1",
  domainComponent: "0.9.2342.19200300.100.1.25",
  jurisdictionLocality: "1.3.6.1.4.1.311.60.2.1.1",
  jurisdictionStateOrProvince: "1.3.6.1.4.1.311.60.2.1.2",
  jurisdictionCountry: "1.3.6.1.4.1.311.60.2.1.3",
  // Extensions: RFC 5280 §4.2, RFC 6960 §4.2.2.2.1, RFC 6962 §3, RFC 7633
  subjectDirectoryAttributes: "2.5.29.9",
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  issuerAltName: "2.5.29.18",
  basicConstraints: "2.5.29.19",
  nameConstraints: "2.5.29.30",
  cRLDistributionPoints: "2.5.29.31",
  certificatePolicies: "2.5.29.32",
  policyMappings: "2.5.29.33",
  authorityKeyIdentifier: "2.5.29.35",
  policyConstraints: "2.5.29.36",
  extendedKeyUsage: "2.5.29.37",
  freshestCRL: "2.5.29.46",
  inhibitAnyPolicy: "2.5.29.54",
  // Extensions of CRLs and of their entries: RFC 5280 §5.2 and §5.3
  cRLNumber: "2.5.29.20",
  reasonCode: "2.5.29.21",
  holdInstructionCode: "2.5.29.23",
  invalidityDate: "2.5.29.24",
  deltaCRLIndicator: "2.5.29.27",
  issuingDistributionPoint: "2.5.29.28",
  certificateIssuer: "2.5.29.29",
  authorityInfoAccess: "1.3.6.1.5.5.7.1.1",
  tlsFeature: "1.3.6.1.5.5.7.1.24",
  subjectInfoAccess: "1.3.6.1.5.5.7.1.11",
  signedCertificateTimestamps: "1.3.6.1.4.1.11129.2.4.2",
  precertificatePoison: "1.3.6.1.4.1.11129.2.4.3",
  ocspNoCheck: "1.3.6.1.5.5.7.48.1.5",
  // OCSP: RFC 6960 §4.2.1 and §4.4.1
  ocspBasic: "1.3.6.1.5.5.7.48.1.1",
  ocspNonce: "1.3.6.1.5.5.7.48.1.2",
  netscapeCertificateType: "2.16.840.1.113730.1.1",
  // Extended key usages: RFC 5280 §4.2.1.12
  anyExtendedKeyUsage: "2.5.29.37.0",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
  codeSigning: "1.3.6.1.5.5.7.3.3",
  emailProtection: "1.3.6.1.5.5.7.3.4",
  timeStamping: "1.3.6.1.5.5.7.3.8",
  OCSPSigning: "1.3.6.1.5.5.7.3.9",
  // Access methods: RFC 5280 §4.2.2
  ocsp: "1.3.6.1.5.5.7.48.1",
  caIssuers: "1.3.6.1.5.5.7.48.2",
  caRepository: "1.3.6.1.5.5.7.48.5",
  // Other names: RFC 9598 §3
  smtpUtf8Mailbox: "1.3.6.1.5.5.7.8.9",
  // Policies and their qualifiers: RFC 5280 §4.2.1.4
  anyPolicy: "2.5.29.32.0",
  cps: "1.3.6.1.5.5.7.2.1",
  userNotice: "1.3.6.1.5.5.7.2.2",
  // What the CA/Browser Forum has certificates validated by (Baseline Requirements §7.1.6.1)
  extendedValidation: "2.23.140.1.1",
  domainValidated: "2.23.140.1.2.1",
  organizationValidated: "2.23.140.1.2.2",
  individualValidated: "2.23.140.1.2.3",
  // Encrypted keys: RFC 8018 appendix A, RFC 7292 appendix C
  pbes2: "1.2.840.113549.1.5.13",
  PBKDF2: "1.2.840.113549.1.5.12",
  scrypt: "1.3.6.1.4.1.11591.4.11",
  "AES-128-CBC": "2.16.840.1.101.3.4.1.2",
  "AES-192-CBC": "2.16.840.1.101.3.4.1.22",
  "AES-256-CBC": "2.16.840.1.101.3.4.1.42",
  "DES-EDE3-CBC": "1.2.840.113549.3.7",
  "DES-CBC": "1.3.14.3.2.7",
  "RC2-CBC": "1.2.840.113549.3.2",
  "AES-128-GCM": "2.16.840.1.101.3.4.1.6",
  "AES-192-GCM": "2.16.840.1.101.3.4.1.26",
  "AES-256-GCM": "2.16.840.1.101.3.4.1.46",
  pbeWithMD2AndDES: "1.2.840.113549.1.5.1",
  pbeWithMD5AndDES: "1.2.840.113549.1.5.3",
  pbeWithMD2AndRC2: "1.2.840.113549.1.5.4",
  pbeWithMD5AndRC2: "1.2.840.113549.1.5.6",
  pbeWithSHA1AndDES: "1.2.840.113549.1.5.10",
  pbeWithSHA1AndRC2: "1.2.840.113549.1.5.11",
  pbeWithSHA1And128BitRC4: "1.2.840.113549.1.12.1.1",
  pbeWithSHA1And40BitRC4: "1.2.840.113549.1.12.1.2",
  pbeWithSHA1And3DES: "1.2.840.113549.1.12.1.3",
  pbeWithSHA1And2Key3DES: "1.2.840.113549.1.12.1.4",
  pbeWithSHA1And128BitRC2: "1.2.840.113549.1.12.1.5",
  pbeWithSHA1And40BitRC2: "1.2.840.113549.1.12.1.6",
  // What PBKDF2 and PBMAC1 compute with: RFC 8018 appendix B.1, RFC 9579
  pbmac1: "1.2.840.113549.1.5.14",
  hmacWithSHA1: "1.2.840.113549.2.7",
  hmacWithSHA224: "1.2.840.113549.2.8",
  hmacWithSHA256: "1.2.840.113549.2.9",
  hmacWithSHA384: "1.2.840.113549.2.10",
  hmacWithSHA512: "1.2.840.113549.2.11",
  "hmacWithSHA512-224": "1.2.840.113549.2.12",
  "hmacWithSHA512-256": "1.2.840.113549.2.13",
  // Bundles: RFC 5652 §4, RFC 7292 §4.2 and appendix D
  data: "1.2.840.113549.1.7.1",
  signedData: "1.2.840.113549.1.7.2",
  envelopedData: "1.2.840.113549.1.7.3",
  encryptedData: "1.2.840.113549.1.7.6",
  keyBag: "1.2.840.113549.1.12.10.1.1",
  pkcs8ShroudedKeyBag: "1.2.840.113549.1.12.10.1.2",
  certBag: "1.2.840.113549.1.12.10.1.3",
  crlBag: "1.2.840.113549.1.12.10.1.4",
  secretBag: "1.2.840.113549.1.12.10.1.5",
  safeContentsBag: "1.2.840.113549.1.12.10.1.6",
  x509Certificate: "1.2.840.113549.1.9.22.1",
  sdsiCertificate: "1.2.840.113549.1.9.22.2",
  friendlyName: "1.2.840.113549.1.9.20",
  localKeyId: "1.2.840.113549.1.9.21",
  // Attributes of certificate requests: RFC 2985 §5.4
  challengePassword: "1.2.840.113549.1.9.7",
  extensionRequest: "1.2.840.113549.1.9.14"
} as const

/**
 * @since 0.1.0
 * @category models
 */
export type KnownName = keyof typeof known

/**
 * The object identifiers we know, by name.
 *
 * @since 0.1.0
 * @category constants
 */
export const oids = known as unknown as { readonly [N in KnownName]: ObjectIdentifier }

const names = new Map<string, KnownName>(Object.entries(known).map(([name, oid]) => [oid, name as KnownName]))

/**
 * The name we know an object identifier by.
 *
 * @since 0.1.0
 * @category conversions
 */
export const knownName = (oid: ObjectIdentifier): KnownName | undefined => names.get(oid)

/**
 * The name of an object identifier, or its dotted text where we know none.
 *
 * @since 0.1.0
 * @category conversions
 */
export const name = (oid: ObjectIdentifier): string => names.get(oid) ?? oid
