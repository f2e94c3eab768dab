/** The traces of RFC 8448 with the types of README.md, for whoever tests against them. */
import { readFileSync } from "node:fs"
import { fromHex } from "../schema/arbitraries.ts"

export type Hex = string

export interface SameAs {
  readonly sameAs: { readonly reference: string; readonly step: number }
}

export interface Expanded {
  readonly prk: Hex
  readonly hash: Hex
  readonly info: Hex
  readonly expanded: Hex
}

export interface KeyPair {
  readonly group: "x25519" | "secp256r1"
  readonly privateKey: Hex
  readonly publicKey: Hex
}

export type Actor = "client" | "server"

export type Step = { readonly actor: Actor } & (
  | ({ readonly action: "create ephemeral key pair" } & KeyPair)
  | { readonly action: "construct handshake message"; readonly message: { readonly name: string; readonly bytes: Hex } }
  | {
      readonly action: "send record"
      readonly contentType: "handshake" | "application_data" | "alert" | "change_cipher_spec"
      readonly record: { readonly payload: Hex; readonly completeRecord: Hex }
    }
  | ({ readonly action: "extract secret"; readonly name: "early" | "handshake" | "master" } & (
      { readonly salt: Hex; readonly ikm: Hex; readonly secret: Hex } | SameAs
    ))
  | ({
      readonly action: "derive secret"
      readonly label: string
      readonly for?: "handshake" | "master"
    } & (Expanded | SameAs))
  | ({ readonly action: "derive traffic keys"; readonly direction: "read" | "write"; readonly for: string } & (
      | {
          readonly prk: Hex
          readonly keyInfo: Hex
          readonly keyExpanded: Hex
          readonly ivInfo: Hex
          readonly ivExpanded: Hex
        }
      | SameAs
    ))
  | ({ readonly action: "calculate finished"; readonly label: "tls13 finished" } & (
      (Expanded & { readonly finished: Hex }) | SameAs
    ))
  | ({ readonly action: "calculate PSK binder" } & (
      (Expanded & { readonly clientHelloPrefix: Hex; readonly binderHash: Hex; readonly finished: Hex }) | SameAs
    ))
  | ({ readonly action: "generate resumption secret"; readonly label: "tls13 resumption" } & (Expanded | SameAs))
)

export type StepOf<A extends Step["action"]> = Extract<Step, { readonly action: A }>

export interface Trace {
  readonly section: 3 | 4 | 5 | 6 | 7
  readonly title: string
  readonly keys: {
    readonly clientEphemeral: ReadonlyArray<KeyPair>
    readonly serverEphemeral: ReadonlyArray<KeyPair>
  }
  readonly steps: ReadonlyArray<Step>
}

export const traces = JSON.parse(
  readFileSync(new URL("./rfc8448.json", import.meta.url), "utf8")
) as ReadonlyArray<Trace>

export const trace = (section: Trace["section"]): Trace => traces.find((candidate) => candidate.section === section)!

/** The steps of an action, those printed elsewhere (`sameAs`) left out. */
export const stepsOf = <A extends Step["action"]>(
  { steps }: Trace,
  action: A
): ReadonlyArray<Exclude<StepOf<A>, SameAs>> =>
  steps.filter((step) => step.action === action && !("sameAs" in step)) as unknown as ReadonlyArray<
    Exclude<StepOf<A>, SameAs>
  >

/** Every handshake message of a trace that stands there whole, in order. */
export const messagesOf = (
  of: Trace
): ReadonlyArray<{ readonly actor: Actor; readonly name: string; readonly bytes: Uint8Array }> =>
  stepsOf(of, "construct handshake message").map(({ actor, message }) => ({
    actor,
    name: message.name,
    bytes:
      // The ClientHello of section 4 is printed without its binders; whole it stands in the record.
      of.section === 4 && message.name === "ClientHello"
        ? fromHex(stepsOf(of, "send record")[0]!.record.payload)
        : fromHex(message.bytes)
  }))
