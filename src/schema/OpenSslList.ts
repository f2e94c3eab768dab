/**
 * OpenSSL's lists of groups and of signature algorithms, as Node's `ecdhCurve` and `sigalgs` take them: names between
 * colons.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Either from "effect/Either"
import type { NamedGroupName } from "./NamedGroup.ts"
import * as NamedGroup from "./NamedGroup.ts"
import type { SignatureSchemeName } from "./SignatureScheme.ts"
import * as SignatureScheme from "./SignatureScheme.ts"
import { shown, unknownName } from "./Suggestion.ts"

/**
 * A list that cannot be read, or not be honoured, and what would be right.
 *
 * @since 0.1.0
 * @category errors
 */
export class OpenSslListError extends Data.TaggedError("OpenSslListError")<{ readonly problem: string }> {
  override get message(): string {
    return this.problem
  }
}

const fail = (problem: string) => Either.left(new OpenSslListError({ problem }))

/** Every name of a list, each once. */
const readNames = <A>(
  text: string,
  kind: string,
  read: (name: string) => Either.Either<A, OpenSslListError>
): Either.Either<ReadonlyArray<A>, OpenSslListError> =>
  Either.flatMap(Either.all(text.split(":").map((name) => (name === "" ? empty(kind) : read(name)))), (items) => {
    const repeated = items.find((item, i) => items.indexOf(item) !== i)
    return repeated === undefined ? Either.right(items) : fail(`the ${kind} ${String(repeated)} is listed twice`)
  })

const empty = (kind: string) =>
  fail(`a ${kind} is missing: the list is names with one colon between two, and none at its ends`)

// What OpenSSL 3 has besides ours, its additions included: these are no misspellings.
const foreignGroups =
  /^(secp\d+[kr]1|sect\d+[kr][12]|prime\d+v\d|brainpoolP\d+[rt]1(tls13)?|[BK]-\d+|P-(192|224)|(curve)?SM2(MLKEM768)?|MLKEM(512|768|1024)|SecP(256|384)r1MLKEM\d+|X25519Kyber768Draft00)$/i

// Names that differ by their case alone are one.
const groupNames = [
  ...new Map(
    NamedGroup.registry.flatMap(({ name, openssl }) =>
      [name, ...openssl].map((alias) => [alias.toLowerCase(), alias] as const)
    )
  ).values()
]

/**
 * The groups of a list such as `X25519:P-256:secp384r1`, in its order; undefined for `auto`, which leaves the choice to
 * the defaults. Names are IANA's or OpenSSL's, whatever their case.
 *
 * @since 0.1.0
 * @category decoding
 */
export const parseGroups = (
  text: string
): Either.Either<ReadonlyArray<NamedGroupName> | undefined, OpenSslListError> =>
  text === "auto"
    ? Either.right(undefined)
    : readNames(text, "group", (name) => {
        if (/^[?*-]|\//.test(name)) {
          return fail(
            `${shown(name)}: what OpenSSL 3.5 has between and before names (\`/\`, \`?\`, \`*\`, \`-\`) is not read here, ` +
              "a list is names with colons between them"
          )
        }
        if (/^(auto|default)$/i.test(name))
          return fail(`${shown(name)} stands for the defaults: \`auto\` alone, or nothing`)
        const info = NamedGroup.fromName(name)
        if (info !== undefined) return Either.right(info.name)
        return foreignGroups.test(name)
          ? fail(`the group ${shown(name)} is not offered here: known are ${groupNames.join(", ")}`)
          : fail(unknownName("group", name, groupNames))
      })

// Hashes and keys that OpenSSL can sign with and nobody should: SHA-224, DSA, PSS over SHA-1; and what few have.
const foreignSchemes =
  /^((RSA|RSA-PSS|PSS|ECDSA|DSA)\+SHA(1|224)|DSA\+SHA\d+|(rsa_pkcs1|ecdsa|dsa)_sha(1|224|256|384|512)|gostr34.*|(ml|slh)dsa\w+|ecdsa_brainpoolP\w+|sm2sig_sm3)$/i

const schemeNames = SignatureScheme.registry.flatMap(({ name, openssl }) => [name, ...openssl])

/**
 * The signature schemes of a list such as `ECDSA+SHA256:rsa_pss_pss_sha512:ed25519`, in its order. A name is IANA's, or a
 * key and a hash in either order with a plus between them. Those over SHA-1, `RSA+SHA1` and `ECDSA+SHA1`, are for
 * certificates only, as every PKCS#1 v1.5 is in TLS 1.3.
 *
 * @since 0.1.0
 * @category decoding
 */
export const parseSignatureSchemes = (
  text: string
): Either.Either<ReadonlyArray<SignatureSchemeName>, OpenSslListError> =>
  readNames(text, "signature algorithm", (name) => {
    const [first, second] = name.toUpperCase().split("+")
    const pair = second?.startsWith("SHA") === false ? `${second}+${first}` : name
    if (name.startsWith("?")) {
      return fail(`${shown(name)}: the \`?\` of OpenSSL 3.3, for what it may not know, is not read here: leave it out`)
    }
    const info = SignatureScheme.fromName(pair.replace(/^PSS\+/i, "RSA-PSS+"))
    if (info !== undefined) return Either.right(info.name)
    return foreignSchemes.test(pair)
      ? fail(`the signature algorithm ${shown(name)} is not offered here: known are ${schemeNames.join(", ")}`)
      : fail(unknownName("signature algorithm", name, schemeNames))
  })
