// Runs the suite on Node, Bun and Deno, and prints how it goes.
import { run } from './suite.mjs'

await run(console.log)
