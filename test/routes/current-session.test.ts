/** `GET /session`: whose tokens a request has, and that asking changes nothing. */
import { describe, expect, it } from 'vitest'
import { type AuthOptions, createAuth } from '../../src/index.ts'
import { authRoutes } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'

function setUp(options: AuthOptions, store: ReturnType<typeof memoryStore> | null = memoryStore()) {
  let now = 1_700_000_000
  const auth = createAuth({
    secret: SECRET,
    clock: () => now,
    locations: ['header', 'cookie'],
    ...options,
    ...(store && { sessions: { store } }),
  } as AuthOptions)
  const handle = authRoutes(auth, {
    cors: { origins: ['https://page.example'] },
    verifyCredentials: ({ username }) => ({ subject: username }),
  })
  const send = (method: string, path: string, headers: Record<string, string> = {}, body?: unknown) =>
    handle(
      new Request(`https://api.example${path}`, {
        method,
        headers: { 'content-type': 'application/json', ...headers },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
    )
  const login = async (delivery: string) => {
    const response = await send('POST', '/auth/login', {}, { username: 'ada', password: 'x', delivery })
    const cookies = response.headers.getSetCookie().map((line) => line.split(';')[0] ?? '')
    return { cookies, body: (await response.json()) as Record<string, string> }
  }
  const ask = async (headers: Record<string, string> = {}) => {
    const response = await send('GET', '/auth/session', headers)
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store'])
    expect(response.headers.getSetCookie()).toEqual([])
    return response.json()
  }
  const pass = (seconds: number): void => {
    now += seconds
  }
  return { auth, send, login, ask, pass }
}

const origins = { csrf: { origins: ['https://page.example'] } }

describe('the session of a request', () => {
  it('is that of its access cookie, or else of its refresh cookie', async () => {
    const { auth, login, ask, pass } = setUp(origins)
    const { cookies, body } = await login('cookie')
    const [{ id = '' } = {}] = (await auth.sessions.list('ada')).map(({ sid }) => ({ id: sid }))
    const who = { sub: 'ada', auth_time: 1_700_000_000 }
    const session = expect.objectContaining({ id, current: true })
    const mine = { active: true, ...who, session_id: id, csrf_token: body['csrf_token'], session }
    const access = { ...mine, expires_in: 900, fresh: true, fresh_for: 900, scopes: [] }
    expect(await ask({ cookie: cookies.join('; ') })).toEqual(access)
    const refreshOnly = cookies.filter((cookie) => !cookie.includes('access'))
    expect(await ask({ cookie: refreshOnly.join('; ') })).toEqual(mine)
    pass(1000)
    expect(await ask({ cookie: cookies.join('; ') })).toEqual(mine)
    await auth.sessions.end(id)
    expect(await ask({ cookie: cookies.join('; ') })).toEqual({ active: false })
  })

  it('is that of its access token, whose CSRF value it does not need', async () => {
    const { login, ask, pass } = setUp(origins)
    const { body } = await login('body')
    const headers = { authorization: `Bearer ${body['access_token']}` }
    expect(await ask(headers)).toMatchObject({
      active: true,
      session_id: expect.any(String),
      expires_in: 900,
    })
    expect(await ask(headers)).not.toHaveProperty('csrf_token')
    expect(await ask({ authorization: `Bearer ${body['refresh_token']}` })).toEqual({ active: false })
    pass(1000)
    expect(await ask(headers)).toEqual({ active: false })
  })

  it('is not there without a token, and with one that is no good', async () => {
    const { ask } = setUp(origins)
    expect(await ask()).toEqual({ active: false })
    expect(await ask({ authorization: 'Bearer nonsense' })).toEqual({ active: false })
    expect(await ask({ cookie: '__Host-access_token=nonsense' })).toEqual({ active: false })
  })

  it('is told where there is no store and no CSRF value', async () => {
    const csrf = { mode: 'origin', ...origins.csrf } as const
    const { login, ask } = setUp({ csrf }, null)
    const { cookies } = await login('cookie')
    expect(await ask({ cookie: cookies.join('; ') })).toEqual({
      active: true,
      sub: 'ada',
      auth_time: 1_700_000_000,
      expires_in: 900,
      fresh: true,
      fresh_for: 900,
      scopes: [],
    })
  })

  it('is for pages of accepted origins only, and has one method', async () => {
    const { send } = setUp(origins)
    const read = async (origin: string) =>
      (await send('GET', '/auth/session', { origin })).headers.get('access-control-allow-origin')
    expect(await read('https://page.example')).toBe('https://page.example')
    expect(await read('https://evil.example')).toBeNull()
    const refused = await send('POST', '/auth/session')
    expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET'])
  })

  it('is not known while the store is down', async () => {
    let isDown = false
    const store = new Proxy(memoryStore(), {
      get: (target, name, receiver) => {
        const value: unknown = Reflect.get(target, name, receiver)
        if (!isDown || typeof value !== 'function') return value
        return () => Promise.reject(new Error('down'))
      },
    })
    const { login, send } = setUp(origins, store)
    const { body } = await login('body')
    isDown = true
    const headers = { authorization: `Bearer ${body['access_token']}` }
    expect((await send('GET', '/auth/session', headers)).status).toBe(503)
  })
})
