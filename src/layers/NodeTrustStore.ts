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
import * as TrustStore from "../core/TrustStore.ts"
import * as Certificate from "../schema/Certificate.ts"
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

/** The certificates of a list as anchors. What cannot be read is passed over: one bad root must not cost all others. */
const parseAll = (name: string, pems: Iterable<string>): TrustStore.TrustStore => {
  const anchors: Array<Certificate.Certificate> = []
  for (const pem of pems) {
    for (const [block] of pem.matchAll(
      /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]*-----END [A-Z0-9 ]+-----/g
    )) {
      const certificates = Certificate.fromPem(block)
      if (Either.isRight(certificates)) anchors.push(certificates.right[0])
    }
  }
  return TrustStore.make({ name, anchors })
}

const readText = (path: string): string | undefined => {
  try {
    return Fs.readFileSync(path, "utf8")
  } catch {
    return undefined
  }
}

const readDirectory = (path: string): ReadonlyArray<string> => {
  try {
    return Fs.readdirSync(path).flatMap((name) => readText(Path.join(path, name)) ?? [])
  } catch {
    return []
  }
}

const readSystem = (): TrustStore.TrustStore => {
  const name = "the system's trust store"
  const file = process.env["SSL_CERT_FILE"]
  const directories = process.env["SSL_CERT_DIR"]
  // As with OpenSSL, what is in these variables replaces the system's choice.
  if (file !== undefined || directories !== undefined) {
    const texts = file === undefined ? [] : [readText(file) ?? ""]
    const listed = directories === undefined ? [] : directories.split(Path.delimiter).flatMap(readDirectory)
    const store = parseAll("the certificates of SSL_CERT_FILE and SSL_CERT_DIR", [...texts, ...listed])
    return TrustStore.isEmpty(store)
      ? TrustStore.make({ name: "no trust anchors were found in SSL_CERT_FILE and SSL_CERT_DIR", anchors: [] })
      : store
  }
  if (getCACertificates !== undefined) {
    const store = parseAll(name, getCACertificates("system"))
    if (!TrustStore.isEmpty(store)) return store
  }
  for (const path of bundleFiles) {
    const text = readText(path)
    if (text === undefined) continue
    const store = parseAll(name, [text])
    if (!TrustStore.isEmpty(store)) return store
  }
  for (const path of bundleDirectories) {
    const store = parseAll(name, readDirectory(path))
    if (!TrustStore.isEmpty(store)) return store
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
export const bundled: TrustStore.TrustStore = TrustStore.lazy(() =>
  parseAll("Mozilla's trust store", Tls.rootCertificates)
)

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
 * The current store is the certificates of a file.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerFile = (path: string): Layer.Layer<TrustStore.Current, TlsConfigError> =>
  Layer.unwrapEffect(Effect.map(fromFile(path), TrustStore.layer))
