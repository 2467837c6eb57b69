/**
 * What must hold when a replica takes the place of its primary by itself, under sentinels and in a
 * cluster: with a primary that is killed, one that hangs, and one that is cut off and goes on
 * taking writes. All at the same time, each on servers of its own: they wait most of the time.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { TokenPair } from '../../src/index.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { atOnce, onFinished } from '../at-once.ts'
import { HAS_REDIS, insist, waitFor } from '../stores/redis-server.ts'
import { type Application, createApplication, newUser } from './application.ts'
import { type Crowd, type Seen, startCrowd } from './crowd.ts'
import type { ClientKind, Group } from './gate.ts'
import { report } from './size.ts'

/** For one test; milliseconds. */
const LIMIT = { timeout: 90_000 }

const KINDS: readonly ClientKind[] = ['ioredis', 'node-redis']

/**
 * Before a new primary is there, as with the usual settings: sentinels wait for 30 s, and a store
 * for 5 s.
 */
const DEADLINE = '1s'

/** After how long everything works again at the latest, on a slow machine; seconds. */
const HEALED_IN = 20

/** An application, what it was told, and its store. */
interface Site {
  readonly name: string
  readonly app: Application
  readonly lost: { lost: number; restored: number }[]
  readonly unknown: { sid: string | null }[]
}

/** Describes it for servers that are started so. */
export function describePromotions(name: string, start: () => Promise<Group>): void {
  describe.skipIf(!HAS_REDIS)(name, () => {
    async function open(): Promise<Group> {
      const group = await start()
      onFinished(() => group.close())
      return group
    }

    async function openSite(group: Group, kind: ClientKind, side: 'primary' | 'others'): Promise<Site> {
      const { client, close } = await group.connect(kind, side)
      onFinished(close)
      const [lost, unknown]: [Site['lost'], Site['unknown']] = [[], []]
      const on = {
        lost: (event: Site['lost'][number]) => lost.push(event),
        unknown: (event: Site['unknown'][number]) => unknown.push(event),
      }
      const app = createApplication(redisStore(client, { deadline: DEADLINE }), {
        ownClock: false,
        on,
        sessions: { overlap: 1 },
      })
      await insist(() => app.auth.ready())
      return { name: `${kind}, with the ${side}`, app, lost, unknown }
    }

    /**
     * What was acknowledged holds, as far as a process that has just started can tell; what does not
     * is told.
     */
    async function expectKept(group: Group, site: Site, crowd: Crowd, codes: Seen['codes']): Promise<string> {
      const { app, lost, unknown } = site
      // Each of these is a login that the replica had not received.
      expect(codes['session_revoked'] ?? 0, site.name).toBe(unknown.length)
      const others = Object.keys(codes).filter(
        (code) => !['ok', 'store_unavailable', 'session_revoked'].includes(code),
      )
      expect(others, site.name).toEqual([])
      const gone = new Set(unknown.map(({ sid }) => sid))
      const fresh = await openSite(group, 'ioredis', 'others')
      expect(crowd.signedOut().length).toBeGreaterThan(0)
      const isRevoked = async (token: string): Promise<boolean> =>
        (await fresh.app.judge(token)) === 'token_revoked'
      await waitFor(async () => (await Promise.all(crowd.signedOut().map(isRevoked))).every(Boolean))
      for (const token of crowd.signedIn())
        expect(await refreshInTime(app, token)).toBe(gone.has(app.sidOf(token)) ? 'session_revoked' : 'ok')
      expect(app.events['reused'] ?? 0).toBe(0)
      const restored = lost.reduce((sum, event) => sum + event.restored, 0)
      return `${gone.size} logins lost, ${restored} revocations stored again`
    }

    const FAILURES = [
      ['is killed', (group: Group) => group.primary.kill()],
      ['hangs', async (group: Group) => void process.kill(group.primary.pid, 'SIGSTOP')],
    ] as const
    it.concurrent.for(FAILURES)('S27: a primary that %s is left', LIMIT, ([what, how], context) =>
      atOnce(async () => {
        const group = await open()
        const sites = await Promise.all(KINDS.map((kind) => openSite(group, kind, 'others')))
        const crowds = await Promise.all(sites.map(({ app }) => startCrowd(app, 6)))
        onFinished(async () => void (await Promise.all(crowds.map((crowd) => crowd.stop()))))
        await Promise.all(crowds.map((crowd) => crowd.recovered()))
        const begun = performance.now()
        await how(group)
        await waitFor(() => group.hasMoved(), 30)
        const movedAt = performance.now()
        await Promise.all(crowds.map((crowd) => crowd.recovered(HEALED_IN)))
        for (const [i, site] of sites.entries()) {
          const crowd = crowds[i] ?? expect.fail()
          const { codes, failedAt } = await crowd.stop()
          const times = [movedAt, failedAt].map((at) => ((at - begun) / 1000).toFixed(1))
          const kept = await expectKept(group, site, crowd, codes)
          report(
            'S27',
            `${name}, ${site.name}`,
            `${what}: moved after ${times[0]} s, last failure after ${times[1]} s, ${JSON.stringify(codes)}, ${kept}`,
          )
        }
      })(context),
    )

    const cutOff = async (): Promise<void> => {
      const group = await open()
      const near = await Promise.all(KINDS.map((kind) => openSite(group, kind, 'primary')))
      const far = await Promise.all(KINDS.map((kind) => openSite(group, kind, 'others')))
      const cases = await Promise.all(near.map(prepare))
      group.cut()
      const begun = performance.now()
      // Those on its side do not notice at once, or not at all.
      const late = await Promise.all(near.map(({ app }) => app.login()))
      await Promise.all(near.map(({ app }, i) => cases[i]?.revoke(app)))
      await waitFor(() => group.hasMoved(), 30)
      const movedAt = performance.now()
      await waitFor(() => areOk(far.map(async ({ app }) => app.judge((await app.login()).access_token))), 20)
      const servedAt = performance.now()
      let alive: readonly string[] = []
      await waitFor(async () => {
        alive = (await Promise.all(cases.map(({ tokens }) => judgeAll(far[0], tokens)))).flat()
        return !alive.includes('store_unavailable')
      })
      group.heal()
      const healedAt = performance.now()
      const sites = [...near, ...far]
      await waitFor(() => areRevoked(sites, cases), 20)
      const restoredAt = performance.now()
      const fresh = await openSite(group, 'ioredis', 'others')
      expect(await areRevoked([fresh], cases)).toBe(true)
      // What only the old primary had is lost, and told, as soon as a client has left that.
      for (const [i, { app, unknown }] of near.entries()) {
        const token = late[i]?.refresh_token ?? ''
        const isGone = async (): Promise<boolean> => {
          await pause(100)
          const { code } = await app.refresh(token)
          expect(['ok', 'store_unavailable', 'session_revoked']).toContain(code)
          return code === 'session_revoked'
        }
        await waitFor(isGone, 20)
        expect(unknown.map(({ sid }) => sid)).toContain(app.sidOf(token))
      }
      const leftAt = performance.now()
      const restored = near.map(({ lost }) => lost.reduce((sum, event) => sum + event.restored, 0))
      const [moved, served, told, left] = [
        [begun, movedAt],
        [begun, servedAt],
        [healedAt, restoredAt],
        [healedAt, leftAt],
      ].map(([from = 0, to = 0]) => ((to - from) / 1000).toFixed(1))
      report(
        'S27',
        name,
        `cut off: moved after ${moved} s, served after ${served} s, ${alive.filter((code) => code === 'ok').length} alive again, all revoked ${told} s and the old primary left ${left} s after the way was open, ${restored.join(' and ')} stored again`,
      )
      expect(Math.max(...restored)).toBeGreaterThan(0)
    }
    it.concurrent(
      'S27: a primary that is cut off takes writes, and what is known of them is stored again',
      LIMIT,
      atOnce(cutOff),
    )
  })
}

/** Something to revoke: a session, an access token, a subject with a session and a loose token. */
interface Case {
  readonly tokens: readonly string[]
  revoke(app: Application): Promise<void>
}

async function prepare({ app }: Site): Promise<Case> {
  const bob = newUser()
  const login = (user?: string): Promise<TokenPair> => insist(() => app.login(user))
  const pairs = [await login(), await login(), await login(bob)]
  const loose = await app.auth.createAccessToken(bob)
  const single = await app.auth.verifyToken(pairs[1]?.access_token ?? '')
  await pause(100)
  return {
    tokens: [...pairs.map(({ access_token }) => access_token), loose],
    async revoke({ auth, sidOf }) {
      await auth.sessions.end(sidOf(pairs[0]?.refresh_token ?? ''))
      await auth.revoke(single)
      await auth.revokeSubject(bob)
    },
  }
}

/** Refreshes; what a slow machine breaks off is done again. */
async function refreshInTime(app: Application, token: string): Promise<string> {
  return insist(async () => {
    const { code } = await app.refresh(token)
    if (code === 'store_unavailable') throw new Error(code)
    return code
  })
}

async function judgeAll(site: Site | undefined, tokens: readonly string[]): Promise<string[]> {
  return Promise.all(tokens.map(async (token) => (await site?.app.judge(token)) ?? ''))
}

async function areOk(codes: readonly Promise<string>[]): Promise<boolean> {
  const results = await Promise.allSettled(codes)
  return results.every((result) => result.status === 'fulfilled' && result.value === 'ok')
}

async function areRevoked(sites: readonly Site[], cases: readonly Case[]): Promise<boolean> {
  const tokens = cases.flatMap((each) => each.tokens)
  const codes = await Promise.all(sites.map((site) => judgeAll(site, tokens)))
  return codes.flat().every((code) => code === 'token_revoked')
}
