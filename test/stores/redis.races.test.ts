/** Steps that race on a real server: each race is run many times over several connections. */
import { Redis } from 'ioredis'
import { createClientPool } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Store } from '../../src/session/store.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { HAS_REDIS, type RedisServer, startRedis, tally, toCall, toDraft, together } from './redis-server.ts'

const ALL = { logTtl: 900, except: null, cutOff: 900, now: null } as const

describe.skipIf(!HAS_REDIS)('races', () => {
  let server: RedisServer
  let stores: readonly Store[]
  const clients: Redis[] = []
  let pool: Awaited<ReturnType<typeof openPool>>

  async function openPool() {
    const opened = createClientPool({ url: `redis://127.0.0.1:${server.port}` }, { minimum: 5, maximum: 10 })
    await opened.connect()
    return opened
  }

  beforeAll(async () => {
    server = await startRedis()
    for (let i = 0; i < 10; i++) clients.push(new Redis(server.port))
    pool = await openPool()
    stores = [...clients.map((client) => redisStore(client)), redisStore(pool)]
  })
  afterAll(async () => {
    for (const client of clients) client.disconnect()
    pool?.destroy()
    await server?.close()
  })

  const store = (i = 0): Store => stores[i % stores.length] as Store

  it('rotates once over many connections, and reports one reuse', async () => {
    for (let round = 0; round < 20; round++) {
      const { sid } = toDraft()
      await store().start(toDraft({ sid }), null)
      const first = await together(200, (i) => store(i).rotate(toCall(sid, 0)))
      expect(tally(first.map(({ word }) => word))).toEqual({ rotated: 1, replayed: 199 })
      expect(new Set(first.map(({ row }) => row?.gen))).toEqual(new Set([1]))
      await store().rotate(toCall(sid, 1, { overlap: 0 }))
      const since = (await store().readLog(null, 100_000)).cursor
      const second = await together(200, (i) => store(i).rotate(toCall(sid, 0)))
      expect(tally(second.map(({ word }) => word))).toEqual({ reused: 1, revoked: 199 })
      const { entries } = await store().readLog(since, 1000)
      expect(entries.map(({ kind, key }) => [kind, key])).toEqual([['sid', sid]])
    }
  })

  it('leaves no active session when a revocation races refreshes', async () => {
    const words: string[] = []
    for (let round = 0; round < 200; round++) {
      const { sid, sub } = toDraft()
      await store().start(toDraft({ sid, sub }), null)
      const revoke = round % 2 === 0
      const [rotations] = await Promise.all([
        together(4, (i) => store(i).rotate(toCall(sid, 0))),
        revoke
          ? store(5 + round).end(sid, 'ended', { logTtl: 900, now: null })
          : store(5 + round).endAll({ sub, realm: null }, 'ended', ALL),
      ])
      words.push(...rotations.map(({ word }) => word))
      expect((await store().rotate(toCall(sid, 1))).word).toBe('revoked')
      expect(await store().list({ sub, realm: null }, null)).toEqual([])
    }
    // The race is one only if it was seen to end both ways.
    expect(tally(words)).toMatchObject({ rotated: expect.any(Number), revoked: expect.any(Number) })
  })

  it('ends a login that was in progress while its subject was revoked', async () => {
    const outcomes: string[] = []
    for (let round = 0; round < 200; round++) {
      const { sub } = toDraft()
      const provedAt = await store().now()
      // The revocation goes out before, between and after the logins.
      const steps: (() => Promise<unknown>)[] = [0, 1, 2, 3].map(
        (i) => () => store(i).start(toDraft({ sub, provedAt }), null),
      )
      steps.splice(round % 5, 0, () => store(5 + round).endAll({ sub, realm: null }, 'subject_revoked', ALL))
      const answers = await Promise.all(steps.map((step) => step()))
      const [ended] = answers.splice(round % 5, 1)
      const started = answers.filter((row) => row !== null).length
      expect(ended).toBe(started)
      expect(await store().list({ sub, realm: null }, null)).toEqual([])
      expect(await store().start(toDraft({ sub, provedAt }), null)).toBeNull()
      outcomes.push(`${started} started`)
    }
    // The race is one only if it was seen to end in more than one way.
    expect(Object.keys(tally(outcomes)).length).toBeGreaterThan(2)
  })

  it('never allows more attempts than the limit', async () => {
    for (let round = 0; round < 20; round++) {
      const answers = await together(50, (i) => store(i).countAttempt(`step-up ${round}`, 5, 900, null))
      expect(answers.filter(({ allowed }) => allowed)).toHaveLength(5)
      for (const { allowed, retryAfter } of answers) {
        if (!allowed) expect(retryAfter).toBe(900)
      }
    }
  })

  it('continues after SCRIPT FLUSH under load', async () => {
    const { sid } = toDraft()
    await store().start(toDraft({ sid }), null)
    let flushes = 0
    let busy = true
    const flusher = (async () => {
      while (busy) {
        await clients[9]?.script('FLUSH')
        flushes += 1
      }
    })()
    const words = await together(2000, (i) => store(i).rotate(toCall(sid, 0)))
    busy = false
    await flusher
    expect(flushes).toBeGreaterThan(3)
    expect(tally(words.map(({ word }) => word))).toEqual({ rotated: 1, replayed: 1999 })
  })
})
