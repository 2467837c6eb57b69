/**
 * S25: a flood of refreshes on a slow store. Timers are faked, so that seconds of flood take no
 * seconds. Each call of the store takes 50 ms; with a pool, ten are carried out at a time.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createAuth, isAuthError } from '../../src/index.ts'
import type { Store } from '../../src/session/store.ts'
import { memoryStore } from '../../src/stores/memory.ts'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'
const CLIENTS = 600
const VISITORS = 6
const LATENCY = 50

beforeEach(() => {
  vi.useFakeTimers({ now: 1_700_000_000_000 })
})
afterEach(() => {
  vi.useRealTimers()
})

/** A memory store whose calls wait for one of `connections`, first come, first served. */
function slowStore(connections: number) {
  const memory = memoryStore()
  const line: (() => void)[] = []
  let free = connections
  let isSlow = false
  const take = async (): Promise<void> => {
    if (free > 0) free--
    else await new Promise<void>((resolve) => line.push(resolve))
    await new Promise((resolve) => setTimeout(resolve, LATENCY))
    const next = line.shift()
    if (next === undefined) free++
    else next()
  }
  const store = new Proxy(memory, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      // `knows` looks into this process's memory: it is no call.
      if (typeof value !== 'function' || name === 'knows') return value
      return async (...args: unknown[]) => {
        if (isSlow) await take()
        return value.apply(target, args)
      }
    },
  }) as Store
  return { store, slowDown: () => (isSlow = true) }
}

async function setUp(connections: number) {
  const { store, slowDown } = slowStore(connections)
  const auth = createAuth({ secret: SECRET, sessions: { store }, revocation: { maxStale: '1s' } })
  await auth.ready()
  const startAll = (count: number, name: string) =>
    Promise.all(Array.from({ length: count }, (_, index) => auth.sessions.start(`${name}-${index}`)))
  const pairs = await startAll(CLIENTS, 'client')
  const visitors = await startAll(VISITORS, 'visitor')
  slowDown()
  return { auth, pairs, visitors }
}

describe('S25: 600 clients that refresh without a pause', () => {
  it.each([
    ['a store that is slow', Number.POSITIVE_INFINITY],
    ['a slow store behind ten connections', 10],
  ])('stop no protected route and no logout: %s', async (_, connections) => {
    const { auth, pairs, visitors } = await setUp(connections)
    const counts = { refreshed: 0, unavailable: 0, let: 0 }
    const refused: unknown[] = []
    let isOver = false

    const flood = pairs.map(async ({ refresh_token }) => {
      const payload = await auth.verifyToken(refresh_token, { type: 'refresh', revocation: 'off' })
      while (!isOver) {
        try {
          await auth.sessions.refresh(payload)
          counts.refreshed++
        } catch (error) {
          if (!isAuthError(error) || error.code !== 'store_unavailable') throw error
          counts.unavailable++
        }
      }
    })
    const last = pairs.at(-1)?.access_token ?? ''
    const reader = (async () => {
      while (!isOver) {
        await auth.verifyToken(last).then(
          () => counts.let++,
          (error: unknown) => refused.push(error),
        )
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    })()
    let ended = 0
    const logouts = (async () => {
      for (const { access_token } of visitors) {
        await new Promise((resolve) => setTimeout(resolve, 250))
        const { sub, sid = '' } = await auth.verifyToken(access_token)
        if (await auth.sessions.end(sid)) ended++
        await auth.revokeSubject(sub)
        await expect(auth.verifyToken(access_token)).rejects.toMatchObject({ code: 'token_revoked' })
      }
    })().finally(() => {
      isOver = true
    })
    for (let waited = 0; !isOver && waited < 60; waited++) await vi.advanceTimersByTimeAsync(500)
    await vi.advanceTimersByTimeAsync(5000)
    await Promise.all([...flood, reader, logouts])
    await auth.close()

    expect(refused).toEqual([])
    expect(ended).toBe(visitors.length)
    expect(counts.let).toBeGreaterThan(50)
    expect(counts.refreshed).toBeGreaterThan(200)
  })
})
