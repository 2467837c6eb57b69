/** `tokenwright/client` for pages without a bundler: one file, at `/modules/client.js`. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Hono } from 'hono'

const FILE = fileURLToPath(import.meta.resolve('tokenwright/client'))

/** Adds its route. */
export function serveClientModule(app: Hono): void {
  app.get('/modules/client.js', (c) =>
    c.body(readFileSync(FILE, 'utf8'), 200, { 'Content-Type': 'text/javascript' }),
  )
}
