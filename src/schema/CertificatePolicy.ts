/**
 * Certificate policies: under which rules a certificate was issued, and what authorities say about each other's rules
 * (RFC 5280 §4.2.1.4, §4.2.1.5, §4.2.1.11, §4.2.1.14).
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Der from "./Der.ts"
import type { DerString } from "./DerString.ts"
import * as DerStrings from "./DerString.ts"
import type { ObjectIdentifier } from "./ObjectIdentifier.ts"
import { oids } from "./ObjectIdentifier.ts"

/**
 * What else is said of a policy, for people. Nothing is decided by it, so one that is not as RFC 5280 has it costs
 * nobody their certificate: it stays `Other`, whose `value` is its DER.
 *
 * @since 0.1.0
 * @category models
 */
export type PolicyQualifier =
  | { readonly _tag: "Cps"; readonly uri: string }
  | {
      readonly _tag: "UserNotice"
      readonly reference: { readonly organization: DerString; readonly numbers: ReadonlyArray<number> } | undefined
      readonly text: DerString | undefined
    }
  | { readonly _tag: "Other"; readonly oid: ObjectIdentifier; readonly value: Uint8Array }

/**
 * @since 0.1.0
 * @category models
 */
export interface PolicyInformation {
  readonly policy: ObjectIdentifier
  readonly qualifiers: ReadonlyArray<PolicyQualifier>
}

/**
 * The issuer's policy counts as the subject's.
 *
 * @since 0.1.0
 * @category models
 */
export interface PolicyMapping {
  readonly issuerDomainPolicy: ObjectIdentifier
  readonly subjectDomainPolicy: ObjectIdentifier
}

/**
 * RFC 5280 §4.2.1.11: after so many more certificates. At least one of them is there.
 *
 * @since 0.1.0
 * @category models
 */
export interface PolicyConstraints {
  readonly requireExplicitPolicy: number | undefined
  readonly inhibitPolicyMapping: number | undefined
}

// ---------------------------------------------------------------------------------------------------------------------
// Reading
// ---------------------------------------------------------------------------------------------------------------------

const decodeCps = Der.decode("CPSuri", (reader) => reader.ascii())

const decodeUserNotice = Der.decode("UserNotice", (reader) =>
  reader.within(Der.Tag.Sequence, (inner) => {
    const reference = inner.optional(Der.Tag.Sequence, (notice) => ({
      organization: DerStrings.read(notice),
      numbers: notice.sequenceOf((item) => item.unsigned())
    }))
    return { reference, text: inner.isEmpty ? undefined : DerStrings.read(inner) }
  })
)

const readQualifier = (reader: Der.DerReader): PolicyQualifier =>
  reader.within(Der.Tag.Sequence, (inner): PolicyQualifier => {
    const oid = inner.oid()
    const value = inner.element()
    if (oid === oids.cps) {
      const uri = decodeCps(value)
      if (Either.isRight(uri)) return { _tag: "Cps", uri: uri.right }
    } else if (oid === oids.userNotice) {
      const notice = decodeUserNotice(value)
      if (Either.isRight(notice)) return { _tag: "UserNotice", ...notice.right }
    }
    return { _tag: "Other", oid, value }
  })

const none: ReadonlyArray<PolicyQualifier> = []

/**
 * Reads CertificatePolicies within a decoder: at least one, and none twice (RFC 5280 §4.2.1.4).
 *
 * @since 0.1.0
 * @category decoding
 */
export const readPolicies = (reader: Der.DerReader): ReadonlyArray<PolicyInformation> => {
  const seen = new Set<string>()
  return reader.sequenceOf(
    (item) =>
      item.within(Der.Tag.Sequence, (inner) => {
        const policy = inner.oid()
        if (seen.has(policy)) inner.fail(`the policy ${policy} twice`)
        seen.add(policy)
        return { policy, qualifiers: inner.isEmpty ? none : inner.sequenceOf(readQualifier, 1) }
      }),
    1
  )
}

/**
 * Reads PolicyMappings within a decoder: at least one.
 *
 * @since 0.1.0
 * @category decoding
 */
export const readMappings = (reader: Der.DerReader): ReadonlyArray<PolicyMapping> =>
  reader.sequenceOf(
    (item) =>
      item.within(Der.Tag.Sequence, (inner) => ({ issuerDomainPolicy: inner.oid(), subjectDomainPolicy: inner.oid() })),
    1
  )

/**
 * Reads PolicyConstraints within a decoder.
 *
 * @since 0.1.0
 * @category decoding
 */
export const readConstraints = (reader: Der.DerReader): PolicyConstraints =>
  reader.within(Der.Tag.Sequence, (inner) => {
    const requireExplicitPolicy = inner.peek() === 0x80 ? inner.unsigned(0x80) : undefined
    const inhibitPolicyMapping = inner.peek() === 0x81 ? inner.unsigned(0x81) : undefined
    if (requireExplicitPolicy === undefined && inhibitPolicyMapping === undefined) {
      inner.fail("policy constraints that constrain nothing")
    }
    return { requireExplicitPolicy, inhibitPolicyMapping }
  })

// ---------------------------------------------------------------------------------------------------------------------
// Writing
// ---------------------------------------------------------------------------------------------------------------------

const encodeQualifier = (qualifier: PolicyQualifier): Uint8Array => {
  switch (qualifier._tag) {
    case "Cps":
      return Der.sequence(Der.oid(oids.cps), Der.ascii(qualifier.uri))
    case "UserNotice": {
      const { reference, text } = qualifier
      return Der.sequence(
        Der.oid(oids.userNotice),
        Der.sequence(
          ...(reference === undefined
            ? []
            : [
                Der.sequence(
                  DerStrings.encode(reference.organization),
                  Der.sequence(...reference.numbers.map((number) => Der.integer(number)))
                )
              ]),
          ...(text === undefined ? [] : [DerStrings.encode(text)])
        )
      )
    }
    case "Other":
      return Der.sequence(Der.oid(qualifier.oid), qualifier.value)
  }
}

/**
 * The DER of CertificatePolicies.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodePolicies = (policies: Iterable<PolicyInformation>): Uint8Array =>
  Der.sequence(
    ...Array.from(policies, ({ policy, qualifiers }) =>
      Der.sequence(
        Der.oid(policy),
        ...(qualifiers.length === 0 ? [] : [Der.sequence(...qualifiers.map(encodeQualifier))])
      )
    )
  )

/**
 * The DER of PolicyMappings.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodeMappings = (mappings: Iterable<PolicyMapping>): Uint8Array =>
  Der.sequence(
    ...Array.from(mappings, ({ issuerDomainPolicy, subjectDomainPolicy }) =>
      Der.sequence(Der.oid(issuerDomainPolicy), Der.oid(subjectDomainPolicy))
    )
  )

/**
 * The DER of PolicyConstraints.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodeConstraints = ({ inhibitPolicyMapping, requireExplicitPolicy }: PolicyConstraints): Uint8Array =>
  Der.sequence(
    ...(requireExplicitPolicy === undefined ? [] : [Der.integer(requireExplicitPolicy, 0x80)]),
    ...(inhibitPolicyMapping === undefined ? [] : [Der.integer(inhibitPolicyMapping, 0x81)])
  )
