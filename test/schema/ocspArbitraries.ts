/** OCSP requests and responses of random parts, well-formed and signed by nobody. */
import * as FastCheck from "effect/FastCheck"
import * as AlgorithmIdentifier from "../../src/schema/AlgorithmIdentifier.ts"
import * as CertificateExtension from "../../src/schema/CertificateExtension.ts"
import type { RevocationReason } from "../../src/schema/CrlExtension.ts"
import { revocationReasons } from "../../src/schema/CrlExtension.ts"
import * as Der from "../../src/schema/Der.ts"
import * as Ocsp from "../../src/schema/Ocsp.ts"
import * as OcspRequest from "../../src/schema/OcspRequest.ts"
import * as OcspResponse from "../../src/schema/OcspResponse.ts"
import * as identities from "../support/identities.ts"
import { nameOf } from "./crlArbitraries.ts"

const time = FastCheck.integer({ min: Date.UTC(1950, 0) / 1000, max: Date.UTC(2100, 0) / 1000 }).map((s) => s * 1000)
const reasons = revocationReasons.filter((known): known is RevocationReason => known !== undefined)

const certificateId = FastCheck.record({
  hash: FastCheck.constantFrom("SHA-1" as const, "SHA-256" as const, "SHA-512" as const),
  issuerNameHash: FastCheck.uint8Array({ minLength: 20, maxLength: 64 }),
  issuerKeyHash: FastCheck.uint8Array({ minLength: 20, maxLength: 64 }),
  serial: FastCheck.integer({ min: 1, max: 127 }).map((byte) => Uint8Array.of(byte))
})

const status: FastCheck.Arbitrary<OcspResponse.CertificateStatus> = FastCheck.oneof(
  FastCheck.constantFrom({ _tag: "Good" as const }, { _tag: "Unknown" as const }),
  FastCheck.record({
    _tag: FastCheck.constant("Revoked" as const),
    time,
    reason: FastCheck.constantFrom(undefined, ...reasons)
  })
)

const single = FastCheck.record({
  certificateId: certificateId.map(Ocsp.encodeCertificateId),
  status,
  thisUpdate: time,
  nextUpdate: FastCheck.option(time, { nil: undefined })
}).map(OcspResponse.encodeSingle)

const nonce = FastCheck.option(FastCheck.uint8Array({ minLength: 1, maxLength: 128 }), { nil: undefined })

const responder = FastCheck.oneof(
  FastCheck.constantFrom("CA", "other", "Ä").map((text) => ({ _tag: "ByName" as const, name: nameOf(text) })),
  FastCheck.uint8Array({ minLength: 20, maxLength: 20 }).map((keyHash) => ({ _tag: "ByKey" as const, keyHash }))
)

/** The DER of a response, mostly one that says something. */
export const response: FastCheck.Arbitrary<Uint8Array> = FastCheck.oneof(
  {
    weight: 9,
    arbitrary: FastCheck.tuple(
      responder,
      time,
      FastCheck.array(single, { maxLength: 4 }),
      nonce,
      FastCheck.boolean()
    ).map(([who, producedAt, singles, asked, withCertificate]) =>
      OcspResponse.encode({
        basic: Der.sequence(
          Der.sequence(
            OcspResponse.encodeResponder(who),
            Ocsp.encodeTime(producedAt),
            Der.sequence(...singles),
            ...(asked === undefined
              ? []
              : [Der.value(0xa1, Der.sequence(CertificateExtension.encode(Ocsp.encodeNonce(asked))))])
          ),
          AlgorithmIdentifier.encode({ _tag: "Ed25519" }),
          Der.bitString(new Uint8Array(64)),
          ...(withCertificate ? [Der.value(0xa0, Der.sequence(identities.server.certificate.der))] : [])
        )
      })
    )
  },
  {
    weight: 1,
    arbitrary: FastCheck.constantFrom("tryLater" as const, "unauthorized" as const).map(OcspResponse.encode)
  }
)

/** The DER of a request. */
export const request: FastCheck.Arbitrary<Uint8Array> = FastCheck.tuple(
  FastCheck.array(certificateId, { minLength: 1, maxLength: 3 }),
  nonce
).map(([[first, ...others], asked]) => OcspRequest.encode({ certificates: [first!, ...others], nonce: asked }))
