/** Whole handshakes in every runtime of this machine, with each provider, both sides ours. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, it } from "vitest"
import * as Bundle from "./bundle.ts"
import * as Child from "./child.ts"
import * as Runtimes from "./runtimes.ts"
import type { Report } from "./suite.ts"
import * as SuiteTests from "./suiteTests.ts"

const folder = Bundle.makeFolder()
const programs = { node: "", noble: join(folder, "main.mjs") }

beforeAll(async () => {
  programs.node = await Bundle.bundleNode(folder)
  // The very file that a page imports.
  const noble = await Bundle.bundleNoble(folder)
  writeFileSync(
    programs.noble,
    `import { suite } from ${JSON.stringify(noble)}\nconsole.log(JSON.stringify(await suite()))`
  )
})
afterAll(() => Child.removeFolder(folder))

it.for(Runtimes.missing)("%s", ([, missing], context) => context.skip(missing))

for (const runtime of Runtimes.present) {
  for (const provider of ["node", "noble"] as const) {
    const what = `${runtime.name} with the provider ${provider}`
    describe(`${runtime.name} with the provider ${provider}`, () => {
      let report: Report
      beforeAll(async () => {
        const command = runtime.run(programs[provider], JSON.stringify({ what: "suite" }), folder)
        report = await Child.runForJson<Report>(command, 80_000)
      }, 90_000)
      SuiteTests.suiteTests(what, () => report, provider === "node" ? SuiteTests.node[runtime.id] : SuiteTests.noble)
    })
  }
}
