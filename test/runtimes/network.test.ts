/** Our client and our server in every runtime of this machine, against `node:tls` over TCP and over WebSockets. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Exit, Scope } from "effect"
import { NodeCrypto } from "effect-tls/node"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import * as Bundle from "./bundle.ts"
import * as Child from "./child.ts"
import { allWell, summary } from "./expectations.ts"
import type { NetworkReport } from "./network.ts"
import type { PeerAddress } from "./peer.ts"
import { makePki, type Pki } from "./pki.ts"
import type { NodeConfig } from "./programs/node.ts"
import * as Relay from "./relay.ts"
import type { Check } from "./report.ts"
import * as Runtimes from "./runtimes.ts"
import * as SuiteTests from "./suiteTests.ts"

const folder = Bundle.makeFolder()
const scope = Effect.runSync(Scope.make())
/** The newest Node there is has the most to offer. */
const peerRuntime = Runtimes.present.find(({ id }) => id === "node24") ?? Runtimes.thisNode

let pki: Pki
let peer: Child.Child | undefined
let address: PeerAddress
let relay: Relay.Relay
let node: string
const webSockets = join(folder, "webSockets.mjs")

beforeAll(async () => {
  pki = await Effect.runPromise(Effect.provide(makePki, NodeCrypto.layer))
  peer = Child.start(peerRuntime.run(await Bundle.bundlePeer(folder), JSON.stringify({ pki }), folder), 300_000)
  address = JSON.parse(await peer.firstLine) as PeerAddress
  relay = await Effect.runPromise(Scope.extend(Relay.make({ pki }), scope))
  node = await Bundle.bundleNode(folder)
  const config = JSON.stringify({ pki, url: `ws://127.0.0.1:${relay.port}` })
  const noble = JSON.stringify(await Bundle.bundleNoble(folder))
  writeFileSync(
    webSockets,
    `import { webSockets } from ${noble}\nconsole.log(JSON.stringify((await webSockets(${config})) ?? null))`
  )
}, 60_000)
afterAll(async () => {
  await Effect.runPromise(Scope.close(scope, Exit.void))
  await peer?.stop()
  await Child.removeFolder(folder)
})

const hybrid = ["X25519MLKEM768"]
const sides = {
  client: [
    "1 MiB both ways",
    "a server with an RSA key",
    "a client certificate",
    "HelloRetryRequest",
    "a wrong name",
    "a certificate the server wants and we do not have"
  ],
  server: ["1 MiB both ways", "a client certificate", "HelloRetryRequest", "a client without the certificate we want"]
}

it.for(Runtimes.missing)("%s", ([, missing], context) => context.skip(missing))

for (const runtime of Runtimes.present) {
  for (const provider of ["node", "noble"] as const) {
    const what = `${runtime.name} with the provider ${provider} over TCP, against node:tls of ${peerRuntime.name}`
    describe(`${runtime.name} with the provider ${provider} over TCP`, () => {
      let report: NetworkReport
      beforeAll(async () => {
        const config: NodeConfig = { what: "network", provider, network: { peer: address, pki } }
        report = await Child.runForJson(runtime.run(node, JSON.stringify(config), folder), 80_000)
        console.log(summary(what, report.checks, `; by default ${report.defaults.client}, ${report.defaults.server}`))
      }, 90_000)

      for (const side of ["client", "server"] as const) {
        it(`our ${side}`, () => {
          const expected = [...sides[side], ...(address.servers.hybrid === undefined ? [] : hybrid)]
          assert.sameMembers([...allWell(report.checks, side)], expected)
        })
      }

      it("the group nobody asked for", () => {
        const ours = (provider === "node" ? SuiteTests.node[runtime.id] : SuiteTests.noble).defaultGroup
        const group = address.servers.hybrid === undefined ? "x25519" : ours
        assert.deepStrictEqual(report.defaults, { client: group, server: group })
      })
    })
  }

  it(`${runtime.name} with the provider noble over a WebSocket, against node:tls`, async (context) => {
    const checks = await Child.runForJson<ReadonlyArray<Check> | null>(runtime.run(webSockets, "", folder), 80_000)
    if (checks === null) return context.skip(`${runtime.name} has no WebSocket`)
    assert.sameMembers([...allWell(checks, "WebSocket")], ["our client", "our server"])
  }, 90_000)
}

it("the peer, Node 24, has X25519MLKEM768", (context) => {
  if (peerRuntime.id !== "node24") return context.skip(`the peer is ${peerRuntime.name}`)
  assert.isDefined(address.servers.hybrid)
})
