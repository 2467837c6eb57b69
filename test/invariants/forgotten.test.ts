/**
 * S8's other half: a Redis without AOF that crashes forgets what was revoked since its snapshot. Processes that have heard of it do not,
 * as long as they remember.
 */
import { Redis } from 'ioredis'
import { describe, expect, it, onTestFinished } from 'vitest'
import { connect } from '../processes/node/connect.ts'
import { HAS_REDIS, startRedis, waitFor } from '../stores/redis-server.ts'
import { attempt, createApplication } from './application.ts'

describe.skipIf(!HAS_REDIS)('redis without AOF', () => {
  it('revives no session for a process that knows of its end', async () => {
    const server = await startRedis()
    onTestFinished(() => server.close())
    const { store, close } = connect({ kind: 'redis', port: server.port })
    onTestFinished(close)
    const ending = createApplication(store, { ownClock: false })
    const following = createApplication(store, { ownClock: false })
    await following.auth.ready()
    const { access_token, refresh_token } = await ending.login()
    const payloads = new Map(
      await Promise.all(
        [ending, following].map(async ({ auth }) => {
          const access = await auth.verifyToken(access_token)
          const refresh = await auth.verifyToken(refresh_token, { type: 'refresh' })
          return [auth, { access, refresh }] as const
        }),
      ),
    )
    const snapshot = new Redis(server.port)
    await snapshot.save()
    snapshot.disconnect()
    const sid = ending.sidOf(refresh_token)
    await ending.auth.sessions.end(sid)
    await waitFor(async () => (await following.judge(access_token, 'feed')) === 'token_revoked')

    await server.kill()
    await server.restart()
    await waitFor(async () => (await store.get(sid).catch(() => null)) !== null)
    for (const { auth, judge } of [ending, following]) {
      const { access, refresh } = payloads.get(auth) ?? expect.fail()
      const codes = [
        () => auth.sessions.refresh(refresh),
        () => auth.sessions.stepUp(access, async () => ({ amr: ['otp'] })),
        async () => void (await auth.verifyToken(refresh_token, { type: 'refresh' })),
      ].map(async (work) => (await attempt(work as () => Promise<undefined>)).code)
      expect(await Promise.all(codes)).toEqual(Array(3).fill('session_revoked'))
      for (const judging of ['feed', 'strict'] as const)
        expect(await judge(access_token, judging)).toBe('token_revoked')
    }
    expect((await store.get(sid))?.gen).toBe(0)
    // And they store it again, for those who never knew.
    await waitFor(async () => (await store.get(sid))?.revokedAt !== null)
    expect(await createApplication(store, { ownClock: false }).judge(access_token)).toBe('token_revoked')
  })
})
