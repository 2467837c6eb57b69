// npm run example -- <name>: runs examples/dist/<name>.js in this process, so that it gets signals.
import { readdirSync } from 'node:fs'

const folder = new URL('../examples/dist/', import.meta.url)
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.js'))
  .map((file) => file.slice(0, -3))
const name = process.argv[2]

if (name && names.includes(name)) {
  process.argv.splice(1, 2, new URL(`${name}.js`, folder).pathname)
  await import(new URL(`${name}.js`, folder).href)
} else {
  console.error(`Usage: npm run example -- <name>, where <name> is one of: ${names.join(', ') || 'none yet'}`)
  process.exitCode = 2
}
