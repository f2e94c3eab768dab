/**
 * `effect-tls certificate to-pfx` and `from-pfx`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Pkcs12 from "../core/Pkcs12.ts"
import * as Pkcs12Builder from "../core/Pkcs12Builder.ts"
import * as Certificates from "../schema/Certificate.ts"
import { TlsConfigError } from "../schema/TlsError.ts"
import * as CertificateFiles from "./CertificateFiles.ts"
import * as MadeFiles from "./MadeFiles.ts"
import type { FromPfxValues, ToPfxValues } from "./MakingOptions.ts"
import { wrong } from "./Settings.ts"

/**
 * A bundle of a certificate, its chain and its key.
 *
 * @since 0.1.0
 * @category commands
 */
export const toPfx = (values: ToPfxValues) =>
  MadeFiles.running(
    Effect.gen(function* () {
      const file = yield* Either.fromNullable(values.file, () => wrong("CERTIFICATE", "say which certificate"))
      const out = { option: "--out", file: values.out ?? MadeFiles.beside(file, ".p12") }
      yield* MadeFiles.requireFree([out], values.force)
      const secret = yield* MadeFiles.passphrase("out-", values.outPassphraseFile, values.outPassphraseEnv)
      if (secret === undefined) {
        return yield* wrong(
          "--out-passphrase-file",
          "a bundle has a passphrase: say it here, or by --out-passphrase-env"
        )
      }
      const made = yield* MadeFiles.issued(
        { option: "CERTIFICATE", file },
        { option: "--key", file: values.key },
        values
      )
      const others = yield* Effect.forEach(values.ca, (ca) =>
        Effect.flatMap(CertificateFiles.read("--ca", ca), (content) =>
          Either.mapLeft(Certificates.fromBytes(content), ({ problem }) =>
            TlsConfigError.of("InvalidCertificate", `--ca ${ca}`, problem)
          )
        )
      )
      const entry = yield* Pkcs12Builder.entry(
        made,
        values.friendlyName === undefined ? {} : { friendlyName: values.friendlyName }
      )
      const roots = (made.issuers ?? []).filter((certificate) => certificate.isSelfIssued)
      const content = yield* Pkcs12Builder.make([entry], {
        passphrase: secret,
        certificates: [...roots, ...others.flat()].map((certificate) => ({ certificate }))
      })
      yield* MadeFiles.write([{ kind: "bundle", ...out, content }], { ...values, certificate: made.certificate })
    })
  )

const described = (entries: Pkcs12.Pkcs12["entries"]): string =>
  entries
    .map(({ friendlyName }) => (friendlyName === undefined ? "one without" : JSON.stringify(friendlyName)))
    .join(", ")

/**
 * The chain and the key of a bundle.
 *
 * @since 0.1.0
 * @category commands
 */
export const fromPfx = (values: FromPfxValues) =>
  MadeFiles.running(
    Effect.gen(function* () {
      const file = yield* Either.fromNullable(values.file, () => wrong("BUNDLE", "say which bundle"))
      const out = {
        option: "--out",
        file: values.out ?? MadeFiles.beside(file === "-" ? "bundle.p12" : file, ".pem")
      }
      const keyOut = { option: "--key-out", file: values.keyOut ?? MadeFiles.beside(out.file, "-key.pem") }
      yield* MadeFiles.requireFree([out, keyOut], values.force)
      const passphrase = yield* MadeFiles.passphrase("", values.passphraseFile, values.passphraseEnv)
      const secret = yield* MadeFiles.passphrase("out-", values.outPassphraseFile, values.outPassphraseEnv)
      const bytes = yield* CertificateFiles.read("BUNDLE", file)
      const { entries } = yield* Effect.mapError(Pkcs12.open(bytes, { passphrase }), ({ problem, reason }) =>
        reason === "Encrypted" || reason === "WrongPassphrase"
          ? TlsConfigError.of(
              reason === "Encrypted" ? "MissingPassphrase" : "WrongPassphrase",
              "--passphrase-file",
              problem
            )
          : TlsConfigError.of("InvalidOptions", `BUNDLE ${file}`, problem)
      )
      const wanted = entries.filter(
        ({ friendlyName }) => values.friendlyName === undefined || friendlyName === values.friendlyName
      )
      const [entry] = wanted
      if (entry === undefined || wanted.length > 1) {
        const problem =
          entries.length === 0
            ? "the bundle has no private key"
            : `name one of the bundle's ${entries.length} entries: ${described(entries)}`
        return yield* wrong("--friendly-name", problem)
      }
      const [certificate] = entry.certificateChain
      if (certificate === undefined) return yield* wrong("BUNDLE", "no certificate in it is for its private key")
      yield* MadeFiles.write(
        [
          { kind: "certificate", ...out, content: Certificates.toPem(...entry.certificateChain) },
          {
            kind: "privateKey",
            ...keyOut,
            content: yield* MadeFiles.keyContent(Option.some(entry.privateKey.pkcs8), secret)
          }
        ],
        { ...values, certificate }
      )
    })
  )
