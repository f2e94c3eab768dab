/**
 * `effect-tls certificate dev`: an authority for development and a server's certificate, kept in a folder.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as GeneralName from "../schema/GeneralName.ts"
import * as DevelopmentCa from "../core/DevelopmentCa.ts"
import type { Ended } from "./ExitCode.ts"
import * as MadeFiles from "./MadeFiles.ts"
import type { DevValues } from "./MakingOptions.ts"
import { keyTypes } from "./MakingOptions.ts"
import { printable } from "./Render.ts"

/**
 * Runs the command.
 *
 * @since 0.1.0
 * @category commands
 */
export const dev = (values: DevValues): Effect.Effect<void, Ended, FileSystem.FileSystem> =>
  MadeFiles.running(
    Effect.gen(function* () {
      const folder = values.folder ?? ".certificates"
      const [first, ...others] = values.names
      const validFor = yield* MadeFiles.daysOf(values.days)
      const { server } = yield* DevelopmentCa.keep(folder, {
        ...(first === undefined ? {} : { names: [first, ...others] }),
        ...(validFor === undefined ? {} : { validFor }),
        key: keyTypes.get(values.keyType)!
      }).pipe(
        Effect.catchTag("TlsConfigError", (error) =>
          Effect.fail(MadeFiles.renamed({ names: "NAME", validFor: "--days" })(error))
        ),
        Effect.provide(NodePath.layer)
      )
      const file = (name: "authority" | "server" | "serverKey") => `${folder}/${DevelopmentCa.files[name]}`
      const { certificate } = server
      if (values.json) {
        const files = { authority: file("authority"), certificate: file("server"), privateKey: file("serverKey") }
        return yield* Effect.flatMap(MadeFiles.jsonOf(certificate), (about) =>
          Console.log(JSON.stringify({ files, ...about }))
        )
      }
      const names = certificate.subjectAltNames.map(GeneralName.format).join(", ")
      yield* Console.log(
        [
          `${file("server")}: certificate of ${names}, valid to ${certificate.notAfter.toISOString().slice(0, 10)}`,
          `${file("serverKey")}: its private key`,
          `${file("authority")}: the authority to trust, as by NODE_EXTRA_CA_CERTS or curl --cacert`
        ]
          .map(printable)
          .join("\n")
      )
    })
  )
