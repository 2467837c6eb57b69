/** A login ends the session that the browser had before. */
import { describe, expect, it } from 'vitest'
import { type AuthOptions, createAuth } from '../../src/index.ts'
import { authRoutes } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'

/** A browser that logs in with the cookies that it is given. */
function setUp(options: AuthOptions = {}) {
  let now = 1_700_000_000
  const auth = createAuth({
    secret: SECRET,
    locations: ['header', 'cookie'],
    clock: () => now,
    sessions: { store: memoryStore({ clock: () => now }) },
    ...options,
  })
  const handle = authRoutes(auth, {
    verifyCredentials: ({ username, password }) => (password === 'right' ? { subject: username } : null),
    throttle: false,
  })
  const login = async (cookies: readonly string[] = [], password = 'right') => {
    const response = await handle(
      new Request('http://localhost/auth/login', {
        method: 'POST',
        headers: { 'content-type': 'application/json', cookie: cookies.join('; ') },
        body: JSON.stringify({ username: 'alice', password }),
      }),
    )
    return response.headers.getSetCookie().map((line) => line.split(';')[0] ?? '')
  }
  const sessions = async () => (await auth.sessions.list('alice')).map(({ sid }) => sid)
  return { auth, login, sessions, pass: (seconds: number) => (now += seconds) }
}

describe('routes that change something', () => {
  it.each(['login', 'refresh', 'verify-password', 'logout', 'ticket', 'introspect', 'revoke'])(
    'take no safe method: %s',
    async (name) => {
      const { auth } = setUp()
      const handle = authRoutes(auth, { verifyCredentials: () => null, verifyClient: () => true })
      const started = await auth.sessions.start('alice')
      for (const method of ['GET', 'HEAD']) {
        const url = `http://localhost/auth/${name}?token=${started.refresh_token}`
        const headers = { authorization: `Bearer ${started.access_token}` }
        const response = await handle(new Request(url, { method, headers }))
        expect(response.status).toBe(405)
        expect(response.headers.get('allow')).toMatch(/^POST/)
        expect(response.headers.getSetCookie()).toEqual([])
      }
      expect(await auth.sessions.list('alice')).toHaveLength(1)
    },
  )
})

const only = (cookies: readonly string[], name: string): readonly string[] =>
  cookies.filter((cookie) => cookie.includes(name))

describe.each<[string, AuthOptions]>([
  ['both tokens in cookies', {}],
  ['the refresh token in a cookie', { cookies: { carry: ['refresh'] } }],
])('with %s, a login', (_, options) => {
  it('ends the earlier session of the browser', async () => {
    const { login, sessions } = setUp(options)
    const cookies = await login()
    const [first] = await sessions()
    await login(cookies)
    const after = await sessions()
    expect(after).toHaveLength(1)
    expect(after).not.toContain(first)
  })

  it('ends no session of another browser', async () => {
    const { login, sessions } = setUp(options)
    const [first] = [await login(), await sessions()][1] ?? []
    await login()
    const after = await sessions()
    expect(after).toHaveLength(2)
    expect(after).toContain(first)
  })

  it('with a wrong password ends nothing', async () => {
    const { login, sessions } = setUp(options)
    const cookies = await login()
    await login(cookies, 'wrong')
    expect(await sessions()).toHaveLength(1)
  })
})

describe('a login with both tokens in cookies', () => {
  it.each(['access', 'refresh'])('ends the earlier session by the %s cookie alone', async (name) => {
    const { login, sessions } = setUp()
    await login(only(await login(), name))
    expect(await sessions()).toHaveLength(1)
  })

  it('ends the earlier session by the refresh cookie if the access cookie has expired', async () => {
    const { login, sessions, pass } = setUp()
    const cookies = await login()
    pass(1000)
    await login(cookies)
    expect(await sessions()).toHaveLength(1)
  })

  it('ends the earlier session by the refresh cookie if the access cookie is not a token', async () => {
    const { login, sessions } = setUp()
    const cookies = await login()
    const broken = cookies.map((cookie) => (cookie.includes('access') ? `${cookie}x` : cookie))
    await login(broken)
    expect(await sessions()).toHaveLength(1)
  })
})
