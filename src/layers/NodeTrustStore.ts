/**
 * Trust anchors of the machine, and those that come with Node. Each list is read and parsed once, when first asked for.
 *
 * @since 0.1.0
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Tls from "node:tls"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TrustStore from "../core/TrustStore.ts"
import * as Certificate from "../schema/Certificate.ts"
import * as Pem from "../schema/Pem.ts"
import { TlsConfigError } from "../schema/TlsError.ts"

// Not in Node before 22.15 and 23.10, and not in the types of Node 20.
const getCACertificates = (Tls as { readonly getCACertificates?: (type: "system") => ReadonlyArray<string> })
  .getCACertificates

// Where systems keep all in one file, or one in each file: Debian and its like, Fedora, RHEL, SUSE, Alpine, the BSDs,
// macOS by Homebrew. As in Go's crypto/x509.
const bundleFiles = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/ssl/cert.pem",
  "/usr/local/etc/ssl/cert.pem",
  "/usr/local/share/certs/ca-root-nss.crt",
  "/opt/homebrew/etc/openssl@3/cert.pem"
]
const bundleDirectories = ["/etc/ssl/certs", "/etc/pki/tls/certs", "/system/etc/security/cacerts"]

/** The certificates of a text. What cannot be read is passed over: one bad root must not cost all others. */
const ofText = (pem: string): ReadonlyArray<Certificate.Certificate> =>
  Array.from(pem.matchAll(/-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]*-----END [A-Z0-9 ]+-----/g)).flatMap(
    ([block]) => Either.match(Certificate.fromPem(block), { onLeft: () => [], onRight: ([only]) => [only] })
  )

/** The certificates of a file, as `ofText`; none where it cannot be read. */
const ofFile = (path: string): ReadonlyArray<Certificate.Certificate> => {
  try {
    // Reading a pipe or a device could wait for ever.
    if (!Fs.statSync(path).isFile()) return []
    const content = new Uint8Array(Fs.readFileSync(path))
    return Pem.isPem(content)
      ? ofText(new TextDecoder().decode(content))
      : Option.toArray(Either.getRight(Certificate.decode(content)))
  } catch {
    return []
  }
}

const filesOf = (directory: string): ReadonlyArray<string> => {
  try {
    return Fs.readdirSync(directory)
      .sort()
      .map((name) => Path.join(directory, name))
  } catch {
    return []
  }
}

const ofDirectory = (path: string): ReadonlyArray<Certificate.Certificate> => filesOf(path).flatMap(ofFile)

const readSystem = (): TrustStore.TrustStore => {
  const file = process.env["SSL_CERT_FILE"] || undefined
  const directories = process.env["SSL_CERT_DIR"] || undefined
  // As with rustls: whoever sets one of them means it instead of the system's choice. OpenSSL would go on to trust the
  // system's directory where only the file is set.
  if (file !== undefined || directories !== undefined) {
    const variables = "SSL_CERT_FILE and SSL_CERT_DIR"
    const anchors = [
      ...(file === undefined ? [] : ofFile(file)),
      ...(directories === undefined ? [] : directories.split(Path.delimiter).flatMap(ofDirectory))
    ]
    const name = anchors.length > 0 ? `the certificates of ${variables}` : `no trust anchors were found in ${variables}`
    return TrustStore.make({ name, anchors })
  }
  const sources: ReadonlyArray<() => ReadonlyArray<Certificate.Certificate>> = [
    () => (getCACertificates?.("system") ?? []).flatMap(ofText),
    ...bundleFiles.map((path) => () => ofFile(path)),
    ...bundleDirectories.map((path) => () => ofDirectory(path))
  ]
  for (const source of sources) {
    const anchors = source()
    if (anchors.length > 0) return TrustStore.make({ name: "the system's trust store", anchors })
  }
  return TrustStore.make({ name: nothingFound, anchors: [] })
}

const nothingFound =
  "no trust anchors were found on this system " +
  "(set SSL_CERT_FILE, install ca-certificates, or use NodeTrustStore.layerBundled)"

/**
 * The system's anchors: those of `SSL_CERT_FILE` and `SSL_CERT_DIR` where one is set, else Node's own answer
 * (`tls.getCACertificates("system")`) where it has one, else the usual files. Read once; fails when there are none.
 *
 * @since 0.1.0
 * @category constructors
 */
export const system: Effect.Effect<TrustStore.TrustStore, TlsConfigError> = Effect.suspend(() =>
  TrustStore.isEmpty(systemStore)
    ? TlsConfigError.of("Unreadable", "trust.anchors", systemStore.name)
    : Effect.succeed(systemStore)
)

const systemStore = TrustStore.lazy(readSystem)

/**
 * Mozilla's list as it came with this Node (`tls.rootCertificates`), parsed when first asked for.
 *
 * @since 0.1.0
 * @category constructors
 */
export const bundled: TrustStore.TrustStore = TrustStore.lazy(() => {
  // Not every runtime that speaks Node's language brings the list.
  const pems: ReadonlyArray<string> | undefined = Tls.rootCertificates
  const anchors = (pems ?? []).flatMap(ofText)
  const name = anchors.length > 0 ? "Mozilla's trust store" : "this runtime comes without Mozilla's trust store"
  return TrustStore.make({ name, anchors })
})

/**
 * The certificates of a file: PEM with one or several, or the DER of one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromFile = (path: string): Effect.Effect<TrustStore.TrustStore, TlsConfigError> =>
  Effect.try({
    try: () => new Uint8Array(Fs.readFileSync(path)),
    catch: (cause) => TlsConfigError.of("Unreadable", path, cause instanceof Error ? cause.message : String(cause))
  }).pipe(
    Effect.flatMap((content) =>
      Either.mapLeft(Certificate.fromBytes(content), ({ problem }) =>
        TlsConfigError.of("InvalidCertificate", path, problem)
      )
    ),
    Effect.map((anchors) => TrustStore.make({ name: `the certificates of ${path}`, anchors }))
  )

/**
 * The certificates of all files in a directory, not of those below it: PEM with one or several each, or DER. Files that
 * hold no certificate are passed over, as are damaged ones; fails when none is left.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromDirectory = (path: string): Effect.Effect<TrustStore.TrustStore, TlsConfigError> =>
  Effect.suspend(() => {
    const unreadable = (problem: string) => TlsConfigError.of("Unreadable", path, problem)
    try {
      Fs.readdirSync(path)
    } catch (cause) {
      return unreadable(cause instanceof Error ? cause.message : String(cause))
    }
    const anchors = ofDirectory(path)
    return anchors.length === 0
      ? unreadable("no file in it holds a certificate")
      : Effect.succeed(TrustStore.make({ name: `the certificates of ${path}`, anchors }))
  })

/**
 * The current store is the system's. It is read by the first verification; where there is none, that is what it says.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerSystem: Layer.Layer<TrustStore.Current> = TrustStore.layer(systemStore)

/**
 * The current store is Mozilla's list.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerBundled: Layer.Layer<TrustStore.Current> = TrustStore.layer(bundled)

/**
 * The current store is the certificates of the files in a directory.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerDirectory = (path: string): Layer.Layer<TrustStore.Current, TlsConfigError> =>
  Layer.unwrapEffect(Effect.map(fromDirectory(path), TrustStore.layer))

/**
 * The current store is the certificates of a file.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerFile = (path: string): Layer.Layer<TrustStore.Current, TlsConfigError> =>
  Layer.unwrapEffect(Effect.map(fromFile(path), TrustStore.layer))
