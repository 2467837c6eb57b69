/** Serves the built site on this machine, as hosts of static pages do. */
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { gzipSync } from 'node:zlib'

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
}

/**
 * @param folder the built site
 * @param base the path under which it is served
 * @param others files from elsewhere, by the path under which they are served
 */
export async function serveSite(folder, base = '/', others = {}) {
  const packed = new Map()
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname)
    const own = path.startsWith(base) ? findFile(folder, path.slice(base.length)) : undefined
    const file = others[path] ?? own
    const name = file ?? join(folder, '404.html')
    if (!packed.has(name)) packed.set(name, gzipSync(readFileSync(name)))
    response.writeHead(file ? 200 : 404, {
      'Content-Type': TYPES[extname(name)] ?? 'application/octet-stream',
      'Content-Encoding': 'gzip',
      'Cache-Control': path.includes('/assets/') || others[path] ? 'max-age=31536000, immutable' : 'no-cache',
    })
    response.end(packed.get(name))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { origin: `http://127.0.0.1:${server.address().port}`, close: () => server.close() }
}

/** The file of a path: itself, as a page, or the page of a folder. */
function findFile(folder, path) {
  const name = join(folder, normalize(`/${path}`))
  const isOwn = /\.\w+$/.test(name)
  const candidates =
    path === '' || path.endsWith('/') ? [join(name, 'index.html')] : [isOwn ? name : '', `${name}.html`]
  return candidates.find((candidate) => candidate && existsSync(candidate))
}
