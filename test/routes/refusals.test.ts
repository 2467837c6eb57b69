/** What is said and told of requests that the routes refuse. */
import { channel } from 'node:diagnostics_channel'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type AuthEvents, createAuth } from '../../src/index.ts'
import { emit } from '../../src/internal/listeners.ts'
import { authRoutes } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'
const INFO = { address: '2001:db8:1:2:3::9' }

afterEach(() => void vi.restoreAllMocks())

function setUp(store = memoryStore()) {
  const refused: AuthEvents['refused'][] = []
  let now = 1_700_000_000
  const auth = createAuth({
    secret: SECRET,
    clock: () => now,
    locations: ['header', 'cookie'],
    sessions: { store },
    on: { refused: (event) => refused.push(event) },
  })
  const handle = authRoutes(auth, {
    verifyCredentials: ({ username, password }) =>
      password === 'right'
        ? { subject: username, ...(username === 'big' && { data: { x: 'y'.repeat(5000) } }) }
        : null,
    verifyClient: ({ secret }) => secret === 'good',
  })
  const send = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
    handle(
      new Request(`http://localhost/auth/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'user-agent': 'curl/8', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
      INFO,
    )
  const pass = (seconds: number): void => {
    now += seconds
  }
  const login = async () =>
    (await (await send('login', { username: 'alice', password: 'right', delivery: 'body' })).json()) as {
      access_token: string
      refresh_token: string
    }
  return { auth, refused, send, pass, login }
}

describe('the event `refused`', () => {
  it('reports a failed and a throttled login: when, from where, for which account', async () => {
    const { refused, send } = setUp()
    for (let i = 0; i < 6; i++)
      await send('login', { username: i % 2 ? 'Alice' : 'alice', password: 'wrong' })
    expect(refused.map(({ code }) => code)).toEqual([...Array(5).fill('credentials_invalid'), 'rate_limited'])
    expect(new Set(refused.map(({ account }) => account)).size).toBe(1)
    expect(refused[0]).toEqual({
      code: 'credentials_invalid',
      method: 'POST',
      cause: undefined,
      time: 1_700_000_000,
      route: '/auth/login',
      address: INFO.address,
      network: '2001:db8:1:2::/64',
      userAgent: 'curl/8',
      account: expect.stringMatching(/^[\w-]{22}$/),
      sub: null,
    })
  })

  it('reports a failed step-up with its subject, once', async () => {
    const { refused, send, login } = setUp()
    const { access_token } = await login()
    await send('verify-password', { password: 'wrong' }, { authorization: `Bearer ${access_token}` })
    expect(refused).toMatchObject([
      { code: 'credentials_invalid', route: '/auth/verify-password', sub: 'alice' },
    ])
  })

  it('reports a foreign origin, a wrong client secret and a bad token, each once', async () => {
    const { refused, send } = setUp()
    await send(
      'login',
      { username: 'a', password: 'b' },
      { origin: 'https://evil.example', host: 'localhost' },
    )
    await send('introspect', { token: 'x' }, { authorization: `Basic ${btoa('api:bad')}` })
    await send('ticket', {}, { authorization: 'Bearer a.b.c' })
    expect(refused.map(({ code, route, network }) => `${code} ${route} ${network}`)).toEqual([
      'csrf_mismatch /auth/login 2001:db8:1:2::/64',
      'client_invalid /auth/introspect 2001:db8:1:2::/64',
      'token_malformed /auth/ticket 2001:db8:1:2::/64',
    ])
  })

  it('contains no query, which may contain a token', async () => {
    const { auth, refused } = setUp()
    await auth.authenticate(new Request('http://localhost/a/b?token=secret')).catch(() => undefined)
    expect(refused).toMatchObject([{ code: 'token_missing', route: '/a/b', address: null, network: null }])
  })
})

describe('a store that fails', () => {
  it('causes one warning with its cause if there is no listener', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const store = {
      ...memoryStore(),
      countTogether: () => Promise.reject(new Error('no such table: attempts')),
    }
    const auth = createAuth({ secret: SECRET, sessions: { store } })
    const handle = authRoutes(auth, { verifyCredentials: () => null, address: () => '192.0.2.1' })
    for (let i = 0; i < 3; i++) {
      const request = new Request('http://localhost/auth/login', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ username: 'a', password: 'b' }),
      })
      expect((await handle(request)).status).toBe(503)
    }
    expect(warn).toHaveBeenCalledExactlyOnceWith(
      expect.stringContaining('no such table: attempts'),
      expect.objectContaining({ code: 'TOKENWRIGHT_STORE_UNAVAILABLE' }),
    )
  })
})

describe('listeners', () => {
  it('may return a lazy query, which runs once', async () => {
    let runs = 0
    const query = {
      // biome-ignore lint/suspicious/noThenProperty: a query builder is a thenable
      then: (resolve: (value: number) => void) => {
        runs += 1
        resolve(1)
      },
    }
    emit<{ a: number }, 'a'>({ a: () => query }, 'a', 1)
    await new Promise((resolve) => setImmediate(resolve))
    expect(runs).toBe(1)
  })

  it('may fail in any way', async () => {
    const rejected = vi.fn()
    process.once('unhandledRejection', rejected)
    const hostile = {
      // biome-ignore lint/suspicious/noThenProperty: a hostile thenable
      get then(): never {
        throw new Error('hostile')
      },
    }
    const results = [
      () => Promise.reject(new Error('down')),
      () => hostile,
      // biome-ignore lint/suspicious/noThenProperty: a promise of another realm
      () => ({ then: (_: unknown, reject: (e: Error) => void) => reject(new Error('down')) }),
      () => {
        throw new Error('down')
      },
    ]
    for (const run of results) emit<{ a: number }, 'a'>({ a: run }, 'a', 1)
    await new Promise((resolve) => setImmediate(resolve))
    process.removeListener('unhandledRejection', rejected)
    expect(rejected).not.toHaveBeenCalled()
  })

  it('may subscribe to diagnostics channels', async () => {
    const heard: unknown[] = []
    const listen = (event: unknown): void => void heard.push(event)
    channel('tokenwright:refused').subscribe(listen)
    await setUp().send('login', { username: 'alice', password: 'wrong' })
    channel('tokenwright:refused').unsubscribe(listen)
    expect(heard).toMatchObject([{ code: 'credentials_invalid', route: '/auth/login' }])
  })
})

describe('a login', () => {
  it.each([
    ['application/json', '{"password":"x"}', '`username`'],
    ['application/json', '{"username":"x"}', '`password`'],
    ['application/json', '{"username":"x","password":"y","delivery":"mail"}', '`delivery`'],
    ['text/plain', '{"username":"x","password":"y"}', 'application/json'],
    ['multipart/form-data; boundary=x', '--x--', 'multipart/form-data'],
  ])('as %s %s says what is wrong', async (type, body, words) => {
    const answer = await setUp().send('login', body, { 'content-type': type })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({
      code: 'request_invalid',
      message: expect.stringContaining(words),
    })
  })

  it('with a cookie that would be too large starts no session', async () => {
    const { auth, send } = setUp()
    await expect(send('login', { username: 'big', password: 'right', delivery: 'cookie' })).rejects.toThrow(
      TypeError,
    )
    expect(await auth.sessions.list('big')).toEqual([])
  })
})

describe('a logout', () => {
  it('with an access token that has just expired ends the session', async () => {
    const { auth, send, pass, login } = setUp()
    const { access_token } = await login()
    pass(16 * 60)
    expect((await send('logout', {}, { authorization: `Bearer ${access_token}` })).status).toBe(204)
    expect(await auth.sessions.list('alice')).toEqual([])
  })

  it('with one that expired days ago, or with a forged one, ends no session', async () => {
    const { auth, send, pass, login } = setUp()
    const { access_token } = await login()
    const forged = `${access_token.slice(0, -4)}AAAA`
    pass(16 * 60)
    await send('logout', {}, { authorization: `Bearer ${forged}` })
    pass(2 * 86_400)
    await send('logout', {}, { authorization: `Bearer ${access_token}` })
    expect(await auth.sessions.list('alice')).toHaveLength(1)
  })
})

describe('a username that no database can keep', () => {
  it.each(['a\0', '\0', '\ud800', 'a\udc00b'])('is refused before it is looked up: %j', async (username) => {
    const { refused, send } = setUp()
    const answer = await send('login', { username, password: 'right', delivery: 'body' })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ code: 'request_invalid' })
    expect(refused).toMatchObject([{ code: 'request_invalid' }])
  })

  it('may be any other text', async () => {
    for (const username of ['å 🙂', '\t', 'a\u200d'])
      expect((await setUp().send('login', { username, password: 'right', delivery: 'body' })).status).toBe(
        200,
      )
  })
})

describe('a refresh', () => {
  it.each([['valid'], ['expired']])(
    'ignores an access token beside the refresh token (%s)',
    async (state) => {
      const { send, pass, login } = setUp()
      const { access_token, refresh_token } = await login()
      if (state === 'expired') pass(16 * 60)
      const authorization = `Bearer ${access_token}`
      expect((await send('refresh', { refresh_token }, { authorization })).status).toBe(200)
      expect((await send('refresh', {}, { authorization })).status).toBe(401)
    },
  )

  it('as an OAuth grant fails with `invalid_grant`', async () => {
    const { refused, send } = setUp()
    const answer = await send('refresh', { grant_type: 'refresh_token', refresh_token: 'a.b.c' })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ error: 'invalid_grant', code: 'token_malformed' })
    expect(refused).toHaveLength(1)
  })
})
