import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import { spawnSync } from "node:child_process"
import { DEFAULT_CIPHERS } from "node:tls"
import { assert, describe, it } from "vitest"
import * as CipherSuite from "../../src/schema/CipherSuite.ts"
import * as OpenSslCipherList from "../../src/schema/OpenSslCipherList.ts"

// What strings select follows OpenSSL 3.0: later ones count CCM-8 as weaker.
const found = spawnSync("openssl", ["version"], { encoding: "utf8" }).stdout ?? ""
const hasOpenssl30 = found.startsWith("OpenSSL 3.0.")
const where = hasOpenssl30 ? found.trim() : `skipped: needs openssl 3.0, found ${found.trim() || "none"}`

interface Line {
  readonly name: string
  readonly since: string
  readonly keyExchange: string
  readonly authentication: string
  readonly encryption: string
  readonly mac: string
}

/** What `openssl ciphers -s -v` prints of a list up to TLS 1.2, in our registry; empty when it selects nothing. */
const ask = (list: string, level: number | undefined = 0): ReadonlyArray<Line> => {
  // A leading `-` would be an option; DEFAULT has its meaning only at the very start.
  const safe = `${list.startsWith("DEFAULT") ? "" : ":"}${list}${level === undefined ? "" : `:@SECLEVEL=${level}`}`
  const { status, stderr, stdout } = spawnSync("openssl", ["ciphers", "-s", "-psk", "-v", "-ciphersuites", "", safe], {
    encoding: "utf8"
  })
  if (status !== 0 && !stderr.includes("no cipher match")) throw new Error(`${list}: ${stderr}`)
  return stdout
    .split("\n")
    .map((line) => line.split(/\s+/))
    .filter(([name]) => CipherSuite.fromName12(name ?? "") !== undefined)
    .map((columns) => ({
      name: columns[0]!,
      since: columns[1]!,
      keyExchange: columns[2]!.slice("Kx=".length),
      authentication: columns[3]!.slice("Au=".length),
      encryption: columns[4]!.slice("Enc=".length),
      mac: columns[5]!.slice("Mac=".length)
    }))
}

const select = (list: string): ReadonlyArray<string> =>
  Either.match(OpenSslCipherList.parse(list), {
    onLeft: ({ problem }) => {
      if (!problem.startsWith("the list selects no suite")) throw new Error(`${list}: ${problem}`)
      return []
    },
    onRight: ({ suites12 }) => suites12!.map(({ openssl }) => openssl)
  })

const problem = (list: string): string =>
  Either.match(OpenSslCipherList.parse(list), {
    onLeft: (error) => error.problem,
    onRight: () => assert.fail(`${list} was read`)
  })

// prettier-ignore
const lists: ReadonlyArray<string> = [
  "ALL", "DEFAULT", "HIGH", "FIPS", "COMPLEMENTOFDEFAULT", "ALL:!eNULL",
  "ECDHE", "EECDH", "kECDHE", "kEECDH", "ECDH", "DHE", "EDH", "kDHE", "kEDH", "DH", "kRSA", "RSA", "aRSA", "aECDSA", "ECDSA", "aPSK",
  "PSK", "kPSK", "kDHEPSK", "kECDHEPSK", "kRSAPSK", "AES", "AES128", "AES256", "AESGCM", "AESCCM", "AESCCM8", "CBC", "CHACHA20", "SHA",
  "SHA1", "SHA256", "SHA384", "SSLv3", "TLSv1", "TLSv1.0", "TLSv1.2",
  "HIGH:!aNULL", "HIGH:!aNULL:!MD5", "HIGH:!aNULL:!eNULL:!EXPORT:!DES:!MD5:!PSK:!RC4", "DEFAULT:!PSK", "DEFAULT:!kRSA", "DEFAULT:!SHA1",
  "DEFAULT:+RSA", "DEFAULT:@STRENGTH", "DEFAULT:-AES128", "DEFAULT-SHA1", "DEFAULT+AES256", "DEFAULT!PSK", "DEFAULT@STRENGTH",
  "DEFAULT:AESCCM", "DEFAULT:-ALL:AES128-SHA", "ECDHE+AESGCM", "ECDHE+AESGCM:ECDHE+CHACHA20", "EECDH+AESGCM:EDH+AESGCM",
  "ECDHE+AESGCM:DHE+AESGCM:ECDHE+AES:DHE+AES:RSA+AESGCM:RSA+AES", "ECDHE+aRSA+AES256", "kECDHE+aECDSA+SHA384",
  "AES256+EECDH:AES256+EDH", "EECDH+CHACHA20:EECDH+AES128:RSA+AES128:EECDH+AES256:RSA+AES256:!MD5",
  "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256:!aNULL:!eNULL:!EXPORT:!DES:!RC4:!3DES:!MD5:!PSK",
  "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-SHA384:DHE-RSA-AES128-GCM-SHA256:!DES-CBC3-SHA:!KRB5-DES-CBC3-SHA",
  "AES128-SHA:AES256-SHA:+AES128-SHA", "+AES128-SHA:AES256-SHA", "AES128-SHA:AES128-SHA", "AES128-SHA AES256-SHA", "AES128-SHA,AES256-SHA",
  "AES128-SHA;AES256-SHA", ":AES128-SHA::AES256-SHA:", "ALL!PSK", "ALL -PSK+AES256", "ALL!PSK -aRSA kRSA", "ALL:-ECDHE:ECDHE",
  "ALL:-AES256:-AES128:AES", "ALL:-AES128:-AES256:AES", "-ALL:AES128-SHA", "ALL:-kRSA:-ECDHE:CHACHA20:ALL", "ALL:-SHA384:+SHA256:SHA384",
  "!AES128-SHA:AES128-SHA:AES256-SHA", "!ALL:AES128-SHA", "AES128+CHACHA20", "AES128+CHACHA20:AES128-SHA", "AES128-SHA+aRSA", "AES128-SHA+ECDHE",
  "AES128-SHA+HIGH", "AES128-SHA+FIPS", "FIPS+HIGH", "HIGH+FIPS", "FIPS+ALL", "TLSv1.2+AES", "TLSv1.2+SSLv3", "AES128-SHA+TLSv1.2", "SSLv3+kRSA",
  "AES128-SHA+AES256-SHA", "COMPLEMENTOFDEFAULT+PSK", "COMPLEMENTOFDEFAULT+HIGH", "HIGH+COMPLEMENTOFDEFAULT", "COMPLEMENTOFDEFAULT+AES128-SHA", "COMPLEMENTOFDEFAULT:-AESCCM8:ALL", "AES128-CCM+COMPLEMENTOFDEFAULT",
  "ALL:@STRENGTH", "AES128:AES256:@STRENGTH", "AES128-SHA@STRENGTH", "AES128:AES256:@STRENGTH:AESCCM:@STRENGTH", "@STRENGTH:ALL",
  "PSK:@STRENGTH:!kRSAPSK", "kRSAPSK+AESGCM", "aRSA+PSK", "RSA+PSK", "PSK+AESCCM8:kPSK", "DHE+CBC:ECDHE+CBC:+SHA1", "CBC+SHA384:CBC+SHA",
  "HIGH:+SHA1:+kRSA", "HIGH:!SHA:!SHA256", "HIGH:!CAMELLIA:!ARIA:!DSS:!SRP", "AESGCM:!aPSK:!aRSA", "ECDSA:ECDHE:DHE", "DHE:ECDHE:@STRENGTH"
]

describe("the suites of TLS 1.2", () => {
  it("have each their own code point and names", () => {
    assert.strictEqual(CipherSuite.registry12.length, 73)
    for (const field of ["code", "name", "openssl"] as const) {
      assert.strictEqual(new Set(CipherSuite.registry12.map((suite) => suite[field])).size, 73)
    }
    for (const suite of CipherSuite.registry12) {
      assert.strictEqual(CipherSuite.info12(suite.code), suite)
      assert.strictEqual(CipherSuite.fromName12(suite.name), suite)
      assert.strictEqual(CipherSuite.fromName12(suite.openssl), suite)
      assert.strictEqual(CipherSuite.name(suite.code), suite.name)
    }
  })

  it("are none that a handshake of TLS 1.3 knows", () => {
    for (const { code, name, openssl } of CipherSuite.registry12) {
      assert.isUndefined(CipherSuite.info(code))
      assert.isUndefined(CipherSuite.fromName(name))
      assert.isUndefined(CipherSuite.fromName(openssl))
    }
  })

  it.each([
    [
      "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
      {
        code: 0xc02b,
        openssl: "ECDHE-ECDSA-AES128-GCM-SHA256",
        since: "TLSv1.2",
        keyExchange: "ECDHE",
        authentication: "ECDSA",
        forwardSecrecy: true,
        cipher: { _tag: "Aead", aead: "AES-128-GCM" },
        hash: "SHA-256",
        strength: 128
      }
    ],
    [
      "TLS_RSA_WITH_AES_256_CBC_SHA",
      {
        code: 0x0035,
        since: "SSLv3",
        keyExchange: "RSA",
        authentication: "RSA",
        forwardSecrecy: false,
        cipher: { _tag: "Cbc", cbc: "AES-256-CBC", mac: "SHA-1" },
        hash: "SHA-256",
        strength: 256
      }
    ],
    [
      "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384",
      { code: 0xc028, cipher: { _tag: "Cbc", cbc: "AES-256-CBC", mac: "SHA-384" }, hash: "SHA-384" }
    ],
    [
      "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
      { code: 0xccaa, keyExchange: "DHE", cipher: { _tag: "Aead", aead: "CHACHA20-POLY1305" }, strength: 256 }
    ],
    [
      "TLS_PSK_DHE_WITH_AES_128_CCM_8",
      {
        keyExchange: "DHE_PSK",
        authentication: "PSK",
        forwardSecrecy: true,
        cipher: { _tag: "Aead", aead: "AES-128-CCM-8" }
      }
    ],
    ["TLS_RSA_PSK_WITH_AES_256_GCM_SHA384", { keyExchange: "RSA_PSK", authentication: "RSA", forwardSecrecy: false }],
    ["TLS_DHE_RSA_WITH_AES_256_CCM", { cipher: { _tag: "Aead", aead: "AES-256-CCM" }, hash: "SHA-256", strength: 256 }]
  ])("%s", (name, expected) => {
    assert.deepInclude(CipherSuite.fromName12(name), expected as Partial<CipherSuite.CipherSuite12Info>)
  })
})

describe.skipIf(!hasOpenssl30)(`compared with OpenSSL (${where})`, () => {
  it("our suites are what it says of them", () => {
    const keyExchanges: Readonly<Record<string, string>> = {
      ECDHE: "ECDH",
      DHE: "DH",
      RSA: "RSA",
      PSK: "PSK",
      RSA_PSK: "RSAPSK",
      DHE_PSK: "DHEPSK",
      ECDHE_PSK: "ECDHEPSK"
    }
    const printed = (suite: CipherSuite.CipherSuite12Info): Line => {
      const { cipher } = suite
      const encryption =
        cipher._tag === "Cbc"
          ? "AES"
          : cipher.aead === "CHACHA20-POLY1305"
            ? "CHACHA20/POLY1305"
            : `AES${cipher.aead.replace(/^AES-\d+-/, "").replace("-", "")}`
      return {
        name: suite.openssl,
        since: suite.since,
        keyExchange: keyExchanges[suite.keyExchange]!,
        authentication: suite.authentication,
        encryption: `${encryption}(${suite.strength})`,
        mac: cipher._tag === "Cbc" ? cipher.mac.replace("-", "") : "AEAD"
      }
    }
    assert.deepStrictEqual(ask("ALL"), CipherSuite.registry12.map(printed))
  })
  it.each(lists)("a string selects what it selects: %s", (list) => {
    assert.deepStrictEqual(
      select(list),
      ask(list).map(({ name }) => name)
    )
  })

  it.each([0, 1, 2, 3, 4, 5] as const)("a string keeps to security level %i as it does", (level) => {
    const expected = ask("ALL", level).map(({ name }) => name)
    assert.deepStrictEqual(select(`ALL:@SECLEVEL=${level}`), expected)
    const { securityLevel, suites12 } = Either.getOrThrow(OpenSslCipherList.parse("ALL", { securityLevel: level }))
    assert.deepStrictEqual(
      suites12!.map(({ openssl }) => openssl),
      expected
    )
    assert.isUndefined(securityLevel)
  })

  const known = [
    ...CipherSuite.registry12.map(({ openssl }) => openssl),
    // Aliases three times as often as each suite, or hardly anything would ever be moved.
    ...Array.from({ length: 3 }, () =>
      lists.slice(0, 43).filter((list) => /^[A-Za-z0-9.]+$/.test(list) && list !== "DEFAULT")
    ).flat()
  ]
  const element = FastCheck.tuple(
    FastCheck.constantFrom("", "", "", "+", "-", "!"),
    FastCheck.array(FastCheck.constantFrom(...known), { minLength: 1, maxLength: 3 })
  ).map(([prefix, names]) => prefix + names.join("+"))
  const random = FastCheck.tuple(
    FastCheck.constantFrom("", "", "DEFAULT", "ALL"),
    element,
    FastCheck.array(
      FastCheck.oneof(
        { weight: 9, arbitrary: element },
        { weight: 1, arbitrary: FastCheck.constantFrom("@STRENGTH", "!CAMELLIA", "-DES-CBC3-SHA") }
      ),
      { maxLength: 6 }
    ),
    FastCheck.constantFrom(":", ",", " ", ";")
  ).map(([start, first, others, separator]) => [...(start === "" ? [] : [start]), first, ...others].join(separator))

  it("any string selects what it selects", { timeout: 120_000 }, () => {
    FastCheck.assert(
      FastCheck.property(random, (list) => {
        assert.deepStrictEqual(
          select(list),
          ask(list).map(({ name }) => name)
        )
      }),
      { numRuns: 400 }
    )
  })
})

describe("a cipher string", () => {
  it("takes IANA's names for OpenSSL's", () => {
    assert.deepStrictEqual(
      select("TLS_RSA_WITH_AES_128_CBC_SHA:TLS_PSK_DHE_WITH_AES_128_CCM_8:TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256+ECDHE"),
      select("AES128-SHA:DHE-PSK-AES128-CCM8:ECDHE-RSA-AES128-GCM-SHA256")
    )
  })

  it("may be Node's default, which names suites that there are not", () => {
    const list = Either.getOrThrow(OpenSslCipherList.parse(DEFAULT_CIPHERS))
    assert.include(DEFAULT_CIPHERS, "DHE-RSA-AES256-SHA384")
    assert.include(DEFAULT_CIPHERS, "ECDHE-RSA-AES256-SHA256")
    assert.deepStrictEqual(
      list.suites13?.map(({ name }) => name),
      ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"]
    )
    assert.deepStrictEqual(
      list.suites12?.slice(0, 2).map(({ openssl }) => openssl),
      ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"]
    )
  })

  it("has names of TLS 1.3 among others, in their order", () => {
    const list = Either.getOrThrow(
      OpenSslCipherList.parse(
        "TLS_CHACHA20_POLY1305_SHA256:ECDHE+AESGCM:TLS_AES_128_GCM_SHA256:!aECDSA:TLS_CHACHA20_POLY1305_SHA256:@SECLEVEL=2"
      )
    )
    assert.deepStrictEqual(
      list.suites13?.map(({ name }) => name),
      ["TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"]
    )
    assert.deepStrictEqual(
      list.suites12?.map(({ openssl }) => openssl),
      ["ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256"]
    )
    assert.strictEqual(list.securityLevel, 2)
  })

  it("says nothing of the version whose suites it does not name", () => {
    assert.isUndefined(Either.getOrThrow(OpenSslCipherList.parse("ECDHE")).suites13)
    assert.isUndefined(Either.getOrThrow(OpenSslCipherList.parse("TLS_AES_128_GCM_SHA256")).suites12)
    assert.isUndefined(Either.getOrThrow(OpenSslCipherList.parse("ECDHE")).securityLevel)
  })

  it("leaves out suites of TLS 1.3 that a security level does not allow", () => {
    const { suites13 } = Either.getOrThrow(
      OpenSslCipherList.parse("TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:@SECLEVEL=4")
    )
    assert.deepStrictEqual(
      suites13?.map(({ name }) => name),
      ["TLS_AES_256_GCM_SHA384"]
    )
  })

  it.each([
    ["", "the list names no cipher"],
    ["::", "the list names no cipher"],
    ["@STRENGTH", "the list names no cipher"],
    ["ALL:!ALL", "the list selects no suite of TLS 1.2"],
    ["kRSA:@SECLEVEL=3", "the list selects no suite of TLS 1.2 that security level 3 allows"],
    ["TLS_AES_128_GCM_SHA256:@SECLEVEL=4", "the list selects no suite of TLS 1.3 that security level 4 allows"],
    [
      "ECDHE-RSA-AES128-GCM-SHA265",
      'unknown cipher "ECDHE-RSA-AES128-GCM-SHA265", did you mean "ECDHE-RSA-AES128-GCM-SHA256"?'
    ],
    ["TLS_AES_128_GCM_SHA265", 'unknown cipher "TLS_AES_128_GCM_SHA265", did you mean "TLS_AES_128_GCM_SHA256"?'],
    ["ECDHE:!AESGMC", 'unknown cipher "AESGMC", did you mean "AESGCM"?'],
    ["ECDHE+AESGCN", 'unknown cipher "AESGCN", did you mean "AESGCM"?'],
    ["aes128-sha", 'unknown cipher "aes128-sha", did you mean "AES128-SHA"?'],
    ["DEFAULTFOO", 'unknown cipher "DEFAULTFOO", did you mean "DEFAULT"?'],
    [
      "xyzzy-plugh",
      "unknown cipher \"xyzzy-plugh\": names are IANA's or OpenSSL's, aliases those of `openssl ciphers`"
    ],
    ["HIGH:TLSv1.3", '"TLSv1.3" is no alias: suites of TLS 1.3 are listed by name, and TLS 1.1 has none of its own'],
    ["-TLSv1.1", '"TLSv1.1" is no alias: suites of TLS 1.3 are listed by name, and TLS 1.1 has none of its own'],
    ["AES+".repeat(100), `a name is missing at the end of ${JSON.stringify("AES+".repeat(16))}`],
    ["ALL:DEFAULT", "`DEFAULT` has a meaning only as the beginning of the list"],
    ["SUITEB128", '"SUITEB128": Suite B is not implemented'],
    ["CAMELLIA", '"CAMELLIA": no suite with CAMELLIA is offered here, leave it out'],
    ["ECDHE+aNULL", '"ECDHE+aNULL": no suite with aNULL is offered here, leave it out'],
    ["HIGH:DES-CBC3-SHA", '"DES-CBC3-SHA": no suite with DES is offered here, leave it out'],
    ["ALL:COMPLEMENTOFALL", '"COMPLEMENTOFALL": no suite with COMPLEMENTOFALL is offered here, leave it out'],
    ["ALL:@SECLEVEL=6", 'unknown command "@SECLEVEL=6": known are @STRENGTH and @SECLEVEL=0 to @SECLEVEL=5'],
    ["ALL:@STRENGHT", 'unknown command "@STRENGHT": known are @STRENGTH and @SECLEVEL=0 to @SECLEVEL=5'],
    ["ALL:!", 'a name is missing at the end of "!"'],
    ["ECDHE+", 'a name is missing at the end of "ECDHE+"'],
    ["ALL:!:AES", 'a name is missing at character 6, found ":"'],
    ["AES/GCM", 'a name is missing at character 4, found "/"'],
    [
      "ALL:!TLS_AES_128_CCM_SHA256",
      '"!TLS_AES_128_CCM_SHA256": a suite of TLS 1.3 is listed by its name alone, and those that are not listed are not offered'
    ],
    [
      "TLS_AES_128_GCM_SHA256+ECDHE",
      '"TLS_AES_128_GCM_SHA256+ECDHE": a suite of TLS 1.3 is listed by its name alone, and those that are not listed are not offered'
    ]
  ])("says what is wrong with %j", (list, expected) => {
    assert.strictEqual(problem(list), expected)
  })

  it("is read or refused, never thrown at, whatever it is", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.string({ maxLength: 40, unit: "binary" }), (list) => {
        assert.isTrue(Either.isEither(OpenSslCipherList.parse(list)))
      })
    )
  })
})
