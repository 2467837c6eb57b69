/** The modules of `tokenwright/client` for pages without a bundler, at `/modules/client.js`. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Hono } from 'hono'

const FOLDER = new URL('./', import.meta.resolve('tokenwright/client'))

/** Adds their route. */
export function serveClientModules(app: Hono): void {
  app.get('/modules/:path{(client|client/[a-z-]+)\\.js}', (c) => {
    const path = fileURLToPath(new URL(c.req.param('path'), FOLDER))
    return c.body(readFileSync(path, 'utf8'), 200, { 'Content-Type': 'text/javascript' })
  })
}
