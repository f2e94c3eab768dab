/** A headless Chromium, with NobleCrypto: the suite in the page, and both roles over a WebSocket. */
import { readFileSync } from "node:fs"
import type { RequestListener } from "node:http"
import { join } from "node:path"
import { Effect, Exit, Scope } from "effect"
import { NodeCrypto } from "effect-tls/node"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import * as Bundle from "./bundle.ts"
import * as Child from "./child.ts"
import { allWell, summary } from "./expectations.ts"
import { makePki } from "./pki.ts"
import * as Relay from "./relay.ts"
import type { Check } from "./report.ts"
import * as Runtimes from "./runtimes.ts"
import type { Report } from "./suite.ts"
import * as SuiteTests from "./suiteTests.ts"

interface PageReport {
  readonly agent: string
  readonly suite: Report
  readonly webSockets: ReadonlyArray<Check>
}

const flags = [
  "--headless=new",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--disable-breakpad",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // A hidden page's timers would be slowed down.
  "--disable-background-timer-throttling",
  "--disable-renderer-backgrounding",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"
]

/** It tells what it found, or why it did not. */
const page = (config: string) => `<!doctype html>
<meta charset="utf-8">
<title>effect-tls</title>
<script type="module">
  const tell = (report) => fetch("/report", { method: "POST", body: JSON.stringify(report) })
  try {
    const { suite, webSockets } = await import("/noble.mjs")
    await tell({
      agent: navigator.userAgent,
      suite: await suite(),
      webSockets: await webSockets({ ...${config}, url: "ws://" + location.host })
    })
  } catch (error) {
    await tell({ error: String(error?.stack ?? error) })
  }
</script>`

const { chromium } = Runtimes

it.for(chromium === undefined ? [Runtimes.setup] : [])("Chromium", (setup, context) =>
  context.skip(`no Chromium: ${setup}`)
)

describe.runIf(chromium !== undefined)("Chromium", () => {
  const folder = Bundle.makeFolder()
  const scope = Effect.runSync(Scope.make())
  let child: Child.Child | undefined
  let report: PageReport

  beforeAll(async () => {
    const pki = await Effect.runPromise(Effect.provide(makePki, NodeCrypto.layer))
    const html = page(JSON.stringify({ pki }))
    const script = readFileSync(await Bundle.bundleNoble(folder))
    let told: (report: string) => void = () => {}
    const posted = new Promise<string>((resolve) => (told = resolve))
    const answer: RequestListener = (request, response) => {
      if (request.url === "/") {
        response.setHeader("content-type", "text/html").end(html)
      } else if (request.url === "/noble.mjs") {
        response.setHeader("content-type", "text/javascript").end(script)
      } else if (request.url === "/report") {
        let body = ""
        request.setEncoding("utf8").on("data", (text: string) => (body += text))
        request.on("end", () => {
          response.end()
          told(body)
        })
      } else {
        response.writeHead(404).end()
      }
    }
    const { port } = await Effect.runPromise(Scope.extend(Relay.make({ pki, answer }), scope))
    const args = [...flags, `--user-data-dir=${join(folder, "profile")}`, `http://127.0.0.1:${port}/`]
    child = Child.start({ command: chromium!, args, env: { HOME: folder } }, 80_000)
    const outcome = await Promise.race([
      posted,
      child.ended.then(({ exit, stderr }) => Promise.reject(new Error(`Chromium ended with ${exit}\n${stderr}`)))
    ])
    const found = JSON.parse(outcome) as PageReport | { readonly error: string }
    if ("error" in found) throw new Error(`the page failed: ${found.error}`)
    report = found
  }, 90_000)
  afterAll(async () => {
    await child?.stop()
    await Effect.runPromise(Scope.close(scope, Exit.void))
    await Child.removeFolder(folder)
  })

  describe("with the provider noble", () => {
    SuiteTests.suiteTests("Chromium with the provider noble", () => report.suite, SuiteTests.noble)
  })

  it("both roles over a WebSocket, against node:tls", () => {
    assert.match(report.agent, /Chrome\/\d+/)
    console.log(summary(`${/Chrome\/[\d.]+/.exec(report.agent)![0]} over a WebSocket`, report.webSockets))
    assert.sameMembers([...allWell(report.webSockets, "WebSocket")], ["our client", "our server"])
  })
})
