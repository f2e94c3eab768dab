/** The test files of the Node layers, for runtimes without vitest. Prints one line of JSON. */
import { runCollected } from "../vitestShim.ts"

await import("../../layers/NodeCrypto.test.ts")
await import("../../layers/NodeTransport.test.ts")

console.log(JSON.stringify(await runCollected()))
