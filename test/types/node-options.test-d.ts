/** Every option that the declarations of Node have is one that we know: new declarations show here what is missing. */
import type * as Net from "node:net"
import type * as Tls from "node:tls"
import type { NodeSecureContext } from "effect-tls/node"
import { describe, expectTypeOf, test } from "vitest"
import type { Name } from "../../src/layers/NodeOptions.ts"

/** The names of options that are not in our table. */
type Missing<Options> = Exclude<Options extends unknown ? keyof Options : never, Name>

describe("the table of options has every name", () => {
  test("of tls.createSecureContext", () => {
    expectTypeOf<Missing<Tls.SecureContextOptions>>().toBeNever()
  })

  test("of tls.connect, and of the socket below", () => {
    expectTypeOf<Missing<Tls.CommonConnectionOptions | Tls.ConnectionOptions>>().toBeNever()
    expectTypeOf<Missing<Net.TcpNetConnectOpts | Net.IpcNetConnectOpts>>().toBeNever()
    expectTypeOf<Missing<Net.SocketConstructorOpts>>().toBeNever()
  })

  test("of tls.createServer, and of the server below", () => {
    expectTypeOf<Missing<Tls.TlsOptions | Net.ServerOpts>>().toBeNever()
  })

  test("of new tls.TLSSocket", () => {
    expectTypeOf<Missing<Tls.TLSSocketOptions>>().toBeNever()
  })

  test("and a name that nobody has is missing", () => {
    expectTypeOf<Missing<{ readonly ca: string; readonly cas: string }>>().toEqualTypeOf<"cas">()
  })
})

describe("what Node declares is taken as it is", () => {
  test("by fromNode and connect", () => {
    expectTypeOf<Tls.SecureContextOptions>().toExtend<Parameters<typeof NodeSecureContext.fromNode>[0]>()
    expectTypeOf<Tls.TlsOptions>().toExtend<Parameters<typeof NodeSecureContext.fromNode>[0]>()
    expectTypeOf<Tls.ConnectionOptions>().toExtend<Parameters<typeof NodeSecureContext.connect>[0]>()
  })
})
