/**
 * S21, upgrades: what version 1 of the schema wrote, in which a realm was no part of the subject,
 * goes on to work after the migration; and a process of that version may run beside new ones. What
 * does not hold meanwhile is asserted too: docs/sessions/upgrade.md says so. For what version 3 added
 * a process of version 1 stands for one of version 2, too: neither reads nor writes it.
 */
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { randomId } from '../../src/internal/bytes.ts'
import type { LogEntry, Store } from '../../src/session/store.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { migrateSql, sqlMigrations } from '../../src/stores/sql.ts'
import { createEarlierRedis, createEarlierSql, type EarlierStore } from './earlier.ts'
import { HAS_REDIS, startRedis } from './redis-server.ts'
import { HAS, openDatabase, toCall, toDraft } from './sql-databases.ts'

interface Site {
  /** A process of version 1. */
  readonly earlier: EarlierStore
  /** A process of now. */
  readonly store: Store
  migrate(): Promise<void>
  close(): Promise<void>
}

async function openSql(dialect: 'sqlite' | 'postgres' | 'mysql'): Promise<Site> {
  const database = await openDatabase(dialect, false)
  const migrations = await sqlMigrations().getMigrations()
  await migrations['tokenwright_0001_sessions']?.up(database.db)
  return {
    earlier: createEarlierSql(database.db),
    store: database.store,
    migrate: async () => void (await migrateSql(database.db)),
    close: () => database.close(),
  }
}

async function openRedis(): Promise<Site> {
  const server = await startRedis()
  const client = new Redis(server.port)
  return {
    earlier: createEarlierRedis(client),
    store: redisStore(client),
    migrate: async () => undefined,
    async close() {
      client.disconnect()
      await server.close()
    },
  }
}

const SITES = [
  { name: 'sqlite', open: () => openSql('sqlite'), here: true },
  { name: 'postgres', open: () => openSql('postgres'), here: HAS.postgres },
  { name: 'mysql', open: () => openSql('mysql'), here: HAS.mysql },
  { name: 'redis', open: openRedis, here: HAS_REDIS },
] as const

const OVERLAP = 10
const TTL = 900
const REALMS = [null, 'staff', 'customer'] as const

async function readAll(store: Store): Promise<LogEntry[]> {
  const entries: LogEntry[] = []
  for (let cursor: string | null = null, more = true; more; ) {
    const page = await store.readLog(cursor, 100)
    entries.push(...page.entries)
    cursor = page.cursor
    more = page.more
  }
  return entries
}

describe.each(SITES)('from version 1 on $name', ({ name, open, here }) => {
  let site: Site
  let t: number
  beforeEach(async () => {
    t = Math.floor(Date.now() / 1000)
    site = await open()
  })
  afterEach(() => site.close())

  /** One session in each realm, started by a process of version 1. */
  const startEarlier = async (sub: string, at = t): Promise<Map<string | null, string>> => {
    const sids = new Map<string | null, string>()
    for (const realm of REALMS) {
      const sid = randomId()
      expect(await site.earlier.start(toDraft({ sid, sub, realm }), at)).not.toBeNull()
      sids.set(realm, sid)
    }
    return sids
  }
  const listed = async (sub: string, realm: string | null, now: number): Promise<string[]> =>
    (await site.store.list({ sub, realm }, now)).map(({ sid }) => sid)

  // Redis has no schema: keys of both versions are read as they are.
  if (name !== 'redis') {
    it.skipIf(!here)('is refused with the remedy until it is migrated', async () => {
      const [sid] = [...(await startEarlier('ada')).values()]
      await expect(site.store.rotate(toCall(sid ?? '', 0))).rejects.toThrow(/npx tokenwright migrate/)
      await expect(site.store.inspect()).rejects.toThrow(/version 3, found version 1/)
      await site.migrate()
      expect((await site.store.rotate(toCall(sid ?? '', 0))).word).toBe('rotated')
      expect(await site.store.inspect()).not.toContainEqual(expect.stringMatching(/version/))
    })
  }

  it.skipIf(!here)('sessions go on: they are refreshed, listed in their realm and ended', async () => {
    const sub = 'Ada \u00e9'
    const sids = await startEarlier(sub)
    for (const sid of sids.values())
      expect((await site.earlier.rotate({ ...toCall(sid, 0), now: t + 1 })).word).toBe('rotated')
    await site.migrate()
    let now = t + 2
    for (const [realm, sid] of sids) {
      expect(await site.store.get(sid)).toMatchObject({ sub, realm, gen: 1, late: 0, lateBefore: 0 })
      expect(await listed(sub, realm, now)).toEqual([sid])
      expect((await site.store.rotate(toCall(sid, 1, { now }))).word).toBe('kept')
      const replayed = await site.store.rotate(toCall(sid, 0, { now }))
      expect([replayed.word, replayed.row?.gen]).toEqual(['replayed', 1])
    }
    now = t + 5 * OVERLAP
    for (const sid of sids.values()) {
      const late = await site.store.rotate(toCall(sid, 0, { now }))
      expect([late.word, late.row?.late]).toEqual(['replayed', OVERLAP])
      const rotated = await site.store.rotate(toCall(sid, 1, { now }))
      expect(rotated).toMatchObject({ word: 'rotated', row: { gen: 2, late: 0, lateBefore: OVERLAP } })
      const up = { authTime: now, acr: null, amr: ['otp'], notAfter: null, now }
      expect((await site.store.stepUp({ sid, ...up })).word).toBe('live')
    }
    const call = { logTtl: TTL, now, except: null, cutOff: null }
    expect(await site.store.endAll({ sub, realm: 'staff' }, 'ended', call)).toBe(1)
    expect(await listed(sub, 'staff', now)).toEqual([])
    expect(await listed(sub, 'customer', now)).toEqual([sids.get('customer')])
    expect(await site.store.end(sids.get('customer') ?? '', 'ended', call)).toBe(true)
    const reused = await site.store.rotate(toCall(sids.get(null) ?? '', 0, { now }))
    expect([reused.word, reused.row?.revokeReason]).toEqual(['reused', 'refresh_reused'])
    const entries = (await readAll(site.store)).map(({ key }) => key).sort()
    expect(entries).toEqual([...sids.values()].sort())
  })

  it.skipIf(!here)('sessions stay with new ones of their subject', async () => {
    const sids = await startEarlier('ada')
    await site.migrate()
    for (const realm of REALMS) {
      const sid = randomId()
      await site.store.start(toDraft({ sid, sub: 'ada', realm }), t + 1)
      expect(await listed('ada', realm, t + 2)).toEqual([sid, sids.get(realm)])
    }
    const call = { logTtl: TTL, now: t + 3, except: sids.get('staff') ?? null, cutOff: TTL }
    expect(await site.store.endAll({ sub: 'ada', realm: 'staff' }, 'subject_revoked', call)).toBe(1)
    expect(await listed('ada', 'staff', t + 3)).toEqual([sids.get('staff')])
    expect(await listed('ada', 'customer', t + 3)).toHaveLength(2)
    expect(await listed('ada', null, t + 3)).toHaveLength(2)
  })

  it.skipIf(!here)('what was revoked stays revoked, a subject in every realm', async () => {
    const [ended, kept] = [await startEarlier('bob'), await startEarlier('cleo')]
    const jti = randomId()
    await site.earlier.end(ended.get('staff') ?? '', 'ended', { logTtl: TTL, now: t + 1 })
    await site.earlier.revokeToken(jti, t + TTL, t + 1)
    const all = { logTtl: TTL, now: t + 2, except: null, cutOff: TTL }
    expect(await site.earlier.endAll('bob', 'subject_revoked', all)).toBe(2)
    await site.migrate()
    const { store } = site
    const nothing = { sid: null, jti: null, iat: null, now: t + 3 }
    for (const realm of REALMS) {
      const [bob, cleo] = [
        { sub: 'bob', realm },
        { sub: 'cleo', realm },
      ]
      expect(await store.isRevoked({ ...nothing, ...bob, sid: ended.get(realm) ?? '' })).toBe(true)
      expect(await store.isRevoked({ ...nothing, ...cleo, sid: kept.get(realm) ?? '' })).toBe(false)
      expect(await store.isRevoked({ ...nothing, ...cleo, jti, iat: t })).toBe(true)
      expect(await store.isRevoked({ ...nothing, ...bob, iat: t + 1 })).toBe(true)
      expect(await store.isRevoked({ ...nothing, ...bob, iat: t + 3 })).toBe(false)
      expect(await store.start(toDraft({ ...bob, provedAt: t + 1 }), t + 3)).toBeNull()
      expect(await store.start(toDraft({ ...bob, provedAt: t + 3 }), t + 3)).not.toBeNull()
      expect(await listed('cleo', realm, t + 3)).toEqual([kept.get(realm)])
    }
    // An entry of version 1 names no realm: a follower applies it to its own, whichever that is.
    const entries = await readAll(store)
    expect(entries.filter(({ kind }) => kind === 'sub')).toEqual([
      { kind: 'sub', key: 'bob', at: t + 2, until: t + 2 + TTL },
    ])
    expect(entries.map(({ kind }) => kind).sort()).toEqual(['jti', 'sid', 'sid', 'sid', 'sub'])
    // A cut-off of now does not shorten the earlier one.
    await store.endAll({ sub: 'bob', realm: 'staff' }, 'subject_revoked', { ...all, now: t + 4 })
    for (const [realm, iat, wanted] of [
      ['staff', t + 4, true],
      ['customer', t + 4, false],
      ['customer', t + 2, true],
      [null, t + 2, true],
    ] as const)
      expect(await store.isRevoked({ ...nothing, sub: 'bob', realm, iat, now: t + 5 })).toBe(wanted)
  })

  it.skipIf(!here)('old and new processes refresh one session in turn', async () => {
    await site.migrate()
    for (const realm of REALMS) {
      const [first, second] = [randomId(), randomId()]
      await site.earlier.start(toDraft({ sid: first, sub: 'ada', realm }), t)
      await site.store.start(toDraft({ sid: second, sub: 'ada', realm }), t)
      expect((await listed('ada', realm, t)).sort()).toEqual([first, second].sort())
      for (let gen = 0; gen < 8; gen++) {
        const now = t + gen * 3 * OVERLAP
        const [one, other] = gen % 2 === 0 ? [site.earlier, site.store] : [site.store, site.earlier]
        for (const sid of [first, second]) {
          expect((await one.rotate({ ...toCall(sid, gen), now })).word, `${sid} ${gen}`).toBe('rotated')
          expect((await other.rotate({ ...toCall(sid, gen), now: now + 1 })).word).toBe('replayed')
          expect((await other.rotate({ ...toCall(sid, gen + 1), now: now + 1 })).word).toBe('kept')
        }
      }
      expect(await site.store.get(first)).toMatchObject({ gen: 8, late: 0 })
    }
  })

  it.skipIf(!here)('a session of an old process is remembered, and has no time of its own', async () => {
    const [sid = ''] = (await startEarlier('ada')).values()
    await site.migrate()
    expect(await site.store.get(sid)).toMatchObject({ brief: false, idleFor: null })
    const { row } = await site.store.rotate(toCall(sid, 0, { now: t + 1 }))
    expect(row).toMatchObject({ brief: false, idleFor: null, idleExpiresAt: t + 1 + toCall(sid, 0).idle })
  })

  it.skipIf(!here)('a brief session stays one when an old process refreshes it', async () => {
    await site.migrate()
    const sid = randomId()
    const own = { brief: true, idleFor: 300, absolute: 5000 }
    await site.store.start(toDraft({ sid, sub: 'ada', ...own }), t)
    const idleEnd = async () => ((await site.store.get(sid))?.idleExpiresAt ?? 0) - t
    expect(await idleEnd()).toBe(300)
    const call = { ...toCall(sid, 0), idle: 9000 }
    expect((await site.earlier.rotate({ ...call, now: t + 100 })).word).toBe('rotated')
    // It does not know the login's own time; the absolute end holds.
    expect(await idleEnd()).toBe(5000)
    expect((await site.store.rotate({ ...call, gen: 1, now: t + 200 })).word).toBe('rotated')
    expect(await idleEnd()).toBe(500)
    expect(await site.store.get(sid)).toMatchObject({ gen: 2, brief: true, idleFor: 300 })
  })

  it.skipIf(!here)('an update holds in an old process, whose refresh loses no detail', async () => {
    await site.migrate()
    const sid = randomId()
    await site.store.start(toDraft({ sid, sub: 'ada', label: 'Phone', metadata: { n: 1 } }), t)
    const change = { scopes: ['b'], data: { n: 2 }, metadata: { n: 3 }, label: 'Tablet' }
    await site.store.update({ sid, ...change, now: t })
    const seen = { ip: '192.0.2.1', userAgent: 'curl', stretch: 1 }
    await site.store.rotate(toCall(sid, 0, { now: t + 5, seen }))
    expect((await site.earlier.rotate({ ...toCall(sid, 1), now: t + 100 })).word).toBe('rotated')
    const last = { lastIp: '192.0.2.1', lastUserAgent: 'curl' }
    expect(await site.store.get(sid)).toMatchObject({ ...change, ...last, gen: 2 })
    const [old = ''] = (await startEarlier('bob')).values()
    expect(await site.store.get(old)).toMatchObject({ metadata: {}, label: null, lastIp: null })
    expect(await site.store.update({ sid: old, label: 'Old', now: t })).toMatchObject({ label: 'Old' })
  })

  it.skipIf(!here)('old and new processes end the sessions of each other', async () => {
    await site.migrate()
    const call = { logTtl: TTL, now: t + 1 }
    const { earlier, store } = site
    for (const realm of REALMS) {
      const [first, second] = [randomId(), randomId()]
      await earlier.start(toDraft({ sid: first, sub: 'ada', realm }), t)
      await store.start(toDraft({ sid: second, sub: 'ada', realm }), t)
      expect(await store.end(first, 'ended', call)).toBe(true)
      expect(await earlier.end(second, 'ended', call)).toBe(true)
      for (const sid of [first, second]) {
        const query = { sid, jti: null, sub: 'ada', iat: t, now: t + 2 }
        expect([await earlier.isRevoked(query), await store.isRevoked({ ...query, realm })]).toEqual([
          true,
          true,
        ])
        expect((await earlier.rotate({ ...toCall(sid, 0), now: t + 2 })).word).toBe('revoked')
        expect((await store.rotate(toCall(sid, 0, { now: t + 2 }))).word).toBe('revoked')
      }
    }
    const keys = (await readAll(store)).map(({ key }) => key)
    expect(new Set(keys).size).toBe(6)
  })

  it.skipIf(!here)('a new process ends what an old one started, in its realm', async () => {
    await site.migrate()
    const sids = await startEarlier('ada')
    const all = { logTtl: TTL, now: t + 1, except: null, cutOff: TTL }
    expect(await site.store.endAll({ sub: 'ada', realm: 'staff' }, 'subject_revoked', all)).toBe(1)
    const live = await Promise.all(REALMS.map((realm) => listed('ada', realm, t + 2)))
    expect(live.flat().sort()).toEqual([sids.get(null), sids.get('customer')].sort())
    expect(await site.store.start(toDraft({ sub: 'ada', realm: 'staff', provedAt: t }), t + 2)).toBeNull()
    // Without realms both versions mean the same by it.
    expect(await site.store.endAll({ sub: 'ada', realm: null }, 'subject_revoked', all)).toBe(1)
    expect(await site.earlier.start(toDraft({ sub: 'ada', provedAt: t }), t + 2)).toBeNull()
    const query = { sid: null, jti: null, sub: 'ada', iat: t, now: t + 2 }
    expect(await site.earlier.isRevoked(query)).toBe(true)
  })

  it.skipIf(!here)(
    'an old process ends the subject in every realm, without realms what a new one started',
    async () => {
      await site.migrate()
      const started = new Map<string | null, string>()
      for (const realm of REALMS) {
        const sid = randomId()
        await site.store.start(toDraft({ sid, sub: 'ada', realm }), t)
        started.set(realm, sid)
      }
      const earlier = await startEarlier('ada')
      const all = { logTtl: TTL, now: t + 1, except: null, cutOff: TTL }
      // In Redis an old process finds no session that a new one started in a realm.
      const isRedis = name === 'redis'
      expect(await site.earlier.endAll('ada', 'subject_revoked', all)).toBe(isRedis ? 4 : 6)
      for (const realm of REALMS) {
        const found = await listed('ada', realm, t + 2)
        expect(found).toEqual(isRedis && realm !== null ? [started.get(realm)] : [])
        expect(found).not.toContain(earlier.get(realm))
        expect(await site.store.start(toDraft({ sub: 'ada', realm, provedAt: t }), t + 2)).toBeNull()
      }
    },
  )

  it.skipIf(!here)('an old process does not know the cut-off of a realm that a new one wrote', async () => {
    await site.migrate()
    const all = { logTtl: TTL, now: t + 1, except: null, cutOff: TTL }
    await site.store.endAll({ sub: 'ada', realm: 'staff' }, 'subject_revoked', all)
    const draft = toDraft({ sub: 'ada', realm: 'staff', provedAt: t })
    expect(await site.store.start(draft, t + 2)).toBeNull()
    expect(await site.earlier.start(draft, t + 2)).not.toBeNull()
    const query = { sid: null, jti: null, sub: 'ada', iat: t, now: t + 2 }
    expect(await site.earlier.isRevoked(query)).toBe(false)
    expect(await site.store.isRevoked({ ...query, realm: 'staff' })).toBe(true)
  })
})
