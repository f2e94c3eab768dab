/** The tests of the Node layers in the other runtimes of this machine, but for what those are known not to do. */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import * as Bundle from "./bundle.ts"
import * as Child from "./child.ts"
import { summary } from "./expectations.ts"
import type { Check } from "./report.ts"
import * as Runtimes from "./runtimes.ts"

/** Tests by their names' ends, and why the runtime does not pass them. */
type Known = Readonly<Record<string, ReadonlyArray<string>>>

const known: Readonly<Record<Exclude<Runtimes.Runtime["id"], "node">, Known>> = {
  node24: {},
  bun: {
    "no AES-CCM, ChaCha20-Poly1305, X448 and Ed448, and we declare none": [
      "AEADs > CHACHA20-POLY1305: RFC 8439 §2.8.2",
      "AEADs > AES-128-CCM-8: NIST SP 800-38C, example 3",
      "AEADs > AES-128-CCM: Wycheproof, the empty message",
      "key agreement > RFC 7748 §6.2",
      "verifying > RFC 8032 §7.4, blank",
      "a private key of Ed448 > is generated, kept, read back, and signs for both providers",
      "a private key of Ed448 > refuses an algorithm of another kind of key",
      "does every signature scheme of TLS that it says it can",
      "has hashes, AEADs and groups for all that TLS 1.3 knows, but for finite fields where it says so"
    ],
    "what a cipher gives stands in memory that is one byte longer": [
      "AES-128-GCM > keeps no reference to key and nonce, and gives plaintext in memory of its own",
      "AES-256-GCM > keeps no reference to key and nonce, and gives plaintext in memory of its own"
    ],
    "the test itself makes a RSA-PSS key by node:crypto, of which there are none": [
      "keeps to a RSA-PSS key's parameters"
    ],
    "refuses a key with another's point by itself, in other words": [
      "refuses a private key that is another than it says"
    ],
    "says ERR_SOCKET_CLOSED where others say EPIPE": [
      "over a Unix socket: the contract > aborts: whoever waits fails here, and the peer gets what arrived and then learns of it"
    ],
    "has no process._getActiveHandles, by which the test finds the socket": [
      "reads little beyond what is pulled: outgoing"
    ],
    "a reset takes what the kernel still had": ["delivers what the kernel had before a reset: outgoing"],
    "says end when somebody destroys a socket": [
      "NodeTransport.fromSocket > fails when somebody else destroys the socket"
    ]
  },
  deno: {
    "no AES-192-CBC, and we declare none": ["says what it can do with passwords"],
    "no AES-CCM, and we declare none": [
      "AEADs > AES-128-CCM-8: NIST SP 800-38C, example 3",
      "AEADs > AES-128-CCM: Wycheproof, the empty message",
      "has hashes, AEADs and groups for all that TLS 1.3 knows, but for finite fields where it says so"
    ],
    "createECDH has no P-521, which only replaying a key share needs": ["key agreement > RFC 5903 §8.3"],
    "ECDSA with a hash of less than half the order's length is not done, and we do not declare it": [
      "a private key of P-384 > is generated, kept, read back, and signs for both providers",
      "a private key of P-521 > is generated, kept, read back, and signs for both providers"
    ],
    "the test itself exports a RSA-PSS key, which is not done": ["keeps to a RSA-PSS key's parameters"],
    "refuses a key with another's point by itself, in other words": [
      "refuses a private key that is another than it says"
    ],
    "turns of the event loop are so short that the test does not wait for the first bytes": [
      "reads little beyond what is pulled: outgoing",
      "reads little beyond what is pulled: incoming"
    ],
    "an address that is not the machine's has no code of its own": ["refuses an address that is not the machine's"]
  }
}

const folder = Bundle.makeFolder()
let layers: string
beforeAll(async () => {
  layers = await Bundle.bundleLayers(folder)
}, 60_000)
afterAll(() => Child.removeFolder(folder))

it.for(Runtimes.missing)("%s", ([, missing], context) => context.skip(missing))

// The Node that runs the tests runs these by vitest itself.
for (const runtime of Runtimes.present) {
  if (runtime.id === "node") continue
  const excuses = Object.entries(known[runtime.id])
  const excuseFor = ({ name }: Check) => excuses.find(([, names]) => names.some((end) => name.endsWith(end)))?.[0]
  describe(`on ${runtime.name}`, () => {
    let checks: ReadonlyArray<Check>
    beforeAll(async () => {
      checks = await Child.runForJson<ReadonlyArray<Check>>(runtime.run(layers, "", folder), 170_000)
      const excused = checks.filter((check) => check.error !== undefined).flatMap((check) => excuseFor(check) ?? [])
      const reasons = [...new Set(excused)].map((reason) => `\n  known: ${reason}`).join("")
      console.log(summary(`tests of the Node layers on ${runtime.name}`, checks, reasons))
    }, 180_000)

    it.each(["NodeCrypto", "NodeTransport"])("%s", (layer) => {
      const those = checks.filter(({ name }) => name.startsWith(layer))
      assert.isAbove(those.length, 50)
      const unexpected = those.filter((check) => check.error !== undefined && excuseFor(check) === undefined)
      const told = unexpected.map(({ error, name }) => `${name}: ${error}`).join("\n")
      assert.isEmpty(unexpected, `a defect of ours, or one to put into "known":\n${told}`)
    })
  })
}
