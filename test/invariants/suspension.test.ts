/**
 * S13 and S14 in one process that is held up: what it knew is old when it goes on, and the first request must not be judged by it. A
 * process that is held up while the store is out of reach goes by what it knows, as it did before.
 */
import { afterEach, expect, it, vi } from 'vitest'
import { memoryStore } from '../../src/stores/memory.ts'
import { createApplication } from './application.ts'
import { shiftClock } from './moved-clocks.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

/** Holds this process up: no timer, no answer. */
function block(seconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, seconds * 1000)
}

/** An application that has caught up, over a store whose log may hang or fail. */
async function openFollower() {
  const real = memoryStore()
  let answers: 'at once' | 'never' | 'by failing' = 'at once'
  const calls: string[] = []
  const store = {
    ...real,
    readLog: (...args: Parameters<typeof real.readLog>) => {
      calls.push('readLog')
      if (answers === 'never') return new Promise<never>(() => undefined)
      return answers === 'by failing' ? Promise.reject(new Error('no log')) : real.readLog(...args)
    },
    isRevoked: (...args: Parameters<typeof real.isRevoked>) => {
      calls.push('isRevoked')
      return real.isRevoked(...args)
    },
  }
  const app = createApplication(store)
  const { access_token } = await app.login()
  await app.auth.ready()
  expect(await app.judge(access_token, 'feed')).toBe('ok')
  expect(calls).not.toContain('isRevoked')
  return {
    judge: () => app.judge(access_token, 'feed'),
    endElsewhere: () => real.end(app.sidOf(access_token), 'ended', { logTtl: 900, now: null }),
    calls,
    /** Waits for the next reading to begin, with answers of another kind. */
    async read(how: typeof answers): Promise<void> {
      answers = how
      const before = calls.length
      await vi.waitUntil(() => calls.length > before, { timeout: 10_000, interval: 5 })
    },
  }
}

it.each([
  ['between two readings', 'at once', 0.6, false],
  // The timers go first: the deadline of the reading is over, though the store could not be heard.
  ['during a reading, which has run out of time', 'never', 2.1, true],
  ['for so long that nothing counts any more', 'by failing', 5.1, false],
] as const)('goes by the store after it was held up %s', async (_, how, seconds, timersFirst) => {
  const follower = await openFollower()
  await follower.read(how)
  await new Promise((resolve) => setImmediate(resolve))
  await follower.endElsewhere()
  block(seconds)
  if (timersFirst) await new Promise((resolve) => setTimeout(resolve, 1))
  expect(await follower.judge()).toBe('token_revoked')
  expect(follower.calls.at(-1)).toBe('isRevoked')
})

it.each([0.6, 600])(
  'goes by the store after the machine slept for %d s, by one clock only (S23)',
  async (seconds) => {
    const follower = await openFollower()
    await follower.read('at once')
    await new Promise((resolve) => setImmediate(resolve))
    await follower.endElsewhere()
    shiftClock('system', seconds)
    expect(await follower.judge()).toBe('token_revoked')
    expect(follower.calls.at(-1)).toBe('isRevoked')
  },
)

it('goes by what it knows after it was held up where the log was lost before', async () => {
  const follower = await openFollower()
  await follower.read('by failing')
  await new Promise((resolve) => setImmediate(resolve))
  block(0.6)
  expect(await follower.judge()).toBe('ok')
  expect(follower.calls).not.toContain('isRevoked')
})
