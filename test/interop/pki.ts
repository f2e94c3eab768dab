/**
 * Certificates for both sides, made by our own builder once per worker and written to files once per test file: a root
 * of every kind of key, for each root a server's and a client's certificate, and those that must be refused.
 */
import { Effect, Option, Redacted } from "effect"
import { CertificateBuilder, CryptoProvider } from "effect-tls"
import { NodeCrypto } from "effect-tls/node"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll } from "vitest"

export const kinds = ["rsa", "rsa-pss", "p256", "p384", "p521", "ed25519", "ed448"] as const
export type Kind = (typeof kinds)[number]
type PerKind<A> = Readonly<Record<Kind, A>>

const keyTypes: PerKind<CryptoProvider.KeyType> = {
  rsa: { _tag: "Rsa", modulusLength: 2048 },
  "rsa-pss": { _tag: "RsaPss", modulusLength: 2048 },
  p256: { _tag: "Ec", curve: "P-256" },
  p384: { _tag: "Ec", curve: "P-384" },
  p521: { _tag: "Ec", curve: "P-521" },
  ed25519: { _tag: "Ed25519" },
  ed448: { _tag: "Ed448" }
}

/** A certificate chain and its key: as PEM, and in files for programs. */
export interface Issued {
  readonly certificateChain: string
  readonly privateKey: string
  readonly certFile: string
  /** The certificates after the leaf, if there are any. */
  readonly chainFile: string | undefined
  readonly keyFile: string
}

export interface Root {
  readonly pem: string
  readonly file: string
}

export interface Pki {
  readonly directory: string
  /** All the roots that are to be trusted, and each of them. */
  readonly roots: Root
  readonly root: PerKind<Root>
  /** A root that issued none of the good ones. */
  readonly stranger: Root
  /** For localhost, server.test, 127.0.0.1 and ::1. */
  readonly server: PerKind<Issued>
  readonly client: PerKind<Issued>
  /** Issued by an intermediate, which the chain brings, or does not. */
  readonly chained: Issued
  readonly unchained: Issued
  readonly expired: Issued
  readonly expiredClient: Issued
  /** For other.test alone. */
  readonly otherName: Issued
  readonly selfSigned: Issued
  /** Issued by `stranger`, whose certificate the chain brings, or does not. */
  readonly strange: Issued
  readonly strangeWithRoot: Issued
  readonly strangeClient: Issued
  /** With RSA keys of 1024 bits, the leaf's signed over SHA-1: for the policy `legacy` alone. */
  readonly legacy: Issued
  readonly legacyClient: Issued
}

const make = Effect.gen(function* () {
  type Made = CertificateBuilder.Issued
  const perKind = <E, R>(each: (kind: Kind) => Effect.Effect<Made, E, R>) =>
    Effect.map(
      Effect.forEach(kinds, (kind) => Effect.map(each(kind), (made) => [kind, made] as const), {
        concurrency: "unbounded"
      }),
      (made) => Object.fromEntries(made) as PerKind<Made>
    )
  const subject = (CN: string) => ({ subject: { CN } })
  const roots = yield* perKind((kind) =>
    CertificateBuilder.authority({ ...subject(`root-${kind}`), key: keyTypes[kind] })
  )
  const here = { names: ["localhost", "server.test", "127.0.0.1", "::1"], purposes: ["serverAuth"] } as const
  const issue = CertificateBuilder.issue
  const server = yield* perKind((kind) =>
    issue(roots[kind], { ...here, ...subject(`server-${kind}`), key: keyTypes[kind] })
  )
  /** A client has the key of the server of its kind; RSA keys take their time. */
  const ofClient = (root: Made, kind: Kind, name: string) =>
    Effect.map(
      issue(root, { ...subject(name), purposes: ["clientAuth"], key: server[kind].identity.privateKey }),
      (made): Made => ({ ...made, pkcs8: server[kind].pkcs8 })
    )
  const stranger = yield* CertificateBuilder.authority(subject("stranger"))
  const intermediate = yield* CertificateBuilder.issueAuthority(roots.rsa, subject("intermediate"))
  // Before there was an authority to issue them.
  const past = { notBefore: new Date("2020-01-01"), notAfter: new Date("2020-02-01"), unchecked: true }
  const chained = yield* issue(intermediate, { ...here, ...subject("chained") })
  const strange = yield* issue(stranger, { ...here, ...subject("strange") })
  const withChain = (made: Made, ...others: ReadonlyArray<Made>): Made => ({
    ...made,
    identity: {
      ...made.identity,
      certificateChain: [made.certificate, ...others.map(({ certificate }) => certificate)]
    }
  })
  // The builder makes no such keys.
  const crypto = yield* CryptoProvider.CryptoProvider
  const weak = yield* crypto.generatePrivateKey({ _tag: "Rsa", modulusLength: 1024 })
  const withKey = { key: weak.key, unchecked: true } as const
  const sha1 = { ...withKey, signatureAlgorithm: { _tag: "RsaPkcs1", hash: "SHA-1" } } as const
  const legacyRoot = yield* CertificateBuilder.authority({ ...subject("root-legacy"), ...withKey })
  const legacy = (options: Parameters<typeof issue>[1]) =>
    Effect.map(issue(legacyRoot, { ...options, ...sha1 }), (made): Made => ({
      ...made,
      pkcs8: Option.some(weak.pkcs8)
    }))
  return {
    legacyRoot,
    legacy: yield* legacy({ ...here, ...subject("legacy") }),
    legacyClient: yield* legacy({ ...subject("legacy-client"), purposes: ["clientAuth"] }),
    roots,
    stranger,
    server,
    client: yield* perKind((kind) => ofClient(roots[kind], kind, `client-${kind}`)),
    chained,
    unchained: withChain(chained),
    expired: yield* issue(roots.p256, { ...here, ...past, ...subject("expired") }),
    expiredClient: yield* issue(roots.p256, { ...subject("expired-client"), ...past, purposes: ["clientAuth"] }),
    otherName: yield* issue(roots.p256, { names: ["other.test"] }),
    selfSigned: yield* CertificateBuilder.selfSigned({ ...here, ...subject("self-signed") }),
    strange,
    strangeWithRoot: withChain(strange, stranger),
    strangeClient: yield* ofClient(stranger, "p256", "strange-client")
  }
}).pipe(Effect.provide(NodeCrypto.layer))

const once = Effect.runSync(Effect.cached(make))

const write = (directory: string, made: Effect.Effect.Success<typeof make>): Pki => {
  const file = (name: string, content: string): string => {
    writeFileSync(join(directory, name), content)
    return join(directory, name)
  }
  const root = (name: string, ...authorities: ReadonlyArray<CertificateBuilder.Issued>): Root => {
    const pem = authorities.map(CertificateBuilder.certificatePem).join("")
    return { pem, file: file(`${name}.pem`, pem) }
  }
  const issued = (name: string, certificate: CertificateBuilder.Issued): Issued => {
    const certificateChain = CertificateBuilder.certificatePem(certificate)
    const privateKey = Redacted.value(Option.getOrThrow(CertificateBuilder.privateKeyPem(certificate)))
    const [leaf, ...chain] = certificateChain.split(/(?<=-----END CERTIFICATE-----\n)/)
    return {
      certificateChain,
      privateKey,
      certFile: file(`${name}.crt`, leaf!),
      chainFile: chain.length === 0 ? undefined : file(`${name}.chain`, chain.join("")),
      keyFile: file(`${name}.key`, privateKey)
    }
  }
  const perKind = <A, B>(all: PerKind<A>, each: (kind: Kind, a: A) => B) =>
    Object.fromEntries(kinds.map((kind) => [kind, each(kind, all[kind])])) as PerKind<B>
  return {
    directory,
    roots: root("roots", ...Object.values(made.roots), made.legacyRoot),
    root: perKind(made.roots, (kind, authority) => root(`root-${kind}`, authority)),
    stranger: root("stranger", made.stranger),
    server: perKind(made.server, (kind, certificate) => issued(`server-${kind}`, certificate)),
    client: perKind(made.client, (kind, certificate) => issued(`client-${kind}`, certificate)),
    chained: issued("chained", made.chained),
    unchained: issued("unchained", made.unchained),
    expired: issued("expired", made.expired),
    expiredClient: issued("expired-client", made.expiredClient),
    otherName: issued("other-name", made.otherName),
    selfSigned: issued("self-signed", made.selfSigned),
    strange: issued("strange", made.strange),
    strangeWithRoot: issued("strange-with-root", made.strangeWithRoot),
    strangeClient: issued("strange-client", made.strangeClient),
    legacy: issued("legacy", made.legacy),
    legacyClient: issued("legacy-client", made.legacyClient)
  }
}

/** The certificates for a file's tests: there before the first, gone after the last. */
export const usePki = (): (() => Pki) => {
  let pki: Pki | undefined
  const directory = mkdtempSync(join(tmpdir(), "effect-tls-interop-"))
  beforeAll(async () => {
    pki = write(directory, await Effect.runPromise(once))
  })
  afterAll(() => rmSync(directory, { recursive: true, force: true }))
  return () => pki!
}
