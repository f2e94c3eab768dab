import { Effect, Option } from "effect"
import { assert, describe, it } from "vitest"
import { HandshakeTrace } from "../../src/core/HandshakeTrace.ts"
import * as ConsoleHandshakeTrace from "../../src/layers/ConsoleHandshakeTrace.ts"
import * as Alert from "../../src/schema/Alert.ts"
import * as Endpoint from "../../src/schema/Endpoint.ts"
import { HandshakeError, TlsConfigError } from "../../src/schema/TlsError.ts"

const { format } = ConsoleHandshakeTrace

describe("ConsoleHandshakeTrace", () => {
  it("prints an event on a line", () => {
    const lines = [
      format({ _tag: "ChangeCipherSpecSent" }),
      format({ _tag: "ChangeCipherSpecReceived" }),
      format({ _tag: "AlertSent", description: Alert.fromName("close_notify") }),
      format({ _tag: "AlertReceived", description: 99 }),
      format({ _tag: "KeysChanged", direction: "write", stage: "application" }),
      format({ _tag: "MessageSent", message: { _tag: "KeyUpdate", request: 1 }, length: 5 }),
      format({ _tag: "MessageReceived", message: { _tag: "Finished", verifyData: new Uint8Array(32) }, length: 36 })
    ]
    assert.deepStrictEqual(lines, [
      "→ ChangeCipherSpec",
      "← ChangeCipherSpec",
      "→ Alert: close_notify",
      "← Alert: alert 99",
      "· writes with application keys from here",
      "→ KeyUpdate, 5 bytes: asks for ours",
      "← Finished, 36 bytes"
    ])
  })

  it("keeps an error on one line", () => {
    const error = new HandshakeError({ reason: "MalformedMessage", message: "one\ntwo", phase: "negotiation" })
    assert.strictEqual(format({ _tag: "HandshakeFailed", error }), "✗ HandshakeError (MalformedMessage): one; two")
    const config = TlsConfigError.of("InvalidOptions", "a", "b")
    assert.strictEqual(format({ _tag: "HandshakeFailed", error: config }), "✗ TlsConfigError (InvalidOptions): a: b")
  })

  it("lets no byte of the peer's move the cursor", () => {
    const name = new TextEncoder().encode("a\u001b[2Jb\n")
    const line = format({
      _tag: "MessageReceived",
      message: {
        _tag: "EncryptedExtensions",
        extensions: [{ _tag: "ApplicationProtocols", protocols: ["\u001b[2J", "h2"] }]
      },
      length: 9
    })
    assert.strictEqual(line, '← EncryptedExtensions, 9 bytes: ALPN "\\u001b[2J", h2')
    assert.notMatch(
      format({
        _tag: "MessageReceived",
        message: {
          _tag: "ClientHello",
          legacyVersion: 0x0303 as never,
          random: new Uint8Array(32),
          sessionId: new Uint8Array(0),
          cipherSuites: [],
          compressionMethods: Uint8Array.of(0),
          extensions: [{ _tag: "ServerName", names: [{ type: 0, name }] }]
        },
        length: 60
      }),
      /\p{Cc}/u
    )
  })

  it("is an observer that names the connection", () => {
    const lines: Array<string> = []
    const connection = (id: number, remoteAddress: Option.Option<Endpoint.Endpoint>) => ({
      id,
      localAddress: Option.none(),
      remoteAddress
    })
    Effect.map(HandshakeTrace, (trace) => {
      const event = { _tag: "ChangeCipherSpecSent" } as const
      trace?.record("server", event, connection(7, Option.some(Endpoint.tcp("192.0.2.1", 50_312))))
      trace?.record("client", event, connection(8, Option.none()))
    }).pipe(Effect.provide(ConsoleHandshakeTrace.layer({ write: (line) => lines.push(line) })), Effect.runSync)
    assert.deepStrictEqual(lines, ["server#7 192.0.2.1:50312 → ChangeCipherSpec", "client#8 → ChangeCipherSpec"])
  })
})
