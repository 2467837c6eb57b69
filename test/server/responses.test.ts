import { connect } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createApp } from '../../server/app.ts'
import { createHealth } from '../../server/health.ts'
import { describeApi } from '../../server/openapi.ts'
import type { Passkeys } from '../../server/passkeys.ts'
import type { SecondFactors } from '../../server/second-factor.ts'
import type { Users } from '../../server/users.ts'
import { createAuth } from '../../src/index.ts'
import { createRouteTable } from '../../src/routes/route-table.ts'
import type { Store } from '../../src/session/store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { converse, toBytes } from '../contract/adapters/wire.ts'
import { startServer, temporaryFolder } from './process.ts'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'

/** Users whose methods all fail. */
const users: Users = {
  verifyCredentials: () => Promise.reject(new Error('password hunter2 is not what I expected')),
  rightsOf: () => Promise.resolve(null),
  changePassword: () => Promise.reject(new SyntaxError('Unexpected token in hunter2')),
  addDemoUsers: () => Promise.resolve(),
  findDemoUsers: () => Promise.resolve([]),
  ready: () => Promise.resolve(false),
}
/** What these tests do not use. */
const unused = {
  passkeys: {} as Passkeys,
  secondFactors: {} as SecondFactors,
  siteOf: () => ({ origin: 'https://app.example' }),
  audit: { changed: () => undefined },
}
const store = memoryStore()
const auth = createAuth({ secret: SECRET, sessions: { store } })
const config = { accessTtl: 900, freshnessWindow: 900, overlap: 30 }
const app = createApp({
  ...unused,
  auth,
  users,
  health: createHealth({ auth, users, config, demo: false }),
})

/** Sends bytes as they are, and reads until the server closes or is silent for half a second. */
function send(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let response = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'))
    socket.setTimeout(500, () => socket.destroy())
    socket.setEncoding('latin1').on('data', (text: string) => {
      response += text
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(response))
  })
}

describe('a request without a route', () => {
  it('gets 404 with the common error body', async () => {
    const server = await startServer()
    for (const path of [
      '/nowhere',
      '/protected/',
      '/PROTECTED',
      '//',
      '/auth',
      '/auth/nowhere',
      '/.well-known/',
    ]) {
      const response = await fetch(server.url + path)
      expect(response.status).toBe(404)
      expect(response.headers.get('content-type')).toContain('application/json')
      expect(response.headers.get('x-content-type-options')).toBe('nosniff')
      expect(await response.json()).toEqual({
        message: 'Not found',
        error_type: 'NotFoundError',
        code: 'not_found',
      })
    }
  })

  it('gets 405 with the allowed methods', async () => {
    const server = await startServer()
    const cases = [
      ['POST', '/protected', 'GET, HEAD'],
      ['DELETE', '/', 'GET, HEAD'],
      ['OPTIONS', '/healthz', 'GET, HEAD'],
      ['GET', '/change-password', 'POST'],
      ['PUT', '/change-password', 'POST'],
      ['GET', '/auth/login', 'POST'],
      ['POST', '/auth/sessions', 'GET, DELETE'],
      ['GET', '/auth/sessions/x', 'DELETE'],
      ['POST', '/.well-known/jwks.json', 'GET, HEAD'],
      ['GET', '/account/devices/x', 'PATCH'],
      ['PUT', '/account/second-factor', 'POST, DELETE'],
    ] as const
    for (const [method, path, allow] of cases) {
      const response = await fetch(server.url + path, { method })
      expect([method, path, response.status]).toEqual([method, path, 405])
      expect(response.headers.get('allow')).toBe(allow)
      expect(await response.json()).toMatchObject({
        error_type: 'MethodNotAllowedError',
        code: 'method_not_allowed',
      })
    }
  })

  it('is not a HEAD request to a route for GET', async () => {
    const server = await startServer()
    for (const path of [
      '/',
      '/docs',
      '/healthz',
      '/openapi.json',
      '/assets/page.css',
      '/.well-known/jwks.json',
    ]) {
      const [get, head] = await Promise.all(
        ['GET', 'HEAD'].map((method) => fetch(server.url + path, { method })),
      )
      expect([path, get?.status, head?.status]).toEqual([path, 200, 200])
      expect(head?.headers.get('content-type')).toBe(get?.headers.get('content-type'))
      expect(await head?.text()).toBe('')
    }
    expect((await fetch(`${server.url}/protected`, { method: 'HEAD' })).status).toBe(401)
  })
})

describe('hostile requests', () => {
  it('never get 5xx, and the server keeps running', async () => {
    const server = await startServer()
    const lines = [
      'GET /%',
      'GET /%ff%fe',
      'GET /protected?access_token=%',
      'GET //',
      'GET //evil.example/',
      'GET http://[',
      'GET http://evil.example/protected',
      'GET *',
      'OPTIONS *',
      'GET /\\..\\..',
      `GET /${'a'.repeat(15_000)}`,
      'TRACE /',
      'CONNECT x:1',
      'PROPFIND /',
      'get /',
      'POST /auth/login',
    ]
    for (const line of lines) {
      const response = await send(server.port, `${line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
      expect([line, response.split('\r\n')[0]]).toEqual([line, expect.not.stringMatching(/^HTTP\/1\.1 5/)])
    }
    const hosts = [
      '',
      'Host: \r\n',
      'Host: a b\r\n',
      'Host: [\r\n',
      'Host: x/../y\r\n',
      'Host: x\r\nHost: y\r\n',
      'Host: \xff\r\n',
    ]
    for (const host of hosts) {
      for (const method of ['GET /healthz', 'GET /protected', 'POST /auth/login']) {
        const response = await send(server.port, `${method} HTTP/1.1\r\n${host}Connection: close\r\n\r\n`)
        expect([host, response.split('\r\n')[0]]).toEqual([host, expect.not.stringMatching(/^HTTP\/1\.1 5/)])
      }
    }
    const headers = [
      'Authorization: Bearer %',
      'Authorization: Bearer \xff',
      'Authorization:',
      'Cookie: \xff=\xff; =; ;',
      'Cookie: __proto__=1',
    ]
    for (const header of headers) {
      const response = await send(
        server.port,
        `GET /protected HTTP/1.1\r\nHost: x\r\n${header}\r\nConnection: close\r\n\r\n`,
      )
      expect([header, response.split('\r\n')[0]]).toEqual([
        header,
        expect.stringMatching(/^HTTP\/1\.1 40[01] /),
      ])
    }
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
    expect(server.stderr()).toBe('')
  }, 20_000)

  it('with hostile bodies get 400 or 401', async () => {
    const server = await startServer()
    const bodies = [
      '',
      'null',
      '[]',
      '"x"',
      '{',
      '{"username":{"$ne":null},"password":{"$ne":null}}',
      '{"username":["test"],"password":["test"]}',
      '{"username":1,"password":true}',
      '{"username":"test"}',
      '{"__proto__":{"username":"test","password":"test"}}',
      '{"username":"test\\u0000","password":"test"}',
      '{"username":"\\ud800","password":"test"}',
      '{"username":"","password":""}',
      JSON.stringify({ username: 'u'.repeat(321), password: 'test' }),
      JSON.stringify({ username: 'test', password: 'p'.repeat(1025) }),
      JSON.stringify({ username: 'test', password: 'p'.repeat(1_000_000) }),
      `${'['.repeat(8000)}`,
      Buffer.from('{"username":"\xff","password":"x"}', 'latin1'),
    ]
    for (const type of ['application/json', 'application/x-www-form-urlencoded', 'text/plain', 'x', '']) {
      for (const body of bodies) {
        const init = { method: 'POST', headers: { 'content-type': type }, body }
        const response = await fetch(`${server.url}/auth/login`, init)
        expect([type, String(body).slice(0, 60), response.status]).toEqual([
          type,
          String(body).slice(0, 60),
          expect.toSatisfy((status) => status === 400 || status === 401 || status === 429),
        ])
        expect(response.headers.getSetCookie()).toEqual([])
      }
    }
    expect(server.stderr()).toBe('')
  })
})

describe('a connection', () => {
  it.each(['application/json', 'application/x-www-form-urlencoded', 'text/plain', ''])(
    'stays open after a body of type %j that is refused without being read',
    async (type) => {
      const { port } = await startServer()
      const large = toBytes({
        method: 'POST',
        target: '/auth/login',
        headers: [['Content-Type', type]],
        body: JSON.stringify({ username: 'test', password: 'p'.repeat(1_000_000) }),
      })
      const responses = await converse(port, [large, toBytes({ target: '/protected' }), large, large])
      expect(responses.map(({ status }) => status)).toEqual([400, 401, 400, 400])
    },
  )
})

describe('an unexpected error', () => {
  it('gets 500 without details, and is logged without its message', async () => {
    const lines: unknown[] = []
    const original = console.error
    console.error = (...parts: unknown[]) => void lines.push(...parts)
    try {
      const { access_token } = await auth.createTokenPair('test', { fresh: true })
      const headers = { authorization: `Bearer ${access_token}` }
      const body = new URLSearchParams({ new_password: 'correct hunter2' })
      const response = await app.request('/change-password?token=hunter2', { method: 'POST', headers, body })
      expect(response.status).toBe(500)
      expect(await response.json()).toEqual({
        message: 'Internal server error',
        error_type: 'InternalServerError',
        code: 'internal_error',
      })
      expect(lines).toHaveLength(1)
      expect(lines[0]).toMatch(/^internal_error: SyntaxError in POST \/change-password\n\s+at /)
      expect(lines[0]).not.toMatch(/hunter2/)
      expect(lines[0]).not.toContain(access_token)
    } finally {
      console.error = original
    }
  })

  it('of the user database shows in /healthz', async () => {
    const response = await app.request('/healthz')
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({ status: 'unavailable', users: 'unavailable' })
  })
})

describe('POST /change-password', () => {
  it('takes no token whose password was typed more than a minute ago, however fresh', async () => {
    let now = 1_700_000_000
    const auth = createAuth({
      secret: SECRET,
      clock: () => now,
      sessions: { store: memoryStore({ clock: () => now }) },
    })
    const changed: string[] = []
    const changePassword = async (username: string) => void changed.push(username)
    const health = createHealth({ auth, users, config, demo: false })
    const app = createApp({ ...unused, auth, users: { ...users, changePassword }, health })
    const { access_token } = await auth.createTokenPair('test', { fresh: true })
    const call = (path: string, method: string) =>
      app.request(path, {
        method,
        headers: { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' },
        ...(method === 'POST' && { body: JSON.stringify({ new_password: 'correct horse' }) }),
      })
    expect((await call('/change-password', 'POST')).status).toBe(200)
    now += 70
    expect((await call('/sensitive_operation', 'GET')).status).toBe(200)
    const refused = await call('/change-password', 'POST')
    expect(refused.status).toBe(401)
    expect(await refused.json()).toMatchObject({ code: 'fresh_token_required' })
    expect(changed).toEqual(['test'])
  })
})

describe('GET /healthz', () => {
  it('has the settings, and no version', async () => {
    const settings = {
      TOKENWRIGHT_ACCESS_EXPIRES_IN: '10s',
      TOKENWRIGHT_FRESHNESS_WINDOW: '2m',
      TOKENWRIGHT_SESSIONS_OVERLAP: '3s',
    }
    const server = await startServer(settings)
    const response = await fetch(`${server.url}/healthz`)
    expect(response.status).toBe(200)
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(await response.json()).toEqual({
      status: 'ok',
      problems: [],
      access: 10,
      freshness: 120,
      overlap: 3,
      demo: true,
      users: 'ok',
      store: { kind: 'sqlite', ok: true, caughtUp: true, age: expect.any(Number), entries: 0 },
    })
  })

  it('offers no demo users in production, even if they exist', async () => {
    const cwd = temporaryFolder()
    await (await startServer({}, cwd)).stop()
    const server = await startServer({ NODE_ENV: 'production' }, cwd)
    expect(await (await fetch(`${server.url}/healthz`)).json()).toMatchObject({ demo: false })
  })

  it('shares one check among concurrent requests, and waits two seconds at most', async () => {
    let looks = 0
    const hanging: Store = {
      ...memoryStore(),
      name: 'hanging',
      countAttempt() {
        looks++
        return new Promise(() => undefined)
      },
    }
    const unwell = createAuth({ secret: SECRET, sessions: { store: hanging } })
    onTestFinished(() => unwell.close())
    const health = createHealth({ auth: unwell, users, config, demo: false })
    const start = performance.now()
    const responses = await Promise.all([health(), health(), health()])
    expect(performance.now() - start).toBeLessThan(3500)
    expect(looks).toBe(1)
    for (const { ok, body } of responses) {
      expect(ok).toBe(false)
      expect(body).toMatchObject({ status: 'unavailable', store: { kind: 'hanging', ok: false } })
    }
  })
})

describe('GET /openapi.json', () => {
  it('describes every route and no others', async () => {
    const server = await startServer()
    const document = (await (await fetch(`${server.url}/openapi.json`)).json()) as {
      openapi: string
      paths: Record<string, Record<string, unknown>>
    }
    expect(document.openapi).toBe('3.1.0')
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const method of Object.keys(operations)) {
        const { status } = await fetch(server.url + path, { method: method.toUpperCase() })
        expect([method, path, [404, 405].includes(status)]).toEqual([method, path, false])
      }
    }
    const served = app.routes
      .filter(({ method, path }) => method !== 'ALL' && !/^\/(assets|docs|tokenwright)\//.test(path))
      .map(({ method, path }) => `${method.toLowerCase()} ${path.replace(/:(\w+)/, '{$1}')}`)
    const described = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method} ${path}`),
    )
    expect(described).toEqual(expect.arrayContaining(served))
    const routes = [...createRouteTable('/auth', true, false)].flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toLowerCase()} ${path.replace(/\/$/, '/{id}')}`),
    )
    expect(described).toEqual(expect.arrayContaining(routes.filter((route) => !route.startsWith('head '))))
  })

  it('refers only to schemas that it contains', () => {
    const document = describeApi()
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#([^"]+)"/g)].map(
      (match) => match[1] ?? '',
    )
    expect(references.length).toBeGreaterThan(30)
    for (const reference of references) {
      const found = reference
        .split('/')
        .slice(1)
        .reduce<unknown>((node, name) => (node as Record<string, unknown> | undefined)?.[name], document)
      expect([reference, typeof found]).toEqual([reference, 'object'])
    }
  })
})
