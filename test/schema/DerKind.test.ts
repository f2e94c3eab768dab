import { assert, describe, it } from "@effect/vitest"
import { generateKeyPairSync } from "node:crypto"
import * as Der from "../../src/schema/Der.ts"
import * as DerKind from "../../src/schema/DerKind.ts"
import { server } from "../support/identities.ts"

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 })
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" })

const signed = (...parts: ReadonlyArray<Uint8Array>) =>
  Der.sequence(Der.sequence(...parts), Der.sequence(), Der.bitString(new Uint8Array()))

describe("DerKind", () => {
  it.each<[string | undefined, () => Uint8Array]>([
    ["a PKCS#8 private key", () => ec.privateKey.export({ format: "der", type: "pkcs8" })],
    ["a PKCS#8 private key", () => rsa.privateKey.export({ format: "der", type: "pkcs8" })],
    ["an RSA private key", () => rsa.privateKey.export({ format: "der", type: "pkcs1" })],
    ["an EC private key", () => ec.privateKey.export({ format: "der", type: "sec1" })],
    [
      "an encrypted private key",
      () => ec.privateKey.export({ format: "der", type: "pkcs8", cipher: "aes-256-cbc", passphrase: "x" })
    ],
    ["a public key", () => rsa.publicKey.export({ format: "der", type: "spki" })],
    ["an RSA public key", () => rsa.publicKey.export({ format: "der", type: "pkcs1" })],
    ["a PKCS#12 bundle", () => Der.sequence(Der.integer(3), Der.sequence(), Der.sequence())],
    ["a PKCS#7 bundle", () => Der.sequence(Der.oid("1.2.840.113549.1.7.2" as never), Der.value(0xa0))],
    ["a certificate revocation list", () => signed(Der.integer(1), Der.sequence(), Der.sequence(), Der.time(0))],
    [
      "a certificate revocation list",
      () => signed(Der.integer(1), Der.sequence(), Der.sequence(), Der.time(Date.UTC(2050, 0)))
    ],
    ["a certificate request", () => signed(Der.integer(0), Der.sequence(), Der.sequence(), Der.value(0xa0))],
    [undefined, () => signed(Der.integer(1), Der.sequence(), Der.sequence(), Der.sequence())],
    [undefined, () => server.certificate.der],
    [undefined, () => Uint8Array.of(0x30, 5, 1)],
    [undefined, () => new Uint8Array()]
  ])("tells %s", (kind, bytes) => {
    assert.strictEqual(DerKind.kindOf(new Uint8Array(bytes())), kind)
  })
})
