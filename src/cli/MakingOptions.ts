/**
 * The options of the commands that make certificates. Passphrases stand in files or environment variables and never in
 * an argument, which every user of the machine can read.
 *
 * @since 0.1.0
 */
import * as Args from "@effect/cli/Args"
import * as CliOptions from "@effect/cli/Options"
import type { KeyType } from "../core/CryptoProvider.ts"
import type { Values } from "./Options.ts"
import { certificateJson, flag, several, text } from "./Options.ts"

/**
 * The kinds of keys by their names here.
 *
 * @since 0.1.0
 * @category constants
 */
export const keyTypes: ReadonlyMap<string, KeyType> = new Map<string, KeyType>([
  ["p256", { _tag: "Ec", curve: "P-256" }],
  ["p384", { _tag: "Ec", curve: "P-384" }],
  ["p521", { _tag: "Ec", curve: "P-521" }],
  ["ed25519", { _tag: "Ed25519" }],
  ["ed448", { _tag: "Ed448" }],
  ["rsa2048", { _tag: "Rsa", modulusLength: 2048 }],
  ["rsa3072", { _tag: "Rsa", modulusLength: 3072 }],
  ["rsa4096", { _tag: "Rsa", modulusLength: 4096 }],
  ["rsa-pss2048", { _tag: "RsaPss", modulusLength: 2048 }],
  ["rsa-pss3072", { _tag: "RsaPss", modulusLength: 3072 }],
  ["rsa-pss4096", { _tag: "RsaPss", modulusLength: 4096 }]
])

const purposes = ["server", "client", "both"] as const
const reasons = ["keyCompromise", "cACompromise", "affiliationChanged", "superseded", "cessationOfOperation", "certificateHold", "privilegeWithdrawn"] as const // prettier-ignore

const names = several("name", "NAME", "A DNS name (a wildcard as *.example.com), IP address, mailbox or URI")
const days = text("days", "N", "How many days it is valid: 90 if not said, and 3650 of an authority")
const keyType = CliOptions.choice("key-type", [...keyTypes.keys()]).pipe(
  CliOptions.withDescription("The kind of key to make"),
  CliOptions.withDefault("p256")
)
const purpose = CliOptions.choice("purpose", purposes).pipe(
  CliOptions.withDescription("What it is good for: TLS servers, TLS clients or both"),
  CliOptions.withDefault("both")
)
const subject = {
  commonName: text("common-name", "TEXT", "The common name of the subject; the first DNS name if not said"),
  organization: text("organization", "TEXT", "The organization of the subject")
}
const issuer = {
  ca: text("ca", "FILE", "The authority's certificate, with those above it behind it"),
  caKey: text("ca-key", "FILE", "The authority's key; ca-key.pem beside a ca.pem if not said"),
  passphraseFile: text("passphrase-file", "FILE", "The passphrase of the key to read is this file's first line"),
  passphraseEnv: text("passphrase-env", "NAME", "The passphrase of the key to read is in this environment variable")
}
const protection = {
  outPassphraseFile: text("out-passphrase-file", "FILE", "Encrypt the key to write under this file's first line"),
  outPassphraseEnv: text("out-passphrase-env", "NAME", "Encrypt the key to write under this environment variable")
}
const out = (what: string) => text("out", "FILE", `Where to write the ${what}`)
const keyOut = text("key-out", "FILE", "Where to write the key, for its owner alone (0600)")
const shared = { force: flag("force", "Write over files that are there"), json: certificateJson }
const authority = {
  pathLength: text("path-length", "N", "How many authorities may follow below it; any number if not said"),
  permit: several("permit", "NAME", "It may issue for this domain and those below it, or this range as 10.0.0.0/8"),
  exclude: several("exclude", "NAME", "It may not issue for this domain or range")
}

/**
 * @since 0.1.0
 * @category options
 */
export const makeCaOptions = {
  name: text("name", "TEXT", "The authority's common name"),
  organization: subject.organization,
  ...authority,
  ...issuer,
  keyType,
  days,
  out: out("certificate; ca.pem if not said"),
  keyOut,
  ...protection,
  ...shared
}

/**
 * @since 0.1.0
 * @category options
 */
export const issueOptions = {
  name: names,
  ...subject,
  purpose,
  ...issuer,
  keyType,
  days,
  out: out("chain; NAME.pem if not said"),
  keyOut,
  ...protection,
  ...shared
}

/**
 * @since 0.1.0
 * @category options
 */
export const selfSignOptions = {
  name: names,
  ...subject,
  purpose,
  keyType,
  days,
  out: out("certificate; NAME.pem if not said"),
  keyOut,
  ...protection,
  ...shared
}

/**
 * @since 0.1.0
 * @category options
 */
export const requestOptions = {
  name: names,
  ...subject,
  keyType,
  key: text("key", "FILE", "Ask for a certificate of this key instead of a new one"),
  passphraseFile: issuer.passphraseFile,
  passphraseEnv: issuer.passphraseEnv,
  out: out("request; NAME.csr if not said"),
  keyOut,
  ...protection,
  ...shared
}

/**
 * @since 0.1.0
 * @category options
 */
export const signOptions = {
  name: names,
  ...subject,
  purpose,
  authority: flag("authority", "Make an intermediate authority of whoever asks"),
  pathLength: authority.pathLength,
  ...issuer,
  days,
  out: out("chain; the request's name with .pem if not said"),
  ...shared
}

/**
 * @since 0.1.0
 * @category options
 */
export const toPfxOptions = {
  key: text("key", "FILE", "The key of the first certificate; NAME-key.pem beside a NAME.pem if not said"),
  ca: several("ca", "FILE", "More certificates to put into the bundle"),
  friendlyName: text("friendly-name", "TEXT", "What to call the entry"),
  passphraseFile: issuer.passphraseFile,
  passphraseEnv: issuer.passphraseEnv,
  outPassphraseFile: text("out-passphrase-file", "FILE", "The bundle's passphrase is this file's first line"),
  outPassphraseEnv: text("out-passphrase-env", "NAME", "The bundle's passphrase is in this environment variable"),
  out: out("bundle; NAME.p12 of a NAME.pem if not said"),
  ...shared
}

/**
 * @since 0.1.0
 * @category options
 */
export const fromPfxOptions = {
  friendlyName: text("friendly-name", "TEXT", "Which entry to take, where there are several"),
  passphraseFile: text("passphrase-file", "FILE", "The bundle's passphrase is this file's first line"),
  passphraseEnv: text("passphrase-env", "NAME", "The bundle's passphrase is in this environment variable"),
  out: out("chain; NAME.pem of a NAME.p12 if not said"),
  keyOut,
  ...protection,
  ...shared
}

/**
 * @since 0.1.0
 * @category options
 */
export const revokeOptions = {
  ...issuer,
  crl: text("crl", "FILE", "The authority's revocation list, which is read if it is there, and written; ca.crl beside a ca.pem if not said"), // prettier-ignore
  reason: CliOptions.choice("reason", ["none", ...reasons]).pipe(
    CliOptions.withDescription("Why"),
    CliOptions.withDefault("none")
  ),
  serial: several("serial", "HEX", "Revoke the certificate with this serial number"),
  days: text("days", "N", "In how many days the next revocation list comes: 7 if not said"),
  json: certificateJson
}

/**
 * @since 0.1.0
 * @category options
 */
export const devOptions = {
  folder: text("folder", "DIRECTORY", "Where to keep them; .certificates if not said"),
  keyType,
  days: text("days", "N", "How many days the server's certificate is valid: 90 if not said"),
  json: certificateJson
}

const argument = (name: string, description: string) =>
  Args.text({ name }).pipe(Args.withDescription(description), Args.withDefault<string | undefined>(undefined))

/**
 * @since 0.1.0
 * @category options
 */
export const signArgs = { file: argument("REQUEST", "The certificate request, PEM or DER; - for standard input") }

/**
 * @since 0.1.0
 * @category options
 */
export const toPfxArgs = { file: argument("CERTIFICATE", "The certificate, PEM or DER; its chain behind it") }

/**
 * @since 0.1.0
 * @category options
 */
export const fromPfxArgs = { file: argument("BUNDLE", "The PKCS#12 bundle; - for standard input") }

/**
 * @since 0.1.0
 * @category options
 */
export const revokeArgs = {
  files: Args.text({ name: "CERTIFICATE" }).pipe(
    Args.withDescription("What to revoke, PEM or DER: of several certificates in a file the first; nothing makes a new list of the old entries"), // prettier-ignore
    Args.repeated
  )
}

/**
 * @since 0.1.0
 * @category options
 */
export const devArgs = {
  names: Args.text({ name: "NAME" }).pipe(
    Args.withDescription("DNS names and addresses; localhost, 127.0.0.1 and ::1 if not said"),
    Args.repeated
  )
}

/**
 * Which options may be given several times, and the values of those that have few.
 *
 * @since 0.1.0
 * @category options
 */
export const syntax = {
  repeatable: new Set(["--name", "--permit", "--exclude", "--serial"]),
  bundleRepeatable: new Set(["--ca"]),
  nothingRepeatable: new Set<string>(),
  choices: new Map<string, ReadonlyArray<string>>([
    ["--key-type", [...keyTypes.keys()]],
    ["--purpose", purposes],
    ["--reason", ["none", ...reasons]]
  ])
}

/** @since 0.1.0 */
export type MakeCaValues = Values<typeof makeCaOptions>
/** @since 0.1.0 */
export type IssueValues = Values<typeof issueOptions>
/** @since 0.1.0 */
export type SelfSignValues = Values<typeof selfSignOptions>
/** @since 0.1.0 */
export type RequestValues = Values<typeof requestOptions>
/** @since 0.1.0 */
export type SignValues = Values<typeof signOptions & typeof signArgs>
/** @since 0.1.0 */
export type ToPfxValues = Values<typeof toPfxOptions & typeof toPfxArgs>
/** @since 0.1.0 */
export type FromPfxValues = Values<typeof fromPfxOptions & typeof fromPfxArgs>
/** @since 0.1.0 */
export type RevokeValues = Values<typeof revokeOptions & typeof revokeArgs>
/** @since 0.1.0 */
export type DevValues = Values<typeof devOptions & typeof devArgs>
