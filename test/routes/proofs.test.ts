/** Logins and step-ups by any proof: other bodies, schemas, several proofs one after the other. */
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type AuthOptions, createAuth } from '../../src/index.ts'
import { type AuthRoutesOptions, authRoutes } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'

type Options = Partial<AuthRoutesOptions<Readonly<Record<string, unknown>>, object>>

/** An application with password and code: `right`, then `123456`. */
const PASSWORD_THEN_CODE: Options = {
  verifyCredentials: (credentials, { proved }) => {
    if (proved !== null)
      return credentials['code'] === '123456' ? { subject: proved.subject, amr: ['otp', 'mfa'] } : null
    if (credentials.password !== 'right') return null
    return { next: { methods: ['totp'] }, subject: 'user-1', amr: ['pwd'], state: { from: 'login' } }
  },
}

function setUp(routes: Options, options: AuthOptions = {}, hasStore = true) {
  const clock = { now: 1_790_000_000 }
  const store = memoryStore({ clock: () => clock.now })
  const auth = createAuth({
    secret: SECRET,
    clock: () => clock.now,
    ...(hasStore && { sessions: { store } }),
    ...options,
  })
  const handle = authRoutes(auth, { verifyCredentials: () => null, address: () => '192.0.2.1', ...routes })
  const post = async (path: string, body: object | string, token?: string) => {
    const headers = {
      'content-type': typeof body === 'string' ? 'application/x-www-form-urlencoded' : 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    }
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const response = await handle(
      new Request(`http://localhost/auth/${path}`, { method: 'POST', headers, body: text }),
    )
    return { status: response.status, body: (await response.json()) as Record<string, string>, response }
  }
  const get = async (path: string, token?: string) => {
    const headers = { ...(token !== undefined && { authorization: `Bearer ${token}` }) }
    const response = await handle(new Request(`http://localhost/auth/${path}`, { headers }))
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  return { auth, clock, handle, post, get }
}

describe('a login', () => {
  it('hands over a body of any members, by JSON and by form, without its own members', async () => {
    const seen: unknown[] = []
    const { post } = setUp({
      verifyCredentials: (credentials) => {
        seen.push(credentials)
        return credentials['code'] === '42' ? { subject: 'user-1' } : null
      },
    })
    expect((await post('login', { code: '42', delivery: 'body' })).status).toBe(200)
    expect((await post('login', 'code=42')).status).toBe(200)
    expect((await post('login', { code: '41' })).status).toBe(401)
    expect(seen[0]).toEqual({ code: '42', username: '', password: '' })
  })

  it.each([
    [{}, /username/],
    [{ username: 'a' }, /password/],
    [{ password: 'a' }, /username/],
    [{ username: 7, password: 'a' }, /username/],
    [{ username: 'a', password: '' }, /password/],
  ])('refuses half of a username and a password: %j', async (body, message) => {
    const { post } = setUp({ verifyCredentials: () => ({ subject: 'user-1' }) })
    const { status, body: told } = await post('login', body)
    expect([status, told['code']]).toEqual([400, 'request_invalid'])
    expect(told['message']).toMatch(message)
  })

  it('hands over the output of a schema, and names the members that it refuses', async () => {
    const schema = {
      '~standard': {
        version: 1 as const,
        vendor: 'test',
        validate: (value: unknown) => {
          const { email } = value as { email?: unknown }
          return typeof email === 'string'
            ? { value: { email: email.toLowerCase() } }
            : { issues: [{ message: 'secret text', path: ['email'] }] }
        },
      },
    }
    const { post } = setUp({
      credentials: schema as never,
      verifyCredentials: (({ email }: { email: string }) =>
        email === 'a@example.com' ? { subject: 'user-1' } : null) as never,
    })
    expect((await post('login', { email: 'A@example.com' })).status).toBe(200)
    const { status, body } = await post('login', { mail: 'x' })
    expect([status, body['code']]).toEqual([400, 'request_invalid'])
    expect(body['message']).toContain('`email`')
    expect(JSON.stringify(body)).not.toContain('secret text')
    expect(() => setUp({ credentials: {} as never })).toThrow(/credentials/)
  })

  it('tells the function the address, the user agent and the request', async () => {
    const { post } = setUp({
      verifyCredentials: (_credentials, { address, request, proved }) =>
        address === '192.0.2.1' && request.method === 'POST' && proved === null
          ? { subject: 'user-1' }
          : null,
    })
    expect((await post('login', { username: 'a', password: 'b' })).status).toBe(200)
  })

  it('counts failures of a body without a username against its address', async () => {
    const { post } = setUp({ verifyCredentials: () => null })
    const statuses: number[] = []
    for (let at = 0; at < 25; at++) statuses.push((await post('login', { code: String(at) })).status)
    expect(statuses.filter((status) => status === 401).length).toBe(20)
    expect(statuses.at(-1)).toBe(429)
  })
})

describe('a login by password and code', () => {
  it('goes on with the continuation, and says both methods', async () => {
    const { auth, post } = setUp(PASSWORD_THEN_CODE)
    const first = await post('login', { username: 'alice', password: 'right' })
    expect(first.status).toBe(401)
    expect(first.body).toMatchObject({ code: 'proof_required', next: { methods: ['totp'] }, expires_in: 600 })
    expect(first.body).not.toHaveProperty('access_token')
    const { continuation } = first.body
    const second = await post('login', { code: '123456', continuation })
    expect(second.status).toBe(200)
    const payload = await auth.verifyToken(second.body['access_token'] ?? '', { fresh: true })
    expect(payload).toMatchObject({ sub: 'user-1', amr: ['pwd', 'otp', 'mfa'], login_name: 'alice' })
  })

  it('lets a wrong code be corrected, counts it, and does not forgive it for the right password', async () => {
    const { post } = setUp(PASSWORD_THEN_CODE)
    const statuses: number[] = []
    let first = await post('login', { username: 'alice', password: 'right' })
    for (let at = 0; at < 7; at++) {
      const { continuation } = first.body
      if (continuation === undefined) break
      statuses.push((await post('login', { code: '000000', continuation })).status)
      first = await post('login', { username: 'alice', password: 'right' })
    }
    expect(statuses).toEqual([401, 401, 401, 401, 401])
    expect(first.status).toBe(429)
  })

  it.each(['with a store', 'without a store'])(
    'is finished by one of a hundred requests, %s',
    async (how) => {
      const { post } = setUp(PASSWORD_THEN_CODE, {}, how === 'with a store')
      const { continuation } = (await post('login', { username: 'alice', password: 'right' })).body
      const all = await Promise.all(
        Array.from({ length: 20 }, () => post('login', { code: '123456', continuation })),
      )
      expect(all.filter(({ status }) => status === 200)).toHaveLength(1)
      expect(all.filter(({ body }) => body['code'] === 'continuation_invalid').length).toBeGreaterThan(0)
      expect((await post('login', { code: '123456', continuation })).body['code']).toBe(
        'continuation_invalid',
      )
    },
  )

  it('takes no other token for a continuation, and no continuation for a token', async () => {
    const { auth, clock, post, get } = setUp({ ...PASSWORD_THEN_CODE, verifyStepUp: () => ({ next: {} }) })
    const { continuation = '' } = (await post('login', { username: 'alice', password: 'right' })).body
    const pair = await auth.sessions.start('user-1', { fresh: true })
    const other = (await post('step-up', {}, pair.access_token)).body['continuation'] ?? ''
    const mail = await auth.oneTime.create('login', 'user-1')
    const swapped = continuation.replace(/^[^.]+/, pair.access_token.split('.')[0] ?? '')
    for (const wrong of [pair.access_token, pair.refresh_token, mail, other, swapped, '', 'x', 7, null, {}])
      expect((await post('login', { code: '123456', continuation: wrong })).body['code']).toBe(
        'continuation_invalid',
      )
    expect((await get('session', continuation)).body).toEqual({ active: false })
    await expect(auth.oneTime.redeem('continue login', continuation)).rejects.toThrow(TypeError)
    clock.now += 700
    expect((await post('login', { code: '123456', continuation })).body['code']).toBe('continuation_invalid')
  })

  it('never changes whom it is about', async () => {
    const { post } = setUp({
      verifyCredentials: (_credentials, { proved }) =>
        proved === null ? { next: {}, subject: 'user-1' } : { subject: 'user-2' },
    })
    const { continuation } = (await post('login', { username: 'alice', password: 'x' })).body
    expect(await post('login', { code: '1', continuation })).toMatchObject({
      status: 403,
      body: { code: 'subject_mismatch' },
    })
  })

  it.each([
    undefined,
    false,
    'user-1',
    { subject: '' },
    { next: {} },
    { next: 7, subject: 'a' },
    { next: { at: new Date() }, subject: 'a' },
    { next: {}, subject: 'a', amr: 'pwd' },
    { subject: 'a\0' },
    { subject: 'a', scopes: 'read write' },
    { subject: 'a', scopes: ['read write'] },
    { subject: 'a', amr: 'pwd' },
    { subject: 'a', acr: 7 },
    { subject: 'a', remember: 'false' },
    { subject: 'a', remember: null },
    { subject: 'a', data: [1] },
    { subject: 'a', data: { sub: 'b' } },
    { subject: 'a', data: { at: new Date() } },
  ])('is a mistake of the application, and a failure that counts, where it returns %j', async (result) => {
    const { post } = setUp({ verifyCredentials: () => result as never })
    const statuses: number[] = []
    for (let at = 0; at < 7; at++)
      statuses.push((await post('login', { username: 'a', password: 'b' })).status)
    expect(statuses[0]).toBe(500)
    expect(statuses.at(-1)).toBe(429)
  })

  it('whose user lacks what the schema of claims requires is such a mistake, too', async () => {
    const claims = z.object({ role: z.string() })
    const { post } = setUp({ verifyCredentials: () => ({ subject: 'a', data: { role: 7 } }) }, {
      claims,
    } as never)
    const failed = await post('login', { username: 'a', password: 'b' })
    expect([failed.status, failed.body['code']]).toEqual([500, 'configuration_invalid'])
  })
})

describe('a step-up', () => {
  const STEP_UP: Options = {
    verifyCredentials: ({ username, password }) =>
      username === 'alice' && password === 'right' ? { subject: 'user-1', amr: ['pwd'] } : null,
    verifyStepUp: (credentials, { payload, proved }) => {
      if (payload.sub !== 'user-1') return null
      if (credentials['code'] === 'two') return { next: { methods: ['key'] }, amr: ['otp'] }
      if (proved !== null) return credentials['key'] === 'k' ? { amr: ['hwk'], acr: 'gold' } : null
      return credentials['code'] === '123456' ? { amr: ['otp'] } : null
    },
  }

  async function logIn(options: Options = STEP_UP, hasStore = true) {
    const parts = setUp(options, {}, hasStore)
    const { body } = await parts.post('login', { username: 'alice', password: 'right' })
    return { ...parts, token: body['access_token'] ?? '' }
  }

  it('by any proof gives fresh tokens of the same session', async () => {
    const { auth, clock, post, token } = await logIn()
    const before = await auth.verifyToken(token)
    clock.now += 800
    const { status, body } = await post('step-up', { code: '123456' }, token)
    expect(status).toBe(200)
    const after = await auth.verifyToken(body['access_token'] ?? '', { fresh: true })
    expect(after).toMatchObject({ sub: 'user-1', sid: before.sid, amr: ['otp'], auth_time: clock.now })
    expect((await post('step-up', { code: 'wrong' }, token)).body['code']).toBe('credentials_invalid')
    expect((await post('step-up', { code: '123456' })).status).toBe(401)
  })

  it('by two proofs is bound to its session', async () => {
    const { auth, post, token } = await logIn()
    const first = await post('step-up', { code: 'two' }, token)
    expect(first.body).toMatchObject({ code: 'proof_required', next: { methods: ['key'] } })
    const { continuation } = first.body
    const other = (await post('login', { username: 'alice', password: 'right' })).body['access_token']
    expect((await post('step-up', { key: 'k', continuation }, other)).body['code']).toBe(
      'continuation_invalid',
    )
    expect((await post('login', { key: 'k', continuation })).body['code']).toBe('continuation_invalid')
    const second = await post('step-up', { key: 'k', continuation }, token)
    expect(second.status).toBe(200)
    const payload = await auth.verifyToken(second.body['access_token'] ?? '')
    expect(payload).toMatchObject({ amr: ['otp', 'hwk'], acr: 'gold' })
    expect((await post('step-up', { key: 'k', continuation }, token)).body['code']).toBe(
      'continuation_invalid',
    )
  })

  it.each(['step-up', 'verify-password'])(
    'by %s without an option of its own takes the password of the login, with and without a store',
    async (path) => {
      const { verifyStepUp: _, ...options } = STEP_UP
      for (const hasStore of [true, false]) {
        const { post, token } = await logIn(options, hasStore)
        expect((await post(path, { password: 'right' }, token)).status).toBe(200)
        expect((await post(path, { username: 'alice', password: 'right' }, token)).status).toBe(200)
        expect((await post(path, { username: 'bob', password: 'right' }, token)).body['code']).toBe(
          'subject_mismatch',
        )
        expect((await post(path, { password: 'wrong' }, token)).body['code']).toBe('credentials_invalid')
        expect((await post(path, {}, token)).status).toBe(400)
      }
    },
  )

  it('of a user whose login found another user is refused', async () => {
    let subject = 'user-1'
    const { post, token } = await logIn({ verifyCredentials: () => ({ subject }) })
    subject = 'user-2'
    expect((await post('step-up', { password: 'right' }, token)).body['code']).toBe('subject_mismatch')
  })

  it('shares its failures with the login', async () => {
    const { post, token } = await logIn()
    const statuses: number[] = []
    for (let at = 0; at < 6; at++) statuses.push((await post('step-up', { code: 'x' }, token)).status)
    expect(statuses.at(-1)).toBe(429)
    expect((await post('login', { username: 'alice', password: 'right' })).status).toBe(429)
  })

  it.each([undefined, true, 'yes', 7, { amr: 'otp' }, { acr: ['gold'] }, { next: {}, amr: [7] }])(
    'is a mistake of the application, and a failure that counts, where it returns %j',
    async (result) => {
      for (const hasStore of [true, false]) {
        const { post, token } = await logIn({ ...STEP_UP, verifyStepUp: () => result as never }, hasStore)
        const statuses: number[] = []
        for (let at = 0; at < 7; at++) statuses.push((await post('step-up', { code: '1' }, token)).status)
        expect([statuses[0], statuses.at(-1)]).toEqual([500, 429])
      }
    },
  )

  it('keeps the name of the login through refreshes, and out of tokens that need none', async () => {
    const { auth, post, token } = await logIn()
    expect((await auth.verifyToken(token)).login_name).toBe('alice')
    const login = await post('login', { username: 'alice', password: 'right' })
    const refreshed = await post('refresh', { refresh_token: login.body['refresh_token'] })
    const next = refreshed.body['access_token'] ?? ''
    expect((await auth.verifyToken(next)).login_name).toBe('alice')
    expect((await post('verify-password', { password: 'right' }, next)).status).toBe(200)
    const named = await logIn({ ...STEP_UP, usernameOf: () => 'alice' })
    expect((await named.auth.verifyToken(named.token)).login_name).toBeUndefined()
  })
})

describe('GET /session', () => {
  it('says who is signed in, until when, how fresh and by what, and changes nothing', async () => {
    const { auth, get, post } = setUp({ verifyCredentials: () => ({ subject: 'user-1', amr: ['pwd'] }) })
    const { body } = await post('login', { username: 'a', password: 'b' })
    const token = body['access_token'] ?? ''
    const { sid, iat } = await auth.verifyToken(token)
    const { access, freshness } = auth.lifetimes
    expect(await get('session', token)).toMatchObject({
      status: 200,
      body: {
        active: true,
        sub: 'user-1',
        session_id: sid,
        fresh: true,
        fresh_for: Math.min(access, freshness),
        auth_time: iat,
        amr: ['pwd'],
      },
    })
    const [before] = await auth.sessions.list('user-1')
    await get('session', token)
    expect(await auth.sessions.list('user-1')).toEqual([before])
    const refreshed = await post('refresh', { refresh_token: body['refresh_token'] })
    const stale = await get('session', refreshed.body['access_token'])
    expect(stale.body).toMatchObject({ fresh: false, fresh_for: 0 })
  })
})
