/**
 * What a person recognises of a session: a label, where it was started and last seen, and metadata
 * that no token has; and what an update changes.
 */
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createRefreshing } from '../../src/adapters/page-refresh.ts'
import { createAuth } from '../../src/index.ts'
import { authRoutes } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'
const HOUR = 3600
/** A whole hour. */
const START = 472_222 * HOUR

/** What a route responds with. */
interface Body {
  readonly access_token: string
  readonly refresh_token: string
  readonly active?: boolean
  readonly sub?: string
  readonly session?: Readonly<Record<string, unknown>>
  readonly sessions: readonly Readonly<Record<string, unknown>>[]
}

function setUp(returned: object = {}, options: object = {}) {
  let now = START
  const clock = () => now
  const memory = memoryStore({ clock })
  const calls: string[] = []
  let isDown = false
  const store = {
    ...memory,
    async get(sid: string) {
      calls.push('get')
      if (isDown) throw Object.assign(new Error('down'), { code: 'ECONNREFUSED' })
      return memory.get(sid)
    },
  }
  const auth = createAuth({
    secret: SECRET,
    clock,
    locations: ['header', 'cookie'],
    csrf: false,
    sessions: { store, ...options },
  })
  let address = '192.0.2.1'
  const handle = authRoutes(auth, {
    verifyCredentials: ({ username }) => ({ subject: username, ...returned }),
    address: () => address,
    throttle: false,
  })
  let agent = 'Mozilla/5.0'
  const send = async (method: string, path: string, token?: string, body?: object) => {
    const response = await handle(
      new Request(`http://localhost/auth/${path}`, {
        method,
        headers: {
          'content-type': 'application/json',
          'user-agent': agent,
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        },
        ...(body && { body: JSON.stringify(body) }),
      }),
    )
    const read: unknown = await response.json()
    return { status: response.status, body: read as Body }
  }
  const login = async () =>
    (await send('POST', 'login', undefined, { username: 'ada', password: 'x', delivery: 'body' })).body
  return {
    auth,
    send,
    login,
    calls,
    pass: (seconds: number) => (now += seconds),
    move: (to: string, as = agent) => {
      address = to
      agent = as
    },
    fail: () => {
      isDown = true
    },
  }
}

describe('the list of sessions and the session of a request', () => {
  it('show a label, where it was started and where it was last seen', async () => {
    const { send, login, pass, move } = setUp({ label: 'Kitchen tablet', metadata: { device: 7 } })
    const pair = await login()
    const shown = { label: 'Kitchen tablet', current: true, ip: '192.0.2.1', user_agent: 'Mozilla/5.0' }
    const first = { ...shown, last_ip: '192.0.2.1', last_user_agent: 'Mozilla/5.0' }
    const look = async (token: string) => {
      const { body } = await send('GET', 'sessions', token)
      const { body: current } = await send('GET', 'session', token)
      expect(current.session).toEqual(body.sessions[0])
      expect(JSON.stringify([body, current])).not.toContain('device')
      return current.session
    }
    expect(await look(pair.access_token)).toMatchObject(first)
    move('2001:db8::9', 'Mozilla/6.0')
    pass(100)
    const soon = (await send('POST', 'refresh', pair.refresh_token, {})).body
    // In the hour of the login: it would tell when the session was refreshed.
    expect(await look(soon.access_token)).toMatchObject(first)
    pass(HOUR)
    const later = (await send('POST', 'refresh', soon.refresh_token, {})).body
    const moved = { ...shown, last_ip: '2001:db8::9', last_user_agent: 'Mozilla/6.0' }
    expect(await look(later.access_token)).toMatchObject(moved)
  })

  it('say who is signed in without the session where the store does not respond', async () => {
    const { send, login, fail } = setUp()
    const { access_token } = await login()
    expect((await send('GET', 'session', access_token)).body.session).toBeDefined()
    fail()
    const { status, body } = await send('GET', 'session', access_token)
    expect([status, body.active, body.sub, body.session]).toEqual([200, true, 'ada', undefined])
  })

  it('show when a session was refreshed by times of an hour, and by an address no sooner', async () => {
    const { send, login, pass, move } = setUp()
    let pair = await login()
    let seen = ''
    let changes = 0
    for (let refresh = 0; refresh < 40; refresh++) {
      pass(900)
      move(`192.0.2.${refresh}`, `agent ${refresh}`)
      pair = (await send('POST', 'refresh', pair.refresh_token, {})).body
      const { body } = await send('GET', 'sessions', pair.access_token)
      const { last_ip, last_user_agent, last_used_at } = body.sessions[0] ?? {}
      const now = JSON.stringify([last_ip, last_user_agent, last_used_at])
      if (now !== seen) changes += 1
      seen = now
    }
    expect(changes).toBe(11)
  })
})

describe('details that verifyCredentials returns', () => {
  it.each([[{ metadata: 'text' }], [{ metadata: { a: 'x'.repeat(4096) } }], [{ label: '' }], [{ label: 7 }]])(
    'are a configuration error where no row can hold them: %j',
    async (returned) => {
      const { auth, send } = setUp(returned)
      const { status, body } = await send('POST', 'login', undefined, { username: 'ada', password: 'x' })
      expect([status, body]).toMatchObject([500, { code: 'configuration_invalid' }])
      expect(await auth.sessions.list('ada')).toEqual([])
    },
  )
})

describe('where a refresh comes from', () => {
  it('is noted of a page that is refreshed while it is rendered', async () => {
    const { auth, pass } = setUp()
    const pair = await auth.sessions.start('ada', { ip: '192.0.2.1', userAgent: 'old' })
    pass(2 * HOUR)
    const page = createRefreshing(auth)(async () => new Response('page'))
    const cookie = `__Host-refresh_token=${pair.refresh_token}`
    const response = await page(
      new Request('http://localhost/', { headers: { cookie, 'user-agent': 'new' } }),
    )
    expect(response.headers.getSetCookie()).toHaveLength(2)
    const [row] = await auth.sessions.list('ada')
    expect(row).toMatchObject({ userAgent: 'old', lastUserAgent: 'new', ip: '192.0.2.1', lastIp: null })
  })

  it('is what a handler of one says', async () => {
    const { auth, pass } = setUp()
    const pair = await auth.sessions.start('ada')
    pass(2 * HOUR)
    const payload = await auth.verifyToken(pair.refresh_token, { type: 'refresh' })
    await expect(auth.sessions.refresh(payload, { ip: 7 as never })).rejects.toThrow(/`ip` to be a string/)
    await expect(auth.sessions.refresh(payload, { address: 'x' } as never)).rejects.toThrow(/address/)
    await auth.sessions.refresh(payload, { ip: '1'.repeat(99), userAgent: 'a'.repeat(999) })
    const [row] = await auth.sessions.list('ada')
    expect([row?.lastIp?.length, row?.lastUserAgent?.length]).toEqual([64, 256])
  })
})

describe('an update of a session', () => {
  it('takes effect at the next refresh, and not before', async () => {
    const { auth } = setUp()
    const pair = await auth.sessions.start('ada', { scopes: ['read'], data: { tenant: 1 } })
    const { sid = '' } = await auth.verifyToken(pair.access_token)
    const change = { scopes: ['write'], data: { tenant: 2 }, metadata: { risk: 'high' }, label: 'Phone' }
    expect(await auth.sessions.update(sid, change)).toMatchObject({ ...change, sid, sub: 'ada' })
    expect((await auth.verifyToken(pair.access_token)).scopes).toEqual(['read'])
    const refresh = await auth.verifyToken(pair.refresh_token, { type: 'refresh' })
    const next = await auth.sessions.refresh(refresh)
    const payload = await auth.verifyToken(next.access_token)
    expect([payload.scopes, payload.data]).toEqual([['write'], { tenant: 2 }])
    for (const token of [next.access_token, next.refresh_token])
      expect(JSON.stringify(auth.decodeUnverified(token))).not.toMatch(/risk|Phone/)
    await auth.sessions.update(sid, { label: null })
    expect(await auth.sessions.get(sid)).toMatchObject({ ...change, label: null })
  })

  it('holds through a step-up; rights of the application go before it', async () => {
    const { auth } = setUp()
    const pair = await auth.sessions.start('ada', { scopes: ['read'] })
    const payload = await auth.verifyToken(pair.access_token)
    await auth.sessions.update(payload.sid ?? '', { scopes: ['write'] })
    const stepped = await auth.sessions.stepUp(payload, async () => ({}))
    expect((await auth.verifyToken(stepped.access_token)).scopes).toEqual(['write'])
    const { auth: other } = setUp({}, { rights: () => ({ scopes: ['current'] }) })
    const mine = await other.sessions.start('ada')
    const refresh = await other.verifyToken(mine.refresh_token, { type: 'refresh' })
    await other.sessions.update(refresh.sid ?? '', { scopes: ['write'] })
    const next = await other.sessions.refresh(refresh)
    expect((await other.verifyToken(next.access_token)).scopes).toEqual(['current'])
  })

  it('changes no session that has ended, or of another realm', async () => {
    const store = memoryStore()
    const [one, other] = ['staff', 'customer'].map((realm) =>
      createAuth({ secret: SECRET, realm, sessions: { store } }),
    )
    const pair = await one?.sessions.start('ada')
    const { sid = '' } = (await one?.verifyToken(pair?.access_token ?? '')) ?? {}
    expect(await other?.sessions.update(sid, { label: 'mine' })).toBeNull()
    expect(await one?.sessions.update('nobody', { label: 'mine' })).toBeNull()
    expect((await one?.sessions.get(sid))?.label).toBeNull()
    await one?.sessions.end(sid)
    expect(await one?.sessions.update(sid, { label: 'mine' })).toBeNull()
  })

  it.each([
    [{ metadata: { text: 'é'.repeat(2050) } }, '`metadata` to have at most 4096 bytes as JSON, got 4111'],
    [{ metadata: [] }, '`metadata` to be an object of plain JSON'],
    [{ metadata: { at: new Date() } }, '`metadata` to be an object of plain JSON'],
    [{ metadata: null }, '`metadata`'],
    [{ label: '' }, '`label` to be a string of 1 to 100 characters'],
    [{ label: 'x'.repeat(101) }, '`label` to be a string of 1 to 100 characters'],
    [{ label: 7 }, '`label` to be a string of 1 to 100 characters'],
    [{ scopes: ['two words'] }, '`scopes`'],
    [{ scopes: null }, '`scopes`'],
    [{ data: { sub: 'eve' } }, '`sub` is reserved'],
    [{ data: { text: 'x'.repeat(3000) } }, 'browsers drop it beyond 4096'],
    [{ data: { text: 'x'.repeat(9000) } }, '`limits.tokenLength`'],
    [{ lable: 'x' }, 'lable'],
    [undefined, '`options` to be an object'],
  ])('refuses what no row or token can hold, and changes nothing: %#', async (change, message) => {
    const { auth } = setUp()
    const pair = await auth.sessions.start('ada', { label: 'Phone', data: { n: 1 } })
    const { sid = '' } = await auth.verifyToken(pair.access_token)
    const failure = await auth.sessions.update(sid, change as never).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(TypeError)
    expect((failure as Error).message).toContain(message)
    expect(await auth.sessions.get(sid)).toMatchObject({ label: 'Phone', data: { n: 1 }, metadata: {} })
    const refresh = await auth.verifyToken(pair.refresh_token, { type: 'refresh' })
    await expect(auth.sessions.refresh(refresh)).resolves.toBeDefined()
  })

  it('checks data by the schema', async () => {
    const auth = createAuth({
      secret: SECRET,
      claims: z.object({ tenant: z.number() }),
      sessions: { store: memoryStore() },
    })
    const pair = await auth.sessions.start('ada', { data: { tenant: 1 } })
    const { sid = '' } = await auth.verifyToken(pair.access_token)
    await expect(auth.sessions.update(sid, { data: { tenant: 'x' as never } })).rejects.toThrow(/tenant/)
    expect((await auth.sessions.update(sid, { scopes: ['a'] }))?.data).toEqual({ tenant: 1 })
  })

  it('starts no session with details that no row can hold', async () => {
    const { auth } = setUp()
    for (const details of [{ metadata: 'x' }, { label: '' }, { metadata: { a: 'x'.repeat(4096) } }])
      await expect(auth.sessions.start('ada', details as never)).rejects.toBeInstanceOf(TypeError)
    expect(await auth.sessions.list('ada')).toEqual([])
  })
})
