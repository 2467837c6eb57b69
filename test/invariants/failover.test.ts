/**
 * S27: a failover to a replica that was behind loses what was acknowledged last. Every process that
 * knows of a revocation stores it again; what it cannot know, it tells.
 */
import { describe, expect, it } from 'vitest'
import type { Store } from '../../src/session/store.ts'
import { atOnce, onFinished } from '../at-once.ts'
import { connect } from '../processes/node/connect.ts'
import { HAS_REDIS, insist, waitFor } from '../stores/redis-server.ts'
import { createApplication, newUser } from './application.ts'
import { type Replicated, replicateMariadb, replicatePostgres, replicateRedis } from './replicas.ts'
import { HAS_OWN } from './servers.ts'
import { report } from './size.ts'

/** A store that moves to the replica when it is told to. */
function openBoth({ primary, replica }: Replicated) {
  const [first, second] = [connect(primary), connect(replica)]
  onFinished(async () => {
    await Promise.all(
      [first.close(), second.close()].map((each) => Promise.resolve(each).catch(() => undefined)),
    )
  })
  let current = first.store
  const store = new Proxy({ ...current }, { get: (_, name) => Reflect.get(current, name) }) as Store
  const move = (): void => {
    current = second.store
  }
  return { store, replica: second.store, move }
}

async function open(replicate: () => Promise<Replicated>) {
  const replicated = await replicate()
  onFinished(() => replicated.close())
  return { replicated, ...openBoth(replicated) }
}

/** Waits until something holds. Where a slow machine breaks a query off, it does not hold yet. */
const eventually = (holds: () => Promise<boolean>): Promise<void> =>
  waitFor(() => holds().catch(() => false), 20)

const LOSSY = [
  ['redis', HAS_REDIS, replicateRedis, 'kill'],
  ['redis, which hangs', HAS_REDIS, replicateRedis, 'hang'],
  ['postgres, asynchronous', HAS_OWN.postgres, () => replicatePostgres(false), 'kill'],
  ['postgres, asynchronous, which hangs', HAS_OWN.postgres, () => replicatePostgres(false), 'hang'],
  ['mysql, asynchronous', HAS_OWN.mysql, () => replicateMariadb(false), 'kill'],
  ['mysql, asynchronous, which hangs', HAS_OWN.mysql, () => replicateMariadb(false), 'hang'],
] as const

describe.concurrent.each(LOSSY)(
  'S27: %s that fails over to a replica that was behind',
  (name, isHere, replicate, how) => {
    it.skipIf(!isHere)(
      'has again what a living process knows, and tells of it',
      { timeout: 90_000 },
      atOnce(async () => {
        const { replicated, store, replica, move } = await open(replicate)
        const lost: { lost: number; restored: number }[] = []
        const unknown: unknown[] = []
        const on = {
          lost: (event: (typeof lost)[number]) => lost.push(event),
          unknown: (event: unknown) => unknown.push(event),
        }
        const ending = createApplication(store, { ownClock: false, on })
        const following = createApplication(store, { ownClock: false, on })
        await insist(() => Promise.all([ending.auth.ready(), following.auth.ready()]))
        const bob = newUser()
        const pairs = [await ending.login(), await ending.login(), await ending.login(bob)]
        const loose = await ending.auth.createAccessToken(bob)
        const sids = pairs.map(({ refresh_token }) => ending.sidOf(refresh_token))
        const single = await ending.auth.verifyToken(pairs[1]?.access_token ?? '')
        await eventually(async () => (await replica.get(sids[2] ?? '')) !== null)

        expect(await store.inspect()).toContainEqual(expect.stringContaining('asynchronously'))
        expect(await replica.inspect()).toContainEqual(expect.stringContaining('can be read'))
        await replicated.promote()
        const late = await ending.login()
        await ending.auth.sessions.end(sids[0] ?? '')
        await ending.auth.revoke(single)
        await ending.auth.revokeSubject(bob)
        await replicated[how]()
        move()
        const begun = performance.now()
        await eventually(async () => {
          const rows = await Promise.all([0, 2].map((index) => replica.get(sids[index] ?? '')))
          return rows.every((row) => row?.revokedAt !== null)
        })
        const healed = performance.now() - begun
        await waitFor(async () => lost.reduce((sum, { restored }) => sum + restored, 0) >= 4)
        report('S27', name, `restored after ${healed.toFixed(0)} ms, events ${JSON.stringify(lost)}`)

        // One that had not heard of them hears within the second that a feed has.
        await waitFor(async () => (await following.judge(loose, 'feed')) === 'token_revoked')
        const fresh = createApplication(store, { ownClock: false })
        for (const [who, app] of Object.entries({ fresh, following, ending })) {
          for (const judging of ['strict', 'feed'] as const) {
            const tokens = [pairs[0]?.access_token, pairs[1]?.access_token, pairs[2]?.access_token, loose]
            const codes = await Promise.all(tokens.map((token) => app.judge(token ?? '', judging)))
            expect(codes, `${who}, ${judging}`).toEqual(Array(4).fill('token_revoked'))
          }
          expect((await app.refresh(pairs[0]?.refresh_token ?? '')).code).toBe('session_revoked')
          // Only its access token was revoked.
          expect((await app.refresh(pairs[1]?.refresh_token ?? '')).code).toBe('ok')
        }
        // A login that only the old primary had is lost, and told.
        expect((await ending.refresh(late.refresh_token)).code).toBe('session_revoked')
        expect(unknown).toEqual([
          { sid: ending.sidOf(late.refresh_token), sub: ending.subOf(late.refresh_token) },
        ])
      }),
    )
  },
)

/** Settings with which a commit does not wait for the replica, what is said of them, and back. */
const UNSAFE = {
  postgres: {
    set: ['alter system set synchronous_commit = local', 'select pg_reload_conf()'],
    warning: 'synchronous_commit local',
    reset: ['alter system reset synchronous_commit', 'select pg_reload_conf()'],
  },
  mysql: {
    set: ['set global rpl_semi_sync_master_timeout = 10000'],
    warning: 'goes on without its replicas',
    reset: ['set global rpl_semi_sync_master_timeout = 3600000'],
  },
} as const

const CONFIRMING = [
  ['postgres', HAS_OWN.postgres, () => replicatePostgres(true), UNSAFE.postgres],
  ['mysql', HAS_OWN.mysql, () => replicateMariadb(true), UNSAFE.mysql],
] as const

describe.concurrent.each(CONFIRMING)(
  'S27: %s whose commits wait for the replica',
  (_, isHere, replicate, unsafe) => {
    it.skipIf(!isHere)(
      'acknowledges no revocation that a failover would lose',
      { timeout: 90_000 },
      atOnce(async () => {
        const { replicated, store, replica, move } = await open(replicate)
        expect(await store.inspect()).toEqual([])
        expect(await replica.inspect()).toContainEqual(expect.stringContaining('can be read'))
        for (const text of unsafe.set) await replicated.ask(text)
        await eventually(async () => (await store.inspect()).join().includes(unsafe.warning))
        for (const text of unsafe.reset) await replicated.ask(text)
        await eventually(async () => (await store.inspect()).length === 0)
        const app = createApplication(store, { ownClock: false })
        const [kept, other] = [await app.login(), await app.login()]
        await app.auth.sessions.end(app.sidOf(kept.refresh_token))
        await replicated.promote()
        await expect(app.auth.sessions.end(app.sidOf(other.refresh_token))).rejects.toMatchObject({
          code: 'store_unavailable',
        })
        await replicated.kill()
        move()
        expect((await replica.get(app.sidOf(kept.refresh_token)))?.revokedAt).not.toBeNull()
        const fresh = createApplication(store, { ownClock: false })
        expect(await fresh.judge(kept.access_token)).toBe('token_revoked')
      }),
    )
  },
)
