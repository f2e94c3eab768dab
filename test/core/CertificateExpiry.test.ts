/** Gauges of expiry: as many as their bound, and no more. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Scope from "effect/Scope"
import * as CertificateExpiry from "../../src/core/CertificateExpiry.ts"
import * as identities from "../support/identities.ts"

const [a, b, c] = ["a", "b", "c"].map((subject) => identities.makeSync({ subject }).certificate) as [
  identities.Made["certificate"],
  identities.Made["certificate"],
  identities.Made["certificate"]
]

describe("a bound on gauges", () => {
  it("is kept, whoever is gone; said once in the log; and holds back none that has a gauge", () => {
    const made: Array<string> = []
    const logged: Array<unknown> = []
    const show = CertificateExpiry.make(2, ({ key, subject }) => {
      made.push(`${subject}, ${key}`)
      return Metric.gauge(`test_expiry_bound_${subject}`)
    })
    const value = (subject: string) =>
      Effect.map(Metric.value(Metric.gauge(`test_expiry_bound_CN=${subject}`)), (state) => state.value)
    const expiry = a.notAfter.getTime() / 1000
    Effect.gen(function* () {
      yield* Effect.scoped(Effect.zipRight(show(a), show(a)))
      assert.strictEqual(yield* value("a"), CertificateExpiry.never)
      const scope = yield* Scope.make()
      yield* Scope.extend(Effect.all([show(b), show(c), show(c), show(a)]), scope)
      assert.deepStrictEqual(made, ["CN=a, P-256", "CN=b, P-256"])
      assert.deepStrictEqual([yield* value("a"), yield* value("b")], [expiry, expiry])
      assert.lengthOf(logged, 1)
      assert.include(String(logged[0]), "more than 2 identities")
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual([yield* value("a"), yield* value("b")], [CertificateExpiry.never, CertificateExpiry.never])
    }).pipe(
      Effect.provide(
        Logger.replace(
          Logger.defaultLogger,
          Logger.make(({ message }) => logged.push(message))
        )
      ),
      Effect.runSync
    )
  })
})
