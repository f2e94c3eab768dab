/**
 * `effect-tls certificate inspect`: what certificates say, on standard output.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { CryptoProviderService } from "../core/CryptoProvider.ts"
import { CryptoProvider } from "../core/CryptoProvider.ts"
import * as NodeCrypto from "../layers/NodeCrypto.ts"
import type { Certificate } from "../schema/Certificate.ts"
import * as Certificates from "../schema/Certificate.ts"
import * as CertificateJson from "../schema/CertificateJson.ts"
import type { Item } from "./CertificateFiles.ts"
import * as CertificateFiles from "./CertificateFiles.ts"
import * as CertificateText from "./CertificateText.ts"
import { codes, Ended } from "./ExitCode.ts"
import type { InspectValues } from "./Options.ts"
import * as RevocationListText from "./RevocationListText.ts"

/**
 * A certificate of a file as JSON: everything `CertificateJson` has, and what needs a hash, a clock or a key.
 *
 * @since 0.1.0
 * @category models
 */
export interface InspectedCertificate extends CertificateJson.CertificateJson {
  readonly kind: "certificate"
  readonly file: string
  readonly daysLeft: number
  readonly selfSigned: boolean
  readonly fingerprints: Readonly<Record<"sha1" | "sha256" | "sha512", string>>
  readonly pinSha256: string
}

/** Whether its own key made its signature. */
const isSelfSigned = (certificate: Certificate, crypto: CryptoProviderService): Effect.Effect<boolean> => {
  const { publicKey, signature, signatureAlgorithm, tbs } = certificate
  const { algorithm } = signatureAlgorithm
  if (!certificate.isSelfIssued || algorithm === undefined) return Effect.succeed(false)
  if (!crypto.capabilities.verify(algorithm, publicKey)) return Effect.succeed(false)
  return Effect.orElseSucceed(crypto.verify(algorithm, publicKey, tbs, signature), () => false)
}

/** What is printed of one thing in a file, and what is wrong with it. */
interface Shown {
  readonly text: ReadonlyArray<string>
  readonly json: InspectedCertificate | RevocationListText.InspectedRevocationList | undefined
  readonly problem: string | undefined
}

const show = Effect.fnUntraced(function* (
  item: Item,
  place: { readonly file: string; readonly heading: string }
): Effect.fn.Return<Shown, never, CryptoProvider> {
  switch (item._tag) {
    case "Damaged":
      return { text: [], json: undefined, problem: item.problem }
    case "Other":
      return { text: [`${place.heading}: ${item.kind}, not shown`], json: undefined, problem: undefined }
    case "RevocationList": {
      const { list } = item
      const crypto = yield* CryptoProvider
      const now = yield* Clock.currentTimeMillis
      return {
        text: [
          `${place.heading}: certificate revocation list`,
          ...RevocationListText.revocationList(list, { crypto, now })
        ],
        json: RevocationListText.toJson(list, { crypto, file: place.file }),
        problem: undefined
      }
    }
    case "Certificate": {
      const { certificate } = item
      const crypto = yield* CryptoProvider
      const now = yield* Clock.currentTimeMillis
      const selfSigned = yield* isSelfSigned(certificate, crypto)
      const fingerprint = (hash: "SHA-1" | "SHA-256" | "SHA-512") =>
        Certificates.fingerprint(certificate, (bytes) => crypto.hash(hash, bytes))
      return {
        text: [
          `${place.heading}: certificate`,
          ...CertificateText.certificate(certificate, { crypto, now, selfSigned })
        ],
        json: {
          kind: "certificate",
          file: place.file,
          ...CertificateJson.fromCertificate(certificate),
          daysLeft: CertificateText.daysLeft(certificate, now),
          selfSigned,
          fingerprints: {
            sha1: fingerprint("SHA-1"),
            sha256: fingerprint("SHA-256"),
            sha512: fingerprint("SHA-512")
          },
          pinSha256: CertificateText.pin(certificate, crypto)
        },
        problem: undefined
      }
    }
  }
})

/** What holds none of what we show is the wrong file, even if nothing in it is damaged. */
const nothingToShow = (items: ReadonlyArray<Item>): string | undefined => {
  if (items.some(({ _tag }) => _tag !== "Other")) return undefined
  const kinds = items.flatMap((item) => (item._tag === "Other" ? [item.kind] : []))
  return `it holds ${kinds.join(" and ")}, a certificate is needed`
}

const inspectFile = Effect.fnUntraced(function* (file: string) {
  const name = file === "-" ? "standard input" : file
  const failed = (problem: string): ReadonlyArray<Shown> => [{ text: [], json: undefined, problem }]
  const content = yield* Effect.either(CertificateFiles.read("FILE", file))
  if (Either.isLeft(content)) {
    const error = content.left
    return failed(error._tag === "TlsConfigError" ? error.issues[0].message : error.message)
  }
  const items = CertificateFiles.items(content.right)
  if (Either.isLeft(items)) return failed(items.left)
  const wrong = nothingToShow(items.right)
  if (wrong !== undefined) return failed(wrong)
  return yield* Effect.forEach(items.right, (item, i) =>
    show(item, { file, heading: items.right.length === 1 ? name : `${name}, ${i + 1} of ${items.right.length}` })
  )
})

/**
 * Runs the command: every file is looked into, whatever is wrong with others.
 *
 * @since 0.1.0
 * @category commands
 */
export const inspect = (values: InspectValues): Effect.Effect<void, Ended, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    if (values.files.length === 0) {
      yield* Console.error("effect-tls: FILE: say which file to look into, or - for standard input")
      return yield* new Ended({ code: codes.usage })
    }
    const found = yield* Effect.forEach(values.files, (file) =>
      Effect.map(inspectFile(file), (shown) => shown.map((one) => ({ ...one, file })))
    )
    const all = found.flat()
    if (values.json) {
      yield* Console.log(JSON.stringify(all.flatMap(({ json }) => (json === undefined ? [] : [json]))))
    } else {
      const texts = all.flatMap(({ text }) => (text.length === 0 ? [] : [text.join("\n")]))
      if (texts.length > 0) yield* Console.log(texts.join("\n\n"))
    }
    const problems = all.flatMap(({ file, problem }) => (problem === undefined ? [] : [{ file, problem }]))
    for (const { file, problem } of problems) {
      yield* Console.error(`effect-tls: ${file === "-" ? "standard input" : file}: ${problem}`)
    }
    if (problems.length > 0) return yield* new Ended({ code: codes.usage })
  }).pipe(Effect.provide(NodeCrypto.layer))
