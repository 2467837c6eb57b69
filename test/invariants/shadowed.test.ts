/**
 * S22 on every store, over the routes: a thief who watches the list of sessions, to send the token
 * that his victim has just replaced. He asks as often as he likes, and keeps the access token that
 * lives longest, to see the list when the victim refreshes. Where he has seen nothing, he refreshes
 * before his access token ends.
 */
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createRandom } from '../../packages/refresh-races/src/random.ts'
import type { Duration, TokenPair } from '../../src/index.ts'
import { type Application, createApplication } from './application.ts'
import { describeGrounds, GROUNDS } from './grounds.ts'
import { report } from './size.ts'

/** How often he looks at the list, in seconds. */
const POLL = 1

/** So many generations are a day of access tokens of 15 minutes. */
const MOST_GENERATIONS = 96

/** How often he asks again for an access token that lives longer. */
const ASKED_AGAIN = 10

interface Holder {
  refreshToken: string
  accessToken: string
  /** When its access token ends. */
  until: number
  isRefused: boolean
}

async function openHolder(app: Application, { access_token, refresh_token }: TokenPair): Promise<Holder> {
  const { exp } = await app.auth.verifyToken(access_token)
  return { refreshToken: refresh_token, accessToken: access_token, until: exp, isRefused: false }
}

/** Refreshes; `times` requests, of whose access tokens the one that lives longest is kept. */
async function refresh(app: Application, holder: Holder, times = 1): Promise<void> {
  for (let i = 0; i < times; i++) {
    const { pair, code } = await app.refresh(holder.refreshToken)
    if (pair === null) {
      expect(['refresh_reused', 'session_revoked']).toContain(code)
      holder.isRefused = true
      return
    }
    const until = Number(app.auth.decodeUnverified(pair.access_token).payload['exp'])
    if (i === 0 || until > holder.until) Object.assign(holder, { until, accessToken: pair.access_token })
    holder.refreshToken = pair.refresh_token
  }
}

/** What the list says of the use of the holder's own session. */
async function look(app: Application, { accessToken }: Holder): Promise<string> {
  const headers = { Authorization: `Bearer ${accessToken}` }
  const response = await app.handle(new Request('https://app.test/auth/sessions', { headers }))
  const { sessions = [] } = (await response.json()) as { sessions?: Record<string, unknown>[] }
  const own = sessions.find(({ current }) => current)
  return JSON.stringify([own?.['last_used_at'], own?.['expires_at']])
}

// The jitter of access tokens: the same in each run.
beforeEach(() => {
  vi.spyOn(Math, 'random').mockImplementation(createRandom(3))
})
afterEach(() => {
  vi.restoreAllMocks()
})

describeGrounds(GROUNDS, (ground, name) => {
  const settings: readonly { readonly expiresIn: Duration; readonly idle: Duration }[] = [
    { expiresIn: '15m', idle: '20d' },
    // The list must not show the end of the idle time at other moments than the last use.
    { expiresIn: '15m', idle: '90m' },
    // Where generations are longer than the list is coarse, each would show.
    { expiresIn: '2h', idle: '20d' },
  ]
  for (const { expiresIn, idle } of settings) {
    it(`S22: ends the session that a watcher of its list shares, access ${expiresIn}, idle ${idle}`, async () => {
      const random = createRandom(5)
      const app = createApplication(ground().store, { access: { expiresIn }, sessions: { idle } })
      const login = await app.login()
      const victim = await openHolder(app, login)
      app.move(victim.until - app.now())
      await refresh(app, victim)
      const thief = { ...victim }
      let seen = await look(app, thief)
      let generations = 0
      let signals = 0
      while (!victim.isRefused && !thief.isRefused && generations < 2 * MOST_GENERATIONS) {
        const isFirst = thief.until - POLL < victim.until
        app.move((isFirst ? thief.until - POLL : victim.until) - app.now())
        if (!isFirst) {
          generations += 1
          await refresh(app, victim)
          app.move(POLL * random())
        }
        const isSeen = !isFirst && thief.until > app.now() && (await look(app, thief)) !== seen
        if (isSeen) signals += 1
        if (isFirst || isSeen) await refresh(app, thief, ASKED_AGAIN)
        if (thief.until > app.now()) seen = await look(app, thief)
      }
      report('S22', name, `told after ${generations} generations, ${signals} of them seen`)
      expect(app.events).toMatchObject({ shadowed: 1 })
      expect(generations).toBeLessThanOrEqual(MOST_GENERATIONS)
      await refresh(app, victim)
      await refresh(app, thief)
      expect([victim.isRefused, thief.isRefused]).toEqual([true, true])
    })
  }
})
