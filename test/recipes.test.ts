/** The recipes of docs/recipes/ that can be run: the code of the pages as it stands there, with the frameworks. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { serve } from '@hono/node-server'
import type { Hono } from 'hono'
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Auth, Store } from '../src/index.ts'
import { memoryStore } from '../src/stores/memory.ts'
import { ROOT } from './architecture/source.ts'

const FOLDER = join(ROOT, '.cache/recipes')

/**
 * Imports the block of a page that begins with `// name.ts`, and those that continue it. They use the
 * built package.
 *
 * @param yours what the page says is the reader's, in place of its declaration
 */
async function load<T>(page: string, name: string, yours = ''): Promise<T> {
  const text = readFileSync(join(ROOT, `docs/recipes/${page}.md`), 'utf8')
  const [, first = ''] = new RegExp(`\`\`\`ts\n(// ${name}\n[\\s\\S]*?)\`\`\``).exec(text) ?? []
  const rest = [...text.matchAll(/```ts continue\n([\s\S]*?)```/g)].map(([, block = '']) => block)
  const code = [first.replace(/^declare function .*$/m, yours), ...rest].join('')
  expect(code.length, `${page}: ${name}`).toBeGreaterThan(200)
  mkdirSync(FOLDER, { recursive: true })
  writeFileSync(join(FOLDER, name), code)
  return import(/* @vite-ignore */ join(FOLDER, name))
}

beforeAll(() => {
  process.env['TOKENWRIGHT_SECRET'] = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'
  return () => delete process.env['TOKENWRIGHT_SECRET']
})

const JSON_TYPE = { 'content-type': 'application/json' }

type Bearer = { authorization: string }

/** Logs in, and returns the headers with the tokens. */
async function logIn(app: Hono, username: string): Promise<{ access: Bearer; refresh: Bearer }> {
  const body = JSON.stringify({ username, password: 'test' })
  const response = await app.request('/auth/login', { method: 'POST', headers: JSON_TYPE, body })
  return toHeaders(await response.json())
}

function toHeaders(body: unknown) {
  const pair = body as Record<'access_token' | 'refresh_token', string>
  const [access, refresh] = [pair.access_token, pair.refresh_token].map((token) => ({
    authorization: `Bearer ${token}`,
  }))
  return { access: access as Bearer, refresh: refresh as Bearer }
}

describe('roles with CASL', () => {
  it('let a manager delete, a clerk read, and a stranger nothing; also after a refresh', async () => {
    const { app } = await load<{ app: Hono }>('roles', 'roles.ts')
    const statusesOf = async (headers = {}) => [
      (await app.request('/orders', { headers })).status,
      (await app.request('/orders/1', { method: 'DELETE', headers })).status,
    ]
    for (const [user, expected] of [['alice', [200, 403]] as const, ['bob', [200, 204]] as const]) {
      const login = await logIn(app, user)
      expect(await statusesOf(login.access)).toEqual(expected)
      const refreshed = await app.request('/auth/refresh', { method: 'POST', headers: login.refresh })
      expect(await statusesOf(toHeaders(await refreshed.json()).access)).toEqual(expected)
    }
    expect(await statusesOf()).toEqual([401, 401])
  })
})

describe('server-sent events', () => {
  it('open once by a ticket, and end with the session', async () => {
    const { app, auth } = await load<{ app: Hono; auth: Auth }>('server-sent-events', 'events.ts')
    onTestFinished(() => auth.close())
    const { access: headers } = await logIn(app, 'alice')
    expect((await app.request('/events', { headers })).status).toBe(401)
    const response = await app.request('/auth/ticket', { method: 'POST', headers })
    const { ticket } = (await response.json()) as { ticket: string }
    const stream = await app.request(`/events?ticket=${ticket}`)
    expect(stream.headers.get('content-type')).toBe('text/event-stream')
    expect((await app.request(`/events?ticket=${ticket}`)).status).toBe(401)
    await auth.revokeSubject('alice')
    expect(await stream.text()).toBe('data: hello alice\n\nevent: end\ndata: token_revoked\n\n')
  })
})

describe('CORS of own routes', () => {
  const origin = 'https://app.example.com'

  it('lets a preflight through, with the headers that the client sends', async () => {
    const { app } = await load<{ app: Hono }>('cors', 'cors.ts')
    const headers = {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type,x-csrf-token',
    }
    for (const path of ['/orders', '/auth/login']) {
      const { status, headers: allowed } = await app.request(path, { method: 'OPTIONS', headers })
      expect([path, status]).toEqual([path, 204])
      expect(allowed.get('access-control-allow-origin')).toBe(origin)
      expect(allowed.get('access-control-allow-credentials')).toBe('true')
      const names = allowed.get('access-control-allow-headers')?.toLowerCase()
      for (const name of ['authorization', 'content-type', 'x-csrf-token']) expect(names).toContain(name)
    }
  })

  it('shows a refusal to the page, and nothing to another origin', async () => {
    const { app } = await load<{ app: Hono }>('cors', 'cors.ts')
    const send = (from: string) => app.request('/orders', { method: 'POST', headers: { origin: from } })
    const refused = await send(origin)
    expect(refused.status).toBe(401)
    expect(refused.headers.get('www-authenticate')).toContain('Bearer')
    expect(refused.headers.get('access-control-expose-headers')).toMatch(/WWW-Authenticate.*Retry-After/)
    expect((await send('https://evil.example')).headers.get('access-control-allow-origin')).toBeNull()
  })
})

describe('the address of the client', () => {
  it('is the last that the proxy appended, or else that of the connection', async () => {
    const { app, seen } = await load<{ app: Hono; seen: unknown[] }>('client-address', 'address.ts')
    const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
    onTestFinished(() => void server.close())
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    const send = (path: string, headers: Record<string, string>) =>
      fetch(`http://127.0.0.1:${port}${path}`, {
        method: path === '/me' ? 'GET' : 'POST',
        headers: { ...JSON_TYPE, ...headers },
        body: path === '/me' ? null : '{"username":"a","password":"b"}',
      }).then((response) => response.arrayBuffer())
    const proxied = { 'x-forwarded-for': '198.51.100.7, 203.0.113.9' }
    await send('/auth/login', {})
    await send('/auth/login', proxied)
    await send('/me', proxied)
    await vi.waitFor(() => expect(seen).toEqual(['127.0.0.1', '203.0.113.9', '203.0.113.9']))
  })
})

describe('serverless', () => {
  interface Recipe {
    createLambda: (store: Store) => (event: object) => Promise<Result>
    createVercel: (
      store: Store,
    ) => Record<'auth' | 'me', Record<string, (request: Request) => Promise<Response>>>
  }
  interface Result {
    statusCode: number
    body: string
    headers: Record<string, string>
  }
  const yours = `const findUser = async ({ username, password }) =>
    username === 'alice' && password === 'test' ? { subject: 'alice' } : null`
  const ADDRESS = '203.0.113.9'
  const body = '{"username":"alice","password":"test"}'
  const wrong = '{"username":"alice","password":"no"}'
  const recipe = () => load<Recipe>('serverless', 'serverless.ts', yours)

  /** Events as the documentation of AWS shows them, with what a handler reads. */
  const EVENTS = {
    'an API Gateway': (line: string, headers: object, text = '', address = ADDRESS) => {
      const [method, path] = line.split(' ')
      return {
        version: '2.0',
        routeKey: '$default',
        rawPath: path,
        rawQueryString: '',
        headers: { host: 'id.execute-api.example', ...headers },
        requestContext: {
          accountId: '123456789012',
          apiId: 'id',
          domainName: 'id.execute-api.example',
          http: { method, path, protocol: 'HTTP/1.1', sourceIp: address, userAgent: 'test' },
          requestId: 'request',
          stage: '$default',
        },
        body: Buffer.from(text).toString('base64'),
        isBase64Encoded: true,
      }
    },
    'an ALB': (line: string, headers: object, text = '', address = ADDRESS) => ({
      httpMethod: line.split(' ')[0],
      path: line.split(' ')[1],
      queryStringParameters: {},
      headers: { host: 'alb.example', 'x-forwarded-for': `198.51.100.7, ${address}`, ...headers },
      requestContext: { elb: { targetGroupArn: 'arn:aws:elasticloadbalancing:region:1:group/a' } },
      body: text,
      isBase64Encoded: false,
    }),
  }

  it.each(Object.entries(EVENTS))('logs in, calls and logs out behind %s', async (_, event) => {
    const handler = (await recipe()).createLambda(memoryStore())
    const login = await handler(event('POST /auth/login', JSON_TYPE, body))
    const { access } = toHeaders(JSON.parse(login.body))
    const call = () => handler(event('GET /me', access))
    expect(await call()).toMatchObject({ statusCode: 200, body: '{"sub":"alice"}' })
    expect((await handler(event('POST /auth/logout', access))).statusCode).toBe(204)
    expect(await call()).toMatchObject({ statusCode: 401 })
    expect(await handler(event('GET /me', {}))).toMatchObject({ statusCode: 401 })
  })

  it.each(Object.entries(EVENTS))('limits by the address of the client behind %s', async (_, event) => {
    const handler = (await recipe()).createLambda(memoryStore())
    const guess = (address: string) => handler(event('POST /auth/login', JSON_TYPE, wrong, address))
    const statuses = []
    for (let tries = 0; tries < 30; tries++) statuses.push((await guess(ADDRESS)).statusCode)
    expect(new Set(statuses)).toEqual(new Set([401, 429]))
    expect((await guess('203.0.113.10')).statusCode).toBe(401)
  })

  it('runs as functions of Vercel', async () => {
    const { auth, me } = (await recipe()).createVercel(memoryStore())
    const send = (path: string, init: RequestInit) =>
      new Request(`https://app.example${path}`, {
        ...init,
        headers: { 'x-real-ip': ADDRESS, ...init.headers },
      })
    const login = await auth['POST']?.(send('/auth/login', { method: 'POST', headers: JSON_TYPE, body }))
    const { access } = toHeaders(await login?.json())
    expect(await (await me['GET']?.(send('/me', { headers: access })))?.json()).toEqual({ sub: 'alice' })
    const logout = await auth['POST']?.(send('/auth/logout', { method: 'POST', headers: access }))
    expect(logout?.status).toBe(204)
    expect((await me['GET']?.(send('/me', { headers: access })))?.status).toBe(401)
  })
})

describe('what newcomers look for', () => {
  const text = [
    'docs/README.md',
    ...listPages('docs/guide'),
    ...listPages('docs/recipes'),
    ...listPages('docs/start'),
  ]
    .map((path) => readFileSync(join(ROOT, path), 'utf8'))
    .join('\n')

  it.each([
    ...['roles', 'OAuth', 'social login', 'Prisma', 'Drizzle', 'Next.js', 'jest', 'proxy', 'address', 'CORS'],
    ...['tRPC', 'basePath', 'usernameOf', 'delivery', 'expiresAt', 'Passkey', 'Docker', 'SSE'],
  ])('is in the documentation: %s', (word) => expect(text).toContain(word))
})

function listPages(folder: string): string[] {
  return readdirSync(join(ROOT, folder)).map((name) => `${folder}/${name}`)
}
