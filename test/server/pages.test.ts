import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { describeApi } from '../../server/openapi.ts'
import { loadPages, PAGE_POLICY } from '../../server/pages.ts'
import { ROOT, startServer } from './process.ts'

/** A URL of another host, in markup or in a script of ours. XML namespaces are not URLs. */
const FOREIGN = /(?:https?:)?\/\/(?!www\.w3\.org\/)[a-z0-9-]+\.[a-z]/i

const text = (path: string) => new TextDecoder().decode(loadPages(describeApi()).get(path)?.body)

describe('the pages', () => {
  it('are served with one strict policy', async () => {
    const server = await startServer()
    for (const path of ['/', '/docs']) {
      const response = await fetch(server.url + path)
      expect(response.status).toBe(200)
      expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
      expect(response.headers.get('content-security-policy')).toBe(PAGE_POLICY)
      expect(response.headers.get('x-content-type-options')).toBe('nosniff')
      expect(response.headers.get('referrer-policy')).toBe('no-referrer')
      expect(await response.text()).toMatch(/^<!doctype html>/i)
    }
    expect(PAGE_POLICY).toContain("script-src 'self';")
    expect(PAGE_POLICY).toContain("frame-ancestors 'none'")
    expect(PAGE_POLICY).toContain("require-trusted-types-for 'script'")
    expect(PAGE_POLICY).not.toMatch(/unsafe|https?:|\*/)
  })

  it('refer only to files that are served, and to no other host', async () => {
    const pages = loadPages(describeApi())
    for (const page of ['/', '/docs']) {
      const markup = text(page)
      expect(markup).not.toMatch(FOREIGN)
      const links = [...markup.matchAll(/<(?:script|link|img)[^>]*\s(?:src|href)="([^"]*)"/g)].map(
        (match) => match[1],
      )
      expect(links.length).toBeGreaterThanOrEqual(3)
      for (const link of links) if (!link?.startsWith('data:')) expect([...pages.keys()]).toContain(link)
    }
  })

  it('have neither inline scripts nor inline handlers', () => {
    for (const page of ['/', '/docs']) {
      expect(text(page)).not.toMatch(/<script(?![^>]*\ssrc=)[^>]*>/i)
      expect(text(page)).not.toMatch(/<[^>]*\son[a-z]+=/i)
      expect(text(page)).not.toMatch(/<style|\sstyle=/i)
    }
  })

  it('include every module that a script of ours imports', () => {
    const pages = loadPages(describeApi())
    const scripts = [...pages.keys()].filter((path) => /^\/assets\/.*\.js$/.test(path))
    expect(scripts.length).toBeGreaterThan(0)
    for (const script of scripts) {
      // Statements only: the page shows code, whose lines are indented.
      const statement = /^(?:import|export)\b[^;=]*?from ['"]([^'"]+)['"]|\bimport\s*\(?['"]([^'"]+)['"]/gm
      const imports = [...text(script).matchAll(statement)].map((match) => match[1] ?? match[2] ?? '')
      for (const name of imports) {
        expect(name).toMatch(/^\.\.?\//)
        expect([...pages.keys()]).toContain(new URL(name, `http://x${script}`).pathname)
      }
    }
  })
})

it('loads two scripts: a short one, and after the first paint the page with all that it needs', () => {
  expect([...text('/').matchAll(/<script[^>]*>/g)].map(([tag]) => tag)).toEqual([
    '<script type="module" src="/assets/start.js">',
  ])
  expect(text('/assets/start.js').length).toBeLessThan(200)
  expect(text('/assets/start.js')).toContain('import("./page.js")')
  // The library's client is in it.
  expect(text('/assets/page.js')).toContain('insufficient_user_authentication')
  for (const path of ['/assets/page.js', '/assets/api-page.js'])
    expect(text(path)).not.toMatch(/^(?:import|export)\b|[;}](?:import|export)\b|\bimport\(/)
})

describe('the list of files', () => {
  it('contains the files of server/web, the bundled scripts and no others of dist/', () => {
    const sources = readdirSync(join(ROOT, 'server/web')).filter((file) => /\.(css|svg|png)$/.test(file))
    const scripts = ['start.js', 'page.js', 'api-page.js']
    const assets = [...loadPages(describeApi()).keys()].filter((path) => path.startsWith('/assets/'))
    expect(assets.sort()).toEqual([...sources, ...scripts].map((file) => `/assets/${file}`).sort())
  })

  it('has the right media types, and responds with 304', async () => {
    const server = await startServer()
    const types = [
      ['/assets/page.js', 'text/javascript; charset=utf-8'],
      ['/assets/page.css', 'text/css; charset=utf-8'],
      ['/assets/api-page.js', 'text/javascript; charset=utf-8'],
      ['/assets/api-page.css', 'text/css; charset=utf-8'],
      ['/assets/mark.svg', 'image/svg+xml'],
      ['/openapi.json', 'application/json'],
    ] as const
    for (const [path, type] of types) {
      const response = await fetch(server.url + path)
      expect(response.status).toBe(200)
      expect(response.headers.get('content-type')).toBe(type)
      expect(response.headers.get('x-content-type-options')).toBe('nosniff')
      expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(100)
      const headers = { 'if-none-match': response.headers.get('etag') ?? '' }
      const again = await fetch(server.url + path, { headers })
      expect(again.status).toBe(304)
      expect(await again.text()).toBe('')
    }
  })

  it('is sent in gzip to those who take it, and is the same text', async () => {
    const server = await startServer()
    for (const path of ['/', '/docs', '/assets/page.js']) {
      const known = loadPages(describeApi(), '/demo').get(path)
      for (const [accepted, isGzip] of [
        ['gzip, deflate, br', true],
        ['br;q=1.0, gzip;q=0.8', true],
        ['identity', false],
        ['gzip;q=0', false],
        ['gzip;q=0.0, identity', false],
      ] as const) {
        const response = await fetch(server.url + path, { headers: { 'accept-encoding': accepted } })
        expect(response.headers.get('content-encoding')).toBe(isGzip ? 'gzip' : null)
        expect(response.headers.get('vary')).toBe('Accept-Encoding')
        expect(await response.text()).toBe(new TextDecoder().decode(known?.body))
      }
    }
  })

  it.each([
    '/assets/',
    '/assets/page.html',
    '/assets/page.ts',
    '/assets/page.d.ts',
    '/assets/../main.js',
    '/assets/..%2fmain.js',
    '/assets/%2e%2e/main.js',
    '/assets//etc/passwd',
    '/assets/page.js%00.css',
    '/docs/package.json',
    '/docs/start.js',
    '/server/main.js',
    '/.data/tokenwright.db.secret',
    '/package.json',
  ])('does not have %s', async (path) => {
    const server = await startServer()
    // fetch() would resolve the dots itself.
    const { request } = await import('node:http')
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const sent = request({ port: server.port, path }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
      sent.on('error', reject).end()
    })
    expect(status).toBe(404)
  })
})
