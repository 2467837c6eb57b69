import { describe, expect, it } from 'vitest'
import { type AuthOptions, ConfigurationError, createAuth } from '../../src/index.ts'
import { authRoutes } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'
const NOW = 1_700_000_000
const GOOD = `Basic ${Buffer.from('api:s3cret').toString('base64')}`

const NAMES = { issuer: 'https://us', audience: 'api' }

function setUp(options: AuthOptions = {}, stateful = true, names: AuthOptions = NAMES) {
  let now = NOW
  const store = memoryStore({ clock: () => now })
  const auth = createAuth({
    secret: SECRET,
    ...names,
    clock: () => now,
    ...(stateful && { sessions: { store } }),
    ...options,
  })
  const asked: string[] = []
  const handle = authRoutes(auth, {
    verifyCredentials: () => null,
    throttle: false,
    verifyClient: ({ id, secret }) => {
      asked.push(`${id} ${secret}`)
      if (id === 'broken') throw new Error('no database')
      return id === 'api' && secret === 's3cret'
    },
  })
  const ask = async (path: string, body: string, authorization: string | null = GOOD) => {
    const headers: Record<string, string> = { 'content-type': 'application/x-www-form-urlencoded' }
    if (authorization !== null) headers['authorization'] = authorization
    const request = new Request(`http://localhost/auth/${path}`, { method: 'POST', headers, body })
    const response = await handle(request)
    return {
      status: response.status,
      headers: response.headers,
      body: (await response.json()) as Record<string, unknown>,
    }
  }
  return {
    auth,
    asked,
    handle,
    ask,
    introspect: (token: string) => ask('introspect', `token=${token}`),
    move: (s: number) => (now += s),
  }
}

describe('introspection (RFC 7662)', () => {
  it('returns the claims of a valid access token', async () => {
    const { auth, introspect } = setUp()
    const { access_token } = await auth.createTokenPair('alice', {
      fresh: true,
      scopes: ['posts:read', 'posts:write'],
      data: { secretOfTheApplication: 1 },
    })
    const { status, headers, body } = await introspect(access_token)
    expect([status, headers.get('cache-control')]).toEqual([200, 'no-store'])
    expect(body).toEqual({
      active: true,
      scope: 'posts:read posts:write',
      token_type: 'Bearer',
      sub: 'alice',
      exp: NOW + 900,
      iat: NOW,
      iss: 'https://us',
      aud: 'api',
      jti: expect.any(String),
      sid: expect.any(String),
      auth_time: NOW,
    })
  })

  it('only says of any other token that it is not active', async () => {
    const { auth, introspect, move } = setUp()
    const pair = await auth.createTokenPair('alice')
    const ended = await auth.createTokenPair('bob')
    await auth.sessions.end((await auth.verifyToken(ended.access_token)).sid ?? '')
    const foreign = await createAuth({ secret: SECRET.toLowerCase() }).createAccessToken('alice')
    for (const token of ['garbage', 'a.b.c', pair.refresh_token, ended.access_token, foreign]) {
      expect(await introspect(token)).toMatchObject({ status: 200, body: { active: false } })
      expect(Object.keys((await introspect(token)).body)).toEqual(['active'])
    }
    expect((await introspect(pair.access_token)).body['active']).toBe(true)
    move(906)
    expect((await introspect(pair.access_token)).body).toEqual({ active: false })
  })

  it('of an old refresh token ends no session', async () => {
    const { auth, introspect, move } = setUp()
    const first = await auth.createTokenPair('alice')
    const next = await auth.sessions.refresh(await auth.verifyToken(first.refresh_token, { type: 'refresh' }))
    move(100)
    expect((await introspect(first.refresh_token)).body).toEqual({ active: false })
    await auth.sessions.refresh(await auth.verifyToken(next.refresh_token, { type: 'refresh' }))
  })

  it('asks the store, not the feed', async () => {
    const down = memoryStore({ clock: () => NOW })
    const { auth, introspect } = setUp({
      sessions: { store: { ...down, isRevoked: () => Promise.reject(new Error('down')) } },
    })
    const { access_token } = await auth.createTokenPair('alice')
    await auth.ready()
    expect((await introspect(access_token)).status).toBe(503)
  })

  it('works without a store', async () => {
    const { auth, introspect, ask } = setUp({}, false)
    expect((await introspect(await auth.createAccessToken('alice'))).body).toMatchObject({
      active: true,
      sub: 'alice',
    })
    expect((await ask('revoke', 'token=x')).status).toBe(404)
  })

  it.each(['', 'token=', 'token=a&token=b', 'other=x'])('refuses the body %j', async (body) => {
    expect(await setUp().ask('introspect', body)).toMatchObject({
      status: 400,
      body: { error: 'invalid_request', message: 'Expected `token` in the body to be a token' },
    })
  })
})

describe('a client', () => {
  it.each([
    ['nobody', null],
    ['another scheme', 'Bearer abc'],
    ['a wrong secret', `Basic ${Buffer.from('api:wrong').toString('base64')}`],
    ['another name', `Basic ${Buffer.from('other:s3cret').toString('base64')}`],
    ['no secret', `Basic ${Buffer.from('api').toString('base64')}`],
    ['an empty secret', `Basic ${Buffer.from('api:').toString('base64')}`],
    ['an empty name', `Basic ${Buffer.from(':s3cret').toString('base64')}`],
    ['broken base64', 'Basic ###'],
    ['a broken escape', `Basic ${Buffer.from('api:%zz').toString('base64')}`],
    ['a huge one', `Basic ${'a'.repeat(10_000)}`],
    ['two', `${GOOD}, ${GOOD}`],
  ])('is refused: %s', async (_, authorization) => {
    const { auth, ask } = setUp()
    const { access_token } = await auth.createTokenPair('alice')
    for (const path of ['introspect', 'revoke']) {
      const { status, headers, body } = await ask(path, `token=${access_token}`, authorization)
      expect(status).toBe(401)
      expect(headers.get('www-authenticate')).toBe('Basic realm="clients"')
      expect(body).toEqual({
        message: 'Client authentication failed',
        error_type: 'InvalidClientError',
        error: 'invalid_client',
        code: 'client_invalid',
      })
    }
    await auth.verifyToken(access_token, { revocation: 'strict' })
  })

  it('is decoded like a form (RFC 6749 section 2.3.1)', async () => {
    const { ask, asked } = setUp()
    await ask('introspect', 'token=x', `basic ${Buffer.from('a%3Ab:c+d%C3%A9:e').toString('base64')}`)
    expect(asked).toEqual(['a:b c d\u00e9:e', 'a%3Ab c+d%C3%A9:e'])
  })

  it.each(['ab+c/d=', '100%sure', 'a%20b', 'pa:ss', '%', 's3cret'])(
    'may send its secret encoded or as it is: %s',
    async (secret) => {
      const asked: string[] = []
      const { auth } = setUp()
      const handle = authRoutes(auth, {
        verifyCredentials: () => null,
        verifyClient: (client) => {
          asked.push(client.secret)
          return client.secret === secret
        },
      })
      const ask = async (text: string): Promise<number> => {
        const authorization = `Basic ${Buffer.from(`api:${text}`).toString('base64')}`
        const headers = { authorization, 'content-type': 'application/x-www-form-urlencoded' }
        const request = new Request('http://localhost/auth/introspect', {
          method: 'POST',
          headers,
          body: 'token=x',
        })
        return (await handle(request)).status
      }
      expect(await ask(new URLSearchParams({ secret }).toString().slice(7))).toBe(200)
      expect(asked).toEqual([secret])
      expect(await ask(secret)).toBe(200)
      expect(await ask(`${secret}+`)).toBe(401)
      expect(asked.length).toBeLessThanOrEqual(5)
    },
  )

  it('that cannot be looked up gets 503', async () => {
    const broken = `Basic ${Buffer.from('broken:x').toString('base64')}`
    expect((await setUp().ask('introspect', 'token=x', broken)).status).toBe(503)
  })

  it('is not required if the application has none', async () => {
    const auth = createAuth({ secret: SECRET, sessions: { store: memoryStore() } })
    const handle = authRoutes(auth, { verifyCredentials: () => null })
    for (const path of ['introspect', 'revoke']) {
      const response = await handle(
        new Request(`http://localhost/auth/${path}`, { method: 'POST', body: 'token=x' }),
      )
      expect(response.status).toBe(404)
    }
    expect(() => authRoutes(auth, { verifyCredentials: () => null, verifyClient: 'x' as never })).toThrow(
      ConfigurationError,
    )
  })
})

describe('a token of another issuer that is out of reach', () => {
  it('is neither active nor inactive, and not revoked: 503', async () => {
    // Nothing listens there.
    const issuer = 'http://127.0.0.1:9'
    const { ask } = setUp({
      issuers: [{ issuer, audience: 'api', sharesSubjects: true, jwks: `${issuer}/jwks` }],
    })
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const claims = { iss: issuer, aud: 'api', sub: 'alice', exp: NOW + 60 }
    const token = `${encode({ alg: 'ES256', kid: 'a' })}.${encode(claims)}.${'A'.repeat(86)}`
    for (const path of ['introspect', 'revoke'])
      expect(await ask(path, `token=${token}`)).toMatchObject({
        status: 503,
        body: { code: 'issuer_unavailable' },
      })
  })
})

describe('revocation (RFC 7009)', () => {
  it('of an access token ends that token', async () => {
    const { auth, ask } = setUp()
    const pair = await auth.createTokenPair('alice')
    expect(await ask('revoke', `token=${pair.access_token}&token_type_hint=access_token`)).toMatchObject({
      status: 200,
      body: {},
    })
    await expect(auth.verifyToken(pair.access_token)).rejects.toMatchObject({ code: 'token_revoked' })
    await auth.sessions.refresh(await auth.verifyToken(pair.refresh_token, { type: 'refresh' }))
  })

  it('of a refresh token ends its session, whatever the hint', async () => {
    const { auth, ask } = setUp()
    const pair = await auth.createTokenPair('alice')
    expect((await ask('revoke', `token=${pair.refresh_token}&token_type_hint=access_token`)).status).toBe(200)
    await expect(auth.verifyToken(pair.access_token)).rejects.toMatchObject({ code: 'token_revoked' })
    await expect(auth.verifyToken(pair.refresh_token, { type: 'refresh' })).rejects.toMatchObject({
      code: 'session_revoked',
    })
  })

  it('of the token of another client is 400 and does nothing', async () => {
    const refused: unknown[] = []
    const options = {
      audience: ['api', 'other'],
      on: { refused: (event: unknown) => void refused.push(event) },
    }
    const { auth, ask } = setUp(options)
    const foreign = await auth.createTokenPair('alice', { audience: 'other' })
    for (const token of [foreign.access_token, foreign.refresh_token])
      expect(await ask('revoke', `token=${token}`)).toMatchObject({
        status: 400,
        body: { error: 'invalid_grant', message: 'The token was not issued to this client' },
      })
    expect(refused).toMatchObject([
      { code: 'request_invalid', route: '/auth/revoke', sub: 'alice' },
      { code: 'request_invalid', route: '/auth/revoke', sub: 'alice' },
    ])
    await auth.verifyToken(foreign.access_token, { revocation: 'strict' })
    await auth.sessions.refresh(await auth.verifyToken(foreign.refresh_token, { type: 'refresh' }))
    // `client_id` says it, whatever the audience is.
    for (const [client_id, status] of [
      ['other', 400],
      ['api', 200],
    ] as const) {
      const token = await auth.createAccessToken('alice', { clientId: client_id })
      expect((await ask('revoke', `token=${token}`)).status).toBe(status)
    }
    const none = setUp({}, true, {})
    expect((await none.ask('revoke', `token=${await none.auth.createAccessToken('alice')}`)).status).toBe(400)
  })

  it('is decided by the application where it says so', async () => {
    const auth = createAuth({ secret: SECRET, sessions: { store: memoryStore() } })
    let result: unknown = false
    const asked: unknown[] = []
    const handle = authRoutes(auth, {
      verifyCredentials: () => null,
      verifyClient: () => true,
      mayRevoke(id, { sub }) {
        asked.push([id, sub])
        if (result instanceof Error) throw result
        return result as boolean
      },
    })
    const token = await auth.createAccessToken('alice')
    const revoke = async (): Promise<number> => {
      const headers = { authorization: GOOD, 'content-type': 'application/x-www-form-urlencoded' }
      const init = { method: 'POST', headers, body: `token=${token}` }
      return (await handle(new Request('http://localhost/auth/revoke', init))).status
    }
    for (const no of [false, undefined, null, 1, 'yes']) {
      result = no
      expect(await revoke()).toBe(400)
    }
    result = new Error('no database')
    expect(await revoke()).toBe(503)
    await auth.verifyToken(token, { revocation: 'strict' })
    result = true
    expect(await revoke()).toBe(200)
    await expect(auth.verifyToken(token)).rejects.toMatchObject({ code: 'token_revoked' })
    expect(asked).toEqual(Array(7).fill(['api', 'alice']))
    const bad = { verifyCredentials: () => null, mayRevoke: true as never }
    expect(() => authRoutes(auth, bad)).toThrow(ConfigurationError)
  })

  it('of any other token returns 200 and does nothing', async () => {
    const { auth, ask } = setUp()
    const { access_token } = await auth.createTokenPair('alice')
    for (const token of ['garbage', 'a.b.c', `${access_token}x`])
      expect((await ask('revoke', `token=${token}`)).status).toBe(200)
    await auth.verifyToken(access_token, { revocation: 'strict' })
  })
})

it.each([{ id: 'api' }, 'api', 1, [], Promise.resolve({ id: 'api' })])(
  'a `verifyClient` that returns %o in place of true is a mistake that is told',
  async (result) => {
    const failed: unknown[] = []
    const auth = createAuth({ secret: SECRET, on: { failed: ({ error }) => failed.push(error) } })
    const handle = authRoutes(auth, {
      verifyCredentials: () => null,
      verifyClient: () => result as never,
      throttle: false,
    })
    const headers = { authorization: GOOD, 'content-type': 'application/x-www-form-urlencoded' }
    const init = { method: 'POST', headers, body: 'token=x' }
    const response = await handle(new Request('http://localhost/auth/introspect', init))
    expect(response.status).toBe(500)
    expect(failed).toEqual([expect.objectContaining({ name: 'ConfigurationError' })])
    expect(String(failed[0])).toMatch(/Expected `verifyClient` to be a function that returns true or false/)
  },
)
