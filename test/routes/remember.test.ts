/**
 * Remember me: a login with `remember: false` has cookies that end with the browser, and lives of
 * its own, for as long as the session lasts: through refreshes, a step-up, a restart with other
 * options and a renewal.
 */
import { describe, expect, it } from 'vitest'
import { mergeCookies } from '../../src/adapters/page-refresh.ts'
import { toCookieList } from '../../src/http/cookie-list.ts'
import { type AuthOptions, createAuth } from '../../src/index.ts'
import { authRoutes } from '../../src/routes.ts'
import type { BriefOptions } from '../../src/session/session-lives.ts'
import { memoryStore } from '../../src/stores/memory.ts'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'
const HOUR = 3600
const START = 1_700_000_000

/** A browser and its server, whose clock the test moves. */
function setUp() {
  let now = START
  const clock = () => now
  const store = memoryStore({ clock })
  const jar = new Map<string, string>()
  let lines: readonly string[] = []
  /** A process of the server. */
  const open = (brief: BriefOptions = { idle: '2h', absolute: '8h' }) => {
    const auth = createAuth({
      secret: SECRET,
      clock,
      locations: ['cookie'],
      csrf: false,
      sessions: { store, brief },
    })
    const handle = authRoutes(auth, {
      verifyCredentials: ({ username, remember }) => ({ subject: username, remember: remember as boolean }),
      throttle: false,
    })
    const send = async (path: string, body: object = {}) => {
      const cookie = [...jar].map((pair) => pair.join('=')).join('; ')
      const response = await handle(
        new Request(`http://localhost/auth/${path}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', cookie },
          body: JSON.stringify(body),
        }),
      )
      lines = response.headers.getSetCookie()
      for (const { name, value } of toCookieList(lines)) jar.set(name, value)
      return response
    }
    return { auth, send }
  }
  return {
    ...open(),
    reopen: open,
    lines: () => lines,
    /** Whether each cookie that was set last outlives the browser. */
    kept: () => lines.map((line) => line.includes('Max-Age=')),
    pass: (seconds: number) => {
      now += seconds
    },
    row: async (auth: ReturnType<typeof createAuth>) => (await auth.sessions.list('ada'))[0],
  }
}

const login = (remember?: unknown) => ({ username: 'ada', password: 'right', remember })

describe('a login with remember: false', () => {
  it('sets cookies that end with the browser, and ends by the lives of sessions.brief', async () => {
    const { auth, send, kept, row, pass } = setUp()
    expect((await send('login', login(false))).status).toBe(200)
    expect(kept()).toEqual([false, false])
    expect(await row(auth)).toMatchObject({ brief: true, idleFor: 2 * HOUR })
    expect((await row(auth))?.absoluteExpiresAt).toBe(START + 8 * HOUR)
    pass(2 * HOUR)
    expect((await send('refresh')).status).toBe(401)
  })

  it('stays so through every refresh, a repeated one, and a step-up', async () => {
    const { send, kept, pass } = setUp()
    await send('login', login(false))
    for (let step = 0; step < 3; step++) {
      pass(HOUR)
      // The second keeps the refresh token: only the access token has a cookie.
      for (const count of [2, 1]) {
        expect((await send('refresh')).status).toBe(200)
        expect(kept()).toEqual(Array(count).fill(false))
      }
    }
    expect((await send('step-up', { password: 'right' })).status).toBe(200)
    expect(kept()).toEqual([false, false])
  })

  it('stays so after a restart with other options, until its absolute end', async () => {
    const { send, kept, pass, row, reopen } = setUp()
    await send('login', login(false))
    const { auth, send: sendAgain } = reopen({ idle: '30m', absolute: '1h' })
    for (let hour = 1; hour < 8; hour++) {
      pass(HOUR)
      expect((await sendAgain('refresh')).status).toBe(200)
      expect(kept()).toEqual([false, false])
    }
    expect(await row(auth)).toMatchObject({ brief: true, idleFor: 2 * HOUR })
    pass(HOUR)
    expect((await sendAgain('refresh')).status).toBe(401)
  })

  it.each([[true], [undefined]])('is remembered with %s', async (remember) => {
    const { auth, send, lines, row } = setUp()
    await send('login', login(remember))
    expect(lines().map((line) => /Max-Age=(\d+)/.exec(line)?.[1])).toEqual(['900', String(20 * 24 * HOUR)])
    expect(await row(auth)).toMatchObject({ brief: false, idleFor: null })
  })

  it('is refused with a text, as a form sends it', async () => {
    const { auth, send } = setUp()
    for (const value of ['on', 'false', 0, null]) {
      const response = await send('login', login(value))
      expect(response.status).toBe(500)
      expect(await response.json()).toMatchObject({ code: 'configuration_invalid' })
    }
    expect(await auth.sessions.list('ada')).toEqual([])
  })

  it('gives a CSRF cookie that ends with the browser, too, and one for the next access token', async () => {
    const now = START
    const auth = createAuth({
      secret: SECRET,
      clock: () => now,
      locations: ['cookie'],
      sessions: { store: memoryStore({ clock: () => now }) },
    })
    const pair = await auth.sessions.start('ada', { remember: false })
    expect(auth.cookies(pair).filter((line) => line.includes('Max-Age'))).toEqual([])
    expect(auth.cookies({ access_token: pair.access_token }).join()).not.toContain('Max-Age')
    expect(auth.cookies(pair)).toHaveLength(3)
    expect(auth.cookieList(pair).every(({ options }) => !('maxAge' in options))).toBe(true)
    const usual = await auth.sessions.start('ada')
    expect(auth.cookies(usual).every((line) => /Max-Age=[1-9]/.test(line))).toBe(true)
    // A page that is refreshed while it is rendered sends them on.
    expect(mergeCookies('a=1', auth.cookieList(pair)).split('; ')).toHaveLength(4)
  })

  it('holds for the access token that a renewal makes', async () => {
    let now = START
    const auth = createAuth({
      secret: SECRET,
      clock: () => now,
      locations: ['cookie'],
      csrf: false,
      sessions: { store: memoryStore({ clock: () => now }) },
    })
    const pair = await auth.sessions.start('ada', { fresh: true, remember: false })
    now += 800
    const set: string[] = []
    await auth.authenticate(
      {
        method: 'GET',
        url: '/',
        header: (name) => (name === 'cookie' ? `__Host-access_token=${pair.access_token}` : undefined),
        setCookies: (lines) => set.push(...lines),
      },
      { renew: true },
    )
    expect(set).toHaveLength(1)
    expect(set[0]).not.toContain('Max-Age')
  })

  it('has such cookies without a store as well, through its step-up', async () => {
    const auth = createAuth({ secret: SECRET, locations: ['cookie'], csrf: false })
    const pair = await auth.createTokenPair('ada', { fresh: true, remember: false })
    expect(auth.cookies(pair).join()).not.toContain('Max-Age')
    const payload = await auth.verifyToken(pair.refresh_token, { type: 'refresh' })
    expect(payload.remember).toBe(false)
    expect(auth.cookies(await auth.createTokenPair(payload)).join()).not.toContain('Max-Age')
    expect(auth.cookies(await auth.createTokenPair(payload, { remember: true })).join()).toContain('Max-Age')
    await expect(auth.createTokenPair('ada', { remember: 'no' as never })).rejects.toThrow(
      /`remember` to be true or false/,
    )
  })
})

describe('the lives of one login', () => {
  const open = (sessions: object = {}, options: AuthOptions = {}) => {
    let now = START
    const auth = createAuth({
      secret: SECRET,
      clock: () => now,
      sessions: { store: memoryStore({ clock: () => now }), ...sessions },
      ...options,
    })
    return { auth, pass: (seconds: number) => (now += seconds) }
  }
  const ends = async (auth: ReturnType<typeof createAuth>, token: string) => {
    const { sid = '' } = await auth.verifyToken(token)
    const row = await auth.sessions.get(sid)
    return [row?.idleFor, (row?.absoluteExpiresAt ?? 0) - START]
  }

  it.each([
    [{ idle: '1h' }, [HOUR, 90 * 24 * HOUR]],
    [{ absolute: '1d' }, [null, 24 * HOUR]],
    [{ idle: '1h', absolute: { hours: 3 } }, [HOUR, 3 * HOUR]],
    [{ remember: false }, [12 * HOUR, 24 * HOUR]],
    [{ remember: false, idle: '1h' }, [HOUR, 24 * HOUR]],
    [{ remember: false, absolute: '3h' }, [3 * HOUR, 3 * HOUR]],
  ] as const)('are those that it says: %j', async (options, wanted) => {
    const { auth } = open()
    const { access_token } = await auth.sessions.start('ada', options)
    expect(await ends(auth, access_token)).toEqual(wanted)
  })

  it('hold: an idle session ends by its own', async () => {
    const { auth, pass } = open()
    const pair = await auth.sessions.start('ada', { idle: '1h' })
    pass(HOUR - 1)
    const payload = await auth.verifyToken(pair.refresh_token, { type: 'refresh' })
    const next = await auth.sessions.refresh(payload)
    pass(HOUR)
    await expect(auth.verifyToken(next.refresh_token, { type: 'refresh' })).rejects.toMatchObject({
      code: 'session_expired',
    })
  })

  it.each([
    [{ idle: '21d' }, '`idle` of a login to be at most `sessions.idle`, 1728000 s, got 1814400 s'],
    [{ absolute: '91d' }, '`absolute` of a login to be at most `sessions.absolute`'],
    [{ remember: false, idle: '13h' }, '`idle` of a login to be at most `sessions.brief.idle`, 43200 s'],
    [{ remember: false, absolute: '25h' }, 'at most `sessions.brief.absolute`'],
    [{ idle: '2h', absolute: '1h' }, '`idle` of a login to be no longer than its `absolute`'],
    [{ idle: '239s' }, 'at least 240 s, eight times `sessions.overlap`'],
    [{ idle: '3600' }, '`idle` to be a duration'],
  ] as const)(
    'beyond the rules are a configuration error, and start nothing: %j',
    async (options, message) => {
      const { auth } = open()
      const failure = await auth.sessions.start('ada', options as never).catch((error: unknown) => error)
      expect(failure).toMatchObject({ name: 'ConfigurationError' })
      expect((failure as Error).message).toContain(message)
      expect(await auth.sessions.list('ada')).toEqual([])
    },
  )

  it('of brief sessions are within those of all', () => {
    for (const [brief, message] of [
      [{ idle: '21d' }, '`sessions.brief.idle`'],
      [{ absolute: '91d' }, '`sessions.brief.absolute`'],
      [{ idle: '2d' }, '`sessions.brief.absolute` to be no shorter than `sessions.brief.idle`'],
      [{ idel: '1h' }, 'sessions.brief.idel'],
      ['1h', '`sessions.brief`'],
    ] as const)
      expect(() => open({ brief })).toThrow(message)
  })

  it('of brief sessions are by default no longer than those of all', async () => {
    const { auth } = open({ idle: '1h', absolute: '5h' })
    const { access_token } = await auth.sessions.start('ada', { remember: false })
    expect(await ends(auth, access_token)).toEqual([HOUR, 5 * HOUR])
  })
})
