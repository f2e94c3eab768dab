/**
 * Certificates parsed, and chains of them verified, a second: ours and `crypto.X509Certificate` in the same process, from
 * DER to the answer.
 */
import * as Crypto from "node:crypto"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ManagedRuntime from "effect/ManagedRuntime"
import {
  Certificate,
  CertificateBuilder,
  CertificateRevocationList,
  CertificateRevocationListBuilder,
  GeneralName,
  ServerName,
  TrustStore,
  Verifier
} from "effect-tls"
import { NodeCrypto } from "effect-tls/node"
import type { Measure, Scale, Subject } from "./Measure.ts"

const runtime = ManagedRuntime.make(NodeCrypto.layer)
const name = "www.example.com"
const year = 365 * 86_400_000

// ---------------------------------------------------------------------------------------------------------------------
// What is parsed and verified
// ---------------------------------------------------------------------------------------------------------------------

/** A leaf as the web has them, under two intermediates and two roots, of which the one has certified the other. */
const makeChain = Effect.gen(function* () {
  const dates = { notBefore: new Date(Date.now() - year), notAfter: new Date(Date.now() + year) }
  const authority = (CN: string, more: object = {}) => ({ subject: { C: "XX", O: "Bench", CN }, ...dates, ...more })
  const old = yield* CertificateBuilder.authority(authority("Old root"))
  const root = yield* CertificateBuilder.authority(authority("Root"))
  const crossSigned = yield* CertificateBuilder.issueAuthority(old, {
    ...authority("Root"),
    key: root.identity.privateKey
  })
  const first = yield* CertificateBuilder.issueAuthority(root, authority("First", { pathLength: 1 }))
  const second = yield* CertificateBuilder.issueAuthority(first, authority("Second", { pathLength: 0 }))
  const purposes = ["serverAuth"] as const
  const leaf = yield* CertificateBuilder.issue(first, { names: [name, "example.com"], purposes, ...dates })
  const deep = yield* CertificateBuilder.issue(second, { names: [name, "example.com"], purposes, ...dates })
  const names = Array.from({ length: 100 }, (_, i) => `host-${i}.example.com`)
  const many = yield* CertificateBuilder.issue(first, { names: [name, ...names], purposes, ...dates })
  const crl = yield* CertificateRevocationListBuilder.make(first.identity, {
    revoked: Array.from({ length: 28_000 }, (_, i) => ({
      serial: Uint8Array.of(0x40, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, i >>> 16, (i >>> 8) & 255, i & 255, 1)
    }))
  })
  const rootCrl = yield* CertificateRevocationListBuilder.make(root.identity, {})
  const der = ({ certificate }: CertificateBuilder.Issued) => certificate.der
  return {
    old: der(old),
    root: der(root),
    crossSigned: der(crossSigned),
    first: der(first),
    second: der(second),
    leaf: der(leaf),
    deep: der(deep),
    many: der(many),
    crl: crl.der,
    rootCrl: rootCrl.der
  }
})

type Material = Effect.Effect.Success<typeof makeChain>

let made: Promise<Material> | undefined
const material = (): Promise<Material> => (made ??= runtime.runPromise(makeChain))

// ---------------------------------------------------------------------------------------------------------------------
// Parsing
// ---------------------------------------------------------------------------------------------------------------------

/** What is read of each, so that neither can leave it for later. */
interface Read {
  readonly subject: number
  readonly names: number
  readonly from: number
  readonly to: number
}

const total = ({ from, names, subject, to }: Read): number => subject + names + (to - from > 0 ? 1 : 0)

const oursParses = (der: Uint8Array): number => {
  const certificate = Either.getOrThrow(Certificate.decode(der))
  return total({
    subject: certificate.subject.toString().length + certificate.issuer.toString().length,
    names: certificate.subjectAltNames.map(GeneralName.format).length,
    from: certificate.notBefore.getTime(),
    to: certificate.notAfter.getTime()
  })
}

const theirsParses = (der: Uint8Array): number => {
  const certificate = new Crypto.X509Certificate(der)
  return total({
    subject: certificate.subject.length + certificate.issuer.length,
    names: certificate.subjectAltName?.split(", ").length ?? 0,
    from: Date.parse(certificate.validFrom),
    to: Date.parse(certificate.validTo)
  })
}

const parsing = (
  suffix: string,
  least: number,
  of: (material: Material) => ReadonlyArray<Uint8Array>,
  count: (scale: Scale) => number
): Measure => ({
  name: `pki.parse${suffix}`,
  unit: "certs/s",
  aim: { least },
  rounds: 25,
  prepare: async ({ scale }, subject) => {
    const ders = of(await material())
    const parse = subject === "ours" ? oursParses : theirsParses
    // The two write names differently, so only that there is something can be compared.
    if (!ders.every((der) => parse(der) > 10)) throw new Error("a certificate was not read")
    return perSecond(count(scale), (i) => void parse(ders[i % ders.length]!))
  }
})

/** Node reads no CRLs: ours is compared with reading as many bytes of certificates. */
const parsingList: Measure = {
  name: "pki.parse.crl-1mb",
  unit: "MB/s",
  aim: { least: 0.5 },
  rounds: 25,
  prepare: async ({ scale }, subject) => {
    const { crl, many } = await material()
    const readList = () => {
      const list = Either.getOrThrow(CertificateRevocationList.decode(crl))
      if (list.find(Uint8Array.of(1)) !== undefined) throw new Error("a certificate was found that is not there")
    }
    const times = Math.ceil(scale.certificates / 500)
    if (subject === "ours") return scaled(crl.length / 1e6, perSecond(times, readList))
    return scaled(
      many.length / 1e6,
      perSecond(Math.ceil((times * crl.length) / many.length), () => void theirsParses(many))
    )
  }
}

const scaled = (factor: number, { round, stop }: Subject): Subject => ({
  round: async () => factor * (await round()),
  stop
})

/** Rounds of so many calls. */
const perSecond = (count: number, call: (i: number) => void | Promise<void>) => ({
  round: async () => {
    const began = performance.now()
    for (let i = 0; i < count; i++) {
      const pending = call(i)
      if (pending !== undefined) await pending
    }
    return (count * 1000) / (performance.now() - began)
  },
  stop: () => {}
})

// ---------------------------------------------------------------------------------------------------------------------
// Verifying
// ---------------------------------------------------------------------------------------------------------------------

interface Chain {
  readonly leaf: Uint8Array
  /** As a peer sends them. */
  readonly sent: ReadonlyArray<Uint8Array>
  /** Parsed ahead of time, as a store is. */
  readonly trusted: ReadonlyArray<Uint8Array>
  /** Below each other, from the leaf's issuer to the one that is trusted: X509Certificate has to be told. */
  readonly path: ReadonlyArray<Uint8Array>
  readonly crls?: ReadonlyArray<Uint8Array>
}

const decode = (der: Uint8Array): Certificate.Certificate => Either.getOrThrow(Certificate.decode(der))

const oursVerifies = ({ crls, leaf, sent, trusted }: Chain): (() => Promise<void>) => {
  // A store and its lists are parsed once, for many chains.
  const store = TrustStore.fromCertificates(trusted.map(decode))
  const lists = crls?.map((der) => Either.getOrThrow(CertificateRevocationList.decode(der)))
  const verifier = Verifier.webPki(store, lists === undefined ? {} : { revocation: { crls: lists } })
  const serverName = Either.getOrThrow(ServerName.parse(name))
  return async () => {
    await runtime.runPromise(verifier.verify(Verifier.makeRequest([decode(leaf), ...sent.map(decode)], { serverName })))
  }
}

const theirsVerifies = ({ leaf, path, trusted }: Chain): (() => void) => {
  const anchors = new Map(trusted.map((der) => [der, new Crypto.X509Certificate(der)]))
  const isValid = (certificate: Crypto.X509Certificate, now: number): boolean =>
    Date.parse(certificate.validFrom) <= now && now <= Date.parse(certificate.validTo)
  return () => {
    const now = Date.now()
    let child = new Crypto.X509Certificate(leaf)
    if (child.checkHost(name) === undefined || !isValid(child, now)) throw new Error("the leaf is not valid")
    for (const der of path) {
      const issuer = anchors.get(der) ?? new Crypto.X509Certificate(der)
      if (!child.checkIssued(issuer) || !child.verify(issuer.publicKey) || !issuer.ca || !isValid(issuer, now)) {
        throw new Error("an issuer is not the issuer")
      }
      child = issuer
    }
  }
}

const verifying = (suffix: string, of: (material: Material) => Chain, count: (scale: Scale) => number): Measure => ({
  name: `pki.verify-chain${suffix}`,
  unit: "chains/s",
  aim: { least: 0.8 },
  rounds: 25,
  prepare: async ({ scale }, subject) => {
    const chain = of(await material())
    return perSecond(count(scale), subject === "ours" ? oursVerifies(chain) : theirsVerifies(chain))
  }
})

export const measures: ReadonlyArray<Measure> = [
  parsing(
    "",
    0.5,
    ({ deep, first, leaf, root, second }) => [leaf, first, deep, second, root],
    (scale) => scale.certificates
  ),
  parsing(
    ".100-names",
    0.5,
    ({ many }) => [many],
    (scale) => scale.certificates / 4
  ),
  parsingList,
  verifying(
    "",
    ({ first, leaf, root }) => ({ leaf, sent: [first], trusted: [root], path: [first, root] }),
    (scale) => scale.certificates / 4
  ),
  verifying(
    ".cross-signed",
    ({ crossSigned, deep, first, old, root, second }) => ({
      leaf: deep,
      sent: [crossSigned, second, first, root],
      trusted: [old],
      path: [second, first, crossSigned, old]
    }),
    (scale) => scale.certificates / 4
  ),
  verifying(
    ".crl-1mb",
    ({ crl, first, leaf, root, rootCrl }) => ({
      leaf,
      sent: [first],
      trusted: [root],
      path: [first, root],
      crls: [crl, rootCrl]
    }),
    (scale) => scale.certificates / 4
  )
]
