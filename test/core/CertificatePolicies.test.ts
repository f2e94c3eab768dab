import { assert, describe, it } from "@effect/vitest"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Arbitrary from "effect/Arbitrary"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import type { PolicyOptions } from "../../src/core/CertificatePolicies.ts"
import * as CertificatePolicies from "../../src/core/CertificatePolicies.ts"
import * as AlgorithmIdentifier from "../../src/schema/AlgorithmIdentifier.ts"
import type { Certificate } from "../../src/schema/Certificate.ts"
import * as Certificates from "../../src/schema/Certificate.ts"
import * as CertificateExtension from "../../src/schema/CertificateExtension.ts"
import * as Der from "../../src/schema/Der.ts"
import * as DistinguishedName from "../../src/schema/DistinguishedName.ts"
import type { ObjectIdentifier } from "../../src/schema/ObjectIdentifier.ts"
import { make as oid, oids } from "../../src/schema/ObjectIdentifier.ts"
import * as PublicKey from "../../src/schema/PublicKey.ts"
import type { Inputs, Statement } from "../support/policyTree.ts"
import * as PolicyTree from "../support/policyTree.ts"

const { anyPolicy } = PolicyTree
const policyOf = (name: string): ObjectIdentifier => (name === anyPolicy ? oids.anyPolicy : oid(`2.999.${name}`))
const nameOf = (policy: ObjectIdentifier): string => (policy === oids.anyPolicy ? anyPolicy : policy.slice(6))

const ed25519 = AlgorithmIdentifier.encode({ _tag: "Ed25519" })
const { spki } = PublicKey.edwards("Ed25519", new Uint8Array(32).fill(1))

/** A certificate that says what it says about policies; nobody signed it, which nobody here asks. */
const certificate = (issuer: string, subject: string, statement: Statement): Certificate => {
  const { inhibitAnyPolicy, inhibitPolicyMapping, mappings, policies, requireExplicitPolicy } = statement
  const extensions: Array<CertificateExtension.Raw> = []
  if (policies !== undefined) {
    const stated = policies.map((name) => ({ policy: policyOf(name), qualifiers: [] }))
    extensions.push(CertificateExtension.make({ _tag: "CertificatePolicies", policies: stated }))
  }
  if (mappings !== undefined && mappings.length > 0) {
    const mapped = mappings.map(([from, to]) => ({
      issuerDomainPolicy: policyOf(from),
      subjectDomainPolicy: policyOf(to)
    }))
    extensions.push(CertificateExtension.make({ _tag: "PolicyMappings", mappings: mapped }))
  }
  if (requireExplicitPolicy !== undefined || inhibitPolicyMapping !== undefined) {
    const constraints = { requireExplicitPolicy, inhibitPolicyMapping }
    extensions.push(CertificateExtension.make({ _tag: "PolicyConstraints", ...constraints }))
  }
  if (inhibitAnyPolicy !== undefined) {
    extensions.push(CertificateExtension.make({ _tag: "InhibitAnyPolicy", skipCertificates: inhibitAnyPolicy }))
  }
  const name = (commonName: string) => DistinguishedName.fromAttributes([[oids.commonName, commonName]]).der
  const tbs = Der.sequence(
    Der.value(0xa0, Der.integer(2)),
    Der.integer(1),
    ed25519,
    name(issuer),
    Der.sequence(Der.time(0), Der.time(0)),
    name(subject),
    spki,
    ...(extensions.length === 0 ? [] : [Der.value(0xa3, Der.sequence(...extensions.map(CertificateExtension.encode)))])
  )
  return Either.getOrThrow(Certificates.decode(Der.sequence(tbs, ed25519, Der.bitString(new Uint8Array(64)))))
}

/** The path, from the leaf to the anchor, of statements from the first below the anchor to the leaf. */
const pathOf = (statements: ReadonlyArray<Statement>, anchor: Statement = {}): NonEmptyReadonlyArray<Certificate> => {
  let issuer = "anchor"
  const path = [certificate(issuer, issuer, anchor)]
  for (const [index, statement] of statements.entries()) {
    const subject = statement.selfIssued === true ? issuer : `level ${index}`
    path.unshift(certificate(issuer, subject, statement))
    issuer = subject
  }
  return path as [Certificate, ...Array<Certificate>]
}

const optionsOf = ({ acceptable, ...flags }: Inputs): PolicyOptions => ({
  ...flags,
  ...(acceptable === undefined ? {} : { acceptable: acceptable.map(policyOf) })
})

const outcomeOf = (
  statements: ReadonlyArray<Statement>,
  inputs: Inputs = {},
  anchor: Statement = {},
  policies = 100_000
) => CertificatePolicies.evaluate(pathOf(statements, anchor), optionsOf(inputs), { policies })

/** The acceptable policies by name, or where it is not valid. */
const evaluate = (...args: Parameters<typeof outcomeOf>): string => {
  const outcome = outcomeOf(...args)
  switch (outcome._tag) {
    case "Valid":
      return outcome.policies.userConstrained.map(nameOf).sort().join(" ")
    case "Violation":
      return `not ${outcome.index}`
    case "Exhausted":
      return "exhausted"
  }
}

const explicit = { requireExplicitPolicy: true } as const
const one: Statement = { policies: ["1"] }

describe("CertificatePolicies", () => {
  it("are those that every certificate has", () => {
    assert.strictEqual(evaluate([one, one]), "1")
    assert.strictEqual(evaluate([{ policies: ["1", "2"] }, { policies: ["2", "3"] }]), "2")
    assert.strictEqual(evaluate([{ policies: ["any"] }, { policies: ["2", "3"] }]), "2 3")
    assert.strictEqual(evaluate([{ policies: ["any"] }, { policies: ["any"] }]), "any")
    assert.strictEqual(evaluate([{ policies: ["1", "2"] }, { policies: ["any"] }]), "1 2")
    assert.strictEqual(evaluate([one, { policies: ["2"] }]), "")
    assert.strictEqual(evaluate([one, {}, one]), "")
    assert.strictEqual(evaluate([]), "any")
  })

  it("are asked for by the caller", () => {
    assert.strictEqual(evaluate([one, one], { ...explicit, acceptable: ["1"] }), "1")
    assert.strictEqual(evaluate([one, one], { ...explicit, acceptable: ["2"] }), "not 0")
    assert.strictEqual(evaluate([one, one], { acceptable: ["2"] }), "")
    assert.strictEqual(evaluate([one, one], { ...explicit, acceptable: ["any", "2"] }), "1")
    assert.strictEqual(evaluate([{ policies: ["any"] }, { policies: ["any"] }], { acceptable: ["1", "2"] }), "1 2")
    assert.strictEqual(evaluate([one, {}], explicit), "not 0")
    assert.strictEqual(evaluate([one, {}, one, one], explicit), "not 2")
    assert.strictEqual(evaluate([], { ...explicit, acceptable: ["1"] }), "1")
    const outcome = outcomeOf([one, one], { ...explicit, acceptable: ["2"] })
    assert.deepInclude(outcome, { _tag: "Violation", detail: "its certificate policies are 2.999.1, not 2.999.2" })
  })

  it("are asked for by authorities, so many certificates below", () => {
    const after = (count: number, ...below: ReadonlyArray<Statement>) =>
      evaluate([{ ...one, requireExplicitPolicy: count }, ...below])
    assert.strictEqual(after(0, {}), "not 0")
    assert.strictEqual(after(1, {}), "not 0")
    assert.strictEqual(after(2, {}), "")
    assert.strictEqual(after(1, {}, one), "not 0")
    assert.strictEqual(after(1, one, {}), "not 0")
    assert.strictEqual(after(0, {}, one), "not 1")
    assert.strictEqual(after(1, { selfIssued: true }, {}), "not 0")
    assert.strictEqual(after(2, { selfIssued: true }, {}), "")
    // What is required is required for good, and at last by the leaf itself.
    assert.strictEqual(after(0, { ...one, requireExplicitPolicy: 5 }, {}), "not 0")
    assert.strictEqual(evaluate([one, { requireExplicitPolicy: 0 }]), "not 0")
    assert.strictEqual(evaluate([one, { requireExplicitPolicy: 1 }]), "")
    assert.strictEqual(evaluate([{}], {}, { requireExplicitPolicy: 0 }), "not 0")
    assert.strictEqual(evaluate([one], {}, { requireExplicitPolicy: 0 }), "1")
  })

  it("are those that mappings equate", () => {
    const mapping: Statement = { policies: ["1"], mappings: [["1", "2"]] }
    assert.strictEqual(evaluate([mapping, { policies: ["2"] }]), "1")
    assert.strictEqual(evaluate([mapping, one]), "")
    assert.strictEqual(evaluate([mapping, { policies: ["2"] }], { ...explicit, acceptable: ["2"] }), "not 0")
    assert.strictEqual(evaluate([mapping, { policies: ["any"] }]), "1")
    assert.strictEqual(evaluate([{ policies: ["any"], mappings: [["1", "2"]] }, { policies: ["2", "3"] }]), "1 3")
    assert.strictEqual(evaluate([{ policies: ["3"], mappings: [["1", "2"]] }, { policies: ["2"] }]), "")
    assert.strictEqual(
      evaluate([
        {
          policies: ["1", "2"],
          mappings: [
            ["1", "3"],
            ["2", "3"]
          ]
        },
        { policies: ["3"] }
      ]),
      "1 2"
    )
    assert.strictEqual(
      evaluate([
        {
          policies: ["1"],
          mappings: [
            ["1", "2"],
            ["1", "3"],
            ["1", "2"]
          ]
        },
        { policies: ["3"] }
      ]),
      "1"
    )
  })

  it("are not mapped where that is inhibited, nor ever from or to all", () => {
    const mapping: Statement = { policies: ["1", "4"], mappings: [["1", "2"]] }
    const below: Statement = { policies: ["1", "2", "4"] }
    assert.strictEqual(evaluate([mapping, below], { inhibitPolicyMapping: true }), "4")
    assert.strictEqual(evaluate([{ ...one, mappings: [["1", "1"]] }, one], { inhibitPolicyMapping: true }), "")
    assert.strictEqual(evaluate([{ ...mapping, inhibitPolicyMapping: 0 }, below]), "1 4")
    assert.strictEqual(evaluate([{ policies: ["any"], inhibitPolicyMapping: 0 }, mapping, below]), "4")
    assert.strictEqual(evaluate([{ policies: ["any"], inhibitPolicyMapping: 1 }, mapping, below]), "1 4")
    assert.strictEqual(evaluate([{ policies: ["any"] }, mapping, below], {}, { inhibitPolicyMapping: 0 }), "4")
    assert.strictEqual(evaluate([{ policies: ["any"], mappings: [["any", "1"]] }, one]), "not 1")
    assert.strictEqual(evaluate([{ policies: ["any"], mappings: [["1", "any"]] }, one]), "not 1")
    // Of a leaf nobody asks.
    assert.strictEqual(evaluate([one, { ...one, mappings: [["1", "any"]] }]), "1")
  })

  it("are not all where that is inhibited", () => {
    const all: Statement = { policies: ["any"] }
    assert.strictEqual(evaluate([one, all], { inhibitAnyPolicy: true }), "")
    assert.strictEqual(evaluate([{ ...one, inhibitAnyPolicy: 0 }, all]), "")
    assert.strictEqual(evaluate([{ ...one, inhibitAnyPolicy: 1 }, all]), "1")
    assert.strictEqual(evaluate([{ ...one, inhibitAnyPolicy: 1 }, all, all]), "")
    assert.strictEqual(evaluate([{ ...one, inhibitAnyPolicy: 0 }, { ...all, selfIssued: true }, one]), "1")
    assert.strictEqual(
      evaluate([
        { ...one, inhibitAnyPolicy: 0 },
        { ...all, selfIssued: true }
      ]),
      ""
    )
    assert.strictEqual(evaluate([all, one], {}, { inhibitAnyPolicy: 0 }), "")
  })

  it("are what RFC 5280's tree says", () => {
    const name = FastCheck.constantFrom("1", "2", "3", "4", anyPolicy)
    const count = FastCheck.option(FastCheck.nat(3), { nil: undefined, freq: 3 })
    const flag = Arbitrary.make(Schema.Boolean)
    const statement = FastCheck.record({
      policies: FastCheck.option(FastCheck.uniqueArray(name, { minLength: 1, maxLength: 4 }), {
        nil: undefined,
        freq: 10
      }),
      mappings: FastCheck.array(
        FastCheck.tuple(FastCheck.constantFrom("1", "2", "3"), FastCheck.constantFrom("1", "2", "3", "4")),
        { maxLength: 3 }
      ),
      requireExplicitPolicy: count,
      inhibitPolicyMapping: count,
      inhibitAnyPolicy: count,
      selfIssued: FastCheck.boolean()
    }) as FastCheck.Arbitrary<Statement>
    const inputs = FastCheck.record({
      acceptable: FastCheck.option(FastCheck.uniqueArray(name, { minLength: 1, maxLength: 3 }), { nil: undefined }),
      requireExplicitPolicy: flag,
      inhibitPolicyMapping: flag,
      inhibitAnyPolicy: flag
    }) as FastCheck.Arbitrary<Inputs>
    const seen = { valid: 0, empty: 0, not: 0 }
    FastCheck.assert(
      FastCheck.property(FastCheck.array(statement, { minLength: 1, maxLength: 5 }), inputs, (statements, asked) => {
        const expected = PolicyTree.evaluate(statements, asked)
        const outcome = outcomeOf(statements, asked)
        seen[expected === undefined ? "not" : expected.size === 0 ? "empty" : "valid"]++
        assert.strictEqual(outcome._tag, expected === undefined ? "Violation" : "Valid")
        if (outcome._tag !== "Valid") return
        assert.deepStrictEqual(outcome.policies.userConstrained.map(nameOf).sort(), [...expected!].sort())
      }),
      { numRuns: 3000 }
    )
    for (const times of Object.values(seen)) assert.isAbove(times, 100)
  })

  it("of authorities that mean harm cost no more than they wrote", () => {
    // Each level maps both policies to both, which makes 2^n leaves of a tree.
    const both: Statement = {
      policies: ["1", "2"],
      mappings: [
        ["1", "1"],
        ["1", "2"],
        ["2", "1"],
        ["2", "2"]
      ]
    }
    const statements = Array.from({ length: 40 }, () => both)
    assert.strictEqual(evaluate(statements, explicit), "1 2")
    assert.strictEqual(evaluate(statements, explicit, {}, 500), "1 2")
    assert.strictEqual(evaluate(statements, explicit, {}, 300), "exhausted")
    const names = Array.from({ length: 3000 }, (_, n) => `${n}`)
    const wide: Statement = { policies: ["any", ...names], mappings: names.map((name) => [name, names[0]!] as const) }
    const start = performance.now()
    assert.strictEqual(evaluate([wide, wide, wide, wide], { acceptable: ["0"] }), "0")
    assert.isBelow(performance.now() - start, 5000)
    assert.strictEqual(evaluate([wide, wide, wide, wide], {}, {}, 10_000), "exhausted")
  })
})
