/**
 * What metrics and spans cost, beside handshakes in memory with both ends ours. Here the first column is not ours and the
 * second not `node:tls`: see each.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as MetricLabel from "effect/MetricLabel"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import { SecureContext, TlsClient, TlsMetrics, TlsServer } from "effect-tls"
import { NodeCrypto } from "effect-tls/node"
import { MemoryTransport } from "effect-tls/testing"
import { serverName } from "./Implementation.ts"
import type { Bench, Measure } from "./Measure.ts"

/** A tracer that somebody would look at, which does no more than it must. */
const tracer = Tracer.make({
  span: (name, parent, context, links, startTime, kind) => {
    const attributes = new Map<string, unknown>()
    return {
      _tag: "Span",
      name,
      spanId: "0",
      traceId: "0",
      parent,
      context: Context.isContext(context) ? context : Context.empty(),
      status: { _tag: "Started", startTime },
      attributes,
      links,
      sampled: true,
      kind,
      end: () => {},
      attribute: (key, value) => void attributes.set(key, value),
      event: () => {},
      addLinks: () => {}
    }
  },
  context: (f) => f()
})

/** Seconds for so many handshakes, one after the other. */
const handshaking = async ({ credentials: { ecdsa } }: Bench, layer: Layer.Layer<never>) => {
  const { runPromise } = ManagedRuntime.make(Layer.mergeAll(NodeCrypto.layer, layer))
  const pins = { cipherSuites: ["TLS_AES_128_GCM_SHA256"], groups: ["x25519"] } as const
  const [client, server] = await runPromise(
    Effect.scoped(
      Effect.all([
        SecureContext.make({ trust: { anchors: ecdsa.authority }, protocol: pins }),
        // The key is wiped with its Scope; what was imported of it signs on.
        SecureContext.make({
          identity: { certificateChain: ecdsa.certificate, privateKey: ecdsa.privateKey },
          protocol: pins
        })
      ])
    )
  )
  const handshake = Effect.scoped(
    Effect.flatMap(MemoryTransport.pair(), ([ours, theirs]) =>
      Effect.zip(
        Effect.scoped(TlsClient.over(ours, { context: client, serverName })),
        // Reads to the client's end, then ends: nobody waits for a deadline.
        Effect.scoped(
          Effect.flatMap(TlsServer.over(theirs, { context: server }), ({ stream }) => Stream.runDrain(stream))
        ),
        { concurrent: true }
      )
    )
  )
  return async (count: number): Promise<number> => {
    const began = performance.now()
    await runPromise(Effect.replicateEffect(handshake, count, { discard: true }))
    return (performance.now() - began) / 1000
  }
}

/** Microseconds for what the two ends of a connection count of it, beside those for all of its handshake. */
const metrics = (name: string, labels: () => ReadonlyArray<MetricLabel.MetricLabel>): Measure => ({
  name: `observe.${name}`,
  unit: "µs",
  aim: { most: 0.01 },
  rounds: 25,
  prepare: async (bench, subject) => {
    const { handshakes } = bench.scale
    const run = await handshaking(bench, Layer.empty)
    const updates = handshakes * 100
    return {
      round: async () => {
        if (subject === "theirs") return ((await run(handshakes)) / handshakes) * 1e6
        const began = performance.now()
        for (let i = 0; i < updates; i++) {
          for (const side of ["client", "server"] as const) {
            const own = labels()
            TlsMetrics.unsafeEstablished(side, "TLSv1.3", 0.002, own)
            TlsMetrics.unsafeClosed(side, own)
          }
        }
        return ((performance.now() - began) / updates) * 1e3
      },
      stop: () => {}
    }
  }
})

export const measures: ReadonlyArray<Measure> = [
  metrics("metrics", () => []),
  // As `Effect.tagMetrics` around each call has them.
  metrics("metrics.labels", () => [MetricLabel.make("tenant", "a"), MetricLabel.make("zone", "b")]),
  // With a tracer, beside without one.
  {
    name: "observe.spans",
    unit: "handshakes/s",
    aim: { least: 0.9 },
    rounds: 25,
    prepare: async (bench, subject) => {
      const { handshakes } = bench.scale
      const run = await handshaking(bench, subject === "ours" ? Layer.setTracer(tracer) : Layer.empty)
      return { round: async () => handshakes / (await run(handshakes)), stop: () => {} }
    }
  }
]
