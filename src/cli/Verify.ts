/**
 * `effect-tls certificate verify`: whether a certificate is valid, and the path that makes it so.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { CryptoProvider } from "../core/CryptoProvider.ts"
import { chainEntry } from "../core/PathValidation.ts"
import * as TrustStore from "../core/TrustStore.ts"
import * as Verifier from "../core/Verifier.ts"
import * as NodeCrypto from "../layers/NodeCrypto.ts"
import * as NodeTrustStore from "../layers/NodeTrustStore.ts"
import * as Certificates from "../schema/Certificate.ts"
import * as CertificateRevocationLists from "../schema/CertificateRevocationList.ts"
import type { PemError } from "../schema/Pem.ts"
import * as ServerName from "../schema/ServerName.ts"
import type { CertificateError, ChainEntry } from "../schema/TlsError.ts"
import { TlsConfigError } from "../schema/TlsError.ts"
import * as CertificateFiles from "./CertificateFiles.ts"
import { instant } from "./CertificateText.ts"
import { codes, Ended } from "./ExitCode.ts"
import type { VerifyValues } from "./Options.ts"
import * as Render from "./Render.ts"
import * as Report from "./Report.ts"
import { wrong } from "./Settings.ts"
import type { StreamError } from "./StandardStreams.ts"

// ---------------------------------------------------------------------------------------------------------------------
// What was asked
// ---------------------------------------------------------------------------------------------------------------------

const timeOf = (text: string): Either.Either<number, string> => {
  // Fewer digits would be a year or a date.
  const seconds = /^@(\d{1,11})$|^(\d{9,11})$/.exec(text)
  if (seconds !== null) return Either.right(Number(seconds[1] ?? seconds[2]) * 1000)
  const match = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?:(:\d\d)(\.\d+)?)?)?(?: ?(Z|UTC|[+-]\d\d:\d\d))?$/i.exec(text)
  if (match !== null) {
    const [, date, time = "00:00", second = ":00", fraction = "", zone = "Z"] = match
    const local = `${date}T${time}${second}`
    const inZone = Date.parse(`${local}${fraction.slice(0, 4)}${/^(Z|UTC)$/i.test(zone) ? "Z" : zone}`)
    // A 30th of February would pass for the 2nd of March.
    const asUtc = new Date(`${local}Z`)
    const exists = !Number.isNaN(asUtc.getTime()) && asUtc.toISOString().startsWith(local)
    if (exists && !Number.isNaN(inZone)) return Either.right(inZone)
  }
  const form = "a time is needed, such as 2026-01-31, 2026-01-31T12:00:00Z or @1769860800"
  return Either.left(`${form}, found ${JSON.stringify(text)}`)
}

const valuesOf =
  <A>(read: (bytes: Uint8Array) => Either.Either<NonEmptyReadonlyArray<A>, PemError>) =>
  (
    option: string,
    file: string
  ): Effect.Effect<NonEmptyReadonlyArray<A>, TlsConfigError | StreamError, FileSystem.FileSystem> =>
    Effect.flatMap(CertificateFiles.read(option, file), (content) =>
      Either.mapLeft(read(content), ({ problem }) =>
        TlsConfigError.of("InvalidCertificate", `${option} ${file}`, problem)
      )
    )

const certificatesOf = valuesOf(Certificates.fromBytes)
const listsOf = valuesOf((bytes) => CertificateRevocationLists.fromBytes(bytes))

interface Question {
  readonly request: Verifier.VerificationRequest
  readonly store: TrustStore.TrustStore
  readonly crls: ReadonlyArray<CertificateRevocationLists.CertificateRevocationList>
  readonly time: number
}

const questionOf = Effect.fnUntraced(function* (values: VerifyValues) {
  if (values.file === undefined) {
    return yield* wrong("FILE", "say which certificate to verify, or - for standard input")
  }
  const files = [...values.ca, ...values.intermediate, ...values.crl, values.file]
  if (files.filter((file) => file === "-").length > 1) {
    return yield* wrong("-", "standard input can be read once only")
  }
  const serverName =
    values.name === undefined
      ? undefined
      : yield* Either.mapLeft(ServerName.parse(values.name), (error) => wrong("--name", error.message))
  const time =
    values.time === undefined
      ? yield* Clock.currentTimeMillis
      : yield* Either.mapLeft(timeOf(values.time), (problem) => wrong("--time", problem))
  const anchors = yield* Effect.forEach(values.ca, (file) => certificatesOf("--ca", file))
  const [leaf, ...others] = yield* certificatesOf("FILE", values.file)
  const intermediates = yield* Effect.forEach(values.intermediate, (file) => certificatesOf("--intermediate", file))
  const crls = yield* Effect.forEach(values.crl, (file) => listsOf("--crl", file))
  const store =
    values.ca.length === 0
      ? yield* Effect.provide(TrustStore.Current, NodeTrustStore.layerSystem)
      : TrustStore.make({ name: `the certificates of ${values.ca.join(", ")}`, anchors: anchors.flat() })
  return {
    request: Verifier.makeRequest([leaf, ...others, ...intermediates.flat()], { role: values.purpose, serverName }),
    store,
    crls: crls.flat(),
    time
  } satisfies Question as Question
})

// ---------------------------------------------------------------------------------------------------------------------
// What there is to say
// ---------------------------------------------------------------------------------------------------------------------

/**
 * What `--json` prints. `chain` is the path, leaf first, or as much of the best one as there was.
 *
 * @since 0.1.0
 * @category models
 */
export interface VerificationReport {
  readonly valid: boolean
  readonly purpose: "server" | "client"
  readonly name: string | null
  readonly time: string
  readonly revocation: "checked" | "not checked"
  readonly verifiedBy: string | null
  readonly chain: ReadonlyArray<Report.CertificateReport>
  readonly error: {
    readonly reason: string
    readonly code: string
    readonly message: string
    readonly depth: number
    readonly hint: string
  } | null
}

// What the library's hints call by its own names.
const optionNames: ReadonlyArray<readonly [string, string]> = [
  [
    "Connect under a name the certificate contains, or set `serverName` to it.",
    "Ask for a name it contains by --name."
  ],
  ["add its root certificate to the trust anchors", "give its root certificate by --ca"],
  [
    "a peer should send its intermediate certificates; if the issuer is a private root, add it to the trust anchors",
    "give it by --intermediate; if the issuer is a private root, by --ca"
  ],
  ["add that certificate to the trust anchors, or pin it", "give that certificate by --ca"],
  ["add that root to the trust anchors", "give that root by --ca"],
  ["give a current CRL of its issuer, or check by `soft-fail`", "give a current CRL of its issuer by --crl"],
  ["check this machine's clock (a TestClock starts in 1970)", "check --time and this machine's clock"],
  ["if it is current, check this machine's clock", "if it is current, check --time and this machine's clock"]
]

/** Whether what should be the leaf has issued one of the certificates behind it. */
const isOutOfOrder = ({ request }: Question): boolean => {
  const [leaf, ...others] = request.certificates
  return others.some((other) => !other.isSelfIssued && other.issuer.equals(leaf.subject))
}

const hintOf = (question: Question, error: CertificateError): string =>
  error.reason === "CaAsLeaf" && isOutOfOrder(question)
    ? "The certificates are out of order: the one to verify comes first, then its issuer."
    : optionNames.reduce((text, [name, option]) => text.replace(name, option), error.hint)

const revocationOf = ({ crls }: Question) => (crls.length === 0 ? "not checked" : "checked")

const reportOf = (
  question: Question,
  answer: Either.Either<{ readonly chain: ReadonlyArray<ChainEntry>; readonly vouchedBy: string }, CertificateError>
): VerificationReport => ({
  valid: Either.isRight(answer),
  purpose: question.request.role,
  name: Option.getOrNull(Option.map(question.request.serverName, String)),
  time: new Date(question.time).toISOString(),
  revocation: revocationOf(question),
  verifiedBy: Either.match(answer, { onLeft: () => null, onRight: ({ vouchedBy }) => vouchedBy }),
  chain: Either.merge(answer).chain.map(Report.certificateReport),
  error: Either.match(answer, {
    onRight: () => null,
    onLeft: (error) => ({
      reason: error.reason,
      code: error.code,
      message: error.message,
      depth: error.depth,
      hint: hintOf(question, error)
    })
  })
})

const textOf = (
  question: Question,
  answer: Either.Either<{ readonly chain: ReadonlyArray<ChainEntry>; readonly vouchedBy: string }, CertificateError>
): ReadonlyArray<string> => {
  const { request, time } = question
  const name = Option.match(request.serverName, { onNone: () => "no name asked", onSome: String })
  const asked: ReadonlyArray<readonly [string, string]> = [
    ["name", name],
    ["purpose", request.role],
    ["time", instant(new Date(time))],
    ["revocation", revocationOf(question)]
  ]
  return Either.match(answer, {
    onRight: ({ chain, vouchedBy }) => [
      "valid",
      ...Render.chain(chain),
      ...Render.rows([...asked, ["verified by", vouchedBy]])
    ],
    onLeft: (error) => [
      `not valid: ${error.reason} (${error.code})`,
      ...Render.chain(error.chain),
      ...Render.rows([...asked, ["problem", error.message], ["hint", hintOf(question, error)]])
    ]
  })
}

/** A clock that stands still: everything is judged at one time. */
const clockAt = (time: number): Clock.Clock => {
  const clock = Clock.make()
  return {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => time,
    unsafeCurrentTimeNanos: () => BigInt(time) * 1_000_000n,
    currentTimeMillis: Effect.succeed(time),
    currentTimeNanos: Effect.succeed(BigInt(time) * 1_000_000n),
    sleep: (duration) => clock.sleep(duration)
  }
}

/**
 * Runs the command.
 *
 * @since 0.1.0
 * @category commands
 */
export const verify = (values: VerifyValues): Effect.Effect<void, Ended, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const question = yield* questionOf(values)
    const crypto = yield* CryptoProvider
    const { crls, store } = question
    const answer = yield* Verifier.webPki(store, crls.length === 0 ? {} : { revocation: { mode: "hard-fail", crls } })
      .verify(question.request)
      .pipe(
        Effect.withClock(clockAt(question.time)),
        Effect.map(({ path, vouchedBy }) => ({
          vouchedBy,
          chain: path.map((certificate) => chainEntry(crypto, store, certificate, "valid"))
        })),
        Effect.either
      )
    yield* Console.log(values.json ? JSON.stringify(reportOf(question, answer)) : textOf(question, answer).join("\n"))
    if (Either.isLeft(answer)) return yield* new Ended({ code: codes.failure })
  }).pipe(
    Effect.catchIf(
      (error): error is TlsConfigError | StreamError => error._tag !== "Ended",
      (error) =>
        Effect.zipRight(
          Console.error(`effect-tls: ${error.message}`),
          new Ended({ code: error._tag === "StreamError" ? codes.failure : codes.usage })
        )
    ),
    Effect.provide(NodeCrypto.layer)
  )
