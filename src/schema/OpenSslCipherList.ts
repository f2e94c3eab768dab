/**
 * OpenSSL's cipher strings, as `openssl ciphers` and Node's `ciphers` take them. What OpenSSL passes over in silence, as a
 * name that it does not know, is an error here.
 *
 * A string is elements with a colon, a space, a comma or a semicolon between them. A name or an alias (`ECDHE`, `AESGCM`,
 * `HIGH`), or several with `+` between them for what they have in common, adds suites at the end; after `+` those that
 * are listed move to the end, after `-` they are taken out until they are added again, after `!` for good. `@STRENGTH`
 * sorts by the length of the key, and `@SECLEVEL=n` leaves out what has less than so much security. Suites of TLS 1.3 are
 * names of their own, whatever else the string says.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type { CipherSuite12Info, CipherSuiteInfo } from "./CipherSuite.ts"
import * as CipherSuite from "./CipherSuite.ts"
import { OpenSslListError } from "./OpenSslList.ts"
import { nearest, shown } from "./Suggestion.ts"

/**
 * What a cipher string selects, best first. Of TLS 1.3 undefined where the string names none, which leaves the defaults;
 * of TLS 1.2 undefined where it says nothing but names of TLS 1.3. `securityLevel` is undefined unless said.
 *
 * @since 0.1.0
 * @category models
 */
export interface CipherList {
  readonly suites13: ReadonlyArray<CipherSuiteInfo> | undefined
  readonly suites12: ReadonlyArray<CipherSuite12Info> | undefined
  readonly securityLevel: SecurityLevel | undefined
}

// ---------------------------------------------------------------------------------------------------------------------
// Names
// ---------------------------------------------------------------------------------------------------------------------

/** What is asked of a suite: in each aspect one of some. Elements with `+` ask for what is in all of their parts. */
interface Terms {
  readonly [aspect: string]: ReadonlyArray<string>
}

/** A suite in OpenSSL's terms. */
const termsOf = ({ authentication, cipher, code, keyExchange, since, strength }: CipherSuite12Info): Terms => {
  const name = cipher._tag === "Cbc" ? "CBC" : cipher.aead.replace(/^AES-\d+-/, "")
  const isCcm = name.startsWith("CCM")
  return {
    suite: [String(code)],
    keyExchange: [keyExchange],
    authentication: [authentication],
    cipher: [name === "CHACHA20-POLY1305" ? name : `AES${strength}-${name}`],
    mac: [cipher._tag === "Cbc" ? cipher.mac : "AEAD"],
    since: [since],
    // What FIPS 140 allows is a class of strength to OpenSSL: a suite has both, yet `FIPS+HIGH` is empty.
    strength: isCcm || name === "CHACHA20-POLY1305" ? ["HIGH"] : ["HIGH", "FIPS"],
    default: [isCcm ? "no" : "yes"]
  }
}

const aes = (modes: ReadonlyArray<string>, strengths: ReadonlyArray<number> = [128, 256]): Terms => ({
  cipher: strengths.flatMap((strength) => modes.map((mode) => `AES${strength}-${mode}`))
})
const everyMode = ["GCM", "CCM", "CCM-8", "CBC"]
const pskExchanges = ["PSK", "RSA_PSK", "DHE_PSK", "ECDHE_PSK"]
const ecdhe: Terms = { keyExchange: ["ECDHE"] }
const dhe: Terms = { keyExchange: ["DHE"] }
const ecdsa: Terms = { authentication: ["ECDSA"] }
const sha1: Terms = { mac: ["SHA-1"] }
const since10: Terms = { since: ["TLSv1"] }

const aliases: Readonly<Record<string, Terms>> = {
  ALL: {},
  COMPLEMENTOFDEFAULT: { default: ["no"] },
  HIGH: { strength: ["HIGH"] },
  FIPS: { strength: ["FIPS"] },
  kRSA: { keyExchange: ["RSA"] },
  kDHE: dhe,
  kEDH: dhe,
  DH: dhe,
  DHE: dhe,
  EDH: dhe,
  kECDHE: ecdhe,
  kEECDH: ecdhe,
  ECDH: ecdhe,
  ECDHE: ecdhe,
  EECDH: ecdhe,
  kPSK: { keyExchange: ["PSK"] },
  kRSAPSK: { keyExchange: ["RSA_PSK"] },
  kDHEPSK: { keyExchange: ["DHE_PSK"] },
  kECDHEPSK: { keyExchange: ["ECDHE_PSK"] },
  PSK: { keyExchange: pskExchanges },
  RSA: { keyExchange: ["RSA"], authentication: ["RSA"] },
  aRSA: { authentication: ["RSA"] },
  aECDSA: ecdsa,
  ECDSA: ecdsa,
  aPSK: { authentication: ["PSK"] },
  AES: aes(everyMode),
  AES128: aes(everyMode, [128]),
  AES256: aes(everyMode, [256]),
  AESGCM: aes(["GCM"]),
  AESCCM: aes(["CCM", "CCM-8"]),
  AESCCM8: aes(["CCM-8"]),
  CBC: aes(["CBC"]),
  CHACHA20: { cipher: ["CHACHA20-POLY1305"] },
  SHA: sha1,
  SHA1: sha1,
  SHA256: { mac: ["SHA-256"] },
  SHA384: { mac: ["SHA-384"] },
  SSLv3: { since: ["SSLv3"] },
  TLSv1: since10,
  "TLSv1.0": since10,
  "TLSv1.2": { since: ["TLSv1.2"] }
}

// Suites with these are not ours: anonymous or unencrypted, or of algorithms that are broken or hardly used. Names that
// contain one are OpenSSL's, so that a list may say that it wants none of them.
const foreign =
  /^(COMPLEMENTOFALL|MEDIUM|LOW|EXPORT(40|56)?|EXP|NULL|eNULL|aNULL|ADH|AECDH|a?DSS|kDHd?|kDHr|aDH|kECDH[er]|aECDH|[ka]?SRP|DES(40)?|3DES|CBC3|RC[24]|IDEA|SEED|CAMELLIA(128|256)?|ARIA(128|256)?|ARIAGCM|[ka]?GOST\d*|GOST89MAC|GOST2012\d*|MD5|KRB5|FORTEZZA|MAGMA|KUZNYECHIK)$/

// Node's default list has had these for ever, and there are no such suites: whoever has the list means nothing by them.
const nobodys: ReadonlySet<string> = new Set(["DHE-RSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA256"])

const foreignPart = (name: string): string | undefined => name.split(/[-_]/).find((part) => foreign.test(part))

const terms12 = CipherSuite.registry12.map((suite) => ({ suite, terms: termsOf(suite) }))
const termsByName = new Map<string, Terms>([
  ...Object.entries(aliases),
  ...terms12.flatMap(({ suite: { name, openssl }, terms }) => [[name, terms] as const, [openssl, terms] as const])
])
const knownNames = ["DEFAULT", ...termsByName.keys(), ...CipherSuite.registry.map(({ name }) => name)]

/** What several parts have in common. */
const conjunction = (parts: ReadonlyArray<Terms>): Terms => {
  const all: Record<string, ReadonlyArray<string>> = {}
  for (const part of parts) {
    // As OpenSSL does: the first class of strength makes it forget a COMPLEMENTOFDEFAULT before it.
    if (part["strength"] !== undefined && all["strength"] === undefined) delete all["default"]
    for (const [aspect, values] of Object.entries(part)) {
      const earlier = all[aspect]
      all[aspect] = earlier === undefined ? values : values.filter((value) => earlier.includes(value))
    }
  }
  return all
}

const satisfies = (suite: Terms, asked: Terms): boolean =>
  Object.entries(asked).every(([aspect, values]) => suite[aspect]!.some((value) => values.includes(value)))

// ---------------------------------------------------------------------------------------------------------------------
// Security levels
// ---------------------------------------------------------------------------------------------------------------------

/**
 * OpenSSL's security levels (SSL_CTX_set_security_level(3)).
 *
 * @since 0.1.0
 * @category models
 */
export type SecurityLevel = 0 | 1 | 2 | 3 | 4 | 5

/**
 * The bits of security a level asks of everything that is negotiated.
 *
 * @since 0.1.0
 * @category constants
 */
export const securityBits: { readonly [L in SecurityLevel]: number } = { 0: 0, 1: 80, 2: 112, 3: 128, 4: 192, 5: 256 }

/** HMAC with SHA-1 counts as 160 bits, and from level 3 on only keys that are forgotten will do. */
const isAllowed = ({ cipher, forwardSecrecy, strength }: CipherSuite12Info, level: SecurityLevel): boolean =>
  strength >= securityBits[level] &&
  !(securityBits[level] > 160 && cipher._tag === "Cbc" && cipher.mac === "SHA-1") &&
  (level < 3 || forwardSecrecy)

// ---------------------------------------------------------------------------------------------------------------------
// The language
// ---------------------------------------------------------------------------------------------------------------------

type Prefix = "" | "+" | "-" | "!"

interface Rule {
  readonly prefix: Prefix
  readonly names: ReadonlyArray<string>
}

const separators = /^[: ;,]+/
const word = /^[A-Za-z0-9\-_.=]+/

const fail = (problem: string) => Either.left(new OpenSslListError({ problem }))

/** The elements of a string, in order; those that begin with `@` have it in their name. */
const tokenize = (text: string): Either.Either<ReadonlyArray<Rule>, OpenSslListError> => {
  const rules: Array<Rule> = []
  let rest = text
  const takeWord = (): string | undefined => {
    const found = word.exec(rest)?.[0]
    if (found !== undefined) rest = rest.slice(found.length)
    return found
  }
  while ((rest = rest.replace(separators, "")) !== "") {
    const at = text.length - rest.length
    const isCommand = rest.startsWith("@")
    const prefix = (/^[+\-!]/.exec(rest)?.[0] ?? "") as Prefix
    rest = rest.slice(isCommand ? 1 : prefix.length)
    const names: Array<string> = []
    for (;;) {
      const name = takeWord()
      if (name === undefined) {
        return fail(
          rest === ""
            ? `a name is missing at the end of ${shown(text.slice(at))}`
            : `a name is missing at character ${text.length - rest.length + 1}, found ${JSON.stringify(rest[0])}`
        )
      }
      names.push(isCommand ? `@${name}` : name)
      if (isCommand || !rest.startsWith("+")) break
      rest = rest.slice(1)
    }
    rules.push({ prefix, names })
  }
  return Either.right(rules)
}

const unknown = (name: string) => {
  const suggestion = nearest(name, knownNames)
  return fail(
    `unknown cipher ${shown(name)}${
      suggestion === undefined
        ? ": names are IANA's or OpenSSL's, aliases those of `openssl ciphers`"
        : `, did you mean "${suggestion}"?`
    }`
  )
}

/** The list under construction: suites in order, those that are out kept for when they are added again. */
class Selection {
  listed: ReadonlyArray<CipherSuite12Info> = []
  private out: ReadonlyArray<CipherSuite12Info> = CipherSuite.registry12

  apply(prefix: Prefix, asked: Terms): void {
    const isMeant = (suite: CipherSuite12Info) => satisfies(termsBySuite.get(suite)!, asked)
    const others = (suites: ReadonlyArray<CipherSuite12Info>) => suites.filter((suite) => !isMeant(suite))
    const { listed, out } = this
    switch (prefix) {
      case "":
        this.listed = [...listed, ...out.filter(isMeant)]
        this.out = others(out)
        break
      case "+":
        this.listed = [...others(listed), ...listed.filter(isMeant)]
        break
      case "-":
        // What was taken out last is the first to come back.
        this.listed = others(listed)
        this.out = [...listed.filter(isMeant), ...out]
        break
      case "!":
        this.listed = others(listed)
        this.out = others(out)
        break
    }
  }

  sort(): void {
    this.listed = [...this.listed].sort((a, b) => b.strength - a.strength)
  }
}

const termsBySuite = new Map(terms12.map(({ suite, terms }) => [suite, terms]))

/**
 * What a cipher string selects: of the suites we know, those and in the order that OpenSSL 3.0 selects. `securityLevel`
 * is the one that holds where the string does not say `@SECLEVEL`.
 *
 * @since 0.1.0
 * @category decoding
 */
export const parse = (
  text: string,
  options: { readonly securityLevel?: SecurityLevel } = {}
): Either.Either<CipherList, OpenSslListError> =>
  Either.gen(function* () {
    const selection = new Selection()
    const suites13 = new Set<CipherSuiteInfo>()
    let said12 = false
    let securityLevel: SecurityLevel | undefined
    // DEFAULT is no alias: it is a beginning, and may be followed by a prefix at once.
    const startsDefault = /^DEFAULT(?![A-Za-z0-9_.=])/.test(text)
    if (startsDefault) {
      said12 = true
      selection.apply("", {})
      selection.apply("!", aliases["COMPLEMENTOFDEFAULT"]!)
    }
    for (const { names, prefix } of yield* tokenize(startsDefault ? text.slice("DEFAULT".length) : text)) {
      const [name] = names as [string]
      const suite13 = names.map(CipherSuite.fromName).find((suite) => suite !== undefined)
      if (name === "@STRENGTH") {
        selection.sort()
      } else if (name.startsWith("@")) {
        const level = /^@SECLEVEL=([0-5])$/.exec(name)?.[1]
        if (level === undefined) {
          return yield* fail(`unknown command ${shown(name)}: known are @STRENGTH and @SECLEVEL=0 to @SECLEVEL=5`)
        }
        securityLevel = Number(level) as SecurityLevel
      } else if (suite13 !== undefined) {
        if (prefix !== "" || names.length > 1) {
          return yield* fail(
            `${shown(prefix + names.join("+"))}: a suite of TLS 1.3 is listed by its name alone, ` +
              "and those that are not listed are not offered"
          )
        }
        suites13.add(suite13)
      } else {
        said12 = true
        if (nobodys.has(name)) continue
        const parts: Array<Terms> = []
        let lacking: string | undefined
        for (const part of names) {
          const terms = termsByName.get(part)
          const foreigner = terms === undefined ? foreignPart(part) : undefined
          if (terms !== undefined) parts.push(terms)
          else if (foreigner !== undefined) lacking ??= foreigner
          else if (part === "DEFAULT") return yield* fail("`DEFAULT` has a meaning only as the beginning of the list")
          else if (/^TLSv1\.[13]$/.test(part)) {
            return yield* fail(
              `${shown(part)} is no alias: suites of TLS 1.3 are listed by name, and TLS 1.1 has none of its own`
            )
          } else if (/^SUITEB(128|192)/.test(part)) return yield* fail(`${shown(part)}: Suite B is not implemented`)
          else return yield* unknown(part)
        }
        if (lacking === undefined) selection.apply(prefix, conjunction(parts))
        else if (prefix === "") {
          return yield* fail(`${shown(names.join("+"))}: no suite with ${lacking} is offered here, leave it out`)
        }
      }
    }
    const level = securityLevel ?? options.securityLevel ?? 0
    const allowed13 = [...suites13].filter(({ strength }) => strength >= securityBits[level])
    const allowed12 = selection.listed.filter((suite) => isAllowed(suite, level))
    if (suites13.size === 0 && !said12) return yield* fail("the list names no cipher")
    if ((suites13.size > 0 && allowed13.length === 0) || (said12 && allowed12.length === 0)) {
      return yield* fail(
        `the list selects no suite of TLS ${said12 && allowed12.length === 0 ? "1.2" : "1.3"}` +
          (level > 0 ? ` that security level ${level} allows` : "")
      )
    }
    return {
      suites13: suites13.size === 0 ? undefined : allowed13,
      suites12: said12 ? allowed12 : undefined,
      securityLevel
    }
  })
