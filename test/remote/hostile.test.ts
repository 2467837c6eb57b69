/**
 * What is not a page of the right issuer for this request is an outage, and never means that
 * nothing was revoked.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { inspect } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import type { Auth, AuthError } from '../../src/index.ts'
import { CREDENTIALS, codeOf, createService, ISSUER, listen, startIssuer, until } from './services.ts'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

type Respond = (query: URLSearchParams, res: ServerResponse, req: IncomingMessage) => void

/** A page that is right. */
const PAGE = {
  iss: ISSUER,
  entries: [] as object[],
  cursor: '1.x',
  more: false,
  restarted: false,
  now: Date.now() / 1000,
  covers: 900,
}

/** Responds with a body, and with what a right response to the request has beside it. */
function reply(body: unknown, headers: Record<string, string> = {}, status = 200): Respond {
  return (query, res) => {
    // A request that is held: nothing happens.
    if (query.has('wait')) return
    const right = {
      'content-type': 'application/json',
      etag: '"t"',
      'revocations-as-of': '0.000',
      'revocations-nonce': query.get('nonce') ?? '',
    }
    res.writeHead(status, { ...right, ...headers })
    res.end(typeof body === 'string' ? body : JSON.stringify(body))
  }
}

async function serve(respond: Respond): Promise<string> {
  const server = await listen((req, res) => respond(new URL(`http://x${req.url}`).searchParams, res, req))
  open.push(server)
  return `${server.origin}/auth/revocations`
}

async function follow(respond: Respond, options: Parameters<typeof createService>[1] = {}): Promise<Auth> {
  const service = createService(await serve(respond), options)
  open.push(service)
  return service
}

const issuer = await startIssuer()
const { access_token } = await issuer.auth.sessions.start('alice')
const { sid = '' } = await issuer.auth.verifyToken(access_token)
await issuer.close()

describe('a feed that is right', () => {
  it('is accepted', async () => {
    const service = await follow(reply(PAGE))
    expect(await codeOf(() => service.verifyToken(access_token))).toBe('accepted')
  })

  it('refuses what it names', async () => {
    const entry = { kind: 'sid', key: sid, at: 1, until: Date.now() / 1000 + 60 }
    const service = await follow(reply({ ...PAGE, entries: [entry] }))
    expect(await codeOf(() => service.verifyToken(access_token))).toBe('token_revoked')
  })
})

const HTML = '<html><body>Welcome to our wireless network</body></html>'
const ENTRY = { kind: 'sid', key: 'a', at: 1, until: 2_000_000_000 }

describe('is an outage:', () => {
  it.each<[string, Respond]>([
    ['a page in HTML', reply(HTML, { 'content-type': 'text/html' })],
    ['HTML that says it is JSON', reply(HTML)],
    ['another JSON object', reply({ ok: true })],
    ['a list', reply([])],
    ['a page without a type', reply(PAGE, { 'content-type': 'text/plain' })],
    ['a page of another issuer', reply({ ...PAGE, iss: 'https://evil.example' })],
    ['a page of no issuer', reply({ ...PAGE, iss: undefined })],
    ['a page of another realm', reply({ ...PAGE, realm: 'admin' })],
    ['a page for another request', reply(PAGE, { 'revocations-nonce': 'A'.repeat(22) })],
    ['a page that does not say of when it is', reply(PAGE, { 'revocations-as-of': 'now' })],
    ['an entry of an unknown kind', reply({ ...PAGE, entries: [{ ...ENTRY, kind: 'client' }] })],
    ['an entry without a name', reply({ ...PAGE, entries: [{ ...ENTRY, key: '' }] })],
    ['an entry without an end', reply({ ...PAGE, entries: [{ ...ENTRY, until: null }] })],
    ['an entry in milliseconds', reply({ ...PAGE, entries: [{ ...ENTRY, until: Date.now() }] })],
    ['too many entries', reply({ ...PAGE, entries: Array(20_001).fill(ENTRY) })],
    ['a cursor that is too long', reply({ ...PAGE, cursor: 'x'.repeat(1025) })],
    ['a page without its cursor', reply({ ...PAGE, cursor: undefined })],
    ['more without an end', reply({ ...PAGE, more: true })],
    ['304 to who knows nothing', reply('', {}, 304)],
    ['204', reply('', {}, 204)],
    ['206', reply(PAGE, {}, 206)],
    ['404', reply({ message: 'Not found' }, {}, 404)],
    ['500', reply(PAGE, {}, 500)],
    ['a closed connection', (_, res) => res.destroy()],
  ])('%s', async (_, respond) => {
    const service = await follow(respond)
    expect(await codeOf(() => service.verifyToken(access_token))).toBe('store_unavailable')
    expect(service.state()?.caughtUp).toBe(false)
  })

  it('a response without an end, byte by byte, within the deadline', async () => {
    let isOver = false
    const service = await follow((query, res) => {
      res.writeHead(200, {
        'content-type': 'application/json',
        'revocations-nonce': query.get('nonce') ?? '',
      })
      const timer = setInterval(() => res.write(' '), 50)
      res.on('close', () => {
        clearInterval(timer)
        isOver = true
      })
    })
    const begun = performance.now()
    expect(await codeOf(() => service.verifyToken(access_token))).toBe('store_unavailable')
    expect(performance.now() - begun).toBeLessThan(3000)
    // The connection is given up, too.
    await until('true', async () => String(isOver), 2)
  })

  it('a response that is too large, which is not read to its end', async () => {
    let sent = 0
    const service = await follow((_, res) => {
      res.writeHead(200, { 'content-type': 'application/json' })
      const chunk = Buffer.alloc(1024 * 1024, ' ')
      const write = (): void => {
        while (!res.destroyed && sent < 64) {
          sent++
          if (!res.write(chunk)) {
            res.once('drain', write)
            return
          }
        }
      }
      write()
    })
    expect(await codeOf(() => service.verifyToken(access_token))).toBe('store_unavailable')
    expect(sent).toBeLessThan(64)
  })
})

describe('a redirect', () => {
  it.each([301, 302, 303, 307, 308])('%i is not followed', async (status) => {
    const seen: string[] = []
    const elsewhere = await serve((_, res, req) => {
      seen.push(req.headers.authorization ?? '')
      res.end()
    })
    const service = await follow((_, res) => res.writeHead(status, { location: elsewhere }).end())
    expect(await codeOf(() => service.verifyToken(access_token))).toBe('store_unavailable')
    expect(seen).toEqual([])
  })
})

describe('what is known', () => {
  const entry = { kind: 'sid', key: sid, at: 1, until: Date.now() / 1000 + 600 }

  it('is not taken back by an older page, nor by a log that has restarted', async () => {
    let count = 0
    const pages = [
      { ...PAGE, entries: [entry] },
      { ...PAGE, cursor: '0.x' },
      { ...PAGE, cursor: '0.y', restarted: true },
    ]
    const service = await follow((query, res, req) => {
      const held = new URLSearchParams([['nonce', query.get('nonce') ?? '']])
      reply(pages[Math.min(count++, 2)])(held, res, req)
    })
    const verify = () => codeOf(() => service.verifyToken(access_token))
    expect(await verify()).toBe('token_revoked')
    await until('true', async () => String(count > 3), 5)
    expect(await verify()).toBe('token_revoked')
  })

  it('is kept until both clocks say that it has ended', async () => {
    let now = Date.now() / 1000
    // The clock of the issuer is an hour ahead.
    const ahead = { ...PAGE, now: now + 3600, entries: [{ ...entry, until: now + 600 }] }
    const service = await follow(reply(ahead), { clock: () => now })
    expect(await codeOf(() => service.verifyToken(access_token))).toBe('token_revoked')
    now += 300
    expect(await codeOf(() => service.verifyToken(access_token))).toBe('token_revoked')
  })

  it('is no fresher than the feed says, whatever the feed says', async () => {
    const old = await follow(reply(PAGE, { 'revocations-as-of': '-90' }))
    expect(await codeOf(() => old.verifyToken(access_token))).toBe('store_unavailable')
    const future = await follow(reply(PAGE, { 'revocations-as-of': '1e9' }))
    expect(await codeOf(() => future.verifyToken(access_token))).toBe('accepted')
    expect(future.state()?.age).toBeGreaterThanOrEqual(0)
  })
})

describe('the secret', () => {
  it('is sent in the header only, and is in no error, warning or source', async () => {
    const warnings: unknown[] = []
    const onWarning = (warning: Error): unknown => warnings.push(warning)
    process.on('warning', onWarning)
    const requests: string[] = []
    const service = await follow((_, res, req) => {
      requests.push(`${req.url} ${req.headers.authorization}`)
      res.writeHead(401).end('{}')
    })
    const error = await service.verifyToken(access_token).catch((reason: AuthError) => reason)
    await new Promise((resolve) => setTimeout(resolve, 10))
    process.off('warning', onWarning)
    const basic = Buffer.from(`orders:${encodeURIComponent(CREDENTIALS.secret)}`).toString('base64')
    expect(requests[0]).toMatch(/^\/auth\/revocations\?nonce=[\w-]{22} Basic /)
    expect(requests[0]).toContain(basic)
    const shown = [error, warnings, service, service.state()].map((value) =>
      inspect(value, { depth: 12, showHidden: true }),
    )
    expect(shown.join()).toContain('`verifyClient` there does not know these `credentials`')
    for (const text of [CREDENTIALS.secret, encodeURIComponent(CREDENTIALS.secret), basic])
      expect(shown.join()).not.toContain(text)
  })
})
