/**
 * `effect-tls certificate revoke`: an authority's next revocation list.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { RevokedOptions } from "../core/CertificateRevocationListBuilder.ts"
import * as CertificateRevocationListBuilder from "../core/CertificateRevocationListBuilder.ts"
import * as Certificates from "../schema/Certificate.ts"
import * as CertificateRevocationLists from "../schema/CertificateRevocationList.ts"
import type { RevocationReason } from "../schema/CrlExtension.ts"
import * as Der from "../schema/Der.ts"
import { TlsConfigError } from "../schema/TlsError.ts"
import * as CertificateFiles from "./CertificateFiles.ts"
import * as MadeFiles from "./MadeFiles.ts"
import type { RevokeValues } from "./MakingOptions.ts"
import { wrong } from "./Settings.ts"

const serialOf = (text: string): Either.Either<Uint8Array, TlsConfigError> => {
  const digits = text.replaceAll(":", "").replace(/^0x/i, "")
  if (!/^[0-9a-f]{1,40}$/i.test(digits)) {
    return Either.left(wrong("--serial", `a serial number is hexadecimal, found ${JSON.stringify(text)}`))
  }
  const even = digits.length % 2 === 0 ? digits : `0${digits}`
  const magnitude = Uint8Array.from(even.match(/../g)!, (pair) => parseInt(pair, 16))
  // The content of the INTEGER is behind identifier and length, which is one byte.
  return Either.right(Der.integer(magnitude).slice(2))
}

const previousOf = Effect.fnUntraced(function* (file: string) {
  const files = yield* FileSystem.FileSystem
  if (!(yield* Effect.orElseSucceed(files.exists(file), () => false))) return undefined
  const content = yield* CertificateFiles.read("--crl", file)
  const lists = yield* Either.mapLeft(CertificateRevocationLists.fromBytes(content), ({ problem }) =>
    TlsConfigError.of("InvalidOptions", `--crl ${file}`, problem)
  )
  return lists.length === 1
    ? lists[0]
    : yield* wrong(`--crl ${file}`, `it holds ${lists.length} revocation lists, one is needed`)
})

/**
 * Adds certificates to the list of an authority and writes it again, with the next number and new dates.
 *
 * @since 0.1.0
 * @category commands
 */
export const revoke = (values: RevokeValues) =>
  MadeFiles.running(
    Effect.gen(function* () {
      const validFor = yield* MadeFiles.daysOf(values.days)
      const serials = yield* Either.all(values.serial.map(serialOf))
      const ca = yield* MadeFiles.issued(
        { option: "--ca", file: values.ca },
        { option: "--ca-key", file: values.caKey },
        values
      )
      const file = values.crl ?? MadeFiles.beside(values.ca!, ".crl")
      const certificates = yield* Effect.forEach(values.files, (path) =>
        Effect.flatMap(CertificateFiles.read("CERTIFICATE", path), (content) =>
          Either.mapBoth(Certificates.fromBytes(content), {
            onLeft: ({ problem }) => TlsConfigError.of("InvalidCertificate", `CERTIFICATE ${path}`, problem),
            onRight: ([certificate]) => certificate
          })
        )
      )
      const foreign = certificates.findIndex(({ issuer }) => !issuer.equals(ca.certificate.subject))
      if (foreign >= 0) {
        const { issuer } = certificates[foreign]!
        return yield* wrong(`CERTIFICATE ${values.files[foreign]}`, `it was issued by "${issuer}", which revokes it`)
      }
      const reason = values.reason === "none" ? undefined : (values.reason as RevocationReason)
      const entry = (whose: Pick<RevokedOptions, "certificate" | "serial">): RevokedOptions =>
        reason === undefined ? whose : { ...whose, reason }
      const revoked = [
        ...certificates.map((certificate) => entry({ certificate })),
        ...serials.map((serial) => entry({ serial }))
      ]
      const list = yield* CertificateRevocationListBuilder.revoke(
        ca.identity,
        yield* previousOf(file),
        revoked,
        validFor === undefined ? {} : { validFor }
      ).pipe(
        Effect.catchTag("TlsConfigError", (error) =>
          Effect.fail(MadeFiles.renamed({ previous: `--crl ${file}`, issuer: "--ca" })(error))
        )
      )
      yield* MadeFiles.write(
        [{ kind: "revocationList", option: "--crl", file, content: CertificateRevocationLists.toPem(list) }],
        {
          // To write it anew is what the command is for.
          force: true,
          json: values.json,
          more: {
            revocationList: {
              issuer: list.issuer.toString(),
              number: String(list.number),
              entries: list.size,
              thisUpdate: list.thisUpdate.toISOString(),
              nextUpdate: list.nextUpdate?.toISOString() ?? null
            }
          }
        }
      )
    })
  )
