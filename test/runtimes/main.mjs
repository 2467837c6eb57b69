// Runs the suite on Node, Bun and Deno, and prints how it goes; with `services` the one that calls
// other services.
import { argv } from 'node:process'
import { run } from './checks.mjs'

const { TESTS, close } = await import(argv[2] === 'services' ? './services.mjs' : './suite.mjs')
await run(TESTS, console.log)
await close?.()
