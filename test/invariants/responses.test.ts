/**
 * S12, S17 and S19 on every store: a revocation that could not be stored is a failure, rights that are withdrawn take effect, and no
 * refusal takes a browser's cookies away.
 */
import { expect, it } from 'vitest'
import type { Rights } from '../../src/index.ts'
import type { Store } from '../../src/session/store.ts'
import { attempt, createApplication, newUser } from './application.ts'
import { openBrowser } from './browser.ts'
import { describeGrounds, GROUNDS } from './grounds.ts'
import { report } from './size.ts'

/** A store some of whose methods fail as long as they are named here. */
function createFailing(store: Store): { readonly store: Store; readonly failing: Set<string> } {
  const failing = new Set<string>()
  const get = (name: keyof Store): unknown =>
    failing.has(name) ? () => Promise.reject(new Error(`${name} fails`)) : store[name]
  // Not around the store itself: some are frozen.
  return { store: new Proxy({} as Store, { get: (_, name) => get(name as keyof Store) }), failing }
}

const RIGHT = { password: 'right' } as const

describeGrounds(GROUNDS, (ground, name) => {
  it('S12: a revocation that could not be stored is reported as failed, and takes no cookie', async () => {
    const { store, failing } = createFailing(ground().store)
    const app = createApplication(store)
    const username = newUser()
    const { access_token, refresh_token } = await app.login(username)
    const access = await app.auth.verifyToken(access_token)
    const refresh = await app.auth.verifyToken(refresh_token, { type: 'refresh', revocation: 'off' })
    const [browser, elsewhere] = [openBrowser(app.handle), openBrowser(app.handle)]
    await elsewhere.go('POST', '/auth/login', { username, ...RIGHT })
    await browser.go('POST', '/auth/login', { username, ...RIGHT })
    const jar = [...browser.jar]
    const listed = (await (await browser.go('GET', '/auth/sessions')).json()) as {
      sessions: { id: string; current: boolean }[]
    }
    const own = listed.sessions.find(({ current }) => current)?.id ?? ''
    for (const method of ['end', 'endAll', 'revokeToken']) failing.add(method)
    const { auth } = app
    const calls = [
      () => auth.revoke(access),
      () => auth.revoke(refresh),
      () => auth.revokeSubject(username),
      async () => void (await auth.sessions.end(app.sidOf(access_token))),
      async () => void (await auth.sessions.endAll(username)),
    ]
    for (const call of calls) {
      const { code } = await attempt(async () => void (await call()) as undefined)
      expect(code).toBe('store_unavailable')
    }
    for (const [method, path, body] of [
      ['POST', '/auth/logout', undefined],
      ['DELETE', `/auth/sessions/${own}`, undefined],
      ['DELETE', '/auth/sessions', undefined],
      ['POST', '/auth/login', { username, ...RIGHT }],
    ] as const) {
      const response = await browser.go(method, path, body)
      expect([response.status, response.headers.getSetCookie()], `${method} ${path}`).toEqual([503, []])
    }
    expect([...browser.jar]).toEqual(jar)
    // What was not revoked goes on, and the process does not believe otherwise.
    expect(await app.judge(access_token, 'feed')).toBe('ok')
    expect((await browser.go('POST', '/auth/refresh')).status).toBe(200)
    failing.clear()
    const response = await browser.go('POST', '/auth/logout')
    expect(response.status).toBe(204)
    expect(browser.jar.size).toBe(0)
    expect((await ground().store.get(own))?.revokedAt).not.toBeNull()
  })

  it('S17: rights that are withdrawn or fewer take effect at the next refresh, renewal and step-up', async () => {
    let rights: Rights | null | Error = { scopes: ['read', 'write'], data: { role: 'admin' } }
    const app = createApplication(ground().store, {
      sessions: {
        rights: async () => {
          if (rights instanceof Error) throw rights
          return rights
        },
      },
    })
    const { access_token, refresh_token } = await app.auth.sessions.start(newUser(), {
      fresh: true,
      scopes: ['read', 'write', 'delete'],
      data: { role: 'root' },
    })
    const about = (token = '') => {
      const { scopes, role } = app.auth.decodeUnverified(token).payload
      return { scopes, role }
    }
    expect(about(access_token)).toEqual({ scopes: ['read', 'write', 'delete'], role: 'root' })
    const first = await app.refresh(refresh_token)
    expect(about(first.pair?.access_token)).toEqual({ scopes: ['read', 'write'], role: 'admin' })
    rights = { scopes: ['read'] }
    // The same generation, answered again: the rights are those of now.
    expect(about((await app.refresh(refresh_token)).pair?.access_token)).toEqual({
      scopes: ['read'],
      role: undefined,
    })
    const up = await app.auth.sessions.stepUp(await app.auth.verifyToken(access_token), async () => ({}))
    expect(about(up.access_token).scopes).toEqual(['read'])
    rights = new Error('the users are out of reach')
    const gen = (await ground().store.get(app.sidOf(refresh_token)))?.gen
    expect((await app.refresh(refresh_token)).code).toBe('store_unavailable')
    expect((await ground().store.get(app.sidOf(refresh_token)))?.gen).toBe(gen)
    rights = null
    expect((await app.refresh(refresh_token)).code).toBe('session_revoked')
    const row = await ground().store.get(app.sidOf(refresh_token))
    expect(row?.revokeReason).toBe('rights_withdrawn')
    expect(await app.judge(up.access_token)).toBe('token_revoked')
    rights = { scopes: ['read'] }
    expect((await app.refresh(first.pair?.refresh_token ?? '')).code).toBe('session_revoked')
  })

  it('S19: no refusal takes a cookie away', async () => {
    const { store, failing } = createFailing(ground().store)
    const app = createApplication(store)
    const statuses: number[] = []
    const open = async (username = newUser()) => {
      const browser = openBrowser(app.handle)
      await browser.go('POST', '/auth/login', { username, ...RIGHT })
      return browser
    }
    const sidIn = (jar: ReadonlyMap<string, string>): string =>
      app.sidOf([...jar].find(([cookie]) => cookie.includes('refresh'))?.[1] ?? '')
    /** Everything that a browser can ask, where all of it is refused. */
    const refuse = async (browser: Awaited<ReturnType<typeof open>>, paths: readonly string[]) => {
      for (const asked of paths) {
        const [method = '', path = ''] = asked.split(' ')
        const body = method === 'POST' ? { password: 'wrong' } : undefined
        const before = [...browser.jar]
        const response = await browser.go(method, path, body)
        expect(response.status, asked).toBeGreaterThanOrEqual(400)
        expect(response.headers.getSetCookie(), asked).toEqual([])
        expect([...browser.jar]).toEqual(before)
        statuses.push(response.status)
      }
    }
    const doors = ['POST /auth/refresh', 'POST /auth/verify-password', 'DELETE /auth/sessions']
    const stolen = await open()
    const old = new Map(stolen.jar)
    await stolen.go('POST', '/auth/refresh')
    app.move(61)
    await stolen.go('POST', '/auth/refresh')
    const late = openBrowser(app.handle)
    for (const [cookie, value] of old) (late.jar as Map<string, string>).set(cookie, value)
    await refuse(late, ['POST /auth/refresh'])
    await refuse(stolen, doors)

    const ended = await open()
    await app.auth.sessions.end(sidIn(ended.jar))
    await refuse(ended, [...doors, 'GET /auth/sessions', 'DELETE /auth/sessions/unknown'])

    const expired = await open()
    app.move(21 * 86_400)
    await refuse(expired, [...doors, 'GET /auth/sessions'])

    const wrong = await open()
    await refuse(wrong, ['POST /auth/verify-password', 'DELETE /auth/sessions/unknown', 'POST /auth/login'])
    for (const cookie of wrong.jar.keys()) (wrong.jar as Map<string, string>).set(cookie, 'nonsense')
    await refuse(wrong, doors)

    const forgetful = await open()
    for (const cookie of forgetful.jar.keys())
      if (cookie.includes('csrf')) (forgetful.jar as Map<string, string>).delete(cookie)
    await refuse(forgetful, doors)

    const unlucky = await open()
    const steps = ['rotate', 'isRevoked', 'get', 'countAttempt', 'countTogether', 'end']
    for (const method of steps) failing.add(method)
    await refuse(unlucky, [...doors, 'POST /auth/logout'])
    failing.clear()

    // Ending somebody else's, or another of one's own, takes none either; only one's own current one does.
    const [here, there] = await (async () => {
      const username = newUser()
      return [await open(username), await open(username)] as const
    })()
    const others = await here.go('DELETE', `/auth/sessions/${sidIn(there.jar)}`)
    expect([others.status, others.headers.getSetCookie()]).toEqual([204, []])
    await refuse(there, ['POST /auth/refresh'])
    await here.go('DELETE', `/auth/sessions/${sidIn(here.jar)}`)
    expect(here.jar.size).toBe(0)
    report(
      'S19',
      name,
      `${statuses.length} refusals (${[...new Set(statuses)].sort().join(', ')}), no cookie taken`,
    )
  })
})
