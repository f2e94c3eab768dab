import { createRequire } from "node:module"
import { dirname, join } from "node:path"

// The compiler's program itself: npx would cost a second, and .bin holds shell shims on Windows.
export const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc")
