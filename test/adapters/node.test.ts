/** `toNodeHandler` against Node's own server: connections that go on, targets and hosts as they are sent, headers, and errors. */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import express5 from 'express'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type NodeHandlerOptions, toNodeHandler } from '../../src/adapters/node.ts'
import { authRoutes } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { setUp } from '../token/forge.ts'

const servers: ReturnType<typeof createServer>[] = []

afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections()
})

async function listen(listener: RequestListener): Promise<number> {
  const server = createServer({ keepAliveTimeout: 60_000 }, listener).listen(0, '127.0.0.1')
  servers.push(server)
  await new Promise((resolve) => server.once('listening', resolve))
  return (server.address() as AddressInfo).port
}

/** Sends texts on one connection, and returns the status lines that come back until there are as many. */
function converse(port: number, messages: readonly string[], count = messages.length): Promise<string[]> {
  return new Promise((resolve, reject) => {
    let received = ''
    const socket = connect(port, '127.0.0.1')
    const statuses = (): string[] =>
      [...received.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status = '']) => status)
    socket.on('data', (bytes) => {
      received += bytes.toString('latin1')
      if (statuses().length < count) return
      socket.destroy()
      resolve(statuses())
    })
    socket.on('error', reject).on('close', () => resolve(statuses()))
    for (const message of messages) socket.write(message, 'latin1')
  })
}

function post(path: string, headers: readonly string[], body: string): string {
  return [`POST ${path} HTTP/1.1`, 'Host: a.example', ...headers, '', body].join('\r\n')
}

const NEXT = 'GET /.well-known/jwks.json HTTP/1.1\r\nHost: a.example\r\n\r\n'

function routes(): ReturnType<typeof authRoutes> {
  const { auth } = setUp({ locations: ['header', 'cookie'], sessions: { store: memoryStore() } })
  return authRoutes(auth, {
    verifyCredentials: ({ password }) => (password === 'right' ? { subject: 'user-1' } : null),
    address: () => '192.0.2.1',
  })
}

describe('a body that the handler does not read', () => {
  const paths = ['/auth/none', '/auth/logout', '/auth/refresh', '/auth/login']
  const sizes = [10, 100_000, 131_072, 200_000, 900_000]
  const cases = paths.flatMap((path) => sizes.map((size) => [path, size] as const))

  it.each(cases)('leaves the connection usable: %s, %i bytes', async (path, size) => {
    const port = await listen(toNodeHandler(routes()))
    const body = 'x'.repeat(size)
    const chunked = `${size.toString(16)}\r\n${body}\r\n0\r\n\r\n`
    for (const type of ['application/octet-stream', 'application/json']) {
      const counted = post(path, [`Content-Type: ${type}`, `Content-Length: ${size}`], body)
      expect(await converse(port, [counted, NEXT])).toEqual([expect.any(String), '200'])
      const streamed = post(path, [`Content-Type: ${type}`, 'Transfer-Encoding: chunked'], chunked)
      expect(await converse(port, [streamed, NEXT])).toEqual([expect.any(String), '200'])
    }
  })

  it.each([0, 1])('leaves it usable when %i chunks were read', async (count) => {
    const handler = toNodeHandler(async (request) => {
      const reader = request.body?.getReader()
      for (let i = 0; i < count; i++) await reader?.read()
      return new Response('ok')
    })
    const port = await listen(handler)
    const request = post('/', ['Content-Length: 500000'], 'x'.repeat(500_000))
    expect(await converse(port, [request, NEXT])).toEqual(['200', '200'])
  })
})

it('a body that was read before and left nowhere is warned of once', async () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
  const handler = toNodeHandler(routes())
  const port = await listen(async (req, res) => {
    for await (const _ of req);
    handler(req, res)
  })
  const login = post('/auth/login', ['Content-Type: application/json', 'Content-Length: 2'], '{}')
  expect(await converse(port, [post('/auth/logout', ['Content-Length: 0'], '')])).toEqual(['204'])
  expect(warn).not.toHaveBeenCalled()
  expect(await converse(port, [login, login])).toEqual(['400', '400'])
  expect(warn).toHaveBeenCalledExactlyOnceWith(
    expect.stringContaining('read before `toNodeHandler`'),
    expect.objectContaining({ code: 'TOKENWRIGHT_BODY_CONSUMED' }),
  )
  warn.mockRestore()
})

describe('a request target', () => {
  const echo = toNodeHandler((request) => new Response(new URL(request.url).pathname))

  it.each([
    '/auth/x/../login',
    '/auth/./login',
    '/auth/%2e/login',
    '/auth/%2E%2e/login',
    '/auth/x/%2e%2e/login',
    '/auth/x\\..\\login',
    '/auth\\login',
    '/auth/.',
    '*',
  ])('that a URL parser would change is a 404: %s', async (target) => {
    const port = await listen(echo)
    expect(await converse(port, [`OPTIONS ${target} HTTP/1.1\r\nHost: a.example\r\n\r\n`])).toEqual(['404'])
  })

  it.each([
    ['/auth/login?next=/../x', '/auth/login'],
    ['/a%20b/%C3%A4/..x/.y', '/a%20b/%C3%A4/..x/.y'],
    ['//evil.example/auth', '//evil.example/auth'],
    ['http://other.example/auth/login', '/auth/login'],
    ['/{id}/"x"', '/%7Bid%7D/%22x%22'],
    ['/100%/x', '/100%/x'],
  ])('that it leaves alone is passed on: %s', async (target, path) => {
    const port = await listen(echo)
    const socket = connect(port, '127.0.0.1')
    socket.write(`GET ${target} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n`)
    let received = ''
    for await (const bytes of socket) received += bytes
    expect(received).toContain(`\r\n${path}\r\n`)
  })

  it.each(['/auth/login', '/auth/x/../login', '/auth/%2e/login', '/auth/x\\..\\login'])(
    'reaches no route around the rules for its path: %s',
    async (target) => {
      const app = express5()
      app.use('/auth/login', (_req, res) => res.status(429).end())
      app.use('/auth', toNodeHandler(routes()))
      const port = await listen(app as unknown as RequestListener)
      const body = JSON.stringify({ username: 'a', password: 'right' })
      const headers = ['Content-Type: application/json', `Content-Length: ${body.length}`]
      expect(await converse(port, [post(target, headers, body)])).not.toEqual(['200'])
    },
  )
})

describe('a host', () => {
  it.each(['a:b@victim', 'a b', 'a/b', 'a?b', 'a.example:x', 'http://a', '[::1', 'a\\b'])(
    'that is invalid gets 400: %s',
    async (host) => {
      const port = await listen(toNodeHandler(() => new Response('ok')))
      expect(await converse(port, [`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`])).toEqual(['400'])
    },
  )

  it.each(['a.example', 'a.example:8080', '[::1]:3000', '127.0.0.1', ''])('passes: %j', async (host) => {
    const port = await listen(toNodeHandler(() => new Response('ok')))
    expect(await converse(port, [`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`])).toEqual(['200'])
  })
})

describe('headers', () => {
  type Change = (req: IncomingMessage) => void
  const echo = toNodeHandler((request) => Response.json(Object.fromEntries(request.headers)))

  async function seen(change: Change, headers: Record<string, string> = {}): Promise<Record<string, string>> {
    const port = await listen((req, res) => {
      change(req)
      echo(req, res)
    })
    return (await fetch(`http://127.0.0.1:${port}/`, { headers })).json() as Promise<Record<string, string>>
  }

  it('are those that middleware has set, replaced or removed', async () => {
    const found = await seen(
      ({ headers }) => {
        headers['x-real-ip'] = '127.0.0.1'
        headers['authorization'] = 'Bearer x'
        delete headers['x-gone']
      },
      { 'x-real-ip': '198.51.100.1', 'x-gone': 'y' },
    )
    expect(found).toMatchObject({ 'x-real-ip': '127.0.0.1', authorization: 'Bearer x' })
    expect(found).not.toHaveProperty('x-gone')
  })

  it('are there on a platform without raw headers', async () => {
    const found = await seen((req) => req.rawHeaders.splice(0), { origin: 'https://evil.example' })
    expect(found).toMatchObject({ origin: 'https://evil.example' })
  })
})

it.each([undefined, null, {}, setUp().auth])('a handler that is not a function is refused', (handler) => {
  expect(() => toNodeHandler(handler as never)).toThrow(/^Expected `handler` /)
})

it('the origin is checked where a platform has no raw headers', async () => {
  const { auth } = setUp({ locations: ['cookie'], sessions: { store: memoryStore() } })
  const handler = toNodeHandler(
    authRoutes(auth, { verifyCredentials: () => ({ subject: 'u' }), address: () => '192.0.2.1' }),
  )
  const app = express5().use(
    (req, _res, next) => {
      req.rawHeaders.splice(0)
      next()
    },
    express5.json(),
    handler,
  )
  const port = await listen(app as unknown as RequestListener)
  const login = (headers: Record<string, string>): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ username: 'u', password: 'x' }),
    })
  const foreign = await login({ origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' })
  expect([foreign.status, foreign.headers.getSetCookie()]).toEqual([403, []])
  expect((await login({ origin: `http://127.0.0.1:${port}` })).headers.getSetCookie()).toHaveLength(3)
})

describe('what the handler throws', () => {
  function call(
    reason: unknown,
    options?: NodeHandlerOptions,
    next?: (error?: unknown) => void,
  ): Promise<number> {
    return new Promise((resolve, reject) => {
      const handler = toNodeHandler(() => Promise.reject(reason), options)
      listen((req: IncomingMessage, res: ServerResponse) => {
        const onNext = (error?: unknown): void => {
          next?.(error)
          res.writeHead(501).end()
        }
        handler(req, res, next && onNext)
      })
        .then((port) => fetch(`http://127.0.0.1:${port}/`))
        .then(({ status }) => resolve(status), reject)
    })
  }

  it('goes to stderr or to `onError` if there is no `next`', async () => {
    const log = vi.spyOn(console, 'error').mockReturnValue()
    const error = new Error('users table is missing')
    expect(await call(error)).toBe(500)
    expect(log).toHaveBeenCalledExactlyOnceWith(error)
    const onError = vi.fn()
    expect(await call(error, { onError })).toBe(500)
    expect(onError).toHaveBeenCalledExactlyOnceWith(error, expect.anything())
    expect(log).toHaveBeenCalledOnce()
  })

  it.each([undefined, null, 0, '', false, 'route', 'router'])(
    'is an error for `next` and for `onError`: %j',
    async (reason) => {
      const next = vi.fn()
      expect(await call(reason, {}, next)).toBe(501)
      expect(next).toHaveBeenCalledExactlyOnceWith(expect.any(Error))
      const onError = vi.fn()
      expect(await call(reason, { onError })).toBe(500)
      expect(onError).toHaveBeenCalledExactlyOnceWith(expect.any(Error), expect.anything())
    },
  )
})
