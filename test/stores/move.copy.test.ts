/** `copyStore` from each kind of store to each other: whole, again, broken off, and what it refuses. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { randomId } from '../../src/internal/bytes.ts'
import type { SessionRow } from '../../src/session/session-row.ts'
import type { LogEntry, Store } from '../../src/session/store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { type CopyProgress, copyStore, moveStore } from '../../src/stores/move.ts'
import { STORES } from '../contract/opened.ts'
import { toCall, toDraft } from './sql-databases.ts'

const TTL = 900

/** The whole log. */
async function readLog(store: Store): Promise<LogEntry[]> {
  const entries: LogEntry[] = []
  for (let cursor: string | null = null, more = true; more; ) {
    const page = await store.readLog(cursor, 7)
    entries.push(...page.entries)
    cursor = page.cursor
    more = page.more
  }
  return entries
}

/** What a store was filled with. */
interface Filled {
  readonly sids: string[]
  readonly sub: string
  readonly jti: string
  readonly key: string
}

const REALMS = [null, 'staff', 'quo"te\\ 1'] as const

/** Sessions in every state, in three realms; cut-offs, a revoked token, counted attempts. */
async function fill(store: Store): Promise<Filled> {
  const sub = `Ad\u00e0 ${randomId()} \ud83d\ude80 "x"`
  const filled: Filled = { sids: [], sub, jti: randomId(), key: `one-time ${randomId()}` }
  const start = async (over: Parameters<typeof toDraft>[0] = {}): Promise<string> => {
    const sid = randomId()
    await store.start(toDraft({ sid, sub, absolute: 90_000, idle: 50_000, ...over }), null)
    filled.sids.push(sid)
    return sid
  }
  for (const realm of REALMS) {
    await start({ realm })
    const rotated = await start({
      realm,
      data: { a: [1, {}] },
      metadata: { \u00fc: null },
      label: 'L\u00fc',
      ip: '::1',
    })
    for (const gen of [0, 1, 2]) await store.rotate(toCall(rotated, gen, { overlap: 0, idle: 40_000 }))
    const seen = { ip: '192.0.2.1', userAgent: 'curl "\u00e9"', stretch: 0.001 }
    await store.rotate(toCall(rotated, 3, { overlap: 0, seen, idle: 40_000 }))
    const own = await start({ realm, brief: true, idleFor: 30_000, acr: 'gold', amr: ['pwd'], authTime: 5 })
    const up = { authTime: 1_800_000_000, acr: null, amr: ['otp'], notAfter: null, now: null }
    await store.stepUp({ sid: own, ...up })
    await store.update({ sid: own, scopes: ['x', 'y'], data: { n: 2 }, now: null })
    const ended = await start({ realm })
    await store.end(ended, 'ended', { logTtl: TTL, now: null })
    const reused = await start({ realm })
    for (const gen of [0, 1, 0]) await store.rotate(toCall(reused, gen, { overlap: 0 }))
  }
  const all = { logTtl: TTL, now: null, except: null, cutOff: 5000 }
  await store.endAll({ sub: `${sub} gone`, realm: 'staff' }, 'subject_revoked', all)
  await store.endAll({ sub: `${sub} gone`, realm: null }, 'subject_revoked', all)
  await store.revokeToken(filled.jti, (await store.now()) + TTL, null)
  await store.countAttempt(filled.key, 1, 10_000, null)
  for (let i = 0; i < 3; i++) await store.countAttempt(`login ${filled.key}`, 5, 10_000, null)
  return filled
}

/** Redis rounds down, others to the nearest millisecond. */
function round(row: SessionRow | null): unknown {
  const pairs = Object.entries(row ?? {}).map(([name, value]) => [
    name,
    typeof value === 'number' && value > 1e6 ? Math.floor(value * 1000 + 0.01) : value,
  ])
  return Object.fromEntries(pairs)
}

/** Checks that two stores say the same of what one was filled with. */
async function expectSame(from: Store, to: Store, { sids, sub, jti, key }: Filled): Promise<void> {
  for (const sid of sids) expect(round(await to.get(sid)), sid).toEqual(round(await from.get(sid)))
  const token = { sid: null, jti: null, iat: null, now: null }
  for (const realm of REALMS) {
    const list = async (store: Store): Promise<string[]> =>
      (await store.list({ sub, realm }, null)).map(({ sid }) => sid).sort()
    expect(await list(to)).toEqual(await list(from))
    expect(await to.isRevoked({ ...token, sub: `${sub} gone`, realm })).toBe(realm !== 'quo"te\\ 1')
    const draft = toDraft({ sub: `${sub} gone`, realm, provedAt: (await to.now()) - 1000 })
    expect((await to.start(draft, null)) === null).toBe(realm !== 'quo"te\\ 1')
    expect(await to.isRevoked({ ...token, jti, iat: 9e9, sub, realm })).toBe(true)
  }
  expect((await to.countAttempt(key, 1, 10_000, null)).allowed).toBe(false)
  expect((await to.readAttempts(`login ${key}`, null)).count).toBe(3)
  expect((await to.readAttempts(`login ${key}`, null)).endsIn).toBeGreaterThan(9900)
}

const toKeys = (entries: readonly LogEntry[]): string[] =>
  entries.map(({ kind, key, realm, until }) =>
    JSON.stringify([kind, key, realm, Math.floor(until * 1000 + 0.01)]),
  )

const PAIRS = STORES.flatMap((from) => STORES.map((to) => [from, to] as const))

describe.each(PAIRS.map(([from, to]) => [from.name, to.name, from, to] as const))(
  '%s to %s',
  (_, __, one, other) => {
    const reason = one.reason ?? other.reason
    let [from, to]: Store[] = []
    const close: (() => Promise<unknown>)[] = []
    beforeAll(async () => {
      for (const { open } of reason === null ? [one, other] : []) {
        const opened = await open()
        close.push(async () => opened.close?.())
        ;[from, to] = from === undefined ? [opened.store] : [from, opened.store]
      }
    }, 60_000)
    afterAll(() => Promise.all(close.map((end) => end())))
    const pair = (): readonly [Store, Store] => [from as Store, to as Store]

    it.skipIf(reason !== null)('copies everything, and again what has changed', async () => {
      const [old, next] = pair()
      const filled = await fill(old)
      const told: CopyProgress[] = []
      const result = await copyStore(old, next, { batch: 4, onProgress: (progress) => told.push(progress) })
      expect(result).toMatchObject({ sessions: 15, cutOffs: 2, attempts: 2, changed: 0 })
      expect(result.revocations).toBe((await readLog(old)).length)
      const { changed: _changed, ...counts } = result
      expect(told.at(-1)).toMatchObject(counts)
      expect(told.length).toBeGreaterThan(one.name === 'memory' ? 4 : 2)
      await expectSame(old, next, filled)
      expect(toKeys(await readLog(next)).sort()).toEqual(toKeys(await readLog(old)).sort())

      // The application went on.
      const [, rotated = '', own = ''] = filled.sids
      await old.rotate(toCall(rotated, 4, { overlap: 0 }))
      await old.update({ sid: own, label: 'New', now: null })
      await old.end(filled.sids[5] ?? '', 'ended', { logTtl: TTL, now: null })
      const more = await fill(old)
      const again = await copyStore(old, next)
      expect(again).toMatchObject({ sessions: 30, revocations: result.revocations + 1, changed: 0 })
      for (const each of [filled, more]) await expectSame(old, next, each)
      expect(toKeys(await readLog(next)).sort()).toEqual(toKeys(await readLog(old)).sort())

      // Now it is used, and no copy may write there.
      await next.rotate(toCall(rotated, 5, { overlap: 0 }))
      await expect(copyStore(old, next)).rejects.toThrow(/no one to use `to` yet: 1 sessions there are ahead/)
      await expect(copyStore(old, next, { move: true })).rejects.toThrow(/no copies of sessions/)
      await expect(moveStore({ from: old, to: next }).get('x')).resolves.toBeNull()
      await expect(moveStore({ from: old, to: next }).rotate(toCall('x', 0))).rejects.toThrow(/no copies/)
    })

    it.skipIf(reason !== null)('moves the other way', async () => {
      const [old, next] = pair()
      const filled = await fill(next)
      const before = await Promise.all(filled.sids.map((sid) => next.get(sid)))
      const result = await copyStore(next, old, { move: true, batch: 3 })
      expect(result.changed).toBe(0)
      for (const [i, sid] of filled.sids.entries()) {
        expect(round(await old.get(sid))).toEqual(round(before[i] as SessionRow))
        if (before[i]?.revokedAt === null)
          expect(await next.get(sid)).toMatchObject({ revokeReason: 'moved', gen: before[i]?.gen })
      }
      const [sid = ''] = filled.sids
      expect((await next.rotate(toCall(sid, 0))).word).toBe('revoked')
      expect((await old.rotate(toCall(sid, 0))).word).toBe('rotated')
      // Nothing is written twice, and nothing comes back.
      await old.end(filled.sids[1] ?? '', 'ended', { logTtl: TTL, now: null })
      const again = await copyStore(next, old, { move: true })
      expect(again.revocations).toBe(0)
      expect((await old.get(filled.sids[1] ?? ''))?.revokeReason).toBe('ended')
      expect((await old.get(sid))?.gen).toBe(1)
      await expect(copyStore(next, memoryStore())).rejects.toThrow(/some of which moved to another store/)
      await expect(copyStore(next, old)).rejects.toThrow(/no one to use `to` yet/)
    })
  },
)

describe('a copy', () => {
  const opened: { close?(): Promise<unknown> }[] = []
  afterEach(async () => {
    for (const { close } of opened.splice(0)) await close?.()
  })

  it.each(STORES.filter(({ reason }) => reason === null).map((store) => [store.name, store] as const))(
    'that is broken off goes on where it was, from %s',
    async (name, store) => {
      const made = await store.open()
      opened.push(made)
      const from = made.store
      const filled = await fill(from)
      for (const move of [false, true]) {
        const to = memoryStore()
        const controller = new AbortController()
        const told: CopyProgress[] = []
        const onProgress = (progress: CopyProgress): void => {
          told.push(progress)
          if (told.length === 2) controller.abort(new Error('enough'))
        }
        const options = { move, batch: 5, onProgress }
        const { signal } = controller
        await expect(copyStore(from, to, { ...options, signal })).rejects.toThrow('enough')
        expect(told).toHaveLength(2)
        const place = told.at(-1)?.place ?? null
        const rest = await copyStore(from, to, { ...options, place })
        if (name !== 'memory' && !move) expect(rest.sessions).toBeLessThan(15)
        for (const sid of filled.sids) {
          const row = await to.get(sid)
          if (!move) expect(round(row)).toEqual(round(await from.get(sid)))
          else expect(row?.revokeReason).not.toBe('moved')
          expect(row?.sid).toBe(sid)
        }
        expect((await to.countAttempt(filled.key, 1, 10, null)).allowed).toBe(false)
        await expect(copyStore(from, to, { signal })).rejects.toThrow('enough')
      }
    },
  )

  it('keeps ages where the clocks differ, and lets nothing end sooner', async () => {
    for (const ahead of [-300, 300]) {
      let now = 1_800_000_000
      const [from, to] = [memoryStore({ clock: () => now }), memoryStore({ clock: () => now + ahead })]
      await from.start(toDraft({ sid: 'a', sub: 'ada', provedAt: now }), null)
      await from.rotate(toCall('a', 0))
      await from.endAll({ sub: 'bob', realm: null }, 'subject_revoked', {
        ...{ logTtl: TTL, now: null, except: null, cutOff: 1000 },
      })
      now += 5
      await copyStore(from, to)
      const [row, copy] = [await from.get('a'), await to.get('a')]
      expect(copy?.rotatedAt).toBeCloseTo((row?.rotatedAt ?? 0) + ahead, 1)
      expect(copy?.idleExpiresAt).toBeCloseTo((row?.idleExpiresAt ?? 0) + ahead, 1)
      expect((await to.rotate(toCall('a', 0))).word).toBe('replayed')
      expect((await to.rotate(toCall('a', 1))).word).toBe('kept')
      const [entry] = (await to.readLog(null, 10)).entries
      expect(entry?.until).toBeGreaterThanOrEqual(now - 5 + TTL)
      const token = { sid: null, jti: null, sub: 'bob', realm: null, now: null }
      expect(await to.isRevoked({ ...token, iat: now - 5 })).toBe(true)
    }
  })

  it('goes by the clock of the application, where it has one', async () => {
    const clock = (): number => 4_102_444_800
    for (const { open, reason } of STORES) {
      if (reason !== null) continue
      const [one, other] = [await open(), await open()]
      opened.push(one, other)
      const [from, to] = [one.store, other.store]
      const sid = randomId()
      await from.start(toDraft({ sid }), clock())
      await from.end(sid, 'ended', { logTtl: TTL, now: clock() + 1 })
      await from.countAttempt(`a ${sid}`, 1, 1000, clock())
      const { sessions } = await copyStore(from, to, { clock })
      expect(sessions).toBe(1)
      expect(await to.get(sid)).toMatchObject({ revokedAt: clock() + 1 })
      expect((await to.countAttempt(`a ${sid}`, 1, 1000, clock())).allowed).toBe(false)
      await to.prune(clock() + 100_000)
      expect(await to.get(sid)).toBeNull()
    }
  })

  it('says where the application still writes', async () => {
    let now = 1_800_000_000
    const [from, to] = [memoryStore({ clock: () => now }), memoryStore({ clock: () => now })]
    for (const sid of ['a', 'b', 'c']) await from.start(toDraft({ sid, provedAt: 9e9 }), null)
    const read = from.transfer?.read
    const busy: Store = {
      ...from,
      transfer: {
        ...(from.transfer as NonNullable<Store['transfer']>),
        async read(place, limit) {
          now += 1
          await from.rotate(toCall('a', 0))
          await from.end('b', 'ended', { logTtl: TTL, now: null })
          return (await read?.(place, limit)) as never
        },
      },
    }
    expect((await copyStore(busy, to)).changed).toBe(2)
    const other = memoryStore({ clock: () => now })
    const starting: Store = {
      ...from,
      transfer: {
        ...(from.transfer as NonNullable<Store['transfer']>),
        async read(place, limit) {
          await from.start(toDraft({ sid: randomId() }), null)
          return (await read?.(place, limit)) as never
        },
      },
    }
    expect((await copyStore(starting, other, { move: true })).changed).toBe(1)
    expect((await copyStore(from, other, { move: true })).changed).toBe(0)
  })

  it('is not brought up to date after most of a day: what has ended since may be gone', async () => {
    let now = 1_800_000_000
    const [from, to] = [memoryStore({ clock: () => now }), memoryStore({ clock: () => now })]
    await from.start(toDraft({ sid: 'a', provedAt: 9e9, idle: 1e6, absolute: 1e7 }), null)
    await copyStore(from, to)
    now += 19 * 3600
    await copyStore(from, to)
    now += 2 * 3600
    await expect(copyStore(from, to)).rejects.toThrow(/copies of today/)
  })

  it('goes into no store with sessions of its own, but back on the same day', async () => {
    let now = 1_800_000_000
    const [from, to] = [memoryStore({ clock: () => now }), memoryStore({ clock: () => now })]
    for (const sid of ['a', 'b']) await from.start(toDraft({ sid, provedAt: 9e9, idle: 1e6 }), null)
    await to.start(toDraft({ sid: 'c', provedAt: 9e9 }), null)
    await expect(copyStore(from, to)).rejects.toThrow(/no one to use `to` yet, and it has sessions/)
    expect(await to.get('a')).toBeNull()
    // What has ended or expired is in no one's way.
    await to.end('c', 'ended', { logTtl: TTL, now: null })
    await copyStore(from, to)
    now += 3600
    await to.rotate(toCall('a', 0))
    await to.end('b', 'ended', { logTtl: TTL, now: null })
    await copyStore(to, from)
    expect(await from.get('a')).toMatchObject({ gen: 1, revokedAt: null })
    expect((await from.get('b'))?.revokeReason).toBe('ended')
  })

  it('that goes on needs what was copied before, and counts what has changed since it began', async () => {
    let now = 1_800_000_000
    const source = await STORES.find(({ name }) => name === 'sqlite')?.open()
    if (source === undefined) throw new Error('no SQLite')
    opened.push(source)
    const clock = (): number => now
    const { store: from } = source
    for (let i = 0; i < 9; i++) await from.start(toDraft({ sid: `s${i}`, provedAt: now }), now)
    const to = memoryStore()
    const controller = new AbortController()
    let place: string | null = null
    const onProgress = (progress: CopyProgress): void => {
      place = progress.place
      controller.abort(new Error('enough'))
    }
    const { signal } = controller
    await expect(copyStore(from, to, { clock, batch: 3, signal, onProgress })).rejects.toThrow('enough')
    now += 60
    for (let i = 0; i < 9; i++) await from.rotate({ ...toCall(`s${i}`, 0), now })
    now += 60
    await expect(copyStore(from, memoryStore(), { clock, place })).rejects.toThrow(/copy from the beginning/)
    expect(await copyStore(from, to, { clock, place })).toMatchObject({ sessions: 6, changed: 6 })
    expect(await copyStore(from, to, { clock })).toMatchObject({ sessions: 9, changed: 0 })
  })

  it('marks the new store, and a complete move unmarks the old one', async () => {
    const stores = [memoryStore(), memoryStore(), memoryStore()] as const
    await stores[0].start(toDraft({ sid: 'a' }), null)
    await copyStore(stores[0], stores[1])
    await copyStore(stores[1], stores[2], { move: true })
    expect((await stores[2].get('a'))?.revokedAt).toBeNull()
    await copyStore(stores[2], stores[1], { move: true })
    expect((await stores[1].get('a'))?.revokedAt).toBeNull()
  })

  it('refuses arguments of the wrong kind, in words', async () => {
    const [from, to] = [memoryStore(), memoryStore()]
    const { transfer: _, ...without } = memoryStore()
    for (const [run, words] of [
      [() => copyStore(from, from), 'Expected `from` and `to` to be two stores'],
      [() => copyStore({} as Store, to), /Expected `from` to be a store/],
      [() => copyStore(from, without), /Expected the store `to` to have `transfer`/],
      [() => copyStore(from, to, { batch: 0 }), /`batch` to be a whole number from 1 to 1000/],
      [() => copyStore(from, to, { place: 1 as never }), /`place`/],
      [() => copyStore(from, to, { move: 1 as never }), /`move` to be true or false/],
      [() => copyStore(from, to, { onProgress: 1 as never }), /`onProgress` to be a function/],
      [() => copyStore(from, to, { signal: 1 as never }), /`signal` to be an AbortSignal/],
      [() => copyStore(from, to, { mvoe: true } as never), /mvoe/],
      [() => copyStore(from, to, 1 as never), /an object of options/],
    ] as const)
      await expect(run()).rejects.toThrow(words)
    for (const [options, words] of [
      [{ from, to: from }, /two stores/],
      [{ from, to, phase: 'done' }, /`phase` to be 'prepare' or 'move'/],
      [{ from }, /`to` to be a store/],
      [undefined, /`from` to be a store/],
    ] as const)
      expect(() => moveStore(options as never)).toThrow(words)
  })
})
