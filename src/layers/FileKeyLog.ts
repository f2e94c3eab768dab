/**
 * A key log in a file, as `SSLKEYLOGFILE` has it. Whoever reads the file reads the traffic.
 *
 * @since 0.1.0
 */
import { appendFile } from "node:fs/promises"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { KeyLog } from "../core/KeyLog.ts"

/**
 * Appends to a file, which is made with access for its owner only. A line that cannot be written is a logged warning:
 * the connection goes on.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (path: string): Layer.Layer<never> =>
  Layer.succeed(KeyLog, {
    write: (line) =>
      Effect.tryPromise(() => appendFile(path, `${line}\n`, { mode: 0o600 })).pipe(
        Effect.catchAll((error) => Effect.logWarning(`the key log ${path} cannot be written`, error.cause))
      )
  })
