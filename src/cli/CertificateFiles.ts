/**
 * What is in the files that people give to `effect-tls certificate`.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { concat } from "../schema/Bytes.ts"
import * as Certificate from "../schema/Certificate.ts"
import * as CertificateRevocationList from "../schema/CertificateRevocationList.ts"
import * as DerKind from "../schema/DerKind.ts"
import * as Pem from "../schema/Pem.ts"
import { TlsConfigError } from "../schema/TlsError.ts"
import { input, type StreamError } from "./StandardStreams.ts"

/** More than any bundle of certificates has; what never ends (/dev/zero) must not fill the memory. */
const mostBytes = 64 * 1024 * 1024

const unreadable = (option: string, path: string, problem: string) =>
  TlsConfigError.of("Unreadable", `${option} ${path}`, problem)

/**
 * The bytes of a file, or of standard input for `-`. `option` is what named it, for messages.
 *
 * @since 0.1.0
 * @category reading
 */
export const read = (
  option: string,
  path: string
): Effect.Effect<Uint8Array, TlsConfigError | StreamError, FileSystem.FileSystem> =>
  path === "-"
    ? collect(option, path, input)
    : Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const info = yield* Effect.mapError(files.stat(path), (error) =>
          unreadable(
            option,
            path,
            error._tag === "SystemError" && error.reason === "NotFound" ? "no such file" : error.message
          )
        )
        if (info.type === "Directory") {
          return yield* unreadable(option, path, "it is a directory, a file with a certificate is needed")
        }
        return yield* collect(
          option,
          path,
          Stream.mapError(files.stream(path), (error) =>
            unreadable(
              option,
              path,
              error._tag === "SystemError" && error.reason === "PermissionDenied"
                ? "it may not be read: permission denied"
                : error.message
            )
          )
        )
      })

const collect = <E>(option: string, path: string, stream: Stream.Stream<Uint8Array, E>) =>
  Stream.runFoldEffect(stream, { parts: [] as Array<Uint8Array>, length: 0 }, ({ length, parts }, part) => {
    parts.push(part)
    return length + part.length > mostBytes
      ? unreadable(option, path, `it has more than ${mostBytes / 1024 / 1024} MiB`)
      : Effect.succeed({ parts, length: length + part.length })
  }).pipe(Effect.map(({ parts }) => concat(parts)))

/**
 * One thing in a file. Of what is not for this command there is only its kind, as `a private key`.
 *
 * @since 0.1.0
 * @category models
 */
export type Item =
  | { readonly _tag: "Certificate"; readonly certificate: Certificate.Certificate }
  | { readonly _tag: "RevocationList"; readonly list: CertificateRevocationList.CertificateRevocationList }
  | { readonly _tag: "Damaged"; readonly problem: string }
  | { readonly _tag: "Other"; readonly kind: string }

const certificateLabels: ReadonlySet<string> = new Set(["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"])

const damaged = ({ problem }: Pem.PemError): Item => ({ _tag: "Damaged", problem })

const pemItem = ({ content, label }: Pem.PemBlock): Item => {
  const alone = () => Pem.format(label, Redacted.value(content))
  if (certificateLabels.has(label)) {
    return Either.match(Certificate.fromPem(alone()), {
      onLeft: damaged,
      onRight: ([certificate]): Item => ({ _tag: "Certificate", certificate })
    })
  }
  if (label === "X509 CRL") {
    return Either.match(CertificateRevocationList.fromPem(alone()), {
      onLeft: damaged,
      onRight: ([list]): Item => ({ _tag: "RevocationList", list })
    })
  }
  return { _tag: "Other", kind: Pem.kindOf(label) }
}

const derItem = (bytes: Uint8Array): Either.Either<Item, string> => {
  const certificate = Certificate.decode(bytes)
  if (Either.isRight(certificate)) return Either.right({ _tag: "Certificate", certificate: certificate.right })
  const list = CertificateRevocationList.decode(bytes)
  if (Either.isRight(list)) return Either.right({ _tag: "RevocationList", list: list.right })
  const kind = DerKind.kindOf(bytes)
  return kind === undefined
    ? Either.left(`it holds no certificate: ${certificate.left.message}`)
    : Either.right({ _tag: "Other", kind })
}

/**
 * Everything in a file, in order; or why nothing is.
 *
 * @since 0.1.0
 * @category reading
 */
export const items = (bytes: Uint8Array): Either.Either<ReadonlyArray<Item>, string> => {
  if (bytes.length === 0) return Either.left("it is empty")
  if (!Pem.isPem(bytes)) return Either.map(derItem(bytes), (item) => [item])
  return Pem.parse(new TextDecoder().decode(bytes)).pipe(
    Either.mapLeft(({ problem }) => problem),
    Either.filterOrLeft(
      (blocks) => blocks.length > 0,
      () => "it holds no PEM block, and is not DER"
    ),
    Either.map((blocks) => blocks.map(pemItem))
  )
}
