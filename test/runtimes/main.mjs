// Runs the suite on Node, Bun and Deno, and prints how it went.
import { run } from './suite.mjs'

const { lines, passed, failed } = await run()
for (const line of lines) console.log(`  ${line}`)
console.log(`${passed} passed, ${failed} failed`)
