/** The page of routes: it has every route there is, and each responds as its row says. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createAuth } from '../src/index.ts'
import { createMetadataRoutes } from '../src/routes/metadata.ts'
import { createRouteTable } from '../src/routes/route-table.ts'
import { authRoutes } from '../src/routes.ts'
import { memoryStore } from '../src/stores/memory.ts'
import { ROOT } from './architecture/source.ts'
import { SECRET } from './token/forge.ts'

const page = readFileSync(join(ROOT, 'docs/reference/routes.md'), 'utf8')

/** The rows of the first table. */
const ROWS = page
  .split('\n')
  .filter((line) => /^\| `[A-Z]+ \//.test(line))
  .map((line) => {
    const [, route = '', needs = '', token = '', body = '', success = ''] = line
      .split('|')
      .map((cell) => cell.trim())
    const [method = '', path = ''] = route.replaceAll('`', '').split(' ')
    const members = [...body.matchAll(/`(\w+)`/g)].map(([, name = '']) => name)
    return { method, path, needs, token, members, success }
  })

function createApp(hasStore: boolean, hasClients: boolean, documents = true) {
  const auth = createAuth({
    secret: SECRET,
    locations: ['header', 'cookie'],
    origin: 'https://app.example',
    ...(documents && {
      issuer: 'https://auth.example',
      audience: 'api',
      realm: 'users',
      resource: { identifier: 'https://api.example', authorizationServers: ['https://auth.example'] },
    }),
    ...(hasStore && { sessions: { store: memoryStore() } }),
  } as never)
  const handle = authRoutes(auth, {
    verifyCredentials: ({ username, password }: { username: string; password: string }) =>
      password === 'right' ? { subject: username } : null,
    address: () => '192.0.2.1',
    ...(documents && { metadata: true }),
    ...(hasClients && { verifyClient: () => true }),
  } as never)
  return { auth, handle }
}

/** The routes of the source, as `METHOD path`. */
function routesOf(hasStore: boolean, hasClients: boolean): string[] {
  const { auth } = createApp(hasStore, hasClients)
  const facts = { basePath: '/auth', hasClients, hasSessions: hasStore }
  const documents = createMetadataRoutes(auth, true, facts)
  return [...createRouteTable('/auth', hasStore, hasClients, documents)].flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path.replace(/\/$/, '/:id')}`),
  )
}

describe('docs/reference/routes.md', () => {
  it('has every route, and no other', () => {
    const there = routesOf(true, true).filter((route) => !/^(?:HEAD|OPTIONS) /.test(route))
    expect(ROWS.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(there.sort())
  })

  it.each([
    [true, false],
    [false, true],
    [false, false],
  ])('says what is there with a store (%s) and clients (%s)', (hasStore, hasClients) => {
    const there = ROWS.filter(
      ({ needs }) =>
        (hasStore || !needs.includes('a session store')) && (hasClients || !needs.includes('verifyClient')),
    )
    const routes = routesOf(hasStore, hasClients).filter((route) => !/^(?:HEAD|OPTIONS) /.test(route))
    expect(routes.sort()).toEqual(there.map(({ method, path }) => `${method} ${path}`).sort())
  })
})

/** The members that "tokens" and "the session" stand for. */
const TOKENS = ['access_token', 'refresh_token', 'token_type', 'expires_in']
const LINKED: Readonly<Record<string, readonly string[]>> = { '#tokens': TOKENS, '#the-session': ['active'] }

describe.each(ROWS)('$method $path', ({ method, path, token, members, success }) => {
  async function send(kind: string) {
    const { handle } = createApp(true, true)
    const call = (at: string, init: { method: string; headers?: object; body?: object }) => {
      const headers = { 'content-type': 'application/json', ...init.headers }
      const body = init.body === undefined ? null : JSON.stringify(init.body)
      return handle(new Request(`https://app.example${at}`, { method: init.method, headers, body }))
    }
    const credentials = { username: 'u', password: 'right', delivery: 'body' }
    const toMembers = async (response: Response): Promise<Record<string, string>> =>
      JSON.parse(await response.text())
    const login = async () => toMembers(await call('/auth/login', { method: 'POST', body: credentials }))
    const pair = await login()
    const other = await login()
    const bearer = (text = '') => ({ authorization: `Bearer ${text}` })
    const refreshed = await call('/auth/refresh', { method: 'POST', headers: bearer(pair['refresh_token']) })
    const stale = await toMembers(refreshed)
    const headers: Record<string, object> = {
      '': {},
      any: bearer(pair['access_token']),
      access: bearer(pair['access_token']),
      fresh: bearer(pair['access_token']),
      stale: bearer(stale['access_token']),
      refresh: bearer(stale['refresh_token']),
      client: { authorization: `Basic ${Buffer.from('api:x').toString('base64')}` },
    }
    const session = await call('/auth/session', { method: 'GET', headers: bearer(other['access_token']) })
    const id = (await toMembers(session))['session_id'] ?? ''
    const values: Record<string, unknown> = {
      ...credentials,
      token: other['access_token'],
      sub: 'u',
      sid: id,
    }
    const body = Object.fromEntries(
      members.filter((name) => name in values).map((name) => [name, values[name]]),
    )
    const isRead = method === 'GET' || members.length === 0
    return call(path.replace(':id', id), {
      method,
      headers: headers[kind] ?? {},
      ...(!isRead && { body: path.endsWith('/login') ? { ...body, delivery: 'body' } : body }),
    })
  }

  it('responds as its row says', async () => {
    const response = await send(token)
    const text = await response.text()
    expect([response.status, text]).toEqual([Number(success.slice(0, 3)), text])
    if (response.status === 204) return expect(text).toBe('')
    const parts = success.replace(/\(.*|,? or .*|, also .*|: .*/g, '')
    const [, link = ''] = /\]\((#[\w-]+)\)/.exec(parts) ?? []
    const named = [...parts.matchAll(/`(\w+)`/g)].map(([, name = '']) => name)
    const content = JSON.parse(text)
    for (const name of [...(LINKED[link] ?? []), ...named]) expect(content).toHaveProperty(name)
  })

  if (token === '' || token === 'any') {
    it('needs no token', async () => {
      expect((await send('')).status).toBe(Number(success.slice(0, 3)))
    })
  } else {
    it('is refused without', async () => {
      expect((await send('')).status).toBe(401)
    })
  }

  if (token === 'fresh')
    it('is refused with a token that is not fresh', async () => {
      expect(await (await send('stale')).json()).toMatchObject({ code: 'fresh_token_required' })
    })

  if (!path.startsWith('/.well-known/'))
    it('says no-store', async () => {
      for (const kind of [token, ''])
        expect((await send(kind)).headers.get('cache-control')).toMatch(/no-store/)
    })
})
