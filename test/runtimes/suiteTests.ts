/** What a report of the suite has to say, whatever runtime and provider it comes from. */
import * as Crypto from "node:crypto"
import { CipherSuite, NamedGroup, SignatureScheme } from "effect-tls"
import { assert, it } from "vitest"
import { allWell, summary } from "./expectations.ts"
import type { Declared, Report } from "./suite.ts"

export interface Expected {
  /** At least. A runtime may learn more with its next version. */
  readonly declared: Declared
  readonly defaultGroup: Declared["groups"][number]
}

const suites = CipherSuite.registry.map(({ name }) => name)
const groups = NamedGroup.registry.map(({ name }) => name)
/** Where finite fields are computed by a library for it, in a time that tells nothing. */
const withoutFields = (names: Declared["groups"]) => names.filter((name) => !name.startsWith("ffdhe"))
const schemes = SignatureScheme.registry.filter(({ handshake }) => handshake).map(({ name }) => name)

const notRsa = (name: string) => !name.startsWith("rsa_")

/** Everything, but RSA is only verified; ML-KEM and the larger curves are not for every handshake. */
export const noble: Expected = {
  declared: {
    suites,
    groups: withoutFields(groups),
    nativeGroups: ["x25519", "secp256r1", "secp384r1"],
    schemes,
    signs: schemes.filter(notRsa)
  },
  defaultGroup: "x25519"
}

const classical = groups.filter((name) => name !== "X25519MLKEM768")

const onNode: Expected = {
  declared: { suites, groups, nativeGroups: classical, schemes, signs: schemes },
  defaultGroup: "x25519"
}

const withoutCcm = suites.filter((name) => !name.includes("_CCM_"))
const without448 = (names: Declared["schemes"]) => names.filter((name) => name !== "ed448")

/** NodeCrypto, by runtime. */
export const node: Readonly<Record<"node" | "node24" | "bun" | "deno", Expected>> = {
  // Whichever Node runs the tests.
  node:
    "encapsulate" in Crypto
      ? { declared: { ...onNode.declared, nativeGroups: groups }, defaultGroup: "X25519MLKEM768" }
      : onNode,
  node24: { declared: { ...onNode.declared, nativeGroups: groups }, defaultGroup: "X25519MLKEM768" },
  bun: {
    declared: {
      suites: withoutCcm.filter((name) => !name.includes("CHACHA20")),
      groups: withoutFields(groups).filter((name) => name !== "x448"),
      nativeGroups: withoutFields(classical).filter((name) => name !== "x448"),
      schemes: without448(schemes),
      signs: without448(schemes)
    },
    defaultGroup: "x25519"
  },
  deno: {
    declared: {
      ...onNode.declared,
      suites: withoutCcm,
      groups: withoutFields(groups),
      nativeGroups: withoutFields(classical)
    },
    defaultGroup: "x25519"
  }
}

const fixed = ["HelloRetryRequest", "client certificates", "errors", "connection"]

/** Declares the tests of a report that will be there when they run. */
export const suiteTests = (what: string, report: () => Report, { declared, defaultGroup }: Expected): void => {
  it("declares what we know of it", () => {
    const found = report().declared
    for (const field of ["suites", "groups", "nativeGroups", "schemes", "signs"] as const) {
      assert.includeMembers([...found[field]], [...declared[field]], field)
    }
    console.log(
      summary(
        what,
        report().checks,
        `; by default ${report().defaults}; ${found.suites.length} suites, groups ${found.groups.join(" ")}, ` +
          `${found.schemes.length} schemes`
      )
    )
  })

  it("shakes hands with every suite, group and scheme it declares, and carries data", () => {
    const { checks, declared: found } = report()
    for (const field of ["suites", "groups", "schemes"] as const) {
      assert.sameMembers([...allWell(checks, field)], [...found[field]], field)
    }
  })

  it("refuses by name what it does not declare", () => {
    const { checks, declared: found } = report()
    const lacking = [
      ...suites.filter((name) => !found.suites.includes(name)),
      ...groups.filter((name) => !found.groups.includes(name)),
      ...schemes.filter((name) => !found.schemes.includes(name))
    ]
    assert.sameMembers(lacking.length === 0 ? [] : [...allWell(checks, "lacks")], lacking)
  })

  it("offers hybrid and classical shares in one hello", () => {
    assert.sameMembers(
      [...allWell(report().checks, "hybrid and classical shares in one hello")],
      ["X25519MLKEM768", "x25519"]
    )
  })

  it(`agrees in ${defaultGroup} when nobody says anything`, () => {
    assert.include(report().defaults.split(" "), defaultGroup)
  })

  it.each(fixed)("%s", (group) => {
    allWell(report().checks, group)
  })
}
