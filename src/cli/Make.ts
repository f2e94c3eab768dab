/**
 * `effect-tls certificate make-ca`, `issue`, `self-sign`, `request` and `sign`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { CertificateOptions, Issued } from "../core/CertificateBuilder.ts"
import * as CertificateBuilder from "../core/CertificateBuilder.ts"
import * as CertificateRequestBuilder from "../core/CertificateRequestBuilder.ts"
import * as PrivateKeyFile from "../core/PrivateKeyFile.ts"
import { CryptoProvider } from "../core/CryptoProvider.ts"
import * as Certificates from "../schema/Certificate.ts"
import * as CertificateRequests from "../schema/CertificateRequest.ts"
import type { GeneralName } from "../schema/GeneralName.ts"
import * as ServerName from "../schema/ServerName.ts"
import { TlsConfigError } from "../schema/TlsError.ts"
import * as CertificateFiles from "./CertificateFiles.ts"
import * as MadeFiles from "./MadeFiles.ts"
import type { IssueValues, MakeCaValues, RequestValues, SelfSignValues, SignValues } from "./MakingOptions.ts"
import { keyTypes } from "./MakingOptions.ts"
import { wrong } from "./Settings.ts"

// ---------------------------------------------------------------------------------------------------------------------
// What was asked
// ---------------------------------------------------------------------------------------------------------------------

const optionNames = {
  names: "--name",
  "subject.CN": "--common-name",
  "subject.O": "--organization",
  validFor: "--days",
  notAfter: "--days",
  purposes: "--purpose",
  pathLength: "--path-length",
  nameConstraints: "--permit",
  key: "--key-type",
  ca: "--ca",
  request: "REQUEST"
}

const subjectOf = (
  values: { readonly commonName: string | undefined; readonly organization: string | undefined },
  first?: string
) => {
  const commonName = values.commonName ?? (values.organization === undefined ? undefined : first)
  return values.commonName === undefined && values.organization === undefined
    ? {}
    : {
        subject: {
          ...(values.organization === undefined ? {} : { O: values.organization }),
          ...(commonName === undefined ? {} : { CN: commonName })
        }
      }
}

const purposesOf = (purpose: "server" | "client" | "both") =>
  purpose === "both" ? {} : { purposes: [purpose === "server" ? "serverAuth" : "clientAuth"] as const }

const validityOf = (days: string | undefined) =>
  Effect.map(MadeFiles.daysOf(days), (validFor) => (validFor === undefined ? {} : { validFor }))

/** A name as the beginning of a file's. */
const stem = (name: string): string => name.replace(/^\*\./, "wildcard.").replace(/[^A-Za-z0-9._-]/g, "_")

const firstName = (names: ReadonlyArray<string>, commonName: string | undefined) =>
  Either.fromNullable(names[0] ?? commonName, () => wrong("--name", "say whom the certificate is for"))

const wholeNumber = (option: string, text: string | undefined) =>
  text === undefined || /^\d{1,3}$/.test(text)
    ? Either.right(text === undefined ? undefined : Number(text))
    : Either.left(wrong(option, `a whole number is needed, found ${JSON.stringify(text)}`))

/** `example.com`, `10.0.0.0/8`, `2001:db8::/32`. */
const constraint =
  (option: string) =>
  (text: string): Either.Either<GeneralName, TlsConfigError> => {
    const [, address = text, length] = /^(.*)\/(\d{1,3})$/.exec(text) ?? []
    return Either.flatMap(
      Either.mapLeft(ServerName.parse(address), (error) => wrong(option, error.message)),
      (name): Either.Either<GeneralName, TlsConfigError> => {
        if (name._tag === "DnsName") {
          return length === undefined
            ? Either.right({ _tag: "DnsName", value: name.name })
            : Either.left(wrong(option, `${JSON.stringify(text)} is no range of addresses`))
        }
        const width = name.bytes.length * 8
        const bits = length === undefined ? width : Number(length)
        if (bits > width) return Either.left(wrong(option, `an address of ${width} bits has no prefix of ${bits}`))
        const mask = name.bytes.map((_, i) => (0xff00 >> Math.min(8, Math.max(0, bits - 8 * i))) & 0xff)
        const network = name.bytes.map((byte, i) => byte & mask[i]!)
        return Either.right({ _tag: "IpAddress", bytes: Uint8Array.from([...network, ...mask]) })
      }
    )
  }

const constraintsOf = ({ exclude, permit }: Pick<MakeCaValues, "permit" | "exclude">) =>
  Effect.gen(function* () {
    const permitted = yield* Either.all(permit.map(constraint("--permit")))
    const excluded = yield* Either.all(exclude.map(constraint("--exclude")))
    if (permitted.length === 0 && excluded.length === 0) return {}
    return {
      nameConstraints: {
        permitted: permitted.length === 0 ? undefined : permitted,
        excluded: excluded.length === 0 ? undefined : excluded
      }
    }
  })

const authorityOf = (values: Pick<IssueValues, "ca" | "caKey" | "passphraseFile" | "passphraseEnv">) =>
  MadeFiles.issued({ option: "--ca", file: values.ca }, { option: "--ca-key", file: values.caKey }, values)

/** Certificate and key, in the files that were said or in those that are called after it. */
const writeIssued = Effect.fnUntraced(function* (
  values: Pick<IssueValues, "out" | "keyOut" | "outPassphraseFile" | "outPassphraseEnv" | "force" | "json">,
  name: string,
  make: Effect.Effect<Issued, Effect.Effect.Error<ReturnType<typeof CertificateBuilder.issue>>, CryptoProvider>
) {
  const out = { option: "--out", file: values.out ?? `${name}.pem` }
  const keyOut = { option: "--key-out", file: values.keyOut ?? MadeFiles.beside(out.file, "-key.pem") }
  yield* MadeFiles.requireFree([out, keyOut], values.force)
  const secret = yield* MadeFiles.passphrase("out-", values.outPassphraseFile, values.outPassphraseEnv)
  const made = yield* make
  const key = yield* MadeFiles.keyContent(made.pkcs8, secret)
  yield* MadeFiles.write(
    [
      { kind: "certificate", ...out, content: CertificateBuilder.certificatePem(made) },
      { kind: "privateKey", ...keyOut, content: key }
    ],
    { ...values, certificate: made.certificate }
  )
})

const named = <A, E, R>(effect: Effect.Effect<A, E, R>, names: Readonly<Record<string, string>> = optionNames) =>
  Effect.mapError(effect, (error) =>
    error instanceof TlsConfigError ? (MadeFiles.renamed(names)(error) as E & TlsConfigError) : error
  )

// ---------------------------------------------------------------------------------------------------------------------
// Commands
// ---------------------------------------------------------------------------------------------------------------------

/**
 * An authority: a root, or with `--ca` an intermediate.
 *
 * @since 0.1.0
 * @category commands
 */
export const makeCa = (values: MakeCaValues) =>
  MadeFiles.running(
    Effect.gen(function* () {
      const name = yield* Either.fromNullable(values.name, () => wrong("--name", "say what the authority is called"))
      const pathLength = yield* wholeNumber("--path-length", values.pathLength)
      const options = {
        subject: { ...(values.organization === undefined ? {} : { O: values.organization }), CN: name },
        key: keyTypes.get(values.keyType)!,
        ...(yield* validityOf(values.days)),
        ...(yield* constraintsOf(values)),
        ...(pathLength === undefined ? {} : { pathLength })
      }
      const ca = values.ca === undefined ? undefined : yield* authorityOf(values)
      const make =
        ca === undefined ? CertificateBuilder.authority(options) : CertificateBuilder.issueAuthority(ca, options)
      yield* writeIssued(values, "ca", named(make, { ...optionNames, "subject.CN": "--name" }))
    })
  )

const leafOptions = Effect.fnUntraced(function* (values: SelfSignValues, first: string) {
  return {
    names: values.name,
    ...subjectOf(values, first),
    ...purposesOf(values.purpose),
    ...(yield* validityOf(values.days)),
    key: keyTypes.get(values.keyType)!
  } satisfies CertificateOptions
})

/**
 * A certificate by an authority.
 *
 * @since 0.1.0
 * @category commands
 */
export const issue = (values: IssueValues) =>
  MadeFiles.running(
    Effect.gen(function* () {
      const first = yield* firstName(values.name, values.commonName)
      const options = yield* leafOptions(values, first)
      const ca = yield* authorityOf(values)
      yield* writeIssued(values, stem(first), named(CertificateBuilder.issue(ca, options)))
    })
  )

/**
 * A certificate that vouches for itself.
 *
 * @since 0.1.0
 * @category commands
 */
export const selfSign = (values: SelfSignValues) =>
  MadeFiles.running(
    Effect.gen(function* () {
      const first = yield* firstName(values.name, values.commonName)
      const options = yield* leafOptions(values, first)
      yield* writeIssued(values, stem(first), named(CertificateBuilder.selfSigned(options)))
    })
  )

/**
 * A request, for a new key or for one that exists.
 *
 * @since 0.1.0
 * @category commands
 */
export const request = (values: RequestValues) =>
  MadeFiles.running(
    Effect.gen(function* () {
      const first = yield* firstName(values.name, values.commonName)
      const out = { option: "--out", file: values.out ?? `${stem(first)}.csr` }
      const keyOut = { option: "--key-out", file: values.keyOut ?? MadeFiles.beside(out.file, "-key.pem") }
      if (values.key !== undefined && values.keyOut !== undefined) {
        return yield* wrong("--key-out", "no key is made where --key brings one")
      }
      yield* MadeFiles.requireFree(values.key === undefined ? [out, keyOut] : [out], values.force)
      const secret = yield* MadeFiles.passphrase("out-", values.outPassphraseFile, values.outPassphraseEnv)
      const key = values.key === undefined ? keyTypes.get(values.keyType)! : yield* signerOf(values, values.key)
      const made = yield* named(
        CertificateRequestBuilder.make({ names: values.name, ...subjectOf(values, first), key })
      )
      yield* MadeFiles.write(
        [
          { kind: "request", ...out, content: CertificateRequests.toPem(made.request) },
          ...(values.key === undefined
            ? [{ kind: "privateKey" as const, ...keyOut, content: yield* MadeFiles.keyContent(made.pkcs8, secret) }]
            : [])
        ],
        values
      )
    })
  )

const signerOf = Effect.fnUntraced(function* (values: RequestValues, file: string) {
  const passphrase = yield* MadeFiles.passphrase("", values.passphraseFile, values.passphraseEnv)
  const crypto = yield* CryptoProvider
  const bytes = yield* CertificateFiles.read("--key", file)
  const info = yield* Effect.mapError(PrivateKeyFile.read(bytes, { passphrase }), ({ problem }) =>
    TlsConfigError.of("InvalidPrivateKey", `--key ${file}`, problem)
  )
  return yield* crypto.importPrivateKey(info)
})

/**
 * A certificate for a request.
 *
 * @since 0.1.0
 * @category commands
 */
export const sign = (values: SignValues) =>
  MadeFiles.running(
    Effect.gen(function* () {
      const file = yield* Either.fromNullable(values.file, () => wrong("REQUEST", "say which request to sign"))
      const pathLength = yield* wholeNumber("--path-length", values.pathLength)
      if (pathLength !== undefined && !values.authority) {
        return yield* wrong("--path-length", "only an --authority has one")
      }
      const source = file === "-" ? "request.csr" : file
      const out = { option: "--out", file: values.out ?? MadeFiles.beside(source, ".pem") }
      yield* MadeFiles.requireFree([out], values.force)
      const asked = yield* Effect.flatMap(CertificateFiles.read("REQUEST", file), (content) =>
        Either.mapLeft(CertificateRequests.fromBytes(content), ({ problem }) =>
          TlsConfigError.of("InvalidOptions", `REQUEST ${file}`, problem)
        )
      )
      const ca = yield* authorityOf(values)
      const options = {
        ...(values.name.length === 0 ? {} : { names: values.name }),
        ...subjectOf(values, values.name[0]),
        ...(yield* validityOf(values.days))
      }
      const { certificate, certificateChain } = yield* named(
        values.authority
          ? CertificateBuilder.signAuthority(ca, asked, {
              ...options,
              ...(pathLength === undefined ? {} : { pathLength })
            })
          : CertificateBuilder.sign(ca, asked, { ...options, ...purposesOf(values.purpose) })
      )
      yield* MadeFiles.write([{ kind: "certificate", ...out, content: Certificates.toPem(...certificateChain) }], {
        ...values,
        certificate
      })
    })
  )
