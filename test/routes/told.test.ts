/** That each moment of trouble is told: which event, with what in it. */
import { describe, expect, it } from 'vitest'
import { type AuthEvents, createAuth, type SessionOptions, type TokenPair } from '../../src/index.ts'
import { authRoutes } from '../../src/routes.ts'
import type { Store } from '../../src/session/store.ts'
import { memoryStore } from '../../src/stores/memory.ts'

const READONLY = Object.assign(new Error("READONLY You can't write against a read only replica."), {
  code: 'READONLY',
})
/** The steps that write. */
const WRITES = [
  'start',
  'startLimited',
  'rotate',
  'stepUp',
  'update',
  'countAttempt',
  'end',
  'endAll',
] as const

function setUp(limit: Pick<SessionOptions, 'max'> = {}) {
  const told: { event: string; [name: string]: unknown }[] = []
  const store: Store = memoryStore()
  const names = ['refused', 'unknown', 'started', 'reused', 'shadowed', 'ended', 'lost', 'storeDown'] as const
  let now = 1_700_000_000
  let rights: { scopes: string[] } | null = { scopes: [] }
  const auth = createAuth({
    secret: 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu',
    clock: () => now,
    sessions: { store, ...limit, rights: () => rights },
    on: Object.fromEntries(
      names.map((name) => [name, (event: object) => told.push({ event: name, ...event })]),
    ),
  })
  const handle = authRoutes(auth, {
    verifyCredentials: ({ username, password }) => (password === 'right' ? { subject: username } : null),
  })
  const send = (route: string, body: object, token?: string): Promise<Response> => {
    const [path, method = 'POST'] = route.split(' ').reverse()
    return handle(
      new Request(`http://localhost/auth/${path}`, {
        method,
        headers: {
          'content-type': 'application/json',
          'user-agent': 'curl/8',
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        },
        body: JSON.stringify(body),
      }),
      { address: '192.0.2.7' },
    )
  }
  const login = async (): Promise<TokenPair> => {
    const response = await send('login', { username: 'alice', password: 'right', delivery: 'body' })
    return (await response.json()) as TokenPair
  }
  return {
    auth,
    store,
    told,
    send,
    login,
    pass(seconds: number): void {
      now += seconds
    },
    withdraw(): void {
      rights = null
    },
    breakStore(): void {
      for (const step of WRITES) Object.assign(store, { [step]: () => Promise.reject(READONLY) })
    },
  }
}

const OUTAGE = {
  event: 'refused',
  code: 'store_unavailable',
  cause: READONLY,
  network: '192.0.2.7',
  userAgent: 'curl/8',
}

describe('a store that takes no writes', () => {
  it.each([
    ['login', { username: 'alice', password: 'right' }, { account: expect.any(String) }],
    ['refresh', {}, {}],
    ['verify-password', { password: 'right' }, { account: expect.any(String) }],
    ['logout', {}, {}],
    ['DELETE sessions', {}, {}],
  ])('is told of by a refused %s, with its cause', async (path, body, facts) => {
    const { send, login, told, breakStore } = setUp()
    const { access_token, refresh_token } = await login()
    breakStore()
    told.length = 0
    const isRefresh = path === 'refresh'
    const response = await send(
      path,
      isRefresh ? { refresh_token } : body,
      isRefresh ? undefined : access_token,
    )
    expect(response.status).toBe(503)
    expect(told).toMatchObject([{ ...OUTAGE, route: `/auth/${path.split(' ').at(-1)}`, ...facts }])
  })
})

describe('a refresh', () => {
  const refused = (code: string): object => ({ event: 'refused', code, route: '/auth/refresh' })

  it('of a session that has ended is refused', async () => {
    const { auth, send, login, told } = setUp()
    const { access_token, refresh_token } = await login()
    await auth.revoke(await auth.verifyToken(refresh_token, { type: 'refresh' }))
    told.length = 0
    await send('refresh', { refresh_token })
    expect(told).toMatchObject([refused('session_revoked')])
    expect(access_token).toBeTypeOf('string')
  })

  it('of one that the store has lost is refused, and unknown', async () => {
    const { send, login, told, store } = setUp()
    const { refresh_token } = await login()
    const { rotate, get } = memoryStore()
    Object.assign(store, { rotate, get, knows: () => false })
    told.length = 0
    await send('refresh', { refresh_token })
    expect(told).toMatchObject([{ event: 'unknown', sub: 'alice' }, refused('session_revoked')])
  })

  it('of one that has expired is refused', async () => {
    const { send, login, told, pass } = setUp()
    const { refresh_token } = await login()
    pass(21 * 86_400)
    told.length = 0
    await send('refresh', { refresh_token })
    expect(told).toMatchObject([refused('token_expired')])
  })
})

describe('the end of a session', () => {
  type Ended = Pick<AuthEvents['ended'], 'reason' | 'count'>
  const ends = (told: readonly object[]): object[] =>
    told.filter((one) => 'event' in one && one.event === 'ended')

  it.each<[string, Ended, (setting: ReturnType<typeof setUp>, pair: TokenPair) => Promise<unknown>]>([
    [
      'logout',
      { reason: 'ended', count: 1 },
      ({ send }, { access_token }) => send('logout', {}, access_token),
    ],
    ['endAll', { reason: 'ended', count: 1 }, ({ auth }) => auth.sessions.endAll('alice')],
    ['revokeSubject', { reason: 'subject_revoked', count: 1 }, ({ auth }) => auth.revokeSubject('alice')],
    ['a newer login', { reason: 'limit', count: 1 }, ({ login }) => login()],
    [
      'rights that are withdrawn',
      { reason: 'rights_withdrawn', count: 1 },
      ({ withdraw, send }, { refresh_token }) => {
        withdraw()
        return send('refresh', { refresh_token })
      },
    ],
  ])('by %s has its reason', async (_, ended, end) => {
    const setting = setUp({ max: { perSubject: 1 } })
    const pair = await setting.login()
    await end(setting, pair)
    expect(ends(setting.told)).toMatchObject([{ sub: 'alice', ...ended }])
  })
})
