// What every JavaScript host of ours has (Node, Bun, Deno, browsers, workers) and the language itself does not declare,
// as little of it as schema and core may use. Timers, clocks, random bytes and consoles are left out on purpose: those
// come from Effect's services and from the CryptoProvider, so that tests can replace them.

interface TextEncoder {
  encode(input?: string): Uint8Array<ArrayBuffer>
  encodeInto(source: string, destination: Uint8Array): { read: number; written: number }
}
declare var TextEncoder: { new (): TextEncoder }

interface TextDecoder {
  decode(input?: ArrayBuffer | ArrayBufferView): string
}
declare var TextDecoder: {
  new (label?: string, options?: { readonly fatal?: boolean; readonly ignoreBOM?: boolean }): TextDecoder
}

// Effect hands one to Effect.async and Effect.tryPromise.
interface AbortSignal {
  readonly aborted: boolean
  readonly reason: unknown
  addEventListener(type: "abort", listener: () => void, options?: { readonly once?: boolean }): void
  removeEventListener(type: "abort", listener: () => void): void
}

interface URL {
  readonly hostname: string
  readonly host: string
  readonly port: string
  readonly protocol: string
  readonly pathname: string
  readonly href: string
}
declare var URL: { new (url: string, base?: string | URL): URL }
