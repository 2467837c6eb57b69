/**
 * The pages for browsers: the web page, its assets and the API's documentation. The server reads
 * all files once at the start into a fixed list of paths, so a request never names a file. Nothing
 * is loaded from another host. All scripts are in this list: no page has an inline script (CSP
 * level 3, Trusted Types).
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { ConfigurationError } from 'tokenwright'
import { writeApiPage } from './api-page.ts'
import { reasonOf } from './reason.ts'
import { ROOT } from './root.ts'
import type { Json } from './schemas.ts'

/** A response that is ready to send. */
export interface Page {
  readonly body: Uint8Array<ArrayBuffer>
  /** The same, for clients that accept gzip. */
  readonly gzipped: Uint8Array<ArrayBuffer>
  readonly headers: Readonly<Record<string, string>>
}

/** The media types. */
const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
}

/** The pages' policy: only our own files, no inline script or style, no markup from strings. */
export const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'"

/**
 * Reads all pages.
 *
 * @param openapi the API's description, served as `/openapi.json`
 * @param base where the page's routes are: `/demo`, or empty for those of the server itself
 * @returns the pages by path
 * @throws {ConfigurationError} when a file is missing, for example before the first build
 */
export function loadPages(openapi: Json, base = ''): ReadonlyMap<string, Page> {
  const page = new TextDecoder().decode(fromDisk(join(ROOT, 'web/page.html')))
  return new Map([
    ['/', toPage('.html', page.replace('data-base=""', `data-base="${base}"`), PAGE_POLICY)],
    ...loadAssets(),
    ...loadScripts(),
    ['/docs', toPage('.html', writeApiPage(openapi), PAGE_POLICY)],
    ['/openapi.json', toPage('.json', JSON.stringify(openapi))],
  ])
}

/** The files of `web/` that are served as they are. */
function loadAssets(): [string, Page][] {
  return readdirSync(join(ROOT, 'web'))
    .filter((file) => /\.(css|svg|png)$/.test(file))
    .map((file) => [`/assets/${file}`, toPage(extname(file), fromDisk(join(ROOT, 'web', file)))])
}

/** The scripts, which the build has made one file each of, with the library's client in them. */
function loadScripts(): [string, Page][] {
  return ['start.js', 'page.js', 'api-page.js'].map((file) => [
    `/assets/${file}`,
    toPage('.js', fromDisk(join(ROOT, 'dist/assets', file))),
  ])
}

function fromDisk(path: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(readFileSync(path))
  } catch (error) {
    throw new ConfigurationError(`${path} cannot be read (${reasonOf(error)}); run: npm ci && npm run build`)
  }
}

function toPage(type: string, content: string | Uint8Array<ArrayBuffer>, policy?: string): Page {
  const body = typeof content === 'string' ? new TextEncoder().encode(content) : content
  const headers = {
    'content-type': TYPES[type] ?? 'application/octet-stream',
    // Browsers ask each time and get 304, so that no old script runs with a new server.
    'cache-control': 'no-cache',
    // Weak, because it is the same for both encodings (RFC 9110 section 8.8.3.3).
    etag: `W/"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
    vary: 'Accept-Encoding',
    ...(policy && { 'content-security-policy': policy }),
  }
  let gzipped: Page['gzipped'] | undefined
  return {
    body,
    // When it is first asked for, so that the start does not wait for it.
    get gzipped() {
      gzipped ??= new Uint8Array(gzipSync(body))
      return gzipped
    },
    headers,
  }
}
