import { describe, expect, it } from 'vitest'
import { type RunningServer, startServer } from './process.ts'

interface Result {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, unknown>
}

async function call(
  server: RunningServer,
  method: string,
  path: string,
  init: RequestInit = {},
): Promise<Result> {
  const response = await fetch(server.url + path, { method, ...init })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) }
}

const bearer = (token: unknown) => ({ authorization: `Bearer ${token}` })
const json = (body: unknown, headers: Record<string, string> = {}) => ({
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
})

const login = (server: RunningServer, username: string, password: string) =>
  call(server, 'POST', '/auth/login', json({ username, password }))

const changePassword = (server: RunningServer, token: unknown, new_password: unknown) =>
  call(server, 'POST', '/change-password', json({ new_password }, bearer(token)))

describe('the five steps in the documentation of AuthX', () => {
  it('give the documented responses', async () => {
    const server = await startServer()

    // 1. Login gives a fresh token.
    const first = await login(server, 'test', 'test')
    expect(first.status).toBe(200)
    expect(first.headers.get('cache-control')).toBe('no-store')
    expect(first.headers.getSetCookie()).toEqual([])
    expect(first.body).toEqual({
      access_token: expect.any(String),
      refresh_token: expect.any(String),
      token_type: 'bearer',
      expires_in: 900,
    })

    // 2. It opens the sensitive route.
    const changed = await changePassword(server, first.body['access_token'], 'correct horse')
    expect(changed).toMatchObject({ status: 200, body: { message: 'Password changed' } })

    // 3. A refresh gives a token that is not fresh.
    const refreshed = await call(server, 'POST', '/auth/refresh', {
      headers: bearer(first.body['refresh_token']),
    })
    expect(refreshed.status).toBe(200)
    const stale = refreshed.body['access_token']

    // 4. That one is refused there.
    const refused = await changePassword(server, stale, 'battery staple')
    expect(refused.status).toBe(401)
    expect(refused.body).toMatchObject({
      message: 'Fresh token required',
      error_type: 'FreshTokenRequiredError',
      code: 'fresh_token_required',
    })
    const challenge = refused.headers.get('www-authenticate')
    expect(challenge).toMatch(/^Bearer .*error="insufficient_user_authentication".*max_age="60"/)

    // 5. And taken by the ordinary route.
    const taken = await call(server, 'GET', '/protected', { headers: bearer(stale) })
    expect(taken).toMatchObject({ status: 200, body: { message: 'You have access' } })
  })
})

describe('the demo API', () => {
  it('changes the password for good', async () => {
    const server = await startServer()
    const { body } = await login(server, 'test', 'test')
    expect((await changePassword(server, body['access_token'], 'correct horse')).status).toBe(200)
    expect((await login(server, 'test', 'test')).body).toMatchObject({ code: 'credentials_invalid' })
    expect((await login(server, 'test', 'correct horse')).status).toBe(200)
    expect((await login(server, 'admin', 'admin')).status).toBe(200)
  })

  it('accepts only new passwords of 8 to 1024 bytes', async () => {
    const server = await startServer()
    const token = (await login(server, 'test', 'test')).body['access_token']
    const refused = [
      '',
      'x'.repeat(7),
      'x'.repeat(1025),
      'é'.repeat(513),
      12345678,
      null,
      ['x'.repeat(8)],
      'xxxxxxxx\ud800',
    ]
    for (const password of refused) {
      const { status, headers, body } = await changePassword(server, token, password)
      expect({ status, body }).toMatchObject({
        status: 400,
        body: { code: 'request_invalid', error_type: 'InvalidRequestError', error: 'invalid_request' },
      })
      expect(headers.get('www-authenticate')).toContain('error="invalid_request"')
    }
    const headers = bearer(token)
    const bodies: RequestInit[] = [
      { headers },
      { headers, body: '{"new_password":"long enough"}' },
      json(null, headers),
      json('long enough', headers),
      json({}, headers),
      { headers: { ...headers, 'content-type': 'application/json' }, body: '{"new_password":"long enough' },
      json({ new_password: 'long enough', filler: 'x'.repeat(20_000) }, headers),
    ]
    for (const init of bodies) {
      const result = await call(server, 'POST', '/change-password', init)
      expect(result).toMatchObject({ status: 400, body: { code: 'request_invalid' } })
    }
    expect((await login(server, 'test', 'test')).status).toBe(200)
    for (const password of ['x'.repeat(8), 'é'.repeat(4), 'x'.repeat(1024)]) {
      expect((await changePassword(server, token, password)).status).toBe(200)
      expect((await login(server, 'test', password)).status).toBe(200)
    }
  })

  it('checks the token before it reads the body', async () => {
    const server = await startServer()
    const result = await call(server, 'POST', '/change-password', json({ new_password: 'x' }))
    expect(result).toMatchObject({ status: 401, body: { code: 'token_missing' } })
    expect(result.headers.get('www-authenticate')).toBe('Bearer')
  })

  it('lets only the administrator into /admin', async () => {
    const server = await startServer()
    const test = await login(server, 'test', 'test')
    const refused = await call(server, 'GET', '/admin', { headers: bearer(test.body['access_token']) })
    expect(refused).toMatchObject({ status: 403, body: { code: 'scope_missing' } })
    expect(refused.headers.get('www-authenticate')).toContain('scope="admin:*"')
    const admin = await login(server, 'admin', 'admin')
    const taken = await call(server, 'GET', '/admin', { headers: bearer(admin.body['access_token']) })
    expect(taken).toMatchObject({ status: 200, body: { message: 'You have administrator access' } })
    const refreshed = await call(server, 'POST', '/auth/refresh', {
      headers: bearer(admin.body['refresh_token']),
    })
    const again = await call(server, 'GET', '/admin', { headers: bearer(refreshed.body['access_token']) })
    expect(again.status).toBe(200)
  })

  it('ends the cookies of a login with the browser where it is not to be remembered', async () => {
    const server = await startServer()
    const sent = async (remember: boolean) => {
      const body = { username: 'test', password: 'test', delivery: 'cookie', remember }
      const { status, headers } = await call(server, 'POST', '/auth/login', json(body))
      expect(status).toBe(200)
      return headers.getSetCookie().filter((line) => line.startsWith('__Host-') && /max-age/i.test(line))
    }
    expect(await sent(true)).toHaveLength(3)
    expect(await sent(false)).toEqual([])
  })

  it('opens /sensitive_operation to fresh tokens only, and a step-up gives one', async () => {
    const server = await startServer()
    const pair = (await login(server, 'test', 'test')).body
    const open = (token: unknown) => call(server, 'GET', '/sensitive_operation', { headers: bearer(token) })
    expect(await open(pair['access_token'])).toMatchObject({
      status: 200,
      body: { message: 'You have access to this sensitive operation' },
    })
    const refresh = await call(server, 'POST', '/auth/refresh', { headers: bearer(pair['refresh_token']) })
    const stale = refresh.body['access_token']
    expect((await open(stale)).status).toBe(401)
    const stepUp = await call(
      server,
      'POST',
      '/auth/verify-password',
      json({ password: 'test' }, bearer(stale)),
    )
    expect(stepUp).toMatchObject({ status: 200, body: { fresh: true, token_type: 'bearer' } })
    expect((await open(stepUp.body['access_token'])).status).toBe(200)
  })

  it('lets freshness and access tokens expire as configured', async () => {
    const server = await startServer({
      TOKENWRIGHT_ACCESS_EXPIRES_IN: '7s',
      TOKENWRIGHT_FRESHNESS_WINDOW: '5s',
    })
    expect((await call(server, 'GET', '/healthz')).body).toMatchObject({ access: 7, freshness: 5 })
    const { body } = await login(server, 'test', 'test')
    expect(body['expires_in']).toBe(7)
    const open = () => call(server, 'GET', '/sensitive_operation', { headers: bearer(body['access_token']) })
    expect((await open()).status).toBe(200)
    await new Promise((resolve) => setTimeout(resolve, 6100))
    const stale = await open()
    expect(stale).toMatchObject({ status: 401, body: { code: 'fresh_token_required' } })
    expect(stale.headers.get('www-authenticate')).toContain('max_age="5"')
    const ordinary = await call(server, 'GET', '/protected', { headers: bearer(body['access_token']) })
    expect(ordinary.status).toBe(200)
  }, 15_000)
})

describe('a login', () => {
  it('gives the same response for a wrong password and for an unknown user', async () => {
    const server = await startServer()
    const results = [await login(server, 'test', 'wrong'), await login(server, 'nobody', 'wrong')]
    for (const { status, body } of results) {
      expect(status).toBe(401)
      expect(body).toEqual({
        message: 'Bad username or password',
        error_type: 'InvalidCredentialsError',
        code: 'credentials_invalid',
      })
    }
    const [known, unknown] = results.map(({ headers }) => {
      // Every response has its own, whatever it says.
      return [...headers].filter(([name]) => name !== 'date' && name !== 'x-request-id')
    })
    expect(unknown).toEqual(known)
  })

  it('takes about the same time for both', async () => {
    const server = await startServer()
    const times = { test: [] as number[], nobody: [] as number[] }
    for (let round = 0; round < 4; round++) {
      for (const username of ['test', 'nobody'] as const) {
        const start = performance.now()
        expect((await login(server, `${username}`, 'wrong')).status).toBe(401)
        times[username].push(performance.now() - start)
      }
    }
    // The fastest of each, because a busy machine makes some slower and none faster.
    const ratio = Math.min(...times.nobody) / Math.min(...times.test)
    expect(ratio).toBeGreaterThan(0.5)
    expect(ratio).toBeLessThan(2)
  })

  it('by cookie keeps the tokens out of the body', async () => {
    const server = await startServer()
    const credentials = { username: 'test', password: 'test', delivery: 'cookie' }
    const { status, headers, body } = await call(server, 'POST', '/auth/login', json(credentials))
    expect(status).toBe(200)
    expect(body).toEqual({ token_type: 'bearer', expires_in: 900, csrf_token: expect.any(String) })
    const cookies = headers.getSetCookie()
    expect(cookies.map((cookie) => cookie.split('=')[0])).toEqual([
      '__Host-access_token',
      '__Host-refresh_token',
      '__Host-csrf_token',
    ])
    const cookie = cookies.map((line) => line.split(';')[0]).join('; ')
    expect((await call(server, 'GET', '/protected', { headers: { cookie } })).status).toBe(200)
    const change = json({ new_password: 'correct horse' }, { cookie })
    expect(await call(server, 'POST', '/change-password', change)).toMatchObject({
      status: 403,
      body: { code: 'csrf_missing' },
    })
    const proven = json(
      { new_password: 'correct horse' },
      { cookie, 'x-csrf-token': String(body['csrf_token']) },
    )
    expect((await call(server, 'POST', '/change-password', proven)).status).toBe(200)
    const foreign = json(
      { new_password: 'correct horse' },
      { cookie, 'x-csrf-token': String(body['csrf_token']), origin: 'https://evil.example' },
    )
    expect(await call(server, 'POST', '/change-password', foreign)).toMatchObject({
      status: 403,
      body: { code: 'csrf_mismatch' },
    })
  })
})
