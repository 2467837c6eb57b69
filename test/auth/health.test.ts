/**
 * `auth.health()`: what it finds, what it costs, and that it never throws for an outage. What each
 * engine's troubles look like is in test/invariants/troubles.test.ts.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { Redis } from 'ioredis'
import { Kysely, SqliteDialect } from 'kysely'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { type AuthOptions, createAuth, createKeyRing, generateKey } from '../../src/index.ts'
import type { Store } from '../../src/session/store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { migrateSql, nodeSqlite, sqlStore } from '../../src/stores/sql.ts'
import { HAS_REDIS, startRedis, waitFor } from '../stores/redis-server.ts'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'
const OTHER = 'https://id.example.com'

afterEach(() => void vi.useRealTimers())

function create(options: AuthOptions = {}) {
  const auth = createAuth(options.keys || options.issuers ? options : { secret: SECRET, ...options })
  onTestFinished(() => auth.close())
  return auth
}

/** A store that counts its writes and may be made to fail. */
function createTriedStore(fail?: (store: Store) => Partial<Store>) {
  const store = memoryStore()
  const tried = { writes: 0 }
  const counted: Store = {
    ...store,
    countAttempt(...parameters) {
      tried.writes++
      return store.countAttempt(...parameters)
    },
    ...fail?.(store),
  }
  return { store: counted, tried }
}

describe('of what works', () => {
  it('says so, and shows keys, store and feed', async () => {
    const { store } = createTriedStore()
    const auth = create({ sessions: { store } })
    await auth.ready()
    const health = await auth.health()
    expect(health).toEqual({
      ok: true,
      problems: [],
      store: {
        name: store.name,
        ok: true,
        roundTrip: expect.any(Number),
        clockOffset: expect.closeTo(0, 0),
      },
      feed: expect.objectContaining({ caughtUp: true, entries: 0 }),
      keys: { signing: { kid: expect.any(String), alg: 'HS256' }, verifying: 1 },
      issuers: [],
    })
    expect(JSON.stringify(health)).not.toContain(SECRET)
  })

  it('needs no store', async () => {
    expect(await create().health()).toMatchObject({ ok: true, problems: [], store: null, feed: null })
  })

  it('leaves no session, and nothing in the log', async () => {
    const store = memoryStore()
    await create({ sessions: { store } }).health()
    const { entries } = await store.readLog(null, 10)
    const { records = [] } = (await store.transfer?.read(null, 10)) ?? {}
    expect({ entries, kinds: records.map(({ kind }) => kind) }).toEqual({ entries: [], kinds: ['attempts'] })
  })

  it('measures no clock where the application has its own', async () => {
    const auth = create({ sessions: { store: memoryStore() }, clock: () => 1_800_000_000 })
    expect((await auth.health()).store).toMatchObject({ ok: true, clockOffset: null })
  })
})

describe('asked often', () => {
  it('checks once for all who ask, and once a second', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'Date'] })
    const { store, tried } = createTriedStore()
    const auth = create({ sessions: { store } })
    const all = await Promise.all(Array.from({ length: 50 }, () => auth.health()))
    expect(new Set(all).size).toBe(1)
    for (let i = 0; i < 50; i++) await auth.health()
    expect(tried.writes).toBe(1)
    vi.advanceTimersByTime(1001)
    await auth.health()
    expect(tried.writes).toBe(2)
  })

  it('is shared by those who ask while the store hangs, and ends after two seconds', async () => {
    let calls = 0
    const { store } = createTriedStore(() => ({
      countAttempt() {
        calls++
        return new Promise(() => undefined)
      },
    }))
    const auth = create({ sessions: { store } })
    const since = performance.now()
    const all = await Promise.all(Array.from({ length: 20 }, () => auth.health()))
    expect(performance.now() - since).toBeLessThan(4000)
    expect(calls).toBe(1)
    expect(all[0]).toMatchObject({ ok: false, problems: [{ part: 'store', code: 'ETIMEDOUT' }] })
  })

  it('does not wait in line with the calls of users', async () => {
    const { store } = createTriedStore(() => ({ get: () => new Promise(() => undefined) }))
    const auth = create({ sessions: { store, concurrency: 1 } })
    for (let i = 0; i < 5; i++) void auth.sessions.get(`s${i}`).catch(() => undefined)
    const { ok, feed } = await auth.health()
    expect([ok, feed?.calls]).toEqual([true, { inFlight: 1, waiting: 4 }])
  })
})

describe('the store', () => {
  it('that fails in an unknown way is a problem, without the message', async () => {
    const { store } = createTriedStore(() => ({
      async rotate() {
        throw Object.assign(new Error('hunter2 is wrong'), { code: 'ESTALE' })
      },
    }))
    const health = await create({ sessions: { store } }).health()
    expect(health).toMatchObject({
      ok: false,
      problems: [{ part: 'store', severity: 'error', code: 'ESTALE', reason: 'a call of it failed' }],
    })
    expect(JSON.stringify(health)).not.toContain('hunter2')
  })

  it('whose writes end with their window has lost nothing', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'Date'] })
    const { store, tried } = createTriedStore()
    const auth = create({ sessions: { store } })
    for (let i = 0; i < 8; i++) {
      expect((await auth.health()).problems).toEqual([])
      vi.advanceTimersByTime(1_200_000)
    }
    expect(tried.writes).toBe(8)
  })

  it('whose clock is off is a warning', async () => {
    const { store } = createTriedStore((good) => ({
      rotate: async (call) => ({ ...(await good.rotate(call)), now: Date.now() / 1000 + 90 }),
    }))
    const { ok, problems } = await create({ sessions: { store } }).health()
    expect(ok).toBe(true)
    expect(problems).toMatchObject([
      {
        severity: 'warning',
        code: 'clock_offset',
        reason: 'its clock is 90 s ahead of that of this machine',
      },
    ])
  })

  it.skipIf(!HAS_REDIS)(
    'that was emptied, and one that is gone, is seen; and that it is back',
    async () => {
      const server = await startRedis()
      onTestFinished(() => server.close())
      const client = new Redis(server.port, '127.0.0.1', {
        retryStrategy: () => 50,
        maxRetriesPerRequest: 0,
        enableOfflineQueue: false,
      })
      client.on('error', () => undefined)
      onTestFinished(() => client.disconnect())
      await waitFor(async () => client.status === 'ready')
      const auth = create({ sessions: { store: redisStore(client) }, on: { storeDown: () => undefined } })
      await auth.ready()
      expect(await auth.health()).toMatchObject({ ok: true, problems: [] })

      await client.flushall()
      const tells = (told: string) => async () =>
        (await auth.health()).problems.some(({ code }) => code === told)
      await waitFor(tells('writes_lost'))
      expect((await auth.health()).ok).toBe(true)

      await auth.revokeSubject('alice')
      await server.kill()
      await waitFor(async () => !(await auth.health()).ok)
      await server.restart()
      await waitFor(async () => (await auth.health()).ok)
      await waitFor(tells('log_restarted'))
    },
    60_000,
  )

  it.skipIf(process.getuid?.() !== 0)('whose disk is full says so', async () => {
    const disk = mkdtempSync(join(tmpdir(), 'tokenwright-disk-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk])
    onTestFinished(() => {
      execFileSync('umount', ['-l', disk])
      rmSync(disk, { recursive: true, force: true })
    })
    const database = new DatabaseSync(join(disk, 'db'))
    database.exec('pragma journal_mode = wal')
    const db = new Kysely<unknown>({ dialect: new SqliteDialect({ database: nodeSqlite(database) }) })
    onTestFinished(() => db.destroy())
    await migrateSql(db)
    expect(() => writeFileSync(join(disk, 'ballast'), new Uint8Array(1_000_000))).toThrow('ENOSPC')
    const { ok, problems } = await create({ sessions: { store: sqlStore(db) } }).health()
    expect([ok, problems[0]?.reason]).toEqual([false, 'no space left'])
  })
})

describe('the log', () => {
  it('that was not read for too long is an error', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'Date', 'setTimeout', 'clearTimeout'] })
    let isDown = false
    const { store } = createTriedStore((good) => ({
      async readLog(...parameters) {
        if (isDown) throw Object.assign(new Error('no'), { code: 'ECONNREFUSED' })
        return good.readLog(...parameters)
      },
    }))
    const auth = create({
      sessions: { store },
      revocation: { maxStale: '5s' },
      on: { storeDown: () => undefined },
    })
    await auth.ready()
    isDown = true
    await vi.advanceTimersByTimeAsync(2000)
    expect(await auth.health()).toMatchObject({
      ok: true,
      problems: [{ part: 'feed', severity: 'warning', code: 'ECONNREFUSED' }],
    })
    await vi.advanceTimersByTimeAsync(8000)
    expect(await auth.health()).toMatchObject({
      ok: false,
      problems: [{ part: 'feed', severity: 'error', code: 'feed_stale' }, { severity: 'warning' }],
    })
  })
})

describe('the keys', () => {
  it('that were never loaded are an error; that cannot be loaded again, a warning', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'Date'] })
    let isDown = true
    const key = generateKey('ES256', 'first')
    const keys = createKeyRing({
      load: async () => {
        if (isDown) throw new Error('hunter2')
        return { keys: [key] }
      },
      on: { keysFailed: () => undefined },
    })
    const auth = create({ keys })
    expect(await auth.health()).toMatchObject({
      ok: false,
      problems: [{ part: 'keys', severity: 'error', code: 'keys_not_loaded' }],
      keys: { signing: null, verifying: 0 },
    })
    isDown = false
    vi.advanceTimersByTime(2000)
    expect(await auth.health()).toMatchObject({
      ok: true,
      problems: [],
      keys: { signing: { kid: 'first', alg: 'ES256' }, verifying: 1 },
    })
    isDown = true
    // It loads them itself: an idle process would know of no failure.
    vi.advanceTimersByTime(90_000)
    expect(await auth.health()).toMatchObject({
      ok: true,
      problems: [{ part: 'keys', severity: 'warning', code: 'keys_failed' }],
    })
  })
})

describe('other issuers', () => {
  const issuers = [
    {
      issuer: OTHER,
      audience: 'api',
      sharesSubjects: true,
      fetch: async () => {
        throw new TypeError('fetch failed')
      },
    },
  ]
  it.each([
    ['are a warning beside own keys', { secret: SECRET, issuers }, true, 'warning'],
    ['are an error where nothing else is accepted', { issuers }, false, 'error'],
  ] as const)('that are down %s', async (_, options, ok, severity) => {
    const auth = createAuth({ ...options, on: { issuerDown: () => undefined } })
    onTestFinished(() => auth.close())
    await expect(auth.ready()).rejects.toMatchObject({ code: 'issuer_unavailable' })
    expect(await auth.health()).toMatchObject({
      ok,
      problems: [{ part: 'issuers', severity, code: 'issuer_down', reason: expect.stringContaining(OTHER) }],
      issuers: [{ issuer: OTHER, status: 'down' }],
    })
  })
})
