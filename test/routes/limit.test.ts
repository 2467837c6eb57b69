/** How many sessions a subject may have, as logins and listeners see it. */
import { describe, expect, it } from 'vitest'
import { createAuth } from '../../src/index.ts'
import { authRoutes } from '../../src/routes.ts'
import type { MaxOptions } from '../../src/session/session-limit.ts'
import { memoryStore } from '../../src/stores/memory.ts'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'

function setUp(max: MaxOptions, realm?: string, store = memoryStore()) {
  const events: string[] = []
  const auth = createAuth({
    secret: SECRET,
    locations: ['header', 'cookie'],
    csrf: false,
    ...(realm !== undefined && { realm }),
    sessions: { store, max },
    on: {
      started: ({ sid }) => void events.push(`started ${sid}`),
      ended: ({ sid }) => void events.push(`ended ${sid}`),
    },
  })
  const handle = authRoutes(auth, {
    verifyCredentials: ({ username }) => ({ subject: username }),
    throttle: false,
  })
  const login = async (cookie = '') => {
    const response = await handle(
      new Request('http://localhost/auth/login', {
        method: 'POST',
        headers: { 'content-type': 'application/json', cookie },
        body: JSON.stringify({ username: 'ada', password: 'right' }),
      }),
    )
    const cookies = response.headers.getSetCookie().map((line) => line.split(';')[0] ?? '')
    return { response, cookie: cookies.join('; ') }
  }
  const start = async (subject = 'ada') => {
    const pair = await auth.sessions.start(subject)
    return { ...pair, ...(await auth.verifyToken(pair.access_token)) }
  }
  return { auth, events, login, start, store }
}

describe('a subject with as many sessions as are allowed', () => {
  it('loses the oldest at the next login: its tokens are refused at once, and listeners are told', async () => {
    const { auth, events, start } = setUp({ perSubject: 2 })
    const [first, second, third] = [await start(), await start(), await start()]
    await expect(auth.verifyToken(first.access_token)).rejects.toMatchObject({ code: 'token_revoked' })
    await expect(auth.verifyToken(second.access_token)).resolves.toBeDefined()
    const refresh = await auth
      .verifyToken(first.refresh_token, { type: 'refresh', revocation: 'off' })
      .then((payload) => auth.sessions.refresh(payload))
      .catch((error: unknown) => error)
    expect(refresh).toMatchObject({ code: 'session_revoked' })
    expect((await auth.sessions.get(first.sid ?? ''))?.revokeReason).toBe('limit')
    expect(events.slice(2)).toEqual([`ended ${first.sid}`, `started ${third.sid}`])
    await start('bob')
    expect(await auth.sessions.list('ada')).toHaveLength(2)
  })

  it('gets no other one where that is refused: 409 with a code of its own', async () => {
    const { auth, login, start } = setUp({ perSubject: 2, whenFull: 'refuse' })
    const first = await start()
    await login()
    const { response, cookie } = await login()
    expect(response.status).toBe(409)
    expect(await response.json()).toMatchObject({
      code: 'session_limit_reached',
      error_type: 'SessionLimitError',
    })
    expect(cookie).toBe('')
    await expect(start()).rejects.toMatchObject({ code: 'session_limit_reached', status: 409 })
    expect(await auth.sessions.list('ada')).toHaveLength(2)
    await auth.sessions.end(first.sid ?? '')
    expect((await login()).response.status).toBe(200)
  })

  it('logs in again with the browser that has one: the earlier one ends first', async () => {
    const { auth, login } = setUp({ perSubject: 1, whenFull: 'refuse' })
    const { cookie } = await login()
    expect((await login()).response.status).toBe(409)
    expect((await login(cookie)).response.status).toBe(200)
    expect(await auth.sessions.list('ada')).toHaveLength(1)
  })

  it('has as many in another realm', async () => {
    const store = memoryStore()
    const staff = setUp({ perSubject: 1, whenFull: 'refuse' }, 'staff', store)
    const customer = setUp({ perSubject: 1, whenFull: 'refuse' }, 'customer', store)
    await staff.start()
    await expect(customer.start()).resolves.toBeDefined()
    await expect(staff.start()).rejects.toMatchObject({ code: 'session_limit_reached' })
  })
})

describe('the option sessions.max', () => {
  it.each([
    [{}, '`sessions.max.perSubject`'],
    [{ perSubject: 0 }, '`sessions.max.perSubject`'],
    [{ perSubject: 1001 }, '`sessions.max.perSubject`'],
    [{ perSubject: 1.5 }, '`sessions.max.perSubject`'],
    [{ perSubject: '5' }, '`sessions.max.perSubject`'],
    [{ perSubject: 5, whenFull: 'end-newest' }, '`sessions.max.whenFull`'],
    [{ perSubject: 5, whenfull: 'refuse' }, 'sessions.max.whenfull'],
    [5, '`sessions.max`'],
    [null, '`sessions.max`'],
  ])('is refused where it is wrong: %j', (max, message) => {
    expect(() => setUp(max as never)).toThrow(message)
  })

  it('is refused as undefined, which would be no limit', () => {
    expect(() => setUp(undefined as never)).toThrow('`sessions.max` to have a value')
  })
})
