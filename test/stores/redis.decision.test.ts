/** The rotation decision in Lua against the one in TypeScript, over random rows, generations, moments and policies. */
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { randomId } from '../../src/internal/bytes.ts'
import {
  decideRotation,
  isWriting,
  toIdleEnd,
  toLate,
  toLateBefore,
  toReuseReason,
} from '../../src/session/rotation.ts'
import type { SessionRow } from '../../src/session/session-row.ts'
import { KEPT_AFTER_END, type Store } from '../../src/session/store.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { HAS_REDIS, type RedisServer, startRedis, toCall } from './redis-server.ts'

/** Quarters of seconds: exact in binary, so that both sides stand on the very same edges. */
const quarter = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: max * 4 }).map((n) => n / 4)

const EPOCH = 1_795_000_000

const CASE = fc.record({
  gen: fc.integer({ min: 0, max: 6 }),
  /** Near the row's, mostly. */
  step: fc.oneof(fc.integer({ min: -2, max: 2 }), fc.integer({ min: -6, max: 6 })),
  /** Seconds between the last rotation and now, on the edges of the overlap more often than not. */
  age: fc.oneof(quarter(40), fc.constantFrom(-3, 0, 0.25, 9.75, 10, 10.25, 19.75, 20, 20.25)),
  /** Seconds since a step-up or a plain refresh; null for none since the rotation. */
  used: fc.oneof(fc.constant(null), quarter(15), fc.constantFrom(-1, 9.75, 10)),
  /** How late the predecessor was in this generation, and in those before. */
  late0: fc.constantFrom(0, 0, 0.25, 2, 10),
  lateBefore: fc.constantFrom(0, 0, 5, 52.5, 57.5, 110, 114.75, 117.5),
  idleLeft: fc.oneof(quarter(100), fc.constantFrom(-1, 0, 0.25)),
  absoluteLeft: fc.oneof(quarter(200), fc.constantFrom(-1, 0, 0.25, 29.75, 30, 45, 60.25)),
  revoked: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
  overlap: fc.constantFrom(0, 10, 10, 10, 5, 0.5),
  idle: fc.constantFrom(30, 60, 1000),
  rotation: fc.integer({ min: 0, max: 4 }).map((n) => n > 0),
  late: fc.constantFrom(null, null, -0.25, 0, 5),
  /** The row's own time until it ends unused, and where its client was seen last. */
  idleFor: fc.constantFrom(null, null, 45, 500),
  lastIp: fc.constantFrom(null, null, '192.0.2.1'),
  lastUserAgent: fc.constantFrom(null, null, 'a "\\ \n\u00e9'),
})

/** Half of them near the usual refresh, for which the script has code of its own. */
const TEST = fc.oneof(
  CASE,
  CASE.map((one) => ({ ...one, step: 0, late0: 0, lateBefore: 0, revoked: false, rotation: true })),
)

type Case = typeof TEST extends fc.Arbitrary<infer T> ? T : never

describe.skipIf(!HAS_REDIS)('the decision', () => {
  let server: RedisServer
  let client: Redis
  let store: Store

  beforeAll(async () => {
    server = await startRedis()
    client = new Redis(server.port)
    store = redisStore(client)
  })
  afterAll(async () => {
    client?.disconnect()
    await server?.close()
  })

  /** Puts a row as it would be into Redis; answers it. */
  async function put(test: Case, now: number): Promise<SessionRow> {
    const sid = randomId()
    const login = {
      sid,
      sub: 'ada',
      realm: null,
      scopes: [],
      data: {},
      brief: false,
      metadata: {},
      label: null,
      ip: null,
      userAgent: null,
    }
    const authentication = { authTime: null, acr: null, amr: null }
    const row = {
      ...login,
      ...authentication,
      gen: test.gen,
      rotatedAt: now - test.age,
      late: test.late0,
      lateBefore: test.lateBefore,
      createdAt: EPOCH,
      lastUsedAt: now - (test.used ?? test.age),
      idleExpiresAt: now + Math.min(test.idleLeft, test.absoluteLeft),
      absoluteExpiresAt: now + test.absoluteLeft,
      revokedAt: test.revoked ? now - 1 : null,
      revokeReason: test.revoked ? ('ended' as const) : null,
      idleFor: test.idleFor,
      lastIp: test.lastIp,
      lastUserAgent: test.lastUserAgent,
    }
    await client.hset(`{tw}:s:${sid}`, {
      gen: row.gen,
      rot: row.rotatedAt * 1000,
      used: row.lastUsedAt * 1000,
      idle: row.idleExpiresAt * 1000,
      abs: row.absoluteExpiresAt * 1000,
      rev: row.revokedAt === null ? '' : row.revokedAt * 1000,
      why: row.revokeReason ?? '',
      made: row.createdAt * 1000,
      auth: JSON.stringify(authentication),
      login: JSON.stringify(login),
      sub: 'ada',
      late: row.late * 1000,
      before: row.lateBefore * 1000,
      ...(row.idleFor !== null && { span: row.idleFor * 1000 }),
      ...(row.lastIp !== null && { ip: JSON.stringify(row.lastIp) }),
      ...(row.lastUserAgent !== null && { agent: JSON.stringify(row.lastUserAgent) }),
    })
    return row
  }

  /** What must become of a row: the word by `decide`, and the effects as the contract words them. */
  function expectedOf(
    row: SessionRow,
    test: Case,
    now: number,
  ): { word: string; row: SessionRow; now: number } {
    const presented = Math.max(0, test.gen + test.step)
    const word = decideRotation(row, presented, now, test)
    const isPast = test.late !== null && test.late < 0
    if (word === 'replayed')
      return { word, row: { ...row, late: isPast ? row.late : toLate(row, now, test) }, now }
    if (!isWriting(word, test)) return { word, row, now }
    if (isPast) return { word: 'late', row, now }
    if (word === 'reused') {
      const revokeReason = toReuseReason(row, { ...test, gen: presented })
      return { word, row: { ...row, revokedAt: now, revokeReason }, now }
    }
    const used = { lastUsedAt: now, idleExpiresAt: toIdleEnd(row, now, test) }
    if (word === 'kept') return { word, row: { ...row, ...used }, now }
    const lateness = { late: 0, lateBefore: toLateBefore(row, test) }
    return { word, row: { ...row, ...used, ...lateness, gen: presented + 1, rotatedAt: now }, now }
  }

  /** That a row is kept until a moment: by its own expiry, and by what a caller's clock prunes. */
  async function expectToExpire(sid: string, at: number, now: number): Promise<void> {
    const key = `{tw}:s:${sid}`
    expect(Number(await client.zscore('{tw}:due', key))).toBe(at * 1000)
    expect(Math.abs((await client.pttl(key)) / 1000 - (at - now))).toBeLessThan(5)
  }

  it('is the same in Lua and in TypeScript', async () => {
    const met: Record<string, number> = {}
    const property = fc.asyncProperty(fc.array(TEST, { minLength: 50, maxLength: 50 }), async (tests) => {
      await Promise.all(
        tests.map(async (test, i) => {
          const now = EPOCH + 1000 + i / 4
          const before = await put(test, now)
          const { overlap, idle, rotation } = test
          const notAfter = test.late === null ? null : now + test.late
          const presented = Math.max(0, test.gen + test.step)
          const policy = { overlap, idle, rotation, notAfter, now }
          const found = await store.rotate(toCall(before.sid, presented, policy))
          expect(found).toEqual(expectedOf(before, test, now))
          expect(await store.get(before.sid)).toEqual(found.row)
          if (isWriting(found.word, test) && found.word !== 'reused')
            await expectToExpire(before.sid, (found.row?.idleExpiresAt ?? 0) + KEPT_AFTER_END, now)
          met[found.word] = (met[found.word] ?? 0) + 1
        }),
      )
    })
    await fc.assert(property, { numRuns: 120, endOnFailure: true })
    const words = ['expired', 'healed', 'kept', 'late', 'replayed', 'reused', 'revoked', 'rotated']
    expect(Object.keys(met).sort()).toEqual(words)
    for (const word of words) expect(met[word], word).toBeGreaterThan(50)
    expect((await store.rotate(toCall('nobody', 0))).word).toBe('unknown')
  }, 30_000)
})
