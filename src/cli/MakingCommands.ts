/**
 * The commands that make certificates, as `@effect/cli` has them. What each needs is loaded when it runs.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Effect from "effect/Effect"
import * as Arguments from "./Arguments.ts"
import * as Options from "./MakingOptions.ts"

const described = (...paragraphs: ReadonlyArray<string>) =>
  Command.withDescription(HelpDoc.blocks(paragraphs.map((text) => HelpDoc.p(text))))

const exits = "Exits with 0 when it is done, with 2 after a wrong option or file, with 1 after another failure."
const making = () => Effect.promise(() => import("./Make.ts"))
const bundling = () => Effect.promise(() => import("./Bundle.ts"))

const makeCa = Command.make("make-ca", Options.makeCaOptions, (values) =>
  Effect.flatMap(making(), (module) => module.makeCa(values))
).pipe(
  described(
    "Make a certification authority: a root to trust, or with --ca an intermediate.",
    "Whoever has its key can pose as anybody to who trusts it: encrypt it (--out-passphrase-file), or restrict it (--permit).",
    exits
  )
)

const issue = Command.make("issue", Options.issueOptions, (values) =>
  Effect.flatMap(making(), (module) => module.issue(values))
).pipe(described("Issue a certificate to a new key, signed by an authority.", exits))

const selfSign = Command.make("self-sign", Options.selfSignOptions, (values) =>
  Effect.flatMap(making(), (module) => module.selfSign(values))
).pipe(
  described("Make a certificate that vouches for itself: whoever is to accept it has to trust this very one.", exits)
)

const request = Command.make("request", Options.requestOptions, (values) =>
  Effect.flatMap(making(), (module) => module.request(values))
).pipe(described("Make a certificate request (PKCS#10), for an authority to answer.", exits))

const sign = Command.make("sign", { ...Options.signOptions, ...Options.signArgs }, (values) =>
  Effect.flatMap(making(), (module) => module.sign(values))
).pipe(
  described(
    "Answer a certificate request.",
    "Its signature is verified first. Subject and names are the request's, unless --name, --common-name or --organization say otherwise; other extensions that it asks for are not taken.", // prettier-ignore
    exits
  )
)

const toPfx = Command.make("to-pfx", { ...Options.toPfxOptions, ...Options.toPfxArgs }, (values) =>
  Effect.flatMap(bundling(), (module) => module.toPfx(values))
).pipe(described("Put a certificate, its chain and its key into a PKCS#12 bundle (AES-256, SHA-256).", exits))

const fromPfx = Command.make("from-pfx", { ...Options.fromPfxOptions, ...Options.fromPfxArgs }, (values) =>
  Effect.flatMap(bundling(), (module) => module.fromPfx(values))
).pipe(described("Take the chain and the key out of a PKCS#12 bundle, as PEM.", exits))

const revoke = Command.make("revoke", { ...Options.revokeOptions, ...Options.revokeArgs }, (values) =>
  Effect.flatMap(
    Effect.promise(() => import("./Revoke.ts")),
    (module) => module.revoke(values)
  )
).pipe(
  described(
    "Revoke certificates: write an authority's next revocation list.",
    "The list that --crl names is read, if it is there, and replaced by one with its entries, the new ones and the next number.", // prettier-ignore
    exits
  )
)

const dev = Command.make("dev", { ...Options.devOptions, ...Options.devArgs }, (values) =>
  Effect.flatMap(
    Effect.promise(() => import("./Dev.ts")),
    (module) => module.dev(values)
  )
).pipe(
  described(
    "Make an authority for development and a server's certificate, and keep them in a folder.",
    "Run again, it uses what is there, and renews it in time: the authority keeps its key, so that it is trusted once.",
    exits
  )
)

/**
 * @since 0.1.0
 * @category commands
 */
export const commands = [makeCa, issue, selfSign, request, sign, toPfx, fromPfx, revoke, dev] as const

const { bundleRepeatable, choices, nothingRepeatable, repeatable } = Options.syntax
const severalNames = { choices, repeatable }

/**
 * What may stand behind the name of each.
 *
 * @since 0.1.0
 * @category options
 */
export const syntax: Readonly<Record<string, Arguments.Syntax>> = {
  "certificate make-ca": Arguments.syntaxOf(Options.makeCaOptions, 0, {
    choices,
    repeatable: new Set([...repeatable].filter((name) => name !== "--name"))
  }),
  "certificate issue": Arguments.syntaxOf(Options.issueOptions, 0, severalNames),
  "certificate self-sign": Arguments.syntaxOf(Options.selfSignOptions, 0, severalNames),
  "certificate request": Arguments.syntaxOf(Options.requestOptions, 0, severalNames),
  "certificate sign": Arguments.syntaxOf(Options.signOptions, 1, severalNames),
  "certificate to-pfx": Arguments.syntaxOf(Options.toPfxOptions, 1, { choices, repeatable: bundleRepeatable }),
  "certificate from-pfx": Arguments.syntaxOf(Options.fromPfxOptions, 1, { choices, repeatable: nothingRepeatable }),
  "certificate revoke": Arguments.syntaxOf(Options.revokeOptions, Number.POSITIVE_INFINITY, severalNames),
  "certificate dev": Arguments.syntaxOf(Options.devOptions, Number.POSITIVE_INFINITY, severalNames)
}
