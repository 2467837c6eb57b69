/** The handler that proxies ask: what each says of the client's request, and who may ask at all. */
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { type ForwardAuthOptions, forwardAuth } from '../../../src/adapters/forward-auth.ts'
import { toNodeHandler } from '../../../src/adapters/node.ts'
import { createAuth } from '../../../src/index.ts'
import { SECRET } from '../../token/forge.ts'

const auth = createAuth({ secret: SECRET, locations: ['header', 'cookie'] })
const SETTINGS = { proxy: 'traefik', trusted: ['192.0.2.7', '10.1.0.0/16', '2001:db8::/32'] } as const
const PROXY = { address: '192.0.2.7' }
const HOST = 'app.example.com'
const APP = `https://${HOST}`

type Headers = Readonly<Record<string, string>>

/** What each proxy says of a request for `https://app.example.com/notes?a=b`. */
const SAID: Readonly<Record<ForwardAuthOptions['proxy'], (method: string, host?: string) => Headers>> = {
  nginx: toForwarded,
  traefik: toForwarded,
  caddy: toForwarded,
  'ingress-nginx': (method, host = HOST) => ({
    'X-Original-Method': method,
    'X-Original-URL': `https://${host}/notes?a=b`,
  }),
}

function toForwarded(method: string, host = HOST): Headers {
  return {
    'X-Forwarded-Method': method,
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-Host': host,
    'X-Forwarded-Uri': '/notes?a=b',
  }
}

async function ask(
  options: Partial<ForwardAuthOptions>,
  headers: Headers,
  { path = '/verify', info = PROXY as { address?: string } | null, method = 'GET' } = {},
) {
  const handle = forwardAuth(auth, { ...SETTINGS, ...options })
  const response = await handle(
    new Request(`http://127.0.0.1:9000${path}`, { headers, method }),
    info ?? undefined,
  )
  const body = await response.text()
  return { status: response.status, headers: response.headers, code: body && JSON.parse(body).code }
}

async function signIn(scopes: readonly string[] = []) {
  const lines = auth.cookies(await auth.createTokenPair('alice', { scopes }))
  const cookie = lines.map((line) => line.split(';', 1)[0]).join('; ')
  return { cookie, csrf: /csrf_token=([^;]+)/.exec(cookie)?.[1] ?? '' }
}

const bearer = async (scopes: readonly string[] = []) => ({
  Authorization: `Bearer ${await auth.createAccessToken('alice', { scopes })}`,
})

let warnings: string[] = []
beforeEach(() => {
  warnings = []
  vi.spyOn(process, 'emitWarning').mockImplementation((_text, options) => {
    warnings.push(String(Object(options).code))
  })
})
afterEach(() => vi.restoreAllMocks())

describe.each(Object.entries(SAID))('%s', (name, said) => {
  const proxy = name as ForwardAuthOptions['proxy']

  it('gets the user of a token in the header', async () => {
    const { status, headers } = await ask(
      { proxy },
      { ...said('POST'), ...(await bearer(['read', 'write'])) },
    )
    expect([status, headers.get('x-auth-subject'), headers.get('x-auth-scopes')]).toEqual([
      200,
      'alice',
      'read write',
    ])
    expect(headers.get('cache-control')).toBe('no-store')
  })

  it('lets a cookie read, and change something only from the own page', async () => {
    const { cookie, csrf } = await signIn()
    for (const method of ['GET', 'HEAD'])
      expect((await ask({ proxy }, { cookie, ...said(method) })).status).toBe(200)
    const own = { cookie, Origin: APP, 'X-CSRF-Token': csrf }
    for (const method of ['POST', 'DELETE', 'get']) {
      expect((await ask({ proxy }, { ...own, ...said(method) })).status).toBe(200)
      expect((await ask({ proxy }, { cookie, ...said(method) })).code).toBe('csrf_missing')
      for (const Origin of ['https://evil.example', 'http://app.example.com', `${APP}:444`, 'null'])
        expect((await ask({ proxy }, { ...own, Origin, ...said(method) })).code).toBe('csrf_mismatch')
    }
  })

  it('is taken to change something when it says no method, or two', async () => {
    const { cookie, csrf } = await signIn()
    const said0 = Object.fromEntries(Object.entries(said('GET')).filter(([key]) => !key.endsWith('Method')))
    const field = proxy === 'ingress-nginx' ? 'X-Original-Method' : 'X-Forwarded-Method'
    const other = proxy === 'ingress-nginx' ? 'X-Forwarded-Method' : 'X-Original-Method'
    for (const method of [{}, { [field]: 'GET, POST' }, { [field]: '' }, { [other]: 'GET' }]) {
      const headers = { cookie, ...said0, ...method } as Headers
      expect((await ask({ proxy }, headers)).code).toBe('csrf_missing')
      expect((await ask({ proxy }, { ...headers, Origin: APP, 'X-CSRF-Token': csrf })).status).toBe(200)
    }
    expect(new Set(warnings)).toEqual(new Set(['TOKENWRIGHT_FORWARD_AUTH_METHOD']))
  })

  it('is taken for no host when it says none, two, or no valid one', async () => {
    const { cookie, csrf } = await signIn()
    for (const host of ['', `${HOST}, ${HOST}`, `x@${HOST}`, `${HOST}:x`, `${HOST}\\`]) {
      const headers = { cookie, Origin: APP, 'X-CSRF-Token': csrf, ...said('POST', host) }
      expect([host, (await ask({ proxy }, headers)).code]).toEqual([host, 'csrf_mismatch'])
    }
  })

  it('gets statuses that it passes on', async () => {
    const passesAll = proxy === 'traefik' || proxy === 'caddy'
    const headers = { ...said('GET'), Authorization: 'Bearer a b' }
    const { status, headers: sent } = await ask({ proxy }, headers)
    expect(status).toBe(passesAll ? 400 : 403)
    expect(sent.get('x-auth-status')).toBe(passesAll ? null : '400')
    expect(JSON.parse(sent.get('x-auth-error') ?? '{}')).toMatchObject(
      passesAll ? {} : { code: 'request_invalid' },
    )
  })
})

describe('who may ask', () => {
  it.each(['192.0.2.7', '10.1.255.255', '::ffff:10.1.2.3', '::ffff:192.0.2.7', '2001:db8::1'])(
    'passes %s',
    async (address) => {
      expect((await ask({}, await bearer(), { info: { address } })).status).toBe(200)
    },
  )

  it.each(['192.0.2.8', '10.2.0.1', '::ffff:10.2.0.1', '2001:db9::1', '127.0.0.1', 'proxy', ''])(
    'refuses %s, whatever its headers say',
    async (address) => {
      const headers = { ...toForwarded('GET'), 'X-Forwarded-For': '192.0.2.7', ...(await bearer()) }
      expect(await ask({}, headers, { info: { address } })).toMatchObject({
        status: 403,
        code: 'proxy_untrusted',
      })
      expect(warnings).toEqual(['TOKENWRIGHT_FORWARD_AUTH_TRUSTED'])
    },
  )

  it('refuses where the platform does not say who asks', async () => {
    expect((await ask({}, await bearer(), { info: null })).code).toBe('proxy_untrusted')
    expect((await ask({}, await bearer(), { info: {} })).code).toBe('proxy_untrusted')
  })

  it('asks a function, of which true alone is yes', async () => {
    const trusted = (request: Request) => request.headers.get('x-key') === 'k'
    expect((await ask({ trusted }, { ...(await bearer()), 'X-Key': 'k' }, { info: {} })).status).toBe(200)
    expect((await ask({ trusted }, await bearer())).code).toBe('proxy_untrusted')
    const careless = (() => 'yes') as unknown as () => boolean
    expect((await ask({ trusted: careless }, await bearer())).code).toBe('proxy_untrusted')
  })
})

describe('what is required', () => {
  const requirements = { admin: { scopes: ['admin'] }, public: { optional: true } } as const

  it('is chosen by the path of the proxy', async () => {
    expect((await ask({ requirements }, await bearer(), { path: '/verify' })).status).toBe(200)
    expect((await ask({ requirements }, await bearer(), { path: '/verify/admin' })).code).toBe(
      'scope_missing',
    )
    const admin = await ask({ requirements }, await bearer(['admin']), { path: '/verify/admin' })
    expect(admin.status).toBe(200)
    const guest = await ask({ requirements }, {}, { path: '/verify/public' })
    expect([guest.status, guest.headers.get('x-auth-subject')]).toEqual([200, null])
    expect((await ask({ requirements, basePath: '' }, await bearer(), { path: '/' })).status).toBe(200)
  })

  it.each([
    '/verify/admin?scopes=',
    '/verify?scopes=admin',
    '/verify/',
    '/verify/other',
    '/',
    '/verify/constructor',
  ])('is unknown at %s, where nothing passes', async (path) => {
    expect(await ask({ requirements }, await bearer(['admin']), { path })).toMatchObject({
      status: 403,
      code: 'requirement_unknown',
    })
    expect(warnings).toEqual(['TOKENWRIGHT_FORWARD_AUTH_PATH'])
  })

  it('is never chosen by the method of the proxy, nor by the target of the client', async () => {
    const headers = { ...toForwarded('GET'), 'X-Forwarded-Uri': '/verify/public?scopes=' }
    for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS', 'DELETE'])
      expect((await ask({ requirements }, headers, { method, path: '/verify/admin' })).status).toBe(401)
  })

  it('takes no refresh token', async () => {
    const token = await auth.createRefreshToken('alice')
    expect((await ask({}, { Authorization: `Bearer ${token}` })).code).toBe('access_token_required')
  })
})

it('takes no request for the body of an earlier one that never came', async () => {
  const server = createServer(toNodeHandler(forwardAuth(auth, { ...SETTINGS, trusted: () => true })))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.write('GET /verify HTTP/1.1\r\nHost: auth\r\nContent-Length: 400\r\n\r\n')
  // The server ends the connection, and waits for no body.
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 401 .*^connection: close\r$/ims)
})

it('tells listeners of the client, not of the proxy', async () => {
  const events: unknown[] = []
  const told = createAuth({ secret: SECRET, on: { refused: (event) => void events.push(event) } })
  const handle = forwardAuth(told, SETTINGS)
  const headers = { ...toForwarded('DELETE'), 'X-Forwarded-For': '192.0.2.1, 198.51.100.4' }
  await handle(new Request('http://127.0.0.1:9000/verify', { headers }), PROXY)
  expect(events).toMatchObject([
    { code: 'token_missing', method: 'DELETE', route: '/notes', address: '198.51.100.4' },
  ])
})

describe('a mistake in the options', () => {
  it.each<[string, object, RegExp]>([
    ['no proxy', { proxy: undefined }, /`proxy` to be one of 'nginx'/],
    ['another proxy', { proxy: 'apache' }, /`proxy`/],
    ['no addresses', { trusted: [] }, /`trusted` to be the addresses of the proxy/],
    ['no list', { trusted: '127.0.0.1' }, /`trusted`/],
    ['a name', { trusted: ['localhost'] }, /`trusted\[0\]` to be an address/],
    ['all addresses', { trusted: ['10.0.0.1', '0.0.0.0/0'] }, /`trusted\[1\]`/],
    ['all addresses, IPv6', { trusted: ['::/0'] }, /`trusted\[0\]`/],
    ['a prefix that is too long', { trusted: ['10.0.0.0/33'] }, /`trusted\[0\]`/],
    ['two prefixes', { trusted: ['10.0.0.0/8/8'] }, /`trusted\[0\]`/],
    ['a path with a query', { basePath: '/verify?x' }, /`basePath`/],
    ['a name that is no segment', { requirements: { 'a/b': {} } }, /`requirements`/],
    ['a requirement that is none', { requirements: { a: null } }, /`requirements.a`/],
    ['an unknown member', { requirements: { a: { scope: 'x' } } }, /scope/],
    ['a refresh token', { requirement: { type: 'refresh' } }, /`requirement.type` to be 'access'/],
    ['any token', { requirements: { a: { type: 'any' } } }, /`requirements.a.type`/],
    ['renewal', { requirement: { renew: true } }, /`requirement.renew` to be left out/],
    ['the body', { requirement: { locations: ['body'] } }, /without 'body'/],
    ['preflights', { preflights: 'yes' }, /`preflights` to be true or false/],
    ['an unknown option', { trustedProxies: [] }, /Unknown option `forwardAuth.trustedProxies`/],
  ])('shows at start: %s', (_name, options, message) => {
    expect(() => forwardAuth(auth, { ...SETTINGS, ...options } as ForwardAuthOptions)).toThrow(message)
  })

  it('is said of arguments that are none, too', async () => {
    expect(() => forwardAuth(undefined as never, SETTINGS)).toThrow(/`auth`/)
    expect(() => forwardAuth(auth, undefined as never)).toThrow(/`options`/)
    await expect(forwardAuth(auth, SETTINGS)({} as Request)).rejects.toThrow(TypeError)
  })
})
