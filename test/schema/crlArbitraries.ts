/** CRLs of random parts, well-formed and signed by nobody. */
import * as FastCheck from "effect/FastCheck"
import * as AlgorithmIdentifier from "../../src/schema/AlgorithmIdentifier.ts"
import type { Raw } from "../../src/schema/CertificateExtension.ts"
import * as CertificateExtension from "../../src/schema/CertificateExtension.ts"
import type { IssuingDistributionPoint, RevocationReason } from "../../src/schema/CrlExtension.ts"
import * as CrlExtension from "../../src/schema/CrlExtension.ts"
import * as Der from "../../src/schema/Der.ts"
import * as DistinguishedName from "../../src/schema/DistinguishedName.ts"
import type { ReasonFlag } from "../../src/schema/DistributionPoint.ts"
import { reasonFlags } from "../../src/schema/DistributionPoint.ts"
import * as ObjectIdentifier from "../../src/schema/ObjectIdentifier.ts"

export interface Entry {
  /** The content of an INTEGER. */
  readonly serial: Uint8Array
  readonly date: number
  readonly reason: RevocationReason | undefined
  readonly invalidityDate: number | undefined
  readonly issuer: string | undefined
}

export interface Parts {
  readonly issuer: string
  readonly thisUpdate: number
  readonly nextUpdate: number | undefined
  readonly entries: ReadonlyArray<Entry>
  readonly number: bigint | undefined
  readonly base: bigint | undefined
  readonly point: IssuingDistributionPoint | undefined
  readonly unknown: Raw | undefined
}

export const nameOf = (text: string): DistinguishedName.DistinguishedName =>
  DistinguishedName.fromAttributes([[ObjectIdentifier.oids.commonName, text]])

const optional = <A>(arbitrary: FastCheck.Arbitrary<A>): FastCheck.Arbitrary<A | undefined> =>
  FastCheck.option(arbitrary, { nil: undefined })

/** To the second, in the years that both forms of time and `invalidityDate` have. */
const time = FastCheck.integer({ min: Date.UTC(1950, 0) / 1000, max: Date.UTC(2100, 0) / 1000 }).map((s) => s * 1000)
const number = FastCheck.bigInt({ min: 0n, max: 2n ** 160n - 1n })
const name = FastCheck.constantFrom("CA", "other", "a third, with a comma", "Ä")
const reason = FastCheck.constantFrom(
  ...CrlExtension.revocationReasons.filter((known): known is RevocationReason => known !== undefined)
)

const minimal = (bytes: Uint8Array): boolean =>
  bytes.length === 1 || !((bytes[0] === 0 && bytes[1]! < 0x80) || (bytes[0] === 0xff && bytes[1]! >= 0x80))

const entry: FastCheck.Arbitrary<Entry> = FastCheck.record({
  serial: FastCheck.uint8Array({ minLength: 1, maxLength: 21 }).filter(minimal),
  date: time,
  reason: optional(reason),
  invalidityDate: optional(time),
  issuer: optional(name)
})

const point: FastCheck.Arbitrary<IssuingDistributionPoint> = FastCheck.record({
  name: FastCheck.constantFrom(undefined, {
    _tag: "FullName" as const,
    names: [{ _tag: "Uri" as const, value: "http://crl.example/" }]
  }),
  kind: FastCheck.constantFrom("none", "users", "authorities", "attributes"),
  onlySomeReasons: optional(
    FastCheck.uniqueArray(FastCheck.constantFrom<ReasonFlag>(...reasonFlags), { minLength: 1 }).map(
      (flags) => new Set(reasonFlags.filter((flag) => flags.includes(flag)))
    )
  ),
  indirectCrl: FastCheck.boolean()
})
  .map(({ indirectCrl, kind, name: place, onlySomeReasons }) => ({
    name: place,
    onlySomeReasons,
    indirectCrl,
    onlyContainsUserCerts: kind === "users",
    onlyContainsCaCerts: kind === "authorities",
    onlyContainsAttributeCerts: kind === "attributes"
  }))
  .filter((said) => Object.values(said).some((value) => value !== undefined && value !== false))

export const parts: FastCheck.Arbitrary<Parts> = FastCheck.record({
  issuer: name,
  thisUpdate: time,
  nextUpdate: optional(time),
  entries: FastCheck.array(entry, { maxLength: 6 }),
  number: optional(number),
  base: optional(number),
  point: optional(point),
  unknown: optional(
    FastCheck.record({
      oid: FastCheck.constant(ObjectIdentifier.make("1.2.3.4.5")),
      critical: FastCheck.boolean(),
      value: FastCheck.uint8Array({ maxLength: 8 })
    })
  )
})

const algorithm = AlgorithmIdentifier.encode({ _tag: "Ed25519" })

const entryDer = ({ date, invalidityDate, issuer, reason: why, serial }: Entry): Uint8Array => {
  const extensions = [
    ...(why === undefined ? [] : [CrlExtension.encodeReasonCode(why)]),
    ...(invalidityDate === undefined ? [] : [CrlExtension.encodeInvalidityDate(invalidityDate)]),
    ...(issuer === undefined
      ? []
      : [CrlExtension.encodeCertificateIssuer([{ _tag: "DirectoryName", name: nameOf(issuer) }])])
  ]
  return Der.sequence(
    Der.value(Der.Tag.Integer, serial),
    Der.time(date),
    ...(extensions.length === 0 ? [] : [Der.sequence(...extensions.map(CertificateExtension.encode))])
  )
}

export const assemble = (said: Parts): Uint8Array => {
  const extensions = [
    ...(said.number === undefined ? [] : [CrlExtension.encodeCrlNumber(said.number)]),
    ...(said.base === undefined ? [] : [CrlExtension.encodeDeltaCrlIndicator(said.base)]),
    ...(said.point === undefined ? [] : [CrlExtension.encodeIssuingDistributionPoint(said.point)]),
    ...(said.unknown === undefined ? [] : [said.unknown])
  ]
  const tbs = Der.sequence(
    Der.integer(1),
    algorithm,
    nameOf(said.issuer).der,
    Der.time(said.thisUpdate),
    ...(said.nextUpdate === undefined ? [] : [Der.time(said.nextUpdate)]),
    ...(said.entries.length === 0 ? [] : [Der.sequence(...said.entries.map(entryDer))]),
    ...(extensions.length === 0 ? [] : [Der.value(0xa0, Der.sequence(...extensions.map(CertificateExtension.encode)))])
  )
  return Der.sequence(tbs, algorithm, Der.bitString(new Uint8Array(64)))
}
