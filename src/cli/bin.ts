#!/usr/bin/env node
/**
 * The `effect-tls` command.
 *
 * @since 0.1.0
 */
import * as Module from "node:module"

// Where Node can (from 22 on), compiled code is kept for the next run: most of a start is loading.
;(Module as { readonly enableCompileCache?: () => unknown }).enableCompileCache?.()
const { main } = await import("./Main.ts")
main(process.argv.slice(2))
